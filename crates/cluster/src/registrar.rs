//! Who registers here: digest, and whose the REGISTER is. The agent's actor carries it out.

use std::sync::Arc;

use strowger_link::{Class, open, seal};
use strowger_model::config::Phone;
use strowger_model::{AgentId, Far, NodeId, PeerId, ShardId, Transport};
use strowger_raft::clock;
use strowger_sip::{
    Algorithm, Contacts, DigestFault, Message, challenge, contacts, phrase, reply, reply_destination, verify,
};

use crate::actor::agent::{self, Registration};
use crate::context::{Context, shard_of};
use crate::wire::Registering;

/// A shorter registration, in seconds, would flood the log.
const SHORTEST_S: u32 = 60;

/// From a phone. Over TCP it is this node's, which has the connection; else the agent's owner's.
pub(crate) fn register(context: &Arc<Context>, message: Message, source: Far) {
    let Some((shard, agent, asked)) = judge(context, &message, source) else { return };
    if source.transport == Transport::Udp
        && let Some(owner) = elsewhere(context, shard, agent)
    {
        let body = seal(&Registering { source, message: message.bytes() });
        // Not connected: it is taken here, for the phone should not wait for a death to be noticed.
        if context.link.cast(PeerId::Node(owner), Class::Sip, body).is_ok() {
            return;
        }
    }
    agent::register(context, shard, agent, Registration { message, source, asked });
}

/// From another node, which took this one for the agent's owner.
pub(crate) fn passed_on(context: &Arc<Context>, body: &[u8]) {
    let Ok(Registering { source, message }) = open::<Registering>(body) else { return };
    let Ok(message) = Message::parse(&message) else { return };
    if context.edge.is_passive() {
        return;
    }
    let Some((shard, agent, asked)) = judge(context, &message, source) else { return };
    agent::register(context, shard, agent, Registration { message, source, asked });
}

/// The living node that owns the agent, if that is another.
fn elsewhere(context: &Context, shard: ShardId, agent: AgentId) -> Option<NodeId> {
    let view = context.shard_view(shard)?;
    let (node, incarnation) = shard_of(&view)?.agent(agent)?.owner?;
    (node != context.me && context.lives_as(node) == Some(incarnation)).then_some(node)
}

/// What an agent's phone asks for; what asks for nothing that can be had is answered.
fn judge(context: &Arc<Context>, message: &Message, source: Far) -> Option<(ShardId, AgentId, Contacts)> {
    match check(context, message, source)? {
        Verdict::Bind { shard, agent, asked } => Some((shard, agent, asked)),
        Verdict::Answer { status, extra } => {
            let bytes = reply(message, status, phrase(status), &extra, None, None);
            context.send(reply_destination(message, source), &bytes);
            None
        }
    }
}

enum Verdict {
    Answer { status: u16, extra: Vec<(&'static str, String)> },
    Bind { shard: ShardId, agent: AgentId, asked: Contacts },
}

/// None: a realm of nobody's, which gets no answer.
fn check(context: &Context, message: &Message, source: Far) -> Option<Verdict> {
    let directory = context.directory();
    let tenant = directory.realm(host_of(message.to_uri()))?;
    let now_s = clock::wall().0 / 1000;
    let from = source.addr.to_string();
    let user = match verify(
        message,
        &tenant.realm,
        |user, algorithm| {
            hash(&tenant.agent(directory.agent_named(tenant, user)?)?.phone, algorithm).map(str::to_owned)
        },
        &context.nonce_key,
        now_s,
        &from,
    ) {
        Ok(user) => user,
        Err(DigestFault::Malformed) => return Some(Verdict::Answer { status: 400, extra: Vec::new() }),
        // One answer for a wrong password and for a user who does not exist: no oracle.
        Err(fault) => {
            let stale = fault == DigestFault::Stale;
            let values = challenge(
                &tenant.realm,
                offered(tenant.agents.iter().map(|agent| &agent.phone)),
                &context.nonce_key,
                now_s,
                &from,
                stale,
            );
            let extra = values.into_iter().map(|value| ("WWW-Authenticate", value)).collect();
            return Some(Verdict::Answer { status: 401, extra });
        }
    };
    if user != message.to_user() {
        return Some(Verdict::Answer { status: 403, extra: Vec::new() });
    }
    let Ok(asked) = contacts(message) else { return Some(Verdict::Answer { status: 400, extra: Vec::new() }) };
    let too_brief = matches!(&asked, Contacts::List(list)
        if list.iter().any(|contact| contact.expires != 0 && contact.expires < SHORTEST_S));
    if too_brief {
        let extra = vec![("Min-Expires", SHORTEST_S.to_string())];
        return Some(Verdict::Answer { status: 423, extra });
    }
    Some(Verdict::Bind { shard: tenant.shard, agent: directory.agent_named(tenant, &user)?, asked })
}

/// Phones exist that give up on any challenge they do not know, also beside one they do: SHA-256 is offered only where
/// the tenant says so, which shows in its hashes. Decided by tenant, not by user, so that it tells nothing of users.
fn offered<'a>(mut phones: impl Iterator<Item = &'a Phone>) -> &'static [Algorithm] {
    if phones.any(|phone| hash(phone, Algorithm::Sha256).is_some()) { &Algorithm::ALL } else { &[Algorithm::Md5] }
}

fn hash(phone: &Phone, algorithm: Algorithm) -> Option<&str> {
    let hash = match (phone, algorithm) {
        (Phone::Registers { ha1_sha256, .. }, Algorithm::Sha256) => ha1_sha256,
        (Phone::Registers { ha1_md5, .. }, Algorithm::Md5) => ha1_md5,
        (Phone::Static { .. }, _) => return None,
    };
    // Anybody could compute what an empty hash answers.
    (!hash.is_empty()).then_some(hash)
}

fn host_of(uri: &str) -> &str {
    let after = uri.rsplit_once('@').map_or(uri, |(_, host)| host);
    let after = after.strip_prefix("sips:").or_else(|| after.strip_prefix("sip:")).unwrap_or(after);
    after.split([';', ':', '>', '?']).next().unwrap_or(after)
}

#[cfg(test)]
mod tests {
    use strowger_model::config::Phone;
    use strowger_sip::Algorithm;

    use super::{hash, host_of, offered};

    #[test]
    fn sha_256_is_offered_and_taken_only_where_there_are_such_hashes() {
        let phone = |ha1_sha256: &str| Phone::Registers { ha1_sha256: ha1_sha256.to_owned(), ha1_md5: "m".to_owned() };
        let (old, new) = (phone(""), phone("s"));
        assert_eq!((hash(&old, Algorithm::Sha256), hash(&old, Algorithm::Md5)), (None, Some("m")));
        assert_eq!((hash(&new, Algorithm::Sha256), hash(&new, Algorithm::Md5)), (Some("s"), Some("m")));
        assert_eq!(offered([&old].into_iter()), [Algorithm::Md5]);
        assert_eq!(offered([&old, &new].into_iter()), Algorithm::ALL);
    }

    #[test]
    fn the_realm_is_the_host() {
        assert_eq!(host_of("sip:1001@acme.example;transport=udp"), "acme.example");
        assert_eq!(host_of("sip:acme.example:5060"), "acme.example");
        assert_eq!(host_of("sips:a@acme.example:5061"), "acme.example");
    }
}

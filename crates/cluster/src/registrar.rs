//! Agents' phones: digest, and the contact in the agent's row.

use std::sync::Arc;
use std::time::Duration;

use strowger_model::config::{Agent, Phone};
use strowger_model::{Far, ShardId};
use strowger_raft::clock;
use strowger_sip::{
    Algorithm, Binding, Contacts, DigestFault, Message, challenge, contacts, phrase, reach, register_ok, reply,
    reply_destination, verify,
};
use strowger_table::{Command, Contact};

use crate::context::{Context, shard_of};

/// Bounds of a registration, in seconds: shorter ones would flood the log, longer ones outlive lost phones.
const SHORTEST_S: u32 = 60;
const LONGEST_S: u32 = 3600;
/// A refresh is an entry only when so much of the time has run off, in per cent.
const REFRESH_PERCENT: u64 = 40;
const COMMIT: Duration = Duration::from_secs(3);

pub(crate) fn register(context: Arc<Context>, message: Message, source: Far) {
    let Some(verdict) = check(&context, &message, source) else { return };
    let to = reply_destination(&message, source);
    match verdict {
        Verdict::Answer { status, extra } => {
            context.send(to, &reply(&message, status, phrase(status), &extra, None, None));
        }
        Verdict::Bind { shard, agent, bindings } => {
            tokio::spawn(async move {
                let bytes = match bind(&context, shard, &agent, bindings, source).await {
                    Some(bound) => register_ok(&message, &bound, &[]),
                    None => reply(&message, 503, phrase(503), &[], None, None),
                };
                context.send(to, &bytes);
            });
        }
    }
}

enum Verdict {
    Answer { status: u16, extra: Vec<(&'static str, String)> },
    Bind { shard: ShardId, agent: Box<Agent>, bindings: Contacts },
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
    let Ok(bindings) = contacts(message) else { return Some(Verdict::Answer { status: 400, extra: Vec::new() }) };
    let too_brief = matches!(&bindings, Contacts::List(list)
        if list.iter().any(|binding| binding.expires != 0 && binding.expires < SHORTEST_S));
    if too_brief {
        let extra = vec![("Min-Expires", SHORTEST_S.to_string())];
        return Some(Verdict::Answer { status: 423, extra });
    }
    let agent = tenant.agent(directory.agent_named(tenant, &user)?)?.clone();
    Some(Verdict::Bind { shard: tenant.shard, agent: Box::new(agent), bindings })
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

/// Commits what the phone asks for; what is bound afterwards, or none if it could not be committed.
async fn bind(context: &Context, shard: ShardId, agent: &Agent, asked: Contacts, source: Far) -> Option<Vec<Binding>> {
    let view = context.shard_view(shard)?;
    let current = shard_of(&view)?.agent(agent.id).and_then(|row| row.contact.clone());
    let now = context.log_now(shard);
    let left = |contact: &Contact| contact.expires.since(now).as_secs();
    let newest = match &asked {
        // An agent has one phone at a time: the last one named.
        Contacts::List(list) => list.iter().rfind(|binding| binding.expires != 0),
        Contacts::Wildcard => None,
    };
    let removes = matches!(&asked, Contacts::Wildcard)
        || matches!(&asked, Contacts::List(list) if newest.is_none() && !list.is_empty());
    let command = match newest {
        Some(binding) => {
            let seconds = u64::from(binding.expires.min(LONGEST_S));
            let far = reach(&binding.uri, source);
            let is_fresh = current.as_ref().is_some_and(|contact| {
                contact.uri == binding.uri
                    && contact.far == far
                    && left(contact) * 100 >= seconds * (100 - REFRESH_PERCENT)
            });
            let expires = now + Duration::from_secs(seconds);
            let contact = Contact { uri: binding.uri.clone(), far, expires };
            (!is_fresh).then_some(Command::Register { agent: agent.id, contact: Box::new(contact) })
        }
        None => removes.then_some(Command::Unregister { agent: agent.id }),
    };
    let bound = match &command {
        Some(Command::Register { contact, .. }) => Some((**contact).clone()),
        Some(_) => None,
        None => current,
    };
    if let Some(command) = command
        && let Err(fault) = context.command(shard, command, COMMIT).await
    {
        tracing::warn!(agent = agent.name, %fault, "a registration was not committed");
        return None;
    }
    let list = |contact: Contact| Binding { expires: left(&contact) as u32, uri: contact.uri };
    Some(bound.map(list).into_iter().collect())
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

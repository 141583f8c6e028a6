//! Agents' phones: digest, and the bindings in the agent's row.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use strowger_model::config::{Agent, Phone};
use strowger_model::{AgentId, Far, Instance, LogTime, ShardId};
use strowger_raft::clock;
use strowger_sip::{
    Algorithm, Contact, Contacts, DigestFault, Message, challenge, contacts, phrase, reach, register_ok, reply,
    reply_destination, verify,
};
use strowger_table::{Binding, BindingKind, Command};

use crate::context::{Context, shard_of};

/// Bounds of a registration, in seconds: shorter ones would flood the log, longer ones outlive lost phones.
const SHORTEST_S: u32 = 60;
const LONGEST_S: u32 = 3600;
/// A refresh is an entry only when so much of the time has run off, in per cent.
const REFRESH_PERCENT: u32 = 40;
const COMMIT: Duration = Duration::from_secs(3);

pub(crate) fn register(context: Arc<Context>, message: Message, source: Far) {
    let Some(verdict) = check(&context, &message, source) else { return };
    let to = reply_destination(&message, source);
    match verdict {
        Verdict::Answer { status, extra } => {
            context.send(to, &reply(&message, status, phrase(status), &extra, None, None));
        }
        Verdict::Bind { shard, agent, asked } => {
            tokio::spawn(async move {
                let bytes = match bind(&context, shard, &agent, asked, source).await {
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
    Bind { shard: ShardId, agent: Box<Agent>, asked: Contacts },
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
    let agent = tenant.agent(directory.agent_named(tenant, &user)?)?.clone();
    Some(Verdict::Bind { shard: tenant.shard, agent: Box::new(agent), asked })
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
async fn bind(
    context: &Context,
    shard: ShardId,
    agent: &Agent,
    asked: Contacts,
    source: Far,
) -> Option<Vec<strowger_sip::Binding>> {
    let view = context.shard_view(shard)?;
    let mut bound = shard_of(&view)?.agent(agent.id).map(|row| row.bindings.clone()).unwrap_or_default();
    let now = context.log_now(shard);
    for command in wanted(agent.id, &bound, &asked, source, now) {
        follow(&mut bound, &command);
        if let Err(fault) = context.command(shard, command, COMMIT).await {
            tracing::warn!(agent = agent.name, %fault, "a registration was not committed");
            return None;
        }
    }
    let list = |binding: Binding| {
        let left = u32::try_from(binding.expires.since(now).as_secs()).unwrap_or(u32::MAX);
        strowger_sip::Binding { uri: binding.uri, expires: left }
    };
    Some(bound.into_iter().map(list).collect())
}

/// The entries that what a phone asks for needs. A refresh of what is bound for long enough needs none.
fn wanted(agent: AgentId, bound: &[Binding], asked: &Contacts, source: Far, now: LogTime) -> Vec<Command> {
    let Contacts::List(list) = asked else { return vec![Command::Unbind { agent, instance: None }] };
    let entry = |contact: &Contact| {
        let instance = instance_of(contact);
        let current = bound.iter().find(|binding| binding.instance == instance);
        if contact.expires == 0 {
            return current.map(|_| Command::Unbind { agent, instance: Some(instance) });
        }
        let lasts = Duration::from_secs(contact.expires.min(LONGEST_S).into());
        let binding = Binding {
            instance,
            kind: BindingKind::Sip,
            uri: contact.uri.clone(),
            flow: reach(&contact.uri, source),
            q: contact.q,
            expires: now + lasts,
            lost: None,
        };
        let is_fresh = current.is_some_and(|current| {
            let enough = current.expires.since(now) * 100 >= lasts * (100 - REFRESH_PERCENT);
            enough && Binding { expires: binding.expires, ..current.clone() } == binding
        });
        (!is_fresh).then(|| Command::Bind { agent, binding: Box::new(binding) })
    };
    list.iter().filter_map(entry).collect()
}

/// What an entry of `wanted` leaves bound.
fn follow(bound: &mut Vec<Binding>, command: &Command) {
    match command {
        Command::Bind { binding, .. } => {
            bound.retain(|old| old.instance != binding.instance);
            bound.push((**binding).clone());
        }
        Command::Unbind { instance, .. } => bound.retain(|old| instance.is_some_and(|gone| gone != old.instance)),
        _ => {}
    }
}

/// The same on every node and for ever. Who finds another phone's number has found one of the same agent's.
fn instance_of(contact: &Contact) -> Instance {
    let name = contact.instance.as_deref().unwrap_or(&contact.uri);
    let digest: [u8; 32] = Sha256::digest(name).into();
    let (first, _) = digest.split_at(size_of::<u64>());
    // 0 is the phone that is always there.
    Instance(first.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)).max(1))
}

fn host_of(uri: &str) -> &str {
    let after = uri.rsplit_once('@').map_or(uri, |(_, host)| host);
    let after = after.strip_prefix("sips:").or_else(|| after.strip_prefix("sip:")).unwrap_or(after);
    after.split([';', ':', '>', '?']).next().unwrap_or(after)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use strowger_model::config::Phone;
    use strowger_model::{AgentId, Far, Line, LogTime, NodeId};
    use strowger_sip::{Algorithm, Contact, Contacts};
    use strowger_table::{Binding, Command};

    use super::{follow, hash, host_of, offered, wanted};

    const AGENT: AgentId = AgentId(7);

    fn contact(user: &str, instance: Option<&str>, q: u16, expires: u32) -> Contact {
        Contact { uri: format!("sip:{user}@192.0.2.9"), instance: instance.map(str::to_owned), q, expires }
    }

    /// What is bound once a phone has asked, and how many entries that took.
    fn ask(bound: &mut Vec<Binding>, list: Vec<Contact>, source: Far, at_s: u64) -> usize {
        let now = LogTime::ZERO + Duration::from_secs(at_s);
        let commands = wanted(AGENT, bound, &Contacts::List(list), source, now);
        commands.iter().for_each(|command| follow(bound, command));
        commands.len()
    }

    #[test]
    fn a_phone_is_bound_once_under_the_name_it_gives_itself() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        let mut bound = Vec::new();
        let two = vec![contact("desk", None, 500, 300), contact("soft", Some("<urn:uuid:1>"), 1000, 300)];
        assert_eq!(ask(&mut bound, two.clone(), source, 0), 2);
        assert_eq!(bound.iter().map(|binding| binding.q).collect::<Vec<_>>(), [500, 1000]);
        assert_eq!(ask(&mut bound, two.clone(), source, 100), 0, "most of the time is left");
        assert_eq!(ask(&mut bound, two, source, 150), 2, "half of it is not");
        let moved = vec![contact("soft-2", Some("<urn:uuid:1>"), 1000, 300)];
        assert_eq!(ask(&mut bound, moved, source, 150), 1, "another address");
        assert_eq!(
            bound.iter().map(|binding| binding.uri.as_str()).collect::<Vec<_>>(),
            ["sip:desk@192.0.2.9", "sip:soft-2@192.0.2.9"]
        );
        assert_eq!(ask(&mut bound, vec![contact("desk", None, 500, 0)], source, 151), 1);
        assert_eq!(ask(&mut bound, vec![contact("desk", None, 500, 0)], source, 151), 0, "it is gone already");
        assert_eq!(bound.len(), 1);
    }

    #[test]
    fn a_phone_that_lost_its_connection_is_bound_again_at_once() {
        let over = |number| Far { line: Some(Line { node: NodeId(1), number }), ..Far::tcp(([192, 0, 2, 9], 5060)) };
        let phone = || vec![contact("desk;transport=tcp", None, 1000, 300)];
        let mut bound = Vec::new();
        assert_eq!(ask(&mut bound, phone(), over(1), 0), 1);
        assert_eq!(ask(&mut bound, phone(), over(1), 1), 0);
        bound[0].lost = Some(LogTime::MAX);
        assert_eq!(ask(&mut bound, phone(), over(1), 2), 1, "it is there again");
        assert_eq!(ask(&mut bound, phone(), over(2), 3), 1, "by another connection");
        assert_eq!(bound.len(), 1);
    }

    #[test]
    fn the_wildcard_takes_all_phones_off() {
        let all = wanted(AGENT, &[], &Contacts::Wildcard, Far::udp(([192, 0, 2, 9], 5060)), LogTime::ZERO);
        assert_eq!(all, [Command::Unbind { agent: AGENT, instance: None }]);
    }

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

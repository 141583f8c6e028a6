//! Who registers here: digest, and whose the REGISTER is. The agent's actor carries it out.

use std::sync::Arc;
use std::time::Duration;

use strowger_agent::OffLimits;
use strowger_link::{Class, Reply, open, seal};
use strowger_model::config::{Agent, Phone, Tenant};
use strowger_model::{AgentId, Far, Ha1, Hashes, NodeId, PeerId, ShardId, Transport, Whose};
use strowger_raft::clock;
use strowger_sip::{
    Algorithm, Contacts, DigestFault, Message, Proof, Refusal, challenge, claim, contacts, reply, reply_destination,
    screen, verify,
};

use crate::actor::agent::{self, Registration};
use crate::context::{Context, shard_of};
use crate::data_keys::DataKeys;
use crate::directory::Directory;
use crate::guessing::Claimant;
use crate::sabotage::TestBreak;
use crate::wire::Registering;

/// A shorter registration, in seconds, would flood the log.
const SHORTEST_S: u32 = 60;
/// How long an agent's owner has to take a REGISTER: as long as its phone waits before it repeats it (T1 of RFC 3261
/// section 17.1.1.1).
const TAKEN: Duration = Duration::from_millis(500);
/// When a phone asks again, in seconds, where its password's hash cannot be read: somebody has to bring a key.
const UNREADABLE_RETRY_S: u32 = 60;

/// From a phone. Over TCP it is this node's, which has the connection; else the agent's owner's.
pub(crate) fn register(context: &Arc<Context>, message: Message, source: Far) {
    let Some((shard, agent, Proved { answer, asked })) = judge(context, &message, source) else { return };
    let registration = Registration { message, source, answer, asked };
    if source.transport == Transport::Udp
        && let Some(owner) = elsewhere(context, shard, agent)
    {
        context.spawn(pass_on(context.clone(), owner, shard, agent, registration));
        return;
    }
    agent::register(context, shard, agent, registration);
}

/// What the owner does not take is taken here: a phone should not wait for a death to be noticed.
async fn pass_on(context: Arc<Context>, owner: NodeId, shard: ShardId, agent: AgentId, registration: Registration) {
    let Registration { message, source, .. } = &registration;
    let body = seal(&Registering { source: *source, message: message.bytes() });
    if context.link.ask(PeerId::Node(owner), Class::Sip, body, TAKEN).await.is_err() {
        agent::register(&context, shard, agent, registration);
    }
}

/// From another node, which took this one for the agent's owner. Without a reply it is not taken.
pub(crate) fn passed_on(context: &Arc<Context>, body: &[u8], taken: Reply) {
    let Ok(Registering { source, message }) = open::<Registering>(body) else { return };
    let Ok(message) = Message::parse(&message) else { return };
    if context.edge.is_passive() || context.test_break == Some(TestBreak::LosePassedOn) {
        return;
    }
    taken.send(Vec::new());
    let Some((shard, agent, Proved { answer, asked })) = judge(context, &message, source) else { return };
    agent::register(context, shard, agent, Registration { message, source, answer, asked });
}

/// The living node that owns the agent, if that is another.
fn elsewhere(context: &Context, shard: ShardId, agent: AgentId) -> Option<NodeId> {
    let view = context.shard_view(shard)?;
    let (node, incarnation) = shard_of(&view)?.agent(agent)?.owner?;
    (node != context.me && context.lives_as(node) == Some(incarnation)).then_some(node)
}

/// What an agent's phone asks for; what asks for nothing that can be had is answered.
fn judge(context: &Arc<Context>, message: &Message, source: Far) -> Option<(ShardId, AgentId, Proved)> {
    match check(context, message, source)? {
        Verdict::Bind { shard, agent, proved } => Some((shard, agent, proved)),
        Verdict::Answer(Refusal { status, reason, headers }) => {
            let bytes = reply(message, status, &reason, &headers, None, None);
            context.send(reply_destination(message, source), &bytes);
            None
        }
    }
}

enum Verdict {
    Answer(Refusal),
    Bind { shard: ShardId, agent: AgentId, proved: Proved },
}

/// What the agent's actor has to know beside the message.
struct Proved {
    /// To the challenge; it counts once.
    answer: String,
    asked: Contacts,
}

/// None: a realm of nobody's, which gets no answer.
fn check(context: &Context, message: &Message, source: Far) -> Option<Verdict> {
    let directory = context.directory();
    let tenant = directory.realm(host_of(message.to_uri()))?;
    if let Some(refusal) = screen(message) {
        return Some(Verdict::Answer(refusal));
    }
    // To all alike, and before anything is looked at: that this node cannot read the tenant's hashes is no word on whom
    // the tenant has.
    if directory.missing_key(tenant.id).is_some() {
        let retry = vec![("Retry-After", UNREADABLE_RETRY_S.to_string())];
        return Some(Verdict::Answer(Refusal::new(503, retry)));
    }
    let Proof { user, answer } = match authenticate(context, &directory, tenant, message, source)? {
        Ok(proof) => proof,
        Err(refusal) => return Some(Verdict::Answer(refusal)),
    };
    if user != message.to_user() {
        return Some(Verdict::Answer(Refusal::new(403, Vec::new())));
    }
    let agent = directory.agent_named(tenant, &user)?;
    let off_limits = OffLimits { ours: &context.sip_addresses, trunks: &directory.trunks };
    Some(match may_be_bound(message, source, off_limits, &context.keyring.local().contact_host) {
        Ok(asked) => Verdict::Bind { shard: tenant.shard, agent, proved: Proved { answer, asked } },
        Err(refusal) => Verdict::Answer(refusal),
    })
}

/// Whose password it is, or what the phone is told; none: nothing, for somebody there has guessed too often.
fn authenticate(
    context: &Context,
    directory: &Directory,
    tenant: &Tenant,
    message: &Message,
    source: Far,
) -> Option<Result<Proof, Refusal>> {
    let data_keys = context.keyring.data_keys();
    let (keys, now_s) = (data_keys.nonce_keys(), now_s());
    let from = sealed_for(context.me, source);
    let challenged = |stale: bool| Some(Err(challenged(&data_keys, tenant, &from, stale)));
    let claim = claim(message, &tenant.realm, &keys, &from);
    let name = claim.as_ref().map_or(message.to_user(), |claim| claim.user.as_str());
    let claimant = Claimant::new(context, tenant, name, source.addr.ip());
    if !claimant.is_heard(context) {
        return None;
    }
    if claim.is_some_and(|claim| !claim.answers_us) {
        return challenged(true);
    }
    let ha1 = |user: &str, algorithm| {
        let agent = directory.agent_named(tenant, user).and_then(|agent| tenant.agent(agent));
        agent.map(|agent| hashes(&data_keys, tenant, agent, algorithm)).unwrap_or_default()
    };
    match verify(message, &tenant.realm, ha1, &keys, now_s, &from) {
        Ok(proof) => {
            claimant.was_right(context);
            Some(Ok(proof))
        }
        Err(fault @ DigestFault::Malformed) => Some(Err(Refusal::bad_request(fault))),
        Err(fault) => {
            // One answer for a wrong password and for a user who does not exist: no oracle.
            if matches!(fault, DigestFault::Wrong | DigestFault::Unknown) {
                claimant.was_wrong(context);
            }
            challenged(fault == DigestFault::Stale)
        }
    }
}

/// `stale`: its password was right, and it need not ask its user again.
fn challenged(keys: &DataKeys, tenant: &Tenant, from: &str, stale: bool) -> Refusal {
    let values = challenge(&tenant.realm, offered(tenant), keys.nonce_keys()[0], now_s(), salt(), from, stale);
    Refusal::new(401, values.into_iter().map(|value| ("WWW-Authenticate", value)).collect())
}

/// What a phone is told whose answer was given before; none while the configuration has no such agent.
pub(crate) fn replayed(context: &Context, agent: AgentId, source: Far) -> Option<Refusal> {
    let directory = context.directory();
    let (tenant, agent) = directory.agent(agent)?;
    tracing::debug!(tenant = tenant.name, agent = agent.name, ?source, "an answer to a challenge came again");
    Some(challenged(&context.keyring.data_keys(), tenant, &sealed_for(context.me, source), true))
}

/// Random, so that no two challenges are alike. A system that gives nothing random gives one nonce a second and host, as good
/// for all who know `qop`.
fn salt() -> u64 {
    let random = ring::rand::generate::<[u8; 8]>(&ring::rand::SystemRandom::new());
    random.map_or(0, |random| u64::from_be_bytes(random.expose()))
}

/// Nodes' clocks agree so far that nonces of one count at another.
fn now_s() -> u64 {
    clock::wall().0 / 1000
}

/// What a phone asks for whose digest was good, or its refusal.
fn may_be_bound(message: &Message, source: Far, off_limits: OffLimits<'_>, host: &str) -> Result<Contacts, Refusal> {
    let asked = contacts(message).map_err(Refusal::bad_request)?;
    // RFC 3261 section 20.43: 399 is for people.
    let warning = |forbidden| vec![("Warning", format!("399 {host} \"{forbidden}\""))];
    off_limits.check(&asked, source).map_err(|forbidden| Refusal::new(403, warning(forbidden)))?;
    let too_brief = matches!(&asked, Contacts::List(list)
        if list.iter().any(|contact| contact.expires != 0 && contact.expires < SHORTEST_S));
    if too_brief {
        return Err(Refusal::new(423, vec![("Min-Expires", SHORTEST_S.to_string())]));
    }
    Ok(asked)
}

/// For whom a challenge is made: without the port, for a NAT, or a phone that connects anew for each request, has another one
/// when it answers. Over TCP every node takes REGISTERs itself, and knows only the answers that it has taken: there a challenge
/// is for the node that made it.
fn sealed_for(me: NodeId, source: Far) -> String {
    let ip = source.addr.ip();
    match source.transport {
        Transport::Udp => ip.to_string(),
        Transport::Tcp => format!("{ip} over TCP at {me}"),
    }
}

/// Phones exist that give up on any challenge they do not know, also beside one they do: SHA-256 is offered only where
/// the tenant says so. Decided by tenant, not by user, so that it tells nothing of users.
fn offered(tenant: &Tenant) -> &'static [Algorithm] {
    if tenant.offers_sha256 { &Algorithm::ALL } else { &[Algorithm::Md5] }
}

/// In lower-case hexadecimal, for each form of the name that phones hash.
fn hashes(keys: &DataKeys, tenant: &Tenant, agent: &Agent, algorithm: Algorithm) -> Vec<String> {
    let Phone::Registers { ha1 } = &agent.phone else { return Vec::new() };
    let whose = Whose { realm: &tenant.realm, user: &agent.name };
    let opened = keys.open(whose, ha1).inspect_err(|fault| {
        tracing::error!(tenant = tenant.name, agent = agent.name, %fault, "a password's hash cannot be read");
    });
    let of = |hashes: &Hashes| match algorithm {
        Algorithm::Sha256 => hashes.sha256.map(|sha256| hex(&sha256)),
        Algorithm::Md5 => Some(hex(&hashes.md5)),
    };
    opened.iter().flat_map(Ha1::each).filter_map(of).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn host_of(uri: &str) -> &str {
    let after = uri.rsplit_once('@').map_or(uri, |(_, host)| host);
    let after = after.strip_prefix("sips:").or_else(|| after.strip_prefix("sip:")).unwrap_or(after);
    after.split([';', ':', '>', '?']).next().unwrap_or(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    use strowger_model::TenantId;

    #[test]
    fn sha_256_is_offered_and_taken_only_where_the_tenant_says_so() {
        let keys = DataKeys::parse(&"42".repeat(32)).unwrap();
        let world = |offers_sha256: bool| {
            let whose = Whose { realm: "acme.example", user: "1001" };
            let of = |md5, sha256| Hashes {
                md5: [md5; Hashes::MD5],
                sha256: offers_sha256.then_some([sha256; Hashes::SHA256]),
            };
            let ha1 = Ha1 { alone: of(0x0a, 0xb0), at_realm: Some(of(0x0c, 0xd0)) };
            let agent = Agent {
                id: AgentId(1),
                name: whose.user.to_owned(),
                queues: Vec::new(),
                phone: Phone::Registers { ha1: keys.seal(whose, &ha1) },
                ready_at_login: true,
                site: String::new(),
            };
            let tenant = Tenant {
                id: TenantId(1),
                name: "acme".to_owned(),
                realm: whose.realm.to_owned(),
                shard: ShardId(0),
                numbers: Vec::new(),
                flows: Vec::new(),
                queues: Vec::new(),
                agents: Vec::new(),
                campaigns: Vec::new(),
                takes_anonymous: true,
                offers_sha256,
            };
            (tenant, agent)
        };
        for offers_sha256 in [false, true] {
            let (tenant, agent) = world(offers_sha256);
            let hashes = |algorithm| hashes(&keys, &tenant, &agent, algorithm);
            assert_eq!(hashes(Algorithm::Md5), ["0a", "0c"].map(|byte| byte.repeat(16)));
            let sha256 = ["b0", "d0"].map(|byte| byte.repeat(32));
            assert_eq!(hashes(Algorithm::Sha256), if offers_sha256 { &sha256[..] } else { &[] });
            let all: &[Algorithm] = &Algorithm::ALL;
            assert_eq!(offered(&tenant), if offers_sha256 { all } else { &[Algorithm::Md5] });
        }
        let (other, agent) = (Tenant { realm: "bolt.example".to_owned(), ..world(true).0 }, world(true).1);
        assert!(hashes(&keys, &other, &agent, Algorithm::Md5).is_empty(), "sealed for another realm");
    }

    /// All of them were "Bad Request", and the last "Declined".
    #[test]
    fn a_phone_is_told_what_is_wrong_with_its_contact() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        let off_limits = OffLimits { ours: &[], trunks: &[] };
        let told = |contact: &str| {
            let text = format!(
                "REGISTER sip:acme.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKr\r\nMax-Forwards: 70\r\n\
                 From: <sip:7@acme.example>;tag=1\r\nTo: <sip:7@acme.example>\r\nCall-ID: r\r\nCSeq: 2 REGISTER\r\n\
                 Contact: {contact}\r\nContent-Length: 0\r\n\r\n"
            );
            let message = Message::parse(text.as_bytes()).unwrap();
            may_be_bound(&message, source, off_limits, "sip.example")
                .map_err(|refusal| (refusal.status, refusal.reason))
        };
        assert!(told("<sip:7@192.0.2.9>").is_ok());
        let long = |bytes: usize| format!("<sip:{}@192.0.2.9>", "7".repeat(bytes - "sip:@192.0.2.9".len()));
        assert!(told(&long(512)).is_ok());
        for (contact, status, reason) in [
            ("<nothing>", 400, "Bad Request: a Contact is malformed"),
            ("*", 400, "Bad Request: `*` beside another Contact or without Expires: 0"),
            (&["<sip:7@192.0.2.9>"; 17].join(", "), 400, "Bad Request: more than 16 Contacts"),
            (&long(513), 400, "Bad Request: the URI of a Contact has more than 512 bytes"),
            (&long(7000), 400, "Bad Request: the URI of a Contact has more than 512 bytes"),
            ("<sip:7@127.0.0.1>", 403, "Forbidden"),
            ("<sip:7@192.0.2.9>;expires=5", 423, "Interval Too Brief"),
        ] {
            assert_eq!(told(contact), Err((status, reason.into())), "{contact}");
        }
    }

    /// Such a phone was challenged for ever.
    #[test]
    fn a_phone_may_answer_its_challenge_from_another_port() {
        let [one, other, elsewhere] = [([192, 0, 2, 9], 5060), ([192, 0, 2, 9], 40_404), ([192, 0, 2, 8], 5060)];
        let [here, there] = [NodeId(1), NodeId(2)];
        assert_eq!(sealed_for(here, Far::udp(one)), sealed_for(there, Far::udp(other)));
        assert_eq!(sealed_for(here, Far::tcp(one)), sealed_for(here, Far::tcp(other)));
        assert_ne!(sealed_for(here, Far::udp(one)), sealed_for(here, Far::udp(elsewhere)));
        assert_ne!(sealed_for(here, Far::tcp(one)), sealed_for(there, Far::tcp(one)));
        assert_ne!(sealed_for(here, Far::tcp(one)), sealed_for(here, Far::udp(one)));
    }

    #[test]
    fn the_realm_is_the_host() {
        assert_eq!(host_of("sip:1001@acme.example;transport=udp"), "acme.example");
        assert_eq!(host_of("sip:acme.example:5060"), "acme.example");
        assert_eq!(host_of("sips:a@acme.example:5061"), "acme.example");
    }
}

//! What a phone asks for, as entries, and what they leave bound.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use strowger_model::{AgentId, Far, Instance, LogTime, Transport};
use strowger_sip::{Contact, Contacts, identity, names, reach};
use strowger_table::limit::BINDINGS;
use strowger_table::{Binding, BindingKind, Command};

/// Longer registrations outlive lost phones.
const LONGEST_S: u32 = 3600;
/// A refresh is an entry only when so much of the time has run off, in per cent.
const REFRESH_PERCENT: u32 = 40;
/// A phone is told whole seconds, and nodes' clocks differ by less: what is bound for so much longer than it asks for is
/// bound as long as it asks for.
const SECOND: Duration = Duration::from_secs(1);

/// The entries that what a phone asks for needs (RFC 3261 section 10.3, step 7): each Contact is compared with what is
/// bound, and what none names stays. A refresh of what is bound for long enough, and not for longer, needs none.
pub fn wanted(agent: AgentId, bound: &[Binding], asked: &Contacts, source: Far, now: LogTime) -> Vec<Command> {
    let Contacts::List(list) = asked else { return vec![Command::Unbind { agent, instance: None }] };
    let entries = |contact: &Contact| {
        let current = bound_as(bound, contact);
        if contact.expires == 0 {
            let gone = current.map(|current| Command::Unbind { agent, instance: Some(current.instance) });
            return [gone, None];
        }
        let instance =
            named(contact).or(current.map(|current| current.instance)).unwrap_or_else(|| unnamed(&contact.uri));
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
            let left = current.expires.since(now);
            let enough = left * 100 >= lasts * (100 - REFRESH_PERCENT) && left < lasts + SECOND;
            enough && Binding { expires: binding.expires, ..current.clone() } == binding
        });
        // A phone that gives itself a name by now is not there twice.
        let old = current.map(|current| current.instance).filter(|old| *old != instance);
        let gone = old.map(|old| Command::Unbind { agent, instance: Some(old) });
        [gone, (!is_fresh).then(|| Command::Bind { agent, binding: Box::new(binding) })]
    };
    // No more at once than an agent may have: each beyond would only push out another.
    let mut room = BINDINGS;
    let finds_room = |command: &Command| match command {
        Command::Bind { .. } if room == 0 => false,
        Command::Bind { .. } => {
            room -= 1;
            true
        }
        _ => true,
    };
    list.iter().flat_map(entries).flatten().filter(finds_room).collect()
}

/// What an entry of `wanted` leaves bound.
pub(crate) fn follow(bound: &mut Vec<Binding>, command: &Command) {
    match command {
        Command::Bind { binding, .. } => {
            bound.retain(|old| old.instance != binding.instance);
            bound.push((**binding).clone());
        }
        Command::Unbind { instance, .. } => bound.retain(|old| instance.is_some_and(|gone| gone != old.instance)),
        _ => {}
    }
}

/// Where phones are that a NAT forgets if nothing goes there: over UDP, from elsewhere than they say they are.
pub fn through_nat(bound: &[Binding]) -> impl Iterator<Item = Far> {
    let kept = |binding: &&Binding| {
        let by_datagrams = binding.kind == BindingKind::Sip && binding.flow.transport == Transport::Udp;
        by_datagrams && binding.lost.is_none() && !names(&binding.uri, binding.flow)
    };
    bound.iter().filter(kept).map(|binding| binding.flow)
}

/// The binding that a Contact is about: of a phone that names itself the one of that name (RFC 5626 section 4.1), or what it
/// bound before it did; of another the one with its address.
fn bound_as<'a>(bound: &'a [Binding], contact: &Contact) -> Option<&'a Binding> {
    let address = identity(&contact.uri);
    let has_address = |binding: &&Binding| binding.kind == BindingKind::Sip && identity(&binding.uri) == address;
    match named(contact) {
        None => bound.iter().find(has_address),
        Some(name) => bound
            .iter()
            .find(|binding| binding.instance == name)
            .or_else(|| bound.iter().filter(has_address).find(|old| old.instance == unnamed(&old.uri))),
    }
}

fn named(contact: &Contact) -> Option<Instance> {
    contact.instance.as_deref().map(instance_of)
}

fn unnamed(uri: &str) -> Instance {
    instance_of(&identity(uri))
}

/// The same on every node and for ever. Who finds another phone's number has found one of the same agent's.
fn instance_of(name: &str) -> Instance {
    let digest: [u8; 32] = Sha256::digest(name).into();
    let (first, _) = digest.split_at(size_of::<u64>());
    // 0 is the phone that is always there.
    Instance(first.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)).max(1))
}

#[cfg(test)]
mod tests {
    use strowger_model::{Line, NodeId};

    use super::*;

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

    /// Any `expires=0` logged the agent out, though the phone had never been bound, or under another spelling.
    #[test]
    fn a_phone_takes_off_itself_and_nobody_else() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        let at = |uri: &str, instance: Option<&str>, expires| Contact {
            uri: uri.to_owned(),
            ..contact("", instance, 1000, expires)
        };
        let (desk, soft) = ("sip:7@192.0.2.9:5062;ob", "sip:7@192.0.2.10:5062");
        let begin = || {
            let mut bound = Vec::new();
            ask(&mut bound, vec![at(desk, None, 300)], source, 0);
            ask(&mut bound, vec![at(soft, Some("<urn:uuid:1>"), 300)], source, 0);
            bound
        };
        for (uri, instance, left) in [
            ("sip:7@192.0.2.99", None, vec![desk, soft]),
            ("sip:7@192.0.2.9", None, vec![desk, soft]),
            ("sip:7@192.0.2.99", Some("<urn:uuid:2>"), vec![desk, soft]),
            ("SIP:7@192.0.2.9:5062;line=4", None, vec![soft]),
            (desk, Some("<urn:uuid:3>"), vec![soft]),
            (soft, None, vec![desk]),
            ("sip:7@198.51.100.4", Some("<urn:uuid:1>"), vec![desk]),
            // Another phone behind another NAT may have the same address inside.
            (soft, Some("<urn:uuid:4>"), vec![desk, soft]),
        ] {
            let mut bound = begin();
            ask(&mut bound, vec![at(uri, instance, 0)], source, 1);
            assert_eq!(
                bound.iter().map(|binding| binding.uri.as_str()).collect::<Vec<_>>(),
                left,
                "{uri} {instance:?}"
            );
        }
    }

    #[test]
    fn a_phone_is_bound_once_whether_it_names_itself_or_not() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        let written_otherwise =
            |instance| Contact { uri: "sip:desk@192.0.2.9;ob".to_owned(), ..contact("desk", instance, 500, 300) };
        let mut bound = Vec::new();
        ask(&mut bound, vec![contact("desk", None, 500, 300)], source, 0);
        assert_eq!(ask(&mut bound, vec![written_otherwise(None)], source, 1), 1, "its Contact reads otherwise");
        assert_eq!(bound.len(), 1);
        let instance = bound[0].instance;
        assert_eq!(ask(&mut bound, vec![written_otherwise(Some("<urn:uuid:1>"))], source, 2), 2);
        assert!(bound.len() == 1 && bound[0].instance != instance);
        let named = bound[0].instance;
        assert_eq!(ask(&mut bound, vec![written_otherwise(None)], source, 3), 0);
        assert!(bound.len() == 1 && bound[0].instance == named);
    }

    /// A phone that wants to be forgotten sooner, for its NAT does, was told the rest of an hour.
    #[test]
    fn a_phone_is_never_bound_for_longer_than_it_asks_for() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        let mut bound = Vec::new();
        ask(&mut bound, vec![contact("desk", None, 500, 3600)], source, 0);
        for (asked, at_s, entries) in [(3600, 1, 0), (3599, 1, 0), (3598, 1, 1), (120, 2, 1), (120, 3, 0), (60, 3, 1)] {
            assert_eq!(ask(&mut bound, vec![contact("desk", None, 500, asked)], source, at_s), entries, "{asked} s");
            let left = bound[0].expires.since(LogTime::ZERO + Duration::from_secs(at_s));
            assert!(left < Duration::from_secs(u64::from(asked) + 1), "{asked} s, and {left:?} are left");
        }
    }

    #[test]
    fn a_phone_that_names_a_thousand_addresses_makes_few_entries() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        let many = || (0..1000).map(|user| contact(&user.to_string(), None, 1000, 300)).collect();
        let mut bound = Vec::new();
        assert_eq!(ask(&mut bound, many(), source, 0), BINDINGS);
        assert_eq!(ask(&mut bound, many(), source, 1), BINDINGS, "the others, which are bound no longer than these");
        let gone = (0..1000).map(|user| contact(&user.to_string(), None, 1000, 0)).collect();
        ask(&mut bound, gone, source, 2);
        assert_eq!(bound, []);
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
    fn only_what_a_nat_forgets_is_kept_open() {
        let (inside, nat) = (Far::udp(([192, 0, 2, 9], 5060)), Far::udp(([203, 0, 113, 9], 40_000)));
        let open = |uri: &str, flow: Far, lost: Option<LogTime>| {
            let phone = Contact { uri: uri.to_owned(), ..contact("desk", None, 1000, 300) };
            let mut bound = Vec::new();
            ask(&mut bound, vec![phone], flow, 0);
            bound[0].lost = lost;
            through_nat(&bound).collect::<Vec<_>>()
        };
        assert_eq!(open("sip:desk@192.0.2.9", nat, None), [nat]);
        assert_eq!(open("sip:desk@192.0.2.9", nat, Some(LogTime::MAX)), []);
        assert_eq!(open("sip:desk@192.0.2.9:5060;ob", inside, None), []);
        assert_eq!(open("sip:desk@192.0.2.9;transport=tcp", nat, None), [nat], "it is reached by the way it came");
        let connected = Far::tcp(([203, 0, 113, 9], 40_000));
        assert_eq!(
            open("sip:desk@192.0.2.9;transport=tcp", connected, None),
            [],
            "its connection is kept by the phone"
        );
    }

    #[test]
    fn a_registration_lasts_as_long_as_was_asked_for_and_an_hour_at_most() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        for (asked, lasts) in [(1, 1), (3599, 3599), (3600, 3600), (7200, 3600)] {
            let mut bound = Vec::new();
            ask(&mut bound, vec![contact("desk", None, 500, asked)], source, 10);
            let [binding] = &bound[..] else { panic!("{bound:?}") };
            assert_eq!(binding.expires, LogTime::ZERO + Duration::from_secs(10 + lasts));
            assert_eq!((binding.kind, binding.lost, binding.flow), (BindingKind::Sip, None, source));
        }
    }

    /// A refresh makes an entry as soon as less than 60 % of the time is left, and not before.
    #[test]
    fn a_refresh_counts_when_much_of_the_time_has_run_off() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        let phone = || vec![contact("desk", None, 500, 100)];
        for (at_s, entries) in [(40, 0), (41, 1)] {
            let mut bound = Vec::new();
            assert_eq!(ask(&mut bound, phone(), source, 0), 1);
            assert_eq!(ask(&mut bound, phone(), source, at_s), entries, "after {at_s} s");
        }
        let mut bound = Vec::new();
        ask(&mut bound, phone(), source, 0);
        let other = vec![contact("desk", None, 1000, 100)];
        assert_eq!(ask(&mut bound, other, source, 1), 1, "it wants to be preferred now");
        assert_eq!(bound[0].q, 1000);
    }

    /// Who goes needs no room, whatever comes before it in the same request.
    #[test]
    fn phones_go_however_many_come() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        let mut bound = Vec::new();
        ask(&mut bound, vec![contact("old", None, 500, 300)], source, 0);
        let mut list: Vec<Contact> = (0..20).map(|user| contact(&user.to_string(), None, 500, 300)).collect();
        list.push(contact("old", None, 500, 0));
        assert_eq!(ask(&mut bound, list, source, 1), BINDINGS + 1);
        assert_eq!(bound.len(), BINDINGS);
        assert!(bound.iter().all(|binding| binding.uri != "sip:old@192.0.2.9"));
    }

    /// A phone is known by the name that it gives itself, on every node and after every update; else by its address.
    #[test]
    fn a_phones_number_is_the_same_for_ever() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        for (phone, number) in [
            (contact("desk", Some("<urn:uuid:1>"), 500, 300), 0xfa41_5049_4995_7d90),
            (contact("soft", Some("<urn:uuid:1>"), 500, 300), 0xfa41_5049_4995_7d90),
            (contact("desk", None, 500, 300), 0x7502_e43f_cfe7_8aaf),
        ] {
            let mut bound = Vec::new();
            ask(&mut bound, vec![phone], source, 0);
            assert_eq!(bound[0].instance, Instance(number));
        }
    }

    #[test]
    fn who_asks_for_nothing_gets_no_entry() {
        let mut bound = Vec::new();
        assert_eq!(ask(&mut bound, vec![], Far::udp(([192, 0, 2, 9], 5060)), 0), 0);
    }

    /// Each contact of a request is judged by itself: one goes, one is fresh, one is new.
    #[test]
    fn phones_of_one_request_are_judged_one_by_one() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        let mut bound = Vec::new();
        ask(&mut bound, vec![contact("goes", None, 500, 300), contact("stays", None, 500, 300)], source, 0);
        let list =
            vec![contact("goes", None, 500, 0), contact("stays", None, 500, 300), contact("comes", None, 500, 60)];
        let commands = wanted(AGENT, &bound, &Contacts::List(list), source, LogTime::ZERO + Duration::from_secs(1));
        let [Command::Unbind { agent, instance }, Command::Bind { agent: of, binding }] = &commands[..] else {
            panic!("{commands:?}")
        };
        assert_eq!((*agent, *of, *instance), (AGENT, AGENT, Some(bound[0].instance)));
        assert_eq!((&binding.uri[..], binding.expires), ("sip:comes@192.0.2.9", LogTime::from_millis(61_000)));
    }

    /// What is committed leaves bound what the row will show.
    #[test]
    fn an_entry_takes_off_one_phone_or_all() {
        let source = Far::udp(([192, 0, 2, 9], 5060));
        let mut bound = Vec::new();
        ask(&mut bound, vec![contact("desk", None, 500, 300), contact("soft", None, 500, 300)], source, 0);
        let (desk, soft) = (bound[0].clone(), bound[1].clone());
        follow(&mut bound, &Command::Unbind { agent: AGENT, instance: Some(desk.instance) });
        assert_eq!(bound, [soft]);
        follow(&mut bound, &Command::Bind { agent: AGENT, binding: Box::new(desk) });
        assert_eq!(bound.len(), 2);
        follow(&mut bound, &Command::Tick);
        assert_eq!(bound.len(), 2, "other entries are nothing to phones");
        follow(&mut bound, &Command::Unbind { agent: AGENT, instance: None });
        assert_eq!(bound, []);
    }

    /// A browser or a number outside is reached by no datagrams of ours.
    #[test]
    fn only_phones_that_speak_sip_are_kept_in_reach() {
        let nat = Far::udp(([203, 0, 113, 9], 40_000));
        let mut bound = Vec::new();
        ask(&mut bound, vec![contact("desk", None, 500, 300), contact("soft", None, 500, 300)], nat, 0);
        assert_eq!(through_nat(&bound).count(), 2);
        for kind in [BindingKind::Browser, BindingKind::Outside, BindingKind::Socket] {
            bound[0].kind = kind;
            assert_eq!(through_nat(&bound).count(), 1);
        }
    }

    #[test]
    fn the_wildcard_takes_all_phones_off() {
        let all = wanted(AGENT, &[], &Contacts::Wildcard, Far::udp(([192, 0, 2, 9], 5060)), LogTime::ZERO);
        assert_eq!(all, [Command::Unbind { agent: AGENT, instance: None }]);
    }
}

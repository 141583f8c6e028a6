//! Who comes in: new calls at a node's door, and what its heartbeats say of them.

use std::time::Duration;

use strowger_model::{
    CallId, Cause, Ended, Far, FlowId, HangupBy, Incarnation, LogTime, NodeId, RelayId, Role, TenantId, TrunkId,
};
use strowger_sip::Message;
use strowger_table::{Command, Outcome, Source, Target};

use super::bench::*;
use crate::{Action, Door};

#[test]
fn the_door_says_who_comes_in() {
    let mut bench = Bench::new();
    let stranger = Far::udp(([203, 0, 113, 1], 5060));
    let message = invite("a");
    let said = bench.on(|intake, around| intake.invite(message, stranger, around));
    assert_eq!(words(&said), [""; 0], "not a word to a scanner");

    let unknown = String::from_utf8(invite("b").bytes()).unwrap().replace("sip:100@", "sip:999@");
    let unknown = Message::parse(unknown.as_bytes()).unwrap();
    let said = bench.on(|intake, around| intake.invite(unknown, trunk(), around));
    assert_eq!(words(&said), ["404"]);

    bench.barred = Some("555");
    assert_eq!(words(&bench.invites("c")), ["Unwanted", "603"]);
    bench.barred = None;
    bench.relay = None;
    assert_eq!(words(&bench.invites("d")), ["503"], "no relay");
}

/// Somebody who has read a call's Call-ID and tag in a ticket, and sends its INVITE or CANCEL again from elsewhere.
#[test]
fn what_a_stranger_says_of_a_call_is_not_kept_and_comes_to_nobody() {
    let mut bench = Bench::new();
    let call = bench.call_of(ME, "a");
    bench.actors.insert(call);
    bench.invites("under-way");
    let stranger = Far::udp(([203, 0, 113, 1], 5060));
    for call_id in ["a", "under-way", "unknown"] {
        let (again, cancels) = (invite(call_id), cancel(call_id));
        let said = bench.on(|intake, around| intake.invite(again, stranger, around));
        assert_eq!(words(&said), [""; 0], "{call_id}");
        let said = bench.on(|intake, around| intake.cancel(cancels, stranger, around));
        assert_eq!(words(&said), [""; 0], "{call_id}");
    }
    assert_eq!(bench.intake.deadline(), None, "nothing is kept");
    assert_eq!(words(&bench.invites("a")), [format!("tell {} INVITE", call.index())], "the trunk's own");
    assert_eq!(cancels(&mut bench, "a"), [format!("tell {} CANCEL", call.index())]);
}

#[test]
fn the_door_holds_the_nodes_limits() {
    let mut bench = Bench::new();
    for at in 0..RATE {
        assert_eq!(words(&bench.invites(&format!("a{at}"))), ["admit"]);
    }
    assert_eq!(words(&bench.invites("b")), ["TurnedAway", "503"], "the rate");
    bench.tick_after(Duration::from_secs(1));
    bench.actors.extend((0..MAX_CALLS as u64).map(|at| CallId::new(SHARD, 1000 + at)));
    assert_eq!(words(&bench.invites("c")), ["TurnedAway", "503"], "calls at once");
}

#[test]
fn the_door_holds_each_trunks_limits() {
    let mut bench = Bench::new();
    bench.door.max_calls_per_second = 2;
    assert_eq!(["a", "b"].map(|call| words(&bench.invites(call))), [["admit"], ["admit"]]);
    assert_eq!(words(&bench.invites("c")), ["TurnedAway", "503"], "the trunk's rate");
    bench.door = Door { trunk: TrunkId(2), ..bench.door };
    assert_eq!(words(&bench.invites("d")), ["admit"], "another trunk's is its own");
}

/// A small carrier was refused because a large one had calls; and each node let in as many as all of them should.
#[test]
fn a_trunk_has_its_own_calls_at_once_in_the_cluster() {
    let mut bench = Bench::new();
    let small = Door { trunk: TrunkId(2), max_calls: 2, ..bench.door.clone() };
    for call in ["a", "b"] {
        let call = bench.call_of(ME, call);
        bench.actors.insert(call);
    }
    bench.door = small;
    let elsewhere = bench.call_of(OTHER, "c");
    assert_eq!(words(&bench.invites("d")), ["admit"], "the other trunk's calls are not its own");
    assert_eq!(words(&bench.invites("e")), ["TurnedAway", "503"], "one on another node, one under way here");
    assert_eq!(words(&bench.invites("d")), [""; 0], "a repetition is no second call");
    let ended = Ended { by: HangupBy::Caller, cause: Cause::NORMAL };
    bench.commit(OTHER, Command::End { call: elsewhere, ended, observed: LogTime(bench.now.0) });
    assert_eq!(words(&bench.invites("e")), ["admit"], "a call that ended leaves its line");
    // Its row takes the place of what was under way.
    bench.call_of(ME, "d");
    assert!(bench.intake.seat(&key("d")).is_some());
    assert_eq!(words(&bench.invites("f")), ["TurnedAway", "503"]);
    bench.door.max_calls = 3;
    assert_eq!(words(&bench.invites("f")), ["admit"], "the configuration in force says how many");
}

/// A rate that was raised held back callers until the node was started again, one that was lowered let them in.
#[test]
fn a_trunk_has_the_rate_of_the_configuration_in_force() {
    let mut bench = Bench::new();
    bench.door.max_calls_per_second = 1;
    assert_eq!(words(&bench.invites("a")), ["admit"]);
    assert_eq!(words(&bench.invites("b")), ["TurnedAway", "503"]);
    bench.door.max_calls_per_second = 2;
    assert_eq!(words(&bench.invites("c")), ["admit"]);
    assert_eq!(words(&bench.invites("d")), ["admit"]);
    assert_eq!(words(&bench.invites("e")), ["TurnedAway", "503"]);
}

/// The table judges the call by what the door wrote down, and the record tells it.
#[test]
fn an_admission_says_who_calls_whom_and_since_when() {
    let mut bench = Bench::new();
    bench.door = Door { trunk: TrunkId(3), ..bench.door };
    let said = bench.invites("a");
    let Some(Action::Admit { key: asked, shard, command }) = said.into_iter().next() else { panic!("an admission") };
    assert_eq!((&asked, shard), (&key("a"), SHARD));
    let Command::Admit(admit) = *command else { panic!("an admission") };
    assert_eq!((admit.key, admit.tenant), (key("a"), TenantId(1)));
    assert_eq!((admit.source, admit.target), (Source::Trunk(TrunkId(3)), Target::Flow(FlowId(1))));
    assert_eq!((admit.from.as_str(), admit.to.as_str()), ("555", "100"));
    assert_eq!(admit.observed, LogTime(bench.now.0) + DOUBT, "not before it can have come");
    let dialog = admit.dialog;
    assert_eq!((dialog.role, dialog.call_id.as_str(), dialog.remote_tag.as_str()), (Role::Uas, "a", "far"));
    assert_eq!(dialog.far, trunk());
}

/// RFC 3261 section 8.2.2.2: a caller who is asked again, or dials again, begins another call.
#[test]
fn calls_are_told_apart_by_call_id_tag_and_number_of_the_invite() {
    let mut bench = Bench::new();
    assert_eq!(words(&bench.invites("a")), ["admit"]);
    for (is, becomes) in [("CSeq: 1", "CSeq: 2"), ("tag=far", "tag=farther"), ("Call-ID: a", "Call-ID: b")] {
        let other = String::from_utf8(invite("a").bytes()).unwrap().replace(is, becomes);
        let other = Message::parse(other.as_bytes()).unwrap();
        let said = bench.on(|intake, around| intake.invite(other, trunk(), around));
        assert_eq!(words(&said), ["admit"], "{becomes}");
    }
}

/// A carrier's dipped call went unanswered, and a barred caller came in, because the same number was written otherwise.
#[test]
fn a_number_is_routed_barred_and_written_down_however_it_is_written() {
    let mut bench = Bench::new();
    bench.barred = Some("+498999000111");
    let written = |call_id: &str, uri: &str, from: &str| {
        let text = String::from_utf8(invite(call_id).bytes()).unwrap();
        let text = text.replace("INVITE sip:100@192.0.2.1", &format!("INVITE {uri}"));
        Message::parse(text.replace("<sip:555@192.0.2.10>;tag", &format!("{from};tag")).as_bytes()).unwrap()
    };
    let called =
        ["sip:100;npdi;rn=+4930000000@192.0.2.1", "sip:1%300@192.0.2.1", "sip:1-0-0@192.0.2.1", "tel:1(00);ext=7"];
    let callers =
        ["<tel:+49-8999-000111>", "<sip:+498999000111;isup-oli=0@192.0.2.10;user=phone>", "<sip:%2B498999000111@h>"];
    for (at, (uri, from)) in called.into_iter().zip(callers.into_iter().cycle()).enumerate() {
        let barred = written(&format!("barred-{at}"), uri, from);
        assert_eq!(words(&bench.on(|intake, around| intake.invite(barred, trunk(), around))), ["Unwanted", "603"]);
        // One digit more is another's.
        let taken = written(&format!("taken-{at}"), uri, &from.replace("000111", "0001112"));
        let cancel = String::from_utf8(taken.bytes()).unwrap().replace("INVITE", "CANCEL");
        let said = bench.on(|intake, around| intake.invite(taken, trunk(), around));
        let Some(Action::Admit { command, .. }) = said.into_iter().next() else { panic!("{uri} from {from}") };
        let Command::Admit(admit) = &*command else { panic!("an admission") };
        assert_eq!((admit.from.as_str(), admit.to.as_str()), ("+4989990001112", "100"));
        // And its CANCEL finds it.
        let Outcome::Admitted { call, .. } = bench.commit(ME, *command) else { panic!("it is admitted") };
        bench.actors.insert(call);
        let cancel = Message::parse(cancel.as_bytes()).unwrap();
        let said = bench.on(|intake, around| intake.cancel(cancel, trunk(), around));
        assert_eq!(words(&said), [format!("tell {} CANCEL", call.index())]);
        bench.actors.clear();
        bench.tick_after(Duration::from_secs(1));
    }
    for (at, uri) in ["sip:1000@h", "sip:+100@h", "sip:0100@h", "sip:10;0@h"].into_iter().enumerate() {
        let other = written(&format!("other-{at}"), uri, "<sip:555@192.0.2.10>");
        assert_eq!(words(&bench.on(|intake, around| intake.invite(other, trunk(), around))), ["404"], "{uri}");
    }
}

#[test]
fn what_waits_for_a_new_call_is_what_came_and_the_relay_of_its_trunks_site() {
    let mut bench = Bench::new();
    bench.door.site = "west".to_owned();
    bench.relay = Some(RelayId(4));
    bench.invites("a");
    assert_eq!(*bench.sites.borrow(), ["west"]);
    let call = bench.call_of(ME, "a");
    // The answer may come before the row is here.
    let admitted = Outcome::Admitted { call, owner: bench.shard.call(call).unwrap().owner };
    assert_eq!(words(&bench.on(|intake, around| intake.admit_answered(&key("a"), Some(&admitted), around))), [""; 0]);
    let pending = bench.intake.seat(&key("a")).expect("its actor needs it");
    assert_eq!((pending.invite.call_id(), pending.source, pending.relay), ("a", trunk(), RelayId(4)));
}

/// Whoever tries numbers out does not get round the rate by it, and who is barred is told so only if there is room.
#[test]
fn a_full_door_is_closed_to_all() {
    let mut bench = Bench::new();
    bench.door.max_calls_per_second = 1;
    let unknown = String::from_utf8(invite("a").bytes()).unwrap().replace("sip:100@", "sip:999@");
    let unknown = Message::parse(unknown.as_bytes()).unwrap();
    let said = ["404", "503"].map(|status| {
        let said = bench.on(|intake, around| intake.invite(unknown.clone(), trunk(), around));
        assert_eq!(words(&said).last().map(String::as_str), Some(status));
        said.len()
    });
    assert_eq!(said, [1, 2]);
    bench.barred = Some("555");
    assert_eq!(words(&bench.invites("b")), ["TurnedAway", "503"]);
    bench.barred = Some("556");
    bench.tick_after(Duration::from_secs(1));
    assert_eq!(words(&bench.invites("c")), ["admit"], "another caller is barred");
}

/// A node that was full refused a trunk for a second more, for what it had turned away itself.
#[test]
fn who_finds_the_node_full_takes_nothing_of_the_trunks_rate() {
    let mut bench = Bench::new();
    for at in 0..RATE {
        assert_eq!(words(&bench.invites(&format!("a{at}"))), ["admit"]);
    }
    bench.door = Door { trunk: TrunkId(2), max_calls_per_second: 1, ..bench.door };
    assert_eq!(words(&bench.invites("b")), ["TurnedAway", "503"], "the node's rate");
    bench.tick_after(Duration::from_millis(500));
    assert_eq!(words(&bench.invites("c")), ["admit"], "the node has room, and the trunk has sent nothing yet");
}

/// A trunk's rate is the cluster's: each node tells in its heartbeats whom it let in.
#[test]
fn heartbeats_say_how_many_came_in_over_each_trunk() {
    let mut bench = Bench::new();
    bench.door.max_calls_per_second = 2;
    for call in ["a", "b", "c"] {
        bench.invites(call);
    }
    bench.door = Door { trunk: TrunkId(2), ..bench.door };
    bench.invites("d");
    let told = |bench: &Bench| bench.intake.let_in(bench.now);
    assert_eq!(told(&bench), [(TrunkId(1), 2), (TrunkId(2), 1)], "who is turned away is not in");
    bench.tick_after(Duration::from_millis(1001));
    assert_eq!(told(&bench), [], "they are quiet");
    bench.invites("e");
    assert_eq!(told(&bench), [(TrunkId(2), 2)], "since the process began");
}

#[test]
fn what_others_let_in_over_a_trunk_is_taken_from_its_rate_here() {
    let mut bench = Bench::new();
    bench.door.max_calls_per_second = 3;
    let other = (NodeId(2), Incarnation(7));
    let hears = |bench: &mut Bench, count| bench.intake.others_let_in(other, &[(TrunkId(1), count)], bench.now);
    assert_eq!(words(&bench.invites("a")), ["admit"]);
    hears(&mut bench, 100);
    hears(&mut bench, 101);
    assert_eq!(words(&bench.invites("b")), ["admit"]);
    assert_eq!(words(&bench.invites("c")), ["TurnedAway", "503"], "one of three is the other's");
}

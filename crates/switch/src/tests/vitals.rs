use std::time::Duration;

use strowger_model::{Incarnation, LogTime, Mono, NodeId, Wall};
use strowger_table::{At, Body, Control, ControlCommand, Proposal, Proposer};

use crate::vitals::is_down;
use crate::{Vitals, join};

const VOTERS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
const ME: NodeId = NodeId(1);
const LIFE: Incarnation = Incarnation(1);

fn at(ms: u64) -> Mono {
    Mono::from_millis(ms)
}

fn vitals() -> Vitals {
    Vitals::new(ME, VOTERS.to_vec())
}

fn beat(vitals: &mut Vitals, now: Mono) -> u64 {
    vitals.beat(now).0
}

fn is_active(vitals: &mut Vitals, now: Mono) -> bool {
    vitals.active_until(&[7, 7], now).is_some()
}

/// Active at 1000 ms by an answer of node 2.
fn active() -> Vitals {
    let mut vitals = vitals();
    let number = beat(&mut vitals, at(1000));
    vitals.on_pulse(NodeId(2), number, vec![7, 7]);
    assert!(is_active(&mut vitals, at(1000)));
    vitals
}

/// Node 2 answers at that time, so that we stay active.
fn answered(vitals: &mut Vitals, now: Mono) {
    let number = beat(vitals, now);
    vitals.on_pulse(NodeId(2), number, vec![7, 7]);
    assert!(is_active(vitals, now));
}

struct Group {
    control: Control,
    index: u64,
}

impl Group {
    fn new() -> Self {
        let mut group = Self { control: Control::default(), index: 0 };
        group.commit(ControlCommand::Found { voters: VOTERS.to_vec(), shards: 1 });
        for node in VOTERS {
            group.commit(ControlCommand::Hello { node, incarnation: LIFE });
        }
        group
    }

    fn commit(&mut self, command: ControlCommand) {
        self.index += 1;
        let at = At { index: self.index, time: LogTime(self.index), wall: Wall(0) };
        let from = Proposer { node: ME, incarnation: LIFE };
        self.control.apply(at, &Proposal { from, seq: 0, body: Body::Control(command) });
    }
}

#[test]
fn starts_passive_and_wakes_on_a_majority() {
    let mut vitals = vitals();
    let number = beat(&mut vitals, at(1000));
    assert!(!is_active(&mut vitals, at(1010)));
    vitals.on_pulse(NodeId(2), number, vec![7, 7]);
    assert!(is_active(&mut vitals, at(1020)), "itself and one more");
    assert!(is_active(&mut vitals, at(1599)));
    assert!(!is_active(&mut vitals, at(1600)), "the beat is too old");
}

#[test]
fn leaves_passive_only_on_answers_to_newer_beats() {
    let mut vitals = active();
    let number = beat(&mut vitals, at(1100));
    assert!(!is_active(&mut vitals, at(1650)));
    vitals.on_pulse(NodeId(3), number, vec![7, 7]);
    assert!(!is_active(&mut vitals, at(1660)), "sent before it fell passive");
    let number = beat(&mut vitals, at(1670));
    vitals.on_pulse(NodeId(3), number, vec![7, 7]);
    assert!(is_active(&mut vitals, at(1680)));
}

#[test]
fn an_answer_to_a_forgotten_beat_is_no_sign_of_life() {
    let mut vitals = vitals();
    let first = beat(&mut vitals, at(1000));
    for _ in 0..16 {
        beat(&mut vitals, at(1000));
    }
    vitals.on_pulse(NodeId(2), first, vec![7, 7]);
    assert!(!is_active(&mut vitals, at(1010)));
}

#[test]
fn leaves_passive_only_when_it_has_caught_up_with_who_answered() {
    let mut vitals = vitals();
    let number = beat(&mut vitals, at(1000));
    vitals.on_pulse(NodeId(2), number, vec![7, 9]);
    assert!(!is_active(&mut vitals, at(1020)), "two entries of a shard are not applied here");
    let number = beat(&mut vitals, at(1100));
    vitals.on_pulse(NodeId(2), number, vec![7, 12]);
    assert!(vitals.active_until(&[7, 8], at(1120)).is_none());
    assert!(vitals.active_until(&[7, 9], at(1120)).is_some(), "what came since then may be on its way, as on any node");
}

/// Else a node comes back to life by the answer of one who is about to declare it dead.
#[test]
fn who_says_that_a_node_is_silent_answers_it_no_more() {
    let (mut vitals, group) = (active(), Group::new());
    assert!(vitals.on_beat(NodeId(3), LIFE, &group.control, at(1000)));
    (1500..=2000).step_by(500).for_each(|ms| answered(&mut vitals, at(ms)));
    answered(&mut vitals, at(2300));
    vitals.on_beat(NodeId(2), LIFE, &group.control, at(2300));
    let silent: Vec<_> = vitals.reports(&group.control, at(2300)).iter().map(|report| report.node).collect();
    assert_eq!(silent, [NodeId(3)]);
    assert!(!vitals.on_beat(NodeId(3), LIFE, &group.control, at(2310)), "the report is under way");
    vitals.reported(NodeId(3));
    assert!(vitals.on_beat(NodeId(3), LIFE, &group.control, at(2320)), "it was lost, and the node is heard");
}

/// Each time that it was passive it may have missed something.
#[test]
fn who_falls_passive_again_has_to_catch_up_again() {
    let mut vitals = active();
    assert!(!is_active(&mut vitals, at(1600)));
    let number = beat(&mut vitals, at(1700));
    vitals.on_pulse(NodeId(2), number, vec![7, 8]);
    assert!(vitals.active_until(&[7, 8], at(1710)).is_some());
    assert!(vitals.active_until(&[7, 8], at(2300)).is_none());
    let number = beat(&mut vitals, at(2400));
    vitals.on_pulse(NodeId(2), number, vec![7, 9]);
    assert!(vitals.active_until(&[7, 8], at(2410)).is_none(), "an entry of a shard is not applied here");
    assert!(vitals.active_until(&[7, 9], at(2420)).is_some());
}

#[test]
fn a_silent_node_is_reported_until_the_group_holds_it() {
    let (mut vitals, mut group) = (active(), Group::new());
    assert!(vitals.on_beat(NodeId(2), LIFE, &group.control, at(1000)));
    assert!(vitals.on_beat(NodeId(3), LIFE, &group.control, at(1000)));
    answered(&mut vitals, at(2200));
    vitals.on_beat(NodeId(2), LIFE, &group.control, at(2200));
    assert_eq!(vitals.reports(&group.control, at(2200)), [], "1.2 s are not over");
    let silent = ControlCommand::Silent { voter: ME, node: NodeId(3), incarnation: LIFE };
    let said = |vitals: &mut Vitals, group: &Group, now| -> Vec<ControlCommand> {
        vitals.reports(&group.control, now).into_iter().map(|report| report.command).collect()
    };
    assert_eq!(said(&mut vitals, &group, at(2201)), std::slice::from_ref(&silent));
    assert_eq!(said(&mut vitals, &group, at(2202)), [], "it is under way");
    vitals.reported(NodeId(3));
    assert_eq!(said(&mut vitals, &group, at(2203)), std::slice::from_ref(&silent), "it was lost, so it is said again");
    group.commit(silent);
    vitals.reported(NodeId(3));
    assert_eq!(said(&mut vitals, &group, at(2204)), [], "they agree");

    // It stands by its report until it is withdrawn.
    assert!(!vitals.on_beat(NodeId(3), LIFE, &group.control, at(2300)));
    let heard = ControlCommand::Heard { voter: ME, node: NodeId(3), incarnation: LIFE };
    assert_eq!(said(&mut vitals, &group, at(2310)), std::slice::from_ref(&heard));
    group.commit(heard);
    assert!(vitals.on_beat(NodeId(3), LIFE, &group.control, at(2320)));
}

/// Its last life was heard long ago; that is not its silence.
#[test]
fn a_node_that_begins_anew_has_its_time_from_then_on() {
    let (mut vitals, mut group) = (active(), Group::new());
    vitals.on_beat(NodeId(2), LIFE, &group.control, at(1000));
    vitals.on_beat(NodeId(3), LIFE, &group.control, at(1000));
    for voter in [ME, NodeId(2)] {
        group.commit(ControlCommand::Silent { voter, node: NodeId(3), incarnation: LIFE });
    }
    let said = |vitals: &mut Vitals, group: &Group, now| {
        answered(vitals, now);
        vitals.on_beat(NodeId(2), LIFE, &group.control, now);
        vitals.reports(&group.control, now).into_iter().map(|report| report.command).collect::<Vec<_>>()
    };
    assert_eq!(said(&mut vitals, &group, at(9000)), [], "it is down");
    group.commit(ControlCommand::Hello { node: NodeId(3), incarnation: Incarnation(2) });
    assert_eq!(said(&mut vitals, &group, at(9500)), [], "its first beat is on its way");
    assert_eq!(said(&mut vitals, &group, at(10_700)), []);
    let silent = ControlCommand::Silent { voter: ME, node: NodeId(3), incarnation: Incarnation(2) };
    assert_eq!(said(&mut vitals, &group, at(10_701)), [silent]);
}

#[test]
fn who_was_passive_itself_reports_nobody_before_it_has_listened() {
    let (mut vitals, group) = (active(), Group::new());
    vitals.on_beat(NodeId(2), LIFE, &group.control, at(1000));
    vitals.on_beat(NodeId(3), LIFE, &group.control, at(1000));
    // All links are gone for a minute; node 2 is found first.
    assert!(!is_active(&mut vitals, at(1700)));
    assert_eq!(vitals.reports(&group.control, at(60_000)), [], "a passive node reports nobody");
    answered(&mut vitals, at(61_000));
    vitals.on_beat(NodeId(2), LIFE, &group.control, at(61_000));
    assert_eq!(vitals.reports(&group.control, at(61_100)), [], "node 3 may be as well as we are");
    answered(&mut vitals, at(62_201));
    vitals.on_beat(NodeId(2), LIFE, &group.control, at(62_201));
    assert_eq!(vitals.reports(&group.control, at(62_201)).len(), 1);
}

#[test]
fn a_node_that_a_majority_reported_is_answered_no_more_and_fenced() {
    let (mut vitals, mut group) = (active(), Group::new());
    for voter in [NodeId(2), NodeId(3)] {
        assert!(!is_down(&group.control, ME, LIFE));
        group.commit(ControlCommand::Silent { voter, node: ME, incarnation: LIFE });
    }
    assert!(is_down(&group.control, ME, LIFE));
    assert!(!is_down(&group.control, ME, Incarnation(2)), "its next start is another");
    group.commit(ControlCommand::Silent { voter: NodeId(2), node: NodeId(3), incarnation: LIFE });
    assert!(vitals.on_beat(NodeId(3), LIFE, &group.control, at(1100)), "one report is none of ours");
    group.commit(ControlCommand::Silent { voter: ME, node: NodeId(3), incarnation: LIFE });
    assert!(!vitals.on_beat(NodeId(3), LIFE, &group.control, at(1100) + Duration::from_millis(1)));
}

#[test]
fn beats_go_to_the_other_voters() {
    let mut vitals = vitals();
    let (number, to) = vitals.beat(at(1));
    assert_eq!((number, to.collect::<Vec<_>>()), (1, vec![NodeId(2), NodeId(3)]));
}

#[test]
fn the_first_voter_founds_the_cluster_and_everybody_says_hello_until_it_is_known() {
    let mut group = Group { control: Control::default(), index: 0 };
    let next = |group: &Group, node, life| join(&group.control, node, life, &VOTERS, 2);
    let hello = |node, incarnation| Some(ControlCommand::Hello { node, incarnation });
    let found = ControlCommand::Found { voters: VOTERS.to_vec(), shards: 2 };
    assert_eq!(next(&group, ME, LIFE).as_ref(), Some(&found));
    assert_eq!(next(&group, NodeId(2), LIFE), hello(NodeId(2), LIFE));
    group.commit(ControlCommand::Hello { node: NodeId(2), incarnation: LIFE });
    assert_eq!(next(&group, NodeId(2), LIFE), hello(NodeId(2), LIFE), "nobody knows yet who votes");
    group.commit(found);
    assert_eq!(next(&group, NodeId(2), LIFE), None);
    assert_eq!(next(&group, ME, LIFE), hello(ME, LIFE));
    group.commit(ControlCommand::Hello { node: ME, incarnation: LIFE });
    assert_eq!(next(&group, ME, LIFE), None);
    assert_eq!(next(&group, ME, Incarnation(2)), hello(ME, Incarnation(2)), "another life of it");
}

#[test]
fn who_is_no_member_yet_is_not_answered() {
    let (mut vitals, mut group) = (active(), Group::new());
    let next = Incarnation(2);
    for voter in [ME, NodeId(3)] {
        group.commit(ControlCommand::Silent { voter, node: NodeId(2), incarnation: LIFE });
    }
    assert!(!vitals.on_beat(NodeId(2), next, &group.control, at(1100)), "nobody could report it");
    group.commit(ControlCommand::Hello { node: NodeId(2), incarnation: next });
    assert!(vitals.on_beat(NodeId(2), next, &group.control, at(1200)));
    assert!(!vitals.on_beat(NodeId(2), LIFE, &group.control, at(1300)), "an earlier life is over");
}

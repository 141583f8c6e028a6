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
    vitals.reported(NodeId(3), false);
    assert!(vitals.on_beat(NodeId(3), LIFE, &group.control, at(2320)), "it was lost, and the node is heard");
}

/// The outcome comes from the leader, and this node's own replica may be behind it: what it says of who is silent counts
/// already, and one more report declares that node dead.
#[test]
fn who_has_said_that_a_node_is_silent_does_not_answer_it_before_the_own_replica_knows() {
    let (mut vitals, mut group) = (active(), Group::new());
    assert!(vitals.on_beat(NodeId(3), LIFE, &group.control, at(1000)));
    (1500..=2000).step_by(500).for_each(|ms| answered(&mut vitals, at(ms)));
    answered(&mut vitals, at(2300));
    vitals.on_beat(NodeId(2), LIFE, &group.control, at(2300));
    let reports = vitals.reports(&group.control, at(2300));
    vitals.reported(NodeId(3), true);
    assert!(!vitals.on_beat(NodeId(3), LIFE, &group.control, at(2310)), "the entry is not applied here");
    assert_eq!(vitals.reports(&group.control, at(2320)), [], "and nothing is said against it");
    group.commit(reports[0].command.clone());
    let withdrawn = vitals.reports(&group.control, at(2330));
    assert_eq!(withdrawn.iter().map(|report| report.silent).collect::<Vec<_>>(), [false], "it is heard again");
    group.commit(withdrawn[0].command.clone());
    vitals.reported(NodeId(3), true);
    assert!(vitals.on_beat(NodeId(3), LIFE, &group.control, at(2340)));
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
    vitals.reported(NodeId(3), false);
    assert_eq!(said(&mut vitals, &group, at(2203)), std::slice::from_ref(&silent), "it was lost, so it is said again");
    group.commit(silent);
    vitals.reported(NodeId(3), true);
    assert_eq!(said(&mut vitals, &group, at(2204)), [], "they agree");

    // It stands by its report until it is withdrawn.
    assert!(!vitals.on_beat(NodeId(3), LIFE, &group.control, at(2300)));
    let heard = ControlCommand::Heard { voter: ME, node: NodeId(3), incarnation: LIFE };
    assert_eq!(said(&mut vitals, &group, at(2310)), std::slice::from_ref(&heard));
    group.commit(heard);
    assert!(vitals.on_beat(NodeId(3), LIFE, &group.control, at(2320)));
}

/// The disk of a node that died is blank when it comes back within the time of a report: it beats and never becomes a
/// member. Its beats kept the life alive whose calls it has lost, for ever.
#[test]
fn a_beat_of_another_life_is_no_sign_of_the_one_that_is_known() {
    for other in [Incarnation(2), Incarnation(0)] {
        let (mut vitals, group) = (active(), Group::new());
        for node in [NodeId(2), NodeId(3)] {
            assert!(vitals.on_beat(node, LIFE, &group.control, at(1000)));
        }
        for ms in (1100..=2200).step_by(100) {
            answered(&mut vitals, at(ms));
            vitals.on_beat(NodeId(2), LIFE, &group.control, at(ms));
            assert!(!vitals.on_beat(NodeId(3), other, &group.control, at(ms)), "it is no member");
            assert_eq!(vitals.reports(&group.control, at(ms)), [], "{ms}");
        }
        let reports = vitals.reports(&group.control, at(2201));
        let said: Vec<_> = reports.iter().map(|report| (report.node, report.incarnation, report.silent)).collect();
        assert_eq!(said, [(NodeId(3), LIFE, true)], "{other}");
    }
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

/// Answers may overtake one another: of those of a voter the one to the newest beat counts.
#[test]
fn an_answer_that_comes_late_takes_nothing_back() {
    let mut vitals = active();
    let (older, newer) = (beat(&mut vitals, at(1100)), beat(&mut vitals, at(1500)));
    assert_eq!(vitals.on_pulse(NodeId(2), newer, vec![7, 7]), Some(at(1500)), "when that beat was sent");
    assert_eq!(vitals.on_pulse(NodeId(2), older, vec![7, 7]), Some(at(1100)));
    assert_eq!(vitals.active_until(&[7, 7], at(1500)), Some(at(2100)));
    assert_eq!(vitals.on_pulse(NodeId(2), 99, vec![7, 7]), None, "a beat that was never sent");
}

#[test]
fn a_node_is_active_as_long_as_most_voters_have_answered_lately() {
    let mut vitals = Vitals::new(ME, (1..=5).map(NodeId).collect());
    let (first, second) = (beat(&mut vitals, at(1000)), beat(&mut vitals, at(1100)));
    let mut after = |voter, number| {
        vitals.on_pulse(NodeId(voter), number, vec![7, 7]);
        vitals.active_until(&[7, 7], at(1100))
    };
    assert_eq!(after(2, second), None, "two of five");
    assert_eq!(after(3, first), Some(at(1600)), "the oldest answer of the three");
    assert_eq!(after(4, second), Some(at(1700)), "three newer ones");
}

#[test]
fn who_does_not_vote_needs_most_voters_and_reports_nobody() {
    let mut vitals = Vitals::new(NodeId(9), VOTERS.to_vec());
    let (number, to) = vitals.beat(at(1000));
    assert_eq!(to.collect::<Vec<_>>(), VOTERS);
    for (voter, until) in [(8, None), (2, None), (3, Some(at(1600)))] {
        vitals.on_pulse(NodeId(voter), number, vec![7, 7]);
        assert_eq!(vitals.active_until(&[7, 7], at(1000)), until, "{voter}");
    }
    for ms in (1500..10_000).step_by(500) {
        let number = beat(&mut vitals, at(ms));
        for voter in VOTERS {
            vitals.on_pulse(voter, number, vec![7, 7]);
        }
        assert!(is_active(&mut vitals, at(ms)));
    }
    let group = Group::new();
    assert_eq!(vitals.reports(&group.control, at(8000)), []);
    assert_eq!(vitals.reports(&group.control, at(9500)), [], "it heard nobody, and nobody asks it");
}

/// What was applied elsewhere before it fell passive says nothing of what it missed since.
#[test]
fn it_catches_up_with_what_others_had_when_it_was_passive_already() {
    let mut vitals = active();
    let before = beat(&mut vitals, at(1100));
    assert!(!is_active(&mut vitals, at(1700)));
    vitals.on_pulse(NodeId(2), before, vec![7, 7]);
    let number = beat(&mut vitals, at(1800));
    vitals.on_pulse(NodeId(2), number, vec![7, 9]);
    assert_eq!(vitals.active_until(&[7, 8], at(1810)), None);
    assert_eq!(vitals.active_until(&[6, 9], at(1810)), None, "each group counts");
    vitals.on_pulse(NodeId(3), number, vec![7, 8]);
    assert!(vitals.active_until(&[7, 8], at(1820)).is_some(), "with one other voter, who has no more");
}

/// Reports are committed in the order in which they are made.
#[test]
fn of_a_node_one_report_is_under_way() {
    let (mut vitals, mut group) = (active(), Group::new());
    vitals.on_beat(NodeId(2), LIFE, &group.control, at(1000));
    (1500..=3000).step_by(500).for_each(|ms| answered(&mut vitals, at(ms)));
    vitals.on_beat(NodeId(2), LIFE, &group.control, at(3000));
    vitals.reports(&group.control, at(3000));
    answered(&mut vitals, at(4300));
    vitals.on_beat(NodeId(2), LIFE, &group.control, at(4300));
    let reports = vitals.reports(&group.control, at(4300));
    let [report] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((report.node, report.incarnation, report.silent), (NodeId(3), LIFE, true));
    group.commit(report.command.clone());
    vitals.on_beat(NodeId(3), LIFE, &group.control, at(4310));
    assert_eq!(vitals.reports(&group.control, at(4320)), [], "whether it is committed is not known");
    vitals.reported(NodeId(3), true);
    let reports = vitals.reports(&group.control, at(4330));
    let [report] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((report.node, report.silent), (NodeId(3), false));
    assert!(!vitals.on_beat(NodeId(3), LIFE, &group.control, at(4340)), "the group holds it to be silent still");
}

#[test]
fn a_life_that_another_has_followed_says_nothing_more() {
    let mut group = Group::new();
    group.commit(ControlCommand::Hello { node: NodeId(2), incarnation: Incarnation(2) });
    assert_eq!(join(&group.control, NodeId(2), LIFE, &VOTERS, 1), None);
}

/// The others have declared it dead: what it beats is not answered, though this voter said nothing of it.
#[test]
fn a_node_that_is_dead_or_unknown_is_neither_answered_nor_reported() {
    let (mut vitals, mut group) = (active(), Group::new());
    for voter in [NodeId(2), NodeId(3)] {
        group.commit(ControlCommand::Silent { voter, node: NodeId(3), incarnation: LIFE });
    }
    assert!(is_down(&group.control, NodeId(3), LIFE) && !is_down(&group.control, NodeId(9), LIFE));
    assert!(!vitals.on_beat(NodeId(3), LIFE, &group.control, at(1000)));
    assert!(!vitals.on_beat(NodeId(9), LIFE, &group.control, at(1000)), "a stranger");
    for ms in [1000, 1500, 2000, 2500] {
        answered(&mut vitals, at(ms));
        vitals.on_beat(NodeId(2), LIFE, &group.control, at(ms));
        assert_eq!(vitals.reports(&group.control, at(ms)), []);
    }
}

/// Who looks and beats in the same instant is not behind.
#[test]
fn a_beat_of_the_instant_in_which_it_fell_passive_counts() {
    let mut vitals = active();
    assert!(!is_active(&mut vitals, at(1700)));
    let number = beat(&mut vitals, at(1700));
    vitals.on_pulse(NodeId(2), number, vec![7, 7]);
    assert!(is_active(&mut vitals, at(1710)));
}

#[test]
fn sixteen_beats_are_remembered() {
    let mut vitals = vitals();
    let first = beat(&mut vitals, at(1000));
    for _ in 0..15 {
        beat(&mut vitals, at(1000));
    }
    assert_eq!(vitals.on_pulse(NodeId(2), first, vec![7, 7]), Some(at(1000)));
    beat(&mut vitals, at(1000));
    assert_eq!(vitals.on_pulse(NodeId(2), first, vec![7, 7]), None);
}

//! Who is alive. Every node beats to every voter; a node that a majority of voters has not answered lately is
//! *passive*: it starts nothing and answers nothing, media goes on. A voter that hears nothing from a node says so in
//! the control group; a majority of such reports is a decision.
//!
//! Both spans are measured on the waiting side's own clock. 0.6 s on a clock at 0.7 of true speed is still less than
//! 1.2 s on one at 1.3: a node falls silent before anybody may act in its place.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strowger_link::{Class, open, seal};
use strowger_model::{GroupId, Incarnation, Mono, NodeId, PeerId};
use strowger_table::ControlCommand;

use crate::context::Context;
use crate::wire::{Beat, Pulse};

const BEAT: Duration = Duration::from_millis(100);
const PASSIVE_AFTER: Duration = Duration::from_millis(600);
const SILENT_AFTER: Duration = Duration::from_millis(1200);
/// Beats whose time of sending is remembered; answers come within `PASSIVE_AFTER` or are worth nothing.
const REMEMBERED: usize = 16;
const REPORT: Duration = Duration::from_secs(2);
/// How a process ends that the cluster has declared dead: its supervisor starts it again with a new incarnation.
const EXIT_FENCED: i32 = 75;

/// What this node knows of the others' pulses.
pub(crate) struct Vitals {
    sent: VecDeque<(u64, Mono)>,
    /// By voter: when the newest beat it answered was sent.
    answered: BTreeMap<NodeId, Mono>,
    /// By node: its newest beat, as this voter heard it.
    heard: BTreeMap<NodeId, (Incarnation, Mono)>,
    passive_since: Option<Mono>,
    /// By voter: what it had applied of each group when it first answered a beat sent since this node is passive. Who
    /// has not caught up with that knows neither all calls nor the configuration.
    goals: BTreeMap<NodeId, Vec<u64>>,
}

pub(crate) type Shared = Arc<Mutex<Vitals>>;

impl Vitals {
    pub fn shared() -> Shared {
        Arc::new(Mutex::new(Self {
            sent: VecDeque::new(),
            answered: BTreeMap::new(),
            heard: BTreeMap::new(),
            // A node starts passive: it has been answered by nobody yet.
            passive_since: Some(Mono::ZERO),
            goals: BTreeMap::new(),
        }))
    }

    fn on_pulse(&mut self, voter: NodeId, number: u64, applied: Vec<u64>) {
        let sent = self.sent.iter().find(|(beat, _)| *beat == number).map(|(_, sent)| *sent);
        if let Some(sent) = sent {
            let newest = self.answered.entry(voter).or_insert(sent);
            *newest = (*newest).max(sent);
            if self.passive_since.is_some_and(|since| sent >= since) {
                self.goals.entry(voter).or_insert(applied);
            }
        }
    }

    /// Until when this node is active: as long as a majority of the voters has answered beats sent lately; once
    /// passive, only beats sent since then count, of voters it has caught up with. None while it is passive.
    fn active_until(&mut self, me: NodeId, voters: &[NodeId], applied: &[u64], now: Mono) -> Option<Mono> {
        let since = self.passive_since;
        let caught_up = |voter| {
            self.goals.get(voter).is_some_and(|goal| goal.iter().zip(applied).all(|(goal, applied)| applied >= goal))
        };
        let counts = |voter, sent: &Mono| since.is_none_or(|since| *sent >= since && caught_up(voter));
        let heard = |voter| self.answered.get(voter).copied().filter(|sent| counts(voter, sent));
        let mut sent: Vec<Mono> =
            voters.iter().filter_map(|voter| if *voter == me { Some(now) } else { heard(voter) }).collect();
        sent.sort_unstable_by(|a, b| b.cmp(a));
        // The oldest of the majority's newest beats is the one that runs out first.
        let until = sent.get(voters.len() / 2).map(|sent| *sent + PASSIVE_AFTER).filter(|until| *until > now);
        match (until, self.passive_since) {
            (Some(_), _) => self.passive_since = None,
            (None, None) => {
                self.passive_since = Some(now);
                self.goals.clear();
            }
            (None, Some(_)) => {}
        }
        until
    }
}

fn lock(vitals: &Shared) -> std::sync::MutexGuard<'_, Vitals> {
    vitals.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A beat of another node: answered, unless this voter stands by its report that the node is silent.
pub(crate) fn on_beat(context: &Context, vitals: &Shared, from: NodeId, body: &[u8]) {
    if let Ok(pulse) = open::<Pulse>(body) {
        return lock(vitals).on_pulse(from, pulse.number, pulse.applied);
    }
    let Ok(beat) = open::<Beat>(body) else { return };
    lock(vitals).heard.insert(from, (beat.incarnation, context.now()));
    let view = context.groups.view(GroupId::CONTROL);
    let Some(control) = view.machine.control() else { return };
    let is_down = control.node(from).is_some_and(|node| node.down && node.incarnation == beat.incarnation);
    if is_down || control.is_silent(from, beat.incarnation, context.me) {
        return;
    }
    // A lost pulse is made good by the next.
    let pulse = Pulse { number: beat.number, applied: applied(context) };
    let _lost = context.link.cast(PeerId::Node(from), Class::Heartbeat, seal(&pulse));
}

/// How far this node is in each group.
fn applied(context: &Context) -> Vec<u64> {
    let groups = std::iter::once(GroupId::CONTROL).chain(context.shards().map(|shard| shard.group()));
    groups.map(|group| context.groups.view(group).applied).collect()
}

/// Beats, watches, and switches between active and passive.
pub(crate) async fn run(context: Arc<Context>, vitals: Shared, voters: Vec<NodeId>) {
    let mut number = 0;
    let mut was_active = false;
    let mut every = tokio::time::interval(BEAT);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut reported: BTreeMap<NodeId, (Incarnation, bool)> = BTreeMap::new();
    loop {
        every.tick().await;
        let now = context.now();
        number += 1;
        beat(&context, &vitals, &voters, number, now);
        let until = lock(&vitals).active_until(context.me, &voters, &applied(&context), now);
        if was_active != until.is_some() {
            was_active = until.is_some();
            tracing::info!("this node is {}", if was_active { "active" } else { "passive" });
        }
        context.edge.set_active_until(until.unwrap_or_default());
        end_if_fenced(&context);
        report(&context, &vitals, &voters, &mut reported, now);
    }
}

fn beat(context: &Context, vitals: &Shared, voters: &[NodeId], number: u64, now: Mono) {
    let mut vitals = lock(vitals);
    vitals.sent.push_back((number, now));
    if vitals.sent.len() > REMEMBERED {
        vitals.sent.pop_front();
    }
    drop(vitals);
    let body = bytes::Bytes::from(seal(&Beat { incarnation: context.incarnation(), number }));
    for voter in voters.iter().filter(|voter| **voter != context.me) {
        // Not connected: the voter will report us, and rightly.
        let _unheard = context.link.cast(PeerId::Node(*voter), Class::Heartbeat, body.clone());
    }
}

/// The cluster has given this incarnation's calls to others: nothing here may go on.
fn end_if_fenced(context: &Context) {
    let view = context.groups.view(GroupId::CONTROL);
    let down = view.machine.control().and_then(|control| control.node(context.me));
    if down.is_some_and(|node| node.down && node.incarnation == context.incarnation()) {
        tracing::error!(
            "the cluster has declared this process dead and given its calls to others; it ends so that it can be \
             started again"
        );
        std::process::exit(EXIT_FENCED);
    }
}

fn report(
    context: &Arc<Context>,
    vitals: &Shared,
    voters: &[NodeId],
    reported: &mut BTreeMap<NodeId, (Incarnation, bool)>,
    now: Mono,
) {
    if !voters.contains(&context.me) || context.edge.is_passive() {
        return;
    }
    let view = context.groups.view(GroupId::CONTROL);
    let Some(control) = view.machine.control() else { return };
    for (node, state) in control.nodes().filter(|(node, state)| *node != context.me && !state.down) {
        let heard = {
            let mut vitals = lock(vitals);
            // A node that was never heard counts from when this voter began to listen.
            let entry = vitals.heard.entry(node).or_insert((state.incarnation, now));
            if entry.0 != state.incarnation && entry.0 < state.incarnation {
                *entry = (state.incarnation, now);
            }
            *entry
        };
        let silent = now.since(heard.1) > SILENT_AFTER;
        if reported.get(&node).copied().unwrap_or((state.incarnation, false)) == (state.incarnation, silent) {
            continue;
        }
        reported.insert(node, (state.incarnation, silent));
        let (voter, incarnation) = (context.me, state.incarnation);
        let command = match silent {
            true => ControlCommand::Silent { voter, node, incarnation },
            false => ControlCommand::Heard { voter, node, incarnation },
        };
        tracing::info!(%node, %incarnation, silent, "reporting");
        let context = context.clone();
        tokio::spawn(async move {
            if let Err(fault) = context.control(command, REPORT).await {
                tracing::warn!(%fault, "a report was not committed");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOTERS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
    const ME: NodeId = NodeId(1);

    fn vitals_with_beat(number: u64, at: Mono) -> Vitals {
        let shared = Vitals::shared();
        let mut vitals = Arc::into_inner(shared).unwrap().into_inner().unwrap();
        vitals.sent.push_back((number, at));
        vitals
    }

    fn active(vitals: &mut Vitals, now: Mono) -> bool {
        vitals.active_until(ME, &VOTERS, &[7, 7], now).is_some()
    }

    #[test]
    fn starts_passive_and_wakes_on_a_majority() {
        let mut vitals = vitals_with_beat(1, Mono::from_millis(1000));
        assert!(!active(&mut vitals, Mono::from_millis(1010)));
        vitals.on_pulse(NodeId(2), 1, vec![7, 7]);
        assert!(active(&mut vitals, Mono::from_millis(1020)), "itself and one more");
        assert!(!active(&mut vitals, Mono::from_millis(1600)), "the beat is too old");
    }

    #[test]
    fn leaves_passive_only_on_answers_to_newer_beats() {
        let mut vitals = vitals_with_beat(1, Mono::from_millis(1000));
        vitals.on_pulse(NodeId(2), 1, vec![7, 7]);
        assert!(active(&mut vitals, Mono::from_millis(1020)));
        vitals.sent.push_back((2, Mono::from_millis(1100)));
        assert!(!active(&mut vitals, Mono::from_millis(1650)));
        vitals.on_pulse(NodeId(3), 2, vec![7, 7]);
        assert!(!active(&mut vitals, Mono::from_millis(1660)), "sent before it fell passive");
        vitals.sent.push_back((3, Mono::from_millis(1670)));
        vitals.on_pulse(NodeId(3), 3, vec![7, 7]);
        assert!(active(&mut vitals, Mono::from_millis(1680)));
    }

    #[test]
    fn an_answer_to_a_forgotten_beat_is_no_sign_of_life() {
        let mut vitals = vitals_with_beat(5, Mono::from_millis(1000));
        vitals.on_pulse(NodeId(2), 4, vec![7, 7]);
        assert!(!active(&mut vitals, Mono::from_millis(1010)));
    }

    #[test]
    fn leaves_passive_only_when_it_has_caught_up_with_who_answered() {
        let mut vitals = vitals_with_beat(1, Mono::from_millis(1000));
        vitals.on_pulse(NodeId(2), 1, vec![7, 9]);
        assert!(!active(&mut vitals, Mono::from_millis(1020)), "two entries of a shard are not applied here");
        vitals.sent.push_back((2, Mono::from_millis(1100)));
        vitals.on_pulse(NodeId(2), 2, vec![7, 12]);
        let mut active_with = |applied: &[u64]| vitals.active_until(ME, &VOTERS, applied, Mono::from_millis(1120));
        assert!(active_with(&[7, 8]).is_none());
        assert!(active_with(&[7, 9]).is_some(), "what came since then may be on its way, as on any node");
    }
}

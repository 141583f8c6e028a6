//! Runs the switch's heartbeats: beats and pulses over the link, reports in the control group. And how this process
//! becomes a member.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use strowger_link::{Class, open, seal};
use strowger_model::{GroupId, LogTime, Mono, NodeId, PeerId};
use strowger_switch::{BEAT, JOIN, JOIN_AGAIN, REPORT, Report, Vitals, is_down};

use crate::context::Context;
use crate::intake::Intake;
use crate::node::Node;
use crate::wire::{Ends, Heartbeat, HeartbeatAck};

/// How a process ends that the cluster has declared dead: its supervisor starts it again with a new incarnation.
const EXIT_FENCED: i32 = 75;

pub(crate) type Shared = Arc<Mutex<Vitals>>;

fn lock(vitals: &Shared) -> std::sync::MutexGuard<'_, Vitals> {
    vitals.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says what the switch says, until this process is known to a cluster that is founded.
pub(crate) async fn join(context: Arc<Context>, voters: Vec<NodeId>, shards: u16) {
    loop {
        // Before the look, so that no change falls between.
        let changed = context.control_news();
        let view = context.groups.view(GroupId::CONTROL);
        let Some(control) = view.machine.control() else { return };
        let Some(command) = strowger_switch::join(control, context.me, context.incarnation(), &voters, shards) else {
            return;
        };
        match context.control(command, JOIN).await {
            // It is applied here soon.
            Ok(_) => changed.await,
            // Nobody tells that it would be taken now.
            Err(fault) => {
                tracing::debug!(%fault, "not yet a member");
                tokio::time::sleep(JOIN_AGAIN).await;
            }
        }
    }
}

/// A beat of another node, that it ends, or a voter's answer to a beat of ours.
pub(crate) fn on_beat(node: &Node, from: NodeId, body: &[u8]) {
    let (context, vitals) = (&node.context, &node.vitals);
    if let Ok(pulse) = open::<HeartbeatAck>(body) {
        let asked = lock(vitals).on_pulse(from, pulse.number, pulse.applied);
        let told =
            |asked| pulse.led.iter().for_each(|(group, time)| context.groups.told_time(*group, from, *time, asked));
        return asked.into_iter().for_each(told);
    }
    if let Ok(Ends { incarnation }) = open(body) {
        return context.ending.leaves(from, incarnation);
    }
    let Ok(beat) = open::<Heartbeat>(body) else { return };
    node.intake.others_let_in((from, beat.incarnation), &beat.let_in);
    let view = context.groups.view(GroupId::CONTROL);
    let Some(control) = view.machine.control() else { return };
    if lock(vitals).on_beat(from, beat.incarnation, control, context.now()) {
        // A lost pulse is made good by the next.
        let pulse = HeartbeatAck { number: beat.number, applied: applied(context), led: led(context) };
        let _lost = context.link.cast(PeerId::Node(from), Class::Heartbeat, seal(&pulse));
    }
}

/// How far this node is in each group.
fn applied(context: &Context) -> Vec<u64> {
    groups(context).map(|group| context.groups.view(group).applied).collect()
}

/// What time it is in the groups that this node leads.
fn led(context: &Context) -> Vec<(GroupId, LogTime)> {
    groups(context).filter_map(|group| Some((group, context.groups.led_time(group)?))).collect()
}

fn groups(context: &Context) -> impl Iterator<Item = GroupId> {
    std::iter::once(GroupId::CONTROL).chain(context.shards().map(|shard| shard.group()))
}

/// Beats, watches, and switches between active and passive.
pub(crate) async fn run(context: Arc<Context>, vitals: Shared, intake: Arc<Intake>) {
    let mut was_active = false;
    let mut active_until = Mono::ZERO;
    let mut every = tokio::time::interval(BEAT);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        every.tick().await;
        beat(&context, &vitals, &intake);
        // It answers itself.
        led(&context)
            .into_iter()
            .for_each(|(group, time)| context.groups.told_time(group, context.me, time, context.now()));
        let until = lock(&vitals).active_until(&applied(&context), context.now());
        if was_active != until.is_some() {
            was_active = until.is_some();
            tracing::info!("this node is {}", if was_active { "active" } else { "passive" });
        }
        context.edge.set_active_until(until.unwrap_or_default());
        // Whoever looked while this node was passive looks again.
        let was_passive = context.now() >= std::mem::replace(&mut active_until, until.unwrap_or_default());
        if was_passive && until.is_some() {
            context.tell_all_shards(|_| {});
        }
        let view = context.groups.view(GroupId::CONTROL);
        let Some(control) = view.machine.control() else { continue };
        if is_down(control, context.me, context.incarnation()) {
            end_fenced();
        }
        let reports = lock(&vitals).reports(control, context.now());
        for report in reports {
            context.spawn(say(context.clone(), vitals.clone(), report));
        }
    }
}

fn beat(context: &Context, vitals: &Shared, intake: &Intake) {
    let let_in = intake.let_in();
    let mut vitals = lock(vitals);
    let (number, voters) = vitals.beat(context.now());
    let incarnation = context.incarnation();
    let body = Bytes::from(seal(&Heartbeat { incarnation, number, let_in }));
    let ends = context.is_stopping().then(|| Bytes::from(seal(&Ends { incarnation })));
    for voter in voters {
        for body in ends.iter().chain([&body]) {
            // Not connected: the voter will report us, and rightly.
            let _unheard = context.link.cast(PeerId::Node(voter), Class::Heartbeat, body.clone());
        }
    }
}

/// The cluster has given this incarnation's calls to others: nothing here may go on.
fn end_fenced() -> ! {
    tracing::error!(
        "the cluster has declared this process dead and given its calls to others; it ends so that it can be started \
         again"
    );
    std::process::exit(EXIT_FENCED);
}

async fn say(context: Arc<Context>, vitals: Shared, report: Report) {
    let Report { node, incarnation, silent, command } = report;
    tracing::info!(%node, %incarnation, silent, "reporting");
    let said = context.control(command, REPORT).await;
    if let Err(fault) = &said {
        tracing::warn!(%fault, %node, "a report was not committed; it is made again while it is true");
    }
    lock(&vitals).reported(node, said.is_ok());
}

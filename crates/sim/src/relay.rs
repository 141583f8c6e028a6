//! A relay as nodes see it: ports, what legs hear, digits, epochs. It carries no media.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use strowger_media::{
    Closed, Fence, Hearing, Hears, Journal, LegSnapshot, Op, Refusal, RelayAnswer, RelayCommand, RelayEvent, Verdict,
    What,
};
use strowger_model::{CallId, Incarnation, LegKey, LegNo, Mono, RelayId};

use crate::plant::Plant;
use crate::tenant::prompt_ms;

/// A call that nobody commanded for so long, and that has no media, is closed. The product's relay waits longer;
/// it has media to look at.
pub(crate) const ORPHAN: Duration = Duration::from_secs(90);
const FIRST_PORT: u16 = 10_000;
/// Who should be heard, and is not for so long, is said to be silent: as the product's relay has it if nothing is set.
pub(crate) const DEAD_MEDIA: Duration = Duration::from_secs(10);

/// A play that will end by itself, unless something else is heard before.
pub(crate) struct Play {
    pub leg: LegKey,
    pub over: Mono,
}

/// An event for whoever commands the leg now.
pub(crate) struct Report {
    pub relay: RelayId,
    pub node: usize,
    pub event: RelayEvent,
}

/// What orders come to beside their answers.
#[derive(Default)]
pub(crate) struct Effects {
    pub plays: Vec<Play>,
    pub reports: Vec<Report>,
}

/// Whom a relay obeys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obeys {
    /// Of each leg the newest owner.
    Owners,
    /// Whoever owns the newest of the rows in which legs of one birth call stand.
    OneOwner,
    Anybody,
}

impl Obeys {
    pub fn of(plant: Option<Plant>) -> Self {
        match plant {
            Some(Plant::OneOwner) => Obeys::OneOwner,
            Some(Plant::RelayUnfenced) => Obeys::Anybody,
            _ => Obeys::Owners,
        }
    }
}

pub(crate) struct Relay {
    id: usize,
    /// Which start of it this is.
    pub life: Incarnation,
    calls: BTreeMap<CallId, Held>,
    /// Calls that it closed by itself.
    ended: BTreeMap<CallId, Closed>,
    ports: BTreeMap<u16, (CallId, LegNo)>,
    next_port: u16,
    obeys: Obeys,
    /// It has no port to give away.
    pub full: bool,
    /// How much later than others it does what it is told.
    pub slow: Duration,
    /// Its process ended, and nobody begins it again.
    pub is_dead: bool,
}

struct Held {
    commanded: Mono,
    legs: BTreeMap<LegNo, Port>,
    gone: BTreeMap<LegNo, Closed>,
}

/// A leg's port, what its far end hears and where its voice is sent.
struct Port {
    port: u16,
    fence: Fence<usize>,
    journal: Journal,
    hearing: Hearing,
    /// Whether something is due from its far end; none before its owner said where that is.
    receives: Option<bool>,
    /// Since when nothing has come of what is due, and whether that was said.
    silent: Option<(Mono, bool)>,
    /// When what plays is over.
    over: Option<Mono>,
    exports: Vec<RelayId>,
}

impl Relay {
    pub fn new(id: usize, obeys: Obeys) -> Self {
        Self {
            id,
            life: Incarnation(1),
            calls: BTreeMap::new(),
            ended: BTreeMap::new(),
            ports: BTreeMap::new(),
            next_port: FIRST_PORT,
            obeys,
            full: false,
            slow: Duration::ZERO,
            is_dead: false,
        }
    }

    /// Its process ends and begins again: it knows nothing any more. Ports are other ones, so that nobody takes what
    /// comes late for something new.
    pub fn restart(&mut self) {
        let (life, next_port) = (Incarnation(self.life.0 + 1), self.next_port);
        *self = Self { life, next_port, ..Self::new(self.id, self.obeys) };
    }

    pub fn die(&mut self) {
        *self = Self { life: self.life, is_dead: true, ..Self::new(self.id, self.obeys) };
    }

    pub fn has_begun_anew(&self) -> bool {
        self.life > Incarnation(1)
    }

    /// Whatever was wrong is mended.
    pub fn recover(&mut self) {
        (self.full, self.slow) = (false, Duration::ZERO);
    }

    /// Legs that have a port here.
    pub fn open_legs(&self) -> impl Iterator<Item = LegKey> {
        self.calls.iter().flat_map(|(call, held)| held.legs.keys().map(|leg| LegKey { call: *call, leg: *leg }))
    }

    /// What that leg's far end hears here.
    pub fn hears(&self, leg: LegKey) -> Option<&Hears> {
        Some(self.calls.get(&leg.call)?.legs.get(&leg.leg)?.hearing.what())
    }

    /// Whether that leg's voice is sent to another relay.
    pub fn sends_to(&self, leg: LegKey, relay: RelayId) -> bool {
        let held = self.calls.get(&leg.call).and_then(|held| held.legs.get(&leg.leg));
        held.is_some_and(|port| port.exports.contains(&relay))
    }

    pub fn perform(&mut self, node: usize, order: &RelayCommand, now: Mono, effects: &mut Effects) -> RelayAnswer {
        self.judge(node, order, now, effects).unwrap_or_else(RelayAnswer::refused)
    }

    fn judge(
        &mut self,
        node: usize,
        order: &RelayCommand,
        now: Mono,
        effects: &mut Effects,
    ) -> Result<RelayAnswer, Refusal> {
        let opens = matches!(order.op, Op::Open { .. });
        if self.ended.get(&order.call).is_some_and(|ended| !(opens && ended.opens_again(order.epoch, now))) {
            let late = matches!(order.op, Op::CloseLeg { .. } | Op::Ack { .. });
            return if late { Ok(RelayAnswer::Done) } else { Err(Refusal::Ended) };
        }
        self.ended.remove(&order.call);
        let obeys = self.obeys;
        let held = self.hold(order, opens, now).ok_or(Refusal::NoSuchCall)?;
        held.judge(node, order, obeys)?;
        held.commanded = now;
        match &order.op {
            Op::Open { .. } if self.full => Err(Refusal::NoPorts),
            Op::Open { leg } => self.open(order.call, *leg, Fence::new(order.epoch, node), now),
            _ => self.obey(order, now, effects),
        }
    }

    pub fn on_play_over(&mut self, play: &Play) -> Option<Report> {
        let held = self.calls.get_mut(&play.leg.call)?;
        let leg = held.legs.get_mut(&play.leg.leg)?;
        leg.over.take_if(|over| *over == play.over)?;
        let play_no = leg.hearing.finish()?;
        Some(leg.report(self.id, play.leg, What::PlayDone { play: play_no }))
    }

    /// A key pressed by whoever sends media to that port.
    pub fn on_digit(&mut self, port: u16, digit: char) -> Option<Report> {
        let (call, leg) = *self.ports.get(&port)?;
        let held = self.calls.get_mut(&call)?;
        let digit = What::Digit { digit: u8::try_from(digit).ok()? };
        Some(held.legs.get_mut(&leg)?.report(self.id, LegKey { call, leg }, digit))
    }

    /// Whether something is due from a leg's far end; none: nobody said where that is.
    pub fn receives(&self, leg: LegKey) -> Option<bool> {
        self.calls.get(&leg.call)?.legs.get(&leg.leg)?.receives
    }

    /// Listens to all: who is silent for too long is said to be, once. `is_mute`: nothing comes of a far end any more.
    pub fn listen(&mut self, is_mute: impl Fn(LegKey) -> bool, now: Mono) -> Vec<Report> {
        let mut reports = Vec::new();
        for (call, held) in &mut self.calls {
            for (leg, port) in &mut held.legs {
                let leg = LegKey { call: *call, leg: *leg };
                if port.receives != Some(true) || !is_mute(leg) {
                    port.silent = None;
                    continue;
                }
                let (since, said) = port.silent.unwrap_or((now, false));
                let silent = now.since(since);
                port.silent = Some((since, said || silent >= DEAD_MEDIA));
                if silent >= DEAD_MEDIA && !said {
                    let since_ms = silent.as_millis() as u64;
                    reports.push(port.report(self.id, leg, What::DeadMedia { since_ms }));
                }
            }
        }
        reports
    }

    pub fn close_orphans(&mut self, now: Mono) {
        let orphans: Vec<CallId> =
            self.calls.iter().filter(|(_, held)| now.since(held.commanded) >= ORPHAN).map(|(id, _)| *id).collect();
        for id in orphans {
            self.close(id, now);
        }
    }

    fn hold(&mut self, order: &RelayCommand, opens: bool, now: Mono) -> Option<&mut Held> {
        if opens {
            let fresh = || Held { commanded: now, legs: BTreeMap::new(), gone: BTreeMap::new() };
            return Some(self.calls.entry(order.call).or_insert_with(fresh));
        }
        self.calls.get_mut(&order.call)
    }

    fn open(&mut self, call: CallId, no: LegNo, fence: Fence<usize>, now: Mono) -> Result<RelayAnswer, Refusal> {
        let held = self.calls.get_mut(&call).ok_or(Refusal::NoSuchCall)?;
        if held.gone.get(&no).is_some_and(|closed| !closed.opens_again(fence.epoch(), now)) {
            return Err(Refusal::Ended);
        }
        held.gone.remove(&no);
        let next = self.next_port;
        let port = held.legs.entry(no).or_insert_with(|| Port::new(next, fence)).port;
        if port == next {
            self.next_port += 2;
            self.ports.insert(port, (call, no));
        }
        let rtp = addr(self.id, port);
        Ok(RelayAnswer::Opened { rtp, rtcp: rtp })
    }

    fn close(&mut self, call: CallId, now: Mono) {
        if let Some(held) = self.calls.remove(&call) {
            for leg in held.legs.values() {
                self.ports.remove(&leg.port);
            }
            let open = held.legs.values().map(|port| port.fence.epoch());
            let epoch = open.chain(held.gone.values().map(Closed::epoch)).max().unwrap_or_default();
            self.ended.insert(call, Closed::new(epoch, now));
        }
    }

    fn obey(&mut self, order: &RelayCommand, now: Mono, effects: &mut Effects) -> Result<RelayAnswer, Refusal> {
        let (id, call) = (self.id, order.call);
        let held = self.calls.get_mut(&call).ok_or(Refusal::NoSuchCall)?;
        match &order.op {
            Op::Hear { leg, what, no } => held.hear(id, LegKey { call, leg: *leg }, what, *no, now, effects)?,
            Op::Export { leg, to } => held.port(*leg)?.exports.clone_from(to),
            Op::Remote { leg, receive, .. } => held.port(*leg)?.receives = Some(*receive),
            Op::CloseLeg { leg } => {
                if !held.gone.contains_key(leg) {
                    held.gone.insert(*leg, Closed::new(order.epoch, now));
                    let port = held.legs.remove(leg).map(|gone| gone.port);
                    port.map(|port| self.ports.remove(&port));
                }
            }
            Op::Adopt { leg } => {
                let port = held.port(*leg)?;
                let missed = port.journal.missed();
                return Ok(RelayAnswer::Snapshot { leg: Box::new(port.snapshot(id, *leg)), missed });
            }
            Op::Ack { leg, seq } => held.port(*leg)?.journal.acknowledge(*seq),
            Op::Open { .. } => {}
        }
        Ok(RelayAnswer::Done)
    }
}

/// Which relay has an address.
pub(crate) fn relay_of(rtp: SocketAddr) -> Option<usize> {
    match rtp {
        SocketAddr::V4(v4) if v4.ip().octets()[..3] == [10, 9, 0] => Some(usize::from(v4.ip().octets()[3])),
        _ => None,
    }
}

fn addr(relay: usize, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 9, 0, relay as u8], port))
}

impl Port {
    fn new(port: u16, fence: Fence<usize>) -> Self {
        let (journal, hearing) = (Journal::default(), Hearing::default());
        Self { port, fence, journal, hearing, receives: None, silent: None, over: None, exports: Vec::new() }
    }

    fn report(&mut self, relay: usize, leg: LegKey, what: What) -> Report {
        let (event, _) = self.journal.add(leg, what);
        Report { relay: RelayId(relay as u16), node: self.fence.owner(), event }
    }

    /// What adopters look at; of media there is none.
    fn snapshot(&self, relay: usize, leg: LegNo) -> LegSnapshot {
        LegSnapshot {
            leg,
            local: addr(relay, self.port),
            remote: None,
            latched: None,
            send: true,
            receive: self.receives.unwrap_or(true),
            hears: self.hearing.what().clone(),
            no: self.hearing.no(),
            play: self.hearing.play(),
            exports: self.exports.clone(),
            dead: self.silent.is_some_and(|(_, said)| said),
            packets_in: 0,
            packets_out: 0,
            quiet_ms: None,
        }
    }
}

impl Held {
    fn judge(&mut self, node: usize, order: &RelayCommand, obeys: Obeys) -> Result<(), Refusal> {
        let newest = self.legs.values().map(|port| port.fence.epoch()).max().unwrap_or_default();
        let port = self.legs.get_mut(&order.op.leg());
        let judged = port.map_or(Ok(()), |port| port.fence.judge(node, order.epoch, &order.op));
        match obeys {
            Obeys::Owners => judged,
            Obeys::OneOwner if order.epoch < newest => Err(Refusal::Fenced { epoch: newest }),
            Obeys::OneOwner | Obeys::Anybody => Ok(()),
        }
    }

    fn port(&mut self, leg: LegNo) -> Result<&mut Port, Refusal> {
        self.legs.get_mut(&leg).ok_or(Refusal::NoSuchLeg)
    }

    fn hear(
        &mut self,
        relay: usize,
        leg: LegKey,
        what: &Hears,
        no: u64,
        now: Mono,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let port = self.port(leg.leg)?;
        match port.hearing.judge(what, no) {
            Verdict::Known | Verdict::Same => {}
            Verdict::Over { play } => {
                port.over = None;
                effects.reports.push(port.report(relay, leg, What::PlayDone { play }));
            }
            Verdict::Change => {
                port.over = match what {
                    Hears::Content { digest, repeat: false, .. } => {
                        Some(now + Duration::from_millis(prompt_ms(*digest)))
                    }
                    _ => None,
                };
                effects.plays.extend(port.over.map(|over| Play { leg, over }));
            }
        }
        Ok(())
    }
}

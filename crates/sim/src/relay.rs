//! A relay as nodes see it: ports, plays, digits, epochs. It carries no media.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use strowger_call::{MediaFact, MediaOp};
use strowger_model::{CallId, LegNo, Mono, RelayId};

use crate::tenant::prompt_ms;

/// A call that nobody commanded for so long, and that has no media, is closed. The product's relay waits longer;
/// it has media to look at.
pub(crate) const ORPHAN: Duration = Duration::from_secs(90);
const FIRST_PORT: u16 = 10_000;

/// One order of a call's owner.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub call: CallId,
    pub epoch: u64,
    pub op: MediaOp,
}

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Done,
    Opened(SocketAddr),
    Snapshot { legs: Vec<(LegNo, SocketAddr)>, missed: Vec<(u64, MediaFact)> },
    Refused,
}

/// A play that will end by itself.
pub(crate) struct Play {
    pub call: CallId,
    pub leg: LegNo,
    pub id: u64,
    pub over: Mono,
}

/// An event for whoever commands the call now.
pub(crate) struct Report {
    pub relay: RelayId,
    pub node: usize,
    pub call: CallId,
    pub seq: u64,
    pub fact: MediaFact,
}

pub(crate) struct Relay {
    id: usize,
    calls: BTreeMap<CallId, Held>,
    /// Closed calls and the epoch they were closed in.
    ended: BTreeMap<CallId, u64>,
    ports: BTreeMap<u16, (CallId, LegNo)>,
    next_port: u16,
    /// It has no port to give away.
    pub full: bool,
    /// How much later than others it does what it is told.
    pub slow: Duration,
}

struct Held {
    epoch: u64,
    node: usize,
    commanded: Mono,
    legs: BTreeMap<LegNo, Port>,
    gone: BTreeSet<LegNo>,
    last_event: u64,
    journal: Vec<(u64, MediaFact)>,
}

/// A leg's port, what plays on it and whose voice it sends on.
struct Port {
    port: u16,
    last_play: Option<u64>,
    playing: Option<u64>,
    hears: Option<Heard>,
}

/// Whose voice a leg's far end hears, and from which relay it comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Heard {
    pub leg: LegNo,
    pub relay: RelayId,
}

impl Relay {
    pub fn new(id: usize) -> Self {
        Self {
            id,
            calls: BTreeMap::new(),
            ended: BTreeMap::new(),
            ports: BTreeMap::new(),
            next_port: FIRST_PORT,
            full: false,
            slow: Duration::ZERO,
        }
    }

    /// Whatever was wrong is mended.
    pub fn recover(&mut self) {
        (self.full, self.slow) = (false, Duration::ZERO);
    }

    pub fn open_calls(&self) -> impl Iterator<Item = CallId> {
        self.calls.keys().copied()
    }

    /// Whose voice that leg's far end hears here.
    pub fn hears(&self, call: CallId, leg: LegNo) -> Option<Heard> {
        self.calls.get(&call)?.legs.get(&leg)?.hears
    }

    fn no(&self) -> RelayId {
        RelayId(self.id as u16)
    }

    pub fn perform(&mut self, node: usize, order: &Order, now: Mono, plays: &mut Vec<Play>) -> Answer {
        if let Some(epoch) = self.ended.get(&order.call) {
            let late = matches!(order.op, MediaOp::Close | MediaOp::CloseLeg { .. } | MediaOp::Acknowledge { .. });
            return if late && order.epoch >= *epoch { Answer::Done } else { Answer::Refused };
        }
        let opens = matches!(order.op, MediaOp::Open { .. });
        let claims = opens || order.op == MediaOp::Adopt;
        let Some(held) = self.hold(node, order, opens, now) else { return Answer::Refused };
        if order.epoch < held.epoch {
            return Answer::Refused;
        }
        if claims || order.epoch > held.epoch {
            held.node = node;
        }
        held.epoch = order.epoch;
        held.commanded = now;
        match order.op {
            MediaOp::Open { .. } if self.full => Answer::Refused,
            MediaOp::Open { leg } => self.open(order.call, leg),
            MediaOp::Close => self.close(order.call),
            _ => self.obey(order, now, plays).unwrap_or(Answer::Refused),
        }
    }

    pub fn on_play_over(&mut self, play: &Play) -> Option<Report> {
        let held = self.calls.get_mut(&play.call)?;
        let leg = held.legs.get_mut(&play.leg)?;
        leg.playing.take_if(|id| *id == play.id)?;
        Some(held.report(self.id, play.call, MediaFact::PlayDone { id: play.id }))
    }

    /// A key pressed by whoever sends media to that port.
    pub fn on_digit(&mut self, port: u16, digit: char) -> Option<Report> {
        let (call, leg) = *self.ports.get(&port)?;
        let held = self.calls.get_mut(&call)?;
        held.legs.contains_key(&leg).then(|| held.report(self.id, call, MediaFact::Digit { leg, digit }))
    }

    pub fn close_orphans(&mut self, now: Mono) {
        let orphans: Vec<CallId> =
            self.calls.iter().filter(|(_, held)| now.since(held.commanded) >= ORPHAN).map(|(id, _)| *id).collect();
        for id in orphans {
            self.close(id);
        }
    }

    fn hold(&mut self, node: usize, order: &Order, opens: bool, now: Mono) -> Option<&mut Held> {
        if opens {
            let fresh = || Held {
                epoch: order.epoch,
                node,
                commanded: now,
                legs: BTreeMap::new(),
                gone: BTreeSet::new(),
                last_event: 0,
                journal: Vec::new(),
            };
            return Some(self.calls.entry(order.call).or_insert_with(fresh));
        }
        self.calls.get_mut(&order.call)
    }

    fn open(&mut self, call: CallId, no: LegNo) -> Answer {
        let Some(held) = self.calls.get_mut(&call) else { return Answer::Refused };
        if held.gone.contains(&no) {
            return Answer::Refused;
        }
        let next = self.next_port;
        let port = held.legs.entry(no).or_insert(Port::new(next)).port;
        if port == next {
            self.next_port += 2;
            self.ports.insert(port, (call, no));
        }
        Answer::Opened(self.addr(port))
    }

    fn close(&mut self, call: CallId) -> Answer {
        if let Some(held) = self.calls.remove(&call) {
            for leg in held.legs.values() {
                self.ports.remove(&leg.port);
            }
            self.ended.insert(call, held.epoch);
        }
        Answer::Done
    }

    fn obey(&mut self, order: &Order, now: Mono, plays: &mut Vec<Play>) -> Option<Answer> {
        let call = order.call;
        let (id, here) = (self.id, self.no());
        let held = self.calls.get_mut(&call)?;
        match &order.op {
            MediaOp::Play { leg, content, repeat, id } => {
                let place = held.legs.get_mut(leg)?;
                if place.last_play != Some(*id) {
                    (place.last_play, place.playing) = (Some(*id), Some(*id));
                    if !repeat {
                        let over = now + Duration::from_millis(prompt_ms(*content));
                        plays.push(Play { call, leg: *leg, id: *id, over });
                    }
                }
            }
            MediaOp::Stop { leg } => held.legs.get_mut(leg)?.playing = None,
            MediaOp::Bridge { a, b } => {
                held.legs.contains_key(b).then_some(())?;
                held.legs.get_mut(a)?.join(Heard { leg: *b, relay: here });
                held.legs.get_mut(b)?.join(Heard { leg: *a, relay: here });
            }
            MediaOp::Join { leg, with, peer } => held.legs.get_mut(leg)?.join(Heard { leg: *with, relay: *peer }),
            MediaOp::Remote { leg, .. } => drop(held.legs.get(leg)?),
            MediaOp::CloseLeg { leg } => {
                let gone = held.legs.remove(leg)?;
                held.gone.insert(*leg);
                self.ports.remove(&gone.port);
            }
            MediaOp::Adopt => {
                let legs = held.legs.iter().map(|(no, leg)| (*no, addr(id, leg.port))).collect();
                return Some(Answer::Snapshot { legs, missed: held.journal.clone() });
            }
            MediaOp::Acknowledge { event } => held.journal.retain(|(seq, _)| seq > event),
            MediaOp::Open { .. } | MediaOp::Close => {}
        }
        Some(Answer::Done)
    }

    fn addr(&self, port: u16) -> SocketAddr {
        addr(self.id, port)
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
    fn new(port: u16) -> Self {
        Self { port, last_play: None, playing: None, hears: None }
    }

    fn join(&mut self, heard: Heard) {
        (self.playing, self.hears) = (None, Some(heard));
    }
}

impl Held {
    fn report(&mut self, relay: usize, call: CallId, fact: MediaFact) -> Report {
        self.last_event += 1;
        self.journal.push((self.last_event, fact.clone()));
        Report { relay: RelayId(relay as u16), node: self.node, call, seq: self.last_event, fact }
    }
}

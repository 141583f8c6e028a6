//! Commands, carried out between packets. Each may come twice.

use std::collections::hash_map::Entry;
use std::net::SocketAddr;

use rustix::event::epoll;
use strowger_model::{CallId, Digest, LegNo, MediaAddr, Mono, PeerId};

use crate::call::{Call, MAX_LEGS};
use crate::leg::Leg;
use crate::outbound::Outbound;
use crate::ports::Pair;
use crate::protocol::{LegStats, Op, Refusal, RelayAnswer, RelayCommand};
use crate::reports::Reports;
use crate::roster::Slot;
use crate::worker::{Ended, Worker};

type Outcome = Result<RelayAnswer, Refusal>;

impl Worker {
    pub(crate) fn perform(&mut self, from: PeerId, command: RelayCommand, now: Mono) -> RelayAnswer {
        self.judge(from, command, now).unwrap_or_else(RelayAnswer::refused)
    }

    fn judge(&mut self, from: PeerId, command: RelayCommand, now: Mono) -> Outcome {
        let RelayCommand { call: id, epoch, op } = command;
        if let Some(ended) = self.ended.get(&id) {
            return ended.answer(epoch, &op);
        }
        let claims = matches!(op, Op::Open { .. } | Op::Adopt);
        match self.calls.entry(id) {
            Entry::Occupied(mut call) => call.get_mut().fence(from, epoch, claims, now)?,
            Entry::Vacant(place) if matches!(op, Op::Open { .. }) => {
                place.insert(Call::new(id, epoch, from, now));
            }
            Entry::Vacant(_) => return Err(Refusal::NoSuchCall),
        }
        match op {
            Op::Open { leg } => self.open(id, leg, now),
            Op::Remote { leg, media, send, receive } => self.point(id, leg, media, (send, receive), now),
            Op::Play { leg, content, repeat, id: play } => self.start(id, leg, content, repeat, play, now),
            Op::Stop { leg } => {
                let slot = self.slot(id, leg)?;
                self.silence(slot);
                Ok(RelayAnswer::Done)
            }
            Op::Bridge { a, b } => self.bridge(id, a, b),
            Op::Unbridge { a, b } => self.unbridge(id, a, b),
            Op::CloseLeg { leg } => self.close_leg(id, leg, now),
            Op::Close => Ok(RelayAnswer::Closed { legs: self.close(id, now) }),
            Op::Adopt => self.snapshot(id, now),
            Op::Ack { seq } => {
                self.call(id)?.journal.acknowledge(seq);
                Ok(RelayAnswer::Done)
            }
            Op::Join { leg, with, peer } => self.join(id, leg, with, peer),
            Op::Leave { leg } => self.leave(id, leg),
        }
    }

    /// Ends a call and remembers its sums for commands that come late.
    pub(crate) fn close(&mut self, id: CallId, now: Mono) -> Vec<LegStats> {
        let Some(call) = self.calls.remove(&id) else { return Vec::new() };
        let epoch = call.epoch();
        let mut legs = call.gone;
        legs.extend(call.legs.iter().filter_map(|&(_, slot)| self.dismiss(slot, now)));
        self.ended.insert(id, Ended { epoch, legs: legs.clone(), at: now });
        legs
    }

    fn open(&mut self, id: CallId, no: LegNo, now: Mono) -> Outcome {
        let call = self.calls.get(&id).ok_or(Refusal::NoSuchCall)?;
        let port = match call.slot(no) {
            Ok(slot) => self.roster.get(slot).ok_or(Refusal::NoSuchLeg)?.pair.port,
            Err(Refusal::NoSuchLeg) if call.legs.len() + call.gone.len() >= MAX_LEGS => {
                return Err(Refusal::TooManyLegs);
            }
            Err(Refusal::NoSuchLeg) => {
                let opened = self.open_leg(id, no, now);
                if opened.is_err() {
                    self.forget_if_empty(id);
                }
                opened?
            }
            Err(why) => return Err(why),
        };
        let address = self.advertised;
        Ok(RelayAnswer::Opened { rtp: SocketAddr::new(address, port), rtcp: SocketAddr::new(address, port + 1) })
    }

    /// Opens sockets for a new leg and gives its port.
    fn open_leg(&mut self, id: CallId, no: LegNo, now: Mono) -> Result<u16, Refusal> {
        let pair = self.ports.open()?;
        let port = pair.port;
        let made = self.watch(&pair).and_then(|slot| Ok((slot, random_start()?)));
        let Ok((slot, out)) = made else {
            self.ports.give_back(port);
            return Err(Refusal::NoSockets);
        };
        let reports = Reports::new(slot.0, now);
        self.roster.insert(Leg::new(id, no, pair, out, reports, now));
        self.call(id)?.legs.push((no, slot));
        Ok(port)
    }

    /// Makes epoll report both sockets for the place the next leg gets.
    fn watch(&self, pair: &Pair) -> Result<Slot, Refusal> {
        let slot = self.roster.vacant();
        for (socket, rtcp) in [(&pair.rtp, false), (&pair.rtcp, true)] {
            let data = epoll::EventData::new_u64(self.roster.ticket(slot, rtcp).to_u64());
            epoll::add(&self.epoll, socket, data, epoll::EventFlags::IN).map_err(|fault| {
                tracing::warn!(%fault, "epoll takes no more sockets");
                Refusal::NoSockets
            })?;
        }
        Ok(slot)
    }

    fn point(&mut self, id: CallId, no: LegNo, media: MediaAddr, (send, receive): (bool, bool), now: Mono) -> Outcome {
        let slot = self.slot(id, no)?;
        let same_family = media.rtp.is_ipv4() == self.advertised.is_ipv4();
        // An unspecified address is how old far ends say hold (RFC 2543, B.5; RFC 3264, 8.4): fine as long as we send nothing.
        let nowhere = media.rtp.ip().is_unspecified() || media.rtp.port() == 0;
        if !same_family || media.rtp.ip().is_multicast() || (send && nowhere) {
            return Err(Refusal::BadAddress);
        }
        let leg = self.roster.get_mut(slot).ok_or(Refusal::NoSuchLeg)?;
        leg.point(media, send, receive, now);
        let other = leg.bridge;
        leg.far.iter_mut().for_each(|far| far.fresh = true);
        // Packets not forwarded while on hold would look like loss when it ends.
        self.pause(other);
        Ok(RelayAnswer::Done)
    }

    fn start(&mut self, id: CallId, no: LegNo, content: Digest, repeat: bool, play: u64, now: Mono) -> Outcome {
        let slot = self.slot(id, no)?;
        let leg = self.roster.get_mut(slot).ok_or(Refusal::NoSuchLeg)?;
        if leg.has_played(play) {
            return Ok(RelayAnswer::Done);
        }
        let Some(samples) = self.shelf.get(content) else {
            leg.await_content(play);
            return Ok(RelayAnswer::NeedContent { content });
        };
        let played = leg.plays();
        leg.play(play, samples, repeat);
        if !played {
            self.wheel.add(slot, now);
        }
        Ok(RelayAnswer::Done)
    }

    fn bridge(&mut self, id: CallId, a: LegNo, b: LegNo) -> Outcome {
        if a == b {
            return Err(Refusal::SameLeg);
        }
        let (first, second) = (self.slot(id, a)?, self.slot(id, b)?);
        self.silence(first);
        self.silence(second);
        if self.bridge_of(first) == Some(second) {
            return Ok(RelayAnswer::Done);
        }
        self.part(first);
        self.part(second);
        for (slot, other) in [(first, second), (second, first)] {
            self.roster.get_mut(slot).into_iter().for_each(|leg| leg.bridge = Some(other));
            self.pause(Some(slot));
        }
        Ok(RelayAnswer::Done)
    }

    fn unbridge(&mut self, id: CallId, a: LegNo, b: LegNo) -> Outcome {
        let (first, second) = (self.slot(id, a)?, self.slot(id, b)?);
        if self.bridge_of(first) == Some(second) {
            self.part(first);
        }
        Ok(RelayAnswer::Done)
    }

    fn close_leg(&mut self, id: CallId, no: LegNo, now: Mono) -> Outcome {
        let call = self.call(id)?;
        if let Some(stats) = call.gone.iter().find(|stats| stats.leg == no) {
            return Ok(RelayAnswer::Closed { legs: vec![stats.clone()] });
        }
        let slot = call.slot(no)?;
        call.legs.retain(|(other, _)| *other != no);
        let legs: Vec<LegStats> = self.dismiss(slot, now).into_iter().collect();
        self.call(id)?.gone.extend(legs.iter().cloned());
        Ok(RelayAnswer::Closed { legs })
    }

    fn snapshot(&mut self, id: CallId, now: Mono) -> Outcome {
        let call = self.calls.get(&id).ok_or(Refusal::NoSuchCall)?;
        let legs = call.legs.iter().filter_map(|&(_, slot)| self.roster.get(slot));
        let legs = legs.map(|leg| {
            let bridged_to = leg.bridge.and_then(|other| self.roster.get(other)).map(|other| other.no);
            leg.snapshot(self.advertised, bridged_to, now)
        });
        Ok(RelayAnswer::Snapshot { legs: legs.collect(), missed: call.journal.missed() })
    }

    /// Takes a leg off: bridge, wheel, sockets, port. Gives its sums.
    fn dismiss(&mut self, slot: Slot, now: Mono) -> Option<LegStats> {
        self.part(slot);
        self.silence(slot);
        let mut leg = self.roster.remove(slot)?;
        let sums = leg.sums(now);
        leg.reports.send(&leg.pair.rtcp, &leg.out, &mut leg.stats, &self.cname, now, true);
        self.tally.counters.lost += leg.uncounted_loss();
        self.ports.give_back(leg.pair.port);
        Some(sums)
    }

    /// Ends a leg's bridge, on both sides, or its join.
    pub(crate) fn part(&mut self, slot: Slot) {
        if let Some(leg) = self.roster.get_mut(slot).filter(|leg| leg.far.is_some()) {
            leg.far = None;
            leg.out.pause();
        }
        let Some(other) = self.bridge_of(slot) else { return };
        for end in [slot, other] {
            self.roster.get_mut(end).into_iter().for_each(|leg| leg.bridge = None);
            self.pause(Some(end));
        }
    }

    /// Ends what plays on a leg.
    pub(crate) fn silence(&mut self, slot: Slot) {
        let Some(leg) = self.roster.get_mut(slot) else { return };
        let played = leg.plays();
        leg.stop();
        if played {
            self.wheel.remove(slot);
        }
    }

    fn pause(&mut self, slot: Option<Slot>) {
        slot.and_then(|slot| self.roster.get_mut(slot)).into_iter().for_each(|leg| leg.out.pause());
    }

    fn bridge_of(&self, slot: Slot) -> Option<Slot> {
        self.roster.get(slot)?.bridge
    }

    /// A call whose first leg found no port is no call.
    fn forget_if_empty(&mut self, id: CallId) {
        if self.calls.get(&id).is_some_and(|call| call.legs.is_empty() && call.gone.is_empty()) {
            self.calls.remove(&id);
        }
    }

    pub(crate) fn slot(&self, id: CallId, leg: LegNo) -> Result<Slot, Refusal> {
        self.calls.get(&id).ok_or(Refusal::NoSuchCall)?.slot(leg)
    }

    fn call(&mut self, id: CallId) -> Result<&mut Call, Refusal> {
        self.calls.get_mut(&id).ok_or(Refusal::NoSuchCall)
    }
}

impl Ended {
    fn answer(&self, epoch: u64, op: &Op) -> Outcome {
        if epoch < self.epoch {
            return Err(Refusal::Fenced { epoch: self.epoch });
        }
        match op {
            Op::Close => Ok(RelayAnswer::Closed { legs: self.legs.clone() }),
            Op::CloseLeg { leg } => {
                let legs: Vec<LegStats> = self.legs.iter().filter(|stats| stats.leg == *leg).cloned().collect();
                if legs.is_empty() { Err(Refusal::NoSuchLeg) } else { Ok(RelayAnswer::Closed { legs }) }
            }
            Op::Ack { .. } => Ok(RelayAnswer::Done),
            _ => Err(Refusal::Ended),
        }
    }
}

/// SSRC, first sequence number and first timestamp are random (RFC 3550, 5.1).
fn random_start() -> Result<Outbound, Refusal> {
    let draw = || getrandom::u64().map_err(|_| Refusal::NoSockets);
    let (numbers, ssrc) = (draw()?, draw()?);
    Ok(Outbound::new(ssrc as u32, numbers as u16, (numbers >> 32) as u32))
}

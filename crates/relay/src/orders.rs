//! Commands, carried out between packets. Each may come twice.

use std::collections::hash_map::Entry;
use std::net::SocketAddr;

use rustix::event::epoll;
use strowger_media::{Closed, Fence, Journal, LegStats, MediaAddr, Op, Refusal, RelayAnswer, RelayCommand};
use strowger_model::{CallId, LegKey, LegNo, Mono, PeerId};

use crate::call::{Call, Gone, Held, MAX_LEGS};
use crate::heard::Heard;
use crate::leg::Leg;
use crate::outbound::Outbound;
use crate::ports::Pair;
use crate::reports::Reports;
use crate::slab::Slot;
use crate::worker::{Ended, Worker};

type Outcome = Result<RelayAnswer, Refusal>;

impl Worker {
    pub(crate) fn perform(&mut self, from: PeerId, command: RelayCommand, now: Mono) -> RelayAnswer {
        self.judge(from, command, now).unwrap_or_else(RelayAnswer::refused)
    }

    fn judge(&mut self, from: PeerId, command: RelayCommand, now: Mono) -> Outcome {
        let RelayCommand { call: id, epoch, op } = command;
        if let Some(ended) = self.ended.get(&id) {
            if !matches!(op, Op::Open { leg } if ended.opens_again(leg, epoch, now)) {
                return ended.answer(&op);
            }
            let gone = self.ended.remove(&id).map(|ended| ended.legs).unwrap_or_default();
            self.calls.insert(id, Call::again(id, gone, now));
        }
        match self.calls.entry(id) {
            Entry::Occupied(mut call) => {
                call.get_mut().judge(from, epoch, &op)?;
                call.get_mut().commanded = now;
            }
            Entry::Vacant(place) if matches!(op, Op::Open { .. }) => {
                place.insert(Call::new(id, now));
            }
            Entry::Vacant(_) => return Err(Refusal::NoSuchCall),
        }
        let key = |leg| LegKey { call: id, leg };
        match op {
            Op::Open { leg } => self.open(key(leg), Fence::new(epoch, from), now),
            Op::Remote { leg, media, send, receive } => self.point(key(leg), media, (send, receive), now),
            Op::Hear { leg, what, no } => self.hear(key(leg), what, no, now),
            Op::Export { leg, to } => self.export(key(leg), to),
            Op::CloseLeg { leg } => self.close_leg(key(leg), epoch, now),
            Op::Adopt { leg } => self.snapshot(key(leg), now),
            Op::Ack { leg, seq } => {
                self.slot(key(leg))?;
                self.call(id)?.leg_mut(leg).into_iter().for_each(|held| held.journal.acknowledge(seq));
                Ok(RelayAnswer::Done)
            }
        }
    }

    /// Ends a call and remembers its sums for commands that come late.
    pub(crate) fn close(&mut self, id: CallId, now: Mono) {
        let Some(call) = self.calls.remove(&id) else { return };
        let mut legs = call.gone().to_vec();
        for held in &call.legs {
            let closed = Closed::new(held.fence.epoch(), now);
            legs.extend(self.dismiss(held.slot, now).map(|sums| Gone { closed, sums }));
        }
        self.ended.insert(id, Ended { legs, at: now });
    }

    fn open(&mut self, key: LegKey, fence: Fence<PeerId>, now: Mono) -> Outcome {
        let call = self.call(key.call)?;
        call.opens(key.leg, fence.epoch(), now);
        let port = match call.slot(key.leg) {
            Ok(slot) => self.legs.get(slot).ok_or(Refusal::NoSuchLeg)?.transport.pair.port,
            Err(Refusal::NoSuchLeg) if call.legs.len() >= MAX_LEGS => return Err(Refusal::TooManyLegs),
            Err(Refusal::NoSuchLeg) => {
                let opened = self.open_leg(key, fence, now);
                if opened.is_err() {
                    self.forget_if_empty(key.call);
                }
                opened?
            }
            Err(why) => return Err(why),
        };
        let address = self.advertised;
        Ok(RelayAnswer::Opened { rtp: SocketAddr::new(address, port), rtcp: SocketAddr::new(address, port + 1) })
    }

    /// Opens sockets for a new leg and gives its port.
    fn open_leg(&mut self, key: LegKey, fence: Fence<PeerId>, now: Mono) -> Result<u16, Refusal> {
        let pair = self.ports.open(key.call)?;
        let port = pair.port;
        let made = self.watch(key.call, &pair).and_then(|slot| Ok((slot, random_start()?)));
        let Ok((slot, out)) = made else {
            self.ports.give_back(port);
            return Err(Refusal::NoSockets);
        };
        let reports = Reports::new(slot.0, now);
        self.legs.insert(Leg::new(key, pair, out, reports, now));
        self.call(key.call)?.legs.push(Held { no: key.leg, slot, fence, journal: Journal::default() });
        self.gather(key);
        Ok(port)
    }

    /// Makes epoll report both sockets for the place the next leg gets.
    fn watch(&self, call: CallId, pair: &Pair) -> Result<Slot, Refusal> {
        let slot = self.legs.vacant();
        for (socket, rtcp) in [(&pair.rtp, false), (&pair.rtcp, true)] {
            let data = epoll::EventData::new_u64(self.legs.ticket(slot, rtcp).to_u64());
            epoll::add(&self.epoll, socket, data, epoll::EventFlags::IN).map_err(|fault| {
                tracing::warn!(%call, %fault, "epoll takes no more sockets");
                Refusal::NoSockets
            })?;
        }
        Ok(slot)
    }

    fn point(&mut self, key: LegKey, media: MediaAddr, (send, receive): (bool, bool), now: Mono) -> Outcome {
        let slot = self.slot(key)?;
        let same_family = media.rtp.is_ipv4() == self.advertised.is_ipv4();
        // An unspecified address is how old far ends say hold (RFC 2543, B.5; RFC 3264, 8.4): fine as long as we send nothing.
        let ip = media.rtp.ip().to_canonical();
        let nowhere = ip.is_unspecified() || media.rtp.port() == 0;
        if !same_family || ip.is_multicast() || (send && nowhere) {
            return Err(Refusal::BadAddress);
        }
        // Reports go where they were asked for, which may be elsewhere (RFC 3605).
        if [media.rtp, media.rtcp].into_iter().any(|to| self.forbidden.covers(to)) {
            return Err(Refusal::ForbiddenAddress);
        }
        let ours = self.forbidden.ours(media.rtp.ip());
        let leg = self.legs.get_mut(slot).ok_or(Refusal::NoSuchLeg)?;
        leg.point((media, ours), send, receive, now);
        leg.exports.iter_mut().for_each(|export| export.fresh = true);
        // Packets not forwarded while on hold would look like loss when it ends.
        self.interrupt(key);
        Ok(RelayAnswer::Done)
    }

    fn close_leg(&mut self, key: LegKey, epoch: u64, now: Mono) -> Outcome {
        let closed = Closed::new(epoch, now);
        let call = self.call(key.call)?;
        if let Some(gone) = call.gone().iter().find(|gone| gone.sums.leg == key.leg) {
            return Ok(RelayAnswer::Closed { leg: gone.sums.clone() });
        }
        let never_opened = || Gone { closed, sums: LegStats { leg: key.leg, ..LegStats::default() } };
        let slot = call.slot(key.leg).inspect_err(|_| call.lose(never_opened()))?;
        let sums = self.dismiss(slot, now).ok_or(Refusal::NoSuchLeg)?;
        let call = self.call(key.call)?;
        call.legs.retain(|held| held.no != key.leg);
        call.lose(Gone { closed, sums: sums.clone() });
        Ok(RelayAnswer::Closed { leg: sums })
    }

    fn snapshot(&mut self, key: LegKey, now: Mono) -> Outcome {
        let slot = self.slot(key)?;
        let leg = self.legs.get(slot).ok_or(Refusal::NoSuchLeg)?.snapshot(self.advertised, now);
        let missed = self.call(key.call)?.leg_mut(key.leg).map(|held| held.journal.missed());
        Ok(RelayAnswer::Snapshot { leg: Box::new(leg), missed: missed.unwrap_or_default() })
    }

    /// Takes a leg off: ears, wheel, sockets, port. Gives its sums.
    fn dismiss(&mut self, slot: Slot, now: Mono) -> Option<LegStats> {
        self.tune(slot, |_| Heard::Nothing, now);
        let key = self.legs.get(slot)?.key;
        self.interrupt(key);
        let mut leg = self.legs.remove(slot)?;
        let sums = leg.sums(now);
        leg.part(&self.cname, now);
        self.tally.counters.lost += leg.intake.uncounted_loss();
        self.ports.give_back(leg.transport.pair.port);
        Some(sums)
    }

    /// What a leg's hearers on this thread get of it next begins anew.
    fn interrupt(&mut self, source: LegKey) {
        for &hearer in self.ears.of(source) {
            self.legs.get_mut(hearer).into_iter().for_each(|leg| leg.interrupt(source));
        }
    }

    /// A call whose first leg found no port is no call.
    fn forget_if_empty(&mut self, id: CallId) {
        if self.calls.get(&id).is_some_and(|call| call.legs.is_empty() && call.gone().is_empty()) {
            self.calls.remove(&id);
        }
    }

    pub(crate) fn slot(&self, key: LegKey) -> Result<Slot, Refusal> {
        self.calls.get(&key.call).ok_or(Refusal::NoSuchCall)?.slot(key.leg)
    }

    fn call(&mut self, id: CallId) -> Result<&mut Call, Refusal> {
        self.calls.get_mut(&id).ok_or(Refusal::NoSuchCall)
    }
}

impl Ended {
    /// A leg that it never had may be late as well.
    fn opens_again(&self, leg: LegNo, epoch: u64, now: Mono) -> bool {
        let highest = self.legs.iter().map(|gone| gone.closed.epoch()).max().unwrap_or_default();
        let own = self.legs.iter().find(|gone| gone.sums.leg == leg).map(|gone| gone.closed);
        own.unwrap_or(Closed::new(highest, self.at)).opens_again(epoch, now)
    }

    fn answer(&self, op: &Op) -> Outcome {
        match op {
            Op::CloseLeg { leg } => {
                let gone = self.legs.iter().find(|gone| gone.sums.leg == *leg).ok_or(Refusal::NoSuchLeg)?;
                Ok(RelayAnswer::Closed { leg: gone.sums.clone() })
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

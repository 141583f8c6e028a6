//! One media thread: its own epoll, its own calls, nothing shared while packets flow.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use strowger_media::{RelayAnswer, RelayCommand};
use strowger_model::{CallId, Mono, PeerId};
use tokio::sync::mpsc as events;
use tokio::sync::oneshot;

use crate::audience::Ears;
use crate::call::{Call, Gone, Held};
use crate::clock;
use crate::content_cache::ContentCache;
use crate::counters::Counters;
use crate::engine::{Addressed, Limits};
use crate::forbidden::Forbidden;
use crate::hop::{Arrival, Outlet};
use crate::leg::{Frame, Tally};
use crate::ports::Ports;
use crate::slab::{Slab, Ticket};
use crate::socket::DATAGRAM_BYTES;
use crate::wheel::Wheel;

pub(crate) struct Worker {
    pub(crate) epoll: OwnedFd,
    pub(crate) wake: Arc<OwnedFd>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) backlog: VecDeque<Order>,
    pub(crate) events: events::Sender<Addressed>,
    pub(crate) published: Arc<Mutex<Counters>>,
    pub(crate) contents: Arc<ContentCache>,
    pub(crate) advertised: IpAddr,
    pub(crate) forbidden: Forbidden,
    pub(crate) limits: Limits,
    /// Who we are in RTCP: random for each start (RFC 7022, 4.2).
    pub(crate) cname: String,
    pub(crate) ports: Ports,
    pub(crate) calls: HashMap<CallId, Call>,
    pub(crate) ended: HashMap<CallId, Ended>,
    pub(crate) ears: Ears,
    pub(crate) legs: Slab,
    pub(crate) wheel: Wheel,
    pub(crate) tally: Tally,
    pub(crate) outlet: Outlet,
    /// Empty between rounds; keeps its memory.
    pub(crate) arrivals: VecDeque<Arrival>,
    /// This thread's number.
    pub(crate) thread: usize,
    pub(crate) next_mind: Mono,
    pub(crate) part: usize,
}

/// Commands of one node for the calls of this thread.
pub(crate) struct Order {
    pub(crate) from: PeerId,
    /// With their places in the node's list.
    pub(crate) commands: std::vec::IntoIter<(usize, RelayCommand)>,
    pub(crate) answers: Vec<(usize, RelayAnswer)>,
    pub(crate) reply: oneshot::Sender<Vec<(usize, RelayAnswer)>>,
}

/// A call that was closed: late commands find this instead of opening it anew.
pub(crate) struct Ended {
    pub(crate) legs: Vec<Gone>,
    pub(crate) at: Mono,
}

/// What epoll gives back for the eventfd; no ticket looks like this.
pub(crate) const WAKE: u64 = u64::MAX;

/// Events fetched at once: about 0.5 ms of work, so that the wheel of 5 ms stays true.
const EVENTS_AT_ONCE: usize = 128;

/// Commands carried out between two looks at the sockets: opening a leg takes about 30 µs.
const COMMANDS_AT_ONCE: usize = 32;

/// Every leg is looked after once in `MIND_PARTS` of these intervals, in parts, so no look takes long.
const MIND_INTERVAL: Duration = Duration::from_millis(100);
const MIND_PARTS: usize = 10;

impl Worker {
    /// Runs until told to stop.
    pub(crate) fn run(mut self) {
        let mut ready = Vec::with_capacity(EVENTS_AT_ONCE);
        let mut buffer = [0; DATAGRAM_BYTES];
        let mut frame: Frame = [0; _];
        while !self.stop.load(Ordering::Acquire) {
            let wait = self.wait(clock::now());
            ready.clear();
            // Nothing but EINTR comes here; the next round looks again.
            let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), Some(&wait));
            let now = clock::now();
            for event in &ready {
                match event.data.u64() {
                    WAKE => self.drain_wake(),
                    bits => self.receive(Ticket::from_u64(bits), &mut buffer, now),
                }
            }
            self.spread_arrivals(&mut buffer, now);
            self.outlet.flush(now);
            self.tick(&mut frame, now);
            self.obey(now);
            self.mind(now);
            self.deliver();
        }
        self.close_all(clock::now());
    }

    /// One datagram from one socket; epoll is level-triggered, so what else waits there comes with the next round.
    fn receive(&mut self, ticket: Ticket, buffer: &mut [u8; DATAGRAM_BYTES], now: Mono) {
        let Some(leg) = self.legs.by_ticket(ticket) else { return };
        if ticket.rtcp {
            if let Some((length, from)) = leg.transport.pair.rtcp.receive(buffer) {
                leg.accept_rtcp(&buffer[..length], from, now, &mut self.tally);
            }
            return;
        }
        let Some((length, from)) = leg.transport.pair.rtp.receive(buffer) else { return };
        let Some(voice) = leg.accept(&buffer[..length], from, now, &mut self.tally) else { return };
        self.spread(ticket.slot, voice, buffer, now);
    }

    /// Sends the frames that are due.
    fn tick(&mut self, frame: &mut Frame, now: Mono) {
        let left_out = self.wheel.catch_up(now);
        if left_out > 0 {
            for slot in self.wheel.all() {
                self.tally.counters.frames_skipped += left_out / 4;
                self.legs.get_mut(slot).into_iter().for_each(|leg| leg.out.pause());
            }
        }
        while let Some(phase) = self.wheel.turn(now) {
            let mut over = Vec::new();
            for &slot in self.wheel.legs(phase) {
                let goes_on = self.legs.get_mut(slot).is_some_and(|leg| leg.tick(frame, now, &mut self.tally));
                if !goes_on {
                    over.push(slot);
                }
            }
            over.into_iter().for_each(|slot| self.wheel.remove(slot));
        }
    }

    /// Carries out some commands; the rest after the next packets.
    fn obey(&mut self, now: Mono) {
        self.backlog.extend(self.orders.try_iter());
        for _ in 0..COMMANDS_AT_ONCE {
            let Some(mut order) = self.backlog.pop_front() else { return };
            match order.commands.next() {
                Some((at, command)) => {
                    // What happened before a command is an event before its answer.
                    self.deliver();
                    order.answers.push((at, self.perform(order.from, command, now)));
                    self.backlog.push_front(order);
                }
                // A node that is gone needs no answer.
                None => drop(order.reply.send(order.answers)),
            }
        }
    }

    fn mind(&mut self, now: Mono) {
        if now < self.next_mind {
            return;
        }
        self.next_mind = now + MIND_INTERVAL;
        for leg in self.legs.part(self.part, MIND_PARTS) {
            leg.mind(now, self.limits.dead_media, &self.cname, &mut self.tally);
        }
        self.part = (self.part + 1) % MIND_PARTS;
        if self.part == 0 {
            self.close_orphans(now);
            self.forget(now);
        }
        let counters = &mut self.tally.counters;
        counters.calls = self.calls.values().filter(|call| !call.legs.is_empty()).count() as u64;
        counters.legs = self.legs.count() as u64;
        counters.cpu_ns = clock::thread_cpu_ns();
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = *counters;
    }

    /// Numbers the news and sends them to their owners. What the backlog does not take stays in the leg's journal.
    pub(crate) fn deliver(&mut self) {
        for (leg, what) in self.tally.news.drain(..) {
            let held = self.calls.get_mut(&leg.call).and_then(|call| call.leg_mut(leg.leg));
            let Some(held) = held else { continue };
            let (event, dropped) = held.journal.add(leg, what);
            let refused = self.events.try_send(Addressed { to: held.fence.owner(), event }).is_err();
            self.tally.counters.events_dropped += u64::from(dropped) + u64::from(refused);
        }
    }

    /// Calls without an owner and without media: nobody will ever close them.
    fn close_orphans(&mut self, now: Mono) {
        let (legs, limits, lease) = (&self.legs, &self.limits, self.limits.orphan);
        let quiet = |held: &Held| legs.get(held.slot).is_none_or(|leg| leg.is_quiet(now, limits));
        let orphans: Vec<CallId> = self
            .calls
            .values()
            .filter(|call| !call.legs.is_empty() && now.since(call.commanded) >= lease && call.legs.iter().all(quiet))
            .map(|call| call.id)
            .collect();
        for id in orphans {
            tracing::warn!(call = %id, "closed: no command and no media for {} s", lease.as_secs());
            self.tally.counters.orphans += 1;
            self.close(id, now);
        }
    }

    /// What is over is remembered for orders that come late. A call all of whose legs were closed one by one is over, or
    /// comes back with another leg: then it begins anew.
    fn forget(&mut self, now: Mono) {
        let remember = self.limits.remember_ended;
        self.ended.retain(|_, ended| now.since(ended.at) < remember);
        self.calls.retain(|_, call| !call.legs.is_empty() || now.since(call.commanded) < remember);
    }

    fn close_all(&mut self, now: Mono) {
        let ids: Vec<CallId> = self.calls.keys().copied().collect();
        ids.into_iter().for_each(|id| self.close(id, now));
    }

    /// Time to sleep: until the next frame, flush or look, in whole milliseconds, rounded up.
    fn wait(&self, now: Mono) -> Timespec {
        let due = self.next_mind.since(now);
        let due = self.wheel.wait(now).map_or(due, |frame| frame.min(due));
        let due = self.outlet.wait(now).map_or(due, |flush| flush.min(due));
        let due = if self.backlog.is_empty() { due } else { Duration::ZERO };
        let millis = due.as_micros().div_ceil(1000) as i64;
        Timespec { tv_sec: millis / 1000, tv_nsec: millis % 1000 * 1_000_000 }
    }

    fn drain_wake(&self) {
        let mut count = [0; 8];
        // Only there to make the descriptor quiet again; it is non-blocking.
        let _ = rustix::io::read(&*self.wake, &mut count);
    }
}

//! What media threads and the link share about other relays.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};

use bytes::Bytes;
use strowger_media::RelayStats;
use strowger_model::{CallId, LegKey, Mono, PeerId, RelayId};

use super::inbox::{Arrival, Inbox};
use super::meter::{HopStats, Meter};
use super::{Carrier, parcel};

pub(crate) struct Hops {
    me: RelayId,
    /// Weak, because the link's handler leads back here.
    carrier: OnceLock<Weak<dyn Carrier>>,
    meters: Mutex<BTreeMap<RelayId, Arc<Meter>>>,
    /// One for each media thread.
    inboxes: Vec<Inbox>,
    /// The threads that hear a leg. Written by orders, read once a datagram.
    listeners: RwLock<HashMap<LegKey, Vec<usize>>>,
    /// Datagrams of peers that are no relays.
    strangers: AtomicU64,
}

impl Hops {
    pub(crate) fn new(me: RelayId, inboxes: Vec<Inbox>) -> Self {
        Self {
            me,
            carrier: OnceLock::new(),
            meters: Mutex::default(),
            inboxes,
            listeners: RwLock::default(),
            strangers: AtomicU64::new(0),
        }
    }

    pub(crate) fn me(&self) -> RelayId {
        self.me
    }

    pub(crate) fn threads(&self) -> usize {
        self.inboxes.len()
    }

    /// A thread has legs that hear that one, or none any more.
    pub(crate) fn listen(&self, thread: usize, source: LegKey, listens: bool) {
        let mut listeners = self.listeners.write().unwrap_or_else(PoisonError::into_inner);
        let threads = listeners.entry(source).or_default();
        threads.retain(|other| *other != thread);
        if listens {
            threads.push(thread);
        } else if threads.is_empty() {
            listeners.remove(&source);
        }
    }

    /// Whether that came from a leg of that very thread, on its way to others.
    pub(crate) fn is_own(&self, from: RelayId, source: LegKey, thread: usize) -> bool {
        from == self.me && self.thread_of(source.call) == thread
    }

    pub(crate) fn carry_with(&self, carrier: Weak<dyn Carrier>) {
        // A relay has one link from its start to its end.
        let _first = self.carrier.set(carrier);
    }

    pub(crate) fn carrier(&self) -> Option<Arc<dyn Carrier>> {
        self.carrier.get()?.upgrade()
    }

    pub(crate) fn meter(&self, peer: RelayId) -> Arc<Meter> {
        self.lock().entry(peer).or_default().clone()
    }

    pub(crate) fn inbox(&self, thread: usize) -> &Inbox {
        &self.inboxes[thread]
    }

    /// Judges a datagram and hands it to the threads whose legs hear it.
    pub(crate) fn take(&self, from: PeerId, datagram: &Bytes, now: Mono) {
        let PeerId::Relay(from) = from else {
            self.strangers.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let meter = self.meter(from);
        let Some(head) = parcel::read(datagram) else { return meter.drop_packets(1) };
        if !meter.came(head, now) {
            return;
        }
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        let wanted_by = |source: LegKey, thread: usize| {
            listeners.get(&source).is_some_and(|threads| threads.contains(&thread))
                && !self.is_own(from, source, thread)
        };
        let threads = 0..self.inboxes.len();
        let heard = |packet: &parcel::Packet<'_>| threads.clone().any(|thread| wanted_by(packet.source, thread));
        meter.drop_packets(parcel::packets(datagram).filter(|packet| !heard(packet)).count() as u8);
        for thread in threads.clone() {
            let wanted = parcel::packets(datagram).filter(|packet| wanted_by(packet.source, thread)).count() as u8;
            if wanted == 0 {
                continue;
            }
            let arrival = Arrival { from, meter: meter.clone(), datagram: datagram.clone(), wanted };
            if let Some(gone) = self.inboxes[thread].put(arrival) {
                gone.meter.drop_packets(gone.wanted);
            }
        }
    }

    pub(crate) fn thread_of(&self, call: CallId) -> usize {
        thread_of(call, self.inboxes.len())
    }

    pub(crate) fn stats(&self) -> Vec<HopStats> {
        self.lock().iter().map(|(peer, meter)| meter.stats(*peer)).collect()
    }

    pub(crate) fn add_to(&self, sum: &mut RelayStats) {
        for hop in self.stats() {
            sum.hop_packets_out += hop.packets_out;
            sum.hop_packets_in += hop.packets_in;
            sum.hop_late += hop.late;
            sum.hop_lost += hop.lost;
            sum.hop_dropped += hop.dropped;
        }
        sum.hop_dropped += self.strangers.load(Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RelayId, Arc<Meter>>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call stays with one thread. Its number is spread first: neighbours would share one otherwise.
pub(crate) fn thread_of(call: CallId, threads: usize) -> usize {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    (call.0.wrapping_mul(GOLDEN) >> 32) as usize % threads
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use rustix::event::{EventfdFlags, eventfd};
    use strowger_model::NodeId;

    use super::*;
    use crate::hop::parcel::Parcel;
    use crate::hop::parcel::tests::packet;

    const PEER: PeerId = PeerId::Relay(RelayId(2));

    fn hops(threads: usize) -> Hops {
        let inbox = |_| Inbox::new(Arc::new(eventfd(0, EventfdFlags::NONBLOCK).unwrap()));
        Hops::new(RelayId(1), (0..threads).map(inbox).collect())
    }

    fn key(call: u64) -> LegKey {
        packet(call, &[]).source
    }

    fn datagram(calls: &[u64], number: u32, stamp: u32) -> Bytes {
        let mut parcel = Parcel::default();
        calls.iter().for_each(|call| parcel.push(&packet(*call, &[0; 20])));
        parcel.seal(0, number, stamp)
    }

    fn waiting(hops: &Hops, thread: usize) -> usize {
        let mut taken = VecDeque::new();
        hops.inbox(thread).swap(&mut taken);
        taken.len()
    }

    #[test]
    fn late_datagrams_are_dropped_and_counted() {
        let hops = hops(1);
        [1, 2].iter().for_each(|&call| hops.listen(0, key(call), true));
        for (number, (stamp_ms, at_ms)) in [(0, 0), (20, 20), (40, 101), (60, 60)].into_iter().enumerate() {
            hops.take(PEER, &datagram(&[1, 2], number as u32 * 2, stamp_ms * 1000), Mono::from_millis(at_ms));
        }
        let stats = &hops.stats()[0];
        assert_eq!((stats.packets_in, stats.late, stats.lost, stats.dropped, stats.datagrams_in), (6, 2, 0, 0, 4));
        assert_eq!(waiting(&hops, 0), 3);
    }

    #[test]
    fn strangers_and_damage_are_dropped_and_counted() {
        let hops = hops(1);
        hops.take(PeerId::Node(NodeId(1)), &datagram(&[1], 0, 0), Mono(0));
        hops.take(PEER, &Bytes::from("noise"), Mono(0));
        let mut sum = RelayStats::default();
        hops.add_to(&mut sum);
        assert_eq!((sum.hop_dropped, sum.hop_packets_in, waiting(&hops, 0)), (2, 0, 0));
    }

    #[test]
    fn each_thread_gets_what_its_legs_hear() {
        let hops = hops(4);
        hops.listen(0, key(1), true);
        hops.listen(2, key(1), true);
        hops.listen(2, key(2), true);
        hops.listen(3, key(3), true);
        hops.listen(3, key(3), false);
        hops.take(PEER, &datagram(&[1, 3], 0, 0), Mono(0));
        hops.take(PEER, &datagram(&[2], 2, 0), Mono(0));
        let counts: Vec<usize> = (0..4).map(|thread| waiting(&hops, thread)).collect();
        assert_eq!(counts, [1, 0, 2, 0]);
        hops.take(PEER, &datagram(&[3, 2, 4], 3, 0), Mono(0));
        // 3 twice, and 4.
        assert_eq!((hops.stats()[0].dropped, waiting(&hops, 2), waiting(&hops, 3)), (3, 1, 0));
    }

    #[test]
    fn a_hop_to_oneself_ends_on_other_threads() {
        let hops = hops(2);
        let of = |thread| (0..).find(|call| hops.thread_of(CallId(*call)) == thread).unwrap();
        for (call, thread) in [(of(0), 0), (of(0), 1), (of(1), 1)] {
            hops.listen(thread, key(call), true);
        }
        hops.take(PeerId::Relay(RelayId(1)), &datagram(&[of(0), of(1)], 0, 0), Mono(0));
        assert_eq!((waiting(&hops, 0), waiting(&hops, 1)), (0, 1));
        assert!(hops.is_own(RelayId(1), key(of(0)), 0) && !hops.is_own(RelayId(2), key(of(0)), 0));
    }
}

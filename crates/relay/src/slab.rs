//! The legs of one thread, found by number without hashing.

use crate::leg::Leg;

/// A leg's place. It may be another leg's later on; a [`Ticket`] tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot(pub(crate) u32);

/// What epoll gives back: a place, its tenant's generation, and which of the two sockets. An event that was gathered before
/// a leg was closed does not reach the leg that got its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ticket {
    pub(crate) slot: Slot,
    generation: u32,
    pub(crate) rtcp: bool,
}

#[derive(Default)]
pub(crate) struct Slab {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Place {
    generation: u32,
    leg: Option<Leg>,
}

/// A ticket keeps 31 bits of the generation.
const GENERATION_MASK: u32 = u32::MAX >> 1;

impl Ticket {
    pub(crate) fn to_u64(self) -> u64 {
        u64::from(self.generation) << 33 | u64::from(self.slot.0) << 1 | u64::from(self.rtcp)
    }

    pub(crate) fn from_u64(bits: u64) -> Self {
        Self { slot: Slot((bits >> 1) as u32), generation: (bits >> 33) as u32, rtcp: bits & 1 == 1 }
    }
}

impl Slab {
    /// The place the next leg gets.
    pub(crate) fn vacant(&self) -> Slot {
        Slot(self.free.last().copied().unwrap_or(self.places.len() as u32))
    }

    pub(crate) fn ticket(&self, slot: Slot, rtcp: bool) -> Ticket {
        let generation = self.places.get(slot.0 as usize).map_or(0, |place| place.generation);
        Ticket { slot, generation, rtcp }
    }

    pub(crate) fn insert(&mut self, leg: Leg) -> Slot {
        let slot = self.vacant();
        match self.free.pop() {
            Some(at) => self.places[at as usize].leg = Some(leg),
            None => self.places.push(Place { generation: 0, leg: Some(leg) }),
        }
        slot
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Leg> {
        let place = self.places.get_mut(slot.0 as usize)?;
        let leg = place.leg.take()?;
        place.generation = (place.generation + 1) & GENERATION_MASK;
        self.free.push(slot.0);
        Some(leg)
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Leg> {
        self.places.get(slot.0 as usize)?.leg.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut Leg> {
        self.places.get_mut(slot.0 as usize)?.leg.as_mut()
    }

    /// The leg a ticket was made for, if it is still there.
    pub(crate) fn by_ticket(&mut self, ticket: Ticket) -> Option<&mut Leg> {
        let place = self.places.get_mut(ticket.slot.0 as usize)?;
        place.leg.as_mut().filter(|_| place.generation == ticket.generation)
    }

    pub(crate) fn count(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Every `parts`-th leg, beginning with `part`.
    pub(crate) fn part(&mut self, part: usize, parts: usize) -> impl Iterator<Item = &mut Leg> {
        self.places.iter_mut().skip(part).step_by(parts).filter_map(|place| place.leg.as_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_survives_the_kernel() {
        let ticket = Ticket { slot: Slot(u32::MAX - 1), generation: GENERATION_MASK, rtcp: true };
        assert_eq!(Ticket::from_u64(ticket.to_u64()), ticket);
        let ticket = Ticket { slot: Slot(5), generation: 0, rtcp: false };
        assert_eq!(Ticket::from_u64(ticket.to_u64()), ticket);
        assert_ne!(ticket.to_u64(), u64::MAX);
    }
}

//! Who has an actor here, and what waits for it. The registry is the mailbox: what was told to an actor that breaks is
//! there for the next. ractor's own registry is global to the process and is not used.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ractor::{Actor, ActorRef};
use strowger_model::Mono;

/// A row whose actors broke so often within `BROKEN_WITHIN` breaks them itself, or something that it is told does.
pub(crate) const BROKEN_MAX: u32 = 3;
const BROKEN_WITHIN: Duration = Duration::from_secs(60);

/// What an actor is told.
pub(crate) trait News: Clone {
    /// Whether the next actor needs it if this one breaks: what nobody says again.
    fn lasts(&self) -> bool;

    /// Whether it is let in behind what waits already.
    fn fits(&self, waiting: &VecDeque<Self>) -> bool {
        let _any = waiting;
        true
    }

    /// A row: the epoch of its owner. One later than that of an actor that broke begins the next.
    fn epoch(&self) -> Option<u64> {
        None
    }
}

/// An actor, as the registry holds it.
pub(crate) trait Hand {
    /// Something waits for it.
    fn wake(&self);
    fn stop(&self);
    /// Breaks off what it is about.
    fn kill(&self);
}

/// What the registry casts to an actor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wake;

impl<M: ractor::Message + From<Wake>> Hand for ActorRef<M> {
    fn wake(&self) {
        // One that has just ended hears nothing; what waits is for the next.
        let _ended = self.cast(Wake.into());
    }

    fn stop(&self) {
        self.get_cell().stop(None);
    }

    fn kill(&self) {
        self.get_cell().kill();
    }
}

/// Names an actor for the registry: the one that had the seat before is another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ticket(u64);

#[derive(Debug)]
pub(crate) struct Registry<K, N, H> {
    seats: Mutex<Seats<K, N, H>>,
}

#[derive(Debug)]
struct Seats<K, N, H> {
    last: u64,
    /// Nobody is begun any more.
    closed: bool,
    by_key: HashMap<K, Seat<N, H>>,
    /// How often a key's actors broke lately, and when the first did.
    breaks: HashMap<K, (u32, Mono)>,
}

#[derive(Debug)]
struct Seat<N, H> {
    ticket: Ticket,
    /// Of the owner when the actor began.
    epoch: u64,
    actor: State<H>,
    waiting: VecDeque<N>,
    /// What its actor remembers is of use until then, whether it has work or not.
    lingers: Mono,
}

#[derive(Debug)]
enum State<H> {
    Starting,
    Running {
        hand: H,
        /// It was woken, and has not yet found that nothing waits.
        awake: bool,
    },
    Broken,
}

impl<K: Copy + Ord + Hash, N: News, H: Hand> Registry<K, N, H> {
    pub fn new() -> Self {
        Self { seats: Mutex::new(Seats { last: 0, closed: false, by_key: HashMap::new(), breaks: HashMap::new() }) }
    }

    pub fn len(&self) -> usize {
        self.lock().by_key.len()
    }

    pub fn has(&self, key: K) -> bool {
        self.lock().by_key.contains_key(&key)
    }

    /// False if there is nobody, or one that broke before what is told: then an actor is to be begun.
    pub fn tell(&self, key: K, news: N) -> bool {
        let mut seats = self.lock();
        let Some(seat) = seats.by_key.get_mut(&key) else { return false };
        let is_broken = matches!(seat.actor, State::Broken);
        if is_broken && news.epoch().is_some_and(|epoch| epoch > seat.epoch) {
            return false;
        }
        if is_broken && !news.lasts() || !news.fits(&seat.waiting) {
            return true;
        }
        seat.waiting.push_back(news);
        if let State::Running { hand, awake } = &mut seat.actor
            && !std::mem::replace(awake, true)
        {
            hand.wake();
        }
        true
    }

    /// Takes the seat for an actor that is about to start; none if there is one. It hears `first` before what its
    /// predecessor left.
    pub fn begin(&self, key: K, epoch: u64, first: Option<N>) -> Option<Ticket> {
        let mut seats = self.lock();
        let seats = &mut *seats;
        if seats.closed {
            return None;
        }
        let ticket = Ticket(seats.last + 1);
        let mut waiting = match seats.by_key.get_mut(&key) {
            Some(Seat { actor: State::Broken, waiting, .. }) => std::mem::take(waiting),
            Some(_) => return None,
            None => VecDeque::new(),
        };
        first.into_iter().for_each(|first| waiting.push_front(first));
        seats.last += 1;
        seats.by_key.insert(key, Seat { ticket, epoch, actor: State::Starting, waiting, lingers: Mono::ZERO });
        Some(ticket)
    }

    /// The actor runs.
    pub fn seat(&self, key: K, ticket: Ticket, hand: H) {
        let mut seats = self.lock();
        match seats.by_key.get_mut(&key).filter(|seat| seat.ticket == ticket) {
            Some(seat) => {
                let awake = !seat.waiting.is_empty();
                if awake {
                    hand.wake();
                }
                seat.actor = State::Running { hand, awake };
            }
            // Forgotten while it started.
            None => hand.stop(),
        }
    }

    /// The next that waits. With none the actor sleeps until it is woken.
    pub fn take(&self, key: K, ticket: Ticket) -> Option<N> {
        self.with(key, ticket, |seat| match seat.waiting.pop_front() {
            None => {
                seat.sleep();
                None
            }
            news => news,
        })?
    }

    /// The first that wait, which stay until they are settled: the next actor finds them, should this one break over
    /// them. With none the actor sleeps until it is woken.
    pub fn peek(&self, key: K, ticket: Ticket, most: usize) -> Vec<N> {
        let first = self.with(key, ticket, |seat| {
            if seat.waiting.is_empty() {
                seat.sleep();
            }
            seat.waiting.iter().take(most).cloned().collect()
        });
        first.unwrap_or_default()
    }

    /// The first `count` are done with, but for the `rest`.
    pub fn settle(&self, key: K, ticket: Ticket, count: usize, rest: Vec<N>) {
        let _gone = self.with(key, ticket, |seat| {
            seat.waiting.drain(..count.min(seat.waiting.len()));
            rest.into_iter().rev().for_each(|news| seat.waiting.push_front(news));
        });
    }

    /// An actor ended. If it broke, how often that happened lately: who stops in order leaves the seat before.
    pub fn ended(&self, key: K, ticket: Ticket, now: Mono) -> Option<u32> {
        self.with(key, ticket, |seat| {
            seat.actor = State::Broken;
            seat.waiting.retain(N::lasts);
        })?;
        let breaks = &mut self.lock().breaks;
        breaks.retain(|_, (_, since)| now.since(*since) < BROKEN_WITHIN);
        let (times, _) = breaks.entry(key).or_insert((0, now));
        *times += 1;
        Some(*times)
    }

    /// How often the actors of a key broke lately.
    pub fn breaks(&self, key: K) -> u32 {
        self.lock().breaks.get(&key).map_or(0, |(times, _)| *times)
    }

    /// An actor leaves its seat in order.
    pub fn leave(&self, key: K, ticket: Ticket) {
        let mut seats = self.lock();
        if seats.by_key.get(&key).is_some_and(|seat| seat.ticket == ticket) {
            seats.by_key.remove(&key);
        }
    }

    /// An actor has nothing to do here any more.
    pub fn stop(&self, key: K) {
        if let Some(Seat { actor: State::Running { hand, .. }, .. }) = self.lock().by_key.remove(&key) {
            hand.stop();
        }
    }

    /// The same, unless something waits for it or it lingers.
    pub fn stop_idle(&self, key: K, now: Mono) {
        let mut seats = self.lock();
        if seats.by_key.get(&key).is_some_and(|seat| seat.waiting.is_empty() && seat.lingers <= now)
            && let Some(Seat { actor: State::Running { hand, .. }, .. }) = seats.by_key.remove(&key)
        {
            hand.stop();
        }
    }

    /// The node ends: what its actors have not done is for the heirs of their rows.
    pub fn close(&self) {
        let mut seats = self.lock();
        seats.closed = true;
        for seat in std::mem::take(&mut seats.by_key).into_values() {
            if let State::Running { hand, .. } = seat.actor {
                hand.kill();
            }
        }
    }

    pub fn keys(&self) -> Vec<K> {
        self.lock().by_key.keys().copied().collect()
    }

    /// It stays until then, with work or without.
    pub fn linger(&self, key: K, ticket: Ticket, until: Mono) {
        let _gone = self.with(key, ticket, |seat| seat.lingers = until);
    }

    pub fn lingers(&self, key: K, now: Mono) -> bool {
        self.lock().by_key.get(&key).is_some_and(|seat| seat.lingers > now)
    }

    /// Every seat, and whether an actor is there or is being started.
    pub fn seats(&self) -> BTreeMap<K, bool> {
        self.lock().by_key.iter().map(|(key, seat)| (*key, !matches!(seat.actor, State::Broken))).collect()
    }

    fn with<T>(&self, key: K, ticket: Ticket, work: impl FnOnce(&mut Seat<N, H>) -> T) -> Option<T> {
        self.lock().by_key.get_mut(&key).filter(|seat| seat.ticket == ticket).map(work)
    }

    fn lock(&self) -> MutexGuard<'_, Seats<K, N, H>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N, H> Seat<N, H> {
    fn sleep(&mut self) {
        if let State::Running { awake, .. } = &mut self.actor {
            *awake = false;
        }
    }
}

/// Gives a seat that was begun to a new actor, and ends with it: how often the seat's actors broke lately, if it broke.
pub(crate) async fn sit<K, N, A>(
    registry: &Registry<K, N, ActorRef<A::Msg>>,
    (key, ticket): (K, Ticket),
    (actor, start): (A, A::Arguments),
    now: impl Fn() -> Mono,
) -> Option<u32>
where
    K: Copy + Ord + Hash,
    N: News,
    A: Actor,
    A::Msg: From<Wake>,
{
    match Actor::spawn(None, actor, start).await {
        Ok((actor, ended)) => {
            registry.seat(key, ticket, actor);
            // How it ended shows in its seat.
            let _ended = ended.await;
        }
        Err(fault) => tracing::error!(%fault, "an actor did not start"),
    }
    registry.ended(key, ticket, now())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// A number that is said once, a word that is said again, a row.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Said {
        Once(u8),
        Again,
        Row(u64),
    }

    impl News for Said {
        fn lasts(&self) -> bool {
            matches!(self, Said::Once(_))
        }

        fn fits(&self, waiting: &VecDeque<Self>) -> bool {
            waiting.len() < 4
        }

        fn epoch(&self) -> Option<u64> {
            match self {
                Said::Row(epoch) => Some(*epoch),
                Said::Once(_) | Said::Again => None,
            }
        }
    }

    #[derive(Clone, Default)]
    struct Counted(Rc<RefCell<(u32, u32)>>);

    impl Hand for Counted {
        fn wake(&self) {
            self.0.borrow_mut().0 += 1;
        }

        fn stop(&self) {
            self.0.borrow_mut().1 += 1;
        }

        fn kill(&self) {
            self.stop();
        }
    }

    impl Counted {
        fn wakes(&self) -> u32 {
            self.0.borrow().0
        }

        fn stops(&self) -> u32 {
            self.0.borrow().1
        }
    }

    type Bench = Registry<u8, Said, Counted>;

    fn running() -> (Bench, Ticket, Counted) {
        let (bench, actor) = (Bench::new(), Counted::default());
        let ticket = bench.begin(1, 5, None).unwrap();
        bench.seat(1, ticket, actor.clone());
        (bench, ticket, actor)
    }

    fn all(bench: &Bench, ticket: Ticket) -> Vec<Said> {
        std::iter::from_fn(|| bench.take(1, ticket)).collect()
    }

    #[test]
    fn what_comes_while_an_actor_starts_waits_for_it_behind_its_row() {
        let (bench, actor) = (Bench::new(), Counted::default());
        assert!(!bench.tell(1, Said::Again), "there is nobody");
        let ticket = bench.begin(1, 5, Some(Said::Row(5))).unwrap();
        assert_eq!(bench.begin(1, 5, None), None, "one at a time");
        assert!(bench.tell(1, Said::Again) && bench.tell(1, Said::Row(6)));
        bench.seat(1, ticket, actor.clone());
        assert_eq!(actor.wakes(), 1);
        assert_eq!(all(&bench, ticket), [Said::Row(5), Said::Again, Said::Row(6)]);
    }

    #[test]
    fn an_actor_is_woken_once_until_it_has_found_nothing() {
        let (bench, ticket, actor) = running();
        assert_eq!(actor.wakes(), 0);
        assert!(bench.tell(1, Said::Again) && bench.tell(1, Said::Again));
        assert_eq!(actor.wakes(), 1);
        assert_eq!(all(&bench, ticket).len(), 2);
        bench.tell(1, Said::Again);
        assert_eq!(actor.wakes(), 2);
        assert_eq!((bench.peek(1, ticket, 9).len(), bench.peek(1, ticket, 9).len()), (1, 1));
        bench.settle(1, ticket, 1, Vec::new());
        assert_eq!(bench.peek(1, ticket, 9), []);
        bench.tell(1, Said::Again);
        assert_eq!(actor.wakes(), 3);
    }

    #[test]
    fn what_is_said_once_is_for_the_next_if_an_actor_breaks() {
        let (bench, ticket, actor) = running();
        for news in [Said::Once(1), Said::Again, Said::Row(5), Said::Once(2)] {
            bench.tell(1, news);
        }
        assert_eq!(bench.take(1, ticket), Some(Said::Once(1)), "over which it breaks");
        assert_eq!(bench.ended(1, ticket, Mono(1)), Some(1));
        assert_eq!(bench.seats(), [(1, false)].into());
        assert!(bench.tell(1, Said::Row(5)) && bench.tell(1, Said::Again) && bench.tell(1, Said::Once(3)));
        assert!(!bench.tell(1, Said::Row(6)), "a later epoch begins the next");
        for number in 4..9 {
            assert!(bench.tell(1, Said::Once(number)), "there is one, if what it is told is too much");
        }
        let next = bench.begin(1, 6, Some(Said::Row(6))).unwrap();
        bench.seat(1, next, actor.clone());
        assert_eq!(all(&bench, ticket), [], "the seat is another's");
        let kept = [2, 3, 4, 5].map(Said::Once);
        assert_eq!(all(&bench, next), [[Said::Row(6)].as_slice(), kept.as_slice()].concat());
    }

    #[test]
    fn what_an_actor_has_not_settled_is_the_next_ones() {
        let (bench, ticket, actor) = running();
        for number in 1..=4 {
            bench.tell(1, Said::Once(number));
        }
        assert_eq!(bench.peek(1, ticket, 2), [Said::Once(1), Said::Once(2)]);
        bench.settle(1, ticket, 2, vec![Said::Once(2)]);
        assert_eq!(bench.ended(1, ticket, Mono(1)), Some(1));
        let next = bench.begin(1, 5, None).unwrap();
        bench.settle(1, ticket, 1, Vec::new());
        bench.seat(1, next, actor);
        assert_eq!(all(&bench, next), [2, 3, 4].map(Said::Once));
    }

    #[test]
    fn who_leaves_in_order_did_not_break() {
        let (bench, ticket, actor) = running();
        bench.leave(1, ticket);
        assert_eq!((bench.ended(1, ticket, Mono(1)), bench.len(), bench.breaks(1)), (None, 0, 0));
        let ticket = bench.begin(1, 5, None).unwrap();
        bench.stop(1);
        bench.seat(1, ticket, actor.clone());
        assert_eq!((actor.stops(), bench.len()), (1, 0), "forgotten while it started");
        let ticket = bench.begin(1, 5, None).unwrap();
        bench.seat(1, ticket, actor.clone());
        bench.stop(1);
        assert_eq!((actor.stops(), bench.ended(1, ticket, Mono(1))), (2, None));
    }

    #[test]
    fn who_has_nothing_to_do_stays_while_its_memory_is_of_use() {
        let (bench, ticket, actor) = running();
        bench.tell(1, Said::Again);
        bench.stop_idle(1, Mono(1));
        assert_eq!(bench.take(1, ticket), Some(Said::Again));
        bench.linger(1, ticket, Mono(5));
        bench.stop_idle(1, Mono(4));
        assert_eq!((actor.stops(), bench.lingers(1, Mono(4))), (0, true));
        bench.stop_idle(1, Mono(5));
        assert_eq!((actor.stops(), bench.len()), (1, 0));
    }

    #[test]
    fn breaks_are_counted_for_a_minute() {
        let bench = Bench::new();
        let count = |at_s: u64| {
            let ticket = bench.begin(1, 5, None).unwrap();
            bench.ended(1, ticket, Mono(at_s * 1_000_000))
        };
        assert_eq!([count(1), count(2), count(60), count(61), count(62)], [1, 2, 3, 1, 2].map(Some));
    }

    #[test]
    fn who_sits_when_the_node_ends_goes_and_nobody_comes() {
        let (bench, ticket, actor) = running();
        let starting = bench.begin(2, 5, None).unwrap();
        bench.close();
        assert_eq!((actor.stops(), bench.ended(1, ticket, Mono(1)), bench.len()), (1, None, 0));
        bench.seat(2, starting, actor.clone());
        assert_eq!((actor.stops(), bench.begin(1, 5, None)), (2, None));
    }
}

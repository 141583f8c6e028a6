//! Who has an actor here, and what waits for it. The registry is the mailbox: what was told to an actor that breaks is
//! there for the next. ractor's own registry is global to the process and is not used.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ractor::{Actor, ActorRef};
use strowger_model::Mono;

#[cfg(test)]
mod tests;

/// A row whose actors broke so often within `BROKEN_WITHIN` breaks them itself, or something that it is told does.
pub(crate) const BROKEN_MAX: u32 = 3;
const BROKEN_WITHIN: Duration = Duration::from_secs(60);
/// For all actors together to do what they have sent themselves, which takes each some microseconds.
const FINISH: Duration = Duration::from_secs(1);

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
        self.hand(key, news).is_none()
    }

    /// The same; what nobody was told comes back.
    pub fn hand(&self, key: K, news: N) -> Option<N> {
        let mut seats = self.lock();
        let Some(seat) = seats.by_key.get_mut(&key) else { return Some(news) };
        let is_broken = matches!(seat.actor, State::Broken);
        if is_broken && news.epoch().is_some_and(|epoch| epoch > seat.epoch) {
            return Some(news);
        }
        if is_broken && !news.lasts() || !news.fits(&seat.waiting) {
            return None;
        }
        seat.waiting.push_back(news);
        if let State::Running { hand, awake } = &mut seat.actor
            && !std::mem::replace(awake, true)
        {
            hand.wake();
        }
        None
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

    /// An actor leaves its seat in order; what still waits there is nobody's.
    pub fn leave(&self, key: K, ticket: Ticket) -> VecDeque<N> {
        let mut seats = self.lock();
        match seats.by_key.get(&key).is_some_and(|seat| seat.ticket == ticket) {
            true => seats.by_key.remove(&key).map(|seat| seat.waiting).unwrap_or_default(),
            false => VecDeque::new(),
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
        self.clear().iter().for_each(Hand::kill);
    }

    /// Takes every seat, with nobody begun any more; who sat there.
    fn clear(&self) -> Vec<H> {
        let mut seats = self.lock();
        seats.closed = true;
        let hands = std::mem::take(&mut seats.by_key).into_values().map(|seat| seat.actor);
        hands.filter_map(|actor| if let State::Running { hand, .. } = actor { Some(hand) } else { None }).collect()
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

impl<K: Copy + Ord + Hash, N: News, M: ractor::Message + From<Wake>> Registry<K, N, ActorRef<M>> {
    /// The same, but each actor does first what it has sent itself; nothing more is told to it.
    pub async fn finish(&self) {
        let actors = self.clear();
        for actor in &actors {
            // One that has just ended has nothing left to do.
            let _ended = actor.drain();
        }
        let ended = async {
            for actor in &actors {
                let _ended = actor.wait(None).await;
            }
        };
        if tokio::time::timeout(FINISH, ended).await.is_err() {
            tracing::warn!("actors stand still, and are killed");
            actors.iter().for_each(|actor| actor.kill());
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
    // The start is over at once and the seat stays for hours: its future is not kept.
    match Box::pin(Actor::spawn(None, actor, start)).await {
        Ok((actor, ended)) => {
            registry.seat(key, ticket, actor);
            // How it ended shows in its seat.
            let _ended = ended.await;
        }
        Err(fault) => tracing::error!(%fault, "an actor did not start"),
    }
    registry.ended(key, ticket, now())
}

/// One actor after another, as long as they break. None: the last one ended by itself. Of those that broke `BROKEN_MAX`
/// times the ticket: what broke them is for the caller to drop, and then the sweep begins the next.
pub(crate) async fn follow<K, N, A>(
    registry: &Registry<K, N, ActorRef<A::Msg>>,
    (key, mut ticket): (K, Ticket),
    start: impl Fn(Ticket) -> (A, A::Arguments),
    now: impl Fn() -> Mono,
) -> Option<Ticket>
where
    K: Copy + Ord + Hash + Debug,
    N: News,
    A: Actor,
    A::Msg: From<Wake>,
{
    loop {
        let times = sit(registry, (key, ticket), start(ticket), &now).await?;
        tracing::error!(actor = std::any::type_name::<A>(), ?key, times, "an actor broke");
        if times >= BROKEN_MAX {
            return Some(ticket);
        }
        ticket = registry.begin(key, 0, None)?;
    }
}

//! The media threads and the way to them.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use strowger_media::{Refusal, RelayAnswer, RelayCommand, RelayEvent, RelayStats};
use strowger_model::{CallId, Network, PeerId, RelayId};
use tokio::sync::{mpsc as events, oneshot, watch};

use crate::clock;
use crate::content_cache::ContentCache;
use crate::counters::Counters;
use crate::forbidden::Forbidden;
use crate::hop::{Carrier, HopStats, Hops, Inbox, Outlet};
use crate::leg::Tally;
use crate::ports::{self, Ports};
use crate::slab::Slab;
use crate::socket::Socket;
use crate::wheel::Wheel;
use crate::worker::{Order, WAKE, Worker};

/// What the media threads are told at their start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which relay it is.
    pub id: RelayId,
    /// Media sockets bind to it.
    pub address: IpAddr,
    /// What far ends are told, if it differs (1:1 NAT).
    pub advertise: Option<IpAddr>,
    /// A leg takes an even port and the next one.
    pub ports: Range<u16>,
    /// Where other relays of the cluster are, which have legs on the same ports: no media is sent there either.
    pub others: Vec<IpAddr>,
    /// Where no media is sent, beside these ports; and beside loopback, unless far ends are told a loopback address.
    pub refused: Vec<Network>,
    /// One for each core the relay may fill.
    pub threads: usize,
    /// How long things may last.
    pub limits: Limits,
}

/// Times that tests shorten.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without RTP and RTCP, while some is due, before `DeadMedia` is said.
    pub dead_media: Duration,
    /// Without a command, and without RTP or RTCP, before a call is closed.
    pub orphan: Duration,
    /// The same while a far end is to be silent (hold): that nothing comes says nothing then.
    pub agreed_silence: Duration,
    /// How long a call that is over is remembered, with its sums. A leg of it may come back before ([`strowger_media::LATE`]).
    pub remember_ended: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // RTCP comes every 5 s even from a far end that suppresses silence: two of them missing.
            dead_media: Duration::from_secs(10),
            // A cluster that lost its quorum may take a minute or two to get it back; calls without media are lost by then.
            orphan: Duration::from_secs(120),
            // The longest conversation: whoever holds, or is held, is still there.
            agreed_silence: Duration::from_secs(4 * 60 * 60),
            // As long as the table keeps ended rows: 2 × 32 s, timer B and what follows (RFC 3261, 17).
            remember_ended: Duration::from_secs(64),
        }
    }
}

/// An event and the node that owns its call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addressed {
    /// The owner of the call.
    pub to: PeerId,
    /// What happened.
    pub event: RelayEvent,
}

/// Why the media threads do not run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No socket can be bound there.
    #[error("cannot open media sockets on {address}: {source}. The relay's `address` must be one of this machine")]
    Address {
        /// As the configuration has it.
        address: IpAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The range has no pair of ports.
    #[error("the port range {}..{} has no even port followed by another; `ports` needs two for each leg", .0.start, .0.end)]
    NoPorts(Range<u16>),
    /// At least one is needed.
    #[error("`threads` is 0; the relay needs at least one media thread")]
    NoThreads,
    /// The system gives none.
    #[error("cannot start a media thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Runs the media threads; they stop when it is dropped.
pub struct Engine {
    threads: Vec<Thread>,
    hops: Arc<Hops>,
    stop: Arc<AtomicBool>,
    /// True once a thread has ended.
    ended: watch::Receiver<bool>,
}

/// How threads are told to end, and tell that one has.
struct Ends {
    stop: Arc<AtomicBool>,
    tell: watch::Sender<bool>,
}

/// Held by a thread until it ends, by a panic too.
struct Told(watch::Sender<bool>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// Answers under way.
#[must_use = "the answers are to be awaited"]
pub struct Pending {
    count: usize,
    parts: Vec<oneshot::Receiver<Vec<(usize, RelayAnswer)>>>,
}

struct Thread {
    orders: mpsc::Sender<Order>,
    wake: Arc<OwnedFd>,
    published: Arc<Mutex<Counters>>,
    handle: Option<JoinHandle<()>>,
}

/// Descriptors beside the media sockets: epoll, eventfd, link, content, log.
const OTHER_DESCRIPTORS: u64 = 256;

impl Engine {
    /// Starts the threads. Events leave by `events`; when that is full they wait in the leg's journal for an `Adopt`.
    pub fn start(
        options: Options,
        contents: Arc<ContentCache>,
        events: events::Sender<Addressed>,
    ) -> Result<Engine, EngineError> {
        check(&options)?;
        raise_descriptors(&options.ports);
        let wakes = (0..options.threads).map(|_| wake()).collect::<Result<Vec<_>, _>>()?;
        let hops = Arc::new(Hops::new(options.id, wakes.iter().cloned().map(Inbox::new).collect()));
        let (tell, ended) = watch::channel(false);
        let ends = Ends { stop: Arc::default(), tell };
        let start = |(part, wake)| start_thread(part, wake, &options, &contents, &events, &ends, &hops);
        let threads = wakes.into_iter().enumerate().map(start).collect::<Result<_, _>>()?;
        Ok(Engine { threads, hops, stop: ends.stop, ended })
    }

    /// Hands commands to the threads of their calls. Two lists submitted one after the other are carried out in that order.
    pub fn submit(&self, from: PeerId, commands: Vec<RelayCommand>) -> Pending {
        let count = commands.len();
        let mut shares: Vec<Vec<(usize, RelayCommand)>> = self.threads.iter().map(|_| Vec::new()).collect();
        for (at, command) in commands.into_iter().enumerate() {
            shares[self.thread_of(command.call)].push((at, command));
        }
        let mut parts = Vec::new();
        for (thread, share) in self.threads.iter().zip(shares).filter(|(_, share)| !share.is_empty()) {
            let (reply, part) = oneshot::channel();
            let answers = Vec::with_capacity(share.len());
            // A thread that is gone drops the reply, which `answers` reads as Stopping.
            let _ = thread.orders.send(Order { from, commands: share.into_iter(), answers, reply });
            thread.wake();
            parts.push(part);
        }
        Pending { count, parts }
    }

    /// Tells how datagrams get to other relays; without that `Export` is refused. It is for the caller to keep it alive.
    pub fn carry_with(&self, carrier: Weak<dyn Carrier>) {
        self.hops.carry_with(carrier);
    }

    /// Takes a datagram of another relay. Never waits.
    pub fn take(&self, from: PeerId, datagram: &Bytes) {
        self.hops.take(from, datagram, clock::now());
    }

    /// The hops to all relays there were any.
    pub fn hops(&self) -> Vec<HopStats> {
        self.hops.stats()
    }

    /// Sums over all threads, at most 100 ms old.
    pub fn stats(&self) -> RelayStats {
        let mut sum = RelayStats::default();
        for thread in &self.threads {
            thread.published.lock().unwrap_or_else(PoisonError::into_inner).add_to(&mut sum);
        }
        self.hops.add_to(&mut sum);
        sum
    }

    /// Returns when a thread has ended, which none does by itself.
    pub async fn thread_ended(&self) {
        let mut ended = self.ended.clone();
        // With the last of them the sender is gone, too.
        let _ended = ended.wait_for(|ended| *ended).await.is_ok();
    }

    fn thread_of(&self, call: CallId) -> usize {
        self.hops.thread_of(call)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for thread in &mut self.threads {
            thread.wake();
            let handle = thread.handle.take();
            // A media thread that was just sending may hold what held the engine last. It ends by itself.
            let joinable = handle.filter(|handle| handle.thread().id() != std::thread::current().id());
            // A thread that panicked has said so already.
            let _ = joinable.map(JoinHandle::join);
        }
    }
}

impl Pending {
    /// One answer for each command, in order.
    pub async fn answers(self) -> Vec<RelayAnswer> {
        let mut answers = vec![RelayAnswer::refused(Refusal::Stopping); self.count];
        for part in self.parts {
            for (at, answer) in part.await.unwrap_or_default() {
                answers[at] = answer;
            }
        }
        answers
    }
}

impl Thread {
    fn wake(&self) {
        // Fails only when the counter is at its limit, and then the thread is awake.
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
    }
}

fn check(options: &Options) -> Result<(), EngineError> {
    if options.threads == 0 {
        return Err(EngineError::NoThreads);
    }
    if ports::pairs(&options.ports).count() == 0 {
        return Err(EngineError::NoPorts(options.ports.clone()));
    }
    let fault = |fault: Errno| EngineError::Address { address: options.address, source: fault.into() };
    Socket::bind(SocketAddr::new(options.address, 0)).map(drop).map_err(fault)
}

fn wake() -> std::io::Result<Arc<OwnedFd>> {
    Ok(Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?))
}

#[expect(clippy::disallowed_methods, reason = "a courier has one batch of orders under way")]
fn start_thread(
    part: usize,
    wake: Arc<OwnedFd>,
    options: &Options,
    contents: &Arc<ContentCache>,
    events: &events::Sender<Addressed>,
    ends: &Ends,
    hops: &Arc<Hops>,
) -> Result<Thread, EngineError> {
    let random = getrandom::u64().map_err(std::io::Error::other)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(std::io::Error::from)?;
    epoll::add(&epoll, &wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN).map_err(std::io::Error::from)?;
    let published = Arc::new(Mutex::new(Counters::default()));
    let (orders, inbox) = mpsc::channel();
    let worker = Worker {
        epoll,
        wake: wake.clone(),
        stop: ends.stop.clone(),
        orders: inbox,
        backlog: Default::default(),
        events: events.clone(),
        published: published.clone(),
        contents: contents.clone(),
        advertised: options.advertise.unwrap_or(options.address),
        forbidden: Forbidden::new(options),
        limits: options.limits,
        cname: format!("{random:016x}"),
        ports: Ports::new(options.address, &options.ports, part, options.threads, random as u32),
        calls: Default::default(),
        ended: Default::default(),
        ears: Default::default(),
        legs: Slab::default(),
        wheel: Wheel::new(),
        tally: Tally::default(),
        outlet: Outlet::new(hops.clone(), part),
        arrivals: Default::default(),
        thread: part,
        next_mind: clock::now(),
        part: 0,
    };
    let end = Told(ends.tell.clone());
    let handle = std::thread::Builder::new().name(format!("media-{part}")).spawn(move || {
        let _told = end;
        worker.run();
    })?;
    Ok(Thread { orders, wake, published, handle: Some(handle) })
}

/// Lifts the soft limit of open files to the hard one: a leg takes two.
fn raise_descriptors(ports: &Range<u16>) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = ports.len() as u64 + OTHER_DESCRIPTORS;
    if current.is_some_and(|current| current < needed) {
        let wanted = maximum.map_or(needed, |maximum| maximum.min(needed));
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
        if raised.is_err() || wanted < needed {
            tracing::warn!(
                limit = wanted,
                needed,
                "fewer open files allowed than `ports` may need; raise LimitNOFILE (systemd) or `ulimit -n`"
            );
        }
    }
}

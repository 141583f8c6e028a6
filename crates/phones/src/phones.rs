//! The handle: what the demo and the tests hold in their hands.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::called::{CalledSpec, Dialled};
use crate::carrier::Carrier;
use crate::machine::{Machine, Sockets};
use crate::mailbox::{Letter, Mailbox};
use crate::media::Media;
use crate::options::{AgentSpec, CallSpec, PhonesOptions};
use crate::report::{Live, Report};
use crate::sip::wire::Wire;

/// Tells apart the calls placed; from 1.
pub type CallRef = u64;

/// How often `finish` looks whether all is over.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long a BYE may take after `finish` has run out of patience: some repetitions, not all of them.
const GRACE: Duration = Duration::from_secs(4);
/// How long the books may take to close: milliseconds, on any machine.
const CLOSING: Duration = Duration::from_secs(1);
/// Receive buffer asked for on a SIP socket, in bytes: 450 agents may be rung in one breath.
const SIP_BUFFER: usize = 1 << 20;

/// All telephones of a test or a demo; both threads end when it is dropped.
pub struct Phones {
    mailbox: Mailbox,
    books: Arc<Books>,
    thread: Option<JoinHandle<()>>,
    trunk_addresses: Vec<SocketAddr>,
    agent_addresses: Vec<SocketAddr>,
    carrier_addresses: Vec<SocketAddr>,
    seed: u64,
}

impl Phones {
    /// Binds the SIP sockets and starts both threads.
    pub fn start(options: PhonesOptions) -> io::Result<Phones> {
        raise_file_limit();
        let trunk = bind(&options, options.trunk_port, options.trunk_sockets.max(1))?;
        let agents = bind(&options, options.agent_port, options.agent_sockets.max(1))?;
        let carrier = bind(&options, options.carrier_port, options.carrier_sockets)?;
        let addresses = |sockets: &[UdpSocket]| sockets.iter().map(UdpSocket::local_addr).collect::<io::Result<_>>();
        let (trunk_addresses, agent_addresses) = (addresses(&trunk)?, addresses(&agents)?);
        let carrier_addresses = addresses(&carrier)?;
        let (mailbox, letters) = Mailbox::open()?;
        let lag_max_ms = Arc::new(AtomicU32::new(0));
        let media = Media::start(&options, mailbox.clone(), lag_max_ms.clone())?;
        let (first_agent, first_carrier) = (trunk.len(), trunk.len() + agents.len());
        let sockets: Vec<UdpSocket> = trunk.into_iter().chain(agents).chain(carrier).collect();
        let shares = Sockets { trunk: first_agent, agents: first_agent..first_carrier, all: sockets.len() };
        let descriptors =
            sockets.iter().map(|socket| socket.try_clone().map(OwnedFd::from)).collect::<io::Result<_>>()?;
        let wire = Wire::new(&options, sockets, media)?;
        let books = Arc::new(Books::default());
        let machine = Machine::new(wire, letters, (shares, descriptors), books.clone(), lag_max_ms)?;
        let thread = std::thread::Builder::new().name("phones-sip".into()).spawn(move || machine.run())?;
        Ok(Phones {
            mailbox,
            books,
            thread: Some(thread),
            trunk_addresses,
            agent_addresses,
            carrier_addresses,
            seed: options.seed,
        })
    }

    /// Registers and takes calls from now on, or only the latter: see [`AgentSpec::registers`].
    pub fn add_agent(&self, spec: AgentSpec) {
        self.mailbox.post(Letter::AddAgent(Box::new(spec)));
    }

    /// Agents whose registration has not run out, as of a tenth of a second ago.
    pub fn registered(&self) -> usize {
        self.live().agents_registered
    }

    /// Places a call; its report carries the number returned. After `finish` began no call is placed.
    pub fn place_call(&self, spec: CallSpec) -> CallRef {
        let call_ref = self.books.next_call.fetch_add(1, Ordering::Relaxed) + 1;
        if self.books.finishing.load(Ordering::Acquire) {
            tracing::warn!(call_ref, "no call is placed: the phones are finishing");
            return call_ref;
        }
        self.books.calls.fetch_add(1, Ordering::AcqRel);
        self.books.placed.fetch_add(1, Ordering::Relaxed);
        self.mailbox.post(Letter::PlaceCall(call_ref, Box::new(spec)));
        call_ref
    }

    /// That caller hangs up, or gives up.
    pub fn hang_up(&self, call: CallRef) {
        self.mailbox.post(Letter::HangUp(call));
    }

    /// From now on the product's calls are taken: `plan` says what each number is like, call by call, on the SIP
    /// thread. A user of an agent's name goes to that agent; the agents' own sockets serve nobody else. A second plan
    /// replaces the first and goes on with its counts.
    pub fn open_carrier(&self, plan: impl FnMut(&Dialled<'_>) -> CalledSpec + Send + 'static) {
        let carrier = Box::new(Carrier::new(self.seed, Box::new(plan)));
        self.mailbox.post_and_wait(|done| Letter::OpenCarrier(carrier, done));
    }

    /// Calls placed and not yet reported.
    pub fn calls_in_progress(&self) -> usize {
        self.books.calls.load(Ordering::Acquire)
    }

    /// The legs that ended since the last time.
    pub fn take_reports(&self) -> Vec<Report> {
        std::mem::take(&mut *self.books.reports.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// As of a tenth of a second ago.
    pub fn live(&self) -> Live {
        self.books.live.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the callers' sockets are.
    pub fn trunk_addresses(&self) -> &[SocketAddr] {
        &self.trunk_addresses
    }

    /// Where the agents' sockets are.
    pub fn agent_addresses(&self) -> &[SocketAddr] {
        &self.agent_addresses
    }

    /// Where numbers are called; empty if `carrier_sockets` is 0, and the trunk's addresses serve alone.
    pub fn carrier_addresses(&self) -> &[SocketAddr] {
        &self.carrier_addresses
    }

    /// Places no new call, waits for those in progress, then hangs up what is left and marks it `stuck`. At last
    /// the carrier closes: every further INVITE to it gets 503 and no report. Returns all reports not taken yet.
    pub fn finish(&self, within: Duration) -> Vec<Report> {
        self.books.finishing.store(true, Ordering::Release);
        if !self.wait_until_idle(within) {
            self.mailbox.post(Letter::HangUpAll);
            if !self.wait_until_idle(GRACE) {
                self.mailbox.post(Letter::Abort);
                self.wait_until_idle(CLOSING);
            }
        }
        self.mailbox.post_and_wait(Letter::CloseCarrier);
        wait_until(CLOSING, || self.books.dead_legs.load(Ordering::Acquire) == 0);
        self.take_reports()
    }

    /// Ends both threads, with no word on the wire.
    pub fn stop(mut self) {
        self.stop_threads();
    }

    fn wait_until_idle(&self, within: Duration) -> bool {
        wait_until(within, || self.calls_in_progress() == 0 && self.books.legs.load(Ordering::Acquire) == 0)
    }

    fn stop_threads(&mut self) {
        self.mailbox.post(Letter::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the phones' SIP thread panicked");
        }
    }
}

impl Drop for Phones {
    fn drop(&mut self) {
        self.stop_threads();
    }
}

/// What the SIP thread tells the handle.
#[derive(Default)]
pub(crate) struct Books {
    reports: Mutex<Vec<Report>>,
    live: Mutex<Live>,
    next_call: AtomicU64,
    placed: AtomicU64,
    /// Calls placed and not reported.
    calls: AtomicUsize,
    /// Legs that exist and end in their time.
    legs: AtomicUsize,
    /// Legs of dead numbers: they last until nobody can send their INVITE again, and nobody waits for them.
    dead_legs: AtomicUsize,
    finishing: AtomicBool,
}

impl Books {
    pub fn enter(&self, report: Report) {
        let is_call = matches!(report, Report::Caller(_));
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
        // Only now, so that who sees no call in progress finds every report.
        if is_call {
            self.calls.fetch_sub(1, Ordering::AcqRel);
        }
    }

    pub fn leg_began(&self, is_dead: bool) {
        self.legs_like(is_dead).fetch_add(1, Ordering::AcqRel);
    }

    pub fn leg_ended(&self, is_dead: bool) {
        self.legs_like(is_dead).fetch_sub(1, Ordering::AcqRel);
    }

    fn legs_like(&self, is_dead: bool) -> &AtomicUsize {
        if is_dead { &self.dead_legs } else { &self.legs }
    }

    pub fn calls_placed(&self) -> u64 {
        self.placed.load(Ordering::Relaxed)
    }

    pub fn set_live(&self, live: Live) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = live;
    }
}

/// False: it does not hold, and `within` is over.
fn wait_until(within: Duration, holds: impl Fn() -> bool) -> bool {
    let until = Instant::now() + within;
    while !holds() {
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    true
}

fn bind(options: &PhonesOptions, first_port: u16, count: u16) -> io::Result<Vec<UdpSocket>> {
    (0..count)
        .map(|n| {
            let port = if first_port == 0 { 0 } else { first_port.saturating_add(n) };
            let address = SocketAddr::new(options.local_ip, port);
            let socket = UdpSocket::bind(address)
                .map_err(|error| io::Error::new(error.kind(), format!("phones cannot bind {address}: {error}")))?;
            socket.set_nonblocking(true)?;
            // The system may grant less; then it is what every other program gets.
            let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SIP_BUFFER);
            Ok(socket)
        })
        .collect()
}

/// A socket per leg is more than the 1024 files that many systems allow at first.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        tracing::warn!(%error, "the limit of open files stays where it is");
    }
}

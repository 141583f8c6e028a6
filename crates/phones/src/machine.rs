//! The SIP thread: takes what comes from the sockets, the timers and the mailbox, and gives it to the leg or the
//! agent it is for.

mod dialled;
mod dispatch;

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::fd::{AsFd, OwnedFd};

use crate::carrier::Carrier;
use crate::leg::{Leg, LegKey, Role, Stage};
use crate::mailbox::{Letter, Letters};
use crate::media::MediaEvent;
use crate::options::{AgentSpec, CallSpec};
use crate::phones::Books;
use crate::registration::Agent;
use crate::report::{CallerReport, EndedBy, Live, Report, RtpCounts};
use crate::sip::client::Owner;
use crate::sip::message::{Message, Start};
use crate::sip::wire::{Overdue, Source, Wire};
use crate::timers::Timer;

/// How often the live figures are counted anew.
const LIVE_EVERY: Duration = Duration::from_millis(100);
/// Between the first REGISTERs of two agents: 450 of them take about two seconds and flood nobody.
const REGISTER_SPACING: Duration = Duration::from_millis(4);
/// Datagrams taken from one socket before timers and letters get their turn.
const BURST: usize = 64;
/// The largest UDP datagram.
const DATAGRAM: usize = 65_536;
const BELL: u64 = u64::MAX;

pub(crate) struct Machine {
    wire: Wire,
    letters: Letters,
    epoll: OwnedFd,
    sockets: Sockets,
    legs: HashMap<LegKey, Leg>,
    /// By Call-ID and this side's tag.
    dialogs: HashMap<(String, String), LegKey>,
    agents: Vec<Agent>,
    by_user: HashMap<String, usize>,
    carrier: Option<Carrier>,
    next_leg: LegKey,
    next_register_at: Instant,
    next_live_at: Instant,
    books: Arc<Books>,
    lag_max_ms: Arc<AtomicU32>,
    live: Live,
}

/// Whose each socket is, in the wire's order.
pub(crate) struct Sockets {
    pub trunk: usize,
    pub agents: Range<usize>,
    /// The rest is the carrier's.
    pub all: usize,
}

impl Machine {
    pub fn new(
        wire: Wire,
        letters: Letters,
        (sockets, descriptors): (Sockets, Vec<OwnedFd>),
        books: Arc<Books>,
        lag_max_ms: Arc<AtomicU32>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let readable = epoll::EventFlags::IN;
        epoll::add(&epoll, letters.bell.as_fd(), epoll::EventData::new_u64(BELL), readable)?;
        for (index, descriptor) in descriptors.iter().enumerate() {
            epoll::add(&epoll, descriptor, epoll::EventData::new_u64(index as u64), readable)?;
        }
        let now = Instant::now();
        Ok(Self {
            wire,
            letters,
            epoll,
            sockets,
            legs: HashMap::new(),
            dialogs: HashMap::new(),
            agents: Vec::new(),
            by_user: HashMap::new(),
            carrier: None,
            next_leg: 0,
            next_register_at: now,
            next_live_at: now,
            books,
            lag_max_ms,
            live: Live::default(),
        })
    }

    pub fn run(mut self) {
        let mut events = Vec::with_capacity(self.sockets.all + 1);
        let mut datagram = vec![0u8; DATAGRAM];
        loop {
            if !self.read_letters() {
                break;
            }
            let now = Instant::now();
            while let Some(timer) = self.wire.timers.due(now) {
                self.on_timer(timer, now);
            }
            if now >= self.next_live_at {
                self.next_live_at = now + LIVE_EVERY;
                self.count_live(now);
            }
            let wake_at = self.wire.timers.next_at().map_or(self.next_live_at, |at| at.min(self.next_live_at));
            self.sleep_until(wake_at, &mut events);
            for event in events.drain(..) {
                match event.data.u64() {
                    BELL => self.letters.silence_bell(),
                    socket => self.receive(socket as usize, &mut datagram),
                }
            }
        }
        self.wire.media.stop();
    }

    fn sleep_until(&self, at: Instant, events: &mut Vec<epoll::Event>) {
        let wait = at.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        // An interrupted wait brings no events, and the loop goes round.
        let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), Some(&timeout));
    }

    fn receive(&mut self, socket: usize, datagram: &mut [u8]) {
        for _ in 0..BURST {
            // Either nothing more is there, or an ICMP error says what the timers will find out too.
            let Ok((length, address)) = self.wire.receive(socket, datagram) else { return };
            self.on_datagram(&datagram[..length], Source { socket, address }, Instant::now());
        }
    }

    /// False: the phones are being stopped.
    fn read_letters(&mut self) -> bool {
        while let Ok(letter) = self.letters.letters.try_recv() {
            let now = Instant::now();
            match letter {
                Letter::Stop => return false,
                Letter::AddAgent(spec) => self.add_agent(*spec, now),
                Letter::PlaceCall(call_ref, spec) => self.place_call(call_ref, *spec, now),
                Letter::OpenCarrier(carrier, done) => {
                    self.open_carrier(*carrier);
                    // Who waits no longer needs no word.
                    let _ = done.send(());
                }
                Letter::Media(MediaEvent::AgentTone { key, at }) => {
                    self.with_leg(key, now, |leg, wire| leg.on_agent_tone(wire, at));
                }
                Letter::Media(MediaEvent::Hears { key, voices }) => {
                    self.with_leg(key, now, |leg, _| leg.hears = voices);
                }
                Letter::HangUp(call_ref) => self.for_all_legs(now, |leg, wire| {
                    if matches!(&leg.role, Role::Caller(side) if side.is(call_ref)) {
                        leg.hang_up(wire, EndedBy::Caller, now);
                    }
                }),
                Letter::Media(MediaEvent::Closed { key, stats }) => {
                    if let Some(mut leg) = self.legs.remove(&key) {
                        let report = leg.report(*stats);
                        // The report first: who sees no leg any more finds every report.
                        self.enter(report);
                        self.bury(&leg);
                    }
                }
                Letter::HangUpAll => self.for_all_legs(now, |leg, wire| {
                    // Where nobody is nothing can be stuck.
                    leg.stuck = leg.stage != Stage::Dead;
                    leg.hang_up(wire, leg.role.ends(), now);
                }),
                Letter::Abort => self.for_all_legs(now, |leg, _| leg.abort(now)),
                Letter::CloseCarrier(done) => {
                    self.close_carrier(now);
                    let _ = done.send(());
                }
            }
        }
        true
    }

    fn add_agent(&mut self, spec: AgentSpec, now: Instant) {
        let index = self.agents.len();
        let Range { start, end } = self.sockets.agents;
        let socket = start + index % (end - start).max(1);
        self.by_user.insert(spec.user.clone(), index);
        if spec.registers {
            self.next_register_at = self.next_register_at.max(now) + REGISTER_SPACING;
            self.wire.timers.set(self.next_register_at, Timer::Register(index));
        }
        let agent = Agent::new(&mut self.wire, index, socket, spec);
        self.agents.push(agent);
    }

    fn place_call(&mut self, call_ref: u64, spec: CallSpec, now: Instant) {
        let key = self.new_key();
        let socket = (call_ref as usize) % self.sockets.trunk.max(1);
        let (from, number, my_tone) = (spec.from.clone(), spec.number.clone(), spec.tone);
        match Leg::place(&mut self.wire, key, call_ref, spec, socket, now) {
            Ok(leg) => self.admit(leg),
            Err(error) => {
                tracing::error!(%error, "a call could not be placed");
                self.enter(Report::Caller(CallerReport {
                    call_ref,
                    call_id: String::new(),
                    from,
                    number,
                    placed_at: now,
                    answered_at: None,
                    final_status: 0,
                    first_agent_tone_at: None,
                    ended_at: now,
                    ended_by: EndedBy::Caller,
                    abandoned: false,
                    heard: Vec::new(),
                    checked_audio: Duration::ZERO,
                    my_tone,
                    rtp: RtpCounts::default(),
                    retransmits: 0,
                    longest_gap_ms: 0,
                    stuck: false,
                }));
            }
        }
    }

    fn new_key(&mut self) -> LegKey {
        self.next_leg += 1;
        self.next_leg
    }

    fn admit(&mut self, leg: Leg) {
        self.dialogs.insert((leg.dialog.call_id.clone(), leg.dialog.local_tag.clone()), leg.key);
        self.books.leg_began(leg.is_dead());
        self.legs.insert(leg.key, leg);
    }

    fn bury(&mut self, leg: &Leg) {
        self.dialogs.remove(&(leg.dialog.call_id.clone(), leg.dialog.local_tag.clone()));
        if let Some(invite) = leg.open_invite() {
            self.wire.forget(invite);
        }
        self.forget_dead(leg);
        self.books.leg_ended(leg.is_dead());
    }

    fn enter(&mut self, report: Report) {
        match report {
            Report::Caller(_) => self.live.calls_ended += 1,
            Report::Called(_) => self.live.called_ended += 1,
            Report::Agent(_) => {}
        }
        self.books.enter(report);
    }

    /// Does something with a leg, and closes its media if that was its end.
    fn with_leg(&mut self, key: LegKey, now: Instant, act: impl FnOnce(&mut Leg, &mut Wire)) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        act(leg, &mut self.wire);
        if leg.stage == Stage::Over && !leg.closing {
            leg.closing = true;
            self.wire.media.close(leg.slot(), now);
        }
    }

    fn for_all_legs(&mut self, now: Instant, act: impl Fn(&mut Leg, &mut Wire)) {
        let keys: Vec<LegKey> = self.legs.keys().copied().collect();
        for key in keys {
            self.with_leg(key, now, &act);
        }
    }

    fn count_live(&mut self, now: Instant) {
        let mut live = Live {
            agents: self.agents.len(),
            agents_registered: self.agents.iter().filter(|agent| agent.is_registered(now)).count(),
            calls_placed: self.books.calls_placed(),
            calls_ended: self.live.calls_ended,
            called_ended: self.live.called_ended,
            media_lag_max_ms: self.lag_max_ms.load(Ordering::Relaxed),
            ..Live::default()
        };
        for leg in self.legs.values() {
            if leg.stage == Stage::Talking && !leg.hears.is_empty() {
                live.hears.insert(leg.tone(), leg.hears.clone());
            }
            match (&leg.role, leg.stage) {
                (_, Stage::HangingUp | Stage::Refused | Stage::Dead | Stage::Over) => {}
                (Role::Agent(_), Stage::Ringing) => live.agents_ringing += 1,
                (Role::Agent(_), _) => live.agents_talking += 1,
                (Role::Caller(side), _) if side.first_agent_tone_at.is_some() => live.callers_talking += 1,
                (Role::Called(_), Stage::Ringing) => live.called_ringing += 1,
                (Role::Called(side), _) if side.first_agent_tone_at.is_some() => live.called_talking += 1,
                (Role::Called(_), _) => live.called_waiting += 1,
                (Role::Caller(_), _) => live.callers_waiting += 1,
            }
        }
        self.live = live.clone();
        self.books.set_live(live);
    }
}

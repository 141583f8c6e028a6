//! The RTP thread. It wakes every 5 ms, takes all that has arrived, and sends for a quarter of the legs: with 900
//! legs a wake-up per packet would cost more than the packets.

use std::io;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc::Receiver};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;

use super::leg::{MediaLeg, PACKET};
use super::{MediaCommand, MediaEvent};
use crate::mailbox::{Letter, Mailbox};
use crate::tone::ToneFrames;

const SUB_TICK: Duration = Duration::from_millis(5);
/// Four sub-ticks of 5 ms make a packet's 20 ms.
const GROUPS: usize = 4;
/// A thread that was starved for longer than this does not send all it missed in one burst; it goes on from now.
const CATCH_UP: Duration = Duration::from_millis(60);
/// Sockets served by one epoll call.
const EVENTS: usize = 512;
/// Rounds of receiving in one sub-tick: enough for a backlog of 8 packets a socket, and a bound in a flood.
const ROUNDS: usize = 8;
/// Larger than any RTP packet that audio makes; what is longer is cut and counts as it is.
const DATAGRAM: usize = 2048;
const NO_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

pub(super) struct Engine {
    commands: Receiver<MediaCommand>,
    mailbox: Mailbox,
    epoll: OwnedFd,
    ports: Vec<Port>,
    groups: [Vec<usize>; GROUPS],
    frames: ToneFrames,
    lag_max_ms: Arc<AtomicU32>,
    /// Tones that may sound together.
    voices: Arc<[u16]>,
}

struct Port {
    socket: UdpSocket,
    leg: Option<MediaLeg>,
}

impl Engine {
    pub fn new(
        commands: Receiver<MediaCommand>,
        mailbox: Mailbox,
        lag_max_ms: Arc<AtomicU32>,
        voices: Arc<[u16]>,
    ) -> io::Result<Self> {
        Ok(Self {
            commands,
            mailbox,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            ports: Vec::new(),
            groups: Default::default(),
            frames: ToneFrames::new(),
            lag_max_ms,
            voices,
        })
    }

    pub fn run(mut self) {
        let mut events = Vec::with_capacity(EVENTS);
        let mut next = Instant::now();
        let mut group = 0;
        loop {
            if !self.take_commands() {
                return;
            }
            self.receive(&mut events);
            let now = Instant::now();
            let late = now.saturating_duration_since(next);
            self.lag_max_ms.fetch_max(late.as_millis() as u32, Ordering::Relaxed);
            if late > CATCH_UP {
                next = now;
            }
            while next <= now {
                self.send(group, now);
                group = (group + 1) % GROUPS;
                next += SUB_TICK;
            }
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }

    /// False: the phones are being stopped.
    fn take_commands(&mut self) -> bool {
        use std::sync::mpsc::TryRecvError;
        loop {
            match self.commands.try_recv() {
                Ok(MediaCommand::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
                Ok(MediaCommand::Port(socket)) => {
                    let slot = epoll::EventData::new_u64(self.ports.len() as u64);
                    if let Err(error) = epoll::add(&self.epoll, &socket, slot, epoll::EventFlags::IN) {
                        tracing::error!(%error, "an RTP socket of the phones cannot be listened to");
                    }
                    self.ports.push(Port { socket, leg: None });
                }
                Ok(MediaCommand::Open(slot, spec)) => {
                    let group = (0..GROUPS).min_by_key(|group| self.groups[*group].len()).unwrap_or(0);
                    self.groups[group].push(slot);
                    self.ports[slot].leg = Some(MediaLeg::new(*spec, group, self.voices.clone()));
                }
                Ok(MediaCommand::Plan(slot, plan)) => {
                    if let Some(leg) = &mut self.ports[slot].leg {
                        leg.follow(plan, Instant::now());
                    }
                }
                Ok(MediaCommand::Close(slot)) => self.close(slot),
            }
        }
    }

    fn close(&mut self, slot: usize) {
        let Some(leg) = self.ports[slot].leg.take() else { return };
        self.groups[leg.group].retain(|other| *other != slot);
        let key = leg.key;
        let stats = Box::new(leg.close(Instant::now()));
        self.mailbox.post(Letter::Media(MediaEvent::Closed { key, stats }));
    }

    fn receive(&mut self, events: &mut Vec<epoll::Event>) {
        for _ in 0..ROUNDS {
            events.clear();
            let spare = rustix::buffer::spare_capacity(events);
            if epoll::wait(&self.epoll, spare, Some(&NO_WAIT)).is_err() || events.is_empty() {
                return;
            }
            let now = Instant::now();
            for event in events.iter() {
                self.receive_one(event.data.u64() as usize, now);
            }
        }
    }

    fn receive_one(&mut self, slot: usize, now: Instant) {
        let mut datagram = [0u8; DATAGRAM];
        let Some(port) = self.ports.get_mut(slot) else { return };
        // An error here is an ICMP message about something sent earlier: a relay that died. Silence tells that too.
        let Ok((length, from)) = port.socket.recv_from(&mut datagram) else { return };
        // With no leg the datagram is a late one to a resting port: read, so that epoll falls silent, and dropped.
        let Some(leg) = &mut port.leg else { return };
        if let Some(at) = leg.receive(&datagram[..length], from, now) {
            self.mailbox.post(Letter::Media(MediaEvent::AgentTone { key: leg.key, at }));
        }
    }

    fn send(&mut self, group: usize, now: Instant) {
        let mut packet = [0u8; PACKET];
        for &slot in &self.groups[group] {
            let port = &mut self.ports[slot];
            let Some(leg) = &mut port.leg else { continue };
            if let Some(voices) = leg.change(now) {
                self.mailbox.post(Letter::Media(MediaEvent::Hears { key: leg.key, voices }));
            }
            if let Some((length, remote)) = leg.tick(&self.frames, &mut packet, now) {
                // UDP promises nothing: what cannot be sent is lost, and the far end's count shows it.
                let _ = port.socket.send_to(&packet[..length], remote);
            }
        }
    }
}

//! RTP: one thread for all legs.

mod engine;
mod keys;
mod leg;
mod packet;
mod ports;
mod stream;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, atomic::AtomicU32};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::law::Law;
use crate::mailbox::Mailbox;
use crate::options::PhonesOptions;
use crate::report::RtpCounts;
use ports::PortPool;

/// What a leg's media does from now on; a new one replaces it whole.
#[derive(Clone, Debug)]
pub(crate) struct MediaPlan {
    /// Where to send; `None` until the far end has said it.
    pub remote: Option<SocketAddr>,
    pub law: Law,
    pub event_payload_type: Option<u8>,
    pub sends: bool,
    /// False on hold: then silence is no gap.
    pub receives: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct MediaLegSpec {
    /// The SIP leg it belongs to.
    pub key: u64,
    pub tone: u16,
    pub digits: String,
    pub digits_after: Duration,
    pub ssrc: u32,
    pub plan: MediaPlan,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct MediaStats {
    pub rtp: RtpCounts,
    pub heard: Vec<(u16, Duration)>,
    pub checked: Duration,
    pub longest_gap_ms: u32,
}

#[derive(Debug)]
pub(crate) enum MediaEvent {
    AgentTone {
        key: u64,
        at: Instant,
    },
    /// From now on it hears these, of the voices that may sound together.
    Hears {
        key: u64,
        voices: Vec<u16>,
    },
    Closed {
        key: u64,
        stats: Box<MediaStats>,
    },
}

pub(crate) enum MediaCommand {
    /// A new socket; slots are numbered in order.
    Port(UdpSocket),
    Open(usize, Box<MediaLegSpec>),
    Plan(usize, MediaPlan),
    Close(usize),
    Stop,
}

/// The SIP thread's end: it owns the port numbers, the RTP thread the sockets.
pub(crate) struct Media {
    commands: Sender<MediaCommand>,
    ports: PortPool,
    thread: Option<JoinHandle<()>>,
}

impl Media {
    pub fn start(options: &PhonesOptions, mailbox: Mailbox, lag_max_ms: Arc<AtomicU32>) -> io::Result<Self> {
        let (commands, receiver) = channel();
        let engine = engine::Engine::new(receiver, mailbox, lag_max_ms, options.voices.as_slice().into())?;
        let thread = std::thread::Builder::new().name("phones-rtp".into()).spawn(move || engine.run())?;
        Ok(Self { commands, ports: PortPool::new(options.local_ip, options.media_ports.clone()), thread: Some(thread) })
    }

    /// Takes a port and opens the leg on it. Returns its slot and where it listens.
    pub fn open(&mut self, spec: MediaLegSpec, now: Instant) -> io::Result<(usize, SocketAddr)> {
        let taken = self.ports.take(now)?;
        if let Some(socket) = taken.new_socket {
            self.tell(MediaCommand::Port(socket));
        }
        self.tell(MediaCommand::Open(taken.slot, Box::new(spec)));
        Ok((taken.slot, taken.address))
    }

    pub fn plan(&self, slot: usize, plan: MediaPlan) {
        self.tell(MediaCommand::Plan(slot, plan));
    }

    /// The leg's figures come as [`MediaEvent::Closed`].
    pub fn close(&mut self, slot: usize, now: Instant) {
        self.tell(MediaCommand::Close(slot));
        self.ports.give_back(slot, now);
    }

    pub fn stop(&mut self) {
        self.tell(MediaCommand::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the phones' RTP thread panicked");
        }
    }

    fn tell(&self, command: MediaCommand) {
        if self.commands.send(command).is_err() {
            tracing::error!("the phones' RTP thread is gone");
        }
    }
}

//! A relay engine and far ends on loopback, with waits that are bounded.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod relays;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use strowger_audio::rtp::{self, Header};
use strowger_audio::tone::{Bank, Tone};
use strowger_audio::{FRAME_SAMPLES, g711};
use strowger_media::content::{Content, from_mu_law};
use strowger_media::{
    Codec, Hears, Law, LegSnapshot, LegStats, MediaAddr, Op, RelayAnswer, RelayCommand, RelayEvent, RelayStats, What,
};
use strowger_model::{CallId, Digest, LegKey, LegNo, NodeId, PeerId, RelayId};
use strowger_relay::content_cache::ContentCache;
use strowger_relay::engine::{Addressed, Engine, Limits, Options};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const CALL: CallId = CallId(7);
pub const A: LegNo = LegNo(0);
pub const B: LegNo = LegNo(1);
pub const DTMF: u8 = 101;

/// Longest wait for anything; a loaded machine needs a small part of it.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Rig {
    pub engine: Engine,
    pub contents: Arc<ContentCache>,
    pub events: Receiver<Addressed>,
    runtime: Runtime,
    /// Number of the last order to hear something.
    no: AtomicU64,
}

/// The relay of a rig, which has two threads.
pub const SELF: RelayId = RelayId(9);

/// Where the relay of a rig sends nothing.
pub const REFUSED: &str = "127.9.0.0/16";

/// A leg of the usual call.
pub fn key(leg: LegNo) -> LegKey {
    LegKey { call: CALL, leg }
}

pub fn content(digest: Digest, repeat: bool, play: u64) -> Hears {
    Hears::Content { digest, repeat, play }
}

pub fn node(number: u16) -> PeerId {
    PeerId::Node(NodeId(number))
}

/// No time runs out.
pub fn patient() -> Limits {
    let long = Duration::from_secs(3600);
    Limits { dead_media: long, orphan: long, agreed_silence: long, remember_ended: long }
}

impl Rig {
    pub fn new(limits: Limits) -> Self {
        Self::with_ports(limits, 20_000..30_000)
    }

    pub fn with_ports(limits: Limits, ports: Range<u16>) -> Self {
        let contents = Arc::new(ContentCache::open(None).unwrap());
        let (sender, events) = tokio::sync::mpsc::channel(1024);
        let refused = vec![REFUSED.parse().unwrap()];
        let options = Options {
            id: SELF,
            address: LOOPBACK,
            advertise: None,
            ports,
            others: Vec::new(),
            refused,
            threads: 2,
            limits,
        };
        let engine = Engine::start(options, contents.clone(), sender).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Self { engine, contents, events, runtime, no: AtomicU64::new(0) }
    }

    pub fn perform(&self, from: PeerId, epoch: u64, call: CallId, op: Op) -> RelayAnswer {
        let pending = self.engine.submit(from, vec![RelayCommand { call, epoch, op }]);
        self.runtime.block_on(pending.answers()).remove(0)
    }

    /// As the first owner.
    pub fn order(&self, op: Op) -> RelayAnswer {
        self.perform(node(1), 1, CALL, op)
    }

    pub fn done(&self, op: Op) {
        assert_eq!(self.order(op), RelayAnswer::Done);
    }

    pub fn no(&self) -> u64 {
        self.no.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// By an order newer than all before.
    pub fn hear(&self, leg: LegNo, what: Hears) {
        self.done(Op::Hear { leg, what, no: self.no() });
    }

    /// Two legs hear each other.
    pub fn bridge(&self, a: LegNo, b: LegNo) {
        self.hear(a, Hears::leg(key(b)));
        self.hear(b, Hears::leg(key(a)));
    }

    /// A leg as a new owner finds it.
    pub fn snapshot(&self, leg: LegNo) -> LegSnapshot {
        self.adopted(1, leg).0
    }

    /// The same, and what it has to say, of the node with that number and epoch.
    pub fn adopted(&self, number: u16, leg: LegNo) -> (LegSnapshot, Vec<RelayEvent>) {
        match self.perform(node(number), u64::from(number), CALL, Op::Adopt { leg }) {
            RelayAnswer::Snapshot { leg, missed } => (*leg, missed),
            other => panic!("no snapshot: {other:?}"),
        }
    }

    pub fn close(&self, leg: LegNo) -> LegStats {
        match self.order(Op::CloseLeg { leg }) {
            RelayAnswer::Closed { leg } => leg,
            other => panic!("not closed: {other:?}"),
        }
    }

    pub fn open(&self, leg: LegNo) -> SocketAddr {
        match self.order(Op::Open { leg }) {
            RelayAnswer::Opened { rtp, rtcp } => {
                assert_eq!((rtp.port() % 2, rtcp.port()), (0, rtp.port() + 1));
                rtp
            }
            other => panic!("not opened: {other:?}"),
        }
    }

    /// Opens a leg for a new phone.
    pub fn phone(&self, leg: LegNo, law: Law) -> Phone {
        let phone = Phone::new(self.open(leg), law);
        self.done(phone.remote(leg, true, true));
        phone
    }

    pub fn put(&self, content: &Content) -> Digest {
        self.contents.put(content.digest, content.bytes.clone()).unwrap();
        content.digest
    }

    pub fn event(&mut self) -> Addressed {
        let next = async { tokio::time::timeout(PATIENCE, self.events.recv()).await };
        self.runtime.block_on(next).expect("an event").expect("an engine")
    }

    pub fn what(&mut self) -> What {
        self.event().event.what
    }

    /// Waits until the counters satisfy.
    pub fn until(&self, satisfied: impl Fn(&RelayStats) -> bool) -> RelayStats {
        let start = Instant::now();
        loop {
            let stats = self.engine.stats();
            if satisfied(&stats) {
                return stats;
            }
            assert!(start.elapsed() < PATIENCE, "still {stats:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A far end: one socket pair, one stream out.
pub struct Phone {
    pub socket: UdpSocket,
    pub relay: SocketAddr,
    pub law: Law,
    pub header: Header,
}

impl Phone {
    pub fn new(relay: SocketAddr, law: Law) -> Self {
        let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let ssrc = u32::from(socket.local_addr().unwrap().port());
        let header = Header { marker: false, payload_type: law.payload_type(), sequence: 60_000, timestamp: 1, ssrc };
        Self { socket, relay, law, header }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub fn media(&self) -> MediaAddr {
        let rtp = self.address();
        let rtcp = SocketAddr::new(rtp.ip(), rtp.port().wrapping_add(1).max(1));
        MediaAddr { rtp, rtcp, codec: Codec { law: self.law, dtmf_payload_type: Some(DTMF) } }
    }

    pub fn remote(&self, leg: LegNo, send: bool, receive: bool) -> Op {
        Op::Remote { leg, media: self.media(), send, receive }
    }

    pub fn send(&mut self, payload: &[u8]) {
        let mut bytes = self.header.to_bytes().to_vec();
        bytes.extend_from_slice(payload);
        self.socket.send_to(&bytes, self.relay).unwrap();
        self.header.sequence = self.header.sequence.wrapping_add(1);
    }

    pub fn say(&mut self, tone: &mut Tone, frames: usize) {
        for _ in 0..frames {
            let frame: Vec<u8> =
                tone.by_ref().take(FRAME_SAMPLES).map(|sample| g711::encode(self.law, sample)).collect();
            self.send(&frame);
            self.header.timestamp += FRAME_SAMPLES as u32;
        }
    }

    /// An event packet; `say` goes on afterwards.
    pub fn press(&mut self, event: u8, end: bool, duration: u16) {
        self.press_as(DTMF, event, end, duration);
    }

    /// The same under a payload type of its own.
    pub fn press_as(&mut self, payload_type: u8, event: u8, end: bool, duration: u16) {
        let voice = std::mem::replace(&mut self.header.payload_type, payload_type);
        self.send(&strowger_audio::dtmf::Event { event, end, volume: 10, duration }.to_bytes());
        self.header.payload_type = voice;
    }

    pub fn hear(&self) -> (Header, Vec<u8>) {
        let mut bytes = [0; 2048];
        let (length, from) = self.socket.recv_from(&mut bytes).expect("a packet in time");
        assert_eq!(from, self.relay, "symmetric RTP");
        let packet = rtp::parse(&bytes[..length]).unwrap();
        (packet.header, bytes[packet.payload].to_vec())
    }

    /// The share of each frequency in the next frames, which must be one unbroken stream of our law.
    pub fn hear_tones<const N: usize>(&self, frequencies: [f32; N], frames: usize) -> [f32; N] {
        let mut bank = Bank::new(frequencies);
        let mut last: Option<Header> = None;
        for _ in 0..frames {
            let (header, payload) = self.hear();
            assert_eq!(header.payload_type, self.law.payload_type());
            if let Some(last) = last {
                assert_eq!(header.sequence, last.sequence.wrapping_add(1));
                assert_eq!(header.timestamp, last.timestamp.wrapping_add(FRAME_SAMPLES as u32));
                assert_eq!(header.ssrc, last.ssrc);
            }
            last = Some(header);
            payload.iter().for_each(|&byte| bank.feed(g711::decode(self.law, byte)));
        }
        bank.finish()
    }

    /// The share of each frequency in all that is heard, silent frames left out, until nothing comes for a moment.
    pub fn all_tones<const N: usize>(&self, frequencies: [f32; N]) -> [f32; N] {
        let mut bank = Bank::new(frequencies);
        self.socket.set_read_timeout(Some(Duration::from_millis(60))).unwrap();
        let mut bytes = [0; 2048];
        while let Ok((length, _)) = self.socket.recv_from(&mut bytes) {
            let packet = rtp::parse(&bytes[..length]).unwrap();
            let samples: Vec<i16> = bytes[packet.payload].iter().map(|&byte| g711::decode(self.law, byte)).collect();
            if samples.iter().any(|sample| sample.abs() > 100) {
                samples.into_iter().for_each(|sample| bank.feed(sample));
            }
        }
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        bank.finish()
    }

    /// Whether nothing comes for a moment.
    pub fn is_deaf(&self) -> bool {
        self.socket.set_read_timeout(Some(Duration::from_millis(60))).unwrap();
        let deaf = self.socket.recv_from(&mut [0; 2048]).is_err();
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        deaf
    }
}

/// Phones that speak at the same time, a frame every 20 ms: who mixes takes no burst.
pub fn speak(speakers: &mut [(&mut Phone, Tone)], frames: u32) {
    let start = Instant::now();
    for frame in 1..=frames {
        for (phone, tone) in &mut *speakers {
            phone.say(tone, 1);
        }
        let due = start + Duration::from_millis(20) * frame;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// Whole waves of a tone, so that it loops without a click.
pub fn music(frequency: f32, millis: usize) -> Content {
    let samples = Tone::single(frequency, 8000.0).take(millis * 8);
    from_mu_law(samples.map(|sample| g711::encode(Law::Mu, sample)).collect())
}

//! The far ends of a relay under load: sockets that speak like phones and count what comes back.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use strowger_audio::rtp::Header;

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Far ends that share one socket of the generator.
pub const LEGS_A_SOCKET: usize = 50;
const WARM_UP: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(4);
/// What is still under way when the window ends.
const DRAIN: Duration = Duration::from_millis(300);
/// 20 ms of G.711.
const PACKET_BYTES: usize = 172;
/// A second of one socket's packets: a generator that is held up for a moment is no loss of the relay.
const RECEIVE_BYTES: usize = 2 << 20;

/// Each leg's socket at the far end, and where on the relay it sends to.
pub type Far = Vec<(Arc<UdpSocket>, SocketAddr)>;

/// What happened between the end of the warm-up and the end.
pub struct Window<T> {
    pub sent: u64,
    pub heard: u64,
    pub before: T,
    pub after: T,
}

impl<T> Window<T> {
    pub fn lost(&self) -> f64 {
        self.sent.saturating_sub(self.heard) as f64 / self.sent.max(1) as f64
    }
}

pub fn sockets(streams: usize) -> Vec<Arc<UdpSocket>> {
    let open = |_| {
        let socket = UdpSocket::bind((LOOPBACK, 0)).expect("a socket");
        socket.set_nonblocking(true).expect("a non-blocking socket");
        // As much as the system allows.
        let _less = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BYTES);
        Arc::new(socket)
    };
    (0..streams.div_ceil(LEGS_A_SOCKET)).map(open).collect()
}

/// 50 packets a second for each leg, spread over 20 slices of a millisecond; what comes back is drained.
pub fn listen<T>(far: &Far, speak: bool, sample: impl Fn() -> T) -> Window<T> {
    let start = Instant::now();
    let mut packet = [0xff; PACKET_BYTES];
    let (mut sent, mut heard, mut before) = (0, 0, None);
    for tick in 0.. {
        if before.is_none() && start.elapsed() >= WARM_UP {
            drain(far);
            (sent, heard) = (0, 0);
            before = Some(sample());
        }
        if start.elapsed() >= WARM_UP + WINDOW {
            break;
        }
        let round: u32 = tick / 20;
        for (number, (socket, to)) in far.iter().enumerate().skip(tick as usize % 20).step_by(20).filter(|_| speak) {
            let (sequence, timestamp) = (round as u16, round * 160);
            let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: number as u32 };
            packet[..12].copy_from_slice(&header.to_bytes());
            sent += u64::from(socket.send_to(&packet, to).is_ok());
        }
        heard += drain(far);
        let due = start + Duration::from_millis(u64::from(tick) + 1);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let before = before.expect("the window is longer than nothing");
    let after = sample();
    std::thread::sleep(DRAIN);
    heard += drain(far);
    Window { sent, heard, before, after }
}

fn drain(far: &Far) -> u64 {
    let mut bytes = [0; 256];
    let sockets = far.iter().step_by(LEGS_A_SOCKET);
    sockets.map(|(socket, _)| std::iter::from_fn(|| socket.recv_from(&mut bytes).ok()).count() as u64).sum()
}

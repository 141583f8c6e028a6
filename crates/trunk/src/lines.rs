//! The TCP connections of a node, by number and by who is at the other end, and how many there may be.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use strowger_model::{Far, Line, NodeId};
use tokio::sync::{Notify, mpsc};

/// Connections that others may have open to this node, if it has file descriptors for them: each agent's phone has one
/// and each trunk a few. An idle one costs some KiB, and all of them with an unfinished message 512 MiB. As many again
/// may be of our own making, to phones with a fixed contact and to who hung up on us.
pub(crate) const MAX_CONNECTIONS: usize = 8192;
/// What one address may have of those that others open, as a part: an office behind a NAT, and not all there are.
const SHARE_OF_ADDRESS: usize = 4;
/// What strangers may have together, as a part, from however many addresses: the rest is kept for trunks and for hosts where
/// phones are registered.
const SHARE_OF_STRANGERS: usize = 2;
/// What may wait for one connection, in bytes: a second of a busy trunk's 1000 messages. A far end that does not read
/// is hung up on rather than remembered: over TCP a message left out would be lost in silence.
const MAX_WAITING_BYTES: usize = 1 << 20;
/// What a waiting message costs beside its bytes.
const WAITING_OVERHEAD_BYTES: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Opened {
    /// By a far end that is a trunk, or where a phone is registered.
    Accepted,
    /// By any other far end.
    ByStranger,
    /// By us.
    Dialled,
}

/// What became of a message for a line.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Posted {
    Waiting,
    /// Too much waits already; the line is over.
    TooSlow,
    NoLine,
}

/// The registry. A line stays in it from when it is opened, or begun to be, until it is closed.
pub(crate) struct Lines {
    node: NodeId,
    /// Of each kind.
    places: usize,
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    next: u64,
    by_number: HashMap<u64, Seat>,
    by_peer: HashMap<SocketAddr, u64>,
    accepted_of: HashMap<IpAddr, usize>,
    accepted: usize,
    /// Of these, strangers'.
    strangers: usize,
}

struct Seat {
    peer: SocketAddr,
    opened: Opened,
    post: mpsc::UnboundedSender<Vec<u8>>,
    /// Bounds the channel.
    waiting_bytes: Arc<AtomicUsize>,
    over: Arc<Notify>,
}

/// The end of a line that its task holds.
pub(crate) struct Held {
    pub(crate) line: Line,
    messages: mpsc::UnboundedReceiver<Vec<u8>>,
    waiting_bytes: Arc<AtomicUsize>,
    /// Told when the line is to end at once.
    pub(crate) over: Arc<Notify>,
}

impl Held {
    /// The next message to be written.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        let bytes = self.messages.recv().await?;
        self.waiting_bytes.fetch_sub(weight(&bytes), Ordering::Relaxed);
        Some(bytes)
    }

    /// What waited in vain.
    pub(crate) fn rest(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.messages.try_recv().ok()).collect()
    }
}

impl Lines {
    #[expect(clippy::disallowed_methods, reason = "a number that no process before this one has given")]
    pub(crate) fn new(node: NodeId, places: usize) -> Lines {
        // Microseconds of wall time at the start: a process would have to open a million lines a second to reach the
        // numbers of the next one.
        let next = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
        Lines { node, places, seats: Mutex::new(Seats { next, ..Seats::default() }) }
    }

    /// None: there are too many.
    #[expect(clippy::disallowed_methods, reason = "`waiting_bytes` bounds it")]
    pub(crate) fn open(&self, peer: SocketAddr, opened: Opened) -> Option<Held> {
        let mut seats = self.lock();
        if !seats.has_room(self.places, peer.ip(), opened) {
            return None;
        }
        let number = seats.next;
        seats.next += 1;
        if opened != Opened::Dialled {
            seats.accepted += 1;
            seats.strangers += usize::from(opened == Opened::ByStranger);
            *seats.accepted_of.entry(peer.ip()).or_default() += 1;
        }
        let (post, messages) = mpsc::unbounded_channel();
        let (waiting_bytes, over) = (Arc::default(), Arc::<Notify>::default());
        let held = Held { line: Line { node: self.node, number }, messages, waiting_bytes, over };
        let (waiting_bytes, over) = (held.waiting_bytes.clone(), held.over.clone());
        seats.by_number.insert(number, Seat { peer, opened, post, waiting_bytes, over });
        // A new connection from an old port: the far end has forgotten the old one.
        seats.by_peer.insert(peer, number);
        Some(held)
    }

    /// Whoever opened it is no stranger any more.
    pub(crate) fn is_known(&self, line: Line) {
        let mut seats = self.lock();
        let Some(seat) = seats.by_number.get_mut(&line.number).filter(|seat| seat.opened == Opened::ByStranger) else {
            return;
        };
        seat.opened = Opened::Accepted;
        seats.strangers -= 1;
    }

    pub(crate) fn close(&self, line: Line) {
        let mut seats = self.lock();
        let Some(seat) = seats.by_number.remove(&line.number) else { return };
        seat.over.notify_one();
        if seats.by_peer.get(&seat.peer) == Some(&line.number) {
            seats.by_peer.remove(&seat.peer);
        }
        if seat.opened != Opened::Dialled {
            seats.accepted -= 1;
            seats.strangers -= usize::from(seat.opened == Opened::ByStranger);
            let of_address = seats.accepted_of.entry(seat.peer.ip()).or_default();
            *of_address -= 1;
            if *of_address == 0 {
                seats.accepted_of.remove(&seat.peer.ip());
            }
        }
    }

    /// By the line it names if that is here and lives, else by any that leads to the address.
    pub(crate) fn post(&self, to: Far, bytes: &[u8]) -> Posted {
        let seats = self.lock();
        let named = to.line.filter(|line| line.node == self.node).map(|line| line.number);
        let seat = named.and_then(|number| seats.by_number.get_key_value(&number)).or_else(|| {
            let number = seats.by_peer.get(&to.addr)?;
            seats.by_number.get_key_value(number)
        });
        let Some((number, seat)) = seat else { return Posted::NoLine };
        let weight = weight(bytes);
        if seat.waiting_bytes.fetch_add(weight, Ordering::Relaxed) + weight > MAX_WAITING_BYTES {
            let line = Line { node: self.node, number: *number };
            drop(seats);
            self.close(line);
            return Posted::TooSlow;
        }
        if seat.post.send(bytes.to_vec()).is_err() { Posted::NoLine } else { Posted::Waiting }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().by_number.len()
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seats {
    fn has_room(&self, places: usize, address: IpAddr, opened: Opened) -> bool {
        match opened {
            Opened::Accepted | Opened::ByStranger => {
                let of_address = self.accepted_of.get(&address).copied().unwrap_or(0);
                let is_kept = opened == Opened::ByStranger && self.strangers >= places / SHARE_OF_STRANGERS;
                self.accepted < places && of_address < places.div_ceil(SHARE_OF_ADDRESS) && !is_kept
            }
            Opened::Dialled => self.by_number.len() - self.accepted < places,
        }
    }
}

fn weight(bytes: &[u8]) -> usize {
    bytes.len() + WAITING_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(2);
    const PLACES: usize = 100;

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn by(line: Line) -> Far {
        Far { line: Some(line), ..Far::tcp(peer(1)) }
    }

    #[tokio::test]
    async fn a_message_takes_its_line_and_else_any_to_the_address() {
        let lines = Lines::new(NODE, PLACES);
        let mut first = lines.open(peer(1), Opened::Accepted).unwrap();
        let mut second = lines.open(peer(2), Opened::Dialled).unwrap();
        assert_eq!(lines.post(by(second.line), b"named"), Posted::Waiting);
        assert_eq!(second.next().await.unwrap(), b"named");
        let elsewhere = Line { node: NodeId(1), ..second.line };
        assert_eq!(
            lines.post(by(elsewhere), b"by address"),
            Posted::Waiting,
            "another node's numbers mean nothing here"
        );
        lines.close(second.line);
        assert_eq!(lines.post(by(second.line), b"gone"), Posted::Waiting);
        assert_eq!(
            (first.next().await.unwrap(), first.next().await.unwrap()),
            (b"by address".to_vec(), b"gone".to_vec())
        );
        assert_eq!(lines.post(Far::tcp(peer(2)), b"nobody"), Posted::NoLine);
        lines.close(first.line);
        lines.close(first.line);
        assert_eq!((lines.len(), first.next().await), (0, None));
    }

    #[tokio::test]
    async fn who_does_not_read_is_hung_up_on_and_holds_no_memory() {
        let lines = Lines::new(NODE, PLACES);
        let mut slow = lines.open(peer(1), Opened::Accepted).unwrap();
        let kib = [b'x'; 1024];
        let waiting = (0..).take_while(|_| lines.post(by(slow.line), &kib) == Posted::Waiting).count();
        assert_eq!(waiting, MAX_WAITING_BYTES / (1024 + WAITING_OVERHEAD_BYTES));
        assert_eq!(lines.len(), 0);
        slow.over.notified().await;
        assert_eq!(slow.rest().len(), waiting);

        let mut reads = lines.open(peer(1), Opened::Accepted).unwrap();
        for _ in 0..2 * waiting {
            assert_eq!(lines.post(by(reads.line), &kib), Posted::Waiting);
            reads.next().await.unwrap();
        }
    }

    #[test]
    fn one_address_leaves_places_for_others() {
        let lines = Lines::new(NODE, PLACES);
        let held: Vec<Held> = (1..).map_while(|port| lines.open(peer(port), Opened::Accepted)).collect();
        assert_eq!(held.len(), PLACES / SHARE_OF_ADDRESS);
        assert!(lines.open("198.51.100.1:1".parse().unwrap(), Opened::Accepted).is_some());
        assert!(lines.open(peer(1), Opened::Dialled).is_some(), "our own are counted apart");
        lines.close(held[0].line);
        assert!(lines.open(peer(1), Opened::Accepted).is_some());
    }

    #[test]
    fn strangers_from_however_many_addresses_leave_places_for_who_is_known() {
        let lines = Lines::new(NODE, PLACES);
        let far = |last: u8| SocketAddr::from(([198, 51, 100, last], 5060));
        let strangers: Vec<Held> = (0..=255).map_while(|last| lines.open(far(last), Opened::ByStranger)).collect();
        assert_eq!(strangers.len(), PLACES / SHARE_OF_STRANGERS);
        let carrier = lines.open(peer(1), Opened::Accepted).expect("a place of its own");
        lines.is_known(strangers[0].line);
        let another = lines.open(far(254), Opened::ByStranger).expect("one of them registered a phone");
        assert!(lines.open(far(255), Opened::ByStranger).is_none());
        lines.is_known(carrier.line);
        lines.is_known(another.line);
        lines.close(another.line);
        lines.close(strangers[1].line);
        let opened = (0..=255).filter_map(|last| lines.open(far(last), Opened::ByStranger)).count();
        assert_eq!(opened, 2, "as many as went, or became known");
    }

    #[test]
    fn there_are_only_so_many_of_each_kind() {
        let lines = Lines::new(NODE, PLACES);
        let far = |last: u8| SocketAddr::from(([198, 51, 100, last], 5060));
        let opened = |kind| (0..=255).filter_map(|last| lines.open(far(last), kind)).count();
        assert_eq!((opened(Opened::Accepted), opened(Opened::Dialled)), (PLACES, PLACES));
    }
}

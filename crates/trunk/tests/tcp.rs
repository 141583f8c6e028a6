//! SIP over TCP at the sockets: far ends on real connections, and the node's side of them in hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use strowger_model::config::{Source, Trunk};
use strowger_model::{AgentId, CallId, Far, LegKey, LegNo, Mono, NodeId, ShardId, Transport, TrunkId};
use strowger_sip::{Message, TokenKeys, reply, reply_destination};
use strowger_trunk::{Edge, Incoming, Kind, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

const NODE: NodeId = NodeId(3);
const SOON: Duration = Duration::from_secs(10);
/// Long enough to see that nothing comes.
const QUIET: Duration = Duration::from_millis(300);

/// A node's edge on an address of its own.
struct Bench {
    edge: Edge,
    incoming: mpsc::Receiver<Incoming>,
    at: SocketAddr,
}

impl Bench {
    fn passive() -> Bench {
        // A free port of both kinds: the listener is gone again when the edge binds.
        let at = std::net::TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr()).unwrap();
        let (edge, incoming) = Edge::start(NODE, &Options { shared: at, own: None }, tokens(), || Mono(5)).unwrap();
        let bench = Bench { edge, incoming, at };
        bench.is_called_from_here();
        bench
    }

    fn start() -> Bench {
        let bench = Bench::passive();
        bench.edge.set_active_until(Mono(10));
        bench
    }

    /// A trunk is here.
    fn is_called_from_here(&self) {
        let trunk = Trunk {
            id: TrunkId(1),
            name: "carrier".to_owned(),
            sources: vec![Source { ip: self.at.ip(), port: None }],
            max_calls_per_second: 1,
            max_calls: 1,
            destination: None,
            max_dials_per_second: 1,
            site: String::new(),
        };
        self.edge.known().set_trunks(Arc::new(vec![trunk]));
    }

    fn knows_nobody(&self) {
        self.edge.known().set_trunks(Arc::default());
    }

    /// A phone has registered from here.
    fn knows_us(&self) {
        self.edge.known().set_phones(ShardId(0), AgentId(1), [self.at.ip()]);
    }

    async fn heard(&mut self) -> Incoming {
        timeout(SOON, self.incoming.recv()).await.expect("a message in time").unwrap()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }

    fn answer(&self, incoming: &Incoming, status: u16) {
        let bytes = reply(&incoming.message, status, "Fine", &[], None, None);
        self.edge.send(reply_destination(&incoming.message, incoming.source), &bytes);
    }
}

fn tokens() -> TokenKeys {
    TokenKeys::new(&[7; 32], &[])
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// An INVITE of a far end that says it listens on this port.
fn invite(call_id: &str, listens: u16) -> String {
    format!(
        "INVITE sip:100@h SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:{listens};branch=z9hG4bK{call_id}\r\nMax-Forwards: 70\r\n\
         From: <sip:1@h>;tag=a\r\nTo: <sip:100@h>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContent-Length: 4\r\n\r\nbody"
    )
}

async fn said(stream: &mut TcpStream) -> String {
    let mut buffer = vec![0; 4096];
    let length = timeout(SOON, stream.read(&mut buffer)).await.expect("bytes in time").unwrap_or(0);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

async fn is_closed(mut stream: TcpStream) -> bool {
    said(&mut stream).await.is_empty()
}

#[tokio::test]
async fn a_message_in_two_parts_and_two_in_one_are_messages_of_one_line() {
    let mut bench = Bench::start();
    let mut far = bench.connect().await;
    let (first, rest) = (invite("one", 9), invite("two", 9) + &invite("three", 9));
    let (head, tail) = first.split_at(first.len() - 2);
    far.write_all(head.as_bytes()).await.unwrap();
    assert!(timeout(QUIET, bench.incoming.recv()).await.is_err(), "not whole yet");
    far.write_all((tail.to_owned() + &rest).as_bytes()).await.unwrap();
    let mut line = None;
    for call_id in ["one", "two", "three"] {
        let incoming = bench.heard().await;
        assert_eq!((incoming.message.call_id(), incoming.kind), (call_id, Kind::Invite));
        assert_eq!(incoming.message.body(), b"body");
        assert_eq!((incoming.source.transport, incoming.source.addr), (Transport::Tcp, far.local_addr().unwrap()));
        let its = incoming.source.line.expect("a line");
        assert_eq!((its.node, *line.get_or_insert(its)), (NODE, its));
    }
    assert_eq!(bench.edge.connections(), 1);
}

#[tokio::test]
async fn an_answer_goes_back_by_the_line_and_else_to_where_the_far_end_listens() {
    let mut bench = Bench::start();
    let listens = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut far = bench.connect().await;
    far.write_all(invite("one", listens.local_addr().unwrap().port()).as_bytes()).await.unwrap();
    let incoming = bench.heard().await;
    bench.answer(&incoming, 180);
    assert!(said(&mut far).await.starts_with("SIP/2.0 180 "));
    assert!(timeout(QUIET, listens.accept()).await.is_err(), "the line lives");

    drop(far);
    timeout(SOON, async {
        while bench.edge.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the edge sees the end of the line");
    bench.answer(&incoming, 200);
    bench.answer(&incoming, 486);
    let (mut far, _) = timeout(SOON, listens.accept()).await.expect("a new connection").unwrap();
    let mut text = said(&mut far).await;
    while !text.contains("486") {
        text += &said(&mut far).await;
    }
    assert!(text.starts_with("SIP/2.0 200 ") && text.contains("SIP/2.0 486 "), "both by one connection: {text}");
    // What the far end says there is heard, too.
    far.write_all(invite("two", 9).as_bytes()).await.unwrap();
    assert_eq!(bench.heard().await.source.addr, listens.local_addr().unwrap());
    assert_eq!(bench.edge.connections(), 1);
}

#[tokio::test]
async fn garbage_closes_its_own_connection_only() {
    let mut bench = Bench::start();
    let mut good = bench.connect().await;
    good.write_all(&invite("good", 9).as_bytes()[..30]).await.unwrap();
    let no_length = invite("bad", 9).replace("Content-Length: 4\r\n", "");
    let garbage: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"NONSENSE\r\nl: 0\r\n\r\n",
        no_length.as_bytes(),
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 4000000000\r\n\r\n",
    ];
    for (at, bytes) in garbage.iter().enumerate() {
        let mut bad = bench.connect().await;
        bad.write_all(bytes).await.unwrap();
        assert!(is_closed(bad).await, "{}", String::from_utf8_lossy(bytes));
        assert_eq!(count(&bench.edge.counters().garbage), at as u64 + 1);
    }
    good.write_all(&invite("good", 9).as_bytes()[30..]).await.unwrap();
    assert_eq!(bench.heard().await.message.call_id(), "good");
    assert_eq!(bench.edge.connections(), 1);
}

/// Events that an operator's log has, of this thread.
struct Told(Arc<AtomicU64>);

impl<S: tracing::Subscriber> Layer<S> for Told {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        self.0.fetch_add(u64::from(*event.metadata().level() <= tracing::Level::INFO), Ordering::Relaxed);
    }
}

/// A line for each filled disks and hid what mattered.
#[tokio::test]
async fn a_flood_of_strangers_garbage_is_counted_and_fills_no_log() {
    const FLOOD: u64 = 100;
    let told = Arc::new(AtomicU64::new(0));
    let _until_the_end = tracing::subscriber::set_default(tracing_subscriber::registry().with(Told(told.clone())));
    let bench = Bench::start();
    bench.knows_nobody();
    let before = count(&told);
    for at in 0..FLOOD {
        let mut bad = bench.connect().await;
        let [tls, http, sip] =
            [&b"\x16\x03\x01\x02\x00"[..], b"GET / HTTP/1.1\r\n\r\n", b"ACK x SIP/2.0\r\nl: 0\r\n\r\n"];
        bad.write_all([tls, http, sip][at as usize % 3]).await.unwrap();
        assert!(is_closed(bad).await);
    }
    assert_eq!((count(&bench.edge.counters().garbage), count(&told) - before), (FLOOD, 0));
    // A carrier's is news.
    bench.is_called_from_here();
    let mut bad = bench.connect().await;
    bad.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(is_closed(bad).await);
    assert_eq!(count(&told) - before, 1);
}

#[tokio::test]
async fn what_can_be_answered_is_answered_and_leaves_the_line_alone() {
    let mut bench = Bench::start();
    bench.knows_nobody();
    let mut far = bench.connect().await;
    let old = invite("old", 9).replace("sip:100@h SIP/2.0", "sip:100@h SIP/7.0");
    far.write_all((old.clone() + "\r\n\r\n").as_bytes()).await.unwrap();
    assert!(timeout(QUIET, said(&mut far)).await.is_err(), "a stranger hears nothing");
    bench.knows_us();
    far.write_all(old.as_bytes()).await.unwrap();
    assert!(said(&mut far).await.starts_with("SIP/2.0 505 "));
    far.write_all(b"\r\n\r\n").await.unwrap();
    assert_eq!(said(&mut far).await, "\r\n", "RFC 5626 section 4.4.1");
    bench.is_called_from_here();
    far.write_all(invite("new", 9).as_bytes()).await.unwrap();
    assert_eq!(bench.heard().await.message.call_id(), "new");
}

/// Their calls took places among those that wait to be heard, only to be counted.
#[tokio::test]
async fn strangers_who_call_are_counted_and_keep_nobody_waiting() {
    let mut bench = Bench::start();
    bench.knows_nobody();
    let (mut far, socket) = (bench.connect().await, tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap());
    far.write_all((invite("one", 9) + &invite("two", 9)).as_bytes()).await.unwrap();
    socket.send_to(invite("three", 9).as_bytes(), bench.at).await.unwrap();
    timeout(SOON, async {
        while count(&bench.edge.counters().strangers) < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("all three are counted");
    assert_eq!(count(&bench.edge.counters().dropped), 3);
    bench.is_called_from_here();
    far.write_all(invite("four", 9).as_bytes()).await.unwrap();
    assert_eq!(bench.heard().await.message.call_id(), "four", "and nothing came before it");
}

#[tokio::test]
async fn a_passive_node_neither_takes_nor_says_anything_until_it_is_active() {
    let mut bench = Bench::passive();
    let listens = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut far = bench.connect().await;
    far.write_all(invite("one", 9).as_bytes()).await.unwrap();
    assert!(timeout(QUIET, bench.incoming.recv()).await.is_err(), "nothing is taken");
    bench.edge.set_active_until(Mono(10));
    let incoming = bench.heard().await;

    bench.edge.set_active_until(Mono(0));
    bench.answer(&incoming, 180);
    bench.edge.send(Far::tcp(listens.local_addr().unwrap()), invite("out", 9).as_bytes());
    let mut byte = [0];
    assert!(timeout(QUIET, far.read(&mut byte)).await.is_err(), "nothing is said");
    assert!(timeout(QUIET, listens.accept()).await.is_err(), "nobody is called");
    assert_eq!(count(&bench.edge.counters().withheld), 2);
    bench.edge.set_active_until(Mono(10));
    assert!(said(&mut far).await.starts_with("SIP/2.0 180 "), "over TCP nobody would say it again");
    let (mut called, _) = timeout(SOON, listens.accept()).await.expect("a connection").unwrap();
    assert!(said(&mut called).await.starts_with("INVITE "));
}

#[tokio::test]
async fn a_request_nobody_takes_is_answered_as_if_refused() {
    let mut bench = Bench::start();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).unwrap();
    let leg = LegKey { call: CallId(5), leg: LegNo(1) };
    let ours = invite("ours", 9).replace("z9hG4bKours", &tokens().branch(leg, 1, "INVITE"));
    bench.edge.send(Far::tcp(nobody), ours.as_bytes());
    let Incoming { message, kind, .. } = bench.heard().await;
    assert_eq!((message.status(), message.cseq_method()), (503, "INVITE"), "RFC 3261 section 8.1.3.1");
    assert!(matches!(kind, Kind::Leg(_)));
    let ack = ours.replace("INVITE", "ACK").replace("1.ACK", "1.INVITE");
    Message::parse(ack.as_bytes()).expect("a good ACK");
    bench.edge.send(Far::tcp(nobody), ack.as_bytes());
    assert!(timeout(QUIET, bench.incoming.recv()).await.is_err(), "an ACK has no answer");
}

/// A request of a leg's, with its token in the branch.
fn ours(method: &str, cseq: u32) -> String {
    let key = LegKey { call: CallId(5), leg: LegNo(1) };
    invite("ours", 9).replace("z9hG4bKours", &tokens().branch(key, cseq, method)).replace("INVITE", method)
}

#[tokio::test]
async fn a_request_whose_connection_ends_before_any_answer_is_refused_and_others_wait() {
    let mut bench = Bench::start();
    let listens = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = Far::tcp(listens.local_addr().unwrap());
    for request in [ours("INVITE", 1), ours("BYE", 2), ours("OPTIONS", 3)] {
        bench.edge.send(to, request.as_bytes());
    }
    let (mut far, _) = timeout(SOON, listens.accept()).await.expect("a connection").unwrap();
    let mut text = said(&mut far).await;
    while !text.contains("CSeq: 1 OPTIONS") {
        text += &said(&mut far).await;
    }
    let trying = reply(&Message::parse(ours("INVITE", 1).as_bytes()).unwrap(), 100, "Trying", &[], None, None);
    far.write_all(&trying).await.unwrap();
    assert_eq!(bench.heard().await.message.status(), 100);
    drop(far);
    for method in ["BYE", "OPTIONS"] {
        let Incoming { message, kind, .. } = bench.heard().await;
        assert_eq!((message.status(), message.cseq_method()), (503, method), "RFC 3261 sections 8.1.3.1 and 17.1.4");
        assert!(matches!(kind, Kind::Leg(_)));
    }
    assert!(timeout(QUIET, bench.incoming.recv()).await.is_err(), "who said 100 has it");
}

#[tokio::test]
async fn a_request_for_which_a_connection_has_no_room_is_refused() {
    let mut bench = Bench::passive();
    let to = Far::tcp(TcpListener::bind("127.0.0.1:0").await.and_then(|gone| gone.local_addr()).unwrap());
    // As much as may wait (1 MiB, 64 bytes of it for each message), but for 124 bytes.
    (0..17).for_each(|_| bench.edge.send(to, &vec![b'x'; 60_000]));
    bench.edge.send(to, &vec![b'x'; 27_300]);
    bench.edge.send(to, ours("INVITE", 1).as_bytes());
    bench.edge.set_active_until(Mono(10));
    let Incoming { message, .. } = bench.heard().await;
    assert_eq!((message.status(), message.cseq_method()), (503, "INVITE"));
}

#[tokio::test]
async fn a_far_end_that_does_not_read_is_hung_up_on_and_others_are_not_kept_waiting() {
    let mut bench = Bench::start();
    let (mut slow, mut quick) = (bench.connect().await, bench.connect().await);
    slow.write_all(invite("slow", 9).as_bytes()).await.unwrap();
    let to_slow = bench.heard().await.source;
    quick.write_all(invite("quick", 9).as_bytes()).await.unwrap();
    let to_quick = bench.heard().await.source;
    let text = vec![b'x'; 60_000];
    // The kernel takes some megabytes before anything waits here.
    let closed = |edge: &Edge| count(&edge.counters().dropped) > 0;
    for _ in 0..1000 {
        bench.edge.send(Far { addr: ([127, 0, 0, 1], 9).into(), ..to_slow }, &text);
        if closed(&bench.edge) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(closed(&bench.edge));
    bench.edge.send(to_quick, b"still here");
    assert_eq!(said(&mut quick).await, "still here");
    timeout(SOON, async {
        while bench.edge.connections() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the slow one is gone");
    assert_eq!(count(&bench.edge.counters().slow), 1);
}

#[tokio::test]
async fn nodes_on_one_machine_share_an_address() {
    let first = Bench::start();
    let options = Options { shared: first.at, own: None };
    let (second, _incoming) =
        Edge::start(NodeId(4), &options, tokens(), || Mono(5)).expect("the same address once more");
    second.set_active_until(Mono(10));
    let mut lines = Vec::new();
    for _ in 0..64 {
        lines.push(first.connect().await);
    }
    timeout(SOON, async {
        while first.edge.connections() + second.connections() < lines.len() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("all are accepted");
    assert!(first.edge.connections() > 0 && second.connections() > 0, "the kernel spreads them");
}

#[tokio::test]
async fn a_message_that_does_not_end_in_time_ends_its_line() {
    let bench = Bench::start();
    let mut dribbles = bench.connect().await;
    let begun = std::time::Instant::now();
    let closed = async {
        // A byte now and then keeps nothing open: the time is that of the whole message.
        for byte in invite("slow", 9).into_bytes() {
            if dribbles.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    timeout(Duration::from_secs(20), closed).await.expect("the line ends");
    assert!(begun.elapsed() >= Duration::from_secs(9), "{:?}", begun.elapsed());
    assert_eq!(bench.edge.connections(), 0);
}

#[tokio::test]
async fn with_whoever_takes_messages_every_socket_closes() {
    let Bench { edge, incoming, at } = Bench::start();
    let far = TcpStream::connect(at).await.unwrap();
    drop(incoming);
    assert!(is_closed(far).await);
    // One that waits for the node to be active, and one that cannot be reached.
    edge.set_active_until(Mono(0));
    edge.send(Far::tcp(at), b"too late");
    timeout(SOON, async {
        while edge.connections() > 0 || TcpStream::connect(at).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("nothing is left open");
    drop(edge);
    timeout(SOON, async {
        while std::net::UdpSocket::bind(at).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the port is free");
}

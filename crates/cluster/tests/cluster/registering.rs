//! REGISTERs as they come on the wire: in order, over a connection and from several phones, whatever node they reach.

use std::net::SocketAddr;
use std::time::Duration;

use strowger_cluster::{Context, TestBreak};
use strowger_model::AgentId;
use strowger_sip::{Algorithm, Message, ha1};
use strowger_table::Binding;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::rig::{Rig, password};

const USER: &str = "1000";
const REALM: &str = "acme.example";
const PATIENCE: Duration = Duration::from_secs(20);

enum Wire {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

/// A phone that says nothing twice.
struct Phone {
    wire: Wire,
    at: SocketAddr,
    /// What it hashes and writes as its user's name.
    name: String,
    cseq: u32,
    /// Once it was challenged.
    nonce: Option<String>,
    read: String,
    /// What its Contact names.
    user: String,
}

impl Phone {
    fn new(wire: Wire, at: SocketAddr) -> Self {
        let [name, user] = [USER; 2].map(str::to_owned);
        Self { wire, at, name, cseq: 0, nonce: None, read: String::new(), user }
    }

    async fn over_tcp(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.expect("a connection");
        let at = stream.local_addr().expect("an address");
        Self::new(Wire::Tcp(stream), at)
    }

    async fn over_udp(to: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        socket.connect(to).await.expect("an address");
        let at = socket.local_addr().expect("an address");
        Self::new(Wire::Udp(socket), at)
    }

    fn request(&self, expires: u32) -> String {
        let (transport, at, cseq) = (if matches!(self.wire, Wire::Tcp(_)) { "TCP" } else { "UDP" }, self.at, self.cseq);
        let authorization = self.nonce.as_ref().map_or(String::new(), |nonce| {
            // Each is a hash over three texts with colons between, as HA1 is.
            let hash = |a: &str, b: &str, c: &str| ha1(Algorithm::Md5, a, b, c);
            let (nc, ha2, name) = (format!("{cseq:08x}"), hash("REGISTER", "sip", REALM), &self.name);
            let response = hash(&hash(name, REALM, &password(USER)), nonce, &format!("{nc}:c:auth:{ha2}"));
            format!(
                "Authorization: Digest username=\"{name}\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"sip:{REALM}\", \
                 qop=auth, nc={nc}, cnonce=\"c\", response=\"{response}\", algorithm=MD5\r\n"
            )
        });
        let user = &self.user;
        format!(
            "REGISTER sip:{REALM} SIP/2.0\r\nVia: SIP/2.0/{transport} {at};branch=z9hG4bK{cseq}-{expires}\r\n\
             From: <sip:{USER}@{REALM}>;tag=f\r\nTo: <sip:{USER}@{REALM}>\r\nCall-ID: of-{at}\r\n\
             CSeq: {cseq} REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:{user}@{at};transport={transport}>\r\n\
             Expires: {expires}\r\n{authorization}Content-Length: 0\r\n\r\n"
        )
    }

    async fn say(&mut self, text: &str) {
        match &mut self.wire {
            Wire::Tcp(stream) => stream.write_all(text.as_bytes()).await.expect("written"),
            Wire::Udp(socket) => drop(socket.send(text.as_bytes()).await.expect("sent")),
        }
    }

    async fn answer(&mut self) -> Message {
        let read = async {
            loop {
                if let Some(end) = self.read.find("\r\n\r\n") {
                    let rest = self.read.split_off(end + 4);
                    let text = std::mem::replace(&mut self.read, rest);
                    return Message::parse(text.as_bytes()).expect("an answer");
                }
                let mut bytes = [0; 4096];
                let length = match &mut self.wire {
                    Wire::Tcp(stream) => stream.read(&mut bytes).await,
                    Wire::Udp(socket) => socket.recv(&mut bytes).await,
                };
                let length = length.ok().filter(|length| *length > 0).expect("an open line");
                self.read.push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("an answer in time")
    }

    /// Asks without a password first.
    async fn is_challenged(&mut self) {
        self.cseq += 1;
        let request = self.request(300);
        self.say(&request).await;
        let answer = self.answer().await;
        assert_eq!(answer.status(), 401);
        let challenge = answer.header("WWW-Authenticate").expect("a challenge").to_owned();
        let (_, rest) = challenge.split_once("nonce=\"").expect("a nonce");
        self.nonce = rest.split('"').next().map(str::to_owned);
    }

    /// The next REGISTER, as text.
    fn next(&mut self, expires: u32) -> String {
        self.cseq += 1;
        self.request(expires)
    }
}

fn agent(rig: &Rig) -> AgentId {
    rig.context().directory().tenants().next().expect("a tenant").agents[0].id
}

/// The rig has one agent who registers.
fn is_owned(context: &Context) -> bool {
    let views = context.shards().filter_map(|shard| context.shard_view(shard));
    views.filter_map(|view| Some(view.machine.shard()?.agents().any(|row| row.owner.is_some()))).any(|owned| owned)
}

fn bound(rig: &Rig, agent: AgentId) -> Vec<Binding> {
    let context = rig.context();
    let views = context.shards().filter_map(|shard| context.shard_view(shard));
    let rows = views.filter_map(|view| view.machine.shard()?.agent(agent).cloned());
    rows.flat_map(|row| row.bindings.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_over_tcp_is_answered_though_its_agents_actor_breaks() {
    let rig = Rig::with_fault(1, 1, Some(TestBreak::PanicAgent)).await;
    let mut phone = Phone::over_tcp(rig.sip()).await;
    phone.is_challenged().await;
    let request = phone.next(300);
    phone.say(&request).await;
    assert_eq!(phone.answer().await.status(), 200, "it says nothing twice");
    assert_eq!((bound(&rig, agent(&rig)).len(), rig.context().actors().agents), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn registers_of_one_agent_count_in_their_order() {
    let rig = Rig::start(1, 1).await;
    let mut phone = Phone::over_tcp(rig.sip()).await;
    phone.is_challenged().await;
    let (comes, goes) = (phone.next(300), phone.next(0));
    phone.say(&[comes.as_str(), &goes, &goes].concat()).await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let answer = phone.answer().await;
        answers.push((answer.cseq(), answer.status(), answer.header("Contact").is_some()));
    }
    assert_eq!(answers, [(2, 200, true), (3, 200, false)]);
    assert_eq!(bound(&rig, agent(&rig)), []);
    phone.say(&comes).await;
    let late = phone.answer().await;
    assert_eq!((late.cseq(), late.status()), (2, 500), "a later one has been carried out");
    assert_eq!(bound(&rig, agent(&rig)), []);
}

/// Phones that are set up with `user@domain` write it into the hash (RFC 7616 section 3.4.2).
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_may_name_itself_with_its_realm() {
    let rig = Rig::start(1, 1).await;
    for name in [USER.to_owned(), format!("{USER}@{REALM}")] {
        let mut phone = Phone { name, ..Phone::over_udp(rig.sip()).await };
        phone.is_challenged().await;
        let request = phone.next(300);
        phone.say(&request).await;
        assert_eq!(phone.answer().await.status(), 200, "{}", phone.name);
    }
    assert_eq!(bound(&rig, agent(&rig)).len(), 2);
}

/// Somebody behind the same NAT who had read a REGISTER could have the agent's calls rung where he is.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_overheard_counts_at_no_node() {
    let rig = Rig::start(3, 1).await;
    let mut phone = Phone::over_udp(rig.sip()).await;
    phone.is_challenged().await;
    let request = phone.next(300);
    phone.say(&request).await;
    assert_eq!(phone.answer().await.status(), 200);
    rig.until("all nodes know the agent's owner", || rig.nodes.iter().all(|node| is_owned(&node.context))).await;
    for _ in 0..8 {
        // The kernel gives each source port to one of the nodes.
        let mut thief = Phone::over_udp(rig.sip()).await;
        thief.say(&request.replace(&phone.at.to_string(), &thief.at.to_string())).await;
        let answer = thief.answer().await;
        let challenge = answer.header("WWW-Authenticate").unwrap_or_default();
        assert!(answer.status() == 401 && challenge.ends_with("stale=true"), "{} {challenge}", answer.status());
    }
    for request in [request, phone.next(300)] {
        phone.say(&request).await;
        assert_eq!(phone.answer().await.status(), 200, "its own, again and anew");
    }
    assert_eq!(bound(&rig, agent(&rig)).len(), 1);
}

/// Over TCP each node took it once more, and so did one that the agent's last phone had left.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_overheard_over_tcp_counts_at_no_node() {
    let rig = Rig::start(3, 1).await;
    let mut phone = Phone::over_tcp(rig.sip()).await;
    phone.is_challenged().await;
    let request = phone.next(300);
    phone.say(&request).await;
    assert_eq!(phone.answer().await.status(), 200);
    for expires in [300, 0] {
        for _ in 0..8 {
            // The kernel gives each source port to one of the nodes.
            let mut thief = Phone::over_tcp(rig.sip()).await;
            thief.say(&request.replace(&phone.at.to_string(), &thief.at.to_string())).await;
            let answer = thief.answer().await;
            let challenge = answer.header("WWW-Authenticate").unwrap_or_default();
            assert!(answer.status() == 401 && challenge.ends_with("stale=true"), "{} {challenge}", answer.status());
        }
        let next = phone.next(expires);
        phone.say(&next).await;
        assert_eq!(phone.answer().await.status(), 200, "its own, anew");
        let left = usize::from(expires > 0);
        rig.until("the phone alone was heard", || bound(&rig, agent(&rig)).len() == left).await;
    }
    let mut thief = Phone::over_tcp(rig.sip()).await;
    thief.say(&request.replace(&phone.at.to_string(), &thief.at.to_string())).await;
    assert_eq!(thief.answer().await.status(), 401, "nor after its last phone has gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_of_one_agent_register_at_all_nodes_and_one_node_has_the_agent() {
    let rig = Rig::start(3, 1).await;
    let mut phones = Vec::new();
    for _ in 0..8 {
        // The kernel gives each source port to one of the nodes.
        let mut phone = Phone::over_udp(rig.sip()).await;
        phone.is_challenged().await;
        let request = phone.next(300);
        phone.say(&request).await;
        assert_eq!(phone.answer().await.status(), 200);
        phones.push(phone);
        rig.until("all nodes know the agent's owner", || rig.nodes.iter().all(|node| is_owned(&node.context))).await;
    }
    rig.until("all are bound", || bound(&rig, agent(&rig)).len() == phones.len()).await;
    let agents = || rig.nodes.iter().map(|node| node.context.actors().agents).sum::<usize>();
    rig.until("one node has the agent", || agents() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_that_the_agents_owner_does_not_take_is_taken_where_it_came_to() {
    let rig = Rig::with_fault(3, 1, Some(TestBreak::LosePassedOn)).await;
    for bindings in 1..=8 {
        // The kernel gives each source port to one of the nodes, most of them to others than the first one's.
        let mut phone = Phone::over_udp(rig.sip()).await;
        phone.is_challenged().await;
        let request = phone.next(300);
        phone.say(&request).await;
        assert_eq!(phone.answer().await.status(), 200, "it says nothing twice");
        rig.until("all nodes know the agent's owner", || rig.nodes.iter().all(|node| is_owned(&node.context))).await;
        rig.until("it is bound", || bound(&rig, agent(&rig)).len() == bindings).await;
    }
}

/// Each was an entry in every node's log.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_changes_its_contact_without_end_is_told_to_wait() {
    let rig = Rig::start(1, 1).await;
    let mut phone = Phone::over_tcp(rig.sip()).await;
    phone.is_challenged().await;
    let mut answers = Vec::new();
    for number in 0..80 {
        phone.user = format!("{USER}-{number}");
        let request = phone.next(300);
        phone.say(&request).await;
        let answer = phone.answer().await;
        answers.push((answer.status(), answer.header("Retry-After").map(str::to_owned)));
    }
    let taken = answers.iter().filter(|(status, _)| *status == 200).count();
    assert!((32..60).contains(&taken), "{answers:?}");
    assert!(answers[..32].iter().all(|(status, _)| *status == 200), "{answers:?}");
    let slowed = |(status, retry_after): &(u16, Option<String>)| {
        let seconds = retry_after.as_ref().and_then(|text| text.parse::<u64>().ok());
        *status == 503 && seconds.is_some_and(|seconds| (1..=3).contains(&seconds))
    };
    assert!(answers.iter().filter(|(status, _)| *status != 200).all(slowed), "{answers:?}");
    // What changes nothing is no entry: who is bound stays so.
    phone.user =
        bound(&rig, agent(&rig))[0].uri.trim_start_matches("sip:").split('@').next().expect("a user").to_owned();
    let request = phone.next(300);
    phone.say(&request).await;
    assert_eq!(phone.answer().await.status(), 200);
}

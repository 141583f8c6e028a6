//! The sockets and what belongs to them: requests under way, answers given, timers. The legs speak through it.

use std::fmt::Write;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use super::answers::{Answers, Repeat};
use super::client::{Clients, Owner, Packet, RequestId, Retry};
use super::draft::{ALLOW, Draft, finish};
use super::message::Message;
use crate::leg::LegKey;
use crate::media::Media;
use crate::options::PhonesOptions;
use crate::random::Random;
use crate::timers::{Timer, Timers};

pub(crate) struct Wire {
    pub server: SocketAddr,
    pub timers: Timers,
    pub random: Random,
    pub media: Media,
    sockets: Vec<(UdpSocket, SocketAddr)>,
    clients: Clients,
    answers: Answers,
}

/// What came of an INVITE's answer that nobody acknowledged, or of a request nobody answered.
pub(crate) enum Overdue {
    Repeated(LegKey),
    Unanswered(Owner),
    Unacknowledged(LegKey),
}

/// An answer to a request, but for what is copied from it.
#[derive(Default)]
pub(crate) struct Answer {
    pub status: u16,
    pub to_tag: Option<String>,
    pub contact: Option<String>,
    /// The network's cause (ITU-T Q.850), for a Reason header (RFC 3326).
    pub cause: Option<u8>,
    pub sdp: Option<String>,
    /// An INVITE's final answer: repeated until the ACK, with this leg told if it never comes.
    pub leg: Option<LegKey>,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }
}

/// Where a message came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub socket: usize,
    pub address: SocketAddr,
}

impl Wire {
    pub fn new(options: &PhonesOptions, sockets: Vec<UdpSocket>, media: Media) -> io::Result<Self> {
        let mut random = Random::new(options.seed);
        let mut bound = Vec::with_capacity(sockets.len());
        for socket in sockets {
            let address = socket.local_addr()?;
            bound.push((socket, address));
        }
        let salt = format!("{:08x}", random.next() as u32);
        Ok(Self {
            server: options.server,
            timers: Timers::default(),
            random,
            media,
            sockets: bound,
            clients: Clients::new(salt),
            answers: Answers::default(),
        })
    }

    pub fn address(&self, socket: usize) -> SocketAddr {
        self.sockets[socket].1
    }

    pub fn receive(&self, socket: usize, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.sockets[socket].0.recv_from(buffer)
    }

    pub fn request(
        &mut self,
        draft: Draft,
        socket: usize,
        destination: SocketAddr,
        owner: Owner,
        now: Instant,
    ) -> RequestId {
        let via = self.address(socket);
        let (id, look_at) = self.clients.start(draft, via, socket, destination, owner, now);
        self.timers.set(look_at, Timer::Request(id));
        self.send_request(id);
        id
    }

    pub fn cancel(&mut self, invite: RequestId, socket: usize, owner: Owner, now: Instant) {
        let via = self.address(socket);
        if let Some((id, look_at)) = self.clients.cancel(invite, via, owner, now) {
            self.timers.set(look_at, Timer::Request(id));
            self.send_request(id);
        }
    }

    pub fn forget(&mut self, request: RequestId) {
        self.clients.forget(request);
    }

    /// An ACK of a 2xx: outside of any transaction, kept by the leg for repetitions.
    pub fn ack(&mut self, draft: &Draft, socket: usize, destination: SocketAddr) -> Packet {
        let branch = format!("z9hG4bK{}", self.random.token());
        let bytes = draft.print(self.address(socket), &branch);
        let packet = Packet { socket, destination, bytes };
        self.send(&packet);
        packet
    }

    pub fn send(&self, packet: &Packet) {
        // What UDP cannot send now is sent again by the timers.
        if let Err(error) = self.sockets[packet.socket].0.send_to(&packet.bytes, packet.destination) {
            tracing::debug!(%error, destination = %packet.destination, "a SIP message could not be sent");
        }
    }

    /// Answers a request. Final answers to an INVITE are repeated until acknowledged.
    pub fn answer(&mut self, request: &Message, source: Source, answer: Answer, now: Instant) {
        let (vias, destination) = request.answer_path(source.address);
        let packet = Packet { socket: source.socket, destination, bytes: print_answer(request, &vias, &answer) };
        self.send(&packet);
        self.answers.keep(request, packet, now);
        if request.cseq_method == "INVITE" && answer.status >= 200 {
            let tag = request.tag_in_to().or(answer.to_tag.as_deref()).unwrap_or_default();
            let (look_at, name) = self.answers.await_ack(request, tag, answer.leg, now);
            self.timers.set(look_at, Timer::Answer(name));
        }
    }

    /// True: this very request was answered before, and has just got the same answer again.
    pub fn answered_before(&self, request: &Message) -> bool {
        let given = self.answers.given(request);
        if let Some(packet) = given {
            self.send(packet);
        }
        given.is_some()
    }

    pub fn on_ack(&mut self, ack: &Message) -> bool {
        self.answers.on_ack(ack)
    }

    /// Whose request this answers, if it is not a repetition.
    pub fn on_answer(&mut self, answer: &Message, now: Instant) -> Option<Owner> {
        let sockets = &self.sockets;
        let matched = self.clients.on_answer(answer, |socket| sockets[socket].1, now)?;
        if let Some((id, at)) = matched.forget_at {
            self.timers.set(at, Timer::Request(id));
        }
        if let Some(id) = matched.ack {
            self.send_request(id);
        }
        matched.owner
    }

    pub fn on_request_timer(&mut self, id: RequestId, now: Instant) -> Option<Overdue> {
        match self.clients.on_timer(id, now) {
            Retry::Nothing => None,
            Retry::GaveUp(owner) => Some(Overdue::Unanswered(owner)),
            Retry::Again { owner, id, next_at } => {
                self.timers.set(next_at, Timer::Request(id));
                self.send_request(id);
                match owner {
                    Owner::Leg(leg, _) => Some(Overdue::Repeated(leg)),
                    Owner::Registration(_) => None,
                }
            }
        }
    }

    pub fn on_answer_timer(&mut self, name: String, now: Instant) -> Option<Overdue> {
        match self.answers.on_timer(&name, now) {
            Repeat::Nothing => None,
            Repeat::GaveUp(leg) => leg.map(Overdue::Unacknowledged),
            Repeat::Again { packet, leg, next_at } => {
                let (socket, _) = &self.sockets[packet.socket];
                // As in `send`: the next repetition makes up for it.
                let _ = socket.send_to(&packet.bytes, packet.destination);
                self.timers.set(next_at, Timer::Answer(name));
                leg.map(Overdue::Repeated)
            }
        }
    }

    fn send_request(&self, id: RequestId) {
        if let Some(packet) = self.clients.packet(id) {
            self.send(packet);
        }
    }
}

fn print_answer(request: &Message, vias: &[String], answer: &Answer) -> Vec<u8> {
    let mut text = String::with_capacity(1024);
    let status = rsip::StatusCode::from(answer.status);
    // Writing to a String cannot fail.
    let _ = write!(text, "SIP/2.0 {status}\r\n");
    for via in vias {
        let _ = write!(text, "Via: {via}\r\n");
    }
    for route in request.all("record-route") {
        let _ = write!(text, "Record-Route: {route}\r\n");
    }
    let _ = write!(text, "From: {}\r\n", request.header("from").unwrap_or_default());
    let to = request.header("to").unwrap_or_default();
    match answer.to_tag.as_ref().filter(|_| request.tag_in_to().is_none()) {
        Some(tag) => drop(write!(text, "To: {to};tag={tag}\r\n")),
        None => drop(write!(text, "To: {to}\r\n")),
    }
    let _ = write!(text, "Call-ID: {}\r\nCSeq: {} {}\r\n", request.call_id, request.cseq, request.cseq_method);
    if let Some(contact) = &answer.contact {
        let _ = write!(text, "Contact: {contact}\r\n");
    }
    if let Some(cause) = answer.cause {
        let _ = write!(text, "Reason: Q.850;cause={cause}\r\n");
    }
    let _ = write!(text, "Allow: {ALLOW}\r\n");
    finish(text, answer.sdp.as_deref())
}

//! A scripted caller: one INVITE and what follows, each message to the node the test chooses.

use std::net::SocketAddr;

use super::Rig;
use super::house::NUMBER;
use super::sip::{Message, Wire, sdp, with_body};

pub struct Caller {
    pub wire: Wire,
    pub call_id: String,
    media: u16,
    tag: String,
    number: String,
    cseq: u32,
    /// As the 200 gave it.
    to: String,
    target: String,
}

impl Caller {
    pub fn new(rig: &Rig, name: &str) -> Caller {
        Caller::from(rig, name, [127, 0, 0, 1])
    }

    pub fn from(rig: &Rig, name: &str, ip: [u8; 4]) -> Caller {
        Caller::with(rig, name, Wire::open_at(ip))
    }

    pub fn over_tcp(rig: &Rig, name: &str) -> Caller {
        Caller::with(rig, name, Wire::open_tcp())
    }

    fn with(rig: &Rig, name: &str, wire: Wire) -> Caller {
        Caller {
            call_id: format!("{name}-{}@far.example", wire.address().port()),
            tag: format!("tag-{name}"),
            wire,
            media: rig.media_port(),
            number: NUMBER.to_owned(),
            cseq: 1,
            to: String::new(),
            target: String::new(),
        }
    }

    pub fn dial(mut self, number: &str) -> Caller {
        number.clone_into(&mut self.number);
        self
    }

    /// The INVITE; sent again it is a repetition.
    pub fn invite(&self, node: SocketAddr) {
        let head = self.head("INVITE", &self.uri(), &self.bare_to(), 1, "invite");
        let text = with_body(&(head + &self.contact()), &sdp(self.media, 1, "sendrecv"));
        self.wire.send(node, &text);
    }

    /// The same INVITE as a proxy sends it that tries another way.
    pub fn invite_anew(&self, node: SocketAddr) {
        let head = self.head("INVITE", &self.uri(), &self.bare_to(), 1, "again");
        self.wire.send(node, &with_body(&(head + &self.contact()), &sdp(self.media, 1, "sendrecv")));
    }

    pub fn cancel(&self, node: SocketAddr) {
        self.wire.send(node, &with_body(&self.head("CANCEL", &self.uri(), &self.bare_to(), 1, "invite"), ""));
    }

    /// Waits for the 200 to the INVITE and keeps what it says of the dialog.
    pub fn answered(&mut self) -> Message {
        let ok = self.wire.expect("200 to the INVITE", |message| message.answers(200, "1 INVITE"));
        ok.header("to").clone_into(&mut self.to);
        ok.contact().clone_into(&mut self.target);
        ok
    }

    /// For a 2xx, and for a refusal, whose ACK belongs to the INVITE (RFC 3261 17.1.1.3).
    pub fn ack(&self, node: SocketAddr, answer: &Message) {
        let refused = answer.status() >= 300;
        let (uri, branch) = if refused {
            (self.uri(), "invite".to_owned())
        } else {
            (self.target.clone(), format!("ack{}", answer.cseq()))
        };
        let head = self.head("ACK", &uri, answer.header("to"), answer.cseq(), &branch);
        self.wire.send(node, &with_body(&head, ""));
    }

    /// A re-INVITE; returns its number and method for matching answers.
    pub fn reinvite(&mut self, node: SocketAddr, direction: &str) -> String {
        self.cseq += 1;
        let head = self.head("INVITE", &self.target, &self.to, self.cseq, &format!("re{}", self.cseq));
        self.wire.send(node, &with_body(&(head + &self.contact()), &sdp(self.media, self.cseq, direction)));
        format!("{} INVITE", self.cseq)
    }

    pub fn bye(&mut self, node: SocketAddr) -> String {
        self.cseq += 1;
        self.wire.send(node, &with_body(&self.head("BYE", &self.target, &self.to, self.cseq, "bye"), ""));
        format!("{} BYE", self.cseq)
    }

    /// INVITE, 200, ACK, all by one node.
    pub fn connect(&mut self, node: SocketAddr) -> Message {
        self.invite(node);
        let ok = self.answered();
        self.ack(node, &ok);
        ok
    }

    fn head(&self, method: &str, uri: &str, to: &str, cseq: u32, branch: &str) -> String {
        let (tag, call_id, at) = (&self.tag, &self.call_id, self.wire.address());
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{branch}-{tag};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+49301@{at}>;tag={tag}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n"
        )
    }

    fn uri(&self) -> String {
        format!("sip:{}@trunk.example", self.number)
    }

    fn bare_to(&self) -> String {
        format!("<{}>", self.uri())
    }

    fn contact(&self) -> String {
        format!("Contact: <sip:caller@{}>\r\n", self.wire.address())
    }
}

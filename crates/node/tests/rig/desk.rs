//! A scripted agent's phone that is always at one address.

use std::net::SocketAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Rig;
use super::house::{PASSWORD, REALM};
use super::sip::{Message, Wire, sdp, with_body};

pub struct Desk {
    pub wire: Wire,
    /// Whose phone it is.
    realm: &'static str,
    media: u16,
    /// The INVITE that rings or talks here.
    invite: Option<Message>,
    cseq: u32,
    registers: u32,
}

const TAG: &str = "desk-tag";

impl Desk {
    /// Its address is needed before there is a cluster.
    pub fn new() -> Desk {
        Desk { wire: Wire::open(), realm: REALM, media: 9, invite: None, cseq: 0, registers: 0 }
    }

    /// A phone on another host.
    pub fn at(ip: [u8; 4]) -> Desk {
        Desk { wire: Wire::open_at(ip), ..Desk::new() }
    }

    /// A phone of another tenant.
    pub fn of(realm: &'static str) -> Desk {
        Desk { realm, ..Desk::new() }
    }

    pub fn over_tcp() -> Desk {
        Desk { wire: Wire::open_tcp(), ..Desk::new() }
    }

    pub fn takes_media_of(&mut self, rig: &Rig) {
        self.media = rig.media_port() + 2;
    }

    /// REGISTER, challenge, REGISTER with the answer (RFC 7616, SHA-256); what the 200 says. `contact` is the header's
    /// value.
    pub fn register(&mut self, node: SocketAddr, user: &str, contact: &str, expires_s: u32) -> Message {
        let challenge = self.asks_to_register(node, user, contact, expires_s, "", 401);
        let credentials = credentials(user, self.realm, challenge.header("www-authenticate"));
        self.asks_to_register(node, user, contact, expires_s, &credentials, 200)
    }

    /// A REGISTER with good credentials that is refused all the same.
    pub fn refused_to_register(&mut self, node: SocketAddr, user: &str, contact: &str, status: u16) -> Message {
        let challenge = self.asks_to_register(node, user, contact, 600, "", 401);
        let credentials = credentials(user, self.realm, challenge.header("www-authenticate"));
        self.asks_to_register(node, user, contact, 600, &credentials, status)
    }

    /// What comes of one try at a password, a fresh challenge before it; none: not a word.
    pub fn guess(&mut self, node: SocketAddr, user: &str, password: &str, within: Duration) -> Option<u16> {
        let contact = format!("<sip:{user}@{}>", self.wire.address());
        let (first, asked) = self.words_to_register(user, &contact, 600, "");
        self.wire.send(node, &first);
        let challenge = self.wire.within(within, |message| message.answers(401, &asked))?;
        let credentials = credentials_with(password, user, self.realm, challenge.header("www-authenticate"));
        let (second, asked) = self.words_to_register(user, &contact, 600, &credentials);
        self.wire.send(node, &second);
        self.wire.within(within, |message| message.header("cseq") == asked).map(|answer| answer.status())
    }

    /// One REGISTER without credentials, which must be answered so.
    pub fn first_register(&mut self, node: SocketAddr, user: &str, status: u16) -> Message {
        let contact = format!("<sip:{user}@{}>", self.wire.address());
        self.asks_to_register(node, user, &contact, 600, "", status)
    }

    fn asks_to_register(
        &mut self,
        node: SocketAddr,
        user: &str,
        contact: &str,
        expires_s: u32,
        more: &str,
        status: u16,
    ) -> Message {
        let (text, asked) = self.words_to_register(user, contact, expires_s, more);
        self.wire.send(node, &text);
        self.wire.expect(&format!("{status} to the REGISTER"), |message| message.answers(status, &asked))
    }

    /// The next REGISTER, and what its answer names.
    fn words_to_register(&mut self, user: &str, contact: &str, expires_s: u32, more: &str) -> (String, String) {
        self.registers += 1;
        let (at, realm, cseq) = (self.wire.address(), self.realm, self.registers);
        let head = format!(
            "REGISTER sip:{realm} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKreg{cseq};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@{realm}>;tag=reg\r\nTo: <sip:{user}@{realm}>\r\nCall-ID: reg@{at}\r\n\
             CSeq: {cseq} REGISTER\r\nContact: {contact}\r\nExpires: {expires_s}\r\n{more}"
        );
        (with_body(&head, ""), format!("{cseq} REGISTER"))
    }

    /// Waits for an INVITE that opens a call.
    pub fn rung(&mut self) -> Message {
        let last = self.invite.as_ref().map_or(String::new(), |invite| invite.header("call-id").to_owned());
        let invite = self.wire.comes("an INVITE at the agent's phone", |message| {
            message.is_request("INVITE") && message.to_tag().is_empty() && message.header("call-id") != last
        });
        self.invite = Some(invite.clone());
        invite
    }

    fn ringing(&self) -> &Message {
        self.invite.as_ref().expect("an INVITE that came before")
    }

    /// An answer to the INVITE, by way of any node.
    pub fn answer(&self, node: SocketAddr, status: u16, phrase: &str) {
        let invite = self.ringing();
        let body = if status == 200 { sdp(self.media, 1, "sendrecv") } else { String::new() };
        self.reply(node, invite, status, phrase, &body);
    }

    /// An answer to any request.
    pub fn reply(&self, node: SocketAddr, request: &Message, status: u16, phrase: &str, body: &str) {
        self.wire.send(node, &self.words(request, status, phrase, body));
    }

    /// What that answer says.
    pub fn words(&self, request: &Message, status: u16, phrase: &str, body: &str) -> String {
        let mut head = format!("SIP/2.0 {status} {phrase}\r\n");
        request.vias().for_each(|via| head += &format!("Via: {via}\r\n"));
        let tag = if request.to_tag().is_empty() { format!(";tag={TAG}") } else { String::new() };
        head += &format!("From: {}\r\nTo: {}{tag}\r\n", request.header("from"), request.header("to"));
        head += &format!("Call-ID: {}\r\nCSeq: {}\r\n", request.header("call-id"), request.header("cseq"));
        head += &format!("Contact: <sip:desk@{}>\r\n", self.wire.address());
        with_body(&head, body)
    }

    /// A re-INVITE; returns its number and method for matching answers.
    pub fn reinvite(&mut self, node: SocketAddr, direction: &str) -> String {
        let head = self.head("INVITE") + &format!("Contact: <sip:desk@{}>\r\n", self.wire.address());
        self.wire.send(node, &with_body(&head, &sdp(self.media, self.cseq + 1, direction)));
        format!("{} INVITE", self.cseq)
    }

    /// For the 2xx to a re-INVITE.
    pub fn ack(&mut self, node: SocketAddr) {
        self.cseq -= 1;
        let head = self.head("ACK");
        self.wire.send(node, &with_body(&head, ""));
    }

    pub fn bye(&mut self, node: SocketAddr) -> String {
        let head = self.head("BYE");
        self.wire.send(node, &with_body(&head, ""));
        format!("{} BYE", self.cseq)
    }

    /// A request of the agent's phone within the dialog: From and To are those of the INVITE, turned round.
    fn head(&mut self, method: &str) -> String {
        self.cseq += 1;
        let (cseq, invite, at) = (self.cseq, self.ringing(), self.wire.address());
        format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKdesk{method}{cseq};rport\r\nMax-Forwards: 70\r\n\
             From: {};tag={TAG}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n",
            invite.contact(),
            invite.header("to"),
            invite.header("from"),
            invite.header("call-id"),
        )
    }
}

/// The answer to a challenge, as a header line.
fn credentials(user: &str, realm: &str, challenge: &str) -> String {
    credentials_with(PASSWORD, user, realm, challenge)
}

fn credentials_with(password: &str, user: &str, realm: &str, challenge: &str) -> String {
    let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a nonce");
    let hash = |text: String| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (who, what) = (hash(format!("{user}:{realm}:{password}")), hash(format!("REGISTER:sip:{realm}")));
    let response = hash(format!("{who}:{nonce}:00000001:abc:auth:{what}"));
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"sip:{realm}\", \
         algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"abc\", response=\"{response}\"\r\n"
    )
}

//! What we keep of our own requests until they are answered.

use strowger_model::{Cause, Far, Mono};

use super::response::MAX_FORKS;
use super::timer::Repeat;
use crate::compose::{MAX_FORWARDS, Writer};
use crate::message::Message;
use crate::reason;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Nothing came back yet: timer A repeats it.
    Calling,
    /// A provisional answer came: the far end has it.
    Proceeding,
    /// A 2xx came and the call has not said `acknowledge` yet.
    Accepted,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cancel {
    No,
    /// To be sent as soon as the far end has shown that it knows the INVITE (RFC 3261 section 9.1).
    Wanted(Option<Cause>),
    Sent,
}

/// Our INVITE.
#[derive(Clone, Debug)]
pub(super) struct ClientInvite {
    pub(super) cseq: u32,
    pub(super) branch: String,
    pub(super) request: Vec<u8>,
    pub(super) destination: Far,
    /// It opens the dialog.
    pub(super) initial: bool,
    pub(super) stage: Stage,
    /// The last provisional status told to the call.
    pub(super) rung: u16,
    pub(super) timer: Option<Repeat>,
    pub(super) cancel: Cancel,
    /// The SDP in it.
    pub(super) offer: String,
    /// How often it was refused with 491.
    pub(super) glares: u8,
    /// Descriptions in provisional answers, by To tag, the newest of each fork.
    pub(super) early: Vec<(String, Vec<u8>)>,
}

impl ClientInvite {
    pub(super) fn new(cseq: u32, branch: String, request: Vec<u8>, destination: Far, now: Mono) -> ClientInvite {
        ClientInvite {
            cseq,
            branch,
            request,
            destination,
            initial: true,
            stage: Stage::Calling,
            rung: 0,
            timer: Some(Repeat::of_invite(now, destination.transport)),
            cancel: Cancel::No,
            offer: String::new(),
            glares: 0,
            early: Vec::new(),
        }
    }

    /// A provisional answer may describe what its 2xx will.
    pub(super) fn hear_early(&mut self, answer: &Message) {
        if answer.sdp().is_empty() {
            return;
        }
        self.early.retain(|(tag, _)| tag != answer.to_tag());
        if self.early.len() < MAX_FORKS {
            self.early.push((answer.to_tag().to_owned(), answer.sdp().to_vec()));
        }
    }

    /// The description that goes with a 2xx: what was said before in the same dialog, or in the only one there was, where
    /// it has none itself. RFC 3261 section 13.2.1 wants it there; some carriers say it once, in their 183.
    pub(super) fn answer_in(&self, success: &Message) -> Vec<u8> {
        let own = success.sdp();
        if !own.is_empty() {
            return own.to_vec();
        }
        let same = self.early.iter().find(|(tag, _)| tag == success.to_tag());
        let only = self.early.first().filter(|_| self.early.len() == 1);
        same.or(only).map(|(_, sdp)| sdp.clone()).unwrap_or_default()
    }

    /// The INVITE a row says was sent; `None` if what it holds is no INVITE.
    pub(super) fn of_row(request: &[u8], destination: Far, now: Mono) -> Option<ClientInvite> {
        let message = Message::parse(request).ok()?;
        if !message.is_request() || message.method() != "INVITE" {
            return None;
        }
        let branch = message.top_branch().to_owned();
        let mut invite = ClientInvite::new(message.cseq(), branch, request.to_vec(), destination, now);
        if destination.transport.is_reliable() {
            // Nothing else would send it, and the line it was sent on died with the owner before.
            invite.timer = invite.timer.map(|timer| timer.resumed(now));
        }
        invite.initial = message.to_tag().is_empty();
        invite.offer = String::from_utf8_lossy(message.body()).into_owned();
        Some(invite)
    }

    /// CANCEL: request URI, Via, Route, From, To and Call-ID as in the INVITE (RFC 3261 section 9.1).
    pub(super) fn cancel(&self, q850: Option<Cause>) -> Vec<u8> {
        self.derived("CANCEL", None, q850)
    }

    /// ACK to a refusal: the same, with the To of the answer (section 17.1.1.3).
    pub(super) fn refusal_ack(&self, answer: &Message) -> Vec<u8> {
        self.derived("ACK", answer.header("To"), None)
    }

    /// What is left of it once it is refused; over a dialog's end the To is that of the dialog.
    pub(super) fn refused(&self, answer: Option<&Message>) -> Refused {
        let ack = answer.map_or_else(|| self.derived("ACK", None, None), |answer| self.refusal_ack(answer));
        Refused { branch: self.branch.clone(), ack, destination: self.destination }
    }

    /// Copies lines of our own text: no parsing, so whatever we sent can be acknowledged and cancelled.
    fn derived(&self, method: &str, to: Option<&str>, q850: Option<Cause>) -> Vec<u8> {
        let text = String::from_utf8_lossy(&self.request);
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        let mut lines = head.split("\r\n");
        let uri = lines.next().and_then(|start| start.split(' ').nth(1)).unwrap_or_default();
        let mut out = Writer::request(method, uri);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name {
                "Via" | "Route" | "From" | "Call-ID" => out.header(name, value),
                "To" => out.header(name, to.unwrap_or(value)),
                _ => continue,
            };
        }
        out.header("Max-Forwards", &MAX_FORWARDS.to_string());
        out.header("CSeq", &format!("{} {method}", self.cseq));
        if let Some(cause) = q850 {
            out.header("Reason", &reason::header(cause));
        }
        out.finish(None)
    }
}

/// Our BYE, CANCEL or OPTIONS.
#[derive(Clone, Debug)]
pub(super) struct ClientRequest {
    pub(super) method: &'static str,
    pub(super) branch: String,
    pub(super) bytes: Vec<u8>,
    pub(super) destination: Far,
    pub(super) timer: Repeat,
    /// It belongs to a dialog that is not this leg's: a fork that answered too late.
    pub(super) stray: bool,
}

/// The last refusal we acknowledged, for when it comes again (timer D, RFC 3261 section 17.1.1.2; 0 over TCP).
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) branch: String,
    pub(super) ack: Vec<u8>,
    pub(super) destination: Far,
}

//! What we keep of a request of the far end while we owe it an answer.

use strowger_model::{Dialog, Far, Transport};

use super::timer::Repeat;
use crate::message::Message;
use crate::text::parameter;
use crate::via;

/// A request of the far end: what every answer to it repeats (RFC 3261 section 8.2.6.2), and where answers go.
#[derive(Clone, Debug)]
pub(super) struct Inbound {
    pub(super) method: String,
    pub(super) cseq: u32,
    pub(super) branch: String,
    pub(super) call_id: String,
    /// Topmost first, `received` and `rport` filled in.
    pub(super) via: Vec<String>,
    pub(super) record_route: Vec<String>,
    pub(super) from: String,
    pub(super) to: String,
    /// Whether `to` has its tag already.
    pub(super) tagged: bool,
    pub(super) destination: Far,
}

impl Inbound {
    pub(super) fn of(request: &Message, source: Far) -> Inbound {
        let mut via = request.vias().to_vec();
        let mut destination = source;
        if let Some(top) = via.first_mut() {
            *top = via::filled(top, source.addr);
            destination = via::destination(top, source);
        }
        Inbound {
            method: request.method().to_owned(),
            cseq: request.cseq(),
            branch: request.top_branch().to_owned(),
            call_id: request.call_id().to_owned(),
            via,
            record_route: request.record_routes(),
            from: request.header("From").unwrap_or_default().to_owned(),
            to: request.header("To").unwrap_or_default().to_owned(),
            tagged: !request.to_tag().is_empty(),
            destination,
        }
    }

    /// Where requests of ours to its sender go when its Contact is no address, or over TCP by which line. `routed`: the
    /// dialog has a route set. A line leads to who is next only if it came from there: a proxy that wants to hear no
    /// more of the dialog has left its Via, but no Record-Route.
    pub(super) fn sender(&self, source: Far, routed: bool) -> Far {
        match source.transport {
            Transport::Udp => source,
            Transport::Tcp if routed || self.via.len() == 1 => self.destination,
            Transport::Tcp => Far { line: None, ..self.destination },
        }
    }

    /// The INVITE a row says we still owe an answer to. The row keeps no display names; tags and URIs are what
    /// From and To are compared by (RFC 3261 section 8.2.6.2 and 12).
    pub(super) fn of_row(row: &Dialog, cseq: u32, via: &[String], record_route: &[String]) -> Inbound {
        let top = via.first().map(String::as_str).unwrap_or_default();
        Inbound {
            method: "INVITE".to_owned(),
            cseq,
            branch: parameter(top, "branch").unwrap_or_default().to_owned(),
            call_id: row.call_id.clone(),
            via: via.to_vec(),
            record_route: record_route.to_vec(),
            from: format!("<{}>;tag={}", row.remote_uri, row.remote_tag),
            to: format!("<{}>;tag={}", row.local_uri, row.local_tag),
            tagged: true,
            destination: via::destination(top, row.far),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// We owe the final answer.
    Open,
    /// A 2xx is out, its ACK is not in (the Accepted state of RFC 6026).
    Succeeded,
    /// A refusal is out, its ACK is not in.
    Refused,
    /// Acknowledged, or no longer waited for.
    Over,
}

/// The far end's newest INVITE, or an UPDATE with an offer (RFC 3311), which waits for the same decision.
#[derive(Clone, Debug)]
pub(super) struct ServerInvite {
    pub(super) inbound: Inbound,
    /// It opened the dialog.
    pub(super) initial: bool,
    pub(super) phase: Phase,
    /// Of the last answer sent; 0 before the first.
    pub(super) status: u16,
    pub(super) last: Vec<u8>,
    pub(super) timer: Option<Repeat>,
    pub(super) offer: String,
    /// It has none: our 2xx offers, and its ACK answers (RFC 3261 section 13.2.2.4).
    pub(super) asks: bool,
    /// The call knows of it.
    pub(super) told: bool,
}

impl ServerInvite {
    pub(super) fn new(inbound: Inbound, initial: bool, offer: &[u8]) -> ServerInvite {
        let offer = String::from_utf8_lossy(offer).into_owned();
        let (phase, status, last, asks) = (Phase::Open, 0, Vec::new(), offer.is_empty());
        ServerInvite { inbound, initial, phase, status, last, timer: None, offer, asks, told: true }
    }

    pub(super) fn is_invite(&self) -> bool {
        self.inbound.method == "INVITE"
    }

    /// What is left of it keeps only enough to recognise repeats.
    pub(super) fn close(&mut self) {
        self.phase = Phase::Over;
        self.timer = None;
        self.last = Vec::new();
    }
}

/// Answers to requests other than INVITE that are kept for repeats (timer J, RFC 3261 section 17.2.2), newest
/// last. A far end has one or two such requests open at a time.
pub(super) const GIVEN_KEPT: usize = 4;

#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) method: String,
    pub(super) cseq: u32,
    pub(super) branch: String,
    pub(super) destination: Far,
    pub(super) bytes: Vec<u8>,
}

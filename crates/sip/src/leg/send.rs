//! What a leg puts on the wire.

use strowger_model::{Cause, Far, Mono};

use super::client::ClientRequest;
use super::server::{GIVEN_KEPT, Given, Inbound};
use super::timer::Repeat;
use super::{Leg, LegState, Out};
use crate::compose::{Body, MAX_FORWARDS, Writer};
use crate::screen::ALLOW;
use crate::text::address_uri;
use crate::{reason, uri};

/// The far side of a dialog, as a request to it needs it.
pub(super) struct Peer<'a> {
    pub(super) target: &'a str,
    pub(super) route: &'a [String],
    pub(super) tag: &'a str,
    /// The next hop.
    pub(super) to: Far,
}

/// Whose word counts on where the requests of a dialog go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    /// The far end's (RFC 3261 section 12.2.1.1): a carrier's, which somebody configured.
    AsItSays,
    /// The far end's, on the host that it is called on: an agent's phone's. What it says elsewhere would have us send to a
    /// carrier, in our name, or connect to what only we can reach.
    OnItsHost,
    /// Its packets', unless a proxy on its host wants to stay in the dialog: a phone's behind a NAT (RFC 5626 section 5.3
    /// has an edge do so).
    ByFlow,
}

impl Leg {
    pub(super) fn peer(&self) -> Peer<'_> {
        let (target, route) = (self.row.remote_target.as_str(), self.row.route_set.as_slice());
        Peer { target, route, tag: &self.row.remote_tag, to: self.next_hop(target, route) }
    }

    /// Where a request in this dialog goes (RFC 3261 section 12.2.1.1): first Route, else target. Every route is
    /// taken for a loose router: strict ones (RFC 2543) would need the Request-URI rewritten, and are extinct.
    pub(super) fn next_hop(&self, target: &str, route: &[String]) -> Far {
        let next = route.first().map_or(target, |route| address_uri(route));
        let far = self.row.far;
        let is_its_host = |named: &Far| named.addr.ip().to_canonical() == far.addr.ip().to_canonical();
        let named = match self.reached {
            Reached::AsItSays => uri::literal(next, far.transport),
            Reached::ByFlow if route.is_empty() => None,
            Reached::OnItsHost | Reached::ByFlow => uri::literal(next, far.transport).filter(is_its_host),
        };
        match named {
            Some(named) if named.transport == far.transport => Far { line: far.line, ..named },
            Some(named) => named,
            None => far,
        }
    }

    /// A request of ours. `from` is without tag.
    #[expect(clippy::too_many_arguments, reason = "the parts of a request; each is given once, here")]
    pub(super) fn request(
        &self,
        method: &str,
        cseq: u32,
        branch: &str,
        from: &str,
        peer: &Peer<'_>,
        extra: &[(&str, String)],
        body: Option<Body<'_>>,
    ) -> Vec<u8> {
        let row = &self.row;
        let mut out = Writer::request(method, peer.target);
        out.header(
            "Via",
            &format!("SIP/2.0/{} {};branch={branch};rport", peer.to.transport.name(), self.local.contact_host),
        );
        out.header("Max-Forwards", &MAX_FORWARDS.to_string());
        out.headers("Route", peer.route);
        out.header("From", &format!("{from};tag={}", row.local_tag));
        if peer.tag.is_empty() {
            out.header("To", &format!("<{}>", row.remote_uri));
        } else {
            out.header("To", &format!("<{}>;tag={}", row.remote_uri, peer.tag));
        }
        out.header("Call-ID", &row.call_id);
        out.header("CSeq", &format!("{cseq} {method}"));
        if method == "INVITE" {
            out.header("Contact", &format!("<{}>", row.local_contact));
            out.header("Allow", ALLOW);
        }
        if !self.local.user_agent.is_empty() {
            out.header("User-Agent", &self.local.user_agent);
        }
        for (name, value) in extra {
            out.header(name, value);
        }
        out.finish(body)
    }

    /// An answer of ours to `inbound`. Those that set up or refresh the dialog carry our Contact and, for an
    /// INVITE, the Record-Route we got (RFC 3261 section 12.1.1).
    pub(super) fn answer(
        &self,
        inbound: &Inbound,
        status: u16,
        extra: &[(&str, String)],
        body: Option<Body<'_>>,
    ) -> Vec<u8> {
        let mut out = Writer::response(status, reason::phrase(status));
        self.answer_head(&mut out, inbound, status);
        for (name, value) in extra {
            out.header(name, value);
        }
        out.finish(body)
    }

    pub(super) fn answer_head(&self, out: &mut Writer, inbound: &Inbound, status: u16) {
        let invite = inbound.method == "INVITE";
        let dialog_forming = (101..300).contains(&status) && (invite || inbound.method == "UPDATE");
        out.headers("Via", &inbound.via);
        if dialog_forming && invite {
            out.headers("Record-Route", &inbound.record_route);
        }
        out.header("From", &inbound.from);
        if inbound.tagged || status == 100 {
            out.header("To", &inbound.to);
        } else {
            out.header("To", &format!("{};tag={}", inbound.to, self.row.local_tag));
        }
        out.header("Call-ID", &inbound.call_id);
        out.header("CSeq", &format!("{} {}", inbound.cseq, inbound.method));
        if dialog_forming {
            out.header("Contact", &format!("<{}>", self.row.local_contact));
        }
        if status == 405 || (invite && (200..300).contains(&status)) {
            out.header("Allow", ALLOW);
        }
        if !self.local.user_agent.is_empty() {
            out.header("Server", &self.local.user_agent);
        }
    }

    /// Answer a request other than INVITE, and keep the answer for repeats.
    pub(super) fn give(
        &mut self,
        inbound: Inbound,
        status: u16,
        extra: &[(&str, String)],
        body: Option<Body<'_>>,
        out: &mut Vec<Out>,
    ) {
        let bytes = self.answer(&inbound, status, extra, body);
        if self.given.len() >= GIVEN_KEPT {
            self.given.remove(0);
        }
        out.push(Out::Send { to: inbound.destination, bytes: bytes.clone() });
        let Inbound { method, cseq, branch, destination, .. } = inbound;
        self.given.push(Given { method, cseq, branch, destination, bytes });
    }

    pub(super) fn next_cseq(&mut self) -> u32 {
        self.row.local_cseq = self.row.local_cseq.saturating_add(1);
        self.row.local_cseq
    }

    pub(super) fn send_request(
        &mut self,
        method: &'static str,
        extra: &[(&str, String)],
        now: Mono,
        out: &mut Vec<Out>,
    ) {
        let cseq = self.next_cseq();
        let branch = self.local.tokens.branch(self.key, cseq, method);
        let peer = self.peer();
        let bytes = self.request(method, cseq, &branch, &self.from(), &peer, extra, None);
        let destination = peer.to;
        out.push(Out::Send { to: destination, bytes: bytes.clone() });
        let timer = Repeat::up_to_t2(now, destination.transport);
        self.requests.push(ClientRequest { method, branch, bytes, destination, timer, stray: false });
    }

    pub(super) fn send_bye(&mut self, q850: Option<Cause>, now: Mono, out: &mut Vec<Out>) {
        self.state = LegState::Ending;
        let reason: Vec<(&str, String)> = q850.map(|cause| ("Reason", reason::header(cause))).into_iter().collect();
        self.send_request("BYE", &reason, now, out);
    }

    /// The ACK to a 2xx is a request of its own, sent end to end (RFC 3261 section 13.2.2.4).
    pub(super) fn send_ack(&self, cseq: u32, peer: &Peer<'_>, out: &mut Vec<Out>) {
        let branch = self.local.tokens.branch(self.key, cseq, "ACK");
        let bytes = self.request("ACK", cseq, &branch, &self.from(), peer, &[], None);
        out.push(Out::Send { to: peer.to, bytes });
    }

    pub(super) fn from(&self) -> String {
        format!("<{}>", self.row.local_uri)
    }
}

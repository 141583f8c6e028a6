//! One side of a dialog (RFC 3261 section 12).

use std::net::SocketAddr;

use super::draft::Draft;
use super::message::{Message, address_of, uri_of};

#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub call_id: String,
    /// From and To as this side writes them, tags included.
    local: String,
    pub local_tag: String,
    remote: String,
    contact: String,
    target: String,
    routes: Vec<String>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    pub established: bool,
}

impl Dialog {
    /// Before an INVITE of one's own. `local` and `remote` are name-addrs without tags.
    pub fn outgoing(
        call_id: String,
        local: &str,
        local_tag: String,
        remote: String,
        target: String,
        contact: String,
    ) -> Self {
        Self {
            call_id,
            local: format!("{local};tag={local_tag}"),
            local_tag,
            remote,
            contact,
            target,
            routes: Vec::new(),
            local_cseq: 0,
            remote_cseq: None,
            established: false,
        }
    }

    /// From an INVITE that came in.
    pub fn incoming(invite: &Message, local_tag: String, contact: String) -> Self {
        let to = invite.header("to").unwrap_or_default();
        Self {
            call_id: invite.call_id.clone(),
            local: format!("{to};tag={local_tag}"),
            local_tag,
            remote: invite.header("from").unwrap_or_default().to_owned(),
            contact,
            target: contact_uri(invite).unwrap_or_default(),
            routes: invite.list("record-route").into_iter().map(str::to_owned).collect(),
            local_cseq: 0,
            remote_cseq: Some(invite.cseq),
            established: true,
        }
    }

    /// The 2xx to one's own INVITE makes the dialog (section 12.1.2).
    pub fn establish(&mut self, answer: &Message) {
        self.remote = answer.header("to").unwrap_or_default().to_owned();
        self.routes = answer.list("record-route").into_iter().rev().map(str::to_owned).collect();
        self.retarget(answer);
        self.established = true;
    }

    /// A target refresh: re-INVITE and UPDATE, and their answers, may move the far end.
    pub fn retarget(&mut self, message: &Message) {
        if let Some(target) = contact_uri(message) {
            self.target = target;
        }
    }

    /// False: the request is older than one already seen (section 12.2.2).
    pub fn accepts(&mut self, request: &Message) -> bool {
        if self.remote_cseq.is_some_and(|seen| request.cseq < seen) {
            return false;
        }
        self.remote_cseq = Some(request.cseq);
        true
    }

    pub fn contact(&self) -> &str {
        &self.contact
    }

    pub fn request(&mut self, method: &'static str) -> Draft {
        self.local_cseq += 1;
        let with_contact = matches!(method, "INVITE" | "UPDATE");
        Draft { contact: with_contact.then(|| self.contact.clone()), ..self.draft(method, self.local_cseq) }
    }

    /// The ACK of a 2xx: a request of its own, under the INVITE's number (section 13.2.2.4).
    pub fn ack(&self, cseq: u32) -> Draft {
        self.draft("ACK", cseq)
    }

    /// Where the next request goes (section 8.1.2); `server` where nobody has named an address.
    pub fn next_hop(&self, server: SocketAddr) -> SocketAddr {
        if !self.established {
            return server;
        }
        let uri = self.routes.first().map_or(self.target.as_str(), |route| uri_of(route));
        address_of(uri).unwrap_or(server)
    }

    fn draft(&self, method: &'static str, cseq: u32) -> Draft {
        let (mut uri, mut routes) = (self.target.clone(), self.routes.clone());
        // Section 12.2.1.1: a first route without `lr` is a strict router, which wants itself as Request-URI.
        if let Some(first) = routes.first().filter(|first| !is_loose(first)).cloned() {
            routes.remove(0);
            routes.push(format!("<{uri}>"));
            uri = uri_of(&first).to_owned();
        }
        Draft {
            method,
            uri,
            routes,
            from: self.local.clone(),
            to: self.remote.clone(),
            call_id: self.call_id.clone(),
            cseq,
            contact: None,
            extra: Vec::new(),
            sdp: None,
        }
    }
}

fn is_loose(route: &str) -> bool {
    uri_of(route).split(';').skip(1).any(|part| part.split('=').next().is_some_and(|n| n.eq_ignore_ascii_case("lr")))
}

fn contact_uri(message: &Message) -> Option<String> {
    message.list("contact").first().map(|contact| uri_of(contact).to_owned()).filter(|uri| !uri.is_empty())
}

//! A leg: one SIP dialog with its transactions, from either side. It holds no rule of a call: it says what the far
//! end did, and does what the call asks, in whatever way the state of the dialog allows.

mod client;
mod commands;
mod hold;
mod request;
mod response;
mod restore;
mod send;
mod server;
mod timer;

use strowger_model::{Cause, Dialog, DialogState, Far, LegKey, Mono, Role, Transport};

use self::client::{ClientInvite, ClientRequest, Refused, Stage};
use self::send::Peer;
use self::server::{Given, Inbound, Phase, ServerInvite};
use self::timer::{Due, Repeat};
use crate::compose::{SDP, name_addr};
use crate::message::Message;
use crate::sdp;
use crate::token::{self, TokenKeys};

pub use self::send::Reached;
pub use self::timer::LINGER;

/// What all legs of a node say of it.
#[derive(Clone, Debug)]
pub struct Local {
    /// `host:port` of the address that any live node answers, for Via and Contact.
    pub contact_host: String,
    /// For User-Agent and Server; empty to send none.
    pub user_agent: String,
    /// With which what we say names our legs.
    pub tokens: TokenKeys,
}

/// An INVITE to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// Whom it asks for.
    pub request_uri: String,
    /// In To, without tag.
    pub to_uri: String,
    /// In From, without name and tag.
    pub from_uri: String,
    /// Empty for none.
    pub from_display: String,
    /// Made from the leg's key, so that an adopter sends the same.
    pub call_id: String,
    /// Where it is sent; the Request-URI is not resolved.
    pub destination: Far,
    /// Route values to start with, `<sip:...;lr>` each.
    pub route_set: Vec<String>,
    /// Our offer.
    pub sdp: String,
    /// Besides those every INVITE has: name and value.
    pub headers: Vec<(String, String)>,
}

/// How far a leg is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LegState {
    /// The INVITE has no final answer.
    Early,
    /// A 2xx is sent or received, its ACK is not.
    Answered,
    /// Answered and acknowledged.
    Confirmed,
    /// We end it and wait for the far end to agree.
    Ending,
    /// Over for both sides.
    Ended,
}

/// What the owner of a leg has to do next, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Out {
    /// A message goes out.
    Send {
        /// Where to.
        to: Far,
        /// The whole message.
        bytes: Vec<u8>,
    },
    /// The call hears of it.
    Event(Event),
}

/// What the far end did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Our INVITE got a provisional answer above 100. Told once a status.
    Ringing {
        /// 101 to 199.
        status: u16,
    },
    /// Our INVITE got its 2xx; it is acknowledged when the call says so.
    Answered {
        /// What describes the far end: in the 2xx, or where that has nothing in a provisional answer before it. Else empty.
        sdp: Vec<u8>,
    },
    /// Our INVITE was refused (and that acknowledged), or not answered at all: 408. `Ended` follows.
    Failed {
        /// 300 to 699.
        status: u16,
        /// The cause that the far end gave in `Reason` (RFC 3326).
        q850: Option<Cause>,
    },
    /// The ACK of our 2xx answers the offer in it, in another way than what is agreed on. `Acked` follows if the 2xx was the
    /// first.
    OfferAnswered {
        /// The body of the ACK; empty if nothing is agreed on and it says nothing either.
        sdp: Vec<u8>,
    },
    /// INFO: a key was pressed.
    Key {
        /// 0 to 9, *, #, A to D.
        digit: char,
    },
    /// The far end acknowledged our 2xx.
    Acked,
    /// It never did. The dialog stands and should be hung up (RFC 3261 section 13.3.1.4).
    AckTimeout,
    /// CANCEL, or BYE before the answer: awaits `answer_bye`.
    Cancelled,
    /// BYE: awaits `answer_bye`.
    HungUp {
        /// The cause that the far end gave in `Reason` (RFC 3326).
        q850: Option<Cause>,
    },
    /// re-INVITE or UPDATE: awaits `answer_reinvite`. Empty SDP: the far end wants our offer.
    Reinvite {
        /// The description in the request.
        sdp: Vec<u8>,
    },
    /// Ours was answered, or refused with that status.
    ReinviteDone {
        /// What describes the far end from now on, or the status.
        ok: Result<Vec<u8>, u16>,
    },
    /// The far end says that it knows no such dialog.
    Gone,
    /// Nothing more will come, told once. The leg may be dropped after `LINGER`.
    Ended,
}

/// One dialog and what is pending in it.
#[derive(Clone, Debug)]
pub struct Leg {
    key: LegKey,
    local: Local,
    /// `pending` is empty here: `dialog` fills it in from `server` or `client`.
    row: Dialog,
    state: LegState,
    server: Option<ServerInvite>,
    client: Option<ClientInvite>,
    requests: Vec<ClientRequest>,
    /// CANCEL or BYE that awaits `answer_bye`.
    owed: Option<Inbound>,
    given: Vec<Given>,
    refused: Option<Refused>,
    /// `hang_up` came before the ACK: the BYE has to wait for it (RFC 3261 section 15).
    bye_after_ack: Option<Option<Cause>>,
    /// A re-INVITE that met the far end's, to be sent again.
    retry: Option<Retry>,
    /// To tags of forks that answered after another had.
    forks: Vec<String>,
    reached: Reached,
    /// Rebuilt from a row that says the 2xx to our INVITE is committed: a repeat may be acknowledged unasked.
    committed: bool,
}

#[derive(Clone, Debug)]
struct Retry {
    at: Mono,
    sdp: String,
    glares: u8,
}

impl Leg {
    /// The far end's INVITE. Sends nothing: the call decides first.
    pub fn incoming(key: LegKey, invite: &Message, source: Far, local: &Local) -> Leg {
        let inbound = Inbound::of(invite, source);
        let row = Dialog {
            role: Role::Uas,
            state: DialogState::Early,
            call_id: invite.call_id().to_owned(),
            local_uri: invite.to_uri().to_owned(),
            local_tag: local.tokens.tag(key, token::salt(invite.call_id(), invite.from_tag())),
            remote_uri: invite.from_uri().to_owned(),
            remote_tag: invite.from_tag().to_owned(),
            local_contact: contact(key, local, source.transport),
            remote_target: invite.contact_uri().unwrap_or(invite.from_uri()).to_owned(),
            route_set: invite.record_routes(),
            local_cseq: 0,
            remote_cseq: invite.cseq(),
            far: inbound.sender(source, !inbound.record_route.is_empty()),
            local_sdp: String::new(),
            remote_sdp: String::from_utf8_lossy(&invite.sdp()).into_owned(),
            sdp_version: 0,
            pending: None,
        };
        let mut leg = Leg::new(key, row, local);
        leg.server =
            Some(ServerInvite { asks: leg.row.remote_sdp.is_empty(), ..ServerInvite::new(inbound, true, &[]) });
        leg
    }

    /// Our INVITE. Everything in it derives from the arguments: done again, it sends the same bytes.
    pub fn outgoing(key: LegKey, to: Outgoing, local: &Local, now: Mono) -> (Leg, Vec<Out>) {
        let row = Dialog {
            role: Role::Uac,
            state: DialogState::Early,
            local_tag: local.tokens.tag(key, token::salt(&to.call_id, "")),
            call_id: to.call_id,
            local_uri: to.from_uri,
            remote_uri: to.to_uri,
            remote_tag: String::new(),
            local_contact: contact(key, local, to.destination.transport),
            remote_target: to.request_uri,
            route_set: to.route_set,
            local_cseq: 1,
            remote_cseq: 0,
            far: to.destination,
            sdp_version: sdp::version(&to.sdp),
            local_sdp: to.sdp,
            remote_sdp: String::new(),
            pending: None,
        };
        let mut leg = Leg::new(key, row, local);
        let from = name_addr(&to.from_display, &leg.row.local_uri);
        let headers: Vec<(&str, String)> =
            to.headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let body = (SDP, leg.row.local_sdp.as_bytes());
        let branch = local.tokens.branch(key, 1, "INVITE");
        let peer = Peer { to: to.destination, ..leg.peer() };
        let bytes = leg.request("INVITE", 1, &branch, &from, &peer, &headers, Some(body));
        let out = vec![Out::Send { to: to.destination, bytes: bytes.clone() }];
        leg.client = Some(ClientInvite::new(1, branch, bytes, to.destination, now));
        (leg, out)
    }

    /// Our INVITE as another owner sent it, or may have sent it. It is not sent again; its answers are taken, and it
    /// can be cancelled.
    pub fn awaited(key: LegKey, to: Outgoing, local: &Local, now: Mono) -> Leg {
        let (mut leg, _) = Leg::outgoing(key, to, local, now);
        if let Some(client) = &mut leg.client {
            client.stage = Stage::Proceeding;
            client.timer = None;
        }
        leg
    }

    fn new(key: LegKey, row: Dialog, local: &Local) -> Leg {
        Leg {
            key,
            local: local.clone(),
            row,
            state: LegState::Early,
            server: None,
            client: None,
            requests: Vec::new(),
            owed: None,
            given: Vec::new(),
            refused: None,
            bye_after_ack: None,
            retry: None,
            forks: Vec::new(),
            reached: Reached::AsItSays,
            committed: false,
        }
    }

    /// Says where its requests go; if nobody does, where the far end says. To be said of each leg as it is made: no dialog
    /// has it.
    pub fn reached(self, reached: Reached) -> Leg {
        Leg { reached, ..self }
    }

    /// Whose leg it is.
    pub fn key(&self) -> LegKey {
        self.key
    }

    /// How far it is.
    pub fn state(&self) -> LegState {
        self.state
    }

    /// The far end's description that is agreed on.
    pub fn remote_sdp(&self) -> &str {
        &self.row.remote_sdp
    }

    /// Whether this request of the far end still waits for our final answer.
    pub fn owes(&self, request: &Message) -> bool {
        let is_it = |inbound: &Inbound| inbound.branch == request.top_branch() && inbound.method == request.method();
        let open = self.server.as_ref().filter(|server| server.phase == Phase::Open).map(|server| &server.inbound);
        request.is_request() && open.into_iter().chain(&self.owed).any(is_it)
    }

    /// The earliest time at which `tick` has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        let server = self.server.as_ref().and_then(|server| server.timer);
        let client = self.client.as_ref().and_then(|client| client.timer);
        let requests = self.requests.iter().map(|request| request.timer);
        let timers = server.into_iter().chain(client).chain(requests).map(|timer: Repeat| timer.deadline());
        timers.chain(self.retry.as_ref().map(|retry| retry.at)).min()
    }

    /// Do what is due.
    pub fn tick(&mut self, now: Mono) -> Vec<Out> {
        let mut out = Vec::new();
        self.tick_server(now, &mut out);
        self.tick_client(now, &mut out);
        self.tick_requests(now, &mut out);
        if self.retry.as_ref().is_some_and(|retry| retry.at <= now)
            && let Some(retry) = self.retry.take()
        {
            self.send_reinvite(retry.sdp, retry.glares, now, &mut out);
        }
        self.hold_done(now);
        out
    }

    /// A message of this leg. The owner has matched it by token, or by the INVITE it repeats or cancels.
    pub fn on_message(&mut self, message: &Message, source: Far, now: Mono) -> Vec<Out> {
        let mut out = Vec::new();
        if message.is_request() {
            self.on_request(message, source, now, &mut out);
        } else if message.call_id() == self.row.call_id && message.from_tag() == self.row.local_tag {
            self.on_response(message, source, now, &mut out);
        }
        self.hold();
        out
    }

    fn tick_server(&mut self, now: Mono, out: &mut Vec<Out>) {
        let Some(server) = &mut self.server else { return };
        match server.timer.as_mut().map_or(Due::Nothing, |timer| timer.due(now)) {
            Due::Nothing => {}
            Due::Again => out.push(Out::Send { to: server.inbound.destination, bytes: server.last.clone() }),
            Due::GiveUp => {
                let (refused, initial) = (server.phase == Phase::Refused, server.initial);
                server.close();
                match self.bye_after_ack.take() {
                    Some(q850) => self.send_bye(q850, now, out),
                    // Timer H: the caller is gone, its refusal needs no proof of delivery.
                    None if refused && initial => self.finish(out),
                    None if !refused && matches!(self.state, LegState::Answered | LegState::Confirmed) => {
                        self.state = LegState::Confirmed;
                        out.push(Out::Event(Event::AckTimeout));
                    }
                    None => {}
                }
            }
        }
    }

    fn tick_client(&mut self, now: Mono, out: &mut Vec<Out>) {
        let Some(client) = &mut self.client else { return };
        match client.timer.as_mut().map_or(Due::Nothing, |timer| timer.due(now)) {
            Due::Nothing => {}
            Due::Again => out.push(Out::Send { to: client.destination, bytes: client.request.clone() }),
            Due::GiveUp => {
                let initial = client.initial;
                self.client = None;
                if !initial {
                    if self.state == LegState::Confirmed {
                        out.push(Out::Event(Event::ReinviteDone { ok: Err(408) }));
                    }
                    return;
                }
                if self.state == LegState::Early {
                    out.push(Out::Event(Event::Failed { status: 408, q850: None }));
                }
                self.finish(out);
            }
        }
    }

    fn tick_requests(&mut self, now: Mono, out: &mut Vec<Out>) {
        let mut bye_lost = false;
        self.requests.retain_mut(|request| match request.timer.due(now) {
            Due::Nothing => true,
            Due::Again => {
                out.push(Out::Send { to: request.destination, bytes: request.bytes.clone() });
                true
            }
            // An unanswered probe proves nothing: the far end may be out of reach for a while. An unanswered BYE
            // ends the dialog all the same (RFC 3261 section 15.1.1).
            Due::GiveUp => {
                bye_lost |= request.method == "BYE" && !request.stray;
                false
            }
        });
        if bye_lost {
            self.finish(out);
        }
    }

    fn finish(&mut self, out: &mut Vec<Out>) {
        if self.state == LegState::Ended {
            return;
        }
        self.state = LegState::Ended;
        self.row.state = DialogState::Ended;
        // A refusal that crosses the end is acknowledged all the same: the transaction outlives the dialog (RFC 3261
        // section 17.1.1.3).
        if let Some(client) = self.client.take().filter(|client| !client.initial && client.stage != Stage::Accepted) {
            self.refused = Some(client.refused(None));
        }
        self.retry = None;
        self.owed = None;
        self.bye_after_ack = None;
        self.requests.retain(|request| request.stray);
        if let Some(server) = &mut self.server {
            server.close();
        }
        out.push(Out::Event(Event::Ended));
    }
}

/// Our Contact: whoever answers the shared address learns from its user part whose request it got.
fn contact(key: LegKey, local: &Local, transport: Transport) -> String {
    format!("sip:{}@{}{}", local.tokens.token(key), local.contact_host, transport.uri_parameter())
}

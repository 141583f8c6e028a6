//! Requests under way: sent again until they are answered (RFC 3261 section 17.1).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::draft::Draft;
use super::message::Message;
use super::{GIVE_UP, T1, T2};
use crate::leg::LegKey;

/// RFC 3261 section 8.1.1.7: begins every branch that is unique.
const MAGIC_COOKIE: &str = "z9hG4bK";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestId {
    number: u64,
    /// A CANCEL has the branch of its INVITE.
    cancel: bool,
}

/// What a leg asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Invite,
    Reinvite,
    Cancel,
    Bye,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Leg(LegKey, Purpose),
    Registration(usize),
}

pub(crate) struct Packet {
    pub socket: usize,
    pub destination: SocketAddr,
    pub bytes: Vec<u8>,
}

/// What to do when a request's timer has run.
pub(crate) enum Retry {
    Again { owner: Owner, id: RequestId, next_at: Instant },
    GaveUp(Owner),
    Nothing,
}

pub(crate) struct Clients {
    requests: HashMap<RequestId, Request>,
    salt: String,
    next: u64,
}

struct Request {
    draft: Draft,
    branch: String,
    packet: Packet,
    owner: Owner,
    started: Instant,
    interval: Duration,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    /// An INVITE that was refused: the packet is now its ACK, sent for every repetition of the refusal.
    Refused,
}

impl Clients {
    /// `salt` keeps the branches of two processes apart.
    pub fn new(salt: String) -> Self {
        Self { requests: HashMap::new(), salt, next: 0 }
    }

    /// Returns the request's id and when to look at it again; it is to be sent now.
    pub fn start(
        &mut self,
        draft: Draft,
        via: SocketAddr,
        socket: usize,
        destination: SocketAddr,
        owner: Owner,
        now: Instant,
    ) -> (RequestId, Instant) {
        self.next += 1;
        let id = RequestId { number: self.next, cancel: false };
        let branch = format!("{MAGIC_COOKIE}{}-{:x}", self.salt, self.next);
        let packet = Packet { socket, destination, bytes: draft.print(via, &branch) };
        let state = State::Trying;
        self.requests.insert(id, Request { draft, branch, packet, owner, started: now, interval: T1, state });
        (id, now + T1)
    }

    /// The CANCEL of an INVITE that is still open.
    pub fn cancel(
        &mut self,
        invite: RequestId,
        via: SocketAddr,
        owner: Owner,
        now: Instant,
    ) -> Option<(RequestId, Instant)> {
        let open = self.requests.get(&invite).filter(|request| request.state != State::Refused)?;
        let draft = open.draft.cancel();
        let branch = open.branch.clone();
        let packet = Packet { bytes: draft.print(via, &branch), ..open.packet };
        let id = RequestId { cancel: true, ..invite };
        let state = State::Trying;
        self.requests.insert(id, Request { draft, branch, packet, owner, started: now, interval: T1, state });
        Some((id, now + T1))
    }

    pub fn packet(&self, id: RequestId) -> Option<&Packet> {
        self.requests.get(&id).map(|request| &request.packet)
    }

    /// Whose answer this is. `via` prints the ACK of a refusal, which the caller sends as `packet(id)`.
    pub fn on_answer(&mut self, answer: &Message, via: impl Fn(usize) -> SocketAddr, now: Instant) -> Option<Matched> {
        let status = answer.status()?;
        let id = self.id_of(answer)?;
        let request = self.requests.get_mut(&id)?;
        let is_invite = request.draft.method == "INVITE";
        if answer.cseq_method != request.draft.method {
            return None;
        }
        if request.state == State::Refused {
            return (status >= 300).then_some(Matched { owner: None, ack: Some(id), forget_at: None });
        }
        let owner = Some(request.owner);
        if status < 200 {
            request.state = State::Proceeding;
            request.interval = if is_invite { request.interval } else { T2 };
            return Some(Matched { owner, ack: None, forget_at: None });
        }
        if !is_invite || status < 300 {
            self.requests.remove(&id);
            return Some(Matched { owner, ack: None, forget_at: None });
        }
        let ack = request.draft.ack_of_refusal(answer.header("to").unwrap_or_default());
        request.packet.bytes = ack.print(via(request.packet.socket), &request.branch);
        request.state = State::Refused;
        Some(Matched { owner, ack: Some(id), forget_at: Some((id, now + GIVE_UP)) })
    }

    /// The timer of a request has run.
    pub fn on_timer(&mut self, id: RequestId, now: Instant) -> Retry {
        let Some(request) = self.requests.get_mut(&id) else { return Retry::Nothing };
        let is_invite = request.draft.method == "INVITE";
        let over = now.saturating_duration_since(request.started) >= GIVE_UP;
        match request.state {
            State::Refused => {
                // The only timer that runs this late is the one set at the refusal; an earlier one must not forget it.
                if over {
                    self.requests.remove(&id);
                }
                Retry::Nothing
            }
            State::Proceeding if is_invite => Retry::Nothing,
            _ if over => {
                let owner = request.owner;
                self.requests.remove(&id);
                Retry::GaveUp(owner)
            }
            _ => {
                request.interval *= 2;
                if !is_invite {
                    request.interval = request.interval.min(T2);
                }
                let next_at = (now + request.interval).min(request.started + GIVE_UP);
                Retry::Again { owner: request.owner, id, next_at }
            }
        }
    }

    /// A proceeding INVITE has no timer of its own; whoever tires of it drops it here.
    pub fn forget(&mut self, id: RequestId) {
        self.requests.remove(&id);
    }

    fn id_of(&self, answer: &Message) -> Option<RequestId> {
        let rest = answer.branch.strip_prefix(MAGIC_COOKIE)?;
        let number = rest.strip_prefix(self.salt.as_str())?.strip_prefix('-')?;
        let number = u64::from_str_radix(number, 16).ok()?;
        Some(RequestId { number, cancel: answer.cseq_method == "CANCEL" })
    }
}

pub(crate) struct Matched {
    /// Who wants to know; nobody, if it is a repetition.
    pub owner: Option<Owner>,
    /// The request whose packet, now an ACK, has to be sent.
    pub ack: Option<RequestId>,
    pub forget_at: Option<(RequestId, Instant)>,
}

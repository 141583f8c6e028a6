//! A caller: dials, presses digits, waits as long as patience lasts, hangs up in whatever way the state allows.

use std::net::SocketAddr;
use std::time::Duration;

use strowger_model::{LegKey, Mono, Transport};

use super::hold::{Habits, Session, Voice, Word};
use super::text::{Request, Sip};
use super::{Due, FarOut, Repeat};
use crate::promise::ANONYMOUS;
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::tenant::{CALLING, NUMBERS, TRUNKS, caller_addr};

/// Where all call at once, that begins when this part of the busy time is over, and takes this part of it.
const RUSH_BEGINS: u32 = 4;
const RUSH: u32 = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CallerState {
    /// Has not dialled yet.
    Before,
    Calling,
    Proceeding,
    Cancelling,
    Up,
    Leaving,
    Rest,
    /// Gone without a word.
    Gone,
}

pub(crate) struct Caller {
    pub id: usize,
    pub addr: SocketAddr,
    pub way: Transport,
    pub state: CallerState,
    pub call_id: String,
    pub number: &'static str,
    /// Who calls, as the caller says.
    pub user: String,
    from: String,
    to: String,
    to_tag: String,
    target: String,
    rtp: Option<SocketAddr>,
    dial_at: Mono,
    leave_at: Mono,
    /// How long after the answer, and which.
    digits: Vec<(Duration, char)>,
    press_at: Option<(Mono, char)>,
    cseq: u32,
    remote_cseq: u32,
    /// As it was sent.
    invite: Vec<u8>,
    repeat: Option<Repeat>,
    session: Session,
    /// The leg, as the answer's tag names it.
    pub key: Option<LegKey>,
    /// Since when it believes in a call that was answered.
    pub up_since: Option<Mono>,
}

impl Caller {
    pub fn draw(rng: &mut Rng, id: usize, scenario: &Scenario) -> Self {
        let (busy, tenant) = (scenario.busy, rng.below(scenario.shares.len() as u64) as usize);
        let number = rng.pick(&NUMBERS[tenant]).unwrap_or(NUMBERS[tenant][0]);
        let user = match rng.below(8) {
            0 => ANONYMOUS.to_owned(),
            1..4 => CALLING[rng.below(CALLING.len() as u64) as usize].to_owned(),
            // An extension.
            _ => format!("555{id}"),
        };
        // Over whichever trunk a call comes.
        let trunk = TRUNKS[rng.below(TRUNKS.len() as u64) as usize];
        let dial_at = Mono::ZERO + Duration::from_millis(500) + rng.millis(0, busy.as_millis() as u64 - 1000);
        let patience = match rng.below(10) {
            // Who dialled wrong notices at once.
            0 | 1 => rng.millis(0, 1500),
            2..5 => rng.millis(1000, 12_000),
            _ => rng.millis(5000, 60_000),
        };
        let digits = match rng.below(4) {
            0 => Vec::new(),
            1 => vec![(rng.millis(100, 6000), '7'), (rng.millis(100, 6000), '1')],
            _ => vec![(rng.millis(100, 6000), if rng.chance(500) { '1' } else { '2' })],
        };
        Self {
            id,
            addr: caller_addr(id, trunk),
            way: scenario.way(rng),
            state: CallerState::Before,
            call_id: format!("call{id}@far"),
            number,
            from: format!("<sip:{user}@far>;tag=f{id}"),
            user,
            to: format!("<sip:{number}@cluster>"),
            to_tag: String::new(),
            target: format!("sip:{number}@cluster"),
            rtp: None,
            dial_at,
            leave_at: dial_at + patience,
            digits,
            press_at: None,
            cseq: 1,
            remote_cseq: 0,
            invite: Vec::new(),
            repeat: None,
            session: Session::new(Habits::NONE),
            key: None,
            up_since: None,
        }
    }

    pub fn with(self, more: &mut Rng, scenario: &Scenario) -> Self {
        let (mut dial_at, patience) = (self.dial_at, self.leave_at.since(self.dial_at));
        if scenario.rushes {
            dial_at = Mono::ZERO + scenario.busy / RUSH_BEGINS + dial_at.since(Mono::ZERO) / RUSH;
        }
        let session = Session::new(Habits::draw(more, scenario.manners));
        Self { session, dial_at, leave_at: dial_at + patience, ..self }
    }

    /// What it is to who listens, or was when it left.
    pub fn voice(&self) -> Voice {
        self.session.voice()
    }

    pub fn deadline(&self) -> Option<Mono> {
        let leaves = match self.state {
            CallerState::Before => Some(self.dial_at),
            CallerState::Proceeding | CallerState::Up => Some(self.leave_at),
            _ => None,
        };
        let press = self.press_at.filter(|_| self.state == CallerState::Up).map(|(at, _)| at);
        let session = self.session.deadline();
        leaves.into_iter().chain(press).chain(session).chain(self.repeat.as_ref().map(Repeat::deadline)).min()
    }

    pub fn tick(&mut self, now: Mono) -> Vec<FarOut> {
        let mut out = Vec::new();
        if self.state == CallerState::Before && now >= self.dial_at {
            self.dial(now, &mut out);
        }
        match self.repeat.as_mut().map_or(Due::Nothing, |repeat| repeat.due(now)) {
            Due::Nothing => {}
            Due::Again(bytes) => out.push(FarOut::Send(bytes)),
            Due::Over => self.rest(),
        }
        if self.session.vanishes(now) {
            self.rest();
            self.state = CallerState::Gone;
            out.push(FarOut::Vanish(self.key));
            return out;
        }
        self.minds_media(now, &mut out);
        if let Some((_, digit)) = self.press_at.take_if(|(at, _)| *at <= now) {
            out.extend(self.rtp.filter(|_| self.state == CallerState::Up).map(|rtp| FarOut::Press { rtp, digit }));
            self.next_digit(now);
        }
        if now >= self.leave_at {
            match self.state {
                CallerState::Proceeding => self.cancel(now, &mut out),
                CallerState::Up => self.bye(now, &mut out),
                _ => {}
            }
        }
        out
    }

    /// Its line is gone. Who waits for an answer asks again, so that it comes by the new one.
    pub fn begins_again(&self) -> Vec<FarOut> {
        if self.state == CallerState::Proceeding {
            return vec![FarOut::Send(self.invite.clone())];
        }
        self.repeat.iter().filter_map(Repeat::once_more).chain(self.session.once_more()).collect()
    }

    pub fn on_message(&mut self, message: &Sip, now: Mono) -> Vec<FarOut> {
        let mut out = Vec::new();
        if self.state == CallerState::Gone {
            return out;
        }
        if message.call_id() != self.call_id {
            // Somebody's who had this address before; there was nobody.
            return if message.status() == 0 && message.method() != "ACK" { vec![refused(message, 481)] } else { out };
        }
        match (message.status(), message.method()) {
            (0, "INVITE") if self.takes(message) => self.move_media(message, now, &mut out),
            (0, _) => self.on_request(message, &mut out),
            (status, "INVITE") if message.cseq() == 1 => self.on_answer(message, status, now, &mut out),
            (100.., "INVITE" | "UPDATE") => self.on_agreed(message, now, &mut out),
            (200.., "CANCEL") if self.state == CallerState::Cancelling => self.repeat = Some(Repeat::wait(now)),
            (200.., "BYE") if self.state == CallerState::Leaving => self.rest(),
            _ => {}
        }
        out
    }

    fn dial(&mut self, now: Mono, out: &mut Vec<FarOut>) {
        self.state = CallerState::Calling;
        let body = self.session.sdp(self.addr);
        let bytes = self.request("INVITE", &self.to, 1, Some(&self.contact()), &body);
        out.push(FarOut::Send(bytes.clone()));
        self.invite.clone_from(&bytes);
        self.repeat = Some(Repeat::of_invite(bytes, now).by(self.way));
    }

    fn on_answer(&mut self, message: &Sip, status: u16, now: Mono, out: &mut Vec<FarOut>) {
        let waits = matches!(self.state, CallerState::Calling | CallerState::Proceeding | CallerState::Cancelling);
        match status {
            0..200 => {
                if self.state == CallerState::Calling {
                    self.state = CallerState::Proceeding;
                    self.repeat = None;
                }
            }
            200..300 => self.on_success(message, waits, now, out),
            _ => {
                let to = message.header("To").to_owned();
                out.push(FarOut::Send(self.request("ACK", &to, 1, None, "")));
                if waits {
                    self.rest();
                }
            }
        }
    }

    /// Every 2xx is acknowledged (RFC 3261 section 13.2.2.4). Who has given up meanwhile hangs up on it.
    fn on_success(&mut self, message: &Sip, waits: bool, now: Mono, out: &mut Vec<FarOut>) {
        let wanted = matches!(self.state, CallerState::Calling | CallerState::Proceeding);
        if !self.to_tag.is_empty() && message.tag_of_to() != self.to_tag {
            return;
        }
        let first = self.to_tag.is_empty();
        self.to_tag = message.tag_of_to().to_owned();
        self.target = message.contact().to_owned();
        self.to = message.header("To").to_owned();
        self.key = message.key();
        let to = self.to.clone();
        out.push(FarOut::Send(self.request("ACK", &to, 1, None, "")));
        if wanted {
            self.state = CallerState::Up;
            self.repeat = None;
            self.up_since = Some(now);
            self.session.begin(now);
            self.rtp = message.rtp();
            self.next_digit(now);
        } else if waits || first {
            self.bye(now, out);
        }
    }

    fn on_request(&mut self, message: &Sip, out: &mut Vec<FarOut>) {
        let ours = !self.to_tag.is_empty() && message.tag_of_from() == self.to_tag;
        let alive = matches!(self.state, CallerState::Up | CallerState::Leaving);
        let status = match message.method() {
            "ACK" => return,
            _ if !ours => 481,
            // Out of order: a stray of an owner that was replaced (RFC 3261 section 12.2.2).
            _ if message.cseq() < self.remote_cseq => 500,
            "BYE" => {
                self.rest();
                200
            }
            "OPTIONS" if alive => 200,
            _ if !alive => 481,
            _ => 488,
        };
        if ours {
            self.remote_cseq = self.remote_cseq.max(message.cseq());
        }
        out.push(refused(message, status));
    }

    /// Whether a request of its dialog is of its time, and the dialog stands.
    fn takes(&self, message: &Sip) -> bool {
        let is_ours = !self.to_tag.is_empty() && message.tag_of_from() == self.to_tag;
        is_ours && message.cseq() >= self.remote_cseq && matches!(self.state, CallerState::Up | CallerState::Leaving)
    }

    /// Its media goes elsewhere from now on (RFC 3261 section 14.2). The INVITE is repeated until it is answered.
    fn move_media(&mut self, invite: &Sip, now: Mono, out: &mut Vec<FarOut>) {
        self.remote_cseq = invite.cseq();
        if self.session.meets(invite, now) {
            return out.push(refused(invite, 491));
        }
        self.rtp = invite.rtp().or(self.rtp);
        out.push(FarOut::Send(invite.answer(200, "", Some(&self.contact()), &self.session.sdp(self.addr))));
    }

    /// Holds, talks again, or says so once more.
    fn minds_media(&mut self, now: Mono, out: &mut Vec<FarOut>) {
        match self.session.repeats(now) {
            Due::Nothing => {}
            Due::Again(bytes) => out.push(FarOut::Send(bytes)),
            Due::Over => self.bye(now, out),
        }
        if let Some(offer) = self.session.offers(self.addr, now) {
            self.cseq += 1;
            let bytes = self.request(self.session.method(), &self.to, self.cseq, Some(&self.contact()), &offer);
            out.push(FarOut::Send(bytes.clone()));
            self.session.asked(self.cseq, bytes, self.way, now);
        }
    }

    /// What the other side says to an offer of its own.
    fn on_agreed(&mut self, message: &Sip, now: Mono, out: &mut Vec<FarOut>) {
        let (cseq, to) = (message.cseq(), self.to.clone());
        match self.session.answered(message, true, now) {
            Word::Nothing => {}
            Word::Acknowledge => out.push(FarOut::Send(self.request("ACK", &to, cseq, None, ""))),
            Word::AcknowledgeRefusal => out.push(self.acknowledges_refusal(cseq)),
            Word::HangUp => {
                out.extend((message.method() == "INVITE").then(|| self.acknowledges_refusal(cseq)));
                self.bye(now, out);
            }
        }
    }

    fn cancel(&mut self, now: Mono, out: &mut Vec<FarOut>) {
        self.state = CallerState::Cancelling;
        let bytes = self.request("CANCEL", &self.to, 1, None, "");
        out.push(FarOut::Send(bytes.clone()));
        self.repeat = Some(Repeat::of_other(bytes, now).by(self.way));
    }

    fn bye(&mut self, now: Mono, out: &mut Vec<FarOut>) {
        self.state = CallerState::Leaving;
        self.session.end();
        self.cseq += 1;
        let bytes = self.request("BYE", &self.to, self.cseq, None, "");
        out.push(FarOut::Send(bytes.clone()));
        self.repeat = Some(Repeat::of_other(bytes, now).by(self.way));
    }

    fn rest(&mut self) {
        self.state = CallerState::Rest;
        self.repeat = None;
        self.session.end();
        self.up_since = None;
    }

    fn next_digit(&mut self, now: Mono) {
        self.press_at =
            (!self.digits.is_empty()).then(|| self.digits.remove(0)).map(|(after, digit)| (now + after, digit));
    }

    fn contact(&self) -> String {
        format!("sip:555{}@{}{}", self.id, self.addr, self.way.uri_parameter())
    }

    /// INVITE, its CANCEL and the ACK of a refusal share a branch; everything else has its own.
    fn request(&self, method: &str, to: &str, cseq: u32, contact: Option<&str>, body: &str) -> Vec<u8> {
        let confirmed = !self.to_tag.is_empty();
        let branch = if confirmed { format!("f{}.{cseq}.{method}", self.id) } else { format!("f{}.1", self.id) };
        self.request_in(&branch, method, (to, cseq), contact, body)
    }

    /// Of an offer of its own in a dialog that stands.
    fn acknowledges_refusal(&self, cseq: u32) -> FarOut {
        let branch = format!("f{}.{cseq}.INVITE", self.id);
        FarOut::Send(self.request_in(&branch, "ACK", (&self.to, cseq), None, ""))
    }

    fn request_in(
        &self,
        branch: &str,
        method: &str,
        (to, cseq): (&str, u32),
        contact: Option<&str>,
        body: &str,
    ) -> Vec<u8> {
        let confirmed = !self.to_tag.is_empty();
        let dialled = format!("sip:{}@cluster", self.number);
        Request {
            method,
            uri: if confirmed { &self.target } else { &dialled },
            addr: self.addr,
            way: self.way,
            branch,
            from: &self.from,
            to,
            call_id: &self.call_id,
            cseq,
            contact,
            parameters: "",
            body,
        }
        .bytes()
    }
}

fn refused(request: &Sip, status: u16) -> FarOut {
    FarOut::Send(request.answer(status, "none", None, ""))
}

//! What the call asks of its leg. A command that does not fit the state of the dialog does nothing: the far end
//! may have changed it while the call was committing.

use strowger_model::{Cause, DialogState, Mono, Role};

use super::client::{Cancel, ClientInvite, ClientRequest, Stage};
use super::server::Phase;
use super::timer::Repeat;
use super::{Event, Leg, LegState, Out};
use crate::compose::SDP;
use crate::{reason, sdp};

impl Leg {
    /// 100. Only ever sent when asked: before the call is admitted it would promise too much.
    pub fn trying(&mut self, _now: Mono) -> Vec<Out> {
        self.provisional(100)
    }

    /// 180.
    pub fn ring(&mut self, _now: Mono) -> Vec<Out> {
        self.provisional(180)
    }

    /// 200 with our SDP, repeated until the ACK comes or 64*T1 have passed (RFC 3261 section 13.3.1.4).
    pub fn accept(&mut self, sdp: String, now: Mono) -> Vec<Out> {
        let mut out = Vec::new();
        if self.state == LegState::Early && self.is_open(true) {
            self.state = LegState::Answered;
            self.row.state = DialogState::Confirmed;
            self.succeed(sdp, now, &mut out);
        }
        out
    }

    /// A final answer that is no 2xx, repeated until its ACK (timers G and H).
    pub fn reject(
        &mut self,
        status: u16,
        reason: &str,
        retry_after: Option<u32>,
        q850: Option<Cause>,
        now: Mono,
    ) -> Vec<Out> {
        let mut out = Vec::new();
        if self.is_open(true) {
            let mut extra = Vec::new();
            extra.extend(retry_after.map(|seconds| ("Retry-After", seconds.to_string())));
            extra.extend(q850.map(|cause| ("Reason", reason::header(cause))));
            self.refuse(status, reason, &extra, now, &mut out);
        }
        out
    }

    /// ACK the 2xx to our INVITE. The call commits the answer first; from then on the leg acknowledges repeats
    /// of it by itself.
    pub fn acknowledge(&mut self, _now: Mono) -> Vec<Out> {
        let mut out = Vec::new();
        if self.state == LegState::Answered
            && let Some(client) = self.client.take_if(|client| client.stage == Stage::Accepted)
        {
            self.state = LegState::Confirmed;
            self.send_ack(client.cseq, &self.peer(), &mut out);
        }
        out
    }

    /// Answer the far end's re-INVITE or UPDATE: 200 with our SDP, or that status.
    pub fn answer_reinvite(&mut self, sdp: Result<String, u16>, now: Mono) -> Vec<Out> {
        let mut out = Vec::new();
        if !self.is_open(false) {
            return out;
        }
        match sdp {
            Ok(sdp) => {
                if let Some(offer) = self.server.as_mut().map(|server| std::mem::take(&mut server.offer))
                    && !offer.is_empty()
                {
                    self.row.remote_sdp = offer;
                }
                self.succeed(sdp, now, &mut out);
            }
            Err(status) => self.refuse(status, reason::phrase(status), &[], now, &mut out),
        }
        out
    }

    /// Answer the CANCEL or BYE the call was told of: 200, and 487 to the INVITE if that is still open.
    pub fn answer_bye(&mut self, now: Mono) -> Vec<Out> {
        let mut out = Vec::new();
        let Some(owed) = self.owed.take() else { return out };
        let over = owed.method == "BYE";
        self.give(owed, 200, &[], None, &mut out);
        let ringing = self.is_open(true);
        if ringing || self.is_open(false) {
            // RFC 3261 sections 9.2 and 15.1.2: what is pending is answered too.
            self.refuse(487, reason::phrase(487), &[], now, &mut out);
        }
        // A refused INVITE keeps the leg until its ACK.
        if over && !ringing {
            self.finish(&mut out);
        }
        out
    }

    /// An INVITE that nobody has shown to have heard is not sent again; its answer is still waited for. Whoever wants
    /// it cancelled does not wait for a provisional answer any more, which no repetition would bring: a CANCEL so much
    /// later does not overtake its INVITE, which is what RFC 3261 section 9.1 is about.
    pub fn stop_repeating(&mut self, now: Mono) -> Vec<Out> {
        let mut out = Vec::new();
        if let Some(client) = self.client.as_mut().filter(|client| client.stage == Stage::Calling) {
            client.timer = Some(Repeat::wait(now));
            client.stage = Stage::Proceeding;
            if let Cancel::Wanted(q850) = client.cancel {
                self.cancel(q850, now, &mut out);
            }
        }
        out
    }

    /// End the leg in the way its state wants: CANCEL, refusal, BYE, or an answer to the far end's own ending.
    pub fn hang_up(&mut self, q850: Option<Cause>, now: Mono) -> Vec<Out> {
        // Nothing else is left to do, unless it was a CANCEL that came too late.
        let mut out = self.answer_bye(now);
        match (self.state, self.row.role) {
            (LegState::Early, Role::Uas) if self.is_open(true) => {
                let status = refusal_of(q850);
                out.extend(self.reject(status, reason::phrase(status), None, q850, now));
            }
            (LegState::Early, Role::Uas) => self.finish(&mut out),
            (LegState::Early, Role::Uac) => {
                self.state = LegState::Ending;
                self.cancel(q850, now, &mut out);
            }
            // A callee may not send BYE before the ACK (RFC 3261 section 15).
            (LegState::Answered, Role::Uas) => {
                self.state = LegState::Ending;
                self.bye_after_ack = Some(q850);
            }
            (LegState::Answered, Role::Uac) => {
                out.extend(self.acknowledge(now));
                self.send_bye(q850, now, &mut out);
            }
            (LegState::Confirmed, _) => {
                if self.is_open(false) {
                    self.refuse(487, reason::phrase(487), &[], now, &mut out);
                }
                self.retry = None;
                self.send_bye(q850, now, &mut out);
            }
            (LegState::Ending | LegState::Ended, _) => {}
        }
        out
    }

    /// Our re-INVITE with a new offer. While the far end's is open, or our own, it is refused here with 491.
    pub fn reinvite(&mut self, sdp: String, now: Mono) -> Vec<Out> {
        let mut out = Vec::new();
        if self.state != LegState::Confirmed {
            return out;
        }
        if self.client.is_some() || self.retry.is_some() || self.is_open(false) {
            out.push(Out::Event(Event::ReinviteDone { ok: Err(491) }));
        } else {
            self.send_reinvite(sdp, 0, now, &mut out);
        }
        out
    }

    /// Ask whether the far end still knows the dialog. A 481 or 408 is told as `Gone`; silence is no answer.
    pub fn probe(&mut self, now: Mono) -> Vec<Out> {
        let mut out = Vec::new();
        let probing = self.requests.iter().any(|request| request.method == "OPTIONS");
        if self.state == LegState::Confirmed && !probing {
            self.send_request("OPTIONS", &[], now, &mut out);
        }
        out
    }

    /// Whether the far end's INVITE (the first, or a later one or UPDATE) waits for our final answer.
    pub(super) fn is_open(&self, initial: bool) -> bool {
        self.server.as_ref().is_some_and(|server| server.phase == Phase::Open && server.initial == initial)
    }

    fn provisional(&mut self, status: u16) -> Vec<Out> {
        if !self.is_open(true) {
            return Vec::new();
        }
        let Some(server) = &self.server else { return Vec::new() };
        let (to, bytes) = (server.inbound.destination, self.answer(&server.inbound, status, &[], None));
        if let Some(server) = &mut self.server {
            server.status = status;
            server.last = bytes.clone();
        }
        vec![Out::Send { to, bytes }]
    }

    /// 200 to the open INVITE or UPDATE.
    pub(super) fn succeed(&mut self, sdp: String, now: Mono, out: &mut Vec<Out>) {
        self.row.sdp_version = sdp::version(&sdp);
        self.row.local_sdp = sdp;
        let Some(mut server) = self.server.take() else { return };
        let body = self.row.local_sdp.clone();
        if server.is_invite() {
            server.last = self.answer(&server.inbound, 200, &[], Some((SDP, body.as_bytes())));
            server.phase = Phase::Succeeded;
            server.status = 200;
            server.timer = Some(Repeat::of_success(now));
            out.push(Out::Send { to: server.inbound.destination, bytes: server.last.clone() });
            self.server = Some(server);
        } else {
            self.give(server.inbound, 200, &[], Some((SDP, body.as_bytes())), out);
        }
    }

    /// A refusal of the open INVITE or UPDATE. Of the first INVITE it ends the leg, once acknowledged.
    pub(super) fn refuse(
        &mut self,
        status: u16,
        phrase: &str,
        extra: &[(&str, String)],
        now: Mono,
        out: &mut Vec<Out>,
    ) {
        let Some(mut server) = self.server.take() else { return };
        if !server.is_invite() {
            self.give(server.inbound, status, extra, None, out);
            return;
        }
        let mut text = crate::compose::Writer::response(status, phrase);
        self.answer_head(&mut text, &server.inbound, status);
        for (name, value) in extra {
            text.header(name, value);
        }
        server.last = text.finish(None);
        server.phase = Phase::Refused;
        server.status = status;
        server.timer = Some(Repeat::up_to_t2(now, server.inbound.destination.transport));
        out.push(Out::Send { to: server.inbound.destination, bytes: server.last.clone() });
        if server.initial {
            self.state = LegState::Ending;
        }
        self.server = Some(server);
    }

    /// CANCEL our INVITE, now or as soon as it may be (RFC 3261 section 9.1).
    pub(super) fn cancel(&mut self, q850: Option<Cause>, now: Mono, out: &mut Vec<Out>) {
        let Some(client) = &mut self.client else {
            return self.finish(out);
        };
        if client.stage == Stage::Calling {
            client.cancel = Cancel::Wanted(q850);
            return;
        }
        client.cancel = Cancel::Sent;
        // The INVITE's own final answer is waited for as long as a cancelled one may take.
        client.timer = Some(Repeat::wait(now));
        let (bytes, destination, branch) = (client.cancel(q850), client.destination, client.branch.clone());
        out.push(Out::Send { to: destination, bytes: bytes.clone() });
        let timer = Repeat::up_to_t2(now, destination.transport);
        self.requests.push(ClientRequest { method: "CANCEL", branch, bytes, destination, timer, stray: false });
    }

    pub(super) fn send_reinvite(&mut self, sdp: String, glares: u8, now: Mono, out: &mut Vec<Out>) {
        let cseq = self.next_cseq();
        let branch = self.local.tokens.branch(self.key, cseq, "INVITE");
        let peer = self.peer();
        let body = (SDP, sdp.as_bytes());
        let bytes = self.request("INVITE", cseq, &branch, &self.from(), &peer, &[], Some(body));
        let destination = peer.to;
        out.push(Out::Send { to: destination, bytes: bytes.clone() });
        let mut client = ClientInvite::new(cseq, branch, bytes, destination, now);
        client.initial = false;
        client.offer = sdp;
        client.glares = glares;
        self.client = Some(client);
    }
}

/// What a caller is told who is not answered: that it failed here, where it did (RFC 3261 section 21.5.4; another route
/// may do), else that nobody wants to (section 21.6.2; none will).
fn refusal_of(q850: Option<Cause>) -> u16 {
    match q850 {
        Some(Cause::NO_CIRCUIT | Cause::TEMPORARY_FAILURE | Cause::RECOVERY_ON_TIMER) => 503,
        _ => 603,
    }
}

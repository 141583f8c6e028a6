//! Answers of the far end to our requests.

use std::time::Duration;

use strowger_model::{DialogState, Far, Mono, Role};

use super::client::{Cancel, ClientInvite, ClientRequest, Refused, Stage};
use super::send::Peer;
use super::timer::Repeat;
use super::{Event, Leg, LegState, Out, Retry};
use crate::message::Message;
use crate::{reason, token};

/// How often a re-INVITE that meets the far end's is tried again. Delays are different on the two sides, so a
/// second meeting is rare and a fourth means a far end that always refuses.
const MAX_GLARES: u8 = 3;
/// Most forks that are hung up on for one INVITE.
pub(super) const MAX_FORKS: usize = 16;

impl Leg {
    /// An answer counts only from where its request went: who has seen our request on its way there can say nothing from
    /// elsewhere.
    pub(super) fn on_response(&mut self, message: &Message, source: Far, now: Mono, out: &mut Vec<Out>) {
        if message.cseq_method() == "INVITE" {
            return self.on_invite_response(message, source, now, out);
        }
        let answered = |request: &ClientRequest| {
            let is_its = request.branch == message.top_branch() && request.method == message.cseq_method();
            is_its && is_there(source, request.destination)
        };
        if message.status() < 200 {
            return;
        }
        let Some(at) = self.requests.iter().position(answered) else { return };
        let request = self.requests.remove(at);
        match (request.method, message.status()) {
            // Whatever the answer, the dialog is over (RFC 3261 section 15.1.1).
            ("BYE", _) if !request.stray => self.finish(out),
            ("OPTIONS", 408 | 481) => out.push(Out::Event(Event::Gone)),
            _ => {}
        }
    }

    fn on_invite_response(&mut self, message: &Message, source: Far, now: Mono, out: &mut Vec<Out>) {
        let (branch, status) = (message.top_branch(), message.status());
        let is_its = |refused: &&Refused| refused.branch == branch && status >= 300;
        if let Some(refused) = self.refused.as_ref().filter(is_its) {
            if is_there(source, refused.destination) {
                out.push(Out::Send { to: refused.destination, bytes: refused.ack.clone() });
            }
            return;
        }
        match self.client.take_if(|client| client.branch == branch) {
            Some(client) if !is_there(source, client.destination) => self.client = Some(client),
            Some(client) => match status {
                0..200 => self.on_provisional(client, message, now, out),
                200..300 => self.on_success(client, message, now, out),
                _ => self.on_refusal(client, message, now, out),
            },
            // Its INVITE went where the dialog's packets came from or go to.
            None if !is_there(source, self.row.far) && !is_there(source, self.peer().to) => {}
            None if (200..300).contains(&status) && self.local.tokens.of_branch(branch) == Some(self.key) => {
                self.on_late_success(message, now, out);
            }
            None => {}
        }
    }

    fn on_provisional(&mut self, mut client: ClientInvite, message: &Message, now: Mono, out: &mut Vec<Out>) {
        let status = message.status();
        client.hear_early(message);
        if client.stage == Stage::Calling {
            client.stage = Stage::Proceeding;
            // Who rings may ring for as long as the call lets it; a re-INVITE is answered by a machine.
            client.timer = (!client.initial).then(|| Repeat::wait(now));
        }
        let news = status > 100 && client.rung != status && client.initial && client.stage == Stage::Proceeding;
        if news {
            client.rung = status;
        }
        let cancel = client.cancel;
        self.client = Some(client);
        if let Cancel::Wanted(q850) = cancel {
            self.cancel(q850, now, out);
        } else if news && self.state == LegState::Early {
            out.push(Out::Event(Event::Ringing { status }));
        }
    }

    fn on_success(&mut self, mut client: ClientInvite, message: &Message, now: Mono, out: &mut Vec<Out>) {
        if !client.initial {
            return self.on_reinvite_success(client, message, out);
        }
        match self.state {
            LegState::Early => {
                let sdp = client.answer_in(message);
                self.establish(message, &sdp);
                self.state = LegState::Answered;
                client.stage = Stage::Accepted;
                client.timer = None;
                self.client = Some(client);
                out.push(Out::Event(Event::Answered { sdp }));
            }
            LegState::Answered => {
                let same = message.to_tag() == self.row.remote_tag;
                self.client = Some(client);
                if !same {
                    self.hang_up_fork(message, now, out);
                } else if self.committed {
                    out.extend(self.acknowledge(now));
                }
            }
            // The answer crossed our CANCEL: it is a dialog, and ended as one (RFC 3261 section 15).
            _ => {
                self.establish(message, &message.sdp());
                self.requests.retain(|request| request.method != "CANCEL");
                self.send_ack(client.cseq, &self.peer(), out);
                self.send_bye(None, now, out);
            }
        }
    }

    fn on_reinvite_success(&mut self, client: ClientInvite, message: &Message, out: &mut Vec<Out>) {
        self.refresh_target(message);
        self.send_ack(client.cseq, &self.peer(), out);
        if self.state != LegState::Confirmed {
            return;
        }
        let sdp = client.answer_in(message);
        self.row.sdp_version = crate::sdp::version(&client.offer);
        self.row.local_sdp = client.offer;
        self.take_description(&sdp);
        out.push(Out::Event(Event::ReinviteDone { ok: Ok(self.row.remote_sdp.clone().into_bytes()) }));
    }

    fn on_refusal(&mut self, client: ClientInvite, message: &Message, now: Mono, out: &mut Vec<Out>) {
        if client.stage == Stage::Accepted {
            // A refusal behind a 2xx comes from another fork and is none of ours to end (RFC 3261 section 16.7).
            self.client = Some(client);
            return;
        }
        let (refused, status) = (client.refused(Some(message)), message.status());
        out.push(Out::Send { to: refused.destination, bytes: refused.ack.clone() });
        self.refused = (!refused.destination.transport.is_reliable()).then_some(refused);
        if client.initial {
            self.requests.retain(|request| request.method != "CANCEL");
            if self.state == LegState::Early {
                out.push(Out::Event(Event::Failed { status, q850: reason::q850(message) }));
            }
            return self.finish(out);
        }
        if self.state != LegState::Confirmed {
            return;
        }
        if status == 491 && client.glares < MAX_GLARES {
            let at = now + self.glare_delay(client.cseq);
            self.retry = Some(Retry { at, sdp: client.offer, glares: client.glares + 1 });
            return;
        }
        out.push(Out::Event(Event::ReinviteDone { ok: Err(status) }));
        if status == 481 {
            out.push(Out::Event(Event::Gone));
        }
    }

    /// A 2xx for an INVITE we are through with: our ACK was lost, or a second fork answered.
    fn on_late_success(&mut self, message: &Message, now: Mono, out: &mut Vec<Out>) {
        if message.to_tag() == self.row.remote_tag {
            self.send_ack(message.cseq(), &self.peer(), out);
        } else if self.row.role == Role::Uac {
            self.hang_up_fork(message, now, out);
        }
    }

    /// The first 2xx makes the dialog (RFC 3261 section 12.1.2).
    fn establish(&mut self, message: &Message, sdp: &[u8]) {
        self.row.state = DialogState::Confirmed;
        self.row.remote_tag = message.to_tag().to_owned();
        self.row.route_set = message.record_routes();
        self.row.route_set.reverse();
        self.refresh_target(message);
        self.take_description(sdp);
    }

    /// Where it has none, what was agreed on stands.
    pub(super) fn take_description(&mut self, sdp: &[u8]) {
        if !sdp.is_empty() {
            self.row.remote_sdp = String::from_utf8_lossy(sdp).into_owned();
        }
    }

    /// A second fork answered: acknowledge it and hang up (RFC 3261 section 13.2.2.4).
    fn hang_up_fork(&mut self, message: &Message, now: Mono, out: &mut Vec<Out>) {
        let mut route = message.record_routes();
        route.reverse();
        let target = message.contact_uri().unwrap_or(&self.row.remote_target).to_owned();
        let peer = Peer { target: &target, route: &route, tag: message.to_tag(), to: self.next_hop(&target, &route) };
        self.send_ack(message.cseq(), &peer, out);
        if self.forks.iter().any(|tag| tag == message.to_tag()) || self.forks.len() >= MAX_FORKS {
            return;
        }
        self.forks.push(message.to_tag().to_owned());
        let cseq = self.next_cseq();
        let branch = self.local.tokens.branch(self.key, cseq, "BYE");
        let bytes = self.request("BYE", cseq, &branch, &self.from(), &peer, &[], None);
        let destination = peer.to;
        out.push(Out::Send { to: destination, bytes: bytes.clone() });
        let timer = Repeat::up_to_t2(now, destination.transport);
        self.requests.push(ClientRequest { method: "BYE", branch, bytes, destination, timer, stray: true });
    }

    /// RFC 3261 section 14.1: 2.1 to 4 s for who owns the Call-ID, up to 2 s for the other, in steps of 10 ms.
    /// The choice within comes from the dialog, so that a rerun of the same events is the same.
    fn glare_delay(&self, cseq: u32) -> Duration {
        let dice = token::salt(&self.row.call_id, &cseq.to_string());
        match self.row.role {
            Role::Uac => Duration::from_millis(2100 + dice % 191 * 10),
            Role::Uas => Duration::from_millis(dice % 201 * 10),
        }
    }
}

/// Whether somebody who speaks from `source` is who was sent to at `destination`. The host decides: over TCP an answer may
/// come by a new connection (RFC 3261 section 18.2.2), and servers exist that answer from another port.
fn is_there(source: Far, destination: Far) -> bool {
    source.addr.ip().to_canonical() == destination.addr.ip().to_canonical()
}

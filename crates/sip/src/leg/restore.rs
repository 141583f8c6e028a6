//! A leg to and from its row.

use strowger_model::{Dialog, DialogState, LegKey, Mono, PendingInvite, Role};

use super::client::{ClientInvite, Stage};
use super::server::{Inbound, Phase, ServerInvite};
use super::timer::Repeat;
use super::{Leg, LegState, Local, contact};
use crate::compose::SDP;

/// What each owner after the first adds to the committed CSeq: more than any owner sends between two commits, so that the
/// far end refuses what a stray owner may still send (RFC 3261 section 12.2.2 allows the gap).
const TAKEN_CSEQ_GAP: u32 = 100;

impl Leg {
    /// Go on with a leg another owner left in its row, which has changed hands so many times by now. Nothing is sent here;
    /// `tick` at `deadline` does what is due.
    pub fn restore(key: LegKey, row: Dialog, takeovers: u16, local: &Local, now: Mono) -> Leg {
        let mut row = row;
        let pending = row.pending.take();
        row.local_cseq = row.local_cseq.saturating_add(TAKEN_CSEQ_GAP * u32::from(takeovers));
        row.local_contact = contact(key, local, row.far.transport);
        let mut leg = Leg::new(key, row, local);
        leg.state = match leg.row.state {
            DialogState::Early => LegState::Early,
            DialogState::Confirmed => LegState::Confirmed,
            DialogState::Ended => LegState::Ended,
        };
        match pending {
            _ if leg.state == LegState::Ended => {}
            Some(PendingInvite::Server { cseq, via, record_route, status }) => {
                leg.restore_server(cseq, &via, &record_route, status, now);
            }
            Some(PendingInvite::Client { request, destination }) => {
                leg.client = ClientInvite::of_row(&request, destination, now);
                leg.restore_client();
            }
            None => {}
        }
        leg
    }

    /// The row: all that another node needs to go on.
    pub fn dialog(&self) -> Dialog {
        self.hold();
        let mut row = self.row.clone();
        row.pending = self.pending_server().or_else(|| self.pending_client());
        row
    }

    fn pending_server(&self) -> Option<PendingInvite> {
        let server = self.server.as_ref().filter(|server| server.is_invite() && server.phase != Phase::Over)?;
        Some(PendingInvite::Server {
            cseq: server.inbound.cseq,
            via: server.inbound.via.clone(),
            record_route: server.inbound.record_route.clone(),
            status: if server.status < 200 { 0 } else { server.status },
        })
    }

    fn pending_client(&self) -> Option<PendingInvite> {
        let client = self.client.as_ref()?;
        Some(PendingInvite::Client { request: client.request.clone(), destination: client.destination })
    }

    fn restore_server(&mut self, cseq: u32, via: &[String], record_route: &[String], status: u16, now: Mono) {
        let inbound = Inbound::of_row(&self.row, cseq, via, record_route);
        // Of a dialog the far end opened, a 2xx still unacknowledged is taken for the one that opened it. Should it
        // belong to a re-INVITE, the call hears a second `Acked`, or an `AckTimeout` that is as true.
        let first = self.row.role == Role::Uas && (self.state == LegState::Early || status >= 200);
        let mut server = ServerInvite::new(inbound, first, &[]);
        server.status = status;
        // The offer of a re-INVITE is in no row: the far end repeats the INVITE, and the call is told then.
        server.told = first;
        // What an ACK says is an answer to an offer of ours, or should not be there; whether the 2xx was one is in no row.
        server.asks = true;
        match status {
            0..200 => {}
            200..300 => {
                server.phase = Phase::Succeeded;
                server.last = self.answer(&server.inbound, status, &[], Some((SDP, self.row.local_sdp.as_bytes())));
                if first {
                    self.state = LegState::Answered;
                    self.row.state = DialogState::Confirmed;
                }
            }
            _ => {
                server.phase = Phase::Refused;
                server.last = self.answer(&server.inbound, status, &[], None);
                if self.row.state == DialogState::Early {
                    self.state = LegState::Ending;
                } else {
                    server.initial = false;
                }
            }
        }
        let timer = match status {
            0..200 => None,
            200..300 => Some(Repeat::of_success(now)),
            _ => Some(Repeat::up_to_t2(now, server.inbound.destination.transport)),
        };
        server.timer = timer.map(|timer| timer.resumed(now));
        self.server = Some(server);
    }

    /// An INVITE without answer goes on as if it had just been sent: the far end repeats its own answer to it. One
    /// whose 2xx is committed waits for the call to acknowledge it, or for the far end to repeat the 2xx.
    fn restore_client(&mut self) {
        let Some(client) = &mut self.client else { return };
        if client.initial && self.row.state == DialogState::Confirmed {
            client.stage = Stage::Accepted;
            client.timer = None;
            self.state = LegState::Answered;
            self.committed = true;
        }
    }
}

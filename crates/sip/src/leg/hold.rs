//! What holds of a leg between any two events, whatever a far end says: builds with assertions look after each.

use strowger_model::{DialogState, Mono, Role};

use super::client::Stage;
use super::response::MAX_FORKS;
use super::server::{GIVEN_KEPT, Phase};
use super::{Leg, LegState};

impl Leg {
    pub(super) fn hold(&self) {
        self.hold_state();
        self.hold_ours();
        self.hold_theirs();
    }

    /// After `tick`: what was due is done, so nobody is called again for it.
    pub(super) fn hold_done(&self, now: Mono) {
        debug_assert!(self.deadline().is_none_or(|deadline| deadline > now), "what is due at {now:?} is left undone");
        self.hold();
    }

    /// The state, and what the row will say of it.
    fn hold_state(&self) {
        let row = self.row.state;
        debug_assert!(self.row.pending.is_none(), "what is pending is kept beside the row, and put into it when asked");
        debug_assert_eq!(self.state == LegState::Ended, row == DialogState::Ended, "over here and in the row");
        debug_assert!(self.state != LegState::Early || row == DialogState::Early, "a dialog before its answer");
        debug_assert!(self.state != LegState::Confirmed || row == DialogState::Confirmed, "no dialog after its answer");
        if self.state != LegState::Ended {
            return;
        }
        let is_idle = self.client.is_none() && self.retry.is_none() && self.bye_after_ack.is_none();
        debug_assert!(is_idle && self.owed.is_none(), "nothing is sent or owed by who is over");
        debug_assert!(self.requests.iter().all(|request| request.stray), "who is over waits for forks only");
        debug_assert!(
            self.server.as_ref().is_none_or(|server| server.phase == Phase::Over),
            "who is over answers none"
        );
    }

    /// Requests of ours.
    fn hold_ours(&self) {
        debug_assert!(self.forks.len() <= MAX_FORKS, "far ends do not fill our memory with forks");
        debug_assert!(
            self.retry.is_none() || self.client.is_none() && self.state == LegState::Confirmed,
            "one re-INVITE at a time, and only in a dialog (RFC 3261 section 14.1)"
        );
        debug_assert!(
            self.bye_after_ack.is_none() || self.state == LegState::Ending && self.row.role == Role::Uas,
            "only who was called waits for an ACK before its BYE"
        );
        let Some(client) = &self.client else { return };
        debug_assert!(client.cseq <= self.row.local_cseq, "no CSeq is used that is not counted");
        debug_assert!(!client.initial || self.row.role == Role::Uac, "who was called does not open the dialog");
        debug_assert!(
            client.stage != Stage::Accepted || self.state == LegState::Answered && client.timer.is_none(),
            "an answer that is not acknowledged waits for the call alone"
        );
    }

    /// Requests of the far end.
    fn hold_theirs(&self) {
        debug_assert!(self.given.len() <= GIVEN_KEPT, "far ends do not fill our memory with requests");
        let Some(server) = &self.server else { return };
        debug_assert!(!server.initial || self.row.role == Role::Uas, "who was called by us does not open the dialog");
        debug_assert!(
            server.is_invite() || matches!(server.phase, Phase::Open | Phase::Over),
            "an UPDATE has no ACK, so its answer is not repeated (RFC 3311)"
        );
        match server.phase {
            Phase::Open | Phase::Over => debug_assert!(server.timer.is_none(), "nothing is repeated before an answer"),
            Phase::Succeeded | Phase::Refused => debug_assert!(
                server.timer.is_some() && server.status >= 200 && !server.last.is_empty(),
                "a final answer is repeated until its ACK, or given up (RFC 3261 section 17.2.1)"
            ),
        }
    }
}

//! Another owner's call: its legs as the table has them, its media as relays say.

use strowger_media::Op;
use strowger_model::{Dialog, LegKey, Mono, PendingInvite};
use strowger_sip::Leg;
use strowger_table::{self as table, DutyKind, LegRole, LegState, Reach, Stage};

use crate::machine::Machine;
use crate::side::Side;

impl Machine {
    pub(crate) fn restore_sides(&mut self, now: Mono) {
        let row = self.rows.call.clone();
        for leg in &row.legs {
            if let Some(side) = self.restored(leg, now) {
                self.sides.insert(leg.key, side);
            }
        }
    }

    fn restored(&self, leg: &table::Leg, now: Mono) -> Option<Side> {
        let hang_up = self.rows.has_duty(DutyKind::HangUp { leg: leg.key });
        let of_dialog = || Some(Side::new(leg.key, Some(self.of_dialog(leg, now)?)));
        match leg.state {
            LegState::Ringing { .. } if leg.reach == Reach::Inbound => of_dialog(),
            LegState::Ringing { .. } if is_called_once(leg) => self.awaited(leg, now),
            // It is rung again once its media is open; until then it may ring on.
            LegState::Ringing { .. } => {
                let mut side = Side::new(leg.key, None);
                side.ringing.is_inherited = true;
                Some(side)
            }
            LegState::Screening { .. } | LegState::Up => of_dialog(),
            LegState::Releasing { .. } if hang_up && self.rows.dialog(leg.key).is_some() => of_dialog(),
            LegState::Releasing { .. } if hang_up && is_called_once(leg) => self.awaited(leg, now),
            // A phone that only rang is sent the same INVITE and then its CANCEL: it may have stopped ringing long ago.
            LegState::Releasing { .. } if hang_up => self.rung_before(leg, now),
            LegState::Releasing { .. } => of_dialog().map(|side| Side { is_gone: true, ..side }),
        }
    }

    fn of_dialog(&self, leg: &table::Leg, now: Mono) -> Option<Leg> {
        let mut dialog = self.rows.dialog(leg.key)?.clone();
        if self.rows.call.stage == Stage::Admitted {
            // The row was written before the call had its id; our tag has not been on the wire yet.
            dialog.local_tag = strowger_sip::tag(leg.key, strowger_sip::salt(&dialog.call_id, &dialog.remote_tag));
        }
        if leg.reach == Reach::Inbound && self.is_acknowledged(leg.key) {
            forget_our_answer(&mut dialog);
        }
        Some(Leg::restore(leg.key, dialog, leg.takeovers, &self.setting.local, now))
    }

    /// Whether the ACK of who called us is in the row: it is owed no answer any more.
    fn is_acknowledged(&self, leg: LegKey) -> bool {
        self.rows.call.stage != Stage::Admitted && !self.rows.has_duty(DutyKind::Answer { leg })
    }

    /// Who is never called twice: the answer to what was sent, or may have been, is taken, and it can be cancelled.
    fn awaited(&self, leg: &table::Leg, now: Mono) -> Option<Side> {
        let invite = self.invite(leg, String::new())?;
        let sip = Leg::awaited(leg.key, invite, &self.setting.local, now);
        let mut side = Side::new(leg.key, Some(sip));
        side.ringing.is_inherited = true;
        Some(side)
    }

    /// The leg of a phone that rang for an earlier owner, as that owner had it; nothing is sent.
    pub(crate) fn rung_before(&self, leg: &table::Leg, now: Mono) -> Option<Side> {
        let invite = self.invite(leg, String::new())?;
        let (sip, _sent_before) = Leg::outgoing(leg.key, invite, &self.setting.local, now);
        Some(Side::new(leg.key, Some(sip)))
    }

    /// The relays say what they do for the legs.
    pub(crate) fn adopt_media(&mut self) {
        for (relay, call) in self.rows.held_by() {
            self.told.wait_for(relay, call);
            self.order_call(relay, call, Op::Adopt);
        }
    }
}

/// Our 200 is not said again: who has acknowledged it long ago may not do so once more, and need not.
fn forget_our_answer(dialog: &mut Dialog) {
    dialog.pending.take_if(|pending| matches!(pending, PendingInvite::Server { .. }));
}

/// Whether only the first owner calls it, once: an agent's own phone takes a second INVITE for a repetition, the network
/// may not.
pub(crate) fn is_called_once(leg: &table::Leg) -> bool {
    matches!(leg.reach, Reach::Trunk { .. }) && !matches!(leg.role, LegRole::Agent(..))
}

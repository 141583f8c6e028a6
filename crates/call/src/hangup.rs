//! The end of legs, and of the call: who hung up is answered, who did not is told, ports are closed.

use std::collections::BTreeSet;

use strowger_media::Op;
use strowger_model::{Cause, Ended, LegKey, LogNow, LogTime, Mono, RelayId};
use strowger_sip::{Leg, LegState as SipState};
use strowger_table as table;
use strowger_table::{After, Command, DutyKind, LegState, Released, Stage, ToldBy};

use crate::limit;
use crate::machine::Machine;
use crate::said::Said;
use crate::side::{Side, told_until};

/// The end of a leg as its owner knows it, until the row has it.
pub(crate) struct Leaving {
    pub said: Said,
    /// Until when its BYE or CANCEL waits for the row.
    answer_by: Option<Mono>,
}

impl Leaving {
    pub fn deadline(&self) -> Option<Mono> {
        self.answer_by.into_iter().chain(self.said.deadline()).min()
    }

    pub fn is_waited_for(&self) -> bool {
        self.answer_by.is_some()
    }
}

impl Machine {
    /// A BYE or CANCEL: the row goes first, and its far end is answered then.
    pub(crate) fn far_end_hung_up(&mut self, key: LegKey, log_now: LogNow, now: Mono) {
        self.leave(key, Cause::NORMAL, ToldBy::FarEnd, log_now.at_most);
        match self.sides.get_mut(&key).and_then(|side| side.leaving.as_mut()) {
            Some(leaving) => leaving.answer_by = Some(now + limit::HANG_UP_ANSWER),
            // The call goes on without it, or is over.
            None => self.answer_hang_up(key, now),
        }
    }

    /// A leg is over. What that means to the call, the table says.
    pub(crate) fn leave(&mut self, key: LegKey, cause: Cause, told_by: ToldBy, observed: LogTime) {
        let is_live = self.row_leg(key).is_some_and(table::Leg::is_live);
        if !is_live || self.sides.get(&key).is_none_or(|side| side.leaving.is_some()) {
            return;
        }
        let said = self.say(Command::Left { leg: key, cause, told_by, observed });
        if let Some(side) = self.sides.get_mut(&key) {
            side.leaving = Some(Leaving { said, answer_by: None });
        }
    }

    /// Of several ends the first one counts.
    pub(crate) fn propose_end(&mut self, ended: Ended, observed: LogTime) {
        if !self.rows.call.is_over() && self.ending.is_none() {
            self.ending = Some(self.say(Command::End { call: self.id(), ended, observed }));
        }
    }

    /// The end is proposed or committed: what still comes for what it ends is too late.
    pub(crate) fn is_ending(&self) -> bool {
        let row = &self.rows.call;
        let ends = |key: LegKey| table::after(row, self.rows.place.as_deref(), key) == After::End;
        let leaving = || self.sides.iter().filter(|(_, side)| side.leaving.is_some()).map(|(key, _)| *key);
        self.ending.is_some() || row.is_over() || leaving().any(ends)
    }

    /// Entered or lost, who hung up waits no longer.
    pub(crate) fn left_proposed(&mut self, number: u64, now: Mono) {
        self.answer_hang_ups(now, |leaving| leaving.said.number() == number);
    }

    /// Nor does it wait longer than its time.
    pub(crate) fn tick_hang_up(&mut self, now: Mono) {
        self.answer_hang_ups(now, |leaving| leaving.answer_by.is_some_and(|by| by <= now));
    }

    fn answer_hang_ups(&mut self, now: Mono, is_time: impl Fn(&Leaving) -> bool) {
        let waits = |side: &mut Side| side.leaving.as_mut().filter(|leaving| is_time(leaving))?.answer_by.take();
        let keys = self.sides.iter_mut().filter_map(|(key, side)| waits(side).map(|_| *key)).collect::<Vec<_>>();
        keys.into_iter().for_each(|key| self.answer_hang_up(key, now));
    }

    fn answer_hang_up(&mut self, key: LegKey, now: Mono) {
        let outs = self.sip(key).map(|sip| sip.answer_bye(now)).unwrap_or_default();
        self.sent(key, outs, LogNow::default(), now);
    }

    /// What the row says of legs that are not in the call, or not any more.
    pub(crate) fn let_go(&mut self, now: Mono) {
        if let Stage::Ended { into, .. } = self.rows.call.stage {
            self.ending = None;
            if into.is_some() {
                // Its legs are another call's.
                let keys: Vec<LegKey> = self.sides.keys().copied().collect();
                keys.into_iter().for_each(|key| self.hand_on(key));
            }
        }
        let is_live = |key: &LegKey| self.row_leg(*key).is_some_and(table::Leg::is_live);
        let gone: BTreeSet<LegKey> = self.sides.keys().copied().filter(|key| !is_live(key)).collect();
        for key in &gone {
            let Some(side) = self.sides.get_mut(key) else { continue };
            (side.give_up, side.doubted) = (None, None);
            if side.leaving.take().is_some_and(|leaving| leaving.is_waited_for()) {
                self.answer_hang_up(*key, now);
            }
        }
        self.close_ports(&gone);
        let told = self.rows.call.duties.iter().filter_map(|duty| match duty.kind {
            DutyKind::HangUp { leg } => Some(leg),
            _ => None,
        });
        let all: BTreeSet<LegKey> = told.chain(gone).collect();
        all.into_iter().for_each(|key| self.hang_up(key, now));
    }

    fn close_ports(&mut self, gone: &BTreeSet<LegKey>) {
        let row = self.rows.call.clone();
        self.closing.retain(|id| row.duty(*id).is_some());
        for duty in &row.duties {
            if let DutyKind::Close { relay, leg } = duty.kind
                && self.closing.insert(duty.id)
            {
                self.order(relay, leg.call, Op::CloseLeg { leg: leg.leg });
                self.told.forget(leg, relay);
            }
        }
        for key in gone {
            let is_nowhere = self.row_leg(*key).is_some_and(|leg| leg.relay.is_none());
            // A port was asked for, and it was over before its row could say where.
            if is_nowhere && self.sides.get_mut(key).is_some_and(|side| std::mem::take(&mut side.begun)) {
                self.media_of(*key, Op::CloseLeg { leg: key.leg });
            }
        }
    }

    /// A leg that the row lets go. Whoever said why, its phone may not ring on.
    fn hang_up(&mut self, key: LegKey, now: Mono) {
        let leg = self.row_leg(key).cloned();
        let must = self.rows.call.duty_to(DutyKind::HangUp { leg: key }).is_some();
        self.find_inherited(key, leg.as_ref(), now);
        let side = self.sides.get(&key);
        let state = side.and_then(|side| side.sip.as_ref()).map(Leg::state);
        let is_met = side.is_some_and(|side| side.met);
        match state {
            None | Some(SipState::Ended) => self.leg_over(key),
            // Its far end left, or it went on in a row of its own.
            Some(SipState::Early | SipState::Answered | SipState::Confirmed) if !must && (is_met || leg.is_some()) => {
                self.hand_on(key);
            }
            Some(_) => self.hang_up_leg(key, Some(reason(leg.as_ref())), now),
        }
    }

    /// A phone that an earlier owner may have rung, and this one has not.
    fn find_inherited(&mut self, key: LegKey, leg: Option<&table::Leg>, now: Mono) {
        let is_unheard = |side: &Side| side.inherited && side.sip.is_none();
        if let Some(leg) = leg.filter(|_| self.sides.get(&key).is_some_and(|side| is_unheard(side))) {
            let sip = self.as_called(leg, now);
            if let Some(side) = self.sides.get_mut(&key) {
                side.sip = sip;
                side.repeat_until = told_until(leg);
            }
        }
    }

    /// Ends a leg however far it got; harmless when it is being ended already.
    pub(crate) fn hang_up_leg(&mut self, key: LegKey, cause: Option<Cause>, now: Mono) {
        let Some(side) = self.sides.get_mut(&key) else { return };
        side.give_up = None;
        let outs = side.sip.as_mut().map(|sip| sip.hang_up(cause, now)).unwrap_or_default();
        self.sent(key, outs, LogNow::default(), now);
    }

    pub(crate) fn leg_over(&mut self, key: LegKey) {
        self.duty_done(DutyKind::HangUp { leg: key });
        if self.row_leg(key).is_none() {
            self.sides.remove(&key);
        }
    }

    pub(crate) fn media_closed(&mut self, relay: RelayId, leg: LegKey) {
        self.duty_done(DutyKind::Close { relay, leg });
    }
}

/// What its far end is told.
fn reason(leg: Option<&table::Leg>) -> Cause {
    match leg.map(|leg| leg.state) {
        Some(LegState::Releasing { why: Released::Over(cause), .. }) => cause,
        Some(LegState::Releasing { why: Released::Unanswered, .. }) => Cause::NO_ANSWER,
        Some(LegState::Releasing { why: Released::Elsewhere, .. }) => strowger_sip::ELSEWHERE,
        _ => Cause::NORMAL,
    }
}

//! The end of a leg, and of the call: who hung up is answered, who did not is told.

use strowger_model::{Cause, Ended, LegKey, LogTime, Mono};
use strowger_table::{After, Command, DutyKind, ToldBy, after};

use crate::limit;
use crate::machine::Machine;
use crate::side::Side;

/// That a leg is over, as its owner knows it until the row has it.
pub(crate) struct Leaving {
    number: u64,
    cause: Cause,
    told_by: ToldBy,
    observed: LogTime,
    /// The far end's BYE or CANCEL is not answered yet: that it left goes first.
    answer_by: Option<Mono>,
    /// When it is proposed again, after it was lost.
    again: Option<Mono>,
}

impl Leaving {
    pub fn deadline(&self) -> Option<Mono> {
        self.answer_by.into_iter().chain(self.again).min()
    }
}

/// The end of the call by a rule of ours, until the row has it.
pub(crate) struct Ending {
    number: u64,
    ended: Ended,
    observed: LogTime,
    again: Option<Mono>,
}

impl Ending {
    pub fn deadline(&self) -> Option<Mono> {
        self.again
    }
}

/// Far ends that leave.
impl Machine {
    pub(crate) fn far_end_hung_up(&mut self, leg: LegKey, log_now: LogTime, now: Mono) {
        let Some(row) = self.rows.live(leg) else { return self.answer_hang_up(leg, now) };
        // A phone that answered and left before that was in a row has not taken the offer.
        let is_offered = row.is_ringing() && row.agent().is_some();
        let cause = if is_offered { Cause::REJECTED } else { Cause::NORMAL };
        self.lose(leg, cause, ToldBy::FarEnd, log_now);
        if let Some(leaving) = self.sides.get_mut(&leg).and_then(|side| side.leaving.as_mut()) {
            leaving.answer_by = Some(now + limit::HANG_UP_ANSWER);
        }
    }

    /// A leg is over: its row is told, and says what that means.
    pub(crate) fn lose(&mut self, leg: LegKey, cause: Cause, told_by: ToldBy, observed: LogTime) {
        if !self.rows.is_live(leg) || !self.sides.contains_key(&leg) {
            return;
        }
        let number = self.propose(Command::Left { leg, cause, told_by, observed });
        if let Some(side) = self.sides.get_mut(&leg) {
            side.ringing.give_up = None;
            side.leaving = Some(Leaving { number, cause, told_by, observed, answer_by: None, again: None });
        }
    }

    pub(crate) fn left_proposed(&mut self, number: u64, accepted: bool, now: Mono) {
        let is_it = |side: &&mut Side| side.leaving.as_ref().is_some_and(|leaving| leaving.number == number);
        let Some(side) = self.sides.values_mut().find(is_it) else { return };
        let leg = side.key;
        let Some(leaving) = &mut side.leaving else { return };
        if !accepted {
            leaving.again = Some(now + limit::END_AGAIN);
        }
        if leaving.answer_by.take().is_some() {
            self.answer_hang_up(leg, now);
        }
    }

    pub(crate) fn tick_leaving(&mut self, leg: LegKey, now: Mono) {
        let Some(leaving) = self.sides.get_mut(&leg).and_then(|side| side.leaving.as_mut()) else { return };
        let is_late = leaving.answer_by.take_if(|by| *by <= now).is_some();
        let is_lost = leaving.again.take_if(|at| *at <= now).is_some();
        let (cause, told_by, observed) = (leaving.cause, leaving.told_by, leaving.observed);
        if is_lost {
            self.lose(leg, cause, told_by, observed);
        }
        if is_late {
            self.answer_hang_up(leg, now);
        }
    }

    /// What the row has by now is asked for no longer, and who waits for the answer to a BYE gets it.
    pub(crate) fn answer_who_left(&mut self, now: Mono) {
        let rows = &self.rows;
        let gone =
            |side: &mut Side| side.leaving.take_if(|_| !rows.is_live(side.key)).map(|leaving| (side.key, leaving));
        let left: Vec<(LegKey, Leaving)> = self.sides.values_mut().filter_map(gone).collect();
        for (leg, leaving) in left {
            if leaving.answer_by.is_some() {
                self.answer_hang_up(leg, now);
            }
        }
    }

    fn answer_hang_up(&mut self, leg: LegKey, now: Mono) {
        self.act(leg, LogTime::ZERO, now, |sip| sip.answer_bye(now));
    }
}

/// The call's end.
impl Machine {
    pub(crate) fn propose_end(&mut self, ended: Ended, observed: LogTime) {
        if self.rows.call.is_over() || self.ending.is_some() {
            return;
        }
        let number = self.propose(Command::End { call: self.id(), ended, observed });
        self.ending = Some(Ending { number, ended, observed, again: None });
    }

    pub(crate) fn end_proposed(&mut self, number: u64, accepted: bool, now: Mono) {
        if let Some(ending) = self.ending.as_mut().filter(|ending| ending.number == number && !accepted) {
            ending.again = Some(now + limit::END_AGAIN);
        }
    }

    pub(crate) fn tick_end(&mut self, now: Mono) {
        if let Some(ending) = self.ending.take_if(|ending| ending.again.is_some_and(|at| at <= now)) {
            self.propose_end(ending.ended, ending.observed);
        }
    }

    /// The end is proposed or committed, or that somebody left with whom the call is over: what still comes for what it
    /// ends is too late.
    pub(crate) fn is_ending(&self) -> bool {
        let place = self.rows.place.as_deref();
        let takes_all = |side: &Side| side.leaving.is_some() && after(&self.rows.call, place, side.key) == After::End;
        self.ending.is_some() || self.rows.call.is_over() || self.sides.values().any(takes_all)
    }
}

/// Legs that are to stop.
impl Machine {
    /// Performs the row's hang-up duties, whatever stage the call is in: an offer taken back is one too. Whoever said
    /// why, a phone that the row no longer rings may not ring on.
    pub(crate) fn hang_up_where_due(&mut self, now: Mono) {
        let leaves = |side: &&Side| !side.is_gone && !self.rows.is_live(side.key);
        let leaving: Vec<LegKey> = self.sides.values().filter(leaves).map(|side| side.key).collect();
        for leg in leaving {
            self.recall(leg, now);
            self.hang_up(leg, Some(Cause::NORMAL), now);
        }
        let row = self.rows.call.clone();
        for duty in &row.duties {
            if let DutyKind::HangUp { leg } = duty.kind
                && self.sides.get(&leg).is_none_or(Side::is_over)
            {
                self.done(duty.id);
                self.forget(leg);
            }
        }
    }

    /// An inherited phone that is to be hung up before we rang it ourselves: it may ring for the earlier owner.
    fn recall(&mut self, leg: LegKey, now: Mono) {
        let is_due = self.rows.has_duty(DutyKind::HangUp { leg });
        if !is_due || !self.sides.get(&leg).is_some_and(Side::is_unheard) {
            return;
        }
        let rung = self.rows.call.leg(leg).and_then(|leg| self.rung_before(leg, now));
        if let Some((side, rung)) = self.sides.get_mut(&leg).zip(rung) {
            side.sip = rung.sip;
        }
    }

    /// Ends a leg however far it got; harmless when it is being ended already.
    pub(crate) fn hang_up(&mut self, leg: LegKey, cause: Option<Cause>, now: Mono) {
        if let Some(side) = self.sides.get_mut(&leg) {
            side.ringing.give_up = None;
        }
        self.act(leg, LogTime::ZERO, now, |sip| sip.hang_up(cause, now));
    }

    /// Nothing more will come of it.
    pub(crate) fn leg_over(&mut self, leg: LegKey) {
        if let Some(duty) = self.rows.call.duty_to(DutyKind::HangUp { leg }).map(|duty| duty.id) {
            self.done(duty);
        }
        self.forget(leg);
    }

    /// A leg that is over and no part of a call that goes on. What an ended call's far ends repeat is still answered.
    fn forget(&mut self, leg: LegKey) {
        if !self.rows.call.is_over() && !self.rows.is_live(leg) {
            self.sides.remove(&leg);
        }
    }
}

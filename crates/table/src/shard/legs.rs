//! Legs: answered, in the call, changed, moved to another relay, gone.

use std::time::Duration;

use strowger_model::{CallId, Cause, Dialog, Ended, HangupBy, LegKey, LogTime, RelayId};

use super::Shard;
use super::after::{After, after};
use super::apply::Entry;
use super::life::failed;
use super::offer::RING_TIMEOUT;
use crate::row::story::Piece;
use crate::{
    Call, DutyKind, How, Leg, LegRole, LegState, Miss, Outcome, Reach, Refusal, Released, Screen, SegmentKind, Stage,
    ToldBy, WITH_CUSTOMER, Watched, limit,
};

/// How long whoever answered an outside number has to press the key that says it is the agent.
const KEY_WITHIN: Duration = Duration::from_secs(10);

impl Shard {
    /// A far end that we rang answered.
    pub(super) fn answered(
        &mut self,
        entry: Entry,
        key: LegKey,
        dialog: &Dialog,
        observed: LogTime,
    ) -> Result<(), Refusal> {
        let mut call = self.owned_leg(entry, key)?;
        let leg = call.leg(key).cloned().ok_or(Refusal::NoSuchLeg)?;
        if call.is_over() || !leg.is_ringing() || leg.reach == Reach::Inbound {
            return Err(Refusal::WrongStage);
        }
        match leg.role {
            LegRole::Agent(agent, slot) => self.agent_answered(entry, &mut call, (agent, slot), key, observed)?,
            LegRole::Customer => call.drop_duty(DutyKind::Originate { leg: key }),
            LegRole::Party | LegRole::Supervisor { .. } | LegRole::Step => {
                call.drop_duty(DutyKind::Originate { leg: key });
                call.drop_duty(DutyKind::Ring { leg: key });
            }
        }
        self.put_dialog(key, dialog.clone());
        match screen_of(&leg) {
            Some((screen, within)) => {
                if let Some(leg) = call.leg_mut(key) {
                    leg.state = LegState::Screening { screen, until: entry.now() + within };
                }
                self.put_call(call);
            }
            None => self.join(entry, call, key, observed),
        }
        Ok(())
    }

    pub(super) fn accept(&mut self, entry: Entry, key: LegKey, observed: LogTime) -> Result<(), Refusal> {
        let call = self.owned_leg(entry, key)?;
        if call.is_over() || !call.leg(key).is_some_and(Leg::is_screening) {
            return Err(Refusal::WrongStage);
        }
        self.join(entry, call, key, observed);
        Ok(())
    }

    /// The leg is in the call.
    fn join(&mut self, entry: Entry, mut call: Call, key: LegKey, observed: LogTime) {
        let Some(leg) = call.leg_mut(key) else { return };
        leg.state = LegState::Up;
        match leg.role {
            LegRole::Customer => self.reached(entry, call, observed),
            LegRole::Agent(..) => self.agent_joins(entry, call, key, observed),
            LegRole::Party => {
                let piece = Piece::of_leg(SegmentKind::Talk, leg, entry.observed(observed));
                // A story without room tells no more of it.
                let _ = call.begin(piece);
                self.put_call(call);
            }
            LegRole::Supervisor { .. } | LegRole::Step => self.put_call(call),
        }
    }

    /// The time to answer a question, or to be found out about, is over.
    pub(super) fn screened(&mut self, entry: Entry, call: Call, key: LegKey, screen: Screen) -> Result<(), Refusal> {
        match screen {
            // Whoever is there is not the agent.
            Screen::Key => self.not_taken(entry, key, RING_TIMEOUT, entry.now()),
            Screen::Detect | Screen::Briefing => {
                self.join(entry, call, key, entry.now());
                Ok(())
            }
        }
    }

    /// A leg is over.
    pub(super) fn left(
        &mut self,
        entry: Entry,
        key: LegKey,
        cause: Cause,
        told_by: ToldBy,
        observed: LogTime,
    ) -> Result<(), Refusal> {
        let call = self.call_of_leg(key).map(|call| (**call).clone()).ok_or(Refusal::NoSuchLeg)?;
        if told_by != ToldBy::FarEnd {
            self.owned_leg(entry, key)?;
        }
        let leg = call.leg(key).ok_or(Refusal::NoSuchLeg)?;
        if call.is_over() || !leg.is_live() {
            return Err(Refusal::WrongStage);
        }
        if leg.is_ringing() && leg.agent().is_some() {
            let miss = Miss { status: 487, cause, hang_up: told_by != ToldBy::FarEnd };
            return self.not_taken(entry, key, miss, observed);
        }
        self.lose_leg(entry, call, key, (cause, told_by), observed)
    }

    /// Takes a leg off its call and lets the call go on as the table of `after` says.
    pub(super) fn lose_leg(
        &mut self,
        entry: Entry,
        mut call: Call,
        key: LegKey,
        (cause, told_by): (Cause, ToldBy),
        observed: LogTime,
    ) -> Result<(), Refusal> {
        let Some(leg) = call.leg(key).cloned() else { return Err(Refusal::NoSuchLeg) };
        let what = after(&call, self.place_of(call.id).map(|place| &**place), key);
        let by = if told_by == ToldBy::FarEnd { hung_up_by(leg.role) } else { HangupBy::System };
        if what == After::End {
            // The end takes off what is left, this leg included.
            let gone = if told_by == ToldBy::FarEnd { Some(key) } else { None };
            let unacknowledged = told_by == ToldBy::Silence && call.duty_to(DutyKind::Answer { leg: key }).is_some();
            let outcome = unacknowledged.then(|| failed(&call));
            return self.finish_without(entry, call.id, Ended { by, cause }, entry.observed(observed), (outcome, gone));
        }
        let serves = call.serving == Some(key);
        let at = call.told_at(entry.observed(observed));
        self.release_slot(entry, &mut call, key);
        call.finish_leg_pieces(key, at, How::Over);
        self.take_off(entry, &mut call, key, told_by);
        for follower in followers(&call, key) {
            self.take_off(entry, &mut call, follower, ToldBy::Silence);
        }
        if serves {
            call.serving = next_serving(&call);
        }
        match what {
            After::GoesOn | After::End => {}
            After::Flow => {
                call.stage = Stage::Flow;
                call.until = entry.now() + limit::FLOW_MAX;
                call.begin(Piece::of_call(SegmentKind::Flow, None, at))?;
            }
            After::Place => {
                let queue = call.place.and_then(|place| self.places.get(&place)).map(|place| place.queue);
                if !call.segments.iter().any(|piece| piece.is_open() && piece.kind == SegmentKind::Wait) {
                    // A story without room tells no more of it.
                    let _ = call.begin(Piece::of_call(SegmentKind::Wait, queue, at));
                }
                call.stage = Stage::Waiting;
                call.until = LogTime::MAX;
            }
        }
        self.settle_place(&call);
        self.put_call(call);
        Ok(())
    }

    /// A leg that has left, or is told to.
    fn take_off(&mut self, entry: Entry, call: &mut Call, key: LegKey, told_by: ToldBy) {
        let gone = told_by == ToldBy::FarEnd;
        let why = if gone { Released::ByFarEnd } else { Released::Over(Cause::NORMAL) };
        call.depart(entry, key, why, !gone);
        if gone {
            self.forget_leg(call, key);
        }
    }

    /// A re-INVITE or UPDATE changed a dialog; with it a leg may have moved to its next relay.
    pub(super) fn redialog(
        &mut self,
        entry: Entry,
        key: LegKey,
        dialog: &Dialog,
        (relay, holds): (Option<RelayId>, bool),
    ) -> Result<(), Refusal> {
        let mut call = self.owned_leg(entry, key)?;
        let leg = call.leg_mut(key).ok_or(Refusal::NoSuchLeg)?;
        let is_answered = leg.is_answered() || leg.reach == Reach::Inbound;
        if !leg.is_live() || !is_answered {
            return Err(Refusal::WrongStage);
        }
        leg.holds = holds;
        leg.unreachable = None;
        if relay.is_some() && leg.next_relay == relay {
            let old = std::mem::replace(&mut leg.relay, leg.next_relay.take());
            // What began anew at its relay has left nothing there.
            if let Some(relay) = old.filter(|old| Some(*old) != relay) {
                call.add_duty(DutyKind::Close { relay, leg: key }, entry.now() + limit::HANG_UP_MAX);
            }
        }
        self.put_dialog(key, dialog.clone());
        self.put_call(call);
        Ok(())
    }

    /// Legs of this owner get another relay: make before break, so each has two until its far end agreed. One that lost
    /// them when it began anew may get them again.
    pub(super) fn rehome(&mut self, entry: Entry, legs: &[(LegKey, RelayId)]) -> Outcome {
        if legs.len() > limit::LEGS_PER_REHOME {
            return Refusal::TooLong.into();
        }
        for (key, relay) in legs {
            let Ok(mut call) = self.owned_leg(entry, *key) else { continue };
            let Some(leg) = call.leg_mut(*key).filter(|leg| leg.is_answered()) else {
                continue;
            };
            // A leg may come back to where it was before that was closed.
            let held = leg.relay;
            let given_up = leg.next_relay.replace(*relay).filter(|old| old != relay && Some(*old) != held);
            call.drop_duty(DutyKind::Close { relay: *relay, leg: *key });
            if let Some(relay) = given_up {
                call.add_duty(DutyKind::Close { relay, leg: *key }, entry.now() + limit::HANG_UP_MAX);
            }
            self.put_call(call);
        }
        Outcome::Done
    }

    pub(super) fn done(&mut self, entry: Entry, duties: &[(CallId, u32)]) -> Outcome {
        for (id, duty) in duties {
            let Ok(mut call) = self.owned_call(entry, *id) else { continue };
            self.finish_duty(&mut call, *duty);
            self.put_call(call);
        }
        Outcome::Done
    }

    /// Takes a duty off a row, and with it what it was for: the leg of a hang-up, a recording that is sealed.
    pub(super) fn finish_duty(&mut self, call: &mut Call, id: u32) {
        let kind = call.duty(id).map(|duty| duty.kind);
        call.duties.retain(|duty| duty.id != id);
        match kind {
            Some(DutyKind::HangUp { leg }) => self.forget_leg(call, leg),
            Some(DutyKind::Seal { tap }) => call.taps.retain(|known| known.no != tap),
            _ => {}
        }
    }

    /// A leg whose far end is gone: off the row, unless the record tells of it. Then what is left of its dialog is
    /// what late repeats and the record need.
    pub(super) fn forget_leg(&mut self, call: &mut Call, key: LegKey) {
        // Who asked for something and is gone is told nothing.
        call.drop_duty(DutyKind::Notify { leg: key });
        let is_told = call.is_over() || call.has_talked(key) || call.leg(key).is_some_and(Leg::is_customer);
        if !is_told {
            call.legs.retain(|leg| leg.key != key);
            self.dialogs.remove(&key);
        } else if let Some(dialog) = self.dialogs.get(&key) {
            let mut dialog = (**dialog).clone();
            dialog.local_sdp = String::new();
            dialog.remote_sdp = String::new();
            dialog.pending = None;
            self.put_dialog(key, dialog);
        }
    }
}

impl Call {
    /// The leg is on its way out: told to hang up or gone already. Its relays close what they hold for it.
    pub(super) fn depart(&mut self, entry: Entry, key: LegKey, why: Released, hang_up: bool) {
        let until = entry.now() + limit::HANG_UP_MAX;
        let Some(leg) = self.leg_mut(key) else { return };
        debug_assert!(leg.is_live(), "{key} leaves once");
        leg.state = LegState::Releasing { until, why };
        leg.room = None;
        leg.unreachable = None;
        let held = leg.relay;
        let relays: Vec<RelayId> =
            held.into_iter().chain(leg.next_relay.take().filter(|next| Some(*next) != held)).collect();
        self.duties.retain(|duty| match duty.kind {
            DutyKind::Ring { leg } | DutyKind::Originate { leg } | DutyKind::Answer { leg } => leg != key,
            DutyKind::HangUp { .. } | DutyKind::Close { .. } | DutyKind::Notify { .. } | DutyKind::Seal { .. } => true,
        });
        if hang_up {
            self.add_duty(DutyKind::HangUp { leg: key }, until);
        }
        for relay in relays {
            self.add_duty(DutyKind::Close { relay, leg: key }, until);
        }
        self.end_taps(key, entry.now());
        if self.serving == Some(key) {
            self.serving = None;
        }
    }
}

/// What an answered leg must go through before it is in the call: an agent at an outside number says so by a key.
fn screen_of(leg: &Leg) -> Option<(Screen, Duration)> {
    let is_outside = leg.agent().is_some() && matches!(leg.reach, Reach::Trunk { .. });
    is_outside.then_some((Screen::Key, KEY_WITHIN))
}

fn hung_up_by(role: LegRole) -> HangupBy {
    match role {
        LegRole::Customer => HangupBy::Caller,
        LegRole::Agent(..) => HangupBy::Agent,
        LegRole::Party | LegRole::Supervisor { .. } | LegRole::Step => HangupBy::Party,
    }
}

/// Supervisors who follow that leg and no other.
pub(super) fn followers(call: &Call, key: LegKey) -> Vec<LegKey> {
    let follows = |leg: &&Leg| matches!(leg.role, LegRole::Supervisor { on: Watched::Leg(on), .. } if on == key);
    call.live_legs().filter(follows).map(|leg| leg.key).collect()
}

/// The agent who serves the customer when the one who did is gone.
fn next_serving(call: &Call) -> Option<LegKey> {
    let with_customer = |leg: &&Leg| leg.is_up() && leg.agent().is_some() && leg.room == Some(WITH_CUSTOMER);
    call.live_legs().find(with_customer).map(|leg| leg.key)
}

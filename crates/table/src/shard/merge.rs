//! Two rows become one, and one leg gets a row of its own. Legs keep the names they were born with.

use strowger_model::{AgentId, CallId, Cause, Ended, HangupBy, LegKey, Outcome as CallOutcome, Owner, PlaceId};

use super::Shard;
use super::after::{After, after};
use super::apply::Entry;
use super::life::outcome_of;
use crate::row::story::Piece;
use crate::{
    Asked, Began, Call, DutyKind, How, Kept, Leg, LegRole, Origin, Outcome, Place, PlaceOf, PlaceState, Refusal,
    Released, Segment, SegmentKind, Stage, WITH_CUSTOMER, limit,
};

impl Shard {
    /// All legs of `from` go on in `into`, in one entry; the agent who asked leaves. Refused, the agent keeps what was.
    pub(super) fn merge(&mut self, entry: Entry, rows: (CallId, CallId), by: LegKey, cseq: u32) -> Result<(), Refusal> {
        let asking = self.owned_leg(entry, by)?;
        let leg = asking.leg(by).ok_or(Refusal::NoSuchLeg)?;
        if leg.asked.is_some_and(|asked| asked.cseq >= cseq) {
            return Ok(());
        }
        let who = leg.agent().filter(|_| leg.is_up() && [rows.0, rows.1].contains(&asking.id));
        let who = who.ok_or(Refusal::WrongStage)?;
        let (mut from, mut into) = self.merged_rows(rows)?;
        let goes_on = self.side_that_goes_on(&from, &into, who)?;
        into.owner.epoch = entry.at.index;
        self.move_slots(&from, into.id);
        let customer = live_customer(&from);
        let keeps_record = customer.is_some();
        let rung: Vec<LegKey> = from.ringing().map(|leg| leg.key).collect();
        let at = entry.now();
        let result = move_story(entry, (&mut from, &mut into), keeps_record, who);
        debug_assert!(result.is_ok(), "room was looked for");
        move_legs(&mut from, &mut into);
        into.private = into.private.max(from.private);
        into.aside = into.aside.or(from.aside.take());
        if self.data.get(&into.id).is_none()
            && let Some(data) = self.data.get(&from.id).cloned()
        {
            self.put_data(into.id, (*data).clone());
        }
        let theirs = from.place.take();
        self.end_merged(entry, from, into.id, customer);
        self.let_go(entry, &mut into, who, (by, cseq));
        match goes_on {
            GoesOn::With(serving) => {
                // They rang for a place that is gone.
                self.call_off(entry, &mut into, rung);
                theirs.into_iter().for_each(|place| self.remove_place(place));
                if let Some(key) = serving {
                    let talks =
                        |piece: &Segment| piece.is_open() && piece.leg == Some(key) && piece.kind == SegmentKind::Talk;
                    if !into.segments.iter().any(talks)
                        && let Some(piece) = into.leg(key).map(|leg| Piece::of_leg(SegmentKind::Talk, leg, at))
                    {
                        into.begin(piece)?;
                    }
                }
                into.stage = Stage::Talking;
                into.serving = serving;
                into.until = into.until.min(at + limit::TALK_MAX);
            }
            GoesOn::At(place) => {
                into.place.take().into_iter().for_each(|place| self.remove_place(place));
                self.wait_instead(entry, &mut into, place)?;
            }
        }
        self.put_call(into);
        Ok(())
    }

    /// Both rows, the one to stay second, if they may become one.
    fn merged_rows(&self, (from, into): (CallId, CallId)) -> Result<(Call, Call), Refusal> {
        let row = |id| self.calls.get(&id).map(|call| (**call).clone()).ok_or(Refusal::NoSuchCall);
        let (from, into) = (row(from)?, row(into)?);
        let (from, into) = match (has_customer(&from), has_customer(&into)) {
            // The number of an outbound call stays taken, and its lead unsettled, while its row lives.
            _ if from.outbound().is_some() => (into, from),
            _ if into.outbound().is_some() => (from, into),
            (true, false) => (into, from),
            (false, false) if from.id < into.id => (into, from),
            _ => (from, into),
        };
        if from.id == into.id || from.tenant != into.tenant || from.outbound().is_some() {
            return Err(Refusal::NotServed);
        }
        let is_under_way = |call: &Call| matches!(call.stage, Stage::Flow | Stage::Waiting | Stage::Talking);
        if !is_under_way(&from) || into.stage != Stage::Talking {
            return Err(Refusal::WrongStage);
        }
        let legs = from.live_legs().count() + into.live_legs().count();
        let taps = from.taps.len() + into.taps.len();
        // Those who go on, and one more who serves.
        let pieces = from.segments.len() + into.segments.len() + 1;
        let full = legs > limit::LEGS || taps > limit::TAPS || pieces > limit::SEGMENTS;
        if full || from.aside.is_some() && into.aside.is_some() {
            return Err(Refusal::Full);
        }
        Ok((from, into))
    }

    /// What the customer has when the agent who asked is gone: somebody who is up, or the other row's place.
    fn side_that_goes_on(&self, from: &Call, into: &Call, who: AgentId) -> Result<GoesOn, Refusal> {
        let others = || from.live_legs().chain(into.live_legs()).filter(|leg| leg.agent() != Some(who) && leg.is_up());
        if let Some(agent) = others().find(|leg| leg.agent().is_some()) {
            return Ok(GoesOn::With(Some(agent.key)));
        }
        let outsiders = others().filter(|leg| matches!(leg.role, LegRole::Customer | LegRole::Party)).count();
        if outsiders > 1 {
            return Ok(GoesOn::With(None));
        }
        let place = from.place.and_then(|place| self.places.get(&place)).filter(|place| place.is_in_queue());
        place.map(|place| GoesOn::At(place.id)).ok_or(Refusal::WrongStage)
    }

    /// Agents of legs that move are with the other call from now on: also one who has left, and is in a question beside it.
    fn move_slots(&mut self, from: &Call, into: CallId) {
        for (id, no) in from.legs.iter().filter_map(Leg::slot) {
            let Ok(mut agent) = self.agent_row(id) else { continue };
            let Some(slot) = agent.slot_mut(no) else { continue };
            slot.state = slot.state.moved(from.id, into);
            self.put_agent(agent);
        }
    }

    /// The row that went into another: it owes nothing, and is kept for late repeats. One that had a customer is told of as
    /// that customer's call.
    fn end_merged(&mut self, entry: Entry, mut from: Call, into: CallId, customer: Option<LegKey>) {
        let ended = Ended { by: HangupBy::System, cause: Cause::NORMAL };
        let outcome = if customer.is_some() { outcome_of(&from, ended.by) } else { CallOutcome::Merged };
        from.finish_pieces(entry.now(), How::Merged, |piece| piece.kind != SegmentKind::Wrap);
        from.times.ended = Some(entry.now().max(from.times.admitted));
        from.serving = None;
        from.stage = Stage::Ended { outcome, ended, into: Some(into) };
        from.until = self.kept_until(entry, &from);
        if from.has_record() {
            let mut record = self.record_of(&from);
            if let Some(dialog) = customer.and_then(|customer| self.dialogs.get(&customer)) {
                record.sip_call_id.clone_from(&dialog.call_id);
            }
            self.write(record);
        }
        self.put_data(from.id, crate::Data::default());
        self.put_call(from);
    }

    /// The agent who asked is gone from both, and is told what came of it.
    fn let_go(&mut self, entry: Entry, call: &mut Call, who: AgentId, (by, cseq): (LegKey, u32)) {
        let legs: Vec<LegKey> = call.live_legs().filter(|leg| leg.agent() == Some(who)).map(|leg| leg.key).collect();
        for key in legs {
            self.release_slot(entry, call, key);
            call.finish_leg_pieces(key, entry.now(), How::Transferred);
            call.depart(entry, key, Released::Over(Cause::NORMAL), true);
        }
        let until = entry.now() + limit::HANG_UP_MAX;
        if let Some(leg) = call.leg_mut(by) {
            leg.asked = Some(Asked { cseq, until });
        }
        call.add_duty(DutyKind::Notify { leg: by }, until);
    }

    /// The customer waits at the place where the agent who asked had waited.
    fn wait_instead(&mut self, entry: Entry, call: &mut Call, place: PlaceId) -> Result<(), Refusal> {
        let place = self.places.get(&place).ok_or(Refusal::NoSuchPlace)?;
        let place = Place { call: Some(call.id), of: PlaceOf::Call, ..(**place).clone() };
        if !call.segments.iter().any(|piece| piece.is_open() && piece.kind == SegmentKind::Wait) {
            call.begin(Piece::of_call(SegmentKind::Wait, Some(place.queue), entry.now()))?;
        }
        let rings = call.is_rung();
        call.place = Some(place.id);
        call.stage = Stage::Waiting;
        call.serving = None;
        call.until = strowger_model::LogTime::MAX;
        self.put_place(Place { state: if rings { PlaceState::Offered } else { PlaceState::Waiting }, ..place });
        Ok(())
    }

    /// One leg to a row of its own: who only listened, or was asked aside, goes on without the call.
    pub(super) fn split(&mut self, entry: Entry, key: LegKey) -> Outcome {
        match self.split_row(entry, key) {
            Ok(call) => Outcome::Split { call },
            Err(refusal) => refusal.into(),
        }
    }

    fn split_row(&mut self, entry: Entry, key: LegKey) -> Result<CallId, Refusal> {
        let mut from = self.owned_leg(entry, key)?;
        let leg = from.leg(key).cloned().ok_or(Refusal::NoSuchLeg)?;
        let is_free = leg.is_up() && !leg.is_customer() && from.serving != Some(key);
        // Without it the call goes on as if it had left: there is somebody, and somebody to talk with.
        let goes_on = after(&from, self.place_of(from.id).map(|place| &**place), key) == After::GoesOn
            && from.live_legs().any(|other| other.key != key && other.is_up());
        if !is_free || !goes_on || from.stage != Stage::Talking {
            return Err(Refusal::WrongStage);
        }
        let trunk = from.trunk().ok_or(Refusal::NotServed)?;
        let origin = Origin {
            from: from.from().to_owned(),
            to: from.to().to_owned(),
            began: Began::Split { from: from.id, trunk },
        };
        let owner = Owner { epoch: entry.at.index, ..from.owner };
        let mut call = self.new_call(entry, from.tenant, origin, owner);
        from.finish_leg_pieces(key, entry.now(), How::WentOn);
        from.legs.retain(|leg| leg.key != key);
        from.taps.iter().filter(|tap| tap.leg == key).for_each(|tap| call.taps.push(*tap));
        from.taps.retain(|tap| tap.leg != key);
        call.next.tap = from.next.tap;
        let is_own = |duty: &&crate::Duty| match duty.kind {
            DutyKind::Seal { tap } => call.taps.iter().any(|moved| moved.no == tap),
            kind => kind.leg() == Some(key),
        };
        let (own, rest) = from.duties.iter().partition(is_own);
        from.duties = rest;
        for duty in Vec::from_iter::<Vec<crate::Duty>>(own) {
            call.add_duty(duty.kind, duty.until);
        }
        // It takes the queue with it: in its own row it has nothing else that says whose rules and music it has.
        let queue = leg.queue.or_else(|| from.queue());
        let moved = Leg { takeovers: leg.takeovers.saturating_add(1), room: Some(WITH_CUSTOMER), queue, ..leg };
        call.begin(Piece::of_leg(SegmentKind::Talk, &moved, entry.now()))?;
        call.serving = moved.agent().map(|_| key);
        if let Some((id, no)) = moved.slot() {
            let mut agent = self.agent_row(id)?;
            let state = agent.slot(no).ok_or(Refusal::WrongStage)?.state.moved(from.id, call.id);
            agent.enter(no, state, entry.now());
            self.put_agent(agent);
        }
        call.stage = Stage::Talking;
        call.until = entry.now() + limit::TALK_MAX;
        call.legs.push(moved);
        let id = call.id;
        self.put_call(from);
        self.put_call(call);
        Ok(id)
    }
}

/// What is left when the agent who asked for a merge is gone.
enum GoesOn {
    /// A conversation, with an agent or among outsiders.
    With(Option<LegKey>),
    /// A wait at this place.
    At(PlaceId),
}

fn has_customer(call: &Call) -> bool {
    live_customer(call).is_some()
}

fn live_customer(call: &Call) -> Option<LegKey> {
    call.customer().filter(|leg| leg.is_live()).map(|leg| leg.key)
}

/// All legs, what is owed to them and what is taken from them. A second customer becomes a party.
fn move_legs(from: &mut Call, into: &mut Call) {
    let second = has_customer(into);
    for mut leg in std::mem::take(&mut from.legs) {
        if leg.is_customer() && second {
            leg.role = LegRole::Party;
        }
        if leg.is_live() {
            leg.room = Some(WITH_CUSTOMER);
        }
        leg.takeovers = leg.takeovers.saturating_add(1);
        into.legs.push(leg);
    }
    into.legs
        .iter_mut()
        .filter(|leg| leg.is_live() && leg.room.is_some())
        .for_each(|leg| leg.room = Some(WITH_CUSTOMER));
    let first = into.next.tap;
    for tap in std::mem::take(&mut from.taps) {
        into.next.tap = into.next.tap.max(first.saturating_add(tap.no).saturating_add(1));
        into.taps.push(crate::Tap { no: first.saturating_add(tap.no), ..tap });
    }
    for duty in std::mem::take(&mut from.duties) {
        let kind = match duty.kind {
            DutyKind::Seal { tap } => DutyKind::Seal { tap: first.saturating_add(tap) },
            kind => kind,
        };
        into.add_duty(kind, duty.until);
    }
}

/// What happened to the legs that move: all of it where `from` has no record of its own, else what lasts. What the agent
/// who leaves did there is told there.
fn move_story(
    entry: Entry,
    (from, into): (&mut Call, &mut Call),
    keeps_record: bool,
    who: AgentId,
) -> Result<(), Refusal> {
    let lasts = |piece: &Segment| piece.is_open() && piece.leg.is_some() && piece.agent != Some(who);
    let moves = |piece: &Segment| piece.kind != SegmentKind::Wrap && (!keeps_record || lasts(piece));
    let moved: Vec<Segment> = from.segments.iter().filter(|piece| moves(piece)).cloned().collect();
    if keeps_record {
        from.finish_pieces(entry.now(), How::Merged, |piece| piece.kind != SegmentKind::Wrap);
    } else {
        from.segments = Kept::new(from.segments.iter().filter(|piece| !moves(piece)).cloned().collect());
    }
    for piece in moved {
        let from = if keeps_record { entry.now() } else { piece.from };
        let no = into.next.segment;
        into.next.segment = no.checked_add(1).ok_or(Refusal::Full)?;
        into.segments.change(|pieces| pieces.push(Segment { no, from, ..piece }));
    }
    Ok(())
}

impl DutyKind {
    /// The leg that a duty is about.
    pub fn leg(self) -> Option<LegKey> {
        match self {
            DutyKind::Answer { leg }
            | DutyKind::Ring { leg }
            | DutyKind::Originate { leg }
            | DutyKind::HangUp { leg }
            | DutyKind::Close { leg, .. }
            | DutyKind::Notify { leg } => Some(leg),
            DutyKind::Seal { .. } => None,
        }
    }
}

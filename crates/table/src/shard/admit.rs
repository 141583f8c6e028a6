//! A call's beginning: admitted, answered, through its flow.

use std::sync::Arc;

use strowger_model::config::StepNo;
use strowger_model::{
    CallId, Cause, Dialog, Ended, HangupBy, LegKey, LogTime, Outcome as CallOutcome, Owner, RelayId, TenantId,
};

use super::Shard;
use super::apply::Entry;
use crate::row::story::Piece;
use crate::{
    Admit, AdmitKey, Began, Call, CallTimes, Change, DutyKind, FlowPosition, Kept, Leg, LegRole, LegState, Next,
    Origin, Outcome, Reach, Refusal, SegmentKind, Source, Stage, Target, WITH_CUSTOMER, limit,
};

impl Shard {
    pub(super) fn admit(&mut self, entry: Entry, admit: &Admit) -> Outcome {
        let Admit { key, tenant, source, target, from, to, dialog, observed } = admit;
        if let Some(call) = self.call_by_key(key) {
            return Outcome::Already { call: call.id, owner: call.owner };
        }
        if self.withdrawn.get(key).is_some() {
            return Refusal::WrongStage.into();
        }
        let flow = match self.flow_for(entry, *tenant, *source, *target) {
            Ok(flow) => flow,
            Err(refusal) => return refusal.into(),
        };
        let began = Began::Inbound { key: key.clone(), source: *source, target: *target };
        let origin = Origin { from: from.clone(), to: to.clone(), began };
        let owner = Owner { node: entry.from.node, incarnation: entry.from.incarnation, epoch: entry.at.index };
        let mut call = self.new_call(entry, *tenant, origin, owner);
        call.times.admitted = entry.observed(*observed);
        call.flow = Some(flow);
        let until = call.times.admitted + limit::ADMITTED_MAX;
        let leg = call.add_leg(LegRole::Customer, Reach::Inbound, until);
        let id = call.id;
        self.put_dialog(leg, dialog.clone());
        self.put_call(call);
        Outcome::Admitted { call: id, owner }
    }

    /// Where the call's flow begins. So far only a trunk's calls to a flow are served.
    fn flow_for(
        &self,
        entry: Entry,
        tenant: TenantId,
        source: Source,
        target: Target,
    ) -> Result<FlowPosition, Refusal> {
        let (Source::Trunk(_), Target::Flow(flow)) = (source, target) else { return Err(Refusal::NotServed) };
        self.tenant(tenant).and_then(|tenant| tenant.flow(flow)).ok_or(Refusal::NoSuchTenant)?;
        let version = self.flow_version(flow).ok_or(Refusal::NoSuchTenant)?;
        Ok(FlowPosition { flow, version, step: 0, attempt: 0, entered: entry.at.index })
    }

    /// A row with nothing in it yet; its id is the index of the entry.
    pub(super) fn new_call(&self, entry: Entry, tenant: TenantId, origin: Origin, owner: Owner) -> Call {
        Call {
            id: CallId::new(self.id, entry.at.index),
            tenant,
            origin: Kept::new(origin),
            owner,
            next: Next::default(),
            stage: Stage::Admitted,
            until: LogTime::MAX,
            legs: Vec::new(),
            place: None,
            aside: None,
            serving: None,
            flow: None,
            private: None,
            taps: Vec::new(),
            segments: Kept::default(),
            duties: Vec::new(),
            times: CallTimes { admitted: entry.now(), admitted_wall: entry.at.wall, ended: None },
            failure: None,
            result: None,
        }
    }

    pub(super) fn withdraw(&mut self, entry: Entry, key: &AdmitKey) -> Outcome {
        match self.call_by_key(key).map(|call| (call.id, call.stage == Stage::Admitted)) {
            // It was admitted through another node, or only the answer was lost: the caller may have its 200.
            Some((_, false)) => Refusal::WrongStage.into(),
            Some((call, true)) => {
                let ended = Ended { by: HangupBy::System, cause: Cause::TEMPORARY_FAILURE };
                self.finish(entry, call, ended, entry.now(), Some(CallOutcome::Rejected)).into()
            }
            None => {
                self.withdrawn.put(key.clone(), entry.now());
                Outcome::Done
            }
        }
    }

    pub(super) fn forget_withdrawn(&mut self, now: LogTime) {
        let old = |since: &LogTime| now.since(*since) >= limit::SESSION_LINGER;
        let over: Vec<_> = self.withdrawn.iter().filter(|(_, since)| old(since)).map(|(key, _)| key.clone()).collect();
        for key in &over {
            self.withdrawn.remove(key);
        }
    }

    pub(super) fn answer(&mut self, entry: Entry, key: LegKey, dialog: &Dialog, relay: RelayId) -> Result<(), Refusal> {
        let mut call = self.owned_leg(entry, key)?;
        if call.stage != Stage::Admitted {
            return Err(Refusal::WrongStage);
        }
        let leg = call.leg_mut(key).ok_or(Refusal::NoSuchLeg)?;
        leg.state = LegState::Up;
        leg.relay = Some(relay);
        call.stage = Stage::Flow;
        if let Some(position) = &mut call.flow {
            position.entered = entry.at.index;
        }
        call.until = call.times.admitted + limit::FLOW_MAX;
        call.begin(Piece::of_call(SegmentKind::Flow, None, entry.now()))?;
        call.add_duty(DutyKind::Answer { leg: key }, entry.now() + limit::HANG_UP_MAX);
        self.put_dialog(key, dialog.clone());
        self.put_call(call);
        Ok(())
    }

    pub(super) fn step(
        &mut self,
        entry: Entry,
        id: CallId,
        step: StepNo,
        attempt: u8,
        set: &[Change],
    ) -> Result<(), Refusal> {
        let mut call = self.owned_call(entry, id)?;
        let (Stage::Flow, Some(position)) = (call.stage, call.flow) else { return Err(Refusal::WrongStage) };
        if !set.is_empty() {
            let mut data = self.data.get(&id).map(|data| (**data).clone()).unwrap_or_default();
            set.iter().for_each(|change| data.change(change));
            if data.size() > limit::DATA {
                return Err(Refusal::TooLong);
            }
            self.put_data(id, data);
        }
        call.flow = Some(FlowPosition { step, attempt, entered: entry.at.index, ..position });
        self.put_call(call);
        Ok(())
    }

    /// The call, if the proposer owns it.
    pub(super) fn owned_call(&self, entry: Entry, id: CallId) -> Result<Call, Refusal> {
        let call = self.calls.get(&id).ok_or(Refusal::NoSuchCall)?;
        owned(entry, call)
    }

    /// The call of a leg, if the proposer owns it.
    pub(super) fn owned_leg(&self, entry: Entry, leg: LegKey) -> Result<Call, Refusal> {
        let call = self.call_of_leg(leg).ok_or(Refusal::NoSuchLeg)?;
        owned(entry, call)
    }
}

fn owned(entry: Entry, call: &Arc<Call>) -> Result<Call, Refusal> {
    let owner = (call.owner.node, call.owner.incarnation);
    if owner == (entry.from.node, entry.from.incarnation) { Ok((**call).clone()) } else { Err(Refusal::NotOwner) }
}

impl Call {
    /// A leg that rings until then, under the next number of this call.
    pub(super) fn add_leg(&mut self, role: LegRole, reach: Reach, until: LogTime) -> LegKey {
        let key = LegKey { call: self.id, leg: self.next.leg };
        self.next.leg.0 += 1;
        self.legs.push(Leg {
            key,
            role,
            reach,
            relay: None,
            next_relay: None,
            state: LegState::Ringing { until },
            unreachable: None,
            room: Some(WITH_CUSTOMER),
            holds: false,
            muted: false,
            queue: None,
            asked: None,
            takeovers: 0,
        });
        key
    }

    /// Whether there are a number and room for another leg.
    pub(super) fn can_add_leg(&self) -> bool {
        self.next.leg.0 < u16::MAX && self.live_legs().count() < limit::LEGS
    }
}

//! Outbound calls: granted with their agent and their lead in one entry; reached or not.

use std::time::Duration;

use strowger_model::config::{Campaign, DialMode};
use strowger_model::{
    CallId, CampaignId, Cause, DialResult, E164, Ended, HangupBy, LeadId, LegKey, LogTime, Outcome as CallOutcome,
    Owner, TenantId, Wall,
};

use super::Shard;
use super::apply::Entry;
use super::queue::wait_of;
use crate::row::story::Piece;
use crate::{
    Agent, BarList, Began, Call, Carrier, Dial, DialFailure, DialTo, DutyKind, LeadState, LeadTurn, LegRole, Medium,
    Origin, Outbound, Outcome, PlaceState, Proposer, Reach, Refusal, Reserver, SegmentKind, SlotState, Stage, Then,
    limit,
};

/// Whom a `Dial` is for.
#[derive(Clone, Copy)]
struct Called {
    number: E164,
    lead: Option<LeadId>,
}

impl Shard {
    /// Agent, lead and number are judged in the same entry that takes them: none is ever on two calls.
    pub(super) fn dial(&mut self, entry: Entry, dial: &Dial) -> Result<Outcome, Refusal> {
        if self.is_fenced(Proposer { node: dial.owner.0, incarnation: dial.owner.1 }) {
            return Err(Refusal::Fenced);
        }
        let mut ledger = self.ledger(dial.campaign)?;
        let tenant = ledger.tenant;
        let campaign = self.campaign_config(tenant, dial.campaign)?.clone();
        let from = Owner { node: entry.from.node, incarnation: entry.from.incarnation, epoch: dial.epoch };
        if matches!(dial.to, DialTo::Lead(_)) && ledger.owner != Some(from) {
            return Err(Refusal::NotOwner);
        }
        let called = self.judge_called(entry, tenant, &campaign, dial)?;
        let (mut agent, slot) = self.judge_agent(tenant, &campaign, dial)?;
        let mut call = self.outbound_call(entry, tenant, &campaign, dial, called);
        let id = call.id;
        if let Some(lead) = called.lead {
            let mut lead = self.leads.get(&lead).map(|lead| (**lead).clone()).ok_or(Refusal::NoSuchLead)?;
            lead.state = LeadState::Dialling { call: id };
            self.put_lead(lead);
        }
        call.stage = Stage::Reaching;
        match dial.to {
            // The agent is kept while the called party's phone rings.
            DialTo::Lead(_) => {
                let reserved = SlotState::Reserved { by: Reserver::Call(id), until: LogTime::MAX };
                agent.enter(slot, reserved, entry.now());
                self.put_agent(agent);
                ledger.carrier.dials(id);
                self.put_campaign(ledger);
                self.originate(entry, call);
            }
            DialTo::Number { .. } => {
                call.until = hours_end(entry, dial.not_after);
                self.ring(entry, call, agent, (slot, campaign.queue, dial.agent_relay))?;
            }
        }
        Ok(Outcome::Dialled { call: id })
    }

    /// The agent who asked for the number is on the line. It is dialled by this entry and by none before, so what was
    /// judged when it was asked for is judged again: its hours last, and nobody bars it.
    pub(super) fn dial_asked(&mut self, entry: Entry, mut call: Call) {
        let barred = |number| self.is_barred(BarList::DoNotCall, call.tenant, number);
        let is_barred = call.outbound().is_some_and(|outbound| barred(outbound.number));
        if entry.at.wall < hours_ended(&call) && !is_barred {
            call.until = LogTime::MAX;
            return self.originate(entry, call);
        }
        let id = call.id;
        self.put_call(call);
        let ended = Ended { by: HangupBy::System, cause: Cause::REJECTED };
        let done = self.finish(entry, id, ended, entry.now(), Some(CallOutcome::NotReached));
        debug_assert!(done.is_ok(), "a call whose agent has just answered is not over: {done:?}");
    }

    fn judge_called(
        &self,
        entry: Entry,
        tenant: TenantId,
        campaign: &Campaign,
        dial: &Dial,
    ) -> Result<Called, Refusal> {
        let (number, lead) = match dial.to {
            DialTo::Lead(id) => {
                let ledger = self.ledger(dial.campaign)?;
                if campaign.mode == DialMode::Manual || !ledger.running {
                    return Err(Refusal::Stopped);
                }
                if !ledger.carrier.may_dial(entry.at.wall) {
                    return Err(Refusal::NotNow);
                }
                (self.leads.get(&id).ok_or(Refusal::NoSuchLead)?.number, Some(id))
            }
            DialTo::Number { number } => (number, self.lead_by_number(dial.campaign, number).map(|lead| lead.id)),
        };
        let called = Called { number, lead };
        if entry.at.wall >= dial.not_after {
            return Err(Refusal::NotNow);
        }
        self.may_dial(tenant, number)?;
        let Some(id) = lead else { return Ok(called) };
        if id.campaign() != dial.campaign {
            return Err(Refusal::NoSuchLead);
        }
        match (self.leads.get(&id).map(|lead| lead.turn(Some(campaign))), dial.to) {
            (None, _) => Err(Refusal::NoSuchLead),
            (Some(LeadTurn::Dialling { .. }), _) => Err(Refusal::LeadBusy),
            (Some(LeadTurn::Due { at }), DialTo::Lead(_)) if at <= entry.at.wall => Ok(called),
            (Some(_), DialTo::Lead(_)) => Err(Refusal::NotNow),
            // An agent who asks for a number may call a lead whose turn has not come or is over.
            (Some(_), DialTo::Number { .. }) => Ok(called),
        }
    }

    /// The agent, and the slot that the call takes.
    fn judge_agent(&self, tenant: TenantId, campaign: &Campaign, dial: &Dial) -> Result<(Agent, u8), Refusal> {
        let agent = self.agent_row(dial.agent)?;
        if agent.tenant != tenant {
            return Err(Refusal::NoSuchAgent);
        }
        // Without its queue the agent's phone could not be rung, now or when the called party answers.
        self.queue_of(tenant, Some(campaign.queue)).ok_or(Refusal::NoSuchQueue)?;
        let slot = match dial.to {
            DialTo::Lead(_) => {
                let may = agent.queues.contains(&campaign.queue) && self.is_free_for_dial(&agent);
                agent.free_slots(Medium::Voice).next().filter(|_| may)
            }
            DialTo::Number { .. } => agent.asking_slot(),
        };
        let no = slot.ok_or(Refusal::AgentBusy)?.no;
        Ok((agent, no))
    }

    fn outbound_call(&self, entry: Entry, tenant: TenantId, campaign: &Campaign, dial: &Dial, called: Called) -> Call {
        let Called { number, lead } = called;
        let (node, incarnation) = dial.owner;
        let began = Began::Outbound(Outbound {
            campaign: dial.campaign,
            queue: campaign.queue,
            lead,
            number,
            caller_id: campaign.caller_id,
            trunk: campaign.trunk,
            destination: dial.destination,
            ring_timeout_ms: campaign.ring_timeout_ms,
            relay: dial.relay,
            agent: dial.agent,
            agent_relay: dial.agent_relay,
        });
        let origin = Origin { from: campaign.caller_id.to_string(), to: number.to_string(), began };
        self.new_call(entry, tenant, origin, Owner { node, incarnation, epoch: entry.at.index })
    }

    /// From here on the called party is being called; this is what counts as an attempt.
    pub(super) fn originate(&mut self, entry: Entry, mut call: Call) {
        let Some(outbound) = call.outbound().cloned() else { return };
        let ring = Duration::from_millis(outbound.ring_timeout_ms.into());
        let reach = Reach::Trunk {
            trunk: outbound.trunk,
            number: outbound.number,
            caller_id: outbound.caller_id,
            destination: outbound.destination,
        };
        let until = entry.now() + limit::DIAL_WITHIN + ring + limit::OFFER_GRACE;
        let key = call.add_leg(LegRole::Customer, reach, until);
        if let Some(leg) = call.leg_mut(key) {
            leg.relay = Some(outbound.relay);
        }
        call.add_duty(DutyKind::Originate { leg: key }, entry.now() + limit::DIAL_WITHIN);
        self.put_call(call);
        if let Ok(mut ledger) = self.ledger(outbound.campaign) {
            ledger.dialled += 1;
            self.put_campaign(ledger);
        }
        if let Some(mut lead) = outbound.lead.and_then(|id| self.leads.get(&id)).map(|lead| (**lead).clone()) {
            lead.attempts = lead.attempts.saturating_add(1);
            self.put_lead(lead);
        }
    }

    /// The called party is there: to the agent who waits for it, else into the queue like any caller.
    pub(super) fn reached(&mut self, entry: Entry, mut call: Call, observed: LogTime) {
        let Some(outbound) = call.outbound().cloned() else { return self.put_call(call) };
        self.carrier_works(outbound.campaign);
        // From the answer on the called party waits for an agent: the clock that abandonment is judged by.
        let answered = entry.observed(observed).max(call.times.admitted);
        let agent = call.live_legs().find(|leg| leg.agent().is_some() && leg.is_up()).map(|leg| leg.key);
        if let Some(agent) = agent {
            // A story this short has room.
            let _ = call.begin(Piece::of_call(SegmentKind::Wait, Some(outbound.queue), answered));
            call.serve(agent, answered);
            return self.put_call(call);
        }
        let config = self.queue_of(call.tenant, Some(outbound.queue));
        let max_wait = config.map_or(limit::FLOW_MAX, |queue| wait_of(queue.max_wait_ms));
        let waits = self.wait(entry, &mut call, outbound.queue, (answered, max_wait), Then::End);
        debug_assert!(waits.is_ok(), "a story this short has room");
        let (id, place) = (call.id, call.place);
        let kept = self.reserved(&call).and_then(|agent| self.agent_row(agent).ok());
        let Some((agent, slot)) = kept.and_then(|agent| {
            let slot = agent.slot_of(id)?.no;
            Some((agent, slot))
        }) else {
            return self.put_call(call);
        };
        if self.ring(entry, call.clone(), agent, (slot, outbound.queue, outbound.agent_relay)).is_ok() {
            self.set_place(place, PlaceState::Offered);
        } else {
            self.release_reserved(entry, &call);
            self.put_call(call);
        }
    }

    fn carrier_works(&mut self, campaign: CampaignId) {
        if let Some(mut ledger) = self.ledger(campaign).ok().filter(|ledger| ledger.carrier != Carrier::default()) {
            ledger.carrier.works();
            self.put_campaign(ledger);
        }
    }

    pub(super) fn not_reached(
        &mut self,
        entry: Entry,
        key: LegKey,
        failure: &DialFailure,
        observed: LogTime,
    ) -> Result<(), Refusal> {
        let mut call = self.call_of_leg(key).map(|call| (**call).clone()).ok_or(Refusal::NoSuchLeg)?;
        if failure.status == 0 || failure.hang_up {
            // Not what the far end said but what its owner decided.
            call = self.owned_leg(entry, key)?;
        }
        let leg = call.leg(key).ok_or(Refusal::NoSuchLeg)?;
        if call.is_over() || !leg.is_ringing() || leg.reach == Reach::Inbound {
            return Err(Refusal::WrongStage);
        }
        match leg.role {
            LegRole::Customer => {}
            LegRole::Agent(..) => return Err(Refusal::WrongStage),
            LegRole::Party | LegRole::Supervisor { .. } | LegRole::Step => {
                let told_by = if failure.hang_up { crate::ToldBy::Silence } else { crate::ToldBy::FarEnd };
                return self.lose_leg(entry, call, key, (failure.cause, told_by), observed);
            }
        }
        let by = if failure.hang_up { HangupBy::System } else { HangupBy::Caller };
        let ended = Ended { by, cause: failure.cause };
        let gone = (!failure.hang_up).then_some(key);
        let id = call.id;
        call.failure = Some(failure.clone());
        self.put_call(call);
        let outcome = Some(CallOutcome::NotReached);
        self.finish_without(entry, id, ended, entry.observed(observed), (outcome, gone))
    }

    /// Nobody said what came of it: perhaps the INVITE went out, perhaps not.
    pub(super) fn lose_track(&mut self, entry: Entry, id: CallId) -> Result<(), Refusal> {
        let mut call = self.calls.get(&id).map(|call| (**call).clone()).ok_or(Refusal::NoSuchCall)?;
        let cause = Cause::RECOVERY_ON_TIMER;
        call.failure = Some(DialFailure {
            result: DialResult::Unknown,
            status: 0,
            cause,
            sip_call_id: String::new(),
            hang_up: true,
        });
        self.put_call(call);
        self.finish(entry, id, Ended { by: HangupBy::System, cause }, entry.now(), Some(CallOutcome::NotReached))
    }
}

/// When the hours of a number end, by the log's clock.
fn hours_end(entry: Entry, not_after: Wall) -> LogTime {
    let left_ms = not_after.0.saturating_sub(entry.at.wall.0);
    LogTime(entry.now().0.saturating_add(left_ms.saturating_mul(1000)))
}

/// The same by the clock on the wall, for a call that is not dialled yet.
fn hours_ended(call: &Call) -> Wall {
    let lasts = call.until.since(call.times.admitted).as_millis();
    Wall(call.times.admitted_wall.0.saturating_add(u64::try_from(lasts).unwrap_or(u64::MAX)))
}

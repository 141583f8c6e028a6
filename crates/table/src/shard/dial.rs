//! Outbound calls: granted with their agent and their lead in one entry; reached or not; what the lead gets of it.

use std::time::Duration;

use strowger_model::config::{Campaign, DialMode};
use strowger_model::{
    CallId, CampaignId, Cause, DialResult, Dialog, E164, Ended, HangupBy, LeadId, LegNo, LogTime,
    Outcome as CallOutcome, Owner, TenantId, Wall,
};

use super::Shard;
use super::apply::Entry;
use crate::row::call::{CallTimes, DutyKind, Reserved};
use crate::{
    Agent, AgentState, Attempt, BarList, Call, Dial, DialFailure, DialTo, Lead, LeadState, Origin, Outbound, Outcome,
    Proposer, Refusal, Stage, limit,
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
        let tenant = self.ledger(dial.campaign)?.tenant;
        let campaign = self.campaign_config(tenant, dial.campaign)?.clone();
        let called = self.judge_called(entry, tenant, &campaign, dial)?;
        let agent = self.judge_agent(tenant, &campaign, dial)?;
        let call = self.outbound_call(entry, tenant, &campaign, dial, called);
        let id = call.id;
        if let Some(lead) = called.lead {
            let mut lead = self.leads.get(&lead).map(|lead| (**lead).clone()).ok_or(Refusal::NoSuchLead)?;
            if lead.state == LeadState::Done {
                self.count_done(dial.campaign, -1);
            }
            lead.state = LeadState::Dialling { call: id };
            self.put_lead(lead);
        }
        match dial.to {
            DialTo::Lead(_) => self.reserve(entry, call, agent, dial),
            DialTo::Number { .. } => {
                // Who was not ready before will not be after the call.
                let mut agent = agent;
                if let AgentState::NotReady { reason } = agent.state.clone() {
                    agent.not_ready_next = Some(reason);
                }
                self.ring(entry, call, agent, dial.agent_relay)?;
            }
        }
        Ok(Outcome::Dialled { call: id })
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
                if campaign.mode == DialMode::Manual || !self.ledger(dial.campaign)?.running {
                    return Err(Refusal::Stopped);
                }
                (self.leads.get(&id).ok_or(Refusal::NoSuchLead)?.number, Some(id))
            }
            DialTo::Number { number } => (number, self.lead_by_number(dial.campaign, number).map(|lead| lead.id)),
        };
        let called = Called { number, lead };
        if entry.at.wall >= dial.not_after {
            return Err(Refusal::NotNow);
        }
        if self.is_barred(BarList::DoNotCall, tenant, number) {
            return Err(Refusal::Barred);
        }
        if self.dialled(tenant, number).is_some() {
            return Err(Refusal::LeadBusy);
        }
        let Some(id) = lead else { return Ok(called) };
        if id.campaign() != dial.campaign {
            return Err(Refusal::NoSuchLead);
        }
        match (self.leads.get(&id).map(|lead| lead.state), dial.to) {
            (None, _) => Err(Refusal::NoSuchLead),
            (Some(LeadState::Dialling { .. }), _) => Err(Refusal::LeadBusy),
            (Some(LeadState::Due { at }), DialTo::Lead(_)) if at <= entry.at.wall => Ok(called),
            (Some(_), DialTo::Lead(_)) => Err(Refusal::NotNow),
            // An agent who asks for a number may call a lead whose turn has not come or is over.
            (Some(_), DialTo::Number { .. }) => Ok(called),
        }
    }

    fn judge_agent(&self, tenant: TenantId, campaign: &Campaign, dial: &Dial) -> Result<Agent, Refusal> {
        let agent = self.agent_row(dial.agent)?;
        if agent.tenant != tenant {
            return Err(Refusal::NoSuchAgent);
        }
        // Without its queue the agent's phone could not be rung, now or when the called party answers.
        self.tenant(tenant).and_then(|tenant| tenant.queue(campaign.queue)).ok_or(Refusal::NoSuchQueue)?;
        // Inbound goes first: while somebody waits whom the agent could take, the planner has the agent.
        let is_wanted = || agent.queues.iter().any(|queue| self.waiting_length(*queue) > 0);
        let is_free = match (&agent.state, dial.to) {
            (AgentState::Idle, DialTo::Lead(_)) => agent.queues.contains(&campaign.queue) && !is_wanted(),
            (AgentState::Idle | AgentState::NotReady { .. }, DialTo::Number { .. }) => agent.contact.is_some(),
            _ => false,
        };
        if is_free { Ok(agent) } else { Err(Refusal::AgentBusy) }
    }

    fn outbound_call(&self, entry: Entry, tenant: TenantId, campaign: &Campaign, dial: &Dial, called: Called) -> Call {
        let Called { number, lead } = called;
        let (node, incarnation) = dial.owner;
        Call {
            id: CallId::new(self.id, entry.at.index),
            tenant,
            origin: Origin::Outbound(Outbound {
                campaign: dial.campaign,
                lead,
                number,
                caller_id: campaign.caller_id,
                destination: dial.destination,
                ring_timeout_ms: campaign.ring_timeout_ms,
                reserved: None,
                failure: None,
                result: None,
            }),
            trunk: campaign.trunk,
            from: campaign.caller_id.to_string(),
            to: number.to_string(),
            owner: Owner { node, incarnation, epoch: entry.at.index },
            adoptions: 0,
            stage: Stage::Admitted,
            caller: None,
            relay: Some(dial.relay),
            relays: vec![dial.relay],
            agent: None,
            leaving: Vec::new(),
            next_leg: LegNo(Call::CALLER_LEG.0 + 1),
            queue: Some(campaign.queue),
            order: entry.at.index,
            overflow: None,
            times: CallTimes { admitted: entry.now(), admitted_wall: entry.at.wall, ..CallTimes::default() },
            offers: 0,
            duties: Vec::new(),
            next_duty: 0,
        }
    }

    /// The agent is kept while the called party's phone rings.
    fn reserve(&mut self, entry: Entry, mut call: Call, mut agent: Agent, dial: &Dial) {
        if let Origin::Outbound(outbound) = &mut call.origin {
            outbound.reserved = Some(Reserved { agent: agent.id, relay: dial.agent_relay });
        }
        agent.enter(AgentState::Reserved { call: call.id }, entry.now());
        self.put_agent(agent);
        self.originate(entry, call);
    }

    /// From here on the called party is being called; this is what counts as an attempt.
    pub(super) fn originate(&mut self, entry: Entry, mut call: Call) {
        let Some(outbound) = call.outbound().cloned() else { return };
        let ring = Duration::from_millis(outbound.ring_timeout_ms.into());
        call.stage = Stage::Dialling { deadline: entry.now() + limit::DIAL_WITHIN + ring + limit::OFFER_GRACE };
        call.add_duty(DutyKind::Originate, entry.now() + limit::DIAL_WITHIN);
        self.put_call(call);
        if let Ok(mut ledger) = self.ledger(outbound.campaign) {
            ledger.dialled += 1;
            self.campaigns.put(outbound.campaign, ledger);
        }
        if let Some(mut lead) = outbound.lead.and_then(|id| self.leads.get(&id)).map(|lead| (**lead).clone()) {
            lead.attempts = lead.attempts.saturating_add(1);
            self.put_lead(lead);
        }
    }

    /// The called party is there: to the agent who waits for it, else into the queue like any caller.
    pub(super) fn reached(
        &mut self,
        entry: Entry,
        id: CallId,
        dialog: &Dialog,
        observed: LogTime,
    ) -> Result<(), Refusal> {
        let mut call = self.owned_call(entry, id)?;
        if !matches!(call.stage, Stage::Dialling { .. }) {
            return Err(Refusal::WrongStage);
        }
        let answered = entry.observed(observed);
        call.caller = Some(dialog.clone());
        call.duties.retain(|duty| duty.kind != DutyKind::Originate);
        // From the answer on the called party waits for an agent: the clock that abandonment is judged by.
        call.times.enqueued = Some(answered);
        if call.agent.is_some() {
            call.stage = Stage::Talking;
            call.times.connected = Some(answered);
            self.put_call(call);
            return Ok(());
        }
        call.stage = Stage::Queued;
        let reserved = match &mut call.origin {
            Origin::Outbound(outbound) => outbound.reserved.take(),
            Origin::Inbound { .. } => None,
        };
        let Some((reserved, agent)) = reserved.and_then(|kept| Some((kept, self.agent_row(kept.agent).ok()?))) else {
            self.put_call(call);
            return Ok(());
        };
        if agent.state != (AgentState::Reserved { call: id }) {
            self.put_call(call);
            return Ok(());
        }
        let free = agent.clone();
        if self.ring(entry, call.clone(), agent, reserved.relay).is_err() {
            self.give_back(entry, free);
            self.put_call(call);
        }
        Ok(())
    }

    pub(super) fn not_reached(
        &mut self,
        entry: Entry,
        id: CallId,
        failure: &DialFailure,
        observed: LogTime,
    ) -> Result<(), Refusal> {
        let mut call = self.calls.get(&id).map(|call| (**call).clone()).ok_or(Refusal::NoSuchCall)?;
        if failure.status == 0 || failure.hang_up {
            // Not what the far end said but what its owner decided.
            call = self.owned_call(entry, id)?;
        }
        if !matches!(call.stage, Stage::Dialling { .. }) {
            return Err(Refusal::WrongStage);
        }
        let by = if failure.hang_up { HangupBy::System } else { HangupBy::Caller };
        let ended = Ended { by, cause: failure.cause };
        if let Origin::Outbound(outbound) = &mut call.origin {
            outbound.failure = Some(failure.clone());
        }
        self.put_call(call);
        self.finish(entry, id, ended, entry.observed(observed), Some(CallOutcome::NotReached))
    }

    /// Nobody said what came of it: perhaps the INVITE went out, perhaps not.
    pub(super) fn lose_track(&mut self, entry: Entry, id: CallId) -> Result<(), Refusal> {
        let mut call = self.calls.get(&id).map(|call| (**call).clone()).ok_or(Refusal::NoSuchCall)?;
        let cause = Cause::RECOVERY_ON_TIMER;
        if let Origin::Outbound(outbound) = &mut call.origin {
            outbound.failure = Some(DialFailure {
                result: DialResult::Unknown,
                status: 0,
                cause,
                sip_call_id: String::new(),
                hang_up: true,
            });
        }
        self.put_call(call);
        self.finish(entry, id, Ended { by: HangupBy::System, cause }, entry.now(), Some(CallOutcome::NotReached))
    }

    /// Writes into lead and ledger what came of an outbound call.
    pub(super) fn settle(&mut self, entry: Entry, call: &Call, ended: Ended) {
        let Some((outbound, result)) = call.outbound().and_then(|outbound| Some((outbound, outbound.result?))) else {
            return;
        };
        if let Ok(mut ledger) = self.ledger(outbound.campaign) {
            ledger.results[result as usize] += 1;
            self.campaigns.put(outbound.campaign, ledger);
        }
        let Some(mut lead) = outbound.lead.and_then(|id| self.leads.get(&id)).map(|lead| (**lead).clone()) else {
            return;
        };
        let unsent = result == DialResult::NotDialled;
        if unsent && outbound.failure.is_some() {
            // Counted when the call was begun, and then nothing was sent.
            lead.attempts = lead.attempts.saturating_sub(1);
        }
        if unsent && outbound.failure.is_none() {
            // The agent who asked did not come to the phone: to the lead nothing happened.
            lead.state = self.before_call(entry, call.tenant, &lead);
        } else {
            let status = outbound.failure.as_ref().map_or(0, |failure| failure.status);
            lead.last = Some(Attempt { call: call.id, at: entry.at.wall, result, status, cause: ended.cause });
            lead.state = self.next_try(entry.at.wall, call.tenant, &lead, result);
        }
        if lead.state == LeadState::Done {
            self.count_done(outbound.campaign, 1);
        }
        self.put_lead(lead);
    }

    fn count_done(&mut self, campaign: CampaignId, by: i32) {
        if let Ok(mut ledger) = self.ledger(campaign) {
            ledger.done = ledger.done.saturating_add_signed(by);
            self.campaigns.put(campaign, ledger);
        }
    }

    /// The state that a lead's last call left it in.
    fn before_call(&self, entry: Entry, tenant: TenantId, lead: &Lead) -> LeadState {
        match &lead.last {
            Some(last) => self.next_try(last.at, tenant, lead, last.result),
            None => LeadState::Due { at: entry.at.wall },
        }
    }

    /// When a lead is called again of which a call ended at `from`.
    fn next_try(&self, from: Wall, tenant: TenantId, lead: &Lead, result: DialResult) -> LeadState {
        let Ok(campaign) = self.campaign_config(tenant, lead.id.campaign()) else { return LeadState::Done };
        if lead.attempts >= campaign.max_attempts {
            return LeadState::Done;
        }
        let rule = campaign.retries.iter().find(|retry| retry.result == result);
        let after = match (rule, result) {
            (Some(retry), _) => Duration::from_secs(retry.after_s.into()),
            (None, DialResult::NotDialled) => limit::NOT_DIALLED_RETRY,
            (None, DialResult::Unknown) => limit::UNKNOWN_RETRY,
            (None, _) => return LeadState::Done,
        };
        LeadState::Due { at: Wall(from.0.saturating_add(after.as_millis() as u64)) }
    }

    /// An agent who was kept for nothing stands in the line of idle agents where he stood before.
    pub(super) fn give_back(&mut self, entry: Entry, mut agent: Agent) {
        let idle_since = agent.idle_since;
        agent.come_free(entry.now());
        agent.idle_since = idle_since;
        self.put_agent(agent);
    }

    fn campaign_config(&self, tenant: TenantId, id: CampaignId) -> Result<&Campaign, Refusal> {
        self.tenant(tenant).and_then(|tenant| tenant.campaign(id)).ok_or(Refusal::NoSuchCampaign)
    }
}

/// What a call that ends now was to its campaign.
pub(super) fn result_of(call: &Call, outbound: &Outbound, outcome: CallOutcome) -> DialResult {
    match (&outbound.failure, outcome) {
        (_, CallOutcome::Answered) => DialResult::Connected,
        (Some(failure), _) => failure.result,
        (None, _) if call.caller.is_some() => DialResult::Abandoned,
        // The agent whose phone was rung first gave up while the called party's rang.
        (None, _) if matches!(call.stage, Stage::Dialling { .. }) => DialResult::NoAnswer,
        (None, _) => DialResult::NotDialled,
    }
}

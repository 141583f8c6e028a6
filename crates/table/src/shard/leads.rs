//! What a call's end means to the lead it was for, and to the campaign's ledger.

use std::time::Duration;

use strowger_model::config::Campaign;
use strowger_model::{CampaignId, DialResult, Ended, Outcome as CallOutcome, TenantId, Wall};

use super::Shard;
use super::apply::Entry;
use crate::{Attempt, Call, DutyKind, Lead, LeadState, Refusal, SegmentKind, Stage, limit};

impl Shard {
    /// Writes into lead and ledger what came of an outbound call.
    pub(super) fn settle(&mut self, entry: Entry, call: &Call, ended: Ended) {
        let Some((outbound, result)) = call.outbound().zip(call.result) else { return };
        if let Ok(mut ledger) = self.ledger(outbound.campaign) {
            ledger.add(result);
            self.put_campaign(ledger);
        }
        let Some(mut lead) = outbound.lead.and_then(|id| self.leads.get(&id)).map(|lead| (**lead).clone()) else {
            return;
        };
        let unsent = result == DialResult::NotDialled;
        if unsent && call.failure.is_some() {
            // Counted when the call was begun, and then nothing was sent.
            lead.attempts = lead.attempts.saturating_sub(1);
        }
        if unsent && call.failure.is_none() {
            // The agent who asked did not come to the phone: to the lead nothing happened.
            lead.state = self.before_call(entry, call.tenant, &lead);
        } else {
            let status = call.failure.as_ref().map_or(0, |failure| failure.status);
            lead.last = Some(Attempt { call: call.id, at: entry.at.wall, result, status, cause: ended.cause });
            lead.state = self.next_try(entry.at.wall, call.tenant, &lead, result);
        }
        if lead.state == LeadState::Done {
            self.count_done(outbound.campaign, 1);
        }
        self.put_lead(lead);
    }

    pub(super) fn count_done(&mut self, campaign: CampaignId, by: i32) {
        if let Ok(mut ledger) = self.ledger(campaign) {
            ledger.done = ledger.done.saturating_add_signed(by);
            self.put_campaign(ledger);
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

    pub(super) fn campaign_config(&self, tenant: TenantId, id: CampaignId) -> Result<&Campaign, Refusal> {
        self.tenant(tenant).and_then(|tenant| tenant.campaign(id)).ok_or(Refusal::NoSuchCampaign)
    }
}

/// What an outbound call that ends now was to its campaign.
pub(super) fn result_of(call: &Call, outcome: CallOutcome) -> Option<DialResult> {
    call.outbound()?;
    let was_answered = call.segments.iter().any(|piece| piece.kind == SegmentKind::Wait);
    Some(match (&call.failure, outcome) {
        (_, CallOutcome::Answered | CallOutcome::TransferredOut) => DialResult::Connected,
        (Some(failure), _) => failure.result,
        (None, _) if was_answered => DialResult::Abandoned,
        // Whoever wanted the call gave it up.
        (None, _) if call.stage == Stage::Reaching => match call.customer() {
            // Nobody said yet that the INVITE is out: perhaps it is, perhaps not.
            Some(leg) if call.duty_to(DutyKind::Originate { leg: leg.key }).is_some() => DialResult::Unknown,
            Some(_) => DialResult::NoAnswer,
            None => DialResult::NotDialled,
        },
        (None, _) => DialResult::NotDialled,
    })
}

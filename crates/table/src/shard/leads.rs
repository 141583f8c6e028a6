//! What a call's end means to the lead it was for, and to the campaign's ledger.

use strowger_model::config::Campaign;
use strowger_model::{CampaignId, DialResult, Ended, Outcome as CallOutcome, TenantId};

use super::Shard;
use super::apply::Entry;
use crate::{Attempt, Call, DutyKind, LeadState, Refusal, SegmentKind, Stage, limit};

impl Shard {
    /// Writes into lead and ledger what came of an outbound call.
    pub(super) fn settle(&mut self, entry: Entry, call: &Call, ended: Ended) {
        let Some((outbound, result)) = call.outbound().zip(call.result) else { return };
        let mut others_get_through = true;
        if let Ok(mut ledger) = self.ledger(outbound.campaign) {
            ledger.add(result);
            match result {
                DialResult::CarrierFailed => ledger.carrier.fails(call.id, entry.at.wall),
                // Who talked was answered long ago, which was news then.
                DialResult::NotDialled | DialResult::Unknown | DialResult::Connected | DialResult::Abandoned => {
                    ledger.carrier.tells_nothing(call.id);
                }
                _ => ledger.carrier.works(),
            }
            others_get_through = ledger.carrier.pause.is_none();
            self.put_campaign(ledger);
        }
        let Some(mut lead) = outbound.lead.and_then(|id| self.leads.get(&id)).map(|lead| (**lead).clone()) else {
            return;
        };
        let unsent = result == DialResult::NotDialled;
        let of_carrier = result == DialResult::CarrierFailed;
        if (unsent || of_carrier) && call.failure.is_some() {
            // Counted when the call was begun, and then nothing was sent, or it came to nobody.
            lead.attempts = lead.attempts.saturating_sub(1);
        }
        lead.turned_away = match result {
            DialResult::CarrierFailed => lead.turned_away + u8::from(others_get_through),
            DialResult::NotDialled => lead.turned_away,
            _ => 0,
        };
        if lead.turned_away >= limit::CARRIER_TRIES {
            (lead.attempts, lead.turned_away) = (lead.attempts.saturating_add(1), 0);
        }
        if unsent && call.failure.is_none() {
            // The agent who asked did not come to the phone: to the lead nothing happened.
            lead.state = LeadState::Waiting { since: lead.last.map_or(entry.at.wall, |last| last.at) };
        } else {
            let status = call.final_status();
            lead.last = Some(Attempt { call: call.id, at: entry.at.wall, result, status, cause: ended.cause });
            lead.state = LeadState::Waiting { since: entry.at.wall };
        }
        self.put_lead(lead);
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

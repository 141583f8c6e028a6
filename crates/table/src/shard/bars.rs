//! Numbers that are not dialled, and callers that are not taken.

use strowger_model::{CampaignId, E164};

use super::Shard;
use crate::{BarList, Outcome, Refusal, Scope, limit};

impl Shard {
    pub(super) fn bar(&mut self, list: BarList, scope: Scope, numbers: &[E164], lift: bool) -> Outcome {
        if numbers.len() > limit::NUMBERS_PER_BAR {
            return Refusal::TooLong.into();
        }
        if let Scope::Tenant(tenant) = scope
            && self.tenant(tenant).is_none()
        {
            return Refusal::NoSuchTenant.into();
        }
        for number in numbers {
            let key = (list, scope, *number);
            if lift {
                self.bars.remove(&key);
            } else {
                self.bars.put(key, ());
            }
            if list == BarList::DoNotCall {
                self.list_again(*number);
            }
        }
        Outcome::Done
    }

    /// A bar takes leads off the lists of whom to call, lifting it brings them back.
    fn list_again(&mut self, number: E164) {
        let campaigns: Vec<CampaignId> = self.campaigns().map(|ledger| ledger.campaign).collect();
        for campaign in campaigns {
            let Some(lead) = self.lead_by_number(campaign, number).cloned() else { continue };
            self.unlist(&lead);
            self.list(&lead);
        }
    }
}

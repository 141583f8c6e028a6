//! Numbers that are not dialled, and callers that are not taken.

use strowger_model::{CampaignId, E164, TenantId};

use super::Shard;
use crate::{BarList, Outcome, Refusal, RowKey, Scope, limit};

impl Shard {
    /// Whether the tenant, or everybody, does not take calls from there. A caller that hides is judged by the tenant's
    /// rule for such.
    pub fn is_unwanted(&self, tenant: TenantId, from: &str) -> bool {
        match from.parse::<E164>() {
            Ok(number) => self.is_barred(BarList::Callers, tenant, number),
            Err(_) if is_anonymous(from) => self.tenant(tenant).is_some_and(|tenant| !tenant.takes_anonymous),
            // An extension, or a number as its own country writes it: no list holds such.
            Err(_) => false,
        }
    }

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
            self.touch(RowKey::Campaign(campaign));
        }
    }
}

/// RFC 3323, section 4.1.1.3.
fn is_anonymous(from: &str) -> bool {
    from.is_empty() || from.eq_ignore_ascii_case("anonymous")
}

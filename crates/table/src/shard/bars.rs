//! Numbers that are not dialled, and callers that are not taken.

use strowger_model::E164;

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
        }
        Outcome::Done
    }
}

//! Campaigns: their ledgers, the leads they are given, starting and stopping.

use strowger_model::config::Campaign;
use strowger_model::{CampaignId, Digest, LeadId, TenantId};

use super::Shard;
use super::apply::Entry;
use crate::{Carrier, Lead, LeadSource, LeadState, Ledger, NewLead, Outcome, Refusal, RowKey, Window, limit};

impl Shard {
    /// Makes the ledger of a campaign that the configuration names for the first time, or notes its queue. Whose turn it
    /// is may be another now, though no row says so: whoever paces is told.
    pub(super) fn configure_campaign(&mut self, tenant: TenantId, config: &Campaign) {
        self.touch(RowKey::Campaign(config.id));
        let Ok(mut ledger) = self.ledger(config.id) else {
            let ledger = Ledger {
                campaign: config.id,
                tenant,
                queue: config.queue,
                owner: None,
                running: config.start,
                window: Window::default(),
                steps: 0,
                leads: 0,
                zones: Vec::new(),
                batches: Vec::new(),
                dialled: 0,
                results: Vec::new(),
                carrier: Carrier::default(),
            };
            return self.put_campaign(ledger);
        };
        if ledger.queue != config.queue {
            ledger.queue = config.queue;
            self.put_campaign(ledger);
        }
    }

    pub(super) fn import(
        &mut self,
        entry: Entry,
        campaign: CampaignId,
        batch: Digest,
        leads: &[NewLead],
    ) -> Result<Outcome, Refusal> {
        if leads.len() > limit::LEADS_PER_IMPORT {
            return Err(Refusal::TooLong);
        }
        let mut ledger = self.ledger(campaign)?;
        // Without its configuration a campaign takes no leads: nobody would dial them.
        self.tenant(ledger.tenant).and_then(|tenant| tenant.campaign(campaign)).ok_or(Refusal::NoSuchCampaign)?;
        let source = ledger.batches.len() as u32;
        let mut added = 0;
        for lead in leads {
            if self.index.by_number.contains_key(&(campaign, lead.number)) {
                continue;
            }
            let zone = ledger.zone_number(&lead.zone).ok_or(Refusal::TooLong)?;
            let id = LeadId::new(campaign, ledger.leads);
            ledger.leads = ledger.leads.checked_add(1).ok_or(Refusal::TooLong)?;
            added += 1;
            self.put_lead(Lead {
                id,
                number: lead.number,
                zone,
                source: LeadSource { batch: source, line: lead.line },
                // New leads are due at once, in the order of the list.
                state: LeadState::Waiting { since: entry.at.wall },
                attempts: 0,
                turned_away: 0,
                last: None,
            });
        }
        if added > 0 {
            ledger.batches.push(batch);
        }
        self.put_campaign(ledger);
        Ok(Outcome::Imported { added, duplicates: leads.len() as u32 - added })
    }

    pub(super) fn run(&mut self, campaign: CampaignId, running: bool) -> Result<(), Refusal> {
        let mut ledger = self.ledger(campaign)?;
        ledger.running = running;
        self.put_campaign(ledger);
        Ok(())
    }

    pub(super) fn ledger(&self, campaign: CampaignId) -> Result<Ledger, Refusal> {
        self.campaigns.get(&campaign).map(|ledger| (**ledger).clone()).ok_or(Refusal::NoSuchCampaign)
    }
}

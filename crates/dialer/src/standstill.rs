//! Why a campaign dials nobody, in the order in which somebody would have to do something about it: what `pace` passes over
//! in silence, said to people.

use strowger_model::config::{Campaign, DialMode};
use strowger_model::{CampaignId, Wall};
use strowger_table::{Ledger, Medium, Shard};

use crate::Means;
use crate::hours::{next_open, open_until};
use crate::pace::Staff;
use crate::placing::Placing;

/// Why a campaign dials nobody at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standstill {
    /// Its agents ask for each call.
    Manual,
    /// By an operator, or not started yet.
    Stopped,
    /// No node paces it yet.
    NoNode,
    /// None is on its list, or none is called any more by its policy.
    NoLeads,
    /// Its trunk is not in the configuration, or has no destination.
    NoTrunk,
    /// Its carrier took too many calls in a row to nobody.
    CarrierFails {
        /// When one call is made to see whether it is back; none while that is out.
        until: Option<Wall>,
    },
    /// All who are left are on a do-not-call list.
    Barred,
    /// Who is due lives where it is no hour for calls.
    OutsideHours {
        /// When the first of them may be called.
        until: Option<Wall>,
    },
    /// Nobody is due before then.
    NobodyDue {
        /// When the first is.
        until: Option<Wall>,
    },
    /// No more agents of its queue are free than are left for callers (`keep_idle`).
    NoAgentFree,
    /// Callers wait whom its free agents could take: they go first.
    CallersFirst,
    /// No media relay can be reached.
    NoRelay,
}

impl Standstill {
    /// Each word of [`Standstill::as_str`].
    pub const WORDS: [&str; 12] = [
        "manual",
        "stopped",
        "no_node",
        "no_leads",
        "no_trunk",
        "carrier_fails",
        "barred",
        "outside_hours",
        "nobody_due",
        "no_agent_free",
        "callers_first",
        "no_relay",
    ];

    /// As API, wallboard and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Standstill::Manual => "manual",
            Standstill::Stopped => "stopped",
            Standstill::NoNode => "no_node",
            Standstill::NoLeads => "no_leads",
            Standstill::NoTrunk => "no_trunk",
            Standstill::CarrierFails { .. } => "carrier_fails",
            Standstill::Barred => "barred",
            Standstill::OutsideHours { .. } => "outside_hours",
            Standstill::NobodyDue { .. } => "nobody_due",
            Standstill::NoAgentFree => "no_agent_free",
            Standstill::CallersFirst => "callers_first",
            Standstill::NoRelay => "no_relay",
        }
    }

    /// When it ends by itself, if that is known.
    pub fn until(self) -> Option<Wall> {
        match self {
            Standstill::CarrierFails { until }
            | Standstill::OutsideHours { until }
            | Standstill::NobodyDue { until } => until,
            _ => None,
        }
    }
}

/// None: it dials as fast as its trunk and its agents take it; or it is not configured. Cost: a few steps for each zone of
/// its list and each agent of its queue.
pub fn standstill(shard: &Shard, means: &Means<'_>, campaign: CampaignId) -> Option<Standstill> {
    let placing = Placing::new(shard, means);
    let ledger = shard.campaign(campaign)?;
    let (_, campaign) = placing.configured(ledger)?;
    let leads = leads(shard, campaign, ledger, &placing).err();
    let ends_by_itself = |still: &Standstill| still.until().is_some();
    asked_for(campaign, ledger)
        // Without leads nothing else matters; a carrier that fails is not hidden by leads that rest because of it.
        .or_else(|| leads.filter(|still| !ends_by_itself(still)))
        .or_else(|| trunk(means, campaign))
        .or_else(|| carrier(ledger, placing.wall))
        .or(leads)
        .or_else(|| staff(shard, campaign))
        .or_else(|| means.relays.is_empty().then_some(Standstill::NoRelay))
}

fn asked_for(campaign: &Campaign, ledger: &Ledger) -> Option<Standstill> {
    match (campaign.mode, ledger.running, ledger.owner) {
        (DialMode::Manual, ..) => Some(Standstill::Manual),
        (DialMode::Progressive, false, _) => Some(Standstill::Stopped),
        (DialMode::Progressive, true, None) => Some(Standstill::NoNode),
        (DialMode::Progressive, true, Some(_)) => None,
    }
}

fn trunk(means: &Means<'_>, campaign: &Campaign) -> Option<Standstill> {
    let trunk = means.trunks.iter().find(|trunk| trunk.id == campaign.trunk);
    trunk.is_none_or(|trunk| trunk.destination.is_none()).then_some(Standstill::NoTrunk)
}

fn carrier(ledger: &Ledger, now: Wall) -> Option<Standstill> {
    let pause = ledger.carrier.pause.filter(|_| !ledger.carrier.may_dial(now))?;
    Some(Standstill::CarrierFails { until: Some(pause.until).filter(|until| *until > now) })
}

/// Whether somebody may be called now.
fn leads(shard: &Shard, campaign: &Campaign, ledger: &Ledger, placing: &Placing<'_>) -> Result<(), Standstill> {
    let now = placing.wall;
    let (mut opens, mut comes, mut sleeps) = (None::<Wall>, None::<Wall>, false);
    for (number, name) in (0..).zip(&ledger.zones) {
        let Some((at, _)) = shard.due(campaign.id, number).next() else { continue };
        if at > now {
            comes = comes.into_iter().chain([at]).min();
            continue;
        }
        if matches!(open_until(name, &campaign.hours, now), Ok(Some(_))) {
            return Ok(());
        }
        sleeps = true;
        opens = opens.into_iter().chain(next_open(name, &campaign.hours, now)).min();
    }
    if sleeps {
        return Err(Standstill::OutsideHours { until: opens.into_iter().chain(comes).min() });
    }
    if comes.is_some() {
        return Err(Standstill::NobodyDue { until: comes });
    }
    Err(if shard.leads_barred(campaign.id) > 0 { Standstill::Barred } else { Standstill::NoLeads })
}

fn staff(shard: &Shard, campaign: &Campaign) -> Option<Standstill> {
    let keep = campaign.keep_idle as usize;
    if shard.idle(campaign.queue, Medium::Voice).count() <= keep {
        return Some(Standstill::NoAgentFree);
    }
    (Staff::new(shard).count(campaign.queue) <= keep).then_some(Standstill::CallersFirst)
}

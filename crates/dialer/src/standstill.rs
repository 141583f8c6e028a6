//! Why a campaign dials nobody, in the order in which somebody would have to do something about it: what `pace` passes over
//! in silence, said to people.

use strowger_model::config::{Campaign, DialMode, Tenant};
use strowger_model::{AgentId, CampaignId, Wall};
use strowger_table::{Ledger, Medium, Shard};

use crate::Means;
use crate::due::DueLeads;
use crate::hours::{next_open, open_until};
use crate::pace::Staff;
use crate::placing::Placing;
use crate::spending::{Capped, Payer};

/// Due leads that are looked at to see whether all are forbidden: each that is costs some 10 µs, and who asks waits for it.
const LOOKED_AT: usize = 500;

/// Why a campaign dials nobody at this moment.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// The numbers of those whose turn it is are not dialled, by their kind or by a list of the node's file.
    Forbidden,
    /// A cap of its tenant or its trunk is reached, or those of all agents who are free.
    Capped(Capped),
    /// No more agents of its queue are free than are left for callers (`keep_idle`).
    NoAgentFree,
    /// Callers wait whom its free agents could take: they go first.
    CallersFirst,
    /// Calls, also of others and those that come in, take all lines of its trunk (`max_calls`).
    NoLine,
    /// No media relay can be reached.
    NoRelay,
}

impl Standstill {
    /// Each word of [`Standstill::as_str`].
    pub const WORDS: [&str; 15] = [
        "manual",
        "stopped",
        "no_node",
        "no_leads",
        "no_trunk",
        "carrier_fails",
        "barred",
        "outside_hours",
        "nobody_due",
        "forbidden",
        "capped",
        "no_agent_free",
        "callers_first",
        "no_line",
        "no_relay",
    ];

    /// As API, wallboard and metrics have it.
    pub fn as_str(&self) -> &'static str {
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
            Standstill::Forbidden => "forbidden",
            Standstill::Capped(_) => "capped",
            Standstill::NoAgentFree => "no_agent_free",
            Standstill::CallersFirst => "callers_first",
            Standstill::NoLine => "no_line",
            Standstill::NoRelay => "no_relay",
        }
    }

    /// When it ends by itself, if that is known.
    pub fn until(&self) -> Option<Wall> {
        match self {
            Standstill::CarrierFails { until }
            | Standstill::OutsideHours { until }
            | Standstill::NobodyDue { until } => *until,
            _ => None,
        }
    }

    /// What a word does not say, in a sentence: whose cap it is, and how much.
    pub fn detail(&self) -> Option<String> {
        match self {
            Standstill::Capped(capped) => Some(capped.to_string()),
            _ => None,
        }
    }
}

/// None: it dials as fast as its trunk and its agents take it; or it is not configured. Cost: a few steps for each zone of
/// its list and each agent of its queue, and where the first leads are forbidden so many of them.
pub fn standstill(shard: &Shard, means: &Means<'_>, campaign: CampaignId) -> Option<Standstill> {
    let placing = Placing::new(shard, means);
    let ledger = shard.campaign(campaign)?;
    let (tenant, campaign) = placing.configured(ledger)?;
    let leads = leads(shard, campaign, ledger, &placing).err();
    let ends_by_itself = |still: &Standstill| still.until().is_some();
    asked_for(campaign, ledger)
        // Without leads nothing else matters; a carrier that fails is not hidden by leads that rest because of it.
        .or_else(|| leads.clone().filter(|still| !ends_by_itself(still)))
        .or_else(|| trunk(means, campaign))
        .or_else(|| carrier(ledger, placing.wall))
        .or(leads)
        .or_else(|| of_those_due(&placing, means, (tenant, campaign), ledger))
}

/// Somebody is due.
fn of_those_due(
    placing: &Placing<'_>,
    means: &Means<'_>,
    of: (&Tenant, &Campaign),
    ledger: &Ledger,
) -> Option<Standstill> {
    let (shard, campaign) = (placing.shard, of.1);
    let forbidden = forbidden(placing, of, ledger);
    // If it is only that the first are, others are dialled; unless nothing else keeps the pacer from it.
    (forbidden == Some(Forbidden::All))
        .then_some(Standstill::Forbidden)
        .or_else(|| capped(placing, of))
        .or_else(|| staff(shard, campaign))
        .or_else(|| agents_capped(placing, campaign))
        .or_else(|| (means.allowance.get(&campaign.trunk) == Some(&0)).then_some(Standstill::NoLine))
        .or_else(|| means.relays.is_empty().then_some(Standstill::NoRelay))
        .or_else(|| forbidden.map(|_| Standstill::Forbidden))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Forbidden {
    All,
    TheFirst,
}

/// Whether leads whose turn it is may not be dialled at all.
fn forbidden(placing: &Placing<'_>, (tenant, campaign): (&Tenant, &Campaign), ledger: &Ledger) -> Option<Forbidden> {
    let mut due = DueLeads::open(placing, campaign, ledger, None);
    for ((_, lead), _) in due.by_ref().take(LOOKED_AT) {
        let number = placing.shard.lead(lead)?.number;
        if placing.may_reach(tenant, campaign, number).is_ok() {
            return None;
        }
    }
    Some(if due.next().is_none() { Forbidden::All } else { Forbidden::TheFirst })
}

fn capped(placing: &Placing<'_>, (tenant, campaign): (&Tenant, &Campaign)) -> Option<Standstill> {
    let trunk = placing.trunk(campaign.trunk).ok()?;
    let payers = [Payer::Tenant(tenant.name.clone()), Payer::Trunk(trunk.name.clone())];
    placing.may_spend(&payers).err().map(Standstill::Capped)
}

/// The cap of the longest idle agent, if none has room.
fn agents_capped(placing: &Placing<'_>, campaign: &Campaign) -> Option<Standstill> {
    let staff = Staff::new(placing.shard);
    let free = || placing.shard.idle(campaign.queue, Medium::Voice).filter(|(_, agent, _)| staff.is_free(*agent));
    let may_spend = |agent: AgentId| placing.may_spend(&[Payer::Agent(agent)]);
    let of_all = |(_, agent, _)| may_spend(agent).err();
    if free().any(|idle| of_all(idle).is_none()) {
        return None;
    }
    free().find_map(of_all).map(Standstill::Capped)
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

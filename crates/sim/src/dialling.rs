//! What a seed says of outbound calls: whom the campaigns call, by which rules, and how their lists come in.

use std::collections::BTreeMap;

use strowger_acd::UsableRelay;
use strowger_dialer::{Means, Spending};
use strowger_model::config::{Campaign, DialMode, Hours, LeadColumns, Retry, Trunk};
use strowger_model::{
    CampaignId, Destinations, DialResult, E164, Far, Incarnation, LeadId, Mono, NodeId, TenantId, TrunkId, Wall,
};
use strowger_table::{Dial, DialTo, NewLead, Shard};

use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::tenant::{Share, TRUNKS, called_addr};

/// Worlds of a thousand that have campaigns.
const SHARE: u64 = 350;
const NUMBERS: (u64, u64) = (4, 24);
/// Lists come in so many parts at the most.
const PARTS: u64 = 4;
/// New calls that the trunk takes.
pub(crate) const DIALS_PER_SECOND: u32 = 4;
const FIRST_NUMBER: u64 = 442_070_000_000;

#[derive(Clone, Debug, Default)]
pub(crate) struct Dialling {
    pub campaigns: Vec<Campaign>,
    tenants: BTreeMap<CampaignId, TenantId>,
    /// Lists in parts, each for its campaign; a part may hold what an earlier one held.
    pub parts: Vec<(CampaignId, Vec<NewLead>)>,
    /// Every number that can be called, in the order of the far ends behind them.
    pub numbers: Vec<E164>,
    trunks: Vec<Trunk>,
    /// Nobody has a word in it.
    pub destinations: Destinations,
    /// Nor has anybody a cap.
    pub spending: Spending,
    /// Who asks for one call waits for none.
    allowance: BTreeMap<TrunkId, usize>,
}

impl Dialling {
    pub fn draw(rng: &mut Rng, scenario: &Scenario) -> Self {
        if !rng.chance(SHARE) {
            return Self::default();
        }
        let numbers: Vec<E164> = (0..rng.between(NUMBERS.0, NUMBERS.1)).filter_map(number).collect();
        // A second one may have the same people on its list, and is another tenant's where there is one.
        let mut campaigns = Vec::new();
        let mut tenants = BTreeMap::new();
        for at in 0..rng.between(1, 2) as usize {
            let share = scenario.shares.get(at).unwrap_or(&scenario.shares[0]);
            let id = CampaignId(at as u32 + 1);
            campaigns.push(campaign(rng, id, share));
            tenants.insert(id, share.tenant());
        }
        let parts = campaigns.iter().flat_map(|campaign| parts(rng, campaign.id, &numbers)).collect();
        let trunks = TRUNKS.iter().zip(scenario.trunk_sites).map(|(id, site)| trunk(*id, site)).collect();
        Self {
            campaigns,
            tenants,
            parts,
            numbers,
            trunks,
            destinations: Destinations::default(),
            spending: Spending::default(),
            allowance: TRUNKS.map(|trunk| (trunk, 1)).into(),
        }
    }

    /// A planted bug: the pacer takes the trunk for a larger one.
    pub fn flood(&mut self) {
        self.trunks.iter_mut().for_each(|trunk| trunk.max_dials_per_second *= 8);
    }

    pub fn trunks(&self) -> &[Trunk] {
        &self.trunks
    }

    pub fn of_tenant(&self, tenant: TenantId) -> Vec<Campaign> {
        let campaigns = self.campaigns.iter().filter(|campaign| self.tenants.get(&campaign.id) == Some(&tenant));
        campaigns.cloned().collect()
    }

    pub fn is_on(&self) -> bool {
        !self.campaigns.is_empty()
    }

    /// What there is to dial with for an agent who asks.
    pub fn means<'a>(&'a self, wall: Wall, nodes: &'a [(NodeId, Incarnation)], relays: &'a [UsableRelay]) -> Means<'a> {
        let (trunks, destinations, allowance) = (&self.trunks[..], &self.destinations, &self.allowance);
        Means { wall, nodes, relays, trunks, destinations, spending: &self.spending, now: Mono::ZERO, allowance }
    }

    /// Behind the trunk each number has its own far end: the call goes there at once.
    pub fn route(&self, shard: &Shard, dial: &mut Dial) {
        let of_lead = |id: LeadId| shard.lead(id).map(|lead| lead.number);
        let number = match dial.to {
            DialTo::Lead(lead) => of_lead(lead),
            DialTo::Number { number } => Some(number),
        };
        let at = number.and_then(|number| self.numbers.iter().position(|known| *known == number));
        if let Some(at) = at {
            dial.destination = Far::udp(called_addr(at));
        }
    }
}

fn trunk(id: TrunkId, site: &str) -> Trunk {
    Trunk {
        id,
        name: format!("carrier {}", id.0),
        sources: Vec::new(),
        max_calls_per_second: 100,
        max_calls: 1000,
        destination: Some(Far::udp(called_addr(0))),
        max_dials_per_second: DIALS_PER_SECOND,
        site: site.to_owned(),
    }
}

fn number(at: u64) -> Option<E164> {
    format!("+{}", FIRST_NUMBER + at).parse().ok()
}

fn campaign(rng: &mut Rng, id: CampaignId, share: &Share) -> Campaign {
    let again = [
        DialResult::Busy,
        DialResult::NoAnswer,
        DialResult::Abandoned,
        DialResult::Rejected,
        DialResult::Unreachable,
        DialResult::CarrierFailed,
        DialResult::NotDialled,
        DialResult::Unknown,
        DialResult::Connected,
    ];
    let retries = again.iter().filter(|_| rng.chance(700)).copied().collect::<Vec<_>>();
    Campaign {
        id,
        name: format!("campaign {}", id.0),
        mode: if id.0 == 1 || rng.chance(700) { DialMode::Progressive } else { DialMode::Manual },
        queue: share.queue(rng),
        trunk: share.trunk(),
        caller_id: number(999).unwrap_or_else(|| unreachable!("a number of this file")),
        ring_timeout_ms: rng.pick(&[1500, 3000, 6000]).unwrap_or(3000),
        keep_idle: rng.pick(&[0, 0, 1]).unwrap_or_default(),
        start: rng.chance(800),
        max_attempts: rng.between(1, 4) as u8,
        // Far shorter than any operator would have it: what is called again too soon shows at once.
        retries: retries.iter().map(|result| Retry { result: *result, after_s: rng.below(6) as u32 }).collect(),
        zone: Some("Europe/London".to_owned()),
        hours: hours(rng),
        columns: LeadColumns { number: "number".to_owned(), zone: None },
    }
}

/// Half are open around the clock; of the others' people some, or all, cannot be called before the minute comes or
/// after it: it begins at 22:14 in London and at 7:14 in Tokyo.
pub(crate) fn hours(rng: &mut Rng) -> Vec<Hours> {
    let minute = |hour: u16| hour * 60 + 14;
    let all: &[(u16, u16)] = match rng.below(12) {
        0 => &[(minute(22), 24 * 60)],
        1 => &[(0, minute(22))],
        2 => &[(minute(7), minute(22))],
        3 => &[(0, minute(7)), (minute(22), 24 * 60)],
        4 => &[(0, minute(7)), (8 * 60, minute(22))],
        5 => &[(8 * 60, 21 * 60)],
        _ => &[(0, 24 * 60)],
    };
    all.iter().map(|(from_min, to_min)| Hours { days: 127, from_min: *from_min, to_min: *to_min }).collect()
}

/// Whether a number may be called: one on a list by the clock where it lives, else by the campaign's.
pub(crate) fn is_open(hours: &[Hours], wall: Wall, listed: Option<E164>) -> bool {
    let minute = minute_of_day(wall, listed);
    hours.iter().any(|hours| (hours.from_min..hours.to_min).contains(&minute))
}

/// Where a number on a list lives.
fn zone_of(number: E164) -> &'static str {
    if number.digits().is_multiple_of(2) { "Europe/London" } else { "Asia/Tokyo" }
}

/// What the clock shows where a listed number lives, or in London, in minutes of the day. In winter, when all worlds
/// are, London has universal time; Tokyo is nine hours ahead.
fn minute_of_day(wall: Wall, listed: Option<E164>) -> u16 {
    let ahead = if listed.is_some_and(|number| zone_of(number) == "Asia/Tokyo") { 9 * 60 } else { 0 };
    ((wall.0 / 60_000 + ahead) % (24 * 60)) as u16
}

/// A list of some of the numbers in any order, some of them twice, cut into parts.
fn parts(rng: &mut Rng, campaign: CampaignId, numbers: &[E164]) -> Vec<(CampaignId, Vec<NewLead>)> {
    let mut list: Vec<E164> = numbers.iter().filter(|_| rng.chance(800)).copied().collect();
    for at in 0..list.len() {
        let other = rng.below(list.len() as u64) as usize;
        list.swap(at, other);
        if rng.chance(200) {
            list.push(list[at]);
        }
    }
    let size = list.len().div_ceil(rng.between(1, PARTS) as usize).max(1);
    let lead = |(line, number): (usize, &E164)| NewLead {
        number: *number,
        zone: zone_of(*number).to_owned(),
        line: line as u16,
    };
    list.chunks(size).map(|part| (campaign, part.iter().enumerate().map(lead).collect())).collect()
}

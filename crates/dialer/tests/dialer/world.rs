//! A shard made through its log, and the means to dial with.

use std::collections::BTreeMap;

use strowger_acd::UsableRelay;
use strowger_dialer::{Aside, Denial, Means, Spending, manual, pace};
use strowger_model::config::{
    Agent, Campaign, DialMode, Flow, Hours, LeadColumns, Phone, Queue, Retry, Step, Strategy, Tenant, Trunk,
};
use strowger_model::{
    AgentId, CallId, CampaignId, Cause, Destinations, DialResult, Dialog, DialogState, Digest, E164, Far, FlowId,
    Incarnation, LegKey, LegNo, LogTime, Mono, NodeId, QueueId, RelayId, Role, ShardId, TenantId, TrunkId, Wall,
};
use strowger_table::{
    Admit, AdmitKey, At, BarList, Body, Command, Dial, DialFailure, NewLead, Outcome, Proposal, Proposer, RowKey,
    Scope, Shard, Source, Target, Then,
};

pub const TENANT: TenantId = TenantId(1);
pub const TRUNK: TrunkId = TrunkId(1);
/// Who paces all campaigns.
pub const PACER: (NodeId, Incarnation) = (NodeId(1), Incarnation(1));
pub const LONDON: &str = "Europe/London";
pub const NEW_YORK: &str = "America/New_York";
pub const SYDNEY: &str = "Australia/Sydney";
/// Thursday, 15 January 2026, noon in London; 7 in New York; 23 in Sydney.
pub const NOON: u64 = 1_768_478_400_000;
pub const HOUR: u64 = 3_600_000;

pub struct World {
    pub shard: Shard,
    pub wall: u64,
    pub nodes: Vec<(NodeId, Incarnation)>,
    pub relays: Vec<UsableRelay>,
    pub trunks: Vec<Trunk>,
    pub allowance: BTreeMap<TrunkId, usize>,
    pub destinations: Destinations,
    pub spending: Spending,
    index: u64,
    version: u64,
}

impl World {
    /// Each agent with the queues it serves; all are idle, the first the longest.
    pub fn new(agents: &[&[u32]], campaigns: Vec<Campaign>) -> World {
        let mut world = World {
            shard: Shard::new(ShardId(0)),
            wall: NOON,
            nodes: (1..=3).map(|node| (NodeId(node), Incarnation(1))).collect(),
            relays: vec![relay(1, ""), relay(2, "")],
            trunks: vec![trunk()],
            allowance: BTreeMap::from([(TRUNK, 1000)]),
            destinations: Destinations::default(),
            spending: Spending::default(),
            index: 0,
            version: 0,
        };
        world.configure(tenant(agents, campaigns));
        world
    }

    pub fn configure(&mut self, tenant: Tenant) {
        self.version += 1;
        for command in Command::configuring(self.version, &tenant) {
            assert_eq!(self.say(command), Outcome::Done);
        }
        let campaigns: Vec<_> = self.shard.campaigns().map(|ledger| ledger.campaign).collect();
        for campaign in campaigns {
            let assign = Command::Assign { row: RowKey::Campaign(campaign), to: PACER };
            assert_eq!(self.say(assign), Outcome::Done);
        }
    }

    /// Another tenant on the same shard, with one agent of that number, who serves the campaign's queue.
    pub fn also(&mut self, id: TenantId, agent: u32, campaign: Campaign) {
        let mut other = tenant(&[&[campaign.queue.0]], Vec::new());
        (other.id, other.agents[0].id) = (id, AgentId(agent));
        other.flows.clear();
        other.queues.truncate(1);
        other.queues[0].id = campaign.queue;
        other.campaigns = vec![campaign];
        self.configure(other);
    }

    pub fn say(&mut self, command: Command) -> Outcome {
        self.say_as(NodeId(1), command)
    }

    pub fn say_as(&mut self, node: NodeId, command: Command) -> Outcome {
        self.index += 1;
        let time = LogTime::from_millis(self.wall - NOON + self.index);
        let at = At { index: self.index, time, wall: Wall(self.wall) };
        let from = Proposer { node, incarnation: Incarnation(1) };
        self.shard.apply(at, &Proposal { from, seq: self.index, body: Body::Shard(command) }).outcome
    }

    pub fn import(&mut self, campaign: u32, zone: &str, numbers: std::ops::Range<u64>) {
        let lead = |at| NewLead { number: number(at), zone: zone.into(), line: 0 };
        let numbers: Vec<u64> = numbers.collect();
        for (part, chunk) in numbers.chunks(1000).enumerate() {
            let leads: Vec<_> = chunk.iter().copied().map(lead).collect();
            let batch = Digest([part as u8; 32]);
            let outcome = self.say(Command::Import { campaign: CampaignId(campaign), batch, leads });
            assert!(matches!(outcome, Outcome::Imported { .. }), "{outcome:?}");
        }
    }

    pub fn bar(&mut self, numbers: std::ops::Range<u64>) {
        for at in numbers {
            let numbers = vec![number(at)];
            let bar = Command::Bar { list: BarList::DoNotCall, scope: Scope::Everyone, numbers, lift: false };
            assert_eq!(self.say(bar), Outcome::Done);
        }
    }

    pub fn run(&mut self, campaign: u32, running: bool) {
        assert_eq!(self.say(Command::Run { campaign: CampaignId(campaign), running }), Outcome::Done);
    }

    /// An inbound call that waits.
    pub fn call(&mut self, queue: u32) -> CallId {
        let key = AdmitKey { call_id: format!("call-{}", self.index), from_tag: "t".into(), cseq: 1 };
        let admit = Admit {
            key,
            tenant: TENANT,
            source: Source::Trunk(TRUNK),
            target: Target::Flow(FlowId(1)),
            from: "+4930".into(),
            to: "+4940".into(),
            dialog: *dialog(),
            observed: LogTime(0),
        };
        let admitted = self.say(Command::Admit(Box::new(admit)));
        let Outcome::Admitted { call, .. } = admitted else { panic!("not admitted") };
        let leg = first_leg(call);
        assert_eq!(self.say(Command::Answer { leg, dialog: dialog(), relay: RelayId(1) }), Outcome::Done);
        let queue = QueueId(queue);
        assert_eq!(self.say(Command::Enqueue { call, step: 0, queue, then: Then::End }), Outcome::Done);
        call
    }

    pub fn means(&self) -> Means<'_> {
        Means {
            wall: Wall(self.wall),
            nodes: &self.nodes,
            relays: &self.relays,
            trunks: &self.trunks,
            allowance: &self.allowance,
            destinations: &self.destinations,
            spending: &self.spending,
            now: Mono::from_millis(self.wall),
        }
    }

    /// A round of a process that knows nothing of earlier ones.
    pub fn pace(&self) -> Vec<Dial> {
        self.pace_on(&mut Aside::default())
    }

    pub fn pace_on(&self, aside: &mut Aside) -> Vec<Dial> {
        pace(&self.shard, &self.means(), PACER, aside)
    }

    pub fn manual(&self, agent: u32, campaign: u32, at: u64) -> Result<Dial, Denial> {
        manual(&self.shard, &self.means(), AgentId(agent), CampaignId(campaign), number(at))
    }

    /// The table grants every dial of a plan that was made on its own state.
    pub fn grant(&mut self, dials: Vec<Dial>) -> Vec<CallId> {
        let grant = |dial: Dial| match self.say(Command::Dial(Box::new(dial.clone()))) {
            Outcome::Dialled { call } => call,
            other => panic!("{dial:?}: {other:?}"),
        };
        dials.into_iter().map(grant).collect()
    }

    pub fn busy(&mut self, call: CallId) {
        self.fails(call, (DialResult::Busy, 486, Cause::BUSY));
    }

    pub fn fails(&mut self, call: CallId, (result, status, cause): (DialResult, u16, Cause)) {
        let failure = DialFailure { result, status, cause, sip_call_id: String::new(), hang_up: false };
        let leg = first_leg(call);
        let outcome = self.say(Command::NotReached { leg, failure, observed: LogTime(u64::MAX) });
        assert_eq!(outcome, Outcome::Done);
    }
}

/// The caller's, or the lead's.
pub fn first_leg(call: CallId) -> LegKey {
    LegKey { call, leg: LegNo(0) }
}

/// Progressive, with the agents of this queue.
pub fn campaign(id: u32, queue: u32) -> Campaign {
    Campaign {
        id: CampaignId(id),
        name: format!("campaign-{id}"),
        mode: DialMode::Progressive,
        queue: QueueId(queue),
        trunk: TRUNK,
        caller_id: number(0),
        ring_timeout_ms: 20_000,
        keep_idle: 0,
        start: true,
        max_attempts: 3,
        retries: vec![Retry { result: DialResult::Busy, after_s: 900 }],
        zone: Some(LONDON.into()),
        hours: vec![Hours { days: 0b111_1111, from_min: 8 * 60, to_min: 21 * 60 }],
        columns: LeadColumns { number: "number".into(), zone: None },
    }
}

pub fn number(at: u64) -> E164 {
    format!("+4420{at:08}").parse().unwrap()
}

pub fn relay(relay: u16, site: &str) -> UsableRelay {
    UsableRelay { relay: RelayId(relay), site: site.to_owned() }
}

pub fn trunk() -> Trunk {
    Trunk {
        id: TRUNK,
        name: "carrier".into(),
        sources: Vec::new(),
        max_calls_per_second: 50,
        max_calls: 1000,
        destination: Some(Far::udp(([192, 0, 2, 10], 5060))),
        max_dials_per_second: 10,
        site: String::new(),
    }
}

pub fn tenant(agents: &[&[u32]], campaigns: Vec<Campaign>) -> Tenant {
    let queue = |id| Queue {
        id: QueueId(id),
        name: format!("queue-{id}"),
        strategy: Strategy::LongestIdle,
        music: Digest([7; 32]),
        ring_timeout_ms: 15_000,
        wrap_up_ms: 0,
        max_misses: 0,
        miss_pause_ms: 0,
        max_waiting: 1000,
        max_wait_ms: 3_600_000,
        service_level_ms: 20_000,
    };
    let agent = |(at, queues): (usize, &&[u32])| Agent {
        id: AgentId(at as u32 + 1),
        name: format!("agent-{}", at + 1),
        queues: queues.iter().map(|queue| QueueId(*queue)).collect(),
        phone: Phone::Static { uri: "sip:a@192.0.2.1".into(), far: Far::udp(([192, 0, 2, 1], 5060)) },
        ready_at_login: true,
        site: String::new(),
    };
    Tenant {
        id: TENANT,
        name: "acme".into(),
        realm: "acme.example".into(),
        shard: ShardId(0),
        numbers: Vec::new(),
        flows: vec![Flow { id: FlowId(1), name: "main".into(), steps: vec![Step::HangUp] }],
        queues: (1..=3).map(queue).collect(),
        agents: agents.iter().enumerate().map(agent).collect(),
        campaigns,
        takes_anonymous: true,
        offers_sha256: false,
    }
}

pub fn dialog() -> Box<Dialog> {
    Box::new(Dialog {
        role: Role::Uas,
        state: DialogState::Confirmed,
        call_id: "c".into(),
        local_uri: String::new(),
        local_tag: String::new(),
        remote_uri: String::new(),
        remote_tag: String::new(),
        local_contact: String::new(),
        remote_target: String::new(),
        route_set: Vec::new(),
        local_cseq: 1,
        remote_cseq: 1,
        far: Far::udp(([192, 0, 2, 10], 5060)),
        local_sdp: String::new(),
        remote_sdp: String::new(),
        sdp_version: 1,
        pending: None,
    })
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough for dice.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % sides
    }
}

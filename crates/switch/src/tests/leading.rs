//! A node that leads a shard, and what it is told and says.

use std::time::Duration;

use strowger_acd::UsableRelay;
use strowger_model::config::{
    Agent, Campaign, DialMode, Hours, LeadColumns, NextIds, Phone, Queue, Strategy, Tenant, Trunk,
};
use strowger_model::{
    AgentId, CampaignId, Digest, Far, LegKey, LegNo, LogTime, Mono, NodeId, QueueId, RelayId, TrunkId, Wall,
};
use strowger_table::{
    At, Body, Command, Content, Control, ControlCommand, Outcome, Proposal, Proposer, TenantRef, Then,
};

use super::bench::{Bench, ME, OTHER, SHARD, THIRD, tenant};
use crate::{Errand, Heard, Leader, Leaving, Led, Look, Task, What};

pub const QUEUE: QueueId = QueueId(1);
pub const CAMPAIGN: CampaignId = CampaignId(1);
pub const TRUNK: TrunkId = TrunkId(1);
/// Where the lead belongs.
pub const HOME: NodeId = ME.node;
/// All hours of all days.
pub const ALL_DAY: Hours = Hours { days: 0b111_1111, from_min: 0, to_min: 24 * 60 };
pub const SECOND: Duration = Duration::from_secs(1);
pub const AGAIN: Duration = Duration::from_millis(100);

/// A node that leads a shard with one queue, in a cluster of three.
pub struct World {
    pub bench: Bench,
    pub control: Control,
    pub rules: Leader,
    pub changed: Heard,
    pub led: Option<Led>,
    /// What calls can be made over.
    pub trunks: Vec<Trunk>,
    /// Those that this node reaches.
    pub relays: Vec<UsableRelay>,
    /// The calendar's time when this process's clock began.
    pub wall_ms: u64,
    /// How far the log's time is ahead of this process's.
    pub log_ahead: Duration,
}

impl World {
    pub fn new() -> Self {
        Self::at_home(HOME)
    }

    /// All nodes have been up for long, and the agent is where it belongs.
    pub fn at_home(home: NodeId) -> Self {
        let mut world = Self::young(home);
        world.look();
        world.pass(10 * SECOND);
        while let [(Task::Spread, What::Propose(command))] = &world.look().0[..] {
            let outcome = world.say((**command).clone());
            world.answer(Task::Spread, Some(outcome));
        }
        world.led = Some(Led { term: 1, since: world.bench.now });
        world
    }

    /// The nodes have just come up.
    pub fn young(home: NodeId) -> Self {
        let bench = Bench::new();
        let led = Some(Led { term: 1, since: bench.now });
        let rules = Leader::new(SHARD, ME.node, home);
        let (control, changed) = (Control::default(), Heard::default());
        let relays = vec![UsableRelay { relay: RelayId(1), site: String::new() }];
        let (trunks, wall_ms, log_ahead) = (Vec::new(), 0, Duration::ZERO);
        let mut world = Self { bench, control, rules, changed, led, trunks, relays, wall_ms, log_ahead };
        let nodes = [ME, OTHER, THIRD];
        world.decide(ControlCommand::Found { voters: nodes.map(|node| node.node).to_vec(), shards: 1 });
        for Proposer { node, incarnation } in nodes {
            world.decide(ControlCommand::Hello { node, incarnation });
        }
        world.configure(&staffed());
        Command::configuring(2, &staffed())
            .into_iter()
            .for_each(|command| assert!(world.say(command).refusal().is_none()));
        // That the lives before these are over.
        while let [(Task::Own, What::Propose(command))] = &world.look().0[..] {
            let outcome = world.say((**command).clone());
            world.answer(Task::Own, Some(outcome));
        }
        world
    }

    /// The control group has another configuration.
    pub fn configure(&mut self, tenant: &Tenant) -> TenantRef {
        let what = TenantRef { tenant: tenant.id, shard: SHARD, digest: content(tenant).digest };
        // The shard began with version 1.
        while self.control.version() < 1 {
            self.in_force(Vec::new());
        }
        self.in_force(vec![what]);
        what
    }

    pub fn in_force(&mut self, tenants: Vec<TenantRef>) {
        let (version, next_ids) = (self.control.version() + 1, NextIds::default());
        self.decide(ControlCommand::Configure { version, tenants, trunks: self.trunks.clone(), next_ids });
    }

    pub fn decide(&mut self, command: ControlCommand) {
        let at = At { index: self.control.last().index + 1, time: LogTime(self.bench.now.0), wall: Wall(0) };
        self.control.apply(at, &Proposal { from: ME, seq: 0, body: Body::Control(command) });
        self.changed.control();
    }

    pub fn version(&self) -> u64 {
        self.control.version()
    }

    pub fn dies(&mut self, node: Proposer) {
        for voter in [ME, OTHER, THIRD].map(|voter| voter.node) {
            self.decide(ControlCommand::Silent { voter, node: node.node, incarnation: node.incarnation });
        }
    }

    pub fn say(&mut self, command: Command) -> Outcome {
        let outcome = self.bench.commit(ME, command);
        self.changed.touched(&self.bench.touched);
        outcome
    }

    pub fn waits(&mut self, call_id: &str) {
        let command = self.bench.admit(call_id);
        let Command::Admit(admit) = &command else { panic!("an admission") };
        let dialog = Box::new(admit.dialog.clone());
        let Outcome::Admitted { call, .. } = self.say(command) else { panic!("not admitted") };
        let leg = LegKey { call, leg: LegNo(0) };
        assert_eq!(self.say(Command::Answer { leg, dialog, relay: RelayId(1) }), Outcome::Done);
        assert_eq!(self.say(Command::Enqueue { call, step: 0, queue: QUEUE, then: Then::End }), Outcome::Done);
    }

    /// What is to be done, and when it looks again.
    pub fn look(&mut self) -> (Vec<(Task, What)>, Option<Mono>) {
        let (errands, again) = self.errands();
        (errands.into_iter().map(|errand| (errand.task, errand.what)).collect(), again)
    }

    pub fn errands(&mut self) -> (Vec<Errand>, Option<Mono>) {
        let look = Look {
            led: self.led,
            shard: &self.bench.shard,
            control: &self.control,
            leaving: &Leaving::new(),
            relays: &self.relays,
            now: self.bench.now,
            log_now: LogTime(self.bench.now.0) + self.log_ahead,
            wall: Wall(self.wall_ms + self.bench.now.0 / 1000),
        };
        self.rules.look(&std::mem::take(&mut self.changed), &look)
    }

    /// The only command that it has to say.
    pub fn says(&mut self) -> Command {
        match &self.look().0[..] {
            [(_, What::Propose(command))] => (**command).clone(),
            other => panic!("not one command but {other:?}"),
        }
    }

    pub fn is_quiet(&mut self) -> bool {
        self.look().0.is_empty()
    }

    pub fn answer(&mut self, task: Task, outcome: Option<Outcome>) {
        self.rules.answered(1, task, outcome.as_ref(), self.bench.now);
    }

    /// Says what it has to say, and has it committed.
    pub fn commits(&mut self, task: Task) -> Command {
        let command = self.says();
        let outcome = self.say(command.clone());
        self.answer(task, Some(outcome));
        command
    }

    pub fn pass(&mut self, time: Duration) {
        self.bench.now = self.bench.now + time;
    }
}

pub fn staffed() -> Tenant {
    let agent = |id: u32| Agent {
        id: AgentId(id),
        name: format!("{id}"),
        queues: vec![QUEUE],
        phone: Phone::Static { uri: format!("sip:{id}@192.0.2.20"), far: Far::udp(([192, 0, 2, 20], 5060)) },
        ready_at_login: true,
        site: String::new(),
    };
    Tenant { queues: vec![queue()], agents: vec![agent(1)], ..tenant() }
}

pub fn content(tenant: &Tenant) -> Content {
    Content::of(tenant, strowger_table::layout::FIRST).unwrap()
}

pub fn queue() -> Queue {
    Queue {
        id: QUEUE,
        name: "sales".into(),
        strategy: Strategy::LongestIdle,
        music: Digest([0; 32]),
        ring_timeout_ms: 15_000,
        wrap_up_ms: 0,
        max_misses: 0,
        miss_pause_ms: 0,
        max_waiting: 10,
        max_wait_ms: 600_000,
        service_level_ms: 20_000,
    }
}

pub fn campaign(hours: Hours) -> Campaign {
    Campaign {
        id: CAMPAIGN,
        name: "spring".into(),
        mode: DialMode::Progressive,
        queue: QUEUE,
        trunk: TRUNK,
        caller_id: "+4930555001".parse().unwrap(),
        ring_timeout_ms: 15_000,
        keep_idle: 0,
        start: true,
        max_attempts: 3,
        retries: Vec::new(),
        zone: Some("Europe/London".into()),
        hours: vec![hours],
        columns: LeadColumns { number: "number".into(), zone: None },
    }
}

pub fn offers(command: &Command) -> usize {
    match command {
        Command::Plan(plan) => plan.offers.len(),
        other => panic!("not a plan but {other:?}"),
    }
}

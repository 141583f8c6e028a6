//! A seeded storm of commands, sensible and senseless. What must hold after each of them is in `holds`.

mod holds;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::config::{self, Step, Tenant};
use strowger_model::{
    AgentId, CallId, Cause, DialResult, Digest, E164, Ended, Far, HangupBy, Instance, LeadId, LegKey, LegNo, Line,
    LogTime, Outcome as CallOutcome, QueueId, RelayId,
};
use strowger_table::{
    Agent, BarList, Body, Call, Change, Command, Dial, DialFailure, DialTo, DutyKind, LeadState, LeadTurn, Leg,
    LegRole, Medium, Miss, NewLead, Offer, Offered, Outcome, PlaceState, Plan, Presence, Proposal, Proposer, Rank,
    Reserver, RowKey, Scope, Shard, SlotState, Stage, Then, ToldBy, Touched, VOICE_SLOT, Value,
};

use crate::bench::{Bench, admit_with, answer, dial, enqueue, failure, first_leg};
use crate::dice::Dice;
use crate::sample::*;

const COMMANDS: usize = 4000;
const SEEDS: [u64; 5] = [1, 1878, 1889, 1912, 2026];
const AGENTS: [AgentId; 6] = [ANNA, BERT, CARL, DORA, EMIL, AgentId(99)];
const CAUSES: [Cause; 3] = [Cause::BUSY, Cause::NO_ANSWER, Cause::TEMPORARY_FAILURE];
const TOLD: [ToldBy; 4] = [ToldBy::FarEnd, ToldBy::FarEnd, ToldBy::Silence, ToldBy::DeadMedia];

pub struct Storm {
    pub bench: Bench,
    dice: Dice,
    nodes: [Proposer; 3],
    version: u64,
    admitted: BTreeSet<CallId>,
    /// Rows of legs that left a call: no records.
    split: BTreeSet<CallId>,
}

impl Storm {
    pub fn new(seed: u64) -> Self {
        let (admitted, split) = (BTreeSet::new(), BTreeSet::new());
        Self { bench: Bench::new(), dice: Dice(seed), nodes: [ONE, TWO, THREE], version: 1, admitted, split }
    }

    /// One command, and the same once more now and then.
    pub fn blow(&mut self) {
        let pause = if self.dice.roll(50) == 0 { 40_000 } else { 700 };
        let pause = self.dice.roll(pause);
        self.bench.pass(pause);
        let from = self.dice.of(&self.nodes);
        let command = self.command(from);
        let sender = self.sender(&command, from);
        match self.bench.say_as(sender, command) {
            Outcome::Admitted { call, .. } | Outcome::Dialled { call } => {
                assert!(self.admitted.insert(call), "{call} was admitted twice");
            }
            Outcome::Split { call } => assert!(self.split.insert(call)),
            _ => {}
        }
        if self.dice.roll(10) == 0 {
            let (_, last) = self.bench.log.last().unwrap().clone();
            let before = self.bench.shard.hash();
            self.bench.enter(last);
            assert_eq!(self.bench.shard.hash(), before, "a repeat changed something");
        }
    }

    /// Mostly whoever owns the call, else anyone.
    fn sender(&mut self, command: &Command, anyone: Proposer) -> Proposer {
        let call = match command {
            Command::Answer { leg, .. }
            | Command::Answered { leg, .. }
            | Command::Accept { leg, .. }
            | Command::Left { leg, .. }
            | Command::Merge { by: leg, .. }
            | Command::Split { leg }
            | Command::Redialog { leg, .. } => self.bench.shard.call_of_leg(*leg).map_or(leg.call, |call| call.id),
            Command::Rehome { legs } if !legs.is_empty() => legs[0].0.call,
            Command::Step { call, .. } | Command::Enqueue { call, .. } | Command::End { call, .. } => *call,
            Command::Retake { row: RowKey::Call(call) } => *call,
            Command::Done { duties } if !duties.is_empty() => duties[0].0,
            _ => return anyone,
        };
        match self.bench.shard.call(call) {
            Some(row) if self.dice.roll(20) != 0 => {
                Proposer { node: row.owner.node, incarnation: row.owner.incarnation }
            }
            _ => anyone,
        }
    }

    fn command(&mut self, from: Proposer) -> Command {
        let call = self.any_call();
        let agent = self.dice.of(&AGENTS);
        let observed = self.bench.now - Duration::from_millis(self.dice.roll(2000));
        match self.dice.roll(136) {
            0..=9 => admit_with(self.dice.roll(3000), observed),
            10..=11 => self.withdraw(),
            12..=29 => answer(self.in_stage(|stage| stage == Stage::Admitted).unwrap_or(call)),
            30..=31 => self.step(call),
            32..=43 => self.enqueue(call),
            44..=57 => self.plan(),
            58..=61 => self.missed(call, observed),
            62..=71 => self.connect(call),
            72 => {
                let ended = Ended { by: HangupBy::System, cause: self.dice.of(&CAUSES) };
                Command::End { call, ended, observed }
            }
            73..=77 => self.left(call, observed),
            78..=84 => self.done(call),
            85..=90 => Command::Expire,
            91 => Command::Tick,
            92 => Command::Dispose { agent, call: self.wrapped(agent).unwrap_or(call), code: "sold".into() },
            93 => Command::Presence { agent, presence: Presence::NotReady { reason: "lunch".into() } },
            94..=95 => Command::Presence { agent, presence: Presence::Ready },
            96 => self.bind(from),
            97 => self.unbind(),
            98 => self.configure(),
            99 => self.adopt(from),
            100..=103 => self.on_a_leg(call, from),
            104 => self.merge(),
            105 => Command::Split { leg: self.any_leg(call) },
            _ => self.outbound(from, observed),
        }
    }

    fn outbound(&mut self, from: Proposer, observed: LogTime) -> Command {
        let call = self.any_call();
        let call = self.some_call(|call| call.stage == Stage::Reaching && call.customer().is_some()).unwrap_or(call);
        match self.dice.roll(30) {
            0..=11 => Command::Dial(Box::new(self.dial(from))),
            12..=17 => self.bench.reached_command(call),
            18..=23 => {
                let (result, status, hang_up) = self.dice.of(&[
                    (DialResult::Busy, 486, false),
                    (DialResult::InvalidNumber, 404, false),
                    (DialResult::NotDialled, 0, false),
                    (DialResult::NoAnswer, 0, true),
                ]);
                let failure = DialFailure { hang_up, ..failure(result, status, self.dice.of(&CAUSES)) };
                Command::NotReached { leg: self.customer(call), failure, observed }
            }
            24..=26 => self.import(),
            27 => Command::Run { campaign: self.dice.of(&[SPRING, SUMMER]), running: self.dice.roll(5) != 0 },
            _ => {
                let scope = self.dice.of(&[Scope::Everyone, Scope::Tenant(ACME)]);
                let numbers = (0..5).map(|_| self.any_number()).collect();
                let list = self.dice.of(&[BarList::DoNotCall, BarList::DoNotCall, BarList::Callers]);
                Command::Bar { list, scope, numbers, lift: self.dice.roll(2) == 0 }
            }
        }
    }

    /// Mostly for an agent who is idle, to a lead that is due.
    fn dial(&mut self, from: Proposer) -> Dial {
        let campaign = self.dice.of(&[SPRING, SPRING, SUMMER, BY_HAND]);
        let due: Vec<_> = (0..2).flat_map(|zone| self.bench.shard.due(campaign, zone)).map(|(_, lead)| lead).collect();
        let place = self.dice.roll(60) as u32;
        let lead = due.first().copied().unwrap_or(LeadId::new(campaign, place));
        let number = self.any_number();
        let to = if self.dice.roll(3) == 0 { DialTo::Number { number } } else { DialTo::Lead(lead) };
        let idle = self.bench.idle(SALES);
        let agent =
            if idle.is_empty() || self.dice.roll(10) == 0 { self.dice.of(&AGENTS) } else { self.dice.of(&idle) };
        let hours = if self.dice.roll(3) == 0 { 10 } else { 60_000 };
        let not_after = strowger_model::Wall(self.bench.wall().0 + self.dice.roll(hours));
        Dial { owner: (from.node, from.incarnation), not_after, ..dial(campaign, to, agent) }
    }

    fn import(&mut self) -> Command {
        let campaign = self.dice.of(&[SPRING, SUMMER, BY_HAND]);
        let zone = self.dice.of(&[LONDON, "America/New_York"]);
        let lead = |line| NewLead { number: self.any_number(), zone: zone.into(), line };
        Command::Import { campaign, batch: Digest([campaign.0 as u8; 32]), leads: (0..4).map(lead).collect() }
    }

    fn any_number(&mut self) -> E164 {
        number(self.dice.roll(200))
    }

    fn any_call(&mut self) -> CallId {
        self.some_call(|call| !call.is_over())
            .filter(|_| self.dice.roll(20) != 0)
            .or_else(|| self.some_call(|_| true))
            .unwrap_or_default()
    }

    fn in_stage(&mut self, wanted: impl Fn(Stage) -> bool) -> Option<CallId> {
        self.some_call(|call| wanted(call.stage))
    }

    fn some_call(&mut self, wanted: impl Fn(&Call) -> bool) -> Option<CallId> {
        let calls: Vec<_> = self.bench.shard.calls().filter(|call| wanted(call)).map(|call| call.id).collect();
        (!calls.is_empty()).then(|| self.dice.of(&calls))
    }

    fn customer(&self, call: CallId) -> LegKey {
        self.bench.shard.call(call).and_then(|call| call.customer()).map_or(first_leg(call), |leg| leg.key)
    }

    /// Any leg of a call, or one that it never had.
    fn any_leg(&mut self, call: CallId) -> LegKey {
        let legs: Vec<_> = self.bench.shard.call(call).iter().flat_map(|call| &call.legs).map(|leg| leg.key).collect();
        if legs.is_empty() || self.dice.roll(20) == 0 { LegKey { call, leg: LegNo(77) } } else { self.dice.of(&legs) }
    }

    fn left(&mut self, call: CallId, observed: LogTime) -> Command {
        let leg = if self.dice.roll(2) == 0 { self.customer(call) } else { self.any_leg(call) };
        Command::Left { leg, cause: self.dice.of(&CAUSES), told_by: self.dice.of(&TOLD), observed }
    }

    fn step(&mut self, call: CallId) -> Command {
        let value = (self.dice.roll(2) == 0).then(|| Value::Number(self.dice.roll(9) as i64));
        let set = vec![Change { name: "language".into(), value }];
        Command::Step { call, step: self.dice.roll(5) as u16, attempt: 0, set }
    }

    /// An agent who talks gives the customer to another conversation.
    fn merge(&mut self) -> Command {
        let from = self.in_stage(|stage| stage == Stage::Talking).unwrap_or_default();
        let into = self.in_stage(|stage| stage == Stage::Talking).unwrap_or_default();
        let by = self.bench.shard.call(from).and_then(|call| call.serving).unwrap_or(first_leg(from));
        let (from, into) = if self.dice.roll(2) == 0 { (from, into) } else { (into, from) };
        Command::Merge { from, into, by, cseq: self.dice.roll(3) as u32 }
    }

    fn on_a_leg(&mut self, call: CallId, from: Proposer) -> Command {
        let leg = self.any_leg(call);
        let moves_to = self.bench.shard.call_of_leg(leg).and_then(|call| call.leg(leg)?.next_relay);
        let agent = self.dice.of(&AGENTS);
        let to = (from.node, from.incarnation);
        match self.dice.roll(6) {
            0 => Command::Rehome { legs: vec![(leg, self.dice.of(&[RELAY, AGENT_RELAY]))] },
            1..=2 => {
                let dialog = dialog(strowger_model::Role::Uac, "changed");
                Command::Redialog { leg, dialog, relay: moves_to, holds: self.dice.roll(2) == 0 }
            }
            3 => Command::Retake { row: RowKey::Call(call) },
            4 if self.dice.roll(3) == 0 => {
                let campaign = self.dice.of(&[SPRING, SUMMER]);
                Command::Assign { row: RowKey::Campaign(campaign), to }
            }
            4 => Command::Assign { row: RowKey::Agent(agent), to },
            _ => Command::Accept { leg, observed: self.bench.now },
        }
    }

    fn withdraw(&mut self) -> Command {
        let just_admitted = self.in_stage(|stage| stage == Stage::Admitted);
        let row = just_admitted.filter(|_| self.dice.roll(2) == 0).and_then(|call| self.bench.shard.call(call));
        Command::Withdraw {
            key: row.map(|row| row.key().unwrap().clone()).unwrap_or_else(|| key(self.dice.roll(3000))),
        }
    }

    fn enqueue(&mut self, call: CallId) -> Command {
        let call = self.in_stage(|stage| stage == Stage::Flow).unwrap_or(call);
        let queue = self.dice.of(&[SALES, SALES, SUPPORT, QueueId(9)]);
        enqueue(call, queue, self.dice.of(&[Then::End, Then::Step(2)]))
    }

    /// Mostly one offer a place, now and then one to all who are there.
    fn plan(&mut self) -> Command {
        let mut offers = Vec::new();
        for _ in 0..=self.dice.roll(4) {
            let waiting: Vec<_> = self.bench.shard.places().filter(|place| place.is_waiting()).cloned().collect();
            let (place, queue) = if waiting.is_empty() {
                (strowger_model::PlaceId::default(), SALES)
            } else {
                let place = &waiting[self.dice.roll(waiting.len() as u64) as usize];
                (place.id, place.queue)
            };
            let offer =
                |agent, ring_all| Offer { place, agent, slot: VOICE_SLOT, queue, relay: RELAY, score: 0, ring_all };
            if self.dice.roll(5) == 0 {
                offers.extend(AGENTS.map(|agent| offer(agent, true)));
            } else {
                offers.push(offer(self.dice.of(&AGENTS), false));
            }
        }
        Command::Plan(Plan { basis: self.bench.shard.last().index, offers })
    }

    fn ringing(&mut self, call: CallId) -> LegKey {
        let call = self.some_call(|call| call.ringing().next().is_some()).unwrap_or(call);
        let legs: Vec<_> =
            self.bench.shard.call(call).iter().flat_map(|call| call.ringing()).map(|leg| leg.key).collect();
        if legs.is_empty() || self.dice.roll(20) == 0 { self.any_leg(call) } else { self.dice.of(&legs) }
    }

    fn missed(&mut self, call: CallId, observed: LogTime) -> Command {
        let cause = self.dice.of(&[CAUSES[0], CAUSES[1], CAUSES[2], Cause::NO_CIRCUIT]);
        let hang_up = cause == Cause::NO_ANSWER || cause == Cause::NO_CIRCUIT && self.dice.roll(2) == 0;
        let miss = Miss { status: if hang_up { 408 } else { 486 }, cause, hang_up };
        Command::Missed { leg: self.ringing(call), miss, observed }
    }

    fn connect(&mut self, call: CallId) -> Command {
        let leg = self.ringing(call);
        self.bench.connect_command(leg.call, leg)
    }

    fn done(&mut self, call: CallId) -> Command {
        let owing = self.bench.shard.calls().find(|call| !call.duties.is_empty()).map_or(call, |call| call.id);
        let duties = self.bench.shard.call(owing).map(|row| row.duties.iter().map(|duty| (owing, duty.id)).collect());
        Command::Done { duties: duties.unwrap_or_default() }
    }

    fn wrapped(&self, agent: AgentId) -> Option<CallId> {
        self.bench.shard.agent(agent)?.wrapping()
    }

    /// Phones of several ways and ranks: over datagrams, over a connection of the node that says so or of another.
    fn bind(&mut self, from: Proposer) -> Command {
        let lasts = if self.dice.roll(4) == 0 { 40_000_000 } else { 300_000 };
        let expires = self.bench.now + Duration::from_millis(self.dice.roll(lasts));
        let host = self.dice.of(&[50, 51, 52]);
        let mut binding = phone(host, expires);
        binding.q = self.dice.of(&[1000, 1000, 500]);
        if self.dice.roll(3) == 0 {
            let node = if self.dice.roll(4) == 0 { self.nodes[0].node } else { from.node };
            let line = Some(Line { node, number: self.dice.roll(2) });
            binding.flow = Far { line, ..Far::tcp(addr(host)) };
        }
        let agent = self.dice.of(&[CARL, CARL, EMIL, EMIL, ANNA, AgentId(99)]);
        Command::Bind { agent, binding }
    }

    fn unbind(&mut self) -> Command {
        let agent = self.dice.of(&[CARL, EMIL]);
        match self.dice.roll(3) {
            0 => Command::Unbind { agent, instance: None },
            1 => Command::Presence { agent, presence: Presence::Out },
            _ => Command::Unbind { agent, instance: Some(Instance(self.dice.of(&[50, 51, 52]))) },
        }
    }

    /// Other limits, fewer agents, or the tenant gone until the next time.
    fn configure(&mut self) -> Command {
        self.version += 1;
        let mut config = tenant();
        match self.dice.roll(14) {
            0 => return Command::Retire { version: self.version, tenant: ACME },
            1 => config.agents.retain(|agent| agent.id != ANNA),
            2 => config.queues[0].max_wait_ms = 1000 + self.dice.roll(100_000) as u32,
            3 => config.queues[0].wrap_up_ms = self.dice.roll(100_000) as u32,
            4 => without_queue(&mut config, SALES),
            5 => without_queue(&mut config, SUPPORT),
            6 => config.campaigns.retain(|campaign| campaign.id != SPRING),
            7 => config.flows[0].steps.truncate(1 + self.dice.roll(2) as usize),
            8 => swap_phones(&mut config.agents),
            9 => {
                config.agents[1].name = "bertram".into();
                config.agents[1].queues = vec![SALES, SUPPORT];
                config.agents[4].ready_at_login = true;
            }
            10 => {
                let far = Far::udp(addr(80));
                config.agents[0].phone = config::Phone::Static { uri: "sip:anna@192.0.2.80".into(), far };
            }
            11 => {
                let campaign = &mut config.campaigns[0];
                (campaign.max_attempts, campaign.queue, campaign.ring_timeout_ms) = (1, SUPPORT, 5000);
                campaign.retries.clear();
            }
            12 => {
                let queue = &mut config.queues[0];
                (queue.ring_timeout_ms, queue.max_misses, queue.miss_pause_ms) = (4000, 1, 0);
                (queue.max_waiting, queue.wrap_up_ms) = (8, 0);
            }
            _ => {}
        }
        let mut commands = Command::configuring(self.version, &config);
        let configure = commands.pop().expect("it ends with what puts it in force");
        for part in commands {
            self.bench.say(part);
        }
        configure
    }

    /// One node dies and starts again; the others inherit.
    fn adopt(&mut self, from: Proposer) -> Command {
        let dead = self.nodes.iter().position(|node| *node == from).unwrap();
        self.nodes[dead].incarnation.0 += 1;
        let heirs = self.nodes.iter().filter(|node| node.node != from.node);
        Command::Adopt {
            node: from.node,
            incarnation: from.incarnation,
            heirs: heirs.map(|heir| (heir.node, heir.incarnation)).collect(),
        }
    }

    /// Every call admitted or dialled is either live or has ended in one outcome.
    fn assert_conserved(&self) -> BTreeMap<CallOutcome, usize> {
        let mut outcomes = BTreeMap::new();
        for (_, record) in self.bench.shard.records(0) {
            let before = outcomes.insert(record.call, record.outcome);
            assert!(before.is_none_or(|outcome| outcome == record.outcome), "{} ended twice", record.call);
        }
        let calls = self.bench.shard.calls().filter(|call| !call.is_over() && !self.split.contains(&call.id));
        let live: BTreeSet<_> = calls.map(|call| call.id).collect();
        assert!(live.iter().all(|call| !outcomes.contains_key(call)), "a live call has a record");
        let all: BTreeSet<_> = live.iter().chain(outcomes.keys()).copied().collect();
        assert_eq!(all, self.admitted);
        let mut counts = BTreeMap::new();
        outcomes.values().for_each(|outcome| *counts.entry(*outcome).or_insert(0) += 1);
        counts
    }
}

/// Nobody is to enter it any more, serve it, or be called for it.
fn without_queue(config: &mut Tenant, queue: QueueId) {
    config.queues.retain(|known| known.id != queue);
    config.agents.iter_mut().for_each(|agent| agent.queues.retain(|of| *of != queue));
    config.campaigns.retain(|campaign| campaign.queue != queue);
    config.flows[0].steps.retain(|step| !matches!(step, Step::Enqueue { queue: of, .. } if *of == queue));
}

/// Phones that were always there must register, and the other way round.
fn swap_phones(agents: &mut [config::Agent]) {
    for (one, other) in [(0, 2), (1, 4)] {
        let phone = agents[one].phone.clone();
        agents[one].phone = std::mem::replace(&mut agents[other].phone, phone);
    }
}

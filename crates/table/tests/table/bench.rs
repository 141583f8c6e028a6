//! A shard under test, with the short ways in which phases are told.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::config::{StepNo, Tenant};
use strowger_model::{
    AgentId, CallId, CampaignId, Cause, DialResult, Digest, Ended, Far, LeadId, LegNo, LogTime, QueueId, Role, Wall,
};
use strowger_table::{
    Agent, AgentState, Applied, At, Body, Call, Command, Dial, DialFailure, DialTo, DutyKind, Lead, Ledger, Miss,
    NewLead, Offer, Outcome, Plan, Proposal, Proposer, Record, Refusal, Shard, Stage,
};

use crate::sample::*;

pub struct Bench {
    pub shard: Shard,
    pub now: LogTime,
    /// Every entry so far, for another replica to follow.
    pub log: Vec<(At, Proposal)>,
    index: u64,
    numbers: BTreeMap<Proposer, u64>,
    keys: u64,
}

impl Bench {
    /// Nothing configured.
    pub fn bare() -> Self {
        Self {
            shard: Shard::new(SHARD),
            now: LogTime::from_millis(1_000_000),
            log: Vec::new(),
            index: 0,
            numbers: BTreeMap::new(),
            keys: 0,
        }
    }

    /// The sample tenant in force: anna, bert and dora are idle, in this order.
    pub fn new() -> Self {
        let mut bench = Self::bare();
        bench.configure(1, tenant());
        bench
    }

    pub fn pass(&mut self, ms: u64) {
        self.now = self.now + Duration::from_millis(ms);
    }

    pub fn configure(&mut self, version: u64, tenant: Tenant) {
        for command in Command::configuring(version, &tenant) {
            assert_eq!(self.say(command), Outcome::Done);
        }
    }

    /// Under the next sequence number of node one.
    pub fn say(&mut self, command: Command) -> Outcome {
        self.say_as(ONE, command)
    }

    pub fn say_as(&mut self, from: Proposer, command: Command) -> Outcome {
        let seq = self.numbers.entry(from).or_insert(0);
        *seq += 1;
        let proposal = Proposal { from, seq: *seq, body: Body::Shard(command) };
        self.enter(proposal).outcome
    }

    pub fn refused(&mut self, command: Command) -> Refusal {
        self.say(command).refusal().expect("this must be refused")
    }

    pub fn enter(&mut self, proposal: Proposal) -> Applied {
        self.index += 1;
        let at = At { index: self.index, time: self.now, wall: self.wall() };
        self.log.push((at, proposal.clone()));
        self.shard.apply(at, &proposal)
    }

    /// What the leader says when a lease is due: under no number.
    pub fn expire(&mut self) {
        let outcome = self.enter(Proposal { from: ONE, seq: 0, body: Body::Shard(Command::Expire) }).outcome;
        assert_eq!(outcome, Outcome::Done);
    }

    /// To the next deadline, and over it.
    pub fn expire_next(&mut self) {
        self.now = self.now.max(self.shard.next_lease().expect("something must be due some day"));
        self.expire();
    }

    pub fn admit_command(&mut self) -> Command {
        self.keys += 1;
        admit_with(self.keys, self.now)
    }

    pub fn admitted(&mut self) -> CallId {
        let command = self.admit_command();
        match self.say(command) {
            Outcome::Admitted { call, .. } => call,
            other => panic!("not admitted: {other:?}"),
        }
    }

    /// Answered, acknowledged, in its flow.
    pub fn flowing(&mut self) -> CallId {
        let call = self.admitted();
        assert_eq!(self.say(answer(call)), Outcome::Done);
        self.done(call, DutyKind::Answer);
        call
    }

    pub fn waiting(&mut self, queue: QueueId) -> CallId {
        let call = self.flowing();
        assert_eq!(self.say(enqueue(call, queue, None)), Outcome::Done);
        call
    }

    /// A new call, offered to this agent.
    pub fn offered(&mut self, agent: AgentId) -> (CallId, LegNo) {
        let call = self.waiting(SALES);
        let leg = self.offer(call, agent);
        (call, leg)
    }

    pub fn offer(&mut self, call: CallId, agent: AgentId) -> LegNo {
        assert_eq!(self.plan(&[(call, agent)]), 1, "the offer must be granted");
        self.call(call).ringing_agent().unwrap().leg
    }

    /// Bits of the offers that were granted.
    pub fn plan(&mut self, offers: &[(CallId, AgentId)]) -> u64 {
        let queue_of = |call| self.shard.call(call).and_then(|call| call.queue).unwrap_or(SALES);
        let offers = offers
            .iter()
            .map(|&(call, agent)| Offer { call, agent, queue: queue_of(call), relay: RELAY, score: 0 })
            .collect();
        match self.say(Command::Plan(Plan { basis: self.index, offers })) {
            Outcome::Planned { granted } => granted,
            other => panic!("not planned: {other:?}"),
        }
    }

    pub fn talking(&mut self, agent: AgentId) -> CallId {
        let (call, leg) = self.offered(agent);
        let connect = self.connect_command(call, leg);
        assert_eq!(self.say(connect), Outcome::Done);
        call
    }

    pub fn connect_command(&self, call: CallId, leg: LegNo) -> Command {
        Command::Connect { call, leg, dialog: dialog(Role::Uac, &format!("agent-{call}")), observed: self.now }
    }

    pub fn missed_command(&self, call: CallId, leg: LegNo, cause: Cause) -> Command {
        Command::Missed { call, leg, miss: Miss { status: 486, cause }, observed: self.now }
    }

    /// Leads of these numbers, in this order.
    pub fn import(&mut self, campaign: CampaignId, numbers: impl IntoIterator<Item = u64>) {
        let lead = |(line, at): (usize, u64)| NewLead { number: number(at), zone: LONDON.into(), line: line as u16 };
        let leads: Vec<_> = numbers.into_iter().enumerate().map(lead).collect();
        let batch = Digest([self.index as u8; 32]);
        let added = leads.len() as u32;
        assert_eq!(self.say(Command::Import { campaign, batch, leads }), Outcome::Imported { added, duplicates: 0 });
    }

    pub fn dial(&mut self, dial: Dial) -> Outcome {
        self.say(Command::Dial(Box::new(dial)))
    }

    pub fn dial_refused(&mut self, dial: Dial) -> Refusal {
        self.refused(Command::Dial(Box::new(dial)))
    }

    /// A lead of spring is being dialled for the agent.
    pub fn dialling(&mut self, place: u32, agent: AgentId) -> CallId {
        dialled(self.dial(dial(SPRING, DialTo::Lead(LeadId::new(SPRING, place)), agent)))
    }

    /// An agent asked for a number and is being rung.
    pub fn asked_for(&mut self, campaign: CampaignId, at: u64, agent: AgentId) -> (CallId, LegNo) {
        let call = dialled(self.dial(dial(campaign, DialTo::Number { number: number(at) }, agent)));
        (call, self.call(call).ringing_agent().unwrap().leg)
    }

    pub fn reached_command(&self, call: CallId) -> Command {
        Command::Reached { call, dialog: dialog(Role::Uac, &format!("lead-{call}")), observed: self.now }
    }

    pub fn not_reached(&mut self, call: CallId, failure: DialFailure) {
        let observed = self.now;
        assert_eq!(self.say(Command::NotReached { call, failure, observed }), Outcome::Done);
    }

    pub fn lead(&self, campaign: CampaignId, place: u32) -> Lead {
        (**self.shard.lead(LeadId::new(campaign, place)).expect("the row must be there")).clone()
    }

    pub fn ledger(&self, campaign: CampaignId) -> Ledger {
        (**self.shard.campaign(campaign).expect("the row must be there")).clone()
    }

    pub fn wall(&self) -> Wall {
        Wall(self.now.0 / 1000)
    }

    /// Places of a campaign's leads that are to be dialled, in order.
    pub fn due(&self, campaign: CampaignId) -> Vec<u32> {
        let zones = 0..self.ledger(campaign).zones.len() as u16;
        zones.flat_map(|zone| self.shard.due(campaign, zone)).map(|(_, lead)| lead.place()).collect()
    }

    pub fn end(&mut self, call: CallId, ended: Ended) {
        let observed = self.now;
        assert_eq!(self.say(Command::End { call, ended, observed }), Outcome::Done);
    }

    /// The owner reports every duty of that kind done.
    pub fn done(&mut self, call: CallId, kind: DutyKind) {
        let row = self.call(call);
        let duties = row.duties.iter().filter(|duty| duty.kind == kind).map(|duty| (call, duty.id)).collect();
        let owner = Proposer { node: row.owner.node, incarnation: row.owner.incarnation };
        assert_eq!(self.say_as(owner, Command::Done { duties }), Outcome::Done);
    }

    pub fn call(&self, call: CallId) -> Call {
        (**self.shard.call(call).expect("the row must be there")).clone()
    }

    pub fn agent(&self, agent: AgentId) -> Agent {
        (**self.shard.agent(agent).expect("the row must be there")).clone()
    }

    pub fn state(&self, agent: AgentId) -> AgentState {
        self.agent(agent).state
    }

    pub fn outcome(&self, call: CallId) -> strowger_model::Outcome {
        match self.call(call).stage {
            Stage::Ended { outcome, .. } => outcome,
            stage => panic!("{call} has not ended: {stage:?}"),
        }
    }

    pub fn kinds(&self, call: CallId) -> Vec<DutyKind> {
        self.call(call).duties.iter().map(|duty| duty.kind).collect()
    }

    pub fn line(&self, queue: QueueId) -> Vec<CallId> {
        self.shard.waiting(queue).map(|(_, call)| call).collect()
    }

    pub fn idle(&self, queue: QueueId) -> Vec<AgentId> {
        self.shard.idle(queue).map(|(_, agent)| agent).collect()
    }

    /// The writings of one call's record, oldest first.
    pub fn records(&self, call: CallId) -> Vec<Record> {
        self.shard.records(0).filter(|(_, record)| record.call == call).map(|(_, record)| (**record).clone()).collect()
    }
}

pub fn admit_with(number: u64, observed: LogTime) -> Command {
    Command::Admit {
        key: key(number),
        tenant: ACME,
        flow: FLOW,
        trunk: TRUNK,
        from: format!("+4930{number}"),
        to: "+49800100".into(),
        dialog: dialog(Role::Uas, &key(number).call_id),
        observed,
    }
}

pub fn answer(call: CallId) -> Command {
    Command::Answer { call, dialog: dialog(Role::Uas, &format!("caller-{call}")), relay: RELAY }
}

pub fn enqueue(call: CallId, queue: QueueId, overflow: Option<StepNo>) -> Command {
    Command::Enqueue { call, step: 1, queue, overflow }
}

pub fn not_ready(reason: &str) -> AgentState {
    AgentState::NotReady { reason: reason.into() }
}

pub fn dial(campaign: CampaignId, to: DialTo, agent: AgentId) -> Dial {
    Dial {
        campaign,
        to,
        agent,
        owner: (ONE.node, ONE.incarnation),
        destination: Far::udp(addr(10)),
        relay: RELAY,
        agent_relay: AGENT_RELAY,
        not_after: Wall(u64::MAX),
    }
}

pub fn failure(result: DialResult, status: u16, cause: Cause) -> DialFailure {
    DialFailure { result, status, cause, sip_call_id: "to-the-lead".into(), hang_up: false }
}

fn dialled(outcome: Outcome) -> CallId {
    match outcome {
        Outcome::Dialled { call } => call,
        other => panic!("not dialled: {other:?}"),
    }
}

//! A shard under test, with the short ways in which phases are told.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::config::{StepNo, Tenant};
use strowger_model::{
    AgentId, CallId, CampaignId, Cause, DialResult, Digest, Ended, Far, HangupBy, LeadId, LegKey, LegNo, LogTime,
    PlaceId, QueueId, RelayId, Role, Wall,
};
use strowger_table::{
    Admit, Agent, Applied, At, Body, Call, Command, Dial, DialFailure, DialTo, DutyKind, Lead, LeadTurn, Ledger,
    Medium, Miss, NewLead, Offer, Offered, Outcome, Place, Plan, Presence, Proposal, Proposer, Record, Refusal,
    Reserver, RowKey, Shard, SlotState, Source, Stage, Target, Then, ToldBy, VOICE_SLOT,
};

use crate::sample::*;

/// What an agent with one slot for calls is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Doing {
    LoggedOut,
    NotReady {
        reason: String,
    },
    Idle,
    Reserved {
        call: CallId,
    },
    Offered {
        call: CallId,
        leg: LegKey,
    },
    Talking {
        call: CallId,
    },
    WrapUp {
        call: CallId,
        until: LogTime,
    },
    Paused {
        until: LogTime,
    },
    /// A phone has yet to hang up.
    Releasing,
}

/// Read from the slot first, then from the presence.
pub fn doing(agent: &Agent) -> Doing {
    match agent.voice().expect("a slot for calls").state {
        SlotState::Free => match agent.presence.clone() {
            Presence::Out => Doing::LoggedOut,
            Presence::NotReady { reason } => Doing::NotReady { reason },
            Presence::Ready => Doing::Idle,
        },
        SlotState::Reserved { by: Reserver::Call(call), .. } => Doing::Reserved { call },
        SlotState::Offered(Offered::Leg { call, leg }) => Doing::Offered { call, leg },
        SlotState::Busy { call, aside: None } => Doing::Talking { call },
        SlotState::Wrap { call, until, .. } => Doing::WrapUp { call, until },
        SlotState::Paused { until } => Doing::Paused { until },
        SlotState::Releasing => Doing::Releasing,
        other => panic!("nobody does that: {other:?}"),
    }
}

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
        let command = self.paced(from, command);
        let seq = self.numbers.entry(from).or_insert(0);
        *seq += 1;
        let proposal = Proposal { from, seq: *seq, body: Body::Shard(command) };
        self.enter(proposal).outcome
    }

    /// Whoever is the first to dial for a campaign owns it; a dial without an epoch gets that of its owner.
    fn paced(&mut self, from: Proposer, mut command: Command) -> Command {
        let Command::Dial(dial) = &mut command else { return command };
        let owner = |bench: &Self, id| bench.shard.campaign(id).map(|ledger| ledger.owner);
        if matches!(dial.to, DialTo::Lead(_)) && owner(self, dial.campaign) == Some(None) {
            let assign = Command::Assign { row: RowKey::Campaign(dial.campaign), to: (from.node, from.incarnation) };
            self.enter(Proposal { from, seq: 0, body: Body::Shard(assign) });
        }
        if let (0, Some(Some(owner))) = (dial.epoch, owner(self, dial.campaign)) {
            dial.epoch = owner.epoch;
        }
        command
    }

    /// Said under no number, so that not even the answer is kept: what is refused changes nothing.
    pub fn refused_without_trace(&mut self, command: Command) -> Refusal {
        let command = self.paced(ONE, command);
        let before = self.shard.hash();
        let outcome = self.enter(Proposal { from: ONE, seq: 0, body: Body::Shard(command) }).outcome;
        assert_eq!(self.shard.hash(), before);
        outcome.refusal().expect("this must be refused")
    }

    pub fn refused(&mut self, command: Command) -> Refusal {
        self.say(command).refusal().expect("this must be refused")
    }

    pub fn enter(&mut self, proposal: Proposal) -> Applied {
        self.index += 1;
        let at = At { index: self.index, time: self.now, wall: self.wall() };
        self.log.push((at, proposal.clone()));
        let applied = self.shard.apply(at, &proposal);
        // All of it takes a while: of a long log every 16th entry is looked at.
        if self.log.len() < 500 || self.index.is_multiple_of(16) {
            assert_eq!(self.shard.check(), Ok(()), "after {:?}", proposal.body);
        }
        applied
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
        self.done(call, DutyKind::Answer { leg: first_leg(call) });
        call
    }

    pub fn waiting(&mut self, queue: QueueId) -> CallId {
        let call = self.flowing();
        assert_eq!(self.say(enqueue(call, queue, Then::End)), Outcome::Done);
        call
    }

    /// A new call, offered to this agent.
    pub fn offered(&mut self, agent: AgentId) -> (CallId, LegKey) {
        let call = self.waiting(SALES);
        let leg = self.offer(call, agent);
        (call, leg)
    }

    pub fn offer(&mut self, call: CallId, agent: AgentId) -> LegKey {
        assert_eq!(self.plan(&[(call, agent)]), 1, "the offer must be granted");
        self.ringing(call)
    }

    /// The one phone that rings for a call.
    pub fn ringing(&self, call: CallId) -> LegKey {
        let row = self.call(call);
        let [leg] = row.ringing().collect::<Vec<_>>()[..] else { panic!("one phone rings: {:?}", row.legs) };
        leg.key
    }

    pub fn place_id(&self, call: CallId) -> PlaceId {
        self.shard.place_of(call).map_or(PlaceId(call.0), |place| place.id)
    }

    pub fn place(&self, call: CallId) -> Place {
        (**self.shard.place_of(call).expect("the call has a place")).clone()
    }

    /// An offer of the place that a call has, in its queue.
    pub fn offer_of(&self, call: CallId, agent: AgentId) -> Offer {
        let queue = self.shard.place_of(call).map_or(SALES, |place| place.queue);
        Offer { place: self.place_id(call), agent, slot: VOICE_SLOT, queue, relay: RELAY, score: 0, ring_all: false }
    }

    /// Bits of the offers that were granted.
    pub fn plan(&mut self, offers: &[(CallId, AgentId)]) -> u64 {
        let offers = offers.iter().map(|&(call, agent)| self.offer_of(call, agent)).collect();
        self.planned(offers)
    }

    pub fn planned(&mut self, offers: Vec<Offer>) -> u64 {
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

    pub fn connect_command(&self, call: CallId, leg: LegKey) -> Command {
        Command::Answered { leg, dialog: dialog(Role::Uac, &format!("agent-{call}")), observed: self.now }
    }

    /// A phone that was not answered must be told to stop; one that refused need not.
    pub fn missed_command(&self, leg: LegKey, cause: Cause) -> Command {
        let hang_up = cause == Cause::NO_ANSWER;
        let miss = Miss { status: if hang_up { 408 } else { 486 }, cause, hang_up };
        Command::Missed { leg, miss, observed: self.now }
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
    pub fn asked_for(&mut self, campaign: CampaignId, at: u64, agent: AgentId) -> (CallId, LegKey) {
        let call = dialled(self.dial(dial(campaign, DialTo::Number { number: number(at) }, agent)));
        (call, self.ringing(call))
    }

    /// The leg of whom the call is for.
    pub fn customer(&self, call: CallId) -> LegKey {
        self.call(call).customer().map_or(first_leg(call), |leg| leg.key)
    }

    pub fn agent_leg(&self, call: CallId) -> LegKey {
        self.call(call).agent_leg().expect("an agent's leg").key
    }

    pub fn reached_command(&self, call: CallId) -> Command {
        let customer = self.shard.call(call).and_then(|row| row.customer().map(|leg| leg.key));
        let leg = customer.unwrap_or(first_leg(call));
        Command::Answered { leg, dialog: dialog(Role::Uac, &format!("lead-{call}")), observed: self.now }
    }

    pub fn not_reached(&mut self, call: CallId, failure: DialFailure) {
        let (leg, observed) = (self.customer(call), self.now);
        assert_eq!(self.say(Command::NotReached { leg, failure, observed }), Outcome::Done);
    }

    pub fn lead(&self, campaign: CampaignId, place: u32) -> Lead {
        (**self.shard.lead(LeadId::new(campaign, place)).expect("the row must be there")).clone()
    }

    pub fn turn(&self, campaign: CampaignId, place: u32) -> LeadTurn {
        self.shard.turn(&self.lead(campaign, place))
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

    /// The customer or the agent hangs up, or the owner ends the call.
    pub fn end(&mut self, call: CallId, ended: Ended) {
        let command = self.end_command(call, ended);
        assert_eq!(self.say(command), Outcome::Done);
    }

    pub fn end_command(&self, call: CallId, ended: Ended) -> Command {
        let (cause, told_by, observed) = (ended.cause, ToldBy::FarEnd, self.now);
        match ended.by {
            HangupBy::Caller => Command::Left { leg: self.customer(call), cause, told_by, observed },
            HangupBy::Agent => Command::Left { leg: self.agent_leg(call), cause, told_by, observed },
            HangupBy::System | HangupBy::Party => Command::End { call, ended, observed },
        }
    }

    pub fn not_ready(&mut self, agent: AgentId, reason: &str) -> Outcome {
        self.say(Command::Presence { agent, presence: Presence::NotReady { reason: reason.into() } })
    }

    pub fn ready(&mut self, agent: AgentId) -> Outcome {
        self.say(Command::Presence { agent, presence: Presence::Ready })
    }

    /// The owner reports every duty of that kind done.
    pub fn done(&mut self, call: CallId, kind: DutyKind) {
        let row = self.call(call);
        let duties = row.duties.iter().filter(|duty| duty.kind == kind).map(|duty| (call, duty.id)).collect();
        let owner = Proposer { node: row.owner.node, incarnation: row.owner.incarnation };
        assert_eq!(self.say_as(owner, Command::Done { duties }), Outcome::Done);
    }

    /// Every far end that is told to go has gone.
    pub fn hung_up(&mut self, call: CallId) {
        self.hang_ups(call).into_iter().for_each(|leg| self.done(call, DutyKind::HangUp { leg }));
    }

    pub fn call(&self, call: CallId) -> Call {
        (**self.shard.call(call).expect("the row must be there")).clone()
    }

    pub fn agent(&self, agent: AgentId) -> Agent {
        (**self.shard.agent(agent).expect("the row must be there")).clone()
    }

    pub fn state(&self, agent: AgentId) -> Doing {
        doing(&self.agent(agent))
    }

    pub fn idle_since(&self, agent: AgentId) -> LogTime {
        self.agent(agent).voice().expect("a slot for calls").idle_since
    }

    /// The step of a call that is in its flow.
    pub fn step(&self, call: CallId) -> Option<StepNo> {
        let row = self.call(call);
        row.flow.filter(|_| row.stage == Stage::Flow).map(|position| position.step)
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

    /// Legs whose far ends are still to be told.
    pub fn hang_ups(&self, call: CallId) -> Vec<LegKey> {
        let kinds = self.kinds(call).into_iter();
        kinds.filter_map(|kind| if let DutyKind::HangUp { leg } = kind { Some(leg) } else { None }).collect()
    }

    /// Ports that are still to be closed.
    pub fn closes(&self, call: CallId) -> Vec<(RelayId, LegKey)> {
        let kinds = self.kinds(call).into_iter();
        kinds
            .filter_map(|kind| if let DutyKind::Close { relay, leg } = kind { Some((relay, leg)) } else { None })
            .collect()
    }

    pub fn line(&self, queue: QueueId) -> Vec<CallId> {
        self.shard.waiting(queue).filter_map(|place| place.call).collect()
    }

    pub fn idle(&self, queue: QueueId) -> Vec<AgentId> {
        self.shard.idle(queue, Medium::Voice).map(|(_, agent, _)| agent).collect()
    }

    /// The writings of one call's record, oldest first.
    pub fn records(&self, call: CallId) -> Vec<Record> {
        self.shard.records(0).filter(|(_, record)| record.call == call).map(|(_, record)| (**record).clone()).collect()
    }
}

pub fn admit_with(number: u64, observed: LogTime) -> Command {
    Command::Admit(Box::new(Admit {
        key: key(number),
        tenant: ACME,
        source: Source::Trunk(TRUNK),
        target: Target::Flow(FLOW),
        from: format!("+4930{number}"),
        to: "+49800100".into(),
        dialog: *dialog(Role::Uas, &key(number).call_id),
        observed,
    }))
}

/// The leg that a call is born with.
pub fn first_leg(call: CallId) -> LegKey {
    LegKey { call, leg: LegNo(0) }
}

pub fn answer(call: CallId) -> Command {
    let dialog = dialog(Role::Uas, &format!("caller-{call}"));
    Command::Answer { leg: first_leg(call), dialog, relay: RELAY }
}

pub fn step(call: CallId, step: StepNo) -> Command {
    Command::Step { call, step, attempt: 0, set: Vec::new() }
}

pub fn enqueue(call: CallId, queue: QueueId, then: Then) -> Command {
    Command::Enqueue { call, step: 1, queue, then }
}

pub fn not_ready(reason: &str) -> Doing {
    Doing::NotReady { reason: reason.into() }
}

/// What is owed to a far end that does not know yet.
pub fn hang_up(leg: LegKey) -> DutyKind {
    DutyKind::HangUp { leg }
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
        epoch: 0,
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

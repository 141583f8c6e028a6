//! A node with one shard, whose clock, table and actors are what the test says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use strowger_model::config::{Flow, Number, Step, Tenant};
use strowger_model::{
    CallId, Cause, Ended, Far, FlowId, HangupBy, Incarnation, LegKey, LogNow, LogTime, Mono, NodeId, Owner, RelayId,
    ShardId, TenantId, TrunkId, Wall,
};
use strowger_sip::{Local, Message, TokenKeys};
use strowger_table::{AdmitKey, At, Body, Call, Command, Outcome, Proposal, Proposer, Shard, Touched};

use crate::{Action, Around, Destination, Door, Intake, Row, key_of};

pub const SHARD: ShardId = ShardId(0);
pub const ME: Proposer = Proposer { node: NodeId(1), incarnation: Incarnation(5) };
pub const OTHER: Proposer = Proposer { node: NodeId(2), incarnation: Incarnation(7) };
pub const THIRD: Proposer = Proposer { node: NodeId(3), incarnation: Incarnation(9) };
pub const MAX_CALLS: usize = 3;
pub const RATE: u32 = 5;
/// How exactly the node knows the log's time.
pub const DOUBT: Duration = Duration::from_micros(7);

pub struct Bench {
    pub shard: Shard,
    pub actors: BTreeSet<CallId>,
    pub relay: Option<RelayId>,
    /// The caller whom the tenant bars.
    pub barred: Option<&'static str>,
    /// The sites for which relays were asked for.
    pub sites: RefCell<Vec<String>>,
    /// What the trunk may send.
    pub door: Door,
    pub intake: Intake,
    local: Arc<Local>,
    pub now: Mono,
    /// The calendar's time of entries.
    pub wall: Wall,
    index: u64,
    /// By the last entry.
    pub touched: Touched,
    /// A replica that lags shows the table as it was at this entry.
    pub lags_at: Cell<Option<u64>>,
}

impl Bench {
    pub fn new() -> Self {
        let now = Mono::from_millis(10_000);
        let mut bench = Self {
            shard: Shard::new(SHARD),
            actors: BTreeSet::new(),
            relay: Some(RelayId(1)),
            barred: None,
            sites: RefCell::default(),
            door: Door { trunk: TrunkId(1), site: String::new(), max_calls: 100, max_calls_per_second: 100 },
            intake: Intake::new(MAX_CALLS, RATE, now),
            local: Arc::new(Local {
                contact_host: "192.0.2.1:5060".into(),
                user_agent: String::new(),
                tokens: tokens(),
            }),
            now,
            wall: Wall(0),
            index: 0,
            touched: Touched::Few(Vec::new()),
            lags_at: Cell::new(None),
        };
        for command in Command::configuring(1, &tenant()) {
            bench.commit(ME, command);
        }
        bench
    }

    /// An entry, of which the intake hears nothing yet.
    pub fn commit(&mut self, by: Proposer, command: Command) -> Outcome {
        self.index += 1;
        let at = At { index: self.index, time: LogTime(self.now.0), wall: self.wall };
        let applied = self.shard.apply(at, &Proposal { from: by, seq: 0, body: Body::Shard(command) });
        self.touched = applied.touched;
        applied.outcome
    }

    /// What the intake says to one event.
    pub fn on(&mut self, event: impl FnOnce(&mut Intake, &Self) -> Vec<Action>) -> Vec<Action> {
        let mut intake = std::mem::replace(&mut self.intake, Intake::new(0, 0, self.now));
        let actions = event(&mut intake, self);
        self.intake = intake;
        actions
    }

    pub fn applied(&mut self, touched: &[CallId]) -> Vec<Action> {
        let applied = self.applied_here();
        self.on(|intake, around| intake.applied(SHARD, applied, touched.iter().copied(), around))
    }

    pub fn invites(&mut self, call_id: &str) -> Vec<Action> {
        let invite = invite(call_id);
        self.on(|intake, around| intake.invite(invite, trunk(), around))
    }

    pub fn tick_after(&mut self, wait: Duration) -> Vec<Action> {
        self.now = self.now + wait;
        self.on(|intake, around| intake.tick(around))
    }

    /// A call that `owner` has admitted; no actor.
    pub fn call_of(&mut self, owner: Proposer, call_id: &str) -> CallId {
        let admit = self.admit(call_id);
        match self.commit(owner, admit) {
            Outcome::Admitted { call, .. } => call,
            other => panic!("not admitted: {other:?}"),
        }
    }

    pub fn admit(&mut self, call_id: &str) -> Command {
        let mut fresh = Intake::new(1000, 1000, self.now);
        let said = fresh.invite(invite(call_id), trunk(), self);
        match said.into_iter().next() {
            Some(Action::Admit { command, .. }) => *command,
            other => panic!("no Admit but {other:?}"),
        }
    }

    pub fn adopted(&mut self, from: Proposer, heir: Proposer) {
        let heirs = vec![(heir.node, heir.incarnation)];
        self.commit(heir, Command::Adopt { node: from.node, incarnation: from.incarnation, heirs });
    }

    pub fn ended(&mut self, owner: Proposer, call: CallId) {
        let ended = Ended { by: HangupBy::Caller, cause: Cause::NORMAL };
        self.commit(owner, Command::End { call, ended, observed: LogTime(self.now.0) });
        let duties = self.shard.call(call).map(|row| row.duties.iter().map(|duty| (call, duty.id)).collect());
        self.commit(owner, Command::Done { duties: duties.unwrap_or_default() });
    }

    fn applied_here(&self) -> u64 {
        self.lags_at.get().unwrap_or(self.index)
    }

    fn shown(&self, row: &Arc<Call>) -> Option<Arc<Call>> {
        (row.id.index() <= self.applied_here()).then(|| row.clone())
    }
}

impl Around for Bench {
    fn now(&self) -> Mono {
        self.now
    }

    fn log_now(&self, _: ShardId) -> LogNow {
        LogNow { at_least: LogTime(self.now.0), at_most: LogTime(self.now.0) + DOUBT }
    }

    fn local(&self) -> Arc<Local> {
        self.local.clone()
    }

    fn owns(&self, owner: Owner) -> bool {
        (owner.node, owner.incarnation) == (ME.node, ME.incarnation)
    }

    fn row(&self, leg: LegKey) -> Row {
        if leg.call.shard() != SHARD {
            return Row::NoShard;
        }
        match self.shard.row_of_leg(leg).and_then(|row| self.shown(row)) {
            Some(row) => Row::Here(row),
            None if leg.call.index() > self.applied_here() => Row::NotYet,
            None => Row::Gone,
        }
    }

    fn row_by_key(&self, _: ShardId, key: &AdmitKey) -> Option<Arc<Call>> {
        self.shard.call_by_key(key).and_then(|row| self.shown(row))
    }

    fn has_actor(&self, call: CallId) -> bool {
        self.actors.contains(&call)
    }

    fn calls(&self) -> usize {
        self.actors.len()
    }

    fn lines(&self, trunk: TrunkId) -> usize {
        self.shard.lines(trunk)
    }

    fn number(&self, number: &str) -> Option<Destination> {
        (number == "100").then_some(Destination { tenant: TenantId(1), flow: FlowId(1), shard: SHARD })
    }

    fn door(&self, source: Far) -> Option<Door> {
        (source.addr == trunk().addr).then(|| self.door.clone())
    }

    fn is_unwanted(&self, to: Destination, from: &str) -> bool {
        to.tenant == TenantId(1) && self.barred == Some(from)
    }

    fn relay(&self, shard: ShardId, site: &str) -> Option<RelayId> {
        self.sites.borrow_mut().push(site.to_owned());
        self.relay.filter(|_| shard == SHARD)
    }
}

/// One word for each action: what was done, and the status of what was sent.
pub fn words(actions: &[Action]) -> Vec<String> {
    let word = |action: &Action| match action {
        Action::Tell { call, message, .. } => format!("tell {} {}", call.index(), message.method()),
        Action::Forward { to, message, .. } => format!("forward {} {}", to.0, message.method()),
        Action::Send { bytes, .. } => {
            let line = String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned();
            line.split(' ').take(2).collect::<Vec<_>>().join(" ").replace("SIP/2.0 ", "")
        }
        Action::Admit { .. } => "admit".to_owned(),
        Action::Withdraw { .. } => "withdraw".to_owned(),
        Action::Count(count) => format!("{count:?}"),
    };
    actions.iter().map(word).collect()
}

pub fn leg(call: CallId) -> LegKey {
    LegKey { call, leg: strowger_model::LegNo(0) }
}

pub fn for_leg(bench: &mut Bench, method: &str, call: CallId, source: Far) -> Vec<String> {
    let message = within(method, call);
    words(&bench.on(|intake, around| intake.for_leg(leg(call), message, source, around)))
}

pub fn forwarded(bench: &mut Bench, message: Message, source: Far) -> Vec<String> {
    words(&bench.on(|intake, around| intake.forwarded(message, source, around)))
}

pub fn cancels(bench: &mut Bench, call_id: &str) -> Vec<String> {
    let message = cancel(call_id);
    words(&bench.on(|intake, around| intake.cancel(message, trunk(), around)))
}

/// The index that the next entry will have.
pub fn next_call(bench: &Bench) -> CallId {
    CallId::new(SHARD, bench.shard.last().index + 1)
}

pub fn tenant() -> Tenant {
    Tenant {
        id: TenantId(1),
        name: "acme".into(),
        realm: "acme.example".into(),
        shard: SHARD,
        numbers: vec![Number { number: "100".into(), flow: FlowId(1) }],
        flows: vec![Flow { id: FlowId(1), name: "day".into(), steps: vec![Step::HangUp] }],
        queues: Vec::new(),
        campaigns: Vec::new(),
        takes_anonymous: true,
        offers_sha256: false,
        agents: Vec::new(),
    }
}

pub fn tokens() -> TokenKeys {
    TokenKeys::new(&[7; 32], &[])
}

pub fn trunk() -> Far {
    Far::udp(([192, 0, 2, 10], 5060))
}

pub fn over_tcp() -> Far {
    Far::tcp(([192, 0, 2, 10], 5060))
}

pub fn invite(call_id: &str) -> Message {
    request("INVITE", call_id, "", "")
}

pub fn cancel(call_id: &str) -> Message {
    request("CANCEL", call_id, "", "")
}

/// In the dialog of a call's first leg.
pub fn within(method: &str, call: CallId) -> Message {
    request(method, "x", &format!(";tag={}", tokens().tag(leg(call), 0)), "")
}

/// In a dialog whose tag is nobody's of ours, by the key of its INVITE.
pub fn request(method: &str, call_id: &str, to_tag: &str, extra: &str) -> Message {
    let text = format!(
        "{method} sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{call_id}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:555@192.0.2.10>;tag=far\r\nTo: <sip:100@192.0.2.1>{to_tag}\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 {method}\r\nContact: <sip:555@192.0.2.10>\r\n{extra}Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes()).unwrap()
}

pub fn key(call_id: &str) -> AdmitKey {
    key_of(&invite(call_id))
}

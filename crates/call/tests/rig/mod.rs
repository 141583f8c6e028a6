//! One call between the real table, far ends that speak text, and relays; its owners come and go, time is told.
//! What rows, commands and orders to relays look like is known here and in `names` and `relay`, in no scenario.

pub mod far;
mod log;
pub mod names;
mod others;
pub mod relay;
pub mod sample;
pub mod script;
mod steps;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use strowger_call::{Action, Actions, Answer, Event, Machine, MediaFact, Rows, Setting};
use strowger_model::{CallId, Far, LegKey, LegNo, LogNow, LogTime, Mono, RelayId};
use strowger_sip::{Leg, Local, Message, TokenKeys};
use strowger_table::{Admit, AdmitKey, Call, Command, Shard, Source, Target};

use far::FarEnd;
use log::Held;
use names::Names;
use relay::Relays;

/// Log time at the beginning of a scenario: never the same number as a node's own clock.
const LOG_BEGINS: Duration = Duration::from_secs(3000);
const RELAY: RelayId = RelayId(1);
/// The node that leads the shard; it drives no call.
const LEADER: u16 = 9;

/// What a machine will be told, in this order.
enum News {
    Row,
    Proposed { number: u64, answer: Answer },
    Media(MediaFact),
}

pub struct World {
    shard: Shard,
    now: Mono,
    /// By how much the log's clock has gone on while this node's stood still.
    ahead: Duration,
    /// By how much this node's clock may be ahead of the log's, as far as it knows.
    doubt: Duration,
    /// Each node's proposals so far.
    said: BTreeMap<u16, u64>,
    /// Who drives the call, by node; a node that was cut off may still have a machine.
    machines: BTreeMap<u16, Machine>,
    owner: u16,
    call: Option<CallId>,
    /// An INVITE whose `Admit` is under way.
    invite: Option<(Message, Far)>,
    fars: BTreeMap<&'static str, FarEnd>,
    relays: Relays,
    names: Names,
    /// First words of proposals that wait for `commit`.
    holds: Vec<String>,
    held: VecDeque<Held>,
    news: VecDeque<(u16, News)>,
    leader_away: bool,
    /// What is performed does not come to the log: its owner dies before.
    loses_reports: bool,
    records: u64,
    log: Vec<String>,
}

impl World {
    pub fn new() -> Self {
        let mut world = Self {
            shard: Shard::new(sample::SHARD),
            now: Mono::ZERO,
            ahead: Duration::ZERO,
            doubt: Duration::ZERO,
            said: BTreeMap::new(),
            machines: BTreeMap::new(),
            owner: 1,
            call: None,
            invite: None,
            fars: ["caller", "party", "anna", "bert", "nora"].map(|name| (name, FarEnd::new(name))).into(),
            relays: Relays::default(),
            names: Names::default(),
            holds: Vec::new(),
            held: VecDeque::new(),
            news: VecDeque::new(),
            leader_away: false,
            loses_reports: false,
            records: 0,
            log: Vec::new(),
        };
        Command::configuring(1, &sample::tenant()).into_iter().for_each(|command| drop(world.apply(LEADER, command)));
        world
    }

    fn log_now(&self) -> LogTime {
        LogTime(self.now.0) + LOG_BEGINS + self.ahead
    }

    /// The same, as this node knows it.
    fn known(&self) -> LogNow {
        let at_least = self.log_now();
        LogNow { at_least, at_most: at_least + self.doubt }
    }

    fn note(&mut self, line: &str) {
        self.log.push(format!("{:>6}  {line}", self.now.0 / 1000));
    }

    /// A line of a machine; of one that is no owner any more it says so.
    fn note_of(&mut self, node: u16, line: &str) {
        if node == self.owner || node == LEADER { self.note(line) } else { self.note(&format!("(node {node}) {line}")) }
    }

    fn row(&self) -> Option<Arc<Call>> {
        self.shard.call(self.call?).cloned()
    }

    fn rows(&self) -> Option<Rows> {
        Rows::of(&self.shard, self.call?)
    }

    /// `leg-1` of the call.
    fn leg(&self, word: &str) -> LegKey {
        let no = word.strip_prefix("leg-").and_then(|no| no.parse().ok()).unwrap_or_else(|| panic!("no leg: {word}"));
        LegKey { call: self.call.expect("there is a call"), leg: LegNo(no) }
    }

    /// A message of a far end finds its leg as the edge finds it.
    fn hear(&mut self, node: u16, source: Far, text: &str) {
        let mut message = Message::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{fault}: {text}"));
        message.fill_received(source.addr);
        let named = local().tokens.leg_of(&message).or(self.call.map(|call| LegKey { call, leg: LegNo(0) }));
        let Some(leg) = named else { return self.admit(message, source) };
        let event = Event::Message { leg, message: &message, source };
        let (log_now, now) = (self.known(), self.now);
        match self.machines.get_mut(&node) {
            Some(machine) => {
                let actions = machine.on(event, log_now, now);
                self.perform(node, actions);
            }
            None => self.note("nobody is there for it"),
        }
    }

    fn admit(&mut self, message: Message, source: Far) {
        if message.method() != "INVITE" || self.invite.is_some() {
            return self.note("nobody is there for it");
        }
        let unborn = LegKey { call: CallId::new(sample::SHARD, 0), leg: LegNo(0) };
        let key = AdmitKey {
            call_id: message.call_id().to_owned(),
            from_tag: message.from_tag().to_owned(),
            cseq: message.cseq(),
        };
        let command = Command::Admit(Box::new(Admit {
            key,
            tenant: sample::ACME,
            source: Source::Trunk(sample::TRUNK),
            target: Target::Flow(sample::flow(message.called_number()).expect("a published number")),
            from: message.calling_number().to_owned(),
            to: message.called_number().to_owned(),
            dialog: Leg::incoming(unborn, &message, source, &local()).dialog(),
            observed: self.log_now(),
        }));
        self.invite = Some((message, source));
        self.propose(self.owner, 0, command);
    }

    fn perform(&mut self, node: u16, actions: Actions) {
        for action in actions {
            match action {
                Action::Send { to, bytes } => self.send(node, to, &bytes),
                Action::Propose { number, command } => self.propose(node, number, *command),
                Action::Done { duty } => {
                    let call = self.machines[&node].id();
                    let words = names::duty(self.machines[&node].row(), duty);
                    if self.loses_reports {
                        self.note_of(node, &format!("done: {words}: lost"));
                        continue;
                    }
                    self.note_of(node, &format!("done: {words}"));
                    self.apply(node, Command::Done { duties: vec![(call, duty)] });
                    self.news.push_back((self.owner, News::Row));
                }
                Action::Media { relay, call, op } => {
                    let words = relay::words(&op, &mut self.names);
                    self.note_of(node, &format!("{relay}: {words}"));
                    self.relays.now = self.now;
                    let facts = self.relays.order(relay, call, &op);
                    self.news.extend(facts.into_iter().map(|fact| (node, News::Media(fact))));
                }
                Action::HandOn { leg, message, .. } => {
                    self.note_of(node, &format!("{} of {} is handed on", message.method(), leg.leg));
                }
                Action::Stop => {
                    self.note_of(node, "the machine stops");
                    self.machines.remove(&node);
                    return;
                }
            }
        }
    }

    fn send(&mut self, node: u16, to: Far, bytes: &[u8]) {
        let message = Message::parse(bytes).unwrap_or_else(|fault| panic!("we sent what is no SIP: {fault}"));
        self.check_sent(&message);
        let name = self.fars.iter().find(|(_, far)| far.far().addr == to.addr).map(|(name, _)| *name);
        let name = name.unwrap_or_else(|| panic!("nobody is at {to:?}"));
        let words = self.names.message(name, bytes, &message);
        self.note_of(node, &format!("{name} <- {words}"));
        self.fars.get_mut(name).expect("it was found").hear(&message);
    }

    /// What holds for all that we send, and what no log shows.
    fn check_sent(&self, message: &Message) {
        let call = self.call.expect("it is of a call");
        let key = local().tokens.of_tag(if message.is_request() { message.from_tag() } else { message.to_tag() });
        let text = String::from_utf8_lossy(message.body());
        if let Some(origin) = text.lines().find_map(|line| line.strip_prefix("o=")) {
            let session = origin.split(' ').nth(1);
            let birth = key.map_or(call, |key| key.call);
            assert_eq!(session, Some(&*birth.0.to_string()), "a description is of the call's session (RFC 4566, 5.2)");
        }
        if message.method() == "INVITE" && message.to_tag().is_empty() {
            let is_agents =
                self.row().zip(key).is_some_and(|(row, key)| row.leg(key).is_some_and(|leg| leg.agent().is_some()));
            let named = is_agents.then(|| call.to_string());
            assert_eq!(
                message.header("X-Strowger-Call"),
                named.as_deref(),
                "agents' phones are told which call it is, carriers are not"
            );
        }
    }

    /// Until nobody has anything more to say at this moment.
    fn settle(&mut self) {
        while let Some((node, news)) = self.news.pop_front() {
            let (log_now, now) = (self.known(), self.now);
            let rows = self.rows();
            let Some(machine) = self.machines.get_mut(&node) else { continue };
            let event = match news {
                News::Row => {
                    let Some(rows) = rows.filter(|_| node == self.owner) else { continue };
                    let tenant = self.shard.tenant(rows.call.tenant);
                    Event::Row { rows, tenant }
                }
                News::Proposed { number, answer } => Event::Proposed { number, answer },
                News::Media(fact) => Event::Media(fact),
            };
            let actions = machine.on(event, log_now, now);
            self.perform(node, actions);
        }
    }

    /// Time passes; every timer fires when it is due, and the leader ends what is past its lease.
    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let timers = self.machines.values().filter_map(Machine::deadline);
            let lease =
                self.shard.next_lease().filter(|_| !self.leader_away).map(|at| Mono((at - LOG_BEGINS - self.ahead).0));
            let Some(at) = timers.chain(lease).min().filter(|at| *at <= end) else { break };
            self.now = at.max(self.now);
            let due: Vec<u16> =
                self.machines.iter().filter(|(_, machine)| is_due(machine, at)).map(|(no, _)| *no).collect();
            for node in due {
                let (log_now, now) = (self.known(), self.now);
                let Some(machine) = self.machines.get_mut(&node) else { continue };
                let actions = machine.on(Event::Tick, log_now, now);
                let later = machine.deadline();
                assert!(
                    later.is_none_or(|next| next > now),
                    "a timer fires and does not move on: {later:?} at {now:?}"
                );
                self.perform(node, actions);
                self.settle();
            }
            self.expire();
        }
        self.now = end;
    }

    /// What a scenario leaves behind.
    pub fn what_is_left(&self) -> Vec<String> {
        let machines = self.machines.keys().map(|node| format!("the machine of node {node}"));
        let ports = self.relays.left_open().into_iter().map(|port| format!("open {port}"));
        let held = self.held.iter().map(|held| format!("on its way: {}", names::command(&held.command)));
        let duties = self.row().map(|row| row.duties.len()).filter(|open| *open > 0);
        let left: Vec<String> =
            machines.chain(ports).chain(held).chain(duties.map(|open| format!("duties: {open}"))).collect();
        if left.is_empty() { vec!["nothing".into()] } else { left }
    }
}

fn is_due(machine: &Machine, at: Mono) -> bool {
    machine.deadline().is_some_and(|deadline| deadline <= at)
}

fn local() -> Local {
    let tokens = TokenKeys::new(&[7; 32], &[]);
    Local { contact_host: far::HOST.into(), user_agent: String::new(), tokens }
}

fn setting(relay: RelayId) -> Setting {
    Setting { local: local(), relay }
}

/// `relay-2` as scripts write it.
fn relay(word: Option<&&str>) -> RelayId {
    let no = word.and_then(|word| word.strip_prefix("relay-")).and_then(|no| no.parse().ok());
    no.map_or(RELAY, RelayId)
}

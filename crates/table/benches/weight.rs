//! What a call weighs: time of `apply`, bytes of its entries, bytes of its row while it lives and after, time of a snapshot.
//! Whole calls among tens of thousands of rows that linger.
//!
//! `cargo bench -p strowger-table --bench weight`
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use strowger_model::config::{Agent, Flow, Number, Phone, Queue, Step, Strategy, Tenant};
use strowger_model::{
    AgentId, CallId, Cause, Dialog, DialogState, Digest, Far, FlowId, Incarnation, LegKey, LogTime, NodeId,
    PendingInvite, QueueId, RelayId, Role, ShardId, TenantId, TrunkId, Wall,
};
use strowger_table::{
    Admit, AdmitKey, Applied, At, Body, Change, Command, Offer, Outcome, Plan, Proposal, Proposer, Shard, Source,
    Target, Then, ToldBy, VOICE_SLOT, Value, Written, limit,
};

// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CALLS: u64 = 40_000;
/// The first of them fill the table and are not counted.
const WARM: u64 = 34_000;
/// 500 calls a second.
const APART: Duration = Duration::from_millis(2);
const AGENTS: u32 = 200;
/// Bytes of a field of data, and how many fields make the most that a call may have.
const FIELD: usize = 128;
const FIELDS: usize = limit::DATA / FIELD;
const QUEUE: QueueId = QueueId(1);
const OWNER: Proposer = Proposer { node: NodeId(1), incarnation: Incarnation(1) };

struct Bench {
    shard: Shard,
    index: u64,
    now: LogTime,
    seq: u64,
    /// Of the last call.
    no: u64,
    agents: u32,
    /// What each call's flow learns.
    fields: usize,
    counted: bool,
    /// Entries, time and bytes by kind.
    kinds: BTreeMap<&'static str, (u64, Duration, usize)>,
}

impl Bench {
    fn say(&mut self, kind: &'static str, command: Command) -> Outcome {
        self.index += 1;
        self.seq += 1;
        let at = At { index: self.index, time: self.now, wall: Wall(self.now.0 / 1000) };
        let proposal = Proposal { from: OWNER, seq: self.seq, body: Body::Shard(command) };
        let bytes = proposal.to_bytes(self.shard.layout()).expect("a known layout").len();
        let begun = Instant::now();
        let Applied { outcome, .. } = self.shard.apply(at, &proposal);
        let took = begun.elapsed();
        assert_eq!(outcome.refusal(), None, "{kind}");
        if self.counted {
            let sum = self.kinds.entry(kind).or_default();
            *sum = (sum.0 + 1, sum.1 + took, sum.2 + bytes);
        }
        outcome
    }

    fn configure(&mut self, version: u64) {
        for command in Command::configuring(version, &tenant(self.agents)) {
            self.say("Configure", command);
        }
    }

    fn expire_all(&mut self) {
        while self.shard.next_lease().is_some_and(|due| due <= self.now) {
            self.say("Expire", Command::Expire);
        }
    }

    fn waiting(&mut self) -> CallId {
        self.no += 1;
        let no = self.no;
        let key = AdmitKey { call_id: format!("{no:016x}@carrier.example"), from_tag: format!("{no:x}"), cseq: 1 };
        let admit = Command::Admit(Box::new(Admit {
            key,
            tenant: TenantId(1),
            source: Source::Trunk(TrunkId(1)),
            target: Target::Flow(FlowId(1)),
            from: "+4930123456".into(),
            to: "+49800100".into(),
            dialog: *dialog(Role::Uas, no),
            observed: self.now,
        }));
        let Outcome::Admitted { call, .. } = self.say("Admit", admit) else { panic!("admitted") };
        let leg = self.customer(call);
        self.say("Answer", Command::Answer { leg, dialog: dialog(Role::Uas, no), relay: RelayId(1) });
        self.done(call);
        self.say("Step", Command::Step { call, step: 1, attempt: 0, set: learnt(self.fields) });
        self.say("Enqueue", Command::Enqueue { call, step: 1, queue: QUEUE, then: Then::End });
        call
    }

    fn customer(&self, call: CallId) -> LegKey {
        self.shard.call(call).expect("its row").customer().expect("its leg").key
    }

    fn talking(&mut self) -> CallId {
        let call = self.waiting();
        let no = self.no;
        let agent = AgentId(1 + (no % u64::from(self.agents)) as u32);
        let place = self.shard.place_of(call).expect("its place").id;
        let relay = RelayId(1);
        let offer = Offer { place, agent, slot: VOICE_SLOT, queue: QUEUE, relay, score: 0, ring_all: false };
        self.say("Plan", Command::Plan(Plan { basis: 0, offers: vec![offer] }));
        let leg = self.shard.call(call).expect("its row").ringing().next().expect("granted").key;
        self.say("Answered", Command::Answered { leg, dialog: dialog(Role::Uac, no), observed: self.now });
        call
    }

    fn over(&mut self, call: CallId) {
        let leg = self.customer(call);
        let left = Command::Left { leg, cause: Cause::NORMAL, told_by: ToldBy::FarEnd, observed: self.now };
        self.say("Left", left);
        self.done(call);
    }

    fn done(&mut self, call: CallId) {
        let duties = self.shard.call(call).expect("its row").duties.iter().map(|duty| (call, duty.id)).collect();
        self.say("Done", Command::Done { duties });
    }
}

fn main() {
    state(&mut calls(0));
    // What a flow learnt of a call weighs in the entry that says it, and in its row until that goes.
    calls(FIELDS);
}

/// Calls one after the other, each with so many fields of data: what one costs. The table is left with what lingers.
fn calls(fields: usize) -> Bench {
    let mut bench = Bench {
        shard: Shard::new(ShardId(0)),
        index: 0,
        now: LogTime::from_millis(1000),
        seq: 0,
        no: 0,
        agents: AGENTS,
        fields,
        counted: false,
        kinds: BTreeMap::new(),
    };
    bench.configure(1);
    while bench.no < CALLS {
        bench.counted = bench.no >= WARM;
        bench.now = bench.now + APART;
        let call = bench.talking();
        bench.over(call);
        if bench.no.is_multiple_of(10) {
            bench.say("Expire", Command::Expire);
        }
    }
    bench.counted = false;
    let calls = CALLS - WARM;
    let (mut micros, mut bytes) = (0.0, 0);
    println!("a call with {} bytes of data", fields * FIELD);
    for (kind, (entries, took, size)) in &bench.kinds {
        let each = took.as_secs_f64() * 1e6 / *entries as f64;
        println!("{kind:>10}: {each:6.2} µs, {:5} bytes", size / *entries as usize);
        micros += took.as_secs_f64() * 1e6;
        bytes += size;
    }
    println!(
        "a call: {:.1} µs of apply, {} bytes of log, {} rows linger",
        micros / calls as f64,
        bytes as u64 / calls,
        bench.shard.busy().calls
    );
    bench
}

/// Bytes of a row by what a snapshot grows, and shrinks when rows go; and how long a snapshot takes of a table as it is
/// at 500 calls a second.
fn state(bench: &mut Bench) {
    const LIVE: usize = 1000;
    // Each of them has an agent.
    bench.agents = LIVE as u32;
    bench.configure(2);
    let size = |bench: &Bench| bench.shard.snapshot().len();
    let each = |more: usize, less: usize, rows: usize| more.saturating_sub(less) / rows;
    let before = size(bench);
    let calls: Vec<_> = (0..LIVE).map(|_| bench.talking()).collect();
    let begun = Instant::now();
    let live = size(bench);
    let took = begun.elapsed();
    let ended = bench.shard.busy().calls - LIVE;
    println!("snapshot: {} ms, {} MB, of {LIVE} live calls and {ended} ended ones", took.as_millis(), live / 1_000_000);
    calls.into_iter().for_each(|call| bench.over(call));
    let over = size(bench);
    println!(
        "state: {} bytes a talking call, {} an ended one with its record and what was answered",
        each(live, before, LIVE),
        each(over, before, LIVE)
    );
    // Records and answers stay when rows go.
    let rows = bench.shard.busy().calls;
    bench.now = bench.now + limit::ENDED_LINGER;
    bench.expire_all();
    assert_eq!(bench.shard.busy().calls, 0, "every row has gone");
    println!("state: {} bytes the row of an ended call alone, with its dialogs", each(over, size(bench), rows));
}

fn dialog(role: Role, no: u64) -> Box<Dialog> {
    let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
        m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
    let via = vec!["SIP/2.0/UDP 192.0.2.200:5060;branch=z9hG4bK776asdhds;received=192.0.2.200;rport=5060".to_owned()];
    let pending = match role {
        Role::Uas => PendingInvite::Server { cseq: 1, via, record_route: vec![], status: 200 },
        Role::Uac => {
            PendingInvite::Client { request: vec![b'x'; 900], destination: Far::udp(([192, 0, 2, 200], 5060)) }
        }
    };
    Box::new(Dialog {
        role,
        state: DialogState::Confirmed,
        call_id: format!("{no:016x}@carrier.example"),
        local_uri: "sip:+49800100@acme.example".into(),
        local_tag: "0123456789abcdef".into(),
        remote_uri: "sip:+4930123456@carrier.example".into(),
        remote_tag: "fedcba9876543210".into(),
        local_contact: "sip:0123456789abcdef01234567@192.0.2.100:5060".into(),
        remote_target: "sip:+4930123456@192.0.2.200:5060".into(),
        route_set: vec!["<sip:edge.example;lr>".into()],
        local_cseq: 1,
        remote_cseq: 1,
        far: Far::udp(([192, 0, 2, 200], 5060)),
        local_sdp: sdp.into(),
        remote_sdp: sdp.into(),
        sdp_version: 1,
        pending: Some(pending),
    })
}

/// Fields of `FIELD` bytes, name and text.
fn learnt(fields: usize) -> Vec<Change> {
    let field = |no: usize| {
        let name = format!("field {no:02}");
        let text = "x".repeat(FIELD - name.len());
        Change { name, value: Some(Value::Text(text)) }
    };
    (0..fields).map(field).collect()
}

fn tenant(agents: u32) -> Tenant {
    let agent = |no: u32| Agent {
        id: AgentId(no),
        name: format!("agent{no}"),
        queues: vec![QUEUE],
        phone: Phone::Static { uri: format!("sip:{no}@192.0.2.20"), far: Far::udp(([192, 0, 2, 20], 5060)) },
        ready_at_login: true,
        site: String::new(),
    };
    Tenant {
        id: TenantId(1),
        name: "acme".into(),
        realm: "acme.example".into(),
        shard: ShardId(0),
        numbers: vec![Number { number: "+49800100".into(), flow: FlowId(1) }],
        flows: vec![Flow {
            id: FlowId(1),
            name: "main".into(),
            steps: vec![Step::HangUp, Step::Enqueue { queue: QUEUE, overflow: None }],
        }],
        queues: vec![Queue {
            id: QUEUE,
            name: "sales".into(),
            strategy: Strategy::LongestIdle,
            music: Digest([7; 32]),
            ring_timeout_ms: 15_000,
            wrap_up_ms: 0,
            max_misses: 0,
            miss_pause_ms: 0,
            max_waiting: 1000,
            max_wait_ms: 600_000,
            service_level_ms: 20_000,
        }],
        agents: (1..=agents).map(agent).collect(),
        campaigns: Vec::new(),
        takes_anonymous: true,
        offers_sha256: false,
    }
}

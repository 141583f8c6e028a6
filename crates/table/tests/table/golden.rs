//! The bytes of every command, pinned. A log written by one version is applied by the next: a layout that changes
//! unnoticed would make replicas of two versions disagree.

use std::fmt::Write;

use strowger_model::config::NextIds;
use strowger_model::{
    AgentId, CallId, Cause, DialResult, Digest, Ended, HangupBy, Incarnation, Instance, LeadId, LegKey, LegNo, LogTime,
    NodeId, PlaceId, Role,
};
use strowger_table::layout::{FIRST, HEADER_BYTES};
use strowger_table::{
    ActResult, BarList, Body, Change, Command, ControlCommand, DialFailure, DialTo, Miss, NewLead, Offer, Part, Plan,
    Presence, Proposal, RowKey, Scope, TenantRef, Then, ToldBy, VOICE_SLOT, Value, Written,
};

use crate::bench::{admit_with, answer, dial, enqueue, step};
use crate::sample::*;

const CALL: CallId = CallId(0x0003_0000_0000_0011);
const LEG: LegKey = LegKey { call: CALL, leg: LegNo(2) };
const PLACE: PlaceId = PlaceId(0x0003_0000_0000_0012);
const OBSERVED: LogTime = LogTime(1_234_567);

fn beginnings() -> Vec<Command> {
    vec![
        Command::Tick,
        Command::Expire,
        Command::Part(Box::new(Part { tenant: ACME, digest: Digest([5; 32]), no: 1, of: 2, bytes: vec![1, 2, 3] })),
        Command::Configure { version: 7, tenant: ACME, digest: Digest([5; 32]) },
        Command::Retire { version: 7, tenant: ACME },
        admit_with(1, OBSERVED),
        Command::Withdraw { key: key(1) },
        answer(CALL),
        Command::Step {
            call: CALL,
            step: 3,
            attempt: 1,
            set: vec![Change { name: "language".into(), value: Some(Value::Text("de".into())) }],
        },
        enqueue(CALL, SALES, Then::Step(2)),
        Command::Plan(Plan {
            basis: 99,
            offers: vec![Offer {
                place: PLACE,
                agent: ANNA,
                slot: VOICE_SLOT,
                queue: SALES,
                relay: RELAY,
                score: 5,
                ring_all: false,
            }],
        }),
    ]
}

fn rest() -> Vec<Command> {
    vec![
        Command::Missed {
            leg: LEG,
            miss: Miss { status: 486, cause: Cause::BUSY, hang_up: false },
            observed: OBSERVED,
        },
        Command::Answered { leg: LEG, dialog: dialog(Role::Uac, "agent"), observed: OBSERVED },
        Command::Accept { leg: LEG, observed: OBSERVED },
        Command::Left { leg: LEG, cause: Cause::NORMAL, told_by: ToldBy::FarEnd, observed: OBSERVED },
        Command::Redialog { leg: LEG, dialog: dialog(Role::Uac, "agent"), relay: Some(RELAY), holds: true },
        Command::Rehome { legs: vec![(LEG, RELAY)] },
        Command::Merge { from: CALL, into: CallId(17), by: LEG, cseq: 4 },
        Command::Split { leg: LEG },
        Command::End { call: CALL, ended: Ended { by: HangupBy::System, cause: Cause::NORMAL }, observed: OBSERVED },
        Command::Done { duties: vec![(CALL, 4)] },
        Command::Bind { agent: CARL, binding: phone(50, OBSERVED) },
        Command::Unbind { agent: CARL, instance: Some(Instance(50)) },
        Command::Presence { agent: ANNA, presence: Presence::NotReady { reason: "lunch".into() } },
        Command::Assign { row: RowKey::Agent(ANNA), to: (NodeId(2), Incarnation(11)) },
        Command::Retake { row: RowKey::Call(CALL) },
        Command::Raise { layout: 2, members: vec![(NodeId(1), 2), (NodeId(2), 3)] },
        Command::Dispose { agent: AgentId(1), call: CALL, code: "sold".into() },
        Command::Adopt { node: NodeId(1), incarnation: Incarnation(10), heirs: vec![(NodeId(2), Incarnation(11))] },
    ]
}

fn outbound() -> Vec<Command> {
    let failure = DialFailure {
        result: DialResult::Busy,
        status: 486,
        cause: Cause::BUSY,
        sip_call_id: "lead".into(),
        hang_up: false,
    };
    let leads = vec![NewLead { number: number(1), zone: "Europe/London".into(), line: 7 }];
    vec![
        Command::Dial(Box::new(dial(SPRING, DialTo::Lead(LeadId::new(SPRING, 0)), ANNA))),
        Command::NotReached { leg: LEG, failure, observed: OBSERVED },
        Command::Import { campaign: SPRING, batch: Digest([5; 32]), leads },
        Command::Run { campaign: SPRING, running: true },
        Command::Bar { list: BarList::DoNotCall, scope: Scope::Tenant(ACME), numbers: vec![number(1)], lift: false },
    ]
}

fn controls() -> Vec<ControlCommand> {
    let (voter, node, incarnation) = (NodeId(1), NodeId(2), Incarnation(10));
    vec![
        ControlCommand::Tick,
        ControlCommand::Found { voters: vec![voter, node], shards: 4 },
        ControlCommand::Hello { node, incarnation },
        ControlCommand::Silent { voter, node, incarnation },
        ControlCommand::Heard { voter, node, incarnation },
        ControlCommand::Configure {
            version: 7,
            tenants: vec![TenantRef { tenant: ACME, shard: SHARD, digest: Digest([5; 32]) }],
            trunks: vec![trunk()],
            next_ids: NextIds::default(),
        },
        ControlCommand::Raise { layout: 2, members: vec![(voter, 2), (node, 2)] },
        ControlCommand::Grant(Box::new(grant())),
        ControlCommand::Revoke { tenant: Some(ACME), name: "desk".into() },
        ControlCommand::Used { token_sha256: [9; 32] },
        ControlCommand::Begin(Box::new(intent())),
        ControlCommand::End { act: 7, result: Box::new(ActResult { status: 200, told: "version 2".into() }) },
    ]
}

/// No arm for the rest: a new command does not compile until it has its sample above and its line below.
fn name(body: &Body) -> &'static str {
    match body {
        Body::Shard(command) => match command {
            Command::Tick => "Tick",
            Command::Expire => "Expire",
            Command::Part(_) => "Part",
            Command::Raise { .. } => "Raise",
            Command::Configure { .. } => "Configure",
            Command::Retire { .. } => "Retire",
            Command::Admit(_) => "Admit",
            Command::Withdraw { .. } => "Withdraw",
            Command::Answer { .. } => "Answer",
            Command::Step { .. } => "Step",
            Command::Enqueue { .. } => "Enqueue",
            Command::Plan(_) => "Plan",
            Command::Missed { .. } => "Missed",
            Command::Answered { .. } => "Answered",
            Command::Accept { .. } => "Accept",
            Command::Left { .. } => "Left",
            Command::Rehome { .. } => "Rehome",
            Command::Merge { .. } => "Merge",
            Command::Split { .. } => "Split",
            Command::Redialog { .. } => "Redialog",
            Command::End { .. } => "End",
            Command::Done { .. } => "Done",
            Command::Bind { .. } => "Bind",
            Command::Unbind { .. } => "Unbind",
            Command::Presence { .. } => "Presence",
            Command::Assign { .. } => "Assign",
            Command::Retake { .. } => "Retake",
            #[cfg(feature = "next-layout")]
            Command::Mark { .. } => "Mark",
            Command::Dispose { .. } => "Dispose",
            Command::Adopt { .. } => "Adopt",
            Command::Dial(_) => "Dial",
            Command::NotReached { .. } => "NotReached",
            Command::Import { .. } => "Import",
            Command::Run { .. } => "Run",
            Command::Bar { .. } => "Bar",
        },
        Body::Control(command) => match command {
            ControlCommand::Tick => "control Tick",
            ControlCommand::Found { .. } => "control Found",
            ControlCommand::Hello { .. } => "control Hello",
            ControlCommand::Silent { .. } => "control Silent",
            ControlCommand::Heard { .. } => "control Heard",
            ControlCommand::Configure { .. } => "control Configure",
            ControlCommand::Raise { .. } => "control Raise",
            ControlCommand::Grant(_) => "control Grant",
            ControlCommand::Revoke { .. } => "control Revoke",
            ControlCommand::Used { .. } => "control Used",
            ControlCommand::Begin(_) => "control Begin",
            ControlCommand::End { .. } => "control End",
        },
    }
}

fn encoded(body: Body) -> Vec<u8> {
    let proposal = Proposal { from: ONE, seq: 42, body };
    let mut bytes = proposal.to_bytes(FIRST).unwrap();
    assert_eq!(Proposal::from_bytes(&bytes), Ok(proposal));
    assert_eq!(Proposal::check(&bytes), Ok(FIRST));
    // The header names the whole layout, and every line would change with it.
    bytes.split_off(HEADER_BYTES)
}

/// FNV-1a, 64 bits.
fn print_of(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |print, byte| (print ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

const CHANGED: &str = "the layout of commands in the log changed. Logs and snapshots of the version before do not \
     decode any more. If that is meant (nothing of it was ever released), put these lines in place of the old ones:";

#[test]
fn every_command_keeps_its_bytes() {
    let shard = beginnings().into_iter().chain(rest()).chain(outbound()).map(Body::Shard);
    let mut lines = String::new();
    for body in shard.chain(controls().into_iter().map(Body::Control)) {
        let name = name(&body);
        let bytes = encoded(body);
        writeln!(lines, "{name} {} {:016x}", bytes.len(), print_of(&bytes)).unwrap();
    }
    // What replicas of two builds compare: rows must be hashed alike, field by field, in the same order.
    writeln!(lines, "state {:016x}", crate::whole::full().shard.hash()).unwrap();
    let pinned = include_str!("golden.txt");
    assert!(lines == pinned, "{CHANGED}\n{lines}");
}

/// One in full, so that a difference can be read.
#[test]
fn a_step_is_these_bytes() {
    let bytes = encoded(Body::Shard(step(CALL, 3)));
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, include_str!("golden-step.txt").trim_end(), "{CHANGED}");
}

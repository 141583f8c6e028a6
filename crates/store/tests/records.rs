//! The records database through its public face.

use std::path::PathBuf;
use std::sync::Arc;

use strowger_model::{
    AgentId, CallId, CampaignId, Cause, DialResult, Ended, HangupBy, LeadId, LogTime, Outcome, QueueId, ShardId,
    TenantId, TrunkId, Wall,
};
use strowger_store::{CallFilter, CallLine, Names, Place, SegmentLine, Store, StoreError, limit};
use strowger_table::{DialRecord, How, Kept, Record, Segment, SegmentKind};

const SHARD: ShardId = ShardId(2);
/// 2026-02-03T04:05:06.789Z
const MORNING: u64 = 1_770_091_506_789;

/// A file name of one test's own, gone with it.
struct File(PathBuf);

impl File {
    fn new(test: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}.sqlite", std::process::id()));
        let file = File(path);
        file.remove();
        file
    }

    fn remove(&self) {
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", self.0.display()));
        }
    }

    fn open(&self) -> Store {
        Store::open(&self.0).unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.remove();
    }
}

fn names() -> Arc<Names> {
    Arc::new(Names {
        tenants: [(TenantId(1), "acme".to_owned()), (TenantId(2), "globex".to_owned())].into_iter().collect(),
        queues: [(QueueId(1), "sales".to_owned())].into_iter().collect(),
        agents: [(AgentId(1), "anna".to_owned()), (AgentId(2), "bert".to_owned())].into_iter().collect(),
        trunks: [(TrunkId(1), "carrier".to_owned())].into_iter().collect(),
        campaigns: [(CampaignId(1), "spring".to_owned())].into_iter().collect(),
    })
}

/// The record of call `index` as its end leaves it: answered by anna, ten minutes after the one before.
fn record(index: u64) -> Record {
    Record {
        call: CallId::new(SHARD, index),
        tenant: TenantId(1),
        trunk: Some(TrunkId(1)),
        from: format!("+49301{index:04}"),
        to: "+49800100".into(),
        sip_call_id: format!("caller-{index}"),
        agent_sip_call_id: Some(format!("agent-{index}")),
        outcome: Outcome::Answered,
        ended: Ended { by: HangupBy::Caller, cause: Cause::NORMAL },
        queue: Some(QueueId(1)),
        agent: Some(AgentId(1)),
        offers: 1,
        admitted: Wall(MORNING + index * 600_000),
        wait_ms: Some(1500),
        ring_ms: Some(900),
        talk_ms: Some(60_000),
        total_ms: 62_000,
        wrap_ms: None,
        disposition: None,
        dial: None,
        began: LogTime(0),
        segments: Kept::new(Vec::new()),
        into: None,
    }
}

fn outbox(records: impl IntoIterator<Item = Record>) -> Vec<(u64, Arc<Record>)> {
    (1..).zip(records.into_iter().map(Arc::new)).collect()
}

fn ids(lines: &[CallLine]) -> Vec<String> {
    lines.iter().map(|line| line.call.clone()).collect()
}

#[tokio::test]
async fn a_record_comes_back_whole_and_in_plain_values() {
    let file = File::new("plain");
    let store = file.open();
    assert_eq!(store.project(SHARD, outbox([record(0)]), names()).await.unwrap(), 1);

    let line = store.call(CallId::new(SHARD, 0)).await.unwrap().unwrap();
    let expected = CallLine {
        call: "2-0".into(),
        tenant: "acme".into(),
        trunk: Some("carrier".into()),
        from: "+493010000".into(),
        to: "+49800100".into(),
        sip_call_id: "caller-0".into(),
        agent_sip_call_id: Some("agent-0".into()),
        outcome: "answered".into(),
        by: "caller".into(),
        cause: 16,
        queue: Some("sales".into()),
        agent: Some("anna".into()),
        offers: 1,
        admitted: "2026-02-03T04:05:06.789Z".into(),
        admitted_ms: MORNING,
        wait_ms: Some(1500),
        ring_ms: Some(900),
        talk_ms: Some(60_000),
        wrap_ms: None,
        total_ms: 62_000,
        disposition: None,
        campaign: None,
        lead: None,
        dial_result: None,
        sip_status: None,
        into: None,
        segments: Vec::new(),
        place: Place { admitted_ms: MORNING, call: CallId::new(SHARD, 0) },
    };
    assert_eq!(line, expected);
    assert_eq!(store.call(CallId::new(SHARD, 1)).await.unwrap(), None);
}

#[tokio::test]
async fn an_outbound_call_says_what_came_of_it() {
    let file = File::new("outbound");
    let store = file.open();
    let (spring, unknown) = (CampaignId(1), CampaignId(9));
    let busy =
        DialRecord { campaign: spring, lead: Some(LeadId::new(spring, 7)), result: DialResult::Busy, status: 486 };
    let lost = DialRecord { campaign: unknown, lead: None, result: DialResult::Unknown, status: 0 };
    let records = [(0, busy), (1, lost)].map(|(index, dial)| Record { dial: Some(dial), ..record(index) });
    store.project(SHARD, outbox(records), names()).await.unwrap();

    let of_spring = CallFilter { campaign: Some("spring".into()), ..CallFilter::default() };
    let lines = store.calls(of_spring).await.unwrap();
    assert_eq!(ids(&lines), ["2-0"]);
    let said = (lines[0].lead.as_deref(), lines[0].dial_result.as_deref(), lines[0].sip_status);
    assert_eq!(said, (Some("1-7"), Some("busy"), Some(486)));
    let nameless = store.call(CallId::new(SHARD, 1)).await.unwrap().unwrap();
    assert_eq!((nameless.campaign.as_deref(), nameless.lead), (Some("campaign-9"), None));
}

fn segment(no: u16, kind: SegmentKind, ms: (u64, Option<u64>), how: How) -> Segment {
    let agent = (kind != SegmentKind::Wait).then_some(AgentId(1));
    let (from, to) = (LogTime::from_millis(ms.0), ms.1.map(LogTime::from_millis));
    Segment {
        no,
        kind,
        leg: None,
        queue: Some(QueueId(1)),
        agent,
        party: None,
        from,
        to,
        how,
        by: None,
        code: None,
        n: 1,
        spent: 0,
    }
}

#[tokio::test]
async fn a_story_is_told_in_moments_of_the_wall_and_in_names() {
    let file = File::new("story");
    let store = file.open();
    let missed = How::Missed { status: 486, cause: Cause::BUSY };
    let ring = Segment { n: 3, spent: 2_500_999, ..segment(1, SegmentKind::Ring, (5_600, Some(6_000)), missed) };
    let talk = segment(2, SegmentKind::Talk, (7_000, Some(67_000)), How::Over);
    let wrap = segment(3, SegmentKind::Wrap, (67_000, None), How::Open);
    let wait = segment(0, SegmentKind::Wait, (5_500, Some(7_000)), How::Served);
    let first = Record {
        began: LogTime::from_millis(5_000),
        segments: Kept::new(vec![wait.clone(), ring.clone(), talk.clone(), wrap.clone()]),
        into: Some(CallId::new(SHARD, 9)),
        trunk: None,
        ..record(0)
    };
    let done = Segment { to: Some(LogTime::from_millis(70_000)), how: How::Over, code: Some("sold".into()), ..wrap };
    let second = Record { segments: Kept::new(vec![wait, ring, talk, done]), ..first.clone() };

    store.project(SHARD, vec![(1, Arc::new(first.clone()))], names()).await.unwrap();
    let line = store.call(first.call).await.unwrap().unwrap();
    assert_eq!((line.trunk, line.into.as_deref()), (None, Some("2-9")));
    assert_eq!((line.segments[3].how.as_str(), line.segments[3].to_ms), ("open", None));
    store.project(SHARD, vec![(2, Arc::new(second))], names()).await.unwrap();
    let [line] = &store.calls(CallFilter::default()).await.unwrap()[..] else { panic!("one call") };
    let told = |kind: &str, ms: (u64, u64), how: &str| SegmentLine {
        kind: kind.into(),
        from_ms: MORNING + ms.0,
        to_ms: Some(MORNING + ms.1),
        how: how.into(),
        queue: Some("sales".into()),
        agent: (kind != "wait").then(|| "anna".into()),
        times: 1,
        ..SegmentLine::default()
    };
    let ring = SegmentLine {
        status: Some(486),
        cause: Some(17),
        times: 3,
        earlier_ms: 2_500,
        ..told("ring", (600, 1_000), "missed")
    };
    let wrap = SegmentLine { code: Some("sold".into()), ..told("wrap", (62_000, 65_000), "over") };
    let story = [told("wait", (500, 2_000), "served"), ring, told("talk", (2_000, 62_000), "over"), wrap];
    assert_eq!(line.segments, story);
}

/// Files of before there were stories: their records stay, and new ones come beside them.
#[tokio::test]
async fn an_older_layout_is_brought_up_to_date_with_its_records() {
    let file = File::new("older");
    let older = rusqlite::Connection::open(&file.0).unwrap();
    older.execute_batch(include_str!("../src/schema/1.sql")).unwrap();
    older.execute_batch(include_str!("../src/schema/2.sql")).unwrap();
    older.execute_batch("PRAGMA application_id = 0x53545247; PRAGMA user_version = 2").unwrap();
    let insert = "INSERT INTO calls (id, number, tenant, trunk, from_number, to_number, sip_call_id, outcome, ended_by,
        cause, offers, admitted_ms, total_ms) VALUES (?1, 1, 'acme', 'carrier', '1', '2', 'c', 'answered', 'caller',
        16, 1, ?2, 5)";
    older.execute(insert, (CallId::new(SHARD, 7).0.cast_signed(), MORNING.cast_signed())).unwrap();
    drop(older);

    let store = file.open();
    store.project(SHARD, vec![(2, Arc::new(record(8)))], names()).await.unwrap();
    let lines = store.calls(CallFilter::default()).await.unwrap();
    assert_eq!(ids(&lines), ["2-8", "2-7"]);
    assert_eq!((lines[1].trunk.as_deref(), lines[1].segments.len()), (Some("carrier"), 0));
}

#[tokio::test]
async fn projecting_the_same_again_changes_nothing() {
    let file = File::new("again");
    let store = file.open();
    let records = outbox((0..5).map(record));
    store.project(SHARD, records.clone(), names()).await.unwrap();
    let once = store.calls(CallFilter::default()).await.unwrap();

    assert_eq!(store.project(SHARD, records.clone(), names()).await.unwrap(), 5);
    // Only the front of it again: the cursor does not go back.
    assert_eq!(store.project(SHARD, records[..2].to_vec(), names()).await.unwrap(), 5);
    assert_eq!(store.project(SHARD, Vec::new(), names()).await.unwrap(), 5);
    assert_eq!(store.calls(CallFilter::default()).await.unwrap(), once);
}

#[tokio::test]
async fn the_second_writing_wins_and_never_takes_fields_away() {
    let file = File::new("second");
    let store = file.open();
    let first = Arc::new(record(0));
    let second = Arc::new(Record {
        wrap_ms: Some(7000),
        disposition: Some("sold".into()),
        agent_sip_call_id: None,
        // Its leg is another call's by now.
        sip_call_id: String::new(),
        ..record(0)
    });
    store.project(SHARD, vec![(1, first.clone())], names()).await.unwrap();
    // Meanwhile the configuration lost every name.
    store.project(SHARD, vec![(2, second)], Arc::default()).await.unwrap();
    let complete = store.call(first.call).await.unwrap().unwrap();
    assert_eq!((complete.wrap_ms, complete.disposition.as_deref()), (Some(7000), Some("sold")));
    assert_eq!(complete.agent_sip_call_id.as_deref(), Some("agent-0"));
    assert_eq!((&complete.sip_call_id, complete.sip_call_id.is_empty()), (&first.sip_call_id, false));
    assert_eq!((complete.tenant.as_str(), complete.agent.as_deref()), ("acme", Some("anna")));

    // A late repeat of the first does not win over the second.
    store.project(SHARD, vec![(1, first.clone())], names()).await.unwrap();
    assert_eq!(store.call(first.call).await.unwrap().unwrap(), complete);
}

#[tokio::test]
async fn what_has_no_name_is_written_as_its_id() {
    let file = File::new("nameless");
    let store = file.open();
    store.project(SHARD, outbox([record(0)]), Arc::default()).await.unwrap();
    let line = store.call(CallId::new(SHARD, 0)).await.unwrap().unwrap();
    assert_eq!((line.tenant.as_str(), line.queue.as_deref()), ("tenant-1", Some("queue-1")));
    assert_eq!((line.trunk.as_deref(), line.agent.as_deref()), (Some("trunk-1"), Some("agent-1")));
}

#[tokio::test]
async fn the_cursor_and_the_lines_survive_reopening() {
    let file = File::new("reopen");
    let store = file.open();
    assert_eq!(store.cursor(SHARD).unwrap(), 0);
    store.project(SHARD, outbox((0..3).map(record)), names()).await.unwrap();
    drop(store);

    let store = file.open();
    assert_eq!(store.cursor(SHARD).unwrap(), 3);
    assert_eq!(store.cursor(ShardId(3)).unwrap(), 0, "each shard has its own");
    assert_eq!(store.calls(CallFilter::default()).await.unwrap().len(), 3);
}

#[tokio::test]
async fn filters_choose_and_combine() {
    let file = File::new("filters");
    let store = file.open();
    let abandoned = Record {
        outcome: Outcome::Abandoned,
        agent: None,
        agent_sip_call_id: None,
        ring_ms: None,
        talk_ms: None,
        ..record(1)
    };
    let elsewhere = Record { tenant: TenantId(2), queue: None, to: "+49800200".into(), ..record(2) };
    let by_bert = Record { agent: Some(AgentId(2)), ..record(3) };
    store.project(SHARD, outbox([record(0), abandoned, elsewhere, by_bert]), names()).await.unwrap();

    let all = CallFilter::default;
    let some = |text: &str| Some(text.to_owned());
    let at = |index: u64| Some(MORNING + index * 600_000);
    for (filter, expected) in [
        (all(), vec!["2-3", "2-2", "2-1", "2-0"]),
        (CallFilter { tenant: some("acme"), ..all() }, vec!["2-3", "2-1", "2-0"]),
        (CallFilter { outcome: Some(Outcome::Abandoned), ..all() }, vec!["2-1"]),
        (CallFilter { queue: some("sales"), ..all() }, vec!["2-3", "2-1", "2-0"]),
        (CallFilter { agent: some("bert"), ..all() }, vec!["2-3"]),
        (CallFilter { from: some("+493010002"), ..all() }, vec!["2-2"]),
        (CallFilter { to: some("+49800200"), ..all() }, vec!["2-2"]),
        (CallFilter { sip_call_id: some("caller-1"), ..all() }, vec!["2-1"]),
        (CallFilter { sip_call_id: some("agent-3"), ..all() }, vec!["2-3"]),
        (CallFilter { since_ms: at(1), until_ms: at(3), ..all() }, vec!["2-2", "2-1"]),
        (CallFilter { tenant: some("acme"), agent: some("anna"), ..all() }, vec!["2-0"]),
        (CallFilter { tenant: some("nobody"), ..all() }, vec![]),
        (CallFilter { limit: Some(2), ..all() }, vec!["2-3", "2-2"]),
    ] {
        assert_eq!(ids(&store.calls(filter.clone()).await.unwrap()), expected, "{filter:?}");
    }

    let counts = store.counts(None).await.unwrap();
    assert_eq!((counts["answered"], counts["abandoned"], counts["failed"]), (3, 1, 0));
    assert_eq!(store.counts(some("globex")).await.unwrap()["answered"], 1);
}

#[tokio::test]
async fn pages_meet_without_gap_or_repeat_while_new_calls_arrive() {
    let file = File::new("pages");
    let store = file.open();
    // All in one millisecond: the id decides.
    let at_once = |index| Record { admitted: Wall(MORNING), ..record(index) };
    store.project(SHARD, outbox((0..25).map(at_once)), names()).await.unwrap();

    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.calls(CallFilter { limit: Some(10), after, ..CallFilter::default() }).await.unwrap();
        let Some(last) = page.last() else { break };
        // As a client would: the place goes out as text and comes back as text.
        after = Some(last.place.to_string().parse().unwrap());
        seen.extend(ids(&page));
        let newer = vec![(100, Arc::new(Record { admitted: Wall(MORNING + 1), ..record(99) }))];
        store.project(SHARD, newer, names()).await.unwrap();
    }
    let expected: Vec<_> = (0..25).rev().map(|index| format!("2-{index}")).collect();
    assert_eq!(seen, expected);
    assert!("yesterday".parse::<Place>().is_err());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_and_left_alone() {
    let file = File::new("text");
    let text = "call records, on paper, and long enough to be taken for a header of a database file\n".repeat(20);
    std::fs::write(&file.0, &text).unwrap();
    let fault = Store::open(&file.0).unwrap_err();
    assert!(matches!(fault, StoreError::NotADatabase { .. }), "{fault:?}");
    assert!(fault.to_string().contains("text-"), "{fault}");
    assert_eq!(std::fs::read_to_string(&file.0).unwrap(), text);
}

#[tokio::test]
async fn other_databases_newer_layouts_and_missing_directories_are_told_apart() {
    let file = File::new("other");
    rusqlite::Connection::open(&file.0).unwrap().execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    assert!(matches!(Store::open(&file.0), Err(StoreError::OtherDatabase { .. })));

    let file = File::new("newer");
    drop(file.open());
    rusqlite::Connection::open(&file.0).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(matches!(Store::open(&file.0), Err(StoreError::Newer { found: 99, .. })));

    let missing = file.0.with_extension("directory").join("records.sqlite");
    assert!(matches!(Store::open(&missing), Err(StoreError::CannotOpen { .. })));
}

#[tokio::test]
async fn a_file_locked_by_another_is_reported_and_the_batch_can_be_said_again() {
    let file = File::new("locked");
    let store = file.open();
    let other = rusqlite::Connection::open(&file.0).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let fault = store.project(SHARD, outbox([record(0)]), names()).await.unwrap_err();
    assert!(matches!(fault, StoreError::Locked { .. }), "{fault:?}");
    assert_eq!(store.cursor(SHARD).unwrap(), 0, "nothing was claimed");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.project(SHARD, outbox([record(0)]), names()).await.unwrap(), 1);
}

#[tokio::test]
async fn ten_thousand_records_go_in_and_come_out() {
    let file = File::new("many");
    let store = file.open();
    let many = u64::from(limit::LINES_MAX) + 50;
    assert_eq!(store.project(SHARD, outbox((0..many).map(record)), names()).await.unwrap(), many);
    assert_eq!(store.calls(CallFilter::default()).await.unwrap().len(), limit::LINES_DEFAULT as usize);
    let most = store.calls(CallFilter { limit: Some(u32::MAX), ..CallFilter::default() }).await.unwrap();
    assert_eq!(most.len(), limit::LINES_MAX as usize);
    assert_eq!(store.counts(Some("acme".into())).await.unwrap()["answered"], many);
}

/// A call may end when what it was in has left the configuration, and the process that knew it too.
#[tokio::test]
async fn a_record_has_the_names_of_what_has_left_the_configuration() {
    let file = File::new("left");
    let dial = DialRecord { campaign: CampaignId(1), lead: None, result: DialResult::Busy, status: 486 };
    let record = Record { dial: Some(dial), ..record(0) };
    let knew = file.open();
    knew.remember(names().since(&Names::default()));
    // What it writes it writes in turn.
    knew.project(SHARD, outbox([]), Arc::new(Names::default())).await.unwrap();
    let store = file.open();
    store.project(SHARD, outbox([record]), Arc::new(Names::default())).await.unwrap();
    let line = store.call(CallId::new(SHARD, 0)).await.unwrap().unwrap();
    let said = [Some(line.tenant), line.trunk, line.queue, line.agent, line.campaign];
    assert_eq!(said.each_ref().map(Option::as_deref), ["acme", "carrier", "sales", "anna", "spring"].map(Some));
}

#[test]
fn names_that_are_new_or_others_are_told() {
    let (before, mut now) = (names(), (*names()).clone());
    assert_eq!(now.since(&before), []);
    now.queues.insert(QueueId(1), "sale".to_owned());
    now.agents.remove(&AgentId(1));
    now.campaigns.insert(CampaignId(2), "summer".to_owned());
    let told = now.since(&before);
    let expected = [("queue-1", "sale"), ("campaign-2", "summer")].map(|(id, name)| (id.to_owned(), name.to_owned()));
    assert_eq!(told, expected);
}

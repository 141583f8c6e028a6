//! The audit log through the database's public face.

use std::path::PathBuf;
use std::sync::Arc;

use strowger_model::{NodeId, TenantId, Wall};
use strowger_store::{ActFilter, ActLine, Names, Store, limit};
use strowger_table::{Act, ActResult, Intent};

/// 2026-02-03T04:05:06.789Z
const MORNING: u64 = 1_770_091_506_789;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn file(test: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}.sqlite", std::process::id()));
    for ending in ["", "-wal", "-shm"] {
        let _none = std::fs::remove_file(format!("{}{ending}", path.display()));
    }
    path
}

fn names() -> Arc<Names> {
    Arc::new(Names { tenants: [(TenantId(1), "acme".to_owned())].into_iter().collect(), ..Names::default() })
}

fn act(id: u64, at: u64, who: &str, tenant: Option<TenantId>) -> Act {
    let intent = Intent {
        who: who.to_owned(),
        tenant,
        what: format!("POST /{id}"),
        asked: "{}".to_owned(),
        from: "192.0.2.7".to_owned(),
        node: NodeId(2),
    };
    Act { id, at: Wall(at), intent, result: None }
}

fn done(act: Act) -> Act {
    Act { result: Some(ActResult { status: 200, told: "version 1".to_owned() }), ..act }
}

fn all() -> ActFilter {
    ActFilter { limit: 100, ..ActFilter::default() }
}

fn numbers(lines: &[ActLine]) -> Vec<u64> {
    lines.iter().map(|line| line.act).collect()
}

#[tokio::test]
async fn an_act_gets_its_result_and_keeps_it() {
    let path = file("acts-result");
    let store = Store::open(&path).unwrap();
    assert_eq!(store.acts_cursor().unwrap(), 0);
    let begun = act(5, MORNING, "desk", Some(TenantId(1)));
    assert_eq!(store.project_acts(vec![(5, Arc::new(begun.clone()))], names()).await.unwrap(), 5);
    let line = ActLine {
        act: 5,
        at: "2026-02-03T04:05:06.789Z".to_owned(),
        token: "desk".to_owned(),
        tenant: Some("acme".to_owned()),
        what: "POST /5".to_owned(),
        asked: "{}".to_owned(),
        from: "192.0.2.7".to_owned(),
        node: 2,
        status: None,
        told: None,
    };
    assert_eq!(store.acts(all()).await.unwrap(), std::slice::from_ref(&line));
    assert_eq!(store.project_acts(vec![(8, Arc::new(done(begun.clone())))], names()).await.unwrap(), 8);
    let line = ActLine { status: Some(200), told: Some("version 1".to_owned()), ..line };
    assert_eq!(store.acts(all()).await.unwrap(), std::slice::from_ref(&line));
    // Said again from the beginning, as after a restart with an older cursor.
    assert_eq!(store.project_acts(vec![(5, Arc::new(begun))], names()).await.unwrap(), 8);
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!((store.acts(all()).await.unwrap(), store.acts_cursor().unwrap()), (vec![line], 8));
}

#[tokio::test]
async fn filters_and_pages() {
    let store = Store::open(&file("acts-filter")).unwrap();
    let acts = [
        act(1, MORNING, "first", None),
        act(2, MORNING + 1000, "desk", Some(TenantId(1))),
        act(3, MORNING + 2000, "first", None),
        act(4, MORNING + 3000, "desk", Some(TenantId(9))),
    ];
    store.project_acts(acts.map(|act| (act.id, Arc::new(act))).to_vec(), names()).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    for (filter, wanted) in [
        (all(), &[4, 3, 2, 1][..]),
        (ActFilter { tenant: text("acme"), ..all() }, &[2]),
        (ActFilter { tenant: text("tenant-9"), ..all() }, &[4]),
        (ActFilter { who: text("first"), ..all() }, &[3, 1]),
        (ActFilter { since_ms: Some(MORNING + 1000), until_ms: Some(MORNING + 3000), ..all() }, &[3, 2]),
        (ActFilter { limit: 2, ..all() }, &[4, 3]),
        (ActFilter { limit: 2, before: Some(3), ..all() }, &[2, 1]),
    ] {
        assert_eq!(numbers(&store.acts(filter.clone()).await.unwrap()), wanted, "{filter:?}");
    }
}

#[tokio::test]
async fn what_is_old_goes() {
    let store = Store::open(&file("acts-old")).unwrap();
    let kept_days = limit::ACTS_KEPT.as_secs() / (24 * 60 * 60);
    let project = async |id: u64, at: u64| {
        store.project_acts(vec![(id, Arc::new(act(id, at, "first", None)))], names()).await.unwrap();
        numbers(&store.acts(all()).await.unwrap())
    };
    assert_eq!(project(1, MORNING).await, [1]);
    assert_eq!(project(2, MORNING + DAY_MS).await, [2, 1]);
    assert_eq!(project(3, MORNING + kept_days * DAY_MS).await, [3, 2, 1]);
    assert_eq!(project(4, MORNING + kept_days * DAY_MS + 1).await, [4, 3, 2]);
}

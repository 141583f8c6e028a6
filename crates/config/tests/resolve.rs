//! Ids that stay, and what an operator reads before saying yes.

mod world;

use std::cell::RefCell;
use std::sync::Arc;

use strowger_config::{NextIds, Resolved, parse, resolve, sealed_for_check};
use strowger_model::config::{Phone, Step, Tenant};
use strowger_model::{AgentId, Far, FlowId, Ha1, KeyId, QueueId, ShardId, TenantId, Whose};
use world::{draft, edit, good};

const ACME: &str = "tenants/acme.toml";
const SHARDS: u16 = 3;

/// What a cluster does with each configuration in turn.
fn apply(files: &strowger_config::Files, before: Option<&Resolved>) -> Resolved {
    let tenants: Vec<_> = before.iter().flat_map(|before| before.tenants.iter().cloned().map(Arc::new)).collect();
    let trunks = before.map(|before| before.trunks.clone()).unwrap_or_default();
    let floor = before.map_or(NextIds::default(), |before| before.next_ids);
    resolve(&draft(files), &tenants, &trunks, SHARDS, floor)
}

fn changes(resolved: &Resolved) -> Vec<String> {
    resolved.changes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_new_cluster_counts_from_one() {
    let first = apply(&good(), None);
    let [acme, bolt] = &first.tenants[..] else { panic!("two tenants") };
    assert_eq!((acme.id, acme.shard, bolt.id, bolt.shard), (TenantId(1), ShardId(0), TenantId(2), ShardId(1)));
    assert_eq!((acme.flows[0].id, bolt.flows[0].id), (FlowId(1), FlowId(2)));
    assert_eq!(acme.numbers[0].flow, FlowId(1));
    assert_eq!(acme.agents[0].queues, [QueueId(1)]);
    assert_eq!(acme.flows[0].steps[1], Step::Enqueue { queue: QueueId(1), overflow: Some(2) });
    let Step::Menu { prompt, choices, timeout_ms, tries, otherwise } = &acme.flows[0].steps[0] else {
        panic!("a menu")
    };
    assert_eq!(choices, &[('1', 1)]);
    assert_eq!((*timeout_ms, *tries, *otherwise), (5000, 3, 2));
    let draft = draft(&good());
    assert_eq!(draft.contents()[prompt], b"RIFF menu");
    assert_eq!(draft.contents().len(), 2);
    assert_eq!(
        changes(&first),
        [
            "+ tenant acme: 1 number, 1 flow, 1 queue, 1 agent",
            "+ tenant bolt: 1 number, 1 flow, 0 queues, 0 agents",
            "+ trunk carrier"
        ]
    );
}

#[test]
fn the_same_again_changes_nothing() {
    let first = apply(&good(), None);
    let again = apply(&good(), Some(&first));
    assert_eq!(changes(&again), [""; 0]);
    assert_eq!((&again.tenants, &again.trunks, again.next_ids), (&first.tenants, &first.trunks, first.next_ids));
}

#[test]
fn names_keep_their_ids_and_ids_are_not_used_again() {
    let first = apply(&good(), None);
    let mut files = good();
    let queue = "[[queue]]\nname = \"aaa\"\nmusic = \"hold.wav\"\n[[queue]]\nname = \"sales\"";
    edit(&mut files, ACME, "[[queue]]\nname = \"sales\"", queue);
    edit(
        &mut files,
        ACME,
        "[[agent]]",
        "[[agents]]\nnames = \"0998-1000\"\ncontact = \"sip:{name}@192.0.2.9\"\n[[agent]]",
    );
    files.0.remove("tenants/bolt.toml");
    let second = apply(&files, Some(&first));
    assert_eq!(
        changes(&second),
        [
            "+ queue acme/aaa",
            "+ agent acme/0998",
            "+ agent acme/0999",
            "+ agent acme/1000",
            "- tenant bolt: 1 number, 1 flow, 0 queues, 0 agents"
        ]
    );
    let acme = &second.tenants[0];
    assert_eq!(acme.agents[0].name, "1001");
    assert_eq!(acme.agents.iter().map(|agent| agent.id.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(acme.queue(QueueId(1)).unwrap().name, "sales");
    assert_eq!(acme.queue(QueueId(2)).unwrap().name, "aaa");
    assert_eq!(acme.agent(AgentId(1)).unwrap().queues, [QueueId(1)]);
    assert!(matches!(&acme.flows[0].steps[1], Step::Enqueue { queue: QueueId(1), .. }));
    let contact = Phone::Static { uri: "sip:0998@192.0.2.9".into(), far: Far::udp(([192, 0, 2, 9], 5060)) };
    assert_eq!(acme.agent(AgentId(2)).unwrap().phone, contact);

    let third = apply(&good(), Some(&second));
    let bolt = third.tenants.iter().find(|tenant| tenant.name == "bolt").unwrap();
    assert_eq!((bolt.id, bolt.flows[0].id), (TenantId(3), FlowId(3)));
}

#[test]
fn a_new_tenant_goes_to_the_emptiest_shard() {
    let first = apply(&good(), None);
    let mut files = good();
    files.0.remove(ACME);
    files.0.insert("tenants/coil.toml".into(), world::BOLT.replace("bolt", "coil").replace("110", "112").into());
    let second = apply(&files, Some(&first));
    let shards: Vec<_> = second.tenants.iter().map(|tenant| (tenant.name.as_str(), tenant.shard.0)).collect();
    assert_eq!(shards, [("bolt", 1), ("coil", 0)]);
}

#[test]
fn changes_are_told_in_the_words_of_the_files() {
    let first = apply(&good(), None);
    let mut files = good();
    edit(&mut files, ACME, "music =", "ring_timeout_ms = 20000\nmax_misses = 0\nmusic =");
    edit(&mut files, ACME, "\"hold.wav\"", "\"menu.wav\"");
    edit(&mut files, ACME, "12345678", "abcdefgh");
    edit(&mut files, ACME, "queues = [\"sales\"]", "ready_at_login = true");
    edit(&mut files, ACME, "otherwise = \"end\"", "otherwise = \"sales\"");
    edit(&mut files, "tenants/bolt.toml", "name = \"main\"", "name = \"night\"");
    edit(&mut files, "tenants/bolt.toml", "flow = \"main\"", "flow = \"night\"");
    edit(&mut files, "tenants/bolt.toml", "bolt.example.com", "bolt.example.net");
    edit(&mut files, "trunks.toml", "\"192.0.2.10\", ", "\"2001:db8::1\", ");
    assert_eq!(
        changes(&apply(&files, Some(&first))),
        [
            "~ flow acme/main: step 1",
            "~ queue acme/sales: music, ring_timeout_ms 15000 → 20000, max_misses 3 → 0",
            "~ agent acme/1001: queues sales → none, password, ready_at_login false → true",
            "~ tenant bolt: realm bolt.example.com → bolt.example.net",
            "~ number bolt/110: flow main → night",
            "- flow bolt/main",
            "+ flow bolt/night",
            "~ trunk carrier: sources 192.0.2.10 192.0.2.11:5060 → 192.0.2.11:5060 2001:db8::1"
        ]
    );
}

#[test]
fn a_range_is_one_change() {
    let first = apply(&good(), None);
    let mut files = good();
    let range = "[[agents]]\nnames = \"2000-2449\"\npassword = \"seat-{name}\"\nqueues = [\"sales\"]\n[[agent]]";
    edit(&mut files, ACME, "[[agent]]", range);
    let second = apply(&files, Some(&first));
    assert_eq!(changes(&second), ["+ agent acme/2000 and 449 more"]);
    assert_eq!(second.tenants[0].agents.len(), 451);
    assert!(second.tenants[0].agents.is_sorted_by_key(|agent| agent.id));
}

/// As `printf NAME:REALM:PASSWORD | md5sum` says, and sha256sum, and both of NAME@REALM:REALM:PASSWORD.
#[test]
fn passwords_become_hashes_and_are_sealed() {
    let mut files = good();
    edit(&mut files, ACME, "acme.example.com", "http-auth.example.org");
    edit(&mut files, ACME, "12345678", "Circle of Life");
    let hashes = |files: &strowger_config::Files| {
        let told = RefCell::new(Vec::new());
        let seal = |whose: Whose<'_>, ha1: &Ha1| {
            let text = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            for (hashes, as_what) in ha1.each().zip(["alone", "at realm"]) {
                let sha256 = hashes.sha256.map(|sha256| text(&sha256)).unwrap_or_default();
                told.borrow_mut().push((
                    format!("{}@{} {as_what}", whose.user, whose.realm),
                    text(&hashes.md5),
                    sha256,
                ));
            }
            sealed_for_check(whose, ha1)
        };
        let draft = parse(files, &world::load, &seal).unwrap_or_else(|faults| panic!("{faults:?}"));
        assert!(!format!("{draft:?}").contains("Circle of Life"), "passwords are not kept");
        told.into_inner()
    };
    let told = |sha256: [&str; 2]| {
        [
            ("alone", "5172fcabe1f719f90e3f8c4d15e164b4", sha256[0]),
            ("at realm", "b976d63bd35090727cc55eb81ab44a1e", sha256[1]),
        ]
        .map(|(what, md5, sha256)| (format!("1001@http-auth.example.org {what}"), md5.to_owned(), sha256.to_owned()))
    };
    assert_eq!(hashes(&files), told(["", ""]), "SHA-256 only where it is asked for");
    assert!(!draft_tenant(&files).offers_sha256);
    edit(&mut files, ACME, "realm", "digest = \"sha-256\"\nrealm");
    let sha256 = [
        "9cc3020912aab2234a79a767f4047ec740a63be05c72d19694e0ef32f98725fd",
        "fba080588b6fb28f013761f0f328f32624fd6a25b59c875cb848573b999ada1f",
    ];
    assert_eq!(hashes(&files), told(sha256));
    assert!(draft_tenant(&files).offers_sha256);
}

fn draft_tenant(files: &strowger_config::Files) -> Tenant {
    apply(files, None).tenants.remove(0)
}

#[test]
fn another_data_key_is_a_change_of_its_own() {
    let first = apply(&good(), None);
    let mut sealed_anew = first.clone();
    for agent in sealed_anew.tenants.iter_mut().flat_map(|tenant| &mut tenant.agents) {
        let Phone::Registers { ha1 } = &mut agent.phone else { continue };
        ha1.key = KeyId(0xab);
    }
    assert_eq!(changes(&apply(&good(), Some(&sealed_anew))), ["~ agent acme/1001: data key 000000ab → 00000001"]);
}

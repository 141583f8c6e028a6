//! Passwords and their hashes are in no log, snapshot, content, answer or error; data keys change while phones register.

mod rig;

use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rig::desk::Desk;
use rig::house::{PASSWORD, REALM};
use rig::{House, Plan, Rig, TOKEN, holds_within, until};
use serde_json::Value;
use sha2::{Digest, Sha256};
use strowger_api::{Client, ROUTES};
use strowger_config::Files;

const AGENT: &str = "1001";
/// `printf 1001:house.example:house-secret | md5sum`.
const HA1_MD5: &str = "9b1af0e3bb17969af80e26cad94d7613";

fn house() -> House {
    let mut house = House::new().registers(AGENT, true);
    house.digest = "sha-256";
    house
}

/// The password and its hashes, as text and as bytes.
fn secrets() -> Vec<Vec<u8>> {
    let sha256 = Sha256::digest(format!("{AGENT}:{REALM}:{PASSWORD}")).to_vec();
    let md5 = (0..16).map(|at| u8::from_str_radix(&HA1_MD5[2 * at..2 * at + 2], 16).unwrap()).collect();
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes();
    vec![PASSWORD.as_bytes().to_vec(), hex(&md5), hex(&sha256), md5, sha256]
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

/// The data keys as a node reads them when it starts.
fn write_keys(rig: &Rig, lines: &[&str]) {
    std::fs::write(rig.dir.join("tls/data.keys"), lines.join("\n")).expect("writing");
}

fn apply(rig: &Rig, files: &Files) -> Result<Value, String> {
    let client = Client::new(rig.http(1), Some(TOKEN.to_owned()));
    let answer = rig.block_on(client.post("/api/v1/config", &strowger_api::archive(files, false)));
    answer.map_err(|fault| fault.to_string())
}

fn registers(rig: &Rig, node: u16) {
    let mut desk = Desk::new();
    let contact = format!("<sip:{AGENT}@{}>", desk.wire.address());
    desk.register(rig.own(node), AGENT, &contact, 600);
}

#[test]
fn no_secret_is_on_a_disk_in_an_answer_or_in_an_error() {
    let rig = Rig::start(Plan::of(1, 1), &house());
    registers(&rig, 1);
    // Faults at the very lines where passwords stand.
    for (from, to) in [
        ("password = \"house-secret\"", "password = \"house-secret\" house"),
        ("password = \"house-secret\"", "password = [\"house-secret\"]"),
        ("password = \"house-secret\"", "passwort = \"house-secret\""),
        ("password = \"house-secret\"", "password = \"house-secret\\u0007\""),
        ("password = \"house-secret\"", "password = \"house-secret\npassword = \"house-secret\""),
        ("password = \"house-secret\"", "ha1_md5 = \"house-secret\""),
    ] {
        let mut files = house().files();
        let tenant = files.0.get_mut("tenants/house.toml").expect("a tenant");
        *tenant = String::from_utf8(tenant.clone()).expect("text").replace(from, to).into_bytes();
        let refused = apply(&rig, &files).expect_err("a fault");
        assert!(refused.contains("tenants/house.toml:"), "{refused}");
        assert!(!refused.contains(PASSWORD), "{refused}");
    }
    let mut answers = rig.metrics(1);
    for route in ROUTES.iter().filter(|route| route.method == "get" && !route.path.contains(['{', '.'])) {
        if route.path.starts_with("/api/") && !route.path.ends_with("/events") {
            answers += &rig.get(route.path).to_string();
        }
    }
    assert!(answers.contains(AGENT));
    let secrets = secrets();
    assert!(secrets.iter().all(|secret| !holds(answers.as_bytes(), secret)), "{answers}");

    let (mut found, mut with_realm) = (Vec::new(), Vec::new());
    for dir in ["node-1", "node-1.log", "relay-1", "relay-1.log"].map(|name| rig.dir.join(name)) {
        if dir.is_dir() { files_below(&dir, &mut found) } else { found.push(dir) }
    }
    for path in found {
        let bytes = std::fs::read(&path).expect("a file");
        for (secret, no) in secrets.iter().zip(0..) {
            assert!(!holds(&bytes, secret), "secret {no} is in {}", path.display());
        }
        if holds(&bytes, REALM.as_bytes()) {
            with_realm.push(path);
        }
    }
    // What is beside the secrets in log and content is found as it stands there.
    for dir in ["node-1/raft", "node-1/content"] {
        assert!(
            with_realm.iter().any(|path| path.starts_with(rig.dir.join(dir))),
            "{dir} was not read: {with_realm:?}"
        );
    }
}

/// A node that is told goes on with other keys, if it can.
#[test]
fn data_keys_change_while_nodes_run() {
    let rig = Rig::start(Plan::of(3, 1), &house());
    let first = std::fs::read_to_string(rig.dir.join("tls/data.keys")).expect("made at the first start");
    let first = first.lines().last().expect("a key").to_owned();
    let second = "2".repeat(64);
    let log = |node: u16| std::fs::read_to_string(rig.dir.join(format!("node-{node}.log"))).expect("a log");
    let read = |node: u16| log(node).matches("data keys were read again").count();
    let told = |nodes: RangeInclusive<u16>| {
        for node in nodes {
            let before = read(node);
            rig.signal(node, "-HUP");
            until("the keys were read", || read(node) > before);
        }
    };
    (1..=3).for_each(|node| registers(&rig, node));
    write_keys(&rig, &[&first, &second]);
    told(2..=3);
    write_keys(&rig, &[&second, &first]);
    told(1..=1);
    let applied = apply(&rig, &house().files()).expect("all have the key");
    assert!(applied["changes"].to_string().contains("data key "), "{applied}");
    (1..=3).for_each(|node| registers(&rig, node));
    told(2..=3);

    // What is in force needs the second one.
    write_keys(&rig, &[&first]);
    rig.signal(1, "-HUP");
    until("it is refused", || {
        log(1).contains("data keys stay as they were: tenant house of the configuration in force")
    });
    write_keys(&rig, &[&second, "no-key-but-perhaps-a-password"]);
    rig.signal(1, "-HUP");
    until("the line is told", || {
        log(1).contains("data keys stay as they were") && log(1).contains("line 2 is no data key")
    });
    assert!(!log(1).contains("perhaps-a-password"), "{}", log(1));
    write_keys(&rig, &[&second]);
    told(1..=3);
    (1..=3).for_each(|node| registers(&rig, node));
    assert!(!log(1).contains("counts when the process is started again"), "{}", log(1));
}

/// Records of calls, and what is in the log, are for nobody else on the machine, however open its umask is.
#[test]
fn no_other_user_reads_what_the_processes_write() {
    let rig = Rig::start(Plan::of(1, 1), &house());
    registers(&rig, 1);
    let mut files = Vec::new();
    for dir in ["node-1", "relay-1", "tls"] {
        let dir = rig.dir.join(dir);
        files_below(&dir, &mut files);
        files.push(dir);
    }
    let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert!(files.len() > 10 && files.iter().any(|path| path.ends_with("records.sqlite")), "{files:?}");
    for path in files.iter().flat_map(|path| path.ancestors().take_while(|above| *above != rig.dir)) {
        assert_eq!(mode(path) & 0o077, 0, "{}", path.display());
    }
}

/// Who founds a cluster and has named no token is told one: in a file that nobody else reads, once, and nowhere else.
#[test]
fn the_first_token_is_told_once_and_to_its_owner_alone() {
    let mut rig = Rig::start(Plan::of(1, 1), &House::new());
    let file = rig.dir.join("node-1/first-token");
    assert!(!file.exists(), "one was named");
    rig.kill(1);
    std::fs::remove_dir_all(rig.dir.join("node-1")).expect("nothing is left of the cluster");
    let start = |rig: &mut Rig| {
        rig.restart_with(1, |command| {
            command.env_remove("STROWGER_BOOTSTRAP_TOKEN");
        });
    };
    let tokens = |rig: &Rig, token: &str| {
        let answer = rig.block_on(Client::new(rig.http(1), Some(token.to_owned())).get("/api/v1/tokens"));
        answer.map(|answer| answer["tokens"].as_array().map_or(0, Vec::len)).unwrap_or_default()
    };
    start(&mut rig);
    let read = || std::fs::read_to_string(&file).unwrap_or_default();
    until("the token is told", || read().ends_with('\n'));
    let token = read().trim().to_owned();
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    until("it is an admin's", || tokens(&rig, &token) == 1);
    assert_eq!(tokens(&rig, TOKEN), 0, "control: no other token is good");

    std::fs::remove_file(&file).expect("removing");
    rig.kill(1);
    start(&mut rig);
    until("it is good after a start, too", || tokens(&rig, &token) == 1);
    assert!(!holds_within(Duration::from_secs(2), || file.exists() || tokens(&rig, &token) != 1), "another was made");
    let log = std::fs::read_to_string(rig.dir.join("node-1.log")).expect("a log");
    assert_eq!(log.matches("the first admin token is in").count(), 1, "{log}");
    assert!(!log.contains(&token), "what is printed stays in journals: {log}");
}

#[test]
fn data_keys_change_one_node_after_the_other() {
    let mut rig = Rig::start(Plan::of(3, 1), &house());
    let first = std::fs::read_to_string(rig.dir.join("tls/data.keys")).expect("made at the first start");
    let first = first.lines().last().expect("a key").to_owned();
    let [second, third] = ["2".repeat(64), "3".repeat(64)];
    (1..=3).for_each(|node| registers(&rig, node));
    let begin_anew = |rig: &mut Rig, node: u16| {
        rig.kill(node);
        rig.restart(node);
        rig.until_ready(node);
    };

    // A new key comes first in the file before all nodes know it: nothing is applied under it. The old one stays.
    write_keys(&rig, &["# from today", &second, &first]);
    begin_anew(&mut rig, 1);
    let refused = apply(&rig, &house().files()).expect_err("two nodes do not have the key");
    assert!(refused.contains("does not have data key") && refused.contains("node-"), "{refused}");
    begin_anew(&mut rig, 2);
    begin_anew(&mut rig, 3);
    let applied = apply(&rig, &house().files()).expect("all have the key");
    assert_eq!((&applied["version"], &applied["changes"][0]["name"]), (&2.into(), &"house/1001".into()), "{applied}");
    assert!(
        applied["changes"][0]["detail"].as_str().is_some_and(|detail| detail.starts_with("data key ")),
        "{applied}"
    );
    assert_eq!(apply(&rig, &house().files()).expect("again")["version"], 2, "the same is sealed the same");
    (1..=3).for_each(|node| registers(&rig, node));

    // Then the old one goes, and what is in force does not need it.
    write_keys(&rig, &[&second]);
    begin_anew(&mut rig, 1);
    registers(&rig, 1);

    // A wrong key: its node says so, and takes no password for wrong.
    write_keys(&rig, &[&third]);
    begin_anew(&mut rig, 2);
    let refused = Desk::new().first_register(rig.own(2), AGENT, 503);
    assert_eq!(refused.header("retry-after"), "60");
    let log = || std::fs::read_to_string(rig.dir.join("node-2.log")).expect("a log");
    until("the log names the tenant and the key", || {
        log().lines().any(|line| line.contains("house") && line.contains("a data key that this node does not have"))
    });
    registers(&rig, 3);

    // What is no key at all: the node does not start, and tells the line but not what it says.
    write_keys(&rig, &[&second, "no-key-but-perhaps-a-password"]);
    rig.kill(3);
    rig.restart(3);
    let mut ended = None;
    until("the node has ended", || {
        ended = rig.ended(3);
        ended.is_some()
    });
    let (status, log) = ended.expect("was just found");
    assert!(!status.success());
    assert!(log.contains("data.keys is no file of data keys") && log.contains("line 2 is no data key"), "{log}");
    assert!(!log.contains("perhaps-a-password"), "{log}");
}

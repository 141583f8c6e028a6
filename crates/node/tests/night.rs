//! What an operator types when something is down.

mod rig;

use std::io::Read as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rig::{House, Plan, Rig, TOKEN, strowger, until};

const NODES: u16 = 3;
const EXIT_NOBODY: i32 = 3;
const EXIT_WRONG: i32 = 4;
/// How long a node is away, in the others' sight.
const DOWN: Duration = Duration::from_secs(6);
/// Lines that a node may write of a death: connections, four groups that elect, and the report. It was 350 once.
const TOLD: usize = 60;
/// Of two nodes that are asked after each other, each has 3 s; machines that build beside it take theirs.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same of one node: its 3 s, and as long again for a process to begin on a machine that builds beside it.
const PATIENCE_WITH_ONE: Duration = Duration::from_secs(6);

fn rig() -> Rig {
    Rig::start(Plan::of(NODES, 1), &House::new().phone_at("1001", ([127, 0, 0, 1], 9).into()))
}

fn asks(nodes: &str, words: &[&str]) -> Command {
    let mut command = strowger();
    command.args(words).args(["--node", nodes, "--token", TOKEN]);
    command
}

fn asked(nodes: &str, words: &[&str]) -> (Option<i32>, String) {
    let begun = Instant::now();
    let Output { status, stdout, stderr } = asks(nodes, words).output().expect("it runs");
    assert!(begun.elapsed() < PATIENCE, "it answered after {:?}", begun.elapsed());
    let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (status.code(), said)
}

#[test]
fn status_says_what_is_wrong_and_asks_who_can_answer() {
    let mut rig = rig();
    let [first, second] = [rig.http(1), rig.http(2)];
    let well = || asked(&first, &["status"]);
    until("nothing is wrong", || well().0 == Some(0));
    assert!(well().1.ends_with("nothing is wrong\n"), "{}", well().1);

    rig.kill(3);
    until("the dead node is told", || {
        let (code, said) = asked(&first, &["status"]);
        code == Some(EXIT_WRONG) && said.contains("wrong  node-3 is down\n")
    });
    let (code, said) = asked(&format!("{},http://{second}/", rig.http(3)), &["status", "--json"]);
    assert!(code == Some(EXIT_WRONG) && said.contains("\"node\": 2,"), "the second was asked: {said}");

    let (code, said) = asked(&rig.http(3), &["status"]);
    assert!(code == Some(EXIT_NOBODY) && said.contains("is a node running there?"), "{said}");
    let (code, said) = asked("https://node-1:8081", &["status"]);
    assert!(code == Some(1) && said.contains("TLS ends at a proxy"), "{said}");
}

/// One line for a change: openraft alone said it twenty times a second for each group that is led.
#[test]
fn a_node_that_is_down_is_told_once_and_not_all_the_time() {
    let mut rig = Rig::start(Plan::of(NODES, 3), &House::new());
    let dir = rig.dir.clone();
    let lines = |number: u16| -> Vec<String> {
        let log = std::fs::read_to_string(dir.join(format!("node-{number}.log"))).expect("a log");
        log.lines().map(str::to_owned).collect()
    };
    let before = [1, 2].map(|number| lines(number).len());
    rig.kill(3);
    until("the others have taken its place", || {
        let (code, said) = asked(&rig.http(1), &["status"]);
        code == Some(EXIT_WRONG) && said.contains("node-3 is down") && !said.contains("nobody leads")
    });
    std::thread::sleep(DOWN);
    for (number, before) in [1, 2].into_iter().zip(before) {
        let since = lines(number).split_off(before);
        assert!(since.iter().any(|line| line.contains("node-3")), "node {number} says who is gone: {since:#?}");
        assert!(since.len() < TOLD, "node {number} has written {} lines: {since:#?}", since.len());
    }
}

#[test]
fn a_node_that_stands_still_holds_up_nobody() {
    let rig = rig();
    rig.signal(1, "-STOP");
    let begun = Instant::now();
    let (code, said) = asked(&rig.http(1), &["calls"]);
    assert!(begun.elapsed() < PATIENCE_WITH_ONE, "it answered after {:?}", begun.elapsed());
    assert!(code == Some(EXIT_NOBODY) && said.contains("did not answer /api/v1/calls"), "{said}");
    let begun = Instant::now();
    let (code, said) = asked(&rig.http(1), &["barred-callers", "add", "+493012345678"]);
    assert!(begun.elapsed() < PATIENCE_WITH_ONE, "it answered after {:?}", begun.elapsed());
    assert!(code == Some(EXIT_NOBODY) && said.contains("did not answer /health/live"), "nothing was sent: {said}");
    let both = format!("{},{}", rig.http(1), rig.http(2));
    until("another leads", || asked(&both, &["barred-callers", "add", "+493012345678"]).0 == Some(0));
    let (code, said) = asked(&both, &["barred-callers", "list"]);
    assert_eq!((code, said.as_str()), (Some(0), "+493012345678\n"));
    rig.signal(1, "-CONT");
}

#[test]
fn a_node_with_certificates_of_its_own_says_why_it_is_not_ready() {
    let mut rig = rig();
    for (number, named) in [(1, "node-2, node-3"), (3, "a process at 127.0.0.1")] {
        rig.kill(number);
        let file = rig.dir.join(format!("node-{number}.toml"));
        let text = std::fs::read_to_string(&file).expect("its file");
        let foreign = text.replace("tls_dir = \"tls\"", &format!("tls_dir = \"tls-{number}\""));
        assert_ne!(foreign, text);
        std::fs::write(&file, &foreign).expect("writing");
        rig.restart(number);
        let client = strowger_api::Client::new(rig.http(number), None);
        let wanted = format!("{named} and this node do not trust each other's certificates");
        let mut said = String::new();
        let is_told = || {
            said =
                rig.block_on(client.get_text("/health/ready")).err().map(|fault| fault.to_string()).unwrap_or_default();
            said.contains(&wanted) && said.contains("the same ca.pem in every tls_dir")
        };
        assert!(rig::holds_within(PATIENCE, is_told), "node {number}: {said}");
        rig.kill(number);
        std::fs::write(&file, text).expect("writing");
        rig.restart(number);
        rig.until_ready(number);
    }
}

#[test]
fn what_there_is_is_listed() {
    let plan = Plan::of(1, 1);
    let rig = Rig::start(plan, &House::new().phone_at("1001", ([127, 0, 0, 1], 9).into()));
    let node = rig.http(1);
    let (code, said) = asked(&node, &["agents", "--tenant", "house"]);
    let words = |said: &str, at: usize| said.lines().nth(at).unwrap_or_default().split_whitespace().collect::<String>();
    assert!(code == Some(0) && words(&said, 1).starts_with("house1001idle"), "{said}");
    let (code, said) = asked(&node, &["agents", "not-ready", "house", "1001", "--reason", "lunch"]);
    assert!(code == Some(0) && said.starts_with("agent 1001 of house is not ready"), "{said}");
    until("the agent is away", || words(&asked(&node, &["agents"]).1, 1).contains("lunch"));
    let (code, said) = asked(&node, &["agents", "ready", "house", "1001"]);
    assert!(code == Some(0) && said.starts_with("agent 1001 of house is ready"), "{said}");
    until("the agent is back", || words(&asked(&node, &["agents"]).1, 1).starts_with("house1001idle"));
    let (code, said) = asked(&node, &["agents", "ready", "house", "1009"]);
    assert!(code == Some(1) && said.contains("1009") && said.contains("`strowger agents`"), "{said}");

    let (code, said) = asked(&node, &["queues"]);
    assert!(code == Some(0) && words(&said, 1) == "housedesk000.01", "{said}");
    let (code, said) = asked(&node, &["queues", "--json"]);
    assert!(code == Some(0) && said.contains("\"name\": \"desk\""), "{said}");
    let (code, said) = asked(&node, &["queues", "--tenant", "nobody"]);
    assert!(code == Some(1) && said.contains("nobody"), "{said}");
    let (code, said) = asked(&node, &["config"]);
    assert!(code == Some(0) && said.starts_with("version 1\ntenant   house\ntrunk    carrier\n"), "{said}");
}

#[test]
fn what_a_smaller_directory_removes_is_asked_about() {
    let rig = rig();
    let node = rig.http(1);
    let phone = ([127, 0, 0, 1], 9).into();
    rig.apply(&House::new().phone_at("1001", phone).phone_at("1002", phone));
    let (code, said) = asked(&node, &["apply", "--to", "1", "--dry-run"]);
    assert!(
        code == Some(0) && said.ends_with("removed agent house/1002: 1 agent logged in\nnothing was changed\n"),
        "{said}"
    );
    // Standard input is no terminal here, so that nobody can be asked.
    let (code, said) = asked(&node, &["apply", "--to", "1"]);
    assert!(code == Some(1) && said.contains("say --yes") && !said.contains("in force"), "{said}");
    let (code, said) = asked(&node, &["apply", "--to", "1", "--yes"]);
    assert!(code == Some(0) && said.ends_with("version 3 is in force\n"), "{said}");
    let (code, said) = asked(&node, &["apply", "--to", "2"]);
    assert!(code == Some(0), "what only adds is not asked about: {said}");
    let (code, said) = asked(&node, &["versions"]);
    let lines: Vec<&str> = said.lines().map(str::trim_start).collect();
    assert!(
        code == Some(0) && lines.len() == 5 && lines[1].starts_with("4 ") && lines[1].ends_with("in force"),
        "{said}"
    );
    let (code, said) = asked(&node, &["versions", "2"]);
    assert!(
        code == Some(0) && said.contains("# ---- tenants/house.toml of version 2\n") && said.contains("[[trunk]]"),
        "{said}"
    );
    let (code, first) = asked(&node, &["versions", "1", "--tenant", "house"]);
    assert!(
        code == Some(0) && said.contains("\"1002\"") && !first.contains("\"1002\"") && !first.contains("[[trunk]]"),
        "{first}"
    );
    let (code, said) = asked(&node, &["versions", "9"]);
    assert!(code == Some(1) && said.contains("kept are 4, 3, 2, 1"), "{said}");
    let late = serde_json::json!({ "to": 1, "against": 3 });
    let client = strowger_api::Client::new(&node, Some(TOKEN.to_owned()));
    let fault = rig.block_on(client.post("/api/v1/config/roll-back", &late)).expect_err("another came first");
    assert!(fault.to_string().contains("theirs came first"), "{fault}");
}

#[test]
fn signals_that_ask_for_a_reload_end_nothing() {
    let mut rig = rig();
    for name in ["-USR1", "-USR2", "-HUP"] {
        rig.signal(1, name);
        rig.signal_relay(name);
    }
    let dir = rig.dir.clone();
    let told = ["SIGUSR1", "SIGUSR2", "certificates were read again", "levels of the log were read again"];
    for process in ["node-1", "relay-1"] {
        let log = || std::fs::read_to_string(dir.join(format!("{process}.log"))).expect("a log");
        until("each is told", || told.iter().all(|word| log().contains(word)));
    }
    assert_eq!(asked(&rig.http(1), &["status"]).0, Some(0));
    assert!(rig.ended(1).is_none());
}

#[test]
fn a_process_reads_certificates_and_levels_again_when_it_is_told() {
    let mut rig = rig();
    let dir = rig.dir.clone();
    let log = || std::fs::read_to_string(dir.join("node-1.log")).expect("a log");
    let file = dir.join("node-1.toml");
    let text = std::fs::read_to_string(&file).expect("its file");
    let now = |more: &str| std::fs::write(&file, format!("{text}{more}")).expect("writing");

    assert!(!log().contains("DEBUG"));
    now("[log]\nlevels = \"debug,openraft=error\"\n");
    let certificate = dir.join("tls/node-1.pem");
    let before = std::fs::read(&certificate).expect("its certificate");
    std::fs::remove_file(&certificate).expect("removing");
    rig.signal(1, "-HUP");
    until("it has read them", || log().contains("levels of the log were read again"));
    assert!(log().contains("certificates were read again"), "{}", log());
    assert_ne!(std::fs::read(&certificate).expect("another one"), before);
    assert!(!log().contains("counts when the process is started again"), "{}", log());
    // New connections are proved by the new one.
    rig.kill(2);
    rig.restart(2);
    rig.until_ready(2);
    assert!(log().contains("DEBUG"), "connections are told in detail now: {}", log());

    now("[log]\nlevels = \"loud=noise\"\n");
    rig.signal(1, "-HUP");
    until("what is wrong is told", || log().contains("levels of the log stay as they were: levels = \"loud=noise\""));
    now("[limits]\nmax_calls = 7\n");
    rig.signal(1, "-HUP");
    let waits = |part: &str| {
        let is_named = |line: &str| line.contains("counts when the process is started again") && line.contains(part);
        log().lines().any(is_named)
    };
    until("what must wait is told", || waits("\"[limits]\""));
    now("[outbound]\ndeny = [\"+49\"]\n");
    let read = || log().matches("[outbound] was read again").count();
    let before = read();
    rig.signal(1, "-HUP");
    until("what is dialled is read again", || read() > before);
    now("[limits]\nmax_cals = 7\n");
    rig.signal(1, "-HUP");
    until("a fault changes nothing", || log().contains("nothing was changed: ") && log().contains("max_cals"));
    until("nothing is wrong", || asked(&rig.http(1), &["status"]).0 == Some(0));
}

#[test]
fn who_stops_reading_ends_a_command_quietly() {
    let rig = rig();
    let mut status =
        asks(&rig.http(1), &["status"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(status.stdout.take());
    let mut said = String::new();
    status.stderr.take().expect("a pipe").read_to_string(&mut said).expect("reading");
    assert_eq!((status.wait().expect("its end").code(), said.as_str()), (Some(0), ""));

    let full = std::fs::File::options().write(true).open("/dev/full").expect("a device");
    let output = asks(&rig.http(1), &["status"]).stdout(full).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("is the disk full?"), "{said}");
}

#[test]
fn it_says_what_it_is() {
    let of = |words: &[&str]| {
        let output = strowger().args(words).output().expect("it runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (went, version) = of(&["--version"]);
    let commit = version.trim_end().strip_suffix(')').and_then(|text| text.split_once(" (")).map(|(_, commit)| commit);
    assert!(went && version.starts_with("strowger 0.") && commit.is_some_and(|commit| commit.len() >= 9), "{version}");
    for shell in ["bash", "zsh", "fish"] {
        let (went, script) = of(&["completion", shell]);
        assert!(went && script.contains("barred-callers"), "{shell}: {script}");
    }
    let (went, page) = of(&["man"]);
    assert!(went && page.contains(".TH strowger") && page.contains("Exit codes"), "{page}");
}

#[test]
fn logs_can_be_json() {
    let refused = |name: &str, value: &str| {
        let dir = std::env::temp_dir().join(format!("strowger-night-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        std::fs::write(dir.join("relay-1.toml"), relay_toml()).expect("writing");
        let mut command = strowger();
        command.args(["relay", "--config"]).arg(dir.join("relay-1.toml")).env(name, value);
        let output = command.env("STROWGER_ENDS_WITH_STDIN", "1").output().expect("it runs");
        let _left = std::fs::remove_dir_all(&dir);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, log) = refused("STROWGER_LOG_FORMAT", "json");
    let lines: Vec<serde_json::Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(lines.iter().any(|line| line["message"] == "relay started" && line["level"] == "INFO"), "{code:?}: {log}");
    assert_eq!(lines.len(), log.lines().count(), "every line is JSON: {log}");
    for (name, value) in [("STROWGER_LOG_FORMAT", "xml"), ("STROWGER_LOG", "strowger=loud")] {
        let (code, said) = refused(name, value);
        assert!(code == Some(1) && said.contains(&format!("{name}={value}")), "{said}");
    }
}

/// The file of a relay, on ports that are free at the moment.
fn relay_toml() -> String {
    let free = || std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let [link, http] = [free(), free()].map(|address| address.expect("a free port"));
    format!(
        "id = 1\ncontent_dir = \"relay-1\"\n[link]\nlisten = \"{link}\"\ntls_dir = \"tls\"\ndevelopment = true\n[media]\naddress = \"127.0.0.1\"\n\
         ports = \"31990-31999\"\n[http]\nlisten = \"{http}\"\n"
    )
}

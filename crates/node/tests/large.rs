//! The largest configuration there may be is checked, applied, and there after kills and restarts, and the rest of the
//! cluster goes on meanwhile.

mod rig;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rig::desk::Desk;
use rig::far::Caller;
use rig::house::PASSWORD;
use rig::{House, Plan, Rig, TOKEN, holds_within, strowger, until_within};
use serde_json::Value;
use strowger_api::Client;

const NODES: u16 = 3;
const REALM: &str = "large.example";
/// The agent of the small tenant that works meanwhile.
const AGENT: &str = "1001";
/// How long a node may take to have all of it, on a machine that does much else.
const APPLIED: Duration = Duration::from_secs(180);

#[derive(Clone, Copy)]
struct Size {
    agents: usize,
    /// Their numbers are of several tenants: one has at most 15 MiB.
    tenants: usize,
    numbers_each: usize,
}

impl Size {
    fn last_agent(self) -> String {
        (99_999 + self.agents).to_string()
    }

    fn number(self, at: usize) -> String {
        format!("+4940{at:08}")
    }

    fn last_number(self) -> String {
        self.number(self.tenants * self.numbers_each - 1)
    }

    fn write(self, dir: &Path) {
        let files = house().files().0.into_iter().chain(self.tenants());
        for (path, bytes) in files {
            let at = dir.join(path);
            std::fs::create_dir_all(at.parent().expect("a parent")).expect("a directory");
            std::fs::write(at, bytes).expect("writing");
        }
    }

    fn tenants(self) -> Vec<(String, Vec<u8>)> {
        let head = |name: &str| {
            format!(
                "name = \"{name}\"\nrealm = \"{name}.example\"\ndigest = \"sha-256\"\n[[flow]]\nname = \"main\"\n\
                 [[flow.step]]\nname = \"in\"\nqueue = \"desk\"\n[[queue]]\nname = \"desk\"\nmusic = \"hold.wav\"\n"
            )
        };
        let agents = format!(
            "[[agents]]\nnames = \"100000-{}\"\npassword = \"{PASSWORD}\"\nqueues = [\"desk\"]\n",
            self.last_agent()
        );
        let mut files = vec![("tenants/large.toml".to_owned(), (head("large") + &agents).into_bytes())];
        for tenant in 0..self.tenants {
            let name = format!("n{tenant:02}");
            let mut text = head(&name);
            for at in tenant * self.numbers_each..(tenant + 1) * self.numbers_each {
                let _written = write!(text, "[[number]]\nnumber = \"{}\"\nflow = \"main\"\n", self.number(at));
            }
            files.push((format!("tenants/{name}.toml"), text.into_bytes()));
        }
        files
    }
}

fn house() -> House {
    House::new().phone_at(AGENT, ([127, 0, 0, 1], 9).into())
}

fn run(rig: &Rig, arguments: &[&str], dir: &Path) -> String {
    let begun = Instant::now();
    let mut command = strowger();
    command.arg(arguments[0]).arg(dir).args(&arguments[1..]);
    let output = command.env("STROWGER_NODE", rig.http(1)).env("STROWGER_TOKEN", TOKEN).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let faults = String::from_utf8_lossy(&output.stderr);
    eprintln!("{arguments:?}: {:.1} s", begun.elapsed().as_secs_f32());
    assert!(output.status.success(), "{arguments:?}: {said}{faults}");
    said
}

/// Asks each node of its state and has the small tenant's agent committed by way of it, again and again.
struct Asked {
    stop: Arc<AtomicBool>,
    askers: Vec<JoinHandle<(Duration, Vec<String>)>>,
}

impl Asked {
    fn begin(rig: &Rig) -> Asked {
        let stop = Arc::new(AtomicBool::new(false));
        let ask = |node: u16| {
            let (client, stop) = (Client::new(rig.http(node), Some(TOKEN.to_owned())), stop.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                let (mut longest, mut faults) = (Duration::ZERO, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let read = runtime.block_on(client.get("/api/v1/status"));
                    let ready = format!("/api/v1/agents/house/{AGENT}/ready");
                    let committed = runtime.block_on(client.post(&ready, &Value::Null));
                    faults.extend([read, committed].into_iter().filter_map(Result::err).map(|fault| fault.to_string()));
                    longest = longest.max(begun.elapsed());
                    std::thread::sleep(Duration::from_millis(50));
                }
                (longest, faults)
            })
        };
        let askers = (1..=NODES).map(ask).collect();
        Asked { stop, askers }
    }

    /// Every node was there all the time, and committed.
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for (node, asker) in (1..).zip(self.askers) {
            let (longest, faults): (Duration, Vec<String>) = asker.join().expect("an asker");
            eprintln!("node {node}: the longest of a read and a commit took {:.2} s", longest.as_secs_f32());
            assert!(faults.is_empty(), "node {node}: {faults:?}");
        }
    }
}

fn has_all(rig: &Rig, node: u16, size: Size) -> bool {
    let shown = rig.try_get(node, "/api/v1/config").unwrap_or_default();
    let tenants = shown["tenants"].as_array().map_or(0, Vec::len);
    tenants == size.tenants + 2 && shown["shards_behind"] == 0
}

/// The last agent's phone registers, the first and the last number's calls are answered, and one that nobody has is not.
fn looks_up(rig: &Rig, node: u16, size: Size, round: &str) {
    let user = size.last_agent();
    let mut desk = Desk::of(REALM);
    let contact = format!("<sip:{user}@{}>", desk.wire.address());
    desk.register(rig.own(node), &user, &contact, 600);
    for number in [size.number(0), size.last_number()] {
        let mut caller = Caller::new(rig, &format!("{round}-{node}-{number}")).dial(&number);
        caller.connect(rig.own(node));
        let bye = caller.bye(rig.own(node));
        caller.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    }
    let mut caller = Caller::new(rig, &format!("{round}-{node}-nobody")).dial(&size.number(99_999_999));
    caller.invite(rig.own(node));
    let refused = caller.wire.expect("a refusal", |message| message.status() >= 300);
    assert_eq!(refused.status(), 404, "{}", refused.first);
    caller.ack(rig.own(node), &refused);
}

fn until_all_is_back(rig: &Rig, node: u16, size: Size) {
    rig.until_ready(node);
    until_within(APPLIED, &format!("node {node} has the configuration"), || has_all(rig, node, size));
}

#[test]
fn the_largest_configuration_survives_kills() {
    // The largest that check-config lets pass: the millionth number is the house's.
    let size = Size { agents: 50_000, tenants: 27, numbers_each: 37_037 };
    let mut rig = Rig::start(Plan::of(NODES, NODES), &house());
    let dir: PathBuf = rig.dir.join("large");
    size.write(&dir);
    run(&rig, &["check-config"], &dir);
    let asked = Asked::begin(&rig);
    let said = run(&rig, &["apply"], &dir);
    assert!(said.ends_with("version 2 is in force\n"), "{said}");
    (1..=NODES).for_each(|node| until_all_is_back(&rig, node, size));
    asked.end();
    (1..=NODES).for_each(|node| looks_up(&rig, node, size, "applied"));

    rig.kill(2);
    rig.restart(2);
    until_all_is_back(&rig, 2, size);
    looks_up(&rig, 2, size, "one-killed");
    (1..=NODES).for_each(|node| rig.kill(node));
    let begun = Instant::now();
    (1..=NODES).for_each(|node| rig.restart(node));
    (1..=NODES).for_each(|node| until_all_is_back(&rig, node, size));
    eprintln!("all nodes killed: back with all of it after {:.1} s", begun.elapsed().as_secs_f32());
    (1..=NODES).for_each(|node| looks_up(&rig, node, size, "all-killed"));
    assert_eq!(run(&rig, &["apply"], &dir), "version 2 is in force\n", "the same again is no new version");
    let agree = || {
        let groups = |node| rig.try_get(node, "/api/v1/status").expect("a status")["groups"].clone();
        let states = |node| -> Vec<(Value, Value)> {
            let groups: Value = groups(node);
            groups
                .as_array()
                .expect("groups")
                .iter()
                .map(|group| (group["applied"].clone(), group["hash"].clone()))
                .collect()
        };
        (2..=NODES).all(|node| states(node) == states(1))
    };
    assert!(holds_within(APPLIED, agree), "the nodes' states differ");
}

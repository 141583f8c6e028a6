//! Refusals an operator can act on: each names the place, the reason and what to do.

mod rig;

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use strowger_model::{NodeId, PeerId};

use rig::{House, Plan, Rig, TOKEN, strowger};

/// Exit code of a process whose configuration is wrong: EX_USAGE, which supervisors can be told not to restart.
const EXIT_CONFIG: i32 = 64;
/// Exit code of a command that no node could answer.
const EXIT_NOBODY: i32 = 3;
/// A process that cannot start must say so within this.
const PROMPTLY: Duration = Duration::from_secs(20);

/// A directory that goes with the test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let path = std::env::temp_dir().join(format!("strowger-refuse-{}-{name}", std::process::id()));
        let _none_yet = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a directory");
        Dir(path)
    }

    /// A good configuration with one change.
    fn with_tenant(name: &str, change: impl FnOnce(String) -> String) -> Dir {
        let dir = Dir::new(name);
        for (path, bytes) in House::new().registers("1001", true).files().0 {
            let at = dir.0.join(path);
            std::fs::create_dir_all(at.parent().expect("a parent")).expect("a directory");
            std::fs::write(at, bytes).expect("writing");
        }
        let tenant = dir.0.join("tenants/house.toml");
        let text = std::fs::read_to_string(&tenant).expect("reading");
        std::fs::write(&tenant, change(text)).expect("writing");
        dir
    }

    fn check(&self) -> Output {
        strowger().arg("check-config").arg(&self.0).output().expect("the binary runs")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // What cannot be removed is in the system's temporary directory.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Line of the tenant's file that a text stands on, from 1.
fn line_of(dir: &Dir, text: &str) -> usize {
    let tenant = std::fs::read_to_string(dir.0.join("tenants/house.toml")).expect("reading");
    1 + tenant.lines().position(|line| line.contains(text)).expect("the line is there")
}

fn is_refused_at(dir: &Dir, line: usize, words: &[&str]) {
    let output = dir.check();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("tenants/house.toml:{line}:")), "no place in: {text}");
    words.iter().for_each(|word| assert!(text.contains(word), "no `{word}` in: {text}"));
}

#[test]
fn good_configuration_passes() {
    let dir = Dir::with_tenant("good", |text| text);
    let output = dir.check();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let dir = Dir::with_tenant("key", |text| text.replace("miss_pause_ms = 300", "mis_pause_ms = 300"));
    is_refused_at(&dir, line_of(&dir, "mis_pause_ms"), &["mis_pause_ms"]);
}

#[test]
fn a_number_written_twice_is_refused_with_its_line() {
    let again = "[[number]]\nnumber = \"+4930555001\"\nflow = \"main\"\n[[flow]]";
    let dir = Dir::with_tenant("number", |text| text.replacen("[[flow]]", again, 1));
    is_refused_at(&dir, line_of(&dir, "+4930555001") + 3, &["+4930555001"]);
}

#[test]
fn a_flow_that_points_nowhere_is_refused_with_its_line() {
    let dir =
        Dir::with_tenant("flow", |text| text.replace("queue = \"desk\"\n[[queue]]", "queue = \"dusk\"\n[[queue]]"));
    is_refused_at(&dir, line_of(&dir, "dusk"), &["dusk"]);
}

#[test]
fn a_prompt_that_is_missing_is_refused_with_its_line() {
    let dir = Dir::with_tenant("prompt", |text| text.replace("hold.wav", "gone.wav"));
    is_refused_at(&dir, line_of(&dir, "gone.wav"), &["gone.wav"]);
}

#[test]
fn applying_wrong_configuration_changes_nothing_and_says_the_same() {
    let rig = Rig::start(Plan::of(1, 1), &House::new());
    let version = rig.get("/api/v1/status")["config_version"].clone();
    let dir = Dir::with_tenant("apply", |text| text.replace("hold.wav", "gone.wav"));
    let apply = |token: &str| {
        let mut command = strowger();
        command.arg("apply").arg(&dir.0).args(["--node", &rig.http(1), "--token", token]);
        command.output().expect("the binary runs")
    };
    let output = apply(TOKEN);
    assert_eq!(output.status.code(), Some(1));
    let line = line_of(&dir, "gone.wav");
    assert!(said(&output).contains(&format!("tenants/house.toml:{line}:")), "{}", said(&output));
    assert_eq!(rig.get("/api/v1/status")["config_version"], version, "it was taken over all the same");
    let stranger = apply("not-the-token-of-this-cluster");
    assert_eq!(stranger.status.code(), Some(1));
    assert!(said(&stranger).contains("token"), "{}", said(&stranger));
}

/// A node's file; every address can be set.
struct NodeFile {
    dir: Dir,
    own: SocketAddr,
    http: SocketAddr,
    link: SocketAddr,
    data: PathBuf,
}

impl NodeFile {
    fn new(name: &str) -> NodeFile {
        let data = PathBuf::from("data");
        NodeFile { dir: Dir::new(name), own: free(), http: free(), link: free(), data }
    }

    fn text(&self) -> String {
        format!(
            "id = 1\ndata_dir = \"{}\"\n[cluster]\nlisten = \"{link}\"\nshards = 1\n\
             voters = [{{ id = 1, link = \"{link}\" }}]\nrelays = []\ntls_dir = \"tls\"\ndevelopment = true\n\
             [sip]\nshared = \"{}\"\nown = \"{}\"\n[http]\nlisten = \"{}\"\n",
            self.data.display(),
            free(),
            self.own,
            self.http,
            link = self.link,
        )
    }

    fn start(&self, text: &str) -> Output {
        let file = self.dir.0.join("node.toml");
        std::fs::write(&file, text).expect("writing");
        let mut command = strowger();
        command.arg("node").arg("--config").arg(&file);
        ends_promptly(command, &self.dir.0)
    }
}

/// Runs what must refuse to start; it is ended here if it does not.
fn ends_promptly(mut command: Command, dir: &Path) -> Output {
    let log = dir.join("stderr");
    command.stderr(std::fs::File::create(&log).expect("a log"));
    let mut child = command.spawn().expect("the binary runs");
    let deadline = Instant::now() + PROMPTLY;
    let status = loop {
        if let Some(status) = child.try_wait().expect("its state") {
            break status;
        }
        if Instant::now() > deadline {
            let _ = (child.kill(), child.wait());
            panic!("it did not refuse: {}", std::fs::read_to_string(&log).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Output { status, stdout: Vec::new(), stderr: std::fs::read(&log).expect("its log") }
}

fn free() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port")
}

/// What a first start made counted in production, too.
#[test]
fn certificates_of_development_are_for_processes_that_say_so() {
    let file = NodeFile::new("production");
    let production = file.text().replace("development = true\n", "");
    let refused = |why: &str| {
        let output = file.start(&production);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let said = said(&output);
        assert!(said.contains(why) && said.contains("development = true"), "no `{why}` in {said}");
    };
    refused("lacks ca.pem");
    let tls = file.dir.0.join("tls");
    assert!(!tls.exists(), "nothing is made");
    strowger_link::Identity::development(&tls, PeerId::Node(NodeId(1))).expect("a CA");
    refused("was made by a first start, for development");
    assert!(!file.dir.0.join("data").exists(), "it has begun");
}

#[test]
fn wrong_configuration_of_a_process_ends_it_with_64_and_the_line() {
    let file = NodeFile::new("process");
    let good = file.text();
    for (what, text, word) in [
        ("an unknown key", good.replace("shards = 1", "shard = 1"), "node.toml:5:"),
        ("a node that is no voter", good.replacen("id = 1", "id = 2", 1), "node.toml:1:"),
        ("two listeners on one port", good.replace(&file.http.to_string(), &file.own.to_string()), "node.toml:14:"),
        ("no TOML", good.replace("[sip]", "[sip"), "node.toml:10:"),
    ] {
        let output = file.start(&text);
        assert_eq!(output.status.code(), Some(EXIT_CONFIG), "{what}: {}", said(&output));
        assert!(said(&output).contains(word), "{what}: no `{word}` in {}", said(&output));
    }
    let relay = ends_promptly(
        {
            let mut command = strowger();
            command.args(["relay", "--config", "no/such/file.toml"]);
            command
        },
        &file.dir.0,
    );
    assert_eq!(relay.status.code(), Some(EXIT_CONFIG), "{}", said(&relay));
    assert!(said(&relay).contains("no/such/file.toml"), "{}", said(&relay));
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let file = NodeFile::new("ports");
    let text = file.text();
    let refuses = |what: &str, address: SocketAddr| {
        let output = file.start(&text);
        assert_eq!(output.status.code(), Some(1), "{what}: {}", said(&output));
        let last = said(&output).lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with("strowger: ") && last.contains(&address.to_string()), "{what}: {last}");
        assert_eq!(last.matches("in use").count(), 1, "{what}: says it once: {last}");
        assert!(
            ["set another", "choose another", "configure another"].iter().any(|advice| last.contains(advice)),
            "{what}: what to do? {last}"
        );
    };
    let taken = UdpSocket::bind(file.own).expect("the port");
    refuses("SIP", file.own);
    drop(taken);
    let taken = UdpSocket::bind(file.link).expect("the port");
    refuses("link", file.link);
    drop(taken);
    let _taken = TcpListener::bind(file.http).expect("the port");
    refuses("HTTP", file.http);
}

/// A mounted file system that is taken off again.
struct Mount(PathBuf);

impl Mount {
    /// None where this user may not mount.
    fn tmpfs(at: PathBuf, kilobytes: u32) -> Option<Mount> {
        std::fs::create_dir_all(&at).ok()?;
        let size = format!("size={kilobytes}k");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output().ok()?;
        done.status.success().then_some(Mount(at))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Left behind it would be a few kilobytes.
        let _left = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_refused_at_the_start_in_words_for_a_person() {
    let mut file = NodeFile::new("full");
    let Some(mount) = Mount::tmpfs(file.dir.0.join("small"), 64) else {
        eprintln!("SKIPPED: a full disk needs the right to mount one");
        return;
    };
    file.data = mount.0.join("data");
    std::fs::create_dir_all(&file.data).expect("a directory");
    // Fills what is left; the write that fails is the point.
    let _full = std::fs::write(mount.0.join("ballast"), vec![0; 1 << 20]);
    let output = file.start(&file.text());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let last = said(&output).lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("strowger: ") && last.contains("data"), "no place: {last}");
    assert!(last.contains("full") || last.contains("space"), "no reason or no advice: {last}");
}

#[test]
fn status_of_nobody_says_what_to_do() {
    let nobody = free();
    let mut command = strowger();
    command.args(["status", "--node", &nobody.to_string()]);
    let output = command.output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(EXIT_NOBODY));
    let text = said(&output);
    assert!(text.contains(&nobody.to_string()) && text.contains("is a node running there"), "{text}");
}

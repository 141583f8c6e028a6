//! The command line on a list of leads: what it takes, what it names, and that a long list takes seconds.

mod rig;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use rig::{House, Plan, Rig, TOKEN};

const CAMPAIGN: &str = "mode = \"manual\"\n";
/// So many mobile numbers of one German block.
const FIRST: u64 = 491_721_000_000;
const LONG: u64 = 20_000;
/// For the long list, unoptimised and beside other tests; optimised it takes a twentieth.
const LONG_WITHIN: Duration = Duration::from_secs(90);

fn start() -> Rig {
    let mut house = House::new().registers("2001", true);
    house.campaign = Some(([127, 0, 0, 1], 9).into()).map(|at| (at, CAMPAIGN.to_owned()));
    Rig::start(Plan::of(3, 2), &house)
}

fn say(rig: &Rig, line: &[&str]) -> Output {
    let node = rig.http(1);
    let at = ["--node", &node, "--token", TOKEN];
    rig::strowger().args(line).args(at).output().expect("the binary runs")
}

fn import(rig: &Rig, file: &Path, more: &[&str]) -> Output {
    let file = file.to_str().expect("a plain path");
    let line = [&["leads", "import", file, "--tenant", "house", "--campaign", "spring"], more].concat();
    say(rig, &line)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn write(rig: &Rig, name: &str, text: &str) -> PathBuf {
    let file = rig.dir.join(name);
    std::fs::write(&file, text).expect("writing");
    file
}

#[test]
fn a_list_is_imported_and_its_faults_are_named() {
    let rig = start();
    // More than one part, with a record of two lines, so that lines and records differ.
    let mut text = "phone;number;name\r\n".to_owned();
    for at in 0..2500 {
        let name = if at == 10 { "\"two\nlines\"" } else { "one" };
        text += &format!("x;+{};{name}\r\n", FIRST + at);
    }
    text += "x;030 1234;late\r\n";
    text += &format!("x;+{FIRST};again\r\n");
    let (file, faults) = (write(&rig, "list.csv", &text), rig.dir.join("faults.csv"));
    let output = import(&rig, &file, &["--faults", faults.to_str().expect("a plain path")]);
    let (said, complained) = (out(&output), errors(&output));
    assert_eq!(output.status.code(), Some(1), "{said}{complained}");
    assert!(said.starts_with("2500 added, 1 duplicates, 1 invalid, in "), "{said}");
    assert!(complained.contains("list.csv:2503: `030 1234`: a number without its country"), "{complained}");
    assert!(!complained.contains('\r'), "no bar on a pipe: {complained}");
    let written = std::fs::read_to_string(&faults).expect("the faults");
    assert!(written.starts_with("line,value,why\r\n2503,\"030 1234\",\""), "{written}");

    let output =
        say(&rig, &["leads", "list", "--tenant", "house", "--campaign", "spring", "--number", "+491721000010"]);
    let said = out(&output);
    assert!(said.contains("+491721000010") && said.contains("name: two"), "{said}{}", errors(&output));

    let good = text.lines().filter(|line| !line.contains("late") && !line.contains("again"));
    let file = write(&rig, "good.csv", &good.map(|line| format!("{line}\n")).collect::<String>());
    let output = import(&rig, &file, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(out(&output).starts_with("0 added, 2500 duplicates, 0 invalid"), "{}", out(&output));

    let file = write(&rig, "bad.csv", "phone\n1\n");
    let output = import(&rig, &file, &[]);
    assert!(!output.status.success() && errors(&output).contains("no column `number`"), "{}", errors(&output));
    std::fs::write(&file, b"number\n\xe4\n").expect("writing");
    let output = import(&rig, &file, &[]);
    assert!(!output.status.success() && errors(&output).contains("bad.csv:2: not UTF-8"), "{}", errors(&output));

    // Campaigns and block lists are on the same road.
    let said = out(&say(&rig, &["campaigns", "--tenant", "house"]));
    assert!(said.contains("spring") && said.contains("2500"), "{said}");
    let output = say(&rig, &["campaigns", "start", "house", "spring"]);
    assert!(errors(&output).contains("manual"), "{}", errors(&output));
    assert!(say(&rig, &["do-not-call", "add", "+491721000010", "+44 20 7183 8750"]).status.success());
    assert_eq!(out(&say(&rig, &["do-not-call", "list"])), "+442071838750\n+491721000010\n");
    let output = say(&rig, &["dial", "house", "2001", "+491721000010", "--campaign", "spring"]);
    assert!(!output.status.success() && errors(&output).contains("logged_out"), "{}", errors(&output));
    assert!(out(&say(&rig, &["status"])).contains("spring"));
}

#[test]
fn a_long_list_takes_seconds() {
    let rig = start();
    let lines: String = (0..LONG).map(|at| format!("+{},name {at},Berlin,{at}\n", FIRST + at)).collect();
    let file = write(&rig, "long.csv", &format!("number,name,city,customer\n{lines}"));
    let begun = Instant::now();
    let output = import(&rig, &file, &[]);
    let took = begun.elapsed();
    eprintln!("{}", out(&output));
    assert!(out(&output).starts_with(&format!("{LONG} added, 0 duplicates, 0 invalid")), "{}", errors(&output));
    assert!(took < LONG_WITHIN, "{LONG} lines took {took:?}");
}

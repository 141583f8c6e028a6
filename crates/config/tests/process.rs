//! What the processes are told about their own files.

mod world;

use std::path::Path;

use strowger_config::Fault;
use strowger_config::process::{NodeConfig, RelayConfig};
use world::lines;

const NODE: &str = r#"id = 2
data_dir = "data"
[cluster]
listen = "127.0.0.1:7001"
voters = [
  { id = 1, link = "127.0.0.1:7001" },
  { id = 2, link = "127.0.0.1:7002" },
  { id = 3, link = "127.0.0.1:7003" },
]
relays = [{ id = 1, link = "127.0.0.1:7101" }]
tls_dir = "/etc/strowger/tls"
[sip]
shared = "127.0.0.1:5060"
own = "127.0.0.1:5061"
[http]
listen = "127.0.0.1:8081"
"#;

const RELAY: &str = r#"id = 1
content_dir = "content"
[link]
listen = "127.0.0.1:7101"
tls_dir = "tls"
[media]
address = "127.0.0.1"
ports = "20000-29999"
[http]
listen = "127.0.0.1:8101"
"#;

type Case = (&'static str, &'static str, &'static [&'static str]);

fn check<T>(good: &str, cases: &[Case], parse: impl Fn(&[u8]) -> Result<T, Vec<Fault>>) {
    for (from, to, expected) in cases {
        assert!(good.contains(from), "{from:?}");
        let faults = parse(good.replacen(from, to, 1).as_bytes()).err().unwrap_or_default();
        assert_eq!(lines(&faults), *expected, "for {to:?}");
    }
}

#[test]
fn a_node_has_its_defaults() {
    let node = NodeConfig::parse("n.toml", Path::new("/srv"), NODE.as_bytes()).unwrap();
    assert_eq!(node.data_dir, Path::new("/srv/data"));
    assert_eq!((node.cluster.tls_dir.as_path(), node.cluster.data_keys), (Path::new("/etc/strowger/tls"), None));
    assert!(!node.cluster.is_development, "only who says so");
    let development = NODE.replace("voters = [", "development = true\nvoters = [");
    assert!(NodeConfig::parse("n.toml", Path::new(""), development.as_bytes()).unwrap().cluster.is_development);
    assert_eq!((node.cluster.shards, node.limits.max_calls, node.limits.max_calls_per_second), (3, 20_000, 500));
    assert_eq!((node.archive.days, node.archive.max_gib), (30, 20));
    assert_eq!(node.sip.advertised, node.sip.shared);
    assert_eq!(node.sip.proxies, []);
    let proxies = "proxies = [\"192.0.2.7\", \"10.0.0.0/8\"]\n[http]";
    let node = NodeConfig::parse("n.toml", Path::new(""), NODE.replace("[http]", proxies).as_bytes()).unwrap();
    assert_eq!(node.sip.proxies, ["192.0.2.7".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]);
}

/// What a running process reads again is not named as waiting for the next start, and all else is.
#[test]
fn what_counts_at_the_next_start_only_is_named() {
    let node = |text: &str| NodeConfig::parse("n.toml", Path::new("/srv"), text.as_bytes()).unwrap();
    let at_once =
        "[outbound]\ndeny = [\"+49\"]\n[outbound.each_agent]\nmax_numbers_per_hour = 60\n[log]\nlevels = \"info\"\n";
    let keys = NODE.replace("[sip]", "data_keys = \"other.keys\"\n[sip]");
    assert!(node(&format!("{keys}{at_once}")).later_than(&node(NODE)).is_empty());
    for (from, to, part) in [
        ("id = 2\n", "id = 1\n", "id"),
        ("data_dir = \"data\"", "data_dir = \"other\"", "data_dir"),
        ("tls_dir = \"", "tls_dir = \"/other", "[cluster]"),
        ("own = \"127.0.0.1:5061\"", "own = \"127.0.0.1:5062\"", "[sip]"),
        ("listen = \"127.0.0.1:8081\"", "listen = \"127.0.0.1:8082\"", "[http]"),
        ("[http]", "[limits]\nmax_calls = 7\n[http]", "[limits]"),
        ("[http]", "[archive]\ndays = 7\n[http]", "[archive]"),
    ] {
        assert!(NODE.contains(from), "{from}");
        assert_eq!(node(&NODE.replace(from, to)).later_than(&node(NODE)), [part]);
    }
    let relay = |text: &str| RelayConfig::parse("r.toml", Path::new("/srv"), text.as_bytes()).unwrap();
    assert!(relay(&format!("{RELAY}[log]\nlevels = \"info\"\n")).later_than(&relay(RELAY)).is_empty());
    let other = RELAY.replace("29999", "29997").replace("8101", "8102").replace("id = 1", "id = 9");
    assert_eq!(relay(&other).later_than(&relay(RELAY)), ["id", "[media]", "[http]"]);
    let other = RELAY.replace("content\"", "other\"").replace("7101", "7102");
    assert_eq!(relay(&other).later_than(&relay(RELAY)), ["content_dir", "[link]"]);
}

#[test]
fn faults_of_a_node() {
    let cases: &[Case] = &[
        ("id = 2", "", &["n.toml:1:1: the file has no `id`: add id = 1"]),
        ("id = 2", "id = 0", &["n.toml:1:6: `id` is 0: write 1 to 65535"]),
        (
            "id = 2",
            "id = 4",
            &["n.toml:1:6: node 4 is not among the voters: correct the id, or add it to cluster.voters"],
        ),
        (
            "  { id = 3, link = \"127.0.0.1:7003\" },\n",
            "",
            &["n.toml:3:1: the cluster has 2 voters: write 1, 3 or 5 of them"],
        ),
        (
            "id = 3",
            "id = 1",
            &[
                "n.toml:3:1: the cluster has 2 voters: write 1, 3 or 5 of them",
                "n.toml:8:10: id 1 stands twice in voters: correct one of the two",
            ],
        ),
        (
            "[http]",
            "proxies = [\"10.0.0.0/99\"]\n[http]",
            &[
                "n.toml:15:12: `10.0.0.0/99` is no network: an address of its kind has 32 bits: write proxies = [\"192.0.2.7\"]",
            ],
        ),
        (
            "127.0.0.1:7003",
            "127.0.0.1:7101",
            &["n.toml:10:28: link 127.0.0.1:7101 is already written at n.toml:8: correct one of the two"],
        ),
        (
            "127.0.0.1:7003",
            "0.0.0.0:7003",
            &[
                "n.toml:8:20: link is 0.0.0.0:7003, where nobody can send to: write the address and port that others reach",
            ],
        ),
        (
            "127.0.0.1:8081",
            "127.0.0.1:5061",
            &["n.toml:16:10: http.listen is 127.0.0.1:5061, the same as sip.own: choose another port"],
        ),
        (
            "127.0.0.1:8081",
            "0.0.0.0:5061",
            &["n.toml:16:10: http.listen is 0.0.0.0:5061, the same as sip.own: choose another port"],
        ),
        (
            "127.0.0.1:8081",
            "localhost:8081",
            &["n.toml:16:10: `listen` is `localhost:8081`: write it like listen = \"127.0.0.1:8081\""],
        ),
        (
            "127.0.0.1:8081",
            "127.0.0.1:0",
            &["n.toml:16:10: http.listen is 127.0.0.1:0: choose a port: peers must know it"],
        ),
        (
            "shared = \"127.0.0.1:5060\"",
            "shared = \"0.0.0.0:5060\"",
            &[
                "n.toml:12:1: sip.shared is on all addresses, so none can be advertised: add advertised = \"192.0.2.1:5060\", the address that carriers and phones reach",
            ],
        ),
        ("tls_dir", "shards = 65\ntls_dir", &["n.toml:11:10: `shards` is 65: write 1 to 64 shards"]),
        (
            "8081\"",
            "8081\"\nhosts = [\"board.example.com\", \"board:8081\", \"*.example.com\"]",
            &[
                "n.toml:17:31: http.hosts names `board:8081`: write a name of DNS as browsers ask for it, without a port",
                "n.toml:17:45: http.hosts names `*.example.com`: write a name of DNS as browsers ask for it, without a port",
            ],
        ),
        ("[http]\nlisten = \"127.0.0.1:8081\"", "", &["n.toml:1:1: the file has no `http`: add [http]"]),
        (
            "[http]",
            "[limit]\n[http]",
            &[
                "n.toml:15:2: the file has no key `limit`: known are id, data_dir, cluster, sip, http, limits, archive, log, outbound",
            ],
        ),
        (
            "[http]",
            "[limits]\nmax_calls = 200000\n[http]",
            &["n.toml:16:13: `max_calls` is 200000: write 1 to 100000 calls"],
        ),
        (
            "data_dir = \"data\"",
            "data_dir = \"\"",
            &["n.toml:2:12: `data_dir` is empty: write it like data_dir = \"data\""],
        ),
    ];
    check(NODE, cases, |text| NodeConfig::parse("n.toml", Path::new(""), text));
}

#[test]
fn numbers_that_are_dialled_are_listed_for_all_for_a_tenant_and_for_a_trunk() {
    let lists = "[outbound]\nallow = [\"+49\"]\ndeny = [\"+4932\"]\n[[outbound.tenant]]\nname = \"acme\"\ncostly = [\"+8816\"]\n\
                 [[outbound.trunk]]\nname = \"carrier\"\ndeny = [\"+1\"]\n";
    let parse = |text: &str| NodeConfig::parse("n.toml", Path::new(""), text.as_bytes());
    assert_eq!(parse(NODE).unwrap().outbound, Default::default());
    let outbound = parse(&format!("{NODE}\n{lists}")).unwrap().outbound;
    let prefix = |text: &str| text.parse::<strowger_model::Prefix>().unwrap();
    assert_eq!((outbound.everyone.allow, outbound.everyone.deny), (vec![prefix("+49")], vec![prefix("+4932")]));
    assert_eq!(outbound.tenants["acme"].costly, [prefix("+8816")]);
    assert_eq!(outbound.trunks["carrier"].deny, [prefix("+1")]);
    let caps = "[outbound.each_agent]\nmax_numbers_per_hour = 60\n[[outbound.tenant]]\nname = \"acme\"\nmax_calls_at_once = 5\n\
                max_numbers_per_hour = 0\n";
    let caps = parse(&format!("{NODE}\n{caps}")).unwrap().caps;
    assert_eq!((caps.each_agent.numbers_per_hour, caps.each_agent.calls), (Some(60), None));
    let acme = caps.tenants["acme"];
    assert_eq!(
        (acme.calls, acme.numbers_per_hour, acme.minutes_per_hour),
        (Some(5), Some(0), None),
        "0 goes before all's"
    );
    let faults = parse(&format!(
        "{NODE}\n{}",
        lists.replace("+4932", "04932").replace("carrier\"", "carrier\"\n[[outbound.trunk]]\nname = \"carrier\"")
    ));
    let faults: Vec<String> = faults.unwrap_err().iter().map(|fault| fault.to_string()).collect();
    assert!(faults.iter().any(|fault| fault.contains("`04932` begins no number")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("trunk `carrier` stands twice in `outbound`")), "{faults:?}");
}

/// What nobody can be called by, and keys that are misspelt: a list that counts for nobody would deny nothing.
#[test]
fn names_in_outbound_are_judged_where_they_stand() {
    let cases: &[Case] = &[
        (
            "[http]",
            "[[outbound.tenant]]\nname = \"acme inc\"\n[http]",
            &["n.toml:16:8: `acme inc` is no name for a tenant: use 1 to 63 of A-Z a-z 0-9 . _ -"],
        ),
        (
            "[http]",
            "[[outbound.trunks]]\nname = \"carrier\"\n[http]",
            &[
                "n.toml:15:12: [outbound] has no key `trunks`: known are allow, deny, costly, each_agent, each_tenant, each_trunk, tenant, trunk",
            ],
        ),
        (
            "[http]",
            "[[outbound.tenant]]\nname = \"acme\"\ndenied = [\"+1\"]\n[http]",
            &[
                "n.toml:17:1: [[outbound.tenant]] has no key `denied`: known are name, allow, deny, costly, max_calls_at_once, max_numbers_per_hour, max_minutes_per_hour",
            ],
        ),
    ];
    check(NODE, cases, |text| NodeConfig::parse("n.toml", Path::new(""), text));
}

/// Nodes that dial by different lists dial what one of them lets pass: what one example file says, all do.
#[test]
fn the_example_files_of_all_nodes_differ_in_the_nodes_number_alone() {
    let of_node = |node: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../config/node-{node}.toml"));
        std::fs::read_to_string(path).unwrap()
    };
    let first = of_node("1");
    assert!(first.contains("[outbound.each_agent]"));
    for node in ["2", "3"] {
        let other = of_node(node);
        assert_eq!(first.lines().count(), other.lines().count(), "node-{node}.toml");
        for (of_first, line) in first.lines().zip(other.lines()) {
            assert_eq!(of_first.replace(node, "1"), line.replace(node, "1"), "node-{node}.toml");
        }
    }
}

#[test]
fn faults_of_a_relay() {
    let cases: &[Case] = &[
        (
            "20000-29999",
            "29999-20000",
            &[
                "r.toml:8:9: `29999-20000` is no range of ports: write an even port of 1024 or more and a higher odd one, like ports = \"20000-29999\"",
            ],
        ),
        (
            "20000-29999",
            "20001-29999",
            &[
                "r.toml:8:9: `20001-29999` is no range of ports: write an even port of 1024 or more and a higher odd one, like ports = \"20000-29999\"",
            ],
        ),
        (
            "20000-29999",
            "80-29999",
            &[
                "r.toml:8:9: `80-29999` is no range of ports: write an even port of 1024 or more and a higher odd one, like ports = \"20000-29999\"",
            ],
        ),
        (
            "20000-29999",
            "20000-99999",
            &[
                "r.toml:8:9: `20000-99999` is no range of ports: write an even port of 1024 or more and a higher odd one, like ports = \"20000-29999\"",
            ],
        ),
        (
            "127.0.0.1:7101",
            "127.0.0.1:20000",
            &["r.toml:4:10: link.listen is 127.0.0.1:20000, a port within media.ports: choose a port outside them"],
        ),
        (
            "127.0.0.1:8101",
            "127.0.0.1:7101",
            &["r.toml:10:10: http.listen is 127.0.0.1:7101, the same as link.listen: choose another port"],
        ),
        (
            "address = \"127.0.0.1\"",
            "address = \"0.0.0.0\"",
            &[
                "r.toml:7:11: 0.0.0.0 is no address to send media to: add advertise = \"192.0.2.5\", the address that carriers and phones reach",
            ],
        ),
        (
            "ports",
            "dead_media_ms = 10\nports",
            &["r.toml:8:17: `dead_media_ms` is 10: write 1000 to 3600000 ms, or 0 for never"],
        ),
        ("ports", "dead_media_ms = 0\nports", &[]),
        ("ports", "refuse = [\"10.0.0.0/8\", \"192.0.2.7\", \"fd00::/8\"]\nports", &[]),
        (
            "ports",
            "refuse = [\"10.1.0.0/8\", \"inside\"]\nports",
            &[
                "r.toml:8:11: `10.1.0.0/8` is no network: its first address is 10.0.0.0/8: write refuse = [\"10.0.0.0/8\"]",
                "r.toml:8:25: `inside` is no network: it is neither an IP address nor one with the number of its leading bits behind a slash: write refuse = [\"10.0.0.0/8\"]",
            ],
        ),
        ("ports", "threads = 0\nports", &["r.toml:8:11: `threads` is 0: write 1 to 64 threads"]),
    ];
    check(RELAY, cases, |text| RelayConfig::parse("r.toml", Path::new(""), text));
}

#[test]
fn relays_have_sites_and_know_each_other() {
    let node = NODE.replace("7101\" }]", "7101\", site = \"east\" }, { id = 2, link = \"127.0.0.1:7102\" }]");
    let node = NodeConfig::parse("n.toml", Path::new(""), node.as_bytes()).unwrap();
    let sites: Vec<_> = node.cluster.relays.iter().map(|relay| (relay.id.0, relay.site.as_str())).collect();
    assert_eq!(sites, [(1, "east"), (2, "")]);

    let relay = RelayConfig::parse("r.toml", Path::new(""), RELAY.as_bytes()).unwrap();
    assert_eq!(relay.link.relays, []);
    let joined =
        "tls_dir = \"tls\"\nrelays = [{ id = 3, link = \"127.0.0.1:7103\" }, { id = 2, link = \"127.0.0.1:7102\" }]";
    let relay = RELAY.replace("tls_dir = \"tls\"", joined);
    let relay = RelayConfig::parse("r.toml", Path::new(""), relay.as_bytes()).unwrap();
    let others: Vec<_> = relay.link.relays.iter().map(|relay| (relay.id.0, relay.link.port())).collect();
    assert_eq!(others, [(2, 7102), (3, 7103)]);
}

#[test]
fn faults_of_relays_and_sites() {
    let site: &[Case] = &[
        (
            "7101\" }]",
            "7101\", site = \"\" }]",
            &["n.toml:10:53: `` is no name for a site: use 1 to 63 of A-Z a-z 0-9 . _ -"],
        ),
        (
            "7001\" }",
            "7001\", site = \"east\" }",
            &["n.toml:6:38: { id = 1, link = \"192.0.2.1:7001\" } has no key `site`: known are id, link"],
        ),
    ];
    check(NODE, site, |text| NodeConfig::parse("n.toml", Path::new(""), text));
    let relays: &[Case] = &[
        (
            "tls_dir = \"tls\"",
            "tls_dir = \"tls\"\nrelays = [{ id = 1, link = \"127.0.0.1:7102\" }]",
            &["r.toml:1:6: relay 1 is among the relays that it joins: correct the id, or take it out of link.relays"],
        ),
        (
            "tls_dir = \"tls\"",
            "tls_dir = \"tls\"\nrelays = [{ id = 2, link = \"127.0.0.1:7102\" }, { id = 2, link = \"0.0.0.0:7103\" }]",
            &[
                "r.toml:6:55: id 2 stands twice in relays: correct one of the two",
                "r.toml:6:65: link is 0.0.0.0:7103, where nobody can send to: write the address and port that others reach",
            ],
        ),
    ];
    check(RELAY, relays, |text| RelayConfig::parse("r.toml", Path::new(""), text));
}

#[test]
fn a_file_that_is_not_there() {
    let faults = NodeConfig::load(Path::new("/nowhere/n.toml")).unwrap_err();
    let told = "/nowhere/n.toml: cannot be read: No such file or directory (os error 2): check the path and its rights";
    assert_eq!(lines(&faults), [told]);
}

//! Campaigns and what they need of trunks: how they are read, what is wrong with them, their ids and differences.

mod world;

use std::sync::Arc;

use strowger_config::{Files, NextIds, Resolved, resolve};
use strowger_model::config::{Campaign, DialMode, Hours, LeadColumns, Retry};
use strowger_model::{CampaignId, DialResult, Far, QueueId, TrunkId};
use world::{draft, edit, good, told};

const ACME: &str = "tenants/acme.toml";
const TRUNKS: &str = "trunks.toml";
/// Begins on line 27 of acme.
const CAMPAIGN: &str = r#"[[campaign]]
name = "spring"
mode = "progressive"
queue = "sales"
trunk = "carrier"
caller_id = "+4930123456"
"#;

fn with_campaign() -> Files {
    let mut files = good();
    edit(&mut files, ACME, "queues = [\"sales\"]\n", &format!("queues = [\"sales\"]\n{CAMPAIGN}"));
    edit(&mut files, TRUNKS, "sources", "destination = \"192.0.2.10:5060\"\nsources");
    files
}

fn apply(files: &Files, before: Option<&Resolved>) -> Resolved {
    let tenants: Vec<_> = before.iter().flat_map(|before| before.tenants.iter().cloned().map(Arc::new)).collect();
    let trunks = before.map(|before| before.trunks.clone()).unwrap_or_default();
    let floor = before.map_or(NextIds::default(), |before| before.next_ids);
    resolve(&draft(files), &tenants, &trunks, 3, floor)
}

fn changes(resolved: &Resolved) -> Vec<String> {
    resolved.changes.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_not_written_has_a_default() {
    let resolved = apply(&with_campaign(), None);
    let campaign = Campaign {
        id: CampaignId(1),
        name: "spring".into(),
        mode: DialMode::Progressive,
        queue: QueueId(1),
        trunk: TrunkId(1),
        caller_id: "+4930123456".parse().unwrap(),
        ring_timeout_ms: 20_000,
        keep_idle: 0,
        start: false,
        max_attempts: 3,
        retries: Vec::new(),
        zone: None,
        hours: vec![Hours { days: 0b111_1111, from_min: 480, to_min: 1260 }],
        columns: LeadColumns { number: "number".into(), zone: Some("zone".into()) },
    };
    assert_eq!(resolved.tenants[0].campaigns, [campaign]);
    assert!(resolved.tenants[0].takes_anonymous);
    let trunk = &resolved.trunks[0];
    assert_eq!((trunk.destination, trunk.max_dials_per_second), (Some(Far::udp(([192, 0, 2, 10], 5060))), 10));
    assert_eq!((trunk.site.as_str(), resolved.tenants[0].agents[0].site.as_str()), ("", ""));
    assert_eq!(
        changes(&resolved)[0],
        "+ tenant acme: 1 number, 1 flow, 1 queue, 1 agent, 1 campaign",
        "campaigns are counted"
    );
}

#[test]
fn everything_that_may_be_written_is_read() {
    let mut files = with_campaign();
    let all = "start = true\nring_timeout_ms = 15000\nkeep_idle = 2\nmax_attempts = 20\nzone = \"europe/berlin\"\n\
        retry_after_s = { no_answer = 7200, busy = 900 }\nhours = [\"sat 09:00-17:00\", \"mon-fri 08:00-21:00\"]\n\
        columns = { number = \"phone\" }\ncaller_id";
    edit(&mut files, ACME, "caller_id", all);
    edit(&mut files, ACME, "queues = [\"sales\"]", "queues = [\"sales\"]\nsite = \"east\"");
    edit(&mut files, ACME, "realm", "takes_anonymous = false\nrealm");
    edit(
        &mut files,
        TRUNKS,
        ":5060\"\nsources",
        ":5060;transport=tcp\"\nsite = \"west\"\nmax_dials_per_second = 30\nsources",
    );
    let resolved = apply(&files, None);
    let acme = &resolved.tenants[0];
    let campaign = &acme.campaigns[0];
    assert_eq!((campaign.start, campaign.ring_timeout_ms, campaign.keep_idle), (true, 15_000, 2));
    assert_eq!((campaign.max_attempts, campaign.zone.as_deref()), (20, Some("Europe/Berlin")));
    let retry = |result, after_s| Retry { result, after_s };
    assert_eq!(campaign.retries, [retry(DialResult::Busy, 900), retry(DialResult::NoAnswer, 7200)]);
    let hours = |days, from_min, to_min| Hours { days, from_min, to_min };
    assert_eq!(campaign.hours, [hours(0b001_1111, 480, 1260), hours(0b010_0000, 540, 1020)]);
    assert_eq!((campaign.columns.number.as_str(), campaign.columns.zone.as_deref()), ("phone", Some("zone")));
    assert_eq!((acme.agents[0].site.as_str(), acme.takes_anonymous), ("east", false));
    let trunk = &resolved.trunks[0];
    assert_eq!((trunk.destination, trunk.max_dials_per_second), (Some(Far::tcp(([192, 0, 2, 10], 5060))), 30));
    assert_eq!(trunk.site, "west");
}

#[test]
fn faults_of_campaigns() {
    type Case = (&'static str, &'static str, &'static [&'static str]);
    let cases: &[Case] = &[
        (
            "\"progressive\"",
            "\"predictive\"",
            &["tenants/acme.toml:29:8: mode `predictive` is not built yet: known are progressive, manual"],
        ),
        (
            "\"progressive\"",
            "\"auto\"",
            &["tenants/acme.toml:29:8: there is no mode `auto`: known are progressive, manual"],
        ),
        (
            "mode = \"progressive\"\nqueue = \"sales\"",
            "queue = \"sale\"",
            &[
                "tenants/acme.toml:27:1: [[campaign]] has no `mode`: add mode = \"progressive\"",
                "tenants/acme.toml:29:9: there is no queue `sale`: known are sales: correct it, or add it",
            ],
        ),
        (
            "\"carrier\"",
            "\"carier\"",
            &[
                "tenants/acme.toml:31:9: there is no trunk `carier`: known are carrier: correct it, or add it to trunks.toml",
            ],
        ),
        (
            "\"+4930123456\"\n",
            "\"030 123456\"\n",
            &["tenants/acme.toml:32:13: `caller_id` is `030 123456`: write it like caller_id = \"+4930123456\""],
        ),
        (
            "caller_id",
            "ring_timeout_ms = 14999\nmax_attempts = 21\nkeep_idle = 50001\ncaller_id",
            &[
                "tenants/acme.toml:32:19: `ring_timeout_ms` is 14999: write 15000 to 120000 ms",
                "tenants/acme.toml:33:16: `max_attempts` is 21: write 1 to 20 calls",
                "tenants/acme.toml:34:13: `keep_idle` is 50001: write 0 to 50000 agents",
            ],
        ),
        (
            "caller_id",
            "zone = \"CEST\"\ncaller_id",
            &[
                "tenants/acme.toml:32:8: there is no time zone `CEST`: write an IANA name, like zone = \"Europe/Berlin\"",
            ],
        ),
        (
            "caller_id",
            "zone = \"Etc/Unknown\"\ncaller_id",
            &[
                "tenants/acme.toml:32:8: there is no time zone `Etc/Unknown`: write an IANA name, like zone = \"Europe/Berlin\"",
            ],
        ),
        (
            "caller_id",
            "hours = [\"mon-fri 8-21\", \"sat 22:00-06:00\", \"sun 10:00-12:00\"]\ncaller_id",
            &[
                "tenants/acme.toml:32:10: `mon-fri 8-21` are no hours: write days and times, like hours = [\"mon-fri 08:00-21:00\", \"sat 09:00-17:00\"]",
                "tenants/acme.toml:32:26: `sat 22:00-06:00` are no hours: end later than you begin; for a night write two: up to 24:00, and from 00:00 on the next day",
            ],
        ),
        (
            "caller_id",
            "hours = []\ncaller_id",
            &[
                "tenants/acme.toml:27:1: without hours nobody is ever called: write hours = [\"mon-fri 08:00-21:00\", \"sat 09:00-17:00\"], or leave `hours` out",
            ],
        ),
        (
            "caller_id",
            "retry_after_s = { busy = 900, connected = 900, engaged = 900, no_answer = 5 }\ncaller_id",
            &[
                "tenants/acme.toml:32:31: `connected` is no result that a call is tried again after: known are abandoned, busy, no_answer, rejected, invalid_number, unreachable, carrier_failed, not_dialled, unknown",
                "tenants/acme.toml:32:48: `engaged` is no result that a call is tried again after: known are abandoned, busy, no_answer, rejected, invalid_number, unreachable, carrier_failed, not_dialled, unknown",
                "tenants/acme.toml:32:75: `retry_after_s` is 5: write 60 to 2592000 s",
            ],
        ),
        (
            "caller_id",
            "columns = { phone = \"number\" }\nretries = 3\ncaller_id",
            &[
                "tenants/acme.toml:32:13: columns = { number = \"number\", zone = \"zone\" } has no key `phone`: known are number, zone",
                "tenants/acme.toml:33:1: [[campaign]] has no key `retries`: known are name, mode, queue, trunk, caller_id, ring_timeout_ms, keep_idle, start, max_attempts, retry_after_s, zone, hours, columns",
            ],
        ),
        (
            "name = \"spring\"\n",
            "name = \"spring time\"\n",
            &["tenants/acme.toml:28:8: `spring time` is no name for a campaign: use 1 to 63 of A-Z a-z 0-9 . _ -"],
        ),
    ];
    for (from, to, expected) in cases {
        let mut files = with_campaign();
        edit(&mut files, ACME, CAMPAIGN, &CAMPAIGN.replacen(from, to, 1));
        told(&files, expected, to);
    }
    let mut twice = with_campaign();
    edit(&mut twice, ACME, CAMPAIGN, &(CAMPAIGN.to_owned() + CAMPAIGN));
    told(
        &twice,
        &[
            "tenants/acme.toml:34:8: campaign `spring` is already named at tenants/acme.toml:28: give one of them another name",
        ],
        "twice",
    );
}

#[test]
fn faults_of_trunks_that_campaigns_meet() {
    let mut files = with_campaign();
    edit(&mut files, TRUNKS, "destination = \"192.0.2.10:5060\"\n", "");
    let none = "tenants/acme.toml:31:9: trunk `carrier` takes no outbound calls: give it a destination in trunks.toml, or name another";
    told(&files, &[none], "none");
    // Whose trunks cannot be read is not told that they are not there.
    edit(&mut files, TRUNKS, "[[trunk]]", "[[trunk]");
    told(&files, &["trunks.toml:1:9: not TOML: unclosed array table, expected `]`: correct the syntax"], "unreadable");
    files.0.remove(TRUNKS);
    told(
        &files,
        &["tenants/acme.toml:31:9: there is no trunk `carrier`: none is defined: correct it, or add it to trunks.toml"],
        "no file",
    );
    for bad in
        ["carrier.example.com:5060", "192.0.2.10", "0.0.0.0:5060", "192.0.2.10:0", "192.0.2.10:5060;transport=tls"]
    {
        let mut files = good();
        edit(&mut files, TRUNKS, "sources", &format!("destination = \"{bad}\"\nsources"));
        let fix = "write ADDRESS:PORT, where ADDRESS is an IP address; ;transport=tcp may follow";
        told(&files, &[&format!("trunks.toml:3:15: `{bad}` is no destination: {fix}")], bad);
    }
    let mut files = good();
    edit(&mut files, TRUNKS, "sources", "max_dials_per_second = 0\nsite = \"in the west\"\nsources");
    told(
        &files,
        &[
            "trunks.toml:3:24: `max_dials_per_second` is 0: write 1 to 10000 calls/s",
            "trunks.toml:4:8: `in the west` is no name for a site: use 1 to 63 of A-Z a-z 0-9 . _ -",
        ],
        "limits",
    );
}

#[test]
fn campaigns_keep_their_ids_and_point_to_ids() {
    let first = apply(&with_campaign(), None);
    let mut files = with_campaign();
    // Everything that it points to is written further down now.
    edit(&mut files, TRUNKS, "[[trunk]]", "[[trunk]]\nname = \"aaa\"\nsources = [\"192.0.2.99\"]\n[[trunk]]");
    let queue = "[[queue]]\nname = \"aaa\"\nmusic = \"hold.wav\"\n[[queue]]\nname = \"sales\"";
    edit(&mut files, ACME, "[[queue]]\nname = \"sales\"", queue);
    let other = CAMPAIGN.replace("spring", "autumn");
    edit(&mut files, ACME, CAMPAIGN, &(other + CAMPAIGN));
    let second = apply(&files, Some(&first));
    assert_eq!(changes(&second), ["+ queue acme/aaa", "+ campaign acme/autumn", "+ trunk aaa"]);
    let names: Vec<_> =
        second.tenants[0].campaigns.iter().map(|campaign| (campaign.id.0, campaign.name.as_str())).collect();
    assert_eq!(names, [(1, "spring"), (2, "autumn")]);
    for campaign in &second.tenants[0].campaigns {
        assert_eq!((campaign.queue, campaign.trunk), (QueueId(1), TrunkId(1)));
    }

    // Ids are not given again.
    let third = apply(&good(), Some(&second));
    assert_eq!(third.next_ids.campaign, 3);
    let fourth = apply(&with_campaign(), Some(&third));
    assert_eq!(fourth.tenants[0].campaigns[0].id, CampaignId(3));
}

#[test]
fn differences_are_told() {
    let first = apply(&with_campaign(), None);
    assert_eq!(changes(&apply(&with_campaign(), Some(&first))), [""; 0]);
    let mut files = with_campaign();
    let more = "zone = \"Europe/Berlin\"\nretry_after_s = { busy = 900 }\nhours = [\"mon-tue 09:00-12:00\"]\nkeep_idle = 1\n\
        columns = { number = \"phone\" }\ncaller_id";
    edit(&mut files, ACME, "caller_id", more);
    edit(&mut files, ACME, "progressive", "manual");
    edit(&mut files, ACME, "queues = [\"sales\"]", "queues = [\"sales\"]\nsite = \"east\"");
    edit(&mut files, ACME, "realm", "takes_anonymous = false\nrealm");
    edit(
        &mut files,
        TRUNKS,
        ":5060\"\nsources",
        ":5070;transport=tcp\"\nsite = \"west\"\nmax_dials_per_second = 30\nsources",
    );
    assert_eq!(
        changes(&apply(&files, Some(&first))),
        [
            "~ tenant acme: takes_anonymous true → false",
            "~ agent acme/1001: site none → east",
            "~ campaign acme/spring: mode progressive → manual, keep_idle 0 → 1, retry_after_s none → busy 900, \
             zone none → Europe/Berlin, hours mon,tue,wed,thu,fri,sat,sun 08:00-21:00 → mon,tue 09:00-12:00, columns",
            "~ trunk carrier: destination 192.0.2.10:5060 → 192.0.2.10:5070;transport=tcp, \
             max_dials_per_second 10 → 30, site none → west",
        ]
    );
}

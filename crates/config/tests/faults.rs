//! One broken file for each kind of fault, and what the operator is told: syntax, names, numbers, flows, files.

mod world;

use world::{check, edited, files, good, told};

const ACME: &str = "tenants/acme.toml";
const BOLT: &str = "tenants/bolt.toml";
const TRUNKS: &str = "trunks.toml";

#[test]
fn a_good_configuration_has_none() {
    told(&good(), &[], "good");
}

#[test]
fn of_syntax_and_types() {
    check(&[
        (
            ACME,
            "name = \"acme\"",
            "name = ",
            &[
                "tenants/acme.toml:1:8: not TOML: string values must be quoted, expected literal string: correct the syntax",
            ],
        ),
        (
            ACME,
            "name = \"acme\"",
            "name = \"acme\"\nname = \"acme\"",
            &["tenants/acme.toml:2:1: not TOML: duplicate key: correct the syntax"],
        ),
        (
            ACME,
            "[[queue]]",
            "[[queues]]",
            &[
                "tenants/acme.toml:15:9: there is no queue `sales`: none is defined: correct it, or add it",
                "tenants/acme.toml:20:3: the file has no key `queues`: known are name, realm, digest, queue, flow, number, agent, agents, campaign, takes_anonymous",
                "tenants/acme.toml:26:11: there is no queue `sales`: none is defined: correct it, or add it",
            ],
        ),
        (
            ACME,
            "music =",
            "ring_timeuot_ms = 5\nmusic =",
            &[
                "tenants/acme.toml:22:1: [[queue]] has no key `ring_timeuot_ms`: known are name, strategy, music, ring_timeout_ms, wrap_up_ms, max_misses, miss_pause_ms, max_waiting, max_wait_ms, service_level_ms",
            ],
        ),
        (
            ACME,
            "music =",
            "ring_timeout_ms = \"5 s\"\nmusic =",
            &["tenants/acme.toml:22:19: `ring_timeout_ms` is a string: write a whole number of 1000 to 120000 ms"],
        ),
        (
            ACME,
            "music =",
            "ring_timeout_ms = 500\nmusic =",
            &["tenants/acme.toml:22:19: `ring_timeout_ms` is 500: write 1000 to 120000 ms"],
        ),
        (
            ACME,
            "music =",
            "ring_timeout_ms = -1\nmusic =",
            &["tenants/acme.toml:22:19: `ring_timeout_ms` is -1: write 1000 to 120000 ms"],
        ),
        (
            ACME,
            "music =",
            "ring_timeout_ms = 0\nmusic =",
            &["tenants/acme.toml:22:19: `ring_timeout_ms` is 0: write 1000 to 120000 ms"],
        ),
        (
            ACME,
            "music =",
            "wrap_up_ms = 9_999_999\nmusic =",
            &["tenants/acme.toml:22:14: `wrap_up_ms` is 9999999: write 1 to 3600000 ms, or 0 for none"],
        ),
        (
            ACME,
            "\"hold.wav\"",
            "7",
            &[
                "tenants/acme.toml:22:9: `music` is a whole number: write a string, for example music = \"music/hold.wav\"",
            ],
        ),
        (
            ACME,
            "music = \"hold.wav\"",
            "",
            &["tenants/acme.toml:20:1: [[queue]] has no `music`: add music = \"music/hold.wav\""],
        ),
        (
            ACME,
            "[\"sales\"]",
            "\"sales\"",
            &[
                "tenants/acme.toml:26:10: `queues` is a string: write a list of strings, for example queues = [\"sales\"]",
            ],
        ),
        (
            ACME,
            "hang_up = true",
            "hang_up = \"yes\"",
            &["tenants/acme.toml:19:11: `hang_up` is a string: write true or false"],
        ),
        (
            ACME,
            "{ \"1\" = \"sales\" }",
            "\"sales\"",
            &[
                "tenants/acme.toml:11:11: `choices` is a string: write a table, for example choices = { \"1\" = \"STEP\" }",
            ],
        ),
        (BOLT, "[[number]]", "[number]", &["tenants/bolt.toml:3:1: `number` is a table: write [[number]] before each"]),
    ]);
}

#[test]
fn of_names_and_numbers() {
    check(&[
        (
            ACME,
            "name = \"acme\"",
            "name = \"acne\"",
            &[
                "tenants/acme.toml:1:8: tenant `acne` is written in the file of tenant `acme`: rename the file to acne.toml, or correct the name",
            ],
        ),
        (
            ACME,
            "name = \"main\"",
            "name = \"the main\"",
            &[
                "tenants/acme.toml:5:8: there is no flow `main`: known are the main: correct it, or add it",
                "tenants/acme.toml:7:8: `the main` is no name for a flow: use 1 to 63 of A-Z a-z 0-9 . _ -",
            ],
        ),
        (
            ACME,
            "[[agent]]",
            "[[queue]]\nname = \"sales\"\nmusic = \"hold.wav\"\n[[agent]]",
            &[
                "tenants/acme.toml:24:8: queue `sales` is already named at tenants/acme.toml:21: give one of them another name",
            ],
        ),
        (
            ACME,
            "name = \"end\"",
            "name = \"sales\"",
            &[
                "tenants/acme.toml:12:13: there is no step `end`: known are menu, sales: correct it, or add it",
                "tenants/acme.toml:16:12: there is no step `end`: known are menu, sales: correct it, or add it",
                "tenants/acme.toml:18:8: step `sales` is already named at tenants/acme.toml:14: give one of them another name",
            ],
        ),
        (
            BOLT,
            "\"110\"",
            "\"+4930123456\"",
            &[
                "tenants/bolt.toml:4:10: number +4930123456 is already used by tenant acme (tenants/acme.toml:4): give it to one of them",
            ],
        ),
        (
            BOLT,
            "\"110\"",
            "\"+493012\"",
            &[
                "tenants/bolt.toml:4:10: `+493012` is no number: write + and 7 to 15 digits beginning with the country code, or a short code of 2 to 6 digits",
            ],
        ),
        (
            BOLT,
            "\"110\"",
            "\"+0301234567\"",
            &[
                "tenants/bolt.toml:4:10: `+0301234567` is no number: write + and 7 to 15 digits beginning with the country code, or a short code of 2 to 6 digits",
            ],
        ),
        (
            BOLT,
            "\"110\"",
            "\"030 1234\"",
            &[
                "tenants/bolt.toml:4:10: `030 1234` is no number: write + and 7 to 15 digits beginning with the country code, or a short code of 2 to 6 digits",
            ],
        ),
        (
            BOLT,
            "flow = \"main\"",
            "flow = \"night\"",
            &["tenants/bolt.toml:5:8: there is no flow `night`: known are main: correct it, or add it"],
        ),
        (
            BOLT,
            "bolt.example.com",
            "acme.example.com",
            &[
                "tenants/bolt.toml:2:9: realm acme.example.com is already used by tenant acme (tenants/acme.toml:2): give it to one of them",
            ],
        ),
        (
            BOLT,
            "bolt.example.com",
            "Bolt.example.com",
            &[
                "tenants/bolt.toml:2:9: `Bolt.example.com` is no realm: write a domain of 1 to 253 of a-z 0-9 . -, in lower case",
            ],
        ),
    ]);
}

#[test]
fn of_flows() {
    check(&[
        (
            BOLT,
            "[[flow.step]]\nname = \"end\"\nhang_up = true\n",
            "",
            &["tenants/bolt.toml:6:1: flow `main` has no steps: add [[flow.step]]; the first is where calls start"],
        ),
        (
            ACME,
            "overflow = \"end\"",
            "overflow = \"nowhere\"",
            &["tenants/acme.toml:16:12: there is no step `nowhere`: known are end, menu, sales: correct it, or add it"],
        ),
        (
            ACME,
            "otherwise = \"end\"",
            "otherwise = \"start\"",
            &["tenants/acme.toml:12:13: there is no step `start`: known are end, menu, sales: correct it, or add it"],
        ),
        (
            BOLT,
            "hang_up = true",
            "hang_up = true\n[[flow.step]]\nname = \"more\"\nhang_up = true",
            &["tenants/bolt.toml:11:1: nothing leads to this step: point another step to it, or remove it"],
        ),
        (
            ACME,
            "{ \"1\" = \"sales\" }",
            "{ }",
            &["tenants/acme.toml:8:1: this menu has no choices: add choices = { \"1\" = \"STEP\" }"],
        ),
        (
            ACME,
            "choices = { \"1\" = \"sales\" }",
            "",
            &["tenants/acme.toml:8:1: this menu has no choices: add choices = { \"1\" = \"STEP\" }"],
        ),
        (ACME, "\"1\" =", "\"A\" =", &["tenants/acme.toml:11:13: `A` is no key of a phone: write one of 0-9 * #"]),
        (ACME, "\"1\" =", "\"12\" =", &["tenants/acme.toml:11:13: `12` is no key of a phone: write one of 0-9 * #"]),
        (
            ACME,
            "queue = \"sales\"",
            "queue = \"sale\"",
            &["tenants/acme.toml:15:9: there is no queue `sale`: known are sales: correct it, or add it"],
        ),
        (
            BOLT,
            "hang_up = true",
            "queue = \"sales\"",
            &["tenants/bolt.toml:10:9: there is no queue `sales`: none is defined: correct it, or add it"],
        ),
        (
            BOLT,
            "hang_up = true",
            "",
            &["tenants/bolt.toml:8:1: this step does nothing: write one of play, menu, queue, hang_up"],
        ),
        (
            BOLT,
            "hang_up = true",
            "hang_up = true\nplay = \"menu.wav\"",
            &["tenants/bolt.toml:8:1: this step does play and hang_up: write one of play, menu, queue, hang_up"],
        ),
        (
            BOLT,
            "hang_up = true",
            "hang_up = true\nnext = \"end\"",
            &["tenants/bolt.toml:11:1: [[flow.step]] has no key `next`: known are name, hang_up"],
        ),
        (
            BOLT,
            "hang_up = true",
            "hang_up = false",
            &["tenants/bolt.toml:8:1: this step does nothing: write hang_up = true, or what it shall do"],
        ),
        (
            ACME,
            "overflow = \"end\"",
            "overflow = \"sales\"",
            &[
                "tenants/acme.toml:13:1: the overflow of this step leads back to it without a pause: let the circle pass a play or menu, or end it with hang_up",
            ],
        ),
        (ACME, "otherwise", "tries = 11\notherwise", &["tenants/acme.toml:12:9: `tries` is 11: write 1 to 10 times"]),
    ]);
}

#[test]
fn of_files() {
    told(
        &files([("acme.toml", world::ACME)]),
        &[
            "acme.toml: nothing reads this file: move it out of the directory, or to tenants/NAME.toml",
            "tenants/: there is no tenant: add tenants/NAME.toml, or name the right directory",
        ],
        "tenant in the wrong place",
    );
    told(
        &files([]),
        &["tenants/: there is no tenant: add tenants/NAME.toml, or name the right directory"],
        "empty directory",
    );
    let mut latin = good();
    latin.0.insert(BOLT.to_owned(), b"name = \"bolt\"\n# caf\xe9\n".to_vec());
    told(&latin, &["tenants/bolt.toml:2:6: this byte is not UTF-8: save the file as UTF-8"], "latin-1");
}

#[test]
fn all_are_found_at_once() {
    let mut files = edited(ACME, "queue = \"sales\"", "queue = \"sale\"");
    world::edit(&mut files, TRUNKS, "192.0.2.10", "carrier");
    world::edit(&mut files, BOLT, "\"110\"", "\"1\"");
    world::edit(&mut files, ACME, "music =", "tries = 1\nmusic =");
    told(
        &files,
        &[
            "tenants/acme.toml:15:9: there is no queue `sale`: known are sales: correct it, or add it",
            "tenants/acme.toml:22:1: [[queue]] has no key `tries`: known are name, strategy, music, ring_timeout_ms, wrap_up_ms, max_misses, miss_pause_ms, max_waiting, max_wait_ms, service_level_ms",
            "tenants/bolt.toml:4:10: `1` is no number: write + and 7 to 15 digits beginning with the country code, or a short code of 2 to 6 digits",
            "trunks.toml:3:12: `carrier` is no source: write an IP address, with :PORT if only that port counts",
        ],
        "four files",
    );
}

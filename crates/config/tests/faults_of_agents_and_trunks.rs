//! One broken file for each kind of fault, and what the operator is told: queues, agents, trunks.

mod world;

use world::check;

const ACME: &str = "tenants/acme.toml";
const TRUNKS: &str = "trunks.toml";

#[test]
fn of_queues_and_prompts() {
    check(&[
        (
            ACME,
            "music =",
            "strategy = \"ringall\"\nmusic =",
            &[
                "tenants/acme.toml:22:12: there is no strategy `ringall`: known are longest-idle (also written leastrecent or longest-idle-agent)",
            ],
        ),
        (ACME, "music =", "strategy = \"leastrecent\"\nmusic =", &[]),
        (ACME, "music =", "strategy = \"longest-idle-agent\"\nmusic =", &[]),
        (
            ACME,
            "\"hold.wav\"",
            "\"music/hold.wav\"",
            &[
                "tenants/acme.toml:22:9: there is no file `music/hold.wav`: put it there, or correct the path; paths are relative to the configuration directory",
            ],
        ),
        (
            ACME,
            "\"hold.wav\"",
            "\"trunks.toml\"",
            &[
                "tenants/acme.toml:22:9: `trunks.toml` is no WAV file: name a .wav file, relative to the configuration directory",
            ],
        ),
        (
            "hold.wav",
            "RIFF",
            "ID3",
            &[
                "tenants/acme.toml:22:9: `hold.wav` cannot be played: it does not begin with RIFF: convert or replace it",
            ],
        ),
    ]);
}

#[test]
fn of_agents() {
    check(&[
        (
            ACME,
            "[\"sales\"]",
            "[\"sales\", \"support\"]",
            &["tenants/acme.toml:26:20: there is no queue `support`: known are sales: correct it, or add it"],
        ),
        (
            ACME,
            "[\"sales\"]",
            "[\"sales\", \"sales\"]",
            &["tenants/acme.toml:26:20: queue `sales` stands here twice: remove one"],
        ),
        (
            ACME,
            "password = \"12345678\"",
            "",
            &[
                "tenants/acme.toml:23:1: this agent has no phone: write one of password, ha1_sha256 with ha1_md5, or contact",
            ],
        ),
        (
            ACME,
            "password =",
            "contact = \"sip:1001@192.0.2.20\"\npassword =",
            &[
                "tenants/acme.toml:23:1: this agent has password as well as contact: write one of password, ha1_sha256 with ha1_md5, or contact",
            ],
        ),
        (
            ACME,
            "\"12345678\"",
            "\"1234567\"",
            &[
                "tenants/acme.toml:25:12: a password of 7 characters is refused: choose 8 to 128 characters without control characters",
            ],
        ),
        (
            ACME,
            "password = \"12345678\"",
            "contact = \"sip:1001@pbx.example.com\"",
            &[
                "tenants/acme.toml:25:11: `sip:1001@pbx.example.com` is no contact: write sip:USER@ADDRESS:PORT, where ADDRESS is an IP address; ;transport=tcp may follow",
            ],
        ),
        (
            ACME,
            "password = \"12345678\"",
            "ha1_md5 = \"3d78807defe7de2157e2b0b6573a855f\"",
            &["tenants/acme.toml:23:1: this agent has one of two hashes: write ha1_sha256 and ha1_md5"],
        ),
        (
            ACME,
            "password = \"12345678\"",
            "ha1_md5 = \"xyz\"\nha1_sha256 = \"xyz\"",
            &[
                "tenants/acme.toml:25:11: `ha1_md5` is no such hash: write 32 hexadecimal digits: the hash of NAME:REALM:PASSWORD",
                "tenants/acme.toml:26:14: `ha1_sha256` is no such hash: write 64 hexadecimal digits: the hash of NAME:REALM:PASSWORD",
            ],
        ),
        (
            ACME,
            "[[agent]]\nname = \"1001\"",
            "[[agents]]\nnames = \"1449-1000\"",
            &[
                "tenants/acme.toml:24:9: `1449-1000` is no range: write two numbers of as many digits, the lower first, like names = \"1000-1449\"",
            ],
        ),
        (
            ACME,
            "[[agent]]\nname = \"1001\"",
            "[[agents]]\nnames = \"1-100000\"",
            &[
                "tenants/acme.toml:24:9: `1-100000` is no range: write two numbers of as many digits, the lower first, like names = \"1000-1449\"",
            ],
        ),
        (
            ACME,
            "[[agent]]\nname = \"1001\"",
            "[[agents]]\nnames = \"100000-199999\"",
            &["tenants/acme.toml:24:9: `100000-199999` has more than 50000 names: make several tenants of it"],
        ),
        (
            ACME,
            "[[agent]]\n",
            "[[agents]]\nnames = \"1000-1009\"\npassword = \"12345678\"\n[[agent]]\n",
            &[
                "tenants/acme.toml:24:9: agent `1001` is already named at tenants/acme.toml:27: give one of them another name",
            ],
        ),
        (
            ACME,
            "[[agent]]\nname = \"1001\"\npassword = \"12345678\"",
            "[[agents]]\nnames = \"1000-1009\"\nha1_md5 = \"3d78807defe7de2157e2b0b6573a855f\"",
            &[
                "tenants/acme.toml:23:1: a hash belongs to one name and cannot serve a range: write password, with {name} in it, or each agent alone",
            ],
        ),
        (
            ACME,
            "[[agent]]\nname = \"1001\"\npassword = \"12345678\"",
            "[[agents]]\nnames = \"1000-1009\"\ncontact = \"sip:{name}@desk\"",
            &[
                "tenants/acme.toml:25:11: `sip:1000@desk` is no contact: write sip:USER@ADDRESS:PORT, where ADDRESS is an IP address; ;transport=tcp may follow",
            ],
        ),
    ]);
}

#[test]
fn of_trunks() {
    check(&[
        (
            TRUNKS,
            "[\"192.0.2.10\", \"192.0.2.11:5060\"]",
            "[]",
            &["trunks.toml:1:1: trunk `carrier` has no sources: add sources = [\"192.0.2.10\"]"],
        ),
        (
            TRUNKS,
            "sources = [\"192.0.2.10\", \"192.0.2.11:5060\"]",
            "",
            &["trunks.toml:1:1: trunk `carrier` has no sources: add sources = [\"192.0.2.10\"]"],
        ),
        (
            TRUNKS,
            "192.0.2.11:5060",
            "sbc.example.com",
            &[
                "trunks.toml:3:26: `sbc.example.com` is no source: write an IP address, with :PORT if only that port counts",
            ],
        ),
        (
            TRUNKS,
            "192.0.2.11:5060",
            "0.0.0.0",
            &["trunks.toml:3:26: `0.0.0.0` is no source: write an IP address, with :PORT if only that port counts"],
        ),
        (
            TRUNKS,
            "192.0.2.11:5060",
            "192.0.2.10:5060",
            &[
                "trunks.toml:3:26: source 192.0.2.10:5060 is already covered by 192.0.2.10 of trunk carrier (trunks.toml:3): give it to one of them, or tell them apart by port",
            ],
        ),
        (TRUNKS, "192.0.2.11:5060", "[2001:db8::1]:5060", &[]),
        (TRUNKS, "192.0.2.11:5060", "2001:db8::1", &[]),
        (
            TRUNKS,
            "5060\"]\n",
            "5060\"]\n[[trunk]]\nname = \"other\"\nsources = [\"192.0.2.11:5060\", \"192.0.2.11:5061\"]",
            &[
                "trunks.toml:6:12: source 192.0.2.11:5060 is already covered by 192.0.2.11:5060 of trunk carrier (trunks.toml:3): give it to one of them, or tell them apart by port",
            ],
        ),
        (
            TRUNKS,
            "5060\"]\n",
            "5060\"]\n[[trunk]]\nname = \"carrier\"\nsources = [\"192.0.2.12\"]",
            &["trunks.toml:5:8: trunk `carrier` is already named at trunks.toml:2: give one of them another name"],
        ),
        (
            TRUNKS,
            "5060\"]\n",
            "5060\"]\nmax_calls = 0",
            &["trunks.toml:4:13: `max_calls` is 0: write 1 to 100000 calls"],
        ),
        (
            TRUNKS,
            "[\"192.0.2.10\", \"192.0.2.11:5060\"]",
            "\"192.0.2.10\"",
            &[
                "trunks.toml:3:11: `sources` is a string: write a list of strings, for example sources = [\"192.0.2.10\"]",
            ],
        ),
    ]);
}

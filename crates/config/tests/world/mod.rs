//! A small good configuration that tests break or extend.
#![allow(dead_code, reason = "each test file uses its own part")]

use strowger_config::{Draft, Fault, Files, parse, sealed_for_check};
use strowger_model::{Digest, Ha1, KeyId, Sealed, Whose};

pub const TRUNKS: &str = r#"[[trunk]]
name = "carrier"
sources = ["192.0.2.10", "192.0.2.11:5060"]
"#;

pub const ACME: &str = r#"name = "acme"
realm = "acme.example.com"
[[number]]
number = "+4930123456"
flow = "main"
[[flow]]
name = "main"
[[flow.step]]
name = "menu"
menu = "menu.wav"
choices = { "1" = "sales" }
otherwise = "end"
[[flow.step]]
name = "sales"
queue = "sales"
overflow = "end"
[[flow.step]]
name = "end"
hang_up = true
[[queue]]
name = "sales"
music = "hold.wav"
[[agent]]
name = "1001"
password = "12345678"
queues = ["sales"]
"#;

pub const BOLT: &str = r#"name = "bolt"
realm = "bolt.example.com"
[[number]]
number = "110"
flow = "main"
[[flow]]
name = "main"
[[flow.step]]
name = "end"
hang_up = true
"#;

pub fn good() -> Files {
    files([
        ("trunks.toml", TRUNKS),
        ("tenants/acme.toml", ACME),
        ("tenants/bolt.toml", BOLT),
        ("menu.wav", "RIFF menu"),
        ("hold.wav", "RIFF hold"),
    ])
}

pub fn files<const N: usize>(list: [(&str, &str); N]) -> Files {
    Files(list.map(|(file, text)| (file.to_owned(), text.as_bytes().to_vec())).into())
}

/// The good configuration with one piece of one file replaced.
pub fn edited(file: &str, from: &str, to: &str) -> Files {
    let mut files = good();
    edit(&mut files, file, from, to);
    files
}

pub fn edit(files: &mut Files, file: &str, from: &str, to: &str) {
    let text = String::from_utf8(files.0[file].clone()).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}");
    files.0.insert(file.to_owned(), text.replacen(from, to, 1).into_bytes());
}

/// Takes the place of the relay's loader: the first bytes of a file are its address.
pub fn load(bytes: &[u8]) -> Result<(Vec<u8>, Digest), String> {
    if !bytes.starts_with(b"RIFF") {
        return Err("it does not begin with RIFF".to_owned());
    }
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(bytes) {
        *to = *from;
    }
    Ok((bytes.to_vec(), Digest(digest)))
}

/// Takes the place of a data key: other secrets are other bytes.
fn seal(_: Whose<'_>, ha1: &Ha1) -> Sealed {
    Sealed { key: KeyId(1), bytes: ha1.to_bytes() }
}

pub fn draft(files: &Files) -> Draft {
    parse(files, &load, &seal).unwrap_or_else(|faults| panic!("{}", lines(&faults).join("\n")))
}

pub fn lines(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

/// What replaces what in which file, and the faults that follow.
pub type Case = (&'static str, &'static str, &'static str, &'static [&'static str]);

pub fn check(cases: &[Case]) {
    for (file, from, to, expected) in cases {
        told(&edited(file, from, to), expected, to);
    }
}

pub fn told(files: &Files, expected: &[&str], case: &str) {
    let faults = parse(files, &load, &sealed_for_check).err().unwrap_or_default();
    assert_eq!(lines(&faults), expected, "for {case:?}");
}

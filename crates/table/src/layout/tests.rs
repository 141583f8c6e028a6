//! That a layout is what its text says.

use std::collections::BTreeSet;

use super::{frozen, v1};

const CHANGED: &str = "its types are not what its text says. A layout that was released is never changed: what changes goes \
     into the next one. Before its release, logs and snapshots of other builds do not open any more; if that is meant, put \
     this in the place of its text, by hand or with STROWGER_WRITE_LAYOUT=<file>:";

fn says(number: u16, types: &str, text: &str) {
    if let Some(path) = std::env::var_os("STROWGER_WRITE_LAYOUT").filter(|_| number == super::LATEST) {
        std::fs::write(path, types).unwrap();
    }
    let differ = types.lines().zip(text.lines()).find(|(types, text)| types != text);
    assert!(types == text, "layout {number}: {CHANGED}\n{types}\nfirst difference, types and text: {differ:?}");
}

#[cfg(feature = "next-layout")]
#[test]
fn the_next_layout_is_what_its_text_says() {
    let mut text = String::new();
    super::v2::text(&mut text);
    says(2, &text, super::v2::TEXT);
}

fn written_down() -> String {
    let mut text = String::new();
    frozen::names(&mut text);
    v1::text(&mut text);
    text
}

#[test]
fn the_first_layout_is_what_its_text_says() {
    says(1, &written_down(), v1::TEXT);
}

/// A type that is named and not written down could change unseen.
#[test]
fn whatever_a_layout_names_is_written_down() {
    let text = written_down();
    let words = |line: &str| -> Vec<String> {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        line.split(|c| !word(c)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let primitives = "bool u8 u16 u32 u64 i64 char String 32 IpAddr SocketAddr Vec Option Box enum";
    let mut known: BTreeSet<String> = words(primitives).into_iter().collect();
    known.extend(text.lines().filter(|line| !line.starts_with(' ')).flat_map(words));
    for line in text.lines().filter(|line| line.starts_with(' ')) {
        // Names of fields end with a colon, and variants stand first.
        let types = line.trim().split_once([':', '(', '{']).map_or("", |(_, types)| types);
        for field in types.split(", ") {
            let kind = field.split_once(": ").map_or(field, |(_, kind)| kind);
            for word in words(kind) {
                assert!(known.contains(&word), "{word} of `{line}` is not written down");
            }
        }
    }
}

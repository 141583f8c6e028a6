//! That a layout is what its text says.

use std::collections::BTreeSet;

use strowger_model::schema;

use super::{frozen, v1};

const CHANGED: &str = "its types are not what its text says. A layout that was released is never changed: what changes goes \
     into the next one. Before its release, logs and snapshots of other builds do not open any more; if that is meant, put \
     this in the place of its text, by hand or with STROWGER_WRITE_LAYOUT=<file>:";

fn says(number: u16, types: &str, text: &str) {
    if let Some(path) = std::env::var_os("STROWGER_WRITE_LAYOUT").filter(|_| number == super::LATEST) {
        std::fs::write(path, types).unwrap();
    }
    if let Some(differ) = difference(types, text) {
        panic!("layout {number}: {CHANGED}\n{types}\nfirst difference, types and text: {differ:?}");
    }
}

/// The first line that is not the same in both; empty where one of them is at its end. None if they are alike.
fn difference<'a>(types: &'a str, text: &'a str) -> Option<(&'a str, &'a str)> {
    let (mut types, mut text) = (types.split('\n'), text.split('\n'));
    loop {
        match (types.next(), text.next()) {
            (None, None) => return None,
            (one, other) if one == other => {}
            (one, other) => return Some((one.unwrap_or_default(), other.unwrap_or_default())),
        }
    }
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

/// Where the types of a layout end: after the last line of each.
fn ends_of_types(text: &str) -> Vec<(&str, usize)> {
    let mut ends: Vec<(&str, usize)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        match ends.last_mut() {
            Some((_, end)) if line.starts_with(' ') => *end = at,
            _ => ends.push((line.trim_end(), at)),
        }
    }
    ends
}

/// Names of the frozen types as the files of the first layout have them.
fn frozen_in_files() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/layout/v1");
    let mut names = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let file = std::fs::read_to_string(file).unwrap();
        let heads = file.lines().map(str::trim).filter_map(|line| line.strip_suffix('{')?.split_once(" = "));
        let kinds = heads.filter_map(|(head, _)| head.split_once(' '));
        names.extend(kinds.filter(|(kind, _)| ["struct", "enum"].contains(kind)).map(|(_, name)| name.to_owned()));
    }
    names
}

/// Whichever type gets a field, loses one, or has its last one changed: the check says so, and bytes of before are refused,
/// for the hash in their header is another.
#[test]
fn a_field_more_or_less_in_any_type_is_seen() {
    let frozen = written_down();
    let ends = ends_of_types(&frozen);
    let written: BTreeSet<String> = ends.iter().map(|(name, _)| name.trim_start_matches("enum ").to_owned()).collect();
    let missing: Vec<_> = frozen_in_files().into_iter().filter(|name| !written.contains(name)).collect();
    assert!(missing.is_empty() && frozen_in_files().len() > 100, "frozen and not written down: {missing:?}");
    for (name, end) in ends {
        let (before, after) = frozen.split_at(end);
        let (rest, last) = before.trim_end().rsplit_once('\n').unwrap_or(("", before.trim_end()));
        let more = format!("{before}    another: u32\n{after}");
        let other = format!("{rest}\n{last}2\n{after}");
        let less = format!("{rest}\n{after}");
        for changed in [more, other, less] {
            assert!(difference(&changed, v1::TEXT).is_some(), "{name} may change unseen");
            assert_ne!(schema(&changed), v1::LAYOUT.schema, "{name}");
        }
    }
}

//! Numbers of every plan, judged by another implementation of the same rules; `tests/numbers/make.py` made the lists.

use strowger_dialer::read_number;

const VALID: &str = include_str!("../numbers/valid.txt");
const MISTYPED: &str = include_str!("../numbers/mistyped.txt");

/// Of all faults the first few say what is wrong.
const SHOWN: usize = 20;

fn read(text: &str) -> String {
    read_number(text).map_or_else(|_| String::new(), |number| number.to_string())
}

fn differ(pairs: impl Iterator<Item = (&'static str, &'static str)>) -> Vec<String> {
    let told = pairs.filter_map(|(text, want)| {
        let got = read(text);
        (got != want).then(|| format!("{text} is {want:?} and was read as {got:?}"))
    });
    told.collect()
}

#[test]
fn valid_numbers_of_every_region_are_taken_as_they_are() {
    let told = differ(VALID.lines().map(|text| (text, text)));
    assert!(told.is_empty(), "{} of {}: {:#?}", told.len(), VALID.lines().count(), &told[..told.len().min(SHOWN)]);
}

#[test]
fn mistyped_numbers_are_what_the_plan_says() {
    let told = differ(MISTYPED.lines().map(|line| line.split_once(' ').unwrap_or((line, ""))));
    assert!(told.is_empty(), "{} of {}: {:#?}", told.len(), MISTYPED.lines().count(), &told[..told.len().min(SHOWN)]);
}

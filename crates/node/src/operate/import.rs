//! A list of leads is sent in parts, some at once: while one is committed the next is on its way and read.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use strowger_api::{Client, ClientError, Part, Parts, limit};
use tokio::task::JoinHandle;

use super::leads::Campaign;
use super::progress::Progress;
use super::{At, block_on, text};

/// Parts under way at once: one is read, one travels, one is committed, one is answered.
const AT_ONCE: usize = 4;
/// A part is sent so often before the import gives up: an election of the shard's leader takes less.
const TRIES: usize = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(500);
/// Faults shown; a file with one wrong column has as many as lines.
const SHOWN: usize = 20;
/// Characters of a line that a fault shows.
const SHOWN_CHARS: usize = 80;

/// Longest line that names the columns, in bytes: it goes before each part, and half of a part is for leads.
const COLUMNS_BYTES: usize = limit::LEADS_BODY_BYTES / 2;

/// What became of the lines so far.
#[derive(Default)]
struct Sum {
    lines: usize,
    bytes: usize,
    added: u64,
    duplicates: u64,
    invalid: Vec<Invalid>,
}

struct Invalid {
    line: u64,
    value: String,
    why: String,
}

pub fn import(file: &Path, of: &Campaign, faults: Option<&Path>, at: &At) -> anyhow::Result<ExitCode> {
    let list = read(file)?;
    let parts = Parts::new(&list, limit::LEADS_PER_IMPORT, limit::LEADS_BODY_BYTES);
    let Some(parts) = parts else { bail!("{} is empty: its first line must name the columns", file.display()) };
    // The first line goes before each part.
    let room = room_behind(parts.header().len(), file)?;
    let Some(parts) = Parts::new(&list, limit::LEADS_PER_IMPORT, room) else { return Ok(ExitCode::SUCCESS) };
    let mut progress = Progress::begin();
    let mut sum = Sum::default();
    let sent = block_on(send(&at.client()?, &of.path(), (parts, room), &mut |part, answer| {
        sum.add(part, &answer);
        progress.show(sum.bytes, list.len(), sum.lines);
    }))?;
    let took = progress.end();
    sum.invalid.sort_by_key(|fault| fault.line);
    sum.tell(file, took);
    if let Some(faults) = faults {
        std::fs::write(faults, sum.faults_file()).with_context(|| format!("cannot write {}", faults.display()))?;
    }
    match sent {
        Err(fault) if may_pass(&fault) => {
            return Err(fault)
                .context("the import stopped; run it again: what is on the list already is not added twice");
        }
        sent => sent?,
    }
    Ok(if sum.invalid.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Bytes that a part has for leads.
fn room_behind(columns: usize, file: &Path) -> anyhow::Result<usize> {
    if columns > COLUMNS_BYTES {
        bail!(
            "{}:1: the line that names the columns has {columns} bytes, and at most {COLUMNS_BYTES} are taken: name the \
             columns in it and nothing else",
            file.display()
        );
    }
    Ok(limit::LEADS_BODY_BYTES - columns)
}

fn read(file: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    String::from_utf8(bytes).map_err(|fault| {
        let before = &fault.as_bytes()[..fault.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        anyhow::anyhow!("{}:{line}: not UTF-8; save the list as \"CSV UTF-8\"", file.display())
    })
}

/// How much one part was: bytes and lines.
type Size = (usize, usize);
type Sent = JoinHandle<Result<Value, ClientError>>;

async fn send(
    client: &Client,
    path: &str,
    (parts, room): (Parts<'_>, usize),
    done: &mut dyn FnMut(Size, Value),
) -> Result<(), ClientError> {
    let header = parts.header();
    let header = if header.ends_with(['\n', '\r']) { header.to_owned() } else { format!("{header}\n") };
    let mut under_way: VecDeque<(Size, Sent)> = VecDeque::new();
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        // A list without leads is asked about all the same: its header may be wrong.
        done((0, 0), client.post_csv(path, header.clone()).await?);
    }
    while parts.peek().is_some() || !under_way.is_empty() {
        while under_way.len() < AT_ONCE
            && let Some(part) = parts.next()
        {
            let size = (part.text.len(), part.records);
            match too_long(&part, room) {
                Some(fault) => done(size, json!({ "invalid": [fault] })),
                None => under_way.push_back((size, begin(client, path, &header, part))),
            }
        }
        // In their order, so that what comes to be told is in order too.
        let Some((size, sent)) = under_way.pop_front() else { continue };
        let answer = match sent.await {
            Ok(answer) => answer?,
            Err(broken) => {
                let (address, path) = (client.address().to_owned(), path.to_owned());
                return Err(ClientError::Broken { address, path, why: broken.to_string() });
            }
        };
        done(size, answer);
    }
    Ok(())
}

/// A part has at least one line. One that no node takes is a fault like others, and the lines behind it go on.
fn too_long(part: &Part<'_>, room: usize) -> Option<Value> {
    let bytes = part.text.len();
    (bytes > room).then(|| {
        let value: String = part.text.chars().take(SHOWN_CHARS).collect();
        let why = format!("a line of {bytes} bytes, and at most {room} are taken: shorten it");
        json!({ "line": part.first_line, "value": value, "why": why })
    })
}

fn begin(client: &Client, path: &str, header: &str, part: Part<'_>) -> Sent {
    let path = format!("{path}?first_line={}", part.first_line);
    let (client, text) = (client.clone(), format!("{header}{}", part.text));
    tokio::spawn(async move {
        for _ in 1..TRIES {
            match client.post_csv(&path, text.clone()).await {
                Err(fault) if may_pass(&fault) => tokio::time::sleep(BETWEEN_TRIES).await,
                answer => return answer,
            }
        }
        client.post_csv(&path, text).await
    })
}

/// Whether it may go another time. Nothing is added twice, so what may have gone well is sent again too.
fn may_pass(fault: &ClientError) -> bool {
    match fault {
        ClientError::Refused { status, .. } => [503, 504].contains(status),
        ClientError::Broken { .. } | ClientError::TooSlow { .. } => true,
        _ => false,
    }
}

impl Sum {
    fn add(&mut self, (bytes, lines): Size, answer: &Value) {
        self.bytes += bytes;
        self.lines += lines;
        self.added += answer["added"].as_u64().unwrap_or_default();
        self.duplicates += answer["duplicates"].as_u64().unwrap_or_default();
        let invalid = |fault: &Value| Invalid {
            line: fault["line"].as_u64().unwrap_or_default(),
            value: text(&fault["value"]),
            why: text(&fault["why"]),
        };
        self.invalid.extend(answer["invalid"].as_array().into_iter().flatten().map(invalid));
    }

    fn tell(&self, file: &Path, took: Duration) {
        for fault in self.invalid.iter().take(SHOWN) {
            // On one line, whatever stands in the file.
            let value = fault.value.replace(char::is_control, " ");
            note!("{}:{}: `{value}`: {}", file.display(), fault.line, fault.why);
        }
        if self.invalid.len() > SHOWN {
            note!("and {} more; --faults FILE writes them all", self.invalid.len() - SHOWN);
        }
        let (added, duplicates, invalid) = (self.added, self.duplicates, self.invalid.len());
        say!("{added} added, {duplicates} duplicates, {invalid} invalid, in {:.1} s", took.as_secs_f64());
    }

    /// CSV (RFC 4180), for the program that the list came from.
    fn faults_file(&self) -> String {
        let quoted = |field: &str| format!("\"{}\"", defused(field).replace('"', "\"\""));
        let line = |fault: &Invalid| format!("{},{},{}\r\n", fault.line, quoted(&fault.value), quoted(&fault.why));
        let lines: String = self.invalid.iter().map(line).collect();
        format!("line,value,why\r\n{lines}")
    }
}

/// A cell that a spreadsheet would take for a formula, with the apostrophe that makes it text (CWE-1236). A number keeps its
/// plus.
fn defused(cell: &str) -> Cow<'_, str> {
    let is_number = |rest: &str| rest.chars().all(|each| each.is_ascii_digit() || " ()-./".contains(each));
    let is_formula = match cell.chars().next() {
        Some('=' | '@' | '\t' | '\r') => true,
        Some('+' | '-') => !is_number(&cell[1..]),
        _ => false,
    };
    if is_formula { format!("'{cell}").into() } else { cell.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that no node takes went out all the same, and all that came after it was lost with its refusal.
    #[test]
    fn a_line_too_long_is_a_fault_and_the_lines_around_it_go() {
        let room = 40;
        let quoted = format!("+493012345679,\"{}\n{}\"\n", "n".repeat(30), "m".repeat(120));
        let just = format!("+493012345670,{}\n", "k".repeat(room - "+493012345670,\n".len()));
        let list = format!("number,name\n+493012345678,Anna\n{quoted}{just}+493012345671,Ben\n");
        let faults: Vec<(u64, Option<Value>)> =
            Parts::new(&list, 10, room).expect("a list").map(|part| (part.first_line, too_long(&part, room))).collect();
        assert_eq!(faults.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 5, 6], "each by itself");
        let fault = faults[1].1.as_ref().expect("the long one");
        assert_eq!((&fault["line"], text(&fault["value"]).chars().count()), (&json!(3), SHOWN_CHARS));
        let why = format!("a line of {} bytes, and at most {room} are taken: shorten it", quoted.len());
        assert_eq!(fault["why"], why);
        assert!([0, 2, 3].iter().all(|at| faults[*at].1.is_none()), "{faults:?}");

        let mut sum = Sum::default();
        sum.add((quoted.len(), 1), &json!({ "invalid": [fault] }));
        assert_eq!((sum.lines, sum.bytes, sum.invalid[0].line), (1, quoted.len(), 3), "it is told like other faults");
    }

    /// The line of the columns had no bound, and the first line of leads was blamed for it.
    #[test]
    fn a_line_of_columns_that_leaves_no_room_is_named() {
        let file = Path::new("list.csv");
        assert_eq!(room_behind(COLUMNS_BYTES, file).expect("room"), limit::LEADS_BODY_BYTES - COLUMNS_BYTES);
        let fault = room_behind(COLUMNS_BYTES + 1, file).expect_err("too long").to_string();
        assert!(
            fault.starts_with(&format!("list.csv:1: the line that names the columns has {} bytes", COLUMNS_BYTES + 1))
        );
    }

    /// The file is opened in the program that the list came from.
    #[test]
    fn no_cell_of_the_faults_file_is_a_formula() {
        for (cell, written) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("\t=1", "'\t=1"),
            ("+49 (30) 123-45", "+49 (30) 123-45"),
            ("Anna", "Anna"),
            ("", ""),
        ] {
            assert_eq!(defused(cell), written);
        }
        let invalid = vec![Invalid { line: 2, value: "=1".into(), why: "no number".into() }];
        assert!(Sum { invalid, ..Sum::default() }.faults_file().ends_with("2,\"'=1\",\"no number\"\r\n"));
    }
}

//! Lists of leads, as other systems export them. A list is read whole or in parts; each line becomes a lead, a
//! duplicate or a fault, and none of them keeps the others from being read.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use strowger_model::E164;
use strowger_model::config::LeadColumns;

use crate::csv::{Row, Rows, cut_line};
use crate::number::read_number;
use crate::zone::zone_name;

/// With it spreadsheets are told what separates columns.
const SEPARATOR_LINE: &str = "sep=";
/// Characters of a line that a fault shows.
const SHOWN_CHARS: usize = 80;
/// What spreadsheets and diallers write between columns, the usual first.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];
const NO_ZONE: &str = "no time zone: nothing may be dialled without knowing the lead's hour. Fill its zone in, or give \
     the campaign one";

/// The first line of a list: what its columns are. A column without a name is none: spreadsheets write some.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    delimiter: char,
    names: Vec<Arc<str>>,
    number: usize,
    zone: Option<usize>,
}

impl Header {
    /// All columns as they are written, in the order of the list.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }
}

/// One lead, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadLead {
    /// As the numbering plans have it.
    pub number: E164,
    /// IANA name.
    pub zone: String,
    /// All other columns, in the order of the list.
    pub fields: Vec<(Arc<str>, String)>,
    /// On which it begins, from 1.
    pub line: u64,
}

/// A line that cannot be used, or not alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineFault {
    /// On which the record begins, from 1.
    pub line: u64,
    /// What stands there, cut to a length that a person reads.
    pub value: String,
    /// In words, with what would be right.
    pub why: String,
}

/// What became of a part of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// For the next part. None: there was none that can be used, and nothing was read.
    pub header: Option<Header>,
    /// In the order of the list.
    pub leads: Vec<ReadLead>,
    /// Lines whose number stands in an earlier line of this part.
    pub duplicates: Vec<LineFault>,
    /// In the order of the list; such lines are left out.
    pub faults: Vec<LineFault>,
    /// The line at which the next part begins.
    pub next_line: u64,
}

/// Reads CSV. `header` is none for the part with which the list begins, and what its reading returned for all others;
/// parts are cut between records. Lines count from `first_line`.
pub fn read_leads(
    text: &str,
    header: Option<&Header>,
    columns: &LeadColumns,
    default_zone: Option<&str>,
    first_line: u64,
) -> Reading {
    let mut reading = Reading { next_line: first_line, ..Reading::default() };
    let (header, text, line) = match header {
        Some(header) => (header.clone(), text, first_line),
        None => match read_header(text.strip_prefix('\u{feff}').unwrap_or(text), columns, first_line) {
            Ok(read) => read,
            Err(fault) => {
                reading.faults.push(fault);
                return reading;
            }
        },
    };
    let mut rows = Rows::new(text, header.delimiter, line);
    let mut reader = Reader { header: &header, default_zone, zones: BTreeMap::new(), seen: HashSet::new(), reading };
    for row in rows.by_ref() {
        reader.take(row);
    }
    reader.reading.next_line = rows.rest().1;
    Reading { header: Some(header.clone()), ..reader.reading }
}

/// The header, and the text behind it with its line.
fn read_header<'t>(text: &'t str, columns: &LeadColumns, line: u64) -> Result<(Header, &'t str, u64), LineFault> {
    let delimiter = guess_delimiter(cut_line(text.trim_start()).0);
    let mut rows = Rows::new(text, delimiter, line);
    let fault = |value: &str, why: String| LineFault { line, value: shown(value), why };
    let row = rows.next().ok_or_else(|| fault("", "the list is empty".to_owned()))?;
    let fields = row.fields.map_err(|malformed| fault(malformed.text, malformed.why.to_owned()))?;
    let names: Vec<Arc<str>> = fields.iter().map(|name| name.trim().into()).collect();
    let written = || names.join(&delimiter.to_string());
    if cut_line(text).0.starts_with(SEPARATOR_LINE) {
        let why = "this line is for spreadsheets: delete it, so that the list begins with the columns' names";
        return Err(fault(&written(), why.to_owned()));
    }
    let is_twice = |at: usize, name: &str| names[..at].iter().any(|other| other.eq_ignore_ascii_case(name));
    if let Some((_, name)) = names.iter().enumerate().find(|(at, name)| !name.is_empty() && is_twice(*at, name)) {
        return Err(fault(&written(), format!("two columns are named `{name}`: give one another name")));
    }
    let find = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    let number = find(&columns.number).ok_or_else(|| {
        let read = match names.len() {
            1 => "one column was read in it; between columns stands , ; | or a tab".to_owned(),
            count => format!("{count} columns were read in it"),
        };
        let wanted = &columns.number;
        fault(
            &written(),
            format!("the first line names no column `{wanted}` ({read}): add it, or write the campaign's columns"),
        )
    })?;
    let zone = columns.zone.as_deref().and_then(find);
    let (rest, line) = rows.rest();
    Ok((Header { delimiter, number, zone, names }, rest, line))
}

/// What separates the most columns; of several the usual one.
pub(crate) fn guess_delimiter(line: &str) -> char {
    let count =
        |delimiter: char| line.split('"').step_by(2).map(|plain| plain.matches(delimiter).count()).sum::<usize>();
    let usual = DELIMITERS[0];
    DELIMITERS.into_iter().fold(usual, |best, other| if count(other) > count(best) { other } else { best })
}

struct Reader<'a> {
    header: &'a Header,
    default_zone: Option<&'a str>,
    /// By how they are written: a list names few zones many times.
    zones: BTreeMap<String, Result<String, String>>,
    seen: HashSet<E164>,
    reading: Reading,
}

impl Reader<'_> {
    fn take(&mut self, row: Row<'_>) {
        let line = row.line;
        let fields = match row.fields {
            Ok(fields) => fields,
            Err(malformed) => return self.fault(line, malformed.text, malformed.why.to_owned()),
        };
        match self.lead(line, &fields) {
            Ok(lead) if self.seen.insert(lead.number) => self.reading.leads.push(lead),
            Ok(lead) => {
                let why = "this number stands in an earlier line".to_owned();
                self.reading.duplicates.push(LineFault { line, value: lead.number.to_string(), why });
            }
            Err((value, why)) => self.fault(line, &value, why),
        }
    }

    fn lead(&mut self, line: u64, fields: &[Cow<'_, str>]) -> Result<ReadLead, (String, String)> {
        let header = self.header;
        let (columns, beyond) = fields.split_at(header.names.len().min(fields.len()));
        // Cells that are empty are none, whether the first line counts them or not.
        let unnamed = header.names.iter().zip(columns).filter(|(name, _)| name.is_empty()).map(|(_, cell)| cell);
        let stray = unnamed.chain(beyond).find(|cell| !cell.trim().is_empty());
        if columns.len() < header.names.len() || stray.is_some() {
            let named = header.names.iter().filter(|name| !name.is_empty()).count();
            let why = match stray {
                Some(cell) => format!("`{}` stands in a column that the first line does not name", shown(cell)),
                None => format!("{} columns, but the first line has {named}", fields.len()),
            };
            return Err((fields.join(&header.delimiter.to_string()), why));
        }
        let written = fields[header.number].trim();
        let number = read_number(written).map_err(|why| (written.to_owned(), why.to_string()))?;
        let zone = header.zone.map_or("", |zone| fields[zone].trim());
        let zone = self.zone(zone).map_err(|why| (if zone.is_empty() { written } else { zone }.to_owned(), why))?;
        let others = header.names.iter().zip(fields).enumerate();
        let others =
            others.filter(|(at, (name, _))| *at != header.number && Some(*at) != header.zone && !name.is_empty());
        let fields = others.map(|(_, (name, value))| (name.clone(), value.as_ref().to_owned())).collect();
        Ok(ReadLead { number, zone, fields, line })
    }

    fn zone(&mut self, written: &str) -> Result<String, String> {
        let name = match (written, self.default_zone) {
            ("", None) => return Err(NO_ZONE.to_owned()),
            ("", Some(zone)) => zone,
            (zone, _) => zone,
        };
        if let Some(known) = self.zones.get(name) {
            return known.clone();
        }
        let zone = zone_name(name).map_err(|why| why.to_string());
        self.zones.insert(name.to_owned(), zone.clone());
        zone
    }

    fn fault(&mut self, line: u64, value: &str, why: String) {
        self.reading.faults.push(LineFault { line, value: shown(value), why });
    }
}

fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

//! The story of a call: from the answer to the end, the customer is in exactly one of flow, wait or talk, without a gap;
//! phones ring within a wait; what lasts is what the row is in; and a record's sums are those of its story. Of calls that
//! became one only that their pieces are in order.

use std::collections::BTreeSet;

use strowger_model::{CallId, LogTime};
use strowger_table::{Call, How, Record, Segment, SegmentKind};

use super::{Found, Step};

const PROMISE: &str = "story";

#[derive(Default)]
pub(crate) struct Story {
    pub found: Found,
    /// Calls that became one: those who were in both were in two places at once.
    merged: BTreeSet<CallId>,
}

impl Story {
    pub fn committed(&mut self, step: &Step<'_>) {
        self.merged.extend(step.merges().into_iter().flatten());
        for row in step.calls.iter().filter_map(|call| step.after.call(*call)) {
            let numbers = number_fault(&row.segments, step.log_now());
            let is_one = !self.merged.contains(&row.id);
            let fault = || fault(&row.segments, step.log_now()).or_else(|| lasting_fault(row)).filter(|_| is_one);
            self.judge(row.id, numbers.or_else(fault));
        }
        for record in step.records.iter().filter(|record| !self.merged.contains(&record.call)).collect::<Vec<_>>() {
            self.judge(record.call, record_fault(record));
        }
    }

    fn judge(&mut self, call: CallId, fault: Option<String>) {
        if let Some(fault) = fault {
            self.found.breach(PROMISE, Some(call), || fault);
        }
    }
}

/// Where the customer is; not of one who was turned away by a queue at once.
fn is_whereabouts(piece: &&Segment) -> bool {
    let kind = matches!(piece.kind, SegmentKind::Flow | SegmentKind::Wait | SegmentKind::Talk);
    kind && !piece.is_turned_away()
}

/// A story has no room for more pieces of a kind: the last one of it stands for some, and says only how long they were.
fn is_folded(pieces: &[Segment]) -> bool {
    pieces.iter().filter(is_whereabouts).any(|piece| piece.n > 1)
}

fn number_fault(pieces: &[Segment], now: LogTime) -> Option<String> {
    let backwards = pieces.iter().find(|piece| piece.to.unwrap_or(now) < piece.from || piece.from > now);
    if let Some(piece) = backwards {
        return Some(format!("it is {now:?}, {piece:?} is not over before it began, or begins later"));
    }
    let numbers: Vec<u16> = pieces.iter().map(|piece| piece.no).collect();
    (!numbers.is_sorted_by(|one, next| one < next)).then(|| format!("its pieces are {numbers:?}"))
}

fn fault(pieces: &[Segment], now: LogTime) -> Option<String> {
    let mut last: Option<&Segment> = None;
    for piece in pieces.iter().filter(is_whereabouts).filter(|_| !is_folded(pieces)) {
        if let Some(last) = last.filter(|last| last.to != Some(piece.from)) {
            return Some(format!("{piece:?} does not follow {last:?}"));
        }
        last = Some(piece);
    }
    // A phone that rings beside one that is answered rings on until the entry that says so; the wait was over before.
    let within = |ring: &Segment, wait: &Segment| {
        let is_beside = |other: &&Segment| other.how == How::Served && ring.to.is_none_or(|to| other.from < to);
        let beside =
            pieces.iter().filter(|piece| piece.kind == SegmentKind::Ring && piece.leg != ring.leg).find(is_beside);
        let is_late = ring.how != How::Served && beside.is_some_and(|other| other.to >= Some(ring.from));
        let ends = if is_late { ring.from } else { ring.to.unwrap_or(now) };
        wait.kind == SegmentKind::Wait && wait.from <= ring.from && ends <= wait.to.unwrap_or(now)
    };
    // An agent who asked for a call is rung before there is a customer.
    let has_customer = |ring: &Segment| pieces.iter().filter(is_whereabouts).any(|piece| piece.from <= ring.from);
    let mut rings = pieces.iter().filter(|piece| piece.kind == SegmentKind::Ring && piece.n == 1);
    let stray = rings.find(|ring| has_customer(ring) && !pieces.iter().any(|wait| within(ring, wait)));
    stray.map(|ring| format!("{ring:?} lies in no wait of {pieces:?}"))
}

/// Whether what lasts by the story is what the row is in.
fn lasting_fault(row: &Call) -> Option<String> {
    let lasts: Vec<SegmentKind> =
        row.segments.iter().filter(is_whereabouts).filter(|piece| piece.is_open()).map(|piece| piece.kind).collect();
    let expected: &[SegmentKind] = match row.stage_name() {
        "flow" => &[SegmentKind::Flow],
        "queued" => &[SegmentKind::Wait],
        "offered" if row.has_customer() => &[SegmentKind::Wait],
        "talking" => &[SegmentKind::Talk],
        _ => &[],
    };
    let rung = row.segments.iter().filter(|piece| piece.is_open() && piece.kind == SegmentKind::Ring);
    let mut rung: Vec<_> = rung.map(|piece| piece.leg).collect();
    let mut ringing: Vec<_> = row.ringing().map(|leg| Some(leg.key)).collect();
    rung.sort_unstable();
    ringing.sort_unstable();
    (lasts != expected || rung != ringing)
        .then(|| format!("it is {}, in its story {lasts:?} last and {rung:?} ring", row.stage_name()))
}

fn record_fault(record: &Record) -> Option<String> {
    let pieces = || record.segments.iter();
    let end = pieces().filter(is_whereabouts).filter_map(|piece| piece.to).max();
    let span = |from: LogTime, to: LogTime| to.since(from).as_micros() as u64;
    let micros = |kind: SegmentKind| {
        pieces()
            .filter(move |piece| piece.kind == kind)
            .filter_map(|piece| Some(piece.spent + span(piece.from, piece.to?)))
    };
    let talks = pieces().any(|piece| piece.kind == SegmentKind::Talk);
    let talked = talks.then(|| micros(SegmentKind::Talk).sum::<u64>() / 1000);
    if record.talk_ms != talked {
        return Some(format!("{:?} ms of talk are recorded, the story has {talked:?}", record.talk_ms));
    }
    let wait = pieces().rfind(|piece| piece.kind == SegmentKind::Wait && !piece.is_turned_away());
    let waited = wait.and_then(|wait| Some(span(wait.from, wait.to?) / 1000));
    if record.wait_ms != waited {
        return Some(format!("{:?} ms of waiting are recorded, the story has {waited:?}", record.wait_ms));
    }
    let worked: Vec<u64> = micros(SegmentKind::Wrap).collect();
    let wrap = (!worked.is_empty()).then(|| worked.iter().sum::<u64>() / 1000);
    if record.wrap_ms != wrap {
        return Some(format!("{:?} ms of wrap-up are recorded, the story has {wrap:?}", record.wrap_ms));
    }
    let rings: u16 = pieces().filter(|piece| piece.kind == SegmentKind::Ring).map(|piece| piece.n).sum();
    if record.offers != rings {
        return Some(format!("{} offers are recorded, the story has {rings}", record.offers));
    }
    // Of an agent's own call that nobody answered, who asked for it: the phone that rang before anybody waited.
    let first = || pieces().find(|piece| matches!(piece.kind, SegmentKind::Wait | SegmentKind::Ring));
    let asked = || first().filter(|piece| record.dial.is_some() && piece.kind == SegmentKind::Ring);
    let talk = pieces().rfind(|piece| piece.kind == SegmentKind::Talk);
    let agent = talk.map_or_else(|| asked().and_then(|ring| ring.agent), |talk| talk.agent);
    if record.agent != agent {
        return Some(format!("{:?} is recorded, the story has {agent:?}", record.agent));
    }
    if is_folded(&record.segments) {
        return None;
    }
    // The customer's time and the time before it are the whole of it.
    let first = pieces().find(is_whereabouts).map(|piece| piece.from);
    let (Some(first), Some(end)) = (first, end) else { return None };
    let before = span(record.began, first);
    let whole: u64 = pieces().filter(is_whereabouts).filter_map(|piece| Some(span(piece.from, piece.to?))).sum();
    let total = (before + whole) / 1000;
    (record.total_ms != total || span(record.began, end) / 1000 != total)
        .then(|| format!("{} ms are recorded, the story has {total}: {:?}", record.total_ms, record.segments))
}

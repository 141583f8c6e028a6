//! A call's path in time: from its history, else from what its row or its record keeps.

use serde::Serialize;
use strowger_figures::{Dialled, Step, What};
use strowger_model::{AgentId, DialResult, HangupBy, LogTime};
use strowger_store::{CallLine, SegmentLine};
use strowger_table::{Call, DialFailure};

use super::Names;
use super::reasons::{DialReasons, Why, reasons};

#[derive(Serialize)]
pub struct PathStep {
    /// Log index.
    index: Option<u64>,
    /// Since the Unix epoch.
    at_ms: u64,
    /// Since the call was admitted, or begun.
    after_ms: u64,
    what: &'static str,
    text: String,
    why: Option<Why>,
}

pub fn path_of_history(names: &Names, history: &[Step]) -> Vec<PathStep> {
    let begun = history[0].time;
    let mut agent = None;
    let step = |step: &Step| {
        let why = match &step.what {
            What::Offered { agent: chosen, plan } => {
                agent = Some(*chosen);
                reasons(names, *chosen, plan).map(Why::Offer)
            }
            What::Dialled(dialled) => {
                agent = Some(dialled.agent);
                DialReasons::new(names, dialled, step.wall).map(Why::Dial)
            }
            _ => None,
        };
        let (what, text) = words(names, &step.what, agent);
        PathStep {
            index: Some(step.index),
            at_ms: step.wall.0,
            after_ms: step.time.since(begun).as_millis() as u64,
            what,
            text,
            why,
        }
    };
    history.iter().map(step).collect()
}

fn words(names: &Names, what: &What, agent: Option<AgentId>) -> (&'static str, String) {
    let agent = agent.map_or_else(|| "an agent".to_owned(), |agent| names.agent(agent));
    match what {
        What::Admitted { owner } => ("admitted", format!("admitted; {owner} drives it")),
        What::Answered { relay } => ("answered", format!("answered; media on {relay}")),
        What::Flow { step } => ("flow", format!("at step {step} of its flow")),
        What::Enqueued { queue } => ("enqueued", format!("waits in {}", names.queue(*queue))),
        What::Offered { agent: chosen, .. } => ("offered", format!("offered to {}", names.agent(*chosen))),
        What::Missed { miss } => {
            ("missed", format!("{agent} did not take it: SIP {}, cause {}; keeps its place", miss.status, miss.cause.0))
        }
        What::Dialled(dialled) => ("dialled", dialled_words(names, dialled)),
        What::AgentThere => ("agent_there", format!("{agent} is at the phone; now the number is called")),
        What::Reached { ringing: Some(agent) } => {
            ("reached", format!("the called party answered; {}'s phone rings", names.agent(*agent)))
        }
        What::Reached { ringing: None } => ("reached", format!("the called party answered; {agent} is there")),
        What::NotReached(failure) => ("not_reached", failure_words(failure)),
        What::Connected => ("connected", format!("talks to {agent}")),
        What::Adopted { owner } => ("adopted", format!("its node was gone; {owner} drives it now")),
        What::Expired => ("expired", "a deadline passed".to_owned()),
        What::Ended { ended, result } => {
            let by = far_end(ended.by.as_str(), result.is_some());
            ("ended", format!("ended by {by}, cause {}{}", ended.cause.0, result_words(*result)))
        }
    }
}

/// Whom the call is for is the caller, and in an outbound call the called party.
fn far_end(by: &str, is_outbound: bool) -> &str {
    if is_outbound && by == HangupBy::Caller.as_str() { "the called party" } else { by }
}

fn dialled_words(names: &Names, dialled: &Dialled) -> String {
    let (agent, campaign) = (names.agent(dialled.agent), names.campaign(dialled.campaign));
    let lead = dialled.lead.map_or_else(|| "a number on no list".to_owned(), |lead| format!("lead {lead}"));
    let owner = dialled.owner;
    if dialled.asked {
        return format!(
            "{agent} asked for {lead} in campaign {campaign}; {agent}'s phone rings first; {owner} drives it"
        );
    }
    format!("campaign {campaign} calls {lead} for {agent}, who is kept for the answer; {owner} drives it")
}

fn failure_words(failure: &DialFailure) -> String {
    let told = if failure.status == 0 { "no final answer".to_owned() } else { format!("SIP {}", failure.status) };
    format!("not reached: {}, {told}, cause {}", failure.result, failure.cause.0)
}

fn result_words(result: Option<DialResult>) -> String {
    result.map_or_else(String::new, |result| format!("; dialling came to {result}"))
}

/// What a row or a record tells of a call.
struct Told<'a> {
    begun_ms: u64,
    /// What began it, in words; else it was called.
    campaign: Option<String>,
    segments: &'a [SegmentLine],
    /// When it ended, after the beginning, and how.
    ended: Option<(u64, String)>,
}

impl Told<'_> {
    fn path(self) -> Vec<PathStep> {
        let is_outbound = self.campaign.is_some();
        let begun = match self.campaign {
            Some(words) => (0, "dialled", words),
            None => (0, "admitted", "admitted".to_owned()),
        };
        let pieces = self.segments.iter().flat_map(|piece| moments_of(piece, is_outbound));
        let since = |(at_ms, what, text): Moment| (at_ms.saturating_sub(self.begun_ms), what, text);
        let ended = self.ended.map(|(after_ms, text)| (after_ms, "ended", text));
        in_order(self.begun_ms, std::iter::once(begun).chain(pieces.map(since)).chain(ended))
    }
}

/// When a piece began, and for a phone that nobody took when it was given up.
fn moments_of(piece: &SegmentLine, is_outbound: bool) -> Vec<Moment> {
    let agent = piece.agent.as_deref().or(piece.party.as_deref()).unwrap_or("an agent");
    let queue = piece.queue.as_deref().unwrap_or("a queue");
    let begins = |what, text| (piece.from_ms, what, text);
    let missed = || {
        let (status, cause) = (piece.status.unwrap_or_default(), piece.cause.unwrap_or_default());
        let text = format!("{agent} did not take it: SIP {status}, cause {cause}; keeps its place");
        Some((piece.to_ms?, "missed", text)).filter(|_| piece.how == "missed")
    };
    match piece.kind.as_str() {
        "wait" if is_outbound => vec![begins("reached", "the called party answered".to_owned())],
        "wait" if piece.how == "full" => vec![begins("enqueued", format!("{queue} was full"))],
        "wait" if piece.how == "closed" && piece.to_ms == Some(piece.from_ms) => {
            vec![begins("enqueued", format!("{queue} was closed"))]
        }
        "wait" => vec![begins("enqueued", format!("waits in {queue}"))],
        "ring" => {
            let times = if piece.times > 1 { format!(", the last of {} times", piece.times) } else { String::new() };
            let offered = begins("offered", format!("offered to {agent}{times}"));
            std::iter::once(offered).chain(missed()).collect()
        }
        "talk" => vec![begins("connected", format!("talks to {agent}"))],
        _ => Vec::new(),
    }
}

/// A moment of a row or record: when, what, in words.
type Moment = (u64, &'static str, String);

/// Not all moments come in one order: who asks for a call is rung before the called party.
fn in_order(begun_ms: u64, moments: impl Iterator<Item = Moment>) -> Vec<PathStep> {
    let step =
        |(after_ms, what, text)| PathStep { index: None, at_ms: begun_ms + after_ms, after_ms, what, text, why: None };
    let mut steps: Vec<PathStep> = moments.map(step).collect();
    steps.sort_by_key(|step| step.after_ms);
    steps
}

/// The story that the row keeps.
pub fn path_of_row(names: &Names, row: &Call) -> Vec<PathStep> {
    let (times, result) = (&row.times, result_words(row.dial_result()));
    let after = |at: LogTime| at.since(times.admitted).as_millis() as u64;
    let wall = |at: LogTime| times.admitted_wall.0 + after(at);
    let line = |piece| SegmentLine::new(piece, &wall, &|queue| names.queue(queue), &|agent| names.agent(agent));
    let segments: Vec<SegmentLine> = row.segments.iter().map(line).collect();
    let words = row.failure.as_ref().map_or_else(|| format!("ended{result}"), failure_words);
    Told {
        begun_ms: times.admitted_wall.0,
        campaign: row.outbound().map(|outbound| {
            campaign_words(&names.campaign(outbound.campaign), outbound.lead.map(|lead| lead.to_string()))
        }),
        segments: &segments,
        ended: times.ended.map(|at| (after(at), words)),
    }
    .path()
}

fn campaign_words(campaign: &str, lead: Option<String>) -> String {
    let lead = lead.map_or_else(|| "a number on no list".to_owned(), |lead| format!("lead {lead}"));
    format!("campaign {campaign} calls {lead}")
}

/// The story that the record keeps.
pub fn path_of_record(record: &CallLine) -> Vec<PathStep> {
    let result = record.dial_result.as_ref().map_or_else(String::new, |result| {
        let status = record.sip_status.filter(|status| *status != 0);
        let status = status.map_or_else(String::new, |status| format!(", SIP {status}"));
        format!("; dialling came to {result}{status}")
    });
    let by = far_end(&record.by, record.campaign.is_some());
    let into = record.into.as_ref().map_or_else(String::new, |into| format!("; goes on as call {into}"));
    let words = format!("ended by {by}, cause {}{result}{into}", record.cause);
    let spans = spans(record);
    Told {
        begun_ms: record.admitted_ms,
        campaign: record.campaign.as_ref().map(|campaign| campaign_words(campaign, record.lead.clone())),
        segments: if record.segments.is_empty() { &spans } else { &record.segments },
        ended: Some((record.total_ms, words)),
    }
    .path()
}

/// The pieces of a record of before there were any: they follow back from its end.
fn spans(record: &CallLine) -> Vec<SegmentLine> {
    let end_ms = record.admitted_ms + record.total_ms;
    let left_ms = end_ms.saturating_sub(record.talk_ms.unwrap_or_default());
    let piece = |kind: &str, length_ms: Option<u64>, until_ms: u64| {
        let from_ms = until_ms.saturating_sub(length_ms?);
        let (queue, agent) = (record.queue.clone(), record.agent.clone());
        Some(SegmentLine { kind: kind.to_owned(), from_ms, queue, agent, ..SegmentLine::default() })
    };
    let pieces = [
        piece("wait", record.wait_ms, left_ms),
        piece("ring", record.ring_ms, left_ms),
        piece("talk", record.talk_ms, end_ms),
    ];
    pieces.into_iter().flatten().collect()
}

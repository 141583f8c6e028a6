//! A call's path in time: from its history, else from what its row or its record keeps.

use serde::Serialize;
use strowger_figures::{Dialled, Step, What};
use strowger_model::{AgentId, DialResult, HangupBy, LogTime};
use strowger_store::CallLine;
use strowger_table::{Call, DialFailure, Leg, Outbound};

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

/// Leg 0 is the caller's, and in an outbound call the called party's.
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

/// A moment of a row or record: after the beginning, what, in words.
type Moment = (Option<u64>, &'static str, String);

/// Not all moments come in one order: who asks for a call is rung before the called party.
fn in_order(begun_ms: u64, moments: Vec<Moment>, index: impl Fn(&str) -> Option<u64>) -> Vec<PathStep> {
    let step = |(after_ms, what, text): Moment| {
        let after_ms = after_ms?;
        Some(PathStep { index: index(what), at_ms: begun_ms + after_ms, after_ms, what, text, why: None })
    };
    let mut steps: Vec<PathStep> = moments.into_iter().filter_map(step).collect();
    steps.sort_by_key(|step| step.after_ms);
    steps
}

/// What the row keeps: of its offers only the last.
pub fn path_of_row(names: &Names, row: &Call) -> Vec<PathStep> {
    let times = &row.times;
    let after = |time: Option<LogTime>| time.map(|time| time.since(times.admitted).as_millis() as u64);
    let outbound = row.outbound();
    let agent = row.agent_leg().and_then(Leg::agent).or(row.reserved_agent());
    let agent = agent.map_or_else(|| "an agent".to_owned(), |agent| names.agent(agent));
    let (begun, waits) = match outbound {
        Some(outbound) => {
            (("dialled", outbound_words(names, outbound)), ("reached", "the called party answered".to_owned()))
        }
        None => {
            let queue = row.queue().map_or_else(String::new, |queue| names.queue(queue));
            (("admitted", "admitted".to_owned()), ("enqueued", format!("waits in {queue}")))
        }
    };
    let ended = row.failure.as_ref().map_or_else(|| format!("ended{}", result_words(row.dial_result())), failure_words);
    let moments = vec![
        (Some(0), begun.0, begun.1),
        (after(row.enqueued()), waits.0, waits.1),
        (after(row.offered()), "offered", format!("offered to {agent}, for the last time of {}", row.offers())),
        (after(row.connected()), "connected", format!("talks to {agent}")),
        (after(times.ended), "ended", ended),
    ];
    in_order(times.admitted_wall.0, moments, |what| row.place.filter(|_| what == "enqueued").map(|place| place.index()))
}

fn outbound_words(names: &Names, outbound: &Outbound) -> String {
    let lead = outbound.lead.map_or_else(|| "a number on no list".to_owned(), |lead| format!("lead {lead}"));
    format!("campaign {} calls {lead}", names.campaign(outbound.campaign))
}

/// What the record keeps: spans, from which the moments follow back from its end.
pub fn path_of_record(record: &CallLine) -> Vec<PathStep> {
    let connected = record.talk_ms.map(|talk| record.total_ms.saturating_sub(talk));
    let left = connected.unwrap_or(record.total_ms);
    let agent = record.agent.as_deref().unwrap_or("an agent");
    let (begun, waits) = match &record.campaign {
        Some(campaign) => {
            let lead =
                record.lead.as_ref().map_or_else(|| "a number on no list".to_owned(), |lead| format!("lead {lead}"));
            let begun = ("dialled", format!("campaign {campaign} calls {lead}"));
            (begun, ("reached", "the called party answered".to_owned()))
        }
        None => {
            let queue = record.queue.as_deref().unwrap_or_default();
            (("admitted", "admitted".to_owned()), ("enqueued", format!("waits in {queue}")))
        }
    };
    let result = record.dial_result.as_ref().map_or_else(String::new, |result| {
        let status = record.sip_status.filter(|status| *status != 0);
        let status = status.map_or_else(String::new, |status| format!(", SIP {status}"));
        format!("; dialling came to {result}{status}")
    });
    let by = far_end(&record.by, record.campaign.is_some());
    let moments = vec![
        (Some(0), begun.0, begun.1),
        (record.wait_ms.map(|wait| left.saturating_sub(wait)), waits.0, waits.1),
        (record.ring_ms.map(|ring| left.saturating_sub(ring)), "offered", format!("offered to {agent}")),
        (connected, "connected", format!("talks to {agent}")),
        (Some(record.total_ms), "ended", format!("ended by {by}, cause {}{result}", record.cause)),
    ];
    in_order(record.admitted_ms, moments, |_| None)
}

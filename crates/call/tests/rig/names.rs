//! Words for what is volatile or may be renamed: SIP tokens, commands, records.

use std::collections::BTreeMap;

use strowger_sip::{Message, parse_sdp};
use strowger_table::{Call, Command, DutyKind, Record, ToldBy};

use super::sample;

/// Gives each volatile value a name in the order of appearance.
#[derive(Default)]
pub struct Names {
    given: BTreeMap<(String, String), usize>,
    /// What was sent before, so that a repetition reads as one.
    sent: Vec<(String, Vec<u8>)>,
}

impl Names {
    pub fn name(&mut self, kind: &str, value: &str) -> String {
        let next = 1 + self.given.keys().filter(|(of, _)| of == kind).count();
        format!("{kind}{}", self.given.entry((kind.into(), value.into())).or_insert(next))
    }

    /// A branch, tag or Call-ID: ours get names, a far end's stand as they are.
    fn token(&mut self, kind: &str, value: &str) -> String {
        let tokens = super::local().tokens;
        let is_id = value.starts_with('c') && value.ends_with(&format!("@{}", super::far::HOST));
        let is_ours = is_id || tokens.of_branch(value).or(tokens.of_tag(value)).is_some();
        match value {
            "" => "-".into(),
            _ if is_ours => self.name(kind, value),
            _ => value.trim_start_matches("z9hG4bK-").into(),
        }
    }

    /// A message of ours, in one line.
    pub fn message(&mut self, to: &str, bytes: &[u8], message: &Message) -> String {
        let said = (to.to_owned(), bytes.to_vec());
        if self.sent.contains(&said) {
            let first = if message.is_request() {
                message.method().to_owned()
            } else {
                format!("{} to {}", message.status(), message.cseq_method())
            };
            return format!("{first} (cseq {}) again", message.cseq());
        }
        self.sent.push(said);
        let mut line = if message.is_request() {
            format!("{} {} cseq {}", message.method(), message.request_uri(), message.cseq())
        } else {
            format!("{} {} to {} {}", message.status(), message.reason(), message.cseq_method(), message.cseq())
        };
        line += &format!(" branch {}", self.token("branch", message.top_branch()));
        line += &format!(" call {}", self.token("id", message.call_id()));
        line += &format!(" from {}", self.token("tag", message.from_tag()));
        line += &format!(" to {}", self.token("tag", message.to_tag()));
        for header in ["Reason", "Retry-After"] {
            if let Some(value) = message.header(header) {
                line += &format!(" {header}: {value}");
            }
        }
        if let Ok(media) = parse_sdp(message.body()) {
            let version = String::from_utf8_lossy(message.body()).split(' ').nth(2).unwrap_or_default().to_owned();
            line += &format!(" sdp {} {:?} {} v{version}", media.addr.rtp, media.laws, media.direction.as_str());
        }
        line
    }
}

/// A proposal: its first word is what scripts call it.
pub fn command(command: &Command) -> String {
    match command {
        Command::Admit(_) => "admit".into(),
        Command::Withdraw { .. } => "withdraw".into(),
        Command::Answer { .. } => "answer".into(),
        Command::Step { step, .. } => format!("step {step}"),
        Command::Enqueue { step, .. } => format!("enqueue at step {step}"),
        Command::Missed { leg, miss, .. } => {
            let ring = if miss.hang_up { ", hang up" } else { "" };
            format!("missed {}, {} cause {}{ring}", leg.leg, miss.status, miss.cause.0)
        }
        Command::Answered { leg, .. } => format!("answered {}", leg.leg),
        Command::NotReached { leg, failure, .. } => {
            let ring = if failure.hang_up { ", hang up" } else { "" };
            format!("not-reached {}, {} {} cause {}{ring}", leg.leg, failure.result, failure.status, failure.cause.0)
        }
        Command::Left { leg, cause, told_by, .. } => {
            let teller = match told_by {
                ToldBy::FarEnd => "its far end",
                ToldBy::Silence => "silence",
                ToldBy::DeadMedia => "its relay",
            };
            format!("left {}, told by {teller}, cause {}", leg.leg, cause.0)
        }
        Command::Redialog { leg, holds, .. } => format!("redialog {}{}", leg.leg, if *holds { ", holds" } else { "" }),
        Command::Rehome { legs } => {
            let legs: Vec<String> = legs.iter().map(|(key, relay)| format!("{} to {relay}", key.leg)).collect();
            format!("rehome {}", legs.join(", "))
        }
        Command::End { ended, .. } => format!("end by {}, cause {}", ended.by.as_str(), ended.cause.0),
        Command::Done { .. } => "done".into(),
        Command::Plan(_) => "plan".into(),
        Command::Dial(_) => "dial".into(),
        Command::Expire => "expire".into(),
        Command::Adopt { node, .. } => format!("adopt what {node} had"),
        other => format!("{other:?}").split([' ', '{', '(']).next().unwrap_or_default().to_lowercase(),
    }
}

/// A duty, by what it is.
pub fn duty(row: &Call, id: u32) -> String {
    match row.duty(id).map(|duty| duty.kind) {
        Some(DutyKind::Answer { .. }) => "the answer is acknowledged".into(),
        Some(DutyKind::Ring { leg }) => format!("{} is rung", leg.leg),
        Some(DutyKind::Originate { .. }) => "the INVITE is out".into(),
        Some(DutyKind::HangUp { leg }) => format!("{} is hung up", leg.leg),
        Some(DutyKind::Close { relay, leg }) => format!("{relay} has closed {}", leg.leg),
        Some(DutyKind::Notify { leg }) => format!("{} knows what came of its request", leg.leg),
        Some(DutyKind::Seal { tap }) => format!("tap {tap} is complete"),
        None => "nothing that is open".into(),
    }
}

pub fn record(record: &Record) -> String {
    let span = |name: &str, ms: Option<u64>| ms.map(|ms| format!(" {name} {ms} ms")).unwrap_or_default();
    let mut line =
        format!("record: {}, ended by {}, cause {},", record.outcome, record.ended.by.as_str(), record.ended.cause.0);
    line += &format!(" {} offers, ", record.offers);
    if let Some(dial) = &record.dial {
        line += &format!("dialled: {} {}, ", dial.result, dial.status);
    }
    line += record.agent.map_or("nobody", sample::agent_name);
    line += &[span("waited", record.wait_ms), span("rang", record.ring_ms), span("talked", record.talk_ms)].concat();
    line + &format!(", in all {} ms", record.total_ms) + if record.wrap_ms.is_some() { ", second writing" } else { "" }
}

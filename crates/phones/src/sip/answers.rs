//! Answers given: sent again when the request is repeated, and an INVITE's final one until it is acknowledged
//! (RFC 3261 sections 13.3.1.4 and 17.2).

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::client::Packet;
use super::message::Message;
use super::{GIVE_UP, T1, T2};
use crate::leg::LegKey;

#[derive(Default)]
pub(crate) struct Answers {
    sent: HashMap<String, Given>,
    /// When each was given, oldest first. An INVITE is answered more than once: only its last answer counts.
    ages: VecDeque<(Instant, String)>,
    unacknowledged: HashMap<String, Unacknowledged>,
}

struct Given {
    packet: Packet,
    at: Instant,
}

struct Unacknowledged {
    answer: String,
    leg: Option<LegKey>,
    since: Instant,
    interval: Duration,
}

pub(crate) enum Repeat<'a> {
    Again { packet: &'a Packet, leg: Option<LegKey>, next_at: Instant },
    GaveUp(Option<LegKey>),
    Nothing,
}

impl Answers {
    /// The answer already given to this very request.
    pub fn given(&self, request: &Message) -> Option<&Packet> {
        self.sent.get(&transaction(request)).map(|given| &given.packet)
    }

    pub fn keep(&mut self, request: &Message, packet: Packet, now: Instant) {
        while let Some((age, key)) = self.ages.front()
            && now.saturating_duration_since(*age) >= GIVE_UP
        {
            if self.sent.get(key).is_some_and(|given| given.at == *age) {
                self.sent.remove(key);
            }
            self.ages.pop_front();
        }
        let key = transaction(request);
        self.sent.insert(key.clone(), Given { packet, at: now });
        self.ages.push_back((now, key));
    }

    /// The final answer to this INVITE, just kept, is repeated until its ACK comes. Returns when to look at it, and
    /// under which name.
    pub fn await_ack(&mut self, invite: &Message, tag: &str, leg: Option<LegKey>, now: Instant) -> (Instant, String) {
        let waiting = Unacknowledged { answer: transaction(invite), leg, since: now, interval: T1 };
        let name = awaited(invite, tag);
        self.unacknowledged.insert(name.clone(), waiting);
        (now + T1, name)
    }

    /// True if somebody waited for this ACK.
    pub fn on_ack(&mut self, ack: &Message) -> bool {
        self.unacknowledged.remove(&awaited(ack, ack.tag_in_to().unwrap_or_default())).is_some()
    }

    pub fn on_timer(&mut self, name: &str, now: Instant) -> Repeat<'_> {
        let Some(waiting) = self.unacknowledged.get_mut(name) else { return Repeat::Nothing };
        let leg = waiting.leg;
        let over = now.saturating_duration_since(waiting.since) >= GIVE_UP;
        match self.sent.get(&waiting.answer) {
            Some(given) if !over => {
                waiting.interval = (waiting.interval * 2).min(T2);
                Repeat::Again { packet: &given.packet, leg, next_at: now + waiting.interval }
            }
            _ => {
                self.unacknowledged.remove(name);
                Repeat::GaveUp(leg)
            }
        }
    }
}

/// What an INVITE's answer and its ACK have in common, with the tag of this side: two copies of an INVITE that came
/// on two ways make two dialogs, and each is acknowledged for itself.
fn awaited(message: &Message, tag: &str) -> String {
    format!("{} {} {tag}", message.cseq, message.call_id)
}

/// RFC 3261 section 17.2.3: branch, sent-by (here with the whole topmost Via) and method.
fn transaction(request: &Message) -> String {
    let via = request.list("via").first().copied().unwrap_or_default().to_owned();
    format!("{} {via} {}", request.cseq_method, request.call_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(method: &str, branch: &str, to: &str) -> Message {
        let text = format!(
            "{method} sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch={branch}\r\n\
             From: <sip:a@x>;tag=f\r\nTo: {to}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    fn packet(text: &str) -> Packet {
        Packet { socket: 0, destination: "127.0.0.1:9".parse().unwrap(), bytes: text.into() }
    }

    #[test]
    fn the_last_answer_is_remembered_however_long_it_rang() {
        let (mut answers, start) = (Answers::default(), Instant::now());
        let (invite, other) = (message("INVITE", "1", "<sip:x>"), message("INVITE", "2", "<sip:x>"));
        answers.keep(&invite, packet("180"), start);
        let picked_up = start + GIVE_UP - T1;
        answers.keep(&invite, packet("200"), picked_up);
        answers.keep(&other, packet("180"), start + GIVE_UP);
        assert_eq!(answers.given(&invite).unwrap().bytes, b"200");
        answers.keep(&other, packet("180"), picked_up + GIVE_UP);
        assert!(answers.given(&invite).is_none());
    }

    #[test]
    fn two_copies_of_an_invite_are_acknowledged_each_for_itself() {
        let (mut answers, now) = (Answers::default(), Instant::now());
        for (branch, tag, leg) in [("1", "t1", 1), ("2", "t2", 2)] {
            let invite = message("INVITE", branch, "<sip:x>");
            answers.keep(&invite, packet(tag), now);
            answers.await_ack(&invite, tag, Some(leg), now);
        }
        assert!(answers.on_ack(&message("ACK", "3", "<sip:x>;tag=t2")));
        assert!(!answers.on_ack(&message("ACK", "3", "<sip:x>;tag=t2")));
        let name = awaited(&message("INVITE", "1", "<sip:x>"), "t1");
        assert!(matches!(answers.on_timer(&name, now + T1), Repeat::Again { leg: Some(1), .. }));
    }
}

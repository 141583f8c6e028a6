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
    sent: HashMap<String, Packet>,
    /// When each was given, oldest first.
    ages: VecDeque<(Instant, String)>,
    unacknowledged: HashMap<(String, u32), Unacknowledged>,
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
        self.sent.get(&transaction(request))
    }

    pub fn keep(&mut self, request: &Message, packet: Packet, now: Instant) {
        while let Some((given, key)) = self.ages.front()
            && now.saturating_duration_since(*given) >= GIVE_UP
        {
            self.sent.remove(key);
            self.ages.pop_front();
        }
        let key = transaction(request);
        if self.sent.insert(key.clone(), packet).is_none() {
            self.ages.push_back((now, key));
        }
    }

    /// The final answer to this INVITE, just kept, is repeated until its ACK comes. Returns when to look at it.
    pub fn await_ack(&mut self, invite: &Message, leg: Option<LegKey>, now: Instant) -> Instant {
        let waiting = Unacknowledged { answer: transaction(invite), leg, since: now, interval: T1 };
        // A second INVITE under the same number is a copy: the first keeps its place.
        self.unacknowledged.entry((invite.call_id.clone(), invite.cseq)).or_insert(waiting);
        now + T1
    }

    /// True if somebody waited for this ACK.
    pub fn on_ack(&mut self, ack: &Message) -> bool {
        self.unacknowledged.remove(&(ack.call_id.clone(), ack.cseq)).is_some()
    }

    pub fn on_timer(&mut self, call_id: &str, cseq: u32, now: Instant) -> Repeat<'_> {
        let key = (call_id.to_owned(), cseq);
        let Some(waiting) = self.unacknowledged.get_mut(&key) else { return Repeat::Nothing };
        let leg = waiting.leg;
        let over = now.saturating_duration_since(waiting.since) >= GIVE_UP;
        match self.sent.get(&waiting.answer) {
            Some(packet) if !over => {
                waiting.interval = (waiting.interval * 2).min(T2);
                Repeat::Again { packet, leg, next_at: now + waiting.interval }
            }
            _ => {
                self.unacknowledged.remove(&key);
                Repeat::GaveUp(leg)
            }
        }
    }
}

/// RFC 3261 section 17.2.3: branch, sent-by (here with the whole topmost Via) and method.
fn transaction(request: &Message) -> String {
    let via = request.list("via").first().copied().unwrap_or_default().to_owned();
    format!("{} {via} {}", request.cseq_method, request.call_id)
}

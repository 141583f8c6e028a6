//! Relays as the call sees them: ports and answers. What is heard where is only written down.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use strowger_call::{MediaFact, MediaOp};
use strowger_model::{LegNo, MediaAddr, RelayId};

use super::names::Names;
use super::sample;

#[derive(Default)]
pub struct Relays {
    open: BTreeMap<(RelayId, LegNo), SocketAddr>,
    gone: Vec<(RelayId, LegNo)>,
    /// Answers wait for a step of the script.
    pub slow: bool,
    waiting: VecDeque<MediaOp>,
    /// Ids of prompts that were begun, oldest first.
    prompts: Vec<u64>,
}

impl Relays {
    /// What comes back at once.
    pub fn order(&mut self, relay: RelayId, op: &MediaOp) -> Vec<MediaFact> {
        match op {
            MediaOp::Open { leg } => {
                if self.gone.contains(&(relay, *leg)) {
                    return vec![MediaFact::Unavailable { leg: *leg }];
                }
                let port = 20_000 + leg.0 * 2;
                let rtp = SocketAddr::from(([10, 0, 0, relay.0 as u8], port));
                self.open.insert((relay, *leg), rtp);
            }
            MediaOp::CloseLeg { leg } => {
                self.open.remove(&(relay, *leg));
                self.gone.push((relay, *leg));
            }
            MediaOp::Close => self.open.retain(|(of, _), _| *of != relay),
            MediaOp::Play { id, repeat: false, .. } => self.prompts.push(*id),
            _ => {}
        }
        let fact = self.answer(relay, op);
        if self.slow && !fact.is_empty() {
            self.waiting.push_back(op.clone());
            return Vec::new();
        }
        fact
    }

    fn answer(&self, relay: RelayId, op: &MediaOp) -> Vec<MediaFact> {
        let of_relay = |((of, leg), rtp): (&(RelayId, LegNo), &SocketAddr)| {
            (*of == relay).then_some(MediaFact::Opened { leg: *leg, rtp: *rtp })
        };
        match op {
            MediaOp::Open { leg } => self
                .open
                .get(&(relay, *leg))
                .map(|rtp| MediaFact::Opened { leg: *leg, rtp: *rtp })
                .into_iter()
                .collect(),
            MediaOp::Close => vec![MediaFact::Closed { relay }],
            MediaOp::Adopt => self.open.iter().filter_map(of_relay).collect(),
            _ => Vec::new(),
        }
    }

    /// The answer to the open of a leg that a slow relay owes, whatever has become of the leg.
    pub fn port(&mut self, leg: LegNo) -> MediaFact {
        let asked = self.waiting.iter().position(|op| *op == MediaOp::Open { leg });
        self.waiting.remove(asked.expect("nobody waits for this port"));
        let relay = self.open.keys().find(|(_, of)| *of == leg).map_or(RelayId(1), |(relay, _)| *relay);
        MediaFact::Opened { leg, rtp: SocketAddr::from(([10, 0, 0, relay.0 as u8], 20_000 + leg.0 * 2)) }
    }

    pub fn no_port(&mut self, leg: LegNo) -> MediaFact {
        self.waiting.retain(|op| *op != MediaOp::Open { leg });
        self.open.retain(|(_, of), _| *of != leg);
        MediaFact::Unavailable { leg }
    }

    /// The prompt begun last, or `before` the last, is over.
    pub fn played(&self, before: usize) -> MediaFact {
        let at = self.prompts.len().checked_sub(1 + before).expect("a prompt was begun");
        MediaFact::PlayDone { id: self.prompts[at] }
    }

    pub fn left_open(&self) -> Vec<String> {
        self.open.keys().map(|(relay, leg)| format!("{relay} {leg}")).collect()
    }
}

/// The one place that knows how orders to a relay read.
pub fn words(op: &MediaOp, names: &mut Names) -> String {
    match op {
        MediaOp::Adopt => "adopt".into(),
        MediaOp::Open { leg } => format!("open {leg}"),
        MediaOp::Remote { leg, media, send, receive } => format!("{leg} far end {}", remote(media, *send, *receive)),
        MediaOp::Play { leg, content, repeat, id } => {
            let name = sample::CONTENT.iter().find(|(_, digest)| digest == content).map_or("unknown", |(name, _)| name);
            let how = if *repeat { " for ever" } else { "" };
            format!("{leg} hears {name}{how} as {}", names.name("play", &id.to_string()))
        }
        MediaOp::Stop { leg } => format!("{leg} hears nothing"),
        MediaOp::Bridge { a, b } => format!("{a} and {b} hear each other"),
        MediaOp::Join { leg, with, peer } => format!("{leg} and {with} of {peer} hear each other"),
        MediaOp::CloseLeg { leg } => format!("close {leg}"),
        MediaOp::Close => "close all".into(),
        MediaOp::Acknowledge { event } => format!("acknowledge {event}"),
    }
}

fn remote(media: &MediaAddr, send: bool, receive: bool) -> String {
    let way = match (send, receive) {
        (true, true) => "both ways",
        (true, false) => "to it only",
        (false, true) => "from it only",
        (false, false) => "neither way",
    };
    format!("{} {:?} {way}", media.rtp, media.codec.law)
}

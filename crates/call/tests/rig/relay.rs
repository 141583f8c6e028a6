//! Relays as the call sees them: ports, what each leg hears by the relays' own rule, and answers.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use strowger_call::MediaFact;
use strowger_media::{Hearing, Hears, LegSnapshot, Op, RelayAnswer};
use strowger_model::{Incarnation, LegNo, MediaAddr, RelayId};

use super::names::Names;
use super::sample;

#[derive(Default)]
pub struct Relays {
    open: BTreeMap<(RelayId, LegNo), Port>,
    gone: Vec<(RelayId, LegNo)>,
    /// Answers wait for a step of the script.
    pub slow: bool,
    waiting: VecDeque<Op>,
    /// Prompts that were begun, oldest first.
    prompts: Vec<u64>,
    /// How often they were started anew.
    restarts: u64,
}

/// What is open for a leg.
struct Port {
    rtp: SocketAddr,
    hearing: Hearing,
    exports: Vec<RelayId>,
}

impl Relays {
    /// What comes back at once.
    pub fn order(&mut self, relay: RelayId, op: &Op) -> Vec<MediaFact> {
        let answer = self.obey(relay, op);
        let facts = MediaFact::of_answer(relay, op, Some((self.incarnation(), &answer)));
        if self.slow && !facts.is_empty() {
            self.waiting.push_back(op.clone());
            return Vec::new();
        }
        facts
    }

    /// All of them begin again and hold nothing.
    pub fn restart(&mut self) {
        *self = Self { restarts: self.restarts + 1, slow: self.slow, ..Self::default() };
    }

    fn incarnation(&self) -> Incarnation {
        Incarnation(1 + self.restarts)
    }

    fn obey(&mut self, relay: RelayId, op: &Op) -> RelayAnswer {
        match op {
            Op::Open { leg } if !self.gone.contains(&(relay, *leg)) => {
                let rtp = port(relay, *leg);
                let fresh = || Port { rtp, hearing: Hearing::default(), exports: Vec::new() };
                self.open.entry((relay, *leg)).or_insert_with(fresh);
                return RelayAnswer::Opened { rtp, rtcp: rtp };
            }
            Op::CloseLeg { leg } => {
                self.open.remove(&(relay, *leg));
                self.gone.push((relay, *leg));
            }
            Op::Close => self.open.retain(|(of, _), _| *of != relay),
            Op::Hear { leg, what, no } => {
                if let Hears::Content { repeat: false, play, .. } = what {
                    self.prompts.push(*play);
                }
                if let Some(port) = self.open.get_mut(&(relay, *leg)) {
                    port.hearing.judge(what, *no);
                }
            }
            Op::Export { leg, to } => {
                if let Some(port) = self.open.get_mut(&(relay, *leg)) {
                    port.exports.clone_from(to);
                }
            }
            Op::Adopt => {
                let held = self.open.iter().filter(|((of, _), _)| *of == relay);
                let legs = held.map(|((_, leg), port)| port.snapshot(*leg)).collect();
                return RelayAnswer::Snapshot { legs, missed: Vec::new() };
            }
            Op::Open { .. } | Op::Remote { .. } | Op::Ack { .. } => {}
        }
        RelayAnswer::Done
    }

    /// The answer to the open of a leg that a slow relay owes, whatever has become of the leg.
    pub fn port(&mut self, leg: LegNo) -> MediaFact {
        let asked = self.waiting.iter().position(|op| *op == Op::Open { leg });
        self.waiting.remove(asked.expect("nobody waits for this port"));
        let relay = self.open.keys().find(|(_, of)| *of == leg).map_or(RelayId(1), |(relay, _)| *relay);
        MediaFact::Opened { leg, rtp: port(relay, leg), incarnation: self.incarnation() }
    }

    pub fn no_port(&mut self, leg: LegNo) -> MediaFact {
        self.waiting.retain(|op| *op != Op::Open { leg });
        self.open.retain(|(_, of), _| *of != leg);
        MediaFact::Unavailable { leg }
    }

    /// The prompt begun last, or `before` the last, is over.
    pub fn played(&mut self, before: usize) -> MediaFact {
        let at = self.prompts.len().checked_sub(1 + before).expect("a prompt was begun");
        let play = self.prompts[at];
        let is_heard =
            |port: &&mut Port| matches!(port.hearing.what(), Hears::Content { play: heard, .. } if *heard == play);
        for port in self.open.values_mut().filter(is_heard) {
            port.hearing.finish();
        }
        MediaFact::PlayDone { play }
    }

    pub fn left_open(&self) -> Vec<String> {
        self.open.keys().map(|(relay, leg)| format!("{relay} {leg}")).collect()
    }
}

/// The one place that knows how orders to a relay read.
pub fn words(op: &Op, names: &mut Names) -> String {
    match op {
        Op::Adopt => "adopt".into(),
        Op::Open { leg } => format!("open {leg}"),
        Op::Remote { leg, media, send, receive } => format!("{leg} far end {}", remote(media, *send, *receive)),
        Op::Hear { leg, what, .. } => format!("{leg} hears {}", heard(what, names)),
        Op::Export { leg, to } => format!("{leg} is sent to {}", listed(to.iter())),
        Op::CloseLeg { leg } => format!("close {leg}"),
        Op::Close => "close all".into(),
        Op::Ack { seq } => format!("acknowledge {seq}"),
    }
}

fn heard(what: &Hears, names: &mut Names) -> String {
    match what {
        Hears::Nothing => "nothing".into(),
        Hears::Content { digest, repeat, play } => {
            let name = sample::CONTENT.iter().find(|(_, known)| known == digest).map_or("unknown", |(name, _)| name);
            let how = if *repeat { " for ever" } else { "" };
            format!("{name}{how} as {}", names.name("play", &play.to_string()))
        }
        Hears::Legs(_) => listed(what.sources().map(|source| source.leg)),
    }
}

fn listed<T: std::fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let words: Vec<String> = items.map(|item| item.to_string()).collect();
    if words.is_empty() { "nobody".into() } else { words.join(" and ") }
}

fn port(relay: RelayId, leg: LegNo) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, relay.0 as u8], 20_000 + leg.0 * 2))
}

impl Port {
    fn snapshot(&self, leg: LegNo) -> LegSnapshot {
        LegSnapshot {
            leg,
            local: self.rtp,
            remote: None,
            latched: None,
            send: true,
            receive: true,
            hears: self.hearing.what().clone(),
            no: self.hearing.no(),
            play: self.hearing.play(),
            exports: self.exports.clone(),
            dead: false,
            packets_in: 0,
            packets_out: 0,
            quiet_ms: None,
        }
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

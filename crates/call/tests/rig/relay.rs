//! Relays as the call sees them: ports, what each leg hears by the relays' own rule, and answers.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use strowger_call::MediaFact;
use strowger_media::{Closed, Hearing, Hears, LegSnapshot, Op, Refusal, RelayAnswer, RelayEvent, What};
use strowger_model::{CallId, Incarnation, LegKey, MediaAddr, Mono, RelayId};

use super::names::Names;
use super::sample;

#[derive(Default)]
pub struct Relays {
    open: BTreeMap<(RelayId, LegKey), Port>,
    closed: BTreeMap<(RelayId, LegKey), Closed>,
    pub now: Mono,
    /// Answers wait for a step of the script.
    pub slow: bool,
    /// What is to be played has not been brought to them.
    pub lacks_content: bool,
    waiting: VecDeque<(RelayId, CallId, Op)>,
    /// What slow ones did for legs as they were asked, and have yet to say.
    unsaid: VecDeque<(RelayId, Vec<MediaFact>)>,
    /// Prompts that were begun, oldest first, and where.
    prompts: Vec<(RelayId, LegKey, u64)>,
    /// One that nobody begins again.
    gone: Option<RelayId>,
    /// The one that may open a port that another does not.
    pub another: Option<RelayId>,
    /// How often they were started anew.
    restarts: u64,
}

/// What is open for a leg.
struct Port {
    rtp: SocketAddr,
    hearing: Hearing,
    exports: Vec<RelayId>,
    dead: bool,
    /// What its owner has not heard.
    missed: Vec<RelayEvent>,
}

impl Relays {
    /// What comes back at once. `call`: the one that the leg was born in.
    pub fn order(&mut self, relay: RelayId, call: CallId, op: &Op) -> Vec<MediaFact> {
        if self.gone == Some(relay) {
            // Its courier gives up what may be given up.
            let is_given_up = matches!(op, Op::Open { .. } | Op::CloseLeg { .. });
            let facts = if is_given_up { MediaFact::of_answer(relay, call, op, None) } else { Vec::new() };
            return facts.into_iter().map(|fact| fact.or_of(self.another)).collect();
        }
        let answer = self.obey(relay, call, op);
        let facts = MediaFact::of_answer(relay, call, op, Some((self.incarnation(), &answer)));
        if self.slow && matches!(op, Op::Adopt { .. }) {
            self.unsaid.push_back((relay, facts));
            return Vec::new();
        }
        if self.slow && !facts.is_empty() {
            self.waiting.push_back((relay, call, op.clone()));
            return Vec::new();
        }
        facts
    }

    /// All of them begin again and hold nothing.
    pub fn restart(&mut self) {
        *self = Self { restarts: self.restarts + 1, slow: self.slow, now: self.now, ..Self::default() };
    }

    /// This one ends for ever.
    pub fn die(&mut self, relay: RelayId) {
        self.gone = Some(relay);
        self.open.retain(|(of, _), _| *of != relay);
    }

    fn incarnation(&self) -> Incarnation {
        Incarnation(1 + self.restarts)
    }

    fn obey(&mut self, relay: RelayId, call: CallId, op: &Op) -> RelayAnswer {
        let named = |leg| (relay, LegKey { call, leg });
        if let Op::Remote { leg, .. } | Op::Hear { leg, .. } | Op::Export { leg, .. } = op
            && !self.open.contains_key(&named(*leg))
        {
            return RelayAnswer::Refused { why: Refusal::NoSuchLeg };
        }
        match op {
            Op::Open { leg } if self.closed.get(&named(*leg)).is_none_or(|closed| closed.opens_again(0, self.now)) => {
                self.closed.remove(&named(*leg));
                let rtp = port(relay, named(*leg).1);
                let fresh =
                    || Port { rtp, hearing: Hearing::default(), exports: Vec::new(), dead: false, missed: Vec::new() };
                self.open.entry(named(*leg)).or_insert_with(fresh);
                return RelayAnswer::Opened { rtp, rtcp: rtp };
            }
            Op::CloseLeg { leg } => {
                self.open.remove(&named(*leg));
                self.closed.insert(named(*leg), Closed::new(0, self.now));
            }
            Op::Hear { leg, what, no } => {
                if let Hears::Content { repeat: false, play, .. } = what {
                    self.prompts.push((relay, named(*leg).1, *play));
                }
                if let Some(port) = self.open.get_mut(&named(*leg)) {
                    port.hearing.judge(what, *no);
                    if self.lacks_content {
                        port.hearing.lacks_content();
                    }
                }
            }
            Op::Export { leg, to } => {
                if let Some(port) = self.open.get_mut(&named(*leg)) {
                    port.exports.clone_from(to);
                }
            }
            Op::Adopt { leg } => {
                let Some(port) = self.open.get(&named(*leg)) else {
                    return RelayAnswer::Refused { why: Refusal::NoSuchLeg };
                };
                let (leg, missed) = (Box::new(port.snapshot(named(*leg).1)), port.missed.clone());
                return RelayAnswer::Snapshot { leg, missed };
            }
            Op::Remote { media, .. } if media.rtp.ip().to_string() == sample::REFUSED => {
                return RelayAnswer::Refused { why: Refusal::BadAddress };
            }
            Op::Remote { media, .. } if media.rtp.ip().to_string() == sample::FORBIDDEN => {
                return RelayAnswer::Refused { why: Refusal::ForbiddenAddress };
            }
            Op::Open { .. } | Op::Remote { .. } | Op::Ack { .. } => {}
        }
        RelayAnswer::Done
    }

    /// The answer to the open of a leg that a slow relay owes, whatever has become of the leg.
    pub fn port(&mut self, leg: LegKey) -> MediaFact {
        let open = Op::Open { leg: leg.leg };
        let asked = self.waiting.iter().position(|(_, call, op)| (*call, op) == (leg.call, &open));
        let (relay, ..) = asked.and_then(|at| self.waiting.remove(at)).expect("nobody waits for this port");
        MediaFact::Opened { relay, leg, rtp: port(relay, leg), incarnation: self.incarnation() }
    }

    /// What a slow relay did for legs as an heir asked.
    pub fn adopted(&mut self, of: RelayId) -> Vec<MediaFact> {
        let (said, unsaid): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.unsaid).into_iter().partition(|(relay, _)| *relay == of);
        self.unsaid = unsaid.into();
        assert!(!said.is_empty(), "nobody asked what it does");
        said.into_iter().flat_map(|(_, facts)| facts).collect()
    }

    pub fn no_port(&mut self, leg: LegKey) -> MediaFact {
        let open = Op::Open { leg: leg.leg };
        let asked = self.waiting.iter().position(|(_, call, op)| (*call, op) == (leg.call, &open));
        let relay = asked.and_then(|at| self.waiting.remove(at)).map_or(super::RELAY, |(relay, ..)| relay);
        self.open.remove(&(relay, leg));
        MediaFact::Unavailable { relay, leg, instead: self.another }
    }

    /// A courier that had nothing to say has asked which start of it this is.
    pub fn met(&self, relay: RelayId) -> MediaFact {
        MediaFact::Met { relay, incarnation: self.incarnation() }
    }

    /// A slow relay says of every leg that it was told to close that nothing is left of it; once it has, it says so
    /// again.
    pub fn closed(&mut self, of: RelayId) -> Vec<MediaFact> {
        let mut facts = Vec::new();
        self.waiting.retain(|(relay, call, op)| match op {
            Op::CloseLeg { leg } if *relay == of => {
                facts.push(MediaFact::Closed { relay: of, leg: LegKey { call: *call, leg: *leg } });
                false
            }
            _ => true,
        });
        let closed = self.closed.keys().filter(|(relay, _)| facts.is_empty() && *relay == of);
        let again: Vec<MediaFact> = closed.map(|(relay, leg)| MediaFact::Closed { relay: *relay, leg: *leg }).collect();
        facts.extend(again);
        assert!(!facts.is_empty(), "{of} was told to close nothing");
        facts
    }

    /// A key is pressed while nobody listens.
    pub fn unheard(&mut self, relay: RelayId, leg: LegKey, digit: u8) {
        let event = RelayEvent { call: leg.call, seq: 1, leg: leg.leg, what: What::Digit { digit } };
        self.open.get_mut(&(relay, leg)).expect("it has a port there").missed.push(event);
    }

    /// Nothing comes from a leg any more, which is said once.
    pub fn dead(&mut self, relay: RelayId, leg: LegKey) -> MediaFact {
        self.open.iter_mut().filter(|(at, _)| **at == (relay, leg)).for_each(|(_, port)| port.dead = true);
        MediaFact::Told { relay, leg, what: What::DeadMedia { since_ms: 10_000 } }
    }

    /// The prompt begun last, or `before` the last, is over.
    pub fn played(&mut self, before: usize) -> MediaFact {
        let at = self.prompts.len().checked_sub(1 + before).expect("a prompt was begun");
        let (relay, leg, play) = self.prompts[at];
        let is_heard =
            |port: &&mut Port| matches!(port.hearing.what(), Hears::Content { play: heard, .. } if *heard == play);
        if let Some(port) = self.open.get_mut(&(relay, leg)).filter(is_heard) {
            port.hearing.finish();
        }
        MediaFact::Told { relay, leg, what: What::PlayDone { play } }
    }

    pub fn left_open(&self) -> Vec<String> {
        self.open.keys().map(|(relay, leg)| format!("{relay} {}", leg.leg)).collect()
    }
}

/// The one place that knows how orders to a relay read.
pub fn words(op: &Op, names: &mut Names) -> String {
    match op {
        Op::Adopt { leg } => format!("adopt {leg}"),
        Op::Open { leg } => format!("open {leg}"),
        Op::Remote { leg, media, send, receive } => format!("{leg} far end {}", remote(media, *send, *receive)),
        Op::Hear { leg, what, .. } => format!("{leg} hears {}", heard(what, names)),
        Op::Export { leg, to } => format!("{leg} is sent to {}", listed(to.iter())),
        Op::CloseLeg { leg } => format!("close {leg}"),
        Op::Ack { leg, seq } => format!("acknowledge {leg} {seq}"),
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

fn port(relay: RelayId, leg: LegKey) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, relay.0 as u8], 20_000 + leg.leg.0 * 2))
}

impl Port {
    fn snapshot(&self, leg: LegKey) -> LegSnapshot {
        LegSnapshot {
            leg: leg.leg,
            local: self.rtp,
            remote: None,
            latched: None,
            send: true,
            receive: true,
            hears: self.hearing.what().clone(),
            no: self.hearing.no(),
            play: self.hearing.play(),
            exports: self.exports.clone(),
            dead: self.dead,
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

//! Who hears whom: the one table of it, over a view of a call that has nothing else in it. Whoever drives a call makes
//! the view from its row; what relays are told follows from here alone.

use strowger_media::{Gain, Hears, MAX_SOURCES};
use strowger_model::{Digest, LegKey, RelayId};
use strowger_table::WITH_CUSTOMER;
pub use strowger_table::{Watch, Watched};

/// A call as hearing sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// How far the call is.
    pub stage: Stage,
    /// All that its row has.
    pub legs: Vec<LegView>,
    /// The agent who serves the customer.
    pub serving: Option<LegKey>,
    /// Something is being said that no recording, no copy and no listener may get.
    pub private: bool,
}

/// How far a call is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The customer is not there yet.
    Reaching,
    /// In its flow.
    Flow,
    /// The customer waits for somebody.
    Waiting,
    /// The customer is with an agent or a party, or one is being rung.
    Talking,
    /// Nobody hears anything.
    Ended,
}

/// A leg, as far as it matters to who hears whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LegView {
    /// Which leg.
    pub key: LegKey,
    /// None before one was chosen: nobody can be told anything of the leg then.
    pub relay: Option<RelayId>,
    /// What it is for.
    pub role: Role,
    /// How far it is.
    pub state: State,
    /// Who is in the same one can hear each other: 0 with the customer, 1 aside; none is parked.
    pub room: Option<u8>,
    /// Its own description does not listen (RFC 3264, 8.4).
    pub holds: bool,
    /// Nobody hears it; it hears as before.
    pub muted: bool,
}

/// What a leg is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Whom the call is for.
    Customer,
    /// Somebody who serves, or is asked beside the customer.
    Agent,
    /// Somebody else who was brought in.
    Party,
    /// Somebody who follows, and how.
    Supervisor {
        /// Whom.
        on: Watched,
        /// Heard by whom.
        mode: Watch,
    },
    /// A step of the flow: a voice agent, an outside service.
    Step,
}

/// How far a leg is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Not answered, or not committed so.
    Ringing,
    /// Answered, not yet in the call.
    Screening,
    /// In the call.
    Up,
    /// Being told to go.
    Releasing,
}

/// What there is to play, each with its playing: the configuration and the flow say what, the row says which playing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sounds {
    /// For who waits, is parked or left alone by who holds: the queue's music.
    pub music: Option<Sound>,
    /// What single legs are told now: the customer by a step of the flow, who was reached by what is asked or told first.
    pub prompts: Vec<(LegKey, Sound)>,
}

/// Content that is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sound {
    /// What is played.
    pub digest: Digest,
    /// Number of this playing: what begins anew has another.
    pub play: u64,
}

/// How a leg takes part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Hears and is heard where it is; who barges in as well.
    Full,
    Whispers,
    Listens,
}

/// What each leg's far end hears. It is a whole: a leg that is not in it hears nothing.
pub fn hears(call: &View, sounds: &Sounds) -> Vec<(LegKey, Hears)> {
    let all: Vec<(LegKey, Hears)> = call.legs.iter().map(|leg| (leg.key, heard_by(call, sounds, leg))).collect();
    debug_assert!(is_symmetric(call, &all), "who takes part and is heard hears, but for who is muted");
    debug_assert!(
        call.serving.is_none_or(|key| call.leg(key).is_none_or(|leg| leg.role == Role::Agent)),
        "who serves is an agent"
    );
    all
}

/// Those who take part hear each other. Who watches, and who is muted, hears more than is heard of it.
fn is_symmetric(call: &View, all: &[(LegKey, Hears)]) -> bool {
    let takes_part = |key: LegKey| call.leg(key).is_some_and(|leg| !matches!(leg.role, Role::Supervisor { .. }));
    let is_muted = |key: LegKey| call.leg(key).is_some_and(|leg| leg.muted);
    let hears = |one: LegKey, other: LegKey| {
        all.iter().any(|(hearer, what)| *hearer == one && what.sources().any(|source| source == other))
    };
    let mut pairs = all.iter().flat_map(|(hearer, what)| what.sources().map(move |source| (*hearer, source)));
    pairs
        .all(|(hearer, source)| !takes_part(hearer) || !takes_part(source) || is_muted(hearer) || hears(source, hearer))
}

fn heard_by(call: &View, sounds: &Sounds, leg: &LegView) -> Hears {
    let is_there = matches!(leg.state, State::Screening | State::Up) && call.stage != Stage::Ended;
    let prompt = sounds.prompts.iter().find(|(of, _)| *of == leg.key).map(|(_, prompt)| *prompt);
    match prompt {
        _ if !is_there => Hears::Nothing,
        // Somebody waits for its end: it runs on for who does not listen.
        Some(prompt) => prompt.once(),
        None if leg.state == State::Screening || leg.holds => Hears::Nothing,
        None => {
            let voices = voices(call, leg);
            match sounds.music.filter(|_| voices.is_empty() && is_left_alone(call, leg)) {
                Some(music) => music.for_ever(),
                None if voices.is_empty() => Hears::Nothing,
                None => Hears::Legs(voices.into_iter().map(|source| (source, Gain::UNITY)).collect()),
            }
        }
    }
}

/// Whose voices a leg hears, in the order of their names.
fn voices(call: &View, leg: &LegView) -> Vec<LegKey> {
    let audible = call.legs.iter().filter(|other| other.key != leg.key && other.is_audible());
    let mut voices: Vec<LegKey> = audible.filter(|other| reaches(call, other, leg)).map(|other| other.key).collect();
    voices.sort_unstable();
    debug_assert!(voices.len() <= MAX_SOURCES, "a call has more legs than a row may have");
    voices
}

/// The table: whether what one leg says is for another one.
fn reaches(call: &View, from: &LegView, to: &LegView) -> bool {
    match (from.part(), to.part()) {
        (Part::Listens, _) => false,
        (Part::Whispers, Part::Full) => coached(call, from) == Some(to.key),
        // Who watches hears none of the others who do.
        (Part::Whispers, Part::Whispers | Part::Listens) => false,
        (Part::Full, Part::Full) => shares(to.room, from.room),
        (Part::Full, Part::Whispers | Part::Listens) => !call.private && shares(watched_room(call, to), from.room),
    }
}

fn shares(one: Option<u8>, other: Option<u8>) -> bool {
    one.is_some() && one == other
}

/// The room that a supervisor hears.
fn watched_room(call: &View, supervisor: &LegView) -> Option<u8> {
    match supervisor.role {
        Role::Supervisor { on: Watched::Leg(watched), .. } => call.up(watched)?.room,
        _ => Some(WITH_CUSTOMER),
    }
}

/// The agent who hears a whisper: never anybody else.
fn coached(call: &View, supervisor: &LegView) -> Option<LegKey> {
    let is_agent = |key: &LegKey| call.up(*key).is_some_and(|leg| leg.role == Role::Agent);
    let watched = match supervisor.role {
        Role::Supervisor { on: Watched::Leg(watched), .. } => Some(watched).filter(is_agent),
        _ => None,
    };
    watched.or(call.serving.filter(is_agent))
}

/// Who hears music when no voice is there: a parked leg, one whose room only others are in who hold, and a customer or
/// somebody brought in whom nobody is with, outside a flow.
fn is_left_alone(call: &View, leg: &LegView) -> bool {
    if leg.part() != Part::Full {
        return false;
    }
    let Some(room) = leg.room else { return true };
    let with = |other: &&LegView| {
        other.key != leg.key && other.state == State::Up && other.part() == Part::Full && other.room == Some(room)
    };
    let mut others = call.legs.iter().filter(with).peekable();
    match others.peek() {
        Some(_) => others.all(|other| other.holds),
        None => {
            matches!(leg.role, Role::Customer | Role::Party) && matches!(call.stage, Stage::Waiting | Stage::Talking)
        }
    }
}

/// The relays that each leg's voice goes to, beside its own: those of the legs that hear it. Its own is among them
/// when who hears it there was born in another call, for another thread of the relay may hold that one.
pub fn exports(call: &View, hears: &[(LegKey, Hears)]) -> Vec<(LegKey, Vec<RelayId>)> {
    call.legs.iter().map(|leg| (leg.key, sent_to(call, hears, leg))).collect()
}

fn sent_to(call: &View, hears: &[(LegKey, Hears)], leg: &LegView) -> Vec<RelayId> {
    let hearers = hears.iter().filter(|(_, what)| what.sources().any(|source| source == leg.key));
    let mut relays: Vec<RelayId> = hearers
        .filter_map(|(hearer, _)| {
            let relay = call.leg(*hearer)?.relay?;
            let is_elsewhere = leg.relay != Some(relay) || leg.key.call != hearer.call;
            is_elsewhere.then_some(relay)
        })
        .collect();
    relays.sort_unstable();
    relays.dedup();
    relays
}

/// Whether recordings, copies and detectors get what they take, or silence.
pub fn taps_hear(call: &View) -> bool {
    !call.private
}

impl Sound {
    fn once(self) -> Hears {
        Hears::Content { digest: self.digest, repeat: false, play: self.play }
    }

    fn for_ever(self) -> Hears {
        Hears::Content { digest: self.digest, repeat: true, play: self.play }
    }
}

impl View {
    /// The leg of that birth key, if the call has it.
    pub fn leg(&self, key: LegKey) -> Option<&LegView> {
        self.legs.iter().find(|leg| leg.key == key)
    }

    fn up(&self, key: LegKey) -> Option<&LegView> {
        self.leg(key).filter(|leg| leg.state == State::Up)
    }
}

impl LegView {
    /// Whether anybody may hear it.
    fn is_audible(&self) -> bool {
        self.state == State::Up && !self.holds && !self.muted
    }

    fn part(&self) -> Part {
        match self.role {
            Role::Supervisor { mode: Watch::Listen, .. } => Part::Listens,
            Role::Supervisor { mode: Watch::Whisper, .. } => Part::Whispers,
            _ => Part::Full,
        }
    }
}

//! What is taken from a leg's sound: a recording, a copy for another machine, a detector.

use strowger_model::{EndpointId, LegKey, LogTime};

/// One thing that gets a leg's sound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tap {
    /// Its number within the call, never given twice.
    pub no: u8,
    /// The leg whose sound, in and out, it takes.
    pub leg: LegKey,
    /// What for.
    pub kind: TapKind,
    /// Whether it gets the sound.
    pub state: TapState,
    /// Since when in this state.
    pub since: LogTime,
    /// Which part of the recording is being written.
    pub part: u16,
}

/// What a tap is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TapKind {
    /// A recording is written.
    Record,
    /// A machine hears it, for example to write it down.
    Fork {
        /// Which.
        endpoint: EndpointId,
    },
    /// Listens for an answering machine.
    Detect,
}

/// Whether a tap gets the sound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TapState {
    /// It does.
    Running,
    /// Gets silence.
    Paused,
    /// Over, and its relay has not said yet that all of it is kept.
    Sealing,
}

//! What is taken from a leg's sound: a recording, a copy for another machine, a detector.

use strowger_model::{EndpointId, LegKey, LogTime};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tap {
    /// Its number within the call, never given twice.
    pub no: u8,
    /// The leg whose sound, in and out, it takes.
    pub leg: LegKey,
    pub kind: TapKind,
    pub state: TapState,
    pub since: LogTime,
    /// Which part of the recording is being written.
    pub part: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TapKind {
    Record,
    Fork {
        endpoint: EndpointId,
    },
    /// Listens for an answering machine.
    Detect,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TapState {
    Running,
    /// Gets silence.
    Paused,
    /// Over, and its relay has not said yet that all of it is kept.
    Sealing,
}

//! Bugs put in on purpose: a world that does not catch them proves nothing.

/// One fault of the shell, the log or of what passes between the pure parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Plant {
    /// A waiting call is handed to its owner as offered to an agent who has another one.
    DoubleOffer,
    /// The planner no longer knows the order of calls that were adopted.
    OrderLost,
    /// The leader never says `Expire`.
    NoExpire,
    /// What is done is never said.
    DoneLost,
    /// A process that was paused or cut off goes on as if nothing had been decided meanwhile.
    Unfenced,
    /// The reader of the outbox writes each record twice.
    RecordTwice,
    /// An adopter passes over calls whose agent is being rung.
    RingingForgotten,
    /// A far end's hang-up is answered but never proposed.
    HangUpUnproposed,
    /// One replica stamps an entry with its own clock.
    LocalValue,
    /// A repeated proposal gets a new number and is carried out again.
    RepeatTwice,
    /// A phone that rings is never told to stop.
    CancelUnsent,
    /// A proposal is answered when the leader takes it, before it is committed.
    EarlyAnswer,
    /// A process starts with the incarnation it had before.
    SameLife,
    /// An heir takes a call that is being dialled for one that nobody has dialled.
    HeirDials,
    /// What an operator bars is entered as if it were lifted: the pacer and the table know of no bars.
    BarForgotten,
    /// Of two relays, only the caller's is told that the legs hear each other.
    HearOneSide,
    /// Of two relays, only the caller's is told to send a voice to the other.
    ExportOneSide,
    /// Of two relays, only the caller's is told to close the call.
    CloseOneSide,
}

impl Plant {
    pub const ALL: [Plant; 18] = [
        Plant::DoubleOffer,
        Plant::OrderLost,
        Plant::NoExpire,
        Plant::DoneLost,
        Plant::Unfenced,
        Plant::RecordTwice,
        Plant::RingingForgotten,
        Plant::HangUpUnproposed,
        Plant::LocalValue,
        Plant::RepeatTwice,
        Plant::CancelUnsent,
        Plant::EarlyAnswer,
        Plant::SameLife,
        Plant::HeirDials,
        Plant::BarForgotten,
        Plant::HearOneSide,
        Plant::ExportOneSide,
        Plant::CloseOneSide,
    ];
}

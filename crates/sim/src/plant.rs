//! Bugs put in on purpose: a world that does not catch them proves nothing. They reach into what passes between the
//! parts (proposals, entries, rows, packets, timers, orders), so that they outlive how the parts are written.

/// Makes the plants, with what each is and the promises one of which must catch it.
macro_rules! plants {
    ($($(#[doc = $doc:literal])+ $name:ident => [$($promise:literal),+],)+) => {
        /// One fault of the shell, the log or of what passes between the pure parts.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
        pub enum Plant {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Plant {
            /// All there are, in the order in which `planted` puts them in.
            pub const ALL: &[Plant] = &[$(Plant::$name),+];

            /// The promises that this bug breaks. Anything else that it breaks does not count.
            pub fn breaks(self) -> &'static [&'static str] {
                match self {
                    $(Plant::$name => &[$($promise),+],)+
                }
            }
        }
    };
}

plants! {
    /// A waiting call is handed to its owner as offered to an agent who has another one.
    DoubleOffer => ["slot"],
    /// The planner no longer knows the order of calls that were adopted.
    OrderLost => ["order"],
    /// The leader never says `Expire`.
    NoExpire => ["nothing is stuck"],
    /// The leader never says `Assign` of an agent.
    NoAssign => ["balance"],
    /// The leader assigns a campaign once, and leaves it there whoever comes back.
    CampaignsStay => ["balance"],
    /// What is done is never said.
    DoneLost => ["nothing is stuck", "survival", "true record"],
    /// A process that was paused or cut off goes on as if nothing had been decided meanwhile.
    Unfenced => ["one voice"],
    /// A node that nobody answers goes on for three seconds.
    PassiveLate => ["one voice"],
    /// A passive node sends what it has to say.
    PassiveSends => ["one voice"],
    /// A process that finds itself declared dead goes on.
    FencedStays => ["rest"],
    /// Relays obey whoever says something, also an owner that was replaced.
    RelayUnfenced => ["one voice"],
    /// No voter says that it hears nothing of a node.
    SilentUnsaid => ["nothing is stuck"],
    /// No voter says that it hears a node again.
    HeardUnsaid => ["rest"],
    /// The reader of the outbox writes each record twice.
    RecordTwice => ["conservation"],
    /// An adopter passes over calls whose agent is being rung.
    RingingForgotten => ["nothing is stuck"],
    /// A call that an INVITE began here is begun without the INVITE.
    InviteForgotten => ["told", "rest", "nothing is stuck", "site"],
    /// A far end's hang-up is answered but never proposed.
    HangUpUnproposed => ["both ways", "survival", "rest"],
    /// One replica stamps an entry with its own clock.
    LocalValue => ["same log, same state"],
    /// A repeated proposal gets a new number and is carried out again.
    RepeatTwice => ["once", "admitted once"],
    /// A phone that rings is never told to stop.
    CancelUnsent => ["rest", "dialled once"],
    /// A proposal is answered when the leader takes it, before it is committed.
    EarlyAnswer => ["once"],
    /// A process starts with the incarnation it had before.
    SameLife => ["nothing is stuck", "once"],
    /// An heir takes a call that is being dialled for one that nobody has dialled.
    HeirDials => ["dialled once"],
    /// What one tenant bars is barred for all.
    BarForAll => ["barred"],
    /// A caller whom an operator bars is let in.
    CallerBarForgotten => ["unwanted"],
    /// A caller is barred whom nobody meant.
    WrongCallerBarred => ["unwanted"],
    /// Who hides is taken, whatever the tenant says.
    AnonymousTaken => ["unwanted"],
    /// A new configuration is named with the content of the first one.
    OldContent => ["in force"],
    /// The content of later configurations is nowhere to be found.
    ContentLost => ["in force"],
    /// An agent who says how a call went is only made ready.
    DispositionLost => ["disposition"],
    /// What an agent says of a call is written down as something else.
    DispositionMixed => ["disposition"],
    /// Anybody may speak for a call.
    OwnerUnchecked => ["refused"],
    /// Processes that were declared dead are listened to.
    FenceUnchecked => ["refused"],
    /// A call whose actor broke is not taken again.
    RetakeForgotten => ["nothing is stuck"],
    /// A call whose actor broke is taken again when the sweep finds it.
    RetakeLate => ["nothing is stuck"],
    /// A phone that registers is bound for ever.
    BindingForEver => ["registered"],
    /// A phone that takes itself off stays bound.
    UnbindForgotten => ["registered"],
    /// A phone is bound for a shorter time than it is told.
    BindingTooShort => ["registered"],
    /// A phone's connection is forgotten: it is bound as if it had none.
    ConnectionForgotten => ["registered"],
    /// A phone that comes by datagrams moves its agent like one that connects.
    DatagramMovesAgent => ["registered"],
    /// What comes by a connection is carried out where the agent was before.
    ConnectionPassedOn => ["registered"],
    /// One tenant's callers hear the other's music.
    OtherTenantsMusic => ["apart"],
    /// One tenant's agents serve the other's queues.
    OtherTenantsAgents => ["apart", "staffed", "longest idle"],
    /// What an operator bars is entered as if it were lifted: the pacer and the table know of no bars.
    BarForgotten => ["barred"],
    /// Of two relays, only the caller's is told that the legs hear each other.
    HearOneSide => ["both ways"],
    /// Of two relays, only the caller's is told to send a voice to the other.
    ExportOneSide => ["both ways"],
    /// Of two relays, only the caller's is told to close the call.
    CloseOneSide => ["closed"],
    /// No relay is told that legs hear each other.
    HearForgotten => ["both ways"],
    /// Who answers is acknowledged at once, before the answer is committed.
    AckEarly => ["told"],
    /// A caller is answered as soon as the call is admitted.
    AnswerEarly => ["told"],
    /// A busy number is reported as one where nobody answers.
    BusyAsNoAnswer => ["true record"],
    /// Whatever came of dialling is reported as if nothing had been sent.
    SentAsUnsent => ["true record"],
    /// A call that was not sent is reported as one that nobody answered.
    UnsentAsNoAnswer => ["true record"],
    /// Who hung up is mixed up.
    HangUpSwapped => ["true record"],
    /// A far end's hang-up is taken for a failure of ours.
    HangUpAsFailure => ["survival"],
    /// The table knows of no wrap-up.
    WrapUpIgnored => ["wrap-up"],
    /// Wrap-up lasts longer than the queue says.
    WrapUpLong => ["nothing is stuck"],
    /// Who misses an offer gets the next one at once.
    PauseIgnored => ["misses"],
    /// However many are missed, the agent stays ready.
    MissesIgnored => ["misses"],
    /// Queues are never full.
    NeverFull => ["max waiting"],
    /// Queues are full with one call less.
    FullTooSoon => ["max waiting"],
    /// Callers wait longer than the queue lets them.
    WaitTooLong => ["max wait", "nothing is stuck"],
    /// Callers are sent away before their time.
    WaitTooShort => ["max wait"],
    /// Phones ring far longer than the queue says.
    RingTooLong => ["nothing is stuck"],
    /// Called parties ring far longer than the campaign says.
    DialTooLong => ["nothing is stuck"],
    /// Leads are called again and again.
    AttemptsIgnored => ["attempts"],
    /// A lead is called again at once, whatever came of the last call.
    RetryAtOnce => ["retry pause"],
    /// A campaign takes the last idle agent.
    KeepIdleIgnored => ["keep idle"],
    /// Every agent serves every queue.
    EveryQueue => ["staffed", "longest idle"],
    /// Calls come into a queue that their flow does not name.
    WrongQueue => ["routed"],
    /// Leads are called round the clock.
    HoursIgnored => ["hours"],
    /// Whom an agent asks for is called whenever the agent comes to the phone.
    HoursAskedOnce => ["hours"],
    /// A campaign's hours begin a minute late.
    HoursLate => ["called"],
    /// Agents' legs take the relay of another site.
    SiteIgnored => ["site"],
    /// Of two idle agents the other one gets the call.
    ShortestIdle => ["longest idle"],
    /// An agent of two queues is given to the later call.
    SharedUnfair => ["shared agents", "order"],
    /// A pacer takes what the trunk has not.
    TrunkFlood => ["trunk allowance"],
    /// A campaign that is stopped dials on.
    StopIgnored => ["stopped"],
    /// A list's numbers are taken down wrong.
    WrongNumber => ["listed"],
    /// One INVITE is admitted by each node that it reaches.
    AdmittedTwice => ["admitted once"],
    /// A proposal is acknowledged and never written.
    LostAfterAnswer => ["once"],
    /// The log's words for the rows of a dead node name no heir.
    NoHeirs => ["rest", "nothing is stuck", "conservation"],
    /// A replica leaves out an entry.
    EntrySkipped => ["same log, same state"],
    /// No BYE ever leaves.
    ByeUnsent => ["told", "rest"],
    /// Far ends are never heard to hang up.
    ByeUnheard => ["both ways", "rest"],
    /// Actors' timers never fire.
    NoTimers => ["nothing is stuck", "rest"],
    /// What relays say unasked is lost.
    RelayUnheard => ["nothing is stuck"],
    /// Nobody hears that a relay began anew, unless it is told something.
    AnewUnheard => ["both ways", "nothing is stuck", "rest"],
    /// Nobody hears that a relay is gone.
    GoneUnheard => ["both ways", "nothing is stuck", "rest"],
    /// Orders to relays are said once, and no more when they are lost.
    OrdersOnce => ["nothing is stuck", "both ways", "rest", "closed"],
    /// A proposal that is not answered is not said again.
    NeverAgain => ["nothing is stuck", "rest", "survival", "both ways"],
    /// A plan has two phones ring for one place.
    TwoPhones => ["one phone"],
    /// Of phones that ring together another one is said to have answered.
    AnswerOfAnother => ["true record"],
    /// A phone that rang with the one that answered is never told to stop.
    WithdrawnRingsOn => ["rest"],
    /// Of calls that became one, nobody tells relays what those hear who came from the other.
    MergedUnheard => ["both ways"],
    /// A relay takes one owner for all legs that were born in a call, wherever they stand by now.
    OneOwner => ["both ways", "closed"],
    /// The owner of a call is not told of those who came from another.
    MergedForgotten => ["both ways", "rest", "nothing is stuck"],
    /// An owner says of every answer that it came before anything else.
    LongAgo => ["story"],
    /// A phone is said to have hung up as soon as it is told to.
    HungUpTooSoon => ["slot"],
    /// A node takes the log's time to have gone on while nobody led.
    OutageCounted => ["ring time"],
    /// However many calls a trunk has, one more is let in.
    DoorWide => ["door"],
    /// A trunk is taken for one of half as many calls.
    DoorNarrow => ["door"],
    /// No node says how many calls of a trunk it has let in.
    LetInUntold => ["door"],
    /// Nobody hears of whom nothing comes any more.
    SilenceUnheard => ["gone"],
    /// Who takes a held call up again holds still, by the row.
    HeldForEver => ["both ways"],
    /// A phone's INVITE that is repeated opens a second dialog.
    RungTwice => ["slot", "dialled once"],
}

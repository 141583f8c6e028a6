//! An agent's row: the phones, what the agent is ready for, the slots of work.

use strowger_model::{
    AgentId, CallId, CampaignId, Far, Incarnation, Instance, LegKey, LogTime, NodeId, PlaceId, QueueId, TenantId,
};

/// The slot that calls take.
pub const VOICE_SLOT: u8 = 0;

/// An agent, in the configuration or not yet done with its last calls.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Agent {
    /// Who.
    pub id: AgentId,
    /// Of which tenant.
    pub tenant: TenantId,
    /// SIP user and login name.
    pub name: String,
    /// Whose places the agent is offered.
    pub queues: Vec<QueueId>,
    /// Whose actor it has; only agents with a binding have one.
    pub owner: Option<(NodeId, Incarnation)>,
    /// Whether the agent takes work.
    pub presence: Presence,
    /// Asked for while at work; takes effect when the work is over.
    pub next: Option<Presence>,
    /// Since when in this presence.
    pub since: LogTime,
    /// At most `limit::BINDINGS`; in the order in which they came.
    pub bindings: Vec<Binding>,
    /// At most `limit::SLOTS`; `VOICE_SLOT` is there always.
    pub slots: Vec<Slot>,
    /// Offers missed in a row.
    pub misses: u16,
    /// Calls answered since the agent was made known.
    pub answered: u64,
    /// Of the layout that proves how a field comes about.
    #[cfg(feature = "next-layout")]
    pub mark: crate::Later<1, u32>,
}

/// Whether an agent takes work.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Presence {
    /// No phone.
    Out,
    /// Has a phone, and is offered nothing.
    NotReady {
        /// In the agent's words, or ours after too many misses.
        reason: String,
    },
    /// Is offered what the slots are free for.
    Ready,
}

/// Where one of an agent's phones is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Binding {
    /// Which phone; a REGISTER of the same one renews it.
    pub instance: Instance,
    /// How the phone is reached.
    pub kind: BindingKind,
    /// Its Contact: what an INVITE asks for.
    pub uri: String,
    /// Where the REGISTER came from: behind a NAT the URI alone does not lead back. Over TCP its connection.
    pub flow: Far,
    /// Thousandths; the highest is rung (RFC 3261, 20.10).
    pub q: u16,
    /// `LogTime::MAX` for a phone that is always there.
    pub expires: LogTime,
    /// Its connection died with a node: it has until then to come back, and is not rung before.
    pub lost: Option<LogTime>,
}

impl Binding {
    /// When it goes unless it is renewed.
    pub(crate) fn until(&self) -> LogTime {
        self.lost.map_or(self.expires, |lost| lost.min(self.expires))
    }
}

/// How a phone is reached. Today all are `Sip`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BindingKind {
    /// By SIP, from a REGISTER or the configuration.
    Sip,
    /// By WebRTC.
    Browser,
    /// A number outside, over a trunk.
    Outside,
    /// By a socket of its relay.
    Socket,
}

/// One piece of work that an agent can have at a time.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Slot {
    /// Its number among the agent's.
    pub no: u8,
    /// What it is for.
    pub medium: Medium,
    /// What it is doing.
    pub state: SlotState,
    /// Since when in this state.
    pub since: LogTime,
    /// Longest idle is counted from here: the end of the last work, or the log-in.
    pub idle_since: LogTime,
    /// A ring-all goes to those who were offered something least recently.
    pub last_offer: LogTime,
}

/// What a slot is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Medium {
    /// Calls.
    Voice,
    /// Chats.
    Chat,
    /// What has no voice and no hurry: a mail, a case.
    Item,
}

/// What a slot is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SlotState {
    /// May be offered something, if the agent is ready.
    Free,
    /// Kept for the answer of a called party.
    Reserved {
        /// For whom.
        by: Reserver,
        /// `LogTime::MAX` where the call's own deadlines end it.
        until: LogTime,
    },
    /// The agent is being asked.
    Offered(Offered),
    /// With a call, and a second one while the agent asks somebody by another leg.
    Busy {
        /// Which call.
        call: CallId,
        /// The one with whoever is asked.
        aside: Option<CallId>,
    },
    /// Work after the conversation that this segment of the call tells of.
    Wrap {
        /// Which call.
        call: CallId,
        /// The number of that segment.
        segment: u16,
        /// When it is over at the latest.
        until: LogTime,
    },
    /// Left alone for a moment after a miss.
    Paused {
        /// When it is free again.
        until: LogTime,
    },
    /// The work is over, and a phone of it has yet to hang up: rung now, it would answer that it is busy. Ends with the
    /// duty to hang it up.
    Releasing,
}

/// For whom a slot is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reserver {
    /// Ends with the call's own deadlines.
    Call(CallId),
    /// For whichever of its called parties answers first.
    Campaign(CampaignId),
}

/// What a slot is offered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Offered {
    /// A phone rings: ends with the leg's own deadline. The call is the one whose row the leg is in.
    Leg {
        /// Whose row the leg is in.
        call: CallId,
        /// The agent's leg.
        leg: LegKey,
    },
    /// Something without a voice is shown.
    Item {
        /// The place it is at.
        place: PlaceId,
        /// When it goes back.
        until: LogTime,
    },
}

impl SlotState {
    /// The call that the agent is kept for, rung for or talks with.
    pub fn call(&self) -> Option<CallId> {
        match self {
            SlotState::Reserved { by: Reserver::Call(call), .. }
            | SlotState::Offered(Offered::Leg { call, .. })
            | SlotState::Busy { call, .. } => Some(*call),
            _ => None,
        }
    }

    /// Work with one row is work with another from now on. A question beside a call that becomes part of it is none.
    pub(crate) fn moved(self, from: CallId, into: CallId) -> Self {
        let there = |call| if call == from { into } else { call };
        match self {
            SlotState::Busy { call, aside } => {
                let call = there(call);
                SlotState::Busy { call, aside: aside.map(there).filter(|aside| *aside != call) }
            }
            SlotState::Offered(Offered::Leg { call, leg }) => {
                SlotState::Offered(Offered::Leg { call: there(call), leg })
            }
            state => state,
        }
    }

    /// Reserved, offered, busy or in wrap-up: a call or its record refers to the agent.
    pub(crate) fn is_work(&self) -> bool {
        match self {
            SlotState::Reserved { .. } | SlotState::Offered(_) | SlotState::Busy { .. } | SlotState::Wrap { .. } => {
                true
            }
            SlotState::Free | SlotState::Paused { .. } | SlotState::Releasing => false,
        }
    }

    pub(crate) fn until(&self) -> LogTime {
        match self {
            SlotState::Reserved { until, .. }
            | SlotState::Offered(Offered::Item { until, .. })
            | SlotState::Wrap { until, .. }
            | SlotState::Paused { until } => *until,
            SlotState::Free
            | SlotState::Offered(Offered::Leg { .. })
            | SlotState::Busy { .. }
            | SlotState::Releasing => LogTime::MAX,
        }
    }
}

impl Agent {
    /// The word of who is ready, reachable and free.
    pub const IDLE: &str = "idle";

    /// The word of who has no phone that can be reached.
    pub const LOGGED_OUT: &str = "logged_out";

    /// What an agent with one voice slot is doing, in a word.
    pub const STATE_NAMES: [&str; 9] =
        [Self::LOGGED_OUT, "not_ready", Self::IDLE, "reserved", "offered", "talking", "wrap_up", "paused", "releasing"];

    /// As interfaces and metrics have it.
    pub fn state_name(&self) -> &'static str {
        Self::STATE_NAMES[self.state_index()]
    }

    /// Its place in `STATE_NAMES`: the work first, then the presence.
    pub fn state_index(&self) -> usize {
        match (self.voice().map(|slot| &slot.state), &self.presence) {
            (Some(SlotState::Reserved { .. }), _) => 3,
            (Some(SlotState::Offered(_)), _) => 4,
            (Some(SlotState::Busy { .. }), _) => 5,
            (Some(SlotState::Wrap { .. }), _) => 6,
            (Some(SlotState::Paused { .. }), _) => 7,
            (Some(SlotState::Free | SlotState::Releasing) | None, Presence::Out) => 0,
            (Some(SlotState::Free | SlotState::Releasing) | None, Presence::NotReady { .. }) => 1,
            (Some(SlotState::Releasing), Presence::Ready) => 8,
            // Every phone's connection is lost.
            (Some(SlotState::Free) | None, Presence::Ready) if self.phone().is_none() => 0,
            (Some(SlotState::Free) | None, Presence::Ready) => 2,
        }
    }

    /// Since when in the state that `state_name` says.
    pub fn state_since(&self) -> LogTime {
        match self.voice() {
            Some(slot) if slot.state != SlotState::Free => slot.since,
            Some(slot) => slot.since.max(self.since),
            None => self.since,
        }
    }

    /// The first slot for calls.
    pub fn voice(&self) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.medium == Medium::Voice)
    }

    /// The slot of that number.
    pub fn slot(&self, no: u8) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.no == no)
    }

    pub(crate) fn slot_mut(&mut self, no: u8) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.no == no)
    }

    /// The call that the agent is kept for, rung for or talks with.
    pub fn call(&self) -> Option<CallId> {
        self.slots.iter().find_map(|slot| slot.state.call())
    }

    /// The slot that a call takes.
    pub fn slot_of(&self, call: CallId) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.state.call() == Some(call))
    }

    /// The call whose wrap-up the agent is in.
    pub fn wrapping(&self) -> Option<CallId> {
        self.slots.iter().find_map(|slot| match slot.state {
            SlotState::Wrap { call, .. } => Some(call),
            _ => None,
        })
    }

    /// Why not ready, or why not once the work is over.
    pub fn reason(&self) -> Option<&str> {
        match self.next.as_ref().unwrap_or(&self.presence) {
            Presence::NotReady { reason } => Some(reason),
            Presence::Out | Presence::Ready => None,
        }
    }

    /// The phone that is rung: the one that can be reached and ranks highest, the newest of equals.
    pub fn phone(&self) -> Option<&Binding> {
        self.bindings.iter().filter(|binding| binding.lost.is_none()).max_by_key(|binding| binding.q)
    }

    /// Whether the agent takes work, phones aside.
    pub fn is_ready(&self) -> bool {
        self.presence == Presence::Ready
    }

    /// Slots that may be offered something of a medium.
    pub fn free_slots(&self, medium: Medium) -> impl Iterator<Item = &Slot> {
        let ready = self.is_ready() && (medium != Medium::Voice || self.phone().is_some());
        self.slots.iter().filter(move |slot| ready && slot.medium == medium && slot.state == SlotState::Free)
    }

    /// The slot that a call takes which the agent asks for: who asks need not be ready for what others send.
    pub fn asking_slot(&self) -> Option<&Slot> {
        let may = self.presence != Presence::Out && self.phone().is_some();
        let free = |slot: &&Slot| slot.medium == Medium::Voice && slot.state == SlotState::Free;
        self.slots.iter().find(free).filter(|_| may)
    }

    /// A call or its record still refers to this agent.
    pub fn is_at_work(&self) -> bool {
        self.slots.iter().any(|slot| slot.state.is_work())
    }

    /// The first moment at which this row must change if nobody changes it before.
    pub(crate) fn lease(&self) -> LogTime {
        let slots = self.slots.iter().map(|slot| slot.state.until());
        let bindings = self.bindings.iter().map(Binding::until);
        slots.chain(bindings).min().unwrap_or(LogTime::MAX)
    }
}

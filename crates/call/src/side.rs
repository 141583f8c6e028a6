//! One far end as its call drives it.

use std::net::SocketAddr;

use strowger_model::{LegKey, LogTime, Mono, RelayId};
use strowger_sip::{Leg, LegState, Out};

use crate::hangup::Leaving;

pub(crate) struct Side {
    pub key: LegKey,
    /// None until its INVITE came, or is out.
    pub sip: Option<Leg>,
    /// The relay that was asked for its port.
    pub relay: Option<RelayId>,
    /// Our address, once the port is open.
    pub rtp: Option<SocketAddr>,
    pub ringing: Ringing,
    /// The description of our 200, until its row is committed.
    pub answer: Option<String>,
    /// Its answer is committed and acted on.
    pub is_met: bool,
    /// That it is over is proposed.
    pub leaving: Option<Leaving>,
    /// It had left before this owner came: nothing is asked of it, and late repeats are answered.
    pub is_gone: bool,
}

/// How far a far end is that has not answered yet.
#[derive(Default)]
pub(crate) struct Ringing {
    /// When the relay is given up, then when the far end is.
    pub give_up: Option<Mono>,
    /// Until when an INVITE that nobody has heard may be sent again, where one may not come late: neither as a repetition
    /// of one that a passive node withheld.
    pub repeat_until: Option<LogTime>,
    /// An earlier owner may have rung it.
    pub is_inherited: bool,
    /// It sent something: it exists.
    pub is_heard: bool,
    /// What came of it is proposed.
    pub is_reported: bool,
}

impl Side {
    pub fn new(key: LegKey, sip: Option<Leg>) -> Self {
        Self {
            key,
            sip,
            relay: None,
            rtp: None,
            ringing: Ringing::default(),
            answer: None,
            is_met: false,
            leaving: None,
            is_gone: false,
        }
    }

    pub fn deadline(&self) -> Option<Mono> {
        let sip = self.sip.as_ref().and_then(Leg::deadline);
        let leaving = self.leaving.as_ref().and_then(Leaving::deadline);
        sip.into_iter().chain(self.ringing.give_up).chain(leaving).min()
    }

    pub fn is_over(&self) -> bool {
        self.is_gone || self.sip.as_ref().is_none_or(|leg| leg.state() == LegState::Ended)
    }

    /// The phone may ring for an earlier owner, and we have not rung it ourselves.
    pub fn is_unheard(&self) -> bool {
        self.ringing.is_inherited && self.sip.is_none()
    }

    /// Waits for its port, to be called then.
    pub fn waits_for_port(&self) -> bool {
        self.sip.is_none() && !self.ringing.is_reported && self.leaving.is_none()
    }

    /// Lets the leg do what it can: nothing, while there is none.
    pub fn with_sip(&mut self, act: impl FnOnce(&mut Leg) -> Vec<Out>) -> Vec<Out> {
        self.sip.as_mut().map(act).unwrap_or_default()
    }
}

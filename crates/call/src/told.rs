//! What relays were told, and the one place where they are told what each leg hears and where its voice goes.

use std::collections::BTreeMap;

use strowger_media::{Hears, LegSnapshot, Op, PlayState};
use strowger_model::{CallId, Incarnation, LegKey, Mono, RelayId};
use strowger_sip::parse_sdp;
use strowger_table::{self as table, Leg, LegRole, LegState, Stage};

use crate::hearing::{self, LegView, Role, Sound, Sounds, State, View, Watch, Watched};
use crate::machine::Machine;

/// Of each leg, what its relay does as far as its owner knows.
#[derive(Default)]
pub(crate) struct Told {
    legs: BTreeMap<LegKey, Heard>,
    /// Relays that have yet to say what they do for legs born in these calls: until then they are told nothing of them.
    unheard: Vec<(RelayId, CallId)>,
    /// Which start of a relay it was that was told.
    incarnations: BTreeMap<RelayId, Incarnation>,
}

#[derive(Default)]
struct Heard {
    relay: RelayId,
    hears: Hears,
    /// Of the newest `Hear`; the next one has a higher number.
    no: u64,
    exports: Vec<RelayId>,
}

impl Told {
    /// An adopter starts from the answer.
    pub fn wait_for(&mut self, relay: RelayId, call: CallId) {
        if !self.unheard.contains(&(relay, call)) {
            self.unheard.push((relay, call));
        }
    }

    /// A relay that was started anew was told nothing.
    pub fn met(&mut self, relay: RelayId, incarnation: Incarnation) {
        if self.incarnations.insert(relay, incarnation).is_some_and(|before| before != incarnation) {
            self.legs.retain(|_, heard| heard.relay != relay);
        }
    }

    fn learn(&mut self, relay: RelayId, call: CallId, legs: &[LegSnapshot]) {
        self.unheard.retain(|unheard| *unheard != (relay, call));
        for leg in legs {
            // Content that the relay lacks comes with the order that asks for it again.
            let awaited = leg.play == Some(PlayState::Awaited);
            let hears = if awaited { Hears::Nothing } else { leg.hears.clone() };
            let heard = Heard { relay, hears, no: leg.no, exports: leg.exports.clone() };
            self.legs.insert(LegKey { call, leg: leg.leg }, heard);
        }
    }

    /// Its port there is closed.
    pub fn forget(&mut self, relay: RelayId, leg: LegKey) {
        if self.legs.get(&leg).is_some_and(|heard| heard.relay == relay) {
            self.legs.remove(&leg);
        }
    }

    /// The orders that make of what a relay does what it should do.
    fn tell(&mut self, leg: &LegView, hears: Hears, exports: Vec<RelayId>) -> Vec<(RelayId, Op)> {
        let Some(relay) = leg.relay.filter(|relay| !self.unheard.contains(&(*relay, leg.key.call))) else {
            return Vec::new();
        };
        let heard = self.legs.entry(leg.key).or_default();
        if heard.relay != relay {
            *heard = Heard { relay, ..Heard::default() };
        }
        let mut orders = Vec::new();
        if heard.hears != hears {
            heard.no += 1;
            heard.hears = hears.clone();
            orders.push((relay, Op::Hear { leg: leg.key.leg, what: hears, no: heard.no }));
        }
        if heard.exports != exports {
            heard.exports = exports.clone();
            orders.push((relay, Op::Export { leg: leg.key.leg, to: exports }));
        }
        orders
    }
}

impl Machine {
    /// After every event: relays are told the difference between what should be heard and what they were told. A call
    /// that ends is closed as it is.
    pub(crate) fn tell_relays(&mut self) {
        if self.is_ending() {
            return;
        }
        let view = self.view();
        let hears = hearing::hears(&view, &self.sounds());
        let exports = hearing::exports(&view, &hears);
        debug_assert!(hears.len() == view.legs.len() && exports.len() == view.legs.len(), "a leg is left out");
        for ((leg, (_, hears)), (_, exports)) in view.legs.iter().zip(hears).zip(exports) {
            for (relay, op) in self.told.tell(leg, hears, exports) {
                self.order(relay, leg.key, op);
            }
        }
    }

    /// The call as the table of hearing wants it. Who is leaving is closed as it is.
    fn view(&self) -> View {
        let row = &self.rows.call;
        let stage = match row.stage {
            Stage::Admitted | Stage::Reaching => hearing::Stage::Reaching,
            Stage::Flow => hearing::Stage::Flow,
            Stage::Waiting => hearing::Stage::Waiting,
            Stage::Talking => hearing::Stage::Talking,
            Stage::Ended { .. } => hearing::Stage::Ended,
        };
        let legs = row.live_legs().map(|leg| self.leg_view(leg)).collect();
        View { stage, legs, serving: row.serving, private: row.private.is_some() }
    }

    fn leg_view(&self, leg: &Leg) -> LegView {
        let sdp = self.rows.dialog(leg.key).map(|dialog| dialog.remote_sdp.as_bytes());
        // Who is on hold from the first answer on has asked for nothing since.
        let described = leg.is_answered() && sdp.and_then(|sdp| parse_sdp(sdp).ok()).is_some_and(|far| far.on_hold());
        LegView {
            key: leg.key,
            relay: self.relay_of(leg.key),
            role: role_of(leg.role),
            state: match leg.state {
                LegState::Ringing { .. } => State::Ringing,
                LegState::Screening { .. } => State::Screening,
                LegState::Up => State::Up,
                LegState::Releasing { .. } => State::Releasing,
            },
            room: leg.room,
            holds: leg.holds || described,
            muted: leg.muted,
        }
    }

    fn sounds(&self) -> Sounds {
        let music = self.rows.music().map(|digest| Sound { digest, play: self.rows.music_play() });
        let digest = self.walk.stepper.as_ref().and_then(|flow| flow.prompt());
        let prompt = digest.zip(self.play()).map(|(digest, play)| Sound { digest, play });
        let prompts = self.rows.customer().zip(prompt).into_iter().collect();
        Sounds { music, prompts }
    }

    /// The number of what the step at hand plays: of the entry that led there, and of the attempt at it.
    pub(crate) fn play(&self) -> Option<u64> {
        let row = &self.rows.call;
        let position = row.flow.filter(|position| row.stage == Stage::Flow && self.walk.is_at(*position))?;
        let attempt = self.walk.stepper.as_ref()?.attempt();
        Some(position.entered << ATTEMPT_BITS | u64::from(attempt))
    }

    /// A relay says what it does for legs born in that call, whose owner this machine is now.
    pub(crate) fn relay_adopted(&mut self, relay: RelayId, call: CallId, legs: &[LegSnapshot], now: Mono) {
        self.told.learn(relay, call, legs);
        self.close_orphans(relay, call, legs);
        for leg in legs {
            let key = LegKey { call, leg: leg.leg };
            if self.rows.customer() == Some(key) && self.relay_of(key) == Some(relay) {
                self.resume_step(key, leg, now);
            }
        }
    }

    /// An earlier owner may have asked more than once, and the prompt may have ended when nobody listened.
    fn resume_step(&mut self, leg: LegKey, there: &LegSnapshot, now: Mono) {
        let Hears::Content { repeat: false, play, .. } = there.hears else { return };
        let Some(ours) = self.play().filter(|ours| ours >> ATTEMPT_BITS == play >> ATTEMPT_BITS) else { return };
        if play > ours
            && let Some(flow) = &mut self.walk.stepper
        {
            flow.resume((play - (play >> ATTEMPT_BITS << ATTEMPT_BITS)) as u8);
        }
        if there.play == Some(PlayState::Over) {
            self.prompt_over(leg, play, now);
        }
    }
}

fn role_of(role: LegRole) -> Role {
    match role {
        LegRole::Customer => Role::Customer,
        LegRole::Agent(..) => Role::Agent,
        LegRole::Party => Role::Party,
        LegRole::Step => Role::Step,
        LegRole::Supervisor { on, mode, .. } => Role::Supervisor {
            on: match on {
                table::Watched::Leg(leg) => Watched::Leg(leg),
                table::Watched::Call => Watched::Call,
            },
            mode: match mode {
                table::Watch::Listen => Watch::Listen,
                table::Watch::Whisper => Watch::Whisper,
                table::Watch::Barge => Watch::Barge,
            },
        },
    }
}

/// Attempts at a step are at most 256: a menu's `tries` is a byte.
const ATTEMPT_BITS: u32 = 8;

//! What relays were told, and the one place where they are told what each leg hears and where its voice goes.

use std::collections::BTreeMap;

use strowger_media::{Hears, LegSnapshot, Op, PlayState};
use strowger_model::{CallId, Incarnation, LegKey, Mono, RelayId};
use strowger_sip::parse_sdp;
use strowger_table::{Call, Stage};

use crate::hearing::{self, LegView, Role, Sound, Sounds, State, View};
use crate::machine::{Begun, Machine};

/// Of each leg, what its relay does as far as its owner knows.
#[derive(Default)]
pub(crate) struct Told {
    legs: BTreeMap<LegKey, Heard>,
    /// Relays that have yet to say what they do: until then they are told nothing.
    unheard: Vec<RelayId>,
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
    pub fn wait_for(&mut self, relay: RelayId) {
        if !self.unheard.contains(&relay) {
            self.unheard.push(relay);
        }
    }

    /// A relay that was started anew was told nothing.
    pub fn met(&mut self, relay: RelayId, incarnation: Incarnation) {
        if self.incarnations.insert(relay, incarnation).is_some_and(|before| before != incarnation) {
            self.legs.retain(|_, heard| heard.relay != relay);
        }
    }

    fn learn(&mut self, relay: RelayId, call: CallId, legs: &[LegSnapshot]) {
        self.unheard.retain(|unheard| *unheard != relay);
        for leg in legs {
            // Content that the relay lacks comes with the order that asks for it again.
            let awaited = leg.play == Some(PlayState::Awaited);
            let hears = if awaited { Hears::Nothing } else { leg.hears.clone() };
            let heard = Heard { relay, hears, no: leg.no, exports: leg.exports.clone() };
            self.legs.insert(LegKey { call, leg: leg.leg }, heard);
        }
    }

    pub fn forget(&mut self, leg: LegKey) {
        self.legs.remove(&leg);
    }

    /// The orders that make of what a relay does what it should do.
    fn tell(&mut self, leg: &LegView, hears: Hears, exports: Vec<RelayId>) -> Vec<(RelayId, Op)> {
        let Some(relay) = leg.relay.filter(|relay| !self.unheard.contains(relay)) else { return Vec::new() };
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
                self.order(relay, leg.key.call, op);
            }
        }
    }

    /// The call as the table of hearing wants it: the caller and one agent.
    fn view(&self) -> View {
        let row = &self.row;
        let stage = match row.stage {
            Stage::Admitted | Stage::Dialling { .. } => hearing::Stage::Reaching,
            Stage::Flow { .. } => hearing::Stage::Flow,
            Stage::Queued | Stage::Offered { .. } => hearing::Stage::Waiting,
            Stage::Talking => hearing::Stage::Talking,
            Stage::Ended { .. } => hearing::Stage::Ended,
        };
        // The row of an inbound call has the dialog before it has the answer.
        let caller = row.caller.as_ref().filter(|_| row.stage != Stage::Admitted);
        let customer = self.leg_view(Call::CALLER_LEG, Role::Customer, caller.map(|dialog| &*dialog.remote_sdp));
        let agent = row.agent.as_ref().map(|agent| {
            self.leg_view(agent.leg, Role::Agent, agent.dialog.as_ref().map(|dialog| &*dialog.remote_sdp))
        });
        let serving = agent.filter(|leg| leg.state == State::Up).map(|leg| leg.key);
        View { stage, legs: std::iter::once(customer).chain(agent).collect(), serving, private: false }
    }

    /// `sdp`: the far end's, once its dialog is committed.
    fn leg_view(&self, leg: strowger_model::LegNo, role: Role, sdp: Option<&str>) -> LegView {
        let holds = sdp.and_then(|sdp| parse_sdp(sdp.as_bytes()).ok()).is_some_and(|remote| remote.on_hold());
        let state = if sdp.is_some() { State::Up } else { State::Ringing };
        let relay = Some(self.relay_of(leg));
        LegView { key: self.leg_key(leg), relay, role, state, room: Some(0), holds, muted: false }
    }

    fn sounds(&self) -> Sounds {
        // Who is in a queue anew hears its music anew.
        let music = self.queue.as_ref().map(|queue| Sound { digest: queue.music, play: self.row.order });
        let digest = self.flow.as_ref().and_then(|flow| flow.prompt());
        let prompt = digest.zip(self.play()).map(|(digest, play)| Sound { digest, play });
        let prompts = prompt.map(|prompt| (self.leg_key(Call::CALLER_LEG), prompt)).into_iter().collect();
        Sounds { music, prompts }
    }

    /// The number of what the step at hand plays: of the entry that led there, and of the attempt at it.
    pub(crate) fn play(&self) -> Option<u64> {
        match self.row.stage {
            Stage::Flow { entered, .. } if self.begun == Begun::Flow(entered) => {
                self.flow.as_ref().map(|flow| entered << ATTEMPT_BITS | u64::from(flow.attempt()))
            }
            _ => None,
        }
    }

    /// A relay says what it does for the call, whose owner this machine is now.
    pub(crate) fn relay_adopted(&mut self, relay: RelayId, legs: &[LegSnapshot], now: Mono) {
        self.told.learn(relay, self.row.id, legs);
        let caller = legs.iter().find(|leg| leg.leg == Call::CALLER_LEG && relay == self.relay_of(Call::CALLER_LEG));
        if let Some(caller) = caller {
            self.resume_step(caller, now);
        }
    }

    /// An earlier owner may have asked more than once, and the prompt may have ended when nobody listened.
    fn resume_step(&mut self, caller: &LegSnapshot, now: Mono) {
        let Hears::Content { repeat: false, play, .. } = caller.hears else { return };
        let Some(ours) = self.play().filter(|ours| ours >> ATTEMPT_BITS == play >> ATTEMPT_BITS) else { return };
        if play > ours
            && let Some(flow) = &mut self.flow
        {
            flow.resume((play - (play >> ATTEMPT_BITS << ATTEMPT_BITS)) as u8);
        }
        if caller.play == Some(PlayState::Over) {
            self.prompt_over(play, now);
        }
    }
}

/// Attempts at a step are at most 256: a menu's `tries` is a byte.
const ATTEMPT_BITS: u32 = 8;

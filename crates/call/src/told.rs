//! What relays were told, and the one place where they are told what each leg hears and where its voice goes.

use std::collections::{BTreeMap, BTreeSet};

use strowger_media::{Hears, LegSnapshot, Op, PlayState};
use strowger_model::{Cause, Incarnation, LegKey, LogNow, Mono, PlaceId, RelayId};
use strowger_table as table;
use strowger_table::{LegRole, LegState, Stage};

use crate::hearing::{self, LegView, Role, Sound, Sounds, State, View};
use crate::machine::Machine;

/// Of each leg, what its relay does as far as its owner knows.
#[derive(Default)]
pub(crate) struct Told {
    legs: BTreeMap<LegKey, Heard>,
    /// Relays that have yet to say what they do for a leg: until then they are told nothing of it.
    unheard: BTreeSet<(RelayId, LegKey)>,
    /// Which start of a relay it was that was told.
    incarnations: BTreeMap<RelayId, Incarnation>,
    /// Of the newest `Hear`; the next one has a higher number, whichever leg it is for. A leg that is told anew after its
    /// relay began again may be open there already, and an order that was late may have come first: under a number that
    /// it knows the relay would take it for a repetition.
    no: u64,
    /// What the relays were told of last; none when one of them knows less, or more, than it was told. Most events change
    /// nothing of what is heard.
    settled: Option<(View, Sounds)>,
}

#[derive(Default)]
struct Heard {
    relay: RelayId,
    hears: Hears,
    exports: Vec<RelayId>,
}

impl Told {
    /// An adopter starts from the answer.
    pub fn wait_for(&mut self, relay: RelayId, leg: LegKey) {
        self.settled = None;
        self.unheard.insert((relay, leg));
    }

    /// A relay that was started anew was told nothing. True: this one was.
    pub fn met(&mut self, relay: RelayId, incarnation: Incarnation) -> bool {
        let is_anew = self.incarnations.insert(relay, incarnation).is_some_and(|before| before != incarnation);
        if is_anew {
            self.settled = None;
            self.legs.retain(|_, heard| heard.relay != relay);
        }
        is_anew
    }

    /// Of a leg that is elsewhere, or not there yet, its relay knows more.
    fn learn(&mut self, (relay, is_there): (RelayId, bool), leg: LegKey, does: Option<&LegSnapshot>) {
        self.settled = None;
        self.unheard.remove(&(relay, leg));
        if let Some(does) = does {
            // Content that the relay lacks comes with the order that asks for it again.
            let awaited = does.play == Some(PlayState::Awaited);
            let hears = if awaited { Hears::Nothing } else { does.hears.clone() };
            self.no = self.no.max(does.no);
            if is_there {
                self.legs.insert(leg, Heard { relay, hears, exports: does.exports.clone() });
            }
        }
    }

    /// The relay closes the leg.
    pub fn forget(&mut self, leg: LegKey, relay: RelayId) {
        if self.legs.get(&leg).is_some_and(|heard| heard.relay == relay) {
            self.settled = None;
            self.legs.remove(&leg);
        }
    }

    /// The orders that make of what a relay does what it should do.
    fn tell(&mut self, leg: &LegView, hears: Hears, exports: Vec<RelayId>) -> Vec<(RelayId, Op)> {
        let is_heard = |relay: &RelayId| !self.unheard.contains(&(*relay, leg.key));
        // Who is let go is closed, and told nothing more.
        let Some(relay) = leg.relay.filter(|relay| leg.state != State::Releasing && is_heard(relay)) else {
            return Vec::new();
        };
        let heard = self.legs.entry(leg.key).or_default();
        if heard.relay != relay {
            *heard = Heard { relay, ..Heard::default() };
        }
        let mut orders = Vec::new();
        if heard.hears != hears {
            self.no += 1;
            heard.hears = hears.clone();
            orders.push((relay, Op::Hear { leg: leg.key.leg, what: hears, no: self.no }));
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
        let (view, sounds) = (self.view(), self.sounds());
        if self.told.settled.as_ref().is_some_and(|(of, with)| (of, with) == (&view, &sounds)) {
            return;
        }
        let hears = hearing::hears(&view, &sounds);
        let exports = hearing::exports(&view, &hears);
        debug_assert!(hears.len() == view.legs.len() && exports.len() == view.legs.len(), "a leg is left out");
        for ((leg, (_, hears)), (_, exports)) in view.legs.iter().zip(hears).zip(exports) {
            for (relay, op) in self.told.tell(leg, hears, exports) {
                self.order(relay, leg.key.call, op);
            }
        }
        self.told.settled = Some((view, sounds));
    }

    /// The call as the table of hearing wants it.
    fn view(&self) -> View {
        let row = &self.rows.call;
        let stage = match row.stage {
            Stage::Admitted | Stage::Reaching => hearing::Stage::Reaching,
            Stage::Flow => hearing::Stage::Flow,
            Stage::Waiting => hearing::Stage::Waiting,
            Stage::Talking => hearing::Stage::Talking,
            Stage::Ended { .. } => hearing::Stage::Ended,
        };
        let legs = row.legs.iter().map(|leg| self.leg_view(leg)).collect();
        View { stage, legs, serving: row.serving, private: row.private.is_some() }
    }

    fn leg_view(&self, leg: &table::Leg) -> LegView {
        let state = match leg.state {
            LegState::Ringing { .. } => State::Ringing,
            LegState::Screening { .. } => State::Screening,
            LegState::Up => State::Up,
            LegState::Releasing { .. } => State::Releasing,
        };
        // What its answer said stands in the dialog alone.
        let holds = leg.holds || self.rows.is_held(leg.key);
        let table::Leg { key, room, muted, .. } = *leg;
        // A relay that lost it is told nothing of it until it is there again.
        let relay = leg.relay.filter(|_| leg.next_relay != leg.relay);
        LegView { key, relay, role: role(leg.role), state, room, holds, muted }
    }

    fn sounds(&self) -> Sounds {
        let row = &self.rows.call;
        // Who is in a queue anew hears its music anew.
        let play = row.place.map_or(row.id.index(), PlaceId::index);
        let music = self.queue.as_ref().map(|queue| Sound { digest: queue.music, play });
        let digest = self.flow.as_ref().and_then(|flow| flow.prompt());
        let prompt = digest.zip(self.play()).map(|(digest, play)| Sound { digest, play });
        let prompts = row.customer().map(|leg| leg.key).zip(prompt).into_iter().collect();
        Sounds { music, prompts }
    }

    /// The number of what the step at hand plays: of the entry that led there, and of the attempt at it.
    pub(crate) fn play(&self) -> Option<u64> {
        let entered = self.rows.call.flow.filter(|_| self.rows.call.stage == Stage::Flow)?.entered;
        let flow = self.flow.as_ref().filter(|_| self.step == Some(entered))?;
        Some(entered << ATTEMPT_BITS | u64::from(flow.attempt()))
    }

    /// A relay says what it does for a leg, whose owner this machine is now.
    pub(crate) fn relay_adopted(
        &mut self,
        relay: RelayId,
        key: LegKey,
        does: Option<&LegSnapshot>,
        log_now: LogNow,
        now: Mono,
    ) {
        let is_there = self.row_leg(key).is_some_and(|leg| leg.relay == Some(relay));
        self.told.learn((relay, is_there), key, does);
        let Some(does) = does else { return self.lost_by_relay(relay, [key]) };
        let Some(leg) = self.row_leg(key).filter(|leg| leg.relay == Some(relay)) else { return };
        let is_customer = leg.is_customer();
        // It says so once, and an earlier owner may have heard it and died before its row knew.
        if does.dead {
            self.media_lost(relay, key, Cause::TEMPORARY_FAILURE, log_now);
        }
        if is_customer {
            self.resume_step(key, does, now);
        }
    }

    /// An earlier owner may have asked more than once, and the prompt may have ended when nobody listened.
    fn resume_step(&mut self, key: LegKey, customer: &LegSnapshot, now: Mono) {
        let Hears::Content { repeat: false, play, .. } = customer.hears else { return };
        let Some(ours) = self.play().filter(|ours| ours >> ATTEMPT_BITS == play >> ATTEMPT_BITS) else { return };
        if play > ours
            && let Some(flow) = &mut self.flow
        {
            flow.resume((play - (play >> ATTEMPT_BITS << ATTEMPT_BITS)) as u8);
        }
        if customer.play == Some(PlayState::Over) {
            self.prompt_over(key, play, now);
        }
    }
}

fn role(role: LegRole) -> Role {
    match role {
        LegRole::Customer => Role::Customer,
        LegRole::Agent(..) => Role::Agent,
        LegRole::Party => Role::Party,
        LegRole::Supervisor { on, mode, .. } => Role::Supervisor { on, mode },
        LegRole::Step => Role::Step,
    }
}

/// Attempts at a step are at most 256: a menu's `tries` is a byte.
const ATTEMPT_BITS: u32 = 8;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use strowger_model::{CallId, Digest, LegNo};

    use super::*;

    const RELAY: RelayId = RelayId(1);
    const CALL: CallId = CallId(7);

    fn caller() -> LegView {
        let key = LegKey { call: CALL, leg: LegNo(0) };
        let role = Role::Customer;
        LegView { key, relay: Some(RELAY), role, state: State::Up, room: None, holds: false, muted: false }
    }

    fn prompt(play: u64) -> Hears {
        Hears::Content { digest: Digest([1; 32]), repeat: false, play }
    }

    fn playing(hears: Hears, no: u64) -> LegSnapshot {
        LegSnapshot {
            leg: LegNo(0),
            local: SocketAddr::from(([192, 0, 2, 1], 20_000)),
            remote: None,
            latched: None,
            send: true,
            receive: true,
            hears,
            no,
            play: Some(PlayState::Playing),
            exports: Vec::new(),
            dead: false,
            packets_in: 0,
            packets_out: 0,
            quiet_ms: None,
        }
    }

    fn number(orders: &[(RelayId, Op)]) -> Option<u64> {
        orders.iter().find_map(|(_, op)| match op {
            Op::Hear { no, .. } => Some(*no),
            _ => None,
        })
    }

    /// A late order may have reached the leg that was opened anew: the prompt after it would be taken for known.
    #[test]
    fn what_is_told_anew_never_has_a_number_that_was_used() {
        let mut told = Told::default();
        told.met(RELAY, Incarnation(1));
        let music = number(&told.tell(&caller(), prompt(1), Vec::new())).expect("it hears something");
        assert!(told.met(RELAY, Incarnation(2)), "it began anew");
        let again = number(&told.tell(&caller(), prompt(1), Vec::new())).expect("it was told nothing yet");
        told.forget(caller().key, RELAY);
        let moved = number(&told.tell(&caller(), prompt(2), Vec::new())).expect("it is told anew");
        assert!(music < again && again < moved, "{music} {again} {moved}");
    }

    #[test]
    fn who_takes_over_goes_on_counting_where_the_relay_is() {
        let mut told = Told::default();
        told.wait_for(RELAY, caller().key);
        assert_eq!(told.tell(&caller(), prompt(1), Vec::new()), [], "it has yet to say what it does");
        told.learn((RELAY, true), caller().key, Some(&playing(prompt(1), 41)));
        assert_eq!(told.tell(&caller(), prompt(1), Vec::new()), [], "it does so already");
        assert_eq!(number(&told.tell(&caller(), prompt(2), Vec::new())), Some(42));
    }
}

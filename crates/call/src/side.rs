//! One leg as its call's owner drives it, and how an owner comes to the legs of another.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use strowger_media::Op;
use strowger_model::{Dialog, Far, LegKey, LogNow, LogTime, Mono, PendingInvite, RelayId};
use strowger_sip::{Leg, LegState, Message, Out};
use strowger_table as table;
use strowger_table::{DutyKind, Reach};

use crate::hangup::Leaving;
use crate::limit;
use crate::machine::Machine;
use crate::rehome::Moving;
use crate::reinvite::Reinvite;
use crate::ring::reached;
use crate::said::Said;

/// What the owner of a leg keeps in mind.
#[derive(Default)]
pub(crate) struct Side {
    /// What its row asks for while it rings was begun.
    pub begun: bool,
    /// The relay chosen at admission opened no port: another was asked.
    pub asked_another: bool,
    /// None until there is an INVITE, of theirs or of ours.
    pub sip: Option<Leg>,
    pub rtp: Option<SocketAddr>,
    /// When the relay is given up, then when the phone is.
    pub give_up: Option<Mono>,
    /// Whether it may still be called nobody could say: then it is asked again.
    pub doubted: Option<Mono>,
    /// Until when an INVITE that nobody has heard may be sent again: a call never comes late, neither as a repetition of
    /// one that a passive node withheld.
    pub repeat_until: Option<LogTime>,
    /// The far end sent something: it exists.
    pub heard: bool,
    /// What came of calling it is proposed.
    pub reported: bool,
    /// What was said of it last, until the row has it.
    pub said: Option<Said>,
    /// An earlier owner may have rung the phone.
    pub inherited: bool,
    /// The SDP of our 200, until it is committed.
    pub answer_sdp: Option<String>,
    /// Its answer, or ours, is committed, told to the far end, and its media directed.
    pub met: bool,
    pub reinvite: Option<Reinvite>,
    /// It is on its way to a relay.
    pub moving: Option<Moving>,
    /// It is over, as far as its owner knows, until the row has it.
    pub leaving: Option<Leaving>,
    /// Requests of its far end, as they came. Some may be answered by now.
    pub asked: Vec<(Message, Far)>,
}

impl Side {
    pub fn of(sip: Leg) -> Self {
        Self { sip: Some(sip), ..Self::default() }
    }

    /// Whose port is asked for.
    pub fn opening(give_up: Mono) -> Self {
        Self { give_up: Some(give_up), ..Self::default() }
    }

    /// A message of its far end. What it asks is kept until it is answered.
    pub fn hear(&mut self, message: &Message, source: Far, now: Mono) -> Vec<Out> {
        let Some(sip) = &mut self.sip else { return Vec::new() };
        let outs = sip.on_message(message, source, now);
        let is_again =
            |asked: &Message| (asked.top_branch(), asked.method()) == (message.top_branch(), message.method());
        self.asked.retain(|(asked, _)| sip.owes(asked) && !is_again(asked));
        if sip.owes(message) {
            self.asked.push((message.clone(), source));
        }
        outs
    }

    /// What its far end asked and has had no final answer to.
    pub fn unanswered(self) -> Vec<(Message, Far)> {
        let Side { sip: Some(sip), mut asked, .. } = self else { return Vec::new() };
        asked.retain(|(asked, _)| sip.owes(asked));
        asked
    }

    pub fn deadline(&self) -> Option<Mono> {
        let sip = self.sip.as_ref().and_then(Leg::deadline);
        let leaving = self.leaving.as_ref().and_then(Leaving::deadline);
        let moving = self.moving.as_ref().and_then(Moving::deadline);
        let said = self.said.as_ref().and_then(Said::deadline);
        sip.into_iter().chain(self.give_up).chain(self.doubted).chain(leaving).chain(moving).chain(said).min()
    }

    pub fn is_over(&self) -> bool {
        self.sip.as_ref().is_none_or(|leg| leg.state() == LegState::Ended)
    }

    /// Also of its end.
    pub fn all_said(&mut self) -> impl Iterator<Item = &mut Said> {
        self.said.iter_mut().chain(self.leaving.as_mut().map(|leaving| &mut leaving.said))
    }

    /// It had a dialog, or the beginning of one, and that is over.
    pub fn has_ended(&self) -> bool {
        self.sip.is_some() && self.is_over()
    }

    /// Whether its BYE or CANCEL waits for our answer.
    pub fn has_hung_up(&self) -> bool {
        self.leaving.as_ref().is_some_and(Leaving::is_waited_for)
    }
}

impl Machine {
    /// Another owner's legs: first their media, then what the rows have of them.
    pub(crate) fn take_over(&mut self, log_now: LogNow, now: Mono) {
        self.adopt_media(self.relays_of(|_| true));
        for leg in self.rows.call.clone().legs.iter() {
            if leg.is_ringing() {
                self.await_answer(leg, log_now, now);
            } else if leg.is_answered() {
                self.restore(leg, now);
            } else if self.rows.call.duty_to(DutyKind::HangUp { leg: leg.key }).is_some() {
                self.recall(leg, now);
            }
        }
    }

    /// Legs that came from another call.
    pub(crate) fn take_in(&mut self, now: Mono) {
        let row = self.rows.call.clone();
        let came: Vec<&table::Leg> =
            row.live_legs().filter(|leg| leg.is_answered() && !self.sides.contains_key(&leg.key)).collect();
        if !came.is_empty() {
            self.adopt_media(self.relays_of(|key| came.iter().any(|leg| leg.key == key)));
            came.into_iter().for_each(|leg| self.restore(leg, now));
        }
        // Nor is one done with that its earlier call had told to go.
        let is_owed = |leg: &&table::Leg| {
            let is_told = self.rows.call.duty_to(DutyKind::HangUp { leg: leg.key }).is_some();
            is_told && leg.key.call != row.id && !self.sides.contains_key(&leg.key)
        };
        let owed: Vec<&table::Leg> = row.legs.iter().filter(is_owed).collect();
        owed.into_iter().for_each(|leg| self.recall(leg, now));
    }

    /// Which relay has, or has still to close, which legs.
    fn relays_of(&self, wanted: impl Fn(LegKey) -> bool) -> BTreeSet<(RelayId, LegKey)> {
        let row = &self.rows.call;
        // To where a leg is going its far end may send before the row has it.
        let live =
            row.live_legs().flat_map(|leg| leg.relay.into_iter().chain(leg.next_relay).map(|relay| (relay, leg.key)));
        let closing = row.duties.iter().filter_map(|duty| match duty.kind {
            DutyKind::Close { relay, leg } => Some((relay, leg)),
            _ => None,
        });
        live.chain(closing).filter(|(_, key)| wanted(*key)).collect()
    }

    fn adopt_media(&mut self, legs: BTreeSet<(RelayId, LegKey)>) {
        for (relay, key) in legs {
            self.told.wait_for(relay, key);
            self.order(relay, key.call, Op::Adopt { leg: key.leg });
        }
    }

    /// A leg of which nobody has answered yet.
    fn await_answer(&mut self, leg: &table::Leg, log_now: LogNow, now: Mono) {
        match leg.reach {
            Reach::Inbound => self.restore(leg, now),
            // It is rung again once its media is open; until then it may ring on.
            Reach::Binding { .. } => {
                self.sides
                    .insert(leg.key, Box::new(Side { inherited: true, ..Side::opening(now + limit::MEDIA_OPEN) }));
                self.media_of(leg.key, Op::Open { leg: leg.key.leg });
            }
            Reach::Trunk { .. } => {
                let Some(invite) = self.invite(leg, String::new()) else { return };
                let sip = Leg::awaited(leg.key, invite, &self.setting.local, now);
                let give_up = Some(now + ringing_time_left(leg, log_now));
                self.sides.insert(leg.key, Box::new(Side { give_up, ..Side::of(sip) }));
            }
            Reach::Socket { .. } => {}
        }
    }

    /// A leg as its dialog has it.
    pub(crate) fn restore(&mut self, leg: &table::Leg, now: Mono) {
        let Some(dialog) = self.rows.dialog(leg.key).cloned() else { return };
        let dialog = self.as_left(leg, dialog);
        let sip = Leg::restore(leg.key, dialog, leg.takeovers, &self.setting.local, now);
        self.sides.insert(leg.key, Box::new(Side::of(sip.reached(reached(leg)))));
    }

    fn as_left(&self, leg: &table::Leg, mut dialog: Dialog) -> Dialog {
        if leg.reach != Reach::Inbound {
            return dialog;
        }
        if leg.relay.is_none() {
            // Written before the call had its id; our tag has not been in an answer yet.
            let salt = strowger_sip::salt(&dialog.call_id, &dialog.remote_tag);
            dialog.local_tag = self.setting.local.tokens.tag(leg.key, salt);
        } else if self.rows.call.duty_to(DutyKind::Answer { leg: leg.key }).is_none() {
            // Our 200 is not said again: who has acknowledged it long ago may not do so once more, and need not.
            dialog.pending = dialog.pending.filter(|pending| !matches!(pending, PendingInvite::Server { .. }));
        }
        dialog
    }

    /// A leg that is to be hung up, as an earlier owner had it: nothing is sent here. A phone that only rang may ring
    /// still.
    fn recall(&mut self, leg: &table::Leg, now: Mono) {
        match self.rows.dialog(leg.key) {
            Some(_) => self.restore(leg, now),
            None => {
                if let Some(sip) = self.as_called(leg, now) {
                    self.sides.insert(leg.key, Box::new(Side { repeat_until: told_until(leg), ..Side::of(sip) }));
                }
            }
        }
    }

    /// A leg that an earlier owner called, before any answer to it is known.
    pub(crate) fn as_called(&self, leg: &table::Leg, now: Mono) -> Option<Leg> {
        let invite = self.invite(leg, String::new())?;
        Some(match leg.reach {
            // The same INVITE may be sent again: the phone takes it for a repetition.
            Reach::Binding { .. } => Leg::outgoing(leg.key, invite, &self.setting.local, now).0.reached(reached(leg)),
            _ => Leg::awaited(leg.key, invite, &self.setting.local, now),
        })
    }
}

/// How long a phone that is taken back is asked, by repeating its INVITE, whether it rings: what it answers must still
/// find the leg in its row, or it rings on.
pub(crate) fn told_until(leg: &table::Leg) -> Option<LogTime> {
    match leg.state {
        table::LegState::Releasing { until, .. } => Some(until - table::limit::OFFER_GRACE),
        _ => None,
    }
}

/// The lease has some time beyond the ringing, so that its owner reports first.
pub(crate) fn ringing_time_left(leg: &table::Leg, log_now: LogNow) -> Duration {
    match leg.state {
        table::LegState::Ringing { until } => (until - table::limit::OFFER_GRACE).since(log_now.at_least),
        _ => Duration::ZERO,
    }
}

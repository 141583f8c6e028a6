//! Calls to the carrier's numbers.

use std::time::Instant;

use super::*;

impl Machine {
    pub(super) fn open_carrier(&mut self, mut carrier: Carrier) {
        if let Some(former) = self.carrier.take() {
            carrier.succeed(former);
        }
        self.carrier = Some(carrier);
    }

    /// An INVITE for a user who is no agent.
    pub(super) fn on_dialled(&mut self, invite: Message, number: &str, source: Source, now: Instant) {
        let at_agents = self.sockets.agents.contains(&source.socket);
        let Some(carrier) = self.carrier.as_mut().filter(|_| !at_agents) else {
            return self.refuse(&invite, source, 404, now);
        };
        if let Some(key) = carrier.unanswered(&invite) {
            return self.with_leg(key, now, |leg, _| leg.heard_again(now));
        }
        if carrier.closed {
            return self.refuse(&invite, source, 503, now);
        }
        let before = carrier.current(number).and_then(|key| self.legs.get_mut(&key));
        let engaged = before.is_some_and(Leg::meets_another);
        let seizure = carrier.seize(number, &invite, engaged);
        let key = self.new_key();
        match Leg::seize(&mut self.wire, key, seizure.clone(), invite.clone(), source, now) {
            Ok(leg) => self.take(leg, number, &invite, engaged),
            Err(error) => {
                tracing::error!(%error, "a called number cannot ring");
                self.refuse(&invite, source, 480, now);
                self.enter(Report::Called(seizure.refused(&invite, 480, now)));
            }
        }
    }

    fn take(&mut self, leg: Leg, number: &str, invite: &Message, engaged: bool) {
        if let Some(carrier) = &mut self.carrier {
            if leg.stage == Stage::Dead {
                carrier.remember(invite, leg.key);
            }
            // A call that is turned away leaves the line to the one that is there.
            if !engaged {
                carrier.occupy(number, leg.key);
            }
        }
        self.admit(leg);
    }

    pub(super) fn forget_dead(&mut self, leg: &Leg) {
        if let (Some(carrier), Some(incoming)) = (&mut self.carrier, leg.role.incoming())
            && leg.is_dead()
        {
            carrier.forget(&incoming.invite);
        }
    }

    /// The judge wants its books: calls that were never answered are over, and no others begin.
    pub(super) fn close_carrier(&mut self, now: Instant) {
        if let Some(carrier) = &mut self.carrier {
            carrier.closed = true;
        }
        self.for_all_legs(now, |leg, _| leg.bury_dead());
    }
}

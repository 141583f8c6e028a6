//! Of two calls that become one nobody is lost: everybody who was up in one of them goes on in the one that stays, but
//! for the agent who asked; and what the other leaves is over. Who goes to a row of its own is there alone, and all others
//! stay where they were.

use strowger_model::{AgentId, CallId, LegKey};
use strowger_table::{Command, Outcome, Shard};

use super::{Found, Step, went_into};

const PROMISE: &str = "merged";

#[derive(Default)]
pub(crate) struct Merged {
    pub found: Found,
}

impl Merged {
    pub fn committed(&mut self, step: &Step<'_>) {
        // What is said again is answered as before.
        if let (Some(Command::Split { leg }), Outcome::Split { call }) = (step.command(), &step.applied.outcome)
            && call.index() == step.index
        {
            self.split(step, *leg, *call);
        }
        let Some(Command::Merge { from, into, by, .. }) = step.command() else { return };
        if !step.is_granted() || step.applied.touched.is_nothing() {
            return;
        }
        let Some(asked) = step.before.call_of_leg(*by).and_then(|row| row.leg(*by)?.agent()) else { return };
        let stays = [*into, *from].into_iter().find(|call| step.after.call(*call).is_some_and(|row| !row.is_over()));
        let gone = if stays == Some(*into) { *from } else { *into };
        let is_over = step.after.call(gone).is_some_and(|row| went_into(row) == stays && row.legs.is_empty());
        let (Some(stays), true) = (stays, is_over) else {
            return self.found.breach(PROMISE, Some(*from), || format!("{from} and {into} are not one"));
        };
        for (leg, agent) in [*from, *into].iter().flat_map(|call| up(step.before, *call)) {
            let goes_on = up(step.after, stays).any(|(other, _)| other == leg);
            if goes_on == (agent == Some(asked)) {
                self.found.breach(PROMISE, Some(stays), || format!("{leg} of {agent:?}: it goes on is {goes_on}"));
            }
        }
    }
}

impl Merged {
    fn split(&mut self, step: &Step<'_>, leg: LegKey, own: CallId) {
        let Some(from) = step.before.call_of_leg(leg).map(|row| row.id) else { return };
        let others: Vec<_> = up(step.before, from).filter(|(other, _)| *other != leg).collect();
        let stay = up(step.after, from).eq(others.iter().copied()) && !others.is_empty();
        let is_alone = up(step.after, own).map(|(other, _)| other).eq([leg]);
        let is_held = step.after.call_of_leg(leg).is_some_and(|row| row.id == own);
        if !(stay && is_alone && is_held) {
            self.found
                .breach(PROMISE, Some(from), || format!("{leg} in {own}: alone {is_alone}, the others stay {stay}"));
        }
    }
}

fn up(shard: &Shard, call: CallId) -> impl Iterator<Item = (LegKey, Option<AgentId>)> {
    let legs = shard.call(call).into_iter().flat_map(|row| row.legs.iter().filter(|leg| leg.is_up()));
    legs.map(|leg| (leg.key, leg.agent()))
}

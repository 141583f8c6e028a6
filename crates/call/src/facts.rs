//! What a relay says, in the words of a call.

use strowger_media::{Op, Refusal, RelayAnswer, RelayEvent, What};
use strowger_model::{CallId, Incarnation, LegKey, RelayId};

use crate::event::MediaFact;

impl MediaFact {
    /// What the answer to an order about legs born in `call` means, with the incarnation of the relay that gave it;
    /// none: it gave none and will not.
    pub fn of_answer(
        relay: RelayId,
        call: CallId,
        order: &Op,
        answer: Option<(Incarnation, &RelayAnswer)>,
    ) -> Vec<MediaFact> {
        let key = |leg| LegKey { call, leg };
        match (order, answer) {
            (Op::Open { leg }, Some((incarnation, RelayAnswer::Opened { rtp, .. }))) => {
                vec![MediaFact::Opened { relay, leg: key(*leg), rtp: *rtp, incarnation }]
            }
            (Op::Open { leg }, _) => vec![MediaFact::Unavailable { leg: key(*leg) }],
            // A relay that is gone holds nothing any more; one that lives closes orphans itself.
            (Op::CloseLeg { leg }, _) => vec![MediaFact::Closed { relay, leg: key(*leg) }],
            (Op::Adopt, Some((incarnation, RelayAnswer::Snapshot { legs, missed }))) => {
                let adopted = MediaFact::Adopted { relay, call, incarnation, legs: legs.clone() };
                std::iter::once(adopted)
                    .chain(missed.iter().filter_map(|event| MediaFact::of_event(relay, event)))
                    .collect()
            }
            // Somebody else's by now.
            (Op::Adopt, Some((_, RelayAnswer::Refused { why: Refusal::Fenced { .. } }))) => Vec::new(),
            // It has nothing of the call.
            (Op::Adopt, Some((incarnation, _))) => {
                vec![MediaFact::Adopted { relay, call, incarnation, legs: Vec::new() }]
            }
            (
                Op::Remote { leg, .. } | Op::Hear { leg, .. } | Op::Export { leg, .. },
                Some((incarnation, RelayAnswer::Refused { why })),
            ) if is_gone(why) => vec![MediaFact::Lost { relay, leg: key(*leg), incarnation }],
            _ => Vec::new(),
        }
    }

    /// What a relay tells by itself, as the call wants it; none for what changes nothing of a call.
    pub fn of_event(relay: RelayId, event: &RelayEvent) -> Option<MediaFact> {
        let leg = LegKey { call: event.call, leg: event.leg };
        match event.what {
            What::Digit { digit } => Some(MediaFact::Digit { leg, digit: char::from(digit) }),
            What::PlayDone { play } => Some(MediaFact::PlayDone { leg, play }),
            What::DeadMedia { .. } => Some(MediaFact::Dead { relay, leg }),
            What::MediaBack | What::Latched { .. } => None,
        }
    }
}

/// Whether the relay has nothing of a leg: it never had, or has closed it, by itself if nobody told it to.
fn is_gone(why: &Refusal) -> bool {
    matches!(why, Refusal::NoSuchCall | Refusal::NoSuchLeg | Refusal::Ended)
}

#[cfg(test)]
mod tests {
    use strowger_model::{LegNo, ShardId};

    use super::*;

    /// One that was cut off for long has closed what it took for nobody's: a call that goes on would be silent.
    #[test]
    fn a_leg_that_its_relay_has_closed_is_lost() {
        let (relay, call, leg) = (RelayId(1), CallId::new(ShardId(0), 7), LegNo(2));
        let hear = Op::Hear { leg, what: Default::default(), no: 3 };
        for why in [Refusal::Ended, Refusal::NoSuchLeg, Refusal::NoSuchCall] {
            let answer = RelayAnswer::refused(why);
            let facts = MediaFact::of_answer(relay, call, &hear, Some((Incarnation(1), &answer)));
            assert!(matches!(facts[..], [MediaFact::Lost { leg: of, .. }] if of == LegKey { call, leg }), "{facts:?}");
        }
        let fenced = RelayAnswer::refused(Refusal::Fenced { epoch: 9 });
        assert_eq!(MediaFact::of_answer(relay, call, &hear, Some((Incarnation(1), &fenced))), []);
    }

    /// A relay that is gone answers nothing: what it held is gone as well, and nobody waits for it.
    #[test]
    fn a_port_of_a_relay_that_is_gone_is_closed() {
        let (relay, call, leg) = (RelayId(1), CallId::new(ShardId(0), 7), LegNo(2));
        let facts = MediaFact::of_answer(relay, call, &Op::CloseLeg { leg }, None);
        assert!(
            matches!(facts[..], [MediaFact::Closed { relay: of, leg: key }] if (of, key) == (relay, LegKey { call, leg }))
        );
    }
}

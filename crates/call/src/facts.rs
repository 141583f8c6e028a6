//! What a relay says, in the words of a call.

use strowger_media::{Op, Refusal, RelayAnswer, RelayEvent};
use strowger_model::{CallId, Cause, Incarnation, LegKey, RelayId};

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
            // Who else may open it knows whoever knows the relays.
            (Op::Open { leg }, _) => vec![MediaFact::Unavailable { relay, leg: key(*leg), instead: None }],
            // A relay that is gone holds nothing any more; one that lives closes orphans itself.
            (Op::CloseLeg { leg }, _) => vec![MediaFact::Closed { relay, leg: key(*leg) }],
            (Op::Adopt { leg }, Some((incarnation, RelayAnswer::Snapshot { leg: does, missed }))) => {
                let does = Some(does.clone());
                let adopted = MediaFact::Adopted { relay, leg: key(*leg), incarnation, does };
                let missed = missed.iter().map(|event| MediaFact::of_event(relay, event));
                std::iter::once(adopted).chain(missed).collect()
            }
            // Somebody else's by now.
            (Op::Adopt { .. }, Some((_, RelayAnswer::Refused { why: Refusal::Fenced { .. } }))) => Vec::new(),
            // It has nothing of the leg.
            (Op::Adopt { leg }, Some((incarnation, _))) => {
                vec![MediaFact::Adopted { relay, leg: key(*leg), incarnation, does: None }]
            }
            (Op::Remote { leg, .. }, Some((_, RelayAnswer::Refused { why: Refusal::BadAddress }))) => {
                vec![MediaFact::Unreachable { relay, leg: key(*leg), cause: Cause::NOT_IMPLEMENTED }]
            }
            (Op::Remote { leg, .. }, Some((_, RelayAnswer::Refused { why: Refusal::ForbiddenAddress }))) => {
                vec![MediaFact::Unreachable { relay, leg: key(*leg), cause: Cause::NOT_AUTHORIZED }]
            }
            (
                Op::Remote { leg, .. } | Op::Hear { leg, .. } | Op::Export { leg, .. },
                Some((incarnation, RelayAnswer::Refused { why })),
            ) if is_gone(why) => vec![MediaFact::Lost { relay, leg: key(*leg), incarnation }],
            _ => Vec::new(),
        }
    }

    /// A port that this relay does not open may be had of that one.
    pub fn or_of(self, another: Option<RelayId>) -> MediaFact {
        match self {
            MediaFact::Unavailable { relay, leg, instead } => {
                MediaFact::Unavailable { relay, leg, instead: instead.or(another) }
            }
            fact => fact,
        }
    }

    /// What a relay tells by itself.
    pub fn of_event(relay: RelayId, event: &RelayEvent) -> MediaFact {
        let leg = LegKey { call: event.call, leg: event.leg };
        MediaFact::Told { relay, leg, what: event.what.clone() }
    }
}

/// Whether the relay has nothing of a leg: it never had, or has closed it, by itself if nobody told it to.
fn is_gone(why: &Refusal) -> bool {
    matches!(why, Refusal::NoSuchCall | Refusal::NoSuchLeg | Refusal::Ended)
}

#[cfg(test)]
mod tests {
    use strowger_media::{LegSnapshot, What};
    use strowger_model::{LegNo, ShardId};

    use super::*;

    fn event(what: What) -> RelayEvent {
        RelayEvent { call: CallId::new(ShardId(0), 7), seq: 1, leg: LegNo(2), what }
    }

    /// A leg that hears nothing.
    fn silent(leg: LegNo) -> LegSnapshot {
        LegSnapshot {
            leg,
            local: ([192, 0, 2, 1], 20_000).into(),
            remote: None,
            latched: None,
            send: true,
            receive: true,
            hears: Default::default(),
            no: 0,
            play: None,
            exports: Vec::new(),
            dead: false,
            packets_in: 0,
            packets_out: 0,
            quiet_ms: None,
        }
    }

    /// Whoever waits for a port learns at once that there is none, whatever the reason.
    #[test]
    fn a_port_is_open_or_there_is_none() {
        let (relay, call, leg) = (RelayId(1), CallId::new(ShardId(0), 7), LegNo(2));
        let key = LegKey { call, leg };
        let facts = |answer| MediaFact::of_answer(relay, call, &Op::Open { leg }, answer);
        let (rtp, rtcp) = ("10.0.0.1:4000".parse().unwrap(), "10.0.0.1:4001".parse().unwrap());
        let opened = RelayAnswer::Opened { rtp, rtcp };
        let incarnation = Incarnation(3);
        assert_eq!(facts(Some((incarnation, &opened))), [MediaFact::Opened { relay, leg: key, rtp, incarnation }]);
        let refused = RelayAnswer::refused(Refusal::NoPorts);
        for answer in [None, Some((incarnation, &refused)), Some((incarnation, &RelayAnswer::Done))] {
            assert_eq!(facts(answer), [MediaFact::Unavailable { relay, leg: key, instead: None }]);
        }
    }

    /// What a relay said while the call had no owner comes to the new one, after what the relay does now.
    #[test]
    fn an_adopter_is_told_what_it_missed_and_of_a_relay_that_knows_nothing() {
        let (relay, call) = (RelayId(1), CallId::new(ShardId(0), 7));
        let incarnation = Incarnation(3);
        let leg = LegKey { call, leg: LegNo(2) };
        let facts = |answer| MediaFact::of_answer(relay, call, &Op::Adopt { leg: leg.leg }, answer);
        let adopted = |does| MediaFact::Adopted { relay, leg, incarnation, does };
        let (digit, over) = (What::Digit { digit: b'5' }, What::PlayDone { play: 9 });
        let missed = vec![event(digit.clone()), event(over.clone())];
        let does = Box::new(silent(leg.leg));
        let snapshot = RelayAnswer::Snapshot { leg: does.clone(), missed };
        let told = |what| MediaFact::Told { relay, leg, what };
        assert_eq!(facts(Some((incarnation, &snapshot))), [adopted(Some(does)), told(digit), told(over)]);
        let unknown = RelayAnswer::refused(Refusal::NoSuchCall);
        assert_eq!(facts(Some((incarnation, &unknown))), [adopted(None)]);
        // Another owner has told it so with a higher epoch: nothing of it is ours to act on.
        let fenced = RelayAnswer::refused(Refusal::Fenced { epoch: 9 });
        assert_eq!(facts(Some((incarnation, &fenced))), []);
        // One that does not answer is asked again, or given up, elsewhere.
        assert_eq!(facts(None), []);
    }

    /// An order that did what it should is no news, and one that was refused for another reason does not move the leg.
    #[test]
    fn orders_that_were_obeyed_or_misunderstood_lose_no_leg() {
        let (relay, call, leg) = (RelayId(1), CallId::new(ShardId(0), 7), LegNo(2));
        let orders = [Op::Hear { leg, what: Default::default(), no: 3 }, Op::Export { leg, to: Vec::new() }];
        for order in &orders {
            for answer in [RelayAnswer::Done, RelayAnswer::refused(Refusal::BadSources)] {
                assert_eq!(MediaFact::of_answer(relay, call, order, Some((Incarnation(1), &answer))), []);
            }
            assert_eq!(MediaFact::of_answer(relay, call, order, None), []);
            let ended = RelayAnswer::refused(Refusal::Ended);
            let lost = MediaFact::Lost { relay, leg: LegKey { call, leg }, incarnation: Incarnation(1) };
            assert_eq!(MediaFact::of_answer(relay, call, order, Some((Incarnation(1), &ended))), [lost]);
        }
    }

    /// A call whose relay sends nothing where the far end wants to be heard was silent, and nobody knew.
    #[test]
    fn an_address_that_a_relay_refuses_is_told() {
        let (relay, call, leg) = (RelayId(1), CallId::new(ShardId(0), 7), LegNo(2));
        let rtp = "10.0.0.1:4000".parse().unwrap();
        let codec = strowger_model::Codec { law: strowger_model::Law::A, dtmf_payload_type: None };
        let media = strowger_model::MediaAddr { rtp, rtcp: rtp, codec };
        let facts = |why| {
            let answer = RelayAnswer::refused(why);
            let remote = Op::Remote { leg, media, send: true, receive: true };
            MediaFact::of_answer(relay, call, &remote, Some((Incarnation(1), &answer)))
        };
        let unreachable = |cause| [MediaFact::Unreachable { relay, leg: LegKey { call, leg }, cause: Cause(cause) }];
        assert_eq!(facts(Refusal::BadAddress), unreachable(65));
        assert_eq!(facts(Refusal::ForbiddenAddress), unreachable(57));
        assert_eq!(facts(Refusal::Fenced { epoch: 9 }), []);
    }

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

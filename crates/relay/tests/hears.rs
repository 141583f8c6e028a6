//! Who hears whom: one way, louder and softer, several at once, over threads and relays.

mod support;

use strowger_audio::tone::Tone;
use strowger_media::{Gain, Hears, Law, Op, RelayAnswer};
use strowger_model::{CallId, LegKey, LegNo, RelayId};
use support::relays::Relays;
use support::{A, B, CALL, Phone, Rig, SELF, content, key, music, node, patient, speak};

const C: LegNo = LegNo(2);
const LOW: f32 = 440.0;
const MIDDLE: f32 = 1000.0;
const HIGH: f32 = 2000.0;

fn tone(frequency: f32) -> Tone {
    Tone::single(frequency, 8000.0)
}

fn legs(list: &[LegNo]) -> Hears {
    Hears::Legs(list.iter().map(|&leg| (key(leg), Gain::UNITY)).collect())
}

/// Loudest sample of the next frames.
fn peak(phone: &Phone, frames: usize) -> i32 {
    let samples = (0..frames).flat_map(|_| phone.hear().1);
    samples.map(|byte| i32::from(strowger_audio::g711::decode(phone.law, byte)).abs()).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_parties_on_three_relays_hear_each_other() {
    let relays = Relays::start(3).await;
    let parties = [(1, A, Law::Mu), (2, B, Law::A), (3, C, Law::Mu)];
    let mut phones = Vec::new();
    for (relay, leg, law) in parties {
        phones.push(relays.phone(RelayId(relay), key(leg), law).await);
    }
    for (relay, leg, _) in parties {
        let others = parties.iter().filter(|(_, other, _)| *other != leg);
        let (to, heard): (Vec<RelayId>, Vec<LegNo>) = others.map(|&(at, other, _)| (RelayId(at), other)).unzip();
        relays.export(RelayId(relay), key(leg), to).await;
        relays.hear(RelayId(relay), key(leg), legs(&heard)).await;
    }
    let tones = [LOW, MIDDLE, HIGH];
    let phones = tokio::task::spawn_blocking(move || {
        let mut speakers: Vec<_> = phones.iter_mut().zip(tones.map(tone)).collect();
        speak(&mut speakers, 40);
        phones
    });
    for (at, phone) in phones.await.unwrap().iter().enumerate() {
        let heard = phone.all_tones(tones);
        for (other, share) in heard.into_iter().enumerate() {
            let right = if other == at { share < 0.05 } else { share > 0.3 };
            assert!(right, "party {at} hears {heard:?}");
        }
    }
}

#[test]
fn a_whisper_reaches_one_ear() {
    let rig = Rig::new(patient());
    let (mut caller, mut agent, mut coach) = (rig.phone(A, Law::Mu), rig.phone(B, Law::A), rig.phone(C, Law::Mu));
    rig.hear(A, legs(&[B]));
    rig.hear(B, legs(&[A, C]));
    rig.hear(C, legs(&[A, B]));
    speak(&mut [(&mut caller, tone(LOW)), (&mut agent, tone(MIDDLE)), (&mut coach, tone(HIGH))], 40);
    let [low, middle, high] = caller.all_tones([LOW, MIDDLE, HIGH]);
    assert!(middle > 0.9 && low < 0.01 && high < 0.01, "the caller hears {low} {middle} {high}");
    let [low, middle, high] = agent.all_tones([LOW, MIDDLE, HIGH]);
    assert!(low > 0.3 && high > 0.3 && middle < 0.05, "the agent hears {low} {middle} {high}");
    let [low, middle, high] = coach.all_tones([LOW, MIDDLE, HIGH]);
    assert!(low > 0.3 && middle > 0.3 && high < 0.05, "the coach hears {low} {middle} {high}");
}

#[test]
fn one_voice_reaches_several_ears_as_it_comes() {
    let rig = Rig::new(patient());
    let (mut caller, agent, coach) = (rig.phone(A, Law::Mu), rig.phone(B, Law::A), rig.phone(C, Law::Mu));
    rig.hear(B, legs(&[A]));
    rig.hear(C, legs(&[A]));
    caller.say(&mut tone(LOW), 10);
    for phone in [&agent, &coach] {
        let [low] = phone.hear_tones([LOW], 10);
        assert!(low > 0.95, "{low}");
    }
    // When one of them listens no more the other one still does, whichever it is.
    rig.hear(B, Hears::Nothing);
    caller.say(&mut tone(LOW), 2);
    coach.hear_tones([LOW], 2);
    assert!(agent.is_deaf());
}

#[test]
fn gain_makes_a_voice_softer_and_louder() {
    let rig = Rig::new(patient());
    let (mut caller, agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    for (gain, wanted) in [(Gain(64), 2000), (Gain(512), 16_000)] {
        rig.hear(B, Hears::Legs(vec![(key(A), gain)]));
        speak(&mut [(&mut caller, tone(MIDDLE))], 12);
        let peak = peak(&agent, 8);
        assert!((wanted * 9 / 10..wanted * 11 / 10).contains(&peak), "{gain:?}: {peak}");
        let [middle] = agent.all_tones([MIDDLE]);
        assert!(middle > 0.9, "{middle}");
    }
}

#[test]
fn late_and_repeated_orders_do_nothing() {
    let rig = Rig::new(patient());
    let (caller, mut agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    let digest = rig.put(&music(MIDDLE, 100));
    let hear = |what, no| rig.done(Op::Hear { leg: A, what, no });
    hear(legs(&[B]), 20);
    hear(content(digest, true, 3), 19);
    agent.say(&mut tone(LOW), 5);
    hear(legs(&[B]), 20);
    hear(legs(&[B]), 21);
    hear(Hears::Nothing, 20);
    agent.say(&mut tone(LOW), 5);
    let [low] = caller.hear_tones([LOW], 10);
    assert!(low > 0.95, "one unbroken stream: {low}");
    assert_eq!((rig.snapshot(A).no, &rig.snapshot(A).hears), (21, &legs(&[B])));
}

#[test]
fn music_covers_a_hearing_and_uncovers_it() {
    let rig = Rig::new(patient());
    let (caller, mut agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    let digest = rig.put(&music(MIDDLE, 100));
    rig.bridge(A, B);
    rig.hear(A, content(digest, true, 3));
    agent.say(&mut tone(LOW), 10);
    let [low, middle] = caller.hear_tones([LOW, MIDDLE], 10);
    assert!(middle > 0.95 && low < 0.01, "{low} {middle}");
    // Said by another owner, it is the same playing: not a sample is left out or played twice.
    rig.adopted(2, A);
    let again = Op::Hear { leg: A, what: content(digest, true, 3), no: 1000 };
    assert_eq!(rig.perform(node(2), 2, CALL, again), RelayAnswer::Done);
    let [middle] = caller.hear_tones([MIDDLE], 10);
    assert!(middle > 0.95, "{middle}");
    let back = Op::Hear { leg: A, what: legs(&[B]), no: 1001 };
    assert_eq!(rig.perform(node(2), 2, CALL, back), RelayAnswer::Done);
    while !caller.is_deaf() {}
    agent.say(&mut tone(LOW), 10);
    let [low] = caller.hear_tones([LOW], 10);
    assert!(low > 0.95, "{low}");
}

#[test]
fn a_source_may_come_later_go_and_come_again_under_another_number() {
    let rig = Rig::new(patient());
    let caller = rig.phone(A, Law::Mu);
    rig.hear(A, legs(&[B]));
    let mut agent = rig.phone(B, Law::Mu);
    agent.say(&mut tone(LOW), 3);
    let [.., (before, _)] = [caller.hear(), caller.hear(), caller.hear()];
    assert!(matches!(rig.order(Op::CloseLeg { leg: B }), RelayAnswer::Closed { .. }));
    let mut next = rig.phone(C, Law::A);
    rig.hear(A, legs(&[C]));
    next.say(&mut tone(LOW), 3);
    let after = caller.hear().0;
    assert_eq!((after.sequence, after.ssrc, after.marker), (before.sequence.wrapping_add(1), before.ssrc, true));
    for leg in [A, C] {
        rig.close(leg);
    }
}

/// A phone that consults by an INVITE of its own makes a second birth call; once merged, the legs hear each other.
#[test]
fn legs_of_two_calls_hear_each_other_on_whatever_thread_they_are() {
    let rig = Rig::new(patient());
    let mut caller = rig.phone(A, Law::Mu);
    // Of these some are on the caller's thread, some on the other.
    for call in (50..58).map(CallId) {
        let other = LegKey { call, leg: A };
        let RelayAnswer::Opened { rtp, .. } = rig.perform(node(1), 1, call, Op::Open { leg: A }) else {
            panic!("not opened")
        };
        let mut agent = Phone::new(rtp, Law::A);
        let orders = [
            agent.remote(A, true, true),
            Op::Export { leg: A, to: vec![SELF] },
            Op::Hear { leg: A, what: legs(&[A]), no: 1 },
        ];
        for order in orders {
            assert_eq!(rig.perform(node(1), 1, call, order), RelayAnswer::Done);
        }
        rig.done(Op::Export { leg: A, to: vec![SELF] });
        rig.hear(A, Hears::leg(other));
        caller.say(&mut tone(LOW), 5);
        agent.say(&mut tone(MIDDLE), 5);
        let [low] = agent.hear_tones([LOW], 5);
        let [middle] = caller.hear_tones([MIDDLE], 5);
        assert!(low > 0.9 && middle > 0.9, "{call}: {low} {middle}");
        assert!(agent.is_deaf() && caller.is_deaf(), "each packet once");
        assert!(matches!(rig.perform(node(1), 1, call, Op::CloseLeg { leg: A }), RelayAnswer::Closed { .. }));
    }
    assert!(rig.engine.hops()[0].packets_out > 0, "no call was on the other thread");
}

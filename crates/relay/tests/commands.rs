//! What owners may rely on: repeats, epochs, adoption, events, sums.

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use strowger_audio::rtcp::{Item, MAX_BYTES, Report, items};
use strowger_audio::tone::Tone;
use strowger_media::{Gain, Hears, LATE, Law, Op, PlayState, Refusal, RelayAnswer, RelayCommand, What};
use strowger_model::{CallId, Digest, LegNo, MediaAddr, RelayId};
use strowger_relay::engine::Limits;
use support::{A, B, CALL, PATIENCE, Phone, Rig, SELF, content, key, music, node, patient};

fn refused(why: Refusal) -> RelayAnswer {
    RelayAnswer::Refused { why }
}

#[test]
fn opening_again_gives_the_same_ports() {
    let rig = Rig::new(patient());
    let first = rig.open(A);
    assert_eq!(rig.open(A), first);
    assert_ne!(rig.open(B), first);
    let stats = rig.until(|stats| stats.legs == 2);
    assert_eq!(stats.calls, 1);
}

#[test]
fn a_lower_epoch_is_refused() {
    let mut rig = Rig::new(patient());
    let mut caller = rig.phone(A, Law::Mu);
    let adopt = Op::Adopt { leg: A };
    assert!(matches!(rig.perform(node(2), 5, CALL, adopt.clone()), RelayAnswer::Snapshot { .. }));
    for op in [Op::Open { leg: A }, Op::CloseLeg { leg: A }, adopt, Op::Ack { leg: A, seq: 9 }] {
        assert_eq!(rig.order(op), refused(Refusal::Fenced { epoch: 5 }));
    }
    caller.press(1, true, 800);
    assert_eq!(rig.event().to, node(2));
    assert!(matches!(rig.perform(node(2), 5, CALL, Op::CloseLeg { leg: A }), RelayAnswer::Closed { .. }));
    assert_eq!(rig.perform(node(2), 1, CALL, Op::Open { leg: A }), refused(Refusal::Ended));
    assert!(matches!(rig.perform(node(2), 6, CALL, Op::Open { leg: A }), RelayAnswer::Opened { .. }));
}

/// One of them went to a row of its own, whose owner has a later epoch: that of the other goes on commanding it.
#[test]
fn legs_born_in_one_call_obey_each_its_owner() {
    let mut rig = Rig::new(patient());
    let (mut caller, mut other) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    assert!(matches!(rig.perform(node(2), 9, CALL, Op::Adopt { leg: B }), RelayAnswer::Snapshot { .. }));
    rig.hear(A, Hears::leg(key(B)));
    let hear = Op::Hear { leg: B, what: Hears::leg(key(A)), no: 8 };
    assert_eq!(rig.order(hear.clone()), refused(Refusal::Fenced { epoch: 9 }));
    assert_eq!(rig.perform(node(2), 9, CALL, hear), RelayAnswer::Done);
    caller.press(1, true, 800);
    let event = rig.event();
    assert_eq!((event.to, event.event.leg, event.event.seq), (node(1), A, 1));
    other.press(2, true, 800);
    let event = rig.event();
    assert_eq!((event.to, event.event.leg, event.event.seq), (node(2), B, 1));
    // What one has heard the other has not.
    rig.done(Op::Ack { leg: A, seq: 1 });
    let answer = rig.perform(node(3), 10, CALL, Op::Adopt { leg: B });
    let RelayAnswer::Snapshot { leg, missed } = answer else { panic!("{answer:?}") };
    assert_eq!((leg.leg, missed.len(), &missed[0].what), (B, 1, &What::Digit { digit: b'2' }));
    assert_eq!(rig.adopted(1, A).1, []);
    rig.close(A);
    assert!(matches!(rig.perform(node(3), 10, CALL, Op::CloseLeg { leg: B }), RelayAnswer::Closed { .. }));
}

/// Whoever closes a leg that never came here may be followed by what its earlier owner had ordered.
#[test]
fn a_leg_that_was_closed_before_it_was_opened_is_never_opened() {
    let rig = Rig::new(patient());
    rig.open(A);
    assert_eq!(rig.perform(node(2), 2, CALL, Op::CloseLeg { leg: B }), refused(Refusal::NoSuchLeg));
    assert_eq!(rig.order(Op::Open { leg: B }), refused(Refusal::Ended));
}

#[test]
fn adoption_tells_what_is_and_what_was_missed() {
    let mut rig = Rig::new(patient());
    let digest = rig.put(&music(440.0, 1000));
    let (mut caller, agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::A));
    rig.bridge(A, B);
    for event in 1..=3 {
        caller.press(event, true, 800);
        caller.header.timestamp += 1600;
        assert_eq!(rig.what(), What::Digit { digit: b'0' + event });
    }
    rig.done(Op::Ack { leg: A, seq: 1 });
    rig.hear(B, content(digest, true, 9));
    rig.done(Op::Export { leg: A, to: vec![SELF, SELF] });
    // The owner dies: nobody reads its events, media goes on.
    let (leg, missed) = rig.adopted(2, A);
    assert_eq!(missed.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(missed[1].what, What::Digit { digit: b'3' });
    assert_eq!((leg.leg, &leg.hears, leg.play), (A, &Hears::leg(key(B)), None));
    assert_eq!((&leg.exports[..], leg.no), (&[SELF][..], 1));
    assert_eq!((leg.local, leg.latched), (caller.relay, Some(caller.address())));
    assert_eq!((leg.remote, leg.packets_in), (Some(caller.media()), 3));
    assert!(leg.quiet_ms.is_some() && leg.send && leg.receive);
    let (leg, missed) = rig.adopted(2, B);
    assert_eq!((leg.leg, &leg.hears, missed.len()), (B, &content(digest, true, 9), 0));
    assert_eq!((leg.play, leg.no, leg.exports.len()), (Some(PlayState::Playing), 3, 0));
    assert_eq!((leg.quiet_ms, leg.remote), (None, Some(agent.media())));
    caller.press(4, true, 800);
    let event = rig.event();
    assert_eq!((event.to, event.event.seq), (node(2), 4));
}

/// The owner heard that the prompt is over, and died before it wrote down what follows.
#[test]
fn a_prompt_that_ended_while_nobody_owned_the_call_holds_up_no_adopter() {
    let mut rig = Rig::new(patient());
    let digest = rig.put(&music(440.0, 50));
    let caller = rig.phone(A, Law::Mu);
    rig.hear(A, content(digest, false, 5));
    let event = rig.event();
    assert_eq!((event.to, event.event.what), (node(1), What::PlayDone { play: 5 }));
    rig.done(Op::Ack { leg: A, seq: 1 });
    let (leg, missed) = rig.adopted(2, A);
    assert_eq!((&leg.hears, leg.play, missed.len()), (&content(digest, false, 5), Some(PlayState::Over), 0));
    // Whether it looks or not: the row says that this prompt plays, so it says so again.
    let again = Op::Hear { leg: A, what: content(digest, false, 5), no: leg.no + 1 };
    assert_eq!(rig.perform(node(2), 2, CALL, again), RelayAnswer::Done);
    let event = rig.event();
    assert_eq!((event.to, event.event.seq, event.event.what), (node(2), 2, What::PlayDone { play: 5 }));
    (0..3).for_each(|_| drop(caller.hear()));
    assert!(caller.is_deaf(), "it played once");
}

#[test]
fn nothing_reads_the_events_and_media_goes_on() {
    let mut rig = Rig::new(patient());
    let (mut caller, agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    rig.bridge(A, B);
    rig.events.close();
    caller.press(1, true, 800);
    caller.header.timestamp += 1600;
    agent.hear();
    caller.say(&mut Tone::single(1000.0, 8000.0), 10);
    let [thousand] = agent.hear_tones([1000.0], 10);
    assert!(thousand > 0.95);
    let missed = rig.adopted(3, A).1;
    assert_eq!((missed.len(), missed[0].seq), (1, 1));
}

#[test]
fn closing_gives_the_sums_twice() {
    let rig = Rig::new(patient());
    let (mut caller, agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    rig.bridge(A, B);
    let mut tone = Tone::single(440.0, 8000.0);
    caller.say(&mut tone, 5);
    caller.header.sequence += 5;
    caller.say(&mut tone, 5);
    (0..10).for_each(|_| drop(agent.hear()));
    let sums = rig.close(B);
    assert_eq!((sums.leg, sums.sent, sums.received, sums.quiet_ms), (B, 10, 0, None));
    assert_eq!(rig.close(B), sums);
    assert_eq!(rig.order(Op::Open { leg: B }), refused(Refusal::Ended));
    let sums = rig.close(A);
    assert_eq!((sums.leg, sums.received, sums.sent, sums.lost), (A, 10, 0, 5));
    assert_eq!(rig.close(A), sums);
    // The sums from before the call have no calls either.
    let stats = rig.until(|stats| stats.calls == 0 && stats.lost > 0);
    assert_eq!((stats.legs, stats.lost), (0, 5));
}

#[test]
fn when_ports_are_gone_it_says_so_and_they_come_back() {
    let rig = Rig::with_ports(patient(), 31_000..31_008);
    // Two threads, two pairs each; other programs may hold some. Calls of one thread only, to fill it.
    let open = |leg| rig.perform(node(1), 1, CALL, Op::Open { leg: LegNo(leg) });
    let opened = (0..3).take_while(|&leg| matches!(open(leg), RelayAnswer::Opened { .. })).count();
    assert!((1..=2).contains(&opened));
    assert_eq!(open(9), refused(Refusal::NoPorts));
    assert!(matches!(open(0), RelayAnswer::Opened { .. }));
    rig.close(LegNo(0));
    let next = rig.perform(node(1), 1, CallId(CALL.0 + 1000), Op::Open { leg: A });
    assert!(matches!(next, RelayAnswer::Opened { .. }), "{next:?}");
}

#[test]
fn a_dead_stream_is_said_once_and_its_return_too() {
    let mut rig = Rig::new(Limits { dead_media: Duration::from_millis(300), ..patient() });
    let mut caller = rig.phone(A, Law::Mu);
    let held = rig.phone(B, Law::Mu);
    rig.done(held.remote(B, true, false));
    let event = rig.event().event;
    assert!(matches!(event.what, What::DeadMedia { since_ms } if since_ms >= 300) && event.leg == A);
    caller.say(&mut Tone::single(440.0, 8000.0), 1);
    assert_eq!(rig.what(), What::MediaBack);
    assert!(matches!(rig.what(), What::DeadMedia { .. }));
    // RTCP is a sign of life as well, of whom was heard.
    reports(&caller, caller.header.ssrc + 1);
    assert!(rig.snapshot(A).dead);
    reports(&caller, caller.header.ssrc);
    assert_eq!(rig.what(), What::MediaBack);
    assert!(rig.until(|stats| stats.dead_media >= 2).dead_media >= 2);
}

#[test]
fn a_call_nobody_wants_is_closed() {
    let rig = Rig::new(Limits { orphan: Duration::from_millis(200), ..patient() });
    rig.open(A);
    let stats = rig.until(|stats| stats.orphans == 1);
    assert_eq!((stats.calls, stats.legs), (0, 0));
    assert_eq!(rig.order(Op::Adopt { leg: A }), refused(Refusal::Ended));
}

/// A far end that suppresses silence says nothing but reports while its caller listens to music.
#[test]
fn a_far_end_that_only_sends_reports_is_wanted() {
    let short = Duration::from_millis(200);
    let rig = Rig::new(Limits { orphan: short, dead_media: short, ..patient() });
    let mut caller = rig.phone(A, Law::Mu);
    caller.say(&mut Tone::single(440.0, 8000.0), 1);
    let begun = Instant::now();
    // An orphan is found within a second.
    while begun.elapsed() < Duration::from_millis(1500) {
        reports(&caller, caller.header.ssrc);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(rig.engine.stats().orphans, 0);
    assert_eq!(rig.snapshot(A).leg, A);
}

/// Both ends were gone, and somebody who wrote reports in their names kept the call, and its bill, alive.
#[test]
fn reports_alone_are_no_sign_of_life() {
    let mut rig = Rig::new(Limits { dead_media: Duration::from_millis(300), ..patient() });
    let mut caller = rig.phone(A, Law::Mu);
    let begun = Instant::now();
    for ssrc in [caller.header.ssrc, caller.header.ssrc + 1] {
        while rig.engine.stats().dead_media == u64::from(ssrc - caller.header.ssrc) {
            assert!(begun.elapsed() < PATIENCE, "{ssrc} keeps it alive");
            reports(&caller, ssrc);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(matches!(rig.what(), What::DeadMedia { .. }));
        caller.say(&mut Tone::single(440.0, 8000.0), 1);
        assert_eq!(rig.what(), What::MediaBack);
    }
}

/// Gateways keep NATs open in silence by packets of a type that nobody agreed on (RFC 6263, section 4.6): their calls ended
/// after ten seconds of it.
#[test]
fn packets_of_an_unknown_type_are_a_sign_of_life_of_the_far_end_alone() {
    let mut rig = Rig::new(Limits { dead_media: Duration::from_millis(300), ..patient() });
    let (mut caller, agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    rig.done(agent.remote(B, true, false));
    rig.bridge(A, B);
    assert!(matches!(rig.what(), What::DeadMedia { .. }));
    let mut stranger = Phone::new(caller.relay, Law::Mu);
    stranger.socket = UdpSocket::bind(("127.0.0.2", 0)).unwrap();
    let keep_alive = |phone: &mut Phone| {
        phone.header.payload_type = 126;
        phone.header.sequence = phone.header.sequence.wrapping_add(1);
        phone.socket.send_to(&phone.header.to_bytes(), phone.relay).unwrap();
    };
    (0..8).for_each(|_| keep_alive(&mut stranger));
    rig.until(|stats| stats.strangers == 8);
    assert!(rig.snapshot(A).dead, "a stranger's are nothing");
    keep_alive(&mut caller);
    assert_eq!(rig.what(), What::MediaBack);
    // As long as they come.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        keep_alive(&mut caller);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(rig.engine.stats().dead_media, 1);
    assert!(agent.is_deaf(), "nobody hears them");
}

/// A report in the name of a source, from the phone's address.
fn reports(phone: &Phone, ssrc: u32) {
    let mut bytes = [0; MAX_BYTES];
    let length = Report { ssrc, sender: None, reception: None, cname: "x", bye: false }.write(&mut bytes);
    phone.socket.send_to(&bytes[..length], SocketAddr::new(phone.relay.ip(), phone.relay.port() + 1)).unwrap();
}

/// Both hold, or a caller who waits holds: no voice is due, and none comes.
#[test]
fn a_call_on_hold_is_wanted_until_its_agreed_silence_is_over() {
    let limits = Limits { orphan: Duration::from_millis(200), ..patient() };
    let rig = Rig::new(limits);
    for leg in [A, B] {
        let held = rig.phone(leg, Law::Mu);
        rig.done(held.remote(leg, false, false));
    }
    // Others of both threads, which nobody holds, are closed: all have been looked at.
    for other in 1..=16 {
        let opened = rig.perform(node(1), 1, CallId(CALL.0 + other), Op::Open { leg: A });
        assert!(matches!(opened, RelayAnswer::Opened { .. }), "{opened:?}");
    }
    rig.until(|stats| stats.orphans >= 16);
    assert_eq!(rig.engine.stats().orphans, 16);
    [A, B].iter().for_each(|leg| assert_eq!(rig.snapshot(*leg).leg, *leg));

    let rig = Rig::new(Limits { agreed_silence: Duration::from_millis(400), ..limits });
    let held = rig.phone(A, Law::Mu);
    rig.done(held.remote(A, true, false));
    rig.until(|stats| stats.orphans == 1);
}

/// An operator who does not want to hear of dead media, or later, has calls in which nobody speaks.
#[test]
fn a_far_end_that_may_be_silent_for_longer_is_wanted_meanwhile() {
    let rig = Rig::new(Limits { orphan: Duration::from_millis(200), dead_media: Duration::MAX, ..patient() });
    let _silent = rig.phone(A, Law::Mu);
    for other in 1..=16 {
        rig.perform(node(1), 1, CallId(CALL.0 + other), Op::Open { leg: A });
    }
    rig.until(|stats| stats.orphans >= 16);
    assert_eq!((rig.engine.stats().orphans, rig.snapshot(A).leg), (16, A));
}

#[test]
fn a_call_closed_leg_by_leg_is_wanted_by_nobody_and_is_no_orphan() {
    let rig = Rig::new(Limits { orphan: Duration::from_millis(200), ..patient() });
    rig.open(A);
    assert!(matches!(rig.order(Op::CloseLeg { leg: A }), RelayAnswer::Closed { .. }));
    assert!(matches!(rig.perform(node(1), 1, CallId(CALL.0 + 2), Op::Open { leg: A }), RelayAnswer::Opened { .. }));
    let stats = rig.until(|stats| stats.orphans > 0);
    assert_eq!((stats.orphans, stats.calls), (1, 0), "the other call is one");
    assert_eq!(rig.order(Op::Adopt { leg: A }), refused(Refusal::Ended));
}

#[test]
fn a_call_closed_leg_by_leg_comes_back_with_another_leg() {
    let rig = Rig::new(Limits { remember_ended: Duration::from_millis(200), ..patient() });
    rig.open(A);
    rig.order(Op::CloseLeg { leg: A });
    // A repetition that comes late opens nothing.
    assert_eq!(rig.order(Op::Open { leg: A }), refused(Refusal::Ended));
    rig.open(B);
    rig.order(Op::CloseLeg { leg: B });
    let begun = Instant::now();
    while rig.order(Op::Open { leg: A }) == refused(Refusal::Ended) {
        assert!(begun.elapsed() < PATIENCE, "a call without legs is remembered for ever");
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(rig.snapshot(A).leg, A);
}

/// A leg goes to another relay and comes back, while its call has others here: not for an order that may be late.
#[test]
fn a_leg_that_was_closed_comes_back_to_a_call_that_is_there() {
    let rig = Rig::new(patient());
    [A, B].iter().for_each(|leg| {
        rig.open(*leg);
    });
    rig.close(A);
    assert_eq!(rig.order(Op::Open { leg: A }), refused(Refusal::Ended));
    let begun = Instant::now();
    while rig.order(Op::Open { leg: A }) == refused(Refusal::Ended) {
        assert!(begun.elapsed() < PATIENCE, "it is closed for ever");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(begun.elapsed() >= LATE - Duration::from_millis(200), "{:?}", begun.elapsed());
    assert_eq!(rig.snapshot(A).leg, A);
}

#[test]
fn a_later_owner_opens_at_once_what_was_closed_and_an_earlier_one_never() {
    let rig = Rig::new(patient());
    [A, B].iter().for_each(|leg| {
        rig.open(*leg);
    });
    let by = |number: u16, op| rig.perform(node(number), u64::from(number), CALL, op);
    assert!(matches!(by(3, Op::CloseLeg { leg: A }), RelayAnswer::Closed { .. }));
    assert_eq!(by(2, Op::Open { leg: A }), refused(Refusal::Ended));
    assert!(matches!(by(4, Op::Open { leg: A }), RelayAnswer::Opened { .. }));
    assert_eq!(rig.adopted(4, A).0.leg, A);
}

/// It was cut off for so long that it took the call for nobody's; the call lives, and has lost its ports there.
#[test]
fn a_call_that_was_taken_for_nobodys_comes_back() {
    let rig = Rig::new(Limits { orphan: Duration::from_millis(200), ..patient() });
    rig.open(A);
    rig.until(|stats| stats.orphans == 1);
    assert_eq!(rig.order(Op::Open { leg: A }), refused(Refusal::Ended));
    assert_eq!(rig.order(Op::Open { leg: B }), refused(Refusal::Ended));
    let opened = rig.perform(node(2), 2, CALL, Op::Open { leg: B });
    assert!(matches!(opened, RelayAnswer::Opened { .. }), "{opened:?}");
    assert_eq!(rig.order(Op::Open { leg: A }), refused(Refusal::Ended), "it may be late");
    assert!(matches!(rig.perform(node(2), 2, CALL, Op::Open { leg: A }), RelayAnswer::Opened { .. }));
}

#[test]
fn reports_go_to_the_rtcp_port_and_say_goodbye() {
    let rig = Rig::new(patient());
    let mut caller = rig.phone(A, Law::Mu);
    let mut media = caller.media();
    // The phone's one socket takes both.
    media.rtcp = media.rtp;
    rig.done(Op::Remote { leg: A, media, send: true, receive: true });
    caller.say(&mut Tone::single(440.0, 8000.0), 4);
    rig.until(|stats| stats.packets_in == 4);
    rig.close(A);
    let mut bytes = [0; 200];
    let read: Vec<Item> = loop {
        let (length, _) = caller.socket.recv_from(&mut bytes).unwrap();
        let read: Vec<Item> = items(&bytes[..length]).collect();
        if read.len() == 3 {
            break read;
        }
    };
    let Item::ReceiverReport { reception: Some(block), .. } = read[0] else { panic!("{read:?}") };
    assert_eq!((block.ssrc, block.cumulative_lost), (caller.header.ssrc, 0));
    assert!(matches!(read[2], Item::Bye { .. }));
}

#[test]
fn what_cannot_be_done_is_refused_with_its_reason() {
    let rig = Rig::new(patient());
    assert_eq!(rig.order(Op::Adopt { leg: A }), refused(Refusal::NoSuchCall));
    let caller = rig.phone(A, Law::Mu);
    let hear = |leg, what| Op::Hear { leg, what, no: 1 };
    assert_eq!(rig.order(hear(B, Hears::Nothing)), refused(Refusal::NoSuchLeg));
    assert_eq!(rig.order(hear(A, Hears::leg(key(A)))), refused(Refusal::SameLeg));
    let sources = |numbers: &[u16]| {
        let source = |&number| (key(LegNo(number)), Gain::UNITY);
        Hears::Legs(numbers.iter().map(source).collect())
    };
    assert_eq!(rig.order(hear(A, sources(&[5, 6, 5]))), refused(Refusal::BadSources));
    let many: Vec<u16> = (1..17).collect();
    assert_eq!(rig.order(hear(A, sources(&many))), refused(Refusal::BadSources));
    rig.done(hear(A, sources(&many[..15])));
    // This relay has no link to others.
    assert_eq!(rig.order(Op::Export { leg: A, to: vec![SELF, RelayId(1)] }), refused(Refusal::BadRelay));
    assert_eq!(rig.snapshot(A).exports, []);
    let content = Digest([3; 32]);
    let play = Op::Hear { leg: A, what: Hears::Content { digest: content, repeat: false, play: 1 }, no: 2 };
    assert_eq!(rig.order(play), RelayAnswer::NeedContent { content });
    for rtp in ["0.0.0.0:4000", "224.0.0.1:4000", "127.0.0.1:0", "[::1]:4000"] {
        let mut media = caller.media();
        media.rtp = rtp.parse().unwrap();
        let remote = Op::Remote { leg: A, media, send: true, receive: true };
        assert_eq!(rig.order(remote), refused(Refusal::BadAddress), "{rtp}");
    }
    let other = rig.open(B);
    let [inner, own] = ["127.9.0.1:4000".parse().unwrap(), other];
    for to in [inner, own, SocketAddr::new(own.ip(), own.port() + 1)] {
        for (rtp, rtcp) in [(to, caller.media().rtcp), (caller.media().rtp, to)] {
            let media = MediaAddr { rtp, rtcp, ..caller.media() };
            for send in [true, false] {
                let remote = Op::Remote { leg: A, media, send, receive: true };
                assert_eq!(rig.order(remote), refused(Refusal::ForbiddenAddress), "{rtp} {rtcp}");
            }
        }
    }
    assert_eq!(rig.snapshot(A).remote, Some(caller.media()), "it is where it was");
    for leg in 2..64 {
        rig.open(LegNo(leg));
    }
    assert_eq!(rig.order(Op::Open { leg: LegNo(64) }), refused(Refusal::TooManyLegs));
    // Only those that live count.
    rig.order(Op::CloseLeg { leg: LegNo(63) });
    rig.open(LegNo(64));
}

#[test]
fn a_list_is_answered_in_its_order() {
    let rig = Rig::new(patient());
    let calls = 100..300u64;
    let commands = calls.clone().flat_map(|call| {
        let call = CallId(call);
        [Op::Open { leg: A }, Op::Adopt { leg: A }].map(|op| RelayCommand { call, epoch: 1, op })
    });
    let pending = rig.engine.submit(node(1), commands.collect());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answers = runtime.block_on(pending.answers());
    assert_eq!(answers.len(), 400);
    for pair in answers.chunks(2) {
        let [RelayAnswer::Opened { rtp, .. }, RelayAnswer::Snapshot { leg, .. }] = pair else { panic!("{pair:?}") };
        assert_eq!(leg.local, *rtp);
    }
    assert_eq!(rig.until(|stats| stats.calls == 200).legs, 200);
}

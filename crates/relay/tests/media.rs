//! What far ends hear: each other, play, digits, hold, unknown sources.

mod support;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use strowger_audio::tone::Tone;
use strowger_media::{Hears, Law, Op, PlayState, RelayAnswer, What};
use strowger_model::LegNo;
use support::{A, B, LOOPBACK, Phone, Rig, content, music, patient};

#[test]
fn a_bridge_carries_both_ways_over_different_laws() {
    let rig = Rig::new(patient());
    let (mut caller, mut agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::A));
    rig.bridge(A, B);
    caller.say(&mut Tone::single(1000.0, 8000.0), 25);
    agent.say(&mut Tone::single(440.0, 8000.0), 25);
    let [thousand, low] = agent.hear_tones([1000.0, 440.0], 25);
    assert!(thousand > 0.95 && low < 0.05, "{thousand} {low}");
    let [thousand, low] = caller.hear_tones([1000.0, 440.0], 25);
    assert!(low > 0.95 && thousand < 0.05, "{thousand} {low}");
    rig.hear(B, Hears::Nothing);
    caller.say(&mut Tone::single(1000.0, 8000.0), 2);
    assert!(agent.is_deaf());
}

#[test]
fn a_far_end_may_send_the_other_law() {
    let rig = Rig::new(patient());
    let (mut caller, agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    rig.bridge(A, B);
    caller.law = Law::A;
    caller.header.payload_type = Law::A.payload_type();
    caller.say(&mut Tone::single(1000.0, 8000.0), 10);
    let [thousand] = agent.hear_tones([1000.0], 10);
    assert!(thousand > 0.95, "{thousand}");
}

#[test]
fn music_loops_in_time_and_stops() {
    let rig = Rig::new(patient());
    let digest = rig.put(&music(1000.0, 30));
    let caller = rig.phone(A, Law::A);
    let start = Instant::now();
    rig.hear(A, content(digest, true, 1));
    let [thousand] = caller.hear_tones([1000.0], 50);
    let took = start.elapsed();
    assert!(thousand > 0.95, "{thousand}");
    // 50 frames are 0.98 s; they never come early, and on a busy machine a little late.
    assert!((Duration::from_millis(950)..Duration::from_millis(2500)).contains(&took), "{took:?}");
    rig.hear(A, Hears::Nothing);
    while !caller.is_deaf() {}
}

#[test]
fn callers_hear_music_at_places_of_their_own() {
    let rig = Rig::new(patient());
    let digest = rig.put(&music(1000.0, 1000));
    let phones: Vec<Phone> = (0..8).map(|leg| rig.phone(LegNo(leg), Law::Mu)).collect();
    for (leg, _) in phones.iter().enumerate() {
        rig.hear(LegNo(leg as u16), content(digest, true, 1));
    }
    for phone in &phones {
        let [thousand] = phone.hear_tones([1000.0], 5);
        assert!(thousand > 0.95);
    }
}

#[test]
fn a_prompt_ends_once_and_its_repeat_is_harmless() {
    let mut rig = Rig::new(patient());
    let digest = rig.put(&music(440.0, 50));
    let caller = rig.phone(A, Law::Mu);
    let play = Op::Hear { leg: A, what: content(digest, false, 42), no: 7 };
    rig.done(play.clone());
    rig.done(play.clone());
    let [low] = caller.hear_tones([440.0], 2);
    assert!(low > 0.9);
    let (_, last) = caller.hear();
    assert!(last[80..].iter().all(|&byte| byte == 0xff), "the third frame is half silence");
    assert_eq!(rig.what(), What::PlayDone { play: 42 });
    rig.done(play);
    assert!(caller.is_deaf());
    assert!(rig.events.try_recv().is_err());
    // A new owner that does not know says it with its own number, and hears that it is over.
    assert_eq!(rig.snapshot(A).play, Some(PlayState::Over));
    rig.done(Op::Hear { leg: A, what: content(digest, false, 42), no: 8 });
    assert_eq!(rig.what(), What::PlayDone { play: 42 });
    // A menu that begins again has another number, which may be a lower one.
    rig.done(Op::Hear { leg: A, what: content(digest, false, 41), no: 9 });
    assert_eq!(rig.what(), What::PlayDone { play: 41 });
    (0..3).for_each(|_| drop(caller.hear()));
    assert!(caller.is_deaf());
}

#[test]
fn one_stream_from_music_to_bridge_to_music() {
    let rig = Rig::new(patient());
    let digest = rig.put(&music(1000.0, 100));
    let (caller, mut agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    rig.hear(A, content(digest, true, 1));
    let (first, _) = caller.hear();
    assert!(first.marker);
    rig.bridge(A, B);
    while !caller.is_deaf() {}
    agent.say(&mut Tone::single(440.0, 8000.0), 1);
    let (bridged, _) = caller.hear();
    assert!(bridged.marker && bridged.ssrc == first.ssrc);
    rig.hear(A, content(digest, true, 2));
    let (again, _) = caller.hear();
    assert!(again.marker && again.ssrc == first.ssrc);
    assert_eq!(again.sequence, bridged.sequence.wrapping_add(1));
    assert!(again.timestamp.wrapping_sub(bridged.timestamp) >= 160);
}

/// The owner sends content that was missing, and the order again: by then the call may be elsewhere.
#[test]
fn music_whose_content_came_too_late_does_not_drown_what_came_after_it() {
    let rig = Rig::new(patient());
    let piece = music(1000.0, 100);
    let (caller, mut agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    let late = Op::Hear { leg: A, what: content(piece.digest, true, 1), no: rig.no() };
    assert!(matches!(rig.order(late.clone()), RelayAnswer::NeedContent { .. }));
    assert_eq!(rig.snapshot(A).play, Some(PlayState::Awaited));
    rig.bridge(A, B);
    rig.put(&piece);
    rig.done(late.clone());
    assert!(caller.is_deaf(), "music after they hear each other");
    agent.say(&mut Tone::single(440.0, 8000.0), 1);
    caller.hear();
    // The same with another play in place of each other.
    let prompt = rig.put(&music(500.0, 100));
    rig.hear(A, content(prompt, true, 3));
    rig.done(late);
    assert_eq!(rig.snapshot(A).hears, content(prompt, true, 3));
}

#[test]
fn a_key_press_is_one_digit_and_crosses_the_bridge() {
    let mut rig = Rig::new(patient());
    let (mut caller, agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::A));
    rig.bridge(A, B);
    caller.say(&mut Tone::single(440.0, 8000.0), 1);
    for (end, duration) in [(false, 160), (false, 320), (true, 480), (true, 480), (true, 480)] {
        caller.press(5, end, duration);
    }
    caller.header.timestamp += 480;
    caller.press(11, false, 160);
    let first = rig.event();
    assert_eq!((first.event.leg, first.event.seq, first.event.what), (A, 1, What::Digit { digit: b'5' }));
    let second = rig.event();
    assert_eq!((second.event.seq, second.event.what), (2, What::Digit { digit: b'#' }));
    assert_eq!(agent.hear().0.payload_type, 8);
    let packets: Vec<_> = (0..6).map(|_| agent.hear()).collect();
    assert!(packets.iter().all(|(header, payload)| header.payload_type == support::DTMF && payload.len() == 4));
    assert!(packets[..5].iter().all(|(header, _)| header.timestamp == packets[0].0.timestamp));
    assert!(rig.events.try_recv().is_err());
}

/// A phone that gave events a number of its own in its answer sends them under ours (RFC 3264, sections 5.1 and 6.1) or under
/// its own: what came under ours was dropped. It is sent them under its own alone.
#[test]
fn key_presses_are_heard_under_both_numbers_and_sent_under_the_far_ends() {
    const ITS_OWN: u8 = 96;
    let mut rig = Rig::new(patient());
    let (mut caller, mut agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    rig.bridge(A, B);
    let mut media = agent.media();
    media.codec.dtmf_payload_type = Some(ITS_OWN);
    rig.done(Op::Remote { leg: B, media, send: true, receive: true });
    for (payload_type, event, digit) in [(support::DTMF, 1, b'1'), (ITS_OWN, 2, b'2')] {
        agent.press_as(payload_type, event, true, 480);
        agent.header.timestamp += 480;
        let heard = rig.event().event;
        assert_eq!((heard.leg, heard.what), (B, What::Digit { digit }));
        assert_eq!(caller.hear().0.payload_type, support::DTMF);
    }
    caller.press(3, true, 480);
    assert_eq!(rig.what(), What::Digit { digit: b'3' });
    assert_eq!(agent.hear().0.payload_type, ITS_OWN);
    // Under a number that neither side named it is nothing.
    agent.press_as(ITS_OWN + 1, 4, true, 480);
    rig.until(|stats| stats.malformed == 1);
    // Nor is the phone's number the caller's.
    caller.press_as(ITS_OWN, 5, true, 480);
    rig.until(|stats| stats.malformed == 2);
    assert!(rig.events.try_recv().is_err() && caller.is_deaf() && agent.is_deaf());
}

#[test]
fn hold_sends_nothing_and_hears_nothing() {
    let rig = Rig::new(patient());
    let (mut caller, mut agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    rig.bridge(A, B);
    rig.done(agent.remote(B, false, false));
    caller.say(&mut Tone::single(440.0, 8000.0), 3);
    agent.say(&mut Tone::single(440.0, 8000.0), 3);
    assert!(agent.is_deaf() && caller.is_deaf());
    rig.done(agent.remote(B, true, true));
    caller.say(&mut Tone::single(440.0, 8000.0), 3);
    let [low] = agent.hear_tones([440.0], 3);
    assert!(low > 0.9);
}

#[test]
fn strangers_are_dropped_and_never_answered() {
    let mut rig = Rig::new(patient());
    let digest = rig.put(&music(1000.0, 100));
    let mut caller = rig.phone(A, Law::Mu);
    // Another address of loopback: not the signalled IP.
    let mut stranger = Phone::new(caller.relay, Law::Mu);
    stranger.socket = UdpSocket::bind(("127.0.0.2", 0)).unwrap();
    stranger.say(&mut Tone::single(440.0, 8000.0), 3);
    rig.until(|stats| stats.strangers == 3);
    // The signalled IP from another port, as behind a NAT: a few packets in a row are followed.
    let signalled = std::mem::replace(&mut caller.socket, UdpSocket::bind((LOOPBACK, 0)).unwrap());
    caller.socket.set_read_timeout(Some(support::PATIENCE)).unwrap();
    caller.say(&mut Tone::single(440.0, 8000.0), 3);
    assert_eq!(rig.until(|stats| stats.strangers == 6).packets_in, 0);
    assert_eq!(rig.snapshot(A).latched, None);
    caller.say(&mut Tone::single(440.0, 8000.0), 1);
    assert_eq!(rig.what(), What::Latched { addr: caller.address() });
    rig.hear(A, content(digest, true, 1));
    caller.hear();
    signalled.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(signalled.recv_from(&mut [0; 200]).is_err() && stranger.is_deaf());
    // Who sends from where it was said is believed, though not one packet of it.
    let mut header = caller.header;
    let mut say = |packets| {
        for _ in 0..packets {
            header.sequence = header.sequence.wrapping_add(1);
            signalled.send_to(&header.to_bytes(), caller.relay).unwrap();
        }
    };
    say(1);
    rig.until(|stats| stats.strangers == 7);
    assert_eq!(rig.snapshot(A).latched, Some(caller.address()));
    say(3);
    assert_eq!(rig.what(), What::Latched { addr: signalled.local_addr().unwrap() });
    while !caller.is_deaf() {}
    assert!(signalled.recv_from(&mut [0; 200]).is_ok());
    assert_eq!(rig.until(|stats| stats.packets_in == 2).malformed, 0);
}

/// A gateway that moves its media, or a NAT that gives a phone another port: every packet was a stranger's, and the call
/// ended.
#[test]
fn a_far_end_that_moves_to_another_port_is_followed() {
    let mut rig = Rig::new(patient());
    let (mut caller, mut agent) = (rig.phone(A, Law::Mu), rig.phone(B, Law::Mu));
    rig.bridge(A, B);
    caller.say(&mut Tone::single(440.0, 8000.0), 1);
    agent.hear();
    caller.socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    caller.socket.set_read_timeout(Some(support::PATIENCE)).unwrap();
    let (addr, begun) = (caller.address(), Instant::now());
    while rig.snapshot(A).latched != Some(addr) {
        caller.say(&mut Tone::single(440.0, 8000.0), 1);
        assert!(begun.elapsed() < support::PATIENCE, "it is not followed");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(begun.elapsed() >= Duration::from_millis(180), "its old port may still speak");
    assert_eq!(rig.what(), What::Latched { addr });
    caller.say(&mut Tone::single(440.0, 8000.0), 1);
    agent.hear();
    agent.say(&mut Tone::single(1000.0, 8000.0), 1);
    caller.hear();
}

#[test]
fn noise_on_the_port_harms_nobody() {
    let rig = Rig::new(patient());
    let mut caller = rig.phone(A, Law::Mu);
    for bytes in [&[][..], &[0x80], &[0xff; 11], &[0xbf; 40], &[0; 1500]] {
        caller.socket.send_to(bytes, caller.relay).unwrap();
    }
    caller.header.payload_type = 3;
    caller.say(&mut Tone::single(440.0, 8000.0), 1);
    let stats = rig.until(|stats| stats.malformed == 6);
    assert_eq!(stats.packets_in, 1, "the last is the phone's own");
}

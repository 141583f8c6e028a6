//! Who hears whom, as a table: a situation, and what each far end hears in it.
//!
//! Legs are `c`ustomer, `a`gent (serving), `b` another agent, `p`arty, `s`tep, and supervisors who `l`isten, `w`hisper or
//! take part `g`; supervisors follow the agent, or with `:all` the call, with `:c` the customer, with `:b` the
//! other agent. `/1` is aside, `/-` parked.
//! What is heard is voices, `music`, `prompt`, or `-`.

use strowger_call::hearing::{
    LegView, Role, Sound, Sounds, Stage, State, View, Watch, Watched, exports, hears, taps_hear,
};
use strowger_media::Hears;
use strowger_model::{CallId, Digest, LegKey, LegNo, RelayId};

const LETTERS: &str = "cabpslwg";
const MUSIC: Digest = Digest([1; 32]);
const PROMPT: Digest = Digest([2; 32]);

/// Stage, legs, and what they hear.
const TABLE: &[(Stage, &str, &str)] = &[
    // The customer's way to an agent.
    (Stage::Reaching, "c+ringing", "c -"),
    (Stage::Flow, "c", "c -"),
    (Stage::Flow, "c+prompt", "c prompt"),
    (Stage::Flow, "c+prompt+holds", "c prompt"),
    (Stage::Flow, "c s", "c s, s c"),
    (Stage::Waiting, "c", "c music"),
    (Stage::Waiting, "c+holds", "c -"),
    (Stage::Waiting, "c+muted", "c music"),
    (Stage::Waiting, "c+prompt", "c prompt"),
    (Stage::Waiting, "c a+ringing", "c music, a -"),
    (Stage::Waiting, "c a+ringing b+ringing", "c music, a -, b -"),
    (Stage::Waiting, "c a+screening", "c music, a -"),
    (Stage::Waiting, "c a+screening+prompt", "c music, a prompt"),
    (Stage::Waiting, "c a+releasing", "c music, a -"),
    // An agent who waits for the called party is alone, and no customer.
    (Stage::Reaching, "c+ringing a", "c -, a -"),
    (Stage::Reaching, "c+screening+prompt a", "c prompt, a -"),
    // Two who talk.
    (Stage::Talking, "c a", "c a, a c"),
    (Stage::Talking, "c a+muted", "c -, a c"),
    (Stage::Talking, "c+muted a", "c a, a -"),
    (Stage::Talking, "c a+holds", "c music, a -"),
    (Stage::Talking, "c+holds a", "c -, a music"),
    (Stage::Talking, "c+holds a+holds", "c -, a -"),
    (Stage::Talking, "c a+muted+holds", "c music, a -"),
    // A transfer that rings, one that is announced, and one that was completed.
    (Stage::Talking, "c p+ringing", "c music, p -"),
    (Stage::Talking, "c a+releasing p", "c p, a -, p c"),
    (Stage::Talking, "c/- a/1 b/1", "c music, a b, b a"),
    (Stage::Talking, "c/-+holds a/1 p/1", "c -, a p, p a"),
    (Stage::Talking, "c a/1 b/1", "c music, a b, b a"),
    (Stage::Talking, "c a/1 b/1+ringing", "c music, a -, b -"),
    (Stage::Talking, "c a/1 b/1+holds", "c music, a music, b -"),
    (Stage::Talking, "c a b/1", "c a, a c, b -"),
    (Stage::Talking, "c a b/-", "c a, a c, b music"),
    // Who went on in a row of its own is alone there.
    (Stage::Talking, "p", "p music"),
    (Stage::Talking, "p+holds", "p -"),
    (Stage::Talking, "p l:all", "p music, l p"),
    (Stage::Talking, "c/- p", "c music, p music"),
    (Stage::Talking, "a", "a -"),
    // A conference.
    (Stage::Talking, "c a p", "c ap, a cp, p ca"),
    (Stage::Talking, "c a+holds p", "c p, a -, p c"),
    (Stage::Talking, "c a+muted p", "c p, a cp, p c"),
    (Stage::Talking, "c a+holds p+holds", "c music, a -, p -"),
    (Stage::Talking, "c a+holds p+muted", "c -, a -, p c"),
    (Stage::Talking, "c a p+screening", "c a, a c, p -"),
    // Supervisors. A whisper never reaches the caller.
    (Stage::Talking, "c a l", "c a, a c, l ca"),
    (Stage::Talking, "c a w", "c a, a cw, w ca"),
    (Stage::Talking, "c a w+muted", "c a, a c, w ca"),
    (Stage::Talking, "c a w+holds", "c a, a c, w -"),
    (Stage::Talking, "c a w:c", "c a, a cw, w ca"),
    (Stage::Talking, "c a w:all", "c a, a cw, w ca"),
    (Stage::Talking, "c a p w", "c ap, a cpw, p ca, w cap"),
    (Stage::Talking, "c a l w", "c a, a cw, l ca, w ca"),
    (Stage::Talking, "c a g", "c ag, a cg, g ca"),
    (Stage::Talking, "c a l g", "c ag, a cg, l cag, g ca"),
    (Stage::Talking, "c/- a/1 b/1 l", "c music, a b, b a, l ab"),
    (Stage::Talking, "c/- a/1 b/1 w", "c music, a bw, b a, w ab"),
    (Stage::Talking, "c/- a/1 b/1 l:all", "c music, a b, b a, l -"),
    (Stage::Talking, "c a+holds w", "c music, a -, w c"),
    (Stage::Talking, "c+holds a w", "c -, a w, w a"),
    (Stage::Waiting, "c l:all", "c music, l c"),
    (Stage::Waiting, "c w:all", "c music, w c"),
    (Stage::Waiting, "c a+releasing w", "c music, a -, w -"),
    (Stage::Talking, "c a+screening w", "c music, a -, w -"),
    // Of two agents the one is coached who is followed, serving or not.
    (Stage::Talking, "c a b w:b", "c ab, a cb, b caw, w cab"),
    // Who is parked is in no room, not in one with others who are.
    (Stage::Talking, "c/- b/-", "c music, b music"),
    (Stage::Talking, "c/- a/1 b/1 p/-", "c music, a b, b a, p music"),
    // Who watches is no company.
    (Stage::Talking, "c a+holds l", "c music, a -, l c"),
    (Stage::Waiting, "c a+releasing l:all", "c music, a -, l c"),
    // Legs that came from another call stand anywhere in the row: voices are in the order of their names.
    (Stage::Talking, "p a c", "p ca, a cp, c ap"),
    // The end.
    (Stage::Ended, "c a", "c -, a -"),
    (Stage::Ended, "c+prompt", "c -"),
];

/// While something private is said: only who watches hears less.
const PRIVATE: &[(Stage, &str, &str)] = &[
    (Stage::Talking, "c a", "c a, a c"),
    (Stage::Talking, "c a l", "c a, a c, l -"),
    (Stage::Talking, "c a w", "c a, a cw, w -"),
    (Stage::Talking, "c a g", "c ag, a cg, g ca"),
];

fn key(letter: char) -> LegKey {
    LegKey { call: CallId(7), leg: LegNo(LETTERS.find(letter).expect("a leg's letter") as u16) }
}

fn letter(key: LegKey) -> char {
    LETTERS.chars().nth(key.leg.0.into()).expect("a leg of the table")
}

fn leg(text: &str) -> LegView {
    let letter = text.chars().next().expect("a leg");
    let mode = match letter {
        'l' => Some(Watch::Listen),
        'w' => Some(Watch::Whisper),
        'g' => Some(Watch::Barge),
        _ => None,
    };
    let on = match text {
        _ if text.contains(":all") => Watched::Call,
        _ if text.contains(":c") => Watched::Leg(key('c')),
        _ if text.contains(":b") => Watched::Leg(key('b')),
        _ => Watched::Leg(key('a')),
    };
    let role = match (letter, mode) {
        (_, Some(mode)) => Role::Supervisor { on, mode },
        ('c', _) => Role::Customer,
        ('p', _) => Role::Party,
        ('s', _) => Role::Step,
        _ => Role::Agent,
    };
    let says = |word: &str| text.contains(word);
    let state = match text {
        _ if says("+ringing") => State::Ringing,
        _ if says("+screening") => State::Screening,
        _ if says("+releasing") => State::Releasing,
        _ => State::Up,
    };
    let room = match text {
        _ if says("/1") => Some(1),
        // Who listens or whispers is in no room.
        _ if says("/-") || letter == 'l' || letter == 'w' => None,
        _ => Some(0),
    };
    let relay = Some(RelayId(1));
    LegView { key: key(letter), relay, role, state, room, holds: says("+holds"), muted: says("+muted") }
}

fn call(stage: Stage, legs: &str, private: bool) -> (View, Sounds) {
    let sound = |digest| Sound { digest, play: 9 };
    let words = legs.split(' ');
    let prompts = words.clone().filter(|word| word.contains("+prompt"));
    let prompts = prompts.map(|word| (leg(word).key, sound(PROMPT))).collect();
    let legs: Vec<LegView> = words.map(leg).collect();
    let serving = legs.iter().map(|leg| leg.key).find(|of| *of == key('a'));
    (View { stage, legs, serving, private }, Sounds { music: Some(sound(MUSIC)), prompts })
}

fn words(what: &Hears) -> String {
    match what {
        Hears::Nothing => "-".into(),
        Hears::Content { digest, repeat, play: 9 } if *digest == MUSIC && *repeat => "music".into(),
        Hears::Content { digest, repeat, play: 9 } if *digest == PROMPT && !*repeat => "prompt".into(),
        Hears::Content { .. } => "something else".into(),
        Hears::Legs(_) => what.sources().map(letter).collect(),
    }
}

fn told(heard: &[(LegKey, Hears)]) -> String {
    let lines: Vec<String> = heard.iter().map(|(leg, what)| format!("{} {}", letter(*leg), words(what))).collect();
    lines.join(", ")
}

#[test]
fn the_table() {
    for (private, table) in [(false, TABLE), (true, PRIVATE)] {
        for (stage, legs, expected) in table {
            let (view, sounds) = call(*stage, legs, private);
            assert_eq!(told(&hears(&view, &sounds)), *expected, "{stage:?}, {legs}, private: {private}");
        }
    }
}

/// What holds in every situation that can be made of these legs, in whatever stage.
#[test]
fn rules_that_hold_everywhere() {
    let states = ["", "+holds", "+muted", "+screening", "+ringing", "+releasing", "/1", "/-"];
    let stages = [Stage::Flow, Stage::Waiting, Stage::Talking, Stage::Ended];
    let watchers = ["", " l", " w", " w:c", " w:all", " l:all"];
    let mut seen = 0;
    for stage in stages {
        for c in states {
            for a in states {
                for p in states {
                    for watcher in watchers {
                        let legs = format!("c{c} a{a} p{p}{watcher}");
                        let (view, sounds) = call(stage, &legs, false);
                        let all = hears(&view, &sounds);
                        check(&view, &all, &format!("{stage:?}, {legs}: {}", told(&all)));
                        seen += 1;
                    }
                }
            }
        }
    }
    assert_eq!(seen, 4 * 8 * 8 * 8 * 6);
}

fn check(view: &View, all: &[(LegKey, Hears)], what: &str) {
    let of = |key: LegKey| view.leg(key).expect("a leg of the call");
    let hears = |one: LegKey, other: LegKey| {
        all.iter().any(|(leg, heard)| *leg == one && heard.sources().any(|source| source == other))
    };
    for (hearer, heard) in all {
        let is_watcher = |leg: LegKey| matches!(of(leg).role, Role::Supervisor { .. });
        for source in heard.sources() {
            let speaker = of(source);
            assert!(speaker.state == State::Up && !speaker.holds && !speaker.muted, "nobody hears {source}: {what}");
            assert!(!is_watcher(source) || of(*hearer).role == Role::Agent, "a whisper is for an agent: {what}");
            let both = !is_watcher(source) && !is_watcher(*hearer) && !of(*hearer).muted;
            assert!(!both || hears(source, *hearer), "who is heard hears: {what}");
        }
        let music = matches!(heard, Hears::Content { repeat: true, .. });
        assert!(!music || !of(*hearer).holds, "music for who does not listen: {what}");
    }
}

#[test]
fn who_has_no_music_waits_in_silence() {
    let (view, _) = call(Stage::Waiting, "c", false);
    assert_eq!(told(&hears(&view, &Sounds::default())), "c -");
}

#[test]
fn private_silences_taps() {
    let tapped = |private| taps_hear(&call(Stage::Talking, "c a", private).0);
    assert_eq!((tapped(false), tapped(true)), (true, false));
}

/// Legs with their relays, and where each one's voice goes.
#[test]
fn a_voice_goes_where_it_is_heard() {
    let table: &[(&str, &[u16], &str)] = &[
        ("c a", &[1, 1], "c [], a []"),
        ("c a", &[1, 2], "c [2], a [1]"),
        ("c a p", &[1, 2, 3], "c [2, 3], a [1, 3], p [1, 2]"),
        ("c a p", &[1, 2, 2], "c [2], a [1], p [1]"),
        ("c a p w", &[1, 1, 1, 2], "c [2], a [2], p [2], w [1]"),
        ("c a p", &[3, 1, 2], "c [1, 2], a [2, 3], p [1, 3]"),
        ("c a p+muted", &[1, 2, 3], "c [2, 3], a [1, 3], p []"),
        ("c a+holds", &[1, 2], "c [], a []"),
        ("c a+ringing", &[1, 2], "c [], a []"),
    ];
    for (legs, relays, expected) in table {
        let (mut view, sounds) = call(Stage::Talking, legs, false);
        view.legs.iter_mut().zip(*relays).for_each(|(leg, relay)| leg.relay = Some(RelayId(*relay)));
        assert_eq!(sent(&view, &sounds), *expected, "{legs} on {relays:?}");
    }
}

/// Two calls became one: their legs may be held by two threads of a relay.
#[test]
fn legs_born_in_two_calls_meet_over_their_relay() {
    let (mut view, sounds) = call(Stage::Talking, "c a p", false);
    let other = LegKey { call: CallId(8), leg: key('p').leg };
    view.legs[2].key = other;
    assert_eq!(sent(&view, &sounds), "c [1], a [1], p [1]");
}

fn sent(view: &View, sounds: &Sounds) -> String {
    let all = exports(view, &hears(view, sounds));
    let lines: Vec<String> = all
        .iter()
        .map(|(leg, to)| format!("{} {:?}", letter(*leg), to.iter().map(|relay| relay.0).collect::<Vec<_>>()))
        .collect();
    lines.join(", ")
}

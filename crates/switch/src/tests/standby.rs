//! What another node was to say to a far end.

use std::time::Duration;

use strowger_model::{Far, Incarnation, Line, Mono, NodeId};

use crate::limit::STAND_BY;
use crate::{StandBy, poster};

const ME: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);
const NOW: Mono = Mono(1_000_000);

fn by_line_of(node: NodeId) -> Far {
    Far { line: Some(Line { node, number: 7 }), ..Far::tcp(([192, 0, 2, 9], 5060)) }
}

fn lives(life: u64) -> impl Fn(NodeId) -> Option<Incarnation> {
    move |node| (node == OTHER).then_some(Incarnation(life))
}

#[test]
fn who_holds_the_connection_says_it_as_long_as_it_lives() {
    let (to, down) = (by_line_of(OTHER), |_| None);
    assert_eq!(poster(to, ME, false, lives(3)), Some((OTHER, Incarnation(3))));
    assert_eq!(poster(to, ME, false, down), None, "of a dead node's connections none is left");
    assert_eq!(poster(to, ME, true, lives(3)), None, "a passive node says nothing by others either");
    assert_eq!(poster(by_line_of(ME), ME, false, |_| Some(Incarnation(1))), None);
    assert_eq!(poster(Far::udp(([192, 0, 2, 9], 5060)), ME, false, lives(3)), None);
}

#[test]
fn what_may_have_died_with_a_node_is_said_again_once() {
    let (mut standing, to) = (StandBy::default(), by_line_of(OTHER));
    standing.posted((OTHER, Incarnation(3)), to, b"one".to_vec(), NOW);
    standing.posted((OTHER, Incarnation(3)), to, b"two".to_vec(), NOW);
    assert_eq!(standing.look(NOW, lives(3)), []);
    let again = standing.look(NOW, |_| None);
    assert_eq!(again, [(to, b"one".to_vec()), (to, b"two".to_vec())], "in their order");
    assert_eq!(standing.look(NOW, |_| None), []);
}

/// The process that it was handed to is gone, though its node is up.
#[test]
fn another_life_of_the_node_has_not_said_it() {
    let (mut standing, to) = (StandBy::default(), by_line_of(OTHER));
    standing.posted((OTHER, Incarnation(3)), to, b"one".to_vec(), NOW);
    standing.posted((OTHER, Incarnation(4)), to, b"two".to_vec(), NOW);
    assert_eq!(standing.look(NOW, lives(4)), [(to, b"one".to_vec())]);
    assert_eq!(standing.look(NOW, lives(5)), [(to, b"two".to_vec())]);
}

/// Who dies later had its time to say it.
#[test]
fn nobody_stands_by_for_ever() {
    let (mut standing, to) = (StandBy::default(), by_line_of(OTHER));
    let by = (OTHER, Incarnation(3));
    standing.posted(by, to, b"one".to_vec(), NOW);
    let last = NOW + (STAND_BY - Duration::from_micros(1));
    standing.posted(by, to, b"two".to_vec(), last);
    assert_eq!(standing.look(NOW + STAND_BY, |_| None), [(to, b"two".to_vec())]);
    standing.posted(by, to, b"three".to_vec(), NOW);
    assert_eq!(standing.look(last, |_| None), [(to, b"three".to_vec())]);
}

//! What waits for an actor, when it breaks and who follows it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use ractor::ActorProcessingErr;

use super::*;

/// A number that is said once, a word that is said again, a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Said {
    Once(u8),
    Again,
    Row(u64),
}

impl News for Said {
    fn lasts(&self) -> bool {
        matches!(self, Said::Once(_))
    }

    fn fits(&self, waiting: &VecDeque<Self>) -> bool {
        waiting.len() < 4
    }

    fn epoch(&self) -> Option<u64> {
        match self {
            Said::Row(epoch) => Some(*epoch),
            Said::Once(_) | Said::Again => None,
        }
    }
}

#[derive(Clone, Default)]
struct Counted(Rc<RefCell<(u32, u32)>>);

impl Hand for Counted {
    fn wake(&self) {
        self.0.borrow_mut().0 += 1;
    }

    fn stop(&self) {
        self.0.borrow_mut().1 += 1;
    }

    fn kill(&self) {
        self.stop();
    }
}

impl Counted {
    fn wakes(&self) -> u32 {
        self.0.borrow().0
    }

    fn stops(&self) -> u32 {
        self.0.borrow().1
    }
}

type Bench = Registry<u8, Said, Counted>;

fn running() -> (Bench, Ticket, Counted) {
    let (bench, actor) = (Bench::new(), Counted::default());
    let ticket = bench.begin(1, 5, None).unwrap();
    bench.seat(1, ticket, actor.clone());
    (bench, ticket, actor)
}

fn all(bench: &Bench, ticket: Ticket) -> Vec<Said> {
    std::iter::from_fn(|| bench.take(1, ticket)).collect()
}

#[test]
fn what_comes_while_an_actor_starts_waits_for_it_behind_its_row() {
    let (bench, actor) = (Bench::new(), Counted::default());
    assert!(!bench.tell(1, Said::Again), "there is nobody");
    let ticket = bench.begin(1, 5, Some(Said::Row(5))).unwrap();
    assert_eq!(bench.begin(1, 5, None), None, "one at a time");
    assert!(bench.tell(1, Said::Again) && bench.tell(1, Said::Row(6)));
    bench.seat(1, ticket, actor.clone());
    assert_eq!(actor.wakes(), 1);
    assert_eq!(all(&bench, ticket), [Said::Row(5), Said::Again, Said::Row(6)]);
}

#[test]
fn an_actor_is_woken_once_until_it_has_found_nothing() {
    let (bench, ticket, actor) = running();
    assert_eq!(actor.wakes(), 0);
    assert!(bench.tell(1, Said::Again) && bench.tell(1, Said::Again));
    assert_eq!(actor.wakes(), 1);
    assert_eq!(all(&bench, ticket).len(), 2);
    bench.tell(1, Said::Again);
    assert_eq!(actor.wakes(), 2);
    assert_eq!((bench.peek(1, ticket, 9).len(), bench.peek(1, ticket, 9).len()), (1, 1));
    bench.settle(1, ticket, 1, Vec::new());
    assert_eq!(bench.peek(1, ticket, 9), []);
    bench.tell(1, Said::Again);
    assert_eq!(actor.wakes(), 3);
}

#[test]
fn what_is_said_once_is_for_the_next_if_an_actor_breaks() {
    let (bench, ticket, actor) = running();
    for news in [Said::Once(1), Said::Again, Said::Row(5), Said::Once(2)] {
        bench.tell(1, news);
    }
    assert_eq!(bench.take(1, ticket), Some(Said::Once(1)), "over which it breaks");
    assert_eq!(bench.ended(1, ticket, Mono(1)), Some(1));
    assert_eq!(bench.seats(), [(1, false)].into());
    assert!(bench.tell(1, Said::Row(5)) && bench.tell(1, Said::Again) && bench.tell(1, Said::Once(3)));
    assert!(!bench.tell(1, Said::Row(6)), "a later epoch begins the next");
    for number in 4..9 {
        assert!(bench.tell(1, Said::Once(number)), "there is one, if what it is told is too much");
    }
    let next = bench.begin(1, 6, Some(Said::Row(6))).unwrap();
    bench.seat(1, next, actor.clone());
    assert_eq!(all(&bench, ticket), [], "the seat is another's");
    let kept = [2, 3, 4, 5].map(Said::Once);
    assert_eq!(all(&bench, next), [[Said::Row(6)].as_slice(), kept.as_slice()].concat());
}

#[test]
fn what_an_actor_has_not_settled_is_the_next_ones() {
    let (bench, ticket, actor) = running();
    for number in 1..=4 {
        bench.tell(1, Said::Once(number));
    }
    assert_eq!(bench.peek(1, ticket, 2), [Said::Once(1), Said::Once(2)]);
    bench.settle(1, ticket, 2, vec![Said::Once(2)]);
    assert_eq!(bench.ended(1, ticket, Mono(1)), Some(1));
    let next = bench.begin(1, 5, None).unwrap();
    bench.settle(1, ticket, 1, Vec::new());
    bench.seat(1, next, actor);
    assert_eq!(all(&bench, next), [2, 3, 4].map(Said::Once));
}

#[test]
fn who_leaves_in_order_did_not_break() {
    let (bench, ticket, actor) = running();
    assert_eq!(bench.leave(1, ticket), []);
    assert_eq!((bench.ended(1, ticket, Mono(1)), bench.len(), bench.breaks(1)), (None, 0, 0));
    let ticket = bench.begin(1, 5, None).unwrap();
    bench.stop(1);
    bench.seat(1, ticket, actor.clone());
    assert_eq!((actor.stops(), bench.len()), (1, 0), "forgotten while it started");
    let ticket = bench.begin(1, 5, None).unwrap();
    bench.seat(1, ticket, actor.clone());
    bench.stop(1);
    assert_eq!((actor.stops(), bench.ended(1, ticket, Mono(1))), (2, None));
}

#[test]
fn what_an_actor_that_leaves_was_not_told_is_had_back() {
    let (bench, ticket, _) = running();
    assert!(bench.tell(1, Said::Once(1)) && bench.tell(1, Said::Again));
    let next = Ticket(ticket.0 + 1);
    assert_eq!(bench.leave(1, next), [], "the seat is another's");
    assert_eq!(bench.leave(1, ticket), [Said::Once(1), Said::Again]);
    assert_eq!(bench.hand(1, Said::Once(2)), Some(Said::Once(2)), "it has left");
}

#[test]
fn who_has_nothing_to_do_stays_while_its_memory_is_of_use() {
    let (bench, ticket, actor) = running();
    bench.tell(1, Said::Again);
    bench.stop_idle(1, Mono(1));
    assert_eq!(bench.take(1, ticket), Some(Said::Again));
    bench.linger(1, ticket, Mono(5));
    bench.stop_idle(1, Mono(4));
    assert_eq!((actor.stops(), bench.lingers(1, Mono(4))), (0, true));
    bench.stop_idle(1, Mono(5));
    assert_eq!((actor.stops(), bench.len()), (1, 0));
}

#[test]
fn breaks_are_counted_for_a_minute() {
    let bench = Bench::new();
    let count = |at_s: u64| {
        let ticket = bench.begin(1, 5, None).unwrap();
        bench.ended(1, ticket, Mono(at_s * 1_000_000))
    };
    assert_eq!([count(1), count(2), count(60), count(61), count(62)], [1, 2, 3, 1, 2].map(Some));
}

#[test]
fn who_sits_when_the_node_ends_goes_and_nobody_comes() {
    let (bench, ticket, actor) = running();
    let starting = bench.begin(2, 5, None).unwrap();
    bench.close();
    assert_eq!((actor.stops(), bench.ended(1, ticket, Mono(1)), bench.len()), (1, None, 0));
    bench.seat(2, starting, actor.clone());
    assert_eq!((actor.stops(), bench.begin(1, 5, None)), (2, None));
}

enum Word {
    Wake,
    Count(Arc<AtomicU32>),
    StandStill,
}

impl From<Wake> for Word {
    fn from(_: Wake) -> Self {
        Word::Wake
    }
}

struct Hears;

impl Actor for Hears {
    type Msg = Word;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Word>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Word>, word: Word, (): &mut ()) -> Result<(), ActorProcessingErr> {
        match word {
            Word::Wake => {}
            Word::Count(count) => {
                count.fetch_add(1, Relaxed);
            }
            Word::StandStill => std::future::pending().await,
        }
        Ok(())
    }
}

#[tokio::test]
async fn what_actors_have_sent_themselves_is_done_and_who_stands_still_is_killed() {
    const PATIENCE: Duration = Duration::from_secs(20);
    let (bench, count) = (Registry::<u8, Said, ActorRef<Word>>::new(), Arc::new(AtomicU32::new(0)));
    let mut actors = Vec::new();
    for key in 0..8 {
        let ticket = bench.begin(key, 5, None).unwrap();
        let (actor, _) = Actor::spawn(None, Hears, ()).await.unwrap();
        bench.seat(key, ticket, actor.clone());
        let word = if key % 2 == 0 { Word::StandStill } else { Word::Count(count.clone()) };
        actor.cast(word).unwrap();
        actors.push(actor);
    }
    bench.finish().await;
    assert_eq!((count.load(Relaxed), bench.len()), (4, 0));
    for actor in actors {
        actor.wait(Some(PATIENCE)).await.expect("it has ended");
    }
}

//! Links between peers in one process, over real sockets on loopback.

mod bench;

use std::time::{Duration, Instant};

use bench::{BIG, BLOCK, DROP, KEEP, PATIENCE, connected, eventually, node, pair, relay, start, start_any};
use bytes::Bytes;
use strowger_link::{AskFault, Class, LinkError, SendFault};

const MANY: u32 = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn asks_are_answered_both_ways_in_every_class() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, _), (two, _)) = pair(dir.path()).await;
    for class in Class::ALL {
        for (link, to) in [(&one, node(2)), (&two, node(1))] {
            let body = format!("{class:?} to {to}");
            assert_eq!(link.ask(to, class, body.clone(), PATIENCE).await, Ok(Bytes::from(body)));
        }
    }
    assert_eq!((one.peers(), two.peers()), (vec![node(2)], vec![node(1)]));
    let stats = one.stats();
    assert!(stats[0].connected && stats[0].sent_packets > 0 && stats[0].rtt > Duration::ZERO, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_dial_relays_and_later_peers_join() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, _), (two, _)) = pair(dir.path()).await;
    let (media, probe) = start_any(dir.path(), relay(1), &[(node(1), one.local_addr())]).await;
    for link in [&one, &two] {
        link.add_peer(relay(1), media.local_addr());
        connected(link, relay(1)).await;
        link.cast(relay(1), Class::Relay, "open").unwrap();
    }
    eventually("both opens", || probe.casts.lock().unwrap().len() == 2).await;
    connected(&media, node(1)).await;
    assert_eq!(media.peers(), [node(1), node(2)]);
    assert_eq!(media.ask(node(2), Class::Relay, "event", PATIENCE).await, Ok(Bytes::from("event")));
}

#[tokio::test(flavor = "multi_thread")]
async fn casts_keep_their_order_within_a_class() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, _), (_two, probe)) = pair(dir.path()).await;
    for number in 0..MANY {
        // Small and large by turns: they take different ways through the lane.
        let mut body = number.to_le_bytes().to_vec();
        body.resize(if number % 100 == 0 { 20_000 } else { 20 }, 0);
        while one.cast(node(2), Class::Sip, body.clone()) == Err(SendFault::BacklogFull) {
            tokio::task::yield_now().await;
        }
    }
    eventually("all casts", || probe.casts.lock().unwrap().len() == MANY as usize).await;
    let casts = probe.casts.lock().unwrap();
    for (number, (from, class, body)) in casts.iter().enumerate() {
        assert_eq!((*from, *class, &body[..4]), (node(1), Class::Sip, &(number as u32).to_le_bytes()[..]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_travel_and_too_large_ones_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, _), _two) = pair(dir.path()).await;
    for (class, size) in [(Class::Command, 1024 * 1024), (Class::Raft, Class::Raft.limits().body_bytes)] {
        let body: Bytes = (0..size).map(|at| at as u8).collect::<Vec<_>>().into();
        let answer = one.ask(node(2), class, body.clone(), PATIENCE).await.unwrap();
        assert!(answer == body, "{class:?} came back changed");
    }
    let limit = Class::Command.limits().body_bytes;
    let refused = SendFault::TooLarge { found: limit + 1, limit };
    assert_eq!(one.cast(node(2), Class::Command, vec![0; limit + 1]), Err(refused));
    let refused = Err(AskFault::NotSent(refused));
    assert_eq!(one.ask(node(2), Class::Command, vec![0; limit + 1], PATIENCE).await, refused);
    assert_eq!(one.ask(node(2), Class::Command, BIG, PATIENCE).await, Err(AskFault::NoAnswer));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_not_being_answered() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, _), (two, probe)) = pair(dir.path()).await;
    assert_eq!(one.ask(node(2), Class::Command, DROP, PATIENCE).await, Err(AskFault::NoAnswer));
    let soon = Duration::from_millis(50);
    assert_eq!(one.ask(node(2), Class::Command, KEEP, soon).await, Err(AskFault::TimedOut));
    // A late answer finds nobody and harms nothing.
    probe.kept.lock().unwrap().pop().unwrap().send("late");
    assert_eq!(one.ask(node(2), Class::Command, "next", PATIENCE).await, Ok(Bytes::from("next")));
    assert_eq!(one.cast(node(3), Class::Command, "x"), Err(SendFault::NotConnected));

    let pending = tokio::spawn({
        let one = one.clone();
        async move { one.ask(node(2), Class::Command, KEEP, PATIENCE).await }
    });
    eventually("the ask arrives", || !probe.kept.lock().unwrap().is_empty()).await;
    two.close().await;
    assert_eq!(pending.await.unwrap(), Err(AskFault::ConnectionLost));
    assert_eq!(two.cast(node(1), Class::Command, "x"), Err(SendFault::Closed));
    eventually("one notices", || !one.connected(node(2))).await;
    assert_eq!(one.cast(node(2), Class::Command, "x"), Err(SendFault::NotConnected));
}

/// A class whose reader stands still fills its own backlog to the bound and holds up no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_blocked_class_is_bounded_and_alone() {
    const PIECE: usize = 64 * 1024;
    let dir = tempfile::tempdir().unwrap();
    let ((one, _), (_two, probe)) = pair(dir.path()).await;
    let gate = tokio::task::block_in_place(|| probe.gate.lock().unwrap());
    one.cast(node(2), Class::Command, BLOCK).unwrap();
    let mut taken = 0;
    let mut full = 0;
    // QUIC takes a window's worth more after the first refusal, so several in a row are awaited.
    for _ in 0..100 {
        while one.cast(node(2), Class::Command, vec![1; PIECE]).is_ok() {
            taken += 1;
        }
        full += 1;
        tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(1)));
    }
    let most = 3 * Class::Command.limits().backlog_bytes;
    assert!(taken * PIECE < most, "{taken} pieces were taken, {most} bytes is too much");
    assert_eq!(one.stats()[0].backlog_full, full);
    let others = Class::ALL.into_iter().filter(|class| *class != Class::Command);
    for class in others {
        let answer = block_on(one.ask(node(2), class, "free", PATIENCE));
        assert_eq!(answer, Ok(Bytes::from("free")), "{class:?}");
    }
    drop(gate);
    eventually("all that was taken arrives", || probe.casts.lock().unwrap().len() == taken + 1).await;
}

/// Awaits while a std guard is held, which `.await` itself must not.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

#[tokio::test(flavor = "multi_thread")]
async fn open_asks_are_bounded_and_unanswered_ones_hold_up_no_other_class() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, _), (_two, probe)) = pair(dir.path()).await;
    let limit = Class::Heartbeat.limits().open_asks;
    let open: Vec<_> = (0..limit)
        .map(|_| {
            let one = one.clone();
            tokio::spawn(async move { one.ask(node(2), Class::Heartbeat, KEEP, PATIENCE).await })
        })
        .collect();
    eventually("all asks arrive", || probe.kept.lock().unwrap().len() == limit).await;
    let refused = Err(AskFault::NotSent(SendFault::BacklogFull));
    assert_eq!(one.ask(node(2), Class::Heartbeat, "more", PATIENCE).await, refused);
    assert_eq!(one.ask(node(2), Class::Command, "free", PATIENCE).await, Ok(Bytes::from("free")));
    probe.kept.lock().unwrap().drain(..).for_each(|reply| reply.send("late"));
    for ask in open {
        assert_eq!(ask.await.unwrap(), Ok(Bytes::from("late")));
    }
}

/// A killed peer says nothing; its successor does, whichever of the two dials.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_peer_is_replaced_by_its_successor() {
    for (killed, stays) in [(node(1), node(2)), (node(2), node(1))] {
        let dir = tempfile::tempdir().unwrap();
        let (link, probe) = start_any(dir.path(), stays, &[]).await;
        let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (path, address) = (dir.path().to_owned(), link.local_addr());
        let (first, _) =
            doomed.spawn(async move { start_any(&path, killed, &[(stays, address)]).await }).await.unwrap();
        link.add_peer(killed, first.local_addr());
        connected(&link, killed).await;
        let pending = tokio::spawn({
            let link = link.clone();
            async move { link.ask(killed, Class::Command, KEEP, PATIENCE).await }
        });
        let home = first.local_addr();
        doomed.shutdown_background();
        drop(first);

        let mut again = start(dir.path(), killed, home, &[(stays, address)]).await;
        while matches!(again, Err(LinkError::Bind { .. })) {
            tokio::time::sleep(Duration::from_millis(2)).await;
            again = start(dir.path(), killed, home, &[(stays, address)]).await;
        }
        let (second, _) = again.unwrap();
        let restarted = Instant::now();
        assert_eq!(pending.await.unwrap(), Err(AskFault::ConnectionLost));
        // By its hello or by a reset; the idle time-out would take until two seconds after the kill.
        assert!(restarted.elapsed() < Duration::from_millis(1_500), "{killed}: {:?}", restarted.elapsed());
        connected(&second, stays).await;
        connected(&link, killed).await;
        assert_eq!(second.ask(stays, Class::Command, "new", PATIENCE).await, Ok(Bytes::from("new")));
        assert_eq!(link.ask(killed, Class::Command, "new", PATIENCE).await, Ok(Bytes::from("new")));
        drop(probe);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_peer_is_found_at_its_new_address() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, _), (two, _)) = pair(dir.path()).await;
    two.close().await;
    let (moved, _) = start_any(dir.path(), node(2), &[]).await;
    one.add_peer(node(2), moved.local_addr());
    connected(&moved, node(1)).await;
    assert_eq!(moved.ask(node(1), Class::Sip, "here", PATIENCE).await, Ok(Bytes::from("here")));
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (one, _) = start_any(dir.path(), node(1), &[]).await;
    let fault = start(dir.path(), node(2), one.local_addr(), &[]).await.err().unwrap();
    let text = fault.to_string();
    assert!(text.contains(&one.local_addr().to_string()) && text.contains("ss -ulpn"), "{text}");
}

#[tokio::test]
async fn the_last_handle_ends_the_link() {
    let dir = tempfile::tempdir().unwrap();
    let (one, _) = start_any(dir.path(), node(1), &[]).await;
    let (home, clone) = (one.local_addr(), one.clone());
    drop(one);
    assert!(matches!(start(dir.path(), node(1), home, &[]).await, Err(LinkError::Bind { .. })));
    drop(clone);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while start(dir.path(), node(1), home, &[]).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "the port stays taken");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_closed_leaves_its_port_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, _), (two, _)) = pair(dir.path()).await;
    let home = two.local_addr();
    two.close().await;
    let (again, _) = start(dir.path(), node(2), home, &[]).await.unwrap();
    connected(&again, node(1)).await;
    connected(&one, node(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_and_goes_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let ((one, _), (two, _)) = pair(dir.path()).await;
    let mut changes = one.changes();
    two.close().await;
    tokio::time::timeout(PATIENCE, changes.changed()).await.expect("told in time").unwrap();
    assert!(!one.connected(node(2)));
    let (again, _) = start(dir.path(), node(2), two.local_addr(), &[]).await.unwrap();
    tokio::time::timeout(PATIENCE, changes.changed()).await.expect("told in time").unwrap();
    assert!(one.connected(node(2)));
    drop(again);
}

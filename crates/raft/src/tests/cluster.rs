use std::time::{Duration, Instant};

use strowger_model::{GroupId, NodeId};
use strowger_table::{Body, ControlCommand, Outcome, Proposal, Refusal, Written};

use super::harness::{Cluster, LONG, SHARD, SHARDS, trace, until};
use crate::{LeadError, ProposeError, TransferError, Tuning};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_proposes_and_all_states_agree() {
    let cluster = Cluster::start(Tuning::default()).await;
    for group in cluster.groups(NodeId(1)).groups().filter(|group| group.shard().is_some()) {
        for round in 0..20 {
            for (id, node) in &cluster.nodes {
                let proposed = node.groups.propose(group, trace(&format!("{id}-{round}")), LONG).await;
                assert_eq!(proposed, Ok(Outcome::Done));
            }
        }
        cluster.agree(group).await;
        let told = |id| cluster.nodes[&id].seen.group(group).entries;
        until("everyone is told", || cluster.ids().iter().all(|id| told(*id) >= 60).then_some(())).await;
    }
    let status = cluster.groups(cluster.leader(SHARD).await).status();
    assert_eq!(status.len(), usize::from(SHARDS) + 1);
    let shard = &status[usize::from(SHARD.0)];
    assert!(shard.committed >= 60 && shard.lag.len() == 2 && !shard.diverged, "{shard:?}");
    let stats = cluster.groups(cluster.leader(SHARD).await).stats();
    assert!(stats.commit.count() > 0 && stats.fsync.count() > 0, "{stats:?}");
    let nowhere = GroupId(SHARDS + 1);
    let refused = cluster.groups(NodeId(1)).propose(nowhere, trace("x"), LONG).await;
    assert_eq!(refused, Err(ProposeError::NoSuchGroup(nowhere)));
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_under_the_same_number_gets_the_first_outcome() {
    let cluster = Cluster::start(Tuning::default()).await;
    let configure = || ControlCommand::Configure {
        version: 1,
        tenants: Vec::new(),
        trunks: Vec::new(),
        next_ids: Default::default(),
    };
    let inner = &cluster.groups(NodeId(2)).handle.inner;
    let control = inner.group(GroupId::CONTROL).unwrap();
    let number = control.numbers.take().await;
    let proposal = Proposal { from: inner.from, seq: number.seq, body: Body::Control(configure()) };
    let sealed = proposal.to_bytes(control.layout()).unwrap().into();
    assert_eq!(inner.repeat(control, &sealed).await, Ok(Outcome::Done));
    assert_eq!(inner.repeat(control, &sealed).await, Ok(Outcome::Done));
    let anew = cluster.groups(NodeId(2)).propose(GroupId::CONTROL, Body::Control(configure()), LONG).await;
    assert_eq!(anew, Ok(Outcome::Refused(Refusal::OldVersion)), "under a new number it is judged anew");
    drop(number);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_replaced_and_nothing_acknowledged_is_lost() {
    let mut cluster = Cluster::start(Tuning::default()).await;
    let old = cluster.leader(SHARD).await;
    let survivor = cluster.follower(SHARD).await;
    let groups = cluster.groups(survivor).clone();
    let begun = Instant::now();
    for number in 0..100 {
        groups.propose(SHARD, trace(&number.to_string()), LONG).await.unwrap();
    }
    cluster.agree(SHARD).await;
    let before = groups.view(SHARD).machine.last();
    // Proposals are under way all the time; none may fail.
    let under_way = tokio::spawn({
        let groups = groups.clone();
        async move {
            for number in 100..200 {
                let proposed = groups.propose(SHARD, trace(&number.to_string()), LONG).await;
                assert_eq!(proposed, Ok(Outcome::Done));
            }
        }
    });
    cluster.kill(old).await;
    under_way.await.unwrap();
    let new = cluster.leader(SHARD).await;
    assert_ne!(new, old);
    cluster.agree(SHARD).await;
    let after = groups.view(SHARD).machine.last();
    assert!(after.index >= before.index + 100);
    let (passed, really) = (after.time.since(before.time), begun.elapsed());
    assert!(
        after.time > before.time && passed <= really,
        "log time goes on and does not jump: {passed:?} of {really:?}"
    );

    // The old one comes back with its disk, as another incarnation, and catches up.
    cluster.start_node(old).await;
    cluster.agree(SHARD).await;
    let proposed = cluster.groups(old).propose(SHARD, trace("back"), LONG).await;
    assert_eq!(proposed, Ok(Outcome::Done));
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_moves_on_demand_and_the_old_seat_is_worth_nothing() {
    let cluster = Cluster::start(Tuning::default()).await;
    let old = cluster.leader(SHARD).await;
    let to = cluster.follower(SHARD).await;
    let groups = cluster.groups(old);
    let leading = groups.leads(SHARD).unwrap();
    let done = groups.propose_as_leader(SHARD, leading, trace("mine"), LONG).await;
    assert_eq!(done, Ok(Outcome::Done));
    assert_eq!(groups.transfer(SHARD, NodeId(9)).await, Err(TransferError::NotAVoter { group: SHARD, to: NodeId(9) }));
    assert_eq!(cluster.groups(to).transfer(SHARD, old).await, Err(TransferError::NotLeader(SHARD)));

    let begun = Instant::now();
    assert_eq!(groups.transfer(SHARD, to).await, Ok(()));
    let took = begun.elapsed();
    assert_eq!(cluster.leader(SHARD).await, to);
    assert!(cluster.groups(to).leads(SHARD).unwrap().term > leading.term);
    let late = groups.propose_as_leader(SHARD, leading, trace("late"), LONG).await;
    assert_eq!(late, Err(LeadError::NotLeader(SHARD)));
    assert_eq!(groups.propose(SHARD, trace("by the new one"), LONG).await, Ok(Outcome::Done));
    cluster.agree(SHARD).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    cluster.end().await;
}

/// After an outage all that was asked meanwhile was written as often as it had been asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_asker_gave_up_is_not_written() {
    let cluster = Cluster::start(Tuning::default()).await;
    let leader = cluster.leader(SHARD).await;
    let groups = cluster.groups(leader).clone();
    let hold = groups.handle.inner.group(SHARD).unwrap().seat().unwrap().hold;
    let written = || {
        let seen = cluster.nodes[&leader].seen.group(SHARD);
        seen.entries - seen.ticks
    };
    let before = written();
    hold.send_replace(true);
    let asked = tokio::spawn({
        let groups = groups.clone();
        async move { groups.propose(SHARD, trace("late"), LONG).await }
    });
    tokio::time::sleep(Proposal::ATTEMPT * 5 / 2).await;
    hold.send_replace(false);
    assert_eq!(asked.await.unwrap(), Ok(Outcome::Done));
    assert_eq!(groups.propose(SHARD, trace("next"), LONG).await, Ok(Outcome::Done));
    assert_eq!(written() - before, 2, "the third attempt, and the next");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voter_that_lacks_much_gets_no_lead_and_holds_up_nobody() {
    let mut cluster = Cluster::start(Tuning::default()).await;
    let old = cluster.leader(SHARD).await;
    let to = cluster.follower(SHARD).await;
    cluster.kill(to).await;
    let groups = cluster.groups(old);
    let proposals = (0..300).map(|number| {
        let groups = groups.clone();
        async move { groups.propose(SHARD, trace(&number.to_string()), LONG).await }
    });
    let mut under_way: tokio::task::JoinSet<_> = proposals.collect();
    while let Some(done) = under_way.join_next().await {
        assert_eq!(done.unwrap(), Ok(Outcome::Done));
    }
    let held = groups.handle.inner.group(SHARD).unwrap().seat().unwrap().hold.subscribe();
    assert_eq!(groups.transfer(SHARD, to).await, Err(TransferError::Behind { group: SHARD, to }));
    assert!(!held.has_changed().unwrap(), "the group stood still for one that is away");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_gives_all_its_leads_away_to_those_that_live() {
    let mut cluster = Cluster::start(Tuning::default()).await;
    let old = cluster.leader(SHARD).await;
    let dead = cluster.follower(SHARD).await;
    let heir = *cluster.nodes.keys().find(|id| **id != old && **id != dead).unwrap();
    cluster.kill(dead).await;
    let groups = cluster.groups(old).clone();
    until("the lead is where it was", || groups.leads(SHARD).is_some().then_some(())).await;
    groups.give_away(&[dead, heir]).await;
    assert!(groups.groups().all(|group| groups.leads(group).is_none()), "{:?}", groups.status());
    assert_eq!(groups.propose(SHARD, trace("by the heir"), LONG).await, Ok(Outcome::Done));
    assert_eq!(cluster.leader(SHARD).await, heir);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_group_ticks_and_without_a_majority_nothing_commits() {
    let mut cluster = Cluster::start(Tuning::default()).await;
    let leader = cluster.leader(SHARD).await;
    let begun = cluster.groups(leader).view(SHARD).machine.last().time;
    until("two ticks", || {
        let last = cluster.groups(leader).view(SHARD).machine.last().time;
        (last.since(begun) >= Duration::from_secs(2)).then_some(())
    })
    .await;
    for id in cluster.ids() {
        if id != leader {
            cluster.kill(id).await;
        }
    }
    let short = Duration::from_millis(1500);
    let alone = cluster.groups(leader).propose(SHARD, trace("alone"), short).await;
    assert!(matches!(alone, Err(ProposeError::Deadline(_) | ProposeError::NoLeader(_))), "{alone:?}");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_are_compared_and_one_that_differs_stops() {
    let tuning = Tuning { checkpoint_entries: 50, ..Tuning::default() };
    let cluster = Cluster::start(tuning).await;
    let leader = cluster.leader(SHARD).await;
    let [good, bad] = [0, 1].map(|n| *cluster.nodes.keys().filter(|id| **id != leader).nth(n).unwrap());
    // What a state that went another way would look like: its next checkpoint has another hash.
    cluster.groups(bad).handle.inner.group(SHARD).unwrap().shared.checkpoints.passed(50_000, || 0);
    cluster.groups(leader).handle.inner.group(SHARD).unwrap().shared.checkpoints.passed(50_000, || 1);
    until("the difference", || cluster.groups(bad).status()[1].diverged.then_some(())).await;
    for number in 0..120 {
        cluster.groups(leader).propose(SHARD, trace(&number.to_string()), LONG).await.unwrap();
    }
    until("a comparison", || (cluster.groups(good).stats().hashes_compared > 0).then_some(())).await;
    assert!(!cluster.groups(good).status()[1].diverged);
    assert_eq!(cluster.groups(bad).stats().groups_diverged, 1);
    assert!(cluster.groups(bad).view(SHARD).applied < cluster.groups(good).view(SHARD).applied);
    assert!(until("word that the group has stopped", || cluster.nodes[&bad].seen.group(SHARD).stopped).await);
    let seen = cluster.nodes[&good].seen.clone();
    cluster.end().await;
    assert_eq!(seen.group(SHARD).stopped, None, "who is told to end has not failed");
}

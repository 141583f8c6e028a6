//! What holds in any storm: rows that refer to each other agree, and in the end nothing is left.

use super::*;

/// Whoever is at work refers to a call that refers back, and the other way round.
fn assert_slots(shard: &Shard) {
    for agent in shard.agents() {
        let refers = |call: &CallId| shard.call(*call).expect("the call an agent is on");
        match &agent.voice().unwrap().state {
            SlotState::Offered(Offered::Leg { call, leg }) => {
                let ringing = refers(call).leg(*leg).expect("rung");
                assert!(ringing.is_ringing());
                assert_eq!(ringing.slot(), Some((agent.id, VOICE_SLOT)));
            }
            SlotState::Reserved { by: Reserver::Call(call), .. } => {
                assert_eq!(refers(call).stage, Stage::Reaching);
                assert_eq!(shard.reserved(refers(call)), Some(agent.id));
            }
            SlotState::Busy { call, .. } => {
                // Who asked for a call listens while the called phone rings.
                assert!(matches!(refers(call).stage, Stage::Talking | Stage::Reaching));
                assert!(refers(call).leg_of(agent.id).is_some_and(Leg::is_up));
            }
            SlotState::Wrap { call, segment, .. } => {
                let piece = refers(call).segments.iter().find(|piece| piece.no == *segment).expect("its segment");
                assert!(piece.is_open() && piece.agent == Some(agent.id));
            }
            SlotState::Free | SlotState::Paused { .. } | SlotState::Releasing => {
                assert_eq!(agent.bindings.is_empty(), agent.presence == Presence::Out, "{agent:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    for call in shard.calls() {
        let busy = |leg: &Leg| shard.agent(leg.agent().unwrap()).unwrap().call() == Some(call.id);
        let place = shard.place_of(call.id).map(|place| place.state);
        match call.stage {
            Stage::Talking => match call.serving_leg() {
                Some(leg) => assert!(busy(leg)),
                // Two customers of merged calls, when the agent is gone, or who left their call.
                None => assert!(call.live_legs().any(|leg| leg.role == LegRole::Party)),
            },
            Stage::Waiting if call.ringing().next().is_some() => assert_eq!(place, Some(PlaceState::Offered)),
            Stage::Waiting => assert_eq!(place, Some(PlaceState::Waiting)),
            Stage::Reaching => {
                assert!(call.agent_leg().is_some_and(busy) || shard.reserved(call).is_some());
            }
            Stage::Ended { .. } => assert!(call.live_legs().next().is_none()),
            Stage::Admitted | Stage::Flow => assert!(call.agent_leg().is_none()),
        }
        assert!(call.ringing().all(busy));
        assert_eq!(place.is_some(), matches!(call.stage, Stage::Waiting) || place == Some(PlaceState::Served));
    }
}

/// A lead that is being dialled has its live call, and no number has two.
fn assert_leads(shard: &Shard) {
    let mut numbers = BTreeSet::new();
    let mut legs: BTreeMap<RelayId, usize> = BTreeMap::new();
    for call in shard.calls().filter(|call| !call.is_over()) {
        let live = call.live_legs().flat_map(|leg| leg.relay.into_iter().chain(leg.next_relay));
        let closing = call.duties.iter().filter_map(|duty| match duty.kind {
            DutyKind::Close { relay, .. } => Some(relay),
            _ => None,
        });
        live.chain(closing).for_each(|relay| *legs.entry(relay).or_insert(0) += 1);
        let Some(outbound) = call.outbound() else { continue };
        assert!(numbers.insert(outbound.number), "{} is on two calls", outbound.number);
        assert_eq!(shard.dialled(ACME, outbound.number), Some(call.id));
        if let Some(lead) = outbound.lead.and_then(|lead| shard.lead(lead)) {
            assert_eq!(lead.state, LeadState::Dialling { call: call.id });
        }
    }
    for relay in [RELAY, AGENT_RELAY] {
        assert_eq!(shard.relay_legs(relay), legs.get(&relay).copied().unwrap_or_default());
    }
    for ledger in shard.campaigns() {
        let leads: Vec<_> = shard.leads(ledger.campaign).collect();
        let done = leads.iter().filter(|lead| shard.turn(lead) == LeadTurn::Done).count();
        assert_eq!((shard.leads_done(ledger.campaign), ledger.leads as usize), (done, leads.len()));
        let mut due = BTreeSet::new();
        for lead in leads {
            match shard.turn(lead) {
                LeadTurn::Dialling { call } => assert!(!shard.call(call).expect("its call").is_over()),
                LeadTurn::Due { at } if !shard.is_barred(BarList::DoNotCall, ACME, lead.number) => {
                    due.insert((at, lead.id));
                }
                LeadTurn::Due { .. } | LeadTurn::Done => {}
            }
        }
        let listed = (0..ledger.zones.len() as u16).flat_map(|zone| shard.due(ledger.campaign, zone));
        assert_eq!(listed.collect::<BTreeSet<_>>(), due);
    }
}

/// The indexes say what the rows say.
fn assert_indexes(shard: &Shard) {
    let calls = shard.calls().map(|call| (call.owner.node, call.owner.incarnation));
    let campaigns = shard.campaigns().filter_map(|ledger| ledger.owner).map(|owner| (owner.node, owner.incarnation));
    let agents = shard.agents().filter_map(|agent| agent.owner);
    let owners: BTreeSet<_> = calls.chain(campaigns).chain(agents).collect();
    assert_eq!(shard.owners().collect::<BTreeSet<_>>(), owners);
    for queue in [SALES, SUPPORT] {
        let waits = |place: &&std::sync::Arc<strowger_table::Place>| place.is_waiting() && place.queue == queue;
        let mut waiting: Vec<Rank> = shard.places().filter(waits).map(|place| place.rank).collect();
        waiting.sort();
        assert_eq!(shard.waiting(queue).map(|place| place.rank).collect::<Vec<_>>(), waiting);
        assert_eq!(shard.waiting_length(queue), waiting.len());
        let mut idle: Vec<_> = shard
            .agents()
            .filter(|agent| agent.state_name() == "idle" && agent.queues.contains(&queue))
            .map(|agent| (agent.voice().unwrap().idle_since, agent.id, VOICE_SLOT))
            .collect();
        idle.sort();
        assert_eq!(shard.idle(queue, Medium::Voice).collect::<Vec<_>>(), idle);
        let mut staff = [0; Agent::STATE_NAMES.len()];
        for agent in shard.agents().filter(|agent| agent.queues.contains(&queue)) {
            staff[agent.state_index()] += 1;
        }
        assert_eq!(shard.staff(queue), staff);
    }
    for call in shard.calls() {
        let Some(key) = call.key() else { continue };
        assert_eq!(shard.call_by_key(key).map(|call| call.id), Some(call.id));
    }
}

#[test]
fn nothing_is_lost_and_nobody_is_in_two_places_in_any_storm() {
    let mut seen = BTreeMap::new();
    for seed in SEEDS {
        let mut storm = Storm::new(seed);
        for command in 0..COMMANDS {
            storm.blow();
            assert_slots(&storm.bench.shard);
            assert_indexes(&storm.bench.shard);
            assert_leads(&storm.bench.shard);
            if command % 100 == 0 {
                storm.assert_conserved();
            }
        }
        // The storm is over: what is left ends by itself, and no lease is left behind.
        for rounds in 0.. {
            let Some(_) = storm.bench.shard.next_lease() else { break };
            storm.bench.expire_next();
            assert!(rounds < 10_000, "seed {seed}: leases that never end");
        }
        assert_eq!(storm.bench.shard.busy().calls, 0);
        let counts = storm.assert_conserved();
        assert_eq!(counts.values().sum::<usize>(), storm.admitted.len(), "seed {seed}");
        counts.into_iter().for_each(|(outcome, calls)| *seen.entry(outcome).or_insert(0) += calls);
    }
    // A storm that never reached an outcome would prove little about it.
    let today = CallOutcome::ALL.into_iter().filter(|outcome| *outcome <= CallOutcome::NotReached);
    for outcome in today {
        assert!(seen.get(&outcome).is_some_and(|calls| *calls >= 10), "{outcome}: {seen:?}");
    }
}

#[test]
fn after_every_expire_no_deadline_lies_in_the_past() {
    let mut storm = Storm::new(7);
    for _ in 0..COMMANDS {
        storm.blow();
        // A deadline that a first `Expire` uncovers (a wait that ran out while ringing) takes a second.
        let mut rounds = 0;
        while storm.bench.shard.next_lease().is_some_and(|deadline| deadline <= storm.bench.now) {
            let proposal = Proposal { from: ONE, seq: 0, body: Body::Shard(Command::Expire) };
            storm.bench.enter(proposal);
            rounds += 1;
            assert!(rounds <= 3, "{:?} stays due", storm.bench.shard.next_lease());
        }
    }
}

/// Rows that are in one state and not, or not so, in the other.
fn changed(before: &Shard, after: &Shard) -> BTreeSet<RowKey> {
    let mut rows = BTreeSet::new();
    for (one, other) in [(before, after), (after, before)] {
        rows.extend(one.calls().filter(|row| other.call(row.id) != Some(row)).map(|row| RowKey::Call(row.id)));
        rows.extend(one.agents().filter(|row| other.agent(row.id) != Some(row)).map(|row| RowKey::Agent(row.id)));
        rows.extend(one.places().filter(|row| other.place(row.id) != Some(row)).map(|row| RowKey::Place(row.id)));
        for row in one.campaigns() {
            let leads = |shard: &Shard| shard.leads(row.campaign).cloned().collect::<Vec<_>>();
            if other.campaign(row.campaign) != Some(row) || leads(one) != leads(other) {
                rows.insert(RowKey::Campaign(row.campaign));
            }
        }
    }
    rows
}

/// Whoever performs looks at the rows that an entry names: what changed unnamed is done by nobody.
#[test]
fn whatever_an_entry_changed_is_named() {
    let mut storm = Storm::new(1903);
    (0..COMMANDS / 2).for_each(|_| storm.blow());
    let mut shard = Shard::new(SHARD);
    for (at, proposal) in &storm.bench.log {
        let before = shard.clone();
        let Touched::Few(named) = shard.apply(*at, proposal).touched else { continue };
        let changed = changed(&before, &shard);
        assert!(
            changed.iter().all(|row| named.contains(row)),
            "{changed:?} by {:?}, which names {named:?}",
            proposal.body
        );
    }
}

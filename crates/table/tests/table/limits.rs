//! Limits: what their reasons say of them, and that each holds at its boundary.

use std::time::Duration;

use strowger_model::Digest;
use strowger_model::config::Tenant;
use strowger_table::{
    BarList, Body, Command, NewLead, Outcome, Part, Proposal, Refusal, RowKey, Scope, Touched, limit,
};

use crate::bench::Bench;
use crate::sample::*;

/// RFC 3261, 17.1.1.1.
const T1: Duration = Duration::from_millis(500);

/// A number that is changed in passing changes how calls end: these follow from others, or are promised in documents.
#[test]
fn limits_are_what_their_reasons_say() {
    let transaction = 64 * T1;
    assert_eq!(limit::HANG_UP_MAX, transaction, "the life of a SIP transaction");
    assert_eq!(limit::ENDED_LINGER, 2 * transaction, "twice the life of a SIP transaction");
    assert_eq!(limit::SESSION_LINGER, 2 * transaction);
    assert_eq!(limit::TALK_MAX, Duration::from_secs(4 * 3600));
    assert_eq!(limit::FLOW_MAX, Duration::from_secs(30 * 60));
    assert_eq!(limit::ADMITTED_MAX, Duration::from_secs(10));
    assert_eq!(limit::DIAL_WITHIN, Duration::from_secs(2));
    assert_eq!(limit::OFFER_GRACE, Duration::from_secs(2));
    assert_eq!(limit::BINDING_LOST, Duration::from_secs(30));
    assert_eq!(limit::PARTS_KEPT, Duration::from_secs(60));
    assert_eq!(limit::NOT_DIALLED_RETRY, Duration::from_secs(60));
    assert_eq!(limit::UNKNOWN_RETRY, Duration::from_secs(3600));
    // A call that once waited in the queue: its flow before and after, the conversation, an hour's wrap-up, its row.
    let longest = 2 * limit::FLOW_MAX + limit::TALK_MAX + Duration::from_secs(3600) + limit::ENDED_LINGER;
    assert!(limit::CLOSING_KEPT >= longest && limit::CLOSING_KEPT < 2 * longest);
    // A plan is a mask of 64 bits, and all rows that one touches are named: place, call and agent of each offer.
    assert_eq!(limit::OFFERS_PER_PLAN, u64::BITS as usize);
    const { assert!(limit::TOUCHED_FEW >= 3 * limit::OFFERS_PER_PLAN) };
    assert_eq!((limit::LEASES_PER_EXPIRE, limit::TOUCHED_FEW, limit::LEGS_PER_REHOME), (256, 256, 64));
    assert_eq!((limit::RING_ALL, limit::LEGS, limit::TAPS, limit::BINDINGS, limit::SLOTS), (8, 16, 8, 8, 16));
    assert_eq!((limit::SEGMENTS, limit::SEGMENTS_SPARE, limit::DATA), (64, 16, 4096));
    assert_eq!((limit::PART_BYTES, limit::VERSIONS_KEPT, limit::REPEAT_WINDOW), (64 << 10, 20, 4096));
    assert_eq!((limit::LEADS_PER_IMPORT, limit::NUMBERS_PER_BAR, limit::OUTBOX), (1000, 1000, 50_000));
}

#[test]
fn a_list_of_leads_as_long_as_it_may_be_is_taken() {
    let mut bench = Bench::new();
    bench.import(SPRING, 0..limit::LEADS_PER_IMPORT as u64);
    assert_eq!(bench.ledger(SPRING).leads, limit::LEADS_PER_IMPORT as u32);
}

#[test]
fn rows_are_named_one_by_one_up_to_the_limit() {
    for (more, few) in [(0, true), (1, false)] {
        let mut bench = Bench::new();
        let calls: Vec<_> = (0..limit::TOUCHED_FEW + more).map(|_| bench.admitted()).collect();
        let heirs = vec![(TWO.node, TWO.incarnation)];
        let adopt = Command::Adopt { node: ONE.node, incarnation: ONE.incarnation, heirs };
        let touched = bench.enter(Proposal { from: TWO, seq: 1, body: Body::Shard(adopt) }).touched;
        let named = calls.iter().map(|call| RowKey::Call(*call)).collect();
        assert_eq!(touched, if few { Touched::Few(named) } else { Touched::Many });
        assert!(!touched.is_nothing());
    }
}

/// Pacers look at campaigns that an entry touched.
#[test]
fn whatever_changes_a_campaign_touches_it() {
    let mut bench = Bench::new();
    let mut touched = |command| match bench.enter(Proposal { from: ONE, seq: 0, body: Body::Shard(command) }).touched {
        Touched::Few(rows) => rows,
        Touched::Many => panic!("one campaign is few"),
    };
    let leads = vec![NewLead { number: number(1), zone: LONDON.into(), line: 0 }];
    let import = Command::Import { campaign: SPRING, batch: Digest([1; 32]), leads };
    assert_eq!(touched(import), [RowKey::Campaign(SPRING)]);
    assert_eq!(touched(Command::Run { campaign: SUMMER, running: true }), [RowKey::Campaign(SUMMER)]);
    let to = (TWO.node, TWO.incarnation);
    assert_eq!(touched(Command::Assign { row: RowKey::Campaign(SPRING), to }), [RowKey::Campaign(SPRING)]);
    let bar = |list| Command::Bar { list, scope: Scope::Tenant(ACME), numbers: vec![number(1)], lift: false };
    assert_eq!(touched(bar(BarList::DoNotCall)), [RowKey::Campaign(SPRING)]);
    assert_eq!(touched(Command::Tick), []);
}

#[test]
fn a_configuration_has_so_many_parts_and_no_more() {
    // One more than the content alone fills: its layout is named at its head.
    let most = (Tenant::MAX_BYTES.div_ceil(limit::PART_BYTES) + 1) as u16;
    let part = |of| {
        let part = Part { tenant: ACME, digest: Digest([3; 32]), no: of - 1, of, bytes: vec![0; limit::PART_BYTES] };
        Command::Part(Box::new(part))
    };
    let mut bench = Bench::bare();
    assert_eq!(bench.refused(part(most + 1)), Refusal::TooLong);
    assert_eq!(bench.say(part(most)), Outcome::Done);
}

/// Parts of whoever is gone wait for nothing.
#[test]
fn parts_of_a_tenant_that_retires_go_with_it() {
    let mut bench = Bench::new();
    let mut config = tenant();
    config.queues[0].max_waiting += 1;
    let part = Command::configuring(2, &config).remove(0);
    assert_eq!(bench.say(part), Outcome::Done);
    assert_eq!(bench.shard.busy().parts, 1);
    assert_eq!(bench.say(Command::Retire { version: 2, tenant: ACME }), Outcome::Done);
    assert_eq!(bench.shard.busy().parts, 0);
    let late = bench.now + limit::PARTS_KEPT + Duration::from_secs(1);
    assert!(bench.shard.overdue(late, Duration::ZERO).all(|row| row != RowKey::Parts(ACME)));
}

/// What is staged as whole must be this tenant's, in a layout that is in force, and a configuration at all.
#[test]
fn parts_that_are_no_configuration_of_this_tenant_never_come_into_force() {
    let said = |bytes: Vec<u8>| {
        let content = strowger_table::Content::from_bytes(bytes);
        let part = Part { tenant: ACME, digest: content.digest, no: 0, of: 1, bytes: content.bytes };
        let configure = Command::Configure { version: 2, tenant: ACME, digest: content.digest };
        let mut bench = Bench::new();
        assert_eq!(bench.say(Command::Part(Box::new(part))), Outcome::Done);
        assert!(bench.shard.has_staged(ACME, content.digest));
        let refusal = bench.refused(configure);
        assert_eq!((bench.shard.busy().parts, bench.shard.config_version(ACME)), (0, Some(1)), "dropped");
        refusal
    };
    let bytes = |tenant: &Tenant| {
        strowger_table::Content::of(tenant, strowger_table::layout::FIRST).expect("every build writes it").bytes
    };
    let other = Tenant { id: strowger_model::TenantId(2), ..tenant() };
    assert_eq!(said(bytes(&other)), Refusal::BadParts);
    assert_eq!(said(b"no configuration".to_vec()), Refusal::BadParts);
    let mut later = bytes(&tenant());
    later[..2].copy_from_slice(&(strowger_table::layout::LATEST + 1).to_le_bytes());
    assert_eq!(said(later), Refusal::TooEarly, "whoever reads it, it is not in force yet");
    let mut cut = bytes(&tenant());
    cut.truncate(cut.len() / 2);
    assert_eq!(said(cut), Refusal::BadParts);
}

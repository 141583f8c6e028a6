//! Campaigns' ledgers and lists of leads: what is taken, what is counted, what a replica makes of it.

use strowger_model::{CampaignId, Cause, DialResult, Digest, LeadId, Wall};
use strowger_table::{BarList, Command, LeadTurn, NewLead, Outcome, Refusal, Scope, Shard, limit};

use crate::bench::{Bench, failure};
use crate::sample::*;

fn lead(at: u64, zone: &str, line: u16) -> NewLead {
    NewLead { number: number(at), zone: zone.into(), line }
}

fn import(campaign: CampaignId, leads: Vec<NewLead>) -> Command {
    Command::Import { campaign, batch: Digest([leads.len() as u8; 32]), leads }
}

#[test]
fn a_list_is_taken_once_in_its_order_with_its_zones() {
    let mut bench = Bench::new();
    let leads = vec![lead(5, LONDON, 0), lead(3, "America/New_York", 1), lead(5, LONDON, 2), lead(4, LONDON, 3)];
    assert_eq!(bench.say(import(SPRING, leads.clone())), Outcome::Imported { added: 3, duplicates: 1 });
    let ledger = bench.ledger(SPRING);
    assert_eq!((ledger.leads, ledger.zones.len(), ledger.batches.len()), (3, 2, 1));
    let numbers: Vec<_> = bench.shard.leads(SPRING).map(|lead| (lead.id.place(), lead.number, lead.zone)).collect();
    assert_eq!(numbers, [(0, number(5), 0), (1, number(3), 1), (2, number(4), 0)]);
    let due: Vec<_> = bench.shard.due(SPRING, 0).collect();
    let now = Wall(bench.now.0 / 1000);
    assert_eq!(due, [(now, LeadId::new(SPRING, 0)), (now, LeadId::new(SPRING, 2))]);
    assert_eq!(bench.lead(SPRING, 2).source.line, 3);

    // The same batch again adds nothing; another adds what is new, from its own batch.
    assert_eq!(bench.say(import(SPRING, leads)), Outcome::Imported { added: 0, duplicates: 4 });
    bench.import(SPRING, [6]);
    assert_eq!((bench.lead(SPRING, 3).source.batch, bench.ledger(SPRING).batches.len()), (1, 2));
    // Another campaign has its own list.
    bench.import(SUMMER, [5]);
    assert_eq!(bench.shard.lead_by_number(SUMMER, number(5)).map(|lead| lead.id), Some(LeadId::new(SUMMER, 0)));
}

#[test]
fn what_is_too_long_or_for_nobody_is_refused() {
    let mut bench = Bench::new();
    assert_eq!(bench.refused(import(CampaignId(99), vec![lead(1, LONDON, 0)])), Refusal::NoSuchCampaign);
    let many = (0..=limit::LEADS_PER_IMPORT).map(|at| lead(at as u64, LONDON, 0)).collect();
    assert_eq!(bench.refused(import(SPRING, many)), Refusal::TooLong);
    let numbers = vec![number(1); limit::NUMBERS_PER_BAR + 1];
    let bar = Command::Bar { list: BarList::DoNotCall, scope: Scope::Everyone, numbers, lift: false };
    assert_eq!(bench.refused(bar), Refusal::TooLong);
    assert_eq!(bench.refused(Command::Run { campaign: CampaignId(99), running: true }), Refusal::NoSuchCampaign);
    bench.configure(2, strowger_model::config::Tenant { campaigns: Vec::new(), ..tenant() });
    assert_eq!(bench.refused(import(SPRING, vec![lead(1, LONDON, 0)])), Refusal::NoSuchCampaign);
}

#[test]
fn a_campaign_runs_from_the_start_only_if_it_says_so_and_an_operator_is_not_overruled() {
    let mut bench = Bench::new();
    let running = |bench: &Bench| [SPRING, SUMMER].map(|campaign| bench.ledger(campaign).running);
    assert_eq!(running(&bench), [true, false]);
    bench.say(Command::Run { campaign: SPRING, running: false });
    bench.say(Command::Run { campaign: SUMMER, running: true });
    bench.configure(2, tenant());
    assert_eq!(
        running(&bench),
        [false, true],
        "new configuration of a campaign that is there starts and stops nothing"
    );
}

#[test]
fn leads_that_come_while_they_are_barred_are_not_due() {
    let mut bench = Bench::new();
    let bar = |numbers: Vec<u64>, lift| Command::Bar {
        list: BarList::DoNotCall,
        scope: Scope::Everyone,
        numbers: numbers.into_iter().map(number).collect(),
        lift,
    };
    bench.say(bar(vec![1], false));
    bench.import(SPRING, 0..4);
    assert_eq!(bench.due(SPRING), [0, 2, 3]);
    // One that is barred while it is called stays off the list when its time comes.
    let call = bench.dialling(0, ANNA);
    bench.say(bar(vec![0], false));
    bench.not_reached(call, failure(DialResult::Busy, 486, Cause::BUSY));
    assert!(matches!(bench.turn(SPRING, 0), LeadTurn::Due { .. }));
    assert_eq!(bench.due(SPRING), [2, 3]);
    bench.say(bar(vec![0, 1], true));
    assert_eq!(bench.due(SPRING), [1, 2, 3, 0]);
}

#[test]
fn a_snapshot_holds_campaigns_leads_bars_and_calls() {
    let mut bench = Bench::new();
    bench.import(SPRING, 0..5);
    let bar = |at| Command::Bar {
        list: BarList::DoNotCall,
        scope: Scope::Tenant(ACME),
        numbers: vec![number(at)],
        lift: false,
    };
    bench.say(bar(4));
    bench.dialling(0, ANNA);
    let over = bench.dialling(1, BERT);
    bench.not_reached(over, failure(DialResult::Busy, 486, Cause::BUSY));
    bench.asked_for(SPRING, 2, BERT);

    let restored = Shard::restore(&bench.shard.snapshot()).unwrap();
    assert_eq!((restored.hash(), restored.snapshot()), (bench.shard.hash(), bench.shard.snapshot()));
    let due = |shard: &Shard| shard.due(SPRING, 0).collect::<Vec<_>>();
    assert_eq!((due(&restored), bench.due(SPRING)), (due(&bench.shard), vec![3, 1]));
    assert_eq!(restored.dialled(ACME, number(0)), bench.shard.dialled(ACME, number(0)));
    // The number that an agent asked for is not called yet.
    assert_eq!((restored.relay_legs(RELAY), restored.relay_legs(AGENT_RELAY)), (1, 1));
    assert_eq!(restored.next_lease(), bench.shard.next_lease());
    assert!(restored.is_barred(BarList::DoNotCall, ACME, number(4)));
}

/// Without its queue no agent's phone could be rung, now or when somebody answers.
#[test]
fn nobody_is_dialled_for_a_queue_that_is_not_there() {
    let mut bench = Bench::bare();
    let mut config = tenant();
    config.campaigns[0].queue = strowger_model::QueueId(9);
    config.campaigns[2].queue = strowger_model::QueueId(9);
    config.agents[0].queues = vec![strowger_model::QueueId(9)];
    bench.configure(1, config);
    bench.import(SPRING, [0]);
    let lead = crate::bench::dial(SPRING, strowger_table::DialTo::Lead(LeadId::new(SPRING, 0)), ANNA);
    assert_eq!(bench.dial_refused(lead), Refusal::NoSuchQueue);
    let by_hand = crate::bench::dial(BY_HAND, strowger_table::DialTo::Number { number: number(7) }, ANNA);
    assert_eq!(bench.dial_refused(by_hand), Refusal::NoSuchQueue);
}

/// A campaign that is there keeps its ledger, whatever of its configuration changes.
#[test]
fn what_a_campaign_counted_outlives_its_configuration() {
    let mut bench = Bench::new();
    bench.import(SPRING, 0..2);
    let call = bench.dialling(0, ANNA);
    bench.not_reached(call, failure(DialResult::Busy, 486, Cause::BUSY));
    let before = bench.ledger(SPRING);
    let without = strowger_model::config::Tenant { campaigns: Vec::new(), ..tenant() };
    bench.configure(2, without);
    assert_eq!(bench.ledger(SPRING), before);
    let lead = crate::bench::dial(SPRING, strowger_table::DialTo::Lead(LeadId::new(SPRING, 1)), ANNA);
    assert_eq!(bench.dial_refused(lead), Refusal::NoSuchCampaign);
    bench.configure(3, tenant());
    assert_eq!(bench.ledger(SPRING), before);
    bench.dialling(1, ANNA);
}

/// A call of a campaign that left the configuration meanwhile still settles its lead. Nobody calls whom no policy
/// allows to; once the campaign is back, its policy counts from that call on.
#[test]
fn a_lead_whose_campaign_is_gone_is_settled_when_its_call_ends() {
    let mut bench = Bench::new();
    bench.import(SPRING, 0..2);
    let call = bench.dialling(0, ANNA);
    bench.configure(2, strowger_model::config::Tenant { campaigns: Vec::new(), ..tenant() });
    bench.not_reached(call, failure(DialResult::Busy, 486, Cause::BUSY));
    assert_eq!((bench.turn(SPRING, 0), bench.shard.leads_done(SPRING)), (LeadTurn::Done, 2));
    let at = Wall(bench.wall().0 + BUSY_RETRY_S * 1000);
    bench.pass(1000);
    bench.configure(3, tenant());
    assert_eq!((bench.turn(SPRING, 0), bench.shard.leads_done(SPRING)), (LeadTurn::Due { at }, 0));
}

#[test]
fn each_campaign_has_its_own_leads() {
    let mut bench = Bench::new();
    bench.import(SUMMER, 10..12);
    bench.import(SPRING, 0..2);
    bench.import(BY_HAND, 20..21);
    let numbers = |campaign| bench.shard.leads(campaign).map(|lead| lead.number).collect::<Vec<_>>();
    assert_eq!(numbers(SPRING), [number(0), number(1)]);
    assert_eq!(numbers(SUMMER), [number(10), number(11)]);
    assert_eq!(numbers(BY_HAND), [number(20)]);
    assert_eq!(bench.shard.lead_by_number(SPRING, number(10)), None);
    assert!(bench.shard.campaigns().map(|ledger| ledger.campaign).eq([SPRING, SUMMER, BY_HAND]));
}

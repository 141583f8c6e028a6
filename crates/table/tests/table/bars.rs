//! Lists of numbers: whom nobody calls, and whose calls nobody takes.

use strowger_model::{E164, TenantId};
use strowger_table::{BarList, Command, Outcome, Refusal, RowKey, Scope, Touched, limit};

use crate::bench::Bench;
use crate::sample::*;

fn bar(list: BarList, scope: Scope, at: u64, lift: bool) -> Command {
    Command::Bar { list, scope, numbers: vec![number(at)], lift }
}

fn from(at: u64) -> String {
    number(at).to_string()
}

#[test]
fn calls_from_a_number_on_a_list_of_callers_are_unwanted_until_it_is_lifted() {
    let mut bench = Bench::new();
    let unwanted = |bench: &Bench, at| bench.shard.is_unwanted(ACME, &from(at));
    assert!(!unwanted(&bench, 1));
    bench.say(bar(BarList::Callers, Scope::Tenant(ACME), 1, false));
    bench.say(bar(BarList::Callers, Scope::Everyone, 2, false));
    assert!(unwanted(&bench, 1) && unwanted(&bench, 2) && !unwanted(&bench, 3));
    assert!(!bench.shard.is_unwanted(TenantId(77), &from(1)), "another tenant takes its calls");
    assert!(bench.shard.is_unwanted(TenantId(77), &from(2)));
    // Lifted from one list, it stays on the other.
    bench.say(bar(BarList::Callers, Scope::Everyone, 1, true));
    assert!(unwanted(&bench, 1));
    bench.say(bar(BarList::Callers, Scope::Tenant(ACME), 1, true));
    assert!(!unwanted(&bench, 1));
}

#[test]
fn whom_nobody_calls_may_still_call() {
    let mut bench = Bench::new();
    bench.say(bar(BarList::DoNotCall, Scope::Everyone, 1, false));
    bench.say(bar(BarList::Callers, Scope::Everyone, 2, false));
    assert!(!bench.shard.is_unwanted(ACME, &from(1)));
    assert_eq!(bench.shard.may_dial(ACME, number(1)), Err(Refusal::Barred));
    assert_eq!(bench.shard.may_dial(ACME, number(2)), Ok(()));
}

#[test]
fn callers_who_hide_are_taken_where_their_tenant_takes_them() {
    let mut bench = Bench::new();
    let hidden = ["", "anonymous", "Anonymous"];
    assert!(hidden.iter().all(|from| !bench.shard.is_unwanted(ACME, from)));
    let mut config = tenant();
    config.takes_anonymous = false;
    bench.configure(2, config);
    assert!(hidden.iter().all(|from| bench.shard.is_unwanted(ACME, from)));
    // An extension is no hidden caller, and on no list.
    assert!(!bench.shard.is_unwanted(ACME, "4711"));
    assert!(!bench.shard.is_unwanted(ACME, &from(1)));
}

#[test]
fn a_list_is_shown_by_itself_in_the_order_of_its_numbers() {
    let mut bench = Bench::new();
    for (list, scope, at) in [
        (BarList::DoNotCall, Scope::Everyone, 3),
        (BarList::DoNotCall, Scope::Tenant(ACME), 2),
        (BarList::Callers, Scope::Everyone, 4),
        (BarList::DoNotCall, Scope::Everyone, 1),
    ] {
        assert_eq!(bench.say(bar(list, scope, at, false)), Outcome::Done);
    }
    let shown = |list, scope| bench.shard.bars(list, scope).collect::<Vec<E164>>();
    assert_eq!(shown(BarList::DoNotCall, Scope::Everyone), [number(1), number(3)]);
    assert_eq!(shown(BarList::DoNotCall, Scope::Tenant(ACME)), [number(2)]);
    assert_eq!(shown(BarList::Callers, Scope::Everyone), [number(4)]);
    assert_eq!(shown(BarList::Callers, Scope::Tenant(ACME)), []);
}

#[test]
fn a_list_of_a_tenant_that_is_not_there_and_one_too_long_are_refused() {
    let mut bench = Bench::new();
    assert_eq!(bench.refused(bar(BarList::Callers, Scope::Tenant(TenantId(77)), 1, false)), Refusal::NoSuchTenant);
    let many = |count| Command::Bar {
        list: BarList::Callers,
        scope: Scope::Everyone,
        numbers: (0..count as u64).map(number).collect(),
        lift: false,
    };
    assert_eq!(bench.refused(many(limit::NUMBERS_PER_BAR + 1)), Refusal::TooLong);
    assert_eq!(bench.shard.bars(BarList::Callers, Scope::Everyone).count(), 0);
    assert_eq!(bench.say(many(limit::NUMBERS_PER_BAR)), Outcome::Done);
}

/// Pacers look at campaigns that were touched: one whose lead may be called again has something to do.
#[test]
fn a_bar_touches_the_campaigns_that_have_the_number() {
    let mut bench = Bench::new();
    bench.import(SPRING, [1, 2]);
    bench.import(SUMMER, [2, 3]);
    let mut touched = |list, at, lift| {
        let command = bar(list, Scope::Everyone, at, lift);
        let proposal = strowger_table::Proposal { from: ONE, seq: 0, body: strowger_table::Body::Shard(command) };
        match bench.enter(proposal).touched {
            Touched::Few(rows) => rows,
            Touched::Many => panic!("two campaigns are few"),
        }
    };
    assert_eq!(touched(BarList::DoNotCall, 1, false), [RowKey::Campaign(SPRING)]);
    assert_eq!(touched(BarList::DoNotCall, 2, false), [RowKey::Campaign(SPRING), RowKey::Campaign(SUMMER)]);
    assert_eq!(touched(BarList::DoNotCall, 2, true), [RowKey::Campaign(SPRING), RowKey::Campaign(SUMMER)]);
    assert_eq!(touched(BarList::DoNotCall, 9, false), []);
    assert_eq!(touched(BarList::Callers, 1, false), []);
    assert_eq!((bench.due(SPRING), bench.due(SUMMER)), (vec![1], vec![0, 1]));
}

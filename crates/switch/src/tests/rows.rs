use std::sync::Arc;

use strowger_call::{Action as Said, Event, Rows};
use strowger_model::{
    AgentId, CallId, CampaignId, Cause, E164, Ended, HangupBy, LogTime, PlaceId, QueueId, RelayId, TrunkId,
};
use strowger_table::{Began, Call, Command, Kept, Origin, Outbound, Outcome, RowKey, Touched};

use super::bench::*;
use super::leading::World;
use crate::{Around, Begin, Changed, Due, Intake, due, has_work, touched};

fn row(bench: &Bench, call: CallId) -> Arc<Call> {
    bench.shard.call(call).unwrap().clone()
}

/// At which relays its actor gives orders when it begins.
fn relays(bench: &Bench, begin: Begin, call: CallId) -> Vec<RelayId> {
    let rows = Rows::of(&bench.shard, call).unwrap();
    let mut machine = begin.machine(rows.clone(), bench);
    let tenant = bench.shard.tenant(rows.call.tenant);
    let said = machine.on(Event::Row { rows, tenant }, bench.log_now(SHARD), bench.now());
    said.iter().filter_map(|action| if let Said::Media { relay, .. } = action { Some(*relay) } else { None }).collect()
}

/// One word for what is due, where no actor has heard of the row.
fn word(row: &Call, is_ours: bool, intake: &mut Intake) -> &'static str {
    name(&due(row, false, is_ours, |key| intake.seat(key)))
}

fn name(due: &Due) -> &'static str {
    match due {
        Due::Nothing => "nothing",
        Due::LetGo => "let go",
        Due::Begin(Begin::Admitted(_)) => "admitted",
        Due::Begin(Begin::Dialled) => "dialled",
        Due::Begin(Begin::Adopted) => "adopted",
    }
}

/// The row as if the call had been begun by a `Dial`.
fn dialled(row: &Call) -> Call {
    let number: E164 = "+441632960001".parse().unwrap();
    let outbound = Outbound {
        campaign: CampaignId(1),
        queue: QueueId(1),
        lead: None,
        number,
        caller_id: number,
        trunk: TrunkId(1),
        destination: trunk(),
        ring_timeout_ms: 1000,
        relay: RelayId(1),
        agent: AgentId(1),
        agent_relay: RelayId(1),
    };
    let origin = Origin { began: Began::Outbound(outbound), ..(*row.origin).clone() };
    Call { origin: Kept::new(origin), ..row.clone() }
}

#[test]
fn the_invite_that_waits_here_is_taken_by_whoever_finds_the_row() {
    let mut bench = Bench::new();
    bench.invites("a");
    let call = bench.call_of(ME, "a");
    let row = row(&bench, call);
    assert_eq!(name(&due(&row, true, true, |_| panic!("its actor has heard"))), "nothing");
    assert_eq!(name(&due(&row, false, false, |_| panic!("it waits for an answer"))), "let go");
    assert_eq!(word(&row, true, &mut bench.intake), "admitted");
    assert_eq!(word(&row, true, &mut bench.intake), "adopted", "it is taken once");
}

#[test]
fn a_call_that_is_over_gets_no_actor_and_its_invite_waits_no_more() {
    let mut bench = Bench::new();
    bench.invites("a");
    let call = bench.call_of(ME, "a");
    bench.ended(ME, call);
    assert_eq!(word(&row(&bench, call), true, &mut bench.intake), "nothing");
    assert!(bench.intake.seat(&key("a")).is_none());
}

#[test]
fn a_dialled_call_begins_once() {
    let mut bench = Bench::new();
    let call = bench.call_of(OTHER, "a");
    let mut fresh = Intake::new(0, 0, bench.now());
    assert_eq!(word(&dialled(&row(&bench, call)), true, &mut fresh), "dialled");
    bench.adopted(OTHER, ME);
    assert_eq!(word(&dialled(&row(&bench, call)), true, &mut fresh), "adopted", "the INVITE may have left");
}

#[test]
fn the_first_leg_opens_where_it_was_admitted() {
    let mut bench = Bench::new();
    let chosen = bench.relay.unwrap();
    bench.invites("a");
    let call = bench.call_of(ME, "a");
    bench.relay = Some(RelayId(chosen.0 + 1));
    let rows = Rows::of(&bench.shard, call).unwrap();
    let Due::Begin(begin) = due(&rows.call, false, true, |key| bench.intake.seat(key)) else { panic!("it begins") };
    assert_eq!(relays(&bench, begin, call), [chosen]);
}

#[test]
fn too_many_rows_to_name_are_all_rows() {
    let mut bench = Bench::new();
    let call = bench.call_of(ME, "a");
    let few = Touched::Few(vec![RowKey::Call(call), RowKey::Agent(AgentId(1))]);
    let rows = touched([&few, &few]).unwrap();
    assert_eq!(rows.len(), 2, "each once");
    assert_eq!(touched([&few, &Touched::Many]), None);
    let changed = Changed::of(&rows, &bench.shard);
    assert_eq!((changed.calls, changed.agents), ([call].into(), [AgentId(1)].into()));
    let gone = [RowKey::Place(PlaceId(1))];
    assert_eq!(Changed::of(&gone, &bench.shard), Changed::default(), "a place that is gone is no call's");
}

/// A place changes when its call is offered to somebody: the call's actor hears of it.
#[test]
fn a_place_that_changed_is_its_calls() {
    let mut world = World::new();
    world.waits("a");
    let place = world.bench.shard.places().next().expect("it waits");
    let call = place.call.expect("a caller's");
    let rows = [RowKey::Place(place.id), RowKey::Queue(QueueId(1)), RowKey::Campaign(CampaignId(1))];
    let changed = Changed::of(&rows, &world.bench.shard);
    assert_eq!((changed.calls, changed.agents), ([call].into(), [].into()));
}

#[test]
fn a_call_that_is_over_has_work_left_as_long_as_it_has_duties() {
    let mut bench = Bench::new();
    let call = bench.call_of(ME, "a");
    assert!(has_work(&row(&bench, call)));
    let ended = Ended { by: HangupBy::Caller, cause: Cause::NORMAL };
    bench.commit(ME, Command::End { call, ended, observed: LogTime(bench.now().0) });
    assert!(!row(&bench, call).duties.is_empty());
    assert!(has_work(&row(&bench, call)), "its ports are to be closed");
    assert_eq!(word(&row(&bench, call), true, &mut Intake::new(0, 0, bench.now())), "adopted");
    bench.ended(ME, call);
    assert!(!has_work(&row(&bench, call)));
}

/// An heir goes on with the relay that has the caller's port; a call that has none yet gets one of any site.
#[test]
fn an_heir_goes_on_where_the_call_is() {
    let mut bench = Bench::new();
    bench.relay = Some(RelayId(4));
    let call = bench.call_of(OTHER, "a");
    bench.adopted(OTHER, ME);
    bench.sites.borrow_mut().clear();
    assert_eq!(relays(&bench, Begin::Adopted, call), [RelayId(4)]);
    assert_eq!(*bench.sites.borrow(), [""]);
    let leg = leg(call);
    let dialog = Box::new((**bench.shard.dialog(leg).expect("the caller's")).clone());
    assert_eq!(bench.commit(ME, Command::Answer { leg, dialog, relay: RelayId(7) }), Outcome::Done);
    assert_eq!(relays(&bench, Begin::Adopted, call), [RelayId(7)]);
    assert_eq!(bench.sites.borrow().len(), 1, "nothing is chosen that is not needed");
}

//! Outbound calls on the wire: a campaign with leads of every kind, an agent who dials, numbers that are not dialled and
//! callers that are not taken. The two legs of each call are on two relays.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_cluster::TestBreak;
use strowger_model::config::{Campaign, DialMode, Hours, LeadColumns};
use strowger_model::{CampaignId, E164, Far, ShardId};
use strowger_phones::{CallSpec, CalledReport, CalledRole, CalledSpec, Dialled, Phones, Report};
use strowger_table::{BarList, NewLead, Scope};

use crate::rig::{self, RELAYS, Rig};

const AGENT_TONE: u16 = 11;
const CALLED_TONE: u16 = 4;
const CAMPAIGN: CampaignId = CampaignId(1);
const ALL_DAY: Hours = Hours { days: 0b111_1111, from_min: 0, to_min: 24 * 60 };

/// The last digit of a number says what it is like.
fn called(dialled: &Dialled<'_>) -> CalledSpec {
    let role = match dialled.number.chars().last() {
        Some('1') => CalledRole::Answers {
            after: Duration::from_millis(800),
            talk: Duration::from_secs(3),
            patience: Duration::from_secs(8),
        },
        Some('2') => CalledRole::Busy,
        Some('3') => CalledRole::Silent,
        Some('4') => CalledRole::Declines,
        Some('5') => CalledRole::Unknown,
        Some('6') => CalledRole::Unreachable { cause: 27 },
        Some('9') => CalledRole::Dead,
        _ => CalledRole::AnswersAndLeaves { after: Duration::from_millis(300), stays: Duration::from_millis(50) },
    };
    CalledSpec::new(role, CALLED_TONE)
}

fn number(last: u8) -> E164 {
    format!("+4917210000{last:02}").parse().expect("a number")
}

/// A campaign for the queue of the rig; the carrier's phones are where its trunk leads.
async fn campaign(rig: &Rig, phones: &Phones, mode: DialMode) {
    let version = rig.context().directory().version;
    let now = rig.context().configuration(version).await.expect("contents").expect("a configuration");
    let mut tenants: Vec<_> = now.tenants.iter().map(|tenant| (**tenant).clone()).collect();
    let mut trunks = now.trunks.to_vec();
    trunks[0].destination = Some(Far::udp(phones.carrier_addresses()[0]));
    trunks[0].site = RELAYS[0].1.to_owned();
    tenants[0].agents.iter_mut().for_each(|agent| agent.site = RELAYS[1].1.to_owned());
    let queue = tenants[0].queues[0].id;
    tenants[0].campaigns.push(Campaign {
        id: CAMPAIGN,
        name: "spring".into(),
        mode,
        queue,
        trunk: trunks[0].id,
        caller_id: rig::NUMBER.parse().expect("a number"),
        ring_timeout_ms: 2500,
        keep_idle: 0,
        start: false,
        max_attempts: 1,
        retries: Vec::new(),
        zone: Some("Europe/Berlin".into()),
        hours: vec![ALL_DAY],
        columns: LeadColumns { number: "number".into(), zone: None },
    });
    rig.context().configure(version + 1, tenants, trunks).await.expect("a configuration");
    rig.until("the shard has the campaign", || rig.context().campaigns().len() == 1).await;
}

async fn import(rig: &Rig, lasts: impl IntoIterator<Item = u8>) -> u32 {
    let lead = |(line, last)| NewLead { number: number(last), zone: "Europe/Berlin".into(), line };
    let leads = (0..).zip(lasts).map(lead).collect();
    rig.context().import(CAMPAIGN, leads, b"{}\n").await.expect("an import").added
}

fn called_reports(reports: Vec<Report>) -> Vec<CalledReport> {
    let called = |report| match report {
        Report::Called(called) => Some(called),
        _ => None,
    };
    reports.into_iter().filter_map(called).collect()
}

/// Each node has another pacer at once, which goes on with the campaign under a new epoch.
#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_goes_on_when_its_pacer_breaks() {
    let rig = Rig::with_fault(1, 1, Some(TestBreak::PanicPacer)).await;
    let phones = rig.phones();
    phones.open_carrier(called);
    campaign(&rig, &phones, DialMode::Progressive).await;
    rig.staff(&phones, AGENT_TONE).await;
    assert_eq!(import(&rig, [1, 2, 4]).await, 3);
    let epoch = |rig: &Rig| {
        let view = rig.context().shard_view(ShardId(0))?;
        Some(view.machine.shard()?.campaign(CAMPAIGN)?.owner?.epoch)
    };
    rig.until("the campaign has an owner", || epoch(&rig).is_some()).await;
    let before = epoch(&rig);
    rig.context().run_campaign(CAMPAIGN, true).await.expect("a start");
    rig.until("all leads are done", || rig.context().campaigns()[0].figures.done == 3).await;
    assert!(epoch(&rig) > before, "the pacer did not break");
    let called = called_reports(phones.finish(Duration::from_secs(1)));
    let mut invites: Vec<_> = called.iter().map(|call| (call.number.clone(), call.invites)).collect();
    invites.sort();
    assert!(invites.len() == 3 && invites.iter().all(|(_, invites)| *invites == 1), "{invites:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_calls_each_lead_once_and_says_what_came_of_it() {
    let rig = Rig::start(3, 1).await;
    let phones = rig.phones();
    phones.open_carrier(called);
    campaign(&rig, &phones, DialMode::Progressive).await;
    rig.staff(&phones, AGENT_TONE).await;
    rig.context().bar(BarList::DoNotCall, Scope::Everyone, vec![number(8)], false).await.expect("a bar");
    assert_eq!(import(&rig, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2]).await, 9, "two are on the list twice");
    rig.context().run_campaign(CAMPAIGN, true).await.expect("a start");
    // The one of whom the carrier never said a word was not attempted.
    let are_done =
        |figures: &strowger_figures::CampaignFigures| (figures.done, figures.results["carrier_failed"]) == (7, 1);
    rig.until("all leads but the barred one are called", || are_done(&rig.context().campaigns()[0].figures)).await;
    rig.until("the agent is idle again", || rig.agents_in("idle") == 1).await;

    let called = called_reports(phones.finish(Duration::from_secs(1)));
    let mut results = BTreeMap::new();
    for call in &called {
        assert_eq!((call.invites, call.overlapped, call.stuck), (1, false, false), "{call:?}");
        let record = rig.record(&call.call_id).await;
        assert_eq!(record.campaign.as_deref(), Some("spring"));
        assert_eq!(record.to, format!("+{}", call.number.trim_start_matches('+')));
        let last = call.number.chars().last().expect("a digit");
        results
            .insert(last, (record.dial_result.expect("a result"), record.sip_status.unwrap_or_default(), record.cause));
    }
    let result = |last: char| results.get(&last).map(|(result, status, cause)| (result.as_str(), *status, *cause));
    assert_eq!(result('1'), Some(("connected", 200, 16)));
    assert_eq!(result('2'), Some(("busy", 486, 17)));
    assert_eq!(result('3'), Some(("no_answer", 0, 19)));
    assert_eq!(result('4'), Some(("rejected", 603, 21)));
    assert_eq!(result('5'), Some(("invalid_number", 404, 1)));
    assert_eq!(result('6'), Some(("unreachable", 503, 27)));
    assert_eq!(result('7').map(|(result, _, _)| result), Some("abandoned"));
    assert_eq!(result('8'), None, "a barred number was called");
    assert_eq!(result('9'), Some(("carrier_failed", 0, 3)));

    let talked = called.iter().find(|call| call.number.ends_with('1')).expect("the one who answered");
    assert_eq!(talked.heard.iter().map(|(tone, _)| *tone).collect::<Vec<_>>(), [AGENT_TONE], "{talked:?}");
    let from = talked.rtp.from.expect("voice").port();
    assert!(RELAYS[0].2.contains(&from), "the trunk's site is {}, voice came from port {from}", RELAYS[0].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_dials_and_hears_the_number() {
    let rig = Rig::start(1, 1).await;
    let phones = rig.phones();
    phones.open_carrier(called);
    campaign(&rig, &phones, DialMode::Manual).await;
    rig.staff(&phones, AGENT_TONE).await;
    let agent = rig.context().directory().tenants().next().expect("a tenant").agents[0].id;
    rig.context().dial(CAMPAIGN, agent, number(1)).await.expect("a call");
    rig.until("the number was reached", || phones.live().called_talking == 1).await;
    rig.until("the call is over", || rig.agents_in("idle") == 1).await;
    let reports = phones.finish(Duration::from_secs(1));
    let of_agent = reports.iter().find_map(|report| match report {
        Report::Agent(agent) => Some(agent.clone()),
        _ => None,
    });
    let of_agent = of_agent.expect("the agent's report");
    let called = called_reports(reports);
    assert_eq!(called.len(), 1);
    assert!(of_agent.answered_at < Some(called[0].invited_at), "the agent's phone comes first");
    assert_eq!(of_agent.heard.iter().map(|(tone, _)| *tone).collect::<Vec<_>>(), [CALLED_TONE], "{of_agent:?}");
    assert_eq!(called[0].heard.iter().map(|(tone, _)| *tone).collect::<Vec<_>>(), [AGENT_TONE], "{called:?}");
    let record = rig.record(&called[0].call_id).await;
    assert_eq!((record.dial_result.as_deref(), record.agent.as_deref()), (Some("connected"), Some("1000")));
}

#[tokio::test(flavor = "multi_thread")]
async fn unwanted_callers_are_refused_and_nobody_else() {
    let rig = Rig::start(1, 1).await;
    let phones = rig.phones();
    rig.staff(&phones, AGENT_TONE).await;
    let tenant = rig.context().directory().tenants().next().expect("a tenant").id;
    rig.context().bar(BarList::Callers, Scope::Tenant(tenant), vec![number(1)], false).await.expect("a bar");
    for last in [1, 2] {
        let mut call = CallSpec::new(&number(last).to_string(), rig::NUMBER, CALLED_TONE);
        call.digits = "1".into();
        call.talk = Duration::from_secs(1);
        phones.place_call(call);
    }
    rig.until("both calls are over", || phones.live().calls_ended == 2).await;
    let status = |from: E164, reports: &[Report]| {
        reports.iter().find_map(|report| match report {
            Report::Caller(caller) if caller.from == from.to_string() => Some(caller.final_status),
            _ => None,
        })
    };
    let reports = phones.finish(Duration::from_secs(1));
    assert_eq!(status(number(1), &reports), Some(603));
    assert_eq!(status(number(2), &reports), Some(200));
}

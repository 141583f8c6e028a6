//! Lists of leads: put on a campaign in parts, and read again.

use crate::world::campaign::{LEADS, list};
use crate::world::{World, code};
use axum::http::StatusCode;
use serde_json::{Value, json};
use strowger_api::limit;
use strowger_model::{Destinations, Prefixes};

const ANNA: &str = "+44 20 7183 8750,Anna,London";
const BEN: &str = "+493012345678,\"Ben\nB.\",Berlin";

/// Of these, every one is a good number of Berlin.
fn numbers(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|at| format!("+4930{:08},N,B", 20_000_000 + at)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_imported_once_and_read_again() {
    let world = World::with_campaigns().await;
    let text = list(&[ANNA, BEN, "nobody,x,y", ANNA, "too,many,co,lumns"]);
    let (status, body) = world.import("", text.clone()).await;
    assert_eq!((status, &body["added"], &body["duplicates"]), (StatusCode::OK, &json!(2), &json!(1)), "{body}");
    let lines: Vec<&Value> = body["invalid"].as_array().unwrap().iter().map(|fault| &fault["line"]).collect();
    assert_eq!(lines, [5, 7], "a record of two lines counts as two: {body}");
    assert_eq!(body["invalid"][0]["value"], "nobody");
    assert!(body["invalid"][0]["why"].as_str().unwrap().contains("telephone number"), "{body}");
    let (_, body) = world.import("", text).await;
    assert_eq!((&body["added"], &body["duplicates"]), (&json!(0), &json!(3)), "sent again it adds nothing: {body}");

    let (status, body) = world.get(LEADS).await;
    assert_eq!((status, body["leads"].as_array().unwrap().len(), &body["next"]), (StatusCode::OK, 2, &Value::Null));
    let anna = &body["leads"][0];
    assert_eq!((&anna["lead"], &anna["number"]), (&json!("1-0"), &json!("+442071838750")), "{anna}");
    assert_eq!((&anna["zone"], &anna["state"]), (&json!("Europe/Berlin"), &json!("due")));
    assert_eq!((&anna["attempts"], &anna["last"], &anna["barred"]), (&json!(0), &Value::Null, &json!(false)));
    assert!(anna["due"].as_str().is_some_and(|due| due.ends_with('Z')), "{anna}");

    let (_, body) = world.get(&format!("{LEADS}?number=%2B493012345678")).await;
    assert_eq!(body["leads"][0]["fields"], json!({ "name": "Ben\nB.", "city": "Berlin" }), "{body}");
    assert_eq!(world.get(&format!("{LEADS}?number=%2B493012345679")).await.1["leads"], json!([]));
    assert_eq!(world.get(&format!("{LEADS}?state=done&number=%2B493012345678")).await.1["leads"], json!([]));
    let (_, body) = world.get("/api/v1/campaigns?tenant=acme").await;
    assert_eq!(
        (&body["campaigns"][1]["name"], &body["campaigns"][1]["leads"]),
        (&json!("spring"), &json!(2)),
        "{body}"
    );
}

/// Nothing is on the list that a repetition of it would repeat: both lines are in the faults file.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_forbidden_is_a_fault_each_time_it_stands_there() {
    let mut destinations = Destinations::default();
    destinations.everyone.deny = vec!["+49".parse().unwrap()];
    let world = World::start_with(destinations).await.having_campaigns(|_| ()).await;
    let (_, body) = world.import("", list(&[BEN, ANNA, BEN, ANNA])).await;
    assert_eq!((&body["added"], &body["duplicates"]), (&json!(1), &json!(1)), "{body}");
    let lines: Vec<&Value> = body["invalid"].as_array().unwrap().iter().map(|fault| &fault["line"]).collect();
    assert_eq!(lines, [2, 5], "{body}");
    assert_eq!(body["invalid"][0]["why"], body["invalid"][1]["why"], "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_name_the_lines_of_the_whole_list() {
    let world = World::with_campaigns().await;
    let (_, body) = world.import("?first_line=4711", list(&[ANNA, "", "12,x,y"])).await;
    assert_eq!((&body["added"], &body["invalid"][0]["line"]), (&json!(1), &json!(4713)), "{body}");
    let (_, body) =
        world.import("", "zone;name;number\r\nEurope/Paris;P;0033612345678\r\nParis;P;+33612345679\r\n").await;
    assert_eq!((&body["added"], &body["invalid"][0]["value"]), (&json!(1), &json!("Paris")), "{body}");
    let (_, body) = world.get(&format!("{LEADS}?limit=1&after=0")).await;
    assert_eq!((&body["leads"][0]["zone"], &body["next"]), (&json!("Europe/Paris"), &Value::Null), "{body}");
    let (_, body) = world.import("", "number\n").await;
    assert_eq!((&body["added"], &body["invalid"]), (&json!(0), &json!([])), "a list without leads is no fault");
}

/// Fraud is stopped without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn destinations_that_are_closed_while_a_node_runs_are_closed_at_once() {
    let world = World::with_campaigns().await;
    let london = |last: u32| list(&[&format!("+44207183875{last},Anna,London")]);
    assert_eq!(world.import("", london(0)).await.1["added"], 1);
    let everyone = Prefixes { deny: vec!["+44".parse().unwrap()], ..Default::default() };
    world.context.renew_outbound(Destinations { everyone, ..Default::default() }, Default::default());
    let (_, body) = world.import("", london(1)).await;
    assert_eq!((&body["added"], &body["invalid"][0]["value"]), (&json!(0), &json!("+442071838751")), "{body}");
    world.context.renew_outbound(Default::default(), Default::default());
    assert_eq!(world.import("", london(1)).await.1["added"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_part_goes_and_a_fuller_one_is_refused() {
    let world = World::with_campaigns().await;
    let numbers = numbers(0, limit::LEADS_PER_IMPORT + 1);
    let lines: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let (status, body) = world.import("", list(&lines)).await;
    assert_eq!((status, code(&body)), (StatusCode::PAYLOAD_TOO_LARGE, "too_many_leads"));
    let (status, body) = world.import("", list(&lines[1..])).await;
    assert_eq!((status, &body["added"]), (StatusCode::OK, &json!(limit::LEADS_PER_IMPORT)), "{body}");
    // Page by page.
    let (mut seen, mut after) = (0, String::new());
    loop {
        let (_, page) = world.get(&format!("{LEADS}?state=due&limit=300{after}")).await;
        seen += page["leads"].as_array().unwrap().len();
        let Some(next) = page["next"].as_u64() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, limit::LEADS_PER_IMPORT);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_cannot_be_read_are_refused_whole() {
    let world = World::with_campaigns().await;
    for (text, status, name) in [
        (Vec::new(), StatusCode::UNPROCESSABLE_ENTITY, "bad_list"),
        (b"phone,name\n+442071838750,A\n".to_vec(), StatusCode::UNPROCESSABLE_ENTITY, "bad_list"),
        (b"number,a,a\n".to_vec(), StatusCode::UNPROCESSABLE_ENTITY, "bad_list"),
        (b"number\n\xff\n".to_vec(), StatusCode::BAD_REQUEST, "not_utf8"),
        (vec![b'x'; limit::LEADS_BODY_BYTES + 1], StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        (wide(), StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
    ] {
        let (answered, body) = world.import("", text).await;
        assert_eq!((answered, code(&body)), (status, name), "{body}");
    }
    for query in ["?first_line=x", "?first_line=18446744073709551615", "?line=1"] {
        let (status, body) = world.import(query, list(&[ANNA])).await;
        assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "bad_request"), "{query}");
    }
    for query in ["?state=asleep", "?limit=0", "?limit=10001", "?number=12", "?after=-1"] {
        let (status, body) = world.get(&format!("{LEADS}{query}")).await;
        assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "bad_request"), "{query}");
    }
    let (status, body) = world.get("/api/v1/campaigns/acme/autumn/leads").await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_campaign"));
    let (status, body) = world.get("/api/v1/campaigns/nobody/spring/leads").await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_tenant"));
    assert_eq!(world.get(LEADS).await.1["leads"], json!([]), "nothing of all that was kept");
}

/// Within the limit itself, but not with the columns' names in every line.
fn wide() -> Vec<u8> {
    let numbers = numbers(0, 500).join("\n");
    format!("number,a,{}\n{numbers}\n", "b".repeat(100_000)).into_bytes()
}

//! Block lists: of everybody and of a tenant, with one fault for each number that cannot be used.

use crate::world::{World, code, example};
use axum::http::StatusCode;
use serde_json::{Value, json};
use strowger_api::limit;
use strowger_model::E164;
use strowger_table::BarList;

const LISTS: [&str; 2] = ["/api/v1/do-not-call", "/api/v1/barred-callers"];
const LONDON: &str = "+442071838750";
const BERLIN: &str = "+493012345678";

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_barred_and_lifted() {
    let world = World::start().await;
    world.apply(&example(), false).await;
    for path in LISTS {
        let own = format!("{path}?tenant=acme");
        let (status, body) = world.post(path, &json!({ "numbers": [BERLIN, "+44 (0)20 7183-8750", LONDON] })).await;
        assert_eq!((status, body), (StatusCode::OK, json!({ "committed": true, "numbers": 2 })), "{path}");
        assert_eq!(world.get(path).await.1, json!({ "numbers": [LONDON, BERLIN], "next": null }), "{path}");
        assert_eq!(world.get(&own).await.1["numbers"], json!([]), "everybody's are not the tenant's own");
        let wish = json!({ "tenant": "acme", "numbers": [BERLIN] });
        assert_eq!(world.post(path, &wish).await.0, StatusCode::OK);
        assert_eq!(world.get(&own).await.1["numbers"], json!([BERLIN]));

        let (_, page) = world.get(&format!("{path}?limit=1")).await;
        assert_eq!(page, json!({ "numbers": [LONDON], "next": LONDON }));
        let (_, page) = world.get(&format!("{path}?limit=1&after=%2B442071838750")).await;
        assert_eq!(page["numbers"], json!([BERLIN]));

        assert_eq!(world.post(path, &json!({ "numbers": [BERLIN], "lift": true })).await.0, StatusCode::OK);
        assert_eq!(world.get(path).await.1["numbers"], json!([LONDON]));
        assert!(is_barred(&world, path, BERLIN), "the tenant's own bar stays");
        let wish = json!({ "tenant": "acme", "numbers": [BERLIN], "lift": true });
        assert_eq!(world.post(path, &wish).await.0, StatusCode::OK);
        assert!(!is_barred(&world, path, BERLIN));
    }
}

fn is_barred(world: &World, path: &str, number: &str) -> bool {
    let list = if path == LISTS[0] { BarList::DoNotCall } else { BarList::Callers };
    let tenant = world.context.directory().tenant_named("acme").unwrap().id;
    let view = world.context.shard_view(strowger_model::ShardId(0)).unwrap();
    view.machine.shard().unwrap().is_barred(list, tenant, number.parse::<E164>().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_numbers_are_named_and_nothing_is_barred() {
    let world = World::start().await;
    world.apply(&example(), false).await;
    for path in LISTS {
        let (status, body) = world.post(path, &json!({ "numbers": [LONDON, "030 12", "anna"] })).await;
        assert_eq!((status, code(&body)), (StatusCode::UNPROCESSABLE_ENTITY, "bad_numbers"));
        let faults = body["error"]["faults"].as_array().unwrap();
        let lines: Vec<&Value> = faults.iter().map(|fault| &fault["line"]).collect();
        assert_eq!(lines, [2, 3], "{body}");
        assert!(faults[1]["what"].as_str().unwrap().contains("`anna`"), "{body}");
        assert_eq!(world.get(path).await.1["numbers"], json!([]), "all or none");
        let many = vec![LONDON; limit::NUMBERS_PER_BAR + 1];
        for (wish, status, name) in [
            (json!({ "numbers": [] }), StatusCode::BAD_REQUEST, "bad_request"),
            (json!({ "numbers": LONDON }), StatusCode::BAD_REQUEST, "bad_request"),
            (json!({ "numbers": [LONDON], "tenant": "x" }), StatusCode::NOT_FOUND, "no_such_tenant"),
            (json!({ "numbers": many }), StatusCode::PAYLOAD_TOO_LARGE, "too_many_numbers"),
        ] {
            let (answered, body) = world.post(path, &wish).await;
            assert_eq!((answered, code(&body)), (status, name), "{wish}");
        }
        for (query, status) in [
            ("?limit=0", StatusCode::BAD_REQUEST),
            ("?limit=100001", StatusCode::BAD_REQUEST),
            ("?after=12", StatusCode::BAD_REQUEST),
            ("?tenant=x", StatusCode::NOT_FOUND),
        ] {
            assert_eq!(world.get(&format!("{path}{query}")).await.0, status, "{query}");
        }
    }
    // In no country's plan: nobody can be called there, but callers show such numbers.
    let odd = json!({ "numbers": ["+999123456789"] });
    assert_eq!(world.post(LISTS[0], &odd).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(world.post(LISTS[1], &odd).await.0, StatusCode::OK);
}

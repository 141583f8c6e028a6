//! The wallboard: its page, its stream, and that it says what status and metrics say.

use std::net::SocketAddr;
use std::time::Duration;

use crate::browser::{Page, chromium};
use crate::world::{World, code, example};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::Value;
use strowger_api::{Client, Hosts, Metrics, Options, Running, limit, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const FIXED: &str = "a-token-for-the-wallboard";
const KEYS: [&str; 19] = [
    "node",
    "active",
    "config_version",
    "stuck",
    "window_min",
    "nodes",
    "groups",
    "relays",
    "queues",
    "campaigns",
    "agents",
    "tenants",
    "present",
    "calls",
    "called",
    "recent",
    "service_level",
    "today",
    "today_whole",
];

fn board(event: &str) -> Value {
    let lines: Vec<&str> = event.lines().collect();
    assert_eq!(lines[0], "event: board", "{event}");
    assert!(lines[1].strip_prefix("id: ").is_some_and(|id| id.parse::<u64>().is_ok()), "{event}");
    assert!(event.ends_with("\n\n"), "{event}");
    serde_json::from_str(lines[2].strip_prefix("data: ").expect("data")).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_whole_and_closed_to_the_outside() {
    let world = World::start().await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/wallboard", "text/html; charset=utf-8"),
        ("/wallboard.css", "text/css; charset=utf-8"),
        ("/wallboard.js", "text/javascript; charset=utf-8"),
    ] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = world.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], kind);
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        let (_, text) = world.text("GET", path, None, Vec::new()).await;
        // The name of SVG's language is no address.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http:") && !text.contains("https:"), "{path} asks somebody else");
        assert!(!text.contains("innerHTML") && !text.contains(" style="), "{path} would be refused by its own policy");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_begins_with_a_board_and_needs_a_role() {
    let world = World::start().await;
    world.apply(&example(), false).await;
    let viewer = world.token("viewer").await;
    let (status, text) = world.text("GET", "/api/v1/events", Some(&viewer), Vec::new()).await;
    assert_eq!(status, StatusCode::OK);
    let board = board(&text);
    let keys: Vec<&String> = board.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), KEYS.len(), "{keys:?}");
    assert!(KEYS.iter().all(|key| board.get(key).is_some()), "{keys:?}");
    for key in ["tenant", "name", "waiting", "longest_wait_ms", "idle", "staffed", "service_level", "answered", "today"]
    {
        assert!(board["queues"][0].get(key).is_some(), "{key}: {board}");
    }
    // A tenant has the figures that the board has of all.
    for key in ["agents", "calls", "called", "recent", "service_level", "today"] {
        assert_eq!(board["tenants"][0].get(key), board.get(key), "{key}: {board}");
    }
    let phoneless = board["present"].as_array().unwrap().iter().any(|agent| agent["state"] == "logged_out");
    assert!(!phoneless && board["present"][0]["for_s"].is_u64(), "{board}");
    for (zone, answer) in [("Asia/Kathmandu", StatusCode::OK), ("Atlantis", StatusCode::BAD_REQUEST)] {
        let in_zone = format!("/api/v1/events?zone={zone}");
        assert_eq!(world.text("GET", &in_zone, Some(&viewer), Vec::new()).await.0, answer, "{zone}");
    }
    let in_query = format!("/api/v1/events?token={viewer}");
    assert_eq!(world.text("GET", &in_query, None, Vec::new()).await.0, StatusCode::OK);
    let (status, body) = world.ask("GET", "/api/v1/events?token=0123456789", None, &Value::Null).await;
    assert_eq!((status, code(&body)), (StatusCode::UNAUTHORIZED, "unknown_token"));
    // Only the stream takes a token there: other addresses are passed on and written down.
    let elsewhere = format!("/api/v1/status?token={viewer}");
    let (status, body) = world.ask("GET", &elsewhere, None, &Value::Null).await;
    assert_eq!((status, code(&body)), (StatusCode::UNAUTHORIZED, "no_token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn board_status_and_metrics_say_the_same() {
    let world = World::start().await;
    world.apply(&example(), false).await;
    let call = world.admit().await;
    world.end(call).await;
    let (_, status) = world.get("/api/v1/status").await;
    let (_, text) = world.text("GET", "/api/v1/events", Some(&world.admin), Vec::new()).await;
    let board = board(&text);
    for key in ["node", "active", "config_version", "stuck", "agents", "calls"] {
        assert_eq!(board[key], status[key], "{key}");
    }
    for (of_board, of_status) in board["queues"].as_array().unwrap().iter().zip(status["queues"].as_array().unwrap()) {
        for key in ["tenant", "name", "waiting", "longest_wait_ms", "idle"] {
            assert_eq!(of_board[key], of_status[key], "{key}");
        }
    }
    assert_eq!(board["tenants"][0]["agents"], status["agents"], "there is one tenant");
    let ended = |direction: &str| {
        board["today"][direction].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>()
    };
    assert_eq!((ended("inbound"), ended("outbound"), &board["today_whole"]), (1, 0, &Value::Bool(true)), "{board}");
    let (_, metrics) = world.text("GET", "/metrics", None, Vec::new()).await;
    let says = |line: String| assert!(metrics.lines().any(|other| other == line), "no `{line}` in {metrics}");
    says(format!("strowger_agents{{shard=\"0\",state=\"logged_out\"}} {}", board["agents"]["logged_out"]));
    says(format!("strowger_calls{{shard=\"0\",stage=\"ended\"}} {}", board["calls"]["ended"]));
    says("strowger_stuck_leases{kind=\"agent\",shard=\"0\"} 0".to_owned());
    for queue in board["queues"].as_array().unwrap() {
        let labels = format!("tenant={},queue={}", queue["tenant"], queue["name"]);
        says(format!("strowger_queue_waiting{{{labels}}} {}", queue["waiting"]));
        says(format!("strowger_queue_idle_agents{{{labels}}} {}", queue["idle"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_bounded_live_and_end_with_the_server() {
    let world = World::start().await;
    let running = serve(
        Options { listen: ANY_PORT, hosts: Hosts::default(), metrics: Metrics::Anyone, token: None },
        world.context.clone(),
    )
    .await
    .unwrap();
    let mut streams = Vec::new();
    for _ in 0..limit::STREAMS {
        let mut stream = TcpStream::connect(running.local_addr).await.unwrap();
        stream.write_all(ask_for_events(&world.admin).as_bytes()).await.unwrap();
        hears(&mut stream, "data: {").await;
        streams.push(stream);
    }
    let client = Client::new(running.local_addr.to_string(), Some(world.admin.clone()));
    let refused = client.get("/api/v1/events").await.unwrap_err().to_string();
    assert!(refused.contains("wallboards already"), "{refused}");
    // In the next second it hears again, if only that nothing changed.
    hears(&mut streams[0], "\n\n").await;
    // One goes, another may come.
    drop(streams.pop());
    let freed = async {
        while !is_taken(&running.local_addr, &world.admin).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), freed).await.expect("its place is free again");
    let begun = std::time::Instant::now();
    running.close().await;
    assert!(begun.elapsed() < limit::CLOSE / 2, "the streams ended by themselves: {:?}", begun.elapsed());
    // A chunk of no bytes says that this was the end, and not a broken line.
    hears(&mut streams[0], "0\r\n\r\n").await;
}

/// Places are for who looks: a hoard of streams that are never read holds them from nobody at another address.
#[tokio::test(flavor = "multi_thread")]
async fn who_opens_streams_and_reads_none_keeps_no_board_dark() {
    let world = World::start().await;
    let options = Options { listen: ANY_PORT, hosts: Hosts::default(), metrics: Metrics::Anyone, token: None };
    let running = serve(options, world.context.clone()).await.unwrap();
    let viewer = world.token("viewer").await;
    let mut hoard = Vec::new();
    for _ in 0..limit::STREAMS {
        let mut stream = TcpStream::connect(running.local_addr).await.unwrap();
        stream.write_all(ask_for_events(&viewer).as_bytes()).await.unwrap();
        hoard.push(stream);
    }
    let full = async {
        while is_taken(&running.local_addr, &viewer).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), full).await.expect("control: at the same address all are taken");
    let elsewhere = tokio::net::TcpSocket::new_v4().unwrap();
    elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut board = elsewhere.connect(running.local_addr).await.unwrap();
    board.write_all(ask_for_events(&viewer).as_bytes()).await.unwrap();
    hears(&mut board, "data: {").await;
    // Who made room is cut off, and holds no connection either.
    let mut oldest = Vec::new();
    let cut = tokio::time::timeout(Duration::from_secs(5), hoard[0].read_to_end(&mut oldest)).await;
    assert!(cut.is_ok(), "it still streams: {}", oldest.len());
    running.close().await;
}

fn ask_for_events(token: &str) -> String {
    format!("GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n")
}

/// Whether a stream is given.
async fn is_taken(address: &SocketAddr, token: &str) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(ask_for_events(token).as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    head.ends_with(b"200")
}

async fn hears(stream: &mut TcpStream, what: &str) {
    let mut heard = String::new();
    let hear = async {
        let mut bytes = vec![0; 16 << 10];
        while !heard.contains(what) {
            let count = stream.read(&mut bytes).await.unwrap();
            assert!(count > 0, "it ended without `{what}`: {heard}");
            heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    };
    tokio::time::timeout(Duration::from_secs(5), hear).await.unwrap_or_else(|_| panic!("no `{what}` in time"));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_explained_while_they_live_and_after() {
    let world = World::start().await;
    world.apply(&example(), false).await;
    let call = world.admit().await;
    let path = format!("/api/v1/calls/{call}/explain");
    let (status, body) = world.get(&path).await;
    assert_eq!((status, &body["told"]), (StatusCode::OK, &Value::Bool(true)), "{body}");
    assert_eq!((body["tenant"].as_str(), body["from"].as_str()), (Some("acme"), Some("+4940111111")));
    assert_eq!((&body["path"][0]["what"], &body["path"][0]["after_ms"]), (&"admitted".into(), &0.into()), "{body}");
    let index: u64 = call.to_string().split_once('-').unwrap().1.parse().unwrap();
    assert_eq!(body["path"][0]["index"], index, "a call's id is the index of its admission");
    world.end(call).await;
    let ended = async {
        loop {
            let (_, body) = world.get(&path).await;
            if body["outcome"].is_string() {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let body = tokio::time::timeout(Duration::from_secs(5), ended).await.expect("it ends");
    assert_eq!(body["state"], "ended", "{body}");
    assert_eq!(body["path"].as_array().unwrap().last().unwrap()["what"], "ended", "{body}");
    let (status, body) = world.get("/api/v1/calls/0-281474976710655/explain").await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "no_such_call"));
    let (status, body) = world.get("/api/v1/calls/first/explain").await;
    assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "bad_request"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_it() {
    let Some(browser) = chromium() else { return };
    let world = World::with_campaigns().await;
    let running = served(&world).await;
    let client = Client::new(running.local_addr.to_string(), Some(FIXED.to_owned()));
    let queue = client.get("/api/v1/queues").await.unwrap()["queues"][0]["name"].as_str().unwrap().to_owned();
    let page = format!("http://{}/#token={FIXED}", running.local_addr);
    let profile = tempfile::TempDir::new().unwrap();
    let mut command = tokio::process::Command::new(browser);
    command
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"])
        .args(["--virtual-time-budget=2500", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(&page)
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(90), command.output()).await.expect("in time").unwrap();
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(dom.contains(&format!(">{queue}<")), "no queue `{queue}` in {dom}\n{log}");
    assert!(dom.contains(">spring<"), "no campaign in {dom}");
    for part in [">Callers<", ">People called<", ">Leads left<", ">In time today<"] {
        assert!(dom.contains(part), "no `{part}` in {dom}");
    }
    assert!(dom.contains(&format!("name\">{}<", crate::world::campaign::AGENT)), "no agent in {dom}");
    assert!(!dom.contains(FIXED), "the token stands in the page");
    let complaints: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// With a token that is good already.
async fn served(world: &World) -> Running {
    let options =
        Options { listen: ANY_PORT, hosts: Hosts::default(), metrics: Metrics::Anyone, token: Some(FIXED.to_owned()) };
    let running = serve(options, world.context.clone()).await.unwrap();
    let client = Client::new(running.local_addr.to_string(), Some(FIXED.to_owned()));
    while client.get("/api/v1/status").await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running
}

/// What of the page is out of sight: wider than the page, or cut by what it stands in.
const FAULTS: &str = r#"(() => {
  const width = document.documentElement.clientWidth, faults = [];
  if (document.documentElement.scrollWidth > width) faults.push(`the page is ${document.documentElement.scrollWidth} px wide`);
  for (const one of document.body.querySelectorAll("*")) {
    const head = one.closest("thead");
    const isForReaders = head && getComputedStyle(head).position === "absolute";
    if (!one.checkVisibility() || isForReaders || one.closest("svg")) continue;
    const name = `${one.localName}.${one.className} "${one.textContent.trim().slice(0, 40)}"`;
    const { left, right } = one.getBoundingClientRect();
    if (left < -1 || right > width + 1) faults.push(`${name} stands at ${left} to ${right}`);
    const cuts = ["hidden", "clip"].includes(getComputedStyle(one).overflowY);
    const wide = one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1;
    const high = cuts && one.scrollHeight > one.clientHeight + 1;
    if (one.localName !== "select" && (wide || high)) faults.push(`${name} is cut: ${one.scrollWidth} in ${one.clientWidth}`);
  }
  return faults;
})()"#;
/// Large figures and names as long as may be, where this house has none.
const BUSY: &str = r#"(() => {
  const board = structuredClone(view.board), long = (letter) => letter.repeat(63);
  for (const queue of board.queues) Object.assign(queue, { waiting: 1234, longest_wait_ms: 4_000_000, idle: 123, staffed: 1234, service_level: 0.83, today: { ...queue.today, answered: 123_456, abandoned: 1234 } });
  for (const campaign of board.campaigns) Object.assign(campaign, { leads: 123_456, talking: 123, ringing: 45, today: { ...campaign.today, attempts: 12_345, connect_rate: 0.456, abandoned_share: 0.031, results: { busy: 1200, no_answer: 3000, rejected: 220 } } });
  Object.assign(board, { recent: { answered: 12_345, abandoned: 1234 }, service_level: 0.83 });
  Object.assign(board.calls, { talking: 1234 });
  Object.assign(board.called, { talking: 123 });
  Object.assign(board.today, { causes: { 41: 3, 57: 2, 102: 12_345 } });
  board.tenants.push({ ...board.tenants[0], tenant: long("t") });
  board.present.push({ name: long("a"), tenant: long("t"), state: "not_ready", reason: long("r"), for_s: 400_000 });
  view.board = board;
  draw();
})()"#;
/// A figure that is wider than its room, and one that leaves the page.
const SPOIL: &str = r#"(() => {
  for (const [overflow, px] of [["hidden", 60], ["visible", 9000]]) {
    const one = document.createElement("p");
    one.className = "spoilt";
    one.textContent = "0".repeat(100);
    Object.assign(one.style, { overflow, width: `${px}px`, whiteSpace: "nowrap" });
    document.body.append(one);
  }
})()"#;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_on_it_is_cut_or_out_of_sight_from_a_phone_to_a_wall() {
    let Some(browser) = chromium() else { return };
    let world = World::with_campaigns().await;
    let (queue, campaign) = world.lengthen_names().await;
    let running = served(&world).await;
    let mut page = Page::open(browser, &format!("http://{}/#token={FIXED}", running.local_addr)).await;
    for width in [400, 1280, 3840] {
        page.resize(width, 1000).await;
        let shows = |name: &str| {
            format!("[...document.querySelectorAll('td .name')].some(one => one.textContent === '{name}')")
        };
        page.until(&format!("innerWidth === {width} && {} && {}", shows(&queue), shows(&campaign))).await;
        let found = page.evaluate(&format!("{FAULTS}.concat(({BUSY}, {FAULTS}))")).await;
        assert_eq!(found, serde_json::json!([]), "at {width} px");
        // Control: it would have been found.
        page.evaluate(SPOIL).await;
        let found = page.evaluate(FAULTS).await.to_string();
        assert!(found.contains("px wide") && found.contains("stands at") && found.contains("is cut"), "{found}");
        page.evaluate("document.querySelectorAll('.spoilt').forEach(one => one.remove())").await;
    }
}

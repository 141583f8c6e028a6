//! A real cluster of one node, and its HTTP side without sockets.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod campaign;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use strowger_api::{Metrics, archive, bootstrap_token, router};
use strowger_cluster::{COMMIT, Cluster, Context, DataKeys, Options, Retention, Tuning};
use strowger_config::{Files, read_dir};
use strowger_link::Identity;
use strowger_model::{
    CallId, Cause, Destinations, Dialog, DialogState, Far, LegKey, LegNo, LogTime, NodeId, PeerId, Role, ShardId,
};
use strowger_table::{Admit, AdmitKey, Command, Outcome, Source, Target, ToldBy};
use tempfile::TempDir;
use tower::ServiceExt;

const ME: NodeId = NodeId(1);
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub router: Router,
    pub context: Arc<Context>,
    pub admin: String,
    dir: TempDir,
    /// How many were made.
    tokens: AtomicU32,
    /// How many calls came, each by an INVITE of its own.
    admitted: AtomicU32,
}

impl World {
    /// Founded, with a first token, and ready for calls.
    pub async fn start() -> World {
        Self::start_with(Destinations::default()).await
    }

    /// The same, with what its file says of numbers that are dialled.
    pub async fn start_with(destinations: Destinations) -> World {
        let dir = TempDir::new().unwrap();
        let options = Options {
            me: ME,
            voters: vec![(ME, ANY_PORT)],
            relays: Vec::new(),
            shards: 1,
            data_dir: dir.path().to_owned(),
            identity: Identity::development(&dir.path().join("tls"), PeerId::Node(ME)).unwrap(),
            link_listen: ANY_PORT,
            sip: strowger_trunk::Options { shared: ANY_PORT, own: None },
            advertised: "127.0.0.1:5060".to_owned(),
            data_keys: DataKeys::parse(&"01".repeat(32)).unwrap(),
            destinations,
            caps: Default::default(),
            proxies: Vec::new(),
            max_calls: 1000,
            max_calls_per_second: 100,
            retention: Retention::default(),
            tuning: Tuning::default(),
            test_break: None,
        };
        let context = Cluster::start(options).await.unwrap().context;
        let token = tokio::time::timeout(PATIENCE, bootstrap_token(context.clone())).await;
        let admin = token.expect("founded in time").expect("the first node makes the first token");
        let (tokens, admitted) = (AtomicU32::new(0), AtomicU32::new(0));
        let world = World { router: router(context.clone(), Metrics::Anyone), context, admin, dir, tokens, admitted };
        let ready = async {
            while world.get("/health/ready").await.0 != StatusCode::OK {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("ready in time");
        world
    }

    /// Where content lies on this node's disk.
    pub fn content_dir(&self) -> PathBuf {
        self.dir.path().join("content")
    }

    pub async fn text(&self, method: &str, path: &str, token: Option<&str>, body: Vec<u8>) -> (StatusCode, String) {
        text(&self.router, method, path, token, body).await
    }

    pub async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> (StatusCode, Value) {
        let (status, text) = self.text(method, path, token, body.to_string().into_bytes()).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask("GET", path, Some(&self.admin), &Value::Null).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.ask("POST", path, Some(&self.admin), body).await
    }

    pub async fn apply(&self, files: &Files, dry_run: bool) -> (StatusCode, Value) {
        self.post("/api/v1/config", &archive(files, dry_run)).await
    }

    /// A call from `a@carrier` to the example's number.
    pub async fn admit(&self) -> CallId {
        let directory = self.context.directory();
        let to = directory.number("+4930123456").unwrap();
        let cseq = 1 + self.admitted.fetch_add(1, Relaxed);
        let admit = Admit {
            key: AdmitKey { call_id: "a@carrier".to_owned(), from_tag: "t".to_owned(), cseq },
            tenant: to.tenant,
            source: Source::Trunk(directory.trunks[0].id),
            target: Target::Flow(to.flow),
            from: "+4940111111".to_owned(),
            to: "+4930123456".to_owned(),
            dialog: dialog(),
            observed: LogTime::ZERO,
        };
        let admit = Command::Admit(Box::new(admit));
        let Ok(Outcome::Admitted { call, .. }) = self.context.command(ShardId(0), admit, COMMIT).await else {
            panic!("not admitted")
        };
        call
    }

    /// The caller hangs up, unless the call ended before.
    pub async fn end(&self, call: CallId) {
        let leg = LegKey { call, leg: LegNo(0) };
        let (cause, told_by, observed) = (Cause::NORMAL, ToldBy::FarEnd, LogTime::ZERO);
        let left = Command::Left { leg, cause, told_by, observed };
        let _raced = self.context.command(ShardId(0), left, COMMIT).await;
    }

    pub async fn token(&self, role: &str) -> String {
        self.token_of(role, None).await
    }

    /// Of one tenant, or of the whole cluster.
    pub async fn token_of(&self, role: &str, tenant: Option<&str>) -> String {
        let name = format!("{role}-{}", self.tokens.fetch_add(1, Relaxed));
        let (status, made) =
            self.post("/api/v1/tokens", &json!({ "name": name, "role": role, "tenant": tenant })).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["token"].as_str().unwrap().to_owned()
    }
}

/// What a router answers, without sockets.
pub async fn text(
    router: &Router,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Vec<u8>,
) -> (StatusCode, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let response = router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status();
    // A stream never ends: its first event is its text.
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
        let first = response.into_body().frame().await.unwrap().unwrap().into_data().unwrap();
        return (status, String::from_utf8(first.into()).unwrap());
    }
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.into()).unwrap())
}

/// The example that the product comes with.
pub fn example() -> Files {
    read_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/example")).unwrap()
}

/// That it is an error in the one form that all have.
pub fn code(body: &Value) -> &str {
    let error = &body["error"];
    for field in ["code", "what", "do"] {
        assert!(error[field].as_str().is_some_and(|text| !text.is_empty()), "no {field} in {body}");
    }
    error["code"].as_str().unwrap()
}

fn dialog() -> Dialog {
    Dialog {
        role: Role::Uas,
        state: DialogState::Early,
        call_id: "a@carrier".to_owned(),
        local_uri: "sip:+4930123456@127.0.0.1".to_owned(),
        local_tag: "l".to_owned(),
        remote_uri: "sip:+4940111111@192.0.2.10".to_owned(),
        remote_tag: "t".to_owned(),
        local_contact: "sip:x@127.0.0.1".to_owned(),
        remote_target: "sip:y@192.0.2.10".to_owned(),
        route_set: Vec::new(),
        local_cseq: 0,
        remote_cseq: 1,
        far: Far::udp(([192, 0, 2, 10], 5060)),
        local_sdp: String::new(),
        remote_sdp: String::new(),
        sdp_version: 0,
        pending: None,
    }
}

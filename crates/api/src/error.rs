//! What a client or an operator is told when something does not go.

use std::net::SocketAddr;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use strowger_cluster::{ContentFault, NotConfigured, NotImported, Refused};
use strowger_config::Fault;
use strowger_store::StoreError;
use strowger_table::Refusal;

use crate::audit::Told;
use crate::limit;

/// Why the HTTP side did not start.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// As a rule another process has the port.
    #[error("cannot listen for HTTP on tcp {address}: {source}; {advice}")]
    Bind {
        /// As the configuration has it.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
        /// What to do about that.
        advice: &'static str,
    },
    /// See [`Options::token`](crate::Options::token).
    #[error(
        "the given API token has fewer than {} characters or some that are not printable ASCII; choose a longer one, \
         for example with `openssl rand -hex 32`",
        limit::TOKEN_MIN
    )]
    WeakToken,
}

/// The answer to a request that cannot be served: `{"error": {"code", "what", "do"}}`.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    what: String,
    advice: String,
    faults: Vec<Fault>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Inside<'a>,
}

#[derive(Serialize)]
struct Inside<'a> {
    code: &'static str,
    what: &'a str,
    #[serde(rename = "do")]
    advice: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<FaultLine<'a>>,
}

#[derive(Serialize)]
struct FaultLine<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    what: &'a str,
    fix: &'a str,
}

impl<'a> From<&'a Fault> for FaultLine<'a> {
    fn from(fault: &'a Fault) -> Self {
        let Fault { file, line, column, what, fix } = fault;
        Self { file, line: *line, column: *column, what, fix }
    }
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status, code, what: what.into(), advice: advice.into(), faults: Vec::new() }
    }

    pub fn bad_request(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", what, advice)
    }

    pub fn not_found(code: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, what, advice)
    }

    pub fn no_such_tenant(name: &str) -> Self {
        let advice = "see GET /api/v1/config for the tenants in force";
        Self::not_found("no_such_tenant", format!("there is no tenant `{name}`"), advice)
    }

    pub fn bad_configuration(faults: Vec<Fault>) -> Self {
        let what = match faults.len() {
            1 => "the configuration has a fault".to_owned(),
            count => format!("the configuration has {count} faults"),
        };
        let advice = "each fault says what to do; nothing was changed";
        Self { faults, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_configuration", what, advice) }
    }

    pub fn bad_numbers(faults: Vec<Fault>) -> Self {
        let what = match faults.len() {
            1 => "a number cannot be used".to_owned(),
            count => format!("{count} numbers cannot be used"),
        };
        let advice = "each fault names its number; nothing was changed";
        Self { faults, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_numbers", what, advice) }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Something of ours: the details are for the log, not for whoever asks.
    pub fn internal(doing: &str, fault: &dyn std::fmt::Display) -> Self {
        tracing::error!(%fault, doing, "a request failed");
        let advice = "try again; if it stays, see the log of this node";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("{doing} failed"), advice)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let faults = self.faults.iter().map(FaultLine::from).collect();
        let error = Inside { code: self.code, what: &self.what, advice: &self.advice, faults };
        let mut response =
            (self.status, Extension(Told(self.code.to_owned())), Json(Envelope { error })).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110 11.6.1: a 401 names the scheme.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let refusal = match refused {
            Refused::ByTable(refusal) => refusal,
            fault @ Refused::TooLarge { .. } => {
                let what = format!("{fault}; nothing was changed");
                return Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", what, "send it in smaller pieces");
            }
            Refused::NotCommitted(why) => {
                let what = format!("the cluster did not confirm the command in time: {why}");
                let advice = "it may still take effect: look at the state, then try again; \
                              GET /health/ready says whether a majority of the nodes is there";
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_committed", what, advice);
            }
        };
        let (what, advice) = words_of(refusal);
        Self::new(status_of(refusal), code_of(refusal), what, advice)
    }
}

/// 404 for what is not there, 503 where another node may do it, 409 for what the state does not allow.
fn status_of(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::NoSuchCall
        | Refusal::NoSuchLeg
        | Refusal::NoSuchPlace
        | Refusal::NoSuchAgent
        | Refusal::NoSuchTenant
        | Refusal::NoSuchQueue
        | Refusal::NoSuchCampaign
        | Refusal::NoSuchLead
        | Refusal::NoSuchToken => StatusCode::NOT_FOUND,
        Refusal::NotOwner | Refusal::Fenced | Refusal::WrongGroup => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    }
}

/// The code for programs.
fn code_of(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoSuchCall => "no_such_call",
        Refusal::NoSuchLeg => "no_such_leg",
        Refusal::NoSuchPlace => "no_such_place",
        Refusal::NoSuchAgent => "no_such_agent",
        Refusal::NoSuchTenant => "no_such_tenant",
        Refusal::NoSuchQueue => "no_such_queue",
        Refusal::WrongStage => "wrong_stage",
        Refusal::AgentBusy => "agent_busy",
        Refusal::QueueFull => "queue_full",
        Refusal::Full => "full",
        Refusal::NotServed => "not_served",
        Refusal::OldVersion => "old_version",
        Refusal::NoSuchCampaign => "no_such_campaign",
        Refusal::NoSuchLead => "no_such_lead",
        Refusal::Stopped => "stopped",
        Refusal::Barred => "barred",
        Refusal::NotNow => "not_now",
        Refusal::LeadBusy => "lead_busy",
        Refusal::TooLong => "too_long",
        Refusal::NotWhole | Refusal::BadParts => "not_whole",
        Refusal::TooEarly => "too_early",
        Refusal::NoSuchToken => "no_such_token",
        Refusal::NameTaken => "name_taken",
        Refusal::LastAdmin => "last_admin",
        Refusal::NotOwner | Refusal::Fenced | Refusal::WrongGroup => "node_leaving",
    }
}

/// In words: what it means, and what to do.
fn words_of(refusal: Refusal) -> (&'static str, &'static str) {
    match refusal {
        Refusal::NoSuchCall => ("there is no such call any more", "see its record"),
        Refusal::NoSuchLeg => ("the call has no such leg any more", "look at the call's legs"),
        Refusal::NoSuchPlace => ("there is no such place in a queue any more", "look at the call's state"),
        Refusal::NoSuchAgent => ("there is no such agent in the table", "see GET /api/v1/agents"),
        Refusal::NoSuchTenant => ("there is no such tenant in the table", "see GET /api/v1/config"),
        Refusal::NoSuchQueue => ("there is no such queue in the table", "see GET /api/v1/queues"),
        Refusal::WrongStage => ("the call or agent is past that", "look at its state; nothing was changed"),
        Refusal::AgentBusy => (
            "the agent is in no state for that: logged out, or on another call",
            "see the agent's state in GET /api/v1/agents; a phone that is not there must register first",
        ),
        Refusal::QueueFull => ("the queue is full", "try again later"),
        Refusal::Full => (
            "there are as many legs, places or pieces of that call's story, or tokens, as there may be",
            "end or revoke what is not needed any more, and try again",
        ),
        Refusal::NotServed => ("nothing here serves such calls", "see GET /api/v1/config"),
        Refusal::OldVersion => (
            "somebody else applied a configuration at the same moment, and theirs came first",
            "look at what changed, with dry_run, and apply yours again",
        ),
        Refusal::NoSuchCampaign => ("there is no such campaign in the table", "see GET /api/v1/campaigns"),
        Refusal::NoSuchLead => ("there is no such lead", "see GET /api/v1/campaigns/{tenant}/{name}/leads"),
        Refusal::Stopped => ("the campaign is stopped", "start it first"),
        Refusal::Barred => {
            ("the number is on a do-not-call list", "do not call it; who may lift that is the operator's to know")
        }
        Refusal::NotNow => (
            "the number may not be called at this hour, or not again yet",
            "see the campaign's hours and the lead's time zone",
        ),
        Refusal::LeadBusy => ("the number is being called already", "wait until that call is over"),
        Refusal::TooLong => ("the command is longer than the log takes", "shorten it"),
        Refusal::NotWhole | Refusal::BadParts => ("the configuration did not reach its shard whole", "apply it again"),
        Refusal::TooEarly => (
            "the cluster is being updated, and not all nodes know that yet",
            "try again when all nodes have run the new version for ten seconds, see GET /api/v1/status",
        ),
        Refusal::NoSuchToken => ("there is no token of that name", "see GET /api/v1/tokens"),
        Refusal::NameTaken => ("a token has that name already", "choose another, or revoke that one first"),
        Refusal::LastAdmin => (
            "it is the only admin's token for the whole cluster, and nobody could make another",
            "make another first, with POST /api/v1/tokens",
        ),
        Refusal::NotOwner | Refusal::Fenced | Refusal::WrongGroup => (
            "this node is no longer counted among the living",
            "ask another node, or this one again when it has started anew",
        ),
    }
}

impl From<StoreError> for Problem {
    fn from(fault: StoreError) -> Self {
        Self::internal("reading call records", &fault)
    }
}

impl From<ContentFault> for Problem {
    fn from(fault: ContentFault) -> Self {
        match fault {
            ContentFault::TooFew { have, want } => {
                let what =
                    format!("only {have} of the {want} nodes needed have taken the content; nothing was changed");
                let advice = "see GET /api/v1/status for the nodes that are missing, then send it again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_few_nodes", what, advice)
            }
            fault @ ContentFault::Write { .. } => Self::internal("keeping content on this node's disk", &fault),
        }
    }
}

impl From<NotConfigured> for Problem {
    fn from(fault: NotConfigured) -> Self {
        match fault {
            NotConfigured::Content(fault) => fault.into(),
            NotConfigured::Refused(refused) => refused.into(),
            NotConfigured::Layout(fault) => Self::internal("writing the configuration", &fault),
            NotConfigured::Broken(fault) => Self::internal("writing the configuration", &fault),
            fault @ NotConfigured::NoKey { .. } => {
                let advice =
                    "add the key to that node's data_keys, below the first line, and send it SIGHUP; then apply again";
                Self::new(StatusCode::CONFLICT, "no_data_key", format!("{fault}; nothing was changed"), advice)
            }
            fault @ (NotConfigured::Missing { .. } | NotConfigured::NoPrompt { .. }) => {
                let advice = "start the nodes that are missing, see GET /api/v1/status, then apply again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "content_missing", fault.to_string(), advice)
            }
        }
    }
}

impl From<NotImported> for Problem {
    fn from(fault: NotImported) -> Self {
        match fault {
            NotImported::Content(fault) => fault.into(),
            NotImported::Refused(refused) => refused.into(),
        }
    }
}

//! The audit log: every administrative act, written before it is done and again when it is answered.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use strowger_cluster::{COMMIT, Context, Refused};
use strowger_store::{ActFilter, ActLine};
use strowger_table::{ActResult, ControlCommand, Intent, Outcome};

use crate::body::{Params, Raw};
use crate::caller::{Asker, Caller};
use crate::error::Problem;
use crate::limit;
use crate::listen::Peer;
use crate::when::moment;

/// What the audit log has of a route's requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noted {
    /// Nothing: they only read.
    No,
    /// Who sent what where, and how large it was: there are secrets in the body, or whole lists of people.
    Head,
    /// And the beginning of the body.
    Whole,
}

/// What was done, for the audit log: a handler puts it beside its answer.
#[derive(Clone)]
pub struct Told(pub String);

/// Passes a request on; of one that does something, not before the cluster has it in its audit log. An act that nobody
/// could be told of is not done.
pub async fn noted(context: &Arc<Context>, noted: Noted, caller: &Caller, request: Request, next: Next) -> Response {
    if noted == Noted::No {
        return next.run(request).await;
    }
    let (intent, request) = match intent(context, noted, caller, request).await {
        Ok(read) => read,
        Err(problem) => return problem.into_response(),
    };
    let (who, what) = (intent.who.clone(), intent.what.clone());
    let act = match begin(context, intent).await {
        Ok(act) => act,
        Err(refused) => return Problem::from(refused).into_response(),
    };
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let told = response.extensions().get::<Told>().map(|told| told.0.clone()).unwrap_or_default();
    tracing::info!(act, who, what, status, told, "an administrative act");
    // Whoever asked needs not wait for it.
    tokio::spawn(end(context.clone(), act, ActResult { status, told }));
    response
}

async fn intent(
    context: &Context,
    noted: Noted,
    caller: &Caller,
    request: Request,
) -> Result<(Intent, Request), Problem> {
    let (parts, body) = request.into_parts();
    let (asked, body) = match noted {
        Noted::Whole => {
            let Raw(bytes) = Raw::from_request(Request::from_parts(parts.clone(), body), &()).await?;
            (shown(&String::from_utf8_lossy(&bytes)), Body::from(bytes))
        }
        Noted::Head | Noted::No => {
            let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
            (length.map(|length| shown(&format!("{length} bytes"))).unwrap_or_default(), body)
        }
    };
    let intent = Intent {
        who: caller.name.clone(),
        tenant: caller.tenant_id(),
        what: shown(&format!("{} {}", parts.method, parts.uri.path())),
        asked,
        from: Peer::host(&parts.extensions),
        node: context.me,
    };
    Ok((intent, Request::from_parts(parts, body)))
}

/// On one line, and no longer than the log takes of one act.
fn shown(text: &str) -> String {
    let mut shown: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Some((cut, _)) = shown.char_indices().nth(limit::NOTED) {
        shown.truncate(cut);
        shown.push('…');
    }
    shown
}

/// The act's number, once it is on a majority's disks.
pub async fn begin(context: &Context, intent: Intent) -> Result<u64, Refused> {
    match context.control(ControlCommand::Begin(Box::new(intent)), COMMIT).await? {
        Outcome::Begun { act } => Ok(act),
        other => Err(Refused::NotCommitted(format!("the audit log answered {other:?}"))),
    }
}

/// What an act came to. Where this is lost the log says that nobody knows.
pub async fn end(context: Arc<Context>, act: u64, result: ActResult) {
    if let Err(fault) = context.control(ControlCommand::End { act, result: Box::new(result) }, COMMIT).await {
        tracing::warn!(act, %fault, "the audit log does not say what this act came to");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    tenant: Option<String>,
    token: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<u32>,
    after: Option<u64>,
}

#[derive(Serialize)]
pub struct Acts {
    acts: Vec<ActLine>,
    /// What to give as `after` for the next page; null on the last.
    next: Option<u64>,
}

/// `GET /api/v1/audit`: newest first, from this node's records. A token of one tenant reads what tokens of that tenant
/// did.
pub async fn list(
    State(context): State<Arc<Context>>,
    axum::Extension(caller): Asker,
    Params(asked): Params<Asked>,
) -> Result<Json<Acts>, Problem> {
    use strowger_store::limit::{LINES_DEFAULT, LINES_MAX};
    let lines = asked.limit.unwrap_or(LINES_DEFAULT);
    if !(1..=LINES_MAX).contains(&lines) {
        let advice = format!("give 1 to {LINES_MAX}, and `after` for the next page");
        return Err(Problem::bad_request(format!("`limit` is {lines}"), advice));
    }
    let filter = ActFilter {
        tenant: caller.narrowed(asked.tenant)?,
        who: asked.token,
        since_ms: moment("since", asked.since)?,
        until_ms: moment("until", asked.until)?,
        before: asked.after,
        limit: lines,
    };
    let acts = context.store.acts(filter).await?;
    let next = acts.last().filter(|_| acts.len() == lines as usize).map(|line| line.act);
    Ok(Json(Acts { acts, next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_one_short_line() {
        assert_eq!(shown(" {\"a\":\n\x1b[2J 1}\r\n"), "{\"a\":  [2J 1}");
        let long = shown(&"ä".repeat(limit::NOTED + 1));
        assert_eq!(long.chars().count(), limit::NOTED + 1);
        assert!(long.ends_with("ä…"));
        assert_eq!(shown(&"ä".repeat(limit::NOTED)).chars().count(), limit::NOTED);
    }
}

//! The board as a stream of server-sent events (WHATWG HTML, 9.2): whole boards, so that a client which lost some has
//! lost nothing.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use serde::Deserialize;
use strowger_cluster::Context;
use strowger_dialer::Zone;
use strowger_figures::Board;
use strowger_model::SECOND_US;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::body::Params;
use crate::error::Problem;
use crate::limit;
use crate::listen::Stopping;

/// Places for streams.
#[derive(Clone)]
pub struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(limit::STREAMS)))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Whose midnight begins the day, by IANA name; UTC's unless it is said.
    zone: Option<String>,
    /// Was looked at before.
    #[serde(rename = "token")]
    _token: Option<String>,
}

/// `GET /api/v1/events`
pub async fn stream(
    State(context): State<Arc<Context>>,
    Extension(streams): Extension<Streams>,
    Params(asked): Params<Asked>,
    stopping: Option<Extension<Stopping>>,
) -> Result<Response, Problem> {
    let zone = asked.zone.map_or(Ok(Zone::UTC), |name| Zone::named(&name)).map_err(|fault| {
        Problem::bad_request(fault.to_string(), "give an IANA name in `zone`, or leave it out for UTC")
    })?;
    let place = streams.0.try_acquire_owned().map_err(|_| {
        let what = format!("this node feeds {} wallboards already", limit::STREAMS);
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", what, "close some, or ask another node")
    })?;
    let (sender, body) = Channel::new(limit::STREAM_BACKLOG);
    tokio::spawn(feed(context, zone, sender, stopping.map(|Extension(stopping)| stopping), place));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, Body::new(body)).into_response())
}

/// Until the client is gone or the server ends.
async fn feed(
    context: Arc<Context>,
    zone: Zone,
    mut sender: Sender<Bytes>,
    stopping: Option<Stopping>,
    _place: OwnedSemaphorePermit,
) {
    let stopped = async move {
        match stopping {
            Some(mut stopping) => stopping.asked().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = boards(&context, &zone, &mut sender) => {}
        () = stopped => {}
    }
}

async fn boards(context: &Context, zone: &Zone, sender: &mut Sender<Bytes>) {
    let mut last: Option<Arc<Board>> = None;
    loop {
        let board = context.board(zone);
        let is_news = last.as_ref() != Some(&board);
        let text = if is_news { event(&board) } else { format!(": {}\n\n", now_ms()) };
        last = Some(board);
        // A client that takes nothing for so long is not looking.
        let sent = tokio::time::timeout(limit::REQUEST, sender.send_data(text.into())).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
        // All streams wake as a new second begins, so that one of them makes the board for all.
        let into = context.now().0 % SECOND_US;
        tokio::time::sleep(Duration::from_micros(SECOND_US - into)).await;
    }
}

fn event(board: &Board) -> String {
    // Maps of names and numbers always become text.
    let data = serde_json::to_string(board).unwrap_or_default();
    format!("event: board\nid: {}\ndata: {data}\n\n", now_ms())
}

#[expect(clippy::disallowed_methods, reason = "a stream's ids are the wall's time")]
fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}

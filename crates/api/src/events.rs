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

use crate::body::Params;
use crate::caller::{Asker, Caller};
use crate::error::Problem;
use crate::limit;
use crate::listen::{Peer, Stopping};
use crate::streams::{Holder, Place, Streams};

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
    Extension(caller): Asker,
    Extension(streams): Extension<Streams>,
    Params(asked): Params<Asked>,
    stopping: Option<Extension<Stopping>>,
    peer: Option<Extension<Peer>>,
) -> Result<Response, Problem> {
    let zone = asked.zone.map_or(Ok(Zone::UTC), |name| Zone::named(&name)).map_err(|fault| {
        Problem::bad_request(fault.to_string(), "give an IANA name in `zone`, or leave it out for UTC")
    })?;
    let peer = peer.map(|Extension(peer)| peer);
    let holder = Holder { address: peer.as_ref().map(Peer::ip), token_sha256: caller.token_sha256 };
    let place = streams.take(holder).ok_or_else(|| {
        let what = format!("this node feeds {} wallboards already", limit::STREAMS);
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", what, "close some, or ask another node")
    })?;
    let (sender, body) = Channel::new(limit::STREAM_BACKLOG);
    let stopping = stopping.map(|Extension(stopping)| stopping);
    tokio::spawn(feed(Feed { context, zone, caller, peer }, sender, stopping, place));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::REFERRER_POLICY, "no-referrer")];
    Ok((headers, Body::new(body)).into_response())
}

/// One stream.
struct Feed {
    context: Arc<Context>,
    zone: Zone,
    caller: Arc<Caller>,
    peer: Option<Peer>,
}

/// Until the client is gone, its token is no good, somebody else needs the place more, or the server ends.
async fn feed(feed: Feed, mut sender: Sender<Bytes>, stopping: Option<Stopping>, place: Place) {
    let stopped = async move {
        match stopping {
            Some(mut stopping) => stopping.asked().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = feed.boards(&mut sender) => feed.hang_up(),
        () = place.is_over() => feed.hang_up(),
        () = stopped => {}
    }
}

impl Feed {
    /// A client that reads nothing would hold its connection although its stream has ended.
    fn hang_up(&self) {
        self.peer.iter().for_each(Peer::hang_up);
    }

    async fn boards(&self, sender: &mut Sender<Bytes>) {
        let mut last: Option<Arc<Board>> = None;
        while self.caller.is_good(&self.context) {
            let board = self.board();
            let is_news = last.as_ref() != Some(&board);
            let text = if is_news { event(&board) } else { format!(": {}\n\n", now_ms()) };
            last = Some(board);
            // A client that takes nothing for so long is not looking.
            let sent = tokio::time::timeout(limit::REQUEST, sender.send_data(text.into())).await;
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
            // All streams wake as a new second begins, so that one of them makes the board for all.
            let into = self.context.now().0 % SECOND_US;
            tokio::time::sleep(Duration::from_micros(SECOND_US - into)).await;
        }
    }

    fn board(&self) -> Arc<Board> {
        let board = self.context.board(&self.zone);
        match self.caller.tenant() {
            Some(tenant) => Arc::new(board.of_tenant(tenant)),
            None => board,
        }
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

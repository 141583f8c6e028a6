//! Bodies larger than a command's are in memory one after another: a node's memory is for calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use strowger_model::TenantId;
use tokio::sync::Semaphore;

use crate::body::hear_out;
use crate::caller::Caller;
use crate::error::Problem;
use crate::limit;

/// Of one route. Each tenant has its own, so that none waits for another's; what concerns all has one.
#[derive(Clone)]
pub struct Turns {
    at_once: usize,
    wait: Duration,
    of: Arc<Mutex<BTreeMap<Option<TenantId>, Arc<Semaphore>>>>,
}

impl Turns {
    /// `wait`: how long a request waits for its turn.
    pub fn new(at_once: usize, wait: Duration) -> Self {
        Self { at_once, wait, of: Arc::default() }
    }

    fn of(&self, tenant: Option<TenantId>) -> Arc<Semaphore> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        of.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(self.at_once))).clone()
    }
}

/// Behind the door, so only for who may; a turn lasts until the answer.
pub async fn in_turn(State(turns): State<Turns>, request: Request, next: Next) -> Response {
    if request.body().size_hint().upper().is_some_and(|most| most <= limit::BODY_BYTES as u64) {
        return next.run(request).await;
    }
    let tenant = request.extensions().get::<Arc<Caller>>().and_then(|caller| caller.tenant_id());
    match tokio::time::timeout(turns.wait, turns.of(tenant).acquire_owned()).await {
        Ok(Ok(_turn)) => next.run(request).await,
        _ => {
            hear_out(request).await;
            let what = "others send large bodies at this moment, and one is taken after another";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", what, "nothing was done: try again").into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;
    use tower::ServiceExt as _;

    use super::*;

    const WAIT: Duration = Duration::from_millis(50);

    async fn status(router: &Router, bytes: usize) -> StatusCode {
        let request = Request::post("/").body(Body::from(vec![0; bytes])).expect("a request");
        router.clone().oneshot(request).await.expect("an answer").status()
    }

    #[tokio::test]
    async fn large_bodies_wait_for_their_turn_and_small_ones_do_not() {
        let gate = Arc::new(Semaphore::new(0));
        let (behind, behind_gate) = (gate.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = behind_gate.clone();
        let handler = move || async move {
            counted.fetch_add(1, Relaxed);
            drop(behind.acquire().await);
        };
        let router =
            Router::new().route("/", post(handler)).route_layer(from_fn_with_state(Turns::new(1, WAIT), in_turn));
        let first = tokio::spawn({
            let router = router.clone();
            async move { status(&router, limit::BODY_BYTES + 1).await }
        });
        while behind_gate.load(Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let begun = tokio::time::Instant::now();
        assert_eq!(status(&router, limit::BODY_BYTES + 1).await, StatusCode::SERVICE_UNAVAILABLE);
        assert!(begun.elapsed() >= WAIT);
        gate.add_permits(1);
        assert_eq!(status(&router, limit::BODY_BYTES).await, StatusCode::OK, "beside the first, which is not out yet");
        assert_eq!(first.await.expect("answered"), StatusCode::OK);
        assert_eq!(status(&router, limit::BODY_BYTES + 1).await, StatusCode::OK, "its turn is over");
    }
}

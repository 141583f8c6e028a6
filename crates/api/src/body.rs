//! What a request says, read so that every mistake is answered in the one form of errors.

use axum::body::{Body as Incoming, Bytes, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use crate::error::Problem;
use crate::limit;
use crate::listen::Peer;

/// How many bytes a route's bodies may have; beside the request.
#[derive(Clone, Copy, Debug)]
pub struct Takes(pub usize);

/// Why a body is not there.
enum Unread {
    TooLarge,
    Broken,
}

/// The JSON in a body, whatever its Content-Type says.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + Send + 'static, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Raw(bytes) = Raw::from_request(request, state).await?;
        let is_large = bytes.len() > limit::BODY_BYTES;
        let read = move || serde_json::from_slice(&bytes);
        // A configuration of many megabytes is read where nobody waits for the thread.
        let value = if is_large { tokio::task::spawn_blocking(read).await } else { Ok(read()) };
        let value = value.map_err(|fault| Problem::internal("reading the body", &fault))?.map_err(|fault| {
            let advice = "send a JSON object with the fields that GET /api/v1/openapi.json names";
            Problem::bad_request(format!("the body is not what this route takes: {fault}"), advice)
        })?;
        Ok(Body(value))
    }
}

/// A body as it came.
pub struct Raw(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(mut request: Request, _state: &S) -> Result<Self, Problem> {
        let most = request.extensions().get::<Takes>().map_or(limit::BODY_BYTES, |takes| takes.0);
        match read(request.body_mut(), most).await {
            Ok(bytes) => Ok(Raw(bytes)),
            Err(Unread::Broken) => Err(Problem::bad_request("the body did not arrive whole", "send it again")),
            Err(Unread::TooLarge) => {
                hear_out(request).await;
                let advice = format!("send {} KiB at most; nothing was done", most >> 10);
                Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large", advice))
            }
        }
    }
}

/// What says that it is larger than `most` is not begun with, and what turns out to be is not kept.
async fn read(body: &mut Incoming, most: usize) -> Result<Bytes, Unread> {
    let size = body.size_hint();
    if size.lower() > most as u64 {
        return Err(Unread::TooLarge);
    }
    // Of a length that is said, whether or not so much comes: pages that nothing is written to are none.
    let mut bytes = Vec::with_capacity(size.exact().map_or(0, |exact| exact as usize));
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Err(Unread::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

/// Takes in what a client still sends, for a time and up to a size, and keeps nothing: one whose connection closes while it sends often
/// never sees why. Meanwhile its connection may have to make room for others. Who asks before it sends need not send (RFC
/// 9110 section 10.1.1).
pub async fn hear_out(request: Request) {
    let (parts, mut body) = request.into_parts();
    if parts.headers.contains_key(header::EXPECT) {
        return;
    }
    if let Some(peer) = Peer::of(&parts.extensions) {
        peer.may_go();
    }
    let all = async {
        let mut left = limit::REFUSED_BODY_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    let _in_time = tokio::time::timeout(limit::REFUSED_BODY, all).await;
}

/// What stands behind the `?`.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await.map_err(|fault| {
            let advice = "see GET /api/v1/openapi.json for the parameters of this route";
            Problem::bad_request(fault.body_text(), advice)
        })?;
        Ok(Params(query.0))
    }
}

/// What stands in the path.
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        let path = path.map_err(|fault| Problem::bad_request(fault.body_text(), "correct the path"))?;
        Ok(Named(path.0))
    }
}

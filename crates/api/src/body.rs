//! What a request says, read so that every mistake is answered in the one form of errors.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::Problem;
use crate::limit;

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

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let advice = format!(
                    "a configuration may have {} MiB, a part of a list of leads {} KiB, any other body {} KiB",
                    limit::CONFIG_BODY_BYTES >> 20,
                    limit::LEADS_BODY_BYTES >> 10,
                    limit::BODY_BYTES >> 10
                );
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large", advice)
            }
            _ => Problem::bad_request("the body did not arrive whole", "send it again"),
        })?;
        Ok(Raw(bytes))
    }
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

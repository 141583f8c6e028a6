//! The page that shows the floor. It is part of the binary and asks nobody but the node it came from.

use axum::http::header::{self, HeaderName};
use axum::response::{IntoResponse, Response};

const PAGE: &str = include_str!("page/wallboard.html");
const STYLE: &str = include_str!("page/wallboard.css");
const SCRIPT: &str = include_str!("page/wallboard.js");

/// Its own files and its own node; nothing inline, nothing from elsewhere, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /` and `GET /wallboard`
pub async fn page() -> Response {
    file("text/html; charset=utf-8", PAGE)
}

/// `GET /wallboard.css`
pub async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

/// `GET /wallboard.js`
pub async fn script() -> Response {
    file("text/javascript; charset=utf-8", SCRIPT)
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // A newer node has a newer page; the three files are small.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

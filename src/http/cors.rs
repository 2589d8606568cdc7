//! Which pages on other hosts may use the admin API from a browser: those of `server.cors_origins`, none by default.
//!
//! The browser is told so, and nothing else changes: who asks still needs a bearer. No cookie is ever allowed
//! (`Access-Control-Allow-Credentials` is never sent), so a page can only lend what it brings itself. An origin that is
//! not on the list gets the answer that anybody gets, without a word that would let its script read it. Never in front
//! of a tracking route.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::state::HttpState;

/// How long a browser may remember the answer to a preflight: two hours, the longest that all of them take.
const PREFLIGHT_SECONDS: &str = "7200";
const METHODS: &str = "POST";
const REQUEST_HEADERS: &str = "authorization, content-type";
/// What a script may read beside the standard ones.
const RESPONSE_HEADERS: &str = "retry-after";

/// A layer around the admin API.
pub(crate) async fn listed_origins(State(state): State<Arc<HttpState>>, request: Request, next: Next) -> Response {
    if state.cors_origins.is_empty() {
        return next.run(request).await;
    }
    let origin = listed_origin(&state.cors_origins, request.headers());
    let mut response = match &origin {
        Some(_) if is_preflight(&request) => preflight(),
        Some(_) | None => next.run(request).await,
    };
    let headers = response.headers_mut();
    // Also where the origin is not listed: the next one may be.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
    }
    response
}

/// The origin that the request says it comes from, when it is on the list.
pub(crate) fn listed_origin(listed: &[String], headers: &HeaderMap) -> Option<HeaderValue> {
    let mut all = headers.get_all(header::ORIGIN).iter();
    let origin = all.next().filter(|_| all.next().is_none())?;
    listed.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

//! `/click`: a visitor comes in and is sent on with 302.
//!
//! Never 301: a browser would remember it, and later visits would not be recorded. A prefetch gets no destination:
//! the browser could use it for the real visit, which would then never be recorded either.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use crate::app::record_click::{Clicked, PixelCookie, preview_click, record_click};
use crate::domain::code::Code;
use crate::domain::inbound::Door;
use crate::http::answer::{mark_private, method_not_allowed, status_of, with_status};
use crate::http::extract::tracking_request::TrackingRequest;
use crate::http::page::page;
use crate::http::state::HttpState;
use crate::telemetry::field;

const METHODS: &str = "GET, HEAD";
const ROUTE: &str = "/click";

pub(crate) async fn click(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    let request = TrackingRequest::read(request, state.body_timeout).await;
    answer_read(&state, request).await
}

/// 302 with nothing recorded: link checkers ask so.
pub(crate) async fn head(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    let request = TrackingRequest::read(request, state.body_timeout).await;
    preview_read(&state, request)
}

pub(crate) async fn refuse_method(request: Request) -> Response {
    method_not_allowed(Door::Click, METHODS, request.headers(), ROUTE)
}

/// For whoever has read the request already.
pub(crate) async fn answer_read(state: &HttpState, request: TrackingRequest) -> Response {
    if is_prefetch(&request.parts.headers) {
        return prefetch();
    }
    let (_, inbound, arrival) = request.at(Door::Click, state);
    respond(&record_click(&state.app, inbound, arrival).await)
}

/// As [`answer_read`], for HEAD.
pub(crate) fn preview_read(state: &HttpState, request: TrackingRequest) -> Response {
    let (_, inbound, arrival) = request.at(Door::Click, state);
    respond(&preview_click(&state.app, &inbound, &arrival))
}

/// `Sec-Purpose` may carry more (`prefetch;prerender`), in any case.
fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-moz"].iter().any(|name| {
        let values = headers.get_all(*name).iter().filter_map(|value| value.to_str().ok());
        let mut words = values.flat_map(|value| value.split([';', ',', ' ']));
        words.any(|word| word.trim().eq_ignore_ascii_case("prefetch"))
    })
}

fn prefetch() -> Response {
    let mut response = with_status(503, ());
    mark_private(response.headers_mut());
    response
}

fn respond(clicked: &Clicked) -> Response {
    let (response, code) = match clicked {
        Clicked::Landed { location, cookie, .. } => (redirect(location, cookie.as_ref()), Code::Recorded),
        Clicked::Refused { code, fallback } => (refused(*code, fallback.as_deref()), *code),
    };
    tracing::debug!(
        { field::ROUTE } = ROUTE,
        { field::STATUS } = response.status().as_u16(),
        { field::CODE } = code.as_str(),
        "answered"
    );
    response
}

fn refused(code: Code, fallback: Option<&str>) -> Response {
    match fallback {
        Some(fallback) => redirect(fallback, None),
        None => plain(code),
    }
}

fn plain(code: Code) -> Response {
    let status = status_of(code, Door::Click, false);
    page(status, "This link does not lead anywhere", &format!("<p>The link is not valid ({}).</p>", code.as_str()))
}

fn redirect(location: &str, cookie: Option<&PixelCookie>) -> Response {
    // A template expands to printable ASCII; a fallback that an old version saved may not be.
    let Ok(location) = HeaderValue::try_from(location) else { return plain(Code::Internal) };
    let mut response = with_status(302, ());
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    mark_private(headers);
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie_text(cookie)).ok()) {
        headers.insert(header::SET_COOKIE, cookie);
    }
    response
}

fn cookie_text(cookie: &PixelCookie) -> String {
    format!(
        "rt_{}={}; Max-Age={}; Path=/pixel.gif; Secure; HttpOnly; SameSite=None",
        cookie.offer.number(),
        cookie.transaction_id,
        cookie.max_age_seconds
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefetch_is_known_by_any_of_its_headers() {
        let with = |name: &'static str, value: &'static str| {
            is_prefetch(&HeaderMap::from_iter([(
                header::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )]))
        };
        assert!(with("sec-purpose", "prefetch;prerender"));
        assert!(with("sec-purpose", "Prefetch"));
        assert!(with("purpose", "prefetch"));
        assert!(with("x-moz", "prefetch"));
        assert!(!with("purpose", "preview"));
        assert!(!with("accept", "prefetch"));
    }
}

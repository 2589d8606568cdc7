//! The few pages for people that need no dashboard: plain, without scripts, and safe in any browser.

use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::answer::{mark_private, with_status};

/// One small page. `body` is HTML of ours: never put a sender's text into it.
pub(crate) fn page(status: u16, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"></head><body><h1>{title}</h1>{body}</body></html>"
    );
    let mut response = with_status(status, html);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    mark_private(headers);
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    response
}

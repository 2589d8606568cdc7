//! Alive, ready, measured: what the machine room asks.
//!
//! `/livez` says that the process answers; it never asks the database, or an orchestrator would restart every server
//! while the database is away. `/readyz` says that work can be taken: not while draining, not while the database does
//! not answer. Metrics and the certificate question of the proxy are answered on the internal port only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::answer::{mark_private, with_status};
use super::state::HttpState;
use crate::app::readiness::{SpoolState, hindrance};
use crate::telemetry::metric;

/// The database is asked at most this often, however many ask us.
const FRESH: Duration = Duration::from_millis(500);

/// What `/readyz` needs to know.
#[derive(Default)]
pub struct Health {
    draining: AtomicBool,
    /// When it was asked last, and what hindered work then.
    asked: Mutex<Option<(Instant, Option<&'static str>)>>,
}

impl Health {
    /// From now on the server is not ready: the end has begun.
    pub fn begin_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    async fn hindrance(&self, state: &HttpState) -> Option<&'static str> {
        let mut asked = self.asked.lock().await;
        if let Some((at, hindrance)) = *asked
            && at.elapsed() < FRESH
        {
            return hindrance;
        }
        let hindrance = hindrance(&state.app).await;
        *asked = Some((Instant::now(), hindrance));
        hindrance
    }
}

pub(crate) async fn livez() -> Response {
    said(200, r#"{"ok":true}"#)
}

pub(crate) async fn readyz(State(state): State<Arc<HttpState>>) -> Response {
    if state.health.draining.load(Ordering::Relaxed) {
        said(503, r#"{"ok":false,"reason":"draining"}"#)
    } else {
        let reason = state.health.hindrance(&state).await;
        said(if reason.is_none() { 200 } else { 503 }, readiness(&state, reason).to_string())
    }
}

/// What can be taken, and what waits in the spool.
fn readiness(state: &HttpState, reason: Option<&'static str>) -> serde_json::Value {
    let mut told = serde_json::json!({"ok": reason.is_none()});
    if let Some(reason) = reason {
        told["reason"] = reason.into();
    }
    if let Some(spool) = state.app.intake.spool() {
        told["spool"] = serde_json::json!({
            "items": spool.items,
            "bytes": spool.bytes,
            "oldest_seconds": oldest_seconds(&spool),
            "errors": spool.errors,
        });
    }
    told
}

fn oldest_seconds(spool: &SpoolState) -> i64 {
    spool.oldest_age_millis.map_or(0, |millis| millis / 1000)
}

/// The Prometheus text format.
pub(crate) async fn metrics(State(state): State<Arc<HttpState>>) -> Response {
    for (class, depth) in ["conversions", "clicks", "receipts"].into_iter().zip(state.app.intake.depths()) {
        let depth = u32::try_from(depth).unwrap_or(u32::MAX);
        metrics::gauge!(metric::INTAKE_DEPTH, "class" => class).set(f64::from(depth));
    }
    if let Some(spool) = state.app.intake.spool() {
        // Far below the numbers that a gauge cannot hold.
        let gauge = |value: u64| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
        metrics::gauge!(metric::SPOOL_ITEMS).set(gauge(spool.items));
        metrics::gauge!(metric::SPOOL_BYTES).set(gauge(spool.bytes));
        metrics::gauge!(metric::SPOOL_OLDEST_SECONDS).set(gauge(u64::try_from(oldest_seconds(&spool)).unwrap_or(0)));
    }
    let mut response = with_status(200, state.metrics.render());
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}

/// `?domain=`: 200 when a certificate may be issued for it, as Caddy's on-demand TLS asks; else 404.
pub(crate) async fn tracking_domain(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let domain = pairs.find(|(name, _)| name == "domain").map(|(_, value)| value);
    let is_ours = domain.is_some_and(|domain| state.app.snapshot.load().accepting_domain(&domain).is_some());
    if is_ours { said(200, r#"{"ok":true}"#) } else { said(404, r#"{"ok":false}"#) }
}

fn said(status: u16, body: impl Into<Body>) -> Response {
    let mut response = with_status(status, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    mark_private(headers);
    response
}

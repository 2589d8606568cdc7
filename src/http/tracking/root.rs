//! `/`: the URL forms that senders already have, told apart by which keys are present, and a page for people.
//!
//! Values are not looked at: an empty reason is a rejection that fails, never a conversion (`Pairs::door_at_root`).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;

use super::{click, server_to_server};
use crate::domain::code::Code;
use crate::domain::inbound::Door;
use crate::http::answer::{method_not_allowed, refuse};
use crate::http::extract::tracking_request::{TrackingRequest, host_of};
use crate::http::page::page;
use crate::http::state::HttpState;

const ROUTE: &str = "/";

pub(crate) async fn root(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    let request = TrackingRequest::read(request, state.body_timeout).await;
    let method = request.parts.method.clone();
    match request.pairs.door_at_root() {
        Some(Door::Click | Door::Pixel) => match method {
            Method::GET => click::answer_read(&state, request).await,
            Method::HEAD => click::preview_read(&state, request),
            _ => method_not_allowed(Door::Click, "GET, HEAD", &request.parts.headers, ROUTE),
        },
        Some(door @ (Door::Postback | Door::Clickless | Door::Rejection | Door::Status)) => match method {
            Method::GET | Method::POST => server_to_server::answer_read(&state, request, door, ROUTE).await,
            _ => method_not_allowed(door, server_to_server::METHODS, &request.parts.headers, ROUTE),
        },
        None => nobody_meant(&state, &request),
    }
}

/// No door: a body that could not be read, a query of somebody else's, or a person.
fn nobody_meant(state: &HttpState, request: &TrackingRequest) -> Response {
    let parts = &request.parts;
    if let Some(code) = request.body_problem() {
        return refuse(Door::Postback, code, &parts.headers, ROUTE);
    }
    if !request.pairs.is_empty() {
        return refuse(Door::Postback, Code::UnknownRoute, &parts.headers, ROUTE);
    }
    match parts.method {
        Method::GET | Method::HEAD => landing(state.is_admin_host(host_of(parts))),
        _ => method_not_allowed(Door::Postback, "GET, HEAD", &parts.headers, ROUTE),
    }
}

fn landing(is_admin_host: bool) -> Response {
    let body = if is_admin_host {
        "<p>Conversion tracking. <a href=\"/dashboard\">Open the dashboard</a></p>"
    } else {
        "<p>Conversion tracking.</p>"
    };
    page(200, "Roundtrip", body)
}

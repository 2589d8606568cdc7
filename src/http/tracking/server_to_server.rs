//! The doors that servers knock at: postback, clickless postback, rejection, status change. GET and POST.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use crate::app::track::track;
use crate::domain::inbound::Door;
use crate::http::answer::{Form, method_not_allowed, respond};
use crate::http::extract::tracking_request::TrackingRequest;
use crate::http::state::HttpState;

pub(crate) const METHODS: &str = "GET, POST";

pub(crate) async fn postback(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    answer(&state, request, Door::Postback, "/postback").await
}

pub(crate) async fn clickless(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    answer(&state, request, Door::Clickless, "/postback/clickless").await
}

pub(crate) async fn rejection(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    answer(&state, request, Door::Rejection, "/reject").await
}

pub(crate) async fn status(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    answer(&state, request, Door::Status, "/status").await
}

/// HEAD too: axum would run the handler of GET for it, and record.
pub(crate) async fn refuse_method(request: Request) -> Response {
    method_not_allowed(Door::Postback, METHODS, request.headers(), "tracking")
}

async fn answer(state: &HttpState, request: Request, door: Door, route: &'static str) -> Response {
    answer_read(state, TrackingRequest::read(request, state.body_timeout).await, door, route).await
}

/// For whoever has read the request already.
pub(crate) async fn answer_read(
    state: &HttpState,
    request: TrackingRequest,
    door: Door,
    route: &'static str,
) -> Response {
    let (parts, inbound, arrival) = request.at(door, state);
    let form = Form::wanted(&parts.headers, inbound.text_answer);
    let tracked = track(&state.app, inbound, arrival).await;
    respond(&tracked, form, route)
}

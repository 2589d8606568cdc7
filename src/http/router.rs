//! Every URL on one screen.
//!
//! The tracking routes stand outside all layers: nothing runs for a postback but its own function, and the routes that
//! are called most do not pass through the router at all, because it costs about as much as a small answer does. HEAD
//! is registered wherever GET is, because axum runs the function of GET for it, and a link checker would record a
//! click. The admin surfaces answer on the admin hosts only: on a tracking domain they do not exist.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, any, get};
use hyper::body::Incoming;

use super::accept::{Answers, PeerAddress};
use super::extract::tracking_request::{TrackingRequest, host_of};
use super::state::HttpState;
use super::tracking::{click, pixel, root, server_to_server};
use super::{answer, cors, dashboard, export, graphql, health, openapi, session};
use crate::domain::code::Code;
use crate::domain::inbound::Door;

type Routes = Router<Arc<HttpState>>;

/// The public port.
#[derive(Clone)]
pub struct PublicPort {
    state: Arc<HttpState>,
    routes: Router,
}

impl PublicPort {
    pub fn new(state: Arc<HttpState>) -> Self {
        Self { routes: public(Arc::clone(&state)), state }
    }
}

impl Answers for PublicPort {
    async fn answer(&self, request: hyper::Request<Incoming>, peer: PeerAddress) -> Response {
        let Some(door) = busy_door(request.method(), request.uri().path()) else {
            // Apart, so that a connection that never leaves the busy doors holds no room for the others.
            return Box::pin(self.routes.answer(request, peer)).await;
        };
        let state = &self.state;
        let request = TrackingRequest::of(request, peer, state.body_timeout).await;
        match door {
            Door::Click => click::answer_read(state, request).await,
            Door::Pixel => pixel::answer_read(state, request).await,
            Door::Postback | Door::Clickless | Door::Rejection | Door::Status => {
                server_to_server::answer_read(state, request, door, "/postback").await
            }
        }
    }
}

/// What the router would find for the routes that have nearly all of the traffic; nothing else is decided here.
fn busy_door(method: &Method, path: &str) -> Option<Door> {
    match path {
        "/click" if method == Method::GET => Some(Door::Click),
        "/pixel.gif" if method == Method::GET => Some(Door::Pixel),
        "/postback" if method == Method::GET || method == Method::POST => Some(Door::Postback),
        _ => None,
    }
}

fn public(state: Arc<HttpState>) -> Router {
    Router::new()
        .merge(tracking())
        .merge(machine_room())
        .route("/openapi.json", get(openapi::serve))
        .merge(admin(&state).layer(from_fn_with_state(Arc::clone(&state), admin_hosts_only)))
        .fallback(unknown_route)
        .with_state(state)
}

/// The internal port: never published.
pub fn internal(state: Arc<HttpState>) -> Router {
    Router::new()
        .merge(machine_room())
        .route("/metrics", get(health::metrics))
        .route("/internal/tracking-domain", get(health::tracking_domain))
        .fallback(unknown_route)
        .with_state(state)
}

fn tracking() -> Routes {
    use server_to_server::{clickless, postback, refuse_method, rejection, status};
    let both = |get_and_post: MethodRouter<Arc<HttpState>>| get_and_post.head(refuse_method).fallback(refuse_method);
    Router::new()
        .route("/", any(root::root))
        .route("/click", get(click::click).head(click::head).fallback(click::refuse_method))
        .route("/postback", both(get(postback).post(postback)))
        .route("/postback/clickless", both(get(clickless).post(clickless)))
        .route("/reject", both(get(rejection).post(rejection)))
        .route("/status", both(get(status).post(status)))
        .route("/pixel.gif", get(pixel::pixel).head(pixel::refuse_method).fallback(pixel::refuse_method))
}

fn machine_room() -> Routes {
    Router::new().route("/livez", get(health::livez)).route("/readyz", get(health::readyz))
}

fn admin(state: &Arc<HttpState>) -> Routes {
    session::routes(Arc::clone(&state.app))
        .route("/graphql", any(graphql::graphql).layer(from_fn_with_state(Arc::clone(state), cors::listed_origins)))
        .route("/graphql/ws", any(graphql::socket))
        .route("/schema.graphql", get(graphql::schema))
        .route("/api/export/{id}", get(export::export))
        .route("/dashboard", get(dashboard::dashboard))
        .route("/dashboard/", get(dashboard::dashboard))
        .route("/dashboard/{*path}", get(dashboard::dashboard))
}

async fn admin_hosts_only(State(state): State<Arc<HttpState>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if !state.is_admin_host(host_of(&parts)) {
        return answer::refuse(Door::Postback, Code::UnknownRoute, &parts.headers, "unknown");
    }
    next.run(Request::from_parts(parts, body)).await
}

async fn unknown_route(request: Request) -> Response {
    answer::refuse(Door::Postback, Code::UnknownRoute, request.headers(), "unknown")
}

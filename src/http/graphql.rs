//! The one file that mounts the admin API: bytes and headers in, bytes and headers out.
//!
//! `graphql::endpoint` knows no web framework and decides everything about a request; nothing is decided here but
//! who may read the schema (whoever is signed in), and from which pages a socket may be opened. `graphql::socket`
//! decides everything else about one.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

use super::answer::{mark_private, with_status};
use super::cors::listed_origin;
use super::extract::body::{BodyProblem, read_body};
use super::extract::origin::is_own_origin;
use super::extract::tracking_request::{address_of, host_of};
use super::state::HttpState;
use crate::graphql::endpoint::{Authenticator, BODY_BYTES_MAX, Call, Endpoint, Reply};
use crate::graphql::socket::{Gone, Heard, MESSAGE_BYTES_MAX, PROTOCOL, Peer, Said, Sockets, Wire};

/// What one socket reads at a time.
const SOCKET_READ_BYTES: usize = 8 * 1024;
/// What one socket collects before it writes.
const SOCKET_WRITE_BYTES: usize = 16 * 1024;
/// `Retry-After` where there is no room for a socket.
const RETRY_AFTER_SECONDS: u64 = 5;

/// The admin API as the router needs it.
pub struct GraphqlDoor {
    pub endpoint: Arc<Endpoint>,
    pub sockets: Sockets,
    pub authenticator: Arc<dyn Authenticator>,
    /// The contract, as `roundtrip schema` prints it.
    pub sdl: String,
}

pub(crate) async fn graphql(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match read_body(body, BODY_BYTES_MAX, state.body_timeout).await {
        Ok(body) => body,
        Err(problem) => return unread(problem),
    };
    let request_id = state.request_ids.next();
    let headers: Vec<(&str, &[u8])> =
        parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let call = Call {
        method: parts.method.as_str(),
        headers: &headers,
        body: &body,
        address: Some(address_of(&parts, &state)),
        request_id: &request_id,
    };
    printed(state.graphql.endpoint.respond(call).await)
}

pub(crate) async fn schema(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let request_id = state.request_ids.next();
    let address = Some(address_of(&parts, &state));
    let door = &state.graphql;
    let believed = match bearer(&parts) {
        Some(bearer) => door.authenticator.authenticate(bearer, address, &request_id).await.is_ok(),
        None => false,
    };
    if !believed {
        let mut response = refused(401, "unauthenticated");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    let mut response = with_status(200, door.sdl.clone());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    mark_private(headers);
    response
}

/// The socket of subscriptions. A page of another origin that is not on the list is refused: the bearer would keep it out all the same, but
/// it has no business here.
pub(crate) async fn socket(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let is_own = is_own_origin(&parts.headers, host_of(&parts), &state.app.options.public_url);
    if !is_own && listed_origin(&state.cors_origins, &parts.headers).is_none() {
        return refused(403, "forbidden_origin");
    }
    let peer = Peer { address: Some(address_of(&parts, &state)), request_id: state.request_ids.next() };
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade.protocols([PROTOCOL]),
        Err(_) => return not_upgraded(),
    };
    if upgrade.selected_protocol().is_none() {
        return refused(400, "unknown_subprotocol");
    }
    let Some(room) = state.graphql.sockets.room() else { return no_room() };
    let upgrade = upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(SOCKET_READ_BYTES)
        .write_buffer_size(SOCKET_WRITE_BYTES);
    upgrade.on_upgrade(move |socket| async move { state.graphql.sockets.converse(room, socket, peer).await })
}

fn not_upgraded() -> Response {
    let mut response = refused(426, "upgrade_required");
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    response
}

fn no_room() -> Response {
    let mut response = refused(503, "try_again");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    response
}

impl Wire for WebSocket {
    /// A message that is too long, or none of a WebSocket, ends it as well.
    async fn hear(&mut self) -> Option<Heard> {
        loop {
            return Some(match self.recv().await?.ok()? {
                Message::Text(text) => Heard::Text(text.as_str().to_owned()),
                Message::Binary(_) => Heard::Binary,
                Message::Pong(_) | Message::Ping(_) => Heard::Pong,
                Message::Close(_) => continue,
            });
        }
    }

    async fn say(&mut self, said: Said) -> Result<(), Gone> {
        let message = match said {
            Said::Text(text) => Message::Text(text.into()),
            Said::Ping => Message::Ping(Default::default()),
            Said::Close(code, reason) => Message::Close(Some(CloseFrame { code, reason: reason.into() })),
        };
        self.send(message).await.map_err(|_| Gone)
    }
}

/// What followed `Bearer` in the header.
pub(crate) fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// In the words of GraphQL, as the endpoint itself refuses what it has read.
fn unread(problem: BodyProblem) -> Response {
    let (status, message) = match problem {
        BodyProblem::TooLarge => (413, format!("The body may have {BODY_BYTES_MAX} bytes")),
        BodyProblem::TooSlow => (408, "The body did not come in time".to_owned()),
        BodyProblem::Broken => (400, "The body could not be read".to_owned()),
    };
    let code = "BAD_REQUEST";
    json(status, format!(r#"{{"errors":[{{"message":"{message}","extensions":{{"code":"{code}"}}}}]}}"#))
}

fn refused(status: u16, code: &str) -> Response {
    json(status, format!(r#"{{"ok":false,"code":"{code}"}}"#))
}

fn json(status: u16, body: String) -> Response {
    let mut response = with_status(status, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    mark_private(headers);
    response
}

fn printed(reply: Reply) -> Response {
    let mut response = with_status(reply.status, reply.body);
    let headers = response.headers_mut();
    // Without this a body of bytes would be announced as such beside its real type.
    headers.remove(header::CONTENT_TYPE);
    for (name, value) in reply.headers {
        // Words and numbers of ours are always a header value.
        if let Ok(value) = HeaderValue::try_from(value.as_ref()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

//! The one file that mounts the admin API: bytes and headers in, bytes and headers out.
//!
//! `graphql::endpoint` knows no web framework and decides everything about a request; nothing is decided here but
//! who may read the schema: whoever is signed in.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

use super::answer::{mark_private, with_status};
use super::extract::body::{BodyProblem, read_body};
use super::extract::tracking_request::address_of;
use super::state::HttpState;
use crate::graphql::endpoint::{Authenticator, BODY_BYTES_MAX, Call, Endpoint, Reply};

/// The admin API as the router needs it.
pub struct GraphqlDoor {
    pub endpoint: Endpoint,
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

//! `/api/export/{id}`: the file of an export, streamed.
//!
//! The bearer is that of the admin API, in its header: a link that works by itself would be a secret in a URL, which
//! ends in logs and histories. A browser fetches it with its token and keeps the answer as a file. The status is said
//! before the first row is read; where the database goes away in the middle, the connection is cut, so that nobody takes
//! a part for the whole.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream::try_unfold;

use super::answer::{mark_private, with_status};
use super::extract::tracking_request::address_of;
use super::graphql::bearer;
use super::state::HttpState;
use crate::app::exports::{Download, DownloadRefused, open_download};
use crate::domain::ids::JobId;
use crate::domain::operator::AuthRefused;

pub(crate) async fn export(State(state): State<Arc<HttpState>>, Path(id): Path<String>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let request_id = state.request_ids.next();
    let Some(bearer) = bearer(&parts) else { return unauthenticated() };
    let believed =
        state.graphql.authenticator.authenticate(bearer, Some(address_of(&parts, &state)), &request_id).await;
    let role = match believed {
        Ok(principal) => principal.role,
        Err(AuthRefused::Invalid | AuthRefused::Expired | AuthRefused::Withdrawn) => return unauthenticated(),
        Err(refusal @ AuthRefused::Unavailable(_)) => return failed(&request_id, &refusal),
    };
    let Some(id) = JobId::parse(&id) else { return refusal(DownloadRefused::NotFound) };
    match open_download(&state.app, role, id).await {
        Ok(Ok(download)) => file(id, download),
        Ok(Err(refused)) => refusal(refused),
        Err(error) => failed(&request_id, &error),
    }
}

fn file(id: JobId, download: Download) -> Response {
    let (media, ending) = download.media();
    let pieces = try_unfold(download, |mut download| async move {
        match download.next().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, download))),
            Err(error) => {
                tracing::error!(error = %error, "an export broke off");
                Err(error)
            }
        }
    });
    let mut response = with_status(200, Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{id}.{ending}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    mark_private(headers);
    response
}

fn refusal(why: DownloadRefused) -> Response {
    match why {
        DownloadRefused::Forbidden(needed) => {
            refused(403, "forbidden", &format!("This needs the role {}", needed.as_str().to_uppercase()))
        }
        DownloadRefused::NotFound => refused(404, "not_found", "There is no export of this id"),
        DownloadRefused::NotReady => refused(409, "not_ready", "The job has not succeeded: look at its state"),
        DownloadRefused::Expired => refused(410, "expired", "An export is kept for a day: ask for a new one"),
        DownloadRefused::Busy => try_again("Others are downloading: try again in a moment"),
    }
}

fn failed(request_id: &str, error: &(dyn std::error::Error + Send + Sync)) -> Response {
    tracing::error!(request_id, error = %error, "an export was not begun");
    try_again("This cannot be read now: try again in a moment")
}

fn try_again(message: &str) -> Response {
    let mut response = refused(503, "try_again", message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

fn unauthenticated() -> Response {
    let mut response = refused(401, "unauthenticated", "Send Authorization: Bearer with an access token or an API key");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn refused(status: u16, code: &str, message: &str) -> Response {
    let body = serde_json::json!({ "ok": false, "code": code, "message": message });
    let mut response = with_status(status, body.to_string());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    mark_private(headers);
    response
}

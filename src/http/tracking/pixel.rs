//! `/pixel.gif`: a conversion that a browser reports by loading a picture.
//!
//! A browser can do nothing with a status, so the answer is always 200 and the same picture. A pixel is public: it
//! brings a sealed id, in the URL or in the cookie that the click left on this domain.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use crate::app::track::{Tracked, track};
use crate::domain::code::Verdict;
use crate::domain::ids::OfferId;
use crate::domain::inbound::{Door, Inbound, Slot};
use crate::http::answer::{RECEIPT_ID, mark_private, method_not_allowed, with_status};
use crate::http::extract::tracking_request::TrackingRequest;
use crate::http::state::HttpState;
use crate::telemetry::field;

const METHODS: &str = "GET";
const ROUTE: &str = "/pixel.gif";
/// Longer values are no ids of ours.
const COOKIE_CHARACTERS_MAX: usize = 64;

/// One transparent pixel: GIF89a, 1 × 1, two colours of which the first is transparent.
const GIF: &[u8; 43] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\
\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

pub(crate) async fn pixel(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    let request = TrackingRequest::read(request, state.body_timeout).await;
    answer_read(&state, request).await
}

pub(crate) async fn refuse_method(request: Request) -> Response {
    method_not_allowed(Door::Postback, METHODS, request.headers(), ROUTE)
}

/// For whoever has read the request already.
pub(crate) async fn answer_read(state: &HttpState, request: TrackingRequest) -> Response {
    let (parts, mut inbound, arrival) = request.at(Door::Pixel, state);
    take_cookie(&mut inbound, &parts.headers);
    respond(&track(&state.app, inbound, arrival).await)
}

/// Without an id in the URL, `offer=` says which cookie has it.
fn take_cookie(inbound: &mut Inbound, headers: &HeaderMap) {
    if let (Slot::Absent, Slot::Value(offer)) = (&inbound.transaction_id, &inbound.offer)
        && let Some(id) = cookie(headers, *offer)
    {
        inbound.transaction_id = Slot::Value(id);
    }
}

fn cookie(headers: &HeaderMap, offer: OfferId) -> Option<String> {
    let name = format!("rt_{}", offer.number());
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(own, value)| *own == name && value.len() <= COOKIE_CHARACTERS_MAX)?;
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

fn respond(tracked: &Tracked) -> Response {
    let answer = &tracked.answer;
    let result = match answer.code.verdict() {
        Verdict::Refused | Verdict::Failed if tracked.spooled => "spooled",
        Verdict::Recorded => "recorded",
        Verdict::Duplicate | Verdict::NoChange => "duplicate",
        Verdict::Parked | Verdict::Refused | Verdict::Failed => "refused",
    };
    let mut response = with_status(200, GIF.as_slice());
    let headers = response.headers_mut();
    mark_private(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/gif"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    headers.insert("x-conversion-result", HeaderValue::from_static(result));
    if let Some(receipt) = answer.receipt.and_then(|id| HeaderValue::try_from(id.to_string()).ok()) {
        headers.insert(RECEIPT_ID, receipt);
    }
    tracing::debug!({ field::ROUTE } = ROUTE, { field::CODE } = answer.code.as_str(), "answered");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_one_gif_of_43_bytes() {
        assert!(GIF.starts_with(b"GIF89a") && GIF.ends_with(b";"));
        let answer = crate::domain::answer::Answer::bare(Door::Pixel, crate::domain::code::Code::TryAgain);
        let tracked = |spooled| Tracked { answer: answer.clone(), retry_after_seconds: None, spooled };
        for (spooled, result) in [(false, "refused"), (true, "spooled")] {
            let response = respond(&tracked(spooled));
            assert_eq!(
                (response.status().as_u16(), &response.headers()["x-conversion-result"]),
                (200, &HeaderValue::from_static(result))
            );
        }
    }

    #[test]
    fn the_cookie_of_the_offer_is_found_among_others() {
        let offer = |number| OfferId::new(number).unwrap();
        let headers = HeaderMap::from_iter([
            (header::COOKIE, HeaderValue::from_static("a=b; rt_42=abc;rt_7=")),
            (header::COOKIE, HeaderValue::from_static("rt_43=def")),
        ]);
        assert_eq!(cookie(&headers, offer(42)).as_deref(), Some("abc"));
        assert_eq!(cookie(&headers, offer(43)).as_deref(), Some("def"));
        assert_eq!(cookie(&headers, offer(7)), None);
        assert_eq!(cookie(&headers, offer(4)), None);
    }
}

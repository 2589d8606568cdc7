//! The only table of the tracking codes' statuses, and how an answer becomes a response.
//!
//! Senders act on the status alone: a 4xx other than 429 is final, 429 and 5xx mean "send again". So a code has one
//! status at a door, here and nowhere else, and the admin API is handed [`status_of`] to show what was answered.
//! A pixel is always 200 with the same picture, because a browser can do nothing with anything else.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

use crate::app::track::Tracked;
use crate::domain::answer::Answer;
use crate::domain::code::Code;
use crate::domain::inbound::Door;
use crate::telemetry::field;

/// The id under which an operator finds the request.
pub(crate) const RECEIPT_ID: HeaderName = HeaderName::from_static("x-receipt-id");
/// `Retry-After` where nothing more exact is known.
const RETRY_AFTER_SECONDS: u64 = 1;
/// Room for those that an answer usually has.
const HEADERS: usize = 6;

/// The status of a code at a door. `lenient`: the token asked for 200 where a refusal would be a 4xx; that counts for
/// what is found after its sender is believed (check 4), never for a 401, 429 or 5xx.
pub fn status_of(code: Code, door: Door, lenient: bool) -> u16 {
    let status = strict_status_of(code, door);
    if lenient && is_after_the_sender(code) { 200 } else { status }
}

fn strict_status_of(code: Code, door: Door) -> u16 {
    if door == Door::Pixel {
        return 200;
    }
    match code {
        Code::Recorded
        | Code::Duplicate
        | Code::Confirmed
        | Code::Rejected
        | Code::ReasonUpdated
        | Code::ReasonAdded
        | Code::NoChange
        | Code::StatusChanged
        | Code::DryRun
        | Code::PixelDisabled
        | Code::PixelDomainRequired => 200,
        Code::Parked => 202,
        Code::AmbiguousParameter | Code::InvalidEncoding | Code::ValueTooLong | Code::TooManyParameters => 400,
        Code::MissingSecure | Code::InvalidSecure => 401,
        Code::TokenCapability
        | Code::IpNotAllowed
        | Code::TokenOfferMismatch
        | Code::ClicklessDisabled
        | Code::PublisherNotAllowed => 403,
        Code::UnknownRoute | Code::ConversionNotFound => 404,
        Code::MethodNotAllowed => 405,
        Code::NoBaseConversion | Code::AmbiguousTarget | Code::InvalidTransition => 409,
        Code::BodyTooLarge => 413,
        Code::UriTooLong => 414,
        Code::UnsupportedMediaType => 415,
        Code::UnknownOffer if door == Door::Click => 404,
        Code::OfferInactive if door == Door::Click => 410,
        Code::UnreplacedMacro
        | Code::MissingTransactionId
        | Code::MalformedTransactionId
        | Code::UnexpectedTransactionId
        | Code::OfferRequired
        | Code::UnknownOffer
        | Code::MissingPublisher
        | Code::UnknownPublisher
        | Code::UnknownEvent
        | Code::InvalidAmount
        | Code::InvalidCurrency
        | Code::InvalidStatus
        | Code::ReasonRequired
        | Code::OfferInactive => 422,
        Code::RateLimited => 429,
        Code::Internal => 500,
        Code::TryAgain => 503,
    }
}

/// Is it only found once the token and the sender's address are believed?
fn is_after_the_sender(code: Code) -> bool {
    match code {
        Code::UnreplacedMacro
        | Code::MissingTransactionId
        | Code::MalformedTransactionId
        | Code::UnexpectedTransactionId
        | Code::TokenOfferMismatch
        | Code::ClicklessDisabled
        | Code::PublisherNotAllowed
        | Code::ConversionNotFound
        | Code::NoBaseConversion
        | Code::AmbiguousTarget
        | Code::InvalidTransition
        | Code::OfferRequired
        | Code::UnknownOffer
        | Code::MissingPublisher
        | Code::UnknownPublisher
        | Code::UnknownEvent
        | Code::InvalidAmount
        | Code::InvalidCurrency
        | Code::InvalidStatus
        | Code::ReasonRequired
        | Code::OfferInactive => true,
        Code::Recorded
        | Code::Duplicate
        | Code::Confirmed
        | Code::Rejected
        | Code::ReasonUpdated
        | Code::ReasonAdded
        | Code::NoChange
        | Code::StatusChanged
        | Code::DryRun
        | Code::Parked
        | Code::AmbiguousParameter
        | Code::InvalidEncoding
        | Code::ValueTooLong
        | Code::TooManyParameters
        | Code::MissingSecure
        | Code::InvalidSecure
        | Code::TokenCapability
        | Code::IpNotAllowed
        | Code::UnknownRoute
        | Code::MethodNotAllowed
        | Code::BodyTooLarge
        | Code::UriTooLong
        | Code::UnsupportedMediaType
        | Code::PixelDisabled
        | Code::PixelDomainRequired
        | Code::RateLimited
        | Code::Internal
        | Code::TryAgain => false,
    }
}

/// How the sender wants to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    /// One line: `OK <conversion_id>` or `ERROR <code>`.
    Text,
}

impl Form {
    /// `format=text` wins; else `Accept` decides, where it names plain text and not JSON.
    pub(crate) fn wanted(headers: &HeaderMap, text_parameter: bool) -> Self {
        let names = |wanted: &str| {
            let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
            let mut ranges = values.flat_map(|value| value.split(','));
            ranges.any(|range| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted))
        };
        if text_parameter || (names("text/plain") && !names("application/json")) { Self::Text } else { Self::Json }
    }
}

/// The response of a door that answers in words. `route` is the pattern, for the log.
pub(crate) fn respond(tracked: &Tracked, form: Form, route: &'static str) -> Response {
    let Tracked { answer, retry_after_seconds, spooled: _ } = tracked;
    let status = status_of(answer.code, answer.door, answer.lenient);
    let (media, body) = match form {
        Form::Json => ("application/json", answer.to_json()),
        Form::Text => ("text/plain; charset=utf-8", answer.to_text()),
    };
    let mut response = with_status(status, Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    mark_private(headers);
    if let Some(receipt) = answer.receipt.and_then(|id| HeaderValue::try_from(id.to_string()).ok()) {
        headers.insert(RECEIPT_ID, receipt);
    }
    if matches!(status, 429 | 503) {
        headers.insert(header::RETRY_AFTER, retry_after_seconds.unwrap_or(RETRY_AFTER_SECONDS).into());
    }
    if status == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    tracing::debug!(
        { field::ROUTE } = route,
        { field::STATUS } = status,
        { field::CODE } = answer.code.as_str(),
        "answered"
    );
    response
}

/// A refusal that no judgement was needed for.
pub(crate) fn refuse(door: Door, code: Code, headers: &HeaderMap, route: &'static str) -> Response {
    let tracked = Tracked { answer: Answer::bare(door, code), retry_after_seconds: None, spooled: false };
    respond(&tracked, Form::wanted(headers, false), route)
}

/// 405 with the methods that the route has.
pub(crate) fn method_not_allowed(
    door: Door,
    allowed: &'static str,
    headers: &HeaderMap,
    route: &'static str,
) -> Response {
    let mut response = refuse(door, Code::MethodNotAllowed, headers, route);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// What no proxy may keep and no browser may guess about.
pub(crate) fn mark_private(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Of a body that was not read to its end the rest would be taken for the next request, so the connection ends: a
/// client must be told, or it sends its next postback into a closing connection.
pub(crate) fn with_status(status: u16, body: impl Into<Body>) -> Response {
    // The table holds valid numbers only.
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().reserve(HEADERS);
    if matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::code::Verdict;

    #[test]
    fn what_is_ok_is_a_2xx_and_what_is_refused_is_a_4xx() {
        for code in Code::ALL.iter().copied().filter(|code| !code.as_str().starts_with("pixel_")) {
            let status = status_of(code, Door::Postback, false);
            let expected = match code.verdict() {
                Verdict::Recorded | Verdict::Duplicate | Verdict::NoChange | Verdict::Parked => 2,
                Verdict::Refused => 4,
                Verdict::Failed => 5,
            };
            assert_eq!(status / 100, expected, "{}", code.as_str());
        }
    }

    #[test]
    fn leniency_never_hides_a_bad_token_a_limit_or_our_own_fault() {
        for code in Code::ALL.iter().copied() {
            let (strict, lenient) = (status_of(code, Door::Postback, false), status_of(code, Door::Postback, true));
            assert!(lenient == strict || (lenient == 200 && matches!(strict, 403 | 404 | 409 | 422)));
        }
        for code in [Code::InvalidSecure, Code::RateLimited, Code::TryAgain, Code::Internal, Code::IpNotAllowed] {
            assert_ne!(status_of(code, Door::Postback, true), 200, "{}", code.as_str());
        }
        assert_eq!(status_of(Code::MalformedTransactionId, Door::Postback, true), 200);
    }

    #[test]
    fn a_click_says_by_its_status_what_is_wrong_with_the_link_and_a_pixel_never_does() {
        assert_eq!(status_of(Code::UnknownOffer, Door::Click, false), 404);
        assert_eq!(status_of(Code::UnknownOffer, Door::Clickless, false), 422);
        assert_eq!(status_of(Code::OfferInactive, Door::Click, false), 410);
        assert_eq!(status_of(Code::OfferInactive, Door::Postback, false), 422);
        assert!(Code::ALL.iter().all(|code| status_of(*code, Door::Pixel, false) == 200));
    }

    #[test]
    fn plain_text_is_sent_only_to_whoever_asks_for_it() {
        let accept = |value: &'static str| HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]);
        assert_eq!(Form::wanted(&HeaderMap::new(), false), Form::Json);
        assert_eq!(Form::wanted(&HeaderMap::new(), true), Form::Text);
        assert_eq!(Form::wanted(&accept("text/plain, */*;q=0.1"), false), Form::Text);
        assert_eq!(Form::wanted(&accept("application/json, text/plain, */*"), false), Form::Json);
        assert_eq!(Form::wanted(&accept("text/html, */*"), false), Form::Json);
    }
}

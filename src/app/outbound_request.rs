//! One outbound postback: its request, signed, and one try to send it.
//!
//! Whoever sends one comes through here: the worker, and whoever tries a rule by hand. What is kept of a try has no
//! signature in it, so that nothing that is shown later can be sent again by somebody else.

use tokio::time::Instant;
use url::Url;

use super::App;
use super::publisher_client::{OutboundRequest, SendFailure};
use crate::domain::clock::{Timestamp, random_bytes};
use crate::domain::delivery::{Attempt, Next, TryOutcome, kept_answer, next_after, outcome_of, read_retry_after};
use crate::domain::ids::DeliveryId;
use crate::domain::outbound::{Method, OutboundPostback};
use crate::domain::outbound_message::{Message, Told};
use crate::domain::signing::{SigningSecret, header_signature, signed_url, unix_seconds};

/// One try.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    pub(super) attempt: Attempt,
    pub(super) outcome: TryOutcome,
    /// Has the host answered like one that works? `None` where it was not asked.
    pub(super) host_is_well: Option<bool>,
}

/// Sends what `rule` makes of `told`, once, as try `number` of a delivery.
pub(super) async fn try_once(
    app: &App,
    rule: &OutboundPostback,
    told: &Told,
    (delivery, number): (DeliveryId, i32),
) -> Tried {
    let at = app.clock.now();
    let message = told.message(rule);
    let shown = message.as_ref().map_or_else(|_| rule.template.as_str().to_owned(), |message| message.url.clone());
    let body = message.as_ref().ok().and_then(|message| message.body.clone());
    let attempt = Attempt {
        delivery,
        number,
        at,
        duration_ms: 0,
        url: shown,
        body,
        response_status: None,
        response_body: None,
        error: None,
    };
    let request = match message {
        Ok(message) => signed(app, rule, &message, (delivery, told.is_test), at),
        Err(error) => Err(Unsendable::Final(error.to_string())),
    };
    match request {
        Ok(request) => send(app, &request, attempt).await,
        Err(Unsendable::Final(error)) => not_sent(attempt, error, TryOutcome::Final),
        Err(Unsendable::ForNow(error)) => not_sent(attempt, error, TryOutcome::Again { retry_after_seconds: None }),
    }
}

/// What becomes of a delivery after a try, its wait drawn by chance.
pub(super) fn next(app: &App, outcome: TryOutcome, tries: i32) -> Next {
    let chance = u16::from_be_bytes(random_bytes(&*app.entropy));
    next_after(outcome, tries, app.clock.now(), chance)
}

/// Why there is nothing to be sent.
enum Unsendable {
    Final(String),
    ForNow(String),
}

fn not_sent(attempt: Attempt, error: String, outcome: TryOutcome) -> Tried {
    Tried { attempt: Attempt { error: Some(error), ..attempt }, outcome, host_is_well: None }
}

fn signed(
    app: &App,
    rule: &OutboundPostback,
    message: &Message,
    (delivery, is_test): (DeliveryId, bool),
    at: Timestamp,
) -> Result<OutboundRequest, Unsendable> {
    let unreadable = |_| Unsendable::Final("not sent: this is no URL".to_owned());
    let url = Url::parse(&message.url).map_err(unreadable)?;
    let id = delivery.to_string();
    let mut headers = vec![("webhook-id", id.clone()), ("webhook-timestamp", unix_seconds(at))];
    headers.extend(is_test.then(|| ("roundtrip-test", "true".to_owned())));
    headers.extend(message.content_type().map(|kind| ("content-type", kind.to_owned())));
    let url = match (message.method, &message.body, &rule.signature_parameter) {
        (Method::PostForm | Method::PostJson, Some(body), _) => {
            headers.push(("webhook-signature", header_signature(&secrets(app, rule, at)?, &id, at, body)));
            url
        }
        (Method::Get, _, Some(parameter)) => {
            let signed = signed_url(&secrets(app, rule, at)?, url.as_str(), parameter);
            Url::parse(&signed).map_err(unreadable)?
        }
        (Method::Get, _, None) | (Method::PostForm | Method::PostJson, None, _) => url,
    };
    Ok(OutboundRequest { url, body: message.body.clone(), headers })
}

/// Those that sign now, the newest first.
fn secrets(app: &App, rule: &OutboundPostback, now: Timestamp) -> Result<Vec<SigningSecret>, Unsendable> {
    let sealed = rule.signing.live_at(now);
    let opened = sealed.into_iter().map(|sealed| SigningSecret::open(sealed, &app.keyring, rule.id));
    opened.collect::<Result<_, _>>().map_err(|error| Unsendable::ForNow(format!("not sent: {error}")))
}

async fn send(app: &App, request: &OutboundRequest, attempt: Attempt) -> Tried {
    let began = Instant::now();
    let answer = app.publishers.send(request).await;
    let duration_ms = i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
    let attempt = Attempt { duration_ms, ..attempt };
    match answer {
        Ok(answer) => {
            let retry_after = answer.retry_after.and_then(|text| read_retry_after(&text, app.clock.now()));
            let outcome = outcome_of(answer.status, retry_after);
            let error = match answer.status {
                300..=399 => Some("a redirect, which is not followed".to_owned()),
                _ => None,
            };
            Tried {
                attempt: Attempt {
                    response_status: Some(i32::from(answer.status)),
                    response_body: Some(kept_answer(&answer.body)),
                    error,
                    ..attempt
                },
                outcome,
                // Whoever says what is wrong with a request works; whoever cannot take any does not.
                host_is_well: Some(!matches!(answer.status, 408 | 425 | 429 | 500..)),
            }
        }
        Err(failure) => {
            let (outcome, asked) = match &failure {
                SendFailure::Refused(_) | SendFailure::Unwritable => (TryOutcome::Final, false),
                SendFailure::ReservedAddress(_)
                | SendFailure::NoAddress
                | SendFailure::NoDns(_)
                | SendFailure::NoConnection(_)
                | SendFailure::NoTls(_)
                | SendFailure::Late(_)
                | SendFailure::Broken(_) => (TryOutcome::Again { retry_after_seconds: None }, true),
            };
            Tried { host_is_well: asked.then_some(false), ..not_sent(attempt, failure.to_string(), outcome) }
        }
    }
}

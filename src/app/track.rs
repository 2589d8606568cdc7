//! Every tracking request that speaks of a conversion: postback, clickless, pixel, rejection, status change.
//!
//! The doors differ in their checks (`domain::screening`) and not in what is done about them, so the verb is one:
//! look at the request and the control data in memory; without a verified token answer at once and keep the receipt
//! where there is room; else hand it to intake, which judges it on what is recorded, commits, and only then answers.
//! Nothing here writes: were there a second way to record, the promise "never twice" would need a second proof.

use tokio::time::Instant;

use super::{App, limits::Limited, snapshot};
use crate::domain::answer::{Answer, Rehearsal};
use crate::domain::clock::random_bytes;
use crate::domain::code::Code;
use crate::domain::ids::{ReceiptId, TokenId};
use crate::domain::inbound::{Door, Inbound, SecureSlot};
use crate::domain::privacy::{PrivateAddress, PrivateEmail};
use crate::domain::receipt::{Arrival, Receipt, canonical_params, params_without_emails, private_extras};
use crate::domain::screening::{Check, Hit, Known, Refusal, admit_read, live_token};
use crate::domain::secure_token::TokenDigest;
use crate::domain::settings::EmailStorage;
use crate::intake::Unsettled;
use crate::store::tokens;
use crate::telemetry::{count_accepted, count_answer, count_durable, count_thinned, field};

/// `Retry-After` of a 503 is drawn from 1 to this, so that senders do not come back all at once.
const RETRY_AFTER_SECONDS_MAX: u64 = 5;

/// What the sender is told.
#[derive(Clone, Debug)]
pub struct Tracked {
    pub answer: Answer,
    /// Beside `try_again` and `rate_limited`.
    pub retry_after_seconds: Option<u64>,
    /// A pixel that is kept, and judged when the database takes it.
    pub spooled: bool,
}

/// Judges one request and records what it says. The answer is durable when it says `ok`.
///
/// The inbound comes in a box, and what only some requests wait for waits in one: a future is copied with all the room
/// that any of its ways could need, once for each function it is passed through.
pub async fn track(app: &App, inbound: Box<Inbound>, arrival: Arrival) -> Tracked {
    let begun = Instant::now();
    let door = inbound.door;
    count_accepted(door);
    let tracked = match standing(app, &inbound, &arrival).await {
        Ok(Standing::Settles(token)) if inbound.dry_run => {
            Box::pin(rehearse(app, hit(app, *inbound, arrival), token)).await
        }
        Ok(Standing::Settles(_)) => Box::pin(settle(app, hit(app, *inbound, arrival))).await,
        Ok(Standing::Refused(known, refusal)) => refuse(app, inbound, arrival, &known, &refusal, begun),
        Ok(Standing::Unknown) => without_outcome(app, door, Unsettled::Away),
        Err(limited) => refuse_flood(app, inbound, arrival, limited, begun),
    };
    count_answer(door, tracked.answer.code, begun.elapsed());
    tracked
}

/// The request as intake takes it, its personal values in their private forms.
pub(super) fn hit(app: &App, inbound: Inbound, arrival: Arrival) -> Hit {
    let keyring = &app.keyring;
    let emails = app.snapshot.load().settings.email_storage;
    let drops = emails == EmailStorage::Dropped;
    let email = inbound.user_email.as_deref().filter(|_| !drops);
    Hit {
        replay: None,
        receipt: ReceiptId::mint(app.clock.as_ref(), app.entropy.as_ref()),
        params: canonical_params(&inbound, keyring),
        kept_params: drops.then(|| params_without_emails(&inbound, keyring)),
        address: PrivateAddress::of(keyring, arrival.address),
        conversion_ip: inbound.conversion_ip.map(|address| PrivateAddress::of(keyring, address)),
        email: email.and_then(|email| PrivateEmail::of(keyring, email)),
        extras: private_extras(&inbound, keyring, emails),
        inbound,
        arrival,
    }
}

/// What the control data in memory says of a request.
enum Standing {
    /// Intake decides and keeps the receipt: it has a verified token, or needs none.
    Settles(Option<TokenId>),
    /// Nobody is known to have sent it.
    Refused(Known, Refusal),
    /// The token may be one that another server has just made, and the database does not say: a refusal would be
    /// final, so the sender is asked to come again.
    Unknown,
}

/// # Errors
/// The network sends too many bad tokens.
async fn standing(app: &App, inbound: &Inbound, arrival: &Arrival) -> Result<Standing, Limited> {
    let sent = sent_token(inbound);
    if let Some(token) = look_for_token(app, sent, arrival) {
        return Ok(Standing::Settles(Some(token)));
    }
    let first = look(app, inbound, arrival);
    let (Standing::Refused(..), Sent::Unusable | Sent::Digest(_)) = (&first, sent) else { return Ok(first) };
    app.limits.bad_token(arrival.address)?;
    // Another server may have made the token since our last look at the database.
    let Sent::Digest(digest) = sent else { return Ok(first) };
    match snapshot::find_unknown_token(app, &digest).await {
        Ok(true) => Ok(look(app, inbound, arrival)),
        Ok(false) => Ok(first),
        Err(error) => {
            tracing::warn!({ field::ERROR } = %error, "an unknown token could not be looked up");
            Ok(Standing::Unknown)
        }
    }
}

/// Most requests have a good token, and need no more than to be known by it: intake looks at the rest.
fn look_for_token(app: &App, sent: Sent, arrival: &Arrival) -> Option<TokenId> {
    match sent {
        Sent::Nothing | Sent::Unusable => None,
        Sent::Digest(digest) => live_token(&app.snapshot.load(), &digest, arrival.at).map(|token| token.id),
    }
}

fn look(app: &App, inbound: &Inbound, arrival: &Arrival) -> Standing {
    let snapshot = app.snapshot.load();
    match admit_read(inbound, arrival, &snapshot, &app.keyring) {
        (known, Err(refusal)) if known.token.is_none() => Standing::Refused(known, refusal),
        (known, Ok(_) | Err(_)) => Standing::Settles(known.token),
    }
}

/// The token of a request, at a door that takes one.
#[derive(Clone, Copy)]
enum Sent {
    Nothing,
    /// Nobody can have it.
    Unusable,
    Digest(TokenDigest),
}

fn sent_token(inbound: &Inbound) -> Sent {
    use secrecy::ExposeSecret;
    match inbound.door {
        Door::Click | Door::Pixel => return Sent::Nothing,
        Door::Postback | Door::Clickless | Door::Rejection | Door::Status => {}
    }
    match &inbound.secure {
        SecureSlot::Absent | SecureSlot::Verified { .. } => Sent::Nothing,
        SecureSlot::Unusable => Sent::Unusable,
        SecureSlot::Present(secret) => Sent::Digest(TokenDigest::of(secret.expose_secret())),
    }
}

async fn settle(app: &App, hit: Hit) -> Tracked {
    let door = hit.inbound.door;
    match app.intake.settle(hit).await {
        Ok(answer) => {
            count_durable(door);
            Tracked { answer, retry_after_seconds: None, spooled: false }
        }
        Err(unsettled) => without_outcome(app, door, unsettled),
    }
}

fn without_outcome(app: &App, door: Door, unsettled: Unsettled) -> Tracked {
    match unsettled {
        Unsettled::Full | Unsettled::Late | Unsettled::Away => {
            let [draw] = random_bytes(app.entropy.as_ref());
            let seconds = u64::from(draw) % RETRY_AFTER_SECONDS_MAX + 1;
            Tracked { answer: Answer::bare(door, Code::TryAgain), retry_after_seconds: Some(seconds), spooled: false }
        }
        Unsettled::Spooled => {
            count_durable(door);
            Tracked { answer: Answer::bare(door, Code::TryAgain), retry_after_seconds: None, spooled: true }
        }
        // The writer has logged why.
        Unsettled::Internal => {
            Tracked { answer: Answer::bare(door, Code::Internal), retry_after_seconds: None, spooled: false }
        }
    }
}

fn refuse(
    app: &App,
    inbound: Box<Inbound>,
    arrival: Arrival,
    known: &Known,
    refusal: &Refusal,
    begun: Instant,
) -> Tracked {
    let answer = Answer::bare(inbound.door, refusal.code);
    keep_receipt(app, inbound, arrival, known, refusal, begun);
    Tracked { answer, retry_after_seconds: None, spooled: false }
}

fn refuse_flood(app: &App, inbound: Box<Inbound>, arrival: Arrival, limited: Limited, begun: Instant) -> Tracked {
    let door = inbound.door;
    let refusal = Refusal::new(Check::TokenLive, Code::RateLimited);
    keep_receipt(app, inbound, arrival, &Known::default(), &refusal, begun);
    rate_limited(door, limited)
}

/// The receipt of a request that nobody is known to have sent: kept, or counted as thinned. Nothing is prepared for
/// it before that is decided, because what a flood costs is paid by everybody else.
pub(super) fn keep_receipt(
    app: &App,
    inbound: Box<Inbound>,
    arrival: Arrival,
    known: &Known,
    refusal: &Refusal,
    begun: Instant,
) {
    if !app.limits.keeps_stranger_receipt(arrival.address, arrival.at) {
        return count_thinned();
    }
    let hit = hit(app, *inbound, arrival);
    app.intake.offer_receipt(Receipt::refused(&hit, known, refusal, microseconds_since(begun)));
}

fn rate_limited(door: Door, limited: Limited) -> Tracked {
    let answer = Answer::bare(door, Code::RateLimited);
    Tracked { answer, retry_after_seconds: Some(limited.retry_after_seconds), spooled: false }
}

/// The same judgement on the same data, with nothing written but a mark on the token. Without a token there is
/// nobody who may be told.
async fn rehearse(app: &App, hit: Hit, token: Option<TokenId>) -> Tracked {
    let door = hit.inbound.door;
    let Some(token) = token else {
        return Tracked { answer: Answer::bare(door, Code::MissingSecure), retry_after_seconds: None, spooled: false };
    };
    if let Err(limited) = app.limits.dry_run(token) {
        return rate_limited(door, limited);
    }
    let rehearsed = match app.intake.rehearse(&hit).await {
        Ok(rehearsed) => rehearsed,
        Err(unsettled) => return without_outcome(app, door, unsettled),
    };
    mark_dry_run(app, token).await;
    let would = rehearsed.answer;
    let answer = Answer {
        status: would.status,
        field: would.field,
        received: would.received,
        detail: would.detail,
        warnings: would.warnings,
        verified: true,
        rehearsal: Some(Rehearsal { would_be: would.code, checks: rehearsed.checks }),
        ..Answer::bare(door, Code::DryRun)
    };
    Tracked { answer, retry_after_seconds: None, spooled: false }
}

/// The rehearsal is told whether or not its mark could be written.
async fn mark_dry_run(app: &App, token: TokenId) {
    if let Err(error) = tokens::mark_dry_run(&app.database, token, app.clock.now()).await {
        tracing::warn!({ field::ERROR } = %error, { field::TOKEN_ID } = %token, "a dry run was not marked");
    }
}

fn microseconds_since(begun: Instant) -> i64 {
    i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX)
}

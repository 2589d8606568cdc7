//! A click: where the visitor goes, and the record of the visit.
//!
//! The visitor is always sent on, whatever becomes of the record: he has done nothing wrong, and the id in his URL
//! carries all that a conversion needs. So nothing here refuses a visitor; a link that names no live offer sends him
//! to the fallback. The destination is the operator's template: no parameter chooses it.

use tokio::time::Instant;

use super::App;
use super::track::keep_receipt;
use crate::domain::click::Click;
use crate::domain::clock::{Timestamp, random_bytes};
use crate::domain::code::Code;
use crate::domain::ids::{OfferId, PublisherId};
use crate::domain::inbound::{Door, Inbound, Slot};
use crate::domain::macros::{DestinationError, Macro, MacroValues};
use crate::domain::money::{Micros, Price};
use crate::domain::offer::Offer;
use crate::domain::privacy::PrivateAddress;
use crate::domain::receipt::Arrival;
use crate::domain::screening::{Check, ClickAdmission, Known, Refusal, admit_click};
use crate::domain::snapshot::Snapshot;
use crate::domain::test_link;
use crate::domain::transaction_id::{Kind, TransactionId};
use crate::intake::Unsettled;
use crate::telemetry::{count_accepted, count_answer, count_durable, metric};

/// Where the visitor goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clicked {
    /// To the offer's landing page.
    Landed { location: String, cookie: Option<PixelCookie>, transaction_id: TransactionId },
    /// The link names no live offer: to the fallback, or to a plain page where there is none.
    Refused { code: Code, fallback: Option<String> },
}

/// Carries the id to the image pixel, on a tracking domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PixelCookie {
    pub offer: OfferId,
    pub transaction_id: TransactionId,
    /// The offer's attribution window.
    pub max_age_seconds: i64,
}

/// Mints the id, records the click, and says where the visitor goes. It waits for the record as long as intake
/// does, and not for a second try.
pub async fn record_click(app: &App, inbound: Box<Inbound>, arrival: Arrival) -> Clicked {
    let begun = Instant::now();
    count_accepted(Door::Click);
    let clicked = match resolve(app, &inbound, &arrival, true) {
        Ok(landing) => {
            let transaction_id = landing.click.transaction_id;
            record(app, landing.click).await;
            Clicked::Landed { location: landing.location, cookie: landing.cookie, transaction_id }
        }
        Err(refused) => {
            let Refused { refusal, offer, fallback } = *refused;
            let code = refusal.code;
            let known = Known { offer, publisher: publisher_of(&inbound), ..Known::default() };
            keep_receipt(app, inbound, arrival, &known, &refusal, begun);
            Clicked::Refused { code, fallback }
        }
    };
    count(&clicked, begun);
    clicked
}

/// Where the link leads, with nothing minted and nothing written: for HEAD. The id stays empty in the destination.
pub fn preview_click(app: &App, inbound: &Inbound, arrival: &Arrival) -> Clicked {
    match resolve(app, inbound, arrival, false) {
        Ok(landing) => {
            Clicked::Landed { location: landing.location, cookie: None, transaction_id: landing.click.transaction_id }
        }
        Err(refused) => Clicked::Refused { code: refused.refusal.code, fallback: refused.fallback },
    }
}

struct Landing {
    click: Click,
    location: String,
    cookie: Option<PixelCookie>,
}

struct Refused {
    refusal: Refusal,
    offer: Option<OfferId>,
    fallback: Option<String>,
}

/// Everything of a click that needs no database. Without `minted` the id is left out of the destination.
fn resolve(app: &App, inbound: &Inbound, arrival: &Arrival, minted: bool) -> Result<Landing, Box<Refused>> {
    let snapshot = app.snapshot.load();
    let is_test = is_test(app, inbound, arrival.at);
    let admission = admit_click(inbound, &snapshot, is_test)
        .map_err(|(refusal, offer)| Box::new(refused(refusal, offer, &snapshot)))?;
    let click = click(app, &admission, inbound, arrival, is_test);
    let text = click.transaction_id.to_string();
    let values =
        MacroValues { transaction_id: minted.then_some(text.as_str()), ..macro_values(app, admission.offer, &click) };
    let location = destination(admission.offer, &values).map_err(|error| {
        let detail = Some(error.to_string());
        let refusal = Refusal { detail, ..Refusal::new(Check::Stored, Code::Internal) };
        Box::new(refused(refusal, Some(admission.offer), &snapshot))
    })?;
    let cookie = snapshot.accepting_domain(&arrival.host).map(|_| PixelCookie {
        offer: click.offer,
        transaction_id: click.transaction_id,
        max_age_seconds: admission.offer.attribution_window_seconds(),
    });
    Ok(Landing { click, location, cookie })
}

fn refused(refusal: Refusal, offer: Option<&Offer>, snapshot: &Snapshot) -> Refused {
    let own = offer.and_then(|offer| offer.fallback_url.as_ref()).or(snapshot.settings.fallback_url.as_ref());
    let fallback = own.filter(|url| !url.is_empty()).cloned();
    Refused { refusal, offer: offer.map(|offer| offer.id), fallback }
}

/// Only the proof that our link builder made counts; a wrong one makes an ordinary click.
fn is_test(app: &App, inbound: &Inbound, now: Timestamp) -> bool {
    let (Slot::Value(offer), Slot::Value(publisher)) = (&inbound.offer, &inbound.publisher) else { return false };
    let proof = inbound.test.as_deref();
    proof.is_some_and(|proof| test_link::verify(&app.keyring, *offer, *publisher, proof, now).is_some())
}

fn click(app: &App, to: &ClickAdmission<'_>, inbound: &Inbound, arrival: &Arrival, is_test: bool) -> Click {
    let kind = if is_test { Kind::TestClick } else { Kind::Click };
    Click {
        transaction_id: app.minter.mint(&app.keyring, arrival.at, kind, to.offer.id, to.publisher),
        clicked_at: arrival.at,
        offer: to.offer.id,
        publisher: to.publisher,
        sub_ids: inbound.sub_ids.clone(),
        external_transaction_id: value_of(&inbound.external_transaction_id),
        device_id: inbound.device_id.clone(),
        address: Some(PrivateAddress::of(&app.keyring, arrival.address)),
        user_agent: arrival.user_agent.clone(),
        referrer_origin: arrival.referrer_origin.clone(),
        is_bot: arrival.is_bot,
        is_test,
    }
}

fn value_of(slot: &Slot<String>) -> Option<String> {
    match slot {
        Slot::Value(text) => Some(text.clone()),
        Slot::Absent | Slot::Bad(_) => None,
    }
}

/// All but the id.
fn macro_values<'a>(app: &App, offer: &Offer, click: &'a Click) -> MacroValues<'a> {
    let random = || u64::from_be_bytes(random_bytes(app.entropy.as_ref()));
    MacroValues {
        transaction_id: None,
        offer_id: Some(click.offer),
        publisher_id: Some(click.publisher),
        sub_ids: click.sub_ids.each_ref().map(Option::as_deref),
        external_transaction_id: click.external_transaction_id.as_deref(),
        device_id: click.device_id.as_deref(),
        payout: fixed_payout(offer, click.publisher),
        currency: Some(offer.currency),
        random: offer.landing_url.contains(Macro::Random).then(random),
    }
}

/// A percentage of a basket that is not known yet says nothing.
fn fixed_payout(offer: &Offer, publisher: PublisherId) -> Option<Micros> {
    match offer.payout_for(publisher) {
        Price::Fixed(amount) => Some(amount),
        Price::Percent(_) => None,
    }
}

/// Values that make the URL too long are left out rather than the visitor.
fn destination(offer: &Offer, values: &MacroValues<'_>) -> Result<String, DestinationError> {
    offer.landing_url.expand(values).or_else(|_| {
        let short = MacroValues { sub_ids: [None; 6], external_transaction_id: None, device_id: None, ..*values };
        offer.landing_url.expand(&short)
    })
}

async fn record(app: &App, click: Click) {
    match app.intake.settle_click(click).await {
        Ok(()) | Err(Unsettled::Spooled) => count_durable(Door::Click),
        Err(Unsettled::Full | Unsettled::Late | Unsettled::Away | Unsettled::Internal) => {
            metrics::counter!(metric::CLICKS_UNSETTLED).increment(1);
        }
    }
}

fn publisher_of(inbound: &Inbound) -> Option<PublisherId> {
    match &inbound.publisher {
        Slot::Value(publisher) => Some(*publisher),
        Slot::Absent | Slot::Bad(_) => None,
    }
}

fn count(clicked: &Clicked, begun: Instant) {
    let code = match clicked {
        Clicked::Landed { .. } => Code::Recorded,
        Clicked::Refused { code, .. } => *code,
    };
    count_answer(Door::Click, code, begun.elapsed());
}

//! Making and changing offers, their publishers' rates and who may promote them.
//!
//! Refuses what would lose money or conversions later: a landing page without `{transaction_id}`, a trusted payout
//! without a ceiling, rejections without a secret from anywhere, another currency once there are conversions.
//! Nothing is deleted: an archived offer still owns its clicks and conversions.

use std::collections::HashSet;

use ipnet::IpNet;
use url::Url;

use super::form::{Form, PriceDraft, conflict, price_text};
use super::idempotency::{gone, reused};
use super::snapshot::refresh_after_write;
use super::{App, Outcome, UserError, UserErrorCode};
use crate::domain::advertiser::Advertiser;
use crate::domain::audit::{AuditChange, AuditEvent, beginnings, differences};
use crate::domain::clock::Timestamp;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::{AdvertiserId, NUMBER_MAX, OfferId, PublisherId};
use crate::domain::macros::{Macro, TEMPLATE_BYTES_MAX, UrlTemplate};
use crate::domain::money::{Currency, Micros, Price};
use crate::domain::offer::{
    ATTRIBUTION_WINDOW_HOURS_DEFAULT, ATTRIBUTION_WINDOW_HOURS_MAX, CLICKLESS_REPEAT_WINDOW_SECONDS_DEFAULT,
    DuplicatePolicy, Offer, OfferAccess, OfferState, REPEAT_WINDOW_SECONDS_DEFAULT, REPEAT_WINDOW_SECONDS_MAX,
    Switches,
};
use crate::domain::operator::Principal;
use crate::domain::publisher::PartnerState;
use crate::domain::secure_token::parse_allowed_address;
use crate::store::idempotency::Earlier;
use crate::store::{advertisers, audit, idempotency, offers, publishers, settings};

/// Publishers that can be chosen for one offer.
pub const CHOSEN_PUBLISHERS_MAX: usize = 5000;
/// Networks that rejections without a secret may come from.
pub const REJECT_NETWORKS_MAX: usize = 50;

/// What a form says about an offer; what is `None` stays as it is, and at creation is as it is by default.
/// Where there are two layers, `Some(None)` clears the field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferDraft {
    /// Needed at creation.
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    /// Needed at creation.
    pub advertiser: Option<AdvertiserId>,
    /// Needed at creation.
    pub landing_page_url: Option<String>,
    pub state: Option<OfferState>,
    /// Needed at creation.
    pub revenue: Option<PriceDraft>,
    /// Needed at creation.
    pub payout: Option<PriceDraft>,
    pub payout_ceiling: Option<Option<String>>,
    pub fallback_url: Option<Option<String>>,
    /// Needed at creation, unless the workspace has one.
    pub currency: Option<String>,
    pub manual_approval: Option<bool>,
    pub clickless_enabled: Option<bool>,
    pub pixel_enabled: Option<bool>,
    pub pixel_trusted: Option<bool>,
    pub wire_revenue_trusted: Option<bool>,
    pub wire_payout_trusted: Option<bool>,
    pub strict_amounts: Option<bool>,
    pub reject_without_secure: Option<bool>,
    /// Addresses, or networks with their prefix length.
    pub reject_source_ips: Option<Vec<String>>,
    pub attribution_window_hours: Option<i32>,
    pub repeat_window_seconds: Option<i32>,
    pub clickless_repeat_window_seconds: Option<i32>,
    pub access: Option<OfferAccess>,
    pub duplicate_policy: Option<DuplicatePolicy>,
    /// At creation only; the next free one by default.
    pub number: Option<i32>,
}

/// Makes an offer.
///
/// # Errors
/// Each with its path below `offer`: `Required`, `Invalid`, `TooLong`, `TooSmall`, `TooLarge`, `UrlNotAllowed`,
/// `UnknownMacro`, `NotFound` (advertiser), `Taken` (number), `LimitExceeded`.
pub async fn create_offer(app: &App, principal: &Principal, draft: OfferDraft) -> Outcome<Offer> {
    create_offer_once(app, principal, draft, None).await
}

/// As [`create_offer`]; sent twice under one key, it makes one offer.
///
/// # Errors
/// As [`create_offer`]; `IdempotencyKeyReused`, `NotFound`.
pub async fn create_offer_once(
    app: &App,
    principal: &Principal,
    draft: OfferDraft,
    once: Option<IdempotentCall>,
) -> Outcome<Offer> {
    let (needed, read) = match read_new(&draft) {
        Ok(read) => read,
        Err(errors) => return Ok(Err(errors)),
    };
    let (event, now) = (event(app, principal, "offer.create"), app.clock.now());
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            match idempotency::find(tx, once.as_ref(), now).await? {
                Earlier::None => {}
                Earlier::OtherArguments => return Ok(Err(vec![reused()])),
                Earlier::Same(answer) => {
                    let first = match OfferId::parse(&answer) {
                        Some(id) => offers::find_in(tx, id).await?,
                        None => None,
                    };
                    return Ok(first.ok_or_else(gone));
                }
            }
            let mut errors = Vec::new();
            let id = match draft.number {
                Some(number) => OfferId::new(number),
                None => offers::next_number(tx).await?,
            };
            match id {
                Some(id) if offers::find_in(tx, id).await?.is_some() => errors.push(taken()),
                Some(_) => {}
                None => errors.push(no_number()),
            }
            errors.extend(check_advertiser(advertisers::find_in(tx, needed.advertiser).await?));
            let currency = match read.currency {
                Some(currency) => Some(currency),
                None => settings::currency_in(tx).await?,
            };
            if currency.is_none() {
                errors.push(UserError::new(UserErrorCode::Required, &["offer", "currency"], "This is needed."));
            }
            let (Some(id), Some(currency), []) = (id, currency, &*errors) else { return Ok(Err(errors)) };
            let mut offer = new_offer(id, needed, currency, now);
            apply(&draft, read, &mut offer, now);
            if let Err(errors) = check_whole(&offer) {
                return Ok(Err(errors));
            }
            idempotency::insert(tx, once.as_ref(), offer.id.to_string(), now).await?;
            offers::insert(tx, &offer).await?;
            audit::insert(tx, about(event, &offer, beginnings(fields(&offer)))).await?;
            Ok(Ok(offer))
        })
    }));
    let written = written.await?;
    refresh_after_write(app).await;
    Ok(written)
}

/// Changes an offer; `version` is that of the offer which the form was loaded from.
///
/// # Errors
/// `NotFound`, `ConflictVersion`; for a field those of creation; `InUse` for another currency once there are
/// conversions.
pub async fn update_offer(
    app: &App,
    principal: &Principal,
    (id, version): (OfferId, i32),
    draft: OfferDraft,
) -> Outcome<Offer> {
    let read = match read_change(&draft, id) {
        Ok(read) => read,
        Err(errors) => return Ok(Err(errors)),
    };
    let (event, now) = (event(app, principal, "offer.update"), app.clock.now());
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let Some(before) = offers::find_in(tx, id).await? else { return Ok(Err(vec![not_found(&["id"])])) };
            if before.version != version {
                return Ok(Err(vec![conflict(before.version)]));
            }
            let mut after = before.clone();
            apply(&draft, read, &mut after, now);
            let mut errors = check_whole(&after).err().unwrap_or_default();
            if after.advertiser != before.advertiser {
                errors.extend(check_advertiser(advertisers::find_in(tx, after.advertiser).await?));
            }
            if after.currency != before.currency && offers::has_conversions(tx, id).await? {
                errors.push(currency_in_use());
            }
            let changes = differences(fields(&before), fields(&after));
            if !errors.is_empty() {
                return Ok(Err(errors));
            }
            if changes.is_empty() {
                return Ok(Ok(before));
            }
            (after.version, after.updated_at) = (version.saturating_add(1), now);
            if !offers::update(tx, &after, version).await? {
                return Ok(Err(vec![conflict(before.version)]));
            }
            audit::insert(tx, about(event, &after, changes)).await?;
            Ok(Ok(after))
        })
    }));
    let written = written.await?;
    refresh_after_write(app).await;
    Ok(written)
}

/// Ends an offer: no more clicks, no more conversions. An archived one stays as it is.
///
/// # Errors
/// `NotFound`.
pub async fn archive_offer(app: &App, principal: &Principal, id: OfferId) -> Outcome<Offer> {
    let leave = |state: OfferState| state == OfferState::Archived;
    set_state(app, event(app, principal, "offer.archive"), id, (leave, OfferState::Archived)).await
}

/// Takes an offer out of the archive: it is paused then, so that no traffic begins before somebody says so. One that
/// is not archived stays as it is.
///
/// # Errors
/// `NotFound`.
pub async fn unarchive_offer(app: &App, principal: &Principal, id: OfferId) -> Outcome<Offer> {
    let leave = |state: OfferState| state != OfferState::Archived;
    set_state(app, event(app, principal, "offer.unarchive"), id, (leave, OfferState::Paused)).await
}

/// Sets a publisher's own payout on an offer, or takes it back with `None`.
///
/// # Errors
/// `NotFound` (`offerId`, `publisherId`); `Invalid`, `TooLarge` for the payout.
pub async fn set_publisher_rate(
    app: &App,
    principal: &Principal,
    (id, publisher): (OfferId, PublisherId),
    payout: Option<&PriceDraft>,
) -> Outcome<Offer> {
    let mut form = Form::new(None);
    let price = form.price("payout", payout);
    let price = match form.finish(Some(price)) {
        Ok(price) => price,
        Err(errors) => return Ok(Err(errors)),
    };
    let action = if price.is_some() { "offer.rate.set" } else { "offer.rate.clear" };
    let event = event(app, principal, action);
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let Some(mut offer) = offers::find_in(tx, id).await? else {
                return Ok(Err(vec![not_found(&["offerId"])]));
            };
            if publishers::find_in(tx, publisher).await?.is_none() {
                return Ok(Err(vec![no_publisher(&["publisherId"])]));
            }
            let before = offer.rates.get(&publisher).copied();
            if before == price {
                return Ok(Ok(offer));
            }
            offers::set_rate(tx, (id, publisher), price).await?;
            let change = AuditChange::new(publisher.to_string(), before.map(price_text), price.map(price_text));
            audit::insert(tx, about(event, &offer, vec![change])).await?;
            match price {
                Some(price) => offer.rates.insert(publisher, price),
                None => offer.rates.remove(&publisher),
            };
            Ok(Ok(offer))
        })
    }));
    let written = written.await?;
    refresh_after_write(app).await;
    Ok(written)
}

/// Makes these, and no others, the chosen publishers of an offer. They count where its access is `Chosen`.
///
/// # Errors
/// `NotFound` (`id`, or a publisher by its place in the list), `ConflictVersion`, `LimitExceeded`.
pub async fn set_offer_publishers(
    app: &App,
    principal: &Principal,
    (id, version): (OfferId, i32),
    chosen: Vec<PublisherId>,
) -> Outcome<Offer> {
    if chosen.len() > CHOSEN_PUBLISHERS_MAX {
        let message = format!("At most {CHOSEN_PUBLISHERS_MAX} publishers can be chosen.");
        return Ok(Err(vec![UserError::new(UserErrorCode::LimitExceeded, &["publisherIds"], message)]));
    }
    let (event, now) = (event(app, principal, "offer.publishers.set"), app.clock.now());
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let Some(mut offer) = offers::find_in(tx, id).await? else { return Ok(Err(vec![not_found(&["id"])])) };
            if offer.version != version {
                return Ok(Err(vec![conflict(offer.version)]));
            }
            let known = publishers::find_numbers_in(tx, &chosen).await?;
            let unknown = chosen.iter().enumerate().filter(|(_, publisher)| !known.contains(publisher));
            let errors: Vec<_> =
                unknown.map(|(index, _)| no_publisher(&["publisherIds", &index.to_string()])).collect();
            if !errors.is_empty() {
                return Ok(Err(errors));
            }
            let changes = differences(
                vec![("publishers", Some(publishers_text(&offer.publishers)))],
                vec![("publishers", Some(publishers_text(&known)))],
            );
            if changes.is_empty() {
                return Ok(Ok(offer));
            }
            (offer.version, offer.updated_at, offer.publishers) = (version.saturating_add(1), now, known);
            offers::set_publishers(tx, id, &offer.publishers).await?;
            if !offers::update(tx, &offer, version).await? {
                return Ok(Err(vec![conflict(version)]));
            }
            audit::insert(tx, about(event, &offer, changes)).await?;
            Ok(Ok(offer))
        })
    }));
    let written = written.await?;
    refresh_after_write(app).await;
    Ok(written)
}

async fn set_state(
    app: &App,
    event: AuditEvent,
    id: OfferId,
    (leave, wanted): (fn(OfferState) -> bool, OfferState),
) -> Outcome<Offer> {
    let now = app.clock.now();
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let Some(before) = offers::find_in(tx, id).await? else { return Ok(Err(vec![not_found(&["id"])])) };
            if leave(before.state) {
                return Ok(Ok(before));
            }
            let mut after = before.clone();
            turn(&mut after, wanted, now);
            (after.version, after.updated_at) = (before.version.saturating_add(1), now);
            if !offers::update(tx, &after, before.version).await? {
                return Ok(Err(vec![conflict(before.version)]));
            }
            let changes = differences(fields(&before), fields(&after));
            audit::insert(tx, about(event, &after, changes)).await?;
            Ok(Ok(after))
        })
    }));
    let written = written.await?;
    refresh_after_write(app).await;
    Ok(written)
}

/// What only a creation needs, read.
struct Needed {
    name: String,
    advertiser: AdvertiserId,
    landing_url: UrlTemplate,
    revenue: Price,
    payout: Price,
}

/// The fields of a draft that had to be read.
struct Read {
    name: Option<String>,
    description: Option<Option<String>>,
    landing_url: Option<UrlTemplate>,
    fallback_url: Option<Option<String>>,
    revenue: Option<Price>,
    payout: Option<Price>,
    payout_ceiling: Option<Option<Micros>>,
    currency: Option<Currency>,
    reject_allowed_addresses: Option<Vec<IpNet>>,
}

fn read_new(draft: &OfferDraft) -> Result<(Needed, Read), Vec<UserError>> {
    let mut form = Form::new(Some("offer"));
    form.require("name", draft.name.as_ref());
    form.require("advertiserId", draft.advertiser.as_ref());
    form.require("landingPageUrl", draft.landing_page_url.as_ref());
    form.require("revenue", draft.revenue.as_ref());
    form.require("payout", draft.payout.as_ref());
    form.bounded("number", draft.number, 1..=NUMBER_MAX);
    let read = read(&mut form, draft);
    let needed = needed(draft.advertiser, &read);
    form.finish(needed.map(|needed| (needed, read)))
}

fn needed(advertiser: Option<AdvertiserId>, read: &Read) -> Option<Needed> {
    Some(Needed {
        name: read.name.clone()?,
        advertiser: advertiser?,
        landing_url: read.landing_url.clone()?,
        revenue: read.revenue?,
        payout: read.payout?,
    })
}

fn read_change(draft: &OfferDraft, id: OfferId) -> Result<Read, Vec<UserError>> {
    let mut form = Form::new(Some("offer"));
    if draft.number.is_some_and(|number| number != id.number()) {
        form.refuse(UserErrorCode::Invalid, &["number"], "A number is chosen at creation and stays.");
    }
    let read = read(&mut form, draft);
    form.finish(Some(read))
}

fn read(form: &mut Form, draft: &OfferDraft) -> Read {
    form.bounded("attributionWindowHours", draft.attribution_window_hours, 1..=ATTRIBUTION_WINDOW_HOURS_MAX);
    form.bounded("repeatWindowSeconds", draft.repeat_window_seconds, 1..=REPEAT_WINDOW_SECONDS_MAX);
    let clickless = draft.clickless_repeat_window_seconds;
    form.bounded("clicklessRepeatWindowSeconds", clickless, 1..=REPEAT_WINDOW_SECONDS_MAX);
    Read {
        name: form.name(draft.name.as_deref()),
        description: form.text("description", draft.description.as_ref().map(Option::as_deref)),
        landing_url: draft.landing_page_url.as_deref().and_then(|text| read_landing_url(form, text)),
        fallback_url: read_fallback_url(form, draft.fallback_url.as_ref().map(Option::as_deref)),
        revenue: form.price("revenue", draft.revenue.as_ref()),
        payout: form.price("payout", draft.payout.as_ref()),
        payout_ceiling: read_ceiling(form, draft.payout_ceiling.as_ref().map(Option::as_deref)),
        currency: draft.currency.as_deref().and_then(|text| read_currency(form, text)),
        reject_allowed_addresses: draft.reject_source_ips.as_deref().map(|texts| read_networks(form, texts)),
    }
}

fn read_landing_url(form: &mut Form, text: &str) -> Option<UrlTemplate> {
    const FIELD: &str = "landingPageUrl";
    let template: UrlTemplate = form.template(FIELD, text)?;
    if !template.contains(Macro::TransactionId) {
        let message = "Without {transaction_id} the advertiser could never report a conversion.";
        let hint = "Add it where the advertiser's system takes a click id, such as ?clickid={transaction_id}.";
        form.refuse_with_hint(UserErrorCode::UrlNotAllowed, &[FIELD], message, hint.to_owned());
    }
    Some(template)
}

/// An absolute URL of the web, in the spelling that fits a `Location` header; empty clears it.
pub(super) fn read_fallback_url(form: &mut Form, text: Option<Option<&str>>) -> Option<Option<String>> {
    const FIELD: &[&str] = &["fallbackUrl"];
    let Some(text) = text?.map(str::trim).filter(|text| !text.is_empty()) else { return Some(None) };
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(url) = url else {
        form.refuse(
            UserErrorCode::UrlNotAllowed,
            FIELD,
            "This is no absolute URL that begins with https:// or http://.",
        );
        return None;
    };
    if url.as_str().len() > TEMPLATE_BYTES_MAX {
        form.refuse(UserErrorCode::TooLong, FIELD, format!("A URL has at most {TEMPLATE_BYTES_MAX} bytes."));
    }
    Some(Some(url.into()))
}

fn read_ceiling(form: &mut Form, text: Option<Option<&str>>) -> Option<Option<Micros>> {
    match text? {
        Some(text) => form.amount(&["payoutCeiling"], text).map(Some),
        None => Some(None),
    }
}

fn read_currency(form: &mut Form, text: &str) -> Option<Currency> {
    let currency = Currency::parse(text.trim());
    if currency.is_none() {
        form.refuse(
            UserErrorCode::Invalid,
            &["currency"],
            "ISO 4217 knows no such currency: write a code such as EUR.",
        );
    }
    currency
}

fn read_networks(form: &mut Form, texts: &[String]) -> Vec<IpNet> {
    if texts.len() > REJECT_NETWORKS_MAX {
        let message = format!("There are at most {REJECT_NETWORKS_MAX} addresses and networks.");
        form.refuse(UserErrorCode::LimitExceeded, &["rejectSourceIps"], message);
        return Vec::new();
    }
    let mut networks = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let field = ["rejectSourceIps", &index.to_string()];
        match parse_allowed_address(text) {
            Some(network) if network.prefix_len() == 0 => {
                form.refuse(UserErrorCode::Invalid, &field, "This network is the whole Internet.");
            }
            Some(network) if !networks.contains(&network) => networks.push(network),
            Some(_) => {}
            None => {
                form.refuse(UserErrorCode::Invalid, &field, "This is no address and no network such as 192.0.2.0/24.")
            }
        }
    }
    networks
}

fn new_offer(id: OfferId, needed: Needed, currency: Currency, now: Timestamp) -> Offer {
    Offer {
        id,
        advertiser: needed.advertiser,
        name: needed.name,
        description: None,
        state: OfferState::Active,
        landing_url: needed.landing_url,
        fallback_url: None,
        currency,
        revenue: needed.revenue,
        payout: needed.payout,
        payout_ceiling: None,
        attribution_window_hours: ATTRIBUTION_WINDOW_HOURS_DEFAULT,
        duplicate_policy: DuplicatePolicy::OnePerTransaction,
        switches: Switches::default(),
        repeat_window_seconds: REPEAT_WINDOW_SECONDS_DEFAULT,
        clickless_repeat_window_seconds: CLICKLESS_REPEAT_WINDOW_SECONDS_DEFAULT,
        reject_allowed_addresses: Vec::new(),
        access: OfferAccess::All,
        publishers: HashSet::new(),
        rates: std::collections::HashMap::new(),
        events: Vec::new(),
        version: 1,
        created_at: now,
        updated_at: now,
        archived_at: None,
    }
}

fn apply(draft: &OfferDraft, read: Read, offer: &mut Offer, now: Timestamp) {
    put(&mut offer.name, read.name);
    put(&mut offer.description, read.description);
    put(&mut offer.advertiser, draft.advertiser);
    put(&mut offer.landing_url, read.landing_url);
    put(&mut offer.fallback_url, read.fallback_url);
    put(&mut offer.currency, read.currency);
    put(&mut offer.revenue, read.revenue);
    put(&mut offer.payout, read.payout);
    put(&mut offer.payout_ceiling, read.payout_ceiling);
    put(&mut offer.reject_allowed_addresses, read.reject_allowed_addresses);
    put(&mut offer.attribution_window_hours, draft.attribution_window_hours);
    put(&mut offer.repeat_window_seconds, draft.repeat_window_seconds);
    put(&mut offer.clickless_repeat_window_seconds, draft.clickless_repeat_window_seconds);
    put(&mut offer.access, draft.access);
    put(&mut offer.duplicate_policy, draft.duplicate_policy);
    let switches = &mut offer.switches;
    put(&mut switches.manual_approval, draft.manual_approval);
    put(&mut switches.clickless_enabled, draft.clickless_enabled);
    put(&mut switches.pixel_enabled, draft.pixel_enabled);
    put(&mut switches.pixel_trusted, draft.pixel_trusted);
    put(&mut switches.wire_revenue_trusted, draft.wire_revenue_trusted);
    put(&mut switches.wire_payout_trusted, draft.wire_payout_trusted);
    put(&mut switches.strict_amounts, draft.strict_amounts);
    put(&mut switches.reject_without_secure, draft.reject_without_secure);
    if let Some(state) = draft.state.filter(|state| *state != offer.state) {
        turn(offer, state, now);
    }
}

fn put<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn turn(offer: &mut Offer, state: OfferState, now: Timestamp) {
    offer.state = state;
    offer.archived_at = match state {
        OfferState::Archived => Some(now),
        OfferState::Active | OfferState::Paused => None,
    };
}

/// The rules that need more than one field.
fn check_whole(offer: &Offer) -> Result<(), Vec<UserError>> {
    let mut form = Form::new(Some("offer"));
    if offer.switches.wire_payout_trusted && offer.payout_ceiling.is_none() {
        let message = "A payout that senders name counts only up to a ceiling: set one.";
        form.refuse(UserErrorCode::Required, &["payoutCeiling"], message);
    }
    if offer.switches.reject_without_secure && offer.reject_allowed_addresses.is_empty() {
        let message = "Rejections without a secret need the addresses that they may come from.";
        form.refuse(UserErrorCode::Required, &["rejectSourceIps"], message);
    }
    form.finish(Some(()))
}

fn check_advertiser(found: Option<Advertiser>) -> Option<UserError> {
    const FIELD: &[&str] = &["offer", "advertiserId"];
    match found.map(|advertiser| advertiser.state) {
        Some(PartnerState::Active | PartnerState::Paused) => None,
        Some(PartnerState::Archived) => {
            Some(UserError::new(UserErrorCode::Invalid, FIELD, "This advertiser is archived."))
        }
        None => Some(UserError::new(UserErrorCode::NotFound, FIELD, "There is no such advertiser.")),
    }
}

fn taken() -> UserError {
    UserError::new(UserErrorCode::Taken, &["offer", "number"], "This number is in use.")
}

fn no_number() -> UserError {
    let message = "No number is free behind the highest one.";
    UserError::new(UserErrorCode::LimitExceeded, &["offer", "number"], message).with_hint("Choose a free number.")
}

pub(super) fn not_found(field: &[&str]) -> UserError {
    UserError::new(UserErrorCode::NotFound, field, "There is no such offer.")
}

fn no_publisher(field: &[&str]) -> UserError {
    UserError::new(UserErrorCode::NotFound, field, "There is no such publisher.")
}

fn currency_in_use() -> UserError {
    let message = "The offer has conversions in its currency: another one would change what they mean.";
    UserError::new(UserErrorCode::InUse, &["offer", "currency"], message).with_hint("Make a new offer instead.")
}

pub(super) fn event(app: &App, principal: &Principal, action: &str) -> AuditEvent {
    AuditEvent::new(principal, action, (&"", ""), Vec::new(), (&*app.clock, &*app.entropy))
}

/// The event once it is known what it is about.
pub(super) fn about(event: AuditEvent, offer: &Offer, changes: Vec<AuditChange>) -> AuditEvent {
    AuditEvent { subject: offer.id.to_string(), subject_label: offer.name.clone(), changes, ..event }
}

/// What the audit trail compares, under the names of the admin API.
fn fields(offer: &Offer) -> Vec<(&'static str, Option<String>)> {
    let switches = offer.switches;
    let text = |text: &str| Some(text.to_owned());
    let list = |networks: &[IpNet]| networks.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", ");
    vec![
        ("name", text(&offer.name)),
        ("description", offer.description.clone()),
        ("advertiserId", Some(offer.advertiser.to_string())),
        ("landingPageUrl", text(offer.landing_url.as_str())),
        ("state", text(offer.state.as_str())),
        ("revenue", Some(price_text(offer.revenue))),
        ("payout", Some(price_text(offer.payout))),
        ("payoutCeiling", offer.payout_ceiling.map(|ceiling| ceiling.to_string())),
        ("fallbackUrl", offer.fallback_url.clone()),
        ("currency", text(offer.currency.as_str())),
        ("manualApproval", Some(switches.manual_approval.to_string())),
        ("clicklessEnabled", Some(switches.clickless_enabled.to_string())),
        ("pixelEnabled", Some(switches.pixel_enabled.to_string())),
        ("trustPixel", Some(switches.pixel_trusted.to_string())),
        ("trustWireRevenue", Some(switches.wire_revenue_trusted.to_string())),
        ("trustWirePayout", Some(switches.wire_payout_trusted.to_string())),
        ("strictAmounts", Some(switches.strict_amounts.to_string())),
        ("rejectWithoutSecure", Some(switches.reject_without_secure.to_string())),
        ("rejectSourceIps", Some(list(&offer.reject_allowed_addresses)).filter(|list| !list.is_empty())),
        ("attributionWindowHours", Some(offer.attribution_window_hours.to_string())),
        ("repeatWindowSeconds", Some(offer.repeat_window_seconds.to_string())),
        ("clicklessRepeatWindowSeconds", Some(offer.clickless_repeat_window_seconds.to_string())),
        ("access", text(offer.access.as_str())),
        ("duplicatePolicy", text(offer.duplicate_policy.as_str())),
    ]
}

/// In the order of their numbers, so that equal sets read alike.
fn publishers_text(publishers: &HashSet<PublisherId>) -> String {
    let mut ids: Vec<_> = publishers.iter().collect();
    ids.sort_unstable();
    ids.iter().map(|id| id.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::manage_partners::{PartnerDraft, create_advertiser, create_publisher, update_advertiser};
    use super::*;
    use crate::app::fixtures::{NOW, manager, test_app};

    fn fixed(amount: &str) -> Option<PriceDraft> {
        Some(PriceDraft { fixed: Some(amount.into()), percent: None })
    }

    fn percent(share: &str) -> Option<PriceDraft> {
        Some(PriceDraft { fixed: None, percent: Some(share.into()) })
    }

    fn draft() -> OfferDraft {
        OfferDraft {
            name: Some("Offer".into()),
            advertiser: AdvertiserId::new(1),
            landing_page_url: Some("https://shop.example/?tid={transaction_id}".into()),
            revenue: fixed("10"),
            payout: fixed("7"),
            currency: Some("eur".into()),
            ..OfferDraft::default()
        }
    }

    async fn app() -> (App, crate::store::fixtures::Folder) {
        let (app, folder) = test_app().await;
        let named = |name: &str| PartnerDraft { name: Some(name.into()), ..PartnerDraft::default() };
        create_advertiser(&app, &manager(), &named("Shop")).await.unwrap().unwrap();
        create_publisher(&app, &manager(), &named("Blog")).await.unwrap().unwrap();
        (app, folder)
    }

    async fn made(app: &App, draft: OfferDraft) -> Offer {
        create_offer(app, &manager(), draft).await.unwrap().unwrap()
    }

    async fn refused(app: &App, draft: OfferDraft) -> Vec<(UserErrorCode, String)> {
        codes(create_offer(app, &manager(), draft).await)
    }

    fn codes<T>(outcome: Outcome<T>) -> Vec<(UserErrorCode, String)> {
        let errors = outcome.unwrap().err().unwrap_or_default();
        errors.into_iter().map(|error| (error.code, error.field.join("."))).collect()
    }

    fn one(code: UserErrorCode, field: &str) -> Vec<(UserErrorCode, String)> {
        vec![(code, field.to_owned())]
    }

    #[tokio::test]
    async fn a_new_offer_is_careful_and_known_at_once() {
        let (app, _folder) = app().await;
        let offer = made(&app, OfferDraft { number: Some(42), ..draft() }).await;
        assert_eq!((offer.id.number(), offer.state, offer.version), (42, OfferState::Active, 1));
        assert_eq!((offer.switches, offer.access), (Switches::default(), OfferAccess::All));
        assert_eq!((offer.currency.as_str(), offer.created_at), ("EUR", NOW));
        assert!(app.snapshot.load().offers.contains_key(&offer.id));
        assert_eq!(made(&app, draft()).await.id.number(), 43);
        let again = OfferDraft { number: Some(42), ..draft() };
        assert_eq!(refused(&app, again).await, one(UserErrorCode::Taken, "offer.number"));
        let trail = audit::find_by_subject(&app.database, "offer_42", 10).await.unwrap();
        assert_eq!(trail.len(), 1);
        assert_eq!((trail[0].action.as_str(), trail[0].actor_label.as_str()), ("offer.create", "Ada"));
        assert!(trail[0].changes.contains(&AuditChange::new("payout", None, Some("7.00".into()))));
    }

    #[tokio::test]
    async fn everything_that_is_missing_is_said_at_once() {
        let (app, _folder) = app().await;
        let fields: Vec<_> = refused(&app, OfferDraft::default()).await.into_iter().map(|(_, field)| field).collect();
        let expected = ["name", "advertiserId", "landingPageUrl", "revenue", "payout"];
        assert_eq!(fields, expected.map(|field| format!("offer.{field}")));
        let without_currency = OfferDraft { currency: None, ..draft() };
        assert_eq!(refused(&app, without_currency).await, one(UserErrorCode::Required, "offer.currency"));
        let nobody = OfferDraft { advertiser: AdvertiserId::new(9), ..draft() };
        assert_eq!(refused(&app, nobody).await, one(UserErrorCode::NotFound, "offer.advertiserId"));
    }

    #[tokio::test]
    async fn a_landing_page_without_a_way_home_is_refused() {
        use UserErrorCode::{TooLong, UnknownMacro, UrlNotAllowed};
        let (app, _folder) = app().await;
        let long = format!("https://shop.example/{{transaction_id}}{}", "a".repeat(TEMPLATE_BYTES_MAX));
        for (url, code) in [
            ("https://shop.example/", UrlNotAllowed),
            ("javascript:alert({transaction_id})", UrlNotAllowed),
            ("https://{transaction_id}.example/", UrlNotAllowed),
            ("/relative?tid={transaction_id}", UrlNotAllowed),
            ("https://shop.example/?tid={transaction_id}&p={publsher_id}", UnknownMacro),
            (long.as_str(), TooLong),
        ] {
            let draft = OfferDraft { landing_page_url: Some(url.into()), ..draft() };
            assert_eq!(refused(&app, draft).await, one(code, "offer.landingPageUrl"), "{url}");
        }
        let misspelt = OfferDraft { landing_page_url: Some("https://a.example/?t={trasaction_id}".into()), ..draft() };
        let errors = create_offer(&app, &manager(), misspelt).await.unwrap().unwrap_err();
        assert_eq!(errors[0].hint.as_deref(), Some("Did you mean {transaction_id}?"));
    }

    #[tokio::test]
    async fn a_price_is_exactly_one_readable_number() {
        use UserErrorCode::{Invalid, TooLarge};
        let (app, _folder) = app().await;
        let both = PriceDraft { fixed: Some("1".into()), percent: Some("1".into()) };
        for (payout, code, field) in [
            (Some(both), Invalid, "offer.payout"),
            (Some(PriceDraft::default()), Invalid, "offer.payout"),
            (fixed("1,5"), Invalid, "offer.payout.fixed"),
            (fixed("-1"), Invalid, "offer.payout.fixed"),
            (fixed("0.0000001"), Invalid, "offer.payout.fixed"),
            (fixed("1000000000"), TooLarge, "offer.payout.fixed"),
            (percent("1000.000001"), TooLarge, "offer.payout.percent"),
            (percent("12 %"), Invalid, "offer.payout.percent"),
        ] {
            let draft = OfferDraft { payout: payout.clone(), ..draft() };
            assert_eq!(refused(&app, draft).await, one(code, field), "{payout:?}");
        }
        let offer =
            made(&app, OfferDraft { payout: percent("12.5"), revenue: fixed("999999999.999999"), ..draft() }).await;
        assert_eq!(price_text(offer.payout), "12.5 %");
    }

    #[tokio::test]
    async fn windows_are_held_to_their_bounds() {
        use UserErrorCode::{TooLarge, TooSmall};
        let (app, _folder) = app().await;
        let max = ATTRIBUTION_WINDOW_HOURS_MAX;
        for (hours, code) in [(0, Some(TooSmall)), (1, None), (max, None), (max + 1, Some(TooLarge))] {
            let draft = OfferDraft { attribution_window_hours: Some(hours), ..draft() };
            let expected = code.map_or(Vec::new(), |code| one(code, "offer.attributionWindowHours"));
            assert_eq!(refused(&app, draft).await, expected, "{hours}");
        }
        let max = REPEAT_WINDOW_SECONDS_MAX;
        for (seconds, code) in [(0, Some(TooSmall)), (max, None), (max + 1, Some(TooLarge))] {
            let draft = OfferDraft { repeat_window_seconds: Some(seconds), ..draft() };
            let expected = code.map_or(Vec::new(), |code| one(code, "offer.repeatWindowSeconds"));
            assert_eq!(refused(&app, draft).await, expected, "{seconds}");
        }
    }

    #[tokio::test]
    async fn switches_that_trust_need_what_bounds_them() {
        let (app, _folder) = app().await;
        let payout = OfferDraft { wire_payout_trusted: Some(true), ..draft() };
        assert_eq!(refused(&app, payout.clone()).await, one(UserErrorCode::Required, "offer.payoutCeiling"));
        let offer = made(&app, OfferDraft { payout_ceiling: Some(Some("50".into())), ..payout }).await;
        let cleared = OfferDraft { payout_ceiling: Some(None), ..OfferDraft::default() };
        let outcome = update_offer(&app, &manager(), (offer.id, 1), cleared).await;
        assert_eq!(codes(outcome), one(UserErrorCode::Required, "offer.payoutCeiling"));

        let reject = OfferDraft { reject_without_secure: Some(true), ..draft() };
        assert_eq!(refused(&app, reject.clone()).await, one(UserErrorCode::Required, "offer.rejectSourceIps"));
        for (text, allowed) in [("192.0.2.7", true), ("2001:db8::/48", true), ("0.0.0.0/0", false), ("shop", false)] {
            let draft = OfferDraft { reject_source_ips: Some(vec![text.into()]), ..reject.clone() };
            let outcome = create_offer(&app, &manager(), draft).await.unwrap();
            assert_eq!(outcome.is_ok(), allowed, "{text}");
        }
    }

    #[tokio::test]
    async fn a_stale_form_changes_nothing() {
        let (app, _folder) = app().await;
        let offer = made(&app, draft()).await;
        let rename = |name: &str| OfferDraft { name: Some(name.into()), ..OfferDraft::default() };
        let changed = update_offer(&app, &manager(), (offer.id, 1), rename("New")).await.unwrap().unwrap();
        assert_eq!((changed.version, changed.name.as_str()), (2, "New"));
        let late = update_offer(&app, &manager(), (offer.id, 1), rename("Late")).await;
        assert_eq!(codes(late), one(UserErrorCode::ConflictVersion, "version"));
        let same = update_offer(&app, &manager(), (offer.id, 2), rename("New")).await.unwrap().unwrap();
        assert_eq!(same.version, 2);
        let trail = audit::find_by_subject(&app.database, &offer.id.to_string(), 10).await.unwrap();
        let update = trail.iter().find(|event| event.action == "offer.update").unwrap();
        assert_eq!(update.changes, [AuditChange::new("name", Some("Offer".into()), Some("New".into()))]);
        assert_eq!(app.snapshot.load().offers[&offer.id].name, "New");
    }

    #[tokio::test]
    async fn an_archived_offer_comes_back_paused() {
        let (app, _folder) = app().await;
        let offer = made(&app, draft()).await;
        let archived = archive_offer(&app, &manager(), offer.id).await.unwrap().unwrap();
        assert_eq!((archived.state, archived.archived_at), (OfferState::Archived, Some(NOW)));
        let again = archive_offer(&app, &manager(), offer.id).await.unwrap().unwrap();
        assert_eq!(again.version, archived.version);
        let back = unarchive_offer(&app, &manager(), offer.id).await.unwrap().unwrap();
        assert_eq!((back.state, back.archived_at), (OfferState::Paused, None));
        let nobody = archive_offer(&app, &manager(), OfferId::new(999).unwrap()).await;
        assert_eq!(codes(nobody), one(UserErrorCode::NotFound, "id"));
    }

    #[tokio::test]
    async fn an_offer_of_an_archived_advertiser_is_not_made() {
        let (app, _folder) = app().await;
        let archived = PartnerDraft { state: Some(PartnerState::Archived), ..PartnerDraft::default() };
        let id = AdvertiserId::new(1).unwrap();
        update_advertiser(&app, &manager(), (id, 1), &archived).await.unwrap().unwrap();
        assert_eq!(refused(&app, draft()).await, one(UserErrorCode::Invalid, "offer.advertiserId"));
    }

    #[tokio::test]
    async fn a_publisher_has_a_rate_of_its_own_until_it_is_taken_back() {
        let (app, _folder) = app().await;
        let offer = made(&app, draft()).await;
        let (publisher, nobody) = (PublisherId::new(1).unwrap(), PublisherId::new(9).unwrap());
        let rate = fixed("8.5");
        set_publisher_rate(&app, &manager(), (offer.id, publisher), rate.as_ref()).await.unwrap().unwrap();
        let payout = |app: &App| price_text(app.snapshot.load().offers[&offer.id].payout_for(publisher));
        assert_eq!(payout(&app), "8.50");
        set_publisher_rate(&app, &manager(), (offer.id, publisher), None).await.unwrap().unwrap();
        assert_eq!(payout(&app), "7.00");
        let unknown = set_publisher_rate(&app, &manager(), (offer.id, nobody), rate.as_ref()).await;
        assert_eq!(codes(unknown), one(UserErrorCode::NotFound, "publisherId"));
        let wrong = set_publisher_rate(&app, &manager(), (offer.id, publisher), fixed("x").as_ref()).await;
        assert_eq!(codes(wrong), one(UserErrorCode::Invalid, "payout.fixed"));
        let trail = audit::find_by_subject(&app.database, &offer.id.to_string(), 10).await.unwrap();
        assert_eq!(trail.iter().filter(|event| event.action.starts_with("offer.rate.")).count(), 2);
    }

    #[tokio::test]
    async fn only_publishers_that_exist_are_chosen() {
        let (app, _folder) = app().await;
        let offer = made(&app, OfferDraft { access: Some(OfferAccess::Chosen), ..draft() }).await;
        let (publisher, nobody) = (PublisherId::new(1).unwrap(), PublisherId::new(9).unwrap());
        let unknown = set_offer_publishers(&app, &manager(), (offer.id, 1), vec![publisher, nobody]).await;
        assert_eq!(codes(unknown), one(UserErrorCode::NotFound, "publisherIds.1"));
        assert!(!app.snapshot.load().offers[&offer.id].open_to(publisher));
        set_offer_publishers(&app, &manager(), (offer.id, 1), vec![publisher, publisher]).await.unwrap().unwrap();
        assert!(app.snapshot.load().offers[&offer.id].open_to(publisher));
        let stale = set_offer_publishers(&app, &manager(), (offer.id, 1), Vec::new()).await;
        assert_eq!(codes(stale), one(UserErrorCode::ConflictVersion, "version"));
        set_offer_publishers(&app, &manager(), (offer.id, 2), Vec::new()).await.unwrap().unwrap();
        assert!(!app.snapshot.load().offers[&offer.id].open_to(publisher));
    }
}

//! Tracking links: `/click?offer=..&publisher=..`, ready to be given to a publisher.
//!
//! A standard link is made of numbers and needs no secret. A test link carries a MAC for its offer and publisher: it
//! works before the offer is active and counts in no figure, for seven days, so that one that escapes to the public
//! stops by itself. Building one writes nothing. A link that would be refused today is built all the same, with a
//! warning that says why: links are prepared before offers start.

use super::wire_urls::{Origin, ParamInput, UrlParam, WireQuery};
use super::{App, UserError, UserErrorCode};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{OfferId, PublisherId, TrackingDomainId};
use crate::domain::inbound::{Door, Parameter};
use crate::domain::offer::{Offer, OfferState};
use crate::domain::publisher::{PartnerState, Publisher};
use crate::domain::test_link;

/// How long a test link works: 7 days.
pub const TEST_LINK_SECONDS: i64 = 7 * 24 * 3600;

/// What a link is asked for.
#[derive(Clone, Debug)]
pub struct LinkRequest {
    pub offer: OfferId,
    pub publisher: PublisherId,
    /// None: the default tracking domain, else the public URL.
    pub domain: Option<TrackingDomainId>,
    pub sub_id: Option<String>,
    pub external_transaction_id: Option<String>,
    /// The door asks for a MANAGER.
    pub test: bool,
    pub params: Vec<ParamInput>,
}

/// A link and what is to be known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackingLink {
    pub url: String,
    pub params: Vec<UrlParam>,
    pub warnings: Vec<String>,
    /// The first instant at which a test link is refused.
    pub test_until: Option<Timestamp>,
}

/// Builds a link.
///
/// # Errors
/// `NotFound` for the offer, the publisher or the domain, `DomainNotVerified` for a domain that does not accept.
pub fn build(app: &App, request: &LinkRequest) -> Result<TrackingLink, Vec<UserError>> {
    let snapshot = app.snapshot.load();
    let offer = snapshot.offers.get(&request.offer).ok_or_else(|| not_found("offerId", "offer"))?;
    let publisher = snapshot.publishers.get(&request.publisher).ok_or_else(|| not_found("publisherId", "publisher"))?;
    let origin = Origin::choose(app, &snapshot, request.domain).map_err(|error| vec![error])?;
    let mut query = WireQuery::new(Door::Click);
    query.put(Parameter::Offer, offer.id.number().to_string(), true);
    query.put(Parameter::Publisher, publisher.id.number().to_string(), true);
    let named = [("sub_id", &request.sub_id), ("external_transaction_id", &request.external_transaction_id)];
    let named = named.into_iter().filter_map(|(name, value)| {
        value.as_ref().map(|value| ParamInput { name: name.to_owned(), value: value.clone() })
    });
    let (fixed, free): (Vec<_>, Vec<_>) = named.chain(request.params.iter().cloned()).partition(is_fixed);
    query.add(&free);
    for input in fixed {
        query.warn(format!("`{}` is part of the link already: the value that was given was left out.", input.name));
    }
    let test_until = request.test.then(|| app.clock.now().plus_seconds(TEST_LINK_SECONDS));
    match test_until {
        Some(end) => {
            query.put(Parameter::Test, test_link::sign(&app.keyring, offer.id, publisher.id, end), false);
            query.warn(format!("A test link: it counts in no figure and works until {end}."));
        }
        None => warn_about_state(&mut query, offer, publisher),
    }
    let url = query.write(&origin, "/click", None);
    Ok(TrackingLink { url, params: query.params().to_vec(), warnings: query.warnings, test_until })
}

/// Offer and publisher are arguments of their own: a second value would make a link of another publisher.
fn is_fixed(input: &ParamInput) -> bool {
    let name = input.name.trim_ascii();
    ["offer", "publisher"].iter().any(|fixed| name.eq_ignore_ascii_case(fixed))
}

fn warn_about_state(query: &mut WireQuery, offer: &Offer, publisher: &Publisher) {
    if offer.state != OfferState::Active {
        query.warn(format!("The offer is {}: its clicks are refused. A test link works.", offer.state.as_str()));
    }
    if publisher.state != PartnerState::Active {
        query.warn(format!("The publisher is {}: its clicks are refused.", publisher.state.as_str()));
    }
    if !offer.open_to(publisher.id) {
        query.warn("The publisher has no access to this offer: its clicks are refused.".into());
    }
}

fn not_found(field: &str, noun: &str) -> Vec<UserError> {
    vec![UserError::new(UserErrorCode::NotFound, &["input", field], format!("There is no such {noun}."))]
}

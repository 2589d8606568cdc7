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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::fixtures::{NOW, test_app};
    use crate::domain::fixtures;
    use crate::domain::offer::OfferAccess;
    use crate::domain::snapshot::Snapshot;

    fn publisher() -> Publisher {
        Publisher {
            id: fixtures::publisher(),
            name: "Publisher".into(),
            state: PartnerState::Active,
            notes: None,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn put(app: &App, offer: Offer, publisher: Publisher) {
        let snapshot = Snapshot {
            version: i64::MAX,
            offers: [(offer.id, offer)].into(),
            publishers: [(publisher.id, publisher)].into(),
            ..Snapshot::default()
        };
        app.snapshot.store(Arc::new(snapshot));
    }

    fn request() -> LinkRequest {
        LinkRequest {
            offer: fixtures::offer().id,
            publisher: fixtures::publisher(),
            domain: None,
            sub_id: None,
            external_transaction_id: None,
            test: false,
            params: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_link_holds_its_offer_its_publisher_and_the_publishers_own_macros() {
        let (app, _folder) = test_app().await;
        put(&app, fixtures::offer(), publisher());
        let plain = build(&app, &request()).unwrap();
        assert_eq!(plain.url, "https://track.example/click?offer=42&publisher=7");
        assert_eq!((plain.warnings.as_slice(), plain.test_until), ([].as_slice(), None));
        let input = |name: &str, value: &str| ParamInput { name: name.into(), value: value.into() };
        let full = LinkRequest {
            sub_id: Some("news letter".into()),
            external_transaction_id: Some("{click}".into()),
            params: vec![input("sub_id_2", "[banner]"), input("Publisher", "8"), input("test", "forged")],
            ..request()
        };
        let full = build(&app, &full).unwrap();
        let free = "sub_id=news%20letter&external_transaction_id={click}&sub_id_2=[banner]";
        assert_eq!(full.url, format!("https://track.example/click?offer=42&publisher=7&{free}"));
        assert_eq!(full.warnings.len(), 2, "{:?}", full.warnings);
    }

    #[tokio::test]
    async fn a_test_link_works_for_seven_days() {
        let (app, _folder) = test_app().await;
        put(&app, Offer { state: OfferState::Paused, ..fixtures::offer() }, publisher());
        let link = build(&app, &LinkRequest { test: true, ..request() }).unwrap();
        let (_, mac) = link.url.split_once("&test=").unwrap();
        let end = NOW.plus_seconds(7 * 24 * 3600);
        let verify = |now| test_link::verify(&app.keyring, fixtures::offer().id, fixtures::publisher(), mac, now);
        assert_eq!((link.test_until, verify(end.plus_millis(-1)), verify(end)), (Some(end), Some(end), None));
        assert_eq!(link.warnings.len(), 1, "{:?}", link.warnings);
    }

    #[tokio::test]
    async fn a_link_that_would_be_refused_today_says_so() {
        let (app, _folder) = test_app().await;
        let closed = Offer { state: OfferState::Archived, access: OfferAccess::Chosen, ..fixtures::offer() };
        put(&app, closed, Publisher { state: PartnerState::Paused, ..publisher() });
        assert_eq!(build(&app, &request()).unwrap().warnings.len(), 3);
        let unknown = LinkRequest { offer: OfferId::new(1).unwrap(), ..request() };
        assert_eq!(build(&app, &unknown).unwrap_err()[0].code, UserErrorCode::NotFound);
        let unknown = LinkRequest { publisher: PublisherId::new(1).unwrap(), ..request() };
        assert_eq!(build(&app, &unknown).unwrap_err()[0].field, ["input", "publisherId"]);
    }
}

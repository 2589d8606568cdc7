//! Plain nouns for the unit tests of this room.

use std::collections::{HashMap, HashSet};

use super::clock::Timestamp;
use super::ids::{AdvertiserId, OfferId, PublisherId};
use super::macros::UrlTemplate;
use super::money::{Currency, Micros, Price};
use super::offer::*;

pub(crate) fn eur() -> Currency {
    Currency::parse("EUR").unwrap()
}

pub(crate) fn publisher() -> PublisherId {
    PublisherId::new(7).unwrap()
}

/// Offer 42: 10 EUR from the advertiser, 7 EUR to the publisher, every switch off.
pub(crate) fn offer() -> Offer {
    Offer {
        id: OfferId::new(42).unwrap(),
        advertiser: AdvertiserId::new(1).unwrap(),
        name: "Offer".into(),
        description: None,
        state: OfferState::Active,
        landing_url: UrlTemplate::parse("https://shop.example/?tid={transaction_id}").unwrap(),
        fallback_url: None,
        currency: eur(),
        revenue: Price::Fixed(Micros::from_i64(10_000_000)),
        payout: Price::Fixed(Micros::from_i64(7_000_000)),
        payout_ceiling: None,
        attribution_window_hours: ATTRIBUTION_WINDOW_HOURS_DEFAULT,
        duplicate_policy: DuplicatePolicy::OnePerTransaction,
        switches: Switches::default(),
        repeat_window_seconds: REPEAT_WINDOW_SECONDS_DEFAULT,
        clickless_repeat_window_seconds: CLICKLESS_REPEAT_WINDOW_SECONDS_DEFAULT,
        reject_allowed_addresses: Vec::new(),
        access: OfferAccess::All,
        publishers: HashSet::new(),
        rates: HashMap::new(),
        version: 1,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        archived_at: None,
    }
}

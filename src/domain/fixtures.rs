//! Plain nouns for the unit tests of this room.

use std::collections::{HashMap, HashSet};

use super::clock::Timestamp;
use super::conversion::{Author, Conversion, Money, Reported, Source};
use super::ids::{AdvertiserId, ConversionId, OfferId, OutboundPostbackId, PublisherId};
use super::macros::UrlTemplate;
use super::money::{Currency, Micros, Price};
use super::offer::*;
use super::outbound::{Method, Moment, OutboundPostback, OutboundTemplate, Signing};
use super::status::{Party, Status};
use super::transaction_id::TransactionId;

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
        events: Vec::new(),
        version: 1,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        archived_at: None,
    }
}

/// An event of 5 EUR from the advertiser, 4 EUR to the publisher.
pub(crate) fn event(number: i32, name: &str) -> OfferEvent {
    OfferEvent {
        number,
        name: name.into(),
        revenue: Price::Fixed(Micros::from_i64(5_000_000)),
        payout: Price::Fixed(Micros::from_i64(4_000_000)),
        removed_at: None,
    }
}

/// Of offer 42 and publisher 7: approved, recorded once at `at`.
pub(crate) fn conversion(transaction_id: TransactionId, at: Timestamp) -> Conversion {
    Conversion {
        id: ConversionId::from_uuid(uuid::Uuid::from_u128(5)),
        transaction_id,
        event_number: 0,
        source: Source::Postback,
        status: Status::Approved,
        pending_reason: None,
        rejection_reason: None,
        rejected_by: None,
        advertiser_reason: None,
        offer: OfferId::new(42).unwrap(),
        publisher: publisher(),
        order_id: None,
        external_transaction_id: None,
        sub_ids: Default::default(),
        adv_sub_ids: Default::default(),
        session_time_seconds: None,
        conversion_ip: None,
        user_agent: None,
        device_id: None,
        email: None,
        money: Money {
            currency: eur(),
            revenue: Some(Micros::from_i64(10_000_000)),
            payout: Some(Micros::from_i64(7_000_000)),
            purchase_value: None,
        },
        reported: Reported::default(),
        click_pending: false,
        is_test: false,
        token: None,
        confirmed_at: None,
        clicked_at: Some(at),
        converted_at: at,
        recorded_at: at,
        status_changed_at: at,
        version: 1,
    }
}

pub(crate) fn author(party: Party, at: Timestamp) -> Author {
    Author { party, actor: party.as_str().to_owned(), receipt: None, at, note: None }
}

/// A rule for every approved conversion, by GET.
pub(crate) fn rule(url: &str) -> OutboundPostback {
    OutboundPostback {
        id: OutboundPostbackId::from_uuid(uuid::Uuid::from_u128(6)),
        name: "Rule".into(),
        is_enabled: true,
        disabled_reason: None,
        publisher: None,
        offer: None,
        moments: vec![Moment::Approved],
        rejection_reasons: Vec::new(),
        events: vec![0],
        method: Method::Get,
        template: OutboundTemplate::parse(url).unwrap(),
        signature_parameter: None,
        delay_seconds: 0,
        signing: Signing { hint: String::new(), current: Vec::new(), previous: None },
        failing_since: None,
        version: 1,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        deleted_at: None,
    }
}

//! An offer: what a publisher promotes, and every switch that decides how its conversions count.

use std::collections::{HashMap, HashSet};

use ipnet::IpNet;

use super::ids::{AdvertiserId, OfferId, PublisherId};
use super::macros::UrlTemplate;
use super::money::{Currency, Micros, Price};

/// Defaults and bounds of an offer's windows.
pub const ATTRIBUTION_WINDOW_HOURS_DEFAULT: i32 = 30 * 24;
pub const ATTRIBUTION_WINDOW_HOURS_MAX: i32 = 365 * 24;
pub const REPEAT_WINDOW_SECONDS_DEFAULT: i32 = 24 * 3600;
pub const CLICKLESS_REPEAT_WINDOW_SECONDS_DEFAULT: i32 = 120;
pub const REPEAT_WINDOW_SECONDS_MAX: i32 = 30 * 24 * 3600;

/// A rejection may wait for its conversion at least this long, however short the attribution window is.
pub const PARKING_HOURS_MIN: i32 = 72;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word in the database and on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use words;

words!(
    /// Of an offer. A paused offer refuses clicks and goes on converting those it has; an archived one does neither.
    OfferState { Active = "active", Paused = "paused", Archived = "archived" }
);
words!(
    /// How many conversions one transaction may have.
    DuplicatePolicy { OnePerTransaction = "one_per_transaction", OnePerOrder = "one_per_order" }
);
words!(
    /// Who may promote an offer.
    OfferAccess { All = "all", Chosen = "chosen" }
);

#[derive(Clone, Debug)]
pub struct Offer {
    pub id: OfferId,
    pub advertiser: AdvertiserId,
    pub name: String,
    pub description: Option<String>,
    pub state: OfferState,
    /// Where a click goes; always holds `{transaction_id}`.
    pub landing_url: UrlTemplate,
    /// Where a refused click goes.
    pub fallback_url: Option<String>,
    pub currency: Currency,
    /// Paid to us.
    pub revenue: Price,
    /// Paid to the publisher, unless it has a rate of its own.
    pub payout: Price,
    /// No payout above this counts without a person's consent.
    pub payout_ceiling: Option<Micros>,
    pub attribution_window_hours: i32,
    pub duplicate_policy: DuplicatePolicy,
    pub switches: Switches,
    pub repeat_window_seconds: i32,
    pub clickless_repeat_window_seconds: i32,
    /// Mandatory where `reject_without_secure` is on.
    pub reject_allowed_addresses: Vec<IpNet>,
    pub access: OfferAccess,
    /// Who may promote it, where access is `Chosen`.
    pub publishers: HashSet<PublisherId>,
    /// Publishers' own payouts.
    pub rates: HashMap<PublisherId, Price>,
    /// In the order of their numbers, with those that were removed.
    pub events: Vec<OfferEvent>,
    pub version: i32,
    pub created_at: super::clock::Timestamp,
    pub updated_at: super::clock::Timestamp,
    pub archived_at: Option<super::clock::Timestamp>,
}

/// A later result than the conversion, such as a deposit, that the offer defines with money of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferEvent {
    /// From 1; it never becomes another event's, so that what was recorded keeps its meaning.
    pub number: i32,
    /// Exactly as senders write it; no two events of an offer differ in capitals only.
    pub name: String,
    /// Paid to us.
    pub revenue: Price,
    /// Paid to the publisher, whatever its own rate for the conversion itself.
    pub payout: Price,
    /// Taken off the offer: nothing new is recorded for it, and what was recorded keeps its number and name.
    pub removed_at: Option<super::clock::Timestamp>,
}

/// What is paid for one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    pub revenue: Price,
    pub payout: Price,
}

/// What an offer allows; all off on a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    pub manual_approval: bool,
    pub clickless_enabled: bool,
    pub pixel_enabled: bool,
    /// A pixel conversion needs no confirmation by a postback.
    pub pixel_trusted: bool,
    pub wire_revenue_trusted: bool,
    /// Counts only together with a payout ceiling.
    pub wire_payout_trusted: bool,
    /// An unreadable amount or currency refuses the request.
    pub strict_amounts: bool,
    /// Admits rejections by the sealed id alone, from the offer's own list of addresses.
    pub reject_without_secure: bool,
}

impl Offer {
    pub fn counts_orders(&self) -> bool {
        self.duplicate_policy == DuplicatePolicy::OnePerOrder
    }

    pub fn payout_for(&self, publisher: PublisherId) -> Price {
        self.rates.get(&publisher).copied().unwrap_or(self.payout)
    }

    /// The event of this number, removed or not.
    pub fn event(&self, number: i32) -> Option<&OfferEvent> {
        self.events.iter().find(|event| event.number == number)
    }

    /// Those that can be recorded.
    pub fn live_events(&self) -> impl Iterator<Item = &OfferEvent> {
        self.events.iter().filter(|event| event.removed_at.is_none())
    }

    /// What a conversion of this publisher pays; without an event the conversion itself is meant.
    pub fn prices(&self, publisher: PublisherId, event: Option<&OfferEvent>) -> Prices {
        match event {
            Some(event) => Prices { revenue: event.revenue, payout: event.payout },
            None => Prices { revenue: self.revenue, payout: self.payout_for(publisher) },
        }
    }

    pub fn open_to(&self, publisher: PublisherId) -> bool {
        match self.access {
            OfferAccess::All => true,
            OfferAccess::Chosen => self.publishers.contains(&publisher),
        }
    }

    /// How long after its click a conversion counts.
    pub fn attribution_window_seconds(&self) -> i64 {
        i64::from(self.attribution_window_hours) * 3600
    }

    /// How long after its click a rejection may wait for its conversion.
    pub fn parking_window_seconds(&self) -> i64 {
        i64::from(self.attribution_window_hours.max(PARKING_HOURS_MIN)) * 3600
    }
}

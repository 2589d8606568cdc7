//! The identifiers of everything that has a row, and their opaque outside form (`offer_42`, `cnv_…`).
//!
//! Control data that appears in links has a small integer; everything else has 128 bits that begin with
//! the time, made by the application (a key that grows with time keeps its index local).

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::clock::{Clock, Entropy, random_bytes};

/// The highest number that an offer, a publisher or an advertiser can have: 2³¹ − 1.
pub const NUMBER_MAX: i32 = i32::MAX;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "i32", into = "i32")]
        pub struct $name(i32);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// `None` below 1.
            pub const fn new(number: i32) -> Option<Self> {
                if number >= 1 { Some(Self(number)) } else { None }
            }

            pub const fn number(self) -> i32 {
                self.0
            }

            /// Reads the opaque form; `None` for another kind of id.
            pub fn parse(text: &str) -> Option<Self> {
                let digits = text.strip_prefix($prefix)?.strip_prefix('_')?;
                let canonical = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
                if canonical { digits.parse().ok().and_then(Self::new) } else { None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl From<$name> for i32 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl TryFrom<i32> for $name {
            type Error = &'static str;

            fn try_from(number: i32) -> Result<Self, Self::Error> {
                Self::new(number).ok_or("not a number from 1")
            }
        }
    };
}

macro_rules! time_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// A new id: the clock's millisecond, then 74 random bits (RFC 9562, version 7).
            pub fn mint(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
                Self(mint_uuid(clock, entropy))
            }

            /// Reads the opaque form; `None` for another kind of id.
            pub fn parse(text: &str) -> Option<Self> {
                let hex = text.strip_prefix($prefix)?.strip_prefix('_')?;
                let plain = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if plain { Uuid::try_parse(hex).ok().map(Self) } else { None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.as_simple())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or(concat!("not an id that begins with ", $prefix))
            }
        }
    };
}

number_id!(
    /// The integer of `offer=` in links.
    OfferId,
    "offer"
);
number_id!(
    /// The integer of `publisher=` in links and clickless postbacks.
    PublisherId,
    "pub"
);
number_id!(AdvertiserId, "adv");
time_id!(ConversionId, "cnv");
time_id!(
    /// One entry of a conversion's history.
    ChangeId,
    "chg"
);
time_id!(ReceiptId, "rcp");
time_id!(TokenId, "tok");
time_id!(TrackingDomainId, "dom");
time_id!(OperatorId, "opr");
time_id!(SessionId, "ses");
time_id!(ApiKeyId, "key");
time_id!(AuditEventId, "aud");
time_id!(JobId, "job");
time_id!(ParkedRejectionId, "prk");
time_id!(
    /// A rule by which publishers are told of conversions.
    OutboundPostbackId,
    "opb"
);
time_id!(
    /// One change of a conversion on its way to one publisher; also the `webhook-id`.
    DeliveryId,
    "dlv"
);

fn mint_uuid(clock: &dyn Clock, entropy: &dyn Entropy) -> Uuid {
    let millis = u64::try_from(clock.now().as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes(entropy)).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_its_own_kind_only_and_in_one_spelling() {
        let offer = OfferId::new(42);
        assert_eq!(OfferId::parse("offer_42"), offer);
        for wrong in ["pub_42", "offer_042", "offer_0", "offer_-1", "offer_", "42", "offer_2147483648"] {
            assert_eq!(OfferId::parse(wrong), None, "{wrong}");
        }
        let text = "cnv_019a0000000070008000000000000001";
        assert_eq!(ConversionId::parse(text).map(|id| id.to_string()).as_deref(), Some(text));
        for wrong in ["tok_019a0000000070008000000000000001", "cnv_019A0000000070008000000000000001", "cnv_1", "cnv_"] {
            assert_eq!(ConversionId::parse(wrong), None, "{wrong}");
        }
    }
}

//! The closed table of codes: the stable machine names of our answers, the same in HTTP, GraphQL, receipts
//! and logs (`docs/postbacks.md` explains them to senders).
//!
//! A code has one cure in words, and this is its only place. The HTTP status of a code belongs to
//! `http/answer.rs`: nothing below a door knows one.
//! To add a code: a line in the table here, a row in `http/answer.rs`, a test through HTTP, a row in
//! `docs/postbacks.md`. The compiler asks for the second, a test for the others.

use serde::{Deserialize, Serialize};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// Something was stored or changed.
    Recorded,
    /// It was known already; nothing was counted again.
    Duplicate,
    /// A change to what already is.
    NoChange,
    /// A rejection that waits for its conversion.
    Parked,
    /// Understood or not: it changed nothing, and the same request will never succeed.
    Refused,
    /// Our fault.
    Failed,
}

impl Verdict {
    pub const ALL: [Self; 6] =
        [Self::Recorded, Self::Duplicate, Self::NoChange, Self::Parked, Self::Refused, Self::Failed];

    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Duplicate => "duplicate",
            Self::NoChange => "no_change",
            Self::Parked => "parked",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == text)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $verdict:ident, $cure:literal;)*) => {
        /// One answer of the tracking doors.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable name on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }

            /// What the sender can do about it, in one sentence; empty where nothing is wrong.
            pub const fn cure(self) -> &'static str {
                match self { $(Self::$name => $cure,)* }
            }

            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$name => Verdict::$verdict,)* }
            }
        }
    };
}

codes! {
    Recorded = "recorded", Recorded, "";
    Duplicate = "duplicate", Duplicate, "";
    /// The first server-to-server postback of a conversion that an image pixel reported.
    Confirmed = "confirmed", Recorded, "";
    Rejected = "rejected", Recorded, "";
    ReasonUpdated = "reason_updated", Recorded, "";
    ReasonAdded = "reason_added", Recorded, "";
    NoChange = "no_change", NoChange, "";
    StatusChanged = "status_changed", Recorded, "";
    /// Leaves no receipt.
    DryRun = "dry_run", NoChange, "Remove dry_run=1 to record for real.";
    Parked = "parked", Parked, "";

    AmbiguousParameter = "ambiguous_parameter", Refused, "Send the parameter once, or with the same value each time.";
    InvalidEncoding = "invalid_encoding", Refused, "Send the value as UTF-8, percent-encoded once, without control characters.";
    ValueTooLong = "value_too_long", Refused, "Shorten the value to the documented limit; an identifier is never cut.";
    TooManyParameters = "too_many_parameters", Refused, "Send at most 64 parameters with names of at most 64 bytes.";
    MissingSecure = "missing_secure", Refused, "Add secure=<your token> as it stands in the Postback URL.";
    InvalidSecure = "invalid_secure", Refused, "Copy the Postback URL again: the token is unknown, revoked or retired.";
    TokenCapability = "token_capability", Refused, "Ask for a token that may do this, or for the capability on this one.";
    IpNotAllowed = "ip_not_allowed", Refused, "Send from an address on the token's list, or have yours added to it.";
    TokenOfferMismatch = "token_offer_mismatch", Refused, "Use the Postback URL of the offer that was clicked, or the global one.";
    ClicklessDisabled = "clickless_disabled", Refused, "Have clickless conversions switched on for this offer.";
    PublisherNotAllowed = "publisher_not_allowed", Refused, "Have the publisher made active and given access to this offer.";
    UnknownRoute = "unknown_route", Refused, "Use /click, /postback, /postback/clickless, /reject, /status or /pixel.gif.";
    ConversionNotFound = "conversion_not_found", Refused, "Check the transaction id: nothing was recorded under it, and its time is over.";
    MethodNotAllowed = "method_not_allowed", Refused, "Use one of the methods in the Allow header.";
    BodyTooLarge = "body_too_large", Refused, "Send at most 64 KiB.";
    UriTooLong = "uri_too_long", Refused, "Send at most 8 KiB in the URL, or use POST.";
    UnsupportedMediaType = "unsupported_media_type", Refused, "Send application/x-www-form-urlencoded or a flat application/json object.";
    UnreplacedMacro = "unreplaced_macro", Refused, "Your system sent the placeholder itself: put its own macro for the value here.";
    MissingTransactionId = "missing_transaction_id", Refused, "Store the transaction_id that the landing page received, and send it back here.";
    MalformedTransactionId = "malformed_transaction_id", Refused, "Send the transaction_id exactly as the landing page received it: 40 characters.";
    UnexpectedTransactionId = "unexpected_transaction_id", Refused, "Send conversions that have a transaction_id to /postback; a clickless one has none.";
    OfferRequired = "offer_required", Refused, "Add offer=<number>: a global token does not say which offer.";
    UnknownOffer = "unknown_offer", Refused, "Check the offer number.";
    MissingPublisher = "missing_publisher", Refused, "Add publisher=<number>.";
    UnknownPublisher = "unknown_publisher", Refused, "Check the publisher number.";
    UnknownEvent = "unknown_event", Refused, "Use an event that is defined on the offer, or leave the parameter out.";
    InvalidAmount = "invalid_amount", Refused, "Send a plain number such as 12.50, with a point and no sign or unit.";
    InvalidCurrency = "invalid_currency", Refused, "Send an ISO 4217 code such as EUR.";
    InvalidStatus = "invalid_status", Refused, "Send approved, pending or rejected.";
    ReasonRequired = "reason_required", Refused, "Add new_rejected_reason=<why the conversion is not valid>.";
    OfferInactive = "offer_inactive", Refused, "The offer is closed: ask for it to be opened again.";
    NoBaseConversion = "no_base_conversion", Refused, "Send the conversion itself first, then its events.";
    AmbiguousTarget = "ambiguous_target", Refused, "Add order_id or conversion_id to say which conversion is meant.";
    InvalidTransition = "invalid_transition", Refused, "This status was set by somebody else: ask the network to change it.";
    PixelDisabled = "pixel_disabled", Refused, "Have the image pixel switched on for this offer.";
    PixelDomainRequired = "pixel_domain_required", Refused, "Load the pixel from a verified tracking domain.";
    RateLimited = "rate_limited", Refused, "Slow down, and send again after the time in Retry-After.";
    Internal = "internal", Failed, "Our fault, and we have been told: send the same request again later.";
    /// Leaves no receipt.
    TryAgain = "try_again", Failed, "Send the same request again after the time in Retry-After: that is always safe.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_every_refusal_has_a_cure() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            let wrong = matches!(code.verdict(), Verdict::Refused | Verdict::Failed);
            assert!(!wrong || code.cure().ends_with('.'), "{} has no cure", code.as_str());
        }
        assert_eq!(Code::parse("RECORDED"), None);
    }
}

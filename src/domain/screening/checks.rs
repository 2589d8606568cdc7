//! The named checks, and which of them each door asks, in which order.
//!
//! Nothing is checked here: this is the table that receipts, dry runs and the admin API show. A check that is not
//! in its door's list would decide a request and be shown nowhere.

use crate::domain::inbound::Door;
use crate::domain::offer::words;
use crate::domain::secure_token::Capability;

words!(
    /// One named check. Its name is on the receipt, in a dry run's answer and in the admin API.
    Check {
        RequestReads = "request_reads",
        TokenPresent = "token_present",
        TokenLive = "token_live",
        TokenMay = "token_may",
        SenderAddress = "sender_address",
        DomainVerified = "domain_verified",
        NoTransactionId = "no_transaction_id",
        TransactionId = "transaction_id",
        OfferKnown = "offer_known",
        TokenOffer = "token_offer",
        OfferActive = "offer_active",
        ClicklessEnabled = "clickless_enabled",
        PixelEnabled = "pixel_enabled",
        PublisherKnown = "publisher_known",
        PublisherActive = "publisher_active",
        PublisherAccess = "publisher_access",
        EventDefined = "event_defined",
        BaseRecorded = "base_recorded",
        AmountsRead = "amounts_read",
        ReasonGiven = "reason_given",
        StatusGiven = "status_given",
        NotSeenBefore = "not_seen_before",
        AttributionWindow = "attribution_window",
        NotRejected = "not_rejected",
        NothingHolds = "nothing_holds",
        TargetFound = "target_found",
        TargetUnambiguous = "target_unambiguous",
        MoveAllowed = "move_allowed",
        /// Our fault, such as a row that the database refuses.
        Stored = "stored",
    }
);

impl Check {
    /// What failing it means, in one line, where nothing more exact is known.
    pub const fn failure(self) -> &'static str {
        match self {
            Self::RequestReads => "The request cannot be read.",
            Self::TokenPresent => "No token was sent.",
            Self::TokenLive => "The token is unknown, retired or revoked.",
            Self::TokenMay => "The token may not do this.",
            Self::SenderAddress => "The sender's address is not on the token's list.",
            Self::DomainVerified => "The pixel came in on a host that is no verified tracking domain.",
            Self::NoTransactionId => "A transaction id was sent where there can be none.",
            Self::TransactionId => "There is no usable transaction id.",
            Self::OfferKnown => "The offer is missing or unknown.",
            Self::TokenOffer => "The token belongs to another offer than the one that is meant.",
            Self::OfferActive => "The offer is closed.",
            Self::ClicklessEnabled => "The offer takes no clickless conversions.",
            Self::PixelEnabled => "The offer takes no image pixels.",
            Self::PublisherKnown => "The publisher is missing or unknown.",
            Self::PublisherActive => "The publisher is not active.",
            Self::PublisherAccess => "The publisher may not promote the offer.",
            Self::EventDefined => "The offer does not define the event.",
            Self::BaseRecorded => "The event has no conversion to belong to.",
            Self::AmountsRead => "An amount or a currency cannot be read, and the offer is strict.",
            Self::ReasonGiven => "No reason was given.",
            Self::StatusGiven => "No status was given that we know.",
            Self::NotSeenBefore => "The conversion was seen before.",
            Self::AttributionWindow => "It came after the attribution window.",
            Self::NotRejected => "It is rejected.",
            Self::NothingHolds => "Something holds it back.",
            Self::TargetFound => "There is no such conversion.",
            Self::TargetUnambiguous => "More than one conversion could be meant.",
            Self::MoveAllowed => "The sender may not make this change.",
            Self::Stored => "It could not be stored.",
        }
    }

    /// What passing it means, in one line.
    pub const fn description(self) -> &'static str {
        match self {
            Self::RequestReads => "The request can be read.",
            Self::TokenPresent => "A token was sent.",
            Self::TokenLive => "The token is known, and neither retired nor revoked.",
            Self::TokenMay => "The token may do this.",
            Self::SenderAddress => "The sender's address is allowed.",
            Self::DomainVerified => "The pixel came in on a verified tracking domain.",
            Self::NoTransactionId => "No transaction id was sent: a clickless conversion has none.",
            Self::TransactionId => "The transaction id is present, replaced and well sealed.",
            Self::OfferKnown => "The offer exists.",
            Self::TokenOffer => "The token is for this offer.",
            Self::OfferActive => "The offer is open.",
            Self::ClicklessEnabled => "The offer takes clickless conversions.",
            Self::PixelEnabled => "The offer takes image pixels.",
            Self::PublisherKnown => "The publisher exists.",
            Self::PublisherActive => "The publisher is active.",
            Self::PublisherAccess => "The publisher may promote the offer.",
            Self::EventDefined => "The event is defined on the offer.",
            Self::BaseRecorded => "The conversion is there that an event belongs to.",
            Self::AmountsRead => "The amounts can be read, where the offer is strict.",
            Self::ReasonGiven => "A reason was given.",
            Self::StatusGiven => "A status was given.",
            Self::NotSeenBefore => "The conversion was not seen before.",
            Self::AttributionWindow => "It came inside the attribution window.",
            Self::NotRejected => "Nobody rejected it.",
            Self::NothingHolds => "Nothing holds it back.",
            Self::TargetFound => "The conversion exists.",
            Self::TargetUnambiguous => "It is clear which conversion is meant.",
            Self::MoveAllowed => "The sender may make this change.",
            Self::Stored => "It was stored.",
        }
    }
}

impl Door {
    /// The checks of a door, in their order.
    pub const fn checks(self) -> &'static [Check] {
        match self {
            Self::Click => &[
                Check::RequestReads,
                Check::OfferKnown,
                Check::OfferActive,
                Check::PublisherKnown,
                Check::PublisherActive,
                Check::PublisherAccess,
                Check::Stored,
            ],
            Self::Postback => &[
                Check::RequestReads,
                Check::TokenPresent,
                Check::TokenLive,
                Check::TokenMay,
                Check::SenderAddress,
                Check::TransactionId,
                Check::TokenOffer,
                Check::OfferActive,
                Check::EventDefined,
                Check::BaseRecorded,
                Check::AmountsRead,
                Check::NotSeenBefore,
                Check::AttributionWindow,
                Check::NotRejected,
                Check::NothingHolds,
                Check::Stored,
            ],
            Self::Clickless => &[
                Check::RequestReads,
                Check::TokenPresent,
                Check::TokenLive,
                Check::TokenMay,
                Check::SenderAddress,
                Check::NoTransactionId,
                Check::OfferKnown,
                Check::TokenOffer,
                Check::OfferActive,
                Check::ClicklessEnabled,
                Check::PublisherKnown,
                Check::EventDefined,
                Check::BaseRecorded,
                Check::AmountsRead,
                Check::NotSeenBefore,
                Check::NotRejected,
                Check::NothingHolds,
                Check::Stored,
            ],
            Self::Pixel => &[
                Check::RequestReads,
                Check::DomainVerified,
                Check::TransactionId,
                Check::OfferActive,
                Check::PixelEnabled,
                Check::EventDefined,
                Check::BaseRecorded,
                Check::NotSeenBefore,
                Check::AttributionWindow,
                Check::NotRejected,
                Check::NothingHolds,
                Check::Stored,
            ],
            Self::Rejection => &[
                Check::RequestReads,
                Check::TokenPresent,
                Check::TokenLive,
                Check::TokenMay,
                Check::SenderAddress,
                Check::TransactionId,
                Check::TokenOffer,
                Check::ReasonGiven,
                Check::EventDefined,
                Check::TargetFound,
                Check::TargetUnambiguous,
                Check::MoveAllowed,
                Check::Stored,
            ],
            Self::Status => &[
                Check::RequestReads,
                Check::TokenPresent,
                Check::TokenLive,
                Check::TokenMay,
                Check::SenderAddress,
                Check::TransactionId,
                Check::TokenOffer,
                Check::StatusGiven,
                Check::EventDefined,
                Check::AmountsRead,
                Check::TargetFound,
                Check::TargetUnambiguous,
                Check::MoveAllowed,
                Check::Stored,
            ],
        }
    }

    /// What a token must be able to do here; the public doors ask for none.
    pub(super) const fn capability(self) -> Option<Capability> {
        match self {
            Self::Postback => Some(Capability::Convert),
            Self::Clickless => Some(Capability::Clickless),
            Self::Rejection => Some(Capability::Reject),
            Self::Status => Some(Capability::Status),
            Self::Click | Self::Pixel => None,
        }
    }
}

//! The closed lists of the admin API, each with what its words mean.
//!
//! A word here is a word of `domain` in capitals. The compiler holds the two together: a new one in `domain` does
//! not compile until it has its description here.

use async_graphql::Enum;

use crate::{
    app::{self, change_conversions, postback_urls},
    domain::{
        code, conversion, delivery, job, offer, operator, outbound, publisher, secure_token, status, tracking_domain,
    },
};

/// What a signed-in person or key may do; whoever may do more may do all that is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "operator::Role")]
pub enum Role {
    /// Reads everything but secrets, personal data, operators, keys and the audit trail.
    Viewer,
    /// Reads personal data too, edits offers and partners, reveals URLs, rejects, reinstates and tests.
    Manager,
    /// Manages tokens, tracking domains, operators, keys and settings too.
    Admin,
}

/// Of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "offer::OfferState")]
pub enum OfferState {
    /// Takes clicks and conversions.
    Active,
    /// Refuses clicks and goes on converting those it has.
    Paused,
    /// Takes neither clicks nor conversions.
    Archived,
}

/// Of a publisher or an advertiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "publisher::PartnerState")]
pub enum PartnerState {
    /// At work.
    Active,
    /// For now not: a publisher's clicks are refused, and its conversions wait for a person.
    Paused,
    /// Not any more; kept because history names it.
    Archived,
}

/// What an outbound postback can fire on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "outbound::Moment")]
pub enum OutboundMoment {
    /// A conversion was recorded, whatever its status.
    Recorded,
    /// A conversion became Approved, or was born so.
    Approved,
    /// A conversion became Rejected, or was born so.
    Rejected,
}

/// How a publisher is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "outbound::Method")]
pub enum OutboundMethod {
    /// Everything is in the URL.
    Get,
    /// The URL, and all facts in a form.
    PostForm,
    /// The URL, and all facts in JSON.
    PostJson,
}

/// Where a delivery is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "delivery::DeliveryState")]
pub enum DeliveryState {
    /// It was not tried yet.
    Pending,
    /// It failed, or is sent again by hand, and is tried again.
    Retrying,
    /// The publisher took it.
    Succeeded,
    /// It is not tried any more: a dead letter, which can be sent again.
    GaveUp,
    /// Its rule was deleted before it was sent.
    Cancelled,
}

/// How many conversions one transaction may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "offer::DuplicatePolicy")]
pub enum DuplicatePolicy {
    /// One; everything later is a duplicate, whatever its order.
    OnePerTransaction,
    /// One for each order number of the advertiser.
    OnePerOrder,
}

/// Of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "status::Status")]
pub enum ConversionStatus {
    /// Waits for a person, or for its confirmation.
    Pending,
    /// Counts.
    Approved,
    /// Does not count; the reason says why.
    Rejected,
}

/// How a conversion came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "conversion::Source")]
pub enum ConversionSource {
    /// Server to server, with the transaction id of a click.
    Postback,
    /// Server to server, without a click.
    Clickless,
    /// From the visitor's browser, through an image.
    ImagePixel,
}

/// Why a conversion waits: a closed list. Null where a sender or an operator said Pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "conversion::PendingReason")]
pub enum PendingReason {
    /// The offer wants a person to approve.
    ManualApproval,
    /// The publisher is not active.
    PublisherInactive,
    /// A percentage is due, and nothing was sent to take it of.
    AmountMissing,
    /// An amount that would count cannot be read.
    AmountUnreadable,
    /// The currency is not the offer's, or is none.
    CurrencyUnresolved,
    /// The payout is above the offer's ceiling.
    PayoutOverCeiling,
    /// An image pixel reported it, and no postback has confirmed it.
    PixelUnconfirmed,
}

/// What an entry of a conversion's history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "conversion::ChangeKind")]
pub enum ConversionChangeKind {
    /// It was recorded.
    Recorded,
    /// A postback confirmed what a pixel had reported.
    Confirmed,
    /// It became Rejected.
    Rejected,
    /// It was Rejected: the reason was replaced, or the advertiser's was added beside it.
    ReasonChanged,
    /// Its status changed, neither to nor from Rejected.
    StatusChanged,
    /// It came back from Rejected.
    Reinstated,
    /// Its money changed and its status did not.
    Amended,
    /// Somebody noted something, and nothing else changed.
    NoteAdded,
}

/// What a sender reports with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "postback_urls::PostbackKind")]
pub enum PostbackKind {
    /// A conversion, server to server.
    Conversion,
    /// A conversion without a click, server to server.
    Clickless,
    /// A conversion through an image in the visitor's browser.
    ImagePixel,
    /// The rejection of a conversion.
    Rejection,
    /// The change of a conversion's status.
    Status,
}

/// Where a token is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "secure_token::TokenState")]
pub enum TokenState {
    /// Works.
    Active,
    /// Superseded by a rotation and still accepted until retiringUntil.
    Retiring,
    /// Its overlap is over: it is refused.
    Retired,
    /// Ended by a person at once: it is refused.
    Revoked,
}

/// What a sender may do with a token. The image pixel carries none: it is public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "secure_token::Capability")]
pub enum TokenCapability {
    /// Report conversions.
    Convert,
    /// Reject conversions.
    Reject,
    /// Report conversions without a click.
    Clickless,
    /// Change the status of conversions.
    Status,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "code::Verdict")]
pub enum Verdict {
    /// Something was stored or changed.
    Recorded,
    /// An accepted repeat: it was known already, and nothing was counted again.
    Duplicate,
    /// An accepted repeat of a change to what already is.
    NoChange,
    /// A rejection that waits for its conversion.
    Parked,
    /// It changed nothing, and the same request will never succeed.
    Refused,
    /// Our fault.
    Failed,
}

/// Of a tracking domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "tracking_domain::DomainState")]
pub enum DomainState {
    /// Its DNS records have not been found yet.
    Pending,
    /// Verified: links and pixels come in on it.
    Active,
    /// Its records are gone; it still accepts, because a hiccup must not cost conversions.
    Failing,
    /// Switched off: refuses.
    Disabled,
}

/// What to do when some of many cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "change_conversions::ErrorPolicy")]
pub enum ErrorPolicy {
    /// Change the others, and say which could not be.
    SkipFailed,
    /// Change none of them.
    RejectEverything,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "job::JobState")]
pub enum JobState {
    /// Waits for its first turn.
    Queued,
    /// Under way.
    Running,
    /// Everything was done.
    Succeeded,
    /// Some of it was done; errors tells the rest.
    Partial,
    /// Nothing was done, or it could not be gone on with; failure and errors tell why.
    Failed,
    /// Somebody stopped it; what was done stays done.
    Cancelled,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "job::JobKind")]
pub enum JobKind {
    /// Counts the conversions of a filter for a download.
    ConversionsExport,
    /// Counts the receipts of a filter for a download.
    ReceiptsExport,
    /// Rejects the conversions of a filter.
    ConversionsReject,
    /// Reinstates the conversions of a filter.
    ConversionsReinstate,
    /// Counts what is stored of somebody for a download.
    PersonExport,
    /// Empties what is personal in everything that is stored of somebody.
    PersonErase,
    /// Sends refused requests again from their receipts.
    ReceiptsReplay,
    /// Sends ended deliveries of a rule of outbound postbacks again.
    DeliveriesRetry,
}

/// The closed list of codes of userErrors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "app::UserErrorCode")]
pub enum UserErrorCode {
    /// A value is missing.
    Required,
    /// A value cannot be read, or does not fit the others.
    Invalid,
    /// A text is too long.
    TooLong,
    /// A number is too small.
    TooSmall,
    /// A number is too large.
    TooLarge,
    /// What is named does not exist.
    NotFound,
    /// Another one has this value already.
    Taken,
    /// Something still uses it.
    InUse,
    /// Somebody changed it meanwhile: read it again.
    ConflictVersion,
    /// There are as many as there may be.
    LimitExceeded,
    /// The idempotency key was used for a call with other arguments.
    IdempotencyKeyReused,
    /// The status may not move like this.
    InvalidTransition,
    /// The token is retired or revoked.
    TokenNotActive,
    /// It is the last live token of its scope.
    TokenLastActive,
    /// The overlap is longer than it may be.
    OverlapTooLong,
    /// An earlier rotation's overlap is still open.
    RotationOpen,
    /// The tracking domain is not verified.
    DomainNotVerified,
    /// The URL may not be used here.
    UrlNotAllowed,
    /// The template holds a macro that nobody fills in.
    UnknownMacro,
    /// The filter matches another number by now than was expected.
    SelectionChanged,
    /// The password is too weak.
    PasswordTooWeak,
    /// It is the last administrator.
    LastAdmin,
}

/// The direction of a sorted list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum SortDirection {
    /// Smallest, oldest or first letter first.
    Asc,
    /// Largest, newest or last letter first.
    Desc,
}

/// Who may promote an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum OfferAccess {
    /// Every active publisher.
    AllPublishers,
    /// Those on the offer's list only.
    ChosenPublishers,
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum TokenScope {
    /// Every offer.
    Global,
    /// One offer.
    Offer,
}

/// What did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum ActorKind {
    /// A person.
    Operator,
    /// A program, with an API key.
    ApiKey,
    /// An advertiser's server, with a token.
    AdvertiserPostback,
    /// A rule of ours.
    System,
}

/// The stable name of an answer, the same in HTTP, in receipts and in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "code::Code")]
pub enum ReceiptCode {
    /// A new conversion was recorded.
    Recorded,
    /// It was known already; nothing was counted again.
    Duplicate,
    /// A postback confirmed a conversion that a pixel had reported.
    Confirmed,
    /// The conversion was rejected.
    Rejected,
    /// The reason of a rejection was replaced.
    ReasonUpdated,
    /// The advertiser's reason was kept beside that of whoever rejected first.
    ReasonAdded,
    /// It is already as asked.
    NoChange,
    /// The status of the conversion was changed.
    StatusChanged,
    /// Only checked, on the wish of the sender; leaves no receipt.
    DryRun,
    /// The rejection waits for its conversion.
    Parked,
    /// A parameter came several times with different values.
    AmbiguousParameter,
    /// A value is not UTF-8, or holds control characters.
    InvalidEncoding,
    /// An identifier is longer than it may be.
    ValueTooLong,
    /// More parameters than are read, or too long a name.
    TooManyParameters,
    /// No token was sent.
    MissingSecure,
    /// The token is unknown, retired, revoked or unreadable.
    InvalidSecure,
    /// The token may not do this.
    TokenCapability,
    /// The sender's address is not on the token's list.
    IpNotAllowed,
    /// The token belongs to another offer than the click.
    TokenOfferMismatch,
    /// The offer takes no clickless conversions.
    ClicklessDisabled,
    /// The publisher is not active, or may not promote the offer.
    PublisherNotAllowed,
    /// There is no such tracking door.
    UnknownRoute,
    /// No conversion is known under this transaction, and its time is over.
    ConversionNotFound,
    /// The door does not take this HTTP method.
    MethodNotAllowed,
    /// The body is larger than 64 KiB.
    BodyTooLarge,
    /// The URL is longer than 8 KiB.
    UriTooLong,
    /// The body is neither a form nor a flat JSON object.
    UnsupportedMediaType,
    /// A placeholder came in place of its value.
    UnreplacedMacro,
    /// No transaction id was sent.
    MissingTransactionId,
    /// The transaction id is cut, mistyped or not one of ours.
    MalformedTransactionId,
    /// A clickless postback carried a transaction id.
    UnexpectedTransactionId,
    /// A global token does not say which offer.
    OfferRequired,
    /// There is no such offer.
    UnknownOffer,
    /// No publisher was named.
    MissingPublisher,
    /// There is no such publisher.
    UnknownPublisher,
    /// The offer defines no such event.
    UnknownEvent,
    /// An amount cannot be read, and the offer is strict.
    InvalidAmount,
    /// A currency cannot be read, and the offer is strict.
    InvalidCurrency,
    /// The status is not one.
    InvalidStatus,
    /// A rejection came without a reason.
    ReasonRequired,
    /// The offer is archived, or paused for clicks.
    OfferInactive,
    /// An event came before its conversion.
    NoBaseConversion,
    /// Several conversions may be meant.
    AmbiguousTarget,
    /// The sender may not make this change.
    InvalidTransition,
    /// The offer takes no image pixels.
    PixelDisabled,
    /// The pixel was not loaded from a verified tracking domain.
    PixelDomainRequired,
    /// Too many requests with bad tokens.
    RateLimited,
    /// Our fault.
    Internal,
    /// We were busy or away; leaves no receipt.
    TryAgain,
}

impl From<offer::OfferAccess> for OfferAccess {
    fn from(access: offer::OfferAccess) -> Self {
        match access {
            offer::OfferAccess::All => Self::AllPublishers,
            offer::OfferAccess::Chosen => Self::ChosenPublishers,
        }
    }
}

impl From<OfferAccess> for offer::OfferAccess {
    fn from(access: OfferAccess) -> Self {
        match access {
            OfferAccess::AllPublishers => Self::All,
            OfferAccess::ChosenPublishers => Self::Chosen,
        }
    }
}

impl From<secure_token::TokenScope> for TokenScope {
    fn from(scope: secure_token::TokenScope) -> Self {
        match scope {
            secure_token::TokenScope::Global => Self::Global,
            secure_token::TokenScope::Offer(_) => Self::Offer,
        }
    }
}

impl From<status::Party> for ActorKind {
    fn from(party: status::Party) -> Self {
        match party {
            status::Party::Sender => Self::AdvertiserPostback,
            status::Party::Operator => Self::Operator,
            status::Party::System => Self::System,
        }
    }
}

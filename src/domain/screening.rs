//! Screening: the ordered, named checks that every tracking request passes, and the verdict.
//!
//! Two pure steps. [`admit`] looks at the request and the snapshot: may this sender say this at all, and of
//! which offer and transaction? [`judge`] looks at what is already recorded: is it new, and how does it count?
//! `settle` gathers the facts between the two; a dry run takes the same two steps and writes nothing.
//! The first failing check decides, and nothing about a request is told before its token is verified.
//! To add a check: a variant of [`Check`], its place in [`Door::checks`], the line below, a test.

use secrecy::ExposeSecret;

use super::clock::Timestamp;
use super::code::Code;
use super::conversion::{ChangeKind, Conversion, Money, OUTSIDE_WINDOW, PendingReason, Reported, Source, Transition};
use super::conversion_key::{ClaimKeys, ConversionKey, fingerprint};
use super::ids::{ConversionId, OfferId, PublisherId, ReceiptId, TokenId};
use super::inbound::{Door, Inbound, Problem, SecureSlot, Slot, Warning, WarningCode};
use super::keyring::Keyring;
use super::money::Micros;
use super::offer::{Offer, OfferState, words};
use super::pricing::{self, WireAmounts};
use super::privacy::{PrivateAddress, PrivateEmail};
use super::receipt::Arrival;
use super::secure_token::{Capability, SecureToken, TokenDigest, TokenScope};
use super::snapshot::Snapshot;
use super::status::{Move, Party, SENDER_UNDO_SECONDS, Status, transition};
use super::transaction_id::{TransactionId, Unsealed};

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
    const fn capability(self) -> Option<Capability> {
        match self {
            Self::Postback => Some(Capability::Convert),
            Self::Clickless => Some(Capability::Clickless),
            Self::Rejection => Some(Capability::Reject),
            Self::Status => Some(Capability::Status),
            Self::Click | Self::Pixel => None,
        }
    }
}

/// One tracking request, read and about to be judged.
#[derive(Debug)]
pub struct Hit {
    pub inbound: Inbound,
    pub arrival: Arrival,
    pub receipt: ReceiptId,
    /// The parameters in canonical, private form: the receipt's, and what a fingerprint is taken over.
    pub params: String,
    pub address: PrivateAddress,
    pub conversion_ip: Option<PrivateAddress>,
    pub email: Option<PrivateEmail>,
    /// Additional parameters in private forms, to be kept with the conversion.
    pub extras: Vec<(String, String)>,
}

/// What is known of a request so far, whatever becomes of it: for its receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Set once the token is verified: only then may an answer tell details.
    pub token: Option<TokenId>,
    pub lenient: bool,
    pub offer: Option<OfferId>,
    pub publisher: Option<PublisherId>,
    pub transaction_id: Option<TransactionId>,
    pub is_test: bool,
}

/// The check that failed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub check: Check,
    pub code: Code,
    /// The parameter at fault.
    pub field: Option<&'static str>,
    pub received: Option<String>,
    pub detail: Option<String>,
}

impl Refusal {
    pub fn new(check: Check, code: Code) -> Self {
        Self { check, code, field: None, received: None, detail: None }
    }

    fn of(check: Check, problem: Problem) -> Self {
        Self {
            check,
            code: problem.code,
            field: Some(problem.field),
            received: problem.received,
            detail: Some(problem.detail),
        }
    }

    fn detailed(check: Check, code: Code, field: &'static str, detail: String) -> Self {
        Self { check, code, field: Some(field), received: None, detail: Some(detail) }
    }
}

/// A request that may be judged.
#[derive(Clone, Debug)]
pub struct Admission<'a> {
    pub token: Option<&'a SecureToken>,
    pub offer: &'a Offer,
    pub publisher: PublisherId,
    /// None for a clickless conversion: its transaction is minted when it is recorded.
    pub transaction: Option<(TransactionId, Unsealed)>,
    pub order_id: Option<&'a str>,
    /// 0 is the base conversion.
    pub event_number: i32,
    pub publisher_active: bool,
    /// Beside those of the reading.
    pub warnings: Vec<Warning>,
}

/// Looks at the request and the snapshot. The first failing check of the door decides.
/// For every door but the click's, which has [`admit_click`].
pub fn admit<'a>(hit: &'a Hit, snapshot: &'a Snapshot, keyring: &Keyring) -> (Known, Result<Admission<'a>, Refusal>) {
    let mut known = Known::default();
    let result = Admitting { hit, snapshot, keyring, known: &mut known }.run();
    (known, result)
}

struct Admitting<'a, 'k> {
    hit: &'a Hit,
    snapshot: &'a Snapshot,
    keyring: &'k Keyring,
    known: &'k mut Known,
}

impl<'a> Admitting<'a, '_> {
    fn run(&mut self) -> Result<Admission<'a>, Refusal> {
        let unreadable = self.hit.inbound.unreadable.clone().map(|problem| Refusal::of(Check::RequestReads, problem));
        match self.hit.inbound.door {
            Door::Pixel => {
                unreadable.map_or(Ok(()), Err)?;
                self.pixel()
            }
            Door::Clickless => {
                let token = self.token(unreadable)?;
                self.clickless(token)
            }
            Door::Click | Door::Postback | Door::Rejection | Door::Status => {
                let without_secure = unreadable.is_none() && self.tokenless_rejection();
                let token = if without_secure { None } else { Some(self.token(unreadable)?) };
                self.of_transaction(token)
            }
        }
    }

    /// Checks 1 to 4. An unreadable request is refused first, but its token is looked at, so that whoever
    /// holds one is told the details.
    fn token(&mut self, unreadable: Option<Refusal>) -> Result<&'a SecureToken, Refusal> {
        let found = self.live_token();
        if let Ok(token) = found {
            self.known.token = Some(token.id);
            self.known.lenient = token.lenient_status;
        }
        if let Some(refusal) = unreadable {
            return Err(refusal);
        }
        let token = found.map_err(|(check, code)| Refusal::new(check, code))?;
        if self.hit.inbound.door.capability().is_some_and(|needed| !token.capabilities.has(needed)) {
            return Err(Refusal::new(Check::TokenMay, Code::TokenCapability));
        }
        if !token.admits(self.hit.arrival.address) {
            return Err(Refusal::new(Check::SenderAddress, Code::IpNotAllowed));
        }
        Ok(token)
    }

    fn live_token(&self) -> Result<&'a SecureToken, (Check, Code)> {
        let secret = match &self.hit.inbound.secure {
            SecureSlot::Absent => return Err((Check::TokenPresent, Code::MissingSecure)),
            SecureSlot::Unusable => return Err((Check::TokenLive, Code::InvalidSecure)),
            SecureSlot::Present(secret) => secret,
        };
        let token = self.snapshot.tokens.get(&TokenDigest::of(secret.expose_secret()));
        token.filter(|token| token.live_at(self.hit.arrival.at)).ok_or((Check::TokenLive, Code::InvalidSecure))
    }

    /// A rejection by the sealed id alone, where the offer admits it from this address.
    fn tokenless_rejection(&self) -> bool {
        let tokenless =
            self.hit.inbound.door == Door::Rejection && matches!(self.hit.inbound.secure, SecureSlot::Absent);
        if !tokenless {
            return false;
        }
        let offer = self.transaction().ok().and_then(|(_, unsealed)| self.snapshot.offers.get(&unsealed.offer));
        offer.is_some_and(|offer| {
            let address = self.hit.arrival.address.to_canonical();
            offer.switches.reject_without_secure
                && offer.reject_allowed_addresses.iter().any(|network| network.contains(&address))
        })
    }

    fn transaction(&self) -> Result<(TransactionId, Unsealed), Refusal> {
        let text = match &self.hit.inbound.transaction_id {
            Slot::Absent => return Err(Refusal::new(Check::TransactionId, Code::MissingTransactionId)),
            Slot::Bad(problem) => return Err(Refusal::of(Check::TransactionId, problem.clone())),
            Slot::Value(text) => text,
        };
        TransactionId::open(text, self.keyring).map_err(|malformed| Refusal {
            received: super::inbound::presentable(text),
            ..Refusal::detailed(
                Check::TransactionId,
                Code::MalformedTransactionId,
                "transaction_id",
                malformed.detail(),
            )
        })
    }

    fn of_transaction(&mut self, token: Option<&'a SecureToken>) -> Result<Admission<'a>, Refusal> {
        let (id, unsealed) = self.transaction()?;
        self.known.transaction_id = Some(id);
        self.known.offer = Some(unsealed.offer);
        self.known.publisher = Some(unsealed.publisher);
        self.known.is_test = unsealed.kind.is_test();
        if token.is_some_and(|token| !token.scope.covers(unsealed.offer)) {
            return Err(Refusal::new(Check::TokenOffer, Code::TokenOfferMismatch));
        }
        let offer = self.sealed_offer(&unsealed)?;
        match self.hit.inbound.door {
            Door::Rejection => self.reason_given()?,
            Door::Status => self.status_given()?,
            Door::Postback => self.open(offer)?,
            Door::Click | Door::Clickless | Door::Pixel => {}
        }
        if self.hit.inbound.door == Door::Postback
            && let Slot::Bad(problem) = &self.hit.inbound.status
        {
            return Err(Refusal::of(Check::RequestReads, problem.clone()));
        }
        self.admission(token, offer, unsealed.publisher, Some((id, unsealed)))
    }

    fn sealed_offer(&self, unsealed: &Unsealed) -> Result<&'a Offer, Refusal> {
        self.snapshot.offers.get(&unsealed.offer).ok_or_else(|| {
            Refusal::detailed(
                Check::TransactionId,
                Code::UnknownOffer,
                "transaction_id",
                "Its offer does not exist here.".into(),
            )
        })
    }

    fn open(&self, offer: &Offer) -> Result<(), Refusal> {
        match offer.state {
            OfferState::Active | OfferState::Paused => Ok(()),
            OfferState::Archived => Err(Refusal::new(Check::OfferActive, Code::OfferInactive)),
        }
    }

    fn reason_given(&self) -> Result<(), Refusal> {
        match self.hit.inbound.rejected_reason {
            Some(_) => Ok(()),
            None => Err(Refusal::new(Check::ReasonGiven, Code::ReasonRequired)),
        }
    }

    fn status_given(&self) -> Result<(), Refusal> {
        match &self.hit.inbound.status {
            Slot::Value(_) => Ok(()),
            Slot::Absent => Err(Refusal::new(Check::StatusGiven, Code::InvalidStatus)),
            Slot::Bad(problem) => Err(Refusal::of(Check::StatusGiven, problem.clone())),
        }
    }

    fn clickless(&mut self, token: &'a SecureToken) -> Result<Admission<'a>, Refusal> {
        if !matches!(self.hit.inbound.transaction_id, Slot::Absent) {
            return Err(Refusal::new(Check::NoTransactionId, Code::UnexpectedTransactionId));
        }
        let offer = self.named_offer(token)?;
        self.known.offer = Some(offer.id);
        self.open(offer)?;
        if !offer.switches.clickless_enabled {
            return Err(Refusal::new(Check::ClicklessEnabled, Code::ClicklessDisabled));
        }
        let publisher = self.named_publisher()?;
        self.known.publisher = Some(publisher);
        if let Slot::Bad(problem) = &self.hit.inbound.external_transaction_id {
            return Err(Refusal::of(Check::RequestReads, problem.clone()));
        }
        self.admission(Some(token), offer, publisher, None)
    }

    /// The token's offer, or `offer=` beside a global token.
    fn named_offer(&self, token: &SecureToken) -> Result<&'a Offer, Refusal> {
        let sent = match &self.hit.inbound.offer {
            Slot::Absent => None,
            Slot::Value(id) => Some(*id),
            Slot::Bad(problem) => return Err(Refusal::of(Check::OfferKnown, problem.clone())),
        };
        let id = match (token.scope, sent) {
            (TokenScope::Offer(own), None) => own,
            (TokenScope::Offer(own), Some(sent)) if own == sent => own,
            (TokenScope::Offer(_), Some(_)) => {
                return Err(Refusal::new(Check::TokenOffer, Code::TokenOfferMismatch));
            }
            (TokenScope::Global, Some(sent)) => sent,
            (TokenScope::Global, None) => return Err(Refusal::new(Check::OfferKnown, Code::OfferRequired)),
        };
        self.snapshot.offers.get(&id).ok_or_else(|| Refusal::new(Check::OfferKnown, Code::UnknownOffer))
    }

    fn named_publisher(&self) -> Result<PublisherId, Refusal> {
        let id = publisher_slot(&self.hit.inbound)?;
        if self.snapshot.publishers.contains_key(&id) {
            Ok(id)
        } else {
            Err(Refusal::new(Check::PublisherKnown, Code::UnknownPublisher))
        }
    }

    fn pixel(&mut self) -> Result<Admission<'a>, Refusal> {
        if self.snapshot.accepting_domain(&self.hit.arrival.host).is_none() {
            return Err(Refusal::new(Check::DomainVerified, Code::PixelDomainRequired));
        }
        let (id, unsealed) = self.transaction()?;
        self.known.transaction_id = Some(id);
        self.known.offer = Some(unsealed.offer);
        self.known.publisher = Some(unsealed.publisher);
        self.known.is_test = unsealed.kind.is_test();
        let offer = self.sealed_offer(&unsealed)?;
        self.open(offer)?;
        if !offer.switches.pixel_enabled {
            return Err(Refusal::new(Check::PixelEnabled, Code::PixelDisabled));
        }
        self.admission(None, offer, unsealed.publisher, Some((id, unsealed)))
    }

    /// The checks that all doors share once offer and publisher are known.
    fn admission(
        &self,
        token: Option<&'a SecureToken>,
        offer: &'a Offer,
        publisher: PublisherId,
        transaction: Option<(TransactionId, Unsealed)>,
    ) -> Result<Admission<'a>, Refusal> {
        self.event()?;
        let mut warnings = Vec::new();
        let order_id = match &self.hit.inbound.order_id {
            Slot::Absent => None,
            Slot::Value(order_id) => Some(order_id.as_str()),
            Slot::Bad(problem) if offer.counts_orders() => {
                return Err(Refusal::of(Check::RequestReads, problem.clone()));
            }
            Slot::Bad(_) => {
                warnings.push(warning(WarningCode::OrderIdIgnored, "order_id"));
                None
            }
        };
        let publisher_active = self.snapshot.publisher_active(publisher);
        Ok(Admission { token, offer, publisher, transaction, order_id, event_number: 0, publisher_active, warnings })
    }

    /// No offer defines events yet: every event is unknown.
    fn event(&self) -> Result<(), Refusal> {
        let inbound = &self.hit.inbound;
        let unknown = |field: &'static str, received: String| Refusal {
            received: Some(received.chars().take(64).collect()),
            ..Refusal::detailed(
                Check::EventDefined,
                Code::UnknownEvent,
                field,
                "The offer defines no such event.".into(),
            )
        };
        match (&inbound.event_id, &inbound.event_name) {
            (Slot::Absent, Slot::Absent) => Ok(()),
            (Slot::Bad(problem), _) | (_, Slot::Bad(problem)) => Err(Refusal::of(Check::EventDefined, problem.clone())),
            (Slot::Value(number), _) => Err(unknown("event_id", number.to_string())),
            (Slot::Absent, Slot::Value(name)) => Err(unknown("event_name", name.clone())),
        }
    }
}

fn publisher_slot(inbound: &Inbound) -> Result<PublisherId, Refusal> {
    match &inbound.publisher {
        Slot::Absent => Err(Refusal::new(Check::PublisherKnown, Code::MissingPublisher)),
        Slot::Bad(problem) => Err(Refusal::of(Check::PublisherKnown, problem.clone())),
        Slot::Value(id) => Ok(*id),
    }
}

fn warning(code: WarningCode, field: &str) -> Warning {
    Warning { code, field: field.to_owned(), hint: None }
}

/// Where a click may go.
#[derive(Clone, Copy, Debug)]
pub struct ClickAdmission<'a> {
    pub offer: &'a Offer,
    pub publisher: PublisherId,
}

/// The checks of a click, in order. `is_test` (a valid MAC of a test link) ignores who may promote what.
///
/// # Errors
/// The refusal, with the offer where it is known: a refused click goes to its fallback.
pub fn admit_click<'a>(
    inbound: &Inbound,
    snapshot: &'a Snapshot,
    is_test: bool,
) -> Result<ClickAdmission<'a>, (Refusal, Option<&'a Offer>)> {
    let unknown_offer = |problem: Option<&Problem>| match problem {
        Some(problem) => Refusal { code: Code::UnknownOffer, ..Refusal::of(Check::OfferKnown, problem.clone()) },
        None => Refusal::new(Check::OfferKnown, Code::UnknownOffer),
    };
    let offer = match &inbound.offer {
        Slot::Value(id) => snapshot.offers.get(id).ok_or_else(|| (unknown_offer(None), None))?,
        Slot::Absent => return Err((unknown_offer(None), None)),
        Slot::Bad(problem) => return Err((unknown_offer(Some(problem)), None)),
    };
    let refuse = |check, code| (Refusal::new(check, code), Some(offer));
    if offer.state != OfferState::Active && !(is_test && offer.state == OfferState::Paused) {
        return Err(refuse(Check::OfferActive, Code::OfferInactive));
    }
    let publisher = publisher_slot(inbound).map_err(|refusal| (refusal, Some(offer)))?;
    if !snapshot.publishers.contains_key(&publisher) {
        return Err(refuse(Check::PublisherKnown, Code::UnknownPublisher));
    }
    if !is_test && !snapshot.publisher_active(publisher) {
        return Err(refuse(Check::PublisherActive, Code::PublisherNotAllowed));
    }
    if !is_test && !offer.open_to(publisher) {
        return Err(refuse(Check::PublisherAccess, Code::PublisherNotAllowed));
    }
    Ok(ClickAdmission { offer, publisher })
}

impl Admission<'_> {
    pub fn source(&self, hit: &Hit) -> Source {
        match hit.inbound.door {
            Door::Clickless => Source::Clickless,
            Door::Pixel => Source::ImagePixel,
            Door::Click | Door::Postback | Door::Rejection | Door::Status => Source::Postback,
        }
    }

    /// The keys that recording this request would claim (`conversion_key`). A clickless conversion's own F key
    /// is added when its transaction is minted.
    pub fn claim_keys(&self, hit: &Hit) -> ClaimKeys {
        let event = self.event_number;
        let Some((id, _)) = &self.transaction else {
            return self.clickless_keys(hit);
        };
        let first = Some(ConversionKey::first(id, event));
        if hit.inbound.door == Door::Pixel {
            return ClaimKeys { first, ..ClaimKeys::default() };
        }
        let order = self.order_id.map(|order_id| ConversionKey::order(self.offer.id, id, event, order_id));
        let repeat = match order {
            Some(_) => None,
            None => Some(ConversionKey::repeat(id, &fingerprint(self.offer.id, &hit.params), 0)),
        };
        ClaimKeys { order, external: None, repeat, first }
    }

    /// The key on which a rejection of this transaction waits for its conversion.
    pub fn parking_key(&self, transaction: &TransactionId) -> ConversionKey {
        match self.order_id {
            Some(order_id) => ConversionKey::order(self.offer.id, transaction, self.event_number, order_id),
            None => ConversionKey::first(transaction, self.event_number),
        }
    }

    fn clickless_keys(&self, hit: &Hit) -> ClaimKeys {
        let (offer, publisher) = (self.offer.id, self.publisher);
        let order = self.order_id.map(|id| ConversionKey::clickless_order(offer, publisher, self.event_number, id));
        let external = match &hit.inbound.external_transaction_id {
            Slot::Value(id) => Some(ConversionKey::external(offer, publisher, id)),
            Slot::Absent | Slot::Bad(_) => None,
        };
        let repeat = match (&order, &external) {
            (None, None) => Some(ConversionKey::clickless_repeat(&fingerprint(offer, &hit.params), 0)),
            (Some(_), _) | (_, Some(_)) => None,
        };
        ClaimKeys { order, external, repeat, first: None }
    }

    /// Is an identical request, known by its fingerprint only, a retry of `owner` rather than a new conversion?
    pub fn is_repeat_of(&self, hit: &Hit, owner: &Conversion) -> bool {
        let window = match self.source(hit) {
            Source::Clickless => self.offer.clickless_repeat_window_seconds,
            Source::Postback | Source::ImagePixel => self.offer.repeat_window_seconds,
        };
        hit.arrival.at.millis_since(owner.converted_at) < i64::from(window) * 1000
    }
}

/// What is already recorded, as far as one request is concerned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    pub by_order: Option<&'a Conversion>,
    pub by_external: Option<&'a Conversion>,
    /// Inside its repeat window only.
    pub by_repeat: Option<&'a Conversion>,
    pub by_first: Option<&'a Conversion>,
    /// A rejection waits on one of the keys.
    pub parked: bool,
    /// Every conversion of the transaction.
    pub of_transaction: &'a [&'a Conversion],
}

/// How a conversion counts when it is recorded or confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub status: Status,
    pub pending_reason: Option<PendingReason>,
    pub reason: Option<String>,
    pub rejected_by: Option<Party>,
    pub money: Money,
    pub reported: Reported,
}

/// What is to be done about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// A new conversion.
    Record(Box<Standing>),
    /// Nothing: it is this one.
    Duplicate(ConversionId),
    /// A postback confirms what a pixel reported; `answer` is `confirmed`, or `duplicate` where it stays rejected.
    Confirm {
        of: ConversionId,
        transition: Box<Transition>,
        answer: Code,
    },
    /// A change of one that exists.
    Move {
        of: ConversionId,
        transition: Box<Transition>,
        answer: Code,
    },
    /// It is already as asked.
    NoChange(ConversionId),
    /// The rejection waits for its conversion on this key.
    Park(ConversionKey),
    Refuse(Refusal),
}

/// A ruling, the check that decided it, and what else is to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub ruling: Ruling,
    /// None: every check passed.
    pub decisive: Option<Check>,
    /// Which reason to wait, or what exactly failed.
    pub detail: Option<String>,
    pub warnings: Vec<Warning>,
}

impl Judgement {
    /// What is answered when this is carried out.
    pub fn code(&self) -> Code {
        match &self.ruling {
            Ruling::Record(_) => Code::Recorded,
            Ruling::Duplicate(_) => Code::Duplicate,
            Ruling::Confirm { answer, .. } | Ruling::Move { answer, .. } => *answer,
            Ruling::NoChange(_) => Code::NoChange,
            Ruling::Park(_) => Code::Parked,
            Ruling::Refuse(refusal) => refusal.code,
        }
    }

    /// The conversion that it is about, where one exists.
    pub fn conversion(&self) -> Option<ConversionId> {
        match &self.ruling {
            Ruling::Duplicate(id) | Ruling::NoChange(id) => Some(*id),
            Ruling::Confirm { of, .. } | Ruling::Move { of, .. } => Some(*of),
            Ruling::Record(_) | Ruling::Park(_) | Ruling::Refuse(_) => None,
        }
    }

    fn refuse(refusal: Refusal) -> Self {
        Self {
            decisive: Some(refusal.check),
            detail: refusal.detail.clone(),
            ruling: Ruling::Refuse(refusal),
            warnings: Vec::new(),
        }
    }
}

/// The second step: pure, over what `settle` gathered.
pub fn judge(hit: &Hit, admission: &Admission<'_>, facts: &Facts<'_>) -> Judgement {
    let mut judgement = match hit.inbound.door {
        Door::Postback | Door::Clickless | Door::Pixel | Door::Click => judge_conversion(hit, admission, facts),
        Door::Rejection => judge_rejection(hit, admission, facts),
        Door::Status => judge_status(hit, admission, facts),
    };
    judgement.warnings.splice(0..0, admission.warnings.iter().cloned());
    judgement
}

fn judge_conversion(hit: &Hit, admission: &Admission<'_>, facts: &Facts<'_>) -> Judgement {
    let source = admission.source(hit);
    let priced = match pricing::price(admission.offer, admission.publisher, source, &wire_amounts(&hit.inbound)) {
        Ok(priced) => priced,
        Err(problem) => return Judgement::refuse(Refusal::of(Check::AmountsRead, problem)),
    };
    let mut warnings = priced.warnings;
    if source == Source::Clickless && admission.claim_keys(hit).repeat.is_some() {
        warnings.push(warning(WarningCode::NoDedupeKey, ""));
    }
    let found = facts.by_order.or(facts.by_external).or(facts.by_repeat);
    let confirmable = facts.by_first.filter(|first| source == Source::Postback && first.awaits_confirmation());
    let first_blocks = source == Source::ImagePixel || !admission.offer.counts_orders();
    let existing = found.or_else(|| facts.by_first.filter(|_| first_blocks));
    let worth = Worth { money: priced.money, reported: priced.reported, holds: priced.holds };
    match (found, confirmable, existing) {
        (None, Some(pixel), _) => confirm(hit, admission, pixel, worth, warnings),
        (_, _, Some(existing)) => seen_before(hit, admission, existing, found.is_none(), warnings),
        (_, _, None) if leaked(admission) => leaked_key(),
        (_, _, None) => {
            let (decisive, standing) = standing(hit, admission, worth, hit.arrival.at);
            let parked = facts.parked.then_some(Check::NotRejected);
            let detail = decisive.and_then(|_| standing.reason.clone().or_else(|| held_by(&standing)));
            let decisive = match decisive {
                Some(Check::AttributionWindow) => decisive,
                _ => parked.or(decisive),
            };
            Judgement { ruling: Ruling::Record(Box::new(standing)), decisive, detail, warnings }
        }
    }
}

/// Under a sealing key that was revoked as leaked only what exists is found: anybody could have made the id.
fn leaked(admission: &Admission<'_>) -> bool {
    admission.transaction.as_ref().is_some_and(|(_, unsealed)| unsealed.key_revoked)
}

fn leaked_key() -> Judgement {
    Judgement::refuse(Refusal::detailed(
        Check::TransactionId,
        Code::MalformedTransactionId,
        "transaction_id",
        "It was sealed with a key that has been revoked, and no conversion is known under it.".into(),
    ))
}

struct Worth {
    money: Money,
    reported: Reported,
    holds: Vec<PendingReason>,
}

fn wire_amounts(inbound: &Inbound) -> WireAmounts {
    WireAmounts {
        revenue: inbound.revenue.clone(),
        payout: inbound.payout.clone(),
        purchase_value: inbound.purchase_value.clone(),
        currency: inbound.currency.clone(),
    }
}

fn held_by(standing: &Standing) -> Option<String> {
    standing.pending_reason.map(|reason| reason.as_str().to_owned())
}

/// Checks 10 to 12: how it counts, and which check decided.
fn standing(hit: &Hit, admission: &Admission<'_>, worth: Worth, converted_at: Timestamp) -> (Option<Check>, Standing) {
    let (money, reported) = (worth.money, worth.reported);
    let rejected = |by, reason| Standing {
        status: Status::Rejected,
        pending_reason: None,
        reason,
        rejected_by: Some(by),
        money,
        reported,
    };
    if outside_window(admission, converted_at) {
        return (Some(Check::AttributionWindow), rejected(Party::System, Some(OUTSIDE_WINDOW.to_owned())));
    }
    let asked = asked_status(&hit.inbound);
    let third_party = hit.inbound.third_party_rejected_reason.clone();
    if third_party.is_some() || asked == Some(Status::Rejected) {
        return (Some(Check::NotRejected), rejected(Party::Sender, third_party));
    }
    let hold = hold(admission, admission.source(hit), &worth.holds);
    let waits = hold.is_some() || asked == Some(Status::Pending);
    let standing = Standing {
        status: if waits { Status::Pending } else { Status::Approved },
        pending_reason: hold,
        reason: None,
        rejected_by: None,
        money,
        reported,
    };
    (waits.then_some(Check::NothingHolds), standing)
}

fn asked_status(inbound: &Inbound) -> Option<Status> {
    match &inbound.status {
        Slot::Value(status) => Some(*status),
        Slot::Absent | Slot::Bad(_) => None,
    }
}

fn outside_window(admission: &Admission<'_>, converted_at: Timestamp) -> bool {
    admission.transaction.as_ref().is_some_and(|(_, unsealed)| {
        converted_at.millis_since(unsealed.minted_at) > admission.offer.attribution_window_seconds() * 1000
    })
}

/// The first reason to wait, in the order of the closed list; a pixel's own comes before all others.
fn hold(admission: &Admission<'_>, source: Source, money: &[PendingReason]) -> Option<PendingReason> {
    let switches = admission.offer.switches;
    let holds = |reason: &PendingReason| match reason {
        PendingReason::ManualApproval => switches.manual_approval,
        PendingReason::PublisherInactive => !admission.publisher_active,
        PendingReason::PixelUnconfirmed => source == Source::ImagePixel && !switches.pixel_trusted,
        PendingReason::AmountMissing
        | PendingReason::AmountUnreadable
        | PendingReason::CurrencyUnresolved
        | PendingReason::PayoutOverCeiling => money.contains(reason),
    };
    let pixel = Some(PendingReason::PixelUnconfirmed).filter(holds);
    pixel.or_else(|| PendingReason::ALL.iter().copied().find(holds))
}

/// The first server-to-server postback of a transaction that a pixel reported.
fn confirm(
    hit: &Hit,
    admission: &Admission<'_>,
    pixel: &Conversion,
    worth: Worth,
    warnings: Vec<Warning>,
) -> Judgement {
    let money = Some((worth.money, worth.reported));
    let (decisive, standing) = standing(hit, admission, worth, pixel.converted_at);
    let moves = pixel.status != Status::Rejected && !held_by_a_person(pixel);
    let transition = if moves {
        Transition {
            kind: ChangeKind::Confirmed,
            to: standing.status,
            pending_reason: standing.pending_reason,
            reason: standing.reason,
            beside: false,
            money,
        }
    } else {
        stays(pixel, money)
    };
    let rejected = pixel.status == Status::Rejected;
    Judgement {
        ruling: Ruling::Confirm {
            of: pixel.id,
            transition: Box::new(transition),
            answer: if rejected { Code::Duplicate } else { Code::Confirmed },
        },
        decisive: if rejected { Some(Check::NotSeenBefore) } else { decisive },
        detail: None,
        warnings,
    }
}

/// Pending because somebody said so, not because a rule did.
fn held_by_a_person(conversion: &Conversion) -> bool {
    conversion.status == Status::Pending && conversion.pending_reason.is_none()
}

/// Takes the money and keeps everything else as it is.
fn stays(conversion: &Conversion, money: Option<(Money, Reported)>) -> Transition {
    let kind = if conversion.awaits_confirmation() { ChangeKind::Confirmed } else { ChangeKind::Amended };
    Transition {
        kind,
        to: conversion.status,
        pending_reason: conversion.pending_reason,
        reason: None,
        beside: false,
        money,
    }
}

/// Check 9.
fn seen_before(
    hit: &Hit,
    admission: &Admission<'_>,
    existing: &Conversion,
    by_first: bool,
    mut warnings: Vec<Warning>,
) -> Judgement {
    let other_order = admission.order_id.filter(|order| by_first && existing.order_id.as_deref() != Some(*order));
    if other_order.is_some() {
        warnings.push(warning(WarningCode::DifferentOrderId, "order_id"));
    }
    for (field, sent, kept) in amounts_of(&hit.inbound, existing) {
        if sent.is_some() && !kept.contains(&sent) {
            warnings.push(warning(WarningCode::DuplicateDiffers, field));
        }
    }
    let asked = asked_status(&hit.inbound).filter(|asked| *asked != existing.status);
    let may = admission.token.is_some_and(|token| token.capabilities.has(Capability::Status));
    let duplicate = Judgement {
        ruling: Ruling::Duplicate(existing.id),
        decisive: Some(Check::NotSeenBefore),
        detail: None,
        warnings,
    };
    match asked {
        None => duplicate,
        Some(_) if !may => {
            let mut duplicate = duplicate;
            duplicate.warnings.push(warning(WarningCode::StatusIgnored, "status"));
            duplicate
        }
        Some(asked) => {
            let reason = hit.inbound.third_party_rejected_reason.clone();
            let moved = moved(existing, rule_move(existing, asked, reason, Party::Sender, hit.arrival.at));
            Judgement { warnings: duplicate.warnings, ..moved }
        }
    }
}

type AmountSent = (&'static str, Option<Micros>, [Option<Micros>; 2]);

/// Each amount as sent, beside the two places where it may have been kept.
fn amounts_of(inbound: &Inbound, existing: &Conversion) -> [AmountSent; 3] {
    use super::inbound::AmountSlot;
    let value = |slot: &AmountSlot| match slot {
        AmountSlot::Value(micros) => Some(*micros),
        AmountSlot::Absent | AmountSlot::Unreadable(_) => None,
    };
    let (money, reported) = (&existing.money, &existing.reported);
    [
        ("revenue", value(&inbound.revenue), [money.revenue, reported.revenue]),
        ("payout", value(&inbound.payout), [money.payout, reported.payout]),
        ("purchase_value", value(&inbound.purchase_value), [money.purchase_value, money.purchase_value]),
    ]
}

/// What becomes of a wish to move a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveRuling {
    Apply(Code, Box<Transition>),
    NoChange,
    Forbidden,
}

/// The transition table, with its reasons and its time limit: the same for senders and operators.
pub fn rule_move(
    conversion: &Conversion,
    to: Status,
    reason: Option<String>,
    party: Party,
    at: Timestamp,
) -> MoveRuling {
    let apply = |code, kind, beside| {
        let transition = Transition { kind, to, pending_reason: None, reason: reason.clone(), beside, money: None };
        MoveRuling::Apply(code, Box::new(transition))
    };
    match transition(conversion.status, conversion.rejected_by, to, party) {
        Move::Same => MoveRuling::NoChange,
        Move::Forbidden => MoveRuling::Forbidden,
        Move::Allowed if to == Status::Rejected => apply(Code::Rejected, ChangeKind::Rejected, false),
        Move::Allowed if conversion.status == Status::Rejected => {
            let late = at.millis_since(conversion.status_changed_at) > SENDER_UNDO_SECONDS * 1000;
            if party == Party::Sender && late {
                MoveRuling::Forbidden
            } else {
                apply(Code::StatusChanged, ChangeKind::Reinstated, false)
            }
        }
        Move::Allowed => apply(Code::StatusChanged, ChangeKind::StatusChanged, false),
        Move::ReplacesReason => {
            let same = conversion.rejection_reason == reason && conversion.rejected_by == Some(party);
            if same || reason.is_none() {
                MoveRuling::NoChange
            } else {
                apply(Code::ReasonUpdated, ChangeKind::ReasonChanged, false)
            }
        }
        Move::AddsReason => {
            if conversion.advertiser_reason == reason || reason.is_none() {
                MoveRuling::NoChange
            } else {
                apply(Code::ReasonAdded, ChangeKind::ReasonChanged, true)
            }
        }
    }
}

fn moved(conversion: &Conversion, ruling: MoveRuling) -> Judgement {
    let (ruling, decisive) = match ruling {
        MoveRuling::Apply(answer, transition) => (Ruling::Move { of: conversion.id, transition, answer }, None),
        MoveRuling::NoChange => (Ruling::NoChange(conversion.id), None),
        MoveRuling::Forbidden => {
            return Judgement::refuse(Refusal::detailed(
                Check::MoveAllowed,
                Code::InvalidTransition,
                "status",
                format!("It is {}, and not by you or not lately.", conversion.status.as_str()),
            ));
        }
    };
    Judgement { ruling, decisive, detail: None, warnings: Vec::new() }
}

/// Which conversion of the transaction is meant.
enum Target<'a> {
    One(&'a Conversion),
    None,
    Many(usize),
}

fn target<'a>(hit: &Hit, admission: &Admission<'_>, facts: &Facts<'a>) -> Target<'a> {
    let named = match &hit.inbound.conversion_id {
        Slot::Value(text) => Some(ConversionId::parse(text)),
        Slot::Absent => None,
        Slot::Bad(_) => Some(None),
    };
    let mut candidates = facts.of_transaction.iter().copied().filter(|conversion| match named {
        Some(id) => Some(conversion.id) == id,
        None => {
            conversion.event_number == admission.event_number
                && admission.order_id.is_none_or(|order| conversion.order_id.as_deref() == Some(order))
        }
    });
    match (candidates.next(), candidates.count()) {
        (None, _) => Target::None,
        (Some(one), 0) => Target::One(one),
        (Some(_), more) => Target::Many(more.saturating_add(1)),
    }
}

fn judge_rejection(hit: &Hit, admission: &Admission<'_>, facts: &Facts<'_>) -> Judgement {
    match target(hit, admission, facts) {
        Target::One(conversion) => {
            let reason = hit.inbound.rejected_reason.clone();
            moved(conversion, rule_move(conversion, Status::Rejected, reason, Party::Sender, hit.arrival.at))
        }
        Target::Many(count) => ambiguous(count),
        Target::None => park_or_refuse(hit, admission),
    }
}

fn ambiguous(count: usize) -> Judgement {
    Judgement::refuse(Refusal::detailed(
        Check::TargetUnambiguous,
        Code::AmbiguousTarget,
        "transaction_id",
        format!("The transaction has {count} conversions."),
    ))
}

/// A rejection may come before its conversion, as long as that may still come.
fn park_or_refuse(hit: &Hit, admission: &Admission<'_>) -> Judgement {
    let not_found = || Judgement::refuse(Refusal::new(Check::TargetFound, Code::ConversionNotFound));
    let Some((id, unsealed)) = &admission.transaction else {
        return not_found();
    };
    let named = !matches!(hit.inbound.conversion_id, Slot::Absent);
    let late = hit.arrival.at.millis_since(unsealed.minted_at) > admission.offer.parking_window_seconds() * 1000;
    if named || late || unsealed.kind.is_clickless() || unsealed.key_revoked {
        return not_found();
    }
    let key = admission.parking_key(id);
    Judgement { ruling: Ruling::Park(key), decisive: Some(Check::TargetFound), detail: None, warnings: Vec::new() }
}

fn judge_status(hit: &Hit, admission: &Admission<'_>, facts: &Facts<'_>) -> Judgement {
    let conversion = match target(hit, admission, facts) {
        Target::One(conversion) => conversion,
        Target::Many(count) => return ambiguous(count),
        Target::None => return Judgement::refuse(Refusal::new(Check::TargetFound, Code::ConversionNotFound)),
    };
    let asked = asked_status(&hit.inbound).unwrap_or(conversion.status);
    let amended = match amended(hit, admission, conversion) {
        Ok(amended) => amended,
        Err(problem) => return Judgement::refuse(Refusal::of(Check::AmountsRead, problem)),
    };
    let ruling = rule_move(conversion, asked, hit.inbound.rejected_reason.clone(), Party::Sender, hit.arrival.at);
    let mut judgement = moved(conversion, ruling);
    judgement.warnings = amended.warnings;
    match (&mut judgement.ruling, amended.money) {
        (Ruling::Move { transition, .. }, Some(money)) => transition.money = Some(money),
        (ruling @ Ruling::NoChange(_), Some(money)) => {
            let transition = Box::new(stays(conversion, Some(money)));
            *ruling = Ruling::Move { of: conversion.id, transition, answer: Code::StatusChanged };
        }
        (
            Ruling::Move { .. }
            | Ruling::NoChange(_)
            | Ruling::Refuse(_)
            | Ruling::Record(_)
            | Ruling::Duplicate(_)
            | Ruling::Confirm { .. }
            | Ruling::Park(_),
            _,
        ) => {}
    }
    judgement
}

struct Amended {
    /// None: as it was.
    money: Option<(Money, Reported)>,
    warnings: Vec<Warning>,
}

/// New money that a status change brings, priced by the offer's rules; what would make it wait is only reported.
fn amended(hit: &Hit, admission: &Admission<'_>, conversion: &Conversion) -> Result<Amended, Problem> {
    use super::inbound::AmountSlot;
    let sent = wire_amounts(&hit.inbound);
    if sent.revenue == AmountSlot::Absent && sent.purchase_value == AmountSlot::Absent {
        return Ok(Amended { money: None, warnings: Vec::new() });
    }
    let kept = |slot: AmountSlot, kept: Option<Micros>| match (slot, kept) {
        (AmountSlot::Absent, Some(micros)) => AmountSlot::Value(micros),
        (slot, _) => slot,
    };
    let trusts_revenue = admission.offer.switches.wire_revenue_trusted;
    let wire = WireAmounts {
        revenue: kept(sent.revenue, conversion.money.revenue.filter(|_| trusts_revenue)),
        payout: AmountSlot::Absent,
        purchase_value: kept(sent.purchase_value, conversion.money.purchase_value),
        currency: sent.currency,
    };
    let priced = pricing::price(admission.offer, conversion.publisher, Source::Postback, &wire)?;
    let held = !priced.holds.is_empty();
    let money = if held { conversion.money } else { priced.money };
    let reported = Reported { payout: conversion.reported.payout, ..priced.reported };
    let changed = (money, reported) != (conversion.money, conversion.reported);
    Ok(Amended { money: changed.then_some((money, reported)), warnings: priced.warnings })
}

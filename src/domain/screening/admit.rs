//! The first step: may this sender say this at all, and of which offer and transaction?
//!
//! Pure, over the request and the snapshot. It never looks at what is recorded: that is [`judge`](super::judge).

use secrecy::ExposeSecret;

use crate::domain::clock::Timestamp;
use crate::domain::code::Code;
use crate::domain::foreign_click::Aliases;
use crate::domain::ids::{PublisherId, TokenId};
use crate::domain::inbound::{Door, Inbound, SecureSlot, Slot, WarningCode, presentable};
use crate::domain::keyring::Keyring;
use crate::domain::offer::{Offer, OfferState};
use crate::domain::receipt::Arrival;
use crate::domain::secure_token::{SecureToken, TokenDigest, TokenScope, TokenState};
use crate::domain::snapshot::Snapshot;
use crate::domain::transaction_id::{TransactionId, Unsealed};

use super::event::{clickless_event, meant_event};
use super::{Admission, Check, Hit, Known, Refusal, warning};

/// Looks at the request and the snapshot. The first failing check of the door decides.
/// For every door but the click's, which has [`admit_click`].
pub fn admit<'a>(
    hit: &'a Hit,
    snapshot: &'a Snapshot,
    keyring: &Keyring,
    aliases: &Aliases,
) -> (Known, Result<Admission<'a>, Refusal>) {
    let mut known = Known::default();
    let (inbound, arrival) = (&hit.inbound, &hit.arrival);
    let result = Admitting { inbound, arrival, snapshot, keyring, aliases, known: &mut known }.run();
    (known, result)
}

/// As [`admit`], before the private forms of the request are made: a stranger's are mostly made for nothing. Ids of
/// another system are not known here; nobody is refused for one whose token is believed.
pub fn admit_read<'a>(
    inbound: &'a Inbound,
    arrival: &'a Arrival,
    snapshot: &'a Snapshot,
    keyring: &Keyring,
) -> (Known, Result<Admission<'a>, Refusal>) {
    let (mut known, aliases) = (Known::default(), &Aliases::default());
    let result = Admitting { inbound, arrival, snapshot, keyring, aliases, known: &mut known }.run();
    (known, result)
}

/// The token of this digest, when it may be used at this instant.
pub fn live_token<'a>(snapshot: &'a Snapshot, digest: &TokenDigest, at: Timestamp) -> Option<&'a SecureToken> {
    snapshot.tokens.get(digest).filter(|token| token.live_at(at))
}

struct Admitting<'a, 'k> {
    inbound: &'a Inbound,
    arrival: &'a Arrival,
    snapshot: &'a Snapshot,
    keyring: &'k Keyring,
    aliases: &'k Aliases,
    known: &'k mut Known,
}

impl<'a> Admitting<'a, '_> {
    fn run(&mut self) -> Result<Admission<'a>, Refusal> {
        let unreadable = self.inbound.unreadable.clone().map(|problem| Refusal::of(Check::RequestReads, problem));
        match self.inbound.door {
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
        if self.inbound.door.capability().is_some_and(|needed| !token.capabilities.has(needed)) {
            return Err(Refusal::new(Check::TokenMay, Code::TokenCapability));
        }
        self.admits_sender(token)?;
        Ok(token)
    }

    fn live_token(&self) -> Result<&'a SecureToken, (Check, Code)> {
        let secret = match &self.inbound.secure {
            SecureSlot::Absent => return Err((Check::TokenPresent, Code::MissingSecure)),
            SecureSlot::Unusable => return Err((Check::TokenLive, Code::InvalidSecure)),
            SecureSlot::Present(secret) => secret,
            SecureSlot::Verified { token, .. } => return self.believed_token(*token),
        };
        live_token(self.snapshot, &TokenDigest::of(secret.expose_secret()), self.arrival.at)
            .ok_or((Check::TokenLive, Code::InvalidSecure))
    }

    /// Of a receipt: it was believed when the request came, so an end of its overlap since then does not matter. One
    /// that was revoked may have leaked before.
    fn believed_token(&self, id: TokenId) -> Result<&'a SecureToken, (Check, Code)> {
        let found = self.snapshot.token_by_id(id).filter(|token| token.state != TokenState::Revoked);
        found.ok_or((Check::TokenLive, Code::InvalidSecure))
    }

    fn admits_sender(&self, token: &SecureToken) -> Result<(), Refusal> {
        let refusal = Refusal::new(Check::SenderAddress, Code::IpNotAllowed);
        match &self.inbound.secure {
            SecureSlot::Verified { sender, .. } if !token.admits_private(sender, self.keyring) => {
                let detail = format!("It came from {}; nothing more exact is kept of it.", sender.network);
                Err(Refusal { detail: Some(detail), ..refusal })
            }
            SecureSlot::Verified { .. } => Ok(()),
            SecureSlot::Absent | SecureSlot::Unusable | SecureSlot::Present(_) => {
                if token.admits(self.arrival.address) { Ok(()) } else { Err(refusal) }
            }
        }
    }

    /// A rejection by the sealed id alone, where the offer admits it from this address.
    fn tokenless_rejection(&self) -> bool {
        let tokenless = self.inbound.door == Door::Rejection && matches!(self.inbound.secure, SecureSlot::Absent);
        if !tokenless {
            return false;
        }
        let offer = self.transaction().ok().and_then(|(_, unsealed)| self.snapshot.offers.get(&unsealed.offer));
        offer.is_some_and(|offer| {
            let address = self.arrival.address.to_canonical();
            offer.switches.reject_without_secure
                && offer.reject_allowed_addresses.iter().any(|network| network.contains(&address))
        })
    }

    fn transaction(&self) -> Result<(TransactionId, Unsealed), Refusal> {
        let text = match &self.inbound.transaction_id {
            Slot::Absent => return Err(Refusal::new(Check::TransactionId, Code::MissingTransactionId)),
            Slot::Bad(problem) => return Err(Refusal::of(Check::TransactionId, problem.clone())),
            Slot::Value(text) => text,
        };
        TransactionId::open(text, self.keyring).map_err(|malformed| Refusal {
            received: presentable(text),
            ..Refusal::detailed(
                Check::TransactionId,
                Code::MalformedTransactionId,
                "transaction_id",
                malformed.detail(),
            )
        })
    }

    /// The click that an imported id stands for. Its row vouches for it, so a leaked sealing key does not matter.
    fn foreign(&self) -> Option<(TransactionId, Unsealed)> {
        let Slot::Value(text) = &self.inbound.transaction_id else { return None };
        let id = *self.aliases.get(text)?;
        let unsealed = id.unseal(self.keyring).ok()?;
        Some((id, Unsealed { key_revoked: false, ..unsealed }))
    }

    fn of_transaction(&mut self, token: Option<&'a SecureToken>) -> Result<Admission<'a>, Refusal> {
        let (id, unsealed) = match (self.transaction(), token) {
            // Without a token the seal is the only proof.
            (sealed, None) => sealed?,
            (sealed, Some(_)) => sealed.or_else(|refusal| self.foreign().ok_or(refusal))?,
        };
        self.known.transaction_id = Some(id);
        self.known.offer = Some(unsealed.offer);
        self.known.publisher = Some(unsealed.publisher);
        self.known.is_test = unsealed.kind.is_test();
        if token.is_some_and(|token| !token.scope.covers(unsealed.offer)) {
            return Err(Refusal::new(Check::TokenOffer, Code::TokenOfferMismatch));
        }
        let offer = self.sealed_offer(&unsealed)?;
        match self.inbound.door {
            Door::Rejection => self.reason_given()?,
            Door::Status => self.status_given()?,
            Door::Postback => self.open(offer)?,
            Door::Click | Door::Clickless | Door::Pixel => {}
        }
        match self.inbound.door {
            Door::Postback => self.status_reads()?,
            Door::Rejection | Door::Status => self.target_reads()?,
            Door::Click | Door::Clickless | Door::Pixel => {}
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
        match self.inbound.rejected_reason {
            Some(_) => Ok(()),
            None => Err(Refusal::new(Check::ReasonGiven, Code::ReasonRequired)),
        }
    }

    fn status_given(&self) -> Result<(), Refusal> {
        match &self.inbound.status {
            Slot::Value(_) => Ok(()),
            Slot::Absent => Err(Refusal::new(Check::StatusGiven, Code::InvalidStatus)),
            Slot::Bad(problem) => Err(Refusal::of(Check::StatusGiven, problem.clone())),
        }
    }

    /// A conversion is born with the status that is sent, so one that is none must not pass for none sent.
    fn status_reads(&self) -> Result<(), Refusal> {
        match &self.inbound.status {
            Slot::Absent | Slot::Value(_) => Ok(()),
            Slot::Bad(problem) => Err(Refusal::of(Check::RequestReads, problem.clone())),
        }
    }

    fn target_reads(&self) -> Result<(), Refusal> {
        match &self.inbound.conversion_id {
            Slot::Absent | Slot::Value(_) => Ok(()),
            Slot::Bad(problem) => Err(Refusal::of(Check::TargetFound, problem.clone())),
        }
    }

    fn clickless(&mut self, token: &'a SecureToken) -> Result<Admission<'a>, Refusal> {
        if !matches!(self.inbound.transaction_id, Slot::Absent) {
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
        if let Slot::Bad(problem) = &self.inbound.external_transaction_id {
            return Err(Refusal::of(Check::RequestReads, problem.clone()));
        }
        self.status_reads()?;
        if meant_event(self.inbound, offer)?.is_some() {
            return Err(clickless_event());
        }
        self.admission(Some(token), offer, publisher, None)
    }

    /// The token's offer, or `offer=` beside a global token.
    fn named_offer(&self, token: &SecureToken) -> Result<&'a Offer, Refusal> {
        let sent = match &self.inbound.offer {
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
        let id = publisher_slot(self.inbound)?;
        if self.snapshot.publishers.contains_key(&id) {
            Ok(id)
        } else {
            Err(Refusal::new(Check::PublisherKnown, Code::UnknownPublisher))
        }
    }

    fn pixel(&mut self) -> Result<Admission<'a>, Refusal> {
        if self.snapshot.accepting_domain(&self.arrival.host).is_none() {
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
        let event = meant_event(self.inbound, offer)?;
        let mut warnings = Vec::new();
        let order_id = match &self.inbound.order_id {
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
        Ok(Admission { token, offer, publisher, transaction, order_id, event, publisher_active, warnings })
    }
}

pub(super) fn publisher_slot(inbound: &Inbound) -> Result<PublisherId, Refusal> {
    match &inbound.publisher {
        Slot::Absent => Err(Refusal::new(Check::PublisherKnown, Code::MissingPublisher)),
        Slot::Bad(problem) => Err(Refusal::of(Check::PublisherKnown, problem.clone())),
        Slot::Value(id) => Ok(*id),
    }
}

//! A request that may be judged: of which offer, transaction and order it speaks, and the keys that it would claim.

use crate::domain::conversion::{Conversion, Source};
use crate::domain::conversion_key::{ClaimKeys, ConversionKey, fingerprint};
use crate::domain::ids::PublisherId;
use crate::domain::inbound::{Door, Slot, Warning};
use crate::domain::offer::{Offer, OfferEvent};
use crate::domain::secure_token::SecureToken;
use crate::domain::transaction_id::{TransactionId, Unsealed};

use super::Hit;

/// A request that may be judged.
#[derive(Clone, Debug)]
pub struct Admission<'a> {
    pub token: Option<&'a SecureToken>,
    pub offer: &'a Offer,
    pub publisher: PublisherId,
    /// None for a clickless conversion: its transaction is minted when it is recorded.
    pub transaction: Option<(TransactionId, Unsealed)>,
    pub order_id: Option<&'a str>,
    /// None: the conversion itself is meant.
    pub event: Option<&'a OfferEvent>,
    pub publisher_active: bool,
    /// Beside those of the reading.
    pub warnings: Vec<Warning>,
}

impl Admission<'_> {
    /// 0 is the conversion itself.
    pub fn event_number(&self) -> i32 {
        self.event.map_or(0, |event| event.number)
    }

    /// The key that says whether an event's conversion is there: its first claims it. None where no event is meant.
    pub fn base_key(&self) -> Option<ConversionKey> {
        let (id, _) = self.transaction.as_ref().filter(|_| self.event.is_some())?;
        Some(ConversionKey::first(id, 0))
    }

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
        let event = self.event_number();
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
            Some(order_id) => ConversionKey::order(self.offer.id, transaction, self.event_number(), order_id),
            None => ConversionKey::first(transaction, self.event_number()),
        }
    }

    fn clickless_keys(&self, hit: &Hit) -> ClaimKeys {
        let (offer, publisher) = (self.offer.id, self.publisher);
        let order = self.order_id.map(|id| ConversionKey::clickless_order(offer, publisher, self.event_number(), id));
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
        // What a pixel reported was first said by a postback when it was confirmed.
        let said_at = owner.confirmed_at.unwrap_or(owner.converted_at);
        hit.arrival.at.millis_since(said_at) < i64::from(window) * 1000
    }
}

//! The keys that a conversion is known by: the one place where "never twice" lives.
//!
//! Recording claims every key that applies; any that is taken makes the request a duplicate of its owner.
//! Keys are looked up in the order O, X, R, F and claimed in byte order. A key that belongs to a transaction begins
//! with the id's own time, and says its kind only then: the keys of one conversion lie side by side, on one page of
//! the index, near those of the same minute. The rest is BLAKE3, 128 bits and more.
//!
//! O `offer, transaction, event, order` when an order id came (clickless: `offer, publisher, event, order`) ·
//! X `offer, publisher, external id`, clickless only · R `fingerprint, n` when nothing but the request itself
//! tells two conversions apart · F `transaction, event`, claimed by the first conversion of a transaction.
//! R is claimed whatever the offer counts: switching an offer must not make an old retry count again.

use super::ids::{OfferId, PublisherId};
use super::transaction_id::TransactionId;

/// One key: a byte that says which kind (`T` and a second byte later where a transaction leads), and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversionKey(Vec<u8>);

/// 128 bits over everything that a request says, but its token.
pub type Fingerprint = [u8; 16];

/// How many bytes of a transaction id lead a key of it: header, time and nonce, unique without the rest.
const TRANSACTION_LEAD: usize = 11;
/// Begins a key that a transaction leads.
const OF_TRANSACTION: u8 = b'T';

impl ConversionKey {
    /// O, of a click's transaction.
    pub fn order(offer: OfferId, transaction: &TransactionId, event: i32, order_id: &str) -> Self {
        let hash = digest(
            "roundtrip key O",
            &[&number(offer.number()), transaction.as_bytes(), &number(event), order_id.as_bytes()],
        );
        Self::of_transaction(b'O', transaction, &hash[..16])
    }

    /// O, of a clickless conversion: its transaction is minted on arrival, so it cannot be part of the key.
    pub fn clickless_order(offer: OfferId, publisher: PublisherId, event: i32, order_id: &str) -> Self {
        let parts: [&[u8]; 4] =
            [&number(offer.number()), &number(publisher.number()), &number(event), order_id.as_bytes()];
        Self::of_hash(b'o', &digest("roundtrip key O clickless", &parts))
    }

    /// X.
    pub fn external(offer: OfferId, publisher: PublisherId, external_id: &str) -> Self {
        let parts: [&[u8]; 3] = [&number(offer.number()), &number(publisher.number()), external_id.as_bytes()];
        Self::of_hash(b'X', &digest("roundtrip key X", &parts))
    }

    /// R, of a click's transaction: the `n`-th conversion that this very request made.
    pub fn repeat(transaction: &TransactionId, fingerprint: &Fingerprint, n: u32) -> Self {
        let mut key = Self::of_transaction(b'R', transaction, fingerprint);
        key.0.extend_from_slice(&n.to_be_bytes());
        key
    }

    /// R, of a clickless conversion.
    pub fn clickless_repeat(fingerprint: &Fingerprint, n: u32) -> Self {
        let mut key = Self::of_hash(b'r', fingerprint);
        key.0.extend_from_slice(&n.to_be_bytes());
        key
    }

    /// F.
    pub fn first(transaction: &TransactionId, event: i32) -> Self {
        let mut key = Self::of_transaction(b'F', transaction, &transaction.as_bytes()[TRANSACTION_LEAD..]);
        key.0.extend_from_slice(&number(event));
        key
    }

    /// Between which keys all keys of a transaction lie, whatever their kind, order or request.
    pub fn range_of(transaction: &TransactionId) -> (Self, Self) {
        (Self::of_transaction(0, transaction, &[]), Self::of_transaction(0xff, transaction, &[]))
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For an R key, the same request's `n`: its lowest and its highest key, between which all of them lie.
    pub fn repeat_range(&self) -> Option<(Self, Self)> {
        let stem = self.repeat_stem()?;
        let with = |n: u32| Self([stem, &n.to_be_bytes()].concat());
        Some((with(0), with(u32::MAX)))
    }

    /// For an R key, its successor.
    pub fn next_repeat(&self) -> Option<Self> {
        let stem = self.repeat_stem()?;
        let n = u32::from_be_bytes(self.0[stem.len()..].try_into().ok()?);
        Some(Self([stem, &n.checked_add(1)?.to_be_bytes()].concat()))
    }

    fn repeat_stem(&self) -> Option<&[u8]> {
        let is_repeat = match self.0.first() {
            Some(&OF_TRANSACTION) => self.0.get(TRANSACTION_LEAD + 1) == Some(&b'R'),
            first => first == Some(&b'r'),
        };
        if is_repeat { self.0.len().checked_sub(4).map(|end| &self.0[..end]) } else { None }
    }

    fn of_transaction(kind: u8, transaction: &TransactionId, rest: &[u8]) -> Self {
        let mut key = Vec::with_capacity(33);
        key.push(OF_TRANSACTION);
        key.extend_from_slice(&transaction.as_bytes()[..TRANSACTION_LEAD]);
        key.push(kind);
        key.extend_from_slice(rest);
        Self(key)
    }

    fn of_hash(kind: u8, hash: &[u8]) -> Self {
        let mut key = Vec::with_capacity(29);
        key.push(kind);
        key.extend_from_slice(&hash[..hash.len().min(24)]);
        Self(key)
    }
}

/// A fingerprint over the offer, and the canonical text of a request's parameters without its token.
pub fn fingerprint(offer: OfferId, canonical_params: &str) -> Fingerprint {
    let hash = digest("roundtrip fingerprint", &[&number(offer.number()), canonical_params.as_bytes()]);
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    short
}

fn number(value: i32) -> [u8; 4] {
    value.to_be_bytes()
}

/// The parts with their lengths, so that no two lists of parts read the same.
fn digest(context: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(context.as_bytes());
    for part in parts {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hasher.update(&length.to_be_bytes());
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// The keys that one request would claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimKeys {
    pub order: Option<ConversionKey>,
    pub external: Option<ConversionKey>,
    /// With n = 0; `settle` finds the n that counts.
    pub repeat: Option<ConversionKey>,
    pub first: Option<ConversionKey>,
}

impl ClaimKeys {
    /// In the order in which they are looked up.
    pub fn iter(&self) -> impl Iterator<Item = &ConversionKey> {
        [&self.order, &self.external, &self.repeat, &self.first].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(last: u8) -> TransactionId {
        let mut bytes = [7; 25];
        bytes[24] = last;
        TransactionId::from_bytes(&bytes).unwrap()
    }

    #[test]
    fn keys_differ_in_every_part_and_never_across_kinds() {
        let (offer, other) = (OfferId::new(1).unwrap(), OfferId::new(2).unwrap());
        let publisher = PublisherId::new(1).unwrap();
        let keys = [
            ConversionKey::order(offer, &transaction(1), 0, "A"),
            ConversionKey::order(offer, &transaction(1), 1, "A"),
            ConversionKey::order(offer, &transaction(2), 0, "A"),
            ConversionKey::order(other, &transaction(1), 0, "A"),
            ConversionKey::order(offer, &transaction(1), 0, "a"),
            ConversionKey::clickless_order(offer, publisher, 0, "A"),
            ConversionKey::external(offer, publisher, "A"),
            ConversionKey::first(&transaction(1), 0),
            ConversionKey::first(&transaction(1), 1),
            ConversionKey::repeat(&transaction(1), &[1; 16], 0),
            ConversionKey::clickless_repeat(&[1; 16], 0),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{index}");
        }
    }

    #[test]
    fn the_keys_of_one_request_lie_between_the_ends_of_its_range() {
        let zero = ConversionKey::repeat(&transaction(1), &[1; 16], 0);
        let one = zero.next_repeat().unwrap();
        let (low, high) = one.repeat_range().unwrap();
        assert_eq!(low, zero);
        assert!(low < one && one < high);
        assert_eq!(high.next_repeat(), None);
        let order = ConversionKey::order(OfferId::new(1).unwrap(), &transaction(1), 0, "A");
        let first = ConversionKey::first(&transaction(1), i32::MAX);
        let (lowest, highest) = ConversionKey::range_of(&transaction(1));
        for key in [&low, &high, &order, &first] {
            assert!(lowest < *key && *key < highest, "{key:?}");
        }
        assert_eq!((first.repeat_range(), order.repeat_range()), (None, None));
        let (low, high) = ConversionKey::clickless_repeat(&[1; 16], 7).repeat_range().unwrap();
        assert!(low < high);
    }

    #[test]
    fn a_fingerprint_knows_its_offer() {
        let (offer, other) = (OfferId::new(1).unwrap(), OfferId::new(2).unwrap());
        assert_ne!(fingerprint(offer, "a=1"), fingerprint(other, "a=1"));
        assert_ne!(fingerprint(offer, "a=1"), fingerprint(offer, "a=2"));
        assert_eq!(fingerprint(offer, "a=1"), fingerprint(offer, "a=1"));
    }
}

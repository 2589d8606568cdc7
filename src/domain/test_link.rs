//! Test links: the parameter `test=` of `/click`, made by the tracking-link builder.
//!
//! It is a MAC over offer, publisher and expiry. A click that carries a good one ignores approval and counts
//! in no figure, so that an offer can be tried before it is active. Nobody but the builder can make one, one
//! works for its own offer and publisher only, and it ends by itself: without the end, a test link that
//! escapes to the public would swallow real clicks for ever.
//!
//! The text is 24 characters: the expiry in seconds (5 bytes) and the MAC (10 bytes) in base32.

use subtle::ConstantTimeEq;

use super::clock::Timestamp;
use super::crockford;
use super::ids::{OfferId, PublisherId};
use super::keyring::Keyring;

/// The value of `test=` for a link of `publisher` to `offer` that works before `expires_at`, cut to the second.
pub fn sign(keyring: &Keyring, offer: OfferId, publisher: PublisherId, expires_at: Timestamp) -> String {
    let expiry = expiry_bytes(expires_at);
    let mut bytes = [0; 15];
    bytes[..5].copy_from_slice(&expiry);
    bytes[5..].copy_from_slice(&mac(keyring, offer, publisher, expiry));
    let text: [u8; 24] = crockford::encode(&bytes);
    text.map(char::from).iter().collect()
}

/// Reads `test=`: the expiry when it was made for this offer and publisher and `now` is before it, else `None`.
pub fn verify(
    keyring: &Keyring,
    offer: OfferId,
    publisher: PublisherId,
    text: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    let bytes: [u8; 15] = crockford::decode::<15, 24>(text)?;
    let (expiry, tag) = bytes.split_first_chunk::<5>()?;
    let genuine = mac(keyring, offer, publisher, *expiry).ct_eq(tag);
    let expires_at = expiry_from(*expiry);
    (bool::from(genuine) && now < expires_at).then_some(expires_at)
}

const SECONDS_MAX: i64 = (1 << 40) - 1;

fn expiry_bytes(expires_at: Timestamp) -> [u8; 5] {
    let seconds = expires_at.as_millis().div_euclid(1000).clamp(0, SECONDS_MAX);
    let [_, _, _, a, b, c, d, e] = seconds.to_be_bytes();
    [a, b, c, d, e]
}

fn expiry_from([a, b, c, d, e]: [u8; 5]) -> Timestamp {
    Timestamp::default().plus_seconds(i64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
}

fn mac(keyring: &Keyring, offer: OfferId, publisher: PublisherId, expiry: [u8; 5]) -> [u8; 10] {
    let mut hasher = blake3::Hasher::new_keyed(keyring.links());
    hasher.update(&offer.number().to_be_bytes()).update(&publisher.number().to_be_bytes()).update(&expiry);
    let mut tag = [0; 10];
    hasher.finalize_xof().fill(&mut tag);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keyring::SeededEntropy;

    const NOW: Timestamp = Timestamp::from_millis(1_795_344_000_000);

    fn link() -> (OfferId, PublisherId) {
        (OfferId::new(42).unwrap(), PublisherId::new(7).unwrap())
    }

    #[test]
    fn a_test_link_works_until_its_end() {
        let keyring = Keyring::generate(&SeededEntropy::new(1)).unwrap();
        let (offer, publisher) = link();
        let end = NOW.plus_seconds(3600);
        let text = sign(&keyring, offer, publisher, end);
        assert_eq!(text.len(), 24);
        assert_eq!(verify(&keyring, offer, publisher, &text, NOW), Some(end));
        assert_eq!(verify(&keyring, offer, publisher, &text, end.plus_millis(-1)), Some(end));
        assert_eq!(verify(&keyring, offer, publisher, &text, end), None);
    }

    #[test]
    fn a_test_link_is_for_its_offer_its_publisher_and_its_end() {
        let keyring = Keyring::generate(&SeededEntropy::new(1)).unwrap();
        let (offer, publisher) = link();
        let text = sign(&keyring, offer, publisher, NOW.plus_seconds(3600));
        assert_eq!(verify(&keyring, OfferId::new(43).unwrap(), publisher, &text, NOW), None);
        assert_eq!(verify(&keyring, offer, PublisherId::new(8).unwrap(), &text, NOW), None);
        assert_eq!(verify(&Keyring::generate(&SeededEntropy::new(2)).unwrap(), offer, publisher, &text, NOW), None);
        let later = sign(&keyring, offer, publisher, NOW.plus_seconds(7200));
        assert_eq!(verify(&keyring, offer, publisher, &format!("{}{}", &later[..8], &text[8..]), NOW), None);
        for wrong in ["", "1", "true", &text[..23], &format!("{text}0"), &text.replace(&text[23..], "u")] {
            assert_eq!(verify(&keyring, offer, publisher, wrong, NOW), None, "{wrong}");
        }
    }
}

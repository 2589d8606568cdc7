//! `transaction_id`: what goes out with a click and comes home with its conversion.
//!
//! The id is sealed, so that it proves itself: it tells offer, publisher, kind and the click's millisecond
//! without a database, to us and to nobody else. 25 bytes, big-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0 | key number (5 bits), kind (3 bits) |
//! | 1..6 | milliseconds since 2025-01-01T00:00:00Z |
//! | 6..11 | nonce: 16 bits drawn per process, then a 24-bit counter from a random start |
//! | 11..15 | offer, masked by a keyed BLAKE3 stream over bytes 0..11 |
//! | 15..19 | publisher, masked by the same stream |
//! | 19..25 | MAC: keyed BLAKE3 over bytes 0..19 |
//!
//! As text: 40 characters of Crockford's base32 in lower case. Reading takes either case, ignores `-`, and
//! takes `I`, `L` and `O` for the digits they resemble. Compare decoded bytes, never texts: then case does
//! not matter. A changed character is caught but for 1 in 2⁴⁸.
//!
//! Nothing here looks at a database, and an id that unseals has not been judged: its offer may be gone, and
//! its key may be revoked ([`Unsealed::key_revoked`]), in which case it may find what exists and make nothing.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::clock::{Entropy, Timestamp, random_bytes};
use super::crockford;
use super::ids::{OfferId, PublisherId};
use super::keyring::{Keyring, SealingKey};

/// Length of the decoded id.
pub const BYTES: usize = 25;

/// Length of its text, without dashes.
pub const CHARACTERS: usize = 40;

/// Millisecond 0 of the id's clock: 2025-01-01T00:00:00Z. Five bytes last until November 2059.
pub const EPOCH: Timestamp = Timestamp::from_millis(1_735_689_600_000);

/// What the id was minted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Click,
    Clickless,
    TestClick,
    TestClickless,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Click, Self::Clickless, Self::TestClick, Self::TestClickless];

    /// Made by a test link or a test postback: counts in no figure.
    pub const fn is_test(self) -> bool {
        match self {
            Self::Click | Self::Clickless => false,
            Self::TestClick | Self::TestClickless => true,
        }
    }

    /// Minted for a conversion that has no click.
    pub const fn is_clickless(self) -> bool {
        match self {
            Self::Click | Self::TestClick => false,
            Self::Clickless | Self::TestClickless => true,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Click => 0,
            Self::Clickless => 1,
            Self::TestClick => 2,
            Self::TestClickless => 3,
        }
    }

    fn from_bits(bits: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.bits() == bits)
    }
}

/// An id of our form. It has been decoded, not unsealed: anybody can make one of these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TransactionId([u8; BYTES]);

impl TransactionId {
    /// Reads the text form. An error says what a sender did to it, without looking at any key.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        crockford::decode::<BYTES, CHARACTERS>(text).map(Self).ok_or_else(|| diagnose(text))
    }

    /// Parses and unseals in one step: what a door does with a parameter.
    pub fn open(text: &str, keyring: &Keyring) -> Result<(Self, Unsealed), Malformed> {
        let id = Self::parse(text)?;
        match id.unseal(keyring) {
            Ok(unsealed) => Ok((id, unsealed)),
            // A hash of another system has 40 hexadecimal digits too, and every one of them is a digit of ours.
            Err(_) if is_hexadecimal(text) => Err(Malformed::Foreign),
            Err(unsealable) => Err(unsealable.into()),
        }
    }

    /// Reads the column form; `None` unless there are exactly 25 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub const fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }

    /// Verifies the seal, in constant time and without allocating, and reads what is under it.
    pub fn unseal(&self, keyring: &Keyring) -> Result<Unsealed, Unsealable> {
        let key = keyring.sealing(self.0[0] >> 3).ok_or(Unsealable::UnknownKey)?;
        let (sealed, mac) = self.0.split_at(MAC_AT);
        if !bool::from(mac_over(sealed, key).ct_eq(mac)) {
            return Err(Unsealable::Forged);
        }
        self.read(key).ok_or(Unsealable::NewerForm)
    }

    fn read(&self, key: &SealingKey) -> Option<Unsealed> {
        let [header, m0, m1, m2, m3, m4, ..] = self.0;
        let millis = i64::from_be_bytes([0, 0, 0, m0, m1, m2, m3, m4]);
        let [o0, o1, o2, o3, p0, p1, p2, p3] = masked(&self.0, key);
        Some(Unsealed {
            kind: Kind::from_bits(header & 0b111)?,
            minted_at: EPOCH.plus_millis(millis),
            offer: OfferId::new(i32::from_be_bytes([o0, o1, o2, o3]))?,
            publisher: PublisherId::new(i32::from_be_bytes([p0, p1, p2, p3]))?,
            key_number: key.number,
            key_revoked: key.revoked,
        })
    }
}

/// The text form: 40 characters, lower case.
impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: [u8; CHARACTERS] = crockford::encode(&self.0);
        f.pad(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl From<TransactionId> for String {
    fn from(id: TransactionId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for TransactionId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).map_err(|_| "not a transaction id")
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransactionId({self})")
    }
}

/// What every id of a first byte (key number and kind) that was minted at `at` or later has before it, byte by byte:
/// ids of one first byte lie in the order of their time.
pub fn lowest_of(header: u8, at: Timestamp) -> [u8; 6] {
    let [a, b, c, d, e] = since_epoch(at);
    [header, a, b, c, d, e]
}

/// What stands under the seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsealed {
    pub kind: Kind,
    /// The click's time (`clicked_at`), to the millisecond.
    pub minted_at: Timestamp,
    pub offer: OfferId,
    pub publisher: PublisherId,
    /// 0..=31.
    pub key_number: u8,
    /// The key leaked, so anybody may have made this id: it finds conversions that exist and makes no new one.
    pub key_revoked: bool,
}

/// Why an id of our form is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsealable {
    /// The keyring has no key of that number.
    UnknownKey,
    /// The MAC is another: mistyped or made up.
    Forged,
    /// The seal is good and the content means nothing to this version.
    NewerForm,
}

/// What is wrong with the text of a transaction id, as `malformed_transaction_id` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Begins like ours and stops early.
    Truncated { length: usize },
    /// Begins like ours and goes on.
    TooLong { length: usize },
    /// Has the length of ours, and a character that is wrong.
    Mistyped,
    /// Of another system, or sealed with keys that are not here.
    Foreign,
}

impl Malformed {
    /// One sentence for the sender. Holds nothing of what came but its length.
    pub fn detail(self) -> String {
        match self {
            Self::Truncated { length } => {
                format!("The transaction id was cut: {length} of its {CHARACTERS} characters arrived.")
            }
            Self::TooLong { length } => {
                format!("The transaction id has {length} characters, and {CHARACTERS} are right: something was added.")
            }
            Self::Mistyped => {
                "The transaction id has the right length, but at least one character is wrong.".to_owned()
            }
            Self::Foreign => "This is no transaction id of this server, or its beginning was changed.".to_owned(),
        }
    }
}

impl From<Unsealable> for Malformed {
    fn from(unsealable: Unsealable) -> Self {
        match unsealable {
            Unsealable::Forged => Self::Mistyped,
            Unsealable::UnknownKey | Unsealable::NewerForm => Self::Foreign,
        }
    }
}

/// Makes ids. One for the whole process, made once at start.
///
/// A nonce comes again after 2²⁴ mints, when the counter wraps. That is harmless: an id repeats only when
/// time, process bits, counter, kind, offer and publisher are all the same, so it would take 16.7 million
/// mints within one millisecond. Two processes collide only when they drew the same 16 bits and then reach
/// the same counter in the same millisecond; the primary key of `click` would tell.
pub struct Minter {
    process: [u8; 2],
    counter: AtomicU32,
}

impl Minter {
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self { process: random_bytes(entropy), counter: AtomicU32::new(u32::from_be_bytes(random_bytes(entropy))) }
    }

    /// A new id, sealed with the minting key of `keyring`. `now` before 2025 counts as the first millisecond,
    /// after November 2059 as the last.
    pub fn mint(
        &self,
        keyring: &Keyring,
        now: Timestamp,
        kind: Kind,
        offer: OfferId,
        publisher: PublisherId,
    ) -> TransactionId {
        let key = keyring.minting();
        let mut id = [0; BYTES];
        id[0] = key.number << 3 | kind.bits();
        id[1..6].copy_from_slice(&since_epoch(now));
        id[6..MASK_AT].copy_from_slice(&self.next_nonce());
        id[MASK_AT..15].copy_from_slice(&offer.number().to_be_bytes());
        id[15..MAC_AT].copy_from_slice(&publisher.number().to_be_bytes());
        let masked = masked(&id, key);
        id[MASK_AT..MAC_AT].copy_from_slice(&masked);
        let mac = mac_over(&id[..MAC_AT], key);
        id[MAC_AT..].copy_from_slice(&mac);
        TransactionId(id)
    }

    /// The counter runs over 32 bits and shows its low 24: 2³² is a multiple of 2²⁴, so it never skips.
    fn next_nonce(&self) -> [u8; 5] {
        let [_, a, b, c] = self.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        [self.process[0], self.process[1], a, b, c]
    }
}

const MASK_AT: usize = 11;
const MAC_AT: usize = 19;
const MILLIS_MAX: i64 = (1 << 40) - 1;

fn since_epoch(now: Timestamp) -> [u8; 5] {
    let [_, _, _, a, b, c, d, e] = now.millis_since(EPOCH).clamp(0, MILLIS_MAX).to_be_bytes();
    [a, b, c, d, e]
}

/// Bytes 11..19 under the mask, which is its own inverse.
fn masked(id: &[u8; BYTES], key: &SealingKey) -> [u8; 8] {
    let stream = blake3::keyed_hash(&key.mask, &id[..MASK_AT]);
    let mut bytes = [0; 8];
    for ((out, byte), mask) in bytes.iter_mut().zip(&id[MASK_AT..MAC_AT]).zip(stream.as_bytes()) {
        *out = byte ^ mask;
    }
    bytes
}

fn mac_over(sealed: &[u8], key: &SealingKey) -> [u8; BYTES - MAC_AT] {
    let [a, b, c, d, e, f, ..] = *blake3::keyed_hash(&key.mac, sealed).as_bytes();
    [a, b, c, d, e, f]
}

/// Names what became of an id on its way. Wording only: every answer is a refusal.
///
/// Fewer than 16 characters tell too little to call them ours, and nothing but hexadecimal digits is a
/// UUID or a hash of somebody else (an id of ours looks like that once in 2¹⁶, if it is cut at 16).
fn diagnose(text: &str) -> Malformed {
    let length = text.chars().filter(|&character| character != '-').count();
    let mut head = text.bytes().filter(|&byte| byte != b'-').take(CHARACTERS);
    let begins_like_ours = head.all(|byte| crockford::digit(byte).is_some());
    match length {
        CHARACTERS => Malformed::Mistyped,
        _ if !begins_like_ours || is_hexadecimal(text) => Malformed::Foreign,
        0..16 => Malformed::Foreign,
        16..CHARACTERS => Malformed::Truncated { length },
        _ => Malformed::TooLong { length },
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::keyring::{KeyringParts, SealingKeyEntry, SecretKey, SeededEntropy};

    const NOW: Timestamp = Timestamp::from_millis(1_795_344_000_123);

    fn keyring() -> Keyring {
        Keyring::generate(&SeededEntropy::new(1)).unwrap()
    }

    fn offer(number: i32) -> OfferId {
        OfferId::new(number).unwrap()
    }

    fn publisher(number: i32) -> PublisherId {
        PublisherId::new(number).unwrap()
    }

    fn mint(keyring: &Keyring) -> TransactionId {
        Minter::new(&SeededEntropy::new(2)).mint(keyring, NOW, Kind::Click, offer(42), publisher(7))
    }

    #[test]
    fn an_id_carries_kind_time_offer_and_publisher_through_its_text() {
        let keyring = keyring();
        let minter = Minter::new(&SeededEntropy::new(2));
        for kind in Kind::ALL {
            let text = minter.mint(&keyring, NOW, kind, offer(42), publisher(i32::MAX)).to_string();
            assert_eq!(text.len(), CHARACTERS);
            let (id, unsealed) = TransactionId::open(&text, &keyring).unwrap();
            let publisher = publisher(i32::MAX);
            let expected =
                Unsealed { kind, minted_at: NOW, offer: offer(42), publisher, key_number: 0, key_revoked: false };
            assert_eq!(unsealed, expected);
            assert_eq!(TransactionId::from_bytes(id.as_bytes()), Some(id));
            assert_eq!(id.to_string(), text);
        }
        assert_eq!(TransactionId::from_bytes(&[0; 24]), None);
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let bytes = *mint(&keyring()).as_bytes();
        assert_eq!(bytes[0], 0);
        assert_eq!(bytes[1..6], NOW.millis_since(EPOCH).to_be_bytes()[3..]);
        assert_eq!(EPOCH.to_string(), "2025-01-01T00:00:00Z");
    }

    /// Ids are out in the world for ever: whoever breaks this test breaks every conversion under way.
    #[test]
    fn an_id_of_today_is_an_id_of_ever() {
        let keyring = keyring();
        let (_, unsealed) = TransactionId::open("006y7bf8fenh7qt2x3kjjn52rxv12kjktqp6rjwa", &keyring).unwrap();
        assert_eq!((unsealed.offer, unsealed.publisher), (offer(42), publisher(7)));
        assert_eq!(mint(&keyring).to_string(), "006y7bf8fenh7qt2x3kjjn52rxv12kjktqp6rjwa");
    }

    #[test]
    fn case_and_dashes_do_not_matter() {
        let keyring = keyring();
        let id = mint(&keyring);
        let text = id.to_string();
        let grouped: Vec<&str> = (0..5).map(|group| &text[group * 8..group * 8 + 8]).collect();
        for spelling in [text.to_uppercase(), grouped.join("-"), text.replace('0', "o").replace('1', "L")] {
            assert_eq!(TransactionId::parse(&spelling), Ok(id), "{spelling}");
        }
    }

    #[test]
    fn every_single_changed_character_of_an_id_is_caught() {
        let keyring = keyring();
        let text = mint(&keyring).to_string();
        for place in 0..CHARACTERS {
            for character in "0123456789abcdefghjkmnpqrstvwxyzu".chars().filter(|&c| !text[place..].starts_with(c)) {
                let changed = format!("{}{character}{}", &text[..place], &text[place + 1..]);
                assert!(TransactionId::open(&changed, &keyring).is_err(), "{changed}");
            }
        }
    }

    #[test]
    fn what_is_wrong_with_an_id_is_said() {
        let keyring = keyring();
        let text = mint(&keyring).to_string();
        let mistyped = text.replacen(&text[20..21], if &text[20..21] == "z" { "y" } else { "z" }, 1);
        let cases = [
            (text[..39].to_owned(), Malformed::Truncated { length: 39 }),
            (text[..16].to_owned(), Malformed::Truncated { length: 16 }),
            (text[..15].to_owned(), Malformed::Foreign),
            (format!("{text}0"), Malformed::TooLong { length: 41 }),
            (format!("{text}?x=1"), Malformed::TooLong { length: 44 }),
            (mistyped, Malformed::Mistyped),
            (format!("{}u", &text[..39]), Malformed::Mistyped),
            (String::new(), Malformed::Foreign),
            ("12345".to_owned(), Malformed::Foreign),
            ("019a0000-0000-7000-8000-000000000001".to_owned(), Malformed::Foreign),
            ("a94a8fe5ccb19ba61c4c0873d391e987982fbbd3".to_owned(), Malformed::Foreign),
            ("order_2026/11/22 number 17".to_owned(), Malformed::Foreign),
            ("é".repeat(40), Malformed::Mistyped),
        ];
        for (wrong, expected) in cases {
            assert_eq!(TransactionId::open(&wrong, &keyring).map(|_| ()), Err(expected), "{wrong}");
            assert!(expected.detail().ends_with('.'));
        }
    }

    #[test]
    fn an_id_of_another_installation_is_refused() {
        let other = Keyring::generate(&SeededEntropy::new(9)).unwrap();
        assert_eq!(mint(&keyring()).unseal(&other), Err(Unsealable::Forged));
    }

    #[test]
    fn after_rotation_the_old_key_verifies_and_the_new_one_mints() {
        let mut parts = KeyringParts::generate(&SeededEntropy::new(1)).unwrap();
        let old = mint(&Keyring::from_parts(&parts).unwrap());
        let key = SecretKey::generate(&SeededEntropy::new(3)).unwrap();
        parts.sealing.push(SealingKeyEntry { number: 31, key, revoked: false });
        parts.minting = 31;
        let keyring = Keyring::from_parts(&parts).unwrap();
        assert_eq!(old.unseal(&keyring).map(|read| read.key_number), Ok(0));
        assert_eq!(mint(&keyring).unseal(&keyring).map(|read| read.key_number), Ok(31));
        parts.sealing[0].revoked = true;
        let revoked = Keyring::from_parts(&parts).unwrap();
        assert_eq!(old.unseal(&revoked).map(|read| read.key_revoked), Ok(true));
        assert_eq!(mint(&revoked).unseal(&revoked).map(|read| read.key_revoked), Ok(false));
        parts.sealing.remove(0);
        assert_eq!(old.unseal(&Keyring::from_parts(&parts).unwrap()), Err(Unsealable::UnknownKey));
    }

    #[test]
    fn an_advertiser_does_not_read_the_offer_or_the_publisher() {
        let keyring = keyring();
        let minter = Minter::new(&SeededEntropy::new(2));
        let fields = |_| minter.mint(&keyring, NOW, Kind::Click, offer(42), publisher(7)).as_bytes()[11..19].to_vec();
        let seen: Vec<Vec<u8>> = (0..100).map(fields).collect();
        assert_eq!(seen.iter().map(|masked| &masked[..4]).collect::<HashSet<_>>().len(), 100);
        assert_eq!(seen.iter().map(|masked| &masked[4..]).collect::<HashSet<_>>().len(), 100);
    }

    #[test]
    fn no_id_comes_twice_inside_one_millisecond_also_when_the_counter_wraps() {
        let keyring = keyring();
        let minter = Minter { process: [1, 2], counter: AtomicU32::new(u32::MAX - 500) };
        let mint = |_| minter.mint(&keyring, NOW, Kind::Click, offer(42), publisher(7));
        assert_eq!((0..1000).map(mint).collect::<HashSet<_>>().len(), 1000);
    }

    #[test]
    fn a_time_outside_the_range_becomes_its_nearest_end() {
        let (keyring, minter) = (keyring(), Minter::new(&SeededEntropy::new(2)));
        let read = |millis| {
            let id = minter.mint(&keyring, Timestamp::from_millis(millis), Kind::Click, offer(1), publisher(1));
            id.unseal(&keyring).unwrap().minted_at
        };
        assert_eq!(read(i64::MIN), EPOCH);
        assert_eq!(read(EPOCH.as_millis() - 1), EPOCH);
        assert_eq!(read(EPOCH.as_millis()), EPOCH);
        assert_eq!(read(EPOCH.as_millis() + MILLIS_MAX), EPOCH.plus_millis(MILLIS_MAX));
        assert_eq!(read(EPOCH.as_millis() + MILLIS_MAX + 1), EPOCH.plus_millis(MILLIS_MAX));
        assert_eq!(EPOCH.plus_millis(MILLIS_MAX).to_string(), "2059-11-04T19:53:47.775Z");
    }

    proptest! {
        #[test]
        fn every_id_reads_back(millis in 0..=MILLIS_MAX, kind in 0..4_usize, o in 1..=i32::MAX, p in 1..=i32::MAX) {
            let keyring = keyring();
            let minter = Minter::new(&SeededEntropy::new(5));
            let id = minter.mint(&keyring, EPOCH.plus_millis(millis), Kind::ALL[kind], offer(o), publisher(p));
            let read = TransactionId::parse(&id.to_string()).unwrap().unseal(&keyring).unwrap();
            prop_assert_eq!(read.minted_at, EPOCH.plus_millis(millis));
            prop_assert_eq!((read.kind, read.offer, read.publisher), (Kind::ALL[kind], offer(o), publisher(p)));
        }

        #[test]
        fn a_changed_bit_is_caught(seed: u8, byte in 0..BYTES, bit in 0..8_u8) {
            let keyring = keyring();
            let minter = Minter::new(&SeededEntropy::new(seed));
            let mut bytes = *minter.mint(&keyring, NOW, Kind::Clickless, offer(42), publisher(7)).as_bytes();
            bytes[byte] ^= 1 << bit;
            prop_assert!(TransactionId(bytes).unseal(&keyring).is_err());
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,80}") {
            prop_assert!(TransactionId::open(&text, &keyring()).is_err());
        }
    }
}

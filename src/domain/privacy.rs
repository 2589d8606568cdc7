//! Personal data in the only forms that are stored: keyed hashes and masked texts.
//!
//! A hash finds a person again (erasure by e-mail, the same visitor twice) and names nobody without the
//! privacy key: the space of e-mails and addresses is small, so an unkeyed hash would be an open book.
//! A masked form is for people to read. Nothing here keeps what it was given, and nothing goes back.
//! Whoever changes how a value is normalised makes every stored hash of it unfindable.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::keyring::Keyring;

/// Keyed BLAKE3 of a personal value, cut to 16 bytes: equal for equal people, useless without the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonalHash([u8; 16]);

impl PersonalHash {
    /// Reads the column form; `None` unless there are exactly 16 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// 32 hexadecimal characters, lower case.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    fn new(key: &[u8; 32], value: &[u8]) -> Self {
        let mut hash = [0; 16];
        blake3::Hasher::new_keyed(key).update(value).finalize_xof().fill(&mut hash);
        Self(hash)
    }
}

impl From<PersonalHash> for String {
    fn from(hash: PersonalHash) -> Self {
        hash.to_hex()
    }
}

impl TryFrom<String> for PersonalHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 16];
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let read = hex::decode_to_slice(text, &mut bytes).is_ok() && is_lower;
        read.then_some(Self(bytes)).ok_or("not 32 hexadecimal characters")
    }
}

impl fmt::Debug for PersonalHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonalHash(..)")
    }
}

/// An address as it is kept: its network for people, its hash to find it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateAddress {
    /// `203.0.113.0/24` or `2001:db8:1::/48`.
    pub network: String,
    pub hash: PersonalHash,
}

impl PrivateAddress {
    pub fn of(keyring: &Keyring, address: IpAddr) -> Self {
        Self { network: mask_address(address).to_string(), hash: hash_address(keyring, address) }
    }
}

/// An e-mail as it is kept: masked for people, its hash to find it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateEmail {
    pub masked: String,
    pub hash: PersonalHash,
}

impl PrivateEmail {
    /// `None` unless there is exactly one `@` with something on both sides.
    pub fn of(keyring: &Keyring, email: &str) -> Option<Self> {
        Some(Self { masked: mask_email(email)?, hash: hash_email(keyring, email)? })
    }
}

/// A free text as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateText<'a> {
    /// The text itself, or with every e-mail and address in it masked.
    pub shown: Cow<'a, str>,
    /// Where the whole text is one e-mail or one address: to find the person again.
    pub hash: Option<PersonalHash>,
}

/// Masks a free text in which a sender may have put an e-mail or an address. Nearly all texts hold neither, and
/// are handed back as they are.
pub fn private_text<'a>(keyring: &Keyring, text: &'a str) -> PrivateText<'a> {
    if let Some(email) = PrivateEmail::of(keyring, text).filter(|_| !text.trim().contains(char::is_whitespace)) {
        return PrivateText { shown: Cow::Owned(email.masked), hash: Some(email.hash) };
    }
    if let Ok(address) = text.trim().parse::<IpAddr>() {
        let private = PrivateAddress::of(keyring, address);
        return PrivateText { shown: Cow::Owned(private.network), hash: Some(private.hash) };
    }
    let shown = if may_hold_people(text) { Cow::Owned(mask_words(text)) } else { Cow::Borrowed(text) };
    PrivateText { shown, hash: None }
}

/// As [`private_text`], with nothing left of any e-mail, neither masked nor hashed.
pub fn private_text_without_emails<'a>(keyring: &Keyring, text: &'a str) -> PrivateText<'a> {
    let PrivateText { shown, hash } = private_text(keyring, text);
    if !shown.contains('@') {
        return PrivateText { shown, hash };
    }
    let dropped = map_words(&shown, |word| word.contains('@').then(|| "***".to_owned()));
    PrivateText { shown: Cow::Owned(dropped), hash: None }
}

/// An `@`, or three points or two colons as an address has them.
fn may_hold_people(text: &str) -> bool {
    let count = |wanted: u8| text.bytes().filter(|byte| *byte == wanted).count();
    count(b'@') > 0 || count(b'.') >= 3 || count(b':') >= 2
}

fn mask_words(text: &str) -> String {
    map_words(text, |word| {
        let address = word.parse::<IpAddr>().ok().map(|address| mask_address(address).to_string());
        address.or_else(|| word.contains('@').then(|| mask_email(word).unwrap_or_else(|| "***".into())))
    })
}

/// Puts something else in the place of some words.
fn map_words(text: &str, map: impl Fn(&str) -> Option<String>) -> String {
    let ends_word = |c: char| c.is_whitespace() || ",;<>()[]\"'=&|/".contains(c);
    let mapped = |piece: &str| {
        let word = piece.trim_end_matches(ends_word);
        let rest = &piece[word.len()..];
        map(word).map_or_else(|| piece.to_owned(), |mapped| mapped + rest)
    };
    text.split_inclusive(ends_word).map(mapped).collect()
}

/// `j***@example.com`: the first character of the local part at most, and none where it has only one.
/// `None` unless there is exactly one `@` with something on both sides.
pub fn mask_email(email: &str) -> Option<String> {
    let normal = normal_email(email)?;
    let (local, domain) = normal.split_once('@')?;
    let mut characters = local.chars();
    let first = characters.next().filter(|_| characters.next().is_some());
    Some(first.into_iter().chain("***@".chars()).chain(domain.chars()).collect())
}

/// The hash of an e-mail, without regard to case and surrounding white space. `None` as for [`mask_email`].
pub fn hash_email(keyring: &Keyring, email: &str) -> Option<PersonalHash> {
    normal_email(email).map(|normal| PersonalHash::new(keyring.emails(), normal.as_bytes()))
}

/// The network of an address: /24 of IPv4 (also where it is written inside IPv6), /48 of IPv6.
pub fn mask_address(address: IpAddr) -> IpNet {
    network(address, 24, 48)
}

/// The hash of a whole address; an IPv4 address has one hash in either spelling.
pub fn hash_address(keyring: &Keyring, address: IpAddr) -> PersonalHash {
    match address.to_canonical() {
        IpAddr::V4(address) => PersonalHash::new(keyring.addresses(), &address.octets()),
        IpAddr::V6(address) => PersonalHash::new(keyring.addresses(), &address.octets()),
    }
}

/// The hash of a device id, exactly as it came but for surrounding white space: for erasure by device id.
pub fn hash_device(keyring: &Keyring, device_id: &str) -> PersonalHash {
    PersonalHash::new(keyring.devices(), device_id.trim().as_bytes())
}

/// Whom a rate limit counts as one: an IPv4 address (/32), or the /64 that one IPv6 customer has.
/// In memory only: it is a full address.
pub fn network_key(address: IpAddr) -> IpNet {
    network(address, 32, 64)
}

fn normal_email(email: &str) -> Option<String> {
    let normal = email.trim().to_lowercase();
    let (local, domain) = normal.split_once('@')?;
    let usable = !local.is_empty() && !domain.is_empty() && !domain.contains('@');
    usable.then_some(normal)
}

fn network(address: IpAddr, prefix_v4: u8, prefix_v6: u8) -> IpNet {
    let address = address.to_canonical();
    let prefix = if address.is_ipv4() { prefix_v4 } else { prefix_v6 };
    IpNet::new(address, prefix).map_or(IpNet::from(address), |net| net.trunc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::keyring::SeededEntropy;

    fn keyring() -> Keyring {
        Keyring::generate(&SeededEntropy::new(1)).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_masked_email_shows_the_first_character_at_most() {
        for (email, masked) in [
            ("john.doe@example.com", Some("j***@example.com")),
            (" John@Example.COM ", Some("j***@example.com")),
            ("jo@example.com", Some("j***@example.com")),
            ("j@example.com", Some("***@example.com")),
            ("élise@exämple.fr", Some("é***@exämple.fr")),
            ("example.com", None),
            ("@example.com", None),
            ("john@", None),
            ("john@doe@example.com", None),
            ("", None),
        ] {
            assert_eq!(mask_email(email).as_deref(), masked, "{email}");
        }
    }

    #[test]
    fn an_email_has_one_hash_in_any_case_and_another_under_another_key() {
        let keyring = keyring();
        let hash = hash_email(&keyring, "john@example.com");
        assert!(hash.is_some());
        assert_eq!(hash_email(&keyring, " JOHN@Example.com\n"), hash);
        assert_ne!(hash_email(&keyring, "jane@example.com"), hash);
        assert_ne!(hash_email(&Keyring::generate(&SeededEntropy::new(2)).unwrap(), "john@example.com"), hash);
        assert_eq!(hash_email(&keyring, "john"), None);
    }

    /// Stored hashes are looked up for years: whoever breaks this test makes people unfindable.
    #[test]
    fn a_hash_of_today_is_a_hash_of_ever() {
        let hex = |hash: PersonalHash| hex::encode(hash.as_bytes());
        let keyring = keyring();
        assert_eq!(
            hash_email(&keyring, "john@example.com").map(hex).as_deref(),
            Some("2e00b5a249a3a348d861c1e335f319b0")
        );
        assert_eq!(hex(hash_address(&keyring, address("203.0.113.9"))), "f8a23de3cb8db2639fc0db301992e704");
        assert_eq!(hex(hash_device(&keyring, "Ab-1")), "7219c87e62fcb86952b2ecd969da911a");
    }

    #[test]
    fn an_address_is_cut_to_24_or_48_bits() {
        for (full, masked) in [
            ("203.0.113.9", "203.0.113.0/24"),
            ("::ffff:203.0.113.9", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ] {
            assert_eq!(mask_address(address(full)).to_string(), masked);
        }
    }

    #[test]
    fn a_rate_limit_counts_an_ipv4_address_or_an_ipv6_customer() {
        assert_eq!(network_key(address("::ffff:203.0.113.9")).to_string(), "203.0.113.9/32");
        assert_eq!(network_key(address("2001:db8:1:2:3::6")).to_string(), "2001:db8:1:2::/64");
        assert_ne!(network_key(address("2001:db8:1:2::")), network_key(address("2001:db8:1:3::")));
    }

    #[test]
    fn an_address_has_one_hash_in_either_spelling_and_hashes_of_two_kinds_never_meet() {
        let keyring = keyring();
        let hash = hash_address(&keyring, address("203.0.113.9"));
        assert_eq!(hash_address(&keyring, address("::ffff:203.0.113.9")), hash);
        assert_ne!(hash_address(&keyring, address("203.0.113.10")), hash);
        let text = "john@example.com";
        assert_ne!(hash_email(&keyring, text), Some(hash_device(&keyring, text)));
        assert_eq!(hash_device(&keyring, " Ab-1 "), hash_device(&keyring, "Ab-1"));
        assert_eq!(format!("{hash:?}"), "PersonalHash(..)");
        assert_eq!(PersonalHash::from_bytes(hash.as_bytes()), Some(hash));
        assert_eq!(PersonalHash::from_bytes(&[0; 15]), None);
    }

    proptest! {
        #[test]
        fn a_mask_never_holds_the_local_part(local in "[a-z]{2,20}", domain in "[0-9]{1,9}\\.example") {
            let masked = mask_email(&format!("{local}@{domain}")).unwrap();
            prop_assert_eq!(masked, format!("{}***@{domain}", &local[..1]));
        }
    }
}

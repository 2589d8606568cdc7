//! The keys of an installation: what seals transaction ids and tokens, hashes personal data, signs test links.
//!
//! A key enters as 64 hexadecimal characters (config reads them from files or the environment) and never
//! leaves a [`Keyring`] again: nothing here prints one, and what is kept is derived from it for one purpose
//! each, so that one purpose tells nothing about another. Example keys are refused: an installation that
//! runs on a key from a manual lets everybody forge conversions.
//!
//! Rotation. One sealing key mints, all of them verify, for ever: a sender may report a conversion months
//! after its click. To rotate, add a key under a free number and let it mint. To revoke one that leaked,
//! keep it and mark it: ids under it then find only conversions that exist. Removing a key makes every id
//! under it foreign. The other three keys have no numbers: another token key makes stored secrets
//! unreadable (tokens go on working, by their digests), another privacy key makes old hashes unfindable.

use std::fmt;

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::clock::{Entropy, random_bytes};

/// How many sealing keys there can be: the key number has five bits in a transaction id.
pub const SEALING_KEYS_MAX: u8 = 32;

/// Why keys cannot be used. None of these tells any part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    #[error("a key has 64 hexadecimal characters, this one has {found}")]
    WrongLength { found: usize },
    #[error("a key has 64 hexadecimal characters, and this one has others")]
    NotHexadecimal,
    /// A pattern that random bytes do not have.
    #[error("this is an example key: make a random one, for instance with `openssl rand -hex 32`")]
    ExampleKey,
    #[error("a sealing key has a number from 0 to 31, not {number}")]
    NumberTooHigh { number: u8 },
    #[error("there are two sealing keys of number {number}")]
    DuplicateNumber { number: u8 },
    /// Revoking one of the two as leaked would leave the other one open.
    #[error("the sealing keys {first} and {second} are the same key")]
    SameKey { first: u8, second: u8 },
    #[error("the minting key {number} is not among the sealing keys")]
    MintingKeyMissing { number: u8 },
    #[error("the minting key {number} is revoked: add a new sealing key and let that one mint")]
    MintingKeyRevoked { number: u8 },
}

/// One secret of 32 bytes, wiped when it is dropped. It prints as nothing.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// Refuses bytes that nobody drew by chance: at most eight different values, or one constant step.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyringError> {
        if is_example(&bytes) { Err(KeyringError::ExampleKey) } else { Ok(Self(Zeroizing::new(bytes))) }
    }

    /// Reads the text form; white space round it (the newline of a file) does not matter.
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let text = text.trim_ascii();
        if text.len() != 64 {
            return Err(KeyringError::WrongLength { found: text.chars().count() });
        }
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, bytes.as_mut_slice()).map_err(|_| KeyringError::NotHexadecimal)?;
        Self::from_bytes(*bytes)
    }

    /// A fresh key. An error means that the source of chance is broken.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, KeyringError> {
        Self::from_bytes(random_bytes(entropy))
    }

    /// The text form, for the key file that the embedded mode writes on its first start.
    pub fn reveal(&self) -> SecretString {
        hex::encode(*self.0).into()
    }

    /// The bytes themselves, for a key that is used as it is and not through a ring.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn derive(&self, context: &str) -> DerivedKey {
        Zeroizing::new(blake3::derive_key(context, self.0.as_slice()))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// A sealing key as configuration lists it.
#[derive(Clone, Debug)]
pub struct SealingKeyEntry {
    /// 0..=31, unique; stands in clear in every id that the key made.
    pub number: u8,
    pub key: SecretKey,
    /// Leaked: verifies still, and what it verifies counts for nothing new.
    pub revoked: bool,
}

/// Everything that a keyring is made of, read but not yet checked as a whole.
#[derive(Clone, Debug)]
pub struct KeyringParts {
    pub sealing: Vec<SealingKeyEntry>,
    /// The number of the sealing key that mints.
    pub minting: u8,
    /// Seals the text of secure tokens.
    pub tokens: SecretKey,
    /// Hashes e-mails, addresses and device ids.
    pub privacy: SecretKey,
    /// Signs test links.
    pub links: SecretKey,
}

impl KeyringParts {
    /// Fresh keys, one sealing key of number 0: the first start of the embedded mode.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, KeyringError> {
        let sealing = vec![SealingKeyEntry { number: 0, key: SecretKey::generate(entropy)?, revoked: false }];
        let (tokens, privacy) = (SecretKey::generate(entropy)?, SecretKey::generate(entropy)?);
        Ok(Self { sealing, minting: 0, tokens, privacy, links: SecretKey::generate(entropy)? })
    }
}

/// The keys in use, one per purpose. Prints the numbers of its sealing keys and nothing more.
pub struct Keyring {
    sealing: [Option<SealingKey>; SEALING_KEYS_MAX as usize],
    minting: SealingKey,
    tokens: DerivedKey,
    emails: DerivedKey,
    addresses: DerivedKey,
    devices: DerivedKey,
    arguments: DerivedKey,
    links: DerivedKey,
}

impl Keyring {
    pub fn from_parts(parts: &KeyringParts) -> Result<Self, KeyringError> {
        refuse_same_keys(&parts.sealing)?;
        let sealing = place_by_number(&parts.sealing)?;
        Ok(Self {
            minting: find_minting(&sealing, parts.minting)?,
            sealing,
            tokens: parts.tokens.derive("roundtrip 2026 secure token seal"),
            emails: parts.privacy.derive("roundtrip 2026 e-mail hash"),
            addresses: parts.privacy.derive("roundtrip 2026 address hash"),
            devices: parts.privacy.derive("roundtrip 2026 device id hash"),
            arguments: parts.privacy.derive("roundtrip 2026 call arguments hash"),
            links: parts.links.derive("roundtrip 2026 test link"),
        })
    }

    /// A keyring that nothing else shares, for one run: tests and benches.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, KeyringError> {
        Self::from_parts(&KeyringParts::generate(entropy)?)
    }

    pub(super) fn sealing(&self, number: u8) -> Option<&SealingKey> {
        self.sealing.get(usize::from(number))?.as_ref()
    }

    pub(super) const fn minting(&self) -> &SealingKey {
        &self.minting
    }

    pub(super) fn tokens(&self) -> &[u8; 32] {
        &self.tokens
    }

    pub(super) fn emails(&self) -> &[u8; 32] {
        &self.emails
    }

    pub(super) fn addresses(&self) -> &[u8; 32] {
        &self.addresses
    }

    pub(super) fn devices(&self) -> &[u8; 32] {
        &self.devices
    }

    pub(super) fn arguments(&self) -> &[u8; 32] {
        &self.arguments
    }

    pub(super) fn links(&self) -> &[u8; 32] {
        &self.links
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<u8> = self.sealing.iter().flatten().map(|key| key.number).collect();
        f.debug_struct("Keyring")
            .field("sealing", &numbers)
            .field("minting", &self.minting.number)
            .finish_non_exhaustive()
    }
}

/// What a sealing key is used for: two keys, so that the mask tells nothing about the MAC.
#[derive(Clone)]
pub(super) struct SealingKey {
    pub(super) number: u8,
    pub(super) revoked: bool,
    pub(super) mask: DerivedKey,
    pub(super) mac: DerivedKey,
}

pub(super) type DerivedKey = Zeroizing<[u8; 32]>;

fn place_by_number(
    entries: &[SealingKeyEntry],
) -> Result<[Option<SealingKey>; SEALING_KEYS_MAX as usize], KeyringError> {
    let mut placed = [const { None }; SEALING_KEYS_MAX as usize];
    for &SealingKeyEntry { number, ref key, revoked } in entries {
        let place = placed.get_mut(usize::from(number)).ok_or(KeyringError::NumberTooHigh { number })?;
        let mask = key.derive("roundtrip 2026 transaction id mask");
        let mac = key.derive("roundtrip 2026 transaction id mac");
        if place.replace(SealingKey { number, revoked, mask, mac }).is_some() {
            return Err(KeyringError::DuplicateNumber { number });
        }
    }
    Ok(placed)
}

fn find_minting(sealing: &[Option<SealingKey>], number: u8) -> Result<SealingKey, KeyringError> {
    match sealing.get(usize::from(number)) {
        Some(Some(key)) if key.revoked => Err(KeyringError::MintingKeyRevoked { number }),
        Some(Some(key)) => Ok(key.clone()),
        Some(None) | None => Err(KeyringError::MintingKeyMissing { number }),
    }
}

fn refuse_same_keys(entries: &[SealingKeyEntry]) -> Result<(), KeyringError> {
    for (place, second) in entries.iter().enumerate() {
        let twin =
            entries.iter().take(place).find(|first| first.number != second.number && *first.key.0 == *second.key.0);
        if let Some(first) = twin {
            return Err(KeyringError::SameKey { first: first.number, second: second.number });
        }
    }
    Ok(())
}

/// Random bytes are neither: the chance is below 2⁻¹⁰⁰.
fn is_example(bytes: &[u8; 32]) -> bool {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    let few_values = seen.iter().filter(|value| **value).count() <= 8;
    let step = bytes[1].wrapping_sub(bytes[0]);
    few_values || bytes.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step)
}

/// Chance that repeats itself, for the tests of this room: a BLAKE3 stream from a seed.
#[cfg(test)]
pub(crate) struct SeededEntropy(std::sync::Mutex<blake3::OutputReader>);

#[cfg(test)]
impl SeededEntropy {
    pub(crate) fn new(seed: u8) -> Self {
        Self(std::sync::Mutex::new(blake3::Hasher::new().update(&[seed]).finalize_xof()))
    }
}

#[cfg(test)]
impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().unwrap().fill(buffer);
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn parts(numbers: &[u8], minting: u8) -> KeyringParts {
        let entropy = SeededEntropy::new(1);
        let entry = |&number| SealingKeyEntry { number, key: SecretKey::generate(&entropy).unwrap(), revoked: false };
        KeyringParts {
            sealing: numbers.iter().map(entry).collect(),
            minting,
            ..KeyringParts::generate(&entropy).unwrap()
        }
    }

    #[test]
    fn a_key_reads_as_64_hexadecimal_characters_and_nothing_else() {
        let text = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let key = SecretKey::parse(&format!("{}\n", text.to_uppercase())).unwrap();
        assert_eq!(key.reveal().expose_secret(), text);
        assert_eq!(SecretKey::parse(&text[1..]).err(), Some(KeyringError::WrongLength { found: 63 }));
        assert_eq!(SecretKey::parse(&format!("{text}0")).err(), Some(KeyringError::WrongLength { found: 65 }));
        assert_eq!(SecretKey::parse("").err(), Some(KeyringError::WrongLength { found: 0 }));
        assert_eq!(SecretKey::parse(&text.replacen('9', "g", 1)).err(), Some(KeyringError::NotHexadecimal));
        assert_eq!(SecretKey::parse(&text.replacen('9', "+", 1)).err(), Some(KeyringError::NotHexadecimal));
    }

    #[test]
    fn an_example_key_is_refused() {
        let examples = [
            "00".repeat(32),
            "ff".repeat(32),
            "deadbeef".repeat(8),
            "0123456789abcdef".repeat(4),
            (0..32).map(|n| format!("{n:02x}")).collect::<String>(),
        ];
        for text in examples {
            assert_eq!(SecretKey::parse(&text).err(), Some(KeyringError::ExampleKey), "{text}");
        }
    }

    #[test]
    fn sealing_keys_have_unique_numbers_to_31_and_one_that_mints() {
        let refusal = |numbers: &[u8], minting| Keyring::from_parts(&parts(numbers, minting)).err();
        assert_eq!(refusal(&[0, 31], 31), None);
        assert_eq!(refusal(&(0..32).collect::<Vec<_>>(), 5), None);
        assert_eq!(refusal(&[0, 32], 0), Some(KeyringError::NumberTooHigh { number: 32 }));
        assert_eq!(refusal(&[3, 4, 3], 3), Some(KeyringError::DuplicateNumber { number: 3 }));
        assert_eq!(refusal(&[0, 1], 2), Some(KeyringError::MintingKeyMissing { number: 2 }));
        assert_eq!(refusal(&[0], 255), Some(KeyringError::MintingKeyMissing { number: 255 }));
        assert_eq!(refusal(&[], 0), Some(KeyringError::MintingKeyMissing { number: 0 }));
    }

    #[test]
    fn a_revoked_key_does_not_mint_and_one_key_has_not_two_numbers() {
        let mut leaked = parts(&[0, 1], 0);
        leaked.sealing[0].revoked = true;
        assert_eq!(Keyring::from_parts(&leaked).err(), Some(KeyringError::MintingKeyRevoked { number: 0 }));
        leaked.minting = 1;
        assert!(Keyring::from_parts(&leaked).is_ok());
        leaked.sealing[1].key = leaked.sealing[0].key.clone();
        assert_eq!(Keyring::from_parts(&leaked).err(), Some(KeyringError::SameKey { first: 0, second: 1 }));
    }

    #[test]
    fn nothing_of_a_key_is_printed() {
        let parts = parts(&[0, 7], 7);
        assert_eq!(format!("{:?}", parts.tokens), "SecretKey(..)");
        let keyring = Keyring::from_parts(&parts).unwrap();
        assert_eq!(format!("{keyring:?}"), "Keyring { sealing: [0, 7], minting: 7, .. }");
        let secret = parts.tokens.reveal();
        assert!(!format!("{parts:?}").contains(secret.expose_secret()));
    }
}

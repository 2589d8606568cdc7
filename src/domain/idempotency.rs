//! Calls that may be sent twice: the answer to the first may be lost on its way, and the second must not do it again.
//!
//! A caller puts a key of its own on a call. For a day the same principal, field and key mean the same call: with the
//! same arguments it is told again what came of the first, with others it is refused. A call that was refused is not
//! remembered, since nothing came of it. Of the arguments only a keyed hash is kept: they may name people.

use super::keyring::Keyring;

/// The longest key, in characters.
pub const KEY_CHARACTERS_MAX: usize = 64;
/// How long a key is remembered.
pub const KEPT_SECONDS: i64 = 24 * 3600;

/// One call under a key of its caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotentCall {
    /// The opaque id of whoever calls.
    pub principal: String,
    /// The mutation, such as `offerCreate`.
    pub field: String,
    pub key: String,
    pub arguments_hash: [u8; 32],
}

/// Why a key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefused {
    Empty,
    TooLong,
    /// It would not come back from every database as it was sent.
    ControlCharacter,
}

impl IdempotentCall {
    /// `arguments` has one spelling for equal arguments, without the key itself.
    ///
    /// # Errors
    /// The key has no character, more than 64, or control characters.
    pub fn new(
        keyring: &Keyring,
        principal: String,
        field: &str,
        key: &str,
        arguments: &str,
    ) -> Result<Self, KeyRefused> {
        match key.chars().count() {
            0 => return Err(KeyRefused::Empty),
            length if length > KEY_CHARACTERS_MAX => return Err(KeyRefused::TooLong),
            _ if key.chars().any(char::is_control) => return Err(KeyRefused::ControlCharacter),
            _ => {}
        }
        let arguments_hash = blake3::keyed_hash(keyring.arguments(), arguments.as_bytes()).into();
        Ok(Self { principal, field: field.to_owned(), key: key.to_owned(), arguments_hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keyring::SeededEntropy;

    #[test]
    fn a_key_has_one_to_64_characters_of_text() {
        let keyring = Keyring::generate(&SeededEntropy::new(1)).unwrap();
        let of = |key: &str| IdempotentCall::new(&keyring, "opr_1".into(), "offerCreate", key, "{}").err();
        for (length, refused) in
            [(0, Some(KeyRefused::Empty)), (1, None), (63, None), (64, None), (65, Some(KeyRefused::TooLong))]
        {
            assert_eq!(of(&"é".repeat(length)), refused, "{length}");
        }
        assert_eq!(of("a\0b"), Some(KeyRefused::ControlCharacter));
    }

    #[test]
    fn arguments_are_told_apart_by_a_hash_that_needs_the_key() {
        let keyrings = [1, 2].map(|seed| Keyring::generate(&SeededEntropy::new(seed)).unwrap());
        let hash = |keyring: &Keyring, arguments: &str| {
            IdempotentCall::new(keyring, "opr_1".into(), "f", "k", arguments).unwrap().arguments_hash
        };
        assert_eq!(hash(&keyrings[0], "a"), hash(&keyrings[0], "a"));
        assert_ne!(hash(&keyrings[0], "a"), hash(&keyrings[0], "b"));
        assert_ne!(hash(&keyrings[0], "a"), hash(&keyrings[1], "a"));
    }
}

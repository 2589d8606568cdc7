//! Codes that work once: that of the first run, which the server prints, and that of an invitation.
//!
//! There is no default password anywhere: an installation that nobody has set up belongs to whoever can read its
//! log, and an invited person sets a password that nobody else has seen. 120 random bits, so that there is nothing to
//! guess; only the digest is stored.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::clock::{Entropy, random_bytes};
use super::crockford;

const CODE_BYTES: usize = 15;
const CODE_CHARACTERS: usize = 24;
const GROUP_CHARACTERS: usize = 4;

/// A code in clear. It prints as nothing; [`Self::reveal`] is the only way out.
#[derive(Clone, Debug)]
pub struct OneTimeCode(SecretString);

impl OneTimeCode {
    pub fn mint(entropy: &dyn Entropy) -> Self {
        let characters = crockford::encode::<CODE_BYTES, CODE_CHARACTERS>(&random_bytes(entropy));
        let mut text = String::with_capacity(CODE_CHARACTERS + CODE_CHARACTERS / GROUP_CHARACTERS);
        for (place, character) in characters.into_iter().enumerate() {
            if place > 0 && place % GROUP_CHARACTERS == 0 {
                text.push('-');
            }
            text.push(char::from(character));
        }
        Self(SecretString::from(text))
    }

    /// Reads a typed code: case, dashes and white space round it do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = crockford::decode::<CODE_BYTES, CODE_CHARACTERS>(text.trim())?;
        let characters = crockford::encode::<CODE_BYTES, CODE_CHARACTERS>(&bytes);
        Some(Self(SecretString::from(characters.into_iter().map(char::from).collect::<String>())))
    }

    /// Six groups of four characters, for people.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    pub fn digest(&self) -> CodeDigest {
        let plain: String = self.0.expose_secret().chars().filter(|character| *character != '-').collect();
        CodeDigest(hex::encode(Sha256::digest(plain)))
    }
}

/// SHA-256 of a code, as 64 hexadecimal characters: the form that is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeDigest(String);

impl CodeDigest {
    /// The form that a row holds.
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Equality whose time tells nothing.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for CodeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::keyring::SeededEntropy;
    use super::*;

    #[test]
    fn a_code_is_read_back_however_people_type_it() {
        let code = OneTimeCode::mint(&SeededEntropy::new(1));
        assert_eq!((code.reveal().len(), code.reveal().matches('-').count()), (29, 5));
        for typed in [
            code.reveal().to_owned(),
            format!(" {}\n", code.reveal().to_uppercase()),
            code.reveal().replace('-', ""),
            code.reveal().replace('0', "O").replace('1', "l"),
        ] {
            assert!(OneTimeCode::parse(&typed).unwrap().digest().matches(&code.digest()), "{typed}");
        }
        assert!(!OneTimeCode::mint(&SeededEntropy::new(2)).digest().matches(&code.digest()));
        for wrong in ["", "-", "0000", &code.reveal()[1..]] {
            assert!(OneTimeCode::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn nothing_of_a_code_is_printed() {
        let code = OneTimeCode::mint(&SeededEntropy::new(1));
        assert!(!format!("{code:?} {:?}", code.digest()).contains(&code.reveal()[..4]));
    }
}

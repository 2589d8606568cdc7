//! API keys: bearers of programs in the admin API.
//!
//! A key belongs to the workspace, not to whoever made it: it has a role of its own and works on when that person
//! leaves. Only the digest of its text is kept; the text is shown once. `rt_k_`, 30 characters by chance, a checksum:
//! what is not of this form is refused without looking it up. Roles are compared as everywhere; nothing here knows a
//! door.

use secrecy::{ExposeSecret, SecretString};

use super::clock::{Entropy, Timestamp};
use super::ids::ApiKeyId;
use super::operator::Role;
use super::secret_text;
use super::secure_token::TokenDigest;

/// Keys that work at the same time, at most.
pub const LIVE_KEYS_MAX: u64 = 100;
/// How often the last use of a key is written down, at most, in milliseconds: once a minute.
pub const USE_NOTED_EVERY_MS: i64 = 60_000;

const PREFIX: &str = "rt_k_";

/// A key as it is stored, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    /// `zjjH…xN95`: the ends of the random part.
    pub hint: String,
    pub role: Role,
    pub created_at: Timestamp,
    /// The opaque id of an operator or a key, or `system`.
    pub created_by: String,
    /// The first instant at which it is refused.
    pub expires_at: Option<Timestamp>,
    pub revocation: Option<KeyRevocation>,
    /// Written at most once a minute.
    pub last_used_at: Option<Timestamp>,
    /// A network, /24 or /48.
    pub last_used_address: Option<String>,
}

/// Who ended a key before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRevocation {
    pub at: Timestamp,
    /// The opaque id of an operator or a key, or `system`.
    pub by: String,
}

/// What a key that is shown is compared with, on every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyAccess {
    pub id: ApiKeyId,
    pub name: String,
    pub role: Role,
    pub expires_at: Option<Timestamp>,
    pub is_revoked: bool,
}

/// What a known key is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStanding {
    Good,
    Expired,
    Revoked,
}

impl ApiKeyAccess {
    pub fn standing(&self, now: Timestamp) -> KeyStanding {
        match self.expires_at {
            _ if self.is_revoked => KeyStanding::Revoked,
            Some(end) if now >= end => KeyStanding::Expired,
            Some(_) | None => KeyStanding::Good,
        }
    }
}

/// The text of a key. It prints as nothing; [`Self::reveal`] is the only way out.
#[derive(Clone, Debug)]
pub struct PlainKey(SecretString);

impl PlainKey {
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(secret_text::generate(PREFIX, entropy).into())
    }

    /// Reads what a caller shows; `None` unless it is a whole key with its checksum.
    pub fn parse(text: &str) -> Option<Self> {
        secret_text::is_whole(text, PREFIX).then(|| Self(text.into()))
    }

    /// Is `text` meant to be a key, whole or not?
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The text in clear, for the one answer that shows it.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.reveal())
    }

    pub fn hint(&self) -> String {
        secret_text::hint(self.reveal())
    }
}

#[cfg(test)]
mod tests {
    use super::super::keyring::SeededEntropy;
    use super::super::secure_token;
    use super::*;

    #[test]
    fn a_key_is_read_back_whole_and_in_no_other_form() {
        let key = PlainKey::generate(&SeededEntropy::new(1));
        let text = key.reveal();
        assert_eq!((text.len(), &text[..5]), (41, "rt_k_"));
        assert_eq!(PlainKey::parse(text).unwrap().digest(), key.digest());
        assert_eq!(key.hint(), format!("{}…{}", &text[5..9], &text[31..35]));
        for wrong in ["", "rt_k_", &text[..40], &format!("{text}0"), &text.replace("rt_k_", "rt_g_")] {
            assert!(PlainKey::parse(wrong).is_none(), "{wrong}");
        }
        assert!(!secure_token::checksum_ok(text), "a key is no secure token");
    }

    #[test]
    fn a_key_ends_at_its_instant_and_a_revocation_comes_first() {
        let end = Timestamp::from_millis(1000);
        let key = |expires_at, is_revoked| ApiKeyAccess {
            id: ApiKeyId::from_uuid(uuid::Uuid::nil()),
            name: "ci".into(),
            role: Role::Viewer,
            expires_at,
            is_revoked,
        };
        for (expires_at, is_revoked, now, standing) in [
            (None, false, 999, KeyStanding::Good),
            (Some(end), false, 999, KeyStanding::Good),
            (Some(end), false, 1000, KeyStanding::Expired),
            (Some(end), false, 1001, KeyStanding::Expired),
            (None, true, 0, KeyStanding::Revoked),
            (Some(end), true, 1001, KeyStanding::Revoked),
        ] {
            assert_eq!(key(expires_at, is_revoked).standing(Timestamp::from_millis(now)), standing);
        }
    }

    #[test]
    fn nothing_of_a_key_is_printed() {
        let key = PlainKey::generate(&SeededEntropy::new(2));
        assert!(!format!("{key:?} {:?}", key.digest()).contains(&key.reveal()[5..10]));
    }
}

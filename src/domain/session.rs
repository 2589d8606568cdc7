//! A session: the family of refresh tokens that one sign-in began, and how a token of it is judged.
//!
//! A refresh token works once. Whoever shows an older one of the family shows that two parties hold it, and
//! which of them is the thief cannot be known: the family ends. So that a guess cannot end somebody's session,
//! a token carries a MAC: what we did not mint is refused before a row is read and changes nothing. Only the
//! digest of the newest token is stored. Two tabs that refresh at once are no theft: the slower one, inside
//! [`RACE_SECONDS`], is told to use the newer cookie, and is given nothing.

use std::fmt;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::clock::{Entropy, Timestamp, random_bytes};
use super::ids::{OperatorId, SessionId};

/// How long the token before the newest one is taken for the second of two refreshes at once.
pub const RACE_SECONDS: i64 = 10;

const PREFIX: &str = "rt_r_";
const SESSION_BYTES: usize = 16;
const GENERATION_BYTES: usize = 4;
const NONCE_BYTES: usize = 20;
const MAC_BYTES: usize = 16;
const SIGNED_BYTES: usize = SESSION_BYTES + GENERATION_BYTES + NONCE_BYTES;
const TOKEN_BYTES: usize = SIGNED_BYTES + MAC_BYTES;

/// One sign-in and everything that was refreshed from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub operator: OperatorId,
    /// Of the newest refresh token.
    pub refresh_digest: RefreshDigest,
    pub created_at: Timestamp,
    /// When it was begun or last refreshed.
    pub last_seen_at: Timestamp,
    /// When the newest refresh token ends; every refresh moves it.
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// The generation of the newest refresh token, from 1.
    pub version: i32,
}

/// What a genuine refresh token is worth now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshVerdict {
    /// The newest of a live session: it is rotated.
    Newest,
    /// The second of two refreshes at once: nothing is given and nothing ends.
    Race,
    /// An old one: the family is to end.
    Reused,
    /// The session was ended before.
    Revoked,
    /// Past its end.
    Expired,
}

impl Session {
    /// Judges a token of this session at `now`.
    pub fn judge(&self, token: &RefreshToken, now: Timestamp) -> RefreshVerdict {
        if self.revoked_at.is_some() {
            return RefreshVerdict::Revoked;
        }
        if self.refresh_digest.matches(&token.digest()) {
            return if now < self.expires_at { RefreshVerdict::Newest } else { RefreshVerdict::Expired };
        }
        let just_rotated = now < self.last_seen_at.plus_seconds(RACE_SECONDS);
        let previous = token.generation == self.version.saturating_sub(1);
        if previous && just_rotated { RefreshVerdict::Race } else { RefreshVerdict::Reused }
    }
}

/// What proves that a refresh token is one of ours: the key of now, and those beside it.
pub struct RefreshKeys {
    current: Zeroizing<[u8; 32]>,
    beside: Vec<Zeroizing<[u8; 32]>>,
}

impl RefreshKeys {
    /// Derives them from the seeds that sign access tokens: one secret to rotate instead of two.
    pub fn from_seeds(current: &[u8; 32], beside: &[&[u8; 32]]) -> Self {
        let derive = |seed: &[u8; 32]| Zeroizing::new(blake3::derive_key("roundtrip 2026 refresh token", seed));
        Self { current: derive(current), beside: beside.iter().map(|seed| derive(seed)).collect() }
    }

    fn admit(&self, signed: &[u8], mac: &[u8]) -> bool {
        let genuine = |key: &Zeroizing<[u8; 32]>| bool::from(mac_of(key, signed).as_slice().ct_eq(mac));
        genuine(&self.current) || self.beside.iter().any(genuine)
    }
}

impl fmt::Debug for RefreshKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshKeys(..)")
    }
}

/// A refresh token in clear: `rt_r_` and 112 hexadecimal characters (session, generation, nonce, MAC).
#[derive(Clone, Debug)]
pub struct RefreshToken {
    text: SecretString,
    pub session: SessionId,
    /// The session's version when it was minted.
    pub generation: i32,
}

impl RefreshToken {
    pub fn mint(keys: &RefreshKeys, session: SessionId, generation: i32, entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(TOKEN_BYTES));
        bytes.extend_from_slice(session.uuid().as_bytes());
        bytes.extend_from_slice(&generation.to_be_bytes());
        bytes.extend_from_slice(&random_bytes::<NONCE_BYTES>(entropy));
        let mac = mac_of(&keys.current, &bytes);
        bytes.extend_from_slice(&mac);
        let text = format!("{PREFIX}{}", *Zeroizing::new(hex::encode(&*bytes)));
        Self { text: SecretString::from(text), session, generation }
    }

    /// Reads a token that one of `keys` made; `None` for every other text.
    pub fn parse(text: &str, keys: &RefreshKeys) -> Option<Self> {
        let bytes = Zeroizing::new(from_hexadecimal(text.strip_prefix(PREFIX)?)?);
        let (signed, mac) = bytes.split_at(SIGNED_BYTES);
        if !keys.admit(signed, mac) {
            return None;
        }
        let session = SessionId::from_uuid(Uuid::from_slice(&signed[..SESSION_BYTES]).ok()?);
        let generation = signed[SESSION_BYTES..SESSION_BYTES + GENERATION_BYTES].try_into().ok()?;
        Some(Self { text: text.to_owned().into(), session, generation: i32::from_be_bytes(generation) })
    }

    /// The text for the cookie.
    pub fn reveal(&self) -> &str {
        self.text.expose_secret()
    }

    pub fn digest(&self) -> RefreshDigest {
        RefreshDigest(Sha256::digest(self.text.expose_secret()).into())
    }
}

/// SHA-256 of a refresh token's text: what is stored. Nothing can be refreshed with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RefreshDigest([u8; 32]);

impl RefreshDigest {
    /// Reads the column form; `None` unless there are exactly 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Equality whose time tells nothing.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for RefreshDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshDigest(..)")
    }
}

fn mac_of(key: &[u8; 32], signed: &[u8]) -> [u8; MAC_BYTES] {
    let mut mac = [0; MAC_BYTES];
    blake3::Hasher::new_keyed(key).update(signed).finalize_xof().fill(&mut mac);
    mac
}

/// Lower case only: a token has one spelling.
fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let one_spelling = text.len() == TOKEN_BYTES * 2 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    one_spelling.then(|| hex::decode(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::keyring::SeededEntropy;
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn keys() -> RefreshKeys {
        RefreshKeys::from_seeds(&[1; 32], &[])
    }

    fn id() -> SessionId {
        SessionId::from_uuid(Uuid::from_u128(7))
    }

    fn minted(generation: i32, seed: u8) -> RefreshToken {
        RefreshToken::mint(&keys(), id(), generation, &SeededEntropy::new(seed))
    }

    fn session(newest: &RefreshToken) -> Session {
        Session {
            id: id(),
            operator: OperatorId::from_uuid(Uuid::from_u128(1)),
            refresh_digest: newest.digest(),
            created_at: NOW.plus_seconds(-100),
            last_seen_at: NOW,
            expires_at: NOW.plus_seconds(1000),
            revoked_at: None,
            version: newest.generation,
        }
    }

    #[test]
    fn a_token_reads_back_and_every_changed_character_makes_it_a_stranger() {
        let token = minted(3, 1);
        let read = RefreshToken::parse(token.reveal(), &keys()).unwrap();
        assert_eq!((read.session, read.generation, read.digest()), (id(), 3, token.digest()));
        for place in 0..token.reveal().len() {
            let mut bytes = token.reveal().as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
            assert!(RefreshToken::parse(str::from_utf8(&bytes).unwrap(), &keys()).is_none(), "{place}");
        }
        for wrong in ["", "rt_r_", &token.reveal()[..116], &format!("{}0", token.reveal()), "rt_r_é"] {
            assert!(RefreshToken::parse(wrong, &keys()).is_none(), "{wrong}");
        }
        assert!(RefreshToken::parse(&token.reveal().to_uppercase(), &keys()).is_none());
    }

    #[test]
    fn a_token_of_the_previous_key_is_still_ours_and_one_of_an_older_key_is_not() {
        let token = minted(1, 1);
        assert!(
            RefreshToken::parse(token.reveal(), &RefreshKeys::from_seeds(&[2; 32], &[&[9; 32], &[1; 32]])).is_some()
        );
        assert!(RefreshToken::parse(token.reveal(), &RefreshKeys::from_seeds(&[3; 32], &[&[2; 32]])).is_none());
    }

    #[test]
    fn the_newest_token_is_good_until_its_end() {
        let token = minted(1, 1);
        let session = session(&token);
        for (millis, verdict) in
            [(-1, RefreshVerdict::Newest), (0, RefreshVerdict::Expired), (1, RefreshVerdict::Expired)]
        {
            assert_eq!(session.judge(&token, session.expires_at.plus_millis(millis)), verdict, "{millis}");
        }
        let ended = Session { revoked_at: Some(NOW), ..session };
        assert_eq!(ended.judge(&token, NOW), RefreshVerdict::Revoked);
    }

    #[test]
    fn an_old_token_ends_the_family_unless_two_refreshed_at_once() {
        let session = session(&minted(5, 5));
        let (previous, older) = (minted(4, 4), minted(3, 3));
        let end = NOW.plus_seconds(RACE_SECONDS);
        assert_eq!(session.judge(&previous, NOW), RefreshVerdict::Race);
        assert_eq!(session.judge(&previous, end.plus_millis(-1)), RefreshVerdict::Race);
        assert_eq!(session.judge(&previous, end), RefreshVerdict::Reused);
        assert_eq!(session.judge(&older, NOW), RefreshVerdict::Reused);
    }

    #[test]
    fn nothing_of_a_token_or_its_keys_is_printed() {
        let token = minted(1, 1);
        assert!(!format!("{token:?}").contains(&token.reveal()[40..]));
        assert_eq!(format!("{:?} {:?}", token.digest(), keys()), "RefreshDigest(..) RefreshKeys(..)");
    }
}

//! What signing in works with: the keys and lifetimes of tokens, the gate of hashing, the count of wrong passwords;
//! and what is remembered of those who are believed: uses of keys, points of a minute.

use super::access_token::AccessTokens;
use super::key_uses::KeyUses;
use super::lockout::Lockout;
use super::passwords::Passwords;
use super::point_budget::PointBudget;
use super::snapshot::UnknownTokens;

/// How long an invitation may be accepted, when nothing else is set: a week.
pub const INVITE_SECONDS: u32 = 7 * 86_400;

/// Built once, by `server.rs`, from the section `[session]` and the key file.
#[derive(Debug)]
pub struct Identity {
    pub tokens: AccessTokens,
    /// How long a refresh token lives; every refresh begins anew.
    pub refresh_seconds: u32,
    pub passwords: Passwords,
    pub lockout: Lockout,
    /// How long an invitation may be accepted.
    pub invite_seconds: u32,
    /// API keys that were just looked up in vain.
    pub unknown_keys: UnknownTokens,
    pub key_uses: KeyUses,
    pub budget: PointBudget,
}

impl Identity {
    pub fn new(tokens: AccessTokens, refresh_seconds: u32) -> Self {
        Self {
            tokens,
            refresh_seconds,
            passwords: Passwords::default(),
            lockout: Lockout::default(),
            invite_seconds: INVITE_SECONDS,
            unknown_keys: UnknownTokens::default(),
            key_uses: KeyUses::default(),
            budget: PointBudget::default(),
        }
    }
}

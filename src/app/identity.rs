//! What signing in works with: the keys and lifetimes of tokens, the gate of hashing, the count of wrong passwords.

use super::access_token::AccessTokens;
use super::lockout::Lockout;
use super::passwords::Passwords;

/// Built once, by `server.rs`, from the section `[session]` and the key file.
#[derive(Debug)]
pub struct Identity {
    pub tokens: AccessTokens,
    /// How long a refresh token lives; every refresh begins anew.
    pub refresh_seconds: u32,
    pub passwords: Passwords,
    pub lockout: Lockout,
}

impl Identity {
    pub fn new(tokens: AccessTokens, refresh_seconds: u32) -> Self {
        Self { tokens, refresh_seconds, passwords: Passwords::default(), lockout: Lockout::default() }
    }
}

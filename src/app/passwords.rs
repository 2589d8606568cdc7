//! Passwords become hashes and are checked against them, four at a time.
//!
//! argon2id with 19 MiB, two passes and one lane (the OWASP figure for it). Each costs a core some tens of
//! milliseconds, so it runs apart from the async threads, and only so many at once: a flood of sign-ins may make
//! sign-ins slow, never postbacks. An unknown account costs the same work as a known one.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::AppError;
use crate::domain::clock::{Entropy, random_bytes};

/// How many hashes are made at once, when nothing else is set.
pub const HASHES_AT_ONCE: usize = 4;
/// How long a hash waits for its turn before the caller is told to come back.
const TURN_SECONDS_MAX: u64 = 5;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;

/// The hash of nothing that anybody knows, in the same parameters: what an unknown account is checked against.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The gate in front of the work.
#[derive(Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new(HASHES_AT_ONCE)
    }
}

impl Passwords {
    /// At least one at a time.
    pub fn new(hashes_at_once: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(hashes_at_once.max(1))) }
    }

    /// The hash of `password` with a fresh salt, in PHC form.
    ///
    /// # Errors
    /// `Busy` when there was no turn in time.
    pub async fn hash(&self, password: SecretString, entropy: &dyn Entropy) -> Result<SecretString, AppError> {
        let salt = random_bytes::<SALT_BYTES>(entropy);
        let hashed = self.work(move || {
            let hash =
                argon2id()?.hash_password_with_salt(password.expose_secret().as_bytes(), &salt).map_err(fault)?;
            Ok(SecretString::from(hash.to_string()))
        });
        hashed.await
    }

    /// Is `password` the one behind `stored`? Without one the answer is no, after the same work.
    ///
    /// # Errors
    /// `Busy` when there was no turn in time; `Internal` for a stored hash that cannot be read.
    pub async fn verify(&self, password: SecretString, stored: Option<SecretString>) -> Result<bool, AppError> {
        self.work(move || {
            let known = stored.is_some();
            let text = stored.unwrap_or_else(|| DUMMY.into());
            let hash = PasswordHash::new(text.expose_secret()).map_err(fault)?;
            match argon2id()?.verify_password(password.expose_secret().as_bytes(), &hash) {
                Ok(()) => Ok(known),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(fault(error)),
            }
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        hashing: impl FnOnce() -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        let turn = self.turn().await?;
        let done = tokio::task::spawn_blocking(move || {
            let result = hashing();
            drop(turn);
            result
        });
        done.await.map_err(|stopped| AppError::Internal(format!("hashing stopped: {stopped}")))?
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, AppError> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout(Duration::from_secs(TURN_SECONDS_MAX), turn).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(AppError::Busy),
        }
    }
}

fn argon2id() -> Result<Argon2<'static>, AppError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(fault)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn fault(error: impl std::fmt::Display) -> AppError {
    AppError::Internal(format!("password hashing: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keyring::SeededEntropy;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other_is() {
        let passwords = Passwords::default();
        let hash = passwords.hash(secret("correct horse"), &SeededEntropy::new(1)).await.unwrap();
        assert!(hash.expose_secret().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.verify(secret("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(secret("correct horsf"), Some(hash.clone())).await.unwrap());
        let again = passwords.hash(secret("correct horse"), &SeededEntropy::new(2)).await.unwrap();
        assert_ne!(again.expose_secret(), hash.expose_secret(), "every hash has its salt");
    }

    #[tokio::test]
    async fn an_unknown_account_is_never_right() {
        assert!(!Passwords::default().verify(secret("anything at all"), None).await.unwrap());
    }

    #[test]
    fn the_dummy_costs_what_a_real_hash_costs() {
        let dummy = PasswordHash::new(DUMMY).unwrap();
        let params = Params::try_from(&dummy).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        assert_eq!((dummy.salt.unwrap().len(), dummy.hash.unwrap().len()), (SALT_BYTES, Params::DEFAULT_OUTPUT_LEN));
    }

    #[tokio::test]
    async fn a_hash_that_cannot_be_read_is_our_fault() {
        assert!(Passwords::default().verify(secret("x"), Some(secret("plain"))).await.is_err());
    }
}

//! Secrets in a column: readable again by us, and by nobody who has the database alone.
//!
//! XChaCha20-Poly1305 under the ring's token key, with a fresh random nonce. What a sealed text belongs to (the row)
//! is authenticated with it, so one that is copied to another row or table opens nothing.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::clock::{Entropy, random_bytes};
use super::keyring::Keyring;

/// A sealed text cannot be read or made: another token key, another row, or a damaged column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed secret does not open: was the token key replaced?")]
pub struct SealError;

const NONCE_BYTES: usize = 24;

/// The column form of `text`: nonce (24), then the encrypted text and its tag. `owner` is the row it belongs to.
pub(super) fn seal(keyring: &Keyring, owner: &[u8], text: &str, entropy: &dyn Entropy) -> Result<Vec<u8>, SealError> {
    let nonce: [u8; NONCE_BYTES] = random_bytes(entropy);
    let payload = Payload { msg: text.as_bytes(), aad: owner };
    let sealed = cipher(keyring).encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// Opens what [`seal`] made, for the same owner under the same key.
pub(super) fn open(keyring: &Keyring, owner: &[u8], sealed: &[u8]) -> Result<SecretString, SealError> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError)?;
    let payload = Payload { msg: text, aad: owner };
    let opened = cipher(keyring).decrypt(&XNonce::from(*nonce), payload).map(Zeroizing::new);
    let opened = opened.map_err(|_| SealError)?;
    Ok(str::from_utf8(&opened).map_err(|_| SealError)?.into())
}

fn cipher(keyring: &Keyring) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(keyring.tokens().into())
}

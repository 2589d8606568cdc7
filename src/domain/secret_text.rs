//! The form of the secrets that we make: a prefix that tells the kind, 30 characters by chance (178 bits), and 6
//! characters of CRC32 over all before them.
//!
//! The prefix lets a scanner find a secret that leaked; the checksum tells a secret from a typo without a key and
//! without the database. Nothing here keeps a secret or compares one.

use secrecy::zeroize::Zeroizing;

use super::clock::{Entropy, random_bytes};

pub(super) const PREFIX_CHARACTERS: usize = 5;
pub(super) const RANDOM_CHARACTERS: usize = 30;
pub(super) const CHECKSUM_CHARACTERS: usize = 6;
pub(super) const TEXT_CHARACTERS: usize = PREFIX_CHARACTERS + RANDOM_CHARACTERS + CHECKSUM_CHARACTERS;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new secret of this kind. `prefix` has five characters.
pub(super) fn generate(prefix: &str, entropy: &dyn Entropy) -> String {
    let mut text = String::with_capacity(TEXT_CHARACTERS);
    text.push_str(prefix);
    push_random(&mut text, entropy);
    let checksum = checksum(&text);
    text.extend(checksum.map(char::from));
    text
}

/// Is `text` a secret with this prefix, whole, and is its checksum right?
pub(super) fn is_whole(text: &str, prefix: &str) -> bool {
    let Some((body, end)) = text.as_bytes().split_last_chunk::<CHECKSUM_CHARACTERS>() else { return false };
    let random = body.strip_prefix(prefix.as_bytes());
    let well_formed = random.is_some_and(|r| r.len() == RANDOM_CHARACTERS && r.iter().all(u8::is_ascii_alphanumeric));
    well_formed && text.get(..body.len()).is_some_and(|body| checksum(body) == *end)
}

/// What a person recognises a whole secret by: `zjjH…xN95`, the ends of its random part.
pub(super) fn hint(text: &str) -> String {
    let random = &text[PREFIX_CHARACTERS..PREFIX_CHARACTERS + RANDOM_CHARACTERS];
    format!("{}…{}", &random[..4], &random[RANDOM_CHARACTERS - 4..])
}

/// Bytes from 248 on are thrown away: 256 is no multiple of 62, and the first characters would come more often.
fn push_random(text: &mut String, entropy: &dyn Entropy) {
    let mut missing = RANDOM_CHARACTERS;
    while missing > 0 {
        let bytes = Zeroizing::new(random_bytes::<{ RANDOM_CHARACTERS }>(entropy));
        for byte in bytes.iter().filter(|byte| **byte < 248).take(missing) {
            text.push(char::from(BASE62[usize::from(byte % 62)]));
            missing -= 1;
        }
    }
}

/// CRC32 of `body` in base62, the highest digit first: 62⁶ is more than 2³².
fn checksum(body: &str) -> [u8; CHECKSUM_CHARACTERS] {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [0; CHECKSUM_CHARACTERS];
    for digit in digits.iter_mut().rev() {
        *digit = usize::try_from(rest % 62).map_or(0, |value| BASE62[value]);
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::super::keyring::SeededEntropy;
    use super::*;

    #[test]
    fn every_base62_character_comes_equally_often() {
        let mut text = String::new();
        let entropy = SeededEntropy::new(4);
        for _ in 0..2000 {
            push_random(&mut text, &entropy);
        }
        for character in BASE62.iter().map(|&byte| char::from(byte)) {
            let times = text.matches(character).count();
            assert!((800..1150).contains(&times), "{character} came {times} times in 60000");
        }
    }
}

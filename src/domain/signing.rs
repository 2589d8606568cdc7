//! Proof that an outbound postback is ours: the signing secret of a rule, and what is signed with it.
//!
//! A POST is signed as Standard Webhooks says (standardwebhooks.com): HMAC-SHA256 over id, time and body, in headers.
//! A GET has no body, and trackers read parameters only: there the whole URL is signed, in a parameter of its own.
//! While a rotation's overlap is open both secrets sign, so that a publisher may change in his own time. A secret is in
//! clear only inside a [`SigningSecret`], between its making or opening and its use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::clock::{Entropy, Timestamp, random_bytes};
use super::ids::OutboundPostbackId;
use super::keyring::Keyring;
use super::sealing::{SealError, open, seal};

/// What every secret begins with (Standard Webhooks).
const PREFIX: &str = "whsec_";
/// Random bytes of a secret: as long as the hash.
const SECRET_BYTES: usize = 32;
/// Characters of each end that a hint shows.
const HINT_CHARACTERS: usize = 4;

/// The secret of one rule, in clear. It prints as nothing.
#[derive(Clone, Debug)]
pub struct SigningSecret(SecretString);

impl SigningSecret {
    /// A new secret: the prefix, then 32 random bytes in base64.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let bytes = Zeroizing::new(random_bytes::<SECRET_BYTES>(entropy));
        Self(format!("{PREFIX}{}", BASE64.encode(bytes.as_slice())).into())
    }

    /// The text in clear, for the one answer that shows it.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// What a person recognises it by: the ends of the random part.
    pub fn hint(&self) -> String {
        let random = self.reveal().trim_start_matches(PREFIX).trim_end_matches('=');
        let end = random.len().saturating_sub(HINT_CHARACTERS);
        let shown = |part: Option<&str>| part.unwrap_or_default().to_owned();
        format!("{}…{}", shown(random.get(..HINT_CHARACTERS)), shown(random.get(end..)))
    }

    /// # Errors
    /// The cipher refuses, which it never does.
    pub fn seal(
        &self,
        keyring: &Keyring,
        rule: OutboundPostbackId,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        seal(keyring, &owner(rule), self.reveal(), entropy)
    }

    /// Opens what [`Self::seal`] made, for the same rule under the same key.
    ///
    /// # Errors
    /// Another rule, another key, or a damaged column.
    pub fn open(sealed: &[u8], keyring: &Keyring, rule: OutboundPostbackId) -> Result<Self, SealError> {
        open(keyring, &owner(rule), sealed).map(Self)
    }

    fn sign(&self, parts: &[&[u8]]) -> hmac::Tag {
        let text = self.reveal().trim_start_matches(PREFIX);
        // A text that is no base64 was never made by us; its own bytes are as good a key as any.
        let key = BASE64.decode(text).map_or_else(|_| Zeroizing::new(text.as_bytes().to_vec()), Zeroizing::new);
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    }
}

/// No sealed token opens as the secret of a rule, nor the other way round.
fn owner(rule: OutboundPostbackId) -> Vec<u8> {
    [b"outbound".as_slice(), rule.uuid().as_bytes()].concat()
}

/// The header `webhook-signature`: one `v1` signature for each secret, the newest first.
pub fn header_signature(secrets: &[SigningSecret], id: &str, at: Timestamp, body: &str) -> String {
    let seconds = unix_seconds(at);
    let signature = |secret: &SigningSecret| {
        let tag = secret.sign(&[id.as_bytes(), b".", seconds.as_bytes(), b".", body.as_bytes()]);
        format!("v1,{}", BASE64.encode(tag))
    };
    secrets.iter().map(signature).collect::<Vec<_>>().join(" ")
}

/// The header `webhook-timestamp`: whole seconds since 1970.
pub fn unix_seconds(at: Timestamp) -> String {
    at.as_millis().div_euclid(1000).to_string()
}

/// The URL with `parameter` at its end: the signature of everything before it, in hexadecimal; of several secrets one
/// each, joined by a comma, the newest first.
pub fn signed_url(secrets: &[SigningSecret], url: &str, parameter: &str) -> String {
    let signature = |secret: &SigningSecret| hex::encode(secret.sign(&[url.as_bytes()]));
    let signatures = secrets.iter().map(signature).collect::<Vec<_>>().join(",");
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}{parameter}={signatures}")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::keyring::SeededEntropy;

    fn rule(number: u128) -> OutboundPostbackId {
        OutboundPostbackId::from_uuid(Uuid::from_u128(number))
    }

    /// The example of the specification, and of its libraries' own tests.
    #[test]
    fn a_post_is_signed_as_standard_webhooks_says() {
        let secret = SigningSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into());
        let at = Timestamp::from_millis(1_614_265_330_999);
        let signed = header_signature(
            std::slice::from_ref(&secret),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            at,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_two_secrets_hold_both_sign_and_the_newest_is_first() {
        let (new, old) =
            (SigningSecret::generate(&SeededEntropy::new(1)), SigningSecret::generate(&SeededEntropy::new(2)));
        let at = Timestamp::from_millis(0);
        let alone = |secret: &SigningSecret| header_signature(std::slice::from_ref(secret), "dlv_1", at, "{}");
        let both = header_signature(&[new.clone(), old.clone()], "dlv_1", at, "{}");
        assert_eq!(both, format!("{} {}", alone(&new), alone(&old)));
        let url = "https://pub.example/pb?c=1";
        let by = |secrets: &[SigningSecret]| signed_url(secrets, url, "sig").split_once("&sig=").unwrap().1.to_owned();
        let one = by(std::slice::from_ref(&new));
        assert_eq!((one.len(), by(&[new, old.clone()])), (64, format!("{one},{}", by(&[old]))));
        assert!(signed_url(&[], "https://pub.example/", "sig").ends_with("/?sig="));
    }

    #[test]
    fn a_secret_has_its_prefix_prints_nothing_and_opens_for_its_own_rule_only() {
        let entropy = SeededEntropy::new(1);
        let keyring = Keyring::generate(&entropy).unwrap();
        let secret = SigningSecret::generate(&entropy);
        let text = secret.reveal().to_owned();
        assert_eq!((text.len(), text.starts_with("whsec_")), (6 + 44, true));
        assert!(!format!("{secret:?}").contains(&text));
        let random = text.trim_start_matches("whsec_").trim_end_matches('=');
        assert_eq!(secret.hint(), format!("{}…{}", &random[..4], &random[random.len() - 4..]));
        let sealed = secret.seal(&keyring, rule(1), &entropy).unwrap();
        assert_eq!(SigningSecret::open(&sealed, &keyring, rule(1)).unwrap().reveal(), text);
        assert!(SigningSecret::open(&sealed, &keyring, rule(2)).is_err());
        assert!(SigningSecret::open(&sealed, &Keyring::generate(&entropy).unwrap(), rule(1)).is_err());
    }
}

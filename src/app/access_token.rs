//! Access tokens: short-lived proofs of a sign-in, signed with Ed25519 (JWT, RFC 7519; EdDSA, RFC 8037).
//!
//! One algorithm, one type (`at+jwt`, RFC 9068), keys only from our own set: nothing that a token says about itself
//! chooses how it is checked. Every claim is required and has one type. Time is the injected clock's: the library's
//! own time checks are off, because it reads the computer's. What the signature cannot know (is the operator still
//! active, did the session end?) is `authenticate.rs`'s question.
//!
//! The library brings no cryptography of its own (its features are off): [`PROVIDER`] gives it `ring`, which serves
//! TLS as well, so that there is one crypto stack and not the `rsa` crate.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};
use signature::{Signer, Verifier};
use uuid::Uuid;

use super::AppError;
use crate::domain::clock::{Entropy, Timestamp, random_bytes};
use crate::domain::ids::{OperatorId, SessionId};
use crate::domain::session::RefreshKeys;

/// How far the clocks of two servers may be apart before one refuses what the other just signed.
pub const LEEWAY_SECONDS: i64 = 5;
/// No token of ours is longer; a longer one is not looked at.
const TOKEN_BYTES_MAX: usize = 2048;
const TYPE: &str = "at+jwt";

/// The key that signs, and those beside it, which only verify: the one before it, and the one that comes next.
pub struct SigningKeys {
    current: SigningKey,
    beside: Vec<SigningKey>,
    refresh: RefreshKeys,
}

struct SigningKey {
    kid: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl SigningKeys {
    /// From Ed25519 seeds (RFC 8032). To rotate: the current one steps beside the new one; it may be dropped when the
    /// longest refresh token of its time has ended.
    ///
    /// # Errors
    /// The crypto library does not take a seed, which 32 bytes do not cause.
    pub fn from_seeds(current: &[u8; 32], beside: &[&[u8; 32]]) -> Result<Self, AppError> {
        install_provider();
        let refresh = RefreshKeys::from_seeds(current, beside);
        let beside = beside.iter().map(|seed| SigningKey::new(seed)).collect::<Result<_, _>>()?;
        Ok(Self { current: SigningKey::new(current)?, beside, refresh })
    }

    /// Keys that nothing else shares, for one run: tests and benches.
    ///
    /// # Errors
    /// As of [`Self::from_seeds`].
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, AppError> {
        Self::from_seeds(&Zeroizing::new(random_bytes(entropy)), &[])
    }

    /// What refresh tokens are proved with; from the same seeds.
    pub fn refresh(&self) -> &RefreshKeys {
        &self.refresh
    }

    fn by_kid(&self, kid: &str) -> Option<&SigningKey> {
        std::iter::once(&self.current).chain(&self.beside).find(|key| key.kid == kid)
    }
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let beside: Vec<_> = self.beside.iter().map(|key| key.kid.as_str()).collect();
        f.debug_struct("SigningKeys").field("current", &self.current.kid).field("beside", &beside).finish()
    }
}

impl SigningKey {
    fn new(seed: &[u8; 32]) -> Result<Self, AppError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|rejected| AppError::Internal(format!("a session key is not usable: {rejected}")))?;
        let public = pair.public_key().as_ref();
        let kid = blake3::hash(public).to_hex().chars().take(16).collect();
        Ok(Self { kid, encoding: EncodingKey::from_ed_der(seed), decoding: DecodingKey::from_ed_der(public) })
    }
}

/// Who signed in, as a token says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessGrant {
    pub operator: OperatorId,
    pub session: SessionId,
    /// The operator's `token_version` when it was issued.
    pub token_version: i32,
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefused {
    /// Not ours, not whole, or not valid yet.
    Invalid,
    /// Ours, and past its end.
    Expired,
}

/// Signs and believes access tokens.
#[derive(Debug)]
pub struct AccessTokens {
    pub keys: SigningKeys,
    /// The claim `iss`.
    pub issuer: String,
    /// The claim `aud`.
    pub audience: String,
    /// How long a token lives.
    pub access_seconds: u32,
}

impl AccessTokens {
    /// A token for `grant` that begins at `now`.
    ///
    /// # Errors
    /// The crypto library did not sign.
    pub fn issue(&self, grant: AccessGrant, now: Timestamp, entropy: &dyn Entropy) -> Result<SecretString, AppError> {
        let issued = seconds(now);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: grant.operator.to_string(),
            sid: grant.session.to_string(),
            ver: grant.token_version,
            iat: issued,
            nbf: issued,
            exp: issued.saturating_add(i64::from(self.access_seconds)),
            jti: Uuid::from_bytes(random_bytes(entropy)).as_simple().to_string(),
        };
        let key = &self.keys.current;
        let header = Header { kid: Some(key.kid.clone()), typ: Some(TYPE.to_owned()), ..Header::new(Algorithm::EdDSA) };
        let text = jsonwebtoken::encode(&header, &claims, &key.encoding);
        text.map(SecretString::from).map_err(|error| AppError::Internal(format!("no access token was signed: {error}")))
    }

    /// Believes a token that is whole, ours and of this time.
    ///
    /// # Errors
    /// What is wrong, as far as the caller may know it.
    pub fn verify(&self, text: &str, now: Timestamp) -> Result<AccessGrant, TokenRefused> {
        let claims = self.signed_claims(text).ok_or(TokenRefused::Invalid)?;
        let grant = claims.grant().ok_or(TokenRefused::Invalid)?;
        let now = seconds(now);
        if claims.iat.max(claims.nbf) > now.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenRefused::Invalid);
        }
        if now >= claims.exp.saturating_add(LEEWAY_SECONDS) { Err(TokenRefused::Expired) } else { Ok(grant) }
    }

    fn signed_claims(&self, text: &str) -> Option<Claims> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let header = jsonwebtoken::decode_header(text).ok()?;
        if header.typ.as_deref() != Some(TYPE) || header.crit.is_some() {
            return None;
        }
        let key = self.keys.by_kid(header.kid.as_deref()?)?;
        let token = jsonwebtoken::decode::<Claims>(text, &key.decoding, &self.validation()).ok()?;
        Some(token.claims)
    }

    /// Without a required claim the library lets one of a wrong type through.
    fn validation(&self) -> Validation {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation
    }
}

/// Every field is required and of this type: a missing or another one makes the token invalid.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The operator's opaque id.
    sub: String,
    /// The session's opaque id.
    sid: String,
    /// The operator's `token_version`.
    ver: i32,
    /// Seconds since 1970, as the next two.
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

impl Claims {
    fn grant(&self) -> Option<AccessGrant> {
        let (operator, session) = (OperatorId::parse(&self.sub)?, SessionId::parse(&self.sid)?);
        (!self.jti.is_empty()).then_some(AccessGrant { operator, session, token_version: self.ver })
    }
}

fn seconds(instant: Timestamp) -> i64 {
    instant.as_millis().div_euclid(1000)
}

/// jsonwebtoken on `ring`, EdDSA only.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: ring_signer,
    verifier_factory: ring_verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

fn install_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // Whoever was first gave the library its provider for good. Nobody but this function does.
        let _ = PROVIDER.install_default();
    });
}

fn ring_signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, JwtError> {
    if *algorithm != Algorithm::EdDSA {
        return Err(ErrorKind::UnsupportedAlgorithm.into());
    }
    let pair = Ed25519KeyPair::from_seed_unchecked(key.as_bytes()).map_err(|_| ErrorKind::InvalidEddsaKey)?;
    Ok(Box::new(RingSigner(pair)))
}

fn ring_verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, JwtError> {
    if *algorithm != Algorithm::EdDSA {
        return Err(ErrorKind::UnsupportedAlgorithm.into());
    }
    Ok(Box::new(RingVerifier(UnparsedPublicKey::new(&ED25519, key.try_get_as_bytes()?.to_vec()))))
}

struct RingSigner(Ed25519KeyPair);

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct RingVerifier(UnparsedPublicKey<Vec<u8>>);

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.0.verify(message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::keyring::SeededEntropy;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const SEED: [u8; 32] = [7; 32];

    fn tokens_of(current: &[u8; 32], beside: &[&[u8; 32]]) -> AccessTokens {
        AccessTokens {
            keys: SigningKeys::from_seeds(current, beside).unwrap(),
            issuer: "roundtrip".into(),
            audience: "roundtrip-admin".into(),
            access_seconds: 900,
        }
    }

    fn tokens() -> AccessTokens {
        tokens_of(&SEED, &[])
    }

    fn grant() -> AccessGrant {
        AccessGrant {
            operator: OperatorId::from_uuid(Uuid::from_u128(1)),
            session: SessionId::from_uuid(Uuid::from_u128(2)),
            token_version: 3,
        }
    }

    fn issued(tokens: &AccessTokens) -> String {
        tokens.issue(grant(), NOW, &SeededEntropy::new(1)).unwrap().expose_secret().to_owned()
    }

    fn good_claims() -> Value {
        let second = NOW.as_millis() / 1000;
        json!({
            "iss": "roundtrip", "aud": "roundtrip-admin", "sub": grant().operator.to_string(),
            "sid": grant().session.to_string(), "ver": 3, "iat": second, "nbf": second, "exp": second + 900,
            "jti": "1",
        })
    }

    fn good_header(tokens: &AccessTokens) -> Value {
        json!({"alg": "EdDSA", "typ": TYPE, "kid": tokens.keys.current.kid})
    }

    /// Signed with our own key, whatever header and claims say.
    fn signed(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| base64url(value.to_string().as_bytes());
        let message = format!("{}.{}", part(header), part(claims));
        let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
        format!("{message}.{}", base64url(pair.sign(message.as_bytes()).as_ref()))
    }

    fn base64url(bytes: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let word = (0..3).fold(0_u32, |word, place| word << 8 | u32::from(*chunk.get(place).unwrap_or(&0)));
            for place in 0..=chunk.len() {
                let digit = usize::try_from(word >> (18 - 6 * place) & 63).unwrap();
                text.push(char::from(ALPHABET[digit]));
            }
        }
        text
    }

    fn with(value: &Value, key: &str, new: Value) -> Value {
        let mut changed = value.clone();
        changed[key] = new;
        changed
    }

    fn without(value: &Value, key: &str) -> Value {
        let mut changed = value.clone();
        changed.as_object_mut().unwrap().remove(key);
        changed
    }

    #[test]
    fn a_token_is_believed_and_says_who_signed_in() {
        let tokens = tokens();
        assert_eq!(tokens.verify(&issued(&tokens), NOW), Ok(grant()));
        assert_eq!(tokens.verify(&signed(&good_header(&tokens), &good_claims()), NOW), Ok(grant()));
        assert_ne!(issued(&tokens), tokens.issue(grant(), NOW, &SeededEntropy::new(2)).unwrap().expose_secret());
    }

    #[test]
    fn a_token_ends_and_begins_within_the_leeway() {
        let tokens = tokens();
        let text = issued(&tokens);
        for (seconds, verdict) in [
            (-LEEWAY_SECONDS - 1, Err(TokenRefused::Invalid)),
            (-LEEWAY_SECONDS, Ok(grant())),
            (900 + LEEWAY_SECONDS - 1, Ok(grant())),
            (900 + LEEWAY_SECONDS, Err(TokenRefused::Expired)),
        ] {
            assert_eq!(tokens.verify(&text, NOW.plus_seconds(seconds)), verdict, "{seconds}");
        }
        let early = with(&good_claims(), "nbf", json!(NOW.as_millis() / 1000 + 60));
        assert_eq!(tokens.verify(&signed(&good_header(&tokens), &early), NOW), Err(TokenRefused::Invalid));
        let ahead = with(&good_claims(), "iat", json!(NOW.as_millis() / 1000 + 60));
        assert_eq!(tokens.verify(&signed(&good_header(&tokens), &ahead), NOW), Err(TokenRefused::Invalid));
    }

    #[test]
    fn every_claim_is_required_and_has_one_type() {
        let (tokens, claims) = (tokens(), good_claims());
        let header = good_header(&tokens);
        for name in ["iss", "aud", "sub", "sid", "ver", "iat", "nbf", "exp", "jti"] {
            let refused = Err(TokenRefused::Invalid);
            assert_eq!(tokens.verify(&signed(&header, &without(&claims, name)), NOW), refused, "without {name}");
            let claim = &claims[name];
            let quoted = claim.as_i64().map_or_else(|| json!([claim]), |number| json!(number.to_string()));
            for wrong in [Value::Null, json!({}), json!(true), json!(1.5), quoted] {
                let text = signed(&header, &with(&claims, name, wrong.clone()));
                assert_eq!(tokens.verify(&text, NOW), refused, "{name} = {wrong}");
            }
        }
    }

    #[test]
    fn a_token_for_somebody_else_is_refused() {
        let (tokens, claims) = (tokens(), good_claims());
        let header = good_header(&tokens);
        for (name, value) in [
            ("iss", json!("other")),
            ("iss", json!("Roundtrip")),
            ("aud", json!("roundtrip")),
            ("aud", json!(["roundtrip-admin", "other"])),
            ("sub", json!("ses_00000000000000000000000000000001")),
            ("sid", json!("opr_00000000000000000000000000000001")),
            ("jti", json!("")),
        ] {
            let text = signed(&header, &with(&claims, name, value.clone()));
            assert_eq!(tokens.verify(&text, NOW), Err(TokenRefused::Invalid), "{name} = {value}");
        }
    }

    #[test]
    fn a_header_chooses_neither_algorithm_nor_type_nor_a_key_of_its_own() {
        let (tokens, claims) = (tokens(), good_claims());
        let header = good_header(&tokens);
        for (name, value) in [
            ("alg", json!("none")),
            ("alg", json!("None")),
            ("alg", json!("HS256")),
            ("alg", json!("ES256")),
            ("alg", Value::Null),
            ("typ", json!("JWT")),
            ("typ", Value::Null),
            ("kid", json!("0123456789abcdef")),
            ("kid", json!("")),
            ("kid", Value::Null),
            ("crit", json!(["exp"])),
        ] {
            let text = signed(&with(&header, name, value.clone()), &claims);
            assert_eq!(tokens.verify(&text, NOW), Err(TokenRefused::Invalid), "{name} = {value}");
        }
        for name in ["alg", "typ", "kid"] {
            let text = signed(&without(&header, name), &claims);
            assert_eq!(tokens.verify(&text, NOW), Err(TokenRefused::Invalid), "without {name}");
        }
    }

    #[test]
    fn alg_none_without_a_signature_is_refused() {
        let tokens = tokens();
        let header = with(&good_header(&tokens), "alg", json!("none"));
        let text = signed(&header, &good_claims());
        let unsigned = &text[..=text.rfind('.').unwrap()];
        assert_eq!(tokens.verify(unsigned, NOW), Err(TokenRefused::Invalid));
        assert_eq!(tokens.verify(unsigned.trim_end_matches('.'), NOW), Err(TokenRefused::Invalid));
    }

    #[test]
    fn hs256_with_the_public_key_as_secret_is_refused() {
        let tokens = tokens();
        let header = with(&good_header(&tokens), "alg", json!("HS256"));
        let text = signed(&header, &good_claims());
        let message = &text[..text.rfind('.').unwrap()];
        let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, pair.public_key().as_ref());
        let forged = format!("{message}.{}", base64url(ring::hmac::sign(&key, message.as_bytes()).as_ref()));
        assert_eq!(tokens.verify(&forged, NOW), Err(TokenRefused::Invalid));
    }

    #[test]
    fn a_changed_cut_or_endless_token_is_refused() {
        let tokens = tokens();
        let text = issued(&tokens);
        let parts: Vec<&str> = text.split('.').collect();
        let other = signed(&good_header(&tokens), &with(&good_claims(), "ver", json!(4)));
        let moved = format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2]);
        let long = format!("{text}{}", "A".repeat(TOKEN_BYTES_MAX));
        for wrong in [&moved, &text[..text.len() - 2], &text[1..], "", ".", "..", "a.b.c", &format!("{text}.x"), &long]
        {
            assert_eq!(tokens.verify(wrong, NOW), Err(TokenRefused::Invalid), "{wrong}");
        }
    }

    #[test]
    fn the_keys_beside_the_current_one_verify_and_no_other_does() {
        let text = issued(&tokens());
        assert_eq!(tokens_of(&[8; 32], &[&SEED]).verify(&text, NOW), Ok(grant()));
        assert_eq!(tokens_of(&[7; 32], &[&[8; 32], &[6; 32]]).verify(&text, NOW), Ok(grant()));
        assert_eq!(tokens_of(&[9; 32], &[&[8; 32]]).verify(&text, NOW), Err(TokenRefused::Invalid));
        let rotated = issued(&tokens_of(&[8; 32], &[&SEED]));
        assert_eq!(tokens().verify(&rotated, NOW), Err(TokenRefused::Invalid));
        assert_eq!(tokens_of(&SEED, &[&[8; 32]]).verify(&rotated, NOW), Ok(grant()), "prepared for what comes next");
    }

    #[test]
    fn keys_print_their_names_only() {
        let printed = format!("{:?}", tokens_of(&[8; 32], &[&SEED]));
        assert!(!printed.contains("[7, 7") && printed.contains("SigningKeys"), "{printed}");
    }
}

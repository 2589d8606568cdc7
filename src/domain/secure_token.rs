//! Secure tokens: the secret behind the wire parameter `secure`, what it may do, and how it is replaced.
//!
//! A token is looked up by the SHA-256 digest of its text. The text itself is kept sealed at most, so that
//! "copy the Postback URL" works on a later day, and is in clear only inside a [`PlainToken`], between its
//! making or opening and [`PlainToken::reveal`]. An imported secret of another system is taken as it is.
//!
//! Rotation and retirement are pure functions over the tokens of one scope. They refuse what would cut off
//! a sender by accident: a second rotation inside an open overlap (a double click), a sixth live token, an
//! end for the last active one. They do not know about rows: whoever calls them writes both tokens in one
//! transaction, under the version that was read, or two rotations at once would each see the other's past.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::clock::{Entropy, Timestamp};
use super::ids::{OfferId, TokenId};
use super::keyring::Keyring;
use super::privacy::{PrivateAddress, hash_address};
use super::sealing::{SealError, open, seal};
use super::secret_text;

/// Live tokens per offer, and live global ones.
pub const LIVE_TOKENS_MAX: usize = 5;

/// The longest overlap of a rotation: 30 days.
pub const OVERLAP_SECONDS_MAX: u32 = 30 * 24 * 3600;

/// The overlap where none is asked for: 24 hours.
pub const OVERLAP_SECONDS_DEFAULT: u32 = 24 * 3600;

/// Characters of an imported secret, both ends included.
pub const IMPORTED_CHARACTERS: std::ops::RangeInclusive<usize> = 8..=128;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenScope {
    /// Every offer.
    Global,
    /// This one.
    Offer(OfferId),
}

impl TokenScope {
    /// May a token of this scope speak about `offer`? Check 6 of a conversion.
    pub fn covers(self, offer: OfferId) -> bool {
        match self {
            Self::Global => true,
            Self::Offer(own) => own == offer,
        }
    }

    /// `global` or `offer`: the column beside the offer's number.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Offer(_) => "offer",
        }
    }

    pub const fn offer(self) -> Option<OfferId> {
        match self {
            Self::Global => None,
            Self::Offer(offer) => Some(offer),
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Global => GLOBAL_PREFIX,
            Self::Offer(_) => OFFER_PREFIX,
        }
    }
}

/// One thing that a sender may do with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    Convert,
    Reject,
    Clickless,
    Status,
}

impl Capability {
    pub const ALL: [Self; 4] = [Self::Convert, Self::Reject, Self::Clickless, Self::Status];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Convert => "convert",
            Self::Reject => "reject",
            Self::Clickless => "clickless",
            Self::Status => "status",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.as_str() == text)
    }

    const fn bit(self) -> i16 {
        match self {
            Self::Convert => 1,
            Self::Reject => 2,
            Self::Clickless => 4,
            Self::Status => 8,
        }
    }
}

/// A set of capabilities; a small integer in the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(i16);

impl Capabilities {
    pub const NONE: Self = Self(0);

    /// What a new token has unless more is asked for: convert and reject.
    pub const STANDARD: Self = Self::NONE.with(Capability::Convert).with(Capability::Reject);

    /// `None` when a bit is set that no capability has.
    pub const fn from_bits(bits: i16) -> Option<Self> {
        if bits >= 0 && bits < 16 { Some(Self(bits)) } else { None }
    }

    pub const fn bits(self) -> i16 {
        self.0
    }

    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | capability.bit())
    }

    pub const fn has(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |&capability| self.has(capability))
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.iter().map(Capability::as_str)
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        capabilities.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Where a token is in its life. `Retired` is never stored: a retiring token becomes it when its time comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenState {
    Active,
    /// Works until `retiring_until`.
    Retiring,
    /// Its overlap is over.
    Retired,
    Revoked,
}

impl TokenState {
    pub const ALL: [Self; 4] = [Self::Active, Self::Retiring, Self::Retired, Self::Revoked];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Does a request with such a token get past check 3?
    pub const fn is_live(self) -> bool {
        match self {
            Self::Active | Self::Retiring => true,
            Self::Retired | Self::Revoked => false,
        }
    }
}

/// SHA-256 of a token's text: the look-up key. Holds nothing that a sender could use.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

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

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

/// A token in clear. It prints as nothing; [`Self::reveal`] is the only way out.
#[derive(Clone, Debug)]
pub struct PlainToken(SecretString);

impl PlainToken {
    /// A new token: prefix, 30 characters by chance (178 bits), 6 characters of CRC32 over all before them.
    pub fn generate(scope: TokenScope, entropy: &dyn Entropy) -> Self {
        Self(secret_text::generate(scope.prefix(), entropy).into())
    }

    /// Takes a secret of another system as it is, in exact case: 8 to 128 visible ASCII characters.
    pub fn import(text: &str) -> Result<Self, ImportRefused> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ImportRefused::NotVisibleAscii);
        }
        match text.len() {
            length if length < *IMPORTED_CHARACTERS.start() => Err(ImportRefused::TooShort { length }),
            length if length > *IMPORTED_CHARACTERS.end() => Err(ImportRefused::TooLong { length }),
            _ => Ok(Self(text.into())),
        }
    }

    /// The text in clear, for the one answer that shows it.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.reveal())
    }

    /// What a person recognises it by: `zjjH…xN95`, the ends of the random part. Of an imported secret at
    /// most a third is shown, and never more than four characters of each end.
    pub fn hint(&self) -> String {
        let text = self.reveal();
        if checksum_ok(text) {
            return secret_text::hint(text);
        }
        let shown = (text.len() / 6).min(4);
        format!("{}…{}", &text[..shown], &text[text.len() - shown..])
    }

    /// Seals the text for the column. It opens only for the row `id`, so that a sealed text copied to another row is
    /// worth nothing.
    pub fn seal(&self, keyring: &Keyring, id: TokenId, entropy: &dyn Entropy) -> Result<Vec<u8>, SealError> {
        seal(keyring, id.uuid().as_bytes(), self.reveal(), entropy)
    }

    /// Opens what [`Self::seal`] made, for the same row under the same key.
    pub fn open(sealed: &[u8], keyring: &Keyring, id: TokenId) -> Result<Self, SealError> {
        open(keyring, id.uuid().as_bytes(), sealed).map(Self)
    }
}

/// Why a secret of another system is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportRefused {
    TooShort {
        length: usize,
    },
    TooLong {
        length: usize,
    },
    /// White space, control characters, or anything beyond ASCII: it would not survive a URL.
    NotVisibleAscii,
}

/// Is `text` a token of our form whose checksum is right? Needs no key and no database, so that a scanner
/// for leaked secrets, or a person on the telephone, can tell a token from a typo.
pub fn checksum_ok(text: &str) -> bool {
    secret_text::is_whole(text, GLOBAL_PREFIX) || secret_text::is_whole(text, OFFER_PREFIX)
}

/// A token as it is stored, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecureToken {
    pub id: TokenId,
    pub digest: TokenDigest,
    pub scope: TokenScope,
    pub capabilities: Capabilities,
    /// As stored: ask [`Self::effective_state`] or [`Self::live_at`] what it means now.
    pub state: TokenState,
    /// The first instant at which it is refused. Only on a retiring token.
    pub retiring_until: Option<Timestamp>,
    /// Networks it may come from; empty lets all in.
    pub allowed_addresses: Vec<IpNet>,
    /// Answer 200 with `ok:false` where a refusal after check 4 would be a 4xx.
    pub lenient_status: bool,
    /// A secret of another system: as weak as that one made it.
    pub imported: bool,
    /// For optimistic locking; every change adds 1.
    pub version: i32,
    /// The token that a rotation made of this one.
    pub replaced_by: Option<TokenId>,
}

impl SecureToken {
    /// A new active token with standard settings; the rest is set by field.
    pub fn new(id: TokenId, digest: TokenDigest, scope: TokenScope, capabilities: Capabilities) -> Self {
        Self {
            id,
            digest,
            scope,
            capabilities,
            state: TokenState::Active,
            retiring_until: None,
            allowed_addresses: Vec::new(),
            lenient_status: false,
            imported: false,
            version: 1,
            replaced_by: None,
        }
    }

    /// The state at `now`: a retiring token without an end, or past it, is retired.
    pub fn effective_state(&self, now: Timestamp) -> TokenState {
        match self.state {
            TokenState::Retiring if self.retiring_until.is_some_and(|end| now < end) => TokenState::Retiring,
            TokenState::Retiring | TokenState::Retired => TokenState::Retired,
            TokenState::Active => TokenState::Active,
            TokenState::Revoked => TokenState::Revoked,
        }
    }

    /// Active, or retiring and before its end: at exactly `retiring_until` it is refused.
    pub fn live_at(&self, now: Timestamp) -> bool {
        self.effective_state(now).is_live()
    }

    /// May a request come from `address`? An IPv4 address is the same one when it is written inside IPv6.
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed_addresses.is_empty() || self.allowed_addresses.iter().any(|net| canonical(*net).contains(&address))
    }

    /// As [`Self::admits`], of an address that is kept in its private form: where the list has its whole network, or
    /// exactly it. What lies between cannot be told.
    pub fn admits_private(&self, sender: &PrivateAddress, keyring: &Keyring) -> bool {
        let network = sender.network.parse::<IpNet>().ok();
        let admits = |allowed: IpNet| {
            let is_one = allowed.prefix_len() == allowed.max_prefix_len();
            network.is_some_and(|network| allowed.contains(&network))
                || is_one && hash_address(keyring, allowed.addr()) == sender.hash
        };
        self.allowed_addresses.is_empty() || self.allowed_addresses.iter().any(|allowed| admits(canonical(*allowed)))
    }

    /// Every advertiser holds the same global secret, and clickless needs no click: to be warned about.
    pub fn is_clickless_for_all(&self) -> bool {
        self.scope == TokenScope::Global && self.capabilities.has(Capability::Clickless)
    }
}

/// Reads one entry of a token's list of addresses: an address, or a network with its prefix length.
pub fn parse_allowed_address(text: &str) -> Option<IpNet> {
    let text = text.trim_ascii();
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    Some(canonical(net).trunc())
}

/// What is asked of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// How long the old token goes on working: 0 ends it at once, 30 days at most.
    pub overlap_seconds: u32,
    /// Rotate although an overlap is open.
    pub force: bool,
}

/// Both tokens as they are to be written, in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationPlan {
    /// The old token: retiring, linked to the new one, one version on.
    pub old: SecureToken,
    /// The new one: active, same scope, capabilities, addresses and lenience; never imported.
    pub new: SecureToken,
}

impl RotationPlan {
    /// The first instant at which the old token is refused.
    pub fn retiring_until(&self) -> Option<Timestamp> {
        self.old.retiring_until
    }
}

/// Why a token is not rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationRefused {
    /// Revoked, or its end has come: make a new token instead.
    NotActive,
    /// An overlap is open until then: a second rotation could cut off the secret that senders use.
    RotationOpen { until: Timestamp },
    /// More than 30 days.
    OverlapTooLong,
    /// There would be a sixth live token in this scope.
    LimitExceeded,
}

/// Rotates `old`: the new token begins, the old one ends after the overlap.
///
/// `siblings` are all tokens of the same scope, in any state; `old` may be among them. A rotation is open
/// while `old` itself is retiring, or while a live token was replaced by `old`: in both cases senders are
/// on their way from one secret to another. `force` goes on all the same; then an `old` that was retiring
/// gets the new end and is linked to the new token, and the token of the first rotation stays active.
/// With an overlap of 0 the old token makes room for the new one, so five live tokens are no obstacle.
pub fn rotate(
    old: &SecureToken,
    siblings: &[SecureToken],
    rotation: Rotation,
    new: (TokenId, TokenDigest),
    now: Timestamp,
) -> Result<RotationPlan, RotationRefused> {
    if !old.live_at(now) {
        return Err(RotationRefused::NotActive);
    }
    if rotation.overlap_seconds > OVERLAP_SECONDS_MAX {
        return Err(RotationRefused::OverlapTooLong);
    }
    if let Some(until) = open_overlap(old, siblings, now).filter(|_| !rotation.force) {
        return Err(RotationRefused::RotationOpen { until });
    }
    let others = siblings.iter().filter(|token| token.id != old.id && token.live_at(now)).count();
    let staying = if rotation.overlap_seconds == 0 { others } else { others + 1 };
    if staying >= LIVE_TOKENS_MAX {
        return Err(RotationRefused::LimitExceeded);
    }
    let end = now.plus_seconds(i64::from(rotation.overlap_seconds));
    Ok(RotationPlan { old: retire(old, end, Some(new.0)), new: succeed(old, new) })
}

/// Why no further token is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitExceeded;

/// May one more token be made beside `siblings`, which are all tokens of its scope in any state?
pub fn may_create(siblings: &[SecureToken], now: Timestamp) -> Result<(), LimitExceeded> {
    let live = siblings.iter().filter(|token| token.live_at(now)).count();
    if live < LIVE_TOKENS_MAX { Ok(()) } else { Err(LimitExceeded) }
}

/// Why a token does not get that end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndRefused {
    /// Revoked, or its end has come: what was refused once is not let in again.
    NotActive,
    /// The last active token of its scope: rotate it instead.
    LastActive,
    /// Before now. Exactly now ends the token at once.
    InThePast,
    /// More than 30 days from now.
    OverlapTooLong,
}

/// Gives `token` another end, earlier or later. An active token begins to retire by this, unless it is the
/// last active one among `siblings` (all tokens of its scope, in any state).
pub fn set_end(
    token: &SecureToken,
    siblings: &[SecureToken],
    end: Timestamp,
    now: Timestamp,
) -> Result<SecureToken, EndRefused> {
    let another_active = siblings.iter().any(|other| other.id != token.id && other.state == TokenState::Active);
    match token.effective_state(now) {
        TokenState::Retired | TokenState::Revoked => return Err(EndRefused::NotActive),
        TokenState::Active if !another_active => return Err(EndRefused::LastActive),
        TokenState::Active | TokenState::Retiring => {}
    }
    if end < now {
        return Err(EndRefused::InThePast);
    }
    if end > now.plus_seconds(i64::from(OVERLAP_SECONDS_MAX)) {
        return Err(EndRefused::OverlapTooLong);
    }
    Ok(retire(token, end, token.replaced_by))
}

/// Ends `token` at once and for ever. Always allowed: a leaked secret must go, the last one too.
#[must_use]
pub fn revoke(token: &SecureToken) -> SecureToken {
    let version = token.version.saturating_add(1);
    SecureToken { state: TokenState::Revoked, retiring_until: None, version, ..token.clone() }
}

const GLOBAL_PREFIX: &str = "rt_g_";
const OFFER_PREFIX: &str = "rt_o_";

fn open_overlap(token: &SecureToken, siblings: &[SecureToken], now: Timestamp) -> Option<Timestamp> {
    let open = |old: &SecureToken| match old.effective_state(now) {
        TokenState::Retiring => old.retiring_until,
        TokenState::Active | TokenState::Retired | TokenState::Revoked => None,
    };
    let predecessors = siblings.iter().filter(|other| other.replaced_by == Some(token.id));
    predecessors.chain([token]).filter_map(open).max()
}

fn retire(token: &SecureToken, end: Timestamp, replaced_by: Option<TokenId>) -> SecureToken {
    let version = token.version.saturating_add(1);
    SecureToken { state: TokenState::Retiring, retiring_until: Some(end), version, replaced_by, ..token.clone() }
}

fn succeed(old: &SecureToken, (id, digest): (TokenId, TokenDigest)) -> SecureToken {
    SecureToken {
        allowed_addresses: old.allowed_addresses.clone(),
        lenient_status: old.lenient_status,
        ..SecureToken::new(id, digest, old.scope, old.capabilities)
    }
}

/// A network of IPv4 addresses written inside IPv6 becomes the IPv4 network.
fn canonical(net: IpNet) -> IpNet {
    match (net.addr().to_canonical(), net.prefix_len().checked_sub(96)) {
        (address @ IpAddr::V4(_), Some(prefix)) if net.addr().is_ipv6() => IpNet::new(address, prefix).unwrap_or(net),
        (IpAddr::V4(_) | IpAddr::V6(_), _) => net,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::keyring::SeededEntropy;

    const NOW: Timestamp = Timestamp::from_millis(1_795_344_000_000);
    const DAY: i64 = 24 * 3600;

    fn token(number: u128) -> SecureToken {
        let scope = TokenScope::Offer(OfferId::new(42).unwrap());
        SecureToken::new(id(number), TokenDigest::of(&number.to_string()), scope, Capabilities::STANDARD)
    }

    fn retiring(number: u128, until: Timestamp, replaced_by: u128) -> SecureToken {
        retire(&token(number), until, Some(id(replaced_by)))
    }

    fn id(number: u128) -> TokenId {
        TokenId::from_uuid(Uuid::from_u128(number))
    }

    fn rotate_to_99(
        old: &SecureToken,
        siblings: &[SecureToken],
        overlap_seconds: u32,
        force: bool,
    ) -> Result<RotationPlan, RotationRefused> {
        rotate(old, siblings, Rotation { overlap_seconds, force }, (id(99), TokenDigest::of("new")), NOW)
    }

    #[test]
    fn a_generated_token_has_its_prefix_its_length_and_a_right_checksum() {
        let entropy = SeededEntropy::new(1);
        for (scope, prefix) in [(TokenScope::Global, "rt_g_"), (token(1).scope, "rt_o_")] {
            let plain = PlainToken::generate(scope, &entropy);
            assert!(plain.reveal().starts_with(prefix));
            assert_eq!(plain.reveal().len(), 41);
            assert!(checksum_ok(plain.reveal()));
            assert_eq!(plain.digest(), TokenDigest::of(plain.reveal()));
        }
        assert_ne!(
            PlainToken::generate(TokenScope::Global, &entropy).reveal(),
            PlainToken::generate(TokenScope::Global, &entropy).reveal()
        );
    }

    #[test]
    fn a_checksum_catches_a_typo_and_another_form() {
        let plain = PlainToken::generate(TokenScope::Global, &SeededEntropy::new(1));
        let text = plain.reveal();
        for place in 0..text.len() {
            let other = if &text[place..=place] == "x" { "y" } else { "x" };
            assert!(!checksum_ok(&format!("{}{other}{}", &text[..place], &text[place + 1..])), "place {place}");
        }
        for wrong in ["", "rt_g_", "é", "aaaaaaaaaaaaaaaé", &text[..40], &format!("{text}0"), &text.to_lowercase()] {
            assert!(!checksum_ok(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_hint_shows_the_ends_and_of_a_short_secret_less() {
        let hint = |text: &str| PlainToken::import(text).unwrap().hint();
        assert_eq!(hint("abcdefgh"), "a…h");
        assert_eq!(hint("abcdefghijklmn"), "ab…mn");
        assert_eq!(hint(&"abcdefgh".repeat(16)), "abcd…efgh");
        let plain = PlainToken::generate(TokenScope::Global, &SeededEntropy::new(1));
        assert_eq!(plain.hint(), format!("{}…{}", &plain.reveal()[5..9], &plain.reveal()[31..35]));
    }

    #[test]
    fn an_imported_secret_is_taken_as_it_is_from_8_to_128_visible_characters() {
        assert_eq!(PlainToken::import("zJj~/+=&%?Hq14").unwrap().reveal(), "zJj~/+=&%?Hq14");
        assert_eq!(PlainToken::import(&"a".repeat(7)).err(), Some(ImportRefused::TooShort { length: 7 }));
        assert!(PlainToken::import(&"a".repeat(8)).is_ok());
        assert!(PlainToken::import(&"a".repeat(128)).is_ok());
        assert_eq!(PlainToken::import(&"a".repeat(129)).err(), Some(ImportRefused::TooLong { length: 129 }));
        for text in ["with space", "tab\tinside", "umläute-sind-da", "newline-at-end\n", "        "] {
            assert_eq!(PlainToken::import(text).err(), Some(ImportRefused::NotVisibleAscii), "{text}");
        }
    }

    #[test]
    fn a_sealed_text_opens_for_its_own_row_under_its_own_key_only() {
        let entropy = SeededEntropy::new(1);
        let keyring = Keyring::generate(&entropy).unwrap();
        let plain = PlainToken::generate(TokenScope::Global, &entropy);
        let sealed = plain.seal(&keyring, id(1), &entropy).unwrap();
        assert_eq!(PlainToken::open(&sealed, &keyring, id(1)).unwrap().reveal(), plain.reveal());
        assert_eq!(sealed.len(), 24 + 41 + 16);
        assert_ne!(sealed, plain.seal(&keyring, id(1), &entropy).unwrap());
        assert_eq!(PlainToken::open(&sealed, &keyring, id(2)).err(), Some(SealError));
        assert_eq!(PlainToken::open(&sealed, &Keyring::generate(&entropy).unwrap(), id(1)).err(), Some(SealError));
        assert_eq!(PlainToken::open(&sealed[..23], &keyring, id(1)).err(), Some(SealError));
        for place in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[place] ^= 1;
            assert_eq!(PlainToken::open(&damaged, &keyring, id(1)).err(), Some(SealError), "byte {place}");
        }
    }

    #[test]
    fn a_token_prints_nothing_of_itself() {
        let plain = PlainToken::generate(TokenScope::Global, &SeededEntropy::new(1));
        assert!(!format!("{plain:?}").contains("rt_g_"));
        assert_eq!(format!("{:?}", plain.digest()), "TokenDigest(..)");
    }

    #[test]
    fn capabilities_are_a_set_of_known_bits() {
        assert_eq!(Capabilities::STANDARD.names().collect::<Vec<_>>(), ["convert", "reject"]);
        let all: Capabilities = Capability::ALL.into_iter().collect();
        assert_eq!((all.bits(), Capabilities::from_bits(15)), (15, Some(all)));
        assert_eq!((Capabilities::from_bits(16), Capabilities::from_bits(-1)), (None, None));
        for capability in Capability::ALL {
            assert_eq!(Capability::parse(capability.as_str()), Some(capability));
            assert!(all.has(capability) && !Capabilities::NONE.has(capability));
        }
    }

    #[test]
    fn a_retiring_token_is_refused_from_its_end_on() {
        let (end, old) = (NOW.plus_seconds(DAY), retiring(1, NOW.plus_seconds(DAY), 2));
        for (millis, state) in [(-1, TokenState::Retiring), (0, TokenState::Retired), (1, TokenState::Retired)] {
            let at = end.plus_millis(millis);
            assert_eq!((old.effective_state(at), old.live_at(at)), (state, state.is_live()), "{millis} ms");
        }
        let endless = SecureToken { retiring_until: None, ..old };
        assert!(!endless.live_at(NOW));
        assert!(token(1).live_at(NOW) && !revoke(&token(1)).live_at(NOW));
    }

    #[test]
    fn an_address_list_admits_its_networks_in_either_spelling_and_an_empty_one_all() {
        let mut guarded = token(1);
        assert!(guarded.admits("2001:db8::1".parse().unwrap()));
        let list = ["203.0.113.0/24", "::ffff:198.51.100.7", "2001:db8:1::/48"];
        guarded.allowed_addresses = list.map(|text| parse_allowed_address(text).unwrap()).to_vec();
        for inside in ["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.9", "198.51.100.7", "2001:db8:1:ffff::1"] {
            assert!(guarded.admits(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["203.0.112.255", "203.0.114.0", "198.51.100.8", "2001:db8:2::1", "::203.0.113.9"] {
            assert!(!guarded.admits(outside.parse().unwrap()), "{outside}");
        }
        guarded.allowed_addresses = vec!["::ffff:10.0.0.0/104".parse().unwrap()];
        assert!(guarded.admits("10.1.2.3".parse().unwrap()) && !guarded.admits("11.0.0.1".parse().unwrap()));
        assert_eq!(parse_allowed_address("203.0.113.9/24").unwrap().to_string(), "203.0.113.0/24");
        assert_eq!(parse_allowed_address("example.com"), None);
    }

    #[test]
    fn a_rotation_links_both_tokens_and_ends_the_old_one_after_the_overlap() {
        let mut old = SecureToken { lenient_status: true, imported: true, version: 4, ..token(1) };
        old.allowed_addresses = vec!["203.0.113.0/24".parse().unwrap()];
        let plan = rotate_to_99(&old, std::slice::from_ref(&old), 3600, false).unwrap();
        let end = NOW.plus_seconds(3600);
        assert_eq!((plan.retiring_until(), plan.old.replaced_by, plan.old.version), (Some(end), Some(id(99)), 5));
        assert!(plan.old.live_at(end.plus_millis(-1)) && !plan.old.live_at(end));
        assert_eq!((plan.new.state, plan.new.version, plan.new.imported), (TokenState::Active, 1, false));
        assert_eq!((plan.new.id, plan.new.digest), (id(99), TokenDigest::of("new")));
        assert_eq!((plan.new.scope, plan.new.capabilities), (old.scope, old.capabilities));
        assert_eq!((plan.new.lenient_status, plan.new.allowed_addresses), (true, old.allowed_addresses));
        assert!(!rotate_to_99(&token(1), &[], 0, false).unwrap().old.live_at(NOW));
    }

    #[test]
    fn an_overlap_has_30_days_at_most() {
        for (seconds, refusal) in [
            (OVERLAP_SECONDS_MAX - 1, None),
            (OVERLAP_SECONDS_MAX, None),
            (OVERLAP_SECONDS_MAX + 1, Some(RotationRefused::OverlapTooLong)),
        ] {
            assert_eq!(rotate_to_99(&token(1), &[], seconds, true).err(), refusal, "{seconds}");
        }
    }

    #[test]
    fn a_second_rotation_inside_an_open_overlap_is_refused_unless_forced() {
        let open = |until| [retiring(1, until, 2), token(2)];
        for (millis, refused) in [(1, true), (0, false), (-1, false)] {
            let siblings = open(NOW.plus_millis(millis));
            let expected = refused.then_some(RotationRefused::RotationOpen { until: NOW.plus_millis(millis) });
            assert_eq!(rotate_to_99(&siblings[1], &siblings, 3600, false).err(), expected, "ends in {millis} ms");
            assert!(rotate_to_99(&siblings[1], &siblings, 3600, true).is_ok());
        }
        let until = NOW.plus_seconds(DAY);
        let siblings = open(until);
        let again = rotate_to_99(&siblings[0], &siblings, 3600, false);
        assert_eq!(again.err(), Some(RotationRefused::RotationOpen { until }));
        let forced = rotate_to_99(&siblings[0], &siblings, 3600, true).unwrap();
        assert_eq!((forced.retiring_until(), forced.old.replaced_by), (Some(NOW.plus_seconds(3600)), Some(id(99))));
        assert!(rotate_to_99(&token(3), &siblings, 3600, false).is_ok(), "an overlap of others does not matter");
        let revoked = [revoke(&siblings[0]), token(2)];
        assert!(rotate_to_99(&revoked[1], &revoked, 3600, false).is_ok(), "a revoked token has no overlap");
    }

    #[test]
    fn what_is_over_is_not_rotated_even_by_force() {
        for over in [revoke(&token(1)), retiring(1, NOW, 2)] {
            assert_eq!(rotate_to_99(&over, &[], 3600, true).err(), Some(RotationRefused::NotActive));
        }
    }

    #[test]
    fn there_are_five_live_tokens_at_most() {
        let dead = || [revoke(&token(50)), retiring(51, NOW, 52)];
        for (live, create, overlapping, at_once) in
            [(4, Ok(()), None, None), (5, Err(LimitExceeded), Some(RotationRefused::LimitExceeded), None)]
        {
            let siblings: Vec<_> = (1..=live).map(token).chain(dead()).collect();
            assert_eq!(may_create(&siblings, NOW), create, "{live} live");
            assert_eq!(rotate_to_99(&siblings[0], &siblings, 1, true).err(), overlapping, "{live} live");
            assert_eq!(rotate_to_99(&siblings[0], &siblings, 0, true).err(), at_once, "{live} live");
        }
    }

    #[test]
    fn an_end_moves_both_ways_within_30_days_and_never_into_the_past() {
        let old = retiring(1, NOW.plus_seconds(DAY), 2);
        let last = NOW.plus_seconds(i64::from(OVERLAP_SECONDS_MAX));
        for (end, refusal) in [
            (NOW.plus_millis(-1), Some(EndRefused::InThePast)),
            (NOW, None),
            (NOW.plus_seconds(3600), None),
            (last, None),
            (last.plus_millis(1), Some(EndRefused::OverlapTooLong)),
        ] {
            let changed = set_end(&old, &[], end, NOW);
            assert_eq!(changed.as_ref().err(), refusal.as_ref(), "{end}");
            if let Ok(changed) = changed {
                assert_eq!((changed.retiring_until, changed.replaced_by), (Some(end), Some(id(2))));
                assert_eq!(changed.version, old.version + 1);
            }
        }
    }

    #[test]
    fn an_end_revives_nothing_and_leaves_one_active_token() {
        let end = NOW.plus_seconds(3600);
        for over in [revoke(&token(1)), retiring(1, NOW, 2)] {
            assert_eq!(set_end(&over, &[token(2)], end, NOW).err(), Some(EndRefused::NotActive));
        }
        let alone = [token(1), retiring(2, end, 1), revoke(&token(3))];
        assert_eq!(set_end(&alone[0], &alone, end, NOW).err(), Some(EndRefused::LastActive));
        let ending = set_end(&token(1), &[token(1), token(2)], end, NOW).unwrap();
        assert_eq!((ending.state, ending.retiring_until), (TokenState::Retiring, Some(end)));
    }

    #[test]
    fn clickless_on_a_global_token_is_warned_about() {
        let mut token = token(1);
        token.capabilities = token.capabilities.with(Capability::Clickless);
        assert!(!token.is_clickless_for_all());
        token.scope = TokenScope::Global;
        assert!(token.is_clickless_for_all());
        assert!(token.scope.covers(OfferId::new(7).unwrap()));
    }

    proptest! {
        #[test]
        fn a_hint_never_shows_more_than_a_third(text in "[!-~]{8,128}") {
            let plain = PlainToken::import(&text).unwrap();
            let shown = plain.hint().chars().count() - 1;
            prop_assert!(shown * 3 <= text.len() && shown <= 8);
        }

        #[test]
        fn no_text_breaks_the_checksum(text in ".{0,60}") {
            prop_assert!(!checksum_ok(&text));
        }
    }
}

//! The grammar of parameters: from what a transport delivered to typed values, once.
//!
//! Three classes of parameter (`docs/postbacks.md`): **identity** refuses when it is wrong, **money**
//! refuses only where an offer is strict, **descriptive** never refuses. Reading decides nothing about
//! business: what is wrong is kept as a value, and `screening` decides in its own order, because nothing
//! about a request may be told before its token is verified.

//!
//! To add a parameter: a row in the table `parameters!`, a field of [`Inbound`], a line in [`read`]. The
//! table is the only place of its limits: `read`, the OpenAPI file, GraphQL and the documents use it.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use percent_encoding::percent_decode;
use secrecy::SecretString;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::code::Code;
use super::ids::{NUMBER_MAX, OfferId, PublisherId, TokenId};
use super::money::{Currency, Micros, parse_amount};
use super::privacy::PrivateAddress;
use super::status::Status;

/// Parameters of one request, from query and body together.
pub const PAIRS_MAX: usize = 64;
/// The name of a parameter, in bytes as they were sent and decoded.
pub const NAME_BYTES_MAX: usize = 64;
/// Additional parameters that are kept with a conversion.
pub const EXTRAS_MAX: usize = 20;
/// Characters of an additional parameter's value that are kept.
pub const EXTRA_CHARACTERS_MAX: usize = 200;
/// Characters of a sender's text that are ever said back.
pub const RECEIVED_CHARACTERS_MAX: usize = 64;

/// Which door a request came through. Decides the aliases and the class of some parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    Click,
    Postback,
    Clickless,
    Pixel,
    Rejection,
    Status,
}

impl Door {
    pub const ALL: [Self; 6] =
        [Self::Click, Self::Postback, Self::Clickless, Self::Pixel, Self::Rejection, Self::Status];

    /// The word on a receipt.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Postback => "postback",
            Self::Clickless => "clickless",
            Self::Pixel => "pixel",
            Self::Rejection => "rejection",
            Self::Status => "status",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.as_str() == text)
    }
}

/// What happens to a parameter that is wrong (tracking rules, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Refuses: never cut, never guessed.
    Identity,
    /// Kept as unreadable; only a strict offer refuses it.
    Money,
    /// Cut or left out, with a warning.
    Descriptive,
}

/// How a value is written, and what [`ParameterSpec::limit`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// The limit is in characters.
    Text,
    /// A whole number from 1; the limit is the highest.
    Number,
    /// `^[0-9]{1,9}(\.[0-9]{1,18})?$`; the limit is in characters.
    Amount,
    /// ISO 4217; the limit is in characters.
    CurrencyCode,
    /// A status or one of its aliases; the limit is in characters.
    StatusName,
    /// Seconds, or `HH:MM:SS`; the limit is in seconds.
    Duration,
    /// IPv4 or IPv6 without port and zone; the limit is in characters.
    Address,
    /// One `@`; the limit is in characters.
    Email,
    /// `1` or `0`; the limit is in characters.
    Flag,
}

/// One row of the grammar.
#[derive(Clone, Copy, Debug)]
pub struct ParameterSpec {
    pub parameter: Parameter,
    pub name: &'static str,
    /// Other names on the wire; they are known at the doors of the parameter only.
    pub aliases: &'static [&'static str],
    pub form: Form,
    /// At its strictest; [`Parameter::class_at`] says how it is read at a door.
    pub class: Class,
    /// Where it means something. Elsewhere it is read leniently, and means nothing.
    pub doors: &'static [Door],
    /// See [`Form`].
    pub limit: u32,
    /// One sentence for senders.
    pub description: &'static str,
    pub example: &'static str,
}

macro_rules! parameters {
    ($($variant:ident = $name:literal $([$($alias:literal),+])?, $form:ident, $class:ident,
        $doors:expr, $limit:expr, $description:literal, $example:literal;)*) => {
        /// A parameter of ours, whatever it was called on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Parameter { $($variant,)* }

        /// Every known parameter, in the order in which it is documented.
        pub const PARAMETERS: &[ParameterSpec] = &[$(ParameterSpec {
            parameter: Parameter::$variant,
            name: $name,
            aliases: &[$($($alias),+)?],
            form: Form::$form,
            class: Class::$class,
            doors: $doors,
            limit: $limit,
            description: $description,
            example: $example,
        },)*];

        impl Parameter {
            pub const fn spec(self) -> &'static ParameterSpec {
                // The variants are numbered in the order of the table.
                &PARAMETERS[self as usize]
            }

            /// Finds a parameter by its name or alias, in lower case, as it is understood at `door`.
            pub fn find(name: &str, door: Door) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant).filter(|found| found.is_known_at(door)),
                    $($($alias)|+ => Some(Self::$variant).filter(|found| found.spec().doors.contains(&door)),)?)*
                    _ => None,
                }
            }
        }
    };
}

const WITH_TOKEN: &[Door] = &[Door::Postback, Door::Clickless, Door::Rejection, Door::Status];
const RECORDING: &[Door] = &[Door::Postback, Door::Clickless, Door::Pixel];
const SERVER_TO_SERVER: &[Door] = &[Door::Postback, Door::Clickless];
const TRACKED: &[Door] = &[Door::Click, Door::Clickless];
const TARGETED: &[Door] = &[Door::Postback, Door::Clickless, Door::Pixel, Door::Rejection, Door::Status];
const PRICED: &[Door] = &[Door::Postback, Door::Clickless, Door::Pixel, Door::Status];
const HIGHEST_NUMBER: u32 = NUMBER_MAX.unsigned_abs();

parameters! {
    Secure = "secure", Text, Identity, WITH_TOKEN, 128,
        "The secure token of the Postback URL; a header Authorization: Bearer or X-Secure-Token does the same.",
        "rt_g_2yGv0kPq8LrTn4XcW7sZbD1mHfJ5aE3uQ9oK";
    TransactionId = "transaction_id" ["click_id", "clickid"], Text, Identity,
        &[Door::Postback, Door::Pixel, Door::Rejection, Door::Status], 64,
        "The id that the landing page received with the click.",
        "0c0t6yvh2mk3w8q1r5x9zpa4db7ej0fg2hn6stvw";
    Offer = "offer", Number, Identity, &[Door::Click, Door::Clickless, Door::Pixel], HIGHEST_NUMBER,
        "The number of the offer; needed beside a global token on a clickless postback.", "42";
    Publisher = "publisher", Number, Identity, TRACKED, HIGHEST_NUMBER,
        "The number of the publisher who sent the visitor.", "7";
    OrderId = "order_id", Text, Identity, TARGETED, 255,
        "The advertiser's own order number: the same order never counts twice.", "A-10023";
    ExternalTransactionId = "external_transaction_id", Text, Identity, TRACKED, 255,
        "The publisher's own click id, given back in outbound postbacks.", "pub-click-991";
    EventId = "event_id", Number, Identity, TARGETED, HIGHEST_NUMBER,
        "The number of an event that the offer defines; without it the conversion itself is meant.", "2";
    EventName = "event_name", Text, Identity, TARGETED, 255,
        "The exact name of an event that the offer defines, in place of its number.", "deposit";
    ConversionId = "conversion_id", Text, Identity, &[Door::Rejection, Door::Status], 64,
        "Which conversion of the transaction is meant, where it has several.",
        "cnv_019a0000000070008000000000000001";
    Status = "status", StatusName, Identity, &[Door::Postback, Door::Clickless, Door::Status], 16,
        "The status to give: approved, pending or rejected (also declined, or 1, 2, 3).", "approved";
    Revenue = "revenue", Amount, Money, PRICED, 28,
        "What the advertiser pays for the conversion, in currency units with a point.", "12.50";
    Payout = "payout", Amount, Money, PRICED, 28,
        "What the publisher receives; counts only where the offer allows it.", "8.00";
    PurchaseValue = "purchase_value", Amount, Money, PRICED, 28,
        "The value of the basket, of which percentages are taken.", "129.90";
    Currency = "currency", CurrencyCode, Money, PRICED, 3,
        "The ISO 4217 code of the amounts; the offer's own when it is left out.", "EUR";
    SubId = "sub_id", Text, Descriptive, TRACKED, 500, "The publisher's first free field.", "news";
    SubId2 = "sub_id_2", Text, Descriptive, TRACKED, 500, "The publisher's second free field.", "banner-3";
    SubId3 = "sub_id_3", Text, Descriptive, TRACKED, 500, "The publisher's third free field.", "de";
    SubId4 = "sub_id_4", Text, Descriptive, TRACKED, 500, "The publisher's fourth free field.", "mobile";
    SubId5 = "sub_id_5", Text, Descriptive, TRACKED, 500, "The publisher's fifth free field.", "a";
    SubId6 = "sub_id_6", Text, Descriptive, TRACKED, 500, "The publisher's sixth free field.", "b";
    AdvSubId = "adv_sub_id", Text, Descriptive, RECORDING, 500, "The advertiser's first free field.", "spring";
    AdvSubId2 = "adv_sub_id_2", Text, Descriptive, RECORDING, 500, "The advertiser's second free field.", "new";
    AdvSubId3 = "adv_sub_id_3", Text, Descriptive, RECORDING, 500, "The advertiser's third free field.", "x";
    AdvSubId4 = "adv_sub_id_4", Text, Descriptive, RECORDING, 500, "The advertiser's fourth free field.", "y";
    AdvSubId5 = "adv_sub_id_5", Text, Descriptive, RECORDING, 500, "The advertiser's fifth free field.", "z";
    AdvSubId6 = "adv_sub_id_6", Text, Descriptive, RECORDING, 500, "The advertiser's sixth free field.", "w";
    SessionTime = "session_time", Duration, Descriptive, SERVER_TO_SERVER, 31_536_000,
        "The time from click to conversion, in seconds or as HH:MM:SS.", "00:12:30";
    ConversionIp = "conversion_ip", Address, Descriptive, SERVER_TO_SERVER, 45,
        "The buyer's IPv4 or IPv6 address; stored shortened and as a keyed hash.", "203.0.113.9";
    UserAgent = "user_agent", Text, Descriptive, SERVER_TO_SERVER, 1024, "The buyer's browser.", "Mozilla/5.0";
    UserEmail = "user_email", Email, Descriptive, SERVER_TO_SERVER, 254,
        "The buyer's e-mail address; stored as a keyed hash and in a masked form.", "ann@shop.example";
    DeviceId = "device_id", Text, Descriptive, &[Door::Click, Door::Postback, Door::Clickless], 128,
        "The advertising id of the device; one of zeros only counts as none.",
        "38400000-8cf0-11bd-b23e-10b96e40000d";
    NewRejectedReason = "new_rejected_reason" ["reason"], Text, Descriptive, &[Door::Rejection, Door::Status], 500,
        "Why the conversion is not valid.", "order cancelled";
    ThirdPartyRejectedReason = "third_party_rejected_reason", Text, Descriptive, SERVER_TO_SERVER, 500,
        "A reason for which another system rejected it: the conversion is recorded as rejected.", "fraud score 97";
    Test = "test", Text, Descriptive, &[Door::Click], 128,
        "Marks a test link; made by the builder of tracking links.", "1z8k3v7m5c2x9q4w";
    DryRun = "dry_run", Flag, Descriptive, WITH_TOKEN, 5,
        "With 1 everything is checked and nothing is recorded.", "1";
    Format = "format", Text, Descriptive, WITH_TOKEN, 16,
        "With text the answer is one line of plain text in place of JSON.", "text";
}

impl Parameter {
    /// How a wrong value is dealt with at `door`.
    ///
    /// On click and pixel nothing refuses but `offer` and `publisher`, or the id: a visitor is not punished
    /// for a publisher's typo.
    pub fn class_at(self, door: Door) -> Class {
        let spec = self.spec();
        let strict = match door {
            Door::Click => matches!(self, Self::Offer | Self::Publisher),
            Door::Pixel => self == Self::TransactionId,
            // A transaction id is refused there, so an unusable one must not pass for none.
            Door::Clickless if self == Self::TransactionId => true,
            Door::Postback | Door::Clickless | Door::Rejection | Door::Status => spec.doors.contains(&door),
        };
        if strict { spec.class } else { Class::Descriptive }
    }

    /// Everyday words are ours at their doors only: elsewhere they are the sender's own.
    fn is_known_at(self, door: Door) -> bool {
        !matches!(self, Self::Test | Self::DryRun | Self::Format) || self.spec().doors.contains(&door)
    }

    fn limit_characters(self) -> usize {
        usize::try_from(self.spec().limit).unwrap_or(usize::MAX)
    }
}

/// Why a value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    /// The parameter's canonical name.
    pub field: &'static str,
    /// At most 64 characters of what came; never a secret, an e-mail or an address.
    pub received: Option<String>,
    /// One sentence: what exactly is wrong.
    pub detail: String,
}

/// An identity parameter: absent, usable, or wrong in a way that refuses the request where it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot<T> {
    #[default]
    Absent,
    Value(T),
    /// Cannot be written down: it keeps what is refused out of the spool.
    #[serde(skip)]
    Bad(Problem),
}

/// A money parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AmountSlot {
    #[default]
    Absent,
    Value(Micros),
    /// At most 64 characters of what came.
    Unreadable(String),
}

/// The currency on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CurrencySlot {
    #[default]
    Absent,
    Known(Currency),
    /// At most 64 characters of what came.
    Unknown(String),
}

/// The secret of a request, from `secure`, `Authorization: Bearer` or `X-Secure-Token`.
#[derive(Clone, Debug, Default)]
pub enum SecureSlot {
    #[default]
    Absent,
    Present(SecretString),
    /// Sent, but unreplaced, too long or badly encoded: the same answer as an unknown token.
    Unusable,
    /// Of a request that is sent again from its receipt: this token was believed when it came, from this address.
    Verified {
        token: TokenId,
        sender: PrivateAddress,
    },
}

/// Something that was mended or ignored on the way, said in the answer and on the receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub code: WarningCode,
    /// The parameter as the sender named it, at most 64 characters; empty where none is meant.
    pub field: String,
    /// The nearest known name, for an unknown parameter.
    pub hint: Option<String>,
}

macro_rules! warnings {
    ($($name:ident = $text:literal, $message:literal;)*) => {
        /// The closed list of warnings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum WarningCode { $(#[serde(rename = $text)] $name,)* }

        impl WarningCode {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }

            /// One sentence for the sender.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }
        }
    };
}

warnings! {
    UnknownParameter = "unknown_parameter", "Not a parameter of ours: kept as an additional parameter.";
    ExtraDropped = "extra_dropped", "More than 20 additional parameters: this one was not kept.";
    FirstValueWins = "first_value_wins", "Sent more than once with different values: the first was used.";
    ValueCut = "value_cut", "Longer than the limit: cut.";
    ValueDropped = "value_dropped", "Cannot be read as what it should be: ignored.";
    UnreplacedIgnored = "unreplaced_ignored", "A placeholder that was never replaced: ignored.";
    CharactersStripped = "characters_stripped", "Control characters or bytes that are not UTF-8 were removed.";
    StillEncoded = "still_encoded", "Looks percent-encoded twice: kept as it came.";
    NameMended = "name_mended", "The name was damaged by HTML escaping: read as the parameter that was meant.";
    AmountRounded = "amount_rounded", "More than six decimals: rounded.";
    AmountUnreadable = "amount_unreadable", "Not a number such as 12.50.";
    CurrencyUnknown = "currency_unknown", "Not an ISO 4217 code.";
    CurrencyDiffers = "currency_differs", "Not the currency of the offer: kept as sent, for a person to decide.";
    RevenueReportedOnly = "revenue_reported_only", "The offer does not take revenue from the wire: kept as reported.";
    PayoutReportedOnly = "payout_reported_only", "The offer does not take a payout from the wire: kept as reported.";
    OrderIdIgnored = "order_id_ignored", "Cannot be used, and the offer does not count orders: ignored.";
    DuplicateDiffers = "duplicate_differs", "The same conversion with another amount: the first one stands.";
    DifferentOrderId = "different_order_id", "Another order of the same transaction: the offer takes one conversion per transaction.";
    StatusIgnored = "status_ignored", "The conversion exists, and the token may not change its status.";
    MaskedByReceipt = "masked_by_receipt", "Sent again from its receipt, where it stands masked: the masked form is kept.";
    NoDedupeKey = "no_dedupe_key", "Without order_id or external_transaction_id a repeat after the repeat window counts again.";
}

impl WarningCode {
    /// Does reading a request find it, so that it stands on the receipt whatever is decided?
    pub const fn is_of_reading(self) -> bool {
        match self {
            Self::UnknownParameter
            | Self::ExtraDropped
            | Self::FirstValueWins
            | Self::ValueCut
            | Self::ValueDropped
            | Self::UnreplacedIgnored
            | Self::CharactersStripped
            | Self::StillEncoded
            | Self::NameMended
            | Self::AmountRounded => true,
            Self::AmountUnreadable
            | Self::CurrencyUnknown
            | Self::CurrencyDiffers
            | Self::RevenueReportedOnly
            | Self::PayoutReportedOnly
            | Self::OrderIdIgnored
            | Self::DuplicateDiffers
            | Self::DifferentOrderId
            | Self::StatusIgnored
            | Self::MaskedByReceipt
            | Self::NoDedupeKey => false,
        }
    }
}

/// A request as it reads. Nothing here has been judged.
///
/// As it is written down it holds no secret and nobody in clear: what is skipped here stands in its private form in
/// the `Hit`, or means nothing at the doors whose requests are written down.
#[derive(Serialize, Deserialize)]
pub struct Inbound {
    pub door: Door,
    /// The first thing that keeps the request from being read at all (check 1).
    #[serde(skip)]
    pub unreadable: Option<Problem>,
    #[serde(skip)]
    pub secure: SecureSlot,
    /// At most 64 characters, neither unsealed nor checked.
    pub transaction_id: Slot<String>,
    pub offer: Slot<OfferId>,
    pub publisher: Slot<PublisherId>,
    /// `Bad` refuses only on an offer that counts orders.
    pub order_id: Slot<String>,
    /// `Bad` only on the clickless door, where it is an identity.
    pub external_transaction_id: Slot<String>,
    pub event_id: Slot<u32>,
    pub event_name: Slot<String>,
    /// Rejection: which conversion of the transaction is meant, as an opaque id.
    pub conversion_id: Slot<String>,
    pub status: Slot<Status>,
    pub revenue: AmountSlot,
    pub payout: AmountSlot,
    pub purchase_value: AmountSlot,
    pub currency: CurrencySlot,
    pub sub_ids: [Option<String>; 6],
    pub adv_sub_ids: [Option<String>; 6],
    /// Seconds from click to conversion, as the advertiser measured it.
    pub session_time_seconds: Option<i32>,
    #[serde(skip)]
    pub conversion_ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// In clear: `privacy` makes its stored forms, and nothing else may keep it.
    #[serde(skip)]
    pub user_email: Option<String>,
    pub device_id: Option<String>,
    /// `new_rejected_reason` or `reason`.
    pub rejected_reason: Option<String>,
    pub third_party_rejected_reason: Option<String>,
    /// The MAC of a test link, on the click door.
    #[serde(skip)]
    pub test: Option<String>,
    pub dry_run: bool,
    /// `format=text`.
    pub text_answer: bool,
    /// Parameters that are not ours, at most 20, names and values at most 200 characters.
    #[serde(skip)]
    pub extras: Vec<(String, String)>,
    pub warnings: Vec<Warning>,
}

/// Says which door, and what is wrong; never a value, because e-mail and address are in clear here.
impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("door", &self.door)
            .field("unreadable", &self.unreadable)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// Why a JSON body is not a list of parameters. Always answered `unsupported_media_type`: the cure says
/// what a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonProblem {
    #[error("the body is not valid JSON")]
    Malformed,
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("a value in the JSON object is an object or an array")]
    Nested,
}

impl JsonProblem {
    pub const fn code(self) -> Code {
        match self {
            Self::Malformed | Self::NotAnObject | Self::Nested => Code::UnsupportedMediaType,
        }
    }
}

/// The parameters of one request, decoded once and in the order in which they came: query, then body.
///
/// Holds the token in clear until [`read`] takes it, so it cannot be printed.
#[derive(Default)]
pub struct Pairs {
    /// At most [`PAIRS_MAX`]; `count` has the rest.
    pairs: Vec<Pair>,
    count: usize,
    tokens: Vec<Value>,
}

impl Pairs {
    /// Reads the part of the request target after `?`, as it came.
    pub fn from_query(query: &[u8]) -> Self {
        let mut pairs = Self::default();
        pairs.add_form(query);
        pairs
    }

    /// Adds an `application/x-www-form-urlencoded` body.
    pub fn add_form(&mut self, form: &[u8]) {
        for part in form.split(|byte| *byte == b'&') {
            self.add_encoded(part);
        }
    }

    /// Adds a flat JSON object of scalars. Numbers keep their digits as they came, `null` is an empty value,
    /// an empty body is an empty object. Nothing is added when there is a problem.
    pub fn add_json(&mut self, body: &[u8]) -> Result<(), JsonProblem> {
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii();
        if body.is_empty() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(body);
        if !text.starts_with('{') {
            return Err(JsonProblem::NotAnObject);
        }
        let object: FlatObject<'_> = serde_json::from_str(&text).map_err(|_| JsonProblem::Malformed)?;
        let was_repaired = matches!(text, Cow::Owned(_));
        let pairs = object.0.iter().map(|(name, raw)| Ok((name, Value::from_json(raw.get(), was_repaired)?)));
        for (name, value) in pairs.collect::<Result<Vec<_>, JsonProblem>>()? {
            self.push(Value::from_text(name, was_repaired), name.len(), value);
        }
        Ok(())
    }

    /// Adds the token of `Authorization: Bearer` or `X-Secure-Token`, without the scheme's name.
    pub fn add_token_header(&mut self, token: &[u8]) {
        self.tokens.push(Value::from_bytes(token));
    }

    /// Was a parameter of this name sent, whatever its value? Names in lower case; as [`read`] sees them,
    /// damage by HTML mended.
    pub fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|pair| pair.name() == name)
    }

    /// Was a token sent, as `secure` or in a header, whatever its value?
    pub fn has_token(&self) -> bool {
        !self.tokens.is_empty() || self.has("secure")
    }

    /// Neither a parameter nor a token.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.tokens.is_empty()
    }

    /// Which door a request to `/` is meant for; `None` is `unknown_route`, or no request at all.
    /// Only the presence of names decides, so that an empty reason is a rejection that fails and never a
    /// conversion.
    pub fn door_at_root(&self) -> Option<Door> {
        let transaction_id = ["transaction_id", "click_id", "clickid"].into_iter().any(|name| self.has(name));
        let token = self.has_token();
        if self.has("new_rejected_reason") {
            Some(Door::Rejection)
        } else if transaction_id && token {
            Some(Door::Postback)
        } else if token && self.has("publisher") {
            Some(Door::Clickless)
        } else if self.has("offer") {
            Some(Door::Click)
        } else if token || transaction_id {
            Some(Door::Postback)
        } else {
            None
        }
    }

    /// Adds `name=value`, both still percent-encoded. Text that was copied out of a rendered page has
    /// `&currency` turned into `¤cy`, its ampersand gone, so that one is looked for inside, too.
    fn add_encoded(&mut self, part: &[u8]) {
        let (part, damaged_rest) = split_at_currency_sign(part);
        if !part.is_empty() {
            let end = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
            let name = decode(&part[..end]);
            let value = part.get(end + 1..).unwrap_or_default();
            self.push(Value::from_bytes(&name), name.len(), Value::from_bytes(&decode(value)));
        }
        if let Some(rest) = damaged_rest {
            self.add_encoded(rest);
        }
    }

    fn push(&mut self, name: Value, name_bytes: usize, value: Value) {
        self.count += 1;
        if self.count <= PAIRS_MAX {
            self.pairs.push(Pair::new(name, name_bytes, value));
        }
    }
}

impl fmt::Debug for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairs").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Reads the parameters as `door` understands them. Never fails: what is wrong is in the result.
pub fn read(door: Door, pairs: Pairs) -> Inbound {
    let mut reader = Reader::new(door, &pairs);
    let secure = reader.secure();
    Inbound {
        door,
        secure,
        transaction_id: reader.identity(Parameter::TransactionId),
        offer: reader.number(Parameter::Offer, Code::UnknownOffer, OfferId::new),
        publisher: reader.number(Parameter::Publisher, Code::UnknownPublisher, PublisherId::new),
        order_id: reader.identity(Parameter::OrderId),
        external_transaction_id: reader.identity(Parameter::ExternalTransactionId),
        event_id: reader.number(Parameter::EventId, Code::UnknownEvent, |number| u32::try_from(number).ok()),
        event_name: reader.identity(Parameter::EventName),
        conversion_id: reader.identity(Parameter::ConversionId),
        status: reader.status(),
        revenue: reader.amount(Parameter::Revenue),
        payout: reader.amount(Parameter::Payout),
        purchase_value: reader.amount(Parameter::PurchaseValue),
        currency: reader.currency(),
        sub_ids: SUB_IDS.map(|parameter| reader.text(parameter)),
        adv_sub_ids: ADV_SUB_IDS.map(|parameter| reader.text(parameter)),
        session_time_seconds: reader.parsed(Parameter::SessionTime, parse_duration),
        conversion_ip: reader.parsed(Parameter::ConversionIp, parse_address),
        user_agent: reader.text(Parameter::UserAgent),
        user_email: reader.parsed(Parameter::UserEmail, parse_email),
        device_id: reader.device_id(),
        rejected_reason: reader.text(Parameter::NewRejectedReason),
        third_party_rejected_reason: reader.text(Parameter::ThirdPartyRejectedReason),
        test: reader.text(Parameter::Test),
        dry_run: reader.parsed(Parameter::DryRun, parse_flag).unwrap_or(false),
        text_answer: reader.parsed(Parameter::Format, parse_format).unwrap_or(false),
        extras: reader.extras(),
        unreadable: reader.unreadable,
        warnings: reader.warnings,
    }
}

const SUB_IDS: [Parameter; 6] =
    [Parameter::SubId, Parameter::SubId2, Parameter::SubId3, Parameter::SubId4, Parameter::SubId5, Parameter::SubId6];
const ADV_SUB_IDS: [Parameter; 6] = [
    Parameter::AdvSubId,
    Parameter::AdvSubId2,
    Parameter::AdvSubId3,
    Parameter::AdvSubId4,
    Parameter::AdvSubId5,
    Parameter::AdvSubId6,
];

/// The longest value that still looks like a placeholder, in bytes.
const PLACEHOLDER_BYTES_MAX: usize = 96;

struct Pair {
    /// As the sender named it, cleaned; at most [`NAME_BYTES_MAX`] bytes, else cut for a warning.
    sent_name: String,
    /// In lower case, damage by HTML mended; `None` where that is how it was sent.
    other_name: Option<String>,
    name_mended: bool,
    name_damaged: bool,
    name_too_long: bool,
    value: Value,
}

impl Pair {
    fn new(name: Value, name_bytes: usize, value: Value) -> Self {
        let name_too_long = name_bytes > NAME_BYTES_MAX;
        let name_damaged = name.damaged;
        let is_lower = !name.text.bytes().any(|byte| byte.is_ascii_uppercase());
        if is_lower && !name_too_long && mend_name(&name.text).len() == name.text.len() {
            let sent_name = name.text;
            return Self { sent_name, other_name: None, name_mended: false, name_damaged, name_too_long, value };
        }
        let lower = name.text.to_ascii_lowercase();
        let mended = mend_name(&lower);
        Self {
            name_mended: mended != lower,
            other_name: Some(mended.to_owned()),
            sent_name: first_characters(&name.text, RECEIVED_CHARACTERS_MAX).to_owned(),
            name_damaged,
            name_too_long,
            value,
        }
    }

    fn name(&self) -> &str {
        self.other_name.as_deref().unwrap_or(&self.sent_name)
    }
}

/// A decoded value: white space trimmed, what is not UTF-8 or is a control character taken out.
#[derive(Clone, PartialEq, Eq)]
struct Value {
    text: String,
    damaged: bool,
}

impl Value {
    fn from_bytes(bytes: &[u8]) -> Self {
        let bytes = bytes.trim_ascii();
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::from_text(text, false),
            Err(_) => {
                let valid: String = bytes.utf8_chunks().map(|chunk| chunk.valid()).collect();
                Self { damaged: true, ..Self::from_text(&valid, false) }
            }
        }
    }

    /// `was_repaired`: bytes that were not UTF-8 have become U+FFFD somewhere in the whole text.
    fn from_text(text: &str, was_repaired: bool) -> Self {
        let unwanted = |c: char| c.is_control() || (was_repaired && c == char::REPLACEMENT_CHARACTER);
        let text = text.trim_ascii();
        // Nearly all texts are printable ASCII, of which nothing is unwanted.
        if !is_printable_ascii(text.as_bytes()) && text.contains(unwanted) {
            let kept = text.replace(unwanted, "");
            Self { text: kept.trim_ascii().to_owned(), damaged: true }
        } else {
            Self { text: text.to_owned(), damaged: false }
        }
    }

    fn from_json(raw: &str, was_repaired: bool) -> Result<Self, JsonProblem> {
        match raw.as_bytes().first() {
            Some(b'{' | b'[') => Err(JsonProblem::Nested),
            Some(b'"') => Ok(match serde_json::from_str::<String>(raw) {
                Ok(text) => Self::from_text(&text, was_repaired),
                // Half of a surrogate pair: JSON, but no text.
                Err(_) => Self { text: String::new(), damaged: true },
            }),
            Some(b'n') => Ok(Self::from_text("", false)),
            Some(_) | None => Ok(Self::from_text(raw, false)),
        }
    }

    fn is_absent(&self) -> bool {
        self.text.is_empty() && !self.damaged
    }
}

/// A JSON object whose members keep their order, their duplicates and the digits of their numbers.
struct FlatObject<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for FlatObject<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FlatObjectVisitor)
    }
}

struct FlatObjectVisitor;

impl<'de> Visitor<'de> for FlatObjectVisitor {
    type Value = FlatObject<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a flat object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(FlatObject(members))
    }
}

/// Where a parameter was found: its first value that is not empty.
#[derive(Clone, Copy)]
struct Found<'a> {
    pair: &'a Pair,
    ambiguous: bool,
}

/// Walks through the parameters of one request and notes what is wrong with them.
struct Reader<'a> {
    door: Door,
    found: [Option<Found<'a>>; PARAMETERS.len()],
    /// Those that are not ours, in their order.
    others: Vec<Found<'a>>,
    tokens: &'a [Value],
    unreadable: Option<Problem>,
    warnings: Vec<Warning>,
}

impl<'a> Reader<'a> {
    fn new(door: Door, pairs: &'a Pairs) -> Self {
        let mut reader = Self {
            door,
            found: [None; PARAMETERS.len()],
            others: Vec::new(),
            tokens: &pairs.tokens,
            unreadable: None,
            warnings: Vec::new(),
        };
        if pairs.count > PAIRS_MAX {
            reader.too_many("", &format!("{} parameters were sent.", pairs.count));
        }
        for pair in &pairs.pairs {
            reader.sort_in(pair);
        }
        reader
    }

    fn sort_in(&mut self, pair: &'a Pair) {
        if pair.name_too_long {
            let detail = format!("The name of a parameter is longer than {NAME_BYTES_MAX} bytes.");
            return self.too_many(&pair.sent_name, &detail);
        }
        let parameter = Parameter::find(pair.name(), self.door);
        if pair.name_mended {
            self.warn_hint(WarningCode::NameMended, &pair.sent_name, Some(pair.name().to_owned()));
        }
        if pair.name_damaged {
            self.warn(WarningCode::CharactersStripped, &pair.sent_name);
        }
        if pair.value.is_absent() {
            return;
        }
        match parameter {
            Some(parameter) => merge(&mut self.found[parameter as usize], pair),
            None => match self.others.iter_mut().find(|other| other.pair.name() == pair.name()) {
                Some(other) => other.ambiguous |= other.pair.value != pair.value,
                None => self.others.push(Found { pair, ambiguous: false }),
            },
        }
    }

    /// Click and pixel go on with those that can be read.
    fn too_many(&mut self, sent_name: &str, detail: &str) {
        match self.door {
            Door::Click | Door::Pixel => self.warn(WarningCode::ValueDropped, sent_name),
            Door::Postback | Door::Clickless | Door::Rejection | Door::Status => {
                self.refuse(&Problem {
                    code: Code::TooManyParameters,
                    field: "",
                    received: presentable(sent_name).filter(|name| !name.is_empty()),
                    detail: detail.to_owned(),
                });
            }
        }
    }

    fn refuse(&mut self, problem: &Problem) {
        if self.unreadable.is_none() {
            self.unreadable = Some(problem.clone());
        }
    }

    fn warn(&mut self, code: WarningCode, field: &str) {
        self.warn_hint(code, field, None);
    }

    fn warn_about(&mut self, parameter: Parameter, code: WarningCode) {
        let sent = self.found[parameter as usize].map(|found| found.pair.sent_name.as_str());
        self.warn(code, sent.unwrap_or(parameter.spec().name));
    }

    fn warn_hint(&mut self, code: WarningCode, field: &str, hint: Option<String>) {
        let field = first_characters(field, RECEIVED_CHARACTERS_MAX).to_owned();
        self.warnings.push(Warning { code, field, hint });
    }

    /// Whatever is wrong with a token is answered like an unknown one; only two of them cannot be answered.
    fn secure(&mut self) -> SecureSlot {
        let found = self.found[Parameter::Secure as usize];
        let sent = found.map(|found| &found.pair.value);
        let mut values = sent.into_iter().chain(self.tokens.iter().filter(|token| !token.is_absent()));
        let Some(first) = values.next() else { return SecureSlot::Absent };
        if found.is_some_and(|found| found.ambiguous) || values.any(|other| other != first) {
            if Parameter::Secure.class_at(self.door) == Class::Identity {
                self.refuse(&problem(
                    Code::AmbiguousParameter,
                    Parameter::Secure,
                    None,
                    "Two different tokens were sent.",
                ));
            }
            return SecureSlot::Unusable;
        }
        let too_long = exceeds(&first.text, Parameter::Secure.limit_characters());
        if first.damaged || too_long || is_placeholder(&first.text) {
            return SecureSlot::Unusable;
        }
        SecureSlot::Present(SecretString::from(first.text.as_str()))
    }

    /// What all parameters have in common: duplicates, damage, placeholders, an identity's length.
    fn take(&mut self, parameter: Parameter) -> Slot<&'a str> {
        let Some(Found { pair, ambiguous }) = self.found[parameter as usize] else { return Slot::Absent };
        let class = parameter.class_at(self.door);
        if let Some(problem) = find_problem(parameter, class, &pair.value, ambiguous) {
            // Whether an order id matters, the offer says.
            if problem.code != Code::UnreplacedMacro && parameter != Parameter::OrderId {
                self.refuse(&problem);
            }
            return Slot::Bad(problem);
        }
        self.keep(pair, ambiguous).map_or(Slot::Absent, Slot::Value)
    }

    /// Of a value that refuses nothing: what is left of it, with a warning for what is not.
    fn keep(&mut self, pair: &'a Pair, ambiguous: bool) -> Option<&'a str> {
        let text = pair.value.text.as_str();
        let placeholder = is_placeholder(text);
        for (code, applies) in [
            (WarningCode::FirstValueWins, ambiguous),
            (WarningCode::CharactersStripped, pair.value.damaged),
            (WarningCode::UnreplacedIgnored, placeholder),
            (WarningCode::StillEncoded, !placeholder && looks_encoded(text)),
        ] {
            if applies {
                self.warn(code, &pair.sent_name);
            }
        }
        Some(text).filter(|text| !text.is_empty() && !placeholder)
    }

    /// A typed value cannot be read: a problem where it is an identity, else nothing but a warning.
    fn bad<T>(&mut self, parameter: Parameter, code: Code, text: &str, detail: &str) -> Slot<T> {
        match parameter.class_at(self.door) {
            Class::Identity => Slot::Bad(problem(code, parameter, Some(text), detail)),
            Class::Money | Class::Descriptive => {
                self.warn_about(parameter, WarningCode::ValueDropped);
                Slot::Absent
            }
        }
    }

    fn identity(&mut self, parameter: Parameter) -> Slot<String> {
        match self.take(parameter) {
            Slot::Absent => Slot::Absent,
            Slot::Bad(problem) => Slot::Bad(problem),
            Slot::Value(text) => Slot::Value(self.cut(parameter, text)),
        }
    }

    /// Only ever shortens what is descriptive here: an identity that is too long was refused before.
    fn cut(&mut self, parameter: Parameter, text: &str) -> String {
        let kept = first_characters(text, parameter.limit_characters());
        if kept.len() < text.len() {
            self.warn_about(parameter, WarningCode::ValueCut);
        }
        kept.to_owned()
    }

    fn number<T>(&mut self, parameter: Parameter, code: Code, make: impl Fn(i32) -> Option<T>) -> Slot<T> {
        match self.take(parameter) {
            Slot::Absent => Slot::Absent,
            Slot::Bad(problem) => Slot::Bad(problem),
            Slot::Value(text) => match parse_number(text).and_then(make) {
                Some(number) => Slot::Value(number),
                None => self.bad(parameter, code, text, &format!("Not a whole number from 1 to {NUMBER_MAX}.")),
            },
        }
    }

    fn status(&mut self) -> Slot<Status> {
        match self.take(Parameter::Status) {
            Slot::Absent => Slot::Absent,
            Slot::Bad(problem) => Slot::Bad(problem),
            Slot::Value(text) => match parse_status(text) {
                Some(status) => Slot::Value(status),
                None => self.bad(Parameter::Status, Code::InvalidStatus, text, "Not a status."),
            },
        }
    }

    fn amount(&mut self, parameter: Parameter) -> AmountSlot {
        let Some(text) = self.taken_text(parameter) else { return AmountSlot::Absent };
        match parse_amount(text) {
            Ok(parsed) => {
                if parsed.rounded {
                    self.warn_about(parameter, WarningCode::AmountRounded);
                }
                AmountSlot::Value(parsed.micros)
            }
            // Pricing warns: it knows whether the amount counts.
            Err(_) => AmountSlot::Unreadable(presentable(text).unwrap_or_default()),
        }
    }

    fn currency(&mut self) -> CurrencySlot {
        let Some(text) = self.taken_text(Parameter::Currency) else { return CurrencySlot::Absent };
        match Currency::parse(text) {
            Some(currency) => CurrencySlot::Known(currency),
            // Pricing warns: it knows the offer's currency.
            None => CurrencySlot::Unknown(presentable(text).unwrap_or_default()),
        }
    }

    /// `None` also for what was refused: that is in `unreadable`.
    fn taken_text(&mut self, parameter: Parameter) -> Option<&'a str> {
        match self.take(parameter) {
            Slot::Value(text) => Some(text),
            Slot::Absent | Slot::Bad(_) => None,
        }
    }

    fn text(&mut self, parameter: Parameter) -> Option<String> {
        let text = self.taken_text(parameter)?;
        Some(self.cut(parameter, text))
    }

    fn parsed<T>(&mut self, parameter: Parameter, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.taken_text(parameter)?;
        let value = parse(text);
        if value.is_none() {
            self.warn_about(parameter, WarningCode::ValueDropped);
        }
        value
    }

    /// The all-zero id is what a device says whose owner does not want to be followed.
    fn device_id(&mut self) -> Option<String> {
        let text = self.text(Parameter::DeviceId)?;
        if text.bytes().all(|byte| matches!(byte, b'0' | b'-')) {
            self.warn_about(Parameter::DeviceId, WarningCode::ValueDropped);
            return None;
        }
        Some(text)
    }

    fn extras(&mut self) -> Vec<(String, String)> {
        let mut extras = Vec::new();
        for Found { pair, ambiguous } in std::mem::take(&mut self.others) {
            if extras.len() == EXTRAS_MAX {
                self.warn(WarningCode::ExtraDropped, &pair.sent_name);
            } else if let Some(value) = self.extra(pair, ambiguous) {
                let name = if pair.name_mended { pair.name() } else { &pair.sent_name };
                extras.push((name.to_owned(), value));
            }
        }
        extras
    }

    fn extra(&mut self, pair: &'a Pair, ambiguous: bool) -> Option<String> {
        let hint = nearest_name(pair.name(), self.door);
        if holds_a_secret(pair) {
            let field = if has_token_in(&pair.sent_name) { "" } else { pair.sent_name.as_str() };
            self.warn_hint(WarningCode::ValueDropped, field, hint.map(str::to_owned));
            return None;
        }
        self.warn_hint(WarningCode::UnknownParameter, &pair.sent_name, hint.map(str::to_owned));
        let text = self.keep(pair, ambiguous)?;
        let kept = first_characters(text, EXTRA_CHARACTERS_MAX);
        if kept.len() < text.len() {
            self.warn(WarningCode::ValueCut, &pair.sent_name);
        }
        Some(kept.to_owned())
    }
}

fn merge<'a>(slot: &mut Option<Found<'a>>, pair: &'a Pair) {
    match slot {
        Some(first) => first.ambiguous |= first.pair.value != pair.value,
        None => *slot = Some(Found { pair, ambiguous: false }),
    }
}

/// What refuses an identity, and the one thing that refuses money.
fn find_problem(parameter: Parameter, class: Class, value: &Value, ambiguous: bool) -> Option<Problem> {
    let text = value.text.as_str();
    let make = |code, detail: &str| Some(problem(code, parameter, Some(text), detail));
    match class {
        Class::Descriptive => None,
        Class::Identity | Class::Money if ambiguous => {
            make(Code::AmbiguousParameter, "Sent more than once with different values.")
        }
        Class::Money => None,
        Class::Identity if value.damaged => {
            make(Code::InvalidEncoding, "Holds control characters or bytes that are not UTF-8.")
        }
        Class::Identity if is_placeholder(text) => {
            make(Code::UnreplacedMacro, "A placeholder that was never replaced.")
        }
        Class::Identity => match parameter.spec().form {
            Form::Text | Form::StatusName if exceeds(text, parameter.limit_characters()) => {
                make(Code::ValueTooLong, &format!("Longer than {} characters.", parameter.spec().limit))
            }
            Form::Text
            | Form::StatusName
            | Form::Number
            | Form::Amount
            | Form::CurrencyCode
            | Form::Duration
            | Form::Address
            | Form::Email
            | Form::Flag => None,
        },
    }
}

fn problem(code: Code, parameter: Parameter, text: Option<&str>, detail: &str) -> Problem {
    Problem { code, field: parameter.spec().name, received: text.and_then(presentable), detail: detail.to_owned() }
}

/// The beginning of a sender's text, as it may be said back; `None` where it may hold a token, an e-mail or an
/// address.
/// Does a postback that sends `text` as this parameter arrive with exactly that? For what people type in that senders
/// must be able to write.
pub fn can_arrive(name: &str, text: &str, slot: impl Fn(&Inbound) -> &Slot<String>) -> bool {
    let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, text).finish();
    matches!(slot(&read(Door::Postback, Pairs::from_query(query.as_bytes()))), Slot::Value(read) if read == text)
}

pub fn presentable(text: &str) -> Option<String> {
    let private = text.contains('@') || has_token_in(text) || text.parse::<IpAddr>().is_ok();
    if private { None } else { Some(first_characters(text, RECEIVED_CHARACTERS_MAX).to_owned()) }
}

fn has_token_in(text: &str) -> bool {
    ["rt_g_", "rt_o_"].iter().any(|prefix| text.contains(prefix))
}

/// A token under a wrong name must not reach a receipt, where everybody with a log-in could read it.
fn holds_a_secret(pair: &Pair) -> bool {
    let words = ["secur", "token", "secret", "passw", "apikey", "api_key", "authoriz"];
    edit_distance(pair.name().as_bytes(), b"secure", 1).is_some()
        || words.iter().any(|word| pair.name().contains(word))
        || has_token_in(&pair.sent_name)
        || has_token_in(&pair.value.text)
}

/// Are there neither control characters nor bytes beyond ASCII?
pub fn is_printable_ascii(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn first_characters(text: &str, characters_max: usize) -> &str {
    // A character has a byte at least.
    if text.len() <= characters_max {
        return text;
    }
    text.char_indices().nth(characters_max).map_or(text, |(end, _)| &text[..end])
}

fn exceeds(text: &str, characters_max: usize) -> bool {
    text.len() > characters_max && text.chars().nth(characters_max).is_some()
}

/// Decodes `+` and percent escapes, once. `%name%` is a placeholder of Windows make and not an escape: no
/// encoded text can end with a percent sign.
fn decode(encoded: &[u8]) -> Cow<'_, [u8]> {
    if !encoded.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(encoded);
    }
    let placeholder = encoded.len() >= 3
        && encoded.starts_with(b"%")
        && encoded.ends_with(b"%")
        && encoded.iter().all(|byte| *byte == b'%' || is_name_byte(*byte));
    if placeholder {
        return Cow::Borrowed(encoded);
    }
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

/// Splits before a `¤cy=` that is not at the beginning, whether its bytes are escaped or not.
fn split_at_currency_sign(part: &[u8]) -> (&[u8], Option<&[u8]>) {
    let starts = |rest: &[u8], sign: &[u8]| rest.get(..sign.len()).is_some_and(|got| got.eq_ignore_ascii_case(sign));
    let is_sign = |at: &usize| {
        matches!(part[*at], b'%' | 0xC2)
            && (starts(&part[*at..], "¤cy=".as_bytes()) || starts(&part[*at..], b"%C2%A4cy="))
    };
    match (1..part.len()).find(is_sign) {
        Some(at) => (&part[..at], Some(&part[at..])),
        None => (part, None),
    }
}

/// Undoes what HTML escaping does to a name: `amp;key`, and `¤cy` for `&currency`.
fn mend_name(lower: &str) -> &str {
    let name = lower.trim_start_matches("amp;");
    if name == "¤cy" { "currency" } else { name }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.:$".contains(&byte)
}

/// A value that stands for another and was never replaced: a name in brackets of some kind, or one of the
/// words that templates and half-filled variables leave behind.
fn is_placeholder(text: &str) -> bool {
    text.len() <= PLACEHOLDER_BYTES_MAX && (is_placeholder_word(text) || is_bracketed_name(text))
}

fn is_placeholder_word(text: &str) -> bool {
    const WORDS: [&str; 8] = ["replace", "transaction_id", "click_id", "clickid", "null", "undefined", "none", "nan"];
    let begins = |prefix: &str| text.get(..prefix.len()).is_some_and(|got| got.eq_ignore_ascii_case(prefix));
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) || begins("replace_") || begins("your_")
}

fn is_bracketed_name(text: &str) -> bool {
    const BRACKETS: [(&str, &str); 6] = [("${", "}"), ("{", "}"), ("[", "]"), ("%", "%"), ("#", "#"), ("<", ">")];
    let peel = |text: &str| {
        let inside = |(open, close): &(&str, &str)| text.strip_prefix(open)?.strip_suffix(close).map(str::len);
        BRACKETS.iter().find_map(|pair| inside(pair).map(|length| (pair.0.len(), length)))
    };
    let Some((start, length)) = peel(text) else { return false };
    let inner = &text[start..start + length];
    // `{{x}}`, `%%x%%` and the like.
    let inner = peel(inner).map_or(inner, |(start, length)| &inner[start..start + length]).trim_ascii();
    !inner.is_empty() && inner.bytes().all(is_name_byte)
}

/// Does an escape such as `%20` stand in the text after decoding?
fn looks_encoded(text: &str) -> bool {
    text.contains('%')
        && text.as_bytes().windows(3).any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit())
}

/// Digits only; leading zeros do no harm.
fn parse_number(text: &str) -> Option<i32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok().filter(|number| *number >= 1) } else { None }
}

fn parse_status(text: &str) -> Option<Status> {
    match text.to_ascii_lowercase().as_str() {
        "approved" | "1" => Some(Status::Approved),
        "pending" | "2" => Some(Status::Pending),
        "rejected" | "declined" | "3" => Some(Status::Rejected),
        _ => None,
    }
}

/// Seconds or `HH:MM:SS`, to one year.
fn parse_duration(text: &str) -> Option<i32> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok())?;
    let sixtieths = |text: &str| digits(text).filter(|value| text.len() == 2 && *value < 60);
    let parts: Vec<&str> = text.splitn(4, ':').collect();
    let seconds = match parts.as_slice() {
        [seconds] => digits(seconds)?,
        [hours, minutes, seconds] => {
            digits(hours)?.checked_mul(3600)?.checked_add(sixtieths(minutes)? * 60 + sixtieths(seconds)?)?
        }
        _ => return None,
    };
    i32::try_from(seconds).ok().filter(|_| seconds <= Parameter::SessionTime.spec().limit)
}

fn parse_address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn parse_email(text: &str) -> Option<String> {
    let (name, domain) = text.split_once('@')?;
    let plain = !name.is_empty() && !domain.is_empty() && !domain.contains('@');
    let fits = !exceeds(text, Parameter::UserEmail.limit_characters()) && !text.contains(char::is_whitespace);
    (plain && fits).then(|| text.to_owned())
}

fn parse_flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Some(true),
        "0" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// Is plain text wanted?
fn parse_format(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "text" => Some(true),
        "json" => Some(false),
        _ => None,
    }
}

/// The known name that a sender most likely meant: at most a quarter of it may differ.
pub fn nearest_name(name: &str, door: Door) -> Option<&'static str> {
    let known = PARAMETERS.iter().filter(|spec| spec.doors.contains(&door));
    let names = known.flat_map(|spec| spec.aliases.iter().chain([&spec.name]).copied());
    let near = names.filter_map(|known| {
        let longer = known.len().max(name.len());
        let distance_max = if longer < 5 { 0 } else { (longer / 4).max(1) };
        edit_distance(name.as_bytes(), known.as_bytes(), distance_max).map(|distance| (distance, known))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// The number of bytes to insert, remove, replace or swap with their neighbour; `None` above `distance_max`.
pub(crate) fn edit_distance(a: &[u8], b: &[u8], distance_max: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > distance_max {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    Some(above[b.len()]).filter(|distance| *distance <= distance_max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    const DOORS: [Door; 6] = [Door::Click, Door::Postback, Door::Clickless, Door::Pixel, Door::Rejection, Door::Status];

    fn at(door: Door, query: &str) -> Inbound {
        read(door, Pairs::from_query(query.as_bytes()))
    }

    fn postback(query: &str) -> Inbound {
        at(Door::Postback, query)
    }

    fn json(body: &str) -> Inbound {
        let mut pairs = Pairs::default();
        pairs.add_json(body.as_bytes()).unwrap();
        read(Door::Postback, pairs)
    }

    fn value(text: &str) -> Slot<String> {
        Slot::Value(text.to_owned())
    }

    fn code_of<T>(slot: &Slot<T>) -> Option<Code> {
        match slot {
            Slot::Absent | Slot::Value(_) => None,
            Slot::Bad(problem) => Some(problem.code),
        }
    }

    fn unreadable(inbound: &Inbound) -> Option<(Code, &'static str)> {
        inbound.unreadable.as_ref().map(|problem| (problem.code, problem.field))
    }

    fn warned(inbound: &Inbound) -> Vec<(WarningCode, &str)> {
        inbound.warnings.iter().map(|warning| (warning.code, warning.field.as_str())).collect()
    }

    fn hint(query: &str) -> Option<String> {
        postback(query).warnings.into_iter().find_map(|warning| warning.hint)
    }

    fn secret(inbound: &Inbound) -> Option<&str> {
        match &inbound.secure {
            SecureSlot::Present(token) => Some(token.expose_secret()),
            SecureSlot::Absent | SecureSlot::Unusable | SecureSlot::Verified { .. } => None,
        }
    }

    fn encode(text: &str) -> String {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    }

    #[test]
    fn the_table_is_in_the_order_of_its_variants_and_names_are_unique() {
        let mut names: Vec<&str> = Vec::new();
        for (index, spec) in PARAMETERS.iter().enumerate() {
            assert_eq!(spec.parameter as usize, index);
            assert_eq!(spec.parameter.spec().name, spec.name);
            assert!(spec.description.ends_with('.') && !spec.example.is_empty() && !spec.doors.is_empty());
            names.extend(spec.aliases.iter().chain([&spec.name]).copied());
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_example_reads_without_a_word_at_every_door_of_its_parameter() {
        for spec in PARAMETERS {
            for door in spec.doors {
                for name in spec.aliases.iter().chain([&spec.name]) {
                    let inbound = at(*door, &format!("{name}={}", encode(spec.example)));
                    assert!(inbound.warnings.is_empty(), "{name} at {door:?}: {:?}", inbound.warnings);
                    assert_eq!(inbound.unreadable, None);
                    assert!(inbound.extras.is_empty());
                }
            }
        }
    }

    #[test]
    fn every_parameter_arrives_in_its_own_field() {
        let inbound = postback(
            "secure=s&transaction_id=t&offer=1&publisher=2&order_id=o&external_transaction_id=x&event_id=3&\
             event_name=e&conversion_id=c&status=pending&revenue=1&payout=2&purchase_value=3&currency=eur&\
             sub_id=a1&sub_id_2=a2&sub_id_3=a3&sub_id_4=a4&sub_id_5=a5&sub_id_6=a6&\
             adv_sub_id=b1&adv_sub_id_2=b2&adv_sub_id_3=b3&adv_sub_id_4=b4&adv_sub_id_5=b5&adv_sub_id_6=b6&\
             session_time=9&conversion_ip=203.0.113.9&user_agent=ua&user_email=a@b.example&device_id=d&\
             new_rejected_reason=r&third_party_rejected_reason=tp&dry_run=1&format=text",
        );
        assert_eq!(warned(&inbound), []);
        assert_eq!(inbound.unreadable, None);
        assert_eq!(secret(&inbound), Some("s"));
        assert_eq!(inbound.transaction_id, value("t"));
        assert_eq!(inbound.offer, Slot::Value(OfferId::new(1).unwrap()));
        assert_eq!(inbound.publisher, Slot::Value(PublisherId::new(2).unwrap()));
        assert_eq!(inbound.order_id, value("o"));
        assert_eq!(inbound.external_transaction_id, value("x"));
        assert_eq!(inbound.event_id, Slot::Value(3));
        assert_eq!(inbound.event_name, value("e"));
        assert_eq!(inbound.conversion_id, value("c"));
        assert_eq!(inbound.status, Slot::Value(Status::Pending));
        assert_eq!(inbound.revenue, AmountSlot::Value(Micros::from_i64(1_000_000)));
        assert_eq!(inbound.payout, AmountSlot::Value(Micros::from_i64(2_000_000)));
        assert_eq!(inbound.purchase_value, AmountSlot::Value(Micros::from_i64(3_000_000)));
        assert_eq!(inbound.currency, CurrencySlot::Known(Currency::parse("EUR").unwrap()));
        assert_eq!(inbound.sub_ids, ["a1", "a2", "a3", "a4", "a5", "a6"].map(|text| Some(text.to_owned())));
        assert_eq!(inbound.adv_sub_ids, ["b1", "b2", "b3", "b4", "b5", "b6"].map(|text| Some(text.to_owned())));
        assert_eq!(inbound.session_time_seconds, Some(9));
        assert_eq!(inbound.conversion_ip, "203.0.113.9".parse().ok());
        assert_eq!(inbound.user_agent.as_deref(), Some("ua"));
        assert_eq!(inbound.user_email.as_deref(), Some("a@b.example"));
        assert_eq!(inbound.device_id.as_deref(), Some("d"));
        assert_eq!(inbound.rejected_reason.as_deref(), Some("r"));
        assert_eq!(inbound.third_party_rejected_reason.as_deref(), Some("tp"));
        assert!(inbound.dry_run && inbound.text_answer);
        assert_eq!(at(Door::Click, "test=mac").test.as_deref(), Some("mac"));
    }

    #[test]
    fn a_value_is_decoded_once_and_a_plus_is_a_space() {
        assert_eq!(postback("order_id=a%20b+c%2Bd%3D%26").order_id, value("a b c+d=&"));
        let twice = postback("order_id=a%2520b");
        assert_eq!(twice.order_id, value("a%20b"));
        assert_eq!(warned(&twice), [(WarningCode::StillEncoded, "order_id")]);
        assert_eq!(warned(&postback("order_id=100%25+off")), []);
    }

    #[test]
    fn white_space_is_trimmed_and_empty_is_absent() {
        assert_eq!(postback("order_id=+%09a%0A").order_id, value("a"));
        for query in ["", "&&", "order_id", "order_id=", "order_id=+%20%0D%0A", "order_id=&order_id="] {
            let inbound = postback(query);
            assert_eq!((inbound.order_id, inbound.warnings), (Slot::Absent, vec![]), "{query}");
        }
        assert_eq!(postback("order_id=&order_id=a").order_id, value("a"));
    }

    #[test]
    fn names_are_read_in_any_case_and_mended_where_html_damaged_them() {
        assert_eq!(postback("Order_ID=a").order_id, value("a"));
        let mended = postback("secure=s&amp;order_id=a&amp;amp;event_name=e&amp;own=1");
        assert_eq!((&mended.order_id, &mended.event_name), (&value("a"), &value("e")));
        assert_eq!(mended.extras, [("own".to_owned(), "1".to_owned())]);
        assert_eq!(warned(&mended)[0], (WarningCode::NameMended, "amp;order_id"));
        let euro = CurrencySlot::Known(Currency::parse("EUR").unwrap());
        for query in ["revenue=5&¤cy=EUR", "revenue=5¤cy=EUR", "revenue=5%C2%A4cy=EUR", "revenue=5%c2%a4cy=EUR"] {
            let inbound = postback(query);
            assert_eq!(inbound.currency, euro, "{query}");
            assert_eq!(inbound.revenue, AmountSlot::Value(Micros::from_i64(5_000_000)), "{query}");
            assert_eq!(warned(&inbound), [(WarningCode::NameMended, "¤cy")]);
        }
        assert_eq!(postback("order_id=5%C2%A4").order_id, value("5¤"));
    }

    #[test]
    fn one_value_twice_is_one_and_two_values_refuse_identity_and_money_only() {
        assert_eq!(unreadable(&postback("transaction_id=a&transaction_id=a&click_id=a")), None);
        for (query, field) in [
            ("transaction_id=a&transaction_id=b", "transaction_id"),
            ("transaction_id=a&clickid=b", "transaction_id"),
            ("revenue=1&revenue=2", "revenue"),
            ("currency=EUR&currency=USD", "currency"),
            ("status=1&status=2", "status"),
        ] {
            assert_eq!(unreadable(&postback(query)), Some((Code::AmbiguousParameter, field)), "{query}");
        }
        let first = postback("adv_sub_id=a&ADV_SUB_ID=b&own=1&own=2");
        assert_eq!((first.adv_sub_ids[0].as_deref(), first.unreadable.as_ref()), (Some("a"), None));
        assert_eq!(first.extras, [("own".to_owned(), "1".to_owned())]);
        assert_eq!(warned(&first)[0], (WarningCode::FirstValueWins, "adv_sub_id"));
        assert!(warned(&first).contains(&(WarningCode::FirstValueWins, "own")));
    }

    #[test]
    fn query_and_body_are_one_list() {
        let mut pairs = Pairs::from_query(b"transaction_id=a&secure=s");
        pairs.add_form(b"transaction_id=b");
        assert_eq!(unreadable(&read(Door::Postback, pairs)), Some((Code::AmbiguousParameter, "transaction_id")));
        let mut pairs = Pairs::from_query(b"transaction_id=a");
        pairs.add_json(br#"{"transaction_id":"a","revenue":5}"#).unwrap();
        let inbound = read(Door::Postback, pairs);
        assert_eq!((unreadable(&inbound), inbound.transaction_id), (None, value("a")));
    }

    #[test]
    fn whether_a_bad_order_id_matters_is_left_to_the_offer() {
        for (query, code) in [
            ("order_id=a&order_id=b".to_owned(), Code::AmbiguousParameter),
            ("order_id=a%00b".to_owned(), Code::InvalidEncoding),
            (format!("order_id={}", "a".repeat(256)), Code::ValueTooLong),
            ("order_id={order_id}".to_owned(), Code::UnreplacedMacro),
        ] {
            let inbound = postback(&query);
            assert_eq!((code_of(&inbound.order_id), unreadable(&inbound)), (Some(code), None), "{query}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_refuse_an_identity_and_are_stripped_elsewhere() {
        for bad in ["%FF", "%00", "%1F", "%7F", "%C2%85", "%ED%A0%80"] {
            let query = format!("transaction_id=a{bad}b");
            assert_eq!(unreadable(&postback(&query)), Some((Code::InvalidEncoding, "transaction_id")), "{bad}");
            let inbound = postback(&format!("adv_sub_id=a{bad}b&ow{bad}n=1"));
            assert_eq!(inbound.adv_sub_ids[0].as_deref(), Some("ab"), "{bad}");
            assert_eq!(inbound.extras, [("own".to_owned(), "1".to_owned())]);
            assert!(warned(&inbound).contains(&(WarningCode::CharactersStripped, "adv_sub_id")));
            assert!(warned(&inbound).contains(&(WarningCode::CharactersStripped, "own")));
        }
        assert_eq!(postback("adv_sub_id=%FF").adv_sub_ids[0], None);
        assert_eq!(postback("revenue=1%002").revenue, AmountSlot::Value(Micros::from_i64(12_000_000)));
    }

    #[test]
    fn a_placeholder_refuses_an_identity_and_is_absent_elsewhere() {
        for placeholder in [
            "{x}",
            "{{x}}",
            "{{ x }}",
            "[x]",
            "[[x]]",
            "${x}",
            "%x%",
            "%%x%%",
            "#x#",
            "<x>",
            "{aff_sub2}",
            "{a.b-c}",
            "%device_id%",
            "%CAMPAIGN%",
            "REPLACE",
            "replace_me",
            "REPLACE_WITH_ID",
            "TRANSACTION_ID",
            "Click_Id",
            "CLICKID",
            "YOUR_ID",
            "your_click",
            "NULL",
            "null",
            "Undefined",
            "none",
            "NaN",
        ] {
            for text in [placeholder.to_owned(), encode(placeholder)] {
                let inbound = postback(&format!("transaction_id={text}&adv_sub_id={text}&revenue={text}"));
                assert_eq!(code_of(&inbound.transaction_id), Some(Code::UnreplacedMacro), "{text}");
                assert_eq!(unreadable(&inbound), None, "{text}");
                assert_eq!((&inbound.adv_sub_ids[0], &inbound.revenue), (&None, &AmountSlot::Absent), "{text}");
                let ignored = WarningCode::UnreplacedIgnored;
                assert_eq!(warned(&inbound), [(ignored, "revenue"), (ignored, "adv_sub_id")], "{text}");
            }
        }
    }

    #[test]
    fn what_only_resembles_a_placeholder_is_a_value() {
        for text in ["{}", "{a", "a}", "x{y}z", "[two words]", "nullify", "replaced", "yours", "nonesuch", "%", "##"] {
            assert_eq!(postback(&format!("order_id={}", encode(text))).order_id, value(text), "{text}");
        }
    }

    #[test]
    fn identity_is_refused_one_character_above_its_limit() {
        for (name, limit) in [("transaction_id", 64), ("event_name", 255), ("status", 16)] {
            for length in [limit - 1, limit] {
                let inbound = postback(&format!("{name}={}", encode(&"é".repeat(length))));
                assert_eq!(unreadable(&inbound), None, "{name} {length}");
            }
            let inbound = postback(&format!("{name}={}", encode(&"é".repeat(limit + 1))));
            assert_eq!(unreadable(&inbound), Some((Code::ValueTooLong, name)));
        }
        let long = format!("external_transaction_id={}", "a".repeat(256));
        assert_eq!(unreadable(&at(Door::Clickless, &long)), Some((Code::ValueTooLong, "external_transaction_id")));
        for length in [254, 255] {
            let text = "a".repeat(length);
            let query = format!("external_transaction_id={text}&order_id={text}");
            let inbound = at(Door::Clickless, &query);
            assert_eq!((&inbound.external_transaction_id, &inbound.order_id), (&value(&text), &value(&text)));
        }
        let click = at(Door::Click, &long);
        assert_eq!(click.external_transaction_id, value(&"a".repeat(255)));
        assert_eq!(warned(&click), [(WarningCode::ValueCut, "external_transaction_id")]);
    }

    #[test]
    fn descriptive_text_is_cut_one_character_above_its_limit() {
        for (name, limit) in [
            ("sub_id_3", 500),
            ("adv_sub_id", 500),
            ("user_agent", 1024),
            ("device_id", 128),
            ("new_rejected_reason", 500),
            ("third_party_rejected_reason", 500),
        ] {
            for (length, kept) in [(limit - 1, limit - 1), (limit, limit), (limit + 1, limit)] {
                let inbound = postback(&format!("{name}={}", "é".repeat(length)));
                let read = [
                    &inbound.sub_ids[2],
                    &inbound.adv_sub_ids[0],
                    &inbound.user_agent,
                    &inbound.device_id,
                    &inbound.rejected_reason,
                    &inbound.third_party_rejected_reason,
                ];
                let text = read.into_iter().flatten().next().unwrap();
                assert_eq!(text.chars().count(), kept, "{name}");
                let expected = if length > limit { vec![(WarningCode::ValueCut, name)] } else { vec![] };
                assert_eq!(warned(&inbound), expected);
            }
        }
    }

    #[test]
    fn more_than_64_parameters_or_a_name_of_more_than_64_bytes_cannot_be_read() {
        let many = |count: usize| vec!["adv_sub_id=a"; count].join("&");
        assert_eq!(unreadable(&postback(&many(63))), None);
        assert_eq!(unreadable(&postback(&many(64))), None);
        assert_eq!(unreadable(&postback(&many(65))), Some((Code::TooManyParameters, "")));
        let name = |bytes: usize| format!("{}=1", "n".repeat(bytes));
        assert_eq!(unreadable(&postback(&name(63))), None);
        assert_eq!(unreadable(&postback(&name(64))), None);
        assert_eq!(unreadable(&postback(&name(65))), Some((Code::TooManyParameters, "")));
        assert_eq!(unreadable(&postback(&format!("{}=1", "%C3%A9".repeat(33)))), Some((Code::TooManyParameters, "")));

        let click = at(Door::Click, &format!("offer=1&publisher=2&{}&{}", name(65), many(64)));
        assert_eq!((unreadable(&click), click.offer), (None, Slot::Value(OfferId::new(1).unwrap())));
    }

    #[test]
    fn numbers_of_offers_and_publishers_have_bounds() {
        for (text, number) in [("1", 1), ("042", 42), ("2147483646", 2_147_483_646), ("2147483647", i32::MAX)] {
            let inbound = at(Door::Click, &format!("offer={text}&publisher={text}"));
            assert_eq!(inbound.offer, Slot::Value(OfferId::new(number).unwrap()));
            assert_eq!(inbound.publisher, Slot::Value(PublisherId::new(number).unwrap()));
        }
        for text in ["0", "-1", "%2B1", "1.0", "1e3", "2147483648", "99999999999999999999", "abc", "٤٢"] {
            let inbound = at(Door::Clickless, &format!("offer={text}&publisher={text}&event_id={text}"));
            assert_eq!(code_of(&inbound.offer), Some(Code::UnknownOffer), "{text}");
            assert_eq!(code_of(&inbound.publisher), Some(Code::UnknownPublisher), "{text}");
            assert_eq!(code_of(&inbound.event_id), Some(Code::UnknownEvent), "{text}");
        }
        assert_eq!(code_of(&at(Door::Click, "offer={offer}").offer), Some(Code::UnreplacedMacro));
    }

    #[test]
    fn a_status_has_aliases() {
        for (text, status) in [
            ("approved", Status::Approved),
            ("1", Status::Approved),
            ("PENDING", Status::Pending),
            ("2", Status::Pending),
            ("rejected", Status::Rejected),
            ("declined", Status::Rejected),
            ("3", Status::Rejected),
        ] {
            assert_eq!(postback(&format!("status={text}")).status, Slot::Value(status));
        }
        for text in ["0", "4", "ok", "approve"] {
            assert_eq!(code_of(&postback(&format!("status={text}")).status), Some(Code::InvalidStatus), "{text}");
        }
    }

    #[test]
    fn money_is_read_rounded_or_kept_as_it_came() {
        let rounded = postback("revenue=1.0000005&payout=1,50&purchase_value=0&currency=EURO");
        assert_eq!(rounded.revenue, AmountSlot::Value(Micros::from_i64(1_000_000)));
        assert_eq!(rounded.payout, AmountSlot::Unreadable("1,50".to_owned()));
        assert_eq!(rounded.purchase_value, AmountSlot::Value(Micros::ZERO));
        assert_eq!(rounded.currency, CurrencySlot::Unknown("EURO".to_owned()));
        assert_eq!(warned(&rounded), [(WarningCode::AmountRounded, "revenue")]);
        let long = postback(&format!("revenue={}", "9".repeat(100)));
        assert_eq!(long.revenue, AmountSlot::Unreadable("9".repeat(64)));
    }

    #[test]
    fn a_session_time_is_seconds_or_hours_minutes_seconds() {
        for (text, seconds) in [
            ("0", 0),
            ("90", 90),
            ("00:01:30", 90),
            ("8760:00:00", 31_536_000),
            ("31535999", 31_535_999),
            ("31536000", 31_536_000),
        ] {
            assert_eq!(postback(&format!("session_time={text}")).session_time_seconds, Some(seconds), "{text}");
        }
        for text in ["31536001", "8760:00:01", "1:60:00", "1:0:0", "1:30", "-5", "5s", "::", "1:00:00:00", "9999999999"]
        {
            let inbound = postback(&format!("session_time={text}"));
            assert_eq!(inbound.session_time_seconds, None, "{text}");
            assert_eq!(warned(&inbound), [(WarningCode::ValueDropped, "session_time")], "{text}");
        }
    }

    #[test]
    fn a_conversion_ip_has_neither_port_nor_zone() {
        for (text, address) in
            [("203.0.113.9", "203.0.113.9"), ("2001:DB8::1", "2001:db8::1"), ("::ffff:1.2.3.4", "1.2.3.4")]
        {
            assert_eq!(postback(&format!("conversion_ip={text}")).conversion_ip, address.parse().ok());
        }
        for text in ["203.0.113.9:80", "fe80::1%25eth0", "[2001:db8::1]:80", "1.2.3", "01.2.3.4", "host"] {
            assert_eq!(postback(&format!("conversion_ip={text}")).conversion_ip, None, "{text}");
        }
    }

    #[test]
    fn an_email_has_one_at_sign_and_at_most_254_characters() {
        let email = |length: usize| format!("{}@b.example", "a".repeat(length - 10));
        for length in [253, 254] {
            assert_eq!(postback(&format!("user_email={}", email(length))).user_email, Some(email(length)));
        }
        for text in [email(255).as_str(), "a", "@b", "a@", "a@b@c", "a b@c"] {
            let inbound = postback(&format!("user_email={text}"));
            assert_eq!(inbound.user_email, None, "{text}");
            assert_eq!(warned(&inbound), [(WarningCode::ValueDropped, "user_email")]);
        }
    }

    #[test]
    fn a_device_id_of_zeros_is_none() {
        for text in ["00000000-0000-0000-0000-000000000000", "0", "00000000000000000000000000000000"] {
            assert_eq!(postback(&format!("device_id={text}")).device_id, None);
        }
        assert_eq!(postback("device_id=0-1").device_id.as_deref(), Some("0-1"));
    }

    #[test]
    fn aliases_belong_to_their_door() {
        for name in ["click_id", "clickid"] {
            assert_eq!(postback(&format!("{name}=a")).transaction_id, value("a"));
            let click = at(Door::Click, &format!("{name}=a"));
            assert_eq!((click.transaction_id, click.extras.len()), (Slot::Absent, 1));
        }
        assert_eq!(at(Door::Rejection, "reason=a").rejected_reason.as_deref(), Some("a"));
        assert_eq!(at(Door::Status, "reason=a").rejected_reason.as_deref(), Some("a"));
        assert_eq!(postback("reason=a").rejected_reason, None);
        assert_eq!(postback("test=1").extras, [("test".to_owned(), "1".to_owned())]);
        assert!(!at(Door::Pixel, "dry_run=1").dry_run);
    }

    #[test]
    fn a_click_is_refused_for_its_offer_or_publisher_only_and_a_pixel_for_its_id() {
        let wrong = "revenue=1&revenue=2&status=x&event_id=x&order_id=a%00&order_id=b&event_name={e}&session_time=x";
        let long = "a".repeat(300);
        for door in [Door::Click, Door::Pixel] {
            let inbound = at(door, &format!("{wrong}&conversion_id={long}"));
            assert_eq!(unreadable(&inbound), None);
            assert_eq!(
                (inbound.status, inbound.event_id, inbound.event_name),
                (Slot::Absent, Slot::Absent, Slot::Absent)
            );
            assert_eq!(inbound.order_id, value("a"));
            assert_eq!(inbound.revenue, AmountSlot::Value(Micros::from_i64(1_000_000)));
        }
        for name in ["offer", "publisher"] {
            let query = format!("{name}=1&{name}=2");
            assert_eq!(unreadable(&at(Door::Click, &query)), Some((Code::AmbiguousParameter, name)));
            assert_eq!(unreadable(&at(Door::Pixel, &query)), None);
        }
        assert_eq!(at(Door::Pixel, "offer=abc").offer, Slot::Absent);
        assert_eq!(code_of(&at(Door::Pixel, "transaction_id={t}").transaction_id), Some(Code::UnreplacedMacro));
        assert_eq!(at(Door::Click, "transaction_id={t}").transaction_id, Slot::Absent);
    }

    #[test]
    fn an_unusable_transaction_id_does_not_pass_for_none_on_the_clickless_door() {
        assert_eq!(code_of(&at(Door::Clickless, "transaction_id={t}").transaction_id), Some(Code::UnreplacedMacro));
    }

    #[test]
    fn a_token_that_is_wrong_in_any_way_is_only_unusable() {
        assert_eq!(secret(&postback(&format!("secure={}", "s".repeat(127)))).map(str::len), Some(127));
        assert_eq!(secret(&postback(&format!("secure={}", "s".repeat(128)))).map(str::len), Some(128));
        for text in [&"s".repeat(129), "{secure}", "%x%", "NULL", "a%00b", "a%FF"] {
            let inbound = postback(&format!("secure={text}"));
            assert!(matches!(inbound.secure, SecureSlot::Unusable), "{text}");
            assert_eq!((inbound.unreadable, inbound.warnings), (None, vec![]), "{text}");
        }
        assert!(matches!(postback("secure=").secure, SecureSlot::Absent));
    }

    #[test]
    fn a_token_header_is_a_second_secure() {
        let with_header = |query: &str, header: &str| {
            let mut pairs = Pairs::from_query(query.as_bytes());
            pairs.add_token_header(header.as_bytes());
            read(Door::Postback, pairs)
        };
        assert_eq!(secret(&with_header("", " h ")), Some("h"));
        assert_eq!(secret(&with_header("secure=h", "h")), Some("h"));
        assert_eq!(secret(&with_header("secure=s", "")), Some("s"));
        for (query, header) in [("secure=s", "h"), ("secure=s&secure=h", "s")] {
            let inbound = with_header(query, header);
            assert_eq!(unreadable(&inbound), Some((Code::AmbiguousParameter, "secure")));
            assert_eq!(inbound.unreadable.unwrap().received, None);
        }
    }

    #[test]
    fn what_is_not_ours_is_kept_with_the_name_that_was_meant() {
        let inbound = postback("Trasaction_ID=abc&own=1&empty=");
        let extras = [("Trasaction_ID".to_owned(), "abc".to_owned()), ("own".to_owned(), "1".to_owned())];
        assert_eq!(inbound.extras, extras);
        for (query, expected) in [
            ("trasaction_id=1", Some("transaction_id")),
            ("transactionId=1", Some("transaction_id")),
            ("orderid=1", Some("order_id")),
            ("adv_subid_2=1", Some("adv_sub_id_2")),
            ("order=1", None),
            ("own=1", None),
            ("for=1", None),
        ] {
            assert_eq!(hint(query).as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn twenty_additional_parameters_of_200_characters_are_kept() {
        for (sent, kept) in [(19, 19), (20, 20), (21, 20)] {
            let query: Vec<String> = (0..sent).map(|n| format!("x{n}x=1")).collect();
            let inbound = postback(&query.join("&"));
            assert_eq!(inbound.extras.len(), kept);
            let dropped = warned(&inbound).iter().filter(|(code, _)| *code == WarningCode::ExtraDropped).count();
            assert_eq!(dropped, sent - kept);
        }
        for (sent, kept) in [(199, 199), (200, 200), (201, 200)] {
            let inbound = postback(&format!("own={}", "é".repeat(sent)));
            assert_eq!(inbound.extras[0].1.chars().count(), kept);
        }
    }

    #[test]
    fn a_secret_under_a_wrong_name_is_not_kept() {
        let token = "rt_g_2yGv0kPq8LrTn4XcW7sZbD1mHfJ5aE3uQ9oK";
        for query in [
            format!("secrue={token}"),
            "secrue=fourteen-chars".to_owned(),
            "api_key=k".to_owned(),
            "access_token=k".to_owned(),
            format!("own={token}"),
            format!("{token}=1"),
            token.to_owned(),
        ] {
            let inbound = postback(&query);
            assert!(inbound.extras.is_empty(), "{query}");
            assert!(inbound.warnings.iter().all(|warning| !warning.field.contains("rt_g_")), "{query}");
        }
        assert_eq!(hint("secrue=x").as_deref(), Some("secure"));
    }

    #[test]
    fn what_is_said_back_is_short_and_never_private() {
        let received = |query: &str| match postback(query).order_id {
            Slot::Bad(problem) => problem.received,
            Slot::Absent | Slot::Value(_) => panic!("{query} reads"),
        };
        assert_eq!(received("order_id=a&order_id=b").as_deref(), Some("a"));
        assert_eq!(received(&format!("order_id={}", "é".repeat(256))), Some("é".repeat(64)));
        for private in ["ann@shop.example", "203.0.113.9", "2001:db8::1", "rt_o_abc"] {
            assert_eq!(received(&format!("order_id={private}&order_id=x")), None, "{private}");
        }
        let printed = format!("{:?}", postback("user_email=ann@shop.example&conversion_ip=203.0.113.9&secure=s3cret"));
        assert!(!printed.contains("ann") && !printed.contains("203") && !printed.contains("s3cret"), "{printed}");
    }

    #[test]
    fn a_flat_json_object_reads_like_a_query() {
        let inbound = json(
            r#" {"transaction_id":"a\u0062","revenue":12.50,"payout":1e3,"order_id":10000000000000000000001,
                "event_name":null,"dry_run":true,"adv_sub_id":"100%25 a+b","own":false} "#,
        );
        assert_eq!(inbound.transaction_id, value("ab"));
        assert_eq!(inbound.revenue, AmountSlot::Value(Micros::from_i64(12_500_000)));
        assert_eq!(inbound.payout, AmountSlot::Unreadable("1e3".to_owned()));
        assert_eq!(inbound.order_id, value("10000000000000000000001"));
        assert_eq!(inbound.event_name, Slot::Absent);
        assert!(inbound.dry_run);
        assert_eq!(inbound.adv_sub_ids[0].as_deref(), Some("100%25 a+b"));
        assert_eq!(inbound.extras, [("own".to_owned(), "false".to_owned())]);
        let twice = json(r#"{"transaction_id":"a","transaction_id":"b"}"#);
        assert_eq!(unreadable(&twice), Some((Code::AmbiguousParameter, "transaction_id")));
        let half = json(r#"{"transaction_id":"\ud800"}"#);
        assert_eq!(unreadable(&half), Some((Code::InvalidEncoding, "transaction_id")));
    }

    #[test]
    fn json_that_is_not_utf_8_is_damaged_where_it_is_not() {
        let mut pairs = Pairs::default();
        pairs
            .add_json(b"\xEF\xBB\xBF{\"transaction_id\":\"a\xFF\",\"adv_sub_id\":\"b\xFFc\",\"order_id\":\"d\"}")
            .unwrap();
        let inbound = read(Door::Postback, pairs);
        assert_eq!(unreadable(&inbound), Some((Code::InvalidEncoding, "transaction_id")));
        assert_eq!(inbound.adv_sub_ids[0].as_deref(), Some("bc"));
        assert_eq!(inbound.order_id, value("d"));
    }

    #[test]
    fn json_that_is_no_flat_object_adds_nothing() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
        for (body, problem) in [
            ("[]", JsonProblem::NotAnObject),
            ("1", JsonProblem::NotAnObject),
            ("a=1", JsonProblem::NotAnObject),
            ("{", JsonProblem::Malformed),
            ("{} {}", JsonProblem::Malformed),
            (r#"{"a":01}"#, JsonProblem::Malformed),
            (r#"{"a":1,"b":{}}"#, JsonProblem::Nested),
            (r#"{"a":1,"b":[2]}"#, JsonProblem::Nested),
            (&deep, JsonProblem::Nested),
        ] {
            let mut pairs = Pairs::default();
            assert_eq!(pairs.add_json(body.as_bytes()), Err(problem));
            assert!(pairs.is_empty());
            assert_eq!(problem.code(), Code::UnsupportedMediaType);
        }
        let mut pairs = Pairs::default();
        assert_eq!(pairs.add_json(b" \n"), Ok(()));
    }

    #[test]
    fn the_door_at_the_root_is_chosen_by_names_alone() {
        for (query, door) in [
            ("transaction_id=a&secure=s&new_rejected_reason=", Some(Door::Rejection)),
            ("New_Rejected_Reason", Some(Door::Rejection)),
            ("secure=s&transaction_id=a", Some(Door::Postback)),
            ("secure=&clickid=&offer=1", Some(Door::Postback)),
            ("secure={s}&amp;click_id=a", Some(Door::Postback)),
            ("secure=s&publisher=7&offer=42", Some(Door::Clickless)),
            ("offer=42&publisher=7&click_id=a", Some(Door::Click)),
            ("offer=", Some(Door::Click)),
            ("secure=s", Some(Door::Postback)),
            ("transaction_id=a", Some(Door::Postback)),
            ("publisher=7", None),
            ("utm_source=x", None),
            ("", None),
        ] {
            assert_eq!(Pairs::from_query(query.as_bytes()).door_at_root(), door, "{query}");
        }
        let mut pairs = Pairs::from_query(b"transaction_id=a");
        pairs.add_token_header(b"s");
        assert!(pairs.has_token() && !pairs.has("secure"));
        assert_eq!(pairs.door_at_root(), Some(Door::Postback));
        assert!(Pairs::from_query(b"").is_empty());
    }

    #[test]
    fn a_name_is_near_when_at_most_a_quarter_differs() {
        assert_eq!(edit_distance(b"offer", b"offer", 0), Some(0));
        assert_eq!(edit_distance(b"ofer", b"offer", 1), Some(1));
        assert_eq!(edit_distance(b"kitten", b"sitting", 3), Some(3));
        assert_eq!(edit_distance(b"kitten", b"sitting", 2), None);
        assert_eq!(edit_distance(b"", b"abc", 3), Some(3));
        assert_eq!(edit_distance(b"secrue", b"secure", 1), Some(1));
        assert_eq!(edit_distance(b"score", b"secure", 1), None);
    }

    fn check(inbound: &Inbound) {
        let problems = [&inbound.unreadable, &inbound.order_id.clone().into_problem()];
        for received in problems.into_iter().flatten().filter_map(|problem| problem.received.as_ref()) {
            assert!(received.chars().count() <= RECEIVED_CHARACTERS_MAX);
        }
        assert!(inbound.extras.len() <= EXTRAS_MAX);
        assert!(inbound.warnings.iter().all(|warning| warning.field.chars().count() <= RECEIVED_CHARACTERS_MAX));
        for text in inbound.sub_ids.iter().chain(&inbound.adv_sub_ids).flatten() {
            assert!(!text.is_empty() && text.chars().count() <= 500 && !text.contains(char::is_control));
        }
    }

    impl<T> Slot<T> {
        fn into_problem(self) -> Option<Problem> {
            match self {
                Self::Absent | Self::Value(_) => None,
                Self::Bad(problem) => Some(problem),
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_at_any_door(
            query in proptest::collection::vec(any::<u8>(), 0..400),
            body in proptest::collection::vec(any::<u8>(), 0..200),
            token in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            for door in DOORS {
                let mut pairs = Pairs::from_query(&query);
                pairs.add_form(&body);
                let _ = pairs.add_json(&body);
                pairs.add_token_header(&token);
                let _ = pairs.door_at_root();
                check(&read(door, pairs));
            }
        }

        #[test]
        fn no_values_of_known_names_panic_at_any_door(
            sent in proptest::collection::vec((0..PARAMETERS.len(), "(\\PC{0,20}|[{}%$#<>\\[\\]a0-9.:@-]{0,12})"), 0..12),
        ) {
            let query: Vec<String> =
                sent.iter().map(|(index, text)| format!("{}={}", PARAMETERS[*index].name, encode(text))).collect();
            let body: String = serde_json::to_string(
                &sent.iter().map(|(index, text)| (PARAMETERS[*index].name, text)).collect::<std::collections::BTreeMap<_, _>>(),
            ).unwrap();
            for door in DOORS {
                check(&at(door, &query.join("&")));
                let mut pairs = Pairs::default();
                prop_assert_eq!(pairs.add_json(body.as_bytes()), Ok(()));
                check(&read(door, pairs));
            }
        }
    }
}

//! The grammar of parameters: from what a transport delivered to typed values, once.
//!
//! Three classes of parameter (`docs/postbacks.md`): **identity** refuses when it is wrong, **money**
//! refuses only where an offer is strict, **descriptive** never refuses. Reading decides nothing about
//! business: what is wrong is kept as a value, and `screening` decides in its own order, because nothing
//! about a request may be told before its token is verified.

use std::net::IpAddr;

use secrecy::SecretString;

use super::code::Code;
use super::ids::{OfferId, PublisherId};
use super::money::{Currency, Micros};
use super::status::Status;

/// Which door a request came through. Decides the aliases and the class of some parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    Click,
    Postback,
    Clickless,
    Pixel,
    Rejection,
    Status,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Slot<T> {
    #[default]
    Absent,
    Value(T),
    Bad(Problem),
}

/// A money parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AmountSlot {
    #[default]
    Absent,
    Value(Micros),
    /// At most 64 characters of what came.
    Unreadable(String),
}

/// The currency on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
}

/// Something that was mended or ignored on the way, said in the answer and on the receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum WarningCode { $($name,)* }

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
    NoDedupeKey = "no_dedupe_key", "Without order_id or external_transaction_id a repeat after the repeat window counts again.";
}

/// A request as it reads. Nothing here has been judged.
#[derive(Debug)]
pub struct Inbound {
    pub door: Door,
    /// The first thing that keeps the request from being read at all (check 1).
    pub unreadable: Option<Problem>,
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
    pub conversion_ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// In clear: `privacy` makes its stored forms, and nothing else may keep it.
    pub user_email: Option<String>,
    pub device_id: Option<String>,
    /// `new_rejected_reason` or `reason`.
    pub rejected_reason: Option<String>,
    pub third_party_rejected_reason: Option<String>,
    /// The MAC of a test link, on the click door.
    pub test: Option<String>,
    pub dry_run: bool,
    /// `format=text`.
    pub text_answer: bool,
    /// Parameters that are not ours, at most 20, names and values at most 200 characters.
    pub extras: Vec<(String, String)>,
    pub warnings: Vec<Warning>,
}

//! A receipt: the record of one inbound request. What came, every check, the verdict.
//!
//! Never holds a secret; personal values only in their private forms.

use std::net::IpAddr;

use super::clock::Timestamp;
use super::code::Code;
use super::ids::{ConversionId, OfferId, PublisherId, ReceiptId, TokenId};
use super::inbound::{Door, Warning};
use super::privacy::PrivateAddress;
use super::screening::Check;
use super::status::Status;
use super::transaction_id::TransactionId;

/// How a request reached us, apart from its parameters.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub at: Timestamp,
    pub method: String,
    /// The `Host` header, at most 255 characters.
    pub host: String,
    pub path: String,
    /// The sender's own address, after `trusted_proxies`.
    pub address: IpAddr,
    pub user_agent: Option<String>,
    /// Origin of the `Referer` header, for clicks.
    pub referrer_origin: Option<String>,
    /// A bot or a preview by its user agent, for clicks.
    pub is_bot: bool,
    pub request_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub id: ReceiptId,
    pub received_at: Timestamp,
    pub door: Door,
    pub code: Code,
    /// The check that decided: those before it passed, those after it were not reached. None: all passed.
    pub decisive_check: Option<Check>,
    /// One sentence: what exactly was wrong.
    pub detail: Option<String>,
    pub field: Option<String>,
    /// At most 64 characters of what was wrong.
    pub received: Option<String>,
    pub method: String,
    pub host: String,
    pub path: String,
    /// Form-encoded, normalised, in private forms.
    pub params: String,
    pub address: PrivateAddress,
    pub user_agent: Option<String>,
    pub latency_us: i64,
    pub is_test: bool,
    /// The token asked for 200 where a 4xx would be due.
    pub lenient: bool,
    pub token: Option<TokenId>,
    pub offer: Option<OfferId>,
    pub publisher: Option<PublisherId>,
    pub transaction_id: Option<TransactionId>,
    pub conversion: Option<ConversionId>,
    /// Of the conversion, as answered.
    pub status: Option<Status>,
    pub warnings: Vec<Warning>,
    pub request_id: String,
}

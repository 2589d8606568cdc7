//! What lists can be narrowed by, and the conditions that it becomes.
//!
//! Text is compared exactly, byte by byte, on both engines (`LIKE` would fold case on one of them only). A text that
//! no column can hold matches nothing: it is a caller's odd wish, not our failure.

use std::fmt;

use ipnet::IpNet;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func};
use sea_orm::{ColumnTrait, Condition};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::keyring::Keyring;
use crate::domain::privacy::{PersonalHash, hash_address};
use crate::domain::transaction_id::{CHARACTERS, TransactionId};

/// Half-open: `since` ≤ t < `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    pub since: Timestamp,
    /// None: up to now.
    pub until: Option<Timestamp>,
}

/// All that are given must hold; one that is empty lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StringMatch {
    pub eq: Option<String>,
    /// Any of these; an empty list matches nothing.
    pub any_of: Option<Vec<String>>,
    pub prefix: Option<String>,
    pub is_null: Option<bool>,
}

/// An address as somebody who looks for one writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AddressMatch {
    /// A whole address: found by its keyed hash.
    Address(PersonalHash),
    /// A network as we keep it, /24 or /48.
    Network(String),
    /// Neither: matches nothing.
    Unreadable,
}

/// `2026-06-01T12:00:00Z/2026-06-02T12:00:00Z`, as in ISO 8601.
impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.since)?;
        self.until.map_or(Ok(()), |until| until.fmt(f))
    }
}

impl TimeRange {
    /// The same range, ending now at the latest: what comes later is not in it.
    pub fn until_now(range: Option<Self>, now: Timestamp) -> Self {
        let end = now.plus_millis(1);
        let since = range.map_or(Timestamp::from_millis(0), |range| range.since);
        Self { since, until: Some(range.and_then(|range| range.until).map_or(end, |until| until.min(end))) }
    }

    pub(super) fn condition(self, column: impl ColumnTrait) -> Condition {
        let later = Condition::all().add(column.gte(self.since.as_millis()));
        later.add_option(self.until.map(|until| column.lt(until.as_millis())))
    }

    /// For a column of ids that begin with a time: everything that lies in the range, and `slack_seconds` of what
    /// lies beside it, because the clock may be read twice on the way.
    pub(super) fn id_condition(self, column: impl ColumnTrait, slack_seconds: i64) -> Condition {
        let low = column.gte(lowest_id(self.since.plus_seconds(-slack_seconds)));
        let high = self.until.map(|until| column.lt(lowest_id(until.plus_seconds(slack_seconds))));
        Condition::all().add(low).add_option(high)
    }

    /// How long it is; up to now where it has no end.
    pub fn millis(self, now: Timestamp) -> i64 {
        self.until.unwrap_or(now).millis_since(self.since)
    }
}

impl StringMatch {
    pub fn eq(text: impl Into<String>) -> Self {
        Self { eq: Some(text.into()), ..Self::default() }
    }

    /// An index on the column finds what it matches.
    pub(super) fn is_exact(&self) -> bool {
        self.eq.is_some() || self.any_of.is_some()
    }

    pub(super) fn condition(&self, column: impl ColumnTrait) -> Condition {
        let eq = self.eq.as_ref().map(|text| in_list(column, [text]));
        let any_of = self.any_of.as_ref().map(|texts| in_list(column, texts));
        let prefix = self.prefix.as_ref().map(|prefix| begins_with(column, prefix));
        let is_null = self.is_null.map(|is_null| if is_null { column.is_null() } else { column.is_not_null() });
        Condition::all().add_option(eq).add_option(any_of).add_option(prefix).add_option(is_null)
    }

    /// For a column of transaction ids, which are bytes: texts are decoded, a prefix becomes a range.
    pub(super) fn transaction_condition(&self, column: impl ColumnTrait) -> Condition {
        let eq = self.eq.as_ref().map(|text| in_transactions(column, [text]));
        let any_of = self.any_of.as_ref().map(|texts| in_transactions(column, texts));
        let prefix = self.prefix.as_ref().map(|prefix| begins_with_digits(column, prefix));
        let is_null = self.is_null.map(|is_null| if is_null { column.is_null() } else { column.is_not_null() });
        Condition::all().add_option(eq).add_option(any_of).add_option(prefix).add_option(is_null)
    }
}

impl AddressMatch {
    pub fn parse(keyring: &Keyring, text: &str) -> Self {
        let address = text.trim().parse().ok().map(|address| Self::Address(hash_address(keyring, address)));
        let network = || text.trim().parse::<IpNet>().ok().map(|network| Self::Network(network.trunc().to_string()));
        address.or_else(network).unwrap_or(Self::Unreadable)
    }

    /// Any of a list; an empty one matches nothing.
    pub(super) fn any(all: &[Self], network: impl ColumnTrait, hash: impl ColumnTrait) -> Condition {
        // An empty `any` would let everything through.
        all.iter().fold(Condition::any().add(nothing()), |any, one| any.add(one.condition(network, hash)))
    }

    fn condition(&self, network: impl ColumnTrait, hash: impl ColumnTrait) -> Expr {
        match self {
            Self::Address(address) => hash.eq(address.as_bytes().to_vec()),
            Self::Network(text) => network.eq(text.as_str()),
            Self::Unreadable => nothing(),
        }
    }
}

/// Any of a list; none where no list is given, nothing where it is empty.
pub(super) fn one_of<C: ColumnTrait, V: Into<sea_orm::Value>>(
    column: C,
    values: Option<impl IntoIterator<Item = V>>,
) -> Option<Expr> {
    values.map(|values| column.is_in(values))
}

/// The first id of a millisecond.
pub(super) fn lowest_id(at: Timestamp) -> Uuid {
    let millis = u128::try_from(at.as_millis()).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}

/// No row.
fn nothing() -> Expr {
    Expr::val(1).eq(0)
}

fn in_list<'a>(column: impl ColumnTrait, texts: impl IntoIterator<Item = &'a String>) -> Expr {
    column.is_in(texts.into_iter().filter(|text| !text.contains('\0')).map(String::as_str))
}

fn begins_with(column: impl ColumnTrait, prefix: &str) -> Expr {
    if prefix.contains('\0') {
        return nothing();
    }
    let length = i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX);
    let start = Func::cust("SUBSTR").arg(column.into_expr()).arg(1).arg(length);
    Expr::expr(start).eq(prefix)
}

fn in_transactions<'a>(column: impl ColumnTrait, texts: impl IntoIterator<Item = &'a String>) -> Expr {
    let ids = texts.into_iter().filter_map(|text| TransactionId::parse(text).ok());
    column.is_in(ids.map(|id| id.as_bytes().to_vec()))
}

/// Every digit is five bits and the whole is 25 bytes, so the prefix filled up with the lowest and with the highest
/// digit are the ends of its range.
fn begins_with_digits(column: impl ColumnTrait, prefix: &str) -> Expr {
    let digits: String = prefix.chars().filter(|character| *character != '-').collect();
    let filled = |digit: &str| {
        let missing = CHARACTERS.saturating_sub(digits.chars().count());
        TransactionId::parse(&format!("{digits}{}", digit.repeat(missing))).ok()
    };
    match (filled("0"), filled("z")) {
        (Some(low), Some(high)) => column.between(low.as_bytes().to_vec(), high.as_bytes().to_vec()),
        (Some(_), None) | (None, Some(_)) | (None, None) => nothing(),
    }
}

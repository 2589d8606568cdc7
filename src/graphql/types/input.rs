//! What several lists are narrowed by.

use async_graphql::{InputObject, MaybeUndefined, Result, SimpleObject};

use super::money::read_amount;
use crate::{
    domain::{clock::Timestamp, money::Micros},
    graphql::{
        error,
        scalars::{DateTime, Decimal},
        types::words::SortDirection,
    },
    store::{conversions::RANGE_MILLIS_MAX, filter, page::Direction},
};

/// A range of time, half-open: since ≤ t < until.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct DateTimeRange {
    /// The first instant.
    since: DateTime,
    /// The first instant that is not in it; now, where it is not sent.
    until: Option<DateTime>,
}

impl From<DateTimeRange> for filter::TimeRange {
    fn from(range: DateTimeRange) -> Self {
        Self { since: range.since.0, until: range.until.map(|until| until.0) }
    }
}

impl DateTimeRange {
    /// The range of a read that looks at every row of it: 31 days at most.
    ///
    /// # Errors
    /// What the caller can put right.
    pub fn of_a_month(self, field: &str, now: Timestamp) -> Result<filter::TimeRange> {
        let range = filter::TimeRange::from(self);
        if range.millis(now) > RANGE_MILLIS_MAX {
            return Err(error::bad_user_input(format!("{field} holds 31 days at most: shorten it")));
        }
        Ok(range)
    }
}

/// A range of amounts, both ends in it.
#[derive(Clone, Debug, InputObject)]
pub struct DecimalRange {
    /// At least.
    gte: Option<Decimal>,
    /// At most.
    lte: Option<Decimal>,
}

impl DecimalRange {
    /// # Errors
    /// What the caller can put right.
    pub fn read(self) -> Result<(Option<Micros>, Option<Micros>)> {
        let read = |amount: Option<Decimal>| amount.as_ref().map(read_amount).transpose();
        Ok((read(self.gte)?, read(self.lte)?))
    }
}

/// How a text must be; everything that is sent must hold. Compared exactly, capitals too.
#[derive(Clone, Debug, InputObject)]
pub struct StringMatch {
    /// Exactly this.
    eq: Option<String>,
    /// Any of these; an empty list matches nothing.
    #[graphql(name = "in")]
    any_of: Option<Vec<String>>,
    /// Begins with this.
    prefix: Option<String>,
    /// True: there is none. False: there is one.
    is_null: Option<bool>,
}

impl From<StringMatch> for filter::StringMatch {
    fn from(text: StringMatch) -> Self {
        Self { eq: text.eq, any_of: text.any_of, prefix: text.prefix, is_null: text.is_null }
    }
}

impl From<SortDirection> for Direction {
    fn from(direction: SortDirection) -> Self {
        match direction {
            SortDirection::Asc => Self::Ascending,
            SortDirection::Desc => Self::Descending,
        }
    }
}

/// A field of a form: not sent, cleared, or set.
pub fn layers<A, B>(field: MaybeUndefined<A>, read: impl FnOnce(A) -> B) -> Option<Option<B>> {
    match field {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(read(value))),
    }
}

/// A parameter by its name.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub struct KeyValue {
    /// Its name.
    pub key: String,
    /// What was sent, in its private form where it is personal.
    pub value: String,
}

impl From<&(String, String)> for KeyValue {
    fn from((key, value): &(String, String)) -> Self {
        Self { key: key.clone(), value: value.clone() }
    }
}

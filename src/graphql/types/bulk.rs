//! Many conversions at once: how they are selected, and what became of them.

use std::collections::BTreeMap;

use async_graphql::{InputObject, OneofObject, Result, SimpleObject};

use super::{
    conversion::{Conversion, ConversionFilter},
    job::Job,
    money::Money,
    payload::{UserError, outcome, user_errors},
    words::ErrorPolicy,
};
use crate::{
    app::{
        Outcome,
        change_conversions::{BulkDone, BulkRequest, BulkWish, Selection},
    },
    domain::{
        ids::ConversionId,
        money::{Currency, Micros},
    },
    graphql::{
        id::{self, Id},
        scalars::SafeInt,
    },
};

/// Which conversions.
#[derive(OneofObject)]
pub enum ConversionSelection {
    /// These, 500 at most.
    Ids(Vec<Id<ConversionId>>),
    /// The base conversion of each of these transactions, 500 at most.
    TransactionIds(Vec<String>),
    /// All that this matches now, as a job.
    Filter(Box<ConversionFilter>),
}

impl ConversionSelection {
    fn read(self, ctx: &async_graphql::Context<'_>) -> Result<Selection> {
        Ok(match self {
            Self::Ids(ids) => Selection::Ids(id::all(ids)),
            Self::TransactionIds(ids) => Selection::Transactions(ids),
            Self::Filter(filter) => Selection::Filter(Box::new(filter.read(ctx)?)),
        })
    }
}

/// Which conversions are rejected, and how.
#[derive(InputObject)]
pub struct ConversionsRejectInput {
    /// Which conversions.
    selection: ConversionSelection,
    /// Why; the publisher may see it.
    reason: String,
    /// For people in the network only.
    note: Option<String>,
    /// What to do when some cannot be changed. With a filter SKIP_FAILED only.
    #[graphql(default_with = "ErrorPolicy::SkipFailed")]
    error_policy: ErrorPolicy,
    /// With a filter: refuse with SELECTION_CHANGED unless it still matches this many, 10 000 at most.
    expected_count: Option<i32>,
    /// Count and sum only; nothing is written.
    #[graphql(default = false)]
    dry_run: bool,
    /// False: no outbound postback tells of it.
    #[graphql(default = true)]
    notify_publishers: bool,
}

impl ConversionsRejectInput {
    /// # Errors
    /// What the caller can put right.
    pub fn read(self, ctx: &async_graphql::Context<'_>) -> Result<BulkRequest> {
        Ok(BulkRequest {
            selection: self.selection.read(ctx)?,
            wish: BulkWish::Reject { reason: self.reason },
            note: self.note,
            policy: self.error_policy.into(),
            expected_count: self.expected_count,
            dry_run: self.dry_run,
            notify_publishers: self.notify_publishers,
        })
    }
}

/// Which conversions are reinstated, and how.
#[derive(InputObject)]
pub struct ConversionsReinstateInput {
    /// Which conversions.
    selection: ConversionSelection,
    /// For people in the network only.
    note: Option<String>,
    /// Undo: back to the status before the last rejection; else they become Approved.
    #[graphql(default = false)]
    restore_previous: bool,
    /// What to do when some cannot be changed. With a filter SKIP_FAILED only.
    #[graphql(default_with = "ErrorPolicy::SkipFailed")]
    error_policy: ErrorPolicy,
    /// With a filter: refuse with SELECTION_CHANGED unless it still matches this many, 10 000 at most.
    expected_count: Option<i32>,
    /// Count and sum only; nothing is written.
    #[graphql(default = false)]
    dry_run: bool,
    /// False: no outbound postback tells of it.
    #[graphql(default = true)]
    notify_publishers: bool,
}

impl ConversionsReinstateInput {
    /// # Errors
    /// What the caller can put right.
    pub fn read(self, ctx: &async_graphql::Context<'_>) -> Result<BulkRequest> {
        Ok(BulkRequest {
            selection: self.selection.read(ctx)?,
            wish: BulkWish::Reinstate { restore_previous: self.restore_previous },
            note: self.note,
            policy: self.error_policy.into(),
            expected_count: self.expected_count,
            dry_run: self.dry_run,
            notify_publishers: self.notify_publishers,
        })
    }
}

/// What became of a call about many conversions.
#[derive(Default, SimpleObject)]
pub struct ConversionsPayload {
    /// Those that were named, as they are now; null for a filter.
    pub conversions: Option<Vec<Conversion>>,
    /// The job that works through a filter.
    pub job: Option<Job>,
    /// How many there are: of a filter at most 10 000 are counted.
    pub matched: SafeInt,
    /// How many were changed, or would be; of a filter the job tells.
    pub changed: SafeInt,
    /// How many are as wanted already.
    pub unchanged: SafeInt,
    /// By how much the revenue of the figures moved, or would, in each currency.
    pub revenue_change: Vec<Money>,
    /// By how much the payout of the figures moved, or would, in each currency.
    pub payout_change: Vec<Money>,
    /// What the caller can put right: with an index, about one that was named.
    pub user_errors: Vec<UserError>,
}

impl ConversionsPayload {
    /// The payload of a use case's answer.
    ///
    /// # Errors
    /// Ours.
    pub fn of(done: Outcome<BulkDone>, is_named: bool) -> Result<Option<Self>> {
        let whole = |count: u64| SafeInt(i64::try_from(count).unwrap_or(i64::MAX));
        Ok(Some(match outcome(done)? {
            Ok(done) => Self {
                conversions: is_named
                    .then(|| done.conversions.into_iter().map(|one| Conversion::of(one, None)).collect()),
                job: done.job.map(Job::from),
                matched: whole(done.matched),
                changed: whole(done.changed),
                unchanged: whole(done.unchanged),
                revenue_change: moved(&done.effect, |(revenue, _)| revenue),
                payout_change: moved(&done.effect, |(_, payout)| payout),
                user_errors: user_errors(done.faults),
            },
            Err(faults) => Self { user_errors: user_errors(faults), ..Self::default() },
        }))
    }
}

/// In the order of the currencies' codes.
fn moved(effect: &BTreeMap<Currency, (Micros, Micros)>, which: fn((Micros, Micros)) -> Micros) -> Vec<Money> {
    effect.iter().map(|(currency, both)| Money::of(which(*both), *currency)).collect()
}

//! The writer: takes what waits, settles it, and answers; and what it does when that fails.
//!
//! A fault that may pass is tried again, as long as the callers wait. A commit whose outcome is unknown is settled by
//! reading one of its rows back. A row that the database refuses is found by bisection and fails alone, with a
//! receipt that says so; its batch-mates are unharmed. The transaction belongs to this task, so a caller that hangs
//! up changes nothing.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use metrics::counter;
use tokio::time::{Instant, sleep};

use crate::domain::answer::Answer;
use crate::domain::code::Code;
use crate::domain::screening::{Check, Hit, Known, admit};
use crate::store::StoreError;
use crate::telemetry::metric;

use super::item::{Item, Settled, Unsettled};
use super::queue::{Pending, Queues};
use super::settle::{Bench, NotSettled, is_settled, settle};
use super::world::receipt;

/// Between two tries of one batch, times the number of the try.
const PAUSE: Duration = Duration::from_millis(20);

/// One task that settles batches.
pub(super) struct Writer {
    pub(super) bench: Arc<Bench>,
    pub(super) queues: Arc<Queues>,
    pub(super) batch_items_max: usize,
    /// How long a batch is tried again: nobody waits longer.
    pub(super) patience: Duration,
    /// Which column of the figures is its own.
    pub(super) slot: i16,
}

impl Writer {
    /// Works until the queues are closed and empty.
    pub(super) async fn run(self) {
        while let Some(batch) = self.queues.take(self.batch_items_max).await {
            counter!(metric::BATCHES).increment(1);
            counter!(metric::BATCH_ITEMS).increment(u64::try_from(batch.len()).unwrap_or(u64::MAX));
            self.process(batch).await;
        }
    }

    /// Settles a batch, whole or in parts, and answers every item of it.
    fn process(&self, mut batch: Vec<Pending>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match self.settle_patiently(&batch).await {
                Ok(outcomes) => {
                    for (pending, outcome) in batch.iter_mut().zip(outcomes) {
                        pending.answer(Ok(outcome));
                    }
                }
                Err(error) if error.is_transient() => {
                    tracing::warn!(error = %error, items = batch.len(), "a batch was not settled: the database is away");
                    batch.iter_mut().for_each(|pending| pending.answer(Err(Unsettled::Away)));
                }
                Err(error) if batch.len() == 1 => self.fail(batch, &error).await,
                Err(_) => {
                    let second = batch.split_off(batch.len() / 2);
                    self.process(batch).await;
                    self.process(second).await;
                }
            }
        })
    }

    async fn settle_patiently(&self, batch: &[Pending]) -> Result<Vec<Settled>, StoreError> {
        let started = Instant::now();
        for tries in 1_u32.. {
            let error = match self.settle_once(batch).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(error) => error,
            };
            let pause = PAUSE.saturating_mul(tries);
            if !error.is_transient() || started.elapsed().saturating_add(pause) > self.patience {
                return Err(error);
            }
            sleep(pause).await;
        }
        Err(StoreError::Unfit("tried for ever".into()))
    }

    /// One try; an unknown outcome is looked up until it is known or nobody waits any more.
    async fn settle_once(&self, batch: &[Pending]) -> Result<Vec<Settled>, StoreError> {
        let settled = AssertUnwindSafe(settle(&self.bench, batch, self.slot)).catch_unwind().await;
        match settled {
            Ok(Ok(outcomes)) => Ok(outcomes),
            Ok(Err(NotSettled::Failed(error))) => Err(error),
            Ok(Err(NotSettled::Unknown { source, proof: None, .. })) => Err(source),
            Ok(Err(NotSettled::Unknown { source, proof: Some(proof), outcomes })) => {
                counter!(metric::UNKNOWN_COMMITS).increment(1);
                match is_settled(&self.bench, proof).await {
                    Ok(true) => Ok(outcomes),
                    Ok(false) => Err(StoreError::Unavailable(source.into())),
                    Err(error) => Err(error),
                }
            }
            Err(_panic) => Err(StoreError::Refused("settling panicked".into())),
        }
    }

    /// The item that the database refuses: our fault, kept as a receipt, answered as `internal`.
    async fn fail(&self, mut batch: Vec<Pending>, error: &StoreError) {
        counter!(metric::FAILED_ITEMS).increment(1);
        let Some(mut pending) = batch.pop() else { return };
        let hit = match &pending.item {
            Item::Hit(hit) => Some(hit),
            Item::Click(_) | Item::Change(_) | Item::Receipt(_) => None,
        };
        let Some(hit) = hit else {
            tracing::error!(error = %error, "the database refuses an item");
            return pending.answer(Err(Unsettled::Internal));
        };
        tracing::error!(error = %error, receipt_id = %hit.receipt, "the database refuses an item");
        let snapshot = self.bench.snapshot.load_full();
        let (known, _) = admit(hit, &snapshot, &self.bench.keyring);
        let kept = self.keep_failed(hit, &known, pending.arrived).await;
        let answer = match kept {
            Ok(answer) => Ok(Settled::Answer(Box::new(answer))),
            Err(error) => {
                tracing::error!(error = %error, "the receipt of a failed item was refused too");
                Err(Unsettled::Internal)
            }
        };
        pending.answer(answer);
    }

    async fn keep_failed(&self, hit: &Hit, known: &Known, arrived: Instant) -> Result<Answer, StoreError> {
        let answer = Answer {
            receipt: known.token.map(|_| hit.receipt),
            verified: known.token.is_some(),
            ..Answer::bare(hit.inbound.door, Code::Internal)
        };
        let latency_us = i64::try_from(arrived.elapsed().as_micros()).unwrap_or(i64::MAX);
        let failed = receipt(hit, known, &answer, Some(Check::Stored), latency_us);
        let item = Pending { item: Item::Receipt(Box::new(failed)), arrived, reply: None };
        self.settle_once(&[item]).await?;
        Ok(answer)
    }
}

//! The writer: takes what waits, settles it, and answers; and what it does when that fails.
//!
//! A fault that may pass is tried again, until the breaker opens or the callers have gone. A commit whose outcome is
//! unknown is settled by reading one of its rows back. A row that the database refuses is found by bisection and fails
//! alone, with a receipt that says so; its batch-mates are unharmed. The transaction belongs to this task, so a caller
//! that hangs up changes nothing; its connection belongs to it too, and one that is in doubt is closed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use metrics::counter;
use tokio::time::{Instant, sleep, timeout};

use crate::domain::answer::Answer;
use crate::domain::code::Code;
use crate::domain::foreign_click::Aliases;
use crate::domain::screening::{Check, Hit, Known, admit};
use crate::store::batch::Repetition;
use crate::store::{Outage, StoreError, WriterConnection};
use crate::telemetry::metric;

use super::breaker::Breaker;
use super::item::{Item, Origin, Settled, Unsettled};
use super::queue::{Pending, Queues};
use super::settle::{Bench, NotSettled, Try, is_settled, settle};
use super::world::receipt;

/// Between two tries of one batch, times the number of the try.
const PAUSE: Duration = Duration::from_millis(20);
/// Between two tries of a database that is away.
const PROBE_EVERY: Duration = Duration::from_millis(250);
/// A database that takes longer to commit nothing is away still.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// One task that settles batches.
pub(super) struct Writer {
    pub(super) bench: Arc<Bench>,
    pub(super) queues: Arc<Queues>,
    pub(super) breaker: Arc<Breaker>,
    pub(super) batch_items_max: usize,
    /// How long a batch is tried: nobody waits longer.
    pub(super) patience: Duration,
    /// Which column of the figures is its own.
    pub(super) slot: i16,
    pub(super) connection: Option<WriterConnection>,
}

impl Writer {
    /// Works until the queues are closed and empty.
    pub(super) async fn run(mut self) {
        while let Some(mut batch) = self.queues.take(self.batch_items_max).await {
            if self.breaker.is_open() {
                batch.iter_mut().for_each(|pending| pending.answer(Err(Unsettled::Away)));
                continue;
            }
            counter!(metric::BATCHES).increment(1);
            counter!(metric::BATCH_ITEMS).increment(u64::try_from(batch.len()).unwrap_or(u64::MAX));
            let began = Instant::now();
            self.process(batch, Repetition::Never).await;
            self.queues.note_progress(began.elapsed());
        }
    }

    /// Settles a batch, whole or in parts, and answers every item of it.
    fn process(&mut self, mut batch: Vec<Pending>, repetition: Repetition) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match self.settle_patiently(&batch, repetition).await {
                Ok(outcomes) => {
                    self.breaker.succeeded();
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
                    self.process(batch, Repetition::Possible).await;
                    self.process(second, Repetition::Possible).await;
                }
            }
        })
    }

    async fn settle_patiently(
        &mut self,
        batch: &[Pending],
        mut repetition: Repetition,
    ) -> Result<Vec<Settled>, StoreError> {
        let deadline = Instant::now() + self.patience;
        for tries in 1_u32.. {
            let how = Try { slot: self.slot, repetition, deadline };
            let error = match self.settle_once(batch, how).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(error) => error,
            };
            match &error {
                StoreError::Late => self.breaker.trip(Outage::Away),
                // An earlier try has committed some of it after all: look before each row.
                StoreError::Taken(_) if repetition == Repetition::Never => {
                    repetition = Repetition::Possible;
                    continue;
                }
                StoreError::Unavailable(_)
                | StoreError::CommitUnknown(_)
                | StoreError::Taken(_)
                | StoreError::Refused(_)
                | StoreError::Unreadable { .. }
                | StoreError::Unfit(_)
                | StoreError::Abandoned => error.outage().into_iter().for_each(|outage| self.breaker.failed(outage)),
            }
            repetition = Repetition::Possible;
            let pause = PAUSE.saturating_mul(tries);
            if !error.is_transient() || self.breaker.is_open() || Instant::now() + pause > deadline {
                return Err(error);
            }
            sleep(pause).await;
        }
        Err(StoreError::Unfit("tried for ever".into()))
    }

    /// One try; an unknown outcome is looked up.
    async fn settle_once(&mut self, batch: &[Pending], how: Try) -> Result<Vec<Settled>, StoreError> {
        let settled = AssertUnwindSafe(settle(&self.bench, &mut self.connection, batch, how)).catch_unwind().await;
        match settled {
            Ok(Ok(outcomes)) => Ok(outcomes),
            Ok(Err(NotSettled::Failed(error))) => Err(error),
            Ok(Err(NotSettled::Unknown { source, proof: None, .. })) => Err(source),
            Ok(Err(NotSettled::Unknown { source, proof: Some(proof), outcomes })) => {
                counter!(metric::UNKNOWN_COMMITS).increment(1);
                match timeout(PROBE_PATIENCE, is_settled(&self.bench, proof)).await {
                    Ok(Ok(true)) => Ok(outcomes),
                    Ok(Ok(false)) => Err(StoreError::Unavailable(source.into())),
                    Ok(Err(error)) => Err(error),
                    Err(_) => Err(StoreError::Late),
                }
            }
            Err(_panic) => Err(StoreError::Refused("settling panicked".into())),
        }
    }

    /// The item that the database refuses: our fault, kept as a receipt, answered as `internal`.
    async fn fail(&mut self, mut batch: Vec<Pending>, error: &StoreError) {
        counter!(metric::FAILED_ITEMS).increment(1);
        let Some(mut pending) = batch.pop() else { return };
        let hit = match &pending.item {
            Item::Hit(hit) => Some(Arc::clone(hit)),
            Item::Click(_) | Item::Changes(_) | Item::Receipt(_) => None,
        };
        let Some(hit) = hit else {
            tracing::error!(error = %error, "the database refuses an item");
            return pending.answer(Err(Unsettled::Internal));
        };
        tracing::error!(error = %error, receipt_id = %hit.receipt, "the database refuses an item");
        let snapshot = self.bench.snapshot.load_full();
        let (known, _) = admit(&hit, &snapshot, &self.bench.keyring, &Aliases::default());
        let kept = self.keep_failed(&hit, &known, pending.arrived).await;
        let answer = match kept {
            Ok(answer) => Ok(Settled::Answer(Box::new(answer))),
            Err(error) => {
                tracing::error!(error = %error, "the receipt of a failed item was refused too");
                Err(Unsettled::Internal)
            }
        };
        pending.answer(answer);
    }

    async fn keep_failed(&mut self, hit: &Hit, known: &Known, arrived: Instant) -> Result<Answer, StoreError> {
        let answer = Answer {
            receipt: known.token.map(|_| hit.receipt),
            verified: known.token.is_some(),
            ..Answer::bare(hit.inbound.door, Code::Internal)
        };
        let latency_us = i64::try_from(arrived.elapsed().as_micros()).unwrap_or(i64::MAX);
        let failed = receipt(hit, known, &answer, Some(Check::Stored), latency_us);
        let item = Pending::unattended(Item::Receipt(Box::new(failed)), Origin::Kept);
        let deadline = Instant::now() + self.patience;
        self.settle_once(&[item], Try { slot: self.slot, repetition: Repetition::Possible, deadline }).await?;
        Ok(answer)
    }
}

/// Tries a database that is away until it can be written to; the breaker is closed then. Never ends: the server ends it.
pub(super) async fn probe(bench: &Bench, breaker: &Breaker) {
    loop {
        sleep(PROBE_EVERY).await;
        if !breaker.is_open() {
            continue;
        }
        match timeout(PROBE_PATIENCE, bench.database.prove_writable()).await {
            Ok(Ok(_closed)) => breaker.succeeded(),
            // The newest reason is told.
            Ok(Err(error)) => error.outage().into_iter().for_each(|outage| breaker.trip(outage)),
            Err(_late) => breaker.trip(Outage::Away),
        }
    }
}

//! What had to wait: the spool is settled once the database takes writes again, and conversions that were recorded
//! before their click get what it knows.
//!
//! In order, with the same keys, through the same queue as everything else; only what is settled is removed. A server
//! that ends in between settles some of it again, which changes nothing. A row that the database refuses alone is set
//! aside, so that it holds nothing up.
//! A click and its conversion that two writers commit at the same instant do not see each other: so conversions of the
//! last minutes that still wait for a click are looked at again.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::store::{StoreError, clicks};
use crate::telemetry::field;

use super::item::{Item, Origin, Unsettled};
use super::queue::Class;
use super::spool::{Spool, Spooled, Waiting};
use super::{Intake, SpoolState};

/// How often the spool is looked at.
const DRAIN_EVERY: Duration = Duration::from_millis(250);
/// Items that are on their way to the database at once: other clicks go on beside them.
const DRAIN_ITEMS: usize = 256;
/// How often late clicks are looked for.
const LATE_EVERY: Duration = Duration::from_secs(5);
/// Conversions that one look completes at most.
const LATE_ITEMS: u64 = 500;
/// How long after its recording a conversion is looked at again. A click that comes later completes it by itself.
const LATE_SECONDS: i64 = 15 * 60;
/// The same at start: a server that was away may have missed its looks.
const LATE_SECONDS_AT_START: i64 = 26 * 3600;

impl Intake {
    /// Empties the spool whenever the database takes writes. Never ends; run it beside the writers.
    pub async fn drain(&self) {
        let Some(spool) = &self.spool else { return };
        loop {
            sleep(DRAIN_EVERY).await;
            while spool.state().items > 0 && !self.breaker.is_open() {
                match self.drain_some(spool).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::error!({ field::ERROR } = %error, "the spool cannot be emptied");
                        break;
                    }
                }
            }
        }
    }

    /// Completes conversions whose click came at the same instant. Never ends; run it beside the writers.
    pub async fn complete_late(&self) {
        let mut seconds = LATE_SECONDS_AT_START;
        loop {
            sleep(LATE_EVERY).await;
            if self.breaker.is_open() {
                continue;
            }
            match self.complete_since(seconds).await {
                Ok(()) => seconds = LATE_SECONDS,
                Err(error) => tracing::warn!({ field::ERROR } = %error, "late clicks could not be looked for"),
            }
        }
    }

    /// One look: conversions of the last `seconds` that wait for a click which is there.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn complete_since(&self, seconds: i64) -> Result<(), StoreError> {
        let since = self.bench.clock.now().plus_seconds(-seconds);
        let late = clicks::awaited_since(&self.bench.database, since, LATE_ITEMS).await?;
        // One that is not settled now is met again.
        join_all(late.into_iter().map(|click| self.settle_kept_click(click))).await;
        Ok(())
    }

    /// How the spool stands; none where there is none.
    pub fn spool(&self) -> Option<SpoolState> {
        self.spool.as_ref().map(Spool::state)
    }

    /// Settles the first that wait; false when it is better to wait with the others.
    async fn drain_some(&self, spool: &Spool) -> Result<bool, StoreError> {
        let waiting = spool.oldest(DRAIN_ITEMS).await?;
        let settle = async |one: &Waiting| {
            let item = match &one.item {
                Spooled::Click(click) => Item::Click(click.clone()),
                Spooled::Pixel(hit) => Item::Hit(hit.clone()),
            };
            self.send(Class::Clicks, item, Origin::Kept).await.map(|_| ())
        };
        let outcomes = join_all(waiting.iter().map(settle)).await;
        let mut settled = Vec::with_capacity(waiting.len());
        let mut refused = Vec::new();
        for (one, outcome) in waiting.iter().zip(&outcomes) {
            match outcome {
                Ok(()) => settled.push(one.id),
                Err(Unsettled::Internal) => refused.push((one.id, "the database refuses it".to_owned())),
                Err(Unsettled::Full | Unsettled::Late | Unsettled::Away | Unsettled::Spooled) => {}
            }
        }
        spool.set_aside(&refused).await?;
        spool.remove(&settled).await?;
        Ok(!waiting.is_empty() && settled.len() + refused.len() == waiting.len())
    }
}

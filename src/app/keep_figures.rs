//! What one server does for all of them, in the background, so that reports are fast: it counts every day that has
//! changed, in sums and by sub id.
//!
//! Exact whatever happens: a server that ends in the middle, or two that do the same, leave nothing wrong. Reports read
//! the 15 minutes of a day whose count is old, and say how far the counts by sub id have come.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{App, AppError};
use crate::domain::clock::random_bytes;
use crate::store::days::{self, Generation};
use crate::store::keeper;
use crate::store::sub_ids::{self, Held};
use crate::telemetry::field;

/// How often the keeper looks for work, and others whether there is a keeper.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two counts at least.
const COUNT_EVERY: Duration = Duration::from_secs(60);
/// A count that took long is followed by a pause so many times as long: it reads a whole day each time.
const COUNT_SHARE: u32 = 20;
/// For how long a server holds the keeping while it counts one day.
const COUNT_HELD_SECONDS: i64 = 900;
/// For how long a server holds the keeping after its last step.
const HELD_SECONDS: i64 = 60;

/// One server's wish to keep the figures.
pub struct Keeper {
    app: Arc<App>,
    holder: String,
}

impl Keeper {
    pub fn new(app: Arc<App>) -> Self {
        let name: [u8; 16] = random_bytes(app.entropy.as_ref());
        let holder = hex::encode(name);
        Self { app, holder }
    }

    /// Looks for work for ever. A pass that fails is logged and tried again.
    pub async fn keep(&self) {
        let mut count_at = Instant::now() + COUNT_EVERY;
        loop {
            sleep(LOOK_EVERY).await;
            let begun = Instant::now();
            let counts = begun >= count_at;
            let pass = async {
                self.forget_older().await?;
                if counts { self.count_days().await } else { Ok(()) }
            };
            if let Err(error) = pass.await {
                tracing::warn!({ field::ERROR } = %error, "figures could not be looked after; again in a moment");
            }
            if counts {
                let pause = COUNT_EVERY.max(begun.elapsed().saturating_mul(COUNT_SHARE));
                count_at = Instant::now() + pause;
            }
        }
    }

    async fn hold(&self) -> Result<bool, AppError> {
        let now = self.app.clock.now();
        Ok(keeper::take(&self.app.database, &self.holder, now, now.plus_seconds(HELD_SECONDS)).await?)
    }

    /// Counts every day whose facts have changed since it was counted, if nobody else is at it.
    ///
    /// # Errors
    /// The database is away; what was counted until then holds.
    pub async fn count_days(&self) -> Result<(), AppError> {
        let database = &self.app.database;
        let generation = self.generation();
        let outdated = sub_ids::outdated(database, &generation, self.app.clock.now()).await?;
        if (outdated.is_empty() && sub_ids::stale(database).await?.is_none()) || !self.hold().await? {
            return Ok(());
        }
        for day in outdated {
            let now = self.app.clock.now();
            let held = Held { holder: self.holder.clone(), until: now.plus_seconds(COUNT_HELD_SECONDS) };
            if !sub_ids::count_day(database, &generation, day, &held, now).await? {
                return Ok(());
            }
        }
        while let Some(edition) = sub_ids::stale(database).await? {
            if !self.hold().await? {
                return Ok(());
            }
            sub_ids::delete(database, edition).await?;
        }
        Ok(())
    }

    /// Forgets the days of the generations before the newest, if nobody else is at it.
    ///
    /// # Errors
    /// The database is away; what was forgotten until then stays so.
    pub async fn forget_older(&self) -> Result<(), AppError> {
        let database = &self.app.database;
        let generation = self.generation().number;
        while let Some(day) = days::older(database, generation).await? {
            if !self.hold().await? {
                return Ok(());
            }
            days::delete_older(database, generation, day).await?;
        }
        Ok(())
    }

    fn generation(&self) -> Generation {
        let snapshot = self.app.snapshot.load();
        Generation { number: snapshot.settings.day_generation, zone: snapshot.settings.zone.clone() }
    }
}

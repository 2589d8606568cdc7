//! What one server does for all of them, in the background, so that reports are fast: the days of a new time zone, and
//! the counts by sub id.
//!
//! Exact whatever happens: a server that ends in the middle, or two that do the same, leave nothing wrong. Reports read
//! the 15 minutes until all days are there, and say how far the counts by sub id have come.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{App, AppError};
use crate::domain::calendar::Interval;
use crate::domain::clock::random_bytes;
use crate::store::days::{self, Generation};
use crate::store::keeper;
use crate::store::sub_ids::{self, Held};
use crate::telemetry::field;

/// How often the keeper looks for work, and others whether there is a keeper.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two counts by sub id at least.
const COUNT_EVERY: Duration = Duration::from_secs(60);
/// A count that took long is followed by a pause so many times as long: it reads a whole day each time.
const COUNT_SHARE: u32 = 20;
/// For how long a server holds the keeping while it counts one day.
const COUNT_HELD_SECONDS: i64 = 900;
/// For how long a server holds the keeping after its last step.
const HELD_SECONDS: i64 = 60;

/// How far the clock of another server may be ahead of ours.
const AHEAD_SECONDS: i64 = 3600;

/// One server's wish to keep the figures.
pub struct Keeper {
    app: Arc<App>,
    holder: String,
}

impl Keeper {
    pub fn new(app: Arc<App>) -> Self {
        let name: [u8; 16] = random_bytes(app.entropy.as_ref());
        let holder = name.iter().map(|byte| format!("{byte:02x}")).collect();
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
                self.complete_days().await?;
                if counts { self.count_sub_ids().await } else { Ok(()) }
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

    /// Counts every day by sub id whose facts have changed since it was counted, if nobody else is at it.
    ///
    /// # Errors
    /// The database is away; what was counted until then holds.
    pub async fn count_sub_ids(&self) -> Result<(), AppError> {
        let database = &self.app.database;
        let generation = self.generation();
        let outdated = sub_ids::outdated(database, generation.number).await?;
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

    /// Gives every day of the newest generation its base, and forgets the generations before, if nobody else is at it.
    ///
    /// # Errors
    /// The database is away; what was done until then stays done.
    pub async fn complete_days(&self) -> Result<(), AppError> {
        let database = &self.app.database;
        let generation = self.generation();
        if !days::is_complete(database, generation.number).await? {
            let zone = &generation.zone;
            let mut next = days::first(database, zone).await?;
            while let Some(day) = next.filter(|day| *day <= self.app.clock.now().plus_seconds(AHEAD_SECONDS)) {
                if !self.hold().await? {
                    return Ok(());
                }
                days::take_base(database, &generation, day).await?;
                next = Some(zone.next(day, Interval::Day));
            }
            days::complete(database, generation.number).await?;
            tracing::info!("the days of {} are counted", zone.name());
        }
        while let Some(day) = days::older(database, generation.number).await? {
            if !self.hold().await? {
                return Ok(());
            }
            days::delete_older(database, generation.number, day).await?;
        }
        Ok(())
    }

    fn generation(&self) -> Generation {
        let snapshot = self.app.snapshot.load();
        Generation { number: snapshot.settings.day_generation, zone: snapshot.settings.zone.clone() }
    }
}

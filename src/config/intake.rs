//! `[intake]`: the sizes and the patience of the write path.

use std::time::Duration;

use serde::Deserialize;

use super::database::Engine;
use super::problems::Problems;
use super::values::millis;

#[derive(Clone, Debug, Deserialize)]
pub struct IntakeConfig {
    /// Items that one transaction settles at most.
    pub batch_items_max: usize,
    /// Tasks that settle batches; 0 for what suits the engine.
    writers: usize,
    /// Conversions, rejections and receipts under a verified token.
    pub conversion_items_max: usize,
    /// Clicks and pixels.
    pub click_items_max: usize,
    /// Receipts of requests without a verified token.
    pub receipt_items_max: usize,
    /// Bytes of all queues together.
    pub queue_bytes_max: usize,
    /// From the arrival of a request to its 503.
    #[serde(rename = "answer_deadline_ms", deserialize_with = "millis")]
    pub answer_deadline: Duration,
    /// How long a visitor waits beside the time that a batch takes, while none is done with.
    #[serde(rename = "visitor_patience_ms", deserialize_with = "millis")]
    pub visitor_patience: Duration,
}

impl IntakeConfig {
    /// Tasks that settle batches: one on SQLite, which has one write lock; on PostgreSQL two, so that one batch is
    /// gathered and judged while another is written.
    pub fn writers(&self, engine: Engine) -> usize {
        match (self.writers, engine) {
            (0, Engine::Sqlite) => 1,
            (0, Engine::Postgres) => 2,
            (chosen, Engine::Sqlite | Engine::Postgres) => chosen,
        }
    }

    pub(super) fn check(&self, engine: Option<Engine>, problems: &mut Problems) {
        problems.bounds("intake.batch_items_max", self.batch_items_max as u128, 1, 4096);
        problems.bounds("intake.writers", self.writers as u128, 0, 4);
        problems.bounds("intake.conversion_items_max", self.conversion_items_max as u128, 16, 1_000_000);
        problems.bounds("intake.click_items_max", self.click_items_max as u128, 16, 1_000_000);
        problems.bounds("intake.receipt_items_max", self.receipt_items_max as u128, 16, 1_000_000);
        problems.bounds("intake.queue_bytes_max", self.queue_bytes_max as u128, 1 << 20, 1 << 32);
        problems.bounds("intake.answer_deadline_ms", self.answer_deadline.as_millis(), 100, 60_000);
        problems.bounds("intake.visitor_patience_ms", self.visitor_patience.as_millis(), 1, 60_000);
        if engine == Some(Engine::Sqlite) && self.writers > 1 {
            problems.push("intake.writers: SQLite has one write lock, so one writer");
        }
    }
}

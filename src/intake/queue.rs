//! Bounded queues by class, in their order of right of way.
//!
//! A queue is full by its items, or by the bytes of all queues together. The lock is held for a push or for taking
//! a batch, never across an await.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::item::{Item, Origin, Settled, Unsettled};

/// The order of right of way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Conversions, rejections, and every receipt under a verified token.
    Conversions,
    /// Clicks and pixels.
    Clicks,
    /// Receipts of requests without a verified token: the only class that may be thinned.
    Receipts,
}

impl Class {
    const ALL: [Self; 3] = [Self::Conversions, Self::Clicks, Self::Receipts];

    const fn index(self) -> usize {
        match self {
            Self::Conversions => 0,
            Self::Clicks => 1,
            Self::Receipts => 2,
        }
    }
}

/// An item on its way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) item: Item,
    pub(super) origin: Origin,
    pub(super) arrived: Instant,
    pub(super) reply: Option<oneshot::Sender<Result<Settled, Unsettled>>>,
}

impl Pending {
    /// An item that nobody waits for.
    pub(super) fn unattended(item: Item, origin: Origin) -> Self {
        Self { item, origin, arrived: Instant::now(), reply: None }
    }

    /// May its id be known outside, and its row be there? Not while its caller waits for the first answer.
    pub(super) fn may_repeat(&self) -> bool {
        self.origin == Origin::Kept || self.reply.as_ref().is_some_and(oneshot::Sender::is_closed)
    }

    /// Answers whoever still waits; a caller that hung up changes nothing.
    pub(super) fn answer(&mut self, outcome: Result<Settled, Unsettled>) {
        if let Some(reply) = self.reply.take() {
            let _hung_up = reply.send(outcome);
        }
    }
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    pub conversion_items_max: usize,
    pub click_items_max: usize,
    pub receipt_items_max: usize,
    /// Of all queues together; the later classes may fill a part of it only, so that a flood of clicks, or of
    /// requests without a token, never takes the last room of conversions.
    pub bytes_max: usize,
}

impl QueueLimits {
    /// How many bytes may wait in all when an item of this class comes in.
    const fn bytes_of(&self, class: Class) -> usize {
        match class {
            Class::Conversions => self.bytes_max,
            Class::Clicks => self.bytes_max / 4 * 3,
            Class::Receipts => self.bytes_max / 2,
        }
    }

    const fn of(&self, class: Class) -> usize {
        match class {
            Class::Conversions => self.conversion_items_max,
            Class::Clicks => self.click_items_max,
            Class::Receipts => self.receipt_items_max,
        }
    }
}

#[derive(Debug)]
pub(super) struct Queues {
    limits: QueueLimits,
    state: Mutex<State>,
    arrived: Notify,
    progress: Progress,
}

/// How the writers are doing.
#[derive(Debug, Default)]
struct Progress {
    batches: AtomicU64,
    /// Of the last batch.
    microseconds: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    by_class: [VecDeque<Pending>; 3],
    bytes: usize,
    closed: bool,
}

impl Queues {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self { limits, state: Mutex::default(), arrived: Notify::new(), progress: Progress::default() }
    }

    /// # Errors
    /// The item, when there is no room for it or the queues are closed.
    pub(super) fn push(&self, class: Class, pending: Pending) -> Result<(), Pending> {
        let weight = pending.item.weight();
        {
            let mut state = self.lock();
            let full = state.by_class[class.index()].len() >= self.limits.of(class)
                || state.bytes.saturating_add(weight) > self.limits.bytes_of(class);
            if full || state.closed {
                return Err(pending);
            }
            state.bytes = state.bytes.saturating_add(weight);
            state.by_class[class.index()].push_back(pending);
        }
        self.arrived.notify_one();
        Ok(())
    }

    /// What waits now, at most `items_max`, by right of way and in order of arrival; waits for the first.
    /// None once the queues are closed and empty.
    pub(super) async fn take(&self, items_max: usize) -> Option<Vec<Pending>> {
        loop {
            let notified = self.arrived.notified();
            {
                let mut state = self.lock();
                let batch = state.drain(items_max);
                if !batch.is_empty() {
                    if !state.is_empty() {
                        self.arrived.notify_one();
                    }
                    return Some(batch);
                }
                if state.closed {
                    self.arrived.notify_one();
                    return None;
                }
            }
            notified.await;
        }
    }

    /// A batch was done with, after this time.
    pub(super) fn note_progress(&self, took: Duration) {
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.progress.microseconds.store(microseconds, Ordering::Relaxed);
        self.progress.batches.fetch_add(1, Ordering::Relaxed);
    }

    /// Batches that were done with, and how long the last one took.
    pub(super) fn progress(&self) -> (u64, Duration) {
        let Progress { batches, microseconds } = &self.progress;
        (batches.load(Ordering::Relaxed), Duration::from_micros(microseconds.load(Ordering::Relaxed)))
    }

    /// Nothing comes in any more; what waits is still settled.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Items that wait, by class in their order of right of way.
    pub(super) fn depths(&self) -> [usize; 3] {
        let state = self.lock();
        Class::ALL.map(|class| state.by_class[class.index()].len())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn drain(&mut self, items_max: usize) -> Vec<Pending> {
        let mut batch = Vec::new();
        for queue in &mut self.by_class {
            let count = queue.len().min(items_max.saturating_sub(batch.len()));
            batch.extend(queue.drain(..count));
        }
        let weight: usize = batch.iter().map(|pending| pending.item.weight()).sum();
        self.bytes = self.bytes.saturating_sub(weight);
        batch
    }

    fn is_empty(&self) -> bool {
        self.by_class.iter().all(VecDeque::is_empty)
    }
}

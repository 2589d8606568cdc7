//! The spool: where a click or a pixel waits while the database is away.
//!
//! Whoever keeps an item is told so once it is synced; one task writes, and a batch of it is whatever waits when the
//! one before is done, so that many visitors share one sync and none waits for company. It is bounded, by items and by
//! bytes, and it never makes a visitor wait: where there is no room, where the disk is broken or slow, it says so at
//! once, and the visitor is sent on without a record; his id still converts.
//! The order is that of arrival; settling is idempotent, so an item that is settled and not yet removed when the
//! server dies is settled again and changes nothing.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use metrics::counter;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::domain::clock::{Clock, Timestamp};
use crate::store::StoreError;
use crate::store::spool::{Content, NewRow, SpoolFile, SpoolId};
use crate::telemetry::{field, metric};

mod payload;

pub use payload::Spooled;

/// How long a caller waits for its commit: a visitor is behind it. Also the time after which the writer counts as
/// stuck, and nobody waits for it any more.
const PATIENCE: Duration = Duration::from_millis(250);
/// Items that wait for the writer.
const WAITING_ITEMS_MAX: usize = 4096;
/// Items of one transaction.
const BATCH_ITEMS_MAX: usize = 512;

/// How much may wait, and where.
#[derive(Clone, Debug)]
pub struct SpoolOptions {
    pub file: PathBuf,
    pub items_max: u64,
    /// Of the payloads; the file is larger by about a fifth.
    pub bytes_max: u64,
}

/// Why an item was not kept, as far as the caller can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotKept {
    /// It holds as much as it may.
    #[error("the spool is full")]
    Full,
    /// The disk is slow or stuck, or too many wait for it; the item may still be kept.
    #[error("the spool did not answer in time")]
    Late,
    /// The disk is full or broken, or the file is locked.
    #[error("the spool could not write")]
    Broken,
    #[error("the spool is closed")]
    Closed,
    /// It is no item that may wait: our fault.
    #[error("this item may not wait in the spool")]
    Unfit,
}

impl NotKept {
    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Late => "late",
            Self::Broken => "broken",
            Self::Closed => "closed",
            Self::Unfit => "unfit",
        }
    }
}

/// An item that waits, with what it is removed by.
#[derive(Debug)]
pub struct Waiting {
    pub id: SpoolId,
    pub kept_at: Timestamp,
    pub item: Spooled,
}

/// How the spool stands. Costs no query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolState {
    pub items: u64,
    pub bytes: u64,
    /// Of the first that waits.
    pub oldest_age_millis: Option<i64>,
    /// Rows that no version so far could read; they are in no other figure.
    pub unreadable: u64,
    /// Items that were not kept since the start.
    pub errors: u64,
    /// Synced transactions of kept items since the start.
    pub commits: u64,
}

/// The way in and out. Cheap to clone.
#[derive(Clone)]
pub struct Spool(Arc<Shared>);

/// The writer's work, to be run as a task by whoever starts the server; it ends once [`Spool::close`] was called and
/// everything that waited for it is written.
pub type SpoolTask = BoxFuture<'static, ()>;

struct Shared {
    file: SpoolFile,
    clock: Arc<dyn Clock>,
    items_max: u64,
    bytes_max: u64,
    /// None once it is closed.
    queue: Mutex<Option<mpsc::Sender<Arriving>>>,
    level: Mutex<Level>,
    /// Held while the file is written to and `level` follows, so that the two never come apart.
    writing: tokio::sync::Mutex<()>,
    errors: AtomicU64,
    commits: AtomicU64,
}

/// What is in the file, and what is on its way there.
struct Level {
    content: Content,
    arriving_items: u64,
    arriving_bytes: u64,
    /// When the writer took up the batch that it is at.
    batch_began: Option<Instant>,
    /// The last commit failed: said in the log when it begins and when it ends, not for each batch.
    broken: bool,
}

/// On its way into the file; its room is taken.
struct Arriving {
    row: NewRow,
    reply: oneshot::Sender<Result<(), NotKept>>,
}

impl Spool {
    /// Opens the file and counts what an earlier run left in it.
    ///
    /// # Errors
    /// The file cannot be used; the message names it and a cure.
    pub async fn open(options: &SpoolOptions, clock: Arc<dyn Clock>) -> Result<(Self, SpoolTask), StoreError> {
        let file = SpoolFile::open(&options.file).await?;
        let content = file.content().await?;
        let (queue, arriving) = mpsc::channel(WAITING_ITEMS_MAX);
        let level = Level { content, arriving_items: 0, arriving_bytes: 0, batch_began: None, broken: false };
        let shared = Arc::new(Shared {
            file,
            clock,
            items_max: options.items_max,
            bytes_max: options.bytes_max,
            queue: Mutex::new(Some(queue)),
            level: Mutex::new(level),
            writing: tokio::sync::Mutex::default(),
            errors: AtomicU64::new(0),
            commits: AtomicU64::new(0),
        });
        let task: SpoolTask = Box::pin(write_batches(Arc::clone(&shared), arriving));
        Ok((Self(shared), task))
    }

    /// Keeps an item: synced once this returns. It never takes longer than about a quarter of a second.
    ///
    /// # Errors
    /// The item is not kept; after [`NotKept::Late`] it may be.
    pub async fn keep(&self, item: &Spooled) -> Result<(), NotKept> {
        let kept = self.try_keep(item).await;
        match kept {
            Ok(()) => counter!(metric::SPOOL_KEPT, "kind" => item.kind()).increment(1),
            Err(why) => {
                self.0.errors.fetch_add(1, Ordering::Relaxed);
                counter!(metric::SPOOL_REFUSED, "why" => why.as_str()).increment(1);
            }
        }
        kept
    }

    /// The first items that wait, in their order, at most `items_max`; empty only when none waits. What cannot be
    /// read is set aside on the way: it is kept, and holds nothing up.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn oldest(&self, items_max: usize) -> Result<Vec<Waiting>, StoreError> {
        loop {
            let rows = self.0.file.oldest(items_max).await?;
            let none_left = rows.is_empty();
            let mut waiting = Vec::with_capacity(rows.len());
            let mut unreadable = Vec::new();
            for row in rows {
                match payload::read(&row) {
                    Ok(item) => waiting.push(Waiting { id: row.id, kept_at: row.kept_at, item }),
                    Err(reason) => unreadable.push((row.id, reason.to_string())),
                }
            }
            if let Err(error) = self.set_aside(&unreadable).await {
                // What can be read is not held up by it: the rows are met again, and moved then.
                if waiting.is_empty() {
                    return Err(error);
                }
                tracing::warn!({ field::ERROR } = %error, "rows of the spool could not be set aside");
            }
            if none_left || !waiting.is_empty() {
                return Ok(waiting);
            }
        }
    }

    /// Removes what is settled; it may be repeated.
    ///
    /// # Errors
    /// The file cannot be written to: the items are settled again later, which changes nothing.
    pub async fn remove(&self, ids: &[SpoolId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let _turn = self.0.writing.lock().await;
        let removed = self.0.file.remove(ids).await?;
        self.0.level().content.lower(&removed);
        Ok(())
    }

    pub fn state(&self) -> SpoolState {
        let level = self.0.level();
        let content = level.content;
        SpoolState {
            items: content.items,
            bytes: content.bytes,
            oldest_age_millis: content.oldest_at.map(|at| self.0.clock.now().millis_since(at)),
            unreadable: content.unreadable,
            errors: self.0.errors.load(Ordering::Relaxed),
            commits: self.0.commits.load(Ordering::Relaxed),
        }
    }

    /// Nothing comes in any more; the writer writes what waits for it, and ends. What is in the file can still be
    /// read and removed.
    pub fn close(&self) {
        drop(self.0.queue().take());
    }

    /// Closes the file, once the writer has ended and nobody drains any more.
    pub async fn end(&self) {
        self.close();
        self.0.file.close().await;
    }

    async fn try_keep(&self, item: &Spooled) -> Result<(), NotKept> {
        let row = payload::write(item).map_err(|error| {
            tracing::error!({ field::ERROR } = %error, "an item could not be written for the spool");
            NotKept::Unfit
        })?;
        let answer = self.0.send(row)?;
        match timeout(PATIENCE, answer).await {
            Ok(Ok(outcome)) => outcome,
            // The writer is gone, and the item with it.
            Ok(Err(_)) => Err(NotKept::Closed),
            Err(_late) => Err(NotKept::Late),
        }
    }

    /// Moves rows that hold the others up, each with its reason; they are tried again at the next start.
    ///
    /// # Errors
    /// The file cannot be written to.
    pub(super) async fn set_aside(&self, unreadable: &[(SpoolId, String)]) -> Result<(), StoreError> {
        if unreadable.is_empty() {
            return Ok(());
        }
        let _turn = self.0.writing.lock().await;
        let moved = self.0.file.set_aside(unreadable, self.0.clock.now()).await?;
        {
            let content = &mut self.0.level().content;
            content.lower(&moved);
            content.unreadable = content.unreadable.saturating_add(moved.items);
        }
        counter!(metric::SPOOL_UNREADABLE).increment(moved.items);
        for (id, reason) in unreadable {
            tracing::error!(spool_id = %id, { field::ERROR } = reason, "a row of the spool was set aside");
        }
        Ok(())
    }
}

impl Shared {
    /// Takes room and a place in the queue.
    fn send(&self, row: NewRow) -> Result<oneshot::Receiver<Result<(), NotKept>>, NotKept> {
        let queue = self.queue();
        let queue = queue.as_ref().ok_or(NotKept::Closed)?;
        let bytes = size(&row);
        self.level().reserve(bytes, self.items_max, self.bytes_max)?;
        let (reply, answer) = oneshot::channel();
        queue.try_send(Arriving { row, reply }).map_err(|refused| {
            self.level().release(1, bytes);
            match refused {
                mpsc::error::TrySendError::Full(_) => NotKept::Late,
                mpsc::error::TrySendError::Closed(_) => NotKept::Closed,
            }
        })?;
        Ok(answer)
    }

    async fn write(&self, rows: &[NewRow]) -> Result<(), StoreError> {
        // Before the lock: a removal that hangs on the disk makes the writer as stuck as its own statement would.
        self.level().batch_began = Some(Instant::now());
        let _turn = self.writing.lock().await;
        let now = self.clock.now();
        let bytes = rows.iter().map(size).sum();
        let items = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let written = self.file.append(rows, now).await;
        let mut level = self.level();
        level.batch_began = None;
        level.release(items, bytes);
        let was_broken = std::mem::replace(&mut level.broken, written.is_err());
        match &written {
            Ok(()) => {
                let content = &mut level.content;
                content.items = content.items.saturating_add(items);
                content.bytes = content.bytes.saturating_add(bytes);
                content.oldest_at = content.oldest_at.or(Some(now));
                self.commits.fetch_add(1, Ordering::Relaxed);
                counter!(metric::SPOOL_COMMITS).increment(1);
                if was_broken {
                    tracing::warn!("the spool keeps again");
                }
            }
            Err(error) if !was_broken => {
                let file = self.file.path().display();
                tracing::error!({ field::ERROR } = %error, { field::FILE } = %file, "the spool cannot keep anything");
            }
            Err(_) => {}
        }
        written
    }

    fn level(&self) -> MutexGuard<'_, Level> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Option<mpsc::Sender<Arriving>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Level {
    fn reserve(&mut self, bytes: u64, items_max: u64, bytes_max: u64) -> Result<(), NotKept> {
        if self.batch_began.is_some_and(|began| began.elapsed() > PATIENCE) {
            return Err(NotKept::Late);
        }
        let items = self.content.items.saturating_add(self.arriving_items).saturating_add(1);
        let all_bytes = self.content.bytes.saturating_add(self.arriving_bytes).saturating_add(bytes);
        if items > items_max || all_bytes > bytes_max {
            return Err(NotKept::Full);
        }
        self.arriving_items = self.arriving_items.saturating_add(1);
        self.arriving_bytes = self.arriving_bytes.saturating_add(bytes);
        Ok(())
    }

    fn release(&mut self, items: u64, bytes: u64) {
        self.arriving_items = self.arriving_items.saturating_sub(items);
        self.arriving_bytes = self.arriving_bytes.saturating_sub(bytes);
    }
}

fn size(row: &NewRow) -> u64 {
    u64::try_from(row.payload.len()).unwrap_or(u64::MAX)
}

/// Works until the queue is closed and empty. A caller that has given up changes nothing: its item is worth keeping.
async fn write_batches(shared: Arc<Shared>, mut arriving: mpsc::Receiver<Arriving>) {
    let mut batch = Vec::new();
    while arriving.recv_many(&mut batch, BATCH_ITEMS_MAX).await > 0 {
        let (rows, replies): (Vec<_>, Vec<_>) = batch.drain(..).map(|one| (one.row, one.reply)).unzip();
        let outcome = shared.write(&rows).await.map_err(|_| NotKept::Broken);
        for reply in replies {
            let _hung_up = reply.send(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level() -> Level {
        let content = Content::default();
        Level { content, arriving_items: 0, arriving_bytes: 0, batch_began: None, broken: false }
    }

    #[test]
    fn room_is_counted_with_what_is_on_its_way() {
        let mut level = level();
        level.content = Content { items: 1, bytes: 10, ..Content::default() };
        assert_eq!(level.reserve(10, 3, 30), Ok(()));
        assert_eq!(level.reserve(11, 3, 30), Err(NotKept::Full));
        assert_eq!(level.reserve(10, 3, 30), Ok(()));
        assert_eq!(level.reserve(0, 3, 30), Err(NotKept::Full));
        level.release(1, 10);
        assert_eq!(level.reserve(10, 3, 30), Ok(()));
    }

    #[test]
    fn nobody_waits_for_a_writer_that_is_stuck() {
        let mut level = level();
        level.batch_began = Some(Instant::now());
        assert_eq!(level.reserve(1, 3, 30), Ok(()));
        level.batch_began = Instant::now().checked_sub(PATIENCE + Duration::from_millis(1));
        assert_eq!(level.reserve(1, 3, 30), Err(NotKept::Late));
        level.batch_began = None;
        assert_eq!(level.reserve(1, 3, 30), Ok(()));
    }
}

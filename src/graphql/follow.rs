//! Following the feed: what a subscription sends, in its order, without a gap and without a repeat.
//!
//! A stream is read from the tables and from nowhere else: a stretch at a time, and only when the subscriber has taken
//! what there was. So what a slow one costs is bounded by a stretch, a connection that is lost loses nothing, and rows
//! of other servers come like those of this one. While there is nothing to read, all streams of this server wait for one
//! look at the feed, a few times a second, and for no look when nobody waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::app::App;
use crate::store::feed::{self, Head, Missed, Place, Stretch};
use crate::store::{Database, StoreError};

/// Between two looks at the feed: how late a subscriber is, at most, beside the reading itself.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A stream that had nothing to send for so long says how far it is.
const BOOKMARK_EVERY: Duration = Duration::from_secs(20);
/// Between two tries while the database does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// One thing that a stream sends. Each comes with the place from which to go on.
#[derive(Debug)]
pub enum Followed<T> {
    Item(T),
    /// What is not sent any more: it was kept for too short a time.
    Gap(Missed),
    /// Nothing new, and up to here.
    Bookmark,
}

/// Reads what follows a place.
pub type Read<T> =
    Arc<dyn for<'a> Fn(&'a Database, Place, Head) -> BoxFuture<'a, Result<Stretch<T>, StoreError>> + Send + Sync>;

/// How far the feed can be read, as all streams of this server know it together.
#[derive(Default)]
pub struct Heads(Mutex<Option<(Head, Instant)>>);

impl Heads {
    /// Now.
    async fn now(&self, database: &Database) -> Result<Head, StoreError> {
        let mut known = self.0.lock().await;
        let head = feed::head(database).await?;
        *known = Some((head, Instant::now()));
        Ok(head)
    }

    /// Waits until there is something above `newest`. Whoever wakes first looks; the others see what he saw.
    async fn beyond(&self, database: &Database, newest: i64) -> Result<Head, StoreError> {
        loop {
            let (head, looked) = self.looked(database).await?;
            if head.newest > newest {
                return Ok(head);
            }
            sleep_until(looked + LOOK_EVERY).await;
        }
    }

    /// The last look, and a new one where that is due.
    async fn looked(&self, database: &Database) -> Result<(Head, Instant), StoreError> {
        let mut known = self.0.lock().await;
        match *known {
            Some((head, looked)) if looked.elapsed() < LOOK_EVERY => Ok((head, looked)),
            Some(_) | None => {
                let looked = (feed::head(database).await?, Instant::now());
                *known = Some(looked);
                Ok(looked)
            }
        }
    }
}

/// What a stream knows between two of its items.
struct Follower<T> {
    app: Arc<App>,
    heads: Arc<Heads>,
    read: Read<T>,
    head: Head,
    place: Place,
    waiting: VecDeque<(Followed<T>, Place)>,
    /// When something was sent last.
    sent: Instant,
}

/// Follows the feed from `after`, or from now on with a bookmark first. A database that is away is waited for; any
/// other fault is the last thing that comes.
///
/// # Errors
/// Ours, when the feed cannot be read at the beginning.
pub async fn follow<T: Send + 'static>(
    app: Arc<App>,
    heads: Arc<Heads>,
    after: Option<Place>,
    read: Read<T>,
) -> Result<BoxStream<'static, Result<(Followed<T>, Place), StoreError>>, StoreError> {
    let head = heads.now(&app.database).await?;
    let now = app.clock.now();
    let here = Place::at_head(head, now);
    let (place, first) = match after {
        None => (here, Some(Followed::Bookmark)),
        Some(place) if feed::is_ahead(place, head) => (here, Some(Followed::Gap(place.missed_until(now)))),
        Some(place) => (place, None),
    };
    let waiting = first.map(|first| (first, place)).into_iter().collect();
    let follower = Follower { app, heads, read, head, place, waiting, sent: Instant::now() };
    Ok(stream::unfold(Some(follower), step).boxed())
}

type Step<T> = Option<(Result<(Followed<T>, Place), StoreError>, Option<Follower<T>>)>;

async fn step<T: Send + 'static>(follower: Option<Follower<T>>) -> Step<T> {
    let mut follower = follower?;
    loop {
        if let Some(next) = follower.waiting.pop_front() {
            follower.sent = Instant::now();
            return Some((Ok(next), Some(follower)));
        }
        match follower.go_on().await {
            Ok(()) => {}
            Err(error) if error.is_transient() => sleep(PAUSE).await,
            Err(error) => return Some((Err(error), None)),
        }
    }
}

impl<T> Follower<T> {
    /// Reads a stretch, or waits for one; a bookmark where nothing came that is sent.
    async fn go_on(&mut self) -> Result<(), StoreError> {
        let bookmark_at = self.sent + BOOKMARK_EVERY;
        if self.place.is_behind(self.head) {
            self.read_on().await?;
        } else if let Ok(head) = timeout_at(bookmark_at, self.heads.beyond(&self.app.database, self.head.newest)).await
        {
            self.head = head?;
        }
        if self.waiting.is_empty() && Instant::now() >= bookmark_at {
            self.waiting.push_back((Followed::Bookmark, self.place));
        }
        Ok(())
    }

    async fn read_on(&mut self) -> Result<(), StoreError> {
        let Stretch { items, until, missed } = (self.read)(&self.app.database, self.place, self.head).await?;
        self.place = until;
        self.waiting.extend(missed.map(|missed| (Followed::Gap(missed), until)));
        self.waiting.extend(items.into_iter().map(|(item, place)| (Followed::Item(item), place)));
        Ok(())
    }
}

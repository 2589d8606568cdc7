//! Keeping the control data in memory as new as the database.
//!
//! Three ways, so that a write made here counts at once, one made elsewhere within about a second, and a token
//! made elsewhere with its first request: a refresh after each control write, a look at `config_version` every
//! second, and a look-up of a digest that nobody here knows. A refresh never goes back: of two that overtake each
//! other, the newer one stays. While the database is away the snapshot that is there goes on serving.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{App, AppError};
use crate::domain::clock::Timestamp;
use crate::domain::secure_token::TokenDigest;
use crate::domain::snapshot::Snapshot;
use crate::store::{self, StoreError};

/// How often a server looks whether another one has written.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A digest that the database did not know is not asked for again this soon.
const UNKNOWN_FOR_MS: i64 = 1000;
/// Digests that are remembered as unknown, at most; beyond that the database is not asked at all. So it is also the
/// number of reads a second that a flood of tokens, each of them another one, can cause.
const UNKNOWN_MAX: usize = 4096;

/// Reads the control data anew.
///
/// # Errors
/// When the database does not answer, or holds what cannot be read; the old snapshot stays.
pub async fn refresh(app: &App) -> Result<(), AppError> {
    let loaded = Arc::new(store::snapshot::load(&app.database).await?);
    app.snapshot.rcu(|current| newer(current, &loaded));
    Ok(())
}

/// Reads the control data anew after a write that is already committed. A failure is logged and nothing else:
/// the write has happened and must be answered so; [`keep_fresh`] catches up.
pub async fn refresh_after_write(app: &App) {
    if let Err(error) = refresh(app).await {
        tracing::warn!(error = %error, "control data was written, and could not be read anew yet");
    }
}

/// Looks every second whether the database has moved on, and follows. Never ends: `server.rs` runs it among its
/// tasks. An outage is logged once when it begins and once when it ends.
pub async fn keep_fresh(app: Arc<App>) {
    let mut away = false;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match follow(&app).await {
            Ok(()) if away => tracing::info!("control data can be read again"),
            Ok(()) => {}
            Err(error) if !away => {
                tracing::error!(error = %error, "control data cannot be read: the last known state stays in use");
                away = true;
                continue;
            }
            Err(_) => continue,
        }
        away = false;
    }
}

/// Looks up once whether the database has a token that the snapshot does not know, and refreshes when it has.
/// True: look in the snapshot again. Ask inside a limiter: each unknown digest costs one read a second at most.
///
/// # Errors
/// When the database does not answer; nothing is remembered then.
pub async fn find_unknown_token(app: &App, digest: &TokenDigest) -> Result<bool, AppError> {
    if app.snapshot.load().tokens.contains_key(digest) {
        return Ok(true);
    }
    let now = app.clock.now();
    if !app.unknown_tokens.may_ask(digest, now) {
        return Ok(false);
    }
    // In a box: nearly nobody comes here, and everybody would carry the room for it.
    Box::pin(ask_for_token(app, digest)).await
}

async fn ask_for_token(app: &App, digest: &TokenDigest) -> Result<bool, AppError> {
    let known = store::snapshot::knows_token(&app.database, digest).await;
    follow_up(app, &app.unknown_tokens, digest, known).await
}

/// As [`find_unknown_token`], for an API key.
///
/// # Errors
/// When the database does not answer; nothing is remembered then.
pub async fn find_unknown_key(app: &App, digest: &TokenDigest) -> Result<bool, AppError> {
    if !app.identity.unknown_keys.may_ask(digest, app.clock.now()) {
        return Ok(false);
    }
    let known = store::snapshot::knows_key(&app.database, digest).await;
    follow_up(app, &app.identity.unknown_keys, digest, known).await
}

/// Reads the control data anew for a digest that the database turned out to know; only one that it does not know stays
/// marked.
async fn follow_up(
    app: &App,
    marks: &UnknownTokens,
    digest: &TokenDigest,
    known: Result<bool, StoreError>,
) -> Result<bool, AppError> {
    if !matches!(known, Ok(false)) {
        marks.forget(digest);
    }
    let known = known?;
    if known {
        refresh(app).await?;
    }
    Ok(known)
}

/// The digests that were just looked up in vain, and until when. In memory of one server only.
#[derive(Debug, Default)]
pub struct UnknownTokens(Mutex<Marks>);

#[derive(Debug, Default)]
struct Marks {
    until: HashMap<TokenDigest, Timestamp>,
    /// In the order in which they end: in a flood each request ends a few marks, and none looks through all of them.
    ends: VecDeque<(Timestamp, TokenDigest)>,
}

impl UnknownTokens {
    /// Marks the digest as asked for, unless it is marked already or there is no room for a mark.
    fn may_ask(&self, digest: &TokenDigest, now: Timestamp) -> bool {
        let mut marks = self.lock();
        marks.end(now);
        if marks.until.contains_key(digest) || marks.ends.len() >= UNKNOWN_MAX {
            return false;
        }
        let until = now.plus_millis(UNKNOWN_FOR_MS);
        marks.until.insert(*digest, until);
        marks.ends.push_back((until, *digest));
        true
    }

    /// The place of its mark is free again when the mark would have ended.
    fn forget(&self, digest: &TokenDigest) {
        self.lock().until.remove(digest);
    }

    fn lock(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Marks {
    fn end(&mut self, now: Timestamp) {
        // A mark that ends later than one made now was made before the clock was set back.
        let is_over = |until: Timestamp| until <= now || until > now.plus_millis(UNKNOWN_FOR_MS);
        while let Some((until, digest)) = self.ends.pop_front_if(|(until, _)| is_over(*until)) {
            // Not the mark of a digest that was forgotten and has been asked for again.
            if self.until.get(&digest) == Some(&until) {
                self.until.remove(&digest);
            }
        }
    }
}

async fn follow(app: &App) -> Result<(), AppError> {
    if store::snapshot::version(&app.database).await? > app.snapshot.load().version {
        refresh(app).await?;
    }
    Ok(())
}

fn newer(current: &Arc<Snapshot>, loaded: &Arc<Snapshot>) -> Arc<Snapshot> {
    Arc::clone(if loaded.version > current.version { loaded } else { current })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixtures::test_app;

    #[tokio::test]
    async fn a_refresh_never_goes_back() {
        let (app, _folder) = test_app().await;
        let ahead = Arc::new(Snapshot { version: 1000, ..Snapshot::default() });
        app.snapshot.store(Arc::clone(&ahead));
        refresh(&app).await.unwrap();
        assert_eq!(app.snapshot.load().version, 1000);
    }

    #[tokio::test]
    async fn a_digest_that_nobody_knows_is_asked_for_once_a_second() {
        let (app, _folder) = test_app().await;
        let digest = TokenDigest::of("nobody");
        assert!(!find_unknown_token(&app, &digest).await.unwrap());
        let now = app.clock.now();
        assert!(!app.unknown_tokens.may_ask(&digest, now.plus_millis(999)));
        assert!(app.unknown_tokens.may_ask(&digest, now.plus_millis(1000)));
    }

    #[test]
    fn a_flood_of_unknown_digests_is_bounded() {
        let unknown = UnknownTokens::default();
        let now = Timestamp::from_millis(0);
        for number in 0..UNKNOWN_MAX {
            assert!(unknown.may_ask(&TokenDigest::of(&number.to_string()), now));
        }
        let one_more = TokenDigest::of("one more");
        assert!(!unknown.may_ask(&one_more, now.plus_millis(999)));
        assert!(unknown.may_ask(&one_more, now.plus_millis(1000)));
    }
}

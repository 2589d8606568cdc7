//! Watching one job: its state whenever it is another one, until it has ended.
//!
//! It is read from its row. This server's own steps are heard of at once, those of others are found by looking once a
//! second; states that follow each other faster than they are read may be left out, the last one never is.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::timeout;

use crate::app::App;
use crate::domain::ids::JobId;
use crate::domain::job::Job;
use crate::store::{StoreError, jobs};

/// Between two looks, where nothing is heard.
const LOOK_EVERY: Duration = Duration::from_secs(1);

struct Watch {
    app: Arc<App>,
    id: JobId,
    changes: broadcast::Receiver<JobId>,
    /// As it was told last.
    told: Option<Job>,
}

/// The states of a job; nothing when there is none. A database that is away is waited for; any other fault is the last
/// thing that comes.
pub fn watch_job(app: Arc<App>, id: JobId) -> BoxStream<'static, Result<Job, StoreError>> {
    let changes = app.jobs.subscribe();
    stream::unfold(Some(Watch { app, id, changes, told: None }), step).boxed()
}

async fn step(watch: Option<Watch>) -> Option<(Result<Job, StoreError>, Option<Watch>)> {
    let mut watch = watch?;
    if watch.told.as_ref().is_some_and(|job| job.state.is_finished()) {
        return None;
    }
    loop {
        match jobs::find(&watch.app.database, watch.id).await {
            Ok(Some(job)) if watch.told.as_ref() != Some(&job) => {
                watch.told = Some(job.clone());
                return Some((Ok(job), Some(watch)));
            }
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) if error.is_transient() => {}
            Err(error) => return Some((Err(error), None)),
        }
        // Heard of or not: it is time for a look.
        let _ = timeout(LOOK_EVERY, watch.hear()).await;
    }
}

impl Watch {
    async fn hear(&mut self) {
        loop {
            match self.changes.recv().await {
                Ok(changed) if changed == self.id => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                // The server ends, and this stream with it.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

//! Workers that tell stories one after the other until they are told to end, and then tell theirs to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use super::Outcome;
use super::dice::Dice;
use super::sender::Senders;
use super::stories::tell;

pub(super) struct Load {
    workers: JoinSet<Outcome<()>>,
    is_over: Arc<AtomicBool>,
}

impl Load {
    /// The stories of run `run` under `seed`: the same for each worker every time, however far it comes.
    pub(super) fn start(senders: &Arc<Senders>, seed: u64, run: u32, workers: u32) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for worker in 0..workers {
            let (senders, is_over) = (Arc::clone(senders), Arc::clone(&is_over));
            tasks.spawn(async move {
                let mut dice = Dice::new(seed, "stories", u64::from(run) << 32 | u64::from(worker));
                let mut count = 0_u32;
                while !is_over.load(Ordering::SeqCst) {
                    tell(&senders, &mut dice, &format!("{run}-{worker}-{count}")).await?;
                    count += 1;
                }
                Ok(())
            });
        }
        Self { workers: tasks, is_over }
    }

    /// Every story that was begun is told to its end.
    ///
    /// # Errors
    /// A request had no answer.
    pub(super) async fn finish(mut self) -> Outcome<()> {
        self.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = self.workers.join_next().await {
            ended??;
        }
        Ok(())
    }
}

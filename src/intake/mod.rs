//! THE WRITE PATH of tracking events: bounded queues by class, and a writer that settles batches.
//!
//! parse → gather → judge → write → answer. Whatever records anything comes through here: a postback, a click, an
//! operator's rejection. A batch of one is the same code as a batch of 512, and nobody is answered before the commit.
//! To add a kind of item: a variant of `Item`, its facts in `settle::gather`, its judgement in `domain`, what it does
//! in `world`, its rows in `store::batch`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use metrics::counter;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

use crate::domain::answer::Answer;
use crate::domain::click::Click;
use crate::domain::clock::{Clock, Entropy};
use crate::domain::inbound::Door;
use crate::domain::keyring::Keyring;
use crate::domain::receipt::Receipt;
use crate::domain::screening::Hit;
use crate::domain::snapshot::CurrentSnapshot;
use crate::domain::transaction_id::Minter;
use crate::store::{Database, Outage};
use crate::telemetry::metric;

mod breaker;
mod drain;
mod foreign;
mod item;
mod queue;
mod settle;
mod spool;
mod world;
mod writer;

pub use item::{
    ChangeOutcome, ChangesOutcome, ErrorPolicy, KeyedCall, OperatorChange, OperatorChanges, Rehearsed, Unsettled, Wish,
    effects,
};
pub use queue::QueueLimits;
pub use spool::{NotKept, Spool, SpoolOptions, SpoolState, SpoolTask, Spooled, Waiting};

use breaker::Breaker;
use item::{Item, Origin, Settled};
use queue::{Class, Pending, Queues};
use settle::Bench;
use writer::{Writer, probe};

/// What intake works with.
pub struct IntakeParts {
    pub database: Database,
    pub snapshot: CurrentSnapshot,
    pub keyring: Arc<Keyring>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub minter: Arc<Minter>,
    /// None where nothing comes in through a door: commands that change control data and end.
    pub spool: Option<Spool>,
}

/// How intake behaves.
#[derive(Clone, Copy, Debug)]
pub struct IntakeOptions {
    pub queues: QueueLimits,
    /// Items that one transaction settles at most.
    pub batch_items_max: usize,
    /// One on SQLite.
    pub writers: usize,
    /// From the arrival of an item to [`Unsettled::Late`].
    pub answer_deadline: Duration,
    /// How long a visitor waits beside the time that a batch takes, while none is done with.
    pub visitor_patience: Duration,
}

/// The way in. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    bench: Arc<Bench>,
    queues: Arc<Queues>,
    breaker: Arc<Breaker>,
    spool: Option<Spool>,
    answer_deadline: Duration,
    visitor_patience: Duration,
}

/// The writers' work, to be run as tasks by whoever starts the server; each ends once [`Intake::close`] was called and
/// everything that waited is settled.
pub type WriterTask = BoxFuture<'static, ()>;

impl Intake {
    pub fn new(parts: IntakeParts, options: IntakeOptions) -> (Self, Vec<WriterTask>) {
        let bench = Arc::new(Bench {
            database: parts.database,
            snapshot: parts.snapshot,
            keyring: parts.keyring,
            clock: parts.clock,
            entropy: parts.entropy,
            minter: parts.minter,
            marked: Mutex::default(),
            outbox: Arc::default(),
        });
        let queues = Arc::new(Queues::new(options.queues));
        let breaker = Arc::<Breaker>::default();
        let writers = (0..options.writers.max(1)).map(|index| {
            let writer = Writer {
                bench: Arc::clone(&bench),
                queues: Arc::clone(&queues),
                batch_items_max: options.batch_items_max.max(1),
                patience: options.answer_deadline,
                slot: i16::try_from(index).unwrap_or(i16::MAX),
                breaker: Arc::clone(&breaker),
                connection: None,
            };
            let task: WriterTask = Box::pin(writer.run());
            task
        });
        let writers = writers.collect();
        let IntakeOptions { answer_deadline, visitor_patience, .. } = options;
        (Self { bench, queues, breaker, spool: parts.spool, answer_deadline, visitor_patience }, writers)
    }

    /// Postback, clickless, pixel, rejection, status: judged, committed, and then answered. A pixel that the database
    /// does not take in time goes to the spool.
    ///
    /// # Errors
    /// No outcome is known; what is in the queue may still commit, and a retry of it is a duplicate.
    pub async fn settle(&self, hit: Hit) -> Result<Answer, Unsettled> {
        let hit = Arc::new(hit);
        let settled = match hit.inbound.door {
            Door::Pixel | Door::Click => {
                self.settle_or_spool(Item::Hit(Arc::clone(&hit)), || Spooled::Pixel(Arc::clone(&hit))).await?
            }
            Door::Postback | Door::Clickless | Door::Rejection | Door::Status => {
                self.send(Class::Conversions, Item::Hit(hit), Origin::Door).await?
            }
        };
        match settled {
            Settled::Answer(answer) => Ok(*answer),
            Settled::Changed(_) | Settled::Stored => Err(Unsettled::Internal),
        }
    }

    /// A click whose id nobody has been told yet: durable once this returns.
    ///
    /// # Errors
    /// As for [`Intake::settle`]; after [`Unsettled::Spooled`] it is durable too, in the spool.
    pub async fn settle_click(&self, click: Click) -> Result<(), Unsettled> {
        let click = Arc::new(click);
        self.settle_or_spool(Item::Click(Arc::clone(&click)), || Spooled::Click(Arc::clone(&click))).await.map(|_| ())
    }

    /// A click that was kept elsewhere, so that its id may be known and its row be there: it counts once, and
    /// conversions that wait for it are completed.
    ///
    /// # Errors
    /// As for [`Intake::settle`].
    pub async fn settle_kept_click(&self, click: Click) -> Result<(), Unsettled> {
        self.send(Class::Clicks, Item::Click(Arc::new(click)), Origin::Kept).await.map(|_| ())
    }

    /// An operator's changes of conversions, each with its audit entry, all in one transaction.
    ///
    /// # Errors
    /// As for [`Intake::settle`].
    pub async fn settle_changes(&self, changes: OperatorChanges) -> Result<ChangesOutcome, Unsettled> {
        match self.send(Class::Conversions, Item::Changes(Box::new(changes)), Origin::Door).await? {
            Settled::Changed(outcome) => Ok(outcome),
            Settled::Answer(_) | Settled::Stored => Err(Unsettled::Internal),
        }
    }

    /// The receipt of a request without a verified token: kept where there is room, else counted as thinned.
    pub fn offer_receipt(&self, receipt: Receipt) {
        let pending = Pending::unattended(Item::Receipt(Box::new(receipt)), Origin::Door);
        if self.queues.push(Class::Receipts, pending).is_err() {
            counter!(metric::RECEIPTS_THINNED).increment(1);
        }
    }

    /// What a request would come to, on the same data, with nothing written.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn rehearse(&self, hit: &Hit) -> Result<Rehearsed, Unsettled> {
        let rehearsal = timeout(self.answer_deadline, settle::rehearse(&self.bench, hit)).await;
        match rehearsal {
            Ok(Ok(rehearsed)) => Ok(rehearsed),
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "a dry run found no answer");
                Err(if error.is_transient() { Unsettled::Away } else { Unsettled::Internal })
            }
            Err(_late) => Err(Unsettled::Late),
        }
    }

    /// Looks after an outage: the database is tried until it can be written to. Never ends; run it beside the writers.
    pub async fn keep_watch(&self) {
        probe(&self.bench, &self.breaker).await;
    }

    /// Why nothing is recorded now; none while the database takes writes, as far as is known.
    pub fn outage(&self) -> Option<Outage> {
        self.breaker.outage()
    }

    /// Rung after a commit that wrote something to be delivered; whoever delivers waits here.
    pub fn outbox(&self) -> &Notify {
        &self.bench.outbox
    }

    /// Items that wait: conversions, clicks, receipts.
    pub fn depths(&self) -> [usize; 3] {
        self.queues.depths()
    }

    /// Nothing comes in any more; the writers settle what waits and end.
    pub fn close(&self) {
        self.queues.close();
    }

    async fn send(&self, class: Class, item: Item, origin: Origin) -> Result<Settled, Unsettled> {
        let answer = self.push(class, item, origin)?;
        timeout(self.answer_deadline, answer).await.map_or(Err(Unsettled::Late), answered)
    }

    /// For whom a visitor waits: not longer than the database gets on, and what it does not take is spooled.
    async fn settle_or_spool(&self, item: Item, spooled: impl FnOnce() -> Spooled) -> Result<Settled, Unsettled> {
        let unsettled = match self.settle_in_time(item).await {
            // A row that the database refuses now it refuses later.
            settled @ (Ok(_) | Err(Unsettled::Internal)) => return settled,
            Err(unsettled) => unsettled,
        };
        match &self.spool {
            Some(spool) if spool.keep(&spooled()).await.is_ok() => Err(Unsettled::Spooled),
            Some(_) | None => Err(unsettled),
        }
    }

    async fn settle_in_time(&self, item: Item) -> Result<Settled, Unsettled> {
        let began = Instant::now();
        let mut answer = self.push(Class::Clicks, item, Origin::Door)?;
        loop {
            let (batches, usual) = self.queues.progress();
            match timeout(self.visitor_patience.saturating_add(usual), &mut answer).await {
                Ok(answer) => return answered(answer),
                Err(_) if self.queues.progress().0 != batches && began.elapsed() < self.answer_deadline => {}
                Err(_late) => return Err(Unsettled::Late),
            }
        }
    }

    fn push(&self, class: Class, item: Item, origin: Origin) -> Result<Reply, Unsettled> {
        if self.breaker.is_open() {
            return Err(Unsettled::Away);
        }
        let (reply, answer) = oneshot::channel();
        let pending = Pending { item, origin, arrived: Instant::now(), reply: Some(reply) };
        self.queues.push(class, pending).map_err(|_| Unsettled::Full)?;
        Ok(answer)
    }
}

type Reply = oneshot::Receiver<Result<Settled, Unsettled>>;

/// The writer ends without an answer only in a shutdown, or by a fault of ours.
fn answered(answer: Result<Result<Settled, Unsettled>, oneshot::error::RecvError>) -> Result<Settled, Unsettled> {
    answer.unwrap_or(Err(Unsettled::Away))
}

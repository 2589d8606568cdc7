//! Reading what many entries of a page refer to at once, so that 50 conversions cost one more statement and not 50.
//!
//! A resolver that asks for one thing waits a moment; what its neighbours ask for meanwhile is read together. One set
//! of loaders lives as long as one request: nothing is remembered from one caller to the next. Control data that the
//! snapshot holds is taken from there, without any statement; the database is asked only for what was made on
//! another server a moment ago.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use async_graphql::{Context, Result};
use futures_util::future::BoxFuture;

use super::{connection::failed, context::Find as _};
use crate::{
    app::App,
    domain::{
        api_key::ApiKey,
        click::Click,
        clock::Timestamp,
        conversion::Author,
        delivery::{Attempt, Delivery},
        ids::{
            AdvertiserId, ApiKeyId, ConversionId, DeliveryId, JobId, OfferId, OperatorId, OutboundPostbackId,
            PublisherId, ReceiptId, TokenId,
        },
        job::Job,
        outbound::OutboundPostback,
        receipt::Receipt,
        report::Tally,
        settings::Settings,
        transaction_id::TransactionId,
    },
    store::{
        Database, StoreError, api_keys, clicks,
        conversions::{self, ConversionListed},
        jobs,
        operators::{self, OperatorView},
        outbound, outbox, receipts,
        reports::{self, ROWS_MAX, ReportRefused, Subjects},
        tokens::{self, TokenView},
    },
};

type Found<K, V> = Result<HashMap<K, V>, StoreError>;
type Read<K, V> = Box<dyn for<'a> Fn(&'a Database, Vec<K>) -> BoxFuture<'a, Found<K, V>> + Send + Sync>;

/// Reads values by key, those that are asked for together in one go.
pub struct Loader<K, V> {
    read: Read<K, V>,
    waiting: Mutex<HashSet<K>>,
    /// What was read: `None` for what is not there.
    known: tokio::sync::Mutex<HashMap<K, Option<V>>>,
}

impl<K: Copy + Eq + Hash + Send, V: Clone + Send> Loader<K, V> {
    fn new(read: impl for<'a> Fn(&'a Database, Vec<K>) -> BoxFuture<'a, Found<K, V>> + Send + Sync + 'static) -> Self {
        Self { read: Box::new(read), waiting: Mutex::default(), known: tokio::sync::Mutex::default() }
    }

    /// The value of `key`; `None` when it is not there.
    ///
    /// # Errors
    /// Ours, when the database could not be asked.
    pub async fn load(&self, ctx: &Context<'_>, key: K) -> Result<Option<V>> {
        self.load_from(ctx.database()?, key).await.map_err(failed)
    }

    async fn load_from(&self, database: &Database, key: K) -> Result<Option<V>, StoreError> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        // Once round: every resolver that can run now says what it wants before the first of them reads.
        tokio::task::yield_now().await;
        let mut known = self.known.lock().await;
        if let Some(value) = known.get(&key) {
            return Ok(value.clone());
        }
        let mut wanted = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        wanted.insert(key);
        wanted.retain(|key| !known.contains_key(key));
        let mut found = (self.read)(database, wanted.iter().copied().collect()).await?;
        known.extend(wanted.into_iter().map(|key| (key, found.remove(&key))));
        Ok(known.get(&key).cloned().flatten())
    }
}

/// The loaders of one request.
pub struct Loaders {
    pub tokens: Loader<TokenId, Arc<TokenView>>,
    pub receipts: Loader<ReceiptId, Arc<Receipt>>,
    pub conversions: Loader<ConversionId, Arc<ConversionListed>>,
    pub clicks: Loader<(TransactionId, Timestamp), Arc<Click>>,
    pub extras: Loader<ConversionId, Arc<Vec<(String, String)>>>,
    pub operators: Loader<OperatorId, Arc<OperatorView>>,
    pub api_keys: Loader<ApiKeyId, Arc<ApiKey>>,
    pub jobs: Loader<JobId, Arc<Job>>,
    /// Who gave a conversion the status that it has.
    pub status_authors: Loader<ConversionId, Author>,
    /// The figures of each over a range.
    pub stats: Loader<StatKey, Result<Tally, ReportRefused>>,
    pub outbound: Loader<OutboundPostbackId, Arc<OutboundPostback>>,
    pub deliveries: Loader<DeliveryId, Arc<Delivery>>,
    pub attempts: Loader<DeliveryId, Arc<Vec<Attempt>>>,
    /// How many deliveries that were made since then have succeeded, and how many have ended.
    pub outbound_rates: Loader<(OutboundPostbackId, Timestamp), (i64, i64)>,
}

/// Of whom figures are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatSubject {
    Offer(OfferId),
    Advertiser(AdvertiserId),
    Publisher(PublisherId),
}

/// Of whom, from when, until when.
type StatKey = (StatSubject, Timestamp, Option<Timestamp>);

impl Loaders {
    /// The loaders of a request that is answered now, by these settings.
    pub fn new(app: &App) -> Self {
        let (settings, now) = (app.snapshot.load().settings.clone(), app.clock.now());
        Self {
            stats: Loader::new(move |database, keys| {
                let settings = settings.clone();
                Box::pin(async move { read_stats(database, keys, &settings, now).await })
            }),
            tokens: Loader::new(|database, ids| {
                Box::pin(async move {
                    let found = tokens::find_many(database, &ids).await?;
                    Ok(found.into_iter().map(|view| (view.token.id, Arc::new(view))).collect())
                })
            }),
            receipts: Loader::new(|database, ids| {
                Box::pin(async move {
                    let found = receipts::find_many(database, &ids).await?;
                    Ok(found.into_iter().map(|receipt| (receipt.id, Arc::new(receipt))).collect())
                })
            }),
            conversions: Loader::new(|database, ids| {
                Box::pin(async move {
                    let found = conversions::find_many(database, &ids).await?;
                    Ok(found.into_iter().map(|listed| (listed.conversion.id, Arc::new(listed))).collect())
                })
            }),
            clicks: Loader::new(|database, ids| {
                Box::pin(async move {
                    let found = clicks::find_many(database, &ids).await?;
                    let keyed =
                        found.into_iter().map(|click| ((click.transaction_id, click.clicked_at), Arc::new(click)));
                    Ok(keyed.collect())
                })
            }),
            extras: Loader::new(|database, ids| {
                Box::pin(async move {
                    let found = conversions::extras(database, &ids).await?;
                    Ok(found.into_iter().map(|(id, extras)| (id, Arc::new(extras))).collect())
                })
            }),
            operators: Loader::new(|database, ids| {
                Box::pin(async move {
                    let found = operators::find_many(database, &ids).await?;
                    Ok(found.into_iter().map(|view| (view.operator.id, Arc::new(view))).collect())
                })
            }),
            api_keys: Loader::new(|database, ids| {
                Box::pin(async move {
                    let found = api_keys::find_many(database, &ids).await?;
                    Ok(found.into_iter().map(|key| (key.id, Arc::new(key))).collect())
                })
            }),
            jobs: Loader::new(|database, ids| {
                Box::pin(async move {
                    let found = jobs::find_many(database, &ids).await?;
                    Ok(found.into_iter().map(|job| (job.id, Arc::new(job))).collect())
                })
            }),
            status_authors: Loader::new(|database, ids| {
                Box::pin(async move { conversions::status_authors(database, &ids).await })
            }),
            outbound: Loader::new(|database, ids| {
                Box::pin(async move {
                    let found = outbound::find_many(database, &ids).await?;
                    Ok(found.into_iter().map(|(id, rule)| (id, Arc::new(rule))).collect())
                })
            }),
            deliveries: Loader::new(|database, ids| {
                Box::pin(async move {
                    let found = outbox::find_many(database, &ids).await?;
                    Ok(found.into_iter().map(|(id, delivery)| (id, Arc::new(delivery))).collect())
                })
            }),
            attempts: Loader::new(|database, ids| {
                Box::pin(async move {
                    let found = outbox::attempts(database, &ids).await?;
                    Ok(found.into_iter().map(|(id, attempts)| (id, Arc::new(attempts))).collect())
                })
            }),
            outbound_rates: Loader::new(|database, keys| {
                Box::pin(async move {
                    let rules: Vec<OutboundPostbackId> = keys.iter().map(|(rule, _)| *rule).collect();
                    // They differ by the milliseconds that one request takes.
                    let since = keys.iter().map(|(_, since)| *since).min().unwrap_or_default();
                    let counted = outbox::ended_since(database, &rules, since).await?;
                    Ok(keys.into_iter().filter_map(|key| Some((key, *counted.get(&key.0)?))).collect())
                })
            }),
        }
    }
}

/// One statement for each range and kind of subject.
async fn read_stats(
    database: &Database,
    keys: Vec<StatKey>,
    settings: &Settings,
    now: Timestamp,
) -> Found<StatKey, Result<Tally, ReportRefused>> {
    let mut found = HashMap::new();
    let ranges: HashSet<(Timestamp, Option<Timestamp>)> =
        keys.iter().map(|(_, since, until)| (*since, *until)).collect();
    for (since, until) in ranges {
        let of_range = || keys.iter().filter(|key| (key.1, key.2) == (since, until)).map(|key| key.0);
        for subjects in subjects(of_range().collect()) {
            let tallies = reports::tallies(database, &subjects, (since, until), settings, now).await?;
            for subject in of_range() {
                if let Some(tally) = tally_of(subject, &subjects, &tallies) {
                    found.insert((subject, since, until), tally);
                }
            }
        }
    }
    Ok(found)
}

/// By kind, as many as one report has rows.
fn subjects(all: Vec<StatSubject>) -> Vec<Subjects> {
    let (mut offers, mut advertisers, mut publishers) = (Vec::new(), Vec::new(), Vec::new());
    for subject in all {
        match subject {
            StatSubject::Offer(id) => offers.push(id),
            StatSubject::Advertiser(id) => advertisers.push(id),
            StatSubject::Publisher(id) => publishers.push(id),
        }
    }
    let most = usize::try_from(ROWS_MAX).unwrap_or(usize::MAX);
    let offers = offers.chunks(most).map(|ids| Subjects::Offers(ids.to_vec()));
    let advertisers = advertisers.chunks(most).map(|ids| Subjects::Advertisers(ids.to_vec()));
    let publishers = publishers.chunks(most).map(|ids| Subjects::Publishers(ids.to_vec()));
    offers.chain(advertisers).chain(publishers).collect()
}

/// What a report over `subjects` says of one of them; none where it is not among them, or has no figures.
fn tally_of(
    subject: StatSubject,
    subjects: &Subjects,
    tallies: &Result<HashMap<i32, Tally>, ReportRefused>,
) -> Option<Result<Tally, ReportRefused>> {
    let number = match (subject, subjects) {
        (StatSubject::Offer(id), Subjects::Offers(_)) => id.number(),
        (StatSubject::Advertiser(id), Subjects::Advertisers(_)) => id.number(),
        (StatSubject::Publisher(id), Subjects::Publishers(_)) => id.number(),
        (StatSubject::Offer(_) | StatSubject::Advertiser(_) | StatSubject::Publisher(_), _) => return None,
    };
    match tallies {
        Ok(tallies) => tallies.get(&number).cloned().map(Ok),
        Err(refused) => Some(Err(refused.clone())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;
    use crate::store::fixtures::database;

    static READS: AtomicUsize = AtomicUsize::new(0);

    #[tokio::test]
    async fn what_is_asked_for_together_is_read_together_and_once() {
        let (database, _folder) = database().await;
        let loader: Loader<u32, u32> = Loader::new(|_, keys| {
            READS.fetch_add(1, Ordering::SeqCst);
            let even = keys.into_iter().filter(|key| key % 2 == 0);
            Box::pin(async move { Ok(even.map(|key| (key, key * 10)).collect()) })
        });
        let all = join_all((0..50_u32).map(|key| loader.load_from(&database, key))).await;
        for (key, value) in (0..50).zip(all) {
            assert_eq!(value.unwrap(), (key % 2 == 0).then_some(key * 10));
        }
        assert_eq!(loader.load_from(&database, 3).await.unwrap(), None);
        assert_eq!(READS.load(Ordering::SeqCst), 1);
    }

    /// Beside the report it is asked in which table it is to be looked for.
    #[tokio::test]
    async fn figures_of_a_page_of_offers_are_one_report_for_each_range() {
        let (mut database, _folder) = database().await;
        let statements = database.count_reads();
        let settings = Settings::default();
        let now = Timestamp::from_millis(1_795_344_000_000);
        let loader: Loader<StatKey, Result<Tally, ReportRefused>> = Loader::new(move |database, keys| {
            let settings = settings.clone();
            Box::pin(async move { read_stats(database, keys, &settings, now).await })
        });
        let today = now.bucket(24 * 3600);
        let ask = |number, since| {
            let offer = StatSubject::Offer(OfferId::new(number).unwrap());
            loader.load_from(&database, (offer, since, None))
        };
        let of_today = join_all((1..=200).map(|number| ask(number, today))).await;
        assert!(of_today.into_iter().all(|found| found.unwrap().is_none()));
        assert_eq!(statements.load(Ordering::SeqCst), 2);
        let yesterday = today.plus_seconds(-24 * 3600);
        join_all((1..=200).flat_map(|number| [ask(number, today), ask(number, yesterday)])).await;
        assert_eq!(statements.load(Ordering::SeqCst), 4, "what is known is not asked for again");
    }
}

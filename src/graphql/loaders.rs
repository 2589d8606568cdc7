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
    domain::{
        click::Click,
        clock::Timestamp,
        conversion::Author,
        ids::{ConversionId, ReceiptId, TokenId},
        receipt::Receipt,
        transaction_id::TransactionId,
    },
    store::{
        Database, StoreError, clicks,
        conversions::{self, ConversionListed},
        receipts,
        tokens::{self, TokenView},
    },
};

type Found<K, V> = Result<HashMap<K, V>, StoreError>;
type Read<K, V> = for<'a> fn(&'a Database, Vec<K>) -> BoxFuture<'a, Found<K, V>>;

/// Reads values by key, those that are asked for together in one go.
pub struct Loader<K, V> {
    read: Read<K, V>,
    waiting: Mutex<HashSet<K>>,
    /// What was read: `None` for what is not there.
    known: tokio::sync::Mutex<HashMap<K, Option<V>>>,
}

impl<K: Copy + Eq + Hash + Send, V: Clone + Send> Loader<K, V> {
    fn new(read: Read<K, V>) -> Self {
        Self { read, waiting: Mutex::default(), known: tokio::sync::Mutex::default() }
    }

    /// The value of `key`; `None` when it is not there.
    ///
    /// # Errors
    /// Ours, when the database could not be asked.
    pub async fn load(&self, ctx: &Context<'_>, key: K) -> Result<Option<V>> {
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
        let mut found = (self.read)(ctx.database()?, wanted.iter().copied().collect()).await.map_err(failed)?;
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
    /// Who gave a conversion the status that it has.
    pub status_authors: Loader<ConversionId, Author>,
}

impl Default for Loaders {
    fn default() -> Self {
        Self {
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
            status_authors: Loader::new(|database, ids| {
                Box::pin(async move { conversions::status_authors(database, &ids).await })
            }),
        }
    }
}

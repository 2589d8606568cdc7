//! `conversion_key`: claims, locks and look-ups.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::domain::conversion_key::ConversionKey;
use crate::domain::ids::ConversionId;
use crate::store::connect::Tx;
use crate::store::dialect::{Column, Rows};
use crate::store::error::StoreError;

/// A key and who owns it; nobody while a rejection is parked on it.
pub type KeyOwner = (ConversionKey, Option<ConversionId>);

/// Inserts those keys that nobody has, in the order given (sort them), and says which.
/// Waits for another server's transaction that is about to claim one of them.
pub async fn claim_keys(tx: &mut Tx, claims: &[KeyOwner]) -> Result<HashSet<ConversionKey>, StoreError> {
    if tx.writes_alone() {
        // Looking first is as good, and nothing is handed back for the many keys that are free.
        let keys: Vec<ConversionKey> = claims.iter().map(|(key, _)| key.clone()).collect();
        let taken = find_keys(tx, &keys, false).await?;
        let free: Vec<KeyOwner> = claims.iter().filter(|(key, _)| !taken.contains_key(key)).cloned().collect();
        tx.insert(rows(&free, "")).await?;
        return Ok(free.into_iter().map(|(key, _)| key).collect());
    }
    let rows = tx.insert(rows(claims, "ON CONFLICT (key) DO NOTHING RETURNING key")).await?;
    rows.iter().map(|row| Ok(ConversionKey::from_bytes(row.try_get("", "key")?))).collect()
}

/// The owners of those keys that exist; with `lock`, nobody else may change them until the transaction ends.
pub async fn find_keys(
    tx: &mut Tx,
    keys: &[ConversionKey],
    lock: bool,
) -> Result<HashMap<ConversionKey, Option<ConversionId>>, StoreError> {
    let wanted = Column::Bytes(keys.iter().map(|key| Some(key.as_bytes())).collect());
    let lock = if lock { "FOR UPDATE" } else { "" };
    let head = "SELECT key, conversion_id FROM conversion_key WHERE key IN";
    let rows = tx.select_by(head, wanted, "ORDER BY key", lock).await?;
    rows.iter()
        .map(|row| {
            let owner: Option<Uuid> = row.try_get("", "conversion_id")?;
            Ok((ConversionKey::from_bytes(row.try_get("", "key")?), owner.map(ConversionId::from_uuid)))
        })
        .collect()
}

/// Gives keys that this transaction holds to their owners.
pub async fn assign_keys(tx: &mut Tx, owners: &[KeyOwner]) -> Result<(), StoreError> {
    let tail = "ON CONFLICT (key) DO UPDATE SET conversion_id = excluded.conversion_id";
    tx.insert(rows(owners, tail)).await?;
    Ok(())
}

/// Takes back keys that this transaction claimed and nobody needs.
pub async fn release_keys(tx: &mut Tx, keys: &[ConversionKey]) -> Result<(), StoreError> {
    let wanted = Column::Bytes(keys.iter().map(|key| Some(key.as_bytes())).collect());
    tx.select_by("DELETE FROM conversion_key WHERE key IN", wanted, "", "").await?;
    Ok(())
}

/// The highest taken key between two R keys of one request.
pub async fn highest_repeat(
    tx: &mut Tx,
    low: &ConversionKey,
    high: &ConversionKey,
) -> Result<Option<KeyOwner>, StoreError> {
    let bound = |key| Column::Bytes(vec![Some(ConversionKey::as_bytes(key))]);
    let sql = "SELECT key, conversion_id FROM conversion_key WHERE key >= $1 AND key <= $2 ORDER BY key DESC LIMIT 1";
    let rows = tx.run(sql, vec![bound(low), bound(high)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let owner: Option<Uuid> = row.try_get("", "conversion_id")?;
    Ok(Some((ConversionKey::from_bytes(row.try_get("", "key")?), owner.map(ConversionId::from_uuid))))
}

fn rows<'a>(owners: &'a [KeyOwner], tail: &'static str) -> Rows<'a> {
    Rows {
        table: "conversion_key",
        columns: vec![
            ("key", Column::Bytes(owners.iter().map(|(key, _)| Some(key.as_bytes())).collect())),
            ("conversion_id", Column::Uuid(owners.iter().map(|(_, owner)| owner.map(ConversionId::uuid)).collect())),
        ],
        tail,
    }
}

//! Ids of another system: resolved to sealed ones before a batch is admitted, and their clicks beside those of ours.
//!
//! Two look-ups for a batch, and none where nothing was ever imported, or where every id is sealed by us.

use std::collections::BTreeSet;

use crate::domain::foreign_click::Aliases;
use crate::domain::inbound::{Door, Slot};
use crate::domain::keyring::Keyring;
use crate::domain::screening::Hit;
use crate::domain::snapshot::Snapshot;
use crate::domain::transaction_id::TransactionId;
use crate::store::{StoreError, Tx, batch};

use super::world::World;

/// The sealed ids of what these requests call by another system's.
pub(super) async fn resolve<'a>(
    tx: &mut Tx,
    snapshot: &Snapshot,
    keyring: &Keyring,
    hits: impl Iterator<Item = &'a Hit>,
) -> Result<Aliases, StoreError> {
    if !snapshot.has_foreign_clicks {
        return Ok(Aliases::default());
    }
    let texts: BTreeSet<&str> = hits.filter_map(|hit| foreign_id(hit, keyring)).collect();
    batch::find_aliases(tx, &texts.into_iter().collect::<Vec<_>>()).await
}

/// What stands in the place of a transaction id, where it is not sealed by us and the door takes a foreign one.
fn foreign_id<'a>(hit: &'a Hit, keyring: &Keyring) -> Option<&'a str> {
    match hit.inbound.door {
        Door::Postback | Door::Rejection | Door::Status => {}
        Door::Click | Door::Clickless | Door::Pixel => return None,
    }
    match &hit.inbound.transaction_id {
        Slot::Value(text) => TransactionId::open(text, keyring).is_err().then_some(text.as_str()),
        Slot::Absent | Slot::Bad(_) => None,
    }
}

/// Adds the imported clicks of those transactions that no click of ours was found for.
pub(super) async fn complete_clicks(
    tx: &mut Tx,
    snapshot: &Snapshot,
    world: &mut World,
    wanted: impl Iterator<Item = TransactionId>,
) -> Result<(), StoreError> {
    if snapshot.has_foreign_clicks {
        let missing: BTreeSet<TransactionId> = wanted.filter(|id| !world.clicks.contains_key(id)).collect();
        let found = batch::find_foreign_clicks(tx, &missing.into_iter().collect::<Vec<_>>()).await?;
        world.clicks.extend(found);
    }
    Ok(())
}

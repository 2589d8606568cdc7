//! `idempotency_key`: the keys of calls that go through intake.

use super::columns::Of;
use crate::domain::clock::Timestamp;
use crate::domain::idempotency::IdempotentCall;
use crate::store::connect::Tx;
use crate::store::dialect::{Column, Rows};
use crate::store::error::StoreError;
use crate::store::idempotency::{Earlier, kept_since};

/// A call that was carried out, and what its answer can be said again from.
pub type KeptCall = (IdempotentCall, String, Timestamp);

/// Looks for an earlier call under the key; one that is older than a day is forgotten here and now.
pub async fn find_call(tx: &mut Tx, call: &IdempotentCall, now: Timestamp) -> Result<Earlier, StoreError> {
    let key =
        || [&call.principal, &call.field, &call.key].map(|text| Column::Text(vec![Some(text.as_str())])).into_iter();
    let since = Column::I64(vec![Some(kept_since(now).as_millis())]);
    let forget = "DELETE FROM idempotency_key WHERE principal = $1 AND field = $2 AND key = $3 AND created_at <= $4";
    tx.run(forget, key().chain([since]).collect()).await?;
    let find = "SELECT arguments_hash, answer FROM idempotency_key WHERE principal = $1 AND field = $2 AND key = $3";
    let rows = tx.run(find, key().collect()).await?;
    let Some(row) = rows.first() else { return Ok(Earlier::None) };
    let is_same = row.try_get::<Vec<u8>>("", "arguments_hash")? == call.arguments_hash;
    Ok(if is_same { Earlier::Same(row.try_get("", "answer")?) } else { Earlier::OtherArguments })
}

/// A key that is used at the same time elsewhere makes the whole batch `Taken`: tried again, it finds the other call.
pub(super) fn call_rows(calls: &[KeptCall]) -> Rows<'_> {
    let of = Of(calls);
    let columns = vec![
        ("principal", of.text(|(call, _, _)| &call.principal)),
        ("field", of.text(|(call, _, _)| &call.field)),
        ("key", of.text(|(call, _, _)| &call.key)),
        ("arguments_hash", of.bytes(|(call, _, _)| Some(call.arguments_hash.as_slice()))),
        ("answer", of.text(|(_, answer, _)| answer)),
        ("created_at", of.i64(|(_, _, at)| Some(at.as_millis()))),
    ];
    Rows { table: "idempotency_key", columns, tail: "" }
}

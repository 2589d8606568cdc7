//! `audit_event`: the entries that commit with an operator's change of a conversion.

use super::columns::Of;
use crate::domain::audit::AuditEvent;
use crate::store::audit::changes_text;
use crate::store::dialect::{Column, Rows};
use crate::store::error::StoreError;

pub(super) fn audit_rows(events: &[AuditEvent]) -> Result<Rows<'_>, StoreError> {
    let changes = events.iter().map(|event| changes_text(&event.changes)).collect::<Result<Vec<_>, _>>()?;
    let of = Of(events);
    let columns = vec![
        ("id", of.uuid(|e| Some(e.id.uuid()))),
        ("at", of.i64(|e| Some(e.at.as_millis()))),
        ("actor", of.text(|e| &e.actor)),
        ("actor_label", of.text(|e| &e.actor_label)),
        ("action", of.text(|e| &e.action)),
        ("subject", of.text(|e| &e.subject)),
        ("subject_label", of.text(|e| &e.subject_label)),
        ("changes", Column::MadeText(changes)),
        ("address", of.text_or_null(|e| e.address.as_deref())),
        ("request_id", of.text(|e| &e.request_id)),
    ];
    Ok(Rows { table: "audit_event", columns, tail: "" })
}

//! The audit trail: appended in the transaction of what it tells about, never changed.

use entity::audit_event as row;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _};
use sea_orm::{QueryFilter as _, QueryOrder as _, QuerySelect as _};
use serde::{Deserialize, Serialize};

use super::connect::Database;
use super::error::StoreError;
use crate::domain::audit::{AuditChange, AuditEvent};
use crate::domain::clock::Timestamp;
use crate::domain::ids::AuditEventId;

/// Appends one event.
pub(crate) async fn insert(transaction: &impl ConnectionTrait, event: AuditEvent) -> Result<(), StoreError> {
    let row = row::Model {
        id: event.id.uuid(),
        at: event.at.as_millis(),
        changes: changes_text(&event.changes)?,
        actor: event.actor,
        actor_label: event.actor_label,
        action: event.action,
        subject: event.subject,
        subject_label: event.subject_label,
        address: event.address,
        request_id: event.request_id,
    };
    row::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(transaction).await?;
    Ok(())
}

/// The newest events about one subject (an opaque id), newest first.
pub async fn find_by_subject(database: &Database, subject: &str, limit: u64) -> Result<Vec<AuditEvent>, StoreError> {
    let rows = row::Entity::find()
        .filter(row::Column::Subject.eq(subject))
        .order_by_desc(row::Column::Id)
        .limit(limit)
        .all(database.read())
        .await?;
    rows.into_iter().map(from_row).collect()
}

/// The column form of the changed fields.
pub(crate) fn changes_text(changes: &[AuditChange]) -> Result<String, StoreError> {
    let list: Vec<_> = changes.iter().map(Written::from).collect();
    serde_json::to_string(&list).map_err(|error| StoreError::Refused(error.into()))
}

#[derive(Deserialize, Serialize)]
struct Written {
    field: String,
    before: Option<String>,
    after: Option<String>,
}

impl From<&AuditChange> for Written {
    fn from(change: &AuditChange) -> Self {
        let AuditChange { field, before, after } = change.clone();
        Self { field, before, after }
    }
}

fn from_row(row: row::Model) -> Result<AuditEvent, StoreError> {
    let changes: Vec<Written> = serde_json::from_str(&row.changes)
        .map_err(|error| StoreError::unreadable("audit_event", format!("changes: {error}")))?;
    Ok(AuditEvent {
        id: AuditEventId::from_uuid(row.id),
        at: Timestamp::from_millis(row.at),
        actor: row.actor,
        actor_label: row.actor_label,
        action: row.action,
        subject: row.subject,
        subject_label: row.subject_label,
        changes: changes.into_iter().map(|c| AuditChange::new(c.field, c.before, c.after)).collect(),
        address: row.address,
        request_id: row.request_id,
    })
}

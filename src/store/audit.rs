//! The audit trail: appended in the transaction of what it tells about, never changed.

use entity::audit_event as row;
use sea_orm::IntoActiveModel as _;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _};
use sea_orm::{QueryFilter as _, QueryOrder as _, QuerySelect as _};
use serde::{Deserialize, Serialize};

use super::connect::Database;
use super::error::StoreError;
use super::filter::{TimeRange, one_of};
use super::page::{self, Direction, Key, KeyKind, Order, Page, PageRequest, Sort};
use crate::domain::audit::{AuditChange, AuditEvent};
use crate::domain::clock::Timestamp;
use crate::domain::ids::AuditEventId;

/// An id begins with the millisecond at which its event was made, but the clock may have been read a moment apart.
const ID_SLACK_SECONDS: i64 = 60;

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

/// Which events a list holds; everything that is given must hold, an empty list matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub at: Option<TimeRange>,
    pub actions: Option<Vec<String>>,
    /// Opaque ids of operators and keys, or `system`.
    pub actors: Option<Vec<String>>,
    /// Opaque ids.
    pub subjects: Option<Vec<String>>,
}

/// The order of events: newest first, by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest;

impl Sort for Newest {
    fn order(self) -> Order {
        Order { name: "audit.id", direction: Direction::Descending, keys: &[KeyKind::Uuid] }
    }
}

/// A page of the events that `filter` holds.
///
/// # Errors
/// As of every read.
pub async fn list(
    database: &Database,
    filter: &AuditFilter,
    request: &PageRequest<Newest>,
) -> Result<Page<AuditEvent>, StoreError> {
    let select = row::Entity::find().filter(filter.condition());
    let columns = [Expr::col(row::Column::Id)];
    page::fetch(database.read(), select, request, &columns, |row| vec![Key::Uuid(row.id)], from_row).await
}

/// # Errors
/// As of every read.
pub async fn find(database: &Database, id: AuditEventId) -> Result<Option<AuditEvent>, StoreError> {
    row::Entity::find_by_id(id.uuid()).one(database.read()).await?.map(from_row).transpose()
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

impl AuditFilter {
    /// A range of time is a range of ids, so that it bounds what is read.
    fn condition(&self) -> Condition {
        let (ids, exact) = self
            .at
            .map(|at| (at.id_condition(row::Column::Id, ID_SLACK_SECONDS), at.condition(row::Column::At)))
            .unzip();
        // PostgreSQL has no text with a NUL in it.
        let texts = |list: &Option<Vec<String>>| {
            list.as_ref().map(|texts| texts.iter().filter(|text| !text.contains('\0')).cloned().collect::<Vec<_>>())
        };
        Condition::all()
            .add_option(ids)
            .add_option(exact)
            .add_option(one_of(row::Column::Action, texts(&self.actions)))
            .add_option(one_of(row::Column::Actor, texts(&self.actors)))
            .add_option(one_of(row::Column::Subject, texts(&self.subjects)))
    }
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

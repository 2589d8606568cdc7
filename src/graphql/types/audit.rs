//! The audit trail: who did what to which thing.

use async_graphql::{ComplexObject, Context, ID, InputObject, Result, SimpleObject};

use super::{actor::Actor, input::DateTimeRange, node::Node, words::Role};
use crate::{
    domain::{audit, ids::AuditEventId},
    graphql::{
        connection::{Window, connection, failed},
        context::Find as _,
        error,
        guard::auth,
        id::Id,
        scalars::DateTime,
    },
    store::audit::{self as trail, Newest},
};

/// Values that one list of a filter may name.
const VALUES_MAX: usize = 100;

/// One thing that somebody did. Written in the transaction of what it tells about, and never changed.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex, directive = auth::apply(Role::Admin))]
pub struct AuditEntry {
    /// Opaque, stable, prefixed: aud_…
    pub id: Id<AuditEventId>,
    /// When it was done.
    pub at: DateTime,
    /// Who did it.
    pub actor: Actor,
    /// Noun and verb, such as offer.update.
    pub action: String,
    /// The id of what it was done to.
    pub subject_id: ID,
    /// As people knew it then.
    pub subject_label: String,
    /// The fields that changed; empty where the action says it all.
    pub changes: Vec<AuditChange>,
    /// Finds the request in the log.
    pub request_id: String,
}

/// One field that changed.
#[derive(Clone, Debug, SimpleObject)]
pub struct AuditChange {
    /// Its name.
    pub field: String,
    /// What it was, as the admin API shows it; null: it was not there.
    pub before: Option<String>,
    /// What it became; null: it is not there any more.
    pub after: Option<String>,
}

impl From<audit::AuditEvent> for AuditEntry {
    fn from(event: audit::AuditEvent) -> Self {
        let change = |audit::AuditChange { field, before, after }| AuditChange { field, before, after };
        Self {
            id: Id(event.id),
            at: event.at.into(),
            actor: Actor::of_event(&event),
            action: event.action,
            subject_id: event.subject.into(),
            subject_label: event.subject_label,
            changes: event.changes.into_iter().map(change).collect(),
            request_id: event.request_id,
        }
    }
}

#[ComplexObject]
impl AuditEntry {
    /// What it was done to, as it is now; null where it is not there any more, or has no page of its own.
    #[graphql(complexity = "10 + child_complexity")]
    async fn subject(&self, ctx: &Context<'_>) -> Result<Option<Node>> {
        if Node::is_one(&self.subject_id) { Node::find(ctx, &self.subject_id).await } else { Ok(None) }
    }
}

connection! {
    /// A page of the audit trail, the newest first.
    AuditEntryConnection,
    /// An entry with its cursor.
    AuditEntryEdge of AuditEntry
}

/// Which entries; everything that is sent must hold, of a list any.
#[derive(Clone, Debug, Default, InputObject)]
pub struct AuditFilter {
    /// Done in this time.
    at: Option<DateTimeRange>,
    /// Noun and verb, such as offer.update; 100 at most.
    actions: Option<Vec<String>>,
    /// Ids of operators and API keys, or system; 100 at most.
    actor_ids: Option<Vec<ID>>,
    /// Ids of what it was done to; 100 at most.
    subject_ids: Option<Vec<ID>>,
}

impl AuditFilter {
    fn read(self) -> Result<trail::AuditFilter> {
        let ids = |ids: Option<Vec<ID>>| bounded(ids.map(|ids| ids.into_iter().map(|id| id.0).collect()));
        Ok(trail::AuditFilter {
            at: self.at.map(Into::into),
            actions: bounded(self.actions)?,
            actors: ids(self.actor_ids)?,
            subjects: ids(self.subject_ids)?,
        })
    }
}

fn bounded(values: Option<Vec<String>>) -> Result<Option<Vec<String>>> {
    if values.as_ref().is_some_and(|values| values.len() > VALUES_MAX) {
        return Err(error::bad_user_input(format!("Name at most {VALUES_MAX} at a time")));
    }
    Ok(values)
}

impl AuditEntryConnection {
    /// A page of what a filter holds.
    pub async fn read(ctx: &Context<'_>, filter: Option<AuditFilter>, window: &Window) -> Result<Self> {
        let filter = filter.unwrap_or_default().read()?;
        let page = trail::list(ctx.database()?, &filter, &window.under(Newest)?).await.map_err(failed)?;
        Ok(Self::of(page, AuditEntry::from))
    }
}

impl AuditEntry {
    /// The entry of an id.
    pub async fn find(ctx: &Context<'_>, id: AuditEventId) -> Result<Option<Self>> {
        Ok(trail::find(ctx.database()?, id).await.map_err(failed)?.map(Into::into))
    }
}

//! Every control write: who, what, before, after.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub at: i64,
    /// Opaque id of the operator, or `system`.
    pub actor: String,
    pub actor_label: String,
    pub action: String,
    /// Opaque id.
    pub subject: String,
    pub subject_label: String,
    /// JSON list of {field, before, after}; never a secret.
    pub changes: String,
    pub address: Option<String>,
    pub request_id: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

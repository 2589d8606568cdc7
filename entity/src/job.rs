//! Work that goes on behind an answer, on whatever server has room for its next step.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    /// JSON, as its kind writes it in this version; emptied a day after its end, and at once where it is about a person
    /// and no file.
    pub input: String,
    pub input_version: i16,
    pub state: String,
    /// Where the next step begins, as its kind writes it; null before the first one.
    pub position: Option<String>,
    /// Null until it is known.
    pub total: Option<i64>,
    pub processed: i64,
    pub succeeded: i64,
    pub failed: i64,
    /// Why it failed as a whole.
    pub failure: Option<String>,
    pub cancel_requested: bool,
    pub created_by: String,
    pub created_by_label: String,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    /// Of those that wait, the one with the lowest has the next turn.
    pub turn_at: i64,
    /// The server that is at work on it.
    pub lease_owner: Option<Uuid>,
    /// Nobody else touches it before.
    pub lease_until: Option<i64>,
    /// Of the step that is due now.
    pub attempts: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

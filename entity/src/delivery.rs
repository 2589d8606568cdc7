//! The outbox: one change of a conversion on its way to one publisher.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub outbound_id: Uuid,
    /// Null of a test with made-up values.
    pub conversion_id: Option<Uuid>,
    /// Of the change in the conversion's history; null of a test.
    pub change_number: Option<i32>,
    /// recorded, approved or rejected.
    pub moment: String,
    /// pending, retrying, succeeded, gave_up or cancelled.
    pub state: String,
    /// Tries in all.
    pub attempts: i32,
    /// Tries since it was last sent again by hand.
    pub tries: i32,
    pub awaits_click: bool,
    /// Who sends it now; a worker whose lease was lost finds another one here.
    pub lease: Option<Uuid>,
    pub created_at: i64,
    /// Not before.
    pub ready_at: i64,
    /// The next try, or the end of the lease.
    pub due_at: i64,
    /// Null while it is still to be sent.
    pub finished_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

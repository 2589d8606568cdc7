//! The append-only history of a conversion.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversion_change")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub conversion_id: Uuid,
    /// 1 is its recording.
    pub number: i32,
    pub at: i64,
    pub kind: String,
    pub from_status: Option<String>,
    pub to_status: Option<String>,
    pub reason: Option<String>,
    pub note: Option<String>,
    /// sender, operator or system.
    pub party: String,
    /// Opaque id of the token or operator, or `system`.
    pub actor: String,
    pub receipt_id: Option<Uuid>,
    pub revenue_before_micros: Option<i64>,
    pub revenue_after_micros: Option<i64>,
    pub payout_before_micros: Option<i64>,
    pub payout_after_micros: Option<i64>,
    pub currency: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

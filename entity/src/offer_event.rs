//! A later result than the conversion, that an offer defines.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "offer_event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub offer_id: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    pub name: String,
    pub revenue_kind: String,
    pub revenue_value: i64,
    pub payout_kind: String,
    pub payout_value: i64,
    /// Nothing new is recorded for it; the row stays, for what was.
    pub removed_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

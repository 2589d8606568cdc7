//! 15-minute counts and money, kept by differences in the transaction of the facts.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rollup")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub bucket_at: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub offer_id: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency: String,
    /// Which writer: two writers never meet on a row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: i16,
    pub clicks: i64,
    pub conversions: i64,
    pub approved: i64,
    pub pending: i64,
    pub rejected: i64,
    /// Of approved conversions and events.
    pub revenue_micros: i64,
    /// Of approved conversions and events.
    pub payout_micros: i64,
    /// Events after the conversion, which are in no count above.
    pub events: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

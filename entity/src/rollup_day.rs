//! Counts and money by day of the workspace's zone, kept by differences in the transaction of the facts.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rollup_day")]
pub struct Model {
    /// Of the zone: another one for each change of it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub generation: i32,
    /// When the day began.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day_at: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub offer_id: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency: String,
    /// Which writer; -1 is what was counted before the generation began.
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: i16,
    pub clicks: i64,
    pub conversions: i64,
    pub approved: i64,
    pub pending: i64,
    pub rejected: i64,
    /// Later results of conversions, in none of the counts above.
    pub events: i64,
    /// Of approved conversions.
    pub revenue_micros: i64,
    /// Of approved conversions.
    pub payout_micros: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

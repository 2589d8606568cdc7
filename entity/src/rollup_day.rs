//! Counts and money of one day by offer and publisher.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rollup_day")]
pub struct Model {
    /// Of one count of one day: which day that is says `sub_id_day`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub edition: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub offer_id: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub publisher_id: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency: String,
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

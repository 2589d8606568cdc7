//! Which count of a day holds, and of which state of the day it is.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sub_id_day")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub generation: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub day_at: i64,
    /// Of the rows of `rollup_day`, `rollup_day_sum`, `rollup_sum` and `rollup_sub_id`.
    pub edition: i64,
    /// The sum of the day's changes that the count has seen.
    pub counted_changes: i64,
    pub counted_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

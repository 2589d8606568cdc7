//! The editions of counts of days that have rows, whether a day holds them or not.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sub_id_edition")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub edition: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

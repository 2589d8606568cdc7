//! Which receipts and which entries of histories one batch wrote: ids of 16 bytes, one behind the other.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "feed")]
pub struct Model {
    /// Given by the database, in the order of the commits.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// When the batch was settled.
    pub at: i64,
    pub receipts: Vec<u8>,
    pub changes: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

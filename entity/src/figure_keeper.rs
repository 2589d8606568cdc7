//! Which server looks after the figures now (days of a new zone, counts by sub id): one row.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "figure_keeper")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i16,
    /// Drawn by chance by whoever took it last.
    pub holder: String,
    pub held_until: i64,
    /// Of the counts by sub id.
    pub last_edition: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

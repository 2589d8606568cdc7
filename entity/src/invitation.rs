//! A link with which an operator sets a password; gone once it was used.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitation")]
pub struct Model {
    /// One at a time: a newer link ends the older one.
    #[sea_orm(primary_key, auto_increment = false)]
    pub operator_id: Uuid,
    /// Of the code, in hexadecimal digits.
    pub digest: String,
    pub created_at: i64,
    /// Opaque id of an operator or a key, or `system`.
    pub created_by: String,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! A person who uses the admin API.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "operator")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Lower case.
    pub email: String,
    pub name: String,
    /// Empty until whoever was invited has set a password.
    pub password_hash: String,
    pub role: String,
    pub is_active: bool,
    /// Access tokens of another version are refused.
    pub token_version: i32,
    pub created_at: i64,
    pub last_seen_at: Option<i64>,
    pub version: i32,
    /// IANA name; none: that of the workspace.
    pub time_zone: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

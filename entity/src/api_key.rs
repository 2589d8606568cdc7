//! A program that uses the admin API.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// SHA-256 of its text, which is kept nowhere.
    pub digest: Vec<u8>,
    pub hint: String,
    pub name: String,
    pub role: String,
    pub created_at: i64,
    /// Opaque id of an operator or a key, or `system`.
    pub created_by: String,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub revoked_by: Option<String>,
    /// At most once a minute.
    pub last_used_at: Option<i64>,
    /// A network, /24 or /48.
    pub last_used_address: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

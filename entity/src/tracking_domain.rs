//! A host that carries links and pixels.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tracking_domain")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub host: String,
    /// pending, active, failing or disabled.
    pub state: String,
    pub is_default: bool,
    /// What the TXT record must hold.
    pub challenge: String,
    pub cname_found: Option<String>,
    pub txt_found: Option<String>,
    pub failure: Option<String>,
    pub last_checked_at: Option<i64>,
    pub created_at: i64,
    pub version: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! A rule by which publishers are told of their conversions.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbound")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub is_enabled: bool,
    pub disabled_reason: Option<String>,
    pub publisher_id: Option<i32>,
    pub offer_id: Option<i32>,
    /// Words, joined by commas.
    pub moments: String,
    /// One a line; empty means every.
    pub rejection_reasons: String,
    /// Numbers, joined by commas; empty means every.
    pub events: String,
    /// get, post_form or post_json.
    pub method: String,
    pub url_template: String,
    pub signature_parameter: Option<String>,
    pub delay_seconds: i32,
    /// First and last four characters of the newest secret.
    pub signing_hint: String,
    /// The text under XChaCha20-Poly1305.
    pub signing_sealed: Vec<u8>,
    /// Of a rotation: signs too until `previous_until`.
    pub previous_sealed: Option<Vec<u8>>,
    pub previous_until: Option<i64>,
    /// Null while the last try succeeded.
    pub failing_since: Option<i64>,
    pub version: i32,
    pub created_at: i64,
    pub updated_at: i64,
    pub deleted_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! What a publisher promotes.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "offer")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub advertiser_id: i32,
    pub name: String,
    pub description: Option<String>,
    /// active, paused or archived.
    pub state: String,
    /// Template with macros.
    pub landing_url: String,
    pub fallback_url: Option<String>,
    pub currency: String,
    /// fixed (value in micros) or percent (value in millionths of a percent).
    pub revenue_kind: String,
    pub revenue_value: i64,
    pub payout_kind: String,
    pub payout_value: i64,
    pub payout_ceiling_micros: Option<i64>,
    pub attribution_window_hours: i32,
    /// one_per_transaction or one_per_order.
    pub duplicate_policy: String,
    pub manual_approval: bool,
    pub clickless_enabled: bool,
    pub pixel_enabled: bool,
    pub pixel_trusted: bool,
    pub wire_revenue_trusted: bool,
    pub wire_payout_trusted: bool,
    pub strict_amounts: bool,
    pub repeat_window_seconds: i32,
    pub clickless_repeat_window_seconds: i32,
    pub reject_without_secure: bool,
    /// Networks, joined by commas.
    pub reject_allowed_addresses: String,
    /// all or chosen.
    pub access: String,
    pub version: i32,
    pub created_at: i64,
    pub updated_at: i64,
    pub archived_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! The result of a click, or a clickless one. Never purged: only its personal columns are emptied.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversion")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub transaction_id: Vec<u8>,
    /// 0 is the base conversion.
    pub event_number: i32,
    /// postback, clickless or image_pixel.
    pub source: String,
    /// pending, approved or rejected: what the history says.
    pub status: String,
    pub pending_reason: Option<String>,
    pub rejection_reason: Option<String>,
    /// sender, operator or system.
    pub rejected_by: Option<String>,
    /// The advertiser's reason beside that of whoever rejected first.
    pub advertiser_reason: Option<String>,
    pub offer_id: i32,
    pub publisher_id: i32,
    pub order_id: Option<String>,
    pub external_transaction_id: Option<String>,
    pub sub_id: Option<String>,
    pub sub_id_2: Option<String>,
    pub sub_id_3: Option<String>,
    pub sub_id_4: Option<String>,
    pub sub_id_5: Option<String>,
    pub sub_id_6: Option<String>,
    pub adv_sub_id: Option<String>,
    pub adv_sub_id_2: Option<String>,
    pub adv_sub_id_3: Option<String>,
    pub adv_sub_id_4: Option<String>,
    pub adv_sub_id_5: Option<String>,
    pub adv_sub_id_6: Option<String>,
    pub session_time_seconds: Option<i32>,
    /// Network, /24 or /48.
    pub conversion_ip: Option<String>,
    pub conversion_ip_hash: Option<Vec<u8>>,
    pub user_agent: Option<String>,
    pub device_id: Option<String>,
    pub email_masked: Option<String>,
    pub email_hash: Option<Vec<u8>>,
    pub currency: String,
    pub revenue_micros: Option<i64>,
    pub payout_micros: Option<i64>,
    pub purchase_value_micros: Option<i64>,
    pub reported_revenue_micros: Option<i64>,
    pub reported_payout_micros: Option<i64>,
    /// As sent, where it is not the offer's.
    pub reported_currency: Option<String>,
    pub click_pending: bool,
    pub is_test: bool,
    pub token_id: Option<Uuid>,
    /// When a postback confirmed a pixel conversion.
    pub confirmed_at: Option<i64>,
    pub clicked_at: Option<i64>,
    pub converted_at: i64,
    pub recorded_at: i64,
    pub status_changed_at: i64,
    /// Also the number of its last change.
    pub version: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

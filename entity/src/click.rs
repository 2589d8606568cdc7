//! One visit through a tracking link; append-only.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "click")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub transaction_id: Vec<u8>,
    /// The millisecond inside the id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub clicked_at: i64,
    pub offer_id: i32,
    pub publisher_id: i32,
    pub sub_id: Option<String>,
    pub sub_id_2: Option<String>,
    pub sub_id_3: Option<String>,
    pub sub_id_4: Option<String>,
    pub sub_id_5: Option<String>,
    pub sub_id_6: Option<String>,
    pub external_transaction_id: Option<String>,
    pub device_id: Option<String>,
    /// Network, /24 or /48.
    pub address: Option<String>,
    pub address_hash: Option<Vec<u8>>,
    pub user_agent: Option<String>,
    pub referrer_origin: Option<String>,
    pub is_bot: bool,
    pub is_test: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

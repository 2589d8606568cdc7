//! A rejection that came before its conversion.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "parked_rejection")]
pub struct Model {
    /// The conversion key that it waits on.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Vec<u8>,
    pub transaction_id: Vec<u8>,
    pub offer_id: i32,
    pub order_id: Option<String>,
    pub event_number: i32,
    pub reason: String,
    pub token_id: Option<Uuid>,
    pub receipt_id: Uuid,
    pub parked_at: i64,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

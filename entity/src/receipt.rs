//! The record of one inbound request. The id begins with its time of arrival, so it is the time index too.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "receipt")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub received_at: i64,
    pub door: String,
    pub verdict: String,
    pub code: String,
    /// The check that decided; those before it passed, those after it were not reached.
    pub decisive_check: Option<String>,
    pub detail: Option<String>,
    pub field: Option<String>,
    /// At most 64 characters of what was wrong.
    pub received: Option<String>,
    pub method: String,
    pub host: String,
    pub path: String,
    /// Form-encoded, normalised, in private forms; never a secret.
    pub params: String,
    pub address: Option<String>,
    pub address_hash: Option<Vec<u8>>,
    pub user_agent: Option<String>,
    pub latency_us: i64,
    pub is_test: bool,
    pub lenient: bool,
    pub token_id: Option<Uuid>,
    pub offer_id: Option<i32>,
    pub publisher_id: Option<i32>,
    pub transaction_id: Option<Vec<u8>>,
    pub conversion_id: Option<Uuid>,
    /// Of the conversion, as answered.
    pub status: Option<String>,
    /// code:field:hint, joined by line feeds.
    pub warnings: String,
    pub request_id: String,
    /// The receipt of the first attempt, where this one was sent again from it.
    pub replay_of: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

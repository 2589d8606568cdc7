//! A click that another system tracked: its id there, and the sealed id that was made for it here.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "foreign_click")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub foreign_id: String,
    pub transaction_id: Vec<u8>,
    pub clicked_at: i64,
    pub offer_id: i32,
    pub publisher_id: i32,
    pub external_transaction_id: Option<String>,
    pub sub_id: Option<String>,
    pub sub_id_2: Option<String>,
    pub sub_id_3: Option<String>,
    pub sub_id_4: Option<String>,
    pub sub_id_5: Option<String>,
    pub sub_id_6: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

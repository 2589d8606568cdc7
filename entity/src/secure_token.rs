//! The secret behind the wire parameter `secure`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "secure_token")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// SHA-256 of the text.
    pub digest: Vec<u8>,
    /// The text under XChaCha20-Poly1305; null where only the digest is kept.
    pub sealed: Option<Vec<u8>>,
    /// First and last four characters.
    pub hint: String,
    pub label: Option<String>,
    /// global or offer.
    pub scope: String,
    pub offer_id: Option<i32>,
    /// Bits: 1 convert, 2 reject, 4 clickless, 8 status.
    pub capabilities: i16,
    /// Set by a rotation: refused from this instant on.
    pub retiring_until: Option<i64>,
    pub replaced_by: Option<Uuid>,
    /// Networks, joined by commas; empty allows all.
    pub allowed_addresses: String,
    pub lenient_status: bool,
    pub imported: bool,
    pub created_at: i64,
    /// Opaque id of the operator, or `system`.
    pub created_by: String,
    pub revoked_at: Option<i64>,
    pub revoked_by: Option<String>,
    pub revoke_reason: Option<String>,
    pub last_used_at: Option<i64>,
    /// Network, /24 or /48.
    pub last_used_address: Option<String>,
    pub last_dry_run_at: Option<i64>,
    pub version: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

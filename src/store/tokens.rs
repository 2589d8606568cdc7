//! Secure tokens: rows in and out.
//!
//! What a row holds beyond [`SecureToken`] is for people (label, last use); nothing judges by it.

use entity::secure_token as row;

use super::columns::Cell;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::TokenId;
use crate::domain::secure_token::{Capabilities, SecureToken, TokenDigest, TokenScope, TokenState};

const TABLE: &str = "secure_token";

/// The token that a row means. Its state is not stored: a revocation, else an end, else active.
pub(crate) fn from_row(row: &row::Model) -> Result<SecureToken, StoreError> {
    let digest = TokenDigest::from_bytes(&row.digest).ok_or_else(|| Cell(TABLE, "digest").unreadable())?;
    let capabilities =
        Capabilities::from_bits(row.capabilities).ok_or_else(|| Cell(TABLE, "capabilities").unreadable())?;
    Ok(SecureToken {
        id: TokenId::from_uuid(row.id),
        digest,
        scope: scope(row)?,
        capabilities,
        state: state(row),
        retiring_until: retiring_until(row),
        allowed_addresses: Cell(TABLE, "allowed_addresses").networks(&row.allowed_addresses)?,
        lenient_status: row.lenient_status,
        imported: row.imported,
        version: row.version,
        replaced_by: row.replaced_by.map(TokenId::from_uuid),
    })
}

fn scope(row: &row::Model) -> Result<TokenScope, StoreError> {
    match (row.scope.as_str(), row.offer_id) {
        ("global", None) => Ok(TokenScope::Global),
        ("offer", Some(offer)) => Ok(TokenScope::Offer(Cell(TABLE, "offer_id").offer(offer)?)),
        _ => Err(Cell(TABLE, "scope").unreadable()),
    }
}

fn state(row: &row::Model) -> TokenState {
    if row.revoked_at.is_some() {
        TokenState::Revoked
    } else if row.retiring_until.is_some() {
        TokenState::Retiring
    } else {
        TokenState::Active
    }
}

/// A revoked token keeps its column, but has no end any more.
fn retiring_until(row: &row::Model) -> Option<Timestamp> {
    row.retiring_until.filter(|_| row.revoked_at.is_none()).map(Timestamp::from_millis)
}

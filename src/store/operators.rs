//! Operators: rows in and out. Password hashes never leave this file but for their own check.

use entity::operator as row;

use super::columns::Cell;
use super::error::StoreError;
use crate::domain::operator::Role;
use crate::domain::snapshot::OperatorAccess;

const TABLE: &str = "operator";

/// What an access token is compared with.
pub(crate) fn access_from_row(row: &row::Model) -> Result<OperatorAccess, StoreError> {
    Ok(OperatorAccess {
        role: Cell(TABLE, "role").word(&row.role, Role::parse)?,
        is_active: row.is_active,
        token_version: row.token_version,
    })
}

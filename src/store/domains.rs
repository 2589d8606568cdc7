//! Tracking domains: rows in and out.

use entity::tracking_domain as row;

use super::columns::Cell;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::TrackingDomainId;
use crate::domain::tracking_domain::{DomainState, TrackingDomain};

const TABLE: &str = "tracking_domain";

pub(crate) fn from_row(row: row::Model) -> Result<TrackingDomain, StoreError> {
    Ok(TrackingDomain {
        id: TrackingDomainId::from_uuid(row.id),
        state: Cell(TABLE, "state").word(&row.state, DomainState::parse)?,
        host: row.host,
        is_default: row.is_default,
        challenge: row.challenge,
        cname_found: row.cname_found,
        txt_found: row.txt_found,
        failure: row.failure,
        last_checked_at: row.last_checked_at.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.created_at),
        version: row.version,
    })
}

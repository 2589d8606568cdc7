//! What is written down of an item, and how it is read back.
//!
//! JSON with a version, so that a later server and a person can read it. Of a pixel only what judging and recording it
//! needs: no secret, and people in their private forms only, which the types of `domain` see to. What would be refused
//! anyway has nothing to be kept, and may hold anything, so it is not written at all.
//! A field that is added must have a default, or the version must rise: what was written before an update is read
//! after it.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::click::Click;
use crate::domain::inbound::{Door, Slot};
use crate::domain::screening::Hit;
use crate::domain::transaction_id::TransactionId;
use crate::store::spool::{NewRow, SpoolRow};

const VERSION: u32 = 1;
const CLICK: &str = "click";
const PIXEL: &str = "pixel";

/// An item that may wait in the spool.
#[derive(Clone, Debug)]
pub enum Spooled {
    Click(Arc<Click>),
    /// A request at the pixel's door, admitted.
    Pixel(Arc<Hit>),
}

/// Why an item is not written down: a fault of ours.
#[derive(Debug, Error)]
pub(super) enum NoPayload {
    #[error("only a pixel with a transaction id that reads may wait")]
    WouldBeRefused,
    #[error("it cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Why a row cannot be read. Says nothing of what is in it, because it is logged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Unreadable {
    #[error("version {0} of its payload is not known here")]
    Version(u32),
    #[error("its kind is not known here")]
    Kind,
    /// `serde_json` names the place, and may quote what stands there: only the place is kept.
    #[error("its payload is damaged at line {line}, column {column}")]
    Damaged { line: usize, column: usize },
}

#[derive(Serialize)]
struct Written<'a, T> {
    v: u32,
    item: &'a T,
}

#[derive(Deserialize)]
struct Read<T> {
    item: T,
}

/// The part that every version has.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

impl Spooled {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Click(_) => CLICK,
            Self::Pixel(_) => PIXEL,
        }
    }
}

pub(super) fn write(item: &Spooled) -> Result<NewRow, NoPayload> {
    let payload = match item {
        Spooled::Click(click) => serde_json::to_vec(&Written { v: VERSION, item: &**click })?,
        Spooled::Pixel(hit) if may_wait(hit) => serde_json::to_vec(&Written { v: VERSION, item: &**hit })?,
        Spooled::Pixel(_) => return Err(NoPayload::WouldBeRefused),
    };
    Ok(NewRow { kind: item.kind(), payload })
}

/// The text of an id that does not read may be anything, a secret or an e-mail.
fn may_wait(hit: &Hit) -> bool {
    let has_id = match &hit.inbound.transaction_id {
        Slot::Value(text) => TransactionId::parse(text).is_ok(),
        Slot::Absent | Slot::Bad(_) => false,
    };
    hit.inbound.door == Door::Pixel && hit.inbound.unreadable.is_none() && has_id
}

pub(super) fn read(row: &SpoolRow) -> Result<Spooled, Unreadable> {
    let Versioned { v } = parse(&row.payload)?;
    if v != VERSION {
        return Err(Unreadable::Version(v));
    }
    match row.kind.as_str() {
        CLICK => Ok(Spooled::Click(Arc::new(item(&row.payload)?))),
        PIXEL => Ok(Spooled::Pixel(Arc::new(item(&row.payload)?))),
        _ => Err(Unreadable::Kind),
    }
}

fn item<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Unreadable> {
    parse(payload).map(|Read { item }| item)
}

fn parse<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(payload).map_err(|error| Unreadable::Damaged { line: error.line(), column: error.column() })
}

#[cfg(test)]
mod tests;

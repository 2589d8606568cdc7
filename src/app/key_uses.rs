//! When an API key was used last, for people who look which keys nobody needs any more.
//!
//! A request only notes its use in memory, once a minute for each key; [`keep`] writes the notes. So no read waits for
//! a write, and a database that takes none changes nothing for whoever reads. What was noted in the last seconds of a
//! server is lost with it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{App, AppError};
use crate::domain::api_key::USE_NOTED_EVERY_MS;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ApiKeyId;
use crate::domain::privacy::mask_address;
use crate::store::api_keys::{self, KeyUse};

/// How often notes are written.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// Notes of this server; at most one for each key that there is.
#[derive(Debug, Default)]
pub struct KeyUses(Mutex<HashMap<ApiKeyId, Note>>);

#[derive(Debug)]
struct Note {
    at: Timestamp,
    /// None once it was handed out to be written.
    unwritten: Option<KeyUse>,
}

impl KeyUses {
    /// Notes a use, unless one of the last minute is noted.
    pub fn note(&self, key: ApiKeyId, address: Option<IpAddr>, now: Timestamp) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |note: &Note| (0..USE_NOTED_EVERY_MS).contains(&now.millis_since(note.at));
        if notes.get(&key).is_some_and(is_fresh) {
            return;
        }
        let address = address.map(|address| mask_address(address).to_string());
        notes.insert(key, Note { at: now, unwritten: Some(KeyUse { key, at: now, address }) });
    }

    fn take(&self) -> Vec<KeyUse> {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.values_mut().filter_map(|note| note.unwritten.take()).collect()
    }
}

/// Writes what is noted.
///
/// # Errors
/// Our own failures only; then these notes are lost.
pub async fn write_uses(app: &App) -> Result<(), AppError> {
    let uses = app.identity.key_uses.take();
    if uses.is_empty() {
        return Ok(());
    }
    Ok(api_keys::mark_used(&app.database, uses).await?)
}

/// Writes notes every few seconds. Never ends: `server.rs` runs it among its tasks.
pub async fn keep(app: Arc<App>) {
    loop {
        tokio::time::sleep(WRITE_EVERY).await;
        if let Err(error) = write_uses(&app).await {
            tracing::warn!(error = %error, "when API keys were used last could not be written down");
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_use_is_noted_once_a_minute_with_its_network() {
        let uses = KeyUses::default();
        let (one, two) = (ApiKeyId::from_uuid(Uuid::from_u128(1)), ApiKeyId::from_uuid(Uuid::from_u128(2)));
        let address = "192.0.2.77".parse().ok();
        let at = Timestamp::from_millis;
        uses.note(one, address, at(0));
        uses.note(one, None, at(59_999));
        assert_eq!(uses.take(), [KeyUse { key: one, at: at(0), address: Some("192.0.2.0/24".into()) }]);
        assert_eq!(uses.take(), []);
        uses.note(one, None, at(59_999));
        assert_eq!(uses.take(), []);
        uses.note(two, None, at(59_999));
        uses.note(one, None, at(60_000));
        assert_eq!(uses.take().len(), 2);
        uses.note(one, None, at(1));
        assert_eq!(uses.take().len(), 1, "a clock that was set back begins anew");
    }
}

//! What the unit tests of use cases stand on: an [`App`] on a database of its own, and people.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::access_token::{AccessTokens, SigningKeys};
use super::dns::{DnsFailure, DnsLookup};
use super::snapshot::{UnknownTokens, refresh};
use super::{App, AppOptions, Identity};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::keyring::{Keyring, SeededEntropy};
use crate::domain::operator::{Principal, Role};
use crate::domain::transaction_id::Minter;
use crate::store::fixtures::{Folder, database};

/// The instant at which tests of use cases happen: 2026-11-22T10:40:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_344_000_000);

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// Nobody answers.
struct SilentDns;

impl DnsLookup for SilentDns {
    fn cname<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFailure>> {
        Box::pin(async { Err(DnsFailure("none in a test".into())) })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFailure>> {
        self.cname(name)
    }
}

/// Keep the folder as long as the app is used.
pub(crate) async fn test_app() -> (App, Folder) {
    let (database, folder) = database().await;
    let entropy = Arc::new(SeededEntropy::new(1));
    let app = App {
        database,
        snapshot: Arc::default(),
        unknown_tokens: UnknownTokens::default(),
        keyring: Arc::new(Keyring::generate(&*entropy).unwrap()),
        clock: Arc::new(StoppedClock),
        minter: Minter::new(&*entropy),
        identity: Identity::new(
            AccessTokens {
                keys: SigningKeys::generate(&*entropy).unwrap(),
                issuer: "roundtrip".into(),
                audience: "roundtrip-admin".into(),
                access_seconds: 900,
            },
            14 * 24 * 3600,
        ),
        entropy,
        dns: Arc::new(SilentDns),
        options: AppOptions {
            public_url: "https://track.example".parse().unwrap(),
            trusted_proxies: Vec::new(),
            redisplay_tokens: true,
            token_overlap_seconds: 24 * 3600,
            token_overlap_seconds_max: 30 * 24 * 3600,
        },
    };
    refresh(&app).await.unwrap();
    (app, folder)
}

pub(crate) fn manager() -> Principal {
    Principal { label: "Ada".into(), role: Role::Manager, ..Principal::system() }
}

//! The use cases on a fresh database, without a door: for the rules of control data.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use roundtrip::app::access_token::{AccessTokens, SigningKeys};
use roundtrip::app::deliver_outbound::CourierOptions;
use roundtrip::app::dns::{AddressLookup, DnsFailure, DnsLookup};
use roundtrip::app::jobs::JobSignals;
use roundtrip::app::publisher_client::PublisherClient;
use roundtrip::app::snapshot::{UnknownTokens, refresh};
use roundtrip::app::{App, AppOptions, Identity, Outcome, TrackingLimits, TrackingRates, UserErrorCode};
use roundtrip::domain::address::Reach;
use roundtrip::domain::keyring::Keyring;
use roundtrip::domain::transaction_id::Minter;
use roundtrip::intake::{Intake, IntakeParts};
use roundtrip::store::{Database, Engine};
use tempfile::TempDir;

use super::bench::{fresh, options};
use super::chance::{ManualClock, SeededEntropy};

/// Keep the folder as long as the app is used. The longest overlap of a rotation is 7 days here.
pub(crate) async fn app(engine: Engine, dns: Arc<dyn DnsLookup>) -> (App, Arc<ManualClock>, Option<TempDir>) {
    let (database, folder) = fresh(engine).await;
    let (app, clock) = app_on(database, dns).await;
    (app, clock, folder)
}

/// As [`app`], on a database with its schema.
pub(crate) async fn app_on(database: Database, dns: Arc<dyn DnsLookup>) -> (App, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let entropy = Arc::new(SeededEntropy::new("desk"));
    let parts = IntakeParts {
        database: database.clone(),
        snapshot: Arc::default(),
        keyring: Arc::new(Keyring::generate(&*entropy).unwrap()),
        clock: Arc::clone(&clock) as _,
        minter: Arc::new(Minter::new(&*entropy)),
        entropy,
        spool: None,
    };
    let tokens = AccessTokens {
        keys: SigningKeys::generate(&*parts.entropy).unwrap(),
        issuer: "roundtrip".into(),
        audience: "roundtrip-admin".into(),
        access_seconds: 900,
    };
    let app = App {
        database,
        snapshot: Arc::clone(&parts.snapshot),
        unknown_tokens: UnknownTokens::default(),
        keyring: Arc::clone(&parts.keyring),
        clock: Arc::clone(&parts.clock),
        entropy: Arc::clone(&parts.entropy),
        dns,
        publishers: publishers(),
        identity: Identity::new(tokens, 14 * 24 * 3600),
        minter: Arc::clone(&parts.minter),
        limits: TrackingLimits::new(Arc::clone(&parts.clock), TrackingRates::default()),
        intake: intake(parts),
        jobs: JobSignals::default(),
        options: AppOptions {
            public_url: "https://track.example".parse().unwrap(),
            trusted_proxies: Vec::new(),
            redisplay_tokens: true,
            token_overlap_seconds: 24 * 3600,
            token_overlap_seconds_max: 7 * 24 * 3600,
            receipt_days: 30,
            delivery_days: 30,
            courier: CourierOptions::default(),
        },
    };
    refresh(&app).await.unwrap();
    (app, clock)
}

/// Every name is this machine, and nothing else may be reached.
struct HereOnly;

impl AddressLookup for HereOnly {
    fn addresses<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>> {
        Box::pin(async { Ok(vec![[127, 0, 0, 1].into()]) })
    }
}

/// Tells publishers on this machine, over http too.
pub(crate) fn publishers() -> PublisherClient {
    let reach = Reach { http_allowed: true, networks_allowed: vec!["127.0.0.1/32".parse().unwrap()] };
    PublisherClient::new(reach, Arc::new(HereOnly), None, Duration::from_secs(5)).unwrap()
}

fn intake(parts: IntakeParts) -> Intake {
    let (intake, writers) = Intake::new(parts, options(1));
    for writer in writers {
        #[expect(clippy::disallowed_methods, reason = "a test's writers end with its runtime")]
        tokio::spawn(writer);
    }
    intake
}

/// The value of a use case that must succeed.
pub(crate) fn done<T>(outcome: Outcome<T>) -> T {
    outcome.unwrap().unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// The code of the one reason for which a use case must say no.
pub(crate) fn refused<T>(outcome: Outcome<T>) -> UserErrorCode {
    let Err(errors) = outcome.unwrap() else { panic!("was not refused") };
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].code
}

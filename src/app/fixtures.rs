//! What the unit tests of use cases stand on: an [`App`] on a database of its own, and people.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::access_token::{AccessTokens, SigningKeys};
use super::deliver_outbound::CourierOptions;
use super::dns::{AddressLookup, DnsFailure, DnsLookup};
use super::jobs::JobSignals;
use super::operators::{Draft, create_operator};
use super::publisher_client::PublisherClient;
use super::snapshot::{UnknownTokens, refresh};
use super::{App, AppOptions, Identity, TrackingLimits, TrackingRates};
use crate::domain::address::Reach;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::keyring::{Keyring, SeededEntropy};
use crate::domain::operator::{Caller, Operator, Principal, Role};
use crate::domain::transaction_id::Minter;
use crate::intake::{Intake, IntakeOptions, IntakeParts, QueueLimits};
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

impl AddressLookup for SilentDns {
    fn addresses<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>> {
        Box::pin(async { Err(DnsFailure("none in a test".into())) })
    }
}

/// A clock that a test moves by hand.
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// [`test_app`] with a clock that begins at [`NOW`] and is moved by hand.
pub(crate) async fn timed_app() -> (App, Arc<HandClock>, Folder) {
    let (mut app, folder) = test_app().await;
    let clock = Arc::new(HandClock(AtomicI64::new(NOW.as_millis())));
    app.clock = clock.clone();
    (app, clock, folder)
}

/// Keep the folder as long as the app is used.
pub(crate) async fn test_app() -> (App, Folder) {
    let (database, folder) = database().await;
    let entropy = Arc::new(SeededEntropy::new(1));
    let parts = IntakeParts {
        database: database.clone(),
        snapshot: Arc::default(),
        keyring: Arc::new(Keyring::generate(&*entropy).unwrap()),
        clock: Arc::new(StoppedClock),
        minter: Arc::new(Minter::new(&*entropy)),
        entropy,
        spool: None,
    };
    let app = App {
        database,
        snapshot: Arc::clone(&parts.snapshot),
        unknown_tokens: UnknownTokens::default(),
        keyring: Arc::clone(&parts.keyring),
        clock: Arc::clone(&parts.clock),
        minter: Arc::clone(&parts.minter),
        entropy: Arc::clone(&parts.entropy),
        limits: TrackingLimits::new(Arc::clone(&parts.clock), TrackingRates::default()),
        identity: Identity::new(
            AccessTokens {
                keys: SigningKeys::generate(&*parts.entropy).unwrap(),
                issuer: "roundtrip".into(),
                audience: "roundtrip-admin".into(),
                access_seconds: 900,
            },
            14 * 24 * 3600,
        ),
        dns: Arc::new(SilentDns),
        publishers: PublisherClient::new(Reach::default(), Arc::new(SilentDns), None, Duration::from_secs(1)).unwrap(),
        intake: intake(parts),
        jobs: JobSignals::default(),
        options: AppOptions {
            public_url: "https://track.example".parse().unwrap(),
            trusted_proxies: Vec::new(),
            redisplay_tokens: true,
            token_overlap_seconds: 24 * 3600,
            token_overlap_seconds_max: 30 * 24 * 3600,
            receipt_days: 30,
            delivery_days: 30,
            courier: CourierOptions::default(),
        },
    };
    refresh(&app).await.unwrap();
    (app, folder)
}

/// Its writer ends with the runtime of the test.
fn intake(parts: IntakeParts) -> Intake {
    let queues =
        QueueLimits { conversion_items_max: 64, click_items_max: 64, receipt_items_max: 64, bytes_max: 1 << 20 };
    let answer_deadline = Duration::from_secs(5);
    let (intake, writers) = Intake::new(
        parts,
        IntakeOptions { queues, batch_items_max: 64, writers: 1, answer_deadline, visitor_patience: answer_deadline },
    );
    for writer in writers {
        #[expect(clippy::disallowed_methods, reason = "the runtime of the test ends it")]
        tokio::spawn(writer);
    }
    intake
}

pub(crate) fn manager() -> Principal {
    Principal { label: "Ada".into(), role: Role::Manager, ..Principal::system() }
}

/// The password of everybody in tests.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// An operator who can sign in with [`PASSWORD`].
pub(crate) async fn operator(app: &App, email: &str, role: Role) -> Operator {
    let draft = Draft { email: email.to_owned(), name: "Grace".to_owned(), role };
    create_operator(app, &Principal::system(), draft, PASSWORD.into()).await.unwrap().unwrap()
}

/// A request from 192.0.2.1.
pub(crate) fn caller() -> Caller {
    Caller { address: "192.0.2.1".parse().ok(), request_id: "req_1".to_owned() }
}

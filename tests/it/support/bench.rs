//! Intake on a fresh database, without a door: for the rules that only the write path can hold.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use roundtrip::domain::advertiser::Advertiser;
use roundtrip::domain::answer::Answer;
use roundtrip::domain::calendar::Zone;
use roundtrip::domain::click::Click;
use roundtrip::domain::clock::{Clock, Entropy, Timestamp};
use roundtrip::domain::code::Code;
use roundtrip::domain::ids::{AdvertiserId, OfferId, PublisherId, ReceiptId, TokenId};
use roundtrip::domain::inbound::{Door, Pairs, read};
use roundtrip::domain::keyring::Keyring;
use roundtrip::domain::macros::UrlTemplate;
use roundtrip::domain::money::{Currency, Micros, Price};
use roundtrip::domain::offer::{
    ATTRIBUTION_WINDOW_HOURS_DEFAULT, CLICKLESS_REPEAT_WINDOW_SECONDS_DEFAULT, DuplicatePolicy, Offer, OfferAccess,
    OfferEvent, OfferState, REPEAT_WINDOW_SECONDS_DEFAULT, Switches,
};
use roundtrip::domain::privacy::{PrivateAddress, PrivateEmail};
use roundtrip::domain::publisher::{PartnerState, Publisher};
use roundtrip::domain::receipt::{Arrival, canonical_params};
use roundtrip::domain::screening::Hit;
use roundtrip::domain::secure_token::{Capabilities, Capability, PlainToken, SecureToken, TokenScope};
use roundtrip::domain::snapshot::Snapshot;
use roundtrip::domain::tracking_domain::{DomainState, TrackingDomain};
use roundtrip::domain::transaction_id::{Kind, Minter, TransactionId};
use roundtrip::intake::{Intake, IntakeOptions, IntakeParts, QueueLimits, WriterTask};
use roundtrip::store::days::Generation;
use roundtrip::store::sub_ids::{self, Held};
use roundtrip::store::{ConnectOptionsOf, Database, Engine, keeper};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::chance::{ManualClock, SeededEntropy};
use super::postgres;

pub(crate) const OFFER: i32 = 42;
pub(crate) const PUBLISHER: i32 = 7;

/// A database of one engine, with its schema and nothing else.
pub(crate) async fn fresh(engine: Engine) -> (Database, Option<TempDir>) {
    let (options, folder) = fresh_options(engine);
    let database = Database::connect(&options).await.unwrap();
    database.migrate().await.unwrap();
    (database, folder)
}

/// How to reach a database that holds nothing yet.
pub(crate) fn fresh_options(engine: Engine) -> (ConnectOptionsOf, Option<TempDir>) {
    let (url, folder) = match engine {
        Engine::Sqlite => {
            let folder = tempfile::tempdir().unwrap();
            (format!("sqlite://{}", folder.path().join("roundtrip.db").display()), Some(folder))
        }
        Engine::Postgres => (postgres::fresh_database(), None),
    };
    let options = ConnectOptionsOf {
        url: url.into(),
        read_connections: 4,
        write_connections: 2,
        acquire_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(5),
    };
    (options, folder)
}

/// How to reach the database of a bench, and how its intake behaves, once more.
struct Again {
    connect: ConnectOptionsOf,
    intake: IntakeOptions,
    /// How often it was opened.
    openings: u32,
}

pub(crate) struct Bench {
    pub(crate) database: Database,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) minter: Arc<Minter>,
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) intake: Intake,
    pub(crate) secret: String,
    writers: JoinSet<()>,
    again: Option<Again>,
    _folder: Option<TempDir>,
}

impl Bench {
    /// Offer 42 of one advertiser, publisher 7, one global token that may do everything, the domain `pixel.test`.
    pub(crate) async fn start(engine: Engine) -> Self {
        let writers = match engine {
            Engine::Sqlite => 1,
            Engine::Postgres => 2,
        };
        let (connect, folder) = fresh_options(engine);
        let database = Database::connect(&connect).await.unwrap();
        database.migrate().await.unwrap();
        let intake = options(writers);
        let (bench, tasks) = Self::on((database, folder), intake);
        let again = Again { connect, intake, openings: 1 };
        Self { writers: tasks.into_iter().collect(), again: Some(again), ..bench }
    }

    /// As a server that was told to end, and was started again.
    pub(crate) async fn restart(&mut self) {
        self.intake.close();
        while self.writers.join_next().await.is_some() {}
        self.open_again().await;
    }

    /// As a server that was killed, and was started again: what waited is gone, and so is what was not committed.
    pub(crate) async fn crash(&mut self) {
        self.writers.shutdown().await;
        self.open_again().await;
    }

    /// Counts every day that has changed since it was counted.
    pub(crate) async fn count_days(&self) {
        let now = self.clock.now();
        let held = Held { holder: "bench".into(), until: now.plus_seconds(60) };
        assert!(keeper::take(&self.database, &held.holder, now, held.until).await.unwrap());
        let days = Generation { number: 0, zone: Zone::utc() };
        for day in sub_ids::outdated(&self.database, &days, now).await.unwrap() {
            assert!(sub_ids::count_day(&self.database, &days, day, &held, now).await.unwrap());
        }
        while let Some(edition) = sub_ids::stale(&self.database).await.unwrap() {
            sub_ids::delete(&self.database, edition).await.unwrap();
        }
    }

    async fn open_again(&mut self) {
        let again = self.again.as_mut().expect("of a bench that was started");
        again.openings += 1;
        self.database.close().await;
        self.database = Database::connect(&again.connect).await.unwrap();
        self.entropy = Arc::new(SeededEntropy::new(&format!("bench {}", again.openings)));
        self.minter = Arc::new(Minter::new(&*self.entropy));
        let options = again.intake;
        let (intake, tasks) = Intake::new(self.parts(), options);
        self.intake = intake;
        self.writers = tasks.into_iter().collect();
    }

    fn parts(&self) -> IntakeParts {
        IntakeParts {
            database: self.database.clone(),
            snapshot: Arc::clone(&self.snapshot),
            keyring: Arc::clone(&self.keyring),
            clock: Arc::clone(&self.clock) as _,
            entropy: Arc::clone(&self.entropy) as _,
            minter: Arc::clone(&self.minter),
            spool: None,
        }
    }

    /// As [`Self::start`], with writers that work once they are run.
    pub(crate) async fn at_rest(engine: Engine, options: IntakeOptions) -> (Self, Vec<WriterTask>) {
        Self::on(fresh(engine).await, options)
    }

    /// As [`Self::at_rest`], on a database that has its schema and nothing else.
    pub(crate) fn on(
        (database, folder): (Database, Option<TempDir>),
        options: IntakeOptions,
    ) -> (Self, Vec<WriterTask>) {
        let clock = Arc::new(ManualClock::new());
        let entropy = Arc::new(SeededEntropy::new("bench"));
        let keyring = Arc::new(Keyring::generate(&*entropy).unwrap());
        let minter = Arc::new(Minter::new(&*entropy));
        let plain = PlainToken::generate(TokenScope::Global, &*entropy);
        let snapshot = Arc::new(ArcSwap::from_pointee(snapshot(&plain, clock.now())));
        let parts = IntakeParts {
            database: database.clone(),
            snapshot: Arc::clone(&snapshot),
            keyring: Arc::clone(&keyring),
            clock: Arc::clone(&clock) as _,
            entropy: Arc::clone(&entropy) as _,
            minter: Arc::clone(&minter),
            spool: None,
        };
        let (intake, tasks) = Intake::new(parts, options);
        let secret = plain.reveal().to_owned();
        let writers = JoinSet::new();
        let bench = Self {
            database,
            clock,
            entropy,
            keyring,
            minter,
            snapshot,
            intake,
            secret,
            writers,
            again: None,
            _folder: folder,
        };
        (bench, tasks)
    }

    /// Changes the offer, as a control write would.
    pub(crate) fn change_offer(&self, change: impl FnOnce(&mut Offer)) {
        let mut changed = Snapshot::clone(&self.snapshot.load());
        change(changed.offers.get_mut(&offer_id()).unwrap());
        self.snapshot.store(Arc::new(changed));
    }

    pub(crate) fn mint(&self) -> TransactionId {
        self.minter.mint(&self.keyring, self.clock.now(), Kind::Click, offer_id(), publisher_id())
    }

    pub(crate) fn click(&self, transaction_id: TransactionId) -> Click {
        click(&self.keyring, transaction_id)
    }

    /// A request with the global token; `query` is without it.
    pub(crate) fn hit(&self, door: Door, query: &str) -> Hit {
        hit(&self.keyring, &*self.entropy, &*self.clock, &self.secret, door, query)
    }

    pub(crate) async fn send(&self, door: Door, query: &str) -> Answer {
        self.intake.settle(self.hit(door, query)).await.unwrap()
    }

    pub(crate) async fn postback(&self, query: &str) -> Answer {
        self.send(Door::Postback, query).await
    }

    /// Sends and compares the code.
    pub(crate) async fn expect(&self, door: Door, query: &str, code: Code) -> Answer {
        let answer = self.send(door, query).await;
        assert_eq!(answer.code, code, "{query}: {}", answer.to_json());
        answer
    }
}

/// The visit that this id was minted for.
pub(crate) fn click(keyring: &Keyring, transaction_id: TransactionId) -> Click {
    let unsealed = transaction_id.unseal(keyring).unwrap();
    Click {
        transaction_id,
        clicked_at: unsealed.minted_at,
        offer: unsealed.offer,
        publisher: unsealed.publisher,
        sub_ids: [Some("news".into()), None, None, None, None, None],
        external_transaction_id: Some("ext-1".into()),
        device_id: None,
        address: None,
        user_agent: None,
        referrer_origin: None,
        is_bot: false,
        is_test: false,
    }
}

/// A request with a token in its header; a pixel has none.
pub(crate) fn hit(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    clock: &dyn Clock,
    secret: &str,
    door: Door,
    query: &str,
) -> Hit {
    let mut pairs = Pairs::from_query(query.as_bytes());
    if door != Door::Pixel {
        pairs.add_token_header(secret.as_bytes());
    }
    let inbound = read(door, pairs);
    let address: IpAddr = [203, 0, 113, 9].into();
    Hit {
        replay: None,
        params: canonical_params(&inbound, keyring),
        kept_params: None,
        address: PrivateAddress::of(keyring, address),
        conversion_ip: inbound.conversion_ip.map(|ip| PrivateAddress::of(keyring, ip)),
        email: inbound.user_email.as_deref().and_then(|email| PrivateEmail::of(keyring, email)),
        extras: inbound.extras.clone(),
        arrival: Arrival {
            at: clock.now(),
            method: "GET".into(),
            host: "pixel.test".into(),
            path: "/".into(),
            address,
            user_agent: None,
            referrer_origin: None,
            is_bot: false,
            request_id: "test".into(),
        },
        receipt: ReceiptId::mint(clock, entropy),
        inbound,
    }
}

pub(crate) fn options(writers: usize) -> IntakeOptions {
    IntakeOptions {
        queues: QueueLimits {
            conversion_items_max: 4096,
            click_items_max: 4096,
            receipt_items_max: 4096,
            bytes_max: 64 << 20,
        },
        batch_items_max: 512,
        writers,
        answer_deadline: Duration::from_secs(20),
        visitor_patience: Duration::from_secs(20),
    }
}

pub(crate) fn offer_id() -> OfferId {
    OfferId::new(OFFER).unwrap()
}

pub(crate) fn publisher_id() -> PublisherId {
    PublisherId::new(PUBLISHER).unwrap()
}

/// Newer than any database: nothing is read anew.
pub(crate) fn snapshot(plain: &PlainToken, now: Timestamp) -> Snapshot {
    let advertiser = AdvertiserId::new(1).unwrap();
    let capabilities = [Capability::Convert, Capability::Reject, Capability::Clickless, Capability::Status];
    let token = SecureToken::new(
        TokenId::from_uuid(uuid::Uuid::from_u128(1)),
        plain.digest(),
        TokenScope::Global,
        capabilities.into_iter().collect::<Capabilities>(),
    );
    let named = |name: &str| name.to_owned();
    Snapshot {
        version: i64::MAX,
        offers: HashMap::from([(offer_id(), offer(now))]),
        publishers: HashMap::from([(
            publisher_id(),
            Publisher {
                id: publisher_id(),
                name: named("Publisher"),
                state: PartnerState::Active,
                notes: None,
                version: 1,
                created_at: now,
                updated_at: now,
            },
        )]),
        advertisers: HashMap::from([(
            advertiser,
            Advertiser {
                id: advertiser,
                name: named("Advertiser"),
                state: PartnerState::Active,
                notes: None,
                version: 1,
                created_at: now,
                updated_at: now,
            },
        )]),
        tokens: HashMap::from([(token.digest, token)]),
        domains: HashMap::from([("pixel.test".into(), domain(now))]),
        ..Snapshot::default()
    }
}

fn domain(now: Timestamp) -> TrackingDomain {
    TrackingDomain {
        id: roundtrip::domain::ids::TrackingDomainId::from_uuid(uuid::Uuid::from_u128(2)),
        host: "pixel.test".into(),
        state: DomainState::Active,
        is_default: true,
        challenge: String::new(),
        cname_found: None,
        txt_found: None,
        failure: None,
        last_checked_at: None,
        created_at: now,
        version: 1,
    }
}

/// 10 EUR from the advertiser, 7 EUR to the publisher, clickless and pixels on.
fn offer(now: Timestamp) -> Offer {
    Offer {
        id: offer_id(),
        advertiser: AdvertiserId::new(1).unwrap(),
        name: "Offer".into(),
        description: None,
        state: OfferState::Active,
        landing_url: UrlTemplate::parse("https://shop.example/?tid={transaction_id}").unwrap(),
        fallback_url: None,
        currency: Currency::parse("EUR").unwrap(),
        revenue: Price::Fixed(Micros::from_i64(10_000_000)),
        payout: Price::Fixed(Micros::from_i64(7_000_000)),
        payout_ceiling: None,
        attribution_window_hours: ATTRIBUTION_WINDOW_HOURS_DEFAULT,
        duplicate_policy: DuplicatePolicy::OnePerTransaction,
        switches: Switches { clickless_enabled: true, pixel_enabled: true, ..Switches::default() },
        repeat_window_seconds: REPEAT_WINDOW_SECONDS_DEFAULT,
        clickless_repeat_window_seconds: CLICKLESS_REPEAT_WINDOW_SECONDS_DEFAULT,
        reject_allowed_addresses: Vec::new(),
        access: OfferAccess::All,
        publishers: std::collections::HashSet::new(),
        rates: HashMap::new(),
        events: Vec::new(),
        version: 1,
        created_at: now,
        updated_at: now,
        archived_at: None,
    }
}

/// An event of 5 EUR from the advertiser, 4 EUR to the publisher.
pub(crate) fn event(number: i32, name: &str) -> OfferEvent {
    OfferEvent {
        number,
        name: name.into(),
        revenue: Price::Fixed(Micros::from_i64(5_000_000)),
        payout: Price::Fixed(Micros::from_i64(4_000_000)),
        removed_at: None,
    }
}

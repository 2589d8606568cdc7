//! Control data on both engines: one write at a time, a snapshot of one state, pages that lose nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use entity::conversion;
use futures_util::future::{BoxFuture, join_all};
use roundtrip::app::access_token::{AccessTokens, SigningKeys};
use roundtrip::app::deliver_outbound::CourierOptions;
use roundtrip::app::dns::{DnsFailure, DnsLookup};
use roundtrip::app::form::PriceDraft;
use roundtrip::app::jobs::JobSignals;
use roundtrip::app::manage_offers::{OfferDraft, create_offer, set_offer_publishers, set_publisher_rate, update_offer};
use roundtrip::app::manage_partners::{PartnerDraft, create_publisher, update_publisher};
use roundtrip::app::snapshot::{UnknownTokens, find_unknown_token, keep_fresh, refresh};
use roundtrip::app::{App, AppOptions, Identity, Outcome, TrackingLimits, TrackingRates, UserErrorCode, demo};
use roundtrip::domain::ids::{AdvertiserId, OfferId, PublisherId};
use roundtrip::domain::keyring::Keyring;
use roundtrip::domain::offer::{Offer, OfferState};
use roundtrip::domain::operator::Principal;
use roundtrip::domain::secure_token::TokenDigest;
use roundtrip::domain::transaction_id::Minter;
use roundtrip::intake::{Intake, IntakeParts};
use roundtrip::store::offers::{self, OfferFilter, OfferSort, OfferSortField, RatesOf};
use roundtrip::store::page::{Direction, PageRequest};
use roundtrip::store::{Engine, PartnerFilter, audit, publishers, snapshot};
use tempfile::TempDir;

use crate::support::bench;
use crate::support::chance::{ManualClock, SeededEntropy};
use crate::support::databases::{insert, tamper};
use crate::support::desk;
use crate::support::on_both_engines;

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

/// A second server on the database of the first one shares nothing with it but that.
fn server_on(database: &roundtrip::store::Database) -> App {
    let entropy = Arc::new(SeededEntropy::new("control"));
    let clock = Arc::new(ManualClock::new());
    let parts = IntakeParts {
        database: database.clone(),
        snapshot: Arc::default(),
        keyring: Arc::new(Keyring::generate(&*entropy).unwrap()),
        clock: clock.clone(),
        minter: Arc::new(Minter::new(&*entropy)),
        entropy: entropy.clone(),
        spool: None,
    };
    let tokens = AccessTokens {
        keys: SigningKeys::generate(&*entropy).unwrap(),
        issuer: "roundtrip".into(),
        audience: "roundtrip-admin".into(),
        access_seconds: 900,
    };
    App {
        database: database.clone(),
        snapshot: Arc::clone(&parts.snapshot),
        unknown_tokens: UnknownTokens::default(),
        keyring: Arc::clone(&parts.keyring),
        clock: clock.clone(),
        minter: Arc::clone(&parts.minter),
        entropy,
        limits: TrackingLimits::new(clock, TrackingRates::default()),
        identity: Identity::new(tokens, 14 * 24 * 3600),
        dns: Arc::new(SilentDns),
        publishers: desk::publishers(),
        intake: Intake::new(parts, bench::options(1)).0,
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
    }
}

/// With the sample data of the demo.
async fn seeded(engine: Engine) -> (App, Option<TempDir>) {
    let (database, folder) = bench::fresh(engine).await;
    let app = server_on(&database);
    refresh(&app).await.unwrap();
    demo::seed(&app, &Principal::system()).await.unwrap().unwrap();
    (app, folder)
}

fn named(name: &str) -> PartnerDraft {
    PartnerDraft { name: Some(name.into()), ..PartnerDraft::default() }
}

fn draft(name: &str) -> OfferDraft {
    let price = |amount: &str| Some(PriceDraft { fixed: Some(amount.into()), percent: None });
    OfferDraft {
        name: Some(name.into()),
        advertiser: AdvertiserId::new(1),
        landing_page_url: Some("https://shop.example/?tid={transaction_id}".into()),
        revenue: price("10"),
        payout: price("7"),
        currency: Some("EUR".into()),
        ..OfferDraft::default()
    }
}

fn offer(number: i32) -> OfferId {
    OfferId::new(number).unwrap()
}

fn publisher(number: i32) -> PublisherId {
    PublisherId::new(number).unwrap()
}

fn codes<T>(outcome: Outcome<T>) -> Vec<UserErrorCode> {
    outcome.unwrap().err().unwrap_or_default().into_iter().map(|error| error.code).collect()
}

fn numbers(offers: Vec<Offer>) -> Vec<i32> {
    offers.into_iter().map(|offer| offer.id.number()).collect()
}

on_both_engines! {
    async fn writers_at_once_get_numbers_of_their_own(engine: Engine) {
        let (app, _folder) = seeded(engine).await;
        let system = Principal::system();
        let writes = (0..12).map(|number| {
            let (app, system) = (&app, &system);
            async move { create_publisher(app, system, &named(&format!("P{number}"))).await.unwrap().unwrap().id }
        });
        let ids: HashSet<_> = join_all(writes).await.into_iter().collect();
        assert_eq!(ids, (10..22).map(publisher).collect());
        assert_eq!(app.snapshot.load().version, snapshot::version(&app.database).await.unwrap());
        assert!(ids.iter().all(|id| app.snapshot.load().publishers.contains_key(id)));
    }

    async fn of_two_forms_from_one_version_one_is_refused(engine: Engine) {
        let (app, _folder) = seeded(engine).await;
        let system = Principal::system();
        let writes = ["A", "B"].map(|name| {
            let (app, system) = (&app, &system);
            async move { update_publisher(app, system, (publisher(7), 1), &named(name)).await.unwrap().is_ok() }
        });
        assert_eq!(join_all(writes).await.into_iter().filter(|written| *written).count(), 1);
        let trail = audit::find_by_subject(&app.database, "pub_7", 10).await.unwrap();
        assert_eq!(trail.len(), 2);
    }

    async fn the_currency_stays_once_there_are_conversions(engine: Engine) {
        let (app, _folder) = seeded(engine).await;
        let dollars = OfferDraft { currency: Some("USD".into()), ..OfferDraft::default() };
        let changed = update_offer(&app, &Principal::system(), (offer(42), 1), dollars.clone()).await.unwrap().unwrap();
        assert_eq!(changed.currency.as_str(), "USD");
        insert::<conversion::Entity, _>(&app.database, vec![conversion_of(42)]).await;
        let euros = OfferDraft { currency: Some("EUR".into()), ..dollars };
        let refused = update_offer(&app, &Principal::system(), (offer(42), 2), euros).await;
        assert_eq!(codes(refused), [UserErrorCode::InUse]);
    }

    async fn every_sort_walks_to_the_end_and_back(engine: Engine) {
        let (app, _folder) = seeded(engine).await;
        for name in ["beta", "Alpha", "alpha", "Ärger", "100 %"] {
            create_offer(&app, &Principal::system(), draft(name)).await.unwrap().unwrap();
        }
        for field in [OfferSortField::Name, OfferSortField::CreatedAt, OfferSortField::UpdatedAt] {
            for direction in [Direction::Ascending, Direction::Descending] {
                let sort = OfferSort { field, direction };
                let filter = OfferFilter::default();
                let whole = offers::list(&app.database, &filter, &PageRequest::beginning(sort)).await.unwrap();
                let whole = numbers(whole.into_values());
                assert_eq!(whole.len(), 10);
                assert_eq!(walk(&app, sort, true).await, whole);
                assert_eq!(walk(&app, sort, false).await, whole);
            }
        }
    }

    async fn lists_are_filtered_and_counted(engine: Engine) {
        let (app, _folder) = seeded(engine).await;
        let found = async |filter: OfferFilter| {
            let page = offers::list(&app.database, &filter, &PageRequest::beginning(OfferSort::default())).await.unwrap();
            let counted = offers::count(&app.database, &filter).await.unwrap();
            let found = numbers(page.into_values());
            assert_eq!(usize::try_from(counted.value).unwrap(), found.len());
            found
        };
        let search = |text: &str| OfferFilter { search: Some(text.into()), ..OfferFilter::default() };
        assert_eq!(found(search("POLAR")).await, [43, 42]);
        assert_eq!(found(search("45")).await, [45]);
        assert_eq!(found(search("no_such")).await, [] as [i32; 0]);
        let paused = OfferFilter { states: vec![OfferState::Paused], ..OfferFilter::default() };
        assert_eq!(found(paused).await, [] as [i32; 0]);
        let of_two = OfferFilter { advertisers: vec![AdvertiserId::new(2).unwrap()], ..OfferFilter::default() };
        assert_eq!(found(of_two).await.len(), 3);
        assert_eq!(publishers::count(&app.database, &PartnerFilter::default()).await.unwrap().value, 3);
    }

    async fn rates_and_chosen_publishers_are_read_from_both_ends(engine: Engine) {
        let (app, _folder) = seeded(engine).await;
        let system = Principal::system();
        let rate = PriceDraft { fixed: None, percent: Some("9.5".into()) };
        set_publisher_rate(&app, &system, (offer(43), publisher(8)), Some(&rate)).await.unwrap().unwrap();
        let of_publisher = PageRequest::beginning(RatesOf::Publisher(publisher(8)));
        let rates = offers::list_rates(&app.database, &of_publisher).await.unwrap().into_values();
        assert_eq!(rates.iter().map(|rate| rate.offer.number()).collect::<Vec<_>>(), [42, 43]);
        let of_offer = PageRequest::beginning(RatesOf::Offer(offer(43)));
        assert_eq!(offers::list_rates(&app.database, &of_offer).await.unwrap().into_values(), rates[1..]);
        let chosen = vec![publisher(9), publisher(7)];
        set_offer_publishers(&app, &system, (offer(43), 1), chosen).await.unwrap().unwrap();
        let sort = PageRequest::beginning(publishers::PublisherSort);
        let page = publishers::list_chosen(&app.database, offer(43), &sort).await.unwrap();
        assert_eq!(page.into_values().iter().map(|found| found.id.number()).collect::<Vec<_>>(), [7, 9]);
        assert_eq!(publishers::count_chosen(&app.database, offer(43)).await.unwrap().value, 2);
        let many = offers::find_many(&app.database, &[offer(43), offer(99)]).await.unwrap();
        assert_eq!(many.keys().map(|id| id.number()).collect::<Vec<_>>(), [43]);
        assert_eq!(many[&offer(43)].rates.len(), 1);
    }

    async fn another_server_follows_within_about_a_second(engine: Engine) {
        let (app, _folder) = seeded(engine).await;
        let other = Arc::new(server_on(&app.database));
        refresh(&other).await.unwrap();
        create_publisher(&app, &Principal::system(), &named("New")).await.unwrap().unwrap();
        assert!(!other.snapshot.load().publisher_active(publisher(10)));
        let seen = async {
            while !other.snapshot.load().publisher_active(publisher(10)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = keep_fresh(Arc::clone(&other)) => unreachable!("it never ends"),
            seen = tokio::time::timeout(Duration::from_secs(10), seen) => seen.unwrap(),
        }
    }

    async fn a_damaged_row_stops_the_load_and_the_old_snapshot_stays(engine: Engine) {
        let (app, _folder) = seeded(engine).await;
        tamper(&app.database, "UPDATE offer SET state = 'lost' WHERE id = 42").await;
        tamper(&app.database, "UPDATE config_version SET version = version + 1").await;
        let failed = refresh(&app).await.unwrap_err().to_string();
        assert!(failed.contains("offer"), "{failed}");
        assert!(app.snapshot.load().offers.contains_key(&offer(42)));
    }

    async fn a_token_that_only_the_database_knows_is_found(engine: Engine) {
        let (app, _folder) = seeded(engine).await;
        let other = server_on(&app.database);
        refresh(&other).await.unwrap();
        let request = roundtrip::app::create_token::TokenRequest::new(roundtrip::domain::secure_token::TokenScope::Global);
        let made = roundtrip::app::create_token::create_token(&app, &Principal::system(), &request).await.unwrap().unwrap();
        let digest = TokenDigest::of(made.secret.reveal());
        assert!(!other.snapshot.load().tokens.contains_key(&digest));
        assert!(find_unknown_token(&other, &digest).await.unwrap());
        assert!(other.snapshot.load().tokens.contains_key(&digest));
        assert!(!find_unknown_token(&other, &TokenDigest::of("nobody")).await.unwrap());
    }
}

/// All numbers in the order of the sort, two to a page.
async fn walk(app: &App, sort: OfferSort, forward: bool) -> Vec<i32> {
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let at = cursor.as_deref();
        let request = if forward {
            PageRequest::parse(sort, Some(2), at, None, None)
        } else {
            PageRequest::parse(sort, None, None, Some(2), at)
        };
        let page = offers::list(&app.database, &OfferFilter::default(), &request.unwrap()).await.unwrap();
        let (more, edge) =
            if forward { (page.has_next, page.items.last()) } else { (page.has_previous, page.items.first()) };
        cursor = edge.map(|item| item.cursor.clone());
        let found = numbers(page.into_values());
        if forward {
            seen.extend(found)
        } else {
            seen.splice(0..0, found).for_each(drop)
        }
        if !more {
            return seen;
        }
    }
}

fn conversion_of(offer_id: i32) -> conversion::Model {
    conversion::Model {
        id: uuid::Uuid::from_u128(1),
        transaction_id: vec![1; 25],
        event_number: 0,
        source: "postback".into(),
        status: "approved".into(),
        offer_id,
        publisher_id: 7,
        currency: "EUR".into(),
        converted_at: 1,
        recorded_at: 1,
        status_changed_at: 1,
        version: 1,
        pending_reason: None,
        rejection_reason: None,
        rejected_by: None,
        advertiser_reason: None,
        order_id: None,
        external_transaction_id: None,
        sub_id: None,
        sub_id_2: None,
        sub_id_3: None,
        sub_id_4: None,
        sub_id_5: None,
        sub_id_6: None,
        adv_sub_id: None,
        adv_sub_id_2: None,
        adv_sub_id_3: None,
        adv_sub_id_4: None,
        adv_sub_id_5: None,
        adv_sub_id_6: None,
        session_time_seconds: None,
        conversion_ip: None,
        conversion_ip_hash: None,
        user_agent: None,
        device_id: None,
        email_masked: None,
        email_hash: None,
        revenue_micros: None,
        payout_micros: None,
        purchase_value_micros: None,
        reported_revenue_micros: None,
        reported_payout_micros: None,
        reported_currency: None,
        click_pending: false,
        is_test: false,
        token_id: None,
        confirmed_at: None,
        clicked_at: None,
    }
}

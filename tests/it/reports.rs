//! Reports, compared with a recount of the facts that shares no code with them; on both engines, through the admin API.

use std::collections::BTreeMap;
use std::sync::Arc;

use entity::{click, conversion, rollup_day_change, rollup_sub_id};
use jiff::tz::TimeZoneDatabase;
use roundtrip::app::keep_figures::Keeper;
use roundtrip::app::verify::verify;
use roundtrip::domain::calendar::Zone;
use roundtrip::domain::clock::Clock;
use roundtrip::domain::code::Code;
use roundtrip::domain::inbound::Door;
use roundtrip::domain::money::parse_amount;
use roundtrip::domain::operator::Role;
use roundtrip::domain::transaction_id::{Kind, TransactionId, lowest_of};
use roundtrip::store::{Database, Engine, sub_ids};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::bench::{offer_id, publisher_id};
use crate::support::databases::{insert, tamper};
use crate::support::on_both_engines;

const METRICS: &str = "clicks conversions approved pending rejected events rejectionRate conversionRate
    revenue { amount currency } payout { amount currency } profit { amount currency }";
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// Something that happened, as a person would note it down.
#[derive(Clone, Debug, Default)]
struct Fact {
    at: i64,
    offer: i32,
    publisher: i32,
    sub_id: String,
    is_click: bool,
    status: String,
    currency: String,
    revenue: i64,
    payout: i64,
    reason: String,
    source: String,
    token: String,
}

/// Clicks (if they are counted), conversions, approved, pending, rejected, and money by currency.
type Cell = (i64, i64, i64, i64, i64, BTreeMap<String, (i64, i64)>);

/// All that counts, read row by row.
async fn facts(database: &Database) -> Vec<Fact> {
    let read = database.side_write(Box::new(|transaction| {
        Box::pin(async move {
            Ok((click::Entity::find().all(transaction).await?, conversion::Entity::find().all(transaction).await?))
        })
    }));
    let (clicks, conversions) = read.await.unwrap();
    let clicks = clicks.into_iter().filter(|row| !row.is_bot && !row.is_test).map(|row| Fact {
        at: row.clicked_at,
        offer: row.offer_id,
        publisher: row.publisher_id,
        sub_id: row.sub_id.unwrap_or_default(),
        is_click: true,
        ..Fact::default()
    });
    let conversions = conversions.into_iter().filter(|row| !row.is_test).map(|row| Fact {
        at: row.converted_at,
        offer: row.offer_id,
        publisher: row.publisher_id,
        sub_id: row.sub_id.unwrap_or_default(),
        is_click: false,
        revenue: row.revenue_micros.unwrap_or(0),
        payout: row.payout_micros.unwrap_or(0),
        reason: row.rejection_reason.unwrap_or_default(),
        source: row.source.to_uppercase(),
        token: row.token_id.map(|id| format!("tok_{}", id.simple())).unwrap_or_default(),
        status: row.status.to_uppercase(),
        currency: row.currency,
    });
    clicks.chain(conversions).collect()
}

/// By the name of the bucket.
type Series = BTreeMap<String, Cell>;
/// Does a filter let a fact through?
type Holds = fn(&Fact) -> bool;

fn add(cell: &mut Cell, fact: &Fact) {
    if fact.is_click {
        cell.0 += 1;
        return;
    }
    cell.1 += 1;
    match fact.status.as_str() {
        "APPROVED" => {
            cell.2 += 1;
            let money = cell.5.entry(fact.currency.clone()).or_default();
            *money = (money.0 + fact.revenue, money.1 + fact.payout);
        }
        "PENDING" => cell.3 += 1,
        _ => cell.4 += 1,
    }
}

/// The name of the bucket that holds an instant: the clock of the zone tells.
fn bucket(zone: &str, interval: &str, millis: i64) -> String {
    let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
    let local = jiff::Timestamp::from_millisecond(millis).unwrap().to_zoned(zone);
    let form = match interval {
        "HOUR" => "%Y-%m-%d %H %z",
        "DAY" => "%Y-%m-%d",
        "WEEK" => "%G-%V",
        "MONTH" => "%Y-%m",
        _ => "all",
    };
    local.strftime(form).to_string()
}

fn key(fact: &Fact, dimension: &str) -> String {
    match dimension {
        "OFFER" => format!("offer_{}", fact.offer),
        "ADVERTISER" => format!("adv_{}", if fact.offer == 42 { 1 } else { 2 }),
        "PUBLISHER" => format!("pub_{}", fact.publisher),
        "SUB_ID" => fact.sub_id.clone(),
        "STATUS" => fact.status.clone(),
        "REJECTION_REASON" => fact.reason.clone(),
        "SOURCE" => fact.source.clone(),
        "TOKEN" => fact.token.clone(),
        other => panic!("{other}"),
    }
}

fn cell(metrics: &Value) -> Cell {
    let number = |name: &str| metrics[name].as_i64().unwrap_or(0);
    let micros = |money: &Value| parse_amount(money["amount"].as_str().unwrap()).unwrap().micros.as_i64();
    let mut money: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for revenue in metrics["revenue"].as_array().unwrap() {
        money.entry(revenue["currency"].as_str().unwrap().to_owned()).or_default().0 = micros(revenue);
    }
    for payout in metrics["payout"].as_array().unwrap() {
        money.entry(payout["currency"].as_str().unwrap().to_owned()).or_default().1 = micros(payout);
    }
    (number("clicks"), number("conversions"), number("approved"), number("pending"), number("rejected"), money)
}

async fn stats(admin: &Admin, input: Value) -> Value {
    let query = format!(
        "query($input: StatsInput!) {{ stats(input: $input) {{
            totals {{ {METRICS} }} previousTotals {{ {METRICS} }} truncated timezone dataThrough
            series {{ start partial metrics {{ {METRICS} }} }} previousSeries {{ start metrics {{ {METRICS} }} }}
            rows {{ keys {{ dimension value label }} metrics {{ {METRICS} }} previous {{ {METRICS} }}
                series {{ start metrics {{ {METRICS} }} }} }}
        }} }}"
    );
    admin.data(&query, json!({ "input": input })).await["stats"].take()
}

fn millis(instant: &Value) -> i64 {
    instant.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Two offers of two advertisers in two currencies, two publishers; a token for everything.
async fn furnish(admin: &Admin) -> String {
    let secret = admin.furnish().await;
    let calls = [
        "advertiserCreate(advertiser: { name: \"Games\", number: 2 })",
        "publisherCreate(publisher: { name: \"Search\", number: 8 })",
        "offerCreate(offer: { name: \"Deposit\", number: 43, advertiserId: \"adv_2\", currency: \"USD\",
            landingPageUrl: \"https://games.example/?tid={transaction_id}\", revenue: { fixed: \"60.5\" },
            payout: { fixed: \"45.25\" }, clicklessEnabled: true })",
    ];
    for call in calls {
        admin.done(&format!("mutation {{ {call} {{ userErrors {{ code message }} }} }}"), json!({})).await;
    }
    secret
}

/// Ten days round the end of summer time: clicks and conversions at odd times, rejections and second thoughts.
async fn traffic(admin: &Admin, secret: &str) {
    let mut recorded = Vec::new();
    for n in 0..48_i64 {
        admin.clock.advance_seconds(HOUR * 4 + n % 7 * 1137);
        let (offer, publisher) = (42 + n / 2 % 2, 7 + n % 3 % 2);
        let sub_id = ["", "&sub_id=news", "&sub_id=mail"][usize::try_from(n % 3).unwrap()];
        let transaction = admin.click(&format!("offer={offer}&publisher={publisher}{sub_id}")).await;
        if n % 5 == 0 {
            admin.click(&format!("offer={offer}&publisher={publisher}&sub_id=lost")).await;
        }
        admin.clock.advance_seconds(n % 4 * 600);
        let postback = format!("secure={secret}&transaction_id={transaction}");
        match n % 4 {
            0 => {}
            1 => recorded.push(admin.track(Door::Postback, &postback).await.conversion.unwrap()),
            2 => {
                admin.track(Door::Postback, &postback).await;
                let reason = ["fraud", "returned"][usize::try_from(n / 4 % 2).unwrap()];
                let answer = admin.track(Door::Rejection, &format!("{postback}&new_rejected_reason={reason}")).await;
                assert_eq!(answer.code, Code::Rejected);
            }
            _ => {
                let clickless =
                    format!("secure={secret}&offer={offer}&publisher={publisher}&external_transaction_id=x{n}");
                assert_eq!(admin.track(Door::Clickless, &clickless).await.code, Code::Recorded);
            }
        }
    }
    for (n, id) in recorded.iter().enumerate() {
        let call = match n % 3 {
            0 => format!("conversionReject(id: \"{id}\", reason: \"late\")"),
            1 => format!("conversionStatusSet(id: \"{id}\", status: PENDING, note: \"look\")"),
            _ => continue,
        };
        admin.done(&format!("mutation {{ {call} {{ userErrors {{ code }} }} }}"), json!({})).await;
        if n % 2 == 0 {
            let back = format!("mutation {{ conversionReinstate(id: \"{id}\") {{ userErrors {{ code }} }} }}");
            admin.done(&back, json!({})).await;
        }
    }
}

/// An installation with that traffic, whose days are those of Berlin.
async fn busy(engine: Engine) -> Admin {
    let admin = Admin::start(engine).await;
    // 2026-10-21T12:00:00Z.
    admin.clock.advance_seconds(142 * DAY);
    let secret = furnish(&admin).await;
    set_zone(&admin, 1, "Europe/Berlin").await;
    traffic(&admin, &secret).await;
    admin
}

fn keeper(admin: &Admin) -> Keeper {
    Keeper::new(Arc::clone(&admin.app))
}

async fn set_zone(admin: &Admin, version: i32, zone: &str) {
    let call = format!(
        "mutation {{ settingsUpdate(version: {version}, settings: {{ timezone: \"{zone}\" }})
        {{ userErrors {{ code message }} settings {{ timezone version }} }} }}"
    );
    let done = admin.done(&call, json!({})).await;
    assert_eq!(done["settings"], json!({ "timezone": zone, "version": version + 1 }));
}

/// The report of all that `facts` holds, compared with a recount of it.
async fn agrees(admin: &Admin, facts: &[Fact], zone: &str, interval: &str, dimensions: &[&str]) {
    let range = json!({ "since": "2026-10-20T22:00:00Z" });
    let with_clicks = dimensions.iter().all(|one| ["OFFER", "ADVERTISER", "PUBLISHER", "SUB_ID"].contains(one));
    let counted = || facts.iter().filter(|fact| with_clicks || !fact.is_click);
    let what = format!("{zone} {interval} {dimensions:?}");
    let report = stats(
        admin,
        json!({ "range": range, "timezone": zone, "interval": interval, "groupBy": dimensions, "limit": 60 }),
    )
    .await;
    let mut total = Cell::default();
    let (mut points, mut rows): (Series, BTreeMap<Vec<String>, Series>) = Default::default();
    for fact in counted() {
        let name = bucket(zone, interval, fact.at);
        add(&mut total, fact);
        add(points.entry(name.clone()).or_default(), fact);
        let keys = dimensions.iter().map(|dimension| key(fact, dimension)).collect();
        add(rows.entry(keys).or_default().entry(name).or_default(), fact);
    }
    assert!(total.1 > 30 && (!with_clicks || total.0 > 50), "{total:?}");
    assert_eq!(cell(&report["totals"]), total, "{what}");
    assert_eq!(report["totals"]["clicks"].is_null(), !with_clicks, "{what}");
    let told = |series: &Value| -> BTreeMap<String, Cell> {
        let points = series.as_array().unwrap().iter();
        let named = points.map(|point| (bucket(zone, interval, millis(&point["start"])), cell(&point["metrics"])));
        named.filter(|(_, cell)| *cell != Cell::default()).collect()
    };
    assert_eq!(told(&report["series"]), points, "{what}");
    let told_rows: BTreeMap<Vec<String>, BTreeMap<String, Cell>> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let keys = row["keys"].as_array().unwrap().iter();
            (keys.map(|key| key["value"].as_str().unwrap_or_default().to_owned()).collect(), told(&row["series"]))
        })
        .collect();
    if dimensions.is_empty() {
        assert!(told_rows.is_empty());
    } else {
        assert_eq!(told_rows, rows, "{what}");
    }
    assert_eq!(report["truncated"], false, "{what}");
}

const KEPT: &[&[&str]] = &[
    &[],
    &["OFFER"],
    &["ADVERTISER"],
    &["PUBLISHER"],
    &["STATUS"],
    &["OFFER", "PUBLISHER"],
    &["STATUS", "ADVERTISER"],
];
const LOOKED_UP: &[&[&str]] =
    &[&["REJECTION_REASON"], &["SOURCE", "OFFER"], &["TOKEN"], &["STATUS", "REJECTION_REASON"]];

on_both_engines! {
    async fn the_sums_of_a_report_are_those_of_a_recount(engine: Engine) {
        let admin = busy(engine).await;
        let facts = facts(&admin.app.database).await;
        // From the figures themselves, and from their sums.
        for _ in 0..2 {
            for (zone, interval) in [
                ("Europe/Berlin", "DAY"),
                ("Europe/Berlin", "HOUR"),
                ("Europe/Berlin", "WEEK"),
                ("Asia/Kathmandu", "DAY"),
                ("America/New_York", "MONTH"),
            ] {
                for dimensions in KEPT {
                    agrees(&admin, &facts, zone, interval, dimensions).await;
                }
            }
            keeper(&admin).count_days().await.unwrap();
        }
        for dimensions in LOOKED_UP {
            agrees(&admin, &facts, "Europe/Berlin", "DAY", dimensions).await;
        }
        agrees(&admin, &facts, "Australia/Lord_Howe", "HOUR", &["SOURCE"]).await;
        for dimensions in [&["SUB_ID"][..], &["OFFER", "SUB_ID"]] {
            for interval in ["DAY", "WEEK", "MONTH"] {
                agrees(&admin, &facts, "Europe/Berlin", interval, dimensions).await;
            }
        }
        let report = verify(&admin.app.database).await.unwrap();
        assert!(report.is_clean() && report.days.days == report.days.counted && report.days.days > 8, "{report}");
    }

    async fn a_new_zone_is_counted_anew_and_no_figure_is_wrong_meanwhile(engine: Engine) {
        let admin = busy(engine).await;
        let (database, keeper) = (&admin.app.database, keeper(&admin));
        let secret = admin.done(
            "mutation { secureTokenCreate(input: { scope: GLOBAL, capabilities: [CONVERT] }) { secret userErrors { code } } }",
            json!({}),
        ).await["secret"].as_str().unwrap().to_owned();
        set_zone(&admin, 2, "Asia/Kathmandu").await;
        let more = async || {
            let transaction = admin.click("offer=42&publisher=7&sub_id=more").await;
            let answer = admin.track(Door::Postback, &format!("secure={secret}&transaction_id={transaction}")).await;
            assert_eq!(answer.code, Code::Recorded);
        };
        more().await;
        let report = verify(database).await.unwrap();
        assert!(report.is_clean() && report.days.counted == 0, "{report}");
        for dimensions in KEPT {
            agrees(&admin, &facts(database).await, "Asia/Kathmandu", "DAY", dimensions).await;
        }
        keeper.count_days().await.unwrap();
        let report = verify(database).await.unwrap();
        assert!(report.is_clean() && report.days.counted == report.days.days && report.days.days > 8, "{report}");
        more().await;
        let report = verify(database).await.unwrap();
        assert!(report.is_clean() && report.days.counted == report.days.days - 1, "{report}");
        for zone in ["Asia/Kathmandu", "Europe/Berlin"] {
            for dimensions in KEPT {
                agrees(&admin, &facts(database).await, zone, "DAY", dimensions).await;
            }
        }
        keeper.forget_older().await.unwrap();
        let older = database.side_write(Box::new(|transaction| {
            Box::pin(async move {
                let older = rollup_day_change::Column::Generation.lt(2);
                Ok(rollup_day_change::Entity::find().filter(older).count(transaction).await?)
            })
        }));
        assert_eq!(older.await.unwrap(), 0);
        assert!(verify(database).await.unwrap().is_clean());
    }

    async fn a_range_is_compared_with_the_one_before(engine: Engine) {
        let admin = busy(engine).await;
        let facts = facts(&admin.app.database).await;
        let input = json!({
            "range": { "since": "2026-10-24T22:00:00Z", "until": "2026-10-27T23:00:00Z" }, "interval": "DAY",
            "groupBy": ["PUBLISHER"], "comparePrevious": true, "orderBy": "CLICKS",
        });
        let report = stats(&admin, input).await;
        let between = |from: &str, to: &str, publisher: Option<i32>| {
            let [from, to] = [from, to].map(|text| text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
            let mut sum = Cell::default();
            let wanted = |fact: &&Fact| publisher.is_none_or(|publisher| fact.publisher == publisher);
            facts.iter().filter(wanted).filter(|fact| (from..to).contains(&fact.at)).for_each(|fact| add(&mut sum, fact));
            sum
        };
        // Three days of Berlin, the first of 25 hours; the three before have 72.
        let now = |publisher| between("2026-10-24T22:00:00Z", "2026-10-27T23:00:00Z", publisher);
        let before = |publisher| between("2026-10-21T22:00:00Z", "2026-10-24T22:00:00Z", publisher);
        assert_eq!(cell(&report["totals"]), now(None));
        assert_eq!(cell(&report["previousTotals"]), before(None));
        assert_eq!(report["series"].as_array().unwrap().len(), 3);
        assert_eq!(report["series"][0]["partial"], false);
        assert_eq!(report["previousSeries"].as_array().unwrap().len(), 3);
        assert_eq!(report["previousSeries"][1]["start"], "2026-10-22T22:00:00Z");
        let rows = report["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 2);
        for row in rows {
            let publisher = row["keys"][0]["value"].as_str().unwrap().strip_prefix("pub_").unwrap().parse().ok();
            assert_eq!((cell(&row["metrics"]), cell(&row["previous"])), (now(publisher), before(publisher)));
        }
        assert!(rows[0]["metrics"]["clicks"].as_i64() >= rows[1]["metrics"]["clicks"].as_i64());
        assert_eq!(rows[0]["keys"][0]["label"], "News");
    }

    async fn rates_and_profit_are_exact_and_rows_are_cut_at_their_limit(engine: Engine) {
        let admin = busy(engine).await;
        let facts = facts(&admin.app.database).await;
        let input = |order: &str, direction: &str, limit: i32| json!({
            "range": { "since": "2026-10-20T22:00:00Z" }, "groupBy": ["OFFER"], "orderBy": order, "direction": direction,
            "limit": limit,
        });
        let report = stats(&admin, input("CONVERSIONS", "DESC", 2)).await;
        let count = |of: &dyn Fn(&Fact) -> bool| i64::try_from(facts.iter().filter(|fact| of(fact)).count()).unwrap();
        for row in report["rows"].as_array().unwrap() {
            let of_offer = |fact: &Fact| format!("offer_{}", fact.offer) == row["keys"][0]["value"].as_str().unwrap();
            let clicks = count(&|fact| of_offer(fact) && fact.is_click);
            let conversions = count(&|fact| of_offer(fact) && !fact.is_click);
            let rejected = count(&|fact| of_offer(fact) && fact.status == "REJECTED");
            for (name, part, whole) in [("conversionRate", conversions, clicks), ("rejectionRate", rejected, conversions)] {
                let told = parse_amount(row["metrics"][name].as_str().unwrap()).unwrap().micros.as_i64();
                assert!((told * whole - part * 1_000_000).abs() * 2 <= whole, "{name}: {told} of {part}/{whole}");
            }
            let amount = |name: &str| {
                let text = row["metrics"][name][0]["amount"].as_str().unwrap();
                parse_amount(text).unwrap().micros.as_i64()
            };
            assert_eq!(amount("revenue") - amount("payout"), amount("profit"));
            assert_eq!(row["metrics"]["revenue"].as_array().unwrap().len(), 1, "one currency an offer");
        }
        assert_eq!(report["totals"]["revenue"].as_array().unwrap().len(), 2, "never added across");
        assert_eq!(report["truncated"], false);
        let one = stats(&admin, input("CONVERSIONS", "DESC", 1)).await;
        assert_eq!((one["rows"].as_array().unwrap().len(), &one["truncated"]), (1, &json!(true)));
        assert_eq!(one["rows"][0], report["rows"][0]);
        assert_eq!(one["totals"], report["totals"], "totals are of all rows");
        let last = stats(&admin, input("CONVERSIONS", "ASC", 1)).await;
        assert_eq!(last["rows"][0]["keys"], report["rows"][1]["keys"]);
        for order in ["CLICKS", "APPROVED", "PENDING", "REJECTED", "REJECTION_RATE", "CONVERSION_RATE", "REVENUE", "PAYOUT"] {
            assert_eq!(stats(&admin, input(order, "DESC", 9)).await["rows"].as_array().unwrap().len(), 2, "{order}");
        }
    }

    async fn a_filter_counts_what_it_names(engine: Engine) {
        let admin = busy(engine).await;
        let facts = facts(&admin.app.database).await;
        let cases: [(Value, Holds); 8] = [
            (json!({ "offerIds": ["offer_43"] }), |fact| fact.offer == 43),
            (json!({ "offerIds": [] }), |_| false),
            (json!({ "advertiserIds": ["adv_1"] }), |fact| fact.offer == 42),
            (json!({ "publisherIds": ["pub_8"] }), |fact| fact.publisher == 8),
            (json!({ "status": ["APPROVED", "PENDING"] }), |fact| ["APPROVED", "PENDING"].contains(&fact.status.as_str())),
            (json!({ "status": [] }), |_| false),
            (json!({ "subId": { "eq": "news" } }), |fact| !fact.is_click && fact.sub_id == "news"),
            (json!({ "source": ["CLICKLESS"], "offerIds": ["offer_43"] }), |fact| fact.source == "CLICKLESS" && fact.offer == 43),
        ];
        for (filter, holds) in cases {
            let mut expected = Cell::default();
            facts.iter().filter(|fact| holds(fact)).for_each(|fact| add(&mut expected, fact));
            for dimensions in [json!([]), json!(["OFFER"]), json!(["STATUS"])] {
                let input = json!({ "range": { "since": "2026-10-20T22:00:00Z" }, "filter": filter, "groupBy": dimensions });
                let report = stats(&admin, input).await;
                let told = cell(&report["totals"]);
                let by_status = dimensions == json!(["STATUS"]);
                let expected = if by_status { (0, expected.1, expected.2, expected.3, expected.4, expected.5.clone()) } else { expected.clone() };
                assert_eq!(told, expected, "{filter} {dimensions}");
                let of_rows = report["rows"].as_array().unwrap().iter().map(|row| row["metrics"]["conversions"].as_i64().unwrap());
                assert!(dimensions == json!([]) || of_rows.sum::<i64>() == expected.1);
            }
        }
    }

    async fn figures_of_offers_and_partners_come_with_their_lists(engine: Engine) {
        let admin = busy(engine).await;
        let facts = facts(&admin.app.database).await;
        let range = "range: { since: \"2026-10-20T22:00:00Z\" }";
        let query = format!(
            "{{ offers {{ nodes {{ id stats({range}) {{ {METRICS} }} }} }}
                advertisers {{ nodes {{ id stats({range}) {{ {METRICS} }} }} }}
                publishers {{ nodes {{ id stats({range}) {{ {METRICS} }} later: stats(range: {{ since: \"2026-10-27T00:00:00Z\" }}) {{ conversions }} }} }}
            }}"
        );
        let data = admin.data(&query, json!({})).await;
        for (list, dimension) in [("offers", "OFFER"), ("advertisers", "ADVERTISER"), ("publishers", "PUBLISHER")] {
            for node in data[list]["nodes"].as_array().unwrap() {
                let mut expected = Cell::default();
                let id = node["id"].as_str().unwrap();
                facts.iter().filter(|fact| key(fact, dimension) == id).for_each(|fact| add(&mut expected, fact));
                assert_eq!(cell(&node["stats"]), expected, "{id}");
            }
        }
        let refused = admin.ask(Role::Viewer, "{ offers { nodes { stats(range: { since: \"2026-10-20T22:00:01Z\" }) { clicks } } } }", json!({})).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        let busy = |since: &str| format!("{{ offers(filter: {{ hasTraffic: {{ since: \"{since}\" }} }}) {{ nodes {{ number }} }} }}");
        let found = admin.data(&busy("2026-10-20T22:00:00Z"), json!({})).await;
        assert_eq!(found["offers"]["nodes"].as_array().unwrap().len(), 2);
        let now = bucket("UTC", "DAY", admin.clock.now().as_millis() + DAY * 1000);
        let none = admin.data(&busy(&format!("{now}T00:00:00Z")), json!({})).await;
        assert_eq!(none["offers"]["nodes"], json!([]));
    }

    async fn sub_ids_say_how_far_they_are_counted(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = furnish(&admin).await;
        let keeper = keeper(&admin);
        let input = json!({ "range": { "since": "2026-06-01T00:00:00Z" }, "groupBy": ["SUB_ID"] });
        let rows = async || {
            let report = stats(&admin, input.clone()).await;
            let rows = report["rows"].as_array().unwrap().iter().map(|row| {
                (row["keys"][0]["value"].as_str().unwrap_or_default().to_owned(), cell(&row["metrics"]))
            });
            let through = millis(&report["dataThrough"]);
            (rows.collect::<BTreeMap<String, Cell>>(), through - admin.clock.now().as_millis())
        };
        let none = BTreeMap::new();
        assert_eq!(rows().await, (none.clone(), 0), "nothing is all that there is");
        let first = admin.click("offer=42&publisher=7&sub_id=a").await;
        let noon = 12 * HOUR * 1000;
        assert_eq!(rows().await, (none, -noon), "not counted since midnight");
        admin.clock.advance_seconds(60);
        keeper.count_days().await.unwrap();
        let clicked = |clicks| (clicks, 0, 0, 0, 0, BTreeMap::new());
        assert_eq!(rows().await, (BTreeMap::from([("a".to_owned(), clicked(1))]), 0));
        admin.clock.advance_seconds(60);
        let postback = format!("secure={secret}&transaction_id={first}");
        admin.track(Door::Postback, &postback).await;
        assert_eq!(rows().await, (BTreeMap::from([("a".to_owned(), clicked(1))]), -60_000), "as it was counted last");
        keeper.count_days().await.unwrap();
        let earned = BTreeMap::from([("EUR".to_owned(), (10_000_000, 7_000_000))]);
        assert_eq!(rows().await.0, BTreeMap::from([("a".to_owned(), (1, 1, 1, 0, 0, earned))]));
        // A rejection of yesterday's conversion makes yesterday old, and the next count mends it.
        admin.clock.advance_seconds(DAY);
        admin.track(Door::Rejection, &format!("{postback}&new_rejected_reason=fraud")).await;
        assert_eq!(rows().await.1, -DAY * 1000);
        keeper.count_days().await.unwrap();
        let rejected = BTreeMap::from([("a".to_owned(), (1, 1, 0, 0, 1, BTreeMap::new()))]);
        assert_eq!(rows().await, (rejected, 0));
        let report = verify(&admin.app.database).await.unwrap();
        assert!(report.is_clean() && report.days.counted == 2, "{report}");
    }

    async fn later_results_have_their_own_count_and_their_money(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = furnish(&admin).await;
        admin.done(
            "mutation { offerEventsSet(id: \"offer_42\", version: 1, events: [{ number: 1, name: \"deposit\",
                revenue: { fixed: \"5\" }, payout: { fixed: \"3\" } }]) { userErrors { code message } } }",
            json!({}),
        ).await;
        let transaction = admin.click("offer=42&publisher=7&sub_id=a").await;
        let postback = format!("secure={secret}&transaction_id={transaction}");
        for query in [postback.clone(), format!("{postback}&event_id=1")] {
            assert_eq!(admin.track(Door::Postback, &query).await.code, Code::Recorded);
        }
        keeper(&admin).count_days().await.unwrap();
        let earned = BTreeMap::from([("EUR".to_owned(), (15_000_000, 10_000_000))]);
        for by in ["OFFER", "SUB_ID", "SOURCE", "STATUS"] {
            let report = stats(&admin, json!({ "range": { "since": "2026-06-01T00:00:00Z" }, "groupBy": [by] })).await;
            let clicks = if ["OFFER", "SUB_ID"].contains(&by) { 1 } else { 0 };
            let row = &report["rows"][0]["metrics"];
            assert_eq!(cell(row), (clicks, 1, 1, 0, 0, earned.clone()), "{by}");
            assert_eq!(row["events"], if by == "STATUS" { json!(null) } else { json!(1) }, "{by}");
        }
        let report = verify(&admin.app.database).await.unwrap();
        assert!(report.is_clean() && report.days.counted == 1, "{report}");
    }

    async fn sums_are_read_while_they_are_as_new_as_their_day(engine: Engine) {
        let admin = busy(engine).await;
        let (database, keeper) = (&admin.app.database, keeper(&admin));
        keeper.count_days().await.unwrap();
        // What no fact says, so that it shows which table was read.
        for (table, publishers, more) in [
            ("rollup_sum", "= 0", 1_000),
            ("rollup_day_sum", "= 0", 1_000),
            ("rollup_sum", "> 0", 1_000_000),
            ("rollup_day_sum", "> 0", 1_000_000),
            ("rollup_day", "> 0", 1_000_000_000),
        ] {
            let tampered = format!("UPDATE {table} SET clicks = clicks + {more} WHERE publisher_id {publishers}");
            tamper(database, &tampered).await;
        }
        let clicks = async |zone: &str, by: &[&str], filter: Value| {
            let range = json!({ "since": "2026-10-22T22:00:00Z", "until": "2026-10-26T22:00:00Z" });
            let input = json!({ "range": range, "timezone": zone, "interval": "DAY", "groupBy": by, "filter": filter });
            stats(&admin, input).await["totals"]["clicks"].as_i64().unwrap()
        };
        for zone in ["Europe/Berlin", "Asia/Kathmandu"] {
            for (by, filter, least) in [
                (&["OFFER"][..], json!({}), 1_000),
                (&["ADVERTISER"], json!({ "offerIds": ["offer_42"] }), 1_000),
                (&[], json!({}), 1_000),
                (&["PUBLISHER"], json!({}), 1_000_000),
                (&[], json!({ "publisherIds": ["pub_7"] }), 1_000_000),
                (&["OFFER", "PUBLISHER"], json!({}), 1_000_000_000),
                (&["PUBLISHER"], json!({ "offerIds": ["offer_42"] }), 1_000_000_000),
                (&["OFFER"], json!({ "publisherIds": ["pub_7"] }), 1_000_000_000),
            ] {
                let found = clicks(zone, by, filter.clone()).await;
                // Days of another zone are made of 15 minutes, whose only sums are those of one of the two.
                let least = if zone == "Asia/Kathmandu" && least == 1_000_000_000 { 1 } else { least };
                assert!((least..least * 1_000).contains(&found), "{zone} {by:?} {filter}: {found}");
            }
        }
        // A day that has changed since is read from its figures.
        let berlin = async || clicks("Europe/Berlin", &["OFFER"], json!({})).await;
        let before = berlin().await;
        // 2026-10-24T22:00:00Z: two of the four days.
        tamper(database, "UPDATE rollup_day_change SET changes = changes + 1 WHERE day_at >= 1792879200000").await;
        let after = berlin().await;
        tamper(database, "UPDATE rollup_day_change SET changes = changes + 1").await;
        let exact = berlin().await;
        assert!(exact < 1_000 && 1_000 < after && after < before, "{exact} {after} {before}");
        keeper.count_days().await.unwrap();
        assert_eq!(berlin().await, exact);
        let report = verify(database).await.unwrap();
        assert!(report.is_clean() && report.days.counted == report.days.days, "{report}");
    }

    async fn a_conversion_before_its_click_moves_to_its_sub_id_once_that_is_there(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = furnish(&admin).await;
        let keeper = keeper(&admin);
        let app = &admin.app;
        let id = app.minter.mint(&app.keyring, admin.clock.now(), Kind::Click, offer_id(), publisher_id());
        admin.track(Door::Postback, &format!("secure={secret}&transaction_id={id}")).await;
        keeper.count_days().await.unwrap();
        app.intake.settle_kept_click(crate::support::bench::click(&app.keyring, id)).await.unwrap();
        keeper.count_days().await.unwrap();
        let input = json!({ "range": { "since": "2026-06-01T00:00:00Z" }, "groupBy": ["SUB_ID"] });
        let report = stats(&admin, input).await;
        let earned = BTreeMap::from([("EUR".to_owned(), (10_000_000, 7_000_000))]);
        assert_eq!(report["rows"].as_array().unwrap().len(), 1, "{report}");
        assert_eq!(report["rows"][0]["keys"][0]["value"], "news");
        assert_eq!(cell(&report["rows"][0]["metrics"]), (1, 1, 1, 0, 0, earned));
    }

    async fn of_one_publisher_and_day_ten_thousand_sub_ids_are_kept(engine: Engine) {
        let admin = Admin::start(engine).await;
        furnish(&admin).await;
        let database = &admin.app.database;
        let now = admin.clock.now();
        let row = |publisher_id: i32, number: usize| {
            let mut id = [0; 25];
            id[..6].copy_from_slice(&lowest_of(1, now));
            id[6..10].copy_from_slice(&publisher_id.to_be_bytes());
            id[10..18].copy_from_slice(&number.to_be_bytes());
            click::Model {
                transaction_id: TransactionId::from_bytes(&id).unwrap().as_bytes().to_vec(),
                clicked_at: now.as_millis(),
                offer_id: 42,
                publisher_id,
                sub_id: Some(format!("value {number}")),
                sub_id_2: None,
                sub_id_3: None,
                sub_id_4: None,
                sub_id_5: None,
                sub_id_6: None,
                external_transaction_id: None,
                device_id: None,
                address: None,
                address_hash: None,
                user_agent: None,
                referrer_origin: None,
                is_bot: false,
                is_test: false,
            }
        };
        let most = sub_ids::VALUES_MAX;
        let counts = [(7, most - 1), (8, most), (9, most + 2)];
        for (publisher, count) in counts {
            let rows: Vec<_> = (0..count).map(|number| row(publisher, number)).collect();
            for chunk in rows.chunks(1000) {
                insert::<click::Entity, _>(database, chunk.to_vec()).await;
            }
            let bucket = now.bucket(900).as_millis();
            tamper(database, &format!("INSERT INTO rollup VALUES ({bucket}, 42, {publisher}, 'EUR', 0, {count}, 0, 0, 0, 0, 0, 0, 0)")).await;
        }
        let day = Zone::utc().day_of(now).as_millis();
        tamper(database, &format!("INSERT INTO rollup_day_change VALUES (0, {day}, 0, 1)")).await;
        // The most frequent are kept, whatever their names.
        let twice = click::Model { sub_id: Some("value 10001".into()), ..row(9, most + 100) };
        insert::<click::Entity, _>(database, vec![twice]).await;
        tamper(database, "UPDATE rollup SET clicks = clicks + 1 WHERE publisher_id = 9").await;
        keeper(&admin).count_days().await.unwrap();
        let kept = database.side_write(Box::new(|transaction| {
            Box::pin(async move { Ok(rollup_sub_id::Entity::find().count(transaction).await?) })
        }));
        assert_eq!(kept.await.unwrap(), u64::try_from(most - 1 + most + most + 1).unwrap());
        let report = verify(database).await.unwrap();
        assert!(report.is_clean() && report.days.counted == 1, "{report}");
        let input = |publisher: &str| json!({
            "range": { "since": "2026-06-01T00:00:00Z" }, "groupBy": ["SUB_ID"], "orderBy": "CLICKS", "limit": 2,
            "filter": { "publisherIds": [publisher] },
        });
        let others = stats(&admin, input("pub_9")).await;
        let top = |index: usize| (&others["rows"][index]["keys"][0]["value"], &others["rows"][index]["metrics"]["clicks"]);
        assert_eq!([top(0), top(1)], [(&json!("(other)"), &json!(2)), (&json!("value 10001"), &json!(2))]);
        assert_eq!(others["totals"]["clicks"], most + 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_report_cannot_say_is_refused_with_its_reason() {
    let admin = Admin::start(Engine::Sqlite).await;
    let range = |since: &str| json!({ "since": since });
    for (input, words) in [
        (json!({ "range": range("2026-06-01T00:00:01Z") }), "2026-06-01T00:15:00Z"),
        (json!({ "range": range("2026-07-01T00:00:00Z") }), "after since"),
        (json!({ "range": range("2026-06-01T00:00:00Z"), "limit": 501 }), "limit"),
        (json!({ "range": range("2026-06-01T00:00:00Z"), "limit": -1 }), "limit"),
        (json!({ "range": range("2026-06-01T00:00:00Z"), "groupBy": ["OFFER", "STATUS", "PUBLISHER"] }), "at most two"),
        (json!({ "range": range("2020-06-01T00:00:00Z"), "interval": "HOUR" }), "1000 points"),
        (json!({ "range": range("2026-05-01T00:00:00Z"), "groupBy": ["TOKEN"] }), "31 days"),
        (
            json!({ "range": range("2026-05-30T00:00:00Z"), "groupBy": ["SUB_ID"], "timezone": "Asia/Tokyo", "interval": "DAY" }),
            "UTC",
        ),
        (json!({ "range": range("2026-06-01T00:00:00Z"), "timezone": "Mars/Olympus" }), "IANA"),
    ] {
        let query = "query($input: StatsInput!) { stats(input: $input) { rows { series { partial } } } }";
        let answer = admin.ask(Role::Viewer, query, json!({ "input": input })).await;
        let error = &answer["errors"][0];
        assert!(error["message"].as_str().unwrap().contains(words), "{input}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_are_counted_by_time_verdict_and_code() {
    let admin = Admin::start(Engine::Sqlite).await;
    let secret = furnish(&admin).await;
    for n in 0..4 {
        let transaction = admin.click("offer=42&publisher=7").await;
        let postback = format!("secure={secret}&transaction_id={transaction}");
        admin.track(Door::Postback, &postback).await;
        if n > 1 {
            admin.track(Door::Postback, &postback).await;
        }
        admin.track(Door::Postback, &format!("secure={secret}&transaction_id=nonsense{n}")).await;
        admin.clock.advance_seconds(HOUR);
    }
    let query = "query($range: DateTimeRange!) {
        receiptStats(filter: { receivedAt: $range }, interval: HOUR) {
            buckets { start verdict count } topCodes { code count lastSeenAt suggestedFix } }
        secureTokens { nodes { usage(range: $range) { accepted refused sourceIps { ip requests } } } } }";
    let range = json!({ "range": { "since": "2026-06-01T12:00:00Z", "until": "2026-06-01T15:00:00Z" } });
    let data = admin.data(query, range).await;
    let top = data["receiptStats"]["topCodes"].as_array().unwrap();
    let codes: BTreeMap<&str, i64> =
        top.iter().map(|one| (one["code"].as_str().unwrap(), one["count"].as_i64().unwrap())).collect();
    assert_eq!(codes, BTreeMap::from([("RECORDED", 3), ("DUPLICATE", 1), ("MALFORMED_TRANSACTION_ID", 3)]));
    let bad = top.iter().find(|one| one["code"] == "MALFORMED_TRANSACTION_ID").unwrap();
    assert_eq!(bad["lastSeenAt"], "2026-06-01T14:00:00Z");
    assert!(bad["suggestedFix"].as_str().is_some_and(|cure| !cure.is_empty()));
    let third: Vec<&Value> = data["receiptStats"]["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|bucket| bucket["start"] == "2026-06-01T14:00:00Z")
        .collect();
    assert_eq!(third.len(), 3, "recorded, duplicate, refused: {third:?}");
    let usage = &data["secureTokens"]["nodes"][0]["usage"];
    assert_eq!(
        *usage,
        json!({ "accepted": 4, "refused": 3, "sourceIps": [{ "ip": "203.0.113.0/24", "requests": 7 }] })
    );
    let query = "{ receiptStats(filter: {}, interval: DAY) { topCodes { count } } }";
    let refused = admin.ask(Role::Viewer, query, json!({})).await;
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("receivedAt"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejection_reasons_come_with_the_most_frequent_first() {
    let admin = Admin::start(Engine::Sqlite).await;
    let secret = furnish(&admin).await;
    for reason in ["fraud", "Returned", "fraud", "100%25"] {
        let transaction = admin.click("offer=42&publisher=7").await;
        let postback = format!("secure={secret}&transaction_id={transaction}");
        admin.track(Door::Postback, &postback).await;
        admin.track(Door::Rejection, &format!("{postback}&new_rejected_reason={reason}")).await;
    }
    let reasons = async |arguments: &str| {
        admin.data(&format!("{{ rejectionReasons{arguments} }}"), json!({})).await["rejectionReasons"].take()
    };
    assert_eq!(reasons("").await, json!(["fraud", "100%", "Returned"]));
    assert_eq!(reasons("(first: 1)").await, json!(["fraud"]));
    assert_eq!(reasons("(search: \"RETURN\")").await, json!(["Returned"]));
    assert_eq!(reasons("(search: \"%\")").await, json!(["100%"]));
    admin.clock.advance_seconds(32 * DAY);
    assert_eq!(reasons("").await, json!([]));
    for first in [0, 201] {
        let answer = admin.ask(Role::Viewer, &format!("{{ rejectionReasons(first: {first}) }}"), json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
}

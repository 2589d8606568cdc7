//! Fills a database as two months of traffic would have, by SQL in the database itself.
//!
//! What decides how fast a full table takes another row is where that row goes in each index, so ids and keys have
//! their real forms and times: clicks evenly over the days, every fifth one converted within the hour, its two keys
//! led by its transaction. Texts are as long as real ones; seals, hashes and figures mean nothing, so these rows are
//! for measuring beside, never for asking about: `roundtrip verify` would object to each.
//! PostgreSQL: a day is loaded into a table of its own and attached as its partition, and the tables without
//! partitions lose their indexes until they are full; with `wal_level=minimal` nearly nothing of it is logged.

use roundtrip::domain::clock::{Clock as _, Timestamp};
use roundtrip::domain::transaction_id::lowest_of;
use roundtrip::system::SystemClock;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tokio::time::Instant;

use crate::Outcome;
use crate::requests::{OFFERS, PUBLISHERS};
use crate::subject::Engine;

pub(crate) const DAYS: i64 = 60;
/// Receipts are kept for a month.
const RECEIPT_DAYS: i64 = 30;
/// One conversion of so many has a receipt: more would lengthen the load and no index that is written to later.
const RECEIPT_OF: u64 = 10;
pub(crate) const CLICKS_OF_A_CONVERSION: u64 = 5;
const DAY_MILLIS: i64 = 24 * 3600 * 1000;
/// The first byte of a click's id under the first key of a keyring.
const HEADER: u8 = 0;

/// Starts a statement that fills a table, with the rows of one day.
type Statement = fn(&Words, Day) -> String;

/// Tables that have no partitions, and what a day brings to each.
const WHOLE: [(&str, &[Statement]); 3] =
    [("conversion", &[conversions]), ("conversion_key", &[order_keys, first_keys]), ("conversion_change", &[changes])];

/// What is to be there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    /// Rounded to whole rows a day.
    pub(crate) conversions: u64,
}

/// The clicks of one day, counted through all days.
#[derive(Clone, Copy)]
struct Day {
    begins: Timestamp,
    first: u64,
    clicks: u64,
    /// Receipts of older days would have been purged.
    has_receipts: bool,
}

impl Fill {
    pub(crate) const fn clicks(self) -> u64 {
        self.conversions * CLICKS_OF_A_CONVERSION
    }

    /// Bytes that it takes on disk with its indexes, somewhat more than was measured.
    pub(crate) const fn bytes(self, engine: Engine) -> u64 {
        self.conversions
            * match engine {
                Engine::Sqlite => 3_000,
                Engine::Postgres => 3_700,
            }
    }

    /// Fills the days before today. The tables hold nothing yet, and nobody else uses them.
    pub(crate) async fn run(self, engine: Engine, url: &str) -> Outcome<()> {
        let began = Instant::now();
        let say = |what: &str| println!("  {:>5} s  {}: {what}", began.elapsed().as_secs(), engine.name());
        match engine {
            Engine::Sqlite => self.sqlite(&mut SqliteConnection::connect(url).await?, &say).await,
            Engine::Postgres => self.postgres(&mut PgConnection::connect(url).await?, &say).await,
        }
    }

    /// Conversions and nothing else, for reports.
    pub(crate) async fn conversions_alone(self, connection: &mut PgConnection) -> Outcome<()> {
        let mut transaction = connection.begin().await?;
        let indexes = drop_indexes(&mut transaction, "conversion").await?;
        for day in self.days() {
            on_postgres(&mut transaction, &conversions(&Words(Engine::Postgres), day)).await?;
        }
        for index in indexes {
            on_postgres(&mut transaction, &index).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn postgres(self, connection: &mut PgConnection, say: &impl Fn(&str)) -> Outcome<()> {
        let (words, days) = (Words(Engine::Postgres), self.days());
        on_postgres(connection, "SET maintenance_work_mem = '512MB'").await?;
        for (number, &day) in days.iter().enumerate() {
            attach(connection, "click", day.begins, Some(clicks(&words, day))).await?;
            if day.has_receipts {
                attach(connection, "receipt", day.begins, Some(receipts(&words, day))).await?;
            }
            if number % 10 == 9 {
                say(&format!("clicks of {} days", number + 1));
            }
        }
        for (table, statements) in WHOLE {
            let mut transaction = connection.begin().await?;
            let indexes = drop_indexes(&mut transaction, table).await?;
            on_postgres(&mut transaction, &format!("TRUNCATE {table}")).await?;
            for statement in statements {
                for &day in &days {
                    on_postgres(&mut transaction, &statement(&words, day)).await?;
                }
            }
            say(&format!("{table} without its indexes"));
            for index in indexes {
                on_postgres(&mut transaction, &index).await?;
            }
            transaction.commit().await?;
            // What a database at rest has behind it: else the first to read a row would have to mark it as seen.
            on_postgres(connection, &format!("VACUUM {table}")).await?;
            say(table);
        }
        let bytes: i64 =
            sqlx::query_scalar("SELECT pg_database_size(current_database())").fetch_one(connection).await?;
        say(&self.size(bytes));
        Ok(())
    }

    async fn sqlite(self, connection: &mut SqliteConnection, say: &impl Fn(&str)) -> Outcome<()> {
        let (words, days) = (Words(Engine::Sqlite), self.days());
        on_sqlite(connection, "PRAGMA synchronous = OFF").await?;
        on_sqlite(connection, "PRAGMA cache_size = -524288").await?;
        let indexes: Vec<(String, String)> = sqlx::query_as(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL \
             AND tbl_name IN ('conversion', 'conversion_key', 'conversion_change', 'receipt')",
        )
        .fetch_all(&mut *connection)
        .await?;
        for (name, _) in &indexes {
            on_sqlite(connection, &format!("DROP INDEX {name}")).await?;
        }
        for (number, &day) in days.iter().enumerate() {
            let mut transaction = connection.begin().await?;
            on_sqlite(&mut transaction, &clicks(&words, day)).await?;
            for statement in WHOLE.iter().flat_map(|(_, statements)| *statements) {
                on_sqlite(&mut transaction, &statement(&words, day)).await?;
            }
            if day.has_receipts {
                on_sqlite(&mut transaction, &receipts(&words, day)).await?;
            }
            transaction.commit().await?;
            if number % 10 == 9 {
                say(&format!("{} days", number + 1));
            }
        }
        for (name, index) in indexes {
            on_sqlite(connection, &index).await?;
            say(&name);
        }
        on_sqlite(connection, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
        let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        let bytes: i64 = sqlx::query_scalar(size).fetch_one(connection).await?;
        say(&self.size(bytes));
        Ok(())
    }

    fn size(self, bytes: i64) -> String {
        let bytes = bytes.unsigned_abs();
        format!("filled, {} MiB, {} bytes a conversion", bytes >> 20, bytes / self.conversions.max(1))
    }

    /// Asked once: midnight may pass while they are filled.
    fn days(self) -> Vec<Day> {
        let clicks = self.conversions / DAYS.unsigned_abs() * CLICKS_OF_A_CONVERSION;
        let day = |number: i64| Day {
            begins: day_before_today(DAYS - number),
            first: number.unsigned_abs() * clicks,
            clicks,
            has_receipts: DAYS - number < RECEIPT_DAYS,
        };
        (0..DAYS).map(day).collect()
    }
}

/// The midnight with which today began, or one before it.
pub(crate) fn day_before_today(days: i64) -> Timestamp {
    let second = DAY_MILLIS / 1000;
    SystemClock.now().bucket(second).plus_seconds(-days * second)
}

/// Makes the partitions of the last `days` days that are missing, empty.
pub(crate) async fn make_partitions(url: &str, days: i64) -> Outcome<()> {
    let mut connection = PgConnection::connect(url).await?;
    for day in 1..=days {
        attach(&mut connection, "click", day_before_today(day), None).await?;
    }
    Ok(connection.close().await?)
}

/// A partition of one day as the server names and bounds it, filled before it is one.
async fn attach(connection: &mut PgConnection, parent: &str, day: Timestamp, rows: Option<String>) -> Outcome<()> {
    let date: String = day.to_string().chars().take(10).filter(|character| *character != '-').collect();
    let name = format!("{parent}_{date}");
    let bound = |at: Timestamp| match parent {
        "click" => at.as_millis().to_string(),
        // An id begins with its time.
        _ => format!("'{:012x}00000000000000000000'", at.as_millis()),
    };
    let (low, high) = (bound(day), bound(day.plus_millis(DAY_MILLIS)));
    let mut transaction = connection.begin().await?;
    on_postgres(&mut transaction, &format!("CREATE TABLE {name} (LIKE {parent})")).await?;
    if let Some(rows) = &rows {
        on_postgres(&mut transaction, &rows.replace(&into(parent), &into(&name))).await?;
    }
    let attach = format!("ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})");
    on_postgres(&mut transaction, &attach).await?;
    transaction.commit().await?;
    if rows.is_some() {
        on_postgres(connection, &format!("VACUUM {name}")).await?;
    }
    Ok(())
}

/// Returns the statements that make them again.
async fn drop_indexes(connection: &mut PgConnection, table: &str) -> Outcome<Vec<String>> {
    let indexes: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "SELECT c.relname::text, pg_get_indexdef(i.indexrelid), pg_get_constraintdef(k.oid) FROM pg_index i \
         JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid \
         WHERE i.indrelid = $1::text::regclass ORDER BY c.relname",
    )
    .bind(table)
    .fetch_all(&mut *connection)
    .await?;
    let mut again = Vec::with_capacity(indexes.len());
    for (name, definition, constraint) in indexes {
        let drop = match constraint {
            None => {
                again.push(definition);
                format!("DROP INDEX {name}")
            }
            Some(constraint) => {
                again.push(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {constraint}"));
                format!("ALTER TABLE {table} DROP CONSTRAINT {name}")
            }
        };
        on_postgres(connection, &drop).await?;
    }
    Ok(again)
}

pub(crate) async fn on_postgres(connection: &mut PgConnection, sql: &str) -> Outcome<()> {
    let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    done.map(|_| ()).map_err(|error| format!("{error}\n{sql}").into())
}

async fn on_sqlite(connection: &mut SqliteConnection, sql: &str) -> Outcome<()> {
    let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    done.map(|_| ()).map_err(|error| format!("{error}\n{sql}").into())
}

fn into(table: &str) -> String {
    format!("INSERT INTO {table} (")
}

/// The few words that the engines do not share. `i` is the number of a click.
struct Words(Engine);

impl Words {
    /// A number as so many hexadecimal digits.
    fn hex(&self, number: &str, digits: u8) -> String {
        match self.0 {
            Engine::Sqlite => format!("printf('%0{digits}x', {number})"),
            Engine::Postgres => format!("lpad(to_hex({number}), {digits}, '0')"),
        }
    }

    fn bytes(&self, hex: &str) -> String {
        match self.0 {
            Engine::Sqlite => format!("unhex({hex})"),
            Engine::Postgres => format!("decode({hex}, 'hex')"),
        }
    }

    fn uuid(&self, hex: &str) -> String {
        match self.0 {
            Engine::Sqlite => format!("unhex({hex})"),
            Engine::Postgres => format!("({hex})::uuid"),
        }
    }

    fn i32(&self, number: &str) -> String {
        format!("CAST({number} AS INTEGER)")
    }

    /// `n(i)`: every `step`-th click of a day.
    fn series(&self, day: Day, step: u64) -> String {
        let (first, last) = (day.first, day.first + day.clicks - 1);
        match self.0 {
            Engine::Sqlite => format!(
                "(WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + {step} FROM n WHERE i + {step} <= {last}) \
                 SELECT i FROM n) AS n"
            ),
            Engine::Postgres => format!("generate_series({first}::int8, {last}::int8, {step}::int8) AS n(i)"),
        }
    }

    /// The millisecond of a click.
    fn clicked_at(&self, day: Day) -> String {
        let Day { begins, first, clicks, .. } = day;
        format!("({} + (i - {first}) * {DAY_MILLIS} / {clicks})", begins.as_millis())
    }

    /// Ten minutes to an hour after its click.
    fn converted_at(&self, day: Day) -> String {
        format!("({} + 600000 + {} % 3000000)", self.clicked_at(day), scattered(2_654_435_761))
    }

    /// The bytes of a transaction id, in hexadecimal: header and time, nonce, then what mask and seal look like.
    fn transaction(&self, day: Day) -> String {
        let [_, a, b, c, d, e] = lowest_of(HEADER, day.begins);
        let midnight = [a, b, c, d, e].into_iter().fold(0_i64, |number, byte| number << 8 | i64::from(byte));
        let time = format!("({} - {} + {midnight})", self.clicked_at(day), day.begins.as_millis());
        format!(
            "('{HEADER:02x}' || {} || 'a1b2' || {} || {} || {} || {} || {})",
            self.hex(&time, 10),
            self.hex("(i & 16777215)", 6),
            self.hex(&scattered(2_246_822_519), 8),
            self.hex(&scattered(3_266_489_917), 8),
            self.hex(&scattered(668_265_263), 8),
            self.hex(&format!("({} & 65535)", scattered(374_761_393)), 4),
        )
    }

    /// A time-ordered id; `salt` keeps those of one click apart.
    fn id(&self, at: &str, salt: u64) -> String {
        let end = self.hex(&scattered(salt), 8);
        self.uuid(&format!("({} || '7a3c8b1f' || {} || {end})", self.hex(at, 12), self.hex("(i & 65535)", 4)))
    }

    fn conversion(&self, day: Day) -> String {
        self.id(&self.converted_at(day), 2_654_435_761)
    }

    /// Of the millisecond of its click: of the same day, so that it belongs into the partition of that day.
    fn receipt(&self, day: Day) -> String {
        self.id(&self.clicked_at(day), 2_246_822_519)
    }

    /// Not every so many clicks the same one: each has conversions.
    fn offer(&self) -> String {
        self.i32(&format!("(i / {CLICKS_OF_A_CONVERSION} * 2 + i) % {OFFERS} + 1"))
    }

    fn publisher(&self) -> String {
        self.i32(&format!("i / {OFFERS} % {PUBLISHERS} + 1"))
    }

    fn hash(&self) -> String {
        let [a, b] = [scattered(1_597_334_677), scattered(2_869_860_233)].map(|part| self.hex(&part, 8));
        self.bytes(&format!("({a} || {b} || {b} || {a})"))
    }
}

/// A number below 2³² that is far from that of the next click. Clicks are below 2³¹, so the product is in range.
fn scattered(odd: u64) -> String {
    format!("(i * {odd} & 4294967295)")
}

const BROWSER: &str =
    "'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36'";
const TOKEN: &str = "'01960000a1b27c3d8e4f000000000001'";

fn clicks(words: &Words, day: Day) -> String {
    let (end, id, at) = (words.hex("i", 12), words.bytes(&words.transaction(day)), words.clicked_at(day));
    format!(
        "{}transaction_id, clicked_at, offer_id, publisher_id, sub_id, sub_id_2, sub_id_3, external_transaction_id, \
         device_id, address, address_hash, user_agent, referrer_origin, is_bot, is_test) \
         SELECT {id}, {at}, {}, {}, 'newsletter-2026-w47', 'campaign-' || {}, 'banner_300x250', \
         '9f1c6b52-7d0e-4a53-8f7e-' || {end}, '6ba7b810-9dad-11d1-80b4-' || {end}, '203.0.113.0/24', {}, {BROWSER}, \
         'https://deals.example', FALSE, FALSE FROM {}",
        into("click"),
        words.offer(),
        words.publisher(),
        words.hex("(i % 997)", 5),
        words.hash(),
        words.series(day, 1),
    )
}

fn conversions(words: &Words, day: Day) -> String {
    let (end, at) = (words.hex("i", 12), words.converted_at(day));
    format!(
        "{}id, transaction_id, event_number, source, status, offer_id, publisher_id, order_id, \
         external_transaction_id, sub_id, sub_id_2, sub_id_3, adv_sub_id, adv_sub_id_2, session_time_seconds, \
         conversion_ip, conversion_ip_hash, user_agent, device_id, currency, revenue_micros, payout_micros, \
         purchase_value_micros, click_pending, is_test, token_id, clicked_at, converted_at, recorded_at, \
         status_changed_at, version) \
         SELECT {}, {}, 0, 'postback', 'approved', {}, {}, 'ORD-2026-' || {end}, \
         '9f1c6b52-7d0e-4a53-8f7e-' || {end}, 'newsletter-2026-w47', 'campaign-' || {}, 'banner_300x250', \
         'returning-customer', 'basket-4', 1200, '203.0.113.0/24', {}, {BROWSER}, \
         '6ba7b810-9dad-11d1-80b4-' || {end}, 'EUR', 10000000, 7000000, 49900000, FALSE, FALSE, {}, {}, {at}, {at}, \
         {at}, 1 FROM {}",
        into("conversion"),
        words.conversion(day),
        words.bytes(&words.transaction(day)),
        words.offer(),
        words.publisher(),
        words.hex("(i % 997)", 5),
        words.hash(),
        words.uuid(TOKEN),
        words.clicked_at(day),
        words.series(day, CLICKS_OF_A_CONVERSION),
    )
}

/// O: `T`, the first eleven bytes of its transaction, its kind, sixteen of a hash.
fn order_keys(words: &Words, day: Day) -> String {
    let [a, b] = [scattered(1_597_334_677), scattered(2_869_860_233)].map(|part| words.hex(&part, 8));
    let lead = format!("substr({}, 1, 22)", words.transaction(day));
    keys(words, day, &format!("('54' || {lead} || '4f' || {a} || {b} || {b} || {a})"))
}

/// F: `T`, the first eleven bytes of its transaction, its kind, the rest of it, the number of the event.
fn first_keys(words: &Words, day: Day) -> String {
    let transaction = words.transaction(day);
    let key = format!("('54' || substr({transaction}, 1, 22) || '46' || substr({transaction}, 23) || '00000000')");
    keys(words, day, &key)
}

fn keys(words: &Words, day: Day, key: &str) -> String {
    format!(
        "{}key, conversion_id) SELECT {}, {} FROM {}",
        into("conversion_key"),
        words.bytes(key),
        words.conversion(day),
        words.series(day, CLICKS_OF_A_CONVERSION)
    )
}

fn changes(words: &Words, day: Day) -> String {
    let at = words.converted_at(day);
    format!(
        "{}id, conversion_id, number, at, kind, to_status, party, actor, receipt_id, revenue_after_micros, \
         payout_after_micros, currency) \
         SELECT {}, {}, 1, {at}, 'recorded', 'approved', 'sender', 'tok_01jd3qkz8vexamplexxxxxxxxx', {}, 10000000, \
         7000000, 'EUR' FROM {}",
        into("conversion_change"),
        words.id(&at, 3_266_489_917),
        words.conversion(day),
        words.receipt(day),
        words.series(day, CLICKS_OF_A_CONVERSION),
    )
}

fn receipts(words: &Words, day: Day) -> String {
    let (at, transaction) = (words.clicked_at(day), words.transaction(day));
    format!(
        "{}id, received_at, door, verdict, code, method, host, path, params, address, address_hash, user_agent, \
         latency_us, is_test, lenient, token_id, offer_id, publisher_id, transaction_id, conversion_id, status, \
         warnings, request_id) \
         SELECT {}, {at}, 'postback', 'accepted', 'recorded', 'GET', 'track.example.com', '/postback', \
         'transaction_id=' || {transaction} || '&order_id=ORD-2026-' || {} || \
         '&purchase_value=49.90&currency=EUR&adv_sub_id=returning-customer&adv_sub_id_2=basket-4', \
         '203.0.113.0/24', {}, 'shop-orders/3.2 (+https://shop.example)', 4200, FALSE, FALSE, {}, {}, {}, {}, {}, \
         'approved', '', '9f1c6b527d0e4a53' || {} FROM {}",
        into("receipt"),
        words.receipt(day),
        words.hex("i", 12),
        words.hash(),
        words.uuid(TOKEN),
        words.offer(),
        words.publisher(),
        words.bytes(&transaction),
        words.conversion(day),
        words.hex("i", 16),
        words.series(day, CLICKS_OF_A_CONVERSION * RECEIPT_OF),
    )
}

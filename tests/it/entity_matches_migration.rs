//! Every entity is the table that the migration makes, on both engines: names, types, what may be absent, keys.
//!
//! An entity that names a column which is not there fails at its first use only; one that thinks an empty column
//! full fails at its first empty row, in production.

use std::collections::BTreeMap;

use roundtrip::store::Database;
use roundtrip::store::Engine;
use sea_orm::{ColumnTrait, ColumnType, ConnectionTrait, EntityTrait, IdenStatic, Iterable, Statement};

use crate::support::bench::fresh;
use crate::support::on_both_engines;

/// `integer`, or `integer?` where it may be absent; `integer!` in the primary key.
type Table = BTreeMap<String, String>;

fn class(engine: Engine, column: &ColumnType) -> &'static str {
    #[expect(clippy::wildcard_enum_match_arm, reason = "SeaORM's own list; another type fails the test")]
    let on_postgres = match column {
        ColumnType::SmallInteger => "smallint",
        ColumnType::Integer => "integer",
        ColumnType::BigInteger => "bigint",
        ColumnType::Boolean => "boolean",
        ColumnType::String(_) | ColumnType::Text => "text",
        ColumnType::Blob | ColumnType::Binary(_) | ColumnType::VarBinary(_) => "bytea",
        ColumnType::Uuid => "uuid",
        _ => "no column of ours is like this",
    };
    match engine {
        Engine::Postgres => on_postgres,
        Engine::Sqlite => on_sqlite(on_postgres),
    }
}

fn on_sqlite(type_name: &'static str) -> &'static str {
    match type_name {
        "smallint" | "integer" | "bigint" | "boolean" => "integer",
        "bytea" | "uuid" => "blob",
        other => other,
    }
}

fn spelled(type_name: &str, is_null: bool, in_key: bool) -> String {
    let mark = match (in_key, is_null) {
        (true, _) => "!",
        (false, true) => "?",
        (false, false) => "",
    };
    format!("{}{mark}", type_name.to_lowercase())
}

fn entity_of<E: EntityTrait>(engine: Engine) -> (String, Table) {
    let key: Vec<&str> = E::PrimaryKey::iter().map(|column| column.as_str()).collect();
    let columns = E::Column::iter().map(|column| {
        let definition = column.def();
        let spelled =
            spelled(class(engine, definition.get_column_type()), definition.is_null(), key.contains(&column.as_str()));
        (column.as_str().to_owned(), spelled)
    });
    (E::default().table_name().to_owned(), columns.collect())
}

macro_rules! entities {
    ($engine:expr, $($name:ident),+ $(,)?) => {
        BTreeMap::from([$(entity_of::<entity::$name::Entity>($engine)),+])
    };
}

fn entities(engine: Engine) -> BTreeMap<String, Table> {
    entities!(
        engine,
        advertiser,
        api_key,
        audit_event,
        click,
        config_version,
        conversion,
        conversion_change,
        conversion_extra,
        conversion_key,
        feed,
        foreign_click,
        idempotency_key,
        job,
        job_error,
        invitation,
        figure_keeper,
        delivery,
        delivery_attempt,
        offer,
        offer_event,
        offer_publisher,
        operator,
        outbound,
        parked_rejection,
        publisher,
        publisher_rate,
        receipt,
        rollup,
        rollup_day,
        rollup_day_change,
        rollup_day_sum,
        rollup_sub_id,
        rollup_sum,
        secure_token,
        session,
        setting,
        sub_id_day,
        sub_id_edition,
        tracking_domain,
    )
}

const ON_POSTGRES: &str = "SELECT c.relname AS tab, a.attname AS col, format_type(a.atttypid, a.atttypmod) AS kind, \
    NOT a.attnotnull AS is_null, COALESCE(a.attnum = ANY(k.conkey), FALSE) AS in_key \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p' \
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'seaql_migrations'";

const ON_SQLITE: &str = "SELECT m.name AS tab, p.name AS col, p.type AS kind, p.\"notnull\" = 0 AS is_null, \
    p.pk > 0 AS in_key FROM sqlite_master m JOIN pragma_table_info(m.name) p \
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'seaql_migrations'";

async fn migrated(engine: Engine, database: &Database) -> BTreeMap<String, Table> {
    let sql = match engine {
        Engine::Sqlite => ON_SQLITE,
        Engine::Postgres => ON_POSTGRES,
    };
    let read = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            let statement = Statement::from_string(transaction.get_database_backend(), sql);
            let mut tables: BTreeMap<String, Table> = BTreeMap::new();
            for row in transaction.query_all_raw(statement).await? {
                let text = |name: &str| row.try_get::<String>("", name);
                let flag = |name: &str| row.try_get::<bool>("", name);
                let column = spelled(&text("kind")?, flag("is_null")?, flag("in_key")?);
                tables.entry(text("tab")?).or_default().insert(text("col")?, column);
            }
            Ok(tables)
        })
    }));
    read.await.unwrap()
}

on_both_engines! {
    async fn every_table_has_its_entity_and_every_entity_its_table(engine: Engine) {
        let (database, _folder) = fresh(engine).await;
        let (expected, found) = (entities(engine), migrated(engine, &database).await);
        for (table, columns) in &found {
            assert_eq!(expected.get(table), Some(columns), "{table}");
        }
        assert_eq!(expected.len(), found.len());
    }

    async fn an_entity_that_is_wrong_would_be_found(engine: Engine) {
        let (database, _folder) = fresh(engine).await;
        let found = migrated(engine, &database).await;
        let spoil: [fn(&mut Table); 4] = [
            |table| { table.remove("order_id"); },
            |table| { table.insert("order_id".into(), "text".into()); },
            |table| { table.insert("version".into(), "text".into()); },
            |table| { table.insert("transaction_id".into(), "bytea!".into()); },
        ];
        for spoil in spoil {
            let mut wrong = entities(engine);
            spoil(wrong.get_mut("conversion").unwrap());
            assert_ne!(wrong.get("conversion"), found.get("conversion"));
        }
    }
}

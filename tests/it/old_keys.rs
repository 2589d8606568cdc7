//! Keys that an older version wrote are found by this one: else a retry of last year would count again.

use migration::{Migrator, MigratorTrait};
use roundtrip::domain::conversion_key::ConversionKey;
use roundtrip::domain::ids::OfferId;
use roundtrip::domain::transaction_id::TransactionId;
use roundtrip::store::Engine;
use sea_orm::{ConnectionTrait, Database, EntityTrait, Statement};
use secrecy::ExposeSecret;

use crate::support::bench::fresh_options;
use crate::support::on_both_engines;

/// As it was until then: the kind, then everything else.
fn old(kind: u8, key: &ConversionKey) -> Vec<u8> {
    let bytes = key.as_bytes();
    assert_eq!((bytes[0], bytes[12]), (b'T', kind));
    [&[kind], &bytes[1..12], &bytes[13..]].concat()
}

on_both_engines! {
    async fn keys_of_the_first_versions_are_moved_to_where_they_are_looked_for(engine: Engine) {
        let (options, _folder) = fresh_options(engine);
        let url = options.url.expose_secret().replace(".db", ".db?mode=rwc");
        let database = Database::connect(url).await.unwrap();
        Migrator::up(&database, Some(2)).await.unwrap();
        // Every byte value stands somewhere, zeros too.
        let transaction = |n: u8| TransactionId::from_bytes(&std::array::from_fn::<u8, 25, _>(|i| n.wrapping_mul(31).wrapping_add(u8::try_from(i * 10).unwrap()))).unwrap();
        let offer = OfferId::new(42).unwrap();
        let mut expected = Vec::new();
        for n in 0..=255 {
            let id = transaction(n);
            for (kind, key) in [
                (b'O', ConversionKey::order(offer, &id, 0, "A")),
                (b'R', ConversionKey::repeat(&id, &[n; 16], 3)),
                (b'F', ConversionKey::first(&id, 0)),
            ] {
                insert(&database, old(kind, &key)).await;
                expected.push(key.as_bytes().to_vec());
            }
        }
        for untouched in [ConversionKey::clickless_repeat(&[1; 16], 0), ConversionKey::external(offer, roundtrip::domain::ids::PublisherId::new(7).unwrap(), "x")] {
            insert(&database, untouched.as_bytes().to_vec()).await;
            expected.push(untouched.as_bytes().to_vec());
        }
        Migrator::up(&database, None).await.unwrap();
        let mut found: Vec<Vec<u8>> =
            entity::conversion_key::Entity::find().all(&database).await.unwrap().into_iter().map(|row| row.key).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}

async fn insert(database: &sea_orm::DatabaseConnection, key: Vec<u8>) {
    let sql = "INSERT INTO conversion_key (key, conversion_id) VALUES ($1, NULL)";
    let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, [key.into()]);
    database.execute_raw(statement).await.unwrap();
}

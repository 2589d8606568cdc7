//! ROWS AS THE DATABASE HAS THEM: one SeaORM entity a table, raw column types.
//!
//! Only `store` may import this crate: a row type never leaves it. Instants are milliseconds since 1970,
//! money is millionths, words are the `as_str` of their domain type. `tests/it/entity_matches_migration.rs`
//! holds every entity to the migrated database on both engines.

pub mod advertiser;
pub mod api_key;
pub mod audit_event;
pub mod click;
pub mod config_version;
pub mod conversion;
pub mod conversion_change;
pub mod conversion_extra;
pub mod conversion_key;
pub mod delivery;
pub mod delivery_attempt;
pub mod feed;
pub mod figure_keeper;
pub mod foreign_click;
pub mod idempotency_key;
pub mod invitation;
pub mod job;
pub mod job_error;
pub mod offer;
pub mod offer_event;
pub mod offer_publisher;
pub mod operator;
pub mod outbound;
pub mod parked_rejection;
pub mod publisher;
pub mod publisher_rate;
pub mod receipt;
pub mod rollup;
pub mod rollup_day;
pub mod rollup_day_change;
pub mod rollup_day_sum;
pub mod rollup_sub_id;
pub mod rollup_sum;
pub mod secure_token;
pub mod session;
pub mod setting;
pub mod sub_id_day;
pub mod sub_id_edition;
pub mod tracking_domain;

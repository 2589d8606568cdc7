//! NOUNS AND RULES: what Roundtrip is about, without input or output, async or framework.
//!
//! Everything here is a value or a pure function. To add a rule: write it here as a function over values,
//! with a table test beside it; `intake` gathers the facts for it and `store` keeps what it says.

pub mod address;
pub mod advertiser;
pub mod answer;
pub mod api_key;
pub mod audit;
pub mod calendar;
pub mod click;
pub mod clock;
pub mod code;
pub mod conversion;
pub mod conversion_key;
mod crockford;
pub mod csv_cell;
pub mod delivery;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod foreign_click;
pub mod idempotency;
pub mod ids;
pub mod inbound;
pub mod job;
pub mod keyring;
pub mod macros;
pub mod money;
pub mod offer;
pub mod one_time_code;
pub mod operator;
pub mod outbound;
pub mod outbound_message;
pub mod person;
pub mod pricing;
pub mod privacy;
pub mod publisher;
pub mod receipt;
pub mod replay;
pub mod report;
pub mod screening;
pub mod sealing;
mod secret_text;
pub mod secure_token;
pub mod session;
pub mod settings;
pub mod signing;
pub mod snapshot;
pub mod status;
pub mod test_link;
pub mod tracking_domain;
pub mod transaction_id;

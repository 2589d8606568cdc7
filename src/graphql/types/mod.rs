//! The types of the schema: how nouns of `domain` look to a client.
//!
//! A type takes its plain fields from the value that it is made of, and asks for the rest only when it is selected.
//! To add a field: here, with its description, with `directive = auth::apply(..)` where it needs a role (then it has
//! to be nullable), and its row in the authorisation table in the tests.

pub mod actor;
pub mod audit;
pub mod bulk;
pub mod click;
pub mod conversion;
pub mod explanation;
pub mod input;
pub mod job;
pub mod money;
pub mod node;
pub mod offer;
pub mod operator;
pub mod outbound;
pub mod partner;
pub mod payload;
pub mod postback;
pub mod receipt;
pub mod server;
pub mod settings;
pub mod stats;
pub mod token;
pub mod tracking_domain;
pub mod words;

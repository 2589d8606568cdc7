//! NOUNS AND RULES: what Roundtrip is about, without input or output, async or framework.
//!
//! Everything here is a value or a pure function. To add a rule: write it here as a function over values,
//! with a table test beside it; `intake` gathers the facts for it and `store` keeps what it says.

pub mod clock;
pub mod code;
mod crockford;
pub mod ids;
pub mod inbound;
pub mod keyring;
pub mod macros;
pub mod money;
pub mod privacy;
pub mod secure_token;
pub mod status;
pub mod test_link;
pub mod transaction_id;

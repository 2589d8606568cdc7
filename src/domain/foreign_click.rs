//! Clicks that another system tracked before this one: what a network that moves in brings along.
//!
//! Their ids prove nothing, so they are never unsealed: each has a sealed id of ours, made when it was imported and
//! told to nobody, and is resolved to it before a request is judged. From there on nothing knows that there was
//! another id: keys, windows and histories are those of the sealed one. Only a request with a verified token may name
//! a foreign id; a pixel and a rejection without a token have nothing but the id, and must bring a sealed one.

use std::collections::HashMap;

use super::click::Click;
use super::clock::Timestamp;
use super::ids::{OfferId, PublisherId};
use super::inbound::can_arrive;
use super::keyring::Keyring;
use super::transaction_id::TransactionId;

/// Characters of an id: as many as a postback can carry.
pub const FOREIGN_ID_CHARACTERS_MAX: usize = 64;

/// For how long after its click a foreign id is known: the longest attribution window of 365 days, and the 30 days in
/// which a sender may undo a rejection.
pub const FOREIGN_CLICK_DAYS: i64 = 395;

/// The sealed ids of the foreign ones that a batch asks for.
pub type Aliases = HashMap<String, TransactionId>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignClick {
    /// As the other system wrote it; compared exactly.
    pub foreign_id: String,
    /// Ours, with the click's time, offer and publisher under its seal.
    pub transaction_id: TransactionId,
    pub clicked_at: Timestamp,
    pub offer: OfferId,
    pub publisher: PublisherId,
    pub external_transaction_id: Option<String>,
    pub sub_ids: [Option<String>; 6],
}

impl ForeignClick {
    /// What it fills in of its conversion.
    pub fn click(self) -> Click {
        Click {
            transaction_id: self.transaction_id,
            clicked_at: self.clicked_at,
            offer: self.offer,
            publisher: self.publisher,
            sub_ids: self.sub_ids,
            external_transaction_id: self.external_transaction_id,
            device_id: None,
            address: None,
            user_agent: None,
            referrer_origin: None,
            is_bot: false,
            is_test: false,
        }
    }

    /// Is it the same visit, whatever sealed id was made for it?
    pub fn is_same_visit(&self, other: &Self) -> bool {
        *self == Self { transaction_id: self.transaction_id, ..other.clone() }
    }
}

/// Reads the id of another system.
///
/// # Errors
/// One sentence: why no postback could ever name it.
pub fn parse_foreign_id(text: &str, keyring: &Keyring) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the id is empty");
    }
    if text.chars().count() > FOREIGN_ID_CHARACTERS_MAX {
        return Err("the id has more than the 64 characters that a postback can carry");
    }
    if !can_arrive("transaction_id", text, |inbound| &inbound.transaction_id) {
        return Err("no postback could carry this id: it reads as a placeholder, or holds control characters");
    }
    if TransactionId::open(text, keyring).is_ok() {
        return Err("this is an id of this server");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::publisher;
    use crate::domain::keyring::SeededEntropy;
    use crate::domain::transaction_id::{Kind, Minter};

    #[test]
    fn an_id_is_taken_as_long_as_a_postback_can_carry_it() {
        let keyring = Keyring::generate(&SeededEntropy::new(1)).unwrap();
        for length in [1, 63, 64] {
            let id = "a".repeat(length);
            assert_eq!(parse_foreign_id(&format!(" {id} "), &keyring), Ok(id));
        }
        let ours = Minter::new(&SeededEntropy::new(2)).mint(
            &keyring,
            Timestamp::from_millis(1_795_344_000_123),
            Kind::Click,
            OfferId::new(42).unwrap(),
            publisher(),
        );
        for id in ["", " ", &"a".repeat(65), "{click_id}", "none", "a\u{7}b", &ours.to_string()] {
            assert!(parse_foreign_id(id, &keyring).is_err(), "{id}");
        }
        assert_eq!(parse_foreign_id("6650fa0c1f-A", &keyring), Ok("6650fa0c1f-A".to_owned()));
    }
}

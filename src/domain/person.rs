//! A person, as far as one can be found again in what is stored: by e-mail, by device, or by one visit.
//!
//! An e-mail is known by its keyed hash only, here as everywhere. A device id is stored as it came, so it has to be here
//! as it came; a job that holds one forgets it when it ends.

use serde::{Deserialize, Serialize};

use super::keyring::Keyring;
use super::privacy::{PersonalHash, hash_email};
use super::transaction_id::TransactionId;

/// The longest device id that is stored, in characters; so none that is longer can be found.
const DEVICE_CHARACTERS_MAX: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Person {
    Email(PersonalHash),
    Device(String),
    Transaction(TransactionId),
}

/// How somebody is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonLookup {
    Email(String),
    Device(String),
    Transaction(String),
}

impl PersonLookup {
    /// `None` for what nobody can be found by.
    pub fn read(&self, keyring: &Keyring) -> Option<Person> {
        match self {
            Self::Email(email) => hash_email(keyring, email).map(Person::Email),
            Self::Device(device) => {
                let device = device.trim();
                let usable = !device.is_empty()
                    && device.chars().count() <= DEVICE_CHARACTERS_MAX
                    && !device.chars().any(char::is_control);
                usable.then(|| Person::Device(device.to_owned()))
            }
            Self::Transaction(text) => TransactionId::parse(text.trim()).ok().map(Person::Transaction),
        }
    }
}

impl Person {
    /// For the audit trail: how they were looked for, and nothing about them.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Device(_) => "device_id",
            Self::Transaction(_) => "transaction_id",
        }
    }

    /// What stands in the parameters of a receipt that names them; none where a receipt is found by its transaction.
    pub fn mark_in_params(&self) -> Option<String> {
        match self {
            // Under whatever parameter it came.
            Self::Email(hash) => Some(format!("_hash={}", hash.to_hex())),
            Self::Device(device) => {
                let pair = [("device_id", device.as_str())];
                Some(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pair).finish())
            }
            Self::Transaction(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keyring::SeededEntropy;

    #[test]
    fn a_person_is_looked_for_by_what_can_be_stored_only() {
        let keyring = Keyring::generate(&SeededEntropy::new(1)).unwrap();
        let email = |text: &str| PersonLookup::Email(text.to_owned()).read(&keyring);
        assert_eq!(email(" Ann@Shop.Example"), email("ann@shop.example"));
        assert_eq!(email("ann"), None);
        let device = |text: &str| PersonLookup::Device(text.to_owned()).read(&keyring);
        assert_eq!(device(" d-1 "), Some(Person::Device("d-1".to_owned())));
        for wrong in ["", "  ", "a\0b", &"d".repeat(129)] {
            assert_eq!(device(wrong), None, "{wrong:?}");
        }
        assert_eq!(PersonLookup::Transaction("nothing".into()).read(&keyring), None);
    }

    #[test]
    fn a_mark_is_what_a_receipt_holds() {
        let keyring = Keyring::generate(&SeededEntropy::new(1)).unwrap();
        let hash = hash_email(&keyring, "ann@shop.example").unwrap();
        assert_eq!(Person::Email(hash).mark_in_params(), Some(format!("_hash={}", hash.to_hex())));
        assert_eq!(Person::Device("a b&c".into()).mark_in_params().as_deref(), Some("device_id=a+b%26c"));
    }
}

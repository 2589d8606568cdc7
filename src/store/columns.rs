//! Columns back to domain types. A value that our own code never writes is an unreadable row, said with its table
//! and column: guessing would hide a damaged database behind plausible figures.

use crate::domain::ids::{OfferId, PublisherId};
use crate::domain::money::Currency;
use crate::domain::privacy::{PersonalHash, PrivateAddress, PrivateEmail};
use crate::domain::transaction_id::TransactionId;

use super::error::StoreError;

/// One column of one table, for the text of an error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell(pub(super) &'static str, pub(super) &'static str);

impl Cell {
    pub(super) fn unreadable(self) -> StoreError {
        StoreError::unreadable(self.0, self.1)
    }

    /// A word of a closed list.
    pub(super) fn word<T>(self, text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        parse(text).ok_or_else(|| self.unreadable())
    }

    pub(super) fn optional_word<T>(
        self,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        text.map(|text| self.word(text, parse)).transpose()
    }

    pub(super) fn offer(self, number: i32) -> Result<OfferId, StoreError> {
        OfferId::new(number).ok_or_else(|| self.unreadable())
    }

    pub(super) fn publisher(self, number: i32) -> Result<PublisherId, StoreError> {
        PublisherId::new(number).ok_or_else(|| self.unreadable())
    }

    pub(super) fn transaction(self, bytes: &[u8]) -> Result<TransactionId, StoreError> {
        TransactionId::from_bytes(bytes).ok_or_else(|| self.unreadable())
    }

    /// A code that ISO 4217 no longer knows is unreadable too: it was checked when it was written.
    pub(super) fn currency(self, code: &str) -> Result<Currency, StoreError> {
        self.word(code, Currency::parse)
    }

    /// None once the personal columns were emptied; half of it is unreadable.
    pub(super) fn address(
        self,
        network: Option<String>,
        hash: Option<Vec<u8>>,
    ) -> Result<Option<PrivateAddress>, StoreError> {
        let pair = self.with_hash(network, hash)?;
        Ok(pair.map(|(network, hash)| PrivateAddress { network, hash }))
    }

    /// As [`Self::address`].
    pub(super) fn email(
        self,
        masked: Option<String>,
        hash: Option<Vec<u8>>,
    ) -> Result<Option<PrivateEmail>, StoreError> {
        let pair = self.with_hash(masked, hash)?;
        Ok(pair.map(|(masked, hash)| PrivateEmail { masked, hash }))
    }

    fn with_hash(
        self,
        text: Option<String>,
        hash: Option<Vec<u8>>,
    ) -> Result<Option<(String, PersonalHash)>, StoreError> {
        match (text, hash) {
            (None, None) => Ok(None),
            (Some(text), Some(hash)) => match PersonalHash::from_bytes(&hash) {
                Some(hash) => Ok(Some((text, hash))),
                None => Err(self.unreadable()),
            },
            (Some(_), None) | (None, Some(_)) => Err(self.unreadable()),
        }
    }
}

//! Columns back to domain types. A value that our own code never writes is an unreadable row, said with its table
//! and column: guessing would hide a damaged database behind plausible figures.

use ipnet::IpNet;

use crate::domain::ids::{AdvertiserId, OfferId, PublisherId};
use crate::domain::money::{Currency, Micros, Percent, Price};
use crate::domain::privacy::{PersonalHash, PrivateAddress, PrivateEmail};
use crate::domain::secure_token::parse_allowed_address;
use crate::domain::transaction_id::TransactionId;

use super::error::StoreError;

const FIXED: &str = "fixed";
const PERCENT: &str = "percent";

/// Networks as one column holds them.
pub(super) fn write_networks(networks: &[IpNet]) -> String {
    networks.iter().map(IpNet::to_string).collect::<Vec<_>>().join(",")
}

/// The kind and the value of a price: millionths of the currency, or of a percent.
pub(super) fn write_price(price: Price) -> (String, i64) {
    match price {
        Price::Fixed(amount) => (FIXED.to_owned(), amount.as_i64()),
        Price::Percent(share) => (PERCENT.to_owned(), share.as_i64()),
    }
}

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

    pub(super) fn advertiser(self, number: i32) -> Result<AdvertiserId, StoreError> {
        AdvertiserId::new(number).ok_or_else(|| self.unreadable())
    }

    /// The list that [`write_networks`] writes.
    pub(super) fn networks(self, text: &str) -> Result<Vec<IpNet>, StoreError> {
        let parts = text.split(',').filter(|part| !part.is_empty());
        parts.map(|part| self.word(part, parse_allowed_address)).collect()
    }

    /// A price from its two columns.
    pub(super) fn price(self, kind: &str, value: i64) -> Result<Price, StoreError> {
        match kind {
            FIXED => Ok(Price::Fixed(Micros::from_i64(value))),
            PERCENT => Percent::from_i64(value).map(Price::Percent).ok_or_else(|| self.unreadable()),
            _ => Err(self.unreadable()),
        }
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

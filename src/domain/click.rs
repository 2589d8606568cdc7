//! A click: one visit through a tracking link. It owns a `transaction_id`.

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::ids::{OfferId, PublisherId};
use super::privacy::PrivateAddress;
use super::transaction_id::TransactionId;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Click {
    pub transaction_id: TransactionId,
    /// The millisecond inside the id.
    pub clicked_at: Timestamp,
    pub offer: OfferId,
    pub publisher: PublisherId,
    pub sub_ids: [Option<String>; 6],
    /// The publisher's own click id.
    pub external_transaction_id: Option<String>,
    pub device_id: Option<String>,
    pub address: Option<PrivateAddress>,
    pub user_agent: Option<String>,
    /// Scheme and host of the referrer, never its path.
    pub referrer_origin: Option<String>,
    /// Stored and redirected, and in no figure.
    pub is_bot: bool,
    /// Made by a test link: in no figure.
    pub is_test: bool,
}

impl Click {
    pub fn counts(&self) -> bool {
        !self.is_bot && !self.is_test
    }
}

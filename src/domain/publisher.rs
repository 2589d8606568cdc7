//! A publisher: sends traffic and is paid for it.

use super::clock::Timestamp;
use super::ids::PublisherId;
use super::offer::words;

words!(
    /// Of a publisher or an advertiser. Conversions of a publisher that is not active wait for a person.
    PartnerState { Active = "active", Paused = "paused", Archived = "archived" }
);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    pub id: PublisherId,
    pub name: String,
    pub state: PartnerState,
    pub notes: Option<String>,
    pub version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

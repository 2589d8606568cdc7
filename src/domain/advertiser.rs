//! An advertiser: pays for results, and its servers fire the postbacks.

use super::clock::Timestamp;
use super::ids::AdvertiserId;
use super::publisher::PartnerState;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertiser {
    pub id: AdvertiserId,
    pub name: String,
    pub state: PartnerState,
    pub notes: Option<String>,
    pub version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

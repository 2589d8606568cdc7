//! A tracking domain: a host of the network's own that carries links and pixels.

use super::clock::Timestamp;
use super::ids::TrackingDomainId;
use super::offer::words;

words!(
    /// A failing domain still accepts: its DNS was right once, and a hiccup must not cost conversions.
    DomainState { Pending = "pending", Active = "active", Failing = "failing", Disabled = "disabled" }
);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackingDomain {
    pub id: TrackingDomainId,
    /// Lower case, without a port.
    pub host: String,
    pub state: DomainState,
    pub is_default: bool,
    /// What the TXT record must hold.
    pub challenge: String,
    /// As the last check found them.
    pub cname_found: Option<String>,
    pub txt_found: Option<String>,
    pub failure: Option<String>,
    pub last_checked_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub version: i32,
}

impl TrackingDomain {
    /// May pixels and links come in on it?
    pub fn accepts(&self) -> bool {
        match self.state {
            DomainState::Active | DomainState::Failing => true,
            DomainState::Pending | DomainState::Disabled => false,
        }
    }
}

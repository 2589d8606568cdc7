//! Control data as one immutable value: what every door and every batch is judged against.
//!
//! `store` reads it, `app` keeps the newest one, `settle` asks for a newer one when the database has moved on.
//! A click needs nothing else.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::advertiser::Advertiser;
use super::api_key::ApiKeyAccess;
use super::ids::{AdvertiserId, OfferId, OperatorId, PublisherId, SessionId, TokenId};
use super::offer::Offer;
use super::operator::Role;
use super::outbound::OutboundRules;
use super::publisher::{PartnerState, Publisher};
use super::secure_token::{SecureToken, TokenDigest};
use super::settings::Settings;
use super::tracking_domain::TrackingDomain;

/// The newest snapshot that this server knows; readers never wait.
pub type CurrentSnapshot = Arc<ArcSwap<Snapshot>>;

/// One state of the control data, complete and unchanging.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// `config_version` when it was read.
    pub version: i64,
    pub offers: HashMap<OfferId, Offer>,
    pub publishers: HashMap<PublisherId, Publisher>,
    pub advertisers: HashMap<AdvertiserId, Advertiser>,
    pub tokens: HashMap<TokenDigest, SecureToken>,
    /// By host, lower case.
    pub domains: HashMap<String, TrackingDomain>,
    /// By which publishers are told of their conversions.
    pub outbound: OutboundRules,
    pub operators: HashMap<OperatorId, OperatorAccess>,
    /// All that ever were, so that one which was ended is told from one that never was.
    pub api_keys: HashMap<TokenDigest, ApiKeyAccess>,
    /// Sessions that were ended; their access tokens are refused though they have not expired.
    pub revoked_sessions: HashSet<SessionId>,
    /// Clicks of another system were imported: only then is an id that is not ours looked up.
    pub has_foreign_clicks: bool,
    pub settings: Settings,
}

/// What an access token is compared with on every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorAccess {
    pub role: Role,
    /// As people see it in the audit trail.
    pub name: String,
    pub is_active: bool,
    /// Access tokens of another version are refused.
    pub token_version: i32,
}

impl Snapshot {
    /// Does the publisher exist, and may it work?
    pub fn publisher_active(&self, publisher: PublisherId) -> bool {
        self.publishers.get(&publisher).is_some_and(|p| p.state == PartnerState::Active)
    }

    pub fn token_by_id(&self, id: TokenId) -> Option<&SecureToken> {
        self.tokens.values().find(|token| token.id == id)
    }

    /// The domain that a `Host` names, whatever its port and case, when pixels and links may come in on it.
    pub fn accepting_domain(&self, host: &str) -> Option<&TrackingDomain> {
        let name = host_name(host);
        self.domains.get(name.as_str()).filter(|domain| domain.accepts())
    }
}

/// The name in a `Host` header: lower case, without port or final dot.
pub fn host_name(host: &str) -> String {
    let without_port = match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next().unwrap_or(literal),
        None => host.split(':').next().unwrap_or(host),
    };
    without_port.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_without_port_case_or_final_dot() {
        for (header, name) in
            [("Go.Example:8080", "go.example"), ("go.example.", "go.example"), ("[::1]:80", "::1"), ("", "")]
        {
            assert_eq!(host_name(header), name);
        }
    }
}

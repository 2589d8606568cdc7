//! Tracking domains, and the DNS records that prove them.

use async_graphql::{ComplexObject, Context, Result, SimpleObject};

use super::words::DomainState;
use crate::{
    app::tracking_domains,
    domain::{ids::TrackingDomainId, tracking_domain},
    graphql::{context::Find as _, id::Id, scalars::DateTime},
};

/// A host of the network's own that carries links and pixels.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct TrackingDomain {
    /// Opaque, stable, prefixed: dom_…
    pub id: Id<TrackingDomainId>,
    /// The host, in lower case.
    pub hostname: String,
    /// URLs for which none is named are built on it.
    pub is_default: bool,
    /// Whether it accepts.
    pub state: DomainState,
    /// When its records were last looked at.
    pub last_checked_at: Option<DateTime>,
    /// What was wrong then.
    pub failure: Option<String>,
    /// When it was added.
    pub created_at: DateTime,
    /// One more with every change.
    pub version: i32,
    #[graphql(skip)]
    domain: tracking_domain::TrackingDomain,
}

impl From<tracking_domain::TrackingDomain> for TrackingDomain {
    fn from(domain: tracking_domain::TrackingDomain) -> Self {
        Self {
            id: Id(domain.id),
            hostname: domain.host.clone(),
            is_default: domain.is_default,
            state: domain.state.into(),
            last_checked_at: domain.last_checked_at.map(DateTime),
            failure: domain.failure.clone(),
            created_at: domain.created_at.into(),
            version: domain.version,
            domain,
        }
    }
}

/// A DNS record of a tracking domain: what it must be, and what was there at the last check.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub struct DnsRecord {
    /// CNAME or TXT.
    #[graphql(name = "type")]
    pub kind: String,
    /// The name that it is set for.
    pub name: String,
    /// What it must be.
    pub value: String,
    /// What was there.
    pub found: Vec<String>,
    /// It was as it must be.
    pub ok: bool,
}

impl From<tracking_domains::DnsRecord> for DnsRecord {
    fn from(record: tracking_domains::DnsRecord) -> Self {
        let tracking_domains::DnsRecord { kind, name, value, found, ok } = record;
        Self { kind: kind.to_owned(), name, value, found, ok }
    }
}

impl TrackingDomain {
    /// The domain of an id.
    pub fn find(ctx: &Context<'_>, id: TrackingDomainId) -> Result<Option<Self>> {
        Ok(ctx.snapshot()?.domains.values().find(|domain| domain.id == id).cloned().map(Into::into))
    }

    /// All of them, the oldest first.
    pub fn all(ctx: &Context<'_>) -> Result<Vec<Self>> {
        let mut domains: Vec<_> = ctx.snapshot()?.domains.values().cloned().collect();
        domains.sort_unstable_by_key(|domain| domain.id);
        Ok(domains.into_iter().map(Into::into).collect())
    }
}

#[ComplexObject]
impl TrackingDomain {
    /// The records to be set in its zone.
    async fn dns_records(&self, ctx: &Context<'_>) -> Result<Vec<DnsRecord>> {
        Ok(tracking_domains::dns_records(ctx.app()?, &self.domain).map(DnsRecord::from).into())
    }
}

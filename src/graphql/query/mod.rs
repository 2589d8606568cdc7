//! The queries. None of them returns a secret, and none of them writes.

use async_graphql::MergedObject;

pub mod control;
pub mod identity;
pub mod jobs;
pub mod outbound;
pub mod reports;
pub mod server;
pub mod tools;
pub mod tracking;

/// Everything that can be read.
#[derive(Default, MergedObject)]
pub struct Query(
    control::ControlQuery,
    identity::IdentityQuery,
    jobs::JobQuery,
    reports::ReportsQuery,
    outbound::OutboundQuery,
    server::ServerQuery,
    tools::ToolsQuery,
    tracking::TrackingQuery,
);

//! Who is asking, and whom.

use async_graphql::SimpleObject;

use super::words::Role;
use crate::{
    domain::{
        clock::Timestamp,
        operator::{Principal, PrincipalKind},
    },
    graphql::scalars::DateTime,
};

/// What a signed-in caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
#[graphql(remote = "PrincipalKind")]
pub enum ViewerKind {
    /// A person.
    Operator,
    /// A key that acts for one.
    ApiKey,
}

/// Whoever asks.
#[derive(Clone, Debug, SimpleObject)]
pub struct Viewer {
    /// The opaque id of the operator or the key.
    pub id: async_graphql::ID,
    /// What it is.
    pub kind: ViewerKind,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

impl From<&Principal> for Viewer {
    fn from(principal: &Principal) -> Self {
        Self {
            id: crate::domain::audit::actor(principal).into(),
            kind: principal.kind.into(),
            name: principal.label.clone(),
            role: principal.role.into(),
        }
    }
}

/// What is known of the server when it starts.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    pub version: &'static str,
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    pub started_at: Timestamp,
    /// BLAKE3 of the schema's text, 16 hexadecimal digits: a client sees when its copy is old.
    pub schema_hash: String,
}

/// The server that answers.
#[derive(Clone, Debug, SimpleObject)]
pub struct ServerInfo {
    /// Its version.
    pub version: String,
    /// A digest of this schema's text: another one means that the schema has changed.
    pub schema_hash: String,
    /// The engine that its data is on: sqlite or postgres.
    pub database: String,
    /// When it was started.
    pub started_at: DateTime,
    /// Somebody can sign in.
    pub setup_complete: bool,
}

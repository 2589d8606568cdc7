//! Who is asking in the admin API: people and keys, and how far each of them may go.
//!
//! A [`Principal`] is what is left of a bearer token once it has been believed; nothing here believes one.
//! A role is compared, never listed: whoever may do more may do all that is less, so that no guard can
//! forget one.

use std::{error, net::IpAddr};

use thiserror::Error;

use super::ids::{ApiKeyId, OperatorId, SessionId};

/// How far a principal may go; each role holds those before it (`Viewer < Manager < Admin`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads everything but secrets, personal data, operators, keys and the audit trail.
    Viewer,
    /// Also personal data; edits offers and partners, reveals URLs, rejects, reinstates, tests, exports.
    Manager,
    /// Also tokens, domains, operators, keys, settings and the audit trail.
    Admin,
}

impl Role {
    /// From the least to the most.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Manager, Self::Admin];

    /// The form in rows and tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// Reads the form of [`Self::as_str`], in that spelling only.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Is this role `needed`, or more?
    pub fn includes(self, needed: Self) -> bool {
        self >= needed
    }
}

/// What kind of caller a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A person who signed in.
    Operator,
    /// A program that holds a key.
    ApiKey,
}

impl PrincipalKind {
    /// The form in rows and in the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::ApiKey => "api_key",
        }
    }
}

/// Who asks, believed: made once for a request, and what every audit entry is written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub kind: PrincipalKind,
    /// The person; of a key, the one who made it, when known.
    pub operator: Option<OperatorId>,
    pub api_key: Option<ApiKeyId>,
    /// The name that people see: of a person or of a key, never a secret.
    pub label: String,
    pub role: Role,
    /// The session of the access token; a key has none.
    pub session: Option<SessionId>,
    /// Where the request came from, when that is known.
    pub address: Option<IpAddr>,
    /// The id that the answer and the log lines of this request carry.
    pub request_id: String,
}

/// Why a bearer was not believed. The texts go to the caller; they say what to do and never what is stored.
#[derive(Debug, Error)]
pub enum AuthRefused {
    /// Not ours: unknown, badly signed, for somebody else, or not a token at all. One answer for all of these,
    /// so that a guess learns nothing.
    #[error("This bearer token is not valid")]
    Invalid,
    /// Ours, and past its end.
    #[error("This bearer token has expired: refresh it or sign in again")]
    Expired,
    /// Ours, and withdrawn: signed out, role changed, key revoked, operator switched off.
    #[error("This bearer token was withdrawn: sign in again")]
    Withdrawn,
    /// Our failure: it could not be found out. The source is for the log, never for the caller.
    #[error("Whether this bearer token is valid could not be found out")]
    Unavailable(#[source] Box<dyn error::Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_holds_those_below_it_and_none_above() {
        assert!(Role::Admin.includes(Role::Manager) && Role::Manager.includes(Role::Viewer));
        assert!(Role::Viewer.includes(Role::Viewer));
        assert!(!Role::Viewer.includes(Role::Manager) && !Role::Manager.includes(Role::Admin));
    }

    #[test]
    fn a_role_is_read_back_in_its_own_spelling_only() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        for wrong in ["", "ADMIN", "Admin", "owner", "admin "] {
            assert_eq!(Role::parse(wrong), None, "{wrong}");
        }
    }
}

//! The audit trail: who did what to which thing, and what it was before.
//!
//! An event is written in the transaction of what it tells about, or a write could happen that nobody answers for.
//! A change holds the text that the admin API shows, never a secret: whoever reads the trail must not be able to
//! use what it records. The address is kept as a network, as everywhere else.

use std::fmt;

use super::clock::{Clock, Entropy, Timestamp};
use super::ids::AuditEventId;
use super::operator::{Principal, PrincipalKind};
use super::privacy::mask_address;

/// The actor of what the server does by itself.
pub const SYSTEM: &str = "system";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    pub id: AuditEventId,
    pub at: Timestamp,
    /// The opaque id of an operator or a key, or [`SYSTEM`].
    pub actor: String,
    /// As people knew the actor at the time.
    pub actor_label: String,
    /// Noun and verb, such as `offer.update`.
    pub action: String,
    /// The opaque id of what was changed.
    pub subject: String,
    /// As people knew the subject at the time.
    pub subject_label: String,
    pub changes: Vec<AuditChange>,
    /// The network that the request came from: /24 or /48.
    pub address: Option<String>,
    pub request_id: String,
}

/// One field that changed; `None` is a field that was not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditChange {
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl AuditChange {
    pub fn new(field: impl Into<String>, before: Option<String>, after: Option<String>) -> Self {
        Self { field: field.into(), before, after }
    }
}

impl AuditEvent {
    /// What `principal` does now. `changes` may be empty, where the action says it all.
    pub fn new(
        principal: &Principal,
        action: &str,
        (subject, subject_label): (&dyn fmt::Display, &str),
        changes: Vec<AuditChange>,
        (clock, entropy): (&dyn Clock, &dyn Entropy),
    ) -> Self {
        Self {
            id: AuditEventId::mint(clock, entropy),
            at: clock.now(),
            actor: actor(principal),
            actor_label: principal.label.clone(),
            action: action.to_owned(),
            subject: subject.to_string(),
            subject_label: subject_label.to_owned(),
            changes,
            address: principal.address.map(|address| mask_address(address).to_string()),
            request_id: principal.request_id.clone(),
        }
    }
}

/// The opaque id of who is behind a write, or [`SYSTEM`]: the form of every `.._by` column.
pub fn actor(principal: &Principal) -> String {
    let id = match principal.kind {
        PrincipalKind::ApiKey => principal.api_key.map(|key| key.to_string()),
        PrincipalKind::Operator => principal.operator.map(|operator| operator.to_string()),
    };
    id.unwrap_or_else(|| SYSTEM.to_owned())
}

/// The fields of two lists of the same fields whose values differ.
pub fn differences(
    before: Vec<(&'static str, Option<String>)>,
    after: Vec<(&'static str, Option<String>)>,
) -> Vec<AuditChange> {
    let pairs = before.into_iter().zip(after);
    let changed = pairs.filter(|((_, before), (_, after))| before != after);
    changed.map(|((field, before), (_, after))| AuditChange::new(field, before, after)).collect()
}

/// The fields of something new, without those that are empty.
pub fn beginnings(fields: Vec<(&'static str, Option<String>)>) -> Vec<AuditChange> {
    let filled = fields.into_iter().filter(|(_, value)| value.is_some());
    filled.map(|(field, value)| AuditChange::new(field, None, value)).collect()
}

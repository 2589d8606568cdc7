//! `[session]`: how long a signed-in operator stays one.

use std::time::Duration;

use serde::Deserialize;

use super::problems::Problems;
use super::values::seconds;

#[derive(Clone, Debug, Deserialize)]
pub struct SessionConfig {
    /// Life of an access token.
    #[serde(rename = "access_seconds", deserialize_with = "seconds")]
    pub access: Duration,
    /// Life of a refresh token.
    #[serde(rename = "refresh_seconds", deserialize_with = "seconds")]
    pub refresh: Duration,
    /// How long an invitation may be accepted.
    #[serde(rename = "invite_seconds", deserialize_with = "seconds")]
    pub invite: Duration,
    /// The claim `iss`.
    pub issuer: String,
    /// The claim `aud`.
    pub audience: String,
}

impl SessionConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        let access = self.access.as_secs();
        problems.bounds("session.access_seconds", access, 60, 86_400);
        problems.bounds("session.refresh_seconds", self.refresh.as_secs(), u128::from(access), 90 * 86_400);
        problems.bounds("session.invite_seconds", self.invite.as_secs(), 3600, 30 * 86_400);
        for (key, text) in [("session.issuer", &self.issuer), ("session.audience", &self.audience)] {
            if text.trim().is_empty() {
                problems.push(format!("{key}: must not be empty"));
            }
        }
    }
}

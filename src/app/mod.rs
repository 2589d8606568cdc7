//! VERBS: one file per use case, with its rules, its audit entry and its errors.
//!
//! A use case takes the [`App`] and the [`Principal`](crate::domain::operator::Principal) who asks, and returns an
//! [`Outcome`]: its value, or what the caller can fix, or our failure. Whether the principal may ask at all is the
//! door's question (`@auth`). Every control write appends to the audit trail in its own transaction, and refreshes
//! the snapshot before it answers.
//! To add one: a file here, its public function, a test through the door that offers it.

use std::sync::Arc;

use ipnet::IpNet;
use url::Url;

use crate::domain::clock::{Clock, Entropy};
use crate::domain::keyring::Keyring;
use crate::domain::snapshot::CurrentSnapshot;
use crate::domain::transaction_id::Minter;
use crate::intake::Intake;
use crate::store::Database;

pub mod accept_invitation;
pub mod access_token;
pub mod authenticate;
pub mod change_conversion;
pub mod change_conversions;
pub mod create_token;
pub mod deliver_outbound;
pub mod demo;
pub mod dns;
pub mod end_token;
mod error;
pub mod explain_postback;
pub mod exports;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod form;
pub mod idempotency;
pub mod identity;
pub mod import_clicks;
pub mod invite_operator;
pub mod issued_token;
pub mod jobs;
pub mod keep_figures;
pub mod key_uses;
pub mod limits;
pub mod lockout;
pub mod manage_api_keys;
pub mod manage_offers;
pub mod manage_outbound;
pub mod manage_partners;
pub mod manage_settings;
pub mod offer_events;
pub mod operators;
mod outbound_request;
pub mod passwords;
pub mod point_budget;
pub mod postback_urls;
pub mod publisher_client;
mod publisher_hosts;
pub mod readiness;
pub mod record_click;
pub mod replay_receipts;
pub mod retention;
pub mod retry_delivery;
pub mod reveal_token;
pub mod revoke_token;
pub mod rotate_token;
pub mod send_test;
pub mod setup;
pub mod sign_in;
pub mod snapshot;
mod switch_off_outbound;
pub mod track;
pub mod tracking_domains;
pub mod tracking_links;
pub mod try_outbound;
pub mod update_operator;
pub mod update_viewer;
pub mod verify;
pub mod wire_urls;

pub use error::{AppError, Outcome, UserError, UserErrorCode};
pub use identity::Identity;
pub use limits::{TrackingLimits, TrackingRates};

/// What every use case works with. Built once, by `server.rs`.
pub struct App {
    pub database: Database,
    pub snapshot: CurrentSnapshot,
    pub unknown_tokens: snapshot::UnknownTokens,
    pub keyring: Arc<Keyring>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// For the check of tracking domains.
    pub dns: Arc<dyn dns::DnsLookup>,
    /// Tells publishers of their conversions.
    pub publishers: publisher_client::PublisherClient,
    pub identity: Identity,
    pub minter: Arc<Minter>,
    pub intake: Intake,
    pub jobs: jobs::JobSignals,
    pub limits: TrackingLimits,
    pub options: AppOptions,
}

/// What configuration says to use cases.
#[derive(Clone, Debug)]
pub struct AppOptions {
    /// Where the world reaches us: every URL that we build begins with it, or with a tracking domain.
    pub public_url: Url,
    pub trusted_proxies: Vec<IpNet>,
    /// Keep the sealed text of tokens, so that a Postback URL can be copied on a later day.
    pub redisplay_tokens: bool,
    /// Unless the workspace has set it, as the next two: ask the [`App`] for what holds.
    pub token_overlap_seconds: u32,
    pub token_overlap_seconds_max: u32,
    pub receipt_days: u32,
    pub delivery_days: u32,
    pub courier: deliver_outbound::CourierOptions,
}

//! What every route works with.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use isbot::Bots;

use super::graphql::GraphqlDoor;
use super::health::Health;
use crate::app::App;
use crate::domain::snapshot::host_name;
use crate::telemetry::{Metrics, RequestIds};

/// Link previews of messengers and networks that the list of bots leaves out: they fetch a link without any visitor.
/// Patterns, in lower case.
const PREVIEWS: &[&str] =
    &["whatsapp/", "skypeuripreview", "facebookexternalhit", "telegrambot", "discordbot", "slackbot", "vkshare"];

/// Built once by `server.rs`, shared by every request.
pub struct HttpState {
    pub app: Arc<App>,
    pub graphql: GraphqlDoor,
    pub health: Arc<Health>,
    pub metrics: Metrics,
    pub request_ids: RequestIds,
    /// As `host_name` prints them.
    pub admin_hosts: Vec<String>,
    /// Origins of pages on other hosts that may use the admin API, as browsers send them; for its socket too.
    pub cors_origins: Vec<String>,
    pub trusted_proxies: Vec<IpNet>,
    /// For a whole body.
    pub body_timeout: Duration,
    pub bots: Visitors,
}

impl HttpState {
    /// Do the admin surfaces answer on this host?
    pub fn is_admin_host(&self, host: &str) -> bool {
        let name = host_name(host);
        self.admin_hosts.iter().any(|admin| host_name(admin) == name)
    }
}

/// Tells people from programs by their user agent.
pub struct Visitors(Bots);

impl Visitors {
    /// Compiles some hundred patterns: once.
    pub fn new() -> Self {
        let mut bots = Bots::default();
        bots.append(PREVIEWS);
        Self(bots)
    }

    /// A known bot or a link preview. A click without a user agent passes for a person's.
    pub fn is_bot(&self, user_agent: &str) -> bool {
        self.0.is_bot(user_agent)
    }
}

impl Default for Visitors {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bots_and_previews_are_told_from_people() {
        let visitors = Visitors::new();
        for bot in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "WhatsApp/2.23.20.0 A",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        ] {
            assert!(visitors.is_bot(bot), "{bot}");
        }
        for person in [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
        ] {
            assert!(!visitors.is_bot(person), "{person}");
        }
    }
}

//! `token`: the secrets of senders, with the same verbs and the same rules as the admin API.
//!
//! A secret is printed once, by the command that made it.

use clap::{Args, Subcommand, ValueEnum};

use super::opened::{done, open, principal};
use super::table::table;
use super::{CliProblem, print};
use crate::app::App;
use crate::app::create_token::{TokenRequest, create_token};
use crate::app::issued_token::IssuedToken;
use crate::app::revoke_token::revoke_token;
use crate::app::rotate_token::{RotationRequest, rotate_token};
use crate::config::Config;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{OfferId, TokenId};
use crate::domain::secure_token::{Capabilities, Capability, TokenScope, TokenState};
use crate::store::page::{Direction, PAGE_SIZE_MAX, PageRequest};
use crate::store::tokens::{self, TokenFilter, TokenSort, TokenView};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Make a token; prints its secret once.
    Create(NewToken),
    /// List the tokens that work, without their secrets.
    List {
        /// Only those of this offer.
        #[arg(long, value_name = "NUMBER", value_parser = offer)]
        offer: Option<OfferId>,
        /// Retired and revoked ones too.
        #[arg(long)]
        all: bool,
    },
    /// Make a token that takes over from another one; prints the new secret once.
    Rotate(Takeover),
    /// End a token at once and for ever.
    Revoke {
        #[arg(value_name = "TOKEN_ID", value_parser = token)]
        id: TokenId,
        /// For the audit trail.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct NewToken {
    /// The offer that it is for; without it the token is for all offers.
    #[arg(long, value_name = "NUMBER", value_parser = offer)]
    offer: Option<OfferId>,
    /// What people know it by.
    #[arg(long)]
    label: Option<String>,
    /// What it may do; may be given several times. Without it: convert and reject.
    #[arg(long = "capability", value_enum)]
    capabilities: Vec<CapabilityName>,
    /// An address or a network that it may come from; may be given several times. Without it: from anywhere.
    #[arg(long = "allow", value_name = "NETWORK")]
    allowed_addresses: Vec<String>,
    /// Answer 200 with ok:false where a refusal after the token was verified would be a 4xx.
    #[arg(long)]
    lenient_status: bool,
}

#[derive(Debug, Args)]
pub(super) struct Takeover {
    #[arg(value_name = "TOKEN_ID", value_parser = token)]
    id: TokenId,
    /// How long the old token works on; 0 ends it at once. Without it: tokens.overlap_seconds of the settings.
    #[arg(long, value_name = "SECONDS")]
    overlap_seconds: Option<i32>,
    /// Rotate although the overlap of an earlier rotation is open.
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CapabilityName {
    Convert,
    Reject,
    Clickless,
    Status,
}

impl From<CapabilityName> for Capability {
    fn from(name: CapabilityName) -> Self {
        match name {
            CapabilityName::Convert => Self::Convert,
            CapabilityName::Reject => Self::Reject,
            CapabilityName::Clickless => Self::Clickless,
            CapabilityName::Status => Self::Status,
        }
    }
}

pub(super) async fn run(config: &Config, action: Action) -> Result<(), CliProblem> {
    let app = open(config).await?;
    match action {
        Action::Create(new) => {
            let issued = done(create_token(&app, &principal(), &request(new)).await)?;
            print(&shown(&issued))
        }
        Action::List { offer, all } => print(&list(&app, offer, all).await?),
        Action::Rotate(takeover) => rotate(&app, takeover).await,
        Action::Revoke { id, reason } => {
            let revoked = done(revoke_token(&app, &principal(), id, &reason).await)?;
            print(&format!("{} ({}) is revoked\n", revoked.token.id, revoked.masked()))
        }
    }
}

fn request(new: NewToken) -> TokenRequest {
    let capabilities: Capabilities = new.capabilities.into_iter().map(Capability::from).collect();
    TokenRequest {
        label: new.label,
        capabilities: Some(capabilities).filter(|asked| *asked != Capabilities::NONE),
        allowed_addresses: new.allowed_addresses,
        lenient_status: new.lenient_status,
        ..TokenRequest::new(scope(new.offer))
    }
}

fn scope(offer: Option<OfferId>) -> TokenScope {
    offer.map_or(TokenScope::Global, TokenScope::Offer)
}

/// Of the version that is there now: at the command line nobody has read an older one.
async fn rotate(app: &App, takeover: Takeover) -> Result<(), CliProblem> {
    let version = tokens::find(&app.database, takeover.id).await?.map_or(0, |view| view.token.version);
    let request = RotationRequest {
        id: takeover.id,
        version,
        overlap_seconds: takeover.overlap_seconds,
        label: None,
        force: takeover.force,
    };
    let issued = done(rotate_token(app, &principal(), &request).await)?;
    print(&shown(&issued))
}

fn shown(issued: &IssuedToken) -> String {
    let id = issued.token.token.id;
    let mut text = format!("token: {id}\nsecret (shown once): {}\n", issued.secret.reveal());
    if let Some(previous) = &issued.previous {
        let until = previous.token.retiring_until.map_or_else(|| "now".to_owned(), |until| until.to_string());
        text.push_str(&format!("{} ({}) works until {until}\n", previous.token.id, previous.masked()));
    }
    for warning in &issued.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    text
}

async fn list(app: &App, offer: Option<OfferId>, all: bool) -> Result<String, CliProblem> {
    let now = app.clock.now();
    let states = (!all).then(|| vec![TokenState::Active, TokenState::Retiring]);
    let filter = TokenFilter { is_global: None, offer, states };
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let sort = TokenSort(Direction::Ascending);
        let request = PageRequest::parse(sort, Some(PAGE_SIZE_MAX), after.as_deref(), None, None);
        let request = request.map_err(|refused| CliProblem::Usage(refused.to_string()))?;
        let page = tokens::list(&app.database, &filter, &request, now).await?;
        after = page.items.last().map(|item| item.cursor.clone());
        let has_next = page.has_next;
        rows.extend(page.into_values().iter().map(|view| row(view, now)));
        if !has_next {
            break;
        }
    }
    Ok(table(["id", "scope", "secret", "may", "state", "last used", "label"], &rows))
}

fn row(view: &TokenView, now: Timestamp) -> [String; 7] {
    let token = &view.token;
    let state = token.effective_state(now);
    let until = token.retiring_until.filter(|_| state == TokenState::Retiring);
    [
        token.id.to_string(),
        token.scope.offer().map_or_else(|| "global".to_owned(), |offer| format!("offer {}", offer.number())),
        view.masked(),
        token.capabilities.names().collect::<Vec<_>>().join(","),
        until.map_or_else(|| state.as_str().to_owned(), |until| format!("{} until {until}", state.as_str())),
        view.last_used_at.map_or_else(|| "never".to_owned(), |at| at.to_string()),
        view.label.clone().unwrap_or_default(),
    ]
}

fn offer(text: &str) -> Result<OfferId, String> {
    let number = text.parse().ok().and_then(OfferId::new);
    number.ok_or_else(|| "an offer has a number from 1 to 2147483647".to_owned())
}

fn token(text: &str) -> Result<TokenId, String> {
    TokenId::parse(text).ok_or_else(|| "a token has an id such as tok_0192..: see `roundtrip token list`".to_owned())
}

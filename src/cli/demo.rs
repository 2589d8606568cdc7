//! `demo`: a server on SQLite with sample data, and the story of the product as lines to paste into a shell.
//!
//! Everything is in one folder: database, keys, and the login of its operator (mode 0600). A second start finds all
//! of it again and prints the same login. Refuses to touch anything else: of the settings of this process only those
//! of `[logs]` count, so that a demo can never end up on a real database.

mod login;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::opened::{done, principal};
use super::{CliProblem, print, serve};
use crate::app::App;
use crate::app::create_token::{TokenRequest, create_token};
use crate::app::demo::{DemoData, play, seed};
use crate::app::postback_urls::{PostbackKind, UrlRequest, reveal};
use crate::app::tracking_links::{self, LinkRequest};
use crate::app::wire_urls::ParamInput;
use crate::config::{Config, Sources};
use crate::domain::ids::PublisherId;
use crate::domain::secure_token::{Capabilities, Capability, TokenScope, TokenState};
use crate::server::Server;
use crate::system::{SystemClock, SystemEntropy};
use crate::telemetry::{self, field};
use story::Story;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the demo keeps its database, its keys and its login.
    #[arg(long, value_name = "FOLDER", default_value = "data/demo")]
    data_dir: PathBuf,
    /// Where it listens, on this machine only.
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

pub(super) async fn demo(arguments: Arguments) -> Result<(), CliProblem> {
    let config = settings(&arguments)?;
    telemetry::install_logs(&config.logs)?;
    let told = serve::listen()?;
    let server = Server::build(&config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
    let app = server.app();
    let data = done(seed(&app, &principal()).await)?;
    let login = login::ensure(&app, &config.data_dir).await?;
    ensure_tokens(&app, &data).await?;
    let story = tell(&app, &data, login).await?;
    print(&story.lines())?;
    // The samples go through intake, which works while the server runs.
    let (served, ()) = tokio::join!(serve::run(server, told), send_samples(&app, &data, &story.postback));
    served
}

async fn send_samples(app: &App, data: &DemoData, postback: &SecretString) {
    if let Err(error) = play(app, data, postback.expose_secret()).await {
        tracing::warn!({ field::ERROR } = %error, "sample conversions are missing");
    }
}

/// The embedded defaults, the demo's own folder and port, and this process's wishes about logs.
fn settings(arguments: &Arguments) -> Result<Config, CliProblem> {
    let Arguments { data_dir, port } = arguments;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
    let own = [
        ("ROUNDTRIP__DATA_DIR", data_dir.display().to_string()),
        ("ROUNDTRIP__SERVER__BIND_ADDRESS", address.to_string()),
        ("ROUNDTRIP__SERVER__PUBLIC_URL", format!("http://localhost:{port}")),
        // Any free one: a second demo beside this one must not fail for its metrics.
        ("ROUNDTRIP__SERVER__INTERNAL_BIND_ADDRESS", "127.0.0.1:0".to_owned()),
        ("ROUNDTRIP__LOGS__FORMAT", "text".to_owned()),
        ("ROUNDTRIP__LOGS__LEVEL", "warn".to_owned()),
    ];
    let theirs = Sources::logs_of_this_process();
    let environment = own.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(theirs).collect();
    Ok(Config::read(&Sources { file: None, environment })?)
}

/// One token for all offers, one of a single offer, one that may do clickless; those that were revoked are made anew.
async fn ensure_tokens(app: &App, data: &DemoData) -> Result<(), CliProblem> {
    use Capability::{Clickless, Convert, Reject, Status};
    ensure_token(app, TokenScope::Global, &[Convert, Reject, Status], "Demo: all offers").await?;
    ensure_token(app, TokenScope::Offer(data.percent), &[Convert, Reject], "Demo: one offer").await?;
    ensure_token(app, TokenScope::Offer(data.clickless_and_pixel), &[Convert, Reject, Clickless], "Demo: clickless")
        .await
}

async fn ensure_token(
    app: &App,
    scope: TokenScope,
    needed: &[Capability],
    label: &'static str,
) -> Result<(), CliProblem> {
    let is_there = app.snapshot.load().tokens.values().any(|token| {
        let may = needed.iter().all(|capability| token.capabilities.has(*capability));
        token.scope == scope && token.state == TokenState::Active && may
    });
    if !is_there {
        let capabilities: Capabilities = needed.iter().copied().collect();
        let request = TokenRequest {
            label: Some(label.to_owned()),
            capabilities: Some(capabilities),
            ..TokenRequest::new(scope)
        };
        done(create_token(app, &principal(), &request).await)?;
    }
    Ok(())
}

/// Gathers everything that the story shows, as the admin API would show it.
async fn tell(app: &App, data: &DemoData, login: login::Login) -> Result<Story, CliProblem> {
    let [publisher, ..] = data.publishers;
    let link = |offer| LinkRequest {
        offer,
        publisher,
        domain: None,
        sub_id: Some("news".to_owned()),
        external_transaction_id: None,
        test: false,
        params: Vec::new(),
    };
    let link = |offer| tracking_links::build(app, &link(offer)).map_err(CliProblem::Refused);
    let url = async |kind, scope| revealed(app, kind, scope, Vec::new()).await;
    let of_clickless = TokenScope::Offer(data.clickless_and_pixel);
    let sample = clickless_sample(publisher, app);
    let (pixel, tag) = url(PostbackKind::ImagePixel, TokenScope::Offer(data.clickless_and_pixel)).await?;
    Ok(Story {
        base: app.options.public_url.as_str().trim_end_matches('/').to_owned(),
        login,
        link: link(data.fixed)?.url,
        postback: url(PostbackKind::Conversion, TokenScope::Global).await?.0,
        rejection: url(PostbackKind::Rejection, TokenScope::Global).await?.0,
        other_postback: url(PostbackKind::Conversion, TokenScope::Offer(data.percent)).await?.0,
        clickless: url(PostbackKind::Clickless, of_clickless).await?.0,
        clickless_filled: revealed(app, PostbackKind::Clickless, of_clickless, sample).await?.0,
        pixel_link: link(data.clickless_and_pixel)?.url,
        pixel,
        pixel_tag: tag.unwrap_or_default(),
    })
}

async fn revealed(
    app: &App,
    kind: PostbackKind,
    scope: TokenScope,
    params: Vec<ParamInput>,
) -> Result<(SecretString, Option<String>), CliProblem> {
    let request = UrlRequest { kind, scope, domain: None, params };
    let revealed = done(reveal(app, &principal(), &request).await)?;
    Ok((SecretString::from(revealed.url.expose_secret()), revealed.html))
}

/// All fifteen parameters with values; another external id with every start, so that it is a new conversion.
fn clickless_sample(publisher: PublisherId, app: &App) -> Vec<ParamInput> {
    let publisher = publisher.number().to_string();
    let external = format!("EXT-{}", app.clock.now().as_millis());
    let values = [
        ("publisher", publisher.as_str()),
        ("sub_id", "newsletter"),
        ("session_time", "00:05:12"),
        ("conversion_ip", "203.0.113.77"),
        ("user_agent", "Mozilla/5.0 (demo)"),
        ("revenue", "24.90"),
        ("payout", "12.45"),
        ("adv_sub_id", "shop"),
        ("adv_sub_id_2", "basket"),
        ("adv_sub_id_3", "checkout"),
        ("adv_sub_id_4", "voucher"),
        ("purchase_value", "249.00"),
        ("external_transaction_id", external.as_str()),
        ("user_email", "customer@example.com"),
        ("device_id", "demo-device-1"),
    ];
    values.map(|(name, value)| ParamInput { name: name.to_owned(), value: value.to_owned() }).into()
}

//! The life of secure tokens, the URLs that carry them and the domains that carry those, on both engines.

use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, join_all};
use roundtrip::app::create_token::{TokenRequest, create_token};
use roundtrip::app::dns::{DnsFailure, DnsLookup};
use roundtrip::app::end_token::set_token_end;
use roundtrip::app::issued_token::IssuedToken;
use roundtrip::app::postback_urls::{PostbackKind, UrlRequest, describe, reveal};
use roundtrip::app::reveal_token::reveal_token;
use roundtrip::app::revoke_token::revoke_token;
use roundtrip::app::rotate_token::{RotationRequest, rotate_token};
use roundtrip::app::tracking_domains::{
    create_domain, create_local_domain, delete_domain, dns_records, set_default_domain, set_domain_enabled,
    verify_domain,
};
use roundtrip::app::{App, Outcome, UserErrorCode};
use roundtrip::domain::clock::Clock;
use roundtrip::domain::ids::TokenId;
use roundtrip::domain::operator::Principal;
use roundtrip::domain::secure_token::{Capabilities, Capability, TokenDigest, TokenScope, TokenState};
use roundtrip::domain::tracking_domain::DomainState;
use roundtrip::store::page::{Direction, PageRequest};
use roundtrip::store::tokens::{self, TokenFilter, TokenSort};
use roundtrip::store::{Engine, audit};
use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::support::chance::ManualClock;
use crate::support::desk::{self, done, refused};
use crate::support::on_both_engines;

const DAY: i64 = 24 * 3600;

/// What the zone of every domain holds; the TXT record is added by the test that has read the challenge.
#[derive(Default)]
struct Zone {
    cname: Mutex<Vec<String>>,
    txt: Mutex<Vec<String>>,
}

impl DnsLookup for Zone {
    fn cname<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFailure>> {
        let found = self.cname.lock().unwrap().clone();
        Box::pin(async move { Ok(found) })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFailure>> {
        assert!(name.starts_with("_roundtrip."), "{name}");
        let found = self.txt.lock().unwrap().clone();
        Box::pin(async move { Ok(found) })
    }
}

struct Desk {
    app: App,
    clock: Arc<ManualClock>,
    zone: Arc<Zone>,
    ada: Principal,
    _folder: Option<TempDir>,
}

impl Desk {
    async fn open(engine: Engine) -> Self {
        let zone = Arc::new(Zone::default());
        let (app, clock, folder) = desk::app(engine, Arc::clone(&zone) as _).await;
        let ada = Principal { label: "Ada".into(), ..Principal::system() };
        Self { app, clock, zone, ada, _folder: folder }
    }

    async fn create(&self) -> IssuedToken {
        done(create_token(&self.app, &self.ada, &TokenRequest::new(TokenScope::Global)).await)
    }

    async fn rotate(&self, id: TokenId, version: i32, seconds: i32, force: bool) -> Outcome<IssuedToken> {
        let request = RotationRequest { id, version, overlap_seconds: Some(seconds), label: None, force };
        rotate_token(&self.app, &self.ada, &request).await
    }

    /// As a request would find it.
    fn is_live(&self, secret: &str) -> bool {
        let snapshot = self.app.snapshot.load();
        snapshot.tokens.get(&TokenDigest::of(secret)).is_some_and(|token| token.live_at(self.clock.now()))
    }

    async fn ids_in(&self, state: TokenState) -> Vec<TokenId> {
        let filter = TokenFilter { states: Some(vec![state]), ..TokenFilter::default() };
        let page = PageRequest::beginning(TokenSort(Direction::Ascending));
        let listed = tokens::list(&self.app.database, &filter, &page, self.clock.now()).await.unwrap();
        listed.into_values().into_iter().map(|view| view.token.id).collect()
    }
}

fn conversion_url() -> UrlRequest {
    UrlRequest { kind: PostbackKind::Conversion, scope: TokenScope::Global, domain: None, params: Vec::new() }
}

on_both_engines! {
    async fn of_many_rotations_at_once_one_succeeds(engine: Engine) {
        let desk = Desk::open(engine).await;
        let first = desk.create().await.token.token;
        let outcomes = join_all((0..8).map(|_| desk.rotate(first.id, first.version, 3600, false))).await;
        let (made, others): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|o| o.as_ref().unwrap().is_ok());
        assert_eq!(made.len(), 1);
        for other in others {
            assert_eq!(refused(other), UserErrorCode::RotationOpen);
        }
        assert_eq!(desk.ids_in(TokenState::Retiring).await, [first.id]);
        assert_eq!(desk.ids_in(TokenState::Active).await.len(), 1);
    }

    async fn of_many_tokens_at_once_five_are_made(engine: Engine) {
        let desk = Desk::open(engine).await;
        let request = TokenRequest::new(TokenScope::Global);
        let outcomes = join_all((0..8).map(|_| create_token(&desk.app, &desk.ada, &request))).await;
        let made = outcomes.iter().filter(|outcome| outcome.as_ref().unwrap().is_ok()).count();
        assert_eq!(made, 5);
        let refusals: Vec<_> = outcomes.into_iter().filter(|o| o.as_ref().unwrap().is_err()).map(refused).collect();
        assert_eq!(refusals, [UserErrorCode::LimitExceeded; 3]);
    }

    async fn both_tokens_of_a_rotation_work_until_the_old_ones_end(engine: Engine) {
        let desk = Desk::open(engine).await;
        let old = desk.create().await;
        let new = done(desk.rotate(old.token.token.id, 1, 3600, false).await);
        assert_eq!((new.token.replaces, new.token.token.version), (Some(old.token.token.id), 1));
        let previous = new.previous.as_ref().unwrap();
        assert_eq!((previous.token.replaced_by, previous.token.version), (Some(new.token.token.id), 2));
        let read = tokens::find(&desk.app.database, new.token.token.id).await.unwrap().unwrap();
        assert_eq!(read, new.token);
        assert_eq!(tokens::find(&desk.app.database, old.token.token.id).await.unwrap().as_ref(), Some(previous));
        let (old_id, old, new) = (old.token.token.id, old.secret, new.secret);
        desk.clock.advance_seconds(3599);
        assert!(desk.is_live(old.reveal()) && desk.is_live(new.reveal()));
        assert_eq!(desk.ids_in(TokenState::Retiring).await, [old_id]);
        for seconds in [1, 1] {
            desk.clock.advance_seconds(seconds);
            assert!(!desk.is_live(old.reveal()) && desk.is_live(new.reveal()));
            assert_eq!(desk.ids_in(TokenState::Retired).await, [old_id]);
        }
    }

    async fn a_rotation_is_refused_inside_an_open_overlap_unless_forced(engine: Engine) {
        let desk = Desk::open(engine).await;
        let first = desk.create().await.token.token;
        let second = done(desk.rotate(first.id, 1, 3600, false).await).token.token;
        let Err(errors) = desk.rotate(second.id, 1, 3600, false).await.unwrap() else { panic!("was not refused") };
        assert_eq!(errors[0].code, UserErrorCode::RotationOpen);
        assert_eq!(errors[0].hint, Some(desk.clock.now().plus_seconds(3600).to_string()));
        assert_eq!(refused(desk.rotate(second.id, 7, 3600, true).await), UserErrorCode::ConflictVersion);
        assert_eq!(refused(desk.rotate(second.id, 1, 7 * 86_400 + 1, true).await), UserErrorCode::OverlapTooLong);
        assert_eq!(refused(desk.rotate(second.id, 1, -1, true).await), UserErrorCode::TooSmall);
        let third = done(desk.rotate(second.id, 1, 0, true).await).token.token;
        assert_eq!(desk.ids_in(TokenState::Active).await, [third.id]);
        assert_eq!(refused(desk.rotate(second.id, 2, 0, true).await), UserErrorCode::TokenNotActive);
    }

    async fn a_token_gets_another_end_but_never_the_last_active_one(engine: Engine) {
        let desk = Desk::open(engine).await;
        let (first, now) = (desk.create().await.token.token, desk.clock.now());
        let end = |version, seconds| set_token_end(&desk.app, &desk.ada, (first.id, version), now.plus_seconds(seconds));
        assert_eq!(refused(end(1, 60).await), UserErrorCode::TokenLastActive);
        desk.create().await;
        assert_eq!(refused(end(2, 60).await), UserErrorCode::ConflictVersion);
        assert_eq!(refused(end(1, -1).await), UserErrorCode::TooSmall);
        assert_eq!(refused(end(1, 7 * DAY + 1).await), UserErrorCode::OverlapTooLong);
        assert_eq!(done(end(1, 7 * DAY).await).token.retiring_until, Some(now.plus_seconds(7 * DAY)));
        let sooner = done(end(2, 60).await);
        assert_eq!((sooner.token.version, sooner.token.state), (3, TokenState::Retiring));
        desk.clock.advance_seconds(60);
        assert_eq!(refused(end(3, 120).await), UserErrorCode::TokenNotActive);
    }

    async fn a_revoked_token_is_refused_at_once_and_its_text_is_gone(engine: Engine) {
        let desk = Desk::open(engine).await;
        let issued = desk.create().await;
        let id = issued.token.token.id;
        assert_eq!(refused(revoke_token(&desk.app, &desk.ada, id, "  ").await), UserErrorCode::Required);
        assert!(tokens::find_sealed(&desk.app.database, id).await.unwrap().is_some());
        let revoked = done(revoke_token(&desk.app, &desk.ada, id, "seen in a log").await);
        assert!(!desk.is_live(issued.secret.reveal()));
        assert_eq!(tokens::find(&desk.app.database, id).await.unwrap(), Some(revoked));
        assert_eq!(tokens::find_sealed(&desk.app.database, id).await.unwrap(), None);
        assert_eq!(refused(reveal_token(&desk.app, &desk.ada, id).await), UserErrorCode::TokenNotActive);
        assert_eq!(refused(revoke_token(&desk.app, &desk.ada, id, "again").await), UserErrorCode::TokenNotActive);
        assert_eq!(desk.ids_in(TokenState::Revoked).await, [id]);
    }

    async fn an_imported_secret_is_taken_as_it_is_and_only_once(engine: Engine) {
        let desk = Desk::open(engine).await;
        let secret = "zJj~/+=&%?Hq14";
        let request = TokenRequest {
            imported_secret: Some(secret.to_owned().into()),
            label: Some("  from the old system ".into()),
            allowed_addresses: vec!["203.0.113.9/24".into(), "2001:db8::1".into()],
            lenient_status: true,
            ..TokenRequest::new(TokenScope::Global)
        };
        let issued = done(create_token(&desk.app, &desk.ada, &request).await);
        let read = tokens::find(&desk.app.database, issued.token.token.id).await.unwrap().unwrap();
        assert_eq!(read, issued.token);
        assert!(read.token.imported && read.token.lenient_status && desk.is_live(secret));
        assert_eq!((read.masked().as_str(), read.label.as_deref()), ("zJ…14", Some("from the old system")));
        assert_eq!(read.token.allowed_addresses[0].to_string(), "203.0.113.0/24");
        assert_eq!(done(reveal_token(&desk.app, &desk.ada, read.token.id).await).secret.reveal(), secret);
        assert_eq!(refused(create_token(&desk.app, &desk.ada, &request).await), UserErrorCode::Taken);
        for (wrong, code) in [("short", UserErrorCode::TooSmall), ("with white space", UserErrorCode::Invalid)] {
            let request = TokenRequest { imported_secret: Some(wrong.to_owned().into()), ..request.clone() };
            assert_eq!(refused(create_token(&desk.app, &desk.ada, &request).await), code);
        }
    }

    async fn clickless_on_a_global_token_must_be_asked_for_and_is_warned_about(engine: Engine) {
        let desk = Desk::open(engine).await;
        let plain = desk.create().await;
        assert!(plain.warnings.is_empty() && plain.token.token.capabilities == Capabilities::STANDARD);
        let clickless = UrlRequest { kind: PostbackKind::Clickless, ..conversion_url() };
        let blocked = done(describe(&desk.app, &clickless).await);
        assert!(blocked.token.is_none() && blocked.blocker.is_some());
        assert_eq!(refused(reveal(&desk.app, &desk.ada, &clickless).await), UserErrorCode::TokenNotActive);
        let capabilities = Some(Capabilities::STANDARD.with(Capability::Clickless));
        let request = TokenRequest { capabilities, ..TokenRequest::new(TokenScope::Global) };
        let issued = done(create_token(&desk.app, &desk.ada, &request).await);
        assert_eq!(issued.warnings.len(), 1);
        let shown = done(describe(&desk.app, &clickless).await);
        assert_eq!((shown.blocker, shown.warnings.len()), (None, 1));
        assert_eq!(shown.params.len(), 2 + 15, "token, offer and the fifteen of the seed");
    }

    async fn a_postback_url_is_masked_until_it_is_revealed_and_that_is_written_down(engine: Engine) {
        let desk = Desk::open(engine).await;
        let issued = desk.create().await;
        let secret = issued.secret.reveal();
        let shown = done(describe(&desk.app, &conversion_url()).await);
        let hint = &issued.token.hint;
        assert_eq!(shown.masked, format!("https://track.example/?secure=rt_g_{hint}&transaction_id={{transaction_id}}"));
        assert!(!format!("{shown:?}").contains(secret));
        let whole = done(reveal(&desk.app, &desk.ada, &conversion_url()).await);
        let url = format!("https://track.example/?secure={secret}&transaction_id={{transaction_id}}");
        assert_eq!(whole.url.expose_secret(), url);
        assert_eq!(whole.curl.expose_secret(), format!("curl -sS --globoff '{url}'"));
        assert!(whole.html.is_none() && !format!("{whole:?}").contains(secret));
        done(reveal_token(&desk.app, &desk.ada, issued.token.token.id).await);
        done(desk.rotate(issued.token.token.id, 1, 60, false).await);
        done(revoke_token(&desk.app, &desk.ada, issued.token.token.id, "leaked").await);
        let subject = issued.token.token.id.to_string();
        let trail = audit::find_by_subject(&desk.app.database, &subject, 10).await.unwrap();
        let mut actions: Vec<_> = trail.iter().map(|event| event.action.as_str()).collect();
        actions.sort_unstable();
        let expected = ["postback_url.reveal", "secure_token.create", "secure_token.reveal", "secure_token.revoke",
            "secure_token.rotate"];
        assert_eq!(actions, expected);
        assert!(trail.iter().all(|event| event.actor_label == "Ada"));
        assert!(!format!("{trail:?}").contains(secret));
    }

    async fn without_redisplay_only_the_digest_is_kept(engine: Engine) {
        let mut desk = Desk::open(engine).await;
        desk.app.options.redisplay_tokens = false;
        let issued = desk.create().await;
        assert!(!issued.token.is_sealed && desk.is_live(issued.secret.reveal()));
        let id = issued.token.token.id;
        assert_eq!(tokens::find_sealed(&desk.app.database, id).await.unwrap(), None);
        assert_eq!(refused(reveal_token(&desk.app, &desk.ada, id).await), UserErrorCode::Invalid);
        let shown = done(describe(&desk.app, &conversion_url()).await);
        assert!(shown.token.is_some() && shown.blocker.is_some());
        assert_eq!(refused(reveal(&desk.app, &desk.ada, &conversion_url()).await), UserErrorCode::TokenNotActive);
    }

    async fn tokens_are_listed_by_scope_and_state_in_pages(engine: Engine) {
        let desk = Desk::open(engine).await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(desk.create().await.token.token.id);
            desk.clock.advance_millis(1);
        }
        let filter = TokenFilter { is_global: Some(true), ..TokenFilter::default() };
        let sort = TokenSort(Direction::Ascending);
        let (database, now) = (&desk.app.database, desk.clock.now());
        let first = PageRequest::parse(sort, Some(2), None, None, None).unwrap();
        let page = tokens::list(database, &filter, &first, now).await.unwrap();
        assert!(page.has_next && !page.has_previous);
        let cursor = page.items[1].cursor.clone();
        let rest = PageRequest::parse(sort, Some(2), Some(&cursor), None, None).unwrap();
        let rest = tokens::list(database, &filter, &rest, now).await.unwrap();
        let listed: Vec<_> = page.into_values().into_iter().chain(rest.into_values()).map(|v| v.token.id).collect();
        assert_eq!(listed, ids);
        assert_eq!(tokens::count(database, &filter, now).await.unwrap().value, 3);
        for (filter, count) in [
            (TokenFilter { is_global: Some(false), ..TokenFilter::default() }, 0),
            (TokenFilter { states: Some(Vec::new()), ..TokenFilter::default() }, 0),
            (TokenFilter { states: Some(vec![TokenState::Active, TokenState::Revoked]), ..TokenFilter::default() }, 3),
        ] {
            assert_eq!(tokens::count(database, &filter, now).await.unwrap().value, count, "{filter:?}");
        }
        tokens::mark_dry_run(database, ids[0], now).await.unwrap();
        assert_eq!(tokens::find(database, ids[0]).await.unwrap().unwrap().last_dry_run_at, Some(now));
    }

    async fn a_domain_accepts_once_its_records_are_right_and_while_they_fail(engine: Engine) {
        let desk = Desk::open(engine).await;
        let (app, ada) = (&desk.app, &desk.ada);
        let domain = done(create_domain(app, ada, "Go.Shop.Example.").await);
        assert_eq!((domain.host.as_str(), domain.state), ("go.shop.example", DomainState::Pending));
        assert_eq!(refused(create_domain(app, ada, "go.shop.example").await), UserErrorCode::Taken);
        assert_eq!(refused(create_domain(app, ada, "track.example").await), UserErrorCode::Invalid);
        assert_eq!(refused(set_default_domain(app, ada, domain.id).await), UserErrorCode::DomainNotVerified);
        let checked = done(verify_domain(app, ada, domain.id).await);
        assert_eq!((checked.state, checked.failure.is_some()), (DomainState::Pending, true));
        *desk.zone.cname.lock().unwrap() = vec!["track.example".into()];
        *desk.zone.txt.lock().unwrap() = vec![domain.challenge.clone()];
        let checked = done(verify_domain(app, ada, domain.id).await);
        assert_eq!((checked.state, checked.failure.as_deref()), (DomainState::Active, None));
        assert!(dns_records(app, &checked).iter().all(|record| record.ok));
        assert!(app.snapshot.load().accepting_domain("go.shop.example").is_some());
        desk.zone.cname.lock().unwrap().clear();
        assert_eq!(done(verify_domain(app, ada, domain.id).await).state, DomainState::Failing);
        assert!(app.snapshot.load().accepting_domain("go.shop.example").is_some());
        assert_eq!(refused(delete_domain(app, ada, domain.id).await), UserErrorCode::InUse);
        assert_eq!(done(set_domain_enabled(app, ada, domain.id, false).await).state, DomainState::Disabled);
        assert!(app.snapshot.load().accepting_domain("go.shop.example").is_none());
        done(delete_domain(app, ada, domain.id).await);
        assert_eq!(refused(verify_domain(app, ada, domain.id).await), UserErrorCode::NotFound);
    }

    async fn there_is_one_default_domain_and_urls_begin_with_it(engine: Engine) {
        let desk = Desk::open(engine).await;
        let (app, ada) = (&desk.app, &desk.ada);
        assert_eq!(refused(create_local_domain(app, ada, "go.example").await), UserErrorCode::Invalid);
        let pixel = UrlRequest { kind: PostbackKind::ImagePixel, ..conversion_url() };
        assert_eq!(refused(describe(app, &pixel).await), UserErrorCode::DomainNotVerified);
        let first = done(create_local_domain(app, ada, "a.localhost").await);
        desk.clock.advance_millis(1);
        let second = done(create_local_domain(app, ada, "b.localhost").await);
        let url = "https://a.localhost/pixel.gif?transaction_id={transaction_id}";
        let tag = done(reveal(app, ada, &pixel).await);
        assert_eq!(tag.html, Some(format!("<img src=\"{url}\" width=\"1\" height=\"1\" alt=\"\">")));
        desk.create().await;
        assert!(done(describe(app, &conversion_url()).await).masked.starts_with("https://track.example/"));
        done(set_default_domain(app, ada, first.id).await);
        let now_default = done(set_default_domain(app, ada, second.id).await);
        assert!(now_default.is_default);
        let defaults: Vec<_> =
            app.snapshot.load().domains.values().filter(|d| d.is_default).map(|d| d.host.clone()).collect();
        assert_eq!(defaults, ["b.localhost"]);
        assert!(done(describe(app, &conversion_url()).await).masked.starts_with("https://b.localhost/"));
        let chosen = UrlRequest { domain: Some(first.id), ..conversion_url() };
        assert!(done(describe(app, &chosen).await).masked.starts_with("https://a.localhost/"));
    }
}

//! `/click`: visitors are sent on, links that lead nowhere say why, and the id does what it must.

use roundtrip::domain::clock::Clock as _;
use roundtrip::domain::ids::PublisherId;
use roundtrip::domain::macros::UrlTemplate;
use roundtrip::domain::offer::{OfferAccess, OfferState};
use roundtrip::domain::publisher::PartnerState;
use roundtrip::domain::test_link;
use roundtrip::domain::transaction_id::{Kind, TransactionId, Unsealed};
use roundtrip::store::{self, Engine};

use crate::support::bench::{offer_id, publisher_id};
use crate::support::on_both_engines;
use crate::support::server::{TestServer, header};

const LINK: &str = "/click?offer=42&publisher=7";

/// The id in the destination of offer 42.
fn id_in(location: &str, server: &TestServer) -> (TransactionId, Unsealed) {
    let (_, rest) = location.split_once("tid=").unwrap();
    TransactionId::open(rest.split('&').next().unwrap(), &server.app.keyring).unwrap()
}

on_both_engines! {
    async fn a_click_is_stored_and_sent_on_with_302(engine: Engine) {
        let server = TestServer::start(engine).await;
        let path = format!("{LINK}&sub_id=news&sub_id_6=f&external_transaction_id=e%201&device_id=d-1");
        let request = server.request("GET", &path).header("referer", "https://news.example/a?b=c");
        let request = request.header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Firefox/132.0");
        let response = request.header("x-forwarded-for", "203.0.113.9").send().await.unwrap();
        assert_eq!(response.status(), 302);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-robots-tag", "noindex"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
        ] {
            assert_eq!(header(&response, name), Some(value));
        }
        assert_eq!(header(&response, "set-cookie"), None, "not a tracking domain");
        let (id, unsealed) = id_in(header(&response, "location").unwrap(), &server);
        assert_eq!((unsealed.kind, unsealed.offer, unsealed.publisher), (Kind::Click, offer_id(), publisher_id()));
        let click = store::clicks::find(&server.app.database, &id, Some(unsealed.minted_at)).await.unwrap().unwrap();
        assert_eq!(click.clicked_at, server.clock.now());
        assert_eq!(click.sub_ids, [Some("news".into()), None, None, None, None, Some("f".into())]);
        assert_eq!(click.external_transaction_id.as_deref(), Some("e 1"));
        assert_eq!(click.device_id.as_deref(), Some("d-1"));
        assert_eq!(click.address.map(|address| address.network).as_deref(), Some("203.0.113.0/24"));
        assert_eq!(click.referrer_origin.as_deref(), Some("https://news.example"));
        assert_eq!((click.is_bot, click.is_test), (false, false));
    }

    async fn every_macro_of_the_landing_page_is_filled_in_and_no_value_chooses_the_host(engine: Engine) {
        let server = TestServer::start(engine).await;
        server.change_offer(|offer| {
            let text = "https://shop.example/{sub_id}?o={offer_id}&p={publisher_id}&s={sub_id_2}&x={external_transaction_id}\
                 &d={device_id}&pay={payout}&c={currency}&r={random}&tid={transaction_id}&{nothing}";
            offer.landing_url = UrlTemplate::parse(text).unwrap();
        });
        let path = format!("{LINK}&sub_id=//evil.example&sub_id_2=a%26b%3D%7Bpayout%7D&external_transaction_id=%0d%0aX:1");
        let response = server.get(&path).await;
        let location = header(&response, "location").unwrap();
        assert!(location.starts_with("https://shop.example/%2F%2Fevil.example?o=42&p=7&s=a%26b%3D%7Bpayout%7D&x=X%3A1&d="));
        assert!(location.contains("&pay=7.00&c=EUR&r="), "{location}");
        let random = location.split_once("&r=").unwrap().1;
        assert_eq!(random.split('&').next().unwrap().len(), 16);
        id_in(location, &server);
    }

    async fn a_link_that_leads_nowhere_says_why_by_its_status(engine: Engine) {
        let server = TestServer::start(engine).await;
        let status = async |path: &str| server.get(path).await.status().as_u16();
        for (path, expected) in [
            ("/click", 404),
            ("/click?offer=43&publisher=7", 404),
            ("/click?offer=abc&publisher=7", 404),
            ("/click?offer=42&offer=43&publisher=7", 404),
            ("/click?offer=42", 422),
            ("/click?offer=42&publisher=8", 422),
            ("/click?offer=42&publisher={pub}", 422),
        ] {
            assert_eq!(status(path).await, expected, "{path}");
        }
        server.change_offer(|offer| offer.access = OfferAccess::Chosen);
        assert_eq!(status(LINK).await, 403);
        server.change_offer(|offer| offer.publishers = [publisher_id()].into());
        assert_eq!(status(LINK).await, 302);
        server.change(|snapshot| {
            snapshot.publishers.get_mut(&publisher_id()).unwrap().state = PartnerState::Paused;
        });
        assert_eq!(status(LINK).await, 403);
        for state in [OfferState::Paused, OfferState::Archived] {
            server.change_offer(|offer| offer.state = state);
            assert_eq!(status(LINK).await, 410);
        }
    }

    async fn a_refused_click_goes_to_the_offers_fallback_else_to_the_workspaces(engine: Engine) {
        let server = TestServer::start(engine).await;
        server.change(|snapshot| snapshot.settings.fallback_url = Some("https://all.example/".into()));
        let to = async |path: &str| {
            let response = server.get(path).await;
            assert_eq!(response.status(), 302);
            header(&response, "location").unwrap().to_owned()
        };
        assert_eq!(to("/click?offer=43").await, "https://all.example/");
        assert_eq!(to("/click?offer=42").await, "https://all.example/");
        server.change_offer(|offer| offer.fallback_url = Some("https://own.example/".into()));
        assert_eq!(to("/click?offer=42").await, "https://own.example/");
        server.change_offer(|offer| offer.state = OfferState::Paused);
        assert_eq!(to(LINK).await, "https://own.example/");
    }

    async fn a_prefetch_gets_no_destination(engine: Engine) {
        let server = TestServer::start(engine).await;
        for (name, value) in [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "prefetch")] {
            let response = server.request("GET", LINK).header(name, value).send().await.unwrap();
            assert_eq!((response.status().as_u16(), header(&response, "location")), (503, None), "{name}");
            assert_eq!(header(&response, "cache-control"), Some("no-store"));
        }
    }

    async fn a_head_is_sent_on_without_a_record(engine: Engine) {
        let server = TestServer::start(engine).await;
        for path in [LINK, "/?offer=42&publisher=7"] {
            let response = server.request("HEAD", path).send().await.unwrap();
            assert_eq!(response.status(), 302);
            assert_eq!(header(&response, "location"), Some("https://shop.example/?tid="));
        }
    }

    async fn a_bot_is_sent_on_and_marked(engine: Engine) {
        let server = TestServer::start(engine).await;
        let agent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        let response = server.request("GET", LINK).header("user-agent", agent).send().await.unwrap();
        let (id, unsealed) = id_in(header(&response, "location").unwrap(), &server);
        let click = store::clicks::find(&server.app.database, &id, Some(unsealed.minted_at)).await.unwrap().unwrap();
        assert!(click.is_bot);
    }

    async fn a_test_link_ignores_approval_and_its_id_says_that_it_is_a_test(engine: Engine) {
        let server = TestServer::start(engine).await;
        server.change_offer(|offer| (offer.state, offer.access) = (OfferState::Paused, OfferAccess::Chosen));
        let end = server.clock.now().plus_seconds(3600);
        let proof = test_link::sign(&server.app.keyring, offer_id(), publisher_id(), end);
        let response = server.get(&format!("{LINK}&test={proof}")).await;
        let (_, unsealed) = id_in(header(&response, "location").unwrap(), &server);
        assert_eq!(unsealed.kind, Kind::TestClick);
        let other = test_link::sign(&server.app.keyring, offer_id(), PublisherId::new(8).unwrap(), end);
        assert_eq!(server.get(&format!("{LINK}&test={other}")).await.status(), 410);
        server.clock.advance_seconds(3600);
        assert_eq!(server.get(&format!("{LINK}&test={proof}")).await.status(), 410);
    }

    async fn on_a_tracking_domain_a_cookie_carries_the_id_to_the_pixel(engine: Engine) {
        let server = TestServer::start(engine).await;
        let response = server.get_on_domain(LINK).await;
        let (id, _) = id_in(header(&response, "location").unwrap(), &server);
        let expected = format!("rt_42={id}; Max-Age=2592000; Path=/pixel.gif; Secure; HttpOnly; SameSite=None");
        assert_eq!(header(&response, "set-cookie"), Some(expected.as_str()));
    }

    async fn values_that_make_the_url_too_long_are_left_out_and_not_the_visitor(engine: Engine) {
        let server = TestServer::start(engine).await;
        server.change_offer(|offer| {
            let many = "{sub_id}".repeat(40);
            offer.landing_url = UrlTemplate::parse(&format!("https://shop.example/?s={many}&tid={{transaction_id}}")).unwrap();
        });
        let response = server.get(&format!("{LINK}&sub_id={}", "'".repeat(500))).await;
        assert_eq!(response.status(), 302);
        id_in(header(&response, "location").unwrap(), &server);
    }
}

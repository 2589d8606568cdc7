//! `/pixel.gif`: always the same picture, and a conversion only from a verified tracking domain.

use reqwest::Response;
use roundtrip::domain::secure_token::TokenScope;
use roundtrip::store::Engine;

use crate::support::on_both_engines;
use crate::support::server::{TRACKING_HOST, TestServer, header};

async fn picture(response: Response) -> String {
    assert_eq!(response.status(), 200);
    for (name, value) in [
        ("content-type", "image/gif"),
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("content-length", "43"),
    ] {
        assert_eq!(header(&response, name), Some(value));
    }
    let result = header(&response, "x-conversion-result").unwrap().to_owned();
    assert!(response.bytes().await.unwrap().starts_with(b"GIF89a"));
    result
}

on_both_engines! {
    async fn a_pixel_is_recorded_once_on_a_tracking_domain_and_confirmed_by_the_postback(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint();
        let path = format!("/pixel.gif?transaction_id={id}");
        assert_eq!(picture(server.get_on_domain(&path).await).await, "recorded");
        assert_eq!(picture(server.get_on_domain(&path).await).await, "duplicate");
        let (status, answer) = server.told(&format!("/postback?transaction_id={id}&order_id=A")).await;
        assert_eq!((status, &answer["code"], &answer["status"]), (200, &"confirmed".into(), &"approved".into()));
        let (_, answer) = server.told(&format!("/postback?transaction_id={id}&order_id=A")).await;
        assert_eq!(answer["code"], "duplicate");
    }

    async fn elsewhere_switched_off_or_without_an_id_it_is_the_same_picture(engine: Engine) {
        let server = TestServer::start(engine).await;
        let path = format!("/pixel.gif?transaction_id={}", server.mint());
        assert_eq!(picture(server.get(&path).await).await, "refused");
        assert_eq!(picture(server.get_on_domain("/pixel.gif").await).await, "refused");
        assert_eq!(picture(server.get_on_domain("/pixel.gif?transaction_id=forged").await).await, "refused");
        server.change_offer(|offer| offer.switches.pixel_enabled = false);
        assert_eq!(picture(server.get_on_domain(&path).await).await, "refused");
    }

    async fn the_cookie_of_the_click_is_used_where_the_url_has_no_id(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint();
        let send = |path: &str| {
            let request = server.request("GET", path).header("host", TRACKING_HOST);
            request.header("cookie", format!("a=b; rt_42={id}")).send()
        };
        assert_eq!(picture(send("/pixel.gif").await.unwrap()).await, "refused");
        assert_eq!(picture(send("/pixel.gif?offer=43").await.unwrap()).await, "refused");
        assert_eq!(picture(send("/pixel.gif?offer=42").await.unwrap()).await, "recorded");
        assert_eq!(picture(send("/pixel.gif?offer=42").await.unwrap()).await, "duplicate");
    }

    async fn a_secret_in_a_pixel_url_is_never_kept(engine: Engine) {
        let server = TestServer::start(engine).await;
        let secret = server.add_token(9, TokenScope::Global, |_| {});
        let path = format!("/pixel.gif?transaction_id={}&secure={secret}", server.mint());
        assert_eq!(picture(server.get_on_domain(&path).await).await, "recorded");
    }
}

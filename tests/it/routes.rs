//! Which URL leads where: methods, the dispatcher on `/`, hosts of the admin surfaces, the machine room.

use roundtrip::app::setup::ensure_setup_code;
use roundtrip::store::Engine;

use crate::support::on_both_engines;
use crate::support::server::{TRACKING_HOST, TestServer, header, told};

on_both_engines! {
    async fn a_head_on_a_tracking_route_records_nothing(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint();
        for path in ["/postback", "/postback/clickless", "/reject", "/status"] {
            let query = format!("{path}?transaction_id={id}&secure={}", server.secret);
            let response = server.request("HEAD", &query).send().await.unwrap();
            assert_eq!((response.status().as_u16(), header(&response, "allow")), (405, Some("GET, POST")), "{path}");
        }
        let response = server.request("HEAD", "/pixel.gif").send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "allow")), (405, Some("GET")));
        let response = server.request("HEAD", &format!("/?transaction_id={id}&secure=x")).send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "allow")), (405, Some("GET, POST")));
        let (_, answer) = server.told(&format!("/postback?transaction_id={id}")).await;
        assert_eq!(answer["code"], "recorded", "nothing was recorded before");
    }

    async fn no_tracking_answer_can_be_read_by_another_sites_script(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint();
        for path in ["/", "/click", "/postback", "/postback/clickless", "/reject", "/status", "/pixel.gif"] {
            for method in ["GET", "POST", "OPTIONS"] {
                let path = format!("{path}?offer=42&publisher=7&transaction_id={id}&secure={}", server.secret);
                let request = server.request(method, &path).header("origin", "https://evil.example");
                let response = request.header("access-control-request-method", "POST").send().await.unwrap();
                let named = response.headers().keys().find(|name| name.as_str().starts_with("access-control-"));
                assert_eq!(named, None, "{method} {path}");
            }
        }
    }

    async fn other_methods_are_told_which_ones_there_are(engine: Engine) {
        let server = TestServer::start(engine).await;
        for (method, path, allowed) in [
            ("PUT", "/postback", "GET, POST"),
            ("DELETE", "/reject", "GET, POST"),
            ("OPTIONS", "/status", "GET, POST"),
            ("POST", "/click?offer=42&publisher=7", "GET, HEAD"),
            ("POST", "/pixel.gif", "GET"),
            ("POST", "/?offer=42", "GET, HEAD"),
            ("PUT", "/?secure=x&transaction_id=y", "GET, POST"),
        ] {
            let response = server.request(method, path).send().await.unwrap();
            assert_eq!(header(&response, "allow"), Some(allowed), "{method} {path}");
            let (status, answer) = told(response).await;
            assert_eq!((status, &answer["code"]), (405, &"method_not_allowed".into()), "{method} {path}");
        }
    }

    async fn the_root_is_every_door_by_the_keys_that_are_present(engine: Engine) {
        let server = TestServer::start(engine).await;
        let (id, secret) = (server.mint(), server.secret.clone());
        for (query, status, code) in [
            (format!("transaction_id={id}&secure={secret}"), 200, "recorded"),
            (format!("transaction_id={id}&secure={secret}&new_rejected_reason="), 422, "reason_required"),
            (format!("click_id={id}&secure={secret}&new_rejected_reason=fraud"), 200, "rejected"),
            (format!("secure={secret}&publisher=7&offer=42&external_transaction_id=e1"), 200, "recorded"),
            (format!("secure={secret}"), 422, "missing_transaction_id"),
            (format!("transaction_id={id}"), 401, "missing_secure"),
            ("utm_source=x".to_owned(), 404, "unknown_route"),
        ] {
            let (found, answer) = told(server.get(&format!("/?{query}")).await).await;
            assert_eq!((found, answer["code"].as_str()), (status, Some(code)), "{query}: {answer}");
        }
        let click = server.get("/?offer=42&publisher=7&sub_id=news").await;
        assert_eq!(click.status(), 302);
        let posted = server.post_form("/", format!("transaction_id={id}&secure={secret}")).await;
        assert_eq!(told(posted).await.1["code"], "duplicate");
    }

    async fn without_a_query_the_root_is_a_page_that_links_the_dashboard_on_the_admin_host_only(engine: Engine) {
        let server = TestServer::start(engine).await;
        let page = server.get("/").await;
        assert_eq!(page.status(), 200);
        assert!(page.text().await.unwrap().contains("/dashboard"));
        let page = server.get_on_domain("/").await;
        assert_eq!(page.status(), 200);
        let text = page.text().await.unwrap();
        assert!(text.contains("Roundtrip") && !text.contains("href"), "{text}");
    }

    async fn admin_surfaces_do_not_exist_on_a_tracking_domain(engine: Engine) {
        let server = TestServer::start(engine).await;
        for path in ["/graphql", "/schema.graphql", "/dashboard", "/dashboard/x", "/api/session", "/api/setup"] {
            for host in [TRACKING_HOST, "evil.example", "pixel.test:80"] {
                let response = server.request("GET", path).header("host", host).send().await.unwrap();
                let (status, answer) = told(response).await;
                assert_eq!((status, &answer["code"]), (404, &"unknown_route".into()), "{host}{path}");
            }
            assert_ne!(server.get(path).await.status(), 404, "{path}");
        }
    }

    async fn the_dashboard_lets_its_page_load_nothing_but_our_own_files(engine: Engine) {
        let server = TestServer::start(engine).await;
        for path in ["/dashboard", "/dashboard/", "/dashboard/offers/offer_42?tab=settings"] {
            let response = server.get(path).await;
            let policy = header(&response, "content-security-policy").unwrap_or_default().to_owned();
            assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
            let etag = header(&response, "etag").map(str::to_owned);
            let (status, text) = (response.status(), response.text().await.unwrap());
            assert_eq!(status, 200, "{path}");
            // Whichever of the two this build carries; how each is served is tested in `src/http/dashboard.rs`.
            let Some(etag) = etag else {
                assert!(text.contains("make dashboard"), "{text}");
                continue;
            };
            assert!(text.contains("id=\"root\"") && !text.contains("<style"), "{text}");
            let again = server.request("GET", path).header("if-none-match", etag).send().await.unwrap();
            assert_eq!(again.status(), 304, "{path}");
        }
        let missing = server.get("/dashboard/assets/main-gone.js").await;
        let is_built = missing.status() == 404;
        assert!(is_built || missing.text().await.unwrap().contains("make dashboard"));
    }

    async fn whether_the_server_is_set_up_is_all_that_a_stranger_learns_of_it(engine: Engine) {
        let server = TestServer::start(engine).await;
        let code = ensure_setup_code(&server.app).await.unwrap().unwrap();
        assert_eq!(told(server.get("/api/setup").await).await, (200, serde_json::json!({ "setup_complete": false })));
        let first = serde_json::json!({
            "code": code.reveal(), "email": "ada@shop.example", "name": "Ada", "password": "correct horse battery",
        });
        assert_eq!(told(server.post_json("/api/setup", first.to_string()).await).await.0, 200);
        assert_eq!(told(server.get("/api/setup").await).await, (200, serde_json::json!({ "setup_complete": true })));
    }

    async fn whoever_set_the_server_up_reads_the_admin_api_and_its_contract(engine: Engine) {
        let server = TestServer::start_seeded(engine).await;
        let code = ensure_setup_code(&server.app).await.unwrap().unwrap();
        let first = serde_json::json!({
            "code": code.reveal(), "email": "ada@shop.example", "name": "Ada", "password": "correct horse battery",
        });
        let (status, welcome) = told(server.post_json("/api/setup", first.to_string()).await).await;
        assert_eq!(status, 200, "{welcome}");
        let ask = |bearer: &str| {
            let request = server.request("POST", "/graphql").header("content-type", "application/json");
            let query = r#"{"query":"{ offers(first: 5) { nodes { name } } }"}"#;
            request.bearer_auth(bearer).body(query).send()
        };
        let (status, answer) = told(ask(welcome["access_token"].as_str().unwrap()).await.unwrap()).await;
        assert_eq!((status, &answer["data"]["offers"]["nodes"][0]["name"]), (200, &"Offer".into()), "{answer}");
        assert_eq!(ask("nobody").await.unwrap().status(), 401);
        assert_eq!(ask(&server.secret).await.unwrap().status(), 401, "a secure token is no access token");
        let contract = server.request("GET", "/schema.graphql").bearer_auth(welcome["access_token"].as_str().unwrap());
        assert!(contract.send().await.unwrap().text().await.unwrap().contains("type Offer"));
        assert_eq!(server.get("/schema.graphql").await.status(), 401);
        let long = server.request("POST", "/graphql").body("x".repeat(64 * 1024 + 1)).send().await.unwrap();
        assert_eq!(long.status(), 413);
    }

    async fn the_machine_room_answers_on_its_own_port(engine: Engine) {
        let server = TestServer::start(engine).await;
        for url in [server.url("/livez"), server.url("/readyz"), server.internal_url("/readyz")] {
            assert_eq!(server.client.get(&url).send().await.unwrap().status(), 200, "{url}");
        }
        server.get("/click?offer=42&publisher=7").await;
        let metrics = server.client.get(server.internal_url("/metrics")).send().await.unwrap().text().await.unwrap();
        for name in ["roundtrip_tracking_answers_total", "roundtrip_tracking_durable_total", "roundtrip_intake_depth"] {
            assert!(metrics.contains(name), "{name}");
        }
        assert_eq!(server.get("/metrics").await.status(), 404);
        let asked = async |domain: &str| {
            let url = server.internal_url(&format!("/internal/tracking-domain?domain={domain}"));
            server.client.get(url).send().await.unwrap().status().as_u16()
        };
        assert_eq!((asked(TRACKING_HOST).await, asked("other.example").await, asked("").await), (200, 404, 404));
    }

    async fn a_server_that_is_told_to_end_finishes_and_says_so(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint();
        assert_eq!(server.told(&format!("/postback?transaction_id={id}")).await.0, 200);
        server.end().await.unwrap();
    }
}

#[tokio::test]
async fn the_tracking_doors_are_described_for_machines() {
    let server = TestServer::start(Engine::Sqlite).await;
    let (status, document) = told(server.get("/openapi.json").await).await;
    assert_eq!(status, 200);
    assert!(document["paths"]["/postback"]["get"].is_object());
}

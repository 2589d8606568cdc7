//! No log line at any level holds a secret, an e-mail, an address or a query string; no receipt holds a secret.
//!
//! All tests of this process log into one buffer here: a canary of this test may stand in no line of any of them.

use std::io;
use std::sync::Mutex;

use roundtrip::config::{LogFormat, LogsConfig};
use roundtrip::domain::inbound::{Door, PARAMETERS, Parameter};
use roundtrip::store::Engine;
use roundtrip::store::audit::{self, AuditFilter, Newest};
use roundtrip::store::page::PageRequest;
use roundtrip::telemetry;
use serde_json::json;

use crate::support::databases::tamper;
use crate::support::on_both_engines;
use crate::support::people;
use crate::support::server::{TestServer, told};

static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Kept;

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first line that was logged with one of these in it.
fn leak(wanted: &[&str]) -> Option<String> {
    let logged = String::from_utf8(LOGGED.lock().unwrap().clone()).unwrap();
    logged.lines().find(|line| wanted.iter().any(|text| line.contains(text))).map(str::to_owned)
}

/// Makes the database refuse a row with the canary in it.
fn poison(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "CREATE TRIGGER poison BEFORE INSERT ON conversion WHEN NEW.adv_sub_id LIKE '%-poison' \
             BEGIN SELECT RAISE(ABORT, 'poison'); END"
        }
        Engine::Postgres => "ALTER TABLE conversion ADD CONSTRAINT poison CHECK (adv_sub_id NOT LIKE '%-poison')",
    }
}

const PATHS: [&str; 7] = ["/", "/click", "/postback", "/postback/clickless", "/reject", "/status", "/pixel.gif"];
const CANARY: &str = "canary5c1e";

fn listen() {
    let logs = LogsConfig { level: "trace".to_owned(), format: LogFormat::Json };
    // The second test finds the first one's logger, which writes to the same place.
    let _ = tracing::subscriber::set_global_default(telemetry::subscriber(&logs, || Kept).unwrap());
}

/// Every parameter with a canary in it, in the form that its kind has.
fn query() -> String {
    let value = |parameter: Parameter| {
        if parameter == Parameter::UserEmail {
            format!("{CANARY}@shop.example")
        } else if parameter == Parameter::ConversionIp {
            "198.51.100.77".to_owned()
        } else {
            format!("{CANARY}-value")
        }
    };
    let pairs: Vec<String> = PARAMETERS.iter().map(|spec| format!("{}={}", spec.name, value(spec.parameter))).collect();
    format!("{}&own={CANARY}@own.example&api_key={CANARY}-key", pairs.join("&"))
}

on_both_engines! {
    async fn canaries_in_every_parameter_and_header_reach_no_log_line(engine: Engine) {
        listen();
        let server = TestServer::start(engine).await;
        for path in PATHS {
            for method in ["GET", "POST", "HEAD"] {
                let request = server.request(method, &format!("{path}?{}", query()));
                let request = ["authorization", "x-secure-token", "cookie", "referer", "user-agent", "x-forwarded-for"]
                    .into_iter()
                    .fold(request, |request, name| request.header(name, format!("Bearer {CANARY}-{name}")));
                request.header("content-type", "application/x-www-form-urlencoded").body(query()).send().await.unwrap();
            }
        }
        assert_eq!(leak(&[CANARY, "198.51.100.77"]), None);
        assert!(leak(&["\"route\":\"/postback\""]).is_some(), "the doors do log");
    }

    async fn what_is_recorded_refused_by_the_database_or_asked_by_people_reaches_no_log_line(engine: Engine) {
        listen();
        let server = TestServer::start(engine).await;
        let person = format!("user_email={CANARY}@shop.example&conversion_ip=198.51.100.77&own={CANARY}-extra");
        let known = format!("transaction_id={}&{person}&order_id={CANARY}-order", server.mint());
        for (path, status) in [
            (format!("/postback?{known}"), 200),
            (format!("/postback?{known}&dry_run=1"), 200),
            (format!("/reject?{known}&new_rejected_reason={CANARY}-reason"), 200),
            (format!("/status?{known}&status=approved"), 200),
            (format!("/postback/clickless?offer=42&publisher=7&{person}"), 200),
        ] {
            assert_eq!(server.told(&path).await.0, status, "{path}");
        }
        assert_eq!(server.get(&format!("/click?offer=42&publisher=7&sub_id={CANARY}-sub")).await.status(), 302);
        tamper(&server.app.database, poison(engine)).await;
        let bad = format!("/postback?transaction_id={}&adv_sub_id={CANARY}-poison", server.mint());
        assert_eq!(server.told(&bad).await.0, 500);
        let sign_in = format!(r#"{{"email":"{CANARY}@shop.example","password":"{CANARY}-password"}}"#);
        assert_eq!(server.post_json("/api/session", sign_in).await.status(), 401);
        let asked = server.request("POST", "/graphql").bearer_auth(format!("{CANARY}-bearer"));
        let query = format!(r#"{{"query":"{{ {CANARY} }}","variables":{{"a":"{CANARY}"}}}}"#);
        let asked = asked.header("content-type", "application/json").body(query).send().await.unwrap();
        assert_eq!(asked.status(), 401);
        assert_eq!(leak(&[CANARY, "198.51.100.77", &server.secret]), None);
        assert!(leak(&["the database refuses an item"]).is_some(), "a fault is logged");
    }

    async fn keys_invitations_tokens_and_passwords_reach_no_log_line(engine: Engine) {
        listen();
        let server = TestServer::start_empty(engine, "").await;
        let ada = people::set_up(&server).await;
        let (id, key) = people::issue_key(&server, &ada.bearer, "ADMIN", json!(null)).await;
        let link = people::invite(&server, &key, &format!("{CANARY}@shop.example"), "VIEWER").await;
        let code = people::code_of(&link);
        assert_eq!(people::accept(&server, code, CANARY).await.status(), 400);
        let bob = people::welcome(people::accept(&server, code, &format!("{CANARY} horse battery")).await).await;
        let change = format!(
            "mutation {{ viewerUpdate(currentPassword: \"{CANARY} horse battery\", newPassword: \"{CANARY}-other-one\") {{
                userErrors {{ code }} }} }}"
        );
        people::done(&server, &bob.bearer, &change, json!({})).await;
        people::done(&server, &ada.bearer, &format!("mutation {{ apiKeyRevoke(id: \"{id}\") {{ userErrors {{ code }} }} }}"), json!({})).await;
        for refused in [key.as_str(), &key[..40], &bob.bearer] {
            assert_eq!(people::ask(&server, refused, "{ viewer { name } }", json!({})).await.0, 401);
        }
        assert_eq!(people::accept(&server, code, "another sentence").await.status(), 401);
        let bare = code.replace('-', "");
        let cookie = bob.cookie.split_once('=').unwrap().1;
        assert_eq!(leak(&[CANARY, &key, code, &bare, &bob.bearer, cookie, &ada.bearer]), None);
        let trail = audit::list(&server.app.database, &AuditFilter::default(), &PageRequest::beginning(Newest)).await;
        let trail = format!("{:?}", trail.unwrap());
        for secret in [&key[5..], code, &bare, cookie, "battery", "other-one"] {
            assert!(!trail.contains(secret), "{trail}");
        }
    }

    async fn a_receipt_holds_no_secret_and_no_person(engine: Engine) {
        let server = TestServer::start(engine).await;
        let path = format!(
            "/postback?transaction_id={}&secure={}&user_email={CANARY}@shop.example&conversion_ip=198.51.100.77\
             &own={CANARY}@own.example&api_key={CANARY}-key",
            server.mint(),
            server.secret
        );
        let (_, answer) = told(server.get(&path).await).await;
        let receipt = format!("{:?}", server.receipt(&answer).await);
        assert!(!receipt.contains(CANARY) && !receipt.contains("198.51.100.77"), "{receipt}");
        assert!(!receipt.contains(&server.secret) && receipt.contains("198.51.100.0%2F24"), "{receipt}");
    }
}

#[test]
fn every_door_has_a_path_here() {
    assert_eq!(PATHS.len(), Door::ALL.len() + 1);
}

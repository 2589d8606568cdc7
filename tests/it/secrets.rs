//! No log line at any level holds a secret, an e-mail, an address or a query string; no receipt holds a secret.
//!
//! All tests of this process log into one buffer here: a canary of this test may stand in no line of any of them.

use std::io;
use std::sync::Mutex;

use roundtrip::config::{LogFormat, LogsConfig};
use roundtrip::domain::inbound::{Door, PARAMETERS, Parameter};
use roundtrip::store::Engine;
use roundtrip::telemetry;

use crate::support::on_both_engines;
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
        let logged = String::from_utf8(LOGGED.lock().unwrap().clone()).unwrap();
        let leak = logged.lines().find(|line| line.contains(CANARY) || line.contains("198.51.100.77"));
        assert_eq!(leak, None);
        assert!(logged.contains("\"route\":\"/postback\""), "the doors do log");
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

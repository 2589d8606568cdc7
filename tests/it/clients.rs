//! Clients that other people wrote, against the real server and its schema: they read the specifications for us.
//!
//! They are Node programs in `tests/clients`. `make test` installs what they need; run alone, these tests say what is
//! missing, because a client that was not run has accepted nothing.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use roundtrip::store::Engine;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::server::TestServer;
use crate::support::socket::signed_in;

/// Four audits ask by GET. Three of them would like a query to be answered, which this server never does by GET; the
/// fourth wants a mutation to be refused.
const BY_GET: [&str; 4] = ["5A70", "D6D5", "6A70", "9C48"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

fn schema() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql").display().to_string()
}

fn node(script: &str, arguments: &[&str]) -> Command {
    let installed = folder().join("node_modules/graphql-ws").exists();
    assert!(installed, "tests/clients has no node_modules: run `make clients` (Node 20 or newer with npm)");
    let mut command = Command::new("node");
    command.arg(folder().join(script)).args(arguments).current_dir(folder()).stdin(Stdio::null());
    command
}

/// What a program says that must end well.
async fn said(script: &'static str, arguments: Vec<String>) -> String {
    let run = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        node(script, &arguments).output().expect("Node is missing: install nodejs and npm, 20 or newer")
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{script}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audits_of_graphql_over_http_pass_but_the_four_by_get() {
    let server = TestServer::start_seeded(Engine::Sqlite).await;
    let bearer = signed_in(&server).await;
    let said = said("audit.mjs", vec![server.url("/graphql"), bearer]).await;
    let audits: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(audits.len() >= 60, "{} audits", audits.len());
    let is_by_get = |audit: &&Value| BY_GET.iter().any(|id| audit["id"] == *id);
    let (by_get, others): (Vec<&Value>, Vec<&Value>) = audits.iter().partition(is_by_get);
    assert!(by_get.len() == 4 && by_get.iter().all(|audit| audit["status"] == 405), "{by_get:#?}");
    let wished: Vec<&Value> = by_get.into_iter().filter(|audit| audit["result"] != "ok").collect();
    assert!(
        wished.len() == 3 && wished.iter().all(|audit| audit["result"] == "notice"),
        "no more than MAY: {wished:#?}"
    );
    let failed: Vec<&Value> = others.into_iter().filter(|audit| audit["result"] != "ok").collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_of_graphql_ws_follows_loses_its_connection_and_goes_on() {
    let server = TestServer::start_seeded(Engine::Sqlite).await;
    let bearer = signed_in(&server).await;
    let url = server.url("/graphql/ws").replace("http:", "ws:");
    let mut child = node("follow.mjs", &[&url, &bearer, "40"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (line, mut lines_of_it) = mpsc::unbounded_channel();
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|text| drop(line.send(text))));
    let mut next = async || timeout(Duration::from_secs(60), lines_of_it.recv()).await.unwrap().unwrap();
    assert_eq!(next().await, "ready");
    let (mut sent, mut came) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        let told = server.told(&format!("/postback?transaction_id={}", server.mint())).await.1;
        sent.push(told["receipt_id"].as_str().unwrap().to_owned());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..40 {
        came.push(next().await);
    }
    assert_eq!(came, sent);
    let connections: u32 = next().await.strip_prefix("connections ").unwrap().parse().unwrap();
    assert!(connections >= 4, "{connections}");
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn relay_and_codegen_compile_operations_against_the_schema() {
    let empty = tempfile::tempdir().unwrap();
    let said = said("compile.mjs", vec![schema(), empty.path().display().to_string()]).await;
    let compiled: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert!(compiled["relay"].as_u64() >= Some(7) && compiled["codegen"].as_u64() >= Some(1), "{said}");
}

#[tokio::test]
async fn a_linter_of_schemas_has_nothing_to_say() {
    let of_ours = said("lint.mjs", vec![schema()]).await;
    assert!(of_ours.starts_with("0 complaints"), "{of_ours}");
    let broken = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(broken.path(), "type query_x { A: Int } type Query { x: query_x }").unwrap();
    let of_another = said("lint.mjs", vec![broken.path().display().to_string()]).await;
    assert!(of_another.contains("PascalCase") && of_another.contains("require-description"), "{of_another}");
}

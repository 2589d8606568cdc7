//! Requests that nobody would think of, made by schemathesis from what we say of ourselves: the OpenAPI document and the
//! GraphQL schema. No answer is our fault, and none is outside of what was said.
//!
//! `make test` installs it; run alone, these tests say what is missing. Each has a fixed seed and a time after which it
//! stops, so that a new version of ours is looked at in the same way as the old one.

use std::path::Path;
use std::process::{Command, Stdio};

use roundtrip::store::Engine;

use crate::support::server::{TestServer, seed};
use crate::support::socket::signed_in;

/// Of one run.
const SECONDS_MAX: &str = "30";

/// Runs it; what it says is shown when it has found something.
async fn holds(arguments: Vec<String>, hooks: &'static str) {
    let run = move || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = root.join("target/schemathesis/bin/schemathesis");
        assert!(program.exists(), "schemathesis is missing: run `make clients` (Python 3 with venv)");
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.args(["run", "--no-color", "--seed", "1", "--max-time", SECONDS_MAX, "--workers", "1"]);
        command.args(["--generation-database", "none", "--continue-on-failure", "--warnings", "off"]).args(arguments);
        command.current_dir(folder.path()).env("PYTHONPATH", root.join("tests/clients")).stdin(Stdio::null());
        if !hooks.is_empty() {
            command.env("SCHEMATHESIS_HOOKS", hooks);
        }
        command.output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", said.lines().rev().take(25).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n"));
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_makes_a_tracking_door_fail_or_answer_what_the_openapi_document_does_not_say() {
    let server = TestServer::start_seeded(Engine::Sqlite).await;
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                  response_schema_conformance";
    let bearer = format!("Authorization: Bearer {}", server.secret);
    holds(words(&[&server.url("/openapi.json"), "--checks", checks, "--header", &bearer, "--max-examples", "40"]), "")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_operation_makes_the_admin_api_fail() {
    // What it must not do is run out of points.
    let rich = "[limits]\ngraphql_points_per_minute = 1000000000";
    let server = TestServer::start_empty(Engine::Sqlite, rich).await;
    seed(&server.app).await;
    let bearer = format!("Authorization: Bearer {}", signed_in(&server).await);
    let checks = "not_a_server_error,errors_have_a_code_and_none_is_our_fault";
    holds(words(&[&server.url("/graphql"), "--checks", checks, "--header", &bearer, "--max-examples", "12"]), "checks")
        .await;
}

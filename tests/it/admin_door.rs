//! What the admin API refuses, through HTTP and with real access tokens: in its own way, and quickly.

use std::time::Duration;

use reqwest::RequestBuilder;
use roundtrip::app::setup::ensure_setup_code;
use roundtrip::store::Engine;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::server::{TestServer, header, told};

/// Far more than any refusal needs on a busy machine, far less than any bomb.
const QUICKLY: Duration = Duration::from_secs(5);
/// `{"alg":"none","typ":"JWT"}`.
const ALG_NONE: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
const CREATE: &str = "mutation{advertiserCreate(advertiser:{name:\"x\"}){userErrors{code}}}";

/// A server, and the access token of its first administrator.
async fn signed_in() -> (TestServer, String) {
    let server = TestServer::start_seeded(Engine::Sqlite).await;
    let code = ensure_setup_code(&server.app).await.unwrap().unwrap();
    let first = json!({
        "code": code.reveal(), "email": "ada@shop.example", "name": "Ada", "password": "correct horse battery",
    });
    let (status, welcome) = told(server.post_json("/api/setup", first.to_string()).await).await;
    assert_eq!(status, 200, "{welcome}");
    (server, welcome["access_token"].as_str().unwrap().to_owned())
}

fn post(server: &TestServer, bearer: &str, body: impl Into<String>) -> RequestBuilder {
    let request = server.request("POST", "/graphql").bearer_auth(bearer).header("content-type", "application/json");
    request.header("accept", "application/graphql-response+json").body(body.into())
}

/// Status and the first error's code.
async fn refused(request: RequestBuilder) -> (u16, Value) {
    let began = Instant::now();
    let (status, answer) = told(request.send().await.unwrap()).await;
    assert!(began.elapsed() < QUICKLY, "{:?}: {answer}", began.elapsed());
    assert_eq!(answer.get("data"), None, "{answer}");
    (status, answer["errors"][0]["extensions"]["code"].clone())
}

/// The whole answer to a body that is announced and not sent: a client that writes on may not live to read it.
async fn announced(server: &TestServer, bearer: &str, bytes: usize) -> String {
    let url = server.url("/graphql");
    let authority = url.strip_prefix("http://").unwrap().strip_suffix("/graphql").unwrap();
    let mut stream = TcpStream::connect(authority).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {bearer}\r\n\
         Content-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(QUICKLY, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

/// Asked on a connection of its own.
async fn advertisers(server: &TestServer, bearer: &str) -> Value {
    let request = reqwest::Client::new().post(server.url("/graphql")).bearer_auth(bearer);
    let request = request.header("content-type", "application/json");
    let (_, answer) = told(request.body(r#"{"query":"{advertisers{totalCount{value}}}"}"#).send().await.unwrap()).await;
    answer["data"]["advertisers"]["totalCount"]["value"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_are_refused_before_they_go_off() {
    let (server, bearer) = signed_in().await;
    let links = (0..31).map(|n| format!("fragment f{n} on Query{{...f{m} ...f{m}}}", m = n + 1));
    let fragments = format!("{{...f0}} {} fragment f31 on Query{{viewer{{name}}}}", links.collect::<String>());
    let list = format!("{{offers(after:{}{}){{nodes{{id}}}}}}", "[".repeat(350), "]".repeat(350));
    for bomb in [fragments, list] {
        let body = json!({ "query": bomb }).to_string();
        assert_eq!(refused(post(&server, &bearer, body)).await, (400, "QUERY_TOO_COMPLEX".into()));
    }
    let variable =
        format!("{{\"query\":\"{{viewer{{name}}}}\",\"variables\":{{\"v\":{}{}}}}}", "[".repeat(100), "]".repeat(100));
    assert_eq!(refused(post(&server, &bearer, variable)).await, (400, "QUERY_TOO_COMPLEX".into()));
    let answer = announced(&server, &bearer, 1 << 20).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("BAD_REQUEST"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "the body is not read: {answer}");
    assert_eq!(advertisers(&server, &bearer).await, 1, "and the server goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mutation_comes_by_post_of_one_json_object_only() {
    let (server, bearer) = signed_in().await;
    let body = json!({ "query": CREATE }).to_string();
    let query: String = url::form_urlencoded::byte_serialize(CREATE.as_bytes()).collect();
    let by_get = server.request("GET", &format!("/graphql?query={query}")).bearer_auth(&bearer);
    let response = by_get.try_clone().unwrap().send().await.unwrap();
    assert_eq!(header(&response, "allow"), Some("POST"));
    assert_eq!(refused(by_get).await, (405, "BAD_REQUEST".into()));
    for media in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let request = server.request("POST", "/graphql").bearer_auth(&bearer).header("content-type", media);
        assert_eq!(refused(request.body(body.clone())).await, (415, "BAD_REQUEST".into()), "{media}");
    }
    assert_eq!(refused(post(&server, &bearer, format!("[{body}]"))).await, (400, "BAD_REQUEST".into()));
    assert_eq!(advertisers(&server, &bearer).await, 1, "none was created");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_access_token_of_ours_and_of_now_is_believed() {
    let (server, bearer) = signed_in().await;
    let body = json!({ "query": "{viewer{name}}" }).to_string();
    let mut parts = bearer.split('.');
    let (own_header, claims, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    for forged in [
        format!("{ALG_NONE}.{claims}."),
        format!("{ALG_NONE}.{claims}.{signature}"),
        format!("{own_header}.{claims}."),
        format!("{own_header}.{claims}.{}", signature.chars().rev().collect::<String>()),
    ] {
        assert_eq!(refused(post(&server, &forged, body.clone())).await, (401, "UNAUTHENTICATED".into()), "{forged}");
    }
    let access_seconds = 900;
    server.clock.advance_seconds(access_seconds - 1);
    assert_eq!(post(&server, &bearer, body.clone()).send().await.unwrap().status(), 200);
    server.clock.advance_seconds(61);
    assert_eq!(refused(post(&server, &bearer, body)).await, (401, "UNAUTHENTICATED".into()));
}

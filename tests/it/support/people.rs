//! People and programs at the admin API of a real server: signed in as anybody is, asking as anybody does.

use reqwest::{RequestBuilder, Response};
use roundtrip::app::setup::ensure_setup_code;
use serde_json::{Value, json};

use super::server::{TestServer, header, told};

/// The password of everybody here.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// The first administrator.
pub(crate) const ADA: &str = "ada@shop.example";

/// What somebody who signed in was given.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) bearer: String,
    /// As a browser sends it back.
    pub(crate) cookie: String,
    pub(crate) operator: Value,
}

/// Makes the first administrator.
pub(crate) async fn set_up(server: &TestServer) -> SignedIn {
    let code = ensure_setup_code(&server.app).await.unwrap().unwrap();
    let first = json!({ "code": code.reveal(), "email": ADA, "name": "Ada", "password": PASSWORD });
    welcome(server.post_json("/api/setup", first.to_string()).await).await
}

/// Signs in; must succeed.
pub(crate) async fn sign_in(server: &TestServer, email: &str, password: &str) -> SignedIn {
    welcome(try_sign_in(server, email, password).await).await
}

pub(crate) async fn try_sign_in(server: &TestServer, email: &str, password: &str) -> Response {
    server.post_json("/api/session", json!({ "email": email, "password": password }).to_string()).await
}

/// The next bearer of a session.
pub(crate) async fn refresh(server: &TestServer, cookie: &str) -> Response {
    server.request("POST", "/api/session/refresh").header("cookie", cookie).send().await.unwrap()
}

/// What an answer that lets somebody in gives them.
pub(crate) async fn welcome(response: Response) -> SignedIn {
    let cookie = header(&response, "set-cookie").unwrap_or_default().split(';').next().unwrap().to_owned();
    let (status, mut body) = told(response).await;
    assert_eq!(status, 200, "{body}");
    let bearer = body["access_token"].as_str().unwrap().to_owned();
    SignedIn { bearer, cookie, operator: body["operator"].take() }
}

/// The link that an administrator is given for somebody.
pub(crate) async fn invite(server: &TestServer, admin: &str, email: &str, role: &str) -> String {
    let mutation = "mutation($operator: OperatorInviteInput!) { operatorInvite(operator: $operator) {
        operator { id } inviteUrl userErrors { code field message } } }";
    let operator = json!({ "operator": { "email": email, "name": name_of(email), "role": role } });
    let invited = done(server, admin, mutation, operator).await;
    invited["inviteUrl"].as_str().unwrap().to_owned()
}

/// The code of a link.
pub(crate) fn code_of(link: &str) -> &str {
    link.split_once("#code=").unwrap_or_else(|| panic!("no code: {link}")).1
}

pub(crate) async fn accept(server: &TestServer, code: &str, password: &str) -> Response {
    server.post_json("/api/invite", json!({ "code": code, "password": password }).to_string()).await
}

/// Somebody who was invited and has signed in.
pub(crate) async fn hire(server: &TestServer, admin: &str, email: &str, role: &str) -> SignedIn {
    let link = invite(server, admin, email, role).await;
    welcome(accept(server, code_of(&link), PASSWORD).await).await
}

/// Id and text of a new API key.
pub(crate) async fn issue_key(server: &TestServer, admin: &str, role: &str, expires_at: Value) -> (String, String) {
    let mutation = "mutation($input: ApiKeyInput!) { apiKeyCreate(input: $input) {
        apiKey { id } secret userErrors { code field message } } }";
    let input = json!({ "input": { "name": format!("{role} robot"), "role": role, "expiresAt": expires_at } });
    let made = done(server, admin, mutation, input).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["apiKey"]["id"]), text(&made["secret"]))
}

pub(crate) fn request(server: &TestServer, bearer: &str, query: &str, variables: Value) -> RequestBuilder {
    let body = json!({ "query": query, "variables": variables }).to_string();
    server.request("POST", "/graphql").bearer_auth(bearer).header("content-type", "application/json").body(body)
}

/// Status and whole answer.
pub(crate) async fn ask(server: &TestServer, bearer: &str, query: &str, variables: Value) -> (u16, Value) {
    told(request(server, bearer, query, variables).send().await.unwrap()).await
}

/// The data of an answer without errors.
pub(crate) async fn data(server: &TestServer, bearer: &str, query: &str, variables: Value) -> Value {
    let (status, mut answer) = ask(server, bearer, query, variables).await;
    assert!(status == 200 && answer.get("errors").is_none(), "{query}: {status} {answer:#}");
    answer["data"].take()
}

/// The one payload of a mutation.
pub(crate) async fn payload(server: &TestServer, bearer: &str, mutation: &str, variables: Value) -> Value {
    let mut data = data(server, bearer, mutation, variables).await;
    data.as_object_mut().and_then(|data| data.values_mut().next()).unwrap().take()
}

/// As [`payload`], of a mutation that must succeed.
pub(crate) async fn done(server: &TestServer, bearer: &str, mutation: &str, variables: Value) -> Value {
    let payload = payload(server, bearer, mutation, variables).await;
    assert_eq!(payload["userErrors"], json!([]), "{mutation}: {payload:#}");
    payload
}

/// The code of the first error of an answer, whose status is the first part.
pub(crate) async fn refusal(server: &TestServer, bearer: &str, query: &str) -> (u16, String) {
    let (status, answer) = ask(server, bearer, query, json!({})).await;
    (status, answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned())
}

fn name_of(email: &str) -> &str {
    email.split('@').next().unwrap()
}

//! Who may use the admin API, through HTTP with real bearers: invitations, roles, sessions, API keys, and what each of
//! them is refused.

use std::time::Duration;

use futures_util::future::join_all;
use roundtrip::app::key_uses::write_uses;
use roundtrip::app::lockout::{FAILURES_MAX, WINDOW_SECONDS};
use roundtrip::app::update_operator::{OperatorChanges, update_operator};
use roundtrip::config::keys;
use roundtrip::domain::api_key::PlainKey;
use roundtrip::domain::clock::Clock as _;
use roundtrip::domain::ids::OperatorId;
use roundtrip::domain::operator::{Principal, Role};
use roundtrip::store::{Engine, operators};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::chance::SeededEntropy;
use crate::support::on_both_engines;
use crate::support::people::{
    ADA, PASSWORD, accept, ask, code_of, data, done, hire, invite, issue_key, payload, refresh, refusal, request,
    set_up, sign_in, try_sign_in, welcome,
};
use crate::support::server::{TestServer, header, told};

/// What another server may take to notice a change: it looks every second.
const NOTICED_WITHIN: Duration = Duration::from_millis(1200);
const WEEK_SECONDS: i64 = 7 * 86_400;

const VIEWER: &str = "{ viewer { id kind name email role timezone } }";
const OPERATORS: &str =
    "{ operators { id email name role isActive isInvited invitedUntil timezone lastSeenAt createdAt } }";
const UPDATE: &str = "mutation($id: ID!, $operator: OperatorInput!) { operatorUpdate(id: $id, operator: $operator) {
    operator { name role isActive timezone } userErrors { code field hint } } }";
const KEYS: &str = "{ apiKeys { id name hint role expiresAt revokedAt lastUsedAt lastUsedIp
    createdBy { kind label operator { email } } revokedBy { label } } }";
const REVOKE_KEY: &str =
    "mutation($id: ID!) { apiKeyRevoke(id: $id) { apiKey { revokedAt } userErrors { code field } } }";

async fn office(engine: Engine) -> (TestServer, String) {
    let server = TestServer::start_empty(engine, "").await;
    let bearer = set_up(&server).await.bearer;
    (server, bearer)
}

/// Asks again until the bearer is refused; how long that took.
async fn refused_after(server: &TestServer, bearer: &str) -> Duration {
    let began = Instant::now();
    while ask(server, bearer, VIEWER, json!({})).await.0 != 401 {
        assert!(began.elapsed() < Duration::from_secs(10), "still believed");
        sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

fn id_of(person: &Value) -> OperatorId {
    OperatorId::parse(person["id"].as_str().unwrap()).unwrap()
}

on_both_engines! {
    async fn an_invited_person_sets_a_password_once_and_is_signed_in(engine: Engine) {
        let (server, ada) = office(engine).await;
        let link = invite(&server, &ada, "Bob@Shop.example", "MANAGER").await;
        assert!(link.starts_with("http://localhost:8080/dashboard/invite#code="), "{link}");
        let seen = data(&server, &ada, OPERATORS, json!({})).await;
        let bob = &seen["operators"][1];
        assert_eq!((&bob["email"], &bob["isInvited"]), (&json!("bob@shop.example"), &json!(true)));
        assert!(bob["invitedUntil"].is_string() && bob["lastSeenAt"].is_null(), "{bob}");
        assert_eq!(try_sign_in(&server, "bob@shop.example", "").await.status(), 401, "there is no password yet");

        let (status, weak) = told(accept(&server, code_of(&link), "short").await).await;
        assert_eq!((status, &weak["code"], &weak["errors"][0]["field"]), (400, &json!("invalid"), &json!("password")));
        let signed_in = welcome(accept(&server, code_of(&link), PASSWORD).await).await;
        assert_eq!((&signed_in.operator["role"], &signed_in.operator["name"]), (&json!("MANAGER"), &json!("Bob")));
        let again = told(accept(&server, code_of(&link), "another sentence").await).await;
        assert_eq!((again.0, &again.1["code"]), (401, &json!("wrong_invite_code")));
        sign_in(&server, "bob@shop.example", PASSWORD).await;
        let bob = data(&server, &signed_in.bearer, VIEWER, json!({})).await;
        let expected = json!({ "id": signed_in.operator["id"], "kind": "OPERATOR", "name": "Bob",
            "email": "bob@shop.example", "role": "MANAGER", "timezone": null });
        assert_eq!(bob["viewer"], expected);
        let seen = data(&server, &ada, OPERATORS, json!({})).await;
        assert_eq!((&seen["operators"][1]["isInvited"], &seen["operators"][1]["invitedUntil"]), (&json!(false), &json!(null)));
        for wrong in ["", "0000", "0000-0000-0000-0000-0000-0000"] {
            assert_eq!(told(accept(&server, wrong, PASSWORD).await).await.1["code"], "wrong_invite_code", "{wrong}");
        }
    }

    async fn what_is_wrong_with_an_invitation_is_said_with_its_place(engine: Engine) {
        let (server, ada) = office(engine).await;
        let mutation = "mutation($operator: OperatorInviteInput!) { operatorInvite(operator: $operator) {
            operator { id } inviteUrl userErrors { code field } } }";
        let invited = async |email: &str, name: &str| {
            let operator = json!({ "operator": { "email": email, "name": name, "role": "VIEWER" } });
            payload(&server, &ada, mutation, operator).await
        };
        let refused = invited("no address", " ").await;
        let errors = json!([
            { "code": "INVALID", "field": ["operator", "email"] },
            { "code": "REQUIRED", "field": ["operator", "name"] },
        ]);
        assert_eq!(refused, json!({ "operator": null, "inviteUrl": null, "userErrors": errors }));
        let taken = invited("ADA@shop.example", "Ada").await;
        assert_eq!(taken["userErrors"], json!([{ "code": "TAKEN", "field": ["operator", "email"] }]));
        let (_, nowhere) = ask(&server, &ada, mutation, json!({ "operator":
            { "email": "c@shop.example", "name": "C", "role": "VIEWER", "timezone": "Mars/Base" } })).await;
        assert_eq!(nowhere["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{nowhere}");
        let unknown = "mutation { operatorInviteAgain(id: \"opr_00000000000000000000000000000000\") { userErrors { code field } } }";
        let unknown = payload(&server, &ada, unknown, json!({})).await;
        assert_eq!(unknown["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["id"] }]));
    }

    async fn an_invitation_ends_and_a_newer_link_takes_its_place(engine: Engine) {
        let (server, _) = office(engine).await;
        let again = "mutation($id: ID!) { operatorInviteAgain(id: $id) { inviteUrl userErrors { code } } }";
        let link_for = async |email: &str| {
            let ada = sign_in(&server, ADA, PASSWORD).await.bearer;
            let link = invite(&server, &ada, email, "VIEWER").await;
            (ada, link)
        };
        let (_, in_time) = link_for("bob@shop.example").await;
        let (_, late) = link_for("cy@shop.example").await;
        server.clock.advance_seconds(WEEK_SECONDS - 1);
        let bob = welcome(accept(&server, code_of(&in_time), PASSWORD).await).await;
        server.clock.advance_seconds(1);
        assert_eq!(accept(&server, code_of(&late), PASSWORD).await.status(), 401);

        // The way back for somebody who lost their password: the old one and all sessions end when the link is used.
        let ada = sign_in(&server, ADA, PASSWORD).await.bearer;
        let first = done(&server, &ada, again, json!({ "id": bob.operator["id"] })).await;
        let second = done(&server, &ada, again, json!({ "id": bob.operator["id"] })).await;
        let code = |link: &Value| code_of(link["inviteUrl"].as_str().unwrap()).to_owned();
        assert_eq!(accept(&server, &code(&first), "another sentence").await.status(), 401, "a newer link ended it");
        assert_eq!(try_sign_in(&server, "bob@shop.example", PASSWORD).await.status(), 200, "until the link is used");
        welcome(accept(&server, &code(&second), "another sentence").await).await;
        assert_eq!(try_sign_in(&server, "bob@shop.example", PASSWORD).await.status(), 401);
        assert_eq!(refresh(&server, &bob.cookie).await.status(), 401);
        sign_in(&server, "bob@shop.example", "another sentence").await;
    }

    async fn of_many_who_use_one_link_at_once_one_sets_the_password(engine: Engine) {
        let (server, ada) = office(engine).await;
        let link = invite(&server, &ada, "bob@shop.example", "VIEWER").await;
        let tries = (0..6).map(|nth| {
            let (server, link) = (&server, &link);
            async move { accept(server, code_of(link), &format!("the sentence of {nth}")).await.status().as_u16() }
        });
        let statuses = join_all(tries).await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 401)), "{statuses:?}");
    }

    async fn another_role_works_at_once_and_the_session_goes_on(engine: Engine) {
        let (server, ada) = office(engine).await;
        let bob = hire(&server, &ada, "bob@shop.example", "VIEWER").await;
        assert_eq!(refusal(&server, &bob.bearer, OPERATORS).await, (200, "FORBIDDEN".into()));
        let raise = json!({ "id": bob.operator["id"], "operator": { "role": "ADMIN", "timezone": "europe/paris" } });
        let raised = done(&server, &ada, UPDATE, raise).await;
        let expected = json!({ "name": "bob", "role": "ADMIN", "isActive": true, "timezone": "Europe/Paris" });
        assert_eq!(raised["operator"], expected);
        assert_eq!(refusal(&server, &bob.bearer, VIEWER).await, (401, "UNAUTHENTICATED".into()), "the old role");
        let next = welcome(refresh(&server, &bob.cookie).await).await;
        assert_eq!(data(&server, &next.bearer, OPERATORS, json!({})).await["operators"].as_array().unwrap().len(), 2);
        let rename = json!({ "id": bob.operator["id"], "operator": { "name": "Robert", "timezone": null } });
        let renamed = done(&server, &ada, UPDATE, rename).await;
        assert_eq!((&renamed["operator"]["name"], &renamed["operator"]["timezone"]), (&json!("Robert"), &json!(null)));
        assert_eq!(ask(&server, &next.bearer, VIEWER, json!({})).await.0, 200, "a name makes no token void");
    }

    async fn who_is_switched_off_is_out_at_once_here_and_elsewhere_within_a_second(engine: Engine) {
        let (server, ada) = office(engine).await;
        let there = server.sibling().await;
        let bob = hire(&server, &ada, "bob@shop.example", "MANAGER").await;
        assert_eq!(ask(&there, &bob.bearer, VIEWER, json!({})).await.0, 200);
        let off = json!({ "id": bob.operator["id"], "operator": { "isActive": false } });
        let done_off = done(&server, &ada, UPDATE, off).await;
        assert_eq!(done_off["operator"]["isActive"], false);
        assert_eq!(refusal(&server, &bob.bearer, VIEWER).await, (401, "UNAUTHENTICATED".into()));
        let elsewhere = refused_after(&there, &bob.bearer).await;
        assert!(elsewhere < NOTICED_WITHIN, "{elsewhere:?}");
        assert_eq!(refresh(&server, &bob.cookie).await.status(), 401);
        assert_eq!(try_sign_in(&there, "bob@shop.example", PASSWORD).await.status(), 401);
        let again = "mutation($id: ID!) { operatorInviteAgain(id: $id) { userErrors { code field } } }";
        let refused = payload(&server, &ada, again, json!({ "id": bob.operator["id"] })).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "INVALID", "field": ["id"] }]));
        let on = json!({ "id": bob.operator["id"], "operator": { "isActive": true } });
        done(&server, &ada, UPDATE, on).await;
        assert_eq!(refresh(&server, &bob.cookie).await.status(), 401, "old sessions stay over");
        sign_in(&server, "bob@shop.example", PASSWORD).await;
    }

    async fn the_last_administrator_who_can_sign_in_stays_one(engine: Engine) {
        let (server, ada) = office(engine).await;
        let own = data(&server, &ada, VIEWER, json!({})).await["viewer"]["id"].clone();
        invite(&server, &ada, "zoe@shop.example", "ADMIN").await;
        for (change, field) in [(json!({ "role": "MANAGER" }), "role"), (json!({ "isActive": false }), "isActive")] {
            let refused = payload(&server, &ada, UPDATE, json!({ "id": own, "operator": change })).await;
            let error = &refused["userErrors"][0];
            assert_eq!((&error["code"], &error["field"]), (&json!("LAST_ADMIN"), &json!(["operator", field])));
            assert!(error["hint"].is_string() && refused["operator"].is_null(), "{refused}");
        }
    }

    async fn of_two_administrators_who_demote_each_other_at_once_one_stays(engine: Engine) {
        let (server, ada) = office(engine).await;
        let bob = hire(&server, &ada, "bob@shop.example", "ADMIN").await;
        let ada = data(&server, &ada, VIEWER, json!({})).await["viewer"].clone();
        let both = [id_of(&ada), id_of(&bob.operator)];
        for _ in 0..5 {
            let by = Principal::system();
            let demote = |id| update_operator(&server.app, &by, id, OperatorChanges::role(Role::Viewer));
            let done = join_all(both.map(demote)).await;
            let demoted = done.iter().filter(|done| done.as_ref().unwrap().is_ok()).count();
            assert_eq!(demoted, 1, "{done:?}");
            let all = operators::list(&server.app.database).await.unwrap();
            assert_eq!(all.iter().filter(|view| view.operator.is_working_admin()).count(), 1);
            for id in both {
                update_operator(&server.app, &by, id, OperatorChanges::role(Role::Admin)).await.unwrap().unwrap();
            }
        }
    }

    async fn a_person_changes_their_password_with_the_one_of_now(engine: Engine) {
        let (server, ada) = office(engine).await;
        let bob = hire(&server, &ada, "bob@shop.example", "VIEWER").await;
        let other = sign_in(&server, "bob@shop.example", PASSWORD).await;
        let change = "mutation($name: String, $now: String, $new: String) {
            viewerUpdate(name: $name, currentPassword: $now, newPassword: $new) {
                viewer { name } userErrors { code field } } }";
        for (now, new, code, field) in [
            (json!(null), json!("a new sentence"), "REQUIRED", "currentPassword"),
            (json!(PASSWORD), json!(null), "REQUIRED", "newPassword"),
            (json!(PASSWORD), json!("short"), "PASSWORD_TOO_WEAK", "newPassword"),
            (json!("not my password"), json!("a new sentence"), "INVALID", "currentPassword"),
        ] {
            let refused = payload(&server, &bob.bearer, change, json!({ "now": now, "new": new })).await;
            assert_eq!(refused["userErrors"], json!([{ "code": code, "field": [field] }]), "{now} {new}");
        }
        let all = json!({ "name": "Robert", "now": PASSWORD, "new": "a new sentence" });
        let changed = done(&server, &bob.bearer, change, all).await;
        assert_eq!(changed["viewer"]["name"], "Robert");
        assert_eq!(refresh(&server, &other.cookie).await.status(), 401, "another browser is signed out");
        assert_eq!(ask(&server, &other.bearer, VIEWER, json!({})).await.0, 401);
        let own = welcome(refresh(&server, &bob.cookie).await).await;
        assert_eq!(data(&server, &own.bearer, VIEWER, json!({})).await["viewer"]["name"], "Robert");
        assert_eq!(try_sign_in(&server, "bob@shop.example", PASSWORD).await.status(), 401);
        sign_in(&server, "bob@shop.example", "a new sentence").await;

        // A stolen access token is no way to guess the password.
        let guess = json!({ "now": "not my password", "new": "a third sentence" });
        for _ in 0..FAILURES_MAX {
            let refused = payload(&server, &own.bearer, change, guess.clone()).await;
            assert_eq!(refused["userErrors"][0]["code"], "INVALID");
        }
        let right = json!({ "now": "a new sentence", "new": "a third sentence" });
        let locked = payload(&server, &own.bearer, change, right).await;
        assert_eq!(locked["userErrors"], json!([{ "code": "LIMIT_EXCEEDED", "field": ["currentPassword"] }]));
    }

    async fn sessions_are_listed_and_ended_by_their_owner_only(engine: Engine) {
        let (server, ada) = office(engine).await;
        let bob = hire(&server, &ada, "bob@shop.example", "VIEWER").await;
        let phone = sign_in(&server, "bob@shop.example", PASSWORD).await;
        let sessions = "{ sessions { id current createdAt lastSeenAt expiresAt } }";
        let own = data(&server, &bob.bearer, sessions, json!({})).await;
        let own = own["sessions"].as_array().unwrap();
        assert_eq!((own.len(), own.iter().filter(|session| session["current"] == true).count()), (2, 1));
        let of_the_phone = own.iter().find(|session| session["current"] == false).unwrap()["id"].clone();
        let revoke = "mutation($id: ID!) { sessionRevoke(id: $id) { deletedId userErrors { code field } } }";
        // Administrators too: whoever wants somebody out switches them off.
        let foreign = payload(&server, &ada, revoke, json!({ "id": of_the_phone })).await;
        assert_eq!(foreign, json!({ "deletedId": null, "userErrors": [{ "code": "NOT_FOUND", "field": ["id"] }] }));
        assert_eq!(ask(&server, &phone.bearer, VIEWER, json!({})).await.0, 200);
        let ended = done(&server, &bob.bearer, revoke, json!({ "id": of_the_phone })).await;
        assert_eq!(ended["deletedId"], of_the_phone);
        assert_eq!(ask(&server, &phone.bearer, VIEWER, json!({})).await.0, 401);
        assert_eq!(refresh(&server, &phone.cookie).await.status(), 401);
        let twice = payload(&server, &bob.bearer, revoke, json!({ "id": of_the_phone })).await;
        assert_eq!(twice["userErrors"][0]["code"], "NOT_FOUND");
        let own = data(&server, &bob.bearer, sessions, json!({})).await;
        assert_eq!(own["sessions"].as_array().unwrap().len(), 1);
        let current = json!({ "id": own["sessions"][0]["id"] });
        done(&server, &bob.bearer, revoke, current).await;
        assert_eq!(ask(&server, &bob.bearer, VIEWER, json!({})).await.0, 401, "one's own is signing out");
    }

    async fn an_api_key_is_shown_once_has_a_role_and_its_last_use(engine: Engine) {
        let (server, ada) = office(engine).await;
        let (id, secret) = issue_key(&server, &ada, "VIEWER", json!(null)).await;
        assert!(secret.starts_with("rt_k_") && secret.len() == 41, "{secret}");
        let viewer = data(&server, &secret, VIEWER, json!({})).await;
        let expected = json!({ "id": id, "kind": "API_KEY", "name": "VIEWER robot", "email": null, "role": "VIEWER",
            "timezone": null });
        assert_eq!(viewer["viewer"], expected);
        write_uses(&server.app).await.unwrap();
        let first_use = server.clock.now().to_string();
        let seen = data(&server, &ada, KEYS, json!({})).await;
        assert!(!seen.to_string().contains(&secret), "{seen}");
        let key = &seen["apiKeys"][0];
        assert_eq!(key["hint"], format!("{}…{}", &secret[5..9], &secret[31..35]));
        assert_eq!((&key["lastUsedAt"], &key["lastUsedIp"]), (&json!(first_use), &json!("127.0.0.0/24")));
        let maker = json!({ "kind": "OPERATOR", "label": "Ada", "operator": { "email": ADA } });
        assert_eq!(key["createdBy"], maker);
        server.clock.advance_seconds(59);
        data(&server, &secret, VIEWER, json!({})).await;
        write_uses(&server.app).await.unwrap();
        assert_eq!(data(&server, &ada, KEYS, json!({})).await["apiKeys"][0]["lastUsedAt"], first_use);
        server.clock.advance_seconds(1);
        data(&server, &secret, VIEWER, json!({})).await;
        write_uses(&server.app).await.unwrap();
        let later = server.clock.now().to_string();
        assert_eq!(data(&server, &ada, KEYS, json!({})).await["apiKeys"][0]["lastUsedAt"], later);

        assert_eq!(data(&server, &secret, "{ sessions { id } }", json!({})).await["sessions"], json!([]));
        let nobody = payload(&server, &secret, "mutation { viewerUpdate(name: \"x\") { userErrors { code } } }", json!({})).await;
        assert_eq!(nobody["userErrors"], json!([{ "code": "INVALID" }]));
        let contract = server.request("GET", "/schema.graphql").bearer_auth(&secret).send().await.unwrap();
        assert_eq!(contract.status(), 200);
        let not_in_the_url = server.get(&format!("/schema.graphql?access_token={secret}")).await;
        assert_eq!(not_in_the_url.status(), 401);
    }

    async fn a_key_of_another_server_works_at_once_and_its_end_is_noticed_within_a_second(engine: Engine) {
        let (server, ada) = office(engine).await;
        let there = server.sibling().await;
        let (id, secret) = issue_key(&server, &ada, "MANAGER", json!(null)).await;
        assert_eq!(ask(&there, &secret, VIEWER, json!({})).await.0, 200);
        let revoked = done(&server, &ada, REVOKE_KEY, json!({ "id": id })).await;
        assert!(revoked["apiKey"]["revokedAt"].is_string());
        assert_eq!(refusal(&server, &secret, VIEWER).await, (401, "UNAUTHENTICATED".into()), "here at once");
        let elsewhere = refused_after(&there, &secret).await;
        assert!(elsewhere < NOTICED_WITHIN, "{elsewhere:?}");
        let again = done(&server, &ada, REVOKE_KEY, json!({ "id": id })).await;
        assert_eq!(again, revoked, "twice is once");
        let seen = data(&server, &ada, KEYS, json!({})).await;
        assert_eq!(seen["apiKeys"][0]["revokedBy"]["label"], "Ada");
    }

    async fn every_bearer_that_is_not_believed_is_401_and_a_role_too_low_is_forbidden(engine: Engine) {
        let (server, ada) = office(engine).await;
        let end = server.clock.now().plus_seconds(100).to_string();
        let (_, expiring) = issue_key(&server, &ada, "ADMIN", json!(end)).await;
        let (_, manager) = issue_key(&server, &ada, "MANAGER", json!(null)).await;
        assert_eq!(refusal(&server, &manager, OPERATORS).await, (200, "FORBIDDEN".into()));
        let create = "mutation { apiKeyCreate(input: { name: \"x\", role: VIEWER }) { secret } }";
        assert_eq!(refusal(&server, &manager, create).await, (200, "FORBIDDEN".into()));
        let late = json!({ "input": { "name": "late", "role": "VIEWER", "expiresAt": server.clock.now().to_string() } });
        let mutation = "mutation($input: ApiKeyInput!) { apiKeyCreate(input: $input) { secret userErrors { code field } } }";
        let refused = payload(&server, &ada, mutation, late).await;
        let told_so = json!([{ "code": "INVALID", "field": ["input", "expiresAt"] }]);
        assert_eq!(refused, json!({ "secret": null, "userErrors": told_so }));

        server.clock.advance_seconds(99);
        assert_eq!(ask(&server, &expiring, VIEWER, json!({})).await.0, 200);
        server.clock.advance_seconds(1);
        let (status, expired) = ask(&server, &expiring, VIEWER, json!({})).await;
        assert_eq!(status, 401);
        assert!(expired["errors"][0]["message"].as_str().unwrap().contains("expired"), "{expired}");
        // Unknown with a right checksum, with a wrong one, cut, of another kind, and none.
        let stranger = PlainKey::generate(&SeededEntropy::new("x"));
        let typo = format!("{}0", &manager[..40]);
        for wrong in [stranger.reveal(), &typo, &manager[..40], &manager.replace("rt_k_", "rt_g_"), "rt_k_", "x"] {
            let response = request(&server, wrong, VIEWER, json!({})).send().await.unwrap();
            assert!(header(&response, "www-authenticate").unwrap().contains("invalid_token"), "{wrong}");
            let (status, answer) = told(response).await;
            assert_eq!((status, &answer["errors"][0]["message"]), (401, &json!("This bearer token is not valid")), "{wrong}");
        }
    }

    async fn an_administrators_key_may_do_what_its_role_may_and_the_trail_says_a_key_did_it(engine: Engine) {
        let (server, ada) = office(engine).await;
        let (id, secret) = issue_key(&server, &ada, "ADMIN", json!(null)).await;
        hire(&server, &secret, "bob@shop.example", "VIEWER").await;
        server.clock.advance_seconds(1);
        let (second, _) = issue_key(&server, &secret, "VIEWER", json!(null)).await;
        let log = "query($ids: [ID!]) { auditLog(filter: { actorIds: $ids }) { nodes { action subjectId subjectLabel
            actor { kind label ip apiKey { id name } operator { id } } } } }";
        let seen = data(&server, &ada, log, json!({ "ids": [id] })).await;
        let entries = seen["auditLog"]["nodes"].as_array().unwrap();
        let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["api_key.create", "operator.invite"]);
        let actor = json!({ "kind": "API_KEY", "label": "ADMIN robot", "ip": "127.0.0.0/24",
            "apiKey": { "id": id, "name": "ADMIN robot" }, "operator": null });
        assert_eq!((&entries[0]["actor"], &entries[0]["subjectId"]), (&actor, &json!(second)));
        assert_eq!(entries[1]["subjectLabel"], "bob");
        let made_by = data(&server, &ada, KEYS, json!({})).await;
        assert_eq!(made_by["apiKeys"][0]["createdBy"]["kind"], "API_KEY");
    }

    async fn the_audit_log_is_paged_and_narrowed(engine: Engine) {
        let (server, ada) = office(engine).await;
        server.clock.advance_seconds(1);
        let link = invite(&server, &ada, "bob@shop.example", "VIEWER").await;
        server.clock.advance_seconds(1);
        let bob = welcome(accept(&server, code_of(&link), PASSWORD).await).await;
        let between = server.clock.now().plus_seconds(5).to_string();
        server.clock.advance_seconds(10);
        let change = json!({ "id": bob.operator["id"], "operator": { "role": "MANAGER" } });
        done(&server, &ada, UPDATE, change).await;
        server.clock.advance_seconds(1);
        done(&server, &ada, "mutation { advertiserCreate(advertiser: { name: \"Shop\" }) { userErrors { code } } }", json!({})).await;

        let log = "query($filter: AuditFilter, $first: Int, $after: String) {
            auditLog(filter: $filter, first: $first, after: $after) { pageInfo { hasNextPage endCursor } nodes {
                id at action actor { kind label } subjectId subjectLabel requestId changes { field before after }
                subject { __typename id ... on Operator { email } ... on Advertiser { name } } } } }";
        let actions = |page: &Value| {
            let nodes = page["auditLog"]["nodes"].as_array().unwrap();
            nodes.iter().map(|node| node["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let all = data(&server, &ada, log, json!({})).await;
        let newest_first =
            ["advertiser.create", "operator.update", "operator.accept_invite", "operator.invite", "operator.create"];
        assert_eq!(actions(&all), newest_first);
        let update = &all["auditLog"]["nodes"][1];
        assert_eq!(update["changes"], json!([{ "field": "role", "before": "viewer", "after": "manager" }]));
        let subject = json!({ "__typename": "Operator", "id": bob.operator["id"], "email": "bob@shop.example" });
        assert_eq!((&update["subject"], &update["subjectLabel"]), (&subject, &json!("bob")));
        assert!(update["requestId"].as_str().unwrap().starts_with("req_"), "{update}");
        let node = "query($id: ID!) { node(id: $id) { ... on AuditEntry { action } } }";
        let found = data(&server, &ada, node, json!({ "id": update["id"] })).await;
        assert_eq!(found["node"]["action"], "operator.update");
        let manager = welcome(refresh(&server, &bob.cookie).await).await.bearer;
        let (_, refused) = ask(&server, &manager, node, json!({ "id": update["id"] })).await;
        assert_eq!((&refused["data"]["node"], &refused["errors"][0]["extensions"]["code"]), (&json!(null), &json!("FORBIDDEN")));

        let first = data(&server, &ada, log, json!({ "first": 2 })).await;
        let after = &first["auditLog"]["pageInfo"]["endCursor"];
        let second = data(&server, &ada, log, json!({ "first": 3, "after": after })).await;
        assert_eq!([actions(&first), actions(&second)].concat(), newest_first);
        assert_eq!(second["auditLog"]["pageInfo"]["hasNextPage"], false);
        for (filter, expected) in [
            (json!({ "actions": ["operator.update", "advertiser.create"] }), &newest_first[..2]),
            (json!({ "actorIds": [bob.operator["id"]] }), &newest_first[2..3]),
            (json!({ "actorIds": ["system"] }), &newest_first[4..]),
            (json!({ "subjectIds": [bob.operator["id"]] }), &newest_first[1..4]),
            (json!({ "at": { "since": between } }), &newest_first[..2]),
            (json!({ "at": { "since": "2020-01-01T00:00:00Z", "until": between } }), &newest_first[2..]),
            (json!({ "subjectIds": [bob.operator["id"]], "actions": ["operator.update"] }), &newest_first[1..2]),
            (json!({ "actions": [] }), &newest_first[..0]),
            (json!({ "actions": ["\u{0}"] }), &newest_first[..0]),
        ] {
            let page = data(&server, &ada, log, json!({ "filter": filter })).await;
            assert_eq!(actions(&page), expected, "{filter}");
        }
        let many: Vec<_> = (0..101).map(|n| n.to_string()).collect();
        let (_, refused) = ask(&server, &ada, log, json!({ "filter": { "actions": many } })).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!(refusal(&server, &manager, "{ auditLog { nodes { id } } }").await, (200, "FORBIDDEN".into()));
    }

    async fn a_call_that_is_sent_twice_makes_one_operator_and_one_key_and_shows_their_secrets_once(engine: Engine) {
        let (server, ada) = office(engine).await;
        let invite = "mutation($name: String!) { operatorInvite(idempotencyKey: \"a\", operator: { email: \"b@shop.example\",
            name: $name, role: VIEWER }) { operator { id } inviteUrl warnings userErrors { code field } } }";
        let create = "mutation($name: String!) { apiKeyCreate(idempotencyKey: \"a\", input: { name: $name, role: VIEWER }) {
            apiKey { id } secret warnings userErrors { code field } } }";
        for (mutation, thing, secret) in [(invite, "operator", "inviteUrl"), (create, "apiKey", "secret")] {
            let first = done(&server, &ada, mutation, json!({ "name": "B" })).await;
            assert!(first[secret].is_string() && first["warnings"] == json!([]), "{first}");
            let second = done(&server, &ada, mutation, json!({ "name": "B" })).await;
            assert_eq!((&second[thing], &second[secret]), (&first[thing], &json!(null)));
            assert_eq!(second["warnings"].as_array().unwrap().len(), 1, "{second}");
            let other = payload(&server, &ada, mutation, json!({ "name": "C" })).await;
            let reused = json!([{ "code": "IDEMPOTENCY_KEY_REUSED", "field": ["idempotencyKey"] }]);
            assert_eq!((&other["userErrors"], &other[secret]), (&reused, &json!(null)));
        }
        let seen = data(&server, &ada, "{ operators { id } apiKeys { id } }", json!({})).await;
        assert_eq!((seen["operators"].as_array().unwrap().len(), seen["apiKeys"].as_array().unwrap().len()), (2, 1));
    }

    async fn nine_wrong_passwords_are_forgiven_and_ten_lock_the_pair(engine: Engine) {
        let (server, _) = office(engine).await;
        let wrong = async |times: u32| {
            for _ in 0..times {
                assert_eq!(try_sign_in(&server, ADA, "wrong horse battery").await.status(), 401);
            }
        };
        wrong(FAILURES_MAX - 1).await;
        sign_in(&server, ADA, PASSWORD).await;
        wrong(FAILURES_MAX).await;
        let locked = try_sign_in(&server, ADA, PASSWORD).await;
        assert_eq!((locked.status().as_u16(), header(&locked, "retry-after")), (429, Some("900")));
        assert_eq!(try_sign_in(&server, ADA, "wrong horse battery").await.status(), 429, "the eleventh");
        let body = json!({ "email": ADA, "password": PASSWORD }).to_string();
        let elsewhere = server.request("POST", "/api/session").header("x-forwarded-for", "198.51.100.7");
        let elsewhere = elsewhere.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(elsewhere.status(), 200, "from another network");
        assert_eq!(try_sign_in(&server, "bob@shop.example", PASSWORD).await.status(), 401, "another account");
        server.clock.advance_seconds(WINDOW_SECONDS - 1);
        assert_eq!(try_sign_in(&server, ADA, PASSWORD).await.status(), 429);
        server.clock.advance_seconds(1);
        sign_in(&server, ADA, PASSWORD).await;
    }

    async fn the_points_of_a_minute_are_spent_and_come_back(engine: Engine) {
        let server = TestServer::start_empty(engine, "[limits]\ngraphql_points_per_minute = 500").await;
        let ada = set_up(&server).await.bearer;
        let (_, key) = issue_key(&server, &ada, "VIEWER", json!(null)).await;
        let rate = "{ viewer { rateLimit { limit remaining resetAt cost } } }";
        let (_, answer) = ask(&server, &key, rate, json!({})).await;
        let resets_at = server.clock.now().plus_seconds(60).to_string();
        let expected = json!({ "limit": 500, "remaining": 494, "resetAt": resets_at, "cost": 6 });
        assert_eq!(answer["data"]["viewer"]["rateLimit"], expected);
        assert_eq!(answer["extensions"]["cost"], expected);
        let dear = format!("{{ viewer {{ {} }} }}", "name ".repeat(399));
        assert_eq!(ask(&server, &key, &dear, json!({})).await.1["extensions"]["cost"]["remaining"], 94);
        server.clock.advance_seconds(40);
        let refused = request(&server, &key, &dear, json!({})).send().await.unwrap();
        assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, Some("20")));
        let (_, refused) = told(refused).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "RATE_LIMITED");
        assert_eq!((&refused["extensions"]["cost"]["remaining"], refused.get("data")), (&json!(94), None));
        assert_eq!(ask(&server, &key, VIEWER, json!({})).await.0, 200, "what is cheap still fits");
        assert_eq!(ask(&server, &ada, &dear, json!({})).await.0, 200, "nobody else's points");
        server.clock.advance_seconds(20);
        assert_eq!(ask(&server, &key, &dear, json!({})).await.0, 200, "the next minute");
    }

    async fn all_points_of_a_minute_may_be_spent_and_not_one_more(engine: Engine) {
        let server = TestServer::start_empty(engine, "[limits]\ngraphql_points_per_minute = 500").await;
        let ada = set_up(&server).await.bearer;
        let (_, key) = issue_key(&server, &ada, "VIEWER", json!(null)).await;
        let (_, other_key) = issue_key(&server, &ada, "VIEWER", json!(null)).await;
        let again = sign_in(&server, ADA, PASSWORD).await.bearer;
        // Ada spent points on the keys.
        server.clock.advance_seconds(60);
        let ask_for = async |bearer: &str, points: usize| {
            let query = format!("{{ viewer {{ {} }} }}", "name ".repeat(points - 1));
            request(&server, bearer, &query, json!({})).send().await.unwrap()
        };
        // A person spends the same points in every session.
        for (bearer, beside, unconcerned) in [(&ada, &again, &key), (&key, &key, &other_key)] {
            for (points, remaining) in [(400, 100), (98, 2), (2, 0)] {
                let (status, answer) = told(ask_for(bearer, points).await).await;
                assert_eq!((status, &answer["extensions"]["cost"]["remaining"]), (200, &json!(remaining)), "{answer}");
            }
            for (after, retry) in [(0, "60"), (59, "1")] {
                server.clock.advance_seconds(after);
                for bearer in [bearer, beside] {
                    let refused = ask_for(bearer, 2).await;
                    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, Some(retry)));
                    let (_, refused) = told(refused).await;
                    assert_eq!(refused["errors"][0]["extensions"]["code"], "RATE_LIMITED");
                }
            }
            assert_eq!(ask_for(unconcerned, 2).await.status(), 200);
            server.clock.advance_millis(999);
            assert_eq!(ask_for(bearer, 2).await.status(), 429, "the minute is not over");
            server.clock.advance_millis(1);
            assert_eq!(ask_for(bearer, 500).await.status(), 200, "the next minute");
            assert_eq!(ask_for(bearer, 2).await.status(), 429);
            server.clock.advance_seconds(60);
        }
    }

    async fn tokens_outlive_a_rotation_of_the_signing_key_until_they_end_and_are_refused_after_the_next(engine: Engine) {
        let (old, ada) = office(engine).await;
        let first = sign_in(&old, ADA, PASSWORD).await;
        let chance = SeededEntropy::new("rotation");
        // Several servers: first each of them learns the key, then one after the other signs with it.
        keys::prepare_sessions(old.keys_file(), &chance).unwrap();
        let prepared = old.sibling().await;
        keys::rotate_sessions(old.keys_file(), &chance).unwrap();
        let rotated = old.sibling().await;
        assert_eq!(ask(&rotated, &ada, VIEWER, json!({})).await.0, 200, "a token of the old key");
        let second = welcome(refresh(&rotated, &first.cookie).await).await;
        assert_eq!(ask(&prepared, &second.bearer, VIEWER, json!({})).await.0, 200, "a token of the key to come");
        assert_eq!(ask(&old, &second.bearer, VIEWER, json!({})).await.0, 401, "who was told nothing believes nothing");
        let kid = |bearer: &str| bearer.split('.').next().unwrap().to_owned();
        assert_ne!(kid(&second.bearer), kid(&first.bearer));

        keys::rotate_sessions(old.keys_file(), &chance).unwrap();
        let newest = old.sibling().await;
        assert_eq!(ask(&newest, &ada, VIEWER, json!({})).await.0, 401, "two rotations are too many for a token");
        assert_eq!(ask(&newest, &second.bearer, VIEWER, json!({})).await.0, 200);
        old.clock.advance_seconds(900 + 5);
        assert_eq!(ask(&newest, &second.bearer, VIEWER, json!({})).await.0, 401, "it has ended");
        let third = welcome(refresh(&newest, &second.cookie).await).await;
        assert_eq!(ask(&newest, &third.bearer, VIEWER, json!({})).await.0, 200, "and the session goes on");
    }

    async fn a_listed_origin_may_ask_the_admin_api_and_no_other(engine: Engine) {
        let settings = "[server]\ncors_origins = [\"https://dash.example\"]";
        let server = TestServer::start_empty(engine, settings).await;
        let ada = set_up(&server).await.bearer;
        let preflight = async |path: &str, origin: &str| {
            let asked = server.request("OPTIONS", path).header("origin", origin);
            let asked = asked.header("access-control-request-method", "POST");
            asked.header("access-control-request-headers", "authorization,content-type").send().await.unwrap()
        };
        let allowed = preflight("/graphql", "https://dash.example").await;
        assert_eq!(allowed.status(), 204);
        for (name, value) in [
            ("access-control-allow-origin", Some("https://dash.example")),
            ("access-control-allow-methods", Some("POST")),
            ("access-control-allow-headers", Some("authorization, content-type")),
            ("access-control-max-age", Some("7200")),
            ("access-control-allow-credentials", None),
            ("vary", Some("origin")),
        ] {
            assert_eq!(header(&allowed, name), value, "{name}");
        }
        let asked = async |origin: &str| {
            request(&server, &ada, VIEWER, json!({})).header("origin", origin).send().await.unwrap()
        };
        let answer = asked("https://dash.example").await;
        assert_eq!((answer.status().as_u16(), header(&answer, "access-control-allow-origin")), (200, Some("https://dash.example")));
        assert_eq!(header(&answer, "access-control-expose-headers"), Some("retry-after"));
        for other in ["https://evil.example", "http://dash.example", "https://dash.example:444", "https://dash.example.evil.example", "null", ""] {
            let refused = preflight("/graphql", other).await;
            let answer = asked(other).await;
            assert_eq!((refused.status().as_u16(), answer.status().as_u16()), (405, 200), "{other}");
            for response in [refused, answer] {
                let named = response.headers().keys().find(|name| name.as_str().starts_with("access-control-"));
                assert_eq!((named, header(&response, "vary")), (None, Some("origin")), "{other}");
            }
        }
        // Signing in is for our own pages, and tracking for no script at all.
        for path in ["/api/session", "/api/session/refresh", "/api/setup", "/api/invite", "/schema.graphql", "/postback", "/click", "/pixel.gif"] {
            let answer = preflight(path, "https://dash.example").await;
            assert_eq!(header(&answer, "access-control-allow-origin"), None, "{path}");
        }
    }
}

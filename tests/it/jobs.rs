//! Jobs on both engines: turns, leases, the end of a step and of a server; and exports from asking to the file.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use roundtrip::app::jobs::run::{ATTEMPTS_MAX, LEASE_SECONDS, RETRY_SECONDS, take_turn};
use roundtrip::app::jobs::{Step, StepError, StepFailed, StepOf, step_of};
use roundtrip::app::setup::ensure_setup_code;
use roundtrip::app::{App, AppError, UserError, UserErrorCode};
use roundtrip::domain::code::Code;
use roundtrip::domain::ids::JobId;
use roundtrip::domain::inbound::Door;
use roundtrip::domain::job::{Job, Progress};
use roundtrip::domain::operator::Role;
use roundtrip::store::{Engine, audit};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::admin::Admin;
use crate::support::databases::tamper;
use crate::support::on_both_engines;
use crate::support::server::{TestServer, header, told};

const JOB: &str = "query($id: ID!) { job(id: $id) { kind state total processed succeeded failed failure cancelRequested
    createdBy { kind label } startedAt finishedAt downloadUrl errors { nodes { subjectId error { code message } } } } }";

async fn job(admin: &Admin, id: &Value) -> Value {
    admin.data(JOB, json!({ "id": id })).await["job"].take()
}

/// Asks for an export of everything; the id of its job.
async fn ask(admin: &Admin) -> Value {
    let export = "mutation { conversionsExport(filter: {}) { job { id state } userErrors { code field message } } }";
    admin.done(export, json!({})).await["job"]["id"].take()
}

fn server(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// Takes turns until there is nothing to do.
async fn work(admin: &Admin, step: StepOf) {
    while take_turn(&admin.app, server(1), step).await.unwrap() {}
}

/// Three steps of two things each; one of the last two fails.
fn three_steps<'a>(_: &'a App, job: &'a Job) -> BoxFuture<'a, Result<Step, StepFailed>> {
    let done = job.position.as_deref().map_or(0, |position| position.parse::<i32>().unwrap());
    let last = done == 2;
    let fault = UserError::new(UserErrorCode::NotFound, &["id"], "It is gone.");
    let errors = vec![StepError { subject: Some("offer_9".to_owned()), fault }];
    Box::pin(async move {
        Ok(Step {
            next: (!last).then(|| (done + 1).to_string()),
            did: Progress { total: Some(6), processed: 2, succeeded: 2 - i64::from(last), failed: i64::from(last) },
            errors: if last { errors } else { Vec::new() },
        })
    })
}

/// Never done, by our fault.
fn fails<'a>(_: &'a App, _: &'a Job) -> BoxFuture<'a, Result<Step, StepFailed>> {
    Box::pin(async { Err(StepFailed::Ours(AppError::Internal("broken".to_owned()))) })
}

/// Takes its server down with it.
fn panics<'a>(_: &'a App, _: &'a Job) -> BoxFuture<'a, Result<Step, StepFailed>> {
    Box::pin(async { panic!("in a step") })
}

on_both_engines! {
    async fn a_job_is_done_in_steps_and_tells_what_it_could_not_do(engine: Engine) {
        let admin = Admin::start(engine).await;
        let mut heard = admin.app.jobs.subscribe();
        let id = ask(&admin).await;
        let queued = job(&admin, &id).await;
        assert_eq!((&queued["state"], &queued["kind"]), (&json!("QUEUED"), &json!("CONVERSIONS_EXPORT")));
        assert_eq!(queued["createdBy"]["kind"], "OPERATOR");
        assert!(take_turn(&admin.app, server(1), three_steps).await.unwrap());
        let running = job(&admin, &id).await;
        assert_eq!((&running["state"], &running["processed"], &running["total"]), (&json!("RUNNING"), &json!(2), &json!(6)));
        work(&admin, three_steps).await;
        let done = job(&admin, &id).await;
        assert_eq!((&done["state"], &done["processed"], &done["succeeded"], &done["failed"]),
            (&json!("PARTIAL"), &json!(6), &json!(5), &json!(1)));
        assert!(done["startedAt"].is_string() && done["finishedAt"].is_string());
        assert_eq!(done["errors"]["nodes"], json!([{ "subjectId": "offer_9", "error": { "code": "NOT_FOUND", "message": "It is gone." } }]));
        assert_eq!(done["downloadUrl"], Value::Null, "a part is no export");
        assert_eq!(heard.recv().await.unwrap().to_string(), id.as_str().unwrap());
        let trail = audit::find_by_subject(&admin.app.database, id.as_str().unwrap(), 5).await.unwrap();
        assert_eq!(trail.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(), ["conversions.export"]);
    }

    async fn a_server_that_is_gone_holds_a_job_up_until_its_lease_ends(engine: Engine) {
        let admin = Admin::start(engine).await;
        let id = ask(&admin).await;
        assert!(take_turn(&admin.app, server(1), three_steps).await.unwrap());
        // As a server that dies in its second step leaves it.
        let until = admin.app.clock.now().plus_seconds(LEASE_SECONDS).as_millis();
        tamper(&admin.app.database, &format!("UPDATE job SET lease_until = {until}, attempts = 1")).await;
        assert!(!take_turn(&admin.app, server(2), three_steps).await.unwrap());
        admin.clock.advance_millis(LEASE_SECONDS * 1000 - 1);
        assert!(!take_turn(&admin.app, server(2), three_steps).await.unwrap());
        admin.clock.advance_millis(1);
        assert!(take_turn(&admin.app, server(2), three_steps).await.unwrap());
        let resumed = job(&admin, &id).await;
        assert_eq!((&resumed["processed"], &resumed["state"]), (&json!(4), &json!("RUNNING")), "from the last saved step");
    }

    async fn servers_share_the_steps_and_no_step_is_done_by_two(engine: Engine) {
        static DONE: Mutex<Vec<(Engine, JobId)>> = Mutex::new(Vec::new());
        fn counts<'a>(app: &'a App, job: &'a Job) -> BoxFuture<'a, Result<Step, StepFailed>> {
            Box::pin(async {
                DONE.lock().unwrap().push((app.database.engine(), job.id));
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(Step { did: Progress { processed: 1, succeeded: 1, ..Progress::default() }, ..Step::default() })
            })
        }
        let admin = Admin::start(engine).await;
        let ids = [ask(&admin).await, ask(&admin).await, ask(&admin).await, ask(&admin).await];
        let servers = (1..=4).map(|number| {
            let admin = &admin;
            async move { while take_turn(&admin.app, server(number), counts).await.unwrap() {} }
        });
        join_all(servers).await;
        for id in &ids {
            let is_it = |done: &&(Engine, JobId)| done.0 == engine && done.1.to_string() == id.as_str().unwrap();
            assert_eq!(DONE.lock().unwrap().iter().filter(is_it).count(), 1);
            let done = job(&admin, id).await;
            assert_eq!((&done["state"], &done["processed"]), (&json!("SUCCEEDED"), &json!(1)));
        }
    }

    async fn a_job_that_nobody_wants_stops_before_its_next_step(engine: Engine) {
        let admin = Admin::start(engine).await;
        let id = ask(&admin).await;
        assert!(take_turn(&admin.app, server(1), three_steps).await.unwrap());
        let cancel = "mutation($id: ID!) { jobCancel(id: $id) { job { state cancelRequested } userErrors { code field } } }";
        let asked = admin.done(cancel, json!({ "id": id })).await;
        assert_eq!(asked["job"], json!({ "state": "RUNNING", "cancelRequested": true }));
        work(&admin, three_steps).await;
        let stopped = job(&admin, &id).await;
        assert_eq!((&stopped["state"], &stopped["processed"]), (&json!("CANCELLED"), &json!(2)), "what was done stays done");
        let again = admin.done(cancel, json!({ "id": id })).await;
        assert_eq!(again["job"]["state"], "CANCELLED");
        let trail = audit::find_by_subject(&admin.app.database, id.as_str().unwrap(), 5).await.unwrap();
        assert_eq!(trail.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(), ["job.cancel", "conversions.export"]);
        let nobody = json!({ "id": "job_019a0000000070008000000000000001" });
        let refused = admin.data(cancel, nobody).await;
        assert_eq!(refused["jobCancel"]["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["id"] }]));
    }

    async fn a_step_that_fails_by_our_fault_is_tried_ten_times(engine: Engine) {
        for step in [fails as StepOf, panics] {
            let admin = Admin::start(engine).await;
            let id = ask(&admin).await;
            for attempt in 1..=i64::from(ATTEMPTS_MAX) {
                assert!(take_turn(&admin.app, server(1), step).await.unwrap(), "{attempt}");
                assert!(!take_turn(&admin.app, server(1), step).await.unwrap(), "it rests first");
                assert_eq!(job(&admin, &id).await["state"], "RUNNING");
                admin.clock.advance_seconds(RETRY_SECONDS * attempt);
            }
            work(&admin, step).await;
            let failed = job(&admin, &id).await;
            assert_eq!(failed["state"], "FAILED");
            assert!(failed["failure"].as_str().unwrap().contains("ten times"), "{failed}");
            assert!(!failed.to_string().contains("broken"), "an inside text leaves: {failed}");
        }
    }

    async fn a_hundred_jobs_may_wait_and_no_more(engine: Engine) {
        let admin = Admin::start(engine).await;
        for _ in 0..100 {
            ask(&admin).await;
        }
        let export = "mutation { conversionsExport(filter: {}) { job { id } userErrors { code } } }";
        let refused = admin.data(export, json!({})).await;
        assert_eq!(refused["conversionsExport"], json!({ "job": null, "userErrors": [{ "code": "LIMIT_EXCEEDED" }] }));
        let page = "{ jobs(first: 200, states: [QUEUED]) { nodes { id } totalCount { value } } }";
        let seen = admin.data(page, json!({})).await;
        assert_eq!((seen["jobs"]["nodes"].as_array().unwrap().len(), &seen["jobs"]["totalCount"]["value"]), (100, &json!(100)));
    }

    async fn an_export_counts_its_rows_and_says_what_it_cannot_have(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        for order in 1..=3 {
            let query = format!("secure={secret}&offer=42&publisher=7&order_id=A-{order}");
            assert_eq!(admin.track(Door::Clickless, &query).await.code, Code::Recorded);
        }
        let id = ask(&admin).await;
        admin.clock.advance_seconds(1);
        let late = format!("secure={secret}&offer=42&publisher=7&order_id=late");
        assert_eq!(admin.track(Door::Clickless, &late).await.code, Code::Recorded);
        work(&admin, step_of).await;
        let done = job(&admin, &id).await;
        assert_eq!((&done["state"], &done["total"], &done["processed"]), (&json!("SUCCEEDED"), &json!(3), &json!(3)));
        assert_eq!(done["downloadUrl"], format!("https://track.example/api/export/{}", id.as_str().unwrap()));
        let receipts = "mutation { receiptsExport(filter: {}) { job { id } userErrors { code } } }";
        let receipts = admin.done(receipts, json!({})).await["job"]["id"].take();
        work(&admin, step_of).await;
        assert_eq!(job(&admin, &receipts).await["total"], 4);

        let export = "mutation($c: [String!], $f: ConversionFilter!) { conversionsExport(filter: $f, columns: $c) { job { id } userErrors { code field index } } }";
        for (columns, errors) in [
            (json!([]), json!([{ "code": "REQUIRED", "field": ["columns"], "index": null }])),
            (json!(["revenue", "nothing", "revenue"]), json!([
                { "code": "INVALID", "field": ["columns"], "index": 1 }, { "code": "INVALID", "field": ["columns"], "index": 2 }])),
        ] {
            let refused = admin.data(export, json!({ "c": columns, "f": {} })).await;
            assert_eq!(refused["conversionsExport"]["userErrors"], errors);
        }
        let wide = json!({ "c": null, "f": { "orderId": { "eq": "A-1" } } });
        let refused = admin.data(export, wide).await;
        assert_eq!(refused["conversionsExport"]["userErrors"][0]["field"], json!(["filter"]));
    }
}

/// A server, and the access token of its first administrator.
async fn signed_in(engine: Engine) -> (TestServer, String) {
    let server = TestServer::start_seeded(engine).await;
    let code = ensure_setup_code(&server.app).await.unwrap().unwrap();
    let first =
        json!({ "code": code.reveal(), "email": "a@shop.example", "name": "Ada", "password": "correct horse battery" });
    let (status, welcome) = told(server.post_json("/api/setup", first.to_string()).await).await;
    assert_eq!(status, 200, "{welcome}");
    (server, welcome["access_token"].as_str().unwrap().to_owned())
}

async fn graphql(server: &TestServer, bearer: &str, query: &str, variables: Value) -> Value {
    let request = server.request("POST", "/graphql").bearer_auth(bearer).header("content-type", "application/json");
    let body = json!({ "query": query, "variables": variables }).to_string();
    let (_, mut answer) = told(request.body(body).send().await.unwrap()).await;
    assert!(answer.get("errors").is_none(), "{answer:#}");
    answer["data"].take()
}

/// Asks a running server for an export, and waits for its end; the path of the file.
async fn exported(server: &TestServer, bearer: &str, variables: Value) -> String {
    let export = "mutation($f: ConversionFilter!, $c: [String!]) { conversionsExport(filter: $f, columns: $c) {
        job { id } userErrors { message } } }";
    let asked = graphql(server, bearer, export, variables).await;
    let id = asked["conversionsExport"]["job"]["id"].clone();
    for _ in 0..500 {
        let now =
            graphql(server, bearer, "query($id: ID!) { job(id: $id) { state total } }", json!({ "id": id })).await;
        if now["job"]["state"] == "SUCCEEDED" {
            return format!("/api/export/{}", id.as_str().unwrap());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the export does not end");
}

const HOSTILE: &[&str] =
    &["=1+1", "+1", "-2+3", "@SUM(A1)", " =1", "=HYPERLINK(\"http://evil.example\",\"x\")", "a,b\"c"];

on_both_engines! {
    async fn an_export_is_downloaded_with_hostile_cells_as_texts(engine: Engine) {
        let (server, bearer) = signed_in(engine).await;
        for (order, hostile) in HOSTILE.iter().enumerate() {
            let encoded: String = url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect();
            let (status, told) = server
                .told(&format!("/postback/clickless?offer=42&publisher=7&order_id=O-{order}&sub_id={encoded}&revenue=5&colour={encoded}"))
                .await;
            assert_eq!(status, 200, "{told}");
        }
        let columns = json!(["order_id", "sub_id", "revenue", "extra_params"]);
        let path = exported(&server, &bearer, json!({ "f": {}, "c": columns })).await;
        let response = server.request("GET", &path).bearer_auth(&bearer).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), Some("text/csv; charset=utf-8; header=present"));
        assert_eq!(header(&response, "cache-control"), Some("no-store"));
        assert!(header(&response, "content-disposition").unwrap().starts_with("attachment; filename=\"job_"));
        let text = response.text().await.unwrap();
        assert!(text.starts_with("order_id,sub_id,revenue,extra_params\r\n"), "{text}");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), HOSTILE.len());
        for (order, hostile) in HOSTILE.iter().enumerate() {
            // All in one millisecond, so in the order of ids that were drawn by chance.
            let row = rows.iter().find(|row| row[0] == format!("O-{order}")).unwrap();
            let plain = hostile.starts_with('a');
            assert_eq!(&row[1], if plain { (*hostile).to_owned() } else { format!("'{}", hostile.trim()) }, "{text}");
            assert_eq!(&row[2], "5.00");
            assert!(row[3].starts_with("colour="), "{row:?}");
        }
    }

    async fn a_file_is_for_who_may_have_it_and_for_a_day(engine: Engine) {
        let (server, bearer) = signed_in(engine).await;
        let path = exported(&server, &bearer, json!({ "f": {}, "c": null })).await;
        let status = async |path: &str, bearer: Option<&str>| {
            let request = server.request("GET", path);
            let request = bearer.into_iter().fold(request, |request, bearer| request.bearer_auth(bearer));
            request.send().await.unwrap().status().as_u16()
        };
        assert_eq!(status(&path, None).await, 401);
        assert_eq!(status(&path, Some("nobody")).await, 401);
        assert_eq!(status(&path, Some(&server.secret)).await, 401, "a secure token is no access token");
        assert_eq!(status(&path, Some(&bearer)).await, 200);
        assert_eq!(status("/api/export/job_019a0000000070008000000000000001", Some(&bearer)).await, 404);
        assert_eq!(status("/api/export/offer_42", Some(&bearer)).await, 404);
        tamper(&server.app.database, "UPDATE operator SET role = 'viewer'").await;
        tamper(&server.app.database, "UPDATE config_version SET version = version + 1").await;
        roundtrip::app::snapshot::refresh(&server.app).await.unwrap();
        assert_eq!(status(&path, Some(&bearer)).await, 403);
        tamper(&server.app.database, "UPDATE operator SET role = 'manager'").await;
        tamper(&server.app.database, "UPDATE config_version SET version = version + 1").await;
        roundtrip::app::snapshot::refresh(&server.app).await.unwrap();
        assert_eq!(status(&path, Some(&bearer)).await, 200);
        let end = server.app.clock.now().plus_seconds(-24 * 3600).as_millis();
        tamper(&server.app.database, &format!("UPDATE job SET finished_at = {}", end + 1)).await;
        assert_eq!(status(&path, Some(&bearer)).await, 200);
        tamper(&server.app.database, &format!("UPDATE job SET finished_at = {end}")).await;
        assert_eq!(status(&path, Some(&bearer)).await, 410);
        tamper(&server.app.database, "UPDATE job SET state = 'cancelled'").await;
        assert_eq!(status(&path, Some(&bearer)).await, 409);
    }

    async fn ten_thousand_rows_come_in_pages(engine: Engine) {
        let (server, bearer) = signed_in(engine).await;
        let number = match engine {
            Engine::Sqlite => "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)",
            Engine::Postgres => "WITH n AS (SELECT generate_series(1, 10000) AS i)",
        };
        let (id, transaction) = match engine {
            Engine::Sqlite => ("CAST(printf('%016d', i) AS BLOB)", "CAST(printf('%025d', i) AS BLOB)"),
            Engine::Postgres => ("lpad(i::text, 32, '0')::uuid", "convert_to(lpad(i::text, 25, '0'), 'UTF8')"),
        };
        let at = server.app.clock.now().as_millis();
        let no = match engine { Engine::Sqlite => "0", Engine::Postgres => "FALSE" };
        tamper(&server.app.database, &format!(
            "INSERT INTO conversion (id, transaction_id, event_number, source, status, offer_id, publisher_id, currency, click_pending, is_test, converted_at, recorded_at, status_changed_at, version)
             {number} SELECT {id}, {transaction}, 0, 'clickless', 'approved', 42, 7, 'EUR', {no}, {no}, {at} - i, {at}, {at}, 1 FROM n"
        )).await;
        let path = exported(&server, &bearer, json!({ "f": {}, "c": ["conversion_id"] })).await;
        let text = server.request("GET", &path).bearer_auth(&bearer).send().await.unwrap().text().await.unwrap();
        let ids: std::collections::HashSet<&str> = text.lines().skip(1).collect();
        assert_eq!((text.lines().count(), ids.len()), (10_001, 10_000));
    }
}

#[tokio::test]
async fn a_manager_cancels_what_a_manager_may_start() {
    let admin = Admin::start(Engine::Sqlite).await;
    let id = ask(&admin).await;
    let cancel = "mutation($id: ID!) { jobCancel(id: $id) { userErrors { code } } }";
    let refused = admin.ask(Role::Viewer, cancel, json!({ "id": id })).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let done = admin.ask(Role::Manager, cancel, json!({ "id": id })).await;
    assert_eq!(done["data"]["jobCancel"]["userErrors"], json!([]));
}

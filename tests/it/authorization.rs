//! Who may do what in the admin API: a row for every query, every mutation and every guarded field.
//!
//! The table is compared with the schema in both directions, so an operation without a row fails, and so does a row
//! that says another role than the schema. Then every row is called: at one role too low it is `FORBIDDEN`, at its own
//! it is not, and without a bearer it is 401.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{FieldDefinition, TypeKind, TypeSystemDefinition};
use roundtrip::app::tracking_domains::create_local_domain;
use roundtrip::domain::inbound::Door;
use roundtrip::domain::operator::{Principal, Role};
use roundtrip::graphql::schema::sdl;
use roundtrip::store::Engine;
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::databases::rows;
use crate::support::desk::done;

/// An operation or a guarded field, the least role, and a document that calls it and nothing else that is guarded.
struct Row(&'static str, Role, &'static str);

const TABLE: &[Row] = &[
    Row("Query.advertiser", Role::Viewer, "{ advertiser(id: \"adv_1\") { name } }"),
    Row("Query.advertisers", Role::Viewer, "{ advertisers { nodes { name offers { nodes { name } } } } }"),
    Row("Query.conversion", Role::Viewer, "{ conversion(by: { id: \"$CNV\" }) { status } }"),
    Row("Query.conversions", Role::Viewer, "{ conversions { nodes { id } totalCount { value } } }"),
    Row("Query.globalPostback", Role::Viewer, "{ globalPostback { conversion { masked } } }"),
    Row("Query.job", Role::Viewer, "{ job(id: \"$JOB\") { state errors { nodes { subjectId } } } }"),
    Row("Query.jobs", Role::Viewer, "{ jobs { nodes { kind } totalCount { value } } }"),
    Row("Query.node", Role::Viewer, "{ node(id: \"offer_42\") { id } }"),
    Row("Query.nodes", Role::Viewer, "{ nodes(ids: [\"offer_42\", \"$TOK\"]) { id } }"),
    Row("Query.offer", Role::Viewer, "{ offer(id: \"offer_42\") { name } }"),
    Row("Query.offers", Role::Viewer, "{ offers { nodes { name } } }"),
    Row(
        "Query.postbackExplain",
        Role::Manager,
        "{ postbackExplain(url: \"https://t.example/postback?secure=a\") { code } }",
    ),
    Row("Query.postbackParameters", Role::Viewer, "{ postbackParameters(kind: CLICKLESS) { name } }"),
    Row("Query.publisher", Role::Viewer, "{ publisher(id: \"pub_7\") { name } }"),
    Row("Query.publishers", Role::Viewer, "{ publishers { nodes { name } } }"),
    Row("Query.receipt", Role::Viewer, "{ receipt(id: \"$RCP\") { code } }"),
    Row("Query.receiptReplayExplain", Role::Manager, "{ receiptReplayExplain(id: \"$RCP\") { code } }"),
    Row("Query.receipts", Role::Viewer, "{ receipts { nodes { code checks { name } } } }"),
    Row("Query.secureTokens", Role::Viewer, "{ secureTokens { nodes { hint } } }"),
    Row("Query.server", Role::Viewer, "{ server { version } }"),
    Row("Query.trackingDomains", Role::Viewer, "{ trackingDomains { hostname } }"),
    Row(
        "Query.trackingLink",
        Role::Viewer,
        "{ trackingLink(input: { offerId: \"offer_42\", publisherId: \"pub_7\" }) { url } }",
    ),
    Row("Query.viewer", Role::Viewer, "{ viewer { role } }"),
    Row(
        "Mutation.advertiserCreate",
        Role::Manager,
        "mutation { advertiserCreate(advertiser: { name: \"B\" }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.advertiserUpdate",
        Role::Manager,
        "mutation { advertiserUpdate(id: \"adv_1\", version: 1, advertiser: { name: \"B\" }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.conversionReinstate",
        Role::Manager,
        "mutation { conversionReinstate(id: \"$CNV\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.conversionReject",
        Role::Manager,
        "mutation { conversionReject(id: \"$CNV\", reason: \"r\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.conversionStatusSet",
        Role::Manager,
        "mutation { conversionStatusSet(id: \"$CNV\", status: PENDING, note: \"n\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.conversionAmend",
        Role::Manager,
        "mutation { conversionAmend(id: \"$CNV\", version: 9, input: { revenue: \"1\", note: \"n\" }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.conversionNoteAdd",
        Role::Manager,
        "mutation { conversionNoteAdd(id: \"$CNV\", note: \"n\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.conversionsReinstate",
        Role::Manager,
        "mutation { conversionsReinstate(input: { selection: { ids: [\"$CNV\"] } }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.conversionsReject",
        Role::Manager,
        "mutation { conversionsReject(input: { selection: { ids: [\"$CNV\"] }, reason: \"r\" }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.conversionsExport",
        Role::Manager,
        "mutation { conversionsExport(filter: {}) { userErrors { code } } }",
    ),
    Row("Mutation.jobCancel", Role::Manager, "mutation { jobCancel(id: \"$JOB\") { userErrors { code } } }"),
    Row(
        "Mutation.receiptsReplay",
        Role::Manager,
        "mutation { receiptsReplay(ids: [\"$RCP\"]) { userErrors { code } } }",
    ),
    Row("Mutation.receiptsExport", Role::Manager, "mutation { receiptsExport(filter: {}) { userErrors { code } } }"),
    Row(
        "Mutation.personExport",
        Role::Admin,
        "mutation { personExport(by: { deviceId: \"nobody\" }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.personErase",
        Role::Admin,
        "mutation { personErase(by: { deviceId: \"nobody\" }) { userErrors { code } } }",
    ),
    Row("Mutation.offerArchive", Role::Manager, "mutation { offerArchive(id: \"offer_42\") { userErrors { code } } }"),
    Row(
        "Mutation.offerCreate",
        Role::Manager,
        "mutation { offerCreate(offer: { name: \"B\" }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.offerEventsSet",
        Role::Manager,
        "mutation { offerEventsSet(id: \"offer_42\", version: 1, events: []) { userErrors { code } } }",
    ),
    Row(
        "Mutation.offerPublishersSet",
        Role::Manager,
        "mutation { offerPublishersSet(id: \"offer_42\", version: 1, publisherIds: []) { userErrors { code } } }",
    ),
    Row(
        "Mutation.offerUnarchive",
        Role::Manager,
        "mutation { offerUnarchive(id: \"offer_42\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.offerUpdate",
        Role::Manager,
        "mutation { offerUpdate(id: \"offer_42\", version: 1, offer: { name: \"B\" }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.postbackUrlReveal",
        Role::Manager,
        "mutation { postbackUrlReveal(input: { kind: CONVERSION, scope: GLOBAL }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.publisherCreate",
        Role::Manager,
        "mutation { publisherCreate(publisher: { name: \"B\" }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.publisherRateSet",
        Role::Manager,
        "mutation { publisherRateSet(offerId: \"offer_42\", publisherId: \"pub_7\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.publisherUpdate",
        Role::Manager,
        "mutation { publisherUpdate(id: \"pub_7\", version: 1, publisher: { name: \"B\" }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.secureTokenCreate",
        Role::Admin,
        "mutation { secureTokenCreate(input: { scope: GLOBAL }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.secureTokenReveal",
        Role::Manager,
        "mutation { secureTokenReveal(id: \"$TOK\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.secureTokenRevoke",
        Role::Admin,
        "mutation { secureTokenRevoke(id: \"tok_00000000000000000000000000000000\", reason: \"r\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.secureTokenRotate",
        Role::Admin,
        "mutation { secureTokenRotate(id: \"$TOK\", version: 9) { userErrors { code } } }",
    ),
    Row(
        "Mutation.secureTokenSetEnd",
        Role::Admin,
        "mutation { secureTokenSetEnd(id: \"$TOK\", version: 9, retiringUntil: \"2026-06-02T00:00:00Z\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.trackingDomainCreate",
        Role::Admin,
        "mutation { trackingDomainCreate(hostname: \"go.example\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.trackingDomainDelete",
        Role::Admin,
        "mutation { trackingDomainDelete(id: \"$DOM\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.trackingDomainSetDefault",
        Role::Admin,
        "mutation { trackingDomainSetDefault(id: \"$DOM\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.trackingDomainSetEnabled",
        Role::Admin,
        "mutation { trackingDomainSetEnabled(id: \"$DOM\", enabled: false) { userErrors { code } } }",
    ),
    Row(
        "Mutation.trackingDomainVerify",
        Role::Admin,
        "mutation { trackingDomainVerify(id: \"$DOM\") { userErrors { code } } }",
    ),
    // Every type is entered through node(id), the side door.
    Row("Click.deviceId", Role::Manager, "{ node(id: \"$CNV\") { ... on Conversion { click { deviceId } } } }"),
    Row("Click.ip", Role::Manager, "{ node(id: \"$CNV\") { ... on Conversion { click { ip } } } }"),
    Row("Click.userAgent", Role::Manager, "{ node(id: \"$CNV\") { ... on Conversion { click { userAgent } } } }"),
    Row("Conversion.conversionIp", Role::Manager, "{ node(id: \"$CNV\") { ... on Conversion { conversionIp } } }"),
    Row("Conversion.deviceId", Role::Manager, "{ node(id: \"$CNV\") { ... on Conversion { deviceId } } }"),
    Row("Conversion.userAgent", Role::Manager, "{ node(id: \"$CNV\") { ... on Conversion { userAgent } } }"),
    Row(
        "Conversion.userEmailMasked",
        Role::Manager,
        "{ node(id: \"$CNV\") { ... on Conversion { userEmailMasked } } }",
    ),
    Row("Job.downloadUrl", Role::Manager, "{ node(id: \"$JOB\") { ... on Job { downloadUrl } } }"),
    Row("Receipt.maskedUrl", Role::Manager, "{ node(id: \"$RCP\") { ... on Receipt { maskedUrl } } }"),
    Row("Receipt.params", Role::Manager, "{ node(id: \"$RCP\") { ... on Receipt { params { value } } } }"),
    Row("Receipt.remoteIp", Role::Manager, "{ node(id: \"$RCP\") { ... on Receipt { remoteIp } } }"),
    Row("Receipt.userAgent", Role::Manager, "{ node(id: \"$RCP\") { ... on Receipt { userAgent } } }"),
    Row("SecureToken.lastUsedIp", Role::Manager, "{ node(id: \"$TOK\") { ... on SecureToken { lastUsedIp } } }"),
];

/// Every root field and every guarded field, with the role that the schema prints.
fn printed() -> BTreeMap<String, Role> {
    let document = parse_schema(sdl()).unwrap();
    let mut printed = BTreeMap::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(of) = definition else { continue };
        let TypeKind::Object(object) = &of.node.kind else { continue };
        let name = of.node.name.node.to_string();
        for field in &object.fields {
            let role = role_of(&field.node);
            if let Some(role) = role.or_else(|| matches!(name.as_str(), "Query" | "Mutation").then_some(Role::Viewer)) {
                printed.insert(format!("{name}.{}", field.node.name.node), role);
            }
        }
    }
    printed
}

fn role_of(field: &FieldDefinition) -> Option<Role> {
    let directive = field.directives.iter().find(|directive| directive.node.name.node == "auth")?;
    let role = directive.node.get_argument("role").unwrap().node.to_string();
    Some(Role::parse(&role.to_lowercase()).unwrap())
}

#[test]
fn every_operation_has_its_row() {
    let table: BTreeMap<String, Role> = TABLE.iter().map(|Row(name, role, _)| ((*name).to_owned(), *role)).collect();
    assert_eq!(table.len(), TABLE.len(), "a row is there twice");
    let printed = printed();
    let without: Vec<_> = printed.keys().filter(|name| !table.contains_key(*name)).collect();
    assert!(without.is_empty(), "add rows to the table of tests/it/authorization.rs: {without:?}");
    assert_eq!(table, printed);
}

/// The table's documents with the ids of what is there.
struct Known {
    admin: Admin,
    ids: [(&'static str, String); 5],
}

impl Known {
    async fn start() -> Self {
        let admin = Admin::start(Engine::Sqlite).await;
        let secret = admin.furnish().await;
        let transaction = admin.click("offer=42&publisher=7&device_id=d1").await;
        let query = format!("secure={secret}&transaction_id={transaction}&device_id=d1&conversion_ip=192.0.2.1");
        let answer = admin.track(Door::Postback, &query).await;
        let create =
            "mutation { trackingDomainCreate(hostname: \"trk.example\") { domain { id } userErrors { message } } }";
        let domain = admin.done(create, json!({})).await["domain"]["id"].as_str().unwrap().to_owned();
        let token = admin.data("{ secureTokens { nodes { id } } }", json!({})).await;
        let job = "mutation { conversionsExport(filter: {}) { job { id } userErrors { message } } }";
        let job = admin.done(job, json!({})).await["job"]["id"].as_str().unwrap().to_owned();
        let ids = [
            ("$JOB", job),
            ("$CNV", answer.conversion.unwrap().to_string()),
            ("$RCP", answer.receipt.unwrap().to_string()),
            ("$DOM", domain),
            ("$TOK", token["secureTokens"]["nodes"][0]["id"].as_str().unwrap().to_owned()),
        ];
        Self { admin, ids }
    }

    fn document(&self, row: &Row) -> String {
        self.ids.iter().fold(row.2.to_owned(), |document, (mark, id)| document.replace(mark, id))
    }

    async fn codes(&self, row: &Row, role: Role) -> Vec<String> {
        let answer = self.admin.ask(role, &self.document(row), json!({})).await;
        let errors = answer.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
        errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_role_too_low_is_forbidden_and_the_least_role_is_not() {
    let known = Known::start().await;
    for row in TABLE {
        let lower = Role::ALL.into_iter().rev().find(|role| *role < row.1);
        if let Some(lower) = lower {
            assert_eq!(known.codes(row, lower).await, ["FORBIDDEN"], "{} as {}", row.0, lower.as_str());
        }
        assert_eq!(known.codes(row, row.1).await, [""; 0], "{} as {}", row.0, row.1.as_str());
    }
}

/// Every mutation with arguments that it takes, in an order in which each finds what it needs.
const MUTATIONS: &[&str] = &[
    "advertiserCreate(advertiser: { name: \"B\" })",
    "advertiserUpdate(id: \"adv_1\", version: 1, advertiser: { name: \"C\" })",
    "publisherCreate(publisher: { name: \"B\" })",
    "publisherUpdate(id: \"pub_7\", version: 1, publisher: { name: \"C\" })",
    "offerCreate(offer: { name: \"B\", advertiserId: \"adv_1\", currency: \"EUR\", revenue: { fixed: \"2\" },
        payout: { fixed: \"1\" }, landingPageUrl: \"https://shop.example/?t={transaction_id}\" })",
    "offerUpdate(id: \"offer_42\", version: 1, offer: { name: \"C\" })",
    "offerPublishersSet(id: \"offer_42\", version: 2, publisherIds: [\"pub_7\"])",
    "offerEventsSet(id: \"offer_42\", version: 3, events: [{ number: 1, name: \"deposit\",
        revenue: { fixed: \"2\" }, payout: { fixed: \"1\" } }])",
    "publisherRateSet(offerId: \"offer_42\", publisherId: \"pub_7\", payout: { fixed: \"8\" })",
    "offerArchive(id: \"offer_42\")",
    "offerUnarchive(id: \"offer_42\")",
    "conversionReject(id: \"$CNV\", reason: \"fraud\")",
    "conversionReinstate(id: \"$CNV\")",
    "conversionStatusSet(id: \"$CNV\", status: PENDING, note: \"look again\")",
    "conversionsReject(input: { selection: { ids: [\"$CNV\"] }, reason: \"fraud\" })",
    "conversionsReinstate(input: { selection: { ids: [\"$CNV\"] } })",
    "conversionAmend(id: \"$CNV\", version: 6, input: { revenue: \"9\", note: \"a typo\" })",
    "conversionNoteAdd(id: \"$CNV\", note: \"called them\")",
    "secureTokenCreate(input: { scope: GLOBAL })",
    "secureTokenReveal(id: \"$TOK\")",
    "postbackUrlReveal(input: { kind: CONVERSION, scope: GLOBAL })",
    "secureTokenRotate(id: \"$TOK\", version: 1)",
    "secureTokenSetEnd(id: \"$TOK\", version: 2, retiringUntil: \"2026-06-01T13:00:00Z\")",
    "secureTokenRevoke(id: \"$TOK\", reason: \"leaked\")",
    "conversionsExport(filter: {})",
    "receiptsExport(filter: {})",
    "receiptsReplay(ids: [\"$RCP\"])",
    "jobCancel(id: \"$JOB\")",
    "personExport(by: { deviceId: \"nobody\" })",
    "personErase(by: { deviceId: \"nobody\" })",
    "trackingDomainCreate(hostname: \"go.example\")",
    "trackingDomainVerify(id: \"$DOM\")",
    "trackingDomainSetDefault(id: \"$LOC\")",
    "trackingDomainSetEnabled(id: \"$LOC\", enabled: false)",
    "trackingDomainDelete(id: \"$DOM\")",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mutation_leaves_its_entry_in_the_audit_trail() {
    let Known { admin, ids } = Known::start().await;
    let local = done(create_local_domain(&admin.app, &Principal::system(), "pixel.localhost").await);
    let marks = ids.into_iter().chain([("$LOC", local.id.to_string())]);
    let marks: Vec<(&str, String)> = marks.collect();
    for mutation in MUTATIONS {
        let call = marks.iter().fold((*mutation).to_owned(), |text, (mark, id)| text.replace(mark, id));
        let before = rows(&admin.app.database).await["audit_event"];
        admin.done(&format!("mutation {{ {call} {{ userErrors {{ code field message }} }} }}"), json!({})).await;
        assert_eq!(rows(&admin.app.database).await["audit_event"], before + 1, "{mutation}");
        admin.clock.advance_seconds(1);
    }
    let named = |call: &str| format!("Mutation.{}", call.split('(').next().unwrap());
    let called: BTreeSet<String> = MUTATIONS.iter().map(|call| named(call)).collect();
    let printed = printed().into_keys().filter(|name| name.starts_with("Mutation."));
    assert_eq!(called, printed.collect(), "add the mutation to MUTATIONS of tests/it/authorization.rs");
}

#[tokio::test]
async fn nobody_is_answered_without_signing_in() {
    let admin = Admin::start(Engine::Sqlite).await;
    for row in TABLE {
        let reply = admin.send(None, row.2, json!({})).await;
        assert_eq!(reply.status, 401, "{}", row.0);
        assert!(reply.headers.iter().any(|(name, _)| *name == "www-authenticate"), "{}", row.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_is_forbidden_is_null_and_the_rest_is_answered() {
    let known = Known::start().await;
    let query = "{ conversions { nodes { status userAgent deviceId offer { name } } } }";
    let seen = known.admin.ask(Role::Viewer, query, json!({})).await;
    let conversion = &seen["data"]["conversions"]["nodes"][0];
    assert_eq!(
        *conversion,
        json!({ "status": "APPROVED", "userAgent": null, "deviceId": null, "offer": { "name": "Shoes" } })
    );
    assert_eq!(seen["errors"].as_array().unwrap().len(), 2);
    assert_eq!(seen["errors"][0]["path"], json!(["conversions", "nodes", 0, "userAgent"]));
    let seen = known.admin.ask(Role::Manager, query, json!({})).await;
    assert_eq!(seen["data"]["conversions"]["nodes"][0]["deviceId"], "d1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_link_is_for_managers() {
    let admin = Admin::start(Engine::Sqlite).await;
    admin.furnish().await;
    let query =
        "{ trackingLink(input: { offerId: \"offer_42\", publisherId: \"pub_7\", test: true }) { url testUntil } }";
    let refused = admin.ask(Role::Viewer, query, json!({})).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let link = admin.ask(Role::Manager, query, json!({})).await;
    assert!(link["data"]["trackingLink"]["url"].as_str().unwrap().contains("&test="), "{link}");
}

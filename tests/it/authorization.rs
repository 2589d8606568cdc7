//! Who may do what in the admin API: the matrix of everything that the schema has and everybody who may ask.
//!
//! There is a row for every query, every mutation, every guarded field and every guarded type. The table is compared
//! with the schema in both directions, so an operation without a row fails, and so does a row that says another role
//! than the schema. Then every row is called by a person and by a key of every role, and by nobody: `FORBIDDEN` below
//! its role, not from there on, and 401 without a bearer. Every field of every type that has ids is also entered
//! through `node(id)`, the side door, by every role; which fields there are is read from the schema. So are those of all
//! other types ([`types`]).

mod types;

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::Positioned;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ConstDirective, FieldDefinition, ObjectType, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use roundtrip::app::jobs::run::take_turn;
use roundtrip::app::jobs::step_of;
use roundtrip::app::manage_api_keys::{ApiKeyDraft, create_api_key};
use roundtrip::app::operators::{Draft, create_operator};
use roundtrip::app::sign_in::sign_in;
use roundtrip::app::tracking_domains::create_local_domain;
use roundtrip::domain::inbound::Door;
use roundtrip::domain::operator::{Caller, Operator, Principal, Role};
use roundtrip::graphql::schema::sdl;
use roundtrip::store::{Engine, audit};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::admin::{Admin, Bearer};
use crate::support::databases::rows;
use crate::support::desk::done;
use crate::support::people::PASSWORD;

/// An operation, a guarded field or a guarded type, the least role, and a document that calls it and nothing else that is guarded.
struct Row(&'static str, Role, &'static str);

const TABLE: &[Row] = &[
    Row("Query.advertiser", Role::Viewer, "{ advertiser(id: \"adv_1\") { name } }"),
    Row("Query.advertisers", Role::Viewer, "{ advertisers { nodes { name offers { nodes { name } } } } }"),
    Row("Query.apiKeys", Role::Admin, "{ apiKeys { name createdBy { label } } }"),
    Row("Query.auditLog", Role::Admin, "{ auditLog { nodes { action subject { id } } } }"),
    Row("Query.conversion", Role::Viewer, "{ conversion(by: { id: \"$CNV\" }) { status } }"),
    Row("Query.conversions", Role::Viewer, "{ conversions { nodes { id } totalCount { value } } }"),
    Row("Query.globalPostback", Role::Viewer, "{ globalPostback { conversion { masked } } }"),
    Row("Query.job", Role::Viewer, "{ job(id: \"$BAD\") { state errors { nodes { subjectId } } } }"),
    Row("Query.jobs", Role::Viewer, "{ jobs { nodes { kind } totalCount { value } } }"),
    Row("Query.node", Role::Viewer, "{ node(id: \"offer_42\") { id } }"),
    Row("Query.nodes", Role::Viewer, "{ nodes(ids: [\"offer_42\", \"$TOK\"]) { id } }"),
    Row("Query.offer", Role::Viewer, "{ offer(id: \"offer_42\") { name } }"),
    Row("Query.offers", Role::Viewer, "{ offers { nodes { name } } }"),
    Row("Query.operators", Role::Admin, "{ operators { email role } }"),
    Row(
        "Query.postbackExplain",
        Role::Manager,
        "{ postbackExplain(url: \"https://t.example/postback?secure=a\") { code } }",
    ),
    Row(
        "Query.outboundPostback",
        Role::Viewer,
        "{ outboundPostback(id: \"$OPB\") { name deliveries { nodes { state } } } }",
    ),
    Row(
        "Query.outboundPostbackPreview",
        Role::Manager,
        "{ outboundPostbackPreview(id: \"$OPB\", conversionId: \"$CNV\") { url } }",
    ),
    Row("Query.outboundPostbacks", Role::Viewer, "{ outboundPostbacks { nodes { name successRate24h maskedUrl } } }"),
    Row("Query.postbackParameters", Role::Viewer, "{ postbackParameters(kind: CLICKLESS) { name } }"),
    Row("Query.publisher", Role::Viewer, "{ publisher(id: \"pub_7\") { name } }"),
    Row("Query.publishers", Role::Viewer, "{ publishers { nodes { name } } }"),
    Row("Query.receipt", Role::Viewer, "{ receipt(id: \"$RCP\") { code } }"),
    Row("Query.receiptReplayExplain", Role::Manager, "{ receiptReplayExplain(id: \"$REF\") { code } }"),
    Row("Query.receipts", Role::Viewer, "{ receipts { nodes { code checks { name } } } }"),
    Row(
        "Query.receiptStats",
        Role::Viewer,
        "{ receiptStats(filter: { receivedAt: { since: \"2026-06-01T00:00:00Z\" } }, interval: HOUR) { topCodes { code } } }",
    ),
    Row("Query.rejectionReasons", Role::Viewer, "{ rejectionReasons }"),
    Row("Query.settings", Role::Viewer, "{ settings { timezone } }"),
    Row(
        "Query.stats",
        Role::Viewer,
        "{ stats(input: { range: { since: \"2026-06-01T00:00:00Z\" }, groupBy: [OFFER], interval: HOUR }) { rows { keys { label } } } }",
    ),
    Row("Query.secureTokens", Role::Viewer, "{ secureTokens { nodes { hint } } }"),
    Row("Query.server", Role::Viewer, "{ server { version } }"),
    Row("Query.sessions", Role::Viewer, "{ sessions { id } }"),
    Row("Query.trackingDomains", Role::Viewer, "{ trackingDomains { hostname } }"),
    Row(
        "Query.trackingLink",
        Role::Viewer,
        "{ trackingLink(input: { offerId: \"offer_42\", publisherId: \"pub_7\" }) { url } }",
    ),
    Row("Query.viewer", Role::Viewer, "{ viewer { role email timezone rateLimit { remaining } } }"),
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
        "Mutation.apiKeyCreate",
        Role::Admin,
        "mutation { apiKeyCreate(input: { name: \"ci\", role: VIEWER }) { userErrors { code } } }",
    ),
    Row("Mutation.apiKeyRevoke", Role::Admin, "mutation { apiKeyRevoke(id: \"$KEY\") { userErrors { code } } }"),
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
    Row(
        "Mutation.deliveriesRetry",
        Role::Manager,
        "mutation { deliveriesRetry(postbackId: \"$OPB\") { userErrors { code } } }",
    ),
    Row("Mutation.deliveryRetry", Role::Manager, "mutation { deliveryRetry(id: \"$DLV\") { userErrors { code } } }"),
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
        "Mutation.outboundPostbackCreate",
        Role::Manager,
        "mutation { outboundPostbackCreate(postback: { name: \"B\" }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.outboundPostbackDelete",
        Role::Manager,
        "mutation { outboundPostbackDelete(id: \"opb_00000000000000000000000000000000\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.outboundPostbackSecretRotate",
        Role::Manager,
        "mutation { outboundPostbackSecretRotate(id: \"$OPB\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.outboundPostbackSendTest",
        Role::Manager,
        "mutation { outboundPostbackSendTest(id: \"$OPB\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.outboundPostbackUpdate",
        Role::Manager,
        "mutation { outboundPostbackUpdate(id: \"$OPB\", version: 9, postback: { name: \"B\" }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.operatorInvite",
        Role::Admin,
        "mutation { operatorInvite(operator: { email: \"b@b.example\", name: \"B\", role: VIEWER }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.operatorInviteAgain",
        Role::Admin,
        "mutation { operatorInviteAgain(id: \"$OPR\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.operatorUpdate",
        Role::Admin,
        "mutation { operatorUpdate(id: \"$OPR\", operator: { name: \"B\" }) { userErrors { code } } }",
    ),
    Row(
        "Mutation.postbackSendTest",
        Role::Manager,
        "mutation { postbackSendTest(offerId: \"offer_42\") { userErrors { code } } }",
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
        "Mutation.sessionRevoke",
        Role::Viewer,
        "mutation { sessionRevoke(id: \"ses_00000000000000000000000000000000\") { userErrors { code } } }",
    ),
    Row(
        "Mutation.settingsUpdate",
        Role::Admin,
        "mutation { settingsUpdate(version: 9, settings: { timezone: \"UTC\" }) { userErrors { code } } }",
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
    Row("Mutation.viewerUpdate", Role::Viewer, "mutation { viewerUpdate(name: \"B\") { userErrors { code } } }"),
    // Every type is entered through node(id), the side door.
    Row("Actor.apiKey", Role::Admin, "{ node(id: \"$TOK\") { ... on SecureToken { createdBy { apiKey { name } } } } }"),
    Row("Actor.ip", Role::Manager, "{ node(id: \"$TOK\") { ... on SecureToken { createdBy { ip } } } }"),
    Row(
        "Actor.operator",
        Role::Admin,
        "{ node(id: \"$TOK\") { ... on SecureToken { createdBy { operator { email } } } } }",
    ),
    Row("ApiKey", Role::Admin, "{ node(id: \"$KEY\") { ... on ApiKey { name } } }"),
    Row("AuditEntry", Role::Admin, "{ node(id: \"$AUD\") { ... on AuditEntry { action } } }"),
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
    Row("Operator", Role::Admin, "{ node(id: \"$OPR\") { ... on Operator { email } } }"),
    Row("Delivery.responseBody", Role::Manager, "{ node(id: \"$DLV\") { ... on Delivery { responseBody } } }"),
    Row(
        "DeliveryAttempt.requestBody",
        Role::Manager,
        "{ node(id: \"$DLV\") { ... on Delivery { attempts { requestBody } } } }",
    ),
    Row(
        "DeliveryAttempt.responseBody",
        Role::Manager,
        "{ node(id: \"$DLV\") { ... on Delivery { attempts { responseBody } } } }",
    ),
    Row(
        "OutboundPostback.urlTemplate",
        Role::Manager,
        "{ node(id: \"$OPB\") { ... on OutboundPostback { urlTemplate } } }",
    ),
    Row("Receipt.maskedUrl", Role::Manager, "{ node(id: \"$RCP\") { ... on Receipt { maskedUrl } } }"),
    Row("Receipt.params", Role::Manager, "{ node(id: \"$RCP\") { ... on Receipt { params { value } } } }"),
    Row("Receipt.remoteIp", Role::Manager, "{ node(id: \"$RCP\") { ... on Receipt { remoteIp } } }"),
    Row("Receipt.userAgent", Role::Manager, "{ node(id: \"$RCP\") { ... on Receipt { userAgent } } }"),
    Row(
        "TokenUsage.sourceIps",
        Role::Manager,
        "{ node(id: \"$TOK\") { ... on SecureToken { usage(range: { since: \"2026-06-01T00:00:00Z\" }) { sourceIps { ip } } } } }",
    ),
    Row("SecureToken.lastUsedIp", Role::Manager, "{ node(id: \"$TOK\") { ... on SecureToken { lastUsedIp } } }"),
];

/// Every root field, guarded field and guarded type, with the role that the schema prints.
fn printed() -> BTreeMap<String, Role> {
    let document = parse_schema(sdl()).unwrap();
    let mut printed = BTreeMap::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(of) = definition else { continue };
        let TypeKind::Object(object) = &of.node.kind else { continue };
        let name = of.node.name.node.to_string();
        printed.extend(role_of(&of.node.directives).map(|role| (name.clone(), role)));
        for field in &object.fields {
            let role = role_of(&field.node.directives);
            if let Some(role) = role.or_else(|| matches!(name.as_str(), "Query" | "Mutation").then_some(Role::Viewer)) {
                printed.insert(format!("{name}.{}", field.node.name.node), role);
            }
        }
    }
    printed
}

fn role_of(directives: &[Positioned<ConstDirective>]) -> Option<Role> {
    let directive = directives.iter().find(|directive| directive.node.name.node == "auth")?;
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
    /// What stands for an id in a document, and the id.
    ids: Vec<(&'static str, String)>,
}

impl Known {
    async fn start() -> Self {
        let admin = Admin::start(Engine::Sqlite).await;
        let secret = admin.furnish().await;
        let rule = "mutation { outboundPostbackCreate(postback: { name: \"Hook\", method: POST_JSON,
            urlTemplate: \"http://127.0.0.1:9/\" }) { postback { id } userErrors { message } } }";
        let rule = admin.done(rule, json!({})).await["postback"]["id"].as_str().unwrap().to_owned();
        let test =
            "mutation($id: ID!) { outboundPostbackSendTest(id: $id) { delivery { id } userErrors { message } } }";
        let test = admin.done(test, json!({ "id": rule })).await["delivery"]["id"].as_str().unwrap().to_owned();
        let events = "mutation { offerEventsSet(id: \"offer_42\", version: 1, events: [{ number: 2, name: \"signup\",
            revenue: { fixed: \"2\" }, payout: { fixed: \"1\" } }]) { userErrors { message } } }";
        admin.done(events, json!({})).await;
        let rate = "mutation { publisherRateSet(offerId: \"offer_42\", publisherId: \"pub_7\",
            payout: { fixed: \"6\" }) { userErrors { message } } }";
        admin.done(rate, json!({})).await;
        let transaction = admin.click("offer=42&publisher=7&device_id=d1").await;
        let query =
            format!("secure={secret}&transaction_id={transaction}&device_id=d1&conversion_ip=192.0.2.1&colour=red");
        let answer = admin.track(Door::Postback, &query).await;
        let refused = admin.track(Door::Postback, &format!("secure={secret}&transaction_id=6650fa")).await;
        let create =
            "mutation { trackingDomainCreate(hostname: \"trk.example\") { domain { id } userErrors { message } } }";
        let domain = admin.done(create, json!({})).await["domain"]["id"].as_str().unwrap().to_owned();
        let told = "query($id: ID!) { conversion(by: { id: $id }) { deliveries { nodes { id } } } }";
        let told = admin.data(told, json!({ "id": answer.conversion.unwrap().to_string() })).await;
        let told = told["conversion"]["deliveries"]["nodes"][0]["id"].as_str().unwrap().to_owned();
        let bad = "mutation { receiptsReplay(ids: [\"rcp_019a0000000070008000000000000001\"]) {
            job { id } userErrors { message } } }";
        let bad = admin.done(bad, json!({})).await["job"]["id"].as_str().unwrap().to_owned();
        while take_turn(&admin.app, Uuid::from_u128(1), step_of).await.unwrap() {}
        let job = "mutation { conversionsExport(filter: {}) { job { id } userErrors { message } } }";
        let job = admin.done(job, json!({})).await["job"]["id"].as_str().unwrap().to_owned();
        let seen = admin
            .data("{ secureTokens { nodes { id } } conversions { nodes { timeline { nodes { id } } } } }", json!({}))
            .await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (viewer, person) = (hire(&admin, "ada@shop.example").await, hire(&admin, "bob@shop.example").await);
        let first = begin_session(&admin, &viewer).await;
        let second = begin_session(&admin, &viewer).await;
        admin.believe_as(viewer.id, &first);
        let draft = ApiKeyDraft { name: "robot".into(), role: Role::Viewer, expires_at: None };
        let key = done(create_api_key(&admin.app, &Principal::system(), draft, None).await).key;
        let entries = audit::find_by_subject(&admin.app.database, &person.id.to_string(), 1).await.unwrap();
        let ids = vec![
            ("$JOB", job),
            ("$BAD", bad),
            ("$CNV", answer.conversion.unwrap().to_string()),
            ("$CHG", text(&seen["conversions"]["nodes"][0]["timeline"]["nodes"][0]["id"])),
            ("$RCP", answer.receipt.unwrap().to_string()),
            ("$REF", refused.receipt.unwrap().to_string()),
            ("$DOM", domain),
            ("$TOK", text(&seen["secureTokens"]["nodes"][0]["id"])),
            ("$OPR", person.id.to_string()),
            ("$KEY", key.id.to_string()),
            ("$AUD", entries[0].id.to_string()),
            ("$SES", second),
            ("$OPB", rule),
            ("$DLV", test),
            ("$OUT", told),
        ];
        Self { admin, ids }
    }

    fn filled_in(&self, document: &str) -> String {
        self.ids.iter().fold(document.to_owned(), |document, (mark, id)| document.replace(mark, id))
    }

    /// The answer to somebody, and the codes of its errors.
    async fn told(&self, caller: Bearer, document: &str) -> (Value, Vec<String>) {
        let answer = self.admin.ask_as(caller, &self.filled_in(document), json!({})).await;
        let errors = answer.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
        let codes = errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap().to_owned()).collect();
        (answer, codes)
    }
}

async fn hire(admin: &Admin, email: &str) -> Operator {
    let draft = Draft { email: email.into(), name: "Bob".into(), role: Role::Viewer };
    done(create_operator(&admin.app, &Principal::system(), draft, PASSWORD.into()).await)
}

/// The id of a new session of somebody.
async fn begin_session(admin: &Admin, operator: &Operator) -> String {
    let caller = Caller { address: None, request_id: "req_0".into() };
    let signed_in = sign_in(&admin.app, &operator.email, PASSWORD.into(), &caller).await.unwrap().unwrap();
    signed_in.refresh_token.session.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn below_its_role_everything_is_forbidden_to_people_and_keys_and_from_there_on_it_is_not() {
    let known = Known::start().await;
    let mut cells = 0;
    for Row(name, least, document) in TABLE {
        for role in Role::ALL {
            for caller in [Bearer::Person(role), Bearer::Key(role)] {
                let (_, codes) = known.told(caller, document).await;
                let expected: &[&str] = if role < *least { &["FORBIDDEN"] } else { &[] };
                assert_eq!(codes, expected, "{name} as {caller:?}");
                cells += 1;
            }
        }
        let stranger = known.admin.send(None, &known.filled_in(document), json!({})).await;
        assert_eq!(stranger.status, 401, "{name}");
        cells += 1;
    }
    println!("{} rows, {cells} cells", TABLE.len());
    assert!(cells >= TABLE.len() * 7);
}

/// An id of every type that has one.
const NODES: &[(&str, &str)] = &[
    ("Advertiser", "adv_1"),
    ("ApiKey", "$KEY"),
    ("AuditEntry", "$AUD"),
    ("Conversion", "$CNV"),
    ("ConversionChange", "$CHG"),
    ("Delivery", "$DLV"),
    ("Job", "$BAD"),
    ("Offer", "offer_42"),
    ("Operator", "$OPR"),
    ("OutboundPostback", "$OPB"),
    ("Publisher", "pub_7"),
    ("Receipt", "$RCP"),
    ("SecureToken", "$TOK"),
    ("TrackingDomain", "$DOM"),
];

/// The arguments of fields that cannot do without.
const ARGUMENTS: &[(&str, &str)] = &[
    ("Advertiser.stats", "(range: { since: \"2026-06-01T00:00:00Z\" })"),
    ("Offer.stats", "(range: { since: \"2026-06-01T00:00:00Z\" })"),
    ("Publisher.stats", "(range: { since: \"2026-06-01T00:00:00Z\" })"),
    ("SecureToken.usage", "(range: { since: \"2026-06-01T00:00:00Z\" })"),
];

/// Every field of every type that has ids: the type, how the field is asked for, and the least role of both.
fn node_fields() -> Vec<(String, String, Option<Role>)> {
    let types = types_of(&sdl());
    let mut found = Vec::new();
    for (name, of) in &types {
        let TypeKind::Object(object) = &of.kind else { continue };
        if !is_node(object) {
            continue;
        }
        for field in object.fields.iter().map(|field| &field.node) {
            let role = role_of(&of.directives).max(role_of(&field.directives));
            found.push((name.clone(), call_of(&types, name, field), role));
        }
    }
    found
}

/// The types of a schema by their names.
type Types = BTreeMap<String, TypeDefinition>;

fn types_of(sdl: &str) -> Types {
    let types = parse_schema(sdl).unwrap().definitions.into_iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(of) => Some(of.node),
        TypeSystemDefinition::Schema(_) | TypeSystemDefinition::Directive(_) => None,
    });
    types.map(|of| (of.name.node.to_string(), of)).collect()
}

fn is_node(object: &ObjectType) -> bool {
    object.implements.iter().any(|interface| interface.node == "Node")
}

/// How a field is asked for, and of a thing no more than that it is there.
fn call_of(types: &Types, of: &str, field: &FieldDefinition) -> String {
    let is_leaf =
        types.get(named(&field.ty.node)).is_none_or(|of| matches!(of.kind, TypeKind::Scalar | TypeKind::Enum(_)));
    let selection = if is_leaf { "" } else { " { __typename }" };
    format!("{}{}{selection}", field.name.node, arguments(of, field))
}

fn named(of: &Type) -> &str {
    match &of.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(inner),
    }
}

fn arguments(of: &str, field: &FieldDefinition) -> &'static str {
    let place = format!("{of}.{}", field.name.node);
    let given = ARGUMENTS.iter().find(|(known, _)| *known == place).map(|(_, arguments)| *arguments);
    let needed =
        field.arguments.iter().any(|argument| !argument.node.ty.node.nullable && argument.node.default_value.is_none());
    assert!(given.is_some() || !needed, "add the arguments of {place} to ARGUMENTS of tests/it/authorization.rs");
    given.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_of_every_type_keeps_its_role_behind_node() {
    let known = Known::start().await;
    let fields = node_fields();
    for (of, call, least) in &fields {
        let id = NODES.iter().find(|(name, _)| name == of).map(|(_, id)| *id);
        let id = id.unwrap_or_else(|| panic!("add an id of {of} to NODES of tests/it/authorization.rs"));
        let document = format!("{{ node(id: \"{id}\") {{ __typename ... on {of} {{ {call} }} }} }}");
        for role in Role::ALL {
            let (answer, codes) = known.told(Bearer::Person(role), &document).await;
            let is_allowed = least.is_none_or(|least| role >= least);
            let expected: &[&str] = if is_allowed { &[] } else { &["FORBIDDEN"] };
            assert_eq!(codes, expected, "{of}.{call} as {}: {answer}", role.as_str());
            let field = call.split([' ', '(']).next().unwrap();
            assert!(is_allowed || answer["data"]["node"][field].is_null(), "{answer}");
            assert!(!is_allowed || answer["data"]["node"]["__typename"] == **of, "nothing was entered: {answer}");
        }
    }
    println!("{} fields behind node(id), {} cells", fields.len(), fields.len() * Role::ALL.len());
    assert!(fields.len() > 150, "{}", fields.len());
}

/// Every mutation with arguments that it takes, in an order in which each finds what it needs.
const MUTATIONS: &[&str] = &[
    "advertiserCreate(advertiser: { name: \"B\" })",
    "advertiserUpdate(id: \"adv_1\", version: 1, advertiser: { name: \"C\" })",
    "publisherCreate(publisher: { name: \"B\" })",
    "publisherUpdate(id: \"pub_7\", version: 1, publisher: { name: \"C\" })",
    "offerCreate(offer: { name: \"B\", advertiserId: \"adv_1\", currency: \"EUR\", revenue: { fixed: \"2\" },
        payout: { fixed: \"1\" }, landingPageUrl: \"https://shop.example/?t={transaction_id}\" })",
    "offerUpdate(id: \"offer_42\", version: 2, offer: { name: \"C\" })",
    "offerPublishersSet(id: \"offer_42\", version: 3, publisherIds: [\"pub_7\"])",
    "offerEventsSet(id: \"offer_42\", version: 4, events: [{ number: 1, name: \"deposit\",
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
    "operatorInvite(operator: { email: \"cy@shop.example\", name: \"Cy\", role: VIEWER })",
    "operatorInviteAgain(id: \"$OPR\")",
    "operatorUpdate(id: \"$OPR\", operator: { role: MANAGER })",
    "viewerUpdate(name: \"Ada Lovelace\")",
    "sessionRevoke(id: \"$SES\")",
    "apiKeyCreate(input: { name: \"ci\", role: VIEWER })",
    "apiKeyRevoke(id: \"$KEY\")",
    "postbackSendTest(offerId: \"offer_42\")",
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
    "settingsUpdate(version: 1, settings: { timezone: \"Europe/Berlin\" })",
    "outboundPostbackCreate(postback: { name: \"B\", urlTemplate: \"https://pub.example/?c={sub_id}\" })",
    "outboundPostbackUpdate(id: \"$OPB\", version: 1, postback: { name: \"C\" })",
    "outboundPostbackSecretRotate(id: \"$OPB\")",
    "outboundPostbackSendTest(id: \"$OPB\")",
    "deliveryRetry(id: \"$OUT\")",
    "deliveriesRetry(postbackId: \"$OPB\")",
    "outboundPostbackDelete(id: \"$OPB\")",
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
    let reply = admin.send(None, "{ viewer { role } }", json!({})).await;
    assert_eq!(reply.status, 401);
    assert!(reply.headers.iter().any(|(name, _)| *name == "www-authenticate"));
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

//! The admin API as a dashboard uses it, on both engines: through its endpoint, without a socket.

use std::collections::BTreeSet;

use roundtrip::domain::code::Code;
use roundtrip::domain::inbound::Door;
use roundtrip::domain::operator::Role;
use roundtrip::store::{Engine, audit};
use serde_json::{Value, json};

use crate::support::admin::{Admin, Bearer};
use crate::support::on_both_engines;
use crate::support::proxy::Proxy;

/// All that a page of conversions shows.
const PAGE: &str = "query($filter: ConversionFilter) { conversions(filter: $filter, first: 2) {
    totalCount { value isExact } pageInfo { hasNextPage endCursor }
    nodes { id status transactionId revenue { amount currency } payout { amount } subId isTest
        offer { name number advertiser { name } } advertiser { name } publisher { name number }
        click { subId ip clickedAt } secureToken { label hint state } statusChangedBy { kind label }
        extraParams { key value }
        timeline { nodes { number type at actor { kind label } fromStatus toStatus reason receipt { code } } }
        receipts { nodes { code httpStatus responseBody verdict explanation } totalCount { value } }
    } } }";

async fn conversion(admin: &Admin, id: &str) -> Value {
    let query =
        "query($id: ID!) { conversion(by: { id: $id }) { status rejectionReason rejectedBy pendingReason version
        timeline { nodes { type toStatus fromStatus reason note actor { kind label secureToken { label } } } } } }";
    admin.data(query, json!({ "id": id })).await["conversion"].take()
}

/// A second later, a manager changes a conversion.
async fn change(admin: &Admin, mutation: &str, id: &str) -> Value {
    admin.clock.advance_seconds(1);
    let document = format!(
        "mutation($id: ID!) {{ {mutation} {{ conversion {{ status }} change {{ type }} userErrors {{ code field }} }} }}"
    );
    let mut answer = admin.ask(Role::Manager, &document, json!({ "id": id })).await;
    assert!(answer.get("errors").is_none(), "{mutation}: {answer:#}");
    answer["data"].as_object_mut().unwrap().values_mut().next().unwrap().take()
}

on_both_engines! {
    async fn a_conversion_comes_home_and_is_rejected_and_reinstated(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        let transaction = admin.click("offer=42&publisher=7&sub_id=news").await;
        let query = format!("secure={secret}&transaction_id={transaction}&colour=red");
        let recorded = admin.track(Door::Postback, &query).await;
        assert_eq!(recorded.code, Code::Recorded);
        let id = recorded.conversion.unwrap().to_string();
        admin.clock.advance_seconds(1);
        assert_eq!(admin.track(Door::Postback, &query).await.code, Code::Duplicate);

        let page = admin.data(PAGE, json!({})).await;
        assert_eq!(page["conversions"]["totalCount"], json!({ "value": 1, "isExact": true }));
        let shown = &page["conversions"]["nodes"][0];
        assert_eq!(shown["id"], id);
        assert_eq!(shown["status"], "APPROVED");
        assert_eq!(shown["revenue"], json!({ "amount": "10.00", "currency": "EUR" }));
        assert_eq!(shown["payout"]["amount"], "7.00");
        assert_eq!(shown["offer"], json!({ "name": "Shoes", "number": 42, "advertiser": { "name": "Shop" } }));
        assert_eq!(shown["publisher"], json!({ "name": "News", "number": 7 }));
        assert_eq!(shown["click"]["subId"], "news");
        assert_eq!(shown["click"]["ip"], "203.0.113.0/24");
        assert_eq!(shown["secureToken"]["label"], "all");
        assert_eq!(shown["statusChangedBy"], json!({ "kind": "ADVERTISER_POSTBACK", "label": "all" }));
        assert_eq!(shown["extraParams"], json!([{ "key": "colour", "value": "red" }]));
        assert_eq!(shown["timeline"]["nodes"][0]["type"], "RECORDED");
        assert_eq!(shown["timeline"]["nodes"][0]["receipt"]["code"], "RECORDED");
        let receipts = &shown["receipts"];
        assert_eq!(receipts["totalCount"]["value"], 2);
        assert_eq!(receipts["nodes"][0]["code"], "DUPLICATE");
        assert_eq!(receipts["nodes"][1]["httpStatus"], 200);
        assert!(receipts["nodes"][1]["responseBody"].as_str().unwrap().contains(&id));

        let done = change(&admin, "conversionReject(id: $id, reason: \" fraud \", note: \"seen\")", &id).await;
        assert_eq!(done, json!({ "conversion": { "status": "REJECTED" }, "change": { "type": "REJECTED" }, "userErrors": [] }));
        let now = conversion(&admin, &id).await;
        assert_eq!(now["rejectionReason"], "fraud");
        assert_eq!(now["rejectedBy"], "OPERATOR");
        assert_eq!(now["timeline"]["nodes"][1]["note"], "seen");
        assert_eq!(now["timeline"]["nodes"][1]["actor"]["kind"], "OPERATOR");

        let done = change(&admin, "conversionStatusSet(id: $id, status: PENDING, note: \"look again\")", &id).await;
        assert_eq!(done["change"]["type"], "REINSTATED");
        change(&admin, "conversionReject(id: $id, reason: \"again\")", &id).await;
        let done = change(&admin, "conversionReinstate(id: $id, restorePrevious: true)", &id).await;
        assert_eq!(done["conversion"]["status"], "PENDING");
        let done = change(&admin, "conversionReinstate(id: $id, restorePrevious: true)", &id).await;
        assert_eq!(done["userErrors"][0], json!({ "code": "INVALID_TRANSITION", "field": ["restorePrevious"] }));
        let done = change(&admin, "conversionReinstate(id: $id)", &id).await;
        assert_eq!(done["conversion"]["status"], "APPROVED");
        let done = change(&admin, "conversionReinstate(id: $id)", &id).await;
        assert_eq!(done, json!({ "conversion": { "status": "APPROVED" }, "change": null, "userErrors": [] }));

        let trail = audit::find_by_subject(&admin.app.database, &id, 20).await.unwrap();
        let actions: Vec<_> = trail.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(
            actions,
            ["conversion.reinstate", "conversion.reinstate", "conversion.reject", "conversion.set_status", "conversion.reject"]
        );
        assert!(trail.iter().all(|event| event.actor_label == "Ada" && event.request_id == "req_1"));
    }

    async fn what_a_caller_can_put_right_is_said_with_its_place(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        let transaction = admin.click("offer=42&publisher=7").await;
        let answer = admin.track(Door::Postback, &format!("secure={secret}&transaction_id={transaction}")).await;
        let id = answer.conversion.unwrap().to_string();
        let done = change(&admin, "conversionReject(id: $id, reason: \"  \")", &id).await;
        assert_eq!(done["userErrors"], json!([{ "code": "REQUIRED", "field": ["reason"] }]));
        let nobody = "cnv_019a0000000070008000000000000001";
        let done = change(&admin, "conversionReject(id: $id, reason: \"r\")", nobody).await;
        assert_eq!(done, json!({ "conversion": null, "change": null, "userErrors": [{ "code": "NOT_FOUND", "field": ["id"] }] }));

        let offer = json!({ "offer": { "name": "B", "advertiserId": "adv_1", "currency": "EUR",
            "landingPageUrl": "https://shop.example/", "revenue": { "percent": "5000" }, "payout": { "fixed": "1" } } });
        let create = "mutation($offer: OfferInput!) { offerCreate(offer: $offer) { offer { id } userErrors { field } } }";
        let refused = admin.data(create, offer).await;
        let fields = refused["offerCreate"]["userErrors"].to_string();
        assert!(fields.contains("landingPageUrl") && fields.contains("revenue"), "{refused}");

        let update = "mutation($v: Int!, $c: Decimal) { offerUpdate(id: \"offer_42\", version: $v, \
                      offer: { payoutCeiling: $c }) { offer { version payoutCeiling { amount } } userErrors { code } } }";
        let done = admin.data(update, json!({ "v": 1, "c": "9.5" })).await;
        assert_eq!(done["offerUpdate"]["offer"], json!({ "version": 2, "payoutCeiling": { "amount": "9.50" } }));
        let stale = admin.data(update, json!({ "v": 1, "c": "8" })).await;
        assert_eq!(stale["offerUpdate"], json!({ "offer": null, "userErrors": [{ "code": "CONFLICT_VERSION" }] }));
        let cleared = admin.data(update, json!({ "v": 2, "c": null })).await;
        assert_eq!(cleared["offerUpdate"]["offer"], json!({ "version": 3, "payoutCeiling": null }));
    }

    async fn lists_are_paged_and_narrowed(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        for order in 1..=3 {
            admin.clock.advance_seconds(1);
            let query = format!("secure={secret}&offer=42&publisher=7&order_id=A-{order}&revenue=5");
            assert_eq!(admin.track(Door::Clickless, &query).await.code, Code::Recorded);
        }
        let query = "query($after: String, $filter: ConversionFilter) { conversions(first: 2, after: $after, filter: $filter) {
            nodes { orderId click { subId } } pageInfo { hasNextPage endCursor } totalCount { value } } }";
        let first = admin.data(query, json!({})).await;
        let orders = |page: &Value| page["conversions"]["nodes"].as_array().unwrap().iter().map(|node| node["orderId"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(orders(&first), ["A-3", "A-2"]);
        assert_eq!(first["conversions"]["totalCount"]["value"], 3);
        assert_eq!(first["conversions"]["nodes"][0]["click"], Value::Null);
        let after = &first["conversions"]["pageInfo"]["endCursor"];
        let second = admin.data(query, json!({ "after": after })).await;
        assert_eq!(orders(&second), ["A-1"]);
        assert_eq!(second["conversions"]["pageInfo"]["hasNextPage"], false);
        let bounded = json!({ "filter": { "convertedAt": { "since": "2026-06-01T00:00:00Z" }, "orderId": { "in": ["A-2"] } } });
        assert_eq!(orders(&admin.data(query, bounded).await), ["A-2"]);
        let offer = "{ offer(id: \"offer_42\") { conversions { totalCount { value } } secureTokens { id } rates { nodes { publisher { name } } } } }";
        let seen = admin.data(offer, json!({})).await;
        assert_eq!(seen["offer"]["conversions"]["totalCount"]["value"], 3);
    }

    async fn a_clickless_conversion_shows_all_fifteen_parameters(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        let query = format!(
            "secure={secret}&offer=42&publisher=7&sub_id=s1&session_time=00:01:30&conversion_ip=192.0.2.77\
             &user_agent=Mozilla&revenue=12.5&payout=3&adv_sub_id=a1&adv_sub_id_2=a2&adv_sub_id_3=a3&adv_sub_id_4=a4\
             &purchase_value=99.90&external_transaction_id=ext-1&user_email=ann%40shop.example&device_id=dev-1"
        );
        assert_eq!(admin.track(Door::Clickless, &query).await.code, Code::Recorded);
        let shown = "{ conversion(by: { externalTransactionId: \"ext-1\" }) { source publisher { number } subId sessionTime
            conversionIp userAgent revenue { amount } reportedPayout { amount } advSubId advSubId2 advSubId3 advSubId4
            purchaseValue { amount } externalTransactionId userEmailMasked deviceId clickPending } }";
        let seen = admin.data(shown, json!({})).await;
        assert_eq!(
            seen["conversion"],
            json!({
                "source": "CLICKLESS", "publisher": { "number": 7 }, "subId": "s1", "sessionTime": 90,
                "conversionIp": "192.0.2.0/24", "userAgent": "Mozilla", "revenue": { "amount": "12.50" },
                "reportedPayout": { "amount": "3.00" }, "advSubId": "a1", "advSubId2": "a2", "advSubId3": "a3",
                "advSubId4": "a4", "purchaseValue": { "amount": "99.90" }, "externalTransactionId": "ext-1",
                "userEmailMasked": "a***@shop.example", "deviceId": "dev-1", "clickPending": false,
            })
        );
    }

    async fn a_pasted_url_is_explained_and_writes_nothing(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        let transaction = admin.click("offer=42&publisher=7").await;
        let query = "query($url: String!) { postbackExplain(url: $url, sourceIp: \"203.0.113.9\") { kind code verdict
            explanation suggestedFix checks { name passed skipped } normalisedParams { key value } } }";
        let explain = async |url: String| {
            let reply = admin.send(Some(Role::Manager), query, json!({ "url": url })).await;
            let text = String::from_utf8(reply.body).unwrap();
            assert!(!text.contains(&secret), "the secret is in the answer");
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            assert!(answer.get("errors").is_none(), "{url}: {answer:#}");
            answer["data"]["postbackExplain"].take()
        };
        let good = explain(format!("https://any.example/?secure={secret}&transaction_id={transaction}")).await;
        assert_eq!((&good["kind"], &good["code"]), (&json!("CONVERSION"), &json!("RECORDED")));
        assert!(good["checks"].as_array().unwrap().iter().all(|check| check["passed"] == true), "{good}");
        let macros = explain(format!("https://any.example/postback?secure={secret}&transaction_id={{transaction_id}}")).await;
        assert_eq!((&macros["code"], &macros["verdict"]), (&json!("UNREPLACED_MACRO"), &json!("REFUSED")));
        assert!(macros["suggestedFix"].as_str().unwrap().contains("placeholder"));
        assert!(macros["checks"].as_array().unwrap().iter().any(|check| check["skipped"] == true));
        let click = explain("https://any.example/click?offer=42&publisher=99".into()).await;
        assert_eq!((&click["kind"], &click["code"]), (&json!("CLICK"), &json!("UNKNOWN_PUBLISHER")));
        let elsewhere = admin.ask(Role::Manager, query, json!({ "url": "https://any.example/nowhere?x=1" })).await;
        assert_eq!(elsewhere["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        let nothing = admin.data("{ conversions { totalCount { value } } receipts { totalCount { value } } }", json!({})).await;
        assert_eq!(nothing["conversions"]["totalCount"]["value"], 0);
        assert_eq!(nothing["receipts"]["totalCount"]["value"], 0);
    }

    async fn a_secret_is_shown_by_mutations_only(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        let queries = "{ globalPostback { scope conversion { masked blocker token { hint label } params { name value required } }
            clickless { masked warnings } rejection { masked } status { masked } imagePixel { masked } imagePixelBlocker }
            secureTokens { nodes { hint state scope createdBy { kind label } capabilities isRevealable } }
            offer(id: \"offer_42\") { tracking { urls { conversion(params: [{ name: \"trasaction_id\", value: \"x\" }]) { warnings blocker } } } } }";
        let seen = admin.data(queries, json!({})).await;
        assert!(!seen.to_string().contains(&secret), "{seen}");
        let conversion = &seen["globalPostback"]["conversion"];
        assert!(conversion["masked"].as_str().unwrap().starts_with("https://track.example/?secure=rt_g_"), "{conversion}");
        assert_eq!(conversion["blocker"], Value::Null);
        assert_eq!(seen["globalPostback"]["imagePixel"], Value::Null);
        assert!(seen["globalPostback"]["imagePixelBlocker"].is_string());
        let of_offer = &seen["offer"]["tracking"]["urls"]["conversion"];
        assert!(of_offer["warnings"].to_string().contains("transaction_id"), "{of_offer}");
        assert!(of_offer["blocker"].is_string());

        let reveal = "mutation { postbackUrlReveal(input: { kind: CONVERSION, scope: GLOBAL }) { revealed { url curl html } userErrors { code } } }";
        let revealed = admin.done(reveal, json!({})).await;
        assert!(revealed["revealed"]["url"].as_str().unwrap().contains(&secret));
        let tokens = admin.data("{ secureTokens(states: [ACTIVE], scope: GLOBAL) { nodes { id version } } }", json!({})).await;
        let token = &tokens["secureTokens"]["nodes"][0];
        let variables = json!({ "id": token["id"], "version": token["version"] });
        let rotate = "mutation($id: ID!, $version: Int!) { secureTokenRotate(id: $id, version: $version, input: { overlapSeconds: 60 }) {
            secret token { id replaces { id } } previousToken { state retiringUntil } userErrors { code } } }";
        let rotated = admin.done(rotate, variables.clone()).await;
        assert_ne!(rotated["secret"], secret);
        assert_eq!(rotated["token"]["replaces"]["id"], token["id"]);
        assert_eq!(rotated["previousToken"]["state"], "RETIRING");
        let again = admin.data(rotate, json!({ "id": rotated["token"]["id"], "version": 1 })).await;
        assert_eq!(again["secureTokenRotate"]["userErrors"], json!([{ "code": "ROTATION_OPEN" }]));
    }
}

async fn code(admin: &Admin, query: &str, variables: Value) -> String {
    let answer = admin.ask(Role::Admin, query, variables).await;
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("none").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_refused_and_never_clamped() {
    let admin = Admin::start(Engine::Sqlite).await;
    admin.furnish().await;
    for query in [
        "{ offers(first: 201) { nodes { id } } }",
        "{ offers(first: 0) { nodes { id } } }",
        "{ offers(first: 1, last: 1) { nodes { id } } }",
        "{ offers(after: \"x\") { nodes { id } } }",
        "{ offer(id: \"pub_7\") { id } }",
        "{ offer(id: \"42\") { id } }",
        "{ node(id: \"ses_00000000000000000000000000000007\") { id } }",
        "{ conversions(filter: { orderId: { eq: \"A\" } }) { nodes { id } } }",
        "{ conversions(sort: { field: REVENUE }) { nodes { id } } }",
    ] {
        assert_eq!(code(&admin, query, json!({})).await, "BAD_USER_INPUT", "{query}");
    }
    let offer = "mutation($c: Decimal) { offerUpdate(id: \"offer_42\", version: 1, offer: { payoutCeiling: $c }) { userErrors { code } } }";
    assert_eq!(code(&admin, offer, json!({ "c": 9.5 })).await, "BAD_USER_INPUT");
    assert_eq!(code(&admin, "{ offers(first: 200) { nodes { id } } }", json!({})).await, "none");
    let wide = "{ offers(first: 200) { nodes { conversions(first: 200) { nodes { id status } } } } }";
    assert_eq!(code(&admin, wide, json!({})).await, "QUERY_TOO_COMPLEX");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_null() {
    let admin = Admin::start(Engine::Sqlite).await;
    let query = "{ offer(id: \"offer_9\") { id } publisher(id: \"pub_9\") { id } advertiser(id: \"adv_9\") { id }
        conversion(by: { transactionId: \"nothing\" }) { id } receipt(id: \"rcp_00000000000000000000000000000001\") { id }
        nodes(ids: [\"offer_9\", \"tok_00000000000000000000000000000001\", \"chg_00000000000000000000000000000001\"]) { id }
        viewer { name kind role } server { database setupComplete schemaHash } }";
    let seen = admin.data(query, json!({})).await;
    assert_eq!(seen["offer"], Value::Null);
    assert_eq!(seen["nodes"], json!([null, null, null]));
    assert_eq!(seen["viewer"], json!({ "name": "Ada", "kind": "OPERATOR", "role": "ADMIN" }));
    assert_eq!(seen["server"]["database"], "sqlite");
    assert_eq!(seen["server"]["setupComplete"], false);
}

/// Statements of one answer.
async fn statements(admin: &Admin, proxy: &Proxy, query: &str) -> usize {
    let before = proxy.executed();
    admin.data(query, json!({})).await;
    proxy.executed() - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_conversions_with_what_it_shows_takes_three_statements_at_most_however_long_it_is() {
    let (admin, proxy) = Admin::start_counted().await;
    let secret = admin.furnish().await;
    for number in 0..60 {
        let transaction = admin.click("offer=42&publisher=7").await;
        let query = format!("secure={secret}&transaction_id={transaction}&order_id={number}");
        admin.track(Door::Postback, &query).await;
    }
    let names = "id status convertedAt revenue { amount currency } payout { amount currency } offer { id name } \
        publisher { id name } advertiser { id name }";
    let page = |first: u32, fields: &str| format!("{{ conversions(first: {first}) {{ nodes {{ {fields} }} }} }}");
    for first in [1, 50] {
        assert_eq!(statements(&admin, &proxy, &page(first, names)).await, 1, "{first}");
    }
    // A token is read with the one that it followed.
    for (more, expected) in [("offer { advertiser { name } } click { clickedAt }", 2), ("secureToken { hint }", 3)] {
        let fields = format!("{names} {more}");
        for first in [1, 50] {
            assert_eq!(statements(&admin, &proxy, &page(first, &fields)).await, expected, "{first}: {more}");
        }
    }
    let counted = format!("{{ conversions(first: 50) {{ nodes {{ {names} }} totalCount {{ value }} }} }}");
    assert_eq!(statements(&admin, &proxy, &counted).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_the_audit_log_takes_one_statement_for_each_kind_of_thing_however_long_it_is() {
    let (admin, proxy) = Admin::start_counted().await;
    let secret = admin.furnish().await;
    let rule = "outboundPostbackCreate(postback: { name: \"R\", urlTemplate: \"https://pub.example/?c={sub_id}\" })";
    admin.done(&format!("mutation {{ {rule} {{ userErrors {{ message }} }} }}"), json!({})).await;
    let tokens = admin.data("{ secureTokens { nodes { id } } }", json!({})).await;
    let token = tokens["secureTokens"]["nodes"][0]["id"].as_str().unwrap();
    let mut kinds = 0;
    for round in 0..20 {
        let transaction = admin.click("offer=42&publisher=7").await;
        let told = admin.track(Door::Postback, &format!("secure={secret}&transaction_id={transaction}")).await;
        let conversion = told.conversion.unwrap().to_string();
        let query = "query($id: ID!) { conversion(by: { id: $id }) { deliveries { nodes { id } } } }";
        let deliveries = admin.data(query, json!({ "id": conversion })).await;
        let delivery = deliveries["conversion"]["deliveries"]["nodes"][0]["id"].as_str().unwrap();
        // One entry each, of one kind each.
        let calls = [
            format!("advertiserCreate(advertiser: {{ name: \"A{round}\" }})"),
            format!("publisherCreate(publisher: {{ name: \"P{round}\" }})"),
            format!("conversionNoteAdd(id: \"{conversion}\", note: \"n\")"),
            "conversionsExport(filter: {})".to_owned(),
            format!("deliveryRetry(id: \"{delivery}\")"),
            format!("operatorInvite(operator: {{ email: \"o{round}@shop.example\", name: \"O\", role: VIEWER }})"),
            "apiKeyCreate(input: { name: \"K\", role: VIEWER })".to_owned(),
            format!("trackingDomainCreate(hostname: \"t{round}.example\")"),
            format!("secureTokenReveal(id: \"{token}\")"),
            rule.to_owned(),
        ];
        kinds = calls.len();
        for (call, who) in calls.iter().zip([Bearer::Person(Role::Admin), Bearer::Key(Role::Admin)].iter().cycle()) {
            let document = format!("mutation {{ done: {call} {{ userErrors {{ message }} }} }}");
            let answer = admin.ask_as(*who, &document, json!({})).await;
            assert_eq!(answer["data"]["done"]["userErrors"], json!([]), "{call}: {answer}");
            admin.clock.advance_seconds(1);
        }
    }
    let page = |first: usize, fields: &str| format!("{{ auditLog(first: {first}) {{ nodes {{ {fields} }} }} }}");
    let plain = "id at action subjectLabel actor { kind label ip } changes { field before after }";
    let all = format!(
        "{plain} actor {{ operator {{ email }} apiKey {{ name }} secureToken {{ hint }} }} subject {{ __typename id \
         ... on Advertiser {{ name }} ... on Conversion {{ status offer {{ name }} }} ... on Job {{ state }} \
         ... on Delivery {{ state }} ... on Operator {{ email }} ... on ApiKey {{ hint }} ... on OutboundPostback {{ name }} }}"
    );
    let seen = admin.data(&page(kinds, &all), json!({})).await;
    let nodes = seen["auditLog"]["nodes"].as_array().unwrap();
    let types: BTreeSet<&str> = nodes.iter().map(|node| node["subject"]["__typename"].as_str().unwrap()).collect();
    assert_eq!(types.len(), kinds, "a page of {kinds} shows a thing of each kind: {types:?}");
    for first in [1, kinds, 20 * kinds] {
        assert_eq!(statements(&admin, &proxy, &page(first, plain)).await, 1, "{first}");
    }
    // The page, and one or two for each of the kinds that are not in memory.
    for first in [kinds, 20 * kinds] {
        assert_eq!(statements(&admin, &proxy, &page(first, &all)).await, 12, "{first}");
    }
}

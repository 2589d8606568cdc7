//! Not one connection to an address that is not in the public Internet: not by a literal in any spelling, not by a
//! name, not by a name that changes its mind.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use roundtrip::app::UserErrorCode;
use roundtrip::app::dns::Dns;
use roundtrip::app::manage_outbound::{OutboundDraft, create_outbound};
use roundtrip::app::publisher_client::{OutboundRequest, PublisherClient, SendFailure};
use roundtrip::domain::address::Reach;
use roundtrip::domain::delivery::DeliveryState;
use roundtrip::domain::operator::Principal;
use roundtrip::domain::outbound::Moment;
use roundtrip::store::Engine;
use url::Url;

use crate::support::name_server::NameServer;
use crate::support::publishers::{Publishers, firing, settings, with_id};
use crate::support::receiver::{Counted, Receiver};
use crate::support::server::TestServer;

const BLOCKED_HOSTS: &str = include_str!("blocked_hosts.txt");

fn blocked_hosts() -> impl Iterator<Item = &'static str> {
    BLOCKED_HOSTS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// `rebind.test` is public for the check of anybody who asks twice, and this machine for the connection.
fn zone(name: &str, asked: usize) -> Vec<IpAddr> {
    let public: IpAddr = [192, 0, 0, 1].into();
    match name {
        "here.test" | "receiver.test" => vec![[127, 0, 0, 1].into()],
        "elsewhere.test" => vec![[127, 0, 0, 2].into()],
        "six.test" => vec!["::1".parse().unwrap(), "::ffff:127.0.0.2".parse().unwrap()],
        "mixed.test" => vec![[127, 0, 0, 2].into(), [127, 0, 0, 1].into()],
        "rebind.test" if asked == 0 => vec![public],
        "rebind.test" => vec![[127, 0, 0, 2].into()],
        _ => Vec::new(),
    }
}

async fn client(reach: Reach) -> (PublisherClient, NameServer) {
    let names = NameServer::start(zone).await;
    let dns = Arc::new(Dns::new(&[names.address], Duration::from_secs(2)).unwrap());
    (PublisherClient::new(reach, dns, None, Duration::from_secs(3)).unwrap(), names)
}

fn get(url: &str) -> Option<OutboundRequest> {
    Some(OutboundRequest { url: Url::parse(url).ok()?, body: None, headers: Vec::new() })
}

/// With its port, where the host does not bring one.
fn at(scheme: &str, host: &str, port: u16) -> String {
    let has_port =
        host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    if has_port && !host.ends_with(']') { format!("{scheme}://{host}/") } else { format!("{scheme}://{host}:{port}/") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_spelling_of_a_blocked_address_is_ever_connected_to() {
    // Whoever got through would be counted here, whichever of this machine's addresses he found.
    let here = Counted::on("0.0.0.0:0").await.unwrap();
    let port = here.address.port();
    let here_six = Counted::on(&format!("[::]:{port}")).await;
    let (client, _names) = client(Reach { http_allowed: true, networks_allowed: Vec::new() }).await;
    let (mut tried, mut unreadable) = (0, 0);
    for host in blocked_hosts() {
        for scheme in ["http", "https"] {
            let Some(request) = get(&at(scheme, host, port)) else {
                unreadable += 1;
                continue;
            };
            let answer = client.send(&request).await;
            assert!(matches!(answer, Err(SendFailure::Refused(_))), "{scheme}://{host}: {answer:?}");
            tried += 1;
        }
    }
    assert!(tried >= 300, "{tried} tried, {unreadable} are no URLs");
    assert_eq!(here.connections() + here_six.map_or(0, |six| six.connections()), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_to_a_blocked_address_is_not_connected_to_also_when_it_changes() {
    let there = Counted::on("127.0.0.2:0").await.unwrap();
    let port = there.address.port();
    let (client, names) = client(Reach { http_allowed: true, networks_allowed: Vec::new() }).await;
    for name in ["here.test", "elsewhere.test", "six.test", "mixed.test", "rebind.test", "rebind.test", "rebind.test"] {
        let answer = client.send(&get(&format!("http://{name}:{port}/")).unwrap()).await;
        assert!(matches!(answer, Err(SendFailure::ReservedAddress(_))), "{name}: {answer:?}");
    }
    let nobody = client.send(&get("http://nowhere.test/").unwrap()).await;
    assert!(matches!(nobody, Err(SendFailure::NoAddress)), "{nobody:?}");
    assert_eq!(there.connections(), 0);
    assert_eq!(names.asked("rebind.test"), 3, "each connection is made to what its own look-up said");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_addresses_only_those_that_are_allowed_are_connected_to() {
    let receiver = Receiver::start();
    let there = Counted::on(&format!("127.0.0.2:{}", receiver.http.port())).await.unwrap();
    let lab = Reach { http_allowed: true, networks_allowed: vec!["127.0.0.1/32".parse().unwrap()] };
    let (client, _names) = client(lab).await;
    let answer = client.send(&get(&format!("http://mixed.test:{}/ok", receiver.http.port())).unwrap()).await.unwrap();
    assert_eq!((answer.status, there.connections()), (200, 0));
    let stranger = client.send(&get(&format!("https://receiver.test:{}/ok", receiver.https.port())).unwrap()).await;
    assert!(matches!(stranger, Err(SendFailure::NoTls(_))), "its authority is not trusted here: {stranger:?}");
    let second_use = client.send(&get(&format!("http://elsewhere.test:{}/ok", receiver.http.port())).unwrap()).await;
    assert!(matches!(second_use, Err(SendFailure::ReservedAddress(_))), "{second_use:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_rule_is_saved_that_leads_into_the_own_network() {
    let server = TestServer::start_seeded(Engine::Sqlite).await;
    let create = async |url: String| {
        let draft = OutboundDraft { name: Some("Rule".into()), ..firing(&[Moment::Approved], url) };
        create_outbound(&server.app, &Principal::system(), &draft).await.unwrap()
    };
    for host in blocked_hosts() {
        let refused = create(format!("https://{host}/?c={{external_transaction_id}}")).await.err();
        let errors = refused.unwrap_or_else(|| panic!("{host} was saved"));
        assert!(errors.iter().all(|error| error.code == UserErrorCode::UrlNotAllowed), "{host}: {errors:?}");
    }
    let plain = create("http://pub.example/?c={external_transaction_id}".into()).await.unwrap_err();
    assert_eq!(plain[0].message, "Only https is allowed here.");
    assert!(create("https://pub.example/?c={external_transaction_id}".into()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_tells_over_tls_by_name_and_says_why_it_does_not() {
    let names = NameServer::start(zone).await;
    let receiver = Receiver::start();
    let settings = format!("{}\n[dns]\nresolvers = [\"{}\"]\n", settings(), names.address);
    let server = TestServer::start_seeded_with(Engine::Sqlite, &settings).await;
    let publishers = Publishers { server, receiver };
    let port = publishers.receiver.https.port();
    let of = async |host: &str| {
        let url = with_id(&format!("https://{host}:{port}/ok"));
        publishers.rule_of(firing(&[Moment::Approved], url)).await
    };
    let (right, wrong, away) = (of("receiver.test").await, of("here.test").await, of("elsewhere.test").await);
    publishers.conversion(1).await;
    publishers.succeeded(right, 1).await;
    let (_, attempts) = publishers.tried(wrong, 1).await;
    assert!(attempts[0].error.as_deref().unwrap().contains("TLS"), "{attempts:?}");
    let (delivery, attempts) = publishers.tried(away, 1).await;
    let said = "not sent: 127.0.0.2 is not in the public Internet (loopback)";
    assert_eq!((attempts[0].error.as_deref(), delivery.state), (Some(said), DeliveryState::Retrying));
}

//! A server that tells publishers, the receiver that it tells, and what became of it.

use std::time::Duration;

use roundtrip::app::manage_outbound::{OutboundDraft, create_outbound};
use roundtrip::domain::delivery::{Attempt, Delivery, DeliveryState};
use roundtrip::domain::ids::{ConversionId, OutboundPostbackId};
use roundtrip::domain::operator::Principal;
use roundtrip::domain::outbound::Moment;
use roundtrip::store::Engine;
use roundtrip::store::outbound::{self, OutboundFilter, OutboundSort};
use roundtrip::store::outbox::{self, DeliveriesOf, NewestDelivery};
use roundtrip::store::page::PageRequest;
use tokio::time::{Instant, sleep};

use super::desk::done;
use super::receiver::{LAB_CA, Receiver};
use super::server::{TestServer, header};

/// How long anything may take that is to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A seeded server and a receiver that it may reach.
pub(crate) struct Publishers {
    pub(crate) server: TestServer,
    pub(crate) receiver: Receiver,
}

/// Nothing but this machine is reached, over http too; a request may take 800 ms.
pub(crate) fn settings() -> String {
    format!(
        "[outbound]\nallow_http = true\nallow_private = [\"127.0.0.1/32\"]\nauthorities = \"{LAB_CA}\"\n\
         timeout_ms = 800\nlease_seconds = 2\n"
    )
}

impl Publishers {
    pub(crate) async fn start(engine: Engine) -> Self {
        let server = TestServer::start_seeded_with(engine, &settings()).await;
        Self { server, receiver: Receiver::start() }
    }

    /// A rule for every approved conversion, by GET, with the publisher's own click id.
    pub(crate) async fn rule(&self, path: &str) -> OutboundPostbackId {
        self.rule_of(OutboundDraft {
            url_template: Some(self.receiver.url(&with_id(path))),
            ..OutboundDraft::default()
        })
        .await
    }

    /// A rule, named if it has no name.
    pub(crate) async fn rule_of(&self, draft: OutboundDraft) -> OutboundPostbackId {
        let draft = OutboundDraft { name: draft.name.clone().or_else(|| Some("Rule".into())), ..draft };
        done(create_outbound(&self.server.app, &Principal::system(), &draft).await).rule.id
    }

    /// Follows a tracking link; the transaction id of the visit.
    pub(crate) async fn visit(&self, query: &str) -> String {
        let response = self.server.get(&format!("/click?offer=42&publisher=7&{query}")).await;
        header(&response, "location").unwrap().split("tid=").nth(1).unwrap().to_owned()
    }

    /// Reports a conversion of a visit.
    pub(crate) async fn convert(&self, transaction_id: &str) -> ConversionId {
        let (status, told) = self.server.told(&format!("/postback?transaction_id={transaction_id}")).await;
        assert_eq!(status, 200, "{told}");
        ConversionId::parse(told["conversion_id"].as_str().unwrap()).unwrap()
    }

    /// A visit and its conversion; the click id is `click-N`.
    pub(crate) async fn conversion(&self, number: usize) -> ConversionId {
        let visit = self.visit(&format!("external_transaction_id=click-{number}&sub_id=news")).await;
        self.convert(&visit).await
    }

    pub(crate) async fn reject(&self, transaction_id: &str) {
        let path = format!("/reject?transaction_id={transaction_id}&new_rejected_reason=fraud");
        let (status, told) = self.server.told(&path).await;
        assert_eq!(status, 200, "{told}");
    }

    /// Moves the clock, and lets the worker look.
    pub(crate) fn advance_seconds(&self, seconds: i64) {
        self.server.clock.advance_seconds(seconds);
        self.server.app.intake.outbox().notify_one();
    }

    /// The rules that somebody should look at, by their ids; the filter's other side holds all others.
    pub(crate) async fn failing(&self) -> Vec<OutboundPostbackId> {
        let list = async |is_failing: Option<bool>| {
            let filter = OutboundFilter { is_failing, ..OutboundFilter::default() };
            let page = outbound::list(&self.server.app.database, &filter, &PageRequest::beginning(OutboundSort)).await;
            page.unwrap().into_values().into_iter().map(|rule| rule.id).collect::<Vec<_>>()
        };
        let (failing, others, all) = (list(Some(true)).await, list(Some(false)).await, list(None).await);
        let mut both = [failing.clone(), others].concat();
        both.sort();
        assert_eq!(both, all);
        failing
    }

    /// The newest 50 deliveries of a rule, the newest first.
    pub(crate) async fn deliveries(&self, rule: OutboundPostbackId) -> Vec<Delivery> {
        let page = PageRequest::beginning(NewestDelivery);
        let found = outbox::list(&self.server.app.database, DeliveriesOf::Rule(rule), None, &page).await;
        found.unwrap().into_values()
    }

    /// The one delivery of a rule with its tries, once it is as it must be.
    pub(crate) async fn delivery(
        &self,
        rule: OutboundPostbackId,
        is_as_it_must_be: impl Fn(&Delivery) -> bool,
    ) -> (Delivery, Vec<Attempt>) {
        let began = Instant::now();
        loop {
            let found = self.deliveries(rule).await;
            if let [one] = found.as_slice()
                && is_as_it_must_be(one)
            {
                let mut attempts = outbox::attempts(&self.server.app.database, &[one.id]).await.unwrap();
                return (one.clone(), attempts.remove(&one.id).unwrap_or_default());
            }
            assert!(began.elapsed() < PATIENCE, "still {found:#?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The one delivery of a rule, once so many tries of it have ended.
    pub(crate) async fn tried(&self, rule: OutboundPostbackId, times: usize) -> (Delivery, Vec<Attempt>) {
        let began = Instant::now();
        loop {
            let (_, attempts) = self.delivery(rule, |_| true).await;
            if attempts.len() >= times {
                // Read again: the one above is older than the tries.
                return self.delivery(rule, |_| true).await;
            }
            assert!(began.elapsed() < PATIENCE, "still {attempts:#?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Once so many deliveries of a rule have succeeded.
    pub(crate) async fn succeeded(&self, rule: OutboundPostbackId, times: usize) {
        let began = Instant::now();
        loop {
            let found = self.deliveries(rule).await;
            let succeeded = found.iter().filter(|one| one.state == DeliveryState::Succeeded).count();
            if succeeded >= times {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{succeeded} of {times}: {found:#?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Long enough for a worker that would do it to have done it.
    pub(crate) async fn nothing_happens(&self) {
        self.server.app.intake.outbox().notify_one();
        sleep(Duration::from_millis(900)).await;
    }
}

/// With the publisher's own click id in the query.
pub(crate) fn with_id(path: &str) -> String {
    format!("{path}?cid={{external_transaction_id}}&status={{status}}")
}

/// A rule for these moments.
pub(crate) fn firing(moments: &[Moment], url: String) -> OutboundDraft {
    OutboundDraft { moments: Some(moments.to_vec()), url_template: Some(url), ..OutboundDraft::default() }
}

//! Sample data for `roundtrip demo` and for trying things out: partners, offers in different settings, a pixel domain,
//! an outbound postback that is switched off, and a few conversions of an offer with an event.
//!
//! Everything goes through the use cases, so that the samples obey their rules. What is there already, by its number
//! or its host, stays as it is: a second start finds its data again, changed by whoever played with it. Tokens and
//! operators are not made here, because their secrets must be shown to somebody.

use std::net::{IpAddr, Ipv4Addr};

use super::form::PriceDraft;
use super::manage_offers::{OfferDraft, create_offer, set_publisher_rate};
use super::manage_outbound::{OutboundDraft, create_outbound};
use super::manage_partners::{PartnerDraft, create_advertiser, create_publisher};
use super::offer_events::{EventDraft, set_offer_events};
use super::record_click::{Clicked, record_click};
use super::track::track;
use super::tracking_domains::create_local_domain;
use super::{App, AppError, Outcome};
use crate::domain::code::Code;
use crate::domain::ids::{AdvertiserId, OfferId, PublisherId, TrackingDomainId};
use crate::domain::inbound::{Door, Pairs, read};
use crate::domain::operator::Principal;
use crate::domain::receipt::Arrival;
use crate::store::conversions::{self, ConversionFilter};

/// The host that pixels of the demo come in on: every browser resolves it to this machine.
pub const PIXEL_HOST: &str = "pixel.localhost";

/// The sample data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoData {
    pub advertisers: [AdvertiserId; 2],
    pub publishers: [PublisherId; 3],
    /// 10 EUR from the advertiser, 7 EUR to the publisher, 8 EUR to the second one.
    pub fixed: OfferId,
    /// 10 % of the purchase value, 7.5 % to the publisher.
    pub percent: OfferId,
    /// Every conversion waits for a person.
    pub manual: OfferId,
    /// Takes clickless conversions, and pixels that a postback must confirm.
    pub clickless_and_pixel: OfferId,
    /// Pays for a registration, and again for its event, a deposit. Its postback to the first publisher is off.
    pub with_event: OfferId,
    /// [`PIXEL_HOST`], active.
    pub domain: TrackingDomainId,
}

/// Makes what is missing of the sample data.
///
/// # Errors
/// Those of the use cases: none on a database of its own.
pub async fn seed(app: &App, principal: &Principal) -> Outcome<DemoData> {
    match make(app, principal).await {
        Ok(data) => Ok(Ok(data)),
        Err(Stopped::Refused(errors)) => Ok(Err(errors)),
        Err(Stopped::Failed(error)) => Err(error),
    }
}

/// Why the seed ended early.
enum Stopped {
    Refused(Vec<super::UserError>),
    Failed(AppError),
}

fn done<T>(outcome: Outcome<T>) -> Result<T, Stopped> {
    outcome.map_err(Stopped::Failed)?.map_err(Stopped::Refused)
}

async fn make(app: &App, principal: &Principal) -> Result<DemoData, Stopped> {
    let advertisers =
        [advertiser(app, principal, 1, "Polar Shop").await?, advertiser(app, principal, 2, "Lighthouse Games").await?];
    let publishers = [
        publisher(app, principal, 7, "Daily Deals Blog").await?,
        publisher(app, principal, 8, "Newsletter Network").await?,
        publisher(app, principal, 9, "Search Partner").await?,
    ];
    let [shop, games] = advertisers;
    let (fixed, is_new) = offer(app, principal, fixed(shop)).await?;
    if is_new {
        let rate = price("8.00");
        done(set_publisher_rate(app, principal, (fixed, publishers[1]), Some(&rate)).await)?;
    }
    let (percent, _) = offer(app, principal, percent(shop)).await?;
    let (manual, _) = offer(app, principal, manual(games)).await?;
    let (clickless_and_pixel, _) = offer(app, principal, clickless_and_pixel(games)).await?;
    let (with_event, is_new) = offer(app, principal, with_event(games)).await?;
    if is_new {
        done(set_offer_events(app, principal, (with_event, 1), &[deposit()]).await)?;
        done(create_outbound(app, principal, &switched_off(with_event, publishers[0])).await)?;
    }
    let domain = domain(app, principal).await?;
    Ok(DemoData { advertisers, publishers, fixed, percent, manual, clickless_and_pixel, with_event, domain })
}

/// A visitor from each publisher registers at the offer with an event, and two of them make a deposit; nothing where
/// the offer has conversions already. `postback` is the URL of a token that may convert.
///
/// # Errors
/// The database cannot be asked; a request was not recorded.
pub async fn play(app: &App, data: &DemoData, postback: &str) -> Result<(), AppError> {
    let filter = ConversionFilter { offers: Some(vec![data.with_event]), ..ConversionFilter::default() };
    let counted = conversions::count(&app.database, &filter, app.clock.now()).await?;
    if counted.is_ok_and(|there| there.value > 0) {
        return Ok(());
    }
    for (publisher, has_deposit) in data.publishers.into_iter().zip([true, true, false]) {
        let query = format!("offer={}&publisher={}&sub_id=news", data.with_event.number(), publisher.number());
        let visit = Box::new(read(Door::Click, Pairs::from_query(query.as_bytes())));
        let transaction = match record_click(app, visit, arrival(app, "/click")).await {
            Clicked::Landed { transaction_id, .. } => transaction_id,
            Clicked::Refused { code, .. } => return Err(not_recorded(code)),
        };
        let url = postback.replace("{transaction_id}", &transaction.to_string());
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let deposit = has_deposit.then(|| format!("{query}&event_id={DEPOSIT}"));
        for query in std::iter::once(query.to_owned()).chain(deposit) {
            let inbound = Box::new(read(Door::Postback, Pairs::from_query(query.as_bytes())));
            let answer = track(app, inbound, arrival(app, "/postback")).await.answer;
            if answer.code != Code::Recorded {
                return Err(not_recorded(answer.code));
            }
        }
    }
    Ok(())
}

fn not_recorded(code: Code) -> AppError {
    AppError::Internal(format!("a sample was not recorded: {}", code.as_str()))
}

fn arrival(app: &App, path: &str) -> Arrival {
    Arrival {
        at: app.clock.now(),
        method: "GET".to_owned(),
        host: app.options.public_url.host_str().unwrap_or_default().to_owned(),
        path: path.to_owned(),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent: Some("Mozilla/5.0 (demo)".to_owned()),
        referrer_origin: None,
        is_bot: false,
        request_id: Principal::system().request_id,
    }
}

fn fixed(advertiser: AdvertiserId) -> OfferDraft {
    OfferDraft {
        number: Some(42),
        name: Some("Polar: winter sale".into()),
        description: Some(Some("A fixed payout for each order; one conversion a click.".into())),
        ..sample(advertiser, price("10.00"), price("7.00"))
    }
}

fn percent(advertiser: AdvertiserId) -> OfferDraft {
    OfferDraft {
        number: Some(43),
        name: Some("Polar: share of the basket".into()),
        description: Some(Some("A percentage of purchase_value; one conversion an order.".into())),
        duplicate_policy: Some(crate::domain::offer::DuplicatePolicy::OnePerOrder),
        payout_ceiling: Some(Some("100.00".into())),
        ..sample(advertiser, share("10"), share("7.5"))
    }
}

fn manual(advertiser: AdvertiserId) -> OfferDraft {
    OfferDraft {
        number: Some(44),
        name: Some("Lighthouse: first deposit, checked by hand".into()),
        description: Some(Some("Every conversion is pending until an operator approves it.".into())),
        manual_approval: Some(true),
        ..sample(advertiser, price("60.00"), price("45.00"))
    }
}

fn clickless_and_pixel(advertiser: AdvertiserId) -> OfferDraft {
    OfferDraft {
        number: Some(45),
        name: Some("Lighthouse: installs without a click, and an image pixel".into()),
        description: Some(Some("Takes clickless conversions; a pixel waits for its postback.".into())),
        clickless_enabled: Some(true),
        pixel_enabled: Some(true),
        payout_ceiling: Some(Some("20.00".into())),
        ..sample(advertiser, price("3.00"), price("2.20"))
    }
}

fn with_event(advertiser: AdvertiserId) -> OfferDraft {
    OfferDraft {
        number: Some(46),
        name: Some("Lighthouse: registration, then a deposit".into()),
        description: Some(Some("The conversion is the registration; the deposit is an event after it.".into())),
        ..sample(advertiser, price("4.00"), price("3.00"))
    }
}

/// The number of the event.
const DEPOSIT: i32 = 1;

fn deposit() -> EventDraft {
    EventDraft { number: DEPOSIT, name: "deposit".into(), revenue: price("40.00"), payout: price("30.00") }
}

/// Sends nothing before somebody switches it on; the host is one that no network has.
fn switched_off(offer: OfferId, publisher: PublisherId) -> OutboundDraft {
    OutboundDraft {
        name: Some("Daily Deals Blog: registrations and deposits".into()),
        is_enabled: Some(false),
        publisher: Some(Some(publisher)),
        offer: Some(Some(offer)),
        events: Some(Vec::new()),
        url_template: Some("https://publisher.example/hook?click={sub_id}&amount={payout}&status={status}".into()),
        ..OutboundDraft::default()
    }
}

fn sample(advertiser: AdvertiserId, revenue: PriceDraft, payout: PriceDraft) -> OfferDraft {
    OfferDraft {
        advertiser: Some(advertiser),
        landing_page_url: Some("https://example.com/landing?clickid={transaction_id}&pub={publisher_id}".into()),
        fallback_url: Some(Some("https://example.com/".into())),
        currency: Some("EUR".into()),
        revenue: Some(revenue),
        payout: Some(payout),
        ..OfferDraft::default()
    }
}

fn price(amount: &str) -> PriceDraft {
    PriceDraft { fixed: Some(amount.to_owned()), percent: None }
}

fn share(percent: &str) -> PriceDraft {
    PriceDraft { fixed: None, percent: Some(percent.to_owned()) }
}

/// The offer of the draft's number, and whether it was made now.
async fn offer(app: &App, principal: &Principal, draft: OfferDraft) -> Result<(OfferId, bool), Stopped> {
    let there = draft.number.and_then(OfferId::new).filter(|id| app.snapshot.load().offers.contains_key(id));
    match there {
        Some(id) => Ok((id, false)),
        None => Ok((done(create_offer(app, principal, draft).await)?.id, true)),
    }
}

async fn advertiser(app: &App, principal: &Principal, number: i32, name: &str) -> Result<AdvertiserId, Stopped> {
    let there = AdvertiserId::new(number).filter(|id| app.snapshot.load().advertisers.contains_key(id));
    match there {
        Some(id) => Ok(id),
        None => Ok(done(create_advertiser(app, principal, &partner(number, name)).await)?.id),
    }
}

async fn publisher(app: &App, principal: &Principal, number: i32, name: &str) -> Result<PublisherId, Stopped> {
    let there = PublisherId::new(number).filter(|id| app.snapshot.load().publishers.contains_key(id));
    match there {
        Some(id) => Ok(id),
        None => Ok(done(create_publisher(app, principal, &partner(number, name)).await)?.id),
    }
}

fn partner(number: i32, name: &str) -> PartnerDraft {
    PartnerDraft { name: Some(name.to_owned()), number: Some(number), ..PartnerDraft::default() }
}

async fn domain(app: &App, principal: &Principal) -> Result<TrackingDomainId, Stopped> {
    let there = app.snapshot.load().domains.get(PIXEL_HOST).map(|domain| domain.id);
    match there {
        Some(id) => Ok(id),
        None => Ok(done(create_local_domain(app, principal, PIXEL_HOST).await)?.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixtures::test_app;
    use crate::app::manage_offers::archive_offer;

    #[tokio::test]
    async fn a_second_seed_finds_what_the_first_one_made() {
        let (app, _folder) = test_app().await;
        let system = Principal::system();
        let first = seed(&app, &system).await.unwrap().unwrap();
        archive_offer(&app, &system, first.manual).await.unwrap().unwrap();
        let version = app.snapshot.load().version;
        assert_eq!(seed(&app, &system).await.unwrap().unwrap(), first);
        let snapshot = app.snapshot.load();
        assert_eq!(snapshot.version, version);
        assert_eq!((snapshot.offers.len(), snapshot.publishers.len(), snapshot.advertisers.len()), (5, 3, 2));
        assert!(snapshot.accepting_domain("pixel.localhost:8080").is_some());
    }
}

//! Requests as they come from browsers and from advertisers' servers, with parameters of realistic length.
//!
//! Every request differs from every other one in what makes it a fact of its own: a click in its publisher's click id,
//! a postback in its transaction id (minted beforehand with the server's own keys) and order. A generator that sent
//! the same postback again would measure duplicates.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use roundtrip::domain::transaction_id::TransactionId;

use crate::load::Source;

pub(crate) const OFFERS: u64 = 200;
pub(crate) const PUBLISHERS: u64 = 20;
pub(crate) const PIXEL_HOST: &str = "pixel.localhost";
const HOST: &str = "track.example.com";

const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0",
];

/// Which offer and publisher the n-th fact belongs to: all pairs, evenly.
pub(crate) const fn offer_of(number: u64) -> u64 {
    number % OFFERS + 1
}

pub(crate) const fn publisher_of(number: u64) -> u64 {
    number / OFFERS % PUBLISHERS + 1
}

/// Writing to memory cannot fail, so its result says nothing.
macro_rules! request {
    ($out:expr, $($part:tt)*) => {{
        let _ = write!($out, $($part)*);
        true
    }};
}

fn browser(number: u64) -> &'static str {
    usize::try_from(number % 4).ok().and_then(|index| BROWSERS.get(index)).copied().unwrap_or(BROWSERS[0])
}

/// Clicks on tracking links.
pub(crate) fn clicks() -> Source {
    let count = AtomicU64::new(0);
    Arc::new(move |out| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        request!(
            out,
            "GET /click?offer={}&publisher={}&sub_id=newsletter-2026-w47&sub_id_2=campaign-{:05}&sub_id_3=banner_300x250\
             &external_transaction_id=9f1c6b52-7d0e-4a53-8f7e-{n:012x}&device_id=6ba7b810-9dad-11d1-80b4-{n:012x} \
             HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {}\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\
             Accept-Language: en-GB,en;q=0.7\r\nReferer: https://deals.example/post/4711\r\n\r\n",
            offer_of(n),
            publisher_of(n),
            n % 997,
            browser(n)
        )
    })
}

/// Distinct ids, spread over the table of clicks rather than in its order, shared by all runs on one database.
#[derive(Clone)]
pub(crate) struct Supply {
    ids: Arc<Vec<TransactionId>>,
    next: Arc<AtomicUsize>,
}

impl Supply {
    /// A prime, so that its multiples meet every place of a supply of another size once.
    const STRIDE: usize = 611_953;

    pub(crate) fn new(ids: Vec<TransactionId>) -> Self {
        Self { ids: Arc::new(ids), next: Arc::default() }
    }

    fn take(&self) -> Option<(usize, TransactionId)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number >= self.ids.len() {
            return None;
        }
        let place = number.wrapping_mul(Self::STRIDE) % self.ids.len();
        self.ids.get(place).map(|id| (number, *id))
    }
}

/// Postbacks of orders, each with a transaction id of its own.
pub(crate) fn postbacks(secret: &str, supply: Supply) -> Source {
    let secret = secret.to_owned();
    Arc::new(move |out| {
        let Some((n, id)) = supply.take() else { return false };
        postback(out, &secret, &id.to_string(), n)
    })
}

fn postback(out: &mut Vec<u8>, secret: &str, id: &str, n: usize) -> bool {
    request!(
        out,
        "GET /postback?secure={secret}&transaction_id={id}&order_id=ORD-2026-{n:08}&purchase_value={}.90&currency=EUR\
         &adv_sub_id=returning-customer&adv_sub_id_2=basket-{} HTTP/1.1\r\nHost: {HOST}\r\n\
         User-Agent: shop-orders/3.2 (+https://shop.example)\r\nAccept: */*\r\n\r\n",
        n % 400 + 10,
        n % 7
    )
}

/// Postbacks under a good token with an id that nobody sealed: refused, with a receipt.
pub(crate) fn forged(secret: &str) -> Source {
    let secret = secret.to_owned();
    let count = AtomicUsize::new(0);
    Arc::new(move |out| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        postback(out, &secret, &forged_id(n), n)
    })
}

/// Begins as ours do, and has their length; its seal is wrong.
fn forged_id(n: usize) -> String {
    format!("003yc0000000000000000000{n:016}")
}

/// Postbacks with one well-formed token that nobody has, from many networks (through a proxy that is trusted), so
/// that the limit of one network does not answer in place of the check.
pub(crate) fn bad_tokens(unknown: &str) -> Source {
    let unknown = unknown.to_owned();
    let count = AtomicUsize::new(0);
    Arc::new(move |out| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        request!(
            out,
            "GET /postback?secure={unknown}&transaction_id={}&order_id=ORD-2026-{n:08}&purchase_value=49.90&currency=EUR \
             HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For: 10.{}.{}.9\r\nUser-Agent: shop-orders/3.2\r\n\
             Accept: */*\r\n\r\n",
            forged_id(n),
            n / 256 % 16,
            n % 256
        )
    })
}

/// Pixels on a tracking domain, each with an id of its own.
pub(crate) fn pixels(supply: Supply) -> Source {
    Arc::new(move |out| {
        let Some((n, id)) = supply.take() else { return false };
        pixel(out, &id.to_string(), n)
    })
}

/// Pixels with an id that nobody sealed.
pub(crate) fn forged_pixels() -> Source {
    let count = AtomicUsize::new(0);
    Arc::new(move |out| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        pixel(out, &forged_id(n), n)
    })
}

fn pixel(out: &mut Vec<u8>, id: &str, n: usize) -> bool {
    request!(
        out,
        "GET /pixel.gif?transaction_id={id}&adv_sub_id=thank-you-page HTTP/1.1\r\nHost: {PIXEL_HOST}\r\n\
         User-Agent: {}\r\nAccept: image/avif,image/webp,*/*;q=0.8\r\nReferer: https://shop.example/thanks\r\n\r\n",
        browser(u64::try_from(n).unwrap_or(0))
    )
}

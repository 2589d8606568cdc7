//! What senders and visitors do, as short stories of one transaction each: some requests in their order, repeats at
//! once, and what the ledger expects in the end.
//!
//! A story waits for each answer, so its end is known whatever is broken meanwhile: a request that was asked again may
//! be a duplicate of itself, and nothing else.

use futures_util::future::join3;
use roundtrip::domain::transaction_id::TransactionId;

use super::Outcome;
use super::dice::Dice;
use super::ledger::{ClickPromised, Id, Promised};
use super::sender::{Door, Request, Senders, Told};
use super::server::{OFFER, OFFER_OF_ORDERS, PUBLISHER};

/// One more story; `name` is that of no other one.
pub(super) async fn tell(senders: &Senders, dice: &mut Dice, name: &str) -> Outcome<()> {
    let number = dice.below(20);
    let mut story = Story { senders, dice, name };
    match number {
        0..=3 => story.visit().await,
        4..=7 => story.sale().await,
        8..=9 => story.orders().await,
        10..=11 => story.repeats().await,
        12 => story.rejected_later().await,
        13 => story.rejected_before().await,
        14..=15 => story.clickless().await,
        16..=17 => story.pixel().await,
        18 => story.approved_later().await,
        _ => story.nonsense().await,
    }
}

/// One conversion, for whoever waits until they are recorded again.
pub(super) async fn probe(senders: &Senders, dice: &mut Dice) -> Outcome<()> {
    let id = senders.mint.mint(OFFER)?.to_string();
    let mut story = Story { senders, dice, name: "probe" };
    let told = story.ask("/postback", &format!("transaction_id={id}"), &["recorded"], &["duplicate"]).await?;
    story.promise(&told, &id, "approved", &["recorded"]).map(|_| ())
}

struct Story<'a> {
    senders: &'a Senders,
    dice: &'a mut Dice,
    name: &'a str,
}

impl Story<'_> {
    async fn visit(&mut self) -> Outcome<()> {
        self.click(OFFER).await.map(|_| ())
    }

    async fn sale(&mut self) -> Outcome<()> {
        let id = self.id(OFFER).await?;
        let order = if self.dice.percent(50) { format!("&order_id=o-{}", self.name) } else { String::new() };
        let query = format!("transaction_id={id}{order}");
        let told = self.ask("/postback", &query, &["recorded"], &["duplicate"]).await?;
        let conversion = self.promise(&told, &id, "approved", &["recorded"])?;
        if self.dice.percent(40) {
            let again = self.ask("/postback", &query, &["duplicate"], &[]).await?;
            self.same(&query, conversion, &again);
        }
        Ok(())
    }

    async fn orders(&mut self) -> Outcome<()> {
        let id = self.id(OFFER_OF_ORDERS).await?;
        let orders = 1 + self.dice.below(3);
        for order in 0..orders {
            let query = format!("transaction_id={id}&order_id=o-{}-{order}", self.name);
            let told = self.ask("/postback", &query, &["recorded"], &["duplicate"]).await?;
            self.promise(&told, &id, "approved", &["recorded"])?;
        }
        let query = format!("transaction_id={id}&order_id=o-{}-0", self.name);
        self.ask("/postback", &query, &["duplicate"], &[]).await.map(|_| ())
    }

    /// Three times the same at once.
    async fn repeats(&mut self) -> Outcome<()> {
        let id = self.id(OFFER).await?;
        let query = format!("transaction_id={id}&order_id=o-{}", self.name);
        let request = self.request("/postback", &query);
        let send = || self.senders.send(&request);
        let (a, b, c) = join3(send(), send(), send()).await;
        let all = [a?, b?, c?];
        let recorded = all.iter().filter(|told| told.code == "recorded").count();
        let at_once = all.iter().all(|told| told.tries == 1);
        let known = all.iter().all(|told| ["recorded", "duplicate"].contains(&told.code.as_str()));
        let one_id = all.iter().all(|told| told.conversion == all[0].conversion);
        if recorded > 1 || (at_once && recorded != 1) || !known || !one_id {
            self.senders.broken(format!("three times {query} at once: {all:?}"));
        }
        self.promise(&all[0], &id, "approved", &["recorded"]).map(|_| ())
    }

    async fn rejected_later(&mut self) -> Outcome<()> {
        let id = self.id(OFFER).await?;
        let told = self.ask("/postback", &format!("transaction_id={id}"), &["recorded"], &["duplicate"]).await?;
        let conversion = self.promise(&told, &id, "approved", &["recorded"])?;
        self.moving(conversion);
        let query = format!("transaction_id={id}&new_rejected_reason=fraud");
        let told = self.ask("/reject", &query, &["rejected"], &["no_change"]).await?;
        self.same(&query, conversion, &told);
        self.promise(&told, &id, "rejected", &["recorded", "rejected"]).map(|_| ())
    }

    async fn rejected_before(&mut self) -> Outcome<()> {
        let id = self.id(OFFER).await?;
        let query = format!("transaction_id={id}&new_rejected_reason=fraud");
        self.ask("/reject", &query, &["parked"], &[]).await?;
        let told = self.ask("/postback", &format!("transaction_id={id}"), &["recorded"], &["duplicate"]).await?;
        self.promise(&told, &id, "rejected", &["recorded", "rejected"]).map(|_| ())
    }

    async fn clickless(&mut self) -> Outcome<()> {
        let key = if self.dice.percent(50) { "external_transaction_id" } else { "order_id" };
        let query = format!("offer={OFFER}&publisher={PUBLISHER}&{key}=c-{}&revenue=3.50", self.name);
        let told = self.ask("/postback/clickless", &query, &["recorded"], &["duplicate"]).await?;
        let Some(id) = told.transaction.clone() else {
            self.senders.broken(format!("clickless {query} was told no transaction: {told:?}"));
            return Ok(());
        };
        let conversion = self.promise(&told, &id, "approved", &["recorded"])?;
        let again = self.ask("/postback/clickless", &query, &["duplicate"], &[]).await?;
        self.same(&query, conversion, &again);
        if self.dice.percent(30) {
            self.moving(conversion);
            let query = format!("transaction_id={id}&new_rejected_reason=returned");
            let told = self.ask("/reject", &query, &["rejected"], &["no_change"]).await?;
            self.promise(&told, &id, "rejected", &["recorded", "rejected"])?;
        }
        Ok(())
    }

    async fn pixel(&mut self) -> Outcome<()> {
        let id = self.id(OFFER).await?;
        let query = format!("transaction_id={id}");
        let request = Request { door: Door::Pixel, path: "/pixel.gif", query: query.clone(), by_post: false };
        let told = self.senders.send(&request).await?;
        self.check(&query, &told, &["recorded"], &["duplicate"]);
        let told = self.ask("/postback", &query, &["confirmed"], &["duplicate"]).await?;
        self.promise(&told, &id, "approved", &["recorded", "confirmed"]).map(|_| ())
    }

    async fn approved_later(&mut self) -> Outcome<()> {
        let id = self.id(OFFER).await?;
        let query = format!("transaction_id={id}&status=pending");
        let told = self.ask("/postback", &query, &["recorded"], &["duplicate"]).await?;
        let conversion = self.promise(&told, &id, "pending", &["recorded"])?;
        self.moving(conversion);
        let query = format!("transaction_id={id}&status=approved");
        let told = self.ask("/status", &query, &["status_changed"], &["no_change"]).await?;
        self.promise(&told, &id, "approved", &["recorded", "status_changed"]).map(|_| ())
    }

    /// Under a verified token it leaves its receipt, else nothing that is promised.
    async fn nonsense(&mut self) -> Outcome<()> {
        let id = self.senders.mint.mint(OFFER)?.to_string();
        let mistyped = format!("transaction_id={}{}", &id[..39], if id.ends_with('0') { '1' } else { '0' });
        if self.dice.percent(50) {
            return self.ask("/postback", &mistyped, &["malformed_transaction_id"], &[]).await.map(|_| ());
        }
        let request = Request { door: Door::Stranger, path: "/postback", query: mistyped, by_post: false };
        self.senders.send(&request).await.map(|_| ())
    }

    /// A transaction, of a visit or of one whose click is nowhere.
    async fn id(&mut self, offer: i32) -> Outcome<String> {
        if self.dice.percent(50) { self.click(offer).await } else { Ok(self.senders.mint.mint(offer)?.to_string()) }
    }

    async fn click(&mut self, offer: i32) -> Outcome<String> {
        let query = format!("offer={offer}&publisher={PUBLISHER}&sub_id=news&external_transaction_id=x-{}", self.name);
        let request = Request { door: Door::Click, path: "/click", query, by_post: false };
        let told = self.senders.send(&request).await?;
        let id = told.transaction.ok_or("a click leads nowhere")?;
        let promised = ClickPromised { transaction: bytes(&id)?, is_settled: told.code == "settled" };
        self.senders.ledger.open().clicks.push(promised);
        Ok(id)
    }

    fn request(&mut self, path: &'static str, query: &str) -> Request {
        Request { door: Door::Told, path, query: query.to_owned(), by_post: self.dice.percent(40) }
    }

    /// Sends, and compares the code: one of `first`, or of `again` when it was sent more than once.
    async fn ask(&mut self, path: &'static str, query: &str, first: &[&str], again: &[&str]) -> Outcome<Told> {
        let request = self.request(path, query);
        let told = self.senders.send(&request).await?;
        self.check(query, &told, first, again);
        Ok(told)
    }

    fn check(&self, query: &str, told: &Told, first: &[&str], again: &[&str]) {
        let code = told.code.as_str();
        let is_known = first.contains(&code) || (told.tries > 1 && again.contains(&code));
        if !is_known {
            self.senders.broken(format!("{query}: {told:?}, and not {first:?}"));
        }
    }

    fn same(&self, query: &str, first: Id, told: &Told) {
        if told.conversion != Some(first) {
            self.senders.broken(format!("{query}: {told:?} is of another conversion than the first answer"));
        }
    }

    fn moving(&self, conversion: Id) {
        if let Some(promised) = self.senders.ledger.open().conversions.get_mut(&conversion) {
            promised.is_moving = true;
        }
    }

    /// The entry in the ledger; what was there before is replaced.
    fn promise(&self, told: &Told, id: &str, status: &'static str, history: &[&'static str]) -> Outcome<Id> {
        let Some(conversion) = told.conversion else {
            return Err(format!("{told:?} names no conversion of {id}").into());
        };
        if told.status.as_deref() != Some(status) {
            self.senders.broken(format!("{id}: {told:?} should be {status}"));
        }
        let promised = Promised { transaction: bytes(id)?, status, history: history.to_vec(), is_moving: false };
        self.senders.ledger.open().conversions.insert(conversion, promised);
        Ok(conversion)
    }
}

fn bytes(id: &str) -> Outcome<Vec<u8>> {
    let id = TransactionId::parse(id).map_err(|_| format!("{id} is no transaction id"))?;
    Ok(id.as_bytes().to_vec())
}

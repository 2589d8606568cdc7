//! One batch, one transaction: claim, gather, judge, write, commit. There is no other way to record anything.
//!
//! Order: the version of the control data is read first, and a newer snapshot is loaded when the database has one,
//! so that a revocation is exact; then the keys of the batch are claimed in byte order (that lock decides every race,
//! between two postbacks, a rejection and its conversion, two servers), then the facts are read in sets, every item
//! is judged in order of arrival, and all of it is written in as many statements as there are tables.
//! Crash window: none. Before the commit nothing is there, after it everything is; the answers come after.
//! Cost: about a dozen statements for a batch, however long it is.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::domain::answer::{Answer, check_results};
use crate::domain::click::Click;
use crate::domain::clock::{Clock, Entropy, Timestamp};
use crate::domain::conversion_key::ConversionKey;
use crate::domain::delivery::NewDelivery;
use crate::domain::foreign_click::Aliases;
use crate::domain::ids::{ChangeId, ConversionId, DeliveryId, ReceiptId, TokenId};
use crate::domain::inbound::Door;
use crate::domain::keyring::Keyring;
use crate::domain::receipt::Receipt;
use crate::domain::screening::{Admission, Check, Hit, Known, Refusal, admit};
use crate::domain::snapshot::{CurrentSnapshot, Snapshot};
use crate::domain::transaction_id::{Kind, Minter, TransactionId};
use crate::store::batch::{self, FeedEntry, NewRows, Repetition};
use crate::store::{self, Database, StoreError, Tx, WriterConnection};

use super::foreign::{complete_clicks, resolve};
use super::item::{Item, OperatorChanges, Rehearsed, Settled};
use super::queue::Pending;
use super::world::{Admitted, KeyState, World, receipt, refused};

/// What settling works with.
pub(super) struct Bench {
    pub(super) database: Database,
    pub(super) snapshot: CurrentSnapshot,
    pub(super) keyring: Arc<Keyring>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) minter: Arc<Minter>,
    /// When each token's use was marked last.
    pub(super) marked: Mutex<HashMap<TokenId, Timestamp>>,
    /// Rung when there is something new to be delivered.
    pub(super) outbox: Arc<Notify>,
}

/// A batch that did not commit, as far as is known.
#[derive(Debug)]
pub(super) enum NotSettled {
    /// Nothing was written.
    Failed(StoreError),
    /// It may be written: look for the proof. The outcomes hold if it is.
    Unknown { source: StoreError, proof: Option<Proof>, outcomes: Vec<Settled> },
}

/// One row of a batch: if it is there, all of the batch is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Proof {
    Receipt(ReceiptId),
    Click(TransactionId, Timestamp),
    Change(ChangeId),
}

/// How one try to settle a batch goes about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    /// Which column of the figures is the writer's own.
    pub(super) slot: i16,
    /// Possible when the batch has been tried before.
    pub(super) repetition: Repetition,
    /// A database that has not answered by then is taken for one that never will: the connection is closed.
    pub(super) deadline: Instant,
}

impl From<StoreError> for NotSettled {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// Settles a batch in one transaction; the outcomes are in the order of the items. The connection is opened where
/// there is none, and is gone after an error.
pub(super) async fn settle(
    bench: &Bench,
    connection: &mut Option<WriterConnection>,
    items: &[Pending],
    how: Try,
) -> Result<Vec<Settled>, NotSettled> {
    let prepared = timeout_at(how.deadline, prepare(bench, connection.take(), items, how)).await;
    let (tx, Prepared { outcomes, proof, marks, delivers }) = prepared.map_err(|_late| StoreError::Late)??;
    let unknown = |_late| Err(StoreError::CommitUnknown(StoreError::Late.into()));
    match timeout_at(how.deadline, tx.commit()).await.unwrap_or_else(unknown) {
        Ok(open) => {
            *connection = Some(open);
            bench.note_marks(marks);
            if delivers {
                bench.outbox.notify_one();
            }
            Ok(outcomes)
        }
        Err(source @ StoreError::CommitUnknown(_)) => Err(NotSettled::Unknown { source, proof, outcomes }),
        Err(error) => Err(error.into()),
    }
}

/// A batch that waits for its commit.
struct Prepared {
    outcomes: Vec<Settled>,
    proof: Option<Proof>,
    marks: Marks,
    /// Something can be delivered once it is committed.
    delivers: bool,
}

/// The last use of each token: when, and from which network.
type Marks = BTreeMap<TokenId, (Timestamp, String)>;

impl Bench {
    /// Those of the uses that are to be marked, as far as this server knows.
    fn due_marks(&self, mut uses: Marks) -> Marks {
        let marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
        uses.retain(|token, (at, _)| marked.get(token).is_none_or(|last| at.millis_since(*last) >= batch::MARK_MILLIS));
        uses
    }

    fn note_marks(&self, marks: Marks) {
        if !marks.is_empty() {
            let mut marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
            marked.extend(marks.into_iter().map(|(token, (at, _))| (token, at)));
        }
    }
}

/// Everything but the commit.
async fn prepare(
    bench: &Bench,
    connection: Option<WriterConnection>,
    items: &[Pending],
    how: Try,
) -> Result<(Tx, Prepared), StoreError> {
    let connection = match connection {
        Some(open) => open,
        None => bench.database.open_writer().await?,
    };
    let (mut tx, version) = bench.database.begin_write(connection).await?;
    let snapshot = current_snapshot(bench, version).await?;
    let prepared = settle_in(bench, &mut tx, &snapshot, items, how).await?;
    Ok((tx, prepared))
}

/// Is the batch of this proof there?
pub(super) async fn is_settled(bench: &Bench, proof: Proof) -> Result<bool, StoreError> {
    let (mut tx, _) = bench.database.begin_write(bench.database.open_writer().await?).await?;
    Ok(match proof {
        Proof::Receipt(id) => !batch::existing_receipts(&mut tx, &[id]).await?.is_empty(),
        Proof::Click(id, at) => !batch::find_clicks(&mut tx, &[(id, at)]).await?.is_empty(),
        Proof::Change(id) => batch::has_change(&mut tx, id).await?,
    })
}

async fn settle_in(
    bench: &Bench,
    tx: &mut Tx,
    snapshot: &Snapshot,
    items: &[Pending],
    how: Try,
) -> Result<Prepared, StoreError> {
    let hits = items.iter().filter_map(|pending| match &pending.item {
        Item::Hit(hit) => Some(&**hit),
        Item::Click(_) | Item::Changes(_) | Item::Receipt(_) => None,
    });
    let aliases = resolve(tx, snapshot, &bench.keyring, hits.clone()).await?;
    let (mut admitted, verdicts) = split(hits.map(|hit| screen(bench, hit, snapshot, &aliases)));
    let clicks = Clicks::of(items, how.repetition);
    let mut world = World::new(bench.clock.now());
    claim(tx, &mut world, &mut admitted).await?;
    gather(tx, &mut world, &mut admitted, items, &clicks, Lock::Rows).await?;
    complete_clicks(tx, snapshot, &mut world, clicked_transactions(&admitted)).await?;
    let inserted = take_clicks(tx, &mut world, &clicks, snapshot).await?;
    world.fill_in();
    let outcomes = judge_all(bench, &mut world, items, &admitted, &verdicts);
    let proof = proof(&world, inserted);
    let repetition = if items.iter().any(Pending::may_repeat) { Repetition::Possible } else { how.repetition };
    let deliveries = world.deliveries(&snapshot.outbound, &|| DeliveryId::mint(&*bench.clock, &*bench.entropy));
    let delivers = !deliveries.is_empty() || !world.writes.completed.is_empty();
    let marks = write(bench, tx, (world, snapshot), (&clicks, &deliveries), Try { repetition, ..how }).await?;
    Ok(Prepared { outcomes, proof, marks, delivers })
}

/// The snapshot that this batch is judged against: at least as new as the transaction.
async fn current_snapshot(bench: &Bench, version: i64) -> Result<Arc<Snapshot>, StoreError> {
    let known = bench.snapshot.load_full();
    if version <= known.version {
        return Ok(known);
    }
    let loaded = Arc::new(store::snapshot::load(&bench.database).await?);
    // Of two that overtake each other the newer one stays.
    bench.snapshot.rcu(|now| if now.version < loaded.version { Arc::clone(&loaded) } else { Arc::clone(now) });
    Ok(loaded)
}

/// One request after the first step.
enum Screened<'a> {
    Admitted(Box<Admitted<'a>>),
    Refused(&'a Hit, Known, Refusal),
}

/// A request in order of arrival: the index of its admission, or why it was refused.
enum Verdict<'a> {
    Judge(usize),
    Refused(&'a Hit, Known, Refusal),
}

fn screen<'a>(bench: &Bench, hit: &'a Hit, snapshot: &'a Snapshot, aliases: &Aliases) -> Screened<'a> {
    let (known, admission) = admit(hit, snapshot, &bench.keyring, aliases);
    match admission {
        Err(refusal) => Screened::Refused(hit, known, refusal),
        Ok(admission) => {
            let transaction = match &admission.transaction {
                Some((id, _)) => *id,
                None => mint_clickless(bench, hit, &admission),
            };
            let mut keys = admission.claim_keys(hit);
            if hit.inbound.door == Door::Clickless {
                keys.first = Some(ConversionKey::first(&transaction, admission.event_number()));
            }
            let conversion = ConversionId::mint(&*bench.clock, &*bench.entropy);
            Screened::Admitted(Box::new(Admitted { hit, known, admission, conversion, transaction, keys }))
        }
    }
}

fn mint_clickless(bench: &Bench, hit: &Hit, admission: &Admission<'_>) -> TransactionId {
    let (offer, publisher) = (admission.offer.id, admission.publisher);
    bench.minter.mint(&bench.keyring, hit.arrival.at, Kind::Clickless, offer, publisher)
}

fn split<'a>(hits: impl Iterator<Item = Screened<'a>>) -> (Vec<Admitted<'a>>, Vec<Verdict<'a>>) {
    let mut admitted = Vec::new();
    let verdicts = hits
        .map(|screened| match screened {
            Screened::Refused(hit, known, refusal) => Verdict::Refused(hit, known, refusal),
            Screened::Admitted(one) => {
                admitted.push(*one);
                Verdict::Judge(admitted.len().saturating_sub(1))
            }
        })
        .collect();
    (admitted, verdicts)
}

/// The clicks of a batch, in the order of their keys, so that two writers that have the same ones never wait in a ring.
#[derive(Default)]
struct Clicks<'a> {
    /// Minted for visitors who still wait for their redirect: nobody else knows these ids, so no row can be there, and
    /// no conversion can wait for one.
    fresh: Vec<&'a Click>,
    others: Vec<&'a Click>,
}

impl<'a> Clicks<'a> {
    fn of(items: &'a [Pending], repetition: Repetition) -> Self {
        let mut clicks = Self::default();
        for pending in items {
            match &pending.item {
                Item::Click(click) if repetition == Repetition::Never && !pending.may_repeat() => {
                    clicks.fresh.push(click);
                }
                Item::Click(click) => clicks.others.push(click),
                Item::Hit(_) | Item::Changes(_) | Item::Receipt(_) => {}
            }
        }
        clicks.fresh.sort_by_key(|click| click.transaction_id);
        clicks.others.sort_by_key(|click| click.transaction_id);
        clicks
    }
}

/// Does recording this claim keys, or only look at them?
fn records(door: Door) -> bool {
    match door {
        Door::Postback | Door::Clickless | Door::Pixel | Door::Click => true,
        Door::Rejection | Door::Status => false,
    }
}

/// The keys that the batch asks for, in byte order; the first that asks is the owner for now.
fn wanted_keys(admitted: &[Admitted<'_>]) -> BTreeMap<ConversionKey, Option<ConversionId>> {
    let mut wanted = BTreeMap::new();
    for one in admitted {
        if records(one.hit.inbound.door) {
            for key in one.keys.iter() {
                wanted.entry(key.clone()).or_insert(Some(one.conversion));
            }
            // Asked for and given back where it is free: so an event waits for a conversion that is being recorded.
            if let Some(base) = one.admission.base_key() {
                wanted.entry(base).or_insert(None);
            }
        } else if one.hit.inbound.door == Door::Rejection {
            wanted.entry(one.admission.parking_key(&one.transaction)).or_insert(None);
        }
    }
    wanted
}

async fn claim(tx: &mut Tx, world: &mut World, admitted: &mut [Admitted<'_>]) -> Result<(), StoreError> {
    claim_keys(tx, world, wanted_keys(admitted)).await
}

/// Claims what is free and locks what is not.
async fn claim_keys(
    tx: &mut Tx,
    world: &mut World,
    wanted: BTreeMap<ConversionKey, Option<ConversionId>>,
) -> Result<(), StoreError> {
    let claims: Vec<_> = wanted.into_iter().collect();
    let inserted: HashSet<ConversionKey> = batch::claim_keys(tx, &claims).await?;
    let (mine, taken): (Vec<_>, Vec<_>) = claims.into_iter().partition(|(key, _)| inserted.contains(key));
    for (key, owner) in mine {
        world.keys.insert(key.clone(), KeyState::Free);
        world.claimed.insert(key, owner);
    }
    let taken: Vec<ConversionKey> = taken.into_iter().map(|(key, _)| key).collect();
    look_up(tx, world, &taken, Lock::Rows).await
}

/// Writers lock what they find; a dry run does not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    Rows,
    Nothing,
}

impl Lock {
    fn is_on(self) -> bool {
        self == Self::Rows
    }
}

async fn look_up(tx: &mut Tx, world: &mut World, keys: &[ConversionKey], lock: Lock) -> Result<(), StoreError> {
    for (key, owner) in batch::find_keys(tx, keys, lock.is_on()).await? {
        world.keys.insert(key, owner.map_or(KeyState::Parked, KeyState::Owned));
    }
    Ok(())
}

/// Reads the facts of the whole batch.
async fn gather(
    tx: &mut Tx,
    world: &mut World,
    admitted: &mut [Admitted<'_>],
    items: &[Pending],
    clicks: &Clicks<'_>,
    lock: Lock,
) -> Result<(), StoreError> {
    let told = transactions(admitted, |one| !records(one.hit.inbound.door) || one.admission.event.is_some());
    let mut ids: BTreeSet<ConversionId> = batch::conversions_by_transactions(tx, &told).await?.into_iter().collect();
    let late: Vec<TransactionId> = clicks.others.iter().map(|click| click.transaction_id).collect();
    ids.extend(batch::awaiting_click(tx, &late).await?);
    ids.extend(world.keys.values().filter_map(|state| match state {
        KeyState::Owned(id) => Some(*id),
        KeyState::Free | KeyState::Parked => None,
    }));
    for changes in operators(items) {
        ids.extend(changes.changes.iter().map(|change| change.conversion));
        if let Some(once) = &changes.once {
            let earlier = batch::find_call(tx, &once.call, world.now()).await?;
            world.calls.insert(once.call.clone(), earlier);
        }
    }
    load_conversions(tx, world, ids, lock).await?;
    resolve_repeats(tx, world, admitted, lock).await?;
    let parked: Vec<ConversionKey> =
        world.keys.iter().filter(|(_, state)| **state == KeyState::Parked).map(|(key, _)| key.clone()).collect();
    for rejection in batch::parked_by_keys(tx, &parked).await? {
        world.parked.insert(rejection.key.clone(), rejection);
    }
    let fresh: BTreeSet<(TransactionId, Timestamp)> = admitted
        .iter()
        .filter(|one| one.keys.iter().any(|key| !matches!(world.key(key), KeyState::Owned(_))))
        .filter_map(clicked)
        .collect();
    world.clicks = batch::find_clicks(tx, &fresh.into_iter().collect::<Vec<_>>()).await?;
    Ok(())
}

/// What operators ask for in this batch.
fn operators(items: &[Pending]) -> impl Iterator<Item = &OperatorChanges> {
    items.iter().filter_map(|pending| match &pending.item {
        Item::Changes(changes) => Some(&**changes),
        Item::Hit(_) | Item::Click(_) | Item::Receipt(_) => None,
    })
}

/// The click that a request speaks of, and when it was.
fn clicked(one: &Admitted<'_>) -> Option<(TransactionId, Timestamp)> {
    match one.hit.inbound.door {
        Door::Postback | Door::Pixel => one.admission.transaction.as_ref().map(|(id, known)| (*id, known.minted_at)),
        Door::Click | Door::Clickless | Door::Rejection | Door::Status => None,
    }
}

fn clicked_transactions(admitted: &[Admitted<'_>]) -> impl Iterator<Item = TransactionId> {
    admitted.iter().filter_map(clicked).map(|(id, _)| id)
}

fn transactions(admitted: &[Admitted<'_>], which: impl Fn(&Admitted<'_>) -> bool) -> Vec<TransactionId> {
    let ids: BTreeSet<TransactionId> = admitted.iter().filter(|one| which(one)).map(|one| one.transaction).collect();
    ids.into_iter().collect()
}

async fn load_conversions(
    tx: &mut Tx,
    world: &mut World,
    ids: BTreeSet<ConversionId>,
    lock: Lock,
) -> Result<(), StoreError> {
    let missing: Vec<ConversionId> = ids.into_iter().filter(|id| !world.conversions.contains_key(id)).collect();
    for conversion in batch::conversions_by_ids(tx, &missing, lock.is_on()).await? {
        world.insert_conversion(conversion);
    }
    Ok(())
}

/// A request that is known by its fingerprint only, and whose repeat window is over, is a new conversion: it takes
/// the next key after the highest that is taken. Rare, so one look-up each.
async fn resolve_repeats(
    tx: &mut Tx,
    world: &mut World,
    admitted: &mut [Admitted<'_>],
    lock: Lock,
) -> Result<(), StoreError> {
    for one in admitted.iter_mut().filter(|one| records(one.hit.inbound.door)) {
        let Some(first) = one.keys.repeat.clone() else { continue };
        if is_live(world, one, &first) {
            continue;
        }
        let Some((low, high)) = first.repeat_range() else { continue };
        let highest = batch::highest_repeat(tx, &low, &high).await?;
        let Some((key, Some(owner))) = highest else { continue };
        if world.claimed.contains_key(&key) {
            // An equal request of this batch has just claimed it: whoever comes first has it, the others repeat.
            one.keys.repeat = Some(key);
            continue;
        }
        load_conversions(tx, world, BTreeSet::from([owner]), lock).await?;
        world.keys.insert(key.clone(), KeyState::Owned(owner));
        if is_live(world, one, &key) {
            one.keys.repeat = Some(key);
            continue;
        }
        let Some(next) = key.next_repeat() else { continue };
        if lock == Lock::Rows && !world.keys.contains_key(&next) {
            claim_keys(tx, world, BTreeMap::from([(next.clone(), Some(one.conversion))])).await?;
            if let KeyState::Owned(owner) = world.key(&next) {
                load_conversions(tx, world, BTreeSet::from([owner]), lock).await?;
            }
        }
        one.keys.repeat = Some(next);
    }
    Ok(())
}

/// Is this R key the one that decides: free, or owned by a conversion that this request repeats?
fn is_live(world: &World, one: &Admitted<'_>, key: &ConversionKey) -> bool {
    match world.key(key) {
        KeyState::Free | KeyState::Parked => true,
        KeyState::Owned(id) => {
            world.conversions.get(&id).is_some_and(|owner| one.admission.is_repeat_of(one.hit, owner))
        }
    }
}

/// Clicks are not judged: what is there already is left alone, and only what was really inserted counts. Fresh ones are
/// written with everything else. Returns one that this batch inserts.
async fn take_clicks(
    tx: &mut Tx,
    world: &mut World,
    clicks: &Clicks<'_>,
    snapshot: &Snapshot,
) -> Result<Option<(TransactionId, Timestamp)>, StoreError> {
    let inserted = batch::insert_missing_clicks(tx, &clicks.others).await?;
    // Once each, though a batch may bring one twice.
    let mut inserted: HashSet<TransactionId> = inserted.into_iter().collect();
    let new = clicks.others.iter().filter(|click| inserted.remove(&click.transaction_id));
    let mut any = None;
    for click in clicks.fresh.iter().chain(new) {
        any = Some((click.transaction_id, click.clicked_at));
        if let Some(offer) = snapshot.offers.get(&click.offer) {
            world.count_click(click, offer.currency);
        }
    }
    for click in &clicks.others {
        world.clicks.insert(click.transaction_id, (*click).clone());
    }
    Ok(any)
}

/// Every item in order of arrival.
fn judge_all(
    bench: &Bench,
    world: &mut World,
    items: &[Pending],
    admitted: &[Admitted<'_>],
    verdicts: &[Verdict<'_>],
) -> Vec<Settled> {
    let mint = || ChangeId::mint(&*bench.clock, &*bench.entropy);
    let mut verdicts = verdicts.iter();
    let mut outcomes = Vec::with_capacity(items.len());
    for pending in items {
        outcomes.push(match &pending.item {
            Item::Click(_) => Settled::Stored,
            Item::Receipt(receipt) => {
                world.writes.receipts.push((**receipt).clone());
                Settled::Stored
            }
            Item::Changes(changes) => Settled::Changed(world.operate_all(changes, &mint)),
            Item::Hit(_) => match verdicts.next() {
                Some(Verdict::Judge(index)) => {
                    let one = &admitted[*index];
                    let judgement = world.judge(one);
                    let answer = world.carry_out(one, &judgement, &mint);
                    keep(world, one.hit, &one.known, &answer, judgement.decisive, pending.arrived);
                    Settled::Answer(Box::new(answer))
                }
                Some(Verdict::Refused(hit, known, refusal)) => {
                    let answer = refused(hit, known, refusal);
                    keep(world, hit, known, &answer, Some(refusal.check), pending.arrived);
                    Settled::Answer(Box::new(answer))
                }
                // There is one verdict for each hit, made from the same list.
                None => Settled::Stored,
            },
        });
    }
    outcomes
}

/// The receipt of a request, and the mark of its token's use.
fn keep(world: &mut World, hit: &Hit, known: &Known, answer: &Answer, decisive: Option<Check>, arrived: Instant) {
    let latency_us = i64::try_from(arrived.elapsed().as_micros()).unwrap_or(i64::MAX);
    world.writes.receipts.push(receipt(hit, known, answer, decisive, latency_us));
    // Nobody used the token when its request is sent again.
    if let Some(token) = known.token.filter(|_| hit.replay.is_none()) {
        world.writes.token_uses.insert(token, (hit.arrival.at, hit.address.network.clone()));
    }
}

/// A row that only this transaction writes; none where it writes nothing that would be missed.
fn proof(world: &World, inserted: Option<(TransactionId, Timestamp)>) -> Option<Proof> {
    let receipt = world.writes.receipts.first().map(|receipt: &Receipt| Proof::Receipt(receipt.id));
    let change = || world.writes.changes.first().map(|change| Proof::Change(change.id));
    receipt.or_else(|| inserted.map(|(id, at)| Proof::Click(id, at))).or_else(change)
}

/// All of it, in the order that the lock rules of `store::batch` ask for. Returns the tokens that were marked as used.
async fn write(
    bench: &Bench,
    tx: &mut Tx,
    (world, snapshot): (World, &Snapshot),
    (clicks, deliveries): (&Clicks<'_>, &[NewDelivery]),
    how: Try,
) -> Result<Marks, StoreError> {
    let (assign, release) = world.key_writes();
    batch::assign_keys(tx, &assign).await?;
    batch::release_keys(tx, &release).await?;
    batch::update_conversions(tx, &world.updated()).await?;
    batch::release_deliveries(tx, &world.writes.completed).await?;
    let unparked: Vec<ConversionKey> = world.writes.unparked.iter().cloned().collect();
    batch::delete_parked(tx, &unparked).await?;
    let parked: Vec<_> = world.writes.parked.values().cloned().collect();
    batch::upsert_parked(tx, &parked).await?;
    let (receipts, feed) = receipts_and_feed(tx, &world, how.repetition).await?;
    let figures: Vec<_> = world.writes.figures.iter().filter(|(_, figures)| !figures.is_zero()).collect();
    let days = world.days(&snapshot.settings.zone);
    let new = NewRows {
        clicks: &clicks.fresh,
        conversions: &world.recorded(),
        changes: &world.writes.changes,
        extras: &world.writes.extras,
        deliveries,
        receipts,
        feed: &feed,
        audit: &world.writes.audit,
        calls: &world.writes.calls,
        figures: &figures,
        days: &days,
        day_generation: snapshot.settings.day_generation,
        slot: how.slot,
    };
    batch::insert_new(tx, &new).await?;
    let marks = bench.due_marks(world.writes.token_uses);
    batch::mark_tokens_used(tx, &marks).await?;
    Ok(marks)
}

/// The receipts that are still to be inserted, and the entry of the feed. What an earlier try may have kept is written
/// here, to learn what is new: nobody who follows the feed may see a receipt twice.
async fn receipts_and_feed<'w>(
    tx: &mut Tx,
    world: &'w World,
    repetition: Repetition,
) -> Result<(&'w [Receipt], Vec<FeedEntry>), StoreError> {
    let receipts = world.writes.receipts.as_slice();
    let changes = &world.writes.changes;
    Ok(match repetition {
        Repetition::Never => (receipts, FeedEntry::of(world.now, receipts.iter(), changes)),
        Repetition::Possible => {
            let new = batch::insert_missing_receipts(tx, receipts).await?;
            let new = receipts.iter().filter(|receipt| new.contains(&receipt.id));
            (&[], FeedEntry::of(world.now, new, changes))
        }
    })
}

/// The same two steps on the same data, with nothing locked and nothing written.
pub(super) async fn rehearse(bench: &Bench, hit: &Hit) -> Result<Rehearsed, StoreError> {
    let (mut tx, version) = bench.database.begin_read().await?;
    let snapshot = current_snapshot(bench, version).await?;
    rehearse_in(bench, &mut tx, &snapshot, hit).await
}

async fn rehearse_in(bench: &Bench, tx: &mut Tx, snapshot: &Snapshot, hit: &Hit) -> Result<Rehearsed, StoreError> {
    let aliases = resolve(tx, snapshot, &bench.keyring, std::iter::once(hit)).await?;
    let one = match screen(bench, hit, snapshot, &aliases) {
        Screened::Admitted(one) => *one,
        Screened::Refused(hit, known, refusal) => {
            let checks = check_results(hit.inbound.door, Some(refusal.check));
            let answer = Answer { receipt: None, ..refused(hit, &known, &refusal) };
            return Ok(Rehearsed { known, answer, checks, judged: Err(refusal) });
        }
    };
    let mut world = World::new(bench.clock.now());
    let mut admitted = vec![one];
    let wanted: Vec<ConversionKey> = wanted_keys(&admitted).into_keys().collect();
    look_up(tx, &mut world, &wanted, Lock::Nothing).await?;
    gather(tx, &mut world, &mut admitted, &[], &Clicks::default(), Lock::Nothing).await?;
    complete_clicks(tx, snapshot, &mut world, clicked_transactions(&admitted)).await?;
    let one = &admitted[0];
    let judgement = world.judge(one);
    let checks = check_results(hit.inbound.door, judgement.decisive);
    Ok(Rehearsed { known: one.known, answer: world.preview(one, &judgement), checks, judged: Ok(judgement) })
}

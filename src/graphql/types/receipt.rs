//! Receipts: what came, every check, the verdict, and what was answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, InputObject, Result, SimpleObject};

use super::{
    conversion::Conversion,
    input::{DateTimeRange, KeyValue, StringMatch},
    offer::Offer,
    partner::Publisher,
    stats::StatInterval,
    token::SecureToken,
    words::{ReceiptCode, Role, Verdict},
};
use crate::{
    domain::{
        answer::{Answer, CheckOutcome, CheckResult, check_results},
        clock::Timestamp,
        code,
        ids::{ConversionId, OfferId, PublisherId, ReceiptId, TokenId},
        inbound::{self, Door, Warning},
        receipt, screening,
        transaction_id::TransactionId,
    },
    graphql::{
        connection::{Count, Window, connection, failed},
        context::Find as _,
        error,
        guard::auth,
        id::{self, Id},
        scalars::{DateTime, IpAddress, SafeInt, TimeZone},
    },
    store::{
        conversions::{self, Oldest},
        filter::AddressMatch,
        receipts::{self, Newest, ReceiptCount},
        reports::POINTS_MAX,
    },
};

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum ReceiptKind {
    /// A visit through a tracking link.
    Click,
    /// A conversion, server to server.
    Conversion,
    /// A conversion without a click, server to server.
    Clickless,
    /// A conversion through an image.
    ImagePixel,
    /// The rejection of a conversion.
    Rejection,
    /// The change of a conversion's status.
    Status,
}

impl From<Door> for ReceiptKind {
    fn from(door: Door) -> Self {
        match door {
            Door::Click => Self::Click,
            Door::Postback => Self::Conversion,
            Door::Clickless => Self::Clickless,
            Door::Pixel => Self::ImagePixel,
            Door::Rejection => Self::Rejection,
            Door::Status => Self::Status,
        }
    }
}

impl From<ReceiptKind> for Door {
    fn from(kind: ReceiptKind) -> Self {
        match kind {
            ReceiptKind::Click => Self::Click,
            ReceiptKind::Conversion => Self::Postback,
            ReceiptKind::Clickless => Self::Clickless,
            ReceiptKind::ImagePixel => Self::Pixel,
            ReceiptKind::Rejection => Self::Rejection,
            ReceiptKind::Status => Self::Status,
        }
    }
}

/// One inbound request on a tracking door, kept whatever became of it. Never holds a secret.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Receipt {
    /// Opaque, stable, prefixed: rcp_…
    pub id: Id<ReceiptId>,
    /// When it came in.
    pub received_at: DateTime,
    /// What it was for.
    pub kind: ReceiptKind,
    /// What became of it.
    pub verdict: Verdict,
    /// The stable name of the answer.
    pub code: ReceiptCode,
    /// One plain sentence: what became of it, or what exactly was wrong.
    pub explanation: String,
    /// What the sender can do about it, where something is wrong.
    pub suggested_fix: Option<String>,
    /// Every check of the door, in order.
    pub checks: Vec<Check>,
    /// What was mended or ignored on the way.
    pub warnings: Vec<String>,
    /// GET or POST.
    pub http_method: String,
    /// The host that it was sent to.
    pub host: String,
    /// The path that it was sent to.
    pub path: String,
    /// Its parameters, normalised and in their private forms, without the token.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub params: Option<Vec<KeyValue>>,
    /// Host, path and parameters as a URL, without the token.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub masked_url: Option<String>,
    /// The sender's network, /24 or /48.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub remote_ip: Option<IpAddress>,
    /// The sender's own name for itself; for clicks and pixels the visitor's browser.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub user_agent: Option<String>,
    /// What was answered, as JSON; null for clicks and pixels, which are answered with a redirect or an image.
    pub response_body: Option<String>,
    /// How long it took, in millionths of a second.
    pub latency_micros: i32,
    /// About a test click: in no figure.
    pub is_test: bool,
    /// Finds it in the log.
    pub request_id: String,
    #[graphql(skip)]
    keys: Keys,
}

/// What else a receipt leads to, and what its status is told from.
#[derive(Clone, Copy, Debug)]
struct Keys {
    door: Door,
    code: code::Code,
    lenient: bool,
    token: Option<TokenId>,
    offer: Option<OfferId>,
    publisher: Option<PublisherId>,
    conversion: Option<ConversionId>,
    replay_of: Option<ReceiptId>,
}

impl From<receipt::Receipt> for Receipt {
    fn from(receipt: receipt::Receipt) -> Self {
        let results = check_results(receipt.door, receipt.decisive_check);
        let body = Answer::of_receipt(&receipt).to_json();
        Self {
            id: Id(receipt.id),
            received_at: receipt.received_at.into(),
            kind: receipt.door.into(),
            verdict: receipt.code.verdict().into(),
            code: receipt.code.into(),
            explanation: explanation(receipt.code, receipt.detail.as_deref(), &results),
            suggested_fix: suggested_fix(receipt.code),
            checks: checks(&results, receipt.detail.as_deref()),
            warnings: warnings(&receipt.warnings),
            http_method: receipt.method,
            params: Some(params(&receipt.params)),
            masked_url: Some(masked_url(&receipt.host, &receipt.path, &receipt.params)),
            host: receipt.host,
            path: receipt.path,
            remote_ip: receipt.address.map(|address| IpAddress(address.network)),
            user_agent: receipt.user_agent,
            response_body: answers_json(receipt.door).then_some(body),
            latency_micros: i32::try_from(receipt.latency_us).unwrap_or(i32::MAX),
            is_test: receipt.is_test,
            request_id: receipt.request_id,
            keys: Keys {
                door: receipt.door,
                code: receipt.code,
                lenient: receipt.lenient,
                token: receipt.token,
                offer: receipt.offer,
                publisher: receipt.publisher,
                conversion: receipt.conversion,
                replay_of: receipt.replay_of,
            },
        }
    }
}

impl Receipt {
    /// The receipt of an id, read together with others.
    pub async fn load(ctx: &Context<'_>, id: Option<ReceiptId>) -> Result<Option<Self>> {
        match id {
            Some(id) => {
                let receipt = ctx.loaders()?.receipts.load(ctx, id).await?;
                Ok(receipt.map(|receipt| Arc::unwrap_or_clone(receipt).into()))
            }
            None => Ok(None),
        }
    }

    /// The newest receipt about an offer.
    pub async fn newest_of(ctx: &Context<'_>, offer: OfferId) -> Result<Option<Self>> {
        let filter = receipts::ReceiptFilter { offers: Some(vec![offer]), ..receipts::ReceiptFilter::default() };
        let page = Window { first: Some(1), ..Window::default() }.under(Newest)?;
        let page = receipts::list(ctx.database()?, &filter, &page).await.map_err(failed)?;
        Ok(page.into_values().pop().map(Into::into))
    }
}

#[ComplexObject]
impl Receipt {
    /// The HTTP status of the answer.
    async fn http_status(&self, ctx: &Context<'_>) -> Result<i32> {
        let status = (ctx.status_of()?.0)(self.keys.code, self.keys.door, self.keys.lenient);
        Ok(i32::from(status))
    }

    /// The token that was used, once it was verified.
    async fn token(&self, ctx: &Context<'_>) -> Result<Option<SecureToken>> {
        SecureToken::load(ctx, self.keys.token).await
    }

    /// The offer that it was about.
    async fn offer(&self, ctx: &Context<'_>) -> Result<Option<Offer>> {
        match self.keys.offer {
            Some(offer) => Offer::find(ctx, offer).await,
            None => Ok(None),
        }
    }

    /// The publisher that it was about.
    async fn publisher(&self, ctx: &Context<'_>) -> Result<Option<Publisher>> {
        match self.keys.publisher {
            Some(publisher) => Publisher::find(ctx, publisher).await,
            None => Ok(None),
        }
    }

    /// The conversion that it was about.
    async fn conversion(&self, ctx: &Context<'_>) -> Result<Option<Conversion>> {
        Conversion::load(ctx, self.keys.conversion).await
    }

    /// The first attempt, where this request was sent again from its receipt; null when receipts that old are gone.
    async fn replay_of(&self, ctx: &Context<'_>) -> Result<Option<Self>> {
        Self::load(ctx, self.keys.replay_of).await
    }

    /// The request that recorded the conversion which this one repeats.
    async fn duplicate_of(&self, ctx: &Context<'_>) -> Result<Option<Self>> {
        let repeats = self.keys.code.verdict() == code::Verdict::Duplicate;
        let Some(conversion) = self.keys.conversion.filter(|_| repeats) else { return Ok(None) };
        let page = Window { first: Some(1), ..Window::default() }.under(Oldest)?;
        let history = conversions::changes(ctx.database()?, conversion, &page).await.map_err(failed)?;
        let recorded = history.into_values().into_iter().next();
        Self::load(ctx, recorded.and_then(|change| change.author.receipt)).await
    }
}

/// One check that a request has to pass.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub struct Check {
    /// Its stable name.
    pub name: String,
    /// It was made, and nothing was wrong.
    pub passed: bool,
    /// It was not made: an earlier one decided.
    pub skipped: bool,
    /// What passing it means; of the one that decided, what was found.
    pub detail: String,
}

/// The checks as they are shown, the finding at the one that decided.
pub fn checks(results: &[CheckResult], finding: Option<&str>) -> Vec<Check> {
    let shown = |result: &CheckResult| {
        let decided = result.outcome == CheckOutcome::Decided;
        Check {
            name: result.check.as_str().to_owned(),
            passed: result.outcome == CheckOutcome::Passed,
            skipped: result.outcome == CheckOutcome::NotReached,
            detail: if decided { finding.unwrap_or(result.check.failure()) } else { result.check.description() }
                .to_owned(),
        }
    };
    results.iter().map(shown).collect()
}

/// One sentence on what became of a request.
pub fn explanation(code: code::Code, finding: Option<&str>, results: &[CheckResult]) -> String {
    let decided = results.iter().find(|result| result.outcome == CheckOutcome::Decided).map(|result| result.check);
    match code.verdict() {
        code::Verdict::Recorded => recorded(decided, finding),
        code::Verdict::Duplicate => "It was known already: nothing was counted again.".to_owned(),
        code::Verdict::NoChange => "It is already as asked.".to_owned(),
        code::Verdict::Parked => "The rejection waits for its conversion.".to_owned(),
        code::Verdict::Failed => "It was not recorded, and that is our fault.".to_owned(),
        code::Verdict::Refused => match (finding, decided) {
            (Some(finding), _) => finding.to_owned(),
            (None, Some(check)) => check.failure().to_owned(),
            (None, None) => "It was refused.".to_owned(),
        },
    }
}

/// A conversion that was kept, though a check decided how it counts: the finding is its reason.
fn recorded(decided: Option<screening::Check>, finding: Option<&str>) -> String {
    match (decided, finding) {
        (Some(check), Some(reason)) => format!("It was recorded. {} ({reason})", check.failure()),
        (Some(check), None) => format!("It was recorded. {}", check.failure()),
        (None, _) => "It was understood and recorded.".to_owned(),
    }
}

/// What to do about a code; nothing where nothing is wrong.
pub fn suggested_fix(code: code::Code) -> Option<String> {
    Some(code.cure()).filter(|cure| !cure.is_empty()).map(str::to_owned)
}

/// The warnings as sentences, each with its parameter.
pub fn warnings(warnings: &[Warning]) -> Vec<String> {
    let sentence = |warning: &Warning| {
        let hint = warning.hint.as_ref().map(|hint| format!(" Did you mean {hint}?")).unwrap_or_default();
        match warning.field.as_str() {
            "" => format!("{}{hint}", warning.code.message()),
            field => format!("{field}: {}{hint}", warning.code.message()),
        }
    };
    warnings.iter().map(sentence).collect()
}

/// Form-encoded parameters, one by one.
pub fn params(encoded: &str) -> Vec<KeyValue> {
    let pairs = url::form_urlencoded::parse(encoded.as_bytes());
    pairs.map(|(key, value)| KeyValue { key: key.into_owned(), value: value.into_owned() }).collect()
}

fn masked_url(host: &str, path: &str, params: &str) -> String {
    let mark = if params.is_empty() { "" } else { "?" };
    format!("https://{host}{path}{mark}{params}")
}

/// Clicks are answered with a redirect or a page, pixels with an image.
fn answers_json(door: Door) -> bool {
    match door {
        Door::Postback | Door::Clickless | Door::Rejection | Door::Status => true,
        Door::Click | Door::Pixel => false,
    }
}

connection!(
    /// A page of receipts.
    ReceiptConnection,
    /// A receipt and its place in the list.
    ReceiptEdge of Receipt, counted
);

/// Which receipts a list holds. Fields are all asked for, lists match any of theirs.
#[derive(Clone, Debug, InputObject)]
pub struct ReceiptFilter {
    /// When it came in.
    received_at: Option<DateTimeRange>,
    /// For any of these.
    kind: Option<Vec<ReceiptKind>>,
    /// Any of these.
    verdict: Option<Vec<Verdict>>,
    /// Any of these.
    code: Option<Vec<ReceiptCode>>,
    /// About any of these offers.
    offer_ids: Option<Vec<Id<OfferId>>>,
    /// About any of these publishers.
    publisher_ids: Option<Vec<Id<PublisherId>>>,
    /// With any of these tokens.
    token_ids: Option<Vec<Id<TokenId>>>,
    /// About this transaction.
    transaction_id: Option<StringMatch>,
    /// From any of these addresses, or networks as we keep them, /24 or /48.
    remote_ips: Option<Vec<String>>,
    /// Those about test clicks too.
    #[graphql(default = true)]
    include_tests: bool,
}

impl ReceiptFilter {
    /// As the store reads it.
    ///
    /// # Errors
    /// What the caller can put right.
    pub fn read(self, ctx: &Context<'_>) -> Result<receipts::ReceiptFilter> {
        let keyring = &ctx.app()?.keyring;
        let ips = |texts: Vec<String>| texts.iter().map(|text| AddressMatch::parse(keyring, text)).collect();
        Ok(receipts::ReceiptFilter {
            received_at: self.received_at.map(Into::into),
            doors: self.kind.map(|kinds| kinds.into_iter().map(inbound::Door::from).collect()),
            verdicts: self.verdict.map(|verdicts| verdicts.into_iter().map(Into::into).collect()),
            codes: self.code.map(|codes| codes.into_iter().map(Into::into).collect()),
            offers: self.offer_ids.map(id::all),
            publishers: self.publisher_ids.map(id::all),
            tokens: self.token_ids.map(id::all),
            transaction_id: self.transaction_id.map(Into::into),
            addresses: self.remote_ips.map(ips),
            include_tests: self.include_tests,
        })
    }
}

/// How many requests came in, and what became of them.
#[derive(Clone, Debug, SimpleObject)]
pub struct ReceiptStats {
    /// By time and verdict, in the order of time; where there were none, there is no entry.
    pub buckets: Vec<ReceiptBucket>,
    /// By code, the most frequent first.
    pub top_codes: Vec<ReceiptCodeCount>,
}

/// The requests of one time with one verdict.
#[derive(Clone, Debug, SimpleObject)]
pub struct ReceiptBucket {
    /// Where the bucket begins, in the zone that was asked for.
    pub start: DateTime,
    /// What became of them.
    pub verdict: Verdict,
    /// How many there were.
    pub count: SafeInt,
}

/// The requests with one code.
#[derive(Clone, Debug, SimpleObject)]
pub struct ReceiptCodeCount {
    /// The code.
    pub code: ReceiptCode,
    /// How many there were.
    pub count: SafeInt,
    /// When the newest came in.
    pub last_seen_at: DateTime,
    /// What to do about it; null where nothing is wrong.
    pub suggested_fix: Option<String>,
}

impl ReceiptStats {
    /// Counts what a filter holds.
    ///
    /// # Errors
    /// What the caller can put right; ours.
    pub async fn read(
        ctx: &Context<'_>,
        filter: ReceiptFilter,
        interval: StatInterval,
        zone: Option<TimeZone>,
    ) -> Result<Self> {
        let now = ctx.now()?;
        let range =
            filter.received_at.ok_or_else(|| error::bad_user_input("Say in filter.receivedAt of which time"))?;
        let range = range.of_a_month("receivedAt", now)?;
        let zone =
            zone.map_or_else(|| ctx.snapshot().map(|snapshot| snapshot.settings.zone.clone()), |zone| Ok(zone.0))?;
        let until = range.until.unwrap_or(now);
        let starts = zone.starts(range.since, until.max(range.since), interval.into(), POINTS_MAX);
        let text = format!("This has more than {POINTS_MAX} points: choose a longer interval or a shorter range");
        let starts = starts.ok_or_else(|| error::bad_user_input(text))?;
        let counts = receipts::count_by_code(ctx.database()?, &filter.read(ctx)?, &starts).await.map_err(failed)?;
        Ok(Self { buckets: buckets(&counts, &starts), top_codes: top_codes(&counts) })
    }
}

fn buckets(counts: &[ReceiptCount], starts: &[Timestamp]) -> Vec<ReceiptBucket> {
    let mut sums: BTreeMap<(usize, &'static str), (code::Verdict, i64)> = BTreeMap::new();
    for ReceiptCount { bucket, code, count, .. } in counts {
        let verdict = code.verdict();
        sums.entry((*bucket, verdict.as_str())).or_insert((verdict, 0)).1 += count;
    }
    let bucket = |((bucket, _), (verdict, count)): (_, (code::Verdict, i64))| {
        let start = starts.get(bucket).copied()?;
        Some(ReceiptBucket { start: DateTime(start), verdict: verdict.into(), count: SafeInt(count) })
    };
    sums.into_iter().filter_map(bucket).collect()
}

fn top_codes(counts: &[ReceiptCount]) -> Vec<ReceiptCodeCount> {
    let mut sums: BTreeMap<&'static str, ReceiptCount> = BTreeMap::new();
    for one in counts {
        let sum = sums.entry(one.code.as_str()).or_insert(ReceiptCount { count: 0, ..*one });
        sum.count += one.count;
        sum.last = sum.last.max(one.last);
    }
    let mut sums: Vec<ReceiptCount> = sums.into_values().collect();
    sums.sort_by_key(|sum| std::cmp::Reverse(sum.count));
    let shown = sums.into_iter().map(|sum| ReceiptCodeCount {
        code: sum.code.into(),
        count: SafeInt(sum.count),
        last_seen_at: DateTime(sum.last),
        suggested_fix: suggested_fix(sum.code),
    });
    shown.collect()
}

impl ReceiptConnection {
    /// A page of those that a filter holds, the newest first.
    pub async fn read(ctx: &Context<'_>, filter: Option<ReceiptFilter>, window: &Window) -> Result<Self> {
        let filter = filter.map(|filter| filter.read(ctx)).transpose()?.unwrap_or_default();
        let page = window.under(Newest)?;
        let page = receipts::list(ctx.database()?, &filter, &page).await.map_err(failed)?;
        let count: Count = Box::new(move |database, _| {
            let filter = filter.clone();
            Box::pin(async move { receipts::count(database, &filter).await.map(Into::into).map_err(failed) })
        });
        Ok(Self::of(page, Receipt::from, count))
    }

    /// A page of those that concerned a conversion, the newest first.
    pub async fn of_conversion(
        ctx: &Context<'_>,
        conversion: ConversionId,
        transaction: TransactionId,
        window: &Window,
    ) -> Result<Self> {
        let page = window.under(Newest)?;
        let page = receipts::of_conversion(ctx.database()?, conversion, &transaction, &page).await.map_err(failed)?;
        let count: Count = Box::new(move |database, _| {
            Box::pin(async move {
                let counted = receipts::count_of_conversion(database, conversion, &transaction).await;
                counted.map(Into::into).map_err(failed)
            })
        });
        Ok(Self::of(page, Receipt::from, count))
    }
}

//! A delivery: one change of a conversion on its way to one publisher, and how often it is tried.
//!
//! The schedule is that of Standard Webhooks: eight tries over 27½ hours, each wait up to a fifth longer by chance, so
//! that what failed together does not come back together. After the last one it is a dead letter that somebody can
//! send again. Time and chance are parameters; nothing here sends anything.

use super::clock::Timestamp;
use super::ids::{ConversionId, DeliveryId, OutboundPostbackId};
use super::offer::words;
use super::outbound::Moment;

/// Seconds between one try and the next: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
pub const WAITS_SECONDS: [i64; 7] = [5, 300, 1800, 7200, 18_000, 36_000, 36_000];
/// A publisher may put us off for a day at most.
const RETRY_AFTER_SECONDS_MAX: i64 = 24 * 3600;
/// Characters of an answer that are kept.
pub const ANSWER_CHARACTERS_MAX: usize = 1000;

words!(
    /// Where a delivery is in its life.
    DeliveryState {
        /// It was not tried yet.
        Pending = "pending",
        /// It failed, and is tried again.
        Retrying = "retrying",
        /// The publisher took it.
        Succeeded = "succeeded",
        /// It is not tried any more: a dead letter.
        GaveUp = "gave_up",
        /// Its rule was deleted before it was sent.
        Cancelled = "cancelled",
    }
);

impl DeliveryState {
    /// Is it still to be sent?
    pub const fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Retrying => true,
            Self::Succeeded | Self::GaveUp | Self::Cancelled => false,
        }
    }
}

/// A delivery that the transaction of its change writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    pub id: DeliveryId,
    pub rule: OutboundPostbackId,
    pub conversion: ConversionId,
    /// Of the change in the conversion's history.
    pub change_number: i32,
    pub moment: Moment,
    /// It waits for the click.
    pub awaits_click: bool,
    pub created_at: Timestamp,
    /// Not before: the rule's delay.
    pub ready_at: Timestamp,
    /// The next try; later than `ready_at` while it waits for the click.
    pub due_at: Timestamp,
}

/// A delivery as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub rule: OutboundPostbackId,
    /// `None` of a test with made-up values.
    pub conversion: Option<ConversionId>,
    /// Of the change in the conversion's history; `None` of a test.
    pub change_number: Option<i32>,
    pub moment: Moment,
    pub state: DeliveryState,
    /// How often it was tried in all; also the number of the last try.
    pub attempts: i32,
    /// How often since it was last sent again by hand.
    pub tries: i32,
    pub awaits_click: bool,
    pub created_at: Timestamp,
    pub ready_at: Timestamp,
    /// The next try; while one is under way, the end of its lease.
    pub due_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

impl Delivery {
    /// It was sent to try the rule, and tells of no change.
    pub const fn is_test(&self) -> bool {
        self.change_number.is_none()
    }
}

/// One try: what was sent, and what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub delivery: DeliveryId,
    pub number: i32,
    pub at: Timestamp,
    pub duration_ms: i32,
    /// As it was sent, but for its signature.
    pub url: String,
    /// Of a POST.
    pub body: Option<String>,
    pub response_status: Option<i32>,
    /// The first 1 000 characters.
    pub response_body: Option<String>,
    /// Why there is no answer, or why it is not taken for one.
    pub error: Option<String>,
}

/// What one try came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryOutcome {
    /// 2xx.
    Taken,
    /// Trying again brings the same: a 4xx, or nothing that can be sent at all.
    Final,
    /// Try again; not before so many seconds, where the publisher said so.
    Again { retry_after_seconds: Option<i64> },
}

/// What becomes of a delivery after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Done,
    GiveUp,
    At(Timestamp),
}

/// What an answer means: 2xx is taken, 4xx is final but for 408, 425 and 429, all else is tried again. A redirect is
/// never followed.
pub fn outcome_of(status: u16, retry_after_seconds: Option<i64>) -> TryOutcome {
    match status {
        200..=299 => TryOutcome::Taken,
        408 | 425 | 429 => TryOutcome::Again { retry_after_seconds },
        400..=499 => TryOutcome::Final,
        _ => TryOutcome::Again { retry_after_seconds },
    }
}

/// What becomes of a delivery after its try number `tries` (1 is the first) has ended so. `chance` is drawn evenly; it
/// makes a wait up to a fifth longer.
pub fn next_after(outcome: TryOutcome, tries: i32, now: Timestamp, chance: u16) -> Next {
    let retry_after_seconds = match outcome {
        TryOutcome::Taken => return Next::Done,
        TryOutcome::Final => return Next::GiveUp,
        TryOutcome::Again { retry_after_seconds } => retry_after_seconds,
    };
    let index = usize::try_from(tries.saturating_sub(1)).unwrap_or(0);
    let Some(wait) = WAITS_SECONDS.get(index) else { return Next::GiveUp };
    let asked = retry_after_seconds.unwrap_or(0).clamp(0, RETRY_AFTER_SECONDS_MAX);
    let millis = (*wait).max(asked).saturating_mul(1000);
    let longer = millis.saturating_mul(i64::from(chance)) / (5 * i64::from(u16::MAX));
    Next::At(now.plus_millis(millis.saturating_add(longer)))
}

/// Reads `Retry-After`: seconds, or an HTTP date (RFC 9110, section 10.2.3). `None` for anything else and for the past.
pub fn read_retry_after(text: &str, now: Timestamp) -> Option<i64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse().unwrap_or(RETRY_AFTER_SECONDS_MAX));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    let millis = Timestamp::from_millis(date.timestamp().as_millisecond()).millis_since(now);
    (millis > 0).then_some(millis.div_euclid(1000).saturating_add(1))
}

/// An answer as it is kept: its first 1 000 characters, without control characters that no column takes.
pub fn kept_answer(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let kept = text.chars().filter(|character| !character.is_control() || matches!(character, '\n' | '\t'));
    kept.take(ANSWER_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_344_000_000);
    const AGAIN: TryOutcome = TryOutcome::Again { retry_after_seconds: None };

    #[test]
    fn eight_tries_take_at_least_27_hours_and_the_ninth_never_comes() {
        let mut total = 0;
        for (tries, seconds) in (1..).zip(WAITS_SECONDS) {
            assert_eq!(next_after(AGAIN, tries, NOW, 0), Next::At(NOW.plus_seconds(seconds)));
            total += seconds;
        }
        assert!(total >= 27 * 3600, "{total} s");
        assert_eq!(next_after(AGAIN, 8, NOW, 0), Next::GiveUp);
        assert_eq!(next_after(AGAIN, i32::MAX, NOW, 0), Next::GiveUp);
    }

    #[test]
    fn a_wait_is_up_to_a_fifth_longer_by_chance() {
        let wait = |chance| match next_after(AGAIN, 2, NOW, chance) {
            Next::At(at) => at.millis_since(NOW),
            Next::Done | Next::GiveUp => panic!("it is tried again"),
        };
        assert_eq!((wait(0), wait(u16::MAX)), (300_000, 360_000));
        assert!(wait(u16::MAX / 2) > 329_000 && wait(u16::MAX / 2) < 331_000);
    }

    #[test]
    fn an_answer_is_taken_final_or_worth_another_try() {
        for status in [200, 201, 204, 299] {
            assert_eq!(outcome_of(status, None), TryOutcome::Taken, "{status}");
        }
        for status in [400, 401, 403, 404, 409, 410, 422, 499] {
            assert_eq!(outcome_of(status, None), TryOutcome::Final, "{status}");
        }
        for status in [301, 302, 308, 408, 425, 429, 500, 502, 503, 599] {
            assert_eq!(outcome_of(status, None), AGAIN, "{status}");
        }
        assert_eq!(next_after(TryOutcome::Taken, 1, NOW, 0), Next::Done);
        assert_eq!(next_after(TryOutcome::Final, 1, NOW, 0), Next::GiveUp);
    }

    #[test]
    fn a_publisher_may_put_us_off_but_not_call_us_sooner_and_not_for_ever() {
        let after = |seconds| next_after(TryOutcome::Again { retry_after_seconds: Some(seconds) }, 1, NOW, 0);
        assert_eq!(after(1), Next::At(NOW.plus_seconds(5)));
        assert_eq!(after(120), Next::At(NOW.plus_seconds(120)));
        assert_eq!(after(i64::MAX), Next::At(NOW.plus_seconds(24 * 3600)));
        assert_eq!(after(-1), Next::At(NOW.plus_seconds(5)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_in_the_future() {
        // NOW is 2026-11-22T10:40:00Z.
        for (text, seconds) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999999999", Some(24 * 3600)),
            ("Sun, 22 Nov 2026 10:41:00 GMT", Some(61)),
            ("Sun, 22 Nov 2026 10:39:00 GMT", None),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(read_retry_after(text, NOW), seconds, "{text:?}");
        }
    }

    #[test]
    fn of_an_answer_a_thousand_characters_are_kept() {
        assert_eq!(kept_answer(b"a\0b\r\nc\x1b[1m\td"), "ab\nc[1m\td");
        for (length, kept) in [(999, 999), (1000, 1000), (1001, 1000)] {
            assert_eq!(kept_answer("é".repeat(length).as_bytes()).chars().count(), kept);
        }
        assert_eq!(kept_answer(&[0xff, b'a']), "\u{fffd}a");
    }
}

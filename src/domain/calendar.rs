//! The calendar of a time zone: where its hours, days, weeks and months begin.
//!
//! Days have 23, 24 or 25 hours, a day may begin at one o'clock, and a clock may repeat an hour or half of one: only
//! instants count here, so that every instant lies in exactly one bucket. The zones are those of the database that is
//! compiled in: the same on every machine. Nothing here reads a clock.

use std::fmt;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, ToSpan as _, Zoned};

use super::clock::Timestamp;
use super::offer::words;

words!(
    /// How long a bucket of a report is.
    Interval { Hour = "hour", Day = "day", Week = "week", Month = "month" }
);

/// Milliseconds of a bucket of figures: 15 minutes. The offset of every zone of today is a multiple of it.
pub const QUARTER_MILLIS: i64 = 900_000;
const HOUR_MILLIS: i64 = 4 * QUARTER_MILLIS;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;
const WEEK_DAYS: i64 = 7;

/// A time zone of the IANA database.
#[derive(Clone)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// UTC, which every installation begins with.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// Reads an IANA name such as `Europe/Berlin`, in any case; `None` for a name that the database does not have.
    pub fn parse(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        let name = zone.iana_name()?.to_owned();
        Some(Self { name, zone })
    }

    /// As the database spells it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the day begins that holds this instant.
    pub fn day_of(&self, at: Timestamp) -> Timestamp {
        self.start_of(at, Interval::Day)
    }

    /// Where the bucket begins that holds this instant. Weeks begin on Monday.
    pub fn start_of(&self, at: Timestamp, interval: Interval) -> Timestamp {
        let Ok(local) = self.local(at) else { return at };
        let start = match interval {
            Interval::Hour => return self.hour_of(at, &local),
            Interval::Day => local.start_of_day(),
            Interval::Week => {
                let days = i64::from(local.date().weekday().to_monday_zero_offset());
                local.date().checked_sub(days.days()).and_then(|monday| self.midnight(monday))
            }
            Interval::Month => self.midnight(local.date().first_of_month()),
        };
        start.map_or(at, |start| instant(&start))
    }

    /// Where the next bucket begins.
    pub fn next(&self, at: Timestamp, interval: Interval) -> Timestamp {
        let start = self.start_of(at, interval);
        let Ok(local) = self.local(start) else { return at };
        let next = match interval {
            Interval::Hour => return self.hour_after(start),
            Interval::Day => local.date().tomorrow(),
            Interval::Week => local.date().checked_add(WEEK_DAYS.days()),
            Interval::Month => local.date().checked_add(1.month()),
        };
        next.and_then(|date| self.midnight(date)).map_or(at, |next| instant(&next))
    }

    /// The same time of the clock so many hours, days, weeks or months earlier.
    pub fn earlier(&self, at: Timestamp, count: i64, interval: Interval) -> Timestamp {
        let span = match interval {
            Interval::Hour => return at.plus_millis(count.saturating_mul(-HOUR_MILLIS)),
            Interval::Day => Span::new().try_days(count),
            Interval::Week => Span::new().try_weeks(count),
            Interval::Month => Span::new().try_months(count),
        };
        let earlier = span.and_then(|span| self.local(at)?.checked_sub(span));
        earlier.map_or(at, |earlier| instant(&earlier))
    }

    /// Where the buckets begin that lie in this range, the first one perhaps before it; `None` when there are more
    /// than `most`.
    pub fn starts(
        &self,
        since: Timestamp,
        until: Timestamp,
        interval: Interval,
        most: usize,
    ) -> Option<Vec<Timestamp>> {
        let mut starts = vec![self.start_of(since, interval)];
        loop {
            let last = *starts.last()?;
            let next = self.next(last, interval);
            if next >= until || next <= last {
                return Some(starts);
            }
            if starts.len() >= most {
                return None;
            }
            starts.push(next);
        }
    }

    /// How many buckets a range is long, the last of them begun.
    pub fn length(&self, since: Timestamp, until: Timestamp, interval: Interval) -> i64 {
        let millis = until.millis_since(since);
        let unit = match interval {
            Interval::Hour => HOUR_MILLIS,
            Interval::Day => DAY_MILLIS,
            Interval::Week => WEEK_DAYS * DAY_MILLIS,
            // As long as a month can be: the guess is never too large.
            Interval::Month => 32 * DAY_MILLIS,
        };
        let mut count = (millis / unit).max(1);
        while self.earlier(until, count, interval) > since {
            count = count.saturating_add(1);
        }
        while count > 1 && self.earlier(until, count - 1, interval) <= since {
            count -= 1;
        }
        count
    }

    /// The hour on the clock; where the clock was set in the middle of one, the rest begins there.
    fn hour_of(&self, at: Timestamp, local: &Zoned) -> Timestamp {
        let offset = i64::from(local.offset().seconds()).saturating_mul(1000);
        let hour = at.plus_millis(offset).as_millis().div_euclid(HOUR_MILLIS) * HOUR_MILLIS;
        let start = Timestamp::from_millis(hour.saturating_sub(offset));
        match self.first_set_after(start) {
            Some(set) if set <= at => set,
            Some(_) | None => start,
        }
    }

    fn hour_after(&self, start: Timestamp) -> Timestamp {
        let offset = self.local(start).map_or(0, |local| i64::from(local.offset().seconds()).saturating_mul(1000));
        let hour = start.plus_millis(offset).as_millis().div_euclid(HOUR_MILLIS) * HOUR_MILLIS;
        let next = Timestamp::from_millis(hour.saturating_add(HOUR_MILLIS).saturating_sub(offset));
        match self.first_set_after(start) {
            Some(set) if set < next => set,
            Some(_) | None => next,
        }
    }

    /// When the clocks were set next after this instant.
    fn first_set_after(&self, at: Timestamp) -> Option<Timestamp> {
        let at = jiff::Timestamp::from_millisecond(at.as_millis()).ok()?;
        let set = self.zone.following(at).next()?;
        Some(Timestamp::from_millis(set.timestamp().as_millisecond()))
    }

    fn local(&self, at: Timestamp) -> Result<Zoned, jiff::Error> {
        Ok(jiff::Timestamp::from_millisecond(at.as_millis())?.to_zoned(self.zone.clone()))
    }

    fn midnight(&self, date: jiff::civil::Date) -> Result<Zoned, jiff::Error> {
        date.to_zoned(self.zone.clone())?.start_of_day()
    }
}

fn instant(local: &Zoned) -> Timestamp {
    Timestamp::from_millis(local.timestamp().as_millisecond())
}

impl Default for Zone {
    fn default() -> Self {
        Self::utc()
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn zone(name: &str) -> Zone {
        Zone::parse(name).unwrap()
    }

    fn hours(zone: &Zone, day: &str) -> i64 {
        let start = zone.day_of(at(day));
        zone.next(start, Interval::Day).millis_since(start) / HOUR_MILLIS
    }

    #[test]
    fn a_zone_is_known_by_its_iana_name() {
        for (text, name) in [("Europe/Berlin", "Europe/Berlin"), ("asia/kathmandu", "Asia/Kathmandu"), ("UTC", "UTC")] {
            assert_eq!(zone(text).name(), name);
        }
        for wrong in ["", "Mars/Olympus", "+01:00", "Europe", "../etc/passwd", "Europe/Berlin\0"] {
            assert_eq!(Zone::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_day_has_as_many_hours_as_its_clock_says() {
        let berlin = zone("Europe/Berlin");
        for (day, long) in [("2026-03-29T12:00:00Z", 23), ("2026-10-25T12:00:00Z", 25), ("2026-11-26T12:00:00Z", 24)] {
            assert_eq!(hours(&berlin, day), long, "{day}");
            let start = berlin.day_of(at(day));
            let starts = berlin.starts(start, berlin.next(start, Interval::Day), Interval::Hour, 100).unwrap();
            assert_eq!(starts.len(), usize::try_from(long).unwrap());
        }
        assert_eq!(berlin.day_of(at("2026-11-26T22:59:59.999Z")), at("2026-11-25T23:00:00Z"));
        assert_eq!(berlin.day_of(at("2026-11-26T23:00:00Z")), at("2026-11-26T23:00:00Z"));
    }

    #[test]
    fn a_day_may_begin_at_one_o_clock_and_a_date_may_be_left_out() {
        // Midnight was skipped in Beirut, a whole Friday in Samoa.
        let beirut = zone("Asia/Beirut");
        assert_eq!(beirut.day_of(at("2024-03-31T12:00:00Z")), at("2024-03-30T22:00:00Z"));
        assert_eq!(hours(&beirut, "2024-03-31T12:00:00Z"), 23);
        let samoa = zone("Pacific/Apia");
        let thursday = samoa.day_of(at("2011-12-30T05:00:00Z"));
        let saturday = samoa.next(thursday, Interval::Day);
        assert_eq!(saturday, at("2011-12-30T10:00:00Z"));
        assert_eq!(samoa.day_of(saturday), saturday);
    }

    #[test]
    fn hours_follow_the_clock_where_it_is_set_by_half_an_hour() {
        let howe = zone("Australia/Lord_Howe");
        // Half past one, half an hour long, since the clock jumps at two to half past two.
        let starts = howe.starts(at("2026-10-03T14:30:00Z"), at("2026-10-03T17:30:00Z"), Interval::Hour, 9).unwrap();
        let printed: Vec<String> = starts.iter().map(ToString::to_string).collect();
        assert_eq!(
            printed,
            ["2026-10-03T14:30:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z", "2026-10-03T17:00:00Z"]
        );
        for (index, start) in starts.iter().enumerate() {
            assert_eq!(howe.start_of(start.plus_millis(1), Interval::Hour), *start, "{index}");
        }
        let kathmandu = zone("Asia/Kathmandu");
        assert_eq!(kathmandu.start_of(at("2026-11-26T12:20:00Z"), Interval::Hour), at("2026-11-26T12:15:00Z"));
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let berlin = zone("Europe/Berlin");
        assert_eq!(berlin.start_of(at("2026-11-26T12:00:00Z"), Interval::Week), at("2026-11-22T23:00:00Z"));
        assert_eq!(berlin.next(at("2026-11-26T12:00:00Z"), Interval::Week), at("2026-11-29T23:00:00Z"));
        assert_eq!(berlin.start_of(at("2026-03-31T12:00:00Z"), Interval::Month), at("2026-02-28T23:00:00Z"));
        assert_eq!(berlin.next(at("2026-03-31T12:00:00Z"), Interval::Month), at("2026-03-31T22:00:00Z"));
    }

    #[test]
    fn every_instant_lies_in_one_bucket_of_each_kind() {
        for name in ["UTC", "Europe/Berlin", "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]
        {
            let zone = zone(name);
            let mut moment = at("2023-12-30T00:00:00Z");
            while moment < at("2025-01-03T00:00:00Z") {
                for interval in Interval::ALL.iter().copied() {
                    let (start, next) = (zone.start_of(moment, interval), zone.next(moment, interval));
                    assert!(start <= moment && moment < next, "{name} {moment} {interval:?}: {start} {next}");
                    assert_eq!(zone.start_of(next, interval), next, "{name} {moment} {interval:?}");
                    assert_eq!(start.as_millis() % QUARTER_MILLIS, 0, "{name} {start}");
                }
                moment = moment.plus_seconds(5 * 3600 + 900);
            }
        }
    }

    #[test]
    fn the_buckets_of_a_range_are_counted_up_to_a_bound() {
        let utc = Zone::utc();
        let starts = |until: &str, most| utc.starts(at("2026-11-01T10:00:00Z"), at(until), Interval::Day, most);
        assert_eq!(starts("2026-11-03T00:00:00Z", 2).map(|starts| starts.len()), Some(2));
        assert_eq!(starts("2026-11-03T00:00:00.001Z", 2), None);
        assert_eq!(starts("2026-11-03T00:00:00.001Z", 3).map(|starts| starts.len()), Some(3));
    }

    #[test]
    fn the_time_of_the_clock_stays_when_days_and_months_are_taken_back() {
        let berlin = zone("Europe/Berlin");
        assert_eq!(berlin.earlier(at("2026-03-29T22:00:00Z"), 1, Interval::Day), at("2026-03-28T23:00:00Z"));
        assert_eq!(berlin.earlier(at("2026-03-31T10:00:00Z"), 1, Interval::Month), at("2026-02-28T11:00:00Z"));
        assert_eq!(berlin.earlier(at("2026-03-29T12:00:00Z"), 24, Interval::Hour), at("2026-03-28T12:00:00Z"));
        for (since, until, interval, length) in [
            ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", Interval::Day, 30),
            ("2026-11-01T00:00:00Z", "2026-11-30T00:00:01Z", Interval::Day, 30),
            ("2026-11-01T00:00:00Z", "2026-11-01T00:00:01Z", Interval::Day, 1),
            ("2026-11-01T00:00:00Z", "2026-11-26T00:00:00Z", Interval::Month, 1),
            ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", Interval::Month, 12),
            ("2026-01-01T00:00:00Z", "2026-01-15T00:00:00Z", Interval::Week, 2),
        ] {
            assert_eq!(Zone::utc().length(at(since), at(until), interval), length, "{since} {until}");
        }
    }
}

//! How much one principal may ask of the admin API in a minute, in points.
//!
//! A document costs its selections with every fragment written out, as the document guard counts them. The minute
//! begins with the first request; what would pass the limit is refused and costs nothing. In memory of one server:
//! there is an entry for each operator and key that asked in the last minute, so it is bounded by how many there are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::operator::Principal;

/// Points of a minute, when nothing else is set.
pub const POINTS_PER_MINUTE: u32 = 60_000;

const WINDOW_SECONDS: i64 = 60;
/// From so many entries on, those whose minute is over make room for a new one.
const TIDY_FROM: usize = 1024;

/// What is left of a principal's minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Points of a minute.
    pub limit: u32,
    /// Of them, after this request.
    pub remaining: u32,
    /// When all of them are there again.
    pub resets_at: Timestamp,
    /// Points of this request.
    pub cost: u32,
}

/// Who has spent how much.
#[derive(Debug)]
pub struct PointBudget {
    points_per_minute: u32,
    minutes: Mutex<HashMap<Uuid, Minute>>,
}

#[derive(Clone, Copy, Debug)]
struct Minute {
    began: Timestamp,
    spent: u32,
}

impl Minute {
    /// Also one that began later than now: the clock was set back.
    fn is_over(self, now: Timestamp) -> bool {
        !(0..WINDOW_SECONDS * 1000).contains(&now.millis_since(self.began))
    }
}

impl Default for PointBudget {
    fn default() -> Self {
        Self::new(POINTS_PER_MINUTE)
    }
}

impl PointBudget {
    pub fn new(points_per_minute: u32) -> Self {
        Self { points_per_minute, minutes: Mutex::default() }
    }

    /// Takes `cost` from the principal's minute.
    ///
    /// # Errors
    /// There is not so much left; nothing was taken.
    pub fn spend(&self, principal: &Principal, cost: u32, now: Timestamp) -> Result<Allowance, Allowance> {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.len() >= TIDY_FROM {
            minutes.retain(|_, minute| !minute.is_over(now));
        }
        let minute = minutes.entry(spender(principal)).or_insert(Minute { began: now, spent: 0 });
        if minute.is_over(now) {
            *minute = Minute { began: now, spent: 0 };
        }
        let spent = minute.spent.saturating_add(cost);
        let is_enough = spent <= self.points_per_minute;
        if is_enough {
            minute.spent = spent;
        }
        let allowance = Allowance {
            limit: self.points_per_minute,
            remaining: self.points_per_minute.saturating_sub(minute.spent),
            resets_at: minute.began.plus_seconds(WINDOW_SECONDS),
            cost,
        };
        if is_enough { Ok(allowance) } else { Err(allowance) }
    }
}

/// A key spends its own points, not those of whoever made it.
fn spender(principal: &Principal) -> Uuid {
    let key = principal.api_key.map(|key| key.uuid());
    key.or_else(|| principal.operator.map(|operator| operator.uuid())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ApiKeyId, OperatorId};

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn ada() -> Principal {
        Principal { operator: Some(OperatorId::from_uuid(Uuid::from_u128(1))), ..Principal::system() }
    }

    #[test]
    fn a_minute_holds_its_points_and_not_one_more() {
        let budget = PointBudget::new(10);
        let resets_at = NOW.plus_seconds(60);
        let left = |remaining, cost| Allowance { limit: 10, remaining, resets_at, cost };
        assert_eq!(budget.spend(&ada(), 9, NOW), Ok(left(1, 9)));
        assert_eq!(budget.spend(&ada(), 2, NOW.plus_millis(1)), Err(left(1, 2)));
        assert_eq!(budget.spend(&ada(), 1, NOW.plus_millis(59_999)), Ok(left(0, 1)));
        assert_eq!(budget.spend(&ada(), 1, NOW.plus_millis(59_999)), Err(left(0, 1)));
        assert_eq!(budget.spend(&ada(), 1, resets_at).unwrap().remaining, 9);
        assert_eq!(budget.spend(&ada(), 1, NOW).unwrap().remaining, 9, "a clock that was set back begins anew");
    }

    #[test]
    fn a_key_and_its_maker_spend_apart() {
        let budget = PointBudget::new(1);
        let key = Principal { api_key: Some(ApiKeyId::from_uuid(Uuid::from_u128(2))), ..ada() };
        assert!(budget.spend(&ada(), 1, NOW).is_ok() && budget.spend(&key, 1, NOW).is_ok());
        assert!(budget.spend(&ada(), 1, NOW).is_err() && budget.spend(&key, 1, NOW).is_err());
    }

    #[test]
    fn minutes_that_are_over_make_room() {
        let budget = PointBudget::new(1);
        let operator =
            |number: u128| Principal { operator: Some(OperatorId::from_uuid(Uuid::from_u128(number))), ..ada() };
        for number in 0..2000 {
            assert!(budget.spend(&operator(number), 1, NOW).is_ok());
        }
        assert!(budget.spend(&operator(2000), 1, NOW.plus_seconds(60)).is_ok());
        assert_eq!(budget.minutes.lock().unwrap().len(), 1);
    }
}

//! `roundtrip verify`: proves on live data that status is the fold of the history, that figures are the fold of
//! conversions and clicks, and that every conversion is known by its keys.
//!
//! It reads only, in small steps, and may run beside the server. It says what does not agree and repairs nothing:
//! a repair without knowing the cause would hide it.

use std::fmt;

use crate::store::Database;
use crate::store::verify::{self as proof, DaysCompared, Findings};

use super::AppError;

/// What was compared, and what did not agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub conversions: u64,
    pub keys: u64,
    /// 15-minute buckets of time that hold anything, and those near them.
    pub buckets: u64,
    pub days: DaysCompared,
    pub findings: Findings,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.findings.count == 0
    }
}

/// For the command line: what was compared, then a line for each drift that was kept.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DaysCompared { days, counted } = self.days;
        write!(f, "compared: {} conversions, {} keys, {} buckets, ", self.conversions, self.keys, self.buckets)?;
        writeln!(f, "{counted} of {days} days (the others have changed since they were counted, or wait for it)")?;
        for drift in &self.findings.drifts {
            writeln!(f, "drift: {drift}")?;
        }
        write!(f, "{} drifts", self.findings.count)
    }
}

/// Runs every proof.
///
/// # Errors
/// The database is away; a drift is no error.
pub async fn verify(database: &Database) -> Result<Report, AppError> {
    let mut findings = Findings::default();
    let conversions = proof::histories(database, &mut findings).await?;
    let buckets = proof::figures(database, &mut findings).await?;
    let days = proof::days(database, &mut findings).await?;
    let keys = proof::keys(database, &mut findings).await?;
    proof::key_owners(database, &mut findings).await?;
    Ok(Report { conversions, keys, buckets, days, findings })
}

//! `[spool]`: where clicks and pixels wait while the database is away, and how many.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::problems::Problems;
use super::values::optional_path;

#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// A SQLite file of its own (`[spool] file`, else `spool.db` in the data folder).
    pub file: PathBuf,
    pub items_max: u64,
    pub bytes_max: u64,
}

/// The section as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct SpoolSettings {
    #[serde(deserialize_with = "optional_path")]
    file: Option<PathBuf>,
    items_max: u64,
    bytes_max: u64,
}

impl SpoolSettings {
    /// Fills the default in and checks the bounds.
    pub(super) fn resolve(self, data_dir: &Path, problems: &mut Problems) -> SpoolConfig {
        problems.bounds("spool.items_max", self.items_max, 1, 100_000_000);
        problems.bounds("spool.bytes_max", self.bytes_max, 1 << 16, 1 << 40);
        SpoolConfig {
            file: self.file.unwrap_or_else(|| data_dir.join("spool.db")),
            items_max: self.items_max,
            bytes_max: self.bytes_max,
        }
    }
}

//! What is wrong with the settings: a list, because somebody who mends one at a time starts the server ten times.

use std::fmt;

/// Why the settings were refused: one sentence for each problem.
#[derive(Debug)]
pub struct ConfigProblems(Vec<String>);

impl ConfigProblems {
    pub fn one(problem: String) -> Self {
        Self(vec![problem])
    }

    /// The sentences, in the order of the sections.
    pub fn all(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings cannot be used:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl std::error::Error for ConfigProblems {}

/// The list while it grows.
#[derive(Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    pub(super) fn push(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    /// Notes a number that is outside its bounds (both allowed).
    pub(super) fn bounds(&mut self, key: &str, value: impl Into<u128>, min: u128, max: u128) {
        let value = value.into();
        if value < min || value > max {
            self.push(format!("{key}: {value} is outside {min}..{max}"));
        }
    }

    pub(super) fn finish(self) -> Result<(), ConfigProblems> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigProblems(self.0)) }
    }
}

//! Cells of a CSV file that people open in a spreadsheet.
//!
//! A spreadsheet runs a text as a formula when it begins like one, and what senders wrote begins as they like. Such a
//! text gets an apostrophe in front, also where white space comes first, because some programs trim it. Numbers are ours
//! and stay numbers: a negative amount must still add up. Quoting is the writer's work (RFC 4180).

use std::borrow::Cow;

/// One cell, as far as a spreadsheet cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsvCell {
    Empty,
    /// Made by us: a number, a word of a closed list, an id or an instant of ours.
    Ours(String),
    /// Somebody wrote it.
    Text(String),
}

impl CsvCell {
    pub fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.to_owned()))
    }

    pub fn ours(value: Option<impl ToString>) -> Self {
        value.map_or(Self::Empty, |value| Self::Ours(value.to_string()))
    }

    /// What is written.
    pub fn shown(&self) -> Cow<'_, str> {
        match self {
            Self::Empty => Cow::Borrowed(""),
            Self::Ours(text) => Cow::Borrowed(text),
            Self::Text(text) => formula_safe(text),
        }
    }
}

/// The signs that begin a formula, also in their full width, and those that split a cell where a program reads tabs.
fn begins_formula(character: char) -> bool {
    matches!(character, '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
}

fn formula_safe(text: &str) -> Cow<'_, str> {
    let is_split = text.starts_with(['\t', '\r', '\n']);
    let is_formula = text.trim_start().starts_with(begins_formula);
    if is_split || is_formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_a_formula_is_a_text_and_a_number_of_ours_is_a_number() {
        for text in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r1",
            "\n1",
            " =1",
            "\u{a0}=1",
            "\u{ff1d}1",
            "-",
            "=cmd|' /C calc'!A0",
        ] {
            let shown = CsvCell::Text(text.to_owned()).shown().into_owned();
            assert_eq!(shown, format!("'{text}"), "{text:?}");
        }
        for text in ["", "1", "a=1", "'=1", "1-1", "Ann @ home", "  a"] {
            assert_eq!(CsvCell::Text(text.to_owned()).shown(), text);
        }
        assert_eq!(CsvCell::Ours("-1.50".to_owned()).shown(), "-1.50");
        assert_eq!(CsvCell::text(None).shown(), "");
    }
}

//! Reading what a person typed into a form of control data: all that is wrong is said at once, each with its path.
//!
//! Nothing here asks the database. Text is kept as it was typed but for white space round it; it is never cut.

use super::error::{UserError, UserErrorCode};
use crate::domain::macros::{MacroName, Template, TemplateError, names_text, nearest};
use crate::domain::money::{AmountError, Micros, Percent, Price, parse_amount};

/// Characters of a name.
pub const NAME_CHARACTERS_MAX: usize = 200;
/// Characters of a description or of notes.
pub const TEXT_CHARACTERS_MAX: usize = 4000;

/// A price as it was typed; exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceDraft {
    /// An amount, such as `12.50`.
    pub fixed: Option<String>,
    /// A percentage, such as `12.5`.
    pub percent: Option<String>,
}

/// What is wrong with a form so far.
#[derive(Debug)]
pub(super) struct Form {
    /// The mutation's argument that holds the fields; none where the arguments are the fields.
    argument: Option<&'static str>,
    errors: Vec<UserError>,
}

impl Form {
    pub(super) fn new(argument: Option<&'static str>) -> Self {
        Self { argument, errors: Vec::new() }
    }

    pub(super) fn refuse(&mut self, code: UserErrorCode, field: &[&str], message: impl Into<String>) {
        let error = self.error(code, field, message);
        self.errors.push(error);
    }

    pub(super) fn refuse_with_hint(&mut self, code: UserErrorCode, field: &[&str], message: &str, hint: String) {
        let error = self.error(code, field, message).with_hint(hint);
        self.errors.push(error);
    }

    /// The value, or everything that is wrong.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<UserError>> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            Some(_) | None => Err(self.errors),
        }
    }

    pub(super) fn require<T>(&mut self, field: &str, value: Option<&T>) {
        if value.is_none() {
            self.refuse(UserErrorCode::Required, &[field], "This is needed.");
        }
    }

    /// One line of 1 to 200 characters.
    pub(super) fn name(&mut self, text: Option<&str>) -> Option<String> {
        text.map(|text| self.name_at(&["name"], text))
    }

    pub(super) fn name_at(&mut self, field: &[&str], text: &str) -> String {
        let text = text.trim();
        if text.is_empty() {
            self.refuse(UserErrorCode::Required, field, "A name has at least one character.");
        } else if text.chars().count() > NAME_CHARACTERS_MAX {
            let message = format!("A name has at most {NAME_CHARACTERS_MAX} characters.");
            self.refuse(UserErrorCode::TooLong, field, message);
        } else if text.chars().any(char::is_control) {
            self.refuse(UserErrorCode::Invalid, field, "A name is one line without control characters.");
        }
        text.to_owned()
    }

    /// Several lines, at most 4 000 characters; empty clears it.
    pub(super) fn text(&mut self, field: &str, text: Option<Option<&str>>) -> Option<Option<String>> {
        let text = text?.map(str::trim).filter(|text| !text.is_empty());
        if text.is_some_and(|text| text.chars().count() > TEXT_CHARACTERS_MAX) {
            let message = format!("This has at most {TEXT_CHARACTERS_MAX} characters.");
            self.refuse(UserErrorCode::TooLong, &[field], message);
        }
        if text.is_some_and(|text| text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))) {
            self.refuse(UserErrorCode::Invalid, &[field], "This holds control characters.");
        }
        Some(text.map(str::to_owned))
    }

    pub(super) fn bounded(&mut self, field: &str, value: Option<i32>, bounds: std::ops::RangeInclusive<i32>) {
        let Some(value) = value else { return };
        if value < *bounds.start() {
            self.refuse(UserErrorCode::TooSmall, &[field], format!("The least is {}.", bounds.start()));
        } else if value > *bounds.end() {
            self.refuse(UserErrorCode::TooLarge, &[field], format!("The most is {}.", bounds.end()));
        }
    }

    pub(super) fn amount(&mut self, field: &[&str], text: &str) -> Option<Micros> {
        match parse_amount(text.trim()) {
            Ok(parsed) if parsed.rounded => {
                self.refuse(UserErrorCode::Invalid, field, "An amount has at most six decimals.");
            }
            Ok(parsed) => return Some(parsed.micros),
            Err(error @ (AmountError::NotANumber | AmountError::TooPrecise)) => {
                self.refuse(UserErrorCode::Invalid, field, sentence(&error));
            }
            Err(error @ AmountError::TooLarge) => self.refuse(UserErrorCode::TooLarge, field, sentence(&error)),
        }
        None
    }

    pub(super) fn price(&mut self, field: &str, draft: Option<&PriceDraft>) -> Option<Price> {
        self.price_at(&[field], draft?)
    }

    pub(super) fn price_at(&mut self, field: &[&str], draft: &PriceDraft) -> Option<Price> {
        let below = |part| [field, &[part]].concat();
        match (&draft.fixed, &draft.percent) {
            (Some(amount), None) => self.amount(&below("fixed"), amount).map(Price::Fixed),
            (None, Some(share)) => self.percent(&below("percent"), share).map(Price::Percent),
            (Some(_), Some(_)) | (None, None) => {
                let message = "A price is either fixed or a percentage: give exactly one.";
                self.refuse(UserErrorCode::Invalid, field, message);
                None
            }
        }
    }

    /// A URL with macros of one list; a name that is none of them is refused.
    pub(super) fn template<M: MacroName>(&mut self, field: &str, text: &str) -> Option<Template<M>> {
        let template = match Template::<M>::parse(text) {
            Ok(template) => template,
            Err(error) => {
                self.refuse(url_code(&error), &[field], sentence(&error));
                return None;
            }
        };
        for name in template.unknown_macros() {
            let hint = match nearest::<M>(name) {
                Some(nearest) => format!("Did you mean {{{}}}?", nearest.name()),
                None => format!("Known are {}.", names_text::<M>()),
            };
            let message = format!("{{{name}}} is no macro of ours.");
            self.refuse_with_hint(UserErrorCode::UnknownMacro, &[field], &message, hint);
        }
        Some(template)
    }

    fn percent(&mut self, field: &[&str], text: &str) -> Option<Percent> {
        let text = text.trim();
        let share = Percent::parse(text);
        if share.is_none() {
            let too_large = parse_amount(text).is_ok_and(|parsed| Percent::from_i64(parsed.micros.as_i64()).is_none());
            let code = if too_large { UserErrorCode::TooLarge } else { UserErrorCode::Invalid };
            let message =
                format!("A percentage is a plain number from 0 to {}, with at most six decimals.", Percent::MAX);
            self.refuse(code, field, message);
        }
        share
    }

    fn error(&self, code: UserErrorCode, field: &[&str], message: impl Into<String>) -> UserError {
        let path: Vec<_> = self.argument.iter().chain(field).copied().collect();
        UserError::new(code, &path, message)
    }
}

const fn url_code(error: &TemplateError) -> UserErrorCode {
    match error {
        TemplateError::TooLong => UserErrorCode::TooLong,
        TemplateError::Scheme
        | TemplateError::Host
        | TemplateError::MacroBeforePath
        | TemplateError::StrayBrace
        | TemplateError::ForbiddenCharacter
        | TemplateError::DotSegment => UserErrorCode::UrlNotAllowed,
    }
}

/// As people read it: the text of an error, with a capital letter and a full stop.
pub(super) fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}

/// For the audit trail: `12.50`, or `12.5 %`.
pub(super) fn price_text(price: Price) -> String {
    match price {
        Price::Fixed(amount) => amount.to_string(),
        Price::Percent(share) => format!("{share} %"),
    }
}

/// The row changed since the form was loaded.
pub(super) fn conflict(current: i32) -> UserError {
    let message = "Somebody changed this meanwhile.";
    UserError::new(UserErrorCode::ConflictVersion, &["version"], message)
        .with_hint(format!("Load it again: it is at version {current} now."))
}

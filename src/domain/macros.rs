//! URL templates with macros: where a click is sent, and where a publisher is told of a conversion, with
//! `{transaction_id}` and its friends filled in.
//!
//! A template is parsed once, when it is saved or loaded, and expanded for every use. Macros stand in
//! path, query and fragment only, and every value is percent-encoded, so that nothing a visitor sends can
//! choose where he is sent: without that, a tracking link would be an open redirect. A value is put in as
//! it is and never read for macros again. Which names there are and what they stand for is a closed list of whoever
//! owns the template (a [`MacroName`]): a click's is [`Macro`], a publisher's is in `outbound`. To add a macro: a line
//! in its list and one in its `filling`.

use std::cmp::Reverse;
use std::fmt::Write as _;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use url::Url;

use super::clock::Timestamp;
use super::ids::{OfferId, PublisherId};
use super::inbound::edit_distance;
use super::money::{Currency, Micros};

/// Longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 2048;
/// Longest destination, in bytes; more than twice what can arrive in a request target.
pub const DESTINATION_BYTES_MAX: usize = 16 * 1024;

/// Everything but RFC 3986's unreserved characters. Right for a path segment, for a query value and for a
/// fragment alike, so that one value looks the same wherever it stands.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What an operator may type in a template and a URL may not hold; `%` stays, it begins an escape.
const LITERAL: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'|').add(b'^').add(b'\'');

/// A closed list of names in braces, and what they stand for.
pub trait MacroName: Copy + Eq + 'static {
    /// What the macros of one use stand for.
    type Values<'v>: Default;

    /// Every name there is.
    fn all() -> &'static [Self];

    /// The name without its braces.
    fn name(self) -> &'static str;

    /// What it stands for.
    fn filling<'v>(self, values: &Self::Values<'v>) -> Filling<'v>;
}

/// What one macro stands for; nothing becomes empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling<'v> {
    Nothing,
    Text(&'v str),
    Number(i32),
    Amount(Micros),
    Currency(Currency),
    /// Printed as RFC 3339.
    Instant(Timestamp),
    /// Printed as 16 hexadecimal digits.
    Random(u64),
}

impl<'v> Filling<'v> {
    /// `None` is nothing.
    pub fn of<T>(value: Option<T>, filling: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Nothing, filling)
    }

    pub fn text(value: Option<&'v str>) -> Self {
        Self::of(value, Self::Text)
    }
}

/// Reads a name without its braces, in any ASCII case.
pub fn parse_name<M: MacroName>(name: &str) -> Option<M> {
    M::all().iter().copied().find(|known| known.name().eq_ignore_ascii_case(name))
}

/// The macro that a misspelt name probably means: `trasaction_id`.
pub fn nearest<M: MacroName>(name: &str) -> Option<M> {
    let name = name.to_ascii_lowercase();
    let near = M::all().iter().filter_map(|known| {
        let distance_max = (known.name().len().max(name.len()) / 4).max(1);
        edit_distance(name.as_bytes(), known.name().as_bytes(), distance_max).map(|distance| (distance, *known))
    });
    // Of two that are as near, the longer one: `sub_id2` is no slip of `sub_id`.
    near.min_by_key(|(distance, known)| (*distance, Reverse(known.name().len()))).map(|(_, known)| known)
}

/// All names of a list, as they are written in a template.
pub fn names_text<M: MacroName>() -> String {
    M::all().iter().map(|known| format!("{{{}}}", known.name())).collect::<Vec<_>>().join(", ")
}

/// Defines a closed list of macros.
macro_rules! macros {
    ($(#[$doc:meta])* $list:ident { $($name:ident = $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $list { $($name,)* }

        impl $list {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name without its braces.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}
pub(super) use macros;

macros! {
    /// A name in braces that stands for a value of the click.
    Macro {
        TransactionId = "transaction_id";
        OfferId = "offer_id";
        PublisherId = "publisher_id";
        SubId = "sub_id";
        SubId2 = "sub_id_2";
        SubId3 = "sub_id_3";
        SubId4 = "sub_id_4";
        SubId5 = "sub_id_5";
        SubId6 = "sub_id_6";
        ExternalTransactionId = "external_transaction_id";
        DeviceId = "device_id";
        Payout = "payout";
        Currency = "currency";
        Random = "random";
    }
}

/// What the macros of one click stand for; what is `None` becomes empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct MacroValues<'a> {
    pub transaction_id: Option<&'a str>,
    pub offer_id: Option<OfferId>,
    pub publisher_id: Option<PublisherId>,
    pub sub_ids: [Option<&'a str>; 6],
    pub external_transaction_id: Option<&'a str>,
    pub device_id: Option<&'a str>,
    pub payout: Option<Micros>,
    pub currency: Option<Currency>,
    /// Printed as 16 hexadecimal digits.
    pub random: Option<u64>,
}

impl MacroName for Macro {
    type Values<'v> = MacroValues<'v>;

    fn all() -> &'static [Self] {
        Self::ALL
    }

    fn name(self) -> &'static str {
        self.as_str()
    }

    fn filling<'v>(self, values: &Self::Values<'v>) -> Filling<'v> {
        match self {
            Self::TransactionId => Filling::text(values.transaction_id),
            Self::OfferId => Filling::of(values.offer_id, |id| Filling::Number(id.number())),
            Self::PublisherId => Filling::of(values.publisher_id, |id| Filling::Number(id.number())),
            Self::SubId => Filling::text(values.sub_ids[0]),
            Self::SubId2 => Filling::text(values.sub_ids[1]),
            Self::SubId3 => Filling::text(values.sub_ids[2]),
            Self::SubId4 => Filling::text(values.sub_ids[3]),
            Self::SubId5 => Filling::text(values.sub_ids[4]),
            Self::SubId6 => Filling::text(values.sub_ids[5]),
            Self::ExternalTransactionId => Filling::text(values.external_transaction_id),
            Self::DeviceId => Filling::text(values.device_id),
            Self::Payout => Filling::of(values.payout, Filling::Amount),
            Self::Currency => Filling::of(values.currency, Filling::Currency),
            Self::Random => Filling::of(values.random, Filling::Random),
        }
    }
}

/// Why a text cannot be saved as a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("the URL is longer than {TEMPLATE_BYTES_MAX} bytes")]
    TooLong,
    #[error("the URL must begin with http:// or https://")]
    Scheme,
    #[error("the URL has no host that can be used")]
    Host,
    #[error("a macro may stand in the path, the query and the fragment, not before them")]
    MacroBeforePath,
    #[error("a brace that belongs to no macro: write {{name}}, or %7B and %7D for the characters themselves")]
    StrayBrace,
    #[error("control characters and backslashes cannot stand in a URL")]
    ForbiddenCharacter,
    #[error("the path holds . or .. as a segment: write the path that is meant")]
    DotSegment,
}

/// Why one expansion cannot be used as a destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    #[error("the destination is longer than {DESTINATION_BYTES_MAX} bytes")]
    TooLong,
    /// The encoding makes this impossible; it is checked all the same.
    #[error("the values would change the scheme, host or port of the template")]
    OriginChanged,
    #[error("the values would move the path to another directory")]
    PathChanged,
}

/// An offer's landing page.
pub type UrlTemplate = Template<Macro>;

/// A URL with macros in it, ready to be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template<M> {
    text: String,
    /// Scheme, user, host and port, with `/` as its path.
    base: Url,
    segments: Vec<Segment<M>>,
    unknown: Vec<String>,
}

impl<M: MacroName> Template<M> {
    /// Reads a template; white space round it is trimmed.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let text = text.trim_ascii();
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::TooLong);
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return Err(TemplateError::ForbiddenCharacter);
        }
        let (base, rest) = split_base(text)?;
        let (segments, unknown) = read_segments(&base, rest)?;
        let template = Self { text: text.to_owned(), base, segments, unknown };
        match template.expand(&M::Values::default()) {
            Ok(_) => Ok(template),
            Err(DestinationError::PathChanged) => Err(TemplateError::DotSegment),
            Err(DestinationError::OriginChanged | DestinationError::TooLong) => Err(TemplateError::Host),
        }
    }

    /// The template as it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, user, host and port, with `/` as its path.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Is the macro anywhere in it? An offer's URL must contain [`Macro::TransactionId`].
    pub fn contains(&self, wanted: M) -> bool {
        self.segments.iter().any(|segment| match segment {
            Segment::Value { name, .. } => *name == wanted,
            Segment::Literal(_) => false,
        })
    }

    /// Names in braces that are no macros of ours; they become empty.
    pub fn unknown_macros(&self) -> &[String] {
        &self.unknown
    }

    /// The destination: printable ASCII on one line, fit for a `Location` header, with the scheme, host and
    /// port of the template.
    pub fn expand(&self, values: &M::Values<'_>) -> Result<String, DestinationError> {
        let mut target = String::with_capacity(self.text.len() + 64);
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => target.push_str(literal),
                Segment::Value { name, in_path } => write_filling(&mut target, name.filling(values), *in_path),
            }
            if target.len() > DESTINATION_BYTES_MAX {
                return Err(DestinationError::TooLong);
            }
        }
        self.check(&target)?;
        Ok(target)
    }

    fn check(&self, target: &str) -> Result<(), DestinationError> {
        let url = Url::parse(target).map_err(|_| DestinationError::OriginChanged)?;
        let same = url.scheme() == self.base.scheme()
            && url.host() == self.base.host()
            && url.port() == self.base.port()
            && url.username() == self.base.username()
            && url.password() == self.base.password()
            && target.bytes().all(|byte| byte.is_ascii_graphic());
        if !same {
            return Err(DestinationError::OriginChanged);
        }
        let after_base = target.get(self.base.as_str().len() - 1..).unwrap_or_default();
        let path = after_base.split(['?', '#']).next().unwrap_or_default();
        if url.path() == path { Ok(()) } else { Err(DestinationError::PathChanged) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment<M> {
    Literal(String),
    Value { name: M, in_path: bool },
}

/// The macros' places, and the names that are none of the list.
type Segments<M> = (Vec<Segment<M>>, Vec<String>);

/// Divides the text after its authority, and reads what comes before.
fn split_base(text: &str) -> Result<(Url, &str), TemplateError> {
    let (scheme, rest) = text.split_once("://").ok_or(TemplateError::Scheme)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        let before_path = scheme.contains(['{', '}']);
        return Err(if before_path { TemplateError::MacroBeforePath } else { TemplateError::Scheme });
    }
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains(['{', '}']) {
        return Err(TemplateError::MacroBeforePath);
    }
    if authority.is_empty() {
        return Err(TemplateError::Host);
    }
    let base = Url::parse(&format!("{scheme}://{authority}/")).map_err(|_| TemplateError::Host)?;
    Ok((base, rest))
}

fn read_segments<M: MacroName>(base: &Url, rest: &str) -> Result<Segments<M>, TemplateError> {
    // The base ends with the slash that begins every path.
    let mut literal = base.to_string();
    let mut rest = rest.strip_prefix('/').unwrap_or(rest);
    let (mut segments, mut unknown, mut in_path) = (Vec::new(), Vec::new(), true);
    while let Some(brace) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(brace);
        literal.extend(utf8_percent_encode(before, LITERAL));
        in_path = in_path && !before.contains(['?', '#']);
        let (name, behind) = split_name(after).ok_or(TemplateError::StrayBrace)?;
        match parse_name(name) {
            Some(name) => {
                segments.push(Segment::Literal(std::mem::take(&mut literal)));
                segments.push(Segment::Value { name, in_path });
            }
            None => unknown.push(name.to_owned()),
        }
        rest = behind;
    }
    literal.extend(utf8_percent_encode(rest, LITERAL));
    segments.push(Segment::Literal(literal));
    Ok((segments, unknown))
}

/// Splits `{name}rest` into name and rest.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix('{')?.split_once('}')?;
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    plain.then_some((name, rest))
}

fn write_filling(target: &mut String, filling: Filling<'_>, in_path: bool) {
    match filling {
        Filling::Nothing => {}
        // As a path segment these two mean "here" and "up", percent-encoded or not (WHATWG URL, 4.4).
        Filling::Text("." | "..") if in_path => {}
        Filling::Text(text) => target.extend(encode(text)),
        Filling::Number(number) => write_shown(target, number),
        Filling::Amount(amount) => write_shown(target, amount),
        Filling::Currency(currency) => write_shown(target, currency),
        Filling::Instant(instant) => target.extend(encode(&instant.to_string())),
        Filling::Random(random) => write_shown(target, format_args!("{random:016x}")),
    }
}

/// Digits, letters and a point only: nothing to encode.
fn write_shown(target: &mut String, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(target, "{value}");
}

fn encode(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, VALUE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expand(template: &str, values: &MacroValues<'_>) -> String {
        UrlTemplate::parse(template).unwrap().expand(values).unwrap()
    }

    fn with_sub_id(value: &str) -> MacroValues<'_> {
        MacroValues { sub_ids: [Some(value), None, None, None, None, None], ..MacroValues::default() }
    }

    #[test]
    fn every_macro_is_filled_in() {
        let values = MacroValues {
            transaction_id: Some("01h"),
            offer_id: OfferId::new(42),
            publisher_id: PublisherId::new(7),
            sub_ids: [Some("a"), Some("b"), Some("c"), Some("d"), Some("e"), Some("f")],
            external_transaction_id: Some("x y"),
            device_id: Some("dev"),
            payout: Some(Micros::from_i64(12_500_000)),
            currency: Currency::parse("EUR"),
            random: Some(255),
        };
        let names: Vec<String> = Macro::ALL.iter().map(|name| format!("{{{}}}", name.as_str())).collect();
        let template = UrlTemplate::parse(&format!("https://shop.example/?{}", names.join("&"))).unwrap();
        assert!(Macro::ALL.iter().all(|name| template.contains(*name)));
        assert_eq!(
            template.expand(&values).unwrap(),
            "https://shop.example/?01h&42&7&a&b&c&d&e&f&x%20y&dev&12.50&EUR&00000000000000ff"
        );
    }

    #[test]
    fn a_misspelt_macro_has_a_nearest_one() {
        for (name, expected) in [
            ("trasaction_id", Some(Macro::TransactionId)),
            ("Pub_lisher_id", Some(Macro::PublisherId)),
            ("sub_id2", Some(Macro::SubId2)),
            ("aff_id", None),
            ("", None),
        ] {
            assert_eq!(nearest(name), expected, "{name}");
        }
    }

    #[test]
    fn a_value_is_encoded_wherever_it_stands() {
        let values = with_sub_id("a/?#%&=+é\r\n{payout}");
        let encoded = "a%2F%3F%23%25%26%3D%2B%C3%A9%0D%0A%7Bpayout%7D";
        for place in ["a/{sub_id}/b", "?s={sub_id}", "?a=1#{sub_id}"] {
            let expected = format!("https://h.example/{}", place.replace("{sub_id}", encoded));
            assert_eq!(expand(&format!("https://h.example/{place}"), &values), expected);
        }
    }

    #[test]
    fn an_unknown_macro_becomes_empty_and_is_listed() {
        let template = UrlTemplate::parse("https://h.example/?a={clickid}&b={sub_id}&c={x.y-z}").unwrap();
        assert_eq!(template.unknown_macros(), ["clickid", "x.y-z"]);
        assert_eq!(template.expand(&with_sub_id("1")).unwrap(), "https://h.example/?a=&b=1&c=");
        assert!(!template.contains(Macro::TransactionId));
    }

    #[test]
    fn names_of_macros_are_read_in_any_case() {
        assert!(UrlTemplate::parse("https://h.example/?t={Transaction_ID}").unwrap().contains(Macro::TransactionId));
    }

    #[test]
    fn a_template_is_made_plain_ascii() {
        let values = MacroValues::default();
        for (template, expected) in [
            ("HTTPS://Bücher.Example", "https://xn--bcher-kva.example/"),
            ("http://h.example:80?a", "http://h.example/?a"),
            ("https://h.example:8443#x", "https://h.example:8443/#x"),
            (" https://h.example/ü a?q=\"ö\"|%20 ", "https://h.example/%C3%BC%20a?q=%22%C3%B6%22%7C%20"),
            ("https://u:p@h.example/", "https://u:p@h.example/"),
            ("https://[::1]:8080/", "https://[::1]:8080/"),
            ("https://h.example//a//b", "https://h.example//a//b"),
        ] {
            assert_eq!(expand(template, &values), expected);
        }
    }

    #[test]
    fn a_text_that_is_no_safe_template_is_refused() {
        for (text, error) in [
            ("", TemplateError::Scheme),
            ("h.example/{sub_id}", TemplateError::Scheme),
            ("ftp://h.example/", TemplateError::Scheme),
            ("javascript://h.example/%0aalert(1)", TemplateError::Scheme),
            ("http:/h.example/", TemplateError::Scheme),
            ("{sub_id}://h.example/", TemplateError::MacroBeforePath),
            ("https://{sub_id}/", TemplateError::MacroBeforePath),
            ("https://{sub_id}@h.example/", TemplateError::MacroBeforePath),
            ("https://h.example:{sub_id}/", TemplateError::MacroBeforePath),
            ("https://h.example{sub_id}", TemplateError::MacroBeforePath),
            ("https:///path", TemplateError::Host),
            ("https://?q", TemplateError::Host),
            ("https://a b/", TemplateError::Host),
            ("https://u@/", TemplateError::Host),
            ("https://h.example:99999/", TemplateError::Host),
            ("https://h.example\\@evil.example/", TemplateError::ForbiddenCharacter),
            ("https://h.example/\r\nX: y", TemplateError::ForbiddenCharacter),
            ("https://h.example/?{{sub_id}}", TemplateError::StrayBrace),
            ("https://h.example/?{}", TemplateError::StrayBrace),
            ("https://h.example/?{a b}", TemplateError::StrayBrace),
            ("https://h.example/?a}", TemplateError::StrayBrace),
            ("https://h.example/?{a", TemplateError::StrayBrace),
            ("https://h.example/a/../b", TemplateError::DotSegment),
            ("https://h.example/%2e%2E/b", TemplateError::DotSegment),
            ("https://h.example/.{sub_id}/b", TemplateError::DotSegment),
        ] {
            assert_eq!(UrlTemplate::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_value_cannot_walk_up_the_path() {
        assert_eq!(expand("https://h.example/a/{sub_id}/b", &with_sub_id("..")), "https://h.example/a//b");
        assert_eq!(expand("https://h.example/a/{sub_id}/b", &with_sub_id("%2e.")), "https://h.example/a/%252e./b");
        assert_eq!(expand("https://h.example/?{sub_id}", &with_sub_id("..")), "https://h.example/?..");
        let two = UrlTemplate::parse("https://h.example/a/{sub_id}{sub_id}/b").unwrap();
        assert_eq!(two.expand(&with_sub_id(".")).unwrap(), "https://h.example/a//b");
        let escape = UrlTemplate::parse("https://h.example/a/%2{sub_id}/b").unwrap();
        assert_eq!(escape.expand(&with_sub_id("e")), Err(DestinationError::PathChanged));
    }

    #[test]
    fn templates_and_destinations_have_a_longest_length() {
        let text = |bytes: usize| format!("https://h.example/{}", "a".repeat(bytes - "https://h.example/".len()));
        assert!(UrlTemplate::parse(&text(TEMPLATE_BYTES_MAX - 1)).is_ok());
        assert!(UrlTemplate::parse(&text(TEMPLATE_BYTES_MAX)).is_ok());
        assert_eq!(UrlTemplate::parse(&text(TEMPLATE_BYTES_MAX + 1)), Err(TemplateError::TooLong));

        let template = UrlTemplate::parse("https://h.example/{sub_id}").unwrap();
        let room = DESTINATION_BYTES_MAX - "https://h.example/".len();
        assert!(template.expand(&with_sub_id(&"a".repeat(room - 1))).is_ok());
        assert!(template.expand(&with_sub_id(&"a".repeat(room))).is_ok());
        assert_eq!(template.expand(&with_sub_id(&"a".repeat(room + 1))), Err(DestinationError::TooLong));
    }

    proptest! {
        #[test]
        fn no_value_changes_where_a_click_goes(value in any::<String>(), other in ".{0,3}", place in 0..4_usize) {
            let template = [
                "https://u:p@h.example:8443/{sub_id}",
                "https://u:p@h.example:8443/a/{sub_id}{device_id}/b?x={sub_id}",
                "https://u:p@h.example:8443?{sub_id}={device_id}#a",
                "https://u:p@h.example:8443#{sub_id}{device_id}",
            ][place];
            let values = MacroValues { device_id: Some(&other), ..with_sub_id(&value) };
            match UrlTemplate::parse(template).unwrap().expand(&values) {
                Ok(target) => {
                    prop_assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "{}", target);
                    let url = Url::parse(&target).unwrap();
                    prop_assert_eq!(url.origin().ascii_serialization(), "https://h.example:8443");
                    prop_assert_eq!((url.username(), url.password()), ("u", Some("p")));
                }
                Err(error) => prop_assert_eq!(error, DestinationError::PathChanged),
            }
        }

        #[test]
        fn no_template_panics(text in "(http://[a-z{}@:/?#. ü%-]{0,30}|.*)") {
            if let Ok(template) = UrlTemplate::parse(&text) {
                let target = template.expand(&with_sub_id("../x")).unwrap_or_default();
                prop_assert!(target.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}

//! What all URLs that we hand out have in common: where they begin, and how their parameters are written.
//!
//! A URL begins with `server.public_url`, or with the same scheme and port on a tracking domain that accepts; never
//! with a `Host` header. A value is a literal, a macro of the sender's own (`{order_id}`), or a mix: literals are
//! percent-encoded, macros are left alone, because an encoded macro is never replaced. What looks wrong is a warning,
//! said before the URL is in anybody's system; nothing is refused for it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::{App, UserError, UserErrorCode};
use crate::domain::ids::TrackingDomainId;
use crate::domain::inbound::{
    Door, EXTRA_CHARACTERS_MAX, EXTRAS_MAX, Form, NAME_BYTES_MAX, PARAMETERS, Parameter, ParameterSpec, nearest_name,
};
use crate::domain::snapshot::Snapshot;
use crate::domain::tracking_domain::TrackingDomain;

/// A parameter that a caller wants in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamInput {
    pub name: String,
    /// A literal, a macro of the sender's in braces or brackets, or both.
    pub value: String,
}

/// A parameter of a URL, with what its sender should know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlParam {
    pub name: String,
    /// As asked for, before encoding; of a secret its masked form.
    pub value: String,
    /// Without it the request is refused.
    pub required: bool,
    /// One of ours; else it is kept as an additional parameter.
    pub standard: bool,
    /// One sentence.
    pub description: String,
    pub example: Option<String>,
    /// In characters.
    pub max_length: u32,
}

/// Every parameter that means something at `door`, with no value: what a builder offers.
pub fn known_parameters(door: Door, required: &[Parameter]) -> Vec<UrlParam> {
    let known = PARAMETERS.iter().filter(|spec| spec.doors.contains(&door));
    known.map(|spec| standard(spec, String::new(), required.contains(&spec.parameter))).collect()
}

/// Where a URL begins.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// Scheme, host and port.
    pub(super) base: Url,
    /// None: the public URL.
    pub(super) domain: Option<TrackingDomain>,
}

impl Origin {
    /// The domain that was asked for, else the default one, else the public URL.
    pub(super) fn choose(app: &App, snapshot: &Snapshot, wanted: Option<TrackingDomainId>) -> Result<Self, UserError> {
        let domain = match wanted {
            Some(id) => Some(accepting(snapshot, id)?),
            None => snapshot.domains.values().find(|domain| domain.is_default && domain.accepts()),
        };
        match domain {
            Some(domain) => Self::on(app, domain),
            None => Ok(Self { base: app.options.public_url.clone(), domain: None }),
        }
    }

    /// As [`Self::choose`], but never the public URL; `None` while no domain accepts.
    pub(super) fn choose_custom(
        app: &App,
        snapshot: &Snapshot,
        wanted: Option<TrackingDomainId>,
    ) -> Result<Option<Self>, UserError> {
        let domain = match wanted {
            Some(id) => Some(accepting(snapshot, id)?),
            None => {
                let accepting = snapshot.domains.values().filter(|domain| domain.accepts());
                accepting.min_by_key(|domain| (!domain.is_default, domain.created_at, domain.id))
            }
        };
        domain.map(|domain| Self::on(app, domain)).transpose()
    }

    fn on(app: &App, domain: &TrackingDomain) -> Result<Self, UserError> {
        let mut base = app.options.public_url.clone();
        match base.set_host(Some(&domain.host)) {
            Ok(()) => Ok(Self { base, domain: Some(domain.clone()) }),
            Err(_) => {
                let message = format!("{} cannot stand in a URL.", domain.host);
                Err(UserError::new(UserErrorCode::Invalid, &["input", "domainId"], message))
            }
        }
    }
}

fn accepting(snapshot: &Snapshot, id: TrackingDomainId) -> Result<&TrackingDomain, UserError> {
    let domain = snapshot.domains.values().find(|domain| domain.id == id);
    let domain = domain.ok_or_else(|| {
        UserError::new(UserErrorCode::NotFound, &["input", "domainId"], "There is no such tracking domain.")
    })?;
    if domain.accepts() {
        return Ok(domain);
    }
    let message = format!("{} is {}: nothing that is sent there would be taken.", domain.host, domain.state.as_str());
    Err(UserError::new(UserErrorCode::DomainNotVerified, &["input", "domainId"], message)
        .with_hint("Check its DNS records."))
}

/// The parameters of one URL in the making.
#[derive(Clone, Debug)]
pub(super) struct WireQuery {
    door: Door,
    params: Vec<UrlParam>,
    pub(super) warnings: Vec<String>,
}

impl WireQuery {
    pub(super) fn new(door: Door) -> Self {
        Self { door, params: Vec::new(), warnings: Vec::new() }
    }

    /// Adds one of ours; it stands where it is added first.
    pub(super) fn put(&mut self, parameter: Parameter, value: impl Into<String>, required: bool) {
        self.push(standard(parameter.spec(), value.into(), required));
    }

    /// Adds one of ours with its own name in braces: the sender puts its macro there, and a request in which it was
    /// forgotten is refused with the reason.
    pub(super) fn put_placeholder(&mut self, parameter: Parameter, required: bool) {
        self.put(parameter, format!("{{{}}}", parameter.spec().name), required);
    }

    /// Adds what a caller asked for. A name that is there already gets the new value.
    pub(super) fn add(&mut self, inputs: &[ParamInput]) {
        for input in inputs {
            let name = input.name.trim_ascii();
            match Parameter::find(&name.to_ascii_lowercase(), self.door) {
                _ if name.is_empty() => self.warn("A parameter without a name was left out.".into()),
                _ if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) => {
                    self.warn(format!(
                        "A name of at most {NAME_BYTES_MAX} printable bytes is needed: one was left out."
                    ));
                }
                Some(Parameter::Secure | Parameter::Test) => {
                    self.warn(format!("`{name}` is put in by the server: the value that was given was left out."));
                }
                Some(parameter) => self.add_standard(parameter, input.value.trim()),
                None => self.add_extra(name, input.value.trim()),
            }
        }
        let extras = self.params.iter().filter(|param| !param.standard).count();
        if extras > EXTRAS_MAX {
            self.warn(format!("{extras} additional parameters: only the first {EXTRAS_MAX} are kept."));
        }
    }

    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    pub(super) fn params(&self) -> &[UrlParam] {
        &self.params
    }

    /// The URL. A secret is written whole, wherever `secure` stands; without one its masked form is.
    pub(super) fn write(&self, origin: &Origin, path: &str, secret: Option<&str>) -> String {
        let pairs = self.params.iter().map(|param| {
            let value = match secret {
                Some(secret) if is_secret(param) => encode_literal(secret),
                None if is_secret(param) => param.value.clone(),
                Some(_) | None => encode(&param.value),
            };
            format!("{}={value}", encode_literal(&param.name))
        });
        let base = origin.base.as_str().trim_end_matches('/');
        format!("{base}{path}?{}", pairs.collect::<Vec<_>>().join("&"))
    }

    fn add_standard(&mut self, parameter: Parameter, value: &str) {
        let spec = parameter.spec();
        let (name, door) = (spec.name, self.door);
        if !spec.doors.contains(&door) {
            self.warn(format!("`{name}` means nothing here: it is read and ignored."));
        }
        let limit = max_length(spec);
        if !holds_macro(value) && value.chars().count() > usize::try_from(limit).unwrap_or(usize::MAX) {
            self.warn(format!("`{name}` has at most {limit} characters."));
        }
        if names_one_result(parameter) && !value.is_empty() && !holds_macro(value) {
            self.warn(format!("`{name}` is the same in every request: put the sender's macro there."));
        }
        let required = self.params.iter().any(|param| param.name == name && param.required);
        self.push(standard(spec, value.to_owned(), required));
    }

    fn add_extra(&mut self, name: &str, value: &str) {
        let kept = "it is kept as an additional parameter";
        self.warn(match nearest_name(&name.to_ascii_lowercase(), self.door) {
            Some(near) => format!("`{name}` is not a parameter of ours: {kept}. Did you mean `{near}`?"),
            None => format!("`{name}` is not a parameter of ours: {kept}."),
        });
        if !holds_macro(value) && value.chars().count() > EXTRA_CHARACTERS_MAX {
            self.warn(format!("Of `{name}` only the first {EXTRA_CHARACTERS_MAX} characters are kept."));
        }
        self.push(UrlParam {
            name: name.to_owned(),
            value: value.to_owned(),
            required: false,
            standard: false,
            description: "An additional parameter: kept with the conversion as it comes.".into(),
            example: None,
            max_length: u32::try_from(EXTRA_CHARACTERS_MAX).unwrap_or(u32::MAX),
        });
    }

    fn push(&mut self, param: UrlParam) {
        match self.params.iter_mut().find(|there| there.name == param.name) {
            Some(there) => *there = param,
            None => self.params.push(param),
        }
    }
}

fn standard(spec: &ParameterSpec, value: String, required: bool) -> UrlParam {
    UrlParam {
        name: spec.name.to_owned(),
        value,
        required,
        standard: true,
        description: spec.description.to_owned(),
        example: Some(spec.example.to_owned()).filter(|_| spec.parameter != Parameter::Secure),
        max_length: max_length(spec),
    }
}

/// The limit of a number counts its value, that of a duration its seconds: here are the characters of both.
fn max_length(spec: &ParameterSpec) -> u32 {
    match spec.form {
        Form::Number => 10,
        Form::Duration => 8,
        Form::Text
        | Form::Amount
        | Form::CurrencyCode
        | Form::StatusName
        | Form::Address
        | Form::Email
        | Form::Flag => spec.limit,
    }
}

fn is_secret(param: &UrlParam) -> bool {
    param.standard && param.name == Parameter::Secure.spec().name
}

/// A literal would make every conversion the same one.
fn names_one_result(parameter: Parameter) -> bool {
    matches!(parameter, Parameter::TransactionId | Parameter::OrderId | Parameter::ExternalTransactionId)
}

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes everything, macros too.
fn encode_literal(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// Percent-encodes what stands round the macros.
fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, found, after)) = next_macro(rest) {
        encoded.push_str(&encode_literal(before));
        encoded.push_str(found);
        rest = after;
    }
    encoded.push_str(&encode_literal(rest));
    encoded
}

fn holds_macro(value: &str) -> bool {
    next_macro(value).is_some()
}

/// The first macro: `{x}`, `{{x}}`, `${x}` or `[x]`, with a name inside. `%x%` and `#x#` cannot stand in a URL as
/// they are, so they are literals.
fn next_macro(text: &str) -> Option<(&str, &str, &str)> {
    const FORMS: [(&str, &str); 4] = [("${", "}"), ("{{", "}}"), ("{", "}"), ("[", "]")];
    text.char_indices().find_map(|(start, _)| {
        FORMS.iter().find_map(|(open, close)| {
            let inside = text[start..].strip_prefix(open)?;
            let length = inside.find(close).filter(|length| is_macro_name(&inside[..*length]))?;
            let end = start + open.len() + length + close.len();
            Some((&text[..start], &text[start..end], &text[end..]))
        })
    })
}

fn is_macro_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin { base: Url::parse("https://go.example:8443").unwrap(), domain: None }
    }

    fn input(name: &str, value: &str) -> ParamInput {
        ParamInput { name: name.into(), value: value.into() }
    }

    #[test]
    fn literals_are_encoded_and_macros_are_left_alone() {
        for (value, encoded) in [
            ("{order_id}", "{order_id}"),
            ("{{order.id}}", "{{order.id}}"),
            ("${ORDER}", "${ORDER}"),
            ("[order]", "[order]"),
            ("a b&c=d", "a%20b%26c%3Dd"),
            ("A-{order_id} x", "A-{order_id}%20x"),
            ("{a}{b}", "{a}{b}"),
            ("{not a macro}", "%7Bnot%20a%20macro%7D"),
            ("{}", "%7B%7D"),
            ("%x%", "%25x%25"),
            ("#x#", "%23x%23"),
            ("{é}", "%7B%C3%A9%7D"),
            ("é{x}ü", "%C3%A9{x}%C3%BC"),
            ("{unclosed", "%7Bunclosed"),
            ("", ""),
        ] {
            assert_eq!(encode(value), encoded, "{value}");
        }
    }

    #[test]
    fn a_parameter_of_ours_keeps_its_place_and_takes_the_new_value_under_any_name_of_its() {
        let mut query = WireQuery::new(Door::Postback);
        query.put(Parameter::Secure, "rt_o_…", true);
        query.put_placeholder(Parameter::TransactionId, true);
        query.add(&[input(" Click_ID ", "{cid}"), input("adv_sub_id", "spring sale")]);
        let url = query.write(&origin(), "/", Some("s{e}c"));
        assert_eq!(url, "https://go.example:8443/?secure=s%7Be%7Dc&transaction_id={cid}&adv_sub_id=spring%20sale");
        assert!(query.warnings.is_empty(), "{:?}", query.warnings);
        assert!(query.params()[1].required && query.params()[1].standard);
    }

    #[test]
    fn an_unknown_name_is_kept_and_the_nearest_known_one_is_named() {
        let mut query = WireQuery::new(Door::Postback);
        query.add(&[input("trasaction_id", "{x}"), input("colour", "red")]);
        assert_eq!(query.write(&origin(), "/", None), "https://go.example:8443/?trasaction_id={x}&colour=red");
        assert!(query.warnings[0].ends_with("Did you mean `transaction_id`?"), "{:?}", query.warnings);
        assert!(!query.warnings[1].contains("mean") && !query.params()[1].standard);
    }

    #[test]
    fn what_cannot_work_is_warned_about() {
        for (name, value, warning) in [
            ("", "x", "without a name"),
            ("secure", "stolen", "put in by the server"),
            ("transaction_id", "12345", "the same in every request"),
            ("adv_sub_id", &*"a".repeat(501), "at most 500"),
            ("sub_id", "x", "means nothing here"),
            ("colour", &*"a".repeat(201), "first 200"),
        ] {
            let mut query = WireQuery::new(Door::Postback);
            query.add(&[input(name, value)]);
            assert!(query.warnings.iter().any(|text| text.contains(warning)), "{name}: {:?}", query.warnings);
            assert!(!query.write(&origin(), "/", None).contains("stolen"));
        }
        let mut query = WireQuery::new(Door::Postback);
        query.add(&(0..=EXTRAS_MAX).map(|n| input(&format!("colour-{n}"), "red")).collect::<Vec<_>>());
        assert!(query.warnings.last().is_some_and(|text| text.starts_with("21 additional")));
    }

    #[test]
    fn the_documented_length_is_in_characters() {
        let params = known_parameters(Door::Clickless, &[Parameter::Publisher]);
        let length = |name: &str| params.iter().find(|param| param.name == name).map(|param| param.max_length);
        assert_eq!((length("publisher"), length("session_time"), length("sub_id")), (Some(10), Some(8), Some(500)));
        let required: Vec<_> = params.iter().filter(|param| param.required).map(|param| param.name.as_str()).collect();
        assert_eq!(required, ["publisher"]);
    }
}

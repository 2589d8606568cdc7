//! Where settings come from: the embedded defaults, one file, the environment.
//!
//! The defaults are also the list of every key and of its kind: a variable is read as what the default is
//! (text stays text, so a password of digits is no number), and a key that the defaults do not have is refused
//! with the nearest one that they have.

use std::path::{Path, PathBuf};

use figment::providers::{Env, Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::de::DeserializeOwned;

use super::DEFAULT_TOML;
use super::problems::{ConfigProblems, Problems};

const FILE_VARIABLE: &str = "ROUNDTRIP_CONFIG";
const PREFIX: &str = "ROUNDTRIP__";
const LOGS_PREFIX: &str = "ROUNDTRIP__LOGS__";

/// What was written where, before it is understood.
#[derive(Clone, Default)]
pub struct Sources {
    /// The settings file: its name for messages, and its text.
    pub file: Option<(String, String)>,
    /// Variables `ROUNDTRIP__SECTION__KEY`; others are ignored.
    pub environment: Vec<(String, String)>,
}

impl Sources {
    /// The file of `--config`, else that of `ROUNDTRIP_CONFIG`, and this process's environment.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of_this_process(file: Option<&Path>) -> Result<Self, ConfigProblems> {
        let from_environment = || Env::var(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let file = file.map(Path::to_path_buf).or_else(from_environment).map(read_file).transpose()?;
        let environment = Env::prefixed(PREFIX).iter().map(|(key, value)| (format!("{PREFIX}{key}"), value)).collect();
        Ok(Self { file, environment })
    }

    /// What this process's environment says about `[logs]`, and nothing else: for a start that must not follow the
    /// settings of an installation.
    pub fn logs_of_this_process() -> Vec<(String, String)> {
        let logs = Env::prefixed(LOGS_PREFIX);
        logs.iter().map(|(key, value)| (format!("{LOGS_PREFIX}{key}"), value)).collect()
    }

    pub(super) fn layers(&self, problems: &mut Problems) -> Layers {
        let defaults = parse_toml("config/default.toml", DEFAULT_TOML, problems);
        let mut figment =
            Figment::new().merge(Layer { name: "config/default.toml".to_owned(), dict: defaults.clone() });
        if let Some((name, text)) = &self.file {
            let dict = parse_toml(name, text, problems);
            refuse_unknown(name, &dict, &defaults, problems);
            figment = figment.merge(Layer { name: name.clone(), dict });
        }
        for (name, value) in &self.environment {
            if let Some(dict) = variable(name, value, &defaults, problems) {
                figment = figment.merge(Layer { name: name.clone(), dict });
            }
        }
        Layers(figment)
    }
}

/// The layers, one over the other.
pub(super) struct Layers(Figment);

impl Layers {
    /// One section, or `None` with its problem noted.
    pub(super) fn value<T: DeserializeOwned>(&self, key: &str, problems: &mut Problems) -> Option<T> {
        match self.0.extract_inner(key) {
            Ok(value) => Some(value),
            Err(errors) => {
                errors.into_iter().for_each(|error| problems.push(describe(key, &error)));
                None
            }
        }
    }
}

struct Layer {
    name: String,
    dict: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

/// `server.bind_address: invalid type.. (in roundtrip.toml)`
fn describe(section: &str, error: &figment::Error) -> String {
    // figment puts the section behind the key, once for every layer of the path.
    let inside = error.path.iter().map(String::as_str).filter(|part| *part != section);
    let path = std::iter::once(section).chain(inside).collect::<Vec<_>>().join(".");
    let place = error.metadata.as_ref().map(|metadata| format!(" (in {})", metadata.name)).unwrap_or_default();
    // The text of a database URL must not reach a log, and its kind is always right unless it is no text at all.
    format!("{path}: {}{place}", error.kind)
}

fn read_file(path: PathBuf) -> Result<(String, String), ConfigProblems> {
    let name = path.display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(ConfigProblems::one(format!("{name}: the settings file cannot be read: {error}"))),
    }
}

/// Our own message instead of the parser's: its excerpt shows the line, which may hold a password.
fn parse_toml(name: &str, text: &str, problems: &mut Problems) -> Dict {
    match Toml::from_str::<Dict>(text) {
        Ok(dict) => dict,
        Err(error) => {
            let line =
                error.span().and_then(|span| text.get(..span.start)).map_or(1, |head| head.matches('\n').count() + 1);
            problems.push(format!("{name}, line {line}: {}", error.message()));
            Dict::new()
        }
    }
}

fn refuse_unknown(name: &str, dict: &Dict, defaults: &Dict, problems: &mut Problems) {
    let known = leaves(defaults);
    let sections: Vec<&str> = known.iter().filter_map(|key| key.split_once('.')).map(|(section, _)| section).collect();
    for key in leaves(dict) {
        let is_section = sections.contains(&key.as_str());
        if !known.contains(&key) && !is_section {
            problems.push(format!("{key}: no such setting (in {name}){}", suggestion(&key, &known, Clone::clone)));
        }
    }
}

/// One variable as a nested table, or `None` with its problem noted.
fn variable(name: &str, text: &str, defaults: &Dict, problems: &mut Problems) -> Option<Dict> {
    let path = name.to_ascii_uppercase().strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", ".");
    let known = leaves(defaults);
    if !known.contains(&path) {
        let spelled = suggestion(&path, &known, |key| variable_name(key));
        problems.push(format!("{}: no such setting (in the environment){spelled}", name.to_ascii_uppercase()));
        return None;
    }
    let like = Value::from(defaults.clone()).find(&path)?;
    match value_like(&like, text.trim()) {
        Ok(value) => Some(nested(&path, value)),
        Err(expected) => {
            problems.push(format!("{path}: {expected} (in {})", name.to_ascii_uppercase()));
            None
        }
    }
}

fn variable_name(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// `text` as a value of the same kind as the default.
fn value_like(like: &Value, text: &str) -> Result<Value, String> {
    if like.as_str().is_some() {
        return Ok(Value::from(text));
    }
    if like.to_bool().is_some() {
        return text.parse::<bool>().map(Value::from).map_err(|_| "expected true or false".to_owned());
    }
    if like.as_array().is_some() {
        return list(text);
    }
    text.parse::<i64>().map(Value::from).map_err(|_| "expected a whole number".to_owned())
}

/// `a,b` or a TOML array.
fn list(text: &str) -> Result<Value, String> {
    if !text.starts_with('[') {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        return Ok(Value::from(items.map(str::to_owned).collect::<Vec<_>>()));
    }
    let table = Toml::from_str::<Dict>(&format!("list = {text}")).ok();
    table.and_then(|mut table| table.remove("list")).ok_or_else(|| "expected a,b or [\"a\", \"b\"]".to_owned())
}

fn nested(path: &str, value: Value) -> Dict {
    match path.split_once('.') {
        Some((section, rest)) => Dict::from([(section.to_owned(), Value::from(nested(rest, value)))]),
        None => Dict::from([(path.to_owned(), value)]),
    }
}

/// Every key of a table, with its section before a point.
fn leaves(dict: &Dict) -> Vec<String> {
    let mut keys = Vec::new();
    for (key, value) in dict {
        match value.as_dict() {
            Some(inner) => keys.extend(leaves(inner).into_iter().map(|leaf| format!("{key}.{leaf}"))),
            None => keys.push(key.clone()),
        }
    }
    keys
}

/// `: did you mean x?`, when something known is near enough to be meant.
fn suggestion(key: &str, known: &[String], spell: impl Fn(&String) -> String) -> String {
    let nearest = known.iter().map(|candidate| (distance(key, candidate), candidate)).min();
    match nearest {
        Some((edits, candidate)) if edits <= key.len() / 3 + 1 => format!(": did you mean {}?", spell(candidate)),
        Some(_) | None => ": config/default.toml lists them all".to_owned(),
    }
}

/// How many letters must be put in, taken out or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let best = (*cell + 1).min(left + 1).min(diagonal + usize::from(from != *to));
            diagonal = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

//! Where in the file a key stands, by its dotted path.

use std::{collections::BTreeMap, ops::Range};

use miette::{LabeledSpan, NamedSource};
use toml::de::{DeTable, DeValue};

use super::ManifestError;

/// Something wrong at a key; the place is found by [`Places::at`].
#[derive(Debug, Clone)]
pub(super) struct Wrong {
    /// Dotted, as in `start.also[0].name`; empty for the whole file.
    pub(super) path: String,
    /// What is wrong.
    pub(super) message: String,
    /// What is said at the place.
    pub(super) label: String,
    /// What would be right.
    pub(super) help: Option<String>,
    /// What kind of error.
    pub(super) code: &'static str,
}

impl Wrong {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), label: "here".into(), help: None, code: "manifest::invalid" }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }
}

/// The file, its keys' places, and what was set on the command line.
#[derive(Debug, Clone)]
pub(super) struct Places {
    file: String,
    text: String,
    /// Key and value.
    spans: BTreeMap<String, (Range<usize>, Range<usize>)>,
    /// Path and how it would be written.
    sets: Vec<(String, String)>,
}

impl Places {
    /// Reads the places of a file's keys.
    pub(super) fn read(file: &str, text: &str) -> Result<Self, Box<ManifestError>> {
        let mut places = Self { file: file.to_owned(), text: text.to_owned(), spans: BTreeMap::new(), sets: Vec::new() };
        match DeTable::parse(text) {
            Ok(table) => {
                enter_table(&mut places.spans, "", table.get_ref());
                Ok(places)
            }
            Err(error) => Err(places.syntax(&error)),
        }
    }

    /// Remembers a `--set`, whose place is not in the file.
    pub(super) fn overridden(&mut self, path: &str, written: String) {
        self.sets.push((path.to_owned(), written));
    }

    /// Shows an error at its place: the value; for an unknown key, the key.
    pub(super) fn at(&self, wrong: Wrong) -> Box<ManifestError> {
        let set = self.sets.iter().rev().find(|(path, _)| below(&wrong.path, path));
        let (source, span) = match set {
            Some((_, written)) => (NamedSource::new("--set", written.clone()), 0..written.len()),
            None => (NamedSource::new(&self.file, self.text.clone()), self.span(&wrong)),
        };
        Box::new(ManifestError {
            message: wrong.message,
            source_code: Some(source.with_language("TOML")),
            label: Some(LabeledSpan::new_primary_with_span(Some(wrong.label), span)),
            help: wrong.help,
            code: wrong.code,
        })
    }

    fn span(&self, wrong: &Wrong) -> Range<usize> {
        if let Some((key, value)) = self.spans.get(&wrong.path) {
            return if wrong.code == UNKNOWN_KEY || wrong.code == MISSING { key.clone() } else { self.first_line(value) };
        }
        match wrong.path.rfind(['.', '[']) {
            Some(end) => self.span(&Wrong { path: wrong.path[..end].to_owned(), code: MISSING, ..wrong.clone() }),
            None => 0..0,
        }
    }

    /// A table's value may run over many lines: its beginning is enough.
    fn first_line(&self, span: &Range<usize>) -> Range<usize> {
        let length = self.text.get(span.clone()).and_then(|text| text.find('\n')).unwrap_or(span.len());
        span.start..span.start + length
    }

    fn syntax(&self, error: &toml::de::Error) -> Box<ManifestError> {
        Box::new(ManifestError {
            message: format!("{} is not TOML: {}", self.file, error.message()),
            source_code: Some(NamedSource::new(&self.file, self.text.clone()).with_language("TOML")),
            label: error.span().map(|span| LabeledSpan::new_primary_with_span(Some("here".into()), span)),
            help: None,
            code: "manifest::syntax",
        })
    }
}

/// The code of an error at a key that nobody knows.
pub(super) const UNKNOWN_KEY: &str = "manifest::unknown_key";
/// The code of an error about a key that is not there, shown at the table where it should be.
pub(super) const MISSING: &str = "manifest::missing";

fn below(path: &str, ancestor: &str) -> bool {
    path.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn enter_table(spans: &mut BTreeMap<String, (Range<usize>, Range<usize>)>, path: &str, table: &DeTable<'_>) {
    for (key, value) in table.iter() {
        let name = if path.is_empty() { key.get_ref().to_string() } else { format!("{path}.{}", key.get_ref()) };
        spans.insert(name.clone(), (key.span(), value.span()));
        enter_value(spans, &name, value.get_ref());
    }
}

fn enter_value(spans: &mut BTreeMap<String, (Range<usize>, Range<usize>)>, path: &str, value: &DeValue<'_>) {
    if let Some(table) = value.as_table() {
        enter_table(spans, path, table);
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        let name = format!("{path}[{index}]");
        spans.insert(name.clone(), (item.span(), item.span()));
        enter_value(spans, &name, item.get_ref());
    }
}

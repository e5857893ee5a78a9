//! From the text of a scenario file to a [`Scenario`], or to an error that shows the place.

use super::{Scenario, check};

/// What is wrong with a scenario file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}{}", advice.as_deref().map(|advice| format!(" ({advice})")).unwrap_or_default())]
pub struct ScenarioError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The place in bytes, for tools that draw it.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right, e.g. the nearest key.
    pub advice: Option<String>,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// What is no TOML, an unknown key or a wrong type, and what cannot come true: a gate that no rule holds at, an `await`
    /// for nothing or for two things.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|error| unreadable(text, &error))?;
        match check::first_fault(&scenario) {
            None => Ok(scenario),
            Some(fault) => {
                let offset = check::locate(text, &fault.place);
                let (line, column) = place(text, offset);
                Err(ScenarioError { line, column, offset, message: fault.message, advice: Some(fault.advice) })
            }
        }
    }
}

fn unreadable(text: &str, error: &toml::de::Error) -> ScenarioError {
    let offset = error.span().map_or(0, |span| span.start);
    let (line, column) = place(text, offset);
    let message = error.message().trim().to_owned();
    if let Some((message, advice)) = without_argument(&message) {
        return ScenarioError { line, column, offset, message: message.into(), advice: Some(advice.into()) };
    }
    let advice = nearest(&message).map(|key| format!("did you mean {key:?}?"));
    ScenarioError { line, column, offset, message, advice }
}

/// An act without what it needs, or with something else: serde speaks of variants, of which an author knows nothing.
fn without_argument(message: &str) -> Option<(&'static str, &'static str)> {
    if message.contains("expected newtype variant") {
        return Some(("an act is a table that holds its argument", "such as { restart = 1 }; `regrant schema scenario` has all of them"));
    }
    let (_, form) = message.split_once("did not match any variant of untagged enum ")?;
    Some(match form.trim() {
        "Times" => ("how often is missing", "such as { restart = 1 }, or { restart = { times = 1 } }"),
        "Disconnect" => ("how often is missing", "such as { disconnect = 1 }, or { disconnect = { detached = true } }"),
        "NeedRefresh" => {
            ("what must be refreshed is missing", "such as { need_refresh = \"access\" }, or { need_refresh = { connection = 2 } }")
        }
        "Revoke" => ("what is revoked is missing", "such as { revoke = \"grant\" }, or { revoke = { cause = \"policy\" } }"),
        _ => ("this is none of the forms that are understood here", "`regrant schema scenario` has all of them"),
    })
}

/// Line and column of a byte, from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The right key that is nearest to the wrong one, as far as the message names both.
fn nearest(message: &str) -> Option<&str> {
    let mut words = message.split('`').skip(1).step_by(2);
    let wrong = words.next()?;
    let near = words.map(|right| (strsim::normalized_damerau_levenshtein(wrong, right), right));
    near.filter(|(likeness, _)| *likeness > 0.5).max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, right)| right)
}

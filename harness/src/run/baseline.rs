//! The file of known failures, and what becomes of a run that is held against it.

use std::{ops::Range, path::Path};

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::{Run, RunError, Saved, built_in};
use crate::judge::{Date, Known, Purpose, Stale, excuse};

/// What an entry looks like, for whoever has to mend one.
const EXAMPLE: &str = "an entry is written like this:\n\n[[known]]\nrequirement = \"STOP-01\"\nstory = \"user_revokes_access\"\nreason = \"CRM-12: the scheduler is being rewritten\"\nexpires = \"2027-03-31\"";

/// Known failures: each is reported as `known-fail`, and does not change the exit status. An entry whose failure is gone, that names nothing, or
/// whose day is over is stale, which is exit 1.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Baseline")]
struct File {
    /// Version of the contract: 1.
    contract: Spanned32,
    /// The failures.
    #[serde(default)]
    known: Vec<Entry>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Known")]
struct Entry {
    /// The requirement that fails, such as STOP-01.
    #[schemars(with = "String", regex(pattern = "^[A-Z]+-[0-9]{2}$"))]
    requirement: Spanned<String>,
    /// The story in which it fails, such as user_revokes_access.
    #[schemars(with = "String", length(min = 1))]
    story: Spanned<String>,
    /// Why that is put up with; for people.
    #[schemars(with = "String", length(min = 1))]
    reason: Spanned<String>,
    /// The last day on which it is, as TOML writes a date, with or without quotes: 2027-03-31.
    #[schemars(with = "String", extend("format" = "date"))]
    expires: Spanned<toml::Value>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
struct Spanned32 {
    #[schemars(with = "u32", range(min = 1, max = 1))]
    value: Spanned<u32>,
}

/// The JSON Schema of the file.
#[must_use]
pub fn baseline_schema() -> serde_json::Value {
    schemars::schema_for!(File).to_value()
}

/// Reads a baseline.
///
/// # Errors
/// It cannot be read, or something is wrong in it; the message shows the place and what would be right.
pub fn baseline(path: &Path) -> Result<Vec<Known>, RunError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| RunError::user(format!("cannot read the baseline {shown}: {e}")))?;
    read(&text).map_err(|wrong| RunError::in_file(&shown, text, wrong.place.start, wrong.message, Some(wrong.advice)))
}

/// Holds a run against a baseline. What comes back are stale entries; a run that was cut short tells nothing of them.
#[must_use]
pub fn hold_against(run: &mut Run, known: &[Known], today: Date) -> Vec<Stale> {
    let saved: Saved = serde_json::from_value(run.header.terms.clone()).unwrap_or_default();
    let mut purposes: Vec<Purpose> = built_in().iter().map(super::Story::purpose).collect();
    purposes.retain(|purpose| !saved.purposes.iter().any(|told| told.story == purpose.story));
    purposes.extend(saved.purposes);
    let stale = excuse(&mut run.judgement, known, &purposes, today);
    if run.cancelled { Vec::new() } else { stale }
}

#[derive(Debug)]
struct Wrong {
    place: Range<usize>,
    message: String,
    advice: String,
}

fn wrong(place: Range<usize>, message: impl Into<String>, advice: impl Into<String>) -> Wrong {
    Wrong { place, message: message.into(), advice: advice.into() }
}

fn read(text: &str) -> Result<Vec<Known>, Wrong> {
    let file: File =
        toml::from_str(text).map_err(|e| wrong(e.span().unwrap_or(0..0), e.message().replace('\n', ": "), EXAMPLE.to_owned()))?;
    let contract = &file.contract.value;
    if *contract.get_ref() != 1 {
        return Err(wrong(contract.span(), format!("contract {} is not known", contract.get_ref()), "write contract = 1"));
    }
    let mut known: Vec<Known> = Vec::new();
    for entry in &file.known {
        let one = meant(entry)?;
        if known.iter().any(|other| other.requirement == one.requirement && other.story == one.story) {
            let message = format!("{} in {} is listed twice", one.requirement, one.story);
            return Err(wrong(entry.requirement.span(), message, "leave one of both entries"));
        }
        known.push(one);
    }
    Ok(known)
}

fn meant(entry: &Entry) -> Result<Known, Wrong> {
    let Entry { requirement, story, reason, expires } = entry;
    for (key, value, advice) in [
        ("requirement", requirement, "name a requirement, such as STOP-01; `regrant list` names them"),
        ("story", story, "name a story, such as user_revokes_access; `regrant list --stories` names them"),
        ("reason", reason, "say why this failure is put up with: whoever reads the list later must be able to tell"),
    ] {
        if value.get_ref().trim().is_empty() {
            return Err(wrong(value.span(), format!("`{key}` is empty"), advice));
        }
    }
    let day = expires.get_ref().as_str().map_or_else(|| expires.get_ref().to_string(), str::to_owned);
    let no_day = |_| {
        wrong(
            expires.span(),
            format!("`expires` is {day:?}"),
            "write the last day on which it is put up with, as in expires = \"2027-03-31\"",
        )
    };
    Ok(Known {
        requirement: requirement.get_ref().clone(),
        story: story.get_ref().clone(),
        reason: reason.get_ref().trim().to_owned(),
        expires: day.parse().map_err(no_day)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str =
        "[[known]]\nrequirement = \"STOP-01\"\nstory = \"user_revokes_access\"\nreason = \"CRM-12\"\nexpires = 2027-03-31\n";

    fn refused(text: &str) -> (usize, String) {
        let wrong = read(text).expect_err("refused");
        (text[..wrong.place.start].matches('\n').count() + 1, wrong.message)
    }

    #[test]
    fn dates_may_be_written_with_and_without_quotes() {
        let text = format!("contract = 1\n{ENTRY}{}", ENTRY.replace("STOP-01", "STOP-02").replace("2027-03-31", "\"2027-04-01\""));
        let days: Vec<String> = read(&text).expect("valid").iter().map(|known| known.expires.to_string()).collect();
        assert_eq!(days, ["2027-03-31", "2027-04-01"]);
        assert_eq!(read("contract = 1\n").expect("valid"), []);
    }

    #[test]
    fn what_is_wrong_is_said_at_its_line() {
        let entry = format!("contract = 1\n{ENTRY}");
        for (text, line, said) in [
            (entry.replace("contract = 1", "contract = 2"), 1, "contract 2 is not known"),
            (entry.replace("reason = \"CRM-12\"\n", ""), 2, "missing field `reason`"),
            (entry.replace("expires = 2027-03-31\n", ""), 2, "missing field `expires`"),
            (entry.replace("\"CRM-12\"", "\"  \""), 5, "`reason` is empty"),
            (entry.replace("2027-03-31", "\"2027-02-29\""), 6, "`expires` is \"2027-02-29\""),
            (entry.replace("2027-03-31", "2027-03-31T10:00:00"), 6, "`expires` is \"2027-03-31T10:00:00\""),
            (entry.replace("2027-03-31", "12"), 6, "`expires` is \"12\""),
            (entry.replace("story =", "storey ="), 4, "unknown field `storey`"),
            (format!("{entry}{ENTRY}"), 8, "STOP-01 in user_revokes_access is listed twice"),
            ("contract = 1\nknown = [".to_owned(), 2, "unclosed array"),
        ] {
            let (at, message) = refused(&text);
            assert_eq!(at, line, "{message}");
            assert!(message.contains(said), "{message}");
        }
    }
}

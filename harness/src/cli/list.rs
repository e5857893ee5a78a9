//! `regrant list`: requirements, stories, defects.

use std::fmt::Write;

use serde::Serialize;

use super::{
    args::{self, ListFormat},
    error::CliError,
    out,
    seams::{self, StoryInfo},
};
use crate::{
    catalogue::{Level, Requirement, Severity},
    report::ExitStatus,
};

#[derive(Serialize)]
struct Line<'r> {
    id: &'r str,
    level: Level,
    severity: Severity,
    sentence: &'r str,
    sources: &'r [&'r str],
    stories: Vec<&'r str>,
    /// False: registered, and left out of every run by this version.
    decided: bool,
}

pub(super) fn list(typed: &args::List) -> Result<ExitStatus, CliError> {
    let (register, stories, defects) = (seams::registered(), seams::stories(), seams::defects());
    let listed = match (typed.format, typed.stories, typed.defects) {
        (ListFormat::Json, true, _) => json(&stories)?,
        (ListFormat::Json, _, true) => json(&defects)?,
        (ListFormat::Json, _, _) => json(&lines(&register, &stories))?,
        (ListFormat::Text, true, _) => stories_text(&stories),
        (ListFormat::Text, _, true) => defects.iter().fold(String::new(), |mut out, defect| {
            let _ = writeln!(out, "{}\n    {}\n    convicted of {}", defect.name, defect.about, defect.convicts.join(" "));
            out
        }),
        (ListFormat::Text, _, _) => register_text(&lines(&register, &stories)),
    };
    out::say(&listed)?;
    Ok(ExitStatus::Clean)
}

fn json(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(value).map(|json| json + "\n").map_err(|source| CliError::Harness(source.to_string()))
}

fn lines<'r>(register: &[&'r Requirement], stories: &'r [StoryInfo]) -> Vec<Line<'r>> {
    let line = |requirement: &'r Requirement| Line {
        id: requirement.id,
        level: requirement.level,
        severity: requirement.severity,
        sentence: requirement.sentence,
        sources: requirement.sources,
        stories: told_in(requirement.id, stories),
        decided: seams::is_decided(requirement.id),
    };
    register.iter().copied().map(line).collect()
}

/// Stories in which a requirement is decided.
pub(super) fn told_in<'s>(id: &str, stories: &'s [StoryInfo]) -> Vec<&'s str> {
    stories.iter().filter(|story| story.tests.iter().any(|test| test == id)).map(|story| story.name.as_str()).collect()
}

fn register_text(lines: &[Line<'_>]) -> String {
    let mut out = String::new();
    for line in lines {
        let severity = severity(line.severity);
        let aside = if line.decided { "" } else { " (not decided by this version)" };
        let _ = writeln!(out, "{:<11} {severity:<8} {}{aside}", line.id, line.sentence);
    }
    let open = lines.iter().filter(|line| !line.decided).count();
    let aside = if open == 0 { String::new() } else { format!(", {open} of them not decided by this version") };
    let _ = writeln!(out, "\n{} requirements{aside}; `regrant explain ID` tells more about one.", lines.len());
    out
}

/// The word for a severity.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    }
}

fn stories_text(stories: &[StoryInfo]) -> String {
    let mut out = String::new();
    for story in stories {
        let _ = writeln!(out, "{}\n    {}\n    decides {}", story.name, story.title, story.tests.join(" "));
    }
    let _ = writeln!(out, "\n{} stories; `regrant explain NAME` tells more about one.", stories.len());
    out
}

//! `regrant explain`: one requirement, or one story, with all that is known of it.

use std::fmt::Write;

use super::{
    error::CliError,
    list::{severity, told_in},
    out,
    seams::{self, StoryInfo},
    select::hint,
};
use crate::{
    catalogue::{Level, Requirement},
    report::ExitStatus,
};

pub(super) fn explain(id: &str) -> Result<ExitStatus, CliError> {
    let (register, stories) = (seams::registered(), seams::stories());
    let explained =
        match (register.iter().copied().find(|line| line.id.eq_ignore_ascii_case(id)), stories.iter().find(|story| story.name == id)) {
            (Some(requirement), _) => of_requirement(requirement, &stories),
            (None, Some(story)) => of_story(story),
            (None, None) => {
                let names = register.iter().map(|requirement| requirement.id).chain(stories.iter().map(|story| story.name.as_str()));
                return Err(CliError::Usage(format!("there is no requirement or story {id:?}{}", hint(id, names))));
            }
        };
    out::say(&explained)?;
    Ok(ExitStatus::Clean)
}

fn of_requirement(requirement: &Requirement, stories: &[StoryInfo]) -> String {
    let level = match requirement.level {
        Level::Must => "MUST",
        Level::Should => "SHOULD",
        Level::May => "MAY",
    };
    let mut out = format!("{}  {level}, {}\n\nThe subject {}.\n", requirement.id, severity(requirement.severity), requirement.sentence);
    let told = told_in(requirement.id, stories);
    let declare = if requirement.declarable {
        format!("may be declared away with a written reason: [not_applicable] \"{}\" = \"…\"", requirement.id)
    } else {
        "cannot be declared away".into()
    };
    let told_in_words = if seams::is_decided(requirement.id) {
        told.join(", ")
    } else {
        "no story: this version does not decide it, and no run counts it".into()
    };
    let sections = [
        ("Why", requirement.why.to_owned()),
        ("What is looked at", requirement.observed.to_owned()),
        ("What leaves it undecided", requirement.undecided.to_owned()),
        ("How to fix a failure", requirement.remedy.to_owned()),
        ("Written in", requirement.sources.join("; ")),
        ("Told in", told_in_words),
        ("If it does not apply", declare),
    ];
    for (heading, text) in sections.iter().filter(|(_, text)| !text.is_empty()) {
        let _ = write!(out, "\n{heading}\n{}", indented(text));
    }
    out
}

fn of_story(story: &StoryInfo) -> String {
    let mut out = format!("{}\n\n{}\n\n{}", story.name, story.title, indented(&story.about));
    let _ = writeln!(out, "\nDecides {}", story.tests.join(" "));
    if !story.also.is_empty() {
        let _ = writeln!(out, "May convict {}", story.also.join(" "));
    }
    out
}

/// Wrapped at a width that reads well, two columns in.
fn indented(text: &str) -> String {
    const WIDTH: usize = 96;
    let mut out = String::new();
    for paragraph in text.trim().lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
                let _ = writeln!(out, "  {line}");
                line.clear();
            }
            line = if line.is_empty() { word.to_owned() } else { line + " " + word };
        }
        let _ = writeln!(out, "{}", format!("  {line}").trim_end());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalogue::Severity, judge::View};

    #[test]
    fn a_requirement_is_explained_like_this() {
        let requirement = Requirement {
            scope: crate::catalogue::Scope::Connection,
            id: "STOP-01",
            level: Level::Must,
            severity: Severity::Error,
            sentence: "sends no API request for that connection once it knows",
            sources: &["how-to, step 2", "overview"],
            why: "A scheduler went on for days with a dead token, and nobody noticed until the ledger was compared with the bank at the end of the quarter.",
            observed: "API calls after the refusal was read.",
            undecided: "",
            remedy: "Check the connection's state in the one place through which every call goes.",
            declarable: false,
            check: |_: &View<'_>| crate::catalogue::Finding::undecided("not judged here"),
        };
        let story = StoryInfo {
            name: "user_revokes_access".into(),
            title: "The user revokes access".into(),
            about: "In Pleo's settings.".into(),
            tests: vec!["STOP-01".into()],
            also: vec!["LOG-01".into()],
        };
        insta::assert_snapshot!(format!("{}\n=====\n{}", of_requirement(&requirement, std::slice::from_ref(&story)), of_story(&story)));
    }
}

//! A run as suites of cases, for formats that know no verdict between red and green: a suite per story, a case per requirement judged in it.
//!
//! A case is red exactly if it changes the exit status: a failed requirement is a failure, an undecided one an error of the kind `undecided`, a
//! fault an error. What does not count (warnings without `--strict`, advice, undecided ones that were allowed) is skipped and says so.

use super::{Report, excerpt::excerpt};
use crate::{
    catalogue::{Severity, Verdict},
    judge::{InStory, Judged, Told},
};

/// Lines of an excerpt in a failure: CI servers show them unfolded.
const LINES: usize = 18;

/// A requirement in a story.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) outcome: Outcome,
}

/// Its colour.
pub(super) enum Outcome {
    Passed,
    Skipped(String),
    Failure { message: String, body: String },
    Error { kind: &'static str, message: String },
}

/// A story.
pub(super) struct Suite {
    pub(super) story: String,
    pub(super) title: String,
    pub(super) seconds: f64,
    pub(super) cases: Vec<Case>,
}

/// Stories in the order told, and last what belongs to none.
pub(super) fn suites(report: &Report<'_>) -> Vec<Suite> {
    let told = report.run.judgement.stories.iter().map(|told| Suite {
        story: told.name.clone(),
        title: report.title(&told.name).to_owned(),
        seconds: told.seconds,
        cases: faults(told).chain(judged_in(report, &told.name)).collect(),
    });
    let outside = Suite { story: "regrant".into(), title: "The run".into(), seconds: 0.0, cases: outside(report) };
    told.chain([outside]).filter(|suite| !suite.cases.is_empty()).collect()
}

fn judged_in<'a>(report: &'a Report<'_>, story: &'a str) -> impl Iterator<Item = Case> + 'a {
    let pairs = report.run.judgement.requirements.iter().flat_map(|judged| judged.stories.iter().map(move |in_story| (judged, in_story)));
    pairs.filter(move |(_, in_story)| in_story.name == story).map(|(judged, in_story)| case(report, judged, in_story))
}

fn case(report: &Report<'_>, judged: &Judged, story: &InStory) -> Case {
    let reason = story.finding.reason.clone();
    let counts = report.counts_as_error(judged.severity);
    let outcome = match story.finding.verdict {
        Verdict::Pass => Outcome::Passed,
        Verdict::Fail if counts => Outcome::Failure { message: reason, body: body(report, judged, story) },
        Verdict::Fail => Outcome::Skipped(format!("failed, but {}: {reason}", weight(judged.severity))),
        Verdict::Undecided if counts && !report.rules.allow_undecided => Outcome::Error { kind: "undecided", message: unlocked(story) },
        Verdict::Undecided => Outcome::Skipped(format!("undecided: {}", unlocked(story))),
        Verdict::NotApplicable => Outcome::Skipped(format!("not applicable: {reason}")),
        Verdict::KnownFail => Outcome::Skipped(format!("known failure: {reason}")),
        Verdict::HarnessFault => Outcome::Error { kind: "harness-fault", message: reason },
    };
    Case { name: judged.id.to_owned(), outcome }
}

fn weight(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "counted",
        Severity::Warning => "only a warning (counts under --strict)",
        Severity::Advice => "only advice (never counts)",
    }
}

fn unlocked(story: &InStory) -> String {
    match &story.finding.unlock {
        Some(line) => format!("{}; decided by this line of regrant.toml: {line}", story.finding.reason),
        None => story.finding.reason.clone(),
    }
}

fn body(report: &Report<'_>, judged: &Judged, story: &InStory) -> String {
    let requirement = report.requirement(judged.id);
    let mut lines = Vec::new();
    lines.extend(requirement.map(|line| format!("The subject {}.", line.sentence)));
    if let Some(history) = report.history(&story.name) {
        lines.extend(excerpt(history, &story.finding.evidence, LINES).into_iter().map(|line| match line {
            Ok(line) => format!("{} {:>10}  {}", if line.cited { ">" } else { " " }, line.at, line.sentence),
            Err(left_out) => format!("            …  {left_out} left out"),
        }));
    }
    lines.extend(requirement.map(|line| format!("What to do: {}", line.remedy)));
    lines.join("\n")
}

/// Faults are cases of their own, so that a story in which nothing could be judged is red.
fn faults(told: &Told) -> impl Iterator<Item = Case> {
    let of = |kind, reason: &Option<String>| {
        reason.clone().map(|message| Case { name: "the story is told".into(), outcome: Outcome::Error { kind, message } })
    };
    [of("harness-fault", &told.harness_fault), of("environment", &told.environment_fault)].into_iter().flatten()
}

/// What belongs to no story: requirements that none was told for, and faults of the run.
fn outside(report: &Report<'_>) -> Vec<Case> {
    let untold = report
        .run
        .judgement
        .requirements
        .iter()
        .filter(|judged| judged.stories.is_empty())
        .map(|judged| case(report, judged, &InStory { name: String::new(), decides: true, finding: judged.finding() }));
    let faults = report.faults.iter().map(|fault| Case {
        name: "the harness agrees with itself".into(),
        outcome: Outcome::Error { kind: "harness-fault", message: fault.clone() },
    });
    let stale = report.stale.iter().map(|entry| Case {
        name: format!("the baseline's entry {} in {}", entry.requirement, entry.story),
        outcome: Outcome::Error { kind: "stale-baseline", message: entry.why.clone() },
    });
    untold.chain(stale).chain(faults).collect()
}

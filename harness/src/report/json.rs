//! `verdicts.json`, for programs (contract, section 6). Fields may be added; none changes its meaning.

use serde::Serialize;

use super::{Report, model::Counts};
use crate::{
    catalogue::{Finding, Level, Severity, Verdict},
    judge::{Judged, Stale, Told},
};

#[derive(Serialize)]
struct Verdicts<'r> {
    contract: u32,
    regrant: &'r str,
    subject: &'r str,
    seed: u64,
    exit: u8,
    seconds: f64,
    cancelled: bool,
    counts: Counts,
    stories: &'r [Told],
    requirements: Vec<Line<'r>>,
    /// Entries of the baseline that say nothing any more.
    #[serde(skip_serializing_if = "<[Stale]>::is_empty")]
    stale: &'r [Stale],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    faults: &'r [String],
}

#[derive(Serialize)]
struct Line<'r> {
    id: &'r str,
    level: Level,
    severity: Severity,
    verdict: Verdict,
    reason: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unlock: Option<&'r str>,
    stories: Vec<Story<'r>>,
}

#[derive(Serialize)]
struct Story<'r> {
    name: &'r str,
    #[serde(flatten)]
    finding: &'r Finding,
}

/// The document, pretty-printed, with a newline at its end.
///
/// # Errors
/// None that a run can cause; those of the serialiser.
pub fn verdicts(report: &Report<'_>) -> serde_json::Result<String> {
    let run = report.run;
    let verdicts = Verdicts {
        contract: run.header.contract,
        regrant: &run.header.regrant,
        subject: &run.header.subject,
        seed: run.header.seed,
        exit: report.exit.code(),
        seconds: rounded(run.seconds),
        cancelled: run.cancelled,
        counts: report.counts(),
        stories: &run.judgement.stories,
        requirements: run.judgement.requirements.iter().map(line).collect(),
        stale: report.stale,
        faults: report.faults,
    };
    serde_json::to_string_pretty(&verdicts).map(|json| json + "\n")
}

fn line(judged: &Judged) -> Line<'_> {
    Line {
        id: judged.id,
        level: judged.level,
        severity: judged.severity,
        verdict: judged.verdict,
        reason: &judged.reason,
        unlock: judged.unlock.as_deref(),
        stories: judged.stories.iter().map(|story| Story { name: &story.name, finding: &story.finding }).collect(),
    }
}

/// To the millisecond: more would be noise in a file that people compare.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Rules, fixture};

    #[test]
    fn the_document_has_the_shape_of_the_contract() {
        let run = fixture::run();
        let report = Report::new(&run, &[], &[], Rules::default(), &[], "check");
        insta::assert_snapshot!(verdicts(&report).expect("serialises"));
    }
}

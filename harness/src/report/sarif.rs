//! SARIF 2.1.0, for code scanning: a result for what failed, is a known failure or stayed undecided, a rule for each requirement.
//!
//! There is no source to point at: a result points at the line of `run.jsonl` that the verdict rests on, beside this file.

use serde_json::{Value, json};

use super::{ExitStatus, Report, excerpt::excerpt, model::severity_word};
use crate::{
    catalogue::{Requirement, Severity, Verdict},
    judge::{InStory, Judged},
};

/// Lines of an excerpt in a message.
const LINES: usize = 18;

/// The document, pretty-printed, with a newline at its end.
///
/// # Errors
/// None that a run can cause; those of the serialiser.
pub fn sarif(report: &Report<'_>) -> serde_json::Result<String> {
    let run = report.run;
    let judged = &run.judgement.requirements;
    let rules: Vec<Value> = judged.iter().filter_map(|judged| Some(rule(report.requirement(judged.id)?))).collect();
    let mut results: Vec<Value> = Vec::new();
    for judged in judged {
        let alone = InStory { name: String::new(), decides: true, finding: judged.finding() };
        let stories = if judged.stories.is_empty() { std::slice::from_ref(&alone) } else { &judged.stories[..] };
        results.extend(stories.iter().filter_map(|story| result(report, judged, story)));
    }
    let driver = json!({ "name": "regrant", "version": run.header.regrant, "rules": rules });
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            "automationDetails": { "id": format!("regrant/{}/", run.header.subject) },
            "invocations": [invocation(report)],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&document).map(|json| json + "\n")
}

fn rule(requirement: &Requirement) -> Value {
    json!({
        "id": requirement.id,
        "shortDescription": { "text": format!("The subject {}.", requirement.sentence) },
        "fullDescription": { "text": requirement.why },
        "help": { "text": format!("{}\n\nSource: {}", requirement.remedy, requirement.sources.join("; ")) },
        "defaultConfiguration": { "level": level(requirement.severity) },
        "properties": { "severity": severity_word(requirement.severity), "level": requirement.level },
    })
}

fn result(report: &Report<'_>, judged: &Judged, story: &InStory) -> Option<Value> {
    let (kind, level) = match story.finding.verdict {
        Verdict::Fail | Verdict::KnownFail => ("fail", level(judged.severity)),
        Verdict::Undecided => ("open", "none"),
        Verdict::Pass | Verdict::NotApplicable | Verdict::HarnessFault => return None,
    };
    let mut result = json!({
        "ruleId": judged.id,
        "kind": kind,
        "level": level,
        "message": { "text": message(report, story) },
        "locations": [location(story)],
        "partialFingerprints": { "requirementInStory/v1": format!("{}:{}", judged.id, story.name) },
    });
    if story.finding.verdict == Verdict::KnownFail {
        result["suppressions"] = json!([{ "kind": "external", "status": "accepted", "justification": story.finding.reason }]);
    }
    Some(result)
}

fn message(report: &Report<'_>, story: &InStory) -> String {
    let mut lines = vec![story.finding.reason.clone()];
    lines.extend(story.finding.unlock.iter().map(|line| format!("Decided by this line of regrant.toml: {line}")));
    if let Some(history) = report.history(&story.name) {
        let seen = excerpt(history, &story.finding.evidence, LINES).into_iter();
        lines.extend(
            seen.map(|line| line.map_or_else(|left_out| format!("… {left_out} left out"), |line| format!("{} {}", line.at, line.sentence))),
        );
    }
    lines.join("\n")
}

/// Events are numbered from 1 in one row, behind a line of header.
fn location(story: &InStory) -> Value {
    let line = story.finding.evidence.first().map_or(1, |event| event + 1);
    let physical = json!({ "artifactLocation": { "uri": "run.jsonl" }, "region": { "startLine": line } });
    if story.name.is_empty() {
        return json!({ "physicalLocation": physical });
    }
    json!({ "physicalLocation": physical, "logicalLocations": [{ "name": story.name, "kind": "story" }] })
}

fn invocation(report: &Report<'_>) -> Value {
    let successful = match report.exit {
        ExitStatus::Clean | ExitStatus::Failed | ExitStatus::Undecided => true,
        ExitStatus::Cancelled | ExitStatus::Usage | ExitStatus::HarnessFault | ExitStatus::Environment => false,
    };
    let of_stories = report.troubled().flat_map(|told| {
        let reasons = [&told.harness_fault, &told.environment_fault];
        reasons.into_iter().flatten().map(|reason| format!("{}: {reason}", told.name)).collect::<Vec<_>>()
    });
    let stale = report.stale.iter().map(|entry| format!("stale in the baseline: {} in {}: {}", entry.requirement, entry.story, entry.why));
    let notes = of_stories.chain(report.faults.iter().cloned()).chain(stale);
    let notes: Vec<Value> = notes.map(|text| json!({ "level": "error", "message": { "text": text } })).collect();
    json!({
        "executionSuccessful": successful,
        "exitCode": report.exit.code(),
        "exitCodeDescription": report.exit.meaning(),
        "toolExecutionNotifications": notes,
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "note",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Rules, fixture};

    #[test]
    fn a_run_with_failures_reads_like_this() {
        let run = fixture::run();
        let (register, labels) = (fixture::register(), fixture::labels());
        let register: Vec<_> = register.iter().collect();
        insta::assert_snapshot!(sarif(&Report::new(&run, &register, &labels, Rules::default(), &[], "check")).expect("serialises"));
    }
}

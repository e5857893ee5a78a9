//! CTRF, the Common Test Report Format: a test per requirement and story, in the colours of `junit.xml`.

use serde_json::{Value, json};

use super::{
    Report,
    cases::{Case, Outcome, Suite, suites},
};

/// The edition of the format.
const SPEC: &str = "0.0.0";

/// The document, pretty-printed, with a newline at its end. Times count from the beginning of the run: a saved run knows no others.
///
/// # Errors
/// None that a run can cause; those of the serialiser.
pub fn ctrf(report: &Report<'_>) -> serde_json::Result<String> {
    let (run, suites) = (report.run, suites(report));
    let count = |status: &str| suites.iter().flat_map(|suite| &suite.cases).filter(|case| self::status(&case.outcome) == status).count();
    let tests: Vec<Value> = suites.iter().flat_map(|suite| suite.cases.iter().map(|case| test(suite, case))).collect();
    let document = json!({
        "reportFormat": "CTRF",
        "specVersion": SPEC,
        "generatedBy": format!("regrant {}", run.header.regrant),
        "results": {
            "tool": { "name": "regrant", "version": run.header.regrant },
            "summary": {
                "tests": tests.len(), "passed": count("passed"), "failed": count("failed"), "skipped": count("skipped"),
                "pending": 0, "other": 0, "suites": suites.len(), "start": 0, "stop": millis(run.seconds),
            },
            "tests": tests,
            "environment": { "appName": run.header.subject },
            "extra": { "seed": run.header.seed, "exit": report.exit.code(), "meaning": report.exit.meaning() },
        },
    });
    serde_json::to_string_pretty(&document).map(|json| json + "\n")
}

fn test(suite: &Suite, case: &Case) -> Value {
    let mut test = json!({
        "name": case.name,
        "status": status(&case.outcome),
        // The whole story's: requirements are judged over it, and take no time of their own.
        "duration": millis(suite.seconds),
        "suite": [suite.story],
        "type": "conformance",
    });
    match &case.outcome {
        Outcome::Passed => {}
        Outcome::Skipped(message) => test["message"] = message.as_str().into(),
        Outcome::Failure { message, body } => {
            test["message"] = message.as_str().into();
            test["trace"] = body.as_str().into();
            test["rawStatus"] = "fail".into();
        }
        Outcome::Error { kind, message } => {
            test["message"] = message.as_str().into();
            test["rawStatus"] = (*kind).into();
        }
    }
    test
}

fn status(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Skipped(_) => "skipped",
        Outcome::Failure { .. } | Outcome::Error { .. } => "failed",
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a run takes seconds, and none is negative")]
fn millis(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1_000.0).round() as u64
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
        insta::assert_snapshot!(ctrf(&Report::new(&run, &register, &labels, Rules::default(), &[], "check")).expect("serialises"));
    }

    #[test]
    fn its_sums_agree_with_its_tests() {
        let run = fixture::run();
        let text = ctrf(&Report::new(&run, &[], &[], Rules::default(), &[], "check")).expect("serialises");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let (summary, tests) = (&document["results"]["summary"], document["results"]["tests"].as_array().expect("tests"));
        assert_eq!(summary["tests"].as_u64(), Some(tests.len() as u64));
        for status in ["passed", "failed", "skipped", "pending", "other"] {
            assert_eq!(summary[status].as_u64(), Some(tests.iter().filter(|test| test["status"] == status).count() as u64), "{status}");
        }
    }
}

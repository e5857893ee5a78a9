//! TAP version 14: a test point per requirement and story, in the colours of `junit.xml`.

use std::fmt::Write;

use super::{
    Report,
    cases::{Case, Outcome, Suite, suites},
};

/// The document; ends with a newline.
#[must_use]
pub fn tap(report: &Report<'_>) -> String {
    let suites = suites(report);
    let points: Vec<(&Suite, &Case)> = suites.iter().flat_map(|suite| suite.cases.iter().map(move |case| (suite, case))).collect();
    let mut out = format!("TAP version 14\n1..{}\n", points.len());
    let run = report.run;
    let _ = writeln!(
        out,
        "# {}, seed {}, exit {} ({})",
        one_line(&run.header.subject),
        run.header.seed,
        report.exit.code(),
        report.exit.meaning()
    );
    for (number, (suite, case)) in points.into_iter().enumerate() {
        point(&mut out, number + 1, suite, case);
    }
    out
}

fn point(out: &mut String, number: usize, suite: &Suite, case: &Case) {
    let name = escaped(&format!("{} in {}", case.name, suite.story));
    let _ = match &case.outcome {
        Outcome::Passed => writeln!(out, "ok {number} - {name}"),
        Outcome::Skipped(reason) => writeln!(out, "ok {number} - {name} # SKIP {}", escaped(reason)),
        Outcome::Failure { message, body } => {
            writeln!(out, "not ok {number} - {name}").and_then(|()| diagnostic(out, "fail", message, Some(body)))
        }
        Outcome::Error { kind, message } => writeln!(out, "not ok {number} - {name}").and_then(|()| diagnostic(out, kind, message, None)),
    };
}

/// YAML, whose double-quoted strings are those of JSON.
fn diagnostic(out: &mut String, kind: &str, message: &str, body: Option<&str>) -> std::fmt::Result {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    writeln!(out, "  ---\n  verdict: {}\n  message: {}", quoted(kind), quoted(message))?;
    if let Some(body) = body {
        writeln!(out, "  seen:")?;
        for line in body.lines() {
            writeln!(out, "    - {}", quoted(line.trim_end()))?;
        }
    }
    writeln!(out, "  ...")
}

/// A hash would begin a directive.
fn escaped(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('#', "\\#")
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Rules, fixture};

    fn rendered(run: &crate::run::Run) -> String {
        let (register, labels) = (fixture::register(), fixture::labels());
        let register: Vec<_> = register.iter().collect();
        tap(&Report::new(run, &register, &labels, Rules::default(), &[], "check"))
    }

    #[test]
    fn a_run_with_failures_reads_like_this() {
        insta::assert_snapshot!(rendered(&fixture::run()));
    }

    #[test]
    fn what_a_subject_says_is_no_directive_and_no_test_point() {
        let mut run = fixture::run();
        run.judgement.requirements.retain(|judged| judged.id == "PROMPT-04");
        run.judgement.requirements[0].stories[0].finding.reason = "it # TODO\nnot ok 7 \\ x".into();
        let tap = rendered(&run);
        assert!(tap.ends_with("ok 1 - PROMPT-04 in user_revokes_access # SKIP not applicable: it \\# TODO not ok 7 \\\\ x\n"), "{tap}");
    }
}

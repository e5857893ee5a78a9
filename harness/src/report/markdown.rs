//! `summary.md`: a page for a pull request or a job summary.

use std::fmt::Write;

use super::{Report, model::severity_word};
use crate::{
    catalogue::{Severity, Verdict},
    judge::Judged,
};

const COLUMNS: [(Verdict, &str); 6] = [
    (Verdict::Pass, "pass"),
    (Verdict::Fail, "fail"),
    (Verdict::Undecided, "undecided"),
    (Verdict::KnownFail, "known"),
    (Verdict::NotApplicable, "n/a"),
    (Verdict::HarnessFault, "fault"),
];

/// The summary; ends with a newline.
#[must_use]
pub fn summary(report: &Report<'_>) -> String {
    let mut out = String::new();
    let run = report.run;
    let _ = writeln!(out, "# {}: {}\n", plain(&run.header.subject), report.exit.meaning());
    let _ = writeln!(
        out,
        "{} stories in {:.1} s, seed {}, exit {}, regrant {}.\n",
        run.judgement.stories.len(),
        run.seconds,
        run.header.seed,
        report.exit.code(),
        run.header.regrant
    );
    if let Some(reason) = report.stopped_by() {
        let _ = writeln!(out, "Nothing could be checked: {}\n", plain(reason));
        counts(&mut out, report);
        return out;
    }
    counts(&mut out, report);
    section(&mut out, "Failed", &report.having(Verdict::Fail), |judged| failed(report, judged));
    stale(&mut out, report);
    section(&mut out, "Known failures", &report.having(Verdict::KnownFail), reasoned);
    section(&mut out, "Undecided", &report.having(Verdict::Undecided), undecided);
    section(&mut out, "Not applicable", &report.having(Verdict::NotApplicable), reasoned);
    faults(&mut out, report);
    out
}

fn counts(out: &mut String, report: &Report<'_>) {
    let _ = writeln!(out, "| severity | {} |", COLUMNS.map(|(_, word)| word).join(" | "));
    let _ = writeln!(out, "| --- |{}", " ---: |".repeat(COLUMNS.len()));
    for severity in [Severity::Error, Severity::Warning, Severity::Advice] {
        let of = |verdict| {
            report.run.judgement.requirements.iter().filter(|j| j.severity == severity && j.verdict == verdict).count().to_string()
        };
        let _ = writeln!(out, "| {} | {} |", severity_word(severity), COLUMNS.map(|(verdict, _)| of(verdict)).join(" | "));
    }
}

fn section(out: &mut String, heading: &str, judged: &[&Judged], line: impl Fn(&Judged) -> String) {
    if judged.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## {heading}\n");
    for judged in judged {
        let _ = writeln!(out, "- {}", line(judged));
    }
}

fn stale(out: &mut String, report: &Report<'_>) {
    if report.stale.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## Stale in the baseline\n");
    for entry in report.stale {
        let _ = writeln!(out, "- **{}** in `{}`: {}", plain(&entry.requirement), entry.story.replace('`', "'"), plain(&entry.why));
    }
}

fn failed(report: &Report<'_>, judged: &Judged) -> String {
    let sentence = report.requirement(judged.id).map_or(String::new(), |line| format!("The subject {}. ", line.sentence));
    let stories: Vec<_> = judged.stories.iter().filter(|s| s.finding.verdict == Verdict::Fail).map(|s| format!("`{}`", s.name)).collect();
    format!("**{}** ({}): {sentence}Seen in {}: {}.", judged.id, severity_word(judged.severity), stories.join(", "), plain(&judged.reason))
}

fn undecided(judged: &Judged) -> String {
    let unlock = judged.unlock.as_ref().map_or(String::new(), |line| format!("; decided by `{line}`"));
    format!("{}{unlock}", reasoned(judged))
}

fn reasoned(judged: &Judged) -> String {
    format!("**{}**: {}", judged.id, plain(&judged.reason))
}

fn faults(out: &mut String, report: &Report<'_>) {
    let of_stories = report.troubled().flat_map(|told| {
        let reasons = [&told.harness_fault, &told.environment_fault];
        reasons.into_iter().flatten().map(|reason| format!("`{}`: {}", told.name, plain(reason))).collect::<Vec<_>>()
    });
    let faults: Vec<_> = of_stories.chain(report.faults.iter().map(|fault| plain(fault))).collect();
    if !faults.is_empty() {
        let _ = writeln!(out, "\n## Not the subject's doing\n");
        for fault in faults {
            let _ = writeln!(out, "- {fault}");
        }
    }
}

/// Words of a subject must not become markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => plain.push(' '),
            '*' | '_' | '`' | '<' | '[' | '|' | '\\' => plain.extend(['\\', c]),
            _ => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Rules, fixture};

    #[test]
    fn a_summary_reads_like_this() {
        let run = fixture::run();
        let (register, labels) = (fixture::register(), fixture::labels());
        let register: Vec<_> = register.iter().collect();
        insta::assert_snapshot!(summary(&Report::new(&run, &register, &labels, Rules::default(), &[], "check")));
    }

    #[test]
    fn what_a_subject_says_is_not_markup() {
        assert_eq!(plain("<b>*x*\n[y]"), "\\<b>\\*x\\* \\[y]");
    }
}

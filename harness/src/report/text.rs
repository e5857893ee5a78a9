//! The report that a person can act on: failures first, each with what was seen, in order, and what to do.

use std::{collections::BTreeSet, fmt::Write};

use super::{
    ExitStatus, Paint, Report,
    excerpt::{Line, excerpt},
    model::severity_word,
};
use crate::{
    catalogue::{Level, Severity, Verdict},
    judge::{InStory, Judged, Stale},
};

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// `-q`: failures and what stayed undecided by name, and the summary.
    Quiet,
    /// Failures with what was seen.
    #[default]
    Normal,
    /// `-v`: what passed, too, and longer excerpts.
    Verbose,
}

impl Verbosity {
    /// Lines of an excerpt, at most.
    fn lines(self) -> usize {
        match self {
            Self::Quiet => 0,
            Self::Normal => 18,
            Self::Verbose => 120,
        }
    }
}

/// The whole report as text; ends with a newline.
#[must_use]
pub fn text(report: &Report<'_>, paint: Paint, verbosity: Verbosity) -> String {
    let mut page = Page { report, paint, verbosity, out: String::new() };
    if let Some(reason) = report.stopped_by() {
        page.stopped(reason);
        page.summary();
        return page.out;
    }
    page.failures();
    page.stale();
    if verbosity == Verbosity::Quiet {
        page.undecided_by_name();
    } else {
        page.undecided();
        page.not_applicable();
        page.known();
        page.not_realised();
    }
    page.faults();
    if verbosity == Verbosity::Verbose {
        page.passed();
    }
    page.summary();
    page.out
}

struct Page<'a> {
    report: &'a Report<'a>,
    paint: Paint,
    verbosity: Verbosity,
    out: String,
}

impl Page<'_> {
    fn line(&mut self, text: impl AsRef<str>) {
        self.out.push_str(text.as_ref().trim_end());
        self.out.push('\n');
    }

    fn heading(&mut self, words: &str) {
        let words = self.paint.strong(words);
        self.line(words);
    }

    /// Said once: that each requirement is undecided for this reason tells nothing more.
    fn stopped(&mut self, reason: &str) {
        self.heading("Nothing could be checked");
        for line in reason.lines() {
            self.line(format!("  {line}"));
        }
        self.line("");
    }

    fn failures(&mut self) {
        for judged in self.report.having(Verdict::Fail) {
            self.failure(judged);
        }
    }

    fn failure(&mut self, judged: &Judged) {
        let word = match judged.severity {
            Severity::Error => self.paint.bad("FAIL"),
            Severity::Warning => self.paint.warn("WARN"),
            Severity::Advice => self.paint.faint("NOTE"),
        };
        let rank = self.paint.faint(format!("{} · {}", severity_word(judged.severity), level_word(judged.level)));
        self.line(format!("{word}  {}  {rank}", self.paint.strong(judged.id)));
        let requirement = self.report.requirement(judged.id);
        if let Some(requirement) = requirement {
            self.line(format!("  The subject {}.", requirement.sentence));
        }
        self.line(format!("  Seen: {}.", judged.reason.trim_end_matches('.')));
        if self.verbosity > Verbosity::Quiet {
            let convicting: Vec<_> = judged.stories.iter().filter(|story| story.finding.verdict == Verdict::Fail).collect();
            let shown = if self.verbosity == Verbosity::Verbose { convicting.len() } else { 2 };
            for story in convicting.iter().take(shown) {
                self.story(story, &judged.reason);
            }
            self.also_in(convicting.get(shown..).unwrap_or_default());
            if let Some(requirement) = requirement {
                self.line(format!("  What to do: {}", requirement.remedy));
            }
            self.line(format!("  More: regrant explain {}", judged.id));
        }
        self.line("");
    }

    fn story(&mut self, story: &InStory, already: &str) {
        let name = self.paint.faint(format!("({})", story.name));
        self.line(format!("  In \"{}\" {name}:", self.report.title(&story.name)));
        if story.finding.reason != already {
            self.line(format!("    {}", story.finding.reason));
        }
        let Some(history) = self.report.history(&story.name) else { return };
        for line in excerpt(history, &story.finding.evidence, self.verbosity.lines()) {
            self.excerpt_line(line);
        }
    }

    fn excerpt_line(&mut self, line: Result<Line, usize>) {
        match line {
            Ok(Line { at, sentence, cited: true }) => self.line(format!("  {} {at:>10}  {sentence}", self.paint.bad(">"))),
            Ok(Line { at, sentence, cited: false }) => self.line(format!("    {at:>10}  {sentence}")),
            Err(1) => self.line("             …  1 line left out (-v shows it)"),
            Err(left_out) => self.line(format!("             …  {left_out} lines left out (-v shows them)")),
        }
    }

    fn also_in(&mut self, stories: &[&InStory]) {
        if !stories.is_empty() {
            let names: Vec<_> = stories.iter().map(|story| story.name.as_str()).collect();
            self.line(format!("  Also in {} (-v shows how)", names.join(", ")));
        }
    }

    /// As loud as a failure: the list claims what is not so.
    fn stale(&mut self) {
        if self.report.stale.is_empty() {
            return;
        }
        self.heading("Stale in the baseline");
        for Stale { requirement, story, why } in self.report.stale {
            let word = self.paint.bad(requirement);
            self.line(format!("  {word} in {story}: {why}"));
        }
        self.line("    take these entries out, or bring them up to date");
        self.line("");
    }

    /// They may be all that an exit status of 4 is about.
    fn undecided_by_name(&mut self) {
        let undecided = self.report.having(Verdict::Undecided);
        if !undecided.is_empty() {
            let word = self.paint.warn("UNDECIDED");
            self.line(format!("{word}  {} (without -q: why)", ids(&undecided)));
            self.line("");
        }
    }

    fn undecided(&mut self) {
        let undecided = self.report.having(Verdict::Undecided);
        if undecided.is_empty() {
            return;
        }
        self.heading("Undecided");
        for (reason, unlock, group) in grouped(&undecided) {
            let word = self.paint.warn(ids(&group));
            self.line(format!("  {word}  {reason}"));
            let stories = undecided_in(&group, reason);
            if !stories.is_empty() {
                self.line(format!("    in {}", stories.join(", ")));
            }
            if let Some(unlock) = unlock {
                self.line(format!("    decided by this line of regrant.toml: {unlock}"));
            }
        }
        self.line("");
    }

    fn not_applicable(&mut self) {
        self.listing("Not applicable", Verdict::NotApplicable);
    }

    fn known(&mut self) {
        self.listing("Known failures", Verdict::KnownFail);
    }

    fn not_realised(&mut self) {
        let report = self.report;
        let told: Vec<_> = report.run.judgement.stories.iter().filter(|told| !told.realised && told.harness_fault.is_none()).collect();
        if told.is_empty() {
            return;
        }
        self.heading("Not told as planned");
        for told in told {
            self.line(format!("  {}  {}", told.name, report.missed(&told.name)));
        }
        self.line("");
    }

    fn passed(&mut self) {
        self.listing("Passed", Verdict::Pass);
    }

    fn listing(&mut self, heading: &str, verdict: Verdict) {
        let judged = self.report.having(verdict);
        if judged.is_empty() {
            return;
        }
        self.heading(heading);
        for (reason, _, group) in grouped(&judged) {
            self.line(format!("  {}  {reason}", ids(&group)));
        }
        self.line("");
    }

    fn faults(&mut self) {
        let troubled: Vec<_> = self.report.troubled().collect();
        let faulted = self.report.having(Verdict::HarnessFault);
        let faults = self.report.faults;
        if troubled.is_empty() && faulted.is_empty() && faults.is_empty() {
            return;
        }
        self.heading("Not the subject's doing");
        for told in troubled {
            for (who, reason) in [("the harness failed", &told.harness_fault), ("the surroundings failed", &told.environment_fault)] {
                if let Some(reason) = reason {
                    self.line(format!("  {}: {}: {reason}", told.name, self.paint.bad(who)));
                }
            }
        }
        for fault in faults {
            self.line(format!("  {}: {fault}", self.paint.bad("the harness failed")));
        }
        if !faulted.is_empty() {
            self.line(format!("  not judged because of that: {}", ids(&faulted)));
        }
        self.line("");
    }

    fn summary(&mut self) {
        let (report, paint) = (self.report, self.paint);
        let run = report.run;
        let counted = [
            (Verdict::Pass, "passed"),
            (Verdict::Fail, "failed"),
            (Verdict::Undecided, "undecided"),
            (Verdict::KnownFail, "known failures"),
            (Verdict::NotApplicable, "not applicable"),
            (Verdict::HarnessFault, "not judged"),
        ];
        let counted: Vec<_> = counted
            .into_iter()
            .filter_map(|(verdict, word)| Some((report.count(verdict), word)).filter(|(count, _)| *count > 0))
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let counted = if counted.is_empty() { "nothing was judged".into() } else { counted.join(", ") };
        let stories = run.judgement.stories.len();
        let mut line = format!(
            "{}: {counted}; {} in {:.1} s; seed {}; exit {} ({})",
            run.header.subject,
            counted_noun(stories, "story", "stories"),
            run.seconds,
            run.header.seed,
            report.exit.code(),
            report.exit.meaning(),
        );
        line = match report.exit {
            ExitStatus::Clean => paint.good(line),
            ExitStatus::Undecided => paint.warn(line),
            ExitStatus::Cancelled | ExitStatus::Usage | ExitStatus::Failed | ExitStatus::HarnessFault | ExitStatus::Environment => {
                paint.bad(line)
            }
        };
        self.line(line);
        self.again();
    }

    fn again(&mut self) {
        let failed = self.report.having(Verdict::Fail);
        if failed.is_empty() {
            return;
        }
        // Where only a story fails that is told for something else, it has to be named.
        let besides = failed.iter().filter_map(|judged| {
            let mut failing = judged.stories.iter().filter(|story| story.finding.verdict == Verdict::Fail);
            failing.clone().all(|story| !story.decides).then(|| failing.next()).flatten()
        });
        let besides: BTreeSet<&str> = besides.map(|story| story.name.as_str()).collect();
        let only = failed.iter().map(|judged| judged.id).chain(besides).fold(String::new(), |mut only, word| {
            let _ = write!(only, " --only {word}");
            only
        });
        self.line(format!("Again: regrant {}{only} --seed {}", self.report.command, self.report.run.header.seed));
    }
}

/// Requirements with the same reason and the same remedy, in one place.
fn grouped<'j>(judged: &[&'j Judged]) -> Vec<(&'j str, Option<&'j str>, Vec<&'j Judged>)> {
    let mut groups: Vec<(&str, Option<&str>, Vec<&Judged>)> = Vec::new();
    for &one in judged {
        let (reason, unlock) = (one.reason.as_str(), one.unlock.as_deref());
        match groups.iter_mut().find(|(r, u, _)| *r == reason && *u == unlock) {
            Some((_, _, group)) => group.push(one),
            None => groups.push((reason, unlock, vec![one])),
        }
    }
    groups
}

/// Stories that left requirements undecided for this reason.
fn undecided_in<'j>(group: &[&'j Judged], reason: &str) -> Vec<&'j str> {
    let stories = group.iter().flat_map(|judged| &judged.stories).filter(|story| story.finding.reason == reason);
    stories.map(|story| story.name.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn ids(judged: &[&Judged]) -> String {
    judged.iter().map(|judged| judged.id).collect::<Vec<_>>().join(" ")
}

fn counted_noun(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::Must => "MUST",
        Level::Should => "SHOULD",
        Level::May => "MAY",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Rules, fixture};

    fn rendered(run: &crate::run::Run, paint: bool, verbosity: Verbosity) -> String {
        let (register, labels) = (fixture::register(), fixture::labels());
        let register: Vec<_> = register.iter().collect();
        text(&Report::new(run, &register, &labels, Rules::default(), &[], "check"), Paint::new(paint), verbosity)
    }

    #[test]
    fn a_run_with_failures_reads_like_this() {
        insta::assert_snapshot!(rendered(&fixture::run(), false, Verbosity::Normal));
    }

    #[test]
    fn a_story_that_is_told_for_something_else_is_named_where_it_alone_failed() {
        let mut run = fixture::run();
        for judged in &mut run.judgement.requirements {
            judged.stories.iter_mut().for_each(|story| story.decides = judged.id != "STOP-01");
        }
        let said = rendered(&run, false, Verbosity::Quiet);
        assert!(said.contains("Again: regrant check --only STOP-01 --only LOG-06 --only user_revokes_access --seed 42"), "{said}");
    }

    #[test]
    fn a_quiet_report_goes_by_names() {
        insta::assert_snapshot!(rendered(&fixture::run(), false, Verbosity::Quiet));
    }

    #[test]
    fn a_clean_run_with_every_detail_reads_like_this() {
        let mut run = fixture::run();
        run.judgement.requirements.retain(|judged| judged.verdict == Verdict::Pass);
        insta::assert_snapshot!(rendered(&run, false, Verbosity::Verbose));
    }

    #[test]
    fn faults_are_told_apart_from_the_subjects_doing() {
        let mut run = fixture::run();
        run.judgement.requirements.clear();
        run.judgement.stories[0].harness_fault = Some("a gate was lost".into());
        run.judgement.stories[1].environment_fault = Some("the subject did not start: no python3 on PATH".into());
        insta::assert_snapshot!(rendered(&run, false, Verbosity::Normal));
    }

    #[test]
    fn what_keeps_every_story_from_beginning_is_said_once() {
        let mut run = fixture::run();
        run.judgement.requirements.retain(|judged| judged.verdict == Verdict::Undecided);
        for told in &mut run.judgement.stories {
            told.environment_fault = Some("subject exited with code 7 before it was ready; it printed:\n  no database".into());
        }
        let said = rendered(&run, false, Verbosity::Normal);
        assert!(said.starts_with("Nothing could be checked\n  subject exited with code 7"), "{said}");
        assert_eq!(said.matches("code 7").count(), 1, "{said}");
    }

    #[test]
    fn plain_text_holds_no_escape_sequences_and_painted_text_differs_in_nothing_else() {
        let (plain, painted) = (rendered(&fixture::run(), false, Verbosity::Verbose), rendered(&fixture::run(), true, Verbosity::Verbose));
        assert!(!plain.contains('\x1b'));
        assert!(painted.contains("\x1b["));
        let escape = regex::Regex::new("\x1b\\[[0-9;]*m").expect("a valid pattern");
        assert_eq!(escape.replace_all(&painted, ""), plain);
    }
}

//! Everything that a format needs, worked out once.

use std::collections::BTreeMap;

use super::{ExitStatus, Grounds, exit_status};
use crate::{
    catalogue::{Requirement, Severity, Verdict},
    evidence::{History, What},
    judge::{Judged, Stale, Told},
    run::Run,
};

/// How verdicts become an exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// Warnings count as errors.
    pub strict: bool,
    /// Undecided requirements do not change the status.
    pub allow_undecided: bool,
}

/// What a report calls a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryLabel {
    /// File stem.
    pub name: String,
    /// One line for a person.
    pub title: String,
}

/// How many requirements of a severity got which verdict; a verdict that none got is absent.
pub(super) type Counts = BTreeMap<&'static str, BTreeMap<&'static str, usize>>;

/// A finished run with what is needed to explain it.
pub struct Report<'r> {
    /// The run.
    pub run: &'r Run,
    /// The exit status that follows.
    pub exit: ExitStatus,
    /// Faults of the harness that belong to no story.
    pub faults: &'r [String],
    pub(super) rules: Rules,
    /// Entries of the baseline that say nothing any more.
    pub(super) stale: &'r [Stale],
    register: &'r [&'r Requirement],
    labels: &'r [StoryLabel],
    /// The word that starts the same run again: `check`, `demo`.
    pub(super) command: &'r str,
}

impl<'r> Report<'r> {
    /// Works the exit status out. `faults` are those of the harness outside any story; `command` is how to do the run again.
    #[must_use]
    pub fn new(
        run: &'r Run,
        register: &'r [&'r Requirement],
        labels: &'r [StoryLabel],
        rules: Rules,
        faults: &'r [String],
        command: &'r str,
    ) -> Self {
        let exit = exit_status(&grounds(run, rules, faults, &[]));
        Self { run, exit, faults, rules, stale: &[], register, labels, command }
    }

    /// With entries of a baseline that say nothing any more: they are a failure of their own.
    #[must_use]
    pub fn with_stale(self, stale: &'r [Stale]) -> Self {
        Self { exit: exit_status(&grounds(self.run, self.rules, self.faults, stale)), stale, ..self }
    }

    /// The register's line, if this edition has it.
    pub(super) fn requirement(&self, id: &str) -> Option<&'r Requirement> {
        self.register.iter().copied().find(|requirement| requirement.id == id)
    }

    /// A story's title, or its name where no title is known (a story of another edition).
    pub(super) fn title<'s>(&'s self, story: &'s str) -> &'s str {
        self.labels.iter().find(|label| label.name == story).map_or(story, |label| &label.title)
    }

    /// What was seen in a story.
    pub(super) fn history(&self, story: &str) -> Option<&'r History> {
        self.run.histories.iter().find(|history| history.story == story)
    }

    /// What did not come about in a story.
    pub(super) fn missed(&self, story: &str) -> &'r str {
        let events = self.history(story).map_or(&[][..], |history| &history.events);
        let reason = events.iter().find_map(|event| match &event.what {
            What::NotRealised { reason } => Some(reason.as_str()),
            _ => None,
        });
        reason.unwrap_or("something that it awaits did not come")
    }

    /// Requirements with a verdict, errors first, in the order of the register within a severity.
    pub(super) fn having(&self, verdict: Verdict) -> Vec<&'r Judged> {
        let mut judged: Vec<_> = self.run.judgement.requirements.iter().filter(|judged| judged.verdict == verdict).collect();
        judged.sort_by_key(|judged| rank(judged.severity));
        judged
    }

    /// Whether a miss of this severity changes the exit status.
    pub(super) fn counts_as_error(&self, severity: Severity) -> bool {
        match severity {
            Severity::Error => true,
            Severity::Warning => self.rules.strict,
            Severity::Advice => false,
        }
    }

    /// Stories in which the harness or the surroundings failed.
    pub(super) fn troubled(&self) -> impl Iterator<Item = &'r Told> {
        self.run.judgement.stories.iter().filter(|told| told.harness_fault.is_some() || told.environment_fault.is_some())
    }

    /// What kept every story from being told, where nothing else is worth telling.
    pub(super) fn stopped_by(&self) -> Option<&'r str> {
        let stories = &self.run.judgement.stories;
        let nothing_else = self.exit == ExitStatus::Environment && stories.iter().all(|told| told.environment_fault.is_some());
        stories.first().filter(|_| nothing_else).and_then(|told| told.environment_fault.as_deref())
    }

    /// Verdicts counted by severity.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for judged in &self.run.judgement.requirements {
            *counts.entry(severity_word(judged.severity)).or_default().entry(verdict_word(judged.verdict)).or_default() += 1;
        }
        counts
    }

    /// How many requirements got this verdict.
    pub(super) fn count(&self, verdict: Verdict) -> usize {
        self.run.judgement.requirements.iter().filter(|judged| judged.verdict == verdict).count()
    }
}

fn grounds(run: &Run, rules: Rules, faults: &[String], stale: &[Stale]) -> Grounds {
    let mut grounds = Grounds {
        cancelled: run.cancelled,
        stale_baseline: !stale.is_empty(),
        harness_fault: !faults.is_empty(),
        strict: rules.strict,
        allow_undecided: rules.allow_undecided,
        ..Grounds::default()
    };
    for judged in &run.judgement.requirements {
        let of = match judged.verdict {
            Verdict::Fail => &mut grounds.failed,
            Verdict::Undecided => &mut grounds.undecided,
            Verdict::HarnessFault => {
                grounds.harness_fault = true;
                continue;
            }
            Verdict::Pass | Verdict::NotApplicable | Verdict::KnownFail => continue,
        };
        match judged.severity {
            Severity::Error => of.error = true,
            Severity::Warning => of.warning = true,
            Severity::Advice => of.advice = true,
        }
    }
    for told in &run.judgement.stories {
        grounds.harness_fault |= told.harness_fault.is_some();
        grounds.environment |= told.environment_fault.is_some();
    }
    grounds
}

fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Error => 0,
        Severity::Warning => 1,
        Severity::Advice => 2,
    }
}

/// The word for a severity, as in `verdicts.json`.
pub(super) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    }
}

/// The word for a verdict, as in `verdicts.json`.
pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Undecided => "undecided",
        Verdict::NotApplicable => "not-applicable",
        Verdict::KnownFail => "known-fail",
        Verdict::HarnessFault => "harness-fault",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn exit(run: &Run, rules: Rules) -> u8 {
        Report::new(run, &[], &[], rules, &[], "check").exit.code()
    }

    #[test]
    fn a_failing_requirement_of_severity_error_is_exit_1() {
        assert_eq!(exit(&fixture::run(), Rules::default()), 1);
    }

    #[test]
    fn without_its_failures_the_run_is_undecided_and_may_be_allowed_to_be() {
        let mut run = fixture::run();
        run.judgement.requirements.retain(|judged| judged.verdict != Verdict::Fail);
        assert_eq!(exit(&run, Rules::default()), 4);
        assert_eq!(exit(&run, Rules { allow_undecided: true, strict: false }), 0);
    }

    #[test]
    fn a_failed_warning_is_exit_1_under_strict() {
        let mut run = fixture::run();
        run.judgement.requirements.retain(|judged| judged.severity == Severity::Warning);
        assert_eq!(exit(&run, Rules::default()), 0);
        assert_eq!(exit(&run, Rules { strict: true, allow_undecided: false }), 1);
    }

    #[test]
    fn a_fault_of_a_story_is_seen_even_if_no_requirement_shows_it() {
        let mut run = fixture::run();
        run.judgement.requirements.clear();
        run.judgement.stories[0].environment_fault = Some("it did not start".into());
        assert_eq!(exit(&run, Rules::default()), 3);
        run.judgement.stories[0].harness_fault = Some("a gate was lost".into());
        assert_eq!(exit(&run, Rules::default()), 5);
        run.cancelled = true;
        assert_eq!(exit(&run, Rules::default()), 130);
    }

    #[test]
    fn a_fault_outside_any_story_is_exit_5() {
        let mut run = fixture::run();
        run.judgement.requirements.clear();
        let faults = ["the features disagree".to_owned()];
        assert_eq!(Report::new(&run, &[], &[], Rules::default(), &faults, "check").exit.code(), 5);
    }

    #[test]
    fn a_stale_entry_of_the_baseline_is_exit_1() {
        let mut run = fixture::run();
        run.judgement.requirements.clear();
        let stale = [Stale { requirement: "STOP-01".into(), story: "user_revokes_access".into(), why: "it does not fail any more".into() }];
        assert_eq!(Report::new(&run, &[], &[], Rules::default(), &[], "check").with_stale(&stale).exit.code(), 1);
    }

    #[test]
    fn failures_come_errors_first() {
        let run = fixture::run();
        let report = Report::new(&run, &[], &[], Rules::default(), &[], "check");
        let ids: Vec<_> = report.having(Verdict::Fail).iter().map(|judged| judged.id).collect();
        assert_eq!(ids, ["STOP-01", "LOG-06"]);
    }
}

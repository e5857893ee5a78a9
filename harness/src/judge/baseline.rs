//! Known failures: which convictions a baseline excuses, and which of its entries say nothing any more.

use serde::Serialize;

use super::{Date, Judged, Judgement, Purpose};
use crate::catalogue::{self, Verdict};

/// A failure that is known and excused for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The requirement that fails.
    pub requirement: String,
    /// The story in which it fails.
    pub story: String,
    /// Why that is put up with.
    pub reason: String,
    /// The last day on which it is.
    pub expires: Date,
}

/// An entry of the baseline that has to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stale {
    /// Its requirement.
    pub requirement: String,
    /// Its story.
    pub story: String,
    /// What is the matter with it.
    pub why: String,
}

/// Turns convictions that are known into `known-fail`; what comes back are entries that name nothing, are past their day or pass.
///
/// `purposes` are those of all stories there are. An entry whose story was not told, or left the requirement undecided, is neither.
#[must_use]
pub fn excuse(judgement: &mut Judgement, known: &[Known], purposes: &[Purpose], today: Date) -> Vec<Stale> {
    let stale = known.iter().filter_map(|entry| {
        let why = nothing(entry, purposes).or_else(|| over(entry, today)).or_else(|| passes(entry, judgement))?;
        Some(Stale { requirement: entry.requirement.clone(), story: entry.story.clone(), why })
    });
    let stale: Vec<Stale> = stale.collect();
    for judged in &mut judgement.requirements {
        excuse_one(judged, known, today);
    }
    stale
}

fn nothing(entry: &Known, purposes: &[Purpose]) -> Option<String> {
    let Known { requirement, story, .. } = entry;
    if catalogue::find(requirement).is_none() {
        return Some(format!("there is no requirement {requirement}"));
    }
    let Some(purpose) = purposes.iter().find(|purpose| purpose.story == *story) else { return Some(format!("there is no story {story}")) };
    let named = purpose.tests.iter().chain(&purpose.also).any(|id| id == requirement);
    (!named).then(|| format!("{requirement} is not judged in {story}"))
}

fn over(entry: &Known, today: Date) -> Option<String> {
    (entry.expires < today).then(|| format!("it expired after {}", entry.expires))
}

fn passes(entry: &Known, judgement: &Judgement) -> Option<String> {
    let judged = judgement.requirements.iter().find(|judged| judged.id == entry.requirement)?;
    let verdict = judged.stories.iter().find(|story| story.name == entry.story).map(|story| story.finding.verdict);
    let passes = match verdict {
        Some(Verdict::Pass | Verdict::NotApplicable) => true,
        Some(Verdict::Fail | Verdict::Undecided | Verdict::KnownFail | Verdict::HarnessFault) => false,
        None => judged.acquitted.contains(&entry.story),
    };
    passes.then(|| "it does not fail any more".to_owned())
}

fn excuse_one(judged: &mut Judged, known: &[Known], today: Date) {
    let mut changed = false;
    for story in judged.stories.iter_mut().filter(|story| story.finding.verdict == Verdict::Fail) {
        let of_this = |entry: &&Known| entry.requirement == judged.id && entry.story == story.name && entry.expires >= today;
        let Some(entry) = known.iter().find(of_this) else { continue };
        story.finding.verdict = Verdict::KnownFail;
        story.finding.reason = format!("{} (known until {}: {})", story.finding.reason, entry.expires, entry.reason);
        changed = true;
    }
    let decisive = judged.stories.iter().min_by_key(|story| story.finding.verdict.rank()).filter(|_| changed);
    if let Some(decisive) = decisive {
        judged.verdict = decisive.finding.verdict;
        judged.reason.clone_from(&decisive.finding.reason);
        judged.unlock.clone_from(&decisive.finding.unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalogue::{Finding, Level, Severity},
        judge::InStory,
    };

    const TODAY: u64 = 20_819;

    fn known(requirement: &str, story: &str, expires: u64) -> Known {
        Known { requirement: requirement.into(), story: story.into(), reason: "next quarter".into(), expires: Date::of_days(expires) }
    }

    fn judgement(stories: &[(&str, Finding)], acquitted: &[&str]) -> Judgement {
        let stories: Vec<InStory> =
            stories.iter().map(|(name, finding)| InStory { name: (*name).into(), decides: true, finding: finding.clone() }).collect();
        let decisive = stories.iter().min_by_key(|story| story.finding.verdict.rank()).expect("a story").finding.clone();
        let judged = Judged {
            id: "STOP-01",
            level: Level::Must,
            severity: Severity::Error,
            verdict: decisive.verdict,
            reason: decisive.reason,
            unlock: decisive.unlock,
            stories,
            acquitted: acquitted.iter().map(ToString::to_string).collect(),
        };
        Judgement { requirements: vec![judged], stories: Vec::new() }
    }

    fn purposes() -> Vec<Purpose> {
        let purpose = |story: &str, tests: &[&str], also: &[&str]| Purpose {
            story: story.into(),
            tests: tests.iter().map(ToString::to_string).collect(),
            also: also.iter().map(ToString::to_string).collect(),
        };
        vec![purpose("a", &["STOP-01"], &[]), purpose("b", &["STOP-01"], &[]), purpose("c", &["STOP-02"], &["STOP-01"])]
    }

    /// The merged verdict, and why the entries are stale.
    fn with(judgement: &mut Judgement, known: &[Known]) -> (Verdict, Vec<String>) {
        let stale = excuse(judgement, known, &purposes(), Date::of_days(TODAY));
        (judgement.requirements[0].verdict, stale.into_iter().map(|stale| stale.why).collect())
    }

    fn fails() -> Finding {
        Finding::fail("3 calls", vec![7])
    }

    #[test]
    fn a_known_failure_is_excused_up_to_its_last_day() {
        let mut told = judgement(&[("a", fails())], &[]);
        assert_eq!(with(&mut told, &[known("STOP-01", "a", TODAY)]), (Verdict::KnownFail, vec![]));
        assert_eq!(told.requirements[0].reason, "3 calls (known until 2027-01-01: next quarter)");
        let over = with(&mut judgement(&[("a", fails())], &[]), &[known("STOP-01", "a", TODAY - 1)]);
        assert_eq!(over, (Verdict::Fail, vec!["it expired after 2026-12-31".to_owned()]));
    }

    #[test]
    fn an_entry_excuses_its_own_story_only() {
        let mut told = judgement(&[("a", fails()), ("b", fails())], &[]);
        assert_eq!(with(&mut told, &[known("STOP-01", "a", TODAY)]), (Verdict::Fail, vec![]));
        assert_eq!(told.requirements[0].reason, "3 calls");
        let both = [known("STOP-01", "a", TODAY), known("STOP-01", "b", TODAY)];
        assert_eq!(with(&mut judgement(&[("a", fails()), ("b", fails())], &[]), &both), (Verdict::KnownFail, vec![]));
    }

    #[test]
    fn what_else_is_wrong_counts_for_more_than_a_known_failure() {
        let mut told = judgement(&[("a", fails()), ("b", Finding::undecided("nobody asked"))], &[]);
        assert_eq!(with(&mut told, &[known("STOP-01", "a", TODAY)]), (Verdict::Undecided, vec![]));
    }

    #[test]
    fn an_entry_that_passes_is_stale_also_where_a_story_may_convict_only() {
        let stale = vec!["it does not fail any more".to_owned()];
        let passed = [("a", Finding::pass("seen", vec![]))];
        assert_eq!(with(&mut judgement(&passed, &[]), &[known("STOP-01", "a", TODAY)]), (Verdict::Pass, stale.clone()));
        assert_eq!(with(&mut judgement(&passed, &["c"]), &[known("STOP-01", "c", TODAY)]), (Verdict::Pass, stale));
    }

    #[test]
    fn an_entry_whose_story_was_not_told_or_decided_nothing_is_left_alone() {
        let undecided = [("a", Finding::undecided("nobody asked"))];
        let both = [known("STOP-01", "a", TODAY), known("STOP-01", "b", TODAY), known("STOP-02", "c", TODAY)];
        assert_eq!(with(&mut judgement(&undecided, &[]), &both), (Verdict::Undecided, vec![]));
    }

    #[test]
    fn an_entry_that_names_nothing_is_stale() {
        let wrong = [known("STOP-99", "a", TODAY), known("STOP-01", "z", TODAY), known("STOP-02", "a", TODAY)];
        let (verdict, stale) = with(&mut judgement(&[("a", fails())], &[]), &wrong);
        assert_eq!(verdict, Verdict::Fail);
        assert_eq!(stale, ["there is no requirement STOP-99", "there is no story z", "STOP-02 is not judged in a"]);
    }
}

//! Lines of the register that this version cannot decide: what they need of the stage is not built. `regrant list` and `regrant explain`
//! show them; no story is told for them, no run counts them, and no exit status depends on them.

use super::{Finding, Level::*, Requirement, Scope, Severity::*};

const NO_MEMORY: &str = "Always, in this version: memory is not read. With `features.memory = \"off\"` it does not apply.";

/// In the order of the register. A line leaves this list for its group's own once a story decides it.
pub(super) const ALL: &[Requirement] = &[Requirement {
    id: "PURGE-06",
    level: Should,
    severity: Advice,
    sentence: "leaves no copy in memory",
    sources: &["Pleo, How to handle token expiry or revocation, step 2: invalidate both tokens"],
    why: "The dead tokens stay in the heap for the life of the process, and end up in a core dump.",
    observed: "The memory of the process after the tokens were purged.",
    undecided: NO_MEMORY,
    remedy: "Overwrite secrets before they are let go, where the language allows it.",
    declarable: true,
    scope: Scope::Subject,
    check: |_| Finding::undecided("memory is not read by this version"),
}];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalogue, catalogue::Verdict, judge::testing::Story, run::built_in};

    #[test]
    fn a_line_that_is_not_decided_says_so_is_told_in_no_story_and_counts_in_no_run() {
        let story = Story::honest();
        for line in ALL {
            let finding = (line.check)(&crate::judge::View::new(&story.history, &story.terms));
            assert_eq!(finding.verdict, Verdict::Undecided, "{}", line.id);
            assert!(finding.reason.ends_with("by this version") || finding.reason.contains("of this version"), "{}", finding.reason);
            assert!(catalogue::find(line.id).is_none(), "{} is decided, too", line.id);
            let told = built_in().iter().any(|s| s.scenario.tests.iter().chain(&s.scenario.also).any(|id| id == line.id));
            assert!(!told, "{} is told in a story", line.id);
        }
    }

    #[test]
    fn the_whole_register_is_listed_in_its_order_and_each_line_once() {
        let ids: Vec<&str> = catalogue::registered().iter().map(|r| r.id).collect();
        assert_eq!(ids.len(), catalogue::all().count() + ALL.len());
        for pair in ids.windows(2).filter(|pair| pair[0].split('-').next() == pair[1].split('-').next()) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
    }
}

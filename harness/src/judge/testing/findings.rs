//! What the judge must say of a hand-written history.

use super::Story;
use crate::{
    catalogue::{Finding, Verdict, find},
    evidence::Event,
    judge::View,
};

impl Story {
    /// The events that do not match, in the numbers they had.
    pub(crate) fn without(mut self, matches: impl Fn(&Event) -> bool) -> Self {
        self.history.events.retain(|event| !matches(event));
        self
    }

    pub(crate) fn finding(&self, id: &str) -> Finding {
        let requirement = find(id).unwrap_or_else(|| panic!("{id} is in the register"));
        (requirement.check)(&View::new(&self.history, &self.terms))
    }

    #[track_caller]
    fn expect(&self, id: &str, verdict: Verdict, words: &str) -> Finding {
        let finding = self.finding(id);
        assert_eq!(finding.verdict, verdict, "{id}: {finding:#?}\n{}", self.told());
        assert!(finding.reason.contains(words), "{id}: {:?} does not say {words:?}", finding.reason);
        let known = |n: &u32| self.history.events.iter().any(|event| event.n == *n);
        assert!(finding.evidence.iter().all(known), "{id} cites what never happened: {finding:?}");
        finding
    }

    #[track_caller]
    pub(crate) fn passes(&self, id: &str) -> Finding {
        let finding = self.expect(id, Verdict::Pass, "");
        assert!(!finding.evidence.is_empty(), "{id} passes without evidence");
        finding
    }

    /// Fails, says so in these words, and cites the event that was marked `offence`, if one was.
    #[track_caller]
    pub(crate) fn fails(&self, id: &str, words: &str) -> Finding {
        let finding = self.expect(id, Verdict::Fail, words);
        assert!(!finding.evidence.is_empty(), "{id} fails without evidence");
        for offence in self.marks.get("offence").into_iter().flatten() {
            assert!(finding.evidence.contains(offence), "{id} does not cite {offence}: {finding:?}\n{}", self.told());
        }
        finding
    }

    #[track_caller]
    pub(crate) fn undecided(&self, id: &str, words: &str) -> Finding {
        self.expect(id, Verdict::Undecided, words)
    }

    #[track_caller]
    pub(crate) fn not_applicable(&self, id: &str) -> Finding {
        self.expect(id, Verdict::NotApplicable, "")
    }

    /// Whatever else: not accused.
    #[track_caller]
    pub(crate) fn is_not_accused(&self, ids: &[&str]) {
        for id in ids {
            let finding = self.finding(id);
            assert_ne!(finding.verdict, Verdict::Fail, "{id}: {finding:#?}\n{}", self.told());
        }
    }

    fn told(&self) -> String {
        let line = |event: &Event| format!("{:>4} {:>9} {:?}", event.n, event.at, event.what);
        self.history.events.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

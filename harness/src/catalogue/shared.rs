//! What several groups of checks have in common.

use super::{Finding, Verdict};
use crate::judge::{Death, Ended, Mark, View};

/// Judges every death of a kind; the worst finding counts: fail, then undecided, then pass.
pub(super) fn each_death(view: &View<'_>, ended: Ended, check: impl Fn(&Death) -> Finding) -> Finding {
    let findings: Vec<_> = view.deaths.iter().filter(|d| d.ended == ended).map(check).collect();
    worst(findings).unwrap_or_else(|| no_death(view, ended))
}

/// The finding that decides among several.
pub(super) fn worst(findings: Vec<Finding>) -> Option<Finding> {
    findings.into_iter().min_by_key(|f| rank(f.verdict))
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fail => 0,
        Verdict::HarnessFault => 1,
        Verdict::Undecided => 2,
        Verdict::KnownFail => 3,
        Verdict::Pass => 4,
        Verdict::NotApplicable => 5,
    }
}

fn no_death(view: &View<'_>, ended: Ended) -> Finding {
    let what = match ended {
        Ended::Grant => "no refresh of a dead token was refused in this story: the subject never tried",
        Ended::Client => "no refresh was refused with invalid_client in this story: the subject never tried",
    };
    Finding::undecided(view.unrealised().unwrap_or(what))
}

/// A silence proves something only with its controls.
pub(super) fn silence(controls: Result<Vec<u32>, String>, death: &Death, passed: &str) -> Finding {
    match controls {
        Ok(stimuli) => {
            let mut cited = vec![death.refused.n];
            cited.extend(stimuli);
            Finding::pass(passed, cited)
        }
        Err(reason) => Finding::undecided(reason),
    }
}

/// The subject never came to rest.
pub(super) fn not_at_rest() -> Finding {
    Finding::undecided("the subject did not come to rest between the refusal and the reconnection")
}

/// There was no restart to judge by.
pub(super) fn not_restarted(view: &View<'_>) -> Finding {
    if view.terms.restartable {
        Finding::undecided("the subject was not restarted while the connection was dead")
    } else {
        Finding::locked("the subject cannot be restarted by the harness", "[start] run = [...]")
    }
}

/// Before everything.
pub(super) const START: Mark = Mark { at: 0, n: 0 };

/// Pass if there is something to cite, else undecided.
pub(super) fn seen(cited: Vec<u32>, passed: impl Into<String>, missing: impl Into<String>) -> Finding {
    if cited.is_empty() { Finding::undecided(missing) } else { Finding::pass(passed, cited) }
}

//! What several groups of checks have in common.

use super::Finding;
use crate::{
    evidence::{Micros, Reply, Verb, What},
    judge::{Death, Ended, Mark, View},
};

/// Judges every death of a kind; the worst finding counts: fail, then undecided, then pass.
pub(super) fn each_death(view: &View<'_>, ended: Ended, check: impl Fn(&Death) -> Finding) -> Finding {
    let missing = match ended {
        Ended::Grant => "no refresh of a dead token was refused in this story, or the subject never read the refusal",
        Ended::Client => "no refresh was refused with invalid_client in this story, or the subject never read the refusal",
    };
    each_death_of(view, |death| death.ended == ended, missing, check)
}

/// Judges every death that is meant; `missing` says what it means that there is none.
pub(super) fn each_death_of(view: &View<'_>, meant: impl Fn(&Death) -> bool, missing: &str, check: impl Fn(&Death) -> Finding) -> Finding {
    let findings: Vec<_> = view.deaths.iter().filter(|death| meant(death)).map(check).collect();
    worst(findings).unwrap_or_else(|| unrealised(view, missing))
}

/// What the story needs did not come about; the story's own word for it comes first.
pub(super) fn unrealised(view: &View<'_>, missing: &str) -> Finding {
    let reason = view.unrealised();
    if view.terms.confidential == Some(false) && reason.is_some_and(|reason| reason.contains(NO_SECRET)) {
        return Finding::not_applicable("a public client has no secret that could be rotated (`features.confidential = false`)");
    }
    Finding::undecided(reason.unwrap_or(missing))
}

/// What the provider says of a public client whose secret is to be rotated.
const NO_SECRET: &str = "is public: it has no secret to rotate";

/// The user's settings, as they were read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings<'h> {
    digest: &'h str,
    parts: &'h [String],
}

impl Settings<'_> {
    /// Not a word of `old` is missing. What came to be there besides, a notice perhaps, is no loss.
    pub(super) fn keep(self, old: Settings<'_>) -> bool {
        self.digest == old.digest || (!old.parts.is_empty() && old.parts.iter().all(|part| self.parts.contains(part)))
    }
}

/// All readings of the settings; none: they could not be read.
pub(super) fn settings<'h>(view: &View<'h>) -> Vec<(Mark, Option<Settings<'h>>)> {
    let read = |(mark, what): (Mark, &'h What)| match what {
        What::SettingsRead { digest, parts } => Some((mark, digest.as_deref().map(|digest| Settings { digest, parts }))),
        _ => None,
    };
    view.events().filter_map(read).collect()
}

/// The finding that decides among several.
pub(super) fn worst(findings: Vec<Finding>) -> Option<Finding> {
    findings.into_iter().min_by_key(|f| f.verdict.rank())
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
        Finding::undecided("the subject was not restarted while the connection was dead and the subject knew and rested")
    } else {
        Finding::locked("the subject cannot be restarted by the harness", "[start] run = [...]")
    }
}

/// A request that was sent before its sender could know arrives sooner, also on a busy machine, and nobody comes to rest in so short a time:
/// microseconds.
pub(super) const ON_ITS_WAY: Micros = 300_000;

/// Before everything.
pub(super) const START: Mark = Mark { at: 0, n: 0 };

/// Pass if there is something to cite, else undecided.
pub(super) fn seen(cited: Vec<u32>, passed: impl Into<String>, missing: impl Into<String>) -> Finding {
    if cited.is_empty() { Finding::undecided(missing) } else { Finding::pass(passed, cited) }
}

/// The user or the provider decides about the connection: from here on another story is told.
pub(super) fn decided_after(view: &View<'_>, from: Mark) -> Mark {
    event_after(view, from, |what| decides(what) || matches!(what, What::Expired { refresh: true, .. }))
}

/// The same, or an access token expires, which may be why the API denies it.
pub(super) fn touched_after(view: &View<'_>, from: Mark) -> Mark {
    event_after(view, from, |what| decides(what) || matches!(what, What::Expired { .. }))
}

fn decides(what: &What) -> bool {
    matches!(what, What::Revoked { .. } | What::SecretRotated { .. } | What::VerbCalled { verb: Verb::Connect | Verb::Disconnect, .. })
}

fn event_after(view: &View<'_>, from: Mark, meant: impl Fn(&What) -> bool) -> Mark {
    view.acts().find(|(mark, what)| *mark > from && meant(what)).map_or(Mark::END, |(mark, _)| mark)
}

/// When a passing fault is over as far as the connection's state is concerned: the provider or the user decides about it, or the
/// token endpoint gives an answer that is final or may be taken as final.
pub(super) fn outcome_after(view: &View<'_>, from: Mark) -> Mark {
    let decided = decided_after(view, from);
    let answered = |reply: &Reply| match reply {
        Reply::Final { .. } | Reply::Open { .. } => true,
        Reply::Tokens { .. } | Reply::Transient | Reply::Plain => false,
    };
    let ends = |x: &&crate::judge::Exchange<'_>| x.is_refresh() && x.replied.is_some_and(|(_, _, reply)| answered(reply));
    let final_answer = view.arrived_after(from).iter().find(ends).map(|x| x.arrived);
    decided.min(final_answer.unwrap_or(Mark::END))
}

/// The user came or went, or a process was started or stopped: what was read need not count any more.
pub(super) fn disturbed(view: &View<'_>, from: Mark, until: Mark) -> bool {
    view.acts().any(|(mark, what)| {
        let counts = matches!(
            what,
            What::VerbCalled { verb: Verb::Connect | Verb::Disconnect, .. }
                | What::CallbackDelivered { .. }
                | What::ProcessStarted { .. }
                | What::ProcessStopping { .. }
                | What::ProcessExited { .. }
        );
        counts && mark > from && mark < until
    })
}

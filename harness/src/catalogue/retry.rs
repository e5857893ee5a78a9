//! RETRY: what to do about a fault that passes.

use regrant_mock_server::fault::scenario::Status;

use super::{Finding, Level::*, Requirement, Severity::*, shared::*};
use crate::{
    evidence::{CanaryForm, Place, What},
    judge::{Exchange, Mark, View, control},
};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "RETRY-01",
        level: Must,
        severity: Error,
        sentence: "on a transient fault purges nothing and marks nothing",
        sources: &["Pleo, Centralised token refresh: retry transient refresh failures; ask for reauthentication only when strictly needed"],
        why: "A restart of the provider's gateway signed out every user of a desktop client at once.",
        observed: "Status and storage while the token endpoint answers 503 or drops connections, and whether the same token is presented afterwards.",
        undecided: "The fault was met fewer than twice, or the subject did not work again when the provider was back.",
        remedy: "Decide by the presence of an OAuth error in the answer: without one, keep everything and try again later.",
        declarable: true,
        check: retry_01,
    },
    Requirement {
        id: "RETRY-02",
        level: Must,
        severity: Error,
        sentence: "makes at most 5 attempts per stimulus, and attempts without a stimulus grow further apart",
        sources: &["Pleo, Centralised token refresh: exponential backoff", "Pleo, How to refresh tokens: no endless retry"],
        why: "1,600 refreshes in 38 minutes: a loop without a pause meets a provider that is already in trouble.",
        observed: "Refresh requests between one stimulus and the next while the fault lasts, and the gaps between them.",
        undecided: "No fault was met.",
        remedy: "Bound the attempts, double the pause, then leave the work in the queue for its next turn.",
        declarable: true,
        check: retry_02,
    },
    Requirement {
        id: "RETRY-04",
        level: Must,
        severity: Error,
        sentence: "recovers when the provider is back, without a restart and without a new consent",
        sources: &["Pleo, Centralised token refresh", "Pleo, Authentication overview: handle transient connection trouble gracefully"],
        why: "The client gives up after the third failure and stays given up until somebody restarts it.",
        observed: "API calls that succeed after the fault was over and the subject was asked to work.",
        undecided: "No fault was met, or the subject was not asked to work afterwards.",
        remedy: "Do not latch a transient failure: the next piece of work tries again.",
        declarable: true,
        check: retry_04,
    },
];

struct Outage<'v, 'h> {
    faults: Vec<&'v Exchange<'h>>,
    first: Mark,
    last: Mark,
    /// The next definitive thing: a death, a reconnection, the end.
    until: Mark,
}

fn outage<'v, 'h>(view: &'v View<'h>) -> Option<Outage<'v, 'h>> {
    let faults: Vec<_> = view.exchanges.iter().filter(|x| x.is_refresh() && x.met_transient_fault()).collect();
    let first = faults.first()?.arrived;
    let last = faults.last()?.arrived;
    let reconnected = view.reconnection_after(first).map_or(Mark::END, |c| c.called);
    let done = |what: &What| matches!(what, What::Revoked { .. } | What::Expired { refresh: true, .. } | What::SecretRotated { .. });
    let next = view.marks(done).into_iter().find(|m| *m > last).unwrap_or(Mark::END);
    Some(Outage { faults, first, last, until: reconnected.min(next) })
}

fn none(view: &View<'_>) -> Finding {
    Finding::undecided(view.unrealised().unwrap_or("no refresh met a transient fault in this story"))
}

/// The first API call that succeeded after the last fault.
fn works_again<'v, 'h>(view: &'v View<'h>, outage: &Outage<'_, 'h>) -> Option<&'v Exchange<'h>> {
    view.api_calls(outage.last, outage.until).find(|x| x.answered(2))
}

fn retry_01(view: &View<'_>) -> Finding {
    let Some(outage) = outage(view) else { return none(view) };
    let marked =
        view.statuses().find(|(mark, state, _)| *mark > outage.first && *mark < outage.until && *state == Some(Status::Disconnected));
    if let Some((mark, ..)) = marked {
        return Finding::fail("the status says that the user must reauthenticate, for a fault that passes", vec![outage.first.n, mark.n]);
    }
    if let Some(token) = outage.faults[0].token_name() {
        let holds = |what: &What| stored(what, token);
        let before = view.events().filter(|(mark, _)| *mark < outage.first).filter_map(|(m, w)| holds(w).map(|h| (m, h))).last();
        let during = view.events().filter(|(mark, _)| *mark > outage.first && *mark < outage.until);
        // A scan after the token was rotated away rightly finds none.
        let rotated = view.refreshes(outage.last, outage.until).find(|x| x.pair().is_some()).map_or(Mark::END, |x| x.arrived);
        let lost = during.filter(|(mark, _)| *mark < rotated).filter_map(|(m, w)| holds(w).map(|h| (m, h))).find(|(_, held)| !held);
        if let (Some((b, true)), Some((a, _))) = (before, lost) {
            return Finding::fail(format!("{token} was purged for a fault that passes"), vec![b.n, outage.first.n, a.n]);
        }
    }
    if outage.faults.len() < 2 {
        return Finding::undecided("the fault was met only once");
    }
    match works_again(view, &outage) {
        Some(x) => Finding::pass("nothing was purged or marked, and it went on afterwards", vec![outage.first.n, x.arrived.n]),
        None => Finding::undecided("the subject did not work again when the provider was back"),
    }
}

fn stored(what: &What, token: &str) -> Option<bool> {
    let What::StorageScanned { found, .. } = what else { return None };
    Some(
        found.iter().any(|f| {
            f.canary == token && f.form != CanaryForm::Prefix && matches!(f.place, Place::File(_) | Place::Row(_) | Place::Dump(_))
        }),
    )
}

const MOST: usize = 5;

fn retry_02(view: &View<'_>) -> Finding {
    let Some(outage) = outage(view) else { return none(view) };
    let mut bursts: Vec<Vec<&Exchange<'_>>> = Vec::new();
    let mut stimulus = None;
    for x in &outage.faults {
        let cause = view.stimulus_before(x.began);
        match bursts.last_mut() {
            Some(burst) if cause == stimulus => burst.push(x),
            _ => bursts.push(vec![x]),
        }
        stimulus = cause;
    }
    // Triggers delivered together are each entitled to their attempts.
    let together = view.triggers(START, outage.last).count().max(1);
    for burst in &bursts {
        let from = view.stimulus_before(burst[0].began);
        let entitled = MOST * from.map_or(1, |s| simultaneous(view, s, burst[0].arrived)).min(together).max(1);
        if burst.len() > entitled && !grows(burst) {
            let cited = burst.iter().take(8).map(|x| x.arrived.n).collect();
            return Finding::fail(format!("{} attempts on one stimulus, and the pauses between them do not grow", burst.len()), cited);
        }
    }
    Finding::pass(
        format!("{} attempts in {} bursts", outage.faults.len(), bursts.len()),
        outage.faults.iter().take(8).map(|x| x.arrived.n).collect(),
    )
}

/// Triggers whose calls were open at the same time as `stimulus`.
fn simultaneous(view: &View<'_>, stimulus: Mark, until: Mark) -> usize {
    let open = |c: &&crate::judge::Call<'_>| c.called <= until && c.answered.is_none_or(|(end, _)| end >= stimulus);
    view.calls.iter().filter(open).count()
}

/// Each pause is at least nine tenths of the one before, and the last is at least twice the first.
fn grows(burst: &[&Exchange<'_>]) -> bool {
    let gaps: Vec<u64> = burst.windows(2).map(|p| p[1].began.saturating_sub(p[0].began)).collect();
    let steady = gaps.windows(2).all(|g| g[1] >= g[0] / 10 * 9);
    steady && gaps.last().zip(gaps.first()).is_some_and(|(last, first)| *last >= 2 * *first)
}

fn retry_04(view: &View<'_>) -> Finding {
    let Some(outage) = outage(view) else { return none(view) };
    let end = view.restart_after(outage.first).unwrap_or(Mark::END).min(outage.until);
    if let Some(x) = view.api_calls(outage.last, end).find(|x| x.answered(2)) {
        return Finding::pass("it went on by itself when the provider was back", vec![outage.last.n, x.arrived.n]);
    }
    let over = view
        .events()
        .find(|(mark, what)| *mark > outage.last && matches!(what, What::Settled { .. }))
        .map_or(outage.last, |(mark, _)| mark);
    match control::delivered(view, control::MAIN, over, end, 2) {
        Ok(stimuli) => Finding::fail(
            "the provider was back and work was asked for, but no API call succeeded",
            [vec![outage.last.n], stimuli].concat(),
        ),
        Err(reason) => Finding::undecided(format!("no API call succeeded after the fault; {reason}")),
    }
}

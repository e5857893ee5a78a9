//! RETRY: what to do about a fault that passes.

pub(super) mod bursts;
mod hung;
mod lost;
mod redirect;
mod wait;

use regrant_mock_server::fault::scenario::Status;

use super::{Finding, Level::*, Requirement, Scope, Severity::*, shared::*};
use crate::{
    evidence::{CanaryForm, Outcome, Place, What},
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
        undecided: "The fault was met fewer than twice, the subject did not work again when the provider was back, or there is no `[status]`.",
        remedy: "Decide by the presence of an OAuth error in the answer: without one, keep everything and try again later.",
        declarable: true,
        scope: Scope::Connection,
        check: retry_01,
    },
    Requirement {
        id: "RETRY-02",
        level: Must,
        severity: Error,
        sentence: "makes at most 5 attempts per stimulus, and attempts without a stimulus grow further apart",
        sources: &["Pleo, Centralised token refresh: exponential backoff", "Pleo, How to refresh tokens: no endless retry"],
        why: "1,600 refreshes in 38 minutes: a loop without a pause meets a provider that is already in trouble.",
        observed: "Refresh requests between one rest and the next while the fault lasts, against five for each stimulus and each tick of a declared timer; beyond that, whether the gaps between them grow.",
        undecided: "No fault was met; or the attempts may come from a timer that the manifest does not declare (`features.period`).",
        remedy: "Bound the attempts, double the pause, then leave the work in the queue for its next turn.",
        declarable: true,
        scope: Scope::Connection,
        check: retry_02,
    },
    wait::RETRY_03,
    Requirement {
        id: "RETRY-04",
        level: Must,
        severity: Error,
        sentence: "recovers when the provider is back, without a restart and without a new consent",
        sources: &["Pleo, Centralised token refresh", "Pleo, Authentication overview: handle transient connection trouble gracefully"],
        why: "The client gives up after the third failure and stays given up until somebody restarts it.",
        observed: "API calls that succeed after the last fault and before a restart, although work was accepted at least twice.",
        undecided: "No fault was met, work was accepted fewer than twice afterwards, or a back-off that doubles with each failure may not have been over (a minute is its longest).",
        remedy: "Do not latch a transient failure: the next piece of work tries again.",
        declarable: true,
        scope: Scope::Connection,
        check: retry_04,
    },
    hung::RETRY_05,
    redirect::RETRY_06,
    lost::RETRY_07,
];

struct Outage<'v, 'h> {
    faults: Vec<&'v Exchange<'h>>,
    first: Mark,
    last: Mark,
    /// The next thing that decides about the connection.
    until: Mark,
}

fn outage<'v, 'h>(view: &'v View<'h>) -> Option<Outage<'v, 'h>> {
    let faults: Vec<_> = view.exchanges.iter().filter(|x| x.is_refresh() && x.met_transient_fault()).collect();
    let first = faults.first()?.arrived;
    let until = outcome_after(view, first);
    let faults: Vec<_> = faults.into_iter().filter(|x| x.arrived < until).collect();
    let last = faults.last()?.arrived;
    Some(Outage { faults, first, last, until })
}

fn none(view: &View<'_>) -> Finding {
    unrealised(view, "no refresh met a transient fault in this story")
}

/// The first API call that succeeded after the last fault.
fn works_again<'v, 'h>(view: &'v View<'h>, outage: &Outage<'_, 'h>, end: Mark) -> Option<&'v Exchange<'h>> {
    view.api_calls(outage.last, end).find(|x| x.answered(2))
}

fn retry_01(view: &View<'_>) -> Finding {
    let Some(outage) = outage(view) else { return none(view) };
    let within = |mark: Mark| mark > outage.first && mark < outage.until;
    let marked = view.statuses().find(|(mark, state, _)| within(*mark) && *state == Some(Status::Disconnected));
    if let Some((mark, ..)) = marked {
        return Finding::fail("the status says that the user must reauthenticate, for a fault that passes", vec![outage.first.n, mark.n]);
    }
    if let Some((token, before, after)) = purged(view, &outage) {
        return Finding::fail(format!("{token} was purged for a fault that passes"), vec![before.n, outage.first.n, after.n]);
    }
    if outage.faults.len() < 2 {
        return Finding::undecided("the fault was met only once");
    }
    let Some(x) = works_again(view, &outage, outage.until) else {
        return Finding::undecided("the subject did not work again when the provider was back");
    };
    if !view.terms.status || !view.terms.status_disconnected {
        return Finding::locked("nothing was purged; whether the connection was marked is not known", "[status] with status.disconnected");
    }
    match view.statuses().find(|(mark, state, _)| within(*mark) && state.is_some()) {
        Some((mark, ..)) => {
            Finding::pass("nothing was purged or marked, and it went on afterwards", vec![outage.first.n, mark.n, x.arrived.n])
        }
        None => Finding::undecided("the status was not read during the fault, or matched none of the patterns"),
    }
}

/// The token that met the fault was in storage before, and is not any more, though nothing replaced it.
fn purged<'h>(view: &View<'h>, outage: &Outage<'_, 'h>) -> Option<(&'h str, Mark, Mark)> {
    let token = outage.faults[0].token_name()?;
    let scans: Vec<(Mark, bool)> = view.events().filter_map(|(mark, what)| stored(what, token).map(|held| (mark, held))).collect();
    let before = scans.iter().rfind(|(mark, _)| *mark < outage.first).filter(|(_, held)| *held)?.0;
    let replaced = view.exchanges.iter().find(|x| x.issued_in().is_some() && x.arrived > outage.first).map_or(Mark::END, |x| x.arrived);
    let lost = scans.iter().find(|(mark, held)| *mark > outage.first && *mark < outage.until.min(replaced) && !held)?.0;
    Some((token, before, lost))
}

/// Whether a search of the storage found the token; none if it was no search, or not everything could be read.
fn stored(what: &What, token: &str) -> Option<bool> {
    let What::StorageScanned { found, unread, .. } = what else { return None };
    let held = found
        .iter()
        .any(|f| f.canary == token && f.form != CanaryForm::Prefix && matches!(f.place, Place::File(_) | Place::Row(_) | Place::Dump(_)));
    (held || unread.is_empty()).then_some(held)
}

/// Attempts that one stimulus entitles to.
const MOST: usize = 5;

fn retry_02(view: &View<'_>) -> Finding {
    let Some(outage) = outage(view) else { return none(view) };
    if let Some(finding) = bursts::unbounded(view, &outage.faults, MOST) {
        return finding;
    }
    Finding::pass(
        format!("{} attempts in {} bursts", outage.faults.len(), bursts::bursts(view, &outage.faults).len()),
        outage.faults.iter().take(8).map(|x| x.arrived.n).collect(),
    )
}

fn retry_04(view: &View<'_>) -> Finding {
    let Some(outage) = outage(view) else { return none(view) };
    let same_process = !view.terms.one_shot && !view.terms.restarts_on_exit;
    let restart = view.restart_after(outage.first).filter(|_| same_process).unwrap_or(Mark::END);
    let end = restart.min(outage.until);
    if let Some(x) = works_again(view, &outage, end) {
        return Finding::pass("it went on by itself when the provider was back", vec![outage.last.n, x.arrived.n]);
    }
    // Work that was refused meanwhile may have been refused for a pause that is still running; before the rule had ended nothing could succeed.
    let over = view.settled_after(outage.last).unwrap_or(outage.last);
    let back = view.marks(|what| matches!(what, What::RuleEnded { .. })).into_iter().find(|mark| *mark > outage.last);
    let over = back.map_or(over, |back| back.max(over));
    let accepted: Vec<u32> = view
        .triggers(over, end)
        .filter(|c| control::is_from(c, control::MAIN) && c.outcome() == Some(Outcome::Accepted))
        .map(|c| c.called.n)
        .collect();
    if accepted.len() < 2 {
        return Finding::undecided("no API call succeeded after the fault, and work was accepted fewer than twice after it");
    }
    if let Some(wait) = bursts::still_waits(view, &outage.faults, end) {
        return Finding::undecided(format!(
            "no API call succeeded after the fault, but after {} failures a pause may last {wait} s, and it was not given so long",
            outage.faults.len()
        ));
    }
    Finding::fail("the provider was back and work was accepted, but no API call succeeded", [vec![outage.last.n], accepted].concat())
}

#[cfg(test)]
mod tests;

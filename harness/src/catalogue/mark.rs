//! MARK: what the subject says of its connection.

use regrant_mock_server::fault::scenario::Status;

use super::{Finding, Level::*, Requirement, Scope, Severity::*, Verdict, others, shared::*};
use crate::judge::{Death, Ended, Mark, View, control};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "MARK-01",
        level: Must,
        severity: Error,
        sentence: "shows the connection as unauthenticated, in agreement with the wire",
        sources: &["Pleo, How to handle token expiry or revocation, step 2: mark the connection as unauthenticated"],
        why: "Status is computed from \"there is a row\" or \"there is a token string\": connected, says the page, while nothing has worked for two days.",
        observed: "`status` while connected, and after the refusal once the subject has settled.",
        undecided: "No `[status]`; or it never read connected; or its answer matches none of the manifest's patterns.",
        remedy: "Keep the state as a fact of its own, written when a refresh is refused; never derive it from the presence of a token.",
        declarable: false,
        scope: Scope::Connection,
        check: mark_01,
    },
    Requirement {
        id: "MARK-02",
        level: Must,
        severity: Error,
        sentence: "still shows it after a restart",
        sources: &["Pleo, How to handle token expiry or revocation, step 2: mark the connection as unauthenticated"],
        why: "The mark lived in memory; after the restart the row in the database says connected again.",
        observed: "`status` after a restart while the connection is still dead.",
        undecided: "No `[status]`, no restart, the trigger was not answered twice after it, or nothing shows that the subject was still alive.",
        remedy: "Store the mark in the same row as the connection.",
        declarable: true,
        scope: Scope::Connection,
        check: mark_02,
    },
    Requirement {
        id: "MARK-03",
        level: Must,
        severity: Error,
        sentence: "clears the mark after reconnection, and it stays cleared",
        sources: &["Pleo, How to handle token expiry or revocation, step 4: a clear recovery path"],
        why: "A latch that nobody resets, or a health check that was under way during the reconnection, shows a working connection as dead.",
        observed: "`status` after the user reconnected, as long as nothing else ends the connection.",
        undecided: "No `[status]`, the mark was never seen, or the user's reconnection did not succeed on the wire.",
        remedy: "Clear the mark in the transaction that stores the new pair.",
        declarable: true,
        scope: Scope::Connection,
        check: mark_03,
    },
    Requirement {
        id: "MARK-04",
        level: Must,
        severity: Error,
        sentence: "marks only the affected connection",
        sources: &["Pleo, Authorisation: a token belongs to one company; a company's consent is its own"],
        why: "One customer revokes access, and every customer's dashboard asks to reconnect: the state was kept per integration, not per connection.",
        observed: "The `status` of the other connections after one of them ended, as long as nothing ends them.",
        undecided: "No `[status]`; or `features.connections` names fewer than two; or the other connection's status was never read as connected before.",
        remedy: "Key the state by connection, and change it only through the grant whose refresh was refused.",
        declarable: true,
        scope: Scope::Subject,
        check: mark_04,
    },
];

/// The manifest must tell how to read the state.
fn readable(view: &View<'_>) -> Option<Finding> {
    if !view.terms.status {
        return Some(Finding::locked("the subject's status is not known", "[status]"));
    }
    if !view.terms.status_disconnected {
        return Some(Finding::locked("it is not known how the status reads when the user must reauthenticate", "status.disconnected"));
    }
    None
}

fn was_connected(view: &View<'_>, death: &Death) -> bool {
    view.statuses().any(|(mark, state, _)| mark < death.asked && state == Some(Status::Connected))
}

fn shown(view: &View<'_>, death: &Death, from: Mark, until: Mark, when: &str) -> Finding {
    let Some((mark, state, raw)) = view.statuses().rfind(|(mark, ..)| *mark > from && *mark < until) else {
        return Finding::undecided(format!("the status was not read {when}"));
    };
    let cited = vec![death.refused.n, mark.n];
    let wrong = |reason: String| if death.at_rest { Finding::fail(reason, cited.clone()) } else { not_at_rest() };
    match state {
        Some(Status::Disconnected) => Finding::pass(format!("the status says so {when}"), cited),
        Some(Status::Connected) => wrong(format!("the status still says connected {when}")),
        Some(Status::Broken) => wrong(format!("the status says broken {when}, not that the user must reauthenticate")),
        None => Finding::undecided(format!("the status {when} matches none of the patterns: {raw}")),
    }
}

fn mark_01(view: &View<'_>) -> Finding {
    if let Some(finding) = readable(view) {
        return finding;
    }
    each_death(view, Ended::Grant, |death| {
        let Some(settled) = death.settled else { return not_at_rest() };
        if !was_connected(view, death) {
            return Finding::undecided("the status never said connected before the refusal");
        }
        shown(view, death, settled, death.process_until, "after the refusal")
    })
}

fn mark_02(view: &View<'_>) -> Finding {
    if let Some(finding) = readable(view) {
        return finding;
    }
    each_death(view, Ended::Grant, |death| {
        let Some(restarted) = death.restarted else { return not_restarted(view) };
        if !was_connected(view, death) {
            return Finding::undecided("the status never said connected before the refusal");
        }
        let finding = shown(view, death, restarted, death.until, "after the restart");
        if finding.verdict != Verdict::Pass {
            return finding;
        }
        if let Some(finding) = forgotten(view, death, restarted) {
            return finding;
        }
        let alive = control::delivered(view, control::MAIN, restarted, death.until, 2, "after the restart")
            .and_then(|_| control::again(view, death, control::MAIN));
        alive.map_or_else(Finding::undecided, |()| finding)
    })
}

/// At rest after the restart it says connected, whatever it learns anew afterwards.
fn forgotten(view: &View<'_>, death: &Death, restarted: Mark) -> Option<Finding> {
    let rest = view.rest_after(restarted).filter(|rest| rest.quiet && death.at_rest)?;
    let (mark, ..) =
        view.statuses().find(|(mark, state, _)| *mark > rest.mark && *mark < death.until && *state == Some(Status::Connected))?;
    Some(Finding::fail("started anew, it says connected again: the mark was not kept", vec![death.refused.n, restarted.n, mark.n]))
}

fn mark_03(view: &View<'_>) -> Finding {
    if let Some(finding) = readable(view) {
        return finding;
    }
    each_death(view, Ended::Grant, |death| {
        if death.until == Mark::END {
            return Finding::undecided("the user did not reconnect");
        }
        let marked = view.statuses().any(|(mark, state, _)| mark > death.knew && mark < death.until && state == Some(Status::Disconnected));
        if !marked {
            return Finding::undecided("the mark was not seen before the reconnection");
        }
        let Some((_, back)) = view.back_after(death.until) else {
            return Finding::undecided("the reconnection did not succeed on the wire");
        };
        let Some(rest) = view.rest_after(back).filter(|rest| rest.quiet) else {
            return Finding::undecided("the subject did not come to rest after the reconnection");
        };
        let died = view.deaths.iter().map(|d| d.asked).find(|asked| *asked > back).unwrap_or(Mark::END);
        let next = view.disturbed_after(back).min(died);
        let readings: Vec<_> = view.statuses().filter(|(mark, ..)| *mark > rest.mark && *mark < next).collect();
        let wrong = readings.iter().find(|(_, state, _)| matches!(state, Some(Status::Disconnected | Status::Broken)));
        match (wrong, readings.last()) {
            (Some((mark, ..)), _) => {
                Finding::fail("the status still says that it does not work after the reconnection", vec![back.n, mark.n])
            }
            (None, Some((mark, Some(Status::Connected), _))) => {
                Finding::pass("the status says connected after the reconnection", vec![back.n, mark.n])
            }
            (None, Some((_, _, raw))) => {
                Finding::undecided(format!("the status after the reconnection matches none of the patterns: {raw}"))
            }
            (None, None) => Finding::undecided("the status was not read after the reconnection"),
        }
    })
}

fn mark_04(view: &View<'_>) -> Finding {
    if let Some(finding) = others::wanted(view).or_else(|| readable(view)) {
        return finding;
    }
    others::each(view, |other| {
        let before = other.view.statuses().rfind(|(mark, ..)| *mark < other.knew);
        let Some((before, Some(Status::Connected), _)) = before else {
            return Finding::undecided(format!("the status of {} did not say connected before", other.name));
        };
        let after: Vec<_> = other.view.statuses().filter(|(mark, ..)| *mark > other.settled && *mark < other.until).collect();
        let wrong = after.iter().find(|(_, state, _)| matches!(state, Some(Status::Disconnected | Status::Broken)));
        match (wrong, after.last()) {
            (Some((mark, ..)), _) => {
                let reason = format!("the status of {} says that it does not work, though only {} ended", other.name, other.ended);
                Finding::fail(reason, vec![other.refused.n, mark.n])
            }
            (None, Some((mark, Some(Status::Connected), _))) => Finding::pass(
                format!("{} stays connected while {} has ended", other.name, other.ended),
                vec![before.n, other.refused.n, mark.n],
            ),
            (None, _) => Finding::undecided(format!("the status of {} was not read as connected after {} ended", other.name, other.ended)),
        }
    })
}

#[cfg(test)]
mod tests;

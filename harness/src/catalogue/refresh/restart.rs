//! What a restart does to a connection that is well.

use regrant_mock_server::fault::scenario::Status;

use super::super::{Finding, Level, Requirement, Scope, Severity, shared::*};
use crate::{
    catalogue::Verdict,
    evidence::{Outcome, Verb, What},
    judge::{Mark, View, control},
};

pub(super) const REFRESH_13: Requirement = Requirement {
    id: "REFRESH-13",
    level: Level::Must,
    severity: Severity::Error,
    sentence: "keeps a healthy connection across a restart, also one longer than the access token's life",
    sources: &["Pleo, How to refresh tokens: persist both tokens after each success"],
    why: "A deployment took five minutes longer than an access token lives. At the start the integration found an expired token, threw the pair away, and every customer had to connect again.",
    observed: "The subject is restarted while the grant is good, once right away and once after its access token has run out: whether it works again without a new consent.",
    undecided: "The subject was not restarted while its connection was well, or work was accepted fewer than twice afterwards.",
    remedy: "Keep the refresh token with the access token; an expired access token at the start is a reason to refresh, nothing else.",
    declarable: true,
    scope: Scope::Connection,
    check: refresh_13,
};

fn refresh_13(view: &View<'_>) -> Finding {
    if !view.terms.restartable && !view.terms.one_shot {
        return Finding::locked("the subject cannot be restarted by the harness", "[start] run = [...]");
    }
    let Some(prologue) = view.prologue_end() else { return unrealised(view, "the story did not begin") };
    // A one-shot program starts anew with every piece of work.
    let starts = if view.terms.one_shot { vec![prologue] } else { view.starts() };
    let starts = starts.into_iter().filter(|&start| start >= prologue && was_well(view, prologue, start));
    let findings: Vec<_> = starts.map(|start| stays_well(view, start)).collect();
    let failed = findings.iter().find(|finding| finding.verdict == Verdict::Fail).cloned();
    // The one that the story is about comes first.
    failed
        .or(findings.into_iter().next())
        .unwrap_or_else(|| unrealised(view, "the subject was not restarted while its connection was well"))
}

/// Nothing has happened to the connection that restarting could be blamed for.
fn was_well(view: &View<'_>, from: Mark, start: Mark) -> bool {
    let worked = view.api_calls(START, start).any(|x| x.answered(2));
    let shown = view.statuses().rfind(|(mark, ..)| *mark < start).is_none_or(|(_, state, _)| state != Some(Status::Disconnected));
    worked && shown && touched_after(view, from) > start && view.deaths.iter().all(|death| death.asked > start)
}

/// The next thing that the user, the provider or a fault does to the connection.
fn touched_after(view: &View<'_>, from: Mark) -> Mark {
    let touches = |what: &What| {
        matches!(
            what,
            What::Revoked { .. }
                | What::Expired { refresh: true, .. }
                | What::SecretRotated { .. }
                | What::ClockMoved { .. }
                | What::Faulted { .. }
                | What::Held { .. }
                | What::VerbCalled { verb: Verb::Connect | Verb::Disconnect, .. }
                | What::ProcessStopping { kill: true, .. }
        )
    };
    view.events().find(|(mark, what)| *mark > from && touches(what)).map_or(Mark::END, |(mark, _)| mark)
}

fn stays_well(view: &View<'_>, start: Mark) -> Finding {
    let end = touched_after(view, start).min(view.restart_after(start).unwrap_or(Mark::END));
    if let Some(x) = view.api_calls(start, end).find(|x| x.answered(2)) {
        let refreshed = view.refreshes(start, x.arrived).any(|x| x.pair().is_some());
        let how = if refreshed { "it refreshed and worked again" } else { "it worked again" };
        return Finding::pass(format!("after the restart {how}, without a new consent"), vec![start.n, x.arrived.n]);
    }
    let rest = view.rests.iter().rfind(|rest| rest.mark > start && rest.mark < end);
    let Some(rest) = rest else { return Finding::undecided("the subject did not come to rest after the restart") };
    let shown = view.statuses().rfind(|(mark, ..)| *mark > rest.mark && *mark < end);
    if let Some((mark, Some(Status::Disconnected), _)) = shown {
        return Finding::fail("after a restart it wants the user to reauthenticate, though the grant is good", vec![start.n, mark.n]);
    }
    let accepted: Vec<u32> = view
        .triggers(start, rest.mark)
        .filter(|call| control::is_from(call, control::MAIN) && call.outcome() == Some(Outcome::Accepted))
        .map(|call| call.called.n)
        .collect();
    if accepted.len() < 2 {
        return Finding::undecided("after the restart no API call succeeded, and work was accepted fewer than twice");
    }
    let reason = "after a restart it does not work any more: work was accepted, and no API call succeeded";
    Finding::fail(reason, [vec![start.n], accepted].concat())
}

#[cfg(test)]
mod tests {
    use regrant_mock_server::fault::scenario::Status;

    use crate::{evidence::Outcome, judge::testing::*};

    fn restarted() -> Story {
        Story::connected().restarted()
    }

    #[test]
    fn a_subject_that_goes_on_passes_refreshed_or_not() {
        restarted().works().rest().passes("REFRESH-13");
        let refreshed = restarted().trigger().refreshes().delivers().answered(Outcome::Accepted).rest();
        assert!(refreshed.passes("REFRESH-13").reason.contains("refreshed and worked again"));
        Story::connected().works().rest().terms(|t| t.one_shot = true).passes("REFRESH-13");
    }

    #[test]
    fn a_subject_that_wants_a_new_consent_fails() {
        let story = restarted().with(|s| s.subject.says = Some(Status::Disconnected));
        story.asked_in_vain(1).rest().fails("REFRESH-13", "wants the user to reauthenticate");
    }

    #[test]
    fn a_subject_that_does_nothing_any_more_fails_and_one_that_declines_is_undecided() {
        restarted().asked_in_vain(2).rest().fails("REFRESH-13", "does not work any more");
        restarted().declines(2).rest().undecided("REFRESH-13", "fewer than twice");
        restarted().asked_in_vain(2).undecided("REFRESH-13", "did not come to rest");
    }

    #[test]
    fn what_the_grant_the_user_or_a_fault_did_is_not_the_restart() {
        Story::honest().undecided("REFRESH-13", "not restarted while its connection was well");
        let revoked = Story::connected().revoked().rejected().restarted().trigger().refused("invalid_grant").gives_up();
        revoked.answered(Outcome::Accepted).rest().asked_in_vain(2).rest().is_not_accused(&["REFRESH-13"]);
        let fault = restarted().trigger().faulted(Answer::Unavailable).answered(Outcome::Accepted).rest().asked_in_vain(2).rest();
        fault.is_not_accused(&["REFRESH-13"]);
        Story::connected().works().terms(|t| t.restartable = false).undecided("REFRESH-13", "cannot be restarted");
    }
}

//! Old and new secret overlap: nobody should notice.

use regrant_mock_server::fault::scenario::Status;

use super::renewed::{self, handed, is_barred, sends_another, token_requests};
use crate::{
    catalogue::{Finding, shared::*},
    evidence::{Phase, What},
    judge::{Ended, Exchange, Mark, View},
};

pub(super) fn rotate_06(view: &View<'_>) -> Finding {
    let handed = match handed(view, START) {
        Ok(handed) => handed,
        Err(finding) => return finding,
    };
    let over = view.marks(|what| matches!(what, What::ClockMoved { .. } | What::SecretEnds { .. })).into_iter().find(|m| *m > handed.at);
    let end = view
        .events()
        .find(|(mark, what)| {
            *mark > handed.at
                && matches!(
                    what,
                    What::PhaseBegan { phase: Phase::Epilogue } | What::VerbCalled { verb: crate::evidence::Verb::Connect, .. }
                )
        })
        .map_or(Mark::END, |(mark, _)| mark);
    let within = |mark: Mark| mark > handed.at && mark < end;
    let early = view.exchanges.iter().find(|x| is_barred(x) && x.arrived > handed.rotated && x.arrived < handed.at);
    if early.is_some() {
        return unrealised(view, "the client was refused before the subject was given the new secret: there was no overlap in this story");
    }
    if let Some(death) = view.deaths.iter().find(|d| d.ended == Ended::Grant && d.asked < end) {
        return Finding::undecided(format!("the grant ended in this story, with {}", death.error));
    }
    let barred = token_requests(view, handed.at).find(|x| is_barred(x) && within(x.arrived));
    if let Some(x) = barred {
        let cited = vec![handed.at.n, x.arrived.n];
        return if sends_another(x, handed.secret) {
            renewed::still_old(view, "it was given the new secret in time and still presented the old one when that had ended", cited)
        } else {
            Finding::fail("its credentials were refused though the new secret worked all the time", cited)
        };
    }
    let refreshed = |from: Mark, until: Mark| -> Option<(&Exchange<'_>, &Exchange<'_>)> {
        let granted = view.refreshes(from, until).find(|x| x.pair().is_some())?;
        let since = granted.replied.map(|(mark, ..)| mark)?;
        view.api_calls(since, until).find(|x| x.answered(2)).map(|call| (granted, call))
    };
    if refreshed(handed.rotated, handed.at).is_none() {
        return unrealised(view, "the subject did not refresh under the old secret while both worked");
    }
    let first = refreshed(handed.at, over.unwrap_or(end));
    let second = over.and_then(|over| refreshed(over, end));
    if let (Some((granted, call)), Some((later, last))) = (first, second) {
        let cited = vec![handed.rotated.n, handed.at.n, granted.arrived.n, call.arrived.n, later.arrived.n, last.arrived.n];
        return shown_down(view, handed.at, end).unwrap_or_else(|| Finding::pass("the work went on under both secrets and after", cited));
    }
    shown_down(view, handed.at, end)
        .or_else(|| stood_still(view, handed.at, end))
        .unwrap_or_else(|| unrealised(view, "the subject did not refresh both while the secrets overlapped and after the old one's end"))
}

/// Its status says that it does not work, though nothing was done to it but the rotation.
fn shown_down(view: &View<'_>, from: Mark, until: Mark) -> Option<Finding> {
    let rest = view.rest_after(from).filter(|rest| rest.quiet && rest.mark < until)?;
    let down = |state: Option<Status>| matches!(state, Some(Status::Disconnected | Status::Broken));
    let (mark, ..) = view.statuses().find(|(mark, state, _)| *mark > rest.mark && *mark < until && down(*state))?;
    Some(Finding::fail("the status says that it does not work, though one of its secrets always did", vec![from.n, mark.n]))
}

/// Work was asked for at least twice, each time the subject came to rest, and no call was made.
fn stood_still(view: &View<'_>, from: Mark, until: Mark) -> Option<Finding> {
    let asked: Vec<_> = view.triggers(from, until).filter(|call| call.was_answered()).collect();
    let [_, .., last] = asked.as_slice() else { return None };
    let rested = view.rests.iter().any(|rest| rest.quiet && rest.mark > last.called && rest.mark < until);
    let silent = view.api_calls(from, until).next().is_none() && token_requests(view, from).all(|x| x.arrived > until);
    (rested && silent).then(|| {
        let reason = "no call was made after the new secret was given, though work was asked for and both secrets worked";
        Finding::fail(reason, [vec![from.n], asked.iter().map(|call| call.called.n).collect()].concat())
    })
}

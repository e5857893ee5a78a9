//! DETECT-05: what a good token is denied, another refresh does not mend.

use regrant_mock_server::authority::TokenState;

use crate::{
    catalogue::{Finding, retry::bursts, shared::*},
    judge::{Exchange, Mark, View, control},
};

/// Refreshes that one stimulus entitles to: one for the call that met the denial, one for its repetition.
const MOST: usize = 2;

/// A time in which the API denied a token that was good.
pub(super) struct Denial<'v, 'h> {
    /// The calls that were denied.
    pub(super) calls: Vec<&'v Exchange<'h>>,
    /// The first of them.
    pub(super) first: Mark,
    /// When the user or the provider did something else to the connection.
    pub(super) until: Mark,
}

/// The first such time: calls answered with one of these statuses though their token was active.
pub(super) fn denial<'v, 'h>(view: &'v View<'h>, statuses: &[u16]) -> Option<Denial<'v, 'h>> {
    let denied = |x: &&Exchange<'_>| {
        x.token_state() == Some(TokenState::Active) && x.replied.is_some_and(|(_, status, _)| statuses.contains(&status))
    };
    let first = view.api_calls(START, Mark::END).find(denied)?.arrived;
    let until = touched_after(view, first);
    let calls: Vec<_> = view.api_calls(START, until).filter(denied).collect();
    Some(Denial { calls, first, until })
}

/// (c) of the sandwich where nothing died: after the reconnection the trigger causes work again.
pub(super) fn again(view: &View<'_>, from: Mark) -> Result<Mark, String> {
    let back = view.reconnection_after(from).ok_or("the user did not reconnect")?.called;
    let same_process = !view.terms.one_shot && !view.terms.restarts_on_exit;
    let end = view.restart_after(back).filter(|_| same_process).unwrap_or(Mark::END);
    let worked = view.api_calls(back, end).find(|x| x.answered(2));
    match worked.filter(|_| control::caused_work(view, control::MAIN, back, end)) {
        Some(x) => Ok(x.arrived),
        None => Err(format!("after the reconnection `{}` caused no API call again", control::MAIN)),
    }
}

pub(super) fn detect_05(view: &View<'_>) -> Finding {
    let Some(denial) = denial(view, &[401, 403]) else { return unrealised(view, "the API denied no token that was good in this story") };
    let calm = view.rests.iter().rfind(|rest| rest.quiet && rest.mark < denial.first).map_or(START, |rest| rest.mark);
    let refreshes: Vec<_> = view.refreshes(calm, denial.until).filter(|x| x.pair().is_some()).collect();
    if let Some(finding) = bursts::unbounded(view, &refreshes, MOST) {
        let reason = format!("while the API denied good tokens it refreshed over and over: {}", finding.reason);
        return Finding { reason, ..finding };
    }
    let fresh = |x: &&&Exchange<'_>| {
        view.exchanges.iter().any(|y| y.is_refresh() && y.pair().is_some_and(|(access, _)| Some(access) == x.token_name()))
    };
    let Some(denied) = denial.calls.iter().find(fresh) else {
        return Finding::undecided("the API denied no token that a refresh had given");
    };
    let met = |x: &&Exchange<'_>| matches!(x.replied, Some((_, 401 | 403, _)));
    if view.api_calls(calm, denial.until).filter(met).count() < 2 {
        return Finding::undecided("the API denied a call only once");
    }
    match again(view, denial.first) {
        Ok(worked) => Finding::pass(
            format!("{} refreshes while the API denied good tokens {} times", refreshes.len(), denial.calls.len()),
            vec![denial.first.n, denied.arrived.n, worked.n],
        ),
        Err(reason) => Finding::undecided(reason),
    }
}

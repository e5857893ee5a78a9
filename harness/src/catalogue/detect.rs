//! DETECT: what the subject must take as the end of its grant, and what not yet.

use regrant_mock_server::fault::scenario::Status;

use super::{Finding, Level::*, Requirement, Severity::*, shared::*, stop};
use crate::{
    evidence::What,
    judge::{Death, Ended, Mark, View, control},
};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "DETECT-01",
        level: Must,
        severity: Error,
        sentence: "takes a refresh refused with `invalid_grant` as the end of the grant, whatever the cause",
        sources: &[
            "Pleo, Handling Refresh Token Expiry or Revocation: detecting",
            "Pleo, How to handle token expiry or revocation, step 1",
        ],
        why: "A refusal that is filed under \"refresh failed, try again later\" stays unseen: one pool of accounts looked healthy for 43 hours while every refresh was refused.",
        observed: "What the subject did with the refusal: its status changed, or it stopped presenting the token and calling the API although it was asked to work.",
        undecided: "The refusal never came about, or the subject was not asked to work afterwards.",
        remedy: "Read the `error` member of the token endpoint's answer, not its text or status alone, and treat invalid_grant as final in one place.",
        declarable: false,
        check: |view| detected(view, |error| error == "invalid_grant"),
    },
    Requirement {
        id: "DETECT-02",
        level: Must,
        severity: Error,
        sentence: "takes a refresh refused with `invalid_token` as the end of the grant, with status 400 and with 401",
        sources: &["Pleo, Handling Refresh Token Expiry or Revocation: the token endpoint returns invalid_grant or invalid_token"],
        why: "Pleo names two codes. A client that knows only the RFC's one, or only status 400, loops for ever on the other (spring-security#12309).",
        observed: "As for DETECT-01, with the answer `invalid_token`.",
        undecided: "The refusal never came about, or the subject was not asked to work afterwards.",
        remedy: "Make the list of final codes a list: invalid_grant, invalid_token, invalid_refresh_token, unauthorized_client; and do not look at the status.",
        declarable: false,
        check: |view| detected(view, |error| error == "invalid_token"),
    },
    Requirement {
        id: "DETECT-04",
        level: Must,
        severity: Error,
        sentence: "on an API 401 refreshes once before it gives the connection up, even if its own clock says the token is still good, and the work is then done with the new token",
        sources: &["Pleo, How to call Pleo APIs using access tokens: decide between refreshing and restarting authorisation"],
        why: "Most libraries refresh by the clock only. When Pleo ends an access token early, every call fails until the clock runs out.",
        observed: "After the API answered 401: a refresh, then a call with the new access token that succeeds, at once or at the next turn.",
        undecided: "The API never answered 401, or the subject was not asked to work twice.",
        remedy: "On a 401 from the API, refresh once through the central component and repeat the request once; give up only if that refresh is refused.",
        declarable: false,
        check: detect_04,
    },
    Requirement {
        id: "DETECT-07",
        level: Must,
        severity: Error,
        sentence: "on an API 401 or 403 whose refresh is then refused, ends the connection",
        sources: &["Pleo, How to handle token expiry or revocation, step 1: API requests fail and the token cannot be refreshed"],
        why: "The path from an API error into the refresh is often another piece of code than the scheduled refresh, with an error handler of its own that only logs.",
        observed: "As for DETECT-01, where an API answer of 401 or 403 came first.",
        undecided: "No refresh followed the API's refusal, or the subject was not asked to work afterwards.",
        remedy: "Let both paths, the clock and the 401, go through the same function, which ends the connection when the refresh is refused.",
        declarable: false,
        check: detect_07,
    },
];

fn detected(view: &View<'_>, matches: impl Fn(&str) -> bool) -> Finding {
    if !view.deaths.iter().any(|d| matches(&d.error)) {
        return Finding::undecided(view.unrealised().unwrap_or("the refusal did not come about: the subject did not try to refresh"));
    }
    each_death(view, Ended::Grant, |death| {
        if matches(&death.error) { took_as_end(view, death) } else { Finding::pass("not judged here", Vec::new()) }
    })
}

/// Signs that the subject took a refusal as the end: its status says so, or it stopped although it was asked to work.
pub(super) fn took_as_end(view: &View<'_>, death: &Death) -> Finding {
    let Some(settled) = death.settled else { return not_at_rest() };
    let until = death.same_process_until();
    let status = view.statuses().find(|(mark, state, _)| *mark > death.knew && *mark < until && *state == Some(Status::Disconnected));
    if let Some((mark, ..)) = status {
        return Finding::pass(format!("its status says so after the refusal with {}", death.error), vec![death.refused.n, mark.n]);
    }
    let retried = stop::presentations(view, death).filter(|x| x.arrived > death.asked && x.arrived < until);
    let goes_on = control::convicting(view, settled, view.api_calls(settled, until).chain(retried));
    if !goes_on.is_empty() {
        let reason = format!("went on as before after {}: {} more requests, and no status that says otherwise", death.error, goes_on.len());
        return Finding::fail(reason, control::cite(view, death.refused, &goes_on));
    }
    match control::delivered(view, control::MAIN, settled, until, 2).and_then(|s| control::before(view, death, control::MAIN).map(|()| s)) {
        Ok(stimuli) => Finding::pass("it stopped, although it was asked to work", [vec![death.refused.n], stimuli].concat()),
        Err(reason) => Finding::undecided(reason),
    }
}

fn detect_04(view: &View<'_>) -> Finding {
    let Some(rejected) = view.marks(|w| matches!(w, What::AccessRejected { .. })).first().copied() else {
        return Finding::undecided("the API did not reject an access token in this story");
    };
    let end = view.reconnection_after(rejected).map_or(Mark::END, |c| c.called);
    let Some(met) = view.api_calls(rejected, end).find(|x| x.replied.is_some_and(|(_, status, _)| status == 401)) else {
        return Finding::undecided("no API call met the rejection");
    };
    let Some(refresh) = view.refreshes(met.arrived, end).next() else {
        return match control::delivered(view, control::MAIN, met.arrived, end, 1) {
            Ok(stimuli) => {
                let reason = "the API answered 401 and no refresh followed, though it was asked to work again";
                Finding::fail(reason, [vec![rejected.n, met.arrived.n], stimuli].concat())
            }
            Err(reason) => Finding::undecided(reason),
        };
    };
    let worked = view.api_calls(refresh.arrived, end).find(|x| x.answered(2) && x.token_name() == refresh.pair().map(|(access, _)| access));
    match worked {
        Some(call) => {
            Finding::pass("refreshed on the 401 and went on with the new token", vec![met.arrived.n, refresh.arrived.n, call.arrived.n])
        }
        None => match control::delivered(view, control::MAIN, refresh.arrived, end, 2) {
            Ok(_) => {
                Finding::fail("refreshed on the 401, but the work was not done with the new token", vec![met.arrived.n, refresh.arrived.n])
            }
            Err(reason) => Finding::undecided(reason),
        },
    }
}

fn detect_07(view: &View<'_>) -> Finding {
    let refused_at_api = |death: &Death| {
        let refused = |x: &crate::judge::Exchange<'_>| matches!(x.replied, Some((mark, 401 | 403, _)) if mark < death.asked);
        let since = view.pair_before(death.asked.at).and_then(|(x, ..)| x.replied).map_or(START, |(mark, ..)| mark);
        view.api_calls(since, death.asked).any(refused)
    };
    if !view.deaths.iter().any(|d| d.ended == Ended::Grant && refused_at_api(d)) {
        return Finding::undecided(view.unrealised().unwrap_or("no refresh was refused after the API had answered 401 or 403"));
    }
    each_death(view, Ended::Grant, |death| {
        if refused_at_api(death) { took_as_end(view, death) } else { Finding::pass("not judged here", Vec::new()) }
    })
}

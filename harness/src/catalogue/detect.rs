//! DETECT: what the subject must take as the end of its grant, and what not yet.

mod denied;
mod forbidden;
mod refusals;
mod seen;
mod stored;

use regrant_mock_server::fault::scenario::Status;

use super::{Finding, Level::*, Requirement, Scope, Severity::*, shared::*, stop};
use crate::{
    evidence::{Reply, What},
    judge::{Death, Ended, Exchange, Mark, View, control},
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
        undecided: "The refusal never came about or was never read; or the status says nothing, and the trigger was answered fewer than twice after it or caused no API call before it or after the reconnection.",
        remedy: "Read the `error` member of the token endpoint's answer, not its text or status alone, and treat invalid_grant as final in one place.",
        declarable: false,
        scope: Scope::Connection,
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
        undecided: "The refusal never came about or was never read; or the status says nothing, and the trigger was answered fewer than twice after it or caused no API call before it or after the reconnection.",
        remedy: "Make the list of final codes a list: invalid_grant, invalid_token, invalid_refresh_token, unauthorized_client; and do not look at the status.",
        declarable: false,
        scope: Scope::Connection,
        check: |view| detected(view, |error| error == "invalid_token"),
    },
    Requirement {
        id: "DETECT-03",
        level: Must,
        severity: Error,
        sentence: "does so for Pleo's other definitive refusals: `invalid_refresh_token`, `unauthorized_client`, no or an unfamiliar description, 401 and 403 forms",
        sources: &["Pleo, Handling Refresh Token Expiry or Revocation: any other rejection of the refresh request by Pleo"],
        why: "A client put the description in the place of the code before it compared: no real answer ever matched, and 43 hours of refusals went by as passing faults.",
        observed: "As for DETECT-01, with other words and statuses. An error word that nobody knows, at 400, 401 or 403, must have ended the connection after three attempts at the latest.",
        undecided: "The refusal never came about or was never read; or the status says nothing, and the trigger was answered fewer than twice after it or caused no API call before it or after the reconnection.",
        remedy: "Compare the `error` member alone, whatever the status and the description; and take an unknown word in a 4xx for a rejection, at once or after a bounded number of attempts.",
        declarable: true,
        scope: Scope::Connection,
        check: refusals::detect_03,
    },
    Requirement {
        id: "DETECT-04",
        level: Must,
        severity: Error,
        sentence: "on an API 401 refreshes once before it gives the connection up, even if its own clock says the token is still good, and the work is then done with the new token",
        sources: &["Pleo, How to call Pleo APIs using access tokens: decide between refreshing and restarting authorisation"],
        why: "Most libraries refresh by the clock only. When Pleo ends an access token early, every call fails until the clock runs out.",
        observed: "After the API answered 401: a refresh, then a call with the new access token that succeeds, at once or at the next turn.",
        undecided: "The API never answered 401, the refresh did not succeed, or the subject was not asked to work twice afterwards.",
        remedy: "On a 401 from the API, refresh once through the central component and repeat the request once; give up only if that refresh is refused.",
        declarable: false,
        scope: Scope::Connection,
        check: detect_04,
    },
    Requirement {
        id: "DETECT-05",
        level: Must,
        severity: Error,
        sentence: "does not loop when the API still answers 401 or 403 after a good refresh: at most two refreshes per stimulus",
        sources: &[
            "Pleo, How to call Pleo APIs using access tokens: do not blindly repeat the same request after an authentication error",
            "Pleo, How to call Pleo APIs using access tokens: decide between refreshing and restarting authorisation",
        ],
        why: "A missing right was taken for an expired token: refresh, repeat, refresh, five times a second, each time with a new pair that could be lost.",
        observed: "Refreshes between one rest and the next while the API denies tokens that are good, against two for each stimulus and each tick of a declared timer.",
        undecided: "The API never denied a token that a refresh had just given, or the trigger caused no API call again after the reconnection; or a timer that the manifest does not declare may have caused the refreshes (`features.period`).",
        remedy: "Remember that this request has been repeated once already. A fresh token that is denied is no matter of refreshing: report it.",
        declarable: true,
        scope: Scope::Connection,
        check: denied::detect_05,
    },
    Requirement {
        id: "DETECT-06",
        level: Should,
        severity: Warning,
        sentence: "on an API 403 whose refresh succeeds keeps tokens and settings, and lets the fault be seen (marking, or asking for consent, is allowed)",
        sources: &["Pleo, How to handle token expiry or revocation, step 1: an API request that fails with an authorisation error"],
        why: "A missing scope was shown as \"token expired\", and the tokens were thrown away with the settings; the same consent brought the same 403.",
        observed: "Storage and settings while the API answers 403 to a token that is good; and whether anything is different then: status, page, the trigger's answer, a log line, a notice.",
        undecided: "The 403 was answered fewer than twice, the trigger caused no API call again after the reconnection, nothing shows whether the tokens were kept (`[storage]`), or no log line was seen (`logs.files`).",
        remedy: "A 403 says that this token may not do this. Keep the pair, fail this piece of work visibly, and name the missing right.",
        declarable: true,
        scope: Scope::Connection,
        check: seen::detect_06,
    },
    Requirement {
        id: "DETECT-07",
        level: Must,
        severity: Error,
        sentence: "on an API 401 or 403 whose refresh is then refused, ends the connection",
        sources: &["Pleo, How to handle token expiry or revocation, step 1: API requests fail and the token cannot be refreshed"],
        why: "The path from an API error into the refresh is often another piece of code than the scheduled refresh, with an error handler of its own that only logs.",
        observed: "As for DETECT-01, where an API answer of 401 or 403 came first.",
        undecided: "No refresh followed the API's refusal; else as for DETECT-01.",
        remedy: "Let both paths, the clock and the 401, go through the same function, which ends the connection when the refresh is refused.",
        declarable: false,
        scope: Scope::Connection,
        check: detect_07,
    },
    Requirement {
        id: "DETECT-08",
        level: Must,
        severity: Error,
        sentence: "never stores an error answer or an unusable token answer as tokens, whatever its HTTP status",
        sources: &[
            "Pleo, Handling Refresh Token Expiry or Revocation: the token endpoint's error answers",
            "Pleo, How to handle token expiry or revocation, step 1: any other rejection of the refresh request",
        ],
        why: "Where an error comes with status 200, libraries store what is not there: the next call is made with `Bearer undefined`, and the log says that the refresh went well.",
        observed: "After an answer that gave no tokens: API calls with a word that was never issued as a token, refreshes with such a word or with none, and tokens that are gone from storage while the status says connected.",
        undecided: "No such answer was read, or no API call succeeded after it.",
        remedy: "Take a token answer for one only if it is JSON, has no `error` and has an `access_token` that is a non-empty string; check that before anything is written.",
        declarable: true,
        scope: Scope::Connection,
        check: stored::detect_08,
    },
];

fn detected(view: &View<'_>, matches: impl Fn(&str) -> bool) -> Finding {
    let missing = "the refusal did not come about: the subject did not try to refresh, or never read the answer";
    each_death_of(view, |death| matches(&death.error), missing, |death| took_as_end(view, death))
}

/// Signs that the subject took a refusal as the end: its status says so, or it stopped although it was asked to work.
pub(super) fn took_as_end(view: &View<'_>, death: &Death) -> Finding {
    let Some(settled) = death.settled else { return not_at_rest() };
    let until = death.process_until;
    let status = view.statuses().find(|(mark, state, _)| *mark > death.knew && *mark < until && *state == Some(Status::Disconnected));
    if let Some((mark, ..)) = status {
        return Finding::pass(format!("its status says so after the refusal with {}", death.error), vec![death.refused.n, mark.n]);
    }
    let calls = control::calls_after(view, death, settled, until);
    if !calls.is_empty() {
        let reason =
            format!("went on as before after {}: {} more API requests, and no status that says otherwise", death.error, calls.len());
        return Finding::fail(reason, control::cite(view, death.refused, &calls));
    }
    if let Some(finding) = stop::represented(view, death) {
        return Finding { reason: format!("no status says that it took {} as the end, and {}", death.error, finding.reason), ..finding };
    }
    silence(control::sandwich(view, death), death, "it stopped, although it was asked to work")
}

fn detect_04(view: &View<'_>) -> Finding {
    let Some(rejected) = view.marks(|w| matches!(w, What::AccessRejected { .. })).first().copied() else {
        return unrealised(view, "the API did not reject an access token in this story");
    };
    let end = view.disturbed_after(rejected);
    let refused = |x: &&Exchange<'_>| x.replied.is_some_and(|(_, status, _)| status == 401);
    let Some(met) = view.api_calls(rejected, end).find(refused) else { return unrealised(view, "no API call met the rejection") };
    let Some(refresh) = view.refreshes(met.arrived, end).find(|x| !by_the_clock(view, met, x)) else {
        return no_refresh(view, rejected, met, end);
    };
    let Some((access, _)) = refresh.pair() else { return Finding::undecided("the refresh after the 401 did not succeed") };
    let used = |x: &&Exchange<'_>| x.token_name() == Some(access) && x.replied.is_some();
    let worked = view.api_calls(refresh.arrived, end).find(|x| x.answered(2) && x.token_name() == Some(access));
    match worked {
        None if view.api_calls(refresh.arrived, end).any(|x| used(&x)) => {
            Finding::undecided("refreshed on the 401 and called with the new token, and the API did not accept that either")
        }
        Some(call) => {
            Finding::pass("refreshed on the 401 and went on with the new token", vec![met.arrived.n, refresh.arrived.n, call.arrived.n])
        }
        None => match control::delivered(view, control::MAIN, refresh.arrived, end, 2, "after the refresh") {
            Ok(stimuli) => Finding::fail(
                "refreshed on the 401, but the work was not done with the new token, though it was asked for again",
                [vec![met.arrived.n, refresh.arrived.n], stimuli].concat(),
            ),
            Err(reason) => Finding::undecided(reason),
        },
    }
}

/// The access token had run out by then: the clock may have caused the refresh, not the 401.
fn by_the_clock(view: &View<'_>, met: &Exchange<'_>, refresh: &Exchange<'_>) -> bool {
    let Some(held) = view.held_before(met.began, None) else { return false };
    let life = match held.from.replied {
        Some((mark, _, Reply::Tokens { expires_in: Some(seconds), .. })) => Some(mark.at.saturating_add(seconds.saturating_mul(1_000_000))),
        Some(_) | None => None,
    };
    life.is_some_and(|end| refresh.began >= end)
}

fn no_refresh(view: &View<'_>, rejected: Mark, met: &Exchange<'_>, end: Mark) -> Finding {
    let clock = view.refreshes(met.arrived, end).next().map_or(end, |x| x.arrived);
    match control::delivered(view, control::MAIN, met.arrived, clock, 2, "after the 401") {
        Ok(stimuli) => {
            let reason = "the API answered 401 and no refresh followed, though it was asked to work again";
            Finding::fail(reason, [vec![rejected.n, met.arrived.n], stimuli].concat())
        }
        Err(reason) => Finding::undecided(reason),
    }
}

fn detect_07(view: &View<'_>) -> Finding {
    let refused_at_api = |death: &Death| {
        let since = view.held_before(death.asked.at, None).and_then(|held| held.from.replied).map_or(START, |(mark, ..)| mark);
        // The subject may act on an answer before its end has been noted as written; only what a gate held back had not come by then.
        let out = |x: &Exchange<'_>| x.held.is_none() || x.released.is_some_and(|mark| mark < death.asked);
        view.api_calls(since, death.asked).any(|x| matches!(x.replied, Some((_, 401 | 403, _))) && out(x))
    };
    let missing = "no refresh was refused after the API had answered 401 or 403";
    each_death_of(view, |death| death.ended == Ended::Grant && refused_at_api(death), missing, |death| took_as_end(view, death))
}

#[cfg(test)]
mod tests;

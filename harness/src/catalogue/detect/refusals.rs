//! DETECT-03: refusals in other words than the usual ones.

use regrant_mock_server::{authority::Policy, fault::scenario::Status};

use super::took_as_end;
use crate::{
    catalogue::{Finding, shared::*, stop},
    evidence::Reply,
    judge::{Death, Ended, Exchange, View, control},
};

/// Attempts after which an unknown error must have ended the connection.
const ATTEMPTS: usize = 3;

/// Words that speak of the request or ask for patience: they refuse no grant.
const NO_REFUSAL: [&str; 6] =
    ["invalid_request", "unsupported_grant_type", "invalid_scope", "temporarily_unavailable", "server_error", "slow_down"];

pub(super) fn detect_03(view: &View<'_>) -> Finding {
    let known = view.deaths.iter().filter(|death| is_other_refusal(view, death)).map(|death| took_as_end(view, death));
    let findings: Vec<_> = known.chain(unknown(view)).collect();
    worst(findings)
        .unwrap_or_else(|| unrealised(view, "the refusal did not come about: the subject did not try to refresh, or never read the answer"))
}

/// Another word than those of DETECT-01 and DETECT-02, or `invalid_grant` at another status or with another description.
fn is_other_refusal(view: &View<'_>, death: &Death) -> bool {
    let status = view.exchanges.iter().find(|x| x.arrived == death.asked).and_then(|x| x.replied).map(|(_, status, _)| status);
    let usual = Policy::default().refused_with;
    match death.error.as_str() {
        "invalid_refresh_token" | "unauthorized_client" => true,
        "invalid_grant" => status != Some(usual.status) || death.description != usual.description,
        _ => false,
    }
}

/// Refusals with a word that nobody knows; none: there were none.
fn unknown(view: &View<'_>) -> Option<Finding> {
    let refused: Vec<_> = view.exchanges.iter().filter(|x| x.is_refresh() && unknown_word(x).is_some()).collect();
    let first = *refused.first()?;
    let end = death_by(view, first)?;
    let probes = stop::probes(view);
    let same = |x: &&&Exchange<'_>| {
        x.token_name() == first.token_name() && x.arrived < end.process_until && probes.binary_search(&x.arrived).is_err()
    };
    let attempts: Vec<_> = refused.iter().filter(same).copied().collect();
    let said =
        view.statuses().find(|(mark, state, _)| *mark > end.knew && *mark < end.process_until && *state == Some(Status::Disconnected));
    if let Some((mark, ..)) = said {
        let reason = format!("its status says so after {} attempts refused with {}", attempts.len(), end.error);
        return Some(Finding::pass(reason, vec![end.refused.n, mark.n]));
    }
    Some(match attempts.get(ATTEMPTS - 1) {
        Some(last) => after_the_last(view, last, &attempts),
        None => after_fewer(view, attempts.last().copied().unwrap_or(first), attempts.len()),
    })
}

fn unknown_word<'h>(x: &Exchange<'h>) -> Option<&'h str> {
    match x.replied {
        Some((_, 400 | 401 | 403, Reply::Open { error: Some(error) })) if !NO_REFUSAL.contains(&error.as_str()) => Some(error),
        Some((_, _, Reply::Open { .. } | Reply::Tokens { .. } | Reply::Final { .. } | Reply::Transient | Reply::Plain)) | None => None,
    }
}

/// The end that the subject should have seen in this answer; none: it never read it, or good tokens came after all.
fn death_by(view: &View<'_>, x: &Exchange<'_>) -> Option<Death> {
    let (refused, ..) = x.replied?;
    let knew = if x.read_unknown { view.settled_after(refused)? } else { x.read? };
    let until = view.on_the_way_back_since(refused, knew);
    if view.refreshes(refused, until).any(|y| y.pair().is_some()) {
        return None;
    }
    let rest = view.rests.iter().copied().find(|rest| rest.mark >= knew && rest.mark < until);
    let goes_on = view.terms.one_shot || view.terms.restarts_on_exit;
    Some(Death {
        ended: Ended::Grant,
        error: unknown_word(x)?.to_owned(),
        description: None,
        grant: x.grant(),
        refresh: x.token_name()?.to_owned(),
        access: None,
        asked: x.arrived,
        refused,
        knew,
        settled: rest.map(|rest| rest.mark),
        at_rest: rest.is_some_and(|rest| rest.quiet),
        until,
        process_until: view.restart_after(knew).filter(|mark| !goes_on && *mark < until).unwrap_or(until),
        restarted: None,
    })
}

/// It had its three attempts: from then on it must be silent.
fn after_the_last(view: &View<'_>, last: &Exchange<'_>, attempts: &[&Exchange<'_>]) -> Finding {
    let Some(end) = death_by(view, last) else { return Finding::undecided("the third refusal was never read") };
    let Some(settled) = end.settled else { return not_at_rest() };
    let calls = control::calls_after(view, &end, settled, end.process_until);
    if !calls.is_empty() {
        let reason = format!("went on as before after {ATTEMPTS} attempts refused with {}: {}", end.error, stop::calls_with(&calls));
        return Finding::fail(reason, control::cite(view, end.refused, &calls));
    }
    let more: Vec<_> = attempts.iter().skip(ATTEMPTS).filter(|x| x.began > end.knew.at).copied().collect();
    let late = control::convicting(view, settled, end.at_rest, more.iter().copied());
    let calm = view.rests.iter().rfind(|rest| attempts.first().is_some_and(|x| rest.mark < x.arrived)).map_or(START, |rest| rest.mark);
    // Several workers at once may each have their attempts.
    let workers = view.askings(calm, settled).max(1);
    let burst: Vec<_> = more.into_iter().filter(|x| x.arrived < settled).collect();
    let offenders = if late.is_empty() && !burst.is_empty() && burst.len() + ATTEMPTS > ATTEMPTS * workers { burst } else { late };
    if !offenders.is_empty() {
        let reason = format!("{} was presented again after {ATTEMPTS} attempts refused with {}", end.refresh, end.error);
        return Finding::fail(reason, control::cite(view, end.refused, &offenders));
    }
    silent(view, &end)
}

/// It gave up before: silence shows it, unless its status says otherwise.
fn after_fewer(view: &View<'_>, last: &Exchange<'_>, count: usize) -> Finding {
    let Some(end) = death_by(view, last) else { return Finding::undecided("the refusal was never read") };
    let Some(settled) = end.settled else { return not_at_rest() };
    if view.api_calls(settled, end.process_until).next().is_some() {
        return Finding::undecided(format!("it goes on, but it tried no more than {count} times: up to {ATTEMPTS} attempts are allowed"));
    }
    silent(view, &end)
}

fn silent(view: &View<'_>, end: &Death) -> Finding {
    let connected = view.statuses().any(|(mark, state, _)| {
        end.settled.is_some_and(|settled| mark > settled) && mark < end.process_until && state == Some(Status::Connected)
    });
    if connected {
        return Finding::undecided("it is silent, but its status says that it is connected");
    }
    silence(control::sandwich(view, end), end, "it stopped, although it was asked to work")
}

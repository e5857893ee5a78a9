//! STOP: what must end once the subject knows that its grant is finished.

use super::{Finding, Level::*, Requirement, Severity::*, shared::*};
use crate::judge::{Death, Ended, Exchange, Mark, View, control};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "STOP-01",
        level: Must,
        severity: Error,
        sentence: "sends no API request for that connection once it knows: not with a dead token, not with an empty one, not without one",
        sources: &[
            "Pleo, How to handle token expiry or revocation, step 2: stop making further API requests using the invalid token",
            "Pleo, How to refresh tokens: no API calls after a failed refresh",
        ],
        why: "Integrations were seen to go on for days with the old access token after `invalid_grant`, thousands of calls that can only fail, until the provider blocks the client.",
        observed: "API requests that follow a stimulus delivered after the subject had read the refusal and come to rest. Requests already under way do not count.",
        undecided: "The trigger caused no API call before the refusal, was answered fewer than twice after it, or caused none again after reconnection.",
        remedy: "Keep one state per connection. When a refresh is refused, set it to unauthenticated in the same transaction that removes the tokens, and let every call ask for a token first: no token, no request.",
        declarable: false,
        check: stop_01,
    },
    Requirement {
        id: "STOP-02",
        level: Must,
        severity: Error,
        sentence: "never presents a refused refresh token again: at most `features.refresh_attempts` presentations",
        sources: &[
            "Pleo, Handling Refresh Token Expiry or Revocation: do not attempt to reuse the expired or revoked token",
            "Pleo, How to handle token expiry or revocation: a rejected refresh is final",
        ],
        why: "Libraries keep the dead token in memory and try it with every call; one process was seen to log 2,767 refusals in a day. At Pleo a replayed token may end every session of the user.",
        observed: "How often the refused refresh token came to the token endpoint after the refusal was read and the subject had come to rest.",
        undecided: "The trigger was not answered twice after the refusal, or nothing shows that the subject was still alive.",
        remedy: "Treat `invalid_grant` and its kin as final: forget the token before anything else can ask for a refresh. Retry only when no OAuth error came back.",
        declarable: false,
        check: stop_02,
    },
    Requirement {
        id: "STOP-03",
        level: Must,
        severity: Error,
        sentence: "stops every source of work: timers, queues, webhooks, paging, forced refresh",
        sources: &["Pleo, How to handle token expiry or revocation, step 2"],
        why: "The mark is checked on one path only: the webhook handler or the nightly job has its own client and goes on calling.",
        observed: "API requests caused by each source of work that the manifest declares, after the refusal.",
        undecided: "A source was not delivered twice after the refusal; or `features.period` is absent, so that nothing is known of a timer.",
        remedy: "Put the check where the token is handed out, not where the work comes from.",
        declarable: false,
        check: stop_03,
    },
    Requirement {
        id: "STOP-04",
        level: Must,
        severity: Error,
        sentence: "is still stopped after a restart",
        sources: &["Pleo, How to handle token expiry or revocation, step 2: mark the connection, invalidate stored tokens"],
        why: "The state lived in memory. After the next deployment the integration calls again with what it finds in its database.",
        observed: "API requests after a restart while the connection is still dead.",
        undecided: "The trigger was answered fewer than twice after the restart, or the subject cannot be restarted by the harness.",
        remedy: "Store the state with the connection; read it at start.",
        declarable: false,
        check: stop_04,
    },
];

fn stop_01(view: &View<'_>) -> Finding {
    each_death(view, Ended::Grant, |death| {
        let Some(settled) = death.settled else { return not_at_rest() };
        let until = death.same_process_until();
        let offenders = control::convicting(view, settled, view.api_calls(settled, until));
        if !offenders.is_empty() {
            let reason = format!("{} after its refresh was refused with {}", calls_with(&offenders), death.error);
            return Finding::fail(reason, control::cite(view, death.refused, &offenders));
        }
        silence(control::sandwich(view, death), death, "no API call followed the refusal, though the work was asked for")
    })
}

/// "3 API calls, with access#1".
pub(super) fn calls_with(offenders: &[&Exchange<'_>]) -> String {
    let token = offenders.iter().find_map(|x| x.token_name()).map_or("no token that was ever issued".to_owned(), str::to_owned);
    let calls = if offenders.len() == 1 { "1 API call was sent".to_owned() } else { format!("{} API calls were sent", offenders.len()) };
    format!("{calls} with {token}")
}

fn stop_02(view: &View<'_>) -> Finding {
    each_death(view, Ended::Grant, |death| {
        let Some(settled) = death.settled else { return not_at_rest() };
        let until = death.same_process_until();
        let again: Vec<_> = presentations(view, death).filter(|x| x.arrived > death.asked && x.arrived < until).collect();
        let late = control::convicting(view, settled, again.iter().copied());
        // The first presentation is the refused one itself; what follows within the burst counts against the declared budget only if more comes later.
        if !late.is_empty() && again.len() + 1 > view.terms.refresh_attempts as usize {
            let reason = format!("{} was presented {} times more after it was refused with {}", death.refresh, late.len(), death.error);
            return Finding::fail(reason, control::cite(view, death.refused, &late));
        }
        silence(control::sandwich(view, death), death, "the refused refresh token was not presented again")
    })
}

/// Requests that present the refused refresh token; an immediate repetition in another client authentication style is a library's probe, a finding of its own.
pub(super) fn presentations<'v, 'h>(view: &'v View<'h>, death: &'v Death) -> impl Iterator<Item = &'v Exchange<'h>> {
    view.exchanges.iter().filter(move |x| x.is_refresh() && x.token_name() == Some(death.refresh.as_str()) && !is_probe(view, x))
}

/// The second request of a client that tries the other authentication style: it begins after the first one's answer, before anything else of the subject.
pub(super) fn is_probe(view: &View<'_>, x: &Exchange<'_>) -> bool {
    let mine: Vec<_> = view.exchanges.iter().filter(|y| !y.by_agent).collect();
    let Some(index) = mine.iter().position(|y| y.arrived == x.arrived) else { return false };
    let Some(previous) = index.checked_sub(1).map(|i| mine[i]) else { return false };
    let style = |y: &Exchange<'_>| y.token.as_ref().map(|t| t.auth);
    let answered =
        previous.replied.is_some_and(|(mark, ..)| mark.at <= x.began) || previous.aborted.is_some_and(|(mark, _)| mark.at <= x.began);
    let no_stimulus_between = view.stimulus_before(x.began) == view.stimulus_before(previous.began);
    previous.is_refresh()
        && answered
        && no_stimulus_between
        && previous.token_name() == x.token_name()
        && style(previous) != style(x)
        && !is_probe_style_pair_used(view, previous)
}

/// A probe is one repetition: what repeats a probe is none.
fn is_probe_style_pair_used(view: &View<'_>, x: &Exchange<'_>) -> bool {
    let same = |y: &&Exchange<'_>| y.is_refresh() && y.token_name() == x.token_name() && y.arrived < x.arrived;
    let stimulus = view.stimulus_before(x.began);
    view.exchanges.iter().filter(same).filter(|y| view.stimulus_before(y.began) == stimulus).count() % 2 == 1
}

fn stop_03(view: &View<'_>) -> Finding {
    each_death(view, Ended::Grant, |death| {
        let Some(settled) = death.settled else { return not_at_rest() };
        let until = death.same_process_until();
        let offenders = control::convicting(view, settled, view.api_calls(settled, until));
        if let Some(first) = offenders.first() {
            let source = source_of(view, first, settled).unwrap_or("the subject's own timer");
            let reason = format!("`{source}` still caused an API call after the refusal");
            return Finding::fail(reason, control::cite(view, death.refused, &offenders));
        }
        let controls = view.terms.sources.iter().try_for_each(|source| {
            control::before(view, death, source)?;
            control::delivered(view, source, settled, until, 2)?;
            control::again(view, death, source)
        });
        if let Err(reason) = controls {
            return Finding::undecided(reason);
        }
        timer(view, death, settled, until)
    })
}

fn source_of<'h>(view: &View<'h>, x: &Exchange<'_>, from: Mark) -> Option<&'h str> {
    let call = view.triggers(from, x.arrived).max_by_key(|c| c.called)?;
    Some(call.source.map_or(control::MAIN, String::as_str))
}

fn timer(view: &View<'_>, death: &Death, settled: Mark, until: Mark) -> Finding {
    match view.terms.period {
        None => Finding::locked("nothing is known of a timer: whether it works unasked", "features.period = \"none\" (or its period)"),
        Some(None) => Finding::pass("every declared source of work was silent after the refusal", vec![death.refused.n]),
        Some(Some(period)) => {
            let unasked = |x: &&Exchange<'_>| view.stimulus_before(x.began).is_none_or(|s| x.began.saturating_sub(s.at) > period / 2);
            let before = view.api_calls(Mark { at: 0, n: 0 }, death.asked).any(|x| unasked(&x));
            let watched = until.at.min(view.history.events.last().map_or(0, |e| e.at)).saturating_sub(settled.at);
            match (before, watched >= 2 * period) {
                (true, true) => Finding::pass("the timer and every declared source were silent after the refusal", vec![death.refused.n]),
                (false, _) => Finding::undecided("the timer caused no API call before the refusal"),
                (true, false) => Finding::undecided("the subject was not watched for two periods after the refusal"),
            }
        }
    }
}

fn stop_04(view: &View<'_>) -> Finding {
    each_death(view, Ended::Grant, |death| {
        let Some(restarted) = death.restarted else { return not_restarted(view) };
        let offenders = control::convicting(view, restarted, view.api_calls(restarted, death.until));
        if !offenders.is_empty() {
            let reason = format!("after a restart {}, though the connection was dead", calls_with(&offenders));
            return Finding::fail(reason, control::cite(view, restarted, &offenders));
        }
        let controls = control::delivered(view, control::MAIN, restarted, death.until, 2).and_then(|stimuli| {
            control::before(view, death, control::MAIN)?;
            control::again(view, death, control::MAIN)?;
            Ok(stimuli)
        });
        silence(controls, death, "no API call followed the restart, though the work was asked for")
    })
}

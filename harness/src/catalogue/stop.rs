//! STOP: what must end once the subject knows that its grant is finished.

mod other_ways;
mod processes;

use super::{Finding, Level::*, Requirement, Scope, Severity::*, Verdict, several, shared::*};
use crate::{
    evidence::{SUBSCRIPTION, What},
    judge::{Death, Ended, Exchange, Mark, View, control},
};

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
        observed: "API requests that follow a stimulus delivered after the subject had read the refusal and come to rest; without a stimulus, the second one. Requests already under way do not count.",
        undecided: "The trigger caused no API call before the refusal, was answered fewer than twice after it, or caused none again after reconnection.",
        remedy: "Keep one state per connection. When a refresh is refused, set it to unauthenticated in the same transaction that removes the tokens, and let every call ask for a token first: no token, no request.",
        declarable: false,
        scope: Scope::Connection,
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
        observed: "How often the refused refresh token came to the token endpoint after the refusal was read. Up to three times in one burst may have been on their way already; an immediate repetition with another client authentication style counts once.",
        undecided: "The trigger was not answered twice after the refusal, or nothing shows that the subject was still alive, or the token came again within one burst: then declare `features.refresh_attempts`.",
        remedy: "Treat `invalid_grant` and its kin as final: forget the token before anything else can ask for a refresh. Retry only when no OAuth error came back.",
        declarable: false,
        scope: Scope::Connection,
        check: stop_02,
    },
    Requirement {
        id: "STOP-03",
        level: Must,
        severity: Error,
        sentence: "stops every source of work: timers, queues, webhooks, paging, forced refresh",
        sources: &["Pleo, How to handle token expiry or revocation, step 2"],
        why: "The mark is checked on one path only: the webhook handler or the nightly job has its own client and goes on calling.",
        observed: "API requests caused by each source of work that the manifest declares, and by webhooks to which the subject subscribed itself, after the refusal.",
        undecided: "A source caused no API call before the refusal or after the reconnection, or was answered fewer than twice in between; or `features.period` is absent, so that nothing is known of a timer.",
        remedy: "Put the check where the token is handed out, not where the work comes from.",
        declarable: false,
        scope: Scope::Connection,
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
        undecided: "The trigger was answered fewer than twice after the restart, caused no API call again after the reconnection, or the subject cannot be restarted by the harness.",
        remedy: "Store the state with the connection; read it at start.",
        declarable: false,
        scope: Scope::Connection,
        check: stop_04,
    },
    Requirement {
        id: "STOP-05",
        level: Must,
        severity: Error,
        sentence: "stops in every process that shares the store: each may learn by one API call of its own that is answered 401; none presents the refused refresh token again, none calls after that",
        sources: &["Pleo, How to handle token expiry or revocation, step 2: stop all API calls for that connection"],
        why: "One worker learns of the end and purges its own memory; the other goes on for hours with the copy that it keeps.",
        observed: "Requests of each process, told by the address at which they come in, after one of them was refused and all had come to rest: the refused refresh token again from any of them; an API call of the one that was told; of another one, an API call after one of its own had been answered.",
        undecided: "`features.processes` is absent; a process was not seen to call the API at an address of its own, was answered fewer than twice after the refusal, or called nothing after the reconnection. With `features.processes = 1` it does not apply.",
        remedy: "Keep the connection's state in the store that all share, and read it before each call; treat a 401 as a reason to read it again.",
        declarable: true,
        scope: Scope::Connection,
        check: processes::stop_05,
    },
    Requirement {
        id: "STOP-06",
        level: Must,
        severity: Error,
        sentence: "opens no other way in without the user: no other grant type, no self-approved flow",
        sources: &["Pleo, How to handle token expiry or revocation, step 3: require the user to reauthenticate"],
        why: "A fallback that asks for tokens with the client's own credentials, or drives the consent page itself, gets around the person who has just said no.",
        observed: "Token requests of another grant type, and authorise requests of the subject itself that end with a code, between the refusal and the reconnection.",
        undecided: "The trigger was answered fewer than twice after the refusal, or the user's way to the authorise endpoint was not seen afterwards.",
        remedy: "Know two grant types only: authorization_code, begun by a person, and refresh_token. After a refusal there is nothing else to try.",
        declarable: true,
        scope: Scope::Connection,
        check: other_ways::stop_06,
    },
    Requirement {
        id: "STOP-07",
        level: Should,
        severity: Warning,
        sentence: "presents a refused refresh token only once, even where it declared more",
        sources: &[
            "Pleo, How to handle token expiry or revocation, tip: a rejected refresh is final, retrying cannot bring the token back",
        ],
        why: "One refresh operation was seen to replay the refused token three times in a burst; where a replay counts as theft it ends what else the user has.",
        observed: "As for STOP-02, but one presentation is the limit whatever `features.refresh_attempts` says. An immediate repetition with another client authentication style is REFRESH-12's.",
        undecided: "The trigger was not answered twice after the refusal, nothing shows that the subject was still alive, or the token came again within one burst: then declare `features.refresh_attempts`.",
        remedy: "Take the retry loop away from answers that carry an OAuth error; it is for answers that never came.",
        declarable: true,
        scope: Scope::Connection,
        check: stop_07,
    },
];

fn stop_01(view: &View<'_>) -> Finding {
    each_death(view, Ended::Grant, |death| {
        let Some(settled) = death.settled else { return not_at_rest() };
        let offenders = control::calls_after(view, death, settled, death.process_until);
        if !offenders.is_empty() {
            let reason = format!("{} after its refresh was refused with {}", calls_with(&offenders), death.error);
            return Finding::fail(reason, control::cite(view, death.refused, &offenders));
        }
        silence(control::sandwich(view, death), death, "no API call followed the refusal, though the work was asked for")
    })
}

/// "3 API calls were sent with access#1".
pub(super) fn calls_with(offenders: &[&Exchange<'_>]) -> String {
    let token = offenders.iter().find_map(|x| x.token_name()).unwrap_or("no token that was ever issued");
    let calls = if offenders.len() == 1 { "1 API call was sent".to_owned() } else { format!("{} API calls were sent", offenders.len()) };
    format!("{calls} with {token}")
}

fn stop_02(view: &View<'_>) -> Finding {
    each_death(view, Ended::Grant, |death| match represented(view, death) {
        Some(finding) => finding,
        None => silence(control::sandwich(view, death), death, "the refused refresh token was not presented again"),
    })
}

fn stop_07(view: &View<'_>) -> Finding {
    each_death(view, Ended::Grant, |death| match presented_more_than(view, death, 1) {
        // What was declared is no accident of two workers at once.
        Some(finding) if finding.verdict == Verdict::Undecided && finding.unlock.is_some() && view.terms.refresh_attempts > 1 => {
            let all: Vec<_> = presentations(view, death).filter(|x| x.arrived >= death.asked && x.arrived < death.process_until).collect();
            Finding::fail(
                format!("{} was presented {} although the first refusal was final", death.refresh, times(all.len())),
                control::cite(view, death.refused, &all),
            )
        }
        Some(finding) => finding,
        None => silence(control::sandwich(view, death), death, "the refused refresh token was presented once"),
    })
}

/// How often the refused refresh token was presented by the process that was told, against the declared attempts. None: not too often.
pub(super) fn represented(view: &View<'_>, death: &Death) -> Option<Finding> {
    presented_more_than(view, death, view.terms.refresh_attempts.max(1) as usize)
}

fn presented_more_than(view: &View<'_>, death: &Death, allowed: usize) -> Option<Finding> {
    let Some(settled) = death.settled else { return Some(not_at_rest()) };
    let again: Vec<_> = presentations(view, death).filter(|x| x.arrived > death.asked && x.arrived < death.process_until).collect();
    let late = control::convicting(view, settled, death.at_rest, again.iter().copied());
    if again.len() < allowed {
        return None;
    }
    if !late.is_empty() {
        let reason = format!("{} was presented {} more after it was refused with {}", death.refresh, times(again.len()), death.error);
        return Some(Finding::fail(reason, control::cite(view, death.refused, &late)));
    }
    in_one_burst(view, death, &again, allowed)
}

/// Before the subject came to rest, a second worker may have had the token in hand already; but not over and over again.
fn in_one_burst(view: &View<'_>, death: &Death, again: &[&Exchange<'_>], allowed: usize) -> Option<Finding> {
    let knowing: Vec<_> = again.iter().copied().filter(|x| x.began > death.knew.at).collect();
    let calm = view.rests.iter().rfind(|rest| rest.mark < death.asked).map_or(START, |rest| rest.mark);
    let workers = view.askings(calm, death.settled.unwrap_or(death.until)).max(1);
    let presented = knowing.len() + 1;
    if presented <= allowed * workers {
        return None;
    }
    if presented > MOST_ATTEMPTS * workers {
        let reason =
            format!("{} was presented {} more after the refusal with {} had been read", death.refresh, times(knowing.len()), death.error);
        return Some(Finding::fail(reason, control::cite(view, death.refused, &knowing)));
    }
    // Nothing is on its way for so long.
    let told = view.exchanges.iter().find(|x| x.arrived == death.asked);
    let same = |x: &Exchange<'_>| told.is_some_and(|told| several::are_one(view, told, x));
    let much_later: Vec<_> = knowing.iter().copied().filter(|x| same(x) && x.began > death.knew.at + ON_ITS_WAY).collect();
    if much_later.len() + 1 > allowed * workers {
        let after = (much_later[0].began - death.knew.at) / 1_000;
        let reason = format!("{} was presented again {after} ms after its refusal with {} had been read", death.refresh, death.error);
        return Some(Finding::fail(reason, control::cite(view, death.refused, &much_later)));
    }
    let reason = format!(
        "{} was presented {} within one burst: whether a second request was already on its way cannot be told",
        death.refresh,
        times(presented)
    );
    Some(Finding::locked(reason, format!("features.refresh_attempts = {}", presented.div_ceil(workers))))
}

/// More attempts on a refused refresh token cannot be declared.
const MOST_ATTEMPTS: usize = 3;

fn times(count: usize) -> String {
    if count == 1 { "once".into() } else { format!("{count} times") }
}

/// Requests that present the refused refresh token; a library's probe is the same attempt, and a finding of its own.
pub(super) fn presentations<'v, 'h>(view: &'v View<'h>, death: &Death) -> impl Iterator<Item = &'v Exchange<'h>> {
    let probes = probes(view);
    view.exchanges
        .iter()
        .filter(move |x| x.is_refresh() && x.token_name() == Some(death.refresh.as_str()) && probes.binary_search(&x.arrived).is_err())
        .collect::<Vec<_>>()
        .into_iter()
}

/// The requests of clients that try the other way to authenticate themselves: the same token once more, right after the first answer,
/// before anything else is done by the subject or asked of it. What repeats a probe is none. In order.
pub(super) fn probes(view: &View<'_>) -> Vec<Mark> {
    let ours: Vec<_> = view.exchanges.iter().filter(|x| !x.by_agent).collect();
    let mut probes = Vec::new();
    for pair in ours.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        let answered = first.replied.is_some_and(|(mark, ..)| mark.at <= second.began);
        let style = |x: &Exchange<'_>| x.token.as_ref().map(|t| t.auth);
        let unasked = view.stimulus_before(second.began) == view.stimulus_before(first.began);
        if first.is_refresh()
            && second.is_refresh()
            && answered
            && unasked
            && first.token_name() == second.token_name()
            && style(first) != style(second)
            && probes.last() != Some(&first.arrived)
        {
            probes.push(second.arrived);
        }
    }
    probes
}

fn stop_03(view: &View<'_>) -> Finding {
    each_death(view, Ended::Grant, |death| {
        let Some(settled) = death.settled else { return not_at_rest() };
        let until = death.process_until;
        let offenders = control::calls_after(view, death, settled, until);
        if let Some(first) = offenders.first() {
            let source = source_of(view, first, settled).unwrap_or("the subject's own timer");
            let reason = format!("`{source}` still caused an API call after the refusal");
            return Finding::fail(reason, control::cite(view, death.refused, &offenders));
        }
        let own = view.triggers(START, until).any(|call| control::is_from(call, SUBSCRIPTION)).then_some(SUBSCRIPTION);
        let controls = view.terms.sources.iter().map(String::as_str).chain(own).try_for_each(|source| {
            control::before(view, death, source)?;
            control::delivered(view, source, settled, until, 2, "after the refusal")?;
            control::again(view, death, source)
        });
        if let Err(reason) = controls {
            return Finding::undecided(reason);
        }
        timer(view, death, settled, until)
    })
}

fn source_of<'h>(view: &View<'h>, x: &Exchange<'_>, from: Mark) -> Option<&'h str> {
    let told = view.events().rfind(|(mark, what)| *mark > from && *mark < x.arrived && matches!(what, What::WebhookSent { .. }));
    let call = view.triggers(from, x.arrived).max_by_key(|c| c.called);
    match (told, call) {
        (Some((told, _)), call) if call.is_none_or(|call| call.called < told) => Some(SUBSCRIPTION),
        (_, call) => Some(call?.source.map_or(control::MAIN, String::as_str)),
    }
}

fn timer(view: &View<'_>, death: &Death, settled: Mark, until: Mark) -> Finding {
    match view.terms.period {
        None => Finding::locked("nothing is known of a timer: whether it works unasked", "features.period = \"none\" (or its period)"),
        Some(None) => Finding::pass("every declared source of work was silent after the refusal", vec![death.refused.n]),
        Some(Some(period)) => {
            let unasked = |x: &&Exchange<'_>| view.stimulus_before(x.began).is_none_or(|s| x.began.saturating_sub(s.at) > period / 2);
            let before = view.api_calls(START, death.asked).any(|x| unasked(&x));
            let end = view.events().last().map_or(0, |(mark, _)| mark.at);
            let watched = until.at.min(end).saturating_sub(settled.at);
            match (before, watched >= period.saturating_mul(2)) {
                (true, true) => Finding::pass("the timer and every declared source were silent after the refusal", vec![death.refused.n]),
                (false, _) => Finding::locked(
                    "the timer caused no API call before the refusal; a timer that looks at the subject's own store only is none",
                    "features.period = \"none\"",
                ),
                (true, false) => Finding::undecided("the subject was not watched for two periods after the refusal"),
            }
        }
    }
}

fn stop_04(view: &View<'_>) -> Finding {
    each_death(view, Ended::Grant, |death| {
        let Some(restarted) = death.restarted else { return not_restarted(view) };
        let offenders = control::calls_after(view, death, restarted, death.until);
        if !offenders.is_empty() {
            let reason = format!("after a restart {}, though the connection was dead", calls_with(&offenders));
            return Finding::fail(reason, control::cite(view, restarted, &offenders));
        }
        let controls = control::delivered(view, control::MAIN, restarted, death.until, 2, "after the restart").and_then(|stimuli| {
            control::before(view, death, control::MAIN)?;
            control::again(view, death, control::MAIN)?;
            Ok(stimuli)
        });
        silence(controls, death, "no API call followed the restart, though the work was asked for")
    })
}

#[cfg(test)]
mod tests;

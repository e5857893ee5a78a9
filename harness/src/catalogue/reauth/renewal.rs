//! What is done with the new pair.

use super::super::{Finding, Verdict, shared::*};
use crate::{
    evidence::Verb,
    judge::{Death, Ended, Exchange, Mark, View, control},
};

pub(super) fn reauth_08(view: &View<'_>) -> Finding {
    let findings: Vec<_> = view.deaths.iter().filter(|d| d.ended == Ended::Grant).map(|death| renewed(view, death)).collect();
    // One reconnection that was followed to its end is enough, if no other one went wrong.
    let passed = findings.iter().find(|f| f.verdict == Verdict::Pass).cloned();
    match worst(findings) {
        Some(failed) if failed.verdict == Verdict::Fail => failed,
        Some(other) => passed.unwrap_or(other),
        None => unrealised(view, "no refusal came about in this story"),
    }
}

fn renewed(view: &View<'_>, death: &Death) -> Finding {
    let Some((back, stored)) = view.back_after(death.until) else {
        return Finding::undecided("the user did not reconnect successfully after the refusal");
    };
    let Some(rest) = view.rest_after(back.read.unwrap_or(stored)) else {
        return Finding::undecided("the subject did not come to rest after the reconnection");
    };
    let old = view.exchanges.iter().filter(|x| {
        let dead = |name: &str| name == death.refresh || Some(name) == death.access.as_deref();
        !x.by_agent && (x.is_api() || x.is_refresh()) && x.token_name().is_some_and(dead)
    });
    let old: Vec<_> = old.collect();
    let mut offenders = control::convicting(view, rest.mark, rest.quiet, old.iter().copied());
    if offenders.is_empty() {
        offenders = after_the_login(view, stored, rest.mark, &old);
    }
    if let Some(x) = offenders.first() {
        let reason = format!("{} was used again after the user had reconnected", x.token_name().unwrap_or("an old token"));
        return Finding::fail(reason, control::cite(view, stored, &offenders));
    }
    let end = view.disturbed_after(stored);
    let restart = view.restart_after(stored).filter(|mark| *mark < end);
    let Some(first) = view.api_calls(stored, restart.unwrap_or(end)).find(|x| x.answered(2)) else {
        return match control::delivered(view, control::MAIN, stored, restart.unwrap_or(end), 2, "after the reconnection") {
            Ok(stimuli) => Finding::fail("after the reconnection no call succeeded without a restart", [vec![stored.n], stimuli].concat()),
            Err(reason) => Finding::undecided(format!("no call succeeded between the reconnection and a restart; {reason}")),
        };
    };
    if view.terms.one_shot {
        return survived(view, stored, first, stored, end);
    }
    match restart {
        Some(restart) => survived(view, stored, first, restart, end),
        None if view.terms.restartable => Finding::undecided("no restart followed the reconnection"),
        None => Finding::locked("the subject cannot be restarted by the harness", "[start] run = [...]"),
    }
}

/// What was asked for once the login had been answered, and sent the dead access token: it had come to its end before, and nothing of it was
/// on its way.
fn after_the_login<'v, 'h>(view: &View<'h>, stored: Mark, rest: Mark, old: &[&'v Exchange<'h>]) -> Vec<&'v Exchange<'h>> {
    let login = view.calls.iter().rfind(|call| call.verb == Verb::Connect && call.called < stored);
    let Some((answered, _)) = login.and_then(|call| call.answered).filter(|(answered, _)| *answered > stored && *answered < rest) else {
        return Vec::new();
    };
    let Some(asked) = view.triggers(answered, rest).next().map(|call| call.called) else { return Vec::new() };
    old.iter().copied().filter(|x| x.is_api() && x.began > asked.at + ON_ITS_WAY).collect()
}

/// Started anew, the subject works with the new pair. A subject whose work began at the first trigger before has no excuse afterwards.
fn survived(view: &View<'_>, stored: Mark, first: &Exchange<'_>, restart: Mark, end: Mark) -> Finding {
    if let Some(x) = view.api_calls(restart, end).find(|x| x.answered(2)) {
        let cited = vec![stored.n, first.arrived.n, restart.n, x.arrived.n];
        return Finding::pass("the new pair was used at once and survived a restart", cited);
    }
    let asked = control::delivered(view, control::MAIN, restart, end, 1, "after the restart");
    let rested =
        view.triggers(restart, end).next().and_then(|c| view.rest_after(c.called)).is_some_and(|rest| rest.quiet && rest.mark < end);
    match asked {
        Ok(stimuli) if rested => {
            Finding::fail("the new pair did not survive a restart: no call succeeded", [vec![stored.n, restart.n], stimuli].concat())
        }
        Ok(_) => Finding::undecided("the subject did not come to rest after the restart"),
        Err(reason) => Finding::undecided(reason),
    }
}

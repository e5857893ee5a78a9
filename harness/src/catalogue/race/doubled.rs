//! A callback is delivered twice, and two logins come back at once.

use super::lasting::{lives_on, user_after};
use crate::{
    catalogue::{Finding, shared::*},
    evidence::{Verb, What},
    judge::{Call, Exchange, Mark, View},
};

pub(super) fn race_10(view: &View<'_>) -> Finding {
    let doubled = doubled(view);
    if let Some(code) = &doubled {
        let twice = exchanges_of(view, code);
        if twice.len() > 1 {
            return Finding::fail(format!("{code} was delivered twice and exchanged {} times", twice.len()), twice);
        }
    }
    let Some((first, second)) = at_once(view) else {
        return unrealised(view, "no two logins of the user came back at once in this story");
    };
    let Some(done) = first.answered.zip(second.answered).map(|((a, _), (b, _))| a.max(b)) else {
        return Finding::undecided("not both callbacks were answered");
    };
    let until = user_after(view, done);
    let given: Vec<&Exchange<'_>> = view
        .exchanges
        .iter()
        .filter(|x| x.is_code_exchange() && x.pair().is_some() && x.arrived > first.called && x.arrived < until)
        .collect();
    if given.is_empty() {
        return unrealised(view, "neither of two logins at once was exchanged with success");
    }
    // A login that failed on the way, or with its process, may rightly end in another state than one that came through.
    let killed = view.marks(|what| matches!(what, What::ProcessStopping { .. })).iter().any(|mark| *mark > first.called && *mark < done);
    if doubled.is_none() && (given.len() < 2 || killed) {
        return unrealised(view, "not both of two logins at once came through");
    }
    // Whichever of them the subject took: it must be one, and the same after a restart.
    let used = view.rest_after(done).and_then(|rest| view.api_calls(rest.mark, until).find(|x| x.answered(2)).and_then(Exchange::grant));
    let Some(grant) = used.or_else(|| given.last().and_then(|x| x.issued_in())) else {
        return Finding::undecided("the family of the new tokens is not known");
    };
    let cited = vec![first.called.n, second.called.n];
    match lives_on(view, done, grant) {
        // Both belong to it: what holds for two logins says nothing of a callback that comes twice.
        Ok(_) if doubled.is_none() => unrealised(view, "no callback was delivered twice in this story"),
        Ok(more) => Finding::pass("two logins at once left one pair, which is used before and after a restart", [cited, more].concat()),
        Err(finding) if finding.evidence.is_empty() => finding,
        Err(finding) => {
            let evidence = [cited, finding.evidence.clone()].concat();
            Finding { reason: format!("after two logins at once: {}", finding.reason), evidence, ..finding }
        }
    }
}

/// A code that was delivered more than once.
fn doubled(view: &View<'_>) -> Option<String> {
    let codes: Vec<&str> = view.callbacks.iter().filter(|callback| !callback.forged).filter_map(|callback| callback.code).collect();
    codes.iter().enumerate().find(|(place, code)| codes[..*place].contains(code)).map(|(_, code)| (*code).to_owned())
}

/// The token requests that presented a code; a library's second authentication style is the same attempt.
fn exchanges_of(view: &View<'_>, code: &str) -> Vec<u32> {
    let all: Vec<_> = view.exchanges.iter().filter(|x| x.is_code_exchange() && x.token_name() == Some(code)).collect();
    let is_probe = |place: usize| {
        let style = |x: &Exchange<'_>| x.token.as_ref().map(|t| t.auth);
        place > 0 && all[place - 1].refusal() == Some("invalid_client") && style(all[place - 1]) != style(all[place])
    };
    // What came to nothing may be tried again.
    let is_retry = |place: usize| {
        place > 0 && {
            let before = all[place - 1];
            let ended = before.replied.map(|(mark, ..)| mark).or(before.aborted.map(|(mark, _)| mark));
            before.pair().is_none() && ended.is_some_and(|ended| ended < all[place].arrived)
        }
    };
    (0..all.len()).filter(|place| !is_probe(*place) && !is_retry(*place)).map(|place| all[place].arrived.n).collect()
}

/// Two logins that were both begun before either was answered, and both came back with a code of their own.
fn at_once<'v, 'h>(view: &'v View<'h>) -> Option<(&'v Call<'h>, &'v Call<'h>)> {
    let came_back = |call: &Call<'_>| view.callbacks.iter().find(|c| c.call == call.id && !c.forged).map(|c| c.at);
    let logins: Vec<&Call<'_>> = view.calls.iter().filter(|call| call.verb == Verb::Connect && came_back(call).is_some()).collect();
    let overlap = |a: &Call<'_>, b: &Call<'_>| {
        let answered = a.answered.map_or(Mark::END, |(mark, _)| mark);
        came_back(b).is_some_and(|back| back < answered)
    };
    logins.windows(2).find(|pair| overlap(pair[0], pair[1])).map(|pair| (pair[0], pair[1]))
}

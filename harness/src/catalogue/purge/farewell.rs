//! What becomes of the tokens when the user disconnects.

use super::{
    super::{Finding, shared::*},
    is_copy, place, scans,
};
use crate::{
    evidence::{Outcome, Verb},
    judge::{Call, Exchange, Mark, View},
};

pub(super) fn purge_09(view: &View<'_>) -> Finding {
    if view.terms.no_disconnect {
        return Finding::not_applicable("the user cannot disconnect (`disconnect.none`)");
    }
    if !view.terms.disconnect {
        return Finding::locked("it is not known how the user disconnects", "[disconnect]");
    }
    let calls = view.calls.iter().filter(|call| call.verb == Verb::Disconnect);
    worst(calls.map(|call| left(view, call)).collect()).unwrap_or_else(|| unrealised(view, "the user did not disconnect in this story"))
}

fn left(view: &View<'_>, call: &Call<'_>) -> Finding {
    let held = view.held_before(call.called.at, None);
    let dead = view.deaths.iter().any(|death| death.knew < call.called && death.until > call.called);
    let Some(held) = held.filter(|_| !dead) else { return Finding::undecided("there was no living connection when the user disconnected") };
    let Some((answered, outcome @ (Outcome::Accepted | Outcome::Refused))) = call.answered else {
        return Finding::undecided("`disconnect` was not answered");
    };
    let next = view.calls.iter().find(|it| it.verb == Verb::Connect && it.called > call.called).map_or(Mark::END, |it| it.called);
    let Some(rest) = view.rest_after(answered).filter(|rest| rest.quiet && rest.mark < next) else {
        return Finding::undecided("the subject did not come to rest after the user had disconnected");
    };
    let told = |x: &&Exchange<'_>| is_farewell(x) && x.arrived > call.called && x.arrived < next;
    let told = view.exchanges.iter().find(told);
    if outcome == Outcome::Refused && told.is_none() {
        // It may want something that the request did not have: nobody has disconnected.
        return Finding::undecided("the subject refused to disconnect, and nothing shows that it tried");
    }
    let tokens: Vec<&str> = [Some(held.access), held.refresh].into_iter().flatten().collect();
    let scans = scans(view);
    let before = scans.iter().rfind(|scan| scan.mark < call.called);
    let after = scans.iter().find(|scan| scan.mark > rest.mark && scan.mark < next);
    let remains = |token: &&&str| after.and_then(|scan| scan.found.iter().find(|found| is_copy(found, token)));
    if let (Some((token, found)), Some(scan)) = (tokens.iter().find_map(|token| Some((token, remains(&token)?))), after) {
        let reason = format!("the user disconnected, and {token} is still in {}", place(&found.place));
        return Finding::fail(reason, vec![call.called.n, rest.mark.n, scan.mark.n]);
    }
    let uses = |x: &&Exchange<'_>| {
        (x.is_api() || x.is_refresh())
            && x.began > rest.mark.at
            && x.arrived < next
            && x.token_name().is_some_and(|name| tokens.contains(&name))
    };
    if let Some(x) = view.exchanges.iter().filter(|x| !is_farewell(x)).find(uses) {
        let reason = format!("the user disconnected, and {} was presented afterwards", x.token_name().unwrap_or("a token"));
        return Finding::fail(reason, vec![call.called.n, rest.mark.n, x.arrived.n]);
    }
    let Some(told) = told else {
        return Finding::fail(
            "the user disconnected, and Pleo was not told (no DELETE /v1/installations/me)",
            vec![call.called.n, rest.mark.n],
        );
    };
    let known: Vec<_> =
        tokens.iter().filter(|token| before.is_some_and(|scan| scan.found.iter().any(|found| is_copy(found, token)))).collect();
    match (known.is_empty(), after, before) {
        (true, ..) | (_, _, None) => Finding::locked(
            "Pleo was told, but no token was found in storage while it was alive, so that its absence proves nothing",
            "storage.paths, storage.dump or storage.urls",
        ),
        (false, None, Some(_)) => Finding::undecided("storage was not searched after the user had disconnected"),
        (false, Some(after), Some(before)) => match after.unread.iter().find(|it| !before.unread.contains(it)) {
            Some(unread) => Finding::undecided(format!("no token was found any more, but not everything could be read: {unread}")),
            None => {
                let heard = if told.answered(2) { "and Pleo was told" } else { "though Pleo could not be told" };
                Finding::pass(
                    format!("the tokens are gone after the user disconnected, {heard}"),
                    vec![before.mark.n, call.called.n, told.arrived.n, after.mark.n],
                )
            }
        },
    }
}

fn is_farewell(x: &Exchange<'_>) -> bool {
    x.is_api() && x.method == "DELETE" && x.path == "/v1/installations/me"
}

#[cfg(test)]
mod tests;

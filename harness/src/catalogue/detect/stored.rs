//! DETECT-08: what is no token must not be stored as one.

use regrant_mock_server::{fault::scenario::Status, journal::Carried};

use crate::{
    catalogue::{Finding, shared::*, storage::is_copy},
    evidence::{Found, Reply, What},
    judge::{Exchange, Mark, View},
};

pub(super) fn detect_08(view: &View<'_>) -> Finding {
    let bad: Vec<_> = view.exchanges.iter().filter_map(|x| Some((x, no_tokens_in(view, x)?))).collect();
    if bad.is_empty() {
        return unrealised(view, "no answer without tokens was read in this story");
    }
    let odd: Vec<_> = view.exchanges.iter().filter(|x| presents(x, true).is_some()).collect();
    let findings = bad.iter().map(|(x, read)| {
        if let Some((mark, how)) = stored(view, &odd, x, *read) {
            return Finding::fail(format!("after an answer that gave no tokens {how}"), vec![read.n, mark.n]);
        }
        if view.exchanges.iter().any(|y| y.is_obscure() && y.began > read.at) {
            return Finding::undecided("what a request carried after the answer that gave no tokens is not known");
        }
        if !x.is_code_exchange() && view.on_the_way_back(*read) == *read {
            return Finding::undecided("the user was on the way back when the answer that gave no tokens was read");
        }
        match view.api_calls(*read, Mark::END).find(|y| y.answered(2) && y.token_name().is_some()) {
            Some(used) => {
                Finding::pass("an answer that gave no tokens was read, and a good pair was used after it", vec![read.n, used.arrived.n])
            }
            None => Finding::undecided("no API call succeeded after the answer that gave no tokens"),
        }
    });
    worst(findings.collect()).unwrap_or_else(|| unrealised(view, "no answer without tokens was read in this story"))
}

/// When the subject had read an answer of the token endpoint that gave no tokens.
fn no_tokens_in(view: &View<'_>, x: &Exchange<'_>) -> Option<Mark> {
    let asked = x.is_refresh() || x.is_code_exchange();
    let (written, _, reply) = x.replied.filter(|_| asked)?;
    match reply {
        Reply::Final { .. } | Reply::Transient | Reply::Open { .. } => {}
        Reply::Tokens { .. } | Reply::Plain => return None,
    }
    if x.read_unknown { view.settled_after(written) } else { x.read }
}

/// What shows that such an answer was stored, among requests that present anything odd: until the next token answer, what the subject presents comes from it.
fn stored(view: &View<'_>, odd: &[&Exchange<'_>], bad: &Exchange<'_>, read: Mark) -> Option<(Mark, String)> {
    let until = view.given_after(read).unwrap_or(Mark::END);
    let back = if bad.is_code_exchange() {
        view.reconnection_after(read).map_or(Mark::END, |call| call.called)
    } else {
        view.on_the_way_back(read)
    };
    let until = until.min(back);
    let taken_for_success = bad.answered(2);
    let within = |x: &&Exchange<'_>| !x.by_agent && x.began > read.at && x.arrived < until;
    let presented = odd.iter().copied().filter(within).find_map(|x| presents(x, taken_for_success).map(|how| (x.arrived, how.to_owned())));
    presented.or_else(|| overwritten(view, bad, read, until))
}

fn presents(x: &Exchange<'_>, taken_for_success: bool) -> Option<&'static str> {
    match (&x.api, &x.token) {
        (Some(api), _) => match api.carried {
            Carried::Bearer if x.carries_unknown() => Some("it called the API with a word that was never issued as a token"),
            // After a plain refusal this may be a token that was rightly discarded: STOP-01's matter.
            Carried::EmptyBearer if taken_for_success => Some("it called the API with an empty token"),
            Carried::Bearer | Carried::EmptyBearer | Carried::OtherScheme | Carried::Elsewhere | Carried::Nothing => None,
        },
        (None, Some(token)) if x.is_refresh() => match token.presented {
            Some(_) if x.carries_unknown() => Some("it tried to refresh with a word that was never issued as a token"),
            None if taken_for_success => Some("it tried to refresh without a refresh token"),
            Some(_) | None => None,
        },
        (None, _) => None,
    }
}

/// The tokens are gone from storage, and the status says that all is well: something else was written in their place.
fn overwritten(view: &View<'_>, bad: &Exchange<'_>, read: Mark, until: Mark) -> Option<(Mark, String)> {
    if !bad.answered(2) || bad.refusal().is_some() {
        return None;
    }
    let (token, _, after) = gone(view, read, until)?;
    let next = view.statuses().find(|(mark, ..)| *mark > after && *mark < until)?;
    (next.1 == Some(Status::Connected))
        .then(|| (after, format!("{token} was gone from storage, and its status said that it was connected")))
}

/// The newest refresh token was found in storage before, and is not any more at a search between two moments, though nothing replaced it.
pub(super) fn gone<'h>(view: &View<'h>, from: Mark, until: Mark) -> Option<(&'h str, Mark, Mark)> {
    let scans = scans(view);
    // Found in clear before: the search can see what is stored.
    let (before, _) = scans.iter().rfind(|(mark, found)| *mark < from && newest(view, *mark).is_some_and(|token| holds(found, token)))?;
    let missing = scans.iter().find_map(|(mark, found)| {
        let token = newest(view, *mark).filter(|_| *mark > from && *mark < until)?;
        // One that holds an older token was not emptied: it is written to later.
        (!holds(found, token) && !holds_refresh_token(found)).then_some((token, *mark))
    });
    missing.map(|(token, after)| (token, *before, after))
}

/// A search between two moments that found the newest refresh token.
pub(super) fn still_there(view: &View<'_>, from: Mark, until: Mark) -> Option<Mark> {
    let found = |(mark, found): &&(Mark, &Vec<Found>)| {
        *mark > from && *mark < until && newest(view, *mark).is_some_and(|token| holds(found, token))
    };
    scans(view).iter().rfind(found).map(|(mark, _)| *mark)
}

/// The newest refresh token at a moment of rest; none while tokens are on their way.
fn newest<'h>(view: &View<'h>, at: Mark) -> Option<&'h str> {
    let open = view.exchanges.iter().any(|x| {
        let done = x.replied.map(|(mark, ..)| mark).or(x.aborted.map(|(mark, _)| mark)).unwrap_or(Mark::END);
        x.token.is_some() && x.began < at.at && done > at
    });
    let rested = view.rests.iter().rfind(|rest| rest.mark < at).is_some_and(|rest| rest.quiet);
    if open || !rested {
        return None;
    }
    view.held_before(at.at, None).and_then(|held| held.refresh)
}

/// The searches of the storage that could read everything.
fn scans<'h>(view: &View<'h>) -> Vec<(Mark, &'h Vec<Found>)> {
    let scans = view.events().filter_map(|(mark, what)| match what {
        What::StorageScanned { found, unread, .. } if unread.is_empty() => Some((mark, found)),
        _ => None,
    });
    scans.collect()
}

fn holds(found: &[Found], token: &str) -> bool {
    found.iter().any(|f| is_copy(f, token))
}

fn holds_refresh_token(found: &[Found]) -> bool {
    found.iter().any(|f| f.canary.starts_with("refresh#") && is_copy(f, &f.canary))
}

//! REFRESH: how tokens are swapped.

mod introspection;
mod odd;
mod restart;
mod style;
mod timing;

use regrant_mock_server::journal::{AuthStyle, Carried};

use super::{Finding, Level::*, Requirement, Scope, Severity::*, shared::*};
use crate::{
    evidence::{Verb, What},
    judge::{Exchange, Mark, View, control},
};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "REFRESH-01",
        level: Must,
        severity: Error,
        sentence: "sends a correct refresh: form-encoded, current token, the secret sent by one method only",
        sources: &["Pleo, How to refresh tokens", "RFC 6749 sections 2.3.1 and 6"],
        why: "A JSON body or doubled credentials work with one provider's leniency and fail with the next release of the server.",
        observed: "Every refresh request: its content type, its client authentication, and whether the token is the newest that the same process had read long before.",
        undecided: "No refresh was seen.",
        remedy: "Leave the request to an OAuth library, and choose one client authentication method explicitly.",
        declarable: true,
        scope: Scope::Connection,
        check: refresh_01,
    },
    Requirement {
        id: "REFRESH-02",
        level: Must,
        severity: Error,
        sentence: "replaces both tokens with the new ones",
        sources: &["Pleo, How to refresh tokens: replace the stored access token and refresh token"],
        why: "The first refresh works, the second presents the spent token, and Pleo ends the whole family.",
        observed: "Two refreshes in a row: the calls after each carry the new access token, the second presents the token that the first one gave.",
        undecided: "Fewer than two refreshes succeeded and were used.",
        remedy: "Write both members of the answer; treat the refresh token as changing every time.",
        declarable: true,
        scope: Scope::Connection,
        check: refresh_02,
    },
    Requirement {
        id: "REFRESH-03",
        level: Must,
        severity: Error,
        sentence: "persists both before relying on them",
        sources: &["Pleo, How to refresh tokens: persist both tokens after each success", "Pleo, Race condition prevention: atomic update"],
        why: "The new pair lives in memory until the next orderly shutdown. A crash later, the spent token is presented, and the user has to consent again.",
        observed: "The subject is killed with -9 as soon as it calls the API with a new token; after the restart the next refresh must present the newest refresh token.",
        undecided: "The kill did not fall after a refresh whose token was in use, or no refresh was needed after the restart.",
        remedy: "Commit the pair to storage, in one transaction, before the first request uses it.",
        declarable: true,
        scope: Scope::Connection,
        check: refresh_03,
    },
    timing::REFRESH_04,
    Requirement {
        id: "REFRESH-05",
        level: Must,
        severity: Error,
        sentence: "treats tokens as opaque and sends them back byte for byte (access tokens of the b64token alphabet, refresh tokens of VSCHAR)",
        sources: &["Pleo, Token overview: treat both tokens as opaque", "Pleo, Token overview: present tokens exactly as received"],
        why: "A token was put into a form unencoded, and every plus sign became a space; another client read the `exp` of what looked like a JWT and refreshed before each call.",
        observed: "What is presented after a refresh gave tokens with unusual characters, tokens that look like an expired JWT, or tokens of 2000 characters; and whether it refreshes for each stimulus though nothing asks for it.",
        undecided: "No refresh gave such tokens, or the refresh token was not needed again.",
        remedy: "Store what comes as a string of any length, encode it where it is sent and nowhere else, and never look into it.",
        declarable: true,
        scope: Scope::Connection,
        check: odd::refresh_05,
    },
    Requirement {
        id: "REFRESH-06",
        level: Must,
        severity: Error,
        sentence: "copes with any legal lifetime: very short, very long, changed on refresh, absent (a string or a fraction: warning)",
        sources: &[
            "RFC 6749 section 5.1",
            "Pleo, Centralised token refresh: watch expires_in",
            "Pleo, How to refresh tokens: update the expiry",
        ],
        why: "A timer set for thirty days overflowed 31 bits and fired at once: dozens of refreshes in seconds. A missing lifetime became NaN, and the token was never or always expired.",
        observed: "Whether API calls go on to succeed after such an answer, whether the status sends the user to consent, and whether refreshes come in a loop. For a string or a fraction a miss is a warning.",
        undecided: "No refresh gave such an answer, or the trigger was answered fewer than twice after it.",
        remedy: "Take expires_in as a hint: without a usable one rely on the 401, and never compute with a number that was not checked.",
        declarable: true,
        scope: Scope::Connection,
        check: odd::refresh_06,
    },
    Requirement {
        id: "REFRESH-07",
        level: Must,
        severity: Error,
        sentence: "keeps its refresh token when an answer carries none (null or empty: warning)",
        sources: &["RFC 6749 section 6: the client must discard the old refresh token only if a new one was issued"],
        why: "The member that was not there overwrote the stored one with undefined. The next refresh had nothing to present, and the user was asked for a grant that was still good.",
        observed: "The refresh after an answer without a refresh token: which token it presents, and whether it comes at all. For null or an empty string a miss is a warning.",
        undecided: "No refresh gave such an answer, or no refresh was needed after it.",
        remedy: "Write the refresh token only if the answer holds a non-empty one.",
        declarable: true,
        scope: Scope::Connection,
        check: odd::refresh_07,
    },
    Requirement {
        id: "REFRESH-08",
        level: Must,
        severity: Error,
        sentence: "sends the access token only as Bearer in the Authorization header",
        sources: &["Pleo, How to call Pleo APIs using access tokens", "RFC 6750 section 2.1"],
        why: "A token in a query ends up in access logs and proxies on the way.",
        observed: "How each API request carries its token.",
        undecided: "No API request carried a token.",
        remedy: "Set the header in the one place that sends requests.",
        declarable: true,
        scope: Scope::Connection,
        check: refresh_08,
    },
    timing::REFRESH_09,
    introspection::REFRESH_10,
    Requirement {
        id: "REFRESH-11",
        level: Should,
        severity: Warning,
        sentence: "tolerates fewer scopes on refresh without a storm of 403s",
        sources: &[
            "RFC 6749 sections 3.3 and 6",
            "Pleo, How to handle token expiry or revocation, step 1: an API request that fails with an authorisation error",
        ],
        why: "The administrator took one right away. The client took each 403 for a passing fault and repeated every call until the client was blocked.",
        observed: "API calls answered with 403 between one rest and the next, against ten for each stimulus and each tick of a declared timer, while refreshes give tokens with the first scope only.",
        undecided: "The missing scopes were needed fewer than twice (a subject with one scope misses none), or the trigger caused no API call again after the reconnection.",
        remedy: "Compare the scope of the answer with what is needed; what is not allowed is not tried again before something changes.",
        declarable: true,
        scope: Scope::Connection,
        check: odd::refresh_11,
    },
    style::REFRESH_12,
    restart::REFRESH_13,
];

fn refresh_01(view: &View<'_>) -> Finding {
    let mut cited = Vec::new();
    // A body that is no form says nothing of its grant type.
    let unreadable = |x: &Exchange<'_>| !x.by_agent && x.token.as_ref().is_some_and(|t| t.grant_type.is_none());
    for x in view.exchanges.iter().filter(|x| x.is_refresh() || unreadable(x)) {
        let Some(token) = &x.token else { continue };
        let wrong = if x.content_type.is_none_or(|t| !t.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
            Some(format!("its content type is {}, not application/x-www-form-urlencoded", x.content_type.unwrap_or("absent")))
        } else if token.grant_type.is_none() {
            Some("its grant_type is absent".into())
        } else {
            match token.auth {
                AuthStyle::Both => Some("it sends the client's secret by two methods at once".into()),
                AuthStyle::Malformed => Some("its client authentication is not readable".into()),
                AuthStyle::None if view.terms.confidential != Some(false) => Some("it does not send the client's secret".into()),
                AuthStyle::Basic | AuthStyle::BasicRaw | AuthStyle::Body | AuthStyle::None => stale(view, x),
            }
        };
        if let Some(wrong) = wrong {
            return Finding::fail(format!("a refresh is not correct: {wrong}"), vec![x.arrived.n]);
        }
        cited.push(x.arrived.n);
    }
    seen(cited, "every refresh was correct", view.unrealised().unwrap_or("no refresh was seen in this story"))
}

/// It presents another token than the newest one of its family that the same process had certainly read. Two refreshes at the same time
/// are a race, a token lost with a process is another requirement, and so is a token that was refused before.
fn stale(view: &View<'_>, x: &Exchange<'_>) -> Option<String> {
    let Some(name) = x.token_name() else { return Some("it carries no refresh token that was ever issued".into()) };
    let held = view.held_before(x.began, x.grant())?;
    let newest = held.refresh.filter(|newest| *newest != name)?;
    let read = held.from.read?;
    let known = view.settled_after(read).is_some_and(|rest| rest.at < x.began);
    let older = view.given(name).is_some_and(|given| given < read);
    let same_process = view.restart_after(read).is_none_or(|restart| restart.at > x.began);
    let refused = view.deaths.iter().any(|d| d.refresh == name && d.asked < x.arrived);
    (known && older && same_process && !refused).then(|| format!("it presents {name}, but the subject had long read {newest}"))
}

fn refresh_02(view: &View<'_>) -> Finding {
    let good: Vec<_> = view.exchanges.iter().filter(|x| x.is_refresh() && x.pair().is_some()).collect();
    if let Some(finding) = good.iter().find_map(|x| half_replaced(view, x)) {
        return finding;
    }
    let used = good
        .iter()
        .filter(|x| view.api_calls(x.arrived, Mark::END).any(|y| y.answered(2) && y.token_name() == x.pair().map(|(access, _)| access)))
        .count();
    if good.len() < 2 || used < 2 {
        return unrealised(
            view,
            &format!("{} refreshes succeeded and {used} of the new access tokens were used, two are needed", good.len()),
        );
    }
    Finding::pass("both tokens were replaced each time", good.iter().map(|x| x.arrived.n).collect())
}

/// Long after a good refresh, and before the next new pair or start, an older token of the family is used.
fn half_replaced(view: &View<'_>, x: &Exchange<'_>) -> Option<Finding> {
    let (read, (access, refresh)) = (x.read?, x.pair()?);
    let rest = view.rest_after(read)?;
    let restart = view.restart_after(x.arrived).unwrap_or(Mark::END);
    let next = view.arrived_after(x.arrived).iter().find(|y| y.pair().is_some()).map_or(Mark::END, |y| y.arrived);
    let older = |name: &str| view.given(name).is_some_and(|given| given < read);
    let family = |y: &&Exchange<'_>| y.grant().is_none() || x.issued_in().is_none() || y.grant() == x.issued_in();
    let calls = view
        .api_calls(rest.mark, restart.min(next))
        .filter(|y| family(y) && y.token_name().is_some_and(|name| name != access && older(name)));
    let calls = control::convicting(view, rest.mark, rest.quiet, calls);
    if let Some(old) = calls.first() {
        let reason = format!("{} was used long after the refresh had given {access}", old.token_name().unwrap_or("an old token"));
        return Some(Finding::fail(reason, vec![x.arrived.n, read.n, old.arrived.n]));
    }
    // The next pair may come of presenting the old token: that request counts, too.
    let until = Mark { at: next.at, n: next.n.saturating_add(1) }.min(restart);
    let stale = view
        .refreshes(rest.mark, until)
        .filter(|y| family(y) && y.token_name().zip(refresh).is_some_and(|(name, new)| name != new && older(name)));
    let stale = control::convicting(view, rest.mark, rest.quiet, stale);
    let old = stale.first()?;
    let (name, new) = (old.token_name().unwrap_or("an old token"), refresh.unwrap_or("a new one"));
    let reason = format!("{name} was presented although the refresh before had given {new}");
    Some(Finding::fail(reason, vec![x.arrived.n, read.n, old.arrived.n]))
}

/// Between a refresh and the kill the connection came to an end, or became another: the pair need not be there any more.
fn no_longer(view: &View<'_>, x: &Exchange<'_>, killed: Mark) -> Option<&'static str> {
    if view.refreshes(x.arrived, killed).any(|later| later.arrived > x.arrived && later.pair().is_none()) {
        return Some("a further refresh did not succeed before the kill: nothing need be left then");
    }
    let by_user = |what: &What| matches!(what, What::VerbCalled { verb: Verb::Connect | Verb::Disconnect, .. });
    let by_user = view.events().any(|(mark, what)| mark > x.arrived && mark < killed && by_user(what));
    by_user.then_some("the user connected or disconnected between the refresh and the kill")
}

fn refresh_03(view: &View<'_>) -> Finding {
    let Some(killed) = view.marks(|w| matches!(w, What::ProcessStopping { kill: true, .. })).first().copied() else {
        return unrealised(view, "the subject was not killed in this story");
    };
    let newest = view.exchanges.iter().rfind(|x| x.is_refresh() && x.arrived < killed && x.pair().is_some());
    let Some((x, (access, _))) = newest.and_then(|x| Some((x, x.pair()?))) else {
        return unrealised(view, "no refresh succeeded before the kill");
    };
    let Some(refresh) = view.held_before(killed.at, x.issued_in()).and_then(|held| held.refresh) else {
        return Finding::undecided("the subject had been given no refresh token before the kill");
    };
    let Some(relied) = view.api_calls(x.arrived, killed).find(|y| y.token_name() == Some(access)) else {
        return Finding::undecided("the subject was killed before it used the new token");
    };
    if let Some(reason) = no_longer(view, x, killed) {
        return Finding::undecided(reason);
    }
    // A one-shot program starts anew with the next piece of work.
    let restart = if view.terms.one_shot { Some(killed) } else { view.restart_after(killed) };
    let Some(restart) = restart else { return Finding::undecided("the subject was not started again") };
    let end = view.on_the_way_back(restart);
    let cited = |n: u32| vec![x.arrived.n, relied.arrived.n, killed.n, restart.n, n];
    let newer = |name: &str| view.given(name).is_none_or(|given| x.replied.is_some_and(|(mark, ..)| given > mark));
    if let Some(next) = view.refreshes(restart, end).next() {
        return if next.token_name().is_some_and(|name| name != refresh && newer(name)) {
            Finding::undecided("after the kill it presented a token that came with no answer known to have reached it before")
        } else if next.token_name() == Some(refresh) {
            Finding::pass(format!("after the kill it went on with {refresh}"), cited(next.arrived.n))
        } else {
            let name = next.token_name().unwrap_or("no token that was ever issued");
            Finding::fail(
                format!("after the kill it presented {name}; it had relied on {access}, and its newest refresh token was {refresh}"),
                cited(next.arrived.n),
            )
        };
    }
    if let Some(old) = view.api_calls(restart, end).find(|y| y.token_name().is_some_and(|name| name != access && !newer(name))) {
        let name = old.token_name().unwrap_or("an old token");
        return Finding::fail(format!("after the kill it went back to {name}"), cited(old.arrived.n));
    }
    match control::delivered(view, control::MAIN, restart, end, 2, "after the kill") {
        Ok(stimuli) if view.api_calls(restart, end).next().is_none() => Finding::fail(
            "after the kill it has no tokens left: work was asked for and no request came",
            [vec![killed.n, restart.n], stimuli].concat(),
        ),
        Ok(_) => Finding::undecided("after the kill no refresh was needed"),
        Err(reason) => Finding::undecided(reason),
    }
}

fn refresh_08(view: &View<'_>) -> Finding {
    let calls: Vec<_> = view.api_calls(START, Mark::END).filter_map(|x| x.api.as_ref().map(|api| (x, api.carried))).collect();
    let mut cited = Vec::new();
    for (x, carried) in &calls {
        match carried {
            Carried::Elsewhere => return Finding::fail("an access token was sent in the query or in the body", vec![x.arrived.n]),
            Carried::OtherScheme if x.token_name().is_some() => {
                return Finding::fail("an access token was sent under another scheme than Bearer", vec![x.arrived.n]);
            }
            Carried::Bearer => cited.push(x.arrived.n),
            Carried::OtherScheme | Carried::EmptyBearer | Carried::Nothing => {}
        }
    }
    cited.truncate(3);
    seen(cited, "every API request carried its token as Bearer in the header", "no API request carried a token")
}

#[cfg(test)]
mod tests;

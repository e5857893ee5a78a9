//! REAUTH: the way back through the user.

use std::collections::HashSet;

use regrant_mock_server::journal::Endpoint;

use super::{Finding, Level::*, Requirement, Scope, Severity::*, Verdict, shared::*};
use crate::{
    evidence::{Authorized, What},
    judge::{Callback, Death, Ended, Exchange, Mark, View, control},
};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "REAUTH-01",
        level: Must,
        severity: Error,
        sentence: "sends a well-formed authorise request: exact redirect URI, `code`, S256 challenge unless `provider.pkce` is declared optional",
        sources: &["Pleo, How to direct users to the authorisation endpoint", "RFC 7636 section 4.3"],
        why: "The way to reconnect is a second piece of code, written later: it forgets PKCE or spells the redirect URI differently, and the user meets an error page.",
        observed: "Every authorise request of the story, above all those of a reconnection.",
        undecided: "The user's browser was never sent to the authorise endpoint again.",
        remedy: "Use one function for connecting and reconnecting.",
        declarable: false,
        scope: Scope::Connection,
        check: reauth_01,
    },
    Requirement {
        id: "REAUTH-02",
        level: Should,
        severity: Error,
        sentence: "asks for the required scopes again: the set of the first authorisation, in any order",
        sources: &["Pleo, How to handle token expiry or revocation, step 3: request the required scopes again"],
        why: "A reconnection with fewer scopes gives a connection that looks healthy and fails with 403 at the next export.",
        observed: "The scopes of the authorise requests before and after the refusal.",
        undecided: "There was no authorise request after the refusal.",
        remedy: "Keep the scopes in one constant.",
        declarable: true,
        scope: Scope::Connection,
        check: reauth_02,
    },
    Requirement {
        id: "REAUTH-03",
        level: Must,
        severity: Error,
        sentence: "uses a fresh, unguessable `state` and a fresh verifier per attempt",
        sources: &[
            "Pleo, How to direct users to the authorisation endpoint: a fresh random verifier per attempt",
            "RFC 6749 section 10.12",
            "RFC 7636 section 7.1",
        ],
        why: "A fixed or guessable state lets an attacker graft his own authorisation onto the user's session.",
        observed: "The states and challenges of at least five attempts: all differ, each state has at least 64 bits by its length and alphabet.",
        undecided: "There were fewer than five attempts.",
        remedy: "Draw both from the system's random source at each attempt.",
        declarable: true,
        scope: Scope::Connection,
        check: reauth_03,
    },
    Requirement {
        id: "REAUTH-04",
        level: Must,
        severity: Error,
        sentence: "exchanges the code once, with the verifier",
        sources: &["Pleo, How to handle redirects and exchange authorisation code", "RFC 6749 section 4.1.2"],
        why: "A second exchange of the same code makes the provider end the tokens of the first one.",
        observed: "How often each code came to the token endpoint, and whether with a verifier.",
        undecided: "No callback was delivered, or one was not answered or came after a forged one.",
        remedy: "Exchange in the callback handler only, after taking the login out of the store.",
        declarable: false,
        scope: Scope::Connection,
        check: reauth_04,
    },
    Requirement {
        id: "REAUTH-05",
        level: Must,
        severity: Error,
        sentence: "refuses a callback whose `state` it did not issue: no exchange",
        sources: &[
            "Pleo, How to handle redirects and exchange authorisation code: check that the returned state equals the one sent",
            "RFC 6749 section 10.12",
        ],
        why: "`undefined === undefined`: after a reset the check compares two missing values and lets every callback through.",
        observed: "Callbacks with a made-up code and a made-up state, or none, are delivered before the genuine one: whether that code comes to the token endpoint.",
        undecided: "The genuine callback of the same login was not exchanged either.",
        remedy: "Refuse when nothing is stored for the state, before anything else.",
        declarable: false,
        scope: Scope::Connection,
        check: reauth_05,
    },
    Requirement {
        id: "REAUTH-08",
        level: Should,
        severity: Error,
        sentence: "stores and uses the new pair at once, the old one never again, without a restart; and the pair survives a restart",
        sources: &["Pleo, How to handle token expiry or revocation, step 3: store the newly issued access and refresh tokens"],
        why: "The new tokens are on disk, the running process keeps its old client until somebody restarts it; or the other way round.",
        observed: "The tokens of API calls and refreshes after the reconnection, and after a restart that follows it.",
        undecided: "The reconnection did not succeed, or no restart followed it, or the subject was not asked to work after either.",
        remedy: "Store first, then hand out from the store; never keep a client object that holds tokens.",
        declarable: false,
        scope: Scope::Connection,
        check: reauth_08,
    },
];

struct Attempt<'h> {
    mark: Mark,
    exchange: u64,
    response_type: Option<&'h str>,
    redirect_uri: &'h str,
    scopes: &'h [String],
    state: Option<&'h str>,
    bits: u32,
    challenge: Option<&'h str>,
    method: Option<&'h str>,
    result: &'h Authorized,
}

/// Authorise requests. The consent that a user gives on the page is no request of the subject's.
fn attempts<'h>(view: &View<'h>) -> Vec<Attempt<'h>> {
    let posted: HashSet<u64> = view
        .events()
        .filter_map(|(_, what)| match what {
            What::Requested { exchange, method, .. } if method == "POST" => Some(*exchange),
            _ => None,
        })
        .collect();
    let all = view.events().filter_map(|(mark, what)| match what {
        What::Authorize { exchange, response_type, redirect_uri, scopes, state, state_bits, challenge, method, result } => Some(Attempt {
            mark,
            exchange: *exchange,
            response_type: response_type.as_deref(),
            redirect_uri,
            scopes,
            state: state.as_deref(),
            bits: *state_bits,
            challenge: challenge.as_deref(),
            method: method.as_deref(),
            result,
        }),
        _ => None,
    });
    all.filter(|attempt| !posted.contains(&attempt.exchange)).collect()
}

fn reauth_01(view: &View<'_>) -> Finding {
    let all = attempts(view);
    let Some(first) = all.first() else { return Finding::undecided("no authorise request was seen") };
    for it in &all {
        let wrong = if it.response_type != Some("code") {
            Some("its response_type is not `code`".to_owned())
        } else if it.redirect_uri != first.redirect_uri {
            Some("its redirect URI is not the one of the first authorise request".to_owned())
        } else if !view.terms.pkce_optional && (it.challenge.is_none() || it.method != Some("S256")) {
            Some("it carries no S256 challenge".to_owned())
        } else if let Authorized::Shown(error) = it.result {
            Some(format!("the provider showed an error to the user: {error}"))
        } else {
            match it.result {
                Authorized::Sent(error) if error != "access_denied" => Some(format!("the provider sent back {error}")),
                _ => None,
            }
        };
        if let Some(wrong) = wrong {
            return Finding::fail(format!("an authorise request is not well-formed: {wrong}"), vec![it.mark.n]);
        }
    }
    if all.len() < 2 {
        return Finding::undecided("the user's browser was not sent to the authorise endpoint a second time");
    }
    Finding::pass("every authorise request is well-formed", all.iter().map(|a| a.mark.n).collect())
}

fn reauth_02(view: &View<'_>) -> Finding {
    let all = attempts(view);
    let (Some(first), Some(death)) = (all.first(), view.deaths.iter().find(|d| d.until != Mark::END)) else {
        return unrealised(view, "no reconnection followed a refusal in this story");
    };
    let set = |a: &Attempt<'_>| a.scopes.iter().cloned().collect::<HashSet<_>>();
    let Some(again) = all.iter().find(|a| a.mark > death.until) else {
        return Finding::undecided("there was no authorise request after the refusal");
    };
    let missing: Vec<_> = set(first).difference(&set(again)).cloned().collect();
    if missing.is_empty() {
        Finding::pass("the same scopes were asked for again", vec![first.mark.n, again.mark.n])
    } else {
        Finding::fail(format!("the reconnection did not ask for {}", missing.join(" ")), vec![first.mark.n, again.mark.n])
    }
}

fn reauth_03(view: &View<'_>) -> Finding {
    let all = attempts(view);
    let cited: Vec<u32> = all.iter().map(|a| a.mark.n).collect();
    for (index, a) in all.iter().enumerate() {
        let earlier = &all[..index];
        let Some(state) = a.state else { return Finding::fail("an authorise request carries no state", vec![a.mark.n]) };
        if let Some(twin) = earlier.iter().find(|b| b.state == Some(state)) {
            return Finding::fail("the same state was used for two attempts", vec![twin.mark.n, a.mark.n]);
        }
        if a.bits < 64 {
            return Finding::fail(format!("a state has at most {} bits by its length and alphabet, 64 are needed", a.bits), vec![a.mark.n]);
        }
        if let Some(twin) = earlier.iter().find(|b| a.challenge.is_some() && b.challenge == a.challenge) {
            return Finding::fail("the same verifier was used for two attempts", vec![twin.mark.n, a.mark.n]);
        }
    }
    if all.len() < 5 {
        return Finding::undecided(format!("{} attempts were seen, five are needed", all.len()));
    }
    Finding::pass(format!("{} attempts, all with a fresh state and verifier", all.len()), cited)
}

fn reauth_04(view: &View<'_>) -> Finding {
    let genuine: Vec<_> = view.callbacks.iter().filter(|c| !c.forged).filter_map(|c| c.code.map(|code| (c, code))).collect();
    let mut cited = Vec::new();
    let obscure = view.exchanges.iter().any(|x| x.is_obscure() && x.endpoint == Endpoint::Token);
    let mut missing = obscure.then(|| "a token request was still open when the story ended: what it carried is not known".to_owned());
    for (callback, code) in &genuine {
        let at = callback.at;
        match uses(view, code).as_slice() {
            [] if obscure => {}
            [] if excused(view, callback) => missing = Some(format!("{code} was not exchanged, but the callback had no fair chance")),
            [] => return Finding::fail(format!("{code} was delivered and never exchanged"), vec![at.n]),
            [once] => {
                let challenged = attempts(view).iter().any(|a| a.challenge.is_some() && gave(a, code));
                if challenged && once.token.as_ref().is_some_and(|t| !t.verifier) {
                    return Finding::fail(format!("{code} was exchanged without the verifier"), vec![at.n, once.arrived.n]);
                }
                cited.extend([at.n, once.arrived.n]);
            }
            [first, second, ..] => {
                let reason = format!("{code} was exchanged {} times", uses(view, code).len());
                return Finding::fail(reason, vec![at.n, first.arrived.n, second.arrived.n]);
            }
        }
    }
    match missing {
        Some(missing) => Finding::undecided(missing),
        None => seen(
            cited,
            "every code was exchanged once, with its verifier",
            view.unrealised().unwrap_or("no callback with a code was delivered"),
        ),
    }
}

fn gave(attempt: &Attempt<'_>, wanted: &str) -> bool {
    match attempt.result {
        Authorized::Code { code, .. } => code == wanted,
        // The code came from the page that this request led to.
        Authorized::Page => true,
        Authorized::Sent(_) | Authorized::Shown(_) => false,
    }
}

/// Exchanges of a code; a repetition in another client authentication style, or after a fault that decided nothing, is the same attempt.
fn uses<'v, 'h>(view: &'v View<'h>, code: &str) -> Vec<&'v Exchange<'h>> {
    let all: Vec<_> = view.exchanges.iter().filter(|x| x.is_code_exchange() && x.token_name() == Some(code)).collect();
    all.iter().enumerate().filter(|(i, x)| *i == 0 || !same_attempt(all[i - 1], x)).map(|(_, x)| *x).collect()
}

fn same_attempt(first: &Exchange<'_>, second: &Exchange<'_>) -> bool {
    let style = |x: &Exchange<'_>| x.token.as_ref().map(|t| t.auth);
    let after = first.replied.is_some_and(|(mark, ..)| mark.at <= second.began);
    let probe = after && first.answered(4) && style(first) != style(second);
    probe || first.met_transient_fault()
}

/// Not exchanging is no fault where a forged callback had spent the login, nobody answered the callback, or the process was ended.
fn excused(view: &View<'_>, callback: &Callback<'_>) -> bool {
    let forged = view.callbacks.iter().any(|c| c.forged && c.call == callback.call);
    let ended = |what: &What| matches!(what, What::ProcessStopping { .. } | What::ProcessExited { .. });
    let rest = view.rest_after(callback.at).filter(|rest| rest.quiet);
    let cut = |until: Mark| view.events().any(|(mark, what)| mark > callback.at && mark < until && ended(what));
    let answered = view.calls.iter().any(|c| c.id == callback.call && c.was_answered());
    forged || !answered || rest.is_none_or(|rest| cut(rest.mark))
}

fn reauth_05(view: &View<'_>) -> Finding {
    let forged: Vec<_> = view.callbacks.iter().filter(|c| c.forged).collect();
    let Some(first) = forged.first() else { return unrealised(view, "no forged callback was delivered in this story") };
    // A made-up code was never issued: whoever presents one has it from a forged callback, however late.
    let made_up = |x: &&Exchange<'_>| x.is_code_exchange() && x.arrived > first.at && x.carries_unknown();
    if let Some(x) = view.exchanges.iter().find(made_up) {
        let cause = forged.iter().rfind(|c| c.at < x.arrived).map_or(first.at, |c| c.at);
        return Finding::fail("the code of a callback whose state the subject did not issue was exchanged", vec![cause.n, x.arrived.n]);
    }
    let mut cited: Vec<u32> = forged.iter().map(|c| c.at.n).collect();
    for callback in &forged {
        let genuine = view.callbacks.iter().find(|c| !c.forged && c.call == callback.call && c.code.is_some());
        let exchanged =
            genuine.and_then(|g| view.exchanges.iter().find(|x| x.is_code_exchange() && x.token_name() == g.code && x.pair().is_some()));
        match exchanged {
            Some(x) => cited.push(x.arrived.n),
            None => return Finding::undecided("the genuine callback of the same login was not exchanged with success either"),
        }
    }
    cited.sort_unstable();
    cited.dedup();
    Finding::pass("forged callbacks were not exchanged, the genuine ones were", cited)
}

fn reauth_08(view: &View<'_>) -> Finding {
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
    let offenders = control::convicting(view, rest.mark, rest.quiet, old);
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

#[cfg(test)]
mod tests;

//! Which callbacks are believed, and what becomes of their codes.

use regrant_mock_server::journal::Endpoint;

use super::{
    super::{Finding, shared::*},
    request::{Attempt, attempts},
};
use crate::{
    evidence::{Authorized, Verb, What},
    judge::{Callback, Exchange, Mark, View},
};

pub(super) fn reauth_04(view: &View<'_>) -> Finding {
    let genuine: Vec<_> = view.callbacks.iter().filter(|c| !c.forged).filter_map(|c| c.code.map(|code| (c, code))).collect();
    let mut cited = Vec::new();
    let obscure = view.exchanges.iter().any(|x| x.is_obscure() && x.endpoint == Endpoint::Token);
    let mut missing = obscure.then(|| "a token request was still open when the story ended: what it carried is not known".to_owned());
    for (callback, code) in &genuine {
        let at = callback.at;
        match uses(view, code).as_slice() {
            [] if obscure => {}
            [] if superseded(view, callback) => {}
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

/// A browser that began another login before it came back from this one: a subject may know one login of a browser at a time, the newest,
/// if that one is exchanged.
fn superseded(view: &View<'_>, callback: &Callback<'_>) -> bool {
    let begun_since = |id: u32| {
        let call = view.calls.iter().find(|call| call.id == id && call.id > callback.call);
        call.is_some_and(|call| call.verb == Verb::Connect && call.called < callback.at)
    };
    let newer = view.callbacks.iter().filter(|other| !other.forged && begun_since(other.call));
    let mut codes = newer.filter_map(|other| other.code);
    codes.any(|code| view.exchanges.iter().any(|x| x.is_code_exchange() && x.token_name() == Some(code) && x.pair().is_some()))
}

pub(super) fn reauth_05(view: &View<'_>) -> Finding {
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
            None => match after_the_burnt(view, callback) {
                Some(x) => cited.push(x.arrived.n),
                None => {
                    return Finding::undecided(
                        "neither the genuine callback of the same login was exchanged with success nor that of the next one",
                    );
                }
            },
        }
    }
    cited.sort_unstable();
    cited.dedup();
    Finding::pass("forged callbacks were not exchanged, the genuine ones were", cited)
}

/// A subject may take a forged callback for the end of that login, and refuse the genuine one, too. The next login, without a restart in
/// between, shows that it would have exchanged what it believed.
fn after_the_burnt<'v, 'h>(view: &'v View<'h>, forged: &Callback<'_>) -> Option<&'v Exchange<'h>> {
    let refused = view.calls.iter().find(|call| call.id == forged.call && call.was_answered())?;
    let restart = view.restart_after(forged.at).filter(|_| !view.terms.one_shot).unwrap_or(Mark::END);
    let plain = |callback: &&Callback<'_>| {
        !callback.forged && callback.at > refused.called && callback.call != forged.call && callback.at < restart
    };
    let mut later = view.callbacks.iter().filter(plain).filter(|it| !view.callbacks.iter().any(|c| c.forged && c.call == it.call));
    later.find_map(|it| view.exchanges.iter().find(|x| x.is_code_exchange() && x.token_name() == it.code && x.pair().is_some()))
}

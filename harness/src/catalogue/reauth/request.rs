//! How the user is sent to the authorise endpoint.

use std::collections::HashSet;

use super::super::{Finding, shared::*};
use crate::{
    evidence::{Authorized, What},
    judge::{Mark, View},
};

/// An authorise request.
pub(super) struct Attempt<'h> {
    pub(super) mark: Mark,
    exchange: u64,
    response_type: Option<&'h str>,
    redirect_uri: &'h str,
    scopes: &'h [String],
    state: Option<&'h str>,
    bits: u32,
    pub(super) challenge: Option<&'h str>,
    method: Option<&'h str>,
    pub(super) result: &'h Authorized,
}

/// Authorise requests. The consent that a user gives on the page is no request of the subject's.
pub(super) fn attempts<'h>(view: &View<'h>) -> Vec<Attempt<'h>> {
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

pub(super) fn reauth_01(view: &View<'_>) -> Finding {
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

pub(super) fn reauth_02(view: &View<'_>) -> Finding {
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

pub(super) fn reauth_03(view: &View<'_>) -> Finding {
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

//! Whether the requests of a client are as expected. Pure: requests in, faults out.

use regrant_authority::GrantId;

use super::{Call, Count};
use crate::journal::{At, Endpoint};

/// What is expected of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Refreshes(Count),
    Calls(Endpoint, Count),
    NoReplay,
    NoCallsAfterRefusal,
    NoRefreshAfterRefusal,
}

/// How a client fell short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) sentence: String,
    /// Which of the requests it rests on, by place.
    pub(super) rests_on: Vec<usize>,
}

/// The fault of these requests, if there is one.
pub(super) fn fault(expected: Expected, calls: &[Call]) -> Option<Fault> {
    match expected {
        Expected::Refreshes(count) => counted(calls, count, "refresh requests", Call::is_refresh),
        Expected::Calls(endpoint, count) => counted(calls, count, part(endpoint), |call| call.endpoint == endpoint),
        Expected::NoReplay => none(calls, "no refresh token or code presented again after its use", |_, call| call.is_replay()),
        Expected::NoCallsAfterRefusal => none(calls, "no API request for a grant whose refresh was refused", |calls, call| {
            call.is_api() && grant(call).and_then(|grant| refused_at(calls, grant)).is_some_and(|at| call.began > at)
        }),
        Expected::NoRefreshAfterRefusal => none(calls, "no refresh for a grant whose refresh was refused", |calls, call| {
            call.is_refresh() && grant(call).and_then(|grant| refused_at(calls, grant)).is_some_and(|at| call.began > at)
        }),
    }
}

fn counted(calls: &[Call], count: Count, what: &str, is_one: impl Fn(&Call) -> bool) -> Option<Fault> {
    let rests_on = places(calls, |_, call| is_one(call));
    let seen = rests_on.len();
    (!count.includes(seen)).then(|| Fault { sentence: format!("{what}: expected {count}, seen {seen}"), rests_on })
}

fn none(calls: &[Call], what: &str, is_one: impl Fn(&[Call], &Call) -> bool) -> Option<Fault> {
    let rests_on = places(calls, is_one);
    let seen = rests_on.len();
    (seen > 0).then(|| Fault { sentence: format!("expected {what}, seen {seen}"), rests_on })
}

fn places(calls: &[Call], is_one: impl Fn(&[Call], &Call) -> bool) -> Vec<usize> {
    calls.iter().enumerate().filter(|(_, call)| is_one(calls, call)).map(|(place, _)| place).collect()
}

fn grant(call: &Call) -> Option<GrantId> {
    call.presented.as_ref().and_then(|presented| presented.grant)
}

/// When the client first knew that a grant is dead.
fn refused_at(calls: &[Call], of: GrantId) -> Option<At> {
    calls.iter().filter(|call| call.is_refused() && grant(call) == Some(of)).filter_map(|call| call.answered).min()
}

fn part(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Authorize => "authorise requests",
        Endpoint::Token => "token requests",
        Endpoint::Introspect => "introspections",
        Endpoint::Api => "API requests",
        Endpoint::Unknown => "requests to nothing that Pleo documents",
    }
}

#[cfg(test)]
mod tests;

//! SECRET: where tokens and secrets must not be.

use super::{Finding, Level::*, Requirement, Scope, Severity::*, shared::*};
use crate::{
    evidence::{LogStream, Place, What},
    judge::{Mark, View},
};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "SECRET-01",
        level: Must,
        severity: Error,
        sentence: "puts no access or refresh token, client secret or code verifier in its logs, in any encoding",
        sources: &["Pleo, Secure token storage: never log tokens", "RFC 6749 sections 10.3 and 10.4"],
        why: "The token endpoint's answer is logged whole when something is wrong with it, which is when it holds new tokens; redaction misses the form-encoded request.",
        observed: "Every log line is searched for every secret in all common encodings.",
        undecided: "No log line was seen after a token was used, or there were too many to look at all of them.",
        remedy: "Log error codes and ids; never request or response bodies, headers or token objects.",
        declarable: false,
        scope: Scope::Connection,
        check: secret_01,
    },
    Requirement {
        id: "SECRET-02",
        level: Must,
        severity: Error,
        sentence: "sends none of these in a URL, a query or a Referer",
        sources: &["Pleo, How to call Pleo APIs using access tokens: never in query", "RFC 6750 section 5.3"],
        why: "URLs are written down by every machine they pass.",
        observed: "Path, query and Referer of every request to the provider are searched for every secret.",
        undecided: "No token was on the wire.",
        remedy: "Send tokens in the Authorization header and credentials in the form body or as Basic.",
        declarable: true,
        scope: Scope::Connection,
        check: secret_02,
    },
];

fn is_secret(name: &str) -> bool {
    ["access#", "refresh#", "secret#", "verifier#"].iter().any(|kind| name.starts_with(kind))
}

fn found<'h>(view: &View<'h>, place: impl Fn(&Place) -> bool) -> Option<(Mark, &'h str, &'h Place, u32)> {
    view.events().find_map(|(mark, what)| match what {
        What::CanarySeen { found, seen } if is_secret(&found.canary) && place(&found.place) => {
            Some((mark, found.canary.as_str(), &found.place, *seen))
        }
        _ => None,
    })
}

fn first_use(view: &View<'_>) -> Option<Mark> {
    view.exchanges.iter().find(|x| !x.by_agent && x.token_name().is_some()).map(|x| x.arrived)
}

fn secret_01(view: &View<'_>) -> Finding {
    if let Some((mark, canary, place, seen)) = found(view, |p| matches!(p, Place::Log(_))) {
        let stream = match place {
            Place::Log(LogStream::Stdout) => "standard output",
            Place::Log(LogStream::Stderr) => "standard error",
            Place::Log(LogStream::File(path)) => path.as_str(),
            _ => "a log",
        };
        return Finding::fail(format!("{canary} stands in {stream}"), vec![seen, mark.n]);
    }
    let Some(used) = first_use(view) else { return Finding::undecided("no token was used in this story") };
    let lines: Vec<u32> = view.marks(|w| matches!(w, What::Log { .. })).into_iter().filter(|m| *m > used).map(|m| m.n).take(1).collect();
    if lines.is_empty() {
        return Finding::locked("no log line was seen after a token was used", "logs.files");
    }
    if view.events().any(|(_, what)| matches!(what, What::LogFlooded { .. })) {
        return Finding::undecided("no secret was found, but there were too many log lines to look at all of them");
    }
    Finding::pass("no secret stands in any log line", lines)
}

fn secret_02(view: &View<'_>) -> Finding {
    if let Some((mark, canary, place, seen)) = found(view, |p| matches!(p, Place::Url | Place::Referer)) {
        let at = if *place == Place::Referer { "the Referer" } else { "the URL" };
        return Finding::fail(format!("{canary} stands in {at} of a request"), vec![seen, mark.n]);
    }
    let cited: Vec<u32> = first_use(view).into_iter().map(|m| m.n).collect();
    seen(cited, "no secret stands in the URL or the Referer of any request", "no token was on the wire")
}

#[cfg(test)]
mod tests;

//! SECRET: where tokens and secrets must not be: in logs and addresses (here), on pages (`shown`), at rest (`at_rest`, `logins`).

mod at_rest;
mod logins;
mod shown;

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
        observed: "Every log line is searched for every secret in all common encodings, and logs that were rotated away or packed.",
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
    Requirement {
        id: "SECRET-03",
        level: Must,
        severity: Error,
        sentence: "shows no token and no client secret on its pages or in its errors",
        sources: &[
            "Pleo, Secure token storage: no tokens in error messages",
            "Pleo, How to register an OAuth client: the secret never reaches a frontend",
        ],
        why: "A status endpoint that returned the stored record, refresh token included; an error page that printed the failed request with its headers.",
        observed: "What the subject answers is searched for access and refresh tokens and the client secret in all common encodings: status, prompt, settings and data, its answers to triggers and callbacks, and its messages to `{notify_url}` and `{smtp_url}`.",
        undecided: "No page was answered with success after a token was used: [prompt] or [status] shows one.",
        remedy: "Build answers from the fields that are meant to be seen; never serialise the stored record or the failed request.",
        declarable: true,
        scope: Scope::Connection,
        check: shown::secret_03,
    },
    Requirement {
        id: "SECRET-04",
        level: Should,
        severity: Warning,
        sentence: "keeps no token in clear text at rest",
        sources: &["Pleo, Secure token storage: encrypted database or vault, tokens encrypted at rest"],
        why: "A backup, a support bundle, a volume snapshot: whoever got hold of the file had the customers' access.",
        observed: "Files and database rows are searched for access and refresh tokens; encoded is not encrypted. What a dump command prints does not count: it may decrypt.",
        undecided: "No token was found, but nothing under the probes changed in two refreshes either: the store lies elsewhere.",
        remedy: "Encrypt tokens with a key that does not lie beside them: from the environment, a secret manager or the platform's key store.",
        declarable: true,
        scope: Scope::Connection,
        check: at_rest::secret_04,
    },
    Requirement {
        id: "SECRET-05",
        level: Should,
        severity: Warning,
        sentence: "keeps token files closed to other users",
        sources: &["Pleo, Secure token storage: restrict access to token storage"],
        why: "A token file with mode 0644 on a machine that others have an account on.",
        observed: "The mode of every file that holds a token, and of the folders above it; of encrypted stores, the mode of whatever changes when a pair is replaced. The group is left to the owner.",
        undecided: "No file was seen to hold a token, or to change with one.",
        remedy: "Set the umask to 077, or create the file with mode 0600 before anything is written to it.",
        declarable: true,
        scope: Scope::Connection,
        check: at_rest::secret_05,
    },
    Requirement {
        id: "SECRET-06",
        level: Should,
        severity: Advice,
        sentence: "clears verifier, state and code once they are used",
        sources: &["RFC 7636 section 7.1", "RFC 6819 section 5.3.5"],
        why: "Every login left a row behind with verifier and code in it; the table was never cleared, and went into each backup.",
        observed: "Storage is searched for the state while the user is at the consent page, and for state, verifier and code once the login was completed and the subject has settled.",
        undecided: "The state was not found in storage while the login was pending: it is kept in memory, in the browser, hashed or encrypted.",
        remedy: "Delete the pending login in the step that takes it up.",
        declarable: true,
        scope: Scope::Connection,
        check: logins::secret_06,
    },
    Requirement {
        id: "SECRET-07",
        level: Should,
        severity: Advice,
        sentence: "keeps authorization codes out of its logs and of the Referer",
        sources: &["RFC 6749 section 10.5", "RFC 9700 section 4.2.4"],
        why: "The default access logs of many frameworks write the callback with its query, and log shippers send it on within seconds.",
        observed: "Every log line and every Referer is searched for the codes that were delivered.",
        undecided: "No code was exchanged, or no log line was seen after that.",
        remedy: "Leave the query of the callback out of the access log; answer the callback with a redirect, and with Referrer-Policy: no-referrer.",
        declarable: true,
        scope: Scope::Connection,
        check: shown::secret_07,
    },
    Requirement {
        id: "SECRET-08",
        level: Must,
        severity: Error,
        sentence: "keeps no token in a plain text file",
        sources: &["Pleo, Secure token storage: never in local storage, session storage or plain text files"],
        why: "tokens.json beside the code: committed, copied into an image, served by the static file handler.",
        observed: "Files that read as text are searched for access and refresh tokens as they are, or with the escapes of the format. Databases are SECRET-04's, declared logs SECRET-01's.",
        undecided: "No store was seen at all: nothing under the probes holds a token or changed in two refreshes.",
        remedy: "Keep tokens in an encrypted database or a vault; for a small program, one encrypted file with the key in the environment will do.",
        declarable: true,
        scope: Scope::Connection,
        check: at_rest::secret_08,
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
    if let Some(reason) = shown::unread_log(view) {
        return Finding::undecided(format!("no secret was found, but not every log could be read: {reason}"));
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

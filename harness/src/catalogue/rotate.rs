//! ROTATE: what the client's own credentials do to its connections.

mod overlap;
mod renewed;

use regrant_mock_server::fault::scenario::Status;

use super::{Finding, Level::*, Requirement, Scope, Severity::*, Verdict, detect, log, mark, purge, shared::*, stop};
use crate::{
    evidence::What,
    judge::{Death, Ended, View, control},
};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "ROTATE-01",
        level: Must,
        severity: Error,
        sentence: "on `invalid_client` stops and stays within its declared attempts",
        sources: &[
            "Pleo, How to refresh tokens: invalid client credentials",
            "Pleo, How to handle token expiry or revocation: client credential rotation",
        ],
        why: "The wrong secret is tried for ever with every user's refresh token.",
        observed: "API calls and refreshes after the token endpoint answered invalid_client, until the subject is restarted or given other credentials.",
        undecided: "invalid_client was never answered, the trigger was answered fewer than twice afterwards, or nothing shows that the subject was still alive.",
        remedy: "Stop all connections of the client, tell the operator, and wait for new credentials.",
        declarable: true,
        scope: Scope::Connection,
        check: |view| of_a_confidential_client(view, rotate_01),
    },
    Requirement {
        id: "ROTATE-02",
        level: Must,
        severity: Error,
        sentence: "shows on `invalid_client` that the connection does not work (disconnected or broken)",
        sources: &[
            "Pleo, How to handle token expiry or revocation: client credential rotation",
            "Pleo, How to handle token expiry or revocation, step 2: mark the connection as unauthenticated",
        ],
        why: "The page says connected while nothing works, or asks users to reconnect, which cannot help: only an operator can, and nobody tells them.",
        observed: "`status` while connected, and after the refusal of the client's credentials once the subject has settled. Disconnected and broken are both right.",
        undecided: "No `[status]`; or it never read connected; or its answer matches none of the manifest's patterns (`status.broken` names the state between).",
        remedy: "Keep a state of its own for refused credentials, and show it wherever the connection is shown.",
        declarable: true,
        scope: Scope::Connection,
        check: |view| of_a_confidential_client(view, rotate_02),
    },
    Requirement {
        id: "ROTATE-03",
        level: Should,
        severity: Error,
        sentence: "on `invalid_client` logs that the client's credentials were refused",
        sources: &["Pleo, How to refresh tokens: log whether it succeeded or failed, and why"],
        why: "\"Refresh failed\" is read as the user's doing; the operator who could configure the new secret hears of it from customers.",
        observed: "Log lines from the refused request until other credentials are handed over, other than those it writes in the prologue, too: the code invalid_client, or a sentence about the client's credentials.",
        undecided: "No log line was ever seen; or there were new lines that cannot be understood (another language, or codes).",
        remedy: "Log one line at level error that names the client's credentials, not the user's grant, as what was refused; never the secret.",
        declarable: true,
        scope: Scope::Connection,
        check: |view| of_a_confidential_client(view, log::credentials_refused),
    },
    Requirement {
        id: "ROTATE-04",
        level: Must,
        severity: Error,
        sentence: "works again after the new secret is configured, and the user reauthenticated where that is needed",
        sources: &[
            "Pleo, How to handle token expiry or revocation: client credential rotation",
            "Pleo, How to handle token expiry or revocation, step 4: a clear recovery path",
        ],
        why: "The secret was copied into a store or a client object at the first start: the new one is configured, and the old one is sent.",
        observed: "Token requests and API calls after the subject was given the new secret: first asked to work as it is, then connected anew by the user.",
        undecided: "invalid_client was never answered; the new secret was not handed over, or perhaps to a command that ran only once (`start.reload` says how it takes a new one); or the user did not come back and the subject was asked fewer than twice.",
        remedy: "Read the secret from the configuration when it is needed, and derive nothing lasting from it: no key of the token store, no cached client.",
        declarable: true,
        scope: Scope::Connection,
        check: |view| of_a_confidential_client(view, renewed::rotate_04),
    },
    Requirement {
        id: "ROTATE-05",
        level: Should,
        severity: Warning,
        sentence: "can be understood with any legal secret: the RFC's encoding or the raw form",
        sources: &["RFC 6749 2.3.1: client password, form-encoded before it goes into the Basic header"],
        why: "The new secret has a plus sign, a percent sign or a colon; it is encoded twice, or not where the library on the other side wants it, and nobody understands the 401.",
        observed: "Token requests after the subject was given a secret with letters, digits and each of `-._~+/=%:`. The provider takes the body, the form-encoded header and the raw header, and records which.",
        undecided: "The subject made no token request with the new secret, or still sent the old one.",
        remedy: "Form-encode id and secret each by itself before they are joined and base64-encoded, or send them in the body; do it once.",
        declarable: true,
        scope: Scope::Connection,
        check: |view| of_a_confidential_client(view, renewed::rotate_05),
    },
    Requirement {
        id: "ROTATE-06",
        level: Should,
        severity: Warning,
        sentence: "has no outage when old and new secret overlap",
        sources: &["Pleo, How to handle token expiry or revocation: client credential rotation"],
        why: "Secrets overlap so that nobody notices a rotation; yet tokens are tied to the secret, or a cached client goes on with the old one until it ends.",
        observed: "Token requests, API calls and `status` while both secrets work, after the subject was given the new one, and after the old one's end.",
        undecided: "The story's three refreshes did not come about, or the new secret was not handed over to the subject.",
        remedy: "Take the new secret for the next request and leave the tokens alone: a refresh token belongs to the client, not to its secret.",
        declarable: true,
        scope: Scope::Connection,
        check: |view| of_a_confidential_client(view, overlap::rotate_06),
    },
    Requirement {
        id: "ROTATE-07",
        level: Must,
        severity: Error,
        sentence: "takes `invalid_grant` under a new, correct secret as the end of the grant: stop, mark, purge, log, recover",
        sources: &["Pleo, How to handle token expiry or revocation: common causes include client credential rotation"],
        why: "After a rotation every refusal is blamed on the configuration; the grants that died with the old secret are never asked for again.",
        observed: "What STOP-01, STOP-02, PURGE-02, MARK-01, LOG-01 and DETECT-01 observe, after the subject was given the new secret.",
        undecided: "One of these is undecided.",
        remedy: "Trust the error code: invalid_client speaks of your credentials, invalid_grant of the user's grant.",
        declarable: true,
        scope: Scope::Connection,
        check: |view| of_a_confidential_client(view, rotate_07),
    },
];

/// A public client has no secret that could change.
fn of_a_confidential_client(view: &View<'_>, check: fn(&View<'_>) -> Finding) -> Finding {
    if view.terms.confidential == Some(false) {
        return Finding::not_applicable("a public client has no secret (`features.confidential = false`)");
    }
    check(view)
}

fn rotate_01(view: &View<'_>) -> Finding {
    each_death(view, Ended::Client, |death| {
        if let Some(finding) = stop::represented(view, death) {
            return finding;
        }
        let Some(settled) = death.settled else { return not_at_rest() };
        let calls = control::calls_after(view, death, settled, death.process_until);
        if !calls.is_empty() {
            let reason = format!("{} after the client's credentials were refused", stop::calls_with(&calls));
            return Finding::fail(reason, control::cite(view, death.refused, &calls));
        }
        let passed = "nothing was sent after the client's credentials were refused, though the work was asked for";
        silence(control::sandwich(view, death), death, passed)
    })
}

fn rotate_02(view: &View<'_>) -> Finding {
    if !view.terms.status {
        return Finding::locked("the subject's status is not known", "[status]");
    }
    each_death(view, Ended::Client, |death| shown(view, death))
}

fn shown(view: &View<'_>, death: &Death) -> Finding {
    let Some(settled) = death.settled else { return not_at_rest() };
    if !view.statuses().any(|(mark, state, _)| mark < death.asked && state == Some(Status::Connected)) {
        return Finding::undecided("the status never said connected before the refusal");
    }
    let Some((mark, state, raw)) = view.statuses().rfind(|(mark, ..)| *mark > settled && *mark < death.process_until) else {
        return Finding::undecided("the status was not read after the client's credentials were refused");
    };
    let cited = vec![death.refused.n, mark.n];
    match state {
        Some(Status::Disconnected) => Finding::pass("the status says disconnected while the client's credentials are refused", cited),
        Some(Status::Broken) => Finding::pass("the status says broken while the client's credentials are refused", cited),
        Some(Status::Connected) if death.at_rest => {
            Finding::fail("the status still says connected after the client's credentials were refused", cited)
        }
        Some(Status::Connected) => not_at_rest(),
        None => {
            let reason = format!("the status after the refusal matches none of the patterns: {raw}");
            Finding::locked(reason, if view.terms.status_broken { "status.disconnected or status.broken" } else { "status.broken" })
        }
    }
}

fn rotate_07(view: &View<'_>) -> Finding {
    let handed = view.marks(|w| matches!(w, What::SecretHanded)).first().copied();
    let dead = view.deaths.iter().any(|d| d.ended == Ended::Grant && handed.is_some_and(|h| d.asked > h));
    if !dead {
        return unrealised(view, "no refresh was refused with invalid_grant under a new secret in this story");
    }
    let parts: Vec<(&str, Finding)> = [detect::ALL, stop::ALL, purge::ALL, mark::ALL, log::ALL]
        .into_iter()
        .flatten()
        .filter(|r| ["DETECT-01", "STOP-01", "STOP-02", "PURGE-02", "MARK-01", "LOG-01"].contains(&r.id))
        .map(|r| (r.id, (r.check)(view)))
        .filter(|(_, f)| f.verdict != Verdict::NotApplicable)
        .collect();
    let decided =
        parts.iter().find(|(_, f)| f.verdict == Verdict::Fail).or_else(|| parts.iter().find(|(_, f)| f.verdict == Verdict::Undecided));
    match decided {
        Some((id, finding)) => Finding { reason: format!("under the new secret, as {id}: {}", finding.reason), ..finding.clone() },
        None => {
            let cited = parts.iter().flat_map(|(_, f)| f.evidence.iter().copied()).take(6).collect();
            Finding::pass("the refusal under the new secret ended the connection like any other", cited)
        }
    }
}

#[cfg(test)]
mod tests;

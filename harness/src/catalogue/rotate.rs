//! ROTATE: what the client's own credentials do to its connections.

use super::{Finding, Level::*, Requirement, Scope, Severity::*, Verdict, detect, log, mark, purge, shared::*, stop};
use crate::{
    evidence::What,
    judge::{Ended, View, control},
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
        check: rotate_01,
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
        check: rotate_07,
    },
];

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

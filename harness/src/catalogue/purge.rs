//! PURGE: what must be gone once the grant is finished.

mod farewell;
mod superseded;

use super::{Finding, Level::*, Requirement, Scope, Severity::*, others, shared::*, stop, storage::*};
use crate::judge::{Death, Ended, Mark, View, control};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "PURGE-01",
        level: Must,
        severity: Error,
        sentence: "never presents the invalidated access token again, restart included",
        sources: &["Pleo, How to handle token expiry or revocation, step 2: invalidate stored access and refresh tokens"],
        why: "Pleo kills the access token together with the grant. A client that keeps it because its clock still runs sends requests that can only fail.",
        observed: "API requests that carry the access token of the dead pair, from the moment the subject has settled to the end of the story, over restarts and reconnection.",
        undecided: "The subject was not restarted while the connection was dead; or the trigger caused no API call before the refusal, was answered fewer than twice after it, or caused none again after the reconnection.",
        remedy: "Remove both tokens in one transaction; also from caches, default headers and clients that were built with them.",
        declarable: false,
        scope: Scope::Connection,
        check: purge_01,
    },
    Requirement {
        id: "PURGE-02",
        level: Must,
        severity: Error,
        sentence: "never presents the invalidated refresh token again, restart included",
        sources: &[
            "Pleo, Handling Refresh Token Expiry or Revocation: secure cleanup",
            "Pleo, How to handle token expiry or revocation, step 2",
        ],
        why: "What is forgotten in memory but not on disk comes back with the next start, and at Pleo a replayed token can end the sessions that still work.",
        observed: "Presentations of the refused refresh token beyond the declared attempts, or after a restart, or after the reconnection.",
        undecided: "As for PURGE-01; or the token came again within one burst, as for STOP-02.",
        remedy: "Delete the token from every store in the step that records the refusal, before answering anybody.",
        declarable: false,
        scope: Scope::Connection,
        check: purge_02,
    },
    Requirement {
        id: "PURGE-03",
        level: Must,
        severity: Error,
        sentence: "keeps no readable copy of the dead refresh token in storage",
        sources: &["Pleo, Handling Refresh Token Expiry or Revocation: ensure no copies remain in storage or memory"],
        why: "Users were told to delete a file by hand before they could log in again; copies in backups and second stores came back to life after a restore.",
        observed: "Every file of the sandbox and every row of its databases is searched for the token in all common encodings, while it is alive and after it is dead and the subject has settled.",
        undecided: "The token was not found while it was alive (the store is elsewhere or encrypted), or a place could not be read any more.",
        remedy: "Overwrite or delete the value wherever it was written, backups and temporary files included; with SQLite set secure_delete.",
        declarable: false,
        scope: Scope::Connection,
        check: |view| gone(view, |death| Some(death.refresh.clone())),
    },
    Requirement {
        id: "PURGE-04",
        level: Must,
        severity: Error,
        sentence: "keeps no readable copy of the invalidated access token in storage",
        sources: &["Pleo, How to handle token expiry or revocation, step 2: invalidate stored access and refresh tokens"],
        why: "The refresh token is removed and the access token stays, because nobody thought of it as a secret that outlives its clock.",
        observed: "As for PURGE-03, for the access token of the dead pair.",
        undecided: "The token was not found while it was alive: the store is elsewhere or encrypted, or it is kept in memory only.",
        remedy: "Delete the pair, not half of it.",
        declarable: false,
        scope: Scope::Connection,
        check: |view| gone(view, |death| death.access.clone()),
    },
    Requirement {
        id: "PURGE-05",
        level: Should,
        severity: Warning,
        sentence: "leaves no residue in raw bytes: journal and free pages, backups, temporary files",
        sources: &["Pleo, Handling Refresh Token Expiry or Revocation: ensure no copies remain in storage or memory"],
        why: "The row was gone and the token was not: it stood in the write-ahead log and in free pages of the same file, and every backup of the file took it along.",
        observed: "The raw bytes of database files and their journals, apart from live rows, once the refusal was settled: searched for every token that the connection ever had. Whole files with a copy are PURGE-03's.",
        undecided: "No token was found in storage while it was alive: the store is elsewhere, or it is encrypted and no dump shows what it holds.",
        remedy: "SQLite: secure_delete = ON and no write-ahead log, or a checkpoint that truncates it. Else encrypt what is stored: then what is left over says nothing.",
        declarable: true,
        scope: Scope::Connection,
        check: superseded::purge_05,
    },
    Requirement {
        id: "PURGE-07",
        level: Must,
        severity: Error,
        sentence: "purges only that connection: other connections' tokens and all settings stay",
        sources: &[
            "Pleo, Handling Refresh Token Expiry or Revocation: recovery path",
            "Pleo, Authorisation: a token belongs to one company; a company's consent is its own",
        ],
        why: "`DELETE FROM tokens` without a WHERE: one customer's revocation logged every other customer out.",
        observed: "Whether the other connections still work with the tokens that they had (or refreshed ones), without another consent, while one has ended. Settings are RECOVER-04's, which may convict in the same story.",
        undecided: "`features.connections` names fewer than two; or the other connection was not asked to work twice after the refusal; or its work did not go before it either.",
        remedy: "Delete by the connection's key, and keep settings in a table that a disconnection does not touch.",
        declarable: true,
        scope: Scope::Subject,
        check: purge_07,
    },
    Requirement {
        id: "PURGE-08",
        level: Must,
        severity: Error,
        sentence: "discards superseded tokens after each good refresh, in live rows and files",
        sources: &[
            "Pleo, Centralised token refresh: discard all earlier tokens at once",
            "Pleo, Race condition prevention: old tokens must not live on after a refresh",
            "RFC 6749 section 6: the client MUST discard the old refresh token",
        ],
        why: "A table with one row per refresh, or a copy \"just in case\": a restore or a fallback then presents a superseded token, and Pleo ends the whole family for it.",
        observed: "Storage is searched for the tokens that a refresh replaced, once an API call has succeeded with the new one and the subject has settled; they must have been found there while they were alive.",
        undecided: "The tokens were not found while they were alive: the store is elsewhere or encrypted. Show its content with storage.dump.",
        remedy: "Overwrite the pair in place, in one transaction. Keep no history of tokens; an audit trail needs times and token ids, not tokens.",
        declarable: true,
        scope: Scope::Connection,
        check: superseded::purge_08,
    },
    Requirement {
        id: "PURGE-09",
        level: Should,
        severity: Warning,
        sentence: "on the user's disconnect purges its tokens and tells Pleo; a failure of that call stops neither",
        sources: &["Pleo, How to store tokens securely: have revocation and cleanup procedures"],
        why: "`Disconnect` deletes a row here and leaves the grant alive at Pleo; or the call to Pleo fails, its exception skips the rest, and the tokens stay.",
        observed: "Storage before and after the user disconnected; requests that carry the tokens afterwards; and whether `DELETE /v1/installations/me` came, also where Pleo answers it with an error.",
        undecided: "No `[disconnect]`, or no token was found in storage while it was alive (`storage.paths`, `storage.dump`).",
        remedy: "Take the tokens out of the store first, then tell Pleo with the one in hand, and do not let its answer matter.",
        declarable: true,
        scope: Scope::Connection,
        check: farewell::purge_09,
    },
];

fn purge_01(view: &View<'_>) -> Finding {
    each_death(view, Ended::Grant, |death| {
        let Some(settled) = death.settled else { return not_at_rest() };
        let dead = view.api_calls(settled, Mark::END).filter(|x| x.token_name().is_some() && x.token_name() == death.access.as_deref());
        let offenders = control::convicting(view, settled, death.at_rest, dead);
        if !offenders.is_empty() {
            let reason = format!("{}, which died with the refusal of {}", stop::calls_with(&offenders), death.refresh);
            return Finding::fail(reason, control::cite(view, death.refused, &offenders));
        }
        silence(whole(view, death), death, "the dead access token was not seen again")
    })
}

fn purge_02(view: &View<'_>) -> Finding {
    each_death(view, Ended::Grant, |death| {
        if let Some(finding) = stop::represented(view, death) {
            return finding;
        }
        let Some(settled) = death.settled else { return not_at_rest() };
        let elsewhere = stop::presentations(view, death).filter(|x| x.arrived > death.process_until);
        let offenders = control::convicting(view, settled, death.at_rest, elsewhere);
        if !offenders.is_empty() {
            let reason = format!("{} was presented again after a restart or reconnection", death.refresh);
            return Finding::fail(reason, control::cite(view, death.refused, &offenders));
        }
        silence(whole(view, death), death, "the dead refresh token was not seen again")
    })
}

/// The sandwich, and a restart with a stimulus after it. A one-shot program starts anew with each stimulus.
fn whole(view: &View<'_>, death: &Death) -> Result<Vec<u32>, String> {
    let stimuli = control::sandwich(view, death)?;
    if view.terms.one_shot {
        return Ok(stimuli);
    }
    let restarted = death.restarted.ok_or("the subject was not restarted while the connection was dead")?;
    control::delivered(view, control::MAIN, restarted, death.until, 1, "after the restart")?;
    Ok(stimuli)
}

fn purge_07(view: &View<'_>) -> Finding {
    if let Some(finding) = others::wanted(view) {
        return finding;
    }
    others::each(view, |other| {
        let works = |from: Mark, until: Mark| other.view.api_calls(from, until).find(|x| x.answered(2));
        let Some(before) = works(START, other.knew) else {
            return Finding::undecided(format!("{} did not work before", other.name));
        };
        if let Some(after) = works(other.settled, other.until) {
            let reason = format!("{} goes on with its tokens while {} has ended", other.name, other.ended);
            return Finding::pass(reason, vec![before.arrived.n, other.refused.n, after.arrived.n]);
        }
        match control::delivered(&other.view, control::MAIN, other.settled, other.until, 2, "after the refusal") {
            // Work that was taken on may still be waiting for its turn.
            Ok(stimuli) if !other.rested_after(&stimuli) => {
                Finding::undecided(format!("the subject did not come to rest after {} was asked to work", other.name))
            }
            Ok(stimuli) => {
                let reason = format!("{} was asked to work and does not any more, though only {} ended", other.name, other.ended);
                Finding::fail(reason, [vec![before.arrived.n, other.refused.n], stimuli].concat())
            }
            Err(reason) => Finding::undecided(reason),
        }
    })
}

fn gone(view: &View<'_>, token: impl Fn(&Death) -> Option<String>) -> Finding {
    each_death(view, Ended::Grant, |death| {
        let Some(token) = token(death) else { return Finding::undecided("the subject never had such a token") };
        let Some(settled) = death.settled else { return not_at_rest() };
        let next = view.triggers(settled, Mark::END).next().map_or(death.until, |c| c.called).min(death.until);
        let scans = scans(view);
        let before = scans.iter().rfind(|scan| scan.mark < death.asked);
        let Some(after) = scans.iter().find(|scan| scan.mark > settled && scan.mark < next) else {
            return Finding::undecided("storage was not searched between the refusal and the next stimulus");
        };
        if let Some(found) = after.found.iter().find(|f| is_copy(f, &token)) {
            let reason = format!("{token} is still in {} after it was refused", place(&found.place));
            // Half of a work in progress proves nothing.
            return if death.at_rest { Finding::fail(reason, vec![death.refused.n, after.mark.n]) } else { not_at_rest() };
        }
        let Some(before) = before.filter(|scan| scan.found.iter().any(|f| is_copy(f, &token))) else {
            return Finding::locked(
                format!("{token} was not found in storage while it was alive, so that its absence proves nothing"),
                "storage.paths, storage.dump or storage.urls",
            );
        };
        if let Some(unread) = after.unread.iter().find(|it| !before.unread.contains(it)) {
            return Finding::undecided(format!("{token} was not found any more, but not everything could be read: {unread}"));
        }
        Finding::pass(format!("{token} was in storage while it lived and is gone"), vec![before.mark.n, death.refused.n, after.mark.n])
    })
}

#[cfg(test)]
mod tests;

//! What is left of a login once it was completed.

use super::super::{Finding, shared::*, storage::*};
use crate::{
    evidence::{CanaryForm, Found},
    judge::{Mark, View},
};

pub(super) fn secret_06(view: &View<'_>) -> Finding {
    let scans = scans(view);
    let exchanges: Vec<_> = view.exchanges.iter().filter(|x| x.is_code_exchange()).collect();
    let mut pending: Option<(&str, Mark)> = None;
    for scan in &scans {
        let logins = exchanges.iter().filter(|x| x.arrived < scan.mark);
        // A code whose exchange met a fault may be tried once more.
        let all_done = logins.clone().all(|x| x.pair().is_some());
        let rested = logins.clone().next_back().filter(|_| all_done).and_then(|x| {
            let replied = x.replied.map(|(mark, ..)| mark)?;
            view.rests.iter().any(|rest| rest.quiet && rest.mark > replied && rest.mark < scan.mark).then_some(replied)
        });
        if let Some(replied) = rested
            && let Some(found) = scan.found.iter().find(|found| is_used(found, pending))
        {
            let reason = format!("{} is still in {} after the login was completed", found.canary, place(&found.place));
            return Finding::fail(reason, vec![replied.n, scan.mark.n]);
        }
        match (pending, rested) {
            // Another login may have been begun meanwhile; this one's state is gone.
            (Some((state, seen)), Some(replied)) if replied > seen => {
                return Finding::pass(
                    format!("{state} was in storage while the login was pending, and is gone"),
                    vec![seen.n, replied.n, scan.mark.n],
                );
            }
            (None, _) => pending = at_consent(view, scan).map(|state| (state, scan.mark)),
            (Some(_), _) => {}
        }
    }
    match pending {
        Some(_) => unrealised(view, "the login was not completed, or storage was not searched after it"),
        None => unrealised(view, "no state was found in storage while the user was at the consent page"),
    }
}

/// The state of the login whose user is at the consent page, if it is in storage.
fn at_consent<'h>(view: &View<'h>, scan: &Scan<'h>) -> Option<&'h str> {
    let call = view.calls.iter().rfind(|call| call.wanted.is_some() && call.called < scan.mark)?;
    let open = call.answered.is_none_or(|(mark, _)| mark > scan.mark);
    let delivered = view.callbacks.iter().any(|callback| callback.call == call.id && callback.at < scan.mark);
    let newest = scan.found.iter().filter(|found| is_whole(found) && found.canary.starts_with("state#"));
    newest.max_by_key(|found| number(&found.canary)).filter(|_| open && !delivered).map(|found| found.canary.as_str())
}

/// A verifier and a code are known only once they were sent; a state is used when its login is completed.
fn is_used(found: &Found, pending: Option<(&str, Mark)>) -> bool {
    let of_login = found.canary.starts_with("verifier#") || found.canary.starts_with("code#");
    is_whole(found) && (of_login || pending.is_some_and(|(state, _)| state == found.canary))
}

fn is_whole(found: &Found) -> bool {
    is_live(&found.place) && found.form != CanaryForm::Prefix
}

fn number(canary: &str) -> u32 {
    canary.split_once('#').and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

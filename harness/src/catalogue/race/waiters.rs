//! Whoever waited for a refresh has its turn, and refreshes: with what it knew before, or with what it has just been given.

use crate::{
    catalogue::{
        Finding, several,
        shared::{ON_ITS_WAY, disturbed},
    },
    evidence::{Micros, What},
    judge::{Exchange, Mark, View},
};

/// Whoever does not say how long it waits for an answer may have given up on one that takes longer.
const PATIENCE: Micros = 2_000_000;

/// Of those who were asked to work before a refresh was answered, one sends the token that it replaced, though the same process had read the
/// answer, and before anything else happened.
pub(super) fn refreshed_anew(view: &View<'_>) -> Option<Finding> {
    // Each piece of work is a process of its own: another one has read the answer.
    if view.terms.one_shot {
        return None;
    }
    let plain = |x: &&Exchange<'_>| x.is_refresh() && x.fates.iter().all(|fate| fate.starts_with("hold"));
    view.exchanges.iter().filter(plain).find_map(|x| {
        let (replaced, (_, new), read) = (x.token_name()?, x.pair()?, x.read?);
        let new = new.filter(|new| *new != replaced)?;
        if read.at.saturating_sub(x.began) >= view.terms.token_timeout.unwrap_or(PATIENCE) {
            return None;
        }
        let shortly_before = Mark { at: x.began.saturating_sub(ON_ITS_WAY), n: 0 };
        let waited: Vec<u32> = view.triggers(shortly_before, read).map(|call| call.called.n).collect();
        let soon = |y: &&Exchange<'_>| y.began > read.at && y.began < read.at + ON_ITS_WAY;
        let again = view.refreshes(read, Mark::END).find(|y| soon(y) && y.token_name() == Some(replaced))?;
        if waited.len() < 2 || disturbed(view, x.arrived, again.arrived) || !several::are_one(view, x, again) {
            return None;
        }
        let reason = format!("one that had waited for a refresh sent {replaced} once more, though the answer had brought {new}");
        Some(Finding::fail(reason, [vec![x.arrived.n, read.n, again.arrived.n], waited].concat()))
    })
}

/// A token that lives as long is used, and not replaced, whatever margin somebody keeps.
const LONG: u64 = 3_600;

/// Two calls had met 401 with the token before, long enough before the refresh was answered for both to wait for it, and what it brought was
/// refreshed at once, though no answer had spoken against it.
pub(super) fn refreshed_twice(view: &View<'_>) -> Option<Finding> {
    if view.terms.one_shot {
        return None;
    }
    let denied: Vec<(&Exchange<'_>, Mark)> = view.exchanges.iter().filter_map(|y| Some((y, denied(y)?))).collect();
    view.exchanges.iter().filter(|x| x.is_refresh() && x.life().is_some_and(|life| life >= LONG)).find_map(|x| {
        let ((_, new), read, held) = (x.pair()?, x.read?, view.held_before(x.began, None)?);
        let new = new.filter(|new| Some(*new) != x.token_name())?;
        let soon = |y: &&Exchange<'_>| y.began > read.at && y.began < read.at + ON_ITS_WAY;
        let again = view.refreshes(read, Mark::END).find(|y| soon(y) && y.token_name() == Some(new))?;
        let waited = |&&(y, mark): &&(&Exchange<'_>, Mark)| y.token_name() == Some(held.access) && mark.at + ON_ITS_WAY < read.at;
        let waited: Vec<u32> = denied.iter().filter(waited).map(|(y, _)| y.arrived.n).collect();
        let since = denied.iter().any(|(_, mark)| mark.at + ON_ITS_WAY >= read.at && mark.at < again.began);
        if waited.len() < 2 || since || disturbed(view, x.arrived, again.arrived) || !several::are_one(view, x, again) {
            return None;
        }
        let reason = format!("one that had waited for a refresh did not go on with what it had brought, but refreshed {new} at once");
        Some(Finding::fail(reason, [waited, vec![x.arrived.n, read.n, again.arrived.n]].concat()))
    })
}

/// The API took the token for none, or forbade something.
fn denied(x: &Exchange<'_>) -> Option<Mark> {
    x.replied.filter(|(_, status, _)| x.is_api() && matches!(status, 401 | 403)).map(|(mark, ..)| mark)
}

/// The provider ended the grant, or changed what the client is known by.
pub(super) fn is_over(view: &View<'_>, from: Mark, until: Mark) -> bool {
    let ends = |what: &What| matches!(what, What::Revoked { .. } | What::Expired { .. } | What::SecretRotated { .. });
    view.acts().any(|(mark, what)| ends(what) && mark > from && mark < until)
}

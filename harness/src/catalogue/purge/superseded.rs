//! Tokens that are of no use any more and still lie somewhere: those that a refresh replaced, and what is left of them between live rows.

use std::collections::BTreeSet;

use super::super::{Finding, shared::*, storage::*};
use crate::{
    evidence::{CanaryForm, Place},
    judge::{Death, Ended, Exchange, Mark, View},
};

const PROBES: &str = "storage.paths, storage.dump or storage.urls";

pub(super) fn purge_08(view: &View<'_>) -> Finding {
    let scans = scans(view);
    let rotations = rotations(view);
    let judged = rotations.iter().flat_map(|rotation| {
        let after = at_rest_after(view, &scans, rotation.used);
        rotation.old.iter().filter_map(|token| discarded(view, &scans, rotation, token, after?)).collect::<Vec<_>>()
    });
    worst(judged.collect()).unwrap_or_else(|| {
        let missing = match rotations.len() {
            0 => "no refresh gave a new pair that was used",
            _ => "storage was not searched between a refresh and the next stimulus",
        };
        unrealised(view, missing)
    })
}

/// None if nobody looked while the token was alive.
fn discarded(view: &View<'_>, scans: &[Scan<'_>], rotation: &Rotation<'_>, token: &str, after: &Scan<'_>) -> Option<Finding> {
    if let Some(found) = after.found.iter().find(|found| is_copy(found, token)) {
        let reason = format!("{token} is still in {} although a refresh has replaced it", place(&found.place));
        return Some(Finding::fail(reason, vec![rotation.replied.n, rotation.used.n, after.mark.n]));
    }
    let given = view.given(token)?;
    let mut alive = scans.iter().filter(|scan| scan.mark > given && scan.mark < rotation.asked).peekable();
    alive.peek()?;
    let Some(before) = alive.find(|scan| scan.found.iter().any(|found| is_copy(found, token))) else {
        return Some(unseen(token));
    };
    if let Some(unread) = after.unread.iter().find(|it| !before.unread.contains(it)) {
        return Some(Finding::undecided(format!("{token} was not found any more, but not everything could be read: {unread}")));
    }
    Some(Finding::pass(
        format!("{token} was in storage while it was in use, and is gone"),
        vec![before.mark.n, rotation.replied.n, after.mark.n],
    ))
}

fn unseen(token: &str) -> Finding {
    Finding::locked(format!("{token} was not found in storage while it was alive, so that its absence proves nothing"), PROBES)
}

pub(super) fn purge_05(view: &View<'_>) -> Finding {
    let scans = scans(view);
    each_death(view, Ended::Grant, |death| clean(view, &scans, death))
}

fn clean(view: &View<'_>, scans: &[Scan<'_>], death: &Death) -> Finding {
    let Some(settled) = death.settled else { return not_at_rest() };
    let next = view.triggers(settled, Mark::END).next().map_or(death.until, |c| c.called).min(death.until);
    let Some(after) = scans.iter().find(|scan| scan.mark > settled && scan.mark < next) else {
        return Finding::undecided("storage was not searched between the refusal and the next stimulus");
    };
    let had = tokens_before(view, death.refused);
    let left = |place: &Place| matches!(place, Place::Residue(_));
    if let Some(found) = after.found.iter().find(|f| left(&f.place) && had.contains(f.canary.as_str()) && f.form != CanaryForm::Prefix) {
        let reason = format!("{} can still be read in {} after the refusal", found.canary, place(&found.place));
        return if death.at_rest { Finding::fail(reason, vec![death.refused.n, after.mark.n]) } else { not_at_rest() };
    }
    let holds = |scan: &&Scan<'_>, on_disk: bool| {
        scan.mark < death.asked
            && scan.found.iter().any(|f| had.contains(f.canary.as_str()) && is_live(&f.place) && is_on_disk(&f.place) == on_disk)
    };
    let Some(before) = scans.iter().rfind(|scan| holds(scan, true) || (holds(scan, false) && !changed(scan, after).is_empty())) else {
        return unseen(&death.refresh);
    };
    if let Some(unread) = after.unread.iter().find(|it| !before.unread.contains(it)) {
        return Finding::undecided(format!("nothing was found, but not everything could be read: {unread}"));
    }
    let reason = if holds(&before, true) {
        "the tokens were in storage while they lived, and no byte of them is left"
    } else {
        "the store was changed, and what is left over in its files can be read by nobody without the key"
    };
    Finding::pass(reason, vec![before.mark.n, death.refused.n, after.mark.n])
}

/// All tokens that the subject had been given.
fn tokens_before<'h>(view: &View<'h>, moment: Mark) -> BTreeSet<&'h str> {
    let given = view.exchanges.iter().filter(|x| x.replied.is_some_and(|(mark, ..)| mark < moment)).filter_map(Exchange::pair);
    given.flat_map(|(access, refresh)| std::iter::once(access).chain(refresh)).collect()
}

#[cfg(test)]
mod tests;

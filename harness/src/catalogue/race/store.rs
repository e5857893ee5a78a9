//! What the store held when, and whether something newer had been there before.

use crate::{
    catalogue::storage::{Scan, is_live, scans},
    evidence::{CanaryForm, Place},
    judge::{
        Mark, View,
        history::{Answer, Kept, Lineage, Span},
    },
};

/// What a search of the storage found in one place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'h> {
    /// Where.
    pub(super) place: &'h Place,
    /// The oldest that is there, and the newest that is anywhere: a copy beside the newest pair is no store of its own.
    pub(super) kept: Kept,
    /// The search.
    pub(super) seen: Mark,
    /// The newest token that is there.
    pub(super) token: &'h str,
}

/// All that was seen of a connection's tokens in places that the subject reads from, in order. A search that could not read everything tells
/// nothing; nor does a search that finds none, since the tokens may be sealed.
pub(super) fn sights<'h>(view: &View<'h>, lineage: &Lineage<'h>) -> Vec<Sight<'h>> {
    let whole = scans(view).into_iter().filter(|scan| scan.unread.is_empty());
    whole.flat_map(|scan| sights_of(view, lineage, &scan)).collect()
}

fn sights_of<'h>(view: &View<'h>, lineage: &Lineage<'h>, scan: &Scan<'h>) -> Vec<Sight<'h>> {
    let seen = scan.mark;
    // Everything is looked at once the subject has come to rest.
    let rest = view.rests.iter().rfind(|rest| rest.mark < seen).map_or(0, |rest| rest.mark.at.saturating_add(1));
    let copies = scan.found.iter().filter(|found| is_live(&found.place) && found.form != CanaryForm::Prefix);
    let known: Vec<_> = copies.filter_map(|found| Some((&found.place, found.canary.as_str(), lineage.age(&found.canary)?))).collect();
    let Some(newest) = known.iter().map(|(.., (_, newest))| *newest).max() else { return Vec::new() };
    let mut sights: Vec<Sight<'h>> = Vec::new();
    for (place, token, (oldest, _)) in known {
        match sights.iter_mut().find(|sight| sight.place == place) {
            Some(sight) => {
                sight.token = if lineage.age(token) > lineage.age(sight.token) { token } else { sight.token };
                sight.kept.oldest = sight.kept.oldest.min(oldest);
            }
            None => sights.push(Sight { place, kept: Kept { oldest, newest, span: Span::new(rest, seen.at) }, seen, token }),
        }
    }
    sights
}

/// The search which shows that what had been stored was written over with something older that is `meant`, by the invariant that is asked.
/// Only a place that had held tokens of the connection before counts as one where they are kept.
pub(super) fn written_over<'s, 'h>(
    all: &'s [Sight<'h>],
    stored: Kept,
    invariant: fn(&[Kept]) -> Answer,
    meant: impl Fn(&Sight<'h>) -> bool,
) -> Option<&'s Sight<'h>> {
    let before = |place: &Place| all.iter().any(|sight| sight.place == place && sight.seen.at < stored.span.earliest);
    let later: Vec<_> = all.iter().filter(|sight| sight.seen.at >= stored.span.earliest && before(sight.place) && meant(sight)).collect();
    let kept: Vec<Kept> = std::iter::once(stored).chain(later.iter().map(|sight| sight.kept)).collect();
    match invariant(&kept) {
        Answer::Violated(0, second) => later.get(second - 1).copied(),
        Answer::Violated(..) | Answer::Holds | Answer::Ambiguous(..) => None,
    }
}

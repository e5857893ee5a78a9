//! What becomes of the other connections when one of them ends.

use super::{
    Finding,
    shared::{touched_after, unrealised, worst},
};
use crate::{
    evidence::{Verb, What},
    judge::{Ended, Mark, View, connections, of_connection},
};

/// A connection that lives while another one has ended.
pub(super) struct Other<'v> {
    /// Its name.
    pub(super) name: &'v str,
    /// The story as it sees it.
    pub(super) view: View<'v>,
    /// The connection that has ended.
    pub(super) ended: &'v str,
    /// When that was told.
    pub(super) refused: Mark,
    /// When the subject knew.
    pub(super) knew: Mark,
    /// When it had come to rest with that knowledge.
    pub(super) settled: Mark,
    /// Until when nothing else was done to either of them.
    pub(super) until: Mark,
}

impl Other<'_> {
    /// The subject was quiet after the last of these events, before anything else was done.
    pub(super) fn rested_after(&self, events: &[u32]) -> bool {
        let last = events.iter().max().copied().unwrap_or_default();
        self.view.rests.iter().any(|rest| rest.quiet && rest.mark.n > last && rest.mark < self.until)
    }
}

/// The finding for a subject that has, or declares, one connection only.
pub(super) fn wanted(view: &View<'_>) -> Option<Finding> {
    match view.terms.connections {
        Some(1) => Some(Finding::not_applicable("the subject has one connection only (`features.connections`)")),
        Some(_) => None,
        None => Some(Finding::locked("it is not known whether the subject has several connections", "features.connections")),
    }
}

/// Judges each pair of a connection that ended and one that did not; the worst finding counts.
pub(super) fn each(view: &View<'_>, check: impl Fn(&Other<'_>) -> Finding) -> Finding {
    let names = connections(view.history);
    let histories: Vec<_> = names.iter().map(|name| (name, of_connection(view.history, name))).collect();
    let mut findings = Vec::new();
    for (ended, history) in &histories {
        let own = View::new(history, view.terms);
        for death in own.deaths.iter().filter(|death| death.ended == Ended::Grant) {
            let Some(settled) = death.settled else { continue };
            for (name, history) in histories.iter().filter(|(name, _)| name != ended) {
                let other = View::new(history, view.terms);
                let until = death.until.min(touched_after(&other, death.asked));
                // A connection that has ended itself tells nothing.
                if until > settled && !is_over(&other, settled) {
                    findings.push(check(&Other { name, view: other, ended, refused: death.refused, knew: death.knew, settled, until }));
                }
            }
        }
    }
    worst(findings).unwrap_or_else(|| unrealised(view, "no connection ended while another one lived, or the subject did not come to rest"))
}

/// Its grant had been ended by then, whether the subject was told or not, and its user has not come back since.
fn is_over(view: &View<'_>, moment: Mark) -> bool {
    let ends = |what: &What| {
        matches!(what, What::Revoked { .. } | What::Expired { refresh: true, .. } | What::VerbCalled { verb: Verb::Disconnect, .. })
    };
    let ended = view.events().filter(|(mark, what)| *mark < moment && ends(what)).map(|(mark, _)| mark).max();
    let refused =
        view.deaths.iter().filter(|death| death.ended == Ended::Grant).map(|death| death.refused).filter(|mark| *mark < moment).max();
    let logins = view.exchanges.iter().filter(|x| x.is_code_exchange() && x.pair().is_some() && x.arrived < moment);
    ended.max(refused) > logins.map(|x| x.arrived).max()
}

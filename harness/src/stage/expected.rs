//! Work that the subject took on and has not done yet: it may be waiting for its next attempt, and is not at rest.

use std::collections::BTreeSet;

use super::cast::Cast;
use crate::{
    evidence::{Outcome, Reply, Verb, What},
    subject::manifest::WorkKind,
};

/// So many faults show what the subject makes of an outage; more are not waited for.
const ENOUGH: usize = 2;

/// What is no longer waited for.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Units that did not come when they were waited for.
    given_up: BTreeSet<String>,
    /// From here on the provider does what the story's newest step wants.
    since: usize,
}

impl Cast {
    /// Something stands no longer in the way of the traffic.
    pub(super) fn way_is_clear(&mut self) {
        self.patience.since = self.recorder.position();
    }

    /// Whether the subject can be expected to do something that it took on: nothing was refused for good, and nothing is held. While
    /// a fault stands in the way its next attempt is expected, as long as there was only one.
    pub(super) fn is_expected_to_act(&self) -> bool {
        // With several connections it is not known whose work it is.
        if self.links.len() > 1 || self.control().held_anywhere() > 0 || !self.is_admitted() {
            return false;
        }
        let faults = self.recorder.all_since(self.patience.since, |what| matches!(what, What::Faulted { .. }).then_some(())).len();
        faults < ENOUGH && !self.taken_on().is_empty()
    }

    /// What was waited for in vain is not waited for again.
    pub(super) fn give_up(&mut self) {
        let units = self.taken_on();
        self.patience.given_up.extend(units);
    }

    /// The newest word of the token endpoint was tokens.
    fn is_admitted(&self) -> bool {
        let word = |what: &What| match what {
            What::Replied { reply: Reply::Tokens { .. }, .. } => Some(true),
            What::Replied { reply: Reply::Final { .. } | Reply::Open { .. }, .. } => Some(false),
            _ => None,
        };
        self.recorder.last(word).is_some_and(|(_, admitted)| admitted)
    }

    /// Units that were there, or were handed over, when a trigger was accepted, and that no accepted request has delivered since.
    fn taken_on(&self) -> BTreeSet<String> {
        let mut born = BTreeSet::new();
        let mut called: Vec<(u32, BTreeSet<String>)> = Vec::new();
        let mut taken = BTreeSet::new();
        let mut delivered = BTreeSet::new();
        let mut named: Vec<(u64, Vec<String>)> = Vec::new();
        let Some(kind) = self.setting.work else { return taken };
        for what in self.recorder.all_since(0, relevant) {
            match what {
                What::WorkAdded { units } if kind != WorkKind::Push => born.extend(units),
                What::VerbCalled { call, item, .. } => called.push((call, item.into_iter().chain(born.iter().cloned()).collect())),
                What::VerbAnswered { call, .. } => {
                    taken.extend(called.iter().filter(|(id, _)| *id == call).flat_map(|(_, units)| units.iter().cloned()));
                }
                What::Requested { exchange, units, .. } => named.push((exchange, units)),
                What::Api { exchange, handed_out, delivered: done, .. } => {
                    let carried = || named.iter().filter(|(id, _)| *id == exchange).flat_map(|(_, units)| units.iter().cloned());
                    match kind {
                        WorkKind::Export => delivered.extend(done),
                        WorkKind::Read => delivered.extend(handed_out),
                        WorkKind::Push => delivered.extend(carried().chain(done)),
                    }
                }
                _ => {}
            }
        }
        taken.retain(|unit| !delivered.contains(unit) && !self.patience.given_up.contains(unit));
        taken
    }
}

/// What tells of units: triggers, accepted answers to them, requests that name units, and API calls that succeeded.
fn relevant(what: &What) -> Option<What> {
    let tells = match what {
        What::WorkAdded { .. } | What::VerbCalled { verb: Verb::Trigger, .. } => true,
        What::VerbAnswered { outcome, .. } => *outcome == Outcome::Accepted,
        What::Requested { units, .. } => !units.is_empty(),
        What::Api { status, .. } => (200..300).contains(status),
        _ => false,
    };
    tells.then(|| what.clone())
}

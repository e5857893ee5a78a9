//! Work that the subject took on and has not done yet: it may be waiting for its next attempt, and is not at rest.

use std::collections::{BTreeMap, BTreeSet};

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
        self.can_act() && !self.taken_on().is_empty()
    }

    /// Whether anything that it took on can get done.
    pub(super) fn can_act(&self) -> bool {
        // With several connections it is not known whose work it is.
        if self.links.len() > 1 || self.is_elsewhere() || self.control().held_anywhere() > 0 || !self.is_admitted() || self.has_left() {
            return false;
        }
        let faults = self.recorder.all_since(self.patience.since, |what| matches!(what, What::Faulted { .. }).then_some(())).len();
        faults < ENOUGH
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

    /// The user has disconnected, and has not come back since.
    fn has_left(&self) -> bool {
        let word = |what: &What| match what {
            What::VerbCalled { verb: Verb::Disconnect, .. } => Some(true),
            What::VerbCalled { verb: Verb::Connect, .. } => Some(false),
            _ => None,
        };
        self.recorder.last(word).is_some_and(|(_, left)| left)
    }

    /// What the subject still has to do, and is still waited for.
    fn taken_on(&self) -> BTreeSet<String> {
        let Some(kind) = self.setting.work else { return BTreeSet::new() };
        let mut units = undone(kind, self.recorder.all_since(0, relevant));
        units.retain(|unit| !self.patience.given_up.contains(unit));
        units
    }
}

/// Units that were there, or were handed over, when a trigger that was accepted was called, and that no request has delivered. Where the
/// subject says that a trigger's work is done, nothing more is to be expected of it.
fn undone(kind: WorkKind, events: Vec<What>) -> BTreeSet<String> {
    let mut born = BTreeSet::new();
    let mut called: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let mut named: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let (mut taken, mut done) = (BTreeSet::new(), BTreeSet::new());
    for what in events {
        match what {
            What::WorkAdded { units } if kind != WorkKind::Push => born.extend(units),
            What::VerbCalled { call, item, .. } => {
                called.insert(call, item.into_iter().chain(born.iter().cloned()).collect());
            }
            What::VerbAnswered { call, .. } => taken.extend(called.get(&call).cloned().unwrap_or_default()),
            What::JobPolled { call, .. } => done.extend(called.remove(&call).unwrap_or_default()),
            What::Requested { exchange, units, .. } => {
                named.insert(exchange, units);
            }
            What::Api { exchange, handed_out, delivered, .. } => match kind {
                WorkKind::Export => done.extend(delivered),
                WorkKind::Read => done.extend(handed_out),
                WorkKind::Push => done.extend(named.remove(&exchange).unwrap_or_default().into_iter().chain(delivered)),
            },
            _ => {}
        }
    }
    taken.retain(|unit| !done.contains(unit));
    taken
}

/// What tells of units: triggers, accepted answers to them, requests that name units, and API calls that succeeded.
fn relevant(what: &What) -> Option<What> {
    let tells = match what {
        What::WorkAdded { .. } | What::VerbCalled { verb: Verb::Trigger, .. } => true,
        What::VerbAnswered { outcome, .. } => *outcome == Outcome::Accepted,
        What::JobPolled { done, .. } => *done,
        What::Requested { units, .. } => !units.is_empty(),
        What::Api { status, .. } => (200..300).contains(status),
        _ => false,
    };
    tells.then(|| what.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(unit: &str) -> What {
        What::WorkAdded { units: vec![unit.into()] }
    }

    fn asked(call: u32, outcome: Outcome) -> [What; 2] {
        let called =
            What::VerbCalled { call, verb: Verb::Trigger, source: None, wanted: None, item: None, connection: None, instance: None };
        [called, What::VerbAnswered { call, outcome, status: None, detail: String::new() }]
    }

    fn api(status: u16, delivered: &[&str]) -> What {
        let delivered = delivered.iter().map(|unit| (*unit).to_owned()).collect();
        What::Api {
            exchange: 1,
            presented: None,
            carried: regrant_mock_server::journal::Carried::Bearer,
            status,
            handed_out: Vec::new(),
            delivered,
        }
    }

    fn left(events: impl IntoIterator<Item = What>) -> Vec<String> {
        let events = events.into_iter().filter_map(|what| relevant(&what)).collect();
        undone(WorkKind::Export, events).into_iter().collect()
    }

    #[test]
    fn work_that_was_accepted_is_expected_until_it_is_delivered() {
        let accepted = || [added("a")].into_iter().chain(asked(1, Outcome::Accepted));
        assert_eq!(left(accepted()), ["a"]);
        assert_eq!(left(accepted().chain([api(503, &["a"])])), ["a"]);
        assert!(left(accepted().chain([api(200, &["a"])])).is_empty());
    }

    #[test]
    fn work_that_the_subject_calls_done_is_not_expected() {
        let polled = |done| What::JobPolled { call: 1, done, status: Some(200), polls: 3, says: None };
        let accepted = || [added("a")].into_iter().chain(asked(1, Outcome::Accepted));
        assert_eq!(left(accepted().chain([polled(false)])), ["a"]);
        assert!(left(accepted().chain([polled(true)])).is_empty());
        let again = accepted().chain([polled(true), added("b")]).chain(asked(2, Outcome::Accepted));
        assert_eq!(left(again), ["b"]);
    }

    #[test]
    fn work_that_was_refused_or_came_later_is_not_expected() {
        let none: [&str; 0] = [];
        assert_eq!(left([added("a")].into_iter().chain(asked(1, Outcome::Refused))), none);
        assert_eq!(left(asked(1, Outcome::Accepted).into_iter().chain([added("a")])), none);
        assert_eq!(left([added("a")]), none);
    }
}

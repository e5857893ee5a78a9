//! What is asked of a history again and again, looked up once: a subject that calls in a loop makes tens of thousands of requests, and a
//! check that walks through all of them for each of them is not done in a minute.

use std::collections::HashMap;

use super::{
    exchange::{Exchange, exchange_of},
    view::{Mark, SUBJECT},
};
use crate::evidence::{Event, Micros, Verb, What};

/// Moments of one kind, in order.
#[derive(Debug, Default)]
pub(super) struct Moments(Vec<Mark>);

impl Moments {
    /// Those of the events that match.
    fn of(order: &[(Mark, &Event)], matches: impl Fn(&What) -> bool) -> Self {
        Self(order.iter().filter(|(_, event)| matches(&event.what)).map(|(mark, _)| *mark).collect())
    }

    /// The last one that is not later than this time.
    pub(super) fn last_until(&self, time: Micros) -> Option<Mark> {
        let after = self.0.partition_point(|mark| mark.at <= time);
        after.checked_sub(1).map(|last| self.0[last])
    }

    /// The first one after a moment.
    pub(super) fn first_after(&self, from: Mark) -> Option<Mark> {
        self.0.get(self.0.partition_point(|mark| *mark <= from)).copied()
    }

    /// How many lie before a moment.
    pub(super) fn before(&self, until: Mark) -> usize {
        self.0.partition_point(|mark| *mark < until)
    }

    /// How many lie between two moments, both left out.
    pub(super) fn between(&self, from: Mark, until: Mark) -> usize {
        self.before(until).saturating_sub(self.0.partition_point(|mark| *mark <= from))
    }
}

/// What a view looks up.
#[derive(Debug, Default)]
pub(super) struct Index<'h> {
    /// What is neither of the traffic nor of the log.
    pub(super) acts: Vec<(Mark, &'h What)>,
    /// The places of code exchanges, in order.
    pub(super) logins: Vec<usize>,
    /// What may make a subject work.
    pub(super) stimuli: Moments,
    /// Webhooks that were sent.
    pub(super) webhooks: Moments,
    /// What the provider or the user does to the connection.
    pub(super) disturbances: Moments,
    /// Ends of processes.
    pub(super) ends: Moments,
    /// By which the subject tells Pleo that the user has disconnected.
    pub(super) farewells: Moments,
    /// The answers that gave tokens, in the order in which they were written, with the places of their exchanges.
    pub(super) pairs: Vec<(Mark, usize)>,
    /// When the answer that gave a token first had been written.
    pub(super) given: HashMap<&'h str, Mark>,
}

impl<'h> Index<'h> {
    /// `order` and `exchanges` are in order.
    pub(super) fn new(order: &[(Mark, &'h Event)], exchanges: &[Exchange<'h>]) -> Self {
        let farewells = exchanges.iter().filter(|x| x.is_api() && x.is_goodbye()).map(|x| x.arrived).collect();
        let acts = order.iter().map(|(mark, event)| (*mark, &event.what)).filter(|(_, what)| !is_traffic(what));
        let mut index = Self {
            acts: acts.collect(),
            logins: (0..exchanges.len()).filter(|place| exchanges[*place].is_code_exchange()).collect(),
            stimuli: Moments::of(order, is_stimulus),
            webhooks: Moments::of(order, |what| matches!(what, What::WebhookSent { .. })),
            disturbances: Moments::of(order, disturbs),
            ends: Moments::of(order, |what| matches!(what, What::ProcessStopping { .. } | What::ProcessExited { .. })),
            farewells: Moments(farewells),
            pairs: Vec::new(),
            given: HashMap::new(),
        };
        for (place, x) in exchanges.iter().enumerate() {
            let (Some((written, ..)), Some((access, refresh))) = (x.replied, x.pair()) else { continue };
            index.pairs.push((written, place));
            for token in [Some(access), refresh].into_iter().flatten() {
                index.given.entry(token).or_insert(written);
            }
        }
        index.pairs.sort_by_key(|(written, _)| *written);
        index
    }

    /// When tokens were next given after a moment.
    pub(super) fn given_after(&self, from: Mark) -> Option<Mark> {
        self.pairs.get(self.pairs.partition_point(|(written, _)| *written <= from)).map(|(written, _)| *written)
    }

    /// The places of the exchanges that had given tokens before this time, the newest first.
    pub(super) fn pairs_before(&self, time: Micros) -> impl Iterator<Item = usize> {
        let there = self.pairs.partition_point(|(written, _)| written.at < time);
        self.pairs[..there].iter().rev().map(|(_, place)| *place)
    }
}

/// What a loop of the subject makes without end.
fn is_traffic(what: &What) -> bool {
    match what {
        What::Requested { .. } | What::Log { .. } | What::CanarySeen { .. } | What::JobReported { .. } | What::Undocumented { .. } => true,
        other => exchange_of(other).is_some(),
    }
}

/// Something that may make a subject work.
fn is_stimulus(what: &What) -> bool {
    match what {
        What::ProcessStarted { process, instance, .. } => process == SUBJECT || instance.is_some(),
        What::VerbCalled { .. }
        | What::CallbackDelivered { .. }
        | What::WebhookSent { .. }
        | What::StatusRead { .. }
        | What::PromptRead(_)
        | What::NoticeFollowed { .. }
        | What::SettingsRead { .. }
        | What::DataRead { .. } => true,
        _ => false,
    }
}

/// Something that is done to the connection.
fn disturbs(what: &What) -> bool {
    matches!(
        what,
        What::Revoked { .. }
            | What::Expired { .. }
            | What::AccessRejected { .. }
            | What::SecretRotated { .. }
            | What::SecretEnds { .. }
            | What::ApiClockSet { .. }
            | What::ClockMoved { .. }
            | What::Faulted { .. }
            | What::VerbCalled { verb: Verb::Connect | Verb::Disconnect, .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_found_at_their_bounds() {
        let mark = |at, n| Mark { at, n };
        let moments = Moments(vec![mark(10, 1), mark(10, 2), mark(20, 5)]);
        assert_eq!(moments.last_until(9), None);
        assert_eq!(moments.last_until(10), Some(mark(10, 2)));
        assert_eq!(moments.last_until(99), Some(mark(20, 5)));
        assert_eq!(moments.first_after(mark(10, 1)), Some(mark(10, 2)));
        assert_eq!(moments.first_after(mark(20, 5)), None);
        assert_eq!(moments.between(mark(10, 1), mark(20, 5)), 1);
        assert_eq!(moments.between(mark(0, 0), Mark::END), 3);
        assert_eq!(moments.between(Mark::END, mark(0, 0)), 0);
    }
}

//! Which events of a history a reader needs to believe a verdict: those it rests on, and what led up to them.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::narrate::{Narrator, clock};
use crate::evidence::{Event, History, Reply, Verb, What};

/// One line of an excerpt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// `+2.104 s`.
    pub(super) at: String,
    /// What happened.
    pub(super) sentence: String,
    /// The verdict rests on it; otherwise it is context.
    pub(super) cited: bool,
}

/// The nearest causes are enough: an outage can consist of a hundred faults of the same kind.
const CAUSES: usize = 4;

/// Lines in order, at most so many; an `Err` stands for that many lines left out.
pub(super) fn excerpt(history: &History, cited: &[u32], most: usize) -> Vec<Result<Line, usize>> {
    let narrator = Narrator::new(history);
    let chosen = choose(history, cited);
    let lines = chosen.into_iter().map(|(index, cited)| {
        let event = &history.events[index];
        Line { at: clock(event.at), sentence: narrator.tell(&event.what), cited }
    });
    folded(lines.collect(), most)
}

/// Indices into the history, and whether they are cited.
fn choose(history: &History, cited: &[u32]) -> BTreeMap<usize, bool> {
    let events = &history.events;
    let cited: HashSet<u32> = cited.iter().copied().collect();
    let mut chosen = BTreeMap::new();
    for (index, _) in events.iter().enumerate().filter(|(_, event)| cited.contains(&event.n)) {
        chosen.insert(decision_of(events, index), true);
    }
    let (Some(&first), Some(&last)) = (chosen.keys().next(), chosen.keys().next_back()) else { return chosen };
    let causes = (0..last).rev().filter(|&index| is_cause(&events[index].what)).take(CAUSES);
    let between = (first..last).filter(|&index| is_turn(&events[index].what));
    let led_up = led_up_to(events, chosen.keys().copied());
    let context: Vec<usize> = causes.chain(between).chain(led_up).collect();
    for index in context {
        chosen.entry(index).or_insert(false);
    }
    chosen
}

/// A request is told by what the provider decided on it, which names the token too.
fn decision_of(events: &[Event], index: usize) -> usize {
    let What::Requested { exchange, .. } = &events[index].what else { return index };
    let decides = |event: &Event| match &event.what {
        What::Token { exchange: e, .. } | What::Api { exchange: e, .. } | What::Authorize { exchange: e, .. } => e == exchange,
        _ => false,
    };
    (index..events.len()).find(|&later| decides(&events[later])).unwrap_or(index)
}

/// For each of these events, in order: the last stimulus before it, and the refusal that the subject had read by then.
fn led_up_to(events: &[Event], chosen: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut chosen = chosen.peekable();
    let (mut stimulus, mut refusal) = (None, None::<Refused>);
    let mut asked = HashMap::new();
    let mut led_up = Vec::new();
    for (index, event) in events.iter().enumerate() {
        if chosen.next_if_eq(&index).is_some() {
            led_up.extend(stimulus);
            // The decision behind a refusal, and that it was read; if that was not seen, that it was written.
            led_up.extend(refusal.iter().flat_map(|it| it.asked.into_iter().chain([it.read.unwrap_or(it.written)])));
        }
        match &event.what {
            What::Token { exchange, .. } => {
                asked.insert(*exchange, index);
            }
            What::Replied { exchange, reply: Reply::Final { .. }, .. } => {
                refusal = Some(Refused { exchange: *exchange, asked: asked.get(exchange).copied(), written: index, read: None });
            }
            What::Read { exchange } => {
                if let Some(refusal) = refusal.as_mut().filter(|it| it.exchange == *exchange && it.read.is_none()) {
                    refusal.read = Some(index);
                }
            }
            what if is_stimulus(what) => stimulus = Some(index),
            _ => {}
        }
    }
    led_up
}

/// A refusal, and the places of what belongs to it.
struct Refused {
    exchange: u64,
    asked: Option<usize>,
    written: usize,
    read: Option<usize>,
}

fn is_stimulus(what: &What) -> bool {
    match what {
        What::VerbCalled { verb, .. } => matches!(verb, Verb::Trigger | Verb::Connect | Verb::Disconnect),
        What::CallbackDelivered { .. } | What::WebhookSent { .. } => true,
        _ => false,
    }
}

/// What the provider's owner, the user or a fault did to the connection.
fn is_cause(what: &What) -> bool {
    match what {
        What::Revoked { grants, .. } | What::Expired { grants, .. } | What::AccessRejected { grants } => !grants.is_empty(),
        What::SecretRotated { .. } | What::SecretHanded | What::ClockMoved { .. } | What::Faulted { .. } => true,
        _ => false,
    }
}

/// What changes how later events are to be read.
fn is_turn(what: &What) -> bool {
    matches!(what, What::ProcessStopping { .. } | What::ProcessStarted { .. } | What::Settled { .. } | What::ProcessExited { .. })
}

/// At most so many lines, the middle left out: the beginning explains, the end shows how it went on.
fn folded(mut lines: Vec<Line>, most: usize) -> Vec<Result<Line, usize>> {
    const END: usize = 3;
    if lines.len() <= most {
        return lines.into_iter().map(Ok).collect();
    }
    let end = lines.split_off(lines.len() - END);
    let left_out = lines.split_off(most.saturating_sub(END + 1)).len();
    lines.into_iter().map(Ok).chain([Err(left_out)]).chain(end.into_iter().map(Ok)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_refusal_its_reading_and_the_stimulus_are_shown_with_the_offending_call() {
        let run = fixture::run();
        let lines = excerpt(&run.histories[0], &fixture::OFFENDING, 20);
        let sentences: Vec<_> = lines.iter().flatten().map(|line| (line.cited, line.sentence.as_str())).collect();
        assert!(sentences.contains(&(false, "the user ends grant 1")));
        assert!(
            sentences.contains(&(
                false,
                "the subject asks for tokens (refresh_token) with refresh#1 (revoked by the user) -> 400 invalid_grant"
            ))
        );
        assert!(sentences.contains(&(false, "the subject has read the answer to POST /oauth/token")));
        assert!(sentences.contains(&(true, "the subject calls GET /v2/employees with access#1 (revoked by the user) -> 401")));
    }

    #[test]
    fn a_long_excerpt_is_folded_in_the_middle() {
        let run = fixture::run();
        let lines = excerpt(&run.histories[0], &fixture::OFFENDING, 6);
        assert_eq!(lines.len(), 6);
        let left_out: usize = lines.iter().filter_map(|line| line.as_ref().err()).sum();
        let all = excerpt(&run.histories[0], &fixture::OFFENDING, 99);
        assert_eq!(left_out + 5, all.len());
        assert_eq!(lines[5], all[all.len() - 1]);
    }

    #[test]
    fn events_of_another_run_are_simply_not_there() {
        let run = fixture::run();
        assert!(excerpt(&run.histories[0], &[9_999], 20).is_empty());
    }
}

//! What the search begins with: something that the subject is asked to do, requests that are held on their way, and what else may happen
//! meanwhile.

use std::sync::LazyLock;

use serde::Deserialize;
use toml::{Table, Value};

/// One situation, as its file says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Situation {
    /// File stem.
    #[serde(skip)]
    pub name: String,
    /// One line for a person.
    pub title: String,
    /// What is looked for.
    pub about: String,
    /// Requirements that something is most likely to break here, by ID: who asks for one of them is told this situation first.
    pub shows: Vec<String>,
    /// How many connections it needs.
    #[serde(default = "once")]
    pub connections: u32,
    /// How many processes it needs.
    #[serde(default = "once")]
    pub processes: u32,
    /// The user must be able to disconnect in the subject.
    #[serde(default)]
    pub disconnect: bool,
    /// At the end the subject is started anew, and asked for work once more.
    #[serde(default)]
    pub restart: bool,
    /// The provider's policy.
    #[serde(default)]
    pub provider: Table,
    /// What befalls the traffic in any case, as in a scenario.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Table>,
    /// Requests that are held.
    #[serde(default, rename = "hold")]
    pub holds: Vec<Hold>,
    /// What is done first.
    pub begin: Vec<Value>,
    /// What is done at the end, with the release of all that is still held.
    #[serde(default)]
    pub end: Vec<Value>,
    /// What may happen once, at any time after that.
    #[serde(default, rename = "card")]
    pub cards: Vec<Card>,
}

/// Requests that are held, each at a gate of its own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// What they are called: the second one's gate is `NAME-2`.
    pub name: String,
    /// In words: `the answer to refresh`.
    pub words: String,
    /// Which, as in a rule of a scenario.
    pub on: Table,
    /// Where on their way.
    pub at: String,
    /// The first so many.
    pub times: u32,
    /// They may also be dropped.
    #[serde(default)]
    pub drop: bool,
}

/// Something that may happen once.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// In words: `the user reconnects`.
    pub words: String,
    /// What is done.
    #[serde(rename = "do")]
    pub acts: Vec<Value>,
    /// What is waited for then, as in a step's `await`, before the subject comes to rest.
    #[serde(default, rename = "await")]
    pub awaits: Option<Table>,
    /// What is done once that came.
    #[serde(default)]
    pub then: Vec<Value>,
    /// Only after the card at this place, from 1.
    #[serde(default)]
    pub after: Option<usize>,
    /// Only while this gate holds something.
    #[serde(default)]
    pub held: Option<String>,
    /// The situation is about this: an order with it is as near to the usual one as an order without it.
    #[serde(default)]
    pub usual: bool,
}

fn once() -> u32 {
    1
}

/// What is wrong with a situation's file.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {message}")]
pub struct SituationError {
    name: String,
    message: String,
}

impl Situation {
    /// Reads one.
    ///
    /// # Errors
    /// It is not one: what is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, SituationError> {
        let read: Result<Self, _> = toml::from_str(text);
        match read {
            Ok(situation) => Ok(Self { name: name.to_owned(), ..situation }),
            Err(error) => Err(SituationError { name: name.to_owned(), message: error.to_string() }),
        }
    }

    /// The gates, with the hold that each belongs to and its place in that.
    pub(super) fn gates(&self) -> impl Iterator<Item = (&Hold, u32)> {
        self.holds.iter().flat_map(|hold| (1..=hold.times).map(move |nth| (hold, nth)))
    }

    /// The card at this place, from 1.
    pub(super) fn card(&self, place: usize) -> Option<&Card> {
        self.cards.get(place.checked_sub(1)?)
    }

    /// The gate of this name.
    pub(super) fn gate(&self, name: &str) -> Option<(&Hold, u32)> {
        self.gates().find(|(hold, nth)| gate_name(hold, *nth) == name)
    }
}

/// What the gate for the nth request of a hold is called.
pub(super) fn gate_name(hold: &Hold, nth: u32) -> String {
    format!("{}-{nth}", hold.name)
}

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => { &[$(($name, include_str!(concat!("../../../scenarios/situations/", $name, ".toml")))),+] };
}

const SHIPPED: &[(&str, &str)] = shipped![
    "refreshes_at_once",
    "an_answer_takes_its_time",
    "an_answer_without_a_lifetime",
    "a_refresh_meets_a_fault",
    "calls_beside_a_refresh",
    "a_refresh_and_a_reconnection",
    "a_refresh_and_a_disconnection",
    "a_refresh_and_a_crash",
    "answers_are_lost",
    "the_grant_ends_meanwhile",
    "the_grant_ends_behind_an_answer",
    "the_user_comes_back_at_once",
    "two_logins",
    "a_callback_comes_twice",
    "two_processes",
    "a_pause_in_a_refresh",
    "two_connections",
];

/// Those that ship inside the program. One that cannot be read would be a defect of the program: a test reads them all.
#[must_use]
pub fn situations() -> &'static [Situation] {
    static ALL: LazyLock<Vec<Situation>> =
        LazyLock::new(|| SHIPPED.iter().filter_map(|(name, text)| Situation::parse(name, text).ok()).collect());
    &ALL
}

#[cfg(test)]
mod tests {
    use regrant_mock_server::fault::scenario::Scenario;

    use super::*;
    use crate::explore::{Decision, Schedule};

    #[test]
    fn every_shipped_situation_is_read_and_each_of_its_decisions_makes_a_scenario() {
        for (name, text) in SHIPPED {
            let situation = Situation::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
            let releases = situation.gates().map(|(hold, nth)| Decision::Release { gate: gate_name(hold, nth) });
            let drops = situation.gates().filter(|(hold, _)| hold.drop).map(|(hold, nth)| Decision::Drop { gate: gate_name(hold, nth) });
            let cards = (1..=situation.cards.len()).map(|card| Decision::Play { card });
            let decisions: Vec<Decision> = releases.chain(drops).chain(cards).collect();
            assert!(decisions.len() >= 2, "{name}: nothing to choose");
            for card in &situation.cards {
                assert!(card.after.is_none_or(|place| (1..=situation.cards.len()).contains(&place)), "{name}: {}", card.words);
                assert!(card.held.as_ref().is_none_or(|gate| situation.gate(gate).is_some()), "{name}: {}", card.words);
            }
            for decision in decisions.iter().map(|one| vec![one.clone()]).chain([decisions.clone()]) {
                let text = Schedule { situation: (*name).to_owned(), decisions: decision }.draft(&situation).text(&["RACE-01"], &[]);
                Scenario::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
            }
        }
        assert_eq!(situations().len(), SHIPPED.len());
    }

    #[test]
    fn a_misspelled_key_is_named() {
        let error = Situation::parse("x", "title = \"\"\nabout = \"\"\nshows = []\nbegin = []\nholds = 1\n").expect_err("unknown");
        assert!(error.to_string().contains("x: ") && error.to_string().contains("holds"), "{error}");
    }
}

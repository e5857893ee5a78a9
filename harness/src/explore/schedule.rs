//! A list of decisions in a situation. Events are named by kind and place, never by time.

use std::fmt;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{
    draft::{Draft, DraftStep, one},
    situation::{Situation, gate_name, situations},
};
use crate::evidence::{History, Phase, What};

/// One decision. It is made when the subject has come to rest but for what is held.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Decision {
    /// The gate lets go.
    Release {
        /// Which.
        gate: String,
    },
    /// The connection on which the request or its answer waits is ended.
    Drop {
        /// Which gate's.
        gate: String,
    },
    /// Something else happens.
    Play {
        /// Which card of the situation, from 1.
        card: usize,
    },
}

/// Decisions in a situation, in their order. What is held at the end is let go in the order of its arrival.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The situation's name.
    pub situation: String,
    /// What is decided.
    pub decisions: Vec<Decision>,
}

impl Decision {
    /// In words, as a step of a list.
    #[must_use]
    pub fn words(&self, situation: &Situation) -> String {
        let held = |gate: &str| situation.gate(gate).map_or_else(|| gate.to_owned(), |(hold, nth)| format!("{} {nth}", hold.words));
        match self {
            Self::Release { gate } => format!("{} goes on", held(gate)),
            Self::Drop { gate } => format!("{} is lost", held(gate)),
            Self::Play { card } => situation.card(*card).map_or_else(|| format!("card {card}"), |card| card.words.clone()),
        }
    }

    /// The gate that it speaks of.
    #[must_use]
    pub fn gate(&self) -> Option<&str> {
        match self {
            Self::Release { gate } | Self::Drop { gate } => Some(gate),
            Self::Play { .. } => None,
        }
    }

    /// It is made at rest; a card may wait for what follows from it.
    fn steps(&self, situation: &Situation) -> Vec<DraftStep> {
        let card = match self {
            Self::Release { gate } => return vec![DraftStep::at_rest(vec![one("release", gate.as_str())])],
            Self::Drop { gate } => return vec![DraftStep::at_rest(vec![one("drop", gate.as_str())])],
            Self::Play { card } => situation.card(*card),
        };
        let acts = card.map(|card| card.acts.clone()).unwrap_or_default();
        let then = card.and_then(|card| Some(DraftStep { awaits: Some(Value::Table(card.awaits.clone()?)), acts: card.then.clone() }));
        std::iter::once(DraftStep::at_rest(acts)).chain(then).collect()
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release { gate } => write!(f, "release {gate}"),
            Self::Drop { gate } => write!(f, "drop {gate}"),
            Self::Play { card } => write!(f, "card {card}"),
        }
    }
}

impl Schedule {
    /// The story that it makes.
    #[must_use]
    pub fn draft(&self, situation: &Situation) -> Draft {
        let rules = situation.gates().map(|(hold, nth)| {
            let mut on = hold.on.clone();
            on.insert("nth".into(), i64::from(nth).into());
            let entries = [("on", Value::Table(on)), ("at", hold.at.as_str().into()), ("fate", one("hold", gate_name(hold, nth)))];
            entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Table>()
        });
        let mut steps = vec![DraftStep { awaits: None, acts: situation.begin.clone() }];
        steps.extend(self.decisions.iter().flat_map(|decision| decision.steps(situation)));
        let decided: Vec<&str> = self.decisions.iter().filter_map(Decision::gate).collect();
        let left = situation.gates().map(|(hold, nth)| gate_name(hold, nth)).filter(|gate| !decided.contains(&gate.as_str()));
        steps.push(DraftStep::at_rest(left.map(|gate| one("release", gate)).chain(situation.end.iter().cloned()).collect()));
        steps.extend(ending(situation.connections > 1, situation.processes > 1, situation.restart));
        Draft {
            title: situation.title.clone(),
            about: self.about(situation),
            connections: situation.connections,
            processes: situation.processes,
            provider: situation.provider.clone(),
            rules: situation.rules.iter().cloned().chain(rules).collect(),
            steps,
        }
    }

    fn about(&self, situation: &Situation) -> String {
        let words: Vec<String> = self.decisions.iter().map(|decision| decision.words(situation)).collect();
        if words.is_empty() { situation.about.clone() } else { format!("{} In this order: {}.", situation.about.trim(), words.join("; ")) }
    }
}

/// New work, asked for twice: does the subject still do what it is there for, and also once it was started anew?
pub(super) fn ending(every_connection: bool, every_process: bool, restart: bool) -> Vec<DraftStep> {
    let mut asked: Table = std::iter::once(("times".to_owned(), 2.into())).collect();
    for (word, _) in [("every_connection", every_connection), ("every_process", every_process)].into_iter().filter(|(_, yes)| *yes) {
        asked.insert(word.to_owned(), true.into());
    }
    let asks = vec![one("add_work", 1), one("trigger", asked)];
    let again = restart.then(|| DraftStep::at_rest(std::iter::once(one("restart", 1)).chain(asks.clone()).collect()));
    std::iter::once(DraftStep::at_rest(asks)).chain(again).chain([DraftStep::at_rest(Vec::new())]).collect()
}

/// What came of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// Each gate that it names held something when it was decided.
    pub realised: bool,
    /// What was held when all was decided, in the order of arrival.
    pub held: Vec<String>,
}

/// Reads what came of a schedule in the history of its story.
#[must_use]
pub fn after(schedule: &Schedule, history: &History) -> After {
    let story = history.events.iter().skip_while(|e| !matches!(e.what, What::PhaseBegan { phase: Phase::Story }));
    let story: Vec<&What> =
        story.map(|e| &e.what).take_while(|what| !matches!(what, What::PhaseBegan { phase: Phase::Epilogue })).collect();
    // The story ends with three rests: before what is left is let go, before and after the work at its end. With a restart there is one more.
    let ending = 3 + usize::from(situations().iter().any(|it| it.name == schedule.situation && it.restart));
    let rests: Vec<usize> = story.iter().enumerate().filter(|(_, w)| matches!(w, What::Settled { .. })).map(|(place, _)| place).collect();
    let complete = rests.len() >= schedule.decisions.len() + ending;
    let decided = rests.iter().rev().nth(ending - 1).copied().unwrap_or_default();
    let (mut held, mut ever): (Vec<(u64, String)>, Vec<String>) = (Vec::new(), Vec::new());
    for what in &story[..decided.min(story.len())] {
        match what {
            What::Held { exchange, gate } => {
                held.push((*exchange, gate.clone()));
                ever.push(gate.clone());
            }
            What::Released { exchange, .. } | What::Aborted { exchange, .. } => held.retain(|(other, _)| other != exchange),
            _ => {}
        }
    }
    let came = schedule.decisions.iter().filter_map(Decision::gate).all(|gate| ever.iter().any(|other| other == gate));
    let missed = history
        .events
        .iter()
        .any(|e| matches!(e.what, What::NotRealised { .. } | What::EnvironmentFault { .. } | What::HarnessFault { .. }));
    After { realised: complete && came && !missed, held: held.into_iter().map(|(_, gate)| gate).collect() }
}

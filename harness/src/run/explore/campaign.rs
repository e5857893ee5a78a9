//! The search itself: orders of each situation by and by, sequences between them, as many at once as the machine bears.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    super::{Progress, RunError, Trouble, doctor::trouble},
    FirstFailing, Hunt, Tally,
    teller::{Explorer, Telling, Told},
};
use crate::{
    catalogue::Severity,
    explore::{After, Draft, Frontier, Schedule, Sequence, Sequences, Situation, Wants, after, situations},
    subject::manifest::Disconnect,
};

/// Of so many stories one is a sequence, as long as there are orders.
const ONE_IN: usize = 4;
/// Of the time, so much is for searching once something was found; the rest makes it small. In tenths.
const SEARCHING: u32 = 5;
/// No more requirements are followed up.
const FOLLOWED: usize = 8;

/// Where a story came from.
#[derive(Debug)]
pub(super) enum Origin {
    Schedule(Schedule),
    Sequence(Sequence),
}

/// The first story in which a requirement failed.
#[derive(Debug)]
pub(super) struct Failing {
    pub(super) origin: Origin,
    pub(super) draft: Draft,
    pub(super) told: Told,
    pub(super) severity: Severity,
    pub(super) after: Duration,
}

/// A search.
pub(super) struct Campaign<'e> {
    explorer: &'e Explorer<'e>,
    frontier: Frontier,
    sequences: Option<Sequences>,
    search: Duration,
    orders: Option<usize>,
    begun: usize,
    under_way: BTreeMap<usize, (Origin, Draft)>,
    failing: Vec<FirstFailing>,
    /// Every schedule that came about, with what failed.
    told: Vec<(Schedule, Vec<&'static str>)>,
    tallies: Vec<Tally>,
    /// How many stories were broken, and what it was the first time.
    trouble: (usize, Option<Trouble>),
}

impl<'e> Campaign<'e> {
    pub(super) fn new(explorer: &'e Explorer<'e>, chosen: &[&'static Situation], hunt: &Hunt, seed: u64) -> Self {
        let missing = |situation: &Situation| missing(explorer, situation);
        let able: Vec<&Situation> = chosen.iter().copied().filter(|it| missing(it).is_none()).collect();
        let mut tallies: Vec<Tally> = chosen
            .iter()
            .map(|it| Tally { name: it.name.clone(), title: it.title.clone(), left_out: missing(it), ..Tally::default() })
            .collect();
        let wants = Wants {
            disconnect: matches!(explorer.manifest.disconnect, Disconnect::Verb(_)),
            restart: explorer.terms.restartable && !explorer.terms.one_shot,
            second: explorer.manifest.features.connections.as_ref().is_some_and(|names| names.len() > 1),
        };
        let sequences = hunt.sequences.then(|| Sequences::new(seed, wants));
        if sequences.is_some() {
            tallies.push(Tally { name: "sequences".into(), title: "Sequences drawn at random".into(), ..Tally::default() });
        }
        Self {
            explorer,
            frontier: Frontier::new(able, explorer.named.as_deref().unwrap_or_default(), seed),
            sequences,
            search: hunt.budget,
            orders: hunt.orders,
            begun: 0,
            under_way: BTreeMap::new(),
            failing: Vec::new(),
            told: Vec::new(),
            tallies,
            trouble: (0, None),
        }
    }

    /// Until the time is over, or there is nothing left to tell.
    pub(super) async fn search(&mut self, began: Instant) -> Result<(), RunError> {
        let mut telling = Telling::new();
        loop {
            while telling.len() < self.explorer.jobs && self.goes_on(began) {
                let Some((origin, draft)) = self.next() else { break };
                let Some(story) = Explorer::story(&name(&origin), &draft) else {
                    return Err(RunError::Harness(format!("a story that makes no sense was made:\n{}", draft.text(&[], &[]))));
                };
                self.explorer.begin(&mut telling, self.begun, story);
                self.under_way.insert(self.begun, (origin, draft));
                self.begun += 1;
            }
            match telling.next().await {
                None => return Ok(()),
                Some(None) => {}
                Some(Some((number, history))) => {
                    if let Some((origin, draft)) = self.under_way.remove(&number) {
                        let told = self.explorer.judged(history);
                        self.take_in(origin, draft, told, began.elapsed());
                    }
                }
            }
        }
    }

    fn goes_on(&self, began: Instant) -> bool {
        let until = if self.failing.is_empty() { self.search } else { self.search * SEARCHING / 10 };
        began.elapsed() < until && !self.enough() && !self.has_all() && !self.explorer.is_cancelled()
    }

    /// Everything that was asked for by its name was seen to fail, with an order beside it that holds.
    fn has_all(&self) -> bool {
        let holds = |id: &str| self.told.iter().any(|(_, failed)| !failed.contains(&id));
        self.explorer.named.as_ref().is_some_and(|ids| ids.iter().all(|id| self.failing.iter().any(|(it, _)| it == id) && holds(id)))
    }

    fn enough(&self) -> bool {
        let came_about: usize = self.tallies.iter().map(|tally| tally.realised).sum();
        self.orders.is_some_and(|orders| came_about >= orders)
    }

    fn next(&mut self) -> Option<(Origin, Draft)> {
        let by_lot = self.begun % ONE_IN == ONE_IN - 1;
        let schedule = if by_lot && self.sequences.is_some() { None } else { self.frontier.take() };
        if let Some(schedule) = schedule {
            let draft = schedule.draft(situation(&schedule)?);
            return Some((Origin::Schedule(schedule), draft));
        }
        match self.sequences.as_mut().and_then(Sequences::draw) {
            Some(sequence) => {
                let draft = sequence.draft().clone();
                Some((Origin::Sequence(sequence), draft))
            }
            None => {
                let schedule = self.frontier.take()?;
                let draft = schedule.draft(situation(&schedule)?);
                Some((Origin::Schedule(schedule), draft))
            }
        }
    }

    fn take_in(&mut self, origin: Origin, draft: Draft, told: Told, after_so_long: Duration) {
        let realised = match &origin {
            Origin::Schedule(schedule) => {
                let came = after(schedule, &told.history);
                if let Some(situation) = situation(schedule) {
                    self.frontier.learn(situation, schedule, &came);
                }
                came.realised
            }
            Origin::Sequence(_) => was_told(&told),
        };
        if let Some(trouble) = trouble(&told.history) {
            self.trouble.0 += 1;
            self.trouble.1.get_or_insert(trouble);
        }
        let named = match &origin {
            Origin::Schedule(schedule) => schedule.situation.as_str(),
            Origin::Sequence(_) => "sequences",
        };
        if let Some(tally) = self.tallies.iter_mut().find(|tally| tally.name == named) {
            tally.told += 1;
            tally.realised += usize::from(realised);
            tally.failing += usize::from(realised && !told.failed.is_empty());
        }
        let _ = self.explorer.progress.send(Progress::Searched {
            told: self.tallies.iter().map(|tally| tally.told).sum(),
            failing: self.tallies.iter().map(|tally| tally.failing).sum(),
        });
        // What did not come about is never a failure: whoever was not told the story cannot have failed in it.
        if !realised {
            return;
        }
        if let Origin::Schedule(schedule) = &origin {
            self.told.push((schedule.clone(), told.failed.iter().map(|(id, _)| *id).collect()));
        }
        let new = told.failed.iter().find(|(id, _)| !self.failing.iter().any(|(known, _)| known == id)).copied();
        let Some((id, severity)) = new else { return };
        let _ = self.explorer.progress.send(Progress::Note { text: format!("{id} fails in {}", name(&origin)) });
        // All that fail in it for the first time: each is followed up by itself, the severest with what it came from.
        let others: Vec<(&'static str, Severity)> = told
            .failed
            .iter()
            .filter(|(other, _)| *other != id && !self.failing.iter().any(|(known, _)| known == other))
            .copied()
            .collect();
        for (other, severity) in others {
            if let Origin::Schedule(schedule) = &origin {
                let failing = Failing {
                    origin: Origin::Schedule(schedule.clone()),
                    draft: draft.clone(),
                    told: told.clone(),
                    severity,
                    after: after_so_long,
                };
                self.failing.push((other, failing));
            }
        }
        self.failing.push((id, Failing { origin, draft, told, severity, after: after_so_long }));
    }

    /// The severest first, and no more than can be followed up.
    pub(super) fn take_failing(&mut self) -> Vec<FirstFailing> {
        let mut failing = std::mem::take(&mut self.failing);
        failing.sort_by_key(|(_, it)| (it.severity, it.after));
        failing.truncate(FOLLOWED);
        failing
    }

    /// In how many of how many orders of a situation it failed.
    pub(super) fn count(&self, id: &str, situation: &str) -> (usize, usize) {
        let told = self.told.iter().filter(|(schedule, _)| schedule.situation == situation);
        (told.clone().filter(|(_, failed)| failed.contains(&id)).count(), told.count())
    }

    /// The order that is most like one that fails, and holds.
    pub(super) fn holding(&self, id: &str, like: &Schedule) -> Option<&Schedule> {
        let alike = |other: &Schedule| {
            let sorted = |schedule: &Schedule| {
                let mut words: Vec<String> = schedule.decisions.iter().map(ToString::to_string).collect();
                words.sort();
                words
            };
            let common = other.decisions.iter().zip(&like.decisions).take_while(|(one, two)| one == two).count();
            let length = other.decisions.len().abs_diff(like.decisions.len());
            (sorted(other) != sorted(like), length, usize::MAX - common)
        };
        let holds = self.told.iter().filter(|(schedule, failed)| schedule.situation == like.situation && !failed.contains(&id));
        holds.map(|(schedule, _)| schedule).min_by_key(|other| alike(other))
    }

    /// How many stories were broken, and what it was the first time.
    pub(super) fn trouble(&self) -> (usize, Option<Trouble>) {
        self.trouble.clone()
    }

    /// How many orders are known of and were not told.
    pub(super) fn left(&self) -> usize {
        let told: usize = self.tallies.iter().filter(|tally| tally.name != "sequences").map(|tally| tally.told).sum();
        self.frontier.made().saturating_sub(told)
    }

    pub(super) fn into_tallies(self) -> Vec<Tally> {
        self.tallies
    }
}

fn situation(schedule: &Schedule) -> Option<&'static Situation> {
    situations().iter().find(|it| it.name == schedule.situation)
}

fn name(origin: &Origin) -> String {
    match origin {
        Origin::Schedule(schedule) => schedule.situation.clone(),
        Origin::Sequence(_) => "sequence".into(),
    }
}

fn was_told(told: &Told) -> bool {
    let empty = Schedule { situation: String::new(), decisions: Vec::new() };
    let After { realised, .. } = after(&empty, &told.history);
    realised
}

/// What the manifest lacks for a situation.
fn missing(explorer: &Explorer<'_>, situation: &Situation) -> Option<String> {
    let features = &explorer.manifest.features;
    let connections = features.connections.as_ref().map_or(1, |names| names.len().max(1));
    if connections < situation.connections as usize {
        return Some(format!("needs {} connections: `features.connections`", situation.connections));
    }
    if features.processes.unwrap_or(1) < situation.processes {
        return Some(format!("needs {} processes: `features.processes`", situation.processes));
    }
    if situation.disconnect && !matches!(explorer.manifest.disconnect, Disconnect::Verb(_)) {
        return Some("needs a way to disconnect: `[disconnect]`".into());
    }
    let needs = |word: &str| situation.cards.iter().any(|card| card.acts.iter().any(|act| act.get(word).is_some()));
    if needs("pause") && explorer.manifest.stop.pause.is_none() && !explorer.terms.restartable {
        return Some("needs a process that can be stopped where it is: `start.run` or `stop.pause`".into());
    }
    if needs("kill") && !explorer.terms.restartable {
        return Some("needs a process that can be killed and started: `start.run`".into());
    }
    None
}

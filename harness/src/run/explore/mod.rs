//! `regrant explore`: searches for an order of events in which something fails, makes it small, and repeats it.

mod campaign;
mod mend;
mod replay;
mod teller;

use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

pub use replay::{Recorded, RecordedStory, Replayed, read_recorded, replay, schedule_document};

use self::{
    campaign::{Campaign, Failing, Origin},
    teller::Explorer,
};
use super::{Cancel, Options, Progress, Run, RunError, Saved, Subject, Trouble};
use crate::{
    catalogue::Severity,
    evidence::History,
    explore::{Decision, Happening, Schedule, Situation, order, situations},
    judge::Purpose,
};

/// How a search is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct Hunt {
    /// How long it may take.
    pub budget: Duration,
    /// It ends once so many orders came about.
    pub orders: Option<usize>,
    /// Only these situations; empty: all.
    pub situations: Vec<String>,
    /// Random sequences are told, too.
    pub sequences: bool,
}

/// How many orders of a situation there were.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Tally {
    /// The situation's name; `sequences` for those drawn at random.
    pub name: String,
    /// One line for a person.
    pub title: String,
    /// Told.
    pub told: usize,
    /// Came about.
    pub realised: usize,
    /// Something failed in them.
    pub failing: usize,
    /// Why none was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// One requirement that failed in some order.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The requirement.
    pub id: &'static str,
    /// What a miss does.
    pub severity: Severity,
    /// The situation; none: a sequence.
    pub situation: Option<String>,
    /// What is decided in the order that fails.
    pub fails: Vec<String>,
    /// What is decided in an order that holds, if one was told.
    pub holds: Option<Vec<String>>,
    /// The same as a schedule.
    pub decisions: Vec<Decision>,
    /// A scenario file.
    pub scenario: String,
    /// How much there was in the story before it was made small, and is now: rules, steps and acts.
    pub size: (usize, usize),
    /// How often it was told again, and failed.
    pub repeated: (usize, usize),
    /// All repetitions were alike at the boundary.
    pub alike: bool,
    /// In how many of how many orders of the situation it failed.
    pub failing: (usize, usize),
    /// When it was first seen.
    pub after: Duration,
    /// What happened at the boundary.
    pub order: Vec<Happening>,
}

/// What a search saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Explored {
    /// The smallest stories that fail, judged.
    pub run: Run,
    /// What fails, the severest first.
    pub found: Vec<Found>,
    /// What failed in one order only, and never again, with the name of its story: nobody is accused of that.
    pub once: Vec<(String, Found)>,
    /// By situation.
    pub tallies: Vec<Tally>,
    /// How long orders were searched for, without what made them small.
    pub searching: Duration,
    /// How many more orders are known of and were not told.
    pub left: usize,
    /// How many stories the surroundings or the harness broke.
    pub broken: usize,
    /// What broke them the first time.
    pub trouble: Option<Trouble>,
}

impl Found {
    /// It did not fail in any other order, nor when it was told again: a machine that stood still looks like that, too.
    fn was_seen_once(&self) -> bool {
        matches!(self.repeated, (1.., 0)) && self.failing.0 < 2
    }
}

impl Explored {
    /// Some order came about: without one nothing was looked at.
    #[must_use]
    pub fn came_about(&self) -> bool {
        self.tallies.iter().any(|tally| tally.realised > 0)
    }
}

/// Searches.
///
/// # Errors
/// As [`RunError`] says.
pub async fn explore(
    subject: Subject,
    options: Options,
    hunt: Hunt,
    progress: UnboundedSender<Progress>,
    cancel: Cancel,
) -> Result<Explored, RunError> {
    let began = Instant::now();
    let chosen = chosen(&hunt)?;
    let explorer = Explorer::open(&subject, &options, &progress, cancel).await?;
    let mut campaign = Campaign::new(&explorer, &chosen, &hunt, options.seed);
    campaign.search(began).await?;
    let searching = began.elapsed();
    let (mut found, mut histories, mut once) = (Vec::new(), Vec::new(), Vec::new());
    let failing = campaign.take_failing();
    let count = failing.len();
    for (place, (id, first)) in failing.into_iter().enumerate() {
        let left = hunt.budget.saturating_sub(began.elapsed()) / u32::try_from(count - place).unwrap_or(1);
        let (one, history) = mend::mended(&explorer, id, first, left, &campaign).await;
        if one.was_seen_once() {
            once.push((history.story, one));
        } else {
            found.push(one);
            histories.push(history);
        }
    }
    let run = judged(&explorer, &options, &subject, &found, histories, began);
    let (broken, trouble) = campaign.trouble();
    Ok(Explored { run, found, once, left: campaign.left(), tallies: campaign.into_tallies(), searching, broken, trouble })
}

fn chosen(hunt: &Hunt) -> Result<Vec<&'static Situation>, RunError> {
    let known = |name: &String| situations().iter().any(|it| it.name == *name);
    if let Some(unknown) = hunt.situations.iter().find(|name| !known(name)) {
        let names: Vec<&str> = situations().iter().map(|it| it.name.as_str()).collect();
        return Err(RunError::user(format!("there is no situation {unknown:?}; there are {}", names.join(", "))));
    }
    Ok(situations().iter().filter(|it| hunt.situations.is_empty() || hunt.situations.contains(&it.name)).collect())
}

/// What the small stories show, as any run is judged and kept.
fn judged(explorer: &Explorer<'_>, options: &Options, subject: &Subject, found: &[Found], histories: Vec<History>, began: Instant) -> Run {
    let mut told = histories;
    super::check::number(&mut told);
    let purpose =
        |(one, history): (&Found, &History)| Purpose { story: history.story.clone(), tests: vec![one.id.to_owned()], also: Vec::new() };
    let saved = Saved {
        terms: explorer.terms.clone(),
        purposes: found.iter().zip(&told).map(purpose).collect(),
        requirements: found.iter().map(|one| one.id.to_owned()).collect(),
        besides: Vec::new(),
        shard: None,
        manifest: subject.fingerprint(),
        cancelled: explorer.is_cancelled(),
    };
    let mut run = super::check::judged(&explorer.manifest, saved, told, options.seed, began);
    // Where nothing is found nothing was judged: no list of requirements means all.
    run.judgement.requirements.retain(|judged| found.iter().any(|one| one.id == judged.id));
    run
}

/// The name of the story in which a requirement fails.
fn story_name(id: &str, origin: &Origin) -> String {
    match origin {
        Origin::Schedule(schedule) => format!("{}_{}", schedule.situation, id.to_lowercase().replace('-', "_")),
        Origin::Sequence(_) => format!("sequence_{}", id.to_lowercase().replace('-', "_")),
    }
}

/// In words, with the situation at hand.
fn words(schedule: &Schedule) -> Vec<String> {
    let situation = situations().iter().find(|it| it.name == schedule.situation);
    schedule.decisions.iter().map(|decision| situation.map_or_else(|| decision.to_string(), |it| decision.words(it))).collect()
}

fn order_of(history: &History) -> Vec<Happening> {
    order(history)
}

type FirstFailing = (&'static str, Failing);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_once_and_never_again_accuses_nobody() {
        let seen_once = |repeated, failing| {
            let found = Found {
                id: "LOG-06",
                severity: Severity::Warning,
                situation: None,
                fails: Vec::new(),
                holds: None,
                decisions: Vec::new(),
                scenario: String::new(),
                size: (9, 9),
                repeated,
                alike: true,
                failing,
                after: Duration::ZERO,
                order: Vec::new(),
            };
            found.was_seen_once()
        };
        assert!(seen_once((3, 0), (1, 20)) && seen_once((3, 0), (0, 0)));
        assert!(!seen_once((3, 1), (1, 20)), "it failed again");
        assert!(!seen_once((3, 0), (2, 20)), "it failed in another order, too");
        assert!(!seen_once((0, 0), (1, 20)), "it could not be told again");
    }

    #[test]
    fn every_situation_shows_requirements_that_there_are() {
        for situation in situations() {
            assert!(!situation.shows.is_empty(), "{}", situation.name);
            for id in &situation.shows {
                assert!(crate::catalogue::find(id).is_some(), "{}: {id}", situation.name);
            }
        }
    }
}

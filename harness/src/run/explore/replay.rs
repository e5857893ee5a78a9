//! A story that was found, or a run that was recorded, told again.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    super::{Cancel, Options, Progress, Run, RunError, Saved, Story, Subject, stories},
    Found,
    teller::Explorer,
};
use crate::{
    evidence::{History, Phase, What},
    explore::{Happening, order},
    judge::Purpose,
};

/// `schedule.json`: what was decided, story by story.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The contract's version.
    pub contract: u32,
    /// Which version wrote it.
    pub regrant: String,
    /// The seed.
    pub seed: u64,
    /// The stories, in the order told.
    pub stories: Vec<RecordedStory>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedStory {
    /// Its name.
    pub name: String,
    /// The scenario file, where it does not ship with the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// What happened at the boundary, in order.
    pub order: Vec<Happening>,
}

/// A recorded run, told again.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The stories, judged.
    pub run: Run,
    /// Each story: whether it went as it was recorded; none: only a scenario was given.
    pub alike: Vec<(String, Option<bool>)>,
    /// Stories whose common beginning did not come about: nothing was seen in them.
    pub not_begun: Vec<String>,
}

/// What a run leaves as `schedule.json`.
#[must_use]
pub fn schedule_document(run: &Run, found: &[Found]) -> Recorded {
    let scenario = |name: &str| {
        let place = run.histories.iter().position(|history| history.story == name)?;
        found.get(place).map(|one| one.scenario.clone())
    };
    let story = |history: &History| RecordedStory {
        name: history.story.clone(),
        scenario: if found.is_empty() { None } else { scenario(&history.story) },
        order: order(history),
    };
    Recorded {
        contract: run.header.contract,
        regrant: run.header.regrant.clone(),
        seed: run.header.seed,
        stories: run.histories.iter().map(story).collect(),
    }
}

/// Reads a `schedule.json`, or a scenario file.
///
/// # Errors
/// It cannot be read, or is neither: where, and why.
pub fn read_recorded(path: &Path) -> Result<Recorded, RunError> {
    let text = std::fs::read_to_string(path).map_err(|error| RunError::user(format!("{}: {error}", path.display())))?;
    if path.extension().is_some_and(|extension| extension == "toml") {
        let story = stories::load(path)?;
        let story = RecordedStory { name: story.name, scenario: Some(text), order: Vec::new() };
        return Ok(Recorded {
            contract: super::super::check::CONTRACT,
            regrant: env!("CARGO_PKG_VERSION").into(),
            seed: 0,
            stories: vec![story],
        });
    }
    serde_json::from_str(&text).map_err(|error| {
        RunError::user(format!("{}: {error}: expected a schedule.json that regrant left, or a scenario file (.toml)", path.display()))
    })
}

/// Tells it again.
///
/// # Errors
/// As [`RunError`] says.
pub async fn replay(
    subject: Subject,
    options: Options,
    recorded: Recorded,
    progress: UnboundedSender<Progress>,
    mut cancel: Cancel,
) -> Result<Replayed, RunError> {
    let began = std::time::Instant::now();
    let all = recorded.stories.iter().map(story).collect::<Result<Vec<Story>, RunError>>()?;
    let explorer = Explorer::open(&subject, &options, &progress, cancel.clone()).await?;
    let (mut told, _) = explorer.tell_stories(all.clone(), &mut cancel).await;
    told.sort_by_key(|history| all.iter().position(|story| story.name == history.story));
    super::super::check::number(&mut told);
    let was = |history: &History| recorded.stories.iter().find(|story| story.name == history.story).filter(|story| !story.order.is_empty());
    let alike = told.iter().map(|history| (history.story.clone(), was(history).map(|story| story.order == order(history)))).collect();
    let saved = Saved {
        terms: explorer.terms.clone(),
        purposes: all.iter().map(Story::purpose).collect::<Vec<Purpose>>(),
        requirements: explorer.tested(&all),
        besides: Vec::new(),
        shard: None,
        manifest: subject.fingerprint(),
        cancelled: explorer.is_cancelled(),
    };
    let run = super::super::check::judged(&explorer.manifest, saved, told, options.seed, began);
    let began = |history: &&History| history.events.iter().any(|e| matches!(e.what, What::PhaseBegan { phase: Phase::Story }));
    let not_begun = run.histories.iter().filter(|history| !began(history)).map(|history| history.story.clone()).collect();
    Ok(Replayed { run, alike, not_begun })
}

fn story(recorded: &RecordedStory) -> Result<Story, RunError> {
    match &recorded.scenario {
        Some(text) => Ok(Story { name: recorded.name.clone(), scenario: stories::read(&recorded.name, text)? }),
        None => stories::built_in().iter().find(|story| story.name == recorded.name).cloned().ok_or_else(|| {
            RunError::user(format!("the story {:?} does not ship with this version, and its scenario is not recorded", recorded.name))
        }),
    }
}

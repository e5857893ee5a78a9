//! The cucumber world: a witness to stories that were told, and the two steps it knows.

use std::{
    convert::Infallible,
    sync::{Arc, LazyLock},
};

use cucumber::{World, gherkin, step};
use futures::{FutureExt, future::LocalBoxFuture};
use regex::Regex;

use super::Pair;
use crate::{catalogue::Verdict, judge::Judgement};

#[allow(clippy::unwrap_used, reason = "a constant pattern, read by every test of the features")]
static STORY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"^the story "([^"]+)" is told$"#).unwrap());
#[allow(clippy::unwrap_used, reason = "a constant pattern, read by every test of the features")]
static REQUIREMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^.+ \(([A-Z]+-[0-9]{2})\)$").unwrap());

/// One scenario's world. Before its first step the runner hands it the judgement.
#[derive(Debug, Default)]
pub(super) struct Witness {
    pub(super) judgement: Option<Arc<Judgement>>,
    story: Option<String>,
}

impl World for Witness {
    type Error = Infallible;

    async fn new() -> Result<Self, Self::Error> {
        Ok(Self::default())
    }
}

/// The two steps.
pub(super) fn steps() -> step::Collection<Witness> {
    step::Collection::new().when(None, STORY.clone(), told).then(None, REQUIREMENT.clone(), holds)
}

/// What a scenario is about, by the words of its steps; none if a step is missing or strange.
pub(super) fn pair(scenario: &gherkin::Scenario) -> Option<Pair> {
    let find = |pattern: &Regex| scenario.steps.iter().find_map(|step| Some(pattern.captures(&step.value)?[1].to_owned()));
    Some(Pair { requirement: find(&REQUIREMENT)?, story: find(&STORY)? })
}

#[allow(clippy::needless_pass_by_value, reason = "cucumber's signature")]
fn told(witness: &mut Witness, context: step::Context) -> LocalBoxFuture<'_, ()> {
    let story = word(&context);
    let known = witness.judgement.iter().any(|judgement| judgement.stories.iter().any(|told| told.name == story));
    if !known {
        refuse(&format!("the story {story:?} was not told"));
    }
    witness.story = Some(story);
    async {}.boxed_local()
}

#[allow(clippy::needless_pass_by_value, reason = "cucumber's signature")]
fn holds(witness: &mut Witness, context: step::Context) -> LocalBoxFuture<'_, ()> {
    let id = word(&context);
    match (&witness.judgement, &witness.story) {
        (Some(judgement), Some(story)) => look_up(judgement, &id, story),
        _ => refuse("no story was told before"),
    }
    async {}.boxed_local()
}

/// Fails on `fail` alone, and where a pair was never judged.
fn look_up(judgement: &Judgement, id: &str, story: &str) {
    let Some(judged) = judgement.requirements.iter().find(|judged| judged.id == id) else {
        return refuse(&format!("{id} was not judged"));
    };
    let verdict = judged.stories.iter().find(|in_story| in_story.name == story).map(|in_story| in_story.finding.verdict);
    match verdict {
        Some(Verdict::Fail) => refuse(&format!("{id} does not hold")),
        Some(Verdict::Pass | Verdict::Undecided | Verdict::NotApplicable | Verdict::KnownFail | Verdict::HarnessFault) => {}
        None if judged.verdict == Verdict::NotApplicable => {}
        None => refuse(&format!("{id} was not judged in {story}")),
    }
}

/// The first group of the step's pattern.
fn word(context: &step::Context) -> String {
    context.matches.get(1).map(|(_, word)| word.clone()).unwrap_or_default()
}

/// How a cucumber step fails: by a panic, which the runner catches.
#[allow(clippy::panic, reason = "cucumber knows no other way for a step to fail")]
fn refuse(reason: &str) {
    panic!("{reason}");
}

//! How the features read over a judgement, and whether both agree.

use cucumber::{Event, Writer, cli, event, gherkin, parser};

use super::witness::{Witness, pair};
use crate::{catalogue::Verdict, judge::Judgement};

/// A requirement in a story.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Its id.
    pub requirement: String,
    /// The story's name.
    pub story: String,
}

/// What came of reading the features.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeatureOutcome {
    /// Scenarios that were read to their end.
    pub read: Vec<Pair>,
    /// Those whose `Then` failed.
    pub failed: Vec<Pair>,
    /// What kept features from being read: steps that nothing matches, files that cannot be parsed.
    pub broken: Vec<String>,
}

impl FeatureOutcome {
    /// Where features and verdicts say different things: each is a fault of the harness, in a sentence.
    #[must_use]
    pub fn disagreements(&self, judgement: &Judgement) -> Vec<String> {
        let differing = self.read.iter().filter(|pair| self.failed.contains(pair) != convicted(judgement, pair));
        let differing = differing.map(|pair| format!("feature and verdict differ on {} in {}", pair.requirement, pair.story));
        let broken = self.broken.iter().map(|reason| format!("a feature cannot be read: {reason}"));
        broken.chain(differing).collect()
    }
}

fn convicted(judgement: &Judgement, pair: &Pair) -> bool {
    let judged = judgement.requirements.iter().filter(|judged| judged.id == pair.requirement);
    let mut in_story = judged.flat_map(|judged| &judged.stories).filter(|in_story| in_story.name == pair.story);
    in_story.any(|in_story| in_story.finding.verdict == Verdict::Fail)
}

/// Takes cucumber's events and keeps what matters. A skipped step is as bad as a failed one.
impl Writer<Witness> for FeatureOutcome {
    type Cli = cli::Empty;

    async fn handle_event(&mut self, event: parser::Result<Event<event::Cucumber<Witness>>>, _: &Self::Cli) {
        match event {
            Err(error) => self.broken.push(error.to_string()),
            Ok(event) => self.take(event.into_inner()),
        }
    }
}

/// One scenario runs at a time, so events come in order and need no sorting.
impl cucumber::writer::Normalized for FeatureOutcome {}

impl FeatureOutcome {
    fn take(&mut self, event: event::Cucumber<Witness>) {
        let event::Cucumber::Feature(_, event) = event else { return };
        match event {
            event::Feature::Rule(_, event::Rule::Scenario(scenario, event)) | event::Feature::Scenario(scenario, event) => {
                self.take_scenario(&scenario, event.event);
            }
            event::Feature::Rule(_, event::Rule::Started | event::Rule::Finished) => {}
            event::Feature::Started | event::Feature::Finished => {}
        }
    }

    fn take_scenario(&mut self, scenario: &gherkin::Scenario, event: event::Scenario<Witness>) {
        match event {
            event::Scenario::Step(step, came) | event::Scenario::Background(step, came) => self.take_step(scenario, &step, came),
            event::Scenario::Hook(_, event::Hook::Failed(..)) => self.broken.push(format!("{}: its hook failed", scenario.name)),
            event::Scenario::Finished => match pair(scenario) {
                Some(pair) => self.read.push(pair),
                None => self.broken.push(format!("{}: it names no story or no requirement", scenario.name)),
            },
            event::Scenario::Hook(_, event::Hook::Started | event::Hook::Passed) => {}
            event::Scenario::Started | event::Scenario::Log(_) => {}
        }
    }

    fn take_step(&mut self, scenario: &gherkin::Scenario, step: &gherkin::Step, came: event::Step<Witness>) {
        match came {
            event::Step::Started | event::Step::Passed(..) => {}
            event::Step::Skipped => self.broken.push(format!("{}: no step matches {:?}", scenario.name, step.value)),
            event::Step::Failed(_, _, _, error) => match pair(scenario) {
                Some(pair) if step.ty == gherkin::StepType::Then => self.failed.push(pair),
                _ => self.broken.push(format!("{}: {:?} failed: {error}", scenario.name, step.value)),
            },
        }
    }
}

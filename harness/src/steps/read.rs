//! Reading features over a judgement, with cucumber.

use std::sync::Arc;

use cucumber::{Cucumber, cli, feature::Ext, gherkin, parser, runner};
use futures::{FutureExt, future::LocalBoxFuture, stream};

use super::{
    FeatureOutcome,
    witness::{Witness, pair, steps},
};
use crate::judge::Judgement;

/// Why a feature cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// It is no Gherkin.
    #[error("{file} is no Gherkin: {source}")]
    Gherkin {
        /// Which.
        file: String,
        /// Why.
        source: gherkin::ParseError,
    },
    /// The tables of an outline do not fit it.
    #[error("{file}: {source}")]
    Examples {
        /// Which.
        file: String,
        /// Why.
        source: cucumber::feature::ExpandExamplesError,
    },
    /// It holds no scenario, so it would pass by saying nothing.
    #[error("{file} holds no scenario")]
    Empty {
        /// Which.
        file: String,
    },
}

/// Reads features (file name and text) over a judgement. Scenarios of stories that were not told, or of requirements that were
/// not selected, are left out.
///
/// cucumber swaps the process's panic hook while it runs: never call this twice at the same time in one process, and do it when
/// nothing else is going on.
///
/// # Errors
/// As [`FeatureError`] says. That a `Then` fails is no error.
pub async fn read_features(judgement: &Judgement, features: &[(&str, &str)]) -> Result<FeatureOutcome, FeatureError> {
    let parsed = features.iter().map(|(file, text)| parse(file, text)).collect::<Result<Vec<_>, _>>()?;
    let judgement = Arc::new(judgement.clone());
    let (for_filter, for_world) = (Arc::clone(&judgement), judgement);
    let runner = runner::Basic::default()
        .steps(steps())
        .max_concurrent_scenarios(1)
        .before(move |_, _, _, witness: &mut Witness| hand_over(&for_world, witness));
    let cucumber = Cucumber::<Witness, _, _, _, _>::custom(Parsed(parsed), runner, FeatureOutcome::default());
    let outcome = cucumber.with_default_cli().filter_run((), move |_, _, scenario| takes_part(&for_filter, scenario)).await;
    Ok(outcome)
}

fn hand_over<'w>(judgement: &Arc<Judgement>, witness: &'w mut Witness) -> LocalBoxFuture<'w, ()> {
    witness.judgement = Some(Arc::clone(judgement));
    async {}.boxed_local()
}

/// A scenario whose steps are strange takes part, and is found broken.
fn takes_part(judgement: &Judgement, scenario: &gherkin::Scenario) -> bool {
    pair(scenario).is_none_or(|pair| {
        judgement.stories.iter().any(|told| told.name == pair.story)
            && judgement.requirements.iter().any(|judged| judged.id == pair.requirement)
    })
}

fn parse(file: &str, text: &str) -> Result<gherkin::Feature, FeatureError> {
    let file = file.to_owned();
    let parsed = gherkin::Feature::parse(text, gherkin::GherkinEnv::default());
    let feature = parsed.map_err(|source| FeatureError::Gherkin { file: file.clone(), source })?;
    let feature = feature.expand_examples().map_err(|source| FeatureError::Examples { file: file.clone(), source })?;
    if feature.count_scenarios() == 0 { Err(FeatureError::Empty { file }) } else { Ok(feature) }
}

/// Features that were parsed before: cucumber's own parser reads folders.
struct Parsed(Vec<gherkin::Feature>);

impl cucumber::Parser<()> for Parsed {
    type Cli = cli::Empty;
    type Output = stream::Iter<std::vec::IntoIter<parser::Result<gherkin::Feature>>>;

    fn parse(self, _input: (), _cli: Self::Cli) -> Self::Output {
        stream::iter(self.0.into_iter().map(Ok).collect::<Vec<_>>())
    }
}

//! The stories that ship, told by the provider alone to a person with a small integration.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use regrant_mock_server::{control::Action, fault::scenario::Scenario, journal::What};
use tokio::task::JoinSet;

use crate::{support::*, tiny};

/// A story waits for quiet at each of its steps, a second each time.
const A_STORY: Duration = Duration::from_secs(20);

/// Rules that meet only an integration that makes several calls at once for one piece of work.
const SIDE_BY_SIDE: [(&str, u32); 1] = [("a_call_meets_401_after_a_sibling_refreshed", 4)];

/// What awaits a refresh that the small integration never makes waits in vain: it has no clock, and does not notice that its token has run out; and
/// it has one connection, and none of another company.
const BEYOND_IT: [&str; 2] = ["token_endpoint_hangs_for_users", "two_companies_refresh_at_once"];

fn stories() -> Vec<(PathBuf, Scenario)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let paths = std::fs::read_dir(folder).expect("the stories").map(|entry| entry.expect("an entry").path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("readable");
        let story = Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, story)
    };
    let is_beyond_it = |path: &Path| BEYOND_IT.iter().any(|name| path.file_stem().is_some_and(|stem| stem == *name));
    files.filter(|path| !is_beyond_it(path)).map(read).collect()
}

#[tokio::test]
async fn every_story_that_ships_is_told_to_its_end_and_leaves_the_person_theirs() {
    let stories = stories();
    assert!(stories.len() >= 21, "{}", stories.len());
    let mut told = JoinSet::new();
    for (path, story) in stories {
        told.spawn(async move {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            tokio::time::timeout(A_STORY, hear(&name, &story)).await.err().map(|_| name)
        });
    }
    let endless: Vec<String> = told.join_all().await.into_iter().flatten().collect();
    assert_eq!(endless, Vec::<String>::new());
}

async fn hear(name: &str, story: &Scenario) {
    let provider = Arc::new(provider().await);
    let (left, _) = tiny::told(provider.clone(), story).await;
    let acts = story.steps.iter().flat_map(|step| &step.acts);
    let theirs: Vec<_> = acts.filter(|act| !act.is_provider_s()).cloned().collect();
    assert_eq!(left, theirs, "{name}");
    let journal = provider.control().journal();
    let installed: BTreeSet<u32> = journal
        .iter()
        .filter_map(|entry| if let What::Controlled(Action::RuleInstalled { rule }) = &entry.what { Some(*rule) } else { None })
        .collect();
    let met: BTreeSet<u32> =
        journal.iter().filter_map(|entry| if let What::Faulted { rule, .. } = &entry.what { Some(*rule) } else { None }).collect();
    assert_eq!(installed.len(), story.rules.len(), "{name}");
    let unmet: Vec<u32> = installed.difference(&met).copied().filter(|rule| !SIDE_BY_SIDE.contains(&(name, *rule))).collect();
    assert!(met.is_subset(&installed) && unmet.is_empty(), "{name}: every rule met a request, but for {unmet:?}");
    assert_eq!(provider.control().held_anywhere(), 0, "{name}: nothing is left behind at a gate");
}

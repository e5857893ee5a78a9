//! All features, read over hand-made judgements. A binary of its own with one test: cucumber swaps the process's panic hook
//! while it runs.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;

use regrant::{
    catalogue::{Finding, Level, Severity, Verdict},
    judge::{InStory, Judged, Judgement, Told},
    steps::{FEATURES, FeatureError, Pair, read_features},
};

/// Every pair that the features name, as a judgement in which all of it passes. Found by reading the text, not by cucumber.
fn all_passing() -> Judgement {
    let mut pairs: Vec<(&'static str, String)> = Vec::new();
    for (_, text) in FEATURES {
        let mut id = "";
        for line in text.lines().map(str::trim) {
            match (line.strip_prefix('@'), line.strip_prefix("| ")) {
                (Some(tags), _) => id = tags.split_whitespace().next().unwrap_or_default(),
                (_, Some(row)) if !row.starts_with("story ") => {
                    pairs.push((id, row.split_whitespace().next().unwrap_or_default().to_owned()));
                }
                _ => {}
            }
        }
    }
    let stories: BTreeSet<&String> = pairs.iter().map(|(_, story)| story).collect();
    let told = |name: &&String| Told { name: (*name).clone(), realised: true, seconds: 1.0, harness_fault: None, environment_fault: None };
    let mut judgement = Judgement { requirements: Vec::new(), stories: stories.iter().map(told).collect() };
    for (id, story) in &pairs {
        let in_story = InStory { name: story.clone(), decides: true, finding: Finding::pass("seen", vec![1]) };
        match judgement.requirements.iter_mut().find(|judged| judged.id == *id) {
            Some(judged) => judged.stories.push(in_story),
            None => judgement.requirements.push(Judged {
                id,
                level: Level::Must,
                severity: Severity::Error,
                verdict: Verdict::Pass,
                reason: String::new(),
                unlock: None,
                stories: vec![in_story],
                acquitted: Vec::new(),
            }),
        }
    }
    judgement
}

fn convict(judgement: &mut Judgement, id: &str, story: &str) -> Pair {
    let judged = judgement.requirements.iter_mut().find(|judged| judged.id == id).expect("the features name it");
    judged.verdict = Verdict::Fail;
    let in_story = judged.stories.iter_mut().find(|in_story| in_story.name == story).expect("the features name it");
    in_story.finding = Finding::fail("broken", vec![2]);
    Pair { requirement: id.into(), story: story.into() }
}

#[tokio::test]
async fn features_read_as_the_judgement_says() {
    // All passes: every pair is read, none fails.
    let mut judgement = all_passing();
    let pairs: usize = judgement.requirements.iter().map(|judged| judged.stories.len()).sum();
    let outcome = read_features(&judgement, FEATURES).await.expect("readable");
    assert_eq!((outcome.read.len(), &outcome.failed, &outcome.broken), (pairs, &vec![], &vec![]));
    assert!(judgement.requirements.len() >= 46, "{} requirements have a scenario", judgement.requirements.len());
    assert_eq!(outcome.disagreements(&judgement), Vec::<String>::new());

    // One fails in one story: exactly that Then fails.
    let convicted = convict(&mut judgement, "DETECT-01", "policy_ends_the_grant");
    let outcome = read_features(&judgement, FEATURES).await.expect("readable");
    assert_eq!((outcome.read.len(), outcome.failed.as_slice()), (pairs, std::slice::from_ref(&convicted)));
    assert_eq!(outcome.disagreements(&judgement), Vec::<String>::new());

    // A judgement that says otherwise than the features did is a disagreement.
    assert_eq!(outcome.disagreements(&all_passing()), ["feature and verdict differ on DETECT-01 in policy_ends_the_grant"]);

    // Undecided is no failure.
    for judged in &mut judgement.requirements {
        judged.stories.iter_mut().for_each(|in_story| in_story.finding = Finding::undecided("not seen"));
    }
    assert_eq!(read_features(&judgement, FEATURES).await.expect("readable").failed, []);

    // What was not told or not selected is left out.
    judgement.stories.retain(|told| told.name == "policy_ends_the_grant");
    let outcome = read_features(&judgement, FEATURES).await.expect("readable");
    assert_eq!(outcome.read, [convicted]);

    // A step that nothing matches, and a story that the judge does not know of, cannot pass unseen.
    let strange = "Feature: f\n  Scenario: s\n    When the moon is full\n    Then all is well (STOP-01)\n";
    let outcome = read_features(&all_passing(), &[("strange.feature", strange)]).await.expect("readable");
    assert_eq!(outcome.broken.len(), 2, "{:?}", outcome.broken);
    assert!(outcome.broken[0].contains("the moon is full"), "{:?}", outcome.broken);

    // Features that say nothing are refused.
    let empty = read_features(&all_passing(), &[("empty.feature", "Feature: f\n")]).await;
    assert!(matches!(empty, Err(FeatureError::Empty { .. })), "{empty:?}");
    let broken = read_features(&all_passing(), &[("broken.feature", "Scenario\n")]).await;
    assert!(matches!(broken, Err(FeatureError::Gherkin { .. })), "{broken:?}");
}

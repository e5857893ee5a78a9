//! Which stories are told for which requirements, and how many at once.

use super::{RunError, Selection, Shard, Story, shards, stories};
use crate::{catalogue, subject::Manifest};

/// More at once than this times the cores slows every subject down.
const PER_CORE: usize = 4;
/// At least so many at once: stories mostly wait.
const LEAST: usize = 4;

/// What takes part.
pub(super) struct Plan {
    pub(super) stories: Vec<Story>,
    /// IDs that take part.
    pub(super) requirements: Vec<&'static str>,
    /// Of these, what none of the stories decides that were chosen by name.
    pub(super) besides: Vec<&'static str>,
}

/// Requirements that `--only` and `--skip` leave, where stories are not chosen among.
pub(super) fn requirements(selection: &Selection) -> Result<Vec<&'static str>, RunError> {
    let named = |words: &[String], id: &str| {
        words.iter().any(|w| w.eq_ignore_ascii_case(id) || id.split('-').next().is_some_and(|group| group.eq_ignore_ascii_case(w)))
    };
    let all = catalogue::all().map(|r| r.id).filter(|id| selection.only.is_empty() || named(&selection.only, id));
    let left: Vec<&'static str> = all.filter(|id| !named(&selection.skip, id)).collect();
    if left.is_empty() { Err(RunError::NothingSelected) } else { Ok(left) }
}

/// Applies `--only`, `--skip` and then `--shard`. A story takes part if it is named, or if it decides a requirement that takes part.
pub(super) fn plan(selection: &Selection, own: &[std::path::PathBuf], shard: Option<Shard>) -> Result<Plan, RunError> {
    let mut all: Vec<Story> = stories::built_in().to_vec();
    for path in own {
        all.push(stories::load(path)?);
    }
    let names_story = |words: &[String], name: &str| words.iter().any(|w| w == name);
    let names_requirement = |words: &[String], id: &str| {
        words.iter().any(|w| w.eq_ignore_ascii_case(id) || id.split('-').next().is_some_and(|group| group.eq_ignore_ascii_case(w)))
    };
    let by_story = selection.only.iter().any(|w| all.iter().any(|s| s.name == *w));
    let by_requirement = selection.only.iter().any(|w| catalogue::all().any(|r| names_requirement(std::slice::from_ref(w), r.id)));
    all.retain(|s| !names_story(&selection.skip, &s.name));
    if by_story {
        all.retain(|s| names_story(&selection.only, &s.name) || (by_requirement && decides(s, &selection.only, names_requirement)));
    }
    let told = |id: &str| all.iter().any(|s| s.scenario.tests.iter().chain(&s.scenario.also).any(|t| t == id));
    let requirements: Vec<&'static str> = catalogue::all()
        .map(|r| r.id)
        .filter(|id| !by_requirement || names_requirement(&selection.only, id))
        .filter(|id| !names_requirement(&selection.skip, id))
        .filter(|id| !by_story || told(id))
        .collect();
    all.retain(|s| s.scenario.tests.iter().any(|t| requirements.contains(&t.as_str())));
    if all.is_empty() || requirements.is_empty() {
        return Err(RunError::NothingSelected);
    }
    let decided = |id: &str| all.iter().any(|s| s.scenario.tests.iter().any(|t| t == id));
    let besides = requirements.iter().copied().filter(|id| by_story && !decided(id)).collect();
    let told = match shard {
        Some(shard) => shards::part(&all, shard),
        None => all.clone(),
    };
    match shard.filter(|_| told.is_empty()) {
        Some(shard) => Err(RunError::user(format!("shard {shard} has no story: the selection leaves {}", all.len()))),
        None => Ok(Plan { stories: told, requirements, besides }),
    }
}

fn decides(story: &Story, words: &[String], names: impl Fn(&[String], &str) -> bool) -> bool {
    story.scenario.tests.iter().any(|t| names(words, t))
}

/// How many stories are told at once.
pub(super) fn jobs(asked: Option<usize>, manifest: &Manifest) -> usize {
    let attached = manifest.start.as_ref().is_some_and(|s| s.attach.is_some());
    if manifest.single_job_only().is_some() || attached {
        return 1;
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    asked.unwrap_or((cores * PER_CORE).max(LEAST)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(only: &[&str], skip: &[&str]) -> Plan {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        plan(&Selection { only: words(only), skip: words(skip) }, &[], None).expect("a plan")
    }

    #[test]
    fn a_story_that_is_named_brings_what_it_may_convict_of_besides() {
        let plan = planned(&["refreshed_twice"], &[]);
        assert!(plan.requirements.contains(&"REFRESH-02") && plan.requirements.contains(&"SECRET-02"), "{:?}", plan.requirements);
        assert!(plan.besides.contains(&"SECRET-02") && !plan.besides.contains(&"REFRESH-02"), "{:?}", plan.besides);
    }

    #[test]
    fn what_is_skipped_passes_over_no_requirement() {
        let stories = |id: &str| stories::built_in().iter().filter(|s| s.scenario.tests.iter().any(|t| t == id)).collect::<Vec<_>>();
        let id = catalogue::all().map(|r| r.id).find(|id| stories(id).len() == 1).expect("one that a single story decides");
        let plan = planned(&[], &[stories(id)[0].name.as_str()]);
        assert!(plan.requirements.contains(&id) && plan.besides.is_empty(), "{id}");
        assert!(planned(&["RACE"], &[]).besides.is_empty());
    }
}

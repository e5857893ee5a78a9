//! Which stories a planted defect is told in the kill matrix: the fewest that its conviction needs, a sixteenth of the others that decide what it
//! breaks or may break, and a fortieth of the rest.
//!
//! So the test takes minutes, not an hour. The whole product of defects and stories is told by `cargo xtask matrix`.

use regrant::{
    catalogue,
    reference::Defect,
    run::{Story, built_in},
};

/// Of so many stories that nothing asks for, one is told.
const ONE_IN: u64 = 40;
/// Of so many stories that decide what the defect breaks or may break, one is told: these are the likeliest to convict beyond the plan.
const ONE_IN_OF_DECIDING: u64 = 16;
/// A constant, so that the same ones are told until somebody wants others.
const SEED: u64 = 0x7e57_5eed;

/// Stories that decide together all that the defect breaks, and a part of the others, which stays the same whatever else is added.
pub fn told(defect: &Defect) -> impl Iterator<Item = &'static Story> {
    let needed = fewest(&broken(defect));
    built_in().iter().filter(move |story| {
        let deciding = decides(story, defect.breaks) || decides(story, defect.may);
        let one_in = if deciding { ONE_IN_OF_DECIDING } else { ONE_IN };
        needed.contains(&story.name.as_str()) || drawn(defect.name, &story.name, one_in)
    })
}

/// Stories that decide what the defect breaks or may break.
pub fn deciding(defect: &Defect) -> impl Iterator<Item = &'static Story> {
    built_in().iter().filter(|story| decides(story, defect.breaks) || decides(story, defect.may))
}

/// Stories that decide none of this, but may convict of one of these requirements.
pub fn may_convict<'a>(ids: &'a [&str]) -> impl Iterator<Item = &'static Story> + 'a {
    let names = |list: &[String]| list.iter().any(|id| ids.contains(&id.as_str()));
    built_in().iter().filter(move |story| names(&story.scenario.also) || names(&story.scenario.tests))
}

/// The fewest stories that can convict of these requirements, as far as taking those first that decide most of them finds the fewest; always the
/// same. A requirement that no story decides is looked for in one that may convict of it.
#[must_use]
pub fn fewest(ids: &[&str]) -> Vec<&'static str> {
    let (mut left, mut chosen): (Vec<&str>, _) = (ids.to_vec(), Vec::new());
    let of = |list: &[String], left: &[&str]| left.iter().filter(|id| list.iter().any(|it| it == *id)).count();
    let worth = |story: &Story, left: &[&str]| (of(&story.scenario.tests, left), of(&story.scenario.also, left));
    // The first of those that are worth the same.
    while let Some(best) = built_in().iter().rev().max_by_key(|story| worth(story, &left)).filter(|story| worth(story, &left) != (0, 0)) {
        let list = if worth(best, &left).0 > 0 { &best.scenario.tests } else { &best.scenario.also };
        left.retain(|id| !list.iter().any(|it| it == id));
        chosen.push(best.name.as_str());
    }
    chosen
}

/// A subject that hangs costs every story its whole patience: it is told only the stories that decide what it breaks.
#[must_use]
pub fn hangs(defect: &Defect) -> bool {
    defect.name == "hangs-on-refusal"
}

/// The requirements of this register that a defect must break.
#[must_use]
pub fn broken(defect: &Defect) -> Vec<&'static str> {
    defect.breaks.iter().copied().filter(|id| catalogue::find(id).is_some()).collect()
}

fn decides(story: &Story, ids: &[&str]) -> bool {
    story.scenario.tests.iter().any(|id| ids.contains(&id.as_str()))
}

/// One in so many, always the same ones.
#[must_use]
pub fn is_drawn(defect: &str, one_in: u64) -> bool {
    drawn(defect, "", one_in)
}

fn drawn(defect: &str, story: &str, one_in: u64) -> bool {
    mixed(defect.bytes().chain([0]).chain(story.bytes())).is_multiple_of(one_in)
}

/// FNV-1a, and a last stir: its low bits alone follow the last letters.
pub(crate) fn mixed(bytes: impl Iterator<Item = u8>) -> u64 {
    let hash = bytes.fold(SEED ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use regrant::reference::defects;

    use super::*;

    #[test]
    fn every_requirement_that_a_defect_breaks_is_decided_in_what_is_told() {
        for defect in defects().iter().filter(|defect| !broken(defect).is_empty()) {
            let told: Vec<_> = told(defect).collect();
            for id in broken(defect) {
                assert!(told.iter().any(|story| decides(story, &[id])), "{}: {id}", defect.name);
            }
        }
    }

    #[test]
    fn the_fewest_stories_are_those_that_decide_most() {
        assert_eq!(fewest(&["LOG-01", "LOG-02", "STOP-01"]), ["user_revokes_access"]);
        assert_eq!(fewest(&["NONE-01"]), [""; 0]);
        for requirement in catalogue::all() {
            assert_eq!(fewest(&[requirement.id]).len(), 1, "{}", requirement.id);
        }
    }

    #[test]
    fn about_a_fortieth_is_drawn_and_it_differs_from_defect_to_defect() {
        let names: Vec<String> = (0..100).map(|n| format!("story_{n}")).collect();
        let drawn = |defect: &str| names.iter().filter(|name| drawn(defect, name, ONE_IN)).count();
        let (one, all) = (drawn("keeps-calling"), (0..50).map(|n| drawn(&format!("defect-{n}"))).sum::<usize>());
        assert!(one < 9, "{one}");
        assert!((85..170).contains(&all), "{all} of 5000");
        let of = |defect: &str| names.iter().filter(|name| super::drawn(defect, name, ONE_IN)).collect::<Vec<_>>();
        assert_ne!(of("keeps-calling"), of("silent"));
    }
}

//! RACE-07: killed with the answer to a refresh just read.

use regrant_mock_server::authority::TokenState;

use crate::{evidence::Outcome, judge::testing::*};

/// Refreshed, killed with the answer just read, started again.
fn killed() -> Story {
    Story::connected().rejected().trigger().api(401).refreshes().killed().answered(Outcome::NoAnswer).started()
}

/// Asked twice more, in vain, up to the next rest.
fn in_vain(story: Story) -> Story {
    story.asked_in_vain(2).rest()
}

#[test]
fn one_who_works_on_or_says_that_access_must_be_restored_passes() {
    let saved = killed().works().rest().rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest();
    saved.epilogue().passes("RACE-07");
    let lost = killed().trigger().calls_api(Some("access#1"), TokenState::Superseded, 401).refuses("refresh#1", "invalid_grant").gives_up();
    in_vain(lost.rest()).epilogue().passes("RACE-07");
}

#[test]
fn one_with_half_a_pair_fails() {
    let half = killed().works().rest().rejected().trigger().api(401).refuses("refresh#1", "invalid_grant").gives_up().rest();
    half.epilogue().fails("RACE-07", "it called the API with access#2 and presented refresh#1");
}

#[test]
fn one_who_presents_the_spent_token_again_and_again_fails() {
    let again = (0..4).fold(killed().trigger(), |story, _| story.refuses("refresh#1", "invalid_grant"));
    again.gives_up().rest().epilogue().fails("RACE-07", "4 refreshes came to nothing");
    let thrice = (0..3).fold(killed().trigger(), |story, _| story.refuses("refresh#1", "invalid_grant"));
    thrice.gives_up().rest().epilogue().passes("RACE-07");
}

#[test]
fn one_who_is_dumb_and_says_that_all_is_well_fails() {
    let dumb = killed().trigger().answered(Outcome::Accepted).rest().looks();
    let asked = dumb.trigger().answered(Outcome::Accepted).rest().looks();
    asked.fails("RACE-07", "neither works nor says");
}

#[test]
fn a_kill_elsewhere_or_a_story_cut_short_decides_nothing() {
    Story::honest().undecided("RACE-07", "was not killed");
    let early = Story::connected().rejected().trigger().api(401).killed().answered(Outcome::NoAnswer).started();
    early.undecided("RACE-07", "no refresh had been answered");
    let dead = Story::connected().rejected().trigger().api(401).refreshes().killed().answered(Outcome::NoAnswer);
    dead.undecided("RACE-07", "was not started again");
    killed().trigger().answered(Outcome::Accepted).undecided("RACE-07", "");
}

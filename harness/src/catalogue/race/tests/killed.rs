//! RACE-07: killed with the answer to a refresh just read.

use regrant_mock_server::{authority::TokenState, fault::scenario::Status};

use super::pair;
use crate::{
    evidence::{Outcome, What},
    judge::testing::{
        late::{answer_held, comes_late},
        *,
    },
};

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
fn one_who_tries_in_vain_and_says_that_all_is_well_fails() {
    let asks =
        |story: Story| story.trigger().calls_api(Some("access#1"), TokenState::Superseded, 401).refuses("refresh#1", "invalid_grant");
    let vain = |story: Story| asks(story).answered(Outcome::Accepted).rest().looks();
    vain(vain(killed())).fails("RACE-07", "neither works nor says");
}

#[test]
fn one_who_meets_a_401_and_waits_for_the_lock_is_not_accused() {
    let waits = |story: Story| story.trigger().api(401).answered(Outcome::Accepted).rest().looks();
    waits(waits(killed())).undecided("RACE-07", "it may wait for a lock");
    waits(waits(waits(killed())).after(60_000)).fails("RACE-07", "neither works nor says");
}

#[test]
fn one_who_keeps_still_may_wait_for_a_lock_to_run_out_but_not_for_ever() {
    let still = |story: Story| story.trigger().answered(Outcome::Accepted).rest().looks();
    still(still(killed())).undecided("RACE-07", "it may wait for a lock");
    // Asked at once, and never again: the lock may have run out since.
    still(still(killed())).after(60_000).rest().undecided("RACE-07", "it may wait for a lock");
    let a_minute_later = still(killed()).after(60_000);
    still(a_minute_later).fails("RACE-07", "neither works nor says");
    let ran_out = still(killed()).after(10_000).works().rest();
    ran_out.rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest().epilogue().passes("RACE-07");
}

/// Killed while the answer was held, which then found nobody; started again.
fn killed_before_the_answer() -> Story {
    let (story, exchange) = answer_held(&pair(2));
    let story = story.killed().event(What::Released { exchange, dropped: false });
    story.event(What::Aborted { exchange, by_subject: true }).started().rejected()
}

#[test]
fn one_whose_pair_was_lost_on_the_way_finds_out_and_says_so_or_is_convicted() {
    let finds_out =
        |story: Story| story.trigger().calls_api(Some("access#1"), TokenState::Superseded, 401).refuses("refresh#1", "invalid_grant");
    in_vain(finds_out(killed_before_the_answer()).gives_up().rest()).epilogue().passes("RACE-07");
    let again = (0..3).fold(finds_out(killed_before_the_answer()), |story, _| story.refuses("refresh#1", "invalid_grant"));
    again.gives_up().rest().epilogue().fails("RACE-07", "4 refreshes came to nothing");
    let still = |story: Story| story.trigger().answered(Outcome::Accepted).rest().looks();
    still(still(killed_before_the_answer())).undecided("RACE-07", "it may wait for a lock");
}

#[test]
fn what_is_answered_to_a_process_that_was_killed_was_read_by_nobody() {
    let (story, exchange) = answer_held(&pair(2));
    let story = story.killed().started().rejected();
    let into_the_void = comes_late(story, exchange, &pair(2)).rest();
    let asked = into_the_void.trigger().calls_api(Some("access#1"), TokenState::Superseded, 401);
    let refused = asked.refuses("refresh#1", "invalid_grant").answered(Outcome::Accepted).gives_up();
    let all = in_vain(refused.rest()).epilogue();
    all.is_not_accused(&["REFRESH-01", "REFRESH-03"]);
    all.passes("RACE-07");
}

#[test]
fn what_a_second_restart_forgets_is_another_matter() {
    let lost = killed().trigger().calls_api(Some("access#1"), TokenState::Superseded, 401).refuses("refresh#1", "invalid_grant").gives_up();
    let forgets = in_vain(lost.rest()).restarted().with(|s| s.subject.says = Some(Status::Connected)).trigger().rest().trigger().rest();
    forgets.passes("RACE-07");
}

#[test]
fn a_refresh_of_a_process_that_lives_on_is_not_the_one_that_was_killed() {
    // Process 0 refreshes; process 1 is killed.
    let of = |instance: u32| move |s: &mut Story| s.instance = Some(instance);
    let two = Story::connected().with(of(0)).rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest();
    let killed = two.with(|s| {
        for event in &mut s.history.events {
            if let What::ProcessStarted { instance, .. } = &mut event.what {
                *instance = Some(1);
            }
        }
    });
    in_vain(killed.killed().started().rest()).undecided("RACE-07", "no refresh was on its way");
}

#[test]
fn a_kill_elsewhere_or_a_story_cut_short_decides_nothing() {
    Story::honest().undecided("RACE-07", "was not killed");
    let early = Story::connected().rejected().trigger().api(401).killed().answered(Outcome::NoAnswer).started();
    early.undecided("RACE-07", "no refresh was on its way");
    let lost = Story::connected().rejected().trigger().api(401).faulted(Answer::Dropped).killed().answered(Outcome::NoAnswer).started();
    lost.undecided("RACE-07", "no refresh was on its way");
    let dead = Story::connected().rejected().trigger().api(401).refreshes().killed().answered(Outcome::NoAnswer);
    dead.undecided("RACE-07", "was not started again");
    killed().trigger().answered(Outcome::Accepted).undecided("RACE-07", "");
}

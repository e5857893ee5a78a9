//! RACE-12 on hand-written histories.

use regrant_mock_server::{fault::scenario::Status, journal::AuthStyle};

use super::pair;
use crate::{
    evidence::{Outcome, What},
    judge::testing::{caller::*, *},
};

/// The refresh is broken off, so long after its caller hung up.
fn broken_off(after: u64) -> Story {
    let (story, exchange) = held_for_a_caller(kept_over_a_restart());
    story.answered(Outcome::HungUp).after(after).event(What::Aborted { exchange, by_subject: true })
}

#[test]
fn one_whose_refresh_goes_on_without_its_caller_passes() {
    hangs_up().passes("RACE-12");
    hangs_up().is_not_accused(&["RACE-01", "RACE-03", "RECOVER-08", "RETRY-05"]);
}

#[test]
fn one_that_gives_up_the_refresh_with_its_caller_fails() {
    let story = broken_off(3).rest().rejected().trigger().refuses("refresh#2", "invalid_grant").gives_up();
    story.answered(Outcome::Accepted).rest().epilogue().fails("RACE-12", "ms later it gave up the refresh");
    broken_off(3).rest().fails("RACE-12", "the new pair was never read");
}

#[test]
fn one_that_runs_into_a_limit_of_its_own_is_not_accused() {
    let limit = broken_off(990).rest().rejected().trigger().refuses("refresh#2", "invalid_grant").gives_up();
    limit.answered(Outcome::Accepted).rest().epilogue().undecided("RACE-12", "not known that this was because its caller hung up");
    // The provider did it, or the process was started anew.
    let (story, exchange) = held_for_a_caller(kept_over_a_restart());
    let dropped = story.answered(Outcome::HungUp).event(What::Aborted { exchange, by_subject: false }).rest();
    dropped.undecided("RACE-12", "broken off");
    let (story, exchange) = held_for_a_caller(kept_over_a_restart());
    let killed = story.answered(Outcome::HungUp).killed().event(What::Aborted { exchange, by_subject: true }).started().rest();
    killed.undecided("RACE-12", "broken off");
}

#[test]
fn one_that_does_not_keep_what_came_fails_if_it_keeps_what_comes_to_a_caller() {
    let again = |story: Story, spent: &str| {
        let story = story.adds_work(1).rejected().trigger().api(401).refuses(spent, "invalid_grant").gives_up();
        story.answered(Outcome::Accepted).rest().epilogue()
    };
    let lost = again(hung_up_and_let_go(kept_over_a_restart()).rest(), "refresh#2");
    lost.fails("RACE-12", "the pair that came then was not kept: it presented refresh#2 again");
    // In memory it had it; the restart shows what it kept.
    let unsaved = again(hung_up_and_let_go(kept_over_a_restart()).delivers().rest().restarted(), "refresh#2");
    unsaved.fails("RACE-12", "it presented refresh#2 again");
    // Whoever never keeps a pair has another defect.
    let never = again(hung_up_and_let_go(Story::connected()).delivers().rest().restarted(), "refresh#1");
    never.undecided("RACE-12", "nor is it seen to keep one while its caller waits");
    let only_in_memory = hung_up_and_let_go(refreshed(Story::connected())).delivers().rest().restarted();
    again(only_in_memory, "refresh#2").undecided("RACE-12", "nor is it seen to keep one");
}

#[test]
fn what_was_on_its_way_with_the_older_token_is_no_loss() {
    let story = hung_up_and_let_go(kept_over_a_restart()).refuses("refresh#2", "invalid_grant").delivers().rest();
    refreshed(refreshed(story)).epilogue().passes("RACE-12");
}

#[test]
fn one_that_never_gives_back_the_lock_fails() {
    let asked = |story: Story| story.adds_work(1).rejected().trigger().api(401).answered(Outcome::NoAnswer).rest();
    let stuck = asked(asked(hung_up_and_let_go(kept_over_a_restart()).rest()));
    stuck.clone().undecided("RACE-12", "nor asked often and long enough");
    asked(stuck.after(60_000)).fails("RACE-12", "it neither refreshes nor calls the API");
}

#[test]
fn one_that_takes_the_hang_up_for_the_end_fails() {
    let ended = hung_up_and_let_go(kept_over_a_restart()).rest().with(|s| s.subject.says = Some(Status::Disconnected));
    let ended = ended.adds_work(1).trigger().answered(Outcome::Refused).rest().looks();
    ended.fails("RACE-12", "the refresh succeeded, but it says that access must be restored");
}

#[test]
fn where_nobody_waits_it_does_not_apply() {
    let (story, exchange) = held_for_a_caller(kept_over_a_restart());
    let released = |story: Story| story.event(What::Released { exchange, dropped: false }).rest();
    // Answered while it was held, or by a command, which nobody can leave.
    released(story.clone().answered(Outcome::Accepted)).not_applicable("RACE-12");
    released(story.clone()).answered(Outcome::Accepted).not_applicable("RACE-12");
    let first = Story::connected().adds_work(1).rejected().trigger().answered(Outcome::Accepted).api(401).token_asked();
    let exchange = first.exchange();
    let first = first.token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, &pair(2));
    first.event(What::Held { exchange, gate: "first".into() }).rest().not_applicable("RACE-12");
    Story::connected().works().rest().undecided("RACE-12", "no refresh was held");
}

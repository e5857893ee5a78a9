//! RACE-02 on hand-written histories.

use super::BASIC;
use crate::{
    evidence::{Outcome, What},
    judge::testing::*,
};

/// While the first process refreshes, the other one does this.
fn meanwhile(what: impl FnOnce(Story) -> Story) -> Story {
    let (story, exchange) = Story::two_processes().first_refreshes();
    let story = what(story.answered(Outcome::Accepted).asked_in_vain(2).by(1));
    story.by(0).first_goes_on(exchange).delivers().rest().both_come_back()
}

#[test]
fn one_refresh_for_all_processes_passes() {
    Story::one_refresh_of_two().passes("RACE-02");
    // Whoever finds the token rejected and waits is honest, too.
    meanwhile(|story| story.trigger().api(401).answered(Outcome::Accepted).trigger().answered(Outcome::Refused)).passes("RACE-02");
}

#[test]
fn a_refresh_of_another_process_meanwhile_fails_here_and_not_where_one_process_is_judged() {
    let refused = || Answer::Refused("invalid_grant".into());
    let two = meanwhile(|story| {
        let story = story.trigger().api(401).mark("offence");
        story.token_request("refresh_token", Some("refresh#1"), BASIC, refused()).answered(Outcome::Accepted)
    });
    two.fails("RACE-02", "process 1 began a refresh while one of process 0 with refresh#1 was in flight");
    two.is_not_accused(&["RACE-01"]);
    // The process cannot be told; that two were in flight can.
    let unknown = two.with(|s| {
        for event in &mut s.history.events {
            if let What::Requested { instance, .. } = &mut event.what {
                *instance = None;
            }
        }
    });
    unknown.fails("RACE-02", "a process that cannot be told began a refresh");
}

#[test]
fn one_who_takes_over_when_a_lease_may_have_ended_is_not_accused() {
    let taken_over = |before: fn(Story) -> Story| {
        meanwhile(|story| {
            let story = before(story.by(0)).by(1).trigger().api(401);
            story
                .token_request("refresh_token", Some("refresh#1"), BASIC, Answer::Refused("invalid_grant".into()))
                .answered(Outcome::Accepted)
        })
    };
    taken_over(|story| story.after(3_000)).fails("RACE-02", "process 1 began a refresh");
    taken_over(|story| story.after(4_500)).undecided("RACE-02", "a lease may have come to its end");
    taken_over(|story| story.event(What::Paused { instance: Some(0) })).undecided("RACE-02", "while process 0 stood still");
    taken_over(|story| story.event(What::Paused { instance: None })).undecided("RACE-02", "while process 0 stood still");
    // It had gone on by then.
    taken_over(|story| story.events([What::Paused { instance: Some(0) }, What::Continued])).fails("RACE-02", "process 1 began a refresh");
}

#[test]
fn two_refreshes_of_the_only_process_are_another_requirement_s() {
    let refused = || Answer::Refused("invalid_grant".into());
    let two = meanwhile(|story| {
        let story = story.trigger().api(401).mark("offence");
        story.token_request("refresh_token", Some("refresh#1"), BASIC, refused()).answered(Outcome::Accepted)
    });
    let one = two.with(|s| {
        for event in &mut s.history.events {
            if let What::Requested { instance, .. } | What::VerbCalled { instance, .. } | What::ProcessStarted { instance, .. } =
                &mut event.what
            {
                *instance = None;
            }
        }
    });
    one.fails("RACE-01", "a second refresh began");
    one.undecided("RACE-02", "one process was started in this story");
}

#[test]
fn a_refresh_after_the_other_one_was_answered_is_none_in_flight() {
    let (story, exchange) = Story::two_processes().first_refreshes();
    let story = story.answered(Outcome::Accepted).asked_in_vain(2).by(1).asked_in_vain(2).by(0).first_goes_on(exchange).delivers();
    story.by(1).rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest().both_come_back().passes("RACE-02");
}

#[test]
fn without_work_for_the_other_process_nothing_is_proved() {
    meanwhile(|story| story.by(0).asked_in_vain(2)).undecided("RACE-02", "process 1 was not asked to work while process 0 refreshed");
    let (story, exchange) = Story::two_processes().first_refreshes();
    let few = story.answered(Outcome::Accepted).by(1).asked_in_vain(2).by(0).first_goes_on(exchange).delivers().rest();
    few.undecided("RACE-02", "2 triggers were delivered");
    Story::both_stop().undecided("RACE-02", "no refresh was held");
}

#[test]
fn a_process_that_was_never_seen_at_its_own_address_proves_nothing() {
    let alone = Story::one_refresh_of_two().with(|s| {
        for event in &mut s.history.events {
            if let What::Requested { instance: Some(instance), .. } = &mut event.what {
                *instance = 0;
            }
        }
    });
    alone.undecided("RACE-02", "process 1 never called the API at an address of its own");
}

#[test]
fn what_was_declared_decides_whether_it_applies() {
    Story::one_refresh_of_two().terms(|t| t.processes = Some(1)).not_applicable("RACE-02");
    let finding = Story::one_refresh_of_two().terms(|t| t.processes = None).undecided("RACE-02", "not known whether several processes");
    assert_eq!(finding.unlock.as_deref(), Some("features.processes = 2"));
    let single = Story::honest().terms(|t| t.processes = Some(2));
    single.is_not_accused(&["RACE-02"]);
}

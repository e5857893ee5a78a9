//! STOP-05 on hand-written histories.

use super::DEAD;
use crate::{
    evidence::{Outcome, Verb, What},
    judge::testing::*,
};

/// The other process is asked once more after it could know, and does this.
fn then(what: impl FnOnce(Story) -> Story) -> Story {
    what(Story::two_processes().both_learn().by(1).trigger()).answered(Outcome::Accepted).rest().both_asked_in_vain().both_come_back()
}

#[test]
fn processes_that_stop_after_one_call_each_pass_and_so_do_those_that_need_none() {
    Story::both_stop().passes("STOP-05");
    Story::two_processes().by(0).dies().both_asked_in_vain().both_come_back().passes("STOP-05");
}

#[test]
fn the_refused_refresh_token_from_another_process_fails() {
    let again = Story::two_processes().by(0).dies().by(1).trigger().api(401).mark("offence").refuses("refresh#1", "invalid_grant");
    let again = again.answered(Outcome::Accepted).rest().both_asked_in_vain().both_come_back();
    again.fails("STOP-05", "process 1 presented refresh#1 again after it was refused with invalid_grant");
}

#[test]
fn a_call_after_the_process_was_told_fails() {
    let later = then(|story| story.mark("offence").calls_api(Some("access#1"), DEAD, 401));
    later.fails("STOP-05", "process 1 went on after a call of its own had told it");
    let first = Story::two_processes().by(0).dies().trigger().mark("offence").calls_api(Some("access#1"), DEAD, 401);
    let first = first.answered(Outcome::Accepted).rest().both_asked_in_vain().both_come_back();
    first.fails("STOP-05", "process 0 went on after it was told");
}

#[test]
fn siblings_of_the_call_that_tells_are_on_their_way() {
    let both = Story::two_processes().by(0).dies().by(1).trigger().api(401).calls_api(Some("access#1"), DEAD, 401);
    both.answered(Outcome::Accepted).rest().both_asked_in_vain().both_come_back().passes("STOP-05");
}

#[test]
fn a_refresh_that_was_under_way_when_the_first_was_refused_accuses_nobody() {
    let story = Story::two_processes().by(0).revoked().adds_work(1).rejected().trigger().api(401).by(1).trigger().api(401).by(0);
    let story = story.refused("invalid_grant").by(1).refused("invalid_grant").gives_up().answered(Outcome::Accepted).rest();
    story.both_asked_in_vain().both_come_back().is_not_accused(&["STOP-05"]);
}

#[test]
fn who_cannot_be_told_from_another_is_not_judged() {
    let untold = |which: fn(&crate::evidence::Instance) -> bool| {
        then(|story| story.calls_api(Some("access#1"), DEAD, 401)).with(move |s| {
            for event in &mut s.history.events {
                if let What::Requested { instance, .. } = &mut event.what {
                    *instance = instance.filter(|it| !which(it)).or(if which(&0) { None } else { Some(0) });
                }
            }
        })
    };
    untold(|instance| *instance == 1).undecided("STOP-05", "process 1 never called the API at an address of its own");
    untold(|_| true).undecided("STOP-05", "process 0 never called the API at an address of its own");
}

#[test]
fn each_process_has_its_own_positive_control() {
    let once = Story::two_processes().both_learn().by(0).asked_in_vain(2).by(1).asked_in_vain(1).rest().both_come_back();
    once.undecided("STOP-05", "process 1 was asked to work and answered fewer than twice");
    let alone = Story::two_processes().both_learn().both_asked_in_vain().by(0).epilogue();
    alone.undecided("STOP-05", "after the reconnection process 1 was asked to work and called nothing again");
    Story::two_processes().both_learn().both_asked_in_vain().undecided("STOP-05", "the user did not reconnect");
}

#[test]
fn work_that_another_process_was_asked_for_shows_that_one_works_too() {
    // One queue for both: while access was good the first one was asked, and whoever was free took it.
    let queued = Story::both_stop().with(|s| {
        let events = &mut s.history.events;
        let revoked = events.iter().position(|e| matches!(e.what, What::Revoked { .. })).expect("an end");
        let back = events.iter().rposition(|e| matches!(e.what, What::CallbackDelivered { .. })).expect("a login");
        for (place, event) in events.iter_mut().enumerate() {
            if let What::VerbCalled { verb: Verb::Trigger, instance, .. } = &mut event.what
                && !(revoked..back).contains(&place)
            {
                *instance = Some(0);
            }
        }
    });
    queued.passes("STOP-05");
}

#[test]
fn what_was_declared_decides_whether_it_applies() {
    Story::both_stop().terms(|t| t.processes = Some(1)).not_applicable("STOP-05");
    let finding = Story::both_stop().terms(|t| t.processes = None).undecided("STOP-05", "not known whether several processes");
    assert_eq!(finding.unlock.as_deref(), Some("features.processes = 2"));
    Story::honest().terms(|t| t.processes = Some(2)).undecided("STOP-05", "one process was started");
}

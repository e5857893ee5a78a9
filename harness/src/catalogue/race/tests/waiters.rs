//! RACE-03: whoever waited refreshes once more, with what was replaced or with what that has brought.

use super::*;
use crate::evidence::{Instance, Reply};

const REASON: &str = "sent refresh#1 once more, though the answer had brought refresh#2";

fn refused() -> Answer {
    Answer::Refused("invalid_grant".into())
}

/// Four pieces of work wait, and the refresh is answered so long after they were asked for.
fn answered_after(millis: u64) -> Story {
    let (story, exchange) = waiting(4);
    released(story.after(millis), exchange).after(1)
}

/// What was started first is one of several, and its requests do not tell which.
fn side_by_side(story: Story) -> Story {
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::ProcessStarted { instance, .. } = &mut event.what {
                *instance = Some(Instance::default());
            }
        }
    })
}

/// A further process was started beside it.
fn with_a_worker(story: Story) -> Story {
    story.event(What::ProcessStarted { incarnation: 1, process: "worker".into(), instance: None })
}

fn sends(story: Story, token: &str) -> Story {
    story.mark("offence").token_request("refresh_token", Some(token), BASIC, refused())
}

#[test]
fn a_waiter_that_sends_what_was_replaced_fails() {
    let story = sends(answered_after(100).delivers(), "refresh#1").rest().works().works().rest().epilogue();
    story.fails("RACE-03", REASON);
}

const TWICE: &str = "did not go on with what it had brought, but refreshed refresh#2 at once";

/// Two calls have met 401, and the refresh is answered; tokens live so long.
fn both_denied(seconds: u64, then: impl FnOnce(Story) -> Story) -> Story {
    let (story, exchange) = waiting(4);
    let story = then(released(story.api(401).after(1_000), exchange).after(1)).rest().works().works().rest().epilogue();
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::Replied { reply: Reply::Tokens { expires_in, .. }, .. } = &mut event.what {
                *expires_in = Some(seconds);
            }
        }
    })
}

fn refreshes_anew(story: Story) -> Story {
    story.mark("offence").token_request("refresh_token", Some("refresh#2"), BASIC, pair(3))
}

#[test]
fn a_waiter_that_refreshes_what_the_refresh_has_brought_fails() {
    both_denied(3_600, refreshes_anew).fails("RACE-03", TWICE);
    both_denied(3_600, |story| story).passes("RACE-03");
}

#[test]
fn a_token_that_does_not_live_long_may_be_refreshed_soon() {
    both_denied(900, refreshes_anew).is_not_accused(&["RACE-03"]);
}

#[test]
fn whoever_was_denied_something_since_has_a_reason_to_refresh() {
    both_denied(3_600, |story| refreshes_anew(story.api(401))).is_not_accused(&["RACE-03"]);
    both_denied(3_600, |story| refreshes_anew(story.api(403))).is_not_accused(&["RACE-03"]);
    let (story, exchange) = waiting(4);
    let story = released(story.after(1_000).api(401), exchange).after(1);
    let just_before = refreshes_anew(story).rest().works().works().rest().epilogue();
    just_before.is_not_accused(&["RACE-03"]);
}

#[test]
fn one_that_was_denied_alone_or_later_or_elsewhere_did_not_wait() {
    let (story, exchange) = waiting(4);
    let alone = refreshes_anew(released(story.after(1_000), exchange).after(1)).rest().works().works().rest().epilogue();
    alone.is_not_accused(&["RACE-03"]);
    both_denied(3_600, |story| refreshes_anew(story.after(1_000))).is_not_accused(&["RACE-03"]);
    both_denied(3_600, |story| refreshes_anew(story.comes_back())).is_not_accused(&["RACE-03"]);
    both_denied(3_600, |story| refreshes_anew(story.killed().started())).is_not_accused(&["RACE-03"]);
    both_denied(3_600, refreshes_anew).terms(|t| t.one_shot = true).is_not_accused(&["RACE-03"]);
    side_by_side(both_denied(3_600, refreshes_anew)).terms(|t| t.processes = Some(2)).is_not_accused(&["RACE-03"]);
    with_a_worker(both_denied(3_600, refreshes_anew)).is_not_accused(&["RACE-03"]);
    both_denied(3_600, refreshes_anew).terms(|t| t.processes = Some(1)).fails("RACE-03", TWICE);
}

#[test]
fn whoever_rested_in_between_or_was_alone_did_not_wait() {
    sends(answered_after(100).delivers().rest(), "refresh#1").rest().epilogue().is_not_accused(&["RACE-03"]);
    let (story, exchange) = waiting(0);
    sends(released(story.after(300), exchange).after(1).delivers(), "refresh#1").rest().epilogue().is_not_accused(&["RACE-03"]);
}

#[test]
fn an_answer_that_did_not_reach_it_whole_or_too_late_need_not_be_known() {
    let (story, exchange) = waiting(4);
    let lost = story.events([What::Released { exchange, dropped: true }, What::Aborted { exchange, by_subject: false }]).after(1);
    sends(lost, "refresh#1").rest().epilogue().is_not_accused(&["RACE-03"]);
    let (story, exchange) = waiting(4);
    let odd = story.event(What::Faulted { rule: Some(2), exchange, fate: "reshape".into(), committed: true });
    sends(released(odd, exchange).after(1), "refresh#1").rest().epilogue().is_not_accused(&["RACE-03"]);
    let late = || sends(answered_after(4_000), "refresh#1").rest().epilogue();
    late().is_not_accused(&["RACE-03"]);
    late().terms(|t| t.token_timeout = Some(10_000_000)).fails("RACE-03", REASON);
    late().terms(|t| t.token_timeout = Some(3_000_000)).is_not_accused(&["RACE-03"]);
}

#[test]
fn what_was_read_does_not_count_after_a_new_login_or_in_another_process() {
    let again = |story: Story| sends(story, "refresh#1").rest().epilogue();
    again(answered_after(100).comes_back()).is_not_accused(&["RACE-03"]);
    again(answered_after(100).killed().started()).is_not_accused(&["RACE-03"]);
    again(answered_after(100)).terms(|t| t.one_shot = true).is_not_accused(&["RACE-03"]);
    again(side_by_side(answered_after(100))).terms(|t| t.processes = Some(2)).is_not_accused(&["RACE-03"]);
    again(with_a_worker(answered_after(100))).is_not_accused(&["RACE-03"]);
    again(answered_after(100)).terms(|t| t.processes = Some(1)).fails("RACE-03", REASON);
    // It can have two, and had one.
    again(answered_after(100)).terms(|t| t.processes = Some(2)).fails("RACE-03", REASON);
}

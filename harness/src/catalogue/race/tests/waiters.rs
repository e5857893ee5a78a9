//! RACE-03: whoever waited refreshes once more with what was replaced.

use super::*;

const REASON: &str = "sent refresh#1 once more, though the answer had brought refresh#2";

fn refused() -> Answer {
    Answer::Refused("invalid_grant".into())
}

/// Four pieces of work wait, and the refresh is answered so long after they were asked for.
fn answered_after(millis: u64) -> Story {
    let (story, exchange) = waiting(4);
    released(story.after(millis), exchange).after(1)
}

fn sends(story: Story, token: &str) -> Story {
    story.mark("offence").token_request("refresh_token", Some(token), BASIC, refused())
}

#[test]
fn a_waiter_that_sends_what_was_replaced_fails() {
    let story = sends(answered_after(100).delivers(), "refresh#1").rest().works().works().rest().epilogue();
    story.fails("RACE-03", REASON);
}

#[test]
fn a_waiter_that_refreshes_with_the_new_token_is_another_matter() {
    sends(answered_after(100).delivers(), "refresh#2").rest().works().works().rest().epilogue().is_not_accused(&["RACE-03"]);
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
    again(answered_after(100)).terms(|t| t.processes = Some(2)).is_not_accused(&["RACE-03"]);
    again(answered_after(100)).terms(|t| t.processes = Some(1)).fails("RACE-03", REASON);
}

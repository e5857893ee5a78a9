//! LOG-04 to LOG-07 on hand-written histories.

use regrant_mock_server::{authority::TokenState, journal::AuthStyle};

use crate::{
    evidence::{LogStream, Outcome, What},
    judge::testing::*,
};

const WELL: &str = "2026-01-01T10:00:00Z INFO the access token was refreshed";

/// A refresh with these lines about it.
fn refreshed(lines: &[&str]) -> Story {
    let story = Story::connected().rejected().trigger().api(401).refreshes();
    let story = story.without(|e| matches!(&e.what, What::Log { text, .. } if text == WELL));
    let story = lines.iter().fold(story, |story, line| story.log(line));
    story.delivers().log("INFO synced 1 item").answered(Outcome::Accepted).rest().works().rest()
}

#[test]
fn a_refresh_that_is_logged_with_its_outcome_and_a_time_passes() {
    for line in [
        WELL,
        r#"{"level":30,"time":1767261600123,"msg":"token refreshed"}"#,
        r#"{"ts":"2026-01-01T10:00:00.123Z","event":"token_refresh_succeeded"}"#,
        "time=2026-01-01T10:00:00.000+00:00 level=INFO msg=\"obtained new access token\" expires_in=900",
        "2026-01-01 10:00:00,123 INFO pleo.auth: credentials renewed",
    ] {
        refreshed(&[line]).passes("LOG-05");
    }
}

#[test]
fn a_refresh_that_nothing_or_nothing_new_tells_of_fails() {
    refreshed(&[]).fails("LOG-05", "nothing was logged of the refresh that succeeded");
    // What is written for every piece of work tells of no refresh.
    refreshed(&["INFO synced 1 item"]).fails("LOG-05", "nothing was logged");
    refreshed(&["2026-01-01T10:00:00Z INFO refreshing the access token"]).fails("LOG-05", "nothing was logged");
}

#[test]
fn whether_a_process_read_what_was_answered_while_it_stood_still_is_not_known() {
    let silent = |goes_on: bool| {
        let (story, exchange) = Story::first_is_paused();
        let story = story.first_goes_on(exchange).without(|e| matches!(&e.what, What::Log { text, .. } if text == WELL));
        let story = if goes_on { story.event(What::Continued) } else { story };
        story.delivers().rest().works().rest()
    };
    for goes_on in [false, true] {
        silent(goes_on).undecided("LOG-05", "had read the answer to a refresh");
    }
    // Whose request it is cannot be told: it may be that one's.
    let unknown = silent(true).with(|s| {
        for event in &mut s.history.events {
            if let What::Requested { instance, .. } = &mut event.what {
                *instance = None;
            }
        }
    });
    unknown.undecided("LOG-05", "had read the answer to a refresh");
}

#[test]
fn what_became_of_an_answer_that_the_user_overtook_is_told_in_other_words() {
    let overtaken = |by: fn(Story) -> Story| {
        let (story, exchange) = Story::two_processes().first_refreshes();
        let story = by(story.answered(Outcome::Accepted)).first_goes_on(exchange);
        let story = story.without(|e| matches!(&e.what, What::Log { text, .. } if text == WELL));
        story.log("2026-01-01T10:00:00Z INFO the connection was changed: the answer is dropped").rest().works().rest()
    };
    overtaken(Story::connects).undecided("LOG-05", "the user came or went");
    // An earlier login comes to its end while the refresh is on its way.
    let ends = |story: Story| {
        let pair = Answer::Tokens("access#9".into(), Some("refresh#9".into()));
        story.token_request("authorization_code", Some("code#9"), AuthStyle::Basic, pair)
    };
    overtaken(ends).undecided("LOG-05", "the user came or went");
    overtaken(|story| story).fails("LOG-05", "nothing was logged of the refresh that succeeded");
}

#[test]
fn a_subject_that_says_always_that_it_refreshed_is_not_believed() {
    let story = Story::new().began().started().connects().adds_work(1).trigger().delivers().log(WELL).answered(Outcome::Accepted).rest();
    let story = story.phase(crate::evidence::Phase::Story).rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted);
    story.rest().works().rest().fails("LOG-05", "nothing was logged");
}

#[test]
fn without_a_time_only_a_file_convicts() {
    refreshed(&["token refreshed"]).undecided("LOG-05", "without a time");
    let story = refreshed(&["token refreshed"]).with(|s| {
        for event in &mut s.history.events {
            if let What::Log { stream, .. } = &mut event.what {
                *stream = LogStream::File("app.log".into());
            }
        }
    });
    story.fails("LOG-05", "in app.log without a time");
}

#[test]
fn words_that_are_not_understood_and_lines_that_come_late_accuse_nobody() {
    refreshed(&["Token erneuert"]).undecided("LOG-05", "not all of them were understood");
    refreshed(&[]).log(WELL).passes("LOG-05");
}

#[test]
fn a_failed_refresh_is_logged_as_a_failure() {
    let failed = |line: &str| {
        let story = Story::connected().rejected().trigger().faulted(Answer::Unavailable).log(line).answered(Outcome::Accepted).rest();
        story.works().rest()
    };
    failed("2026-01-01T10:00:00Z WARN token endpoint unavailable: 503").passes("LOG-05");
    failed(WELL).undecided("LOG-05", "a passing fault");
}

// --- LOG-06 ---

fn chatty(lines: usize, text: &str) -> Story {
    let story = Story::connected().dies().trigger().mark("offence");
    (0..lines).fold(story, |story, _| story.log(text)).answered(Outcome::Accepted).rest().epilogue()
}

#[test]
fn a_flood_fails_and_a_long_stack_trace_does_not() {
    chatty(3, "WARN work is held").passes("LOG-06");
    chatty(900, "WARN work is held").fails("LOG-06", "entries were logged where");
    chatty(900, "\tat com.example.Auth.refresh(Auth.java:12)").passes("LOG-06");
    Story::honest().passes("LOG-06");
}

#[test]
fn one_who_catches_up_after_it_stood_still_floods_nothing() {
    let catches_up = |goes_on: &[What]| {
        let story = Story::connected().dies().events([What::Paused { instance: None }]).trigger().rest();
        (0..900).fold(story.events(goes_on.iter().cloned()), |story, _| story.log("WARN it took too long")).answered(Outcome::Accepted)
    };
    catches_up(&[What::Continued]).rest().epilogue().passes("LOG-06");
    catches_up(&[]).rest().epilogue().fails("LOG-06", "entries were logged where");
    let still_at_it = (0..900).fold(catches_up(&[What::Continued]).rest(), |story, _| story.log("WARN it took too long"));
    still_at_it.rest().epilogue().fails("LOG-06", "entries were logged where");
}

#[test]
fn a_subject_that_always_talks_much_may() {
    let story = Story::new().began().started().connects().adds_work(1).trigger();
    let story = (0..900).fold(story, |story, _| story.log("DEBUG looking")).delivers().answered(Outcome::Accepted).rest();
    let story = story.phase(crate::evidence::Phase::Story).dies().trigger();
    let story = (0..900).fold(story, |story, _| story.log("DEBUG looking")).answered(Outcome::Accepted).rest();
    story.passes("LOG-06");
}

// --- LOG-07 ---

/// Refused, and this is logged of it.
pub(super) fn refused(lines: &[&str]) -> Story {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
    let from = story.history.events.iter().position(|e| matches!(e.what, What::Revoked { .. })).unwrap_or_default();
    let story = story.without(|e| e.n as usize > from && matches!(e.what, What::Log { .. }));
    let story = lines.iter().fold(story, |story, line| story.log(line)).answered(Outcome::Accepted).rest();
    story.trigger().answered(Outcome::Accepted).trigger().answered(Outcome::Accepted).rest().epilogue()
}

#[test]
fn a_refusal_stands_out_by_its_level() {
    refused(&["WARN refresh refused: invalid_grant"]).passes("LOG-07");
    refused(&[r#"{"level":50,"msg":"refresh refused"}"#]).passes("LOG-07");
    refused(&["INFO refresh refused: invalid_grant"]).fails("LOG-07", "below the level of a warning");
    refused(&["refresh refused: invalid_grant"]).undecided("LOG-07", "no level was recognised");
}

#[test]
fn a_refusal_that_looks_like_any_passing_fault_does_not_stand_out() {
    let fault = "WARN token refresh failed";
    let story = Story::connected().rejected().trigger().faulted(Answer::Unavailable).log(fault).answered(Outcome::Accepted).rest();
    let story = story.trigger().refreshes().delivers().answered(Outcome::Accepted).rest();
    let story = story.revoked().rejected().trigger().api(401).refused("invalid_grant").log(fault).answered(Outcome::Accepted).rest();
    story.fails("LOG-07", "as any passing fault is");
}

#[test]
fn where_everything_is_grave_nothing_stands_out() {
    let story = Story::new().began().started().log("ERROR one").log("ERROR two").log("ERROR three").connects();
    let story = story.adds_work(1).works().rest().phase(crate::evidence::Phase::Story);
    let story = story.without(|e| matches!(&e.what, What::Log { text, .. } if text.contains("INFO")));
    story.dies().fails("LOG-07", "the level of whatever is logged");
}

// --- LOG-04 ---

pub(super) fn twice(second: &[&str]) -> Story {
    let story = Story::connected().dies().asked_in_vain(2).rest().comes_back();
    let from = story.history.events.len();
    let story = story.dies().asked_in_vain(2).rest();
    let story = story.without(|e| e.n as usize > from && matches!(e.what, What::Log { .. }));
    second.iter().fold(story, |story, line| story.log(line)).epilogue()
}

#[test]
fn two_outages_in_one_form_pass_and_a_silent_one_fails() {
    twice(&["ERROR token refresh failed: invalid_grant (status 400)"]).passes("LOG-04");
    twice(&[]).fails("LOG-04", "the second was not");
    twice(&["Verbindung verloren"]).undecided("LOG-04", "was not understood");
    twice(&["WARN could not renew the grant of this customer, it is gone"]).undecided("LOG-04", "in words that differ");
    Story::honest().undecided("LOG-04", "did not end twice");
}

#[test]
fn what_is_logged_late_of_a_call_that_was_held_belongs_to_those_who_asked_for_it() {
    let asked = || (0..3).fold(Story::connected().rejected(), |story, _| story.trigger().answered(Outcome::Accepted));
    let talks = |story: Story| (0..60).fold(story, |story, _| story.log("WARN work waits")).rest().epilogue();
    talks(asked().api_asked().rest().api_end(Some("access#1"), TokenState::Rejected, 401, Vec::new())).passes("LOG-06");
    talks(asked().api(401).rest()).fails("LOG-06", "entries were logged where");
}

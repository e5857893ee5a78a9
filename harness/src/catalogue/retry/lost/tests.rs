//! RETRY-07 on hand-written histories.

use regrant_mock_server::{fault::scenario::Status, journal::AuthStyle};

use crate::{
    evidence::{Outcome, What},
    judge::testing::*,
};

/// A refresh with the spent token is committed, and its reply never comes.
fn loses(story: Story) -> Story {
    let story = story.token_asked();
    let exchange = story.exchange();
    let issued = Answer::Tokens("access#2".into(), Some("refresh#2".into()));
    let story = story.token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, &issued);
    story
        .event(What::Faulted { rule: Some(1), exchange, fate: "drop".into(), committed: true })
        .event(What::Aborted { exchange, by_subject: false })
}

fn begun() -> Story {
    loses(Story::connected().adds_work(1).rejected().trigger().api(401))
}

fn asked(story: Story) -> Story {
    story.answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue()
}

#[test]
fn a_second_attempt_that_is_refused_and_shown_passes() {
    asked(begun().after(100).refuses("refresh#1", "invalid_grant").gives_up()).passes("RETRY-07");
    // Only when it is asked again.
    let later = begun().answered(Outcome::Accepted).rest().trigger().refuses("refresh#1", "invalid_grant").gives_up();
    asked(later).passes("RETRY-07");
}

#[test]
fn a_second_attempt_that_is_answered_saves_the_connection() {
    let saved = begun().after(100).with(|s| s.pair = 2).token_request(
        "refresh_token",
        Some("refresh#1"),
        AuthStyle::Basic,
        Answer::Tokens("access#3".into(), Some("refresh#3".into())),
    );
    let saved = saved.with(|s| s.pair = 3).delivers().answered(Outcome::Accepted).rest();
    saved.passes("RETRY-07");
    let idle = begun().after(100).token_request(
        "refresh_token",
        Some("refresh#1"),
        AuthStyle::Basic,
        Answer::Tokens("access#3".into(), Some("refresh#3".into())),
    );
    idle.answered(Outcome::Accepted).rest().undecided("RETRY-07", "no call with its token was seen");
}

#[test]
fn a_loop_fails_and_a_few_attempts_do_not() {
    let times = |n: usize| (0..n).fold(begun(), |story, _| loses(story.after(5)));
    let ends = |story: Story| asked(story.after(5).refuses("refresh#1", "invalid_grant").gives_up());
    ends(times(3)).passes("RETRY-07");
    ends(times(24)).fails("RETRY-07", "attempts where 5 were to be expected");
}

#[test]
fn a_status_that_stays_connected_after_the_refusal_fails() {
    let story = begun().after(100).refuses("refresh#1", "invalid_grant").log("ERROR refresh failed");
    asked(story).fails("RETRY-07", "still says connected");
    let broken = begun().after(100).refuses("refresh#1", "invalid_grant").with(|s| s.subject.says = Some(Status::Broken));
    asked(broken).passes("RETRY-07");
}

#[test]
fn a_subject_that_ends_the_connection_unasked_passes_and_one_that_waits_is_undecided() {
    asked(begun().gives_up()).passes("RETRY-07");
    asked(begun()).undecided("RETRY-07", "did not show by itself");
    Story::honest().undecided("RETRY-07", "no reply to a refresh was lost");
    let finding = asked(begun().after(100).refuses("refresh#1", "invalid_grant").gives_up()).terms(|t| t.status = false);
    let finding = finding.undecided("RETRY-07", "what the status says is not known");
    assert_eq!(finding.unlock.as_deref(), Some("[status] with status.disconnected"));
}

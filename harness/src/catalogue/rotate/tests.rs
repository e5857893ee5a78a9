//! ROTATE on hand-written histories.

use regrant_mock_server::{authority::TokenState, journal::AuthStyle};

use crate::{
    evidence::{Outcome, What},
    judge::testing::*,
};

/// The secret was rotated; the refresh is refused with `invalid_client`.
fn barred() -> Story {
    let story = Story::connected().event(What::SecretRotated { secret: "secret#2".into() }).adds_work(1).rejected();
    story
        .trigger()
        .api(401)
        .refused("invalid_client")
        .log("ERROR Pleo refused the client's credentials: invalid_client")
        .answered(Outcome::Accepted)
        .rest()
}

/// The epilogue hands the new secret over with the restart; the grant lives on.
fn end(story: Story) -> Story {
    let story = story.phase(crate::evidence::Phase::Epilogue).rest().stopped().event(What::SecretHanded).started();
    story.trigger().refreshes().delivers().answered(Outcome::Accepted).rest().comes_back()
}

#[test]
fn a_subject_that_stops_and_goes_on_with_the_new_secret_passes() {
    end(barred().asked_in_vain(2)).passes("ROTATE-01");
    end(barred().declines(2)).passes("ROTATE-01");
    end(barred().asked_in_vain(2)).is_not_accused(&["STOP-01", "STOP-02", "PURGE-02", "MARK-01", "REFRESH-01", "RECOVER-08"]);
}

#[test]
fn a_subject_that_needs_the_user_to_go_on_passes() {
    let story = barred().asked_in_vain(2).rest().stopped().event(What::SecretHanded).started().asked_in_vain(1).rest().comes_back();
    story.passes("ROTATE-01");
}

#[test]
fn going_on_with_refused_credentials_fails() {
    let refresh = barred().trigger().mark("offence").refused("invalid_client").answered(Outcome::Accepted).asked_in_vain(1);
    end(refresh).fails("ROTATE-01", "refresh#1 was presented once more after it was refused with invalid_client");
    let call = barred().trigger().mark("offence").calls_api(Some("access#1"), TokenState::Rejected, 401).answered(Outcome::Accepted);
    end(call.asked_in_vain(1)).fails("ROTATE-01", "1 API call was sent with access#1 after the client's credentials were refused");
}

#[test]
fn declared_attempts_and_another_authentication_style_are_within_bounds() {
    let again = barred().trigger().refused("invalid_client").answered(Outcome::Accepted).rest().asked_in_vain(2);
    end(again).terms(|t| t.refresh_attempts = 2).passes("ROTATE-01");
    let story = Story::connected().event(What::SecretRotated { secret: "secret#2".into() }).rejected().trigger().api(401);
    let refused = || Answer::Refused("invalid_client".into());
    let story = story.token_request("refresh_token", Some("refresh#1"), AuthStyle::Basic, refused());
    let story = story.token_request("refresh_token", Some("refresh#1"), AuthStyle::Body, refused());
    end(story.answered(Outcome::Accepted).rest().asked_in_vain(2)).passes("ROTATE-01");
}

#[test]
fn a_style_that_is_refused_before_another_works_is_no_death() {
    let story = Story::connected().rejected().trigger().api(401);
    let story = story.token_request("refresh_token", Some("refresh#1"), AuthStyle::Basic, Answer::Refused("invalid_client".into()));
    let story = story.with(|s| s.pair = 2).token_request(
        "refresh_token",
        Some("refresh#1"),
        AuthStyle::Body,
        Answer::Tokens("access#2".into(), Some("refresh#2".into())),
    );
    let story = story.delivers().answered(Outcome::Accepted).rest().works().rest().epilogue();
    story.undecided("ROTATE-01", "no refresh was refused with invalid_client");
}

#[test]
fn each_missing_control_of_rotate_01_is_named() {
    end(barred().asked_in_vain(1)).undecided("ROTATE-01", "answered once");
    barred().asked_in_vain(2).rest().undecided("ROTATE-01", "did not reconnect");
    Story::honest().undecided("ROTATE-01", "no refresh was refused with invalid_client");
}

/// The new secret is handed over, and the grant is gone all the same.
fn handed() -> Story {
    let story = Story::connected().event(What::SecretRotated { secret: "secret#2".into() }).revoked();
    story.stopped().event(What::SecretHanded).started().adds_work(1).rejected()
}

#[test]
fn a_grant_that_ended_with_the_old_secret_is_taken_as_ended() {
    let story = handed().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted).rest();
    let story = story.asked_in_vain(2).rest().epilogue();
    story.passes("ROTATE-07");
    story.terms(|t| t.status = false).undecided("ROTATE-07", "as MARK-01: the subject's status is not known");
    Story::honest().undecided("ROTATE-07", "under a new secret");
}

#[test]
fn a_grant_whose_end_is_blamed_on_the_secret_fails() {
    let story = handed().trigger().api(401).refused("invalid_grant").answered(Outcome::Accepted).rest();
    let story = story.trigger().refuses("refresh#1", "invalid_grant").answered(Outcome::Accepted).rest().asked_in_vain(1).rest().epilogue();
    story.fails("ROTATE-07", "under the new secret, as DETECT-01");
}

#[test]
fn a_barred_client_and_a_dead_grant_are_two_deaths() {
    let story = barred().asked_in_vain(2).rest().revoked().stopped().event(What::SecretHanded).started().trigger();
    let story = story
        .refused("invalid_grant")
        .gives_up()
        .answered(Outcome::Accepted)
        .rest()
        .asked_in_vain(2)
        .rest()
        .restarted()
        .asked_in_vain(2)
        .rest();
    let story = story.comes_back();
    for id in ["ROTATE-01", "ROTATE-07", "DETECT-01", "STOP-01", "PURGE-02"] {
        story.passes(id);
    }
}

//! ROTATE on hand-written histories.

use regrant_mock_server::{authority::TokenState, fault::scenario::Status, journal::AuthStyle};

use crate::{
    evidence::{Outcome, What},
    judge::{NewSecret, testing::*},
};

/// The secret was rotated; the refresh is refused with `invalid_client`.
fn barred() -> Story {
    let story = Story::connected().event(What::SecretRotated { secret: "secret#2".into(), odd: false }).adds_work(1).rejected();
    story
        .trigger()
        .api(401)
        .refused("invalid_client")
        .log("ERROR Pleo refused the client's credentials: invalid_client")
        .with(|s| s.subject.says = Some(Status::Broken))
        .answered(Outcome::Accepted)
        .rest()
        .terms(|t| t.new_secret = NewSecret::Handed)
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
    let story = Story::connected().event(What::SecretRotated { secret: "secret#2".into(), odd: false }).rejected().trigger().api(401);
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
    let story = Story::connected().event(What::SecretRotated { secret: "secret#2".into(), odd: false }).revoked();
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

const RENEWED: &str = "secret#2";

/// A token request with a secret by name; none: one that nobody knows.
fn with_secret(story: Story, secret: Option<&str>) -> Story {
    story.with(|s| {
        let last =
            s.history.events.iter_mut().rev().find_map(|e| if let What::Token { secret, .. } = &mut e.what { Some(secret) } else { None });
        *last.expect("a token request") = secret.map(str::to_owned);
    })
}

fn barred_again(story: Story, secret: Option<&str>) -> Story {
    with_secret(story.refuses("refresh#1", "invalid_client"), secret)
}

#[test]
fn a_status_that_says_broken_or_disconnected_shows_refused_credentials() {
    let told = |says: Option<Status>| end(barred().with(|s| s.subject.says = says).rest().asked_in_vain(2));
    told(Some(Status::Broken)).passes("ROTATE-02");
    told(Some(Status::Disconnected)).passes("ROTATE-02");
    told(Some(Status::Connected)).fails("ROTATE-02", "still says connected");
    let finding = told(None).terms(|t| t.status_broken = false).undecided("ROTATE-02", "matches none");
    assert_eq!(finding.unlock.as_deref(), Some("status.broken"));
    told(Some(Status::Broken)).terms(|t| t.status = false).undecided("ROTATE-02", "not known");
    Story::honest().undecided("ROTATE-02", "no refresh was refused with invalid_client");
}

#[test]
fn a_status_that_is_read_amid_activity_accuses_nobody() {
    let story = Story::connected().event(What::SecretRotated { secret: RENEWED.into(), odd: false }).rejected().trigger().api(401);
    let story = story.refused("invalid_client").answered(Outcome::Accepted).no_rest().terms(|t| t.new_secret = NewSecret::Handed);
    end(story).is_not_accused(&["ROTATE-02"]);
}

fn logs(line: &str) -> Story {
    let story = barred().without(|e| matches!(&e.what, What::Log { text, .. } if text.contains("credentials")));
    end(story.trigger().log(line).answered(Outcome::Accepted).rest().asked_in_vain(2))
}

#[test]
fn refused_credentials_are_logged_by_their_code_or_in_a_sentence() {
    for line in [
        "ERROR token refresh failed: 401 invalid_client",
        "{\"level\":\"error\",\"event\":\"oauth\",\"error\":\"invalid_client\"}",
        "[error] the client secret was rejected by Pleo",
        "Pleo does not accept our credentials: authentication failed",
    ] {
        logs(line).passes("ROTATE-03");
    }
    for line in ["ERROR the refresh failed", "WARN the user was asked to reconnect", "ERROR request failed with status 401"] {
        logs(line).fails("ROTATE-03", "the refusal of the client's credentials was not logged");
    }
    logs("FEHLER Zugangsdaten abgelehnt").undecided("ROTATE-03", "not all of them understood");
    logs("E4711").terms(|t| t.log_refresh_failed = Some("E4711".into())).passes("ROTATE-03");
}

#[test]
fn a_subject_that_works_under_the_new_secret_passes_with_or_without_the_user() {
    end(barred().asked_in_vain(2)).passes("ROTATE-04");
    let story = barred().asked_in_vain(2).rest().stopped().event(What::SecretHanded).started().asked_in_vain(1).rest().comes_back();
    let finding = story.passes("ROTATE-04");
    assert!(finding.reason.contains("the user had reauthenticated"), "{finding:?}");
    Story::honest().undecided("ROTATE-04", "no refresh was refused with invalid_client");
    barred().asked_in_vain(2).undecided("ROTATE-04", "was not given the new secret");
}

/// After the handing over and the user's return nothing works; with this secret it asks.
fn stuck(secret: Option<&str>) -> Story {
    let story = barred().asked_in_vain(2).rest().stopped().mark("offence").event(What::SecretHanded).started().sets_out().authorizes();
    let code = Answer::Refused("invalid_client".into());
    let story = with_secret(story.token_request("authorization_code", Some("code#2"), AuthStyle::Basic, code), secret);
    story.answered(Outcome::Refused).asked_in_vain(2).rest()
}

#[test]
fn a_subject_that_goes_on_with_the_old_secret_fails_unless_the_manifest_may_have_written_it_down() {
    let old = stuck(Some("secret#1"));
    old.fails("ROTATE-04", "still presents the old one");
    let prepared = old.terms(|t| t.new_secret = NewSecret::Prepared).undecided("ROTATE-04", "may have written it down");
    assert_eq!(prepared.unlock.as_deref(), Some("start.reload = { run = [...] }"));
    stuck(None).terms(|t| t.new_secret = NewSecret::Unknown).undecided("ROTATE-04", "does not hand {client_secret} over");
    let asks_nothing = barred().asked_in_vain(2).rest().stopped().event(What::SecretHanded).started().sets_out().authorizes();
    asks_nothing.answered(Outcome::Accepted).asked_in_vain(2).rest().fails("ROTATE-04", "nothing works");
    let not_asked = barred().rest().stopped().event(What::SecretHanded).started().asked_in_vain(2).rest();
    not_asked.undecided("ROTATE-04", "did not come back");
}

/// The subject was given a secret with every legal character.
fn odd() -> Story {
    let story = Story::connected().event(What::SecretRotated { secret: RENEWED.into(), odd: true }).stopped().event(What::SecretHanded);
    story.started().adds_work(1).rejected().trigger().api(401).terms(|t| t.new_secret = NewSecret::Handed)
}

#[test]
fn a_secret_with_every_character_is_understood_in_each_form() {
    for (style, words) in [(AuthStyle::Basic, "RFC 6749"), (AuthStyle::BasicRaw, "the raw form"), (AuthStyle::Body, "in the body")] {
        let pair = Answer::Tokens("access#2".into(), Some("refresh#2".into()));
        let story = odd().token_request("refresh_token", Some("refresh#1"), style, pair).with(|s| s.pair = 2);
        let story = with_secret(story, Some(RENEWED)).delivers().answered(Outcome::Accepted).rest();
        assert!(story.passes("ROTATE-05").reason.contains(words));
    }
    // A grant that ended is no matter of the secret.
    with_secret(odd().refused("invalid_grant"), Some(RENEWED)).gives_up().answered(Outcome::Accepted).rest().passes("ROTATE-05");
}

#[test]
fn a_secret_that_arrives_garbled_fails_and_an_old_one_decides_nothing() {
    let garbled = barred_again(odd(), None).answered(Outcome::Accepted).rest();
    garbled.fails("ROTATE-05", "no reading of what was sent");
    garbled.terms(|t| t.new_secret = NewSecret::Prepared).undecided("ROTATE-05", "not known");
    barred_again(odd(), Some("secret#1")).answered(Outcome::Accepted).rest().undecided("ROTATE-05", "no token request with the new secret");
    odd().answered(Outcome::Accepted).rest().undecided("ROTATE-05", "no token request");
    end(barred().asked_in_vain(2)).undecided("ROTATE-05", "letters and digits only");
}

#[test]
fn a_body_that_the_secret_makes_unreadable_fails_if_bodies_could_be_read_before() {
    let asked = |before: Story, style| {
        let story = before.event(What::SecretRotated { secret: RENEWED.into(), odd: true }).stopped().event(What::SecretHanded).started();
        let story = story.adds_work(1).rejected().trigger().api(401).terms(|t| t.new_secret = NewSecret::Handed);
        let refused = Answer::Refused("invalid_request".into());
        with_secret(story.token_request("refresh_token", Some("refresh#1"), style, refused), None).answered(Outcome::Accepted).rest()
    };
    let refreshed = |style| {
        let pair = Answer::Tokens("access#2".into(), Some("refresh#2".into()));
        let story = Story::connected().rejected().trigger().api(401).token_request("refresh_token", Some("refresh#1"), style, pair);
        story.with(|s| s.pair = 2).delivers().answered(Outcome::Accepted).rest()
    };
    asked(refreshed(AuthStyle::Body), AuthStyle::Body).fails("ROTATE-05", "no reading of what was sent");
    // Nothing shows that this client's bodies can be read with any secret; and a header does not make a body unreadable.
    asked(Story::connected(), AuthStyle::Body).undecided("ROTATE-05", "no token request with the new secret");
    asked(refreshed(AuthStyle::Body), AuthStyle::Basic).undecided("ROTATE-05", "no token request with the new secret");
}

/// Both secrets work; the subject refreshes under the old one and is given the new one.
fn overlapping() -> Story {
    let story = Story::connected().event(What::SecretRotated { secret: RENEWED.into(), odd: false }).adds_work(1).rejected();
    let story = story.trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest();
    story.stopped().event(What::SecretHanded).started().terms(|t| t.new_secret = NewSecret::Handed)
}

fn turn(story: Story) -> Story {
    with_secret(story.adds_work(1).rejected().trigger().api(401).refreshes(), Some(RENEWED))
        .delivers()
        .answered(Outcome::Accepted)
        .works()
        .rest()
}

fn ends_old(story: Story) -> Story {
    story.event(What::ClockMoved { by: 660_000_000 })
}

#[test]
fn work_that_goes_on_under_both_secrets_passes() {
    turn(ends_old(turn(overlapping()))).epilogue().passes("ROTATE-06");
    turn(overlapping()).epilogue().undecided("ROTATE-06", "did not refresh both");
    Story::honest().terms(|t| t.new_secret = NewSecret::Handed).undecided("ROTATE-06", "was not given the new secret");
}

#[test]
fn an_outage_during_the_overlap_fails() {
    let old = barred_again(ends_old(turn(overlapping())).rejected().trigger().api(401), Some("secret#1")).answered(Outcome::Accepted);
    let old = old.rest().asked_in_vain(1).rest();
    old.fails("ROTATE-06", "still presented the old one");
    old.terms(|t| t.new_secret = NewSecret::Prepared).undecided("ROTATE-06", "may have written it down");
    let discards = overlapping().with(|s| s.subject.says = Some(Status::Disconnected)).rest().asked_in_vain(2).rest();
    discards.epilogue().fails("ROTATE-06", "the status says that it does not work");
    let idle = overlapping().asked_in_vain(2).rest();
    idle.terms(|t| t.status = false).without(|e| matches!(e.what, What::StatusRead { .. })).fails("ROTATE-06", "no call was made");
}

#[test]
fn a_grant_that_ends_meanwhile_or_an_overlap_that_was_none_accuses_nobody() {
    let ended =
        overlapping().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted).rest();
    ended.asked_in_vain(2).rest().undecided("ROTATE-06", "the grant ended");
    end(barred().asked_in_vain(2)).undecided("ROTATE-06", "there was no overlap");
}

#[test]
fn a_public_client_has_nothing_to_rotate() {
    for id in ["ROTATE-01", "ROTATE-02", "ROTATE-03", "ROTATE-04", "ROTATE-05", "ROTATE-06", "ROTATE-07"] {
        end(barred().asked_in_vain(2)).terms(|t| t.confidential = Some(false)).not_applicable(id);
    }
}

//! LOG on lines of common loggers and on hand-written histories.

use super::{
    REAUTHENTICATION,
    words::{AGAIN, ENDED, Line, STARTED, shape},
};
use crate::{
    evidence::{Outcome, What},
    judge::{
        Death, Ended, Mark,
        testing::{gallery, *},
    },
};

const ALL: [&str; 3] = ["LOG-01", "LOG-02", "LOG-03"];

fn death() -> Death {
    let mark = Mark { at: 1, n: 1 };
    Death {
        ended: Ended::Grant,
        error: "invalid_grant".into(),
        description: Some("The refresh token is expired or revoked".into()),
        grant: None,
        refresh: "refresh#1".into(),
        access: None,
        asked: mark,
        refused: mark,
        knew: mark,
        settled: None,
        at_rest: true,
        until: Mark::END,
        process_until: Mark::END,
        restarted: None,
    }
}

fn line(text: &str) -> Line<'_> {
    Line { mark: Mark { at: 2, n: 2 }, text, returning: true, led: true }
}

pub(super) fn fails_with_reason(text: &str) -> bool {
    super::failure(&[line(text)], &death()).is_some()
}

pub(super) fn detects(text: &str) -> bool {
    let own = line(text).own_words(&death());
    ENDED.is_match(&own) || AGAIN.is_match(&own)
}

pub(super) fn asks_again(text: &str) -> bool {
    (REAUTHENTICATION.shown)(&[line(text)], &death()).is_some()
}

#[test]
fn failures_with_a_reason_are_recognised_in_common_formats() {
    for text in [
        r#"{"level":"warn","event":"refresh_failed","error":"invalid_grant"}"#,
        r#"{"time":"2026-01-01T10:00:00Z","severity":"ERROR","message":"could not refresh token","status":400}"#,
        "ERROR pleo: token refresh failed: status 400 invalid_grant",
        "authlib.integrations.base_client.errors.OAuthError: invalid_grant: The refresh token is expired or revoked",
        "level=warn msg=\"could not refresh token\" reason=expired",
        "2026-01-01 10:00:00,123 WARNING [pleo.auth] refresh was rejected because the grant was revoked",
        "oauth2: \"invalid_grant\" \"The refresh token is expired or revoked\"",
        "Unable to renew credentials: 401 Unauthorized",
        "refresh failed: invalid_grant; access token discarded",
        "could not refresh the access token: status 400",
        "Pleo rejected the access token refresh: status 400",
        "access token refresh was refused: status 400",
        "access token refresh refused because the grant was revoked",
    ] {
        assert!(fails_with_reason(text), "{text}");
    }
}

#[test]
fn a_failure_without_a_reason_is_none_however_grave() {
    for text in [
        "ERROR token refresh failed",
        r#"{"level":"error","event":"token_refresh_refused","message":"token refresh failed"}"#,
        "error: something went wrong",
        r#"{"level":"error","event":"authorization_lost","message":"detected that the connection is unauthenticated"}"#,
        "INFO refreshing the access token",
        "level=WARN msg=\"pleo refused the access token\" path=/v3/export-jobs status=401",
        "the API rejected our access token: 401 Unauthorized",
    ] {
        assert!(!fails_with_reason(text), "{text}");
    }
}

#[test]
fn a_cause_that_is_handed_on_with_the_user_is_no_failure_that_was_logged() {
    let way = r#"level=INFO msg="reauthentication started: sending the user to pleo" reason=invalid_grant"#;
    assert!(!fails_with_reason(way));
    let at_once = Line { led: false, ..line(way) };
    assert!(super::failure(&[at_once], &death()).is_some());
    assert!(fails_with_reason("refresh refused with invalid_grant, redirecting the user to the authorization page"));
}

#[test]
fn detections_are_recognised_in_common_formats() {
    for text in [
        r#"{"level":"warn","event":"connection.unauthenticated"}"#,
        "WARN Pleo connection was revoked, tokens purged",
        "authorization expired for company 12",
        "[pleo] access revoked by user",
        "connection 7 marked as disconnected: state=disconnected",
        "status: needs_reauth",
        "refresh token expired or revoked: removing credentials",
        "level=error msg=\"the grant is no longer valid\" company=12",
    ] {
        assert!(detects(text), "{text}");
    }
}

#[test]
fn reauthentication_triggers_are_recognised_in_common_formats() {
    for text in [
        "user must reconnect",
        "reauthentication required",
        "redirecting user to authorize endpoint",
        "Starting OAuth flow",
        "prompting the user to sign in",
        r#"{"event":"reauthentication_required","connection":"pleo"}"#,
        "waiting for user consent",
    ] {
        assert!(asks_again(text), "{text}");
    }
    assert!(!STARTED.is_match("GET /health"));
}

#[test]
fn ordinary_lines_are_not_mistaken_for_the_events() {
    for text in [
        "GET /status 200 3ms",
        "127.0.0.1 - - \"GET /oauth/reconnect HTTP/1.1\" 302 -",
        "synced 3 employees",
        "export job completed",
        "token refreshed, expires in 900 s",
        "access token expired, refreshing",
        "Token expired, refreshing...",
        "refreshing expired token",
        "reconnecting to the database",
        "the deadline of the export was extended, 3 items appended",
        "  File \"/srv/venv/authlib/integrations/requests_client/oauth2_session.py\", line 140, in request",
        "    self.ensure_active_token(self.token)  # user must reconnect",
        "    at checkOAuthBodyError (file:///srv/node_modules/oauth4webapi/build/index.js:931:19)",
    ] {
        assert!(!fails_with_reason(text), "failure: {text}");
        assert!(!detects(text), "detection: {text}");
        assert!(!asks_again(text), "reauthentication: {text}");
    }
}

#[test]
fn the_providers_own_words_are_no_detection() {
    assert!(!detects("OAuthError: invalid_grant: The refresh token is expired or revoked"));
    assert!(!detects("token refresh failed: invalid_grant (status 400)"));
}

#[test]
fn english_access_logs_and_stack_traces_are_understood_and_other_languages_are_not() {
    for text in [
        "token refresh failed",
        "INFO shop.pleo: connection=acme connected",
        "INFO shop.pleo: token refresh attempt 1",
        r#"{"event":"token_refresh_refused"}"#,
        "127.0.0.1 - - \"POST /sync HTTP/1.1\" 500 -",
        "Traceback (most recent call last):",
        "  File \"app.py\", line 12, in sync",
        "requests.exceptions.HTTPError: 400 Client Error",
        "ERROR shop.pleo: connection=acme unhandled",
        "pleo.Refused: invalid_grant",
        "  cause: {",
        "    error: 'invalid_grant',",
        "  code: 'OAUTH_RESPONSE_BODY_ERROR',",
        "  },",
        "}",
    ] {
        assert!(line(text).is_understood(), "{text}");
    }
    for text in [
        "Token-Aktualisierung fehlgeschlagen: invalid_grant",
        "Verbindung getrennt, bitte neu anmelden",
        "pleo.Ende: abgelaufen",
        "échec du rafraîchissement du jeton",
        "E1042 pleo 17",
        "トークンの更新に失敗しました",
        "Kunne ikke forny token, brugeren skal logge ind igen",
    ] {
        assert!(!line(text).is_understood(), "{text}");
    }
}

#[test]
fn two_lines_that_differ_in_times_and_ids_have_one_shape() {
    assert_eq!(shape("2026-01-01T10:00:00Z GET /sync 200 12ms"), shape("2026-01-02T11:22:33Z GET /sync 500 9ms"));
    assert_ne!(shape("synced"), shape("failed"));
    // JSON without a single space.
    assert_ne!(shape(r#"{"ts":"2026-01-01","event":"synced"}"#), shape(r#"{"ts":"2026-01-02","event":"refused"}"#));
    assert_eq!(shape(r#"{"ts":"2026-01-01","event":"synced"}"#), shape(r#"{"ts":"2026-02-09","event":"synced"}"#));
}

/// Refused, everything right, and these lines logged about it.
pub(super) fn logging(lines: &[&str]) -> Story {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
    let story = story.without(|e| e.n > 46 && matches!(e.what, What::Log { .. }));
    let story = lines.iter().fold(story, |story, text| story.log(text)).answered(Outcome::Accepted).rest();
    let story = story.trigger().answered(Outcome::Accepted).trigger().answered(Outcome::Accepted).rest();
    quietly(story.phase(crate::evidence::Phase::Epilogue).rest().restarted().rest().comes_back().stopped())
}

/// Without a word about the reconnection.
fn quietly(story: Story) -> Story {
    let from = story.history.events.iter().position(|e| matches!(e.what, What::Revoked { .. })).unwrap_or_default();
    let from = story.history.events[from].n;
    story.without(|e| e.n > from && matches!(&e.what, What::Log { text, .. } if text.contains("redirecting")))
}

#[test]
fn an_honest_story_passes() {
    for id in ALL {
        Story::honest().passes(id);
    }
}

#[test]
fn one_line_may_serve_all_three() {
    let story = logging(&["ERROR refresh failed with invalid_grant: connection lost its authorization, user must reconnect"]);
    for id in ALL {
        assert_eq!(story.passes(id).evidence.len(), 2);
    }
}

#[test]
fn failure_and_reason_may_stand_in_two_lines() {
    logging(&["ERROR token refresh failed", "WARN the connection's authorization was revoked"]).passes("LOG-01");
    logging(&["ERROR token refresh failed", "WARN the connection is unauthenticated now, waiting"])
        .fails("LOG-01", "none of the new log lines says so");
}

#[test]
fn an_end_with_its_reason_is_nearly_a_failure_with_its_reason() {
    let finding = logging(&["WARN the connection's authorization was revoked, the user must reconnect"])
        .undecided("LOG-01", "no line speaks of the refresh");
    assert_eq!(finding.unlock.as_deref(), Some("logs.refresh_failed = \"regex\""));
}

#[test]
fn silence_fails_each_of_them() {
    for id in ALL {
        logging(&[]).fails(id, "nothing new was logged after the refusal with invalid_grant");
        logging(&["INFO synced 1 item"]).fails(id, "nothing new was logged");
    }
}

#[test]
fn a_failure_that_is_only_passed_on_is_no_detection() {
    let story = logging(&["ERROR token refresh failed: invalid_grant: The refresh token is expired or revoked"]);
    story.passes("LOG-01");
    story.fails("LOG-02", "none of the new log lines says so");
    story.fails("LOG-03", "none of the new log lines says so");
    let trace = logging(&[
        "Traceback (most recent call last):",
        "  File \"app.py\", line 12, in sync",
        "authlib.integrations.base_client.errors.OAuthError: invalid_grant: The refresh token is expired or revoked",
    ]);
    trace.passes("LOG-01");
    trace.fails("LOG-02", "none of the new log lines says so");
}

#[test]
fn a_call_that_was_not_accepted_is_no_failed_refresh() {
    let call = "INFO access token rejected by the API (HTTP 401), path /v2/employees";
    logging(&[call, "ERROR synchronisation failed"]).fails("LOG-01", "none of the new log lines says so");
    logging(&[call, "ERROR token refresh failed with HTTP 400"]).passes("LOG-01");
    // Whose rejection this is cannot be told.
    logging(&["ERROR access token rejected with 400"]).undecided("LOG-01", "no line speaks of the refresh");
}

#[test]
fn the_beginning_of_a_login_is_no_detection() {
    let story = Story::connected().revoked().rejected().trigger().api(401).with(|s| s.subject.says = None);
    let story = story.refused("invalid_grant").log("ERROR request failed with invalid_grant").answered(Outcome::Accepted).rest();
    // Somebody looks whether the page leads to the authorise endpoint.
    let looked = story.authorizes().log("INFO reauthentication started: the user was sent to Pleo").trigger().answered(Outcome::Accepted);
    let story = looked.trigger().answered(Outcome::Accepted).rest().epilogue();
    story.fails("LOG-02", "none of the new log lines says so");
    story.passes("LOG-03");
}

#[test]
fn another_language_is_undecided_and_names_the_line_that_helps() {
    let story = logging(&["Token-Aktualisierung fehlgeschlagen: invalid_grant", "Verbindung getrennt, bitte neu anmelden"]);
    story.passes("LOG-01");
    let finding = story.undecided("LOG-02", "not all of them understood");
    assert_eq!(finding.unlock.as_deref(), Some("logs.detected = \"regex\""));
    story.undecided("LOG-03", "not all of them understood");
    let wordless = logging(&["E1042 pleo"]);
    let finding = wordless.undecided("LOG-01", "1 new log lines");
    assert_eq!(finding.unlock.as_deref(), Some("logs.refresh_failed = \"regex\""));
}

#[test]
fn the_manifests_pattern_takes_the_place_of_the_detector() {
    let german = || logging(&["Token-Aktualisierung fehlgeschlagen: invalid_grant", "Verbindung getrennt, bitte neu anmelden"]);
    german().terms(|t| t.log_detected = Some("Verbindung getrennt".into())).passes("LOG-02");
    german().terms(|t| t.log_reauthentication = Some("Termin vereinbart".into())).fails("LOG-03", "manifest's pattern");
    german().terms(|t| t.log_detected = Some("(".into())).undecided("LOG-02", "no regular expression");
}

#[test]
fn what_the_subject_writes_anyway_proves_nothing() {
    let story = |story: Story| {
        let story = story.revoked().rejected().trigger().api(401).refused("invalid_grant");
        let story = story.with(|s| s.subject.says = None).log("WARN token expires at 10:15, user must reconnect later");
        story.answered(Outcome::Accepted).rest().trigger().answered(Outcome::Accepted).trigger().answered(Outcome::Accepted).rest()
    };
    let habit =
        Story::new().began().started().log("WARN token expires at 09:15, user must reconnect later").connects().adds_work(1).works().rest();
    let habit = story(habit.phase(crate::evidence::Phase::Story)).comes_back();
    quietly(habit).fails("LOG-02", "nothing new was logged");
}

#[test]
fn a_second_outage_may_use_the_words_of_the_first() {
    let story = Story::connected().dies().asked_in_vain(2).rest().comes_back().dies().asked_in_vain(2).rest().epilogue();
    for id in ALL {
        story.passes(id);
    }
}

#[test]
fn the_way_back_may_be_what_is_logged_of_the_reauthentication() {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").answered(Outcome::Accepted).rest();
    // The same line was written when the user connected for the first time.
    story.clone().asked_in_vain(2).rest().epilogue().passes("LOG-03");
    story.asked_in_vain(2).rest().undecided("LOG-03", "did not come back");
}

#[test]
fn lines_that_come_late_count_until_the_user_is_back() {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").answered(Outcome::Accepted).rest();
    let story = story.trigger().answered(Outcome::Accepted).rest().restarted();
    // What was buffered comes with the end of the process.
    let story = story.log("refresh failed: invalid_grant; connection revoked; user must reconnect").rest().comes_back();
    for id in ALL {
        story.passes(id);
    }
}

#[test]
fn without_logs_or_a_refusal_nothing_is_decided() {
    let none = Story::honest().without(|e| matches!(e.what, What::Log { .. }));
    for id in ALL {
        let finding = none.undecided(id, "not one log line");
        assert_eq!(finding.unlock.as_deref(), Some("logs.files"));
        Story::connected().works().rest().epilogue().undecided(id, "no refresh of a dead token was refused");
    }
}

#[test]
fn the_fraction_of_a_time_is_no_status() {
    use super::attempts::succeeded;
    for time in ["2026-11-22 23:55:42,401", "2026-11-22T23:55:42.403Z", "ts=1763855742.400", "[23:55:42.401]"] {
        assert!(succeeded(&format!("{time} INFO token refresh succeeded")), "{time}");
    }
    for status in [
        "token refresh done with 401",
        "token refreshed? status=401.",
        "{\"msg\":\"token refresh succeeded\",\"status\":400}",
        "401, token renewed",
    ] {
        assert!(!succeeded(status), "{status}");
    }
}

#[test]
fn lines_of_several_connections_that_ended_convict_nobody() {
    let ends = |story: Story, name| {
        story.of(name).revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted)
    };
    // The first one is refused while the second one works: in the words of an ordinary day the second one is refused later.
    let first = || ends(gallery::two_connected(), "globex").of("acme").works().rest();
    let both = ends(first(), "acme").rest().declines(2).rest();
    both.undecided("LOG-07", "does not say whose it is");
    // Where one alone has ended, its lines can only be about that.
    let whispers = gallery::two_connected().of("globex").revoked().rejected().trigger().api(401).refused("invalid_grant");
    let whispers = whispers.log("INFO refresh refused: invalid_grant").answered(Outcome::Accepted).rest().declines(2).rest();
    whispers.fails("LOG-07", "below the level of a warning");
}

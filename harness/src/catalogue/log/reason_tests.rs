//! What counts as a reason, what may be one, and what is none: on lines, and on hand-written histories.

use std::collections::HashSet;

use super::{
    late_tests::{refused, twice},
    reason::{gives, may_give, usual},
    tests::logging,
    words::only_begins,
};
use crate::{
    evidence::{Outcome, What},
    judge::testing::*,
};

fn monolog(message: &str, context: &str, level: u16, name: &str) -> String {
    let rest = r#""channel":"pleo-sync","datetime":"2026-11-23T17:46:40.400885+00:00","extra":{"pid":7307}"#;
    format!(r#"{{"message":"{message}","context":{context},"level":{level},"level_name":"{name}",{rest}}}"#)
}

fn bare() -> String {
    monolog("token refresh failed", "{}", 400, "ERROR")
}

fn ends() -> String {
    monolog("Pleo connection marked as disconnected", "{}", 400, "ERROR")
}

fn asks() -> String {
    monolog("user is asked to reconnect", "{}", 300, "WARNING")
}

fn none() -> HashSet<String> {
    HashSet::new()
}

#[test]
fn codes_statuses_and_known_words_are_reasons() {
    for text in [
        "token refresh failed: status 400",
        r#"{"message":"token refresh failed","context":{"status":400},"level":400}"#,
        "token refresh failed, refused by Pleo",
        "Pleo has rejected the refresh",
        "the token endpoint did not accept it: the provider refuses",
        "token refresh failed: invalid grant",
        "token refresh failed: invalid_scope",
        "token refresh failed reason=gone",
        "level=error msg=\"token refresh failed\" cause=\"the user took it back\"",
        "token refresh failed: the grant expired",
    ] {
        assert!(gives(text), "{text}");
    }
}

#[test]
fn a_level_a_place_a_time_or_a_count_is_no_reason() {
    for text in [
        bare().as_str(),
        r#"{"level":400,"msg":"token refresh failed"}"#,
        "token refresh failed pid=400",
        r#"{"msg":"token refresh failed","duration_ms":401}"#,
        "E0101 10:00:00.403 7 auth.go:403] token refresh failed",
        "token refresh failed after 400 ms",
        "[2026-11-23T17:46:40.400] token refresh failed",
        r#"{"msg":"token refresh failed","reason":null}"#,
        r#"{"msg":"token refresh failed","error":"","cause":"unknown"}"#,
        "token refresh failed for an unknown reason",
    ] {
        assert!(!gives(text) && !may_give(text, &none()), "{text}");
    }
}

#[test]
fn what_follows_from_a_failure_says_nothing_of_why() {
    for text in [
        ends().as_str(),
        asks().as_str(),
        "2026-01-01 10:00:00,123 ERROR [pleo.auth] token refresh failed",
        "ERROR:pleo.auth:could not refresh the access token",
        "W, [2026-01-01T10:00:00.123456 #7]  WARN -- : the connection is unauthenticated, its tokens were discarded",
        "time=2026-01-01T10:00:00.123Z level=WARN msg=\"work is held until the user signs in\" connection=acme held=2",
        "<11>Nov 23 10:00:00 sync[7]: tokenRefreshFailed",
        r#"{"level":"error","event":"token_refresh_refused","message":"token refresh failed"}"#,
    ] {
        assert!(!gives(text) && !may_give(text, &none()), "{text}");
    }
}

#[test]
fn words_that_are_not_known_may_be_a_reason() {
    for text in [
        "token refresh failed: bad grant",
        r#"{"msg":"token refresh failed","error":"E1042"}"#,
        r#"{"msg":"token refresh failed","retryable":false}"#,
        "token refresh failed: AADSTS70008",
        "token refresh failed: 418",
        "token refresh failed: refresh token refused",
        "token refresh failed: the grant is gone",
        "Pleo does not recognise this installation",
        "Token-Aktualisierung fehlgeschlagen",
    ] {
        assert!(!gives(text) && may_give(text, &none()), "{text}");
    }
}

#[test]
fn what_stands_in_every_line_is_no_reason() {
    let calm = ["ledgerly INFO started", "ledgerly INFO connected", "ledgerly INFO synced 1 item"];
    assert!(may_give("ledgerly ERROR token refresh failed", &none()));
    assert!(!may_give("ledgerly ERROR token refresh failed", &usual(calm.into_iter())));
    assert!(may_give("ledgerly ERROR token refresh failed", &usual(calm.into_iter().take(2))));
}

#[test]
fn a_refresh_that_is_to_come_is_told_from_one_that_failed() {
    for text in [
        "the Pleo API denied the access token, refreshing once",
        r#"{"message":"the Pleo API denied the access token, refreshing once","context":{"status":401,"path":"/v3/export-jobs"},"level":300}"#,
        "Pleo refused the access token, renewing it",
        "refreshing the Pleo tokens",
        "access token expired, will refresh",
        r#"{"msg":"refreshing access token","event":"token_refresh_attempt"}"#,
        r#"{"event":"token_refresh_started","why":"rejected"}"#,
        "attempting to refresh the access token",
        "trying to renew the tokens",
    ] {
        assert!(only_begins(text), "{text}");
    }
    for text in [
        "refreshing the access token failed",
        "could not begin refreshing the token",
        "error while refreshing the token: 401",
        "token refresh attempt 1 failed: status 400",
        "refreshing the token: invalid_grant",
        "will refresh later: no answer",
        "refresh token revoked while refreshing",
        "refreshing is over, the user must reconnect",
        "access token refresh was refused: status 400",
        "Pleo rejected the access token refresh: status 400",
        "token refresh succeeded",
    ] {
        assert!(!only_begins(text), "{text}");
    }
}

#[test]
fn a_bare_failure_with_what_follows_from_it_fails() {
    logging(&[&bare(), &ends(), &asks()]).fails("LOG-01", "none of the new log lines says so");
    logging(&["ERROR token refresh failed", "WARN work is held until the user reconnects"])
        .fails("LOG-01", "none of the new log lines says so");
    logging(&[&bare(), &ends(), &asks()]).passes("LOG-02");
}

#[test]
fn a_reason_in_the_line_or_beside_it_passes() {
    let refused = monolog("token refresh failed, refused by Pleo", "{}", 400, "ERROR");
    logging(&[&refused, &ends()]).passes("LOG-01");
    let status = monolog("token refresh failed", r#"{"status":400}"#, 400, "ERROR");
    logging(&[&status, &ends()]).passes("LOG-01");
    logging(&[&bare(), "WARN the token endpoint answered 400"]).passes("LOG-01");
    logging(&[&bare(), &monolog("Pleo connection ended: refresh token expired or revoked", "{}", 400, "ERROR")]).passes("LOG-01");
}

#[test]
fn a_reason_in_words_of_its_own_accuses_nobody() {
    for line in [
        monolog("token refresh failed", r#"{"error":"bad grant"}"#, 400, "ERROR"),
        monolog("token refresh failed: the installation is not there any more", "{}", 400, "ERROR"),
        monolog("token refresh failed: refresh token refused", r#"{"kind":"final"}"#, 400, "ERROR"),
    ] {
        let finding = logging(&[&line, &ends(), &asks()]).undecided("LOG-01", "may be its reason");
        assert_eq!(finding.unlock.as_deref(), Some("logs.refresh_failed = \"regex\""));
    }
    logging(&[&bare(), "WARN Pleo does not recognise this installation", &ends()]).undecided("LOG-01", "may be its reason");
    // The status of a call of the API is why a refresh was needed, not why it failed.
    for call in ["WARN GET /v3/export-jobs was answered with 401", r#"{"event":"access_token_rejected","status":401}"#] {
        logging(&[&bare(), call]).fails("LOG-01", "none of the new log lines says so");
    }
}

#[test]
fn a_line_that_is_written_before_the_refresh_and_seen_after_it_proves_nothing() {
    let begins =
        monolog("the Pleo API denied the access token, refreshing once", r#"{"status":401,"path":"/v3/export-jobs"}"#, 300, "WARNING");
    logging(&[&begins, &bare(), &ends(), &asks()]).fails("LOG-01", "none of the new log lines says so");
    logging(&[&begins]).fails("LOG-01", "nothing new was logged");
    let honest = monolog("token refresh failed, refused by Pleo", r#"{"error":"invalid_grant","status":400}"#, 400, "ERROR");
    logging(&[&begins, &honest]).passes("LOG-01");
    // Nor does its level make a refusal stand out.
    refused(&[&begins, "INFO refresh refused: invalid_grant"]).fails("LOG-07", "below the level of a warning");
    refused(&[&begins, &honest]).passes("LOG-07");
}

#[test]
fn a_refused_refresh_is_not_logged_by_the_line_that_began_it() {
    let story = |lines: &[&str]| {
        let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant");
        let story = lines.iter().fold(story, |story, line| story.log(line));
        story.answered(Outcome::Accepted).rest().trigger().answered(Outcome::Accepted).rest().epilogue()
    };
    let from = |story: Story| story.without(|e| matches!(&e.what, What::Log { text, .. } if text.contains("refresh failed:")));
    let begins = "2026-01-01T10:00:00Z WARN the Pleo API denied the access token, refreshing once";
    from(story(&[begins])).fails("LOG-05", "nothing was logged of the refresh that failed");
    story(&[begins, "2026-01-01T10:00:00Z ERROR token refresh failed"]).passes("LOG-05");
}

#[test]
fn two_outages_without_a_cause_fail_and_with_a_cause_that_may_be_one_are_undecided() {
    let outages = |lines: &[&str]| {
        // Both are told in the words of the second.
        let story = twice(lines);
        let first = story.history.events.iter().position(|e| matches!(e.what, What::Revoked { .. })).unwrap_or_default();
        let at = story.history.events[first..].iter().position(|e| matches!(&e.what, What::Log { .. })).unwrap_or_default() + first;
        let mut line = lines.iter();
        story.with(|s| {
            let until = s.history.events.iter().rposition(|e| matches!(e.what, What::Revoked { .. })).unwrap_or_default();
            for event in &mut s.history.events[at..until] {
                if let What::Log { text, .. } = &mut event.what {
                    *text = line.next().map_or_else(|| "INFO user returned, connected".into(), |line| (*line).into());
                }
            }
        })
    };
    let bare = |context: &str| monolog("token refresh failed", context, 400, "ERROR");
    outages(&[&bare("{}")]).fails("LOG-04", "without a cause");
    outages(&[&bare(r#"{"error":"bad grant"}"#)]).undecided("LOG-04", "they may be the cause");
    outages(&[&bare(r#"{"error":"invalid_grant"}"#)]).passes("LOG-04");
}

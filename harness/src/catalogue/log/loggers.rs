//! The three events, and lines that are none of them, as the common loggers write them.

use super::tests::{asks_again, detects, fails_with_reason};

/// The same words in the layout of each logger: `{l}` level by name, `{n}` by number where it uses one, `{e}` an event, `{m}` a message.
const LAYOUTS: &[(&str, &str)] = &[
    ("pino", r#"{"level":{n},"time":1767261600123,"pid":7,"hostname":"a1","event":"{e}","msg":"{m}"}"#),
    ("bunyan", r#"{"name":"sync","hostname":"a1","pid":7,"level":{n},"event":"{e}","msg":"{m}","time":"2026-01-01T10:00:00.123Z","v":0}"#),
    ("winston", r#"{"event":"{e}","level":"{l}","message":"{m}","service":"sync","timestamp":"2026-01-01T10:00:00.123Z"}"#),
    ("winston simple", r#"{l}: {m} {"event":"{e}","service":"sync"}"#),
    ("structlog", r#"{"connection":"acme","event":"{m}","level":"{l}","timestamp":"2026-01-01T10:00:00.123456Z","kind":"{e}"}"#),
    ("structlog console", "2026-01-01T10:00:00.123456Z [{l}     ] {m}          connection=acme kind={e}"),
    ("Python logging", "2026-01-01 10:00:00,123 {L} [pleo.auth] {m}"),
    ("Python logging, plain", "{L}:pleo.auth:{m}"),
    ("python-json-logger", r#"{"asctime":"2026-01-01 10:00:00,123","levelname":"{L}","name":"pleo.auth","message":"{m}","event":"{e}"}"#),
    ("Go log", "2026/01/01 10:00:00 {m}"),
    ("Go slog", r#"time=2026-01-01T10:00:00.123Z level={L} msg="{m}" event={e} connection=acme"#),
    ("Go slog JSON", r#"{"time":"2026-01-01T10:00:00.123Z","level":"{L}","msg":"{m}","event":"{e}","conn":{"name":"acme"}}"#),
    ("zap", r#"{"level":"{l}","ts":1767261600.123,"caller":"auth/auth.go:12","msg":"{m}","event":"{e}"}"#),
    ("zap console", "2026-01-01T10:00:00.123Z\t{L}\tauth/auth.go:12\t{m}\t{\"event\": \"{e}\"}"),
    ("logrus", r#"time="2026-01-01T10:00:00Z" level={l} msg="{m}" event={e}"#),
    ("klog", "W0101 10:00:00.123456       7 auth.go:12] {m}"),
    ("logback", "10:00:00.123 [main] {L}  com.example.Auth - {m}"),
    (
        "logback JSON",
        r#"{"@timestamp":"2026-01-01T10:00:00.123Z","@version":"1","message":"{m}","logger_name":"com.example.Auth","level":"{L}"}"#,
    ),
    ("ECS", r#"{"@timestamp":"2026-01-01T10:00:00.123Z","log.level":"{L}","message":"{m}","event":{"action":"{e}"}}"#),
    ("Google Cloud", r#"{"severity":"{L}","time":"2026-01-01T10:00:00.123Z","message":"{m}","labels":{"event":"{e}"}}"#),
    ("tracing", "2026-01-01T10:00:00.123456Z  {L} sync::auth: {m} connection=acme event=\"{e}\""),
    (
        "tracing JSON",
        r#"{"timestamp":"2026-01-01T10:00:00.123456Z","level":"{L}","fields":{"message":"{m}","event":"{e}"},"target":"sync::auth"}"#,
    ),
    ("env_logger", "[2026-01-01T10:00:00Z {L} sync::auth] {m}"),
    ("Serilog", "[10:00:00 WRN] {m}"),
    ("Serilog compact", r#"{"@t":"2026-01-01T10:00:00.1234567Z","@mt":"{m}","@l":"Warning","Connection":"acme","EventName":"{e}"}"#),
    (".NET console", "warn: Example.Auth[0] {m}"),
    ("Monolog", r#"[2026-01-01T10:00:00.123456+00:00] app.{L}: {m} {"event":"{e}","connection":"acme"} []"#),
    ("Monolog JSON", r#"{"message":"{m}","context":{"event":"{e}"},"level":300,"level_name":"{L}","channel":"app"}"#),
    ("Rails", "W, [2026-01-01T10:00:00.123456 #7]  {L} -- : {m}"),
    ("syslog", "<12>Jan  1 10:00:00 host sync[7]: {m}"),
];

fn lines(level: &str, number: &str, event: &str, message: &str) -> Vec<(&'static str, String)> {
    let fill = |layout: &str| {
        let text = layout.replace("{l}", level).replace("{L}", &level.to_uppercase());
        text.replace("{n}", number).replace("{e}", event).replace("{m}", message)
    };
    LAYOUTS.iter().map(|(logger, layout)| (*logger, fill(layout))).collect()
}

fn each(level: &str, number: &str, said: &[(&str, &str)], check: impl Fn(&str) -> bool, wanted: bool) {
    let mut wrong = Vec::new();
    for (event, message) in said {
        wrong.extend(lines(level, number, event, message).into_iter().filter(|(_, line)| check(line) != wanted));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_failed_refresh_with_its_reason_is_recognised() {
    let said = [
        ("refresh.failed", "Token refresh failed: invalid_grant"),
        ("tokenRefreshFailed", "could not refresh the access token: status 400"),
        ("oauth_error", "refresh rejected, the grant was revoked"),
        ("x", "OAuth refresh error: invalid_grant: token expired or revoked"),
        ("x", "TOKEN REFRESH FAILED (reason: revoked by user)"),
    ];
    each("warn", "40", &said, fails_with_reason, true);
    each("error", "50", &said, fails_with_reason, true);
}

#[test]
fn the_detection_of_expiry_or_revocation_is_recognised() {
    let said = [
        ("connection.unauthenticated", "Connection acme is now unauthenticated"),
        ("x", "Access to Pleo was revoked; tokens purged"),
        ("x", "authorization expired for connection acme"),
        ("x", "Refresh token is no longer valid, marking the connection as disconnected"),
        ("x", "GRANT REVOKED"),
    ];
    each("warn", "40", &said, detects, true);
}

#[test]
fn the_call_for_reauthentication_is_recognised() {
    let said = [
        ("reauth.required", "Reauthentication required"),
        ("x", "User must reconnect to Pleo"),
        ("x", "asking the user to sign in again"),
        ("x", "Re-authorization needed for acme"),
        ("x", "prompting the user for consent"),
    ];
    each("info", "30", &said, asks_again, true);
}

#[test]
fn what_is_none_of_the_events_is_taken_for_none() {
    let said = [
        ("refresh.succeeded", "refresh succeeded"),
        ("x", "token expires in 900s"),
        ("x", "retrying after 503"),
        ("x", "token endpoint answered 503, retrying in 2 s"),
        ("x", "access token expired, refreshing"),
        ("x", "refreshing the access token"),
        ("x", "synced 3 items"),
        ("x", "token refreshed, valid until 10:15:00"),
        ("x", "connection to the database was lost, reconnecting"),
    ];
    for check in [fails_with_reason, detects, asks_again] {
        each("warn", "40", &said, check, false);
        each("error", "50", &said, check, false);
    }
}

#[test]
fn a_stack_trace_tells_by_its_message_and_not_by_its_frames() {
    let frames = [
        "    at refreshExpiredToken (/srv/auth/reauthenticate.js:12:5)",
        "\tat com.example.Reauthentication.tokenRevoked(Reauthentication.java:7)",
        "  File \"/srv/reconnect.py\", line 12, in token_expired",
        "Caused by: java.io.IOException: grant revoked",
    ];
    for frame in frames {
        assert!(!detects(frame) && !asks_again(frame), "{frame}");
    }
    let nested = r#"{"level":50,"time":1767261600123,"err":{"type":"OAuthError","message":"invalid_grant","stack":"Error: invalid_grant\n    at refresh (a.js:1:2)"},"msg":"refresh"}"#;
    assert!(fails_with_reason(nested));
    assert!(fails_with_reason("oauthlib.oauth2.rfc6749.errors.InvalidGrantError: (invalid_grant) Token has been expired or revoked."));
}

//! How grave a line says it is, as the common loggers write it.

use std::sync::LazyLock;

use regex::Regex;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalogue) enum Grade {
    /// Nobody need look.
    Ordinary,
    /// A warning, or worse.
    Grave,
}

/// What the line itself says; none if it says nothing.
pub(in crate::catalogue) fn grade(text: &str) -> Option<Grade> {
    numbered(text).or_else(|| named(text)).or_else(|| klog(text)).or_else(|| syslog(text)).or_else(|| bare(text))
}

/// `"level":50` of pino and bunyan (10 to 60), `"level":400` of Monolog (100 to 600), `"level":3` of GELF and syslog (7 to 0),
/// `"severityNumber":17` of OpenTelemetry (1 to 24).
fn numbered(text: &str) -> Option<Grade> {
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| fixed(r#"(?i)"?\b(level|lvl|severity|priority|severity_?number|log\.level)\b"?\s*[:=]\s*"?([0-9]{1,3})\b"#));
    let found = NUMBER.captures(text)?;
    let number: u32 = found[2].parse().ok()?;
    let open_telemetry = found[1].to_ascii_lowercase().contains("number");
    let grave = match number {
        _ if open_telemetry => number >= 13,
        0..=9 => number <= 4,
        10..=99 => number >= 40,
        _ => number >= 300,
    };
    Some(of(grave))
}

/// A field that names the level.
fn named(text: &str) -> Option<Grade> {
    static FIELD: LazyLock<Regex> = LazyLock::new(|| {
        fixed(
            r#"(?i)(?:^|[\s,{\["'.])"?(?:level|lvl|severity|severity_?text|log_?level|level_?name|@l|@?level|priority|sev)"?\s*[:=]\s*["']?([a-z]+)\b"#,
        )
    });
    FIELD.captures_iter(text).find_map(|found| word(&found[1]))
}

/// `E0102 10:00:00.123 …` of klog and glog.
fn klog(text: &str) -> Option<Grade> {
    static KLOG: LazyLock<Regex> = LazyLock::new(|| fixed(r"^([IWEF])\d{4,8} \d{2}:\d{2}:\d{2}"));
    KLOG.captures(text).map(|found| of(&found[1] != "I"))
}

/// `<11>…`: priority modulo eight.
fn syslog(text: &str) -> Option<Grade> {
    static SYSLOG: LazyLock<Regex> = LazyLock::new(|| fixed(r"^<(\d{1,3})>"));
    let priority: u32 = SYSLOG.captures(text)?[1].parse().ok()?;
    Some(of(priority % 8 <= 4))
}

/// A level word of its own in front of what is said: `WARNING:root:`, `[error]`, `fail: Auth[0]`, `10:00:00 ERR`.
fn bare(text: &str) -> Option<Grade> {
    static BARE: LazyLock<Regex> = LazyLock::new(|| {
        fixed(concat!(
            r"(?:^|[\s\[(<|.])(TRACE|DEBUG|DBG|INFO|INF|INFORMATION|NOTICE|VERBOSE|WARN|WARNING|WRN|ERROR|ERR|CRITICAL|CRIT|CRT|FATAL|FTL|SEVERE|ALERT|EMERGENCY|PANIC)(?:$|[\s\])>|:])|",
            r"\[(?i:(trace|debug|info|information|notice|verbose|warn|warning|error|err|critical|crit|fatal|severe|alert))\s*\]|",
            r"^(?i:(trce|dbug|trace|debug|info|notice|warn|warning|fail|error|crit|critical|fatal)):\s",
        ))
    });
    let head: String = text.chars().take(160).collect();
    let found = BARE.captures(&head)?;
    found.iter().skip(1).flatten().find_map(|level| word(level.as_str()))
}

/// A word that is a level.
fn word(word: &str) -> Option<Grade> {
    match word.to_ascii_lowercase().as_str() {
        "trace" | "trce" | "debug" | "dbug" | "dbg" | "verbose" | "vrb" | "silly" | "fine" | "info" | "inf" | "information" | "notice" => {
            Some(Grade::Ordinary)
        }
        "warn" | "warning" | "wrn" | "error" | "err" | "fail" | "critical" | "crit" | "crt" | "fatal" | "ftl" | "severe" | "alert"
        | "emerg" | "emergency" | "panic" | "dpanic" => Some(Grade::Grave),
        _ => None,
    }
}

fn of(grave: bool) -> Grade {
    if grave { Grade::Grave } else { Grade::Ordinary }
}

#[allow(clippy::expect_used, reason = "fixed patterns, each compiled by a test")]
fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a fixed pattern")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_the_common_loggers_write_them() {
        for line in [
            r#"{"level":40,"time":1767261600123,"pid":7,"msg":"token refresh failed"}"#,
            r#"{"name":"sync","hostname":"a","pid":7,"level":50,"msg":"refresh failed","time":"2026-01-01T10:00:00.123Z","v":0}"#,
            r#"{"level":"error","message":"refresh failed","timestamp":"2026-01-01T10:00:00.123Z"}"#,
            r#"{"event":"refresh_failed","log_level":"warning"}"#,
            r#"{"asctime":"2026-01-01","levelname":"ERROR","message":"x"}"#,
            r#"{"severity":"ERROR","message":"x"}"#,
            r#"{"@timestamp":"2026-01-01","log.level":"WARN","message":"x"}"#,
            r#"{"@t":"2026-01-01T10:00:00Z","@mt":"Refresh failed","@l":"Warning"}"#,
            r#"{"message":"refresh failed","context":{},"level":400,"level_name":"ERROR","channel":"app"}"#,
            r#"{"timestamp":"2026-01-01T10:00:00Z","level":"WARN","fields":{"message":"x"},"target":"sync"}"#,
            r#"{"short_message":"x","level":3}"#,
            r#"{"severityNumber":17,"body":"x"}"#,
            "time=2026-01-01T10:00:00Z level=WARN msg=\"refresh failed\"",
            "ts=2026-01-01T10:00:00Z lvl=error msg=x",
            "WARNING:pleo.auth:refresh failed",
            "2026-01-01 10:00:00,123 ERROR [pleo.auth] refresh failed",
            "10:00:00.123 [main] WARN  c.e.Refresher - refresh failed",
            "2026-01-01T10:00:00.123Z  WARN sync::auth: refresh failed",
            "[2026-01-01T10:00:00.123+00:00] app.ERROR: refresh failed {\"error\":\"invalid_grant\"} []",
            "[10:00:00 ERR] Refresh failed",
            "2026/01/01 10:00:00 [error] 7#7: refresh failed",
            "fail: Pleo.Auth[0] refresh failed",
            "error: refresh failed {\"service\":\"sync\"}",
            "E0101 10:00:00.123456 7 auth.go:12] refresh failed",
            "<11>Jan 1 10:00:00 host sync: refresh failed",
            "Jan 01, 2026 10:00:00 AM com.example.Auth refresh\nSEVERE: refresh failed",
        ] {
            assert_eq!(grade(line), Some(Grade::Grave), "{line}");
        }
        for line in [
            r#"{"level":30,"msg":"token refreshed"}"#,
            r#"{"level":200,"level_name":"INFO","message":"x"}"#,
            r#"{"level":6,"short_message":"x"}"#,
            r#"{"level":"info","message":"no error at all"}"#,
            r#"{"severityNumber":9,"body":"error rate is low"}"#,
            "INFO:root:an ERROR was expected",
            "level=info msg=\"retry after error\"",
            "info: Pleo.Auth[0] refreshed",
            "I0101 10:00:00.123456 7 auth.go:12] refreshed",
            "[10:00:00 INF] Refreshed",
        ] {
            assert_eq!(grade(line), Some(Grade::Ordinary), "{line}");
        }
        for line in ["refresh failed: invalid_grant", "Error refreshing token", "{\"msg\":\"x\"}", "the error was logged"] {
            assert_eq!(grade(line), None, "{line}");
        }
    }
}

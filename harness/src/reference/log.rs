//! Structured logs: one JSON object a line on standard output, never with a secret in it.

use std::{
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};

/// How grave a line is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

/// Writes one line: time, level, event, a sentence, and whatever else belongs to it.
pub(crate) fn line(level: Level, event: &str, message: &str, more: Value) {
    let mut fields = Map::new();
    fields.insert("ts".into(), timestamp(SystemTime::now()).into());
    fields.insert("level".into(), word(level).into());
    fields.insert("event".into(), event.into());
    fields.insert("connection".into(), "pleo".into());
    fields.insert("message".into(), message.into());
    if let Value::Object(more) = more {
        fields.extend(more);
    }
    let mut text = Value::Object(fields).to_string();
    text.push('\n');
    // A reader that went away is no reason to stop working.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// An error code of the provider's as far as it may be logged: anything but a plain word could carry a secret.
pub(crate) fn code(code: &str) -> &str {
    let plain = !code.is_empty() && code.len() <= 40 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if plain { code } else { "unreadable error code" }
}

/// Milliseconds since 1970.
pub(crate) fn unix_millis() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn timestamp(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

/// Year, month and day of a day counted from 1970-01-01, by walking the calendar.
fn date(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    while days >= length(year) {
        days -= length(year);
        year += 1;
    }
    let february = length(year) - 337;
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

fn length(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_timestamp_is_a_date_in_utc() {
        assert_eq!(timestamp(UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(UNIX_EPOCH + Duration::from_millis(951_782_400_123)), "2000-02-29T00:00:00.123Z");
        assert_eq!(timestamp(UNIX_EPOCH + Duration::from_secs(1_798_761_599)), "2026-12-31T23:59:59.000Z");
    }

    #[test]
    fn an_error_code_that_could_hide_a_secret_is_not_logged() {
        assert_eq!(code("invalid_grant"), "invalid_grant");
        assert_eq!(code("rt-4f9A"), "unreadable error code");
        assert_eq!(code(""), "unreadable error code");
    }
}

//! How long a reply asks to be left alone.

use std::time::{Duration, SystemTime};

use regrant_mock_server::journal::Replied;

use crate::evidence::{What, micros};

/// What `Retry-After` says, if it can be understood (RFC 9110 section 10.2.3).
pub(super) fn asked_to_wait(replied: &Replied) -> Option<What> {
    let (_, value) = replied.headers.iter().find(|(name, _)| name == "retry-after")?;
    let (wait, by_date) = read(value, SystemTime::now())?;
    Some(What::AskedToWait { exchange: replied.exchange, wait: micros(wait), by_date })
}

fn read(value: &str, now: SystemTime) -> Option<(Duration, bool)> {
    if let Ok(seconds) = value.trim().parse() {
        return Some((Duration::from_secs(seconds), false));
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    Some((date.duration_since(now).unwrap_or_default(), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_nothing_else() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let ahead = httpdate::fmt_http_date(now + Duration::from_secs(4));
        assert_eq!(read("3", now), Some((Duration::from_secs(3), false)));
        assert_eq!(read(&ahead, now), Some((Duration::from_secs(4), true)));
        assert_eq!(read("Thu, 01 Jan 1970 00:00:00 GMT", now), Some((Duration::ZERO, true)));
        assert_eq!(read("soon", now), None);
    }
}

//! The clocks: the journal's, which only runs, and the provider's, which can be moved forward and where the API's may differ.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use regrant_authority::Time;

use crate::journal::{At, Endpoint};

/// How the API's clock goes beside that of the authorisation server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skew {
    /// It is ahead by so much; zero: both go alike.
    Ahead(Duration),
    /// It is behind by so much.
    Behind(Duration),
}

/// The clocks of one provider.
#[derive(Debug)]
pub(crate) struct Clock {
    epoch: Instant,
    started: Instant,
    wall_at_start: u64,
    ahead: AtomicU64,
    /// Milliseconds by which the API's clock is ahead.
    skew: AtomicI64,
}

impl Clock {
    /// Clocks whose journal time is zero at `epoch`; the provider's clock starts with the host's.
    pub(crate) fn new(epoch: Instant) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { epoch, started: Instant::now(), wall_at_start: millis(wall), ahead: AtomicU64::new(0), skew: AtomicI64::new(0) }
    }

    /// Time since the journal's epoch.
    pub(crate) fn at(&self) -> At {
        self.epoch.elapsed()
    }

    /// The provider's time, as its authorisation server has it.
    pub(crate) fn now(&self) -> Time {
        let run = millis(self.started.elapsed());
        Time(self.wall_at_start.saturating_add(run).saturating_add(self.ahead.load(Ordering::SeqCst)))
    }

    /// The provider's time, as its API has it.
    pub(crate) fn api_now(&self) -> Time {
        Time(self.now().0.saturating_add_signed(self.skew.load(Ordering::SeqCst)))
    }

    /// The time of the part of the provider that an endpoint belongs to.
    pub(crate) fn now_at(&self, endpoint: Endpoint) -> Time {
        match endpoint {
            Endpoint::Api => self.api_now(),
            Endpoint::Authorize | Endpoint::Token | Endpoint::Introspect | Endpoint::Unknown => self.now(),
        }
    }

    /// How the API's clock goes.
    pub(crate) fn skew(&self) -> Skew {
        let skew = self.skew.load(Ordering::SeqCst);
        let span = Duration::from_millis(skew.unsigned_abs());
        if skew < 0 { Skew::Behind(span) } else { Skew::Ahead(span) }
    }

    /// Sets the API's clock apart.
    pub(crate) fn set_skew(&self, skew: Skew) {
        let signed = |span| i64::try_from(millis(span)).unwrap_or(i64::MAX);
        let by = match skew {
            Skew::Ahead(span) => signed(span),
            Skew::Behind(span) => -signed(span),
        };
        self.skew.store(by, Ordering::SeqCst);
    }

    /// Moves the provider's time forward.
    pub(crate) fn advance(&self, by: Duration) {
        let by = millis(by);
        // The closure never declines, so there is no error to see.
        let _moved = self.ahead.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |ahead| Some(ahead.saturating_add(by)));
    }

    /// The host's time at a moment of the journal.
    pub(crate) fn wall(&self, at: At) -> Time {
        let before = millis(self.started.saturating_duration_since(self.epoch));
        Time(self.wall_at_start.saturating_sub(before).saturating_add(millis(at)))
    }

    /// How far ahead of the host's clock it was moved.
    pub(crate) fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead.load(Ordering::SeqCst))
    }

    /// Goes back to the host's time.
    pub(crate) fn reset(&self) {
        self.ahead.store(0, Ordering::SeqCst);
        self.skew.store(0, Ordering::SeqCst);
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A moment as Pleo writes it: `2026-01-31T12:00:00Z`.
pub(crate) fn iso(time: Time) -> String {
    let (year, month, day, hour, minute, second) = civil(time.0 / 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The same, to the millisecond.
pub(crate) fn iso_millis(time: Time) -> String {
    let seconds = iso(time);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), time.0 % 1000)
}

/// A moment as an HTTP date (RFC 9110 section 5.6.7). Every reply has one, and most of a second's replies the same.
pub(crate) fn http_date(time: Time) -> String {
    thread_local! {
        static LAST: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let seconds = time.0 / 1000;
    LAST.with_borrow_mut(|(second, date)| {
        if *second != seconds || date.is_empty() {
            (*second, *date) = (seconds, http_date_at(seconds));
        }
        date.clone()
    })
}

fn http_date_at(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, hour, minute, second) = civil(seconds);
    let weekday = usize::try_from(seconds / 86_400 % 7).map_or("Thu", |i| DAYS[i]);
    let month = usize::try_from(month - 1).map_or("Jan", |i| MONTHS[i]);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Year, month, day, hour, minute and second in UTC. Counts in years that begin in March, so that the leap day comes last.
fn civil(seconds: u64) -> (u64, u64, u64, u64, u64, u64) {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day, rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_dates() {
        assert_eq!(iso(Time(0)), "1970-01-01T00:00:00Z");
        assert_eq!(iso(Time(951_782_400_000)), "2000-02-29T00:00:00Z");
        assert_eq!(iso(Time(1_767_225_599_999)), "2025-12-31T23:59:59Z");
    }

    #[test]
    fn an_http_date_has_its_weekday() {
        assert_eq!(http_date_at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date_at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(Time(784_111_777_000)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn the_api_s_clock_can_be_ahead_or_behind_and_moves_on_with_the_other() {
        let clock = Clock::new(Instant::now());
        for (skew, least) in [(Skew::Ahead(Duration::from_secs(60)), 59_000), (Skew::Behind(Duration::from_secs(60)), -61_000)] {
            clock.set_skew(skew);
            clock.advance(Duration::from_secs(900));
            let apart = i64::try_from(clock.api_now().0).unwrap_or_default() - i64::try_from(clock.now().0).unwrap_or_default();
            assert!((least..=least + 2_000).contains(&apart), "{skew:?}: {apart}");
            assert_eq!(clock.skew(), skew);
        }
        assert_eq!(clock.ahead(), Duration::from_secs(1_800));
    }

    #[test]
    fn the_provider_s_clock_moves_forward_and_the_journal_s_does_not() {
        let clock = Clock::new(Instant::now());
        let (before, at) = (clock.now(), clock.at());
        clock.advance(Duration::from_secs(900));
        assert!(clock.now().since(before) >= Duration::from_secs(900));
        assert!(clock.at() - at < Duration::from_secs(900));
    }
}

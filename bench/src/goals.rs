//! What the project wants to reach, and whether it does.

use std::time::Duration;

use crate::{
    measure::{Row, Soak, grants::Grants, judge::Judged},
    peer::Peer,
};

/// A goal, what was measured, and whether that is enough.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Goal {
    pub(crate) wanted: &'static str,
    pub(crate) measured: String,
    /// `None`: it was not measured.
    pub(crate) reached: Option<bool>,
}

/// What was measured besides the rows.
#[derive(Debug, Default)]
pub(crate) struct Besides {
    pub(crate) soak: Option<Soak>,
    /// The authority with a thousand grants, and with many.
    pub(crate) few: Option<Grants>,
    pub(crate) many: Option<Grants>,
    pub(crate) judge: Option<Judged>,
}

const MEGABYTE: f64 = 1024.0 * 1024.0;

/// All goals.
pub(crate) fn goals(rows: &[Row], besides: &Besides) -> Vec<Goal> {
    let ours = rows.iter().find(|row| row.peer == Peer::Regrant).and_then(|row| row.figures.as_ref().ok());
    let share = ours.map(|ours| (format!("{:.2}", ours.share.median), ours.share.median >= 0.8));
    let late = ours.map(|ours| (format!("{:.2}×", ours.times_p99.median), ours.times_p99.median <= 2.0));
    let ready = ours.map(|ours| (format!("{:.1} ms", ours.ready.median), ours.ready.median <= 20.0));
    let idle = ours.map(|ours| megabytes(ours.idle)).map(|idle| (format!("{idle:.1} MB"), idle < 15.0));
    vec![
        goal("refreshes at 0.8 of bare hyper or more", share),
        goal("p99 within 2× of bare hyper", late),
        goal("10× the fastest peer that really rotates", lead(rows)),
        goal("ready in 20 ms", ready),
        goal("idle under 15 MB", idle),
        goal("a million live grants under 700 bytes each (the authority alone)", besides.many.map(weight)),
        goal("throughput with them at 0.9 of that with a thousand (the authority alone)", besides.few.zip(besides.many).map(steadiness)),
        goal(
            "100,000 transitions a second on one core (the authority alone)",
            besides.few.map(|few| (thousands(few.rate), few.rate >= 100_000.0)),
        ),
        goal("memory flat in an hour-long soak", besides.soak.map(growth)),
        judging(besides.judge),
    ]
}

/// The goal of the judge, which can be measured by itself.
pub(crate) fn judging(judged: Option<Judged>) -> Goal {
    let shown = |judged: Judged| {
        let Judged { events, stories, rate } = judged;
        let figures = [rate.median, rate.min, rate.max].map(thousands);
        let [median, min, max] = &figures;
        #[allow(clippy::cast_precision_loss, reason = "some hundred thousand")]
        let events = thousands(events as f64);
        (format!("{median} ({min}–{max}); {events} events in {stories} stories"), rate.median >= 1_000_000.0)
    };
    goal("1,000,000 events a second in one pass, all requirements, on one core (the judge alone)", judged.map(shown))
}

fn goal(wanted: &'static str, outcome: Option<(String, bool)>) -> Goal {
    match outcome {
        Some((measured, reached)) => Goal { wanted, measured, reached: Some(reached) },
        None => Goal { wanted, measured: "not measured".into(), reached: None },
    }
}

fn lead(rows: &[Row]) -> Option<(String, bool)> {
    let figures = |row: &Row| row.figures.as_ref().ok().map(|figures| figures.rate.median);
    let ours = rows.iter().find(|row| row.peer == Peer::Regrant).and_then(figures)?;
    let others = rows.iter().filter(|row| row.peer != Peer::Regrant && row.peer.rotates());
    let (rate, name) = others.filter_map(|row| Some((figures(row)?, row.peer.name()))).max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some((format!("{:.1}× {name}", ours / rate), ours >= 10.0 * rate))
}

fn weight(many: Grants) -> (String, bool) {
    (format!("{:.0} bytes each of {}", many.weight, thousands(f64::from(many.count))), many.weight < 700.0)
}

fn steadiness((few, many): (Grants, Grants)) -> (String, bool) {
    (format!("{:.2}", many.rate / few.rate), many.rate >= 0.9 * few.rate)
}

/// Flat: an hour of this would add less than a tenth, or than a megabyte.
fn growth(soak: Soak) -> (String, bool) {
    let hour = soak.per_second * Duration::from_secs(3600).as_secs_f64();
    let flat = hour < (megabytes(soak.after) * MEGABYTE / 10.0).max(MEGABYTE);
    let shown = format!(
        "{:+.0} MB an hour at {:+.1} bytes a refresh; {:.0} MB after {} refreshes in {:.0} s",
        hour / MEGABYTE,
        soak.per_refresh,
        megabytes(soak.after),
        soak.refreshes,
        soak.took.as_secs_f64()
    );
    (shown, flat)
}

/// Bytes in megabytes.
#[allow(clippy::cast_precision_loss, reason = "memory of a process")]
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / MEGABYTE
}

/// A number, its thousands apart.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut shown = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(thousands(7.4), "7");
        assert_eq!(thousands(123.0), "123");
        assert_eq!(thousands(1_234_567.0), "1,234,567");
    }

    #[test]
    fn what_was_not_measured_is_neither_reached_nor_missed() {
        assert!(goals(&[], &Besides::default()).iter().all(|goal| goal.reached.is_none()));
    }

    #[test]
    fn many_grants_must_be_light_and_fast() {
        let few = Grants { count: 1_000, weight: 900.0, rate: 200_000.0 };
        let many = Grants { count: 1_000_000, weight: 650.0, rate: 100_000.0 };
        assert_eq!(weight(many), ("650 bytes each of 1,000,000".into(), true));
        assert_eq!(steadiness((few, many)), ("0.50".into(), false));
    }

    #[test]
    fn memory_that_fills_up_once_is_flat() {
        let soak = |per_second| Soak {
            took: Duration::from_secs(30),
            refreshes: 1_000,
            before: 10 << 20,
            after: 40 << 20,
            per_second,
            per_refresh: 0.0,
        };
        assert!(growth(soak(0.0)).1);
        assert!(growth(soak(1_000.0)).1, "3.4 MB an hour of 40");
        assert!(!growth(soak(10_000.0)).1);
    }
}

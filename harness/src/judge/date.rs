//! A day of the calendar, as a baseline's entries have it: no clock, no zone.

use std::{fmt, str::FromStr};

/// A day; later days are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day that is so many days after 1970-01-01; those before count as that day.
    #[must_use]
    pub fn of_days(days: u64) -> Self {
        // Howard Hinnant's days_from_civil, backwards: years begin in March, eras have 400 years.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_based = (5 * day_of_year + 2) / 153;
        let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let small = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
        Self {
            year: u16::try_from(year).unwrap_or(u16::MAX),
            month: small(month),
            day: small(day_of_year - (153 * march_based + 2) / 5 + 1),
        }
    }
}

/// Not a day of the calendar written as year, month and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a day of the calendar, such as 2027-03-31")]
pub struct NoDate;

impl FromStr for Date {
    type Err = NoDate;

    fn from_str(text: &str) -> Result<Self, NoDate> {
        let shape: Vec<usize> = text.split('-').map(str::len).collect();
        if shape != [4, 2, 2] || !text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) {
            return Err(NoDate);
        }
        let part = |range: std::ops::Range<usize>| text[range].parse::<u16>().map_err(|_| NoDate);
        let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return Err(NoDate),
        };
        let small = |value: u16| u8::try_from(value).map_err(|_| NoDate);
        if (1..=days).contains(&day) { Ok(Self { year, month: small(month)?, day: small(day)? }) } else { Err(NoDate) }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_since_1970_are_days_of_the_calendar() {
        for (days, shown) in [(0, "1970-01-01"), (58, "1970-02-28"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_819, "2027-01-01")] {
            assert_eq!(Date::of_days(days).to_string(), shown);
            assert_eq!(shown.parse(), Ok(Date::of_days(days)));
        }
    }

    #[test]
    fn what_is_no_day_of_the_calendar_is_refused() {
        for wrong in [
            "",
            "2027",
            "2027-2-3",
            "2027-02-29",
            "1900-02-29",
            "2027-04-31",
            "2027-13-01",
            "2027-00-10",
            "31-12-2027",
            "2027-12-3x",
            "２０２７",
        ] {
            assert_eq!(wrong.parse::<Date>(), Err(NoDate), "{wrong}");
        }
        assert!("2028-02-29".parse::<Date>().is_ok_and(|leap| leap > Date::of_days(20_819)));
    }
}

//! How often something is expected.

use std::{
    fmt,
    ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive},
};

/// How often: `1`, `1..=3`, `2..`, `..`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    least: usize,
    /// Exclusive; `None`: no limit.
    below: Option<usize>,
}

impl Count {
    /// Whether so many are as expected.
    #[must_use]
    pub fn includes(self, seen: usize) -> bool {
        seen >= self.least && self.below.is_none_or(|below| seen < below)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.below.map(|below| below.saturating_sub(1))) {
            (0, None) => f.write_str("any number"),
            (least, None) => write!(f, "at least {least}"),
            (0, Some(0)) => f.write_str("none"),
            (0, Some(most)) => write!(f, "at most {most}"),
            (least, Some(most)) if least == most => write!(f, "exactly {least}"),
            (least, Some(most)) => write!(f, "{least} to {most}"),
        }
    }
}

impl From<usize> for Count {
    fn from(exactly: usize) -> Self {
        (exactly..=exactly).into()
    }
}

impl From<Range<usize>> for Count {
    fn from(range: Range<usize>) -> Self {
        Self { least: range.start, below: Some(range.end) }
    }
}

impl From<RangeInclusive<usize>> for Count {
    fn from(range: RangeInclusive<usize>) -> Self {
        Self { least: *range.start(), below: range.end().checked_add(1) }
    }
}

impl From<RangeFrom<usize>> for Count {
    fn from(range: RangeFrom<usize>) -> Self {
        Self { least: range.start, below: None }
    }
}

impl From<RangeTo<usize>> for Count {
    fn from(range: RangeTo<usize>) -> Self {
        Self { least: 0, below: Some(range.end) }
    }
}

impl From<RangeToInclusive<usize>> for Count {
    fn from(range: RangeToInclusive<usize>) -> Self {
        Self { least: 0, below: range.end.checked_add(1) }
    }
}

impl From<RangeFull> for Count {
    fn from(_: RangeFull) -> Self {
        Self { least: 0, below: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_ranges() {
        let reads = |count: Count| (0..5).filter(|seen| count.includes(*seen)).collect::<Vec<_>>();
        assert_eq!(reads(1.into()), [1]);
        assert_eq!(reads((1..3).into()), [1, 2]);
        assert_eq!(reads((1..=3).into()), [1, 2, 3]);
        assert_eq!(reads((3..).into()), [3, 4]);
        assert_eq!(reads((..2).into()), [0, 1]);
        assert_eq!(reads((..=2).into()), [0, 1, 2]);
        assert_eq!(reads((..).into()), [0, 1, 2, 3, 4]);
        assert_eq!(reads((0..=usize::MAX).into()), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn counts_are_told_in_words() {
        let told = |count: Count| count.to_string();
        assert_eq!([told(0.into()), told(2.into()), told((1..=3).into())], ["none", "exactly 2", "1 to 3"]);
        assert_eq!([told((..=2).into()), told((1..).into()), told((..).into())], ["at most 2", "at least 1", "any number"]);
    }
}

//! Medians, spreads, quantiles and slopes.

/// What several rounds gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// The spread of some figures; `None` of none at all.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().filter(|figure| figure.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Self { min, median, max })
    }
}

/// The figure below which a share of all lies (nearest rank); 0 of none at all. Sorts them.
pub(crate) fn quantile(figures: &mut [u32], share: f64) -> u32 {
    figures.sort_unstable();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank among some millions")]
    let rank = (figures.len() as f64 * share).ceil() as usize;
    figures.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

/// The slope of the line that fits the points best (least squares); 0 if there is none.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "some hundred points")]
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (above, below) = points.iter().fold((0.0, 0.0), |(a, b), p| (a + (p.0 - x) * (p.1 - y), b + (p.0 - x) * (p.0 - x)));
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { min: 1.0, median: 2.0, max: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).map(|spread| spread.median), Some(2.5));
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN, 1.0]), Some(Spread { min: 1.0, median: 1.0, max: 1.0 }));
    }

    #[test]
    fn a_quantile_is_a_figure_that_occurred() {
        let mut hundred: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(quantile(&mut hundred, 0.5), 50);
        assert_eq!(quantile(&mut hundred, 0.99), 99);
        assert_eq!(quantile(&mut hundred, 1.0), 100);
        assert_eq!(quantile(&mut [7], 0.01), 7);
        assert_eq!(quantile(&mut [], 0.5), 0);
    }

    #[test]
    fn the_slope_of_a_line_is_found_through_noise() {
        let line: Vec<_> = (0..10).map(|x| (f64::from(x), 3.0 * f64::from(x) + if x % 2 == 0 { 0.1 } else { -0.1 })).collect();
        assert!((slope(&line) - 3.0).abs() < 0.05);
        assert!(slope(&[(1.0, 1.0)]).abs() < f64::EPSILON);
        assert!(slope(&[]).abs() < f64::EPSILON);
    }
}

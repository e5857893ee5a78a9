//! Attempts that belong together, and how many of them are to be expected.

use super::super::{Finding, shared::START};
use crate::judge::{Exchange, Mark, View};

/// A shorter pause is none.
const PAUSE: u64 = 50_000;
/// No pause need be longer than this, whatever has failed.
const LONGEST: u64 = 60_000_000;
/// Attempts that keep at least this distance may come from a timer.
const TICK: u64 = 500_000;

/// The first burst of attempts that is longer than was to be expected, at most so many for a stimulus, and does not slow down. A timer that is
/// not declared may be the reason.
pub(in crate::catalogue) fn unbounded(view: &View<'_>, attempts: &[&Exchange<'_>], most: usize) -> Option<Finding> {
    for burst in &bursts(view, attempts) {
        let entitled = most * stimuli(view, burst);
        if burst.len() <= entitled || grows(burst) {
            continue;
        }
        let cited = burst.iter().take(8).map(|x| x.arrived.n).collect();
        let reason = format!("{} attempts where {entitled} were to be expected, and the pauses between them do not grow", burst.len());
        if view.terms.period.is_none() && gaps(burst).iter().all(|gap| *gap >= TICK) {
            return Some(Finding::locked(format!("{reason}: a timer may have caused them"), "features.period"));
        }
        return Some(Finding::fail(reason, cited));
    }
    None
}

/// The attempts between one rest and the next.
pub(super) fn bursts<'v, 'h>(view: &View<'h>, faults: &[&'v Exchange<'h>]) -> Vec<Vec<&'v Exchange<'h>>> {
    let mut bursts: Vec<(Option<Mark>, Vec<&Exchange<'_>>)> = Vec::new();
    for x in faults {
        let rest = view.rests.iter().rfind(|rest| rest.quiet && rest.mark < x.arrived).map(|rest| rest.mark);
        match bursts.last_mut() {
            Some((since, burst)) if *since == rest => burst.push(x),
            _ => bursts.push((rest, vec![x])),
        }
    }
    bursts.into_iter().map(|(_, burst)| burst).collect()
}

/// What the attempts of a burst may answer to: the triggers and webhooks since the last rest (one at least), what was asked meanwhile, a timer's ticks.
fn stimuli(view: &View<'_>, burst: &[&Exchange<'_>]) -> usize {
    let (Some(first), Some(last)) = (burst.first(), burst.last()) else { return 1 };
    let calm = view.rests.iter().rfind(|rest| rest.quiet && rest.mark < first.arrived).map_or(START, |rest| rest.mark);
    let before = view.askings(calm, first.arrived).max(1);
    let meanwhile = view.calls.iter().filter(|c| !c.is_webhook() && c.called > first.arrived && c.called < last.arrived).count();
    let told = view.webhooks(first.arrived, last.arrived);
    let ticks = match view.terms.period {
        Some(Some(period)) if period > 0 => usize::try_from(last.began.saturating_sub(first.began) / period).unwrap_or(usize::MAX),
        Some(_) | None => 0,
    };
    before.saturating_add(meanwhile).saturating_add(told).saturating_add(ticks)
}

/// The seconds that the pause after these failures may last, if it has not lasted so long by `end`. A back-off doubles with each failure, also
/// where its first attempts do not keep to it; and it may be three times as long as the longest pause that was seen.
pub(super) fn still_waits(view: &View<'_>, faults: &[&Exchange<'_>], end: Mark) -> Option<u64> {
    let done = |x: &Exchange<'_>| x.replied.map(|(mark, ..)| mark).or(x.aborted.map(|(mark, _)| mark)).unwrap_or(x.arrived).at;
    let pauses: Vec<u64> = faults.windows(2).map(|pair| pair[1].began.saturating_sub(done(pair[0]))).collect();
    let (shortest, longest) = (*pauses.iter().min()?, *pauses.iter().max()?);
    let failures = u32::try_from(pauses.len()).unwrap_or(u32::MAX);
    let doubled = shortest.max(PAUSE).saturating_mul(2_u64.saturating_pow(failures));
    let pause = doubled.max(longest.saturating_mul(3)).min(LONGEST);
    let seen = view.events().next_back().map_or(0, |(mark, _)| mark.at).min(end.at);
    let waited = seen.saturating_sub(done(faults.last()?));
    (waited < pause).then_some(pause.div_ceil(1_000_000))
}

fn gaps(burst: &[&Exchange<'_>]) -> Vec<u64> {
    burst.windows(2).map(|pair| pair[1].began.saturating_sub(pair[0].began)).collect()
}

/// The pauses grow: each is about as long as the one before or longer, and the last at least twice the first; or, since a good
/// back-off is random, the later half is clearly longer than the earlier one.
fn grows(burst: &[&Exchange<'_>]) -> bool {
    let gaps = gaps(burst);
    let (Some(first), Some(last)) = (gaps.first(), gaps.last()) else { return true };
    let steady = gaps.windows(2).all(|g| g[1] >= g[0] / 10 * 9);
    let (early, late) = gaps.split_at(gaps.len() / 2);
    let mean = |part: &[u64]| part.iter().sum::<u64>() / u64::try_from(part.len()).unwrap_or(1).max(1);
    (steady && *last >= 2 * *first && *last >= PAUSE) || (mean(late) >= mean(early) / 10 * 13 && mean(late) >= PAUSE)
}

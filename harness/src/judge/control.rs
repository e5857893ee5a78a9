//! The sandwich: what must have been seen around a silence before it proves anything (requirements.md, "Sandwich").
//!
//! (a) the same stimulus caused the thing before, (b) it was delivered at least twice after the subject knew, and was answered,
//! (c) after reconnection it causes the thing again, without a restart unless the subject is a one-shot program.

use super::{
    death::Death,
    view::{Call, Exchange, Mark, View},
};
use crate::evidence::Verb;

/// The source of work that every manifest has.
pub const MAIN: &str = "trigger";

/// Whether a trigger of `source` between two moments was followed by an API call before the subject came to rest.
#[must_use]
pub fn caused_work(view: &View<'_>, source: &str, from: Mark, until: Mark) -> bool {
    view.triggers(from, until).filter(|c| is_from(c, source)).any(|call| {
        let rest = view.settled_after(call.called).unwrap_or(Mark::END).min(until);
        view.api_calls(call.called, rest).next().is_some()
    })
}

/// Whether a call came from this source of work.
#[must_use]
pub fn is_from(call: &Call<'_>, source: &str) -> bool {
    call.source.map_or(source == MAIN, |s| s == source)
}

/// (a) The stimulus worked before the subject was refused.
///
/// # Errors
/// Why it did not.
pub fn before(view: &View<'_>, death: &Death, source: &str) -> Result<(), String> {
    let start = Mark { at: 0, n: 0 };
    if caused_work(view, source, start, death.asked) { Ok(()) } else { Err(format!("`{source}` caused no API call before the refusal")) }
}

/// (b) The stimulus was delivered at least `times` between two moments, and answered.
///
/// # Errors
/// How often it was.
pub fn delivered(view: &View<'_>, source: &str, from: Mark, until: Mark, times: usize) -> Result<Vec<u32>, String> {
    let all: Vec<u32> = view.triggers(from, until).filter(|c| is_from(c, source) && c.was_answered()).map(|c| c.called.n).collect();
    if all.len() >= times {
        return Ok(all);
    }
    let called = view.triggers(from, until).filter(|c| is_from(c, source)).count();
    Err(format!("after the refusal `{source}` was delivered {called} times and answered {} times, at least {times} are needed", all.len()))
}

/// (c) After the reconnection the stimulus causes work again.
///
/// # Errors
/// Why that was not seen.
pub fn again(view: &View<'_>, death: &Death, source: &str) -> Result<(), String> {
    if death.until == Mark::END {
        return Err("the user did not reconnect".into());
    }
    let restart = if view.terms.one_shot { None } else { view.restart_after(death.until) };
    let end = restart.unwrap_or(Mark::END);
    if caused_work(view, source, death.until, end) {
        Ok(())
    } else {
        Err(format!("after the reconnection `{source}` caused no API call again"))
    }
}

/// All three for the main source of work, (b) from the moment the subject had settled until it was restarted or reconnected.
///
/// # Errors
/// What is missing.
pub fn sandwich(view: &View<'_>, death: &Death) -> Result<Vec<u32>, String> {
    before(view, death, MAIN)?;
    let settled = death.settled.ok_or("the subject did not come to rest after the refusal before the user reconnected")?;
    let stimuli = delivered(view, MAIN, settled, death.same_process_until(), 2)?;
    again(view, death, MAIN)?;
    Ok(stimuli)
}

/// What convicts among requests that began after `rest`: one that followed a stimulus delivered after `rest`, or two without any.
#[must_use]
pub fn convicting<'v, 'h>(view: &View<'h>, rest: Mark, requests: impl Iterator<Item = &'v Exchange<'h>>) -> Vec<&'v Exchange<'h>>
where
    'h: 'v,
{
    let after: Vec<_> = requests.filter(|x| x.began > rest.at).collect();
    let stimulated = after.iter().any(|x| view.stimulus_before(x.began).is_some_and(|s| s > rest));
    if stimulated || after.len() >= 2 { after } else { Vec::new() }
}

/// The event numbers that show an offence: the refusal, the first offender's stimulus, the first few offenders.
#[must_use]
pub fn cite(view: &View<'_>, refused: Mark, offenders: &[&Exchange<'_>]) -> Vec<u32> {
    let mut all = vec![refused.n];
    if let Some(stimulus) = offenders.first().and_then(|x| view.stimulus_before(x.began)).filter(|s| *s > refused) {
        all.push(stimulus.n);
    }
    all.extend(offenders.iter().take(5).map(|x| x.arrived.n));
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether a verb other than trigger was answered between two moments (liveness).
#[must_use]
pub fn answered_anything(view: &View<'_>, from: Mark, until: Mark) -> usize {
    view.calls.iter().filter(|c| c.verb != Verb::Start && c.called > from && c.called < until && c.was_answered()).count()
}

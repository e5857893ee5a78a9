//! The sandwich: what must have been seen around a silence before it proves anything.
//!
//! (a) the same stimulus caused the thing before, (b) it was delivered at least twice after the subject knew, and was answered,
//! (c) after reconnection it causes the thing again, without a restart unless the subject is a one-shot program.

use super::{
    Exchange,
    death::{Death, Ended},
    view::{Call, Mark, View},
};

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

/// (b) The stimulus was delivered at least `times` between two moments, and answered. `when` says in words what the moments are.
///
/// # Errors
/// How often it was.
pub fn delivered(view: &View<'_>, source: &str, from: Mark, until: Mark, times: usize, when: &str) -> Result<Vec<u32>, String> {
    let all: Vec<u32> = view.triggers(from, until).filter(|c| is_from(c, source) && c.was_answered()).map(|c| c.called.n).collect();
    if all.len() >= times {
        return Ok(all);
    }
    let called = view.triggers(from, until).filter(|c| is_from(c, source)).count();
    Err(format!("{when} `{source}` was delivered {} and answered {}, at least {times} are needed", count(called), count(all.len())))
}

/// "once", "3 times".
fn count(times: usize) -> String {
    match times {
        0 => "never".into(),
        1 => "once".into(),
        _ => format!("{times} times"),
    }
}

/// (c) After the reconnection the stimulus causes work again.
///
/// # Errors
/// Why that was not seen.
pub fn again(view: &View<'_>, death: &Death, source: &str) -> Result<(), String> {
    if death.until == Mark::END {
        return Err("the user did not reconnect".into());
    }
    let same_process = match death.ended {
        Ended::Grant => !view.terms.one_shot && !view.terms.restarts_on_exit,
        // New credentials are handed over by a restart, and a subject that discarded its tokens needs the user, too.
        Ended::Client => false,
    };
    let end = view.restart_after(death.until).filter(|_| same_process).unwrap_or(Mark::END);
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
    let stimuli = delivered(view, MAIN, settled, death.process_until, 2, "after the refusal")?;
    again(view, death, MAIN)?;
    if view.exchanges.iter().any(|x| x.is_obscure() && x.began > settled.at) {
        return Err("a request was still open when the story ended: what it carried is not known".into());
    }
    Ok(stimuli)
}

/// What convicts among requests that began after the subject knew and had its time: one that followed a stimulus delivered later,
/// or two without any. A subject that never came to rest may still be busy with what it began before: then only two convict.
#[must_use]
pub fn convicting<'v, 'h>(
    view: &View<'h>,
    rest: Mark,
    quiet: bool,
    requests: impl Iterator<Item = &'v Exchange<'h>>,
) -> Vec<&'v Exchange<'h>>
where
    'h: 'v,
{
    let after: Vec<_> = requests.filter(|x| x.began > rest.at).collect();
    let stimulated = quiet && after.iter().any(|x| view.stimulus_before(x.began).is_some_and(|s| s > rest));
    if stimulated || after.len() >= 2 { after } else { Vec::new() }
}

/// API calls for the dead connection, between two moments after it had rested, that convict.
#[must_use]
pub fn calls_after<'v, 'h>(view: &'v View<'h>, death: &Death, from: Mark, until: Mark) -> Vec<&'v Exchange<'h>> {
    convicting(view, death.settled.unwrap_or(from), death.at_rest, view.api_calls(from, until).filter(|x| concerns(x, death)))
}

/// Not a call with another, living grant.
#[must_use]
pub fn concerns(x: &Exchange<'_>, death: &Death) -> bool {
    use regrant_mock_server::authority::TokenState;
    let elsewhere = death.grant.is_some() && x.grant().is_some() && x.grant() != death.grant;
    !(elsewhere && x.token_state() == Some(TokenState::Active))
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

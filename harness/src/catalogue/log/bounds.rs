//! LOG-06: no flood.

use super::windows::{Window, said, windows};
use crate::{
    catalogue::Finding,
    evidence::{Micros, Verb, What},
    judge::{Mark, View},
};

/// More lines than in the prologue that a stimulus may cause.
const EACH: u64 = 50;
/// More lines than in the prologue that a second may bring.
const SECOND: u64 = 10;
const MICROS: Micros = 1_000_000;

/// What is usual for this subject.
struct Usual {
    each: u64,
    second: u64,
}

pub(super) fn log_06(view: &View<'_>) -> Finding {
    let Some(used) = view.exchanges.iter().find(|x| !x.by_agent && x.token_name().is_some()).map(|x| x.arrived) else {
        return Finding::undecided("no token was used in this story");
    };
    let Some(line) = said(view).into_iter().find(|line| line.mark > used) else {
        return Finding::locked("no log line was seen after a token was used", "logs.files");
    };
    let Some(end) = view.prologue_end() else { return Finding::undecided("there was no prologue to compare with") };
    let windows = windows(view);
    let (before, after): (Vec<_>, Vec<_>) = windows.iter().partition(|window| window.until <= end);
    if before.is_empty() {
        return Finding::undecided("the subject did not come to rest in the prologue: what is usual is not known");
    }
    let usual = usual(view, &before);
    // Who stood still catches up: with what it had begun, and with all that was asked of it meanwhile.
    let stirs = |what: &What| matches!(what, What::Paused { .. } | What::Continued);
    let stirred = |window: &&Window<'_, '_>| view.events().any(|(mark, what)| mark > window.from && mark <= window.until && stirs(what));
    for window in after.into_iter().filter(|window| !stirred(window)) {
        let (lines, bound) = (entries(window), allowed(view, window, &usual));
        if lines > bound {
            let last = window.lines.last().map_or(window.from, |line| line.mark);
            let first = window.lines.first().map_or(window.from, |line| line.mark);
            let reason = format!("{lines} entries were logged where {bound} would be within bounds");
            return Finding::fail(reason, vec![first.n, last.n]);
        }
    }
    if view.events().any(|(_, what)| matches!(what, What::LogFlooded { .. })) {
        return Finding::undecided("there were so many log lines that not all of them were kept");
    }
    Finding::pass("what was logged stays within bounds", vec![used.n, line.mark.n])
}

/// A stack trace is one entry, however long.
fn entries(window: &Window<'_, '_>) -> u64 {
    window.lines.iter().filter(|line| !line.goes_on()).count() as u64
}

fn usual(view: &View<'_>, prologue: &[&Window<'_, '_>]) -> Usual {
    let lines: u64 = prologue.iter().map(|window| entries(window)).sum();
    let most = prologue.iter().map(|window| entries(window) / stimuli(view, window).0.max(1)).max().unwrap_or(0);
    let span = prologue.iter().map(|window| window.until.at - window.from.at).sum::<Micros>();
    Usual { each: most.max(1), second: lines * MICROS / span.max(MICROS) }
}

fn allowed(view: &View<'_>, window: &Window<'_, '_>, usual: &Usual) -> u64 {
    let (stimuli, readings) = stimuli(view, window);
    let last = view.events().next_back().map_or(window.from, |(mark, _)| mark);
    let seconds = (window.until.min(last).at.saturating_sub(window.from.at)).div_ceil(MICROS);
    stimuli * (usual.each + EACH) + readings * usual.each + seconds * (usual.second + SECOND)
}

/// What was asked of the subject, and how often it was merely looked at.
fn stimuli(view: &View<'_>, window: &Window<'_, '_>) -> (u64, u64) {
    let within = |mark: Mark| mark > window.from && mark <= window.until;
    let (mut asked, mut looked) = (0, 0);
    for (_, what) in view.events().filter(|(mark, _)| within(*mark)) {
        match what {
            What::VerbCalled { verb: Verb::Status, .. } | What::PromptRead(_) | What::SettingsRead { .. } | What::DataRead { .. } => {
                looked += 1;
            }
            What::VerbCalled { .. } | What::ProcessStarted { .. } | What::CallbackDelivered { .. } => asked += 1,
            _ => {}
        }
    }
    (asked, looked)
}

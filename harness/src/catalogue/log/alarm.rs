//! LOG-07: a refused refresh stands out.

use std::collections::HashSet;

use super::{
    grade::{Grade, grade},
    windows::{Said, Window, said, windows},
    words::{only_begins, shape},
};
use crate::{
    catalogue::{Finding, prompt::messages, shared::*},
    judge::{Death, Ended, View},
};

/// Fewer lines of a level say nothing of what is usual.
const ENOUGH: usize = 3;

pub(super) fn log_07(view: &View<'_>) -> Finding {
    let all = said(view);
    if all.is_empty() {
        return Finding::locked("not one log line of the subject was seen", "logs.files");
    }
    let windows = windows(view);
    each_death(view, Ended::Grant, |death| stands_out(view, &all, &alike(&windows, death), death))
}

/// What is logged when all is well, or for a passing fault: such a line tells nothing of a refusal.
fn alike(windows: &[Window<'_, '_>], death: &Death) -> HashSet<String> {
    let unrefused = |window: &&Window<'_, '_>| window.refreshes.iter().all(|x| x.refusal().is_none());
    let elsewhere = |window: &&Window<'_, '_>| window.until < death.asked || !window.refreshes.is_empty();
    let lines = windows.iter().filter(unrefused).filter(elsewhere).flat_map(|window| &window.lines);
    lines.map(|line| shape(line.text)).collect()
}

fn stands_out(view: &View<'_>, all: &[Said<'_>], alike: &HashSet<String>, death: &Death) -> Finding {
    let Some(settled) = death.settled else { return not_at_rest() };
    if let Some(notice) = messages::novel(view, death.asked, death.until) {
        return Finding::pass("somebody was told of the refused refresh", vec![death.refused.n, notice.n]);
    }
    let calm: Vec<Grade> =
        all.iter().filter(|line| view.prologue_end().is_some_and(|end| line.mark < end)).filter_map(|l| grade(l.text)).collect();
    let within = |line: &&Said<'_>| line.mark > death.asked && line.mark < death.until;
    let lines: Vec<&Said<'_>> = all.iter().filter(within).filter(|line| !line.goes_on() && !only_begins(line.text)).collect();
    let all_novel: Vec<&Said<'_>> = lines.iter().copied().filter(|line| !alike.contains(&shape(line.text))).collect();
    // What is said at once is what tells of the refusal; lines that were kept back come later.
    let at_once: Vec<&Said<'_>> = all_novel.iter().copied().filter(|line| line.mark < settled).collect();
    let novel = if at_once.is_empty() { all_novel } else { at_once };
    let grave = novel.iter().find(|line| grade(line.text) == Some(Grade::Grave));
    match grave {
        Some(line) if calm.len() >= ENOUGH && calm.iter().all(|grade| *grade == Grade::Grave) => {
            Finding::fail("the refused refresh has the level of whatever is logged when all is well", vec![death.refused.n, line.mark.n])
        }
        Some(line) => Finding::pass("the refused refresh was logged as a warning or worse", vec![death.refused.n, line.mark.n]),
        None => inconspicuous(&lines, &novel, death),
    }
}

fn inconspicuous(lines: &[&Said<'_>], novel: &[&Said<'_>], death: &Death) -> Finding {
    let cited = |lines: &[&Said<'_>]| std::iter::once(death.refused.n).chain(lines.iter().take(5).map(|line| line.mark.n)).collect();
    if lines.iter().any(|line| grade(line.text) == Some(Grade::Grave)) && novel.is_empty() {
        return Finding::fail("the refused refresh is logged as any passing fault is", cited(lines));
    }
    if novel.is_empty() {
        return Finding::fail("nothing new was logged after the refused refresh", cited(lines));
    }
    if novel.iter().all(|line| grade(line.text) == Some(Grade::Ordinary)) {
        return Finding::fail("the refused refresh is logged below the level of a warning", cited(novel));
    }
    Finding::undecided("no level was recognised in what was logged after the refused refresh")
}

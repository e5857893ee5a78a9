//! A story cut into the stretches between two rests, and what was logged in each that is not logged when all is well.

use std::collections::HashSet;

use super::words::{FRAME, shape};
use crate::{
    evidence::{LogStream, What},
    judge::{Exchange, Mark, View},
};

/// A line as it was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'h> {
    pub(super) mark: Mark,
    pub(super) stream: &'h LogStream,
    pub(super) text: &'h str,
}

impl Said<'_> {
    /// A further line of a stack trace or of a printed object: no entry of its own.
    pub(super) fn goes_on(&self) -> bool {
        self.text.trim().is_empty() || FRAME.is_match(self.text) || self.text.starts_with([' ', '\t', '}', ']', ')'])
    }
}

/// From one rest of the subject to the next.
pub(super) struct Window<'v, 'h> {
    pub(super) from: Mark,
    pub(super) until: Mark,
    /// It ended with a rest, not with the story.
    pub(super) ended: bool,
    pub(super) lines: Vec<Said<'h>>,
    pub(super) refreshes: Vec<&'v Exchange<'h>>,
    /// An API call succeeded.
    pub(super) worked: bool,
}

/// All of them, in order. A request that outlasts a rest joins two: whatever hangs on it is logged later.
pub(super) fn windows<'v, 'h>(view: &'v View<'h>) -> Vec<Window<'v, 'h>> {
    let mut all = Vec::new();
    let mut from = Mark { at: 0, n: 0 };
    for rest in &view.rests {
        if rest.mark > from && !view.exchanges.iter().any(|x| !x.by_agent && spans(x, rest.mark)) {
            all.push(window(view, from, rest.mark, true));
            from = rest.mark;
        }
    }
    all.push(window(view, from, Mark::END, false));
    all
}

fn spans(x: &Exchange<'_>, mark: Mark) -> bool {
    let end = x.read.or(x.replied.map(|(mark, ..)| mark)).or(x.aborted.map(|(mark, _)| mark)).unwrap_or(Mark::END);
    x.began <= mark.at && end > mark
}

fn window<'v, 'h>(view: &'v View<'h>, from: Mark, until: Mark, ended: bool) -> Window<'v, 'h> {
    let lines = said(view).into_iter().filter(|line| line.mark > from && line.mark <= until).collect();
    let refreshes = view.exchanges.iter().filter(|x| x.is_refresh() && x.arrived > from && x.arrived <= until).collect();
    let worked = view.api_calls(from, until).any(|x| x.answered(2));
    Window { from, until, ended, lines, refreshes, worked }
}

/// Every line, in order.
pub(super) fn said<'h>(view: &View<'h>) -> Vec<Said<'h>> {
    let line = |(mark, what): (Mark, &'h What)| match what {
        What::Log { stream, text } => Some(Said { mark, stream, text }),
        _ => None,
    };
    view.events().filter_map(line).collect()
}

/// Whether work was done without a refresh before the first one: only then is it sure what the subject logs anyway.
pub(super) fn began_calmly(windows: &[Window<'_, '_>]) -> bool {
    windows.iter().take_while(|window| window.refreshes.is_empty()).any(|window| window.worked)
}

/// The shapes of what is logged while work is done without a refresh: such a line tells nothing of one. Before the first refresh, if
/// work was done then: later on, lines may have been kept back. None: that was never seen.
pub(super) fn everyday(windows: &[Window<'_, '_>]) -> Option<HashSet<String>> {
    let calm = |window: &&Window<'_, '_>| window.refreshes.is_empty() && window.worked;
    let shapes = |windows: &[Window<'_, '_>]| -> Option<HashSet<String>> {
        let lines = || windows.iter().filter(calm).flat_map(|window| &window.lines);
        windows.iter().any(|window| calm(&window)).then(|| lines().map(|line| shape(line.text)).collect())
    };
    let first = windows.iter().position(|window| !window.refreshes.is_empty()).unwrap_or(windows.len());
    shapes(&windows[..first]).or_else(|| shapes(windows))
}

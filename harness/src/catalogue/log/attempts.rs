//! LOG-05: each refresh and its outcome, with a time.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;

use super::{
    windows::{Said, Window, began_calmly, everyday, said, windows},
    words::{BADLY, LEVEL, Line, THING, WRONG, only_begins, shape, words},
};
use crate::{
    catalogue::{Finding, Verdict, shared::*},
    evidence::LogStream,
    judge::{Exchange, View},
};

/// A refresh or its fruit is spoken of.
static REFRESH: LazyLock<Regex> =
    LazyLock::new(|| words(r"(refresh|renew|rotat|\btokens?\b|_tokens?\b|credential|\boauth|\bauth\b|authori[sz]ation)"));
/// It came out well.
static WELL: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"(refreshed|renewed|rotated|succe|obtain|receiv|\bgot\b|\bnew\b|updat|stored|saved|persist|replac|exchanged|granted|issued|",
        r"\bok\b|\bdone\b|complete|valid (for|until)|expires?[ _-]?(in|at)|\b200\b)",
    ))
});
/// A time of day, or seconds since 1970.
static TIME: LazyLock<Regex> =
    LazyLock::new(|| words(r"(\d{1,2}:\d{2}:\d{2}|\b1[6-9]\d{8}(\d{3}|\d{6}|\.\d+)?\b|\b\d{4}-?\d{2}-?\d{2}t\d{4,6})"));

pub(super) fn log_05(view: &View<'_>) -> Finding {
    let windows = windows(view);
    let all = said(view);
    if all.is_empty() {
        return Finding::locked("not one log line of the subject was seen", "logs.files");
    }
    let Some(everyday) = everyday(&windows) else {
        return unrealised(view, "no work was done without a refresh, so that nothing is known of what it logs anyway");
    };
    let refreshing: Vec<_> = windows.iter().filter(|window| !window.refreshes.is_empty()).collect();
    let findings = refreshing.iter().flat_map(|window| judge(view, window, &all, &everyday, refreshing.len())).collect();
    let finding = worst(findings).unwrap_or_else(|| unrealised(view, "no refresh was answered in this story"));
    if finding.verdict == Verdict::Fail && !began_calmly(&windows) {
        return Finding::undecided("the story began with a refresh, so that it is not sure what the subject logs anyway");
    }
    finding
}

/// Good, or not; none if the subject never got an answer that it could log.
fn outcome(x: &Exchange<'_>) -> Option<bool> {
    x.replied.filter(|_| x.read.is_some() || x.read_unknown).map(|_| x.pair().is_some())
}

fn judge(view: &View<'_>, window: &Window<'_, '_>, all: &[Said<'_>], everyday: &HashSet<String>, count: usize) -> Vec<Finding> {
    let outcomes: Vec<_> = window.refreshes.iter().map(|x| outcome(x)).collect();
    let mut findings = Vec::new();
    if !window.ended || outcomes.contains(&None) {
        findings.push(Finding::undecided("it is not known that the subject had read the answer to a refresh, and come to rest"));
        return findings;
    }
    // What came of it is then told in words of its own: the answer was dropped, the connection has changed.
    if window.refreshes.iter().any(|x| is_overtaken(view, x)) {
        findings.push(Finding::undecided("while a refresh was on its way the user came or went: its answer need not count any more"));
        return findings;
    }
    let good = outcomes.contains(&Some(true));
    if good {
        findings.push(logged(window, all, everyday, count, true));
    }
    if outcomes.contains(&Some(false)) {
        let failed = logged(window, all, everyday, count, false);
        // Of several attempts for one piece of work the last one may be all that is told.
        let spared = good && failed.verdict == Verdict::Fail;
        findings.push(if spared { Finding::undecided("of several attempts at once only the last one was logged") } else { failed });
    }
    findings
}

/// The user came or went while it was on its way, or a login came to its end.
fn is_overtaken(view: &View<'_>, x: &Exchange<'_>) -> bool {
    let Some((replied, ..)) = x.replied else { return false };
    let login = |y: &Exchange<'_>| y.arrived < replied && y.replied.is_none_or(|(mark, ..)| mark > x.arrived);
    disturbed(view, x.arrived, replied) || view.code_exchanges().any(login)
}

fn logged(window: &Window<'_, '_>, all: &[Said<'_>], everyday: &HashSet<String>, count: usize, good: bool) -> Finding {
    let tells = |line: &Said<'_>| !everyday.contains(&shape(line.text)) && if good { succeeded(line.text) } else { failed(line.text) };
    let asked = window.refreshes.iter().map(|x| x.arrived).min().unwrap_or(window.from);
    let cited = |line: &Said<'_>| vec![asked.n, line.mark.n];
    let mut shown: Vec<&Said<'_>> = window.lines.iter().filter(|line| tells(line)).collect();
    if shown.is_empty() {
        // What was buffered comes late.
        let late: Vec<_> = all.iter().filter(|line| line.mark > asked && tells(line)).collect();
        if late.len() >= count || window.lines.is_empty() {
            shown = late;
        }
    }
    let what = if good { "succeeded" } else { "failed" };
    if let Some(timed) = shown.iter().find(|line| TIME.is_match(line.text)) {
        return Finding::pass(format!("the refresh that {what} was logged with a time"), cited(timed));
    }
    if let Some(line) = shown.first() {
        return match line.stream {
            LogStream::File(path) => Finding::fail(format!("the refresh that {what} was logged in {path} without a time"), cited(line)),
            LogStream::Stdout | LogStream::Stderr => {
                Finding::undecided(format!("the refresh that {what} was logged without a time; whoever collects the output may add one"))
            }
        };
    }
    let strange = |line: &&Said<'_>| !everyday.contains(&shape(line.text)) && !Line::plain(line.mark, line.text).is_understood();
    if window.lines.iter().any(|line| strange(&line)) {
        return Finding::undecided(format!("lines were logged around the refresh that {what}, and not all of them were understood"));
    }
    // Whoever tries again soon may count a passing fault as nothing to tell; a refusal is LOG-01's as well.
    if !good && window.refreshes.iter().all(|x| x.refusal().is_none()) {
        return Finding::undecided("a refresh met a passing fault, and nothing was logged of it");
    }
    Finding::fail(format!("nothing was logged of the refresh that {what}"), vec![asked.n, window.until.n])
}

pub(super) fn succeeded(text: &str) -> bool {
    let text = LEVEL.replace_all(text, " ");
    REFRESH.is_match(&text) && WELL.is_match(&text) && !WRONG.is_match(&text)
}

fn failed(text: &str) -> bool {
    if only_begins(text) {
        return false;
    }
    let text = LEVEL.replace_all(text, " ");
    (THING.is_match(&text) || REFRESH.is_match(&text)) && (WRONG.is_match(&text) || BADLY.is_match(&text))
}

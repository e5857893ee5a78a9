//! DETECT-06: a 403 is no reason to throw anything away, and no secret.

use std::collections::HashSet;

use regrant_mock_server::fault::scenario::Status;

use super::{
    denied::{Denial, again, denial},
    forbidden, stored,
};
use crate::{
    catalogue::{
        Finding,
        log::words::shape,
        prompt::{differs, messages},
        shared::*,
    },
    evidence::{Outcome, What},
    judge::{Mark, View},
};

pub(super) fn detect_06(view: &View<'_>) -> Finding {
    let Some(denial) = denial(view, &[403]) else { return unrealised(view, "the API answered no good token with 403 in this story") };
    // What is purged once a refresh was refused is not purged for a 403.
    let until = denial.until.min(outcome_after(view, denial.first));
    let denial = Denial { calls: denial.calls.into_iter().filter(|x| x.arrived < until).collect(), until, ..denial };
    if let Some((token, before, after)) = stored::gone(view, denial.first, denial.until) {
        return Finding::fail(format!("{token} was purged for a 403"), vec![before.n, denial.first.n, after.n]);
    }
    if let Some((before, after)) = settings_changed(view, &denial) {
        return Finding::fail("the settings are not what they were before the 403", vec![before.n, denial.first.n, after.n]);
    }
    let shown = shown(view, &denial);
    if let Err(finding) = shown {
        return finding;
    }
    if denial.calls.len() < 2 {
        return Finding::undecided("the 403 was answered only once");
    }
    let Some(kept) = kept(view, &denial) else {
        return Finding::undecided(
            "nothing shows whether the tokens were kept: they were not found in storage, and no call succeeded when the fault was over",
        );
    };
    match (shown, again(view, denial.first)) {
        (Ok(shown), Ok(worked)) => {
            Finding::pass("it kept its tokens, and the fault could be seen", vec![denial.first.n, shown.n, kept.n, worked.n])
        }
        (_, Err(reason)) => Finding::undecided(reason),
        (Err(finding), Ok(_)) => finding,
    }
}

/// The tokens are still there, or still work.
fn kept(view: &View<'_>, denial: &Denial<'_, '_>) -> Option<Mark> {
    let last = denial.calls.last()?.arrived;
    let works = view.api_calls(last, denial.until).find(|x| x.answered(2)).map(|x| x.arrived);
    works.or_else(|| stored::still_there(view, denial.first, denial.until))
}

fn settings_changed(view: &View<'_>, denial: &Denial<'_, '_>) -> Option<(Mark, Mark)> {
    let readings: Vec<_> = settings(view).into_iter().filter_map(|(mark, read)| Some((mark, read?))).collect();
    let (before, old) = readings.iter().find(|(mark, _)| *mark < denial.first)?;
    // Settings that differ from reading to reading show nothing; a notice beside them is no change of them.
    if readings.iter().any(|(mark, read)| *mark < denial.first && (!read.keep(*old) || !old.keep(*read))) {
        return None;
    }
    let during: Vec<_> = readings.iter().filter(|(mark, _)| *mark > denial.first && *mark < denial.until).collect();
    let (after, _) = during.last()?;
    during.iter().all(|(_, read)| !read.keep(*old)).then_some((*before, *after))
}

/// Where the fault could be seen. Silence convicts only where the subject's log is read.
fn shown(view: &View<'_>, denial: &Denial<'_, '_>) -> Result<Mark, Finding> {
    let over = over(view, denial);
    let within = |mark: Mark| mark > denial.first && mark < over;
    let calm = view.statuses().rfind(|(mark, ..)| *mark < denial.first).map(|(_, _, raw)| shape(raw));
    let status = view.statuses().find(|(mark, state, raw)| {
        within(*mark) && (*state != Some(Status::Connected) || calm.as_ref().is_some_and(|calm| *calm != shape(raw)))
    });
    let page = view.prompts().filter(|(mark, _)| *mark < denial.first).last();
    let page = page.and_then(|(_, calm)| view.prompts().find(|(mark, page)| within(*mark) && differs(calm, page)));
    let refused = view.triggers(START, denial.until).filter(|call| call.outcome() == Some(Outcome::Refused));
    let refused = refused.filter_map(|call| call.answered).map(|(mark, _)| mark).find(|mark| within(*mark));
    let told = messages::novel(view, denial.first, over);
    let marks = [status.map(|(mark, ..)| mark), page.map(|(mark, _)| mark), refused, told, logged(view, denial, over)];
    if let Some(mark) = marks.into_iter().flatten().min() {
        return Ok(mark);
    }
    let lines = view.marks(|what| matches!(what, What::Log { .. }));
    if lines.is_empty() {
        return Err(Finding::locked("nothing shows the fault, and not one log line of the subject was seen", "logs.files"));
    }
    let Some(looked) = looked(view, denial) else { return Err(Finding::undecided("nothing shows the fault up to now")) };
    let cited = denial.calls.iter().take(3).map(|x| x.arrived.n).chain([looked.n]).collect();
    Err(Finding::fail("the API answered 403, and neither status, page, log nor the trigger's answer tells of it", cited))
}

/// Everything that could show the second denial was looked at after it.
fn looked(view: &View<'_>, denial: &Denial<'_, '_>) -> Option<Mark> {
    let denied = denial.calls.get(1)?.arrived;
    let after = |mark: Mark| mark > denied && mark < denial.until;
    let status = view.statuses().map(|(mark, ..)| mark).find(|mark| after(*mark));
    let page = view.prompts().map(|(mark, _)| mark).find(|mark| after(*mark));
    let unanswered = view.triggers(START, denial.until).any(|call| !call.was_answered());
    let blind = (view.terms.status && status.is_none()) || (view.terms.prompt && page.is_none()) || unanswered;
    view.settled_after(denied).filter(|mark| *mark < denial.until && !blind)
}

/// When the subject was asked for something new after the last denial.
fn over(view: &View<'_>, denial: &Denial<'_, '_>) -> Mark {
    let rest = denial.calls.last().and_then(|x| view.settled_after(x.arrived)).unwrap_or(denial.until);
    view.triggers(rest, denial.until).map(|call| call.called).min().unwrap_or(denial.until)
}

/// A line of a kind that was not there before, or a warning that names the 403 for the first time.
fn logged(view: &View<'_>, denial: &Denial<'_, '_>, over: Mark) -> Option<Mark> {
    let lines = view.events().filter_map(|(mark, what)| match what {
        What::Log { text, .. } => Some((mark, shape(text), forbidden::tells_of(text, &denial.calls))),
        _ => None,
    });
    let lines: Vec<_> = lines.collect();
    let before = || lines.iter().filter(|(mark, ..)| *mark < denial.first);
    let habits: HashSet<&String> = before().map(|(_, shape, _)| shape).collect();
    let always = before().any(|(.., tells)| *tells);
    let within = lines.iter().filter(|(mark, ..)| *mark > denial.first && *mark < over);
    within.into_iter().find(|(_, shape, tells)| !habits.contains(shape) || (*tells && !always)).map(|(mark, ..)| *mark)
}

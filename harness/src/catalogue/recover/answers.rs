//! Whether users get an answer while the token endpoint gives none.

use super::super::{Finding, shared::*};
use crate::{
    evidence::{Micros, Phase, Verb, What},
    judge::{Call, Exchange, Mark, View},
};

/// A person waits so long without complaint.
const BEARABLE: Micros = 5_000_000;
/// A subject that is slow by nature may be so many times as slow.
const TIMES: u64 = 10;

/// Something that a user asked while the token endpoint was in trouble.
struct Asked {
    called: Mark,
    verb: &'static str,
    /// None: there was no answer.
    took: Option<Micros>,
    /// No answer came for at least so long.
    waited: Micros,
    bound: Micros,
    /// It waits for the token itself: the subject does its work before it answers. None: that cannot be told.
    synchronous: Option<bool>,
}

pub(super) fn recover_07(view: &View<'_>) -> Finding {
    let troubled: Vec<_> = view.exchanges.iter().filter(|x| x.is_refresh() && !x.fates.is_empty() && x.issued_in().is_none()).collect();
    let Some(first) = troubled.first() else { return unrealised(view, "no refresh met a token endpoint in trouble in this story") };
    let from = first.arrived;
    let until = over(view, from);
    let asked: Vec<Asked> = verbs(view, from, until).into_iter().chain(pages(view, from, until)).collect();
    let is_slow = |it: &&Asked| it.synchronous != Some(true) && it.took.unwrap_or(it.waited) > it.bound;
    if let Some(slow) = asked.iter().find(|it| is_slow(it) && it.synchronous.is_some()) {
        let took = match slow.took {
            Some(took) => format!("was answered only after {} ms", took / 1000),
            None => format!("was not answered within {} ms", slow.waited / 1000),
        };
        let reason = format!("while the token endpoint was in trouble `{}` {took}; {} ms are bearable", slow.verb, slow.bound / 1000);
        return Finding::fail(reason, vec![from.n, slow.called.n]);
    }
    if asked.iter().any(|it| is_slow(&it)) {
        return Finding::undecided(
            "a trigger was answered late; whether it answers when its work is done cannot be told from that of webhooks",
        );
    }
    let in_time = |it: &&Asked| it.verb != "trigger" && it.took.is_some_and(|took| took <= it.bound);
    let looked: Vec<_> = asked.iter().filter(in_time).collect();
    if !view.terms.status && !view.terms.prompt {
        return Finding::locked("neither a status nor a page is known that a user could ask for meanwhile", "[status] or [prompt]");
    }
    // Where requests are kept waiting it must be seen that an answer came meanwhile.
    let hangs = troubled.iter().any(|x| is_kept(x));
    let meanwhile = looked.iter().find(|it| !hangs || troubled.iter().any(|x| is_kept(x) && is_open(x, it.called)));
    let Some(meanwhile) = meanwhile else {
        return Finding::undecided("neither status nor page was asked for while a refresh was waiting for its answer");
    };
    const PASSED: &str = "users were answered while the token endpoint was in trouble";
    match asked.iter().find(|it| it.verb == "trigger") {
        Some(trigger) if trigger.took.is_some() => Finding::pass(PASSED, vec![from.n, meanwhile.called.n, trigger.called.n]),
        // How long that one waits for its token is a matter of RETRY-05.
        Some(trigger) if trigger.synchronous == Some(true) => Finding::pass(PASSED, vec![from.n, meanwhile.called.n]),
        Some(_) | None => Finding::undecided("no trigger was answered while the token endpoint was in trouble"),
    }
}

/// The trouble is over when its rule is, or the common end begins.
fn over(view: &View<'_>, from: Mark) -> Mark {
    let ends = |what: &What| matches!(what, What::RuleEnded { .. } | What::PhaseBegan { phase: Phase::Epilogue });
    view.events().find(|(mark, what)| *mark > from && ends(what)).map_or(Mark::END, |(mark, _)| mark)
}

/// It waits: nothing was answered at once.
fn is_kept(x: &Exchange<'_>) -> bool {
    x.fates.iter().any(|fate| ["hang", "hold", "delay", "throttle"].iter().any(|word| fate.starts_with(word)))
}

fn is_open(x: &Exchange<'_>, at: Mark) -> bool {
    let end = x.replied.map(|(mark, ..)| mark).or(x.aborted.map(|(mark, _)| mark)).unwrap_or(Mark::END);
    x.arrived < at && at < end
}

fn verbs(view: &View<'_>, from: Mark, until: Mark) -> Vec<Asked> {
    let last = view.events().next_back().map_or(from, |(mark, _)| mark);
    let calls = view.calls.iter().filter(|call| call.called > from && call.called < until && is_undisturbed(view, call));
    let asked = calls.filter_map(|call| {
        let verb = name(call.verb)?;
        let took = call.answered.filter(|_| call.was_answered()).map(|(mark, _)| mark.at.saturating_sub(call.called.at));
        let waited = call.answered.map_or(last, |(mark, _)| mark).at.saturating_sub(call.called.at);
        let synchronous = if call.verb == Verb::Trigger { works_before_it_answers(view) } else { Some(false) };
        Some(Asked { called: call.called, verb, took, waited, bound: bound(view, verb), synchronous })
    });
    asked.collect()
}

/// The page has been there when its reading is told of.
fn pages(view: &View<'_>, from: Mark, until: Mark) -> Vec<Asked> {
    let read = view.prompts().filter(|(mark, page)| mark.at.saturating_sub(page.took) > from.at && *mark < until);
    let bound = bound(view, "prompt");
    read.map(|(called, page)| Asked { called, verb: "prompt", took: Some(page.took), waited: page.took, bound, synchronous: Some(false) })
        .collect()
}

fn name(verb: Verb) -> Option<&'static str> {
    match verb {
        Verb::Status => Some("status"),
        Verb::Trigger => Some("trigger"),
        Verb::Start | Verb::Connect | Verb::Disconnect | Verb::Stop => None,
    }
}

/// Neither stopped, ended nor paused meanwhile.
fn is_undisturbed(view: &View<'_>, call: &Call<'_>) -> bool {
    let answered = call.answered.map_or(Mark::END, |(mark, _)| mark);
    let disturbs = |what: &What| matches!(what, What::ProcessStopping { .. } | What::ProcessExited { .. } | What::Paused { .. });
    !view.events().any(|(mark, what)| mark > call.called && mark < answered && disturbs(what))
}

/// In the prologue a trigger was answered only when all its calls had been made. Where webhooks led to work there, too, those triggers tell
/// that came alone after the trouble.
fn works_before_it_answers(view: &View<'_>) -> Option<bool> {
    if view.terms.one_shot {
        return Some(true);
    }
    let calm = view.prologue_end().unwrap_or(Mark::END);
    if view.webhooks(START, calm) == 0 {
        return Some(view.triggers(START, calm).any(|call| calls(view, call, calm) == Some((true, false))));
    }
    let end = view.marks(|what| matches!(what, What::PhaseBegan { phase: Phase::Epilogue })).last().copied().unwrap_or(Mark::END);
    let alone: Vec<_> =
        view.triggers(end, Mark::END).filter(|call| is_alone(view, call)).filter_map(|call| calls(view, call, Mark::END)).collect();
    // Calls before the answer and after it tell neither: work may begin at once, and something may be tried again.
    match (alone.contains(&(true, false)), alone.contains(&(false, true))) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        (true, true) | (false, false) => None,
    }
}

/// Whether the API was called before a trigger was answered, and whether after it.
fn calls(view: &View<'_>, call: &Call<'_>, calm: Mark) -> Option<(bool, bool)> {
    let (answered, _) = call.answered?;
    let rest = view.settled_after(answered).unwrap_or(calm);
    Some((view.api_calls(call.called, answered).next().is_some(), view.api_calls(answered, rest).next().is_some()))
}

/// Nothing else led to work since the subject had come to rest.
fn is_alone(view: &View<'_>, call: &Call<'_>) -> bool {
    let Some(before) = view.rests.iter().rfind(|rest| rest.mark < call.called).filter(|rest| rest.quiet).map(|rest| rest.mark) else {
        return false;
    };
    let Some(after) = view.rest_after(call.called).filter(|rest| rest.quiet).map(|rest| rest.mark) else { return false };
    let login = view.calls.iter().any(|it| it.verb == Verb::Connect && it.called > before && it.called < after);
    view.askings(before, after) == 1 && !call.is_webhook() && !login
}

/// How long an answer may take: by what it took in the prologue.
fn bound(view: &View<'_>, verb: &str) -> Micros {
    let calm = view.prologue_end().unwrap_or(START);
    let calls = view.calls.iter().filter(|call| call.called < calm && name(call.verb) == Some(verb));
    let mut spans: Vec<Micros> = calls.filter_map(|call| Some(call.answered?.0.at.saturating_sub(call.called.at))).collect();
    if verb == "prompt" {
        spans = view.prompts().filter(|(mark, _)| *mark < calm).map(|(_, page)| page.took).collect();
    }
    spans.sort_unstable();
    let median = spans.get(spans.len() / 2).copied().unwrap_or_default();
    BEARABLE.max(median.saturating_mul(TIMES))
}

#[cfg(test)]
mod tests;

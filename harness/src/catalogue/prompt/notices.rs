//! PROMPT-04: the user is told once per outage.

use regex::Regex;

use crate::{
    catalogue::{Finding, shared::*},
    evidence::{Says, What},
    judge::{Death, Ended, Mark, View, control},
};

pub(in super::super) fn prompt_04(view: &View<'_>) -> Finding {
    if view.terms.prompt_log.is_none() && !view.terms.prompt_notices {
        return Finding::not_applicable(
            "there is no channel by which the user would be told once: `prompt.log`, `prompt.webhook` and `prompt.mail` name one",
        );
    }
    let pattern = match view.terms.prompt_log.as_deref().map(Regex::new).transpose() {
        Ok(pattern) => pattern,
        Err(error) => return Finding::undecided(format!("`prompt.log` is no regular expression: {error}")),
    };
    let notices: Vec<Mark> = view.marks(|what| match what {
        What::Log { text, .. } => pattern.as_ref().is_some_and(|pattern| pattern.is_match(text)),
        What::Notified { says, .. } => *says == Says::Yes,
        _ => false,
    });
    each_death(view, Ended::Grant, |death| told_once(view, &notices, death))
}

fn told_once(view: &View<'_>, notices: &[Mark], death: &Death) -> Finding {
    let Some(settled) = death.settled else { return not_at_rest() };
    let told: Vec<Mark> = notices.iter().copied().filter(|mark| *mark > death.asked && *mark < death.until).collect();
    if view.events().any(|(_, what)| matches!(what, What::LogFlooded { .. })) {
        return Finding::undecided("there were so many log lines that not all of them were kept");
    }
    // Asked for again and again, it has no reason to say it again; a new process may.
    let stimuli = match control::delivered(view, control::MAIN, settled, death.process_until, 2, "after the refusal") {
        Ok(stimuli) => stimuli,
        Err(reason) => return Finding::undecided(reason),
    };
    let again: Vec<Mark> = told.iter().copied().filter(|mark| *mark > settled && *mark < death.process_until).collect();
    let occasions = occasions(view, &again);
    let Some(first) = told.first() else {
        return Finding::fail("nobody was told that access must be restored", vec![death.refused.n, settled.n]);
    };
    let late = usize::from(*first > settled);
    let several = |what: &What| matches!(what, What::VerbCalled { connection: Some(_), .. });
    if occasions.len() > late && view.events().any(|(_, what)| several(what)) {
        return Finding::undecided("the user was told again: of which connection is not known");
    }
    if occasions.len() > late {
        let reason = format!(
            "told again {}: once per outage is enough",
            if occasions.len() > 1 { "with each piece of work" } else { "with later work" }
        );
        return Finding::fail(reason, [vec![death.refused.n, first.n], occasions].concat());
    }
    Finding::pass("told once in this outage", [vec![death.refused.n, first.n], stimuli].concat())
}

/// One notice for each stimulus that brought some.
fn occasions(view: &View<'_>, notices: &[Mark]) -> Vec<u32> {
    let mut causes: Vec<(Option<Mark>, u32)> = notices.iter().map(|mark| (view.stimulus_before(mark.at), mark.n)).collect();
    causes.dedup_by_key(|(cause, _)| *cause);
    causes.into_iter().map(|(_, n)| n).collect()
}

#[cfg(test)]
mod tests;

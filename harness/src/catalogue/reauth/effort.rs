//! What the way back costs the user, and where it ends.

use super::super::{Finding, shared::*};
use crate::{
    evidence::{PageSeen, Says, What},
    judge::{ConnectBy, Death, Ended, Mark, View},
};

/// More than these are a burden.
const MOST: u32 = 3;

pub(super) fn reauth_12(view: &View<'_>) -> Finding {
    if !view.terms.prompt {
        return Finding::locked("it is not known where a person would see that access must be restored", "[prompt]");
    }
    each_death(view, Ended::Grant, |death| {
        let Some(settled) = death.settled else { return not_at_rest() };
        let pages: Vec<_> = view.prompts().filter(|(mark, _)| *mark > settled && *mark < death.until).collect();
        let shortest =
            pages.iter().filter_map(|(mark, page)| Some((*mark, page.actions?, page.fields.unwrap_or_default()))).min_by_key(|it| it.1);
        match shortest {
            Some((mark, actions, fields)) => weighed(death, mark, actions, fields),
            None => by_command(view, death, &pages),
        }
    })
}

fn weighed(death: &Death, mark: Mark, actions: u32, fields: u32) -> Finding {
    let cited = vec![death.refused.n, mark.n];
    match (actions, fields) {
        (0..=MOST, 0) => {
            Finding::pass(format!("{actions} actions lead from the prompt to the consent page, and nothing must be typed"), cited)
        }
        (0..=MOST, _) => Finding::undecided(format!(
            "{fields} fields must be filled in on the way: whether the subject knows what it asks for cannot be told"
        )),
        (_, _) => Finding::fail(format!("{actions} actions lead from the prompt to the consent page, more than {MOST}"), cited),
    }
}

/// No page leads there: a command may.
fn by_command(view: &View<'_>, death: &Death, pages: &[(Mark, &PageSeen)]) -> Finding {
    let told = pages.iter().find(|(_, page)| page.says == Says::Yes);
    let asked = view.marks(|what| matches!(what, What::Authorize { .. })).into_iter().find(|mark| *mark > death.until);
    match (view.terms.connect, told, asked) {
        (ConnectBy::Command, Some((mark, _)), Some(asked)) => {
            Finding::pass("the user is told, and one command leads to the consent page", vec![death.refused.n, mark.n, asked.n])
        }
        (ConnectBy::Command, ..) => {
            Finding::undecided("it was not seen that the user is told and that the command leads to the consent page")
        }
        (ConnectBy::Script, ..) => Finding::locked(
            "the page is walked on by a script, and scripts are not run: how many actions it takes cannot be told",
            "prompt.http, at an address whose answer names the address of `connect` or the authorise URL",
        ),
        (ConnectBy::Link, ..) => Finding::undecided("no way from the prompt to the consent page was found"),
    }
}

pub(super) fn reauth_09(view: &View<'_>) -> Finding {
    if !view.terms.prompt_from {
        return Finding::locked("no place is known that the user should come back to", "prompt.from = \"/deep/page?x=1\"");
    }
    let findings = view.events().filter_map(|(mark, what)| match what {
        What::Returned { call, to, there } => Some(brought_back(view, mark, *call, to, *there)),
        _ => None,
    });
    worst(findings.collect()).unwrap_or_else(|| {
        unrealised(view, "no login began at `prompt.from`: that place showed no way to the consent page, or the user did not come back")
    })
}

fn brought_back(view: &View<'_>, mark: Mark, call: u32, to: &str, there: bool) -> Finding {
    let Some(login) = view.calls.iter().find(|it| it.id == call) else { return Finding::undecided("the login is not known") };
    let exchanged =
        |x: &&crate::judge::Exchange<'_>| x.is_code_exchange() && x.pair().is_some() && x.arrived > login.called && x.arrived < mark;
    let Some(x) = view.exchanges.iter().find(exchanged) else {
        return Finding::undecided("the login that began at `prompt.from` did not succeed");
    };
    let cited = vec![login.called.n, x.arrived.n, mark.n];
    if there {
        Finding::pass("the user was brought back to the place where the login began", cited)
    } else {
        Finding::fail(format!("the user set out from `prompt.from` and was brought to {to}"), cited)
    }
}

#[cfg(test)]
mod tests;

//! Messages that come to the user by themselves: a webhook, a mail. Where no page prompts, they are the prompt.

use std::collections::HashSet;

use super::{super::log::words::shape, no_link};
use crate::{
    catalogue::{Finding, shared::*},
    evidence::{Says, What},
    judge::{ConnectBy, Death, Ended, Mark, View},
};

/// What would show the rest.
const PAGE: &str = "prompt.http, beside prompt.webhook or prompt.mail";

struct Message<'h> {
    mark: Mark,
    text: &'h str,
    tells: bool,
    /// Its links were followed: one leads to the authorise endpoint.
    leads: Option<(Mark, bool)>,
}

fn messages<'h>(view: &View<'h>) -> Vec<Message<'h>> {
    let followed = |number: u32| {
        view.events().find_map(|(mark, what)| match what {
            What::NoticeFollowed { notice, leads_to_authorize, .. } if *notice == number => Some((mark, *leads_to_authorize)),
            _ => None,
        })
    };
    let one = |(mark, what): (Mark, &'h What)| match what {
        What::Notified { text, says, notice, .. } => Some(Message { mark, text, tells: *says == Says::Yes, leads: followed(*notice) }),
        _ => None,
    };
    view.events().filter_map(one).collect()
}

/// There is no page, but messages.
pub(super) fn only(view: &View<'_>) -> bool {
    view.terms.prompt_notices && !view.terms.prompt
}

/// The first message between two moments that is of a kind which did not come before.
pub(in crate::catalogue) fn novel(view: &View<'_>, from: Mark, until: Mark) -> Option<Mark> {
    let all = messages(view);
    let habits: HashSet<String> = all.iter().filter(|message| message.mark < from).map(|message| shape(message.text)).collect();
    all.iter().find(|message| message.mark > from && message.mark < until && !habits.contains(&shape(message.text))).map(|it| it.mark)
}

/// What came in an outage, if the subject had its time.
fn after(view: &View<'_>, check: impl Fn(&Death, &[Message<'_>]) -> Finding) -> Finding {
    each_death(view, Ended::Grant, |death| {
        if death.settled.is_none() {
            return not_at_rest();
        }
        let came: Vec<_> = messages(view).into_iter().filter(|it| it.mark > death.asked && it.mark < death.until).collect();
        if came.is_empty() {
            return Finding::undecided("no message came after the refusal: nothing shows what the user sees");
        }
        if !came.iter().any(|message| message.tells) && !view.terms.prompt_says {
            return Finding::locked(
                "no words were recognised in the messages that say that access must be restored",
                "prompt.says = \"regex\"",
            );
        }
        check(death, &came)
    })
}

pub(super) fn prompt_01(view: &View<'_>) -> Finding {
    after(view, |death, came| {
        let told: Vec<_> = came.iter().filter(|message| message.tells).collect();
        let Some(first) = told.first() else { return Finding::undecided("no message after the refusal tells the user") };
        if let Some((message, followed)) = told.iter().find_map(|it| Some((it.mark, it.leads.filter(|(_, leads)| *leads)?.0))) {
            let cited = vec![death.refused.n, message.n, followed.n];
            return Finding::pass("a message after the refusal leads to the authorise endpoint", cited);
        }
        if view.terms.connect == ConnectBy::Command {
            return no_link(view, death, true, vec![death.refused.n, first.mark.n]);
        }
        // The user is told, and may find the way in the subject itself.
        match told.iter().any(|message| message.leads.is_some()) {
            true => Finding::locked(
                "the user is told by a message without a link to the authorise endpoint; what they find in the subject is not known",
                PAGE,
            ),
            false => Finding::undecided("the links in the message were not followed"),
        }
    })
}

pub(super) fn prompt_02(view: &View<'_>) -> Finding {
    after(view, |death, came| {
        let told = came.iter().find(|message| message.tells);
        let cited = |mark: Mark| vec![death.refused.n, mark.n];
        match (told, came.first()) {
            (Some(told), _) => Finding::pass("a message says that access must be restored", cited(told.mark)),
            (None, Some(first)) => Finding::fail("no message after the refusal says that access must be restored", cited(first.mark)),
            (None, None) => Finding::undecided("no message came after the refusal"),
        }
    })
}

/// The user was told during a fault that would have passed. Without the author's own words a message must lead somewhere to be a prompt:
/// "the connection was lost, we will try again" is none.
pub(super) fn too_early(view: &View<'_>, fault: Mark) -> Option<Finding> {
    let end = outcome_after(view, fault);
    let during: Vec<_> = messages(view).into_iter().filter(|it| it.tells && it.mark > fault && it.mark < end).collect();
    let first = during.first()?;
    let several = |what: &What| matches!(what, What::VerbCalled { connection: Some(_), .. });
    if view.events().any(|(_, what)| several(what)) {
        return Some(Finding::undecided("a message came during the transient fault: which connection it speaks of is not known"));
    }
    let prompts = |message: &&Message<'_>| view.terms.prompt_says || message.leads.is_some_and(|(_, leads)| leads);
    Some(match during.iter().find(prompts) {
        Some(message) => {
            Finding::fail("a message asked the user to reauthenticate for a fault that would have passed", vec![fault.n, message.mark.n])
        }
        None => Finding::locked(
            format!("a message came during the transient fault, and it is not certain that it asks for anything (event {})", first.mark.n),
            "prompt.says = \"regex\"",
        ),
    })
}

/// No message came during the fault; one comes when it is due.
pub(super) fn due(view: &View<'_>, fault: Mark, times: usize) -> Finding {
    let Some(death) = view.deaths.iter().find(|death| death.ended == Ended::Grant && death.asked > fault) else {
        return unrealised(view, "no real refusal followed the transient fault");
    };
    let due = messages(view).into_iter().find(|it| it.tells && it.mark > death.asked && it.mark < death.until);
    match (times, due) {
        (0 | 1, _) => Finding::undecided("the transient fault was met only once"),
        (_, None) => Finding::undecided("no message came when one was due"),
        (_, Some(due)) => Finding::pass(
            "no message during the transient fault, and one when the grant was dead",
            vec![fault.n, death.refused.n, due.mark.n],
        ),
    }
}

#[cfg(test)]
mod tests;

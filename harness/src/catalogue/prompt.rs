//! PROMPT: what the user is shown. A prompt is what differs from the page of a connected subject.

mod cleared;
pub(super) mod messages;
mod notices;

use super::{Finding, Level::*, Requirement, Scope, Severity::*, shared::*};
use regrant_mock_server::fault::scenario::Status;

use crate::{
    evidence::{PageSeen, Says, What, says},
    judge::{ConnectBy, Death, Ended, Mark, View},
};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "PROMPT-01",
        level: Must,
        severity: Error,
        sentence: "requires the user to reauthenticate: what the user sees leads to the authorise endpoint",
        sources: &["Pleo, How to handle token expiry or revocation, steps 2 and 3"],
        why: "Some integrations offer no way back at all: the connection must be deleted and made anew, settings and history with it.",
        observed: "The page of `prompt` while connected and after the refusal, or the messages that come to `{notify_url}` or `{smtp_url}`; every link, form and redirect that looks like a way to connect is walked up to the consent page.",
        undecided: "No `[prompt]`, or the page does not differ from that of a connected subject: a permanent link proves nothing. (Without a way to the authorise endpoint it fails if it says in English that it is connected, or if the status says that access is lost and no message told anybody.)",
        remedy: "When the connection is marked, show a notice with a link to the route that starts the authorisation flow.",
        declarable: false,
        scope: Scope::Connection,
        check: prompt_01,
    },
    Requirement {
        id: "PROMPT-02",
        level: Should,
        severity: Error,
        sentence: "is explicit: the user is told that access must be restored",
        sources: &[
            "Pleo, How to handle token expiry or revocation, step 4: explicit",
            "Pleo, Handling Refresh Token Expiry or Revocation: a friendly message prompting the user to reconnect",
        ],
        why: "\"Something went wrong\" makes users wait or write to support; the connection stays dead meanwhile.",
        observed: "Whether what differs on the page, or a message that comes after the refusal, matches `prompt.says`, by default a list of English words.",
        undecided: "No `[prompt]`; the page does not differ, and does not say in English that it is connected; or the words were not recognised and the manifest does not give them.",
        remedy: "Say what happened and what to do, next to the link.",
        declarable: true,
        scope: Scope::Connection,
        check: prompt_02,
    },
    Requirement {
        id: "PROMPT-03",
        level: Must,
        severity: Error,
        sentence: "does not prompt while a refresh would still work, nor for a transient fault",
        sources: &[
            "Pleo, Tokens overview: no prompt while a refresh would work",
            "Pleo, Centralised token refresh: reauthentication only when strictly needed",
        ],
        why: "After a minute of 503 all users of a service were sent through consent again.",
        observed: "The page of `prompt` during a transient fault, against the same page when the grant is really dead; messages likewise.",
        undecided: "No `[prompt]`; the fault was answered fewer than twice; or the same page showed no prompt when one was due.",
        remedy: "Prompt from the mark, and set the mark only for a definitive refusal.",
        declarable: true,
        scope: Scope::Connection,
        check: prompt_03,
    },
    Requirement {
        id: "PROMPT-04",
        level: Should,
        severity: Warning,
        sentence: "tells the user once per outage, not on every run, and not never",
        sources: &["Pleo, How to handle token expiry or revocation, step 4: make it explicit to users (best practice)"],
        why: "A mail for every run of the nightly job: after a week the user had a filter for them. Or none at all: nobody knew until the year's end.",
        observed: "Lines of log that `prompt.log` names, and messages to `{notify_url}` or `{smtp_url}` that tell the user, from the refusal until the user sets out to reconnect, against the work that was asked for meanwhile. A new process may tell it again.",
        undecided: "The work was asked for fewer than twice after the refusal, or there were too many log lines to look at all of them.",
        remedy: "Send the notice in the step that changes the connection's state, not in the job that meets the closed door.",
        declarable: true,
        scope: Scope::Connection,
        check: notices::prompt_04,
    },
    Requirement {
        id: "PROMPT-05",
        level: Must,
        severity: Error,
        sentence: "stops asking once access is restored",
        sources: &[
            "Pleo, Tokens overview: no prompt while a refresh would work",
            "Pleo, How to handle token expiry or revocation, step 4: a clear recovery path",
        ],
        why: "The banner hangs on a flag that only a deployment resets: users reconnect again and again, each login ending the one before, until nobody believes the banner.",
        observed: "The page of `prompt` after a reconnection that succeeded, once an API call has succeeded too and the subject rests, against the same page when the grant was dead, and while it was connected before.",
        undecided: "No `[prompt]`; no prompt was seen when one was due; no reconnection and call that succeeded; the page was not read afterwards; or a sentence of the prompt is still there, but no button came with it: it may be a record of what happened. It does not apply where messages alone tell the user.",
        remedy: "Show the prompt by the connection's stored state, and by nothing else; a login that succeeds changes that state.",
        declarable: true,
        scope: Scope::Connection,
        check: cleared::prompt_05,
    },
];

/// The page that was read at the end of the prologue, when all was well.
fn healthy<'h>(view: &View<'h>, before: Mark) -> Option<&'h PageSeen> {
    let trouble = view.prologue_end()?.min(before);
    view.prompts().filter(|(mark, _)| *mark < trouble).last().map(|(_, page)| page)
}

/// A person would see a difference.
pub(super) fn differs(a: &PageSeen, b: &PageSeen) -> bool {
    a.status != b.status || a.text != b.text
}

/// The page tells the user, and did not before. Where a permanent button has the words of a prompt, those of the sentences that are new count.
fn newly_says(view: &View<'_>, before: &PageSeen, after: &PageSeen) -> bool {
    match (before.says, after.says) {
        (Says::No, Says::Yes) => true,
        (Says::Yes, Says::Yes) if !view.terms.prompt_says => {
            let old: Vec<&str> = sentences(&before.text).collect();
            let new: Vec<&str> = sentences(&after.text).filter(|it| !old.contains(it)).collect();
            says(&new.join("\n"), None) == Says::Yes
        }
        _ => false,
    }
}

/// What can be read; the targets of links stand in lines of their own.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let target = |line: &&str| line.starts_with('/') || line.contains("://");
    text.lines().filter(move |line| !target(line)).flat_map(|line| line.split(['.', '!', '?'])).map(str::trim)
}

/// Words that make of "connected" something else than the state of affairs.
const NOT_SO: [&str; 26] = [
    "not",
    "no",
    "never",
    "longer",
    "isn",
    "aren",
    "t",
    "once",
    "if",
    "when",
    "until",
    "unless",
    "whether",
    "be",
    "being",
    "get",
    "gets",
    "stay",
    "stays",
    "keep",
    "was",
    "were",
    "previously",
    "last",
    "before",
    "to",
];

/// The page goes on to say in plain English that the connection with Pleo stands, and the user was not told elsewhere.
fn insists(view: &View<'_>, death: &Death, page: &PageSeen) -> bool {
    !is_told_elsewhere(view, death) && says_connected(&page.text)
}

/// The subject knows that access is lost, and told nobody elsewhere.
fn keeps_quiet(view: &View<'_>, death: &Death) -> bool {
    let marked = view.statuses().any(|(mark, state, _)| mark > death.knew && mark < death.until && state == Some(Status::Disconnected));
    marked && !is_told_elsewhere(view, death)
}

fn is_told_elsewhere(view: &View<'_>, death: &Death) -> bool {
    let came = |(mark, what): (Mark, &What)| matches!(what, What::Notified { .. }) && mark > death.asked && mark < death.until;
    view.terms.prompt_log.is_some() || view.terms.prompt_notices || view.events().any(came)
}

/// A sentence that names Pleo says "connected", and nowhere does a word shortly before it take that back.
fn says_connected(text: &str) -> bool {
    let mut states = false;
    for sentence in sentences(text) {
        let sentence = sentence.to_lowercase();
        let words: Vec<&str> = sentence.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        for (place, _) in words.iter().enumerate().filter(|(_, word)| **word == "connected") {
            if words[place.saturating_sub(3)..place].iter().any(|word| NOT_SO.contains(word)) {
                return false;
            }
            states |= words.contains(&"pleo");
        }
    }
    states
}

/// The page after a refusal, with the page of the connected subject before it.
fn pages<'h>(view: &View<'h>, check: impl Fn(&Death, &'h PageSeen, &'h PageSeen, Vec<u32>) -> Finding) -> Finding {
    if !view.terms.prompt {
        return Finding::locked("it is not known where a person would see that access must be restored", "[prompt]");
    }
    each_death(view, Ended::Grant, |death| {
        let Some(settled) = death.settled else { return not_at_rest() };
        let Some(before) = healthy(view, death.asked) else { return Finding::undecided("the page was not read while connected") };
        let seen = view.prompts().find(|(mark, _)| *mark > settled && *mark < death.until);
        let Some((mark, after)) = seen else { return Finding::undecided("the page was not read after the refusal") };
        check(death, before, after, vec![death.refused.n, mark.n])
    })
}

fn prompt_01(view: &View<'_>) -> Finding {
    if messages::only(view) {
        return messages::prompt_01(view);
    }
    pages(view, |death, before, after, cited| {
        let told = newly_says(view, before, after);
        match (after.leads_to_authorize, differs(before, after)) {
            (false, false) if insists(view, death, after) && view.terms.connect == ConnectBy::Link => Finding::fail(
                "after the refusal the page still says that it is connected, and nothing on it leads to the authorise endpoint",
                cited,
            ),
            (false, false) if view.terms.connect == ConnectBy::Link && keeps_quiet(view, death) => Finding::fail(
                "the status says that access is lost, but the page of `prompt` is the same as while connected, leads nowhere, and no message came",
                cited,
            ),
            (_, false) => {
                Finding::undecided("the page is the same as while connected: nothing shows whether the user is asked for anything")
            }
            (true, true) if before.leads_to_authorize && !told => permanent(
                view,
                "the page led to the authorise endpoint while connected, too; what differs was not recognised as saying that it must be used",
            ),
            (true, true) => Finding::pass("a way to the authorise endpoint is shown after the refusal", cited),
            (false, true) => no_link(view, death, told, cited),
        }
    })
}

/// A page that always looks like a prompt: the author knows the words that make one.
fn permanent(view: &View<'_>, reason: &str) -> Finding {
    if view.terms.prompt_says { Finding::undecided(reason) } else { Finding::locked(reason, "prompt.says = \"regex\"") }
}

/// Nothing that could be clicked is there: an offence where users click, but not where a command or a script takes them on.
fn no_link(view: &View<'_>, death: &Death, told: bool, mut cited: Vec<u32>) -> Finding {
    let asked = view.marks(|what| matches!(what, What::Authorize { .. })).into_iter().find(|mark| *mark > death.until);
    match (view.terms.connect, told, asked) {
        (ConnectBy::Command, true, Some(asked)) => {
            cited.push(asked.n);
            Finding::pass("the user is told after the refusal, and the command that connects led to the authorise endpoint", cited)
        }
        (ConnectBy::Command, true, None) => {
            Finding::undecided("the user is told, but the command that connects was not seen to work after it")
        }
        (ConnectBy::Command, false, _) if !view.terms.prompt_says => {
            Finding::locked("no words were recognised that tell the user to connect again by a command", "prompt.says = \"regex\"")
        }
        (ConnectBy::Script, ..) => Finding::locked(
            "no link or form on the page leads to the authorise endpoint, but `connect.opens` says that a script takes the user there, and scripts are not run",
            "prompt.http, at an address whose answer names the address of `connect` or the authorise URL",
        ),
        (ConnectBy::Command, false, _) | (ConnectBy::Link, ..) => {
            Finding::fail("nothing on the page leads to the authorise endpoint after the refusal", cited)
        }
    }
}

fn prompt_02(view: &View<'_>) -> Finding {
    if messages::only(view) {
        return messages::prompt_02(view);
    }
    pages(view, |death, before, after, cited| match (before.says, after.says, differs(before, after)) {
        _ if newly_says(view, before, after) => Finding::pass("the page says that access must be restored", cited),
        (_, _, false) if insists(view, death, after) && !after.leads_to_authorize => {
            Finding::fail("after the refusal the page still says that it is connected", cited)
        }
        (_, _, false) => Finding::undecided("the page is the same as while connected"),
        (Says::Yes, _, true) => permanent(view, "as far as words are known the page says so while connected, too, though it differs now"),
        (Says::No, Says::No, true) if view.terms.prompt_says => {
            Finding::fail("what differs on the page does not say that access must be restored", cited)
        }
        (Says::No, _, true) => Finding::locked("no words were recognised that say that access must be restored", "prompt.says = \"regex\""),
    })
}

fn prompt_03(view: &View<'_>) -> Finding {
    if !view.terms.prompt && !view.terms.prompt_notices {
        return Finding::locked("it is not known where a person would see that access must be restored", "[prompt]");
    }
    let faults: Vec<_> = view.exchanges.iter().filter(|x| x.is_refresh() && x.met_transient_fault()).collect();
    let Some(first) = faults.first() else { return unrealised(view, "no transient fault was met in this story") };
    if let Some(finding) = messages::too_early(view, first.arrived) {
        return finding;
    }
    if messages::only(view) {
        return messages::due(view, first.arrived, faults.len());
    }
    let Some(calm) = healthy(view, first.arrived) else { return Finding::undecided("the page was not read while connected") };
    // Where nothing can be clicked the words alone are the prompt.
    let reachable = |page: &PageSeen| page.leads_to_authorize || view.terms.connect != ConnectBy::Link;
    let prompts = |page: &PageSeen| {
        let appeared = page.leads_to_authorize && !calm.leads_to_authorize;
        let told = reachable(page) && page.says == Says::Yes && calm.says == Says::No;
        differs(calm, page) && (appeared || told)
    };
    // Beside a permanent button a new sentence may be "we could not connect to Pleo": no more than a sign.
    let seems_to = |page: &PageSeen| prompts(page) || (differs(calm, page) && reachable(page) && newly_says(view, calm, page));
    let end = outcome_after(view, first.arrived);
    let during: Vec<_> = view.prompts().filter(|(mark, _)| *mark > first.arrived && *mark < end).collect();
    if let Some((mark, _)) = during.iter().find(|(_, page)| prompts(page)) {
        return Finding::fail("the user was asked to reauthenticate for a fault that would have passed", vec![first.arrived.n, mark.n]);
    }
    if during.iter().any(|(_, page)| seems_to(page)) {
        return permanent(view, "what was new on the page during the transient fault may be a prompt");
    }
    let Some(death) = view.deaths.iter().find(|d| d.ended == Ended::Grant && d.asked > first.arrived) else {
        return unrealised(view, "no real refusal followed the transient fault");
    };
    let due = view.prompts().find(|(mark, page)| death.settled.is_some_and(|s| *mark > s) && *mark < death.until && seems_to(page));
    match (faults.len(), during.is_empty(), due) {
        (0 | 1, _, _) => Finding::undecided("the transient fault was met only once"),
        (_, true, _) => Finding::undecided("the page was not read during the transient fault"),
        (_, false, None) => permanent(view, "as far as words are known the same page showed no prompt when one was due"),
        (_, false, Some((due, _))) => {
            let read = during.iter().map(|(mark, _)| mark.n).take(2);
            Finding::pass(
                "no prompt during the transient fault, and one when the grant was dead",
                [first.arrived.n].into_iter().chain(read).chain([due.n]).collect(),
            )
        }
    }
}

#[cfg(test)]
mod tests;

//! LOG: what a person can find out afterwards.

pub(super) mod words;

use regex::Regex;

use self::words::{AGAIN, ENDED, Line, REASON, STARTED};
use super::{Finding, Level::*, Requirement, Scope, Severity::*, shared::*};
use crate::{
    evidence::What,
    judge::{Death, Ended, Mark, View},
};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "LOG-01",
        level: Should,
        severity: Error,
        sentence: "logs a refresh failure with its reason",
        sources: &[
            "Pleo, How to handle token expiry or revocation, step 5: token refresh failures",
            "Pleo, How to refresh tokens: log whether it succeeded or failed, and why",
        ],
        why: "\"Error\" and nothing more: nobody could tell a revoked grant from a network fault without adding code.",
        observed: "Log lines from the refused request until the user reconnects, other than those it writes in the prologue, too. Failure and reason may stand in one line or in two.",
        undecided: "No log line was ever seen; or there were new lines that cannot be understood (another language, or codes).",
        remedy: "Log one line at the place where the refusal is handled: what failed, the OAuth error code, which connection; never the token.",
        declarable: false,
        scope: Scope::Connection,
        check: |view| logged(view, &FAILURE),
    },
    Requirement {
        id: "LOG-02",
        level: Should,
        severity: Error,
        sentence: "logs the detection of expiry or revocation",
        sources: &["Pleo, How to handle token expiry or revocation, step 5: detection of token expiry or revocation"],
        why: "A stack trace with the provider's words in it says that a request failed, not that a connection has ended.",
        observed: "Log lines from the refused request until the user reconnects, without the provider's own words, other than those it writes in the prologue, too.",
        undecided: "No log line was ever seen; or there were new lines that cannot be understood (another language, or codes).",
        remedy: "Log the change of state: connection so-and-so is now unauthenticated, because its authorisation expired or was revoked.",
        declarable: false,
        scope: Scope::Connection,
        check: |view| logged(view, &DETECTION),
    },
    Requirement {
        id: "LOG-03",
        level: Should,
        severity: Error,
        sentence: "logs the reauthentication trigger",
        sources: &["Pleo, How to handle token expiry or revocation, step 5: reauthentication triggers"],
        why: "Without it nobody can tell whether users were asked to reconnect, and when.",
        observed: "Log lines from the refused request until the user has come back through the authorise endpoint.",
        undecided: "No log line was ever seen; or there were new lines that cannot be understood (another language, or codes).",
        remedy: "Log when the user is asked to reconnect and when the flow is started. One line may serve all three.",
        declarable: false,
        scope: Scope::Connection,
        check: |view| logged(view, &REAUTHENTICATION),
    },
];

/// One of the three events that must be logged.
struct Event {
    name: &'static str,
    /// The lines that show it, by their places; none: it is not shown.
    shown: fn(&[Line<'_>], &Death) -> Option<Vec<u32>>,
    /// Goes on until the user was sent to consent.
    through_reconnection: bool,
    /// Lines that come so near to it that nobody can be accused.
    almost: fn(&[Line<'_>], &Death) -> Option<Vec<u32>>,
    declared: for<'v> fn(&'v View<'_>) -> Option<&'v str>,
    line: &'static str,
}

static FAILURE: Event = Event {
    name: "a refresh failure with its reason",
    shown: failure,
    almost: |lines, death| {
        first(lines, |line| (ENDED.is_match(&line.own_words(death)) || line.tells_rejection()) && REASON.is_match(line.text))
    },
    through_reconnection: false,
    declared: |view| view.terms.log_refresh_failed.as_deref(),
    line: "logs.refresh_failed = \"regex\"",
};
static DETECTION: Event = Event {
    name: "the detection of expiry or revocation",
    shown: |lines, death| {
        first(lines, |line| {
            let words = line.own_words(death);
            ENDED.is_match(&words) || (AGAIN.is_match(&words) && !line.tells_of_the_way(death))
        })
    },
    through_reconnection: false,
    almost: |_, _| None,
    declared: |view| view.terms.log_detected.as_deref(),
    line: "logs.detected = \"regex\"",
};
static REAUTHENTICATION: Event = Event {
    name: "the reauthentication trigger",
    shown: |lines, death| {
        first(lines, |line| AGAIN.is_match(&line.own_words(death)) || (line.returning && STARTED.is_match(&line.own_words(death))))
    },
    through_reconnection: true,
    almost: |_, _| None,
    declared: |view| view.terms.log_reauthentication.as_deref(),
    line: "logs.reauthentication = \"regex\"",
};

/// The refusal of the client's own credentials: its code, or a sentence about them.
static REFUSED_CLIENT: Event = Event {
    name: "the refusal of the client's credentials",
    shown: |lines, death| first(lines, |line| line.names(&death.error) || line.tells_of_credentials()),
    through_reconnection: false,
    almost: |_, _| None,
    declared: |view| view.terms.log_refresh_failed.as_deref(),
    line: "logs.refresh_failed = \"regex\"",
};

/// Whether the refusal of the client's credentials was logged.
pub(super) fn credentials_refused(view: &View<'_>) -> Finding {
    logged_of(view, Ended::Client, &REFUSED_CLIENT)
}

fn first(lines: &[Line<'_>], shows: impl Fn(&Line<'_>) -> bool) -> Option<Vec<u32>> {
    lines.iter().find(|line| shows(line)).map(|line| vec![line.mark.n])
}

/// One line with the code of the refusal, or with failure and reason; or a line that tells of the failure and another that gives the reason.
fn failure(lines: &[Line<'_>], death: &Death) -> Option<Vec<u32>> {
    if let Some(shown) = first(lines, |line| line.names(&death.error) || (line.tells_failure() && REASON.is_match(line.text))) {
        return Some(shown);
    }
    let failed = lines.iter().find(|line| line.tells_failure())?;
    let why = lines.iter().find(|line| ENDED.is_match(&line.own_words(death)) && REASON.is_match(line.text))?;
    Some(vec![failed.mark.n, why.mark.n])
}

fn logged(view: &View<'_>, event: &Event) -> Finding {
    logged_of(view, Ended::Grant, event)
}

fn logged_of(view: &View<'_>, ended: Ended, event: &Event) -> Finding {
    let lines: Vec<(Mark, &str)> = view
        .events()
        .filter_map(|(mark, what)| match what {
            What::Log { text, .. } => Some((mark, text.as_str())),
            _ => None,
        })
        .collect();
    if lines.is_empty() {
        return Finding::locked("not one log line of the subject was seen", "logs.files");
    }
    let declared = match (event.declared)(view).map(Regex::new) {
        Some(Ok(regex)) => Some(regex),
        Some(Err(error)) => return Finding::undecided(format!("the manifest's pattern is no regular expression: {error}")),
        None => None,
    };
    each_death(view, ended, |death| judge_lines(view, event, declared.as_ref(), &lines, death))
}

fn judge_lines(view: &View<'_>, event: &Event, declared: Option<&Regex>, lines: &[(Mark, &str)], death: &Death) -> Finding {
    let Some(settled) = death.settled else { return not_at_rest() };
    let back = view.settled_after(death.until).unwrap_or(Mark::END);
    let until = if event.through_reconnection { back } else { death.until };
    let within = lines.iter().filter(|(mark, _)| *mark > death.asked && *mark < until);
    let habits = habits(view, lines, death);
    let novel: Vec<Line<'_>> = within
        .map(|&(mark, text)| Line { mark, text, returning: mark > death.until, led: mark > settled })
        .filter(|line| line.returning || !habits.contains(&words::shape(line.text)))
        .collect();
    let shown = match declared {
        Some(regex) => first(&novel, |line| regex.is_match(line.text)),
        None => (event.shown)(&novel, death),
    };
    if let Some(shown) = shown {
        return Finding::pass(format!("{} was logged", event.name), [vec![death.refused.n], shown].concat());
    }
    if event.through_reconnection && (death.until == Mark::END || back == Mark::END) {
        return Finding::undecided("it was not logged up to now, and the user did not come back in this story");
    }
    let novel: Vec<Line<'_>> = novel.into_iter().filter(|line| !habits.contains(&words::shape(line.text))).collect();
    let what = match novel.len() {
        0 => "nothing new was logged",
        _ if declared.is_some() => "none of the new log lines matches the manifest's pattern",
        _ if (event.almost)(&novel, death).is_some() => {
            return Finding::locked("an end with its reason was logged, but no line speaks of the refresh that failed", event.line);
        }
        _ if novel.iter().all(Line::is_understood) => "none of the new log lines says so",
        count => {
            return Finding::locked(
                format!("{count} new log lines after the refusal, none recognised as {}, and not all of them understood", event.name),
                event.line,
            );
        }
    };
    let mut cited = vec![death.refused.n];
    cited.extend(novel.iter().take(5).map(|line| line.mark.n));
    cited.push(settled.n);
    cited.sort_unstable();
    Finding::fail(format!("{} was not logged: {what} after the refusal with {}", event.name, death.error), cited)
}

/// The shapes of the lines that the subject writes when all is well. Such a line proves nothing.
fn habits(view: &View<'_>, lines: &[(Mark, &str)], death: &Death) -> std::collections::HashSet<String> {
    let end = view.prologue_end().unwrap_or(death.asked).min(death.asked);
    lines.iter().take_while(|(mark, _)| *mark < end).map(|(_, text)| words::shape(text)).collect()
}

#[cfg(test)]
mod tests;

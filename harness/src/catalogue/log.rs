//! LOG: what a person can find out afterwards.

mod alarm;
mod attempts;
mod bounds;
mod form;
pub(super) mod grade;
mod reason;
mod windows;
pub(super) mod words;

use std::collections::HashSet;

use regex::Regex;

use self::words::{AGAIN, ENDED, Line, STARTED};
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
        undecided: "No log line was ever seen; or there were new lines that cannot be understood (another language, or codes), or a failure with words that may be its reason.",
        remedy: "Log one line at the place where the refusal is handled: what failed, the OAuth error code, which connection; never the token.",
        declarable: false,
        scope: Scope::Lines,
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
        scope: Scope::Lines,
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
        scope: Scope::Lines,
        check: |view| logged(view, &REAUTHENTICATION),
    },
    Requirement {
        id: "LOG-04",
        level: Should,
        severity: Warning,
        sentence: "logs consistently: the same event form for two outages of one story, naming the cause",
        sources: &["Pleo, Handling Refresh Token Expiry or Revocation: consistent logging and error handling (best practice)"],
        why: "The first outage was logged as an event, the second only as a stack trace of the job that met it: the alert that was built on the first never rang again.",
        observed: "What is logged of two ends of the grant in one story: whether a line of the one has a counterpart among the lines of the other, and whether the cause is named in both.",
        undecided: "The grant did not end twice; or neither outage was recognised in the log; or both were, in words that differ.",
        remedy: "Log the end of a connection in one place, through which every path leads.",
        declarable: true,
        scope: Scope::Lines,
        check: form::log_04,
    },
    Requirement {
        id: "LOG-05",
        level: Should,
        severity: Warning,
        sentence: "logs each refresh attempt and its outcome with a time",
        sources: &["Pleo, How to refresh tokens: log each refresh attempt with a timestamp, and whether it succeeded or failed"],
        why: "Tokens had been rotated by somebody; nobody could tell by which process, or when, since only failures were logged.",
        observed: "Log lines around each refresh, other than those that are written while work is done without one: whether they tell how it ended, and when.",
        undecided: "No work was done without a refresh, to compare with; the user came or went while a refresh was on its way; the lines were not understood; or the output carries no time and may get one from whoever collects it.",
        remedy: "Log one line when a refresh has ended: that it succeeded or why it failed, which connection, how long the new token lives.",
        declarable: true,
        scope: Scope::Lines,
        check: attempts::log_05,
    },
    Requirement {
        id: "LOG-06",
        level: Should,
        severity: Warning,
        sentence: "logs within bounds: at most 50 lines per stimulus and 10 per idle second more than in the prologue",
        sources: &["Pleo, Handling Refresh Token Expiry or Revocation: consistent logging and error handling (best practice)"],
        why: "A dead connection was logged by every job of every minute, gigabytes of it, until the disk was full.",
        observed: "Log entries between two rests, against what was asked of the subject in that time; a stack trace is one entry.",
        undecided: "No log line was seen after a token was used, or the prologue did not come to rest.",
        remedy: "Log the change of state once; count what is held, and log the count.",
        declarable: true,
        scope: Scope::Subject,
        check: bounds::log_06,
    },
    Requirement {
        id: "LOG-07",
        level: Should,
        severity: Warning,
        sentence: "makes refused refreshes stand out for monitoring: level warn or above, a metric or a notice, and different from a transient failure",
        sources: &[
            "Pleo, Handling Refresh Token Expiry or Revocation: monitor refresh failures",
            "Pleo, Race condition prevention: track refresh attempts and failures",
        ],
        why: "Refused refreshes were logged at the level of a cache miss: a revoked customer was noticed when the customer called.",
        observed: "The level of what is logged after a refused refresh, apart from lines that are also written when all is well or for a passing fault. Levels are read as the common loggers write them, by name or by number.",
        undecided: "No log line was ever seen, or no level was recognised in the new lines.",
        remedy: "Log a refused refresh as a warning or an error, with an event name of its own.",
        declarable: true,
        scope: Scope::Lines,
        check: alarm::log_07,
    },
];

/// One of the three events that must be logged.
struct Event {
    name: &'static str,
    /// The lines that show it, by their places; none: it is not shown.
    shown: fn(&[Line<'_>], &Death) -> Option<Vec<u32>>,
    /// Goes on until the user was sent to consent.
    through_reconnection: bool,
    /// What the lines say that comes so near to it that nobody can be accused. The words are those that stand in every line.
    almost: fn(&[Line<'_>], &Death, &HashSet<String>) -> Option<&'static str>,
    /// A line that has none but the known words of a failure and of what follows from it is understood.
    known_words: bool,
    declared: for<'v> fn(&'v View<'_>) -> Option<&'v str>,
    line: &'static str,
}

static FAILURE: Event = Event {
    name: "a refresh failure with its reason",
    shown: failure,
    almost: nearly,
    known_words: true,
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
    almost: |_, _, _| None,
    known_words: false,
    declared: |view| view.terms.log_detected.as_deref(),
    line: "logs.detected = \"regex\"",
};
static REAUTHENTICATION: Event = Event {
    name: "the reauthentication trigger",
    shown: |lines, death| {
        first(lines, |line| AGAIN.is_match(&line.own_words(death)) || (line.returning && STARTED.is_match(&line.own_words(death))))
    },
    through_reconnection: true,
    almost: |_, _, _| None,
    known_words: false,
    declared: |view| view.terms.log_reauthentication.as_deref(),
    line: "logs.reauthentication = \"regex\"",
};

/// The refusal of the client's own credentials: its code, or a sentence about them.
static REFUSED_CLIENT: Event = Event {
    name: "the refusal of the client's credentials",
    shown: |lines, death| first(lines, |line| line.names(&death.error) || line.tells_of_credentials()),
    through_reconnection: false,
    almost: |_, _, _| None,
    known_words: false,
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
    let shows = |line: &Line<'_>| line.names(&death.error) || (line.tells_failure() && line.gives_reason());
    if let Some(shown) = first(lines, |line| shows(line) && !line.tells_only_of_the_way(death)) {
        return Some(shown);
    }
    let failed = lines.iter().find(|line| line.tells_failure())?;
    let why = lines.iter().find(|line| line.gives_reason_of_another(death))?;
    Some(vec![failed.mark.n, why.mark.n])
}

/// A reason without the failure, or a failure with words that may be the reason: in its own line, or in another that was written at once.
fn nearly(lines: &[Line<'_>], death: &Death, usual: &HashSet<String>) -> Option<&'static str> {
    let reason = |line: &Line<'_>| (ENDED.is_match(&line.own_words(death)) || line.tells_rejection()) && line.gives_reason();
    if lines.iter().any(reason) {
        return Some("an end with its reason was logged, but no line speaks of the refresh that failed");
    }
    lines.iter().find(|line| line.tells_failure())?;
    let unknown = "a failed refresh was logged, in words of which some are not known: they may be its reason";
    lines.iter().any(|line| line.may_give_reason(usual)).then_some(unknown)
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
        .filter(|line| declared.is_some() || !line.only_begins())
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
    let usual = reason::usual(lines.iter().take_while(|(mark, _)| *mark < death.asked).map(|(_, text)| *text));
    let understood = |line: &Line<'_>| line.is_understood() || (event.known_words && !reason::may_give(line.text, &usual));
    let almost = declared.is_none().then(|| (event.almost)(&novel, death, &usual)).flatten();
    if let Some(almost) = almost {
        return Finding::locked(almost, event.line);
    }
    let what = match novel.len() {
        0 => "nothing new was logged",
        _ if declared.is_some() => "none of the new log lines matches the manifest's pattern",
        _ if novel.iter().all(understood) => "none of the new log lines says so",
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
fn habits(view: &View<'_>, lines: &[(Mark, &str)], death: &Death) -> HashSet<String> {
    let end = view.prologue_end().unwrap_or(death.asked).min(death.asked);
    lines.iter().take_while(|(mark, _)| *mark < end).map(|(_, text)| words::shape(text)).collect()
}

#[cfg(test)]
mod late_tests;
#[cfg(test)]
mod loggers;
#[cfg(test)]
mod reason_tests;
#[cfg(test)]
mod tests;

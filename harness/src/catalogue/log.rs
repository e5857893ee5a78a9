//! LOG: what a person can find out afterwards.

use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, Level::*, Requirement, Severity::*, shared::*};
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
        observed: "Log lines from the refused request until the subject has settled, other than those it writes anyway.",
        undecided: "No log line was ever seen; or there were new lines, none of them recognised.",
        remedy: "Log one line at the place where the refusal is handled: what failed, the OAuth error code, which connection; never the token.",
        declarable: false,
        check: |view| logged(view, &FAILURE),
    },
    Requirement {
        id: "LOG-02",
        level: Should,
        severity: Error,
        sentence: "logs the detection of expiry or revocation",
        sources: &["Pleo, How to handle token expiry or revocation, step 5: detection of token expiry or revocation"],
        why: "A stack trace with the provider's words in it says that a request failed, not that a connection has ended.",
        observed: "Log lines from the refused request until the user reconnects, without the provider's own words, other than those it writes anyway.",
        undecided: "No log line was ever seen; or there were new lines, none of them recognised.",
        remedy: "Log the change of state: connection so-and-so is now unauthenticated, because its authorisation expired or was revoked.",
        declarable: false,
        check: |view| logged(view, &DETECTION),
    },
    Requirement {
        id: "LOG-03",
        level: Should,
        severity: Error,
        sentence: "logs the reauthentication trigger",
        sources: &["Pleo, How to handle token expiry or revocation, step 5: reauthentication triggers"],
        why: "Without it nobody can tell whether users were asked to reconnect, and when.",
        observed: "Log lines from the refused request until the user has been sent to the authorise endpoint.",
        undecided: "No log line was ever seen; or there were new lines, none of them recognised.",
        remedy: "Log when the user is asked to reconnect and when the flow is started. One line may serve all three.",
        declarable: false,
        check: |view| logged(view, &REAUTHENTICATION),
    },
];

struct Detector {
    name: &'static str,
    /// Recognises the event in a line. For all but the first the provider's own words and codes were taken out.
    recognises: fn(&str) -> bool,
    with_providers_words: bool,
    /// Goes on until the user was sent to consent.
    through_reconnection: bool,
    declared: for<'v> fn(&'v View<'_>) -> Option<&'v str>,
    line: &'static str,
}

static FAILURE: Detector = Detector {
    name: "a refresh failure with its reason",
    recognises: |text| CODE.is_match(text) || (THING.is_match(text) && WRONG.is_match(text) && REASON.is_match(text)),
    with_providers_words: true,
    through_reconnection: false,
    declared: |view| view.terms.log_refresh_failed.as_deref(),
    line: "logs.refresh_failed = \"regex\"",
};
static DETECTION: Detector = Detector {
    name: "the detection of expiry or revocation",
    recognises: |text| ENDED.is_match(text) || AGAIN.is_match(text),
    with_providers_words: false,
    through_reconnection: false,
    declared: |view| view.terms.log_detected.as_deref(),
    line: "logs.detected = \"regex\"",
};
static REAUTHENTICATION: Detector = Detector {
    name: "the reauthentication trigger",
    recognises: |text| AGAIN.is_match(text) || STARTED.is_match(text),
    with_providers_words: false,
    through_reconnection: true,
    declared: |view| view.terms.log_reauthentication.as_deref(),
    line: "logs.reauthentication = \"regex\"",
};

/// The codes of a definitive refusal: failure and reason in one.
static CODE: LazyLock<Regex> =
    LazyLock::new(|| words(r"\b(invalid_grant|invalid_token|invalid_refresh_token|unauthorized_client|invalid_client)\b"));
/// What failed.
static THING: LazyLock<Regex> = LazyLock::new(|| words(r"(refresh|\btokens?\b|\bgrant\b|oauth|authori[sz]ation|credential|renew)"));
/// That it failed.
static WRONG: LazyLock<Regex> =
    LazyLock::new(|| words(r"(fail|error|refus|reject|denied|\binvalid|unable|could ?n[o']t|cannot|can't|unsuccessful|\b40[013]\b)"));
/// Why.
static REASON: LazyLock<Regex> = LazyLock::new(|| words(r"(expired|revoked|withdr[ae]w|\b40[013]\b|no longer valid|reason|cause|because)"));
/// An authorisation came to its end.
static ENDED: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"(unauthenticated|unauthori[sz]ed connection|disconnected|needs?[_ -]?re-?auth|no longer (valid|authori[sz]ed|connected)|",
        r"(connection|grant|tokens?|authori[sz]ation|session|access|credentials?|login|consent|installation)\W.{0,60}",
        r"(expired|revoked|ended|lost|invalidated|gone|terminated|withdrawn|purged|discarded|cleared|deleted|wiped|dead)|",
        r"(expired|revoked|ended|lost|invalidat\w*|dead|purg\w*|discard\w*|clear\w*|wip\w*)\W.{0,60}",
        r"(connection|grant|tokens?|authori[sz]ation|session|access|credentials?|login|consent))",
    ))
});
/// The user must come back, or is coming back.
static AGAIN: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"(re-?auth|re-?connect|re-?consent|(sign|log)[ -]?in again|connect again|authori[sz]e again|",
        r"(requires?|needs?|must|awaiting|waiting for|prompt\w*|ask\w*)\W.{0,40}(user|login|log in|sign in|consent|authori[sz]|connect))",
    ))
});
/// The way to the authorise endpoint was taken.
static STARTED: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"((start|begin|began|begun|initiat|redirect|send|sent|open)\w*\W.{0,60}(authori[sz]|oauth|consent|login|connect)|(authori[sz]ation|oauth|consent|login|connect)\w*\W.{0,40}(start|begun|began|request|redirect|initiat|flow))",
    )
});

#[allow(clippy::expect_used, reason = "fixed patterns, each compiled by a test")]
fn words(pattern: &str) -> Regex {
    Regex::new(&format!("(?is){pattern}")).expect("a fixed pattern")
}

fn logged(view: &View<'_>, detector: &Detector) -> Finding {
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
    let declared = match (detector.declared)(view).map(Regex::new) {
        Some(Ok(regex)) => Some(regex),
        Some(Err(error)) => return Finding::undecided(format!("the manifest's pattern is no regular expression: {error}")),
        None => None,
    };
    each_death(view, Ended::Grant, |death| judge_lines(view, detector, declared.as_ref(), &lines, death))
}

fn judge_lines(view: &View<'_>, detector: &Detector, declared: Option<&Regex>, lines: &[(Mark, &str)], death: &Death) -> Finding {
    let until = if detector.through_reconnection { view.settled_after(death.until).unwrap_or(Mark::END) } else { death.until };
    let within: Vec<_> = lines.iter().filter(|(mark, _)| *mark > death.asked && *mark < until).collect();
    let found = within.iter().find(|(mark, text)| {
        let told = if detector.with_providers_words { (*text).to_owned() } else { own_words(text, death) };
        let matches = declared.map_or_else(|| (detector.recognises)(&told), |regex| regex.is_match(text));
        matches && !is_habit(view, lines, *mark, text, death)
    });
    if let Some((mark, _)) = found {
        return Finding::pass(format!("{} was logged", detector.name), vec![death.refused.n, mark.n]);
    }
    let novel = within.iter().filter(|(mark, text)| !is_habit(view, lines, *mark, text, death)).count();
    let understood = within.iter().any(|(mark, text)| (FAILURE.recognises)(text) && !is_habit(view, lines, *mark, text, death));
    if novel == 0 || declared.is_some() || understood {
        let what = if novel == 0 { "nothing new was logged" } else { "none of the new log lines says so" };
        return Finding::fail(
            format!("{} was not logged: {what} after the refusal with {}", detector.name, death.error),
            vec![death.refused.n],
        );
    }
    Finding::locked(format!("{novel} new log lines after the refusal, none recognised as {}", detector.name), detector.line)
}

/// A line that the subject writes anyway proves nothing. Lines of the user's first connection may come again with the reconnection.
fn is_habit(view: &View<'_>, lines: &[(Mark, &str)], mark: Mark, text: &str, death: &Death) -> bool {
    let shape = shape(text);
    let connecting = |at: Mark| {
        view.calls.iter().any(|c| c.verb == crate::evidence::Verb::Connect && c.called < at && c.answered.is_none_or(|(end, _)| at < end))
    };
    let returning = mark > death.until;
    lines
        .iter()
        .take_while(|(at, _)| *at < death.asked)
        .any(|(at, earlier)| self::shape(earlier) == shape && !(returning && connecting(*at)))
}

/// A line without what differs from time to time: digits, and whatever is long and random.
fn shape(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        if digits > 0 { word.chars().filter(|c| !c.is_ascii_alphanumeric()).collect() } else { word.to_owned() }
    });
    words.collect::<Vec<String>>().join(" ")
}

/// A line without the provider's description and codes: what is left are the subject's own words.
fn own_words(text: &str, death: &Death) -> String {
    let without = death.description.as_ref().map_or_else(|| text.to_owned(), |words| text.replace(words.as_str(), " "));
    CODE.replace_all(&without, " ").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death() -> Death {
        let mark = Mark { at: 1, n: 1 };
        Death {
            ended: Ended::Grant,
            error: "invalid_grant".into(),
            description: Some("The refresh token is expired or revoked".into()),
            refresh: "refresh#1".into(),
            access: None,
            asked: mark,
            refused: mark,
            knew: mark,
            settled: None,
            until: Mark::END,
            restarted: None,
        }
    }

    #[test]
    fn common_wordings_of_the_three_events_are_recognised() {
        for line in [
            r#"{"level":"warn","event":"refresh_failed","error":"invalid_grant"}"#,
            "ERROR pleo: token refresh failed: status 400 invalid_grant",
            "authlib.integrations.base_client.errors.OAuthError: invalid_grant: The refresh token is expired or revoked",
            "level=warn msg=\"could not refresh token\" reason=expired",
        ] {
            assert!((FAILURE.recognises)(line), "{line}");
        }
        for line in [
            r#"{"level":"warn","event":"connection.unauthenticated"}"#,
            "WARN Pleo connection was revoked, tokens purged",
            "authorization expired for company 12",
            "[pleo] access revoked by user",
        ] {
            assert!((DETECTION.recognises)(line), "{line}");
        }
        for line in [
            "user must reconnect",
            "reauthentication required",
            "redirecting user to authorize endpoint",
            "Starting OAuth flow",
            "prompting the user to sign in",
        ] {
            assert!((REAUTHENTICATION.recognises)(line), "{line}");
        }
    }

    #[test]
    fn ordinary_lines_are_not_mistaken_for_the_events() {
        for line in [
            "GET /status 200 3ms",
            "synced 3 employees",
            "listening on 127.0.0.1:8000",
            "export job completed",
            "token refreshed, expires in 900 s",
        ] {
            assert!(!(FAILURE.recognises)(line), "{line}");
            assert!(!(DETECTION.recognises)(line), "{line}");
            assert!(!(REAUTHENTICATION.recognises)(line), "{line}");
        }
    }

    #[test]
    fn the_providers_own_words_are_no_detection() {
        let line = "OAuthError: invalid_grant: The refresh token is expired or revoked";
        assert!(!(DETECTION.recognises)(&own_words(line, &death())));
    }

    #[test]
    fn two_lines_that_differ_in_times_and_ids_have_one_shape() {
        assert_eq!(shape("2026-01-01T10:00:00Z GET /sync 200 12ms"), shape("2026-01-02T11:22:33Z GET /sync 500 9ms"));
        assert_ne!(shape("synced"), shape("failed"));
    }
}

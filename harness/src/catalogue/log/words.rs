//! What a log line says, in the wordings of common loggers: prose, logfmt, JSON; in English.

use std::{borrow::Cow, collections::HashSet, sync::LazyLock};

use regex::{Captures, Regex};

use super::reason;
use crate::judge::{Death, Mark};

/// A line of log.
pub(super) struct Line<'l> {
    pub(super) mark: Mark,
    pub(super) text: &'l str,
    /// Written while the user was coming back, or after.
    pub(super) returning: bool,
    /// Written after the subject had come to rest: somebody may have been sent to the authorise endpoint, if only to see whether the way is there.
    pub(super) led: bool,
}

impl<'l> Line<'l> {
    /// A line of which nothing more is known.
    pub(super) fn plain(mark: Mark, text: &'l str) -> Self {
        Self { mark, text, returning: false, led: false }
    }

    /// It carries the code of the refusal: failure and reason in one.
    pub(super) fn names(&self, code: &str) -> bool {
        self.text.to_ascii_lowercase().split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == code)
    }

    /// Something about tokens failed. How grave the line says it is does not count.
    pub(super) fn tells_failure(&self) -> bool {
        let text = LEVEL.replace_all(self.text, " ");
        let text = without_everyday(&text);
        THING.is_match(&text) && WRONG.is_match(&text)
    }

    /// A token was not accepted, by whom is not said; a call of the API is something else.
    pub(super) fn tells_rejection(&self) -> bool {
        EVERYDAY.is_match(self.text) && WRONG.is_match(self.text) && !CALL.is_match(self.text)
    }

    /// The way back, as it is taken: no word of what made it needed.
    pub(super) fn tells_of_the_way(&self, death: &Death) -> bool {
        self.led && STARTED.is_match(&self.own_words(death))
    }

    /// The same, and no word of its own that anything went wrong: the cause was handed on with the user.
    pub(super) fn tells_only_of_the_way(&self, death: &Death) -> bool {
        self.tells_of_the_way(death) && !WRONG.is_match(&self.own_words(death))
    }

    /// The client's own credentials were not taken. How grave the line says it is does not count.
    pub(super) fn tells_of_credentials(&self) -> bool {
        let text = LEVEL.replace_all(self.text, " ");
        CREDENTIALS.is_match(&text) && (WRONG.is_match(&text) || WRONG_SECRET.is_match(&text))
    }

    /// The line without the provider's description and codes, without paths and URLs, and without the everyday end of an access token:
    /// the subject's own words. A stack trace has none.
    pub(super) fn own_words(&self, death: &Death) -> String {
        if FRAME.is_match(self.text) {
            return String::new();
        }
        let told = death.description.as_deref().filter(|words| !words.is_empty());
        let text = told.map_or_else(|| self.text.to_owned(), |words| self.text.replace(words, " "));
        without_everyday(&PATH.replace_all(&CODE.replace_all(&text, " "), " ")).into_owned()
    }

    /// It says that a refresh is to come, and nothing of how it ends: no line of a refusal, however late it was seen.
    pub(super) fn only_begins(&self) -> bool {
        only_begins(self.text)
    }

    /// It says why.
    pub(super) fn gives_reason(&self) -> bool {
        reason::gives(self.text)
    }

    /// It says why something failed that another line tells of: written at once, and not about a call of the API; or an end with its reason.
    pub(super) fn gives_reason_of_another(&self, death: &Death) -> bool {
        let of_it = ENDED.is_match(&self.own_words(death)) || (!self.led && !reason::of_a_call(self.text));
        of_it && self.gives_reason()
    }

    /// It has words that may be a reason: it tells of the failure, or was written at once and speaks of what it was about.
    pub(super) fn may_give_reason(&self, usual: &HashSet<String>) -> bool {
        let of_it = self.tells_failure() || (!self.led && !reason::of_a_call(self.text) && PARTY.is_match(self.text));
        of_it && reason::may_give(self.text, usual)
    }

    /// An English sentence, an access log, or a piece of a stack trace: if it does not say a thing, it does not.
    pub(super) fn is_understood(&self) -> bool {
        ENGLISH.is_match(&self.text.replace('_', " ")) || ROUTINE.is_match(self.text) || FRAME.is_match(self.text)
    }
}

/// Without what happens every day. A refresh of an access token that is refused is something else than the token.
pub(super) fn without_everyday(text: &str) -> Cow<'_, str> {
    let renewal = |words: &str| REFUSED_ACCESS.is_match(words) && RENEWAL.is_match(words);
    EVERYDAY.replace_all(text, |found: &Captures<'_>| {
        let all = found.get(0).map_or("", |found| found.as_str());
        if renewal(all) { all.to_owned() } else { " ".to_owned() }
    })
}

/// A refresh is to come; how it ends is not said.
pub(super) fn only_begins(text: &str) -> bool {
    let text = LEVEL.replace_all(text, " ");
    if !BEGINS.is_match(&text) || CODE.is_match(&text) {
        return false;
    }
    // Why it is needed: a call was not accepted.
    let call = EVERYDAY.is_match(&text) || CALL.is_match(&text);
    let rest = NEEDED.replace_all(&text, " ");
    let rest = without_everyday(&rest);
    let rest = if call { PATH.replace_all(&rest, " ").replace("401", " ") } else { rest.into_owned() };
    ![&WRONG, &BADLY, &ENDED, &AGAIN].iter().any(|said| said.is_match(&rest))
}

/// A line without what differs from time to time: every word with a digit in it.
pub(in crate::catalogue) fn shape(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if !word.contains(|c: char| c.is_ascii_digit()) {
            shape.push_str(&word);
        }
        word.clear();
        shape.push(c);
    }
    shape.truncate(shape.trim_end().len());
    shape
}

#[allow(clippy::expect_used, reason = "fixed patterns, each compiled by a test")]
pub(super) fn words(pattern: &str) -> Regex {
    Regex::new(&format!("(?is){pattern}")).expect("a fixed pattern")
}

/// How grave a line is, as loggers write it.
pub(super) static LEVEL: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r#"("?\b(level|lvl|severity|loglevel|levelname)"?\s*[:=]\s*"?\w+"?)|(?-i:\b(ERROR|ERR|WARN|WARNING|CRITICAL|FATAL)\b)|(^\s*\[?(error|warn|warning|critical|fatal)\]?:?\s)|(\[(error|warn|warning|critical|fatal)\s*\])"#,
    )
});
/// The codes of a definitive refusal: the provider's words.
pub(super) static CODE: LazyLock<Regex> =
    LazyLock::new(|| words(r"\b(invalid_grant|invalid_token|invalid_refresh_token|unauthorized_client|invalid_client)\b"));
/// An access token runs out every few minutes, a database goes away for a moment: no end of an authorisation.
pub(super) static EVERYDAY: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"(access[ _-]?tokens?\W.{0,30}\b(expired|stale|outdated|rejected|refused|not accepted|invalid))|",
        r"(\b(refus|reject|denied|den(y|ies))\w*\W+((the|our|an?|this|my|its|current|stored|old|cached) ){0,2}access[ _-]?tokens?(\s+\w+)?)|",
        r"(expired access[ _-]?tokens?)|",
        r"(\btokens? (has |is |was )?(expired|stale)\W{1,3}((now|will|going to|trying to|need to) )?(refresh|renew|request))|",
        r"((refreshing|renewing|replacing) (the |an )?expired tokens?)|",
        r"((connection (to|with) )?(the )?\b(database|db|redis|broker|queue|socket|websocket|sql|postgres\w*|mysql|kafka|amqp|rabbitmq|mongo\w*)\b",
        r".{0,40}\b(lost|closed|gone|reset|dropped)\b(.{0,20}re-?connect\w*)?)|",
        r"(re-?connect\w* to (the )?(database|db|server|redis|broker|queue|socket))",
    ))
});
/// Of these, an access token that is not taken.
static REFUSED_ACCESS: LazyLock<Regex> = LazyLock::new(|| words(r"(reject|refus|denied|den(y|ies)|not accepted)"));
/// It was to be replaced.
static RENEWAL: LazyLock<Regex> = LazyLock::new(|| words(r"\b(refresh|renew)"));
/// A refresh begins, or is to begin.
static BEGINS: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"(\b(refreshing|renewing)\b|(refresh|renewal)[ _.:-]{1,2}(attempt|start|begin|began|begun|request)|",
        r"\b(will|going to|about to|try(ing)? to|attempt(s|ing)?( to)?|start(s|ing|ed)?( to)?|begin(s|ning)?( to)?|needs? to|must|has to|have to) ",
        r"((now|be|a|an|the|another|its|our|access|tokens?) ){0,4}(refresh|renew)\w*)",
    ))
});
/// Why it begins.
static NEEDED: LazyLock<Regex> = LazyLock::new(|| {
    words(r#"\b(cause|why|trigger)\W{1,4}((access|api|token)[ _-]?)*(rejected|refused|expir\w+|unauthori[sz]ed|stale|401)\b"#)
});
/// It came out badly, for whatever reason.
pub(super) static BADLY: LazyLock<Regex> = LazyLock::new(|| {
    words(&format!(
        r"(unavailab|unreachable|time[sd]?[ -]?out|{STATUS}50[0-9]\b|reset|no answer|lost|refused|closed|later|will retry|retrying|gave up|giving up|expired|revoked|unexpected|\beof\b|down\b)",
    ))
});
/// A call of the API.
pub(super) static CALL: LazyLock<Regex> = LazyLock::new(|| words(r"(\bapi\b|/v[0-9])"));
/// What failed.
pub(super) static THING: LazyLock<Regex> =
    LazyLock::new(|| words(r"(refresh|\btokens?\b|\bgrant\b|oauth|\bauth\b|authori[sz]ation|authenticat|credential|renew)"));
/// Who had a part in it, and what it was about.
static PARTY: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(pleo|provider|oauth|\bgrant|token|refresh|authori[sz]|authenti|consent|access|credential|user|http|status|answer|respon|reason|cause)",
    )
});
/// What stands before a status: not the point of a number, since the fraction of a time is no status.
pub(super) const STATUS: &str = r"(^|[^.,\w]|[^\d][.,])";
/// That it failed.
pub(super) static WRONG: LazyLock<Regex> = LazyLock::new(|| {
    words(&format!(
        r"(fail|error|refus|reject|denied|\binvalid|unable|could ?n[o']t|cannot|can't|not accepted|unsuccessful|exception|{STATUS}40[013]\b)",
    ))
});
/// An authorisation came to its end.
pub(super) static ENDED: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"(unauthenticated|deauthori[sz]ed|\b(is|was|as|now|been|state|status|event)\W{1,4}disconnected|connection\W{1,3}disconnected|",
        r"needs?[_ -]?re-?auth|no longer (valid|authori[sz]ed|authenticated|connected)|",
        r"\b(connection|grant|tokens?|authori[sz]ation|access|credentials?|consent|installation)\b.{0,60}?",
        r"\b(expired|revoked|ended|lost|invalidated|gone|terminated|withdrawn|purged|discarded|cleared|deleted|removed|wiped|dead)\b|",
        r"\b(expired|revoked|ended|lost|invalidat\w*|terminat\w*|purg\w*|discard\w*|clear(ed|ing)|delet\w*|remov\w*|wip(ed|ing)|dead)\b.{0,60}?",
        r"\b(connection|grant|tokens?|authori[sz]ation|access|credentials?|consent|installation)\b)",
    ))
});
/// The user must come back, or is coming back.
pub(super) static AGAIN: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"(\bre-?auth|\bneeds?_?reauth|\bre-?connect|\bre-?consent|(sign|log)[ -]?in again|connect again|authori[sz]e again|",
        r"\b(requires?|needs?|must|awaiting|waiting for|prompt\w*|ask\w*)\W.{0,40}?(user|login|log in|sign in|consent|authori[sz]|\bconnect\b))",
    ))
});
/// The way to the authorise endpoint was taken.
pub(super) static STARTED: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"(\b(start|begin|began|begun|initiat|redirect|send|sent)\w*\W.{0,60}?(authori[sz]|oauth|consent|login|to pleo)|",
        r"(authori[sz]ation|oauth|consent|login)\w*\W.{0,40}?(start|begun|began|request|redirect|initiat|flow))",
    ))
});
/// A line of a stack trace, or of an object printed over several lines.
pub(super) static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"^(\t|    |\s*at \S+ ?\(|\s*at \S+:\d+|\s*File .*, line \d+|Traceback \(most|Caused by:|",
        r"\s*\.\.\. \d+ more|goroutine \d+|\s*[\^~]+$)",
    ))
});
/// A path or a URL: an access log names what was asked for, not what the subject makes of it.
pub(super) static PATH: LazyLock<Regex> = LazyLock::new(|| words(r"(https?://\S+|\B/\S*|\S*/\S*/\S+)"));
/// What an application proves itself with.
static CREDENTIALS: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(\bclient\W{0,3}(_|'s )?(secret|credentials?|id\b|auth\w*)|\b(application|app|our( own)?|integration)('s)? (secret|credentials?|password)|credentials?\b)",
    )
});
/// That it is not the right one.
static WRONG_SECRET: LazyLock<Regex> = LazyLock::new(|| {
    words(r"\b(wrong|bad|incorrect|mismatch\w*|not? (right|correct|valid|accept\w*|match\w*)|unauthori[sz]ed|check|rotated|outdated)\b")
});
/// Words that no other language has.
static ENGLISH: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"\b(the|with|failed|fails|failure|refused|rejected|from|could|cannot|refreshing|refreshed|while|waiting|waits|because|again|after|",
        r"their|this|that|would|should|been|were|request|requested|response|starting|started|stopping|stopped|listening|unable|",
        r"received|sending|sent|skipping|skipped|retrying|handled|unavailable|denied|accept|accepted|held|queued|logged|",
        r"connected|disconnected|attempts?|unhandled|succeeded|completed|finished|saved|loaded)\b",
    ))
});
/// Access logs, the last line of a stack trace, and the parts of a printed error object.
static ROUTINE: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"(\b(GET|POST|PUT|DELETE|PATCH|HEAD)\b\W.*\b[1-5][0-9]{2}\b|^\s*(return|raise|await|throw)\b|^[\w.]*(Error|Exception)\b[:(]?|",
        r"^[a-z]\w*(\.\w+)*: (invalid_(grant|token|refresh_token|client)|unauthorized_client)\s*$|",
        r#"^[\s{}\[\](),;]*$|^\s+["']?(cause|code|error|error_description|status|statuscode|stack|name|response|errno|type|headers|body)["']?\s*:)"#,
    ))
});

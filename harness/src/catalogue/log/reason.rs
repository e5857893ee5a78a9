//! Whether a line says why something failed: it does, it may in words that are not known, or there is nothing besides the failure.

use std::{borrow::Cow, collections::HashMap, collections::HashSet, sync::LazyLock};

use regex::{Captures, Regex};

use super::words::{CALL, CODE, EVERYDAY, LEVEL, PATH, STATUS, without_everyday, words};

/// Fewer lines say nothing of what stands in every one.
const ENOUGH: usize = 3;

/// The line gives a reason: a code, a status, or words that are known for one. How grave it is, by name or by number, is none.
pub(super) fn gives(text: &str) -> bool {
    let text = LEVEL.replace_all(text, " ");
    let text = NOTHING.replace_all(&text, " ");
    let own = without_everyday(&text);
    let invalid = || !CALL.is_match(&own) && INVALID.is_match(&own);
    WORDS.is_match(&text) || NUMBER.is_match(&without_counts(&text)) || BY_WHOM.is_match(&own) || invalid()
}

/// The line has words, or a number, that may be a reason: none of them is known for something else. `usual` stands in every line.
pub(super) fn may_give(text: &str, usual: &HashSet<String>) -> bool {
    let text = LEVEL.replace_all(text, " ");
    if MAYBE.is_match(&text) || CODE.is_match(&text) {
        return true;
    }
    let text = NOTHING.replace_all(&text, " ");
    let text = without_counts(&text);
    let text = PATH.replace_all(&text, " ");
    let text = KEY.replace_all(&text, |found: &Captures<'_>| if TELLING.is_match(&found[0]) { found[0].to_owned() } else { " ".into() });
    let of_status = |word: &str| word.len() == 3 && word.starts_with(['4', '5']) && word.chars().all(|c| c.is_ascii_digit());
    let strange = |word: &str| match () {
        () if word.chars().any(|c| c.is_ascii_digit()) => of_status(word) || ODD_CODE.is_match(word),
        () => word.chars().count() > 2 && !usual.contains(&word.to_lowercase()) && !KNOWN.is_match(word),
    };
    pieces(&text).any(|word| strange(&word))
}

/// It is about a call of the API, or in an access log: no word of a refresh.
pub(super) fn of_a_call(text: &str) -> bool {
    EVERYDAY.is_match(&text.replace('_', " ")) || ((CALL.is_match(text) || METHOD.is_match(text)) && !ENDPOINT.is_match(text))
}

/// The words that stand in most lines, whatever they are about: names of loggers, services, hosts.
pub(super) fn usual<'l>(lines: impl Iterator<Item = &'l str>) -> HashSet<String> {
    let (mut count, mut seen) = (0, HashMap::<String, usize>::new());
    for line in lines {
        count += 1;
        for word in pieces(line).map(|word| word.to_lowercase()).collect::<HashSet<_>>() {
            *seen.entry(word).or_default() += 1;
        }
    }
    seen.into_iter().filter(|(_, times)| count >= ENOUGH && times * 2 > count).map(|(word, _)| word).collect()
}

/// Words, also those of `tokenRefreshFailed`.
fn pieces(text: &str) -> impl Iterator<Item = String> {
    let text = CAMEL.replace_all(text, "$1 $2").into_owned();
    let pieces: Vec<String> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    pieces.into_iter()
}

/// Without times, durations, places in the source, and fields that count or name something.
fn without_counts(text: &str) -> Cow<'_, str> {
    let text = TIMES.replace_all(text, " ").into_owned();
    let text = HEAD.replace(&text, " ").into_owned();
    Cow::Owned(FIELD.replace_all(&text, "$1 ").into_owned())
}

/// Words that are known for a reason, whatever is said besides.
static WORDS: LazyLock<Regex> =
    LazyLock::new(|| words(r"(expired|revoked|withdr[ae]wn?|no longer (valid|authori[sz]ed)|because|\b(reason|cause)\W{1,4}\w)"));
/// A status of a refusal.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| words(&format!(r"{STATUS}40[013]\b")));
/// Who did not want it.
static BY_WHOM: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"(\b(refused|rejected|denied|declined|not accepted|turned down) by\b|",
        r"\b(pleo|provider|server|endpoint|issuer)('s)? (has |have |had |just )?(refus|reject|den(y|ie)|declin|turned down|does ?n[o']t accept|did ?n[o']t accept))",
    ))
});
/// What is not valid.
static INVALID: LazyLock<Regex> = LazyLock::new(|| words(r"\b(invalid(_\w+)?|not valid)\b"));
/// That the token was not wanted, by whom is not said; or that the grant is no more.
static MAYBE: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"(\b(refresh[ _-]?token|grant|authori[sz]ation)\b( (was|is|has been|got))? (refused|rejected|denied|declined|not accepted|unknown)|",
        r"\b(refresh[ _-]?token|grant)\b( (is|was))? (gone|dead|over)\b)",
    ))
});
/// A reason that is none.
static NOTHING: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r#"\b(reason|cause|error|err|error_code|code|message|detail|details|status|description)"?\s*[:=]\s*("\s*"|"?(null|none|nil|undefined|unknown|n/a|error|failed|failure|true)\b"?)|\b(unknown|no|without( a)?) (reason|cause)\b|\b(reason|cause)( is)? unknown\b"#,
    )
});
/// Times, durations, and `auth.go:401`.
static TIMES: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"(\d{4}[-/.]?\d{2}[-/.]?\d{2}([t ]\d{2}:?\d{2}:?\d{2}([.,]\d+)?)?( ?(z|utc|[+-]\d{2}:?\d{2})\b)?|",
        r"\d{1,2}:\d{2}:\d{2}([.,]\d+)?( ?(am|pm)\b)?|\b1[6-9]\d{8}([.,]?\d+)?\b|",
        r"\b\d+([.,]\d+)?\s*(ns|us|µs|ms|s|sec|secs|seconds?|milliseconds?|minutes?|min|m|h|hours?|bytes?|kb|mb)\b|",
        r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w* +\d{1,2}\b,?( \d{4})?|\b(mon|tue|wed|thu|fri|sat|sun),? |",
        r"\b[\w/-]+\.(go|py|js|mjs|ts|rb|php|java|kt|cs|rs|ex|exs)(:\d+)+)",
    ))
});
/// What a logger writes before what is said: `E0102`, `app.name:`, `[sync::auth]`, `WARNING:root:`.
static HEAD: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"^[^\w{]*([iwef]\d{4}\s+\d*\s+)?((\[[\w.:/ -]*\]|\([\w.:/ -]*\)|\w+((\.|::|/)\w+)+(\[\d+\])?(\s*[:-]|\s*\])|\w+\[\d+\]:|:\w[\w.]*:)[^\w\[({]*)*",
    )
});
/// Fields that name or count something, and what stands in them.
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r#"(^|[\s,{(\['"])["']?(pid|tid|thread|thread_name|process|hostname|host|logger|logger_name|logger_fqcn|name|channel|caller|target|module|file|filename|line|lineno|"#,
        r"func|function|time|ts|timestamp|@timestamp|@t|datetime|asctime|date|@version|v|version|service|app|env|environment|level_name|levelname|levelno|level_value|",
        r"log\.level|trace_?id|span_?id|request_?id|correlation_?id|id|uid|uuid|job|jobs?_?id|attempts?|conn|connections?|connection_?id|company|company_?id|",
        r"tenant|tenant_?id|account|account_?id|customer|user_?id|duration\w*|elapsed\w*|took\w*|latency\w*|ms|generation|seq|sequence|waiting|held|count|",
        r#"retry_in\w*|next_attempt\w*|will_retry|pause|extra|tags?)(?:["']\s*[:=]|\s*=|\s*:\s*\d)\s*("(?:[^"\\]|\\.)*"|[^\s,}\])]*)"#,
    ))
});
/// What stands before a value.
static KEY: LazyLock<Regex> = LazyLock::new(|| words(r#"("[\w@.-]+"\s*:|\b[\w.]+=)"#));
/// A name that says something even of `true`.
static TELLING: LazyLock<Regex> = LazyLock::new(|| words(r"(retr|tempor|transient|permanent|final|fatal|defin|expire|revok|known|valid)"));
/// `E1042`, `AADSTS70008`.
static ODD_CODE: LazyLock<Regex> = LazyLock::new(|| words(r"^(?-i:[A-Z]+)\d{2,}$"));
/// An access log's.
static METHOD: LazyLock<Regex> = LazyLock::new(|| words(r"(?-i:\b(GET|POST|PUT|DELETE|PATCH|HEAD)\b)"));
/// The token endpoint, or what is asked there.
static ENDPOINT: LazyLock<Regex> = LazyLock::new(|| words(r"(oauth|/token|token endpoint|refresh|renew|grant)"));
static CAMEL: LazyLock<Regex> = LazyLock::new(|| words(r"(?-i:([a-z])([A-Z]))"));
/// Words of a failure, of what follows from it, and of what it is about: none of them says why.
static KNOWN: LazyLock<Regex> = LazyLock::new(|| {
    words(concat!(
        r"^(the|for|and|with|from|was|were|are|has|have|had|been|being|its|that|this|these|those|will|now|not|could|cannot|can|couldn|don|did|didn|does|doesn|",
        r"won|unable|again|after|before|during|while|when|until|must|should|all|any|new|old|one|once|our|your|their|his|her|they|it|but|only|just|so|then|which|",
        r"true|false|null|none|nil|undefined|yes|unknown|",
        r"fail\w*|err|errors?|errored|exception\w*|problem\w*|trouble|unsuccessful\w*|wrong|went|some|something|somehow|oops|sorry|occurred|occured|happened|",
        r"refus\w*|reject\w*|denied|lost|end|ended|ends|gone|over|dead|loss|detect\w*|notice\w*|found|warn\w*|info|debug|trace|fatal|critical|severe|alert|notice|level|",
        r"tokens?|refresh\w*|renew\w*|oauth|oauth2|auth|authori[sz]\w*|authenticat\w*|credentials?|access|grants?|client|pleo|api|connect\w*|compan\w*|accounts?|",
        r"integration\w*|installation\w*|request\w*|call\w*|exchange\w*|session\w*|attempt\w*|try|tried|trying|tries|link\w*|pair|current|stored|keys?|",
        r"mark\w*|disconnect\w*|un\w*(authenticated|authori[sz]ed)|deauthori[sz]ed|stat(e|us)\w*|purg\w*|delet\w*|remov\w*|clear\w*|discard\w*|wip\w*|drop\w*|forg\w*|",
        r"invalidated|users?|customers?|somebody|someone|operator|ask\w*|prompt\w*|need\w*|requir\w*|re|reauth\w*|reconnect\w*|reconsent\w*|sign\w*|log\w*|consent\w*|",
        r"wait\w*|hold\w*|held|paus\w*|stop\w*|halt\w*|work\w*|jobs?|tasks?|sync\w*|export\w*|import\w*|updat\w*|run\w*|queue\w*|suspend\w*|later|retr(y|ies|ied|ying)|postpone\w*|skip\w*|",
        r"keep\w*|kept|events?|notif\w*|tell|told|sent|send\w*|mail\w*|email\w*|page|set|sets|setting\w*|chang\w*|mov\w*|becom\w*|became|put|into|back|action|needed|data|items?|entr\w*|employees?|",
        r"main|root|app|worker\w*|server|service|console|stderr|stdout|utc|gmt|pid|thread|message|msg|reason|cause|code|details?|context|extra|handled?|handling|giving|gave|give|up|no|longer)$",
    ))
});

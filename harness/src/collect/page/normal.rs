//! What changes from one reading of a page to the next without meaning anything: numbers, times, values in links, random words.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A word from which a machine made something up; see [`is_random`].
const WORD: &str = r"[A-Za-z0-9][A-Za-z0-9_-]{5,}";
/// Base64 in the standard alphabet, by itself.
const BASE64: &str = r"(^|\s)([A-Za-z0-9+=][A-Za-z0-9+/=]{23,})";
/// What else is replaced, in this order.
const RULES: [(&str, &str); 5] = [
    // Times, dates, amounts, versions, ports.
    (r"\d+(?:[.,:/-]\d+)*Z?", "#"),
    (r"#\s*(?:[aApP]\.?[mM]\b\.?|UTC|GMT)", "#"),
    (
        r"(?i)just now|\bmoments? ago|(?:\b(?:less than|about|over|in) )?(?:\ban?|#|\ba few) (?:sec(?:ond)?|min(?:ute)?|hour|day)s?\b(?: ago| from now)?",
        "#",
    ),
    (r"# ([A-Za-z]{3,}?)s\b", "# $1"),
    (r"[ \t]+", " "),
];

static QUERY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"([?&][\w.\[\]%-]{1,40}=)(?:‹[^›]*›|[^&\s"'<>#])*"#).ok());
static WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(WORD).ok());
static ENCODED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(BASE64).ok());
static REPLACED: LazyLock<Vec<(Regex, &str)>> =
    LazyLock::new(|| RULES.iter().filter_map(|(pattern, by)| Regex::new(pattern).ok().map(|regex| (regex, *by))).collect());

/// Two readings of an unchanged page become equal.
pub(super) fn normalise(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(query) = QUERY.as_ref() {
        text = query.replace_all(&text, "$1").into_owned();
    }
    if let Some(encoded) = ENCODED.as_ref() {
        text = encoded
            .replace_all(&text, |found: &Captures<'_>| if is_mixed(&found[2]) { format!("{}…", &found[1]) } else { found[0].to_owned() })
            .into_owned();
    }
    if let Some(words) = WORDS.as_ref() {
        text = words
            .replace_all(&text, |found: &Captures<'_>| if is_random(&found[0]) { "…".to_owned() } else { found[0].to_owned() })
            .into_owned();
    }
    for (pattern, by) in REPLACED.iter() {
        text = pattern.replace_all(&text, *by).into_owned();
    }
    text
}

/// Long and of letters and digits, or hexadecimal, or with letters between digits, or with capitals scattered about.
fn is_random(word: &str) -> bool {
    let has = |test: fn(char) -> bool| word.chars().any(test);
    let letters = has(|c| c.is_ascii_alphabetic());
    let digits = has(|c| c.is_ascii_digit());
    let hex = word.len() >= 8 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    letters && digits && (word.len() >= 16 || hex || is_interleaved(word)) || word.len() >= 20 && changes_of_case(word) * 4 >= word.len()
}

fn is_mixed(word: &str) -> bool {
    let has = |test: fn(char) -> bool| word.chars().any(test);
    has(|c| c.is_ascii_lowercase()) && has(|c| c.is_ascii_uppercase()) && has(|c| c.is_ascii_digit())
}

fn is_interleaved(word: &str) -> bool {
    let after_digit = word.trim_start_matches(|c: char| !c.is_ascii_digit()).trim_start_matches(|c: char| c.is_ascii_digit());
    let letters = after_digit.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    letters.len() < after_digit.len() && letters.starts_with(|c: char| c.is_ascii_digit())
}

fn changes_of_case(word: &str) -> usize {
    word.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_lowercase() != pair[1].is_ascii_lowercase()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert!(QUERY.is_some() && WORDS.is_some() && ENCODED.is_some());
        assert_eq!(REPLACED.len(), RULES.len());
    }

    #[test]
    fn what_changes_by_itself_is_left_out() {
        for (one, two) in [
            ("at 10:22:09, 1 record", "at 9:02, 17 records"),
            ("updated 3 minutes ago", "updated just now"),
            ("in a few seconds", "in 10 seconds"),
            ("2024-01-31T10:22:09.123Z", "2024-12-01T00:00:00Z"),
            ("id 550e8400-e29b-41d4-a716-446655440000", "id 6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            ("item x7k2p9", "item b4m8q1"),
            ("ref deadbeef01", "ref 0badcafe77"),
            ("t kTvQzWnBxLrPyCmHdGjFsAeU", "t YbNrTkWvZqCxMdLpFgHjSaBe"),
            ("e kT4v/Qz+8nB2xLr7pYc5mHd9gJf=", "e Yb0n+R5t/8wVq2ZxC7mLd4PfG9h="),
            ("-> http://127.0.0.1:4010/a?state=abc&x=1#top", "-> http://127.0.0.1:59999/a?state=def&x=2#top"),
            ("‹access#1› 5:30 PM", "‹access#12› 11:05 am"),
        ] {
            assert_eq!(normalise(one), normalise(two));
        }
    }

    #[test]
    fn words_stay() {
        for text in [
            "Please reconnect to Pleo.",
            "-> https://external.pleo.example/settings/integrations",
            "dataIntegrationServiceFactory oauth-callback",
            "ACCOUNTING_INTEGRATION_SERVICE",
            "=> POST /reauthorize",
        ] {
            assert_eq!(normalise(text), text);
        }
        assert_ne!(normalise("Connected"), normalise("Disconnected"));
    }
}

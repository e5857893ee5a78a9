//! Answers of the subject: what a person would see in them, and what they say of its state.

mod count;
mod normal;
mod text;

use std::{
    borrow::Cow,
    io::{self, Read},
};

pub use count::count_records;
use regex::Regex;
use sha2::{Digest, Sha256};

use super::{found_of, shorten};
use crate::{
    canary::{CanarySet, Hit, Kind},
    evidence::{Found, PageSeen, Place, says},
};

/// So much of a page is kept.
const KEPT: usize = 8 << 10;
/// So much of an answer is looked at.
const LOOKED_AT: usize = 4 << 20;

/// An answer of the subject: of a page, or of a program (its exit status and output).
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// HTTP or exit status.
    pub status: i32,
    /// `Content-Type`, if there was one.
    pub content_type: Option<&'a str>,
    /// The body, or the output.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The beginning of the body as text.
    fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body[..self.body.len().min(LOOKED_AT)])
    }
}

/// What a person would see, and which canaries stood in the unredacted answer (`what` was asked, for the place). A user's own
/// `pattern` is matched against the targets of links and forms too, the built-in words against what is written only.
#[must_use]
pub fn page_seen(
    answer: Answer<'_>,
    pattern: Option<&Regex>,
    leads_to_authorize: bool,
    what: &str,
    canaries: &CanarySet,
) -> (PageSeen, Vec<Found>) {
    let seen = text::seen(answer);
    let says = match pattern {
        Some(pattern) => says(&canaries.redact(&seen.whole()), Some(pattern)),
        None => says(&canaries.redact(&seen.text), None),
    };
    let text = normalised(&seen, canaries);
    let seen = PageSeen { status: answer.status, text, says, leads_to_authorize, actions: None, fields: None, took: 0, connection: None };
    (seen, page_found(answer, what, canaries))
}

/// Which canaries stand in an answer. Codes and states stand in links by right.
#[must_use]
pub fn page_found(answer: Answer<'_>, what: &str, canaries: &CanarySet) -> Vec<Found> {
    let searcher = canaries.searcher();
    let mut hits: Vec<Hit> = searcher.find(answer.body);
    // What the markup takes apart, a reader puts together.
    hits.extend(searcher.find(text::seen(answer).text.as_bytes()));
    found_of(&hits, &Place::Page(canaries.redact(what)), |kind| match kind {
        Kind::Access | Kind::Refresh | Kind::Secret | Kind::Verifier => true,
        Kind::Code | Kind::State => false,
    })
}

/// The visible text and the targets of links and forms, normalised so that two readings of an unchanged page are equal:
/// without numbers, times, hidden values and long random words. Redacted, at most 8 KiB.
#[must_use]
pub fn visible(answer: Answer<'_>, canaries: &CanarySet) -> String {
    normalised(&text::seen(answer), canaries)
}

fn normalised(seen: &text::Seen, canaries: &CanarySet) -> String {
    shorten(normal::normalise(&canaries.redact(&seen.whole())), KEPT)
}

/// What is written in an answer, and the targets of its links and forms.
pub(super) fn read(answer: Answer<'_>) -> (String, Vec<String>) {
    let seen = text::seen(answer);
    (seen.text, seen.targets)
}

/// A stable digest, for equality.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    short(&Sha256::digest(bytes))
}

/// As [`digest`], for input of any size.
pub(super) fn digest_of(mut input: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut input, &mut hasher)?;
    Ok(short(&hasher.finalize()))
}

fn short(hash: &[u8]) -> String {
    hash.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        canary::Canary,
        evidence::{CanaryForm, Says},
    };

    const TOKEN: &str = "kT4vQzW8nB2xLr7pYc5mHd9gJf3sA6eU";

    fn canaries() -> CanarySet {
        let set = CanarySet::new();
        set.add(Canary { name: "access#1".into(), value: TOKEN.into(), kind: Kind::Access, client_id: None }).expect("new");
        set.add_own(Kind::State, "Zk8pQ2mX7rLt9VwYbN4cDf");
        set
    }

    fn html(body: &str) -> Answer<'_> {
        Answer { status: 200, content_type: Some("text/html; charset=utf-8"), body: body.as_bytes() }
    }

    #[test]
    fn two_readings_of_an_unchanged_page_are_equal() {
        let page = |time: &str, csrf: &str, count: u32, state: &str| {
            format!(
                r#"<html><head><title>CRM</title><script>var t = "{csrf}"</script></head><body>
                <p>Last sync: {time}</p><p>{count} expenses</p>
                <form method="post" action="/sync"><input type="hidden" name="csrf" value="{csrf}"><button>Sync now</button></form>
                <a href="/connect?state={state}&from=1">Connect</a> <code>{csrf}</code></body></html>"#
            )
        };
        let one = page("2024-01-31 10:22:09", "a8Xk2LmQ99zPqR5t", 1, "Zk8pQ2mX7rLt9VwYbN4cDf");
        let two = page("2024-02-01 01:02:03", "b7Yl3MnR88yQrS6u", 12, "other-state-altogether-7");
        let set = canaries();
        assert_eq!(visible(html(&one), &set), visible(html(&two), &set));
        assert_eq!(
            visible(html(&one), &set),
            "CRM\nLast sync: # #\n# expense\nSync now\nConnect …\n=> POST /sync\n-> /connect?state=&from="
        );
    }

    #[test]
    fn a_notice_makes_a_difference() {
        let (before, after) =
            ("<p>All good</p>", "<p>All good</p><div class=notice>Access was <b>revoked</b>. <a href=/connect>Go</a></div>");
        let set = canaries();
        let (before, _) = page_seen(html(before), None, false, "GET /", &set);
        let (after, _) = page_seen(html(after), None, true, "GET /", &set);
        assert_eq!((before.says, before.text.as_str()), (Says::No, "All good"));
        assert_eq!((after.says, after.text.as_str()), (Says::Yes, "All good\nAccess was revoked. Go\n-> /connect"));
        assert!(after.leads_to_authorize);
    }

    #[test]
    fn a_token_on_a_page_is_found_and_not_shown() {
        let escaped = TOKEN.replace('4', "&#52;");
        let body = format!("<p>debug: {escaped}</p><input type=hidden value='{TOKEN}'><a href='/x?state=Zk8pQ2mX7rLt9VwYbN4cDf'>x</a>");
        let (page, found) = page_seen(html(&body), None, false, "GET /", &canaries());
        assert_eq!(page.text, "debug: ‹access##›\nx\n-> /x?state=");
        let place = Place::Page("GET /".into());
        assert_eq!(found, [Found { canary: "access#1".into(), form: CanaryForm::Raw, place }]);
    }

    #[test]
    fn a_token_that_markup_takes_apart_is_found() {
        let body = format!("<p>{}<wbr>{}</p>", &TOKEN[..10], &TOKEN[10..]);
        assert_eq!(page_found(html(&body), "GET /", &canaries()).len(), 1);
    }

    #[test]
    fn a_users_own_pattern_decides_alone() {
        let pattern = Regex::new("(?i)verbindung.*erneuern|/relink").expect("a pattern");
        let set = canaries();
        for (body, expected) in [
            ("<p>Bitte Verbindung erneuern</p>", Says::Yes),
            ("<a href=/relink>hier</a>", Says::Yes),
            ("<p>Please reconnect</p>", Says::No),
        ] {
            assert_eq!(page_seen(html(body), Some(&pattern), false, "GET /", &set).0.says, expected, "{body}");
        }
    }

    #[test]
    fn a_page_is_cut_at_8_kib() {
        let body = "<p>wörds</p>".repeat(5_000);
        let text = visible(html(&body), &canaries());
        assert!(text.len() <= KEPT && text.len() > KEPT - 8, "{}", text.len());
    }

    #[test]
    fn digests_tell_equality() {
        assert_eq!(digest(b"a"), digest(b"a"));
        assert_ne!(digest(b"a"), digest(b"b"));
        assert_eq!(digest_of(&b"abc"[..]).expect("a slice can be read"), digest(b"abc"));
        assert_eq!(digest(b"abc"), "ba7816bf8f01cfea");
    }
}

//! What comes to the user by itself: a request to a webhook, a mail. What it says, and where its links lead.

use std::{
    borrow::Cow,
    io::{self, Read},
    sync::LazyLock,
};

use flate2::read::MultiGzDecoder;
use mail_parser::{MessageParser, PartType};
use regex::Regex;
use url::form_urlencoded;

use super::{found_of, page, shorten};
use crate::{
    canary::{CanarySet, Kind},
    evidence::{self, Channel, Found, Place, What},
};

/// So much of what is said is kept.
const KEPT: usize = 8 << 10;
/// So much of the text before an address tells what it is for.
const BEFORE: usize = 120;
/// More addresses are not looked at.
const LINKS: usize = 50;

/// A message as a person reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// What is written.
    pub text: String,
    /// The targets of links and forms in it.
    pub targets: Vec<String>,
    /// The same as a page, whose links can be followed.
    pub page: String,
}

impl Notice {
    /// What was posted to a webhook.
    #[must_use]
    pub fn posted(content_type: Option<&str>, body: &[u8]) -> Self {
        let kind = content_type.unwrap_or_default().to_ascii_lowercase();
        if kind.contains("x-www-form-urlencoded") {
            let lines = form_urlencoded::parse(body).map(|(name, value)| {
                let (text, _) = page::read(page::Answer { status: 200, content_type: None, body: value.as_bytes() });
                format!("{name}: {text}")
            });
            return Self::of_text(lines.collect::<Vec<_>>().join("\n"), Vec::new(), "");
        }
        let (text, targets) = page::read(page::Answer { status: 200, content_type, body });
        let html = if targets.is_empty() { Cow::Borrowed("") } else { String::from_utf8_lossy(body) };
        Self::of_text(text, targets, &html)
    }

    /// A mail as it was sent: its subject, and all of its text.
    #[must_use]
    pub fn mailed(raw: &[u8]) -> Self {
        let Some(mail) = MessageParser::default().parse(raw) else { return Self::posted(Some("text/plain"), raw) };
        let mut texts: Vec<String> = mail.subject().map(str::to_owned).into_iter().collect();
        let (mut targets, mut html) = (Vec::new(), String::new());
        let mut parts: Vec<u32> = mail.text_body.iter().chain(&mail.html_body).copied().collect();
        parts.sort_unstable();
        parts.dedup();
        for part in parts.into_iter().filter_map(|place| mail.parts.get(usize::try_from(place).ok()?)) {
            let (kind, body) = match &part.body {
                PartType::Text(text) => ("text/plain", text),
                PartType::Html(text) => ("text/html", text),
                PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Message(_) | PartType::Multipart(_) => continue,
            };
            let (text, more) = page::read(page::Answer { status: 200, content_type: Some(kind), body: body.as_bytes() });
            texts.push(text);
            targets.extend(more);
            if kind == "text/html" {
                html.push_str(body);
            }
        }
        Self::of_text(texts.join("\n"), targets, &html)
    }

    fn of_text(text: String, targets: Vec<String>, html: &str) -> Self {
        let page = format!("{html}\n{}", links(&text));
        Self { text, targets, page }
    }

    /// The event, and what was found in the message as it came (`raw`). A user's own `pattern` is matched against addresses too, the
    /// built-in words against what is written only.
    #[must_use]
    pub fn told(&self, channel: Channel, notice: u32, raw: &[u8], pattern: Option<&Regex>, canaries: &CanarySet) -> (What, Vec<Found>) {
        let whole = std::iter::once(&self.text).chain(&self.targets).map(String::as_str).collect::<Vec<_>>().join("\n");
        let says = match pattern {
            Some(pattern) => evidence::says(&canaries.redact(&whole), Some(pattern)),
            None => evidence::says(&canaries.redact(&written(&self.text)), None),
        };
        let searcher = canaries.searcher();
        let mut hits = searcher.find(raw);
        // What the coding of a mail takes apart, a reader puts together.
        hits.extend(searcher.find(whole.as_bytes()));
        // Codes and states stand in links by right.
        let found = found_of(&hits, &Place::Notice(channel), |kind| match kind {
            Kind::Access | Kind::Refresh | Kind::Secret | Kind::Verifier => true,
            Kind::Code | Kind::State => false,
        });
        let text = shorten(searcher.redact(&whole), KEPT);
        (What::Notified { channel, text, says, notice }, found)
    }
}

/// A member of data that says nothing is no word to the user, whatever its name.
fn written(text: &str) -> String {
    let empty = |line: &&str| {
        [": null", ": false", ":"].iter().any(|end| line.trim_end().ends_with(end)) && !line.trim().contains(' ')
            || line.trim_end().ends_with(": null")
            || line.trim_end().ends_with(": false")
    };
    text.lines().filter(|line| !empty(line)).collect::<Vec<_>>().join("\n")
}

/// The addresses in a text as links, each with the words before it.
fn links(text: &str) -> String {
    static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"https?://[^\s"'<>|\\`]+"#).ok());
    let Some(address) = ADDRESS.as_ref() else { return String::new() };
    let mut page = String::new();
    for found in address.find_iter(text).take(LINKS) {
        let url = found.as_str().trim_end_matches(['.', ',', ')', ']', ';', '!']);
        let start = (0..=found.start().saturating_sub(BEFORE)).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let before = &text[start..found.start()];
        // What stands before another address is about that one.
        let before = address.find_iter(before).last().map_or(before, |other| &before[other.end()..]);
        page.push_str(&format!("<p><a href=\"{}\">{}</a></p>\n", escaped(url), escaped(before)));
    }
    page
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The body of a request that came packed, at most `limit` bytes of it.
///
/// # Errors
/// It is not gzip.
pub fn unpacked(body: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(body).take(limit).read_to_end(&mut plain)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        canary::Canary,
        evidence::{CanaryForm, Says},
    };

    const TOKEN: &str = "kT4vQzW8nB2xLr7pYc5mHd9gJf3sA6eU";

    fn told(notice: &Notice, raw: &[u8], pattern: Option<&str>) -> (String, Says, Vec<(String, CanaryForm)>) {
        let set = CanarySet::new();
        set.add(Canary { name: "access#1".into(), value: TOKEN.into(), kind: Kind::Access, client_id: None }).expect("new");
        let pattern = pattern.map(|pattern| Regex::new(pattern).expect("a pattern"));
        let (what, found) = notice.told(Channel::Mail, 1, raw, pattern.as_ref(), &set);
        let What::Notified { text, says, .. } = what else { panic!("{what:?}") };
        (text, says, found.into_iter().map(|found| (found.canary, found.form)).collect())
    }

    #[test]
    fn what_is_posted_is_read_in_the_usual_forms() {
        for (kind, body) in [
            (Some("application/json"), r#"{"text":"Please reconnect: <http://127.0.0.1:9/connect|here>"}"#),
            (
                Some("application/x-www-form-urlencoded"),
                "payload=%7B%22text%22%3A%22Please+reconnect%3A+http%3A%2F%2F127.0.0.1%3A9%2Fconnect%22%7D",
            ),
            (Some("text/plain; charset=utf-8"), "Please reconnect:\n\nhttp://127.0.0.1:9/connect."),
            (None, "<!doctype html><p>Please <a href='http://127.0.0.1:9/connect'>reconnect</a>"),
        ] {
            let notice = Notice::posted(kind, body.as_bytes());
            assert_eq!(told(&notice, body.as_bytes(), None).1, Says::Yes, "{notice:?}");
            assert!(notice.page.contains("127.0.0.1:9/connect"), "{notice:?}");
            assert!(!notice.page.contains("connect."), "{notice:?}");
        }
        let other = Notice::posted(None, br#"{"event":"sync.done","reconnect_url":null,"count":7}"#);
        assert_eq!(told(&other, b"", None).1, Says::No);
        assert_eq!(told(&other, b"", Some("sync.done")).1, Says::Yes);
    }

    #[test]
    fn a_mail_is_decoded_before_it_is_read() {
        let mail =
            b"From: crm@example.test\r\nTo: ada@example.test\r\nSubject: =?utf-8?Q?Pleo:_bitte_neu_verbinden?=\r\nMIME-Version: 1.0\r\n\
            Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\nThe connection has been l=\r\nost: http://127.0.0.1:9/con=\r\nnect?a=3D1\r\n\
            --b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
            PHA+TG9nIGluIDxhIGhyZWY9Imh0dHA6Ly8xMjcuMC4wLjE6OS94Ij5oZXJlPC9hPjwvcD4=\r\n--b--\r\n";
        let notice = Notice::mailed(mail);
        assert_eq!(notice.text, "Pleo: bitte neu verbinden\nThe connection has been lost: http://127.0.0.1:9/connect?a=1\nLog in here");
        assert_eq!(notice.targets, ["-> http://127.0.0.1:9/x"]);
        assert_eq!(told(&notice, mail, None).1, Says::Yes);
        assert_eq!(told(&notice, mail, Some("neu verbinden")).1, Says::Yes);
    }

    #[test]
    fn a_token_in_a_message_is_found_however_it_is_coded_and_never_kept() {
        let folded = format!("Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}=\r\n{}\r\n", &TOKEN[..9], &TOKEN[9..]);
        let (text, _, found) = told(&Notice::mailed(folded.as_bytes()), folded.as_bytes(), None);
        assert_eq!(text, "x\n‹access#1›");
        assert_eq!(found, [("access#1".to_owned(), CanaryForm::Raw)]);
    }

    #[test]
    fn a_packed_body_is_unpacked_within_bounds() {
        use std::io::Write;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"reconnect please").expect("packed");
        let packed = packed.finish().expect("finished");
        assert_eq!(unpacked(&packed, 9).expect("gzip"), b"reconnect");
        assert!(unpacked(b"plain", 9).is_err());
    }
}

//! What a subject leaves behind, turned into evidence: its traffic, its log lines, its storage, its pages.
//!
//! Everything that leaves this room is redacted; what was found in the unredacted original is told beside it.

mod database;
pub mod files;
mod glob;
pub mod logs;
mod notice;
mod packed;
pub mod page;
mod walk;
pub mod wire;

pub use files::{Prepared, Scan, ScanPlan, scan_storage, scan_text};
pub use logs::{Line, LogTail, log_event};
pub use notice::{Notice, unpacked};
pub use page::{Answer, count_records, digest, page_found, page_seen, visible};
pub use wire::{AGENT_HEADER, WireCollector};

use regrant_mock_server::{authority, vault};

use crate::{
    canary::{Canary, CanarySet, Form, Hit, Kind},
    evidence::{CanaryForm, Found, Place},
};

/// The provider's secrets as canaries. `client_id` is what stands before a client secret in a `Basic` credential.
#[must_use]
pub fn adopt(secrets: &[vault::Canary], client_id: Option<&str>) -> Vec<Canary> {
    let one = |secret: &vault::Canary| {
        let kind = match secret.kind {
            authority::Kind::Access => Kind::Access,
            authority::Kind::Refresh => Kind::Refresh,
            authority::Kind::Code => Kind::Code,
            authority::Kind::Secret => Kind::Secret,
        };
        let client_id = client_id.filter(|_| kind == Kind::Secret).map(str::to_owned);
        Canary { name: secret.name.clone(), value: secret.value.clone(), kind, client_id }
    };
    secrets.iter().map(one).collect()
}

/// What was hit, each canary and form once, as found at `place`.
#[must_use]
pub fn found(hits: &[Hit], place: &Place) -> Vec<Found> {
    found_of(hits, place, |_| true)
}

/// What was hit inside a packed file. A part of a secret stays that.
fn found_inside(hits: &[Hit], place: &Place) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for mut one in found(hits, place) {
        if one.form != CanaryForm::Prefix {
            one.form = CanaryForm::Compressed;
        }
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

/// As [`found`], but only secrets that have no business there.
fn found_of(hits: &[Hit], place: &Place, counts: impl Fn(Kind) -> bool) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for hit in hits.iter().filter(|hit| counts(hit.kind)) {
        let one = Found { canary: hit.name.clone(), form: evidence_form(hit.form), place: place.clone() };
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

fn evidence_form(form: Form) -> CanaryForm {
    match form {
        Form::Raw => CanaryForm::Raw,
        Form::Basic => CanaryForm::Basic,
        Form::Percent => CanaryForm::Percent,
        Form::Json => CanaryForm::Json,
        Form::Base64 => CanaryForm::Base64,
        Form::Hex => CanaryForm::Hex,
        Form::Utf16 => CanaryForm::Utf16,
        Form::Prefix => CanaryForm::Prefix,
    }
}

/// Words for a person (the detail of an answer, a raw status), redacted, on one line, at most `limit` bytes.
#[must_use]
pub fn brief(text: &str, canaries: &CanarySet, limit: usize) -> String {
    let redacted = canaries.redact(text);
    shorten(redacted.split_whitespace().collect::<Vec<_>>().join(" "), limit)
}

/// At most `limit` bytes, cut at a character.
fn shorten(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let mark = '…';
        let end = (0..=limit.saturating_sub(mark.len_utf8())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
        text.truncate(end);
        text.push(mark);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "kT4vQzW8nB2xLr7pYc5mHd9gJf3sA6eU";

    fn secret(kind: authority::Kind) -> vault::Canary {
        vault::Canary { name: "x#1".into(), value: TOKEN.into(), kind, grant: None }
    }

    #[test]
    fn only_a_client_secret_stands_behind_a_client_id() {
        for (kind, expected) in [
            (authority::Kind::Access, (Kind::Access, None)),
            (authority::Kind::Refresh, (Kind::Refresh, None)),
            (authority::Kind::Code, (Kind::Code, None)),
            (authority::Kind::Secret, (Kind::Secret, Some("app".to_owned()))),
        ] {
            let adopted = adopt(&[secret(kind)], Some("app"));
            assert_eq!(adopted, [Canary { name: "x#1".into(), value: TOKEN.into(), kind: expected.0, client_id: expected.1 }]);
        }
    }

    #[test]
    fn a_canary_counts_once_in_each_form() {
        let set = CanarySet::new();
        set.add(adopt(&[secret(authority::Kind::Access)], None).remove(0)).expect("new");
        let hits = set.find(format!("{TOKEN} {TOKEN} {}", &TOKEN[..20]).as_bytes());
        let forms: Vec<CanaryForm> = found(&hits, &Place::Url).into_iter().map(|f| f.form).collect();
        assert_eq!(forms, [CanaryForm::Raw, CanaryForm::Prefix]);
    }

    #[test]
    fn brief_words_are_redacted_before_they_are_cut() {
        let set = CanarySet::new();
        set.add(adopt(&[secret(authority::Kind::Access)], None).remove(0)).expect("new");
        assert_eq!(brief(&format!("got {TOKEN}"), &set, 100), "got ‹x#1›");
        assert_eq!(brief(&format!("got {TOKEN}"), &set, 10), "got ‹…");
        assert_eq!(brief(" äö\n ü", &set, 6), "ä…");
        assert_eq!(brief(" äö\n ü", &set, 7), "äö ü");
    }
}

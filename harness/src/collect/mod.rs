//! What a subject leaves behind, turned into evidence: its traffic, its log lines, its storage, its pages.
//!
//! Everything that leaves this room is redacted; what was found in the unredacted original is told beside it.

pub mod database;
pub mod files;
mod glob;
pub mod logs;
pub mod page;
pub mod wire;

pub use files::{Prepared, Scan, ScanPlan, scan_storage, scan_text};
pub use logs::{Line, LogTail, log_event};
pub use page::{Pattern, count_records, digest, page_seen, read_status, says, visible};
pub use wire::WireCollector;

use regrant_mock_server::{authority, vault};

use crate::{
    canary::{Canary, Form, Hit, Kind},
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

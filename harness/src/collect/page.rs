//! Answers of the subject: what a person would see in them, and what they say of its state.
#![allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]

use std::io::{self, Read};

use regex::Regex;
use regrant_mock_server::fault::scenario::Status;
use sha2::{Digest, Sha256};

use crate::{
    canary::CanarySet,
    evidence::{Found, PageSeen, Says},
};

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

/// One of the manifest's patterns for a state.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// `{ json = "/state", is = "connected" }`.
    Json {
        /// JSON pointer.
        pointer: String,
        /// The value there.
        is: serde_json::Value,
    },
    /// `{ status = 401 }`.
    Status(u16),
    /// `{ text = "regex" }`.
    Text(Regex),
    /// `{ exit = 3 }`.
    Exit(i32),
}

/// What a person would see, and which canaries stood in the unredacted answer (`what` was asked, for the place).
#[must_use]
pub fn page_seen(
    answer: Answer<'_>,
    pattern: Option<&Regex>,
    leads_to_authorize: bool,
    what: &str,
    canaries: &CanarySet,
) -> (PageSeen, Vec<Found>) {
    todo!()
}

/// The visible text and the targets of links and forms, normalised so that two readings of an unchanged page are equal:
/// without numbers, times, hidden values and long random words. Redacted, at most 8 KiB.
#[must_use]
pub fn visible(answer: Answer<'_>, canaries: &CanarySet) -> String {
    todo!()
}

/// Whether the text tells the user that access must be restored: by `pattern`, else by a list of English words.
#[must_use]
pub fn says(text: &str, pattern: Option<&Regex>) -> Says {
    todo!()
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

/// Number of records in an answer: of a JSON array, of the first array in a JSON object, of JSON lines, of table rows, of lines.
#[must_use]
pub fn count_records(body: &[u8]) -> Option<u64> {
    todo!()
}

/// The state that the answer tells: the first pattern that matches.
#[must_use]
pub fn read_status(patterns: &[(Status, Pattern)], answer: Answer<'_>) -> Option<Status> {
    todo!()
}

//! Finds a fixed set of canaries in bytes.
#![allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]

use std::io::Read;

use super::{Canary, Hit};

/// Finds a fixed set of canaries. Values shorter than [`super::SHORTEST`] are left out.
#[derive(Debug, Clone, Default)]
pub struct Searcher {}

impl Searcher {
    /// A searcher for these.
    #[must_use]
    pub fn new(canaries: &[Canary]) -> Self {
        todo!()
    }

    /// All hits, in order, not overlapping: at one place the longest wins, then the most exact form.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Vec<Hit> {
        todo!()
    }

    /// As [`Searcher::find`], for input of any size, in bounded memory.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn find_in(&self, input: impl Read) -> std::io::Result<Vec<Hit>> {
        todo!()
    }

    /// The text with each hit replaced by its name, `‹refresh#3›`.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        todo!()
    }

    /// As [`Searcher::redact`], for bytes.
    #[must_use]
    pub fn redact_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        todo!()
    }
}

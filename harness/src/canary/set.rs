//! A set of canaries that grows while a story is told.
#![allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]

use std::sync::Arc;

use super::{Canary, Hit, Searcher};

/// Canaries known so far. Cheap to clone; all clones are the same set.
#[derive(Clone, Default)]
pub struct CanarySet {}

/// Why a canary was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not unique enough.
    #[error("shorter than {} characters", super::SHORTEST)]
    TooShort,
    /// The same value is known under this name.
    #[error("known as {0}")]
    Known(String),
}

impl CanarySet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A set that asks `source` for new canaries whenever it is used. `source` is told how many it gave before.
    #[must_use]
    pub fn fed(source: impl Fn(usize) -> Vec<Canary> + Send + Sync + 'static) -> Self {
        todo!()
    }

    /// Adds one.
    ///
    /// # Errors
    /// As [`Refused`] says; the set is unchanged then.
    pub fn add(&self, canary: Canary) -> Result<(), Refused> {
        todo!()
    }

    /// Adds a secret that the subject made up, naming it after its kind (`verifier#1`). Gives its name, also if it was known.
    pub fn add_own(&self, kind: super::Kind, value: &str) -> Option<String> {
        todo!()
    }

    /// A searcher for all that is known now.
    #[must_use]
    pub fn searcher(&self) -> Arc<Searcher> {
        todo!()
    }

    /// The name of a secret by its exact value.
    #[must_use]
    pub fn name_of(&self, value: &str) -> Option<String> {
        todo!()
    }

    /// [`Searcher::find`] with what is known now.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Vec<Hit> {
        self.searcher().find(bytes)
    }

    /// [`Searcher::redact`] with what is known now.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.searcher().redact(text)
    }
}

//! A set of canaries that grows while a story is told.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Canary, Hit, Kind, SHORTEST, Searcher, searcher::Part};

/// New canaries get a small automaton of their own until there are so many; then all are put into one.
const RECENT: usize = 16;

type Source = Arc<dyn Fn(usize) -> Vec<Canary> + Send + Sync>;

/// Canaries known so far. Cheap to clone; all clones are the same set.
#[derive(Clone, Default)]
pub struct CanarySet {
    inner: Arc<Mutex<Inner>>,
    source: Option<Source>,
}

#[derive(Default)]
struct Inner {
    all: Vec<Canary>,
    by_value: HashMap<String, usize>,
    given: usize,
    own: HashMap<Kind, u32>,
    base: Option<Arc<Part>>,
    in_base: usize,
    built: usize,
    searcher: Arc<Searcher>,
}

/// Why a canary was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not unique enough.
    #[error("shorter than {SHORTEST} characters")]
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
        Self { source: Some(Arc::new(source)), ..Self::default() }
    }

    /// Adds one.
    ///
    /// # Errors
    /// As [`Refused`] says; the set is unchanged then.
    pub fn add(&self, canary: Canary) -> Result<(), Refused> {
        self.fresh().add(canary)
    }

    /// Adds a secret that the subject made up, naming it after its kind (`verifier#1`). Gives its name, also if it was known;
    /// none if it is too short.
    pub fn add_own(&self, kind: Kind, value: &str) -> Option<String> {
        let mut inner = self.fresh();
        let count = inner.own.get(&kind).copied().unwrap_or(0) + 1;
        let name = format!("{}#{count}", kind.word());
        match inner.add(Canary { name: name.clone(), value: value.to_owned(), kind, client_id: None }) {
            Ok(()) => {
                inner.own.insert(kind, count);
                Some(name)
            }
            Err(Refused::Known(name)) => Some(name),
            Err(Refused::TooShort) => None,
        }
    }

    /// A searcher for all that is known now.
    #[must_use]
    pub fn searcher(&self) -> Arc<Searcher> {
        let mut inner = self.fresh();
        inner.build();
        Arc::clone(&inner.searcher)
    }

    /// The name of a secret by its exact value.
    #[must_use]
    pub fn name_of(&self, value: &str) -> Option<String> {
        let inner = self.fresh();
        inner.by_value.get(value).map(|&i| inner.all[i].name.clone())
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

    /// The set, after the source was asked. The source runs unlocked, since it takes locks of its own.
    fn fresh(&self) -> MutexGuard<'_, Inner> {
        let Some(source) = &self.source else { return self.lock() };
        let given = self.lock().given;
        let new = source(given);
        let mut inner = self.lock();
        inner.given = inner.given.max(given + new.len());
        for canary in new {
            // Another thread may have asked at the same time; a value too short to search for stays out.
            let _ = inner.add(canary);
        }
        inner
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, canary: Canary) -> Result<(), Refused> {
        if canary.value.len() < SHORTEST {
            return Err(Refused::TooShort);
        }
        if let Some(&known) = self.by_value.get(&canary.value) {
            return Err(Refused::Known(self.all[known].name.clone()));
        }
        self.by_value.insert(canary.value.clone(), self.all.len());
        self.all.push(canary);
        Ok(())
    }

    fn build(&mut self) {
        if self.built == self.all.len() {
            return;
        }
        if self.all.len() - self.in_base > RECENT {
            self.base = Part::build(&self.all).map(Arc::new);
            self.in_base = self.all.len();
        }
        let recent = Part::build(&self.all[self.in_base..]).map(Arc::new);
        self.searcher = Arc::new(Searcher::of(self.base.iter().cloned().chain(recent).collect()));
        self.built = self.all.len();
    }
}

impl fmt::Debug for CanarySet {
    /// Names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().all.iter().map(|c| &c.name)).finish()
    }
}

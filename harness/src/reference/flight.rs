//! A refresh under way, and what became of it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What became of an attempt.
pub(super) enum Settled {
    Done,
    Passing { retry_after: Option<Duration>, repeat: bool, lost: bool },
}

/// Marks a refresh as in flight until it is dropped.
pub(super) struct InFlight<'a>(&'a AtomicU64);

impl<'a> InFlight<'a> {
    pub(super) fn begin(mark: &'a AtomicU64, generation: u64) -> Self {
        mark.store(generation, Ordering::SeqCst);
        Self(mark)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

//! Reads the journal at its own pace. Nothing is kept for a reader: who is slower than the ring is told what it missed.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::watch;

use super::{Entry, Journal};

/// How many lines are taken at once, so that nobody who writes waits for long.
const AT_ONCE: usize = 256;

/// A place in the journal.
pub(crate) struct Reader {
    journal: Arc<Journal>,
    next: u64,
    newest: watch::Receiver<u64>,
}

/// What a reader gets.
#[derive(Debug)]
pub(crate) enum Read {
    /// The next lines, at least one.
    Lines(Vec<Entry>),
    /// Lines from `from` on were forgotten before they could be read; it goes on with `oldest`.
    Lagged { from: u64, oldest: u64 },
}

impl Reader {
    /// Reads from number `from` on; 0: from the oldest line that is kept.
    pub(crate) fn new(journal: Arc<Journal>, from: u64) -> Self {
        let newest = journal.newest();
        let next = if from == 0 { journal.page(0, 0).oldest } else { from };
        Self { journal, next, newest }
    }

    /// What there is, without waiting; `None` at the end.
    pub(crate) fn so_far(&mut self) -> Option<Read> {
        self.take().0
    }

    /// What comes next, awaited; `None` once the journal is closed.
    pub(crate) async fn next(&mut self) -> Option<Read> {
        loop {
            self.newest.mark_unchanged();
            match self.take() {
                (Some(read), _) => return Some(read),
                (None, true) => return None,
                // Fails only without a journal, which this reader keeps.
                (None, false) => self.newest.changed().await.ok()?,
            }
        }
    }

    fn take(&mut self) -> (Option<Read>, bool) {
        let page = self.journal.page(self.next, AT_ONCE);
        if self.next < page.oldest {
            let from = std::mem::replace(&mut self.next, page.oldest);
            return (Some(Read::Lagged { from, oldest: page.oldest }), page.closed);
        }
        let Some(last) = page.entries.last() else { return (None, page.closed) };
        self.next = last.n + 1;
        (Some(Read::Lines(page.entries)), page.closed)
    }
}

/// The journal line by line, for whoever waits for something to come. What was missed is passed over.
pub(crate) struct Lines {
    reader: Reader,
    ready: VecDeque<Entry>,
}

impl Lines {
    /// Those after number `last`.
    pub(crate) fn after(journal: Arc<Journal>, last: u64) -> Self {
        Self { reader: Reader::new(journal, last + 1), ready: VecDeque::new() }
    }

    /// The next one; `None` once the journal is closed. May be given up and called again without losing any.
    pub(crate) async fn recv(&mut self) -> Option<Entry> {
        while self.ready.is_empty() {
            match self.reader.next().await? {
                Read::Lines(lines) => self.ready.extend(lines),
                Read::Lagged { .. } => {}
            }
        }
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        clock::Clock,
        journal::{Keep, What},
    };

    fn numbers(read: Option<Read>) -> Vec<u64> {
        match read {
            Some(Read::Lines(entries)) => entries.iter().map(|entry| entry.n).collect(),
            Some(Read::Lagged { .. }) | None => Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_reader_waits_for_what_comes() {
        let journal = Arc::new(Journal::new(Arc::new(Clock::new(Instant::now())), Keep::All));
        let mut reader = Reader::new(journal.clone(), 0);
        assert!(reader.so_far().is_none());
        let (got, ()) = tokio::join!(reader.next(), async {
            journal.push(What::Minted { name: "a".into() });
        });
        assert_eq!(numbers(got), [1]);
        journal.close();
        assert!(reader.next().await.is_none());
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_what_it_missed() {
        let journal = Arc::new(Journal::new(Arc::new(Clock::new(Instant::now())), Keep::Last { entries: 2, bytes: usize::MAX }));
        let mut reader = Reader::new(journal.clone(), 0);
        for _ in 0..5 {
            journal.push(What::Minted { name: "a".into() });
        }
        assert!(matches!(reader.next().await, Some(Read::Lagged { from: 1, oldest: 4 })));
        assert_eq!(numbers(reader.next().await), [4, 5]);
    }
}

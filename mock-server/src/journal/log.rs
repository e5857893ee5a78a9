//! The journal itself: numbers and times every line, keeps as many as it was told to, and hands them to whoever follows.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    watch,
};

use super::{Arrived, At, Conn, Entry, Exchange, Keep, What};
use crate::clock::Clock;

/// The lines that are kept, and who follows.
#[derive(Debug)]
pub(crate) struct Journal {
    clock: Arc<Clock>,
    keep: Keep,
    lines: Mutex<Lines>,
    /// The number of the newest line, for those who read at their own pace. Told only while somebody does.
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Lines {
    entries: VecDeque<Entry>,
    /// What the entries weigh together, where that is limited.
    bytes: usize,
    /// The number of the newest line, kept or not.
    last: u64,
    followers: Vec<UnboundedSender<Entry>>,
    conns: Conn,
    exchanges: Exchange,
    closed: bool,
}

/// Some lines, and what is kept besides.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// The number of the oldest line that is kept; one more than `last` if there is none.
    pub(crate) oldest: u64,
    /// The number of the newest line.
    pub(crate) last: u64,
    /// Nothing will follow.
    pub(crate) closed: bool,
}

impl Journal {
    pub(crate) fn new(clock: Arc<Clock>, keep: Keep) -> Self {
        Self { clock, keep, lines: Mutex::default(), newest: watch::Sender::new(0) }
    }

    /// Writes one line.
    pub(crate) fn push(&self, what: What) -> At {
        let mut lines = self.lines();
        let at = self.clock.at();
        self.write(&mut lines, at, what);
        at
    }

    /// Writes one line about what happened at a moment just past.
    pub(crate) fn push_at(&self, at: At, what: What) {
        self.write(&mut self.lines(), at, what);
    }

    /// Writes that a connection was accepted, and numbers it.
    pub(crate) fn opened(&self, peer: SocketAddr, local: SocketAddr) -> Conn {
        let mut lines = self.lines();
        lines.conns += 1;
        let conn = lines.conns;
        self.write(&mut lines, self.clock.at(), What::Opened { conn, peer, local });
        conn
    }

    /// Writes that a request was read whole, and numbers it; `arrived.exchange` is filled in here.
    pub(crate) fn arrived(&self, mut arrived: Arrived) -> Exchange {
        let mut lines = self.lines();
        lines.exchanges += 1;
        let exchange = lines.exchanges;
        arrived.exchange = exchange;
        self.write(&mut lines, self.clock.at(), What::Arrived(arrived.into()));
        exchange
    }

    /// The lines that are kept.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lines().entries.iter().cloned().collect()
    }

    /// The number of the newest line; 0 if there is none.
    pub(crate) fn last(&self) -> u64 {
        self.lines().last
    }

    /// At most `most` of the kept lines, from number `from` on.
    pub(crate) fn page(&self, from: u64, most: usize) -> Page {
        let lines = self.lines();
        let oldest = lines.oldest();
        let skipped = usize::try_from(from.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let entries = lines.entries.iter().skip(skipped).take(most).cloned().collect();
        Page { entries, oldest, last: lines.last, closed: lines.closed }
    }

    /// The lines that are kept and then each new one, in order and without gaps.
    pub(crate) fn follow(&self) -> UnboundedReceiver<Entry> {
        let (sender, receiver) = unbounded_channel();
        let mut lines = self.lines();
        let still_there = lines.entries.iter().all(|entry| sender.send(entry.clone()).is_ok());
        if still_there && !lines.closed {
            lines.followers.push(sender);
        }
        receiver
    }

    /// Tells when there are new lines, for [`Journal::page`].
    pub(crate) fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Forgets all lines. Numbers go on from where they were, so that nobody takes a new line for an old one.
    pub(crate) fn clear(&self) {
        let mut lines = self.lines();
        lines.entries.clear();
        lines.bytes = 0;
    }

    /// Lets all followers go: nothing will be told to them any more.
    pub(crate) fn close(&self) {
        let mut lines = self.lines();
        lines.closed = true;
        lines.followers.clear();
        self.newest.send_replace(lines.last);
    }

    fn write(&self, lines: &mut Lines, at: At, what: What) {
        lines.push(self.keep, at, what);
        if self.newest.receiver_count() > 0 {
            self.newest.send_replace(lines.last);
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn oldest(&self) -> u64 {
        self.last + 1 - self.entries.len() as u64
    }

    fn push(&mut self, keep: Keep, at: At, what: What) {
        self.last += 1;
        let entry = Entry { n: self.last, at, what };
        if !self.followers.is_empty() {
            self.followers.retain(|follower| follower.send(entry.clone()).is_ok());
        }
        if let Keep::Last { entries, bytes } = keep {
            self.bytes += weight(&entry.what);
            while self.entries.len() >= entries.max(1) || (self.bytes > bytes && !self.entries.is_empty()) {
                self.bytes -= self.entries.pop_front().map_or(0, |gone| weight(&gone.what));
            }
        }
        self.entries.push_back(entry);
    }
}

/// What a line costs in memory, roughly: its own size, and what a subject can make long.
fn weight(what: &What) -> usize {
    let long = |headers: &[(String, String)], body: &[u8]| {
        headers.iter().map(|(name, value)| name.len() + value.len() + 2 * size_of::<String>()).sum::<usize>() + body.len()
    };
    let more = match what {
        What::Arrived(arrived) => {
            let line = arrived.method.len() + arrived.host.len() + arrived.path.len() + arrived.query.as_ref().map_or(0, String::len);
            size_of::<Arrived>() + line + long(&arrived.headers, &arrived.body)
        }
        What::Replied(replied) => size_of::<super::Replied>() + long(&replied.headers, &replied.body),
        What::WebhookSent(sent) => size_of::<super::WebhookSent>() + sent.url.len() + long(&sent.headers, &sent.body),
        What::Proxied { authority, .. } => authority.len(),
        What::Opened { .. }
        | What::Closed { .. }
        | What::Decided { .. }
        | What::Held { .. }
        | What::Released { .. }
        | What::GateTimedOut { .. }
        | What::Faulted { .. }
        | What::Read { .. }
        | What::ReadUnknown { .. }
        | What::Aborted { .. }
        | What::WebhookEnded { .. }
        | What::Minted { .. }
        | What::Controlled(_) => 0,
    };
    size_of::<Entry>() + more
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn journal(keep: Keep) -> Journal {
        Journal::new(Arc::new(Clock::new(Instant::now())), keep)
    }

    fn mint(journal: &Journal, count: usize) {
        for i in 0..count {
            journal.push(What::Minted { name: format!("access#{i}") });
        }
    }

    fn numbers(entries: &[Entry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.n).collect()
    }

    #[test]
    fn a_ring_keeps_the_newest_lines_under_their_numbers() {
        let journal = journal(Keep::Last { entries: 3, bytes: usize::MAX });
        mint(&journal, 5);
        assert_eq!(numbers(&journal.entries()), [3, 4, 5]);
        let page = journal.page(4, 10);
        assert_eq!((numbers(&page.entries), page.oldest, page.last), (vec![4, 5], 3, 5));
        assert_eq!(numbers(&journal.page(1, 2).entries), [3, 4]);
    }

    #[test]
    fn a_ring_is_bounded_in_bytes_too_but_never_empty() {
        let journal = journal(Keep::Last { entries: 100, bytes: 10_000 });
        let heavy = |bytes: usize| {
            let replied = super::super::Replied { exchange: 1, status: 200, headers: Vec::new(), body: vec![b'x'; bytes].into() };
            journal.push(What::Replied(replied.into()));
        };
        for _ in 0..10 {
            heavy(4_000);
        }
        assert_eq!(numbers(&journal.entries()), [9, 10]);
        heavy(50_000);
        assert_eq!(numbers(&journal.entries()), [11]);
        mint(&journal, 1);
        assert_eq!(numbers(&journal.entries()), [12]);
    }

    #[test]
    fn all_is_kept_where_all_is_wanted() {
        let journal = journal(Keep::All);
        mint(&journal, 1000);
        assert_eq!(journal.entries().len(), 1000);
    }

    #[test]
    fn numbers_go_on_after_all_was_forgotten() {
        let journal = journal(Keep::All);
        mint(&journal, 2);
        journal.clear();
        assert_eq!(journal.page(1, 9).oldest, 3);
        mint(&journal, 1);
        assert_eq!(numbers(&journal.entries()), [3]);
    }

    #[test]
    fn followers_get_every_line_until_the_journal_closes() {
        let journal = journal(Keep::Last { entries: 1, bytes: usize::MAX });
        mint(&journal, 1);
        let mut follower = journal.follow();
        mint(&journal, 2);
        journal.close();
        let got: Vec<u64> = std::iter::from_fn(|| follower.blocking_recv()).map(|entry| entry.n).collect();
        assert_eq!(got, [1, 2, 3]);
    }
}

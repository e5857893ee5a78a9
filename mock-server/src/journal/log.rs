//! The journal itself: numbers and times every line, and hands it to whoever follows.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Arrived, At, Conn, Entry, Exchange, What};
use crate::clock::Clock;

/// All lines so far, and who follows.
#[derive(Debug)]
pub(crate) struct Journal {
    clock: Arc<Clock>,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    entries: Vec<Entry>,
    followers: Vec<UnboundedSender<Entry>>,
    conns: Conn,
    exchanges: Exchange,
}

impl Journal {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self { clock, lines: Mutex::default() }
    }

    /// Writes one line.
    pub(crate) fn push(&self, what: What) -> At {
        self.lines().push(&self.clock, what)
    }

    /// Writes one line about what happened at a moment just past.
    pub(crate) fn push_at(&self, at: At, what: What) {
        self.lines().push_at(at, what);
    }

    /// Writes that a connection was accepted, and numbers it.
    pub(crate) fn opened(&self, peer: SocketAddr, local: SocketAddr) -> Conn {
        let mut lines = self.lines();
        lines.conns += 1;
        let conn = lines.conns;
        lines.push(&self.clock, What::Opened { conn, peer, local });
        conn
    }

    /// Writes that a request was read whole, and numbers it; `arrived.exchange` is filled in here.
    pub(crate) fn arrived(&self, mut arrived: Arrived) -> Exchange {
        let mut lines = self.lines();
        lines.exchanges += 1;
        let exchange = lines.exchanges;
        arrived.exchange = exchange;
        lines.push(&self.clock, What::Arrived(Box::new(arrived)));
        exchange
    }

    /// The lines so far.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lines().entries.clone()
    }

    /// The lines so far and then each new one, in order and without gaps.
    pub(crate) fn follow(&self) -> UnboundedReceiver<Entry> {
        let (sender, receiver) = unbounded_channel();
        let mut lines = self.lines();
        let still_there = lines.entries.iter().all(|entry| sender.send(entry.clone()).is_ok());
        if still_there {
            lines.followers.push(sender);
        }
        receiver
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn push(&mut self, clock: &Clock, what: What) -> At {
        let at = clock.at();
        self.push_at(at, what);
        at
    }

    fn push_at(&mut self, at: At, what: What) {
        let entry = Entry { n: self.entries.len() as u64 + 1, at, what };
        self.followers.retain(|follower| follower.send(entry.clone()).is_ok());
        self.entries.push(entry);
    }
}

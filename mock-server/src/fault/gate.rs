//! Gates: where requests and replies wait until somebody lets them go.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, oneshot};

use super::Point;
use crate::journal::{Exchange, Journal, What};

/// All gates of one provider, by name. A gate nobody named yet is closed.
#[derive(Debug)]
pub(crate) struct Gates {
    journal: Arc<Journal>,
    named: Mutex<BTreeMap<String, Gate>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Gate {
    open: bool,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    exchange: Exchange,
    at: Point,
    go: oneshot::Sender<Go>,
}

#[derive(Debug)]
enum Go {
    On { before: Option<oneshot::Receiver<()>>, turn: Turn },
    Away,
}

/// Keeps those released with it behind it, in order of arrival, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _done: oneshot::Sender<()>,
}

/// How a wait at a gate ended.
#[derive(Debug)]
pub(crate) enum Let {
    /// Go on; keep the turn until what was held has had its effect.
    Go(Turn),
    /// Drop the connection.
    Drop,
    /// The gate stood open.
    Open,
}

/// A gate as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct GateView {
    pub(crate) name: String,
    pub(crate) open: bool,
    pub(crate) held: Vec<HeldView>,
}

/// What a gate holds, as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct HeldView {
    pub(crate) exchange: Exchange,
    pub(crate) at: Point,
}

impl Gates {
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        Self { journal, named: Mutex::default(), changed: Notify::new() }
    }

    /// Waits at a gate. Dropping the future takes the request off the gate.
    pub(crate) async fn wait(&self, name: &str, exchange: Exchange, at: Point) -> Let {
        let Some(mut place) = self.enter(name, exchange, at) else { return Let::Open };
        match (&mut place.go).await {
            Ok(Go::On { before, turn }) => {
                if let Some(before) = before {
                    // An error is as good as a word: whoever was before is gone.
                    let _gone = before.await;
                }
                Let::Go(turn)
            }
            Ok(Go::Away) | Err(_) => Let::Drop,
        }
    }

    fn enter(&self, name: &str, exchange: Exchange, at: Point) -> Option<Place<'_>> {
        let mut named = self.named();
        let gate = named.entry(name.to_owned()).or_default();
        if gate.open {
            return None;
        }
        let (sender, go) = oneshot::channel();
        gate.waiting.push_back(Waiting { exchange, at, go: sender });
        self.journal.push(What::Held { exchange, gate: name.to_owned(), at });
        drop(named);
        self.changed.notify_waiters();
        Some(Place { gates: self, name: name.to_owned(), exchange, go })
    }

    /// Closes a gate, which holds from now on.
    pub(crate) fn close(&self, name: &str) {
        self.named().entry(name.to_owned()).or_default().open = false;
    }

    /// How many are held.
    pub(crate) fn held(&self, name: &str) -> usize {
        self.named().get(name).map_or(0, |gate| gate.waiting.len())
    }

    /// Waits until so many are held.
    pub(crate) async fn until_held(&self, name: &str, count: usize) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Enabled before looking, so that no change between the look and the wait is missed.
            changed.as_mut().enable();
            if self.held(name) >= count {
                return;
            }
            changed.await;
        }
    }

    /// Opens a gate and lets go, in order of arrival, of all it holds, or drops their connections. Returns how many.
    pub(crate) fn open(&self, name: &str, dropped: bool) -> usize {
        let mut named = self.named();
        let gate = named.entry(name.to_owned()).or_default();
        gate.open = true;
        let mut before = None;
        let mut count = 0;
        while let Some(waiting) = gate.waiting.pop_front() {
            let go = if dropped {
                Go::Away
            } else {
                let (done, behind) = oneshot::channel();
                Go::On { before: before.replace(behind), turn: Turn { _done: done } }
            };
            if waiting.go.is_closed() {
                continue;
            }
            self.journal.push(What::Released { exchange: waiting.exchange, gate: name.to_owned(), dropped });
            // It may leave this very moment; then its connection has ended anyway.
            let _left = waiting.go.send(go);
            count += 1;
        }
        count
    }

    /// Drops the connections of all that any gate holds, and forgets all gates.
    pub(crate) fn drop_all(&self) {
        for gate in self.all() {
            self.open(&gate.name, true);
        }
        self.named().clear();
    }

    /// All gates.
    pub(crate) fn all(&self) -> Vec<GateView> {
        let view = |(name, gate): (&String, &Gate)| GateView {
            name: name.clone(),
            open: gate.open,
            held: gate.waiting.iter().map(|waiting| HeldView { exchange: waiting.exchange, at: waiting.at }).collect(),
        };
        self.named().iter().map(view).collect()
    }

    fn leave(&self, name: &str, exchange: Exchange) {
        if let Some(gate) = self.named().get_mut(name) {
            gate.waiting.retain(|waiting| waiting.exchange != exchange);
        }
        self.changed.notify_waiters();
    }

    fn named(&self) -> MutexGuard<'_, BTreeMap<String, Gate>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a gate's queue, given up when dropped.
struct Place<'a> {
    gates: &'a Gates,
    name: String,
    exchange: Exchange,
    go: oneshot::Receiver<Go>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.gates.leave(&self.name, self.exchange);
    }
}

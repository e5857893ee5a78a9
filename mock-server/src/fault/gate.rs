//! Gates: where requests and replies wait until somebody lets them go.

mod held;
mod options;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

pub use options::{GateOptions, OnTimeout, Order};

use self::held::{Go, Queue, Waiting};
use super::Point;
use crate::journal::{Exchange, Journal, What};

pub(crate) use held::Turn;

/// All gates of one provider, by name. A gate nobody named yet is closed.
#[derive(Debug)]
pub(crate) struct Gates {
    journal: Arc<Journal>,
    seed: u64,
    named: Mutex<BTreeMap<String, Gate>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Gate {
    open: bool,
    options: GateOptions,
    queue: Queue,
    /// When it opens although not all came. Set by the first that it holds.
    deadline: Option<Instant>,
    /// Those that left by themselves since it held the first.
    left: usize,
    /// How often it let go of what it held, for the seeded order.
    openings: u64,
    /// What it said when its time was over.
    said: Option<String>,
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

/// Which of those that a gate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one at that place in the order of arrival, from 1.
    Nth(usize),
    /// That request or its reply.
    Exchange(Exchange),
}

/// A gate as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct GateView {
    /// Its name.
    pub name: String,
    /// It lets everything pass.
    pub open: bool,
    /// What it holds, in order of arrival.
    pub held: Vec<HeldView>,
    /// How it opens.
    pub options: GateOptions,
    /// What it said when its time was over, should that have come to pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// What a gate holds, as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct HeldView {
    /// Which request.
    pub exchange: Exchange,
    /// Where on its way.
    pub at: Point,
}

impl Gates {
    pub(crate) fn new(journal: Arc<Journal>, seed: u64) -> Self {
        Self { journal, seed, named: Mutex::default(), changed: Notify::new() }
    }

    /// Waits at a gate. Dropping the future takes the request off the gate. `why` says what is known of those that did not come.
    pub(crate) async fn wait(&self, name: &str, exchange: Exchange, at: Point, why: impl Fn() -> String) -> Let {
        let Some(mut place) = self.enter(name, exchange, at) else { return Let::Open };
        let go = loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Enabled before looking, so that no change between the look and the wait is missed.
            changed.as_mut().enable();
            let deadline = self.named().get(name).and_then(|gate| gate.deadline);
            tokio::select! {
                biased;
                go = &mut place.go => break go,
                () = until(deadline) => self.time_is_over(name, deadline, &why()),
                () = changed => {}
            }
        };
        match go {
            Ok(Go::On(turn)) => Let::Go(turn.await),
            Ok(Go::Away) | Err(_) => Let::Drop,
        }
    }

    /// How a gate opens from now on. What it holds stays held, unless it is as many as the gate opens at.
    pub(crate) fn set(&self, name: &str, options: GateOptions) {
        let mut named = self.named();
        let gate = named.entry(name.to_owned()).or_default();
        gate.options = options;
        gate.open = false;
        gate.said = None;
        gate.deadline = None;
        self.arm(name, gate);
        drop(named);
        self.changed.notify_waiters();
    }

    fn enter(&self, name: &str, exchange: Exchange, at: Point) -> Option<Place<'_>> {
        let mut named = self.named();
        let gate = named.entry(name.to_owned()).or_default();
        if gate.open {
            return None;
        }
        let (sender, go) = oneshot::channel();
        self.journal.push(What::Held { exchange, gate: name.to_owned(), at });
        gate.queue.push(Waiting { exchange, at, go: sender });
        self.arm(name, gate);
        drop(named);
        self.changed.notify_waiters();
        Some(Place { gates: self, name: name.to_owned(), exchange, go })
    }

    /// Starts the time of a gate that holds something, and opens it if it holds enough.
    fn arm(&self, name: &str, gate: &mut Gate) {
        if gate.queue.is_empty() {
            return;
        }
        if gate.options.opens_at.is_some_and(|count| gate.queue.len() >= count as usize) {
            self.let_all_go(name, gate, gate.options.order, false);
        } else if gate.deadline.is_none() {
            gate.deadline = gate.options.timeout.map(|timeout| Instant::now() + timeout);
        }
    }

    fn time_is_over(&self, name: &str, deadline: Option<Instant>, why: &str) {
        let mut named = self.named();
        let Some(gate) = named.get_mut(name).filter(|gate| gate.deadline == deadline) else { return };
        let (came, wanted) = (gate.queue.len(), gate.options.opens_at.map(|count| count as usize));
        let dropped = gate.options.then == OnTimeout::Drop;
        let story = told(name, came, wanted, gate.options.timeout.unwrap_or_default(), gate.left, why);
        gate.said = Some(story.clone());
        self.journal.push(What::GateTimedOut { gate: name.to_owned(), came, wanted, dropped, story });
        self.let_all_go(name, gate, gate.options.order, dropped);
        drop(named);
        self.changed.notify_waiters();
    }

    /// Closes a gate, which holds from now on.
    pub(crate) fn close(&self, name: &str) {
        self.named().entry(name.to_owned()).or_default().open = false;
    }

    /// How many are held.
    pub(crate) fn held(&self, name: &str) -> usize {
        self.named().get(name).map_or(0, |gate| gate.queue.len())
    }

    /// Waits until so many are held.
    pub(crate) async fn until_held(&self, name: &str, count: usize) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.held(name) >= count {
                return;
            }
            changed.await;
        }
    }

    /// Opens a gate and lets go of all it holds, in this order or in its own, or drops their connections. Returns how many.
    pub(crate) fn open(&self, name: &str, order: Option<Order>, dropped: bool) -> usize {
        let mut named = self.named();
        let gate = named.entry(name.to_owned()).or_default();
        let count = self.let_all_go(name, gate, order.unwrap_or(gate.options.order), dropped);
        gate.open = true;
        count
    }

    /// Lets one go, or drops its connection; the gate stays as it is. False if it is not there.
    pub(crate) fn let_go(&self, name: &str, which: Which, dropped: bool) -> bool {
        let mut named = self.named();
        let Some(gate) = named.get_mut(name) else { return false };
        let waiting = match which {
            Which::Nth(nth) => nth.checked_sub(1).and_then(|place| gate.queue.take(place)),
            Which::Exchange(exchange) => gate.queue.place_of(exchange).and_then(|place| gate.queue.take(place)),
        };
        if gate.queue.is_empty() {
            gate.deadline = None;
        }
        waiting.is_some_and(|waiting| gate.queue.let_go(waiting, dropped, |exchange| self.released(name, exchange, dropped)))
    }

    fn let_all_go(&self, name: &str, gate: &mut Gate, order: Order, dropped: bool) -> usize {
        gate.open = !gate.options.rearm;
        gate.deadline = None;
        gate.left = 0;
        gate.openings += 1;
        let mut count = 0;
        for waiting in order.sort(gate.queue.take_all(), self.seed, name, gate.openings) {
            if gate.queue.let_go(waiting, dropped, |exchange| self.released(name, exchange, dropped)) {
                count += 1;
            }
        }
        count
    }

    fn released(&self, name: &str, exchange: Exchange, dropped: bool) {
        self.journal.push(What::Released { exchange, gate: name.to_owned(), dropped });
    }

    /// Drops the connections of all that any gate holds, and forgets all gates.
    pub(crate) fn drop_all(&self) {
        for gate in self.all() {
            self.open(&gate.name, None, true);
        }
        self.named().clear();
    }

    /// All gates.
    pub(crate) fn all(&self) -> Vec<GateView> {
        let view = |(name, gate): (&String, &Gate)| GateView {
            name: name.clone(),
            open: gate.open,
            held: gate.queue.views(),
            options: gate.options.clone(),
            said: gate.said.clone(),
        };
        self.named().iter().map(view).collect()
    }

    fn leave(&self, name: &str, exchange: Exchange) {
        if let Some(gate) = self.named().get_mut(name)
            && gate.queue.remove(exchange)
        {
            gate.left += 1;
            if gate.queue.is_empty() {
                gate.deadline = None;
            }
        }
        self.changed.notify_waiters();
    }

    fn named(&self) -> MutexGuard<'_, BTreeMap<String, Gate>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What did not come, e.g. `gate-a: 2 of 8 came within 10s: …`.
pub(super) fn told(gate: &str, came: usize, wanted: Option<usize>, within: std::time::Duration, left: usize, why: &str) -> String {
    let of = wanted.map(|wanted| format!(" of {wanted}")).unwrap_or_default();
    let gave_up = if left == 0 { String::new() } else { format!(" ({left} gave up)") };
    format!("{gate}: {came}{of} came within {within:?}{gave_up}: {why}")
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

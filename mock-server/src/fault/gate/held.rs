//! Those that a gate holds, and in which order they take effect once it lets them go.

use std::{collections::VecDeque, fmt, future::Future, pin::Pin, sync::Arc};

use futures::FutureExt as _;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use super::HeldView;
use crate::{fault::Point, journal::Exchange};

/// Keeps those that were released after it behind it, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _mine: OwnedMutexGuard<()>,
}

/// What is said to one that is held.
pub(super) enum Go {
    /// Go on once it is your turn.
    On(Pin<Box<dyn Future<Output = Turn> + Send>>),
    /// Drop the connection.
    Away,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) exchange: Exchange,
    pub(super) at: Point,
    pub(super) go: oneshot::Sender<Go>,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// Given out in the order in which it was asked for, and never to two at once.
    turn: Arc<Mutex<()>>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
    }

    pub(super) fn place_of(&self, exchange: Exchange) -> Option<usize> {
        self.waiting.iter().position(|waiting| waiting.exchange == exchange)
    }

    pub(super) fn take(&mut self, place: usize) -> Option<Waiting> {
        self.waiting.remove(place)
    }

    pub(super) fn take_all(&mut self) -> Vec<Waiting> {
        self.waiting.drain(..).collect()
    }

    pub(super) fn remove(&mut self, exchange: Exchange) -> bool {
        self.place_of(exchange).and_then(|place| self.take(place)).is_some()
    }

    pub(super) fn views(&self) -> Vec<HeldView> {
        self.waiting.iter().map(|waiting| HeldView { exchange: waiting.exchange, at: waiting.at }).collect()
    }

    /// Lets one go, behind all that were let go before. `said` is called first, unless it has left meanwhile: then this is false.
    pub(super) fn let_go(&self, waiting: Waiting, dropped: bool, said: impl FnOnce(Exchange)) -> bool {
        if waiting.go.is_closed() {
            return false;
        }
        said(waiting.exchange);
        // It may leave this very moment; then its connection has ended anyway.
        let _left = waiting.go.send(if dropped { Go::Away } else { Go::On(self.line_up()) });
        true
    }

    /// A place in the line for the turn, taken now.
    fn line_up(&self) -> Pin<Box<dyn Future<Output = Turn> + Send>> {
        let mut turn: Pin<Box<dyn Future<Output = Turn> + Send>> =
            Box::pin(self.turn.clone().lock_owned().map(|mine| Turn { _mine: mine }));
        // Asked once, so that it stands in line from now on and not only from when it is first waited for.
        match turn.as_mut().now_or_never() {
            Some(turn) => Box::pin(std::future::ready(turn)),
            None => turn,
        }
    }
}

impl fmt::Debug for Go {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On(_) => "On",
            Self::Away => "Away",
        })
    }
}

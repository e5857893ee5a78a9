//! The client's requests from some moment on.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc::UnboundedReceiver;

use super::{Call, Pleo};
use crate::{
    Control,
    journal::{Entry, Exchange, What},
};

/// How long [`Pleo::until`] waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Nothing came true in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeverSeen {
    /// The requests so far.
    pub calls: Vec<Call>,
}

impl Pleo {
    /// The client's requests so far, in order of arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        Watch::from_the_beginning(self.control()).seen()
    }

    /// Waits until the requests so far are as told, for 10 seconds at most, and returns them. Wants a tokio runtime with its clock
    /// on, as in `#[tokio::test]`.
    ///
    /// # Errors
    /// It did not come true.
    pub async fn until(&self, come_true: impl Fn(&[Call]) -> bool) -> Result<Vec<Call>, NeverSeen> {
        let mut entries = self.control().follow();
        let mut calls = Vec::new();
        let coming = async {
            while let Some(entry) = entries.recv().await {
                take_in(&mut calls, &entry);
                if come_true(&calls) {
                    return true;
                }
            }
            false
        };
        let came = tokio::time::timeout(PATIENCE, coming).await.unwrap_or(false);
        if came { Ok(calls) } else { Err(NeverSeen { calls }) }
    }
}

impl fmt::Display for NeverSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it did not come true within {PATIENCE:?}; the requests so far:")?;
        self.calls.iter().try_for_each(|call| write!(f, "\n  {call}"))
    }
}

impl std::error::Error for NeverSeen {}

/// Follows the journal and keeps what is worth keeping.
#[derive(Debug)]
pub(super) struct Watch(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    entries: UnboundedReceiver<Entry>,
    calls: Vec<Call>,
}

impl Watch {
    /// Requests that arrive from now on.
    pub(super) fn from_now(control: &Control) -> Self {
        let watch = Self::from_the_beginning(control);
        // What was under way already is left out too, whatever becomes of it.
        drop(watch.seen());
        watch.0.lock().unwrap_or_else(PoisonError::into_inner).calls.clear();
        watch
    }

    pub(super) fn from_the_beginning(control: &Control) -> Self {
        Self(Mutex::new(Inner { entries: control.follow(), calls: Vec::new() }))
    }

    pub(super) fn seen(&self) -> Vec<Call> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { entries, calls } = &mut *inner;
        while let Ok(entry) = entries.try_recv() {
            take_in(calls, &entry);
        }
        calls.clone()
    }
}

fn take_in(calls: &mut Vec<Call>, entry: &Entry) {
    if let What::Arrived(arrived) = &entry.what {
        calls.push(Call::arrived(arrived));
    } else if let Some(exchange) = exchange(&entry.what)
        && let Some(call) = calls.iter_mut().rev().find(|call| call.exchange == exchange)
    {
        call.learn(entry.at, &entry.what);
    }
}

fn exchange(what: &What) -> Option<Exchange> {
    match what {
        What::Decided { exchange, .. } | What::Read { exchange } => Some(*exchange),
        What::Replied(reply) => Some(reply.exchange),
        What::Opened { .. }
        | What::Closed { .. }
        | What::Arrived(_)
        | What::Held { .. }
        | What::Released { .. }
        | What::Faulted { .. }
        | What::ReadUnknown { .. }
        | What::Aborted { .. }
        | What::Minted { .. }
        | What::Controlled(_) => None,
    }
}

//! The client's requests from some moment on.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc::UnboundedReceiver;

use super::{Call, Pleo, call};
use crate::{
    Control,
    journal::{Entry, What},
};

/// How long [`Pleo::until`] waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client may have its reply a moment before the journal tells of it. One that never gets one is waited for so long.
const SETTLING: Duration = Duration::from_secs(1);

/// Nothing came true in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeverSeen {
    /// The requests so far.
    pub calls: Vec<Call>,
}

impl Pleo {
    /// The client's requests so far, in order of arrival. Waits for what is being answered at this moment.
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
pub(super) struct Watch {
    control: Control,
    inner: Mutex<Inner>,
}

struct Inner {
    entries: UnboundedReceiver<Entry>,
    calls: Vec<Call>,
}

impl Watch {
    /// Requests that arrive from now on.
    pub(super) fn from_now(control: &Control) -> Self {
        let watch = Self::from_the_beginning(control);
        // What was under way already is left out too, whatever becomes of it.
        watch.drained().calls.clear();
        watch
    }

    pub(super) fn from_the_beginning(control: &Control) -> Self {
        Self { control: control.clone(), inner: Mutex::new(Inner { entries: control.follow(), calls: Vec::new() }) }
    }

    pub(super) fn seen(&self) -> Vec<Call> {
        // If something is never answered, it stands there without an answer.
        let _all = self.control.shared.settle(SETTLING);
        self.drained().calls.clone()
    }

    fn drained(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { entries, calls } = &mut *inner;
        while let Ok(entry) = entries.try_recv() {
            take_in(calls, &entry);
        }
        inner
    }
}

fn take_in(calls: &mut Vec<Call>, entry: &Entry) {
    if let What::Arrived(arrived) = &entry.what {
        calls.push(Call::arrived(arrived));
    } else if let Some(call) =
        call::exchange(&entry.what).and_then(|exchange| calls.iter_mut().rev().find(|call| call.exchange == exchange))
    {
        call.learn(entry.at, &entry.what);
    }
}

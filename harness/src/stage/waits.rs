//! What a step waits for. Everything is awaited as an event where there is one.

use std::{collections::HashSet, time::Duration};

use regex::Regex;
use regrant_mock_server::{
    fault::scenario::{Await, Otherwise},
    journal::Endpoint,
};
use tokio::time::timeout;

use super::{StageError, cast::Cast};
use crate::evidence::{Presentation, TokenResult, What};

/// How long at most, unless the scenario says otherwise.
const WITHIN: Duration = Duration::from_secs(10);
/// How often a status is asked for; a subject does not tell when it changes.
const ASK: Duration = Duration::from_millis(100);
/// How soon is looked again for what no activity tells of.
const SOON: Duration = Duration::from_millis(20);
/// So many times as long where the subject is still at work on what it was asked to do: on a busy machine a program may need seconds to start.
const STRETCH: u32 = 3;

impl Cast {
    /// Waits; `since` is where the previous step began.
    pub(super) async fn wait(&mut self, wait: &Await, since: usize) -> Result<(), StageError> {
        if wait.settled == Some(true) {
            self.settle().await;
            self.revive().await?;
            // While a gate holds the subject's request, a page may have to wait for it.
            if self.control().held_anywhere() == 0 {
                self.read_probes().await;
            }
            return Ok(());
        }
        let within = wait.within.unwrap_or(WITHIN);
        let (what, came) = if let Some(gate) = &wait.held {
            let count = wait.count.unwrap_or(1);
            self.until_held(gate, count, within).await
        } else if let Some(endpoint) = wait.request {
            let what = if wait.fresh { "with a new token" } else { "" };
            let under_way = if wait.read { self.under_way(endpoint, since) } else { HashSet::new() };
            let came = !under_way.is_empty() || self.until_requested(within, endpoint, wait.fresh, since).await;
            if came && wait.read {
                let read = self.until_read(within, endpoint, since, under_way).await;
                (format!("a request to {endpoint:?} {what} and the end of its answer"), read)
            } else {
                (format!("a request to {endpoint:?} {what}"), came)
            }
        } else if let Some(pattern) = &wait.log {
            let regex =
                Regex::new(pattern).map_err(|e| StageError::Environment(format!("the scenario's `log` is no regular expression: {e}")))?;
            let seen = |what: &What| matches!(what, What::Log { text, .. } if regex.is_match(text));
            (format!("a log line like {pattern}"), self.until_recorded(within, since, seen).await)
        } else if let Some(wanted) = wait.status {
            (format!("the status {wanted:?}"), self.until_status(within, wanted).await)
        } else {
            return Ok(());
        };
        if came || wait.otherwise != Otherwise::GoOn {
            self.recorder.record(What::Awaited { what: what.clone(), came });
        }
        if came && wait.look {
            self.look().await;
        }
        match (came, wait.otherwise) {
            (true, _) | (false, Otherwise::GoOn) => Ok(()),
            (false, Otherwise::NotRealised) => {
                self.recorder.record(What::NotRealised { reason: format!("waited in vain for {what}") });
                Ok(())
            }
            (false, Otherwise::FailScenario) => Err(StageError::Harness(format!("waited in vain for {what}"))),
        }
    }

    /// Whether it came, and what is to be said of it.
    async fn until_held(&self, gate: &str, count: usize, within: Duration) -> (String, bool) {
        let what = format!("gate {gate} to hold {count}");
        let mut left = STRETCH;
        loop {
            left -= 1;
            match self.control().until_held_within(gate, count, within).await {
                Ok(()) => return (what, true),
                // What waits for something that is held is no longer at work.
                Err(_) if left > 0 && self.triggers_open() > 0 && self.control().held_anywhere() == 0 => {}
                Err(missing) => return (format!("{what} ({missing})"), false),
            }
        }
    }

    /// Waits until something that matches was recorded from a position on; each event is looked at once, in order.
    pub(super) async fn until_recorded(&self, within: Duration, since: usize, mut matches: impl FnMut(&What) -> bool) -> bool {
        let mut activity = self.recorder.activity();
        let mut position = since;
        timeout(within, async {
            while !self.recorder.any_further(&mut position, &mut matches) {
                // Decisions are recorded after the arrival that wakes us: look again soon.
                let _ = timeout(SOON, activity.changed()).await;
            }
        })
        .await
        .is_ok()
    }

    /// Waits until something holds that only activity can bring about.
    pub(super) async fn until(&self, within: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let mut activity = self.recorder.activity();
        timeout(within, async {
            while !holds(self) {
                let _ = timeout(SOON, activity.changed()).await;
            }
        })
        .await
        .is_ok()
    }

    async fn until_status(&mut self, within: Duration, wanted: regrant_mock_server::fault::scenario::Status) -> bool {
        timeout(within, async {
            let mut tick = tokio::time::interval(ASK);
            loop {
                tick.tick().await;
                if self.read_status(0).await == Some(wanted) {
                    return;
                }
            }
        })
        .await
        .is_ok()
    }

    /// The answer to one of these requests, or to one since a position, was read, as far as that can be known, or nobody waits for it any more.
    async fn until_read(&self, within: Duration, endpoint: Endpoint, since: usize, these: HashSet<u64>) -> bool {
        let mut requests = these;
        self.until_recorded(within, since, |w| match w {
            What::Requested { exchange, endpoint: e, by_agent: false, .. } if *e == endpoint => {
                requests.insert(*exchange);
                false
            }
            What::Read { exchange } | What::ReadUnknown { exchange } | What::Aborted { exchange, .. } => requests.contains(exchange),
            _ => false,
        })
        .await
    }

    fn requests(&self, endpoint: Endpoint, since: usize) -> HashSet<u64> {
        let requests = self.recorder.all_since(since, |w| match w {
            What::Requested { exchange, endpoint: e, by_agent: false, .. } if *e == endpoint => Some(*exchange),
            _ => None,
        });
        requests.into_iter().collect()
    }

    /// The requests that were not answered at a position.
    fn under_way(&self, endpoint: Endpoint, at: usize) -> HashSet<u64> {
        let ended = |since| -> HashSet<u64> {
            let ended = self.recorder.all_since(since, |w| match w {
                What::Replied { exchange, .. } | What::Aborted { exchange, .. } => Some(*exchange),
                _ => None,
            });
            ended.into_iter().collect()
        };
        let (all, later, requested) = (ended(0), ended(at), self.requests(endpoint, at));
        let mut open = self.requests(endpoint, 0);
        open.retain(|it| !requested.contains(it) && (later.contains(it) || !all.contains(it)));
        open
    }

    async fn until_requested(&self, within: Duration, endpoint: Endpoint, fresh: bool, since: usize) -> bool {
        let mut issued = HashSet::new();
        self.until_recorded(within, since, |w| match w {
            What::Requested { endpoint: e, by_agent: false, .. } => !fresh && *e == endpoint,
            What::Token { result: TokenResult::Issued { access, .. }, .. } => {
                issued.insert(access.clone());
                false
            }
            What::Api { presented: Some(Presentation { token: Some(name), .. }), .. } => fresh && issued.contains(name),
            _ => false,
        })
        .await
    }
}

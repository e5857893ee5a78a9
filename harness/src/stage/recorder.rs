//! The history in the making: every source writes into it, each event with its own time; order is made at the end.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::evidence::{Event, Found, History, What, micros};

/// More events than any honest story has; what comes after is left out, and the story says so.
const MOST: usize = 200_000;

/// The history of one story in the making. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    story: String,
    epoch: Instant,
    written: Mutex<Written>,
    calls: AtomicU32,
    activity: watch::Sender<Duration>,
}

/// What was recorded, and what is asked of it at every turn.
#[derive(Debug, Default)]
struct Written {
    events: Vec<(Duration, What)>,
    requests: usize,
    asked_to_wait: Option<(Duration, Duration)>,
    hangs: Option<(Duration, u64)>,
}

impl Written {
    fn push(&mut self, at: Duration, what: What) {
        match &what {
            What::Requested { by_agent: false, .. } => self.requests += 1,
            What::AskedToWait { wait, .. } => self.asked_to_wait = Some((at, Duration::from_micros(*wait))),
            What::Faulted { exchange, fate, .. } if fate == "hang" => self.hangs = Some((at, *exchange)),
            What::Replied { exchange, .. } | What::Aborted { exchange, .. } if self.hangs.is_some_and(|(_, hung)| hung == *exchange) => {
                self.hangs = None;
            }
            _ => {}
        }
        self.events.push((at, what));
    }
}

/// Names an event until its number is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Draft(u32);

impl Recorder {
    /// An empty history that begins now.
    #[must_use]
    pub fn new(story: &str) -> Self {
        let inner = Inner {
            story: story.to_owned(),
            epoch: Instant::now(),
            written: Mutex::default(),
            calls: AtomicU32::new(0),
            activity: watch::Sender::new(Duration::ZERO),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The story's name.
    #[must_use]
    pub fn story(&self) -> &str {
        &self.inner.story
    }

    /// Time zero.
    #[must_use]
    pub fn epoch(&self) -> Instant {
        self.inner.epoch
    }

    /// Time since zero.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.inner.epoch.elapsed()
    }

    /// Records what happens now.
    pub fn record(&self, what: What) -> Draft {
        self.record_at(self.now(), what)
    }

    /// Records what happened at a time of its own.
    pub fn record_at(&self, at: Duration, what: What) -> Draft {
        let active = is_activity(&what);
        let draft = {
            let mut written = self.lock();
            let there = written.events.len();
            if there >= MOST {
                return Draft(u32::try_from(MOST - 1).unwrap_or(u32::MAX));
            }
            if there == MOST - 1 {
                let reason = format!("more than {MOST} events: the rest of this story was not recorded");
                written.push(at, What::NotRealised { reason });
            } else {
                written.push(at, what);
            }
            Draft(u32::try_from(there).unwrap_or(u32::MAX))
        };
        if active {
            self.inner.activity.send_if_modified(|last| {
                let newer = at > *last;
                *last = (*last).max(at);
                newer
            });
        }
        draft
    }

    /// Records canaries found in an event recorded before.
    pub fn found_in(&self, at: Duration, found: Vec<Found>, seen: Draft) {
        for found in found {
            self.record_at(at, What::CanarySeen { found, seen: seen.0 });
        }
    }

    /// A number for the next call of a verb.
    #[must_use]
    pub fn next_call(&self) -> u32 {
        self.inner.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// When the subject last did anything that can be seen; changes are told.
    #[must_use]
    pub fn activity(&self) -> watch::Receiver<Duration> {
        self.inner.activity.subscribe()
    }

    /// Where the history stands now, for [`Self::any_since`].
    #[must_use]
    pub fn position(&self) -> usize {
        self.lock().events.len()
    }

    /// Whether something that matches was recorded from a position on.
    #[must_use]
    pub fn any_since(&self, position: usize, matches: impl Fn(&What) -> bool) -> bool {
        self.lock().events.iter().skip(position).any(|(_, what)| matches(what))
    }

    /// The same for whoever asks again and again: what was looked at once is not looked at again, the position moves on.
    pub fn any_further(&self, position: &mut usize, matches: impl FnMut(&What) -> bool) -> bool {
        let written = self.lock();
        let further = written.events.get(*position..).unwrap_or_default();
        *position = written.events.len();
        further.iter().map(|(_, what)| what).any(matches)
    }

    /// How many requests the subject has made.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.lock().requests
    }

    /// When a request was last answered with the wish to be left alone, and for how long.
    #[must_use]
    pub fn asked_to_wait(&self) -> Option<(Duration, Duration)> {
        self.lock().asked_to_wait
    }

    /// Since when the newest request that a fault left hanging has hung; none: it no longer does.
    #[must_use]
    pub fn hangs_since(&self) -> Option<Duration> {
        self.lock().hangs.map(|(at, _)| at)
    }

    /// The newest thing that `pick` picks, with its time.
    #[must_use]
    pub fn last<T>(&self, pick: impl Fn(&What) -> Option<T>) -> Option<(Duration, T)> {
        self.lock().events.iter().rev().find_map(|(at, what)| pick(what).map(|it| (*at, it)))
    }

    /// Everything from a position on that `pick` picks, in the order recorded.
    #[must_use]
    pub fn all_since<T>(&self, position: usize, pick: impl Fn(&What) -> Option<T>) -> Vec<T> {
        self.lock().events.iter().skip(position).filter_map(|(_, what)| pick(what)).collect()
    }

    /// The history so far, in order of time, numbered from 1.
    #[must_use]
    pub fn history(&self) -> History {
        let mut events: Vec<(u32, Duration, What)> = {
            let written = self.lock();
            (0..).zip(&written.events).map(|(draft, (at, what))| (draft, *at, what.clone())).collect()
        };
        events.sort_by_key(|(draft, at, _)| (*at, *draft));
        let numbers: HashMap<u32, u32> = events.iter().zip(1..).map(|((draft, ..), n)| (*draft, n)).collect();
        let number = |what: What| match what {
            What::CanarySeen { found, seen } => What::CanarySeen { found, seen: numbers.get(&seen).copied().unwrap_or(0) },
            other => other,
        };
        let events = events.into_iter().zip(1..).map(|((_, at, what), n)| Event { n, at: micros(at), what: number(what) }).collect();
        History { story: self.inner.story.clone(), events }
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.inner.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the subject does, as against what is done to it.
fn is_activity(what: &What) -> bool {
    match what {
        What::Requested { by_agent, .. } => !by_agent,
        What::Replied { .. }
        | What::Read { .. }
        | What::Aborted { .. }
        | What::Log { .. }
        | What::LogFlooded { .. }
        | What::Notified { .. }
        | What::ProcessExited { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{CanaryForm, LogStream, Phase, Place};

    #[test]
    fn events_are_numbered_in_order_of_time_whatever_the_order_of_recording() {
        let recorder = Recorder::new("a story");
        recorder.record_at(Duration::from_millis(20), What::PhaseBegan { phase: Phase::Story });
        let line = recorder.record_at(Duration::from_millis(30), What::Log { stream: LogStream::Stdout, text: "x".into() });
        let found = Found { canary: "access#1".into(), form: CanaryForm::Raw, place: Place::Log(LogStream::Stdout) };
        recorder.found_in(Duration::from_millis(30), vec![found.clone()], line);
        recorder.record_at(Duration::from_millis(10), What::PhaseBegan { phase: Phase::Prologue });
        let history = recorder.history();
        assert_eq!(history.events.iter().map(|e| (e.n, e.at)).collect::<Vec<_>>(), [(1, 10_000), (2, 20_000), (3, 30_000), (4, 30_000)]);
        assert_eq!(history.events[3].what, What::CanarySeen { found, seen: 3 });
    }

    #[test]
    fn what_was_looked_at_once_is_not_looked_at_again() {
        let recorder = Recorder::new("a story");
        let (mut position, mut looks) = (0, 0);
        for round in 1..=3 {
            recorder.record(What::Read { exchange: round });
            let came = recorder.any_further(&mut position, |what| {
                looks += 1;
                matches!(what, What::Read { exchange: 3 })
            });
            assert_eq!((came, looks), (round == 3, round));
        }
        assert!(!recorder.any_further(&mut 99, |_| true));
    }

    #[test]
    fn a_request_hangs_until_it_has_an_end() {
        let recorder = Recorder::new("a story");
        let hang = |exchange| What::Faulted { exchange, fate: "hang".into(), committed: false, rule: None };
        recorder.record_at(Duration::from_millis(5), hang(1));
        recorder.record(What::Aborted { exchange: 2, by_subject: true });
        assert_eq!(recorder.hangs_since(), Some(Duration::from_millis(5)));
        recorder.record(What::Aborted { exchange: 1, by_subject: true });
        assert_eq!(recorder.hangs_since(), None);
    }

    #[test]
    fn only_the_subjects_doings_are_activity() {
        let recorder = Recorder::new("a story");
        recorder.record_at(Duration::from_millis(5), What::PhaseBegan { phase: Phase::Story });
        assert_eq!(*recorder.activity().borrow(), Duration::ZERO);
        recorder.record_at(Duration::from_millis(7), What::Read { exchange: 1 });
        assert_eq!(*recorder.activity().borrow(), Duration::from_millis(7));
    }
}

//! Work that was accepted now and is done later: the subject is asked how it stands (`trigger.done`).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::cast::Cast;
use crate::{
    collect::brief,
    evidence::What,
    subject::{
        Answered, Bindings, Follow,
        manifest::{Done, HttpCall, StatusPattern, Verb},
    },
};

/// How soon a job is asked for again, at first and at last.
const SOON: Duration = Duration::from_millis(50);
const LATE: Duration = Duration::from_secs(1);
/// So much of what is said is kept.
const KEPT: usize = 100;
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(2);
/// More jobs at a time are not asked for.
const MOST: usize = 100;

/// Accepted work that is not known to be done.
pub(super) type Jobs = Arc<Mutex<Vec<Job>>>;

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Job {
    call: u32,
    done: Done,
    bindings: Bindings,
    polls: u32,
    /// What the newest answer was; none: there was none.
    status: Option<i32>,
    says: Option<String>,
    /// It is no longer waited for.
    given_up: bool,
}

/// A trigger with `done` was accepted.
pub(super) fn accepted(jobs: &Jobs, call: u32, done: &Done, bindings: &Bindings) {
    let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
    if jobs.len() < MOST {
        let (done, bindings) = (done.clone(), bindings.clone());
        jobs.push(Job { call, done, bindings, polls: 0, status: None, says: None, given_up: false });
    }
}

/// When jobs are asked for while the subject is waited for.
#[derive(Debug)]
pub(super) struct Rhythm {
    interval: Duration,
    /// None: not asked yet.
    next: Option<Instant>,
    /// Longer is not waited.
    pub(super) until: Instant,
}

impl Rhythm {
    pub(super) fn until(until: Instant) -> Self {
        Self { interval: SOON, next: None, until }
    }

    /// At the first rest, and then only for what is waited for.
    fn is_due(&self, now: Instant, awaits: bool) -> bool {
        self.next.is_none_or(|next| awaits && now >= next && now < self.until)
    }

    fn asked(&mut self) {
        self.next = Some(Instant::now() + self.interval);
        self.interval = (self.interval * 8 / 5).min(LATE);
    }

    /// When to look again; none: there is nothing to wait for.
    pub(super) fn next(&self, now: Instant, awaits: bool) -> Option<Instant> {
        self.next.filter(|_| awaits && now < self.until)
    }
}

impl Cast {
    fn lock_jobs(&self) -> std::sync::MutexGuard<'_, Vec<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a job is still waited for, and the subject can be expected to get it done.
    pub(super) fn awaits_jobs(&self) -> bool {
        self.lock_jobs().iter().any(|job| !job.given_up) && self.can_act()
    }

    /// Asks for every job that is not done, if it is time. What a gate holds may hold the answer, too.
    pub(super) async fn ask_for_jobs(&mut self, rhythm: &mut Rhythm) -> bool {
        let awaits = self.awaits_jobs();
        let jobs = self.lock_jobs().clone();
        if jobs.is_empty() || !rhythm.is_due(Instant::now(), awaits) || !self.is_up() || self.control().held_anywhere() > 0 {
            return false;
        }
        for job in jobs {
            let verb = Verb::Http(HttpCall {
                method: "GET".into(),
                url: job.done.poll.clone(),
                headers: job.done.headers.clone(),
                ..HttpCall::default()
            });
            let answered = self.driver.perform("done", &verb, &job.bindings, Follow::Pages, ANSWER).await;
            let (call, polls) = (job.call, job.polls + 1);
            let is_done = answered.as_ref().is_ok_and(|answered| answered.matches(&job.done.says));
            let status = answered.as_ref().ok().map(Answered::status);
            let says = answered.as_ref().ok().and_then(|answered| value(answered, &job.done.says));
            let says = says.map(|says| brief(&says, &self.canaries, KEPT));
            if is_done {
                self.recorder.record(What::JobPolled { call, done: true, status, polls, says: None });
                self.lock_jobs().retain(|job| job.call != call);
            } else if let Some(job) = self.lock_jobs().iter_mut().find(|job| job.call == call) {
                // Who does not answer is not asked again and again.
                job.given_up |= status.is_none();
                (job.polls, job.status, job.says) = (polls, status, says);
            }
        }
        rhythm.asked();
        true
    }

    /// The wait is over: how the rest stands. What was waited for in vain is not waited for again.
    pub(super) fn leave_jobs(&mut self, rhythm: &Rhythm) {
        if rhythm.next.is_none() {
            return;
        }
        let in_vain = self.awaits_jobs();
        let mut told = Vec::new();
        for job in self.lock_jobs().iter_mut().filter(|job| job.polls > 0) {
            job.given_up |= in_vain;
            told.push(What::JobPolled { call: job.call, done: false, status: job.status, polls: job.polls, says: job.says.clone() });
        }
        for what in told {
            self.recorder.record(what);
        }
    }
}

/// What stands where the word is looked for.
fn value(answered: &Answered, pattern: &StatusPattern) -> Option<String> {
    let StatusPattern::Json { pointer, .. } = pattern else { return Some(answered.text().to_owned()) };
    let json: serde_json::Value = serde_json::from_str(answered.text()).ok()?;
    let there = json.pointer(pointer)?;
    Some(there.as_str().map_or_else(|| there.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_asked_for_less_and_less_often_and_not_for_ever() {
        let began = Instant::now();
        let mut rhythm = Rhythm::until(began + Duration::from_secs(3_600));
        assert!(rhythm.is_due(began, false));
        assert_eq!(rhythm.next(began, true), None);
        for _ in 0..10 {
            rhythm.asked();
        }
        assert_eq!(rhythm.interval, LATE);
        assert!(!rhythm.is_due(began, true));
        assert!(rhythm.is_due(began + Duration::from_secs(60), true));
        // Once is enough where nothing can come of it, and when the time is up.
        assert!(!rhythm.is_due(began + Duration::from_secs(60), false));
        assert!(!rhythm.is_due(rhythm.until, true));
        assert_eq!(rhythm.next(rhythm.until, true), None);
    }
}

//! When is the subject at rest? By observed events, with a window that fits its own rhythm.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, timeout};

use super::{cast::Cast, jobs::Rhythm};
use crate::evidence::{Outcome, What, micros};

/// A shorter window would mistake a scheduling hiccup for rest.
const SHORTEST: Duration = Duration::from_millis(300);
/// A longer one would not be bearable; also the longest wait for rest.
const LONGEST: Duration = Duration::from_secs(10);
/// Who has made more requests than that since it was waited for calls in a loop, and does not come to rest by being waited for longer; the
/// history of the story has no room for that either.
const LOOP: usize = 5_000;
/// Beyond its declared limit, and a tenth of that, a request that hangs is watched so long.
const HUNG: Duration = Duration::from_millis(1_500);
/// Not longer than so, whatever is declared.
const LONGEST_HUNG: Duration = Duration::from_secs(60);
/// How many times its longest reaction a subject is waited for.
const PATIENCE: u32 = 4;

/// How long a verb or a probe may stay unanswered.
const ANSWER: Duration = Duration::from_secs(15);
/// How long, once one was not answered at all: a subject that hangs is not waited for again and again.
const AGAIN: Duration = Duration::from_secs(5);

impl Cast {
    /// How long an answer is waited for.
    pub(super) fn limit(&self) -> Duration {
        if self.hung.load(Ordering::Acquire) { AGAIN } else { ANSWER }
    }

    /// Remembers whether the subject answers; a restart is a new beginning.
    pub(super) fn note_patience(&self, outcome: Outcome) {
        if outcome == Outcome::NoAnswer {
            self.hung.store(true, Ordering::Release);
        }
    }

    /// Waits until no request is open or begun, no trigger is unanswered and no log line came for the window; a request that a gate holds
    /// does not count. Work that was taken on and can be done is waited for, as long as for rest; whether it is done the subject is asked where it tells. False if that never came, or the subject calls in a loop.
    pub(super) async fn settle(&mut self) -> bool {
        let started = Instant::now();
        let requests = self.recorder.requests();
        let period = self.period();
        // A subject with a timer is never silent for long while it is well: it is watched for two periods, and rests between two turns.
        let watched = started + period.map_or(Duration::ZERO, |period| period * 2);
        let ceiling = watched + LONGEST;
        let mut jobs = Rhythm::until(ceiling);
        let mut activity = self.recorder.activity();
        loop {
            let window = match period {
                Some(period) => between_turns(period),
                None if self.is_over() => SHORTEST,
                None if self.calibrating => self.calibrated_window(),
                None => self.window(),
            };
            let epoch = Instant::from_std(self.recorder.epoch());
            let ceiling = ceiling.max(epoch + self.declared_end_of_what_hangs());
            let watched = watched.max(epoch + self.asked_to_wait_until());
            let last = (epoch + *activity.borrow_and_update()).max(epoch + self.last_stimulus);
            let rests = (last + window).max(watched);
            let open = self.is_anything_open();
            let now = Instant::now();
            let at_rest = !open && now >= rests;
            if at_rest && self.ask_for_jobs(&mut jobs).await {
                // Being asked is a stimulus: whoever logs it is not at rest before it is quiet again.
                continue;
            }
            let next_job = jobs.next(now, at_rest && self.awaits_jobs());
            let expects = at_rest && self.is_expected_to_act();
            let ceiling = ceiling.max(jobs.until + window * 3);
            let is_silent = at_rest && next_job.is_none() && (!expects || now >= ceiling);
            if is_silent && let Some(again) = self.look_again().await {
                let _ = timeout(again.saturating_duration_since(Instant::now()), activity.changed()).await;
                continue;
            }
            if is_silent {
                self.leave_jobs(&jobs);
                self.leave_aftermath();
                if expects {
                    self.give_up();
                }
                self.note_reaction();
                self.recorder.record(What::Settled { quiet: true, window: micros(now.saturating_duration_since(last)) });
                return true;
            }
            if now >= ceiling || self.recorder.requests() - requests > LOOP {
                self.leave_jobs(&jobs);
                self.leave_aftermath();
                self.recorder.record(What::Settled { quiet: false, window: micros(window) });
                return false;
            }
            // While something is open its end is an activity; a look every window keeps us honest about triggers.
            let next = if open {
                now + window.min(SHORTEST)
            } else if let Some(next) = next_job {
                next
            } else if expects {
                ceiling
            } else {
                rests
            };
            let _ = timeout(next.min(ceiling).saturating_duration_since(now), activity.changed()).await;
        }
    }

    /// The quiet window of a subject that works when it is asked to.
    fn window(&self) -> Duration {
        (self.longest_reaction * PATIENCE).clamp(SHORTEST, LONGEST)
    }

    /// How often the subject works unasked.
    fn period(&self) -> Option<Duration> {
        self.setting.manifest.features.period.flatten()
    }

    /// A request that is not answered, or a trigger. What a gate holds, and what waits for that, is the harness's own doing.
    fn is_anything_open(&self) -> bool {
        let held = self.control().held_anywhere();
        self.control().open_exchanges() > held || (held == 0 && self.triggers_open() > 0)
    }

    /// In the prologue the rhythm is being learned: the window grows with what was seen since the last stimulus.
    fn calibrated_window(&self) -> Duration {
        self.window().max((self.reaction() * PATIENCE).clamp(SHORTEST, LONGEST))
    }

    /// Who was asked to wait is not at rest before that time is over.
    fn asked_to_wait_until(&self) -> Duration {
        self.recorder.asked_to_wait().map_or(Duration::ZERO, |(at, wait)| at + wait.min(LONGEST))
    }

    /// A token request that is never answered is watched until its declared limit is certainly over.
    fn declared_end_of_what_hangs(&self) -> Duration {
        let Some(limit) = self.setting.manifest.features.token_timeout else { return Duration::ZERO };
        self.recorder.hangs_since().map_or(Duration::ZERO, |at| at + (limit + limit / 10 + HUNG).min(LONGEST_HUNG))
    }

    /// A one-shot program has ended: nothing more can come of it.
    fn is_over(&self) -> bool {
        self.setting.manifest.one_shot() && self.triggers_open() == 0
    }

    /// From the last stimulus to the last thing that the subject did.
    fn reaction(&self) -> Duration {
        self.recorder.activity().borrow().saturating_sub(self.last_stimulus)
    }

    fn note_reaction(&mut self) {
        if self.calibrating {
            self.longest_reaction = self.longest_reaction.max(self.reaction());
        }
    }
}

/// How long a subject with a timer is silent between two turns, at the least.
fn between_turns(period: Duration) -> Duration {
    SHORTEST.min(period / 4)
}

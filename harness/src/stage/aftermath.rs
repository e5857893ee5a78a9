//! What a refusal entails is not always done at once: a job waits for its worker, an event for its listener, a purge for its turn. A subject
//! that shows nothing of it yet is given some time before it counts as having come to rest.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use super::cast::Cast;
use crate::{
    evidence::{Reply, Verb, What},
    subject::Follow,
};

/// How long. Whoever does it at once is not waited for, and whoever never does it costs as much once for each refusal.
const TIME: Duration = Duration::from_secs(3);
/// Before the second look; each further pause is twice as long: whoever logs each request is not made to fill its log.
const PAUSE: Duration = Duration::from_millis(200);
/// For one answer; whoever takes longer is not asked.
const ANSWER: Duration = Duration::from_secs(2);

/// What came before the newest rest was given its time.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    since: usize,
    until: Option<Instant>,
    /// When to look next, and how often that was done.
    next: Option<Instant>,
    looks: u32,
}

impl Cast {
    /// When to look again whether a refused refresh, or a user who has disconnected, has left a trace; none: it has, or the time is over.
    pub(super) async fn look_again(&mut self) -> Option<Instant> {
        let refused = self.ended_since();
        if refused.is_empty()
            || !self.is_up()
            || self.is_elsewhere()
            || self.setting.manifest.one_shot()
            || self.control().held_anywhere() > 0
        {
            return None;
        }
        let now = Instant::now();
        let until = *self.aftermath.until.get_or_insert(now + TIME);
        // The look itself may be logged, and wake whoever waits.
        if let Some(next) = self.aftermath.next.filter(|next| now < *next && now < until) {
            return Some(next);
        }
        if now >= until || !(self.all_say_connected().await || self.still_stores(&refused).await) {
            return None;
        }
        let next = (Instant::now() + PAUSE * 2_u32.saturating_pow(self.aftermath.looks)).min(until);
        self.aftermath.looks += 1;
        self.aftermath.next = Some(next);
        Some(next)
    }

    /// The subject has come to rest: what follows is another matter.
    pub(super) fn leave_aftermath(&mut self) {
        self.aftermath = Aftermath { since: self.recorder.position(), ..Aftermath::default() };
    }

    /// The refresh tokens that came to their end since the newest rest, by name.
    fn ended_since(&self) -> BTreeSet<String> {
        let since = self.aftermath.since;
        let refused = self.recorder.all_since(since, |what| match what {
            // Pleo has not judged the token of a client that it does not know.
            What::Replied { exchange, reply: Reply::Final { error, .. }, .. } if error != "invalid_client" => Some(*exchange),
            _ => None,
        });
        let refused: HashSet<u64> = refused.into_iter().collect();
        let presented = |what: &What| match what {
            What::Token { exchange, grant_type: Some(grant), presented: Some(presented), .. } if grant == "refresh_token" => {
                presented.token.clone().filter(|_| refused.contains(exchange))
            }
            _ => None,
        };
        let mut ended: BTreeSet<String> = self.recorder.all_since(since, presented).into_iter().collect();
        let left = |what: &What| matches!(what, What::VerbCalled { verb: Verb::Disconnect, .. });
        if self.recorder.any_since(since, left) {
            let newest = |what: &What| match what {
                What::Replied { reply: Reply::Tokens { refresh, .. }, .. } => refresh.clone(),
                _ => None,
            };
            ended.extend(self.recorder.last(newest).map(|(_, refresh)| refresh));
        }
        ended
    }

    /// Whether the status of every connection still says that it works.
    async fn all_say_connected(&self) -> bool {
        let Some(probe) = &self.setting.manifest.status else { return false };
        let Some(connected) = &probe.connected else { return false };
        for link in self.all_links() {
            let answered = self.driver.perform("status", &probe.verb, &self.bound_to(link), Follow::Pages, ANSWER).await;
            if !answered.is_ok_and(|answered| answered.matches(connected)) {
                return false;
            }
        }
        true
    }

    /// Whether one of these lies where a search finds it.
    async fn still_stores(&self, names: &BTreeSet<String>) -> bool {
        let Some(scan) = self.scan_storage().await else { return false };
        scan.found.iter().any(|found| names.contains(&found.canary))
    }
}

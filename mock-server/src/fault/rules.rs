//! The rules that are installed, and how often each has matched.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::Rng as _;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use regrant_authority::Time;

use super::{Fate, Match, Point, Rule, RuleId, WindowClock};
use crate::journal::{At, Endpoint};

/// Installed rules: those that state the most come first; of equals, the oldest.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    last: RuleId,
    seed: u64,
    installed: Vec<Installed>,
    count: Arc<AtomicUsize>,
}

/// How many rules are installed, to be asked without the lock that guards them.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleCount(Arc<AtomicUsize>);

/// A rule with its count.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    pub(crate) id: RuleId,
    pub(crate) rule: Rule,
    /// Requests that matched since the rule was installed.
    pub(crate) seen: u32,
    /// When the last of them came.
    pub(crate) last: Option<At>,
    since: Moment,
    dice: Option<Box<ChaCha20Rng>>,
}

/// A moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Moment {
    pub(crate) real: At,
    pub(crate) provider: Time,
}

/// What rules can match of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facets<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) grant: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) method: &'a str,
}

/// Who presents what. Found out only where a rule asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Who {
    pub(crate) client: Option<String>,
    pub(crate) company: Option<u32>,
    pub(crate) generation: Option<u32>,
}

impl RuleCount {
    /// Whether there is none.
    pub(crate) fn is_zero(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }
}

impl Rules {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(crate) fn count(&self) -> RuleCount {
        RuleCount(self.count.clone())
    }

    pub(crate) fn install(&mut self, rule: Rule, since: Moment) -> RuleId {
        self.last += 1;
        let dice = rule.on.probability.map(|_| {
            let mut dice = ChaCha20Rng::seed_from_u64(self.seed);
            // The streams 0 and 1 are those of secrets and ids.
            dice.set_stream(2 + u64::from(self.last));
            Box::new(dice)
        });
        let stated = rule.on.stated();
        let place = self.installed.partition_point(|other| other.rule.on.stated() >= stated);
        self.installed.insert(place, Installed { id: self.last, rule, seen: 0, last: None, since, dice });
        self.recount();
        self.last
    }

    pub(crate) fn remove(&mut self, id: RuleId) -> bool {
        let before = self.installed.len();
        self.installed.retain(|installed| installed.id != id);
        self.recount();
        self.installed.len() < before
    }

    /// Removes all; the next has the number 1 again.
    pub(crate) fn clear(&mut self) {
        self.last = 0;
        self.installed.clear();
        self.recount();
    }

    /// The rules that are in force until `name` is released.
    pub(crate) fn until(&self, name: &str) -> Vec<RuleId> {
        self.installed.iter().filter(|installed| installed.rule.until.as_deref() == Some(name)).map(|installed| installed.id).collect()
    }

    /// All of them, in the order in which they decide.
    pub(crate) fn all(&self) -> &[Installed] {
        &self.installed
    }

    /// The rules that hold at a gate.
    pub(crate) fn holding_at<'a>(&'a self, gate: &'a str) -> impl Iterator<Item = &'a Installed> {
        self.installed.iter().filter(move |installed| matches!(&installed.rule.fate, Fate::Hold(held_at) if held_at == gate))
    }

    pub(crate) fn any_at(&self, point: Point) -> bool {
        self.installed.iter().any(|installed| installed.rule.at == point)
    }

    /// The fate of a request that has come to `point`. All rules that match count it; the first that still has uses decides.
    pub(crate) fn take(&mut self, point: Point, request: Facets<'_>, who: impl FnOnce() -> Who, now: Moment) -> Option<(RuleId, Fate)> {
        let mut taken = None;
        let mut who = Some(who);
        let mut known = None;
        for installed in self.installed.iter_mut().filter(|installed| installed.rule.at == point) {
            if !installed.rule.on.covers(request) || !installed.is_open(now) {
                continue;
            }
            if installed.rule.on.asks_who() {
                if let Some(who) = who.take() {
                    known = Some(who());
                }
                if !known.as_ref().is_some_and(|who| installed.rule.on.is_about(who)) {
                    continue;
                }
            }
            installed.seen = installed.seen.saturating_add(1);
            installed.last = Some(now.real);
            // Thrown for every request that matches, so that what befalls one does not depend on other rules.
            let lucky = installed.throw();
            if taken.is_none() && lucky && installed.rule.on.applies_to(installed.seen) {
                taken = Some((installed.id, installed.rule.fate.clone()));
            }
        }
        taken
    }

    fn recount(&self) {
        self.count.store(self.installed.len(), Ordering::Release);
    }
}

impl Installed {
    /// Whether it is in its window.
    fn is_open(&self, now: Moment) -> bool {
        let on = &self.rule.on;
        if on.from.is_none() && on.lasting.is_none() {
            return true;
        }
        let passed = match on.clock.unwrap_or_default() {
            WindowClock::Provider => now.provider.since(self.since.provider),
            WindowClock::Real => now.real.saturating_sub(self.since.real),
        };
        let from = on.from.unwrap_or(Duration::ZERO);
        passed >= from && on.lasting.is_none_or(|lasting| passed - from < lasting)
    }

    fn throw(&mut self) -> bool {
        match (self.rule.on.probability, &mut self.dice) {
            (Some(probability), Some(dice)) => fraction(dice.next_u64()) < probability,
            (_, None) | (None, _) => true,
        }
    }
}

/// A number from 0 to just below 1, out of the highest 53 bits.
fn fraction(bits: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
    let high = (bits >> 11) as f64;
    high / (1u64 << 53) as f64
}

impl Match {
    fn covers(&self, request: Facets<'_>) -> bool {
        self.endpoint.is_none_or(|endpoint| endpoint == request.endpoint)
            && self.grant.as_deref().is_none_or(|grant| Some(grant) == request.grant)
            && self.path.as_deref().is_none_or(|prefix| request.path.starts_with(prefix))
            && self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(request.method))
    }

    fn is_about(&self, who: &Who) -> bool {
        (self.client.is_none() || self.client == who.client)
            && (self.company.is_none() || self.company == who.company)
            && (self.generation.is_none() || self.generation == who.generation)
    }

    /// Whether the `seen`th matching request is meant: the nth alone, the first so many, or so many from the nth on.
    fn applies_to(&self, seen: u32) -> bool {
        match (self.nth, self.times) {
            (None, None) => true,
            (Some(nth), None) => seen == nth,
            (None, Some(times)) => seen <= times,
            (Some(nth), Some(times)) => seen >= nth && seen - nth < times,
        }
    }
}

#[cfg(test)]
mod tests;

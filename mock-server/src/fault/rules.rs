//! The rules that are installed, and how often each has matched.

use super::{Fate, Match, Point, Rule, RuleId};
use crate::journal::Endpoint;

/// Installed rules, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    last: RuleId,
    installed: Vec<Installed>,
}

/// A rule with its count.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    pub(crate) id: RuleId,
    pub(crate) rule: Rule,
    /// Requests that matched since the rule was installed.
    pub(crate) seen: u32,
}

/// What rules can match of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facets<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) grant: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) method: &'a str,
}

impl Rules {
    pub(crate) fn install(&mut self, rule: Rule) -> RuleId {
        self.last += 1;
        self.installed.push(Installed { id: self.last, rule, seen: 0 });
        self.last
    }

    pub(crate) fn remove(&mut self, id: RuleId) -> bool {
        let before = self.installed.len();
        self.installed.retain(|installed| installed.id != id);
        self.installed.len() < before
    }

    /// The rules that are in force until `name` is released.
    pub(crate) fn until(&self, name: &str) -> Vec<RuleId> {
        self.installed.iter().filter(|installed| installed.rule.until.as_deref() == Some(name)).map(|installed| installed.id).collect()
    }

    pub(crate) fn all(&self) -> &[Installed] {
        &self.installed
    }

    pub(crate) fn any_at(&self, point: Point) -> bool {
        self.installed.iter().any(|installed| installed.rule.at == point)
    }

    /// The fate of a request that has come to `point`. All rules that match count it; the first that still has uses decides.
    pub(crate) fn take(&mut self, point: Point, request: Facets<'_>) -> Option<(RuleId, Fate)> {
        let mut taken = None;
        for installed in self.installed.iter_mut().filter(|installed| installed.rule.at == point && installed.rule.on.covers(request)) {
            installed.seen = installed.seen.saturating_add(1);
            if taken.is_none() && installed.rule.on.applies_to(installed.seen) {
                taken = Some((installed.id, installed.rule.fate.clone()));
            }
        }
        taken
    }
}

impl Match {
    fn covers(&self, request: Facets<'_>) -> bool {
        self.endpoint.is_none_or(|endpoint| endpoint == request.endpoint)
            && self.grant.as_deref().is_none_or(|grant| Some(grant) == request.grant)
            && self.path.as_deref().is_none_or(|prefix| request.path.starts_with(prefix))
            && self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(request.method))
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
mod tests {
    use super::*;

    fn rule(nth: Option<u32>, times: Option<u32>, fate: Fate) -> Rule {
        let on = Match { endpoint: Some(Endpoint::Token), nth, times, ..Match::default() };
        Rule { on, at: Point::Arrived, fate, until: None }
    }

    fn token() -> Facets<'static> {
        Facets { endpoint: Endpoint::Token, grant: Some("refresh_token"), path: "/oauth/token", method: "POST" }
    }

    #[test]
    fn the_nth_rule_meets_the_nth_request_only() {
        let mut rules = Rules::default();
        let id = rules.install(rule(Some(2), None, Fate::Drop));
        assert_eq!(rules.take(Point::Arrived, token()), None);
        assert_eq!(rules.take(Point::Arrived, token()), Some((id, Fate::Drop)));
        assert_eq!(rules.take(Point::Arrived, token()), None);
    }

    #[test]
    fn a_rule_that_is_used_up_leaves_the_way_to_the_next() {
        let mut rules = Rules::default();
        let first = rules.install(rule(None, Some(1), Fate::Drop));
        let second = rules.install(rule(None, None, Fate::Hang));
        assert_eq!(rules.take(Point::Arrived, token()), Some((first, Fate::Drop)));
        assert_eq!(rules.take(Point::Arrived, token()), Some((second, Fate::Hang)));
    }

    #[test]
    fn a_rule_counts_from_its_nth_request_so_many_times() {
        let mut rules = Rules::default();
        rules.install(rule(Some(2), Some(2), Fate::Drop));
        let met: Vec<bool> = (0..4).map(|_| rules.take(Point::Arrived, token()).is_some()).collect();
        assert_eq!(met, [false, true, true, false]);
    }

    #[test]
    fn other_points_and_other_requests_do_not_count() {
        let mut rules = Rules::default();
        rules.install(rule(Some(1), None, Fate::Drop));
        assert_eq!(rules.take(Point::Committed, token()), None);
        assert_eq!(rules.take(Point::Arrived, Facets { endpoint: Endpoint::Api, ..token() }), None);
        assert!(rules.take(Point::Arrived, token()).is_some());
    }
}

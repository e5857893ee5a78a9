//! A story with several connections, seen from each of them: what belongs to another is left out.

use std::collections::{BTreeMap, BTreeSet};

use regrant_mock_server::journal::Endpoint;

use crate::evidence::{Authorized, Connection, Event, Grant, History, Presentation, TokenResult, Verb, What};

/// The connections that a story names, in the order in which they were made; none: it has only one.
#[must_use]
pub fn connections(history: &History) -> Vec<Connection> {
    let mut names: Vec<Connection> = Vec::new();
    for event in in_order(history) {
        if let What::VerbCalled { verb: Verb::Connect, connection: Some(name), .. } = &event.what
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    names
}

/// The history of one connection. Numbers and times stay; what cannot be told apart (logs, the process, storage) stays, too, but for requests
/// that carry nothing by which they could be told apart.
#[must_use]
pub fn of_connection(history: &History, name: &str) -> History {
    let owners = Owners::of(history);
    let own = |event: &Event| owners.keep(&event.what, name).map(|what| Event { what, ..event.clone() });
    History { story: history.story.clone(), events: history.events.iter().filter_map(own).collect() }
}

/// The order in which it happened, whatever the order in which it is kept.
fn in_order(history: &History) -> Vec<&Event> {
    let mut events: Vec<&Event> = history.events.iter().collect();
    events.sort_by_key(|event| (event.at, event.n));
    events
}

/// What belongs to whom.
#[derive(Debug, Default)]
struct Owners {
    calls: BTreeMap<u32, Connection>,
    grants: BTreeMap<Grant, Connection>,
    exchanges: BTreeMap<u64, Option<Connection>>,
    units: BTreeMap<String, BTreeSet<Option<Connection>>>,
}

impl Owners {
    fn of(history: &History) -> Self {
        let mut owners = Self::default();
        let mut connecting = None;
        for event in in_order(history) {
            match &event.what {
                // Nobody's, until something by which it can be told is known of it.
                What::Requested { exchange, endpoint: Endpoint::Api | Endpoint::Token, .. } => {
                    owners.exchanges.entry(*exchange).or_default();
                }
                What::VerbCalled { call, verb, connection: Some(name), .. } => {
                    owners.calls.insert(*call, name.clone());
                    if *verb == Verb::Connect {
                        connecting = Some(name.clone());
                    }
                }
                What::Authorize { exchange, result: Authorized::Code { grant, .. }, .. } => {
                    if let Some(name) = &connecting {
                        owners.grants.insert(*grant, name.clone());
                    }
                    owners.exchanges.insert(*exchange, connecting.clone());
                }
                What::Authorize { exchange, .. } => {
                    owners.exchanges.insert(*exchange, connecting.clone());
                }
                What::Token { exchange, presented, result, .. } => {
                    let issued = if let TokenResult::Issued { grant, .. } = result { Some(*grant) } else { None };
                    let owner = owners.of_grant(presented.as_ref().and_then(|p| p.grant).or(issued));
                    owners.exchanges.insert(*exchange, owner);
                }
                What::Api { exchange, presented, handed_out, delivered, .. } => {
                    let owner = owners.of_presentation(presented.as_ref());
                    for unit in handed_out.iter().chain(delivered) {
                        owners.units.entry(unit.clone()).or_default().insert(owner.clone());
                    }
                    owners.exchanges.insert(*exchange, owner);
                }
                _ => {}
            }
        }
        owners
    }

    fn of_presentation(&self, presented: Option<&Presentation>) -> Option<Connection> {
        self.of_grant(presented.and_then(|p| p.grant))
    }

    fn of_grant(&self, grant: Option<Grant>) -> Option<Connection> {
        grant.and_then(|grant| self.grants.get(&grant)).cloned()
    }

    /// The event as this connection sees it; none: it is another's.
    fn keep(&self, what: &What, name: &str) -> Option<What> {
        let is_own = |grants: &[Grant]| -> Vec<Grant> {
            grants.iter().copied().filter(|grant| self.grants.get(grant).is_none_or(|owner| owner == name)).collect()
        };
        let named = |connection: &Option<Connection>| connection.as_ref().is_none_or(|owner| owner == name);
        let called = |call: &u32| self.calls.get(call).is_none_or(|owner| owner == name);
        let kept = match what {
            What::VerbCalled { connection, .. } | What::StatusRead { connection, .. } => named(connection),
            What::PromptRead(page) => named(&page.connection),
            What::VerbAnswered { call, .. }
            | What::JobPolled { call, .. }
            | What::CallbackDelivered { call, .. }
            | What::OtherCompany { call, .. }
            | What::Returned { call, .. } => called(call),
            What::Revoked { grants, cause } => return some(is_own(grants), |grants| What::Revoked { grants, cause: *cause }),
            What::Expired { grants, refresh } => return some(is_own(grants), |grants| What::Expired { grants, refresh: *refresh }),
            What::AccessRejected { grants } => return some(is_own(grants), |grants| What::AccessRejected { grants }),
            What::WebhookSent { units, .. } => units.is_empty() || units.iter().any(|unit| self.is_own_unit(unit, name)),
            What::WorkAdded { units } => {
                let own = units.iter().filter(|unit| self.is_own_unit(unit, name)).cloned().collect();
                return some(own, |units| What::WorkAdded { units });
            }
            other => exchange_of(other).is_none_or(|exchange| match self.exchanges.get(&exchange) {
                Some(Some(owner)) => owner == name,
                Some(None) => false,
                // It does not speak of a connection.
                None => true,
            }),
        };
        kept.then(|| what.clone())
    }

    /// A unit that only another connection's requests dealt with is not this one's.
    fn is_own_unit(&self, unit: &str, name: &str) -> bool {
        self.units.get(unit).is_none_or(|owners| owners.iter().any(|owner| owner.as_deref().is_none_or(|owner| owner == name)))
    }
}

fn some<T>(list: Vec<T>, make: impl FnOnce(Vec<T>) -> What) -> Option<What> {
    (!list.is_empty()).then(|| make(list))
}

fn exchange_of(what: &What) -> Option<u64> {
    match what {
        What::Requested { exchange, .. }
        | What::Token { exchange, .. }
        | What::Api { exchange, .. }
        | What::Authorize { exchange, .. }
        | What::JobReported { exchange, .. }
        | What::Introspected { exchange }
        | What::Undocumented { exchange }
        | What::Held { exchange, .. }
        | What::Released { exchange, .. }
        | What::Faulted { exchange, .. }
        | What::AskedToWait { exchange, .. }
        | What::Replied { exchange, .. }
        | What::Read { exchange }
        | What::ReadUnknown { exchange }
        | What::Aborted { exchange, .. } => Some(*exchange),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalogue::Verdict,
        evidence::Outcome,
        judge::{
            Purpose, Terms, judge,
            testing::{
                Story,
                gallery::{one_of_two_ends, two_connected},
            },
        },
    };

    fn verdict(id: &str, story: &Story, terms: &Terms) -> (Verdict, String) {
        let purpose = Purpose { story: story.history.story.clone(), tests: vec![id.to_owned()], also: Vec::new() };
        let judged = judge(std::slice::from_ref(&story.history), terms, &[purpose], |r| r.id == id);
        let one = judged.requirements.into_iter().next().expect("one requirement");
        (one.verdict, one.reason)
    }

    #[test]
    fn a_webhook_is_for_the_connection_whose_work_it_tells_of() {
        let sent = |unit: &str| What::WebhookSent { delivery: 1, told: "v1.export-job.created".into(), units: vec![unit.into()] };
        let owned = |name: &str| std::iter::once(Some(name.to_owned())).collect();
        let owners = Owners { units: [("a-1".to_owned(), owned("a")), ("b-1".to_owned(), owned("b"))].into(), ..Owners::default() };
        assert!(owners.keep(&sent("a-1"), "a").is_some() && owners.keep(&sent("b-1"), "a").is_none());
        assert!(owners.keep(&sent("nobody's"), "a").is_some(), "it may be anybody's");
    }

    #[test]
    fn a_story_names_its_connections() {
        assert_eq!(connections(&two_connected().history), ["acme", "globex"]);
        assert_eq!(connections(&Story::honest().history), Vec::<String>::new());
    }

    #[test]
    fn each_connection_has_its_own_requests_and_calls() {
        let story = two_connected();
        let calls = |history: &History| history.events.iter().filter(|e| matches!(e.what, What::Api { .. })).count();
        let (acme, globex) = (of_connection(&story.history, "acme"), of_connection(&story.history, "globex"));
        assert_eq!((calls(&acme), calls(&globex), calls(&story.history)), (1, 1, 2));
        let numbers: Vec<u32> = acme.events.iter().map(|event| event.n).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "numbers stay");
        let foreign = |event: &Event| matches!(&event.what, What::VerbCalled { connection: Some(name), .. } if name == "globex");
        assert!(!acme.events.iter().any(foreign));
    }

    #[test]
    fn work_that_goes_on_for_one_is_no_offence_of_the_other() {
        let story = one_of_two_ends();
        for id in ["STOP-01", "STOP-02", "PURGE-01", "PURGE-03", "MARK-01", "DETECT-01"] {
            let (verdict, reason) = verdict(id, &story, &story.terms);
            assert_ne!(verdict, Verdict::Fail, "{id}: {reason}");
        }
    }

    #[test]
    fn a_dead_token_of_one_convicts_whatever_the_other_does() {
        use regrant_mock_server::authority::{Cause, TokenState};
        let story = two_connected()
            .of("globex")
            .revoked()
            .rejected()
            .trigger()
            .api(401)
            .refused("invalid_grant")
            .answered(Outcome::Accepted)
            .rest()
            .trigger()
            .calls_api(Some("access#201"), TokenState::Revoked(Cause::User), 401)
            .answered(Outcome::Accepted)
            .of("acme")
            .works()
            .rest();
        let (verdict, reason) = verdict("STOP-01", &story, &story.terms);
        assert_eq!(verdict, Verdict::Fail, "{reason}");
    }
}

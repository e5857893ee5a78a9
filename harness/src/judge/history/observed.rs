//! What a recorded story tells of refreshes in flight, and of the age of tokens.

use std::collections::{BTreeMap, BTreeSet};

use super::{Age, Kept, Refresh, Span};
use crate::{
    evidence::{Grant, Micros, TokenResult},
    judge::{Exchange, Mark, View},
};

/// A subject that gave up waiting may have begun anew a moment before its hanging up was seen.
const HANGING_UP: Micros = 250_000;

// --- refreshes ---

/// A refresh is in flight until its reply has been read, which is after it was written; until its connection or its process ended.
#[must_use]
pub fn in_flight(view: &View<'_>, x: &Exchange<'_>) -> Refresh {
    let stopped = view.index.ends.first_after(x.arrived).map_or(Micros::MAX, |mark| mark.at);
    let ended = match (x.replied, x.aborted, x.held, x.released) {
        (Some((written, ..)), ..) => Span::new(written.at, x.read.map_or(Micros::MAX, |read| read.at)),
        (None, Some((seen, by_subject)), ..) => Span::new(seen.at.saturating_sub(if by_subject { HANGING_UP } else { 0 }), seen.at),
        (None, None, _, Some(released)) => Span::new(released.at, Micros::MAX),
        // Held to the end of the story.
        (None, None, Some(_), None) => Span::new(stopped, Micros::MAX),
        (None, None, None, None) => Span::new(x.arrived.at, Micros::MAX),
    };
    Refresh { began: x.began, ended: Span::new(ended.earliest.min(stopped).max(x.began), ended.latest) }
}

// --- ages ---

/// How old the tokens of a connection are, by name.
#[derive(Debug, Default)]
pub struct Lineage<'h> {
    tokens: BTreeMap<&'h str, (Age, Age)>,
}

impl<'h> Lineage<'h> {
    /// The provider's lineage: grants in the order in which they first gave tokens, pairs in the order in which they were issued.
    #[must_use]
    pub fn of(view: &View<'h>) -> Self {
        let mut issues: Vec<_> = view.exchanges.iter().filter_map(issue).collect();
        issues.sort_by_key(|issue| issue.decided);
        let mut lineage = Self::default();
        let mut grants: BTreeMap<Grant, (u32, (u32, u32))> = BTreeMap::new();
        for issue in &issues {
            let (turns, (first, last)) = grants.entry(issue.grant).or_insert_with(|| (0, places(&issues, issue.grant)));
            let (turn, first, last) = (*turns, *first, *last);
            *turns = turns.saturating_add(1);
            let (oldest, newest) = (Age { grant: first, turn }, Age { grant: last, turn });
            for token in [Some(issue.access), issue.refresh].into_iter().flatten() {
                // A refresh token that is not replaced belongs to several pairs.
                let known = lineage.tokens.entry(token).or_insert((oldest, newest));
                *known = (known.0.min(oldest), known.1.max(newest));
            }
        }
        lineage
    }

    /// Between which ages a token is; none: it was not issued for this connection.
    #[must_use]
    pub fn age(&self, token: &str) -> Option<(Age, Age)> {
        self.tokens.get(token).copied()
    }

    /// The pair with this access token was kept at some moment within the span.
    #[must_use]
    pub fn kept(&self, access: &str, span: Span) -> Option<Kept> {
        self.age(access).map(|(oldest, newest)| Kept { oldest, newest, span })
    }
}

/// Tokens that the provider gave.
struct Issue<'h> {
    decided: Mark,
    grant: Grant,
    access: &'h str,
    refresh: Option<&'h str>,
    began: Micros,
    answered: Micros,
}

fn issue<'h>(x: &Exchange<'h>) -> Option<Issue<'h>> {
    let facts = x.token.as_ref()?;
    let TokenResult::Issued { grant, access, refresh } = facts.result else { return None };
    let kept = x.token_name().filter(|_| x.is_refresh());
    let answered = x.replied.map_or(Micros::MAX, |(mark, ..)| mark.at);
    Some(Issue { decided: facts.decided, grant: *grant, access, refresh: refresh.as_deref().or(kept), began: x.began, answered })
}

/// Between which places in the order of grants one stands: of two that were given at the same time none is the older one.
fn places(issues: &[Issue<'_>], grant: Grant) -> (u32, u32) {
    let first = |grant: Grant| issues.iter().find(|issue| issue.grant == grant);
    let all: BTreeSet<Grant> = issues.iter().map(|issue| issue.grant).filter(|other| *other != grant).collect();
    let Some(own) = first(grant) else { return (0, u32::MAX) };
    let count = |before: &dyn Fn(&Issue<'_>) -> bool| {
        u32::try_from(all.iter().filter(|other| first(**other).is_some_and(before)).count()).unwrap_or(u32::MAX)
    };
    (count(&|other| other.answered < own.began), count(&|other| other.began <= own.answered))
}

#[cfg(test)]
mod tests {
    use regrant_mock_server::journal::AuthStyle;

    use super::*;
    use crate::evidence::What;
    use crate::judge::testing::{Answer, Story, late::*};

    fn ages(story: &Story, tokens: &[&str]) -> Vec<Option<(Age, Age)>> {
        let lineage = Lineage::of(&View::new(&story.history, &story.terms));
        tokens.iter().map(|token| lineage.age(token)).collect()
    }

    fn exactly(grant: u32, turn: u32) -> Option<(Age, Age)> {
        let age = Age { grant, turn };
        Some((age, age))
    }

    #[test]
    fn pairs_are_as_old_as_the_provider_made_them_and_a_new_grant_is_newer_than_all() {
        let story = Story::connected().refreshes().rest().connects().refreshes();
        let tokens = ["access#1", "refresh#2", "access#3", "access#4", "access#9"];
        assert_eq!(ages(&story, &tokens), [exactly(0, 0), exactly(0, 1), exactly(1, 0), exactly(1, 1), None]);
        // A late answer of the old grant is older than the new grant, whenever it comes.
        let late = reconnected_first(&held_pair());
        assert_eq!(ages(&late, &["access#2", "access#3"]), [exactly(0, 1), exactly(1, 0)]);
    }

    #[test]
    fn a_refresh_token_that_is_not_replaced_is_as_old_as_all_its_pairs() {
        let answer = || Answer::Tokens("access#2".into(), None);
        let story = Story::connected().token_request("refresh_token", Some("refresh#1"), AuthStyle::Basic, answer());
        let both = Some((Age { grant: 0, turn: 0 }, Age { grant: 0, turn: 1 }));
        assert_eq!(ages(&story, &["refresh#1", "access#2"]), [both, exactly(0, 1)]);
    }

    #[test]
    fn of_two_grants_given_at_once_none_is_older() {
        let story = Story::connected().sets_out().authorizes().token_asked();
        let first = story.exchange();
        let pair = |n: u32| Answer::Tokens(format!("access#{n}"), Some(format!("refresh#{n}")));
        let story = story.token_decided("authorization_code", Some("code#2"), AuthStyle::Basic, &pair(2)).with(|s| s.pair = 2);
        let story = story.authorizes().exchanges().event(What::Released { exchange: first, dropped: false });
        let open = Some((Age { grant: 1, turn: 0 }, Age { grant: 2, turn: 0 }));
        assert_eq!(ages(&story, &["access#1", "access#2", "access#3"]), [exactly(0, 0), open, open]);
    }

    #[test]
    fn a_refresh_ends_between_the_writing_and_the_reading_of_its_reply_or_with_its_process() {
        let flights = |story: &Story| {
            let view = View::new(&story.history, &story.terms);
            let of = |x: &Exchange<'_>| (in_flight(&view, x), x.replied.map(|(mark, ..)| mark.at), x.read.map(|mark| mark.at));
            view.exchanges.iter().filter(|x| x.is_refresh()).map(of).next().expect("a refresh")
        };
        let (flight, replied, read) = flights(&Story::connected().refreshes());
        assert_eq!((Some(flight.ended.earliest), Some(flight.ended.latest)), (replied, read));
        let (story, _) = answer_held(&held_pair());
        assert_eq!(flights(&story).0.ended, Span::new(Micros::MAX, Micros::MAX));
        let killed = story.killed();
        let at = killed.history.events.iter().find(|e| matches!(e.what, What::ProcessStopping { .. })).map(|e| e.at);
        assert_eq!(Some(flights(&killed).0.ended.earliest), at);
    }
}

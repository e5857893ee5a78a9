//! Family trees of hand-written journals.

use std::time::Duration;

use super::*;
use crate::journal::AuthStyle;

fn grant(ended: Option<EndedBy>) -> Grant {
    Grant {
        id: GrantId(1),
        client_id: "books".into(),
        user: "user".into(),
        company: "company".into(),
        scopes: Vec::new(),
        since: Time(0),
        generation: 1,
        ended: ended.map(|by| (Time(7), by)),
    }
}

fn asked(n: u64, name: &str, state: TokenState, outcome: TokenOutcome) -> Entry {
    let kind = if name.starts_with("code") { "authorization_code" } else { "refresh_token" };
    let decision = Decision::Token {
        grant_type: Some(kind.into()),
        auth: AuthStyle::Body,
        presented: Some(Presented { name: Some(name.into()), grant: Some(GrantId(1)), state }),
        outcome,
    };
    Entry { n, at: Duration::from_micros(n), what: What::Decided { exchange: n * 10, decision } }
}

fn issued(access: &str, refresh: Option<&str>) -> TokenOutcome {
    TokenOutcome::Issued { grant: GrantId(1), access: access.into(), refresh: refresh.map(Into::into) }
}

fn refused() -> TokenOutcome {
    TokenOutcome::Refused { error: "invalid_grant".into(), status: 400 }
}

fn shape(lineage: &Lineage) -> Vec<(Option<usize>, usize, bool)> {
    lineage.edges.iter().map(|edge| (edge.from, edge.to, edge.repeated)).collect()
}

#[test]
fn each_pair_knows_its_generation_and_what_it_was_made_from() {
    let journal = [
        asked(1, "code#1", TokenState::Active, issued("access#1", Some("refresh#1"))),
        asked(2, "refresh#1", TokenState::Active, issued("access#2", Some("refresh#2"))),
        asked(3, "refresh#2", TokenState::Active, issued("access#3", Some("refresh#3"))),
    ];
    let lineage = read(&grant(None), &journal);
    assert_eq!(shape(&lineage), [(None, 0, false), (Some(0), 1, false), (Some(1), 2, false)]);
    assert_eq!(lineage.nodes.iter().map(|pair| (pair.generation, pair.current)).collect::<Vec<_>>(), [(0, false), (1, false), (2, true)]);
    assert!(lineage.complete && lineage.losers.is_empty());
}

#[test]
fn a_loser_is_told_with_the_state_in_which_its_token_was() {
    let journal = [
        asked(1, "code#1", TokenState::Active, issued("access#1", Some("refresh#1"))),
        asked(2, "refresh#1", TokenState::Active, issued("access#2", Some("refresh#2"))),
        asked(3, "refresh#1", TokenState::Superseded, refused()),
        asked(4, "refresh#2", TokenState::FamilyEnded, refused()),
    ];
    let lineage = read(&grant(Some(EndedBy::Reuse)), &journal);
    let losers: Vec<_> = lineage.losers.iter().map(|loser| (loser.presented.as_deref(), loser.state, loser.exchange)).collect();
    assert_eq!(losers, [(Some("refresh#1"), TokenState::Superseded, 30), (Some("refresh#2"), TokenState::FamilyEnded, 40)]);
    assert_eq!(lineage.state, FamilyState::Ended { at: Time(7), by: EndedBy::Reuse });
    assert!(lineage.nodes.iter().all(|pair| !pair.current), "nothing of an ended grant is current");
}

#[test]
fn a_repeated_answer_leads_to_the_same_pair_and_a_sibling_to_another() {
    let journal = [
        asked(1, "code#1", TokenState::Active, issued("access#1", Some("refresh#1"))),
        asked(2, "refresh#1", TokenState::Active, issued("access#2", Some("refresh#2"))),
        asked(3, "refresh#1", TokenState::Active, issued("access#2", Some("refresh#2"))),
        asked(4, "refresh#1", TokenState::Active, issued("access#3", Some("refresh#3"))),
    ];
    let lineage = read(&grant(None), &journal);
    assert_eq!(shape(&lineage), [(None, 0, false), (Some(0), 1, false), (Some(0), 1, true), (Some(0), 2, false)]);
    assert_eq!(lineage.nodes.iter().map(|pair| pair.generation).collect::<Vec<_>>(), [0, 1, 1]);
}

#[test]
fn without_rotation_the_generation_stays() {
    let journal = [
        asked(1, "code#1", TokenState::Active, issued("access#1", Some("refresh#1"))),
        asked(2, "refresh#1", TokenState::Active, issued("access#2", None)),
    ];
    let lineage = read(&grant(None), &journal);
    assert_eq!(
        lineage.nodes.iter().map(|pair| (pair.generation, pair.refresh.as_deref())).collect::<Vec<_>>(),
        [(0, Some("refresh#1")); 2]
    );
}

#[test]
fn a_journal_that_has_forgotten_the_beginning_says_so() {
    let journal = [asked(5, "refresh#4", TokenState::Active, issued("access#5", Some("refresh#5")))];
    let lineage = read(&grant(None), &journal);
    assert!(!lineage.complete);
    assert_eq!(shape(&lineage), [(None, 0, false)]);
}

#[test]
fn a_grant_that_was_made_without_the_wire_begins_with_its_first_pair() {
    let line = |n, what| Entry { n, at: Duration::from_micros(n), what };
    let mut journal = vec![line(1, What::Minted { name: "access#1".into() }), line(2, What::Controlled(Action::PolicyChanged))];
    journal.extend((3..).zip(["code#2", "access#2", "refresh#2"]).map(|(n, name)| line(n, What::Minted { name: name.into() })));
    journal.push(line(6, What::Controlled(Action::Connected { grant: GrantId(1) })));
    journal.push(asked(7, "refresh#2", TokenState::Active, issued("access#3", Some("refresh#3"))));
    let lineage = read(&grant(None), &journal);
    assert!(lineage.complete);
    assert_eq!(shape(&lineage), [(None, 0, false), (Some(0), 1, false)]);
    assert_eq!((lineage.nodes[0].access.as_str(), lineage.nodes[0].refresh.as_deref()), ("access#2", Some("refresh#2")));
}

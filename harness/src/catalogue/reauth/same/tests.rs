//! The same connection, and the same company, on hand-written histories.

use regrant_mock_server::{authority::TokenState, fault::scenario::Status, journal::AuthStyle};

use crate::{
    evidence::What,
    judge::{WorkKind, testing::*},
};

/// The status names so many connections, before the last reconnection and after it.
fn counted(story: Story, before: u64, after: u64) -> Story {
    story.with(|s| {
        let back = s.history.events.iter().rposition(|e| matches!(e.what, What::CallbackDelivered { .. })).unwrap_or_default();
        for (place, event) in s.history.events.iter_mut().enumerate() {
            if let What::StatusRead { count, .. } = &mut event.what {
                *count = Some(if place < back { before } else { after });
            }
        }
    })
}

#[test]
fn a_reconnection_that_adds_no_connection_passes_and_one_that_does_fails() {
    let story = Story::honest();
    counted(story.clone(), 1, 1).passes("REAUTH-11");
    counted(story.clone(), 1, 2).fails("REAUTH-11", "there were 1 connections before the refusal, and there are 2");
    counted(story.clone(), 2, 1).undecided("REAUTH-11", "fewer");
    let unlock = story.undecided("REAUTH-11", "was not read").unlock;
    assert!(unlock.is_some_and(|line| line.starts_with("status.count")));
    counted(Story::connected().dies().rest(), 1, 1).undecided("REAUTH-11", "did not reconnect");
    let mute = Story::honest().with(|s| {
        s.history.events.iter_mut().for_each(|e| {
            if let What::StatusRead { state, .. } = &mut e.what {
                *state = None;
            }
        });
    });
    counted(mute, 1, 2).undecided("REAUTH-11", "was not seen to say connected");
}

#[test]
fn a_connection_that_was_there_before_the_user_came_back_is_not_the_reconnection_s() {
    let grown = |dead: u64, after: u64| {
        counted(Story::honest(), 1, after).with(|s| {
            for event in &mut s.history.events {
                if let What::StatusRead { count, state: Some(Status::Disconnected), .. } = &mut event.what {
                    *count = Some(dead);
                }
            }
        })
    };
    grown(2, 2).undecided("REAUTH-11", "2 already before the user reconnected");
    grown(2, 3).fails("REAUTH-11", "there were 1 connections before the refusal, and there are 3");
    // Who counts only what is connected.
    grown(0, 1).passes("REAUTH-11");
    grown(0, 2).fails("REAUTH-11", "there are 2 after");
}

/// The user comes back for another company; the subject reads what it is given.
fn for_another_company() -> Story {
    let story = Story::connected().dies().asked_in_vain(2).rest().sets_out();
    let call = story.call();
    story.event(What::OtherCompany { call, company: 2 }).authorizes().exchanges().arrives().rest()
}

fn notices(story: Story) -> Story {
    story.with(|s| s.subject.says = Some(Status::Disconnected)).rest()
}

#[test]
fn a_subject_that_notices_another_company_passes() {
    notices(for_another_company()).adds_work(1).asked_in_vain(2).rest().comes_back().passes("REAUTH-10");
    // Whoever is never connected again refuses nobody.
    notices(for_another_company()).adds_work(1).asked_in_vain(2).rest().undecided("REAUTH-10", "its own company either");
    for_another_company().asked_in_vain(2).rest().undecided("REAUTH-10", "does not say that anything is wrong");
    for_another_company().adds_work(1).works().rest().undecided("REAUTH-10", "delivered once");
    Story::honest().undecided("REAUTH-10", "no login for another company");
    let refused = Story::connected().dies().rest().sets_out();
    let call = refused.call();
    let refused = refused.event(What::OtherCompany { call, company: 2 }).authorizes();
    let answer = Answer::Refused("invalid_grant".into());
    refused
        .token_request("authorization_code", Some("code#2"), AuthStyle::Basic, answer)
        .rest()
        .undecided("REAUTH-10", "was not exchanged");
}

#[test]
fn work_that_goes_on_for_another_company_fails_unless_the_user_may_have_been_told() {
    let grafts = |story: Story| story.adds_work(1).works().adds_work(1).works().rest();
    grafts(for_another_company()).fails("REAUTH-10", "as if nothing were different");
    let tells = for_another_company().with(|s| s.subject.page.0 = "Connected with Globex".into());
    grafts(tells).undecided("REAUTH-10", "its page is not what it was");
    grafts(notices(for_another_company())).undecided("REAUTH-10", "the status says that the connection does not work");
    grafts(for_another_company()).terms(|t| t.prompt = false).undecided("REAUTH-10", "where a user would be told");
    grafts(for_another_company()).terms(|t| t.work = None).undecided("REAUTH-10", "what a unit of work is");
}

#[test]
fn a_subject_that_cannot_know_the_company_is_not_accused() {
    let grafts = for_another_company().adds_work(1).works().adds_work(1).works().rest();
    let refuses = notices(for_another_company()).adds_work(1).asked_in_vain(2).rest().comes_back();
    for few in [None, Some(1)] {
        // One that does know is not asked how many it keeps.
        refuses.clone().terms(|t| t.connections = few).passes("REAUTH-10");
        let finding = grafts.clone().terms(|t| t.connections = few).undecided("REAUTH-10", "keeps several companies apart");
        assert!(finding.unlock.is_some_and(|line| line.starts_with("features.connections")));
    }
}

#[test]
fn whoever_pushes_is_accused_once_it_has_read_the_company() {
    let pushes = |story: Story| story.adds_work(1).works().adds_work(1).works().rest().terms(|t| t.work = Some(WorkKind::Push));
    let reads = |place: &str| {
        let story = for_another_company().trigger().calls_api(Some("access#2"), TokenState::Active, 200);
        story.with(|s| {
            let newest = s.history.events.iter_mut().rev().find_map(|e| match &mut e.what {
                What::Requested { path, .. } => Some(path),
                _ => None,
            });
            *newest.expect("a call") = place.to_owned();
        })
    };
    pushes(reads("/v2/employees?limit=1")).fails("REAUTH-10", "as if nothing were different");
    pushes(reads("/v1/companies")).fails("REAUTH-10", "as if nothing were different");
    pushes(reads("/v1/vendors")).undecided("REAUTH-10", "need not have read the company");
    pushes(for_another_company()).undecided("REAUTH-10", "need not have read the company");
    let refuses = notices(for_another_company()).adds_work(1).asked_in_vain(2).rest().comes_back();
    refuses.terms(|t| t.work = Some(WorkKind::Push)).passes("REAUTH-10");
}

#[test]
fn reading_is_how_a_subject_finds_out() {
    let reads = for_another_company().terms(|t| t.work = Some(WorkKind::Read));
    let story = reads.trigger().calls_api(Some("access#2"), TokenState::Active, 200);
    let story = notices(story.answered(crate::evidence::Outcome::Accepted)).asked_in_vain(2).rest();
    story.is_not_accused(&["REAUTH-10"]);
}

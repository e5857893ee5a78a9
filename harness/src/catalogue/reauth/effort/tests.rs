//! The way back, on hand-written histories.

use crate::{
    evidence::What,
    judge::{ConnectBy, testing::*},
};

/// The pages that prompt lead to the consent page with so many actions and fields.
fn with_way(story: Story, way: u32, empty: u32) -> Story {
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::PromptRead(page) = &mut event.what
                && page.leads_to_authorize
            {
                page.actions = Some(way);
                page.fields = Some(empty);
            }
        }
    })
}

#[test]
fn a_short_way_passes_and_a_long_one_fails() {
    for way in 0..=3 {
        with_way(Story::honest(), way, 0).passes("REAUTH-12");
    }
    with_way(Story::honest(), 4, 0).fails("REAUTH-12", "4 actions");
    with_way(Story::honest(), 2, 1).undecided("REAUTH-12", "1 fields must be filled in");
    Story::honest().undecided("REAUTH-12", "no way from the prompt");
    Story::honest().terms(|t| t.prompt = false).undecided("REAUTH-12", "where a person would see");
    Story::honest().terms(|t| t.connect = ConnectBy::Command).passes("REAUTH-12");
    Story::honest().terms(|t| t.connect = ConnectBy::Script).undecided("REAUTH-12", "scripts are not run");
}

/// The user sets out from a place and ends somewhere.
fn returns(there: bool) -> Story {
    let story = Story::connected().dies().asked_in_vain(2).rest().sets_out().authorizes().exchanges();
    let call = story.call();
    story.event(What::Returned { call, to: "/place".into(), there }).arrives().works().rest().terms(|t| t.prompt_from = true)
}

#[test]
fn a_user_who_is_brought_back_passes_and_one_who_is_not_fails() {
    returns(true).passes("REAUTH-09");
    returns(false).fails("REAUTH-09", "brought to /place");
    let unlock = returns(true).terms(|t| t.prompt_from = false).undecided("REAUTH-09", "no place").unlock;
    assert!(unlock.is_some_and(|line| line.starts_with("prompt.from")));
    Story::honest().terms(|t| t.prompt_from = true).undecided("REAUTH-09", "no login began");
    let failed = returns(false).without(|e| matches!(e.what, What::Replied { reply: crate::evidence::Reply::Tokens { .. }, .. }));
    failed.undecided("REAUTH-09", "did not succeed");
}

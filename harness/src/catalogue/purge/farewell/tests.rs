//! A user who disconnects, on hand-written histories.

use regrant_mock_server::{authority::TokenState, fault::scenario::Status};

use crate::{
    evidence::{Outcome, What},
    judge::testing::*,
};

/// The user disconnects; the tokens are discarded.
fn forgets(story: Story) -> Story {
    story.with(|s| {
        s.subject.says = Some(Status::Disconnected);
        s.subject.keeps.clear();
    })
}

#[test]
fn tokens_that_are_gone_and_a_provider_that_was_told_pass() {
    for status in [204, 500] {
        let story = forgets(Story::connected().disconnects()).bids_farewell(status).answered(Outcome::Accepted);
        story.rest().declines(2).rest().comes_back().passes("PURGE-09");
    }
    Story::honest().undecided("PURGE-09", "did not disconnect");
    Story::honest().terms(|t| t.no_disconnect = true).not_applicable("PURGE-09");
    let unlock = Story::honest().terms(|t| t.disconnect = false).undecided("PURGE-09", "how the user disconnects").unlock;
    assert_eq!(unlock.as_deref(), Some("[disconnect]"));
}

#[test]
fn tokens_that_stay_and_a_provider_that_was_not_told_fail() {
    let keeps = Story::connected().disconnects().bids_farewell(500).answered(Outcome::Refused).rest();
    keeps.fails("PURGE-09", "access#1 is still in");
    let refuses = Story::connected().disconnects().answered(Outcome::Refused).rest();
    refuses.undecided("PURGE-09", "refused to disconnect, and nothing shows that it tried");
    let silent = forgets(Story::connected().disconnects()).answered(Outcome::Accepted).rest();
    silent.fails("PURGE-09", "Pleo was not told");
    let goes_on = forgets(Story::connected().disconnects()).bids_farewell(204).answered(Outcome::Accepted).rest();
    let goes_on = goes_on.trigger().mark("offence").calls_api(Some("access#1"), TokenState::Active, 401).answered(Outcome::Accepted).rest();
    goes_on.fails("PURGE-09", "access#1 was presented afterwards");
}

#[test]
fn what_was_not_seen_while_it_lived_proves_nothing() {
    let sealed = Story::connected().with(|s| {
        for event in &mut s.history.events {
            if let What::StorageScanned { found, .. } = &mut event.what {
                found.clear();
            }
        }
    });
    let sealed = forgets(sealed.disconnects()).bids_farewell(204).answered(Outcome::Accepted).rest();
    sealed.undecided("PURGE-09", "no token was found in storage");
    let dead = forgets(Story::connected().dies().disconnects()).answered(Outcome::Accepted).rest();
    dead.undecided("PURGE-09", "no living connection");
    let restless = Story::connected().disconnects().bids_farewell(204).answered(Outcome::Accepted).no_rest();
    restless.undecided("PURGE-09", "did not come to rest");
    let unanswered = forgets(Story::connected().disconnects()).bids_farewell(204).answered(Outcome::NoAnswer).rest();
    unanswered.undecided("PURGE-09", "was not answered");
}

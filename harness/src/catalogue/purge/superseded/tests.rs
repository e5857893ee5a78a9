//! PURGE-05 and PURGE-08 on hand-written histories.

use crate::{
    evidence::{FileSeen, Found, Outcome, Place, What},
    judge::testing::*,
};

fn scanned(found: Vec<Found>, unread: &[&str]) -> What {
    let files = vec![FileSeen { path: "app.db".into(), digest: format!("{found:?}"), text: false, open: false }];
    let unread = unread.iter().map(|it| (*it).to_owned()).collect();
    What::StorageScanned { places: 9, found, unread, open_to_others: Vec::new(), files }
}

/// A refresh, and what is found once the new pair is in use.
fn refreshed(kept: Vec<Found>) -> Story {
    let story = Story::connected().rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted);
    story.settled().mark("offence").event(scanned(kept, &[])).looks()
}

fn row(canary: &str) -> Found {
    found(canary, Place::Row("app.db tokens.value".into()))
}

fn residue(canary: &str) -> Found {
    found(canary, Place::Residue("app.db-wal".into()))
}

/// Refused, everything right but for what the search finds then.
fn dead(kept: Vec<Found>) -> Story {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted);
    story.settled().mark("offence").event(scanned(kept, &[])).looks().asked_in_vain(2).rest().epilogue()
}

#[test]
fn a_pair_replaced_in_place_passes() {
    refreshed(vec![row("access#2"), row("refresh#2")]).passes("PURGE-08");
    refreshed(vec![residue("refresh#1"), row("refresh#2")]).passes("PURGE-08");
}

#[test]
fn a_superseded_token_in_a_live_place_fails() {
    refreshed(vec![row("refresh#1"), row("refresh#2")]).fails("PURGE-08", "refresh#1 is still in the database, app.db tokens.value");
    refreshed(vec![row("access#1")]).fails("PURGE-08", "access#1 is still in");
    let backup = found("refresh#1", Place::File("tokens.json.bak".into()));
    refreshed(vec![backup]).fails("PURGE-08", "the file tokens.json.bak");
}

#[test]
fn a_refresh_token_that_was_not_replaced_may_stay() {
    let kept = Answer::Tokens("access#2".into(), None);
    let story = Story::connected().rejected().trigger().api(401);
    let story = story.token_request("refresh_token", Some("refresh#1"), regrant_mock_server::journal::AuthStyle::Basic, kept);
    let story = story.calls_api(Some("access#2"), regrant_mock_server::authority::TokenState::Active, 200).answered(Outcome::Accepted);
    let story = story.settled().event(scanned(vec![row("access#2"), row("refresh#1")], &[])).looks();
    story.passes("PURGE-08");
}

#[test]
fn before_the_new_pair_was_used_nothing_is_judged() {
    let unused = Story::connected().rejected().trigger().api(401).refreshes().answered(Outcome::Accepted);
    let unused = unused.settled().event(scanned(vec![row("refresh#1")], &[])).looks();
    unused.undecided("PURGE-08", "no refresh gave a new pair that was used");
    let busy = Story::connected().rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted);
    let busy = busy.event(scanned(vec![row("refresh#1")], &[]));
    busy.undecided("PURGE-08", "storage was not searched");
}

#[test]
fn a_store_that_was_never_seen_decides_nothing() {
    let blind = Story::new().with(|s| s.subject.keeps.clear()).began().started().connects().with(|s| s.subject.keeps.clear());
    let blind = blind.adds_work(1).works().rest().phase(crate::evidence::Phase::Story);
    let blind = blind.rejected().trigger().api(401).refreshes().with(|s| s.subject.keeps.clear()).delivers().answered(Outcome::Accepted);
    let finding = blind.rest().undecided("PURGE-08", "was not found in storage while it was alive");
    assert!(finding.unlock.is_some());
    let unread = Story::connected().rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted);
    unread.settled().event(scanned(Vec::new(), &["app.db: locked"])).undecided("PURGE-08", "not everything could be read");
}

#[test]
fn residue_of_the_dead_pair_or_of_an_older_one_fails() {
    dead(vec![residue("refresh#1")]).fails("PURGE-05", "refresh#1 can still be read in free space of app.db-wal");
    let older = Story::connected().rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest();
    let older = older.revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted).settled();
    older.mark("offence").event(scanned(vec![residue("access#1")], &[])).looks().fails("PURGE-05", "access#1 can still be read");
}

#[test]
fn a_store_that_leaves_nothing_readable_passes() {
    Story::honest().passes("PURGE-05");
    dead(Vec::new()).passes("PURGE-05");
    // Another connection's token is none of this one's.
    dead(vec![residue("refresh#9")]).passes("PURGE-05");
}

#[test]
fn what_was_never_seen_alive_proves_nothing() {
    let blind = Story::honest().with(|s| {
        for event in &mut s.history.events {
            if let What::StorageScanned { found, .. } = &mut event.what {
                found.clear();
            }
        }
    });
    blind.undecided("PURGE-05", "was not found in storage while it was alive");
}

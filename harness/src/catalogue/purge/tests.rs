//! PURGE on hand-written histories.

use regrant_mock_server::authority::TokenState;

use crate::{
    evidence::{CanaryForm, Found, LogStream, Outcome, Place, What},
    judge::testing::*,
};

const DEAD: TokenState = TokenState::Revoked(regrant_mock_server::authority::Cause::User);
const ALL: [&str; 4] = ["PURGE-01", "PURGE-02", "PURGE-03", "PURGE-04"];

fn dead() -> Story {
    Story::connected().dies()
}

/// Refused, everything right but for what stays in storage.
fn keeping(kept: &[Found]) -> Story {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted);
    let found = kept.to_vec();
    let story = story
        .settled()
        .mark("offence")
        .event(What::StorageScanned { open_to_others: Vec::new(), files: Vec::new(), places: 9, found, unread: Vec::new() })
        .looks();
    story.asked_in_vain(2).rest().epilogue()
}

#[test]
fn an_honest_story_passes() {
    for id in ALL {
        Story::honest().passes(id);
    }
}

#[test]
fn the_dead_access_token_after_a_restart_or_a_reconnection_fails() {
    let restarted = dead().asked_in_vain(2).rest().restarted().trigger().mark("offence").calls_api(Some("access#1"), DEAD, 401);
    restarted
        .answered(Outcome::Accepted)
        .rest()
        .comes_back()
        .fails("PURGE-01", "1 API call was sent with access#1, which died with the refusal of refresh#1");
    let back = dead().asked_in_vain(2).rest().restarted().asked_in_vain(1).rest().connects().works().rest();
    let back = back.trigger().mark("offence").calls_api(Some("access#1"), DEAD, 401).answered(Outcome::Accepted).rest();
    back.fails("PURGE-01", "access#1");
}

#[test]
fn calls_with_other_tokens_are_not_the_dead_one() {
    let story = dead().trigger().calls_api(None, TokenState::Unknown, 401).answered(Outcome::Accepted).asked_in_vain(1).rest().epilogue();
    story.passes("PURGE-01");
}

#[test]
fn the_dead_refresh_token_after_a_restart_or_a_reconnection_fails() {
    let restarted = dead().asked_in_vain(2).rest().restarted().trigger().mark("offence").refuses("refresh#1", "invalid_grant");
    let restarted = restarted.answered(Outcome::Accepted).rest().comes_back();
    restarted.fails("PURGE-02", "refresh#1 was presented again after a restart or reconnection");
    restarted.clone().terms(|t| t.refresh_attempts = 3).fails("PURGE-02", "after a restart");
    restarted.passes("STOP-02");
    let here = dead().trigger().refuses("refresh#1", "invalid_grant").answered(Outcome::Accepted).rest().epilogue();
    here.fails("PURGE-02", "once more after it was refused");
    here.clone().terms(|t| t.refresh_attempts = 2).is_not_accused(&["PURGE-02"]);
}

#[test]
fn without_a_restart_or_life_nothing_is_proven() {
    let running = dead().asked_in_vain(2).rest().comes_back();
    running.undecided("PURGE-01", "was not restarted");
    running.undecided("PURGE-02", "was not restarted");
    let unasked = dead().asked_in_vain(2).rest().restarted().rest().comes_back();
    unasked.undecided("PURGE-02", "after the restart `trigger` was delivered never and answered never");
    dead().asked_in_vain(2).rest().restarted().asked_in_vain(1).rest().undecided("PURGE-01", "did not reconnect");
    let one_shot = running.terms(|t| t.one_shot = true);
    one_shot.passes("PURGE-01");
    one_shot.passes("PURGE-02");
}

#[test]
fn a_copy_in_a_live_place_fails() {
    for place in
        [Place::Row("app.db tokens.value".into()), Place::File("backup/tokens.json".into()), Place::Dump("redis-cli --scan".into())]
    {
        keeping(&[found("refresh#1", place.clone())]).fails("PURGE-03", "refresh#1 is still in");
        keeping(&[found("refresh#1", place.clone())]).passes("PURGE-04");
        keeping(&[found("access#1", place)]).fails("PURGE-04", "access#1 is still in");
    }
    let encoded = Found { form: CanaryForm::Base64, ..found("refresh#1", Place::File("cache.bin".into())) };
    keeping(&[encoded]).fails("PURGE-03", "the file cache.bin");
}

#[test]
fn residue_logs_and_beginnings_of_tokens_are_no_copies() {
    let prefix = Found { form: CanaryForm::Prefix, ..found("refresh#1", Place::File("audit.json".into())) };
    let residue = found("refresh#1", Place::Residue("app.db".into()));
    let log = found("refresh#1", Place::Log(LogStream::Stdout));
    for kept in [prefix, residue, log, found("refresh#2", Place::File("later.json".into()))] {
        keeping(&[kept]).passes("PURGE-03");
    }
}

#[test]
fn a_token_that_was_not_found_while_alive_proves_nothing() {
    let hidden =
        Story::new().began().started().connects().works().with(|s| s.subject.keeps.clear()).rest().phase(crate::evidence::Phase::Story);
    let hidden = hidden.dies().asked_in_vain(2).rest().epilogue();
    let finding = hidden.undecided("PURGE-03", "refresh#1 was not found in storage while it was alive");
    assert!(finding.unlock.is_some_and(|line| line.contains("storage.paths")));
    hidden.undecided("PURGE-04", "access#1 was not found");
}

#[test]
fn a_search_that_came_too_late_or_saw_less_decides_nothing() {
    let late = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted);
    let late = late.settled().asked_in_vain(2).rest().epilogue();
    late.undecided("PURGE-03", "not searched between the refusal and the next stimulus");
    let blind = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted);
    let blind = blind.settled().event(What::StorageScanned {
        open_to_others: Vec::new(),
        files: Vec::new(),
        places: 8,
        found: Vec::new(),
        unread: vec!["app.db: locked".into()],
    });
    blind.looks().asked_in_vain(2).rest().epilogue().undecided("PURGE-03", "not everything could be read: app.db: locked");
}

#[test]
fn a_restless_subject_may_be_cleaning_up_still() {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").answered(Outcome::Accepted).no_rest();
    story.asked_in_vain(2).rest().epilogue().undecided("PURGE-03", "did not come to rest");
}

#[test]
fn a_row_that_stays_behind_empty_is_no_copy() {
    // A tombstone keeps the connection's name and settings, not its tokens.
    keeping(&[]).passes("PURGE-03");
    keeping(&[]).passes("PURGE-04");
}

#[test]
fn the_tokens_of_the_pair_that_died_count_not_those_before() {
    let story = Story::connected().rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest().dies();
    let story = story.asked_in_vain(2).rest().epilogue();
    for id in ALL {
        story.passes(id);
    }
    assert!(story.passes("PURGE-03").reason.contains("refresh#2"));
}

#[test]
fn where_refreshing_gives_no_new_refresh_token_the_old_one_dies() {
    let story = Story::connected().rejected().trigger().api(401);
    let kept = Answer::Tokens("access#2".into(), None);
    let story = story.token_request("refresh_token", Some("refresh#1"), regrant_mock_server::journal::AuthStyle::Basic, kept);
    let story = story.with(|s| s.subject.keeps = vec!["access#2".into(), "refresh#1".into()]);
    let story = story.calls_api(Some("access#2"), TokenState::Active, 200).answered(Outcome::Accepted).rest();
    let story =
        story.revoked().rejected().trigger().calls_api(Some("access#2"), DEAD, 401).refuses("refresh#1", "invalid_grant").gives_up();
    let story = story.answered(Outcome::Accepted).rest().asked_in_vain(2).rest();
    let back = story.with(|s| s.pair = 2).epilogue();
    assert!(back.passes("PURGE-03").reason.contains("refresh#1"));
    assert!(back.passes("PURGE-04").reason.contains("access#2"));
}

#[test]
fn the_other_connection_goes_on() {
    gallery::one_of_two_ends().passes("PURGE-07");
    let told = gallery::two_connected().of("globex").revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
    let told = told.answered(Outcome::Accepted).rest();
    told.clone().undecided("PURGE-07", "after the refusal");
    told.clone().of("acme").asked_in_vain(1).rest().undecided("PURGE-07", "after the refusal");
    told.clone().of("acme").asked_in_vain(2).undecided("PURGE-07", "did not come to rest after acme was asked");
    told.of("acme").asked_in_vain(2).rest().fails("PURGE-07", "does not any more, though only globex ended");
    Story::honest().terms(|t| t.connections = Some(1)).not_applicable("PURGE-07");
    // Both had come to their end when one was told.
    let both = gallery::two_connected().event(What::Expired { grants: vec![1, 2], refresh: true });
    let both = both.of("globex").rejected().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted).rest();
    both.of("acme").asked_in_vain(2).rest().undecided("PURGE-07", "no connection ended while another one lived");
}

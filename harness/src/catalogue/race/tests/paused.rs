//! RACE-09 on hand-written histories.

use regrant_mock_server::authority::TokenState;

use super::BASIC;
use crate::{
    evidence::{Found, Outcome, Place, What},
    judge::testing::*,
};

/// The other one takes over while the first one is paused; then it goes on.
fn taken_over() -> Story {
    let (story, exchange) = Story::first_is_paused();
    story.other_takes_over().first_wakes(exchange)
}

/// A call with the older pair's access token.
fn older(story: Story) -> Story {
    story.calls_api(Some("access#2"), TokenState::Active, 200)
}

#[test]
fn one_who_waits_and_one_whose_late_pair_changes_nothing_pass() {
    let waited = Story::waited_for_the_paused();
    let finding = waited.passes("RACE-09");
    assert!(finding.reason.contains("asked to work 5."), "{}", finding.reason);
    taken_over().delivers().both_work_on().passes("RACE-09");
    // What it had under way may be finished with the token that it was given for that, and with the old one.
    older(taken_over()).both_work_on().passes("RACE-09");
    taken_over().calls_api(Some("access#1"), TokenState::Superseded, 401).delivers().both_work_on().passes("RACE-09");
    // A slow one may still be at that when it seems to rest; what it does later counts.
    let slow = older(taken_over().rest().adds_work(1).trigger()).delivers().answered(Outcome::Accepted).works();
    slow.by(1).works().works().rest().both_are_restarted().passes("RACE-09");
}

#[test]
fn one_who_writes_its_older_pair_over_the_newer_one_fails() {
    let over = taken_over().holds(2).delivers().both_work_on();
    over.fails("RACE-09", "process 0 wrote its older pair over the newer one: process 1 presented access#2");
    // Only a restart shows what is stored.
    let later = taken_over().delivers().rest().by(0).adds_work(1).works().works().by(1).works().works().rest();
    later.holds(2).both_are_restarted().fails("RACE-09", "wrote its older pair over the newer one: process 0 presented access#2");
    over.clone().is_not_accused(&["RACE-01"]);
}

/// What the store holds when it is looked at after the first one went on; later nobody is seen to use an older pair.
fn seen(keeps: &[&str]) -> Story {
    let keeps = keeps.iter().map(|token| (*token).to_owned()).collect();
    taken_over().delivers().with(|s| s.subject.keeps = keeps).rest().holds(3).both_work_on()
}

#[test]
fn an_older_pair_in_the_store_fails_even_if_it_is_mended_before_anybody_uses_it() {
    let over = seen(&["access#2", "refresh#2"]);
    over.fails("RACE-09", "wrote its older pair over the newer one: the output of `show tokens` held access#2");
    seen(&["refresh#2"]).fails("RACE-09", "held refresh#2");
    // The other one went on at the same time: whose was stored first is not known.
    let (story, exchange) = Story::first_is_paused();
    let pair = Answer::Tokens("access#3".into(), Some("refresh#3".into()));
    let story = story.by(1).trigger().api(401).token_request("refresh_token", Some("refresh#1"), BASIC, pair).holds(3);
    let raced = story.answered(Outcome::Accepted).by(0).event(What::Continued).first_goes_on(exchange).rest().holds(3);
    raced.delivers().both_work_on().undecided("RACE-09", "whose was stored first is not known");
}

#[test]
fn what_is_stored_beside_the_newer_pair_or_was_not_seen_for_certain_accuses_nobody() {
    // History is kept; nothing is found, since it is sealed; what had been spent before anybody was paused proves no late write.
    for keeps in [&["access#2", "refresh#2", "access#3", "refresh#3"][..], &[], &["refresh#1"]] {
        seen(keeps).passes("RACE-09");
    }
    let edited = |change: fn(&mut Vec<Found>, &mut Vec<String>)| {
        let story = seen(&["access#2", "refresh#2"]);
        let last =
            story.history.events.iter().rfind(|event| matches!(&event.what, What::StorageScanned { found, .. } if has(found, "access#2")));
        let n = last.map(|event| event.n);
        story.with(|s| {
            for event in s.history.events.iter_mut().filter(|event| Some(event.n) == n) {
                if let What::StorageScanned { found, unread, .. } = &mut event.what {
                    change(found, unread);
                }
            }
        })
    };
    // Not everything could be read.
    edited(|_, unread| unread.push("store.db: locked".into())).passes("RACE-09");
    // It lies where tokens never lay before.
    edited(|found, _| found.iter_mut().for_each(|found| found.place = Place::File("orphans.json".into()))).passes("RACE-09");
    // The newer one is elsewhere.
    edited(|found, _| found.push(crate::judge::testing::found("access#3", Place::File("cache.json".into())))).passes("RACE-09");
}

fn has(found: &[Found], token: &str) -> bool {
    found.iter().any(|found| found.canary == token)
}

#[test]
fn one_who_goes_on_with_what_it_has_in_memory_fails() {
    let asked = older(taken_over().rest().by(0).adds_work(1).trigger()).answered(Outcome::Accepted);
    let asked = older(asked.trigger()).answered(Outcome::Accepted).by(1).works().works().rest();
    asked.both_are_restarted().fails("RACE-09", "it went on with its older pair: it presented access#2");
    let pair = Answer::Tokens("access#4".into(), Some("refresh#4".into()));
    let again = taken_over().token_request("refresh_token", Some("refresh#1"), BASIC, pair).delivers().both_work_on();
    again.fails("RACE-09", "process 0 presented refresh#1 again, which had been replaced in the store");
}

#[test]
fn one_who_was_let_go_before_the_other_had_stored_its_pair_is_not_judged() {
    let (story, exchange) = Story::first_is_paused();
    let pair = Answer::Tokens("access#3".into(), Some("refresh#3".into()));
    let story = story.by(1).trigger().api(401).token_request("refresh_token", Some("refresh#1"), BASIC, pair).holds(3);
    let raced = story.answered(Outcome::Accepted).by(0).event(What::Continued).first_goes_on(exchange).delivers().both_work_on();
    raced.undecided("RACE-09", "whose was stored first is not known");
    let (story, exchange) = Story::first_is_paused();
    let after = story.other_waits().first_wakes(exchange).by(1);
    let pair = Answer::Tokens("access#3".into(), Some("refresh#3".into()));
    let after = after.token_request("refresh_token", Some("refresh#1"), BASIC, pair).holds(3).by(0).both_work_on();
    after.undecided("RACE-09", "only after process 0 had gone on");
}

#[test]
fn too_short_a_pause_or_no_work_meanwhile_proves_nothing() {
    let (story, exchange) = Story::first_is_paused();
    let short = story.by(1).trigger().api(401).answered(Outcome::Accepted).after(1_000).settled();
    short
        .first_wakes(exchange)
        .holds(2)
        .delivers()
        .both_work_on()
        .undecided("RACE-09", "before process 0 went on: whether one would take over");
    let (story, exchange) = Story::first_is_paused();
    let idle = story.after(5_000).settled().first_wakes(exchange).holds(2).delivers().both_work_on();
    idle.undecided("RACE-09", "no other process was asked to work");
    let (story, exchange) = Story::first_is_paused();
    let refused = story.by(1).trigger().api(401).refuses("refresh#1", "invalid_grant").answered(Outcome::Refused).settled();
    refused.first_wakes(exchange).holds(2).delivers().both_work_on().undecided("RACE-09", "was given nothing");
}

#[test]
fn one_who_does_not_work_on_or_is_not_restarted_proves_nothing() {
    let (story, exchange) = Story::first_is_paused();
    let silent = story.other_waits().first_wakes(exchange).holds(2).rest().by(0).asked_in_vain(2).rest().both_are_restarted();
    silent.undecided("RACE-09", "made no call that shows which pair it works with");
    let running = taken_over().delivers().rest().by(0).works().works().by(1).works().rest();
    running.undecided("RACE-09", "the subject was not restarted");
}

#[test]
fn a_story_without_such_a_pause_decides_nothing_and_one_process_is_not_meant() {
    Story::one_refresh_of_two().undecided("RACE-09", "no process was paused alone");
    let whole = Story::waited_for_the_paused().with(|s| {
        for event in &mut s.history.events {
            if let What::Paused { instance } = &mut event.what {
                *instance = None;
            }
        }
    });
    whole.undecided("RACE-09", "no process was paused alone");
    let other = Story::waited_for_the_paused().with(|s| {
        for event in &mut s.history.events {
            if let What::Paused { instance } = &mut event.what {
                *instance = Some(1);
            }
        }
    });
    other.undecided("RACE-09", "had no refresh under way that had succeeded");
    Story::waited_for_the_paused().terms(|t| t.processes = Some(1)).not_applicable("RACE-09");
    let finding = Story::waited_for_the_paused().terms(|t| t.processes = None).undecided("RACE-09", "not known whether several processes");
    assert_eq!(finding.unlock.as_deref(), Some("features.processes = 2"));
}

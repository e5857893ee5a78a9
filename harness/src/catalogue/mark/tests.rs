//! MARK on hand-written histories.

use regrant_mock_server::fault::scenario::Status;

use crate::{
    evidence::{Outcome, Verb, Wanted, What},
    judge::testing::*,
};

const ALL: [&str; 3] = ["MARK-01", "MARK-02", "MARK-03"];

fn restarted_while_dead() -> Story {
    Story::connected().dies().asked_in_vain(2).rest().restarted().asked_in_vain(2).rest()
}

fn honest() -> Story {
    restarted_while_dead().comes_back()
}

/// Refused; its status says something else than it should.
fn says(state: Option<Status>) -> Story {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
    story.with(|s| s.subject.says = state).answered(Outcome::Accepted).rest().asked_in_vain(2).rest()
}

#[test]
fn an_honest_story_passes() {
    for id in ALL {
        honest().passes(id);
    }
    Story::honest().undecided("MARK-02", "answered once");
}

#[test]
fn saying_connected_or_broken_after_the_refusal_fails() {
    says(Some(Status::Connected)).epilogue().fails("MARK-01", "still says connected after the refusal");
    says(Some(Status::Broken)).epilogue().fails("MARK-01", "says broken");
    says(None).epilogue().undecided("MARK-01", "matches none of the patterns");
}

#[test]
fn the_last_word_before_the_restart_counts() {
    let slow = says(Some(Status::Connected)).with(|s| s.subject.says = Some(Status::Disconnected)).rest().epilogue();
    slow.passes("MARK-01");
    let flips = Story::connected().dies().with(|s| s.subject.says = Some(Status::Connected)).asked_in_vain(2).rest().epilogue();
    flips.fails("MARK-01", "still says connected");
}

#[test]
fn a_passing_fault_may_be_shown_as_broken() {
    let story =
        Story::connected().rejected().trigger().api(401).faulted(Answer::Unavailable).with(|s| s.subject.says = Some(Status::Broken));
    let story =
        story.answered(Outcome::Accepted).rest().trigger().refreshes().delivers().with(|s| s.subject.says = Some(Status::Connected));
    let story = story.answered(Outcome::Accepted).rest().dies().asked_in_vain(2).rest().restarted().asked_in_vain(2).rest().comes_back();
    for id in ALL {
        story.passes(id);
    }
}

#[test]
fn without_the_patterns_nothing_is_known() {
    for id in ALL {
        let finding = honest().terms(|t| t.status = false).undecided(id, "status is not known");
        assert_eq!(finding.unlock.as_deref(), Some("[status]"));
        let finding = honest().terms(|t| t.status_disconnected = false).undecided(id, "must reauthenticate");
        assert_eq!(finding.unlock.as_deref(), Some("status.disconnected"));
    }
}

#[test]
fn a_status_that_never_said_connected_proves_nothing() {
    let story = Story::new().began().started().connects().works().with(|s| s.subject.says = Some(Status::Disconnected)).rest();
    let story = story.phase(crate::evidence::Phase::Story).dies().asked_in_vain(2).rest().epilogue();
    story.undecided("MARK-01", "never said connected before");
}

#[test]
fn forgetting_it_with_a_restart_fails() {
    let story = Story::connected().dies().asked_in_vain(2).rest().restarted().with(|s| s.subject.says = Some(Status::Connected));
    let story = story.asked_in_vain(2).rest().comes_back();
    story.fails("MARK-02", "still says connected after the restart");
    story.passes("MARK-01");
}

#[test]
fn who_says_connected_after_a_restart_until_it_learns_anew_has_forgotten_it() {
    let forgets = Story::connected().dies().asked_in_vain(2).rest().restarted().with(|s| s.subject.says = Some(Status::Connected)).rest();
    let learns = |story: Story| story.with(|s| s.subject.says = Some(Status::Disconnected)).asked_in_vain(2).rest().comes_back();
    learns(forgets).fails("MARK-02", "started anew, it says connected again");
    let keeps = Story::connected().dies().asked_in_vain(2).rest().restarted().rest();
    learns(keeps).passes("MARK-02");
    // Before it has come to rest it may still be reading what it keeps.
    let starting = Story::connected().dies().asked_in_vain(2).rest().restarted().with(|s| s.subject.says = Some(Status::Connected)).looks();
    learns(starting).passes("MARK-02");
}

#[test]
fn without_a_restart_or_life_after_it_mark_02_is_undecided() {
    Story::connected().dies().asked_in_vain(2).rest().comes_back().undecided("MARK-02", "was not restarted");
    restarted_while_dead().undecided("MARK-02", "did not reconnect");
}

#[test]
fn a_mark_that_stays_after_the_reconnection_fails() {
    let stays = restarted_while_dead().connects().with(|s| s.subject.says = Some(Status::Disconnected)).works().rest();
    stays.fails("MARK-03", "still says that it does not work");
    let returns = restarted_while_dead().connects().works().rest().with(|s| s.subject.says = Some(Status::Broken)).rest();
    returns.fails("MARK-03", "still says that it does not work");
}

#[test]
fn what_happens_to_the_connection_later_is_no_relapse() {
    let second_death = honest().dies().asked_in_vain(2).rest().restarted().asked_in_vain(2).rest().comes_back();
    second_death.passes("MARK-03");
    let disconnected = honest().disconnects().with(|s| s.subject.says = Some(Status::Disconnected)).answered(Outcome::Accepted).rest();
    disconnected.passes("MARK-03");
    let fault = honest().rejected().trigger().api(401).faulted(Answer::Unavailable).with(|s| s.subject.says = Some(Status::Broken));
    fault.answered(Outcome::Accepted).rest().passes("MARK-03");
}

#[test]
fn what_was_not_seen_leaves_mark_03_undecided() {
    says(Some(Status::Connected)).comes_back().undecided("MARK-03", "the mark was not seen");
    restarted_while_dead().undecided("MARK-03", "did not reconnect");
    let failed = restarted_while_dead().called(Verb::Connect, Some(Wanted::Consent), None).answered(Outcome::Refused).rest();
    failed.undecided("MARK-03", "did not succeed on the wire");
    let unread = honest().without(|e| matches!(e.what, What::StatusRead { state: Some(Status::Connected), .. }));
    unread.undecided("MARK-03", "");
}

#[test]
fn the_other_connection_stays_as_it_was() {
    gallery::one_of_two_ends().passes("MARK-04");
    let none = gallery::one_of_two_ends().without(|e| matches!(&e.what, What::StatusRead { connection: Some(name), .. } if name == "acme"));
    none.undecided("MARK-04", "did not say connected before");
    Story::honest().terms(|t| t.connections = Some(1)).not_applicable("MARK-04");
    Story::honest().terms(|t| t.connections = None).undecided("MARK-04", "several connections");
    Story::honest().undecided("MARK-04", "no connection ended while another one lived");
}

#[test]
fn a_user_who_was_on_the_way_back_when_the_refusal_came_leaves_no_time_to_say_so() {
    let asked = || Story::connected().rest().rejected().trigger().api(401).answered(Outcome::Accepted);
    let refused = asked().sets_out().refuses("refresh#1", "invalid_grant").log("ERROR token refresh failed: invalid_grant (status 400)");
    let back = refused.authorizes().exchanges().arrives().rest();
    back.undecided("MARK-01", "");
    let all: Vec<&str> = crate::catalogue::all().map(|requirement| requirement.id).collect();
    back.works().rest().restarted().works().rest().epilogue().is_not_accused(&all);
    let never_came = asked().sets_out().answered(Outcome::Refused).refuses("refresh#1", "invalid_grant").rest();
    never_came.fails("MARK-01", "still says connected");
}

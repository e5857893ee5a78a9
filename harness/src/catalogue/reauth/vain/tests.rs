//! Logins that came to nothing, on hand-written histories.

use regrant_mock_server::{authority::TokenState, fault::scenario::Status, journal::AuthStyle};

use crate::{
    evidence::{Authorized, Outcome, Verb, Wanted, What},
    judge::testing::*,
};

fn dead() -> Story {
    Story::connected().dies().asked_in_vain(2).rest()
}

/// The user sets out and denies, or walks away.
fn in_vain(story: Story, wanted: Wanted) -> Story {
    let result = if wanted == Wanted::Deny { Authorized::Sent("access_denied".into()) } else { Authorized::Page };
    let story = story.called(Verb::Connect, Some(wanted), None).authorize_request(result);
    let call = story.call();
    let denied = What::CallbackDelivered { call, forged: false, status: None, code: None };
    if wanted == Wanted::Deny { story.event(denied).answered(Outcome::Refused) } else { story.answered(Outcome::Accepted) }
}

fn ends(story: Story) -> Story {
    story.with(|s| {
        s.subject.says = Some(Status::Disconnected);
        s.subject.keeps.clear();
    })
}

#[test]
fn a_login_in_vain_that_leaves_everything_as_it_was_passes() {
    for wanted in [Wanted::Deny, Wanted::Abandon] {
        let alive = in_vain(Story::connected(), wanted).rest().works().rest();
        alive.clone().connects().works().rest().passes("REAUTH-06");
        alive.clone().dies().comes_back().passes("REAUTH-06");
        in_vain(dead(), wanted).rest().asked_in_vain(2).rest().comes_back().passes("REAUTH-06");
        in_vain(in_vain(dead(), wanted), wanted).rest().comes_back().passes("REAUTH-06");
        // At once.
        in_vain(dead(), wanted).connects().works().rest().passes("REAUTH-06");
        alive.undecided("REAUTH-06", "did not try again");
    }
    Story::honest().undecided("REAUTH-06", "no login was denied or abandoned");
}

#[test]
fn a_denial_that_ends_a_living_connection_fails() {
    let story = ends(in_vain(Story::connected(), Wanted::Deny)).rest().asked_in_vain(2).rest().comes_back();
    story.fails("REAUTH-06", "the status said connected, a login was denied");
    // Without a status only the wire tells.
    let blind = in_vain(Story::connected(), Wanted::Abandon).rest().mark("offence").asked_in_vain(1).asked_in_vain(1).rest().comes_back();
    blind.without(|e| matches!(e.what, What::StatusRead { .. })).fails("REAUTH-06", "it does not work any more");
    let asked_once = in_vain(Story::connected(), Wanted::Abandon).rest().asked_in_vain(1).rest().comes_back();
    asked_once.undecided("REAUTH-06", "answered once");
}

#[test]
fn what_somebody_else_did_meanwhile_is_no_fault_of_the_denial() {
    let revoked = ends(in_vain(Story::connected().revoked(), Wanted::Deny)).rest().asked_in_vain(2).rest().comes_back();
    revoked.undecided("REAUTH-06", "how the connection stood");
    // A good token is refused for reasons of its own.
    let after = in_vain(Story::connected(), Wanted::Deny).rest().trigger().api(401).refused("invalid_request").answered(Outcome::Accepted);
    ends(after).rest().asked_in_vain(2).rest().comes_back().undecided("REAUTH-06", "a refresh did not succeed after a login was denied");
    let later = ends(in_vain(Story::connected(), Wanted::Deny).rest().works().rest().revoked()).rest().comes_back();
    later.passes("REAUTH-06");
}

#[test]
fn a_denial_that_makes_a_dead_connection_look_alive_or_bars_the_way_fails() {
    let alive = in_vain(dead(), Wanted::Deny).with(|s| s.subject.says = Some(Status::Connected)).rest().comes_back();
    alive.fails("REAUTH-06", "the status says connected now");
    let pending = in_vain(dead(), Wanted::Abandon).with(|s| s.subject.says = None).rest().comes_back();
    pending.undecided("REAUTH-06", "matches none of the patterns");
    let broken = in_vain(dead(), Wanted::Abandon).with(|s| s.subject.says = Some(Status::Broken)).rest().comes_back();
    broken.undecided("REAUTH-06", "broken");
    let barred = in_vain(dead(), Wanted::Deny).rest().mark("offence").sets_out().answered(Outcome::Refused).rest().restarted().comes_back();
    barred.fails("REAUTH-06", "the next one did not come to an exchange");
    let mute = in_vain(dead(), Wanted::Deny).rest().sets_out().answered(Outcome::NoAnswer).rest();
    mute.undecided("REAUTH-06", "was not answered");
    in_vain(dead(), Wanted::Deny).rest().restarted().comes_back().undecided("REAUTH-06", "restarted before");
}

#[test]
fn settings_that_a_denial_resets_fail() {
    let before = Story::connected().works().rest();
    let reset = in_vain(before.clone(), Wanted::Deny).with(|s| s.subject.settings = "other".into()).rest().works().rest().connects();
    reset.works().rest().fails("REAUTH-06", "settings");
    // A notice that is shown once.
    let flash = in_vain(before, Wanted::Deny).with(|s| s.subject.settings = "other".into()).rest();
    let flash = flash.with(|s| s.subject.settings = "digest-of-settings".into()).works().rest().connects().works().rest();
    flash.passes("REAUTH-06");
}

/// A login while the connection lives whose exchange is answered so.
fn fails_to_exchange(story: Story, answer: Answer) -> Story {
    let story = story.sets_out().authorizes();
    story.token_request("authorization_code", Some("code#2"), AuthStyle::Basic, answer).answered(Outcome::Refused)
}

/// The old pair is the one of the first grant.
fn with_the_old_grant(story: Story) -> Story {
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::Api { presented: Some(presented), .. } = &mut event.what {
                presented.grant = Some(1);
            }
        }
    })
}

fn failures() -> [Answer; 3] {
    [Answer::Refused("invalid_grant".into()), Answer::Unavailable, Answer::Dropped]
}

#[test]
fn tokens_that_outlive_a_failed_exchange_pass() {
    for answer in failures() {
        let story = fails_to_exchange(Story::connected(), answer).rest().works().works().rest();
        with_the_old_grant(story.clone()).undecided("REAUTH-07", "no restart");
        with_the_old_grant(story.restarted().works().works().rest()).passes("REAUTH-07");
    }
    Story::honest().undecided("REAUTH-07", "no exchange of a code failed");
    let dead = fails_to_exchange(dead(), Answer::Unavailable).rest().asked_in_vain(2).rest();
    dead.undecided("REAUTH-07", "while the connection lived");
    let barred = fails_to_exchange(Story::connected(), Answer::Refused("invalid_client".into())).rest().asked_in_vain(2).rest();
    barred.undecided("REAUTH-07", "credentials");
}

#[test]
fn tokens_that_a_failed_exchange_overwrote_fail() {
    for answer in failures() {
        let story = fails_to_exchange(Story::connected(), answer).rest();
        with_the_old_grant(story.clone().mark("offence").asked_in_vain(1).rest().asked_in_vain(1).rest())
            .fails("REAUTH-07", "not used any more");
        with_the_old_grant(story.clone().asked_in_vain(1).rest()).undecided("REAUTH-07", "answered once");
        let forgotten = story.clone().works().rest().restarted().asked_in_vain(2).rest();
        with_the_old_grant(forgotten).fails("REAUTH-07", "not used any more after a restart");
        let nonsense = story.trigger().mark("offence").calls_api(None, TokenState::Unknown, 401).answered(Outcome::Accepted).rest();
        with_the_old_grant(nonsense).fails("REAUTH-07", "never issued");
    }
}

//! Odd answers on hand-written histories.

use regrant_mock_server::{authority::TokenState, fault::scenario::Status};

use crate::{
    catalogue::{Finding, Severity},
    evidence::Outcome,
    judge::testing::{
        answers::{fewer_scopes, loses_refresh_token, spoils_tokens, unusual, without_refresh_token},
        *,
    },
};

fn needs_refresh() -> Story {
    Story::connected().adds_work(1).rejected().trigger().api(401)
}

fn is_eased(finding: &Finding) {
    assert_eq!(finding.severity, Some(Severity::Warning), "{finding:?}");
}

#[test]
fn tokens_that_come_back_as_they_were_pass() {
    unusual("tokens=odd").passes("REFRESH-05");
    unusual("tokens=jwt").passes("REFRESH-05");
    Story::honest().undecided("REFRESH-05", "no refresh gave tokens in an unusual form");
    let once = needs_refresh().reshapes("tokens=long", true).delivers().answered(Outcome::Accepted).rest().works().rest();
    once.epilogue().undecided("REFRESH-05", "the refresh token was not needed again");
}

#[test]
fn what_was_never_issued_shows_that_a_token_was_altered() {
    spoils_tokens().epilogue().fails("REFRESH-05", "called the API with a token that was never issued");
    let refresh = needs_refresh().reshapes("tokens=odd", true).delivers().answered(Outcome::Accepted).rest();
    let refresh = refresh.rejected().trigger().api(401).refused("invalid_grant").nobodys_token().answered(Outcome::Accepted).rest();
    refresh.epilogue().fails("REFRESH-05", "tried to refresh with a token that was never issued");
}

#[test]
fn tokens_that_are_never_used_fail_once_work_was_asked_for_twice() {
    let unused = |times| needs_refresh().reshapes("tokens=long", true).answered(Outcome::Accepted).rest().asked_in_vain(times).rest();
    unused(2).fails("REFRESH-05", "never worked with tokens of an unusual form");
    unused(1).undecided("REFRESH-05", "at least 2 are needed");
}

#[test]
fn a_needless_refresh_for_each_stimulus_fails_only_if_usual_tokens_needed_none() {
    let turn = |story: Story| story.trigger().reshapes("tokens=jwt", true).delivers().answered(Outcome::Accepted).rest();
    let story = needs_refresh().reshapes("tokens=jwt", true).delivers().answered(Outcome::Accepted).rest();
    let story = turn(turn(story)).epilogue();
    story.fails("REFRESH-05", "it refreshes whenever it is asked to work");
    story.terms(|t| t.period = Some(Some(1_000_000))).is_not_accused(&["REFRESH-05"]);
    let always = Story::new().began().started().connects().adds_work(1).trigger().refreshes().delivers().answered(Outcome::Accepted).rest();
    turn(turn(turn(always.phase(crate::evidence::Phase::Story)))).epilogue().is_not_accused(&["REFRESH-05"]);
}

#[test]
fn a_pair_that_a_restart_has_lost_is_no_matter_of_its_lifetime() {
    let story = || needs_refresh().reshapes("expires_in=3", true).delivers().answered(Outcome::Accepted).rest().works().rest();
    let asks = |story: Story| story.gives_up().answered(Outcome::Accepted).rest().asked_in_vain(2).rest().comes_back();
    // It is not saved, and the one before it is refused; or nothing was saved at all.
    let unsaved = || story().with(|s| s.subject.keeps = vec!["access#1".into(), "refresh#1".into()]).rest().restarted().trigger();
    asks(unsaved().calls_api(Some("access#1"), TokenState::Superseded, 401).refuses("refresh#1", "invalid_grant")).passes("REFRESH-06");
    asks(story().with(|s| s.subject.keeps.clear()).rest().restarted().trigger()).passes("REFRESH-06");
    // It is there, and its lifetime is read at the next start only; or it is lost before there is one.
    asks(story().restarted().trigger()).fails("REFRESH-06", "sends the user to consent");
    asks(story().restarted().trigger().calls_api(Some("access#2"), TokenState::Active, 200))
        .fails("REFRESH-06", "sends the user to consent");
    asks(story().trigger().refuses("refresh#1", "invalid_grant")).fails("REFRESH-06", "sends the user to consent");
}

#[test]
fn any_lifetime_is_lived_with() {
    for form in ["expires_in=huge", "expires_in=absent", "expires_in=3"] {
        unusual(form).passes("REFRESH-06");
        let stops = needs_refresh().reshapes(form, true).answered(Outcome::Accepted).rest().asked_in_vain(2).rest();
        let finding = stops.fails("REFRESH-06", "no API call succeeded any more");
        assert_eq!(finding.severity, None);
    }
    let never_again = needs_refresh().reshapes("expires_in=absent", true).delivers().answered(Outcome::Accepted).rest().works().rest();
    let tries = |story: Story| story.trigger().api(401).answered(Outcome::Accepted).rest();
    let never_again = (0..3).fold(never_again.rejected(), |story, _| tries(story));
    never_again.fails("REFRESH-06", "no API call succeeded any more");
    let asks = needs_refresh().reshapes("expires_in=absent", true).gives_up().answered(Outcome::Accepted).rest();
    asks.epilogue().fails("REFRESH-06", "sends the user to consent");
    // Started anew it has lost what it never stored, whatever the lifetime was.
    let lost = unusual("expires_in=absent").restarted().with(|s| s.subject.says = Some(Status::Disconnected)).rest();
    lost.asked_in_vain(2).rest().passes("REFRESH-06");
}

#[test]
fn a_lifetime_that_is_no_number_of_seconds_is_a_warning() {
    for form in ["expires_in=string refresh_token=same", "expires_in=fractional refresh_token=same"] {
        is_eased(&unusual(form).passes("REFRESH-06"));
        is_eased(&needs_refresh().reshapes(form, true).gives_up().answered(Outcome::Accepted).rest().fails("REFRESH-06", "to consent"));
        let refuses = needs_refresh().reshapes(form, true).answered(Outcome::Accepted).rest();
        let refuses = refuses.trigger().refreshes().delivers().answered(Outcome::Accepted).rest().works().rest();
        refuses.epilogue().passes("REFRESH-06");
    }
}

#[test]
fn refreshes_in_a_loop_fail_and_those_before_each_call_do_not() {
    let start = || needs_refresh().reshapes("expires_in=huge", true);
    let loops = (0..30).fold(start(), |story, _| story.reshapes("expires_in=huge", true)).delivers().answered(Outcome::Accepted).rest();
    loops.epilogue().fails("REFRESH-06", "refreshes over and over");
    let each = (0..30).fold(start(), |story, _| story.reshapes("expires_in=3", true).api(200)).answered(Outcome::Accepted).rest();
    each.works().rest().epilogue().passes("REFRESH-06");
}

#[test]
fn the_old_refresh_token_is_kept_where_none_comes() {
    for form in ["refresh_token=absent", "refresh_token=null", "refresh_token=empty"] {
        let (good, bad) = (without_refresh_token(form).passes("REFRESH-07"), loses_refresh_token(form));
        let bad = bad.fails("REFRESH-07", "sends the user to consent, though refresh#1 is good");
        if form != "refresh_token=absent" {
            is_eased(&good);
            is_eased(&bad);
        }
    }
    Story::honest().undecided("REFRESH-07", "no refresh gave an answer without a refresh token");
    let unneeded = needs_refresh().reshapes("refresh_token=absent", false).delivers().answered(Outcome::Accepted).rest().works().rest();
    unneeded.epilogue().undecided("REFRESH-07", "no refresh was needed");
}

#[test]
fn a_refresh_with_nothing_or_not_at_all_shows_that_the_token_is_lost() {
    let story = || needs_refresh().reshapes("refresh_token=absent", false).delivers().answered(Outcome::Accepted).rest();
    let nothing = story().rejected().trigger().api(401).refused("invalid_grant").nobodys_token().answered(Outcome::Accepted).rest();
    nothing.epilogue().fails("REFRESH-07", "presented none that was ever issued: refresh#1 is lost");
    let never = |times| story().rejected().trigger().api(401).answered(Outcome::Accepted).rest().asked_in_vain(times).rest();
    never(2).fails("REFRESH-07", "does not refresh any more");
    never(0).undecided("REFRESH-07", "at least 2 are needed");
}

#[test]
fn a_subject_that_stands_still_after_such_an_answer_has_lost_its_token() {
    let odd = || needs_refresh().reshapes("refresh_token=absent", false).delivers().answered(Outcome::Accepted).rest();
    let still = |times| odd().adds_work(1).asked_in_vain(times).rest();
    still(3).epilogue().fails("REFRESH-07", "stands still, though refresh#1 is good");
    // It may have had nothing to do, or too little reason, or somebody may not have looked.
    odd().asked_in_vain(3).rest().epilogue().undecided("REFRESH-07", "no refresh was needed");
    still(1).undecided("REFRESH-07", "no refresh was needed");
    // What is done before the user comes back was only late.
    still(3).trigger().delivers().answered(Outcome::Accepted).rest().epilogue().undecided("REFRESH-07", "no refresh was needed");
    still(3).epilogue().terms(|t| t.work = None).undecided("REFRESH-07", "no refresh was needed");
}

#[test]
fn a_few_403s_are_no_storm() {
    fewer_scopes(1).passes("REFRESH-11");
    fewer_scopes(10).passes("REFRESH-11");
    fewer_scopes(30).fails("REFRESH-11", "a storm of calls that Pleo forbids");
    fewer_scopes(0).undecided("REFRESH-11", "fewer than twice");
    Story::honest().undecided("REFRESH-11", "no refresh gave a token with fewer scopes");
}

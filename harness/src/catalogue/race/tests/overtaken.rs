//! Answers that come late, losers of a race, logins at once, on hand-written histories.

use regrant_mock_server::{
    authority::{Cause, TokenState},
    fault::scenario::Status,
};

use super::{BASIC, honest, pair};
use crate::{
    evidence::{Outcome, What},
    judge::testing::{late::*, *},
};

fn does_nothing_any_more(story: Story) -> Story {
    story.asked_in_vain(2).rest().restarted().asked_in_vain(2).rest().epilogue()
}

fn refusal() -> Answer {
    Answer::Refused("invalid_grant".into())
}

#[test]
fn a_late_refusal_that_changes_nothing_passes() {
    works_now_and_after_a_restart(reconnected_first(&refusal())).passes("RACE-05");
}

#[test]
fn a_login_that_waits_for_the_refresh_makes_no_answer_late() {
    let (story, exchange) = answer_held(&refusal());
    let story = comes_late(story.sets_out().settled(), exchange, &refusal()).authorizes().exchanges().arrives().rest();
    let finding = works_now_and_after_a_restart(story).passes("RACE-05");
    assert!(finding.reason.contains("no refusal came late"), "{finding:?}");
    let (story, exchange) = answer_held(&refusal());
    let story = story.connects().event(What::Aborted { exchange, by_subject: true }).settled().rest();
    works_now_and_after_a_restart(story).passes("RACE-05");
}

#[test]
fn a_late_refusal_that_undoes_the_login_fails() {
    let wiped = reconnected_first(&refusal());
    does_nothing_any_more(wiped.clone()).fails("RACE-05", "no API call succeeded with the tokens that it should have");
    let marked = wiped.with(|s| s.subject.says = Some(Status::Disconnected)).rest();
    marked.asked_in_vain(2).rest().fails("RACE-05", "the status says that it does not work");
    let stored = reconnected_first(&refusal()).adds_work(1).works().works().rest().restarted().asked_in_vain(2).rest().epilogue();
    stored.fails("RACE-05", "after the restart no API call succeeded");
}

#[test]
fn without_a_late_refusal_or_a_reconnection_nothing_is_decided() {
    Story::honest().undecided("RACE-05", "no refusal was held");
    let (story, exchange) = answer_held(&refusal());
    comes_late(story, exchange, &refusal()).rest().undecided("RACE-05", "did not reconnect while");
    reconnected_first(&refusal()).asked_in_vain(1).rest().undecided("RACE-05", "too little was asked");
    reconnected_first(&refusal()).adds_work(1).works().rest().undecided("RACE-05", "was not restarted");
    let unread = works_now_and_after_a_restart(reconnected_first(&refusal()));
    let (_, exchange) = answer_held(&refusal());
    unread.without(|e| e.what == What::Read { exchange }).undecided("RACE-05", "never read the late answer");
}

#[test]
fn a_late_success_that_changes_nothing_passes() {
    works_now_and_after_a_restart(reconnected_first(&pair(2))).passes("RACE-06");
}

#[test]
fn a_spent_token_of_the_new_grant_that_is_refused_has_another_cause() {
    let story = reconnected_first(&pair(2)).adds_work(1).works().works().rest();
    let (_, spent) = story.newest();
    // It was stopped before it had stored what a refresh brought.
    let story = story.refreshes().restarted().refuses(&spent, "invalid_grant");
    let story = story.with(|s| s.subject.says = Some(Status::Disconnected)).asked_in_vain(2).rest();
    story.undecided("RACE-06", "refused a token of the connection's own");
}

/// An API call with a token of the first family, though the second one is in force.
fn with_the_old_family(story: Story) -> Story {
    story.trigger().mark("offence").calls_api(Some("access#2"), TokenState::Active, 200).answered(Outcome::Accepted).with(|s| {
        for event in &mut s.history.events {
            if let What::Api { presented: Some(p), .. } = &mut event.what
                && p.token.as_deref() == Some("access#2")
            {
                p.grant = Some(1);
            }
        }
    })
}

#[test]
fn tokens_of_the_old_grant_after_a_reconnection_fail() {
    let grafted = with_the_old_family(reconnected_first(&pair(2)));
    grafted.asked_in_vain(1).rest().fails("RACE-06", "went on with the tokens of a late refresh of the old grant");
}

#[test]
fn a_token_from_before_the_late_refresh_is_another_matter() {
    let cached = with_the_old_family(reconnected_first(&pair(2))).with(|s| {
        for event in &mut s.history.events {
            if let What::Api { presented: Some(p), .. } = &mut event.what
                && p.token.as_deref() == Some("access#2")
            {
                p.token = Some("access#1".into());
            }
        }
    });
    cached.works().rest().works().works().rest().is_not_accused(&["RACE-06"]);
}

#[test]
fn tokens_of_the_old_grant_in_the_store_after_a_reconnection_fail_though_nobody_has_used_them_yet() {
    let keeps = |tokens: &[&str]| {
        let tokens: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
        let (story, exchange) = answer_held(&pair(2));
        let story = story.with(|s| s.pair = 2).connects().settled();
        let story = comes_late(story, exchange, &pair(2)).with(|s| s.subject.keeps = tokens).rest();
        works_now_and_after_a_restart(story.with(|s| s.subject.keeps = vec!["access#3".into(), "refresh#3".into()]))
    };
    keeps(&["access#2", "refresh#2"]).fails("RACE-06", "took the place of the new ones: the output of `show tokens` held access#2");
    // Beside the new ones they replace nothing; what was there before the answer came is no late write; sealed tokens are not seen.
    for kept in [&["access#2", "access#3", "refresh#3"][..], &["access#1", "refresh#1"], &[]] {
        keeps(kept).passes("RACE-06");
    }
    // Without rest it is not known that the new ones had been stored.
    let restless = keeps(&["access#2"]).with(|s| {
        for event in &mut s.history.events {
            if let What::Settled { quiet, .. } = &mut event.what {
                *quiet = false;
            }
        }
    });
    restless.undecided("RACE-06", "did not come to rest");
}

#[test]
fn work_that_waited_for_the_old_refresh_may_end_with_what_it_brought() {
    let (story, exchange) = answer_held(&pair(2));
    let story = comes_late(story.with(|s| s.pair = 2).connects().settled(), exchange, &pair(2));
    let story = story.calls_api(Some("access#2"), TokenState::Active, 200).with(|s| {
        if let Some(What::Api { presented: Some(p), .. }) =
            s.history.events.iter_mut().rev().map(|e| &mut e.what).find(|w| matches!(w, What::Api { .. }))
        {
            p.grant = Some(1);
        }
    });
    works_now_and_after_a_restart(story.rest()).passes("RACE-06");
}

/// The user disconnects while a success is held; then it comes.
fn disconnected_first() -> Story {
    let (story, exchange) = answer_held(&pair(2));
    let story = story.disconnects().with(|s| s.subject.says = Some(Status::Disconnected)).answered(Outcome::Accepted).settled();
    comes_late(story, exchange, &pair(2)).with(|s| s.pair = 2).rest()
}

#[test]
fn a_late_success_that_brings_nothing_back_passes() {
    disconnected_first().declines(2).rest().restarted().declines(2).rest().comes_back().passes("RACE-06");
}

#[test]
fn a_late_success_that_brings_the_connection_back_fails() {
    let story = disconnected_first().trigger().mark("offence").api(200).answered(Outcome::Accepted).declines(1).rest().comes_back();
    story.fails("RACE-06", "brought the connection back");
    let story = disconnected_first().with(|s| s.subject.says = Some(Status::Connected)).rest().declines(2).rest().comes_back();
    story.fails("RACE-06", "say connected again");
}

/// The late success was dropped; the user's word is forgotten at the next start.
fn forgotten() -> Story {
    let story = disconnected_first().with(|s| s.subject.keeps.clear()).rest().declines(2).rest();
    story.restarted().with(|s| s.subject.says = Some(Status::Connected))
}

#[test]
fn a_disconnection_that_only_a_restart_undoes_is_no_late_answer_s_doing() {
    let words = "the restart alone may have undone the disconnection";
    forgotten().asked_in_vain(2).rest().comes_back().undecided("RACE-06", words);
    let stale = forgotten().trigger().calls_api(Some("access#1"), TokenState::Rejected, 401).answered(Outcome::Accepted);
    stale.asked_in_vain(1).rest().comes_back().undecided("RACE-06", words);
    let used = forgotten().trigger().mark("offence").calls_api(Some("access#2"), TokenState::Active, 200).answered(Outcome::Accepted);
    used.asked_in_vain(1).rest().comes_back().fails("RACE-06", "brought the connection back");
    let stored = forgotten().with(|s| s.subject.keeps = vec!["access#2".into(), "refresh#2".into()]).asked_in_vain(2).rest();
    stored.comes_back().fails("RACE-06", "say connected again");
}

#[test]
fn a_disconnection_that_is_carried_out_after_the_user_is_back_is_no_late_answer_s_doing() {
    let undone = |is_slow: bool| {
        let (story, exchange) = answer_held(&pair(2));
        let story = story.disconnects();
        let call = story.call();
        let done = What::VerbAnswered { call, outcome: Outcome::Accepted, status: None, detail: String::new() };
        let story = if is_slow { story } else { story.event(done.clone()) };
        let story = comes_late(story.with(|s| s.pair = 3).connects().settled(), exchange, &pair(2));
        let story = if is_slow { story.event(done) } else { story };
        story.with(|s| s.subject.says = Some(Status::Disconnected)).rest().declines(2).rest()
    };
    undone(true).undecided("RACE-06", "the user had asked to be disconnected as well");
    undone(false).fails("RACE-06", "the status says that it does not work");
}

/// The user wants to disconnect while a success is held, and is not answered before that has come.
fn disconnection_waits(outcome: Option<Outcome>, says: Status) -> Story {
    let (story, exchange) = answer_held(&pair(2));
    let story = comes_late(story.disconnects().settled(), exchange, &pair(2)).with(|s| s.pair = 2);
    let story = story.calls_api(Some("access#2"), TokenState::Active, 200);
    let call = story.call();
    let answer = |outcome| What::VerbAnswered { call, outcome, status: None, detail: String::new() };
    story.events(outcome.map(answer)).with(|s| s.subject.says = Some(says)).rest()
}

#[test]
fn a_disconnection_that_waits_for_the_refresh_makes_no_answer_late() {
    let stays_away = |story: Story| story.declines(2).rest().restarted().declines(2).rest().comes_back();
    let finding = stays_away(disconnection_waits(Some(Outcome::Accepted), Status::Disconnected)).passes("RACE-06");
    assert!(finding.reason.contains("no success came late"), "{finding:?}");
    for unanswered in [None, Some(Outcome::NoAnswer)] {
        stays_away(disconnection_waits(unanswered, Status::Disconnected)).passes("RACE-06");
        let goes_on = disconnection_waits(unanswered, Status::Disconnected);
        let goes_on = goes_on.trigger().mark("offence").api(200).answered(Outcome::Accepted).declines(1).rest().comes_back();
        goes_on.fails("RACE-06", "brought the connection back");
        stays_away(disconnection_waits(unanswered, Status::Connected)).undecided("RACE-06", "never said that it had disconnected");
    }
    stays_away(disconnection_waits(Some(Outcome::Refused), Status::Disconnected)).undecided("RACE-06", "never said");
}

#[test]
fn a_user_who_cannot_disconnect_leaves_half_of_it() {
    let (story, exchange) = answer_held(&pair(2));
    let story = comes_late(story, exchange, &pair(2)).with(|s| s.pair = 2).rest().works().rest().epilogue();
    story.clone().terms(|t| t.disconnect = false).undecided("RACE-06", "how the user disconnects");
    story.clone().terms(|t| (t.disconnect, t.no_disconnect) = (false, true)).not_applicable("RACE-06");
    story.undecided("RACE-06", "neither reconnected nor disconnected");
    disconnected_first().declines(1).rest().comes_back().undecided("RACE-06", "after the late answer");
    disconnected_first().declines(2).rest().undecided("RACE-06", "did not connect again");
    Story::honest().undecided("RACE-06", "no refresh that had succeeded");
}

#[test]
fn dead_tokens_that_end_the_connection_within_two_refreshes_pass() {
    dead_on_arrival().refused("invalid_grant").gives_up().rest().asked_in_vain(2).rest().epilogue().passes("RACE-08");
    let twice = dead_on_arrival().faulted(Answer::Unavailable).refused("invalid_grant").gives_up().rest();
    twice.asked_in_vain(2).rest().epilogue().passes("RACE-08");
}

#[test]
fn dead_tokens_that_end_the_connection_without_another_refresh_pass() {
    let ended = || dead_on_arrival().gives_up().rest();
    ended().asked_in_vain(2).rest().epilogue().passes("RACE-08");
    ended().asked_in_vain(1).rest().comes_back().undecided("RACE-08", "no refresh was refused");
    // It may have died.
    ended().asked_in_vain(2).rest().undecided("RACE-08", "no refresh was refused");
    let calls = ended().asked_in_vain(2).trigger().calls_api(Some("access#2"), TokenState::Revoked(Cause::User), 401);
    calls.answered(Outcome::Accepted).rest().epilogue().undecided("RACE-08", "no refresh was refused");
    dead_on_arrival().rest().asked_in_vain(2).rest().epilogue().undecided("RACE-08", "no refresh was refused");
}

#[test]
fn dead_tokens_that_are_not_taken_for_dead_fail() {
    let loops = (0..3).fold(dead_on_arrival(), |story, _| story.refused("invalid_grant"));
    loops.rest().asked_in_vain(2).rest().epilogue().fails("RACE-08", "3 refreshes followed");
    let says = dead_on_arrival().refused("invalid_grant").rest().asked_in_vain(2).rest().epilogue();
    says.fails("RACE-08", "the status still says connected");
    let call =
        |story: Story| story.trigger().calls_api(Some("access#2"), TokenState::Revoked(Cause::User), 401).answered(Outcome::Accepted);
    let never = || (0..3).fold(dead_on_arrival().rest(), |story, _| call(story));
    never().rest().fails("RACE-08", "the connection never ended");
    // They had set out together: it refreshes, with what it has, and ends; or it says that access is gone.
    let spent = never().token_request("refresh_token", Some("refresh#1"), BASIC, Answer::Refused("invalid_grant".into()));
    spent.clone().gives_up().rest().undecided("RACE-08", "no refresh was refused");
    never().gives_up().rest().undecided("RACE-08", "no refresh was refused");
    // Nor is one attempt in vain an end.
    let unimpressed = (0..3).fold(spent.rest(), |story, _| call(story));
    unimpressed.rest().fails("RACE-08", "the connection never ended");
    let goes_on = dead_on_arrival().refused("invalid_grant").gives_up().rest();
    call(call(goes_on)).rest().epilogue().fails("RACE-08", "went on calling");
}

#[test]
fn a_revocation_at_another_time_or_tokens_that_were_never_used_decide_nothing() {
    Story::honest().undecided("RACE-08", "no refresh that had succeeded was in flight");
    let (story, exchange) = answer_held(&pair(2));
    let unused = comes_late(story.revoked(), exchange, &pair(2)).with(|s| s.pair = 2).rest().asked_in_vain(2).rest();
    unused.undecided("RACE-08", "never used");
    let by_the_clock = (0..3).fold(dead_on_arrival().rest(), |story, _| story.trigger().api(401).answered(Outcome::Accepted)).rest();
    let by_the_clock = by_the_clock.with(|s| {
        for event in &mut s.history.events {
            if let What::StoryBegan { refreshing, .. } = &mut event.what {
                *refreshing = crate::evidence::Refreshing::OnExpiry;
            }
        }
    });
    by_the_clock.undecided("RACE-08", "no refresh was refused");
    dead_on_arrival().refused("invalid_grant").gives_up().rest().asked_in_vain(1).rest().epilogue().undecided("RACE-08", "answered once");
}

/// Two refreshes with one token: the first wins, the second is refused, and hears so last.
fn raced() -> Story {
    let (story, exchange) = answer_held(&pair(2));
    let story = story.trigger().answered(Outcome::Accepted).token_asked();
    let loser = story.exchange();
    let story = story
        .token_decided("refresh_token", Some("refresh#1"), BASIC, &refusal())
        .event(What::Held { exchange: loser, gate: "late".into() });
    let story = comes_late(story, exchange, &pair(2)).with(|s| s.pair = 2);
    comes_late(story, loser, &refusal()).delivers().rest()
}

#[test]
fn a_loser_that_adopts_the_winners_tokens_passes() {
    works_now_and_after_a_restart(raced()).passes("RACE-04");
}

#[test]
fn a_loser_that_destroys_them_fails() {
    does_nothing_any_more(raced()).fails("RACE-04", "no API call succeeded");
    raced().with(|s| s.subject.says = Some(Status::Disconnected)).rest().asked_in_vain(2).rest().fails("RACE-04", "the status says");
}

#[test]
fn where_nobody_loses_one_refresh_must_have_been_held() {
    let finding = honest().passes("RACE-04");
    assert!(finding.reason.contains("no second refresh began"), "{finding:?}");
    Story::honest().undecided("RACE-04", "no refresh was held");
    raced().asked_in_vain(1).rest().undecided("RACE-04", "too little was asked");
}

#[test]
fn one_pair_of_two_logins_passes() {
    works_now_and_after_a_restart(doubled()).passes("RACE-10");
}

#[test]
fn a_code_that_is_exchanged_twice_fails() {
    let story = Story::connected().sets_out().authorizes();
    let (call, code) = (story.call(), Some("code#2".to_owned()));
    let story = story.event(What::CallbackDelivered { call, forged: false, status: None, code }).exchanges().mark("offence");
    let again = story.token_request("authorization_code", Some("code#2"), BASIC, refusal()).arrives().rest();
    again.fails("RACE-10", "code#2 was delivered twice and exchanged 2 times");
}

#[test]
fn two_logins_that_leave_nothing_that_works_fail() {
    does_nothing_any_more(doubled()).fails("RACE-10", "no API call succeeded");
    let memory_only = doubled().adds_work(1).works().works().rest().restarted().asked_in_vain(2).rest().epilogue();
    memory_only.fails("RACE-10", "after the restart");
}

#[test]
fn a_user_who_came_back_twice_leaves_open_whose_tokens_it_should_go_on_with() {
    for (id, answer) in [("RACE-05", refusal()), ("RACE-06", pair(2))] {
        let (story, exchange) = answer_held(&answer);
        let twice = story.with(|s| s.pair = 2).connects().settled().connects().settled();
        works_now_and_after_a_restart(comes_late(twice, exchange, &answer).rest()).undecided(id, "more than once");
        let (story, exchange) = answer_held(&answer);
        let under_way = comes_late(story.with(|s| s.pair = 2).connects().settled().sets_out(), exchange, &answer);
        let back = works_now_and_after_a_restart(under_way.authorizes().exchanges().arrives().rest());
        back.undecided(id, "on the way back once more");
    }
}

#[test]
fn two_logins_convict_without_a_callback_that_comes_twice_and_acquit_only_with_one() {
    let once = || two_tabs(Story::connected());
    does_nothing_any_more(once()).fails("RACE-10", "no API call succeeded");
    works_now_and_after_a_restart(once()).undecided("RACE-10", "no callback was delivered twice");
}

#[test]
fn an_answer_that_comes_after_its_reader_was_killed_tells_nothing_of_late_answers() {
    for (id, answer) in [("RACE-05", refusal()), ("RACE-06", pair(2))] {
        let (story, exchange) = answer_held(&answer);
        let killed = story.with(|s| s.pair = 2).connects().settled().killed().started();
        works_now_and_after_a_restart(comes_late(killed, exchange, &answer).rest()).undecided(id, "was killed before it could read it");
    }
}

#[test]
fn a_callback_that_came_twice_may_be_tried_again_once_its_exchange_was_lost() {
    let story = Story::connected().sets_out().authorizes();
    let (call, code) = (story.call(), Some("code#2".to_owned()));
    let story = story.event(What::CallbackDelivered { call, forged: false, status: None, code });
    let lost = story.token_request("authorization_code", Some("code#2"), BASIC, Answer::Dropped);
    lost.exchanges().arrives().rest().works().rest().is_not_accused(&["RACE-10"]);
}

#[test]
fn a_login_that_was_lost_on_the_way_may_end_in_another_state() {
    let story = two_tabs(Story::connected()).with(|s| {
        // The second one's answer never came.
        let last = s.history.events.iter().rev().find_map(|e| match &e.what {
            What::Token { exchange, grant_type, .. } if grant_type.as_deref() == Some("authorization_code") => Some(*exchange),
            _ => None,
        });
        for event in &mut s.history.events {
            if let What::Replied { exchange, .. } = &event.what
                && Some(*exchange) == last
            {
                event.what = What::Aborted { exchange: *exchange, by_subject: false };
            }
        }
    });
    does_nothing_any_more(story).undecided("RACE-10", "not both of two logins");
}

#[test]
fn a_single_login_decides_nothing() {
    Story::honest().undecided("RACE-10", "no two logins");
    doubled().works().rest().undecided("RACE-10", "was not restarted");
}

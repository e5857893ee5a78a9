//! STOP on hand-written histories.

use regrant_mock_server::{authority::TokenState, journal::AuthStyle};

use crate::{
    evidence::{Authorized, Outcome, SUBSCRIPTION, Verb, What},
    judge::testing::*,
};

const ALL: [&str; 4] = ["STOP-01", "STOP-02", "STOP-03", "STOP-04"];
const DEAD: TokenState = TokenState::Revoked(regrant_mock_server::authority::Cause::User);

/// Refused and at rest; what follows is the test's.
fn dead() -> Story {
    Story::connected().dies()
}

/// The restart falls into the story, and work is asked for twice after it.
fn restarted_while_dead() -> Story {
    dead().asked_in_vain(2).rest().restarted().asked_in_vain(2).rest().epilogue()
}

fn access_call(story: Story) -> Story {
    story.mark("offence").calls_api(Some("access#1"), DEAD, 401)
}

#[test]
fn an_honest_story_passes() {
    let story = Story::honest();
    for id in ["STOP-01", "STOP-02", "STOP-03"] {
        story.passes(id);
    }
    story.undecided("STOP-04", "after the restart `trigger` was delivered once");
    restarted_while_dead().passes("STOP-04");
}

#[test]
fn a_call_that_follows_a_trigger_after_the_refusal_fails() {
    let story = dead().mark("offence").trigger();
    let story = access_call(story).answered(Outcome::Accepted).trigger().answered(Outcome::Accepted).rest().epilogue();
    story.fails("STOP-01", "1 API call was sent with access#1 after its refresh was refused with invalid_grant");
    story.fails("STOP-03", "`trigger` still caused an API call");
}

#[test]
fn calls_without_a_token_or_with_an_empty_one_fail_too() {
    let story = dead().trigger().mark("offence").calls_api(None, TokenState::Unknown, 401).answered(Outcome::Accepted).rest().epilogue();
    story.fails("STOP-01", "no token that was ever issued");
}

#[test]
fn one_call_that_nothing_caused_is_not_enough_and_two_are() {
    // A page was read before the call: that is a stimulus. So nothing is read here.
    let quiet =
        || Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted);
    let one = access_call(quiet().settled().after(200)).rest().asked_in_vain(2).rest().epilogue();
    one.passes("STOP-01");
    let two = access_call(access_call(quiet().settled().after(200)).after(200)).rest().asked_in_vain(2).rest().epilogue();
    two.fails("STOP-01", "2 API calls");
}

#[test]
fn a_page_that_makes_the_subject_call_convicts() {
    let story = access_call(dead().looks()).asked_in_vain(2).rest().epilogue();
    story.fails("STOP-01", "1 API call");
}

#[test]
fn what_was_on_its_way_before_the_subject_rested_is_no_offence() {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant");
    let story = story.calls_api(Some("access#1"), DEAD, 401).gives_up().answered(Outcome::Accepted).rest();
    story.asked_in_vain(2).rest().epilogue().passes("STOP-01");
}

#[test]
fn a_reply_that_was_written_but_not_read_is_not_known() {
    let honest = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant");
    let unread = honest.exchange();
    let story =
        honest.answered(Outcome::Accepted).rest().trigger().calls_api(Some("access#1"), DEAD, 401).answered(Outcome::Accepted).rest();
    let story = story.epilogue().without(|e| matches!(e.what, What::Read { exchange } if exchange == unread));
    for id in ALL {
        story.undecided(id, "never read the refusal");
    }
}

#[test]
fn where_reading_cannot_be_seen_the_subject_knows_once_it_rests() {
    let unseen = |story: Story| {
        let mut story = story;
        for event in &mut story.history.events {
            if let What::Read { exchange } = event.what {
                event.what = What::ReadUnknown { exchange };
            }
        }
        story
    };
    unseen(Story::honest()).passes("STOP-01");
    unseen(Story::honest()).passes("STOP-02");
    unseen(access_call(dead().trigger()).answered(Outcome::Accepted).rest().epilogue()).fails("STOP-01", "1 API call");
    let killed = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").killed().started().settled();
    unseen(killed.trigger().calls_api(Some("access#1"), DEAD, 401).answered(Outcome::Accepted).rest()).undecided("STOP-01", "never read");
}

#[test]
fn a_subject_that_never_rests_is_convicted_by_two_calls_only() {
    let restless = || {
        let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant");
        story.gives_up().answered(Outcome::Accepted).no_rest()
    };
    restless().asked_in_vain(2).rest().epilogue().passes("STOP-01");
    access_call(restless().trigger()).answered(Outcome::Accepted).rest().epilogue().is_not_accused(&ALL);
    access_call(access_call(restless().trigger())).answered(Outcome::Accepted).rest().epilogue().fails("STOP-01", "2 API calls");
}

#[test]
fn without_a_rest_nothing_is_decided() {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted);
    story.connects().works().rest().undecided("STOP-01", "did not come to rest");
}

#[test]
fn each_missing_control_is_the_reason_of_undecided() {
    let before = Story::new().began().started().connects().rest().phase(crate::evidence::Phase::Story);
    let before = before.revoked().refused("invalid_grant").gives_up().rest().asked_in_vain(2).rest().epilogue();
    before.undecided("STOP-01", "caused no API call before the refusal");
    let once = dead().asked_in_vain(1).rest().epilogue();
    once.undecided("STOP-01", "delivered once and answered once");
    let unanswered = dead().asked_in_vain(1).trigger().answered(Outcome::NoAnswer).rest().epilogue();
    unanswered.undecided("STOP-01", "delivered 2 times and answered once");
    let never_back = dead().asked_in_vain(2).rest();
    never_back.undecided("STOP-01", "the user did not reconnect");
    let lame = dead().asked_in_vain(2).rest().connects().asked_in_vain(2).rest();
    lame.undecided("STOP-01", "caused no API call again");
    let only_after_a_restart = dead().asked_in_vain(2).rest().connects().asked_in_vain(2).rest().restarted().works().rest();
    only_after_a_restart.undecided("STOP-02", "caused no API call again");
}

#[test]
fn a_subject_that_refuses_work_or_keeps_it_in_a_queue_is_honest() {
    let refuses = dead().declines(2).rest().epilogue();
    refuses.passes("STOP-01");
    refuses.passes("STOP-03");
    // The queue is drained by the reconnection itself.
    let drains = dead().asked_in_vain(2).rest().connects().delivers().works().rest();
    drains.passes("STOP-01");
}

#[test]
fn one_goodbye_for_each_disconnection_is_allowed() {
    let goodbye = |story: Story| {
        let story = story.calls_api(Some("access#1"), DEAD, 401);
        story.with(|s| {
            let last = s.exchange();
            for event in &mut s.history.events {
                if let What::Requested { exchange, method, path, .. } = &mut event.what
                    && *exchange == last
                {
                    "DELETE".clone_into(method);
                    "/v1/installations/me".clone_into(path);
                }
            }
        })
    };
    let story = goodbye(dead().disconnects()).answered(Outcome::Accepted).settled().asked_in_vain(2).rest().epilogue();
    story.passes("STOP-01");
    let twice = goodbye(goodbye(dead().disconnects())).answered(Outcome::Accepted).settled().asked_in_vain(2).rest().epilogue();
    twice.fails("STOP-01", "1 API call");
    goodbye(dead().trigger()).answered(Outcome::Accepted).rest().epilogue().fails("STOP-01", "1 API call");
}

#[test]
fn a_call_with_another_living_grant_does_not_concern_the_dead_one() {
    let story = dead().trigger().calls_api(Some("access#9"), TokenState::Active, 200).with(|s| {
        let last = s.exchange();
        for event in &mut s.history.events {
            if let What::Api { exchange, presented: Some(presented), .. } = &mut event.what
                && *exchange == last
            {
                presented.grant = Some(99);
            }
        }
    });
    story.answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue().is_not_accused(&ALL);
}

#[test]
fn a_refused_token_presented_at_the_next_trigger_fails() {
    let story = dead().mark("offence").trigger().mark("offence").refuses("refresh#1", "invalid_grant").answered(Outcome::Accepted);
    let story = story.asked_in_vain(1).rest().epilogue();
    story.fails("STOP-02", "refresh#1 was presented once more after it was refused with invalid_grant");
    story.passes("STOP-01");
}

#[test]
fn declared_attempts_are_counted_from_the_first_presentation() {
    let again = |attempts| {
        let story = dead().trigger().refuses("refresh#1", "invalid_grant").answered(Outcome::Accepted).rest();
        let story =
            story.trigger().refuses("refresh#1", "invalid_grant").answered(Outcome::Accepted).rest().asked_in_vain(1).rest().epilogue();
        story.terms(|t| t.refresh_attempts = attempts)
    };
    again(1).fails("STOP-02", "2 times more");
    again(2).fails("STOP-02", "2 times more");
    again(3).passes("STOP-02");
}

#[test]
fn a_burst_of_presentations_is_undecided_up_to_what_can_be_declared_and_fails_beyond() {
    let burst = |more: u32| {
        let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant");
        let story = (0..more).fold(story, |story, _| story.refuses("refresh#1", "invalid_grant"));
        story.gives_up().answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue()
    };
    burst(0).passes("STOP-02");
    let once = burst(1).undecided("STOP-02", "presented 2 times within one burst");
    assert_eq!(once.unlock.as_deref(), Some("features.refresh_attempts = 2"));
    burst(1).terms(|t| t.refresh_attempts = 2).passes("STOP-02");
    burst(2).undecided("STOP-02", "3 times within one burst");
    burst(3).fails("STOP-02", "presented 3 times more after the refusal with invalid_grant had been read");
}

#[test]
fn several_triggers_at_once_are_each_entitled_to_their_attempt() {
    let story = Story::connected().revoked().rejected().trigger().trigger().trigger().api(401);
    let story = story
        .refused("invalid_grant")
        .refuses("refresh#1", "invalid_grant")
        .refuses("refresh#1", "invalid_grant")
        .gives_up()
        .answered(Outcome::Accepted);
    story.rest().asked_in_vain(2).rest().epilogue().passes("STOP-02");
}

#[test]
fn a_library_that_tries_the_other_client_authentication_style_makes_one_attempt() {
    let refused = || Answer::Refused("invalid_grant".into());
    let probing = |story: Story| {
        let story = story.token_request("refresh_token", Some("refresh#1"), AuthStyle::Basic, refused());
        story.token_request("refresh_token", Some("refresh#1"), AuthStyle::Body, refused())
    };
    let asked = || Story::connected().revoked().rejected().trigger().api(401);
    let end = |story: Story| story.gives_up().answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue();
    end(probing(asked())).passes("STOP-02");
    end(probing(probing(asked()))).undecided("STOP-02", "presented 2 times within one burst");
    let later = probing(dead().trigger()).answered(Outcome::Accepted).rest().epilogue();
    later.fails("STOP-02", "once more");
}

#[test]
fn a_restart_while_dead_is_no_excuse() {
    let calls = dead().asked_in_vain(2).rest().restarted();
    let at_start = access_call(calls.clone()).asked_in_vain(2).rest().epilogue();
    at_start.fails("STOP-04", "after a restart 1 API call");
    at_start.passes("STOP-01");
    let asked = access_call(calls.trigger()).answered(Outcome::Accepted).asked_in_vain(1).rest().epilogue();
    asked.fails("STOP-04", "though the connection was dead");
}

#[test]
fn a_subject_that_was_killed_before_it_rested_may_learn_anew() {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").killed().started();
    let story =
        story.trigger().calls_api(Some("access#1"), DEAD, 401).refuses("refresh#1", "invalid_grant").gives_up().answered(Outcome::Accepted);
    story.rest().asked_in_vain(2).rest().epilogue().is_not_accused(&ALL);
}

#[test]
fn a_subject_that_cannot_be_restarted_leaves_stop_04_undecided() {
    let story = dead().asked_in_vain(2).rest().comes_back().terms(|t| t.restartable = false);
    let finding = story.undecided("STOP-04", "cannot be restarted");
    assert_eq!(finding.unlock.as_deref(), Some("[start] run = [...]"));
    story.passes("STOP-01");
}

#[test]
fn a_one_shot_program_starts_anew_with_each_trigger() {
    let one_shot = |story: Story| {
        let story =
            story.without(|e| matches!(e.what, What::ProcessStarted { .. } | What::ProcessReady { .. } | What::ProcessStopping { .. }));
        story.terms(|t| {
            t.one_shot = true;
            t.restartable = false;
        })
    };
    for id in ALL {
        one_shot(dead().asked_in_vain(2).rest().comes_back()).passes(id);
    }
    one_shot(access_call(dead().trigger()).answered(Outcome::Accepted).rest().comes_back()).fails("STOP-04", "after a restart 1 API call");
}

#[test]
fn a_subject_that_its_supervisor_starts_again_is_judged_as_one() {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted);
    let exits = What::ProcessExited { incarnation: 1, code: 1, expected: true };
    let story = story.event(exits).settled().started().scan().looks().asked_in_vain(2).rest().comes_back();
    let story = story.terms(|t| t.restarts_on_exit = true);
    story.passes("STOP-01");
    story.passes("STOP-02");
}

#[test]
fn each_source_of_work_needs_its_own_controls() {
    let two = |story: Story| story.terms(|t| t.sources.push("webhook".into()));
    let finding = two(Story::honest()).undecided("STOP-03", "`webhook` caused no API call before");
    assert!(finding.unlock.is_none());
    let webhook = |story: Story| story.called(Verb::Trigger, None, Some("webhook"));
    let works = |story: Story| webhook(story).delivers().answered(Outcome::Accepted);
    let connected = || works(Story::new().began().started().connects().works().rest()).rest().phase(crate::evidence::Phase::Story).dies();
    let vain = |story: Story| webhook(webhook(story).answered(Outcome::Accepted)).answered(Outcome::Accepted);
    two(works(vain(connected().asked_in_vain(2)).rest().epilogue()).rest()).passes("STOP-03");
    two(vain(connected().asked_in_vain(2)).rest().epilogue())
        .undecided("STOP-03", "after the reconnection `webhook` caused no API call again");
    let still = access_call(webhook(connected().asked_in_vain(2))).answered(Outcome::Accepted).rest().epilogue();
    two(still).fails("STOP-03", "`webhook` still caused an API call");
}

/// Nobody declared it: that the provider had somebody to tell says that it is one.
#[test]
fn a_subscription_of_the_subject_s_own_is_a_source_of_work_like_those_declared() {
    let told = |story: Story| {
        let story = story.called(Verb::Trigger, None, Some(SUBSCRIPTION));
        story.event(What::WebhookSent { delivery: 1, told: "v1.export-job.created".into(), units: Vec::new() })
    };
    let works = |story: Story| told(story).delivers().answered(Outcome::Accepted);
    let in_vain = |story: Story| told(told(story).answered(Outcome::Accepted)).answered(Outcome::Accepted);
    let before = || works(Story::new().began().started().connects().works().rest()).rest().phase(crate::evidence::Phase::Story);
    let dead = || before().dies().asked_in_vain(2);
    works(in_vain(dead()).rest().epilogue()).rest().passes("STOP-03");
    works(dead().rest().epilogue()).rest().undecided("STOP-03", "`own subscription` was delivered never");
    in_vain(dead()).rest().epilogue().undecided("STOP-03", "after the reconnection `own subscription` caused no API call again");
    let still = access_call(told(dead())).answered(Outcome::Accepted).rest().epilogue();
    still.fails("STOP-03", "`own subscription` still caused an API call");
    // One that was made when the user had come back was none before.
    works(Story::connected().dies().asked_in_vain(2).rest().epilogue()).rest().passes("STOP-03");
    // It was there, and nobody asked it before.
    works(in_vain(Story::connected().dies().asked_in_vain(2)).rest().epilogue())
        .rest()
        .undecided("STOP-03", "`own subscription` caused no API call before");
}

/// A job that comes into being at the provider is told of without being asked for.
#[test]
fn a_webhook_that_nobody_asked_for_is_named_as_what_caused_a_call() {
    let told = What::WebhookSent { delivery: 1, told: "v1.export-job.created".into(), units: Vec::new() };
    let story = access_call(Story::connected().dies().asked_in_vain(2).settled().event(told)).rest().epilogue();
    story.fails("STOP-03", "`own subscription` still caused an API call");
}

#[test]
fn a_timer_must_have_been_seen_before_and_watched_for_two_periods() {
    let finding = Story::honest().terms(|t| t.period = None).undecided("STOP-03", "nothing is known of a timer");
    assert!(finding.unlock.is_some_and(|line| line.starts_with("features.period")));
    let period = |story: Story| story.terms(|t| t.period = Some(Some(2_000_000)));
    period(Story::honest()).undecided("STOP-03", "the timer caused no API call before");
    let ticking = || Story::connected().after(2_500).api(200).dies();
    period(ticking().asked_in_vain(2).rest().epilogue()).undecided("STOP-03", "not watched for two periods");
    period(ticking().asked_in_vain(2).after(4_000).rest().epilogue()).passes("STOP-03");
    let ticks_on = ticking().asked_in_vain(2).settled().after(2_100).mark("offence").calls_api(Some("access#1"), DEAD, 401).after(2_000);
    period(ticks_on.mark("offence").calls_api(Some("access#1"), DEAD, 401).rest().epilogue()).fails("STOP-03", "still caused an API call");
}

#[test]
fn the_loser_of_a_race_that_holds_the_newer_token_is_not_dead() {
    // Two workers refresh at once; the one that lost is refused after the winner's tokens were stored.
    let story = Story::connected()
        .rejected()
        .trigger()
        .api(401)
        .refreshes()
        .refuses("refresh#1", "invalid_grant")
        .works()
        .answered(Outcome::Accepted);
    let story = story.rest().works().rest().epilogue();
    story.is_not_accused(&ALL);
    story.undecided("STOP-01", "no refresh of a dead token was refused");
}

#[test]
fn a_refusal_that_another_workers_success_follows_is_no_death() {
    let story =
        Story::connected().rejected().trigger().api(401).refused("invalid_grant").refreshes().works().rest().works().rest().epilogue();
    story.is_not_accused(&ALL);
}

#[test]
fn each_of_several_deaths_counts() {
    let first = || dead().asked_in_vain(2).rest().restarted().asked_in_vain(2).rest().comes_back();
    let honest = first().dies().asked_in_vain(2).rest().restarted().asked_in_vain(2).rest().comes_back();
    for id in ALL {
        honest.passes(id);
    }
    let relapse =
        first().dies().trigger().mark("offence").calls_api(Some("access#2"), DEAD, 401).answered(Outcome::Accepted).rest().epilogue();
    relapse.fails("STOP-01", "access#2");
    first().dies().asked_in_vain(1).rest().epilogue().undecided("STOP-01", "answered once");
}

#[test]
fn a_story_that_did_not_come_about_says_so() {
    let story = Story::connected().event(What::NotRealised { reason: "the subject never tried to refresh".into() }).rest().epilogue();
    for id in ALL {
        story.undecided(id, "the subject never tried to refresh");
    }
}

// --- STOP-06 and STOP-07 ---

fn after_death(story: Story) -> Story {
    story.asked_in_vain(2).rest().epilogue()
}

#[test]
fn the_way_through_the_user_is_the_only_one() {
    after_death(Story::connected().dies()).passes("STOP-06");
    Story::connected().dies().asked_in_vain(2).rest().undecided("STOP-06", "no authorise request of the user's browser");
    let asks = |grant_type: &str| {
        let refused = Answer::Refused("unsupported_grant_type".into());
        Story::connected()
            .dies()
            .trigger()
            .mark("offence")
            .token_request(grant_type, None, AuthStyle::Basic, refused)
            .answered(Outcome::Accepted)
    };
    after_death(asks("client_credentials")).fails("STOP-06", "with the grant type client_credentials");
    after_death(asks("password")).fails("STOP-06", "with the grant type password");
    after_death(asks("refresh_token")).is_not_accused(&["STOP-06"]);
}

#[test]
fn another_grant_type_before_the_refusal_is_no_way_around_it() {
    let refused = Answer::Refused("unsupported_grant_type".into());
    let story = Story::connected().trigger().token_request("client_credentials", None, AuthStyle::Basic, refused).delivers();
    after_death(story.answered(Outcome::Accepted).rest().dies()).passes("STOP-06");
}

#[test]
fn a_consent_that_the_subject_gives_to_itself_fails() {
    let code = Authorized::Code { code: "code#9".into(), grant: 9 };
    let story = Story::connected().dies().trigger().authorize_request(code).answered(Outcome::Accepted).with(|s| {
        let last = s.history.events.iter_mut().rev().find(|e| matches!(e.what, What::Requested { .. })).expect("the request");
        if let What::Requested { by_agent, .. } = &mut last.what {
            *by_agent = false;
        }
    });
    after_death(story).fails("STOP-06", "got a code");
    let looked = Story::connected().dies().trigger().authorize_request(Authorized::Page).answered(Outcome::Accepted);
    after_death(looked).is_not_accused(&["STOP-06"]);
}

#[test]
fn one_presentation_is_enough_whatever_was_declared() {
    after_death(Story::connected().dies()).passes("STOP-07");
    let again = Story::connected().dies().trigger().mark("offence").refuses("refresh#1", "invalid_grant").answered(Outcome::Accepted);
    let again = after_death(again);
    again.fails("STOP-07", "was presented once more");
    again.clone().terms(|t| t.refresh_attempts = 3).fails("STOP-07", "was presented once more");
    again.terms(|t| t.refresh_attempts = 3).passes("STOP-02");
}

#[test]
fn a_second_presentation_in_one_burst_is_told_from_two_workers_by_what_was_declared() {
    let burst = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").refused("invalid_grant");
    let burst = after_death(burst.gives_up().answered(Outcome::Accepted).rest());
    burst.undecided("STOP-07", "within one burst");
    burst.clone().terms(|t| t.refresh_attempts = 2).fails("STOP-07", "presented 2 times although the first refusal was final");
    burst.terms(|t| t.refresh_attempts = 2).passes("STOP-02");
}

#[test]
fn a_second_presentation_long_after_the_refusal_was_read_was_not_on_its_way() {
    let refused = || Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant");
    let after = |ms| after_death(refused().after(ms).refused("invalid_grant").gives_up().answered(Outcome::Accepted).rest());
    after(200).undecided("STOP-02", "within one burst");
    for id in ["STOP-02", "STOP-07"] {
        after(600).fails(id, "ms after its refusal with invalid_grant had been read");
    }
    after(600).terms(|t| t.refresh_attempts = 2).passes("STOP-02");
    // Each of two that were asked at once has its own attempt.
    let two =
        Story::connected().revoked().rejected().trigger().trigger().api(401).refused("invalid_grant").after(600).refused("invalid_grant");
    after_death(two.gives_up().answered(Outcome::Accepted).rest()).is_not_accused(&["STOP-02"]);
}

mod processes;

//! DETECT on hand-written histories.

use regrant_mock_server::{authority::TokenState, fault::scenario::Status, journal::Carried};

use crate::{
    evidence::{Outcome, Reply, What},
    judge::testing::*,
};

const DEAD: TokenState = TokenState::Revoked(regrant_mock_server::authority::Cause::User);

/// Asked to work after the access token was rejected; the first call meets a 401.
fn rejected() -> Story {
    Story::connected().rejected().trigger().api(401)
}

fn end(story: Story) -> Story {
    story.rest().epilogue()
}

/// Refused with this error, otherwise honest.
fn refused(error: &str) -> Story {
    end(Story::connected()
        .revoked()
        .rejected()
        .trigger()
        .api(401)
        .refused(error)
        .gives_up()
        .answered(Outcome::Accepted)
        .rest()
        .asked_in_vain(2))
}

/// A subject without a status.
fn mute(story: Story) -> Story {
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::StatusRead { state, .. } = &mut event.what {
                *state = None;
            }
        }
    })
}

#[test]
fn a_status_that_says_so_is_enough() {
    refused("invalid_grant").passes("DETECT-01");
    refused("invalid_token").passes("DETECT-02");
    refused("invalid_grant").passes("DETECT-07");
    refused("invalid_grant").undecided("DETECT-02", "the refusal did not come about");
    refused("invalid_token").undecided("DETECT-01", "the refusal did not come about");
}

#[test]
fn a_refresh_that_begins_while_the_401_is_noted_as_written_follows_from_it() {
    let late = |story: Story| {
        story.with(|s| {
            let events = &mut s.history.events;
            let met = events.iter().position(|e| matches!(e.what, What::Replied { status: 401, .. })).expect("a 401");
            let asked = (met..events.len()).find(|&i| matches!(events[i].what, What::Token { .. })).expect("a refresh");
            // The two end events of the 401 come right after the refresh was decided.
            events[met..=asked].rotate_left(2);
            for (i, event) in events.iter_mut().enumerate() {
                event.n = u32::try_from(i).expect("short") + 1;
            }
            let times: Vec<_> = {
                let mut all: Vec<_> = events.iter().map(|e| e.at).collect();
                all.sort_unstable();
                all
            };
            for (event, at) in events.iter_mut().zip(times) {
                event.at = at;
            }
        })
    };
    late(refused("invalid_grant")).passes("DETECT-07");
}

#[test]
fn stopping_is_enough_with_all_its_controls() {
    let silent = |story: Story| mute(story).terms(|t| t.status = false);
    silent(refused("invalid_grant")).passes("DETECT-01");
    let once = Story::connected().dies().asked_in_vain(1);
    silent(end(once)).undecided("DETECT-01", "answered once");
    let never_back = Story::connected().dies().asked_in_vain(2).rest();
    silent(never_back).undecided("DETECT-01", "did not reconnect");
}

#[test]
fn going_on_as_before_fails() {
    let goes_on = |error: &str| {
        let story = Story::connected().revoked().rejected().trigger().api(401).refused(error).answered(Outcome::Accepted).rest();
        story.mark("offence").trigger().mark("offence").refuses("refresh#1", error).answered(Outcome::Accepted)
    };
    end(goes_on("invalid_grant").asked_in_vain(1))
        .fails("DETECT-01", "no status says that it took invalid_grant as the end, and refresh#1 was presented once more");
    end(goes_on("invalid_token").asked_in_vain(1)).fails("DETECT-02", "refresh#1 was presented once more");
    let calls = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").answered(Outcome::Accepted).rest();
    let calls = calls.trigger().mark("offence").calls_api(Some("access#1"), DEAD, 401).answered(Outcome::Accepted);
    end(calls).fails("DETECT-01", "went on as before after invalid_grant: 1 more API requests");
}

#[test]
fn attempts_that_were_declared_are_no_going_on() {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").answered(Outcome::Accepted).rest();
    let story = story.trigger().refuses("refresh#1", "invalid_grant").gives_up().answered(Outcome::Accepted).rest().asked_in_vain(2);
    mute(end(story)).terms(|t| t.refresh_attempts = 2).passes("DETECT-01");
}

#[test]
fn only_the_death_that_is_meant_is_judged() {
    let both = Story::connected().dies().asked_in_vain(2).rest().comes_back();
    let both = both.revoked().rejected().trigger().api(401).refused("invalid_token").gives_up().answered(Outcome::Accepted).rest();
    let both = end(both.asked_in_vain(2));
    assert!(both.passes("DETECT-01").reason.contains("invalid_grant"));
    assert!(both.passes("DETECT-02").reason.contains("invalid_token"));
}

#[test]
fn a_refresh_on_the_401_and_work_with_the_new_token_pass() {
    let repeated = end(rejected().refreshes().delivers().answered(Outcome::Accepted));
    repeated.passes("DETECT-04");
    let next_turn = end(rejected().refreshes().answered(Outcome::Accepted).rest().works());
    next_turn.passes("DETECT-04");
}

#[test]
fn a_401_without_a_refresh_fails_when_work_is_asked_for_twice_more() {
    let gives_up = |times| end(rejected().gives_up().answered(Outcome::Accepted).rest().asked_in_vain(times));
    gives_up(2).fails("DETECT-04", "no refresh followed");
    gives_up(1).fails("DETECT-04", "no refresh followed");
    let cut = rejected().gives_up().answered(Outcome::Accepted).rest().asked_in_vain(1);
    cut.undecided("DETECT-04", "answered once");
    let still_trying = end(rejected()
        .answered(Outcome::Accepted)
        .rest()
        .trigger()
        .api(401)
        .answered(Outcome::Accepted)
        .rest()
        .trigger()
        .api(401)
        .answered(Outcome::Accepted));
    still_trying.fails("DETECT-04", "no refresh followed");
}

#[test]
fn a_refresh_by_the_clock_is_no_answer_to_a_401() {
    // The token was to live for 15 minutes; the refresh comes after they are over.
    let story = rejected().answered(Outcome::Accepted).rest().trigger().api(401).answered(Outcome::Accepted).rest().trigger().api(401);
    let late = end(story.answered(Outcome::Accepted).after(900_000).refreshes().delivers());
    late.fails("DETECT-04", "no refresh followed");
}

#[test]
fn a_refresh_whose_token_is_not_used_fails_when_work_is_asked_for() {
    let story = rejected().refreshes().answered(Outcome::Accepted).rest();
    let unused = end(story.trigger().calls_api(Some("access#1"), TokenState::Rejected, 401).answered(Outcome::Accepted).asked_in_vain(1));
    unused.fails("DETECT-04", "the work was not done with the new token");
}

#[test]
fn what_does_not_come_about_leaves_detect_04_undecided() {
    end(Story::connected().works()).undecided("DETECT-04", "did not reject an access token");
    end(Story::connected().rejected().refreshes().works()).undecided("DETECT-04", "no API call met the rejection");
    end(rejected().refused("invalid_grant").gives_up().answered(Outcome::Accepted).rest().asked_in_vain(2))
        .undecided("DETECT-04", "did not succeed");
    end(rejected().faulted(Answer::Unavailable).answered(Outcome::Accepted)).undecided("DETECT-04", "did not succeed");
}

#[test]
fn a_403_that_leads_to_a_refused_refresh_counts_like_a_401() {
    let story = Story::connected().revoked().trigger().calls_api(Some("access#1"), DEAD, 403).refused("invalid_grant").gives_up();
    end(story.answered(Outcome::Accepted).rest().asked_in_vain(2)).passes("DETECT-07");
    let stays = Story::connected()
        .revoked()
        .trigger()
        .calls_api(Some("access#1"), DEAD, 403)
        .refused("invalid_grant")
        .answered(Outcome::Accepted)
        .rest();
    let stays = stays.trigger().mark("offence").calls_api(Some("access#1"), DEAD, 403).answered(Outcome::Accepted);
    end(stays).fails("DETECT-07", "went on as before");
    let by_clock =
        Story::connected().revoked().trigger().refused("invalid_grant").gives_up().answered(Outcome::Accepted).rest().asked_in_vain(2);
    end(by_clock).undecided("DETECT-07", "after the API had answered 401 or 403");
    let leaves_it = Story::connected().revoked().trigger().calls_api(Some("access#1"), DEAD, 403).answered(Outcome::Accepted).rest();
    end(leaves_it.asked_in_vain(2)).undecided("DETECT-07", "after the API had answered 401 or 403");
}

#[test]
fn a_status_that_is_broken_or_connected_is_no_sign_and_no_accusation() {
    for says in [Status::Connected, Status::Broken] {
        let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
        let story = end(story.with(|s| s.subject.says = Some(says)).answered(Outcome::Accepted).rest().asked_in_vain(2));
        // It stopped: that it lies is another requirement.
        story.passes("DETECT-01");
    }
}

#[test]
fn an_open_answer_is_no_refusal() {
    let story = Story::connected().rejected().trigger().api(401).token_asked();
    let answer = Answer::Refused("invalid_request".into());
    let story = story.token_decided("refresh_token", Some("refresh#1"), regrant_mock_server::journal::AuthStyle::Basic, &answer);
    let exchange = story.exchange();
    let open = What::Replied { exchange, status: 400, reply: Reply::Open { error: Some("invalid_request".into()) } };
    end(story.event(open).event(What::Read { exchange }).answered(Outcome::Accepted))
        .undecided("DETECT-01", "the refusal did not come about");
}

// --- DETECT-03 ---

/// Refused with this description and status, otherwise honest.
fn refused_as(error: &str, status: u16, description: Option<&str>) -> Story {
    refused(error).with(|s| {
        for event in &mut s.history.events {
            if let What::Replied { status: told, reply: Reply::Final { description: words, .. }, .. } = &mut event.what {
                *told = status;
                *words = description.map(str::to_owned);
            }
        }
    })
}

/// Every answer with this error is one that nobody knows.
fn unknown(story: Story) -> Story {
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::Replied { reply, .. } = &mut event.what
                && let Reply::Final { error, .. } = reply
                && error == "token_gone"
            {
                *reply = Reply::Open { error: Some(error.clone()) };
            }
        }
    })
}

/// It tries once for each trigger, and its status says that all is well.
fn tries(times: u32) -> Story {
    (0..times).fold(Story::connected().revoked().rejected(), |story, _| {
        story.trigger().api(401).refused("token_gone").answered(Outcome::Accepted).rest()
    })
}

#[test]
fn other_definitive_refusals_are_told_from_the_usual_ones() {
    let usual = Some("The refresh token is expired or revoked");
    refused_as("invalid_refresh_token", 400, usual).passes("DETECT-03");
    refused_as("unauthorized_client", 403, None).passes("DETECT-03");
    refused_as("invalid_grant", 400, None).passes("DETECT-03");
    refused_as("invalid_grant", 400, Some("Session 7 was ended")).passes("DETECT-03");
    refused_as("invalid_grant", 401, usual).passes("DETECT-03");
    refused_as("invalid_grant", 400, usual).undecided("DETECT-03", "the refusal did not come about");
    refused_as("invalid_token", 401, None).undecided("DETECT-03", "the refusal did not come about");
}

#[test]
fn another_definitive_refusal_that_is_shrugged_off_fails() {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_refresh_token");
    let story = story.answered(Outcome::Accepted).rest().trigger().mark("offence").refuses("refresh#1", "invalid_refresh_token");
    let story = end(story.answered(Outcome::Accepted).asked_in_vain(1));
    story.fails("DETECT-03", "refresh#1 was presented once more");
}

#[test]
fn an_unknown_error_may_be_tried_three_times_and_no_more() {
    let gives_up = |times: u32| tries(times - 1).trigger().api(401).refused("token_gone").gives_up().answered(Outcome::Accepted).rest();
    unknown(end(gives_up(1).asked_in_vain(2))).passes("DETECT-03");
    unknown(end(gives_up(3).asked_in_vain(2))).passes("DETECT-03");
    let fourth = tries(3).trigger().mark("offence").api(401).refused("token_gone").answered(Outcome::Accepted).rest();
    unknown(end(fourth)).fails("DETECT-03", "went on as before after 3 attempts refused with token_gone");
    let quietly = tries(3).trigger().mark("offence").refused("token_gone").answered(Outcome::Accepted).rest();
    unknown(end(quietly)).fails("DETECT-03", "refresh#1 was presented again after 3 attempts");
}

#[test]
fn an_unknown_error_that_is_tried_in_one_loop_fails_after_the_third_attempt() {
    let story = (0..5).fold(Story::connected().revoked().rejected().trigger().api(401), |story, _| story.refused("token_gone"));
    let story = story.answered(Outcome::Accepted).rest().asked_in_vain(2);
    unknown(end(story)).fails("DETECT-03", "was presented again after 3 attempts");
}

#[test]
fn silence_after_an_unknown_error_needs_its_controls_and_a_status_that_agrees() {
    let silent = |times| {
        Story::connected()
            .revoked()
            .rejected()
            .trigger()
            .api(401)
            .refused("token_gone")
            .answered(Outcome::Accepted)
            .rest()
            .asked_in_vain(times)
    };
    let mute_end = |story| unknown(mute(end(story))).terms(|t| t.status = false);
    mute_end(silent(2)).passes("DETECT-03");
    mute_end(silent(0)).undecided("DETECT-03", "answered never");
    unknown(end(silent(2))).undecided("DETECT-03", "its status says that it is connected");
    unknown(end(tries(2))).undecided("DETECT-03", "");
}

#[test]
fn words_about_the_request_and_words_of_patience_are_no_refusals() {
    for word in ["invalid_request", "temporarily_unavailable"] {
        let story = tries(4).with(|s| {
            for event in &mut s.history.events {
                if let What::Replied { reply, .. } = &mut event.what
                    && let Reply::Final { .. } = reply
                {
                    *reply = Reply::Open { error: Some(word.into()) };
                }
            }
        });
        end(story).undecided("DETECT-03", "the refusal did not come about");
    }
}

// --- DETECT-05, DETECT-06, DETECT-08 ---

/// A needed refresh, then the API denies what is good.
fn denied_after_refresh(status: u16) -> Story {
    rejected().refreshes().denied(status)
}

#[test]
fn two_refreshes_for_one_stimulus_are_no_loop_and_three_are() {
    let times =
        |times| (1..times).fold(denied_after_refresh(401), |story, _| story.refreshes().denied(401)).answered(Outcome::Accepted).rest();
    end(times(1).trigger().denied(401).answered(Outcome::Accepted)).passes("DETECT-05");
    end(times(2)).passes("DETECT-05");
    end(times(4)).fails("DETECT-05", "4 attempts where 2 were to be expected");
    end(denied_after_refresh(403).refreshes().denied(403).answered(Outcome::Accepted)).passes("DETECT-05");
}

#[test]
fn a_denial_that_was_met_once_or_never_with_a_fresh_token_decides_nothing() {
    let once = Story::connected().after(900_000).trigger().refreshes().denied(403).answered(Outcome::Accepted);
    end(once).undecided("DETECT-05", "only once");
    let never =
        Story::connected().trigger().denied(403).answered(Outcome::Accepted).rest().trigger().denied(403).answered(Outcome::Accepted);
    end(never).undecided("DETECT-05", "no token that a refresh had given");
    end(Story::connected()).undecided("DETECT-05", "denied no token that was good");
    denied_after_refresh(403).refreshes().denied(403).answered(Outcome::Accepted).rest().undecided("DETECT-05", "did not reconnect");
}

#[test]
fn slow_turns_of_a_timer_that_nobody_declared_are_not_held_against_a_subject() {
    let turns = (0..6).fold(denied_after_refresh(401), |story, _| story.after(900).refreshes().denied(401)).answered(Outcome::Accepted);
    let turns = end(turns);
    turns.clone().terms(|t| t.period = None).undecided("DETECT-05", "a timer may have caused them");
    turns.clone().fails("DETECT-05", "over and over");
    turns.terms(|t| t.period = Some(Some(900_000))).is_not_accused(&["DETECT-05"]);
}

fn forbidden_twice(first: impl Fn(Story) -> Story) -> Story {
    let story = first(denied_after_refresh(403)).answered(Outcome::Accepted).rest();
    story.trigger().denied(403).answered(Outcome::Accepted).rest()
}

#[test]
fn a_403_may_be_shown_in_any_way() {
    let logged = forbidden_twice(|story| story.log("ERROR keine Berechtigung"));
    end(logged.works()).passes("DETECT-06");
    let status = forbidden_twice(|story| story.with(|s| s.subject.says = Some(Status::Broken)));
    end(status).passes("DETECT-06");
    let page = forbidden_twice(|story| story.with(|s| s.subject.page = ("A right is missing".into(), crate::evidence::Says::No, false)));
    end(page).passes("DETECT-06");
    let refused = denied_after_refresh(403).answered(Outcome::Refused).rest().trigger().denied(403).answered(Outcome::Refused).rest();
    end(refused).passes("DETECT-06");
}

#[test]
fn a_403_that_nobody_can_see_fails_unless_the_log_was_not_seen() {
    let unseen = end(forbidden_twice(|story| story).works());
    unseen.fails("DETECT-06", "neither status, page, log nor the trigger's answer");
    let mute = unseen.without(|e| matches!(e.what, What::Log { .. }));
    mute.undecided("DETECT-06", "not one log line");
}

#[test]
fn a_warning_that_names_the_403_tells_of_it_though_its_kind_was_there_before() {
    let line = |level, status| format!(r#"{{"level":"{level}","event":"api_unauthorized","status":{status},"path":"/v3/export-jobs"}}"#);
    let habit = |level: &'static str| {
        let story = Story::connected().rejected().trigger().api(401).log(&line(level, 401)).refreshes().denied(403).log(&line(level, 403));
        let story = story.answered(Outcome::Accepted).rest().trigger().denied(403).log(&line(level, 403)).answered(Outcome::Accepted);
        end(story.rest().works())
    };
    habit("warn").passes("DETECT-06");
    habit("info").fails("DETECT-06", "neither status, page, log nor the trigger's answer");
    let silent = habit("warn").without(|e| matches!(&e.what, What::Log { text, .. } if text.contains("403")));
    silent.fails("DETECT-06", "neither status, page, log nor the trigger's answer");
}

#[test]
fn what_a_403_costs_is_seen_in_storage_and_settings() {
    let purged = forbidden_twice(Story::gives_up);
    end(purged).fails("DETECT-06", "refresh#2 was purged for a 403");
    let marked = forbidden_twice(|story| story.gives_up().with(|s| s.subject.keeps = vec!["refresh#2".into()]));
    end(marked).passes("DETECT-06");
    let late = forbidden_twice(|story| story.log("ERROR 403").with(|s| s.subject.keeps = vec!["refresh#1".into()]));
    end(late.works()).is_not_accused(&["DETECT-06"]);
    let reset = forbidden_twice(|story| story.log("ERROR 403").with(|s| s.subject.settings = "the defaults".into()));
    end(reset.clone().works()).fails("DETECT-06", "the settings are not what they were");
    // A notice beside them tells of the 403, and changes nothing.
    let beside = end(reset.works()).with(|s| {
        for event in &mut s.history.events {
            if let What::SettingsRead { digest, parts } = &mut event.what {
                let told = digest.as_deref() == Some("the defaults");
                *parts = ["vat", "a right is missing"].into_iter().take(1 + usize::from(told)).map(str::to_owned).collect();
            }
        }
    });
    beside.is_not_accused(&["DETECT-06"]);
}

#[test]
fn what_a_refusal_costs_after_a_403_is_another_matter() {
    let story = || forbidden_twice(|story| story.log("ERROR 403: a right is missing")).adds_work(1).works().rest();
    // The pair of a later refresh was not saved before the restart; the one before it is refused.
    let unsaved = story().rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest();
    let (_, spent) = story().newest();
    let restarted = unsaved.restarted().trigger().refuses(&spent, "invalid_grant").gives_up().answered(Outcome::Accepted).rest();
    restarted.comes_back().passes("DETECT-06");
    let emptied = story().with(|s| s.subject.keeps.clear()).rest().restarted().trigger().answered(Outcome::Accepted).rest();
    emptied.refuses(&spent, "invalid_grant").gives_up().rest().comes_back().fails("DETECT-06", "refresh#2 was purged for a 403");
}

/// The token endpoint answers 200 without tokens; then it is itself again.
fn no_tokens(then: impl Fn(Story) -> Story) -> Story {
    let story = then(rejected().faulted(Answer::Unusable)).answered(Outcome::Accepted).rest();
    end(story.trigger().refreshes().delivers().answered(Outcome::Accepted).rest())
}

#[test]
fn what_is_presented_after_an_answer_without_tokens_shows_what_was_stored() {
    no_tokens(|story| story).passes("DETECT-08");
    let unknown = |story: Story| story.mark("offence").calls_api(Some("access#1"), TokenState::Unknown, 401).nobodys_token();
    no_tokens(unknown).fails("DETECT-08", "a word that was never issued");
    let refresh = |story: Story| story.mark("offence").refuses("refresh#1", "invalid_grant").nobodys_token();
    no_tokens(refresh).fails("DETECT-08", "tried to refresh with a word");
    no_tokens(|story| story.calls_api(Some("access#1"), TokenState::Rejected, 401)).passes("DETECT-08");
}

#[test]
fn tokens_that_are_gone_while_the_status_says_connected_were_overwritten() {
    no_tokens(|story| story.with(|s| s.subject.keeps.clear())).fails("DETECT-08", "was gone from storage");
    no_tokens(Story::gives_up).is_not_accused(&["DETECT-08"]);
}

#[test]
fn a_refusal_is_no_token_either_and_a_call_without_a_token_after_it_is_another_matter() {
    refused("invalid_grant").passes("DETECT-08");
    let empty = |status| {
        let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
        let story = story.calls_api(Some("x"), TokenState::Unknown, 401).nobodys_token().answered(Outcome::Accepted).rest();
        end(story.asked_in_vain(2)).with(|s| {
            for event in &mut s.history.events {
                match &mut event.what {
                    What::Api { presented: Some(presented), carried, .. } if presented.token.is_none() => *carried = Carried::EmptyBearer,
                    What::Replied { status: told, reply: Reply::Final { .. }, .. } => *told = status,
                    _ => {}
                }
            }
        })
    };
    empty(400).passes("DETECT-08");
    empty(200).fails("DETECT-08", "with an empty token");
    end(Story::connected()).undecided("DETECT-08", "no answer without tokens");
    rejected().faulted(Answer::Unusable).answered(Outcome::Accepted).rest().undecided("DETECT-08", "no API call succeeded");
}

#[test]
fn a_story_of_a_rotated_secret_does_not_apply_to_a_public_client() {
    let reason = regrant_authority::ClientError::Public("client-1".into()).to_string();
    let story = Story::connected().event(What::NotRealised { reason });
    story.clone().undecided("DETECT-01", "has no secret to rotate");
    story.clone().terms(|t| t.confidential = Some(true)).undecided("DETECT-01", "has no secret to rotate");
    story.terms(|t| t.confidential = Some(false)).not_applicable("DETECT-01");
    let other = Story::connected().event(What::NotRealised { reason: "nobody came".into() });
    other.terms(|t| t.confidential = Some(false)).undecided("DETECT-01", "nobody came");
}

//! RACE on hand-written histories.

use regrant_mock_server::{authority::TokenState, journal::AuthStyle};

use crate::{
    evidence::{Outcome, Verb, What},
    judge::{WorkKind, testing::*},
};

const BASIC: AuthStyle = AuthStyle::Basic;

fn pair(n: u32) -> Answer {
    Answer::Tokens(format!("access#{n}"), Some(format!("refresh#{n}")))
}

/// A refresh is committed and held.
fn held() -> Story {
    let story = Story::connected().adds_work(1).rejected().trigger().api(401).token_asked();
    let exchange = story.exchange();
    let story = story.token_decided("refresh_token", Some("refresh#1"), BASIC, &pair(2));
    story
        .event(What::Faulted { rule: Some(1), exchange, fate: "hold refresh".into(), committed: true })
        .event(What::Held { exchange, gate: "refresh".into() })
}

/// Its reply is let go and read; the new pair is stored.
fn released(story: Story, exchange: u64) -> Story {
    use crate::evidence::Reply;
    let reply = Reply::Tokens { access: "access#2".into(), refresh: Some("refresh#2".into()), expires_in: Some(900) };
    story.with(|s| s.pair = 2).events([
        What::Released { exchange, dropped: false },
        What::Replied { exchange, status: 200, reply },
        What::Read { exchange },
    ])
}

/// So many triggers while it is held, accepted at once.
fn waiting(times: u32) -> (Story, u64) {
    let story = held();
    let exchange = story.exchange();
    ((0..times).fold(story, |story, _| story.trigger().answered(Outcome::Accepted)), exchange)
}

/// All went on with the new token.
fn honest() -> Story {
    let (story, exchange) = waiting(4);
    released(story, exchange).delivers().rest().adds_work(1).works().works().rest().epilogue()
}

#[test]
fn one_refresh_for_all_passes() {
    honest().passes("RACE-01");
    honest().passes("RACE-03");
}

#[test]
fn one_who_goes_on_while_all_others_wait_for_ever_fails() {
    let after = || {
        let (story, exchange) = waiting(4);
        released(story, exchange).delivers().rest()
    };
    let asked = |story: Story| story.trigger().answered(Outcome::Accepted).trigger().answered(Outcome::Accepted);
    asked(after()).rest().epilogue().fails("RACE-03", "then none did");
    // A restart helps, as it always does.
    asked(after()).rest().restarted().works().rest().comes_back().stopped().fails("RACE-03", "then none did");
    // It may still be about to begin; or it says that it will not do it.
    asked(after()).is_not_accused(&["RACE-03"]);
    let refused = |story: Story| story.trigger().answered(Outcome::Refused).trigger().answered(Outcome::Refused);
    refused(after()).rest().epilogue().is_not_accused(&["RACE-03"]);
    // Work that is asked for twice may be done in one go.
    asked(after()).api(200).rest().epilogue().is_not_accused(&["RACE-03"]);
}

#[test]
fn triggers_that_are_coalesced_or_refused_are_honest() {
    let (story, exchange) = waiting(1);
    let story = story.trigger().answered(Outcome::Refused).trigger().answered(Outcome::Refused);
    let story = released(story, exchange).delivers().rest().works().works().rest().epilogue();
    story.passes("RACE-01");
    story.passes("RACE-03");
}

#[test]
fn a_refresh_that_begins_while_another_is_held_fails() {
    let (story, exchange) = waiting(1);
    let story =
        story.trigger().mark("offence").token_request("refresh_token", Some("refresh#1"), BASIC, Answer::Refused("invalid_grant".into()));
    released(story.answered(Outcome::Accepted), exchange)
        .delivers()
        .rest()
        .epilogue()
        .fails("RACE-01", "while one with refresh#1 was in flight");
}

#[test]
fn a_refresh_that_is_held_to_the_end_is_in_flight_all_the_time() {
    let story = held().after(9_000).trigger().mark("offence").token_request(
        "refresh_token",
        Some("refresh#1"),
        BASIC,
        Answer::Refused("invalid_grant".into()),
    );
    story.answered(Outcome::Accepted).fails("RACE-01", "a second refresh began");
}

#[test]
fn a_refresh_that_begins_after_the_answer_was_written_is_none_in_flight() {
    // The second one's first byte came after the first one's reply was written, though before reading was seen.
    let story = Story::connected().rejected().trigger().api(401).token_asked();
    let first = story.exchange();
    let story = story.token_decided("refresh_token", Some("refresh#1"), BASIC, &pair(2));
    let reply = crate::evidence::Reply::Tokens { access: "access#2".into(), refresh: Some("refresh#2".into()), expires_in: None };
    let story = story.event(What::Replied { exchange: first, status: 200, reply });
    let story = story.token_request("refresh_token", Some("refresh#1"), BASIC, Answer::Refused("invalid_grant".into()));
    let story = story.event(What::Read { exchange: first }).answered(Outcome::Accepted).rest();
    story.is_not_accused(&["RACE-01"]);
}

#[test]
fn what_began_before_the_first_was_answered_fails_even_if_it_arrived_later() {
    let story = Story::connected().rejected().trigger().api(401).refreshes().after(5).token_asked().with(|s| {
        let replied = s.history.events.iter().rfind(|e| matches!(e.what, What::Replied { .. })).map_or(0, |e| e.at);
        if let Some(What::Requested { began, .. }) = s.history.events.last_mut().map(|e| &mut e.what) {
            *began = replied - 200;
        }
    });
    let refused = Answer::Refused("invalid_grant".into());
    let story =
        story.token_decided("refresh_token", Some("refresh#1"), BASIC, &refused).token_answered(refused).answered(Outcome::Accepted);
    story.rest().fails("RACE-01", "a second refresh began");
}

#[test]
fn a_new_attempt_after_hanging_up_or_a_kill_is_no_race() {
    let begun = || {
        let story = Story::connected().rejected().trigger().api(401).token_asked();
        let exchange = story.exchange();
        (story.token_decided("refresh_token", Some("refresh#1"), BASIC, &Answer::Dropped), exchange)
    };
    let (story, first) = begun();
    let story = story.after(5_000).refreshes().event(What::Aborted { exchange: first, by_subject: true }).delivers();
    story.answered(Outcome::Accepted).rest().is_not_accused(&["RACE-01"]);
    let (story, first) = begun();
    let story = story.killed().started().trigger().refreshes().event(What::Aborted { exchange: first, by_subject: true }).delivers();
    story.answered(Outcome::Accepted).rest().is_not_accused(&["RACE-01"]);
    let (story, first) = begun();
    let late = story.after(1_000).refreshes().after(2_000).event(What::Aborted { exchange: first, by_subject: true });
    late.answered(Outcome::Accepted).rest().fails("RACE-01", "a second refresh began");
}

#[test]
fn refreshes_of_two_grants_are_no_race() {
    let (story, exchange) = waiting(3);
    let story = story.trigger().token_request("refresh_token", Some("refresh#7"), BASIC, pair(8)).with(|s| {
        for event in &mut s.history.events {
            if let What::Token { presented: Some(p), .. } = &mut event.what
                && p.token.as_deref() == Some("refresh#7")
            {
                p.grant = Some(7);
            }
        }
    });
    released(story.answered(Outcome::Accepted), exchange).delivers().rest().epilogue().passes("RACE-01");
}

#[test]
fn fewer_than_three_triggers_or_no_hold_decide_nothing() {
    for id in ["RACE-01", "RACE-03"] {
        let (story, exchange) = waiting(2);
        released(story, exchange).delivers().rest().epilogue().undecided(id, "2 triggers were delivered while a refresh was held");
        Story::honest().undecided(id, "no refresh was held");
    }
    let (story, _) = waiting(4);
    story.rest().undecided("RACE-03", "never let go");
    let (story, exchange) = waiting(4);
    let dropped = story.events([What::Released { exchange, dropped: true }, What::Aborted { exchange, by_subject: false }]);
    dropped.rest().epilogue().undecided("RACE-03", "did not succeed");
}

#[test]
fn waiters_that_hang_fail() {
    let (story, exchange) = waiting(3);
    let story = released(story.mark("offence").trigger(), exchange).delivers().answered(Outcome::NoAnswer).rest();
    story.works().works().rest().epilogue().fails("RACE-03", "was never answered");
}

#[test]
fn waiters_that_never_go_on_fail_and_those_who_go_on_at_their_next_turn_pass() {
    let (story, exchange) = waiting(4);
    let stuck = released(story, exchange).rest().asked_in_vain(2).rest();
    stuck.fails("RACE-03", "nothing went on with the new token");
    let (story, exchange) = waiting(4);
    released(story, exchange).rest().asked_in_vain(1).rest().undecided("RACE-03", "fewer than twice");
    let (story, exchange) = waiting(4);
    let later = released(story, exchange).rest().works().works().rest().epilogue();
    later.passes("RACE-03");
    let finding = later.terms(|t| t.work = None).undecided("RACE-03", "did not go on at once");
    assert_eq!(finding.unlock.as_deref(), Some("work.kind"));
}

#[test]
fn whoever_comes_or_goes_while_a_refresh_is_held_changes_what_the_waiters_may_go_on_with() {
    let befalls: [fn(Story) -> Story; 4] = [
        |story| story.with(|s| s.pair = 2).connects(),
        |story| story.disconnects().answered(Outcome::Accepted),
        Story::revoked,
        |story| story.event(What::SecretRotated { secret: "secret#2".into(), odd: false }),
    ];
    for befalls in befalls {
        let (story, exchange) = waiting(4);
        let idle = released(befalls(story), exchange).rest().asked_in_vain(2).rest();
        idle.undecided("RACE-03", "while the refresh was held the user came or went");
    }
}

#[test]
fn who_refreshes_once_more_and_goes_on_with_that_has_gone_on() {
    let (story, exchange) = waiting(4);
    let again = released(story, exchange).refreshes().delivers().rest().works().works().rest().epilogue();
    again.passes("RACE-03");
}

#[test]
fn work_that_met_the_refresh_and_is_never_delivered_fails() {
    let drop_unit = |story: Story, unit: &str| {
        story.with(|s| {
            for event in &mut s.history.events {
                if let What::Api { delivered, .. } = &mut event.what {
                    delivered.retain(|id| id != unit);
                }
            }
        })
    };
    drop_unit(honest(), "unit-2").fails("RACE-03", "1 units of accepted work that met a refresh in flight were lost, unit-2");
    drop_unit(honest(), "unit-1").passes("RACE-03");
    let (story, exchange) = waiting(4);
    let cut = drop_unit(released(story, exchange).delivers().rest(), "unit-2");
    cut.undecided("RACE-03", "unless there was too little time");
    drop_unit(honest(), "unit-2").terms(|t| t.work = Some(WorkKind::Push)).passes("RACE-03");
}

/// Each trigger carries a unit, `u1` and so on; that of the last one which waited never arrives, and the subject says this of it.
fn one_missing(done: bool, says: &str) -> Story {
    let (story, exchange) = waiting(4);
    let units = ["u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "u10", "u11"].map(String::from);
    let story = released(story, exchange).delivers().rest().works().works().rest();
    let mut calls = Vec::new();
    let story = story.with(|s| {
        s.terms.work = Some(WorkKind::Push);
        let mut names = units.iter();
        for event in &mut s.history.events {
            if let What::VerbCalled { call, item, verb: Verb::Trigger, .. } = &mut event.what {
                *item = names.next().cloned();
                calls.push((*call, item.clone().expect("a name")));
            }
        }
    });
    let held = story.history.events.iter().position(|event| matches!(event.what, What::Released { .. })).expect("let go");
    let before =
        |call: u32| story.history.events[..held].iter().any(|event| matches!(event.what, What::VerbCalled { call: it, .. } if it == call));
    let missing = calls.iter().rfind(|(call, _)| before(*call)).cloned().expect("one that waited");
    let arrived: Vec<String> = calls.iter().map(|(_, unit)| unit.clone()).filter(|unit| *unit != missing.1).collect();
    let polled = |call, done, says: &str| What::JobPolled { call, done, status: Some(200), polls: 1, says: (!done).then(|| says.into()) };
    let first = calls[0].0;
    let story = story.reports(&arrived).events([polled(first, false, "waiting"), polled(first, true, ""), polled(missing.0, done, says)]);
    story.rest().epilogue()
}

#[test]
fn work_that_met_the_refresh_is_lost_if_the_subject_calls_it_done_and_not_while_it_waits() {
    one_missing(true, "").fails("RACE-03", "the subject said that it was done, but it was never delivered");
    one_missing(false, "waiting").undecided("RACE-03", "still to be done, says the subject");
    one_missing(false, "failed").fails("RACE-03", "were lost");
}

#[test]
fn an_old_token_used_by_a_waiter_first_is_not_the_end_of_it() {
    let (story, exchange) = waiting(4);
    let story = released(story, exchange).calls_api(Some("access#1"), TokenState::Superseded, 401).delivers().rest();
    story.works().works().rest().epilogue().passes("RACE-03");
}

mod apart;
mod caller;
mod killed;
mod overtaken;
mod paused;
mod processes;
mod sibling;
mod waiters;

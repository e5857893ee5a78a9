//! REFRESH on hand-written histories.

use regrant_mock_server::{
    authority::TokenState,
    journal::{AuthStyle, Carried},
};

use crate::{
    evidence::{Outcome, What},
    judge::testing::*,
};

fn rejected() -> Story {
    Story::connected().rejected().trigger().api(401)
}

/// Two refreshes, each used at once.
fn twice() -> Story {
    let once = |story: Story| story.rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest().works().rest();
    once(once(Story::connected()))
}

fn end(story: Story) -> Story {
    story.answered(Outcome::Accepted).rest().epilogue()
}

/// A refresh with this client authentication.
fn styled(auth: AuthStyle) -> Story {
    end(rejected().with(|s| s.pair += 1).mark("offence").token_request(
        "refresh_token",
        Some("refresh#1"),
        auth,
        Answer::Tokens("access#2".into(), Some("refresh#2".into())),
    ))
}

fn typed(content: Option<&'static str>, grant: Option<&'static str>) -> Story {
    twice().epilogue().with(|s| {
        let refreshes: Vec<u64> = s
            .history
            .events
            .iter_mut()
            .filter_map(|e| match &mut e.what {
                What::Token { exchange, grant_type, .. } if grant_type.as_deref() == Some("refresh_token") => {
                    *grant_type = grant.map(str::to_owned);
                    Some(*exchange)
                }
                _ => None,
            })
            .collect();
        for event in &mut s.history.events {
            if let What::Requested { exchange, content_type, .. } = &mut event.what
                && refreshes.contains(exchange)
            {
                *content_type = content.map(str::to_owned);
            }
        }
    })
}

#[test]
fn an_honest_story_passes() {
    let story = twice().epilogue();
    for id in ["REFRESH-01", "REFRESH-02", "REFRESH-08"] {
        story.passes(id);
    }
    Story::connected().undecided("REFRESH-01", "no refresh was seen");
}

#[test]
fn a_refresh_in_another_form_fails() {
    let form = "application/x-www-form-urlencoded";
    typed(Some("application/x-www-form-urlencoded"), Some("refresh_token")).passes("REFRESH-01");
    typed(Some("Application/X-WWW-Form-Urlencoded"), Some("refresh_token")).passes("REFRESH-01");
    typed(Some("application/json"), None).fails("REFRESH-01", "its content type is application/json");
    typed(Some("application/json"), Some("refresh_token")).fails("REFRESH-01", "its content type is application/json");
    typed(None, Some("refresh_token")).fails("REFRESH-01", "its content type is absent");
    typed(Some(form), None).fails("REFRESH-01", "its grant_type is absent");
    // Another grant type is another way in, not a refresh.
    typed(Some(form), Some("client_credentials")).undecided("REFRESH-01", "no refresh was seen");
}

#[test]
fn the_secret_must_come_in_one_way() {
    for auth in [AuthStyle::Basic, AuthStyle::BasicRaw, AuthStyle::Body] {
        styled(auth).passes("REFRESH-01");
    }
    styled(AuthStyle::Both).fails("REFRESH-01", "two methods at once");
    styled(AuthStyle::Malformed).fails("REFRESH-01", "not readable");
    styled(AuthStyle::None).fails("REFRESH-01", "does not send the client's secret");
    styled(AuthStyle::None).terms(|t| t.confidential = Some(false)).passes("REFRESH-01");
}

#[test]
fn an_old_token_fails_only_where_the_same_process_had_long_read_the_newer_one() {
    let old = || twice().rejected().trigger().mark("offence").refuses("refresh#2", "invalid_grant");
    end(old()).fails("REFRESH-01", "it presents refresh#2, but the subject had long read refresh#3");
    let made_up = twice().rejected().trigger().refuses("refresh#9", "invalid_grant").with(|s| {
        for event in &mut s.history.events {
            if let What::Token { presented: Some(p), .. } = &mut event.what
                && p.token.as_deref() == Some("refresh#9")
            {
                p.token = None;
            }
        }
    });
    end(made_up).fails("REFRESH-01", "no refresh token that was ever issued");
    let race = rejected().refreshes().refuses("refresh#1", "invalid_grant").delivers();
    end(race).passes("REFRESH-01");
    let restarted = twice().killed().started().rejected().trigger().refuses("refresh#2", "invalid_grant");
    end(restarted).passes("REFRESH-01");
    let refused_before =
        Story::connected().dies().asked_in_vain(2).rest().connects().works().rest().trigger().refuses("refresh#1", "invalid_grant");
    end(refused_before).passes("REFRESH-01");
}

#[test]
fn where_an_answer_carries_no_refresh_token_the_old_one_is_current() {
    let keep = |story: Story, access: &str| {
        story.token_request("refresh_token", Some("refresh#1"), AuthStyle::Basic, Answer::Tokens(access.into(), None))
    };
    let story = keep(rejected(), "access#2").calls_api(Some("access#2"), TokenState::Active, 200).answered(Outcome::Accepted).rest();
    let story = keep(story.rejected().trigger(), "access#3").calls_api(Some("access#3"), TokenState::Active, 200);
    let story = story.answered(Outcome::Accepted).rest();
    story.passes("REFRESH-01");
    story.passes("REFRESH-02");
}

#[test]
fn a_token_that_came_with_a_reply_thought_lost_is_not_stale() {
    // The reply was cut, and the subject had read enough of it.
    let story = rejected().token_asked().with(|s| s.pair = 2);
    let exchange = story.exchange();
    let issued = Answer::Tokens("access#2".into(), Some("refresh#2".into()));
    let story = story.token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, &issued);
    let story = story.event(What::Aborted { exchange, by_subject: false }).delivers().answered(Outcome::Accepted).rest();
    end(story.rejected().trigger().api(401).refreshes().delivers()).passes("REFRESH-01");
}

#[test]
fn half_a_replacement_fails() {
    let old_access = || rejected().refreshes().delivers().answered(Outcome::Accepted).rest();
    let calls = old_access().trigger().mark("offence").calls_api(Some("access#1"), TokenState::Superseded, 401);
    end(calls).fails("REFRESH-02", "access#1 was used long after the refresh had given access#2");
    let refreshes = old_access().rejected().trigger().mark("offence").refuses("refresh#1", "invalid_grant");
    end(refreshes).fails("REFRESH-02", "refresh#1 was presented although the refresh before had given refresh#2");
    // Under lenient rotation the old one even works.
    let lenient = old_access().rejected().trigger().mark("offence").token_request(
        "refresh_token",
        Some("refresh#1"),
        AuthStyle::Basic,
        Answer::Tokens("access#3".into(), Some("refresh#3".into())),
    );
    end(lenient).fails("REFRESH-02", "refresh#1 was presented");
}

#[test]
fn what_was_under_way_or_lost_with_a_process_is_no_half_replacement() {
    let parallel = rejected().refreshes().calls_api(Some("access#1"), TokenState::Superseded, 401).delivers();
    end(parallel).is_not_accused(&["REFRESH-02"]);
    let killed = rejected().refreshes().delivers().answered(Outcome::Accepted).rest().killed().started();
    let killed = killed.trigger().calls_api(Some("access#1"), TokenState::Superseded, 401);
    end(killed).is_not_accused(&["REFRESH-02"]);
    end(rejected().refreshes().delivers()).undecided("REFRESH-02", "1 refreshes succeeded and 1 of the new access tokens were used");
}

/// Refreshed, used, killed, started again, asked for work with a rejected token.
fn killed() -> Story {
    rejected().refreshes().delivers().killed().answered(Outcome::NoAnswer).started().rejected().trigger()
}

#[test]
fn going_on_with_the_newest_token_after_a_kill_passes() {
    end(killed().api(401).refreshes().delivers()).passes("REFRESH-03");
}

#[test]
fn falling_back_behind_a_kill_fails() {
    let older = killed().mark("offence").refuses("refresh#1", "invalid_grant");
    end(older).fails(
        "REFRESH-03",
        "after the kill it presented refresh#1; it had relied on access#2, and its newest refresh token was refresh#2",
    );
    let access = killed().mark("offence").calls_api(Some("access#1"), TokenState::Superseded, 401);
    end(access).fails("REFRESH-03", "went back to access#1");
    let empty = killed().answered(Outcome::Accepted).trigger();
    end(empty).fails("REFRESH-03", "it has no tokens left");
}

#[test]
fn a_one_shot_program_starts_anew_with_the_next_piece_of_work() {
    let one_shot = || {
        let killed = What::ProcessStopping { incarnation: 0, kill: true };
        let story = rejected().refreshes().delivers().event(killed).answered(Outcome::NoAnswer).terms(|t| t.one_shot = true);
        story.rejected().trigger()
    };
    end(one_shot().api(401).refreshes().delivers()).passes("REFRESH-03");
    let older = one_shot().mark("offence").refuses("refresh#1", "invalid_grant");
    end(older).fails("REFRESH-03", "after the kill it presented refresh#1");
}

#[test]
fn a_kill_that_fell_elsewhere_decides_nothing() {
    end(twice().trigger()).undecided("REFRESH-03", "was not killed");
    let early = rejected().killed().answered(Outcome::NoAnswer).started().trigger();
    end(early).undecided("REFRESH-03", "no refresh succeeded before the kill");
    let unused = rejected().refreshes().killed().answered(Outcome::NoAnswer).started().trigger();
    end(unused).undecided("REFRESH-03", "before it used the new token");
    let dead = rejected().refreshes().delivers().killed().answered(Outcome::NoAnswer);
    dead.undecided("REFRESH-03", "was not started again");
    let needless = rejected().refreshes().delivers().killed().answered(Outcome::NoAnswer).started().works().works();
    needless.rest().undecided("REFRESH-03", "no refresh was needed");
    // What was given up in good order before the kill need not be there after it.
    let over = rejected().refreshes().delivers().rejected().api(401).refused("invalid_grant").rest().killed().started();
    end(over.trigger().answered(Outcome::Accepted).trigger()).undecided("REFRESH-03", "a further refresh did not succeed before the kill");
    let left = rejected().refreshes().delivers().rest().disconnects().rest().killed().started();
    end(left.trigger().answered(Outcome::Accepted).trigger()).undecided("REFRESH-03", "the user connected or disconnected");
}

#[test]
fn a_token_that_is_carried_otherwise_fails() {
    let carried = |how: Carried| {
        twice().epilogue().with(|s| {
            let last = s.history.events.iter_mut().rfind(|e| matches!(e.what, What::Api { .. })).expect("a call");
            if let What::Api { carried, .. } = &mut last.what {
                *carried = how;
            }
        })
    };
    carried(Carried::Elsewhere).fails("REFRESH-08", "in the query or in the body");
    carried(Carried::OtherScheme).fails("REFRESH-08", "under another scheme");
    carried(Carried::Bearer).passes("REFRESH-08");
    let without = Story::connected().calls_api(None, TokenState::Unknown, 401);
    without.passes("REFRESH-08");
    Story::new().began().started().undecided("REFRESH-08", "no API request carried a token");
}

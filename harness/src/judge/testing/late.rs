//! Answers that come late, and two logins at once; two calls side by side.

use regrant_mock_server::{
    authority::{Cause, TokenState},
    journal::{AuthStyle, Carried, Endpoint},
};

use super::{Answer, Story};
use crate::evidence::{Outcome, Presentation, Reply, What};

/// The pair that a held refresh brings.
pub(crate) fn held_pair() -> Answer {
    Answer::Tokens("access#2".into(), Some("refresh#2".into()))
}

/// After the turmoil: the work is asked for and done, the subject is restarted, and it is done again.
pub(crate) fn works_now_and_after_a_restart(story: Story) -> Story {
    story.adds_work(1).works().works().rest().restarted().adds_work(1).works().works().rest().epilogue()
}

/// The answer to the first refresh is held; its number is given.
pub(crate) fn answer_held(answer: &Answer) -> (Story, u64) {
    let story = Story::connected().adds_work(1).rejected().trigger().answered(Outcome::Accepted).api(401).token_asked();
    let exchange = story.exchange();
    let story = story.token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, answer);
    (story.event(What::Held { exchange, gate: "late".into() }), exchange)
}

/// It is let go, and read.
pub(crate) fn comes_late(story: Story, exchange: u64, answer: &Answer) -> Story {
    let (status, reply) = match answer {
        Answer::Tokens(access, refresh) => (200, Reply::Tokens { access: access.clone(), refresh: refresh.clone(), expires_in: Some(900) }),
        Answer::Refused(error) => (400, Reply::Final { error: error.clone(), description: None }),
        Answer::Unavailable | Answer::Dropped | Answer::Unusable => (503, Reply::Transient),
    };
    let told = match answer {
        Answer::Tokens(..) => "2026-01-01T10:00:02Z INFO the access token was refreshed",
        Answer::Refused(_) | Answer::Unavailable | Answer::Dropped | Answer::Unusable => "2026-01-01T10:00:02Z WARN token refresh failed",
    };
    story
        .events([What::Released { exchange, dropped: false }, What::Replied { exchange, status, reply }, What::Read { exchange }])
        .log(told)
}

/// The user reconnects while the answer is held; then it comes.
pub(crate) fn reconnected_first(answer: &Answer) -> Story {
    let (story, exchange) = answer_held(answer);
    // The pair that is held has the number 2, if it is one.
    let story = story.with(|s| s.pair = 2).connects().settled();
    comes_late(story, exchange, answer).rest()
}

/// The grant is revoked while a success is held; the tokens that come prove dead.
pub(crate) fn dead_on_arrival() -> Story {
    let (story, exchange) = answer_held(&held_pair());
    let story = comes_late(story.revoked(), exchange, &held_pair()).with(|s| s.pair = 2);
    story.calls_api(Some("access#2"), TokenState::Revoked(Cause::User), 401)
}

/// One callback is delivered twice; then two logins come back at once, and both are exchanged.
pub(crate) fn doubled() -> Story {
    let story = Story::connected().sets_out().authorizes();
    let (call, code) = (story.call(), Some("code#2".to_owned()));
    let story =
        story.event(What::CallbackDelivered { call, forged: false, status: None, code }).exchanges().arrives().rest().works().rest();
    two_tabs(story)
}

/// Two logins at once: the second one's callback comes before the first one's is answered.
pub(crate) fn two_tabs(story: Story) -> Story {
    let story = story.sets_out();
    let first = story.call();
    let story = story.sets_out().authorizes().with(|s| {
        // The first one's callback came as well, for a login of its own.
        if let Some(What::CallbackDelivered { call, .. }) = s.history.events.last_mut().map(|e| &mut e.what) {
            *call = first;
        }
    });
    let story = story.exchanges().authorizes().exchanges().arrives();
    story.event(What::VerbAnswered { call: first, outcome: Outcome::Accepted, status: Some(302), detail: String::new() }).rest()
}

/// A call of the API arrives and is held; its number is given.
pub(crate) fn call_held(mut story: Story) -> (Story, u64) {
    story.exchange += 1;
    let exchange = story.exchange;
    let story = story.requested(Endpoint::Api, "GET", "/v3/export-jobs", false);
    (story.event(What::Held { exchange, gate: "calls".into() }), exchange)
}

/// It is let go, and answered with a status.
pub(crate) fn call_let_go(story: Story, exchange: u64, token: &str, status: u16) -> Story {
    let state = if status == 401 { TokenState::Rejected } else { TokenState::Active };
    let presented = Some(Presentation { token: Some(token.into()), grant: Some(story.grant), state });
    story.events([
        What::Released { exchange, dropped: false },
        What::Api { exchange, presented, carried: Carried::Bearer, status, handed_out: Vec::new(), delivered: Vec::new() },
        What::Replied { exchange, status, reply: Reply::Plain },
        What::Read { exchange },
    ])
}

/// Work is asked for twice at once, and two calls are held side by side; the number of each is given.
pub(crate) fn two_calls_held() -> (Story, u64, u64) {
    let asked = |story: Story| story.trigger().answered(Outcome::Accepted);
    let (story, first) = call_held(asked(asked(Story::connected().adds_work(1).rejected())));
    let (story, second) = call_held(story);
    (story.settled(), first, second)
}

/// The first one met 401, a refresh followed, and its work was done; there is new work, and the second call is still held.
pub(crate) fn sibling_refreshed() -> (Story, u64) {
    let (story, first, second) = two_calls_held();
    (call_let_go(story, first, "access#1", 401).refreshes().delivers().settled().adds_work(1), second)
}

/// The second call's 401 comes now.
pub(crate) fn denied_late() -> Story {
    let (story, second) = sibling_refreshed();
    call_let_go(story, second, "access#1", 401)
}

/// Work is asked for and done, until the end.
pub(crate) fn goes_on(story: Story) -> Story {
    story.works().works().rest().adds_work(1).works().works().rest().epilogue()
}

/// Work is asked for twice, and whoever asked second waits for the answer until the second call's 401 has come; the number of the trigger is given.
pub(crate) fn waits_for_the_answer(new_work: u32) -> (Story, u32) {
    let story = Story::connected().adds_work(1).rejected().trigger().answered(Outcome::Accepted).trigger();
    let call = story.call();
    let (story, first) = call_held(story);
    let (story, second) = call_held(story);
    let story = call_let_go(story.settled(), first, "access#1", 401).refreshes().delivers().settled();
    (call_let_go(story.adds_work(new_work), second, "access#1", 401), call)
}

/// A trigger is refused with this status.
pub(crate) fn told(story: Story, call: u32, status: i32) -> Story {
    story.event(What::VerbAnswered { call, outcome: Outcome::Refused, status: Some(status), detail: String::new() })
}

/// Nobody repeats the call, and whoever asked hears of an error.
pub(crate) fn refused_for_a_late_denial() -> Story {
    let (story, call) = waits_for_the_answer(1);
    goes_on(told(story, call, 502).rest())
}

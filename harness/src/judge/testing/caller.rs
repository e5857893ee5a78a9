//! Whoever asked for work hangs up during the refresh that it set off.

use regrant_mock_server::journal::AuthStyle;

use super::{Answer, Story};
use crate::evidence::*;

/// A refresh whose caller waits, and which is kept over a restart.
pub(crate) fn kept_over_a_restart() -> Story {
    refreshed(Story::connected()).restarted().works().rest()
}

/// Asked, it refreshes and works.
pub(crate) fn refreshed(story: Story) -> Story {
    story.adds_work(1).rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest()
}

/// Asked for work, it refreshes, which is held; its number is given.
pub(crate) fn held_for_a_caller(story: Story) -> (Story, u64) {
    let story = story.adds_work(1).rejected().trigger().api(401).token_asked();
    let exchange = story.exchange();
    let spent = story.newest().1;
    let pair = next(&story);
    let story = story.token_decided("refresh_token", Some(&spent), AuthStyle::Basic, &Answer::Tokens(pair.0, Some(pair.1)));
    (story.event(What::Held { exchange, gate: "first".into() }), exchange)
}

/// Its caller hangs up; it is let go, and read.
pub(crate) fn hung_up_and_let_go(story: Story) -> Story {
    let (story, exchange) = held_for_a_caller(story);
    let (access, refresh) = next(&story);
    let mut story = story.answered(Outcome::HungUp).rest();
    story.pair += 1;
    let reply = Reply::Tokens { access, refresh: Some(refresh), expires_in: Some(900) };
    story
        .stores_pair()
        .events([What::Released { exchange, dropped: false }, What::Replied { exchange, status: 200, reply }, What::Read { exchange }])
        .log("2026-01-01T10:00:00Z INFO the access token was refreshed")
}

fn next(story: &Story) -> (String, String) {
    let pair = story.pair + 1;
    (format!("access#{pair}"), format!("refresh#{pair}"))
}

/// An upright one works on, and after a restart with what it kept.
pub(crate) fn hangs_up() -> Story {
    let story = refreshed(hung_up_and_let_go(kept_over_a_restart()).delivers().rest());
    let story = hung_up_and_let_go(story).delivers().rest().restarted();
    refreshed(story).works().rest().epilogue()
}

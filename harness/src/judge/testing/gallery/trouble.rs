//! Stories of a token endpoint in trouble: replies that are lost, late, never come, or lead astray.

use regrant_mock_server::journal::AuthStyle;

use super::{Answer, Story};
use crate::evidence::*;

/// Honest stories.
pub(super) fn honest() -> Vec<Story> {
    vec![
        ended(lost().after(100).refuses("refresh#1", "invalid_grant").gives_up()),
        waits(3_100),
        hung(8_000),
        led_astray(&[]),
        steady(7_200, |story| story),
        runs_out(false),
    ]
}

/// Stories that each break one requirement.
pub(super) fn faulty() -> Vec<(&'static str, Story)> {
    let loops = (0..24).fold(lost(), |story, _| story.after(5).refuses("refresh#1", "invalid_grant"));
    vec![
        ("RETRY-07", ended(loops)),
        ("RETRY-03", waits(500)),
        ("RETRY-05", hung(20_000)),
        ("RETRY-06", led_astray(&["refresh#1"])),
        ("REFRESH-04", runs_out(true)),
        ("REFRESH-09", steady(7_200, Story::refreshes)),
        ("REFRESH-10", steady(7_200, Story::introspects)),
        (
            "REFRESH-12",
            ended(asked().refused("invalid_grant").token_request(
                "refresh_token",
                Some("refresh#1"),
                AuthStyle::Body,
                Answer::Refused("invalid_grant".into()),
            )),
        ),
        ("REFRESH-13", Story::connected().restarted().asked_in_vain(2).rest()),
    ]
}

fn asked() -> Story {
    Story::connected().adds_work(1).rejected().trigger().api(401)
}

fn ended(story: Story) -> Story {
    story.answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue()
}

fn goes_on(story: Story) -> Story {
    story.refreshes().delivers().answered(Outcome::Accepted).rest().works().rest()
}

/// The pair was issued, and the reply never came.
fn lost() -> Story {
    let story = asked().token_asked();
    let exchange = story.exchange();
    let issued = Answer::Tokens("access#2".into(), Some("refresh#2".into()));
    story
        .token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, &issued)
        .event(What::Faulted { rule: Some(1), exchange, fate: "drop".into(), committed: true })
        .event(What::Aborted { exchange, by_subject: false })
}

/// Asked to wait three seconds, it comes back after so many milliseconds.
fn waits(ms: u64) -> Story {
    let story = asked().token_asked();
    let exchange = story.exchange();
    let story = story
        .token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, &Answer::Unavailable)
        .event(What::AskedToWait { exchange, wait: 3_000_000, by_date: false })
        .event(What::Replied { exchange, status: 503, reply: Reply::Transient })
        .event(What::Read { exchange });
    goes_on(story.after(ms))
}

/// A refresh hangs and is given up after so many milliseconds; eight seconds are declared.
fn hung(ms: u64) -> Story {
    let story = asked().token_asked();
    let exchange = story.exchange();
    let story = story
        .event(What::Faulted { rule: Some(1), exchange, fate: "hang".into(), committed: false })
        .after(ms)
        .token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, &Answer::Dropped)
        .event(What::Aborted { exchange, by_subject: true });
    goes_on(story).terms(|t| t.token_timeout = Some(8_000_000))
}

/// A refresh is redirected, and these secrets arrive there.
fn led_astray(carried: &[&str]) -> Story {
    let story = asked().token_asked();
    let exchange = story.exchange();
    let story = story
        .token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, &Answer::Unavailable)
        .event(What::Faulted { rule: Some(1), exchange, fate: "redirect 307".into(), committed: false })
        .event(What::Replied { exchange, status: 307, reply: Reply::Open { error: None } })
        .event(What::Read { exchange })
        .event(What::CameElsewhere { method: "POST".into(), carried: carried.iter().map(|name| (*name).to_owned()).collect() })
        .log("2026-01-01T10:00:01Z WARN token refresh failed: the token endpoint answered 307");
    goes_on(story.answered(Outcome::Accepted).rest().trigger())
}

/// Work with tokens that live so many seconds, across a restart; `before` is what precedes each piece of work.
fn steady(seconds: u64, before: impl Fn(Story) -> Story) -> Story {
    let work = |story: Story| before(story.trigger()).delivers().answered(Outcome::Accepted).rest();
    let story = (0..3).fold(Story::connected(), |story, _| work(story)).restarted();
    lives((0..3).fold(story, |story, _| work(story)), seconds)
}

/// A token that lives two seconds runs out while nothing is asked for; then work is, with or without a refresh before.
fn runs_out(late: bool) -> Story {
    let story = Story::connected().after(3_500).trigger();
    let story = if late { story.api(401) } else { story };
    lives(story.refreshes().delivers().answered(Outcome::Accepted).rest(), 2)
}

fn lives(story: Story, seconds: u64) -> Story {
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::Replied { reply: Reply::Tokens { expires_in, .. }, .. } = &mut event.what {
                *expires_in = Some(seconds);
            }
        }
    })
}

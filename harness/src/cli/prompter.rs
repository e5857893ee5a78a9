//! A story told to a person who works with `regrant serve`: what the provider does, and what is left to the person.

use std::time::Duration;

use regrant_mock_server::{
    Skew,
    authority::Cause,
    fault::{
        Order,
        scenario::{Act, Await, Release, ReleaseSome, Status, Token},
        script::Told,
    },
    journal::Endpoint,
};

/// What happens, as a line for the person.
pub(super) fn line(told: &Told<'_>) -> String {
    match told {
        Told::Prologue => "You:       connect the integration, and make it work once".into(),
        Told::Awaiting(wait) => format!("Waiting:   until {}", awaited(wait)),
        Told::CameTrue(wait) => format!("           {}", awaited(wait)),
        Told::AwaitingRequest => "Waiting:   until the integration makes a request".into(),
        Told::Did(done) => format!("Provider:  {}", act(done)),
        Told::NewSecret(secret) => format!("You:       the client's new secret is {}; configure it when the story says so", secret.value),
        Told::Left(left) => format!("You:       {}", act(left)),
        Told::End => "The story is told to its end. The provider stays up.".into(),
    }
}

fn awaited(wait: &Await) -> String {
    let what = [
        wait.held.as_ref().map(|gate| format!("{gate} holds {}", requests(wait.count.unwrap_or(1)))),
        wait.request.map(|endpoint| format!("a request came to the {}", part(endpoint))),
        wait.status.map(|status| format!("the integration says that it is {}", state(status))),
        wait.log.as_ref().map(|pattern| format!("the integration logs something like {pattern}")),
        wait.settled.map(|_| "the integration is quiet".to_owned()),
    ];
    what.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

fn act(act: &Act) -> String {
    match act {
        Act::Reconnect(_) => "Connect the integration again".into(),
        Act::Deny(times) => often("Start to connect and deny", times.get()),
        Act::Abandon(times) => often("Start to connect and leave the consent page", times.get()),
        Act::Disconnect(how) => often("Disconnect in the integration", how.times()),
        Act::Revoke(revoke) => format!("The grant is ended by {}", cause(revoke.cause())),
        Act::NeedRefresh(_) => "The API rejects the access token, so that the next call must refresh".into(),
        Act::Expire(Token::Access) => "The access token expires".into(),
        Act::Expire(Token::Refresh) => "The refresh token expires".into(),
        Act::Reject(_) => "The API rejects the access token".into(),
        Act::RotateSecret(rotate) => match rotate.overlap {
            Some(overlap) => format!("The client gets a new secret; the old one works for another {}", span(overlap)),
            None => "The client gets a new secret".into(),
        },
        Act::AddSecret(add) => match add.after {
            Some(after) => format!("The client gets a further secret, which works in {}", span(after)),
            None => "The client gets a further secret".into(),
        },
        Act::RetireSecret(how) => match how.after {
            Some(after) => format!("{} ends in {}", an_old(how.secret.as_deref()), span(after)),
            None => format!("{} ends", an_old(how.secret.as_deref())),
        },
        Act::RevokeSecret(how) => format!("{} is withdrawn", an_old(how.secret.as_deref())),
        Act::SkewApi(how) => match how.skew() {
            Some(Skew::Behind(by)) => format!("The API's clock is behind by {}", span(by)),
            Some(Skew::Ahead(by)) if !by.is_zero() => format!("The API's clock is ahead by {}", span(by)),
            Some(Skew::Ahead(_)) | None => "The API's clock goes like the authorisation server's".into(),
        },
        Act::Advance(by) => format!("The clock moves by {}", span(*by)),
        Act::AddWork(times) => often("Work comes into being", times.get()),
        Act::Release(release) => released(release),
        Act::Drop(gate) => format!("{gate} drops what it holds"),
        Act::Trigger(trigger) if trigger.together => often("Make the integration work, all at once", trigger.times),
        Act::Trigger(trigger) => often("Make the integration work", trigger.times),
        Act::HangUp(_) => "Break off what you asked the integration and wait for".into(),
        Act::Kill(_) => "Kill the integration (kill -9)".into(),
        Act::Pause(_) => "Stop the integration's process (SIGSTOP)".into(),
        Act::Continue(_) => "Let the integration's process go on (SIGCONT)".into(),
        Act::Stop(_) => "Stop the integration".into(),
        Act::Outlive(_) => "Wait until the access token has run out".into(),
        Act::Restart(times) => often("Restart the integration", times.get()),
        Act::Reload(_) => "Give the integration its new client secret".into(),
    }
}

fn released(release: &Release) -> String {
    match release {
        Release::All(gate) | Release::Some(ReleaseSome { gate, order: None | Some(Order::Arrival), nth: None }) => {
            format!("{gate} lets go")
        }
        Release::Some(ReleaseSome { gate, nth: Some(nth), .. }) => format!("{gate} lets number {nth} go"),
        Release::Some(ReleaseSome { gate, order: Some(Order::Reverse), nth: None }) => format!("{gate} lets go, the last first"),
        Release::Some(ReleaseSome { gate, order: Some(Order::Seeded), nth: None }) => {
            format!("{gate} lets go, in an order drawn by the seed")
        }
    }
}

fn an_old(secret: Option<&str>) -> String {
    secret.map_or_else(|| "The oldest client secret".into(), |name| format!("The client's {name}"))
}

fn often(what: &str, times: u32) -> String {
    if times == 1 { what.into() } else { format!("{what}, {times} times") }
}

fn requests(count: usize) -> String {
    if count == 1 { "a request".into() } else { format!("{count} requests") }
}

fn part(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Authorize => "authorise endpoint",
        Endpoint::Token => "token endpoint",
        Endpoint::Introspect => "introspection endpoint",
        Endpoint::Api => "API",
        Endpoint::Unknown => "provider at a path that Pleo does not document",
    }
}

fn state(status: Status) -> &'static str {
    match status {
        Status::Connected => "connected",
        Status::Disconnected => "disconnected",
        Status::Broken => "broken",
    }
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::User => "the user",
        Cause::Security => "a security event",
        Cause::Policy => "a policy",
        Cause::CredentialRotation => "credential rotation",
        Cause::Installation => "the installation was removed",
    }
}

fn span(duration: Duration) -> String {
    if duration.subsec_millis() == 0 { format!("{} s", duration.as_secs()) } else { format!("{} ms", duration.as_millis()) }
}

#[cfg(test)]
mod tests {
    use regrant_mock_server::fault::scenario::Scenario;

    use super::*;

    const STORY: &str = r#"
title = "The user revokes access while a refresh is in flight"
about = "Two things at once."
tests = ["STOP-01"]
[[rule]]
on = { endpoint = "token" }
fate = { hold = "gate-a" }
[[step]]
do = [{ need_refresh = "access" }, { trigger = { times = 3, together = true } }]
[[step]]
await = { held = "gate-a", count = 2 }
do = [{ revoke = "grant" }, { release = "gate-a" }, { advance = "250ms" }, { restart = 1 }]
"#;

    #[test]
    fn a_story_is_told_in_lines_like_these() {
        let story = Scenario::parse(STORY).expect("a valid story");
        let steps = story.steps.iter().flat_map(|step| {
            let wait = step.wait.iter().flat_map(|wait| [Told::Awaiting(wait), Told::CameTrue(wait)]);
            wait.chain(step.acts.iter().map(|act| match act {
                Act::Trigger(_) | Act::Restart(_) => Told::Left(act),
                provided => Told::Did(provided),
            }))
        });
        let told = [Told::Prologue, Told::AwaitingRequest].into_iter().chain(steps).chain([Told::End]);
        insta::assert_snapshot!(told.map(|told| line(&told)).collect::<Vec<_>>().join("\n"));
    }
}

//! A story without the harness: what `regrant serve` takes from it, and what is left to the person.

use std::{fmt::Write, time::Duration};

use regrant_mock_server::{
    authority::{Cause, Dialect, Policy},
    fault::scenario::{Act, Await, ProviderPolicy, Scenario, Status, Step, Token},
    journal::Endpoint,
};

/// The policy of a story.
pub(super) fn policy(told: &ProviderPolicy) -> Policy {
    let mut policy = Policy::default();
    if let Some(lifetime) = told.access_token_lifetime {
        policy.access_lifetime = lifetime;
    }
    if let Some(lifetime) = told.refresh_token_lifetime {
        policy.refresh_lifetime = lifetime;
    }
    if let Some(rotation) = told.rotation {
        policy.rotation = rotation;
    }
    if let Some(refused) = &told.refused_with {
        policy.refused_with = Dialect { error: refused.error.clone(), description: refused.description.clone(), status: refused.status };
    }
    policy
}

/// The story's steps, each with where a person does it.
pub(super) fn instructions(scenario: &Scenario) -> String {
    let mut out = format!("{}\n{}\n\n", scenario.title, scenario.about.trim());
    let rules = match scenario.rules.len() {
        0 => "Its policy is in force.".into(),
        1 => "Its policy and its traffic rule are in force.".into(),
        many => format!("Its policy and its {many} traffic rules are in force."),
    };
    let _ = writeln!(out, "{rules} The steps are left to you, after a first connection:");
    let steps: Vec<String> = scenario.steps.iter().flat_map(lines).collect();
    for (line, number) in steps.iter().zip(1..) {
        let _ = writeln!(out, "  {number}. {line}");
    }
    if steps.is_empty() {
        out += "  (it has none)\n";
    }
    out
}

fn lines(step: &Step) -> Vec<String> {
    step.wait.iter().map(awaited).chain(step.acts.iter().map(act)).collect()
}

fn awaited(wait: &Await) -> String {
    let what = [
        wait.held.as_ref().map(|gate| format!("{gate} holds {}", requests(wait.count.unwrap_or(1)))),
        wait.request.map(|endpoint| format!("a request came to the {}", part(endpoint))),
        wait.status.map(|status| format!("the integration says that it is {}", state(status))),
        wait.log.as_ref().map(|pattern| format!("the integration logs something like {pattern}")),
        wait.settled.map(|_| "the integration is quiet".to_owned()),
    ];
    format!("Wait until {}", what.into_iter().flatten().collect::<Vec<_>>().join(" and "))
}

fn act(act: &Act) -> String {
    const HERE: &str = "At the management address: ";
    match act {
        Act::Reconnect(_) => "Connect the integration again".into(),
        Act::Deny(times) => often("Start to connect and deny", times.get()),
        Act::Abandon(times) => often("Start to connect and leave the consent page", times.get()),
        Act::Disconnect(times) => often("Disconnect in the integration", times.get()),
        Act::Revoke(revoke) => format!("{HERE}end the grant ({})", cause(revoke.cause())),
        Act::NeedRefresh(_) => format!("{HERE}let the API reject the access token, so that the next call must refresh"),
        Act::Expire(Token::Access) => format!("{HERE}let the access token expire"),
        Act::Expire(Token::Refresh) => format!("{HERE}let the refresh token expire"),
        Act::Reject(_) => format!("{HERE}let the API reject the access token"),
        Act::RotateSecret(rotate) => match rotate.overlap {
            Some(overlap) => format!("{HERE}give the client a new secret; the old one works for another {}", span(overlap)),
            None => format!("{HERE}give the client a new secret"),
        },
        Act::Advance(by) => format!("{HERE}move the clock by {}", span(*by)),
        Act::AddWork(times) => format!("{HERE}{}", often("add work", times.get())),
        Act::Release(gate) => format!("{HERE}release {gate}"),
        Act::Drop(gate) => format!("{HERE}drop what {gate} holds"),
        Act::Trigger(trigger) if trigger.together => often("Make the integration work, all at once", trigger.times),
        Act::Trigger(trigger) => often("Make the integration work", trigger.times),
        Act::Kill(times) => often("Kill the integration (kill -9)", times.get()),
        Act::Pause(_) => "Stop the integration's process (SIGSTOP)".into(),
        Act::Continue(_) => "Let the integration's process go on (SIGCONT)".into(),
        Act::Restart(times) => often("Restart the integration", times.get()),
        Act::Reload(_) => "Give the integration its new client secret".into(),
    }
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
    use super::*;

    const STORY: &str = r#"
title = "The user revokes access while a refresh is in flight"
about = "Two things at once."
[provider]
access_token_lifetime = "2s"
refused_with = { status = 401, error = "invalid_token" }
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
    fn steps_are_told_to_a_person() {
        let scenario: Scenario = toml::from_str(STORY).expect("a valid story");
        insta::assert_snapshot!(instructions(&scenario));
    }

    #[test]
    fn the_storys_policy_is_taken_over() {
        let scenario: Scenario = toml::from_str(STORY).expect("a valid story");
        let policy = policy(&scenario.provider);
        assert_eq!(policy.access_lifetime, Duration::from_secs(2));
        assert_eq!((policy.refused_with.status, policy.refused_with.error.as_str()), (401, "invalid_token"));
        assert_eq!(policy.refresh_lifetime, Policy::default().refresh_lifetime);
    }
}

//! Whether one attempt is one request.

use regrant_mock_server::journal::Endpoint;

use super::super::{Finding, Level, Requirement, Scope, Severity, shared::*};
use crate::judge::{Exchange, View};

pub(super) const REFRESH_12: Requirement = Requirement {
    id: "REFRESH-12",
    level: Level::Should,
    severity: Severity::Warning,
    sentence: "sends each attempt once",
    sources: &["Pleo, How to refresh tokens: make refresh safe against retries"],
    why: "Some OAuth libraries do not know how the client authenticates itself, and try: the secret in the header, and after a refusal at once in the body. Every refused refresh token is presented twice, milliseconds apart, which a strict provider takes for a replay.",
    observed: "Whether a token request that got no tokens is followed at once, before anything else, by the same request with another client authentication. A refusal right after a restart shows it best, when nothing is known yet.",
    undecided: "No token request was refused in this story.",
    remedy: "Tell the library which client authentication method to use (in Go: `AuthStyleInHeader`).",
    declarable: true,
    scope: Scope::Subject,
    check: refresh_12,
};

fn refresh_12(view: &View<'_>) -> Finding {
    let own = |x: &&Exchange<'_>| match x.endpoint {
        Endpoint::Token | Endpoint::Api | Endpoint::Introspect => !x.by_agent,
        Endpoint::Authorize | Endpoint::Unknown => false,
    };
    let mut own: Vec<_> = view.exchanges.iter().filter(own).collect();
    own.sort_by_key(|x| (x.began, x.arrived));
    let twin = own.iter().enumerate().find_map(|(place, first)| {
        let next = own[place + 1..].iter().find(|other| !was_under_way(first, other))?;
        (is_twin(first, next) && !asked_between(view, first, next)).then_some((*first, *next))
    });
    if let Some((first, second)) = twin {
        let reason = "a token request that got no tokens was repeated at once with another client authentication";
        return Finding::fail(reason, vec![first.arrived.n, second.arrived.n]);
    }
    if own.iter().any(|x| x.is_obscure() || (x.is_refresh() && x.replied.is_none() && x.aborted.is_none())) {
        return Finding::undecided("what a request carried is not known");
    }
    let refused: Vec<u32> = own.iter().filter(|x| x.is_refresh() && x.answered(4) && x.pair().is_none()).map(|x| x.arrived.n).collect();
    seen(
        refused,
        "a refused refresh was not repeated with another client authentication",
        view.unrealised().unwrap_or("no refresh was refused in this story"),
    )
}

/// A call that another worker had sent before the answer was read has nothing to do with it.
fn was_under_way(first: &Exchange<'_>, other: &Exchange<'_>) -> bool {
    other.is_api() && first.read.is_some_and(|read| other.began < read.at)
}

/// What was asked for, or configured, meanwhile is an attempt of its own.
fn asked_between(view: &View<'_>, first: &Exchange<'_>, second: &Exchange<'_>) -> bool {
    view.stimulus_before(second.began).is_some_and(|stimulus| stimulus > first.arrived)
}

/// The second is the first once more, but for how the client authenticates itself.
fn is_twin(first: &Exchange<'_>, second: &Exchange<'_>) -> bool {
    let (Some(one), Some(other)) = (&first.token, &second.token) else { return false };
    let ended = first.replied.map(|(mark, ..)| mark).or(first.aborted.filter(|(_, by_subject)| !by_subject).map(|(mark, _)| mark));
    let same = one.grant_type == other.grant_type && first.token_name().is_some() && first.token_name() == second.token_name();
    same && first.pair().is_none() && one.auth != other.auth && ended.is_some_and(|mark| second.began >= mark.at)
}

#[cfg(test)]
mod tests {
    use regrant_mock_server::journal::AuthStyle;

    use crate::{evidence::Outcome, judge::testing::*};

    fn refused(story: Story, auth: AuthStyle) -> Story {
        story.token_request("refresh_token", Some("refresh#1"), auth, Answer::Refused("invalid_grant".into()))
    }

    fn asked() -> Story {
        Story::connected().revoked().rejected().trigger().api(401)
    }

    fn ends(story: Story) -> Story {
        story.gives_up().answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue()
    }

    #[test]
    fn one_request_for_each_attempt_passes() {
        ends(refused(asked(), AuthStyle::Basic)).passes("REFRESH-12");
        // A declared second attempt, in the same style.
        ends(refused(refused(asked(), AuthStyle::Body), AuthStyle::Body)).passes("REFRESH-12");
    }

    #[test]
    fn a_second_style_for_the_same_token_fails() {
        for (first, second) in
            [(AuthStyle::Basic, AuthStyle::Body), (AuthStyle::Body, AuthStyle::Basic), (AuthStyle::Basic, AuthStyle::BasicRaw)]
        {
            let story = refused(asked(), first).mark("offence");
            ends(refused(story, second)).fails("REFRESH-12", "repeated at once with another client authentication");
        }
        let lost = asked().faulted(Answer::Dropped);
        ends(refused(lost, AuthStyle::Body)).fails("REFRESH-12", "another client authentication");
    }

    #[test]
    fn a_call_that_was_under_way_does_not_stand_between() {
        use crate::evidence::What;
        let other = refused(asked(), AuthStyle::Basic).api(401).with(|s| {
            let read = s.history.events.iter().rfind(|e| matches!(e.what, What::Token { .. })).map_or(0, |e| e.at);
            if let Some(What::Requested { began, .. }) =
                s.history.events.iter_mut().map(|e| &mut e.what).rfind(|what| matches!(what, What::Requested { .. }))
            {
                *began = read;
            }
        });
        ends(refused(other.mark("offence"), AuthStyle::Body)).fails("REFRESH-12", "repeated at once with another client authentication");
    }

    #[test]
    fn another_style_later_or_for_another_token_is_no_second_attempt() {
        let later = refused(asked(), AuthStyle::Basic).api(401);
        ends(refused(later, AuthStyle::Body)).passes("REFRESH-12");
        let without = |event: &crate::evidence::Event| {
            matches!(event.what, crate::evidence::What::Token { result: crate::evidence::TokenResult::Refused { .. }, .. })
        };
        ends(asked()).without(without).undecided("REFRESH-12", "no refresh was refused");
    }
}

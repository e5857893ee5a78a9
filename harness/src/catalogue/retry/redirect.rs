//! What a redirect of the token endpoint leads to.

use super::super::{Finding, Level, Requirement, Scope, Severity, shared::*};
use crate::{
    evidence::What,
    judge::{Exchange, Mark, View},
};

pub(super) const RETRY_06: Requirement = Requirement {
    id: "RETRY-06",
    level: Level::Should,
    severity: Severity::Warning,
    sentence: "does not carry the refresh token or the client's secret to another origin when the token endpoint redirects, and takes no tokens from there",
    sources: &["RFC 6749 sections 10.3 and 10.4"],
    why: "A captive portal or a wrong rule in a proxy answers with 307. Most HTTP clients follow by themselves, body and all: refresh token and secret end at a stranger's, and the stranger's JSON is stored as tokens.",
    observed: "A refresh is redirected to another origin: what arrives there, byte by byte, and whether anything that was handed out there is used.",
    undecided: "No refresh was redirected, the subject did not read the redirect, or it did not come to rest afterwards.",
    remedy: "Turn redirects off for the client that talks to the token endpoint, and take 3xx as an answer without tokens.",
    declarable: true,
    scope: Scope::Subject,
    check: retry_06,
};

fn retry_06(view: &View<'_>) -> Finding {
    let redirected: Vec<_> =
        view.exchanges.iter().filter(|x| x.is_refresh() && x.fates.iter().any(|fate| fate.starts_with("redirect"))).collect();
    let Some(first) = redirected.first() else { return unrealised(view, "no refresh was redirected in this story") };
    let came: Vec<(Mark, &Vec<String>)> = view
        .events()
        .filter_map(|(mark, what)| match what {
            What::CameElsewhere { carried, .. } => Some((mark, carried)),
            _ => None,
        })
        .collect();
    if let Some((mark, carried)) = came.iter().find(|(_, carried)| !carried.is_empty()) {
        let reason = format!("a redirect carried {} to another origin", carried.join(" and "));
        return Finding::fail(reason, vec![first.arrived.n, mark.n]);
    }
    if let Some((there, _)) = came.first()
        && let Some(x) = taken(view, *there)
    {
        let reason = "it followed the redirect to another origin, and then used a token that Pleo never issued";
        return Finding::fail(reason, vec![first.arrived.n, there.n, x.arrived.n]);
    }
    let Some(read) = redirected.iter().find_map(|x| x.taken()) else {
        return Finding::undecided("the subject did not read the redirect");
    };
    let Some(rest) = view.rest_after(read) else { return Finding::undecided("the subject did not come to rest after the redirect") };
    if view.api_calls(rest.mark, Mark::END).all(|x| !x.answered(2)) {
        return Finding::undecided("the subject was not seen at work after the redirect");
    }
    let reason = if came.is_empty() {
        "it did not follow the redirect"
    } else {
        "it followed the redirect with nothing in its hands, and took nothing"
    };
    Finding::pass(reason, vec![first.arrived.n, read.n, rest.mark.n])
}

/// A request with a token that is not the provider's.
fn taken<'v, 'h>(view: &'v View<'h>, there: Mark) -> Option<&'v Exchange<'h>> {
    view.exchanges.iter().find(|x| (x.is_api() || x.is_refresh()) && x.arrived > there && x.carries_unknown())
}

#[cfg(test)]
mod tests {
    use regrant_mock_server::{authority::TokenState, journal::AuthStyle};

    use crate::{
        evidence::{Outcome, Reply, What},
        judge::testing::*,
    };

    fn redirected() -> Story {
        let story = Story::connected().adds_work(1).rejected().trigger().api(401).token_asked();
        let exchange = story.exchange();
        story
            .token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, &Answer::Unavailable)
            .event(What::Faulted { rule: Some(1), exchange, fate: "redirect 307".into(), committed: false })
            .event(What::Replied { exchange, status: 307, reply: Reply::Open { error: None } })
            .event(What::Read { exchange })
    }

    fn came(story: Story, method: &str, carried: &[&str]) -> Story {
        let carried = carried.iter().map(|name| (*name).to_owned()).collect();
        story.mark("offence").event(What::CameElsewhere { method: method.into(), carried })
    }

    fn goes_on(story: Story) -> Story {
        story.answered(Outcome::Accepted).rest().trigger().refreshes().delivers().answered(Outcome::Accepted).rest()
    }

    #[test]
    fn who_stays_or_comes_with_empty_hands_passes() {
        goes_on(redirected()).passes("RETRY-06");
        goes_on(came(redirected(), "GET", &[])).passes("RETRY-06");
    }

    #[test]
    fn secrets_that_arrive_elsewhere_fail() {
        goes_on(came(redirected(), "POST", &["refresh#1", "secret#1"]))
            .fails("RETRY-06", "carried refresh#1 and secret#1 to another origin");
    }

    #[test]
    fn tokens_that_are_taken_from_there_fail() {
        let story = came(redirected(), "GET", &[]);
        let exchange = story.exchange() + 1;
        let mut story = story.calls_api(Some("access#1"), TokenState::Unknown, 401);
        for event in &mut story.history.events {
            if let What::Api { exchange: own, presented: Some(presented), .. } = &mut event.what
                && *own == exchange
            {
                presented.token = None;
            }
        }
        goes_on(story).fails("RETRY-06", "used a token that Pleo never issued");
    }

    #[test]
    fn each_missing_control_is_named() {
        Story::honest().undecided("RETRY-06", "no refresh was redirected");
        redirected().undecided("RETRY-06", "did not come to rest");
        redirected().answered(Outcome::Accepted).rest().undecided("RETRY-06", "not seen at work");
    }
}

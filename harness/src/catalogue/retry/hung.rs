//! Whether a subject gives a token endpoint that never answers a time limit.

use super::super::{Finding, Level, Requirement, Scope, Severity, shared::*};
use crate::{
    evidence::{Micros, Outcome, What},
    judge::{Exchange, Mark, View},
};

pub(super) const RETRY_05: Requirement = Requirement {
    id: "RETRY-05",
    level: Level::Should,
    severity: Severity::Warning,
    sentence: "gives a hung token endpoint a time limit",
    sources: &["Pleo, Authentication overview: handle transient connection trouble gracefully"],
    why: "Many HTTP clients wait for ever unless they are told otherwise. One refresh that is never answered holds the lock, and all work stands still until somebody restarts the program.",
    observed: "A refresh is accepted and never answered: when the subject ends that request, or sends another one in its place, measured against `features.token_timeout`.",
    undecided: "No refresh hung, or it still hung when the story went on and the manifest does not say how long that may take.",
    remedy: "Set a limit for the whole request, connection and body included, well below what your users wait for.",
    declarable: true,
    scope: Scope::Connection,
    check: retry_05,
};

/// Beyond the declared limit, so long at most until the end of a request is seen; and a tenth of the limit, since it is seldom exact.
const SLACK: Micros = 1_000_000;
/// The end of a program that the harness ended is seen within so long.
const ENDED: Micros = 1_000_000;

fn retry_05(view: &View<'_>) -> Finding {
    let hung = view.exchanges.iter().filter(|x| x.is_refresh() && x.fates.iter().any(|fate| fate.starts_with("hang")));
    worst(hung.map(|x| limited(view, x)).collect()).unwrap_or_else(|| unrealised(view, "no refresh hung in this story"))
}

fn limited(view: &View<'_>, x: &Exchange<'_>) -> Finding {
    let gone = process_ended(view, x);
    let ended = x.aborted.filter(|(mark, by_subject)| *by_subject && *mark < gone).map(|(mark, _)| mark);
    let repeated = view.exchanges.iter().find(|y| y.is_refresh() && y.arrived > x.arrived && y.arrived < gone).map(|y| y.arrived);
    let limit = view.terms.token_timeout;
    let latest = |limit: Micros| x.began + limit + limit / 10 + SLACK;
    let seen_until = view.events().last().map_or(0, |(mark, _)| mark.at).min(gone.at);
    match (ended.into_iter().chain(repeated).min(), limit) {
        (Some(mark), Some(limit)) if mark.at > latest(limit) => {
            let reason = format!("a hung refresh was given up after {} only, and {} are declared", span(mark.at - x.began), span(limit));
            Finding::fail(reason, vec![x.arrived.n, mark.n])
        }
        (Some(mark), _) if ended_by_us(view, x, mark) => {
            Finding::undecided("the harness had enough of waiting for the program before the program had")
        }
        (Some(mark), _) => {
            Finding::pass(format!("a hung refresh was given up after {}", span(mark.at - x.began)), vec![x.arrived.n, mark.n])
        }
        (None, Some(limit)) if seen_until > latest(limit) => {
            let reason =
                format!("a hung refresh was still waited for after {}, and {} are declared", span(seen_until - x.began), span(limit));
            Finding::fail(reason, vec![x.arrived.n])
        }
        (None, Some(_)) => Finding::undecided("the story went on before the declared time was over"),
        (None, None) => Finding::locked(
            format!("a hung refresh was still waited for after {}", span(seen_until.saturating_sub(x.began))),
            "features.token_timeout",
        ),
    }
}

/// When the process that asked was ended, or ended by itself.
fn process_ended(view: &View<'_>, x: &Exchange<'_>) -> Mark {
    let ended = |what: &What| matches!(what, What::ProcessStopping { .. } | What::ProcessExited { .. });
    view.events().find(|(mark, what)| *mark > x.arrived && ended(what)).map_or(Mark::END, |(mark, _)| mark)
}

/// A program that is run for each piece of work is ended by the harness when it takes too long; its requests end with it.
fn ended_by_us(view: &View<'_>, x: &Exchange<'_>, end: Mark) -> bool {
    let unanswered = view.calls.iter().filter(|call| call.called < x.arrived).filter_map(|call| call.answered);
    view.terms.one_shot && unanswered.into_iter().any(|(mark, outcome)| outcome == Outcome::NoAnswer && mark.at.abs_diff(end.at) < ENDED)
}

fn span(micros: Micros) -> String {
    format!("{}.{} s", micros / 1_000_000, micros / 100_000 % 10)
}

#[cfg(test)]
mod tests {
    use crate::{
        evidence::{Outcome, What},
        judge::testing::*,
    };

    fn hangs() -> Story {
        let story = Story::connected().adds_work(1).rejected().trigger().token_asked();
        let exchange = story.exchange();
        story.event(What::Faulted { rule: Some(1), exchange, fate: "hang".into(), committed: false })
    }

    fn given_up(story: Story) -> Story {
        let exchange = story.exchange();
        let basic = regrant_mock_server::journal::AuthStyle::Basic;
        story.token_decided("refresh_token", Some("refresh#1"), basic, &Answer::Dropped).event(What::Aborted { exchange, by_subject: true })
    }

    fn limit(story: Story, seconds: u64) -> Story {
        story.terms(|t| t.token_timeout = Some(seconds * 1_000_000))
    }

    #[test]
    fn a_request_that_is_given_up_in_time_passes() {
        let story = || given_up(hangs().after(8_000)).answered(Outcome::Accepted).rest();
        limit(story(), 8).passes("RETRY-05");
        limit(story(), 30).passes("RETRY-05");
        story().passes("RETRY-05");
        limit(story(), 5).fails("RETRY-05", "was given up after 8.0 s only, and 5.0 s are declared");
    }

    #[test]
    fn a_request_that_is_repeated_in_place_of_being_given_up_passes() {
        let exchange = hangs().exchange();
        let basic = regrant_mock_server::journal::AuthStyle::Basic;
        let decided = given_up(hangs()).history.events.into_iter().rfind(|e| matches!(e.what, What::Token { .. })).map(|e| e.what);
        let story = hangs().after(5_000).refreshes().delivers().answered(Outcome::Accepted).rest().stopped();
        let story = decided.into_iter().fold(story, |story, decided| match decided {
            What::Token { grant_type, auth: _, secret, presented, verifier, result, .. } => {
                story.event(What::Token { exchange, grant_type, auth: basic, secret, presented, verifier, result })
            }
            _ => story,
        });
        limit(story.event(What::Aborted { exchange, by_subject: true }), 8).passes("RETRY-05");
    }

    #[test]
    fn what_only_a_restart_ends_was_not_given_up() {
        let story = |after| given_up(hangs().after(after).stopped());
        limit(story(12_000), 8).fails("RETRY-05", "was still waited for");
        limit(story(7_000), 8).undecided("RETRY-05", "before the declared time was over");
        let finding = story(20_000).undecided("RETRY-05", "was still waited for");
        assert_eq!(finding.unlock.as_deref(), Some("features.token_timeout"));
        Story::honest().undecided("RETRY-05", "no refresh hung");
    }

    #[test]
    fn a_program_that_the_harness_ended_shows_nothing() {
        let story = given_up(hangs().after(14_900)).answered(Outcome::NoAnswer).terms(|t| t.one_shot = true);
        limit(story, 20).undecided("RETRY-05", "the harness had enough");
    }
}

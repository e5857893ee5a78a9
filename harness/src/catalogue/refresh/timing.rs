//! When a subject refreshes: in time, and not all the time.

use super::super::{Finding, Level, Requirement, Scope, Severity, shared::*};
use crate::{
    evidence::Micros,
    judge::{Exchange, Mark, View, control},
};

pub(super) const REFRESH_04: Requirement = Requirement {
    id: "REFRESH-04",
    level: Level::Should,
    severity: Severity::Warning,
    sentence: "refreshes in time by `expires_in`, also right after a restart and in any time zone",
    sources: &[
        "Pleo, Centralised token refresh: watch `expires_in`",
        "Pleo, How to call Pleo APIs using access tokens: avoid calls with a token known to be expired",
    ],
    why: "The end of the token was stored in local time and compared with UTC. On the developer's machine that was the same; two zones to the west every call went out with a dead token.",
    observed: "Access tokens that live two seconds, in several time zones and across a restart: whether a call goes out with a token whose announced life has been over for a second.",
    undecided: "No token with a known life ran out before work was asked for, or no call followed.",
    remedy: "Store the moment at which the token ends as UTC, and compare before each call, with a margin.",
    declarable: true,
    scope: Scope::Connection,
    check: refresh_04,
};

pub(super) const REFRESH_09: Requirement = Requirement {
    id: "REFRESH-09",
    level: Level::Should,
    severity: Severity::Warning,
    sentence: "does not refresh far more often than lifetimes ask for",
    sources: &["Pleo, How to refresh tokens: refresh slightly early"],
    why: "Every refresh replaces both tokens, and each is a chance to lose them: to a crash, a lost reply, a race. An integration that refreshed before every call lost its connection once a week.",
    observed: "Steady work with access tokens that live an hour or more: refreshes that neither the token's age nor an answer of the API called for; one for each start is nobody's business.",
    undecided: "No token with a life of an hour or more was in use, or work was asked for fewer than five times.",
    remedy: "Refresh when the token is about to end or was refused, never because there is work.",
    declarable: true,
    scope: Scope::Connection,
    check: refresh_09,
};

/// A life is told in whole seconds, and a call takes its time.
const SLACK: Micros = 1_000_000;
const SECOND: Micros = 1_000_000;

/// The moment at which a token has certainly ended by what its subject was told.
fn over(view: &View<'_>, token: &str) -> Option<Micros> {
    let from = view.exchanges.iter().find(|x| x.pair().is_some_and(|(access, _)| access == token))?;
    let (replied, ..) = from.replied?;
    Some(replied.at.saturating_add(from.life()?.saturating_mul(SECOND)).saturating_add(SLACK))
}

fn refresh_04(view: &View<'_>) -> Finding {
    let mut seen_in_time = Vec::new();
    for x in view.exchanges.iter().filter(|x| x.pair().is_some()) {
        let Some((access, _)) = x.pair() else { continue };
        let Some(ended) = over(view, access) else { continue };
        let end = Mark { at: ended, n: u32::MAX };
        let calls: Vec<_> = view.api_calls(end, Mark::END).filter(|y| y.token_name() == Some(access)).collect();
        if let Some(late) = control::convicting(view, end, true, calls.iter().copied()).first() {
            let reason = format!("{access} was used {} s after the end of its announced life", (late.began + SLACK - ended) / SECOND);
            return Finding::fail(reason, vec![x.arrived.n, late.arrived.n]);
        }
        if !calls.is_empty() {
            return Finding::undecided(format!(
                "{access} was used once after the end of its announced life, and nobody had asked for anything"
            ));
        }
        // Replaced by its own clock or for the next piece of work: both are in time.
        let next = view.api_calls(end, Mark::END).find(|y| y.answered(2) && y.token_name().is_some());
        seen_in_time.extend(next.into_iter().flat_map(|y| [x.arrived.n, y.arrived.n]));
    }
    if view.exchanges.iter().any(Exchange::is_obscure) {
        return Finding::undecided("what a request carried is not known");
    }
    seen(seen_in_time, "each time a token had ended, it was replaced before the next call", unfulfilled(view))
}

fn unfulfilled<'h>(view: &View<'h>) -> &'h str {
    view.unrealised().unwrap_or("no token with a known life ran out before work was asked for, or no call followed")
}

/// Below that a life says nothing of eagerness.
const LONG: u64 = 3_600;
/// So many beyond what starts entitle to are a habit.
const HABIT: usize = 3;
/// So much work must have been asked for.
const WORK: usize = 5;

fn refresh_09(view: &View<'_>) -> Finding {
    let Some(prologue) = view.prologue_end() else { return unrealised(view, "the story did not begin") };
    let eager: Vec<_> = view.refreshes(prologue, Mark::END).filter(|x| needless(view, x)).collect();
    let starts = if view.terms.one_shot {
        view.triggers(prologue, Mark::END).count()
    } else {
        view.starts().iter().filter(|start| **start > prologue).count()
    };
    if eager.len() >= starts + HABIT {
        let reason = format!("{} refreshes of tokens that live an hour or more, and nothing called for them", eager.len());
        return Finding::fail(reason, eager.iter().take(8).map(|x| x.arrived.n).collect());
    }
    let long = |x: &Exchange<'_>| x.life().is_some_and(|life| life >= LONG);
    let issued = view.exchanges.iter().find(|x| long(x));
    let work: Vec<u32> = view.triggers(START, Mark::END).filter(|call| call.was_answered()).map(|call| call.called.n).collect();
    match issued {
        Some(x) if work.len() >= WORK && view.api_calls(x.arrived, Mark::END).any(|x| x.answered(2)) => Finding::pass(
            format!("{} needless refreshes while work was asked for {} times", eager.len(), work.len()),
            vec![x.arrived.n, work[0]],
        ),
        _ => unrealised(view, "no token with a life of an hour or more was in use, or work was asked for fewer than five times"),
    }
}

/// The token at hand had lived less than a tenth of a long life, and no answer of the API had spoken against it.
fn needless(view: &View<'_>, x: &Exchange<'_>) -> bool {
    let Some(held) = view.held_before(x.began, None) else { return false };
    let (Some(life), Some((given, ..))) = (held.from.life(), held.from.replied) else { return false };
    let young = x.began.saturating_sub(given.at) < life.saturating_mul(SECOND) / 10;
    let spoken_against =
        |y: &&Exchange<'_>| y.token_name() == Some(held.access) && y.replied.is_some_and(|(_, status, _)| matches!(status, 401 | 403));
    life >= LONG && young && !view.exchanges.iter().filter(|y| y.arrived < x.arrived && y.is_api()).any(|y| spoken_against(&y))
}

#[cfg(test)]
mod tests {
    use crate::{
        evidence::{Outcome, Reply, What},
        judge::testing::*,
    };

    fn lives(story: Story, seconds: u64) -> Story {
        story.with(|s| {
            for event in &mut s.history.events {
                if let What::Replied { reply: Reply::Tokens { expires_in, .. }, .. } = &mut event.what {
                    *expires_in = Some(seconds);
                }
            }
        })
    }

    #[test]
    fn a_refresh_before_the_next_call_is_in_time() {
        let turn = |story: Story| story.after(3_500).trigger().refreshes().delivers().answered(Outcome::Accepted).rest();
        lives(turn(turn(Story::connected()).restarted()), 2).passes("REFRESH-04");
    }

    #[test]
    fn a_call_with_a_token_that_has_ended_is_late() {
        let late =
            |ms| Story::connected().after(ms).trigger().mark("offence").api(401).refreshes().delivers().answered(Outcome::Accepted).rest();
        lives(late(3_500), 2).fails("REFRESH-04", "after the end of its announced life");
        lives(late(1_500), 2).undecided("REFRESH-04", "no token with a known life ran out");
        late(3_500).undecided("REFRESH-04", "no token with a known life ran out");
    }

    fn steady(refreshing: bool) -> Story {
        (0..6).fold(Story::connected(), |story, _| {
            let story = story.trigger();
            let story = if refreshing { story.refreshes() } else { story };
            story.delivers().answered(Outcome::Accepted).rest()
        })
    }

    #[test]
    fn a_refresh_with_every_piece_of_work_is_too_many_where_tokens_live_long() {
        lives(steady(false), 7_200).passes("REFRESH-09");
        lives(steady(true), 7_200).fails("REFRESH-09", "6 refreshes of tokens that live an hour or more");
        lives(steady(true), 900).undecided("REFRESH-09", "no token with a life of an hour or more");
        lives(steady(true), 7_200).terms(|t| t.one_shot = true).passes("REFRESH-09");
    }

    #[test]
    fn a_refresh_that_was_called_for_is_not_counted() {
        let rejected = |story: Story| story.rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest();
        lives((0..5).fold(Story::connected(), |story, _| rejected(story)), 7_200).passes("REFRESH-09");
        lives(
            (0..5)
                .fold(Story::connected(), |story, _| story.restarted().trigger().refreshes().delivers().answered(Outcome::Accepted).rest()),
            7_200,
        )
        .passes("REFRESH-09");
    }
}

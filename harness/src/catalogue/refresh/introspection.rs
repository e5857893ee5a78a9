//! Whether the introspection endpoint is asked in place of a clock.

use regrant_mock_server::journal::Endpoint;

use super::super::{Finding, Level, Requirement, Scope, Severity, shared::*};
use crate::judge::{Exchange, Mark, View};

pub(super) const REFRESH_10: Requirement = Requirement {
    id: "REFRESH-10",
    level: Level::Must,
    severity: Severity::Error,
    sentence: "does not introspect in place of tracking expiry",
    sources: &["Pleo, Token introspection: do not use it in place of tracking expiry and refreshing"],
    why: "Asking before every call whether the token is still good doubles the traffic, and the answer may be wrong by the time of the call.",
    observed: "Steady work with a good token: whether the pieces of work begin with a question to the introspection endpoint.",
    undecided: "Fewer than three pieces of work caused calls of the API.",
    remedy: "Remember when the token ends and refresh shortly before; introspect for diagnosis only.",
    declarable: true,
    scope: Scope::Connection,
    check: refresh_10,
};

/// So many pieces of work show a habit.
const HABIT: usize = 3;

fn refresh_10(view: &View<'_>) -> Finding {
    let asks = |x: &&Exchange<'_>| x.endpoint == Endpoint::Introspect && !x.by_agent;
    let (mut worked, mut asked) = (Vec::new(), Vec::new());
    for (from, until) in pieces(view) {
        let Some(call) = view.api_calls(from, until).next() else { continue };
        worked.push(call.arrived.n);
        asked.extend(view.exchanges.iter().filter(asks).find(|x| x.arrived > from && x.arrived < until).map(|x| x.arrived.n));
    }
    if worked.len() < HABIT {
        return unrealised(view, "fewer than three pieces of work caused calls of the API");
    }
    // Now and then, for diagnosis, is nobody's business.
    if asked.len() >= HABIT && asked.len() * 2 > worked.len() {
        let reason = format!("{} of {} pieces of work came with a question to the introspection endpoint", asked.len(), worked.len());
        return Finding::fail(reason, asked);
    }
    Finding::pass(format!("{} pieces of work, {} of them with an introspection", worked.len(), asked.len()), worked)
}

/// From the trigger of each piece of work to the next rest; what is asked for at once is one piece.
fn pieces(view: &View<'_>) -> Vec<(Mark, Mark)> {
    let mut pieces: Vec<(Mark, Mark)> = Vec::new();
    for call in view.triggers(START, Mark::END) {
        let rest = view.settled_after(call.called).unwrap_or(Mark::END);
        if pieces.last().is_none_or(|(_, until)| *until != rest) {
            pieces.push((call.called, rest));
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use crate::{evidence::Outcome, judge::testing::*};

    fn steady(times: u32, asking: u32) -> Story {
        (0..times).fold(Story::connected(), |story, turn| {
            let story = story.trigger();
            let story = if turn < asking { story.introspects() } else { story };
            story.delivers().answered(Outcome::Accepted).rest()
        })
    }

    #[test]
    fn work_without_questions_or_with_a_few_passes() {
        steady(5, 0).passes("REFRESH-10");
        steady(5, 2).passes("REFRESH-10");
    }

    #[test]
    fn a_question_with_every_piece_of_work_fails() {
        steady(5, 5).fails("REFRESH-10", "5 of 6 pieces of work came with a question");
    }

    #[test]
    fn too_little_work_shows_no_habit() {
        steady(1, 1).undecided("REFRESH-10", "fewer than three pieces of work");
    }
}

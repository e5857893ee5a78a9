//! LOG-04: two outages are logged in one form.

use std::collections::{BTreeSet, HashSet};

use super::{
    first, reason,
    words::{AGAIN, ENDED, Line, only_begins, shape},
};
use crate::{
    catalogue::{Finding, shared::*},
    judge::{Death, Ended, Mark, View},
};

/// Two lines have one form if so much of their words is the same, in hundredths.
const ALIKE: usize = 60;

/// What was logged of one outage.
struct Told<'h> {
    death: &'h Death,
    /// Lines that speak of it.
    lines: Vec<Line<'h>>,
    /// All else that was logged was understood.
    understood: bool,
}

pub(super) fn log_04(view: &View<'_>) -> Finding {
    let all: Vec<(Mark, &str)> = super::windows::said(view).into_iter().map(|line| (line.mark, line.text)).collect();
    if all.is_empty() {
        return Finding::locked("not one log line of the subject was seen", "logs.files");
    }
    let deaths = view.deaths.iter().filter(|death| death.ended == Ended::Grant && death.at_rest);
    let told: Vec<Told<'_>> = deaths.map(|death| told(view, &all, death)).collect();
    let [one, .., two] = told.as_slice() else {
        return unrealised(view, "the grant did not end twice in this story");
    };
    let calm = all.iter().take_while(|(mark, _)| *mark < one.death.asked);
    match (one.lines.first(), two.lines.first()) {
        (None, None) => Finding::undecided("neither outage was logged in words that were understood: that is LOG-01's and LOG-02's"),
        (Some(line), None) => missing(line, two, "the first end of the grant was logged, and the second was not"),
        (None, Some(line)) => missing(line, one, "the second end of the grant was logged, and the first was not"),
        (Some(_), Some(_)) => compared(one, two, &reason::usual(calm.map(|(_, text)| *text))),
    }
}

fn missing(line: &Line<'_>, silent: &Told<'_>, reason: &str) -> Finding {
    if silent.understood {
        Finding::fail(reason, vec![line.mark.n, silent.death.refused.n])
    } else {
        Finding::undecided("one outage was logged; what was logged of the other was not understood")
    }
}

fn compared(one: &Told<'_>, two: &Told<'_>, usual: &HashSet<String>) -> Finding {
    let same = one.lines.iter().find_map(|a| two.lines.iter().find(|b| is_alike(a.text, b.text)).map(|b| (a, b)));
    let Some((a, b)) = same else {
        return Finding::undecided("both outages were logged, in words that differ more than ids and times do");
    };
    let cause = |told: &Told<'_>| first(&told.lines, |line| line.names(&told.death.error) || line.gives_reason());
    match (cause(one), cause(two)) {
        (Some(first), Some(second)) => {
            let mut cited = [vec![a.mark.n, b.mark.n], first, second].concat();
            cited.sort_unstable();
            cited.dedup();
            Finding::pass("both outages were logged in one form, with their cause", cited)
        }
        (first, second) => {
            let silent = [(one, first), (two, second)].into_iter().filter(|(_, cause)| cause.is_none());
            if silent.into_iter().any(|(told, _)| told.lines.iter().any(|line| line.may_give_reason(usual)) || !told.understood) {
                return Finding::undecided(
                    "both outages were logged in one form, in words of which some are not known: they may be the cause",
                );
            }
            Finding::fail("both outages were logged in one form, without a cause", vec![a.mark.n, b.mark.n])
        }
    }
}

fn told<'h>(view: &View<'h>, all: &[(Mark, &'h str)], death: &'h Death) -> Told<'h> {
    let end = view.prologue_end().unwrap_or(death.asked).min(death.asked);
    let habits: BTreeSet<String> = all.iter().filter(|(mark, _)| *mark < end).map(|(_, text)| shape(text)).collect();
    // What comes later may be the way back, tried out; unless everything was kept back.
    let at_once = |mark: Mark| death.settled.is_some_and(|settled| mark > death.asked && mark < settled);
    let kept_back = !all.iter().any(|(mark, _)| at_once(*mark));
    let counts = |mark: Mark| at_once(mark) || (kept_back && mark > death.asked && mark < death.until);
    let within = all.iter().filter(|(mark, text)| counts(*mark) && !habits.contains(&shape(text)) && !only_begins(text));
    let (lines, rest): (Vec<Line<'h>>, Vec<Line<'h>>) =
        within.map(|(mark, text)| Line::plain(*mark, text)).partition(|line| speaks(line, death));
    Told { death, understood: rest.iter().all(Line::is_understood), lines }
}

fn speaks(line: &Line<'_>, death: &Death) -> bool {
    let own = line.own_words(death);
    line.names(&death.error) || line.tells_failure() || ENDED.is_match(&own) || AGAIN.is_match(&own)
}

fn is_alike(one: &str, two: &str) -> bool {
    let words = |text: &str| -> BTreeSet<String> {
        shape(text).split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let (one, two) = (words(one), words(two));
    one.intersection(&two).count() * 100 >= one.union(&two).count() * ALIKE
}

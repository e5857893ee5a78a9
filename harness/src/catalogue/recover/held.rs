//! Whether what the subject holds stays visible.

use super::super::{Finding, shared::*};
use crate::{
    evidence::What,
    judge::{Death, Ended, Mark, View},
};

/// How many records were shown; none: the answer was no success, or they could not be counted.
type Reading = (Mark, Option<u64>);

pub(super) fn recover_09(view: &View<'_>) -> Finding {
    if !view.terms.data {
        return Finding::locked("it is not known where the data that the subject holds is seen", "[data]");
    }
    let readings: Vec<Reading> = view
        .events()
        .filter_map(|(mark, what)| match what {
            What::DataRead { count } => Some((mark, *count)),
            _ => None,
        })
        .collect();
    each_death(view, Ended::Grant, |death| kept(view, death, &readings))
}

fn kept(view: &View<'_>, death: &Death, readings: &[Reading]) -> Finding {
    let before = readings.iter().rfind(|(mark, count)| *mark < death.asked && count.is_some());
    let Some((b, Some(held @ 1..))) = before.copied() else { return Finding::undecided("no data was visible before the outage") };
    let Some(settled) = death.settled else { return not_at_rest() };
    let during: Vec<Reading> = readings.iter().copied().filter(|(mark, _)| *mark > settled && *mark < death.until).collect();
    let back = view.back_after(death.until).map(|(_, back)| back);
    let rested = back.and_then(|back| view.rest_after(back)).filter(|rest| rest.quiet);
    let after: Vec<Reading> =
        rested.map(|rest| readings.iter().copied().filter(|(mark, _)| *mark > rest.mark).collect()).unwrap_or_default();
    for (when, readings) in [("during the outage", &during), ("after the reconnection", &after)] {
        // One look may fall into a page that is being renewed; the last one counts.
        let least = readings.iter().rev().find_map(|(mark, count)| Some((*mark, (*count)?)));
        match least {
            Some((mark, count)) if count < held => {
                let reason = format!("{held} records were visible before the outage, and {count} {when}");
                return if death.at_rest { Finding::fail(reason, vec![b.n, death.refused.n, mark.n]) } else { not_at_rest() };
            }
            Some(_) => {}
            None => return Finding::undecided(format!("the data could not be read, or not be counted, {when}")),
        }
    }
    let cited = during.iter().chain(&after).filter(|(_, count)| count.is_some()).map(|(mark, _)| mark.n).take(4);
    Finding::pass(
        format!("{held} records were visible before the outage, and no fewer during and after it"),
        [b.n, death.refused.n].into_iter().chain(cited).collect(),
    )
}

#[cfg(test)]
mod tests;

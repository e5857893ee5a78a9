//! The prompt goes once access is restored.

use super::{differs, healthy, messages, newly_says, sentences};
use crate::{
    catalogue::{Finding, shared::*},
    evidence::{PageSeen, Says},
    judge::{ConnectBy, Death, Ended, Mark, View},
};

pub(super) fn prompt_05(view: &View<'_>) -> Finding {
    if messages::only(view) {
        return Finding::not_applicable("the user is told by messages, which nobody takes back");
    }
    if !view.terms.prompt {
        return Finding::locked("it is not known where a person would see that access must be restored", "[prompt]");
    }
    each_death(view, Ended::Grant, |death| cleared(view, death))
}

fn cleared(view: &View<'_>, death: &Death) -> Finding {
    let Some(settled) = death.settled else { return not_at_rest() };
    let Some(calm) = healthy(view, death.asked) else { return Finding::undecided("the page was not read while connected") };
    let shown = view.prompts().filter(|(mark, page)| *mark > settled && *mark < death.until && prompts(view, calm, page)).last();
    let Some((shown, due)) = shown else { return Finding::undecided("no prompt was seen that could go away") };
    let Some((_, back)) = view.back_after(death.until) else { return Finding::undecided("the reconnection did not succeed on the wire") };
    let end = until(view, back);
    let works = view.api_calls(back, end).find(|x| x.answered(2) && x.read.is_some()).and_then(|x| x.read);
    let Some(works) = works else { return Finding::undecided("no API call succeeded after the reconnection") };
    let Some(rest) = view.rest_after(works).filter(|rest| rest.quiet && rest.mark < end) else {
        return Finding::undecided("the subject did not come to rest after the reconnection");
    };
    let Some((seen, now)) = view.prompts().filter(|(mark, _)| *mark > rest.mark && *mark < end).last() else {
        return Finding::undecided("the page was not read after the reconnection");
    };
    let cited = vec![death.refused.n, shown.n, works.n, seen.n];
    if !differs(due, now) {
        return Finding::fail("access was restored and the work goes on, but the page is still the one that asks to restore it", cited);
    }
    let words = lingers(view, calm, due, now);
    // A button that came with the outage and stayed; where a command connects there is none.
    let button = now.leads_to_authorize && !calm.leads_to_authorize;
    match (words, button || view.terms.connect != ConnectBy::Link) {
        (Some(words), true) => Finding::fail(format!("access was restored and the work goes on, but the page still says: {words}"), cited),
        (Some(words), false) => Finding::undecided(format!("whether this asks the user for anything cannot be told: {words}")),
        (None, _) if button => {
            Finding::undecided("what the page says is gone, but something on it leads to the authorise endpoint that did not before")
        }
        (None, _) => Finding::pass("the prompt was shown while access was lost, and is gone since it was restored", cited),
    }
}

/// A page that differs from that of the connected subject as a prompt does.
fn prompts(view: &View<'_>, calm: &PageSeen, page: &PageSeen) -> bool {
    let appeared = page.leads_to_authorize && !calm.leads_to_authorize;
    differs(calm, page) && (appeared || newly_says(view, calm, page))
}

/// The first sentence that came with the prompt and is still there, where the page still says what a prompt says.
fn lingers<'p>(view: &View<'_>, calm: &PageSeen, due: &PageSeen, now: &'p PageSeen) -> Option<&'p str> {
    let (old, asked): (Vec<&str>, Vec<&str>) = (sentences(&calm.text).collect(), sentences(&due.text).collect());
    let still = |it: &&str| it.contains(' ') && asked.contains(it) && !old.contains(it);
    (now.says == Says::Yes && newly_says(view, calm, now)).then(|| sentences(&now.text).find(still)).flatten()
}

/// When the connection may be over again.
fn until(view: &View<'_>, back: Mark) -> Mark {
    let died = view.deaths.iter().map(|death| death.asked).find(|asked| *asked > back).unwrap_or(Mark::END);
    view.disturbed_after(back).min(died)
}

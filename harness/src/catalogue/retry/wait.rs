//! Whether a subject waits as long as it is asked to.

use super::super::{Finding, Level, Requirement, Scope, Severity, shared::*};
use crate::judge::{Exchange, View};

pub(super) const RETRY_03: Requirement = Requirement {
    id: "RETRY-03",
    level: Level::Should,
    severity: Severity::Warning,
    sentence: "honours `Retry-After`",
    sources: &["Pleo, Centralised token refresh: retry transient refresh failures with backoff", "RFC 9110 section 10.2.3"],
    why: "The provider sheds load with 429 and says for how long. A client that comes back in half a second, as it always does, keeps the provider down and gets itself banned.",
    observed: "The token endpoint answers 429 or 503 with `Retry-After`, in seconds: when the next refresh begins that nobody asked for meanwhile.",
    undecided: "No refresh was asked to wait, none came afterwards, or one came early but only because the subject was asked for more work, or after a date, which not everybody reads.",
    remedy: "Read the header in both of its forms, and let it take the place of your own pause; a cap of a minute or so is fine.",
    declarable: true,
    scope: Scope::Connection,
    check: retry_03,
};

/// A timer may fire a moment early.
const EARLY: u64 = 100_000;
/// A date is true to the second, on both sides.
const BY_DATE: u64 = 1_050_000;
/// Who is asked for a longer wait may leave it at this.
const LONGEST: u64 = 60_000_000;

fn retry_03(view: &View<'_>) -> Finding {
    let asked = view.exchanges.iter().filter(|x| x.is_refresh() && x.asked_to_wait.is_some() && x.met_transient_fault());
    worst(asked.map(|x| waited(view, x)).collect()).unwrap_or_else(|| unrealised(view, "no refresh was asked to wait in this story"))
}

fn waited(view: &View<'_>, x: &Exchange<'_>) -> Finding {
    let (Some((wait, by_date)), Some((replied, status, _))) = (x.asked_to_wait, x.replied) else {
        return Finding::undecided("a refresh was asked to wait, but the answer was not written");
    };
    let slack = if by_date { BY_DATE } else { EARLY };
    let ready = replied.at + wait.min(LONGEST).saturating_sub(slack);
    let later = || view.exchanges.iter().filter(|y| y.is_refresh() && y.arrived > x.arrived && y.began > replied.at);
    let early: Vec<_> = later().filter(|y| y.began < ready).collect();
    let unasked: Vec<_> = early.iter().filter(|y| view.stimulus_before(y.began).is_none_or(|stimulus| stimulus < x.arrived)).collect();
    if let Some(y) = unasked.get(asked_besides(view, x)) {
        if by_date {
            return Finding::undecided("asked to wait by a date, it came back earlier by itself: it may read seconds only");
        }
        let came = seconds(y.began - replied.at);
        let reason = format!("answered {status} and asked to wait {} s, it came back by itself after {came} s", seconds(wait));
        return Finding::fail(reason, vec![x.arrived.n, replied.n, y.arrived.n]);
    }
    if !early.is_empty() {
        return Finding::undecided("it came back earlier than it was asked to, but it had been asked for more work meanwhile");
    }
    match later().next() {
        Some(y) => {
            let reason = format!("asked to wait {} s, it came back after {} s", seconds(wait), seconds(y.began - replied.at));
            Finding::pass(reason, vec![x.arrived.n, replied.n, y.arrived.n])
        }
        None => Finding::undecided("no refresh came after the one that was asked to wait"),
    }
}

/// A webhook and a trigger that came before it may each lead to a refresh, and one of them later than the other.
fn asked_besides(view: &View<'_>, x: &Exchange<'_>) -> usize {
    let calm = view.rests.iter().rfind(|rest| rest.quiet && rest.mark < x.arrived).map_or(START, |rest| rest.mark);
    if view.webhooks(calm, x.arrived) > 0 { view.askings(calm, x.arrived).saturating_sub(1) } else { 0 }
}

fn seconds(micros: u64) -> String {
    format!("{}.{}", micros / 1_000_000, micros / 100_000 % 10)
}

#[cfg(test)]
mod tests {
    use crate::{
        evidence::{Outcome, Reply, What},
        judge::testing::*,
    };

    /// The first refresh of a trigger is asked to wait.
    fn asked(wait: u64, by_date: bool) -> Story {
        asked_of(Story::connected().adds_work(1), wait, by_date)
    }

    fn asked_of(story: Story, wait: u64, by_date: bool) -> Story {
        let story = story.rejected().trigger().api(401).token_asked();
        let exchange = story.exchange();
        let basic = regrant_mock_server::journal::AuthStyle::Basic;
        story
            .token_decided("refresh_token", Some("refresh#1"), basic, &Answer::Unavailable)
            .event(What::AskedToWait { exchange, wait: wait * 1_000, by_date })
            .event(What::Replied { exchange, status: 429, reply: Reply::Transient })
            .event(What::Read { exchange })
    }

    fn comes_back(story: Story, ms: u64) -> Story {
        story.after(ms).mark("offence").refreshes().delivers().answered(Outcome::Accepted).rest()
    }

    #[test]
    fn who_waits_as_long_as_it_was_asked_to_passes() {
        comes_back(asked(3_000, false), 3_010).passes("RETRY-03");
        comes_back(asked(3_000, false), 9_000).passes("RETRY-03");
        comes_back(asked(3_900, true), 3_000).passes("RETRY-03");
        comes_back(asked(900_000, false), 60_000).passes("RETRY-03");
    }

    #[test]
    fn who_comes_back_early_by_itself_fails() {
        comes_back(asked(3_000, false), 500).fails("RETRY-03", "answered 429 and asked to wait 3.0 s");
        comes_back(asked(3_900, true), 1_000).undecided("RETRY-03", "may read seconds only");
    }

    #[test]
    fn who_is_asked_for_more_work_meanwhile_is_undecided() {
        let prompted = asked(3_000, false).answered(Outcome::Accepted).rest().trigger().refreshes().delivers().answered(Outcome::Accepted);
        prompted.rest().undecided("RETRY-03", "had been asked for more work");
        asked(3_000, false).answered(Outcome::Accepted).rest().undecided("RETRY-03", "no refresh came after");
        Story::honest().undecided("RETRY-03", "no refresh was asked to wait");
        // It was told of the work by a webhook, too: the trigger may have led to the second refresh, and to one only.
        let told = What::WebhookSent { delivery: 1, told: "v1.export-job.created".into(), units: Vec::new() };
        let both = || asked_of(Story::connected().event(told.clone()), 3_000, false);
        comes_back(both(), 500).undecided("RETRY-03", "had been asked for more work");
        comes_back(both().after(100).refreshes(), 500).fails("RETRY-03", "came back by itself");
    }
}

//! Answers during trouble, on hand-written histories.

use regrant_mock_server::journal::AuthStyle;

use crate::{
    evidence::{Outcome, Phase, Verb, What},
    judge::testing::*,
};

const SECOND: u64 = 1_000;

/// A refresh hangs; meanwhile status, page and trigger are asked for, and are answered after so many milliseconds each.
fn hangs(status: u64, page: u64, trigger: u64) -> Story {
    // It takes work on first, and does it then.
    let story = Story::new().began().started().connects().adds_work(1).trigger().answered(Outcome::Accepted).delivers().rest();
    let story = story.phase(Phase::Story).rejected().trigger().answered(Outcome::Accepted).api(401).token_asked();
    let exchange = story.exchange();
    let story = story.event(What::Faulted { exchange, fate: "hang".into(), committed: false, rule: Some(1) });
    let story = story.called(Verb::Status, None, None).after(status).answered(Outcome::Accepted);
    let story = story.after(page).event(prompt(&Story::connected(), page * 1_000));
    let story = story.trigger().after(trigger).answered(Outcome::Accepted);
    let story = story.token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, &Answer::Dropped);
    story.event(What::Aborted { exchange, by_subject: true }).event(What::RuleEnded { rule: 1 }).rest()
}

fn prompt(like: &Story, took: u64) -> What {
    let read = like.history.events.iter().rev().find_map(|e| if let What::PromptRead(page) = &e.what { Some(page.clone()) } else { None });
    What::PromptRead(crate::evidence::PageSeen { took, ..read.expect("was read") })
}

#[test]
fn a_subject_that_answers_meanwhile_passes() {
    hangs(10, 10, 10).passes("RECOVER-07");
    hangs(4 * SECOND, 4 * SECOND, 4 * SECOND).passes("RECOVER-07");
    let only_a_page =
        hangs(10, 10, 10).without(|e| matches!(e.what, What::VerbCalled { verb: Verb::Status, .. })).terms(|t| t.status = false);
    only_a_page.passes("RECOVER-07");
}

#[test]
fn a_subject_that_keeps_its_users_waiting_fails() {
    hangs(8 * SECOND, 10, 10).fails("RECOVER-07", "`status` was answered only after");
    hangs(10, 8 * SECOND, 10).fails("RECOVER-07", "`prompt` was answered only after");
    hangs(10, 10, 8 * SECOND).fails("RECOVER-07", "`trigger` was answered only after");
    // Webhooks in the prologue: what came after the answer to the trigger may be theirs.
    let told = |story: Story| {
        story.with(|s| {
            let told = What::WebhookSent { delivery: 1, told: "v1.export-job.created".into(), units: Vec::new() };
            let works = s.history.events.iter_mut().find(|e| matches!(e.what, What::WorkAdded { .. })).expect("work");
            works.what = told;
        })
    };
    told(hangs(10, 10, 8 * SECOND)).undecided("RECOVER-07", "a trigger was answered late");
    told(hangs(8 * SECOND, 10, 8 * SECOND)).fails("RECOVER-07", "`status` was answered only after");
    told(hangs(10, 10, 10)).passes("RECOVER-07");
    let then = || told(hangs(10, 10, 8 * SECOND)).phase(Phase::Epilogue).rest().trigger();
    then().answered(Outcome::Accepted).delivers().rest().fails("RECOVER-07", "`trigger` was answered only after");
    then().delivers().answered(Outcome::Accepted).rest().passes("RECOVER-07");
    // Something else was asked, too.
    let both = then().delivers().answered(Outcome::Accepted).trigger().delivers().answered(Outcome::Accepted).rest();
    both.undecided("RECOVER-07", "a trigger was answered late");
    let silent = hangs(14 * SECOND, 10, 10).with(|s| {
        let hangs = s.history.events.iter().position(|e| matches!(e.what, What::Faulted { .. })).expect("it hangs");
        let status = s.history.events[hangs..].iter().find_map(|e| match e.what {
            What::VerbCalled { call, verb: Verb::Status, .. } => Some(call),
            _ => None,
        });
        for event in &mut s.history.events {
            if let What::VerbAnswered { call, outcome, .. } = &mut event.what
                && Some(*call) == status
            {
                *outcome = Outcome::NoAnswer;
            }
        }
    });
    silent.fails("RECOVER-07", "`status`");
}

#[test]
fn a_trigger_that_does_the_work_itself_waits_for_its_own_token() {
    hangs(10, 10, 12 * SECOND).terms(|t| t.one_shot = true).passes("RECOVER-07");
    // In the prologue its calls came before the answer.
    let works_first = hangs(10, 10, 12 * SECOND).with(|s| {
        let asked = s.history.events.iter().position(|e| matches!(e.what, What::VerbCalled { verb: Verb::Trigger, .. })).expect("asked");
        let rest = s.history.events.iter().position(|e| matches!(e.what, What::Settled { .. })).expect("rests");
        let answered = s.history.events.remove(asked + 1);
        s.history.events.insert(rest - 1, answered);
        let mut order: Vec<_> = s.history.events.iter().map(|e| (e.n, e.at)).collect();
        order.sort_unstable();
        for (event, (n, at)) in s.history.events.iter_mut().zip(order) {
            (event.n, event.at) = (n, at);
        }
    });
    works_first.passes("RECOVER-07");
}

#[test]
fn nothing_asked_meanwhile_proves_nothing() {
    Story::honest().undecided("RECOVER-07", "no refresh met");
    hangs(10, 10, 10)
        .terms(|t| {
            t.status = false;
            t.prompt = false;
        })
        .undecided("RECOVER-07", "neither a status nor a page is known");
    let quiet = Story::connected().rejected().trigger().faulted(Answer::Dropped).answered(Outcome::Accepted);
    quiet.event(What::RuleEnded { rule: 1 }).rest().undecided("RECOVER-07", "neither status nor page was asked for");
}

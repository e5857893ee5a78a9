//! RECOVER on hand-written histories.

use crate::{
    evidence::{Outcome, Verb, What},
    judge::{WorkKind, testing::*},
};

/// Three units of work came into being before the grant died, one of them was delivered; one more came while it was dead.
fn busy() -> Story {
    Story::connected().adds_work(1).dies().adds_work(2).asked_in_vain(2).rest().restarted().asked_in_vain(1).rest()
}

fn lose(story: Story, unit: &str) -> Story {
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::Api { delivered, .. } = &mut event.what {
                delivered.retain(|id| id != unit);
            }
        }
    })
}

#[test]
fn an_honest_story_passes() {
    let story = busy().comes_back();
    for id in ["RECOVER-01", "RECOVER-02", "RECOVER-03", "RECOVER-04", "RECOVER-05", "RECOVER-08"] {
        story.passes(id);
    }
}

#[test]
fn work_that_does_not_go_on_fails() {
    let idle = busy()
        .connects()
        .rest()
        .mark("offence")
        .trigger()
        .answered(Outcome::Accepted)
        .mark("offence")
        .trigger()
        .answered(Outcome::Accepted)
        .rest();
    idle.fails("RECOVER-01", "no API call succeeded");
    let only_after_a_restart = busy().connects().rest().asked_in_vain(2).rest().restarted().works().rest();
    only_after_a_restart.fails("RECOVER-01", "no API call succeeded");
    busy().connects().rest().asked_in_vain(1).rest().undecided("RECOVER-01", "answered once");
    busy().undecided("RECOVER-01", "no reconnection succeeded");
}

#[test]
fn a_queue_that_drains_by_itself_has_recovered() {
    busy().connects().delivers().rest().passes("RECOVER-01");
}

#[test]
fn what_another_event_stops_is_no_failure_to_recover() {
    busy().connects().revoked().asked_in_vain(2).rest().undecided("RECOVER-01", "delivered never");
}

#[test]
fn accepted_work_that_is_never_delivered_fails() {
    let story = lose(busy().comes_back(), "unit-3");
    story.fails("RECOVER-02", "1 of 5 accepted units were never delivered, unit-3 among them");
    lose(busy().comes_back(), "unit-5").fails("RECOVER-05", "1 units came into being during the outage and were never fetched, unit-5");
    lose(busy().comes_back(), "unit-2").passes("RECOVER-05");
}

#[test]
fn work_that_nobody_accepted_is_not_lost() {
    let story = Story::connected().adds_work(1).works().adds_work(1).works().dies().rest().declines(2).rest().restarted().rest();
    let story = lose(story.comes_back().adds_work(1).rest(), "none");
    story.passes("RECOVER-02");
}

#[test]
fn a_subject_that_had_no_time_to_recover_is_not_accused() {
    lose(busy().connects().works().rest(), "unit-3").undecided("RECOVER-02", "was not asked for it twice");
    lose(busy(), "unit-3").undecided("RECOVER-02", "did not work again");
    lose(busy().connects().works().works().no_rest(), "unit-3").undecided("RECOVER-02", "did not work again");
}

#[test]
fn too_little_work_proves_nothing() {
    Story::honest().undecided("RECOVER-02", "2 units of work were accepted, three are needed");
    Story::honest().undecided("RECOVER-03", "three are needed");
    let finding = Story::honest().terms(|t| t.work = None).undecided("RECOVER-02", "what a unit of work is");
    assert!(finding.unlock.is_some_and(|line| line.starts_with("work.kind")));
    Story::connected().adds_work(3).works().rest().undecided("RECOVER-02", "nothing interrupted the work");
    lose(busy().comes_back(), "unit-1").is_not_accused(&["RECOVER-03"]);
    let none_before = lose(busy().comes_back(), "unit-1");
    none_before.undecided("RECOVER-02", "no unit was delivered before the outage");
}

/// A subject to which work is pushed: each trigger carries a unit.
fn push(story: Story, item: &str, outcome: Option<Outcome>, delivered: bool) -> Story {
    let call = story.call() + 1;
    let story = story.with(|s| s.terms.work = Some(WorkKind::Push)).called(Verb::Trigger, None, Some("trigger")).with(|s| {
        if let Some(What::VerbCalled { item: it, .. }) = s.history.events.last_mut().map(|e| &mut e.what) {
            *it = Some(item.to_owned());
        }
    });
    let story = if delivered { story.reports(&[item.to_owned()]) } else { story };
    assert_eq!(story.call(), call);
    match outcome {
        Some(outcome) => story.answered(outcome),
        None => story,
    }
}

fn pushed(last: Option<Outcome>, delivered: bool) -> Story {
    let story = push(
        push(push(Story::connected(), "a", Some(Outcome::Accepted), true), "b", Some(Outcome::Accepted), true),
        "c",
        Some(Outcome::Accepted),
        true,
    );
    let story = push(story.rest().dies(), "d", last, false).rest().restarted().rest().connects();
    let story = if delivered { story.reports(&["d".to_owned()]) } else { story };
    push(push(story, "e", Some(Outcome::Accepted), true).rest(), "f", Some(Outcome::Accepted), true).rest()
}

#[test]
fn pushed_work_is_lost_if_it_was_accepted_unknown_if_unanswered_and_not_lost_if_refused() {
    pushed(Some(Outcome::Accepted), true).passes("RECOVER-02");
    pushed(Some(Outcome::Accepted), false).fails("RECOVER-02", "d among them");
    pushed(Some(Outcome::Refused), false).passes("RECOVER-02");
    pushed(Some(Outcome::NoAnswer), false).undecided("RECOVER-02", "whether it was accepted is unknown");
    pushed(None, false).undecided("RECOVER-02", "whether it was accepted is unknown");
    pushed(Some(Outcome::NoAnswer), true).passes("RECOVER-02");
    pushed(Some(Outcome::Accepted), true).not_applicable("RECOVER-05");
}

/// Asked at the end how the work of a unit stands; of the first unit it had said that it waits, before it was done.
fn asked_for(story: &Story, item: &str, done: bool, says: &str) -> Story {
    let call = |item: &str| {
        story.history.events.iter().find_map(|event| match &event.what {
            What::VerbCalled { call, item: Some(it), .. } if it == item => Some(*call),
            _ => None,
        })
    };
    let polled = |item: &str, done: bool, says: &str| What::JobPolled {
        call: call(item).expect("a trigger that carried it"),
        done,
        status: Some(200),
        polls: 1,
        says: (!done).then(|| says.to_owned()),
    };
    let all = [polled("a", false, "waiting"), polled("a", true, ""), polled(item, done, says)];
    story.clone().events(all).rest()
}

#[test]
fn what_the_subject_calls_done_must_have_been_delivered() {
    let said = "d was accepted, and the subject said that it was done, but it was never delivered";
    asked_for(&pushed(Some(Outcome::Accepted), false), "d", true, "").fails("RECOVER-02", said);
    asked_for(&pushed(Some(Outcome::Accepted), true), "d", true, "").passes("RECOVER-02");
    // Its word takes the place of further proof that it had its chance, and acquits nobody.
    let early = |done| {
        let story = push(push(Story::connected(), "a", Some(Outcome::Accepted), true), "b", Some(Outcome::Accepted), true).rest().dies();
        asked_for(&push(story, "d", Some(Outcome::Accepted), false).rest(), "d", done, "waiting")
    };
    early(true).fails("RECOVER-02", said);
    early(false).undecided("RECOVER-02", "did not work again");
}

#[test]
fn what_the_subject_says_is_still_waiting_is_not_lost_and_what_it_calls_failed_is() {
    let lost = || pushed(Some(Outcome::Accepted), false);
    asked_for(&lost(), "d", false, "waiting").undecided("RECOVER-02", "still to be done, d among them");
    asked_for(&lost(), "d", false, "failed").fails("RECOVER-02", "d among them");
    asked_for(&pushed(Some(Outcome::Accepted), true), "d", false, "waiting").passes("RECOVER-02");
}

#[test]
fn a_unit_reported_twice_fails() {
    let story = busy().comes_back().mark("offence").reports(&["unit-1".to_owned()]).rest();
    story.fails("RECOVER-03", "unit-1 was reported again");
}

#[test]
fn a_repetition_that_could_not_know_better_is_excused() {
    let again = |story: Story| story.reports(&["unit-9".to_owned()]);
    let first = |story: Story| {
        story.event(What::WorkAdded { units: vec!["unit-9".into()] }).trigger().reports(&["unit-9".to_owned()]).answered(Outcome::Accepted)
    };
    // Killed before it rested.
    again(first(busy().comes_back()).killed().started()).rest().passes("RECOVER-03");
    // The reply was not read.
    let unread = first(busy().comes_back());
    let exchange = unread.exchange();
    again(unread).rest().without(|e| matches!(e.what, What::Read { exchange: it } if it == exchange)).passes("RECOVER-03");
    // A reply was lost in between.
    let lost = What::Aborted { exchange: 9_999, by_subject: false };
    let story = first(busy().comes_back()).with(|s| *s = s.clone().token_asked());
    let exchange = story.exchange();
    let story = again(story.event(What::Aborted { exchange, by_subject: false }).event(lost)).rest();
    story.passes("RECOVER-03");
    // An orderly restart after it had rested is no excuse.
    again(first(busy().comes_back()).rest().restarted()).rest().fails("RECOVER-03", "unit-9 was reported again");
    let reads = busy().comes_back().terms(|t| t.work = Some(WorkKind::Read));
    reads.not_applicable("RECOVER-03");
}

/// A unit was delivered before; then the report of two more meets 401, the refresh succeeds, and there is more work later.
fn report_refused() -> (Story, Vec<String>) {
    let story = Story::connected().adds_work(1).works().rest().adds_work(2).trigger().rejected();
    story.reports_in_vain()
}

#[test]
fn a_report_that_met_401_is_made_again() {
    let later = |story: Story| story.answered(Outcome::Accepted).rest().adds_work(1).works().works().rest();
    let (story, units) = report_refused();
    later(story.reports(&units)).passes("RECOVER-02");
    let (story, _) = report_refused();
    later(story).fails("RECOVER-02", "2 of 5 accepted units were never delivered");
    let (story, _) = report_refused();
    story.answered(Outcome::Accepted).rest().undecided("RECOVER-02", "not asked for it twice");
    Story::connected().adds_work(3).works().rest().works().rest().undecided("RECOVER-02", "nothing interrupted the work");
}

#[test]
fn settings_that_change_or_vanish_fail_and_settings_that_never_stood_still_do_not() {
    let changed = busy().with(|s| s.subject.settings = "other".into()).comes_back();
    changed.fails("RECOVER-04", "not what they were before the outage");
    let gone = busy().comes_back().with(|s| {
        let back = s.history.events.iter().rposition(|e| matches!(e.what, What::CallbackDelivered { .. })).expect("back");
        for event in &mut s.history.events[back..] {
            if let What::SettingsRead { digest, .. } = &mut event.what {
                *digest = None;
            }
        }
    });
    gone.fails("RECOVER-04", "can no longer be read");
    let parts = |of: &[&str]| -> Vec<String> { of.iter().map(|part| (*part).to_owned()).collect() };
    let consisting = |after: &[&str]| {
        busy().comes_back().with(|s| {
            let back = s.history.events.iter().rposition(|e| matches!(e.what, What::CallbackDelivered { .. })).expect("back");
            for (place, event) in s.history.events.iter_mut().enumerate() {
                if let What::SettingsRead { digest, parts: all } = &mut event.what {
                    *all = if place > back { parts(after) } else { parts(&["vat", "currency"]) };
                    *digest = Some(all.concat());
                }
            }
        })
    };
    // A notice beside them is no loss.
    consisting(&["reconnected", "vat", "currency"]).passes("RECOVER-04");
    consisting(&["vat"]).fails("RECOVER-04", "not what they were before the outage");
    let restless = Story::connected().with(|s| s.subject.settings = "other".into()).rest().dies().asked_in_vain(2).rest().epilogue();
    restless.undecided("RECOVER-04", "differed from reading to reading before");
    let finding = busy().comes_back().terms(|t| t.settings = false).undecided("RECOVER-04", "settings are seen");
    assert_eq!(finding.unlock.as_deref(), Some("[settings]"));
    busy().undecided("RECOVER-04", "no reconnection succeeded");
    busy().comes_back().without(|e| matches!(e.what, What::SettingsRead { .. })).undecided("RECOVER-04", "not readable before");
}

#[test]
fn nothing_new_during_the_outage_leaves_recover_05_undecided() {
    Story::honest().undecided("RECOVER-05", "nothing came into being while the connection was known to be dead");
    Story::honest().terms(|t| t.work = None).undecided("RECOVER-05", "what a unit of work is");
}

#[test]
fn a_subject_that_ends_after_the_refusal_fails() {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").mark("offence").crashed(1);
    story.answered(Outcome::NoAnswer).rest().fails("RECOVER-08", "ended with exit code 1");
    let signal = Story::connected().dies().mark("offence").crashed(-11).rest();
    signal.fails("RECOVER-08", "signal 11");
    // Nobody does that to itself.
    Story::connected().dies().crashed(-9).rest().undecided("RECOVER-08", "signal 9, which the harness had not sent");
    let never_ready =
        Story::connected().dies().asked_in_vain(2).rest().restarted().without(|e| matches!(e.what, What::ProcessReady { incarnation: 2 }));
    never_ready.crashed(1).rest().is_not_accused(&["RECOVER-08"]);
    // Declared, or before anything happened.
    let declared = What::ProcessExited { incarnation: 1, code: 1, expected: true };
    Story::connected().dies().event(declared).started().asked_in_vain(2).rest().passes("RECOVER-08");
    Story::connected().crashed(1).started().dies().asked_in_vain(2).rest().passes("RECOVER-08");
}

#[test]
fn a_subject_that_hangs_after_the_refusal_fails() {
    let hangs = Story::connected().dies().mark("offence").trigger().answered(Outcome::NoAnswer).settled();
    hangs.fails("RECOVER-08", "no longer answers: `trigger` got no answer");
    let twice =
        Story::connected().dies().trigger().answered(Outcome::NoAnswer).rest().trigger().answered(Outcome::NoAnswer).rest().epilogue();
    twice.fails("RECOVER-08", "`trigger` got no answer 2 times");
    let once = Story::connected().dies().trigger().answered(Outcome::NoAnswer).rest().asked_in_vain(2).rest().epilogue();
    once.undecided("RECOVER-08", "got no answer once, and later verbs were answered");
}

#[test]
fn a_missing_answer_that_the_harness_explains_is_no_hang() {
    let killed = Story::connected().dies().trigger().killed().answered(Outcome::NoAnswer).started().asked_in_vain(2).rest();
    killed.passes("RECOVER-08");
    let stopped = Story::connected().dies().asked_in_vain(2).rest().stopped().trigger().answered(Outcome::NoAnswer);
    stopped.passes("RECOVER-08");
    // An answer that matches no pattern is one.
    let odd = Story::connected().dies().trigger();
    let call = odd.call();
    let odd = odd.event(What::VerbAnswered { call, outcome: Outcome::NoAnswer, status: Some(418), detail: String::new() });
    odd.asked_in_vain(1).rest().passes("RECOVER-08");
    let crashed = Story::connected().dies().trigger();
    let call = crashed.call();
    let crashed = crashed.event(What::VerbAnswered { call, outcome: Outcome::NoAnswer, status: Some(101), detail: String::new() });
    crashed.settled().terms(|t| t.one_shot = true).fails("RECOVER-08", "no longer answers");
}

#[test]
fn an_end_that_the_manifest_declares_explains_a_missing_answer() {
    let ending = What::ProcessExited { incarnation: 1, code: 70, expected: true };
    let asked_while_it_ended = Story::connected().dies().called(Verb::Status, None, None).event(ending.clone()).answered(Outcome::NoAnswer);
    let asked_while_it_was_away = Story::connected().dies().event(ending).trigger().answered(Outcome::NoAnswer);
    for story in [asked_while_it_ended, asked_while_it_was_away] {
        let story = story.rest();
        story.undecided("RECOVER-08", "got no answer once");
        let away = story.terms(|t| t.restarts_on_exit = true);
        away.undecided("RECOVER-08", "fewer than two verbs");
        away.started().asked_in_vain(2).rest().passes("RECOVER-08");
    }
    let hangs_all_the_same = Story::connected().dies().terms(|t| t.restarts_on_exit = true).mark("offence").trigger();
    hangs_all_the_same.answered(Outcome::NoAnswer).settled().fails("RECOVER-08", "no longer answers");
}

#[test]
fn nothing_that_could_kill_it_leaves_recover_08_undecided() {
    Story::connected().works().rest().epilogue().undecided("RECOVER-08", "no refusal, fault or failed exchange");
    let cut = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").answered(Outcome::Accepted);
    cut.undecided("RECOVER-08", "fewer than two verbs");
}

//! RETRY on hand-written histories.

use regrant_mock_server::fault::scenario::Status;

use crate::{
    evidence::{Outcome, Place, Reply, SUBSCRIPTION, Verb, What},
    judge::testing::*,
};

const ALL: [&str; 3] = ["RETRY-01", "RETRY-02", "RETRY-04"];

/// One trigger that meets a fault.
fn meets(story: Story, fault: &Answer) -> Story {
    story.trigger().faulted(fault.clone()).log("WARN token endpoint unavailable, will try again").answered(Outcome::Accepted).rest()
}

fn out(times: u32, fault: &Answer) -> Story {
    (0..times).fold(Story::connected().adds_work(1).rejected(), |story, _| meets(story, fault))
}

/// The provider is back, the work is done, later the grant dies.
fn back(story: Story) -> Story {
    story.trigger().refreshes().delivers().answered(Outcome::Accepted).rest().works().rest().dies().asked_in_vain(2).rest().epilogue()
}

#[test]
fn an_honest_outage_passes() {
    for fault in [Answer::Unavailable, Answer::Dropped] {
        let story = back(out(3, &fault));
        for id in ALL {
            story.passes(id);
        }
        story.is_not_accused(&["STOP-01", "STOP-02", "PURGE-03", "MARK-01", "RECOVER-02", "RECOVER-08", "REFRESH-01"]);
    }
}

#[test]
fn marking_the_connection_for_a_fault_fails_and_calling_it_broken_does_not() {
    let says = |state| {
        let story = Story::connected()
            .rejected()
            .trigger()
            .faulted(Answer::Unavailable)
            .with(|s| s.subject.says = Some(state))
            .answered(Outcome::Accepted);
        meets(story.rest(), &Answer::Unavailable).with(|s| s.subject.says = Some(Status::Connected))
    };
    back(says(Status::Disconnected)).fails("RETRY-01", "must reauthenticate, for a fault that passes");
    back(says(Status::Broken)).passes("RETRY-01");
}

#[test]
fn purging_for_a_fault_fails() {
    let story =
        Story::connected().rejected().trigger().faulted(Answer::Unavailable).with(|s| s.subject.keeps.clear()).answered(Outcome::Accepted);
    back(story.rest()).fails("RETRY-01", "refresh#1 was purged for a fault that passes");
}

#[test]
fn a_token_that_was_replaced_or_could_not_be_looked_for_is_not_purged() {
    let encrypted = back(out(2, &Answer::Dropped)).with(|s| {
        for event in &mut s.history.events {
            if let What::StorageScanned { found, .. } = &mut event.what {
                found.clear();
            }
        }
    });
    encrypted.passes("RETRY-01");
    let locked = Story::connected().rejected().trigger().faulted(Answer::Unavailable).answered(Outcome::Accepted).settled();
    let locked = locked
        .event(What::StorageScanned {
            open_to_others: Vec::new(),
            files: Vec::new(),
            places: 1,
            found: Vec::new(),
            unread: vec!["app.db: locked".into()],
        })
        .looks();
    back(meets(locked, &Answer::Unavailable)).passes("RETRY-01");
    let moved = Story::connected().rejected().trigger().faulted(Answer::Unavailable).answered(Outcome::Accepted).settled();
    let elsewhere = vec![found("refresh#1", Place::File("queue/refresh.json".into()))];
    let moved = moved
        .event(What::StorageScanned { open_to_others: Vec::new(), files: Vec::new(), places: 9, found: elsewhere, unread: Vec::new() })
        .looks();
    back(meets(moved, &Answer::Unavailable)).passes("RETRY-01");
}

#[test]
fn what_the_user_or_a_real_refusal_changes_is_no_fault() {
    let disconnected = out(2, &Answer::Unavailable).disconnects().with(|s| {
        s.subject.says = Some(Status::Disconnected);
        s.subject.keeps.clear();
    });
    disconnected.answered(Outcome::Accepted).rest().is_not_accused(&ALL);
    let refused = out(2, &Answer::Unavailable).trigger().refused("invalid_grant").gives_up().answered(Outcome::Accepted).rest();
    refused.asked_in_vain(2).rest().epilogue().is_not_accused(&ALL);
    // 400 without an OAuth body may be taken either way.
    let open = out(2, &Answer::Unavailable).trigger().token_asked();
    let exchange = open.exchange();
    let open = open.token_decided("refresh_token", Some("refresh#1"), regrant_mock_server::journal::AuthStyle::Basic, &Answer::Unavailable);
    let open = open.event(What::Replied { exchange, status: 400, reply: Reply::Open { error: None } }).event(What::Read { exchange });
    open.gives_up().answered(Outcome::Accepted).rest().is_not_accused(&ALL);
}

#[test]
fn each_missing_control_of_retry_01_is_named() {
    back(out(1, &Answer::Unavailable)).undecided("RETRY-01", "only once");
    out(2, &Answer::Unavailable).undecided("RETRY-01", "did not work again");
    Story::honest().undecided("RETRY-01", "no refresh met a transient fault");
    let finding = back(out(2, &Answer::Unavailable)).terms(|t| t.status = false).undecided("RETRY-01", "whether the connection was marked");
    assert!(finding.unlock.is_some_and(|line| line.starts_with("[status]")));
}

/// So many attempts on one trigger, with these pauses in milliseconds.
fn attempts(pauses: &[u64]) -> Story {
    let story = Story::connected().rejected().trigger().faulted(Answer::Unavailable);
    let story = pauses.iter().fold(story, |story, pause| story.after(*pause).faulted(Answer::Unavailable));
    back(story.answered(Outcome::Accepted).rest())
}

#[test]
fn five_attempts_are_enough_and_more_must_grow_apart() {
    attempts(&[]).passes("RETRY-02");
    attempts(&[0; 4]).passes("RETRY-02");
    attempts(&[100, 300, 900, 2_700, 8_100]).passes("RETRY-02");
    attempts(&[0; 5]).fails("RETRY-02", "6 attempts where 5 were to be expected");
    attempts(&[0; 24]).fails("RETRY-02", "25 attempts where 5 were to be expected, and the pauses between them do not grow");
    attempts(&[200; 10]).fails("RETRY-02", "do not grow");
    // A back-off that is capped, one with full jitter, and one that shrinks.
    attempts(&[100, 200, 400, 800, 800, 800, 800]).passes("RETRY-02");
    attempts(&[80, 150, 90, 700, 1_500, 900]).passes("RETRY-02");
    attempts(&[1_000, 800, 400, 200, 100, 60]).fails("RETRY-02", "do not grow");
}

#[test]
fn pauses_below_a_tick_are_no_back_off_however_they_grow() {
    attempts(&[1, 1, 2, 3, 4, 6, 8, 12, 16, 20]).fails("RETRY-02", "do not grow");
}

#[test]
fn a_timer_and_triggers_that_come_together_have_attempts_of_their_own() {
    let finding = attempts(&[1_000; 8]).terms(|t| t.period = None).undecided("RETRY-02", "a timer may have caused them");
    assert_eq!(finding.unlock.as_deref(), Some("features.period"));
    attempts(&[1_000; 8]).terms(|t| t.period = Some(Some(1_000_000))).passes("RETRY-02");
    attempts(&[1_000; 8]).fails("RETRY-02", "do not grow");
    let three = Story::connected().rejected().trigger().trigger().trigger();
    let three = (0..12).fold(three, |story, _| story.faulted(Answer::Unavailable)).answered(Outcome::Accepted).rest();
    back(three).passes("RETRY-02");
}

#[test]
fn a_webhook_is_a_reason_of_its_own_to_try() {
    let told = |story: Story| story.event(What::WebhookSent { delivery: 1, told: "v1.export-job.created".into(), units: Vec::new() });
    let tries = |story: Story, times| (0..times).fold(story, |story, _| story.faulted(Answer::Unavailable));
    let asked = || Story::connected().rejected().trigger();
    let end = |story: Story| back(story.answered(Outcome::Accepted).rest());
    end(tries(told(asked()), 10)).passes("RETRY-02");
    end(tries(told(tries(asked(), 5)), 5)).passes("RETRY-02");
    end(tries(told(asked()), 11)).fails("RETRY-02", "11 attempts where 10 were to be expected");
    // Where the story has the provider tell a subscription, that is one reason and not two.
    let by_story = |story: Story| told(story.called(Verb::Trigger, None, Some(SUBSCRIPTION)));
    end(tries(by_story(asked()), 10)).passes("RETRY-02");
    end(tries(by_story(asked()), 11)).fails("RETRY-02", "11 attempts where 10 were to be expected");
    end(tries(by_story(tries(asked(), 5)), 6)).fails("RETRY-02", "11 attempts where 10 were to be expected");
}

#[test]
fn a_subject_that_stays_given_up_fails() {
    let over = || out(3, &Answer::Unavailable).after(2_000);
    let latched = |outcome: fn(Story, u32) -> Story| {
        outcome(over(), 3).rest().revoked().rejected().trigger().answered(Outcome::Accepted).rest().epilogue()
    };
    latched(Story::asked_in_vain).fails("RETRY-04", "work was accepted, but no API call succeeded");
    // Refused work may be refused for a pause that is still running.
    latched(Story::declines).undecided("RETRY-04", "work was accepted fewer than twice");
    let restarted = over().asked_in_vain(2).rest().restarted().trigger().refreshes().delivers().answered(Outcome::Accepted).rest();
    restarted.fails("RETRY-04", "no API call succeeded");
    out(3, &Answer::Unavailable).rest().undecided("RETRY-04", "fewer than twice");
    // What it took on while the outage went on does not count.
    let still_out = || over().asked_in_vain(2).rest().event(What::RuleEnded { rule: 1 });
    still_out().asked_in_vain(1).rest().undecided("RETRY-04", "fewer than twice");
    still_out().asked_in_vain(2).rest().fails("RETRY-04", "no API call succeeded");
}

/// So many attempts without a stimulus, this far apart from each other; then work is taken on for so long, and nothing comes of it.
fn gives_up_after(pauses: &[u64], waited: u64) -> Story {
    let asked = Story::connected().adds_work(1).rejected().trigger().faulted(Answer::Unavailable);
    let story = pauses.iter().fold(asked, |story, pause| story.after(*pause).faulted(Answer::Unavailable));
    let story = story.answered(Outcome::Accepted).rest().event(What::RuleEnded { rule: 1 }).asked_in_vain(1).after(waited).rest();
    story.asked_in_vain(2).rest().revoked()
}

#[test]
fn a_pause_that_may_still_last_is_no_giving_up() {
    let storm = [60; 24];
    gives_up_after(&storm, 11_000).undecided("RETRY-04", "after 25 failures a pause may last 60 s");
    gives_up_after(&storm, 61_000).fails("RETRY-04", "no API call succeeded");
    gives_up_after(&[1_000, 2_000, 4_000, 8_000], 11_000).undecided("RETRY-04", "after 5 failures a pause may last");
    gives_up_after(&[1_000, 2_000, 4_000, 8_000], 30_000).fails("RETRY-04", "no API call succeeded");
    // Who gave up after the first few had its time.
    for pauses in [&[][..], &[200], &[200, 400]] {
        gives_up_after(pauses, 11_000).fails("RETRY-04", "no API call succeeded");
    }
}

#[test]
fn an_outage_that_a_hanging_endpoint_makes_counts_when_the_subject_gives_up_waiting() {
    let hang = |story: Story| {
        let story = story.trigger().token_asked();
        let exchange = story.exchange();
        let story = story.event(What::Faulted { rule: Some(1), exchange, fate: "hang".into(), committed: false }).after(5_000);
        let story =
            story.token_decided("refresh_token", Some("refresh#1"), regrant_mock_server::journal::AuthStyle::Basic, &Answer::Dropped);
        story.event(What::Aborted { exchange, by_subject: true }).answered(Outcome::Accepted).rest()
    };
    let story = back(hang(hang(Story::connected().rejected())));
    for id in ALL {
        story.passes(id);
    }
}

#[test]
fn a_reply_lost_after_the_commit_is_not_a_passing_fault() {
    let story = Story::connected().rejected().trigger().token_asked();
    let exchange = story.exchange();
    let issued = Answer::Tokens("access#2".into(), Some("refresh#2".into()));
    let story = story.token_decided("refresh_token", Some("refresh#1"), regrant_mock_server::journal::AuthStyle::Basic, &issued);
    let story = story
        .event(What::Aborted { exchange, by_subject: false })
        .gives_up()
        .answered(Outcome::Accepted)
        .rest()
        .asked_in_vain(2)
        .rest()
        .epilogue();
    for id in ALL {
        story.undecided(id, "no refresh met a transient fault");
    }
}

//! RACE-13 on hand-written histories.

use crate::{
    evidence::{Outcome, Phase, What},
    judge::{
        WorkKind,
        testing::{gallery::two_connected, neighbours::*, *},
    },
};

#[test]
fn who_keeps_both_pairs_passes() {
    both_work(both(each_alone()).rest()).undecided("RACE-13", "not restarted");
    let story = kept();
    assert!(story.passes("RACE-13").reason.contains("each goes on with its own tokens"));
    story.is_not_accused(&["RACE-01", "RACE-03", "REFRESH-02", "REFRESH-13", "PURGE-07"]);
    // What is logged of the one is no everyday line of the other.
    story.without(|event| event.n == 50).is_not_accused(&["LOG-05"]);
    // One after the other is well, too: whoever waits has its turn.
    let (story, acme) = asks(each_alone(), "acme");
    let story = story.settled().of("globex").rejected().trigger().answered(Outcome::Accepted).api(401);
    let story = gets(story, "acme", acme).of("globex").refreshes().delivers().rest();
    both_work(both_work(story).restarted()).passes("RACE-13");
}

#[test]
fn who_loses_one_of_the_pairs_fails() {
    let story = goes_back(both_work(both(each_alone()).of("globex").delivers().rest()).restarted().of("acme").works(), "globex");
    story.fails("RACE-13", "after a restart globex presented refresh#202 again, which its own refresh had replaced by refresh#203");
    lost().fails("RACE-13", "and globex presented refresh#202 again");
    // It has no tokens of its own any more.
    let mute = both(each_alone()).rest().of("acme").works().works().of("globex").asked_in_vain(2).rest();
    mute.fails("RACE-13", "no call succeeds with a token of globex any more");
}

#[test]
fn what_is_lost_for_another_reason_is_undecided() {
    // Neither goes on.
    let neither = both(each_alone()).rest().of("acme").asked_in_vain(2).of("globex").asked_in_vain(2).rest();
    neither.undecided("RACE-13", "neither of them is seen to go on");
    // A second call of its own had waited for the refresh, and refreshed once more.
    let presents = |story: Story| {
        let story = story.of("globex").refuses("refresh#202", "invalid_grant").gives_up().rest().of("acme").works().works();
        story.of("globex").asked_in_vain(2).rest()
    };
    presents(both(each_alone())).fails("RACE-13", "and globex presented refresh#202 again");
    let (story, acme) = asks(each_alone(), "acme");
    let (story, globex) = asks(story.of("globex").rejected().trigger().answered(Outcome::Accepted).api(401), "globex");
    let story = gets(gets(story.settled(), "acme", acme), "globex", globex);
    presents(story.clone()).undecided("RACE-13", "one call of globex may have waited for the refresh of another");
    presents(story.of("globex").api(401)).fails("RACE-13", "and globex presented refresh#202 again");
    // One had waited when it refreshed alone, too.
    let waits = |story: Story| story.of("globex").rejected().trigger().answered(Outcome::Accepted).api(401);
    let (story, acme) = asks(both_work(alone(waits(alone(two_connected(), "acme")), "globex")), "acme");
    let (story, globex) = asks(waits(story), "globex");
    presents(gets(gets(story.settled(), "acme", acme), "globex", globex)).fails("RACE-13", "and globex presented refresh#202 again");
    // It does not go on when it refreshes alone either.
    let never = both(two_connected().of("acme").works().of("globex").works().rest());
    goes_back(never.rest().of("acme").works().works(), "globex").undecided("RACE-13", "not seen to go on once it had refreshed alone");
    // After a restart nothing comes, and nothing shows why.
    let silent = both_work(both(each_alone()).rest()).restarted().of("acme").works().works().of("globex").asked_in_vain(2).rest();
    silent.undecided("RACE-13", "nothing shows that what its refresh had brought was lost");
    // The user revokes access meanwhile.
    let revoked = both(each_alone()).of("globex").revoked().rest().of("acme").works().works();
    goes_back(revoked, "globex").undecided("RACE-13", "did something else to globex");
    // It was not asked often enough, or has not come to rest.
    both(each_alone()).rest().of("acme").works().of("globex").asked_in_vain(1).rest().undecided("RACE-13", "at least 2 are needed");
    both(each_alone()).rest().of("acme").works().of("globex").asked_in_vain(2).undecided("RACE-13", "did not come to rest");
}

#[test]
fn two_refreshes_that_did_not_meet_decide_nothing() {
    both_work(each_alone()).restarted().undecided("RACE-13", "no two connections are seen to have refreshed at the same time");
    // It refreshed only when it was asked again: with whose token was the work done that had been asked before?
    let (story, acme) = asks(each_alone(), "acme");
    let story = story.settled().of("globex").rejected().trigger().answered(Outcome::Accepted).api(401);
    let story = gets(story, "acme", acme).rest().of("globex").trigger().refreshes().delivers().answered(Outcome::Accepted).rest();
    both_work(both_work(story).restarted()).undecided("RACE-13", "no two connections");
    // The answer was never read.
    let unread = both_work(both(each_alone()).without(|event| matches!(event.what, What::Read { exchange } if exchange > 20)).rest());
    unread.is_not_accused(&["RACE-13"]);
    two_connected().terms(|t| t.connections = Some(1)).not_applicable("RACE-13");
    two_connected().terms(|t| t.connections = None).undecided("RACE-13", "not known whether the subject has several connections");
    Story::honest().undecided("RACE-13", "fewer than two connections");
}

/// A unit is asked of one, and carried by a token of the other, or its own.
fn pushes(story: Story, asked: &'static str, by: &'static str, item: &str) -> Story {
    let name = |what: &mut What| match what {
        What::VerbCalled { item: unit, .. } => *unit = Some(item.into()),
        What::Requested { units, .. } => *units = vec![item.into()],
        _ => {}
    };
    let story = story.terms(|t| t.work = Some(WorkKind::Push)).of(asked).trigger().with(|s| s.amends(name));
    story.of(by).api(200).with(|s| s.amends(name)).of(asked).answered(Outcome::Accepted)
}

#[test]
fn a_unit_that_goes_out_with_another_s_token_fails() {
    let prologue = |story: Story| pushes(pushes(story, "acme", "acme", "item-1"), "globex", "globex", "item-2");
    let begun = || prologue(Story::new().began().started().of("acme").connects().of("globex").connects());
    let story = || begun().rest().phase(Phase::Story);
    let mixed = pushes(story(), "globex", "acme", "item-3").rest();
    mixed.fails("RACE-13", "item-3 was asked of globex, and a token of acme carried it");
    pushes(story(), "globex", "globex", "item-3").rest().is_not_accused(&["RACE-13"]);
    // Where either may do what is asked, as both did before, nobody does wrong.
    let shared = pushes(begun(), "globex", "acme", "item-4").rest().phase(Phase::Story);
    pushes(shared, "globex", "acme", "item-5").rest().is_not_accused(&["RACE-13"]);
}

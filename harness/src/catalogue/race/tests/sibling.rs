//! A call's 401 after another one's refresh, on hand-written histories.

use regrant_mock_server::authority::TokenState;

use crate::{
    evidence::{Outcome, Refreshing, TokenResult, Verb, What},
    judge::{
        WorkKind,
        testing::{late::*, *},
    },
};

const ID: &str = "RACE-11";
const DENIED: TokenState = TokenState::Rejected;

/// The story's units are carried by triggers; the second trigger's item was to be sent by the call that met 401.
fn pushed(story: Story) -> Story {
    let mut items = ["item-1", "item-2"].into_iter();
    let story = story.terms(|t| t.work = Some(WorkKind::Push)).with(|s| {
        let began = s.history.events.iter().position(|e| matches!(e.what, What::AccessRejected { .. })).expect("it is rejected");
        for event in &mut s.history.events[began..] {
            if let What::VerbCalled { item, verb: Verb::Trigger, .. } = &mut event.what
                && let Some(next) = items.next()
            {
                *item = Some(next.into());
            }
        }
    });
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::Api { delivered, .. } = &mut event.what {
                for unit in delivered.iter_mut().filter(|unit| *unit == "unit-2") {
                    *unit = "item-1".into();
                }
            }
        }
    })
}

#[test]
fn a_call_that_is_repeated_with_the_newer_token_passes() {
    goes_on(denied_late().mark("offence").delivers().rest()).passes(ID);
    // Where it cannot be seen when an answer was read, too.
    let afar = goes_on(denied_late().delivers().rest()).with(|s| {
        for event in &mut s.history.events {
            if let What::Read { exchange } = event.what {
                event.what = What::ReadUnknown { exchange };
            }
        }
    });
    afar.passes(ID);
}

#[test]
fn one_more_refresh_before_the_repetition_is_no_matter_here() {
    goes_on(denied_late().refreshes().delivers().rest()).passes(ID);
}

#[test]
fn work_that_is_done_anew_by_other_calls_passes() {
    let story = denied_late().reports(&["unit-3".into()]).rest();
    assert!(goes_on(story).passes(ID).reason.contains("done anew"));
}

#[test]
fn work_that_is_done_when_it_is_next_asked_for_was_put_off_and_decides_nothing() {
    goes_on(denied_late().rest()).undecided(ID, "unit-3 was done when work was asked for again: put off");
    // As long as nobody has asked, it may be about to begin; and who never rests may be about to repeat it.
    denied_late().rest().undecided(ID, "was not seen to be done later");
    goes_on(denied_late().no_rest()).undecided(ID, "did not come to rest");
}

#[test]
fn a_call_that_is_not_repeated_but_whose_work_was_done_by_the_other_one_decides_nothing() {
    let (story, second) = sibling_refreshed();
    let story = story.without(|e| matches!(&e.what, What::WorkAdded { units } if units == &["unit-3"]));
    goes_on(call_let_go(story, second, "access#1", 401).rest()).undecided(ID, "its work was done all the same");
}

#[test]
fn who_asked_and_is_refused_because_of_the_401_convicts() {
    let (story, call) = waits_for_the_answer(0);
    goes_on(told(story, call, 502).rest()).fails(ID, "who had asked for the work was refused");
    // Busy is an honest word, and a refusal that came before speaks of something else.
    let (story, call) = waits_for_the_answer(0);
    goes_on(told(story, call, 409).rest()).undecided(ID, "told to try again");
    let (story, call) = waits_for_the_answer(1);
    goes_on(told(story, call, 409).rest()).undecided(ID, "told to try again");
    let (story, second) = sibling_refreshed();
    let call = story.call();
    let story = story.with(|s| {
        for event in &mut s.history.events {
            if let What::VerbAnswered { call: of, outcome, status, .. } = &mut event.what
                && *of == call
            {
                (*outcome, *status) = (Outcome::Refused, Some(502));
            }
        }
    });
    let story = story.without(|e| matches!(&e.what, What::WorkAdded { units } if units == &["unit-3"]));
    goes_on(call_let_go(story, second, "access#1", 401).rest()).undecided(ID, "its work was done all the same");
    // Refused, and repeated all the same.
    let (story, call) = waits_for_the_answer(0);
    goes_on(told(story.delivers(), call, 502).rest()).passes(ID);
}

#[test]
fn an_item_that_was_handed_over_with_the_call_and_never_arrives_is_lost() {
    let lost = || pushed(goes_on(denied_late().rest().mark("offence")));
    lost().fails(ID, "item-2 was lost");
    pushed(denied_late().rest().works()).undecided(ID, "was not seen to be done later");
    let later = pushed(denied_late().rest().trigger().reports(&["item-2".into()]).answered(Outcome::Accepted).rest());
    later.undecided(ID, "item-2 was done when work was asked for again: put off");
    let at_once = pushed(denied_late().reports(&["item-2".into()]).rest());
    at_once.passes(ID);
    // It comes at the very end, after the user has logged in anew: whatever it waited for, it was not lost.
    let kept = pushed(goes_on(denied_late().rest()).trigger().reports(&["item-2".into()]).answered(Outcome::Accepted).rest());
    kept.undecided(ID, "was not seen to be done later");
    // Nothing at all was done when it was asked again.
    let idle = pushed(denied_late().rest().asked_in_vain(2).rest());
    idle.undecided(ID, "was not seen to be done later");
}

/// The call that met 401 named the unit that came last.
fn names_the_unit(story: Story) -> Story {
    story.with(|s| {
        let named = s.history.events.iter().rev().find_map(|event| match event.what {
            What::Api { exchange, status: 401, .. } => Some(exchange),
            _ => None,
        });
        for event in &mut s.history.events {
            if let What::Requested { exchange, units, .. } = &mut event.what
                && Some(*exchange) == named
            {
                *units = vec!["unit-3".into()];
            }
        }
    })
}

#[test]
fn a_unit_that_was_named_in_the_call_and_never_comes_is_lost() {
    let without_it = |story: Story| {
        story.with(|s| {
            for event in &mut s.history.events {
                if let What::Api { delivered, .. } = &mut event.what {
                    delivered.retain(|unit| unit != "unit-3");
                }
            }
        })
    };
    without_it(goes_on(names_the_unit(denied_late()).rest())).fails(ID, "unit-3 was lost");
    goes_on(names_the_unit(denied_late()).rest()).undecided(ID, "put off");
    // Nobody knows that the call was about it: that is RECOVER-02's to judge.
    without_it(goes_on(denied_late().rest())).undecided(ID, "was not seen to be done later");
}

#[test]
fn a_connection_that_is_over_owes_no_repetition() {
    let over = denied_late().refuses("refresh#1", "invalid_grant").gives_up().rest().asked_in_vain(2).rest();
    over.undecided(ID, "a further refresh did not succeed");
    let (story, first, second) = two_calls_held();
    let story = call_let_go(story, first, "access#1", 401).refreshes().calls_api(Some("access#2"), DENIED, 401).settled().adds_work(1);
    let story = call_let_go(story, second, "access#1", 401).rest().asked_in_vain(2).rest();
    story.undecided(ID, "no call succeeded with the newer token");
}

#[test]
fn a_401_that_was_not_late_or_not_read_decides_nothing() {
    // Both are denied before the refresh.
    let (story, first, second) = two_calls_held();
    let story = call_let_go(call_let_go(story, first, "access#1", 401), second, "access#1", 401);
    goes_on(story.refreshes().delivers().rest()).undecided(ID, "none was seen to read a 401");
    // The subject had hung up.
    let (story, second) = sibling_refreshed();
    let story = story.event(What::Aborted { exchange: second, by_subject: true }).rest();
    goes_on(story).undecided(ID, "none was seen to read a 401");
    // It was no 401.
    let (story, second) = sibling_refreshed();
    goes_on(call_let_go(story, second, "access#1", 200).rest()).undecided(ID, "none was seen to read a 401");
    // The call went out after the refresh, with the old token: that is another matter.
    let story = Story::connected().adds_work(1).rejected().trigger().api(401).refreshes().delivers();
    let story = story.calls_api(Some("access#1"), DENIED, 401).answered(Outcome::Accepted).rest();
    story.undecided(ID, "no call of the API was held");
}

#[test]
fn another_grants_refresh_makes_nothing_late() {
    let story = goes_on(denied_late().rest()).with(|s| {
        for event in &mut s.history.events {
            if let What::Token { grant_type: Some(kind), result: TokenResult::Issued { grant, .. }, .. } = &mut event.what
                && kind == "refresh_token"
            {
                *grant = 7;
            }
        }
    });
    story.undecided(ID, "none was seen to read a 401");
}

/// It calls in turn: one call is held, and none follows.
fn in_turn(triggers: u32) -> (Story, u64) {
    let story = Story::connected().adds_work(1).rejected();
    call_held((0..triggers).fold(story, |story, _| story.trigger().answered(Outcome::Accepted)))
}

#[test]
fn where_no_two_calls_overlap_it_does_not_apply() {
    let goes_on_in_turn = |story: Story, held| goes_on(call_let_go(story, held, "access#1", 401).refreshes().delivers().rest());
    let (story, held) = in_turn(2);
    goes_on_in_turn(story.settled(), held).not_applicable(ID);
    // Too little was asked for, or there was too little time, to say so.
    let (story, held) = in_turn(1);
    goes_on_in_turn(story.settled(), held).undecided(ID, "too little was asked for");
    let (story, held) = in_turn(2);
    goes_on_in_turn(story, held).undecided(ID, "too little was asked for");
    // Two that raced for a refresh: one of them never came to its call.
    let raced = Story::connected().adds_work(1).trigger().answered(Outcome::Accepted).trigger().answered(Outcome::Accepted);
    let (story, held) = call_held(raced.refreshes().refuses("refresh#1", "invalid_grant"));
    goes_on(call_let_go(story.settled(), held, "access#2", 200).rest()).undecided(ID, "too little was asked for, or could be done");
    // One who is told "busy" does not call, and one who is told of trouble might have.
    for (status, busy) in [(409, true), (502, false)] {
        let story = Story::connected().adds_work(1).rejected().trigger().answered(Outcome::Accepted).trigger();
        let call = story.call();
        let (story, held) = call_held(told(story, call, status));
        let story = goes_on_in_turn(story.settled(), held);
        if busy {
            story.not_applicable(ID);
        } else {
            story.undecided(ID, "too little was asked for, or could be done");
        }
    }
    Story::honest().undecided(ID, "no call of the API was held");
}

#[test]
fn a_subject_that_refreshes_by_its_clock_only_decides_nothing() {
    let (story, first, second) = two_calls_held();
    let story = call_let_go(call_let_go(story, first, "access#1", 200), second, "access#1", 200);
    let story = goes_on(story.rest()).with(|s| {
        for event in &mut s.history.events {
            if let What::StoryBegan { refreshing, .. } = &mut event.what {
                *refreshing = Refreshing::OnExpiry;
            }
        }
    });
    story.undecided(ID, "by its own clock only");
}

#[test]
fn where_the_kind_of_work_is_not_known_the_manifest_would_tell() {
    let finding = goes_on(denied_late().rest()).terms(|t| t.work = None).undecided(ID, "is not known");
    assert_eq!(finding.unlock.as_deref(), Some("work.kind"));
}

#[test]
fn a_repetition_answers_for_one_call_only() {
    // Three calls at once: two of them are late, and one is repeated.
    let asked = Story::connected().adds_work(1).rejected().trigger().answered(Outcome::Accepted);
    let (story, first) = call_held(asked);
    let (story, second) = call_held(story);
    let (story, third) = call_held(story);
    let story = call_let_go(story.settled(), first, "access#1", 401).refreshes().delivers().settled();
    let story = call_let_go(call_let_go(story, second, "access#1", 401), third, "access#1", 401);
    goes_on(story.clone().delivers().rest()).undecided(ID, "its work was done all the same");
    goes_on(story.delivers().delivers().rest()).passes(ID);
}

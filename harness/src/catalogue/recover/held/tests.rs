//! Data that stays visible, on hand-written histories.

use crate::{evidence::What, judge::testing::*};

/// From the event on that matches, so many records are shown.
fn shows(story: Story, from: impl Fn(&What) -> bool, records: Option<u64>) -> Story {
    story.with(|s| {
        let from = s.history.events.iter().position(|event| from(&event.what)).expect("is there");
        for event in &mut s.history.events[from..] {
            if let What::DataRead { count } = &mut event.what {
                *count = records;
            }
        }
    })
}

fn refused(what: &What) -> bool {
    matches!(what, What::Revoked { .. })
}

#[test]
fn data_that_stays_or_grows_passes() {
    Story::honest().passes("RECOVER-09");
    shows(Story::honest(), refused, Some(9)).passes("RECOVER-09");
}

#[test]
fn data_that_vanishes_fails() {
    let gone = shows(Story::honest(), refused, Some(0));
    gone.fails("RECOVER-09", "3 records were visible before the outage, and 0 during the outage");
    let back = |what: &What| matches!(what, What::Authorize { .. });
    let later = shows(Story::connected().dies().asked_in_vain(2).rest(), refused, Some(3));
    later.is_not_accused(&["RECOVER-09"]);
    let after = Story::honest().with(|s| {
        let last = s.history.events.iter().rposition(|e| back(&e.what)).expect("back");
        s.history.events[last..].iter_mut().for_each(|e| {
            if let What::DataRead { count } = &mut e.what {
                *count = Some(1);
            }
        });
    });
    after.fails("RECOVER-09", "and 1 after the reconnection");
}

#[test]
fn data_that_cannot_be_read_proves_nothing() {
    shows(Story::honest(), refused, None).undecided("RECOVER-09", "could not be read, or not be counted, during the outage");
    shows(Story::honest(), |_| true, Some(0)).undecided("RECOVER-09", "no data was visible before");
    shows(Story::honest(), |_| true, None).undecided("RECOVER-09", "no data was visible before");
    let unlock = Story::honest().terms(|t| t.data = false).undecided("RECOVER-09", "where the data").unlock;
    assert_eq!(unlock.as_deref(), Some("[data]"));
    Story::connected().dies().asked_in_vain(2).rest().undecided("RECOVER-09", "after the reconnection");
    let restless =
        shows(Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up(), refused_or_end, None);
    restless.is_not_accused(&["RECOVER-09"]);
}

fn refused_or_end(_: &What) -> bool {
    true
}

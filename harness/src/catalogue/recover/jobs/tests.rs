//! Export jobs in progress, on hand-written histories.

use crate::judge::{WorkKind, testing::*};

/// A job is begun, then the grant ends.
fn begun() -> Story {
    let story =
        Story::connected().adds_work(1).trigger().tells_of("job-1", "started", true).revoked().api(401).refused("invalid_grant").gives_up();
    story.answered(crate::evidence::Outcome::Accepted).rest().asked_in_vain(2).rest()
}

fn back(story: Story) -> Story {
    story.connects().works().rest()
}

#[test]
fn a_job_that_is_gone_on_with_passes() {
    back(begun()).tells_of("job-1", "completed", true).works().rest().passes("RECOVER-06");
    back(begun()).tells_of("job-1", "failed", true).works().rest().passes("RECOVER-06");
    back(begun()).tells_of("job-2", "started", true).tells_of("job-1", "completed", true).works().rest().passes("RECOVER-06");
}

#[test]
fn a_second_started_and_a_job_that_is_left_behind_fail() {
    for accepted in [true, false] {
        let again = back(begun()).tells_of("job-1", "started", accepted).tells_of("job-1", "completed", true);
        again.rest().fails("RECOVER-06", "started a second time");
    }
    back(begun()).works().rest().fails("RECOVER-06", "never resumed");
}

#[test]
fn what_was_not_begun_or_had_ended_proves_nothing() {
    Story::honest().undecided("RECOVER-06", "no export job");
    let refused = Story::connected().trigger().tells_of("job-1", "started", false).dies();
    back(refused).works().rest().undecided("RECOVER-06", "no export job");
    let done = Story::connected().trigger().tells_of("job-1", "started", true).tells_of("job-1", "completed", true).dies();
    back(done).works().rest().undecided("RECOVER-06", "no export job");
    begun().undecided("RECOVER-06", "did not reconnect");
    begun().connects().works().rest().undecided("RECOVER-06", "delivered once");
    begun().terms(|t| t.work = None).undecided("RECOVER-06", "what a unit of work is");
    begun().terms(|t| t.work = Some(WorkKind::Push)).not_applicable("RECOVER-06");
}

#[test]
fn a_subject_that_never_read_that_it_had_begun_is_not_accused() {
    let story = back(begun()).tells_of("job-1", "started", false).works().rest();
    let exchange = story.history.events.iter().find_map(|e| match e.what {
        crate::evidence::What::JobReported { exchange, .. } => Some(exchange),
        _ => None,
    });
    let unread = story.without(|e| matches!(e.what, crate::evidence::What::Read { exchange: it } if Some(it) == exchange));
    unread.undecided("RECOVER-06", "no export job");
}

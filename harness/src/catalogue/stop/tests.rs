//! STOP on hand-written histories.

use crate::judge::testing::*;

#[test]
fn an_honest_story_passes() {
    let story = Story::honest();
    for id in ["STOP-01", "STOP-02", "STOP-03"] {
        story.passes(id);
    }
    story.undecided("STOP-04", "after the restart `trigger` was delivered once");
}

#[test]
fn zz_overview() {
    let story = Story::honest();
    for r in crate::catalogue::all() {
        let f = story.finding(r.id);
        println!("{} {:?} {} {:?}", r.id, f.verdict, f.reason, f.evidence);
    }
}

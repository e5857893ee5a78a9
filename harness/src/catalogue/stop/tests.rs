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

//! Stories of odd answers: what the token endpoint and the API may say, and what a subject may make of it.

use regrant_mock_server::authority::{Cause, TokenState};

use super::Story;
use crate::evidence::*;

const DEAD: TokenState = TokenState::Revoked(Cause::User);

/// Honest stories.
pub(super) fn honest() -> Vec<Story> {
    vec![refused_in_other_words()]
}

/// Stories with a fault each, and what it breaks.
pub(super) fn faulty() -> Vec<(&'static str, Story)> {
    let end = |story: Story| story.asked_in_vain(1).rest().epilogue();
    let dead = |error| Story::connected().revoked().rejected().trigger().api(401).refused(error);
    let goes_on = dead("invalid_refresh_token").answered(Outcome::Accepted).rest();
    let goes_on = goes_on.trigger().calls_api(Some("access#1"), DEAD, 401).answered(Outcome::Accepted);
    let again = dead("invalid_grant").gives_up().answered(Outcome::Accepted).rest();
    let again = again.trigger().refuses("refresh#1", "invalid_grant").answered(Outcome::Accepted);
    vec![("DETECT-03", end(goes_on)), ("STOP-07", end(again))]
}

fn refused_in_other_words() -> Story {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_refresh_token").gives_up();
    story.answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue()
}

//! Stories of odd answers: what the token endpoint and the API may say, and what a subject may make of it.

use regrant_mock_server::authority::{Cause, TokenState};

use super::{Answer, Story};
use crate::evidence::*;

const DEAD: TokenState = TokenState::Revoked(Cause::User);

/// Honest stories.
pub(super) fn honest() -> Vec<Story> {
    vec![refused_in_other_words(), forbidden_for_a_while(), no_tokens_for_a_while()]
}

/// Stories with a fault each, and what it breaks.
pub(super) fn faulty() -> Vec<(&'static str, Story)> {
    let end = |story: Story| story.asked_in_vain(1).rest().epilogue();
    let dead = |error| Story::connected().revoked().rejected().trigger().api(401).refused(error);
    let goes_on = dead("invalid_refresh_token").answered(Outcome::Accepted).rest();
    let goes_on = goes_on.trigger().calls_api(Some("access#1"), DEAD, 401).answered(Outcome::Accepted);
    let again = dead("invalid_grant").gives_up().answered(Outcome::Accepted).rest();
    let again = again.trigger().refuses("refresh#1", "invalid_grant").answered(Outcome::Accepted);
    let loops = (0..9).fold(needs_refresh(), |story, _| story.refreshes().denied(403)).answered(Outcome::Accepted).rest();
    let purges = needs_refresh().refreshes().denied(403).gives_up().answered(Outcome::Accepted).rest().asked_in_vain(2).rest();
    let stores = needs_refresh().faulted(Answer::Unusable).calls_api(Some("undefined"), TokenState::Unknown, 401).nobodys_token();
    vec![
        ("DETECT-03", end(goes_on)),
        ("STOP-07", end(again)),
        ("DETECT-05", loops.epilogue()),
        ("DETECT-06", purges.epilogue()),
        (
            "DETECT-08",
            stores.answered(Outcome::Accepted).rest().trigger().refreshes().delivers().answered(Outcome::Accepted).rest().epilogue(),
        ),
    ]
}

impl Story {
    /// A call that is denied though its token is good.
    pub(crate) fn denied(self, status: u16) -> Self {
        let (access, _) = self.newest();
        self.calls_api(Some(&access), TokenState::Active, status)
    }

    /// What the last request presented was never issued.
    pub(crate) fn nobodys_token(mut self) -> Self {
        let presented = self.history.events.iter_mut().rev().find_map(|event| match &mut event.what {
            What::Api { presented, .. } | What::Token { presented, .. } => presented.as_mut(),
            _ => None,
        });
        if let Some(presented) = presented {
            *presented = Presentation { token: None, grant: None, state: TokenState::Unknown };
        }
        self
    }
}

/// Asked to work; the first call meets a 401.
fn needs_refresh() -> Story {
    Story::connected().adds_work(1).rejected().trigger().api(401)
}

/// The API answers 403 for a while, even to a fresh token.
fn forbidden_for_a_while() -> Story {
    let story = needs_refresh().refreshes().denied(403).refreshes().denied(403).log("ERROR Pleo answered 403: a right is missing");
    let story = story.answered(Outcome::Accepted).rest().trigger().denied(403).answered(Outcome::Accepted).rest();
    story.works().rest().epilogue()
}

/// The token endpoint answers 200 for a while, and gives no tokens.
fn no_tokens_for_a_while() -> Story {
    let story = needs_refresh().faulted(Answer::Unusable).answered(Outcome::Accepted).rest();
    let story = story.trigger().faulted(Answer::Unusable).answered(Outcome::Accepted).rest();
    story.trigger().refreshes().delivers().answered(Outcome::Accepted).rest().works().rest().epilogue()
}

fn refused_in_other_words() -> Story {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_refresh_token").gives_up();
    story.answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue()
}

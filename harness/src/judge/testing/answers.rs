//! Stories of odd answers: what the token endpoint and the API may say, and what a subject may make of it.

use regrant_mock_server::{
    authority::{Cause, TokenState},
    journal::AuthStyle,
};

use super::{Answer, Story};
use crate::evidence::*;

const DEAD: TokenState = TokenState::Revoked(Cause::User);

/// Honest stories.
pub(super) fn honest() -> Vec<Story> {
    vec![
        refused_in_other_words(),
        forbidden_for_a_while(),
        no_tokens_for_a_while(),
        unusual("tokens=odd"),
        unusual("expires_in=huge"),
        without_refresh_token("refresh_token=absent"),
        fewer_scopes(1),
    ]
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
        ("REFRESH-05", end(spoils_tokens())),
        ("REFRESH-06", end(needs_refresh().reshapes("expires_in=absent", true).gives_up().answered(Outcome::Accepted).rest())),
        ("REFRESH-07", end(loses_refresh_token("refresh_token=absent"))),
        ("REFRESH-11", fewer_scopes(30)),
        ("DETECT-05", loops.epilogue()),
        ("DETECT-06", purges.epilogue()),
        (
            "DETECT-08",
            stores.answered(Outcome::Accepted).rest().trigger().refreshes().delivers().answered(Outcome::Accepted).rest().epilogue(),
        ),
    ]
}

impl Story {
    /// A refresh whose answer has an odd form; with a new refresh token or without.
    pub(crate) fn reshapes(mut self, form: &str, rotates: bool) -> Self {
        let (_, spent) = self.newest();
        self.pair += 1;
        let (access, next) = self.newest();
        let kept = if rotates { next.clone() } else { spent.clone() };
        self.subject.keeps = vec![access.clone(), kept];
        let answer = Answer::Tokens(access, rotates.then_some(next));
        let story = self.token_asked();
        let exchange = story.exchange();
        let story = story.event(What::Faulted { rule: Some(1), exchange, fate: format!("reshape {form}"), committed: false });
        story
            .token_decided("refresh_token", Some(&spent), AuthStyle::Basic, &answer)
            .token_answered(answer)
            .log("2026-01-01T10:00:00Z INFO the access token was refreshed")
    }

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

/// Two refreshes with such an answer, all used.
pub(crate) fn unusual(form: &str) -> Story {
    let story = needs_refresh().reshapes(form, true).delivers().answered(Outcome::Accepted).rest().works().rest();
    let story = story.rejected().trigger().api(401).reshapes(form, true).delivers().answered(Outcome::Accepted).rest();
    story.works().rest().epilogue()
}

/// An answer without a refresh token; the one before is kept and used.
pub(crate) fn without_refresh_token(form: &str) -> Story {
    let story = needs_refresh().reshapes(form, false).delivers().answered(Outcome::Accepted).rest().works().rest();
    let pair = Answer::Tokens("access#3".into(), Some("refresh#3".into()));
    let story = story.rejected().trigger().api(401).token_request("refresh_token", Some("refresh#1"), AuthStyle::Basic, pair);
    let story = story.with(|s| {
        s.pair = 3;
        s.subject.keeps = vec!["access#3".into(), "refresh#3".into()];
    });
    story
        .log("2026-01-01T10:00:00Z INFO the access token was refreshed")
        .delivers()
        .answered(Outcome::Accepted)
        .rest()
        .works()
        .rest()
        .epilogue()
}

/// An answer without a refresh token; nothing is left to refresh with.
pub(crate) fn loses_refresh_token(form: &str) -> Story {
    let story = needs_refresh().reshapes(form, false).delivers().answered(Outcome::Accepted).rest();
    story.rejected().trigger().api(401).gives_up().answered(Outcome::Accepted).rest().asked_in_vain(2).rest()
}

/// Tokens with fewer scopes; so many calls are denied for each stimulus.
pub(crate) fn fewer_scopes(calls: u32) -> Story {
    let denied = |story: Story| (0..calls).fold(story, |story, _| story.denied(403)).log("WARN 403: a scope is missing");
    let story = denied(needs_refresh().reshapes("scopes=1", true)).answered(Outcome::Accepted).rest();
    denied(story.trigger()).answered(Outcome::Accepted).rest().epilogue()
}

/// It sends back something else than it was given.
pub(crate) fn spoils_tokens() -> Story {
    let story = needs_refresh().reshapes("tokens=odd", true);
    story.calls_api(Some("access#2"), TokenState::Unknown, 401).nobodys_token().answered(Outcome::Accepted).rest()
}

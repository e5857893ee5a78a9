//! Stories of two connections that refresh at the same time.

use regrant_mock_server::journal::AuthStyle;

use super::{Answer, Story, gallery::two_connected};
use crate::evidence::{Outcome, Reply, What};

impl Story {
    /// The pair after the newest.
    fn next_pair(&self) -> Answer {
        let next = self.pair + 1;
        Answer::Tokens(format!("access#{next}"), Some(format!("refresh#{next}")))
    }

    /// It has been given, and is stored.
    fn has_next(&mut self) {
        self.pair += 1;
        let (access, refresh) = self.newest();
        self.subject.keeps = vec![access, refresh];
    }

    /// The number of the newest pair.
    fn number(&self) -> u32 {
        self.pair
    }

    /// Changes the newest event that is meant.
    pub(crate) fn amends(&mut self, mut change: impl FnMut(&mut What)) {
        let newest =
            self.history.events.iter_mut().rev().find(|event| matches!(event.what, What::VerbCalled { .. } | What::Requested { .. }));
        newest.into_iter().for_each(|event| change(&mut event.what));
    }
}

/// A connection refreshes alone, and goes on.
pub(crate) fn alone(story: Story, name: &'static str) -> Story {
    story.of(name).rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest()
}

/// Both have refreshed alone and worked on.
pub(crate) fn each_alone() -> Story {
    alone(alone(two_connected(), "acme"), "globex").of("acme").works().of("globex").works().rest()
}

/// This one's refresh is decided and held; its number.
pub(crate) fn asks(story: Story, name: &'static str) -> (Story, u64) {
    let story = story.of(name).rejected().trigger().answered(Outcome::Accepted).api(401);
    let ((_, spent), next) = (story.newest(), story.next_pair());
    let story = story.token_asked();
    let exchange = story.exchange();
    let story = story.token_decided("refresh_token", Some(&spent), AuthStyle::Basic, &next);
    let fault = What::Faulted { rule: Some(1), exchange, fate: "hold both".into(), committed: true };
    (story.event(fault).event(What::Held { exchange, gate: "both".into() }), exchange)
}

/// Its answer is let go and read.
pub(crate) fn gets(story: Story, name: &'static str, exchange: u64) -> Story {
    let story = story.of(name);
    let Answer::Tokens(access, refresh) = story.next_pair() else { unreachable!("it is a pair") };
    let reply = Reply::Tokens { access, refresh, expires_in: Some(7_200) };
    story
        .with(Story::has_next)
        .events([What::Released { exchange, dropped: false }, What::Replied { exchange, status: 200, reply }, What::Read { exchange }])
        .log("2026-01-01T10:00:00Z INFO the access token was refreshed")
}

/// Both are held at once, and both are answered.
pub(crate) fn both(story: Story) -> Story {
    let (story, acme) = asks(story, "acme");
    let (story, globex) = asks(story, "globex");
    gets(gets(story.settled(), "acme", acme), "globex", globex)
}

/// Both are asked, and work with the tokens that they have.
pub(crate) fn both_work(story: Story) -> Story {
    story.of("acme").works().works().of("globex").works().works().rest()
}

/// This one goes back to what its refresh has replaced, is refused, and ends.
pub(crate) fn goes_back(story: Story, name: &'static str) -> Story {
    let story = story.of(name).trigger();
    let spent = format!("refresh#{}", story.number() - 1);
    story.refuses(&spent, "invalid_grant").gives_up().answered(Outcome::Accepted).trigger().answered(Outcome::Accepted).rest()
}

/// Both pairs are kept, also over a restart.
pub(crate) fn kept() -> Story {
    both_work(both_work(both(each_alone()).rest()).restarted())
}

/// The second one's pair is lost.
pub(crate) fn lost() -> Story {
    goes_back(both(each_alone()).rest().of("acme").works().works(), "globex")
}

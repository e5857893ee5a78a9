//! Stories of several processes that share a store.

use super::{Answer, Story};
use crate::evidence::{Instance, Outcome, Phase, Reply, What};
use regrant_mock_server::journal::AuthStyle;

impl Story {
    /// What follows is done by this process, and asked of it.
    pub(crate) fn by(self, instance: Instance) -> Self {
        self.with(|story| story.instance = Some(instance))
    }

    /// Two processes share the store; each has worked.
    pub(crate) fn two_processes() -> Self {
        let story = Self::new().terms(|t| t.processes = Some(2)).began().by(0).started().by(1).started();
        story.by(0).connects().adds_work(1).works().by(1).works().by(0).rest().phase(Phase::Story)
    }

    /// One of the two was refused, the other one finds out by a call of its own.
    pub(crate) fn both_learn(self) -> Self {
        self.by(0).dies().by(1).trigger().api(401).log("WARN work waits in the queue").answered(Outcome::Accepted).rest()
    }

    /// Work is asked of both, and held.
    pub(crate) fn both_asked_in_vain(self) -> Self {
        self.by(0).asked_in_vain(2).by(1).asked_in_vain(2).rest()
    }

    /// Both are restarted, asked in vain, and work again once the user is back.
    pub(crate) fn both_come_back(self) -> Self {
        let story = self.by(0).phase(Phase::Epilogue).rest().restarted().by(1).started();
        let story = story.by(0).asked_in_vain(1).by(1).asked_in_vain(1).rest();
        story.by(0).connects().works().by(1).works().rest().by(0).works().by(1).works().rest().by(0).works().by(1).works().rest().stopped()
    }

    /// A refresh of the first process is committed and held; its number.
    pub(crate) fn first_refreshes(self) -> (Self, u64) {
        let story = self.by(0).adds_work(1).rejected().trigger().api(401).token_asked();
        let (exchange, pair) = (story.exchange(), Answer::Tokens("access#2".into(), Some("refresh#2".into())));
        let story = story.token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, &pair);
        let held = [
            What::Faulted { rule: Some(1), exchange, fate: "hold refresh".into(), committed: true },
            What::Held { exchange, gate: "refresh".into() },
        ];
        (story.events(held), exchange)
    }

    /// Its reply is let go and read; the new pair is stored.
    pub(crate) fn first_goes_on(self, exchange: u64) -> Self {
        let reply = Reply::Tokens { access: "access#2".into(), refresh: Some("refresh#2".into()), expires_in: Some(900) };
        let story = self.with(|s| (s.pair, s.subject.keeps) = (2, vec!["access#2".into(), "refresh#2".into()]));
        story
            .events([What::Released { exchange, dropped: false }, What::Replied { exchange, status: 200, reply }, What::Read { exchange }])
            .log("2026-01-01T10:00:00Z INFO the access token was refreshed")
    }

    /// Two processes need one refresh, and make one.
    pub(crate) fn one_refresh_of_two() -> Self {
        let (story, exchange) = Self::two_processes().first_refreshes();
        let story = story.answered(Outcome::Accepted).asked_in_vain(2).by(1).asked_in_vain(2);
        let story = story.by(0).first_goes_on(exchange).delivers().rest();
        story.by(1).works().by(0).works().rest().both_come_back()
    }

    /// The first process is stopped in the middle of its refresh; its number.
    pub(crate) fn first_is_paused() -> (Self, u64) {
        let (story, exchange) = Self::two_processes().first_refreshes();
        (story.answered(Outcome::Accepted).event(What::Paused { instance: Some(0) }), exchange)
    }

    /// The other one is asked for work, refreshes for itself, and works with what it was given.
    pub(crate) fn other_takes_over(self) -> Self {
        let pair = Answer::Tokens("access#3".into(), Some("refresh#3".into()));
        let story = self.by(1).trigger().api(401).token_request("refresh_token", Some("refresh#1"), AuthStyle::Basic, pair);
        story.holds(3).delivers().answered(Outcome::Accepted).asked_in_vain(1).settled()
    }

    /// The other one is asked for work, and waits as long as the story does.
    pub(crate) fn other_waits(self) -> Self {
        self.by(1).trigger().api(401).answered(Outcome::Accepted).after(5_000).settled()
    }

    /// It goes on, and has read its answer.
    pub(crate) fn first_wakes(self, exchange: u64) -> Self {
        let pair = self.pair;
        self.by(0).event(What::Continued).first_goes_on(exchange).holds(pair)
    }

    /// This pair is what counts from now on.
    pub(crate) fn holds(self, pair: u32) -> Self {
        self.with(|s| {
            s.pair = pair;
            let (access, refresh) = s.newest();
            s.subject.keeps = vec![access, refresh];
        })
    }

    /// Both are asked to work, restarted, and asked again; then the user reconnects.
    pub(crate) fn both_work_on(self) -> Self {
        let story = self.rest().by(0).adds_work(1).works().works().by(1).works().works().rest();
        story.both_are_restarted()
    }

    /// Both are restarted, and asked to work; then the user reconnects.
    pub(crate) fn both_are_restarted(self) -> Self {
        let story = self.by(0).phase(Phase::Epilogue).rest().restarted().by(1).started();
        let story = story.by(0).works().by(1).works().rest();
        story.by(0).with(|s| s.pair = 10).connects().works().by(1).works().rest().by(0).works().by(1).works().rest().stopped()
    }

    /// One is paused in the middle of a refresh, the other one waits for it.
    pub(crate) fn waited_for_the_paused() -> Self {
        let (story, exchange) = Self::first_is_paused();
        story.other_waits().first_wakes(exchange).holds(2).delivers().both_work_on()
    }

    /// The user revokes access under two processes, and both stop.
    pub(crate) fn both_stop() -> Self {
        Self::two_processes().both_learn().both_asked_in_vain().both_come_back()
    }
}

/// Honest stories.
pub(crate) fn honest() -> Vec<Story> {
    vec![
        Story::one_refresh_of_two(),
        Story::waited_for_the_paused(),
        Story::two_processes().by(0).dies().both_asked_in_vain().both_come_back(),
    ]
}

/// Stories that break a requirement each.
pub(crate) fn faulty() -> Vec<(&'static str, Story)> {
    let again = Story::two_processes().by(0).dies().by(1).trigger().api(401).refuses("refresh#1", "invalid_grant");
    let (story, exchange) = Story::two_processes().first_refreshes();
    let two = story.answered(Outcome::Accepted).asked_in_vain(2).by(1).trigger().refuses("refresh#1", "invalid_grant");
    let (paused, held) = Story::first_is_paused();
    let overwritten = paused.other_takes_over().first_wakes(held).holds(2).delivers().both_work_on();
    vec![
        ("RACE-09", overwritten),
        ("STOP-05", again.answered(Outcome::Accepted).rest().by(0).asked_in_vain(1).by(1).asked_in_vain(1).rest().both_come_back()),
        ("RACE-02", two.answered(Outcome::Accepted).by(0).first_goes_on(exchange).delivers().rest().both_come_back()),
    ]
}

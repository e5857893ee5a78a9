//! Whole stories of every kind, upright and not.

mod trouble;

use regrant_mock_server::{
    authority::{Cause, TokenState},
    fault::scenario::Status,
    journal::AuthStyle,
};

use super::{
    Answer, Story, found,
    late::{
        dead_on_arrival, denied_late, doubled, goes_on, held_pair, reconnected_first, refused_for_a_late_denial,
        works_now_and_after_a_restart,
    },
};
use crate::{evidence::*, judge::NewSecret};

const DEAD: TokenState = TokenState::Revoked(Cause::User);

/// Honest stories: together they decide every requirement.
pub(crate) fn honest() -> Vec<Story> {
    vec![
        Story::honest(),
        Story::connected().dies().asked_in_vain(2).rest().restarted().asked_in_vain(2).rest().comes_back(),
        Story::connected().dies().declines(2).rest().restarted().declines(2).rest().comes_back().restarted().works().rest().comes_back(),
        busy(),
        outage(),
        held_refresh(),
        refreshed_and_killed(),
        logins(),
        barred(),
        dead_with_the_old_secret(),
        overlapping_secrets(),
        odd_secret(),
        works_now_and_after_a_restart(reconnected_first(&Answer::Refused("invalid_grant".into()))),
        works_now_and_after_a_restart(reconnected_first(&held_pair())),
        dead_on_arrival().refused("invalid_grant").gives_up().rest().asked_in_vain(2).rest().epilogue(),
        works_now_and_after_a_restart(doubled()),
        refused_as_invalid_token(),
        by_the_clock(),
        without_rotation(),
        seen_from_afar(),
        one_shot(),
        with_a_timer(),
        loser_of_a_race(),
        forbidden(),
        disconnected(),
        one_of_two_ends(),
        lingering(),
        lost_twice(),
        denied_login(),
        failed_exchange(),
        brought_back(),
        another_company(),
        job_in_progress(),
        answered_meanwhile(),
        goes_on(denied_late().delivers().rest()),
        super::caller::hangs_up(),
        super::neighbours::kept(),
    ]
    .into_iter()
    .chain(super::answers::honest())
    .chain(super::several::honest())
    .chain(trouble::honest())
    .collect()
}

/// Access is lost, restored, and lost again; an operator's log tells of each.
fn lost_twice() -> Story {
    let outage = |story: Story| story.dies().asked_in_vain(2).rest().restarted().asked_in_vain(2).rest();
    let story = outage(outage(Story::connected()).comes_back()).comes_back().stopped();
    story.terms(|t| t.prompt_log = Some("reauthentication required".into()))
}

/// The user takes their time at the consent page, and storage is searched meanwhile.
fn lingering() -> Story {
    let mut story = Story::connected().sets_out().authorizes();
    let callback = story.history.events.pop().expect("the callback");
    let kept = story.subject.keeps.clone();
    let story = story.with(|s| s.subject.keeps.push("state#2".into())).settled().scan().with(|s| s.subject.keeps = kept);
    story.event(callback.what).exchanges().arrives().rest().works().rest().epilogue()
}

/// It refreshes by the clock only.
fn by_the_clock() -> Story {
    let turn = |story: Story| story.after(2_500).trigger().refreshes().delivers().answered(Outcome::Accepted).rest();
    let story = turn(turn(Story::connected())).after(2_500).revoked().trigger().refused("invalid_grant").gives_up();
    story.answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue()
}

/// Answers carry no refresh token and no lifetime.
fn without_rotation() -> Story {
    let story = Story::connected().rejected().trigger().api(401);
    let kept = Answer::Tokens("access#2".into(), None);
    let story = story.token_request("refresh_token", Some("refresh#1"), AuthStyle::Basic, kept);
    let story = story.log("2026-01-01T10:00:00Z INFO the access token was refreshed");
    let story = story.with(|s| s.subject.keeps = vec!["access#2".into(), "refresh#1".into()]);
    let story = story.calls_api(Some("access#2"), TokenState::Active, 200).answered(Outcome::Accepted).rest();
    let story =
        story.revoked().rejected().trigger().calls_api(Some("access#2"), DEAD, 401).refuses("refresh#1", "invalid_grant").gives_up();
    let story = story.answered(Outcome::Accepted).rest().asked_in_vain(2).rest().with(|s| s.pair = 2).epilogue();
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::Replied { reply: Reply::Tokens { expires_in, .. }, .. } = &mut event.what {
                *expires_in = None;
            }
        }
    })
}

/// It runs on another host: when it reads cannot be seen.
fn seen_from_afar() -> Story {
    Story::honest().with(|s| {
        for event in &mut s.history.events {
            if let What::Read { exchange } = event.what {
                event.what = What::ReadUnknown { exchange };
            }
        }
    })
}

/// Each trigger runs it anew; there is no process to restart.
fn one_shot() -> Story {
    let story = Story::connected().dies().asked_in_vain(2).rest().comes_back();
    let story = story.without(|e| matches!(e.what, What::ProcessStarted { .. } | What::ProcessReady { .. } | What::ProcessStopping { .. }));
    story.terms(|t| {
        t.one_shot = true;
        t.restartable = false;
    })
}

fn with_a_timer() -> Story {
    let story = Story::connected().after(2_500).api(200).after(2_000).api(200).dies().asked_in_vain(2).after(4_500).rest();
    story.epilogue().after(2_500).api(200).terms(|t| t.period = Some(Some(2_000_000)))
}

/// Two workers refresh at once; the one that is refused finds the newer token in the store.
fn loser_of_a_race() -> Story {
    let story = Story::connected().rejected().trigger().api(401).refreshes().refuses("refresh#1", "invalid_grant").delivers();
    story.answered(Outcome::Accepted).rest().works().rest().dies().asked_in_vain(2).rest().epilogue()
}

/// Its library tries the second client authentication style whenever the first is refused.
pub(crate) fn prober() -> Story {
    let refused = || Answer::Refused("invalid_grant".into());
    let story = Story::connected().revoked().rejected().trigger().api(401);
    let story = story.token_request("refresh_token", Some("refresh#1"), AuthStyle::Basic, refused());
    let story = story.token_request("refresh_token", Some("refresh#1"), AuthStyle::Body, refused()).gives_up();
    story.answered(Outcome::Accepted).rest().declines(2).rest().restarted().declines(2).rest().comes_back()
}

/// The first sign is a 403.
fn forbidden() -> Story {
    let story = Story::connected().revoked().trigger().calls_api(Some("access#1"), DEAD, 403).refused("invalid_grant").gives_up();
    story.answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue()
}

/// The user disconnects, is told so, Pleo too, and connects anew later; nothing was refused.
fn disconnected() -> Story {
    let story = Story::connected().disconnects().with(|s| {
        s.subject.says = Some(Status::Disconnected);
        s.subject.keeps.clear();
        s.subject.page = ("Connect to Pleo".into(), Says::No, true);
    });
    story.bids_farewell(204).answered(Outcome::Accepted).rest().declines(2).rest().comes_back()
}

/// The user denies while all is well, later while all is lost, and consents at last.
fn denied_login() -> Story {
    let denies = |story: Story| {
        let story = story.called(Verb::Connect, Some(Wanted::Deny), None).authorize_request(Authorized::Sent("access_denied".into()));
        let callback = What::CallbackDelivered { call: story.call(), forged: false, status: None, code: None };
        story.event(callback).answered(Outcome::Refused).rest()
    };
    let story = denies(Story::connected()).works().rest().dies();
    denies(story).asked_in_vain(2).rest().comes_back()
}

/// A login fails while all is well; the old pair is used on.
fn failed_exchange() -> Story {
    let story = Story::connected().sets_out().authorizes();
    let story = story.token_request("authorization_code", Some("code#2"), AuthStyle::Basic, Answer::Refused("invalid_grant".into()));
    let story = story.answered(Outcome::Refused).with(|s| s.grant = 1).rest();
    story.works().rest().restarted().works().works().rest()
}

/// The user sets out from a page, and comes back there; there is one connection all the time.
fn brought_back() -> Story {
    let story = Story::connected().dies().asked_in_vain(2).rest().sets_out().authorizes().exchanges();
    let call = story.call();
    let story = story.event(What::Returned { call, to: "/report".into(), there: true }).arrives().works().rest().works().rest();
    story.terms(|t| t.prompt_from = true).with(|s| {
        for event in &mut s.history.events {
            match &mut event.what {
                What::StatusRead { count, .. } => *count = Some(1),
                What::PromptRead(page) if page.leads_to_authorize => (page.actions, page.fields) = (Some(1), Some(0)),
                _ => {}
            }
        }
    })
}

/// The user comes back for another company first; the subject finds out and asks again.
fn another_company() -> Story {
    let story = Story::connected().dies().asked_in_vain(2).rest().sets_out();
    let call = story.call();
    let story = story.event(What::OtherCompany { call, company: 2 }).authorizes().exchanges().arrives();
    let story = story.trigger().api(200).gives_up().answered(Outcome::Accepted).rest();
    story.asked_in_vain(2).rest().comes_back()
}

/// A job was reported as started when the grant ended; it is completed later.
fn job_in_progress() -> Story {
    let story = Story::connected().adds_work(1).trigger().tells_of("job-1", "started", true).revoked().api(401).refused("invalid_grant");
    let story = story.gives_up().answered(Outcome::Accepted).rest().asked_in_vain(2).rest();
    story.connects().works().tells_of("job-1", "completed", true).rest().works().rest()
}

/// A refresh hangs, and everybody is answered all the same.
fn answered_meanwhile() -> Story {
    let story = Story::connected().rejected().trigger().answered(Outcome::Accepted).api(401).token_asked();
    let exchange = story.exchange();
    let story = story.event(What::Faulted { exchange, fate: "hang".into(), committed: false, rule: Some(1) }).looks().asked_in_vain(1);
    let story = story.token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, &Answer::Dropped);
    let story = story.event(What::Aborted { exchange, by_subject: true }).event(What::RuleEnded { rule: 1 }).rest();
    story.trigger().refreshes().delivers().answered(Outcome::Accepted).rest().works().rest()
}

/// Two connections; the second one's grant ends and the subject does what is right, while the first one works on.
pub(crate) fn one_of_two_ends() -> Story {
    two_connected()
        .of("globex")
        .revoked()
        .rejected()
        .trigger()
        .api(401)
        .refused("invalid_grant")
        .gives_up()
        .answered(Outcome::Accepted)
        .rest()
        .of("acme")
        .works()
        .rest()
        .of("globex")
        .asked_in_vain(2)
        .rest()
        .phase(Phase::Epilogue)
        .restarted()
        .asked_in_vain(1)
        .of("acme")
        .works()
        .rest()
        .of("globex")
        .comes_back()
}

pub(crate) fn two_connected() -> Story {
    let story = Story::new().began().started().of("acme").connects().of("globex").connects();
    story.of("acme").works().rest().of("globex").works().rest().phase(Phase::Story)
}

/// The second one's grant has ended, and with it something of the first one's.
fn both_suffer(what: impl FnOnce(Story) -> Story) -> Story {
    let story = two_connected().of("globex").revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
    let story = what(story.answered(Outcome::Accepted).of("acme"));
    story.rest().asked_in_vain(2).rest().of("globex").rest().asked_in_vain(2).rest()
}

/// Stories with a fault each, and what it breaks.
pub(crate) fn faulty() -> Vec<(&'static str, Story)> {
    let dead = || Story::connected().dies();
    let calls = |story: Story| story.trigger().calls_api(Some("access#1"), DEAD, 401).answered(Outcome::Accepted);
    let presents = |story: Story| story.trigger().refuses("refresh#1", "invalid_grant").answered(Outcome::Accepted);
    let end = |story: Story| story.asked_in_vain(1).rest().epilogue();
    let lies = dead().with(|s| s.subject.says = Some(Status::Connected)).rest();
    let keeps = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
    let keeps = keeps.with(|s| s.subject.keeps = vec!["access#1".into(), "refresh#1".into()]).answered(Outcome::Accepted).rest();
    let mute = dead().without(|e| e.n > 46 && matches!(e.what, What::Log { .. }));
    let purges =
        Story::connected().rejected().trigger().faulted(Answer::Unavailable).with(|s| s.subject.keeps.clear()).answered(Outcome::Accepted);
    let hammers = Story::connected().rejected().trigger();
    let hammers = (0..25).fold(hammers, |story, _| story.faulted(Answer::Unavailable)).answered(Outcome::Accepted);
    let leak = Story::connected().log("a line with a token");
    let line = u32::try_from(leak.history.events.len()).expect("short");
    let leak = leak.event(What::CanarySeen { found: found("access#1", Place::Log(LogStream::Stdout)), seen: line });
    vec![
        ("STOP-01", end(calls(dead()))),
        ("STOP-02", end(presents(dead()))),
        ("RACE-11", refused_for_a_late_denial()),
        ("RACE-13", super::neighbours::lost()),
        ("STOP-03", end(calls(dead()))),
        ("STOP-04", end(calls(dead().asked_in_vain(2).rest().restarted()))),
        ("PURGE-01", end(calls(dead().asked_in_vain(2).rest().restarted()))),
        ("PURGE-02", end(presents(dead().asked_in_vain(2).rest().restarted()))),
        ("PURGE-03", keeps.clone().asked_in_vain(2).rest().epilogue()),
        ("PURGE-04", keeps.asked_in_vain(2).rest().epilogue()),
        ("MARK-01", lies.asked_in_vain(2).rest().epilogue()),
        ("LOG-01", mute.rest().trigger().answered(Outcome::Accepted).rest()),
        ("RETRY-01", purges.rest().trigger().refreshes().delivers().answered(Outcome::Accepted).rest()),
        ("RETRY-02", hammers.rest()),
        ("SECRET-01", leak.rest()),
        ("MARK-04", both_suffer(Story::gives_up)),
        ("PURGE-07", both_suffer(Story::gives_up)),
        ("RECOVER-08", dead().crashed(1).rest()),
        ("PURGE-08", superseded_stays()),
        ("PURGE-09", Story::connected().disconnects().bids_farewell(500).answered(Outcome::Refused).rest()),
        ("REAUTH-06", denied_login().with(forgets_at_the_denial)),
        ("REAUTH-04", dead().sets_out().authorizes().exchanges().exchanges().arrives().rest()),
    ]
    .into_iter()
    .chain(super::answers::faulty())
    .chain(super::several::faulty())
    .chain(trouble::faulty())
    .collect()
}

/// After the first denial it says that it is not connected.
fn forgets_at_the_denial(story: &mut Story) {
    let mut denied = false;
    for event in &mut story.history.events {
        match &mut event.what {
            What::VerbCalled { wanted: Some(Wanted::Deny), .. } => denied = true,
            What::Revoked { .. } => break,
            What::StatusRead { state, .. } if denied => *state = Some(Status::Disconnected),
            _ => {}
        }
    }
}

/// The refreshed pair is stored beside the one before.
fn superseded_stays() -> Story {
    let story = Story::connected().rejected().trigger().api(401).refreshes().delivers();
    story.with(|s| s.subject.keeps.push("refresh#1".into())).answered(Outcome::Accepted).rest().works().rest()
}

fn busy() -> Story {
    let story = Story::connected().adds_work(1).dies().adds_work(2).asked_in_vain(2).rest().restarted().asked_in_vain(1).rest();
    story.comes_back()
}

fn outage() -> Story {
    let story = Story::connected().adds_work(1).rejected();
    let story = (0..3).fold(story, |story, _| {
        story.trigger().faulted(Answer::Unavailable).log("WARN token endpoint unavailable").answered(Outcome::Accepted).rest()
    });
    let story = story.trigger().refreshes().delivers().answered(Outcome::Accepted).rest().works().rest();
    story.dies().asked_in_vain(2).rest().epilogue()
}

fn held_refresh() -> Story {
    let story = Story::connected().adds_work(1).rejected().trigger().api(401).token_asked();
    let exchange = story.exchange();
    let pair = Answer::Tokens("access#2".into(), Some("refresh#2".into()));
    let story = story.token_decided("refresh_token", Some("refresh#1"), AuthStyle::Basic, &pair);
    let story = story.event(What::Held { exchange, gate: "refresh".into() });
    let story = (0..4).fold(story, |story, _| story.trigger().answered(Outcome::Accepted));
    let story = story.with(|s| (s.pair, s.subject.keeps) = (2, vec!["access#2".into(), "refresh#2".into()]));
    let story = story.event(What::Released { exchange, dropped: false });
    let reply = Reply::Tokens { access: "access#2".into(), refresh: Some("refresh#2".into()), expires_in: Some(900) };
    let story = story.event(What::Replied { exchange, status: 200, reply }).event(What::Read { exchange });
    let story = story.log("2026-01-01T10:00:00Z INFO the access token was refreshed");
    story.delivers().rest().adds_work(1).works().works().rest().epilogue()
}

fn refreshed_and_killed() -> Story {
    let refreshed = |story: Story| story.rejected().trigger().api(401).refreshes().delivers();
    let story = refreshed(Story::connected()).answered(Outcome::Accepted).rest().works().rest();
    let story = refreshed(story).killed().answered(Outcome::NoAnswer).started();
    refreshed(story).answered(Outcome::Accepted).rest().works().rest().epilogue()
}

fn logins() -> Story {
    let story = (0..3).fold(Story::connected(), |story, _| {
        story.called(Verb::Connect, Some(Wanted::Abandon), None).authorize_request(Authorized::Page).answered(Outcome::Accepted)
    });
    let story = story.sets_out().authorizes();
    let callback = What::CallbackDelivered { call: story.call(), forged: true, status: None, code: None };
    story.event(callback).exchanges().arrives().works().rest().epilogue()
}

fn barred() -> Story {
    let story = Story::connected().event(What::SecretRotated { secret: "secret#2".into(), odd: false }).rejected().trigger().api(401);
    let story =
        story.refused("invalid_client").log("ERROR Pleo refused the client's credentials: invalid_client").answered(Outcome::Accepted);
    let story = story.with(|s| s.subject.says = Some(Status::Broken)).terms(|t| t.new_secret = NewSecret::Handed);
    let story = story.rest().asked_in_vain(2).rest().stopped().event(What::SecretHanded).started();
    story
        .with(|s| s.subject.says = Some(Status::Connected))
        .trigger()
        .refreshes()
        .delivers()
        .answered(Outcome::Accepted)
        .rest()
        .comes_back()
}

fn handed(odd: bool) -> Story {
    let story = Story::connected().terms(|t| t.new_secret = NewSecret::Handed);
    let story = story.event(What::SecretRotated { secret: "secret#2".into(), odd }).adds_work(1).rejected();
    let story = story.trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest();
    under_the_new_secret(story.stopped().event(What::SecretHanded).started())
}

/// A refresh with the new secret, and the work done.
fn under_the_new_secret(story: Story) -> Story {
    let story = story.adds_work(1).rejected().trigger().api(401).refreshes().with(|s| {
        let last =
            s.history.events.iter_mut().rev().find_map(|e| if let What::Token { secret, .. } = &mut e.what { Some(secret) } else { None });
        *last.expect("a token request") = Some("secret#2".into());
    });
    story.delivers().answered(Outcome::Accepted).works().rest()
}

/// Old and new secret overlap, and then the old one ends.
fn overlapping_secrets() -> Story {
    under_the_new_secret(handed(false).event(What::ClockMoved { by: 660_000_000 })).epilogue()
}

/// The new secret has every character that one may have.
fn odd_secret() -> Story {
    handed(true).epilogue()
}

fn dead_with_the_old_secret() -> Story {
    let story = Story::connected().event(What::SecretRotated { secret: "secret#2".into(), odd: false }).revoked();
    let story = story.stopped().event(What::SecretHanded).started().rejected().trigger().api(401).refused("invalid_grant").gives_up();
    story.answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue()
}

fn refused_as_invalid_token() -> Story {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_token").gives_up();
    story.answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue()
}

//! REAUTH on hand-written histories.

use regrant_mock_server::{authority::TokenState, journal::AuthStyle};

use crate::{
    evidence::{Authorized, Outcome, TokenResult, Verb, Wanted, What},
    judge::testing::*,
};

const DEAD: TokenState = TokenState::Revoked(regrant_mock_server::authority::Cause::User);

/// The last authorise request is changed.
fn changed(story: Story, change: impl Fn(&mut What)) -> Story {
    story.with(|s| {
        let last = s.history.events.iter_mut().rfind(|e| matches!(e.what, What::Authorize { .. })).expect("an authorise request");
        change(&mut last.what);
    })
}

fn dead() -> Story {
    Story::connected().dies().asked_in_vain(2).rest().restarted().asked_in_vain(1).rest()
}

#[test]
fn an_honest_story_passes() {
    for id in ["REAUTH-01", "REAUTH-02", "REAUTH-04"] {
        Story::honest().passes(id);
    }
    Story::honest().undecided("REAUTH-03", "2 attempts were seen, five are needed");
    Story::honest().undecided("REAUTH-08", "no restart followed the reconnection");
    Story::honest().undecided("REAUTH-05", "no forged callback was delivered");
}

/// A changed part of an authorise request.
fn part(what: &mut What, name: &str) {
    let What::Authorize { response_type, redirect_uri, challenge, method, result, .. } = what else { return };
    match name {
        "response_type" => *response_type = Some("token".into()),
        "redirect URI" => redirect_uri.push('/'),
        "no S256 challenge" => *challenge = None,
        "S256" => *method = Some("plain".into()),
        "showed an error" => *result = Authorized::Shown("invalid_request".into()),
        "sent back invalid_scope" => *result = Authorized::Sent("invalid_scope".into()),
        other => panic!("{other} is no part"),
    }
}

#[test]
fn an_authorise_request_that_is_not_well_formed_fails() {
    for words in ["response_type", "redirect URI", "no S256 challenge", "S256", "showed an error", "sent back invalid_scope"] {
        changed(dead().sets_out().authorizes(), |what| part(what, words)).rest().fails("REAUTH-01", words);
    }
}

#[test]
fn denial_and_a_declared_exception_from_pkce_are_well_formed() {
    let denied = dead().called(Verb::Connect, Some(Wanted::Deny), None).authorize_request(Authorized::Sent("access_denied".into()));
    denied.answered(Outcome::Refused).rest().comes_back().passes("REAUTH-01");
    let plain = changed(dead().comes_back(), |w| {
        if let What::Authorize { challenge, .. } = w {
            *challenge = None;
        }
    });
    plain.clone().terms(|t| t.pkce_optional = true).passes("REAUTH-01");
    plain.fails("REAUTH-01", "no S256 challenge");
    Story::connected().undecided("REAUTH-01", "a second time");
}

#[test]
fn fewer_scopes_fail_and_more_or_reordered_ones_do_not() {
    let scopes = |scopes: &[&str]| {
        let scopes: Vec<String> = scopes.iter().map(|s| (*s).to_owned()).collect();
        changed(dead().sets_out().authorizes(), |w| {
            if let What::Authorize { scopes: asked, .. } = w {
                asked.clone_from(&scopes);
            }
        })
        .rest()
    };
    scopes(&["export-jobs:read"]).fails("REAUTH-02", "did not ask for export-jobs:write");
    scopes(&["export-jobs:write", "export-jobs:read"]).passes("REAUTH-02");
    scopes(&["export-jobs:write", "export-jobs:read", "users:read"]).passes("REAUTH-02");
    dead().undecided("REAUTH-02", "no reconnection followed");
    dead().called(Verb::Connect, Some(Wanted::Consent), None).answered(Outcome::NoAnswer).undecided("REAUTH-02", "no authorise request");
}

fn five_logins() -> Story {
    let story = (0..3).fold(Story::connected(), |story, _| {
        story.called(Verb::Connect, Some(Wanted::Abandon), None).authorize_request(Authorized::Page).answered(Outcome::Accepted)
    });
    story.connects().works().rest()
}

#[test]
fn five_fresh_attempts_pass_and_anything_used_twice_fails() {
    five_logins().passes("REAUTH-03");
    let state = |value: Option<&'static str>, bits: u32| {
        changed(five_logins(), move |w| {
            if let What::Authorize { state, state_bits, .. } = w {
                *state = value.map(str::to_owned);
                *state_bits = bits;
            }
        })
    };
    state(None, 0).fails("REAUTH-03", "no state");
    state(Some("state-1"), 128).fails("REAUTH-03", "the same state was used for two attempts");
    state(Some("7"), 4).fails("REAUTH-03", "at most 4 bits");
    let challenge = changed(five_logins(), |w| {
        if let What::Authorize { challenge, .. } = w {
            *challenge = Some("challenge-1".into());
        }
    });
    challenge.fails("REAUTH-03", "the same verifier");
}

#[test]
fn the_consent_on_the_page_is_no_second_attempt() {
    let story = five_logins().with(|s| {
        let page =
            s.history.events.iter().find(|e| matches!(e.what, What::Authorize { result: Authorized::Page, .. })).expect("a page").clone();
        let mut consent = page.what;
        let exchange = 900;
        if let What::Authorize { exchange: it, result, .. } = &mut consent {
            *it = exchange;
            *result = Authorized::Code { code: "code#77".into(), grant: 9 };
        }
        let asked = What::Requested {
            exchange,
            conn: 900,
            began: page.at,
            endpoint: regrant_mock_server::journal::Endpoint::Authorize,
            method: "POST".into(),
            path: "/oauth/authorize".into(),
            content_type: None,
            units: Vec::new(),
            by_agent: true,
            instance: None,
        };
        *s = s.clone().event(asked).event(consent);
    });
    story.passes("REAUTH-03");
}

#[test]
fn a_code_exchanged_twice_or_never_or_without_its_verifier_fails() {
    let twice = dead().sets_out().authorizes().mark("offence").exchanges().mark("offence").exchanges().arrives().rest();
    twice.fails("REAUTH-04", "code#2 was exchanged 2 times");
    dead().sets_out().authorizes().arrives().rest().fails("REAUTH-04", "code#2 was delivered and never exchanged");
    let bare = dead().comes_back().with(|s| {
        for event in &mut s.history.events {
            if let What::Token { verifier, presented: Some(p), .. } = &mut event.what
                && p.token.as_deref() == Some("code#2")
            {
                *verifier = false;
            }
        }
    });
    bare.fails("REAUTH-04", "code#2 was exchanged without the verifier");
}

#[test]
fn another_style_or_a_passing_fault_makes_no_second_exchange() {
    let refused = Answer::Refused("invalid_client".into());
    let probing = dead().sets_out().authorizes().token_request("authorization_code", Some("code#2"), AuthStyle::Basic, refused);
    let probing = probing.with(|s| s.pair += 1).token_request(
        "authorization_code",
        Some("code#2"),
        AuthStyle::Body,
        Answer::Tokens("access#2".into(), Some("refresh#2".into())),
    );
    probing.arrives().works().rest().passes("REAUTH-04");
    let fault = dead().sets_out().authorizes().token_request("authorization_code", Some("code#2"), AuthStyle::Basic, Answer::Unavailable);
    fault.exchanges().arrives().works().rest().passes("REAUTH-04");
}

#[test]
fn a_login_that_a_forged_callback_spent_is_not_accused() {
    let call = dead().sets_out().authorizes();
    let forged = What::CallbackDelivered { call: call.call(), forged: true, status: None, code: None };
    let story = call.event(forged).arrives().rest();
    story.undecided("REAUTH-04", "had no fair chance");
    story.undecided("REAUTH-05", "nor that of the next one");
    // The next login shows that it exchanges what it believes.
    story.clone().connects().works().rest().passes("REAUTH-05");
    story.restarted().connects().works().rest().undecided("REAUTH-05", "nor that of the next one");
    let unanswered = dead().sets_out().authorizes().answered(Outcome::NoAnswer).rest();
    unanswered.undecided("REAUTH-04", "had no fair chance");
}

/// Two tabs of one browser: the older login comes back after the newer one was begun.
fn two_tabs(newer_is_exchanged: bool) -> Story {
    let story = Story::connected().sets_out();
    let older = story.call();
    let story = story.sets_out().mark("offence");
    let story = story.event(What::CallbackDelivered { call: older, forged: false, status: None, code: Some("code#9".into()) });
    let refused = What::VerbAnswered { call: older, outcome: Outcome::Refused, status: Some(400), detail: String::new() };
    let story = story.event(refused).authorizes();
    if newer_is_exchanged { story.exchanges().arrives().works().rest() } else { story.arrives().rest() }
}

#[test]
fn a_login_that_a_newer_one_of_the_same_browser_took_the_place_of_is_not_accused() {
    two_tabs(true).passes("REAUTH-04");
    two_tabs(false).fails("REAUTH-04", "code#9 was delivered and never exchanged");
}

/// A login with a forged callback beside the genuine one.
fn forged(story: Story, falls_for_it: bool) -> Story {
    let story = story.sets_out().authorizes();
    let callback = What::CallbackDelivered { call: story.call(), forged: true, status: None, code: None };
    let story = story.mark("offence").event(callback);
    let story = if falls_for_it {
        let story = story.mark("offence").token_asked();
        let exchange = story.exchange();
        let refused = Answer::Refused("invalid_grant".into());
        story.token_decided("authorization_code", Some("made-up"), AuthStyle::Basic, &refused).token_answered(refused).with(|s| {
            for event in &mut s.history.events {
                if let What::Token { exchange: it, presented: Some(p), .. } = &mut event.what
                    && *it == exchange
                {
                    p.token = None;
                }
            }
        })
    } else {
        story
    };
    story.exchanges().arrives()
}

#[test]
fn a_forged_callback_that_is_not_exchanged_passes() {
    forged(forged(Story::connected(), false), false).works().rest().epilogue().passes("REAUTH-05");
    forged(Story::connected(), false).works().rest().epilogue().passes("REAUTH-04");
}

#[test]
fn a_forged_callback_that_is_exchanged_fails() {
    let story = forged(Story::connected(), true).works().rest();
    story.fails("REAUTH-05", "a callback whose state the subject did not issue was exchanged");
}

/// Reconnected, worked, rested, restarted, asked once, at rest.
fn renewed() -> Story {
    dead().comes_back().restarted().works().rest()
}

#[test]
fn a_pair_that_is_used_at_once_and_survives_a_restart_passes() {
    renewed().comes_back().passes("REAUTH-08");
    renewed().passes("REAUTH-08");
}

#[test]
fn the_old_pair_after_the_reconnection_fails() {
    let old = dead()
        .connects()
        .works()
        .rest()
        .trigger()
        .mark("offence")
        .calls_api(Some("access#1"), DEAD, 401)
        .answered(Outcome::Accepted)
        .rest();
    old.fails("REAUTH-08", "access#1 was used again after the user had reconnected");
    let refresh =
        dead().connects().works().rest().trigger().mark("offence").refuses("refresh#1", "invalid_grant").answered(Outcome::Accepted).rest();
    refresh.fails("REAUTH-08", "refresh#1 was used again");
    // Asked for after the login, long before it rests.
    let stale = |ms| dead().connects().trigger().after(ms).mark("offence").calls_api(Some("access#1"), DEAD, 401).delivers();
    let later = |story: Story| story.answered(Outcome::Accepted).rest().restarted().works().rest();
    later(stale(400)).fails("REAUTH-08", "access#1 was used again after the user had reconnected");
    later(stale(50)).passes("REAUTH-08");
    // Under way while the callback was handled.
    let parallel = dead().connects().calls_api(Some("access#1"), DEAD, 401).works().rest().restarted().works().rest();
    parallel.passes("REAUTH-08");
}

#[test]
fn a_process_that_does_not_notice_the_new_pair_fails() {
    let story = dead().connects().rest().asked_in_vain(2).rest().restarted().works().rest();
    story.fails("REAUTH-08", "after the reconnection no call succeeded without a restart");
    dead().connects().rest().asked_in_vain(1).rest().restarted().works().rest().undecided("REAUTH-08", "answered once");
}

#[test]
fn a_pair_that_does_not_survive_the_restart_fails() {
    let lost = dead().comes_back().restarted().asked_in_vain(1).rest();
    lost.fails("REAUTH-08", "did not survive a restart");
    dead().comes_back().restarted().rest().undecided("REAUTH-08", "delivered never");
    dead().comes_back().restarted().revoked().asked_in_vain(1).rest().undecided("REAUTH-08", "delivered never");
}

#[test]
fn one_reconnection_followed_to_its_end_is_enough() {
    let story = renewed().dies().asked_in_vain(2).rest().comes_back();
    story.passes("REAUTH-08");
    dead().undecided("REAUTH-08", "did not reconnect successfully");
    Story::connected().works().rest().undecided("REAUTH-08", "no refusal came about");
    let failed = dead().sets_out().authorizes().with(|s| s.pair += 1).token_request(
        "authorization_code",
        Some("code#2"),
        AuthStyle::Basic,
        Answer::Refused("invalid_grant".into()),
    );
    failed.arrives().rest().undecided("REAUTH-08", "did not reconnect successfully");
}

#[test]
fn an_answer_that_was_lost_gives_no_pair() {
    let issued = TokenResult::Issued { grant: 2, access: "access#2".into(), refresh: Some("refresh#2".into()) };
    let story = dead().sets_out().authorizes().token_asked();
    let exchange = story.exchange();
    let token = What::Token {
        exchange,
        grant_type: Some("authorization_code".into()),
        auth: AuthStyle::Basic,
        secret: None,
        presented: None,
        verifier: true,
        result: issued,
    };
    story.event(token).event(What::Aborted { exchange, by_subject: false }).rest().undecided("REAUTH-08", "did not reconnect successfully");
}

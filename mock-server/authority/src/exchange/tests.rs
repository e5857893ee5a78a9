//! RFC 6749 sections 4.1.2 to 4.1.4 and RFC 7636 section 4.6.

use crate::{
    AuthorizeRequest, Cause, Client, ClientAuth, EndedBy, TokenGrant, TokenState,
    world::{BOOKS, CALLBACK, KIOSK, SECOND, TILL, VERIFIER, World, basic, code_grant, gist, invalid_grant, request},
};

#[test]
fn a_code_gives_a_pair_for_what_the_user_granted() {
    let mut world = World::new();
    let (grant, code) = world.approved();
    assert_eq!(world.state(&code), TokenState::Active);
    assert_eq!(world.authority.current(grant), None);
    let issued = world.exchange(&code).expect("the code is good");
    assert_eq!((issued.grant, issued.expires_in, &*issued.scopes), (grant, 900 * SECOND, &["read".to_owned(), "write".to_owned()][..]));
    let refresh = issued.refresh_token.expect("a code gives a refresh token");
    assert_eq!(world.authority.access(world.now, &issued.access_token).map(|grant| grant.user), Ok("user".to_owned()));
    assert_eq!(world.state(&refresh), TokenState::Active);
    assert_eq!(world.authority.current(grant), Some((issued.access_token, Some(refresh))));
}

#[test]
fn a_code_that_comes_back_ends_the_family_it_gave() {
    let mut world = World::new();
    let connected = world.connected();
    let (_, refresh) = world.rotate(&connected.refresh);
    assert_eq!(gist(world.exchange(&connected.code)), invalid_grant(TokenState::Used));
    assert_eq!(world.ended(connected.grant), Some(EndedBy::CodeReuse));
    assert_eq!(world.state(&refresh), TokenState::FamilyEnded);
    assert_eq!(gist(world.exchange(&connected.code)), invalid_grant(TokenState::Used), "a used code stays used");
}

#[test]
fn a_code_that_comes_back_after_its_time_ends_the_family_too() {
    let mut world = World::new();
    let connected = world.connected();
    world.wait(3600 * SECOND);
    assert_eq!(gist(world.exchange(&connected.code)), invalid_grant(TokenState::Used));
    assert_eq!(world.ended(connected.grant), Some(EndedBy::CodeReuse));
}

#[test]
fn a_code_is_good_until_just_before_its_time() {
    for (wait, good) in [(59_999, true), (60_000, false)] {
        let mut world = World::new();
        let (grant, code) = world.approved();
        world.wait(std::time::Duration::from_millis(wait));
        assert_eq!(world.state(&code) == TokenState::Active, good);
        let answer = world.exchange(&code);
        if good {
            assert!(answer.is_ok());
        } else {
            assert_eq!(gist(answer), invalid_grant(TokenState::Expired));
            assert_eq!(world.ended(grant), None);
        }
    }
}

#[test]
fn another_clients_code_is_refused_and_stays_good_for_its_owner() {
    let mut world = World::new();
    let (_, code) = world.approved();
    for thief in [basic(TILL), ClientAuth::None { id: Some(KIOSK.into()) }] {
        assert_eq!(gist(world.token(thief, code_grant(&code, Some(CALLBACK), Some(VERIFIER)))), invalid_grant(TokenState::Unknown));
    }
    assert!(world.exchange(&code).is_ok());
}

#[test]
fn a_used_code_in_the_hands_of_another_client_does_not_end_the_family() {
    let mut world = World::new();
    let connected = world.connected();
    assert_eq!(
        gist(world.token(basic(TILL), code_grant(&connected.code, Some(CALLBACK), Some(VERIFIER)))),
        invalid_grant(TokenState::Unknown)
    );
    assert_eq!(world.ended(connected.grant), None);
}

#[test]
fn a_failed_authentication_does_not_burn_the_code() {
    let mut world = World::new();
    let (_, code) = world.approved();
    assert_eq!(gist(world.token(basic((BOOKS.0, "wrong")), code_grant(&code, Some(CALLBACK), Some("guess")))).1, "invalid_client");
    assert!(world.exchange(&code).is_ok());
}

#[test]
fn a_wrong_or_missing_redirect_uri_or_verifier_burns_the_code() {
    let other = VERIFIER.replace('k', "K");
    for (redirect_uri, verifier) in [
        (Some(CALLBACK), Some(other.as_str())),
        (Some(CALLBACK), Some("too-short")),
        (Some(CALLBACK), None),
        (Some("https://app.example.test/other"), Some(VERIFIER)),
        (None, Some(VERIFIER)),
    ] {
        let mut world = World::new();
        let (grant, code) = world.approved();
        let wrong = world.token(basic(BOOKS), code_grant(&code, redirect_uri, verifier));
        assert_eq!(gist(wrong), invalid_grant(TokenState::Active), "{redirect_uri:?} {verifier:?}");
        assert_eq!(gist(world.exchange(&code)), invalid_grant(TokenState::Used));
        assert_eq!(world.ended(grant), None, "it gave no tokens, so there is nothing to end");
    }
}

#[test]
fn a_redirect_uri_that_was_not_sent_need_not_be_repeated_but_must_not_differ() {
    let mut world = World::new();
    let consent = world.consent(&AuthorizeRequest { redirect_uri: None, ..request() });
    let (_, code) = world.approve(&consent);
    assert!(world.token(basic(BOOKS), code_grant(&code, None, Some(VERIFIER))).is_ok());
    let (_, code) = world.approve(&consent);
    assert!(world.token(basic(BOOKS), code_grant(&code, Some(CALLBACK), Some(VERIFIER))).is_ok());
    let (_, code) = world.approve(&consent);
    assert!(world.token(basic(BOOKS), code_grant(&code, Some("https://app.example.test/"), Some(VERIFIER))).is_err());
}

#[test]
fn a_verifier_for_a_code_without_challenge_is_a_downgrade_and_refused() {
    let mut world = World::new();
    let client = world.authority.client(BOOKS.0).expect("it is registered").clone();
    world.authority.register(Client { pkce_exempt: true, ..client });
    let consent = world.consent(&AuthorizeRequest { code_challenge: None, code_challenge_method: None, ..request() });
    let (_, code) = world.approve(&consent);
    assert_eq!(gist(world.exchange(&code)), invalid_grant(TokenState::Active));
    let (_, code) = world.approve(&consent);
    assert!(world.token(basic(BOOKS), code_grant(&code, Some(CALLBACK), None)).is_ok());
}

#[test]
fn a_public_client_exchanges_its_code_with_its_id_and_verifier_alone() {
    let mut world = World::new();
    let consent = world.consent(&AuthorizeRequest { client_id: Some(KIOSK.into()), ..request() });
    let (_, code) = world.approve(&consent);
    let auth = ClientAuth::None { id: Some(KIOSK.into()) };
    assert!(world.token(auth, code_grant(&code, Some(CALLBACK), Some(VERIFIER))).is_ok());
}

#[test]
fn a_code_of_a_revoked_grant_is_refused_in_the_rfcs_words() {
    let mut world = World::new();
    world.policy().refused_with.error = "invalid_refresh_token".into();
    let (grant, code) = world.approved();
    assert!(world.revoke(grant, Cause::User));
    assert_eq!(gist(world.exchange(&code)), invalid_grant(TokenState::Revoked(Cause::User)));
}

#[test]
fn what_is_no_code_is_unknown() {
    let mut world = World::new();
    let connected = world.connected();
    for code in ["never-issued", &connected.access, &connected.refresh] {
        assert_eq!(gist(world.exchange(code)), invalid_grant(TokenState::Unknown));
    }
    let empty = TokenGrant::AuthorizationCode { code: None, redirect_uri: None, code_verifier: None };
    assert_eq!(gist(world.token(basic(BOOKS), empty)).1, "invalid_request");
}

#[test]
fn a_user_who_granted_fewer_scopes_gets_fewer() {
    let mut world = World::new();
    let mut consent = world.consent(&request());
    consent.scopes.truncate(1);
    let (_, code) = world.approve(&consent);
    assert_eq!(*world.exchange(&code).expect("the code is good").scopes, ["read"]);
}

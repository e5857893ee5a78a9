//! RFC 6749 section 2.3.1 at the token endpoint.

use std::time::Duration;

use crate::{
    ClientAuth, Refusal, TokenGrant, TokenRequest, TokenState,
    world::{BOOKS, KIOSK, TILL, VERIFIER, World, basic, body, code_grant, gist, refresh_grant},
};

fn refusal(world: &mut World, auth: ClientAuth) -> Refusal {
    world.token(auth, refresh_grant("no-such-token", None)).expect_err("the token does not exist")
}

/// The client was taken at its word, and only then the token was looked at.
fn is_authenticated(world: &mut World, auth: ClientAuth) -> bool {
    refusal(world, auth).error == "invalid_grant"
}

#[test]
fn a_confidential_client_proves_itself_in_the_header_or_in_the_body() {
    let mut world = World::new();
    assert!(is_authenticated(&mut world, basic(BOOKS)));
    assert!(is_authenticated(&mut world, body(BOOKS)));
}

#[test]
fn a_header_counts_when_either_of_its_readings_is_right() {
    let mut world = World::new();
    let right = || (BOOKS.0.to_owned(), BOOKS.1.to_owned());
    let wrong = || (BOOKS.0.to_owned(), "books+secret".to_owned());
    assert!(is_authenticated(&mut world, ClientAuth::Basic { decoded: right(), raw: wrong() }));
    assert!(is_authenticated(&mut world, ClientAuth::Basic { decoded: wrong(), raw: right() }));
    assert!(!is_authenticated(&mut world, ClientAuth::Basic { decoded: wrong(), raw: wrong() }));
}

#[test]
fn failed_authentication_is_invalid_client_with_401_and_a_challenge() {
    let mut world = World::new();
    let id = Some(BOOKS.0.to_owned());
    for auth in [
        basic((BOOKS.0, "wrong")),
        basic((BOOKS.0, TILL.1)),
        basic(("nobody", BOOKS.1)),
        body((BOOKS.0, "wrong")),
        body((BOOKS.0, "")),
        body((KIOSK, "a secret it does not have")),
        ClientAuth::None { id },
        ClientAuth::None { id: Some("nobody".into()) },
        ClientAuth::None { id: None },
        ClientAuth::Malformed,
    ] {
        let refusal = refusal(&mut world, auth.clone());
        assert_eq!(
            (refusal.status, refusal.error.as_str(), refusal.challenge_basic, refusal.state),
            (401, "invalid_client", true, None),
            "{auth:?}"
        );
    }
}

#[test]
fn two_methods_at_once_are_an_invalid_request() {
    let refusal = refusal(&mut World::new(), ClientAuth::Both);
    assert_eq!((refusal.status, refusal.error.as_str(), refusal.challenge_basic), (400, "invalid_request", false));
}

#[test]
fn strict_basic_refuses_credentials_in_the_body_even_if_they_are_right() {
    let mut world = World::new();
    world.policy().strict_basic = true;
    assert_eq!(refusal(&mut world, body(BOOKS)).error, "invalid_client");
    assert!(is_authenticated(&mut world, basic(BOOKS)));
    assert!(is_authenticated(&mut world, ClientAuth::None { id: Some(KIOSK.into()) }), "a public client has nothing to put in a header");
}

#[test]
fn a_public_client_names_itself() {
    let mut world = World::new();
    assert!(is_authenticated(&mut world, ClientAuth::None { id: Some(KIOSK.into()) }));
    assert!(is_authenticated(&mut world, basic((KIOSK, ""))), "some libraries send the header all the same");
}

#[test]
fn a_rotated_secret_stops_refreshes_until_the_new_one_is_used() {
    let mut world = World::new();
    let connected = world.connected();
    world.authority.rotate_secret(world.now, BOOKS.0, "fresh-secret".into(), Duration::ZERO).expect("a confidential client");
    assert_eq!(gist(world.refresh(&connected.refresh)), (401, "invalid_client".into(), None));
    assert_eq!(world.state(&connected.refresh), TokenState::Active, "the grant is not harmed");
    assert!(world.token(basic((BOOKS.0, "fresh-secret")), refresh_grant(&connected.refresh, None)).is_ok());
}

#[test]
fn a_repeated_parameter_is_found_before_the_client_is_looked_at() {
    let mut world = World::new();
    let request = TokenRequest { auth: ClientAuth::Malformed, grant: TokenGrant::Other(None), repeated: Some("scope".into()) };
    assert_eq!(gist(world.send(&request)), (400, "invalid_request".into(), None));
}

#[test]
fn the_client_is_looked_at_before_the_grant_type() {
    let mut world = World::new();
    assert_eq!(gist(world.token(ClientAuth::Malformed, TokenGrant::Other(None))).1, "invalid_client");
}

#[test]
fn only_two_grant_types_are_known() {
    let mut world = World::new();
    assert_eq!(gist(world.token(basic(BOOKS), TokenGrant::Other(Some("password".into())))), (400, "unsupported_grant_type".into(), None));
    assert_eq!(gist(world.token(basic(BOOKS), TokenGrant::Other(None))), (400, "invalid_request".into(), None));
}

#[test]
fn a_missing_parameter_is_an_invalid_request() {
    let mut world = World::new();
    let code = TokenGrant::AuthorizationCode { code: None, redirect_uri: None, code_verifier: Some(VERIFIER.into()) };
    let refresh = TokenGrant::RefreshToken { refresh_token: None, scope: None };
    for grant in [code, refresh] {
        assert_eq!(gist(world.token(basic(BOOKS), grant)), (400, "invalid_request".into(), None));
    }
}

#[test]
fn descriptions_stay_within_the_characters_the_rfc_allows() {
    let mut world = World::new();
    let connected = world.connected();
    let (_, code) = world.approved();
    let repeated = TokenRequest { auth: basic(BOOKS), grant: TokenGrant::Other(None), repeated: Some("\"\\\u{e9}".into()) };
    let refusals = [
        world.send(&repeated),
        world.token(ClientAuth::Malformed, TokenGrant::Other(None)),
        world.token(basic(BOOKS), TokenGrant::Other(Some("\"".into()))),
        world.token(basic(BOOKS), refresh_grant("\"", None)),
        world.token(basic(BOOKS), refresh_grant(&connected.refresh, Some("\""))),
        world.token(basic(BOOKS), code_grant("\"", None, None)),
        world.token(basic(BOOKS), code_grant(&code, Some("\""), None)),
    ];
    for refusal in refusals {
        let description = refusal.expect_err("each is wrong").description.expect("each has a description");
        assert!(description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E)), "{description}");
    }
}

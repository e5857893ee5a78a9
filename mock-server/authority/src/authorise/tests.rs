//! RFC 6749 sections 3.1.2 and 4.1.2.1, RFC 7636 section 4.4.1.

use crate::{
    Authority, AuthorizeError, AuthorizeRequest, Challenge, Client, Consent, Policy,
    world::{BOOKS, CALLBACK, VERIFIER, World, request},
};

fn ask(world: &mut World, change: impl FnOnce(&mut AuthorizeRequest)) -> Result<Consent, AuthorizeError> {
    let mut request = request();
    change(&mut request);
    world.authority.authorize(&request, "user".into(), "company".into())
}

/// The error code of a fault that is told to the client, after checking that it goes to the right place with the right state.
fn redirected(answer: Result<Consent, AuthorizeError>) -> &'static str {
    match answer {
        Err(AuthorizeError::Redirect { redirect_uri, error, state, .. }) => {
            assert_eq!((redirect_uri.as_str(), state.as_deref()), (CALLBACK, Some("from-page-7")));
            error
        }
        other => panic!("not redirected: {other:?}"),
    }
}

fn is_page(answer: &Result<Consent, AuthorizeError>) -> bool {
    matches!(answer, Err(AuthorizeError::Page { .. }))
}

#[test]
fn a_good_request_waits_for_the_user_with_all_it_asked_for() {
    let consent = ask(&mut World::new(), |_| {}).expect("it is good");
    assert_eq!(
        consent,
        Consent {
            client_id: BOOKS.0.into(),
            redirect_uri: CALLBACK.into(),
            redirect_uri_sent: true,
            scopes: vec!["read".into(), "write".into()],
            state: Some("from-page-7".into()),
            challenge: Some(Challenge::of(VERIFIER)),
            user: "user".into(),
            company: "company".into(),
        }
    );
}

#[test]
fn an_unknown_client_or_redirect_uri_is_never_redirected() {
    let mut world = World::new();
    for change in [
        |request: &mut AuthorizeRequest| request.client_id = None,
        |request: &mut AuthorizeRequest| request.client_id = Some("nobody".into()),
        |request: &mut AuthorizeRequest| request.redirect_uri = Some("https://evil.test/callback".into()),
        |request: &mut AuthorizeRequest| request.redirect_uri = Some(format!("{CALLBACK}/")),
        |request: &mut AuthorizeRequest| request.redirect_uri = Some(format!("{CALLBACK}?x=1")),
        |request: &mut AuthorizeRequest| request.redirect_uri = Some("http://localhost/".into()),
        |request: &mut AuthorizeRequest| request.repeated = Some("client_id".into()),
        |request: &mut AuthorizeRequest| request.repeated = Some("redirect_uri".into()),
    ] {
        let answer = ask(&mut world, change);
        assert!(is_page(&answer), "{answer:?}");
    }
}

#[test]
fn any_other_fault_is_told_to_the_client() {
    let mut world = World::new();
    assert_eq!(redirected(ask(&mut world, |request| request.response_type = None)), "invalid_request");
    assert_eq!(redirected(ask(&mut world, |request| request.response_type = Some("token".into()))), "unsupported_response_type");
    assert_eq!(redirected(ask(&mut world, |request| request.repeated = Some("scope".into()))), "invalid_request");
    assert_eq!(redirected(ask(&mut world, |request| request.scope = Some("read admin".into()))), "invalid_scope");
    assert_eq!(redirected(ask(&mut world, |request| request.scope = Some("re\"ad".into()))), "invalid_scope");
}

#[test]
fn of_two_states_none_is_echoed() {
    let answer = ask(&mut World::new(), |request| request.repeated = Some("state".into()));
    assert!(matches!(answer, Err(AuthorizeError::Redirect { state: None, error: "invalid_request", .. })), "{answer:?}");
}

#[test]
fn a_challenge_is_required_and_only_s256_will_do() {
    let mut world = World::new();
    for change in [
        |request: &mut AuthorizeRequest| request.code_challenge = None,
        |request: &mut AuthorizeRequest| request.code_challenge_method = None,
        |request: &mut AuthorizeRequest| request.code_challenge_method = Some("plain".into()),
        |request: &mut AuthorizeRequest| request.code_challenge = Some("too-short".into()),
    ] {
        assert_eq!(redirected(ask(&mut world, change)), "invalid_request");
    }
}

#[test]
fn an_exempt_client_or_a_lax_policy_may_go_without_a_challenge() {
    fn without(request: &mut AuthorizeRequest) {
        request.code_challenge = None;
        request.code_challenge_method = None;
    }
    let mut exempt = World::new();
    let client = exempt.authority.client(BOOKS.0).expect("it is registered").clone();
    exempt.authority.register(Client { pkce_exempt: true, ..client });
    assert_eq!(ask(&mut exempt, without).expect("it is exempt").challenge, None);

    let mut lax = World::new();
    lax.policy().pkce_required = false;
    assert_eq!(ask(&mut lax, without).expect("it is optional").challenge, None);
    assert_eq!(
        redirected(ask(&mut lax, |request| request.code_challenge_method = Some("plain".into()))),
        "invalid_request",
        "plain stays refused"
    );
    assert_eq!(redirected(ask(&mut lax, |request| request.code_challenge = None)), "invalid_request", "a method without a challenge");
}

#[test]
fn without_a_redirect_uri_the_only_registered_one_is_meant() {
    let mut world = World::new();
    let consent = ask(&mut world, |request| request.redirect_uri = None).expect("there is only one");
    assert_eq!((consent.redirect_uri.as_str(), consent.redirect_uri_sent), (CALLBACK, false));

    let client = world.authority.client(BOOKS.0).expect("it is registered").clone();
    world.authority.register(Client { redirect_uris: vec![CALLBACK.into(), "https://other.example.test/".into()], ..client });
    assert!(is_page(&ask(&mut world, |request| request.redirect_uri = None)), "two to choose from");
}

#[test]
fn without_a_scope_all_that_is_registered_is_asked_for() {
    let consent = ask(&mut World::new(), |request| request.scope = None).expect("scope is optional");
    assert_eq!(consent.scopes, ["read", "write"]);
}

#[test]
fn a_client_that_left_them_open_registers_redirect_uri_and_scopes_with_its_first_good_request() {
    let mut world = World::new();
    world.authority = Authority::new(Policy::default(), std::sync::Arc::new(crate::world::Plain));
    world.authority.register(Client::public(BOOKS.0));
    assert!(ask(&mut world, |request| request.response_type = None).is_err());
    assert_eq!(world.authority.client(BOOKS.0), Some(&Client::public(BOOKS.0)), "a faulty request registers nothing");
    assert!(is_page(&ask(&mut world, |request| request.redirect_uri = None)), "there is nothing to fall back on");
    assert!(is_page(&ask(&mut world, |request| request.redirect_uri = Some("/callback".into()))), "a relative URI cannot be registered");

    assert!(ask(&mut world, |_| {}).is_ok());
    assert!(is_page(&ask(&mut world, |request| request.redirect_uri = Some("https://other.example.test/".into()))));
    assert_eq!(redirected(ask(&mut world, |request| request.scope = Some("admin".into()))), "invalid_scope");
    assert!(ask(&mut world, |request| request.scope = Some("write".into())).is_ok(), "fewer is fine");
    let client = world.authority.client(BOOKS.0).expect("it is registered");
    assert_eq!(client.redirect_uris, [CALLBACK], "the first good request has settled it");
    assert_eq!(client.scopes, ["read", "write"], "the first good request has settled it");
}

#[test]
fn a_client_in_development_may_use_any_loopback_uri_without_registering_it() {
    let mut world = World::new();
    world.authority.register(Client { any_loopback_redirect: true, ..Client::public(BOOKS.0) });
    for uri in ["http://127.0.0.1:4711/cb", "http://localhost/x", "http://[::1]:1/"] {
        assert!(ask(&mut world, |request| request.redirect_uri = Some(uri.into())).is_ok(), "{uri}");
    }
    assert_eq!(world.authority.client(BOOKS.0).map(|client| client.redirect_uris.clone()), Some(vec![]));
    assert!(is_page(&ask(&mut world, |_| {})), "nor is any other registered by asking");
    assert!(is_page(&ask(&mut world, |request| request.redirect_uri = Some("https://other.example.test/".into()))));
}

//! RFC 7662, as Pleo has it: only the client that got a token may ask about it.

use crate::{
    Cause, ClientAuth, Introspection, Kind,
    world::{BOOKS, Connected, KIOSK, SECOND, TILL, World, basic, body, refresh_grant},
};

fn ask(world: &World, token: &str) -> Option<Introspection> {
    world.authority.introspect(world.now, &basic(BOOKS), token).expect("the client has proven itself")
}

fn connected() -> (World, Connected) {
    let mut world = World::new();
    let connected = world.connected();
    (world, connected)
}

#[test]
fn an_active_token_is_described() {
    let (mut world, connected) = connected();
    let issued = world.now;
    world.wait(SECOND);
    let access = Introspection {
        grant: connected.grant,
        client_id: BOOKS.0.into(),
        user: "user".into(),
        company: "company".into(),
        scopes: vec!["read".into(), "write".into()],
        iat: issued,
        exp: issued.plus(900 * SECOND),
        kind: Kind::Access,
    };
    assert_eq!(ask(&world, &connected.access), Some(access.clone()));
    let refresh = Introspection { exp: issued.plus(60 * 24 * 3600 * SECOND), kind: Kind::Refresh, ..access };
    assert_eq!(ask(&world, &connected.refresh), Some(refresh));
}

#[test]
fn a_narrowed_access_token_shows_its_own_scopes() {
    let (mut world, connected) = connected();
    let narrow = world.token(basic(BOOKS), refresh_grant(&connected.refresh, Some("read"))).expect("it is a part of the grant");
    assert_eq!(ask(&world, &narrow.access_token).map(|found| found.scopes), Some(vec!["read".into()]));
}

#[test]
fn what_is_dead_unknown_or_a_code_is_inactive() {
    let (mut world, connected) = connected();
    let (_, code) = world.approved();
    let (access, refresh) = world.rotate(&connected.refresh);
    for token in [&connected.access, &connected.refresh, &code, "never-issued"] {
        assert_eq!(ask(&world, token), None, "{token}");
    }
    world.revoke(connected.grant, Cause::User);
    for token in [&access, &refresh] {
        assert_eq!(ask(&world, token), None, "{token}");
    }
}

#[test]
fn an_expired_token_is_inactive() {
    let (mut world, connected) = connected();
    world.wait(900 * SECOND);
    assert_eq!(ask(&world, &connected.access), None);
    assert!(ask(&world, &connected.refresh).is_some());
}

#[test]
fn a_token_that_only_the_api_rejects_is_active() {
    let (mut world, connected) = connected();
    world.authority.reject_access(connected.grant);
    assert!(ask(&world, &connected.access).is_some());
}

#[test]
fn another_clients_token_is_inactive() {
    let (world, connected) = connected();
    assert_eq!(world.authority.introspect(world.now, &basic(TILL), &connected.access), Ok(None));
}

#[test]
fn whoever_cannot_prove_to_be_a_client_is_turned_away() {
    let (world, connected) = connected();
    for auth in [basic((BOOKS.0, "wrong")), body((BOOKS.0, "wrong")), ClientAuth::None { id: Some(KIOSK.into()) }, ClientAuth::Malformed] {
        let refusal = world.authority.introspect(world.now, &auth, &connected.access).expect_err("it proves nothing");
        assert_eq!((refusal.status, refusal.error.as_str()), (401, "invalid_client"), "{auth:?}");
    }
}

#[test]
fn asking_changes_nothing() {
    let (mut world, connected) = connected();
    world.rotate(&connected.refresh);
    assert_eq!(ask(&world, &connected.refresh), None);
    assert_eq!(world.ended(connected.grant), None, "introspecting a spent token is no replay");
}

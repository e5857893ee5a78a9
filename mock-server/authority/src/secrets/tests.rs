//! A timeline of secrets, and what a secret takes along when it ends.

use std::time::Duration;

use super::*;
use crate::{
    ClientAuth, EndedBy, Rotation, TokenState,
    world::{BOOKS, KIOSK, SECOND, TILL, World, basic, body, gist, invalid_grant, refresh_grant},
};

fn states(world: &World) -> Vec<SecretState> {
    world.authority.client(BOOKS.0).expect("registered").secrets.iter().map(|secret| secret.state(world.now)).collect()
}

fn proves(world: &World, secret: &str) -> bool {
    world.authority.authenticates(world.now, &body((BOOKS.0, secret)))
}

#[test]
fn a_secret_is_added_overlaps_retires_and_is_revoked() {
    let mut world = World::new();
    let (start, minute) = (world.now, 60 * SECOND);
    world.authority.add_secret(BOOKS.0, "next", start.plus(minute)).expect("a confidential client");
    assert_eq!(states(&world), [SecretState::Active, SecretState::Pending]);
    assert!(proves(&world, BOOKS.1) && !proves(&world, "next"));

    world.wait(minute);
    world.authority.retire_secret(world.now, BOOKS.0, BOOKS.1, world.now.plus(minute)).expect("it is known");
    assert_eq!(states(&world), [SecretState::Retiring, SecretState::Active]);
    assert!(proves(&world, BOOKS.1) && proves(&world, "next"), "they overlap");

    world.wait(minute);
    assert_eq!(states(&world), [SecretState::Retired, SecretState::Active]);
    assert!(!proves(&world, BOOKS.1) && proves(&world, "next"));

    world.authority.revoke_secret(world.now, BOOKS.0, "next").expect("it is known");
    assert_eq!(states(&world), [SecretState::Retired, SecretState::Revoked]);
    assert!(!proves(&world, "next"));
    assert!(!world.authority.client(BOOKS.0).expect("registered").is_public(), "without a good secret nobody is that client");
    assert!(!world.authority.authenticates(world.now, &ClientAuth::None { id: Some(BOOKS.0.into()) }));
}

#[test]
fn the_end_of_a_secret_can_be_moved_until_it_has_come() {
    let mut world = World::new();
    let at = |world: &World, seconds: u32| world.now.plus(seconds * SECOND);
    for seconds in [10, 60, 5] {
        let until = at(&world, seconds);
        world.authority.retire_secret(world.now, BOOKS.0, BOOKS.1, until).expect("it is accepted still");
    }
    world.wait(4 * SECOND);
    assert!(proves(&world, BOOKS.1));
    world.wait(SECOND);
    assert!(!proves(&world, BOOKS.1));
    let until = at(&world, 60);
    assert_eq!(world.authority.retire_secret(world.now, BOOKS.0, BOOKS.1, until), Err(SecretError::Over(BOOKS.0.into())));
}

#[test]
fn every_printable_character_and_the_space_may_stand_in_a_secret() {
    let mut world = World::new();
    let all: String = (' '..='~').collect();
    assert_eq!(all.len(), 95);
    let (start, more) = (world.now, (' '..='~').map(|one| one.to_string()));
    for secret in more.chain([all]) {
        world.authority.add_secret(BOOKS.0, &secret, start).expect("RFC 6749 appendix A.2 allows it");
        assert!(proves(&world, &secret), "{secret:?}");
    }
    for secret in ["", "a\tb", "a\nb", "caf\u{e9}", "\u{7f}"] {
        assert_eq!(world.authority.add_secret(BOOKS.0, secret, start), Err(SecretError::Malformed), "{secret:?}");
    }
}

#[test]
fn a_secret_that_cannot_be_changed_says_why() {
    let mut world = World::new();
    let now = world.now;
    assert_eq!(world.authority.add_secret(BOOKS.0, BOOKS.1, now), Err(SecretError::Taken(BOOKS.0.into())));
    assert_eq!(world.authority.revoke_secret(now, BOOKS.0, TILL.1), Err(SecretError::Unknown(BOOKS.0.into())));
    assert_eq!(world.authority.add_secret(KIOSK, "s", now), Err(SecretError::Client(ClientError::Public(KIOSK.into()))));
    assert_eq!(world.authority.retire_secret(now, "nobody", "s", now), Err(SecretError::Client(ClientError::Unknown("nobody".into()))));
}

#[test]
fn by_policy_a_refresh_token_dies_with_the_secret_it_was_issued_under() {
    for bound in [true, false] {
        let mut world = World::new();
        world.policy().refresh_bound_to_secret = bound;
        let connected = world.connected();
        world.authority.rotate_secret(world.now, BOOKS.0, "new".into(), 10 * SECOND).expect("a confidential client");
        assert_eq!(world.state(&connected.refresh), TokenState::Active, "the old secret is accepted still");
        world.wait(10 * SECOND);
        let answer = world.token(basic((BOOKS.0, "new")), refresh_grant(&connected.refresh, None));
        if bound {
            assert_eq!(gist(answer), invalid_grant(TokenState::Revoked(Cause::CredentialRotation)));
            assert_eq!(world.ended(connected.grant), None, "the grant lives");
            assert_eq!(world.state(&connected.access), TokenState::Active, "and so does the access token");
        } else {
            assert!(answer.is_ok());
        }
    }
}

#[test]
fn a_refresh_with_the_new_secret_frees_the_line_from_the_old_one() {
    let mut world = World::with(Rotation::Strict);
    world.policy().refresh_bound_to_secret = true;
    let connected = world.connected();
    world.authority.rotate_secret(world.now, BOOKS.0, "new".into(), 10 * SECOND).expect("a confidential client");
    let issued = world.token(basic((BOOKS.0, "new")), refresh_grant(&connected.refresh, None)).expect("within the overlap");
    world.authority.revoke_secret(world.now, BOOKS.0, BOOKS.1).expect("it is known");
    assert_eq!(world.state(&connected.refresh), TokenState::Superseded);
    assert_eq!(world.state(&issued.refresh_token.expect("it was rotated")), TokenState::Active);
}

#[test]
fn by_policy_a_rotation_ends_the_grants_of_that_client_alone() {
    let mut world = World::new();
    world.policy().rotation_ends_grants = true;
    let (one, two) = (world.connected(), world.connected());
    let till = world.authority.rotate_secret(world.now, TILL.0, "new".into(), Duration::ZERO).expect("a confidential client");
    assert_eq!((till, world.ended(one.grant)), (Vec::new(), None));
    let ended = world.authority.rotate_secret(world.now, BOOKS.0, "new".into(), 60 * SECOND).expect("a confidential client");
    assert_eq!(ended, [one.grant, two.grant]);
    assert_eq!(world.ended(two.grant), Some(EndedBy::Revoked(Cause::CredentialRotation)));
}

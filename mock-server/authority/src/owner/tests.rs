//! Revocation, expiry on demand, rejection by the API.

use crate::{
    Cause, EndedBy, GrantId, Rotation, TokenState,
    world::{SECOND, World, gist, invalid_grant},
};

#[test]
fn a_revoked_grant_takes_all_its_tokens_along() {
    let mut world = World::new();
    let connected = world.connected();
    assert!(world.revoke(connected.grant, Cause::Security));
    let revoked = TokenState::Revoked(Cause::Security);
    assert_eq!([world.state(&connected.access), world.state(&connected.refresh)], [revoked; 2]);
    assert_eq!(world.authority.current(connected.grant), None);
}

#[test]
fn by_policy_access_tokens_outlive_their_grant_until_they_expire() {
    let mut world = World::new();
    world.policy().end_kills_access = false;
    let connected = world.connected();
    world.revoke(connected.grant, Cause::User);
    world.policy().end_kills_access = true;
    assert_eq!(world.state(&connected.refresh), TokenState::Revoked(Cause::User));
    assert_eq!(world.state(&connected.access), TokenState::Active, "what happened under the old policy stays");
    assert!(world.authority.access(world.now, &connected.access).is_ok());
    world.wait(900 * SECOND);
    assert_eq!(world.state(&connected.access), TokenState::Expired);
}

#[test]
fn a_grant_ends_once() {
    let mut world = World::new();
    let connected = world.connected();
    let when = world.now;
    assert!(world.revoke(connected.grant, Cause::User));
    world.wait(SECOND);
    assert!(!world.revoke(connected.grant, Cause::Policy));
    let ended = world.authority.grants().first().and_then(|grant| grant.ended);
    assert_eq!(ended, Some((when, EndedBy::Revoked(Cause::User))));
}

#[test]
fn nothing_can_be_done_to_a_grant_that_is_unknown_ended_or_without_tokens() {
    let mut world = World::new();
    let ended = world.connected().grant;
    world.revoke(ended, Cause::User);
    let (fresh, _) = world.approved();
    for grant in [GrantId(0), GrantId(99), ended, fresh] {
        let now = world.now;
        assert!(!world.authority.expire_access(now, grant), "{grant:?}");
        assert!(!world.authority.expire_refresh(now, grant), "{grant:?}");
        assert!(!world.authority.reject_access(grant), "{grant:?}");
        assert_eq!(world.authority.current(grant), None, "{grant:?}");
    }
    assert!(!world.revoke(GrantId(99), Cause::User));
    assert!(world.revoke(fresh, Cause::User), "a grant lives before its code was exchanged");
}

#[test]
fn an_access_token_that_was_made_to_expire_is_replaced_by_a_refresh() {
    let mut world = World::new();
    let connected = world.connected();
    assert!(world.authority.expire_access(world.now, connected.grant));
    assert_eq!([world.state(&connected.access), world.state(&connected.refresh)], [TokenState::Expired, TokenState::Active]);
    let (access, _) = world.rotate(&connected.refresh);
    assert_eq!(world.state(&access), TokenState::Active);
}

#[test]
fn expiry_on_demand_never_prolongs_a_life() {
    let mut world = World::new();
    let connected = world.connected();
    world.wait(10_000_000 * SECOND);
    world.authority.expire_access(world.now, connected.grant);
    world.authority.expire_refresh(world.now, connected.grant);
    world.now = crate::Time(1_700_000_000_000 + 6_000_000_000);
    assert_eq!([world.state(&connected.access), world.state(&connected.refresh)], [TokenState::Expired; 2]);
}

#[test]
fn a_rejected_access_token_stays_so_until_a_refresh_supersedes_it() {
    let mut world = World::new();
    let connected = world.connected();
    assert!(world.authority.reject_access(connected.grant));
    assert_eq!(world.state(&connected.access), TokenState::Rejected);
    world.wait(SECOND);
    assert_eq!(world.state(&connected.access), TokenState::Rejected);
    let (access, _) = world.rotate(&connected.refresh);
    assert_eq!([world.state(&connected.access), world.state(&access)], [TokenState::Superseded, TokenState::Active]);
}

#[test]
fn what_is_done_to_the_current_token_is_done_to_every_one_the_policy_keeps_alive() {
    let mut world = World::with(Rotation::Lenient);
    let connected = world.connected();
    let (access, refresh) = world.rotate(&connected.refresh);
    world.authority.reject_access(connected.grant);
    assert_eq!([world.state(&connected.access), world.state(&access)], [TokenState::Rejected; 2]);
    world.authority.expire_access(world.now, connected.grant);
    assert_eq!([world.state(&connected.access), world.state(&access)], [TokenState::Expired; 2]);
    world.authority.expire_refresh(world.now, connected.grant);
    assert_eq!([world.state(&connected.refresh), world.state(&refresh)], [TokenState::Expired; 2]);
}

#[test]
fn a_token_in_its_grace_window_expires_with_its_successor() {
    let mut world = World::with(Rotation::Grace { window: 60 * SECOND, sibling: false });
    let connected = world.connected();
    world.rotate(&connected.refresh);
    world.authority.expire_refresh(world.now, connected.grant);
    assert_eq!(gist(world.refresh(&connected.refresh)), invalid_grant(TokenState::Expired));
}

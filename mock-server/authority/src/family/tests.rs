//! What is forgotten, and what is known all the same.

use crate::{
    Cause, EndedBy, Rotation, TokenState,
    family::Slot,
    world::{Connected, SECOND, World, gist, invalid_grant},
};

/// How many records a grant has: refresh tokens, access tokens, codes.
fn records(world: &World, connected: &Connected) -> (usize, usize, usize) {
    let family = world.authority.family(connected.grant).expect("its details are remembered");
    (family.refresh.len(), family.access.len(), usize::from(family.code.is_some()))
}

#[test]
fn a_replay_is_recognised_after_any_number_of_generations_at_no_cost_in_memory() {
    for rotation in [Rotation::StrictRevokeFamily, Rotation::Strict] {
        let mut world = World::with(rotation);
        let connected = world.connected();
        let mut all = vec![connected.refresh.clone()];
        for _ in 0..1_000 {
            let (_, next) = world.rotate(&all[all.len() - 1]);
            all.push(next);
            assert_eq!(records(&world, &connected), (1, 1, 0));
        }
        let family = world.authority.family(connected.grant).expect("it lives");
        assert!(!family.refresh.spilled() && !family.access.spilled(), "the current pair stands in the grant itself");
        for old in &all[..1_000] {
            assert_eq!(world.state(old), TokenState::Superseded);
        }
        assert_eq!(gist(world.refresh(&all[0])), invalid_grant(TokenState::Superseded));
        let expected = (rotation == Rotation::StrictRevokeFamily).then_some(EndedBy::Reuse);
        assert_eq!(world.ended(connected.grant), expected);
    }
}

#[test]
fn in_a_grace_window_only_what_is_still_within_it_is_kept() {
    let mut world = World::with(Rotation::Grace { window: 5 * SECOND, sibling: false });
    let connected = world.connected();
    let mut last = connected.refresh.clone();
    for _ in 0..100 {
        world.wait(SECOND);
        last = world.rotate(&last).1;
        assert!(records(&world, &connected).0 <= 6, "{:?}", records(&world, &connected));
    }
}

#[test]
fn access_tokens_that_have_expired_are_let_go() {
    let mut world = World::with(Rotation::Lenient);
    world.policy().access_lifetime = 3 * SECOND;
    let connected = world.connected();
    for _ in 0..100 {
        world.wait(SECOND);
        world.rotate(&connected.refresh);
        assert!(records(&world, &connected).1 <= 3);
    }
    assert_eq!(world.state(&connected.access), TokenState::Expired);
}

#[test]
fn the_end_of_a_grant_frees_its_tokens_and_the_oldest_ends_free_all_but_the_cause() {
    let mut world = World::new();
    world.authority.remember_ended(2);
    let all: Vec<Connected> = (0..5).map(|_| world.connected()).collect();
    for connected in &all {
        world.revoke(connected.grant, Cause::Security);
    }
    assert_eq!(records(&world, &all[4]), (0, 0, 0));
    let kept: Vec<_> = world.authority.grants().iter().map(|grant| grant.id).collect();
    assert_eq!(kept, [all[3].grant, all[4].grant]);
    for connected in &all {
        let revoked = TokenState::Revoked(Cause::Security);
        assert_eq!([world.state(&connected.access), world.state(&connected.refresh)], [revoked; 2]);
        assert_eq!(gist(world.refresh(&connected.refresh)), invalid_grant(revoked));
        assert_eq!(gist(world.exchange(&connected.code)), invalid_grant(TokenState::Used));
        assert!(!world.revoke(connected.grant, Cause::User), "it ends once");
    }
}

#[test]
fn a_grant_whose_access_tokens_outlive_it_is_remembered_until_they_expire() {
    let mut world = World::new();
    world.authority.remember_ended(0);
    world.policy().end_kills_access = false;
    let first = world.connected();
    world.revoke(first.grant, Cause::User);
    assert_eq!(world.state(&first.access), TokenState::Active);
    world.wait(900 * SECOND);
    let second = world.connected();
    world.revoke(second.grant, Cause::User);
    let kept: Vec<_> = world.authority.grants().iter().map(|grant| grant.id).collect();
    assert_eq!(kept, [second.grant]);
    assert_eq!([world.state(&first.access), world.state(&first.refresh)], [TokenState::Expired, TokenState::Revoked(Cause::User)]);
}

#[test]
fn a_grant_stays_small() {
    assert!(size_of::<super::Family>() <= 320, "{}", size_of::<super::Family>());
    assert!(size_of::<Slot>() <= 32, "{}", size_of::<Slot>());
}

#[test]
fn a_number_that_was_never_used_is_unknown_even_in_the_right_hand() {
    let mut world = World::new();
    let connected = world.connected();
    let later = world.connected();
    for forged in ["refresh-99-of-1", "refresh-2-of-1", "access-99-of-1", "code-99-of-1", "refresh-1-of-99", "refresh-0-of-1"] {
        assert_eq!(world.state(forged), TokenState::Unknown, "{forged}");
    }
    assert_eq!([world.state(&connected.refresh), world.state(&later.refresh)], [TokenState::Active; 2]);
}

#[test]
fn when_all_grants_are_forgotten_their_tokens_are_unknown_and_none_comes_twice() {
    let mut world = World::new();
    let before = world.connected();
    world.authority.forget_grants();
    assert!(world.authority.grants().is_empty());
    let after = world.connected();
    assert_eq!(after.grant, before.grant, "grants are counted from 1 again");
    for token in [&before.code, &before.access, &before.refresh] {
        assert_eq!(world.state(token), TokenState::Unknown, "{token}");
    }
    assert_eq!([world.state(&after.access), world.state(&after.refresh)], [TokenState::Active; 2]);
    assert_ne!((before.code, before.refresh), (after.code, after.refresh));
}

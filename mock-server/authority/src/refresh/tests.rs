//! RFC 6749 section 6, RFC 9700 section 4.14.2 and what Pleo says of rotation and replay.

use std::time::Duration;

use crate::{
    AccessRefusal, Cause, ClientAuth, Dialect, EndedBy, Rotation, TokenState,
    world::{BOOKS, KIOSK, SECOND, TILL, World, basic, gist, invalid_grant, refresh_grant},
};

const MONTHS: Duration = Duration::from_secs(60 * 24 * 3600);
const WINDOW: Duration = Duration::from_secs(5);
const GRACE: Rotation = Rotation::Grace { window: WINDOW, sibling: false };
const SIBLINGS: Rotation = Rotation::Grace { window: WINDOW, sibling: true };

#[test]
fn a_refresh_replaces_both_tokens_and_the_old_ones_die_at_once() {
    let mut world = World::new();
    let connected = world.connected();
    let (access, refresh) = world.rotate(&connected.refresh);
    assert_eq!([world.state(&access), world.state(&refresh)], [TokenState::Active; 2]);
    assert_eq!([world.state(&connected.access), world.state(&connected.refresh)], [TokenState::Superseded; 2]);
    assert_eq!(world.authority.access(world.now, &connected.access), Err(AccessRefusal(TokenState::Superseded)));
    assert_eq!(world.authority.current(connected.grant), Some((access, Some(refresh))));
    assert_eq!(world.authority.grants().first().map(|grant| grant.generation), Some(1));
}

#[test]
fn a_spent_refresh_token_is_refused_and_ends_the_family() {
    let mut world = World::new();
    let connected = world.connected();
    let (access, refresh) = world.rotate(&connected.refresh);
    assert_eq!(gist(world.refresh(&connected.refresh)), invalid_grant(TokenState::Superseded));
    assert_eq!(world.ended(connected.grant), Some(EndedBy::Reuse));
    assert_eq!([world.state(&access), world.state(&refresh)], [TokenState::FamilyEnded; 2]);
    assert_eq!(gist(world.refresh(&refresh)), invalid_grant(TokenState::FamilyEnded));
    assert_eq!(world.authority.current(connected.grant), None);
}

#[test]
fn the_replay_of_any_ancestor_ends_the_family() {
    let mut world = World::new();
    let connected = world.connected();
    let (_, second) = world.rotate(&connected.refresh);
    let (_, third) = world.rotate(&second);
    assert!(world.refresh(&connected.refresh).is_err());
    assert_eq!(world.state(&third), TokenState::FamilyEnded);
}

#[test]
fn a_family_ends_alone() {
    let mut world = World::new();
    let (one, other) = (world.connected(), world.connected());
    world.rotate(&one.refresh);
    assert!(world.refresh(&one.refresh).is_err());
    assert_eq!([world.state(&other.access), world.state(&other.refresh)], [TokenState::Active; 2]);
}

#[test]
fn an_expired_refresh_token_is_refused_and_ends_the_family() {
    let mut world = World::new();
    let connected = world.connected();
    world.wait(MONTHS);
    assert_eq!(world.state(&connected.refresh), TokenState::Expired);
    assert_eq!(world.ended(connected.grant), None, "time alone ends nothing");
    assert_eq!(gist(world.refresh(&connected.refresh)), invalid_grant(TokenState::Expired));
    assert_eq!(world.ended(connected.grant), Some(EndedBy::ExpiredReplay));
}

#[test]
fn an_expired_refresh_token_takes_a_living_access_token_along_only_by_policy() {
    for end_kills_access in [true, false] {
        let mut world = World::new();
        world.policy().end_kills_access = end_kills_access;
        let connected = world.connected();
        assert!(world.authority.expire_refresh(world.now, connected.grant));
        assert_eq!(world.state(&connected.access), TokenState::Active);
        assert!(world.refresh(&connected.refresh).is_err());
        let expected = if end_kills_access { TokenState::FamilyEnded } else { TokenState::Active };
        assert_eq!(world.state(&connected.access), expected);
    }
}

#[test]
fn each_rotation_starts_the_lifetime_anew() {
    let mut world = World::new();
    let connected = world.connected();
    world.wait(MONTHS - SECOND);
    let (_, refresh) = world.rotate(&connected.refresh);
    world.wait(MONTHS - SECOND);
    assert_eq!(world.state(&refresh), TokenState::Active);
    world.wait(SECOND);
    assert_eq!(world.state(&refresh), TokenState::Expired);
}

#[test]
fn the_two_replays_have_a_switch_each() {
    for (reuse, expiry) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut world = World::new();
        world.policy().reuse_ends_family = reuse;
        world.policy().expired_ends_family = expiry;

        let reused = world.connected();
        world.rotate(&reused.refresh);
        assert_eq!(gist(world.refresh(&reused.refresh)), invalid_grant(TokenState::Superseded));
        assert_eq!(world.ended(reused.grant), reuse.then_some(EndedBy::Reuse));

        let expired = world.connected();
        world.authority.expire_refresh(world.now, expired.grant);
        assert_eq!(gist(world.refresh(&expired.refresh)), invalid_grant(TokenState::Expired));
        assert_eq!(world.ended(expired.grant), expiry.then_some(EndedBy::ExpiredReplay));
    }
}

#[test]
fn a_token_that_is_superseded_and_expired_counts_as_either() {
    for (reuse, expected) in [(true, EndedBy::Reuse), (false, EndedBy::ExpiredReplay)] {
        let mut world = World::new();
        world.policy().reuse_ends_family = reuse;
        let connected = world.connected();
        world.rotate(&connected.refresh);
        world.wait(MONTHS);
        assert_eq!(gist(world.refresh(&connected.refresh)), invalid_grant(TokenState::Superseded));
        assert_eq!(world.ended(connected.grant), Some(expected));
    }
}

#[test]
fn under_strict_a_replay_is_refused_and_the_family_lives() {
    let mut world = World::with(Rotation::Strict);
    let connected = world.connected();
    let (access, refresh) = world.rotate(&connected.refresh);
    assert_eq!(gist(world.refresh(&connected.refresh)), invalid_grant(TokenState::Superseded));
    assert_eq!([world.state(&access), world.state(&refresh)], [TokenState::Active; 2]);
    world.authority.expire_refresh(world.now, connected.grant);
    assert_eq!(gist(world.refresh(&refresh)), invalid_grant(TokenState::Expired));
    assert_eq!(world.ended(connected.grant), None);
}

#[test]
fn another_clients_refresh_token_is_refused_without_harm() {
    let mut world = World::new();
    let connected = world.connected();
    let (_, refresh) = world.rotate(&connected.refresh);
    for thief in [basic(TILL), ClientAuth::None { id: Some(KIOSK.into()) }] {
        for token in [&connected.refresh, &refresh] {
            assert_eq!(gist(world.token(thief.clone(), refresh_grant(token, None))), invalid_grant(TokenState::Unknown));
        }
    }
    assert_eq!(world.state(&refresh), TokenState::Active);
}

#[test]
fn what_is_no_refresh_token_is_unknown() {
    let mut world = World::new();
    let connected = world.connected();
    for token in ["never-issued", &connected.access, &connected.code] {
        assert_eq!(gist(world.refresh(token)), invalid_grant(TokenState::Unknown));
    }
    assert_eq!(world.ended(connected.grant), None);
}

#[test]
fn a_revoked_grant_is_refused_with_its_cause_in_the_policys_words() {
    for cause in [Cause::User, Cause::Security, Cause::Policy, Cause::CredentialRotation, Cause::Installation] {
        let mut world = World::new();
        world.policy().refused_with = Dialect { error: "invalid_token".into(), description: None, status: 401 };
        let connected = world.connected();
        let (_, refresh) = world.rotate(&connected.refresh);
        assert!(world.revoke(connected.grant, cause));
        for token in [&refresh, &connected.refresh] {
            let refusal = world.refresh(token).expect_err("it was revoked");
            assert_eq!((refusal.status, refusal.error.as_str(), refusal.description.as_deref()), (401, "invalid_token", None));
            assert_eq!((refusal.state, refusal.challenge_basic), (Some(TokenState::Revoked(cause)), false));
        }
        assert_eq!(world.ended(connected.grant), Some(EndedBy::Revoked(cause)), "a replay does not change what ended it");
    }
}

#[test]
fn every_dead_refresh_token_is_refused_in_the_policys_words() {
    let mut world = World::with(Rotation::Strict);
    let words = Dialect { error: "invalid_refresh_token".into(), description: Some("gone".into()), status: 403 };
    world.policy().refused_with = words.clone();
    let connected = world.connected();
    let (_, refresh) = world.rotate(&connected.refresh);
    world.authority.expire_refresh(world.now, connected.grant);
    for token in ["never-issued", &connected.refresh, &refresh] {
        let refusal = world.refresh(token).expect_err("it is dead");
        assert_eq!((refusal.status, refusal.error, refusal.description), (words.status, words.error.clone(), words.description.clone()));
    }
}

#[test]
fn a_narrower_scope_holds_for_one_access_token() {
    let mut world = World::new();
    let connected = world.connected();
    let narrow = world.token(basic(BOOKS), refresh_grant(&connected.refresh, Some("write"))).expect("it is a part of the grant");
    assert_eq!(&*narrow.scopes, ["write"]);
    assert_eq!(world.authority.access_scopes(&narrow.access_token), Some(&["write".to_owned()][..]));
    let full = world.refresh(&narrow.refresh_token.expect("it was rotated")).expect("the grant is as wide as before");
    assert_eq!(&*full.scopes, ["read", "write"]);
}

#[test]
fn a_wider_scope_is_refused_and_the_token_is_not_spent() {
    let mut world = World::new();
    let connected = world.connected();
    for scope in ["read admin", "\"", " "] {
        let answer = world.token(basic(BOOKS), refresh_grant(&connected.refresh, Some(scope)));
        assert_eq!(gist(answer), (400, "invalid_scope".into(), None));
    }
    assert!(world.refresh(&connected.refresh).is_ok());
}

#[test]
fn a_spent_token_with_a_wrong_scope_is_a_replay_all_the_same() {
    let mut world = World::new();
    let connected = world.connected();
    world.rotate(&connected.refresh);
    assert_eq!(gist(world.token(basic(BOOKS), refresh_grant(&connected.refresh, Some("admin")))), invalid_grant(TokenState::Superseded));
    assert_eq!(world.ended(connected.grant), Some(EndedBy::Reuse));
}

#[test]
fn by_policy_a_refresh_leaves_the_previous_access_token_alive() {
    let mut world = World::new();
    world.policy().refresh_kills_access = false;
    let connected = world.connected();
    world.rotate(&connected.refresh);
    assert_eq!(world.state(&connected.access), TokenState::Active);
    world.wait(900 * SECOND);
    assert_eq!(world.state(&connected.access), TokenState::Expired);
}

#[test]
fn within_the_grace_window_a_superseded_token_answers_the_same_successor() {
    let mut world = World::with(GRACE);
    let connected = world.connected();
    let (access, refresh) = world.rotate(&connected.refresh);
    world.wait(WINDOW - SECOND);
    let again = world.refresh(&connected.refresh).expect("it is within the window");
    assert_eq!((again.access_token.as_str(), again.refresh_token.as_deref()), (access.as_str(), Some(refresh.as_str())));
    assert_eq!(again.expires_in, (900 - 4) * SECOND, "what is left of it");
    assert_eq!(world.authority.grants().first().map(|grant| grant.generation), Some(1), "nothing was rotated");
    world.wait(SECOND);
    assert_eq!(gist(world.refresh(&connected.refresh)), invalid_grant(TokenState::Superseded));
    assert_eq!(world.state(&refresh), TokenState::Active, "the family lives");
}

#[test]
fn a_repeated_answer_follows_the_line_to_its_end() {
    let mut world = World::with(GRACE);
    let connected = world.connected();
    let (_, second) = world.rotate(&connected.refresh);
    let third = world.rotate(&second);
    assert_eq!(world.rotate(&connected.refresh), third);
}

#[test]
fn a_repeated_answer_has_another_access_token_if_the_first_is_no_longer_good() {
    let mut world = World::with(GRACE);
    let connected = world.connected();
    let (access, refresh) = world.rotate(&connected.refresh);
    assert!(world.authority.reject_access(connected.grant));
    let (renewed, same) = world.rotate(&connected.refresh);
    assert_eq!(same, refresh);
    assert_ne!(renewed, access);
    assert_eq!([world.state(&access), world.state(&renewed)], [TokenState::Superseded, TokenState::Active]);
    let narrow = world.token(basic(BOOKS), refresh_grant(&connected.refresh, Some("read"))).expect("it is within the window");
    assert_ne!(narrow.access_token, renewed, "other scopes");
    assert_eq!(&*narrow.scopes, ["read"]);
}

#[test]
fn a_superseded_token_in_its_window_is_no_better_than_its_successor() {
    let mut world = World::with(GRACE);
    world.policy().refresh_lifetime = 10 * SECOND;
    let connected = world.connected();
    world.policy().refresh_lifetime = 2 * SECOND;
    world.rotate(&connected.refresh);
    world.wait(3 * SECOND);
    assert_eq!(world.state(&connected.refresh), TokenState::Expired);
    assert_eq!(gist(world.refresh(&connected.refresh)), invalid_grant(TokenState::Expired));
}

#[test]
fn with_siblings_each_use_within_the_window_gives_a_pair_of_its_own() {
    let mut world = World::with(SIBLINGS);
    let connected = world.connected();
    let one = world.rotate(&connected.refresh);
    let two = world.rotate(&connected.refresh);
    assert_ne!(one, two);
    for token in [&one.0, &one.1, &two.0, &two.1] {
        assert_eq!(world.state(token), TokenState::Active);
    }
    let next = world.rotate(&one.1);
    assert_eq!(
        [world.state(&one.0), world.state(&two.0), world.state(&next.0)],
        [TokenState::Superseded, TokenState::Active, TokenState::Active]
    );
    world.wait(WINDOW);
    assert_eq!(
        [world.state(&one.1), world.state(&two.1)],
        [TokenState::Superseded, TokenState::Active],
        "an unused sibling is not superseded"
    );
    assert!(world.refresh(&connected.refresh).is_err());
}

#[test]
fn a_use_within_the_window_does_not_prolong_it() {
    for rotation in [GRACE, SIBLINGS] {
        let mut world = World::with(rotation);
        let connected = world.connected();
        world.rotate(&connected.refresh);
        world.wait(WINDOW - SECOND);
        world.rotate(&connected.refresh);
        world.wait(SECOND);
        assert_eq!(world.state(&connected.refresh), TokenState::Superseded, "{rotation:?}");
    }
}

#[test]
fn siblings_do_not_outlive_a_change_to_strict() {
    let mut world = World::with(SIBLINGS);
    let connected = world.connected();
    let one = world.rotate(&connected.refresh);
    let two = world.rotate(&connected.refresh);
    world.policy().rotation = Rotation::Strict;
    assert_eq!([world.state(&one.1), world.state(&two.1)], [TokenState::Superseded, TokenState::Active], "only the newest counts");
    world.rotate(&two.1);
    assert_eq!(world.state(&one.0), TokenState::Superseded, "a refresh kills every access token of the family");
}

#[test]
fn under_lenient_every_token_stays_good_until_it_expires() {
    let mut world = World::with(Rotation::Lenient);
    let connected = world.connected();
    let one = world.rotate(&connected.refresh);
    let two = world.rotate(&connected.refresh);
    let three = world.rotate(&one.1);
    for token in [&connected.access, &connected.refresh, &one.0, &one.1, &two.0, &two.1, &three.0, &three.1] {
        assert_eq!(world.state(token), TokenState::Active);
    }
    world.wait(MONTHS);
    assert_eq!(world.state(&connected.refresh), TokenState::Expired);
    assert_eq!(gist(world.refresh(&connected.refresh)), invalid_grant(TokenState::Expired));
    assert_eq!(world.ended(connected.grant), None);
}

#[test]
fn without_rotation_the_refresh_token_stays_and_is_not_repeated_in_the_answer() {
    let mut world = World::with(Rotation::Off);
    let connected = world.connected();
    world.wait(MONTHS - SECOND);
    let issued = world.refresh(&connected.refresh).expect("it is good");
    assert_eq!(issued.refresh_token, None);
    assert_eq!(world.state(&connected.refresh), TokenState::Active);
    assert_eq!(world.authority.current(connected.grant), Some((issued.access_token, Some(connected.refresh.clone()))));
    assert_eq!(world.authority.grants().first().map(|grant| grant.generation), Some(0));
    world.wait(SECOND);
    assert_eq!(world.state(&connected.refresh), TokenState::Expired, "without rotation nothing prolongs it");
}

#[test]
fn without_rotation_the_previous_access_token_dies_all_the_same() {
    let mut world = World::with(Rotation::Off);
    let connected = world.connected();
    assert!(world.refresh(&connected.refresh).is_ok());
    assert_eq!(world.state(&connected.access), TokenState::Superseded);
}

#[test]
fn a_laxer_policy_does_not_raise_what_a_strict_rotation_has_killed() {
    let mut world = World::new();
    let connected = world.connected();
    let (_, refresh) = world.rotate(&connected.refresh);
    world.policy().rotation = Rotation::Lenient;
    assert_eq!([world.state(&connected.access), world.state(&connected.refresh)], [TokenState::Superseded; 2]);
    assert_eq!(gist(world.refresh(&connected.refresh)), invalid_grant(TokenState::Superseded));
    world.rotate(&refresh);
    assert_eq!(world.state(&refresh), TokenState::Active, "it was rotated under the laxer policy");
}

#[test]
fn a_stricter_policy_judges_the_tokens_that_a_laxer_one_kept() {
    let mut world = World::with(Rotation::Lenient);
    let connected = world.connected();
    world.rotate(&connected.refresh);
    world.policy().rotation = Rotation::StrictRevokeFamily;
    assert_eq!(world.state(&connected.refresh), TokenState::Superseded);
    assert!(world.refresh(&connected.refresh).is_err());
    assert_eq!(world.ended(connected.grant), Some(EndedBy::Reuse));
}

#[test]
fn a_changed_lifetime_holds_for_new_tokens() {
    let mut world = World::new();
    let connected = world.connected();
    world.policy().access_lifetime = SECOND;
    world.wait(SECOND);
    assert_eq!(world.state(&connected.access), TokenState::Active);
    let issued = world.refresh(&connected.refresh).expect("it is good");
    assert_eq!(issued.expires_in, SECOND);
    world.wait(SECOND);
    assert_eq!(world.state(&issued.access_token), TokenState::Expired);
}

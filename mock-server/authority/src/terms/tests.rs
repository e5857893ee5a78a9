//! Requests on terms of their own.

use std::time::Duration;

use super::{Narrowed, Terms};
use crate::{
    Rotation, TokenState,
    world::{SECOND, World},
};

const GRACE: Rotation = Rotation::Grace { window: Duration::from_secs(5), sibling: false };

#[test]
fn without_a_new_refresh_token_the_old_one_stays_good_under_every_rotation() {
    for rotation in [Rotation::StrictRevokeFamily, Rotation::Strict, GRACE, Rotation::Lenient, Rotation::Off] {
        let mut world = World::with(rotation);
        let connected = world.connected();
        let keeps = Terms { keeps_refresh: true, ..Terms::default() };
        let issued = world.refresh_on(keeps, &connected.refresh).expect("it is good");
        assert_eq!(issued.refresh_token, None, "{rotation:?}");
        world.wait(60 * SECOND);
        assert_eq!([world.state(&issued.access_token), world.state(&connected.refresh)], [TokenState::Active; 2], "{rotation:?}");
        let next = world.refresh(&connected.refresh).expect("still good");
        assert_eq!(next.refresh_token.is_some(), rotation != Rotation::Off, "the terms are over with their request");
    }
}

#[test]
fn a_replay_is_one_whatever_the_terms() {
    let mut world = World::new();
    let connected = world.connected();
    world.rotate(&connected.refresh);
    let keeps = Terms { keeps_refresh: true, ..Terms::default() };
    assert!(world.refresh_on(keeps, &connected.refresh).is_err());
    assert!(world.ended(connected.grant).is_some());
}

#[test]
fn lifetime_and_scopes_hold_for_the_one_access_token() {
    let mut world = World::new();
    let connected = world.connected();
    let narrow = Terms { access_lifetime: Some(2 * SECOND), scopes: Some(Narrowed::First(1)), ..Terms::default() };
    let issued = world.refresh_on(narrow, &connected.refresh).expect("it is good");
    assert_eq!((issued.expires_in, &*issued.scopes), (2 * SECOND, &["read".to_owned()][..]));
    assert_eq!(world.authority.access_scopes(&issued.access_token), Some(&["read".to_owned()][..]));
    world.wait(2 * SECOND);
    assert_eq!(world.state(&issued.access_token), TokenState::Expired);
    let only = Terms { scopes: Some(Narrowed::Only(vec!["write".into(), "more".into()])), ..Terms::default() };
    let issued = world.refresh_on(only, &issued.refresh_token.expect("rotated")).expect("it is good");
    assert_eq!(*issued.scopes, ["write"]);
    let issued = world.refresh(&issued.refresh_token.expect("rotated")).expect("it is good");
    assert_eq!(*issued.scopes, ["read", "write"], "the next refresh may have all of the grant again");
}

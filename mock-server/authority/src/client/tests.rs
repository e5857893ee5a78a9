//! The timeline of secrets.

use std::{sync::Arc, time::Duration};

use crate::{Authority, Client, ClientError, Policy, Secret, Time, world::Plain};

fn authority(client: Client) -> Authority {
    let mut authority = Authority::new(Policy::default(), Arc::new(Plain));
    authority.register(client);
    authority
}

fn accepts(authority: &Authority, now: u64, secret: &str) -> bool {
    authority.client("books").expect("it is registered").accepts(Time(now), secret)
}

#[test]
fn a_secret_counts_from_its_beginning_until_just_before_its_end() {
    let secret = Secret { until: Some(Time(20)), ..Secret::from("s", Time(10)) };
    let authority = authority(Client { secrets: vec![secret], ..Client::public("books") });
    let good: Vec<u64> = (0..30).filter(|&now| accepts(&authority, now, "s")).collect();
    assert_eq!(good, (10..20).collect::<Vec<u64>>());
}

#[test]
fn a_rotated_secret_is_good_for_the_overlap_alongside_the_new_one() {
    let mut authority = authority(Client::confidential("books", "old"));
    authority.rotate_secret(Time(100), "books", "new".into(), Duration::from_millis(50)).expect("a confidential client");
    assert_eq!([accepts(&authority, 99, "old"), accepts(&authority, 99, "new")], [true, false]);
    assert_eq!([accepts(&authority, 100, "old"), accepts(&authority, 100, "new")], [true, true]);
    assert_eq!([accepts(&authority, 149, "old"), accepts(&authority, 149, "new")], [true, true]);
    assert_eq!([accepts(&authority, 150, "old"), accepts(&authority, 150, "new")], [false, true]);
}

#[test]
fn without_overlap_the_old_secret_dies_at_once() {
    let mut authority = authority(Client::confidential("books", "old"));
    authority.rotate_secret(Time(100), "books", "new".into(), Duration::ZERO).expect("a confidential client");
    assert_eq!([accepts(&authority, 100, "old"), accepts(&authority, 100, "new")], [false, true]);
}

#[test]
fn a_second_rotation_does_not_prolong_the_first_secret() {
    let mut authority = authority(Client::confidential("books", "one"));
    authority.rotate_secret(Time(100), "books", "two".into(), Duration::from_millis(10)).expect("a confidential client");
    authority.rotate_secret(Time(105), "books", "three".into(), Duration::from_millis(50)).expect("a confidential client");
    assert_eq!([accepts(&authority, 109, "one"), accepts(&authority, 110, "one")], [true, false]);
    assert_eq!([accepts(&authority, 154, "two"), accepts(&authority, 155, "two")], [true, false]);
    assert!(accepts(&authority, 155, "three"));
}

#[test]
fn a_secret_that_begins_later_is_not_retired_by_a_rotation() {
    let later = Secret::from("later", Time(200));
    let mut client = Client::confidential("books", "now");
    client.secrets.push(later);
    let mut authority = authority(client);
    authority.rotate_secret(Time(100), "books", "new".into(), Duration::ZERO).expect("a confidential client");
    assert!(accepts(&authority, 300, "later"));
}

#[test]
fn only_a_public_client_has_the_empty_secret() {
    assert!(Client::public("kiosk").accepts(Time(0), ""));
    assert!(!Client::public("kiosk").accepts(Time(0), "anything"));
    assert!(!Client::confidential("books", "s").accepts(Time(0), ""));
    assert!(!Client::confidential("books", "").accepts(Time(0), ""), "an empty secret proves nothing");
}

#[test]
fn there_is_no_secret_to_rotate_for_a_public_or_unknown_client() {
    let mut authority = authority(Client::public("kiosk"));
    assert_eq!(authority.rotate_secret(Time(0), "kiosk", "s".into(), Duration::ZERO), Err(ClientError::Public("kiosk".into())));
    assert_eq!(authority.rotate_secret(Time(0), "nobody", "s".into(), Duration::ZERO), Err(ClientError::Unknown("nobody".into())));
}

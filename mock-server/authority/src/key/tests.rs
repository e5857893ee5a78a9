//! Tokens: unique, unguessable, readable by who has the key.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

fn key() -> Key {
    Key::from_seed(b"seven")
}

fn stamp(kind: Kind, grant: u32, number: u64) -> Stamp {
    Stamp { kind, grant: GrantId(grant), number, look: Look::default() }
}

#[test]
fn the_same_seed_gives_the_same_tokens() {
    let token = stamp(Kind::Refresh, 1, 2);
    assert_eq!(key().write(&token), key().write(&token));
    assert_ne!(key().write(&token), Key::from_seed(b"eight").write(&token));
}

#[test]
fn a_changed_character_makes_a_token_unreadable() {
    let token = key().write(&stamp(Kind::Refresh, 5, 9));
    assert!(key().read(&token).is_some());
    for place in 0..token.len() {
        let mut other = token.clone().into_bytes();
        other[place] = if other[place] == b'a' { b'b' } else { b'a' };
        assert_eq!(key().read(&String::from_utf8_lossy(&other)), None, "{place} of {token}");
    }
    for wrong in [&token[1..], &token[..token.len() - 1], &format!("{token} "), ""] {
        assert_eq!(key().read(wrong), None, "{wrong:?}");
    }
    assert_eq!(Key::from_seed(b"eight").read(&token), None, "another key");
}

#[test]
fn neighbours_have_nothing_in_common() {
    let key = key();
    let tokens: Vec<String> = (1..2_001).map(|number| key.write(&stamp(Kind::Access, 1, number))).collect();
    assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), tokens.len());
    // Each place of each token is one of 62: 2,000 draws give each letter about 32 times, and hardly ever fewer than 8 or more than 70.
    for place in 0..SEALED {
        let mut counts = HashMap::<u8, u32>::new();
        for token in &tokens {
            *counts.entry(token.as_bytes()[place]).or_default() += 1;
        }
        assert!(counts.len() == 62 && counts.values().all(|count| (8..70).contains(count)), "place {place}: {counts:?}");
    }
}

#[test]
fn a_key_does_not_show_itself() {
    assert_eq!(format!("{:?}", key()), "Key");
}

proptest! {
    #[test]
    fn what_was_written_is_read(grant: u32, number in 0..(1_u64 << 47), kind in 0..3_usize) {
        let stamp = stamp([Kind::Access, Kind::Refresh, Kind::Code][kind], grant, number);
        let token = key().write(&stamp);
        prop_assert_eq!(token.len(), SEALED);
        prop_assert_eq!(key().read(&token), Some(stamp));
    }

    #[test]
    fn no_string_makes_the_reader_fail(text in "\\PC{0,60}|[A-Za-z0-9]{43}") {
        prop_assert_eq!(key().read(&text), None);
    }
}

//! Secrets: unique, unguessable, readable by who has the key.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

fn stamp(kind: Kind, grant: u32, number: u64) -> Stamp {
    Stamp { kind, grant: GrantId(grant), number, look: Look(0) }
}

#[test]
fn the_same_seed_gives_the_same_ids_whatever_was_minted_between() {
    let (mut one, mut other) = (Source::new(7), Source::new(7));
    other.secret();
    assert_eq!(one.uuid(), other.uuid());
    assert_ne!(one.uuid(), Source::new(8).uuid());
}

#[test]
fn the_same_seed_gives_the_same_tokens() {
    let write = |seed| Keyed::new(seed).write(&stamp(Kind::Refresh, 1, 2));
    assert_eq!(write(7), write(7));
    assert_ne!(write(7), write(8));
    assert_eq!(Source::new(7).secret(), Source::new(7).secret());
}

#[test]
fn an_odd_refresh_token_has_characters_that_need_care() {
    let mut source = Source::new(1);
    source.set_shape(TokenShape::Odd);
    for kind in KINDS {
        let token = source.keyed.write(&Stamp { look: source.keyed.look(), ..stamp(kind, 1, 1) });
        assert_eq!(token.bytes().filter(|b| !b.is_ascii_alphanumeric()).count(), STREWN, "{token}");
        assert!(token.bytes().all(|b| (0x20..=0x7e).contains(&b)), "{token}");
        let ends = [token.bytes().next(), token.bytes().last()].map(|end| end.is_some_and(|end| end.is_ascii_alphanumeric()));
        assert_eq!(ends, [true; 2], "nothing is lost by trimming: {token}");
    }
    assert!(source.secret().bytes().any(|b| !b.is_ascii_alphanumeric()));
}

#[test]
fn a_changed_character_makes_a_token_unreadable() {
    let keyed = Keyed::new(7);
    for look in [Look(0), Look(1)] {
        let token = keyed.write(&Stamp { look, ..stamp(Kind::Refresh, 5, 9) });
        assert!(keyed.read(&token).is_some());
        for place in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[place] = if other[place] == b'a' { b'b' } else { b'a' };
            assert_eq!(keyed.read(&String::from_utf8_lossy(&other)), None, "{place} of {token}");
        }
        for wrong in [&token[1..], &token[..token.len() - 1], &format!("{token} "), ""] {
            assert_eq!(keyed.read(wrong), None, "{wrong:?}");
        }
        assert_eq!(Keyed::new(8).read(&token), None, "another key");
    }
}

#[test]
fn neighbours_have_nothing_in_common() {
    let keyed = Keyed::new(7);
    let tokens: Vec<String> = (1..2_001).map(|number| keyed.write(&stamp(Kind::Access, 1, number))).collect();
    assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), tokens.len());
    // Each place of each token is one of 62: 2,000 draws give each letter about 32 times, and hardly ever fewer than 8 or more than 70.
    for place in 0..CORE {
        let mut counts = HashMap::<u8, u32>::new();
        for token in &tokens {
            *counts.entry(token.as_bytes()[place]).or_default() += 1;
        }
        assert!(counts.len() == 62 && counts.values().all(|count| (8..70).contains(count)), "place {place}: {counts:?}");
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(grant: u32, number in 0..(1_u64 << 47), kind in 0..3_usize, look in 0..2_u8) {
        let keyed = Keyed::new(7);
        let stamp = Stamp { look: Look(look), ..stamp(KINDS[kind], grant, number) };
        let token = keyed.write(&stamp);
        prop_assert_eq!(token.len(), if look == 0 { CORE } else { CORE + STREWN });
        prop_assert_eq!(keyed.read(&token), Some(stamp));
    }

    #[test]
    fn no_string_makes_the_reader_fail(text in "\\PC{0,60}|[A-Za-z0-9]{43}|[ -~]{51}") {
        prop_assert_eq!(Keyed::new(7).read(&text), None);
    }
}

//! What secrets look like, and that they are read in every look.

use proptest::prelude::*;
use regrant_authority::GrantId;

use super::*;

const KINDS: [Kind; 3] = [Kind::Access, Kind::Refresh, Kind::Code];

fn stamp(kind: Kind, number: u64, look: u8) -> Stamp {
    Stamp { kind, grant: GrantId(5), number, look: Look(look) }
}

#[test]
fn the_same_seed_gives_the_same_ids_whatever_was_minted_between() {
    let (mut one, mut other) = (Source::new(7), Source::new(7));
    other.secret();
    assert_eq!(one.uuid(), other.uuid());
    assert_ne!(one.uuid(), Source::new(8).uuid());
}

#[test]
fn the_same_seed_gives_the_same_secrets() {
    let token = |seed| Source::new(seed).keyed.write(&stamp(Kind::Refresh, 1, 0));
    assert_eq!((token(7), Source::new(7).secret()), (token(7), Source::new(7).secret()));
    assert_ne!(token(7), token(8));
    assert_ne!(Source::new(7).secret(), Source::new(8).secret());
}

#[test]
fn an_odd_token_has_characters_that_need_care() {
    let mut source = Source::new(1);
    source.set_shape(TokenShape::Odd);
    for kind in KINDS {
        let token = source.keyed.write(&Stamp { look: source.keyed.look(), ..stamp(kind, 1, 0) });
        assert_eq!(token.bytes().filter(|b| !b.is_ascii_alphanumeric()).count(), STREWN, "{token}");
        assert!(token.bytes().all(|b| (0x20..=0x7e).contains(&b)), "{token}");
        let ends = [token.bytes().next(), token.bytes().last()].map(|end| end.is_some_and(|end| end.is_ascii_alphanumeric()));
        assert_eq!(ends, [true; 2], "nothing is lost by trimming: {token}");
    }
    assert!(source.secret().bytes().any(|b| !b.is_ascii_alphanumeric()));
}

#[test]
fn a_token_is_read_whatever_shape_is_the_fashion_now() {
    let mut source = Source::new(1);
    let old = stamp(Kind::Refresh, 1, 0);
    let token = source.keyed.write(&old);
    source.set_shape(TokenShape::Odd);
    assert_eq!(source.keyed.read(&token), Some(old));
}

#[test]
fn a_changed_character_makes_an_odd_token_unreadable() {
    let keyed = Keyed::new(7);
    let token = keyed.write(&stamp(Kind::Refresh, 9, 1));
    for place in 0..token.len() {
        let mut other = token.clone().into_bytes();
        other[place] = if other[place] == b'a' { b'b' } else { b'a' };
        assert_eq!(keyed.read(&String::from_utf8_lossy(&other)), None, "{place} of {token}");
    }
}

#[test]
fn a_misleading_token_says_that_it_is_long_past() {
    use base64::Engine as _;
    let keyed = Keyed::new(1);
    let (one, other) = (keyed.write(&stamp(Kind::Access, 1, 2)), keyed.write(&stamp(Kind::Access, 2, 2)));
    assert_ne!(one, other);
    let claims = one.split('.').nth(1).and_then(|part| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).ok());
    let claims: serde_json::Value = serde_json::from_slice(&claims.unwrap_or_default()).unwrap_or_default();
    assert_eq!(claims["exp"], 1_000_000_000);
    assert!(!keyed.write(&stamp(Kind::Refresh, 1, 2)).contains('.'));
}

#[test]
fn a_long_token_is_long() {
    let keyed = Keyed::new(1);
    assert_eq!(KINDS.map(|kind| keyed.write(&stamp(kind, 1, 3)).len()), [LONG, LONG, SEALED]);
}

proptest! {
    #[test]
    fn what_was_written_is_read_in_every_look(number in 0..(1_u64 << 47), kind in 0..3_usize, look in 0..4_u8) {
        let stamp = stamp(KINDS[kind], number, look);
        // Some looks dress some kinds as plain.
        let plain = matches!((SHAPES[usize::from(look)], stamp.kind), (TokenShape::Jwt, Kind::Refresh | Kind::Code) | (TokenShape::Long, Kind::Code));
        let read = Stamp { look: Look(if plain { 0 } else { look }), ..stamp };
        prop_assert_eq!(Keyed::new(7).read(&Keyed::new(7).write(&stamp)), Some(read));
    }

    #[test]
    fn no_string_makes_the_reader_fail(text in "\\PC{0,60}|[A-Za-z0-9]{43}|[ -~]{51}") {
        prop_assert_eq!(Keyed::new(7).read(&text), None);
    }
}

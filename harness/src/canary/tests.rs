//! The promises of the search, on random tokens in random surroundings.

use std::fmt::Write;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use proptest::prelude::*;

use super::*;

fn canary(value: &str) -> Canary {
    Canary { name: "refresh#3".into(), value: value.into(), kind: Kind::Refresh, client_id: None }
}

fn forms(hits: &[Hit]) -> Vec<Form> {
    hits.iter().map(|h| h.form).collect()
}

fn escape_all(value: &str, one: impl Fn(char) -> String) -> String {
    value.chars().map(one).collect()
}

fn hex(value: &str) -> String {
    value.bytes().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// Every way of writing `value` that must be found, with the form it may be called.
fn writings(value: &str, before: &str) -> Vec<(Form, Vec<u8>)> {
    let special = |c: char| !c.is_ascii_alphanumeric();
    let form_encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let json = serde_json::to_string(value).expect("a string");
    let long = format!("{before}{value}\"}}");
    let mut all: Vec<(Form, Vec<u8>)> = vec![
        (Form::Raw, value.into()),
        (Form::Percent, form_encoded.clone().into()),
        (Form::Percent, escape_all(value, |c| format!("%{:02X}", c as u32)).into()),
        (Form::Percent, escape_all(value, |c| format!("%{:02x}", c as u32)).into()),
        (Form::Percent, escape_all(value, |c| if special(c) { format!("%{:02x}", c as u32) } else { c.into() }).into()),
        (Form::Json, json.clone().into()),
        (Form::Json, json.replace('/', "\\/").into()),
        (Form::Json, escape_all(value, |c| if special(c) { format!("\\u{:04x}", c as u32) } else { c.into() }).into()),
        (Form::Json, escape_all(value, |c| format!("\\u{:04X}", c as u32)).into()),
        (Form::Hex, hex(value).into()),
        (Form::Hex, hex(value).to_uppercase().into()),
        (Form::Utf16, value.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        (Form::Utf16, value.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    ];
    for engine in [&STANDARD, &URL_SAFE, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        all.push((Form::Base64, engine.encode(value).into()));
        all.push((Form::Base64, engine.encode(&long).into()));
        all.push((Form::Base64, engine.encode(&form_encoded).into()));
    }
    all
}

proptest! {
    #[test]
    fn a_token_is_found_in_every_form_and_redacted_from_it(
        value in "[A-Za-z0-9._~+/=-]{12,80}|[\\x21-\\x7e]{12,60}",
        before in "[a-z{}\":]{0,5}",
        around in "[ \\n,;{}\"]{0,9}[a-z ]{0,9}",
    ) {
        let searcher = Searcher::new(&[canary(&value)]);
        for (form, writing) in writings(&value, &before) {
            let text: Vec<u8> = [around.as_bytes(), &writing, around.as_bytes()].concat();
            let hits = searcher.find(&text);
            prop_assert!(!hits.is_empty(), "{form:?} of {value} not found");
            prop_assert!(hits.iter().any(|h| h.form == form || h.form == Form::Raw || h.form == Form::Percent), "{form:?} of {value}: {hits:?}");
            let redacted = searcher.redact_bytes(&text);
            prop_assert!(searcher.find(&redacted).is_empty(), "left in {}", String::from_utf8_lossy(&redacted));
            prop_assert!(!redacted.windows(value.len()).any(|w| w == value.as_bytes()));
            prop_assert!(String::from_utf8_lossy(&redacted).contains("‹refresh#3›"));
        }
    }

    #[test]
    fn a_basic_credential_is_found_raw_and_form_encoded(id in "[a-z0-9:+/]{1,20}", secret in "[A-Za-z0-9._~+/=%:-]{12,50}") {
        let canary = Canary { name: "secret#1".into(), value: secret.clone(), kind: Kind::Secret, client_id: Some(id.clone()) };
        let searcher = Searcher::new(&[canary]);
        let encode = |s: &str| url::form_urlencoded::byte_serialize(s.as_bytes()).collect::<String>();
        for pair in [format!("{id}:{secret}"), format!("{}:{}", encode(&id), encode(&secret))] {
            let header = format!("Authorization: Basic {}\r\n", STANDARD.encode(pair));
            prop_assert_eq!(forms(&searcher.find(header.as_bytes())), [Form::Basic]);
        }
    }

    #[test]
    fn text_without_the_token_gives_no_hit(value in "[A-Za-z0-9_-]{20,60}", text in "[ -~]{0,400}", bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let searcher = Searcher::new(&[canary(&value)]);
        prop_assert!(searcher.find(text.as_bytes()).is_empty());
        prop_assert!(searcher.find(&bytes).is_empty());
        prop_assert_eq!(searcher.redact(&text), text);
    }

    #[test]
    fn a_reader_gives_what_a_slice_gives(value in "[A-Za-z0-9/+]{20,60}", at in prop::collection::vec(0usize..3_000, 1..4)) {
        let searcher = Searcher::new(&[canary(&value)]);
        let edge = (1usize << 20) - 1_500;
        let mut bytes = vec![b'.'; 2 * edge + 8_000];
        for at in at {
            let written = value.replace('/', "%2F");
            bytes[edge + at..edge + at + written.len()].copy_from_slice(written.as_bytes());
        }
        prop_assert_eq!(searcher.find_in(&bytes[..]).expect("a slice can be read"), searcher.find(&bytes));
    }
}

#[test]
fn a_long_prefix_is_a_finding_and_a_short_one_is_not() {
    let value = "kT4vQzW8nB2xLr7pYc5mHd9gJf3sA6eU1oNiVbXq";
    let searcher = Searcher::new(&[canary(value)]);
    for (length, expected) in [(4, 0), (8, 0), (16, 0), (19, 0), (20, 1), (33, 1)] {
        let text = format!("token={}… ok", &value[..length]);
        let hits = searcher.find(text.as_bytes());
        assert_eq!(hits.len(), expected, "{length}");
        if let [hit] = &hits[..] {
            assert_eq!((hit.form, hit.end - hit.start), (Form::Prefix, length));
        }
    }
    assert!(searcher.find(&value.as_bytes()[20..]).is_empty(), "a suffix is no finding");
    assert_eq!(searcher.redact(&format!("<{}>", &value[..30])), "<‹refresh#3›>");
}

#[test]
fn the_whole_beats_its_prefix() {
    let value = "kT4vQzW8nB2xLr7pYc5mHd9gJf3sA6eU1oNiVb/q";
    let searcher = Searcher::new(&[canary(value)]);
    assert_eq!(forms(&searcher.find(value.as_bytes())), [Form::Raw]);
    let percent = value.replace('/', "%2f");
    let hits = searcher.find(percent.as_bytes());
    assert_eq!(forms(&hits), [Form::Percent]);
    assert_eq!((hits[0].start, hits[0].end), (0, percent.len()));
}

#[test]
fn the_head_of_a_subjects_own_state_is_no_finding() {
    let own = Canary { kind: Kind::State, ..canary("eyJhbGciOiJIUzI1NiJ9.eyJuIjoiMTIzNDU2Nzg5MCJ9.c2ln") };
    assert!(Searcher::new(&[own]).find(b"eyJhbGciOiJIUzI1NiJ9.eyJuIjoiMT").is_empty());
}

#[test]
fn escapes_in_two_layers_are_undone() {
    let searcher = Searcher::new(&[canary("ab/cd+ef/gh=ij/kl")]);
    assert_eq!(forms(&searcher.find(b"x=ab%252Fcd%252Bef%252Fgh%253Dij%252Fkl")), [Form::Percent]);
    assert_eq!(searcher.find(br#"{"u":"ab%2Fcd%2Bef\/gh%3Dij\/kl"}"#).len(), 1);
    let cookie: String = url::form_urlencoded::byte_serialize(STANDARD.encode("{\"t\":\"ab/cd+ef/gh=ij/kl\"}").as_bytes()).collect();
    assert_eq!(forms(&searcher.find(cookie.as_bytes())), [Form::Base64]);
    assert_eq!(forms(&searcher.find(b"<p>ab&#x2F;cd&#43;ef&#x2F;gh&#x3D;ij/kl</p>")), [Form::Raw]);
}

#[test]
fn a_short_value_is_refused() {
    assert!(Searcher::new(&[canary("hunter2hunt")]).find(b"hunter2hunt").is_empty());
    let set = CanarySet::new();
    assert_eq!(set.add(canary("hunter2hunt")), Err(Refused::TooShort));
    assert_eq!(set.add_own(Kind::State, "1234"), None);
}

#[test]
fn a_set_finds_what_was_added_since() {
    let set = CanarySet::new();
    let value = |i: usize| format!("{i:04}-kT4vQzW8nB2xLr7pYc5m-{i:04}");
    for i in 0..60 {
        set.add(Canary { name: format!("access#{i}"), ..canary(&value(i)) }).expect("new");
        let names: Vec<String> = set.find(format!("{} {}", value(0), value(i)).as_bytes()).into_iter().map(|h| h.name).collect();
        assert_eq!(names, ["access#0".to_owned(), format!("access#{i}")]);
    }
    assert_eq!(set.add(canary(&value(7))), Err(Refused::Known("access#7".into())));
    assert_eq!(set.name_of(&value(59)).as_deref(), Some("access#59"));
    assert_eq!(set.name_of("nothing"), None);
    assert_eq!(set.clone().redact(&value(3)), "‹access#3›");
}

#[test]
fn a_fed_set_knows_what_its_source_knows() {
    let vault = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let source = vault.clone();
    let set = CanarySet::fed(move |known| source.lock().expect("not poisoned")[known..].to_vec());
    assert!(set.find(b"kT4vQzW8nB2xLr7p").is_empty());
    vault.lock().expect("not poisoned").push(canary("kT4vQzW8nB2xLr7p"));
    vault.lock().expect("not poisoned").push(canary("short"));
    assert_eq!(set.redact("kT4vQzW8nB2xLr7p"), "‹refresh#3›");
    vault.lock().expect("not poisoned").push(Canary { name: "refresh#4".into(), ..canary("Yc5mHd9gJf3sA6eU") });
    assert_eq!(set.redact("Yc5mHd9gJf3sA6eU"), "‹refresh#4›");
    assert_eq!(format!("{set:?}"), r#"{"refresh#3", "refresh#4"}"#);
}

#[test]
fn own_secrets_are_named_in_turn() {
    let set = CanarySet::new();
    assert_eq!(set.add_own(Kind::Verifier, "first-verifier-of-all").as_deref(), Some("verifier#1"));
    assert_eq!(set.add_own(Kind::Verifier, "second-verifier-of-all").as_deref(), Some("verifier#2"));
    assert_eq!(set.add_own(Kind::Verifier, "first-verifier-of-all").as_deref(), Some("verifier#1"));
    assert_eq!(set.add_own(Kind::State, "first-state-of-all").as_deref(), Some("state#1"));
}

#[test]
fn two_hundred_canaries_are_searched_for_in_64_mib_of_noise() {
    let mut x = 0x9E37_79B9_7F4A_7C15_u64;
    let mut noise = vec![0u8; 64 << 20];
    for word in noise.chunks_exact_mut(8) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        word.copy_from_slice(&x.to_le_bytes());
    }
    let canaries: Vec<Canary> = (0..200)
        .map(|i| Canary { name: format!("access#{i}"), ..canary(&URL_SAFE_NO_PAD.encode(&noise[i * 1_000..i * 1_000 + 32])) })
        .collect();
    let hidden = &canaries[42];
    let at = 50 << 20;
    noise[at..at + hidden.value.len()].copy_from_slice(hidden.value.as_bytes());
    let searcher = Searcher::new(&canaries);
    let hits = searcher.find_in(&noise[..]).expect("a slice can be read");
    assert_eq!(hits.iter().map(|h| (h.name.as_str(), h.start, h.form)).collect::<Vec<_>>(), [("access#42", at, Form::Raw)]);
}

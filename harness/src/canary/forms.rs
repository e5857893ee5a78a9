//! The encodings that one automaton can look for directly. Escapes that may be applied to any part of a value are undone instead
//! (`escapes.rs`).

use base64::{Engine, engine::general_purpose};

use super::{Canary, Form, Kind};

/// Shortest prefix that counts as a finding: log formats that show the first or last 4 to 8 characters are fine.
const SHORTEST_PREFIX: usize = 16;

/// Bytes to look for, and what finding them means.
pub(super) struct Needle {
    pub(super) bytes: Vec<u8>,
    pub(super) form: Form,
}

/// All needles of one canary.
pub(super) fn needles(canary: &Canary) -> Vec<Needle> {
    let value = canary.value.as_bytes();
    let form_encoded = form_encode(&canary.value);
    let mut all = vec![Needle { bytes: value.to_vec(), form: Form::Raw }];
    let mut add = |form, bytes: Vec<u8>| {
        if !all.iter().any(|n: &Needle| n.bytes == bytes) {
            all.push(Needle { bytes, form });
        }
    };
    if canary.value.contains(' ') {
        add(Form::Percent, canary.value.replace(' ', "+").into_bytes());
    }
    if let Some(id) = &canary.client_id {
        for (id, secret) in [(id.clone(), canary.value.clone()), (form_encode(id), form_encoded.clone())] {
            let pair = format!("{id}:{secret}");
            add(Form::Basic, general_purpose::STANDARD_NO_PAD.encode(&pair).into_bytes());
            add(Form::Basic, general_purpose::URL_SAFE_NO_PAD.encode(&pair).into_bytes());
        }
    }
    for source in [value, form_encoded.as_bytes()] {
        for shift in 0..3 {
            add(Form::Base64, aligned(&general_purpose::STANDARD_NO_PAD, source, shift));
            add(Form::Base64, aligned(&general_purpose::URL_SAFE_NO_PAD, source, shift));
        }
    }
    add(Form::Hex, hex(value, b"0123456789abcdef"));
    add(Form::Hex, hex(value, b"0123456789ABCDEF"));
    add(Form::Utf16, interleaved(value));
    if let Some(length) = prefix_length(canary) {
        add(Form::Prefix, value[..length].to_vec());
    }
    all
}

/// A subject may well begin its own `state` or verifier with something fixed (the head of a signed token), so that half of it says nothing.
fn prefix_length(canary: &Canary) -> Option<usize> {
    let length = canary.value.len().div_ceil(2).max(SHORTEST_PREFIX);
    let unique = match canary.kind {
        Kind::Access | Kind::Refresh | Kind::Code | Kind::Secret => true,
        Kind::Verifier | Kind::State => false,
    };
    (unique && length < canary.value.len()).then_some(length)
}

/// What `source` looks like within Base64 text when `shift` bytes (mod 3) stand before it: only the characters that depend on it alone.
fn aligned(engine: &impl Engine, source: &[u8], shift: usize) -> Vec<u8> {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(source);
    let encoded = engine.encode(&padded).into_bytes();
    let first = (shift * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    encoded[first..last].to_vec()
}

fn hex(value: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    value.iter().flat_map(|b| [digits[usize::from(b >> 4)], digits[usize::from(b & 15)]]).collect()
}

/// Between the characters of UTF-16 text stand zero bytes, in either byte order.
fn interleaved(value: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = value.iter().flat_map(|b| [*b, 0]).collect();
    bytes.pop();
    bytes
}

fn form_encode(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

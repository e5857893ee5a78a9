//! Tokens at rest: in the clear, in plain text files, in files that others may read.

use std::collections::BTreeSet;

use super::super::{Finding, storage::*};
use crate::{
    evidence::{CanaryForm, Found, Place},
    judge::{Mark, View},
};

const PROBES: &str = "storage.paths";

pub(super) fn secret_04(view: &View<'_>) -> Finding {
    let scans = scans(view);
    let clear = |found: &&Found| is_token(&found.canary) && is_on_disk(&found.place) && found.form != CanaryForm::Prefix;
    if let Some((mark, found)) = first(&scans, clear) {
        let encoded = match found.form {
            CanaryForm::Base64 => " in base64, which is no encryption",
            CanaryForm::Hex => " in hexadecimal, which is no encryption",
            CanaryForm::Compressed => " compressed, which is no encryption",
            CanaryForm::Raw | CanaryForm::Percent | CanaryForm::Json | CanaryForm::Utf16 | CanaryForm::Basic | CanaryForm::Prefix => {
                " in the clear"
            }
        };
        return Finding::fail(format!("{} lies{encoded} in {}", found.canary, place(&found.place)), cited(view, &found.canary, mark));
    }
    if let Some((_, found)) = first(&scans, |found| is_token(&found.canary) && is_on_disk(&found.place)) {
        return Finding::undecided(format!("no whole token lies on disk, but a part of {} does, in {}", found.canary, place(&found.place)));
    }
    if let Some(unread) = scans.iter().find_map(|scan| scan.unread.first()) {
        return Finding::undecided(format!("no token was found, but not everything could be read: {unread}"));
    }
    let changes = changes(view, &scans);
    match changes.as_slice() {
        [(one, _), .., (two, _)] => {
            Finding::pass("the store changed with each new pair, and no token could be read in it", vec![one.n, two.n])
        }
        [] | [_] => elsewhere(view),
    }
}

pub(super) fn secret_08(view: &View<'_>) -> Finding {
    let scans = scans(view);
    let text = |scan: &Scan<'_>, path: &str| scan.files.iter().any(|file| file.path == *path && file.text);
    for scan in &scans {
        let plain = scan.found.iter().find(|found| match &found.place {
            Place::File(path) => is_token(&found.canary) && is_plain(found.form) && text(scan, path),
            Place::Row(_)
            | Place::Residue(_)
            | Place::Dump(_)
            | Place::Log(_)
            | Place::Page(_)
            | Place::Notice(_)
            | Place::Url
            | Place::Referer => false,
        });
        if let Some(found) = plain {
            let reason = format!("{} lies in {}, which is plain text", found.canary, place(&found.place));
            return Finding::fail(reason, cited(view, &found.canary, scan.mark));
        }
    }
    // Where the store is, is known: elsewhere than in a text file.
    let known = first(&scans, |found| is_token(&found.canary) && is_live(&found.place) && found.form != CanaryForm::Prefix);
    if let Some((mark, found)) = known.filter(|(_, found)| !matches!(found.place, Place::File(_))) {
        return Finding::pass(format!("tokens are in {}, and in no text file", place(&found.place)), vec![mark.n]);
    }
    if let Some((_, found)) = known {
        return Finding::undecided(format!("{} lies in {}, which is no plain text", found.canary, place(&found.place)));
    }
    match changes(view, &scans).as_slice() {
        [(one, _), .., (two, _)] => {
            Finding::pass("the store changed with each new pair, and no text file holds a token", vec![one.n, two.n])
        }
        [] | [_] => elsewhere(view),
    }
}

/// As it is, or with the escapes that its format asks for.
fn is_plain(form: CanaryForm) -> bool {
    match form {
        CanaryForm::Raw | CanaryForm::Percent | CanaryForm::Json | CanaryForm::Utf16 => true,
        CanaryForm::Base64 | CanaryForm::Hex | CanaryForm::Basic | CanaryForm::Prefix | CanaryForm::Compressed => false,
    }
}

pub(super) fn secret_05(view: &View<'_>) -> Finding {
    let scans = scans(view);
    let mut closed: Option<(Mark, &str)> = None;
    for scan in &scans {
        for found in scan.found.iter().filter(|found| is_token(&found.canary)) {
            let Some(path) = file_of(&found.place) else { continue };
            let in_it = |place: &Place| file_of(place).is_some_and(|open| open == path || path.starts_with(&format!("{open} ")));
            if let Some((open, mode)) = scan.open.iter().find(|(place, _)| in_it(place)) {
                let reason = format!("{} holds {} and may be read by every user of the machine (mode {mode})", place(open), found.canary);
                return Finding::fail(reason, cited(view, &found.canary, scan.mark));
            }
            closed.get_or_insert((scan.mark, path));
        }
    }
    if let Some((mark, path)) = closed {
        return Finding::pass(format!("{path} holds tokens and is closed to other users"), vec![mark.n]);
    }
    let changes = changes(view, &scans);
    let ([(one, first), .., (two, last)], true) = (changes.as_slice(), changes.len() > 1) else { return elsewhere(view) };
    let moved: BTreeSet<&str> = first.union(last).copied().collect();
    let open = scans.iter().flat_map(|scan| scan.files).find(|file| file.open && moved.contains(file.path.as_str()));
    match open {
        // It need not be the one that holds them.
        Some(file) => {
            Finding::undecided(format!("{} changes with the tokens and is open to other users; what it holds cannot be read", file.path))
        }
        None => Finding::pass("every file that changes with the tokens is closed to other users", vec![one.n, two.n]),
    }
}

/// A file, or the database file with a column behind it.
fn file_of(place: &Place) -> Option<&str> {
    match place {
        Place::File(path) | Place::Row(path) | Place::Residue(path) => Some(path),
        Place::Dump(_) | Place::Log(_) | Place::Page(_) | Place::Notice(_) | Place::Url | Place::Referer => None,
    }
}

fn first<'h>(scans: &[Scan<'h>], counts: impl Fn(&&Found) -> bool) -> Option<(Mark, &'h Found)> {
    scans.iter().find_map(|scan| scan.found.iter().find(|found| counts(found)).map(|found| (scan.mark, found)))
}

/// The answer that gave the token, and the search that found it.
fn cited(view: &View<'_>, token: &str, scan: Mark) -> Vec<u32> {
    view.given(token).into_iter().chain([scan]).map(|mark| mark.n).collect()
}

fn elsewhere(view: &View<'_>) -> Finding {
    match view.unrealised() {
        Some(reason) => Finding::undecided(reason),
        None => Finding::locked("no token was found at rest, but nothing under the probes changed in two refreshes either", PROBES),
    }
}

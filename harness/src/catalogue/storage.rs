//! What the searches of the storage tell: where a token lay when, and what changed in between.

use std::collections::BTreeSet;

use super::shared::START;
use crate::{
    evidence::{CanaryForm, FileSeen, Found, Place, What},
    judge::{Exchange, Mark, View},
};

/// One search.
pub(super) struct Scan<'h> {
    pub(super) mark: Mark,
    pub(super) found: &'h [Found],
    pub(super) unread: &'h [String],
    pub(super) open: &'h [(Place, String)],
    pub(super) files: &'h [FileSeen],
}

/// All searches, in order.
pub(super) fn scans<'h>(view: &View<'h>) -> Vec<Scan<'h>> {
    let scans = view.events().filter_map(|(mark, what)| match what {
        What::StorageScanned { found, unread, open_to_others, files, places: _ } => {
            Some(Scan { mark, found, unread, open: open_to_others, files })
        }
        _ => None,
    });
    scans.collect()
}

/// A whole copy in a live place. Free pages and journals are another requirement; part of a token is no copy.
pub(super) fn is_copy(found: &Found, token: &str) -> bool {
    is_live(&found.place) && found.canary == token && found.form != CanaryForm::Prefix
}

/// A place that the subject reads from.
pub(super) fn is_live(place: &Place) -> bool {
    match place {
        Place::File(_) | Place::Row(_) | Place::Dump(_) => true,
        Place::Residue(_) | Place::Log(_) | Place::Page(_) | Place::Notice(_) | Place::Url | Place::Referer => false,
    }
}

/// A place on disk, as whoever gets hold of the disk sees it. What a dump command prints may have been decrypted by it.
pub(super) fn is_on_disk(place: &Place) -> bool {
    match place {
        Place::File(_) | Place::Row(_) | Place::Residue(_) => true,
        Place::Dump(_) | Place::Log(_) | Place::Page(_) | Place::Notice(_) | Place::Url | Place::Referer => false,
    }
}

/// An access or refresh token.
pub(super) fn is_token(canary: &str) -> bool {
    canary.starts_with("access#") || canary.starts_with("refresh#")
}

/// A place in words.
pub(super) fn place(place: &Place) -> String {
    match place {
        Place::File(path) => format!("the file {path}"),
        Place::Row(row) => format!("the database, {row}"),
        Place::Dump(command) => format!("the output of `{command}`"),
        Place::Residue(path) => format!("free space of {path}"),
        Place::Log(_) => "a log".into(),
        Place::Page(page) => format!("the page {page}"),
        Place::Notice(_) => "a message to the user".into(),
        Place::Url => "a URL".into(),
        Place::Referer => "a Referer".into(),
    }
}

/// A refresh that gave a new pair, with which an API call succeeded: the old one is of no use any more.
pub(super) struct Rotation<'h> {
    /// When it was asked for.
    pub(super) asked: Mark,
    /// When the new pair had been written to the subject.
    pub(super) replied: Mark,
    /// When the new access token had been used with success.
    pub(super) used: Mark,
    /// The tokens that it took the place of.
    pub(super) old: Vec<&'h str>,
}

/// All of them, in order.
pub(super) fn rotations<'h>(view: &View<'h>) -> Vec<Rotation<'h>> {
    view.exchanges.iter().filter(|x| x.is_refresh()).filter_map(|x| rotation(view, x)).collect()
}

fn rotation<'h>(view: &View<'h>, x: &Exchange<'h>) -> Option<Rotation<'h>> {
    let (access, refresh) = x.pair()?;
    let replied = x.replied.map(|(mark, ..)| mark)?;
    let before = view.held_before(x.arrived.at, None)?;
    let replaced = |old: &'h str, new: Option<&str>| new.is_some_and(|new| new != old).then_some(old);
    let old = [replaced(before.access, Some(access)), x.token_name().and_then(|old| replaced(old, refresh))];
    let with = |call: &&Exchange<'h>| call.token_name() == Some(access) && call.answered(2);
    let used = view.api_calls(replied, Mark::END).find(with)?.arrived;
    Some(Rotation { asked: x.arrived, replied, used, old: old.into_iter().flatten().collect() })
}

/// The first search once the subject was quiet after a moment, before anything else was asked of it.
pub(super) fn at_rest_after<'s, 'h>(view: &View<'_>, scans: &'s [Scan<'h>], from: Mark) -> Option<&'s Scan<'h>> {
    let rest = view.rests.iter().find(|rest| rest.quiet && rest.mark > from)?;
    let next = view.triggers(rest.mark, Mark::END).next().map_or(Mark::END, |call| call.called);
    scans.iter().find(|scan| scan.mark > rest.mark && scan.mark < next)
}

/// Files that changed, or came into being, while a pair was replaced; for each time that one was.
pub(super) fn changes<'h>(view: &View<'h>, scans: &[Scan<'h>]) -> Vec<(Mark, BTreeSet<&'h str>)> {
    let one = |rotation: Rotation<'h>| {
        let before = scans.iter().rfind(|scan| scan.mark < rotation.asked && scan.mark > START)?;
        let after = at_rest_after(view, scans, rotation.used)?;
        let changed = changed(before, after);
        (!changed.is_empty()).then_some((after.mark, changed))
    };
    rotations(view).into_iter().filter_map(one).collect()
}

/// Files that are not what they were.
pub(super) fn changed<'h>(before: &Scan<'h>, after: &Scan<'h>) -> BTreeSet<&'h str> {
    let same = |file: &FileSeen| before.files.iter().any(|old| old.path == file.path && old.digest == file.digest);
    after.files.iter().filter(|file| !same(file)).map(|file| file.path.as_str()).collect()
}

//! What the subject shows: tokens and the client's secret on its pages, codes in its logs.

use super::{super::Finding, first_use};
use crate::{
    evidence::{LogStream, Place, Verb, What},
    judge::{Mark, View},
};

pub(super) fn secret_03(view: &View<'_>) -> Finding {
    let shown = view.events().find_map(|(mark, what)| match what {
        What::CanarySeen { found, seen } => match &found.place {
            Place::Page(page) if is_shown_secret(&found.canary) => Some((mark, &found.canary, format!("what `{page}` answered"), *seen)),
            Place::Notice(_) if is_shown_secret(&found.canary) => Some((mark, &found.canary, "a message to the user".into(), *seen)),
            _ => None,
        },
        _ => None,
    });
    if let Some((mark, canary, place, seen)) = shown {
        return Finding::fail(format!("{canary} stands in {place}"), stood(view, seen, mark));
    }
    let Some(used) = first_use(view) else { return Finding::undecided("no token was used in this story") };
    match page_after(view, used) {
        Some(page) => Finding::pass("no token and no client secret stands in any answer", vec![used.n, page.n]),
        None => Finding::locked("no page was answered with success after a token was used", "[prompt] http = \"GET …\""),
    }
}

/// The subject's own verifier and state are its own affair here.
fn is_shown_secret(name: &str) -> bool {
    ["access#", "refresh#", "secret#"].iter().any(|kind| name.starts_with(kind))
}

/// A page that a person reads, answered with success (of a program: with 0).
fn page_after(view: &View<'_>, from: Mark) -> Option<Mark> {
    let good = |status: i32| status == 0 || (200..300).contains(&status);
    let prompt = view.prompts().find(|(mark, page)| *mark > from && good(page.status)).map(|(mark, _)| mark);
    let status = || {
        let calls = view.calls.iter().filter(|call| call.verb == Verb::Status && call.called > from);
        calls.filter(|call| call.status.is_some_and(good)).find_map(|call| call.answered.map(|(mark, _)| mark))
    };
    prompt.or_else(status)
}

pub(super) fn secret_07(view: &View<'_>) -> Finding {
    let leak = view.events().find_map(|(mark, what)| match what {
        What::CanarySeen { found, seen } if found.canary.starts_with("code#") => {
            spot(&found.place).map(|spot| (mark, &found.canary, spot, *seen))
        }
        _ => None,
    });
    if let Some((mark, canary, spot, seen)) = leak {
        return Finding::fail(format!("{canary} stands in {spot}"), stood(view, seen, mark));
    }
    let Some(exchanged) = view.exchanges.iter().find(|x| x.is_code_exchange()).map(|x| x.arrived) else {
        return Finding::undecided("no code was exchanged in this story");
    };
    let Some(line) = view.marks(|what| matches!(what, What::Log { .. })).into_iter().find(|mark| *mark > exchanged) else {
        return Finding::locked("no log line was seen after a code was delivered", "logs.files");
    };
    if view.events().any(|(_, what)| matches!(what, What::LogFlooded { .. })) {
        return Finding::undecided("no code was found, but there were too many log lines to look at all of them");
    }
    if let Some(reason) = unread_log(view) {
        return Finding::undecided(format!("no code was found, but not every log could be read: {reason}"));
    }
    Finding::pass("no code stands in any log line or Referer", vec![exchanged.n, line.n])
}

/// A log that was rotated away or packed, and why it was not searched.
pub(super) fn unread_log<'h>(view: &View<'h>) -> Option<&'h str> {
    view.events().find_map(|(_, what)| match what {
        What::LogUnread { reason } => Some(reason.as_str()),
        _ => None,
    })
}

/// The event in which it stood, and the one that tells so.
fn stood(view: &View<'_>, seen: u32, told: Mark) -> Vec<u32> {
    view.events().filter(|(mark, _)| mark.n == seen || *mark == told).map(|(mark, _)| mark.n).collect()
}

fn spot(place: &Place) -> Option<&str> {
    match place {
        Place::Log(LogStream::Stdout) => Some("standard output"),
        Place::Log(LogStream::Stderr) => Some("standard error"),
        Place::Log(LogStream::File(path)) => Some(path),
        Place::Referer => Some("the Referer of a request"),
        Place::File(_) | Place::Row(_) | Place::Residue(_) | Place::Dump(_) | Place::Page(_) | Place::Notice(_) | Place::Url => None,
    }
}

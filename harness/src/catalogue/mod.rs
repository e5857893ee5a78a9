//! The register of requirements: one file per group; each requirement is data beside its check.
//!
//! Checks see a [`View`](crate::judge::View) of one story and nothing else.

mod finding;
mod requirement;
mod shared;

mod detect;
mod later;
mod log;
mod mark;
mod others;
mod prompt;
mod purge;
mod race;
mod reauth;
mod recover;
mod refresh;
mod retry;
mod rotate;
mod secret;
mod several;
mod stop;
mod storage;
mod work;

pub use finding::{Finding, Verdict};
pub use requirement::{Level, Requirement, Scope, Severity};

/// The groups, in the order of the register.
const GROUPS: &[&[Requirement]] = &[
    detect::ALL,
    stop::ALL,
    purge::ALL,
    mark::ALL,
    prompt::ALL,
    reauth::ALL,
    recover::ALL,
    log::ALL,
    retry::ALL,
    refresh::ALL,
    race::ALL,
    rotate::ALL,
    secret::ALL,
];

/// Every requirement that is decided, in the order of the register.
pub fn all() -> impl Iterator<Item = &'static Requirement> {
    GROUPS.iter().copied().flatten()
}

/// The whole register in its order: also the few lines that this version cannot decide.
#[must_use]
pub fn registered() -> Vec<&'static Requirement> {
    let group = |id: &str| GROUPS.iter().position(|group| group.iter().any(|r| r.id.split('-').next() == id.split('-').next()));
    let mut lines: Vec<&Requirement> = all().chain(later::ALL).collect();
    lines.sort_by_key(|r| (group(r.id), r.id));
    lines
}

/// A line that is registered but not decided by this version, by its id.
#[must_use]
pub fn not_decided(id: &str) -> Option<&'static Requirement> {
    later::ALL.iter().find(|r| r.id.eq_ignore_ascii_case(id))
}

/// One requirement by its id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Requirement> {
    all().find(|r| r.id.eq_ignore_ascii_case(id))
}

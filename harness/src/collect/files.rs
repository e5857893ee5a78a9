//! Storage, searched for canaries: every file as raw bytes, SQLite files as databases too.
#![allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]

use std::path::{Path, PathBuf};

use crate::{
    canary::Searcher,
    evidence::{Found, Place},
};

/// What to search.
#[derive(Debug, Clone, Default)]
pub struct ScanPlan {
    /// Files and folders; nothing outside is looked at, not even through a link.
    pub roots: Vec<PathBuf>,
    /// Globs of log files (absolute, or relative to `sandbox_root`): not storage, left out.
    pub log_globs: Vec<String>,
    /// Files that the harness or `prepare` wrote: left out as long as they are unchanged.
    pub exclude: Vec<Prepared>,
    /// Paths are told relative to it.
    pub sandbox_root: PathBuf,
}

/// A file as the harness or `prepare` left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Which.
    pub path: PathBuf,
    /// [`super::digest`] of its content.
    pub digest: String,
}

impl Prepared {
    /// Every regular file under `roots` as it is now. Call it after `prepare`, before the first start.
    #[must_use]
    pub fn snapshot(roots: &[PathBuf]) -> Vec<Self> {
        todo!()
    }
}

/// What a search of the storage gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    /// Files, and columns of databases, looked at.
    pub places: u32,
    /// What was found.
    pub found: Vec<Found>,
    /// What could not be read, each with its reason.
    pub unread: Vec<String>,
}

/// Searches all storage. Blocks; a file that vanishes meanwhile is no error.
#[must_use]
pub fn scan_storage(plan: &ScanPlan, searcher: &Searcher) -> Scan {
    todo!()
}

/// Searches text that came from elsewhere: the output of a dump command, a page.
#[must_use]
pub fn scan_text(place: &Place, bytes: &[u8], searcher: &Searcher) -> Vec<Found> {
    super::found(&searcher.find(bytes), place)
}

fn _skeleton(_: &Path) {}

//! The files of a storage: without following links, without end to wait for, within bounds.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

/// More files in one walk are left out.
pub(super) const FILES: usize = 2_000;
/// Deeper folders are left unread.
const DEPTH: usize = 64;

/// Opens a regular file; never follows a link that was put there meanwhile, never waits for a pipe.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// The regular files under some roots, in order.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) files: BTreeSet<PathBuf>,
    /// How many more there are.
    pub(super) left_out: usize,
    /// What could not be looked into, and why.
    pub(super) unread: Vec<(PathBuf, String)>,
}

impl Walk {
    pub(super) fn enter(&mut self, path: &Path) {
        self.visit(path, DEPTH);
    }

    fn visit(&mut self, path: &Path, depth: usize) {
        let meta = match fs::symlink_metadata(path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.unread.push((path.to_owned(), error.to_string())),
        };
        if meta.is_file() {
            if self.files.contains(path) || self.files.len() < FILES {
                self.files.insert(path.to_owned());
            } else {
                self.left_out += 1;
            }
        } else if meta.is_dir() {
            self.folder(path, depth);
        }
        // Links, sockets, pipes and devices hold no storage of their own.
    }

    fn folder(&mut self, path: &Path, depth: usize) {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.unread.push((path.to_owned(), error.to_string())),
        };
        if depth == 0 {
            return self.unread.push((path.to_owned(), format!("deeper than {DEPTH} folders")));
        }
        let mut names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        names.sort();
        for name in names {
            self.visit(&name, depth - 1);
        }
    }
}

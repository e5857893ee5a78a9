//! Log lines: read from files as they grow, and turned into events.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use regex::Regex;

use super::{found_of, glob::Globs, packed, shorten, walk};
use crate::{
    canary::{CanarySet, Kind},
    evidence::{Found, LogStream, Place, What},
};

/// So much is read in one call.
const READ: u64 = 4 << 20;
/// A line that is not ended by then is taken as one.
const LINE: usize = 1 << 20;
/// So much of a line is kept.
const KEPT: usize = 4 << 10;
/// More log files are not followed: each is kept open, so that nothing is lost when it is rotated away.
const FILES: usize = 128;

/// Reads log files as they grow, also over truncation and rotation.
#[derive(Debug)]
pub struct LogTail {
    globs: Globs,
    root: PathBuf,
    followed: HashMap<(u64, u64), Followed>,
    /// Files that hold no lines as they stand: what is inside was written before, and is searched with the storage.
    packed: HashSet<(u64, u64)>,
    count: u64,
}

/// A line of log, unredacted, without its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where from.
    pub stream: LogStream,
    /// The line, lossily UTF-8.
    pub text: String,
}

/// A file, known by device and inode, whatever its name is by now.
#[derive(Debug)]
struct Followed {
    /// Older files come first: what was rotated away was written before what took its place.
    place: u64,
    file: File,
    stream: LogStream,
    read: u64,
    rest: Vec<u8>,
}

impl LogTail {
    /// `globs` are absolute, or relative to `root`, the sandbox; nothing has been read yet.
    #[must_use]
    pub fn new(globs: impl IntoIterator<Item = String>, root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let globs: Vec<String> = globs.into_iter().collect();
        Self { globs: Globs::new(&globs, &root), root, followed: HashMap::new(), packed: HashSet::new(), count: 0 }
    }

    /// Whole lines written since the last call, file by file. Blocks. At most 4 MiB a call: the rest comes with the next one.
    pub fn read(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut left = READ;
        let present = self.follow();
        let mut keys: Vec<(u64, u64)> = self.followed.keys().copied().collect();
        keys.sort_by_key(|key| self.followed.get(key).map(|followed| followed.place));
        let (known, gone): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| present.contains(key));
        for key in gone {
            let Some(followed) = self.followed.get_mut(&key) else { continue };
            followed.read(&mut left, &mut lines);
            if left > 0 {
                followed.end(&mut lines);
                self.followed.remove(&key);
            }
        }
        for key in known {
            if let Some(followed) = self.followed.get_mut(&key) {
                followed.read(&mut left, &mut lines);
            }
        }
        lines
    }

    /// As [`LogTail::read`], with last lines that have no line end (the subject is gone).
    pub fn finish(&mut self) -> Vec<Line> {
        let mut lines = self.read();
        for followed in self.followed.values_mut() {
            followed.end(&mut lines);
        }
        lines
    }

    /// The log files there are now.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.globs.files()
    }

    /// Opens files that are new; tells which are there.
    fn follow(&mut self) -> Vec<(u64, u64)> {
        let mut present = Vec::new();
        for path in self.globs.files() {
            let Ok(meta) = path.symlink_metadata() else { continue };
            let key = (meta.dev(), meta.ino());
            if !self.followed.contains_key(&key) && !self.packed.contains(&key) && self.followed.len() < FILES {
                let Ok(file) = walk::open(&path) else { continue };
                if packed::begins_packed(&file) {
                    self.packed.insert(key);
                    continue;
                }
                let stream = LogStream::File(self.relative(&path));
                self.followed.insert(key, Followed { place: self.count, file, stream, read: 0, rest: Vec::new() });
                self.count += 1;
            }
            present.push(key);
        }
        present
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }
}

impl Followed {
    /// What cannot be read now may be readable the next time.
    fn read(&mut self, left: &mut u64, lines: &mut Vec<Line>) {
        let mut new = Vec::new();
        if self.more(*left, &mut new).is_err() {
            return;
        }
        *left = left.saturating_sub(new.len() as u64);
        self.read += new.len() as u64;
        self.rest.append(&mut new);
        let mut start = 0;
        for (index, _) in self.rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            lines.push(line(&self.stream, &self.rest[start..index]));
            start = index + 1;
        }
        self.rest.drain(..start);
        if self.rest.len() > LINE {
            self.end(lines);
        }
    }

    fn more(&mut self, limit: u64, new: &mut Vec<u8>) -> io::Result<()> {
        if self.file.metadata()?.len() < self.read {
            // Truncated, and perhaps written to again.
            self.read = 0;
            self.rest.clear();
        }
        self.file.seek(SeekFrom::Start(self.read))?;
        self.file.by_ref().take(limit).read_to_end(new)?;
        Ok(())
    }

    fn end(&mut self, lines: &mut Vec<Line>) {
        if !self.rest.is_empty() {
            lines.push(line(&self.stream, &self.rest));
            self.rest.clear();
        }
    }
}

fn line(stream: &LogStream, bytes: &[u8]) -> Line {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    Line { stream: stream.clone(), text: String::from_utf8_lossy(bytes).into_owned() }
}

/// The event of a line (redacted, without colours, at most 4 KiB), and what was found in the unredacted line: the caller tells
/// each as `CanarySeen`, with the number of the line's event.
#[must_use]
pub fn log_event(stream: &LogStream, line: &str, canaries: &CanarySet) -> (What, Vec<Found>) {
    static COLOURS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("\u{1b}\\[[0-9;:?]*[A-Za-z]").ok());
    let plain = COLOURS.as_ref().map_or(line.into(), |colours| colours.replace_all(line, ""));
    let searcher = canaries.searcher();
    // A `state` is no secret once it came back.
    let found = found_of(&searcher.find(plain.as_bytes()), &Place::Log(stream.clone()), |kind| match kind {
        Kind::Access | Kind::Refresh | Kind::Code | Kind::Secret | Kind::Verifier => true,
        Kind::State => false,
    });
    (What::Log { stream: stream.clone(), text: shorten(searcher.redact(&plain), KEPT) }, found)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;
    use crate::{canary::Canary, evidence::CanaryForm};

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|l| l.text).collect()
    }

    fn append(path: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    }

    #[test]
    fn whole_lines_come_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("app.log");
        let mut tail = LogTail::new(vec!["*.log".into()], dir.path());
        assert_eq!(tail.read(), []);
        append(&path, "one\r\ntw");
        assert_eq!(tail.read(), [Line { stream: LogStream::File("app.log".into()), text: "one".into() }]);
        append(&path, "o\nthree");
        assert_eq!(texts(tail.read()), ["two"]);
        assert_eq!(texts(tail.finish()), ["three"]);
        assert_eq!(tail.finish(), []);
    }

    #[test]
    fn nothing_is_lost_or_doubled_when_a_log_is_rotated() {
        let dir = tempfile::tempdir().expect("a folder");
        let (path, old) = (dir.path().join("app.log"), dir.path().join("app.log.1"));
        for glob in ["*.log", "*.log*"] {
            let mut tail = LogTail::new(vec![glob.into()], dir.path());
            append(&path, "one\n");
            assert_eq!(texts(tail.read()), ["one"]);
            append(&path, "two\n");
            fs::rename(&path, &old).expect("renamed");
            append(&path, "three\n");
            assert_eq!(texts(tail.read()), ["two", "three"], "{glob}");
            assert_eq!(tail.read(), []);
            fs::remove_file(&old).expect("removed");
            append(&path, "four\n");
            assert_eq!(texts(tail.read()), ["four"]);
            fs::remove_file(&path).expect("removed");
        }
    }

    #[test]
    fn a_packed_log_holds_no_lines() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("app.log.2.gz"), [&[0x1f, 0x8b, 8][..], b"one\ntwo\n"].concat()).expect("a file");
        let mut tail = LogTail::new(vec!["*.log*".into()], dir.path());
        append(&dir.path().join("app.log"), "three\n");
        assert_eq!(texts(tail.read()), ["three"]);
        assert_eq!(tail.finish(), []);
    }

    #[test]
    fn a_truncated_log_is_read_from_its_beginning() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("app.log");
        let mut tail = LogTail::new(vec![path.to_string_lossy().into_owned()], dir.path());
        append(&path, "a long line before\n");
        assert_eq!(texts(tail.read()), ["a long line before"]);
        fs::write(&path, "after\n").expect("truncated");
        assert_eq!(texts(tail.read()), ["after"]);
    }

    #[test]
    fn a_flood_comes_in_portions() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("app.log");
        append(&path, &format!("{}\n", "x".repeat(99)).repeat(60_000));
        let mut tail = LogTail::new(vec!["app.log".into()], dir.path());
        let first = tail.read().len();
        assert_eq!(first, usize::try_from(READ).expect("fits") / 100);
        assert_eq!(tail.read().len(), 60_000 - first);
        assert_eq!(tail.read(), []);
    }

    #[test]
    fn a_line_is_redacted_and_its_secrets_are_told_beside_it() {
        let set = CanarySet::new();
        let value = "kT4vQzW8nB2xLr7pYc5mHd9gJf3sA6eU";
        set.add(Canary { name: "refresh#3".into(), value: value.into(), kind: Kind::Refresh, client_id: None }).expect("new");
        set.add_own(Kind::State, "Zk8pQ2mX7rLt9VwYbN4cDf");
        let line = format!("\u{1b}[31mWARN\u{1b}[0m refused {value} for Zk8pQ2mX7rLt9VwYbN4cDf");
        let (what, found) = log_event(&LogStream::Stderr, &line, &set);
        assert_eq!(what, What::Log { stream: LogStream::Stderr, text: "WARN refused ‹refresh#3› for ‹state#1›".into() });
        assert_eq!(found, [Found { canary: "refresh#3".into(), form: CanaryForm::Raw, place: Place::Log(LogStream::Stderr) }]);
    }

    #[test]
    fn a_long_line_is_cut_after_redaction() {
        let set = CanarySet::new();
        let value = "kT4vQzW8nB2xLr7pYc5mHd9gJf3sA6eU";
        set.add(Canary { name: "access#1".into(), value: value.into(), kind: Kind::Access, client_id: None }).expect("new");
        let (what, found) = log_event(&LogStream::Stdout, &format!("{}{value}", "é".repeat(KEPT / 2 - 4)), &set);
        let What::Log { text, .. } = what else { panic!("{what:?}") };
        assert!(text.len() <= KEPT && text.ends_with('…') && !text.contains("kT4"), "{text}");
        assert_eq!(found.len(), 1);
    }
}

//! Storage, searched for canaries: every file as raw bytes, SQLite files as databases too.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use regex::Regex;

use super::{
    database::{self, Database},
    glob::Globs,
    packed, page,
    walk::{FILES, Walk, open},
};
use crate::{
    canary::{Hit, Kind, Searcher},
    evidence::{FileSeen, Found, LogStream, Place},
};

/// So many files are told one by one.
const TOLD: usize = 200;
/// By so much of a file it is told whether it is text.
const HEAD: u64 = 64 << 10;
/// More bytes in one search are left unread; of what packed files hold, too.
const BYTES: u64 = 256 << 20;

/// What to search.
#[derive(Debug, Clone, Default)]
pub struct ScanPlan {
    /// Files and folders; nothing outside is looked at, not even through a link.
    pub roots: Vec<PathBuf>,
    /// Globs of log files (absolute, or relative to `sandbox_root`): not storage. What was rotated away or packed is searched as log.
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
        let mut walk = Walk::default();
        for root in roots {
            walk.enter(root);
        }
        let one = |path: PathBuf| page::digest_of(open(&path).ok()?).ok().map(|digest| Self { path, digest });
        walk.files.into_iter().filter_map(one).collect()
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
    /// Files with canaries that other users may read, with their modes.
    pub open_to_others: Vec<(Place, String)>,
    /// What the files were like, at most 200 of them.
    pub files: Vec<FileSeen>,
    /// What was found in logs that nobody follows: rotated away, or packed.
    pub in_logs: Vec<Found>,
    /// Which of those could not be read, each with its reason.
    pub unread_logs: Vec<String>,
}

/// Searches all storage. Blocks; a file that vanishes meanwhile is no error.
#[must_use]
pub fn scan_storage(plan: &ScanPlan, searcher: &Searcher) -> Scan {
    Scanner::new(plan, searcher).run()
}

/// Searches text that came from elsewhere: the output of a dump command, a page.
#[must_use]
pub fn scan_text(place: &Place, bytes: &[u8], searcher: &Searcher) -> Vec<Found> {
    super::found(&searcher.find(bytes), place)
}

struct Scanner<'a> {
    plan: &'a ScanPlan,
    searcher: &'a Searcher,
    logs: Globs,
    prepared: HashMap<&'a Path, &'a str>,
    sandbox: PathBuf,
    left: u64,
    left_inside: u64,
    scan: Scan,
}

impl<'a> Scanner<'a> {
    fn new(plan: &'a ScanPlan, searcher: &'a Searcher) -> Self {
        let sandbox = plan.sandbox_root.canonicalize().unwrap_or_else(|_| plan.sandbox_root.clone());
        Self {
            plan,
            searcher,
            logs: Globs::new(&plan.log_globs, &plan.sandbox_root),
            prepared: plan.exclude.iter().map(|p| (p.path.as_path(), p.digest.as_str())).collect(),
            sandbox,
            left: BYTES,
            left_inside: BYTES,
            scan: Scan::default(),
        }
    }

    fn run(mut self) -> Scan {
        let mut walk = Walk::default();
        for root in &self.plan.roots {
            match root.canonicalize() {
                Ok(real) if root.starts_with(&self.plan.sandbox_root) && !real.starts_with(&self.sandbox) => {
                    self.unread(root, "a link that leads out of the sandbox");
                }
                // The walk must not stop at a root that is a link to a folder.
                Ok(real) if real.is_dir() && root.is_symlink() => walk.enter(&real),
                Ok(_) => walk.enter(root),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.unread(root, &error.to_string()),
            }
        }
        for (path, reason) in std::mem::take(&mut walk.unread) {
            self.unread(&path, &reason);
        }
        if walk.left_out > 0 {
            self.scan.unread.push(format!("{} more files: more than {FILES} are not searched", walk.left_out));
        }
        self.files(&walk.files);
        self.scan
    }

    fn files(&mut self, files: &BTreeSet<PathBuf>) {
        let (logs, storage): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(|path| self.is_log(path));
        let (databases, plain): (Vec<&PathBuf>, Vec<&PathBuf>) = storage.into_iter().partition(|path| database::is_sqlite(path));
        let companions: HashSet<PathBuf> = databases.iter().flat_map(|path| database::companions(path)).collect();
        for path in databases {
            self.database(path);
        }
        for path in plain.into_iter().filter(|path| !companions.contains(*path)) {
            let hits = self.raw(path).unwrap_or_default();
            let place = Place::File(self.told(path));
            self.add(super::found(&hits, &place));
            self.inside(path);
        }
        let elsewhere = self.logs_elsewhere(files);
        for path in logs.into_iter().chain(&elsewhere) {
            self.log(path);
        }
    }

    /// What a packed file holds. Nobody can tell live rows from dead ones in a packed database.
    fn inside(&mut self, path: &Path) {
        if self.is_prepared(path) || !packed::is_packed(path) {
            return;
        }
        let told = self.told(path);
        match packed::search(path, self.searcher, &mut self.left_inside) {
            Ok(inside) => {
                let place = if inside.is_database { Place::Residue(told) } else { Place::File(told) };
                if !inside.hits.is_empty() {
                    self.note_open(path);
                }
                self.add(super::found_inside(&inside.hits, &place));
                // Nobody said that it is packed: it may as well be a secret kept well.
                if let Some(reason) = inside.unread.filter(|_| is_called_packed(path)) {
                    self.unread(path, &reason);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.unread(path, &error.to_string()),
        }
    }

    /// A log that is not followed line by line: rotated away, or packed.
    fn log(&mut self, path: &Path) {
        let is_packed = packed::is_packed(path);
        if self.is_prepared(path) || (self.logs.matches(path) && !is_packed) {
            return;
        }
        let place = Place::Log(LogStream::File(self.told(path)));
        let searched = if is_packed {
            packed::search(path, self.searcher, &mut self.left_inside).map(|inside| (inside.hits, inside.unread))
        } else {
            open(path).and_then(|file| {
                let mut input = file.take(self.left);
                let hits = self.searcher.find_in(&mut input)?;
                self.left = input.limit();
                Ok((hits, (self.left == 0).then(|| "more than 256 MiB in one search".to_owned())))
            })
        };
        match searched {
            Ok((mut hits, unread)) => {
                // A `state` is no secret once it came back.
                hits.retain(|hit| hit.kind != Kind::State);
                let found = if is_packed { super::found_inside(&hits, &place) } else { super::found(&hits, &place) };
                self.scan.in_logs.extend(found);
                self.scan.unread_logs.extend(unread.map(|reason| format!("{}: {reason}", self.told(path))));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.scan.unread_logs.push(format!("{}: {error}", self.told(path))),
        }
    }

    /// Logs outside of what is searched: those that the globs name, and what was rotated away beside them.
    fn logs_elsewhere(&self, known: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let named: BTreeSet<PathBuf> = self.logs.files().into_iter().filter(|path| !known.contains(path)).collect();
        let folders: BTreeSet<&Path> = named.iter().filter_map(|path| path.parent()).collect();
        let beside = folders.into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten().map(|entry| entry.path());
        let beside: Vec<PathBuf> = beside.filter(|path| path.is_file() && self.is_log(path)).take(FILES).collect();
        beside.into_iter().filter(|path| !known.contains(path)).collect()
    }

    /// The live rows first: what stands in the bytes besides is residue.
    fn database(&mut self, path: &Path) {
        if self.is_prepared(path) && database::companions(path).iter().all(|p| !p.exists()) {
            return;
        }
        let told = self.told(path);
        let mut live: HashSet<String> = HashSet::new();
        match self.allowed(path).then(|| Database::copy_of(path)) {
            Some(Ok(database)) => {
                for (column, hits) in database.search(self.searcher, &mut self.scan.unread, &told) {
                    self.scan.places += 1;
                    live.extend(hits.iter().map(|h| h.name.clone()));
                    self.add(super::found(&hits, &Place::Row(format!("{told} {column}"))));
                }
            }
            Some(Err(database::CopyError::Gone)) => return,
            Some(Err(error)) => self.unread(path, &error.to_string()),
            None => {}
        }
        for file in std::iter::once(path.to_owned()).chain(database::companions(path)) {
            if file.exists() {
                let mut hits = self.raw(&file).unwrap_or_default();
                hits.retain(|hit| !live.contains(&hit.name));
                let place = Place::Residue(self.told(&file));
                self.add(super::found(&hits, &place));
            }
        }
    }

    /// The hits in a file and in its name; none if it is not to be searched, or was not read.
    fn raw(&mut self, path: &Path) -> Option<Vec<Hit>> {
        if self.is_prepared(path) || !self.allowed(path) {
            return None;
        }
        let file = match open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.unread(path, &error.to_string());
                return None;
            }
        };
        let mut input = file.take(self.left);
        let hits = self.searcher.find_in(&mut input);
        self.left = input.limit();
        match hits {
            Ok(mut hits) => {
                self.scan.places += 1;
                self.note(path, !hits.is_empty());
                hits.extend(self.searcher.find(self.relative(path).as_bytes()));
                Some(hits)
            }
            Err(error) => {
                self.unread(path, &error.to_string());
                None
            }
        }
    }

    fn note(&mut self, path: &Path, has_canaries: bool) {
        let (told, open) = (self.told(path), self.is_open(path));
        if has_canaries {
            self.note_open(path);
        }
        if self.scan.files.len() < TOLD
            && let Ok(digest) = self::open(path).and_then(page::digest_of)
        {
            self.scan.files.push(FileSeen { path: told, digest, text: is_text(path), open });
        }
    }

    /// A file with canaries: whether other users may read it.
    fn note_open(&mut self, path: &Path) {
        let place = Place::File(self.told(path));
        if self.is_open(path) && !self.scan.open_to_others.iter().any(|(known, _)| *known == place) {
            let mode = fs::metadata(path).map_or(0, |meta| meta.permissions().mode() & 0o7777);
            self.scan.open_to_others.push((place, format!("{mode:04o}")));
        }
    }

    /// A folder that others may not enter keeps them from everything in it. The group is left out: whom it holds is the owner's choice.
    fn is_open(&self, path: &Path) -> bool {
        let others = |path: &Path, bits: u32| fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & bits != 0);
        let folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.sandbox) && **folder != *self.sandbox);
        others(path, 0o004) && folders.into_iter().all(|folder| others(folder, 0o001))
    }

    fn allowed(&mut self, path: &Path) -> bool {
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.len() > self.left => {
                self.unread(path, "more than 256 MiB in one search");
                false
            }
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                self.unread(path, &error.to_string());
                false
            }
        }
    }

    fn is_log(&self, path: &Path) -> bool {
        self.logs.matches(path) || unrotated(path).is_some_and(|path| self.logs.matches(&path))
    }

    fn is_prepared(&self, path: &Path) -> bool {
        self.prepared.get(path).is_some_and(|digest| open(path).and_then(page::digest_of).is_ok_and(|now| now == *digest))
    }

    fn add(&mut self, found: Vec<Found>) {
        for one in found {
            if !self.scan.found.contains(&one) {
                self.scan.found.push(one);
            }
        }
    }

    fn unread(&mut self, path: &Path, reason: &str) {
        let line = format!("{}: {reason}", self.told(path));
        self.scan.unread.push(line);
    }

    /// A file may be named after a secret.
    fn told(&self, path: &Path) -> String {
        self.searcher.redact(&self.relative(path))
    }

    fn relative(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.plan.sandbox_root).or_else(|_| path.strip_prefix(&self.sandbox));
        inside.unwrap_or(path).to_string_lossy().into_owned()
    }
}

/// By its name.
fn is_called_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz") || extension.eq_ignore_ascii_case("tgz"))
}

/// Whether a file's beginning reads as text.
fn is_text(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    // A character may be cut at the end.
    let utf8 = || std::str::from_utf8(&head).map_or_else(|error| error.error_len().is_none(), |_| true);
    read.is_ok() && !head.contains(&0) && utf8()
}

/// The path of a log file before it was rotated: `app.log` for `app.log.1`, `app.log.gz`, `app.log.2.gz`, `app.log-20240131`, `app.log.2024-01-31`.
fn unrotated(path: &Path) -> Option<PathBuf> {
    static SUFFIX: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[.-](?:\d{1,10}|\d{4}-\d{2}-\d{2}[-_\d]*)$").ok());
    let text = path.to_str()?;
    let packed = text.strip_suffix(".gz");
    let bare = packed.unwrap_or(text);
    let numbered = SUFFIX.as_ref()?.find(bare).map(|suffix| &bare[..suffix.start()]);
    numbered.or(packed).map(PathBuf::from)
}

#[cfg(test)]
mod tests;

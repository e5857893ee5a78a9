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
    page,
    walk::{FILES, Walk, open},
};
use crate::{
    canary::{Hit, Searcher},
    evidence::{FileSeen, Found, Place},
};

/// So many files are told one by one.
const TOLD: usize = 200;
/// By so much of a file it is told whether it is text.
const HEAD: u64 = 64 << 10;
/// More bytes in one search are left unread.
const BYTES: u64 = 256 << 20;

/// What to search.
#[derive(Debug, Clone, Default)]
pub struct ScanPlan {
    /// Files and folders; nothing outside is looked at, not even through a link.
    pub roots: Vec<PathBuf>,
    /// Globs of log files (absolute, or relative to `sandbox_root`): not storage, left out, rotated ones too.
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
        let storage: Vec<&PathBuf> = files.iter().filter(|path| !self.is_log(path)).collect();
        let (databases, plain): (Vec<&PathBuf>, Vec<&PathBuf>) = storage.into_iter().partition(|path| database::is_sqlite(path));
        let companions: HashSet<PathBuf> = databases.iter().flat_map(|path| database::companions(path)).collect();
        for path in databases {
            self.database(path);
        }
        for path in plain.into_iter().filter(|path| !companions.contains(*path)) {
            let hits = self.raw(path).unwrap_or_default();
            let place = Place::File(self.told(path));
            self.add(super::found(&hits, &place));
        }
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
        let told = self.told(path);
        let open = self.is_open(path);
        if open && has_canaries {
            let mode = fs::metadata(path).map_or(0, |meta| meta.permissions().mode() & 0o7777);
            self.scan.open_to_others.push((Place::File(told.clone()), format!("{mode:04o}")));
        }
        if self.scan.files.len() < TOLD
            && let Ok(digest) = self::open(path).and_then(page::digest_of)
        {
            self.scan.files.push(FileSeen { path: told, digest, text: is_text(path), open });
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

/// Whether a file's beginning reads as text.
fn is_text(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    // A character may be cut at the end.
    let utf8 = || std::str::from_utf8(&head).map_or_else(|error| error.error_len().is_none(), |_| true);
    read.is_ok() && !head.contains(&0) && utf8()
}

/// The path of a log file before it was rotated: `app.log` for `app.log.1`, `app.log.2.gz`, `app.log-20240131`, `app.log.2024-01-31`.
fn unrotated(path: &Path) -> Option<PathBuf> {
    static SUFFIX: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[.-](?:\d{1,10}|\d{4}-\d{2}-\d{2}[-_\d]*)(?:\.gz)?$").ok());
    let text = path.to_str()?;
    let suffix = SUFFIX.as_ref()?.find(text)?;
    Some(PathBuf::from(&text[..suffix.start()]))
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::symlink};

    use super::*;
    use crate::{
        canary::{Canary, Kind},
        evidence::CanaryForm,
    };

    const TOKEN: &str = "kT4vQzW8nB2xLr7pYc5mHd9gJf3sA6eU";
    const OTHER: &str = "Yb0nR5tK8wVq2ZxC7mLd4PfG9hJs1AeU";

    fn searcher() -> Searcher {
        let canary = |name: &str, value: &str| Canary { name: name.into(), value: value.into(), kind: Kind::Refresh, client_id: None };
        Searcher::new(&[canary("refresh#1", TOKEN), canary("refresh#2", OTHER)])
    }

    fn sandbox(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, content).expect("a file");
        }
        dir
    }

    fn plan(dir: &tempfile::TempDir) -> ScanPlan {
        ScanPlan { roots: vec![dir.path().join("state")], sandbox_root: dir.path().to_owned(), ..ScanPlan::default() }
    }

    fn places(scan: &Scan) -> Vec<(&str, CanaryForm, &Place)> {
        scan.found.iter().map(|f| (f.canary.as_str(), f.form, &f.place)).collect()
    }

    #[test]
    fn a_token_in_a_file_is_found_with_its_relative_path() {
        let json = format!(r#"{{"refresh_token":"{TOKEN}"}}"#);
        let dir = sandbox(&[("state/deep/tokens.json", &json), ("state/other.txt", "nothing"), ("outside.txt", TOKEN)]);
        let scan = scan_storage(&plan(&dir), &searcher());
        assert_eq!(places(&scan), [("refresh#1", CanaryForm::Raw, &Place::File("state/deep/tokens.json".into()))]);
        assert_eq!((scan.places, scan.unread), (2, vec![]));
    }

    #[test]
    fn a_file_named_after_a_token_is_a_finding_that_does_not_show_it() {
        let dir = sandbox(&[(&format!("state/{TOKEN}.lock"), "")]);
        let scan = scan_storage(&plan(&dir), &searcher());
        assert_eq!(places(&scan), [("refresh#1", CanaryForm::Raw, &Place::File("state/‹refresh#1›.lock".into()))]);
    }

    #[test]
    fn log_files_are_no_storage_even_when_rotated() {
        let dir = sandbox(&[
            ("state/app.log", TOKEN),
            ("state/app.log.1", TOKEN),
            ("state/app.log-20240131.gz", TOKEN),
            ("state/app.logs", TOKEN),
        ]);
        let plan = ScanPlan { log_globs: vec!["state/*.log".into()], ..plan(&dir) };
        let scan = scan_storage(&plan, &searcher());
        assert_eq!(places(&scan), [("refresh#1", CanaryForm::Raw, &Place::File("state/app.logs".into()))]);
    }

    #[test]
    fn a_prepared_file_counts_only_once_it_was_changed() {
        let dir = sandbox(&[("state/seed.env", &format!("SECRET={TOKEN}"))]);
        let plan = ScanPlan { exclude: Prepared::snapshot(&plan(&dir).roots), ..plan(&dir) };
        assert_eq!(plan.exclude.len(), 1);
        assert_eq!(scan_storage(&plan, &searcher()).found, []);
        fs::write(dir.path().join("state/seed.env"), OTHER).expect("a file");
        let scan = scan_storage(&plan, &searcher());
        assert_eq!(places(&scan), [("refresh#2", CanaryForm::Raw, &Place::File("state/seed.env".into()))]);
    }

    #[test]
    fn links_lead_nowhere() {
        let dir = sandbox(&[("state/x", "nothing"), ("elsewhere/tokens", TOKEN)]);
        symlink(dir.path().join("elsewhere"), dir.path().join("state/folder")).expect("a link");
        symlink(dir.path().join("elsewhere/tokens"), dir.path().join("state/file")).expect("a link");
        let scan = scan_storage(&plan(&dir), &searcher());
        assert_eq!((scan.found, scan.unread), (vec![], vec![]));
    }

    #[test]
    fn a_root_that_leads_out_of_the_sandbox_is_told_as_unread() {
        let (dir, foreign) = (sandbox(&[("x", "")]), sandbox(&[("tokens", TOKEN)]));
        symlink(foreign.path(), dir.path().join("state")).expect("a link");
        let scan = scan_storage(&plan(&dir), &searcher());
        assert_eq!((scan.found, scan.unread), (vec![], vec!["state: a link that leads out of the sandbox".to_owned()]));
    }

    #[test]
    fn what_is_too_much_is_told_as_unread() {
        let dir = sandbox(&[("state/a", "")]);
        for i in 0..FILES + 3 {
            fs::write(dir.path().join(format!("state/b{i}")), "").expect("a file");
        }
        File::create(dir.path().join("state/Big")).expect("a file").set_len(BYTES + 1).expect("a sparse file");
        let scan = scan_storage(&plan(&dir), &searcher());
        assert_eq!(scan.unread, ["5 more files: more than 2000 are not searched", "state/Big: more than 256 MiB in one search"]);
    }

    #[test]
    fn files_are_told_with_what_they_are_like_and_whom_they_are_open_to() {
        let dir = sandbox(&[("state/tokens.json", TOKEN), ("state/closed/blob", "a\0b"), ("state/group.txt", TOKEN)]);
        let set = |name: &str, mode: u32| {
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).expect("its own file");
        };
        for (name, mode) in [
            ("state", 0o755),
            ("state/tokens.json", 0o644),
            ("state/closed", 0o700),
            ("state/closed/blob", 0o644),
            ("state/group.txt", 0o640),
        ] {
            set(name, mode);
        }
        let scan = scan_storage(&plan(&dir), &searcher());
        let told: Vec<_> = scan.files.iter().map(|f| (f.path.as_str(), f.text, f.open)).collect();
        assert_eq!(told, [("state/closed/blob", false, false), ("state/group.txt", true, false), ("state/tokens.json", true, true)]);
        assert_eq!(scan.open_to_others, [(Place::File("state/tokens.json".into()), "0644".into())]);
        fs::write(dir.path().join("state/tokens.json"), "changed").expect("written");
        let again = scan_storage(&plan(&dir), &searcher());
        let changed = |i: usize| again.files[i].digest != scan.files[i].digest;
        assert!(!changed(0) && !changed(1) && changed(2));
    }

    #[test]
    fn missing_roots_are_no_error() {
        let dir = sandbox(&[("x", "")]);
        assert_eq!(scan_storage(&plan(&dir), &searcher()), Scan::default());
    }

    #[test]
    fn text_from_elsewhere_is_searched_as_well() {
        let place = Place::Dump("redis-cli".into());
        assert_eq!(scan_text(&place, TOKEN.as_bytes(), &searcher()), [Found { canary: "refresh#1".into(), form: CanaryForm::Raw, place }]);
    }
}

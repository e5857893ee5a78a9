//! Storage as it may look, and what is found in it.

use std::{fs::File, io::Write, os::unix::fs::symlink};

use flate2::{Compression, write::GzEncoder};

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
    let dir =
        sandbox(&[("state/app.log", TOKEN), ("state/app.log.1", TOKEN), ("state/app.log-20240131.gz", TOKEN), ("state/app.logs", TOKEN)]);
    let plan = ScanPlan { log_globs: vec!["state/*.log".into()], ..plan(&dir) };
    let scan = scan_storage(&plan, &searcher());
    assert_eq!(places(&scan), [("refresh#1", CanaryForm::Raw, &Place::File("state/app.logs".into()))]);
    // What is followed line by line is not searched here.
    let rotated = |name: &str| (CanaryForm::Raw, Place::Log(LogStream::File(name.into())));
    let in_logs: Vec<_> = scan.in_logs.into_iter().map(|found| (found.form, found.place)).collect();
    assert_eq!(in_logs, [rotated("state/app.log-20240131.gz"), rotated("state/app.log.1")]);
}

fn gzip(path: &Path, content: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(content.as_bytes()).expect("packed");
    let packed = packed.finish().expect("finished");
    fs::write(path, &packed).expect("a file");
    packed
}

#[test]
fn a_token_in_a_packed_file_is_found_inside_it() {
    let dir = sandbox(&[("state/x", "nothing"), ("logs/app.log", TOKEN)]);
    let packed = gzip(&dir.path().join("state/backup.json.gz"), &format!("{{\"refresh_token\":\"{TOKEN}\"}}"));
    gzip(&dir.path().join("state/unnamed"), &OTHER[..20]);
    gzip(&dir.path().join("state/app.db.gz"), &format!("SQLite format 3\0 {OTHER}"));
    gzip(&dir.path().join("logs/app.log.2.gz"), &format!("GET /callback {OTHER}"));
    gzip(&dir.path().join("logs/today.log"), TOKEN);
    fs::write(dir.path().join("state/broken.gz"), &packed[..packed.len() - 12]).expect("a file");
    let plan = ScanPlan { log_globs: vec!["logs/*.log".into()], ..plan(&dir) };
    let scan = scan_storage(&plan, &searcher());
    let file = |name: &str| Place::File(name.into());
    let inside = CanaryForm::Compressed;
    let residue = Place::Residue("state/app.db.gz".into());
    let found = places(&scan);
    for one in [
        ("refresh#1", inside, &file("state/backup.json.gz")),
        ("refresh#2", CanaryForm::Prefix, &file("state/unnamed")),
        ("refresh#2", inside, &residue),
    ] {
        assert!(found.contains(&one), "{one:?} in {found:?}");
    }
    assert_eq!(scan.unread.len(), 1, "{:?}", scan.unread);
    assert!(scan.unread[0].starts_with("state/broken.gz: not wholly unpacked"), "{:?}", scan.unread);
    let log = |canary: &str, name: &str| Found { canary: canary.into(), form: inside, place: Place::Log(LogStream::File(name.into())) };
    assert_eq!(scan.in_logs, [log("refresh#2", "logs/app.log.2.gz"), log("refresh#1", "logs/today.log")]);
    assert_eq!(scan.unread_logs, Vec::<String>::new());
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
    for (name, mode) in
        [("state", 0o755), ("state/tokens.json", 0o644), ("state/closed", 0o700), ("state/closed/blob", 0o644), ("state/group.txt", 0o640)]
    {
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

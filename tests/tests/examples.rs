//! The examples in other languages: upright ones are acquitted of all that can be decided, naive ones convicted of exactly what their README lists.
//!
//! They need an interpreter and packages. `cargo xtask test` installs them and names in `REGRANT_LEFT_OUT` what it could not install;
//! an example is left out only then, and says so.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use acceptance::Bench;
use serde_json::Value;

/// A run takes half a minute on an idle machine with two cores.
const LIMIT: Duration = Duration::from_secs(900);
/// Stories wait more than they compute: more at once than the cores suggest.
const JOBS: &str = "10";

#[test]
fn the_upright_flask_example_is_acquitted() {
    // It needs one scope, and its logins lie encrypted.
    is_acquitted("python-authlib", &["REFRESH-11", "SECRET-06"]);
}

#[test]
fn the_naive_flask_example_is_convicted_of_what_its_readme_lists() {
    is_convicted_as_its_readme_says("python-authlib");
}

#[test]
fn the_upright_node_example_is_acquitted() {
    // Its logins lie encrypted.
    is_acquitted("node-openid-client", &["SECRET-06"]);
}

#[test]
fn the_naive_node_example_is_convicted_of_what_its_readme_lists() {
    is_convicted_as_its_readme_says("node-openid-client");
}

/// Of everything but what cannot be decided about it, none of which is of severity error.
fn is_acquitted(example: &str, undecided: &[&str]) {
    let undecided: BTreeSet<_> = undecided.iter().map(|id| (*id).to_owned()).collect();
    let others = |verdicts: &Value| &having(verdicts, "undecided") - &undecided;
    let Some(verdicts) = judged(example, "upright", others) else { return };
    assert_eq!((having(&verdicts, "fail"), having(&verdicts, "undecided")), (BTreeSet::new(), undecided), "{}", reasons(&verdicts));
    assert!(!having(&verdicts, "pass").is_empty());
}

fn is_convicted_as_its_readme_says(example: &str) {
    let (always, sometimes) = listed(example);
    assert!(!always.is_empty(), "the README of {example} lists nothing");
    let Some(verdicts) = judged(example, "naive", |verdicts| &always - &having(verdicts, "fail")) else { return };
    let failed: BTreeSet<_> = having(&verdicts, "fail").difference(&sometimes).cloned().collect();
    assert_eq!(failed, always, "{}", reasons(&verdicts));
}

/// The verdicts of a run whose exit code says what they say; those that `open` names once more, since a busy machine may have kept a story from
/// coming about. None where the example is left out.
fn judged(example: &str, kind: &str, open: impl Fn(&Value) -> BTreeSet<String>) -> Option<Value> {
    let left_out = std::env::var("REGRANT_LEFT_OUT").unwrap_or_default();
    if left_out.split(',').any(|name| name == example) {
        println!("left out: {example}, since what it needs could not be installed");
        return None;
    }
    let bench = Bench::new(env!("CARGO_BIN_EXE_regrant-under-test"));
    let folder = root().join("examples").join(example).join(kind);
    let words = [&folder.to_string_lossy(), "--jobs", JOBS];
    let (ended, mut verdicts) = bench.check(&words, LIMIT);
    assert_eq!(verdicts, bench.verdicts("regrant-out"), "stdout and verdicts.json say the same");
    ended.assert(exit(&verdicts), &[]);
    let open = open(&verdicts);
    bench.once_more(&words, &mut verdicts, &open, LIMIT);
    Some(verdicts)
}

/// What a run with these verdicts must exit with; the naive ones break requirements of severity error.
fn exit(verdicts: &Value) -> i32 {
    let requirements = verdicts["requirements"].as_array().expect("requirements");
    let any = |verdict: &str| requirements.iter().any(|r| r["verdict"] == verdict && r["severity"] == "error");
    if any("fail") {
        1
    } else if any("undecided") {
        4
    } else {
        0
    }
}

/// The IDs in the first column of the README's table under "What the naive one gets wrong": those of every run, and those of rows that
/// begin with "sometimes", which hang on when a process is killed or a story's work comes.
fn listed(example: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let readme = fs::read_to_string(root().join("examples").join(example).join("README.md")).expect("a README");
    let (_, section) = readme.split_once("## What the naive one gets wrong").expect("its section");
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |")).map(|(first, _)| first);
    let (sometimes, always): (Vec<_>, Vec<_>) = rows.partition(|first| first.starts_with("sometimes "));
    let ids = |rows: Vec<&str>| {
        let ids = rows.into_iter().flat_map(|row| row.trim_start_matches("sometimes ").split(", "));
        ids.filter(|id| regrant::catalogue::find(id).is_some()).map(str::to_owned).collect()
    };
    (ids(always), ids(sometimes))
}

#[test]
fn the_readmes_name_no_requirement_that_does_not_exist() {
    for example in ["python-authlib", "node-openid-client"] {
        let readme = fs::read_to_string(root().join("examples").join(example).join("README.md")).expect("a README");
        let ids = readme
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
            .flat_map(|(ids, _)| ids.trim_start_matches("sometimes ").split(", "));
        let like_ids = ids.filter(|id| id.split_once('-').is_some_and(|(_, number)| number.len() == 2 && number.parse::<u8>().is_ok()));
        let unknown: Vec<_> = like_ids.filter(|id| regrant::catalogue::find(id).is_none()).collect();
        assert!(unknown.is_empty(), "{example}: {unknown:?}");
    }
}

fn having(verdicts: &Value, wanted: &str) -> BTreeSet<String> {
    let requirements = verdicts["requirements"].as_array().expect("requirements").iter();
    requirements.filter(|r| r["verdict"] == wanted).filter_map(|r| Some(r["id"].as_str()?.to_owned())).collect()
}

/// Everything that is no plain pass, for whoever reads a failed test.
fn reasons(verdicts: &Value) -> String {
    let requirements = verdicts["requirements"].as_array().expect("requirements").iter();
    let lines = requirements.filter(|r| r["verdict"] != "pass").map(|r| format!("{} {}: {}", r["id"], r["verdict"], r["reason"]));
    lines.collect::<Vec<_>>().join("\n")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

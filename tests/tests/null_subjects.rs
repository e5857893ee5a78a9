//! Programs that do nothing must not be acquitted of anything: what was never exercised is undecided, not passed.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::time::Duration;

use acceptance::{Bench, Ended};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(300);

/// The null subjects, and how a run over each ends. Requirements that a null subject passes would be listed here, each with its reason:
/// there are none. Not even "never writes a secret to its log" holds for a program that was never given one.
const NULLS: [(&str, i32, &str); 3] = [
    ("exits", 3, "subject exited with code 0 before it was ready"),
    ("mute", 4, "could not be connected in the first place"),
    ("yes-man", 4, "could not be connected in the first place"),
];

#[test]
fn a_program_that_exits_passes_nothing() {
    passes_nothing(NULLS[0]);
}

#[test]
fn a_program_that_is_mute_passes_nothing() {
    passes_nothing(NULLS[1]);
}

#[test]
fn a_program_that_says_yes_to_everything_passes_nothing() {
    passes_nothing(NULLS[2]);
}

#[test]
fn undecided_requirements_that_are_allowed_are_still_counted_and_a_subject_that_does_not_start_is_not_excused() {
    let (mute, ended) = told("mute", &["--allow-undecided"]);
    ended.assert(0, &["exit 0", "undecided"]);
    assert_eq!(verdict(&mute, "undecided"), regrant::catalogue::all().count());
    let (_, ended) = told("exits", &["--allow-undecided"]);
    ended.assert(3, &["Nothing could be checked"]);
}

fn passes_nothing((name, code, reason): (&str, i32, &str)) {
    let (bench, ended) = told(name, &[]);
    ended.assert(code, &[reason]);
    let all = bench.verdicts("regrant-out")["requirements"].as_array().expect("requirements").len();
    assert_eq!((verdict(&bench, "undecided"), all), (all, regrant::catalogue::all().count()), "{}", ended.stdout);
}

fn told(name: &str, more: &[&str]) -> (Bench, Ended) {
    let bench = Bench::new(env!("CARGO_BIN_EXE_regrant-under-test"));
    let words = [&["check", "--reference", name, "--seed", "7"], more].concat();
    let ended = bench.run(&words, LIMIT);
    (bench, ended)
}

/// How many requirements have this verdict.
fn verdict(bench: &Bench, wanted: &str) -> usize {
    let verdicts: Value = bench.verdicts("regrant-out");
    verdicts["requirements"].as_array().expect("requirements").iter().filter(|r| r["verdict"] == wanted).count()
}

#[test]
fn work_that_the_api_refuses_from_the_beginning_is_told_and_accuses_nobody() {
    let bench = Bench::new(env!("CARGO_BIN_EXE_regrant-under-test"));
    let manifest = regrant::reference::MANIFEST.replace("{regrant}", env!("CARGO_BIN_EXE_regrant-under-test"));
    bench.write("regrant.toml", manifest);
    // It may read what there is to do, and not say that it was done.
    let scopes = "start.env.SCOPES=users:read export-jobs:read export-items:read";
    let ended = bench.run(&["check", "--seed", "7", "--set", scopes, "--only", "user_revokes_access"], LIMIT);
    ended.assert(4, &["the subject did no work", "POST /v3/export-job-events was answered 403"]);
    assert_eq!(verdict(&bench, "fail"), 0, "{}", ended.stdout);
}

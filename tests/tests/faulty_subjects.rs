//! Planted defects in subjects that are not written in Rust: each is convicted of what it must be and of nothing that it may not be; upright they
//! are clean.
//!
//! So that the checks do not fit one runtime's habits: `bookkeeper` is Python with threads and SQLite, `roster` is JavaScript with promises, a
//! timer and a JSON file. A defect is told the stories that decide what it must be convicted of, and a twentieth of the others, as in the kill matrix.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "faulty/bookkeeper.rs"]
mod bookkeeper;
#[path = "faulty/roster.rs"]
mod roster;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    thread,
};

use acceptance::choice;
use regrant::{catalogue, reference::Defect, run::built_in};
use serde_json::Value;

/// A planted defect: its name, what must fail, and what may, each a list of IDs.
type Row = (&'static str, &'static str, &'static [&'static str]);

/// So many runs at once, and stories of each: they wait more than they compute.
const AT_ONCE: usize = 5;
const JOBS: &str = "3";

const SUBJECTS: [(&str, &[Row], &str); 2] = [("bookkeeper", bookkeeper::ALL, "faults.py"), ("roster", roster::ALL, "faults.js")];

/// A subject with a defect; none: upright.
type Run = (&'static str, Option<Defect>);

#[test]
fn every_defect_in_another_language_is_convicted_of_what_it_must_be_and_of_nothing_that_it_may_not_be() {
    let mut runs: VecDeque<Run> = VecDeque::new();
    for (subject, rows, _) in SUBJECTS {
        if is_left_out(subject) {
            continue;
        }
        runs.push_back((subject, None));
        let live = rows.iter().map(defect).filter(|defect| !choice::broken(defect).is_empty());
        runs.extend(live.map(|defect| (subject, Some(defect))));
    }
    let (left, wrong) = (Mutex::new(runs), Mutex::new(Vec::new()));
    let next = || left.lock().expect("no panic holds it").pop_front();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((subject, defect)) = next() {
                    let differences = judged(subject, defect.as_ref());
                    wrong.lock().expect("no panic holds it").extend(differences);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic held it");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_planted_defect_is_listed_with_what_it_must_break_and_every_id_can_be_one() {
    for (subject, rows, source) in SUBJECTS {
        let source = std::fs::read_to_string(folder(subject).join(source)).expect("the subject's own list");
        let planted: BTreeSet<&str> =
            source.lines().filter_map(|line| line.strip_prefix("    \"")?.split_once("\": \"F")).map(|it| it.0).collect();
        let listed: BTreeSet<&str> = rows.iter().map(|row| row.0).collect();
        assert_eq!(planted, listed, "{subject}");
        assert_eq!(rows.len(), listed.len(), "{subject}: one is listed twice");
        for row in rows {
            let defect = defect(row);
            assert!(!defect.breaks.is_empty(), "{subject}: {}", defect.name);
            let groups = defect.breaks.iter().chain(defect.may).filter_map(|id| id.split_once('-')).map(|(group, _)| group);
            for group in groups {
                assert!(catalogue::all().any(|r| r.id.starts_with(group)), "{subject}: {} names {group}", defect.name);
            }
        }
    }
}

fn is_left_out(subject: &str) -> bool {
    let left_out = std::env::var("REGRANT_LEFT_OUT").unwrap_or_default();
    let is_left_out = left_out.split(',').any(|name| name == subject);
    if is_left_out {
        println!("left out: {subject}, since what it needs could not be made ready");
    }
    is_left_out
}

/// Without what may fail: the stories of that are told to the twentieth only, or there would be no end of them.
fn defect(row: &Row) -> Defect {
    Defect { name: row.0, about: "", breaks: ids(row.1).leak(), may: &[] }
}

fn ids(list: &'static str) -> Vec<&'static str> {
    list.split_whitespace().collect()
}

/// What differs from what is listed.
fn judged(subject: &str, defect: Option<&Defect>) -> Vec<String> {
    let Some(defect) = defect else { return accused(subject) };
    let told: BTreeSet<&str> = choice::told(defect).map(|story| story.name.as_str()).collect();
    let mut failed = failed(subject, defect.name, &told);
    let missed = |failed: &BTreeMap<String, String>| -> Vec<&str> {
        choice::broken(defect).into_iter().filter(|id| !failed.contains_key(*id)).collect()
    };
    let more = missed(&failed);
    let more: BTreeSet<&str> = choice::may_convict(&more).map(|story| story.name.as_str()).filter(|name| !told.contains(name)).collect();
    if !more.is_empty() {
        failed.extend(self::failed(subject, defect.name, &more));
    }
    let not_convicted = missed(&failed).into_iter().map(|id| format!("{subject} with {} is not convicted of {id}", defect.name));
    let may = may(subject, defect.name);
    let beyond = failed.iter().filter(|(id, _)| !defect.breaks.contains(&id.as_str()) && !may.contains(&id.as_str()));
    let beyond = beyond.map(|(id, reason)| format!("{subject} with {} is convicted of {id}: {reason}", defect.name));
    not_convicted.chain(beyond).collect()
}

fn may(subject: &str, defect: &str) -> Vec<&'static str> {
    let rows = SUBJECTS.iter().filter(|it| it.0 == subject).flat_map(|it| it.1);
    rows.filter(|row| row.0 == defect).flat_map(|row| row.2).flat_map(|list| ids(list)).collect()
}

/// What the upright subject fails, and what stays undecided.
fn accused(subject: &str) -> Vec<String> {
    let verdicts = verdicts(subject, "", &[]);
    let requirements = verdicts["requirements"].as_array().expect("requirements");
    let wrong = requirements.iter().filter(|r| !matches!(text(r, "verdict"), "pass" | "not-applicable"));
    wrong.map(|r| format!("{subject}, upright: {} is {}: {}", text(r, "id"), text(r, "verdict"), text(r, "reason"))).collect()
}

/// What fails in these stories, with the reason. The others are skipped, rather than these selected: so every requirement may convict in them.
fn failed(subject: &str, defect: &str, told: &BTreeSet<&str>) -> BTreeMap<String, String> {
    let others = built_in().iter().map(|story| story.name.as_str()).filter(|name| !told.contains(name));
    let skipped: Vec<&str> = others.flat_map(|name| ["--skip", name]).collect();
    let verdicts = verdicts(subject, defect, &skipped);
    let requirements = verdicts["requirements"].as_array().expect("requirements");
    let failed = requirements.iter().filter(|r| matches!(text(r, "verdict"), "fail" | "harness-fault"));
    failed.map(|r| (text(r, "id").to_owned(), text(r, "reason").to_owned())).collect()
}

fn verdicts(subject: &str, defect: &str, selection: &[&str]) -> Value {
    let out = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_regrant-under-test"));
    command.args(["check", "-q", "--jobs", JOBS, "--out"]).arg(out.path()).arg(folder(subject));
    command.args(["--set", &format!("start.env.DEFECT={defect}")]).args(selection);
    let output = command.output().expect("regrant runs");
    let verdicts = std::fs::read_to_string(out.path().join("verdicts.json"))
        .unwrap_or_else(|e| panic!("no verdicts on {subject} with {defect:?} ({e}): {}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(&verdicts).expect("verdicts are JSON")
}

fn text<'v>(of: &'v Value, name: &str) -> &'v str {
    of[name].as_str().unwrap_or_default()
}

fn folder(subject: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("subjects/faulty").join(subject)
}

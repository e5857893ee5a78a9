//! Planted defects in subjects that are not written in Rust: each is convicted of what it must be and of nothing that it may not be; upright they
//! are clean.
//!
//! So that the checks do not fit one runtime's habits: `bookkeeper` is Python with threads and SQLite, `roster` is JavaScript with promises, a
//! timer and a JSON file. The upright ones are told every story; a defect is told the fewest that can convict it of what it must be convicted
//! of, mostly one; that takes about ten minutes, so the usual tests tell an eighth of them, always the same, and
//! `cargo test --package acceptance --test faulty_subjects -- --ignored` tells all, with every story to the upright ones. `cargo xtask matrix --foreign` tells each defect all stories that decide what it must or may be convicted of: an hour's work.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    process::Command,
    sync::Mutex,
    thread,
};

use acceptance::{
    choice,
    foreign::{SUBJECTS, Subject, defect},
};
use regrant::{catalogue, reference::Defect, run::built_in};
use serde_json::Value;

/// So many runs at once, and stories of each: they wait more than they compute.
const AT_ONCE: usize = 8;
const JOBS: &str = "4";
/// Set by `cargo xtask matrix --foreign`.
const EVERY_STORY: &str = "REGRANT_EVERY_STORY";

/// Of so many defects the usual tests tell one.
const ONE_IN: u64 = 8;

/// A subject with a defect; none: upright.
type Run = (&'static Subject, Option<Defect>);

#[test]
#[ignore = "takes about ten minutes"]
fn every_defect_in_another_language_is_convicted_of_what_it_must_be_and_of_nothing_that_it_may_not_be() {
    let mut runs: VecDeque<Run> = VecDeque::new();
    for subject in SUBJECTS.iter().filter(|it| !is_left_out(it.name)) {
        // The long ones first.
        runs.push_front((subject, None));
        runs.extend(subject.defects().map(|defect| (subject, Some(defect))));
    }
    tell(runs);
}

#[test]
fn an_eighth_of_the_defects_in_other_languages_is_convicted_of_what_it_must_be_and_of_nothing_that_it_may_not_be() {
    let mut runs: VecDeque<Run> = VecDeque::new();
    for subject in SUBJECTS.iter().filter(|it| !is_left_out(it.name)) {
        let chosen = subject.defects().filter(|defect| choice::is_drawn(defect.name, ONE_IN));
        runs.extend(chosen.map(|defect| (subject, Some(defect))));
    }
    assert!(runs.len() >= 10 || std::env::var_os("REGRANT_LEFT_OUT").is_some_and(|left_out| !left_out.is_empty()), "{}", runs.len());
    tell(runs);
}

fn tell(runs: VecDeque<Run>) {
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
    for at in &SUBJECTS {
        let (subject, rows, best) = (at.name, at.planted, at.best);
        let source = std::fs::read_to_string(at.folder().join(at.source)).expect("the subject's own list");
        let planted: BTreeSet<&str> =
            source.lines().filter_map(|line| line.strip_prefix("    \"")?.split_once("\": \"F")).map(|it| it.0).collect();
        let listed: BTreeSet<&str> = rows.iter().map(|row| row.0).collect();
        assert_eq!(planted, listed, "{subject}");
        assert_eq!(rows.len(), listed.len(), "{subject}: one is listed twice");
        for (defect, story) in best {
            assert!(listed.contains(defect), "{subject}: {defect}");
            assert!(built_in().iter().any(|it| it.name == *story), "{subject}: {story}");
        }
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

/// What differs from what is listed. A defect that hid on a machine that was busy is told its stories once more; `cargo xtask matrix` tells all
/// of them once.
fn judged(at: &Subject, defect: Option<&Defect>) -> Vec<String> {
    let subject = at.name;
    let Some(defect) = defect else { return accused(at) };
    let told = told(at, defect);
    let mut found = told_of(at, defect.name, &told);
    let missed = |found: &Found| choice::broken(defect).iter().any(|id| !found.get(*id).is_some_and(|it| is_conviction(&it.0)));
    if missed(&found) {
        println!("{subject} with {} is told its stories once more", defect.name);
        // What it was convicted of the first time counts, too.
        let again = told_of(at, defect.name, &told);
        found.retain(|_, (verdict, _)| is_conviction(verdict));
        found = again.into_iter().chain(found).collect();
    }
    let failed = |id: &str| found.get(id).is_some_and(|(verdict, _)| is_conviction(verdict));
    let missed = choice::broken(defect).into_iter().filter(|id| !failed(id));
    let missed = missed.map(|id| format!("{subject} with {} is not convicted of {id}: {:?}", defect.name, found.get(id)));
    let listed = |id: &str| defect.breaks.contains(&id) || defect.may.contains(&id);
    let beyond = found.iter().filter(|(id, (verdict, _))| is_conviction(verdict) && !listed(id));
    let beyond = beyond.map(|(id, (_, reason))| format!("{subject} with {} is convicted of {id}: {reason}", defect.name));
    missed.chain(beyond).collect()
}

/// The fewest stories; or, if that is asked for, all that decide what must or may be.
fn told(subject: &Subject, defect: &Defect) -> BTreeSet<&'static str> {
    if std::env::var_os(EVERY_STORY).is_some() {
        return choice::deciding(defect).map(|story| story.name.as_str()).collect();
    }
    subject.told(defect)
}

fn is_conviction(verdict: &str) -> bool {
    matches!(verdict, "fail" | "harness-fault")
}

/// What stays undecided of them when they are upright: requirement, and how its reason begins.
const UNDECIDED: &[(&str, &str, &str)] = &[
    // They keep their logins in memory.
    ("bookkeeper", "SECRET-06", "no state was found in storage"),
    ("roster", "SECRET-06", "no state was found in storage"),
    // It is for one company.
    ("roster", "REAUTH-10", "it is not known that the subject keeps several companies apart"),
];

/// What the upright subject fails, and what stays undecided for another reason than it must.
fn accused(at: &Subject) -> Vec<String> {
    let subject = at.name;
    let verdicts = verdicts(at, "", &[]);
    let requirements = verdicts["requirements"].as_array().expect("requirements");
    let wrong = requirements.iter().filter(|r| match text(r, "verdict") {
        "pass" | "not-applicable" => false,
        "undecided" => {
            let is_it = |it: &&(&str, &str, &str)| it.0 == subject && it.1 == text(r, "id") && text(r, "reason").starts_with(it.2);
            !UNDECIDED.iter().any(|it| is_it(&it))
        }
        _ => true,
    });
    wrong.map(|r| format!("{subject}, upright: {} is {}: {}", text(r, "id"), text(r, "verdict"), text(r, "reason"))).collect()
}

/// By requirement: verdict and reason.
type Found = BTreeMap<String, (String, String)>;

/// What these stories give. The others are skipped, rather than these selected: so every requirement may convict in them.
fn told_of(subject: &Subject, defect: &str, told: &BTreeSet<&str>) -> Found {
    let others = built_in().iter().map(|story| story.name.as_str()).filter(|name| !told.contains(name));
    let skipped: Vec<&str> = others.flat_map(|name| ["--skip", name]).collect();
    let verdicts = verdicts(subject, defect, &skipped);
    let requirements = verdicts["requirements"].as_array().expect("requirements");
    let word = |r: &Value, name: &str| text(r, name).to_owned();
    requirements.iter().map(|r| (word(r, "id"), (word(r, "verdict"), word(r, "reason")))).collect()
}

fn verdicts(at: &Subject, defect: &str, selection: &[&str]) -> Value {
    let out = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_regrant-under-test"));
    command.args(["check", "-q", "--jobs", JOBS, "--out"]).arg(out.path()).arg(at.folder());
    command.args(["--set", &format!("start.env.DEFECT={defect}")]).args(selection);
    let output = command.output().expect("regrant runs");
    let verdicts = std::fs::read_to_string(out.path().join("verdicts.json"))
        .unwrap_or_else(|e| panic!("no verdicts on {} with {defect:?} ({e}): {}", at.name, String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(&verdicts).expect("verdicts are JSON")
}

fn text<'v>(of: &'v Value, name: &str) -> &'v str {
    of[name].as_str().unwrap_or_default()
}

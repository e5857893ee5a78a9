//! The kill matrix: every planted defect is convicted of what it breaks and of nothing that it may not break; the upright subject is clean;
//! every requirement has a defect that trips it.
//!
//! The upright subject is told every story, a defect those that it needs and a part of the others (`acceptance::choice`). One test, so that so
//! many runs at once fit the machine. The snapshot shows the whole of it: subject by requirement.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    sync::Mutex,
};

use acceptance::choice;
use regrant::{catalogue, reference, run::built_in};

/// So many subjects at once; each run tells several stories at once, and mostly waits.
const AT_ONCE: usize = 8;

struct Row {
    failed: BTreeSet<String>,
    undecided: BTreeSet<String>,
    reasons: BTreeMap<String, String>,
}

#[test]
fn every_defect_is_convicted_of_what_it_breaks_and_the_upright_subject_of_nothing() {
    let register: BTreeSet<&str> = catalogue::all().map(|r| r.id).collect();
    let defects: Vec<_> = reference::defects().iter().filter(|d| d.breaks.iter().any(|id| register.contains(id))).collect();
    let names: Vec<Option<&str>> = std::iter::once(None).chain(defects.iter().map(|d| Some(d.name))).collect();
    let mut rows = run_all(&names);

    let upright = rows.remove("").expect("the upright subject's row");
    assert!(upright.failed.is_empty(), "the upright subject is accused: {:?}", upright.reasons);
    assert!(upright.undecided.is_empty(), "undecided on the upright subject: {:?}", upright.undecided);

    let mut wrong = Vec::new();
    for defect in &defects {
        let row = &rows[defect.name];
        for id in defect.breaks.iter().filter(|id| register.contains(*id) && !row.failed.contains(**id)) {
            wrong.push(format!("{} is not convicted of {id}", defect.name));
        }
        for id in row.failed.iter().filter(|id| !defect.breaks.contains(&id.as_str()) && !defect.may.contains(&id.as_str())) {
            wrong.push(format!("{} is convicted of {id}, which it does not break: {}", defect.name, row.reasons[id]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let killed: BTreeSet<&str> = defects.iter().flat_map(|d| d.breaks.iter().copied()).collect();
    let unkilled: Vec<_> = register.iter().filter(|id| !killed.contains(*id)).collect();
    assert!(unkilled.is_empty(), "no defect trips {unkilled:?}");

    let breaks: BTreeMap<&str, &[&str]> = defects.iter().map(|d| (d.name, d.breaks)).collect();
    insta::assert_snapshot!(matrix(&rows, &breaks));
}

/// A line each: what was planted is certain, and shown; consequences may differ with timing, and are not.
fn matrix(rows: &BTreeMap<String, Row>, breaks: &BTreeMap<&str, &[&str]>) -> String {
    let line = |(name, row): (&String, &Row)| {
        let planted = row.failed.iter().filter(|id| breaks[name.as_str()].contains(&id.as_str())).cloned().collect::<Vec<_>>();
        format!("{name}: {}", planted.join(" "))
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn run_all(names: &[Option<&str>]) -> BTreeMap<String, Row> {
    let (waiting, rows) = (Mutex::new(names.iter()), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("the queue").next();
                    let Some(name) = next else { return };
                    let row = row(*name);
                    rows.lock().expect("the rows").insert(name.unwrap_or_default().to_owned(), row);
                }
            });
        }
    });
    rows.into_inner().expect("the rows")
}

/// All stories for the upright subject. A defect that the stories of its choice do not convict gets those that may convict it, too.
fn row(name: Option<&str>) -> Row {
    let Some(defect) = reference::defects().iter().find(|defect| Some(defect.name) == name) else { return run(name, &[]) };
    if choice::hangs(defect) {
        return run(name, &["--only", "RECOVER-08"]);
    }
    let told: BTreeSet<&str> = choice::told(defect).map(|story| story.name.as_str()).collect();
    let mut row = run_only(defect.name, &told);
    let missed = |row: &Row| choice::broken(defect).into_iter().filter(|id| !row.failed.contains(*id)).collect::<Vec<_>>();
    let also: BTreeSet<&str> =
        choice::may_convict(&missed(&row)).map(|story| story.name.as_str()).filter(|name| !told.contains(name)).collect();
    row.adds(run_only_if_any(defect.name, &also));
    // A busy machine may have kept a story from coming about: it is told once more before the defect counts as missed.
    let again: BTreeSet<&str> = choice::may_convict(&missed(&row)).map(|story| story.name.as_str()).collect();
    row.adds(run_only_if_any(defect.name, &again));
    row
}

fn run_only_if_any(defect: &str, told: &BTreeSet<&str>) -> Option<Row> {
    (!told.is_empty()).then(|| run_only(defect, told))
}

impl Row {
    /// What further stories convict of.
    fn adds(&mut self, other: Option<Row>) {
        let Some(other) = other else { return };
        self.failed.extend(other.failed);
        self.reasons.extend(other.reasons);
    }
}

/// The others are skipped, rather than these selected: so every requirement may convict in them, also one that is decided elsewhere.
fn run_only(defect: &str, told: &BTreeSet<&str>) -> Row {
    let others = built_in().iter().map(|story| story.name.as_str()).filter(|name| !told.contains(name));
    let skipped: Vec<&str> = others.flat_map(|name| ["--skip", name]).collect();
    run(Some(defect), &skipped)
}

fn run(defect: Option<&str>, selection: &[&str]) -> Row {
    let out = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_regrant-under-test"));
    command.args(["check", "-q", "--out"]).arg(out.path()).arg("--reference").args(defect).args(selection);
    let output = command.output().expect("regrant runs");
    let verdicts = std::fs::read_to_string(out.path().join("verdicts.json"))
        .unwrap_or_else(|e| panic!("no verdicts on {defect:?} ({e}): {}", String::from_utf8_lossy(&output.stderr)));
    let verdicts: serde_json::Value = serde_json::from_str(&verdicts).expect("verdicts are JSON");
    let mut row = Row { failed: BTreeSet::new(), undecided: BTreeSet::new(), reasons: BTreeMap::new() };
    for requirement in verdicts["requirements"].as_array().expect("requirements") {
        let text = |key: &str| requirement[key].as_str().unwrap_or_default().to_owned();
        let id = text("id");
        match text("verdict").as_str() {
            "fail" => row.failed.insert(id.clone()),
            "undecided" => row.undecided.insert(id.clone()),
            "harness-fault" => panic!("the harness faulted on {defect:?}: {}", text("reason")),
            _ => continue,
        };
        row.reasons.insert(id, text("reason"));
    }
    row
}

//! `cargo xtask matrix`: tells all defects all stories, goes on where it was interrupted, and writes `docs/kill-matrix.md`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Mutex,
    time::{Duration, Instant},
};

use acceptance::{
    choice,
    matrix::{Row, fingerprint, page, page_path, planted},
    runs,
};
use regrant::run::built_in;

const USAGE: &str = "cargo xtask matrix [--minutes N] [--at-once N] [--sample]
  tells every planted defect every story and writes docs/kill-matrix.md; what was told is kept, so that it goes on where it stopped
  --minutes N   begins no further run after so many minutes (120)
  --at-once N   so many subjects at the same time (3)
  --sample      tells a defect what its conviction needs and a part of the other stories; the page says so";

/// A subject that hangs costs every story its whole patience: it is told only the stories that decide what it breaks.
const HANGS: &str = "hangs-on-refusal";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => {
            println!("{wrong}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Whether all is told and as it must be.
fn run(words: &[String]) -> Result<bool, String> {
    runs::known(words, &["--minutes", "--at-once"], &["--sample"])?;
    let minutes = u64::try_from(runs::number(words, "--minutes", 120)?).unwrap_or(u64::MAX);
    let at_once = runs::number(words, "--at-once", 3)?.max(1);
    let whole = !words.iter().any(|word| word == "--sample");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/kill-matrix");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let until = Instant::now() + Duration::from_secs(minutes.saturating_mul(60));
    let names: Vec<&str> = std::iter::once("").chain(planted().map(|defect| defect.name)).collect();
    let hash = fingerprint();
    let (waiting, wrong) = (Mutex::new(names.iter()), Mutex::new(0_usize));
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while Instant::now() < until {
                    let Some(name) = waiting.lock().ok().and_then(|mut names| names.next().copied()) else { return };
                    if let Err(why) = told(&folder, name, &hash, whole)
                        && let Ok(mut wrong) = wrong.lock()
                    {
                        println!("{}: {why}", shown(name));
                        *wrong += 1;
                    }
                }
            });
        }
    });
    let rows: BTreeMap<String, Row> =
        names.iter().filter_map(|name| Some(((*name).to_owned(), kept(&folder, name, &hash, whole)?))).collect();
    println!("{} of {} subjects are told", rows.len(), names.len());
    if rows.len() < names.len() {
        println!("run it again to go on");
        return Ok(false);
    }
    fs::write(page_path(), page(&rows)).map_err(|error| format!("docs/kill-matrix.md: {error}"))?;
    println!("docs/kill-matrix.md is written");
    Ok(wrong.into_inner().is_ok_and(|wrong| wrong == 0) && as_it_must_be(&rows))
}

/// Tells one subject, unless that was done.
fn told(folder: &Path, name: &str, hash: &str, whole: bool) -> Result<(), String> {
    if kept(folder, name, hash, whole).is_some() {
        return Ok(());
    }
    let mut words = vec!["--reference".to_owned()];
    if let Some(defect) = planted().find(|defect| defect.name == name) {
        words.push(name.to_owned());
        if name == HANGS {
            words.extend(["--only".to_owned(), "RECOVER-08".to_owned()]);
        } else if !whole {
            let told: Vec<&str> = choice::told(defect).map(|story| story.name.as_str()).collect();
            let others = built_in().iter().filter(|story| !told.contains(&story.name.as_str()));
            words.extend(others.flat_map(|story| ["--skip".to_owned(), story.name.clone()]));
        }
    }
    let began = Instant::now();
    let verdicts = runs::check(&words)?;
    let having = |verdict: &'static str| verdicts.iter().filter(move |(_, (got, _))| got == verdict);
    if let Some((id, (_, reason))) = having("harness-fault").next() {
        return Err(format!("the harness faulted on {id}: {reason}"));
    }
    let row = Row {
        hash: hash.to_owned(),
        whole,
        convicted: having("fail").map(|(id, (_, reason))| (id.clone(), reason.clone())).collect(),
        undecided: having("undecided").map(|(id, _)| id.clone()).collect(),
    };
    println!("{}: {} convictions in {:.0} s", shown(name), row.convicted.len(), began.elapsed().as_secs_f64());
    let text = serde_json::to_string_pretty(&row).map_err(|error| error.to_string())?;
    fs::write(file(folder, name), text).map_err(|error| format!("cannot be kept: {error}"))
}

/// A row of this register that was told before; a sample is content with the whole.
fn kept(folder: &Path, name: &str, hash: &str, whole: bool) -> Option<Row> {
    let row: Row = serde_json::from_str(&fs::read_to_string(file(folder, name)).ok()?).ok()?;
    (row.hash == hash && (row.whole || !whole)).then_some(row)
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{}.json", shown(name)))
}

fn shown(name: &str) -> &str {
    if name.is_empty() { "upright" } else { name }
}

fn as_it_must_be(rows: &BTreeMap<String, Row>) -> bool {
    let mut wrong: Vec<String> = Vec::new();
    if let Some(upright) = rows.get("").filter(|row| !row.convicted.is_empty() || !row.undecided.is_empty()) {
        wrong.push(format!("the upright subject: convicted of {:?}, undecided {:?}", upright.convicted, upright.undecided));
    }
    for defect in planted() {
        let Some(row) = rows.get(defect.name) else { continue };
        let missed = choice::broken(defect).into_iter().filter(|id| !row.convicted.contains_key(*id));
        wrong.extend(missed.map(|id| format!("{} is not convicted of {id}", defect.name)));
        let strange = row.convicted.iter().filter(|(id, _)| !defect.breaks.contains(&id.as_str()) && !defect.may.contains(&id.as_str()));
        wrong.extend(strange.map(|(id, reason)| format!("{} is convicted of {id}, which it does not break: {reason}", defect.name)));
    }
    for line in &wrong {
        println!("{line}");
    }
    wrong.is_empty()
}

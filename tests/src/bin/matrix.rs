//! `cargo xtask matrix`: tells all defects all stories, goes on where it was interrupted, and writes `docs/kill-matrix.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Mutex,
    time::{Duration, Instant},
};

use acceptance::{
    choice,
    matrix::{Cell, Row, page, page_path, planted, told},
    runs,
};
use regrant::run::built_in;

const USAGE: &str = "cargo xtask matrix [--minutes N] [--at-once N] [--sample] [--again DEFECT]
  tells every planted defect every story and writes docs/kill-matrix.md; what was told is kept in target/kill-matrix, so that it goes on where
  it stopped, and only stories that have changed since are told again
  --minutes N      begins no further run after so many minutes (120)
  --at-once N      so many subjects at the same time (3)
  --sample         tells a defect what its conviction needs and a part of the other stories; the page says so
  --again DEFECT   forgets what was told to this defect; `upright` is the one without";

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
    runs::known(words, &["--minutes", "--at-once", "--again"], &["--sample"])?;
    let minutes = u64::try_from(runs::number(words, "--minutes", 120)?).unwrap_or(u64::MAX);
    let at_once = runs::number(words, "--at-once", 3)?.max(1);
    let whole = !words.iter().any(|word| word == "--sample");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/kill-matrix");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let names: Vec<&str> = std::iter::once("").chain(planted().map(|defect| defect.name)).collect();
    forget(words, &folder, &names)?;
    let until = Instant::now() + Duration::from_secs(minutes.saturating_mul(60));
    let (waiting, wrong) = (Mutex::new(names.iter()), Mutex::new(0_usize));
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while Instant::now() < until {
                    let Some(name) = waiting.lock().ok().and_then(|mut names| names.next().copied()) else { return };
                    if let Err(why) = tell(&folder, name, whole)
                        && let Ok(mut wrong) = wrong.lock()
                    {
                        println!("{}: {why}", shown(name));
                        *wrong += 1;
                    }
                }
            });
        }
    });
    let rows: BTreeMap<String, Row> = names.iter().map(|name| ((*name).to_owned(), kept(&folder, name))).collect();
    let missing = names.iter().filter(|name| rows.get(**name).is_none_or(|row| !asked(name, whole).is_subset(&stories_of(row)))).count();
    println!("{} of {} subjects are told", names.len() - missing, names.len());
    if missing > 0 {
        println!("run it again to go on");
        return Ok(false);
    }
    fs::write(page_path(), page(&rows)).map_err(|error| format!("docs/kill-matrix.md: {error}"))?;
    println!("docs/kill-matrix.md is written");
    Ok(wrong.into_inner().is_ok_and(|wrong| wrong == 0) && as_it_must_be(&rows))
}

/// What `--again` names.
fn forget(words: &[String], folder: &Path, names: &[&str]) -> Result<(), String> {
    for (flag, name) in words.iter().zip(words.iter().skip(1)).filter(|(flag, _)| *flag == "--again") {
        if !names.iter().any(|known| shown(known) == name) {
            return Err(format!("{flag} {name}: there is no such defect"));
        }
        let file = folder.join(format!("{name}.json"));
        if file.exists() {
            fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    Ok(())
}

/// The stories that a subject is to be told.
fn asked(name: &str, whole: bool) -> BTreeSet<&'static str> {
    let Some(defect) = planted().find(|defect| defect.name == name) else {
        return built_in().iter().map(|story| story.name.as_str()).collect();
    };
    if choice::hangs(defect) {
        choice::fewest(&choice::broken(defect)).into_iter().collect()
    } else if whole {
        built_in().iter().map(|story| story.name.as_str()).collect()
    } else {
        choice::told(defect).map(|story| story.name.as_str()).collect()
    }
}

fn stories_of(row: &Row) -> BTreeSet<&str> {
    row.0.keys().map(String::as_str).collect()
}

/// Tells one subject what it was not told yet.
fn tell(folder: &Path, name: &str, whole: bool) -> Result<(), String> {
    let mut row = kept(folder, name);
    let left: BTreeSet<&str> = asked(name, whole).into_iter().filter(|story| !row.0.contains_key(*story)).collect();
    if left.is_empty() {
        return Ok(());
    }
    let mut words = vec!["--reference".to_owned()];
    words.extend((!name.is_empty()).then(|| name.to_owned()));
    // The others are skipped, rather than these selected: so every requirement may convict in them, also one that is decided elsewhere.
    let others = built_in().iter().filter(|story| !left.contains(story.name.as_str()));
    words.extend(others.flat_map(|story| ["--skip".to_owned(), story.name.clone()]));
    let began = Instant::now();
    let found = runs::by_story(&words)?;
    for story in built_in().iter().filter(|story| left.contains(story.name.as_str())) {
        let mut cell = Cell { hash: told(story), ..Cell::default() };
        for (id, verdict, reason) in found.get(&story.name).map_or(&[][..], Vec::as_slice) {
            match verdict.as_str() {
                "harness-fault" => return Err(format!("the harness faulted on {id} in {}: {reason}", story.name)),
                "fail" => cell.convicted.insert(id.clone(), reason.clone()),
                "undecided" => cell.undecided.insert(id.clone(), reason.clone()),
                _ => continue,
            };
        }
        row.0.insert(story.name.clone(), cell);
    }
    println!("{}: {} stories, {} convictions in {:.0} s", shown(name), left.len(), row.convicted().len(), began.elapsed().as_secs_f64());
    let text = serde_json::to_string_pretty(&row).map_err(|error| error.to_string())?;
    fs::write(file(folder, name), text).map_err(|error| format!("cannot be kept: {error}"))
}

/// What a subject was told before, of stories that are still the same.
fn kept(folder: &Path, name: &str) -> Row {
    let mut row: Row = fs::read_to_string(file(folder, name)).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let asked = asked(name, true);
    let same =
        |name: &str, cell: &Cell| asked.contains(name) && built_in().iter().any(|story| story.name == name && told(story) == cell.hash);
    row.0.retain(|name, cell| same(name, cell));
    row
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{}.json", shown(name)))
}

fn shown(name: &str) -> &str {
    if name.is_empty() { "upright" } else { name }
}

fn as_it_must_be(rows: &BTreeMap<String, Row>) -> bool {
    let mut wrong: Vec<String> = Vec::new();
    if let Some(upright) = rows.get("").filter(|row| !row.convicted().is_empty() || !row.undecided().is_empty()) {
        wrong.push(format!("the upright subject: convicted of {:?}, undecided {:?}", upright.convicted(), upright.undecided()));
    }
    for defect in planted() {
        let Some(row) = rows.get(defect.name) else { continue };
        let convicted = row.convicted();
        let missed = choice::broken(defect).into_iter().filter(|id| !convicted.contains_key(*id));
        wrong.extend(missed.map(|id| format!("{} is not convicted of {id}", defect.name)));
        for (story, cell) in &row.0 {
            let strange =
                cell.convicted.iter().filter(|(id, _)| !defect.breaks.contains(&id.as_str()) && !defect.may.contains(&id.as_str()));
            wrong.extend(
                strange.map(|(id, reason)| format!("{} is convicted of {id} in {story}, which it does not break: {reason}", defect.name)),
            );
        }
    }
    for line in &wrong {
        println!("{line}");
    }
    wrong.is_empty()
}
